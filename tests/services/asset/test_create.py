"""Creating twins: what is written, who signs, what the name does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import writes
from tests.services.rooms import NOW_MS, Rooms, opened
from twincli.crypto.sealing import Cost
from twincli.errors import ConflictError, InvalidError, LockedError, NotFoundError, UsageError
from twincli.keystore.store import KeyStore
from twincli.model import record
from twincli.services.asset import document as documents
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import Writing


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        made.key("alice")
        made.key("car")
        yield made


def envelope(rooms: Rooms, document: dict[str, Any]) -> dict[str, Any]:
    tx = rooms.ledger.get(document["id"])
    assert tx is not None
    return record.creating_envelope(tx)


def test_the_facts_the_envelope_and_the_document(rooms: Rooms) -> None:
    made = writes.create(
        rooms.workspace,
        "car",
        Definition({"wheels": 4}, state={"km": 0}, owner="alice", entity="car", title="My car"),
    )
    tx = rooms.ledger.get(made["id"])
    assert tx is not None
    twin = tx["asset"]["data"]["twin"]
    assert tx["asset"]["data"]["wheels"] == 4
    assert tx["metadata"] == {"km": 0}
    assert set(twin) == {"v", "kind", "name", "entity", "entity_proof", "nonce"}
    assert (twin["v"], twin["kind"], twin["name"]) == (1, "asset", "My car")
    assert len(twin["nonce"]) == 32
    assert made["created"] is True
    assert made["name"] == "car"
    assert (made["data"], made["state"]) == ({"wheels": 4}, {"km": 0})
    assert made["owner_names"] == ["alice"]
    assert made["signed_by"] == made["owners"]
    assert made["entity_standing"] == "proved"
    assert made["transaction_id"] == made["id"]
    assert made["committed_at"] == "2030-03-17T17:46:40.000Z"


def test_two_equal_creates_are_two_assets(rooms: Rooms) -> None:
    one, two = (writes.create(rooms.workspace, n, Definition({"x": 1})) for n in ("a", "b"))
    assert one["id"] != two["id"]


def test_no_data_at_all_is_an_asset_too(rooms: Rooms) -> None:
    made = writes.create(rooms.workspace, "a", Definition({}))
    assert (made["data"], made["state"]) == ({}, {})
    bare = writes.create(rooms.workspace, "b", Definition({}), Writing(bare=True))
    tx = rooms.ledger.get(bare["id"])
    assert tx is not None
    assert (tx["asset"], tx["metadata"]) == ({"data": None}, None)


# --- Who signs, who owns -----------------------------------------------------------------------


def test_the_signer_is_the_key_named_else_the_owners_else_the_default(rooms: Rooms) -> None:
    def signer(workspace: Any, name: str, owner: str | None) -> list[str | None]:
        made = writes.create(workspace, name, Definition({}, owner=owner))
        return [rooms.workspace.keystore.find(key).name for key in made["signed_by"]]  # type: ignore[union-attr]

    assert signer(rooms.workspace, "a", None) == ["alice"], "the first key there is"
    assert signer(rooms.workspace, "b", "car") == ["car"]
    assert signer(rooms.using("alice"), "c", "car") == ["alice"]
    assert signer(rooms.workspace._replace(default_key="car"), "d", None) == ["car"]
    assert signer(rooms.using("alice", "car"), "e", None) == ["alice", "car"]


def test_owner_expressions_become_conditions(rooms: Rooms) -> None:
    made = writes.create(rooms.workspace, "a", Definition({}, owner="any:alice,car"))
    assert made["condition"]["threshold"] == 1
    assert made["owner_names"] == ["alice", "car"]


def test_without_a_key_it_says_how_to_make_one(tmp_path: Path) -> None:
    with opened(tmp_path) as rooms:
        with pytest.raises(UsageError) as caught:
            writes.create(rooms.workspace, "a", Definition({}))
        assert caught.value.code == "no_signer"
        assert "twin keys new" in (caught.value.hint or "")


def test_an_owner_nobody_knows_must_be_meant(rooms: Rooms) -> None:
    stranger = "4K9sWUMFwTgaDGPfdynrbxWqWS6sWmKbZoTjxLtVUibD"
    with pytest.raises(UsageError) as caught:
        writes.create(rooms.workspace, "a", Definition({}, owner=stranger))
    assert caught.value.code == "unknown_recipient"
    yes = rooms.workspace._replace(accept_unknown=True)
    assert writes.create(yes, "a", Definition({}, owner=stranger))["owners"] == [stranger]
    # From now on the ledger knows it.
    writes.create(rooms.workspace, "b", Definition({}, owner=stranger))


@pytest.mark.parametrize(
    ("owner", "error", "code"),
    [
        ("nobody", NotFoundError, "not_found"),
        ("2of:alice", UsageError, "bad_owners"),
        ("BurnBurnBurnBurnBurnBurnBurnBurnBurnBurnBurn", UsageError, "usage"),
        ("did:bdb:" + "0" * 64, InvalidError, "wrong_did"),
    ],
)
def test_owners_that_cannot_be(rooms: Rooms, owner: str, error: type[Exception], code: str) -> None:
    with pytest.raises(error) as caught:
        writes.create(rooms.workspace, "a", Definition({}, owner=owner))
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert rooms.ledger.tip().height == 0


# --- Entity and parent -------------------------------------------------------------------------


def test_an_entity_whose_key_is_elsewhere_is_only_claimed(rooms: Rooms) -> None:
    stranger = "4K9sWUMFwTgaDGPfdynrbxWqWS6sWmKbZoTjxLtVUibD"
    made = writes.create(rooms.workspace, "a", Definition({}, entity=stranger))
    assert made["entity_standing"] == "claimed"
    assert made["entity"] == stranger
    (warning,) = made["warnings"]
    assert "only claimed" in warning


def test_a_locked_entity_is_only_claimed_and_a_wrong_passphrase_stops(
    rooms: Rooms, tmp_path: Path
) -> None:
    from twincli.crypto.ed25519 import KeyPair

    cheap = Cost(1, 8192)
    store = KeyStore(str(tmp_path / "keys"), cost=cheap)
    pair = KeyPair.from_seed(bytes(32))
    store.create("chip", pair, secret_source=lambda _: b"right", created="2024-01-20T09:00:00Z")
    made = writes.create(rooms.workspace, "a", Definition({}, entity="chip"))
    assert made["entity_standing"] == "claimed"
    assert "locked" in made["warnings"][0]
    wrong = rooms.workspace._replace(secrets=lambda _: b"wrong")
    with pytest.raises(LockedError) as caught:
        writes.create(wrong, "b", Definition({}, entity="chip"))
    assert caught.value.code == "bad_passphrase"
    right = rooms.workspace._replace(secrets=lambda _: b"right")
    made = writes.create(right, "b", Definition({}, entity="chip"))
    assert made["entity_standing"] == "proved"


def test_a_proof_does_not_fit_another_asset(rooms: Rooms) -> None:
    made = writes.create(rooms.workspace, "a", Definition({"x": 1}, entity="car"))
    tx = rooms.ledger.get(made["id"])
    assert tx is not None
    data = tx["asset"]["data"]
    assert record.entity_standing(data) == "proved"
    assert record.entity_standing({**data, "x": 2}) == "false_proof"
    other = {**data, "twin": {**data["twin"], "nonce": "0" * 32}}
    assert record.entity_standing(other) == "false_proof"


def test_a_parent_is_found_by_name_prefix_or_did(rooms: Rooms) -> None:
    parent = writes.create(rooms.workspace, "garage", Definition({}))
    for number, ref in enumerate(
        ("garage", "asset:garage", parent["id"], parent["id"][:10], parent["did"])
    ):
        made = writes.create(rooms.workspace, f"part{number}", Definition({}, parent=ref))
        assert made["parent"] == parent["id"]
    assert len(rooms.ledger.assets_with("parent", parent["id"])) == 5
    with pytest.raises(NotFoundError, match="garaje") as caught:
        writes.create(rooms.workspace, "x", Definition({}, parent="garaje"))
    assert caught.value.hint == "did you mean garage?"


# --- Amount, model, bare -----------------------------------------------------------------------


@pytest.mark.parametrize("amount", [1, 700, 9_000_000_000_000_000_000])
def test_amounts(rooms: Rooms, amount: int) -> None:
    made = writes.create(rooms.workspace, "oaks", Definition({}, amount=amount))
    assert made["amount"] == str(amount)


@pytest.mark.parametrize("amount", [0, -1, 9_000_000_000_000_000_001])
def test_amounts_that_cannot_be(rooms: Rooms, amount: int) -> None:
    with pytest.raises(InvalidError) as caught:
        writes.create(rooms.workspace, "oaks", Definition({}, amount=amount))
    assert caught.value.code == "amount_error"


def test_a_model_is_written_in_the_orms_form(rooms: Rooms) -> None:
    made = writes.create(
        rooms.workspace, "a", Definition({"name": "Alice"}, model="myModel"), Writing(bare=True)
    )
    tx = rooms.ledger.get(made["id"])
    assert tx is not None
    assert set(tx["asset"]["data"]) == {"schema", "id"}
    kind, app, model, uuid = tx["asset"]["data"]["id"].split(":")
    assert (kind, app, model) == ("id", "global", "myModel")
    assert [len(part) for part in uuid.split("-")] == [8, 4, 4, 4, 12]
    assert uuid[14] == "4"
    assert uuid[19] in "89ab"
    assert tx["metadata"] == {"name": "Alice"}
    assert made["state"] == {"name": "Alice"}
    assert made["model"] == "myModel"
    assert rooms.ledger.assets_with("model", "myModel") == [made["id"]]


@pytest.mark.parametrize(
    ("wanted", "writing"),
    [
        (Definition({}, parent="x"), Writing(bare=True)),
        (Definition({}, entity="car"), Writing(bare=True)),
        (Definition({}, title="x"), Writing(bare=True)),
        (Definition({}), Writing(bare=True, at="2024-01-20")),
        (Definition({}), Writing(bare=True, once="x")),
        (Definition({}), Writing(once="")),
        (Definition({}), Writing(if_tip="0" * 64)),
    ],
)
def test_contradictions(rooms: Rooms, wanted: Definition, writing: Writing) -> None:
    with pytest.raises(UsageError):
        writes.create(rooms.workspace, "a", wanted, writing)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (Definition({"twin": 1}), "reserved_key"),
        (Definition({}, state={"twin": {}}), "reserved_key"),
        (Definition({"$x": 1}), "validation_error"),
        (Definition({}, state={"a": {"b.c": 1}}), "validation_error"),
        (Definition({"language": "klingon"}), "validation_error"),
        (Definition({"n": 2**64}), "overflow_error"),
    ],
)
def test_data_that_the_ledger_refuses_are_refused_before_signing(
    rooms: Rooms, wanted: Definition, code: str
) -> None:
    def never(_name: str) -> bytes:
        raise AssertionError

    with pytest.raises(InvalidError) as caught:
        writes.create(rooms.workspace._replace(secrets=never), "a", wanted)
    assert caught.value.code == code
    assert rooms.workspace.book.list_assets(rooms.ledger.id) == []


# --- Time --------------------------------------------------------------------------------------


def test_a_claimed_time_is_written_in_utc(rooms: Rooms) -> None:
    made = writes.create(
        rooms.workspace, "a", Definition({}), Writing(at="2024-01-20T10:00:00+01:00")
    )
    assert envelope(rooms, made)["at"] == "2024-01-20T09:00:00.000Z"
    assert made["at"] == "2024-01-20T09:00:00.000Z"


def test_what_has_not_happened_cannot_be_recorded(rooms: Rooms) -> None:
    from twincli.model import times

    soon = times.to_text(NOW_MS + 5 * 60_000)
    writes.create(rooms.workspace, "a", Definition({}), Writing(at=soon))
    later = times.to_text(NOW_MS + 5 * 60_000 + 1)
    with pytest.raises(InvalidError) as caught:
        writes.create(rooms.workspace, "b", Definition({}), Writing(at=later))
    assert caught.value.code == "time_ahead"


# --- The name ----------------------------------------------------------------------------------


def test_a_name_is_given_once(rooms: Rooms) -> None:
    first = writes.create(rooms.workspace, "Car", Definition({"x": 1}))
    for name in ("Car", "car", "CAR"):
        with pytest.raises(ConflictError, match=first["id"]) as caught:
            writes.create(rooms.workspace, name, Definition({"x": 1}))
        assert caught.value.code == "exists"
    assert rooms.ledger.counts()["assets"] == 1


def test_if_missing_is_content_with_the_same_definition(rooms: Rooms) -> None:
    wanted = Definition({"x": 1}, state={"s": 1}, owner="alice", entity="car", amount=3)
    made = writes.create(rooms.workspace, "a", wanted, if_missing=True)
    again = writes.create(rooms.workspace, "a", wanted, if_missing=True)
    assert (made["created"], again["created"]) == (True, False)
    assert again["id"] == made["id"]
    assert rooms.ledger.counts()["transactions"] == 1
    writes.append(rooms.workspace, "a", {"s": 2})
    later = writes.create(rooms.workspace, "a", wanted, if_missing=True)
    assert later["state"] == {"s": 2}, "it may have lived since"


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"x": 2}},
        {"state": {"s": 2}},
        {"owner": "car"},
        {"entity": None},
        {"amount": 4},
        {"kind": "identity"},
        {"model": "m"},
    ],
)
def test_if_missing_refuses_another_definition(rooms: Rooms, change: dict[str, Any]) -> None:
    wanted = Definition({"x": 1}, state={"s": 1}, owner="alice", entity="car", amount=3)
    writes.create(rooms.workspace, "a", wanted)
    with pytest.raises(ConflictError) as caught:
        writes.create(rooms.workspace, "a", wanted._replace(**change), if_missing=True)
    assert caught.value.code == "exists"


def test_if_missing_knows_an_orm_twin_again(rooms: Rooms) -> None:
    wanted = Definition({"x": 1}, model="myModel")
    writes.create(rooms.workspace, "a", wanted)
    assert not writes.create(rooms.workspace, "a", wanted, if_missing=True)["created"]


class Killed(BaseException):
    """The process is gone: nothing that follows runs."""


def test_a_crash_before_the_submission_leaves_the_name_free_in_the_end(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli.book import store

    def killed(_tx: dict[str, Any], _identity: object = None) -> int:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(rooms.workspace.client, "submit", killed)
        with pytest.raises(Killed):
            writes.create(rooms.workspace, "a", Definition({"x": 1}))
    with pytest.raises(ConflictError) as caught:
        writes.create(rooms.workspace, "a", Definition({"x": 1}))
    assert caught.value.retryable
    with pytest.raises(NotFoundError):
        documents.show(rooms.workspace, "a")
    monkeypatch.setattr(store, "time", lambda: 9e9)
    assert writes.create(rooms.workspace, "a", Definition({"x": 1}))["created"]


def test_a_crash_after_the_submission_loses_nothing(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_arguments: object) -> bool:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(rooms.workspace.book, "confirm", killed)
        with pytest.raises(Killed):
            writes.create(rooms.workspace, "a", Definition({"x": 1}))
    assert documents.show(rooms.workspace, "a")["data"] == {"x": 1}
    assert not writes.create(rooms.workspace, "a", Definition({"x": 1}), if_missing=True)["created"]


def test_a_refused_asset_gives_its_name_back(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_tx: dict[str, Any], _identity: object = None) -> int:
        raise InvalidError("no", code="amount_error")

    with monkeypatch.context() as patch:
        patch.setattr(rooms.workspace.client, "submit", refused)
        with pytest.raises(InvalidError):
            writes.create(rooms.workspace, "a", Definition({}))
    assert writes.create(rooms.workspace, "a", Definition({}))["created"]


# --- Once and dry-run --------------------------------------------------------------------------


def test_a_token_gives_the_same_id_everywhere(rooms: Rooms, tmp_path: Path) -> None:
    writing = Writing(once="order-1")
    made = writes.create(rooms.workspace, "a", Definition({"x": 1}), writing)
    again = writes.create(rooms.workspace, "a", Definition({"x": 1}), writing)
    assert (made["created"], again["created"]) == (True, False)
    assert again["id"] == made["id"]
    with opened(tmp_path / "elsewhere") as other:
        other.key("alice")
        there = writes.create(other.workspace, "a", Definition({"x": 1}), writing)
        assert there["id"] == made["id"]
    two = writes.create(rooms.workspace, "b", Definition({"x": 1}), Writing(once="order-2"))
    assert two["id"] != made["id"]


def test_a_token_for_another_definition_is_refused(rooms: Rooms) -> None:
    writing = Writing(once="order-1")
    writes.create(rooms.workspace, "a", Definition({"x": 1}), writing)
    with pytest.raises(ConflictError) as caught:
        writes.create(rooms.workspace, "a", Definition({"x": 2}), writing)
    assert caught.value.code == "once_mismatch"


def test_a_dry_run_checks_and_writes_nothing(rooms: Rooms) -> None:
    def never(_name: str) -> bytes:
        raise AssertionError

    dry = rooms.workspace._replace(dry_run=True, secrets=never)
    wanted = Definition({"x": 1}, state={"s": 1}, owner="alice", entity="car")
    shown = writes.create(dry, "a", wanted)
    made = writes.create(rooms.workspace, "a", wanted)
    assert list(shown) == list(made)
    for name in ("id", "did", "transaction_id", "height", "committed_at"):
        assert shown[name] is None
    for name in ("name", "ledger", "owners", "owner_names", "condition", "amount", "data", "state",
                 "entity", "signed_by", "kind", "title", "created"):  # fmt: skip
        assert shown[name] == made[name], name
    with pytest.raises(ConflictError):
        writes.create(dry, "a", wanted)
    with pytest.raises(InvalidError):
        writes.create(dry, "b", Definition({"$x": 1}))
    assert rooms.ledger.counts()["transactions"] == 1


def test_a_lifecycle_holds_for_its_twin(rooms: Rooms) -> None:
    given = {"stages": ["design", "sale"], "currentStage": "design"}
    made = writes.create(rooms.workspace, "bike", Definition({"lifecycle": given}))
    assert made["data"]["lifecycle"] == given
    wrong = {**given, "currentStage": "scrap"}
    with pytest.raises(InvalidError, match=r"lifecycle\.currentStage"):
        writes.create(rooms.workspace, "bike2", Definition({"lifecycle": wrong}))
    with pytest.raises(InvalidError, match=r"lifecycle\.stages\[1\]: the template has no"):
        writes.create(
            rooms.workspace,
            "PROD-1",
            Definition({"lifecycle": given}, template="product-lifecycle-v1"),
        )
    with pytest.raises(InvalidError, match=r"lifecycle\.currentStage"):
        writes.create(rooms.workspace, "bike3", Definition({}, {"lifecycle": wrong}))
