"""JSON values as text that is cut while it is made: what is not shown costs nothing."""

from __future__ import annotations

import json
from typing import Any

LONGEST_VALUE = 2000
LONGEST_NAME = 80
ONE_LINE = 60


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
    """Return a value as JSON, or at least its first characters."""
    parts = []
    size = 0
    for part in json.JSONEncoder(ensure_ascii=False, indent=indent).iterencode(value):
        parts.append(part)
        size += len(part)
        if size > longest:
            break
    return "".join(parts)
