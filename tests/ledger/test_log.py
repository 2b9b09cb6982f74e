"""The write-ahead log stays beside the file; reading what may be evidence writes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ledger.chains import ALICE, create
from twincli import database
from twincli.errors import ConfigError, TwinError
from twincli.ledger import Ledger
from twincli.ledger.audit import SMALLEST_SLICE

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def first() -> dict[str, Any]:
    return create(data={"name": "red car"})


@pytest.fixture
def place(tmp_path: Path, first: dict[str, Any]) -> Path:
    """A ledger whose file holds one transaction and whose log one more."""
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.submit(first)
        ledger.checkpoint()
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.append_many(ALICE, first["id"], [{"n": 1}])
    return tmp_path / "ledger"


@pytest.fixture
def kept_temporaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where private copies are made; all are gone in the end."""
    import tempfile

    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    yield directory
    assert list(directory.iterdir()) == []


def content(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in directory.iterdir()}


def test_a_short_log_stays(place: Path, first: dict[str, Any]) -> None:
    file = (place / "ledger.db").read_bytes()
    for number in range(3):
        log = (place / "ledger.db-wal").stat().st_size
        with Ledger.open(place) as ledger:
            assert ledger.count(first["id"]) == 2 + number
            ledger.append_many(ALICE, first["id"], [{"n": number}])
        assert (place / "ledger.db-wal").stat().st_size > log
    assert (place / "ledger.db").read_bytes() == file


def test_reading_leaves_the_log_where_it_is(place: Path, first: dict[str, Any]) -> None:
    log = (place / "ledger.db-wal").read_bytes()
    with Ledger.open(place) as ledger:
        assert ledger.count(first["id"]) == 2
    assert (place / "ledger.db-wal").read_bytes() == log


def test_a_long_log_moves_into_the_file(place: Path, first: dict[str, Any]) -> None:
    with Ledger.open(place) as ledger:
        ledger.append_many(ALICE, first["id"], ({"n": n} for n in range(2000)))
        assert (place / "ledger.db-wal").stat().st_size > database.LOG_KEPT
    assert not (place / "ledger.db-wal").exists()
    with Ledger.open(place) as ledger:
        assert ledger.count(first["id"]) == 2002


def test_after_a_checkpoint_the_file_is_all_there_is(
    place: Path, tmp_path: Path, first: dict[str, Any]
) -> None:
    with Ledger.open(place) as ledger:
        ledger.checkpoint()
        (tmp_path / "copy.db").write_bytes((place / "ledger.db").read_bytes())
        ledger.append_many(ALICE, first["id"], [{"n": 2}])
    with Ledger.open(tmp_path / "copy.db", create=False) as copy:
        assert copy.count(first["id"]) == 2
        assert copy.verify().problems == []


@pytest.mark.usefixtures("kept_temporaries")
@pytest.mark.parametrize("with_log", [True, False])
def test_reading_only_writes_nothing(place: Path, first: dict[str, Any], *, with_log: bool) -> None:
    if not with_log:
        with Ledger.open(place) as ledger:
            ledger.checkpoint()
    else:
        (place / "ledger.db-shm").unlink()
    before = content(place)
    with Ledger.open(place, create=False, read_only=True) as ledger:
        assert ledger.count(first["id"]) == 2
        assert ledger.path == str(place / "ledger.db")
        assert [hit["id"] for hit in ledger.search_assets("car")] == [first["id"]]
        assert ledger.outputs(ALICE.public_key, spent=False)
        assert ledger.verify().problems == []
        with pytest.raises(ConfigError) as caught:
            ledger.submit(create())
        assert caught.value.code == "read_only"
    assert content(place) == before


@pytest.mark.usefixtures("kept_temporaries")
@pytest.mark.parametrize("with_log", [True, False])
def test_processes_that_verify_a_part_write_nothing_either(
    place: Path, first: dict[str, Any], *, with_log: bool
) -> None:
    with Ledger.open(place) as ledger:
        ledger.append_many(ALICE, first["id"], ({"n": n} for n in range(2 * SMALLEST_SLICE)))
        ledger.checkpoint()
        if with_log:
            ledger.append_many(ALICE, first["id"], [{"n": 0}])
    before, changed = content(place), place.stat().st_mtime_ns
    with Ledger.open(place, create=False, read_only=True) as ledger:
        assert ledger.verify(workers=2).problems == []
    assert content(place) == before
    assert place.stat().st_mtime_ns == changed  # nor was anything there for a while


@pytest.mark.usefixtures("kept_temporaries")
def test_a_file_that_does_not_stop_changing_is_busy(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = iter(range(100))
    monkeypatch.setattr(database, "_stamp", lambda _: next(stamps))
    with pytest.raises(TwinError) as caught:
        Ledger.open(place, create=False, read_only=True)
    assert (caught.value.code, caught.value.retryable) == ("busy", True)


MAKE = """
import sys
from tests.ledger.chains import create
from twincli.ledger import Ledger
sys.stdin.readline()
with Ledger.open(sys.argv[1]) as ledger:
    ledger.submit(create(data={"by": sys.argv[2]}))
    print(ledger.id, ledger.public_key)
"""


def test_processes_that_begin_a_ledger_at_once_begin_one(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE, str(tmp_path / "l"), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": "."},
        )
        for number in range(6)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in processes]
    assert len({answer[0] for answer in answers}) == 1
    from twincli.ledger.files import read_key

    assert read_key(str(tmp_path / "l" / "ledger.key")).public_key == answers[0][1]
    with Ledger.open(tmp_path / "l") as ledger:
        assert ledger.counts()["transactions"] == 6


def test_a_creation_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("twincli.ledger.store._lay_out", broken)
        with pytest.raises(KeyboardInterrupt):
            Ledger.open(tmp_path / "l")
    assert list((tmp_path / "l").iterdir()) == []
    with Ledger.open(tmp_path / "l") as ledger:
        assert ledger.submit(create()) == 1
