"""The node as an ASGI application: from a request to its answer.

Raw ASGI and a table of routes: a framework would cost more than what most requests do.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.errors import TwinError
from twincli.model import times
from twincli.node import access, answers, routes
from twincli.node.answers import Answer, Header, RefusedError, Sent, Streamed
from twincli.node.events import TOO_SLOW, Events
from twincli.node.metrics import Metrics
from twincli.node.queries import parse
from twincli.node.readers import PIECE, Readers
from twincli.node.writing import writer
from twincli.node.writing.writer import Bodies, Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.content.store import Blobs
    from twincli.ledger import Ledger
    from twincli.node.events import Message, Receive, Send

INDEX_SECONDS = 1.0
INDEX_LATEST = 30
"""A busy node leaves the index alone, but not for more than so many times ``INDEX_SECONDS``."""

_CORS: Header = (b"access-control-allow-origin", b"*")
_PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, OPTIONS"),
    (
        b"access-control-allow-headers",
        b"accept, app_id, app_key, authorization, content-type, range",
    ),
    (b"access-control-max-age", b"86400"),
)
_FAULTS = {
    "busy": "the ledger is in use by another process",
    "damaged_ledger": "the ledger is damaged",
    "disk_error": "the disk reports an error",
    "disk_full": "the disk is full; nothing was written",
    "interrupted": "the node is stopping",
    "moved_ledger": "the ledger was moved or replaced",
    "no_writer": "the writer cannot be started",
    "read_only": "the ledger cannot be written",
    "writer_ended": "the writer ended before it answered; send the transaction again",
}
"""What strangers are told of a fault; its own message names files of this machine."""
_HOST = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[a-zA-Z0-9._-]{1,253})(:[0-9]{1,5})?")


class Options(NamedTuple):
    """How a node behaves.

    Attributes:
        tokens: One of them must come with every request; empty: none is asked for.
        read_only: Take no transactions.
        max_body: Bytes of a transaction.
        rate: Requests a second from one address; 0 for any number.
        max_streams: Event streams that may be open at once.
        ws_port: Where the event streams are said to be; None: where everything else is.
        log: Takes a line about each request.
        content: Files by their CID; None: it keeps none.
    """

    tokens: tuple[bytes, ...] = ()
    read_only: bool = False
    max_body: int = writer.MAX_BODY
    rate: float = 0.0
    max_streams: int = 1000
    ws_port: int | None = None
    log: Callable[[dict[str, Any]], None] | None = None
    content: Blobs | None = None


class Node:
    """BigchainDB's API over a ledger.

    Args:
        open_ledger: Opens it; called for every thread that reads, and for the one that writes.
        options: See there.
    """

    def __init__(self, open_ledger: Callable[[], Ledger], options: Options | None = None) -> None:
        self.options = options or Options()
        self.ledger = open_ledger()
        self.metrics = Metrics()
        self.readers = Readers(open_ledger)
        self._indexing = Readers(open_ledger, threads=1)
        self.events = Events(self.readers, self.height)
        self.writer = Writer(self.ledger.path, self.metrics, self.events.committed)
        self.bodies = Bodies(self.options.max_body)
        self.stopping = False
        self._rate = access.Rate(self.options.rate)
        self._indexer: asyncio.Task[None] | None = None
        self._starter: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin what runs beside requests; in the event loop."""
        self._indexer = asyncio.create_task(self._keep_index())
        if not self.options.read_only:
            self._starter = asyncio.create_task(self._start_writer())

    async def _start_writer(self) -> None:
        try:
            await self.writer.start()
        except TwinError as error:
            _told(error)

    def stop(self) -> None:
        """Begin no more, and end what would take long; what was taken is still finished."""
        self.stopping = True
        self.readers.interrupt()
        self._indexing.interrupt()

    async def close(self, *, at_once: bool = False) -> None:
        """Finish what was taken, unless it shall be at once, and close the ledger."""
        self.stop()
        if self._indexer is not None:
            self._indexer.cancel()
            await asyncio.gather(self._indexer, return_exceptions=True)
        await self.events.close()
        await self.writer.close(at_once=at_once)
        await self.readers.close()
        await self._indexing.close()
        self.ledger.close()

    def height(self) -> int:
        """Return the ledger's height."""
        return self.ledger.tip().height

    async def _keep_index(self) -> None:
        """Keep the derived index near the ledger, so that no search has to wait for it."""
        indexed, passed = -1, 0
        while not self.stopping:
            await asyncio.sleep(INDEX_SECONDS)
            passed += 1
            try:
                height = self.height()
                if height != indexed and (not self.writer.waiting or passed >= INDEX_LATEST):
                    await self._indexing.run(lambda ledger: ledger.index.mark())
                    indexed, passed = height, 0
            except TwinError as error:
                if not self.stopping:
                    _told(error)

    def gauges(self) -> dict[str, tuple[str, int]]:
        """Return what is so at the moment, for the metrics."""
        return {
            "twin_node_height": ("Height of the ledger.", self.height()),
            "twin_node_waiting": ("Transactions that wait for a block.", self.writer.waiting),
            "twin_node_stream_readers": ("Open event streams.", self.events.readers),
        }

    def stream_url(self, scope: dict[str, Any]) -> str:
        """Return where the event streams are, as the one that asks would reach them."""
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        match = _HOST.fullmatch(host.decode("latin-1"))
        name, port = (match[1], match[2] or "") if match else ("localhost", "")
        if self.options.ws_port is not None:
            port = f":{self.options.ws_port}"
        scheme = "wss" if scope.get("scheme") in {"https", "wss"} else "ws"
        return f"{scheme}://{name}{port}"

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request or serve one stream."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._websocket(scope, receive, send)

    # --- Requests -------------------------------------------------------------------------------

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        method = scope["method"]
        route, last = routes.find(scope["path"])
        fault: TwinError | None = None
        try:
            answer: Answer | Streamed | Sent = self._admitted(scope, route)
            if answer is _PASSES:
                assert route is not None
                handler = route.methods["GET" if method == "HEAD" else method]
                answer = await handler(self, routes.Request(scope, last, receive))
            if isinstance(answer, Streamed):
                answer, pieces = await self._begun(answer)
            elif isinstance(answer, Sent):
                answer, pieces = answer
            else:
                pieces = None
        except RefusedError as refused:
            answer, pieces = refused.answer, None
        except TwinError as error:
            fault = error
            text = _FAULTS.get(error.code, "the node cannot use its files")
            answer, pieces = writer.busy(text), None
        await _send(answer, scope, send, more=pieces is not None)
        if pieces is not None and method != "HEAD":
            await self._rest(pieces, receive, send)
        seconds = time.perf_counter() - began
        name = route.path if route is not None else "other"
        self.metrics.answered(name, method, answer.status, seconds)
        self._log(scope, answer.status, seconds, fault)

    def _admitted(self, scope: Message, route: routes.Route | None) -> Answer:
        """Return the answer to what does not reach a handler, else ``_PASSES``."""
        method = scope["method"]
        wait = self._rate.wait((scope.get("client") or ("",))[0])
        if wait:
            return _too_many(wait)
        if route is None:
            return answers.NO_SUCH_PAGE
        if method == "OPTIONS":
            allow = (b"allow", route.allowed)
            return Answer(200, b"", answers.HTML, (allow, *_PREFLIGHT))
        if not route.is_open and not self._may(scope):
            return _unauthorised()
        if ("GET" if method == "HEAD" else method) not in route.methods:
            text = "The method is not allowed for the requested URL."
            return answers.bare(text, 405)._replace(headers=((b"allow", route.allowed),))
        return _PASSES

    def _may(self, scope: Message) -> bool:
        tokens = self.options.tokens
        return not tokens or access.permits(tokens, scope["headers"])

    async def _begun(self, answer: Streamed) -> tuple[Answer, Any]:
        """Read the first piece of a listing, often all of it; return it and the others."""
        pieces = self.readers.pieces(answer.texts)
        first = await anext(pieces, b"")
        if len(first) < PIECE:
            return Answer(200, answer.before + first + answer.after), None

        async def rest() -> Any:
            async for piece in pieces:
                yield piece
            yield answer.after

        return Answer(200, answer.before + first), rest()

    async def _rest(self, pieces: Any, receive: Receive, send: Send) -> None:
        """Send the other pieces of a listing, until the reader goes away."""
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            async for piece in pieces:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    def _log(self, scope: Message, status: int, seconds: float, fault: TwinError | None) -> None:
        """Tell of a request where that is asked for, and of a fault in any case."""
        if self.options.log is None:
            if fault is not None:
                _told(fault)
            return
        entry = {
            "time": times.to_text(time.time_ns() // 1_000_000),
            "client": (scope.get("client") or ("",))[0],
            "method": scope.get("method", "WEBSOCKET"),
            "path": scope["path"][:200],  # without the query, which may hold anything
            "status": status,
            "ms": round(seconds * 1000, 3),
        }
        if fault is not None:
            entry["error"] = f"{fault.code}: {fault.message}"
        self.options.log(entry)

    # --- Streams --------------------------------------------------------------------------------

    async def _websocket(self, scope: Message, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        await receive()  # websocket.connect
        route, _ = routes.find(scope["path"])
        fault: TwinError | None = None
        try:
            wait = self._rate.wait((scope.get("client") or ("",))[0])
            if wait:
                raise RefusedError(_too_many(wait))
            if route is None or not route.is_stream:
                raise RefusedError(answers.NO_SUCH_PAGE)
            if not self._may(scope):
                raise RefusedError(_unauthorised())
            query = parse(scope["query_string"], [routes.FROM_HEIGHT])
            if self.events.readers >= self.options.max_streams:
                raise RefusedError(writer.busy("too many event streams are open"))
        except RefusedError as refused:
            await _reject(refused.answer, scope, send)
            status = refused.answer.status
        else:
            status = 101
            fault = await self._stream(route.path, query["from_height"], scope, receive, send)
        seconds = time.perf_counter() - began
        self.metrics.answered(route.path if route else "other", "WEBSOCKET", status, seconds)
        self._log(scope, status, seconds, fault)

    async def _stream(
        self, path: str, start: int | None, scope: Message, receive: Receive, send: Send
    ) -> TwinError | None:
        """Serve a stream until it ends; return what it ended with, if that is a fault."""
        try:
            await self.events.serve(path, start, receive, send)
        except TimeoutError:
            # An ordinary close would wait behind what the reader does not take.
            scope["state"]["drop"](TOO_SLOW, "too slow; resume with ?from_height=")
        except TwinError as error:
            await send({"type": "websocket.close", "code": 1011, "reason": "ledger unreadable"})
            return error
        return None


_PASSES = Answer(0, b"")


def _told(fault: TwinError) -> None:
    logging.getLogger("twincli.node").error("twin: node: %s", fault.message)


def _too_many(wait: int) -> Answer:
    retry = (b"retry-after", str(wait).encode())
    return answers.failure(429, "too many requests", retry, writer.CLOSE)


def _unauthorised() -> Answer:
    text = "a token is needed: Authorization: Bearer TOKEN, or the header app_key"
    return answers.failure(401, text, (b"www-authenticate", b"Bearer"), writer.CLOSE)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(answer: Answer, scope: Message, send: Send, *, more: bool) -> None:
    headers = [(b"content-type", answer.kind), _CORS, *answer.headers]
    if not more:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    more = more and scope["method"] != "HEAD"
    scope["state"]["cork"]()
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": more})
    scope["state"]["uncork"]()  # where there was no body


async def _reject(answer: Answer, scope: Message, send: Send) -> None:
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", answer.kind), *answer.headers]
    start = {"type": "websocket.http.response.start", "status": answer.status, "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": answer.body})
