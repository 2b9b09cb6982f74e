"""The content routes: files by their CID, in and out in pieces.

What comes in is checked against the CID it is put under and is there only when it is whole and
durable. What goes out is sent as a download and never shown as a page of this node's.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack, suppress
from typing import IO, TYPE_CHECKING

from twincli.content.store import PIECE_BYTES
from twincli.crypto import cid as _cid
from twincli.errors import InvalidError, NotFoundError
from twincli.node import answers
from twincli.node.answers import Answer, Sent
from twincli.node.writing.bodies import CLOSE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from twincli.content.store import Arrival, Blobs
    from twincli.node.node import Node
    from twincli.node.request import Request

IDLE_SECONDS = 30.0
"""How long the next piece of a file may take to come."""

DRAINED = 16 << 20
DRAIN_SECONDS = 5.0
"""How much of a body is read, and for how long, only so that its sender reads the refusal."""

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_BYTES = b"application/octet-stream"


async def get(node: Node, request: Request) -> Answer | Sent:
    """Answer with a file, or with a part of it."""
    blobs, cid = node.options.content, request.last
    if blobs is None:
        return _NONE
    try:
        size = blobs.size(cid)
    except InvalidError as error:
        return answers.failure(400, error.message)
    except NotFoundError as error:
        return answers.failure(404, error.message)
    tag = f'"{cid}"'
    same = ((b"etag", tag.encode()), (b"cache-control", b"public, max-age=31536000, immutable"))
    if tag in _header(request, b"if-none-match"):
        return Answer(304, b"", _BYTES, same)
    status, start, end = 200, 0, size
    headers = [
        *same,
        (b"accept-ranges", b"bytes"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-disposition", f'attachment; filename="{cid}"'.encode()),
        (b"content-security-policy", b"sandbox; default-src 'none'"),
    ]
    wanted = _part(_header(request, b"range"), size)
    if wanted is not None:
        start, end = wanted
        if start >= end:
            where = (b"content-range", f"bytes */{size}".encode())
            return answers.failure(416, f"the file has {size} bytes", where)
        status = 206
        headers.append((b"content-range", f"bytes {start}-{end - 1}/{size}".encode()))
    headers.append((b"content-length", str(end - start).encode()))
    return Sent(Answer(status, b"", _BYTES, tuple(headers)), _pieces(blobs, cid, start, end))


def _header(request: Request, wanted: bytes) -> str:
    found = (value for name, value in request.scope["headers"] if name == wanted)
    return next(found, b"").decode("latin-1")


def _part(text: str, size: int) -> tuple[int, int] | None:
    """Return the part that a Range header asks for, its end exclusive; None: all of it."""
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        return None  # several ranges, other units: they may be answered with the whole
    if not match[1]:
        return max(size - int(match[2]), 0), size
    start = int(match[1])
    if match[2] and int(match[2]) < start:
        return None
    return start, min(int(match[2]) + 1, size) if match[2] else size


async def _pieces(blobs: Blobs, cid: str, start: int, end: int) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(_opened, blobs, cid, start) as stream:
        left = end - start
        while left:
            piece = await asyncio.to_thread(stream.read, min(left, PIECE_BYTES))
            if not piece:
                return  # cut short meanwhile; the announced length shows it
            left -= len(piece)
            yield piece


def _opened(blobs: Blobs, cid: str, start: int) -> IO[bytes]:
    stream = blobs.open(cid)
    stream.seek(start)
    return stream


async def put(node: Node, request: Request) -> Answer:
    """Take a file; answered when it is durable."""
    blobs, cid = node.options.content, request.last
    if blobs is None:
        return _NONE
    if node.options.read_only:
        return answers.failure(403, "this node is read only", CLOSE)
    upload = _Upload(request)
    try:
        _cid.parse(cid)
        length = _header(request, b"content-length")
        if length.isdigit() and int(length) > blobs.limit:
            await upload.drain()
            return answers.failure(413, _too_large(blobs), CLOSE)
        arrival = await _taken(blobs, cid, upload)
    except InvalidError as error:
        await upload.drain()
        status = 413 if error.code == "too_large" else 400
        return answers.failure(status, error.message, CLOSE)
    except TimeoutError:
        return answers.failure(408, f"nothing came for {IDLE_SECONDS:.0f} seconds", CLOSE)
    except _GoneError:
        return answers.failure(400, "the body ended before its end", CLOSE)
    status = 201 if arrival.created else 200
    return answers.of({"cid": cid, "size": arrival.size, "created": arrival.created}, status)


class _Upload:
    """The body of a request, piece by piece.

    Attributes:
        more: There are pieces to come.
    """

    def __init__(self, request: Request) -> None:
        self._receive = request.receive
        self.more = True

    async def piece(self) -> bytes:
        """Return the next piece.

        Raises:
            _GoneError: The client went away.
        """
        message = await self._receive()
        self.more = bool(message.get("more_body"))
        if message["type"] == "http.disconnect":
            raise _GoneError
        return bytes(message.get("body", b""))

    async def drain(self) -> None:
        """Read some of what is refused: who is still sending would never read the answer."""
        left = DRAINED
        with suppress(TimeoutError, _GoneError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while self.more and left > 0:
                    left -= len(await self.piece())


class _GoneError(Exception):
    """The client went away."""


async def _taken(blobs: Blobs, cid: str, upload: _Upload) -> Arrival:
    """Keep the body of a request."""
    stack = ExitStack()
    try:
        arrival = await asyncio.to_thread(stack.enter_context, blobs.arriving(cid))
        while upload.more:
            piece = await asyncio.wait_for(upload.piece(), IDLE_SECONDS)
            if piece:
                await asyncio.to_thread(arrival.write, piece)
        await asyncio.to_thread(arrival.finish)
    finally:
        # What was not finished is dropped here.
        await asyncio.to_thread(stack.close)
    return arrival


def _too_large(blobs: Blobs) -> str:
    return f"the file is larger than {blobs.limit} bytes, which is the most here"


_NONE = answers.failure(404, "this node keeps no content")
