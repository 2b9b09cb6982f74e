"""Excerpts: where the words of a search are, and what is around them."""

from __future__ import annotations

from typing import Any

import pytest

from twincli.model import excerpt


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("a RED car", "red", "a RED car"),
        ("Straße", "strasse", "Straße"),
        ("ΌΔΟΣ", "οδος", "ΌΔΟΣ"),
        ("Müller", "MULLER", "Müller"),
        ("東京都庁", "東京", "東京都庁"),
        ("red_car", "red-car", "red_car"),
        ("hundred", "red", None),
        ("reddish", "red", None),
        ("red", "[", None),
        ("東京都庁", "都東", None),
        ("が", "か", None),
        ("हिन्दी", "हिन्दी", "हिन्दी"),
    ],
)
def test_matching_is_folded_and_by_words(text: str, word: str, found: str | None) -> None:
    hit = excerpt.found(text, excerpt.pattern([word]))
    assert (hit and hit.text) == found


@pytest.mark.parametrize(
    ("value", "member"),
    [
        ({"a": 1, "b": {"c": ["x", "red"]}}, "b.c"),
        ({"first": "red", "second": "red"}, "first"),
        ({"red": "no"}, None),
        (["x", {"k": "red"}], "k"),
        (None, None),
        (7, None),
    ],
)
def test_the_member_is_the_path_of_the_value(value: Any, member: str | None) -> None:
    hit = excerpt.found(value, excerpt.pattern(["red"]))
    assert (hit and hit.member) == member


def test_numbers_are_found() -> None:
    hit = excerpt.found({"on": True, "serial": [1, 4711]}, excerpt.pattern(["4711"]))
    assert hit == ("serial", "4711")


@pytest.mark.parametrize("pad", ["x ", "東京 ", "ガ", "เครื่อง ", "ß ", "ﬃ ", "e\u0301 "])
@pytest.mark.parametrize("before", [0, 3, 26, 27, 400, 1500])
@pytest.mark.parametrize("after", [0, 5, 60, 900])
def test_the_cut_holds_the_match(pad: str, before: int, after: int) -> None:
    text = pad * before + "needle" + f" {pad}" * after
    hit = excerpt.found(text, excerpt.pattern(["NEEDLE"]))
    assert hit is not None
    assert "needle" in hit.text
    inner = hit.text.strip("\N{HORIZONTAL ELLIPSIS}")
    assert len(inner) <= 80
    assert inner in text
    assert (hit.text[0] == "\N{HORIZONTAL ELLIPSIS}") == (not text.startswith(inner))


def test_a_large_value_is_not_read_to_its_end() -> None:
    wanted = excerpt.pattern(["needle"])
    assert excerpt.found("é" * 10_000_000 + " needle", wanted) is None
    assert excerpt.found([{"k": "x"}] * 5000 + ["needle"], wanted) is None
