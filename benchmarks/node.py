"""Timings of a node, as ratios to libsodium and to the disk measured in the same run.

    uv run python -m benchmarks.node            about a minute
    uv run python -m benchmarks.node --quick    small counts, to see that it works
    uv run python -m benchmarks.node --write    also into RESULTS.md

The node runs in a process of its own. The clients are one more process, which opens connections
and sends requests that were made before, so that as little as possible is measured of itself; it
shares the cores with the node all the same.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.floors import KEY, OWNER, fsync_ms, pure_verifying
from benchmarks.report import Figure, arguments, report
from twincli.crypto.ed25519 import KeyPair
from twincli.ledger import Ledger
from twincli.model import owners, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = 32


# --- Requests ------------------------------------------------------------------------------------


def signed(number: int, *, fresh: bool = False) -> bytes:
    """Return a POST of a CREATE.

    Args:
        number: Makes it another one.
        fresh: By a key that was never used before, as devices come to a ledger.
    """
    data = {"serial": f"B-{number:09}", "kind": "bicycle", "maker": "Acme", "colour": "red"}
    key = KeyPair.from_seed(b"bench" + number.to_bytes(27, "big")) if fresh else KEY
    owner = owners.of_keys([key.public_key]) if fresh else OWNER
    tx = transaction.create([key.public_key], [transaction.Output(owner)], data, {"n": number})
    body = json.dumps(transaction.sign(tx, [key])).encode()
    head = (
        "POST /api/v1/transactions?mode=commit HTTP/1.1\r\nhost: localhost\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def got(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


class Client(asyncio.Protocol):
    """Sends one request after the other over one connection."""

    def __init__(self, todo: Iterator[bytes], status: int, taken: list[float]) -> None:
        self.todo = todo
        self.status = b"HTTP/1.1 %d " % status
        self.taken = taken
        self.done = asyncio.get_running_loop().create_future()
        self.held = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        request = next(self.todo, None)
        if request is None:
            self.transport.close()
            self.done.set_result(None)
            return
        self.start = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.held += data
        head, end, body = self.held.partition(b"\r\n\r\n")
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not end or len(body) < int(length):
            return
        self.taken.append(time.perf_counter() - self.start)
        self.held = b""
        if head.startswith(self.status):
            self.send()
        else:
            self.done.set_exception(ValueError(head.decode()))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError())


async def load(url: str, requests: list[bytes], clients: int, status: int) -> list[float]:
    """Send requests over N connections; return the seconds that each took."""
    place = urlsplit(url)
    taken: list[float] = []
    todo = iter(requests)
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(
            lambda: Client(todo, status, taken), place.hostname or "", place.port or 80
        )
        for _ in range(clients)
    ]
    await asyncio.gather(*(client.done for _, client in opened))
    return taken


def run(url: str, requests: list[bytes], clients: int, status: int) -> tuple[float, list[float]]:
    """Return requests a second, and the sorted milliseconds of all."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        start = time.perf_counter()
        taken = runner.run(load(url, requests, clients, status))
        seconds = time.perf_counter() - start
    return len(requests) / seconds, sorted(each * 1000 for each in taken)


def run_ordinary(url: str, requests: list[bytes]) -> list[float]:
    """Send bodies with Python's own client over one connection; return sorted milliseconds."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    taken = []
    for request in requests:
        body = request.partition(b"\r\n\r\n")[2]
        start = time.perf_counter()
        connection.request("POST", "/api/v1/transactions?mode=commit", body)
        answer = connection.getresponse()
        answer.read()
        taken.append((time.perf_counter() - start) * 1000)
        assert answer.status == 202
    connection.close()
    return sorted(taken)


def at(taken: list[float], share: float) -> float:
    return taken[min(len(taken) - 1, int(len(taken) * share))]


# --- The node ------------------------------------------------------------------------------------


def started(home: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "twincli", "node", "start", "--port", "0", "--json"],
        env={**os.environ, "TWIN_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    return process, str(json.loads(process.stdout.readline())["url"])


def requests(home: Path, count: int) -> list[Figure]:
    """Measure POSTs and GETs of a node of its own."""
    verified = max(count, 2_000)
    floor = verified / pure_verifying(verified)
    disk = fsync_ms(home, 200)
    posts = [signed(number) for number in range(count + 1_000)]
    process, url = started(home / "twin")
    found = []
    try:
        run(url, posts[:500], 8, 202)
        rate, taken = run(url, posts[1_000:], CLIENTS, 202)
        detail = f"{rate:,.0f}/s, libsodium verifies {floor:,.0f}/s"
        what = f"POST mode=commit, {CLIENTS} connections"
        found.append(Figure(what, rate / floor, 0.25, "x verifying", detail, at_least=True))
        slow = f"p50 {at(taken, 0.5):.1f} ms, max {taken[-1]:.0f} ms"
        budget = 20 + 10 * disk
        found.append(Figure(f"{what}, p99", at(taken, 0.99), budget, "ms", slow))
        _, taken = run(url, posts[500:1_000], 1, 202)
        detail = f"fsync {disk:.2f} ms, p99 {at(taken, 0.99):.2f} ms"
        what = "POST, one connection, p50 over fsync"
        found.append(Figure(what, at(taken, 0.5) - disk, 0.5, "ms", detail))
        ordinary = [signed(number) for number in range(10**6, 10**6 + 500)]
        taken = run_ordinary(url, ordinary)
        detail = f"http.client; p99 {at(taken, 0.99):.2f} ms"
        what = "POST, an ordinary client, p50 over fsync"
        found.append(Figure(what, at(taken, 0.5) - disk, 1, "ms", detail))
        fresh = [signed(number, fresh=True) for number in range(count)]
        rate, taken = run(url, fresh, CLIENTS, 202)
        what = f"POST of new keys, {CLIENTS} connections"
        found.append(
            Figure(what, rate / floor, 0.2, "x verifying", f"{rate:,.0f}/s", at_least=True)
        )
        slow = f"p50 {at(taken, 0.5):.1f} ms, max {taken[-1]:.0f} ms"
        found.append(Figure(f"{what}, p99", at(taken, 0.99), budget, "ms", slow))
        ids = [json.loads(post.partition(b"\r\n\r\n")[2])["id"] for post in posts[-500:]]
        gets = [got(f"/api/v1/transactions/{ids[number % 500]}") for number in range(4 * count)]
        rate, taken = run(url, gets, CLIENTS, 200)
        detail = f"p50 {at(taken, 0.5):.2f} ms, p99 {at(taken, 0.99):.2f} ms"
        found.append(Figure("GET of a transaction", rate, 8_000, "a second", detail, at_least=True))
    finally:
        process.terminate()
        assert process.wait(30) == 0
    return found


def reads_beside_a_listing(home: Path, count: int) -> Figure:
    """Measure reads of a transaction while the outputs of a large owner are listed."""
    with Ledger.open(home / "twin" / "ledger") as ledger:
        tx = transaction.create([KEY.public_key], [transaction.Output(OWNER)], {"many": count})
        asset = transaction.sign(tx, [KEY])
        ledger.submit(asset)
        ledger.append_many(KEY, asset["id"], ({"n": number} for number in range(count)))
        ledger.index  # noqa: B018 - catches up
    process, url = started(home / "twin")
    try:
        large = got(f"/api/v1/outputs?public_key={KEY.public_key}")
        place = urlsplit(url)

        async def both() -> tuple[float, list[float], int]:
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
            start = time.perf_counter()
            writer.write(large.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
            others = asyncio.create_task(
                load(url, [got(f"/api/v1/transactions/{asset['id']}")] * 2_000, 1, 200)
            )
            size = 0
            while piece := await reader.read(1 << 16):
                size += len(piece)
            seconds = time.perf_counter() - start
            writer.close()
            return seconds, sorted(each * 1000 for each in await others), size

        seconds, taken, size = asyncio.run(both())
    finally:
        process.terminate()
        assert process.wait(30) == 0
    detail = f"{size / 1e6:.1f} MB in {seconds:.2f} s; reads meanwhile p50 {at(taken, 0.5):.2f} ms"
    what = f"read while {count:,} outputs are listed, p99"
    return Figure(what, at(taken, 0.99), 25, "ms", detail)


def figures(*, quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="twin-node-bench-") as directory:
        found = requests(Path(directory), 1_000 if quick else 20_000)
        found.append(reads_beside_a_listing(Path(directory), 5_000 if quick else 100_000))
    return found


def main() -> None:
    options = arguments(__doc__).parse_args()
    report(figures(quick=options.quick), write=options.write)


if __name__ == "__main__":
    main()
