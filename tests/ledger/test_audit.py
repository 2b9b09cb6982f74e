"""``Ledger.verify`` trusts nothing that is stored: whatever is changed in the file, it shows."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from tests.ledger.chains import ALICE, BOB, Tx, chain, create, owned, spend
from twincli.errors import TwinError
from twincli.ledger import Ledger, audit
from twincli.ledger.audit import Report
from twincli.ledger.store import Store
from twincli.model.transaction import transaction_id


def story() -> list[Tx]:
    """Return seven transactions: a chain, a split and a merge, a stranger."""
    first, second = chain(2)
    pair = create(5, outputs=[owned(ALICE, amount=2), owned(BOB, amount=3)])
    twin = {"v": 1, "kind": "append", "once": "token"}
    third = spend((second, 0), metadata={"n": 2, "twin": twin})
    merged = spend((pair, 0), (pair, 1), signers=[ALICE, BOB], outputs=[owned(BOB, amount=5)])
    return [first, second, pair, third, merged, create(6, signer=BOB), create(7)]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("original") / "ledger"
    with Ledger.open(place) as ledger:
        txs = story()
        ledger.submit_many(txs[:3])
        ledger.submit_many(txs[3:5])
        ledger.submit(txs[5])
        ledger.submit(txs[6])
    return place


def tampered(original: Path, tmp_path: Path, *statements: str) -> Report:
    place = tmp_path / "ledger"
    shutil.copytree(original, place)
    with closing(sqlite3.connect(place / "ledger.db")) as connection:
        for statement in statements:
            changed = connection.execute(statement).rowcount
            assert changed != 0, f"changed nothing: {statement}"
        connection.commit()
    (place / "ledger.mark").unlink()  # what it says has tests of its own
    with Ledger.open(place) as ledger:
        return ledger.verify()


def test_an_honest_ledger_has_no_problems(original: Path, tmp_path: Path) -> None:
    report = tampered(original, tmp_path)
    assert report == Report(7, 5, [], [])
    with Ledger.open(tmp_path / "ledger") as ledger:
        asset = story()[0]["id"]
        assert ledger.verify(asset) == Report(3, 0, [], [])
        (problem,) = ledger.verify("f" * 64).problems
        assert problem[1] == "not_found"


# name -> SQL, one code that must be among the problems
TAMPERING: dict[str, tuple[str, str]] = {
    "a value in a body": (
        "UPDATE tx SET body = replace(body, '\"n\":2', '\"n\":3')",
        "invalid_hash",
    ),
    "spaces in a body": (
        "UPDATE tx SET body = body || ' ' WHERE seq = 2",
        "invalid_hash",
    ),
    "a body that is no JSON": (
        "UPDATE tx SET body = 'x' WHERE seq = 3",
        "damaged_ledger",
    ),
    "a body that is no transaction": (
        "UPDATE tx SET body = '{}' WHERE seq = 3",
        "invalid_hash",
    ),
    "a body that is a list": (
        "UPDATE tx SET body = '[]' WHERE seq = 3",
        "schema_validation_error",
    ),
    "another transaction's body": (
        "UPDATE tx SET body = (SELECT body FROM tx WHERE seq = 1) WHERE seq = 7",
        "invalid_hash",
    ),
    "an id": (
        "UPDATE tx SET id = zeroblob(32) WHERE seq = 7",
        "invalid_hash",
    ),
    "an asset number of an append": (
        "UPDATE tx SET asset = 3 WHERE seq = 4",
        "asset_mismatch",
    ),
    "an asset number of a create": (
        "UPDATE tx SET asset = 1 WHERE seq = 7",
        "asset_mismatch",
    ),
    "a height": (
        "UPDATE tx SET height = 2 WHERE seq = 1",
        "block_order",
    ),
    "a transaction away": (
        "DELETE FROM tx WHERE seq = 7",
        "app_hash_mismatch",
    ),
    "a middle transaction away": (
        "DELETE FROM tx WHERE seq = 2",
        "input_does_not_exist",
    ),
    "a transaction of no block": (
        "INSERT INTO tx SELECT 99, zeroblob(32), 1, 9, body FROM tx WHERE seq = 7",
        "block_order",
    ),
    "a mark of spending away": (
        "DELETE FROM spent WHERE seq = 1",
        "double_spend",
    ),
    "a mark moved to another spender": (
        "UPDATE spent SET by_seq = 7 WHERE seq = 1",
        "double_spend",
    ),
    "a mark too many": (
        "INSERT INTO spent VALUES (7, 0, 6)",
        "spent_mismatch",
    ),
    "a mark on an output that is not there": (
        "INSERT INTO spent VALUES (7, 9, 6)",
        "spent_mismatch",
    ),
    "an unspent output away": (
        "DELETE FROM unspent WHERE seq = 7",
        "unspent_mismatch",
    ),
    "an unspent output too many": (
        "INSERT INTO unspent VALUES (1, 1, 0)",
        "unspent_mismatch",
    ),
    "an unspent output of another asset": (
        "UPDATE unspent SET asset = 1 WHERE seq = 7",
        "unspent_mismatch",
    ),
    "an unspent output that is not there": (
        "UPDATE unspent SET output_index = 4 WHERE seq = 7",
        "unspent_mismatch",
    ),
    "an unspent output swapped for a spent one": (
        "UPDATE unspent SET asset = 1, seq = 1 WHERE seq = 7",
        "unspent_mismatch",
    ),
    "a block's time": (
        "UPDATE block SET time_ms = time_ms + 1 WHERE height = 4",
        "root_mismatch",
    ),
    "a block's time backwards": (
        "UPDATE block SET time_ms = 1 WHERE height = 2",
        "block_order",
    ),
    "a block's chained hash": (
        "UPDATE block SET app_hash = zeroblob(32) WHERE height = 2",
        "app_hash_mismatch",
    ),
    "a block's root": (
        "UPDATE block SET root = zeroblob(32) WHERE height = 3",
        "root_mismatch",
    ),
    "a block's end": (
        "UPDATE block SET last_seq = 4 WHERE height = 2",
        "block_order",
    ),
    "a block away": (
        "DELETE FROM block WHERE height = 2",
        "block_order",
    ),
    "the state of the tree": (
        "UPDATE tree SET state = zeroblob(length(state))",
        "root_mismatch",
    ),
    "a once token": (
        "UPDATE once SET token = 'other'",
        "once_mismatch",
    ),
    "a once token's place": (
        "UPDATE once SET seq = 2",
        "once_mismatch",
    ),
    "a once token away": (
        "DELETE FROM once",
        "once_mismatch",
    ),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_found(name: str, original: Path, tmp_path: Path) -> None:
    sql, code = TAMPERING[name]
    report = tampered(original, tmp_path, sql)
    assert code in {problem[1] for problem in report.problems}, report.problems


def test_any_byte_of_any_body(original: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(original / "ledger.db")) as connection:
        bodies = connection.execute("SELECT seq, body FROM tx WHERE seq IN (1, 5)").fetchall()
    place = tmp_path / "ledger"
    shutil.copytree(original, place)
    missed = []
    with closing(sqlite3.connect(place / "ledger.db")) as connection, Ledger.open(place) as ledger:
        for seq, body in bodies:
            for position in range(0, len(body), 23):
                other = "a" if body[position] != "a" else "b"
                changed = body[:position] + other + body[position + 1 :]
                connection.execute("UPDATE tx SET body = ? WHERE seq = ?", (changed, seq))
                connection.commit()
                if not ledger.verify().problems:
                    missed.append((seq, position))
            connection.execute("UPDATE tx SET body = ? WHERE seq = ?", (body, seq))
            connection.commit()
        assert ledger.verify().problems == []
    assert missed == []


def test_a_forged_transaction_with_a_right_id(original: Path, tmp_path: Path) -> None:
    """The body is changed and id, hash and root made to fit: the signature still tells."""
    tx = story()[6]
    tx["metadata"] = {"forged": True}
    tx["id"] = None
    tx["id"] = transaction_id(tx)
    body = json.dumps(tx, sort_keys=True, separators=(",", ":"))
    report = tampered(
        original, tmp_path, f"UPDATE tx SET id = x'{tx['id']}', body = '{body}' WHERE seq = 7"
    )
    assert (tx["id"], "invalid_signature") in {problem[:2] for problem in report.problems}


def test_a_kept_double_spend(original: Path, tmp_path: Path) -> None:
    first, second = story()[0], story()[1]
    rival = spend((first, 0), metadata={"rival": True})
    body = json.dumps(rival, sort_keys=True, separators=(",", ":"))
    report = tampered(
        original,
        tmp_path,
        f"INSERT INTO tx VALUES (8, x'{rival['id']}', 1, 4, '{body}')",
        "UPDATE block SET last_seq = 8 WHERE height = 4",
        "INSERT INTO unspent VALUES (1, 8, 0)",
    )
    found = {problem[:2] for problem in report.problems}
    assert (rival["id"], "double_spend") in found
    assert any(second["id"] in message for _, _, message in report.problems)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a ledger long enough for two processes."""
    place = tmp_path_factory.mktemp("long") / "ledger"
    with Ledger.open(place) as ledger:
        ledger.submit(create())
        asset = next(ledger.asset_ids())
        ledger.append_many(ALICE, asset, ({"n": n} for n in range(2 * audit.SMALLEST_SLICE)))
    return place


def test_two_processes_share_a_long_ledger(
    long: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    real = audit._start

    def start(store: Store, asset: int | None, first: int, last: int) -> object:
        started.append((asset, first, last))
        return real(store, asset, first, last)

    monkeypatch.setattr(audit, "_start", start)
    shutil.copytree(long, tmp_path / "ledger")
    total = 2 * audit.SMALLEST_SLICE + 1
    with Ledger.open(tmp_path / "ledger") as ledger:
        assert ledger.verify(workers=2) == Report(total, 3, [], [])
        asset = next(ledger.asset_ids())
        assert ledger.verify(asset, workers=2) == Report(total, 0, [], [])
        assert started == [
            (None, total - round(total * 1.075 / 2), total),
            (1, total - round(total / 2), total),
        ]
        with closing(sqlite3.connect(tmp_path / "ledger" / "ledger.db")) as connection:
            for seq in (10, total - 10):
                connection.execute("UPDATE tx SET body = body || ' ' WHERE seq = ?", (seq,))
            connection.commit()
        codes = [problem[1] for problem in ledger.verify(workers=2).problems]
        assert codes == ["invalid_hash", "invalid_hash"]


class Elsewhere(NamedTuple):
    """A store whose file another process does not find as it should be."""

    opened_path: str
    is_shared: bool = False


@pytest.mark.parametrize("what", ["foreign", "missing"])
def test_the_error_of_another_process_is_the_same_here(
    long: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    other = tmp_path / "other.db"
    if what == "foreign":
        with closing(sqlite3.connect(other)) as connection:
            connection.execute("CREATE TABLE cars (name)")
    with pytest.raises(TwinError) as there:
        Store(str(other), read_only=True)
    real = audit._start
    started = []

    def start(_store: Store, asset: int | None, first: int, last: int) -> Any:
        started.append(real(cast("Store", Elsewhere(str(other))), asset, first, last))
        return started[-1]

    monkeypatch.setattr(audit, "_start", start)
    with Ledger.open(long) as ledger, pytest.raises(TwinError) as here:
        ledger.verify(workers=2)
    assert started
    assert all(helper.returncode is not None for helper in started)
    assert type(here.value) is type(there.value)
    assert vars(here.value) == vars(there.value)


def test_a_process_that_is_killed_has_verified_nothing(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = audit._start

    def start(*arguments: Any) -> Any:
        helper = real(*arguments)
        helper.kill()
        return helper

    monkeypatch.setattr(audit, "_start", start)
    with Ledger.open(long) as ledger, pytest.raises(RuntimeError, match="status -9"):
        ledger.verify(workers=2)


def test_helpers_take_no_module_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, trap = tmp_path / "ledger", tmp_path / "trap"
    with Ledger.open(place) as ledger:
        first = create()
        ledger.submit(first)
        ledger.append_many(ALICE, first["id"], ({"n": n} for n in range(20)))
    trap.mkdir()
    for name in ("base58", "heapq", "json", "twincli"):
        (trap / f"{name}.py").write_text(f"open({str(trap / 'sprung')!r}, 'w').close()\n")
    monkeypatch.chdir(trap)
    monkeypatch.setattr(audit, "SMALLEST_SLICE", 5)
    with Ledger.open(place) as ledger:
        assert ledger.verify(workers=2).problems == []
    assert not (trap / "sprung").exists()


def test_what_is_written_meanwhile_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "ledger"
    first, *later = chain(3)
    real = audit._verify_slice

    def slow(*arguments: Any) -> Any:
        with Ledger.open(place) as writer:
            writer.submit_many(later)
        return real(*arguments)

    with Ledger.open(place) as ledger:
        ledger.submit(first)
        monkeypatch.setattr(audit, "_verify_slice", slow)
        report = ledger.verify()
        assert report.problems == []
        assert report.transactions == 1
        assert report.blocks == 2
        assert ledger.counts()["transactions"] == 3


def test_progress_ends_with_all(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with Ledger.open(tmp_path) as ledger:
        ledger.submit_many(story())
        ledger.verify(workers=1, progress=lambda done, total: told.append((done, total)))
        assert told == [(7, 7)]
        report = ledger.verify_last(3)
        assert (report.transactions, report.blocks) == (3, 0)
        assert ledger.verify_last(100).transactions == 7
