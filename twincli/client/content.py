"""Files by their CID: on this machine, or on a twin node.

A BigchainDB network stores no content. What a node sends is checked while it is read, so altered
content is never taken for the file.
"""

from __future__ import annotations

import io
from contextlib import closing, suppress
from typing import IO, TYPE_CHECKING, Any, Protocol

from twincli.client.bounds import Bounds, BoundsError, Pace
from twincli.content.store import PIECE_BYTES, Stored
from twincli.crypto import cid as _cid
from twincli.errors import (
    ConfigError,
    InvalidError,
    NotFoundError,
    NotVerifiedError,
    TwinError,
    UnreachableError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPConnection, HTTPResponse

    from twincli.client.tls import Tls

LARGEST = 1 << 30
"""Bytes of a file at most, unless more are expected; nodes accept as many by default."""


class ContentStore(Protocol):
    """Files by their CID, such as ``content.store.Blobs`` and ``NodeContent``."""

    def has(self, cid: str) -> bool:
        """Say whether a file is there."""

    def size(self, cid: str) -> int:
        """Return the bytes of a file.

        Raises:
            NotFoundError: ``missing_content``.
        """

    def open(self, cid: str) -> IO[bytes]:
        """Open a file to read it.

        Raises:
            NotFoundError: ``missing_content``.
        """

    def put(self, stream: IO[bytes], expected: str | None = None) -> Stored:
        """Store a file.

        Raises:
            InvalidError: ``cid_mismatch``, ``too_large``.
        """


class NodeContent:
    """The files on a twin node.

    Args:
        url: Of the node, such as ``https://node.example``.
        headers: Sent with each request, such as a token.
        timeout: Seconds to wait for an answer.
        tls: Certificates for ``https``.
        largest: Bytes of a file at most.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        tls: Tls | None = None,
        largest: int = LARGEST,
    ) -> None:
        self.url = url.rstrip("/")
        self.headers = dict(headers or {})
        self.timeout = timeout
        self.tls = tls
        self.largest = largest

    def has(self, cid: str) -> bool:
        """Say whether a file is there.

        Raises:
            InvalidError: ``invalid_cid``.
            UnreachableError: ``node_error``.
        """
        try:
            self.size(cid)
        except NotFoundError:
            return False
        return True

    def size(self, cid: str) -> int:
        """Return the bytes of a file.

        Raises:
            NotFoundError: ``missing_content``.
            InvalidError: ``invalid_cid``.
            UnreachableError: ``node_error``.
        """
        connection, response, _ = self._ask("HEAD", cid)
        with closing(connection):
            length = response.getheader("content-length")
        if length is None or not (length.isascii() and length.isdigit() and len(length) < 20):
            raise self.failed("it does not state the size of the file")
        return int(length)

    def open(self, cid: str) -> IO[bytes]:
        """Open a file to read it; the end is reached only if the content matches its CID.

        Raises:
            NotFoundError: ``missing_content``.
            InvalidError: ``invalid_cid``.
            UnreachableError: ``node_error``. Reading may raise it, too, or NotVerifiedError
                ``cid_mismatch``.
        """
        checked = _Checked(self, cid, *self._ask("GET", cid))
        return io.BufferedReader(checked, PIECE_BYTES)

    def put(self, stream: IO[bytes], expected: str | None = None) -> Stored:
        """Upload a file.

        Args:
            stream: Can be read twice: the CID must be known first.
            expected: The CID it must have.

        Raises:
            InvalidError: ``cid_mismatch``, ``too_large``.
            ConfigError: ``not_allowed``: the node needs a token, or is read-only.
            UnreachableError: ``node_error``.
        """
        start = stream.tell()
        hasher = _cid.Hasher()
        while piece := stream.read(PIECE_BYTES):
            hasher.update(piece)
        cid = hasher.cid().text
        if expected is not None and expected != cid:
            raise InvalidError(
                f"this is the content of {cid}, not of {expected}", code="cid_mismatch"
            )
        stream.seek(start)
        connection, response, _ = self._ask("PUT", cid, stream, hasher.size)
        with closing(connection):
            return Stored(cid, hasher.size, response.status == 201)

    # --- HTTP -----------------------------------------------------------------------------------

    def _ask(
        self, method: str, cid: str, body: IO[bytes] | None = None, length: int = 0
    ) -> tuple[HTTPConnection, HTTPResponse, Bounds]:
        """Return a connection, a successful response and its bounds; the caller closes it."""
        from http.client import HTTPConnection, HTTPException, HTTPSConnection
        from urllib.parse import urlsplit

        from twincli.client.tls import DEFAULT_TLS

        _cid.parse(cid)
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"{self.url!r} must be http://HOST or https://HOST", code="bad_url")
        if parts.scheme == "https":
            context = (self.tls or DEFAULT_TLS).context()
            connection: HTTPConnection = HTTPSConnection(
                parts.netloc, timeout=self.timeout, context=context
            )
        else:
            connection = HTTPConnection(parts.netloc, timeout=self.timeout)
        bounds = Bounds(self.timeout)
        connection.response_class = bounds.response_class()
        headers = dict(self.headers)
        sent: Any = None if body is None else _Paced(body, self.timeout)
        if body is not None:
            headers["content-length"] = str(length)
            headers["content-type"] = "application/octet-stream"
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                # A node may refuse a file before it has taken all of it.
                connection.request(
                    method, f"{parts.path.rstrip('/')}/twin/v1/content/{cid}", sent, headers
                )
            response = connection.getresponse()
            if response.status in {200, 201}:
                return connection, response, bounds
            said = response.read(1 << 16)
        except (OSError, HTTPException, BoundsError) as error:
            connection.close()
            raise self.failed(error) from error
        connection.close()
        raise self._refused(response.status, _message(said), cid)

    def _refused(self, status: int, message: str, cid: str) -> TwinError:
        if status == 404:
            return NotFoundError(
                f"{self.url} does not have the content {cid}", code="missing_content"
            )
        if status == 413:
            return InvalidError(message or "the file is too large for the node", code="too_large")
        if status in {401, 403}:
            return ConfigError(f"{self.url} denies access: {message or status}", code="not_allowed")
        return self.failed(message or f"status {status}")

    def failed(self, why: str | Exception) -> UnreachableError:
        """Return the error for an unusable answer."""
        fault = None
        if isinstance(why, Exception):
            if self.url.startswith("https:"):
                from twincli.client import tls

                fault = tls.fault(why)
            why = fault.message if fault is not None else str(why) or type(why).__name__
        return UnreachableError(
            f"{self.url} failed: {why}",
            code="node_error",
            hint=None if fault is None else fault.hint,
            retryable=fault is None or not fault.final,
        )


class _Checked(io.RawIOBase):
    """The content that a node sends, compared with its CID at the end."""

    def __init__(
        self,
        node: NodeContent,
        cid: str,
        connection: HTTPConnection,
        response: HTTPResponse,
        bounds: Bounds,
    ) -> None:
        self._node = node
        self._cid = cid
        self._connection = connection
        self._response = response
        self._bounds = bounds
        self._hasher = _cid.Hasher()

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        from http.client import HTTPException

        try:
            data = self._response.read(len(buffer))
        except (OSError, HTTPException, BoundsError) as error:
            raise self._node.failed(error) from error
        self._bounds.take(len(data))
        buffer[: len(data)] = data
        self._hasher.update(data)
        if self._hasher.size > self._node.largest:
            raise self._node.failed(f"the file is larger than {self._node.largest} bytes")
        if not data and self._hasher.cid().text != self._cid:
            raise NotVerifiedError(
                f"the content that {self._node.url} sent is not {self._cid}",
                code="cid_mismatch",
                hint="it was cut short or altered; ask another node",
            )
        return len(data)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        super().close()


class _Paced:
    """A file that is sent; the upload is given up if the node takes it too slowly.

    ``http.client`` reads from it as fast as the node takes it.
    """

    def __init__(self, stream: IO[bytes], timeout: float) -> None:
        self._stream = stream
        self._pace = Pace(timeout, "it receives the file too slowly")

    def read(self, size: int = -1) -> bytes:
        """Read the next bytes."""
        data = self._stream.read(size)
        self._pace.count(len(data))
        return data


def _message(data: bytes) -> str:
    """Return the message of a node's error; empty where it has none."""
    import json

    try:
        found = json.loads(data).get("message")
    except (ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""
