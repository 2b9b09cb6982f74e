"""The content routes: files by their CID, in and out in pieces.

A file that comes in is checked against the CID it is put under and kept only when it is whole and
durable. A file that goes out is sent as a download and never shown as a page of this node's.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack, suppress
from typing import IO, TYPE_CHECKING

from twincli.content.store import PIECE_BYTES
from twincli.crypto import cid as _cid
from twincli.errors import InvalidError, UndeterminedError
from twincli.node import answers, guard
from twincli.node.answers import Answer, Sent
from twincli.node.kept import FullError
from twincli.node.node import header
from twincli.node.writing.bodies import CLOSE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from twincli.content.store import Arrival, Blobs
    from twincli.node.answers import Header
    from twincli.node.kept import Kept
    from twincli.node.node import Node
    from twincli.node.request import Request

IDLE_SECONDS = 30.0
"""How long the next piece of a file may take to arrive."""

DRAINED = 16 << 20
DRAIN_SECONDS = 5.0
"""How much of a refused body is read, and for how long, so that its sender reads the answer."""

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
    except UndeterminedError as error:
        return answers.failure(404, error.message)
    tag = f'"{cid}"'
    same: tuple[Header, ...] = (
        (b"etag", tag.encode()),
        (b"cache-control", b"public, max-age=31536000, immutable"),
    )
    if node.options.guard is not None and await asyncio.to_thread(guard.is_encrypted, blobs, cid):
        refusal = await guard.refusal(node, request.scope, cid)
        if refusal is not None:
            return refusal
        same = (same[0], (b"cache-control", b"private, no-store"), (b"vary", b"authorization"))
    if tag in header(request.scope, b"if-none-match"):
        return Answer(304, b"", _BYTES, same)
    status, start, end = 200, 0, size
    headers = [
        *same,
        (b"accept-ranges", b"bytes"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-disposition", f'attachment; filename="{cid}"'.encode()),
        (b"content-security-policy", b"sandbox; default-src 'none'"),
    ]
    wanted = _part(header(request.scope, b"range"), size)
    if wanted is not None:
        start, end = wanted
        if start >= end:
            where = (b"content-range", f"bytes */{size}".encode())
            return answers.failure(416, f"the file has {size} bytes", where)
        status = 206
        headers.append((b"content-range", f"bytes {start}-{end - 1}/{size}".encode()))
    headers.append((b"content-length", str(end - start).encode()))
    return Sent(Answer(status, b"", _BYTES, tuple(headers)), _pieces(blobs, cid, start, end))


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
    if blobs is None or node.kept is None:
        return _NONE
    if node.options.read_only:
        return answers.failure(403, "this node is read-only", CLOSE)
    upload = Upload(request)
    try:
        _cid.parse(cid)
        length = header(request.scope, b"content-length")
        announced = int(length) if length.isdigit() else 0
        if announced > blobs.limit:
            await upload.drain()
            return answers.failure(413, _too_large(blobs), CLOSE)
        arrival = await _taken(blobs, node.kept, cid, announced, upload)
    except InvalidError as error:
        await upload.drain()
        status = 413 if error.code == "too_large" else 400
        return answers.failure(status, error.message, CLOSE)
    except FullError as error:
        await upload.drain()
        return answers.failure(507, str(error), CLOSE)
    except TimeoutError:
        return answers.failure(408, f"no data arrived for {IDLE_SECONDS:.0f} seconds", CLOSE)
    except _GoneError:
        return answers.failure(400, "the body was cut off", CLOSE)
    status = 201 if arrival.created else 200
    return answers.of({"cid": cid, "size": arrival.size, "created": arrival.created}, status)


class Upload:
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
        """Read some of what is refused: a client that still sends would never read the answer."""
        left = DRAINED
        with suppress(TimeoutError, _GoneError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while self.more and left > 0:
                    left -= len(await self.piece())


class _GoneError(Exception):
    """The client went away."""


async def _taken(blobs: Blobs, kept: Kept, cid: str, announced: int, upload: Upload) -> Arrival:
    """Keep the body of a request; its announced length is reserved at once."""
    stack = ExitStack()
    arrival = None
    taken = 0
    try:
        if announced:
            await asyncio.to_thread(kept.take, announced)
            taken = announced
        arrival = await asyncio.to_thread(stack.enter_context, blobs.arriving(cid))
        while upload.more:
            piece = await asyncio.wait_for(upload.piece(), IDLE_SECONDS)
            more = arrival.size + len(piece) - taken
            if more > 0:
                await asyncio.to_thread(kept.take, more)
                taken += more
            if piece:
                await asyncio.to_thread(arrival.write, piece)
        await asyncio.to_thread(arrival.finish)
    finally:
        # What was not finished is dropped here.
        await asyncio.to_thread(stack.close)
        kept.finish(taken, is_kept=arrival is not None and arrival.created)
    return arrival


def _too_large(blobs: Blobs) -> str:
    return f"the file is larger than {blobs.limit} bytes"


_NONE = answers.failure(404, "this node keeps no content")
