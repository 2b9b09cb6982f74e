"""Reading the body of a POST within limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.node.answers import Answer, RefusedError, failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Receive = Callable[[], Awaitable[dict[str, Any]]]

MAX_BODY = 1 << 20
"""Bytes of a transaction, unless the node is told otherwise."""
MAX_HELD = 64 << 20
"""Bytes of all bodies that are being read at once, and of those that wait for the writer."""

CLOSE = (b"connection", b"close")


class Bodies:
    """Reads bodies within limits.

    Args:
        largest: Bytes of one.
    """

    def __init__(self, largest: int = MAX_BODY) -> None:
        self.largest = largest
        self._held = 0

    async def read(self, headers: list[tuple[bytes, bytes]], receive: Receive) -> bytes:
        """Return the body of a request.

        Raises:
            RefusedError: 413 too large, 503 too many at once, 400 cut off.
        """
        for name, value in headers:
            if name == b"content-length" and int(value) > self.largest:
                raise self._too_large()
        pieces: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RefusedError(failure(400, "the body ended before its end", CLOSE))
                piece = message.get("body", b"")
                size += len(piece)
                self._held += len(piece)
                pieces.append(piece)
                if size > self.largest:
                    raise self._too_large()
                if self._held > MAX_HELD:
                    raise RefusedError(busy("too many bodies are being sent at once"))
                if not message.get("more_body"):
                    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        finally:
            self._held -= size

    def _too_large(self) -> RefusedError:
        text = f"the body is larger than {self.largest} bytes"
        return RefusedError(failure(413, text, CLOSE))


def busy(message: str) -> Answer:
    """Return the answer for what may succeed a moment later."""
    return failure(503, message, (b"retry-after", b"1"), CLOSE)
