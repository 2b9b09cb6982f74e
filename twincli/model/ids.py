"""Ids as text: transactions, assets and ledgers are 64 hex digits in lower case."""

from __future__ import annotations

LENGTH = 64
MIN_PREFIX = 8
"""An asset can be named by the beginning of its id, from this many digits on."""

_DIGITS = "0123456789abcdef"
_ANY_CASE = frozenset(_DIGITS + "ABCDEF")


def is_id(text: str) -> bool:
    """Say whether a text is an id: 64 hex digits, lower case."""
    return len(text) == LENGTH and not text.strip(_DIGITS)


def is_hex(text: str) -> bool:
    """Say whether a text is hex digits in lower case, or empty."""
    return not text.strip(_DIGITS)


def is_prefix(text: str) -> bool:
    """Say whether a text, in whatever case, can be an id or the beginning of one."""
    return MIN_PREFIX <= len(text) <= LENGTH and set(text) <= _ANY_CASE
