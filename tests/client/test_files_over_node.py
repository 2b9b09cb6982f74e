"""Files of twins over a running node: from one home to another, and on after a cut."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Invoke
from twincli.content.store import Blobs
from twincli.crypto import cid

# More than the sockets on the way hold.
LARGE = os.urandom(12_000_000)


class Served:
    """A node, a process of its own, with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = 0

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run it; on the same port as before."""
        command = ["node", "start", "--json", "--port", str(self.port), *words]
        process = subprocess.Popen(
            [sys.executable, "-m", "twincli", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TWIN_HOME": str(self.home)},
        )
        with process:
            assert process.stdout is not None
            self.port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
            try:
                yield process
            finally:
                process.terminate()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def blobs(self) -> Blobs:
        return Blobs(str(self.home / "content"))


class Between:
    """Stands between clients and a node, and cuts answers that are too long.

    Args:
        served: The node.

    Attributes:
        cuts: After as many bytes of an answer that is longer, once for each number.
        passed: Bytes of the answers on each connection.
    """

    def __init__(self, served: Served) -> None:
        self.served = served
        self.cuts: list[int] = []
        self.passed: list[int] = []
        self._ending: Callable[[], object] | None = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._accept)
        self.thread.start()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def end(self, process: subprocess.Popen[bytes], how: str, after: int) -> None:
        """End the node once as many bytes of an answer have passed."""
        self.cuts = [after]
        self._ending = partial(self._end, process, how)

    def _end(self, process: subprocess.Popen[bytes], how: str) -> None:
        getattr(process, how)()
        # A node that is asked to end still gives what it owes.
        if how == "kill":
            process.wait()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.socket() as node:
            node.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            node.connect(("127.0.0.1", self.served.port))
            back = threading.Thread(target=self._forward, args=(client, node))
            back.start()
            self._answer(node, client)
            for one in (client, node):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            back.join()

    def _forward(self, client: socket.socket, node: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65_536):
                node.sendall(data)
            node.shutdown(socket.SHUT_WR)

    def _answer(self, node: socket.socket, client: socket.socket) -> None:
        number = len(self.passed)
        self.passed.append(0)
        while data := node.recv(65_536):
            self.passed[number] += len(data)
            if self.cuts and self.passed[number] > self.cuts[0]:
                self.cuts.pop(0)
                if self._ending is None:
                    return
                self._ending()
                self._ending = None
            client.sendall(data)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path / "served")


@pytest.fixture
def node(served: Served) -> Iterator[Served]:
    with served.running():
        yield served


@pytest.fixture
def between(served: Served) -> Iterator[Between]:
    made = Between(served)
    yield made
    made.close()


class Home:
    """Runs ``twin`` in a home."""

    def __init__(self, invoke: Invoke, path: Path) -> None:
        self.invoke = invoke
        self.path = path

    def __call__(self, *words: str, status: int = 0) -> str:
        run = self.invoke(*words, "--home", str(self.path))
        assert run.status == status, run.stdout + run.stderr
        return run.stdout if status == 0 else run.stderr

    @property
    def blobs(self) -> Blobs:
        return Blobs(str(self.path / "content"))


@pytest.fixture
def mine(invoke: Invoke, tmp_path: Path) -> Home:
    home = Home(invoke, tmp_path / "mine")
    home("keys", "new", "alice", "--no-passphrase")
    return home


@pytest.fixture
def theirs(invoke: Invoke, tmp_path: Path) -> Home:
    home = Home(invoke, tmp_path / "theirs")
    home("keys", "new", "bob", "--no-passphrase")
    return home


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "scan.bin"
    path.write_bytes(LARGE)
    return path


def test_from_one_home_to_another(
    node: Served, mine: Home, theirs: Home, tmp_path: Path, large: Path
) -> None:
    small, empty, again = (tmp_path / name for name in ("manual.txt", "empty", "again"))
    small.write_text("how it works")
    empty.touch()
    car = mine("asset", "create", "car", "--node", node.url, "--get", "id").strip()
    files = [str(small), str(large), str(empty)]
    mine("file", "attach", "car", *files, "--type", "manual", "--node", node.url)
    for path in (small, large, empty):
        assert node.blobs.check(cid.of(path.read_bytes()).text)
    listed = json.loads(theirs("file", "list", car, "--node", node.url, "--json"))["files"]
    assert [(item["name"], item["standing"]) for item in listed] == [
        ("manual.txt", "authorised"),
        ("scan.bin", "authorised"),
        ("empty", "authorised"),
    ]
    theirs("file", "check", car, "--node", node.url, status=11)
    for path in (small, large, empty):
        again.unlink(missing_ok=True)
        theirs("file", "get", car, path.name, "-o", str(again), "--node", node.url)
        assert again.read_bytes() == path.read_bytes()
    theirs("file", "check", car, "--node", node.url)
    assert "exists" in theirs(
        "file", "get", car, "empty", "-o", str(again), "--node", node.url, status=5
    )


def test_a_cut_is_gone_on_from_at_once(
    node: Served, between: Between, mine: Home, theirs: Home, tmp_path: Path, large: Path
) -> None:
    car = mine("asset", "create", "car", "--node", node.url, "--get", "id").strip()
    mine("file", "attach", "car", str(large), "--node", node.url)
    theirs("file", "list", car, "--node", between.url)
    between.cuts = [2_000_000, 1_000_000]
    before = sum(between.passed)
    again = tmp_path / "again"
    theirs("file", "get", car, "scan.bin", "-o", str(again), "--node", between.url)
    assert again.read_bytes() == LARGE
    assert not between.cuts
    assert sum(between.passed) - before < len(LARGE) + 1_000_000, "only what was missing came again"


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_a_node_that_ends_in_between(
    how: str,
    served: Served,
    between: Between,
    mine: Home,
    theirs: Home,
    tmp_path: Path,
    large: Path,
) -> None:
    again = tmp_path / "again"
    with served.running() as process:
        car = mine("asset", "create", "car", "--node", served.url, "--get", "id").strip()
        mine("file", "attach", "car", str(large), "--node", served.url)
        theirs("file", "list", car, "--node", between.url)
        between.end(process, how, after=1_000_000)
        words = ("file", "get", car, "scan.bin", "-o", str(again), "--node", between.url)
        if how == "terminate":  # it still sends what was asked for
            theirs(*words)
            assert again.read_bytes() == LARGE
            return
        theirs(*words, status=8)
        assert not again.exists()
        assert not theirs.blobs.has(cid.of(LARGE).text)
    with served.running():
        before = sum(between.passed)
        theirs("file", "get", car, "scan.bin", "-o", str(again), "--node", between.url)
        assert again.read_bytes() == LARGE
        assert sum(between.passed) - before < len(LARGE) - 500_000
        theirs("file", "check", car, "--node", between.url)


def test_an_upload_that_is_cut(
    served: Served, mine: Home, theirs: Home, tmp_path: Path, large: Path
) -> None:
    with served.running("--max-file", "1000000"):
        car = mine("asset", "create", "car", "--node", served.url, "--get", "id").strip()
        mine("file", "attach", "car", str(large), "--node", served.url, status=7)
        assert (
            json.loads(mine("file", "list", "car", "--node", served.url, "--json"))["files"] == []
        )
    with served.running():
        mine("file", "attach", "car", str(large), "--node", served.url)
        theirs("file", "get", car, "scan.bin", "-o", str(tmp_path / "x"), "--node", served.url)


def test_what_the_node_has_altered_is_not_taken(
    node: Served, mine: Home, theirs: Home, tmp_path: Path, large: Path
) -> None:
    car = mine("asset", "create", "car", "--node", node.url, "--get", "id").strip()
    mine("file", "attach", "car", str(large), "--node", node.url)
    text = cid.of(LARGE).text
    path = Path(node.blobs.path(text))
    path.chmod(0o600)
    path.write_bytes(LARGE[:-1] + bytes([LARGE[-1] ^ 1]))
    again = tmp_path / "again"
    theirs("file", "get", car, "scan.bin", "-o", str(again), "--node", node.url, status=3)
    assert not again.exists()
    assert not theirs.blobs.has(text)
    path.unlink()
    theirs("file", "get", car, "scan.bin", "-o", str(again), "--node", node.url, status=11)
    mine("file", "attach", "car", str(large), "--node", node.url)  # gives it to the node again
    theirs("file", "get", car, "scan.bin", "-o", str(again), "--node", node.url)
    assert again.read_bytes() == LARGE
