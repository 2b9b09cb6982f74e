"""Upgrading a ledger's file: a backup first, all steps or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.chains import create
from twincli.errors import ConfigError, ConflictError, NotFoundError, TwinError
from twincli.ledger import Ledger, schema
from twincli.ledger.files import read_key
from twincli.ledger.upgrade import MIGRATIONS, Upgrade, upgrade

Migrations = Mapping[int, Callable[[sqlite3.Connection, str], None]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with one transaction, closed."""
    with Ledger.open(tmp_path) as ledger:
        ledger.submit(create())
        ledger.checkpoint()
    return tmp_path / "ledger.db"


def contents(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        return [f"version {version}", *connection.iterdump()]
    finally:
        connection.close()


def colour(connection: sqlite3.Connection, _: str) -> None:
    connection.execute("ALTER TABLE block ADD COLUMN colour TEXT")


def fill(connection: sqlite3.Connection, _: str) -> None:
    connection.execute("UPDATE block SET colour = 'red'")


def fail(connection: sqlite3.Connection, _: str) -> None:
    connection.execute("DELETE FROM tx")
    connection.execute("INSERT INTO nowhere VALUES (1)")


TWO_STEPS: Migrations = {2: colour, 3: fill}


def test_every_step_to_the_present_version_is_there() -> None:
    assert sorted(MIGRATIONS) == list(range(1, schema.SCHEMA_VERSION))


def test_nothing_to_do(path: Path) -> None:
    before = path.read_bytes()
    assert upgrade(str(path), "now") == Upgrade(str(path), 2, 2, None)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.bak"))


def test_steps_run_in_order_after_a_backup(path: Path) -> None:
    before = contents(path)
    done = upgrade(str(path.parent), "20240120", migrations=TWO_STEPS, target=4)
    copy = path.parent / "ledger.db.2-20240120.bak"
    assert done == Upgrade(str(path), 2, 4, str(copy))
    assert contents(copy) == before
    after = contents(path)
    assert after[0] == "version 4"
    assert any("'red'" in line for line in after)
    assert upgrade(str(path), "again", migrations=TWO_STEPS, target=4).backup is None


def test_a_dry_run_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    done = upgrade(str(path), "now", dry_run=True, migrations=TWO_STEPS, target=4)
    assert done == Upgrade(str(path), 2, 4, None)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.bak"))


def test_a_step_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    before, dump = path.read_bytes(), contents(path)
    with pytest.raises(ConfigError) as caught:
        upgrade(str(path), "now", migrations={2: colour, 3: fail}, target=4)
    assert caught.value.code == "upgrade_failed"
    assert "from schema 3 to 4" in caught.value.message
    assert caught.value.hint == f"a copy of the ledger is at {path}.2-now.bak"
    assert contents(path) == dump
    assert path.read_bytes() == before
    with Ledger.open(path, create=False) as ledger:
        assert ledger.verify().problems == []


def test_a_step_that_is_interrupted_leaves_the_file_as_it_was(path: Path) -> None:
    def interrupted(connection: sqlite3.Connection, file: str) -> None:
        colour(connection, file)
        raise KeyboardInterrupt

    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        upgrade(str(path), "now", migrations={2: interrupted}, target=3)
    assert path.read_bytes() == before


def test_a_way_that_is_not_there(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(ConfigError) as caught:
        upgrade(str(path), "now", migrations={2: colour}, target=4)
    assert caught.value.code == "no_migration"
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.bak"))


def test_a_backup_is_never_overwritten(path: Path) -> None:
    (path.parent / "ledger.db.2-now.bak").write_text("precious")
    with pytest.raises(ConflictError) as caught:
        upgrade(str(path), "now", migrations=TWO_STEPS, target=4)
    assert caught.value.code == "exists"
    assert (path.parent / "ledger.db.2-now.bak").read_text() == "precious"


def test_files_that_are_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        upgrade(str(tmp_path), "now")
    text = tmp_path / "ledger.db"
    text.write_text("a letter to my aunt, long enough to be taken for a page of a database\n" * 20)
    with pytest.raises(TwinError) as caught:
        upgrade(str(tmp_path), "now")
    assert caught.value.code == "foreign_file"
    text.unlink()
    other = sqlite3.connect(text)
    other.execute("CREATE TABLE mine (a)")
    other.close()
    with pytest.raises(ConfigError) as foreign:
        upgrade(str(tmp_path), "now")
    assert foreign.value.code == "foreign_file"


@pytest.fixture
def older(path: Path) -> Path:
    """A ledger of schema 1."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        run = connection.execute
        (state,) = run("SELECT state FROM tree").fetchone()
        run("DROP TABLE tree")
        run("DROP TABLE primary_id")
        run("CREATE TABLE tree (one INTEGER PRIMARY KEY CHECK (one = 1), state BLOB NOT NULL)")
        run("INSERT INTO tree VALUES (1, ?)", (state,))
        run("DELETE FROM meta WHERE name = 'signature'")
        run("PRAGMA user_version = 1")
    (path.parent / "ledger.mark").unlink()
    return path


def test_an_older_ledger_is_read_and_written_once_it_is_upgraded(older: Path) -> None:
    with Ledger.open(older) as ledger:
        assert ledger.schema_version == 1
        before = (ledger.id, ledger.public_key, ledger.tip())
        assert ledger.verify().problems == []
        with pytest.raises(ConfigError) as caught:
            ledger.submit(create(data={"name": "another"}))
        assert caught.value.code == "older_schema"
        assert "twin ledger upgrade" in (caught.value.hint or "")
        with pytest.raises(ConfigError):
            ledger.renew_key()
    done = upgrade(str(older), "now")
    assert (done.before, done.after) == (1, 2)
    with Ledger.open(older) as ledger:
        assert ledger.schema_version == 2
        assert (ledger.id, ledger.public_key, ledger.tip()) == before
        assert ledger.submit(create(data={"name": "another"})) == 2
        assert ledger.verify().problems == []


def test_an_older_ledger_without_its_key_gets_another(older: Path) -> None:
    with Ledger.open(older) as ledger:
        before = ledger.public_key
    (older.parent / "ledger.key").unlink()
    upgrade(str(older), "now")
    with Ledger.open(older) as ledger:
        assert ledger.former_keys == [before]
        assert ledger.public_key == read_key(str(older.parent / "ledger.key")).public_key
        assert ledger.verify().problems == []


def test_a_newer_ledger_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        upgrade(str(path), "now", migrations={}, target=0)
    assert caught.value.code == "newer_schema"
