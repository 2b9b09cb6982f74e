"""Summaries as bytes, as the index keeps them. Equal summaries have equal bytes.

A head of little-endian numbers, then the columns one after the other, deflated: a day of minutes
of one series takes some 70 KB.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from twincli.analysis.exact import Sums
from twincli.analysis.summary import Summary
from twincli.model.batch import load_numpy

if TYPE_CHECKING:
    from twincli.model.batch import Array

VERSION = 1
_HEAD = "<BBIiHiH"
_INTEGERS = ("begins", "counts", "suspects", "first_times", "last_times")
_VALUES = ("lows", "highs", "firsts", "lasts")
_LEVEL = 1


def pack(summary: Summary) -> bytes:
    """Return a summary as bytes."""
    np = load_numpy()
    values = "<i8" if summary.lows.dtype == np.int64 else "<f8"
    head = struct.pack(
        _HEAD,
        VERSION,
        values == "<i8",
        len(summary.begins),
        summary.sums.low,
        len(summary.sums.digits),
        summary.squares.low,
        len(summary.squares.digits),
    )
    columns = [
        *(getattr(summary, name).astype("<i8") for name in _INTEGERS),
        *(getattr(summary, name).astype(values) for name in _VALUES),
        summary.sums.digits.astype("<i8"),
        summary.squares.digits.astype("<i8"),
    ]
    return head + zlib.compress(b"".join(column.tobytes() for column in columns), _LEVEL)


def unpack(data: bytes) -> Summary:
    """Return the summary that was packed.

    Raises:
        ValueError: These are not the bytes of one, so it has to be made again from the chunks.
    """
    np = load_numpy()
    size = struct.calcsize(_HEAD)
    try:
        version, whole, groups, low, digits, low_square, digits_square = struct.unpack(
            _HEAD, data[:size]
        )
        rows = len(_INTEGERS) + len(_VALUES) + digits + digits_square
        inflater = zlib.decompressobj()
        body = inflater.decompress(data[size:], rows * groups * 8 + 1)
    except (struct.error, zlib.error) as error:
        raise ValueError("not a summary") from error
    if version != VERSION or len(body) != rows * groups * 8 or not inflater.eof:
        raise ValueError("not a summary")
    table = np.frombuffer(body, dtype="<i8").reshape(rows, groups).astype(np.int64)
    columns: dict[str, Array] = dict(zip(_INTEGERS, table, strict=False))
    for at, name in enumerate(_VALUES, len(_INTEGERS)):
        columns[name] = table[at] if whole else table[at].view(np.float64)
    first = len(_INTEGERS) + len(_VALUES)
    return Summary(
        sums=Sums(low, table[first : first + digits]),
        squares=Sums(low_square, table[first + digits :]),
        **columns,
    )
