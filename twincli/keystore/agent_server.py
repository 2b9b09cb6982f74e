"""The agent itself: a process of its own that holds unlocked keys; ``agent`` has the protocol.

``launch`` takes the lock and binds the socket, so that of two that start at once one wins, and a
socket left by a killed agent is replaced only by who has the lock. Then it runs this module in a
fresh interpreter with an empty environment: nothing that the command read or unlocked, no
passphrase and no variable of the shell, ever is in the agent's memory. Seeds come over the socket
straight into a `Vault`.

Each key has a time limit, on a clock that goes on while the machine sleeps; the agent ends when the
last limit is over, also when the keys were locked before.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from twincli.crypto import base58, canonical
from twincli.crypto.ed25519 import SEED_BYTES
from twincli.crypto.vault import Vault
from twincli.errors import ConfigError, InvalidError, UnreachableError
from twincli.keystore import agent, files
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from twincli.crypto.vault import Cell

    Reading = Generator[memoryview, None, tuple[dict[str, Any], bytes]]

MAX_KEYS = 256
CELLS = MAX_KEYS + 1
"""Room for the seed of a key that is held already and gets a new limit."""
MAX_CLIENTS = 128
PATIENCE = 3.0
"""Seconds a client has for its request; less than a client waits for its answer."""
FIRST_TTL = 60.0
"""Seconds after which an agent that was never given a key ends."""

_LONGEST_SLEEP = 60.0
_START_SECONDS = 15.0
_BACKLOG = 1024


def awake() -> float:
    """Return seconds on a clock that is never set and that counts sleep, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def wall_ms() -> int:
    """Return milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class _Held(NamedTuple):
    """A key, and when it expires by the agent's clock and by wall time."""

    cell: Cell
    until: float
    expires_ms: int


class _RefusedError(Exception):
    """A request that is answered with an error: its code, and what is wrong."""


class _Client:
    """A connection, its unsent data and its deadline."""

    __slots__ = ("connection", "filled", "reading", "room", "until")

    def __init__(self, connection: socket.socket, reading: Reading, until: float) -> None:
        self.connection = connection
        self.reading = reading
        self.until = until
        self.room = next(reading)
        self.filled = 0


class Server:
    """Answers clients, one at a time and none for long, until it is stopped or its time is over.

    Args:
        listener: Bound and listening.
        path: The socket's file, removed at the end.
        hardening: Protections of the process that are in effect, for ``status``.
        clock: Seconds.
        wall: Milliseconds since the epoch, only to be shown.
    """

    def __init__(
        self,
        listener: socket.socket,
        path: str,
        *,
        hardening: dict[str, bool],
        clock: Callable[[], float] = awake,
        wall: Callable[[], int] = wall_ms,
    ) -> None:
        self._listener = listener
        self._path = path
        self._clock = clock
        self._wall = wall
        self._vault = Vault(CELLS)
        self._hardening = {**hardening, "memory_locked": self._vault.locked}
        self._held: dict[str, _Held] = {}
        self._clients: set[_Client] = set()
        self._started_ms = wall()
        self._ends = clock() + FIRST_TTL
        self._running = True
        self._selector = selectors.DefaultSelector()
        listener.settimeout(0)
        self._selector.register(listener, selectors.EVENT_READ, None)

    def run(self) -> None:
        """Serve until the end; keys are wiped and the socket is gone when this returns."""
        try:
            while self._running:
                self._wait()
        finally:
            self._end()

    def _wait(self) -> None:
        limits = [
            self._ends,
            *(client.until for client in self._clients),
            *(held.until for held in self._held.values()),
        ]
        left = max(min(limits) - self._clock(), 0)
        for key, _ in self._selector.select(min(left, _LONGEST_SLEEP)):
            if key.data is None:
                self._accept()
            else:
                self._read(key.data)
        now = self._clock()
        for client in [client for client in self._clients if client.until <= now]:
            self._drop(client)
        for public_key in [name for name, held in self._held.items() if held.until <= now]:
            self._held.pop(public_key).cell.wipe()
        if now >= self._ends:
            self._running = False

    def _end(self) -> None:
        self._forget_all()
        self._unlink()
        for client in list(self._clients):
            self._drop(client)
        self._selector.close()
        self._listener.close()

    def _unlink(self) -> None:
        with contextlib.suppress(OSError):  # gone with its directory, or that is read-only by now
            os.unlink(self._path)

    # ------------------------------------------------------------ clients

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it went away again, or descriptors are short until another client ends
        if agent.peer(connection) != os.geteuid():
            connection.close()
            return
        connection.settimeout(0)
        # An answer has to fit, because nothing waits for a client that does not read.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, agent.MAX_ANSWER)
        client = _Client(connection, self._request(), self._clock() + PATIENCE)
        self._clients.add(client)
        self._selector.register(connection, selectors.EVENT_READ, client)
        if len(self._clients) == MAX_CLIENTS:
            self._selector.unregister(self._listener)

    def _drop(self, client: _Client) -> None:
        client.reading.close()
        self._selector.unregister(client.connection)
        client.connection.close()
        if len(self._clients) == MAX_CLIENTS:
            self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._clients.remove(client)

    def _read(self, client: _Client) -> None:
        try:
            count = client.connection.recv_into(client.room[client.filled :])
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if count == 0:
            self._drop(client)
            return
        client.filled += count
        if client.filled < len(client.room):
            return
        try:
            client.room, client.filled = next(client.reading), 0
        except StopIteration as done:
            self._answer(client, *done.value)
        except _RefusedError as refused:
            code, message = refused.args
            self._answer(client, {"error": {"code": code, "message": message}}, b"")

    def _answer(self, client: _Client, document: dict[str, Any], payload: bytes) -> None:
        answer = agent.frame({"v": agent.VERSION, **document}, len(payload)) + payload
        with contextlib.suppress(OSError):  # it did not wait for it
            client.connection.send(answer)
        self._drop(client)

    # ------------------------------------------------------------ requests

    def _request(self) -> Reading:
        """Read one request: yield what is to be filled next, return the answer."""
        head = bytearray(agent.HEAD_BYTES)
        yield memoryview(head)
        length, payload_length = agent.measure(head)
        if not (0 < length <= agent.MAX_REQUEST and payload_length <= agent.MAX_MESSAGE):
            raise _RefusedError("bad_request", "the request is empty or too large")
        text = bytearray(length)
        yield memoryview(text)
        request = _parsed(text)
        op = request["op"]
        if op == "add" and payload_length == SEED_BYTES:
            return (yield from self._add(request)), b""
        if op == "sign":
            message = bytearray(payload_length)
            if message:
                yield memoryview(message)
            return {}, self._sign(request, message)
        if payload_length or op == "add":
            raise _RefusedError("bad_request", f"{op} with a payload of {payload_length} bytes")
        if op == "status":
            return self._status(), b""
        if op == "forget":
            held = self._held.pop(_public_key(request), None)
            if held is not None:
                held.cell.wipe()
            return {"forgotten": int(held is not None)}, b""
        if op == "lock":
            return {"forgotten": self._forget_all()}, b""
        if op == "stop":
            self._running = False
            self._unlink()
            return {"forgotten": self._forget_all()}, b""
        raise _RefusedError("unknown_op", "the operation is unknown")

    def _add(self, request: dict[str, Any]) -> Generator[memoryview, None, dict[str, Any]]:
        ttl = request.get("ttl")
        if type(ttl) is not int or not 0 < ttl <= agent.MAX_TTL:
            raise _RefusedError("bad_request", "ttl is not a number of seconds within bounds")
        cell = self._vault.take()
        if cell is None:
            raise _full()
        kept = False
        try:
            yield cell.seed
            public_key = base58.encode(cell.open())
            if public_key not in self._held and len(self._held) == MAX_KEYS:
                raise _full()
            kept = True
        finally:
            if not kept:
                cell.wipe()
        before = self._held.pop(public_key, None)
        if before is not None:
            before.cell.wipe()
        expires_ms = self._wall() + ttl * 1000
        self._held[public_key] = _Held(cell, self._clock() + ttl, expires_ms)
        self._ends = max(held.until for held in self._held.values())
        return {"public_key": public_key, "expires_ms": expires_ms}

    def _sign(self, request: dict[str, Any], message: bytearray) -> bytes:
        held = self._held.get(_public_key(request))
        if held is None or held.until <= self._clock():
            raise _RefusedError("unknown_key", "it does not hold this key")
        return held.cell.sign(message)

    def _status(self) -> dict[str, Any]:
        now = self._clock()
        return {
            "pid": os.getpid(),
            "started_ms": self._started_ms,
            "hardening": self._hardening,
            "keys": [
                {"public_key": public_key, "expires_ms": held.expires_ms}
                for public_key, held in self._held.items()
                if held.until > now
            ],
        }

    def _forget_all(self) -> int:
        count = len(self._held)
        for held in self._held.values():
            held.cell.wipe()
        self._held.clear()
        return count


def _parsed(text: bytearray) -> dict[str, Any]:
    try:
        request = canonical.decode(bytes(text))
    except InvalidError:
        raise _RefusedError("bad_request", "the request is not JSON") from None
    if not isinstance(request, dict) or not isinstance(request.get("op"), str):
        raise _RefusedError("bad_request", "the request has no op")
    version = request.get("v")
    if type(version) is not int or version < 1:
        raise _RefusedError("bad_request", "the request has no version")
    if version > agent.VERSION:
        raise _RefusedError("newer_version", "the agent is older than this twincli: restart it")
    return request


def _full() -> _RefusedError:
    return _RefusedError("full", f"it holds {MAX_KEYS} keys, its limit")


def _public_key(request: dict[str, Any]) -> str:
    public_key = request.get("public_key")
    if not isinstance(public_key, str):
        raise _RefusedError("bad_request", "public_key is missing")
    return public_key


# ---------------------------------------------------------------- the process


def launch(directory: str) -> None:
    """Make sure that an agent runs for the keys in a directory; it answers when this returns.

    Raises:
        ConfigError: ``not_supported`` by this system; ``cannot_write``, ``insecure_permissions``,
            ``path_too_long``, ``foreign_agent``.
        UnreachableError: ``agent_failed``: it does not answer or did not start.
    """
    if os.name != "posix":
        raise ConfigError(
            "an agent needs Unix sockets and their owner's uid, which this system does not have",
            code="not_supported",
            hint="for unattended commands use --passphrase-file",
        )
    import fcntl

    files.make_directory(directory)
    limit = time.monotonic() + _START_SECONDS
    while True:
        try:
            lock = os.open(
                os.path.join(directory, agent.LOCK),
                os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o600,
            )
        except OSError as error:
            raise _cannot_start(directory, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _start(directory, lock)
            started = True
        except BlockingIOError:
            started = False  # one runs, is just starting, or is just ending
        finally:
            os.close(lock)  # the agent has it now
        if agent.status(directory) is not None:
            return
        if started or time.monotonic() > limit:
            raise UnreachableError(
                f"the agent for {directory} did not start",
                code="agent_failed",
                hint=f"this did not run: python -P -m {__name__}",
            )
        time.sleep(0.02)


def _start(directory: str, lock: int) -> None:
    """Bind the socket and start a process that serves it and keeps the lock."""
    import subprocess

    path = os.path.abspath(agent.path(directory))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        before = os.umask(0o177)
        try:
            if os.path.lexists(path):
                os.unlink(path)  # nobody serves it: its agent would have the lock
            agent.at_address(directory, listener.bind)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise _cannot_start(directory, error) from error
        finally:
            os.umask(before)
        descriptors = (listener.fileno(), lock)
        done = subprocess.run(  # noqa: S603 - our own module, with descriptors' numbers
            [sys.executable, "-P", "-m", __name__, path, *map(str, descriptors)],
            # The child gets Python's import paths and nothing else from the shell.
            env={"PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=descriptors,
            start_new_session=True,
            check=False,
        )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        os.unlink(path)
        raise UnreachableError(f"the agent did not start: {last}", code="agent_failed")


def _cannot_start(directory: str, error: OSError) -> ConfigError:
    why = (error.strerror or "unknown reason").lower()
    return ConfigError(f"no agent can listen in {directory}: {why}", code="cannot_write")


def main(path: str, listener: str, lock: str) -> None:  # noqa: ARG001 - kept open
    """Go to the background and serve, as ``launch`` runs it.

    Args:
        path: The socket's file.
        listener: Descriptor of the socket.
        lock: Descriptor of the lock, held until the process ends.
    """
    serving = socket.socket(fileno=int(listener))
    # A child of a session leader never gets a terminal, and nobody has to wait for it.
    if os.fork():
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        Server(serving, path, hardening=harden()).run()
    except KeyboardInterrupt:
        return  # asked to end; the keys are wiped


def harden() -> dict[str, bool]:
    """Keep this process's memory out of core files and from other processes of the same user.

    Returns:
        The protections in effect: ``core_dumps_off``, ``not_dumpable`` (Linux: neither
        dumped nor traced).
    """
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    not_dumpable = False
    if sys.platform == "linux":
        import ctypes

        prctl = ctypes.CDLL(None, use_errno=True).prctl
        set_dumpable, get_dumpable = 4, 3
        not_dumpable = prctl(set_dumpable, 0, 0, 0, 0) == 0 and prctl(get_dumpable, 0, 0, 0, 0) == 0
    return {
        "core_dumps_off": resource.getrlimit(resource.RLIMIT_CORE) == (0, 0),
        "not_dumpable": not_dumpable,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
