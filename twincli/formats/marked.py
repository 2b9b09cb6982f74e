"""JSON and YAML texts, with the line on which each value stands.

YAML here is what its users mean by it: mappings, lists and scalars. Aliases, tags, several
documents and keys that stand twice are refused. A plain scalar is JSON where it is JSON (``200``,
``true``, ``null``), else a text, so ``on``, ``no``, ``12:30`` and ``2024-01-15`` stay texts, as on
the command line.
"""

from __future__ import annotations

from typing import Any

from twincli.crypto import canonical
from twincli.errors import ConfigError, InvalidError
from twincli.values import NamedTuple

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_VALUES = 100_000

Path = tuple[str | int, ...]


class Marked(NamedTuple):
    """A document that was read.

    Attributes:
        value: What it says.
        lines: The line, from 1, of the value at each path; for JSON only where YAML can be read.
    """

    value: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int | None:
        """Return the line of a value, or of the nearest one around it; None if unknown."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def read(data: bytes, what: str) -> Marked:
    """Read a document.

    Args:
        data: The bytes; JSON if they start with a brace or bracket, else YAML.
        what: What errors call it.

    Raises:
        InvalidError: ``invalid_json``, ``invalid_yaml``, ``too_large``.
        ConfigError: ``missing_extra``: YAML without ``pyyaml``.
    """
    if len(data) > MAX_BYTES:
        raise InvalidError(f"{what} is larger than {MAX_BYTES >> 20} MiB", code="too_large")
    if data.lstrip()[:1] in {b"{", b"["}:
        value = canonical.decode(data, what=what)
        try:
            return Marked(value, _yaml(data, what).lines)
        except (ConfigError, InvalidError):  # JSON that is no YAML, or nothing to read YAML with
            return Marked(value, {})
    return _yaml(data, what)


def _yaml(data: bytes, what: str) -> Marked:
    try:
        import yaml
    except ImportError as error:
        raise ConfigError(
            f"{what} is YAML, which needs an extra package",
            code="missing_extra",
            hint='pip install "twincli[data]", or write it as JSON',
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidError(f"{what} is not UTF-8", code="invalid_yaml") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Builder(what).whole(yaml.parse(text, loader), yaml)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark is not None else ""
        why = error.problem or error.context or "it is not YAML"
        if mark is not None and _is_indented_by_tab(text, mark.line):
            why = "a tab cannot indent YAML; use spaces"
        elif why.startswith("mapping values are not allowed"):
            why = "a text with a colon needs quotes"
        raise InvalidError(f"{what}{where}: {why}", code="invalid_yaml") from error
    except yaml.YAMLError as error:
        why = str(error).partition("\n")[0]
        raise InvalidError(f"{what} is not YAML: {why}"[:200], code="invalid_yaml") from error


def _is_indented_by_tab(text: str, line: int) -> bool:
    lines = text.splitlines()[line : line + 1]
    return any("\t" in found[: len(found) - len(found.lstrip())] for found in lines)


class _Builder:
    """Builds values from YAML's events, without its aliases, tags and types."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.lines: dict[Path, int] = {}
        self.count = 0

    def fault(self, event: Any, why: str) -> InvalidError:
        line = event.start_mark.line + 1
        return InvalidError(f"{self.what}, line {line}: {why}", code="invalid_yaml")

    def whole(self, events: Any, yaml: Any) -> Marked:
        self.yaml = yaml
        value: Any = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.fault(event, "there is a second document")
                value = self.value(events, next(events), ())
        if documents == 0:
            raise InvalidError(f"{self.what} is empty", code="invalid_yaml")
        return Marked(value, self.lines)

    def value(self, events: Any, event: Any, path: Path) -> Any:
        yaml = self.yaml
        self.count += 1
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            raise self.fault(event, "there is too much of it")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self.fault(event, "aliases and anchors are not read; write it out")
        if event.tag is not None:
            raise self.fault(event, f"the tag {event.tag[:40]} is not read; leave it out")
        self.lines[path] = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(event := next(events), yaml.SequenceEndEvent):
                items.append(self.value(events, event, (*path, len(items))))
            return items
        members: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            name = self.key(event)
            if name in members:
                raise self.fault(event, f"the key {name[:40]!r} stands here twice")
            members[name] = self.value(events, next(events), (*path, name))
            # A fault of a member is looked for where its name stands.
            self.lines[*path, name] = event.start_mark.line + 1
        return members

    def key(self, event: Any) -> str:
        if not isinstance(event, self.yaml.ScalarEvent):
            raise self.fault(event, "a key is not a text")
        if event.anchor is not None or event.tag is not None:
            raise self.fault(event, "a key has neither an anchor nor a tag")
        if event.implicit[0] and event.value == "<<":
            raise self.fault(event, "<< merges nothing here; write it out")
        return str(event.value)

    def scalar(self, event: Any) -> Any:
        text = str(event.value)
        if not event.implicit[0]:  # in quotes, or a block
            return text
        if text in {"", "~"}:
            return None
        if text in {"true", "false", "null"} or text[0] in "-0123456789":
            try:
                return canonical.decode(text.encode(), what="it")
            except InvalidError:
                return text
        return text
