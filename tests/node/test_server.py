"""Sockets, limits, tokens, TLS: what strangers can do to a node, and what they cannot."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

import pytest
import uvicorn
from uvicorn.server import ServerState

from tests.ledger.chains import ALICE, Tx, chain, create, spend
from tests.node.running import HASH, Answer, Running, running
from tests.plugins.tools import require_tool
from twincli.content.store import Blobs
from twincli.crypto import cid
from twincli.errors import ConfigError, ConflictError, TwinError, UsageError
from twincli.ledger import Ledger
from twincli.ledger import index as search
from twincli.ledger.index import Index
from twincli.ledger.rows import Row
from twincli.ledger.store import Store
from twincli.node import access, content, readers, server
from twincli.node.app import App
from twincli.node.node import Node, Options
from twincli.node.request import Request
from twincli.node.server import Listening, Server
from twincli.node.writing import bodies
from twincli.node.writing.writer import Writer

TOKEN = "0123456789abcdef"
UPGRADE = (
    b"GET /api/v1/streams/valid_blocks HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n"
    b"connection: Upgrade\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def raw(node: Running, data: bytes, *, timeout: float = 20) -> bytes:
    """Send bytes and return all that comes until the node closes."""
    place = urlsplit(node.url)
    assert place.port is not None
    with socket.create_connection((str(place.hostname), place.port), timeout=timeout) as sock:
        sock.sendall(data)
        found = b""
        with suppress(ConnectionResetError):  # what was sent and not read resets the connection
            while piece := sock.recv(65536):
                found += piece
        return found


# --- Limits ---------------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with running(tmp_path / "l", Options(max_body=2000)) as node:
        head = b"POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\n"
        answer = raw(node, head + b"content-length: 1000000000\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"larger than 2000 bytes" in answer
        chunk = b"400\r\n" + b"x" * 0x400 + b"\r\n"
        answer = raw(node, head + b"transfer-encoding: chunked\r\n\r\n" + chunk * 3)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert node.post(create()).status == 202


@pytest.mark.parametrize("path", ["/api/v1/transactions", "/twin/v1/histories"])
def test_a_client_that_sends_too_much_reads_why(path: str, node: Running) -> None:
    body = b"x" * (9 << 20)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    place = urlsplit(node.url)
    for _ in range(5):
        with socket.create_connection((str(place.hostname), place.port or 0), timeout=20) as sock:
            sock.sendall(head + body)
            found = b""
            while piece := sock.recv(65536):
                found += piece
        assert found.startswith(b"HTTP/1.1 413 ")
        assert found.endswith(b'"status":413}')


def test_a_client_does_not_send_for_ever(node: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LINGER_SECONDS", 0.3)
    head = b"POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n"
    place = urlsplit(node.url)
    with socket.create_connection((str(place.hostname), place.port or 0), timeout=20) as sock:
        sock.sendall(head)
        with pytest.raises(OSError, match=r"(?i)reset|pipe|abort"):
            for _ in range(1000):
                sock.sendall(b"x" * 100)
                time.sleep(0.01)
    monkeypatch.setattr(server, "LINGER_SECONDS", 60)
    monkeypatch.setattr(server, "LINGER_BYTES", 1 << 20)
    with (
        socket.create_connection((str(place.hostname), place.port or 0), timeout=20) as sock,
        pytest.raises(OSError, match=r"(?i)reset|pipe|abort"),
    ):
        sock.sendall(head + b"x" * (64 << 20))


def test_a_large_transaction_is_taken(node: Running) -> None:
    tx = create(data={"text": "x" * 500_000})
    assert node.post(tx).json == tx
    assert node.get(f"/api/v1/transactions/{tx['id']}").json == tx
    assert node.post(tx).status == 400
    broken = json.dumps(tx).encode()[:-1]
    assert node.post(broken).status == 400


def test_too_many_bodies_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_HELD", 40_000)
    head = b"POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\n"
    with running(tmp_path / "l") as node:
        place = urlsplit(node.url)
        with socket.create_connection((str(place.hostname), place.port or 0)) as sock:
            sock.sendall(head + b" " * 30_000)
            until = time.monotonic() + 10
            while node.node.bodies.large.used < 30_000 and time.monotonic() < until:
                time.sleep(0.01)
            answer = node.post(create(data={"text": "x" * 20_000}))
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert node.post(create()).status == 202


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 408),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx-", 408),
        (b"POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{", None),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 200_000, 431),
        (b"GET /" + b"a" * 200_000, 431),
        (b"no HTTP\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
    ],
    ids=["silent", "half a head", "half a body", "large head", "long path", "no HTTP", "version"],
)
def test_clients_that_do_not_finish(
    data: bytes, status: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SLOW_SECONDS", 0.3)
    with running(tmp_path / "l") as node:
        answer = raw(node, data)
        if status is None:
            assert answer == b""  # the request is cut off
        elif status != 431 or answer:
            assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert node.get("/healthz").status == 200


@pytest.mark.parametrize(
    ("first", "body", "status"),
    [
        (b"POST", b"content-length: 4\r\n\r\nabcd", b"400"),
        (b"PUT", b"\r\n", b"400"),
        (b"GET", b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"GET", b"transfer-encoding: chunked\r\n\r\n5\r\nab", b"400"),
        (b"GET", b"content-length: 9\r\n\r\nab", b"400"),
    ],
)
def test_what_cannot_become_a_websocket_does_not_stay(
    first: bytes, body: bytes, status: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SLOW_SECONDS", 0.3)
    head = UPGRADE.replace(b"GET", first).removesuffix(b"\r\n")
    with running(tmp_path / "l") as node:
        assert raw(node, head + body, timeout=5).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    "behind",
    [
        b"no HTTP\r\n\r\n",
        UPGRADE,
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 200_000,
        b"POST /nosuch HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
    ],
    ids=["no HTTP", "a stream", "half a head", "large head", "a broken body"],
)
def test_what_comes_behind_a_request_does_not_take_its_answer(
    behind: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SLOW_SECONDS", 0.2)
    tx = create()
    body = json.dumps(tx).encode()
    head = b"POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
    with running(tmp_path / "l") as node:
        with Ledger.open(node.path) as other, ThreadPoolExecutor(1) as pool:
            with other.store.writing():
                answer = pool.submit(raw, node, head % len(body) + body + behind)
                time.sleep(0.6)  # longer than a head may take
                assert not answer.done()
            found = answer.result()
        assert found.startswith(b"HTTP/1.1 202 ")
        assert json.loads(found.partition(b"\r\n\r\n")[2]) == tx  # and nothing else
        assert b"\r\nconnection: close\r\n" in found


def test_who_asks_nothing_more_is_answered(node: Running) -> None:
    place = urlsplit(node.url)
    body = json.dumps(create()).encode()
    head = b"POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
    with socket.create_connection((str(place.hostname), place.port or 0), timeout=20) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" + head % len(body) + body)
        sock.shutdown(socket.SHUT_WR)
        found = b""
        while piece := sock.recv(65536):
            found += piece
    assert found.startswith(b"HTTP/1.1 200 ")
    assert found.count(b"HTTP/1.1 202 ") == 1


def test_a_fault_in_the_middle_of_an_answer_is_not_written_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head_is_there = threading.Event()

    async def slow(*_: object) -> None:
        head_is_there.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(App, "_rest", slow)
    monkeypatch.setattr(server, "STOP_SECONDS", 1)
    with running(tmp_path / "l", Options(content=Blobs(str(tmp_path / "content")))) as node:
        name = cid.of(b"x").text
        assert node.ask("PUT", f"/twin/v1/content/{name}", b"x").status == 201
        place = urlsplit(node.url)
        with socket.create_connection((str(place.hostname), place.port or 0), timeout=20) as sock:
            start = f"GET /twin/v1/content/{name} HTTP/1.1\r\nhost: x\r\n"
            sock.sendall(start.encode() + b"transfer-encoding: chunked\r\n\r\n")
            assert head_is_there.wait(20)
            sock.sendall(b"xyz\r\n")
            found = b""
            while piece := sock.recv(65536):
                found += piece
        assert found.startswith(b"HTTP/1.1 200 ")
        assert found.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_refused_is_read_on_only_while_more_comes(*, whole: bool) -> None:
    """Nothing comes behind a body that is there, and waiting for it would delay the answer."""
    messages = [{"type": "http.request", "body": b"12", "more_body": True}]
    if whole:
        messages.append({"type": "http.request", "body": b"3", "more_body": False})
    else:
        messages.append({"type": "http.disconnect"})

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def use() -> None:
        upload = content.Upload(Request({}, "", receive))
        assert await upload.piece() == b"12"
        for _ in range(2):
            await upload.drain()

    asyncio.run(use())
    assert messages == []


def test_who_sends_a_body_behind_its_answer_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "IDLE_SECONDS", 0.2)
    with running(tmp_path / "l") as node:
        place = urlsplit(node.url)
        with socket.create_connection((str(place.hostname), place.port or 0), timeout=10) as sock:
            sock.sendall(b"POST /nosuch HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 404 ")
            sock.sendall(b"x")
            while sock.recv(65536):
                pass


def test_a_slow_body_is_taken_while_enough_of_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SLOW_SECONDS", 0.4)
    monkeypatch.setattr(server, "SLOW_BYTES", 100)
    tx = create(data={"text": "x" * 3000})
    body = json.dumps(tx).encode()
    with running(tmp_path / "l") as node:
        place = urlsplit(node.url)
        assert place.port is not None
        with socket.create_connection((str(place.hostname), place.port), timeout=20) as sock:
            head = f"POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}"
            sock.sendall(head.encode() + b"\r\n\r\n")
            for at in range(0, len(body), 500):
                sock.sendall(body[at : at + 500])
                time.sleep(0.15)
            assert sock.recv(65536).startswith(b"HTTP/1.1 202 ")


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"GET / HTTP/1.1\r\n", b"a"),
        (b"", b"\r\n"),
        (b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", b"\r\n"),
        (b"POST /api/v1/transactions HTTP/1.1\r\ncontent-length: 1000\r\n\r\n", b"a"),
        (b"POST /api/v1/transactions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5;", b"a"),
    ],
    ids=["head", "empty lines", "empty lines after a request", "body", "chunk"],
)
def test_who_sends_a_byte_now_and_then_does_not_stay(
    first: bytes, drop: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SLOW_SECONDS", 0.3)
    with running(tmp_path / "l") as node:
        place = urlsplit(node.url)
        assert place.port is not None
        with socket.create_connection((str(place.hostname), place.port)) as sock:
            sock.sendall(first)
            until = time.monotonic() + 10
            with suppress(ConnectionError):
                while time.monotonic() < until:
                    sock.sendall(drop)
                    time.sleep(0.05)
            assert time.monotonic() < until


@pytest.mark.parametrize("start", [b"1\r\na\r\n0\r\nx: ", b"1;"], ids=["trailers", "extension"])
def test_what_stands_beside_a_body_is_bounded(node: Running, start: bytes) -> None:
    head = b"POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    with suppress(ConnectionError):
        assert raw(node, head + start + b"a" * 1_000_000, timeout=10) == b""
    body = json.dumps(create()).encode()
    chunks = b"".join(b"1;%s\r\n%c\r\n" % (b"x" * 100, byte) for byte in body)
    close = head.replace(b"host: x", b"host: x\r\nconnection: close")
    assert raw(node, close + chunks + b"0\r\n\r\n").startswith(b"HTTP/1.1 202 ")


class Transport(asyncio.Transport):
    """A connection whose other side takes what the test says."""

    def __init__(self, untaken: list[int]) -> None:
        super().__init__()
        self.untaken = untaken
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def get_write_buffer_size(self) -> int:
        size = self.untaken.pop(0) if len(self.untaken) > 1 else self.untaken[0]
        if size == 0 and not self.ended.done():
            self.ended.set_result("taken")
        return size

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def abort(self) -> None:
        self.ended.set_result("aborted")


@pytest.mark.parametrize(
    "event",
    [
        "pause_writing",
        "resume_writing",
        "on_response_complete",
        "timeout_keep_alive_handler",
    ],
)
def test_who_takes_something_stays_and_who_takes_nothing_does_not(
    event: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STALL_SECONDS", 0.01)

    async def end(untaken: list[int]) -> str:
        config = uvicorn.Config(lambda: None, http=server.Protocol, lifespan="off", log_config=None)
        protocol = server.Protocol(config, ServerState(), {}, connections=access.Open(0))
        transport = Transport(untaken)
        protocol.connection_made(transport)
        getattr(protocol, event)()
        found = await asyncio.wait_for(transport.ended, 10)
        assert (found == "aborted") == (untaken == [70])
        protocol.connection_lost(None)
        return found

    assert asyncio.run(end([100, 90, 90, 80, 80, 70])) == "aborted"
    assert asyncio.run(end([100, 90, 90, 80, 80, 0])) == "taken"


def test_hundreds_of_silent_connections_hold_nobody_up(node: Running) -> None:
    place = urlsplit(node.url)
    assert place.port is not None
    silent = [socket.create_connection((str(place.hostname), place.port)) for _ in range(400)]
    try:
        for sock in silent[::2]:
            sock.sendall(b"POST /api/v1/transactions HTTP/1.1\r\ncontent-length: 900\r\n\r\n{")
        for height, tx in enumerate(chain(3), 1):
            assert node.post(tx).status == 202
            assert node.get(f"/api/v1/blocks?transaction_id={tx['id']}").json == [height]
    finally:
        for sock in silent:
            sock.close()


def test_a_rate(tmp_path: Path) -> None:
    with running(tmp_path / "l", Options(rate=2)) as node:
        found = [node.get("/healthz") for _ in range(8)]
        assert [answer.status for answer in found[:4]] == [200] * 4
        assert found[-1].status == 429
        assert found[-1].headers["retry-after"] == "1"


def test_the_rate_of_one_client_is_not_that_of_another() -> None:
    now = [0.0]
    rate = access.Rate(1, lambda: now[0])
    assert [rate.wait("a") for _ in range(3)] == [0, 0, 1]
    assert rate.wait("b") == 0
    now[0] = 1.0
    assert [rate.wait("a") for _ in range(2)] == [0, 1]
    for number in range(access.MAX_CLIENTS + 10):
        rate.wait(str(number))
    assert rate.wait("a") == 0  # those not seen for longest are forgotten
    assert rate.wait(str(access.MAX_CLIENTS + 9)) == 0
    assert rate.wait(str(access.MAX_CLIENTS + 9)) == 1
    assert access.Rate().wait("a") == 0


# --- Who may --------------------------------------------------------------------------------------


def test_a_token_in_every_form(tmp_path: Path) -> None:
    with running(tmp_path / "l", Options(tokens=(b"x" * 20, TOKEN.encode()))) as node:
        for headers, status in [
            ({}, 401),
            ({"Authorization": f"Bearer {TOKEN}"}, 200),
            ({"authorization": f"bearer {TOKEN}"}, 200),
            ({"app_id": "car", "app_key": TOKEN}, 200),
            ({"app_key": "x" * 20}, 200),
            ({"Authorization": f"Basic {TOKEN}"}, 401),
            ({"Authorization": f"Bearer {TOKEN}x"}, 401),
            ({"app_id": TOKEN}, 401),
        ]:
            assert (headers, node.get("/api/v1", **headers).status) == (headers, status)
            assert node.get("/metrics", **headers).status == status
        answer = node.post(create())
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert node.get("/healthz").status == 200
        assert node.ask("OPTIONS", "/api/v1/transactions").status == 200


@pytest.mark.parametrize("text", ["", "\n\n", "short\n", "has blanks in its midst\n", "é" * 20])
def test_token_files_that_do_not_do(text: str, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        access.read_tokens(str(path))
    assert caught.value.code == "bad_tokens"
    assert text.strip() == "" or text.strip() not in caught.value.message


def test_token_files(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    with pytest.raises(ConfigError, match="does not exist"):
        access.read_tokens(str(path))
    path.write_text(f"{TOKEN}\n\n  {TOKEN}2 \n")
    path.chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        access.read_tokens(str(path))
    assert caught.value.code == "insecure_permissions"
    path.chmod(0o600)
    assert access.read_tokens(str(path)) == (TOKEN.encode(), TOKEN.encode() + b"2")
    path.write_bytes(b"\xef\xbb\xbf" + TOKEN.encode() + b"\r\n")  # as Notepad saves it
    assert access.read_tokens(str(path)) == (TOKEN.encode(),)
    for data in (TOKEN.encode("utf-16"), TOKEN.encode() + b"\0", b"\x30\x82\xff"):
        path.write_bytes(data)
        with pytest.raises(ConfigError, match=r"not UTF-8|NUL|DER") as caught:
            access.read_tokens(str(path))
        assert caught.value.code == "bad_tokens"


def test_read_only(tmp_path: Path) -> None:
    tx = create()
    with Ledger.open(tmp_path / "l") as ledger:
        ledger.submit(tx)
    with running(tmp_path / "l", Options(read_only=True)) as node:
        answer = node.post(create(1))
        message = {"message": "this node is read-only", "status": 403}
        assert (answer.status, answer.json) == (403, message)
        assert node.get(f"/api/v1/transactions/{tx['id']}").json == tx


# --- Web pages ------------------------------------------------------------------------------------

APP = "https://app.example"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost", True),
        ("http://localhost:3000", True),
        ("https://LOCALHOST:3000", True),
        ("http://app.localhost:80", True),
        ("http://127.0.0.1:8080", True),
        ("http://127.8.8.8", True),
        ("http://[::1]:8080", True),
        (APP, True),
        ("HTTPS://App.Example", True),
        ("http://app.example", False),
        (f"{APP}:8443", False),
        (f"{APP}.evil.example", False),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://127.0.0.1@evil.example", False),
        ("http://localhost@evil.example", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0", False),
        ("http://[::]", False),
        ("chrome-extension://localhost", False),
        ("file://", False),
        ("null", False),
        ("", False),
        ("*", False),
    ],
)
def test_pages_that_may_use_the_node(origin: str, *, allowed: bool, tmp_path: Path) -> None:
    with running(tmp_path / "l", Options(origins=(APP,))) as node:
        headers = {"origin": origin}
        found = [
            node.get("/api/v1", **headers),
            node.post(create(), **headers),
            node.ask("OPTIONS", "/api/v1/transactions", headers=headers),
            node.get("/healthz", **headers),
            node.get("/nowhere", **headers),
        ]
        told = [200, 202, 200, 200, 404] if allowed else [403] * 5
        assert [answer.status for answer in found] == told
        for answer in found:
            assert answer.headers.get("access-control-allow-origin") == (
                origin if allowed else None
            )
            assert "origin" in answer.headers["vary"]
        assert ("access-control-allow-methods" in found[2].headers) == allowed
        height = node.get("/healthz").json["height"]
        assert height == (1 if allowed else 0)
        upgrade = UPGRADE.replace(b"\r\n\r\n", f"\r\norigin: {origin}\r\n\r\n".encode())
        place = urlsplit(node.url)
        with socket.create_connection((place.hostname or "", place.port or 0), timeout=20) as sock:
            sock.sendall(upgrade)
            status = b"101" if allowed else b"403"
            assert sock.recv(65536).startswith(b"HTTP/1.1 %s " % status)


def test_all_pages_may_use_it_where_that_is_said(tmp_path: Path) -> None:
    with running(tmp_path / "l", Options(origins=("*",))) as node:
        for headers in ({}, {"origin": "null"}, {"origin": "https://evil.example"}):
            answer = node.get("/api/v1", **headers)
            assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")
        assert node.ask("OPTIONS", "/api/v1", headers=headers).status == 200


def test_of_two_origins_both_must_fit(node: Running) -> None:
    head = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\norigin: http://localhost\r\n"
    assert raw(node, head + b"\r\n").startswith(b"HTTP/1.1 200 ")
    assert raw(node, head + b"origin: http://evil.example\r\n\r\n").startswith(b"HTTP/1.1 403 ")


# --- Behind a proxy -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "headers", "url"),
    [
        (Options(), {"x-forwarded-proto": "https"}, "ws://a.example:1"),
        (Options(behind_proxy=True), {"x-forwarded-proto": "https"}, "wss://a.example:1"),
        (Options(behind_proxy=True), {"x-forwarded-proto": "https, http"}, "ws://a.example:1"),
        (Options(behind_proxy=True), {}, "ws://a.example:1"),
        (Options(advertise="https://n.example/twin"), {}, "wss://n.example/twin"),
        (
            Options(advertise="http://n.example:8"),
            {"x-forwarded-proto": "https"},
            "ws://n.example:8",
        ),
    ],
)
def test_where_streams_are_advertised(
    options: Options, headers: dict[str, str], url: str, tmp_path: Path
) -> None:
    with running(tmp_path / "l", options) as node:
        found = node.get("/api/v1", host="a.example:1", **headers).json["streams"]
        assert found == f"{url}/api/v1/streams/valid_transactions"


@pytest.mark.parametrize("behind_proxy", [False, True])
def test_who_asks_is_what_a_trusted_proxy_says(*, behind_proxy: bool, tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = []
    options = Options(rate=1, behind_proxy=behind_proxy, log=entries.append)
    with running(tmp_path / "l", options) as node:
        # What stands before the last entry is what the client claimed.
        found = [
            node.get("/healthz", **{"x-forwarded-for": f"1.1.1.1, 10.0.0.{n}"}).status
            for n in range(6)
        ]
    assert (429 in found) != behind_proxy
    assert entries[5]["client"] == ("10.0.0.5" if behind_proxy else "127.0.0.1")


def test_the_addresses_of_one_client() -> None:
    assert access.network_of("10.0.0.1") == "10.0.0.1"
    assert access.network_of("::ffff:10.0.0.1") == "10.0.0.1"
    assert access.network_of("2001:db8:1:2::5") == access.network_of("2001:db8:1:2:ffff::9")
    assert access.network_of("2001:db8:1:2::5") != access.network_of("2001:db8:1:3::5")
    assert access.network_of("fe80::1%eth0") == access.network_of("fe80::2%eth0")
    assert access.network_of("") == ""


def test_connections_of_one_address(tmp_path: Path) -> None:
    listening = Listening(port=0, per_address=3)
    with running(tmp_path / "l", listening=listening) as node, ExitStack() as stack:
        place = urlsplit(node.url)
        for _ in range(3):
            sock = stack.enter_context(
                socket.create_connection((place.hostname or "", place.port or 0))
            )
            sock.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        refused = raw(node, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in refused
        stack.close()
        until = time.monotonic() + 10
        while True:
            with suppress(OSError):
                if node.get("/healthz").status == 200:
                    break
            assert time.monotonic() < until
        assert not raw(node, b"no HTTP\r\n\r\n").startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize("behind_proxy", [False, True])
def test_streams_of_one_address(*, behind_proxy: bool, tmp_path: Path) -> None:
    """A quarter of all, unless a proxy stands for all addresses."""
    options = Options(max_streams=80, behind_proxy=behind_proxy)
    with running(tmp_path / "l", options) as node, ExitStack() as stack:
        place = urlsplit(node.url)
        found = []
        for _ in range(81):
            sock = stack.enter_context(
                socket.create_connection((place.hostname or "", place.port or 0), timeout=20)
            )
            sock.sendall(UPGRADE)
            found.append(sock.recv(65536)[9:12])
        most = 80 if behind_proxy else 20
        assert found == [b"101"] * most + [b"503"] * (81 - most)


# --- TLS ------------------------------------------------------------------------------------------


def certificate(directory: Path, name: str) -> tuple[str, str]:
    """Make a certificate that is its own authority."""
    openssl = require_tool("openssl")
    cert, key = str(directory / f"{name}.pem"), str(directory / f"{name}.key")
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", cert),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def test_tls_and_certificates_of_clients(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "node")
    other_cert, other_key = certificate(tmp_path, "device")
    listening = Listening(port=0, tls_cert=cert, tls_key=key, tls_client_ca=other_cert)
    with running(tmp_path / "l", listening=listening) as node:
        assert node.url.startswith("https://")
        context = ssl.create_default_context(cafile=cert)

        def get() -> str:
            opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
            with opener.open(f"{node.url}/", timeout=10) as answer:
                found: str = json.load(answer)["api"]["v1"]["streams"]
                return found

        with pytest.raises(OSError, match=r"(?i)certificate|reset|eof|closed"):
            get()
        context.load_cert_chain(other_cert, other_key)
        assert get() == f"{node.ws_url}/api/v1/streams/valid_transactions"
        assert node.ws_url.startswith("wss://")


def test_a_handshake_that_does_not_come_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "HANDSHAKE_SECONDS", 0.3)
    cert, key = certificate(tmp_path, "node")
    listening = Listening(port=0, tls_cert=cert, tls_key=key)
    with running(tmp_path / "l", listening=listening) as node:
        for data in (b"", b"\x16\x03\x01"):
            assert raw(node, data, timeout=10) == b""
    assert caplog.messages == []


def test_tls_files_that_do_not_do(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "node")
    _, other_key = certificate(tmp_path, "other")
    (tmp_path / "text").write_text("no certificate")
    for files in [
        (str(tmp_path / "nothing"), None, None),
        (str(tmp_path / "text"), None, None),
        (cert, other_key, None),
        (cert, key, str(tmp_path / "text")),
    ]:
        with pytest.raises(ConfigError) as caught:
            Server(Listening("127.0.0.1", 0, None, *files))
        assert caught.value.code == "bad_tls"


# --- Sockets --------------------------------------------------------------------------------------


def test_an_address_that_is_taken() -> None:
    first = Server(Listening(port=0))
    try:
        port = int(first.url.rpartition(":")[2])
        for listening in (Listening(port=port), Listening(port=0, ws_port=port)):
            with pytest.raises(ConflictError) as caught:
                Server(listening)
            assert caught.value.code == "address_in_use"
    finally:
        first.close()


def test_hosts() -> None:
    assert server.is_loopback("127.0.0.1")
    assert server.is_loopback("localhost")
    assert server.is_loopback("::1")
    assert not server.is_loopback("0.0.0.0")
    assert not server.is_loopback("::")
    for host in ("no.such.host.invalid", "a" * 300, "."):
        with pytest.raises(UsageError, match="there is no host"):
            server.is_loopback(host)
    with pytest.raises(ConfigError) as caught:
        Server(Listening("192.0.2.1", 0))  # an address for documentation, nobody's own
    assert caught.value.code == "cannot_listen"


def test_of_what_a_stop_cuts_off_no_traceback_is_told(
    node: Running, caplog: pytest.LogCaptureFixture
) -> None:
    assert node.get("/healthz").status == 200  # the node has set up its log
    log = logging.getLogger("uvicorn.error")
    for error in (asyncio.CancelledError(), KeyError("a bug")):
        log.error("Exception in ASGI application", exc_info=error)
    told = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert told == [KeyError]


# --- Many at once ---------------------------------------------------------------------------------


def test_clients_share_blocks_and_each_gets_its_own_answer(node: Running) -> None:
    txs = [create(number) for number in range(120)]
    answers: dict[int, int] = {}

    def client(numbers: range) -> None:
        for number in numbers:
            answer = node.post(txs[number])
            assert answer.json == txs[number]
            answers[number] = answer.status

    threads = [threading.Thread(target=client, args=(range(at, 120, 12),)) for at in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == dict.fromkeys(range(120), 202)
    with Ledger.open(node.path) as ledger:
        assert ledger.counts()["transactions"] == 120
        assert ledger.tip().height <= 120
        assert ledger.verify().problems == []


def test_of_two_that_spend_one_output_one_is_told(node: Running) -> None:
    tx = create()
    assert node.post(tx).status == 202
    spenders = [spend((tx, 0), metadata={"n": number}) for number in range(8)]
    found: list[tuple[int, Tx]] = []
    threads = [
        threading.Thread(target=lambda each=each: found.append((node.post(each).status, each)))
        for each in spenders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in found) == [202] + [400] * 7
    (winner,) = [each for status, each in found if status == 202]
    assert node.get(f"/api/v1/outputs?public_key={ALICE.public_key}&spent=false").json == [
        {"transaction_id": winner["id"], "output_index": 0}
    ]


def test_two_nodes_over_one_ledger(tmp_path: Path) -> None:
    txs = chain(6)
    with running(tmp_path / "l") as first, running(tmp_path / "l") as second:
        for number, tx in enumerate(txs):
            assert (first, second)[number % 2].post(tx).status == 202
        for node in (first, second):
            found = node.get(f"/api/v1/transactions?asset_id={txs[0]['id']}").json
            assert found == txs


def test_a_long_listing_comes_in_pieces_and_whole(node: Running) -> None:
    first = create()
    with Ledger.open(node.path) as ledger:
        ledger.submit(first)
        ids = ledger.append_many(ALICE, first["id"], ({"n": n} for n in range(2000)))
    found = node.get(f"/api/v1/transactions?asset_id={first['id']}")
    assert found.headers["transfer-encoding"] == "chunked"
    assert [tx["id"] for tx in found.json] == [first["id"], *ids]
    assert node.ask("HEAD", f"/api/v1/transactions?asset_id={first['id']}").body == b""
    found = node.get(f"/api/v1/outputs?public_key={ALICE.public_key}&spent=true")
    assert [ref["transaction_id"] for ref in found.json] == [first["id"], *ids[:-1]]
    block = node.get("/api/v1/blocks/2").json
    assert [tx["id"] for tx in block["transactions"]] == ids


def test_who_does_not_read_on_holds_up_nobody(node: Running) -> None:
    """Each of more listings than there are threads stops in the middle; others are answered."""
    first = create()
    with Ledger.open(node.path) as ledger:
        ledger.submit(first)
        metadata = {"text": "x" * 100_000}
        ids = ledger.append_many(ALICE, first["id"], ({"n": n, **metadata} for n in range(300)))
    place = urlsplit(node.url)
    with ExitStack() as stack:
        for _ in range(3 * readers.THREADS):
            sock = stack.enter_context(
                socket.create_connection((place.hostname or "", place.port or 0))
            )
            sock.sendall(b"GET /api/v1/blocks/2 HTTP/1.1\r\nhost: x\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
        found = node.get(f"/api/v1/transactions?asset_id={first['id']}")
        assert [tx["id"] for tx in found.json] == [first["id"], *ids]
    answered = 'twin_node_requests_total{route="/api/v1/blocks/{height}",method="GET",status="200"}'
    until = time.monotonic() + 10
    while True:  # all of them end once their readers are gone
        lines = node.get("/metrics").body.decode().splitlines()
        if f"{answered} {3 * readers.THREADS}" in lines:
            break
        assert time.monotonic() < until


# --- Running it -----------------------------------------------------------------------------------


def test_health_and_metrics(node: Running) -> None:
    txs = chain(2)
    for tx in txs:
        assert node.post(tx).status == 202
    assert node.post(txs[0]).status == 400
    assert node.get("/nowhere/at/all").status == 404
    assert node.get("/healthz").json == {"status": "ok", "height": 2}
    text = node.get("/metrics").body.decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    route = 'route="/api/v1/transactions",method="POST"'
    assert lines[f'twin_node_requests_total{{{route},status="202"}}'] == "2"
    assert lines[f'twin_node_requests_total{{{route},status="400"}}'] == "1"
    assert lines['twin_node_requests_total{route="other",method="GET",status="404"}'] == "1"
    assert lines['twin_node_transactions_total{verdict="committed"}'] == "2"
    assert lines['twin_node_transactions_total{verdict="refused"}'] == "1"
    assert lines['twin_node_block_transactions_bucket{le="+Inf"}'] == "2"
    assert lines["twin_node_height"] == "2"
    assert lines['twin_node_request_seconds_count{route="/api/v1/transactions"}'] == "3"
    kinds = dict(line[7:].rsplit(" ", 1) for line in text.splitlines() if line[:7] == "# TYPE ")
    assert kinds == {
        "twin_node_requests_total": "counter",
        "twin_node_request_seconds": "histogram",
        "twin_node_transactions_total": "counter",
        "twin_node_block_transactions": "histogram",
        "twin_node_height": "gauge",
        "twin_node_waiting": "gauge",
        "twin_node_stream_readers": "gauge",
    }
    helped = [line.split(" ", 3)[2] for line in text.splitlines() if line.startswith("# HELP ")]
    assert helped == [*kinds]
    for name in lines:  # every sample follows the type of its family
        family = re.sub(r"_(bucket|sum|count)$", "", name.partition("{")[0])
        kind = kinds.get(family) or kinds[name.partition("{")[0]]
        assert text.index(f"# TYPE {family} {kind}\n") < text.index(f"\n{name} ")
    assert "/nowhere" not in text
    node.node.stopping = True
    answer = node.get("/healthz")
    assert (answer.status, answer.json) == (503, {"status": "stopping"})


def test_the_log_holds_no_query_and_no_token(tmp_path: Path) -> None:
    entries: list[dict[str, object]] = []
    with running(tmp_path / "l", Options(tokens=(TOKEN.encode(),), log=entries.append)) as node:
        node.get("/api/v1/assets?search=secret", app_key=TOKEN)
    assert [(entry["method"], entry["path"], entry["status"]) for entry in entries] == [
        ("GET", "/api/v1/assets", 200)
    ]
    assert list(entries[0]) == ["time", "client", "method", "path", "status", "ms"]
    assert "secret" not in str(entries)
    assert TOKEN not in str(entries)


def test_a_ledger_that_cannot_be_written_is_a_503_and_not_a_crash(tmp_path: Path) -> None:
    def broken(node: Node) -> Node:
        elsewhere = str(tmp_path / "nowhere" / "ledger.db")
        node.writer = Writer(elsewhere, node.metrics, lambda: None)
        return node

    with running(tmp_path / "l", wrap=broken) as node:
        for _ in range(2):
            answer = node.post(create())
            assert answer.status == 503
            assert answer.json["message"] == "the node cannot use its files"
        assert node.get("/healthz").json["height"] == 0


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("damaged_ledger", "the ledger is damaged"),
        ("busy", "the ledger is in use by another process"),
        ("cannot_read", "the node cannot use its files"),
    ],
)
@pytest.mark.parametrize("has_log", [False, True])
def test_what_is_at_fault_is_told_without_paths_and_logged_with_them(
    code: str, said: str, has_log: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = f"{tmp_path}/l/ledger.db: something is wrong"

    def broken(node: Node) -> Node:
        def body(_tx_id: str) -> str:
            raise TwinError(whole, code=code)

        node.ledger.body = body  # type: ignore[method-assign,assignment]
        return node

    entries: list[dict[str, object]] = []
    options = Options(log=entries.append if has_log else None)
    with running(tmp_path / "l", options, wrap=broken) as node:
        answer = node.get(f"/api/v1/transactions/{HASH}")
    assert (answer.status, answer.json) == (503, {"message": said, "status": 503})
    assert [entry["error"] for entry in entries] == [f"{code}: {whole}"] * has_log
    assert (f"twin: node: {whole}" in caplog.messages) != has_log


def test_the_index_is_kept_near_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from twincli.node import node as served

    monkeypatch.setattr(served, "INDEX_SECONDS", 0.05)
    with running(tmp_path / "l") as node, Ledger.open(tmp_path / "l") as ledger:
        ledger.submit_many(chain(5))
        until = time.monotonic() + 10
        while ledger.indexed() < 5 and time.monotonic() < until:
            time.sleep(0.02)
        assert ledger.indexed() == 5
        assert node.get("/healthz").json["height"] == 1


def test_an_index_that_cannot_be_kept_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from twincli.node import node as served

    monkeypatch.setattr(served, "INDEX_SECONDS", 0.05)
    catch_up = Index.catch_up
    faults = [TwinError("it is in use", code="busy")]

    def fail_once(index: Index) -> int:
        if faults:
            raise faults.pop()
        return catch_up(index)

    monkeypatch.setattr(Index, "catch_up", fail_once)
    with running(tmp_path / "l"), Ledger.open(tmp_path / "l") as ledger:
        ledger.submit_many(chain(5))
        until = time.monotonic() + 10
        while ledger.indexed() < 5 and time.monotonic() < until:
            time.sleep(0.02)
        assert ledger.indexed() == 5
    assert caplog.messages == ["twin: node: it is in use"]


@pytest.mark.parametrize("by_request", [False, True])
def test_a_stop_does_not_wait_for_the_index(
    by_request: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli.node import node as served

    monkeypatch.setattr(served, "INDEX_SECONDS", 60 if by_request else 0.05)
    monkeypatch.setattr(search, "PAGE", 2)
    rows, interrupt = Store.rows, Ledger.interrupt
    is_begun, is_stopping = threading.Event(), threading.Event()

    def wait_and_read(store: Store, **wanted: Any) -> Iterator[Row]:
        is_begun.set()
        assert is_stopping.wait(20)
        return rows(store, **wanted)

    def interrupt_and_say(ledger: Ledger) -> None:
        interrupt(ledger)
        is_stopping.set()

    monkeypatch.setattr(Store, "rows", wait_and_read)
    monkeypatch.setattr(Ledger, "interrupt", interrupt_and_say)
    answers: list[Answer] = []
    with Ledger.open(tmp_path / "l") as ledger:
        ledger.submit_many(chain(400))
        with running(tmp_path / "l") as node:
            path = f"/api/v1/outputs?public_key={ALICE.public_key}"
            asking = threading.Thread(target=lambda: answers.append(node.get(path)))
            if by_request:
                asking.start()
            assert is_begun.wait(20)
        assert 0 < ledger.indexed() < 400
    if by_request:
        asking.join()
        assert answers[0].status == 503
        assert answers[0].json["message"] == "the node is stopping"


@pytest.mark.parametrize("requests", [1, 3])
@pytest.mark.parametrize("what", ["content", "block"])
def test_a_stop_cuts_off_who_takes_nothing(
    what: str,
    requests: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 1)
    blobs = Blobs(str(tmp_path / "content"))
    large = blobs.put(io.BytesIO(bytes(30_000_000))).cid
    path = f"/twin/v1/content/{large}" if what == "content" else "/api/v1/blocks/2"
    with Ledger.open(tmp_path / "l") as ledger:
        first = create()
        ledger.submit(first)
        metadata = {"text": "x" * 100_000}
        ledger.append_many(ALICE, first["id"], ({"n": n, **metadata} for n in range(200)))
    with ExitStack() as stack, running(tmp_path / "l", Options(content=blobs)) as node:
        place = urlsplit(node.url)
        assert place.port is not None
        sock = stack.enter_context(socket.create_connection((place.hostname, place.port)))
        sock.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode() * requests)
        assert sock.recv(10) == b"HTTP/1.1 2"
    assert caplog.messages == []


def test_a_stop_before_the_start_is_one(tmp_path: Path) -> None:
    found = Server(Listening(port=0))
    found.stop()
    options = Options()
    assert found.serve(lambda: Node(lambda: Ledger.open(tmp_path / "l"), options), lambda: None)


def test_a_stop_that_cuts_an_upload_off_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 1)
    name = cid.of(b"x" * 9).text
    options = Options(content=Blobs(str(tmp_path / "content")))
    with ExitStack() as stack, running(tmp_path / "l", options) as node:
        place = urlsplit(node.url)
        assert place.port is not None
        sock = stack.enter_context(socket.create_connection((place.hostname, place.port)))
        head = f"PUT /twin/v1/content/{name} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"
        sock.sendall(head.encode() + b"x")
        time.sleep(0.3)
    assert "Traceback" not in caplog.text
    assert [path for path in (tmp_path / "content").rglob("*") if path.is_file()] == []


@pytest.mark.ci
def test_a_thousand_connections_that_all_post(tmp_path: Path) -> None:
    async def one(host: str, port: int, number: int, all_open: asyncio.Barrier) -> bytes:
        reader, writer = await asyncio.open_connection(host, port)
        await all_open.wait()
        body = json.dumps(create(number)).encode()
        head = "POST /api/v1/transactions?mode=commit HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer

    async def everybody(url: str) -> list[bytes]:
        place = urlsplit(url)
        host, port = place.hostname or "", place.port or 0
        all_open = asyncio.Barrier(1000)
        return await asyncio.gather(*(one(host, port, n, all_open) for n in range(1000)))

    with running(tmp_path / "l") as node:
        answers = asyncio.run(asyncio.wait_for(everybody(node.url), 120))
        assert {answer[:13] for answer in answers} == {b"HTTP/1.1 202 "}
    with Ledger.open(tmp_path / "l") as ledger:
        assert ledger.counts()["transactions"] == 1000
        assert ledger.tip().height < 500  # many to a block
