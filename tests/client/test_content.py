"""Content on a node: the routes, and the store that asks them."""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import Clock
from twincli.client.bounds import BoundsError, Pace
from twincli.client.content import NodeContent
from twincli.client.fetching import fetch
from twincli.content.store import Blobs
from twincli.crypto import cid
from twincli.errors import (
    ConfigError,
    InvalidError,
    NotVerifiedError,
    TwinError,
    UndeterminedError,
    UnreachableError,
    UsageError,
)

HELLO, HELLO_CID = b"hello world\n", cid.of(b"hello world\n").text
NONE = cid.of(b"not there").text
MOST = 2_000_000


def started(home: Path, *words: str) -> tuple[subprocess.Popen[bytes], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "twincli", "node", "start", "--port", "0", "--json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TWIN_HOME": str(home)},
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["url"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    process, url = started(home, "--max-file", str(MOST))
    with process:
        yield url
        process.terminate()
    assert process.returncode == 0


class Got:
    """An answer, read whole."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()


def asked(url: str, method: str, path: str, body: Any = None, **headers: str) -> Got:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"/twin/v1/content/{path}", body, named)
        return Got(connection.getresponse())
    finally:
        connection.close()


# ------------------------------------------------------------ the routes


def test_a_file_goes_in_once_and_comes_out(url: str, home: Path) -> None:
    data = os.urandom(700_000)
    name = cid.of(data).text
    first, again = asked(url, "PUT", name, data), asked(url, "PUT", name, data)
    assert (first.status, again.status) == (201, 200)
    assert json.loads(first.body) == {"cid": name, "size": 700_000, "created": True}
    got = asked(url, "GET", name)
    assert (got.status, got.body) == (200, data)
    assert got.headers["etag"] == f'"{name}"'
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-disposition"].startswith("attachment")
    head = asked(url, "HEAD", name)
    assert (head.status, head.headers["content-length"], head.body) == (200, "700000", b"")
    assert asked(url, "GET", name, if_none_match=f'"{name}"').status == 304
    assert Blobs(str(home / "content")).check(name)


def test_of_many_that_bring_one_file_one_has_created_it(url: str) -> None:
    data = os.urandom(200_000)
    name = cid.of(data).text
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(asked(url, "PUT", name, data).status))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] * 7 + [201]


@pytest.mark.parametrize(
    ("wanted", "status", "part"),
    [
        ("bytes=0-4", 206, slice(0, 5)),
        ("bytes=6-", 206, slice(6, None)),
        ("bytes=-6", 206, slice(-6, None)),
        ("bytes=-600", 206, slice(0, None)),
        ("bytes=3-600", 206, slice(3, None)),
        ("bytes=12-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=5-3", 200, slice(0, None)),
        ("bytes=-", 200, slice(0, None)),
        ("bytes=0-1,3-4", 200, slice(0, None)),
        ("lines=1-2", 200, slice(0, None)),
        ("bytes=99999999999999999999-", 200, slice(0, None)),
    ],
)
def test_a_part_of_a_file(url: str, wanted: str, status: int, part: slice | None) -> None:
    asked(url, "PUT", HELLO_CID, HELLO)
    got = asked(url, "GET", HELLO_CID, range=wanted)
    assert got.status == status
    if part is not None:
        assert got.body == HELLO[part]
    if status == 206:
        assert part is not None
        start, end, _ = part.indices(12)
        assert got.headers["content-range"] == f"bytes {start}-{end - 1}/12"
    if status == 416:
        assert got.headers["content-range"] == "bytes */12"


def test_what_is_not_what_its_cid_says_is_refused(url: str, home: Path) -> None:
    got = asked(url, "PUT", NONE, b"something else")
    assert got.status == 400
    assert cid.of(b"something else").text in json.loads(got.body)["message"]
    assert asked(url, "GET", NONE).status == 404
    assert not Blobs(str(home / "content")).has(NONE)


def test_what_is_too_large_is_refused(url: str) -> None:
    data = bytes(MOST + 1)
    for body in (data, iter([data[:1000], data[1000:]])):  # with its length said, and without
        assert asked(url, "PUT", cid.of(data).text, body).status == 413
    assert asked(url, "PUT", cid.of(data[:MOST]).text, data[:MOST]).status == 201


@pytest.mark.parametrize("name", ["x", "..%2f..%2fetc%2fpasswd", HELLO_CID.upper(), "%00"])
def test_what_is_no_cid_is_refused(url: str, name: str) -> None:
    for method in ("GET", "PUT", "HEAD"):
        assert asked(url, method, name, b"x" if method == "PUT" else None).status in {400, 404}


def test_what_lies_in_the_place_of_a_file(url: str, home: Path) -> None:
    one = cid.of(b"one").text
    (home / "content" / one[-2:] / one).mkdir(parents=True)
    assert asked(url, "GET", one).status == 404
    names = (cid.of(b"%d" % number).text for number in range(1000))
    other = next(name for name in names if not (home / "content" / name[-2:]).exists())
    place = home / "content" / other[-2:]
    place.write_text("no directory")
    assert asked(url, "GET", other).status == 503
    place.unlink()  # files of other tests may belong there


def test_other_methods_are_not_allowed(url: str) -> None:
    got = asked(url, "DELETE", HELLO_CID)
    assert (got.status, got.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PUT")


def test_a_client_that_goes_away_leaves_nothing(url: str, home: Path) -> None:
    name = cid.of(b"a" * 100_000).text
    host, port = urlsplit(url).hostname, urlsplit(url).port
    with socket.create_connection((host, port or 0)) as connection:
        head = f"PUT /twin/v1/content/{name} HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n"
        connection.sendall(head.encode() + b"a" * 50_000)
    assert asked(url, "GET", name).status == 404
    assert asked(url, "PUT", name, b"a" * 100_000).status == 201
    del home


def test_a_node_that_is_read_only(tmp_path: Path) -> None:
    with started(tmp_path / "home")[0] as first:
        first.terminate()
    process, url = started(tmp_path / "home", "--read-only")
    with process:
        assert asked(url, "PUT", HELLO_CID, HELLO).status == 403
        with pytest.raises(ConfigError) as caught:
            NodeContent(url).put(io.BytesIO(HELLO))
        assert caught.value.code == "not_allowed"
        process.terminate()


# ------------------------------------------------------------ the stores


@pytest.fixture(params=["local", "node"])
def store(request: pytest.FixtureRequest, tmp_path: Path, url: str) -> Blobs | NodeContent:
    if request.param == "local":
        return Blobs(str(tmp_path / "content"), limit=MOST)
    return NodeContent(url)


def test_a_store(store: Blobs | NodeContent) -> None:
    for data in (b"", os.urandom(300_001)):
        made = store.put(io.BytesIO(data))
        assert made.cid == cid.of(data).text
        assert made.size == len(data)
        assert store.put(io.BytesIO(data), made.cid).created is False
        assert store.has(made.cid)
        assert store.size(made.cid) == len(data)
        with store.open(made.cid) as stream:
            assert stream.read() == data


def test_what_a_store_has_not(store: Blobs | NodeContent) -> None:
    assert not store.has(NONE)
    for ask in (store.open, store.size):
        with pytest.raises(UndeterminedError) as caught:
            ask(NONE)
        assert caught.value.code == "missing_content"


def test_what_a_store_refuses(store: Blobs | NodeContent) -> None:
    with pytest.raises(InvalidError) as caught:
        store.put(io.BytesIO(b"x"), NONE)
    assert caught.value.code == "cid_mismatch"
    with pytest.raises(InvalidError) as caught:
        store.put(io.BytesIO(bytes(MOST + 1)))
    assert caught.value.code == "too_large"
    for ask in (store.open, store.size, store.has):
        with pytest.raises(InvalidError) as caught:
            ask("../x")
        assert caught.value.code == "invalid_cid"


# ------------------------------------------------------------ nodes that fail or lie


class Liar(BaseHTTPRequestHandler):
    """Answers as its server's ``say`` tells."""

    def do_GET(self) -> None:
        status, length, body = self.server.say  # type: ignore[attr-defined]
        self.send_response(status)
        if length is not None:
            self.send_header("content-length", str(length))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def liar() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Liar) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def of(liar: Any, *say: Any) -> NodeContent:
    liar.say = say
    return NodeContent(f"http://127.0.0.1:{liar.server_port}/", timeout=5)


def test_altered_content_never_ends_well(liar: Any) -> None:
    for length, body in ((12, b"hello worle\n"), (None, b"hello")):
        with (
            of(liar, 200, length, body).open(HELLO_CID) as stream,
            pytest.raises(NotVerifiedError) as caught,
        ):
            stream.read()
        assert caught.value.code == "cid_mismatch"


def test_content_that_is_cut_short(liar: Any) -> None:
    with of(liar, 200, 12, b"hello").open(HELLO_CID) as stream, pytest.raises(TwinError):
        stream.read()


@pytest.mark.parametrize(
    ("say", "kind", "code"),
    [
        ((500, 2, b"[]"), UnreachableError, "node_error"),
        ((500, 9, b'{"message'), UnreachableError, "node_error"),
        ((401, 21, b'{"message": "a token"}'), ConfigError, "not_allowed"),
        ((413, 0, b""), InvalidError, "too_large"),
        ((302, 0, b""), UnreachableError, "node_error"),
    ],
)
def test_what_a_node_answers(liar: Any, say: Any, kind: type[TwinError], code: str) -> None:
    with pytest.raises(kind) as caught:
        of(liar, *say).open(HELLO_CID)
    assert caught.value.code == code


def test_a_node_that_does_not_say_how_long_a_file_is(liar: Any) -> None:
    with pytest.raises(UnreachableError):
        of(liar, 200, None, b"").size(HELLO_CID)


@contextmanager
def dripping(begin: bytes, drop: bytes, read: int = 65_536) -> Iterator[str]:
    """Serve a node that begins an answer and goes on byte by byte.

    Args:
        begin: What it sends at once.
        drop: What it sends again and again.
        read: Bytes of the request that it reads before, and again and again.
    """
    over = threading.Event()

    def tell(listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(read)
                connection.sendall(begin)
                while not over.wait(0.02):
                    connection.sendall(drop)
                    if read < 65_536:
                        connection.recv(read)

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        teller = threading.Thread(target=tell, args=(listener,))
        teller.start()
        safety = threading.Timer(10, over.set)
        safety.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            safety.cancel()
            over.set()
            teller.join()


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 500 No\r\ncontent-length: 99999\r\n\r\n", b" "),
    ],
)
def test_content_that_comes_byte_by_byte_is_given_up(begin: bytes, drop: bytes) -> None:
    with (
        dripping(begin, drop) as url,
        pytest.raises(UnreachableError, match="too slowly"),
        NodeContent(url, timeout=0.3).open(HELLO_CID) as stream,
    ):
        stream.read()


def test_a_file_that_is_taken_byte_by_byte_is_given_up() -> None:
    with (
        dripping(b"", b"", read=10) as url,
        pytest.raises(UnreachableError, match=r"too slowly|timed out"),
    ):
        NodeContent(url, timeout=0.3).put(io.BytesIO(bytes(30_000_000)))


def test_content_without_end_is_given_up(liar: Any) -> None:
    node = of(liar, 200, 3_000_000, bytes(3_000_000))
    node.largest = 2_000_000
    with node.open(HELLO_CID) as stream, pytest.raises(UnreachableError, match="larger than"):
        stream.read()


def test_a_large_file_that_comes_in_odd_pieces(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(data)
                for piece in (head, data[:5_000], data[5_000:]):
                    connection.sendall(piece)
                    time.sleep(0.1)  # each is read by itself

        thread = threading.Thread(target=serve)
        thread.start()
        node = NodeContent(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=5)
        blobs = Blobs(str(tmp_path / "blobs"))
        fetch(node, blobs, cid.of(data).text)
        thread.join()
    assert blobs.check(cid.of(data).text)


def test_how_slow_is_too_slow(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twincli.client.bounds.time.monotonic", clock)

    def last(rate: int) -> float:
        """Return how long something may go on at a rate, in bytes a second."""
        pace = Pace(10)
        begun = clock.now
        pace.count(1)
        for _ in range(5000):
            clock.advance(1)
            try:
                pace.count(rate)
            except BoundsError:
                break
        return clock.now - begun

    assert last(1000) == 11
    assert last(2000) == last(60_000) == 601
    assert last(70_000) == 5000


def test_no_node() -> None:
    with pytest.raises(UnreachableError):
        NodeContent("http://127.0.0.1:9").has(HELLO_CID)
    for url in ("ftp://x", "x", "http://"):
        with pytest.raises(UsageError):
            NodeContent(url).has(HELLO_CID)
