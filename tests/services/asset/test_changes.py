"""Blame and diff: the same as plain replays from zero, whatever the history."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.ledger.chains import ALICE, create, owned, spend
from tests.services.asset.test_history import BORN_MS, DETAILS, Clock, lives
from twincli.book.store import Book
from twincli.client.embedded import EmbeddedClient
from twincli.errors import NotFoundError, UsageError
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger, state
from twincli.ledger.reading import Entry
from twincli.model import leaves, times, transaction
from twincli.model.transaction import Output
from twincli.rules.replay import Replay, Step, corrected_by
from twincli.services.asset import moments
from twincli.services.asset.blame import blame
from twincli.services.asset.diff import NEWEST, diff
from twincli.services.workspace import Workspace

Flat = dict[str, tuple[str, Any]]


@contextmanager
def workspace_of(ledger: Ledger) -> Iterator[Workspace]:
    nowhere = "/nowhere-at-all"
    yield Workspace(
        EmbeddedClient(ledger), KeyStore(nowhere), Book(nowhere), now=lambda: BORN_MS + 10**9
    )


def flat(members: dict[str, Any]) -> Flat:
    """Return leaves with their types, so that 1 and true differ."""
    return {path: (repr(type(value)), repr(value)) for path, value in leaves.leaves(members)}


# --- The slow and plain way ----------------------------------------------------------------------


def replayed(entries: list[Entry], counted: list[Entry]) -> tuple[Replay, dict[str, Step]]:
    """Replay all, where only some count."""
    ids = {entry.tx["id"] for entry in counted}
    void = {entry.tx["id"] for entry in entries} - ids
    made = Replay(corrected_by(entry.tx for entry in counted) | void)
    steps = {entry.tx["id"]: made.add(entry.tx) for entry in entries}
    return made, steps


def setter(
    path: str, tx: dict[str, Any], txs: dict[str, dict[str, Any]], steps: dict[str, Step]
) -> str:
    """Return who set a leaf, by going back along the chain."""
    while True:
        step = steps[tx["id"]]
        now, before = flat(step.after), flat(step.before)
        top = path.partition(".")[0]
        if before.get(path) != now[path]:
            return str(tx["id"])
        # The last of the joined outputs that has the member gave it.
        for item in reversed(tx["inputs"]):
            spent = txs[item["fulfills"]["transaction_id"]]
            if top in steps[spent["id"]].after:
                break
        tx = spent


def ending(entries: list[Entry], known: list[Entry]) -> list[Entry]:
    """Return the entries up to the last known one."""
    last = max((entries.index(entry) for entry in known), default=-1)
    return entries[: last + 1]


def check_blame(workspace: Workspace, asset_id: str, as_of_ms: int | None) -> None:
    entries = [
        entry
        for entry in workspace.client.entries(asset_id)
        if as_of_ms is None or (entry.time_ms or 0) <= as_of_ms
    ]
    as_of = None if as_of_ms is None else times.to_text(as_of_ms)
    if not entries:
        with pytest.raises(NotFoundError):
            blame(workspace, asset_id, as_of=as_of)
        return
    made, steps = replayed(entries, entries)
    known = workspace.client.replay(asset_id, as_of_ms)
    assert known is not None
    assert (known.common, known.outputs) == (made.common, made.outputs)
    txs = {entry.tx["id"]: entry.tx for entry in entries}
    found = blame(workspace, asset_id, as_of=as_of)["fields"]
    wanted: dict[tuple[str | None, str], tuple[Any, str]] = {}
    if made.is_split:
        for (tx_id, index), held in made.outputs.items():
            for path, value in flat(held).items():
                who = setter(path, txs[tx_id], txs, steps)
                wanted[f"{tx_id}:{index}", path] = value, who
    else:
        [(tx_id, _)] = made.outputs
        for path, value in flat(made.common).items():
            wanted[None, path] = value, setter(path, txs[tx_id], txs, steps)
    states = [item for item in found if item["of"] == "state"]
    assert {
        (item["output"], item["path"]): (
            (repr(type(item["value"])), repr(item["value"])),
            item["transaction_id"],
        )
        for item in states
        if item["output"] or not made.is_split
    } == wanted
    facts = [item for item in found if item["of"] == "facts"]
    assert [item["transaction_id"] for item in facts] == [asset_id] * len(facts)
    assert [item["path"] for item in facts] == ["a"]


def check_diff(
    workspace: Workspace, asset_id: str, since: int | None, until: int | None, by: str
) -> None:
    entries = list(workspace.client.entries(asset_id))

    def moment(entry: Entry) -> int:
        found = entry.time_ms if by == moments.RECORDED else moments.happened_ms(entry)
        assert found is not None
        return found

    known = [entry for entry in entries if until is None or moment(entry) < until]
    old = [entry for entry in known if since is not None and moment(entry) < since]
    through = ending(entries, known)
    before, _ = replayed(through, old)
    after, _ = replayed(through, known)
    found = diff(
        workspace,
        asset_id,
        since=None if since is None else times.to_text(since),
        until=None if until is None else times.to_text(until),
        by=by,
    )["changes"]
    wanted = set()
    for (tx_id, index), held in after.outputs.items():
        was, now = flat(before.outputs[tx_id, index]), flat(held)
        output = f"{tx_id}:{index}" if after.is_split else None
        wanted |= {
            (output, path, was.get(path), now.get(path))
            for path in was.keys() | now.keys()
            if was.get(path) != now.get(path)
        }

    def side(item: Any, name: str) -> tuple[str, str] | None:
        return (repr(type(item[name])), repr(item[name])) if name in item else None

    states = [item for item in found if item["of"] == "state"]
    made = [
        (item["output"], item["path"], side(item, "before"), side(item, "after")) for item in states
    ]
    assert len(made) == len(set(made))
    assert set(made) == wanted
    inside = {entry.tx["id"] for entry in known} - {entry.tx["id"] for entry in old}
    for item in states:
        assert item["count"] >= 1
        named = [tx["transaction_id"] for tx in item["transactions"]]
        assert len(named) == min(item["count"], NEWEST)
        assert set(named) <= inside
    is_born = asset_id in inside
    assert [item["path"] for item in found if item["of"] == "facts"] == ["a"] * is_born
    if by == moments.RECORDED and since is not None and old and not after.is_split:
        # What a reader saw then, and what the diff says, is what is seen now.
        then = workspace.client.replay(asset_id, since - 1)
        assert then is not None
        if not then.is_split:
            seen = flat(then.common)
            for _, path, _, now_there in made:
                seen.pop(path, None)
                if now_there is not None:
                    seen[path] = now_there
            at_end = workspace.client.replay(asset_id, None if until is None else until - 1)
            assert at_end is not None
            assert seen == flat(at_end.common)


def joined_over() -> list[dict[str, Any]]:
    """Return a life in which a join brings a member along that stands over an object."""
    first = create(data={"a": 1}, metadata={"m": 0}, outputs=[owned(ALICE, amount=2)])
    halves = spend((first, 0), outputs=[owned(ALICE), owned(ALICE)])
    one = spend((halves, 0), metadata={"m": {"x": 0}})
    other = spend((halves, 1), metadata={"m": 4})
    whole = spend((one, 0), (other, 0), metadata={"n": 5})
    return [first, halves, one, other, whole]


@example(joined_over(), 2, [(3, 0), (2, 0), (4, 0), (0, 0)])
@given(
    lives(),
    st.integers(2, 4),
    st.lists(st.tuples(st.integers(-1, 14), st.integers(0, 14)), min_size=4, max_size=4),
)
def test_whatever_happened(
    txs: list[dict[str, Any]], every: int, spans: list[tuple[int, int]]
) -> None:
    with Ledger.open(":memory:", clock=Clock()) as ledger, pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "SHORT", 2)
        patch.setattr(state, "EVERY", every)
        for tx in txs:
            ledger.submit(tx)
        born = ledger.created_ms
        with workspace_of(ledger) as workspace:
            asset_id = txs[0]["id"]
            check_blame(workspace, asset_id, None)
            for low, length in spans:
                since, until = born + low * 1000, born + (low + length + 1) * 1000
                check_blame(workspace, asset_id, since)
                for by in moments.BY:
                    check_diff(workspace, asset_id, None, None, by)
                    check_diff(workspace, asset_id, since, None, by)
                    check_diff(workspace, asset_id, None, until, by)
                    check_diff(workspace, asset_id, since, until, by)


def long_life(ledger: Ledger, rng: random.Random, length: int) -> str:
    """Write a long history, in which something is late, nested, corrected; return its id."""
    first = transaction.sign(
        transaction.create([ALICE.public_key], [Output(DETAILS[0], 1)], {"a": 1}, {"m": 0}), [ALICE]
    )
    ledger.submit(first)
    made = [first["id"]]
    while len(made) < length:
        metadatas = []
        for number in range(rng.randint(1, 400)):
            at = times.to_text(BORN_MS + rng.choice([1, 50, 500]) * rng.randint(0, 60_000))
            envelope = {"v": 1, "kind": "append", "at": at}
            if rng.random() < 0.001:
                envelope["corrects"] = rng.choice(made)
            value = rng.choice([number, {"x": number % 3, "y": {"z": rng.randint(0, 2)}}])
            metadatas.append({rng.choice("mnopq"): value, "twin": envelope})
        made += ledger.append_many(ALICE, first["id"], metadatas)
    return str(first["id"])


def check_random_times(count: int, length: int) -> None:
    rng = random.Random(20261126)
    with Ledger.open(":memory:", clock=Clock()) as ledger, workspace_of(ledger) as workspace:
        asset_id = long_life(ledger, rng, length)
        ledger.stretches(asset_id)
        last = ledger.last(asset_id)
        assert last is not None
        assert last.time_ms is not None
        for _ in range(count):
            one, other = sorted(
                rng.randint(ledger.created_ms - 1000, last.time_ms + 1000) for _ in range(2)
            )
            check_diff(workspace, asset_id, one, other + 1, rng.choice(moments.BY))
            check_blame(workspace, asset_id, one)


@pytest.mark.no_cover
def test_a_long_history_at_random_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "EVERY", 100)
    check_random_times(10, 600)


@pytest.mark.ci
def test_a_history_with_kept_states_at_random_times() -> None:
    check_random_times(4, 4500)


@pytest.mark.nightly
def test_a_long_history_at_a_thousand_random_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "EVERY", 100)
    check_random_times(1000, 600)


# --- Words ---------------------------------------------------------------------------------------


def test_what_cannot_be_asked() -> None:
    with Ledger.open(":memory:", clock=Clock()) as ledger, workspace_of(ledger) as workspace:
        asset_id = long_life(ledger, random.Random(1), 3)
        for service in (blame, diff):
            with pytest.raises(UsageError, match="whole number from 1"):
                service(workspace, asset_id, limit=0)
            with pytest.raises(UsageError, match="--by takes"):
                service(workspace, asset_id, by="guess")
            with pytest.raises(UsageError, match="is not after"):
                service(workspace, asset_id, since="2024-01-20", until="2024-01-20")
            with pytest.raises(NotFoundError):
                service(workspace, asset_id, as_of="1999-01-01")


def test_what_is_as_deep_as_the_ledger_takes() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = {"d": deep}
    other: Any = 2
    for _ in range(400):
        other = {"d": other}
    assert len(list(leaves.leaves({"m": deep}))) == 1
    [(path, _, _)] = leaves.changes({"m": deep}, {"m": other})
    assert path.count(".") == leaves.MAX_DEPTH - 1
    assert not list(leaves.changes({"m": deep}, {"m": deep}))
