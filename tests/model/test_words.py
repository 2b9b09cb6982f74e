"""The words of a text as searches see them."""

from __future__ import annotations

import pytest

from twincli.model import words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Straße", "strasse"),
        ("ﬁn", "fin"),
        ("Café", "cafe"),
        ("١٢٣ \uff14", "123 4"),
        ("a\u00adb\u200dc\u202ed", "abcd"),
        ("☂\ufe0f", " "),
        ("ㅤ\u180b", ""),
        ("हि", "हि"),
        ("red-car_7", "red car 7"),
        ("\ue000", "\ue000"),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert words.fold(text) == folded


@pytest.mark.parametrize(("text", "empty"), [("", True), ("- _", True), ("☂", True), ("x", False)])
def test_nothing_of_a_text_without_letters_is_found(text: str, *, empty: bool) -> None:
    assert words.is_empty(text) == empty


def test_values_are_folded_and_numbers_apart() -> None:
    document = {"Name": ["ÄB", 4711, {"x": -1.5}], "on": True, "none": None}
    assert words.values(document) == (["ab"], ["4711", "-1.5"])


def test_the_forms_of_all_characters_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_KEPT_AT_MOST", 0)
    kept = len(words._FORMS)
    assert words.fold("\U0001d400\U0001d401") == "ab"
    assert len(words._FORMS) == kept
