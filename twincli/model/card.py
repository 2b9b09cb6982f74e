"""What a template shows of its twins: the card."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from twincli.model import record
from twincli.model.leaves import leaves
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twincli.model.template import Template

DEFAULT_ITEMS = 12
"""Of the card of a template that says nothing of a view."""


class Item(NamedTuple):
    """A line of a card.

    Attributes:
        path: Of the fact or field.
        label: What people call it.
        value: None: there is none.
        unit: What it is in, or None.
        in_state: Whether it is in the state, not among the facts.
    """

    path: str
    label: str
    value: Any
    unit: str | None
    in_state: bool


class Card(NamedTuple):
    """A card.

    Attributes:
        title: What the twin is called on it, or None.
        items: Its lines.
        spot: Where the thing is, or None.
        charts: Paths of what is drawn.
    """

    title: str | None
    items: list[Item]
    spot: Item | None
    charts: list[str]

    @property
    def all(self) -> list[Item]:
        """Its lines and, if it is not among them, where the thing is."""
        if self.spot is None or any(item.path == self.spot.path for item in self.items):
            return self.items
        return [*self.items, self.spot]


def card(form: Template, state: Mapping[str, Any], data: Mapping[str, Any]) -> Card:
    """Return the card of a twin.

    Args:
        form: Its template.
        state: Of the twin.
        data: Its facts.
    """
    title = at(form.view.get("title"), state, data)
    spot = form.view.get("map")
    paths = form.view.get("card") or islice(_default(form, state, data), DEFAULT_ITEMS)
    return Card(
        title if isinstance(title, str) and title else None,
        [_item(form, path, state, data) for path in paths],
        None if spot is None else _item(form, spot, state, data),
        list(form.view.get("charts", ())),
    )


def _default(form: Template, state: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a card without a plan shows: identifiers, then fields, then facts."""
    known = [*(name for name in (form.primary, *form.secondary) if name in data), *form.fields]
    yield from known
    tops = {path.partition(".")[0] for path in known}
    for path, _ in chain(leaves(state), leaves(data)):
        if path.partition(".")[0] not in tops:
            yield path


def _item(form: Template, path: str, state: Mapping[str, Any], data: Mapping[str, Any]) -> Item:
    value = at(path, state)
    in_state = value is not None
    stated = field(form, path)
    return Item(
        path,
        stated.get("label") or path,
        value if in_state else at(path, data),
        stated.get("unit"),
        in_state,
    )


def is_doubted(path: str, tx: dict[str, Any]) -> bool:
    """Say whether a transaction marks a value, or a part of it, as suspect."""
    envelope = record.envelope_of(tx["metadata"]) or {}
    if tx["operation"] == "CREATE":
        envelope = record.creating_envelope(tx) or envelope
    marked = envelope.get("suspect")
    return isinstance(marked, list) and any(
        isinstance(other, str) and (other == path or other.startswith((f"{path}.", f"{path}[")))
        for other in marked
    )


def at(path: str | None, *members: Mapping[str, Any]) -> Any:
    """Return the value at a dotted path, from the first that has one."""
    for held in members if path else ():
        value: Any = held
        for name in str(path).split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            return value
    return None


def field(form: Template, path: str) -> dict[str, Any]:
    """Return what the template says of the field at a path, as written; nothing is an object."""
    fields = [*form.document.get("trackingFields", ()), *form.document.get("facts", ())]
    found: dict[str, Any] = {}
    for name in path.split("."):
        found = next((item for item in fields if item["name"] == name), {})
        fields = found.get("fields", [])
    return found
