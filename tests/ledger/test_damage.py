"""What a ledger recorded about itself, how far it came, and what does not belong into its file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ledger.chains import ALICE, create
from twincli.crypto import canonical, ed25519
from twincli.errors import ConfigError, ConflictError
from twincli.ledger import Ledger, mark, meta
from twincli.ledger.rows import PrimaryId, prove

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def first() -> dict[str, Any]:
    return create(data={"name": "red car"})


@pytest.fixture
def place(tmp_path: Path, first: dict[str, Any]) -> Path:
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.submit(first)
        ledger.append_many(ALICE, first["id"], [{"n": n} for n in range(3)])
        ledger.checkpoint()
    return tmp_path / "ledger"


def run(place: Path, *statements: str) -> None:
    with closing(sqlite3.connect(place / "ledger.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


# --- What block 0 recorded ------------------------------------------------------------------------

ALTERED = {
    "an unknown profile": "UPDATE meta SET value = 'stricu' WHERE name = 'profile'",
    "another profile": "UPDATE meta SET value = 'server-2.2.2' WHERE name = 'profile'",
    "another id": "UPDATE meta SET value = randomblob(32) WHERE name = 'ledger_id'",
    "a short id": "UPDATE meta SET value = x'00' WHERE name = 'ledger_id'",
    "another time": "UPDATE meta SET value = value + 1 WHERE name = 'created_ms'",
    "no time": "UPDATE meta SET value = 'x' WHERE name = 'created_ms'",
    "another key": f"UPDATE meta SET value = '{ALICE.public_key}' WHERE name = 'public_key'",
    "no key": "UPDATE meta SET value = 7 WHERE name = 'public_key'",
    "a former key": "INSERT INTO meta VALUES ('former_keys', 'x')",
    "another member": "INSERT INTO meta VALUES ('colour', 'red')",
    "no signature": "DELETE FROM meta WHERE name = 'signature'",
    "another signature": "UPDATE meta SET value = zeroblob(64) WHERE name = 'signature'",
    "a text as signature": "UPDATE meta SET value = 'x' WHERE name = 'signature'",
    "block 0 at another time": "UPDATE block SET time_ms = time_ms - 1 WHERE height = 0",
    "no block 0": "DELETE FROM block WHERE height = 0",
    "a lower schema": "PRAGMA user_version = 1",
}


@pytest.mark.parametrize("name", ALTERED)
def test_what_block_0_recorded_is_bound(name: str, place: Path) -> None:
    run(place, ALTERED[name])
    with pytest.raises(ConfigError) as caught, Ledger.open(place) as ledger:
        assert ledger.schema_version == 1
        for fault in ledger.verify().problems:
            raise ConfigError(fault[2], code=fault[1])
    assert caught.value.code == "damaged_ledger"


def test_a_renewed_key_signs_it_again(place: Path) -> None:
    with Ledger.open(place) as ledger:
        before = ledger.public_key
        ledger.renew_key()
        assert ledger.public_key != before
    with Ledger.open(place) as ledger:
        assert ledger.former_keys == [before]


def test_the_signed_text_has_all_of_it() -> None:
    key = ed25519.KeyPair.from_seed(bytes(32))
    known = meta.Meta("00" * 32, 1, "strict", key.public_key, ("a",), 2)
    for other in (
        known._replace(ledger_id="01" * 32),
        known._replace(created_ms=2),
        known._replace(profile="server-2.2.2"),
        known._replace(public_key="x"),
        known._replace(former_keys=()),
        known._replace(began_ms=3),
    ):
        assert other.message != known.message
    assert meta.read(known.rows(key), 2, is_signed=True) == known


# --- What does not belong into the file -----------------------------------------------------------

STRANGE: dict[str, str | tuple[str, ...]] = {
    "a table": "CREATE TABLE guest (name TEXT)",
    "an index": "CREATE INDEX guest ON tx (height)",
    "a missing index": "DROP INDEX tx_asset",
    "a trigger": "CREATE TRIGGER guest AFTER INSERT ON tx BEGIN DELETE FROM once; END",
    "a view": "CREATE VIEW guest AS SELECT 1",
    "an index over something else": ("DROP INDEX tx_asset", "CREATE INDEX tx_asset ON tx (height)"),
    "another column": "ALTER TABLE block ADD COLUMN colour TEXT",
    "an empty block": "INSERT INTO block SELECT height + 1, time_ms, last_seq, app_hash, root"
    " FROM block ORDER BY height DESC LIMIT 1",
    "an identifier of nothing": "INSERT INTO primary_id VALUES ('a', 'b', 'c', 99)",
    "an identifier of an append": "INSERT INTO primary_id VALUES ('a', 'b', 'c', 2)",
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_does_not_belong_into_the_file_is_found(name: str, place: Path) -> None:
    statements = STRANGE[name]
    run(place, *([statements] if isinstance(statements, str) else statements))
    with Ledger.open(place) as ledger:
        try:
            assert ledger.verify().problems
        except ConfigError as error:
            assert error.code == "damaged_ledger"  # noqa: PT017 - or problems


def test_an_empty_block_that_belongs_there_is_none_of_it(place: Path) -> None:
    with Ledger.open(place) as ledger:
        tip = ledger.tip()
        assert ledger.apply_block(tip.height + 1, tip.time_ms, []) == []
        assert ledger.verify().problems == []


# --- How far it came ------------------------------------------------------------------------------


def test_a_lost_log_is_missed(place: Path, first: dict[str, Any]) -> None:
    with Ledger.open(place) as ledger:
        ledger.append_many(ALICE, first["id"], [{"n": n} for n in range(3, 5)])
    log = place / "ledger.db-wal"
    assert log.stat().st_size > 0
    log.rename(place / "away")
    for read_only in (False, True):
        with pytest.raises(ConfigError) as caught:
            Ledger.open(place, create=False, read_only=read_only)
        assert caught.value.code == "damaged_ledger"
        assert "it was longer: 2 transactions are missing" in caught.value.message
    (place / "away").rename(log)
    with Ledger.open(place) as ledger:
        assert ledger.count(first["id"]) == 6


def test_a_flipped_bit_in_the_log_is_missed(place: Path, first: dict[str, Any]) -> None:
    with Ledger.open(place) as ledger:
        ledger.append_many(ALICE, first["id"], [{"n": 3}])
    (place / "ledger.db-shm").unlink(missing_ok=True)
    log = place / "ledger.db-wal"
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    with pytest.raises(ConfigError, match="1 transaction is missing"):
        Ledger.open(place, create=False)


def test_what_is_left_can_be_used_on_purpose(place: Path, first: dict[str, Any]) -> None:
    with Ledger.open(place) as ledger:
        ledger.append_many(ALICE, first["id"], [{"n": 3}])
    (place / "ledger.db-wal").unlink()
    with pytest.raises(ConfigError) as caught:
        Ledger.open(place)
    command, file = (caught.value.hint or "").split(": rm ")
    assert command.endswith("to continue without the missing part")
    os.unlink(file)
    with Ledger.open(place) as ledger:
        ledger.append_many(ALICE, first["id"], [{"n": 3}])
        assert ledger.verify().problems == []


def test_another_history_of_the_same_length_is_noticed(place: Path) -> None:
    run(place, "UPDATE tx SET id = randomblob(32) WHERE seq = 4")
    with pytest.raises(ConfigError, match="transaction 4 is not the one that was committed"):
        Ledger.open(place)


@pytest.mark.parametrize("spoil", [b"", b"x", b"a b c d 00000000\n", b"\xff" * 80])
def test_a_mark_that_cannot_be_read_says_nothing(place: Path, spoil: bytes) -> None:
    (place / "ledger.mark").write_bytes(spoil)
    with Ledger.open(place) as ledger:
        assert ledger.verify().problems == []


def test_any_flipped_bit_of_the_mark_says_nothing(place: Path) -> None:
    path = place / "ledger.mark"
    whole = path.read_bytes()
    known = mark.read(str(path))
    assert known is not None
    assert known.seq == 4
    for position in range(len(whole) - 1):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        assert mark.read(str(path)) is None, position


def test_a_copy_that_can_be_fetched_again_has_no_mark(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "copy", durable=False) as ledger:
        ledger.submit(create())
    assert not (tmp_path / "copy" / "ledger.mark").exists()


def test_a_new_ledger_forgets_the_one_before(place: Path) -> None:
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (place / name).unlink(missing_ok=True)
    with Ledger.open(place, replace_lost=True) as ledger:
        assert ledger.tip().last_seq == 0
        assert not (place / "ledger.mark").exists()


# --- One twin of an identifier --------------------------------------------------------------------

CAR = PrimaryId("car", "WVW1", "ni:///sha-256;x")


def test_an_identity_is_taken_once(tmp_path: Path, first: dict[str, Any]) -> None:
    second, third = create(data={"n": 2}), create(data={"n": 3})
    with Ledger.open(tmp_path) as one, Ledger.open(tmp_path) as two:
        one.submit(first, CAR)
        with pytest.raises(ConflictError) as caught:
            two.submit(second, CAR)
        assert caught.value.code == "duplicate_twin"
        assert first["id"] in caught.value.message
        assert two.get(second["id"]) is None
        for other in (
            CAR._replace(family="bus"),
            CAR._replace(identifier="wvw1"),
            CAR._replace(controller="ni:///sha-256;y"),
        ):
            two.submit(create(data={"other": str(other)}), other)
        with pytest.raises(ConflictError):
            two.submit_many([second, third], [(0, CAR._replace(family="x"))] * 2)
        two.submit_many([second, third], [(1, CAR._replace(family="x"))])
        with pytest.raises(ConflictError) as caught:
            one.submit(create(data={"n": 4}), CAR._replace(family="x"))
        assert third["id"] in caught.value.message
        assert one.verify().problems == []


def test_blocks_of_others_take_no_identity(tmp_path: Path, first: dict[str, Any]) -> None:
    with Ledger.open(tmp_path) as ledger:
        tip = ledger.tip()
        assert ledger.apply_block(1, tip.time_ms, [first]) == [1]
        ledger.submit(create(data={"n": 2}), CAR)


# --- What is printed hashes to its id -------------------------------------------------------------

PAST: dict[str, Callable[[Ledger, str], object]] = {
    "entries": lambda ledger, asset: list(ledger.entries(asset)),
    "transactions": lambda ledger, asset: ledger.transactions(asset),
    "bodies": lambda ledger, asset: list(ledger.bodies(asset)),
    "last body": lambda ledger, asset: list(ledger.bodies(asset, last=True)),
    "last": lambda ledger, asset: ledger.last(asset),
    "replay": lambda ledger, asset: ledger.replay(asset),
    "as of": lambda ledger, asset: ledger.replay(asset, 2**50),
    "block": lambda ledger, _: ledger.block(2),
    "block bodies": lambda ledger, _: list(ledger.block_bodies(2) or ()),
    "unspent": lambda ledger, asset: ledger.unspent(asset),
}


@pytest.mark.parametrize("name", PAST)
def test_an_altered_value_is_never_printed(name: str, place: Path, first: dict[str, Any]) -> None:
    run(place, "UPDATE tx SET body = replace(body, '\"n\":2', '\"n\":7')")
    with Ledger.open(place) as ledger, pytest.raises(ConfigError) as caught:
        PAST[name](ledger, first["id"])
    assert caught.value.code == "damaged_ledger"


def test_an_id_that_moved_into_the_data_is_altered() -> None:
    tx = create(data={"id": None})
    text = canonical.text_of(tx)
    moved = text.replace(f'"id":"{tx["id"]}"', '"id":null').replace(
        '"data":{"id":null}', f'"data":{{"id":"{tx["id"]}"}}'
    )
    prove(text, tx["id"])
    with pytest.raises(ConfigError):
        prove(moved, tx["id"])
