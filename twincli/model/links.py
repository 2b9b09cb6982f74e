"""Links between assets: verbs, their direction, and what a transaction says of them.

A link reads from left to right: ``gearbox is_component_of car``. It is said on the chain of the
asset that it goes out from, in a record of kind ``link`` with ``{"verb", "to"}``. The owner of the
other end says the same on that one's chain, with ``{"verb", "from"}``: this confirms it. A CREATE
that names a ``parent`` says that it is a part, or a stream, of that one.
"""

from __future__ import annotations

from twincli.model import record
from twincli.model.ids import is_id
from twincli.model.transaction import asset_of
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PART, STREAM = POWERS = ("part", "stream")
"""Verbs whose targets may speak for the twin; such a link ends when its giver has nothing more."""

VARIANT, COMPONENT, REPLACES = PLAIN = ("is_variant_of", "is_component_of", "replaces")
"""Verbs that state a relation and give no power."""

VERBS = (*PLAIN, *POWERS)
"""The verbs that every twin may use; a template may name more."""

MOST_VERB = 64
"""The longest verb."""

SOURCE, TARGET = ("source", "target")
"""The ends of a link, and who said it: the owner of that end."""

WHOLE = "whole"
"""The one circle that ``part``, ``stream`` and ``is_component_of`` must not make together."""


LINKS, ABOVE, REVOCATIONS = ("link", "above", "revoke")
"""What is found by an asset: links of which it is an end; those of which it is the lower end, see
``upwards``; and what its owners took back."""


class Said(NamedTuple):
    """A link as a transaction says it.

    Attributes:
        source: The asset that it goes out from.
        verb: How.
        target: The other asset.
        by: ``source`` or ``target``: the end on whose side it is said.
    """

    source: str
    verb: str
    target: str
    by: str


class Removed(NamedTuple):
    """What a revocation by the owner of an asset takes back of its links.

    Attributes:
        named: The transaction of a link, or its other end.
        verb: Only links with this verb to that end; None: all.
    """

    named: str
    verb: str | None


def ending(tx_id: str, verb: str, other: str | None) -> list[Removed]:
    """Return what takes a link back: each of these does.

    Args:
        tx_id: The transaction that says it.
        verb: Its verb.
        other: Its other end, None where that cannot be named instead of it.
    """
    found = [Removed(tx_id, None)]
    return found if other is None else [*found, Removed(other, None), Removed(other, verb)]


def is_verb(value: Any) -> bool:
    """Say whether something is a verb: a lower-case word with underscores."""
    if not isinstance(value, str) or value in VERBS:
        return isinstance(value, str)
    return (
        0 < len(value) <= MOST_VERB
        and value.isascii()
        and value.replace("_", "a").isalnum()
        and value == value.lower()
        and not value[0].isdigit()
    )


def said(tx: dict[str, Any]) -> Said | None:
    """Return the link that a transaction says, None where it says none or it is malformed."""
    if tx["operation"] == "CREATE":
        found = record.creating_envelope(tx)
        parent = found.get("parent")
        if isinstance(parent, str) and is_id(parent):
            verb = STREAM if found.get("kind") == record.STREAM else PART
            return _said(parent, verb, tx["id"], TARGET)
        about = found.get("about")
        if found.get("kind") == record.STATEMENT and found.get("says") == record.LINK:
            body = found.get("body")
            if isinstance(body, dict):
                return _said(about, body.get("verb"), body.get("to"), SOURCE)
        return None
    found = record.envelope_of(tx["metadata"]) or {}
    body = found.get("body")
    if found.get("kind") != record.LINK or not isinstance(body, dict):
        return None
    if "to" in body:
        return _said(asset_of(tx), body.get("verb"), body["to"], SOURCE)
    return _said(body.get("from"), body.get("verb"), asset_of(tx), TARGET)


def _said(source: Any, verb: Any, target: Any, by: str) -> Said | None:
    if not (isinstance(source, str) and is_id(source) and isinstance(target, str)):
        return None
    if not is_id(target) or source == target or not is_verb(verb):
        return None
    return Said(source, verb, target, by)


def removed(tx: dict[str, Any]) -> Removed | None:
    """Return what a transaction takes back of its asset's links, None where it takes back none."""
    found = record.envelope_of(tx["metadata"]) or {}
    body = found.get("body")
    if found.get("kind") != record.REVOKE or not isinstance(body, dict):
        return None
    named, verb = body.get("grant"), body.get("verb")
    if not isinstance(named, str) or not isinstance(verb, str | None):
        return None
    return Removed(named, verb)


def found_by(tx: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a transaction is found by, for its ends, and for whose links it takes back.

    Returns:
        Pairs of one of ``LINKS``, ``ABOVE`` and ``REVOCATIONS``, and an asset.
    """
    found = said(tx)
    if found is not None:
        _, lower, _ = upwards(found)
        return [(LINKS, found.source), (LINKS, found.target), (ABOVE, lower)]
    if tx["operation"] != "CREATE" and record.kind_of(tx["metadata"]) == record.REVOKE:
        return [(REVOCATIONS, asset_of(tx))]
    return []


# --- Circles -----------------------------------------------------------------------------------


def upwards(link: Said) -> tuple[str, str, str]:
    """Return a link as a step that must not come round to where it began.

    Returns:
        What kind of circle it may be in, the lower end and the upper one: a part is below its
        whole, whichever of the two the verb goes out from.
    """
    if link.verb in POWERS:
        return WHOLE, link.target, link.source
    return WHOLE if link.verb == COMPONENT else link.verb, link.source, link.target


def comes_round(start: str, goal: str, above: Callable[[list[str]], Iterable[str]]) -> bool:
    """Say whether steps up from one asset lead to another.

    Args:
        start: Where they begin.
        goal: Where they must not come.
        above: Returns what is one step above any of some assets.
    """
    seen = {start}
    level = [start]
    while level:
        if goal in seen:
            return True
        level = [one for one in dict.fromkeys(above(level)) if one not in seen]
        seen.update(level)
    return False


def in_circles(steps: Mapping[int, tuple[str, str, str]]) -> set[int]:
    """Return which of some steps are in a circle of their kind.

    Args:
        steps: As ``upwards`` gives them, each by a number.
    """
    by_kind: dict[str, list[int]] = {}
    for number, (kind, _, _) in steps.items():
        by_kind.setdefault(kind, []).append(number)
    found: set[int] = set()
    for numbers in by_kind.values():
        ups: dict[str, list[str]] = {}
        for number in numbers:
            ups.setdefault(steps[number][1], []).append(steps[number][2])
        group = _groups(ups)
        # A step within a group can be come back from.
        found.update(n for n in numbers if group[steps[n][1]] == group[steps[n][2]])
    return found


def _groups(ups: Mapping[str, list[str]]) -> dict[str, int]:
    """Return for each asset with steps a number; in one group each leads to all others.

    Tarjan's way of finding the strongly connected components, without recursion.
    """
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    group: dict[str, int] = {}
    open_: list[str] = []
    for start in ups:
        if start in order:
            continue
        path = [(start, iter(ups[start]))]
        order[start] = low[start] = len(order)
        open_.append(start)
        while path:
            here, waiting = path[-1]
            upper = next(waiting, None)
            if upper is None:
                path.pop()
                if path:
                    below = path[-1][0]
                    low[below] = min(low[below], low[here])
                if low[here] == order[here]:
                    number = len(group)
                    while here not in group:
                        group[open_.pop()] = number
            elif upper not in order:
                order[upper] = low[upper] = len(order)
                open_.append(upper)
                path.append((upper, iter(ups.get(upper, ()))))
            elif upper not in group:
                low[here] = min(low[here], order[upper])
    return group
