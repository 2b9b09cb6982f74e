"""Where items of DER begin and end."""

from __future__ import annotations

import pytest

from twincli.crypto import der


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x04\x00", (0x04, 2, 2)),
        (b"\x04\x02ab...", (0x04, 2, 4)),
        (b"\xa4\x81\x80" + bytes(128), (0xA4, 3, 131)),
        (b"\x04\x84\x00\x00\x00\x01a", (0x04, 6, 7)),
        (b"\xbf\x80\x02\x00", (0xA2, 4, 4)),
        (b"\x1f\x1e\x00", (0x1E, 3, 3)),
    ],
    ids=repr,
)
def test_an_item(data: bytes, found: tuple[int, int, int]) -> None:
    assert der.item(data, 0, len(data)) == found
    tag, start, end = found
    assert der.item(b"??" + data, 2, 2 + end) == (tag, 2 + start, 2 + end)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "too early"),
        (b"\x04", "too early"),
        (b"\x1f", "too early"),
        (b"\x1f\x80", "too early"),
        (b"\x1f\x1f\x00", "above 30"),
        (b"\x04\x80", "a length is wrong"),
        (b"\x04\x82\x01", "a length is wrong"),
        (b"\x04\x02a", "past the end"),
        (b"\x04\x81\xff", "past the end"),
    ],
    ids=repr,
)
def test_what_is_no_item(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        der.item(data, 0, len(data))
    with pytest.raises(ValueError, match=why):
        der.item(data + bytes(300), 0, len(data))
