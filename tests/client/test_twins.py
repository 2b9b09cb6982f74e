"""What a node of ours says beyond BigchainDB's API: what is checked of it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.client.conftest import Connect
from tests.client.fakenode import (
    ASSETS,
    BLOCKS,
    FIND,
    HISTORIES,
    TEMPLATES,
    FakeNode,
    serving,
)
from tests.ledger.chains import chain, create, spend
from twincli.client import BLOCK_TIME, LISTING, network
from twincli.errors import NotVerifiedError, TwinError, UsageError
from twincli.ledger import Ledger
from twincli.model import expression, record
from twincli.node import finding
from twincli.rules.validity import SERVER

OURS = "ab" * 32


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        self.now += 1000
        return self.now


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "PATIENCE", (0.0,))
    monkeypatch.setattr(network, "FRESH_SECONDS", 0.0)


@pytest.fixture
def ours() -> Iterator[FakeNode]:
    """A node of ours whose blocks are a second apart."""
    with (
        Ledger.open(":memory:", profile=SERVER, clock=Clock()) as ledger,
        serving(ledger, states=OURS) as made,
    ):
        yield made


def lying(action: Callable[[], object]) -> str:
    with pytest.raises(NotVerifiedError) as caught:
        action()
    assert caught.value.hint
    return caught.value.code


def stating(number: int, **stated: str) -> dict[str, Any]:
    envelope = record.envelope(record.ASSET, nonce=f"{number:032x}", **stated)
    return create(data={record.KEY: envelope, "number": number})


def test_what_a_node_offers_is_what_it_can_do(ours: FakeNode, connect: Connect) -> None:
    assert connect(ours).capabilities == {BLOCK_TIME, LISTING}
    ours.offers = ["listing", "proofs", 7, "teleport"]  # type: ignore[list-item]
    assert connect(ours).capabilities == {LISTING}
    ours.offers = "block_time"  # type: ignore[assignment]
    assert connect(ours).capabilities == frozenset()
    ours.states = None
    ours.offers = ["listing"]
    assert connect(ours).capabilities == frozenset()


def test_times_are_those_of_the_node(ours: FakeNode, connect: Connect) -> None:
    txs = chain(5)
    for tx in txs:
        ours.ledger.submit(tx)
    client = connect(ours)
    there = {tx["id"]: ours.ledger.entry(tx["id"]) for tx in txs}
    for entry in client.entries(txs[0]["id"]):
        real = there[entry.tx["id"]]
        assert real is not None
        assert (entry.height, entry.time_ms) == (real.height, real.time_ms)
    for tx in txs:
        real = there[tx["id"]]
        assert real is not None
        then = client.replay(txs[0]["id"], real.time_ms)
        truth = ours.ledger.replay(txs[0]["id"], real.time_ms)
        assert then is not None
        assert truth is not None
        assert then.common == truth.common
        assert then.last == tx
    first = there[txs[0]["id"]]
    assert first is not None
    assert first.time_ms is not None
    before = client.replay(txs[0]["id"], first.time_ms - 1)
    truth = ours.ledger.replay(txs[0]["id"], first.time_ms - 1)
    assert before is not None
    assert truth is not None
    assert (before.create, before.common) == (truth.create, truth.common)
    (stretch,) = client.stretches(txs[0]["id"])
    assert (stretch.begun_ms, stretch.ended_ms) == (0, None)


def test_the_parts_of_a_long_history_have_the_times_of_the_node(
    ours: FakeNode, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli.ledger import state

    monkeypatch.setattr(state, "SHORT", 4)
    monkeypatch.setattr(state, "EVERY", 5)
    monkeypatch.setattr(state, "SNAPSHOT_CHARACTERS", 100_000)
    txs = chain(23)
    for tx in txs:
        ours.ledger.submit(tx)
    theirs = ours.ledger.stretches(txs[0]["id"])
    assert len(theirs) > 2
    client = connect(ours)
    found = client.stretches(txs[0]["id"])
    assert [(part.last, part.ended_ms) for part in found] == [
        (part.last, part.ended_ms) for part in theirs
    ]
    assert [part.begun_ms for part in found] == [part.begun_ms for part in theirs]


def earlier(answer: Any) -> Any:
    status, places = answer
    return status, [dict(place, time=place["time"] - 3600_000) for place in places]


def test_a_node_does_not_change_its_mind_about_a_time(ours: FakeNode, connect: Connect) -> None:
    first, second = create(1), create(2)
    ours.ledger.submit_many([first, second])  # one block
    client = connect(ours)
    entry = client.entry(first["id"])
    ours.answers[BLOCKS] = earlier
    assert client.entry(first["id"]) == entry, "it is not asked again"
    assert lying(lambda: client.entry(second["id"])) == "wrong_block"
    del ours.answers[BLOCKS]
    assert client.entry(second["id"]) is not None, "nothing false was kept"


@pytest.mark.parametrize("late", [False, True])
def test_time_does_not_run_backwards(late: bool, ours: FakeNode, connect: Connect) -> None:
    first, second = create(1), create(2)
    ours.ledger.submit(first)
    ours.ledger.submit(second)
    client = connect(ours)
    known, asked = (second, first) if late else (first, second)
    client.entry(known["id"])
    shift = 3600_000 if late else -3600_000
    ours.answers[BLOCKS] = lambda answer: (
        200,
        [dict(place, time=place["time"] + shift) for place in answer[1]],
    )
    assert lying(lambda: client.entry(asked["id"])) == "wrong_block"


def test_a_history_has_its_blocks_in_order(ours: FakeNode, connect: Connect) -> None:
    txs = chain(3)
    for tx in txs:
        ours.ledger.submit(tx)

    def swapped(answer: Any) -> Any:
        status, places = answer
        return status, places[::-1]

    ours.answers[BLOCKS] = swapped
    assert lying(lambda: list(connect(ours).entries(txs[0]["id"]))) == "wrong_block"


def test_times_among_many_histories_are_checked(ours: FakeNode, connect: Connect) -> None:
    made = [create(number) for number in range(4)]
    for tx in made:
        ours.ledger.submit(tx)

    def change(answer: Any) -> Any:
        status, items = answer
        items[2]["transactions"][0]["time"] -= 3600_000
        return status, items

    client = connect(ours)
    ours.answers[HISTORIES] = change
    client.prepare([tx["id"] for tx in made])
    del ours.answers[HISTORIES]
    times = []
    for tx in made:
        entry, real = client.entry(tx["id"]), ours.ledger.entry(tx["id"])
        assert entry is not None
        assert real is not None
        times.append((entry.time_ms, real.time_ms))
    assert all(mine == theirs for mine, theirs in times)


@pytest.mark.parametrize(
    "answer",
    [[], {}, "x", [7], [{}], [{"height": 1}], [{"height": 1, "time": "now"}], [None, None]],
)
def test_an_odd_answer_about_blocks(answer: Any, ours: FakeNode, connect: Connect) -> None:
    tx = create()
    ours.ledger.submit(tx)
    ours.answers[BLOCKS] = lambda _: (200, answer)
    with pytest.raises(TwinError) as caught:
        connect(ours).entry(tx["id"])
    assert caught.value.code == "node_error"


# --- Listings ----------------------------------------------------------------------------------


def test_assets_are_listed_in_pages(
    ours: FakeNode, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli.node import twins

    made = [stating(number, parent="cd" * 32) for number in range(7)]
    ours.ledger.submit_many(made)
    real = twins.listed

    def short(ledger: Ledger, stated: Any, after: str | None = None) -> Iterator[str]:
        return real(ledger, stated, after, 3)

    monkeypatch.setattr(twins, "listed", short)
    ids = [tx["id"] for tx in made]
    assert list(connect(ours).asset_ids()) == ids
    assert sum(ASSETS in asked for asked in ours.asked) == 4
    assert connect(ours).assets_with("parent", "cd" * 32) == ids
    assert connect(ours).assets_with("parent", "ce" * 32) == []


def test_a_listing_names_assets_that_are_there(ours: FakeNode, connect: Connect) -> None:
    first = stating(1, parent="cd" * 32)
    second = spend((first, 0))
    ours.ledger.submit_many([first, second])
    other = stating(2)
    ours.ledger.submit(other)
    for named, code in (
        (["ef" * 32], "history_omitted"),
        (["x"], "history_omitted"),
        ([second["id"]], "wrong_listing"),
    ):
        ours.answers[ASSETS] = lambda _, named=named: (200, named)  # type: ignore[misc]
        assert lying(lambda: list(connect(ours).asset_ids())) == code
    # Every page the same: it would never end.
    ours.answers[ASSETS] = lambda _: (200, [first["id"]])
    assert lying(lambda: list(connect(ours).asset_ids())) == "wrong_listing"
    ours.answers[ASSETS] = lambda _: (200, [other["id"]])
    assert lying(lambda: connect(ours).assets_with("parent", "cd" * 32)) == "wrong_listing"
    ours.answers[ASSETS] = lambda _: (200, [7])
    with pytest.raises(TwinError) as caught:
        connect(ours).assets_with("parent", "cd" * 32)
    assert caught.value.code == "node_error"


def test_what_is_known_here_cannot_be_hidden(ours: FakeNode, connect: Connect) -> None:
    first = stating(1, parent="cd" * 32)
    ours.ledger.submit(first)
    client = connect(ours)
    assert client.assets_with("parent", "cd" * 32) == [first["id"]]
    ours.answers[ASSETS] = lambda _: (200, [])
    assert client.assets_with("parent", "cd" * 32) == [first["id"]]


def test_a_plain_network_lists_nothing(node: FakeNode, connect: Connect) -> None:
    with pytest.raises(UsageError) as caught:
        connect(node).asset_ids()
    assert caught.value.code == "not_supported"
    assert not any(ASSETS in asked for asked in node.asked)


# --- Finding -----------------------------------------------------------------------------------


def numbered(count: int) -> list[dict[str, Any]]:
    return [create(data={"number": number, "twin": PIN}) for number in range(count)]


PIN = {"v": 1, "kind": "asset", "template": "pump-v1", "template_cid": "bafy1"}


def found(client: network.NetworkClient, text: str, **options: Any) -> list[str]:
    return list(client.find(expression.parse(text), **options))


def absent(_: Any) -> Any:
    return 404, "<!DOCTYPE HTML><title>404 Not Found</title>"


@pytest.mark.parametrize("page", [500, 2, 1])
def test_only_what_is_found_is_fetched(
    page: int, ours: FakeNode, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "PAGE", page)
    made = numbered(7)
    ours.ledger.submit_many(made)
    changed = spend((made[6], 0), metadata={"number": 3})
    ours.ledger.submit(changed)
    client = connect(ours)
    expected = [made[number]["id"] for number in (3, 5, 6)]
    assert found(client, "number in (3, 5)") == expected
    assert found(client, "number in (3, 5)", template_cid="bafy1") == expected
    assert found(client, "number = 3", template_cid="") == []
    assert sorted(client.copy.asset_ids()) == sorted(expected)
    assert client.pinned() == [("pump-v1", "bafy1")]
    assert not any(ASSETS in asked for asked in ours.asked)


def test_a_node_cannot_add_to_what_is_found(ours: FakeNode, connect: Connect) -> None:
    made = numbered(4)
    moved = spend((made[0], 0))
    ours.ledger.submit_many([*made, moved])
    ours.answers[FIND] = lambda _: (
        200,
        {"assets": [tx["id"] for tx in made], "after": None},
    )
    assert found(connect(ours), "number = 2") == [made[2]["id"]]
    assert found(connect(ours), "number = 2", template_cid="bafy2") == []
    for listed, behind, code in (
        (["ef" * 32], None, "history_omitted"),
        (["x"], None, "history_omitted"),
        ([moved["id"]], None, "wrong_listing"),
        ([made[1]["id"]] * 2, None, "wrong_listing"),
        ([], made[1]["id"], "wrong_listing"),
    ):
        answer = 200, {"assets": listed, "after": behind}
        ours.answers[FIND] = lambda _, answer=answer: answer  # type: ignore[misc]
        assert lying(lambda: found(connect(ours), "number = 2")) == code


def test_a_node_cannot_hide_what_this_machine_has_seen(ours: FakeNode, connect: Connect) -> None:
    made = numbered(4)
    ours.ledger.submit_many(made)
    client = connect(ours)
    assert len(found(client, "number < 3")) == 3
    ours.ledger.submit(spend((made[2], 0), metadata={"number": 9}))
    ours.answers[FIND] = lambda _: (200, {"assets": [made[1]["id"]], "after": None})
    ours.answers[TEMPLATES] = lambda _: (200, [])
    assert found(client, "number < 3") == [made[1]["id"], made[0]["id"]]
    assert client.pinned() == [("pump-v1", "bafy1")]


def test_a_node_cannot_invent_templates_in_use(ours: FakeNode, connect: Connect) -> None:
    (one,) = numbered(1)
    ours.ledger.submit(one)
    ours.answers[TEMPLATES] = lambda _: (200, [["other-v1", "bafy2", one["id"]]])
    assert connect(ours).pinned() == [("pump-v1", "bafy1")]
    ours.answers[TEMPLATES] = lambda _: (200, [["other-v1", "bafy2", "ef" * 32]])
    assert lying(lambda: connect(ours).pinned()) == "history_omitted"


def test_where_a_node_cannot_find_everything_is_brought(ours: FakeNode, connect: Connect) -> None:
    made = numbered(3)
    ours.ledger.submit_many(made)
    long = f"number = 1 or name in ({', '.join(['x'] * 1200)})"
    for text in ("number = 1", "number = 1 or " + " or ".join(["a = 1"] * 100), long):
        asked = len(ours.asked)
        assert found(connect(ours), text) == [made[1]["id"]]
        assert any(ASSETS in question for question in ours.asked[asked:]) == (len(text) > 20)
    for path in (FIND, TEMPLATES):
        ours.answers[path] = absent
    client = connect(ours)
    assert found(client, "number = 1") == [made[1]["id"]]
    assert client.pinned() == [("pump-v1", "bafy1")]
    assert sum(FIND in question for question in ours.asked) == 3


def test_a_listing_that_breaks_off(ours: FakeNode, connect: Connect) -> None:
    (one,) = numbered(1)
    ours.ledger.submit(one)
    told = iter([(200, {"assets": [one["id"]], "after": one["id"]}), absent(None)])
    ours.answers[FIND] = lambda _: next(told)
    assert lying(lambda: found(connect(ours), "number = 0")) == "wrong_listing"


@pytest.mark.parametrize(
    "answer", [[], 7, {}, {"assets": [7], "after": None}, {"assets": [], "after": 7}]
)
def test_an_odd_answer_about_what_is_found(answer: Any, ours: FakeNode, connect: Connect) -> None:
    ours.answers[FIND] = lambda _: (200, answer)
    with pytest.raises(TwinError) as caught:
        found(connect(ours), "number = 1")
    assert caught.value.code == "node_error"


@pytest.mark.parametrize("answer", [{}, [7], [["a", "b"]], [["a", "b", 7]]])
def test_an_odd_answer_about_templates(answer: Any, ours: FakeNode, connect: Connect) -> None:
    ours.answers[TEMPLATES] = lambda _: (200, answer)
    with pytest.raises(TwinError) as caught:
        connect(ours).pinned()
    assert caught.value.code == "node_error"


def test_a_plain_network_finds_nothing(node: FakeNode, connect: Connect) -> None:
    for action in (lambda: found(connect(node), "a = 1"), lambda: connect(node).pinned()):
        with pytest.raises(UsageError) as caught:
            action()
        assert caught.value.code == "not_supported"
    assert not any("/twin/" in asked for asked in node.asked)
