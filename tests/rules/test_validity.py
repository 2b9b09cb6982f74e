"""Verdicts against what is committed, in both profiles, beside the real server's."""

from __future__ import annotations

import contextlib
import json
import re
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.committed import (
    ALICE,
    BOB,
    CAROL,
    Committed,
    Tx,
    changed,
    create,
    output,
    rehashed,
    resigned,
    transfer,
    unsigned_create,
    unsigned_transfer,
    verdict,
)
from twincli.crypto import base58, canonical, conditions, ed25519
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import InvalidError
from twincli.model import owners, transaction
from twincli.model.transaction import Output, Spend
from twincli.rules import structure, validity
from twincli.rules.validity import SERVER, STRICT

VECTORS = Path(__file__).parents[1] / "vectors"
_, *LINES = (VECTORS / "validation_sample.jsonl").read_text().splitlines()
SAMPLE: list[dict[str, Any]] = [json.loads(line) for line in LINES]
DRIVERS: dict[str, Any] = json.loads((VECTORS / "driver_transactions.json").read_text())
DIFFER: dict[str, Any] = json.loads((VECTORS / "driver_transactions_differ.json").read_text())
REFUSED: dict[str, Any] = json.loads((VECTORS / "driver_transactions_refused.json").read_text())

UNSOUND = {
    "transfer-owners-before-wrong": "owners_before_mismatch",
    "create-owners-before-wrong": "owners_before_mismatch",
    "condition-uri-mismatch": "condition_uri_mismatch",
    "public-keys-mismatch": "public_keys_mismatch",
    "amount-leading-zero": "amount_leading_zero",
    "outputs-empty": "no_outputs",
}
"""What 2.2.2 accepts although it should not, and the rule of ``strict`` that refuses it."""

CRASHES = {
    "input-index-out-of-range": "input_does_not_exist",
    "metadata-nan": "unencodable",
    "int-2p63": "overflow_error",
}
"""What 2.2.2 answers with 500, and the code it is refused with here."""


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


# --- The server's verdicts ------------------------------------------------------------------------


@pytest.mark.parametrize("profile", validity.PROFILES)
@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: case["name"])
def test_the_servers_verdict(case: dict[str, Any], profile: str) -> None:
    expect = case["expect"]
    code = verdict(case["tx"], *case["setup"], profile=profile)
    assert code == (None if expect["accepted"] else snake(expect["error"]))
    assert "unsound" not in expect


@pytest.mark.parametrize("profile", validity.PROFILES)
@pytest.mark.parametrize(
    "scenario", [*DRIVERS["scenarios"], *DIFFER["scenarios"]], ids=lambda item: item["name"]
)
def test_whatever_the_official_drivers_make(scenario: dict[str, Any], profile: str) -> None:
    committed = Committed()
    for step in scenario["steps"]:
        vector = step if "transaction_json" in step else step["python"]
        tx = canonical.decode(vector["transaction_json"])
        answer = vector["server_2_2_2"]
        if answer["status"] == 202:
            committed.commit(tx, profile)
        else:
            with pytest.raises(InvalidError) as caught:
                committed.commit(tx, profile)
            assert caught.value.code == code_of(answer)


def code_of(answer: dict[str, Any]) -> str:
    """Return the code that a refusal of the server means here."""
    message = answer["message"]
    if message.startswith("Invalid transaction schema"):
        return "schema_validation_error"
    if "OverflowError" in message:
        return "overflow_error"
    found = re.match(r"Invalid transaction \((\w+)\)", message)
    assert found is not None, message
    return snake(found[1])


def step_of(scenario: str, step: str) -> Tx:
    (found,) = (
        candidate
        for item in DRIVERS["scenarios"]
        if item["name"] == scenario
        for candidate in item["steps"]
        if candidate["name"] == step
    )
    tx: Tx = canonical.decode(found["transaction_json"])
    return tx


@pytest.mark.parametrize("profile", validity.PROFILES)
@pytest.mark.parametrize("case", REFUSED["cases"], ids=lambda case: case["name"])
def test_changed_transactions(case: dict[str, Any], profile: str) -> None:
    # Python's reader takes NaN, as the server's does.
    tx = json.loads(case["transaction_json"])
    before = [step_of(**ref) for ref in case["after"]]
    code = verdict(tx, *before, profile=profile)
    if case["name"] in UNSOUND:
        assert case["accepted"]
        assert code == (UNSOUND[case["name"]] if profile == STRICT else None)
    elif case["accepted"]:
        assert code is None
    elif case["server_2_2_2"]["status"] == 500:
        assert code == CRASHES[case["name"]]
    else:
        assert code == code_of(case["server_2_2_2"])


def test_every_unsound_case_is_there() -> None:
    names = {case["name"] for case in REFUSED["cases"]}
    assert names >= set(UNSOUND) | set(CRASHES)


# --- The rules, 33 to 41 --------------------------------------------------------------------------

CAR = create(output(ALICE), data={"name": "car"})
BIKE = create(output(ALICE), data={"name": "bike"})
SHARES = create(output(ALICE, amount=60), output(BOB, amount=40), data={"name": "shares"})
JOINT = create(output(ALICE, BOB), data={"name": "joint"})
TWO_OF_THREE = create(
    Output(
        conditions.threshold_details(
            2, [conditions.key_details(key.public_key) for key in (ALICE, BOB, CAROL)]
        )
    ),
    data={"name": "three"},
)


def show(tx: Tx, *fulfillments: conditions.Fulfillment) -> Tx:
    """Return a transaction with these fulfillments, whether they fit or not."""
    entries = [
        {**entry, "fulfillment": made.uri}
        for entry, made in zip(tx["inputs"], fulfillments, strict=True)
    ]
    return rehashed({**tx, "inputs": entries})


def signature(tx: Tx, key: KeyPair, index: int = 0) -> conditions.KeyFulfillment:
    digest = transaction.input_digest(transaction.message(tx), tx["inputs"][index]["fulfills"])
    return conditions.KeyFulfillment(key.public_bytes, key.sign(digest))


TO_BOB = transfer((CAR, 0), outputs=[output(BOB)], metadata={"to": "bob"})
UNSIGNED = unsigned_transfer((CAR, 0))
JOINT_UNSIGNED = unsigned_transfer((JOINT, 0))
THREE_UNSIGNED = unsigned_transfer((TWO_OF_THREE, 0))
KEYS = {key: conditions.key_condition(key.public_key) for key in (ALICE, BOB, CAROL)}


def of_three(*signers: KeyPair) -> conditions.ThresholdFulfillment:
    return conditions.ThresholdFulfillment(
        [signature(THREE_UNSIGNED, key) for key in signers],
        [KEYS[key] for key in (ALICE, BOB, CAROL) if key not in signers],
    )


def asset_of(tx: Tx, asset_id: str) -> Tx:
    return resigned(tx, lambda copied: copied["asset"].update(id=asset_id), ALICE, BOB)


TOO_FAR = Spend(SHARES["id"], 2, conditions.key_details(ALICE.public_key), (ALICE.public_key,))

RULES: list[tuple[str, Tx, list[Tx], str | None]] = [
    ("33 the same CREATE again", CAR, [CAR], "duplicate_transaction"),
    (
        "34 a CREATE signed over something else",
        changed(CAR, lambda tx: tx.update(metadata={"km": 1})),
        [],
        "invalid_signature",
    ),
    ("34 a CREATE not signed", rehashed(unsigned_create()), [], "invalid_signature"),
    ("35 an unknown transaction", TO_BOB, [], "input_does_not_exist"),
    (
        "36 a spent output",
        transfer((CAR, 0), outputs=[output(CAROL)]),
        [CAR, TO_BOB],
        "double_spend",
    ),
    ("36 the same TRANSFER again", TO_BOB, [CAR, TO_BOB], "double_spend"),
    (
        "37 no such output",
        transaction.sign(transaction.transfer([TOO_FAR], [output(BOB)], SHARES["id"]), [ALICE]),
        [SHARES],
        "input_does_not_exist",
    ),
    (
        "38 an output twice",
        transfer((CAR, 0), (CAR, 0), outputs=[output(BOB, amount=2)]),
        [CAR],
        "double_spend",
    ),
    (
        "39 inputs of two assets",
        transfer((CAR, 0), (BIKE, 0), outputs=[output(BOB, amount=2)]),
        [CAR, BIKE],
        "asset_id_mismatch",
    ),
    ("39 another asset's id", asset_of(UNSIGNED, BIKE["id"]), [CAR, BIKE], "asset_id_mismatch"),
    ("39 an id that is longer", asset_of(UNSIGNED, CAR["id"] + "0"), [CAR], "asset_id_mismatch"),
    (
        "40 more out than in",
        transfer((SHARES, 0), outputs=[output(BOB, amount=61)]),
        [SHARES],
        "amount_error",
    ),
    (
        "40 less out than in",
        transfer((SHARES, 0), outputs=[output(BOB, amount=59)]),
        [SHARES],
        "amount_error",
    ),
    (
        "40 nothing out",
        resigned(unsigned_transfer((SHARES, 0)), lambda tx: tx.update(outputs=[])),
        [SHARES],
        "amount_error",
    ),
    ("41 not signed", rehashed(unsigned_transfer((CAR, 0))), [CAR], "invalid_signature"),
    (
        "41 signed by a stranger",
        show(UNSIGNED, signature(UNSIGNED, BOB)),
        [CAR],
        "invalid_signature",
    ),
    (
        "41 the owner's signature over something else",
        show(UNSIGNED, signature(unsigned_transfer((CAR, 0), metadata={"x": 1}), ALICE)),
        [CAR],
        "invalid_signature",
    ),
    (
        "41 the second input not signed by its owner",
        show(
            joint := unsigned_transfer((SHARES, 0), (SHARES, 1), outputs=[output(BOB, amount=100)]),
            signature(joint, ALICE),
            signature(joint, ALICE, 1),
        ),
        [SHARES],
        "invalid_signature",
    ),
    (
        "41 signatures of two inputs exchanged",
        show(joint, signature(joint, ALICE, 1), signature(joint, BOB, 0)),
        [SHARES],
        "invalid_signature",
    ),
    (
        "41 one of two, as a key",
        show(JOINT_UNSIGNED, signature(JOINT_UNSIGNED, ALICE)),
        [JOINT],
        "invalid_signature",
    ),
    (
        "41 one of two, the other as a condition",
        show(
            JOINT_UNSIGNED,
            conditions.ThresholdFulfillment([signature(JOINT_UNSIGNED, ALICE)], [KEYS[BOB]]),
        ),
        [JOINT],
        "invalid_signature",
    ),
    (
        "41 one of two of three",
        show(THREE_UNSIGNED, of_three(ALICE)),
        [TWO_OF_THREE],
        "invalid_signature",
    ),
    (
        "41 three for two of three",
        show(THREE_UNSIGNED, of_three(ALICE, BOB, CAROL)),
        [TWO_OF_THREE],
        "invalid_signature",
    ),
    ("two of three", show(THREE_UNSIGNED, of_three(BOB, CAROL)), [TWO_OF_THREE], None),
    ("two of two", transfer((JOINT, 0)), [JOINT], None),
    (
        "outputs of two owners together",
        transfer((SHARES, 1), (SHARES, 0), outputs=[output(CAROL, amount=100)]),
        [SHARES],
        None,
    ),
    (
        "amounts whose sum is above what one output may hold",
        transfer(
            (rich := create(*[output(ALICE, amount=transaction.MAX_AMOUNT)] * 2), 0),
            (rich, 1),
            outputs=[output(BOB, amount=transaction.MAX_AMOUNT)] * 2,
        ),
        [rich],
        None,
    ),
    (
        "paid to the burn address",
        transfer((CAR, 0), outputs=[Output(owners.of_keys([owners.BURN_ADDRESS]))]),
        [CAR],
        None,
    ),
]


@pytest.mark.parametrize("profile", validity.PROFILES)
@pytest.mark.parametrize(
    ("tx", "before", "code"),
    [(tx, before, code) for _, tx, before, code in RULES],
    ids=[name for name, *_ in RULES],
)
def test_rules(tx: Tx, before: list[Tx], code: str | None, profile: str) -> None:
    assert verdict(tx, *before, profile=profile) == code


def test_a_transaction_may_spend_one_of_the_same_block() -> None:
    committed = Committed(CAR)
    committed.commit(TO_BOB)
    committed.commit(transfer((TO_BOB, 0)))


# --- What strict refuses beyond the server --------------------------------------------------------

KEY = conditions.key_details(ALICE.public_key)
BAD_KEY = base58.encode(b"\x02" + bytes(31))


def set_output(**fields: Any) -> Any:
    return lambda tx: tx["outputs"][0].update(fields)


def set_uri(uri: str) -> Any:
    return lambda tx: tx["outputs"][0]["condition"].update(uri=uri)


def owned_by(details: dict[str, Any]) -> Tx:
    return transaction.sign(
        transaction.create([ALICE.public_key], [Output(details)], None), [ALICE]
    )


def with_more_bytes(tx: Tx) -> Tx:
    return changed(
        tx,
        lambda copied: copied["inputs"][0].update(
            fulfillment=f"{copied['inputs'][0]['fulfillment']}AAAA"
        ),
    )


def add_nul(entry: dict[str, Any]) -> None:
    entry["fulfillment"] = f"{entry['fulfillment'][:9]}\0{entry['fulfillment'][9:]}"


def set_key(tx: Tx, key: str) -> None:
    tx["outputs"][0]["condition"]["details"]["public_key"] = key
    tx["outputs"][0]["public_keys"] = [key]


STRICT_RULES: list[tuple[str, Tx, list[Tx], str]] = [
    (
        "a CREATE that names another issuer",
        resigned(
            unsigned_create(), lambda tx: tx["inputs"][0].update(owners_before=[BOB.public_key])
        ),
        [],
        "owners_before_mismatch",
    ),
    (
        "a CREATE that names one issuer more",
        resigned(
            unsigned_create(),
            lambda tx: tx["inputs"][0].update(owners_before=[ALICE.public_key, BOB.public_key]),
        ),
        [],
        "owners_before_mismatch",
    ),
    (
        "a CREATE that names nobody",
        resigned(unsigned_create(), lambda tx: tx["inputs"][0].update(owners_before=[])),
        [],
        "owners_before_mismatch",
    ),
    (
        "a TRANSFER that names another owner",
        resigned(UNSIGNED, lambda tx: tx["inputs"][0].update(owners_before=[BOB.public_key])),
        [CAR],
        "owners_before_mismatch",
    ),
    (
        "public_keys of somebody else",
        resigned(unsigned_create(), set_output(public_keys=[BOB.public_key])),
        [],
        "public_keys_mismatch",
    ),
    (
        "no public_keys",
        resigned(unsigned_create(), set_output(public_keys=[])),
        [],
        "public_keys_mismatch",
    ),
    (
        "public_keys null",
        resigned(unsigned_create(), set_output(public_keys=None)),
        [],
        "public_keys_mismatch",
    ),
    (
        "a uri of another condition",
        resigned(unsigned_create(), set_uri(conditions.key_uri(BOB.public_key))),
        [],
        "condition_uri_mismatch",
    ),
    (
        "two of one",
        owned_by(conditions.threshold_details(2, [KEY])),
        [],
        "unsatisfiable_threshold",
    ),
    (
        "a part that nobody can fulfil",
        owned_by(conditions.threshold_details(2, [KEY, conditions.threshold_details(2, [KEY])])),
        [],
        "unsatisfiable_threshold",
    ),
    ("a key that is no point", owned_by(conditions.key_details(BAD_KEY)), [], "not_a_curve_point"),
    (
        "a key that is no point among others",
        owned_by(conditions.threshold_details(1, [KEY, conditions.key_details(BAD_KEY)])),
        [],
        "not_a_curve_point",
    ),
    (
        "an amount with a zero before it",
        resigned(unsigned_create(), set_output(amount="01")),
        [],
        "amount_leading_zero",
    ),
    (
        "no outputs",
        resigned(unsigned_create(), lambda tx: tx.update(outputs=[])),
        [],
        "no_outputs",
    ),
    ("bytes after a CREATE's fulfillment", with_more_bytes(CAR), [], "noncanonical_fulfillment"),
    (
        "bytes after a TRANSFER's fulfillment",
        with_more_bytes(TO_BOB),
        [CAR],
        "noncanonical_fulfillment",
    ),
    (
        "bytes after a threshold's fulfillment",
        with_more_bytes(transfer((JOINT, 0))),
        [JOINT],
        "noncanonical_fulfillment",
    ),
    (
        "a CREATE signed by nobody, with a preimage",
        show(unsigned_create(), conditions.PreimageFulfillment(b"secret")),
        [],
        "unsupported_fulfillment",
    ),
    (
        "a CREATE signed behind a prefix",
        show(
            unsigned_create(),
            conditions.PrefixFulfillment(b"", 32, signature(unsigned_create(), ALICE)),
        ),
        [],
        "unsupported_fulfillment",
    ),
    (
        "a CREATE signed by nobody, with none of none",
        show(
            resigned(unsigned_create(), lambda tx: tx["inputs"][0].update(owners_before=[])),
            conditions.ThresholdFulfillment([], []),
        ),
        [],
        "unsupported_fulfillment",
    ),
    (
        "a NUL in a CREATE's fulfillment",
        changed(CAR, lambda tx: add_nul(tx["inputs"][0])),
        [],
        "noncanonical_fulfillment",
    ),
    (
        "a NUL in a TRANSFER's fulfillment",
        changed(TO_BOB, lambda tx: add_nul(tx["inputs"][0])),
        [CAR],
        "noncanonical_fulfillment",
    ),
    (
        "a NUL after the uri",
        resigned(unsigned_create(), set_uri(conditions.key_uri(ALICE.public_key) + "\0more")),
        [],
        "condition_uri_mismatch",
    ),
    (
        "a NUL after the version",
        resigned(unsigned_create(), lambda tx: tx.update(version="2.0\0more")),
        [],
        "version_mismatch",
    ),
    (
        "a NUL after the version of a TRANSFER",
        resigned(UNSIGNED, lambda tx: tx.update(version="2.0\0")),
        [CAR],
        "version_mismatch",
    ),
    (
        "a line end after the key of a condition",
        resigned(unsigned_create(), lambda tx: set_key(tx, f"{ALICE.public_key}\n")),
        [],
        "noncanonical_key",
    ),
    (
        "a preimage inside a threshold",
        show(
            unsigned_create(),
            conditions.ThresholdFulfillment(
                [signature(unsigned_create(), ALICE), conditions.PreimageFulfillment(b"")], []
            ),
        ),
        [],
        "unsupported_fulfillment",
    ),
]


@pytest.mark.parametrize(
    ("tx", "before", "code"),
    [(tx, before, code) for _, tx, before, code in STRICT_RULES],
    ids=[name for name, *_ in STRICT_RULES],
)
def test_what_strict_refuses_and_the_server_does_not(tx: Tx, before: list[Tx], code: str) -> None:
    assert verdict(tx, *before, profile=STRICT) == code
    assert verdict(tx, *before, profile=SERVER) is None


def test_what_has_blanks_after_its_key_is_spent_by_the_key() -> None:
    odd = resigned(unsigned_create(), lambda tx: set_key(tx, f"{ALICE.public_key} \n"))
    spend = resigned(
        transaction.transfer(
            [Spend(odd["id"], 0, KEY, (ALICE.public_key,))], [output(BOB)], odd["id"]
        ),
        lambda _: None,
    )
    assert verdict(spend, odd, profile=SERVER) is None


def test_what_has_no_public_keys_is_spent_by_its_condition() -> None:
    odd = resigned(unsigned_create(), set_output(public_keys=None))
    assert verdict(transfer((odd, 0)), odd, profile=SERVER) is None


def test_owners_are_compared_as_sets() -> None:
    several = transaction.create(
        [ALICE.public_key, BOB.public_key], [output(ALICE, BOB)], {"name": "joint"}
    )
    swapped = resigned(several, lambda tx: tx["inputs"][0]["owners_before"].reverse(), ALICE, BOB)
    assert verdict(swapped) is None
    turned = resigned(several, lambda tx: tx["outputs"][0]["public_keys"].reverse(), ALICE, BOB)
    assert verdict(turned) is None
    spend = resigned(
        unsigned_transfer((turned, 0)),
        lambda tx: tx["inputs"][0]["owners_before"].reverse(),
        ALICE,
        BOB,
    )
    assert verdict(spend, turned) is None
    same_key_twice = owned_by(conditions.threshold_details(2, [KEY, KEY]))
    assert verdict(same_key_twice) is None


def test_what_the_server_took_is_a_deviation_in_its_profile() -> None:
    tx = resigned(unsigned_create(), set_output(amount="01"))
    checked = structure.check(tx)
    (deviation,) = checked.deviations
    assert deviation.code == "amount_leading_zero"
    with pytest.raises(InvalidError, match=re.escape(deviation.message)) as caught:
        validity.judge(checked, Committed())
    assert "2.2.2" in str(caught.value.hint)


# --- Nothing can be changed -----------------------------------------------------------------------

SIGNED = [
    (CAR, []),
    (TO_BOB, [CAR]),
    (transfer((JOINT, 0), metadata={"a": [1, 2.5, None, True, "é"]}), [JOINT]),
    (transfer((SHARES, 0), (SHARES, 1), outputs=[output(BOB, amount=100)]), [SHARES]),
    (show(THREE_UNSIGNED, of_three(ALICE, CAROL)), [TWO_OF_THREE]),
]


@given(st.sampled_from(SIGNED), st.data())
def test_any_changed_byte_is_refused(case: tuple[Tx, list[Tx]], data: st.DataObject) -> None:
    tx, before = case
    text = bytearray(canonical.encode(tx))
    position = data.draw(st.integers(0, len(text) - 1))
    text[position] = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[position]))
    try:
        other = canonical.decode(bytes(text))
    except InvalidError:
        return
    assert canonical.encode(other) != canonical.encode(tx)
    for profile in validity.PROFILES:
        assert verdict(other, *before, profile=profile) == "invalid_hash"
    # Whoever changes it can also write the id that belongs to it, but cannot sign.
    with contextlib.suppress(InvalidError):
        rehashed(other)
        if canonical.encode(other) != canonical.encode(tx):
            assert verdict(other, *before) is not None


@given(st.sampled_from(SIGNED), st.data())
def test_any_changed_value_with_a_new_id_is_refused(
    case: tuple[Tx, list[Tx]], data: st.DataObject
) -> None:
    tx, before = case
    copied = canonical.decode(canonical.encode(tx))
    places = [
        (place, key)
        for place, key, value in _places(copied)
        if not isinstance(value, (dict, list)) and key != "id"
    ]
    place, key = data.draw(st.sampled_from(places))
    values = st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3)
    place[key] = data.draw(values.filter(lambda value: json.dumps(value) != json.dumps(place[key])))
    assert verdict(rehashed(copied), *before) is not None


def _places(value: Any) -> list[tuple[Any, Any, Any]]:
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    found = [(value, key, item) for key, item in items]
    for item in items:
        if isinstance(item[1], (dict, list)):
            found += _places(item[1])
    return found


@pytest.mark.parametrize("profile", [STRICT, SERVER])
def test_numbers_too_long_for_text_are_refused_not_a_crash(profile: str) -> None:
    # A cost of 7,000 decimal digits: Python writes no number of more than 4,300.
    tlv = conditions._tlv
    shown = conditions.KeyFulfillment(ALICE.public_bytes, bytes(64)).encode()
    hidden = tlv(0xA4, tlv(0x80, bytes(32)) + tlv(0x81, b"\x7f" * 3000))
    first = create()
    tx = unsigned_transfer((first, 0))
    fulfillment = urlsafe_b64encode(tlv(0xA2, tlv(0xA0, shown) + tlv(0xA1, hidden)))
    tx["inputs"][0]["fulfillment"] = fulfillment.rstrip(b"=").decode()
    assert verdict(rehashed(tx), first, profile=profile) == "invalid_signature"


def test_a_refusal_reads_the_same_in_every_process() -> None:
    tx = rehashed({**create(), **dict.fromkeys(["zeta", "alpha", "mu", "beta"], 1)})
    with pytest.raises(InvalidError, match=r"^alpha is not a field of a transaction$"):
        structure.check(tx)


def test_strangers_texts_are_not_kept() -> None:
    kept = (conditions.key_condition, base58.decode_key, base58.encode_key, ed25519.is_point)
    tx = create()
    structure.check(tx)
    before = [cache.cache_info().currsize for cache in kept]
    tx["inputs"][0]["owners_before"] = ["z" * 100_000]
    with contextlib.suppress(InvalidError):
        structure.check(rehashed(tx))
    tx["outputs"][0]["condition"]["details"]["public_key"] += " " * 100_000
    tx["outputs"][0]["public_keys"] = [ALICE.public_key + "#" * 100_000]
    with contextlib.suppress(InvalidError):
        structure.check(rehashed(tx))
    assert [cache.cache_info().currsize for cache in kept] == before
