"""Agents for tests: one in a thread, whose clock is told, and raw connections to one."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.conftest import Clock
from twincli.crypto.ed25519 import KeyPair
from twincli.keystore import agent
from twincli.keystore.agent_server import Server

ALICE = KeyPair.from_seed(b"a" * 32)
BOB = KeyPair.from_seed(b"b" * 32)
WALL_MS = 1_900_000_000_000


def add(directory: Path, key: KeyPair, ttl: int = 60) -> dict[str, Any]:
    """Have the agent hold a key."""
    answer = agent.ask(str(directory), "add", key.seed, ttl=ttl)
    assert answer is not None
    return answer.document


def listening(directory: Path) -> socket.socket:
    """Return a socket at the agent's place."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    agent.at_address(str(directory), listener.bind)
    listener.listen(200)
    return listener


@contextmanager
def serving(directory: Path, clock: Clock) -> Iterator[Server]:
    """Serve a directory from a thread; the thread has ended when this returns."""
    server = Server(
        listening(directory),
        agent.path(str(directory)),
        hardening={"core_dumps_off": True, "not_dumpable": False},
        clock=clock,
        wall=lambda: WALL_MS,
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        if thread.is_alive() and os.path.lexists(agent.path(str(directory))):
            agent.ask(str(directory), "stop")
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def faking(directory: Path, *answers: bytes) -> Iterator[None]:
    """Answer each client with the next of these bytes, whatever it asks; then hang up."""
    listener = listening(directory)

    def answer() -> None:
        for data in answers:
            connection, _ = listener.accept()
            with connection:
                document, payload = agent.measure(_exactly(connection, agent.HEAD_BYTES))
                _exactly(connection, document + payload)
                connection.sendall(data)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.close()
        os.unlink(agent.path(str(directory)))


def _exactly(connection: socket.socket, length: int) -> bytes:
    return connection.recv(length, socket.MSG_WAITALL) if length else b""


def connected(directory: Path) -> socket.socket:
    """Return a connection to the agent that has said nothing yet."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(10)
    agent.at_address(str(directory), connection.connect)
    return connection


def everything(connection: socket.socket) -> bytes:
    """Return what still comes until the other side closes."""
    data = b""
    with suppress(ConnectionResetError):  # closed with something unread
        while piece := connection.recv(65536):
            data += piece
    return data


def said(directory: Path, data: bytes) -> Any:
    """Send bytes as they are, return the document of the answer, None if there was none."""
    with connected(directory) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before all was read
            connection.sendall(data)
        answer = everything(connection)
    if not answer:
        return None
    length, _ = agent.measure(answer[:8])
    return json.loads(answer[8 : 8 + length])


def request(op: object, payload: bytes = b"", **members: object) -> bytes:
    """Return the bytes of a request."""
    return agent.frame({"v": 1, "op": op, **members}, len(payload)) + payload


def wait_for(what: Callable[[], bool]) -> None:
    """Wait until something is so, which it must be within ten seconds."""
    limit = time.monotonic() + 10
    while not what():
        assert time.monotonic() < limit
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that has ended and waits to be counted does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # no /proc here: it answered to the signal
    return state != "Z"
