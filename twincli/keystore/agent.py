"""Asking the agent: the process that holds unlocked keys and signs with them.

The agent of a home listens on ``keys/agent.sock`` (mode 0600) and holds a lock on
``keys/agent.lock`` as long as it lives. It is never asked for a key: it has no such operation.

**Protocol, version 1.** One request a connection: the client sends a frame, the agent sends one
back and closes. A frame is ::

    length of the document (4 bytes, big-endian) || length of the payload (4) || document || payload

The document is a JSON object in UTF-8, at most 4096 bytes of it to the agent and 65536 from it.
A request has ``{"v": 1, "op": ...}``:

========  =========================  ==================  =======================================
op        members                    payload             answer
========  =========================  ==================  =======================================
status                                                   ``pid started_ms hardening keys``, each
                                                         key ``public_key expires_ms``
sign      ``public_key``             message, at most    payload: the 64-byte signature
                                     1 MiB
add       ``ttl`` (seconds)          32-byte seed        ``public_key expires_ms``
forget    ``public_key``                                 ``forgotten``: 0 or 1
lock                                                     ``forgotten``: how many keys
stop                                                     ``forgotten``; the socket is gone
========  =========================  ==================  =======================================

Keys are base58, times milliseconds since the epoch. An answer has ``"v": 1`` and on failure
``{"error": {"code", "message"}}``, with the codes ``bad_request``, ``newer_version``,
``unknown_op``, ``unknown_key``, ``full``. A frame out of bounds is answered and the connection
closed; a client that is not done after 3 seconds is dropped; at most 128 are served at a time, and
others wait. A client of another uid, root included, is dropped before anything is read.

The client, too, looks at the uid of who listens, and checks every signature that it is given.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys

from twincli.crypto import base58, canonical, ed25519
from twincli.errors import ConfigError, ConflictError, InvalidError, TwinError, UnreachableError
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from twincli.crypto.ed25519 import Signer

VERSION = 1
SOCKET = "agent.sock"
LOCK = "agent.lock"
HEAD_BYTES = 8
MAX_REQUEST = 4096
MAX_ANSWER = 65536
MAX_MESSAGE = 1 << 20
MAX_TTL = 365 * 86400

_TIMEOUT = 5.0
_TRIES = 100
_LONGEST_ADDRESS = 103
"""Bytes in a socket's address: 104 on macOS and BSD, 108 on Linux, the last one zero."""


class Answer(NamedTuple):
    """What the agent said: its document, and the signature if it was asked for one."""

    document: dict[str, Any]
    payload: bytes


class AgentSigner:
    """A key that the agent holds.

    Args:
        directory: Of the keys.
        public_key: base58.
        otherwise: Unlocks the key here if the agent has forgotten it by then.
    """

    __slots__ = ("_directory", "_otherwise", "public_key")

    def __init__(self, directory: str, public_key: str, otherwise: Callable[[], Signer]) -> None:
        self._directory = directory
        self._otherwise: Callable[[], Signer] = otherwise
        self.public_key = public_key

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message``.

        Raises:
            ConfigError: ``bad_agent``: it is not this key's signature; ``foreign_agent``.
            LockedError: The agent has forgotten the key, and its passphrase is missing or wrong.
        """
        answer = self._asked(message)
        if answer is None:
            other = self._otherwise()
            self._otherwise = lambda: other  # asked once
            return other.sign(message)
        if not ed25519.verify(base58.decode_key(self.public_key), message, answer.payload):
            raise ConfigError(
                f"the process listening at {path(self._directory)} signs wrongly; nothing was done",
                code="bad_agent",
                hint="end that process, then twin agent start",
            )
        return answer.payload

    def _asked(self, message: bytes) -> Answer | None:
        if len(message) > MAX_MESSAGE:
            return None
        try:
            return ask(self._directory, "sign", message, public_key=self.public_key)
        except UnreachableError:
            return None  # the key has expired since it was chosen, or the agent hangs

    def __repr__(self) -> str:
        return f"AgentSigner({self.public_key})"


def path(directory: str) -> str:
    """Return the path of the socket beside these keys."""
    return os.path.join(directory, SOCKET)


def status(directory: str) -> dict[str, Any] | None:
    """Return what the agent says about itself, None without an agent.

    Raises:
        ConfigError: ``foreign_agent``: another user's process listens there; ``path_too_long``.
        UnreachableError: ``agent_failed``: it does not answer, or not as an agent does.
    """
    answer = ask(directory, "status")
    if answer is None:
        return None
    found = answer.document
    whole = isinstance(found.get("keys"), list) and all(
        isinstance(key, dict)
        and isinstance(key.get("public_key"), str)
        and type(key.get("expires_ms")) is int
        for key in found["keys"]
    )
    hardening = found.get("hardening")
    if (
        not whole
        or not isinstance(hardening, dict)
        or type(found.get("pid")) is not int
        or type(found.get("started_ms")) is not int
    ):
        raise _failed(directory, "it does not answer like an agent")
    return found


def forget(directory: str, public_key: str) -> None:
    """Make the agent forget one key, if an agent runs and holds it."""
    ask(directory, "forget", public_key=public_key)


def ask(directory: str, op: str, payload: bytes = b"", **members: object) -> Answer | None:
    """Ask the agent one thing.

    Args:
        directory: Of the keys.
        op: See the module.
        payload: See the module.
        **members: See the module.

    Returns:
        The answer; None where there is no agent.

    Raises:
        ConflictError: ``agent_full``.
        ConfigError, UnreachableError: As ``status``; also when the agent refuses otherwise.
    """
    if not os.path.lexists(path(directory)):
        return None
    connection = _connect(directory)
    if connection is None:
        return None
    try:
        # Even a request refused before it was read to the end gets an answer.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(frame({"v": VERSION, "op": op, **members}, len(payload)))
            if payload:
                connection.sendall(payload)
        lengths = measure(_receive(connection, HEAD_BYTES))
        if not (lengths[0] <= MAX_ANSWER and lengths[1] <= ed25519.SIGNATURE_BYTES):
            raise _failed(directory, "it does not answer like an agent")
        document = canonical.decode(_receive(connection, lengths[0]))
        answer = _receive(connection, lengths[1])
    except InvalidError as error:
        raise _failed(directory, "it does not answer like an agent") from error
    except TimeoutError as error:
        raise _failed(directory, "it does not answer") from error
    except OSError as error:
        raise _failed(directory, "it hung up") from error
    finally:
        connection.close()
    if not isinstance(document, dict) or document.get("v") != VERSION:
        raise _failed(directory, "its version differs")
    refused = document.get("error")
    if refused is not None:
        code, why = (
            (refused.get("code"), refused.get("message"))
            if isinstance(refused, dict)
            else (None, None)
        )
        if code == "full":
            raise ConflictError(
                f"the agent cannot take another key: {why}",
                code="agent_full",
                hint="twin agent lock makes it forget those it holds",
            )
        raise _failed(directory, str(why))
    return Answer(document, answer)


def frame(document: dict[str, Any], payload_length: int) -> bytes:
    """Return a frame without its payload."""
    body = json.dumps(document).encode()
    return len(body).to_bytes(4, "big") + payload_length.to_bytes(4, "big") + body


def measure(head: bytes | bytearray) -> tuple[int, int]:
    """Return the lengths of document and payload from a frame's head."""
    return int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")


def peer(connection: _socket.socket) -> int:
    """Return the uid of the other side of a connection, as the system knows it.

    Raises:
        ConfigError: ``not_supported``: this system does not report it.
    """
    if sys.platform == "linux":
        import _socket

        told = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
    elif sys.platform == "darwin":  # pragma: no cover - LOCAL_PEERCRED's xucred
        told = connection.getsockopt(0, 1, 76)
    else:  # pragma: no cover
        raise ConfigError(
            "an agent cannot run here: this system does not report who uses a socket",
            code="not_supported",
            hint="for unattended commands use --passphrase-file",
        )
    return int.from_bytes(told[4:8], sys.byteorder)


def at_address(directory: str, call: Callable[[bytes], object]) -> None:
    """Connect or bind to the socket beside these keys, however long its path is.

    Raises:
        OSError: As ``call``.
        ConfigError: ``path_too_long``, if the system has no workaround.
    """
    address = os.fsencode(path(directory))
    if len(address) <= _LONGEST_ADDRESS:
        call(address)
        return
    if sys.platform != "linux":  # pragma: no cover
        raise ConfigError(
            f"the path {path(directory)} is too long for a socket",
            code="path_too_long",
            hint="an agent needs a home with a shorter path, see --home",
        )
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        call(b"/proc/self/fd/%d/%s" % (descriptor, SOCKET.encode()))
    finally:
        os.close(descriptor)


def _connect(directory: str) -> _socket.socket | None:
    """Return a connection to this user's agent, None where nothing listens.

    ``_socket``, on which ``socket`` is built, costs 15 ms less at every start.
    """
    import _socket

    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.settimeout(_TIMEOUT)
        _wait_for_room(directory, connection)
        uid = peer(connection)
        if uid != os.geteuid():
            raise ConfigError(
                f"the process listening at {path(directory)} belongs to another user (uid {uid})",
                code="foreign_agent",
                hint=f"if that is unexpected, remove it: rm {path(directory)}",
            )
    except (FileNotFoundError, ConnectionRefusedError, PermissionError):
        connection.close()
        return None  # killed, or another user's
    except OSError as error:
        connection.close()
        raise _failed(directory, (error.strerror or "no answer").lower()) from error
    except TwinError:
        connection.close()
        raise
    return connection


def _wait_for_room(directory: str, connection: _socket.socket) -> None:
    """Connect; when more clients wait than the system queues, try again for a second."""
    for number in range(_TRIES):
        try:
            at_address(directory, connection.connect)
        except BlockingIOError:
            if number == _TRIES - 1:
                raise
            import time

            time.sleep(0.01)
        else:
            return


def _receive(connection: _socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        if not piece:
            raise ConnectionResetError
        data += piece
    return data


def _failed(directory: str, why: str) -> UnreachableError:
    return UnreachableError(
        f"the agent at {path(directory)} failed: {why}",
        code="agent_failed",
        hint="twin agent status; end a hung process by hand",
    )
