"""Bounds on a node's response: how many bytes it has, and how long it takes.

A response is given up when its head (interim responses included) is too long or too slow, when
more than a little of it is no content (chunk extensions, trailers, empty compressed blocks), and
when it comes more slowly than any real network.
"""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http.client import HTTPResponse

HEAD_BYTES = 1 << 18
"""Bytes of a response before its content, interim responses included."""

OVERHEAD_BYTES = 1 << 20
"""Bytes of a response that may be no content, beside as many as its content has."""

PACES = ((1, 1 << 10), (60, 1 << 16))
"""The slowest pace: after N timeouts, M bytes a second on average."""


class BoundsError(Exception):
    """A response, or the upload of a file, is too slow or too long."""


class Pace:
    """The pace of a transfer, from its first bytes on.

    Args:
        timeout: Seconds to wait for the next bytes.
        complaint: Message for a transfer that is too slow.
    """

    def __init__(self, timeout: float, complaint: str = "it answers too slowly") -> None:
        self.timeout = timeout
        self.complaint = complaint
        self._begun: float | None = None
        self._size = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the first bytes."""
        return 0.0 if self._begun is None else time.monotonic() - self._begun

    def count(self, size: int) -> None:
        """Count transferred bytes.

        Raises:
            BoundsError: It takes too long, see ``PACES``.
        """
        # The time before the first bytes does not count: the node may have been working.
        self._begun = time.monotonic() if self._begun is None else self._begun
        self._size += size
        elapsed = self.elapsed
        for timeouts, rate in PACES:
            if size and elapsed > timeouts * self.timeout and self._size < rate * elapsed:
                raise BoundsError(self.complaint)


class Bounds:
    """The bounds of the responses of one node, which come one after the other.

    Args:
        timeout: Seconds to wait for the next bytes.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.restart()

    def restart(self) -> None:
        """Begin another response."""
        self._pace = Pace(self.timeout)
        self._raw = 0
        self._allowed = HEAD_BYTES
        self._is_head = True

    def take(self, size: int) -> None:
        """Note that content of the response was read, ``size`` bytes once decoded."""
        self._allowed += 2 * size

    def count(self, size: int) -> None:
        """Count bytes as they come from the socket.

        Raises:
            BoundsError: There are too many, or they come too slowly.
        """
        self._pace.count(size)
        self._raw += size
        if self._raw > self._allowed:
            raise BoundsError("its response never ends")
        if self._is_head and self._pace.elapsed > self.timeout:
            raise BoundsError(self._pace.complaint)

    def end_head(self) -> None:
        """Note that the content of the response begins."""
        self._is_head = False
        self._allowed = self._raw + OVERHEAD_BYTES

    def response_class(self) -> type[HTTPResponse]:
        """Return a response of ``http.client`` that keeps these bounds.

        Its reader calls ``take``; reading raises ``BoundsError``.
        """
        from http.client import HTTPResponse

        bounds = self

        class Response(HTTPResponse):
            def __init__(self, *given: Any, **options: Any) -> None:
                super().__init__(*given, **options)
                bounds.restart()
                self.fp: Any = io.BufferedReader(_Counted(self.fp.detach(), bounds))

            def begin(self) -> None:
                super().begin()
                bounds.end_head()

        return Response


class _Counted(io.RawIOBase):
    """What comes from a socket, counted."""

    def __init__(self, raw: io.RawIOBase, bounds: Bounds) -> None:
        self._raw = raw
        self._bounds = bounds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer)
        self._bounds.count(count or 0)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
