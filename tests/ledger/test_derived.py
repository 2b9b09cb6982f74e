"""A lying index: every table is compared with what the ledger gives."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from tests.ledger.chains import ALICE, BOB, Tx, create
from twincli.errors import TwinError
from twincli.ledger import Ledger, state
from twincli.ledger.index import TEXTS
from twincli.ledger.said import Asked
from twincli.ledger.state import SHORT
from twincli.model import expression

Damage = Callable[[Ledger, sqlite3.Connection], None]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("original") / "ledger"
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(state, "EVERY", 50)
    with Ledger.open(place) as ledger:
        envelope = {"v": 1, "kind": "asset", "name": "gate"}
        first = create(data={"name": "red car", "serial": 4711, "twin": envelope})
        ledger.submit(first)
        items: list[Tx] = [{"n": n, "note": "oil"} for n in range(2 * SHORT)]
        items[5]["twin"] = {"v": 1, "kind": "file", "body": {}}
        items[6]["twin"] = {"v": 1, "kind": "event", "body": {"type": "oiled"}}
        ledger.append_many(ALICE, first["id"], items)
        ledger.submit(create(2, data={"name": "blue car", "id": "id:app:Car:7"}))
        ledger.search_assets("car")
        assert len(list(ledger.find(expression.parse("name ~ car")))) == 2
        ledger.replay(first["id"])
        ledger.checkpoint()
    yield place
    monkeypatch.undo()


def run(sql: str, *values: object) -> Damage:
    def damage(_ledger: Ledger, connection: sqlite3.Connection) -> None:
        assert connection.execute(sql, values).rowcount != 0

    return damage


def lied(find: str, replace: str) -> Damage:
    """Alter a kept state and give it the digest of what it is now."""

    def damage(ledger: Ledger, _connection: sqlite3.Connection) -> None:
        kept = ledger.plain_index.state(1)
        assert kept is not None
        assert find in kept[1]
        ledger.plain_index.keep_state(1, kept[0], kept[1].replace(find, replace))

    return damage


def snapshot(find: str, replace: str, *, is_head: bool = False) -> Damage:
    """Alter a snapshot, or what is known of it, and give it the digests of what it is now."""

    def damage(ledger: Ledger, _connection: sqlite3.Connection) -> None:
        index = ledger.plain_index
        at = index.snapshots(1)[1]
        document = index.snapshot(1, at)
        assert document
        if is_head:
            assert at.low is not None
            index.keep_snapshot(1, at._replace(low=at.low + 1), document)
        else:
            assert find in document
            index.keep_snapshot(1, at, document.replace(find, replace))

    return damage


def shorter(ledger: Ledger, _connection: sqlite3.Connection) -> None:
    kept = ledger.plain_index.state(1)
    assert kept is not None
    ledger.plain_index.keep_state(1, kept[0] - 1, kept[1])


def empty(ledger: Ledger, _connection: sqlite3.Connection) -> None:
    ledger.plain_index.keep_state(1, 5, json.dumps({}))


def without_words(table: str, body: str, seq: int) -> Damage:
    sql = f"INSERT INTO {table} ({table}, rowid, body, numbers) VALUES ('delete', ?, ?, ?)"
    return run(sql, seq, body, "")


DAMAGES: dict[str, Damage] = {
    "a field is gone": run("DELETE FROM field WHERE value = 'red car'"),
    "a field is another's": run("UPDATE field SET asset = 7 WHERE value = 'red car'"),
    "a path is another": run("UPDATE field_path SET text = 'serials' WHERE text = 'serial'"),
    "an asset is said to be whole": run("UPDATE field_of SET is_whole = 0"),
    "an asset is not found": run("DELETE FROM field_of"),
    "an output is gone": run("DELETE FROM output WHERE seq = 3"),
    "an output is added": run("INSERT INTO output VALUES (1, 3, 1)"),
    "an output is another's": run("UPDATE output SET seq = seq + 1 WHERE seq = 130"),
    "a key is another": run("UPDATE public_key SET text = ?", BOB.public_key),
    "a key is gone": run("DELETE FROM public_key"),
    "a key is added": run("INSERT INTO public_key (text) VALUES (?)", BOB.public_key),
    "a record is gone": run("DELETE FROM stated WHERE name = 'records of 1'"),
    "a statement is gone": run("DELETE FROM stated WHERE name = 'kind'"),
    "a statement is another": run("UPDATE stated SET value = 'Bus' WHERE name = 'model'"),
    "a statement is added": run("INSERT INTO stated VALUES ('parent', 'x', 1)"),
    "a state is altered": run("UPDATE state SET document = replace(document, '127', '7')"),
    "a state lies": lied('"n": 127', '"n": 7'),
    "a state lies about outputs": lied('"oil"', '"air"'),
    "a state is of an earlier time": shorter,
    "a state is nothing": empty,
    "a snapshot is altered": run("UPDATE snapshot SET document = replace(document, 'oil', 'air')"),
    "a snapshot lies": snapshot('"n": 98', '"n": 7'),
    "a snapshot lies about corrections": snapshot('"corrected": []', '"corrected": ["x"]'),
    "what is known of a snapshot lies": snapshot("", "", is_head=True),
    "a snapshot of elsewhere": run("UPDATE snapshot SET seq = seq + 1 WHERE seq = 50"),
    "a state of no asset": run("INSERT INTO state VALUES (2, 3, '{}', '')"),
    "words are gone": without_words("asset_text", "red car", 1),
    "numbers are gone": run(
        "INSERT INTO asset_text (asset_text, rowid, body, numbers) VALUES ('delete', 1, '', '4711')"
    ),
    "words are added to facts": run("INSERT INTO asset_text (rowid, body) VALUES (1, 'green')"),
    "words are added to states": run("INSERT INTO metadata_text (rowid, body) VALUES (9, 'x')"),
    "all words are gone": run("INSERT INTO asset_text (asset_text) VALUES ('delete-all')"),
    "sizes are others": run("UPDATE metadata_text_docsize SET sz = x'0101' WHERE id = 5"),
    "a setting is another": run("INSERT INTO asset_text_config VALUES ('crisismerge', 2)"),
    "pages are found elsewhere": run("DELETE FROM metadata_text_idx"),
    "a page is cut": run("UPDATE asset_text_data SET block = substr(block, 1, 9) WHERE id > 10"),
    "a trigger is added": run(
        "CREATE TRIGGER t AFTER INSERT ON stated BEGIN DELETE FROM output; END"
    ),
    "an event is gone": run("DELETE FROM said"),
    "an event happened at another time": run("UPDATE said SET happened = 5"),
    "an event is another": run("UPDATE said SET label = 'sold'"),
    "a note is another": run("INSERT INTO note VALUES ('x', 1, 'y', 'z', '')"),
    "the last output is gone": run("DELETE FROM output WHERE seq = (SELECT max(seq) FROM output)"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_lie_in_the_index_is_found(name: str, original: Path, tmp_path: Path) -> None:
    place = tmp_path / "ledger"
    shutil.copytree(original, place)
    with (
        Ledger.open(place) as ledger,
        closing(sqlite3.connect(place / "index.db", isolation_level=None)) as connection,
    ):
        DAMAGES[name](ledger, connection)
    with Ledger.open(place) as ledger:
        found = ledger.verify_index()
        assert found
        assert {(where, code) for where, code, _ in found} == {("index.db", "damaged_index")}
        assert ledger.verify().problems == []
        ledger.reindex()
        assert ledger.verify_index() == []


def test_an_honest_index_has_no_differences(original: Path, tmp_path: Path) -> None:
    place = tmp_path / "ledger"
    shutil.copytree(original, place)
    with Ledger.open(place) as ledger:
        assert ledger.verify_index() == []
        asset = next(ledger.asset_ids())
        ledger.append_many(ALICE, asset, [{"n": -1}])
        assert ledger.verify_index() == []  # it is behind, and right as far as it goes
        ledger.search_assets("car")
        ledger.replay(asset)
        assert ledger.verify_index() == []


def test_an_index_in_use_is_not_damaged(original: Path, tmp_path: Path) -> None:
    place = tmp_path / "ledger"
    shutil.copytree(original, place)
    with (
        Ledger.open(place) as ledger,
        closing(sqlite3.connect(place / "index.db", isolation_level=None)) as connection,
    ):
        ledger.plain_index.connection.execute("PRAGMA busy_timeout = 10")
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(TwinError) as caught:
            ledger.verify_index()
        assert caught.value.code == "busy"
        connection.execute("ROLLBACK")
        assert ledger.verify_index() == []


def test_a_ledger_that_is_only_read_has_no_index_to_check(original: Path) -> None:
    with Ledger.open(original, create=False, read_only=True) as ledger:
        assert ledger.verify_index() is None


ALTERED = [
    "DELETE FROM stated WHERE name = 'kind'",
    "UPDATE stated SET seq = seq + 1 WHERE name = 'kind'",
    "UPDATE stated SET value = 'asses' WHERE name = 'kind'",
    "DELETE FROM tally WHERE name = 'kind'",
    "UPDATE tally SET count = count - 1 WHERE name = 'kind'",
    "DELETE FROM output WHERE seq = 1",
    "UPDATE output SET output_index = 1 WHERE seq = 1",
    "DELETE FROM public_key",
    "UPDATE public_key SET text = upper(text)",
    "DELETE FROM tally WHERE name = ''",
]


@pytest.mark.parametrize("sql", ALTERED)
def test_what_was_altered_is_not_believed(original: Path, tmp_path: Path, sql: str) -> None:
    """A lie in the index is not an answer: it is made again."""
    place = Path(shutil.copytree(original, tmp_path / "copy"))
    with closing(sqlite3.connect(place / "index.db")) as connection:
        assert connection.execute(sql).rowcount
        connection.commit()
    with Ledger.open(place) as ledger:
        for said, right in (("asset", [ledger.id_at(1)]), ("asses", [])):
            assert ledger.assets_with("kind", said) == right
        refs = ledger.outputs(ALICE.public_key)
        assert [ref["transaction_id"] for ref in refs] == [
            ledger.id_at(seq) for seq in range(1, ledger.tip().last_seq + 1)
        ]
        assert {ref["output_index"] for ref in refs} == {0}
        assert ledger.verify_index() == []


@pytest.mark.parametrize("sql", [sql for sql in ALTERED if "'kind'" in sql])
def test_nor_where_several_are_asked_at_once(original: Path, tmp_path: Path, sql: str) -> None:
    place = Path(shutil.copytree(original, tmp_path / "copy"))
    with closing(sqlite3.connect(place / "index.db")) as connection:
        assert connection.execute(sql).rowcount
        connection.commit()
    with Ledger.open(place) as ledger:
        assert ledger.plain_index.stated_by("kind", ["asset", "asses"]) == [("asset", 1)]
        assert ledger.verify_index() == []


@pytest.mark.parametrize(
    "sql", ["DELETE FROM said", "UPDATE said SET seq = 7", "UPDATE said SET twin = twin + 1"]
)
def test_nor_where_records_are_asked(original: Path, tmp_path: Path, sql: str) -> None:
    place = Path(shutil.copytree(original, tmp_path / "copy"))
    with closing(sqlite3.connect(place / "index.db")) as connection:
        assert connection.execute(sql).rowcount
        connection.commit()
    with Ledger.open(place) as ledger:
        (found,) = ledger.said(str(ledger.id_at(1)), Asked("event"))
        assert found.tx["metadata"]["twin"]["body"] == {"type": "oiled"}
        assert ledger.verify_index() == []


def test_every_table_is_looked_at(original: Path) -> None:
    """``mark`` is checked when the index is opened; ``place`` cannot be derived."""
    with closing(sqlite3.connect(original / "index.db")) as connection:
        names = {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith(TEXTS)
        }
    assert names == {
        "field",
        "field_of",
        "field_path",
        "found_until",
        "mark",
        "note",
        "output",
        "place",
        "public_key",
        "said",
        "snapshot",
        "state",
        "stated",
        "tally",
        "tile",
    }


def test_states_of_a_corrected_history_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "EVERY", 50)
    with Ledger.open(
        tmp_path, clock=iter(range(1_700_000_000_000, 1_800_000_000_000)).__next__
    ) as ledger:
        first = create()
        ledger.submit(first)
        asset = first["id"]
        for number in range(4):
            ledger.append_many(ALICE, asset, [{"n": n} for n in range(40)])
            entry = ledger.last(asset)
            assert entry is not None
            twin = {"v": 1, "kind": "append", "corrects": entry.tx["id"]}
            ledger.append_many(ALICE, asset, [{"n": number, "twin": twin}])
            ledger.replay(asset)
        block = ledger.store.block(5)
        assert block is not None
        ledger.replay(asset, block.time_ms)
        ledger.search_assets("car")
        assert ledger.verify_index() == []


def test_an_index_in_use_for_too_long_is_not_made_again(original: Path) -> None:
    class Locked:
        """Stands for a connection that waited for another process in vain."""

        def execute(self, *_: object) -> None:
            raise sqlite3.OperationalError("database is locked")

    with Ledger.open(original) as ledger:
        index = ledger.index
        real, inode = index.connection, (original / "index.db").stat().st_ino
        index.connection = cast("sqlite3.Connection", Locked())
        try:
            with pytest.raises(TwinError) as caught:
                index.mark()
        finally:
            index.connection = real
        assert (caught.value.code, caught.value.retryable) == ("busy", True)
        assert (original / "index.db").stat().st_ino == inode


def test_a_damaged_index_that_cannot_be_removed_is_said(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(shutil.copytree(original, tmp_path / "copy"))
    (place / "index.db").write_bytes(b"no index" * 1000)

    def refused(_path: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "unlink", refused)
    with (
        Ledger.open(place) as ledger,
        pytest.raises(TwinError, match="cannot be removed") as caught,
    ):
        ledger.search_assets("car")
    assert caught.value.code == "read_only"
