"""Reading the body of a POST within limits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twincli.node.answers import NOT_JSON, Answer, RefusedError, failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Receive = Callable[[], Awaitable[dict[str, Any]]]

MAX_BODY = 1 << 20
"""Bytes of a transaction, unless the node is told otherwise."""
LARGE = 16_384
"""Bytes above which a transaction is large: large ones neither delay small ones nor displace them.
"""
MAX_HELD = 64 << 20
"""Bytes of all small bodies that are being read at once; of all large ones; and, for each of the
two lanes, of those that wait to be committed. Every connection can have a small one."""

CLOSE = (b"connection", b"close")

_COMPRESSED = b"\x1f\x8b"


class Room:
    """Bytes that may be held at once.

    Args:
        most: How many; a single body may be larger than that while it is the only one.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0

    def has(self, size: int) -> bool:
        """Say whether this many bytes fit."""
        return not self.used or self.used + size <= self.most


class Bodies:
    """Reads bodies within limits.

    Args:
        largest: Bytes of one.
    """

    def __init__(self, largest: int = MAX_BODY) -> None:
        self.largest = largest
        self.small, self.large = Room(MAX_HELD), Room(MAX_HELD)

    async def read(self, headers: list[tuple[bytes, bytes]], receive: Receive) -> bytes:
        """Return the body of a request.

        Raises:
            RefusedError: 413 too large, 415 not UTF-8, 503 too many at once, 400 cut off.
        """
        for name, value in headers:
            if name == b"content-length" and int(value) > self.largest:
                raise self._too_large()
            if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
                raise _unsupported("the body is compressed")
            if name == b"content-type" and b"charset" in value and not _is_utf8(value):
                raise _unsupported("the body is not in UTF-8")
        pieces: list[bytes] = []
        room, size = self.small, 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RefusedError(failure(400, "the body was cut off", CLOSE))
                piece = message.get("body", b"")
                size += len(piece)
                if size > self.largest:
                    raise self._too_large()
                wanted = self.small if size <= LARGE else self.large
                held = len(piece) if room is wanted else size
                if not wanted.has(held):
                    raise RefusedError(busy("too many bodies are being sent at once"))
                if room is not wanted:
                    room.used -= size - len(piece)
                    room = wanted
                room.used += held
                pieces.append(piece)
                if not message.get("more_body"):
                    break
        finally:
            room.used -= sum(map(len, pieces))
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if body.startswith(_COMPRESSED):
            raise _unsupported("the body is compressed")
        if b"\0" in body[:4]:  # JSON begins with ASCII, hence UTF-16 and UTF-32 with a zero
            raise _unsupported("the body is not in UTF-8")
        return body

    def _too_large(self) -> RefusedError:
        text = f"the body is larger than {self.largest} bytes"
        return RefusedError(failure(413, text, CLOSE))


def _is_utf8(content_type: bytes) -> bool:
    charset = content_type.lower().partition(b"charset")[2].lstrip(b" =").partition(b";")[0]
    return charset.strip(b" \"'") in {b"utf-8", b"utf8", b"us-ascii"}


def _unsupported(what: str) -> RefusedError:
    return RefusedError(failure(415, f"{what}; send plain JSON in UTF-8", CLOSE))


def decoded(body: bytes) -> Any:
    """Return the value of a body that is JSON; transactions have stricter rules.

    Raises:
        RefusedError: 400.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(NOT_JSON) from None


def busy(message: str) -> Answer:
    """Return the answer for what may succeed a moment later."""
    return failure(503, message, (b"retry-after", b"1"), CLOSE)
