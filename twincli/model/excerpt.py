"""Where the words of a search are within a JSON value, and the text around them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from twincli.model.words import count_letters, fold
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_MEMBER = 80
_VISITED = 2000
_READ = 50_000
_CHUNK = 500
_MORE = "\u2026"


class Excerpt(NamedTuple):
    """What was found.

    Attributes:
        member: The path of the value, with dots; empty where the value itself is a text.
        text: The part of it that holds the word.
    """

    member: str
    text: str


def pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern for any of some words or phrases in a folded text, or None if empty."""
    found = []
    for word in words:
        parts = fold(word).split()
        if parts:
            found.append(rf"(?<!\S){' +'.join(parts)}(?!\S)")
    return re.compile("|".join(found)) if found else None


def found(value: Any, wanted: re.Pattern[str] | None, longest: int = 80) -> Excerpt | None:
    """Return the first text or number within a value that matches, cut to what is around the match.

    At most 2,000 values and 50,000 characters are read.

    Args:
        value: JSON.
        wanted: From ``pattern``.
        longest: Length of the part that is returned, besides the marks of what was cut.
    """
    if wanted is None:
        return None
    todo: list[tuple[str, Any]] = [("", value)]
    left = _READ
    for _ in range(_VISITED):
        if not todo or left <= 0:
            return None
        where, item = todo.pop()
        if isinstance(item, dict):
            members = [(f"{where}.{key}" if where else key, item[key]) for key in _few(item)]
            todo += [(inner[:LONGEST_MEMBER], child) for inner, child in reversed(members)]
        elif isinstance(item, list):
            todo += [(where, child) for child in reversed(_few(item))]
        elif isinstance(item, str):
            text = item[:left]
            left -= len(text)
            folded = fold(text)
            match = wanted.search(folded)
            if match is not None:
                place = _place(text, folded[: match.start()])
                return Excerpt(where, _around(item, place, longest))
        elif isinstance(item, int | float) and wanted.search(fold(repr(item))):
            return Excerpt(where, repr(item))
    return None


def _few(items: Any) -> list[Any]:
    return [item for item, _ in zip(items, range(_VISITED), strict=False)]


def _place(text: str, before: str) -> int:
    """Return where the character is before which a text, once folded, begins with ``before``."""
    if text.isascii():
        return len(before)
    letters = count_letters(before)
    start = 0
    while start < len(text) and (size := count_letters(text[start : start + _CHUNK])) <= letters:
        letters -= size
        start += _CHUNK
    while start < len(text) and (letters := letters - count_letters(text[start])) >= 0:
        start += 1
    return start


def _around(text: str, place: int, longest: int) -> str:
    start = max(min(place - longest // 3, len(text) - longest), 0)
    end = start + longest
    return f"{_MORE if start else ''}{text[start:end]}{_MORE if end < len(text) else ''}"
