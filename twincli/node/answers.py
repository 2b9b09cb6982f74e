"""Answers, in the shapes of BigchainDB 2.2.2.

There are two shapes of errors. The server's own has ``message`` and ``status``; that of a wrong
parameter has ``message`` alone. Unknown routes get a page of HTML.

Source: bigchaindb 2.2.2, every answer as captured.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from twincli.ledger import Ledger

Header = tuple[bytes, bytes]

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"
PLAIN = b"text/plain; version=0.0.4; charset=utf-8"


class Answer(NamedTuple):
    """A complete answer."""

    status: int
    body: bytes
    kind: bytes = JSON
    headers: tuple[Header, ...] = ()


class Streamed(NamedTuple):
    """An answer that is read from the ledger while it is sent.

    Attributes:
        texts: Given a ledger, the JSON texts of the items.
        before: Comes before the items.
        after: Comes after them.
    """

    texts: Texts
    before: bytes = b"["
    after: bytes = b"]"


class Sent(NamedTuple):
    """An answer whose body comes from elsewhere, in pieces.

    Attributes:
        answer: Status and headers, ``content-length`` among them.
        pieces: The body.
    """

    answer: Answer
    pieces: AsyncIterator[bytes]


if TYPE_CHECKING:
    from collections.abc import Callable

    Texts = Callable[[Ledger], Iterator[str]]


class RefusedError(Exception):
    """Ends a request with an answer; never leaves the room.

    Args:
        answer: The answer.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def text_of(value: Any) -> str:
    """Return a JSON value as text."""
    return _encode(value)


def of(value: Any, status: int = 200) -> Answer:
    """Return a JSON value as an answer."""
    return Answer(status, _encode(value).encode("utf-8", "backslashreplace"))


def failure(status: int, message: str, *headers: Header) -> Answer:
    """Return an error in the server's own shape."""
    return of({"message": message, "status": status}, status)._replace(headers=headers)


def bare(message: Any, status: int = 400) -> Answer:
    """Return an error in the shape of a wrong parameter: a message, or one for each parameter."""
    return of({"message": message}, status)


def bad(name: str, message: str) -> RefusedError:
    """Return the refusal of one parameter."""
    return RefusedError(bare({name: message}))


NOT_FOUND = failure(404, "Not found")
NOT_JSON = bare("The browser (or proxy) sent a request that this server could not understand.")
NO_SUCH_PAGE = Answer(
    404,
    b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n'
    b"<title>404 Not Found</title>\n"
    b"<h1>Not Found</h1>\n"
    b"<p>The requested URL was not found on the server. If you entered the URL manually please"
    b" check your spelling and try again.</p>\n",
    HTML,
)
