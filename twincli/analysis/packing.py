"""Summaries of minutes as bytes, as rollups keep them. Equal summaries have equal bytes.

A head of little-endian numbers, then parts. What comes first answers the average of each minute
without numpy: the exact sums of the first and the last minute (which may go on in another chunk)
and the averages, rounded once, as texts. The rest are the columns of the summary. The parts are
deflated, and a checksum covers all of them.
"""

from __future__ import annotations

import struct
import zlib

from twincli.analysis.buckets import MINUTE_US
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.analysis.summary import Summary
    from twincli.model.batch import Array

VERSION = 3
_CHECK = "<BI"
_HEAD = "<BIqIIiHiH"
_WHOLE, _REGULAR = 1, 2
_EDGE = "<QiH"
_INTEGERS = ("suspects", "first_times", "last_times")
_TIMES = _INTEGERS[1:]
_VALUES = ("lows", "highs", "firsts", "lasts")
_LEVEL = 1


class NotASummaryError(ValueError):
    """Bytes that are not a summary, or damaged: it has to be made again from the chunks."""


class Edge(NamedTuple):
    """The readings of one minute: how many, and their sum, a whole number times a power of two."""

    readings: int
    number: int
    exponent: int


class Averages(NamedTuple):
    """The averages of minutes that have good readings.

    Attributes:
        begins: Microseconds, ascending.
        texts: The average of each, as Python and JSON write it.
        first, last: The first and the last minute.
    """

    begins: Sequence[int]
    texts: list[str]
    first: Edge
    last: Edge


class _Parts(NamedTuple):
    is_whole: bool
    is_regular: bool
    groups: int
    begin: int
    places: tuple[int, int, int, int]
    first: Edge
    last: Edge
    lead: bytes
    texts: bytes
    rest: bytes


def pack(summary: Summary) -> bytes:
    """Return a summary as bytes."""
    from twincli.analysis import exact
    from twincli.model.batch import load_numpy

    np = load_numpy()
    begins, counts = summary.begins, summary.counts
    groups = len(begins)
    whole = summary.lows.dtype == np.int64
    is_regular = bool((np.diff(begins) == MINUTE_US).all() and counts.all())
    numbers, exponent = exact.integers(exact.take(summary.sums, np.array([0, groups - 1])))
    edges = b""
    for at in (0, -1):
        size = numbers[at].bit_length() // 8 + 1
        edges += struct.pack(_EDGE, int(counts[at]), exponent, size)
        edges += numbers[at].to_bytes(size, "little", signed=True)
    lead = zlib.compress(begins.astype("<i8").tobytes() + counts.astype("<i8").tobytes(), _LEVEL)
    averages = exact.means(summary.sums, counts)[counts > 0].tolist()
    texts = zlib.compress("\n".join(map(repr, averages)).encode(), _LEVEL)
    values = "<i8" if whole else "<f8"
    columns = [
        summary.suspects.astype("<i8"),
        # From the beginning of the minute; of one without good readings it wraps around.
        (summary.first_times - begins).astype("<i8"),
        (summary.last_times - begins).astype("<i8"),
        *(getattr(summary, name).astype(values) for name in _VALUES),
        summary.sums.digits.astype("<i8"),
        summary.squares.digits.astype("<i8"),
    ]
    rest = zlib.compress(b"".join(column.tobytes() for column in columns), _LEVEL)
    head = struct.pack(
        _HEAD,
        _WHOLE * whole + _REGULAR * is_regular,
        groups,
        int(begins[0]),
        len(lead),
        len(texts),
        summary.sums.low,
        len(summary.sums.digits),
        summary.squares.low,
        len(summary.squares.digits),
    )
    body = head + edges + lead + texts + rest
    return struct.pack(_CHECK, VERSION, zlib.crc32(body)) + body


def _parts(data: bytes) -> _Parts:
    """Return the parts of what was packed.

    Raises:
        NotASummaryError
    """
    at = struct.calcsize(_CHECK)
    if len(data) < at or struct.unpack_from(_CHECK, data) != (VERSION, zlib.crc32(data[at:])):
        raise NotASummaryError("not a summary")
    flags, groups, begin, lead, texts, *places = struct.unpack_from(_HEAD, data, at)
    at += struct.calcsize(_HEAD)
    edges = []
    for _ in range(2):
        count, exponent, size = struct.unpack_from(_EDGE, data, at)
        at += struct.calcsize(_EDGE)
        number = int.from_bytes(data[at : at + size], "little", signed=True)
        edges.append(Edge(count, number, exponent))
        at += size
    low, digits, low_square, digits_square = places
    return _Parts(
        bool(flags & _WHOLE),
        bool(flags & _REGULAR),
        groups,
        begin,
        (low, digits, low_square, digits_square),
        edges[0],
        edges[1],
        data[at : at + lead],
        data[at + lead : at + lead + texts],
        data[at + lead + texts :],
    )


def averages(data: bytes) -> Averages | None:
    """Return the averages of a summary that was packed, without numpy; None: there are none.

    Raises:
        NotASummaryError
    """
    parts = _parts(data)
    texts = zlib.decompress(parts.texts).decode().split("\n")
    if parts.is_regular:
        end = parts.begin + parts.groups * MINUTE_US
        return Averages(range(parts.begin, end, MINUTE_US), texts, parts.first, parts.last)
    numbers = struct.unpack(f"<{2 * parts.groups}q", zlib.decompress(parts.lead))
    begins = [
        begin
        for begin, count in zip(numbers[: parts.groups], numbers[parts.groups :], strict=True)
        if count
    ]
    return Averages(begins, texts, parts.first, parts.last) if begins else None


def unpack(data: bytes) -> Summary:
    """Return the summary that was packed.

    Raises:
        NotASummaryError
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
        columns[name] = table[at] if parts.is_whole else table[at].view(np.float64)
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
