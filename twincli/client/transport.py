"""One HTTP session of the official driver, bounded.

The driver would ask a node that refuses connections again and again until the timeout is over, and
read a response without end.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from twincli.client import tls as _tls
from twincli.client.bounds import Bounds, BoundsError

if TYPE_CHECKING:
    from twincli.client.tls import Tls

LARGEST = 1 << 28
"""Bytes of an answer that lists things, decoded, at most."""

SMALL = 1 << 24
"""Bytes of any other answer at most: one transaction, a height."""

VALUES = 1 << 23
"""Values in an answer at most; each takes about a hundred bytes of memory."""

_PIECE = 1 << 16
_COMPLAINT = 1 << 12
_SEPARATORS = (b",", b"[", b"{")


class UnansweredError(Exception):
    """A node did not answer, or its answer cannot be used.

    Attributes:
        hint: What to do about it, where that is known.
        final: Whether asking again is useless.
    """

    def __init__(self, message: str, hint: str | None = None, *, final: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.final = final


def send_unchanged(request: Any) -> Any:
    """Return a request as it is: authentication for a session that shall add none."""
    return request


def adapter(timeout: float, tls: Tls) -> Any:
    """Return an adapter for a session of ``requests``, which sends each request once.

    Its attribute ``largest`` is the bound of the next answer.
    """
    from requests import Response
    from requests.adapters import HTTPAdapter
    from requests.exceptions import RequestException
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.exceptions import HTTPError

    # ``tls`` already includes the certificates named by the environment.
    certificates = {
        "verify": True if tls.ca is None else tls.ca,
        "cert": tls.cert if tls.cert is None or tls.key is None else (tls.cert, tls.key),
    }
    bounds = Bounds(timeout)
    bounded = bounds.response_class()

    class Plain(HTTPConnectionPool):
        class ConnectionCls(HTTPConnection):
            response_class = bounded

    class Secure(HTTPSConnectionPool):
        class ConnectionCls(HTTPSConnection):
            response_class = bounded

    class Read(Response):
        """A response whose content is already here; it is not copied again and again."""

        body = b""

        @property
        def content(self) -> bytes:
            return self.body

        @property
        def text(self) -> str:
            return self.body[:_COMPLAINT].decode("utf-8", "replace")

        def json(self, **options: Any) -> Any:
            return json.loads(self.body, **options)

    class Adapter(HTTPAdapter):
        largest = SMALL

        def init_poolmanager(self, *given: Any, **options: Any) -> None:
            super().init_poolmanager(*given, **options)
            self.poolmanager.pool_classes_by_scheme = {"http": Plain, "https": Secure}

        def proxy_manager_for(self, *given: Any, **options: Any) -> Any:
            manager = super().proxy_manager_for(*given, **options)
            manager.pool_classes_by_scheme = {"http": Plain, "https": Secure}
            return manager

        def send(self, *given: Any, **options: Any) -> Any:
            try:
                response = super().send(*given, **{**options, **certificates, "stream": True})
                # Read here, so that a response cannot exceed its bounds anywhere else.
                body = _read(response.raw, bounds, self.largest)
            except BoundsError as error:
                raise UnansweredError(str(error)) from error
            except (RequestException, HTTPError, OSError) as error:
                raise unanswered(error, given[0].url) from error
            read = Read()
            vars(read).update(vars(response), body=body, raw=io.BytesIO())
            return read

    return Adapter()


def _read(raw: Any, bounds: Bounds, largest: int) -> bytes:
    """Read the content of a response; hang up as soon as it is too large."""
    pieces = io.BytesIO()
    values = 0
    try:
        while piece := raw.read1(_PIECE, decode_content=True):
            bounds.take(len(piece))
            pieces.write(piece)
            # A few bytes of text can become a hundred in memory.
            values += sum(map(piece.count, _SEPARATORS))
            if pieces.tell() > largest or values > VALUES:
                raise UnansweredError("its answer is too large")
    except BaseException:
        raw.close()
        raise
    raw.release_conn()
    return pieces.getvalue()


def unanswered(error: Exception, url: str = "") -> UnansweredError:
    """Return why a request failed, in a few words."""
    from requests import exceptions

    of_tls = _tls.fault(error) if url.startswith("https:") else None
    if of_tls is not None:
        return UnansweredError(of_tls.message, of_tls.hint, final=of_tls.final)
    if isinstance(error, exceptions.TooManyRedirects):
        return UnansweredError("it redirects elsewhere")
    if isinstance(error, exceptions.Timeout):
        return UnansweredError("it does not answer")
    if isinstance(error, exceptions.ProxyError):
        return UnansweredError("the proxy cannot reach it")
    text = str(error)
    for part, message in (
        ("refused", "connection refused"),
        ("resolve", "no such host"),
        ("Name or service", "no such host"),
        ("unreachable", "no route to it"),
    ):
        if part in text:
            return UnansweredError(message)
    return UnansweredError("the connection was lost")
