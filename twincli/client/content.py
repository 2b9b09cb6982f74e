"""Files by their CID: on this machine, or on a twin node.

A BigchainDB network stores no content. What a node sends is checked while it is read, so altered
content is never taken for the file.
"""

from __future__ import annotations

import io
import json
import os
import time
from contextlib import closing, suppress
from typing import IO, TYPE_CHECKING, Any

from twincli.client.bounds import OVERHEAD_BYTES, Bounds, BoundsError, Pace
from twincli.client.untrusted import stated_offers
from twincli.content.store import PIECE_BYTES, Stored
from twincli.crypto import cid as _cid
from twincli.errors import (
    ConfigError,
    InvalidError,
    LockedError,
    NotVerifiedError,
    TwinError,
    UndeterminedError,
    UnreachableError,
    UsageError,
)
from twincli.model import signed_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from http.client import HTTPConnection, HTTPResponse

    from twincli.client.tls import Tls
    from twincli.crypto.ed25519 import Signer

OFFER = "content"
"""What a node that keeps content states at its root."""

ANSWER_BYTES = 1 << 18
"""Bytes of an answer that is not a file, at most."""
LARGEST = 1 << 30
"""Bytes of a file at most, unless more are expected; nodes accept as many by default."""


class Place:
    """Somewhere that files are fetched from and sent to over HTTP.

    Args:
        url: Such as ``https://node.example``.
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

    def request(
        self,
        method: str,
        target: str,
        body: tuple[IO[bytes], int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return the response to a request; the caller closes it.

        Args:
            method: Such as ``GET``.
            target: Path and query, below the path of the URL.
            body: What is sent, and its size.
            headers: More of them.

        Raises:
            UnreachableError: ``node_error``.
            UsageError: ``bad_url``.
        """
        from http.client import HTTPConnection, HTTPException, HTTPSConnection
        from urllib.parse import urlsplit

        from twincli.client.tls import DEFAULT_TLS

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
        # Names of headers have no case, and each is sent once.
        more = {name.lower() for name in headers or ()}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in more}
        wanted = {**kept, **(headers or {})}
        sent: Any = None
        if body is not None:
            sent = _Paced(body[0], self.timeout)
            wanted["content-length"] = str(body[1])
            wanted.setdefault("content-type", "application/octet-stream")
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                # A node may refuse a file before it has taken all of it.
                connection.request(method, parts.path.rstrip("/") + target, sent, wanted)
            return Response(self, connection, connection.getresponse(), bounds)
        except (OSError, HTTPException, BoundsError) as error:
            connection.close()
            raise self.failed(error) from error

    def whole(self, response: Response) -> bytes:
        """Return all of a short answer.

        Raises:
            UnreachableError: ``node_error``: it has more than ``ANSWER_BYTES``.
        """
        pieces, size = [], 0
        while piece := response.read(ANSWER_BYTES):
            size += len(piece)
            if size > ANSWER_BYTES:
                raise self.failed("its answer is too long")
            pieces.append(piece)
        return b"".join(pieces)

    def info(self) -> dict[str, Any]:
        """Return what it says at its root, in whatever form; nothing if that is not JSON.

        Raises:
            UnreachableError: ``node_error``.
        """
        with closing(self.request("GET", "/", headers={"accept": "application/json"})) as response:
            said = self.whole(response) if response.status == 200 else b""
        try:
            info = json.loads(said)
        except (ValueError, RecursionError):
            return {}
        return info if isinstance(info, dict) else {}

    def failed(self, why: str | Exception) -> UnreachableError:
        """Return the error for an unusable answer."""
        fault, hint = None, None
        if isinstance(why, Exception):
            if isinstance(why, OSError):
                hint = "is it running? --timeout SECONDS waits longer"
            if self.url.startswith("https:"):
                from twincli.client import tls

                fault = tls.fault(why)
            if fault is not None:
                why, hint = fault.message, fault.hint
            elif isinstance(why, OSError) and why.strerror:
                why = why.strerror.lower()
            else:
                why = str(why) or type(why).__name__
        return UnreachableError(
            f"{self.url} failed: {why}",
            code="node_error",
            hint=hint,
            retryable=fault is None or not fault.final,
        )


class Response:
    """The response to a request.

    Attributes:
        status: Of HTTP.
    """

    def __init__(
        self, place: Place, connection: HTTPConnection, response: HTTPResponse, bounds: Bounds
    ) -> None:
        self._place = place
        self._connection = connection
        self._response = response
        self._bounds = bounds
        self._fault: Exception | None = None
        self.status = response.status

    def header(self, name: str) -> str | None:
        """Return a header."""
        return self._response.getheader(name)

    def read(self, size: int) -> bytes:
        """Read some of the next bytes; none at the end.

        Raises:
            UnreachableError: ``node_error``.
        """
        from http.client import HTTPException, IncompleteRead

        if self._fault is not None:
            raise self._place.failed(self._fault)
        try:
            # Bytes count as overhead until they were read as content.
            data = self._response.read(min(size, OVERHEAD_BYTES // 4))
        except IncompleteRead as error:
            # Keep what arrived: the next attempt continues from it.
            self._fault = error
            if not error.partial:
                raise self._place.failed(error) from error
            data = error.partial
        except (OSError, HTTPException, BoundsError) as error:
            raise self._place.failed(error) from error
        self._bounds.take(len(data))
        return data

    @property
    def is_cut(self) -> bool:
        """Whether it ended before all that it announced had come."""
        return bool(self._response.length)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class NodeContent(Place):
    """The files on a twin node; see ``Place``.

    Args:
        signers: Give those who may ask for what is encrypted, one after the other; they are asked
            only when the node wants to know who asks.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        tls: Tls | None = None,
        largest: int = LARGEST,
        signers: Callable[[], Iterable[Signer]] | None = None,
    ) -> None:
        super().__init__(url, headers, timeout, tls, largest)
        self._signers = signers

    def keeps_content(self) -> bool:
        """Say whether this is a node of twincli that keeps content.

        Raises:
            UnreachableError: ``node_error``.
        """
        return OFFER in stated_offers(self.info())

    def has(self, cid: str) -> bool:
        """Say whether a file is there.

        Raises:
            InvalidError: ``invalid_cid``.
            UnreachableError: ``node_error``.
        """
        try:
            self.size(cid)
        except UndeterminedError:
            return False
        return True

    def size(self, cid: str) -> int:
        """Return the bytes of a file.

        Raises:
            UndeterminedError: ``missing_content``.
            InvalidError: ``invalid_cid``.
            UnreachableError: ``node_error``.
        """
        with closing(self._ask("HEAD", cid)) as response:
            length = response.header("content-length")
        if length is None or not (length.isascii() and length.isdigit() and len(length) < 20):
            raise self.failed("it does not state the size of the file")
        return int(length)

    def open(self, cid: str) -> IO[bytes]:
        """Open a file to read it; the end is reached only if the content matches its CID.

        Raises:
            UndeterminedError: ``missing_content``.
            InvalidError: ``invalid_cid``.
            UnreachableError: ``node_error``. Reading may raise it, too, or NotVerifiedError
                ``cid_mismatch``.
        """
        return io.BufferedReader(_Checked(self, cid, self._ask("GET", cid)), PIECE_BYTES)

    def begin(self, cid: str, start: int) -> tuple[int, Response]:
        """Ask for a file from a byte on; what comes is not checked.

        Returns:
            The byte at which it begins, and the response.

        Raises:
            UndeterminedError: ``missing_content``.
            UnreachableError: ``node_error``.
        """
        response = self._ask("GET", cid, headers={"range": f"bytes={start}-"} if start else None)
        return (start if response.status == 206 else 0), response

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
        hasher = _cid.Hasher() if expected is None else _cid.Matcher(expected)
        while piece := stream.read(PIECE_BYTES):
            hasher.update(piece)
        if isinstance(hasher, _cid.Hasher):
            cid = hasher.cid().text
        elif hasher.matches:
            cid = str(expected)
        else:
            raise InvalidError(f"this is not the content of {expected}", code="cid_mismatch")
        stream.seek(start)
        with closing(self._ask("PUT", cid, (stream, hasher.size))) as response:
            return Stored(cid, hasher.size, response.status == 201)

    def _ask(
        self,
        method: str,
        cid: str,
        body: tuple[IO[bytes], int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return a successful response; the caller closes it."""
        _cid.parse(cid)
        target = f"/twin/v1/content/{cid}"
        response = self.request(method, target, body, headers)
        if response.status in {200, 201, 206}:
            return response
        with closing(response):
            said = response.read(1 << 16)
        if response.status == 401 and method == "GET" and _wants_signature(response):
            return self._signed(target, cid, headers or {}, _message(said))
        raise self._refused(response.status, _message(said), cid)

    def _signed(self, target: str, cid: str, headers: Mapping[str, str], message: str) -> Response:
        """Return the response to a request that says who asks, the first that may have it.

        Raises:
            LockedError: ``no_grant``.
        """
        asked = 0
        for signer in () if self._signers is None else self._signers():
            asked += 1
            response = self.request("GET", target, None, {**headers, **self._who(signer, target)})
            if response.status in {200, 206}:
                return response
            with closing(response):
                message = _message(response.read(1 << 16)) or message
            if response.status not in {401, 403}:
                raise self._refused(response.status, message, cid)
        hint = "name the key that was granted access: --key NAME"
        if asked:
            hint = "ask the owner for a grant: twin grant add TWIN --to NAME --role viewer"
        raise LockedError(f"{self.url} denies access: {message}", code="no_grant", hint=hint)

    def _who(self, signer: Signer, target: str) -> dict[str, str]:
        """Return the headers that say who asks; a token moves out of their way."""
        now_ms = time.time_ns() // 1_000_000
        nonce = os.urandom(signed_request.NONCE_BYTES)
        found = {"authorization": signed_request.header(signer, "GET", target, now_ms, nonce)}
        for name, value in self.headers.items():
            scheme, _, token = value.partition(" ")
            if name.lower() == "authorization" and scheme.lower() == "bearer":
                found["app_key"] = token.strip()
        return found

    def _refused(self, status: int, message: str, cid: str) -> TwinError:
        if status == 404:
            return UndeterminedError(
                f"{self.url} does not have the content {cid}", code="missing_content"
            )
        if status == 413:
            return InvalidError(message or "the file is too large for the node", code="too_large")
        if status in {401, 403}:
            return ConfigError(f"{self.url} denies access: {message or status}", code="not_allowed")
        return self.failed(message or f"status {status}")


class _Checked(io.RawIOBase):
    """The content that a node sends, compared with its CID at the end."""

    def __init__(self, node: NodeContent, cid: str, response: Response) -> None:
        self._node = node
        self._cid = cid
        self._response = response
        self._matcher = _cid.Matcher(cid)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        data = self._response.read(len(buffer))
        buffer[: len(data)] = data
        self._matcher.update(data)
        if self._matcher.size > self._node.largest:
            raise self._node.failed(f"the file is larger than {self._node.largest} bytes")
        if not data and not self._matcher.matches:
            raise NotVerifiedError(
                f"the content that {self._node.url} sent is not {self._cid}",
                code="cid_mismatch",
                hint="it was cut short or altered; ask another node",
            )
        return len(data)

    def close(self) -> None:
        """Close the connection."""
        self._response.close()
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


def _wants_signature(response: Response) -> bool:
    scheme = (response.header("www-authenticate") or "").partition(" ")[0]
    return scheme.lower() == signed_request.SCHEME.lower()


def _message(data: bytes) -> str:
    """Return the message of a node's error; empty where it has none."""
    try:
        found = json.loads(data).get("message")
    except (ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""
