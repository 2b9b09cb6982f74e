"""Ids and other hex digits."""

from __future__ import annotations

import pytest

from twincli.model import ids


@pytest.mark.parametrize(
    ("text", "is_hex"), [("", True), ("09af", True), ("A", False), ("g", False), ("a b", False)]
)
def test_hex(text: str, is_hex: bool) -> None:
    assert ids.is_hex(text) is is_hex
    assert not ids.is_id(text)
