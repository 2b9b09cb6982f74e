"""What readers of foreign models share: the template they fill, and the report of what is lost.

A reader never guesses silently. What has no place in a template becomes a `Loss` with its path in
the foreign document, what it was, and why it is not carried over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, UsageError, place, shown
from twincli.formats.foreign import unit_words
from twincli.model import template
from twincli.model.text import visible
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Path = tuple[str | int, ...]

MAX_NESTING = 100
"""How deep a foreign document may nest; its fields are bounded by `template.MAX_DEPTH`."""

MAX_LOSSES = 10_000

_NAME_LENGTH = 64


class Loss(NamedTuple):
    """Something of a foreign model that the template does not have, or has otherwise.

    Attributes:
        path: Where it stands in the foreign document.
        what: What it is.
        why: Why it is not carried over, and what to do instead.
    """

    path: Path
    what: str
    why: str


class Imported(NamedTuple):
    """A template made from a foreign model.

    Attributes:
        document: The template.
        origin: The id of the foreign model, or None.
        losses: What was not carried over, in the order of the document.
    """

    document: dict[str, Any]
    origin: str | None
    losses: tuple[Loss, ...]


def invalid(path: Sequence[str | int], why: str, hint: str | None = None) -> InvalidError:
    """Return the error of a document that is not a model of its format."""
    where = place(path)
    return InvalidError(
        f"the model is invalid: {where + ': ' if where else ''}{visible(why)}",
        code="invalid_model",
        hint=hint,
    )


def choose(names: Sequence[str], wanted: str | None, what: str) -> int:
    """Return the position of the model to read, where a file has several.

    Args:
        names: Ids of the models.
        wanted: The id that was asked for.
        what: What the format calls a model.

    Raises:
        UsageError: ``usage``: there are several, or none of that id.
    """
    known = ", ".join(visible(name[:100]) for name in names[:10]) + (
        " ..." if len(names) > 10 else ""
    )
    if wanted is not None:
        if wanted in names:
            return list(names).index(wanted)
        raise UsageError(
            f"the file has no {what} {shown(wanted)}", hint=f"it has {known}" if names else None
        )
    if len(names) == 1:
        return 0
    raise UsageError(
        f"the file has {len(names)} models, and a template is made of one",
        hint=f"add --model ID, one of: {known}",
    )


def bounded(value: Any) -> None:
    """Refuse a document that nests too deeply, before anything walks it.

    Raises:
        InvalidError: ``invalid_model``.
    """
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_NESTING):
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, (dict, list))
        ]
    if level:
        raise invalid((), f"it nests deeper than {MAX_NESTING}")


def template_id(words: Iterable[str], version: str | None) -> str:
    """Return a template's id near to the words of a foreign one: ``com-example-thermostat-v1``.

    The same words always give the same id; a long one is cut and gets a hash of the whole.
    """
    text = "-".join(words)
    slug = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", text)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", slug).strip("-").lower()
    number = version if version and re.fullmatch(r"[1-9][0-9]{0,8}", version) else "1"
    room = 64 - len(number) - 2
    if not slug or len(slug) > room:
        slug = f"{slug[-(room - 9) :].strip('-')}-{_hash(text)}".strip("-")
    return f"{slug}-v{number}"


def _hash(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


class Draft:
    """A template that a reader fills."""

    def __init__(self) -> None:
        self.losses: list[Loss] = []
        self.count = 0

    def lose(self, path: Sequence[str | int], what: str, why: str) -> None:
        """Report something that is not carried over."""
        if len(self.losses) == MAX_LOSSES:
            raise invalid(path, f"more than {MAX_LOSSES} things of it have no place in a template")
        self.losses.append(Loss(tuple(path), visible(what), why))

    def text(self, path: Sequence[str | int], value: str | None) -> str | None:
        """Return a text as a template takes it, None where it is blank; what is cut is reported."""
        if value is None or not value.strip():
            return None
        if len(value) > template.MAX_TEXT:
            self.lose(
                path,
                f"a text of {len(value)} characters",
                f"cut: a template takes {template.MAX_TEXT}",
            )
            return value[: template.MAX_TEXT]
        return value

    def one_text(self, path: Sequence[str | int], texts: dict[str, str]) -> str | None:
        """Return the English text of several languages, else the first one; report the others."""
        if not texts:
            return None
        best = min(texts, key=lambda tag: (tag != "en", not tag.lower().startswith("en")))
        chosen = best if best.lower().startswith("en") else next(iter(texts))
        others = [tag for tag in texts if tag != chosen]
        if others:
            names = ", ".join(others[:10]) + (" ..." if len(others) > 10 else "")
            self.lose(path, f"the texts in {names}", "a template has texts in one language")
        return self.text(path, texts[chosen])

    def name(self, path: Sequence[str | int], wanted: str, taken: Iterable[str]) -> str:
        """Return a legal name of a field near to a foreign one; a change is reported."""
        name = re.sub(r"[^\w-]+", "_", wanted)  # \w: letters and digits of all alphabets, _
        name = "".join(letter for letter in name if letter.isalnum() or letter in "_-")
        while name and not name[0].isalpha():
            name = name[1:]
        if not name:
            name = f"field_{_hash(wanted)}"
        if name in template.RESERVED:
            name += "_"
        if len(name) > _NAME_LENGTH:
            name = f"{name[: _NAME_LENGTH - 9]}_{_hash(wanted)}"
        used = set(taken)
        if name in used:
            name = f"{name[: _NAME_LENGTH - 9]}_{_hash(wanted)}"
        number = 2
        while name in used:  # pragma: no cover - two hashes of 32 bits are alike
            name, number = f"{name[: _NAME_LENGTH - 4]}_{number}", number + 1
        if name != wanted:
            self.lose(path, f"the name {shown(wanted)}", f"the field is called {name}")
        return name

    def field(self, path: Sequence[str | int], depth: int) -> bool:
        """Count a field; say whether it may have parts, else report that they are free.

        Raises:
            InvalidError: ``invalid_model``: more fields than a template may have.
        """
        self.count += 1
        if self.count > template.MAX_FIELDS:
            raise invalid(
                path,
                f"the model has more than {template.MAX_FIELDS} fields",
                "a template may not have that many; split the model",
            )
        if depth >= template.MAX_DEPTH:
            self.lose(
                path,
                "the parts of what is nested here",
                f"free: fields nest {template.MAX_DEPTH} deep",
            )
            return False
        return True

    def unit(self, path: Sequence[str | int], word: str, field: dict[str, Any]) -> None:
        """Give a field the unit that a foreign word means, else the word itself as its own."""
        if field["type"] not in {"number", "integer"}:
            self.lose(path, f"the unit {shown(word)}", f"a field of type {field['type']} has none")
            return
        found = unit_words.find(word)
        if found is not None:
            if found != "1":
                field["unit"] = found
            return
        text = self.text(path, word.strip()[: template.MAX_TEXT])
        if text is None:
            return
        field["unit"], field["ownUnit"] = text, True
        self.lose(
            path,
            f"the meaning of the unit {shown(word)}",
            "kept as a word of its own (ownUnit), which nothing is converted to",
        )

    def stream(self, path: Sequence[str | int], field: dict[str, Any], depth: int) -> None:
        """Make a field a stream where a template allows it, else report it."""
        if depth > 1:
            self.lose(path, "that it is a stream", "only a whole field can be a stream")
        elif not template.RESERVED_LEAVES.isdisjoint(
            part["name"] for part in field.get("fields", ())
        ):
            self.lose(path, "that it is a stream", "a part has the name of what readings have")
        elif field["name"] in template.RESERVED_STREAMS | template.RESERVED_LEAVES:
            self.lose(
                path, "that it is a stream", f"no stream can be called {field['name']}; rename it"
            )
        else:
            field["realTime"] = True

    def bounds(self, path: Sequence[str | int], field: dict[str, Any], low: Any, high: Any) -> None:
        """Give a field its range; bounds that contradict each other are reported."""
        given = {
            name: bound
            for name, bound in (("min", low), ("max", high))
            if type(bound) in {int, float} and abs(bound) <= 1 << 63
        }
        if field["type"] not in {"number", "integer"}:
            if given:
                self.lose(path, "the range", f"a field of type {field['type']} has none")
        elif len(given) == 2 and given["min"] > given["max"]:
            self.lose(path, "the range", "its minimum is above its maximum")
        else:
            field.update(given)

    def choices(
        self, path: Sequence[str | int], field: dict[str, Any], values: Sequence[str]
    ) -> None:
        """Make a field an enum of texts, as far as a template takes them."""
        good = [
            value
            for value in dict.fromkeys(values)
            if value.strip() and len(value) <= template.MAX_TEXT
        ]
        if not good or len(good) > template.MAX_ITEMS or len(good) < len(set(values)):
            self.lose(
                path,
                f"the {len(values)} allowed values",
                f"an enum has 1 to {template.MAX_ITEMS} texts that are not blank",
            )
            field["type"] = "text"
            return
        field["type"], field["values"] = "enum", good

    def finish(self, document: dict[str, Any], origin: str | None) -> Imported:
        """Return the template that was made, in the order in which people read one.

        Raises:
            InvalidError: ``invalid_model``: the checker of templates finds a fault; a bug shows
                here and not at registration.
        """
        if origin is not None and (kept := self.text(("origin",), origin)) is not None:
            document["origin"] = kept
        ordered = {
            name: document[name]
            for name in template.MEMBERS
            if name in document and document[name] not in ([], None)
        }
        found = template.faults(ordered)
        if found:
            first = found[0]
            raise invalid(
                (), f"it makes no valid template: {first.where}: {first.message}", first.right
            )
        return Imported(ordered, origin, tuple(self.losses))
