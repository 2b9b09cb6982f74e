"""Answers that come byte by byte are given up, however long whoever sends them goes on."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http.client import HTTPResponse

PACES = ((1, 1 << 10), (60, 1 << 16))
"""The least that is put up with: after so many timeouts, so many bytes a second on average."""


class TooSlowError(Exception):
    """A node gives or takes too slowly."""


class Pace:
    """How fast something goes, from its first piece on.

    Args:
        timeout: Seconds that are waited for one piece.
        complaint: What is said of one who is too slow.
    """

    def __init__(self, timeout: float, complaint: str = "it answers too slowly") -> None:
        self.timeout = timeout
        self.complaint = complaint
        self._begun: float | None = None
        self._size = 0

    def count(self, size: int) -> None:
        """Count bytes that came, or that were taken.

        Raises:
            TooSlowError: It takes too long, see ``PACES``.
        """
        now = time.monotonic()
        # Whoever waits long before it answers has not been slow to tell.
        self._begun = now if self._begun is None else self._begun
        self._size += size
        elapsed = now - self._begun
        for timeouts, rate in PACES:
            if size and elapsed > timeouts * self.timeout and self._size < rate * elapsed:
                raise TooSlowError(self.complaint)


class _Paced(io.RawIOBase):
    """What comes from a socket."""

    def __init__(self, raw: io.RawIOBase, timeout: float) -> None:
        self._raw = raw
        self._pace = Pace(timeout)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer)
        self._pace.count(count or 0)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def response_class(timeout: float) -> type[HTTPResponse]:
    """Return what ``http.client`` makes of answers, head and chunks included.

    Reading one raises ``TooSlowError``.

    Args:
        timeout: Seconds that are waited for one piece.
    """
    from http.client import HTTPResponse

    class Response(HTTPResponse):
        def __init__(self, *given: Any, **options: Any) -> None:
            super().__init__(*given, **options)
            self.fp: Any = io.BufferedReader(_Paced(self.fp.detach(), timeout))

    return Response
