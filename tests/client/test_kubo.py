"""Files on an IPFS node, and files that come in several attempts.

The fake speaks Kubo's HTTP API as its reference has it: multipart in, JSON Lines out, errors with
status 500 and a message. With the program ``ipfs`` at hand, the same is asked of a real one;
Kubo 0.42.0 passes.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import Invoke
from twincli.client.fetching import fetch
from twincli.client.kubo import Kubo
from twincli.content.store import Blobs
from twincli.crypto import cid
from twincli.errors import (
    ConfigError,
    ConflictError,
    InvalidError,
    NotVerifiedError,
    UndeterminedError,
    UnreachableError,
)

DATA = os.urandom(600_000)
CID = cid.of(DATA).text


class Fake(ThreadingHTTPServer):
    """An IPFS node.

    Attributes:
        pinned: Content by CID.
        adds: Queries of what was added.
        offsets: At which bytes it was asked.
        cut: It closes the connection after as many bytes of a file, once for each number.
        status: It answers with that, and says so.
        spoil: What it changes in the content that it sends.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.pinned: dict[str, bytes] = {}
        self.adds: list[dict[str, list[str]]] = []
        self.offsets: list[int] = []
        self.cut: list[int] = []
        self.status: tuple[int, str] | None = None
        self.spoil = False
        self.wrong = False
        super().__init__(("127.0.0.1", 0), Answering)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    server: Fake
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.server.status is not None:
            status, message = self.server.status
            return self.send(status, {"Message": message, "Code": 0, "Type": "error"})
        return {
            "/api/v0/add": self.add,
            "/api/v0/pin/ls": self.listed,
            "/api/v0/cat": self.cat,
        }[parts.path](query, body)

    def send(self, status: int, *lines: object) -> None:
        data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def add(self, query: dict[str, list[str]], body: bytes) -> None:
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        whole, part = BytesParser().parsebytes(head + body).walk()
        assert whole.is_multipart()
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        self.server.adds.append(query)
        size = int(query["chunker"][0].removeprefix("size-"))
        profile = next(item for item in cid.PROFILES.values() if item.chunk == size)
        made = cid.of(b"other" if self.server.wrong else data, profile).text
        self.server.pinned[made] = data
        name = part.get_filename()
        self.send(200, {"Name": name, "Bytes": 5}, {"Name": name, "Hash": made, "Size": "1"})

    def listed(self, query: dict[str, list[str]], _body: bytes) -> None:
        (wanted,) = query["arg"]
        if wanted in self.server.pinned:
            return self.send(200, {"Keys": {wanted: {"Type": "recursive"}}})
        message = f"path '/ipfs/{wanted}' is not pinned"
        return self.send(500, {"Message": message, "Code": 0, "Type": "error"})

    def cat(self, query: dict[str, list[str]], _body: bytes) -> None:
        data = self.server.pinned.get(query["arg"][0])
        if data is None:
            message = "block was not found locally (offline): ipld: could not find it"
            return self.send(500, {"Message": message, "Code": 0, "Type": "error"})
        start = int(query["offset"][0])
        self.server.offsets.append(start)
        data = data[start:]
        if self.server.spoil:
            data = b"x" + data[1:]
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        cut = self.server.cut.pop(0) if self.server.cut else len(data)
        for at in range(0, min(cut, len(data)), 65_536):
            piece = data[at : min(at + 65_536, cut)]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if cut >= len(data):
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True
        return None


@pytest.fixture
def fake() -> Iterator[Fake]:
    server = Fake()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "content"))


@pytest.mark.parametrize("profile", cid.PROFILES.values(), ids=lambda item: item.name)
def test_a_file_is_pinned_once(fake: Fake, profile: cid.Profile) -> None:
    kubo, wanted = Kubo(fake.url), cid.of(DATA, profile).text
    assert not kubo.has(wanted)
    assert kubo.pin(io.BytesIO(DATA), wanted, len(DATA), profile).created
    assert fake.pinned == {wanted: DATA}
    (query,) = fake.adds
    assert query["cid-version"] == ["1"]
    assert query["raw-leaves"] == query["pin"] == ["true"]
    assert ("max-file-links" in query) == (profile is cid.LARGE)
    assert not kubo.pin(io.BytesIO(DATA), wanted, len(DATA), profile).created
    assert len(fake.adds) == 1


def test_a_node_that_adds_something_else(fake: Fake) -> None:
    fake.wrong = True
    with pytest.raises(InvalidError) as caught:
        Kubo(fake.url).pin(io.BytesIO(DATA), CID, len(DATA), cid.USUAL)
    assert caught.value.code == "cid_mismatch"


def test_a_node_that_refuses(fake: Fake) -> None:
    for status, error in ((403, ConfigError), (500, UnreachableError), (404, UnreachableError)):
        fake.status = status, "no"
        with pytest.raises(error):
            Kubo(fake.url).has(CID)
    with pytest.raises(UnreachableError):
        Kubo("http://127.0.0.1:9").has(CID)


def test_a_file_that_is_cut_goes_on_where_it_stopped(fake: Fake, blobs: Blobs) -> None:
    fake.pinned[CID] = DATA
    fake.cut = [200_000, 100_000]
    fetch(Kubo(fake.url), blobs, CID)
    assert blobs.check(CID)
    assert fake.offsets == [0, 200_000, 300_000]


def test_the_next_run_goes_on_too(fake: Fake, blobs: Blobs) -> None:
    fake.pinned[CID] = DATA
    fake.cut = [200_000, 0]
    with pytest.raises(UnreachableError):
        fetch(Kubo(fake.url), blobs, CID)
    assert not blobs.has(CID)
    assert list(blobs.cids()) == []
    assert fetch(Kubo(fake.url), blobs, CID) == 200_000
    assert blobs.check(CID)
    assert fake.offsets[-1] == 200_000
    assert [path for path in Path(blobs.directory).rglob("*") if path.is_file()] == [
        Path(blobs.path(CID))
    ]


def test_what_a_liar_began_does_not_spoil_what_others_send(fake: Fake, blobs: Blobs) -> None:
    fake.pinned[CID] = DATA
    fake.spoil, fake.cut = True, [200_000, 0]
    with pytest.raises(UnreachableError):
        fetch(Kubo(fake.url), blobs, CID)
    fake.spoil = False
    fetch(Kubo(fake.url), blobs, CID)
    assert blobs.check(CID)
    assert fake.offsets[-2:] == [200_000, 0]


def test_altered_content_is_never_kept(fake: Fake, blobs: Blobs) -> None:
    fake.pinned[CID] = DATA
    fake.spoil = True
    with pytest.raises(NotVerifiedError):
        fetch(Kubo(fake.url), blobs, CID)
    with pytest.raises(UndeterminedError):
        fetch(Kubo(fake.url), blobs, cid.of(b"nobody has it").text)
    assert not [path for path in Path(blobs.directory).rglob("*") if path.is_file()]


def test_two_that_fetch_the_same(fake: Fake, blobs: Blobs) -> None:
    fake.pinned[CID] = DATA
    with blobs.resuming(CID), pytest.raises(ConflictError):
        fetch(Kubo(fake.url), blobs, CID)
    fetch(Kubo(fake.url), blobs, CID)


def test_pinned_and_fetched_from_the_command_line(
    fake: Fake, invoke: Invoke, home: Path, tmp_path: Path
) -> None:
    assert invoke("keys", "new", "alice", "--no-passphrase").status == 0
    assert invoke("asset", "create", "car").status == 0
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(name.encode())
        assert invoke("file", "attach", "car", str(tmp_path / name)).status == 0
    run = invoke("file", "pin", "car", "--kubo", fake.url, "--json")
    assert [item["status"] for item in run.json["files"]] == ["pinned", "pinned"]
    run = invoke("file", "pin", cid.of(b"one").text, "--kubo", fake.url, "--get", "files.0.status")
    assert run.status == 0
    assert "existing" in run.stdout
    shutil.rmtree(home / "content")
    assert invoke("file", "get", "car", "one").status == 11
    run = invoke("file", "get", "car", "one", "--kubo", fake.url)
    assert run.stdout == "one"
    fake.pinned.clear()
    run = invoke("file", "pin", "car", "--kubo", fake.url, "--json")
    assert run.status == 11
    assert {item["status"] for item in run.json["files"]} == {"pinned", "missing"}


@pytest.mark.ci
def test_a_real_node(tmp_path: Path, blobs: Blobs) -> None:
    program = shutil.which("ipfs")
    if program is None:
        # Distributions do not package it, and it takes a quarter of an hour to build.
        pytest.skip("ipfs is not here: make it with `go build ./cmd/ipfs` in Kubo's source")
    environment = {**os.environ, "IPFS_PATH": str(tmp_path / "ipfs")}

    def ipfs(*words: str) -> bytes:
        return subprocess.run(
            [program, *words], env=environment, check=True, capture_output=True
        ).stdout

    ipfs("init", "--profile", "test")
    daemon = subprocess.Popen(
        [program, "daemon", "--offline"], env=environment, stdout=subprocess.PIPE
    )
    try:
        assert daemon.stdout is not None
        url = ""
        end = time.monotonic() + 60
        for line in daemon.stdout:
            if found := re.search(rb"RPC API server listening on /ip4/127.0.0.1/tcp/(\d+)", line):
                url = f"http://127.0.0.1:{int(found[1])}"
            if b"Daemon is ready" in line or time.monotonic() > end:
                break
        kubo = Kubo(url)
        for profile in cid.PROFILES.values():
            for size in (0, 1, 262_144, 262_145, 5_000_000):
                data = os.urandom(size)
                wanted = cid.of(data, profile).text
                kubo.pin(io.BytesIO(data), wanted, size, profile)
                assert kubo.has(wanted)
                fetch(kubo, blobs, wanted)
                assert blobs.check(wanted)
                made = ipfs("dag", "export", wanted)
                from twincli.content.car import FileInCar

                assert FileInCar(io.BytesIO(made)).read() == data
        with pytest.raises(UndeterminedError):
            fetch(kubo, blobs, CID)
    finally:
        daemon.terminate()
        daemon.communicate()
