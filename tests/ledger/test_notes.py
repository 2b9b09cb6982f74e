"""Notes about assets: they hold until something is said of an asset, and lie to nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.chains import ALICE, BOB, create, owned, spend
from twincli.ledger import Ledger, notes
from twincli.model import record

KIND = "test 1"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def ledger(place: Path) -> Iterator[Ledger]:
    with Ledger.open(str(place)) as made:
        yield made


def stated(number: int, **more: Any) -> dict[str, Any]:
    envelope = record.envelope("asset", nonce=str(number), **more)
    return create(data={"number": number, record.KEY: envelope})


def note(ledger: Ledger, **made: str) -> None:
    until, _ = ledger.notes(KIND)
    ledger.keep_notes(KIND, until, {key.removeprefix("_"): text for key, text in made.items()})


def held(ledger: Ledger, kind: str = KIND) -> dict[str, str]:
    return ledger.notes(kind)[1]


def test_notes_are_kept_and_come_back(place: Path) -> None:
    a, b = create(1), create(2)
    with Ledger.open(str(place)) as ledger:
        ledger.submit_many([a, b])
        assert ledger.notes(KIND) == (2, {})
        ledger.keep_notes(KIND, 2, {a["id"]: "of a", b["id"]: "\\u00fc", "f" * 64: "of none"})
        assert set(held(ledger)) <= {a["id"], b["id"]}
        assert held(ledger)[a["id"]] == "of a"
        assert held(ledger, "test 2") == {}
    with Ledger.open(str(place)) as ledger:
        assert held(ledger)[a["id"]] == "of a"


def test_what_takes_a_note_away(ledger: Ledger) -> None:
    twin, other = create(1), create(2)
    ledger.submit_many([twin, other])
    part = stated(3, parent=twin["id"])
    about = stated(4, about=twin["id"])
    append = spend((twin, 0), metadata={"a": 1})
    reading = spend((part, 0))
    burnt = spend((append, 0), outputs=[owned(BOB)])
    for tx in (append, part, about, reading, burnt):
        note(ledger, **{f"_{twin['id']}": "of twin", f"_{other['id']}": "of other"})
        assert set(held(ledger)) == {twin["id"], other["id"]}
        ledger.submit(tx)
        assert held(ledger) == {other["id"]: "of other"}
    for number, odd in enumerate(("nothing", "F" * 64, 7, None, "e" * 64)):
        ledger.submit(stated(10 + number, about=odd, parent=odd))
    assert held(ledger) == {other["id"]: "of other"}


def test_many_touched_assets_take_all_away(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "_MANY", 3)
    first, *others = (create(number) for number in range(6))
    ledger.submit(first)
    note(ledger, **{f"_{first['id']}": "of first"})
    ledger.submit_many(others[:3])
    assert set(held(ledger)) == {first["id"]}
    ledger.submit_many([spend((tx, 0)) for tx in others[:3]] + others[3:])
    assert held(ledger) == {}


def test_notes_that_come_too_late_are_not_kept(ledger: Ledger) -> None:
    a = create(1)
    ledger.submit(a)
    until, _ = ledger.notes(KIND)
    ledger.submit(spend((a, 0)))
    ledger.notes(KIND)  # somebody else asks, and there is nothing to take away yet
    ledger.keep_notes(KIND, until, {a["id"]: "old"})
    assert held(ledger) == {}


def test_two_that_ask_at_once(place: Path) -> None:
    with Ledger.open(str(place)) as one, Ledger.open(str(place)) as two:
        a = create(1)
        one.submit(a)
        note(one, **{f"_{a['id']}": "of a"})
        assert held(two) == {a["id"]: "of a"}
        two.submit(spend((a, 0)))
        assert held(two) == {}
        assert held(one) == {}
        until = one.notes(KIND)[0]
        assert until == two.notes(KIND)[0] == 2


def test_notes_while_several_commits_are_one(ledger: Ledger) -> None:
    a, b = create(1), create(2)
    ledger.submit(a)
    note(ledger, **{f"_{a['id']}": "of a"})
    rebuilt = ledger.plain_index.rebuilt
    with ledger.together(keep=False):
        ledger.submit_many([b, spend((a, 0))])
        assert held(ledger) == {}
        note(ledger, **{f"_{b['id']}": "of b"})
        assert held(ledger) == {b["id"]: "of b"}
    assert held(ledger) == {a["id"]: "of a"}
    with ledger.together():
        ledger.submit(b)
        note(ledger, **{f"_{b['id']}": "of b"})
    assert set(held(ledger)) == {a["id"], b["id"]}
    assert ledger.plain_index.rebuilt == rebuilt


def test_another_that_is_further_ahead(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    a = create(1)
    ledger.submit(a)
    note(ledger, **{f"_{a['id']}": "of a"})
    monkeypatch.setattr(ledger.plain_index, "catch_up", lambda: 0)
    assert ledger.notes(KIND) == (1, {a["id"]: "of a"})


def test_another_that_was_faster(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    a = create(1)
    ledger.submit(a)
    note(ledger, **{f"_{a['id']}": "of a"})
    ledger.submit(spend((a, 0)))
    index = ledger.plain_index
    forget, calls = index.forget_notes, []

    def slow(kind: str, reached: int | None, until: int, stale: list[int] | None) -> bool:
        calls.append(reached)
        if len(calls) == 1:
            assert forget(kind, reached, until, stale)
        return forget(kind, reached, until, stale)

    monkeypatch.setattr(index, "forget_notes", slow)
    assert held(ledger) == {}
    assert calls == [1]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE note SET document = 'altered' WHERE asset > 0",
        "UPDATE note SET id = upper(id) WHERE asset > 0",
        "UPDATE note SET document = '99' WHERE asset = 0",
        "DELETE FROM note WHERE asset = 0",
    ],
)
def test_what_was_altered_is_not_believed(place: Path, change: str) -> None:
    a = create(1)
    with Ledger.open(str(place)) as ledger:
        ledger.submit(a)
        note(ledger, **{f"_{a['id']}": "of a"})
    with closing(sqlite3.connect(place / "index.db", isolation_level=None)) as connection:
        connection.execute(change)
    with Ledger.open(str(place)) as ledger:
        assert held(ledger) == {}
        note(ledger, **{f"_{a['id']}": "again"})
        assert held(ledger) == {a["id"]: "again"}


def test_a_fault_while_writing_leaves_all_as_it_was(ledger: Ledger) -> None:
    a = create(1)
    ledger.submit(a)
    note(ledger, **{f"_{a['id']}": "of a"})
    index = ledger.plain_index
    with pytest.raises(UnicodeEncodeError):
        index.keep_notes(KIND, 1, [(2, "b", "of b"), (1, a["id"], "\ud800")])
    stale: Any = [object()]
    with pytest.raises(TypeError):
        index.forget_notes(KIND, 1, 2, stale)
    assert held(ledger) == {a["id"]: "of a"}


def test_states_of_many(ledger: Ledger) -> None:
    txs = [create(number, metadata={"n": number}) for number in range(3)]
    ledger.submit_many(txs)
    long = txs[0]
    last = long
    for number in range(40):
        last = spend((last, 0), metadata={"n": number})
        ledger.submit(last)
    ids = [*(tx["id"] for tx in txs), "f" * 64, txs[0]["id"]]
    found = {asset_id: replay.common for asset_id, replay, _ in ledger.replays(ids)}
    assert found == {tx["id"]: {"n": n} for tx, n in zip(txs, (39, 1, 2), strict=True)}
    entry = ledger.entry(txs[1]["id"])
    assert entry is not None
    assert {made for asset_id, _, made in ledger.replays([txs[1]["id"]])} == {entry.time_ms}


def test_which_are_spoken_of(ledger: Ledger) -> None:
    quiet, told, named = create(1), create(2, signer=BOB), create(3)
    ledger.submit_many([quiet, told, named])
    assert ledger.spoken_of() == set()
    body = {record.KEY: record.envelope("event", body={"type": "x"})}
    ledger.submit(spend((told, 0), signers=[BOB], metadata=body))
    ledger.submit(stated(4, about=named["id"]))
    ledger.submit(spend((quiet, 0), metadata={"n": 1}))
    assert ledger.spoken_of() == {told["id"], named["id"]}


def test_an_index_that_hides_who_is_spoken_of(place: Path) -> None:
    with Ledger.open(str(place)) as ledger:
        named = create(1, signer=ALICE)
        ledger.submit_many([named, stated(2, about=named["id"])])
        assert ledger.spoken_of() == {named["id"]}
    with closing(sqlite3.connect(place / "index.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM stated WHERE name = 'about'")
    with Ledger.open(str(place)) as ledger:
        assert ledger.spoken_of() == {named["id"]}
