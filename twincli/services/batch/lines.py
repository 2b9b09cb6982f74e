"""A line of a batch: what is done about which twin, taken apart and checked by its form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import canonical
from twincli.errors import InvalidError, shown
from twincli.formats.mapping import VERBS
from twincli.model import times
from twincli.model.names import near
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.formats.mapping import Map

ASSET, DATA = ("asset", "data")
MAX_TEXT = 4000
MAX_ITEMS = 100

_SHORTEST = 3
"""Characters of a name that may be a slip of another."""
_SHARED = ("do", ASSET, "at", "once", "key")
_TEXT, _TEXTS, _OBJECT, _NUMBER = ("text", "texts", "object", "number")


class Form(NamedTuple):
    """The members of a line that does something.

    Attributes:
        members: Each with what it is: ``text``, ``texts`` (one or a list), ``object``, ``number``.
        required: Those that a line needs.
    """

    members: Mapping[str, str]
    required: tuple[str, ...] = ()


FORMS: dict[str, Form] = {
    "append": Form({DATA: _OBJECT}, (DATA,)),
    "create": Form(
        {
            DATA: _OBJECT,
            "state": _OBJECT,
            **dict.fromkeys(("owner", "entity", "parent", "template", "title"), _TEXT),
            "amount": _NUMBER,
        }
    ),
    "reading": Form({"stream": _TEXT, DATA: _OBJECT}, ("stream", DATA)),
    "event": Form({"type": _TEXT, DATA: _OBJECT}, ("type",)),
    "state": Form(
        {
            **dict.fromkeys(("to", "from", "reason", "triggered_by"), _TEXT),
            "meets": _TEXTS,
            DATA: _OBJECT,
        },
        ("to",),
    ),
    "stage": Form(
        {**dict.fromkeys(("stage", "location", "date"), _TEXT), DATA: _OBJECT}, ("stage",)
    ),
    "maintenance": Form(
        {
            **dict.fromkeys(("type", "technician", "currency", "next", "next_type"), _TEXT),
            **dict.fromkeys(("work", "parts", "done"), _TEXTS),
            DATA: _OBJECT,
        }
    ),
    "cert": Form(
        dict.fromkeys(("type", "standard", "number", "issuer", "valid_from", "valid_until"), _TEXT)
    ),
    "file": Form({"file": _TEXT, "type": _TEXT, "issuer": _TEXT, "valid_until": _TEXT}, ("file",)),
    "link": Form({"verb": _TEXT, "to": _TEXT}, ("verb", "to")),
    "grant": Form({"to": _TEXTS, "role": _TEXT, "scope": _TEXTS, "expires": _TEXT}, ("to",)),
}
"""By verb; a verb without a form is not understood."""

REFERENCES = {"create": "parent", "link": "to"}
"""By verb the member that may name another twin of the same batch."""


class Line(NamedTuple):
    """A line.

    Attributes:
        do: One of `FORMS`.
        asset: What it calls the twin.
        members: All others that it has.
        paths: Dotted paths of its data that are written, where some are inside members that keep
            the rest of what they hold.
    """

    do: str
    asset: str
    members: dict[str, Any]
    paths: tuple[str, ...] = ()


def parse(value: Any) -> Line:
    """Return a line.

    Raises:
        InvalidError: ``invalid_line``.
    """
    if not isinstance(value, dict):
        raise _wrong(
            f"{shown(value)} is not an object", 'as in {"do": "append", "asset": ..., "data": ...}'
        )
    do = value.get("do")
    if not isinstance(do, str) or do not in FORMS:
        if do is None:
            raise _wrong("it has no do", f"do is one of {', '.join(FORMS)}")
        if do in VERBS:
            raise _wrong(f"do: {do} is not understood by this version")
        meant = near(do, FORMS) if isinstance(do, str) else None
        raise _wrong(
            f"do: {shown(do)} is not a verb of a batch",
            f"did you mean {meant}?" if meant else f"one of {', '.join(FORMS)}",
        )
    form = FORMS[do]
    known = (*_SHARED, *form.members)
    for name in value:
        if name not in known:
            is_of_another = any(name in other.members for other in FORMS.values())
            meant = None if is_of_another or len(name) < _SHORTEST else near(name, known)
            raise _wrong(
                f"{do} has no member {shown(name)}",
                f"did you mean {meant}?" if meant else f"known are {', '.join(known)}",
            )
    for name in (ASSET, *form.required):
        if value.get(name) is None:
            raise _wrong(f"it has no {name}", f"{do} needs {' and '.join((ASSET, *form.required))}")
    members = {}
    for name, found in value.items():
        if name == "do" or found is None:
            continue
        _check(name, form.members.get(name, _TEXT), found)
        members[name] = found
    return Line(do, members.pop(ASSET), members)


def _check(name: str, kind: str, value: Any) -> None:
    if kind == _OBJECT:
        if not isinstance(value, dict):
            raise _wrong(f"{name}: {shown(value)} is not an object", "write members in braces")
    elif kind == _NUMBER:
        if type(value) is not int:
            raise _wrong(f"{name}: {shown(value)} is not a whole number")
    elif kind == _TEXTS and isinstance(value, list):
        if not value or len(value) > MAX_ITEMS:
            raise _wrong(f"{name}: it has {len(value)} items", f"1 to {MAX_ITEMS}")
        for item in value:
            _check(name, _TEXT, item)
    elif not isinstance(value, str) or not value.strip():
        raise _wrong(f"{name}: {shown(value)} is not a text", "write a text in quotes")
    elif len(value) > MAX_TEXT:
        raise _wrong(f"{name}: it has {len(value)} characters", f"at most {MAX_TEXT}")


def mapped(found: Map, record: Mapping[str, Any]) -> tuple[Line, str | None]:
    """Return what a row of a foreign table does, and its key.

    Raises:
        InvalidError: ``invalid_value``, ``invalid_line``.
    """
    row = found.row(record)
    value: dict[str, Any] = {**row.set, "do": found.do or "append"}
    if row.name is not None:
        value[ASSET] = row.name
    if row.stream is not None:
        value["stream"] = row.stream
    if row.at_us is not None:
        value["at"] = times.to_text(row.at_us // 1000)
    data = row.data
    form = FORMS.get(value["do"])
    if form is None or DATA in form.members:
        value[DATA] = data
    else:
        # A link or a grant has no data: columns are its members.
        value = {**data, **value}
    line = parse(value)
    if any(len(path) > 1 for path, _ in row.values):
        line = line._replace(paths=tuple(".".join(path) for path, _ in row.values))
    return line, row.key


def decoded(text: bytes | str) -> Any:
    """Return the JSON of a line.

    Raises:
        InvalidError: ``invalid_json``.
    """
    return canonical.decode(text, what="the line")


def _wrong(why: str, hint: str | None = None) -> InvalidError:
    return InvalidError(why, code="invalid_line", hint=hint)
