"""Transactions equal those of the official drivers, byte for byte."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from bigchaindb_driver import offchain
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import canonical, conditions
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import InvalidError, LockedError
from twincli.model import owners, transaction
from twincli.model.transaction import Output, Spend

VECTORS = Path(__file__).parents[1] / "vectors"
SAME: dict[str, Any] = json.loads((VECTORS / "driver_transactions.json").read_text())
DIFFER: dict[str, Any] = json.loads((VECTORS / "driver_transactions_differ.json").read_text())

KEYS = {name: KeyPair(bytes.fromhex(key["seed_hex"])) for name, key in SAME["keys"].items()}
NAMES = sorted(KEYS)


def details_of(recipient: dict[str, Any]) -> dict[str, Any]:
    if "tree" in recipient:
        return _tree(recipient["tree"])
    return owners.of_keys([_public_key(name) for name in recipient["keys"]])


def _public_key(name: str) -> str:
    return owners.BURN_ADDRESS if name == "BURN" else KEYS[name].public_key


def _tree(tree: Any) -> dict[str, Any]:
    if isinstance(tree, str):
        return conditions.key_details(_public_key(tree))
    return conditions.threshold_details(tree["threshold"], [_tree(part) for part in tree["of"]])


def build(step: dict[str, Any], steps: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the unsigned transaction that a step of a scenario describes."""
    outputs = [Output(details_of(to), int(to["amount"])) for to in step["recipients"]]
    metadata = json.loads(step["metadata_json"])
    if step["operation"] == "CREATE":
        signers = [_public_key(name) for name in step["signers"]]
        data = json.loads(step["asset_data_json"])
        return transaction.create(signers, outputs, data, metadata)
    spends = [Spend.of(steps[spent["step"]], spent["output_index"]) for spent in step["inputs"]]
    asset_id = next(iter(steps.values()))["id"]
    return transaction.transfer(spends, outputs, asset_id, metadata)


@pytest.mark.parametrize("scenario", SAME["scenarios"], ids=lambda scenario: scenario["name"])
def test_what_both_drivers_make(scenario: dict[str, Any]) -> None:
    steps: dict[str, dict[str, Any]] = {}
    for step in scenario["steps"]:
        unsigned = build(step, steps)
        signers = step.get("sign_with") or step["signers"]
        signed = transaction.sign(unsigned, [KEYS[name] for name in signers])
        check(step, step, signed)
        assert unsigned["id"] is None
        assert [signed[key] for key in ("asset", "metadata", "outputs")] == [
            unsigned[key] for key in ("asset", "metadata", "outputs")
        ]
        steps[step["name"]] = signed


@pytest.mark.parametrize("scenario", DIFFER["scenarios"], ids=lambda scenario: scenario["name"])
def test_where_the_drivers_differ_python_holds(scenario: dict[str, Any]) -> None:
    (step,) = scenario["steps"]
    signed = transaction.sign(build(step, {}), [KEYS[name] for name in step["signers"]])
    check(step["python"], step, signed)
    assert signed["id"] != step["javascript"]["id"]


def check(vector: dict[str, Any], step: dict[str, Any], signed: dict[str, Any]) -> None:
    text = transaction.message(signed)
    assert text.decode() == vector["message_json"]
    digests = [transaction.input_digest(text, entry["fulfills"]) for entry in signed["inputs"]]
    assert [digest.hex() for digest in digests] == vector["input_digests_hex"]
    assert canonical.encode(signed).decode() == vector["transaction_json"], step["name"]
    assert signed["id"] == vector["id"] == transaction.transaction_id(signed)
    assert [entry["fulfillment"] for entry in signed["inputs"]] == vector["fulfillment_uris"]
    uris = [output["condition"]["uri"] for output in signed["outputs"]]
    assert uris == vector["condition_uris"]


# --- The official driver, with whatever data ------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXT, values, max_size=3),
    max_leaves=10,
)
OBJECTS = st.none() | st.dictionaries(TEXT, JSON, max_size=4)
PARTIES = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)
RECIPIENTS = st.lists(
    st.tuples(PARTIES, st.integers(1, transaction.MAX_AMOUNT)), min_size=1, max_size=3
)


def outputs_of(recipients: list[tuple[list[str], int]]) -> list[Output]:
    return [
        Output(owners.of_keys([KEYS[name].public_key for name in names]), amount)
        for names, amount in recipients
    ]


def official_recipients(recipients: list[tuple[list[str], int]]) -> list[tuple[list[str], int]]:
    return [([KEYS[name].public_key for name in names], amount) for names, amount in recipients]


@given(PARTIES, RECIPIENTS, OBJECTS, OBJECTS, RECIPIENTS, OBJECTS, st.data())
def test_any_create_and_transfer_is_that_of_the_official_driver(
    signers: list[str],
    recipients: list[tuple[list[str], int]],
    data: dict[str, Any] | None,
    metadata: dict[str, Any] | None,
    later: list[tuple[list[str], int]],
    later_metadata: dict[str, Any] | None,
    choice: st.DataObject,
) -> None:
    keys = [KEYS[name].public_key for name in signers]
    ours = transaction.create(keys, outputs_of(recipients), data, metadata)
    theirs = offchain.prepare_transaction(
        operation="CREATE",
        signers=keys,
        recipients=official_recipients(recipients),
        asset={"data": data},
        metadata=metadata,
    )
    assert ours == theirs
    created = transaction.sign(ours, [KEYS[name] for name in signers])
    private = [KEYS[name].private_key for name in signers]
    same_text(created, offchain.fulfill_transaction(theirs, private_keys=private))

    spent = choice.draw(
        st.lists(st.integers(0, len(recipients) - 1), min_size=1, max_size=3, unique=True)
    )
    spends = [Spend.of(created, index) for index in spent]
    ours = transaction.transfer(spends, outputs_of(later), created["id"], later_metadata)
    theirs = offchain.prepare_transaction(
        operation="TRANSFER",
        recipients=official_recipients(later),
        asset={"id": created["id"]},
        metadata=later_metadata,
        inputs=[
            {
                "fulfillment": created["outputs"][index]["condition"]["details"],
                "fulfills": {"output_index": index, "transaction_id": created["id"]},
                "owners_before": created["outputs"][index]["public_keys"],
            }
            for index in spent
        ],
    )
    assert ours == theirs
    names = dict.fromkeys(name for index in spent for name in recipients[index][0])
    moved = transaction.sign(ours, [KEYS[name] for name in names])
    private = [KEYS[name].private_key for name in names]
    same_text(moved, offchain.fulfill_transaction(theirs, private_keys=private))


def same_text(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours == theirs
    # Equality does not tell 1 from 1.0; the text does.
    assert canonical.encode(ours) == canonical.encode(theirs)
    assert transaction.transaction_id(theirs) == theirs["id"]


# --- Signing --------------------------------------------------------------------------------------


def tree_transaction(tree: Any) -> dict[str, Any]:
    created = transaction.sign(
        transaction.create([_public_key("alice")], [Output(_tree(tree))], None), [KEYS["alice"]]
    )
    output = [Output(owners.of_keys([_public_key("dave")]))]
    return transaction.transfer([Spend.of(created)], output, created["id"])


TWO_OF_THREE = {"threshold": 2, "of": ["alice", "bob", "carol"]}


def test_a_threshold_gets_exactly_as_many_signatures_as_it_asks() -> None:
    unsigned = tree_transaction(TWO_OF_THREE)
    signed = transaction.sign(unsigned, [KEYS[name] for name in ("carol", "bob", "alice")])
    made = conditions.parse(signed["inputs"][0]["fulfillment"])
    assert list(made.keys()) == [_public_key("alice"), _public_key("bob")]


def test_who_could_sign_is_named() -> None:
    with pytest.raises(LockedError) as caught:
        transaction.sign(tree_transaction(TWO_OF_THREE), [KEYS["alice"], KEYS["dave"]])
    assert caught.value.code == "missing_signature"
    assert "2of:" in caught.value.message
    assert all(_public_key(n) in str(caught.value.hint) for n in ("alice", "bob", "carol"))


def test_a_signed_input_stays_as_it_is() -> None:
    created = transaction.sign(
        transaction.create(
            [_public_key("alice")],
            [Output(owners.of_keys([_public_key(name)])) for name in ("alice", "bob")],
            {"a": 1},
        ),
        [KEYS["alice"]],
    )
    output = [Output(owners.of_keys([_public_key("dave")]), 2)]
    spends = [Spend.of(created, index) for index in (0, 1)]
    unsigned = transaction.transfer(spends, output, created["id"], {"b": 2})
    whole = transaction.sign(unsigned, [KEYS["alice"], KEYS["bob"]])
    half = {**unsigned, "inputs": [whole["inputs"][0], unsigned["inputs"][1]]}
    assert transaction.sign(half, [KEYS["bob"]]) == whole
    assert transaction.sign(whole, []) == whole


def test_what_a_signer_gives_is_looked_at() -> None:
    class Broken:
        public_key = _public_key("alice")

        def sign(self, message: bytes) -> bytes:
            return message[:10]

    unsigned = transaction.create([_public_key("alice")], outputs_of([(["bob"], 1)]), None)
    with pytest.raises(InvalidError, match="10 bytes") as caught:
        transaction.sign(unsigned, [Broken()])
    assert caught.value.code == "invalid_signature"


def test_who_signed_is_read_whatever_the_fulfillment_is() -> None:
    """A preimage that is as long as the signature of one key has no key."""
    der = bytes((0xA0, 100, 0x80, 98)) + bytes(98)
    uri = base64.urlsafe_b64encode(der).rstrip(b"=").decode()
    key = next(iter(KEYS.values()))
    made = transaction.create(
        [key.public_key], [transaction.Output(owners.of_keys([key.public_key]))], {"a": 1}
    )
    signed = transaction.sign(made, [key])
    assert len(uri) == len(signed["inputs"][0]["fulfillment"])
    signers = transaction.Signers()
    for _ in range(2):
        assert signers.of(signed) == [key.public_key]
    odd = {**signed, "inputs": [{**signed["inputs"][0], "fulfillment": uri}]}
    assert signers.of(odd) == transaction.signers_of(odd) == []
    twice = {**signed, "inputs": [odd["inputs"][0], signed["inputs"][0]]}
    assert signers.of(twice) == [key.public_key]
    unsigned = {**signed, "inputs": [{**signed["inputs"][0], "fulfillment": None}]}
    assert signers.of(unsigned) == []
