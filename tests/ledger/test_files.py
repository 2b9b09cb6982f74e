"""The ledger's files when something is wrong with them: a clear error and no damage."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.chains import ALICE, BOB, at_once, chain, create
from tests.plugins.tools import require_tool
from twincli.book.store import Book
from twincli.errors import ConfigError, NotFoundError, TwinError
from twincli.ledger import Ledger
from twincli.ledger import store as store_module
from twincli.ledger.faults import translate
from twincli.ledger.store import backup


def content(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.iterdir() if not p.name.endswith("-shm")}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a directory with a ledger of one long chain, closed."""
    path = tmp_path / "ledger"
    with Ledger.open(path) as ledger:
        first = create(data={"name": "red car"})
        ledger.submit(first)
        ledger.append_many(ALICE, first["id"], ({"n": n} for n in range(200)))
        ledger.search_assets("car")
        ledger.checkpoint()
    return path


def asset_of(ledger: Ledger) -> str:
    return next(ledger.asset_ids())


# --- Not there, not ours -----------------------------------------------------------------------


def test_a_ledger_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        Ledger.open(tmp_path / "none", create=False)
    assert caught.value.code == "no_ledger"
    assert not (tmp_path / "none").exists()


def _foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE cars (name)")


def _foreign_versioned(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE cars (name)")
        connection.execute("PRAGMA user_version = 1")


@pytest.mark.parametrize(
    "make",
    [
        _foreign_database,
        _foreign_versioned,
        lambda path: path.write_text("Dear diary,\n" * 1000),
        lambda path: path.write_bytes(b"\x00" * 20_000),
        lambda path: path.write_bytes(b"x"),
    ],
    ids=["database", "database with a version", "text", "zeros", "one byte"],
)
@pytest.mark.parametrize("create_it", [True, False])
def test_a_foreign_file_is_refused_untouched(
    make: Callable[[Path], object], tmp_path: Path, *, create_it: bool
) -> None:
    path = tmp_path / "ledger.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(ConfigError) as caught:
        Ledger.open(path, create=create_it)
    assert caught.value.code == "foreign_file"
    assert str(path) in caught.value.message
    assert path.read_bytes() == before
    assert not (tmp_path / "ledger.key").exists()


def test_a_newer_schema_is_refused_untouched(place: Path) -> None:
    with closing(sqlite3.connect(place / "ledger.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = (place / "ledger.db").read_bytes()
    with pytest.raises(ConfigError) as caught:
        Ledger.open(place)
    assert caught.value.code == "newer_schema"
    assert "99" in caught.value.message
    assert (place / "ledger.db").read_bytes() == before


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_an_error_and_not_a_shorter_history(place: Path, keep: float) -> None:
    path = place / "ledger.db"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(ConfigError) as caught, Ledger.open(place) as ledger:
        ledger.verify()
        list(ledger.iter_transactions(asset_of(ledger)))
    assert caught.value.code in {"damaged_ledger", "foreign_file"}
    assert caught.value.hint is not None


def test_damaged_pages_never_end_in_a_traceback_or_go_unseen(place: Path) -> None:
    path = place / "ledger.db"
    whole = path.read_bytes()
    size = 8192
    assert len(whole) > 10 * size
    for page in range(1, len(whole) // size):
        damaged = bytearray(whole)
        damaged[page * size : page * size + 512] = os.urandom(512)
        path.write_bytes(bytes(damaged))
        for name in ("ledger.db-wal", "ledger.db-shm"):
            (place / name).unlink(missing_ok=True)
        try:
            with Ledger.open(place) as ledger:
                assert ledger.verify().problems, f"page {page}"
        except ConfigError as error:
            assert error.code in {"damaged_ledger", "foreign_file"}  # noqa: PT017 - or problems


def test_an_empty_file_is_where_a_creation_was_interrupted(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"")
    with Ledger.open(tmp_path) as ledger:
        assert ledger.submit(create()) == 1


def test_a_body_that_is_no_json_is_named(place: Path) -> None:
    with closing(sqlite3.connect(place / "ledger.db")) as connection:
        connection.execute("UPDATE tx SET body = substr(body, 1, 100) WHERE seq = 5")
        connection.commit()
        tx_id = connection.execute("SELECT id FROM tx WHERE seq = 5").fetchone()[0].hex()
    with Ledger.open(place) as ledger:
        for read in (
            lambda: ledger.get(tx_id),
            lambda: ledger.entry(tx_id),
            lambda: ledger.replay(asset_of(ledger)),
            lambda: list(ledger.iter_transactions(asset_of(ledger))),
        ):
            with pytest.raises(ConfigError, match=tx_id) as caught:
                read()
            assert caught.value.code == "damaged_ledger"


# --- No room, no right -------------------------------------------------------------------------


def test_a_full_disk_is_said_and_nothing_is_half_written(place: Path) -> None:
    with Ledger.open(place) as ledger:
        asset = asset_of(ledger)
        before = (ledger.tip(), ledger.count(asset))
        pages = ledger.store.connection.execute("PRAGMA page_count").fetchone()[0]
        ledger.store.connection.execute(f"PRAGMA max_page_count = {pages}")
        extra = create(777)
        for write in (
            lambda: ledger.append_many(ALICE, asset, ({"n": "x" * 500} for _ in range(500))),
            lambda: ledger.submit_many([create(n) for n in range(500)] + [extra]),
            lambda: ledger.submit_each([create(n) for n in range(500)] + [extra]),
        ):
            with pytest.raises(ConfigError) as caught:
                write()
            assert caught.value.code == "disk_full"
            assert caught.value.retryable
        assert (ledger.tip(), ledger.count(asset)) == before
        assert ledger.entry(extra["id"]) is None
        ledger.store.connection.execute("PRAGMA max_page_count = 1000000")
        # What failed can be done again with the same object.
        ledger.submit(extra)
        ledger.append_many(ALICE, asset, [{"after": True}])
        assert ledger.verify().problems == []


LIMITED = """
import resource, signal, sys
from tests.ledger.chains import create
from twincli.errors import TwinError
from twincli.ledger import Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Ledger.open(sys.argv[1]) as ledger:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    for number in range(5000):
        try:
            print(ledger.submit(create(number)), flush=True)
        except TwinError as error:
            print(error.code, flush=True)
            break
"""


SHARED = """
import resource, signal, sys
from twincli.errors import TwinError
from twincli.book.store import Book
from twincli.ledger import Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
for look in (lambda: Ledger.open(sys.argv[1]), lambda: Book(sys.argv[2]).list_parties()):
    try:
        look()
    except TwinError as error:
        print(error.code, flush=True)
"""


def test_no_room_for_the_memory_that_processes_share(place: Path, tmp_path: Path) -> None:
    with Book(str(tmp_path / "book.db")) as book:
        book.set_party("bob", BOB.public_key)
    (place / "ledger.db-shm").unlink(missing_ok=True)
    (tmp_path / "book.db-shm").unlink(missing_ok=True)
    command = [sys.executable, "-c", SHARED, str(place), str(tmp_path / "book.db")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["disk_full", "disk_full"]


def test_a_file_system_that_takes_no_more(tmp_path: Path) -> None:
    """The operating system refuses the write, in the middle of SQLite's work."""
    limit = 1_500_000
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] in {-1, resource.RLIM_INFINITY}
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "ledger"), str(limit)],
        capture_output=True,
        text=True,
        check=True,
    )
    *heights, code = run.stdout.split()
    assert code in {"disk_full", "disk_error"}
    assert len(heights) > 10
    with Ledger.open(tmp_path / "ledger") as ledger:
        assert ledger.tip().height == int(heights[-1]) == len(heights)
        assert ledger.verify().problems == []
        ledger.submit(create(len(heights)))


def test_a_directory_that_cannot_be_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the question is answered for SQLite as for a user."""
    before = content(place)
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
    with Ledger.open(place, create=False, read_only=True) as ledger:
        asset = asset_of(ledger)
        assert ledger.count(asset) == 201
        assert [hit["id"] for hit in ledger.search_assets("car")] == [asset]
        replay = ledger.replay(asset)
        assert replay is not None
        assert replay.common == {"n": 199}
        assert ledger.verify().problems == []
        for write in (
            lambda: ledger.submit(create(9)),
            lambda: ledger.append_many(ALICE, asset, [{"n": 1}]),
        ):
            with pytest.raises(ConfigError) as caught:
                write()
            assert caught.value.code == "read_only"
            assert caught.value.hint is not None
    assert content(place) == before


READ_THEN_WRITE = """
import sys
from twincli.errors import ConfigError
from twincli.ledger import Ledger
with Ledger.open(sys.argv[1], create=False, read_only=bool(sys.argv[2])) as ledger:
    asset = next(ledger.asset_ids())
    print(ledger.count(asset), len(ledger.search_assets("car")))
    try:
        ledger.apply_block(ledger.tip().height + 1, ledger.tip().time_ms, [])
    except ConfigError as error:
        print(error.code)
"""


@pytest.mark.parametrize("mode", [0o400, 0o600], ids=["nothing", "only the directory"])
@pytest.mark.parametrize("how", ["read-only", ""])
def test_a_directory_without_the_right_to_write(place: Path, mode: int, how: str) -> None:
    command = [sys.executable, "-c", READ_THEN_WRITE, str(place), how]
    if os.geteuid() == 0:  # root may write everywhere, unless it gives that up
        rights = "-dac_override,-dac_read_search"
        limits = [f"--bounding-set={rights}", "--inh-caps=-all"]
        command = [require_tool("setpriv"), *limits, *command]
    before = content(place)
    place.chmod(0o500)
    for file in place.iterdir():
        file.chmod(mode)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    finally:
        place.chmod(0o700)
    assert done.stderr == ""
    assert done.stdout.split() == ["201", "1", "read_only"]
    assert content(place) == before


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError) as caught:
        Ledger.open(tmp_path / "file" / "ledger" / "x")
    assert caught.value.code == "read_only"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("database is locked", "busy"),
        ("file is not a database", "foreign_file"),
        ("database or disk is full", "disk_full"),
        ("attempt to write a readonly database", "read_only"),
        ("unable to open database file", "read_only"),
        ("disk I/O error", "disk_error"),
        ("database disk image is malformed", "damaged_ledger"),
    ],
)
def test_what_sqlite_says_in_our_words(text: str, code: str) -> None:
    error = translate(sqlite3.OperationalError(text), "/x/ledger.db")
    assert error.code == code
    assert "/x/ledger.db" in error.message
    assert error.retryable == (code in {"busy", "disk_full"})


def test_a_writer_that_waits_too_long(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(place / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Ledger.open(place) as ledger:
            with pytest.raises(TwinError) as caught:
                ledger.submit(create(9))
            assert caught.value.code == "busy"
            assert caught.value.retryable
            assert ledger.count(asset_of(ledger)) == 201, "readers are not held up"
            other.execute("ROLLBACK")
            assert ledger.submit(create(9))


# --- The index ---------------------------------------------------------------------------------


def _gone(path: Path) -> None:
    path.unlink()


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("this is no database at all\n" * 400)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def _no_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE output")
        connection.execute("DROP TABLE state")


def _scrambled(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(bytes(data))


def _older(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 0")


def _of_another_ledger(path: Path) -> None:
    other = path.parent.parent / "other"
    with Ledger.open(other) as ledger:
        ledger.submit(create(data={"name": "blue car"}))
        ledger.search_assets("car")
    shutil.copy(other / "index.db", path)


@pytest.mark.parametrize(
    "damage", [_gone, _emptied, _text, _cut, _no_tables, _scrambled, _older, _of_another_ledger]
)
def test_a_lost_or_damaged_index_is_made_anew(place: Path, damage: Callable[[Path], None]) -> None:
    damage(place / "index.db")
    with Ledger.open(place) as ledger:
        asset = asset_of(ledger)
        assert [hit["id"] for hit in ledger.search_assets("car")] == [asset]
        assert len(ledger.outputs(ALICE.public_key)) == 201
        assert len(ledger.outputs(ALICE.public_key, spent=False)) == 1
        replay = ledger.replay(asset)
        assert replay is not None
        assert replay.common == {"n": 199}


def test_reindexing_gives_the_same_answers(place: Path) -> None:
    with Ledger.open(place) as ledger:
        before = ledger.outputs(ALICE.public_key)
        assert ledger.index.rebuild() == 201
        assert ledger.outputs(ALICE.public_key) == before


# --- Copies and several processes --------------------------------------------------------------


def test_a_backup_is_complete_while_the_ledger_is_open(place: Path, tmp_path: Path) -> None:
    with Ledger.open(place) as ledger:
        ledger.submit(create(5))
        (tmp_path / "copy").mkdir()
        backup(str(place / "ledger.db"), str(tmp_path / "copy" / "ledger.db"))
        ledger.submit(create(6))
        with Ledger.open(tmp_path / "copy") as copy:
            assert copy.id == ledger.id
            assert copy.counts()["transactions"] == 202
            assert copy.verify().problems == []


CREATE_AT_ONCE = """
import sys
from twincli.ledger import Ledger
sys.stdin.readline()
with Ledger.open(sys.argv[1]) as ledger:
    print(ledger.id, ledger.public_key)
"""


@pytest.mark.parametrize("_round", range(3))
def test_processes_that_create_one_ledger_at_once_get_the_same(tmp_path: Path, _round: int) -> None:
    place = tmp_path / "deep" / "ledger"
    results = at_once(*[["-c", CREATE_AT_ONCE, str(place)]] * 4)
    assert [status for status, _, _ in results] == [0] * 4, results
    assert len({out for _, out, _ in results}) == 1
    public_key = results[0][1].split()[1]
    assert public_key in (place / "ledger.key").read_text()
    # Who closes last takes the log away, unless two close at once; no key is left half-written.
    left = {p.name for p in place.iterdir()} - {"ledger.db-wal", "ledger.db-shm"}
    assert left == {"ledger.db", "ledger.key"}


def test_two_objects_see_each_others_commits(place: Path) -> None:
    txs = chain(3, number=50)
    with Ledger.open(place) as one, Ledger.open(place) as two:
        one.submit(txs[0])
        two.submit(txs[1])
        one.submit(txs[2])
        assert two.transactions(txs[0]["id"]) == txs
        assert [hit["id"] for hit in two.search_assets(txs[0]["id"])] == [txs[0]["id"]]
        assert one.verify().problems == []


INDEX_AT_ONCE = """
import sys
from twincli.ledger import Ledger
sys.stdin.readline()
with Ledger.open(sys.argv[1]) as ledger:
    print(len(ledger.search_assets("car")), len(ledger.outputs(sys.argv[2], spent=False)))
"""


@pytest.mark.parametrize("_round", range(2))
def test_processes_that_make_the_index_at_once_all_read_it_whole(place: Path, _round: int) -> None:
    for name in ("index.db", "index.db-wal", "index.db-shm"):
        (place / name).unlink(missing_ok=True)
    results = at_once(
        *(["-c", INDEX_AT_ONCE, str(place), ALICE.public_key] for _ in range(5)),
    )
    assert results == [(0, "1 1\n", "")] * 5


# --- Where it is and what lies beside it ---------------------------------------------------------


def test_a_path_may_begin_with_two_slashes(place: Path) -> None:
    with Ledger.open(f"/{place}", create=False) as ledger:
        assert ledger.counts()["transactions"] == 201


def test_the_key_of_a_lost_ledger_is_kept_when_another_is_begun(place: Path) -> None:
    key = (place / "ledger.key").read_bytes()
    for name in ("ledger.db", "index.db"):
        (place / name).unlink()
    with Ledger.open(place, replace_lost=True):
        pass
    assert (place / "ledger.1.key").read_bytes() == key
    assert (place / "ledger.1.key").stat().st_mode & 0o777 == 0o600
    assert (place / "ledger.key").read_bytes() != key
    assert not list(place.glob(".*"))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "unmounted" / "ledger.db")


@pytest.mark.parametrize("lose", [Path.unlink, _empty, _dangling])
@pytest.mark.parametrize(
    "also", [(), ("ledger.key",), ("index.db",), ("ledger.mark",), ("index.db", "ledger.mark")]
)
@pytest.mark.parametrize("create", [True, False])
def test_a_lost_ledger_is_not_one_that_never_was(
    place: Path, lose: Callable[[Path], None], also: tuple[str, ...], *, create: bool
) -> None:
    with Ledger.open(place) as ledger:
        ledger_id, public_key = ledger.id, ledger.public_key
        ledger.reindex()
    lose(place / "ledger.db")
    for name in also:
        (place / name).unlink()
    before = sorted(path.name for path in place.iterdir())
    with pytest.raises(ConfigError) as caught:
        Ledger.open(place, create=create, read_only=not create)
    assert caught.value.code == "lost_ledger"
    is_unknown = {"index.db", "ledger.mark"} <= set(also)
    assert (public_key if is_unknown else ledger_id) in caught.value.message
    assert "twin ledger begin" in str(caught.value.hint)
    assert sorted(path.name for path in place.iterdir()) == before


def test_a_ledger_whose_directory_is_not_mounted(tmp_path: Path) -> None:
    (tmp_path / "ledger").symlink_to(tmp_path / "unmounted")
    with pytest.raises(ConfigError) as caught:
        Ledger.open(tmp_path / "ledger")
    assert caught.value.code == "lost_ledger"
    assert "unmounted" in caught.value.message


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM block",
        "DELETE FROM tree",
        "DELETE FROM meta WHERE name = 'ledger_id'",
        "UPDATE meta SET value = 5 WHERE name = 'ledger_id'",
        "UPDATE tree SET state = 3.5",
        "UPDATE block SET last_seq = 'many'",
        "UPDATE block SET root = 7",
        "UPDATE tx SET body = '" + "[" * 100_000 + "'",
        "UPDATE tx SET body = 5",
    ],
    ids=lambda text: text[:40],
)
def test_what_every_ledger_has_is_missing(place: Path, statement: str) -> None:
    with closing(sqlite3.connect(place / "ledger.db")) as connection:
        connection.execute(statement)
        connection.commit()

    def look() -> None:
        with Ledger.open(place, create=False) as ledger:
            ledger.tip()
            ledger.tree_size()
            if "tx" in statement:
                assert len(ledger.verify().problems) >= 201
            ledger.replay(asset_of(ledger))

    with pytest.raises(ConfigError) as caught:
        look()
    assert caught.value.code == "damaged_ledger"


def test_a_commit_waits_for_the_disk(place: Path) -> None:
    # No kill shows it: what a process wrote survives its end, but not a power cut.
    with Ledger.open(place) as ledger:
        run = ledger.store.connection.execute
        assert run("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert run("PRAGMA synchronous").fetchone()[0] == 2  # FULL


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("has_log", [False, True])
def test_an_index_that_is_ahead_shows_that_the_ledger_was_longer(
    place: Path, tmp_path: Path, *, has_log: bool, read_only: bool
) -> None:
    backup(str(place / "ledger.db"), str(tmp_path / "backup.db"))
    with Ledger.open(place) as ledger:
        count = ledger.counts()["transactions"]
        ledger.submit(create(data={"name": "blue car"}))
        assert len(ledger.search_assets("blue")) == 1
    if not has_log:
        with closing(sqlite3.connect(place / "index.db")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.mark", "index.db-shm"):
        (place / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", place / "ledger.db")
    before = sorted(path.name for path in place.iterdir())
    with pytest.raises(ConfigError, match="it was longer: 1 transaction is missing") as caught:
        Ledger.open(place, read_only=read_only)
    assert caught.value.code == "damaged_ledger"
    assert caught.value.hint
    assert caught.value.hint.endswith(f"rm {place / 'index.db'}")
    if read_only:
        assert sorted(path.name for path in place.iterdir()) == before
    for name in ("index.db", "index.db-wal"):  # on purpose
        (place / name).unlink(missing_ok=True)
    with Ledger.open(place) as ledger:
        assert ledger.search_assets("blue") == []
        assert ledger.counts()["transactions"] == count


def test_an_index_of_another_history_is_not_taken_in(place: Path, tmp_path: Path) -> None:
    backup(str(place / "ledger.db"), str(tmp_path / "backup.db"))
    with Ledger.open(place) as ledger:
        ledger.submit(create(data={"name": "blue car"}))
        assert len(ledger.search_assets("blue")) == 1
    # Put back with a mark of its own: only the index knows of more.
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.mark"):
        (place / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", place / "ledger.db")
    (place / "index.db").rename(tmp_path / "index.db")
    with contextlib.suppress(FileNotFoundError):
        (place / "index.db-wal").rename(tmp_path / "index.db-wal")
    with Ledger.open(place) as ledger:
        ledger.submit(create(data={"name": "green car"}))
    for name in ("index.db", "index.db-wal"):
        (place / name).unlink(missing_ok=True)
        if (tmp_path / name).exists():
            (tmp_path / name).rename(place / name)
    with Ledger.open(place) as ledger:
        with pytest.raises(ConfigError, match="is not the one that was committed") as caught:
            ledger.search_assets("green")
        assert caught.value.code == "damaged_ledger"


def test_an_altered_mark_of_an_index_is_not_believed(place: Path) -> None:
    with Ledger.open(place) as ledger:
        assert ledger.search_assets("car") is not None
    (place / "ledger.mark").unlink()
    with closing(sqlite3.connect(place / "index.db")) as connection:
        connection.execute("UPDATE mark SET seq = seq + 1")
        connection.commit()
    with Ledger.open(place) as ledger:
        assert ledger.index.mark() == ledger.tip().last_seq
        assert ledger.verify_index() == []


def test_a_transaction_without_id_is_damage(place: Path) -> None:
    with closing(sqlite3.connect(place / "ledger.db")) as connection:
        connection.execute("UPDATE tx SET id = 'text' WHERE seq = 100")
        connection.commit()
    with Ledger.open(place) as ledger:
        for look in (lambda: ledger.replay(asset_of(ledger)), ledger.verify):
            with pytest.raises(ConfigError) as caught:
                look()
            assert caught.value.code == "damaged_ledger"


def test_common_words_are_found_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli.ledger import index

    with Ledger.open(tmp_path) as ledger:
        txs = [create(data={"kind": "bicycle", "number": number}) for number in range(10)]
        ledger.submit_many(txs)
        ids = [tx["id"] for tx in txs]
        for size in (1, 3, 5, 10, 11):
            monkeypatch.setattr(index, "PAGE", size)
            assert [hit["id"] for hit in ledger.search_assets("bicycle")] == ids
            assert [hit["id"] for hit in ledger.search_assets("bicycle", 4)] == ids[:4]
        # What is committed meanwhile comes in its place; nothing comes twice.
        monkeypatch.setattr(index, "PAGE", 3)
        found = ledger.iter_assets("bicycle")
        next(found)
        later = create(data={"kind": "bicycle", "number": 10})
        ledger.submit(later)
        assert ledger.indexed() == 10
        ledger.search_assets("bicycle", 1)
        assert [hit["id"] for hit in found] == [*ids[1:], later["id"]]
