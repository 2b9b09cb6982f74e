"""Push and pull: between two ledgers, whole, resumed, diverged, rebased."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.chains import ALICE
from tests.ledger.chains import create as foreign
from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.client.embedded import EmbeddedClient
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import (
    ConflictError,
    InvalidError,
    LockedError,
    NotFoundError,
    NotVerifiedError,
    TwinError,
    UnreachableError,
    UsageError,
)
from twincli.ledger import Ledger
from twincli.model import transaction
from twincli.rules.validity import SERVER
from twincli.services.asset import document as documents
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import Writing
from twincli.services.network import compare
from twincli.services.network import pull as pulling
from twincli.services.network import push as pushing
from twincli.services.network.rebase import merge
from twincli.services.workspace import Workspace


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        made.key("alice")
        yield made


@pytest.fixture
def there() -> Iterator[EmbeddedClient]:
    """Return another ledger."""
    client = EmbeddedClient.open(":memory:", create=True)
    yield client
    client.close()


def at(rooms: Rooms, client: EmbeddedClient) -> Workspace:
    return rooms.workspace._replace(client=client)


def car(rooms: Rooms, *mileages: int, name: str = "car") -> str:
    made = writes.create(rooms.workspace, name, Definition({"wheels": 4}))
    for mileage in mileages:
        writes.append(rooms.workspace, name, {"mileage": mileage})
    return str(made["id"])


def push(rooms: Rooms, there: Any, *refs: str, rebase: bool = False, dry: bool = False) -> Any:
    workspace = rooms.workspace._replace(dry_run=dry)
    return pushing.push(workspace, there, refs, rebase=rebase)


def status(document: Any) -> list[tuple[str, int]]:
    return [(item["status"], item["transactions"]) for item in document["assets"]]


def ids(client: Any, asset_id: str) -> list[str]:
    return [tx["id"] for tx in client.transactions(asset_id)]


def rebases(tx: dict[str, Any]) -> str | None:
    """Return what a transaction says that it was rebased from."""
    found: str | None = ((tx["metadata"] or {}).get("twin") or {}).get("rebases")
    return found


def pull(rooms: Rooms, there: EmbeddedClient, *refs: str) -> Any:
    here = rooms.workspace.client
    wanted = pulling.assets_to_pull(at(rooms, there), here, refs)
    return pulling.pull(at(rooms, there), here, wanted)


# --- Push --------------------------------------------------------------------------------------


def test_transactions_go_unchanged(rooms: Rooms, there: EmbeddedClient) -> None:
    asset = car(rooms, 1, 2)
    document = push(rooms, there, "car")
    assert document["schema"] == "twin.push/1"
    assert document["ledger"] == rooms.ledger.id
    assert document["to"] == there.ledger_id
    assert document["transactions"] == 3
    assert status(document) == [("moved", 3)]
    assert list(there.transactions(asset)) == rooms.ledger.transactions(asset)
    assert documents.show(at(rooms, there), "car")["state"] == {"mileage": 2}, "the name goes along"


def test_a_second_time_there_is_nothing_to_do(rooms: Rooms, there: EmbeddedClient) -> None:
    asset = car(rooms, 1)
    push(rooms, there)
    assert status(push(rooms, there)) == [("up_to_date", 0)]
    writes.append(rooms.workspace, "car", {"mileage": 2})
    assert status(push(rooms, there)) == [("moved", 1)]
    writes.append(at(rooms, there), "car", {"mileage": 3})
    assert status(push(rooms, there)) == [("behind", 0)]
    assert len(ids(there, asset)) == 4


def test_all_assets_in_the_order_of_their_commits(rooms: Rooms, there: EmbeddedClient) -> None:
    whole = car(rooms)
    part = writes.create(rooms.workspace, "gps", Definition({}, parent="car"))["id"]
    document = push(rooms, there)
    assert [item["asset_id"] for item in document["assets"]] == [whole, part]
    assert document["warnings"] == []
    other = EmbeddedClient.open(":memory:", create=True)
    assert "part of" in push(rooms, other, "gps")["warnings"][0]
    assert push(rooms, other, "car", "gps", "car")["warnings"] == []
    other.close()


def test_a_dry_run_only_counts(rooms: Rooms, there: EmbeddedClient) -> None:
    asset = car(rooms, 1)
    assert status(push(rooms, there, dry=True)) == [("moved", 2)]
    assert there.entry(asset) is None
    assert rooms.workspace.book.list_assets(there.ledger_id) == []


def test_a_name_that_is_taken_there(rooms: Rooms, there: EmbeddedClient) -> None:
    asset = car(rooms)
    other = writes.create(at(rooms, there), "car", Definition({"other": 1}))["id"]
    document = push(rooms, there)
    assert len(document["warnings"]) == 1
    assert other in document["warnings"][0]
    assert there.entry(asset) is not None
    assert rooms.workspace.book.names_of(there.ledger_id, asset) == []


def test_split_and_joined_assets(rooms: Rooms, there: EmbeddedClient) -> None:
    rooms.key("bob")
    asset = writes.create(rooms.workspace, "clips", Definition({}, amount=10))["id"]
    writes.transfer(rooms.workspace, "clips", outs=["3:bob"])
    push(rooms, there)
    # Both ends go on, and the ledgers commit them in another order.
    writes.append(rooms.using("bob"), "clips", {"who": "bob"})
    writes.append(rooms.using("alice"), "clips", {"who": "alice"})
    ours = ids(rooms.workspace.client, asset)
    there.submit(rooms.ledger.transactions(asset)[3])
    assert status(push(rooms, there)) == [("moved", 1)]
    assert sorted(ids(there, asset)) == sorted(ours)
    assert ids(there, asset) != ours
    writes.append(at(rooms, there)._replace(keys=("bob",)), "clips", {"n": 1})
    writes.append(rooms.using("alice"), "clips", {"n": 2})
    assert status(push(rooms, there)) == [("moved", 1)]


def test_the_other_ledger_refuses(rooms: Rooms, there: EmbeddedClient) -> None:
    """What an old server took, strict rules do not; the rest goes."""
    asset = car(rooms, 1)
    lenient = Ledger.open(":memory:", profile=SERVER)
    bad = foreign()
    bad["outputs"][0]["amount"] = "01"
    bad["inputs"][0]["fulfillment"] = {
        "type": "ed25519-sha-256",
        "public_key": bad["inputs"][0]["owners_before"][0],
    }
    bad = transaction.sign(bad, [ALICE])
    lenient.submit_many([bad, *rooms.ledger.transactions(asset)])
    workspace = rooms.workspace._replace(client=EmbeddedClient(lenient))
    document = pushing.push(workspace, there, (), rebase=False)
    assert status(document) == [("failed", 0), ("moved", 2)]
    assert document["failed"] == 1
    (error,) = document["errors"]
    assert error["asset_id"] == bad["id"]
    assert error["code"] == "amount_leading_zero"
    assert "strict" in error["hint"]
    with pytest.raises(InvalidError) as caught:
        pushing.push(workspace, there, [bad["id"]], rebase=False)
    assert caught.value.code == "amount_leading_zero"
    lenient.close()


class Flaky(EmbeddedClient):
    """A ledger that stops answering after some transactions, in the middle of a batch."""

    def __init__(self, ledger: Ledger, left: int) -> None:
        super().__init__(ledger)
        self.left = left

    def submit_each(self, txs: Iterable[dict[str, Any]]) -> list[Any]:
        made: list[Any] = []
        for tx in txs:
            if self.left == 0:
                raise UnreachableError("gone")
            self.left -= 1
            made += self.ledger.submit_each([tx])
        return made


def test_interrupted_anywhere_it_loses_and_doubles_nothing(rooms: Rooms) -> None:
    for name in ("car", "box"):
        car(rooms, 1, 2, 3, name=name)
    total = 8
    chance = random.Random(7)
    for stops in ([n] for n in range(total)), ([chance.randrange(4)] * 9 for _ in range(5)):
        for points in stops:
            ledger = Ledger.open(":memory:")
            for left in points:
                try:
                    push(rooms, Flaky(ledger, left))
                except UnreachableError:
                    continue
            push(rooms, Flaky(ledger, -1))
            assert ledger.counts() == {"transactions": total, "assets": 2}
            for asset_id in ledger.asset_ids():
                assert ledger.transactions(asset_id) == rooms.ledger.transactions(asset_id)
            ledger.close()


class Forgetful(EmbeddedClient):
    """A ledger that says it took everything, and keeps nothing."""

    def submit_each(self, txs: Iterable[dict[str, Any]]) -> list[Any]:
        return [1 for _ in txs]


def test_what_is_taken_and_not_kept_is_found_out(rooms: Rooms) -> None:
    car(rooms)
    client = Forgetful(Ledger.open(":memory:"))
    with pytest.raises(ConflictError) as caught:
        push(rooms, client)
    assert caught.value.code == "not_committed"
    client.close()


# --- Diverged ----------------------------------------------------------------------------------


def diverge(rooms: Rooms, there: EmbeddedClient) -> str:
    asset = car(rooms, 1)
    push(rooms, there)
    writes.append(rooms.workspace, "car", {"mileage": 2, "a": {"x": 1}})
    writes.append(at(rooms, there), "car", {"fuel": 5, "a": {"y": 2}})
    return asset


def test_a_lie_about_one_asset_does_not_keep_the_others(
    rooms: Rooms, there: EmbeddedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = car(rooms, name="first"), car(rooms, name="second")
    unspent = there.unspent

    def lying(asset_id: str) -> Any:
        if asset_id == first:
            raise NotVerifiedError("a node lies", code="history_omitted")
        return unspent(asset_id)

    monkeypatch.setattr(there, "unspent", lying)
    document = push(rooms, there)
    assert status(document) == [("failed", 0), ("moved", 1)]
    assert [(it["asset_id"], it["code"]) for it in document["errors"]] == [
        (first, "history_omitted")
    ]
    assert ids(there, second) == [second]
    with pytest.raises(NotVerifiedError):
        push(rooms, there, "first")


def test_where_the_histories_part_is_said(rooms: Rooms, there: EmbeddedClient) -> None:
    asset = diverge(rooms, there)
    common, ours = ids(rooms.workspace.client, asset)[-2:]
    theirs = ids(there, asset)[-1]
    with pytest.raises(ConflictError) as caught:
        push(rooms, there)
    assert caught.value.code == "diverged"
    said = caught.value.message
    assert said == (
        f"car: the two ledgers diverged after transaction {common[:10]}: this one continues with"
        f" {ours[:10]}, the other one with {theirs[:10]}"
    )
    assert "twin push --rebase" in str(caught.value.hint)
    with pytest.raises(ConflictError) as caught:
        pulling.pull(at(rooms, there), rooms.workspace.client, [asset])
    # Whichever way it goes, "this one" is the ledger of this home.
    assert (caught.value.code, caught.value.message) == ("diverged", said)
    car(rooms, name="box")
    document = push(rooms, there)
    assert status(document) == [("diverged", 0), ("moved", 1)]
    assert document["errors"][0]["code"] == "diverged"
    assert document["errors"][0]["name"] == "car"


def test_a_rebase_records_again_what_is_not_there(rooms: Rooms, there: EmbeddedClient) -> None:
    asset = diverge(rooms, there)
    before = ids(there, asset)
    old = ids(rooms.workspace.client, asset)[-1]
    assert status(push(rooms, there, rebase=True, dry=True)) == [("rebased", 1)]
    assert ids(there, asset) == before
    assert status(push(rooms, there, rebase=True)) == [("rebased", 1)]
    assert ids(there, asset)[:-1] == before
    (*_, new) = there.transactions(asset)
    assert new["metadata"]["twin"]["rebases"] == old
    stated = rooms.ledger.get(old)
    assert stated is not None
    assert new["metadata"]["twin"]["at"] == stated["metadata"]["twin"]["at"]
    shown = documents.show(at(rooms, there), asset)
    assert shown["state"] == {"mileage": 2, "fuel": 5, "a": {"x": 1, "y": 2}}
    assert ids(rooms.workspace.client, asset)[-1] == old, "nothing is taken out of a ledger"
    # Again: nothing twice; and what comes later follows on.
    assert status(push(rooms, there, rebase=True)) == [("behind", 0)]
    assert status(push(rooms, there)) == [("behind", 0)]
    writes.append(rooms.workspace, "car", {"mileage": 3})
    assert status(push(rooms, there)) == [("rebased", 1)]
    assert documents.show(at(rooms, there), asset)["state"]["mileage"] == 3


def test_a_device_goes_on_after_a_rebase(rooms: Rooms, there: EmbeddedClient) -> None:
    asset = diverge(rooms, there)
    push(rooms, there, rebase=True)
    for n in (3, 4, 5):
        # What it pulls is in order, and leaves its own branch as it is.
        mine = ids(rooms.workspace.client, asset)
        assert status(pull(rooms, there)) == status(pull(rooms, there, "car")) == [("rebased", 0)]
        assert ids(rooms.workspace.client, asset) == mine
        writes.append(rooms.workspace, "car", {"mileage": n})
        writes.append(rooms.workspace, "car", {"n": n})
        assert status(pull(rooms, there)) == [("behind", 0)]
        assert status(push(rooms, there, dry=True)) == [("rebased", 2)]
        assert status(push(rooms, there)) == [("rebased", 2)]
        assert status(push(rooms, there)) == [("behind", 0)]
        assert [rebases(tx) for tx in there.transactions(asset)][-2:] == ids(
            rooms.workspace.client, asset
        )[-2:]
        state = documents.show(at(rooms, there), asset)["state"]
        assert (state["mileage"], state["n"], state["fuel"]) == (n, n, 5)


def test_a_second_conflict_is_told_again(rooms: Rooms, there: EmbeddedClient) -> None:
    asset = diverge(rooms, there)
    push(rooms, there, rebase=True)
    rebased = ids(there, asset)[-1]
    writes.append(at(rooms, there), "car", {"fuel": 6})
    theirs = ids(there, asset)[-1]
    # The other one has news, and this one nothing that is missing there.
    assert status(pull(rooms, there)) == [("rebased", 0)]
    assert status(push(rooms, there)) == [("behind", 0)]
    writes.append(rooms.workspace, "car", {"mileage": 9})
    with pytest.raises(ConflictError) as caught:
        push(rooms, there)
    assert caught.value.code == "diverged"
    for part in (rebased, ids(rooms.workspace.client, asset)[-1], theirs):
        assert part[:10] in caught.value.message
    with pytest.raises(ConflictError) as caught:
        pull(rooms, there)
    assert caught.value.code == "diverged"
    assert status(push(rooms, there, rebase=True)) == [("rebased", 1)]
    assert status(pull(rooms, there)) == [("rebased", 0)]
    state = documents.show(at(rooms, there), asset)["state"]
    assert (state["fuel"], state["mileage"]) == (6, 9)


def test_what_was_rebased_is_rebased_back_and_forth_once(
    rooms: Rooms, there: EmbeddedClient
) -> None:
    asset = diverge(rooms, there)
    push(rooms, there, rebase=True)
    back = at(rooms, there)
    here = rooms.workspace.client
    assert status(pushing.push(back, here, (), rebase=False)) == [("rebased", 0)]
    assert status(pushing.push(back, here, (), rebase=True)) == [("rebased", 1)]
    assert status(pushing.push(back, here, (), rebase=True)) == [("behind", 0)]
    assert status(push(rooms, there, rebase=True)) == [("behind", 0)]
    assert len(ids(there, asset)) == len(ids(here, asset)) == 4
    assert documents.show(back, asset)["state"] == documents.show(rooms.workspace, asset)["state"]
    # Each goes on, and the other takes it.
    writes.append(back, "car", {"last": 1})
    assert status(pull(rooms, there)) == [("rebased", 0)]
    assert status(pushing.push(back, here, (), rebase=False)) == [("rebased", 1)]
    writes.append(rooms.workspace, "car", {"last": 2})
    assert status(push(rooms, there)) == [("rebased", 1)]
    assert documents.show(back, asset)["state"]["last"] == 2
    assert len(ids(there, asset)) == len(ids(here, asset)) == 6


def test_what_is_there_under_its_token_needs_no_rebase(rooms: Rooms, there: EmbeddedClient) -> None:
    asset = car(rooms)
    push(rooms, there)
    once = Writing(once="token")
    writes.append(rooms.workspace, "car", {"n": 1}, writing=once)
    writes.append(at(rooms, there), "car", {"fuel": 1})
    writes.append(at(rooms, there), "car", {"n": 1}, writing=once)
    assert status(push(rooms, there)) == [("behind", 0)]
    assert status(pull(rooms, there)) == [("rebased", 0)]
    assert len(ids(there, asset)) == 3
    writes.append(rooms.workspace, "car", {"n": 2})
    assert status(push(rooms, there)) == [("rebased", 1)]
    writes.append(at(rooms, there), "car", {"fuel": 2})
    writes.append(rooms.workspace, "car", {"n": 3})
    with pytest.raises(ConflictError) as caught:
        push(rooms, there)
    assert caught.value.code == "diverged"


def test_news_after_what_is_there_under_its_token_is_a_conflict(
    rooms: Rooms, there: EmbeddedClient
) -> None:
    car(rooms)
    push(rooms, there)
    once = Writing(once="token")
    writes.append(rooms.workspace, "car", {"n": 1}, writing=once)
    writes.append(at(rooms, there), "car", {"n": 1}, writing=once)
    writes.append(at(rooms, there), "car", {"fuel": 1})
    writes.append(rooms.workspace, "car", {"n": 2})
    with pytest.raises(ConflictError) as caught:
        push(rooms, there)
    assert caught.value.code == "diverged"
    assert status(push(rooms, there, rebase=True)) == [("rebased", 1)]


def test_a_lie_about_what_is_rebased_keeps_nothing_from_being_pulled(
    rooms: Rooms, there: EmbeddedClient
) -> None:
    asset = car(rooms)
    push(rooms, there)
    (item,) = there.unspent(asset)
    details = item.output["condition"]["details"]
    said = {"twin": {"v": 1, "kind": "append", "rebases": asset}, "n": 1}
    spend = transaction.Spend(asset, 0, details, tuple(item.output["public_keys"]))
    tx = transaction.transfer([spend], [transaction.Output(details, 1)], asset, said)
    there.submit(transaction.sign(tx, [KeyPair.from_seed(b"alice".ljust(32, b"."))]))
    assert status(pull(rooms, there)) == [("moved", 1)]
    assert rooms.count(asset) == 2


def test_a_rebase_that_was_interrupted_goes_on(rooms: Rooms, there: EmbeddedClient) -> None:
    asset = diverge(rooms, there)
    writes.append(rooms.workspace, "car", {"mileage": 3})

    class Once(EmbeddedClient):
        left = 1

        def submit(self, tx: dict[str, Any], identity: Any = None) -> int | None:
            if not self.left:
                raise UnreachableError("gone")
            self.left -= 1
            return super().submit(tx, identity)

    with pytest.raises(UnreachableError):
        push(rooms, Once(there.ledger), rebase=True)
    assert status(push(rooms, there, rebase=True)) == [("rebased", 1)]
    told = [rebases(tx) for tx in there.transactions(asset)][-2:]
    assert told == ids(rooms.workspace.client, asset)[-2:]


def test_corrections_tokens_and_bare_appends_are_rebased(
    rooms: Rooms, there: EmbeddedClient
) -> None:
    asset = diverge(rooms, there)
    wrong = ids(rooms.workspace.client, asset)[-1]
    writes.append(rooms.workspace, "car", {"mileage": 7}, corrects=wrong)
    writes.append(rooms.workspace, "car", {"bare": 1}, writing=Writing(bare=True))
    once = Writing(once="token")
    writes.append(rooms.workspace, "car", {"once": 1}, writing=once)
    writes.append(at(rooms, there), "car", {"once": 1}, writing=once)
    push(rooms, there, rebase=True)
    told = list(there.transactions(asset))
    rebased = {rebases(tx): tx["id"] for tx in told}
    assert [tx for tx in told if (tx["metadata"] or {}).get("bare")] != []
    corrections = [tx["metadata"]["twin"].get("corrects") for tx in told[2:]]
    assert rebased[wrong] in corrections
    assert wrong not in corrections
    assert sum("once" in tx["metadata"] for tx in told[1:]) == 1
    shown = documents.show(at(rooms, there), asset)["state"]
    assert shown == {"fuel": 5, "a": {"y": 2}, "once": 1, "mileage": 7, "bare": 1}


def test_a_token_used_for_something_else_is_not_passed_over(
    rooms: Rooms, there: EmbeddedClient
) -> None:
    asset = car(rooms)
    push(rooms, there)
    writes.append(at(rooms, there), "car", {"mileage": 1}, writing=Writing(once="token"))
    writes.append(rooms.workspace, "car", {"mileage": 2}, writing=Writing(once="token"))
    with pytest.raises(ConflictError) as caught:
        push(rooms, there, "car", rebase=True)
    assert caught.value.code == "once_mismatch"
    assert len(ids(there, asset)) == 2


def test_a_transfer_is_rebased(rooms: Rooms, there: EmbeddedClient) -> None:
    bob = rooms.key("bob")
    diverge(rooms, there)
    writes.transfer(rooms.workspace, "car", to="bob")
    push(rooms, there, rebase=True)
    assert documents.show(at(rooms, there), "car")["owners"] == [bob]


def test_what_cannot_be_rebased(rooms: Rooms, there: EmbeddedClient) -> None:
    rooms.key("bob")
    diverge(rooms, there)
    writes.transfer(at(rooms, there), "car", to="bob")
    with pytest.raises(LockedError) as caught:
        pushing.push(rooms.using("alice"), there, (), rebase=True)
    assert caught.value.code == "no_key"
    clips = writes.create(rooms.workspace, "clips", Definition({}, amount=3))["id"]
    push(rooms, there, "clips")
    writes.transfer(rooms.using("alice"), "clips", outs=["1:bob"])
    writes.append(at(rooms, there)._replace(keys=("alice",)), "clips", {"n": 1})
    with pytest.raises(ConflictError) as conflict:
        push(rooms, there, clips, rebase=True)
    assert conflict.value.code == "split"


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "wanted"),
    [
        (1, 2, 3, 2),
        (None, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 3}, {"a": 2, "b": 3}),
        ({"a": 1, "b": 1}, {"a": 1}, {"a": 1, "b": 1, "c": 2}, {"a": 1, "c": 2}),
        ({"a": {"x": 1}}, {"a": {"x": 2}}, {"a": {"x": 1, "y": 3}}, {"a": {"x": 2, "y": 3}}),
        ({"a": 1}, {"a": 2}, 5, {"a": 2}),
        (5, {"a": 2}, {"b": 1}, {"a": 2}),
    ],
)
def test_merging(base: Any, mine: Any, theirs: Any, wanted: Any) -> None:
    assert merge(base, mine, theirs) == wanted


# --- Pull and import ---------------------------------------------------------------------------


def test_pull_brings_what_is_there(rooms: Rooms, there: EmbeddedClient) -> None:
    asset = car(rooms, 1)
    push(rooms, there)
    writes.append(at(rooms, there), "car", {"mileage": 2})
    mine = writes.create(at(rooms, there), "boat", Definition({"masts": 2}))["id"]
    strange = foreign()
    there.submit(strange)
    wanted = pulling.assets_to_pull(at(rooms, there), rooms.workspace.client, ())
    assert set(wanted) == {asset, mine}
    document = pulling.pull(at(rooms, there), rooms.workspace.client, wanted)
    assert document["schema"] == "twin.pull/1"
    assert (document["ledger"], document["to"]) == (there.ledger_id, rooms.ledger.id)
    assert {item["asset_id"]: item["transactions"] for item in document["assets"]} == {
        asset: 1,
        mine: 1,
    }
    assert documents.show(rooms.workspace, "boat")["id"] == mine
    assert documents.show(rooms.workspace, "car")["state"] == {"mileage": 2}
    # One that is here is kept up to date, whoever owns it.
    rooms.ledger.submit(strange)
    assert strange["id"] in pulling.assets_to_pull(at(rooms, there), rooms.workspace.client, ())
    assert pulling.assets_to_pull(at(rooms, there), rooms.workspace.client, ["boat", mine]) == [
        mine
    ]


def test_what_to_import(rooms: Rooms, there: EmbeddedClient) -> None:
    asset = car(rooms, 1)
    push(rooms, there)
    strange = foreign(data={"name": "something strange"})
    there.submit(strange)
    workspace = at(rooms, there)
    assert pulling.assets_to_import(workspace, ids=ids(there, asset)) == [asset]
    assert pulling.assets_to_import(workspace, owner="alice") == [asset]
    assert pulling.assets_to_import(workspace, text="strange") == [strange["id"]]
    owner = strange["outputs"][0]["public_keys"][0]
    assert pulling.assets_to_import(workspace, ids=[asset], owner=owner, text="nothing") == [
        asset,
        strange["id"],
    ]
    with pytest.raises(UsageError):
        pulling.assets_to_import(workspace)
    with pytest.raises(NotFoundError):
        pulling.assets_to_import(workspace, ids=["0" * 64])


def test_an_asset_that_is_nowhere(rooms: Rooms, there: EmbeddedClient) -> None:
    with pytest.raises(TwinError) as caught:
        pulling.pull(at(rooms, there), rooms.workspace.client, ["0" * 64])
    assert caught.value.code == "not_found"


# --- What says the same ---------------------------------------------------------------------------


def rebased_tx(tx_id: str, rebases: str | None = None) -> dict[str, Any]:
    return {"id": tx_id, "metadata": rebases and {"twin": {"v": 1, "rebases": rebases}}}


def test_what_comes_from_the_same_one_says_the_same() -> None:
    same = compare.Matches()
    for tx in (
        rebased_tx("here"),
        rebased_tx("here2", "here"),
        rebased_tx("other"),
        rebased_tx("other2", "other"),
    ):
        same.know(tx)
    same.add(rebased_tx("there"))
    assert same.of("here2") is None
    same.add(rebased_tx("there2", "here"))
    same.know(rebased_tx("there2", "here"))
    assert (same.of("here"), same.of("here2"), same.of("other2")) == ("there2", "there2", None)
    same.declare("other2", "there")
    assert (same.of("other"), same.of("other2")) == ("there", "there")
    assert same.of("there2") == "there2"


def test_a_long_way_to_the_first_one_is_gone_once() -> None:
    """Anybody may state what a transaction was rebased from: a chain can be long."""

    class Counted(dict[str, str]):
        looks = 0

        def __getitem__(self, key: str) -> str:
            Counted.looks += 1
            return super().__getitem__(key)

    same = compare.Matches()
    same._rebases = Counted()
    for number in range(1000):
        same.add(rebased_tx(str(number), str(number - 1)))
    assert {same.origin(str(number)) for number in reversed(range(1000))} == {"-1"}
    assert same.of("5") == "5"
    assert same.of("-1") == "999"
    assert Counted.looks < 10_000
