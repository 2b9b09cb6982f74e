"""Where the words of a search are within a JSON value, and the text around them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

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


def folded(text: str) -> str:
    """Return the form in which searched texts are equal: without case, accents and variants."""
    if text.isascii():
        return text.lower()
    from unicodedata import combining, normalize

    plain = normalize("NFKD", normalize("NFKD", text).casefold())
    return "".join(letter for letter in plain if not combining(letter))


def pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    """Return what finds any of some words or phrases in a folded text, or None if none can be."""
    found = []
    for word in words:
        parts = re.findall(r"[^\W_]+", folded(word))
        if parts:
            text = r"[\W_]+".join(parts)
            # Scripts without blanks have no ends of words to look for.
            found.append(rf"(?<![^\W_]){text}(?![^\W_])" if text.isascii() else text)
    return re.compile("|".join(found)) if found else None


def found(value: Any, wanted: re.Pattern[str] | None, longest: int = 80) -> Excerpt | None:
    """Return the first text within a value that matches, cut to what is around the match.

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
            match = wanted.search(folded(text))
            if match is not None:
                return Excerpt(where, _around(item, _place(text, match.start()), longest))
    return None


def _few(items: Any) -> list[Any]:
    return [item for item, _ in zip(items, range(_VISITED), strict=False)]


def _place(text: str, place: int) -> int:
    """Return where the character is of which ``place`` is the place once ``text`` is folded."""
    if text.isascii():
        return place
    start = 0
    while (size := len(folded(text[start : start + _CHUNK]))) <= place:
        place -= size
        start += _CHUNK
    for at, letter in enumerate(text[start:], start):
        place -= len(folded(letter))
        if place < 0:
            return at
    return len(text)


def _around(text: str, place: int, longest: int) -> str:
    start = max(min(place - longest // 3, len(text) - longest), 0)
    end = start + longest
    return f"{_MORE if start else ''}{text[start:end]}{_MORE if end < len(text) else ''}"
