"""A byte of the log that was changed is seen, though SQLite passes over it."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.ledger.chains import ALICE, create
from twincli.ledger import Ledger, log
from twincli.services.proof.verify import verify_file

HEAD, FRAME = 32, 24 + 8192


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger whose log holds several commits."""
    place = tmp_path_factory.mktemp("log") / "ledger"
    first = create(data={"name": "car"})
    with Ledger.open(place) as ledger:
        ledger.submit(first)
        ledger.checkpoint()
        for n in range(4):
            ledger.append_many(ALICE, first["id"], [{"n": n}])
    return place


@pytest.fixture
def copied(place: Path, tmp_path: Path) -> Path:
    for name in ("ledger.db", "ledger.db-wal"):
        shutil.copy(place / name, tmp_path)
    return tmp_path / "ledger.db-wal"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_PAUSE", 0)


def altered(path: Path) -> bool | None:
    found = log.fault(str(path))
    return None if found is None else found.is_altered


def test_a_log_as_it_was_written(copied: Path) -> None:
    assert altered(copied) is None
    assert altered(copied.with_name("nothing")) is None
    copied.write_bytes(b"")
    assert altered(copied) is None


def test_every_byte_counts(copied: Path) -> None:
    whole = copied.read_bytes()
    last = HEAD + (len(whole) - HEAD) // FRAME * FRAME - FRAME
    rng = random.Random(14)
    wheres = [*range(0, 56, 3), last - 1, *(rng.randrange(last) for _ in range(40))]
    for at in wheres:
        copied.write_bytes(
            whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :]
        )
        assert altered(copied) is True, at
    document = verify_file(str(copied.with_name("ledger.db")))
    assert document["status"] == "failed"
    assert document["problem"] is not None
    assert document["problem"]["where"] == "ledger.db-wal"


def test_the_end_may_have_been_cut_off_by_a_loss_of_power(copied: Path) -> None:
    whole = copied.read_bytes()
    for data in (whole[:-1], whole[:-5] + b"other", whole[:20]):
        copied.write_bytes(data)
        assert altered(copied) is False
        assert verify_file(str(copied.with_name("ledger.db")))["status"] == "undetermined"
    copied.write_bytes(whole[:-FRAME])  # as of a process that was killed
    assert altered(copied) is None


def test_what_is_left_from_an_earlier_log_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE x (y)")
    for n in range(20):
        connection.execute("INSERT INTO x VALUES (?)", (bytes(3000 + n),))
    connection.execute("PRAGMA wal_checkpoint(RESTART)")
    connection.execute("INSERT INTO x VALUES (1)")
    wal = tmp_path / "x.db-wal"
    assert wal.stat().st_size > 20 * 4096
    assert altered(wal) is None
    data = bytearray(wal.read_bytes())
    data[100] ^= 1
    copy = tmp_path / "copy"
    copy.write_bytes(data)
    assert altered(copy) is not None
    connection.close()


def test_a_log_that_somebody_writes_to_is_read_again(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = copied.read_bytes()
    copied.write_bytes(whole[:-9])

    def sleep(_: float) -> None:
        copied.write_bytes(whole)

    monkeypatch.setattr("time.sleep", sleep)
    assert altered(copied) is None
