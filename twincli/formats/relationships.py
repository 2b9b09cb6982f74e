"""Lists of relationships in JSON, as other software writes them, read as links.

Each item names its two ends by what they are to each other; which of them the link goes out from
follows from that: the child of a parent, the source that depends on a target, the successor of a
predecessor.
"""

from __future__ import annotations

from twincli.crypto import canonical
from twincli.errors import InvalidError, shown
from twincli.values import Any, NamedTuple

MOST = 100_000
"""Relationships in one file."""


class Relationship(NamedTuple):
    """A link to be made.

    Attributes:
        source: What it goes out from, as it is written.
        verb: How.
        target: The other end.
    """

    source: str
    verb: str
    target: str


class _Form(NamedTuple):
    """A form of an item: the members that hold source, target and verb, and its type."""

    source: str
    target: str
    verb: str
    type: str | None


_FORMS = (
    _Form("from", "to", "verb", None),
    _Form("child", "parent", "relationship", "parent_child"),
    _Form("source", "target", "relationship", "dependency"),
    _Form("successor", "predecessor", "relationship", "succession"),
)
_EXAMPLE = '[{"from": "gearbox", "verb": "is_component_of", "to": "car"}]'


def parse(data: bytes | str, what: str) -> list[Relationship]:
    """Return the relationships of a JSON document.

    Args:
        data: A list of items.
        what: What errors call it.

    Raises:
        InvalidError: ``invalid_json``; ``invalid_relationship``, naming the item.
    """
    given = canonical.decode(data, what=what)
    if not isinstance(given, list) or not given:
        raise InvalidError(
            f"{what} is not a list of relationships",
            code="invalid_relationship",
            hint=f"such as {_EXAMPLE}",
        )
    if len(given) > MOST:
        raise InvalidError(
            f"{what} has {len(given)} relationships, more than {MOST}",
            code="invalid_relationship",
            hint="cut it into several files",
        )
    return [_read(item, f"relationship {number} of {what}") for number, item in enumerate(given, 1)]


def _read(item: Any, what: str) -> Relationship:
    if not isinstance(item, dict):
        raise InvalidError(
            f"{what} is not an object",
            code="invalid_relationship",
            hint=f"such as {_EXAMPLE}",
        )
    form = next((form for form in _FORMS if form.source in item and form.target in item), None)
    if form is None:
        pairs = ", ".join(f"{form.source} and {form.target}" for form in _FORMS)
        raise InvalidError(
            f"{what} does not name its two ends",
            code="invalid_relationship",
            hint=f"name them as one of these: {pairs}",
        )
    stated = item.get("type")
    if stated is not None and stated != form.type:
        raise InvalidError(
            f"{what} is of the type {shown(stated)}, but has {form.source} and {form.target}",
            code="invalid_relationship",
            hint=f"leave type out, or write {form.type}" if form.type else "leave type out",
        )
    known = {form.source, form.target, form.verb, "type"}
    for name in item:
        if name not in known:
            raise InvalidError(
                f"{what} has a member that is not known: {shown(name)}",
                code="invalid_relationship",
                hint=f"its members are {form.source}, {form.target} and {form.verb}",
            )
    values = [item.get(name) for name in (form.source, form.verb, form.target)]
    for name, value in zip((form.source, form.verb, form.target), values, strict=True):
        if not isinstance(value, str) or not value:
            raise InvalidError(
                f"{what}: {name} is {'missing' if value is None else 'not a text'}",
                code="invalid_relationship",
                hint=f"such as {_EXAMPLE}",
            )
    source, verb, target = map(str, values)
    return Relationship(source, verb, target)
