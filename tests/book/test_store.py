"""The book of names."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import unicodedata
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twincli.book import store
from twincli.book.store import AssetName, Book, PartyName
from twincli.errors import ConfigError, ConflictError, InvalidError, TwinError

if TYPE_CHECKING:
    from collections.abc import Iterator

LEDGER = "1" * 64
OTHER_LEDGER = "2" * 64
CAR = "a" * 64
BOX = "b" * 64
KEY = "6ASf5EcmmEHTgDJ4X4ZT5vT6iHVJBXPg5AN5YoTCpGWt"
NOW = 1_700_000_000.0


def yes(_: str) -> bool:
    return True


def no(_: str) -> bool:
    return False


def never(_: str) -> bool:
    raise AssertionError("the ledger need not be asked")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "home" / "book.db")


@pytest.fixture
def book(path: str) -> Iterator[Book]:
    with Book(path) as opened:
        yield opened


def raw(path: str, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


# --- Reading before there is anything ---------------------------------------------------------


def test_reading_makes_no_file(book: Book, path: str) -> None:
    assert book.lookup(LEDGER, "car", never) is None
    assert book.party("jack") is None
    assert book.names_of(LEDGER, CAR) == []
    assert book.names_of_party(KEY) == []
    assert book.list_assets(LEDGER) == []
    assert book.list_parties() == []
    assert book.remove_asset(LEDGER, "car") is None
    assert book.remove_party("jack") is None
    assert not os.path.exists(os.path.dirname(path))


def test_an_empty_file_is_an_empty_book(book: Book, path: str) -> None:
    os.mkdir(os.path.dirname(path))
    open(path, "wb").close()
    assert book.lookup(LEDGER, "car", never) is None
    book.set_party("jack", KEY)
    assert book.party("jack") == KEY


def test_only_its_owner_reads_it(book: Book, path: str) -> None:
    book.set_party("jack", KEY)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


def test_a_closed_book_opens_again(book: Book) -> None:
    book.set_party("jack", KEY)
    book.close()
    book.close()
    assert book.party("jack") == KEY


# --- Assets -----------------------------------------------------------------------------------


def test_reserve_confirm_lookup(book: Book, path: str) -> None:
    book.reserve(LEDGER, "car", CAR, never, now=NOW)
    assert book.list_assets(LEDGER) == [AssetName("car", CAR, reserved=True)]
    assert book.confirm(LEDGER, "car", CAR)
    assert book.list_assets(LEDGER) == [AssetName("car", CAR, reserved=False)]
    with Book(path) as again:
        assert again.lookup(LEDGER, "car", never) == CAR
        assert again.lookup(OTHER_LEDGER, "car", never) is None
        assert again.lookup(LEDGER, "cat", never) is None


def test_a_crash_between_the_steps_loses_no_name(book: Book, path: str) -> None:
    book.reserve(LEDGER, "car", CAR, never)
    book.close()  # the asset was submitted, confirm never ran
    with Book(path) as again:
        asked: list[str] = []

        def exists(asset: str) -> bool:
            asked.append(asset)
            return True

        assert again.lookup(LEDGER, "car", exists) == CAR
        assert asked == [CAR]
        assert again.names_of(LEDGER, CAR) == ["car"]


def test_a_crash_before_the_asset_blocks_no_name(book: Book) -> None:
    book.reserve(LEDGER, "car", CAR, never, now=NOW)
    assert book.lookup(LEDGER, "car", no) is None
    with pytest.raises(ConflictError, match="is being created") as caught:
        book.reserve(LEDGER, "car", BOX, no, now=NOW + 60)
    assert (caught.value.code, caught.value.retryable) == ("exists", True)
    book.reserve(LEDGER, "car", BOX, no, now=NOW + 60.5)
    assert book.lookup(LEDGER, "car", yes) == BOX


@pytest.mark.parametrize("later", [61, 1e9, -61, -1e9])
def test_a_clock_that_was_set_holds_no_name(book: Book, later: float) -> None:
    book.reserve(LEDGER, "car", CAR, never, now=NOW)
    book.reserve(LEDGER, "car", BOX, no, now=NOW + later)
    assert book.lookup(LEDGER, "car", yes) == BOX


@pytest.mark.parametrize("later", [0, 3600])
def test_a_reserved_asset_on_the_ledger_keeps_its_name(book: Book, later: float) -> None:
    book.reserve(LEDGER, "car", CAR, never, now=NOW)
    with pytest.raises(ConflictError, match=r"belongs to asset a{64} on ledger 1{16}$") as caught:
        book.reserve(LEDGER, "CAR", BOX, yes, now=NOW + later)
    assert (caught.value.code, caught.value.retryable) == ("exists", False)
    assert book.lookup(LEDGER, "car", yes) == CAR


def test_without_a_ledger_to_ask_a_reservation_stands(book: Book) -> None:
    book.reserve(LEDGER, "car", CAR, now=NOW)
    with pytest.raises(ConflictError) as caught:
        book.reserve(LEDGER, "car", BOX, now=NOW + 3600)
    assert caught.value.retryable


def test_a_confirmed_name_is_taken_whatever_the_ledger_says(book: Book) -> None:
    book.set_asset(LEDGER, "car", CAR)
    with pytest.raises(ConflictError) as caught:
        book.reserve(LEDGER, "car", BOX, never)
    assert not caught.value.retryable
    assert caught.value.hint is not None
    assert "twin name remove car" in caught.value.hint


def test_reserving_twice_for_one_asset_is_no_change(book: Book) -> None:
    book.reserve(LEDGER, "car", CAR, never, now=NOW)
    book.reserve(LEDGER, "car", CAR, never, now=NOW + 1)
    book.confirm(LEDGER, "car", CAR)
    book.reserve(LEDGER, "car", CAR, never, now=NOW + 2)
    assert book.list_assets(LEDGER) == [AssetName("car", CAR, reserved=False)]


def test_the_present_is_the_default_time(book: Book) -> None:
    book.reserve(LEDGER, "car", CAR, never)
    with pytest.raises(ConflictError) as caught:
        book.reserve(LEDGER, "car", BOX, no)
    assert caught.value.retryable


def test_who_was_too_slow_is_told(book: Book) -> None:
    book.reserve(LEDGER, "car", CAR, never, now=NOW)
    book.reserve(LEDGER, "car", BOX, no, now=NOW + 100)
    assert not book.confirm(LEDGER, "car", CAR)
    assert not book.release(LEDGER, "car", CAR)
    assert book.confirm(LEDGER, "car", BOX)
    assert book.list_assets(LEDGER) == [AssetName("car", BOX, reserved=False)]


def test_release(book: Book) -> None:
    book.reserve(LEDGER, "car", CAR, never, now=NOW)
    assert book.release(LEDGER, "car", CAR)
    assert not book.release(LEDGER, "car", CAR)
    book.reserve(LEDGER, "car", BOX, never, now=NOW)
    book.confirm(LEDGER, "car", BOX)
    assert not book.release(LEDGER, "car", BOX)
    assert book.lookup(LEDGER, "car", never) == BOX


def test_one_name_on_two_ledgers_and_two_names_of_one_asset(book: Book) -> None:
    assert book.set_asset(LEDGER, "car", CAR)
    assert not book.set_asset(LEDGER, "car", CAR)
    assert book.set_asset(OTHER_LEDGER, "car", BOX)
    assert book.set_asset(LEDGER, "Auto", CAR)
    assert book.lookup(LEDGER, "car", never) == CAR
    assert book.lookup(OTHER_LEDGER, "car", never) == BOX
    assert book.names_of(LEDGER, CAR) == ["Auto", "car"]
    assert book.names_of(OTHER_LEDGER, CAR) == []
    assert book.remove_asset(LEDGER, "car") == CAR
    assert book.remove_asset(LEDGER, "car") is None
    assert book.lookup(OTHER_LEDGER, "car", never) == BOX


def test_a_name_is_moved_only_when_asked(book: Book) -> None:
    book.set_asset(LEDGER, "car", CAR)
    with pytest.raises(ConflictError) as caught:
        book.set_asset(LEDGER, "car", BOX)
    assert caught.value.code == "exists"
    assert book.set_asset(LEDGER, "car", BOX, replace=True)
    assert book.lookup(LEDGER, "car", never) == BOX


def test_case_and_composition_do_not_tell_names_apart(book: Book) -> None:
    book.set_asset(LEDGER, "Größe-é", CAR)
    for spelled in ("größe-é", "GRÖSSE-É", unicodedata.normalize("NFD", "Größe-é")):
        assert book.lookup(LEDGER, spelled, never) == CAR
        with pytest.raises(ConflictError):
            book.set_asset(LEDGER, spelled, BOX)


@pytest.mark.parametrize(
    "name", ["", "a b", "a:b", CAR, "deadbeef", "x.json", KEY, "'; DROP TABLE"]
)
def test_bad_names_are_refused_and_found_nowhere(book: Book, name: str) -> None:
    book.set_asset(LEDGER, "car", CAR)
    for attempt in (book.set_asset, book.reserve):
        with pytest.raises(InvalidError) as caught:
            attempt(LEDGER, name, CAR)
        assert caught.value.code == "invalid_name"
    with pytest.raises(InvalidError):
        book.set_party(name, KEY)
    assert book.lookup(LEDGER, name, never) is None
    assert book.party(name) is None


@pytest.mark.parametrize("text", ["\ud800", "\0", "%", "'"])
def test_any_text_may_be_looked_up(book: Book, text: str) -> None:
    book.set_asset(LEDGER, "car", CAR)
    assert book.lookup(LEDGER, text, never) is None
    assert book.party(text) is None
    assert book.remove_asset(LEDGER, text) is None
    assert book.remove_party(text) is None


# --- Parties ----------------------------------------------------------------------------------


def test_parties_are_known_on_every_ledger(book: Book) -> None:
    assert book.set_party("Jack", KEY)
    assert not book.set_party("jack", KEY)
    assert book.set_party("acme", "did:web:acme.example")
    assert book.party("JACK") == KEY
    assert book.list_parties() == [
        PartyName("acme", "did:web:acme.example"),
        PartyName("jack", KEY),
    ]
    assert book.names_of_party(KEY) == ["jack"]
    assert book.lookup(LEDGER, "jack", never) is None


def test_a_party_is_replaced_only_when_asked(book: Book) -> None:
    book.set_party("jack", KEY)
    with pytest.raises(ConflictError, match=KEY) as caught:
        book.set_party("jack", "did:web:jack.example")
    assert caught.value.code == "exists"
    assert book.set_party("jack", "did:web:jack.example", replace=True)
    assert book.party("jack") == "did:web:jack.example"
    assert book.remove_party("Jack") == "did:web:jack.example"
    assert book.remove_party("Jack") is None


def test_a_party_stands_for_something(book: Book) -> None:
    with pytest.raises(InvalidError) as caught:
        book.set_party("jack", "")
    assert caught.value.code == "invalid_value"


# --- Files that are no book -------------------------------------------------------------------


def unharmed(path: str, code: str) -> None:
    """Reading and writing end in that error, and the file stays as it is."""
    with open(path, "rb") as file:
        before = file.read()
    with Book(path) as book:
        with pytest.raises(ConfigError) as caught:
            book.party("jack")
        assert caught.value.code == code
        assert caught.value.hint
        with pytest.raises(ConfigError) as caught:
            book.set_party("jack", KEY)
        assert caught.value.code == code
    with open(path, "rb") as file:
        assert file.read() == before


def test_text_is_no_book(tmp_path: Path) -> None:
    (tmp_path / "book.db").write_text("this is a letter, not a database\n" * 50)
    unharmed(str(tmp_path / "book.db"), "foreign_file")


def test_a_foreign_database(tmp_path: Path) -> None:
    path = str(tmp_path / "book.db")
    raw(path, "CREATE TABLE letters (text)", "INSERT INTO letters VALUES ('dear')")
    unharmed(path, "foreign_file")
    raw(path, "PRAGMA user_version = 1")
    unharmed(path, "foreign_file")


def test_a_newer_schema(book: Book, path: str) -> None:
    book.set_party("jack", KEY)
    book.close()
    raw(path, f"PRAGMA user_version = {store.SCHEMA_VERSION + 1}")
    unharmed(path, "newer_schema")


def test_a_damaged_book(book: Book, path: str) -> None:
    for number in range(300):
        book.set_party(f"party-{number}", KEY)
    book.close()
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (os.path.getsize(path) - 4096))
    unharmed(path, "damaged_book")


def test_a_directory_in_its_place(tmp_path: Path) -> None:
    with Book(str(tmp_path)) as book, pytest.raises(ConfigError) as caught:
        book.set_party("jack", KEY)
    assert caught.value.code == "read_only"
    with Book(str(tmp_path)) as book, pytest.raises(ConfigError) as caught:
        book.party("jack")
    assert caught.value.code == "read_only"


def test_a_book_that_may_only_be_read(book: Book, path: str) -> None:
    book.set_party("jack", KEY)
    book.close()
    with Book(path) as again:
        assert again.party("jack") == KEY
        # What a read-only file system does to a write; permissions do not stop root in CI.
        again._open().execute("PRAGMA query_only = ON")
        with pytest.raises(ConfigError) as caught:
            again.set_party("kelly", KEY)
    assert caught.value.code == "read_only"


def test_a_full_disk(book: Book) -> None:
    book.set_party("jack", KEY)
    run = book._open().execute
    run(f"PRAGMA max_page_count = {run('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(ConfigError) as caught:
        for number in range(500):
            book.set_party(f"party-{number}", KEY)
    assert (caught.value.code, caught.value.retryable) == ("disk_full", True)
    assert book.party("jack") == KEY


def test_another_process_holds_it(book: Book, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.01)
    book.set_party("jack", KEY)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Book(path) as waiting, pytest.raises(TwinError) as caught:
        waiting.set_party("kelly", KEY)
    assert (caught.value.code, caught.value.retryable) == ("busy", True)
    other.close()
    assert book.set_party("kelly", KEY)


def test_a_disk_error_says_so() -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR | 3 << 8
    assert store._translate(error, "book.db").code == "disk_error"


# --- Several processes ------------------------------------------------------------------------

WRITER = """
import sys
from twincli.book.store import Book
from twincli.errors import ConflictError
path, ledger, asset = sys.argv[1:]
sys.stdin.read(1)
won = []
with Book(path) as book:
    for number in range(20):
        try:
            book.reserve(ledger, f"name-{number}", asset, lambda _: False)
            won.append(number)
        except ConflictError as error:
            assert error.retryable
print(*won)
"""


def test_one_of_several_processes_gets_a_name(path: str) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path, LEDGER, f"{number:064x}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for writer in writers:  # all are started, none has begun
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    won = []
    for number, writer in enumerate(writers):
        out, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        won += [(int(text), f"{number:064x}") for text in out.split()]
    with Book(path) as book:
        listed = [(int(entry.name[5:]), entry.asset_id) for entry in book.list_assets(LEDGER)]
    assert sorted(won) == sorted(listed)
    assert len({name for name, _ in won}) == len(won) == 20


RESERVER = """
import sys
from twincli.book.store import Book
with Book(sys.argv[1]) as book:
    for number in range(10_000):
        book.reserve(sys.argv[2], f"name-{number}", f"{number:064x}")
        print(number, flush=True)
"""


@pytest.mark.parametrize("count", [1, pytest.param(40, marks=pytest.mark.ci)])
def test_a_killed_writer_leaves_what_it_was_told_is_written(tmp_path: Path, count: int) -> None:
    for turn in range(count):
        path = str(tmp_path / f"{turn}.db")
        writer = subprocess.Popen(
            [sys.executable, "-c", RESERVER, path, LEDGER], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        last = -1
        for _ in range(turn % 7 + 1):
            last = int(writer.stdout.readline())
        writer.kill()
        # What it still said before the kill reached it was told as well.
        # `communicate` would lose the lines that Python has read ahead.
        with writer.stdout as said:
            last = int([str(last), *said.read().split()][-1])
        writer.wait(timeout=60)
        with Book(path) as book:
            found = {int(entry.name[5:]) for entry in book.list_assets(LEDGER)}
            assert found >= set(range(last + 1))
            assert len(found) <= last + 2
            assert book.set_party("jack", KEY)


def test_a_name_waits_for_the_disk(tmp_path: Path) -> None:
    with Book(str(tmp_path / "book.db")) as book:
        book.reserve(LEDGER, "car", CAR)
        assert book.confirm(LEDGER, "car", CAR)
        book.set_party("bob", "value")
        connection = book._connection
        assert connection is not None
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 3  # EXTRA


def test_a_book_of_an_older_version_gets_a_log(path: str) -> None:
    Path(path).parent.mkdir()
    with closing(sqlite3.connect(path)) as older:
        for statement in store._SCHEMA.split(";"):
            older.execute(statement)
        older.execute(f"PRAGMA application_id = {store.APPLICATION_ID}")
        older.execute(f"PRAGMA user_version = {store.SCHEMA_VERSION}")
    with Book(path) as book:
        assert book.list_parties() == []
        assert not Path(f"{path}-wal").exists()
        book.reserve(LEDGER, "car", CAR)
        assert Path(f"{path}-wal").stat().st_size > 0
    with Book(path) as book:
        assert [entry.name for entry in book.list_assets(LEDGER)] == ["car"]


# --- Many at once, and a copy -------------------------------------------------------------------


def test_many_names_are_one_change(book: Book, path: str) -> None:
    book.set_all(LEDGER, [("car", CAR), ("box", BOX)], [("carol", KEY)])
    assert [entry.name for entry in book.list_assets(LEDGER)] == ["box", "car"]
    assert book.check() == 3
    with pytest.raises(ConflictError):
        book.set_all(LEDGER, [("new", CAR), ("car", BOX)], [("dave", KEY)])
    with pytest.raises(InvalidError):
        book.set_all(LEDGER, [("new", CAR)], [("a,b", KEY)])
    with Book(path) as other:
        assert other.check() == 3
    book.set_party("dave", KEY)
    assert book.check() == 4


def test_a_copy_is_complete_to_one_moment(book: Book, tmp_path: Path) -> None:
    book.set_asset(LEDGER, "car", CAR)
    book.set_party("carol", KEY)
    book.copy(str(tmp_path / "copy.db"))
    book.set_party("dave", KEY)
    with Book(str(tmp_path / "copy.db")) as copy:
        assert copy.check() == 2
        assert copy.list_assets(LEDGER) == book.list_assets(LEDGER)
        assert copy.set_party("eve", KEY)


def test_a_spoiled_page_is_found(book: Book, path: str) -> None:
    book.set_all(LEDGER, [(f"name-{n}", f"{n:064x}") for n in range(2000)], [])
    book.close()
    with open(path, "r+b") as file:
        file.seek(4096 * 5 + 100)
        file.write(b"\xff" * 2000)
    with pytest.raises(ConfigError) as caught:
        book.check()
    assert caught.value.code == "damaged_book"


def test_a_book_that_is_not_there_holds_no_names(book: Book, path: str) -> None:
    assert book.check() == 0
    assert not os.path.exists(path)


class UndoError(Exception):
    """Raised to undo."""


@pytest.mark.parametrize("exists_before", [True, False])
def test_many_changes_are_one_and_parts_are_undone(tmp_path: Path, *, exists_before: bool) -> None:
    path = str(tmp_path / "book.db")
    with Book(path) as book, Book(path) as other:
        if exists_before:
            book.set_asset(LEDGER, "old", CAR)
        with book.together() as unit:
            book.reserve(LEDGER, "car", CAR)
            with pytest.raises(UndoError), unit():
                book.reserve(LEDGER, "box", BOX)
                assert book.confirm(LEDGER, "box", BOX)
                raise UndoError
            with unit(), unit():
                assert book.lookup(LEDGER, "box", yes) is None
                assert book.confirm(LEDGER, "car", CAR)
            assert other.lookup(LEDGER, "car", yes) is None
        # Reserved, and confirmed only when the asset is known to be there.
        assert [item.reserved for item in book.list_assets(LEDGER) if item.name == "car"] == [True]
        book.settle()
        book.settle()
        assert [item.reserved for item in other.list_assets(LEDGER) if item.name == "car"] == [
            False
        ]
        assert other.lookup(LEDGER, "box", yes) is None


@pytest.mark.parametrize("exists_before", [True, False])
def test_a_trial_and_an_exception_leave_no_names(tmp_path: Path, *, exists_before: bool) -> None:
    path = str(tmp_path / "book.db")
    with Book(path) as book:
        if exists_before:
            book.set_asset(LEDGER, "old", BOX)
        with book.together(keep=False):
            book.reserve(LEDGER, "car", CAR)
            book.confirm(LEDGER, "car", CAR)
        with pytest.raises(UndoError), book.together():
            book.reserve(LEDGER, "car", CAR)
            book.confirm(LEDGER, "car", CAR)
            raise UndoError
        book.settle()
        assert book.lookup(LEDGER, "car", yes) is None
        assert [item.name for item in book.list_assets(LEDGER)] == ["old"] * exists_before
        book.reserve(LEDGER, "car", BOX)
        assert book.confirm(LEDGER, "car", BOX)
    assert Path(path).exists()
