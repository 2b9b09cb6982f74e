"""Reading DER: where an item begins and ends.

Source: X.690. Leading zeros of tags and lengths, which DER forbids, are read as well: BigchainDB's
decoder takes them, so a caller that must not re-encodes the result.
"""

from __future__ import annotations

CONSTRUCTED = 0x20
"""The bit of a tag whose value is made of items."""


def item(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Return the tag of an item, and where its value begins and ends.

    Args:
        data: Holds the item.
        at: Where the item begins.
        end: Where it has to end at the latest.

    Raises:
        ValueError: It is cut short, its tag is above 30 or its length is not stated.
    """
    tag, at = _byte(data, at, end)
    if tag & 0x1F == 0x1F:
        number, last = 0, 0x80
        while last & 0x80:
            last, at = _byte(data, at, end)
            number = number << 7 | last & 0x7F
            if number > 30:
                raise ValueError("a tag is above 30")
        tag = tag & 0xE0 | number
    size, at = _byte(data, at, end)
    if size > 127:
        count = size & 127
        if count == 0 or at + count > end:
            raise ValueError("a length is wrong")
        size = int.from_bytes(data[at : at + count], "big")
        at += count
    if at + size > end:
        raise ValueError("a length runs past the end")
    return tag, at, at + size


def _byte(data: bytes, at: int, end: int) -> tuple[int, int]:
    if at >= end:
        raise ValueError("it ends too early")
    return data[at], at + 1
