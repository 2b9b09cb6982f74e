"""Characters that are never shown raw, and how they are shown instead."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.model.text import in_json, one_line, separated, visible

HARMFUL = {
    "control": "\x00\x07\x1b\x7f\x85\x9b",
    "line end": "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029",
    "zero width": "\u200b\u200c\u200d\u2060\ufeff\u180e\u034f",
    "direction": "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    "soft hyphen": "\u00ad",
    "tag": "\U000e0001\U000e0020\U000e0041\U000e007f",
    "filler": "\u115f\u1160\u3164\uffa0\u2800\u17b4",
    "selector": "\ufe00\ufe0f\U000e0100\U000e01ef\u180b",
    "invisible operator": "\u2061\u2064\U0001d173\U0001bca0\ufff9",
    "half surrogate": "\ud800\udfff",
}


@pytest.mark.parametrize("letter", "".join(HARMFUL.values()))
def test_what_hides_or_reorders_is_escaped_everywhere(letter: str) -> None:
    text = f"a{letter}b"
    for show in (visible, one_line, separated):
        shown = show(text)
        assert letter not in shown
        assert shown[:2] == "a\\"
        assert shown.isprintable()
    assert letter not in in_json(json.dumps(text, ensure_ascii=False))


def test_no_control_and_no_format_character_of_unicode_is_missing() -> None:
    # Some format characters have ink: the signs that stand over or under Arabic numbers.
    inked = ("ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN")
    for code in range(sys.maxunicode + 1):
        letter = chr(code)
        kind = unicodedata.category(letter)
        if kind in {"Cc", "Zl", "Zp", "Cs"} or (
            kind == "Cf" and not unicodedata.name(letter, "").startswith(inked)
        ):
            assert letter not in one_line(letter), hex(code)


@pytest.mark.parametrize(
    "text",
    ["Straße", "自転車", "Ελλάδα", "naïve café", "12\u00a0km", "\U0001f6b2", "עברית"],
)
def test_letters_of_all_scripts_stay(text: str) -> None:
    assert visible(text) == one_line(text) == separated(text) == text
    assert in_json(text) == text


def test_line_ends_and_backslashes() -> None:
    assert visible("a\nb\tc\\") == "a\nb\\tc\\"
    assert one_line("a\nb\tc\r\\") == "a\\nb\\tc\\r\\"
    assert separated("a\nb\tc\r\\") == "a\\nb\\tc\\r\\\\"
    assert separated("a\x1b") == "a\\u001b"


def test_beyond_16_bits_an_escape_is_two_numbers_as_in_json() -> None:
    assert one_line("\U000e0041") == "\\udb40\\udc41"
    assert one_line("\U0001d173") == "\\ud834\\udd73"


@given(st.text(st.characters() | st.sampled_from("".join(HARMFUL.values()))))
def test_a_field_and_a_json_text_can_be_read_back(text: str) -> None:
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    field = separated(whole)
    assert json.loads('"' + field.replace('"', '\\"') + '"') == whole
    encoded = in_json(json.dumps(whole, ensure_ascii=False))
    assert json.loads(encoded) == whole
    field.encode()
    encoded.encode()


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1
    assert len(separated(text).splitlines()) <= 1
