"""The event streams: what this node commits, what others commit, from any height."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.ledger.chains import ALICE, chain, create
from tests.node.running import Running, count_reads, running
from twincli.errors import TwinError
from twincli.ledger import Ledger
from twincli.ledger.store import Store
from twincli.node import events
from twincli.node.node import Options
from twincli.node.server import Listening

TRANSACTIONS = "/api/v1/streams/valid_transactions"
BLOCKS = "/api/v1/streams/valid_blocks"


def stream(node: Running, path: str = TRANSACTIONS, **options: Any) -> ClientConnection:
    connection: ClientConnection = connect(
        node.ws_url + path, compression=None, proxy=None, **options
    )
    return connection


def next_of(connection: ClientConnection) -> Any:
    return json.loads(connection.recv(timeout=10))


def event(tx: dict[str, Any], height: int) -> dict[str, Any]:
    asset = tx["id"] if tx["operation"] == "CREATE" else tx["asset"]["id"]
    return {"height": height, "asset_id": asset, "transaction_id": tx["id"]}


def test_transactions_as_they_are_committed(node: Running) -> None:
    txs = chain(3)
    with stream(node) as first, stream(node, TRANSACTIONS + "/") as second:
        for height, tx in enumerate(txs, 1):
            assert node.post(tx).status == 202
            assert next_of(first) == next_of(second) == event(tx, height)


def test_what_another_process_commits(node: Running) -> None:
    txs = chain(4)
    with stream(node) as connection, Ledger.open(node.path) as other:
        other.submit(txs[0])
        assert next_of(connection) == event(txs[0], 1)
        other.submit_many(txs[1:])
        assert [next_of(connection) for _ in txs[1:]] == [event(tx, 2) for tx in txs[1:]]


def test_from_a_height_on(node: Running) -> None:
    txs = chain(6)
    with Ledger.open(node.path) as other:
        for tx in txs[:4]:
            other.submit(tx)
    with stream(node, f"{TRANSACTIONS}?from_height=3") as connection:
        assert [next_of(connection) for _ in range(2)] == [event(txs[2], 3), event(txs[3], 4)]
        assert node.post(txs[4]).status == 202
        assert next_of(connection) == event(txs[4], 5)
    with stream(node, f"{TRANSACTIONS}?from_height=6") as connection:
        assert node.post(txs[5]).status == 202
        assert next_of(connection) == event(txs[5], 6)


def test_many_blocks_from_the_beginning(node: Running) -> None:
    txs = chain(1200)
    with Ledger.open(node.path) as other:
        other.submit_many(txs[:600])
        for tx in txs[600:]:
            other.submit(tx)
    with stream(node, f"{TRANSACTIONS}?from_height=0") as connection:
        found = [next_of(connection)["transaction_id"] for _ in txs]
    assert found == [tx["id"] for tx in txs]


def test_what_is_kept_for_readers_is_bounded(
    node: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEPT", 100)
    txs = chain(400)
    with stream(node) as connection, Ledger.open(node.path) as other:
        for at in range(0, 400, 40):
            other.submit_many(txs[at : at + 40])
        found = [next_of(connection)["transaction_id"] for _ in txs]
        assert found == [tx["id"] for tx in txs]
        assert 0 < node.node.events.held <= 100


def test_a_very_large_block_is_read_part_by_part(
    node: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = count_reads(monkeypatch)
    first = create()
    with Ledger.open(node.path) as other:
        other.submit(first)
        ids = other.append_many(ALICE, first["id"], ({"n": n} for n in range(12_000)))
    with stream(node, f"{TRANSACTIONS}?from_height=2") as connection:
        assert [next_of(connection)["transaction_id"] for _ in ids] == ids
    with stream(node, f"{BLOCKS}?from_height=2", max_size=None) as connection:
        found = next_of(connection)["transaction_ids"]
        assert len(found) == 10_000
        assert found + next_of(connection)["transaction_ids"] == ids
    assert max(read) == 5000


def test_blocks(node: Running) -> None:
    txs = chain(3)
    with Ledger.open(node.path) as other, stream(node, f"{BLOCKS}?from_height=0") as connection:
        assert next_of(connection) == {"height": 0, "hash": "", "transaction_ids": []}
        other.submit_many(txs)
        block = other.block(1)
        assert block is not None
        assert next_of(connection) == {
            "height": 1,
            "hash": block["app_hash"],
            "transaction_ids": [tx["id"] for tx in txs],
        }


def test_streams_have_a_port_of_their_own_if_asked(tmp_path: Path) -> None:
    with running(tmp_path / "l", listening=Listening(port=0, ws_port=0)) as node:
        assert node.ws_url.rpartition(":")[2] != node.url.rpartition(":")[2]
        named = node.get("/").json["api"]["v1"]["streams"]
        assert named == node.ws_url + TRANSACTIONS
        tx = create()
        with connect(named, proxy=None) as connection:
            assert node.post(tx).status == 202
            assert next_of(connection) == event(tx, 1)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nowhere", 404), ("/api/v1/outputs", 404), (f"{TRANSACTIONS}?from_height=x", 400)],
)
def test_refused(path: str, status: int, node: Running) -> None:
    with pytest.raises(InvalidStatus) as caught, stream(node, path):
        pass
    assert caught.value.response.status_code == status


def test_a_plain_request_is_told_that_it_is_a_stream(node: Running) -> None:
    answer = node.get(TRANSACTIONS)
    assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")


def test_a_token_is_needed(tmp_path: Path) -> None:
    token = b"0123456789abcdef"
    with running(tmp_path / "l", Options(tokens=(token,))) as node:
        with pytest.raises(InvalidStatus) as caught, stream(node):
            pass
        assert caught.value.response.status_code == 401
        with stream(node, additional_headers={"app_key": token.decode()}) as connection:
            tx = create()
            assert node.post(tx, app_key=token.decode()).status == 202
            assert next_of(connection) == event(tx, 1)


def test_a_ledger_that_cannot_be_read_ends_a_stream_and_is_logged(
    node: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def damaged(_store: Store, _after: int, _until: int) -> None:
        raise TwinError(f"{node.path}/ledger.db is damaged", code="damaged_ledger")

    monkeypatch.setattr(Store, "_ids", damaged)
    with stream(node, f"{TRANSACTIONS}?from_height=0") as connection:
        with pytest.raises(ConnectionClosed) as caught:
            connection.recv(timeout=10)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1011, "ledger unreadable")
    until = time.monotonic() + 10
    while not caplog.messages and time.monotonic() < until:
        time.sleep(0.01)
    assert caplog.messages == [f"twin: node: {node.path}/ledger.db is damaged"]


def test_streams_count_for_the_rate(tmp_path: Path) -> None:
    with running(tmp_path / "l", Options(rate=1)) as node:
        with pytest.raises(InvalidStatus) as caught:
            for _ in range(50):
                with stream(node):
                    pass
        assert caught.value.response.status_code == 429


def test_streams_are_bounded(tmp_path: Path) -> None:
    with running(tmp_path / "l", Options(max_streams=2)) as node:
        with stream(node), stream(node, BLOCKS):
            with pytest.raises(InvalidStatus) as caught, stream(node):
                pass
            response = caught.value.response
            assert (response.status_code, response.headers["retry-after"]) == (503, "1")
            assert json.loads(response.body)["message"] == "too many event streams are open"
        until = time.monotonic() + 10
        while node.node.events.readers and time.monotonic() < until:
            time.sleep(0.01)
        with stream(node) as connection:
            tx = create()
            assert node.post(tx).status == 202
            assert next_of(connection) == event(tx, 1)


def test_what_a_reader_says_is_of_no_interest(node: Running) -> None:
    tx = create()
    with stream(node) as connection:
        for _ in range(3):
            connection.send("hello")
        assert node.post(tx).status == 202
        assert next_of(connection) == event(tx, 1)


def test_a_node_that_stops_says_so(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with running(tmp_path / "l") as node:
            connection = stack.enter_context(stream(node))
        with pytest.raises(ConnectionClosed) as caught:
            connection.recv(timeout=10)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012


def test_a_reader_that_takes_nothing_holds_nobody_up_and_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "STALL_SECONDS", 0.5)
    with Ledger.open(tmp_path / "l") as ledger:
        txs = chain(2)
        ledger.submit_many(txs)
        ledger.append_many(ALICE, txs[0]["id"], ({"n": n} for n in range(60_000)))
    with running(tmp_path / "l") as node:
        host, _, port = node.url[7:].rpartition(":")
        sock = socket.create_connection((host, int(port)))
        with (
            connect(
                f"{node.ws_url}{TRANSACTIONS}?from_height=0",
                sock=sock,
                compression=None,
                max_queue=1,
                ping_interval=None,
                close_timeout=1,
                proxy=None,
            ) as slow,
            stream(node) as other,
        ):
            until = time.monotonic() + 60
            while node.node.events.readers > 1 and time.monotonic() < until:
                time.sleep(0.05)  # it reads nothing, until the node gives up
            assert node.node.events.readers == 1
            tx = create(7)
            assert node.post(tx).status == 202
            assert next_of(other)["transaction_id"] == tx["id"]
            with pytest.raises(ConnectionClosed) as caught:
                while True:
                    slow.recv(timeout=10)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == events.TOO_SLOW
            assert "from_height" in caught.value.rcvd.reason
