"""The node as an ASGI application: from a request to its answer.

Raw ASGI and a table of routes: a framework would cost more than what most requests do.
"""

from __future__ import annotations

import asyncio
import time

from twincli.errors import TwinError
from twincli.model import times
from twincli.node import access, answers, routes
from twincli.node.answers import Answer, Header, RefusedError, Sent, Streamed
from twincli.node.events import TOO_SLOW
from twincli.node.node import header, report_fault
from twincli.node.queries import parse
from twincli.node.readers import PIECE
from twincli.node.request import Request
from twincli.node.writing.bodies import CLOSE, busy
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twincli.node.events import Message, Receive, Send
    from twincli.node.node import Node

_ANY: tuple[Header, ...] = ((b"access-control-allow-origin", b"*"),)
_BY_ORIGIN: Header = (b"vary", b"origin")
_PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"GET, HEAD, POST, OPTIONS"),
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
"""What clients read about a fault; its own message names files of this machine."""


class App:
    """BigchainDB's API over a node.

    Args:
        node: What is served.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._options = node.options

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
                answer = await handler(self._node, Request(scope, last, receive))
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
            answer, pieces = busy(text), None
        await _send(answer, self._cross_origin(scope), scope, send, more=pieces is not None)
        if pieces is not None and method != "HEAD":
            await self._rest(pieces, receive, send)
        seconds = time.perf_counter() - began
        name = route.path if route is not None else "other"
        self._node.metrics.answered(name, method, answer.status, seconds)
        self._log(scope, answer.status, seconds, fault)

    def _admitted(self, scope: Message, route: routes.Route | None) -> Answer:
        """Return the answer to a request that does not reach a handler, else ``_PASSES``."""
        method = scope["method"]
        refusal = self._refusal(scope)
        if refusal is not None:
            return refusal
        if route is None:
            return answers.NO_SUCH_PAGE
        if method == "OPTIONS":
            allow = (b"allow", route.allowed)
            return Answer(200, b"", answers.HTML, (allow, *_PREFLIGHT))
        if not route.is_open and not self._node.may_ask(scope["headers"]):
            return _unauthorised()
        if ("GET" if method == "HEAD" else method) not in route.methods:
            text = "The method is not allowed for the requested URL."
            return answers.bare(text, 405)._replace(headers=((b"allow", route.allowed),))
        return _PASSES

    def _refusal(self, scope: Message) -> Answer | None:
        """Return the answer to a client that asks too often, or to a strange web page."""
        wait = self._node.rate.wait(self._node.client(scope))
        if wait:
            return _too_many(wait)
        hosts, origins = self._options.hosts, self._options.origins
        for name, value in scope["headers"]:
            if name == b"host" and hosts is not None:
                host = value.decode("latin-1")
                if not hosts.has(host):
                    return _forbidden(f"this node is not called {host[:100]!r}")
            elif name == b"origin":
                origin = value.decode("latin-1")
                if not access.allows_origin(origins, origin):
                    return _forbidden(f"pages from {origin[:100]!r} may not use this node")
        return None

    def _cross_origin(self, scope: Message) -> tuple[Header, ...]:
        """Return the headers that let a web page read the answer, if it may."""
        if access.ANY in self._options.origins:
            return _ANY
        origin = header(scope, b"origin")
        if not origin or not access.allows_origin(self._options.origins, origin):
            return (_BY_ORIGIN,)
        return (b"access-control-allow-origin", origin.encode("latin-1")), _BY_ORIGIN

    async def _begun(self, answer: Streamed) -> tuple[Answer, Any]:
        """Read the first piece of a listing, often all of it; return it and the rest."""
        pieces = self._node.readers.pieces(answer.texts)
        first = await anext(pieces, b"")
        if len(first) < PIECE:
            return Answer(200, answer.before + first + answer.after), None

        async def rest() -> Any:
            async for piece in pieces:
                yield piece
            yield answer.after

        return Answer(200, answer.before + first), rest()

    async def _rest(self, pieces: Any, receive: Receive, send: Send) -> None:
        """Send the rest of a listing until the client disconnects."""
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
        """Log a request if a log is wanted, and a fault in any case."""
        if self._options.log is None:
            if fault is not None:
                report_fault(fault)
            return
        entry = {
            "time": times.to_text(time.time_ns() // 1_000_000),
            "client": self._node.client(scope)[:100],
            "method": scope.get("method", "WEBSOCKET"),
            "path": scope["path"][:200],  # without the query, which may hold anything
            "status": status,
            "ms": round(seconds * 1000, 3),
        }
        if fault is not None:
            entry["error"] = f"{fault.code}: {fault.message}"
        self._options.log(entry)

    # --- Streams --------------------------------------------------------------------------------

    async def _websocket(self, scope: Message, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        await receive()  # websocket.connect
        client = self._node.client(scope)
        route, _ = routes.find(scope["path"])
        fault: TwinError | None = None
        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                raise RefusedError(refusal)
            if route is None or not route.is_stream:
                raise RefusedError(answers.NO_SUCH_PAGE)
            if not self._node.may_ask(scope["headers"]):
                raise RefusedError(_unauthorised())
            query = parse(scope["query_string"], [routes.FROM_HEIGHT])
            if self._node.events.readers >= self._options.max_streams:
                raise RefusedError(busy("too many event streams are open"))
            if not self._node.streams.enter(client):
                raise RefusedError(busy("too many event streams are open from this address"))
        except RefusedError as refused:
            await _reject(refused.answer, scope, send)
            status = refused.answer.status
        else:
            status = 101
            try:
                fault = await self._stream(route.path, query["from_height"], scope, receive, send)
            finally:
                self._node.streams.leave(client)
        seconds = time.perf_counter() - began
        self._node.metrics.answered(route.path if route else "other", "WEBSOCKET", status, seconds)
        self._log(scope, status, seconds, fault)

    async def _stream(
        self, path: str, start: int | None, scope: Message, receive: Receive, send: Send
    ) -> TwinError | None:
        """Serve a stream until it ends; return the fault that ended it, if any."""
        try:
            await self._node.events.serve(path, start, receive, send)
        except TimeoutError:
            # An ordinary close would wait behind what the client does not read.
            scope["state"]["drop"](TOO_SLOW, "too slow; resume with ?from_height=")
        except TwinError as error:
            await send({"type": "websocket.close", "code": 1011, "reason": "ledger unreadable"})
            return error
        return None


_PASSES = Answer(0, b"")


def _too_many(wait: int) -> Answer:
    retry = (b"retry-after", str(wait).encode())
    return answers.failure(429, "too many requests", retry, CLOSE)


def _forbidden(why: str) -> Answer:
    return answers.failure(403, f"{why}; see twin node start --allow-origin", CLOSE)


def _unauthorised() -> Answer:
    text = "a token is required: Authorization: Bearer TOKEN, or the header app_key"
    return answers.failure(401, text, (b"www-authenticate", b"Bearer"), CLOSE)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(
    answer: Answer, cors: tuple[Header, ...], scope: Message, send: Send, *, more: bool
) -> None:
    headers = [(b"content-type", answer.kind), *cors, *answer.headers]
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
