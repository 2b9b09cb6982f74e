"""Whatever is changed in a ledger is found, said where, and never taken for the truth."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.ledger.chains import ALICE, BOB
from tests.services.proof import facts
from twincli.crypto import merkle
from twincli.errors import TwinError
from twincli.ledger import Ledger
from twincli.ledger.files import locate, read_key
from twincli.services.proof.anchors import NONE, Anchors
from twincli.services.proof.verify import verify_file

if TYPE_CHECKING:
    from pathlib import Path

    from twincli.services.documents import Verification

FLIPS = 1000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> facts.Facts:
    return facts.facts(tmp_path_factory.mktemp("facts"))


@pytest.fixture
def copied(made: facts.Facts, tmp_path: Path) -> Path:
    place = tmp_path / "handed"
    place.mkdir()
    shutil.copy(made.place / "ledger" / "ledger.db", place)
    return place / "ledger.db"


def status(path: Path, anchors: Anchors = NONE) -> str:
    return verify_file(str(path), anchors=anchors)["status"]


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def failed(path: Path) -> Verification:
    document = verify_file(str(path))
    assert document["status"] == "failed"
    assert document["problem"] is not None
    assert document["problem"]["where"]
    return document


def test_an_untouched_ledger_is_consistent(copied: Path) -> None:
    document = verify_file(str(copied))
    assert document["status"] == "consistent", document
    parts = document["parts"]
    assert parts["data_integrity"]["checked"] == facts.COUNT
    assert parts["authority"]["checked"] > 20
    assert parts["authority"]["note_count"] == 1  # a stranger's word
    assert parts["attachment_hashes"]["status"] == "not_checked"


# --- Bytes ---


def _dump(path: Path) -> list[str] | None:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            names = ("application_id", "user_version", "page_count")
            pragmas = [str(connection.execute(f"PRAGMA {n}").fetchone()) for n in names]
            return [*connection.iterdump(), *pragmas]
    except (sqlite3.Error, AssertionError, UnicodeDecodeError):
        return None


def _flip(made: facts.Facts, path: Path, count: int, seed: int) -> None:
    original = path.read_bytes()
    wanted = _dump(path)
    with Ledger.open(path, create=False, read_only=True) as ledger:
        past = ledger.transactions(made.car)
    rng = random.Random(seed)
    used = [at for at, byte in enumerate(original) if byte]
    unused = 0
    for _ in range(count):
        # Mostly where something is written.
        at = rng.choice(used) if rng.random() < 0.9 else rng.randrange(len(original))
        bits = 1 << rng.randrange(8) if rng.random() < 0.5 else rng.randrange(1, 256)
        path.write_bytes(original[:at] + bytes([original[at] ^ bits]) + original[at + 1 :])
        document = verify_file(str(path))
        if document["status"] == "consistent":
            # Not one value in the file is another one: the byte is used for nothing.
            assert _dump(path) == wanted, (at, bits)
            unused += 1
            continue
        assert document["status"] == "failed", (at, bits, document)
        assert document["problem"] is not None
        assert document["problem"]["where"], (at, bits)
        # What is shown all the same hashes to its id.
        try:
            with Ledger.open(path, create=False, read_only=True) as ledger:
                assert all(tx in past for tx in ledger.transactions(made.car)), (at, bits)
        except TwinError:
            pass
    assert unused < count / 3


def test_flipped_bytes(made: facts.Facts, copied: Path) -> None:
    _flip(made, copied, 80, 1)


@pytest.mark.ci
def test_a_thousand_flipped_bytes(made: facts.Facts, copied: Path) -> None:
    _flip(made, copied, FLIPS, 2)


# --- Rows ---

TABLES = ("meta", "block", "tx", "unspent", "spent", "tree")


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_deleted(copied: Path, tmp_path: Path, table: str) -> None:
    with closing(sqlite3.connect(copied)) as connection:
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        rows = connection.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall()
    rng = random.Random(3)
    for row in rng.sample(rows, min(8, len(rows))):
        other = tmp_path / "other.db"
        shutil.copy(copied, other)
        where = " AND ".join(f"{name} IS ?" for name in names)
        with closing(sqlite3.connect(other)) as connection, connection:
            assert connection.execute(f"DELETE FROM {table} WHERE {where}", row).rowcount == 1
        failed(other)


def _columns(path: Path) -> tuple[list[int], int]:
    with closing(sqlite3.connect(path)) as connection:
        seqs = [row[0] for row in connection.execute("SELECT seq FROM tx ORDER BY seq")]
        height = connection.execute("SELECT max(height) FROM block").fetchone()[0]
    return seqs, height


SWAPS = {
    "two texts": "UPDATE tx SET body = (SELECT body FROM tx AS o WHERE o.seq = 23 - tx.seq)"
    " WHERE seq IN (11, 12)",
    "two heights": "UPDATE tx SET height = (SELECT height FROM tx AS o WHERE o.seq = 7 - tx.seq)"
    " WHERE seq IN (3, 4)",
    "an asset": "UPDATE tx SET asset = 2 WHERE seq = 10",
    "a spender": "UPDATE spent SET by_seq = by_seq + 1 WHERE seq = 10",
    "an output": "UPDATE unspent SET seq = 4 WHERE seq = (SELECT max(seq) FROM unspent)",
    "a time": "UPDATE block SET time_ms = time_ms + 1 WHERE height = 5",
    "all times": "UPDATE block SET time_ms = time_ms + 3600000",
    "a time before all": "UPDATE block SET time_ms = -1 WHERE height = 5",
    "a root": "UPDATE block SET root = zeroblob(32) WHERE height = 4",
    "an app hash": "UPDATE block SET app_hash = zeroblob(32) WHERE height = 4",
    "a height": "UPDATE block SET height = height + 1"
    " WHERE height = (SELECT max(height) FROM block)",
    "where a block ends": "UPDATE block SET last_seq = last_seq + 1 WHERE height = 4",
    "the key": "UPDATE meta SET value = 'x' WHERE name = 'public_key'",
    "the profile": "UPDATE meta SET value = 'server-2.2.2' WHERE name = 'profile'",
    "the id": "UPDATE meta SET value = zeroblob(32) WHERE name = 'ledger_id'",
    "a copy behind": "INSERT INTO tx SELECT (SELECT max(seq) FROM tx) + 1, zeroblob(32), asset,"
    " height, body FROM tx WHERE seq = 10",
    "an empty block": "INSERT INTO block SELECT max(height) + 1, max(time_ms), max(last_seq),"
    " zeroblob(32), zeroblob(32) FROM block",
    "a number": "UPDATE tx SET body = replace(body, '\"km\":5', '\"km\":6')",
}


@pytest.mark.parametrize("what", SWAPS)
def test_rows_are_changed(copied: Path, what: str) -> None:
    change(copied, SWAPS[what])
    failed(copied)


def test_a_view_that_never_ends_is_not_asked(copied: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    change(copied, "ALTER TABLE block RENAME TO other", f"CREATE VIEW block AS {endless}")
    failed(copied)


def test_two_transactions_change_places(copied: Path) -> None:
    change(
        copied,
        "UPDATE tx SET seq = -1 WHERE seq = 11",
        "UPDATE tx SET seq = 11 WHERE seq = 12",
        "UPDATE tx SET seq = 12 WHERE seq = -1",
    )
    failed(copied)


# --- Whole ledgers ---


def _forge(path: Path) -> None:
    """Compute tree and roots again, as somebody who forges does it; hashes of blocks stay."""
    with closing(sqlite3.connect(path)) as connection, connection:
        run = connection.execute
        tree = merkle.CompactRange()
        for height, time_ms in run("SELECT height, time_ms FROM block ORDER BY height").fetchall():
            for (tx_id,) in run("SELECT id FROM tx WHERE height = ? ORDER BY seq", [height]):
                tree.append(merkle.leaf_hash(merkle.ledger_leaf(height, time_ms, tx_id)))
            run("UPDATE block SET root = ? WHERE height = ?", [tree.root(), height])
        run("UPDATE tree SET state = ?", [tree.to_bytes()])


def test_times_that_are_forged_with_the_tree_need_an_anchor(
    made: facts.Facts, copied: Path
) -> None:
    kept = facts.checkpoint(made.place / "ledger", 30)
    root = Anchors(root=_tip_root(copied))
    change(copied, "UPDATE block SET time_ms = time_ms + 60000 WHERE height > 3")
    _forge(copied)
    assert status(copied) == "consistent"
    assert status(copied, Anchors(checkpoint=kept)) == "failed"
    assert status(copied, root) == "failed"


def _tip_root(path: Path) -> bytes:
    with Ledger.open(path, create=False, read_only=True) as ledger:
        return ledger.tip().root


def test_a_ledger_that_was_rolled_back_needs_an_anchor(made: facts.Facts, tmp_path: Path) -> None:
    older = facts.facts(tmp_path / "older", count=facts.COUNT)
    place = older.place / "ledger"
    before = tmp_path / "before.db"
    shutil.copy(place / "ledger.db", before)
    with Ledger.open(place) as ledger:
        ledger.append_many(ALICE, older.car, [{"km": 99}])
        ledger.checkpoint()
        root = ledger.tip().root
    now, then = facts.checkpoint(place), facts.checkpoint(place, 20)
    assert status(before) == "consistent"
    document = verify_file(str(before), anchors=Anchors(checkpoint=now))
    assert document["status"] == "failed"
    assert document["problem"] is not None
    assert "rolled back" in document["problem"]["message"]
    assert status(before, Anchors(root=root)) == "failed"
    assert status(before, Anchors(checkpoint=then)) == "verified"
    whole = place / "ledger.db"
    assert status(whole, Anchors(checkpoint=now)) == "verified"
    assert status(whole, Anchors(checkpoint=then)) == "verified"
    assert status(whole, Anchors(root=root)) == "verified"
    # The checkpoint of another ledger, even with as many transactions, is not one of this.
    other = facts.checkpoint(made.place / "ledger")
    assert status(whole, Anchors(checkpoint=other)) == "failed"


def test_a_checkpoint_that_is_trusted_saves_signatures_and_nothing_else(
    made: facts.Facts, copied: Path
) -> None:
    kept = Anchors(checkpoint=facts.checkpoint(made.place / "ledger", 30))

    def judged() -> str:
        return verify_file(str(copied), anchors=kept, incremental=True)["status"]

    assert judged() == "verified"
    for number in (2, 17, 30, 31, facts.COUNT):
        before = copied.read_bytes()
        change(
            copied, f"UPDATE tx SET body = replace(body, '\"2.0\"', '\"2.1\"') WHERE seq = {number}"
        )
        assert judged() == "failed", number
        copied.write_bytes(before)
    for table in ("spent", "unspent"):
        before = copied.read_bytes()
        change(copied, f"DELETE FROM {table} WHERE seq = (SELECT max(seq) FROM {table})")
        assert judged() == "failed", table
        copied.write_bytes(before)


def test_a_forged_ledger_is_true_to_itself_and_never_verified(
    made: facts.Facts, tmp_path: Path
) -> None:
    forged = facts.facts(tmp_path / "forged", signer=BOB)
    path = forged.place / "ledger" / "ledger.db"
    real = made.place / "ledger"
    with Ledger.open(real, create=False) as ledger:
        key, root = ledger.public_key, ledger.tip().root
    assert status(path) == "consistent"
    for anchors in (
        Anchors(asset=made.car),
        Anchors(ledger_key=key),
        Anchors(root=root),
        Anchors(checkpoint=facts.checkpoint(real)),
    ):
        assert status(path, anchors) == "failed", anchors
    from twincli.model import did

    by_alice = Anchors(issuer=did.key_did(ALICE.public_key))
    assert verify_file(str(path), forged.car, by_alice)["status"] == "failed"
    assert verify_file(str(real), made.car, by_alice)["status"] == "verified"


def test_the_name_of_a_ledger_can_be_stolen_and_its_key_cannot(
    made: facts.Facts, tmp_path: Path
) -> None:
    forged = facts.facts(tmp_path / "forged", signer=BOB)
    path, real = forged.place / "ledger" / "ledger.db", made.place / "ledger"
    with closing(sqlite3.connect(real / "ledger.db")) as connection:
        rows = connection.execute("SELECT name, value FROM meta").fetchall()
        began = connection.execute("SELECT time_ms FROM block WHERE height = 0").fetchone()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)
        connection.execute("UPDATE block SET time_ms = ? WHERE height = 0", began)
    key = read_key(locate(str(real)).key).public_key
    assert status(path) == "consistent"
    assert status(path, Anchors(ledger_key=key)) == "undetermined"
    kept = facts.checkpoint(real)
    assert status(path, Anchors(ledger_key=key, checkpoint=kept)) == "failed"
    assert status(real / "ledger.db", Anchors(ledger_key=key)) == "undetermined"
    assert status(real / "ledger.db", Anchors(ledger_key=key, checkpoint=kept)) == "verified"
