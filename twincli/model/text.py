"""Text from strangers, made safe to show: the one table of characters that are never shown raw.

Terminals, pipes, the explorer's pages and the questions before signing all use it. Each such
character becomes its JSON escape, so nothing is lost and nobody is misled.
"""

from __future__ import annotations

import re

# Kept as text: compiling a pattern costs every start a millisecond, and few commands need one.
_ODD = (
    "\x7f-\x9f"  # DEL and the second set of controls, NEL (a line end) among them
    "\u00ad"  # soft hyphen
    "\u034f"  # combining grapheme joiner
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction
    "\u115f\u1160\u3164\uffa0\u17b4\u17b5\u2800"  # fillers: letters and a pattern without ink
    "\u180b-\u180f\ufe00-\ufe0f"  # selectors of variants
    "\u200b-\u200d\u2060-\u2065\ufeff"  # zero width
    "\u2028\u2029"  # line ends for some readers of JSON Lines
    "\u206a-\u206f\ufff0-\ufffb"  # deprecated and interlinear controls
    "\ud800-\udfff"  # half surrogates, which cannot be encoded
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # shorthand and musical controls
    "\U000e0000-\U000e0fff"  # tags and more selectors
)
_IN_JSON = f"[{_ODD}]"
_IN_LINES = f"[\x00-\x09\x0b-\x1f{_ODD}]"
_IN_LINE = f"[\x00-\x1f{_ODD}]"
_IN_FIELD = f"[\\\\\x00-\x1f{_ODD}]"

_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\"}


def visible(text: str) -> str:
    """Return text that is safe to show; line ends (LF) stay, other odd characters are escaped."""
    return text if _is_plain(text) else re.sub(_IN_LINES, _escape, text)


def one_line(text: str) -> str:
    """Return text that is safe to show as one line or as a part of it."""
    return text if _is_plain(text) else re.sub(_IN_LINE, _escape, text)


def separated(text: str) -> str:
    r"""Return text as a field of tab-separated output: ``\t``, ``\n``, ``\\``, ``\u001b``."""
    if "\\" not in text and _is_plain(text):
        return text
    return re.sub(_IN_FIELD, _escape, text)


def in_json(encoded: str) -> str:
    """Return a JSON text, written with raw Unicode, with its odd characters as escapes."""
    if encoded.isascii() and "\x7f" not in encoded:
        return encoded
    return re.sub(_IN_JSON, _number, encoded)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _escape(match: re.Match[str]) -> str:
    return _SHORT.get(match[0]) or _number(match)


def _number(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
