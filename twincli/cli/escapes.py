"""Text from elsewhere, made safe for terminals and pipes."""

from __future__ import annotations

import re

# Bidirectional overrides and isolates can make a line read as what it is not; half surrogates
# cannot be encoded; U+2028 and U+2029 end a line for some readers of JSON Lines.
_ODD = "\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"


# Kept as text: compiling them would cost every run a millisecond, and few runs need them.
IN_JSON = f"[{_ODD}]"

_IN_TSV = f"[\\\\\x00-\x1f{_ODD}]"

_IN_CELL = f"[\x00-\x09\x0b-\x1f{_ODD}]"

_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\"}


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return _SHORT.get(character) or f"\\u{ord(character):04x}"


def escape_json(match: re.Match[str]) -> str:
    """Return the JSON escape of a matched character."""
    return f"\\u{ord(match.group()):04x}"


def visible(text: str) -> str:
    """Return text that is safe on a terminal; line ends stay, other controls become escapes."""
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_IN_CELL, _escape, text)


def separated(text: str) -> str:
    r"""Return text as a field of tab-separated output: ``\t``, ``\n``, ``\\``, ``\u001b``."""
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return re.sub(_IN_TSV, _escape, text)
