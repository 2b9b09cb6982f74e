"""JSON Lines: one observation a line, see `reading.parse`."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from twincli.crypto import canonical
from twincli.errors import InvalidError, TwinError
from twincli.formats.readings.lines import Lines, Read, Refused, refused
from twincli.model import reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo


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
            found = reading.parse(canonical.decode(line, what="the line"), zone=zone)
            if timed and found.time_us is None:
                raise InvalidError("it has no timestamp", code="no_time")
        except TwinError as error:
            yield refused(number, error)
        else:
            yield Read(number, found)
