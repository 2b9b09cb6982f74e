"""What every ``LedgerClient`` does: the embedded ledger, a BigchainDB network, a node of ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import Connect
from tests.client.fakenode import FakeNode
from tests.ledger.chains import ALICE, BOB, CAROL, create, owned, spend
from twincli.client import BLOCK_TIME, LISTING, PROOFS, LedgerClient, lacking
from twincli.client.embedded import EmbeddedClient
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConflictError, InvalidError, NotFoundError, UsageError
from twincli.ledger.said import Asked
from twincli.model import links
from twincli.rules import validity

Tx = dict[str, Any]


@pytest.fixture(params=["embedded", "network", "node"])
def client(
    request: pytest.FixtureRequest, tmp_path: Path, connect: Connect
) -> Iterator[LedgerClient]:
    if request.param == "embedded":
        made: LedgerClient = EmbeddedClient.open(str(tmp_path / "ledger"), create=True)
    elif request.param == "network":
        fake: FakeNode = request.getfixturevalue("node")
        made = connect(fake)
    else:
        made = connect(request.getfixturevalue("real_node"))
    yield made
    made.close()


@pytest.fixture
def fresh() -> Callable[..., Tx]:
    """Return what makes CREATEs that are on no ledger yet: one node serves many tests."""

    def make(**options: Any) -> Tx:
        facts = {"number": os.urandom(8).hex(), **options.pop("data", {})}
        return create(data=facts, **options)

    return make


def refused(outcome: Any) -> str:
    assert isinstance(outcome, InvalidError)
    return outcome.code


def test_the_ledger_has_an_id(client: LedgerClient) -> None:
    assert len(bytes.fromhex(client.ledger_id)) == 32
    assert client.ledger_id == client.ledger_id
    assert client.profile in validity.PROFILES


def test_what_was_committed_is_told(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    first = fresh()
    height = client.submit(first)
    assert height is not None
    second = spend((first, 0), metadata={"n": 1})
    after = client.submit(second)
    assert after is not None
    assert after > height
    entry = client.entry(first["id"])
    assert entry is not None
    assert (entry.tx, entry.height, entry.spent_by) == (first, height, {0: second["id"]})
    assert (entry.time_ms is None) == (BLOCK_TIME not in client.capabilities)
    told = list(client.entries(first["id"]))
    assert [(item.tx["id"], item.height) for item in told] == [
        (first["id"], height),
        (second["id"], after),
    ]
    assert [item.tx for item in client.entries(first["id"], first["id"])] == [second]
    assert list(client.transactions(first["id"])) == [first, second]
    assert list(client.transactions(first["id"], first["id"])) == [second]
    last = client.last(first["id"])
    assert last is not None
    assert last.tx == second
    replay = client.replay(first["id"])
    assert replay is not None
    assert replay.common == {"n": 1}
    assert [item[:2] for item in client.unspent(first["id"])] == [(second["id"], 0)]
    assert client.corrections(first["id"]) == []


def event(at: str, label: Any, **more: Any) -> dict[str, Any]:
    said = {"at": f"{at}T00:00:00Z", "body": {"type": label}}
    return {"twin": {"v": 1, "kind": "event", **said, **more}}


def test_what_was_said_in_the_order_in_which_it_happened(
    client: LedgerClient, fresh: Callable[..., Tx]
) -> None:
    first = fresh()
    client.submit(first)
    tips = [first]
    for metadata in (
        event("2024-03-01", "c"),
        event("2024-01-01", "a"),
        {"n": 1},
        event("2024-02-01", ["not", "text"]),
    ):
        tips.append(spend((tips[-1], 0), metadata=metadata))
        client.submit(tips[-1])
    about = {"kind": "statement", "about": first["id"], "says": "event"}
    stated = fresh(signer=BOB, data=event("2024-01-15", "a", **about))
    client.submit(stated)
    c, a, odd, b = tips[1]["id"], tips[2]["id"], tips[4]["id"], stated["id"]

    def found(**asked: Any) -> list[str]:
        return [entry.tx["id"] for entry in client.said(first["id"], Asked("event", **asked))]

    assert found() == [a, b, odd, c]
    assert found(reverse=True) == [c, odd, b, a]
    assert found(label="a") == [a, b]
    assert found(label="") == [odd]
    assert found(since_ms=JANUARY_15, until_ms=JANUARY_15 + 1) == [b]
    assert found(since_ms=JANUARY_15, label="a") == [b]
    assert found(by_block=True) == [c, a, odd, b]
    assert found(by_block=True, reverse=True) == [b, odd, a, c]
    if BLOCK_TIME in client.capabilities:
        assert found(by_block=True, since_ms=JANUARY_15 + 10**10) == [c, a, odd, b]
        assert found(by_block=True, until_ms=JANUARY_15) == []
    assert [*client.said(first["id"], Asked("stage"))] == []
    assert [*client.said(stated["id"], Asked("event"))] == []


JANUARY_15 = 1_705_276_800_000


@pytest.mark.parametrize("text", ["0" * 64, "x" * 64, "", "car", "\ud800"])
def test_what_is_not_there(client: LedgerClient, text: str) -> None:
    assert client.entry(text) is None
    assert list(client.entries(text)) == []
    assert list(client.transactions(text)) == []
    assert client.last(text) is None
    assert client.replay(text) is None
    assert client.unspent(text) == []
    assert client.corrections(text) == []
    assert list(client.said(text, Asked("event"))) == []
    assert client.once(text, "token") == []
    if set(text) <= set("0123456789abcdef") and text:
        assert client.find_prefix(text) == []


def test_refusals_have_the_same_codes(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    first = fresh()
    client.submit(first)
    client.submit(spend((first, 0), metadata={"n": 1}))
    altered = {**fresh(), "metadata": {"altered": True}}
    stranger = spend((fresh(), 0))
    for tx, code in (
        (first, "duplicate_transaction"),
        (spend((first, 0), metadata={"n": 2}), "double_spend"),
        (altered, "invalid_hash"),
        ({**fresh(), "version": "1.0"}, "invalid_hash"),
        (stranger, "input_does_not_exist"),
    ):
        with pytest.raises(InvalidError) as caught:
            client.submit(tx)
        assert caught.value.code == code
        assert caught.value.message
    assert client.entry(altered["id"]) is None


def test_many_at_once(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    first, other = fresh(), fresh()
    second = spend((first, 0))
    assert client.submit_many([first, second]) is not None
    assert list(client.transactions(first["id"])) == [first, second]
    third = spend((second, 0), metadata={"n": 3})
    outcomes = client.submit_each([other, second, third, spend((second, 0), metadata={"n": 4})])
    assert not isinstance(outcomes[0], InvalidError)
    assert refused(outcomes[1]) == "double_spend"
    assert not isinstance(outcomes[2], InvalidError)
    assert refused(outcomes[3]) == "double_spend"
    assert list(client.transactions(first["id"])) == [first, second, third]
    assert client.entry(other["id"]) is not None


def test_judging_writes_nothing(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    first, other = fresh(), fresh()
    client.submit(first)
    outcomes = client.judge_each([first, spend((first, 0)), other, {}])
    assert refused(outcomes[0]) == "duplicate_transaction"
    assert not isinstance(outcomes[1], InvalidError)
    assert not isinstance(outcomes[2], InvalidError)
    assert isinstance(outcomes[3], InvalidError)
    assert client.entry(other["id"]) is None
    assert len(list(client.transactions(first["id"]))) == 1


def test_a_split_asset(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    first = fresh(outputs=[owned(ALICE, amount=5)])
    parts = spend((first, 0), outputs=[owned(ALICE, amount=2), owned(BOB, amount=3)])
    ours = spend((parts, 0), metadata={"who": "alice"})
    theirs = spend((parts, 1), signers=[BOB], metadata={"who": "bob"})
    for tx in (first, parts, theirs):
        client.submit(tx)
    assert [item[:2] for item in client.unspent(first["id"])] == [
        (parts["id"], 0),
        (theirs["id"], 0),
    ]
    client.submit(ours)
    assert len(client.unspent(first["id"])) == 2
    replay = client.replay(first["id"])
    assert replay is not None
    assert replay.outputs == {(ours["id"], 0): {"who": "alice"}, (theirs["id"], 0): {"who": "bob"}}


def test_outputs_of_a_key(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    key = KeyPair.from_seed(os.urandom(32))
    assert client.outputs(key.public_key) == []
    assert not client.knows(key.public_key)
    first = fresh(signer=key)
    client.submit(first)
    second = spend((first, 0), signers=[key], outputs=[owned(CAROL)])
    here = {"transaction_id": first["id"], "output_index": 0}
    assert client.outputs(key.public_key) == [here]
    assert client.outputs(key.public_key, spent=False) == [here]
    assert client.outputs(key.public_key, spent=True) == []
    client.submit(second)
    assert client.outputs(key.public_key) == [here]
    assert client.outputs(key.public_key, spent=False) == []
    assert client.outputs(key.public_key, spent=True) == [here]
    assert client.knows(key.public_key)


def test_appending_many(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    first = fresh()
    client.submit(first)
    made = client.append_many(ALICE, first["id"], [{"n": 1}, None, {"n": 3}])
    assert [tx["id"] for tx in client.transactions(first["id"])] == [first["id"], *made]
    replay = client.replay(first["id"])
    assert replay is not None
    assert replay.common == {"n": 3}
    with pytest.raises(NotFoundError):
        client.append_many(ALICE, "0" * 64, [{"n": 1}])
    with pytest.raises(InvalidError) as caught:
        client.append_many(ALICE, first["id"], [{"n": 4}, {"a.b": 5}])
    assert caught.value.code == "validation_error"
    split = fresh(outputs=[owned(ALICE), owned(BOB)])
    client.submit(split)
    with pytest.raises(ConflictError) as conflict:
        client.append_many(ALICE, split["id"], [{"n": 1}])
    assert conflict.value.code == "several_outputs"


def test_once_tokens(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    first = fresh()
    second = spend((first, 0), metadata={"twin": {"v": 1, "kind": "append", "once": "t"}})
    client.submit_many([first, second])
    assert client.once(first["id"], "t") == [(frozenset({ALICE.public_key}), second["id"])]
    assert client.once(first["id"], "u") == []


def test_corrections(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    first = fresh()
    second = spend((first, 0), metadata={"n": 1})
    envelope = {"v": 1, "kind": "append", "corrects": second["id"]}
    third = spend((second, 0), metadata={"m": 2, "twin": envelope})
    client.submit_many([first, second, third])
    assert client.corrections(first["id"]) == [third]
    replay = client.replay(first["id"])
    assert replay is not None
    assert replay.common == {"m": 2}


def test_prefixes(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    first = fresh()
    client.submit(first)
    assert client.find_prefix(first["id"]) == [first["id"]]
    assert client.find_prefix(first["id"][:20]) == [first["id"]]


def test_searching(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    word = f"word{os.urandom(6).hex()}"
    first = fresh(data={"name": f"the {word} of it"})
    second = spend((first, 0), metadata={"seen": word})
    client.submit_many([first, second])
    assert client.search_assets(word) == [{"data": first["asset"]["data"], "id": first["id"]}]
    assert client.search_metadata(word) == [{"metadata": {"seen": word}, "id": second["id"]}]
    assert list(client.search(word)) == [("asset", first), ("metadata", second)]
    assert list(client.search(word, 1)) == [("asset", first)]
    assert client.search_assets(f"no{word}") == []


def test_parts_and_entities(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    whole = fresh()
    envelope = {"v": 1, "kind": "asset", "parent": whole["id"], "entity": BOB.public_key}
    part = fresh(data={"twin": envelope})
    client.submit_many([whole, part])
    assert client.assets_with("parent", whole["id"]) == [part["id"]]
    assert part["id"] in client.assets_with("entity", BOB.public_key)
    assert part["id"] in client.assets_with("kind", "asset")
    assert client.assets_with("parent", part["id"]) == []


def test_the_view_of_a_transaction(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    first = fresh()
    second, third = spend((first, 0), metadata={"n": 1}), spend((first, 0), metadata={"n": 2})
    client.submit(first)
    checked = validity.check_structure(second)
    assert not validity.judge(checked, client.view(checked.id))
    client.submit(second)
    assert not validity.judge(checked, client.view(checked.id))  # as it met the ledger
    with pytest.raises(InvalidError) as caught:
        validity.judge(validity.check_structure(third), client.view(third["id"]))
    assert caught.value.code == "double_spend"
    stranger = validity.check_structure(spend((fresh(), 0)))
    with pytest.raises(InvalidError) as caught:
        validity.judge(stranger, client.view(stranger.id))
    assert caught.value.code == "input_does_not_exist"


def test_what_not_every_ledger_can_do(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    first = fresh()
    client.submit(first)
    if LISTING in client.capabilities:
        assert list(client.asset_ids())[-1] == first["id"]  # the node serves other tests, too
    else:
        with pytest.raises(UsageError) as caught:
            client.asset_ids()
        assert caught.value.code == "not_supported"
        assert caught.value.hint
    entry = client.entry(first["id"])
    assert entry is not None
    if BLOCK_TIME in client.capabilities:
        replay = client.replay(first["id"], entry.time_ms)
        assert replay is not None
        assert replay.create == first
        assert entry.time_ms is not None
        before = client.replay(first["id"], entry.time_ms - 1)
        assert before is None or before.create is None
    else:
        with pytest.raises(UsageError) as caught:
            client.replay(first["id"], 1)
        assert caught.value.code == "not_supported"
    assert lacking(PROOFS).hint


def test_states_of_many(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    one, two = fresh(metadata={"n": 1}), fresh(metadata={"n": 2})
    client.submit(one)
    client.submit(two)
    last = spend((one, 0), metadata={"n": 3})
    client.submit(last)
    found = {
        asset_id: (replay.common, made)
        for asset_id, replay, made in client.replays([one["id"], "f" * 64, two["id"]])
    }
    assert {asset_id: state for asset_id, (state, _) in found.items()} == {
        one["id"]: {"n": 3},
        two["id"]: {"n": 2},
    }
    for asset_id, (_, made) in found.items():
        assert made == client.required(asset_id).time_ms


def test_notes_hold_until_something_is_said(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    twin = fresh()
    client.submit(twin)
    until, known = client.notes("test 1")
    assert known == {}
    client.keep_notes("test 1", until, {twin["id"]: "{}"})
    kept = {twin["id"]: "{}"} if isinstance(client, EmbeddedClient) else {}
    assert client.notes("test 1")[1] == kept
    client.submit(spend((twin, 0)))
    assert client.notes("test 1")[1] == {}


def test_who_is_spoken_of(client: LedgerClient, fresh: Callable[..., Tx]) -> None:
    twin = fresh()
    client.submit(twin)
    body = {"twin": {"v": 1, "kind": "event", "body": {"type": "x"}}}
    client.submit(spend((twin, 0), metadata=body))
    found = client.spoken_of()
    assert found is None or twin["id"] in found


def test_what_links_assets_is_found_from_both_ends(
    client: LedgerClient, fresh: Callable[..., Tx]
) -> None:
    def said(tx: Tx, kind: str, body: Any) -> Tx:
        envelope = {"twin": {"v": 1, "kind": kind, "body": body}}
        made = spend((tx, 0), outputs=[owned(ALICE)], metadata=envelope)
        client.submit(made)
        return made

    car, old, box = fresh(), fresh(), fresh()
    for one in (car, old, box):
        client.submit(one)
    gps = fresh(data={"twin": {"v": 1, "kind": "asset", "parent": car["id"]}})
    client.submit(gps)
    replaces = said(car, "link", {"verb": "replaces", "to": old["id"]})
    confirmed = said(old, "link", {"verb": "replaces", "from": car["id"]})
    taken = said(replaces, "revoke", {"grant": old["id"], "verb": "replaces"})

    def ids(*assets: Tx, what: str = links.LINKS, **more: Any) -> set[str]:
        found = client.linking([one["id"] for one in assets], what, **more)
        assert all(held.height is not None for held in found)
        return {held.tx["id"] for held in found}

    assert ids(car) == {gps["id"], replaces["id"], confirmed["id"]}
    assert ids(old) == {replaces["id"], confirmed["id"]}
    assert ids(gps) == ids(gps, box) == {gps["id"]}
    assert ids(box) == ids() == set()
    assert ids(car, what=links.ABOVE) == {replaces["id"], confirmed["id"]}
    assert ids(gps, what=links.ABOVE) == {gps["id"]}
    assert ids(car, other=gps["id"]) == {gps["id"]}
    assert ids(car, old, what=links.REVOCATIONS) == {taken["id"]}
    seen = {held.seq for held in client.linking([car["id"]], links.LINKS, gps["id"])}
    assert ids(car, known=seen) == {replaces["id"], confirmed["id"]}
    held = client.held([car["id"], box["id"], "0" * 64], {})
    assert held.keys() == {car["id"], box["id"]}
    assert held[car["id"]].by == {taken["id"]}
    assert [details["public_key"] for details in held[box["id"]].details] == [ALICE.public_key]
