"""``twin ledger``: info, reindex, upgrade."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.cli.stories import garage, quietly
from tests.conftest import Invoke


def test_info(invoke: Invoke, home: Path) -> None:
    made = garage(invoke)
    document = quietly(invoke)("ledger", "info")
    assert list(document) == [
        "schema",
        "id",
        "path",
        "profile",
        "created",
        "height",
        "time",
        "transactions",
        "assets",
        "app_hash",
        "root",
        "tree_size",
        "public_key",
        "former_keys",
        "schema_version",
        "size_bytes",
    ]
    assert document["schema"] == "twin.ledger/1"
    assert document["id"] == made["car"]["ledger"]
    assert document["path"] == str(home / "ledger" / "ledger.db")
    assert (document["transactions"], document["assets"], document["tree_size"]) == (7, 2, 7)
    assert document["height"] == 7
    assert len(document["root"]) == len(document["app_hash"]) == 64
    assert document["size_bytes"] > 0


def test_there_is_none_before_the_first_asset(invoke: Invoke, home: Path) -> None:
    assert invoke("ledger", "info").status == 4
    quietly(invoke)("keys", "new", "alice", "--no-passphrase")
    for verb in ("info", "reindex", "upgrade"):
        run = invoke("ledger", verb, "--json")
        assert (run.status, run.error["code"]) == (4, "no_ledger")
    assert not (home / "ledger").exists()


def test_reindex(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    twin = quietly(invoke)
    before = twin("search", "red")
    index = home / "ledger" / "index.db"
    index.write_bytes(b"no database at all")
    dry = twin("ledger", "reindex", "--dry-run")
    assert list(dry) == ["schema", "ledger", "transactions"]
    assert index.read_bytes() == b"no database at all"
    document = twin("ledger", "reindex")
    assert document == dry
    assert (document["schema"], document["transactions"]) == ("twin.reindex/1", 7)
    assert twin("search", "red") == before


def test_upgrade_with_nothing_to_do(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    files = sorted(path.name for path in (home / "ledger").iterdir())
    document = quietly(invoke)("ledger", "upgrade")
    assert list(document) == ["schema", "path", "upgraded", "before", "after", "backup"]
    assert document["schema"] == "twin.upgrade/1"
    assert (document["upgraded"], document["backup"]) == (False, None)
    assert document["before"] == document["after"]
    assert {path.name for path in (home / "ledger").iterdir()} - set(files) <= {
        "ledger.db-wal",
        "ledger.db-shm",
    }
    assert "up to date" in invoke("ledger", "upgrade").stderr
    path = f"file:{home / 'ledger'}"
    assert quietly(invoke)("ledger", "upgrade", "--node", path) == document


def test_a_newer_schema_is_left_alone(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    connection = sqlite3.connect(home / "ledger" / "ledger.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    run = invoke("ledger", "upgrade", "--json")
    assert (run.status, run.error["code"]) == (9, "newer_schema")
