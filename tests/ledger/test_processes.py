"""Several processes and one ledger: every append succeeds, none is lost, there is one chain."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.chains import at_once, create, spend
from tests.services import writes
from twincli.book.store import Book
from twincli.client.embedded import EmbeddedClient
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger
from twincli.services.asset.create import Definition
from twincli.services.keys import keys
from twincli.services.keys.keys import NewKey
from twincli.services.workspace import Workspace

APPENDER = """
import sys
from twincli.book.store import Book
from twincli.client.embedded import EmbeddedClient
from twincli.keystore.store import KeyStore
from twincli.model.edits import Edit
from twincli.services.asset.append import append
from twincli.services.workspace import Workspace

home, me, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = EmbeddedClient.open(home + "/ledger")
workspace = Workspace(client, KeyStore(home + "/keys"), Book(home + "/book.db"))
sys.stdin.readline()
for n in range(count):
    edits = [Edit(("seen", me), n), Edit(("last",), me)]
    print(append(workspace, "car", {}, edits)["transaction_id"], flush=True)
client.close()
workspace.book.close()
"""


def make_car(home: Path) -> str:
    """Make a home with a key and a car, return the car's id."""
    client = EmbeddedClient.open(str(home / "ledger"), create=True)
    workspace = Workspace(client, KeyStore(str(home / "keys")), Book(str(home / "book.db")))
    keys.new(workspace, NewKey("alice", None))
    document = writes.create(workspace, "car", Definition({"wheels": 4}))
    client.close()
    workspace.book.close()
    asset_id: str = document["id"]
    return asset_id


def appending(home: Path, processes: int, appends: int) -> None:
    asset_id = make_car(home)
    results = at_once(
        *(["-c", APPENDER, str(home), f"p{number}", str(appends)] for number in range(processes))
    )
    assert [status for status, _, _ in results] == [0] * processes, results
    made = [line for _, out, _ in results for line in out.split()]
    assert len(made) == len(set(made)) == processes * appends
    with Ledger.open(home / "ledger") as ledger:
        txs = ledger.transactions(asset_id)
        assert {tx["id"] for tx in txs[1:]} == set(made)
        for before, after in pairwise(txs):
            assert after["inputs"][0]["fulfills"]["transaction_id"] == before["id"]
        replay = ledger.replay(asset_id)
        assert replay is not None
        # A dotted path is written on what was there, so nobody overwrites another's.
        assert replay.common["seen"] == {f"p{number}": appends - 1 for number in range(processes)}
        assert ledger.verify().problems == []


def test_ten_processes_append_to_one_asset(tmp_path: Path) -> None:
    appending(tmp_path, 10, 5)


@pytest.mark.ci
def test_ten_processes_append_much_to_one_asset(tmp_path: Path) -> None:
    appending(tmp_path, 10, 60)


@pytest.mark.nightly
def test_thirty_processes_append_to_one_asset(tmp_path: Path) -> None:
    appending(tmp_path, 30, 100)


def twin(home: Path, *words: str) -> list[str]:
    return ["-m", "twincli", "--home", str(home), "--json", *words]


def documents(results: list[tuple[int, str, str]]) -> list[dict[str, Any]]:
    return [json.loads(out) for status, out, _ in results if status == 0]


def test_the_command_appends_beside_itself(tmp_path: Path) -> None:
    make_car(tmp_path)
    results = at_once(
        *(twin(tmp_path, "asset", "append", "car", f"--seen.p{n}", str(n)) for n in range(10))
    )
    assert [status for status, _, _ in results] == [0] * 10, results
    with Ledger.open(tmp_path / "ledger") as ledger:
        replay = ledger.replay(next(ledger.asset_ids()))
        assert replay is not None
        assert replay.common == {"seen": {f"p{n}": n for n in range(10)}}


def test_one_token_makes_one_append_however_many_retry_at_once(tmp_path: Path) -> None:
    asset_id = make_car(tmp_path)
    command = twin(tmp_path, "asset", "append", "car", "--km.total", "5", "--once", "trip-1")
    results = at_once(*[command] * 6)
    assert [status for status, _, _ in results] == [0] * 6, results
    assert len({document["transaction_id"] for document in documents(results)}) == 1
    with Ledger.open(tmp_path / "ledger") as ledger:
        assert ledger.count(asset_id) == 2


SUBMIT = """
import json, sys
from twincli.errors import InvalidError
from twincli.ledger import Ledger
with Ledger.open(sys.argv[1], create=False) as ledger:
    try:
        print(ledger.submit(json.loads(sys.argv[2])))
    except InvalidError as error:
        print(error.code)
"""


def test_of_many_different_spends_of_one_output_exactly_one_wins(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        made = create(1)
        ledger.submit(made)
    spends = [spend((made, 0), metadata={"from": number}) for number in range(8)]
    results = at_once(*(["-c", SUBMIT, str(tmp_path), json.dumps(tx)] for tx in spends))
    said = sorted(out.strip() for _, out, _ in results)
    assert said == ["2"] + ["double_spend"] * 7, results
    with Ledger.open(tmp_path) as ledger:
        assert ledger.count(made["id"]) == 2
        assert ledger.verify().problems == []


def test_one_name_goes_to_one_asset(tmp_path: Path) -> None:
    make_car(tmp_path)
    command = twin(tmp_path, "asset", "create", "box", "--n", "1")
    results = at_once(*[command] * 5)
    assert sorted(status for status, _, _ in results) == [0, 5, 5, 5, 5], results
    command = twin(tmp_path, "asset", "create", "bag", "--n", "1", "--if-missing")
    results = at_once(*[command] * 5)
    assert [status for status, _, _ in results] == [0] * 5, results
    assert sorted(document["created"] for document in documents(results)) == [False] * 4 + [True]
    with Ledger.open(tmp_path / "ledger") as ledger:
        assert ledger.counts() == {"transactions": 3, "assets": 3}
