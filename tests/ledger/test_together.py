"""Several commits as one: durable together, parts of them undone, and nothing kept of what was."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from tests.ledger.chains import ALICE, BOB, chain, create, owned
from twincli.errors import ConfigError, InvalidError, LockedError
from twincli.ledger import Ledger
from twincli.ledger.bulk import Append
from twincli.model import record

if TYPE_CHECKING:
    from pathlib import Path


class BoomError(Exception):
    """Raised to undo."""


def stated(parent: str, number: int) -> dict[str, Any]:
    """Return a CREATE that the index is asked for."""
    data = {record.KEY: record.envelope("asset", parent=parent, nonce=str(number))}
    return create(data=data)


def test_blocks_are_one_by_one_and_the_commit_is_one(tmp_path: Path) -> None:
    first, second, third = chain(3)
    with Ledger.open(tmp_path) as ledger, Ledger.open(tmp_path) as other:
        with ledger.together():
            assert [ledger.submit(tx) for tx in (first, second, third)] == [1, 2, 3]
            assert ledger.get(third["id"]) == third
            assert other.get(first["id"]) is None
        assert other.get(third["id"]) == third
        assert not ledger.verify().problems
        assert [ledger.block(height)["time_ms"] > 0 for height in (1, 2, 3)] == [True] * 3  # type: ignore[index]


def test_a_part_is_undone_by_itself(tmp_path: Path) -> None:
    first, second, third = chain(3)
    with Ledger.open(tmp_path) as ledger:
        with ledger.together() as whole:
            ledger.submit(first)
            with pytest.raises(BoomError), whole.unit():
                ledger.submit(second)
                ledger.submit(third)
                assert ledger.entry(second["id"]).height == 2  # type: ignore[union-attr]
                raise BoomError
            assert ledger.get(second["id"]) is None
            assert ledger.unspent(first["id"])[0].transaction_id == first["id"]
            with whole.unit(), pytest.raises(InvalidError):
                ledger.submit(third)  # what it spends is gone
            assert ledger.submit(second) == 2
        assert not ledger.verify().problems
        assert ledger.tip().height == 2


def test_parts_inside_parts(tmp_path: Path) -> None:
    one, two, three = create(1), create(2), create(3)
    with Ledger.open(tmp_path) as ledger:
        with ledger.together() as whole:
            with pytest.raises(BoomError), whole.unit():
                ledger.submit(one)
                with whole.unit():
                    ledger.submit(two)
                raise BoomError
            with whole.unit():
                ledger.submit(three)
                with pytest.raises(BoomError), whole.unit():
                    ledger.submit(one)
                    raise BoomError
        assert [ledger.get(tx["id"]) is not None for tx in (one, two, three)] == [0, 0, 1]
        assert not ledger.verify().problems


@pytest.mark.parametrize("keep", [True, False])
def test_an_exception_or_a_trial_leaves_nothing(tmp_path: Path, keep: bool) -> None:
    first, second = chain(2)
    with Ledger.open(tmp_path) as ledger:
        ledger.submit(first)
        before = ledger.tip()
        if keep:
            with pytest.raises(BoomError), ledger.together():
                ledger.submit(second)
                raise BoomError
        else:
            with ledger.together(keep=False):
                ledger.submit(second)
        assert ledger.tip() == before
        assert ledger.get(second["id"]) is None
        assert ledger.seq(second["id"]) is None
        assert ledger.submit(second) == 2
    with Ledger.open(tmp_path) as again:  # the mark beside the file is not ahead of it
        assert not again.verify().problems


@pytest.mark.parametrize("opened_before", [True, False])
def test_the_index_keeps_nothing_that_was_undone(tmp_path: Path, opened_before: bool) -> None:
    root = create(0)
    parts = [stated(root["id"], number) for number in range(4)]
    ids = [tx["id"] for tx in parts]

    def found(ledger: Ledger) -> list[str]:
        return ledger.assets_with("parent", root["id"])

    with Ledger.open(tmp_path) as ledger:
        ledger.submit(root)
        if opened_before:
            assert found(ledger) == []
        with ledger.together() as whole:
            ledger.submit(parts[0])
            with pytest.raises(BoomError), whole.unit():
                ledger.submit(parts[1])
                assert found(ledger) == ids[:2]
                raise BoomError
            assert found(ledger) == ids[:1]
            with pytest.raises(BoomError), whole.unit():  # now it is held from before
                ledger.submit(parts[1])
                assert found(ledger) == ids[:2]
                raise BoomError
            with whole.unit():
                ledger.submit(parts[2])
                assert found(ledger) == [ids[0], ids[2]]
            with whole.unit():
                ledger.reindex()
        assert found(ledger) == [ids[0], ids[2]]
        assert ledger.verify_index() == []
        with ledger.together(keep=False):
            ledger.submit(parts[3])
            assert found(ledger) == [ids[0], ids[2], ids[3]]
        assert found(ledger) == [ids[0], ids[2]]
        assert ledger.verify_index() == []


def test_an_index_rebuilt_inside_a_part_goes_back_too(tmp_path: Path) -> None:
    root = create(0)
    part = stated(root["id"], 1)
    with Ledger.open(tmp_path) as ledger:
        with ledger.together() as whole:
            ledger.submit(root)
            assert ledger.assets_with("parent", root["id"]) == []
            with pytest.raises(BoomError), whole.unit():
                ledger.submit(part)
                ledger.reindex()
                raise BoomError
            with whole.unit():
                ledger.submit(create(7))
                ledger.reindex()
            assert ledger.assets_with("parent", root["id"]) == []
        assert ledger.verify_index() == []


def test_the_mark_beside_the_file_is_written_at_the_end(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        with ledger.together():
            pass
        with ledger.together():
            ledger.submit(create(1))
            ledger.submit(create(2))
    with Ledger.open(tmp_path) as again:
        assert again.tip().last_seq == 2


def test_a_transaction_that_sqlite_has_ended_is_not_continued(tmp_path: Path) -> None:
    one, two = create(1), create(2)
    with Ledger.open(tmp_path) as ledger:
        with pytest.raises(ConfigError) as caught, ledger.together() as whole:
            with pytest.raises(BoomError), whole.unit():
                ledger.submit(one)
                ledger.store.connection.execute("ROLLBACK")  # as on a full disk
                raise BoomError
            ledger.submit(two)
        assert caught.value.code == "cannot_write"
        assert ledger.tip().height == 0


def test_no_other_process_writes_meanwhile(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger, ledger.together():
        other = sqlite3.connect(tmp_path / "ledger.db", timeout=0)
        with pytest.raises(sqlite3.OperationalError):
            other.execute("BEGIN IMMEDIATE")
        other.close()


def test_appends_to_many_assets(tmp_path: Path) -> None:
    one, two = create(1, outputs=[owned(ALICE)]), create(2, outputs=[owned(ALICE)])
    with Ledger.open(tmp_path) as ledger, Ledger.open(":memory:") as theirs:
        ledger.submit_many([one, two])
        (spends,) = ledger.unspent(two["id"])
        appends = [
            Append(one["id"], {"a": 1}),
            Append(two["id"], {"b": 1}, spends),
            Append(one["id"], {"a": 2}),
        ]
        with ledger.together() as whole:
            made = whole.append_each(ALICE, appends)
        assert ledger.tip().height == 2
        assert [tx["id"] for tx in ledger.transactions(one["id"])[1:]] == [made[0], made[2]]
        txs = [ledger.get(tx_id) for tx_id in made]
        assert theirs.submit_each([one, two, *txs]) == [1] * 5  # type: ignore[list-item]
        assert not ledger.verify().problems
        with pytest.raises(LockedError), ledger.together() as whole:
            whole.append_each(BOB, [Append(one["id"], {"a": 3})])
