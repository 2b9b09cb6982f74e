"""JSON values as text that is cut while it is made: what is not shown costs nothing."""

from __future__ import annotations

import json
from typing import Any

LONGEST_VALUE = 2000
LONGEST_NAME = 80
ONE_LINE = 60
_VISITED = 2000
_AROUND = 60


def cut(text: str, longest: int = LONGEST_VALUE) -> str:
    """Return a text, or its beginning and its length."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\u2026 ({len(text):,} characters)"


def excerpt(value: Any, longest: int = LONGEST_VALUE) -> str:
    """Return a value as JSON: on one line if it is short, else indented, at most so long."""
    text = _encoded(value, ONE_LINE, None)
    if len(text) > ONE_LINE:
        text = _encoded(value, longest, 1)
    return text if len(text) <= longest else f"{text[:longest]}\u2026 (cut)"


def _encoded(value: Any, longest: int, indent: int | None) -> str:
    """Return a value as JSON, or more than so many characters of it."""
    parts = []
    size = 0
    for part in json.JSONEncoder(ensure_ascii=False, indent=indent).iterencode(value):
        parts.append(part)
        size += len(part)
        if size > longest:
            break
    return "".join(parts)


def found(value: Any, words: list[str], name: str = "") -> str | None:
    """Return the first text within a value that holds one of the words, with what is around it.

    Args:
        value: JSON.
        words: With their case folded.
        name: Of the value, with dots.
    """
    todo: list[tuple[str, Any]] = [(name, value)]
    for _ in range(_VISITED):
        if not todo:
            return None
        where, item = todo.pop()
        if isinstance(item, dict):
            members = [(f"{where}.{key}" if where else key, item[key]) for key in _few(item)]
            todo += [(inner[:LONGEST_NAME], child) for inner, child in reversed(members)]
        elif isinstance(item, list):
            todo += [(where, child) for child in reversed(_few(item))]
        elif isinstance(item, str):
            folded = item.casefold()
            places = [at for word in words if (at := folded.find(word)) >= 0]
            if places:
                return f"{where}: {_around(item, min(places))}" if where else item
    return None


def _few(items: Any) -> list[Any]:
    return [item for item, _ in zip(items, range(_VISITED), strict=False)]


def _around(text: str, place: int) -> str:
    start, end = max(place - _AROUND, 0), place + 2 * _AROUND
    before, after = "\u2026" if start else "", "\u2026" if end < len(text) else ""
    return f"{before}{text[start:end]}{after}"
