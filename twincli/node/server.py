"""Sockets, TLS, signals: the node served by uvicorn."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import ssl
import sys
import threading
from collections import deque
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, cast

from twincli.errors import ConfigError, ConflictError, UsageError
from twincli.node.access import Open
from twincli.node.app import App
from twincli.values import NamedTuple

try:
    import uvicorn
    import websockets  # noqa: F401 - uvicorn finds it
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
except ImportError as missing:
    raise ConfigError(
        f"a node needs {missing.name}, which is not installed",
        code="missing_extra",
        hint='pip install "twincli[node]"',
    ) from missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from twincli.node.node import Node

SLOW_SECONDS = 15.0
"""How long a request, or any ``SLOW_BYTES`` of it, may take to arrive."""
SLOW_BYTES = 65_536
HEAD_BYTES = 65_536
STALL_SECONDS = 60.0
IDLE_SECONDS = 60
PROBE_SECONDS = 0.1
STOP_SECONDS = 10
MAX_CONNECTIONS = 4_000
PER_ADDRESS = 1_000
"""Connections that one address may have."""
LINGER_SECONDS = 5.0
LINGER_BYTES = 64 << 20
"""How long, and how much of it, a body that was refused is still taken and dropped: a connection
that closes with bytes unread is reset, which can take the answer along."""
HANDSHAKE_SECONDS = 10.0
"""How long a TLS handshake may take."""
SWITCH_SECONDS = 0.001
"""How long a computing thread may keep the event loop waiting."""


class Listening(NamedTuple):
    """Where and how a node listens.

    Attributes:
        host: Name or address.
        port: 0 for a free one.
        ws_port: A second port, as drivers expect one for the event streams; None for none.
        tls_cert: File with the certificate, in PEM; None: no TLS.
        tls_key: File with its key, if that is not in the same file.
        tls_client_ca: File with the authorities whose certificates clients must show.
        per_address: Connections that one address may have; 0 for any number.
    """

    host: str = "127.0.0.1"
    port: int = 9984
    ws_port: int | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None
    per_address: int = PER_ADDRESS


class _Corked:
    """A transport that can send the head and the body of an answer together.

    uvicorn writes them one after the other, which makes two packets and wakes the client twice.
    Everything else is the transport's own.

    Args:
        transport: The connection.
        has_more: Says whether the client is in the middle of a request.
    """

    def __init__(self, transport: asyncio.Transport, has_more: Callable[[], bool]) -> None:
        self._transport = transport
        self._has_more = has_more
        self._lingers = False
        self._dropped = 0
        self._is_corked = False
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._transport, name)
        setattr(self, name, found)
        return found

    def cork(self) -> None:
        """Hold the next write until another one, or ``uncork``, follows."""
        self._is_corked = True

    def uncork(self) -> None:
        """Send what is held."""
        if self._is_corked:
            self._is_corked = False
            if self._held:
                self._transport.write(self._held)
                self._held = b""

    def write(self, data: bytes) -> None:
        """Send bytes, or hold them."""
        if not self._is_corked:
            self._transport.write(data)
        elif not self._held:
            self._held = data
        else:
            self._is_corked = False
            held, self._held = self._held, b""
            self._transport.write(held + data)

    def is_closing(self) -> bool:
        """Say whether nothing more will be sent."""
        return self._lingers or self._transport.is_closing()

    def close(self) -> None:
        """Send what is held, then close; a client that is still sending may finish first."""
        self.uncork()
        if self._lingers or self._transport.is_closing() or not self._has_more():
            self._transport.close()
            return
        self._lingers = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)

    def drops(self, data: bytes) -> bool:
        """Say whether data came after the end of the connection, and drop them."""
        self._dropped += len(data) if self._lingers else 0
        if self._dropped > LINGER_BYTES:
            self._transport.close()
        return self._lingers


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with bounds on what a client may leave undone.

    Args:
        connections: Counts those of every client.
    """

    _slow_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _is_whole = False
    _has_head = False
    _received = 0
    _beside_body = 0
    _has_body = False
    _untaken = 0
    _is_ending = False
    _is_lost = False
    _is_reset = False
    _has_eof = False

    _is_counted = False

    def __init__(self, *args: Any, connections: Open, **named: Any) -> None:
        super().__init__(*args, **named)
        self._connections = connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, with a time limit."""
        corked = _Corked(transport, self._has_more)
        self._drops = corked.drops
        super().connection_made(cast("asyncio.Transport", corked))
        self._cycles: deque[RequestResponseCycle] = deque()
        own = {
            "drop": self.drop,
            "is_gone": self.is_gone,
            "cork": corked.cork,
            "uncork": corked.uncork,
        }
        self.app_state = {**self.app_state, **own}
        self._peer = (self.client or ("",))[0]
        self._is_counted = self._connections.enter(self._peer)
        if self._is_counted:
            self._watch()
        else:
            self._refuse(b"503 Service Unavailable\r\nretry-after: 1")

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers; notify every request of the connection, not only the last."""
        self._is_lost = True
        self._leave()
        self._unwatch()
        self._forget_stall()
        for cycle in self._cycles:
            cycle.disconnected = not cycle.response_complete
            cycle.message_event.set()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer complete requests: a client that sends nothing more may still read."""
        if (
            self.scheme != "http" or self.transport.is_closing() or not self._end_behind()
        ):  # TLS has no such half
            return False
        self._has_eof = True
        self.loop.call_later(PROBE_SECONDS, self._probe)
        return True

    def _has_more(self) -> bool:
        return self._has_head and not self._is_whole

    def is_gone(self) -> bool:
        """Say whether the client can no longer take an answer."""
        if self._has_eof and not self._is_reset:
            sock = self.transport.get_extra_info("socket")
            try:
                self._is_reset = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
            except OSError:
                self._is_reset = True
        return self._is_lost or self._is_reset

    def _probe(self) -> None:
        """Learn whether a client that sends nothing more still reads, or closed its socket.

        To TCP both look the same until something is sent; an interim response means nothing to
        HTTP/1.1, and only a closed socket refuses it.
        """
        if (
            not (self._is_lost or self.transport.is_closing())
            and self.scope["http_version"] == "1.1"
            and all(cycle.response_started == cycle.response_complete for cycle in self._cycles)
            and self._unanswered()
        ):
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        """Read on; watch requests that are incomplete."""
        if self._is_ending or self._drops(data):
            return
        if self.timeout_keep_alive_task is not None:
            # It belongs to the next request, though empty lines before that do not begin it.
            self._is_whole = self._has_head = False
            self._beside_body = 0
        self._has_body = False
        super().data_received(data)
        if self._is_whole:
            if self._slow_timer is not None:
                self._unwatch()
            self._expect_next()
            return
        self._received += len(data)
        # Bytes beside a body, such as chunk extensions, are bounded like the head.
        self._beside_body = 0 if self._has_body else self._beside_body + len(data)
        if self._beside_body > HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large")
        elif self._slow_timer is None and not self.transport.is_closing():
            self._watch()

    def on_message_begin(self) -> None:
        """Expect the head of a request."""
        self._is_whole = self._has_head = False
        self._beside_body = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start the request."""
        self._has_head = True
        before = self.cycle
        super().on_headers_complete()
        while self._cycles and self._cycles[0].response_complete:
            self._cycles.popleft()
        if self.cycle is not before:  # else it becomes a WebSocket
            self._cycles.append(self.cycle)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._has_body = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect nothing more."""
        self._is_whole = True
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Become a WebSocket, if the request may."""
        self._unwatch()
        self._forget_stall()
        bodies = {b"content-length", b"transfer-encoding"}
        if self.scope["method"] != "GET" or any(name in bodies for name, _ in self.headers):
            # The WebSocket would wait for ever.
            self.send_400_response("A WebSocket begins with a GET without a body.")
        elif self._unanswered():
            self.send_400_response("A WebSocket begins after all other answers.")
        else:
            super().handle_websocket_upgrade()
            self._leave()  # from here on it counts as a stream

    def _leave(self) -> None:
        if self._is_counted:
            self._is_counted = False
            self._connections.leave(self._peer)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; see ``_end_behind``."""
        if self._end_behind():
            return
        if any(cycle.response_started != cycle.response_complete for cycle in self._cycles):
            self.transport.close()  # another answer cannot start within one
        else:
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        """Give the client some time to read what is waiting."""
        super().pause_writing()
        self._expect_taking()

    def resume_writing(self) -> None:
        """Note that the client read most of it."""
        super().resume_writing()
        self._expect_taking()

    def on_response_complete(self) -> None:
        """Give the client some time to read the end of the last answer."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._expect_taking()

    def timeout_keep_alive_handler(self) -> None:
        """Close; give the client some time to read what it requested."""
        super().timeout_keep_alive_handler()
        self._expect_taking()

    def drop(self, code: int, reason: str) -> None:
        """Close a WebSocket whose client reads nothing.

        The close frame follows what is still unread; later the connection is cut.
        """
        payload = code.to_bytes(2, "big") + reason.encode()
        self.transport.write(bytes((0x88, len(payload))) + payload)
        self.transport.close()
        self.loop.call_later(STALL_SECONDS, self.transport.abort)

    def _expect_taking(self) -> None:
        self._forget_stall()
        self._untaken = self.transport.get_write_buffer_size()
        if self._untaken:
            self._stall_timer = self.loop.call_later(STALL_SECONDS, self._look_taken)

    def _look_taken(self) -> None:
        """Keep waiting for a client only if it read something meanwhile."""
        if self.transport.get_write_buffer_size() < self._untaken:
            self._expect_taking()
        else:
            self.transport.abort()

    def _forget_stall(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _watch(self) -> None:
        self._received = 0
        self._slow_timer = self.loop.call_later(SLOW_SECONDS, self._look)

    def _unwatch(self) -> None:
        if self._slow_timer is not None:
            self._slow_timer.cancel()
            self._slow_timer = None

    def _look(self) -> None:
        """Keep waiting for a request only if a good part of it arrived meanwhile."""
        if self._received >= SLOW_BYTES:
            self._watch()
        else:
            self._refuse(b"408 Request Timeout")

    def _unanswered(self) -> list[RequestResponseCycle]:
        """Return the complete requests that wait for their answers."""
        return [cycle for cycle in self._cycles if not (cycle.response_complete or cycle.more_body)]

    def _end_behind(self) -> bool:
        """End the connection after the answers to complete requests; False: there are none.

        The client would take an answer to what came later for theirs.
        """
        unanswered = self._unanswered()
        if unanswered:
            unanswered[-1].keep_alive = False
            self._is_ending = True
        return bool(unanswered)

    def _expect_next(self) -> None:
        """Wait for another request, with a time limit, if a body came after its answer."""
        if (
            self.timeout_keep_alive_task is None
            and self._cycles
            and self._cycles[-1].response_complete
            and not self.transport.is_closing()
            and self.transport.get_protocol() is self  # else it is a WebSocket by now
        ):
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _refuse(self, status: bytes) -> None:
        self._unwatch()
        if not self.transport.is_closing() and not self._end_behind():
            if not self._has_head or self.cycle.response_complete:
                head = b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n"
                self.transport.write(head + b"connection: close\r\n\r\n")
            self.transport.close()
            self._expect_taking()


class _Uvicorn(uvicorn.Server):
    """Reports when it listens; leaves the exit status to the command."""

    def __init__(self, config: uvicorn.Config, node: Node, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._node = node
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.config.is_ssl:
            # uvicorn has no setting for it.
            loop: Any = asyncio.get_running_loop()
            loop.create_server = partial(
                loop.create_server, ssl_handshake_timeout=HANDSHAKE_SECONDS
            )
        await super().startup(sockets=sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Give clients time to read their answers, then disconnect them."""
        self._node.stop()
        late = asyncio.get_running_loop().call_later(STOP_SECONDS, self._cut_off)
        try:
            await super().shutdown(sockets=sockets)
        finally:
            late.cancel()
            self._cut_off()
            await asyncio.sleep(0)  # the requests notice it

    def _cut_off(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._node.stopping = True
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Server:
    """A node that listens.

    Args:
        listening: Where.

    Attributes:
        ws_port: The port of the event streams, if they have one of their own.

    Raises:
        ConflictError: ``address_in_use``.
        ConfigError: ``cannot_listen``, ``bad_tls``.
        UsageError: There is no such host.
    """

    def __init__(self, listening: Listening) -> None:
        self._listening = listening
        self._check_tls()
        self._sockets = [_bound(listening.host, listening.port)]
        try:
            if listening.ws_port is not None:
                self._sockets.append(_bound(listening.host, listening.ws_port))
        except BaseException:
            self.close()
            raise
        self._uvicorn: _Uvicorn | None = None
        self._is_stopped = False
        self._urls = (self._url("http", self._sockets[0]), self._url("ws", self._sockets[-1]))
        own = len(self._sockets) > 1
        self.ws_port = int(self._sockets[1].getsockname()[1]) if own else None

    @property
    def url(self) -> str:
        """Where the node is reached."""
        return self._urls[0]

    @property
    def ws_url(self) -> str:
        """Where the event streams are reached."""
        return self._urls[1]

    def _url(self, scheme: str, sock: socket.socket) -> str:
        address, port = sock.getsockname()[:2]
        host = f"[{address}]" if ":" in address else address
        return f"{scheme}{'s' if self._listening.tls_cert else ''}://{host}:{port}"

    def serve(self, make: Callable[[], Node], ready: Callable[[], None]) -> bool:
        """Serve until a signal or ``stop``, then finish what was accepted.

        Args:
            make: Returns the node; called in the event loop.
            ready: Called once it listens.

        Returns:
            Whether it stopped in order; False if a second Ctrl-C ended it at once.
        """
        log = logging.getLogger("uvicorn.error")
        log.setLevel(logging.ERROR)
        log.addFilter(_is_fault)
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.collect()
        gc.freeze()  # all that was imported; a full collection would look at it again
        _allow_files(MAX_CONNECTIONS + 200)
        with self._staying(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(self._serve(make, ready))

    @contextmanager
    def _staying(self) -> Iterator[None]:
        """Keep SIGTERM from ending the process while uvicorn does not handle it.

        That is before and after it serves: a second one must not interrupt the shutdown.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, lambda *_: self.stop())
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    async def _serve(self, make: Callable[[], Node], ready: Callable[[], None]) -> bool:
        node = make()
        node.start()
        at_once = False
        connections = Open(self._listening.per_address)
        try:
            config = uvicorn.Config(
                App(node),
                http=cast("type[asyncio.Protocol]", partial(Protocol, connections=connections)),
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                headers=[("server", "twincli")],
                limit_concurrency=MAX_CONNECTIONS,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=STOP_SECONDS + 1,  # requests that hang by themselves
                ws_max_size=65_536,
                ws_per_message_deflate=False,
                **self._tls(),
            )
            server = self._uvicorn = _Uvicorn(config, node, ready)
            server.should_exit = self._is_stopped
            await server.serve(sockets=self._sockets)
            at_once = server.force_exit
        finally:
            await node.close(at_once=at_once)
        return not at_once

    def stop(self) -> None:
        """Stop serving, from another thread."""
        self._is_stopped = True
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True

    def close(self) -> None:
        """Close the sockets."""
        for sock in self._sockets:
            sock.close()

    def _tls(self) -> dict[str, Any]:
        if self._listening.tls_cert is None:
            return {}
        ca = self._listening.tls_client_ca
        return {
            "ssl_certfile": self._listening.tls_cert,
            "ssl_keyfile": self._listening.tls_key,
            "ssl_ca_certs": ca,
            "ssl_cert_reqs": ssl.CERT_REQUIRED if ca else ssl.CERT_NONE,
        }

    def _check_tls(self) -> None:
        cert, key, ca = self._listening[3:6]
        if cert is None:
            return
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert, key, password=_no_password)
            if ca:
                context.load_verify_locations(ca)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the TLS files cannot be used: {(error.strerror or str(error)).lower()}"
                if isinstance(error, OSError)
                else f"the TLS files cannot be used: {error}",
                code="bad_tls",
                hint="use PEM files, and a key without a passphrase",
            ) from error


def _is_fault(record: logging.LogRecord) -> bool:
    """Say whether a record of uvicorn's reports a fault.

    It also reports requests that a stop cut off, and refused WebSockets, as if it had not been
    told how to answer them.
    """
    if str(record.msg).startswith("ASGI callable returned without"):
        return False
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _no_password() -> str:
    raise ValueError("the key has a passphrase")


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a host.

    Raises:
        UsageError: There is no such host.
    """
    return all(ip_address(address[4][0]).is_loopback for address in _addresses(host, 0))


def listens_everywhere(host: str) -> bool:
    """Say whether a host stands for all addresses of this machine.

    Raises:
        UsageError: There is no such host.
    """
    return any(ip_address(address[4][0]).is_unspecified for address in _addresses(host, 0))


def _addresses(host: str, port: int) -> list[Any]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"there is no host {host!r}", hint="--host 127.0.0.1") from error
    return sorted(found, key=lambda address: address[0] != socket.AF_INET)


def _bound(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = _addresses(host, port)[0]
    sock = socket.socket(family, kind)
    try:
        if hasattr(signal, "SIGHUP"):  # elsewhere the option means to take another's port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(2048)
    except OSError as error:
        sock.close()
        where = f"{host} port {port}"
        if "in use" in str(error):
            raise ConflictError(
                f"another program is already listening on {where}",
                code="address_in_use",
                hint="--port 0 picks a free port",
            ) from error
        why = (error.strerror or str(error)).lower()
        raise ConfigError(f"cannot listen on {where}: {why}", code="cannot_listen") from error
    sock.setblocking(False)  # noqa: FBT003 - socket's signature
    return sock


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:  # it does not exist for Windows
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _allow_files(count: int) -> None:
    """Raise the limit of open files to ``count`` if allowed; a connection is one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
