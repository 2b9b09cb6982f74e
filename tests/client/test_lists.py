"""Fetching status lists: one request, bounded, and what is not a URL."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.running import running
from twincli.client import lists
from twincli.errors import UnreachableError


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the path."""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("location", "/right?a=b")
            self.end_headers()
            return
        size = {"/large": lists.LARGEST + 1, "/cut": 100}.get(self.path, 5)
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("content-length", str(size))
        self.end_headers()
        self.wfile.write(b"x" * (10 if self.path == "/cut" else size))

    def log_message(self, *given: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_there(url: str) -> None:
    assert lists.fetch(f"{url}/right?a=b", 5) == b"xxxxx"
    assert lists.fetch(url, 5) == b"xxxxx"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/gone", "answers 404"),
        ("/moved", "answers 302"),
        ("/large", "more than"),
        ("/cut", "too early"),
    ],
)
def test_what_is_not(url: str, path: str, why: str) -> None:
    with pytest.raises(UnreachableError, match=why):
        lists.fetch(url + path, 5)


@pytest.mark.parametrize(
    "text",
    [
        *("", "nothing", "file:///etc/passwd", "ftp://a/b", "http://", "http://[::1/x"),
        *("http://a:b@127.0.0.1/x", "http://127.0.0.1:x/y", "http://127.0.0.1:99999/y"),
        *("http://a b/", "http://127.0.0.1/\r\nx: y", "http://é/", "http://a/" + "x" * 3000),
        "http://127.0.0.1:9/nobody",
    ],
)
def test_what_is_not_a_url(text: str) -> None:
    with pytest.raises(UnreachableError):
        lists.fetch(text, 0.5)


def test_which_nodes_serve_them(url: str, tmp_path: Path) -> None:
    assert not lists.serves_status(url, {}, 5)
    with running(tmp_path / "ledger") as node:
        assert lists.serves_status(node.url, {}, 5)
