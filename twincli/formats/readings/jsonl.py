"""JSON Lines: one observation a line, see `reading.parse`."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from twincli.crypto import canonical
from twincli.errors import InvalidError, TwinError
from twincli.formats.readings.lines import (
    MAX_LINE,
    MAX_PASSED,
    Lines,
    Read,
    Refused,
    endless,
    refused,
)
from twincli.model import reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

BLOCK_BYTES = 1 << 23
LONGEST = 4 * MAX_LINE + 1
"""Bytes that no line has."""


def read(
    stream: IO[bytes], *, zone: tzinfo | None = None, encoding: str = "utf-8", timed: bool = True
) -> Iterator[Read | Refused]:
    """Yield the observations of a file.

    Args:
        stream: Binary.
        zone: What times without a zone are in; None refuses them.
        encoding: A mark at the beginning decides before it.
        timed: Whether an observation without a time is refused.

    Raises:
        InvalidError: ``unknown_encoding``.
    """
    lines = Lines(stream, encoding)
    for number, line in lines:
        try:
            if line is None:
                raise lines.why_not()
            if not line.strip():
                continue
            if line.strip() in {"{", "["}:
                raise InvalidError(
                    "it begins a document of several lines; jq -c . makes one line of it",
                    code="invalid_json",
                )
            found = reading.parse(canonical.decode(line, what="the line"), zone=zone)
            if timed and found.time_us is None:
                what = "it has no timestamp"
                if line.lstrip().startswith("["):
                    what = "it is a list, and a line holds one reading; jq -c '.[]' makes lines"
                raise InvalidError(what, code="no_time")
        except TwinError as error:
            yield refused(number, error)
        else:
            yield Read(number, found)


def blocks(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield whole lines of UTF-8 that are read together, and how many; the last one gets its end.

    Of a line that is longer than any may be only the beginning comes.

    Raises:
        InvalidError: ``too_large``: a line is so long that its end is not looked for.
    """
    rest = b""
    is_skipping = False
    skipped = 0
    while piece := stream.read(BLOCK_BYTES):
        if is_skipping:
            ends = [at for at in (piece.find(b"\n"), piece.find(b"\r")) if at >= 0]
            if not ends:
                skipped += len(piece)
                if skipped > MAX_PASSED:
                    raise endless(MAX_PASSED)
                continue
            piece, is_skipping, skipped = piece[min(ends) :], False, 0
        whole = rest + piece
        # After a carriage return that is the last byte a line feed may follow.
        end = max(whole.rfind(b"\n"), whole.rfind(b"\r", 0, len(whole) - 1)) + 1
        if end:
            yield whole[:end], _count(whole[:end])
        rest = whole[end:]
        if len(rest) > LONGEST + 1:
            rest, is_skipping = rest[:LONGEST], True
    if rest:
        yield rest + b"\n", _count(rest + b"\n")


def _count(data: bytes) -> int:
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")
