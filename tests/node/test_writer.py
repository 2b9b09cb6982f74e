"""The processes that commit for a node: shared work, and what happens when one of them is lost."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import os
import pickle
import signal
import socket
import sqlite3
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.chains import Tx, create
from tests.node.running import Answer, Running, running
from tests.node.test_command import children, post, started
from twincli.errors import ConfigError, TwinError
from twincli.ledger import Ledger
from twincli.node import server
from twincli.node.answers import Answer as Answered
from twincli.node.answers import RefusedError
from twincli.node.metrics import Metrics
from twincli.node.node import Options
from twincli.node.writing import bodies, committer
from twincli.node.writing import writer as posting
from twincli.node.writing.identities import Identities
from twincli.node.writing.writer import Writer

SECONDS = 20


def until(condition: Callable[[], bool]) -> None:
    """Wait for something, but not for ever."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def pid_of(lane: posting.Lane) -> int:
    """Return the id of a running process."""
    assert lane.pid is not None
    return lane.pid


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Have a process stand still for the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def large(number: int) -> Tx:
    return create(data={"text": "x" * bodies.LARGE, "number": number})


@contextmanager
def beside(node: Running, tx: Tx) -> Iterator[Future[Answer]]:
    """Post a transaction in another thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(node.post, tx)


def test_small_transactions_do_not_wait_for_large_ones(tmp_path: Path) -> None:
    with running(tmp_path / "l") as node:
        assert node.post(large(1)).status == 202
        writer = node.node.writer
        with stopped(pid_of(writer.large)), beside(node, large(2)) as answer:
            until(lambda: writer.waiting == 1)
            assert node.post(create()).status == 202
            assert not answer.done()
            os.kill(pid_of(writer.large), signal.SIGCONT)
            assert answer.result(SECONDS).status == 202
        assert node.get("/healthz").json["height"] == 3


def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "MAX_HELD", 2_600)
    with running(tmp_path / "l") as node:
        assert node.post(create(1)).status == 202
        writer = node.node.writer
        with beside(node, create(2)) as first, stopped(pid_of(writer.small)):
            until(lambda: writer.waiting == 1)
            answer = node.post(create(data={"text": "x" * 1_500}))
            assert answer.status == 503
            assert answer.json["message"] == "too many transactions are waiting to be committed"
            assert answer.headers["retry-after"] == "1"
        assert first.result().status == 202
        assert node.post(create(data={"text": "x" * 1_500})).status == 202


def test_a_writer_that_is_killed_is_replaced(tmp_path: Path) -> None:
    """Whoever waits is told that it is not known; what was answered 202 is there."""
    accepted: list[Tx] = []
    refused: list[Answer] = []
    with running(tmp_path / "l") as node:

        def client(at: int) -> None:
            for number in range(40):
                tx = create(data={"client": at, "number": number})
                answer = node.post(tx)
                if answer.status == 202:
                    accepted.append(tx)
                else:
                    refused.append(answer)

        threads = [threading.Thread(target=client, args=(at,)) for at in range(4)]
        for thread in threads:
            thread.start()
        for part in range(1, 4):
            until(lambda: len(accepted) >= 30 * part)  # noqa: B023 - called at once
            os.kill(pid_of(node.node.writer.small), signal.SIGKILL)
        for thread in threads:
            thread.join()
        assert node.post(create()).status == 202
        assert {answer.status for answer in refused} <= {503}
        assert len(accepted) + len(refused) == 160
        assert len(refused) <= 12
    with Ledger.open(tmp_path / "l", create=False) as ledger:
        assert [tx for tx in accepted if ledger.get(tx["id"]) != tx] == []
        assert ledger.verify().problems == []


def test_a_killed_writer_says_that_it_is_not_known(tmp_path: Path) -> None:
    with running(tmp_path / "l") as node:
        assert node.post(create(1)).status == 202
        writer = node.node.writer
        pid = pid_of(writer.small)
        os.kill(pid, signal.SIGSTOP)
        with beside(node, create(2)) as answer:
            until(lambda: writer.waiting == 1)
            os.kill(pid, signal.SIGKILL)
            found = answer.result(SECONDS)
        assert found.status == 503
        assert found.headers["retry-after"] == "1"
        assert "send the transaction again" in found.json["message"]
        assert node.post(create(2)).status == 202


def test_a_writer_that_ends_as_it_starts_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end may be known before the first that waits for it goes on."""
    with Ledger.open(tmp_path) as ledger:
        writer = Writer(ledger.path, Metrics(), lambda: None)
    started = posting.Lane.process

    async def killed(lane: posting.Lane) -> posting.Process:
        process = await started(lane)
        os.kill(process.transport.get_pid(), signal.SIGKILL)
        await process.gone.wait()
        return process

    async def use() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(posting.Lane, "process", killed)
            with pytest.raises(TwinError) as told:
                await asyncio.wait_for(writer.submit(b"{}"), SECONDS)
            assert told.value.code == "writer_ended"
        assert (await writer.submit(b"{}")).status == 400
        await writer.close()

    asyncio.run(use())


def test_what_is_sent_to_a_closed_pipe_is_no_fault_of_its_own(tmp_path: Path) -> None:
    """A pipe's two ends are not told at once."""
    with Ledger.open(tmp_path) as ledger:
        writer = Writer(ledger.path, Metrics(), lambda: None)

    async def use() -> list[dict[str, Any]]:
        faults: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        process = await writer.small.process()
        process.pipe.close()
        with pytest.raises(TwinError) as told:
            await asyncio.wait_for(writer.submit(b"{}"), SECONDS)
        assert told.value.code == "writer_ended"
        await process.gone.wait()
        return faults

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(use()) == []


def test_a_writer_ends_with_its_node(home: Path) -> None:
    with started(home) as (process, document):
        assert post(document["url"], create()) == 202
        found = children(process.pid)
        assert len(found) == 1
        process.kill()
        process.wait(SECONDS)
        until(lambda: not Path(f"/proc/{found[0]}/cmdline").exists() or not _command(found[0]))


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_loses_nothing(home: Path, number: int) -> None:
    """As a terminal sends Ctrl-C, and an init system its TERM: the writer gets it, too."""
    with started(home, start_new_session=True) as (process, document):
        assert post(document["url"], create(1)) == 202
        with sqlite3.connect(home / "ledger" / "ledger.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(post, document["url"], create(2))
                time.sleep(0.3)
                os.killpg(process.pid, number)
                time.sleep(0.3)
                assert not answer.done()
                other.execute("ROLLBACK")
                assert answer.result(SECONDS) == 202
        other.close()
        assert process.wait(SECONDS) == 0
    with Ledger.open(home / "ledger", create=False) as ledger:
        assert ledger.tip().height == 2


def test_a_second_term_cuts_nothing_off(home: Path) -> None:
    with started(home) as (process, document):
        assert post(document["url"], create(1)) == 202
        (writer,) = children(process.pid)
        with stopped(writer):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)  # it serves nobody any more, and waits for the writer to end
            process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            assert process.poll() is None
        assert process.wait(SECONDS) == 0


def test_a_second_interrupt_does_not_wait_for_the_writer(home: Path) -> None:
    with started(home) as (process, document):
        assert post(document["url"], create(1)) == 202
        place = urlsplit(document["url"])

        def listens() -> bool:
            with socket.socket() as sock:
                return sock.connect_ex((place.hostname, place.port)) == 0

        with sqlite3.connect(home / "ledger" / "ledger.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(post, document["url"], create(2))
                time.sleep(0.3)
                process.send_signal(signal.SIGINT)
                until(lambda: not listens())
                process.send_signal(signal.SIGINT)
                assert process.wait(SECONDS) == 130
                assert isinstance(answer.exception(SECONDS), OSError)
        other.close()
    with Ledger.open(home / "ledger", create=False) as ledger:
        assert ledger.verify().problems == []
        assert ledger.tip().height == 1


def test_a_writer_that_cannot_be_started_is_a_503(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sys.executable
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with running(tmp_path / "l") as node:
        answer = node.post(create())
        assert answer.status == 503
        assert "the writer cannot be started" in answer.json["message"]
        monkeypatch.setattr(sys, "executable", path)
        assert node.post(create()).status == 202


def test_nothing_is_written_to_a_ledger_that_is_not_there_any_more(tmp_path: Path) -> None:
    """Nor to another one in its place, which this node does not read."""
    here, moved = tmp_path / "l", tmp_path / "moved"
    with running(here) as node:
        assert node.post(create(1)).status == 202
        here.rename(moved)
        for tx in (create(2), large(2)):
            answer = node.post(tx)
            assert answer.status == 503
            assert answer.json["message"] == "the ledger was moved or replaced"
        Ledger.open(here).close()
        assert [node.post(tx).status for tx in (create(2), large(2))] == [503, 503]
        here.rename(tmp_path / "other")
        moved.rename(here)
        assert [node.post(tx).status for tx in (create(2), large(2))] == [202, 202]
    with Ledger.open(tmp_path / "other") as other:
        assert other.tip().height == 0


def test_a_writer_takes_its_modules_from_where_the_node_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So what is not installed is found, and nothing in the directory one stands in is taken."""
    here, first = tmp_path / "here", tmp_path / "first \udcff"
    for directory in (here, first):
        directory.mkdir()
        (directory / "pickle.py").write_text("raise SystemExit")
    monkeypatch.chdir(here)
    with running(tmp_path / "l") as node:
        assert node.post(create()).status == 202
    monkeypatch.syspath_prepend(str(first))
    with running(tmp_path / "l") as node:
        assert node.post(create(1)).status == 503


def test_a_node_that_only_reads_has_no_writer(tmp_path: Path) -> None:
    Ledger.open(tmp_path / "l").close()
    with running(tmp_path / "l", Options(read_only=True)) as node:
        assert node.get("/healthz").status == 200
        assert node.post(create()).status == 403
        assert node.node.writer.small.pid is None


def test_after_the_end_nothing_is_taken(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        writer = Writer(ledger.path, Metrics(), lambda: None)

    async def use() -> None:
        await writer.start()
        await writer.close()
        with pytest.raises(RefusedError) as refused:
            await writer.submit(b"{}")
        assert refused.value.answer.status == 503

    asyncio.run(use())


def test_a_writer_that_ends_before_it_is_sent_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever just got it is told; and nothing is written to a pipe that is closed."""
    with Ledger.open(tmp_path) as ledger:
        writer = Writer(ledger.path, Metrics(), lambda: None)
    faults: list[dict[str, object]] = []

    async def use() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        await writer.start()
        lane = writer.small
        process = await lane.process()

        async def just_ended() -> posting.Process:
            await process.end(SECONDS)
            return process

        monkeypatch.setattr(lane, "process", just_ended)
        with pytest.raises(TwinError) as ended:
            await asyncio.wait_for(writer.submit(b"{}"), SECONDS)
        assert ended.value.code == "writer_ended"
        await writer.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(use())
    assert faults == []


def test_the_end_of_a_writer_that_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    writer = Writer(str(tmp_path / "ledger.db"), Metrics(), lambda: None)

    async def use() -> None:
        starting = asyncio.create_task(writer.start())
        await asyncio.sleep(0)
        assert not starting.done()
        await writer.close()
        with pytest.raises(ConfigError, match="cannot be started"):
            await starting

    asyncio.run(use())


# --- What goes through the pipes ------------------------------------------------------------------


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(min_value=1, max_value=400)))
def test_frames_come_out_as_they_went_in(payloads: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(committer.frame, payloads))
    frames = committer.Frames()
    found = []
    for size in [*cuts, len(data)]:
        found += frames.feed(data[:size])
        data = data[size:]
    assert found == payloads


def test_what_cannot_be_written_is_told_and_the_next_batch_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger.open(tmp_path) as ledger:
        path = ledger.path
    fault = ConfigError("the disk is full; nothing was written", code="disk_full")
    commit = committer.commit
    seen: list[int] = []

    def full_once(ledger: Ledger, bodies: list[bytes], known: Identities) -> list[Answered]:
        seen.append(len(bodies))
        if len(seen) == 1:
            raise fault
        return commit(ledger, bodies, known)

    monkeypatch.setattr(committer, "commit", full_once)
    monkeypatch.setattr(committer, "MAX_BATCH", 2)
    source, end = os.pipe()
    back, target = os.pipe()
    os.write(end, b"".join(committer.numbered(number, b"{}") for number in (7, 8, 9)))
    os.close(end)
    committer.serve(path, committer.identity(path), source, target)
    os.close(target)
    payloads = committer.Frames().feed(os.read(back, 1 << 16))
    done = [pickle.loads(payload) for payload in payloads]
    assert [(batch.numbers, batch.fault) for batch in done] == [
        ([7, 8], ("disk_full", "the disk is full; nothing was written")),
        ([9], None),
    ]
    assert [answer.status for answer in done[1].answers] == [400]
    os.close(source)
    os.close(back)


def test_what_was_sent_is_committed_though_its_node_is_gone(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        path = ledger.path
    tx = create()
    source, end = os.pipe()
    back, target = os.pipe()
    os.write(end, committer.numbered(1, json.dumps(tx).encode()))
    os.close(end)
    os.close(back)
    committer.serve(path, committer.identity(path), source, target)
    os.close(source)
    os.close(target)
    with Ledger.open(tmp_path) as ledger:
        assert ledger.get(tx["id"]) == tx


# --- Room -----------------------------------------------------------------------------------------


def sent(node: Running, tx: Tx) -> socket.socket:
    """Send a transaction and return the connection, unanswered."""
    place = urlsplit(node.url)
    body = json.dumps(tx).encode()
    sock = socket.create_connection((str(place.hostname), place.port or 0), timeout=SECONDS)
    head = "POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: "
    sock.sendall(f"{head}{len(body)}\r\n\r\n".encode() + body)
    return sock


def test_large_bodies_do_not_displace_small_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "MAX_HELD", 5 * bodies.LARGE)
    with running(tmp_path / "l") as node:
        assert node.post(large(0)).status == 202
        writer = node.node.writer
        with stopped(pid_of(writer.large)), ExitStack() as stack:
            for number in range(1, 5):
                stack.enter_context(sent(node, large(number)))
            until(lambda: writer.waiting == 4)
            assert node.post(large(5)).status == 503
            assert node.post(create()).status == 202


def test_a_small_body_is_read_while_large_ones_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MAX_HELD", 3 * bodies.LARGE)
    head = b"POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n"
    with running(tmp_path / "l") as node, ExitStack() as stack:
        place = urlsplit(node.url)
        for _ in range(2):
            sock = socket.create_connection((str(place.hostname), place.port or 0))
            stack.enter_context(sock).sendall(head + b" " * (bodies.LARGE + 9))
        until(lambda: node.node.bodies.large.used > 2 * bodies.LARGE)
        assert node.post(large(1)).status == 503
        assert node.post(create()).status == 202


def test_one_body_may_be_larger_than_all_room() -> None:
    """``--max-body`` says what is taken."""
    room = bodies.Room(10)
    assert room.has(11)
    room.used = 1
    assert room.has(9)
    assert not room.has(10)


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_what_a_client_left_behind_is_dropped(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits; what the process already has is committed, like before."""
    monkeypatch.setattr(posting, "IN_FLIGHT", 1)
    with running(tmp_path / "l") as node:
        assert node.post(create(0)).status == 202
        writer = node.node.writer
        with stopped(pid_of(writer.small)):
            held = sent(node, create(1))
            until(lambda: writer.waiting == 1)
            left, right = sent(node, create(2)), sent(node, create(3))
            until(lambda: writer.waiting == 3)
            if how == "reset":
                left.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            left.close()
            right.shutdown(socket.SHUT_WR)  # it still reads
            time.sleep(20 * server.PROBE_SECONDS)
        answers = [sock.recv(65536) for sock in (held, right)]
        assert answers[0].startswith(b"HTTP/1.1 202 ")
        assert b"HTTP/1.1 202 " in answers[1] + right.recv(65536)
        for number, status in ((1, 200), (2, 404), (3, 200)):
            path = f"/api/v1/transactions/{create(number)['id']}"
            assert (number, node.get(path).status) == (number, status)
        for sock in (held, right):
            sock.close()


def test_what_is_left_behind_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "IN_FLIGHT", 1)
    monkeypatch.setattr(posting, "MAX_HELD", 2_500)
    with running(tmp_path / "l") as node:
        assert node.post(create(0)).status == 202
        writer = node.node.writer
        with stopped(pid_of(writer.small)):
            held = sent(node, create(1))
            until(lambda: writer.waiting == 1)
            with sent(node, create(2)):
                until(lambda: writer.waiting == 2)
                assert node.post(create(data={"text": "x" * 600})).status == 503
            time.sleep(20 * server.PROBE_SECONDS)
            for _ in range(50):  # on a busy machine the probe may be late
                with beside(node, create(data={"text": "x" * 600})) as answer:
                    until(lambda: writer.waiting == 2)
                    time.sleep(5 * server.PROBE_SECONDS)
                    if not answer.done():
                        os.kill(pid_of(writer.small), signal.SIGCONT)
                    status = answer.result(SECONDS).status
                if status == 202:
                    break
            assert status == 202
        assert held.recv(65536).startswith(b"HTTP/1.1 202 ")
        held.close()
        assert writer.small.room.used == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_exactly_the_limit(*, chunked: bool, tmp_path: Path) -> None:
    tx = create()
    size = len(json.dumps(tx).encode())
    with running(tmp_path / "l", Options(max_body=size + 1)) as node:
        for more, status in ((2, 413), (1, 202)):
            body = json.dumps(tx).encode() + b" " * more
            if chunked:
                head = b"transfer-encoding: chunked\r\n\r\n"
                body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            else:
                head = b"content-length: %d\r\n\r\n" % len(body)
            place = urlsplit(node.url)
            with socket.create_connection((str(place.hostname), place.port or 0)) as sock:
                sock.sendall(b"POST /api/v1/transactions HTTP/1.1\r\nhost: x\r\n" + head + body)
                assert sock.recv(65536).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(
    ("headers", "encode"),
    [
        ({}, gzip.compress),
        ({"content-encoding": "gzip"}, gzip.compress),
        ({"content-encoding": "br"}, bytes),
        ({}, lambda body: body.decode().encode("utf-16")),
        ({}, lambda body: body.decode().encode("utf-16-le")),
        ({}, lambda body: body.decode().encode("utf-32-be")),
        ({"content-type": "application/json; charset=utf-16"}, bytes),
        ({"content-type": 'application/json;charset="ISO-8859-1"'}, bytes),
    ],
)
def test_a_body_in_another_form_is_415(
    headers: dict[str, str], encode: Callable[[bytes], bytes], node: Running
) -> None:
    body = encode(json.dumps(create()).encode())
    answer = node.ask("POST", "/api/v1/transactions", body, headers)
    assert answer.status == 415
    assert "UTF-8" in answer.json["message"]
    fine = ('application/json; charset="UTF-8"', "text/plain", "application/json")
    for number, kind in enumerate(fine):
        tx = json.dumps(create(number)).encode()
        headers = {"content-type": kind, "content-encoding": "identity"}
        assert node.ask("POST", "/api/v1/transactions", tx, headers).status == 202


def test_what_is_left_after_a_collection_is_not_looked_at_again() -> None:
    """A quarter of a second for every client otherwise, once the ledger remembers much."""
    before = gc.get_freeze_count()
    try:
        kept = [[number] for number in range(10_000)]
        committer.tidy()
        assert gc.get_freeze_count() >= before + len(kept)
        assert len(gc.get_objects()) < len(kept)
    finally:
        gc.unfreeze()
