"""Upgrading a ledger's file: a backup first, all steps or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.ledger.chains import create
from twincli.errors import ConfigError, ConflictError, NotFoundError, TwinError
from twincli.ledger import Ledger, schema
from twincli.ledger.upgrade import MIGRATIONS, Upgrade, upgrade

Migrations = Mapping[int, Callable[[sqlite3.Connection], None]]


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


def colour(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE block ADD COLUMN colour TEXT")


def fill(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE block SET colour = 'red'")


def fail(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM tx")
    connection.execute("INSERT INTO nowhere VALUES (1)")


TWO_STEPS: Migrations = {1: colour, 2: fill}


def test_every_step_to_the_present_version_is_there() -> None:
    assert sorted(MIGRATIONS) == list(range(1, schema.SCHEMA_VERSION))


def test_nothing_to_do(path: Path) -> None:
    before = path.read_bytes()
    assert upgrade(str(path), "now") == Upgrade(str(path), 1, 1, None)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.bak"))


def test_steps_run_in_order_after_a_backup(path: Path) -> None:
    before = contents(path)
    done = upgrade(str(path.parent), "20240120", migrations=TWO_STEPS, target=3)
    copy = path.parent / "ledger.db.1-20240120.bak"
    assert done == Upgrade(str(path), 1, 3, str(copy))
    assert contents(copy) == before
    after = contents(path)
    assert after[0] == "version 3"
    assert any("'red'" in line for line in after)
    assert upgrade(str(path), "again", migrations=TWO_STEPS, target=3).backup is None


def test_a_dry_run_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    done = upgrade(str(path), "now", dry_run=True, migrations=TWO_STEPS, target=3)
    assert done == Upgrade(str(path), 1, 3, None)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.bak"))


def test_a_step_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    before, dump = path.read_bytes(), contents(path)
    with pytest.raises(ConfigError) as caught:
        upgrade(str(path), "now", migrations={1: colour, 2: fail}, target=3)
    assert caught.value.code == "upgrade_failed"
    assert "from schema 2 to 3" in caught.value.message
    assert caught.value.hint == f"a copy of the ledger is at {path}.1-now.bak"
    assert contents(path) == dump
    assert path.read_bytes() == before
    with Ledger.open(path, create=False) as ledger:
        assert ledger.verify().problems == []


def test_a_step_that_is_interrupted_leaves_the_file_as_it_was(path: Path) -> None:
    def interrupted(connection: sqlite3.Connection) -> None:
        colour(connection)
        raise KeyboardInterrupt

    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        upgrade(str(path), "now", migrations={1: interrupted}, target=2)
    assert path.read_bytes() == before


def test_a_way_that_is_not_there(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(ConfigError) as caught:
        upgrade(str(path), "now", migrations={1: colour}, target=3)
    assert caught.value.code == "no_migration"
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.bak"))


def test_a_backup_is_never_overwritten(path: Path) -> None:
    (path.parent / "ledger.db.1-now.bak").write_text("precious")
    with pytest.raises(ConflictError) as caught:
        upgrade(str(path), "now", migrations=TWO_STEPS, target=3)
    assert caught.value.code == "exists"
    assert (path.parent / "ledger.db.1-now.bak").read_text() == "precious"


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


def test_an_older_ledger_is_not_opened_but_the_upgrade_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twincli.ledger.store.SCHEMA_VERSION", 2)
    with pytest.raises(ConfigError) as caught:
        Ledger.open(path)
    assert caught.value.code == "older_schema"
    assert "twin ledger upgrade" in (caught.value.hint or "")


def test_a_newer_ledger_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        upgrade(str(path), "now", migrations={}, target=0)
    assert caught.value.code == "newer_schema"
