"""Nodes that never come to an end: what they send is bounded, and so is the time they are given."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.client.conftest import Connect
from tests.conftest import Clock
from twincli.client import bounds, transport
from twincli.client.content import NodeContent
from twincli.client.nodes import Nodes
from twincli.crypto import cid
from twincli.errors import TwinError, UnreachableError

OK = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
GZIPPED = OK + b"content-encoding: gzip\r\n\r\n"
HELLO = cid.of(b"hello world\n").text
MOST = 24 << 20
"""Bytes that a client may swallow: its bounds for small answers, and what is on the way."""

ENDLESS = {
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "interim responses with headers": (b"", b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" * 100),
    "head": (OK, b"A: " + b"b" * 1000 + b"\r\n"),
    "line of the head": (OK + b"A: ", b"b" * 5000),
    "status line": (b"HTTP/1.1 200 ", b"O" * 5000),
    "chunk extension": (CHUNKED + b"2;", b"a=b;" * 1000),
    "chunk extensions": (CHUNKED, b"1;" + b"x" * 60000 + b"\r\n \r\n"),
    "trailers": (CHUNKED + b"2\r\n[]\r\n0\r\n", b"A: b\r\n" * 100),
    "empty gzip members": (GZIPPED, gzip.compress(b"") * 100),
    "empty deflate blocks": (
        OK + b"content-encoding: deflate\r\n\r\n\x78\x9c",
        b"\x00\x00\x00\xff\xff" * 1000,
    ),
    "content": (OK + b"\r\n", b" " * 5000),
    "chunks": (CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n"),
    "gzipped content": (GZIPPED, gzip.compress(b" " * 100_000)),
}
OF_CONTENT = {
    name: ENDLESS[name]
    for name in ENDLESS
    if "gzip" not in name and "deflate" not in name and name != "content"
}


class Flood:
    """A node that answers each request with a beginning and then the same bytes without end."""

    def __init__(self, begin: bytes, again: bytes) -> None:
        self.sent = 0
        self.most = 0
        self._begin, self._again = begin, again
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(5)
                asked = b""  # all of it: closing with unread bytes resets the connection
                while not asked.endswith(b"\r\n\r\n") and (part := connection.recv(1 << 16)):
                    asked += part
                connection.sendall(self._begin)
                self.sent = 0
                while self._again:
                    connection.sendall(self._again)
                    self.sent += len(self._again)
                    self.most = max(self.most, self.sent)
                    if self.sent > 4 * MOST:
                        return

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


@contextmanager
def flooding(begin: bytes, again: bytes) -> Iterator[Flood]:
    flood = Flood(begin, again)
    try:
        yield flood
    finally:
        flood.close()


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_answer_is_given_up(name: str, connect: Connect) -> None:
    with flooding(*ENDLESS[name]) as flood:
        with pytest.raises(UnreachableError):
            connect(flood.url).entry("0" * 64)
        assert flood.most < MOST


@pytest.mark.parametrize("name", OF_CONTENT)
def test_an_endless_file_is_given_up(name: str) -> None:
    with flooding(*ENDLESS[name]) as flood:
        node = NodeContent(flood.url, timeout=5, largest=1 << 20)
        with pytest.raises(TwinError), node.open(HELLO) as file:
            file.read()
        with pytest.raises(TwinError):
            node.size(HELLO)
        assert flood.most < MOST


def zipped(text: bytes, times: int) -> bytes:
    """Return a response whose content is little on the wire and large in memory."""
    body = gzip.compress(b"[" + text * times + b"0]")
    return GZIPPED.replace(b"\r\n\r\n", b"\r\ncontent-length: %d\r\n\r\n" % len(body)) + body


@pytest.mark.parametrize(
    "text", [b"[],", b"{},", b'{"a":[]},', b"0,", b"[" * 90 + b"]" * 90 + b","]
)
def test_a_list_of_too_many_values_is_not_parsed(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(*_: object, **__: object) -> None:
        pytest.fail("it was parsed")

    monkeypatch.setattr(transport, "VALUES", 10_000)
    monkeypatch.setattr(json, "loads", parse)
    with flooding(zipped(text, 10_000), b"") as flood:
        nodes = Nodes([flood.url], {}, 5)
        with pytest.raises(UnreachableError, match="too large"):
            nodes.transactions("0" * 64)
        nodes.close()


def test_what_does_not_fit_into_memory_is_an_answer_of_no_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def parse(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(json, "loads", parse)
    with flooding(zipped(b"0,", 3), b"") as flood:
        nodes = Nodes([flood.url], {}, 5)
        with pytest.raises(UnreachableError, match="memory"):
            nodes.transactions("0" * 64)
        nodes.close()


@pytest.mark.parametrize("body", [b"7" * 5000, b"[" * 100_000, b"nonsense", b"\xff", b'"\\ud800"'])
def test_an_odd_answer_is_no_traceback(body: bytes, connect: Connect) -> None:
    with (
        flooding(OK + b"content-length: %d\r\n\r\n" % len(body) + body, b"") as flood,
        pytest.raises(UnreachableError) as caught,
    ):
        connect(flood.url).entry("0" * 64)
    caught.value.message.encode()
    assert len(caught.value.message) < 500


def test_a_head_has_the_time_of_one_timeout(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", clock)
    bound = bounds.Bounds(10)
    for _ in range(10):
        bound.count(5000)
        clock.advance(1.0)
    bound.count(5000)
    clock.advance(1.0)
    with pytest.raises(bounds.BoundsError):
        bound.count(5000)
    # Once the content has begun only the pace counts.
    bound.restart()
    bound.count(5000)
    bound.end_head()
    clock.advance(100.0)
    bound.count(200_000)
    # The slowest pace bounds the whole time of what has a size.
    clock.advance(600.0)
    with pytest.raises(bounds.BoundsError):
        bound.count(5000)
