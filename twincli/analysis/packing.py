"""Summaries of minutes as bytes, as rollups keep them. Equal summaries have equal bytes.

A head of little-endian numbers, then three parts. The first two suffice for the average of each
minute, and are read without numpy: beginnings, counts and the exact sums of the first and the last
minute (which may go on in another chunk), deflated; then the averages, rounded once. The third has
the other columns, deflated. A checksum covers all of them.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.analysis.summary import Summary
    from twincli.model.batch import Array

VERSION = 2
_HEAD = "<BBIIIiHiH"
_SIZE = struct.calcsize(_HEAD)
_INTEGERS = ("suspects", "first_times", "last_times")
_TIMES = _INTEGERS[1:]
_VALUES = ("lows", "highs", "firsts", "lasts")
_LEVEL = 1
_EDGE = "<iH"
_CHECKED = 6
"""Bytes of the head before the checksum ends."""


class Exact(NamedTuple):
    """A sum: a whole number times a power of two."""

    number: int
    exponent: int


class Averages(NamedTuple):
    """The averages of minutes, as Python has them.

    Attributes:
        begins: Microseconds, ascending.
        counts: Good readings of each; a minute may have none.
        values: The average of each, NaN where there is no good reading.
        first, last: The exact sums of the first and the last minute.
    """

    begins: Sequence[int]
    counts: Sequence[int]
    values: Sequence[float]
    first: Exact
    last: Exact


class _Parts(NamedTuple):
    whole: bool
    groups: int
    places: tuple[int, int, int, int]
    lead: bytes
    values: bytes
    rest: bytes


def pack(summary: Summary) -> bytes:
    """Return a summary as bytes."""
    from twincli.analysis import exact
    from twincli.model.batch import load_numpy

    np = load_numpy()
    whole = summary.lows.dtype == np.int64
    values = "<i8" if whole else "<f8"
    ends = exact.take(summary.sums, np.array([0, len(summary.begins) - 1]))
    numbers, exponent = exact.integers(ends)
    lead = [summary.begins.astype("<i8").tobytes(), summary.counts.astype("<i8").tobytes()]
    for number in numbers:
        size = number.bit_length() // 8 + 1
        lead.append(struct.pack(_EDGE, exponent, size))
        lead.append(number.to_bytes(size, "little", signed=True))
    columns = [
        summary.suspects.astype("<i8"),
        # From the beginning of the minute; of one without good readings it wraps around.
        (summary.first_times - summary.begins).astype("<i8"),
        (summary.last_times - summary.begins).astype("<i8"),
        *(getattr(summary, name).astype(values) for name in _VALUES),
        summary.sums.digits.astype("<i8"),
        summary.squares.digits.astype("<i8"),
    ]
    first = zlib.compress(b"".join(lead), _LEVEL)
    body: bytes = (
        struct.pack(
            _HEAD[0] + _HEAD[4:],
            len(summary.begins),
            len(first),
            summary.sums.low,
            len(summary.sums.digits),
            summary.squares.low,
            len(summary.squares.digits),
        )
        + first
        + exact.means(summary.sums, summary.counts).astype("<f8").tobytes()
        + zlib.compress(b"".join(column.tobytes() for column in columns), _LEVEL)
    )
    return struct.pack("<BBI", VERSION, whole, zlib.crc32(body)) + body


def _parts(data: bytes) -> _Parts:
    """Return the parts of what was packed.

    Raises:
        ValueError: These are not the bytes of a summary.
    """
    try:
        version, whole, check, groups, size, *places = struct.unpack_from(_HEAD, data)
    except struct.error as error:
        raise ValueError("not a summary") from error
    begin, end = _SIZE + size, _SIZE + size + 8 * groups
    if version != VERSION or end > len(data) or zlib.crc32(data[_CHECKED:]) != check:
        raise ValueError("not a summary")
    low, digits, low_square, digits_square = places
    return _Parts(
        bool(whole),
        groups,
        (low, digits, low_square, digits_square),
        data[_SIZE:begin],
        data[begin:end],
        data[end:],
    )


def averages(data: bytes) -> Averages:
    """Return the averages of a summary that was packed, without loading numpy.

    Raises:
        ValueError: These are not its bytes, so it has to be made again from the chunks.
    """
    parts = _parts(data)
    lead = zlib.decompress(parts.lead)
    groups = parts.groups
    numbers = struct.unpack_from(f"<{2 * groups}q", lead)
    at = 16 * groups
    ends = []
    for _ in range(2):
        exponent, size = struct.unpack_from(_EDGE, lead, at)
        at += struct.calcsize(_EDGE)
        ends.append(Exact(int.from_bytes(lead[at : at + size], "little", signed=True), exponent))
        at += size
    return Averages(
        numbers[:groups],
        numbers[groups:],
        struct.unpack(f"<{groups}d", parts.values),
        *ends,
    )


def unpack(data: bytes) -> Summary:
    """Return the summary that was packed.

    Raises:
        ValueError: These are not its bytes, so it has to be made again from the chunks.
    """
    from twincli.analysis.exact import Sums
    from twincli.analysis.summary import Summary
    from twincli.model.batch import load_numpy

    np = load_numpy()
    parts = _parts(data)
    groups = parts.groups
    low, digits, low_square, _ = parts.places
    lead = np.frombuffer(zlib.decompress(parts.lead), dtype="<i8", count=2 * groups)
    table = np.frombuffer(zlib.decompress(parts.rest), dtype="<i8").astype(np.int64)
    table = table.reshape(-1, groups)
    columns: dict[str, Array] = dict(zip(_INTEGERS, table, strict=False))
    for at, name in enumerate(_VALUES, len(_INTEGERS)):
        columns[name] = table[at] if parts.whole else table[at].view(np.float64)
    begins = lead[:groups].astype(np.int64)
    for name in _TIMES:
        columns[name] = columns[name] + begins
    first = len(_INTEGERS) + len(_VALUES)
    return Summary(
        begins=begins,
        counts=lead[groups:].astype(np.int64),
        sums=Sums(low, table[first : first + digits]),
        squares=Sums(low_square, table[first + digits :]),
        **columns,
    )
