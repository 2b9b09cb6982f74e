"""Objects compared value by value: a leaf is what stands at a dotted path and is not an object."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_DEPTH: Final = 32
"""Objects deeper than this are leaves: comparing them value by value is nobody's question."""


class Absent:
    """Stands for a value where there is none; null is a value."""


ABSENT: Final = Absent()


def is_branch(value: Any, depth: int) -> bool:
    """Say whether a value has leaves of its own; an empty object is a leaf."""
    return isinstance(value, dict) and bool(value) and depth < MAX_DEPTH


def same(one: Any, other: Any) -> bool:
    """Say whether two values are the same JSON: 1, 1.0 and true are three."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (dict, list)):
        return one is other or json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    return bool(one == other)


def leaves(
    members: Mapping[str, Any], prefix: str = "", depth: int = 1
) -> Iterator[tuple[str, Any]]:
    """Yield dotted paths and values, in the order of the members."""
    for name, value in members.items():
        if is_branch(value, depth):
            yield from leaves(value, f"{prefix}{name}.", depth + 1)
        else:
            yield f"{prefix}{name}", value


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "", depth: int = 1
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted paths of leaves that differ, with what stands there; see `ABSENT`."""
    for name, value in after.items():
        old = before.get(name, ABSENT)
        if old is value:
            continue
        path = f"{prefix}{name}"
        if is_branch(value, depth) and is_branch(old, depth):
            yield from changes(old, value, f"{path}.", depth + 1)
        elif is_branch(value, depth):
            if old is not ABSENT:
                yield path, old, ABSENT
            for inner, item in leaves(value, f"{path}.", depth + 1):
                yield inner, ABSENT, item
        elif is_branch(old, depth):
            for inner, item in leaves(old, f"{path}.", depth + 1):
                yield inner, item, ABSENT
            yield path, ABSENT, value
        elif not same(old, value):
            yield path, old, value
    for name, old in before.items():
        if name not in after:
            if is_branch(old, depth):
                for inner, item in leaves(old, f"{prefix}{name}.", depth + 1):
                    yield inner, item, ABSENT
            else:
                yield f"{prefix}{name}", old, ABSENT
