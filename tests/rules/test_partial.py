"""Partly signed transactions: any order, exactly m signatures, nothing believed."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import cryptoconditions
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import base58, canonical, conditions
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConflictError, InvalidError, LockedError, TwinError
from twincli.model import owners, transaction
from twincli.rules import partial, structure
from twincli.rules.partial import Partial

KEYS = [KeyPair.from_seed(bytes([number]) * 32) for number in range(1, 13)]
JACK, KELLY, GERTRUDE, MALLORY, *_ = KEYS
BY_KEY = {key.public_key: key for key in KEYS}


def details(expression: str) -> dict[str, Any]:
    names = {"jack": JACK, "kelly": KELLY, "gertrude": GERTRUDE, "mallory": MALLORY}
    return owners.to_details(owners.parse(expression), lambda name: names[name].public_key)


def created(owner: dict[str, Any], amount: int = 100) -> dict[str, Any]:
    tx = transaction.create(
        [GERTRUDE.public_key], [transaction.Output(owner, amount)], {"name": "clips", "price": 1.0}
    )
    return transaction.sign(tx, [GERTRUDE])


def given_on(
    owner: dict[str, Any], metadata: dict[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a CREATE for an owner, and the unsigned transfer of all of it to Gertrude."""
    create = created(owner)
    output = transaction.Output(conditions.key_details(GERTRUDE.public_key), 100)
    spend = transaction.Spend.of(create)
    return create, transaction.transfer([spend], [output], create["id"], metadata)


def prepared(owner: str = "all:jack,kelly", metadata: dict[str, Any] | None = None) -> Partial:
    create, tx = given_on(details(owner), metadata)
    return partial.prepare(tx, [create], "ab" * 32)


def reread(item: Partial) -> Partial:
    """Return what comes back from a file."""
    text = json.dumps(partial.document(item), ensure_ascii=False, indent=1)
    return partial.read(canonical.decode(text))


# ------------------------------------------------------------ signing


def test_two_people_sign_one_after_the_other() -> None:
    item = prepared()
    assert not partial.is_complete(item)
    with pytest.raises(LockedError) as caught:
        partial.finish(item)
    assert caught.value.code == "missing_signature"
    item = reread(partial.sign(item, [KELLY]))
    assert partial.signed_by(item, 0) == [KELLY.public_key]
    item = reread(partial.sign(item, [JACK]))
    assert partial.is_complete(item)
    assert partial.finish(item) == transaction.sign(item.tx, [JACK, KELLY])


def test_order_of_signing_and_combining_changes_nothing() -> None:
    base = prepared("2of:jack,kelly,gertrude")
    copies = [partial.sign(base, [key]) for key in (GERTRUDE, KELLY, JACK)]
    one = partial.combine(copies)
    other = partial.combine([copies[2], copies[0], copies[1]])
    assert partial.document(one) == partial.document(other)
    assert partial.finish(one)["id"] == partial.finish(other)["id"]
    # Three have signed; exactly two signatures are given, the first in the condition's order.
    checked = structure.check(partial.finish(one))
    assert checked.inputs[0].fulfillment is not None
    shown = set(checked.inputs[0].fulfillment.keys())
    assert shown == {JACK.public_key, KELLY.public_key}


def test_the_body_digest_does_not_change_as_signatures_arrive() -> None:
    item = prepared()
    digests = [item.body_digest]
    for key in (KELLY, JACK):
        item = reread(partial.sign(item, [key]))
        digests.append(item.body_digest)
    assert set(digests) == {item.body_digest}
    assert partial.digest_of(partial.finish(item)) == item.body_digest
    message = transaction.message(partial.finish(item))
    assert item.body_digest == canonical.sha3_hex(message)


def test_of_two_signatures_of_one_key_the_smaller_stays() -> None:
    """A signer need not be deterministic; which of two files comes first must not matter."""
    item = partial.sign(prepared(), [JACK])
    place = (0, JACK.public_key)
    other = item._replace(signatures={place: b"\xff" * 64})
    for pair in ([item, other], [other, item]):
        assert partial.combine(pair).signatures[place] == item.signatures[place]


def test_what_no_signature_covers_does_not_depend_on_the_order_either() -> None:
    """A driver's file may lack the CREATE of the asset, and its ledger."""
    create, first = given_on(details("jack"))
    spent = transaction.sign(first, [JACK])
    output = transaction.Output(conditions.key_details(KELLY.public_key), 100)
    tx = transaction.transfer([transaction.Spend.of(spent)], [output], create["id"], None)
    whole = partial.document(partial.prepare(tx, [create, spent], "ab" * 32))
    less = partial.document(partial.prepare(tx, [spent], None))
    for pair in ([whole, less], [less, whole]):
        one = partial.read(pair[0])
        combined = partial.combine([one, partial.read(pair[1], one)])
        assert partial.document(combined) == whole


def test_a_create_that_several_issue() -> None:
    keys = [JACK.public_key, KELLY.public_key]
    output = transaction.Output(conditions.key_details(JACK.public_key))
    item = partial.prepare(transaction.create(keys, [output], {"a": 1}), [], None)
    item = reread(partial.sign(item, [KELLY, JACK]))
    assert structure.check(partial.finish(item)).verify()
    assert item.ledger is None


def test_inputs_of_several_owners_each_get_their_signatures() -> None:
    create = created(details("jack"))
    outputs = [
        transaction.Output(details("jack"), 60),
        transaction.Output(details("any:kelly,jack"), 40),
    ]
    spend = transaction.Spend.of(create)
    split = transaction.sign(transaction.transfer([spend], outputs, create["id"]), [JACK])
    spends = [transaction.Spend.of(split, 0), transaction.Spend.of(split, 1)]
    joined = [transaction.Output(details("gertrude"), 100)]
    tx = transaction.transfer(spends, joined, create["id"])
    item = partial.prepare(tx, [create, split], None)
    with_kelly = partial.sign(item, [KELLY])
    assert set(with_kelly.signatures) == {(1, KELLY.public_key)}
    whole = reread(partial.combine([with_kelly, partial.sign(item, [JACK])]))
    assert structure.check(partial.finish(whole)).verify()


def test_needed_counts_the_fewest_signatures() -> None:
    nested = details("2of:jack,(all:kelly,gertrude,mallory)")
    assert partial.needed(nested, []) == 4
    assert partial.needed(nested, [JACK.public_key, KELLY.public_key]) == 2
    assert partial.needed(details("any:jack,(all:kelly,gertrude)"), [KELLY.public_key]) == 1
    assert partial.needed(nested, [key.public_key for key in KEYS]) == 0


# ------------------------------------------------------------ generated trees


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> dict[str, Any]:
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        return conditions.key_details(draw(st.sampled_from(KEYS)).public_key)
    parts = draw(st.lists(trees(depth=depth - 1), min_size=1, max_size=4))
    return conditions.threshold_details(draw(st.integers(1, len(parts))), parts)


@given(tree=trees(), seed=st.integers(0, 2**32))
def test_the_official_verifier_takes_what_is_made_in_any_order(
    tree: dict[str, Any], seed: int
) -> None:
    check_tree(tree, seed)


@pytest.mark.ci
def test_the_official_verifier_takes_hundreds_of_trees() -> None:
    source = random.Random(20)
    for number in range(600):
        check_tree(random_tree(source, 4), number)


def random_tree(source: random.Random, depth: int) -> dict[str, Any]:
    if depth == 0 or source.random() < 0.3:
        return conditions.key_details(source.choice(KEYS).public_key)
    parts = [random_tree(source, depth - 1) for _ in range(source.randint(1, 4))]
    return conditions.threshold_details(source.randint(1, len(parts)), parts)


def check_tree(tree: dict[str, Any], seed: int) -> None:
    """Have keys sign in a random order until it is enough; judge the result with both rules."""
    create, tx = given_on(tree)
    item = partial.prepare(tx, [create], None)
    order = list(dict.fromkeys(conditions.leaf_keys(tree)))
    random.Random(seed).shuffle(order)
    copies = []
    for count, key in enumerate(order):
        left = partial.needed(tree, order[:count])
        assert (left == 0) == conditions.can_fulfil(tree, order[:count])
        copies.append(partial.sign(item, [BY_KEY[key]]))
    # A few too few: as soon as it is complete it can be finished, and not before.
    whole = partial.combine(copies)
    done = partial.finish(whole)
    assert partial.finish(partial.combine(copies[::-1])) == done
    uri = done["inputs"][0]["fulfillment"]
    theirs = cryptoconditions.Fulfillment.from_uri(uri)
    digest = whole.digests[0]
    assert theirs.condition_uri == create["outputs"][0]["condition"]["uri"]
    assert theirs.validate(message=digest)
    assert structure.check(done).verify()


# ------------------------------------------------------------ attacks


def attacked(change: Any, item: Partial | None = None) -> TwinError:
    """Return the error of a file in which somebody changed something."""
    document = copy.deepcopy(partial.document(item or partial.sign(prepared(), [JACK])))
    change(document)
    with pytest.raises(TwinError) as caught:
        partial.read(document)
    return caught.value


def test_another_recipient_is_noticed() -> None:
    def change(document: dict[str, Any]) -> None:
        other = transaction.Output(conditions.key_details(MALLORY.public_key), 100)
        tx = document["transaction"]
        spend = transaction.Spend.of(document["transactions"][0])
        tx["outputs"] = transaction.transfer([spend], [other], "")["outputs"]

    assert attacked(change).code == "invalid_hash"

    def and_digest(document: dict[str, Any]) -> None:
        change(document)
        document["body_digest"] = partial.digest_of(document["transaction"])

    error = attacked(and_digest)
    assert error.code == "invalid_signature"
    assert "altered" in (error.hint or "")


def test_another_amount_is_noticed() -> None:
    def change(document: dict[str, Any]) -> None:
        document["transaction"]["outputs"][0]["amount"] = "99"
        document["body_digest"] = partial.digest_of(document["transaction"])

    error = attacked(change)
    assert error.code == "amount_error"
    assert "100" in error.message
    assert "99" in error.message


def test_other_metadata_are_noticed() -> None:
    def change(document: dict[str, Any]) -> None:
        document["transaction"]["metadata"] = {"price": 2}

    assert attacked(change).code == "invalid_hash"


def test_numbers_written_anew_are_the_likely_cause() -> None:
    item = partial.sign(prepared(metadata={"price": 1.0}), [JACK])
    text = json.dumps(partial.document(item)).replace('"price": 1.0', '"price": 1')
    # The CREATE that it carries has such a number, too: that is noticed first, with the same hint.
    with pytest.raises(InvalidError) as caught:
        partial.read(canonical.decode(text))
    assert caught.value.code == "invalid_hash"
    assert "number" in (caught.value.hint or "")
    document = partial.document(item)
    document["transaction"] = {**item.tx, "metadata": {"price": 1}}
    with pytest.raises(InvalidError) as caught:
        partial.read(document)
    assert "jq makes 1.0 into 1" in (caught.value.hint or "")


def test_a_signature_of_an_uninvited_key_is_refused() -> None:
    with pytest.raises(InvalidError) as caught:
        partial.sign(prepared(), [MALLORY])
    assert caught.value.code == "uninvited_signature"

    def change(document: dict[str, Any]) -> None:
        document["signatures"].append(
            {"input": 0, "public_key": MALLORY.public_key, "signature": base58.encode(b"1" * 64)}
        )

    assert attacked(change).code == "uninvited_signature"


def test_an_invited_key_on_the_wrong_input_is_refused() -> None:
    def change(document: dict[str, Any]) -> None:
        document["signatures"][0]["input"] = 1

    assert attacked(change).code == "uninvited_signature"


@pytest.mark.parametrize("place", range(64))
def test_any_changed_byte_of_a_signature_is_refused(place: int) -> None:
    def change(document: dict[str, Any]) -> None:
        made = bytearray(base58.decode(document["signatures"][0]["signature"]))
        made[place] ^= 1
        document["signatures"][0]["signature"] = base58.encode(bytes(made))

    assert attacked(change).code == "invalid_signature"


def test_an_owner_that_the_output_does_not_ask_for_is_refused() -> None:
    """The file says that Jack alone suffices; the output it spends says otherwise."""

    def change(document: dict[str, Any]) -> None:
        entry = document["transaction"]["inputs"][0]
        entry["fulfillment"] = conditions.key_details(JACK.public_key)

    assert attacked(change).code == "invalid_partial"

    def before(document: dict[str, Any]) -> None:
        document["transaction"]["inputs"][0]["owners_before"] = [JACK.public_key]
        document["body_digest"] = partial.digest_of(document["transaction"])

    assert attacked(before).code == "invalid_partial"


def test_a_carried_transaction_that_was_altered_is_refused() -> None:
    def change(document: dict[str, Any]) -> None:
        document["transactions"][0]["outputs"][0]["amount"] = "1"

    assert attacked(change).code == "invalid_hash"


def test_copies_of_different_transactions_are_not_combined() -> None:
    one, other = prepared(), prepared(metadata={"a": 1})
    with pytest.raises(ConflictError) as caught:
        partial.combine([one, other])
    assert caught.value.code == "different_transactions"
    assert one.body_digest in caught.value.message


def test_what_was_read_before_is_not_checked_again_but_its_signatures_are() -> None:
    item = prepared()
    document = partial.document(partial.sign(item, [KELLY]))
    assert set(partial.read(document, item).signatures) == {(0, KELLY.public_key)}
    document["signatures"][0]["public_key"] = JACK.public_key
    with pytest.raises(InvalidError):
        partial.read(document, item)
    other = partial.document(prepared(metadata={"a": 1}))
    assert partial.read(other, item).body_digest == other["body_digest"]
    document["body_digest"] = "00" * 32
    with pytest.raises(InvalidError) as caught:
        partial.read(document, item)
    assert caught.value.code == "invalid_hash"


def test_one_output_cannot_be_spent_twice_in_one_transaction() -> None:
    create, tx = given_on(details("jack"))
    tx = {**tx, "inputs": tx["inputs"] * 2}
    with pytest.raises(InvalidError) as caught:
        partial.prepare(tx, [create], None)
    assert caught.value.code == "double_spend"


def test_outputs_of_different_assets_are_not_combined() -> None:
    create, _ = given_on(details("jack"))
    other = transaction.sign(
        transaction.create([JACK.public_key], [transaction.Output(details("jack"))], {"b": 2}),
        [JACK],
    )
    spends = [transaction.Spend.of(create), transaction.Spend.of(other)]
    tx = transaction.transfer(spends, [transaction.Output(details("kelly"), 101)], create["id"])
    with pytest.raises(InvalidError) as caught:
        partial.prepare(tx, [create, other], None)
    assert caught.value.code == "asset_id_mismatch"
    assert "divisible" in (caught.value.hint or "")


def test_what_only_the_server_would_take_is_refused() -> None:
    create, tx = given_on(details("jack"))
    tx["outputs"][0]["amount"] = "0100"
    with pytest.raises(InvalidError) as caught:
        partial.prepare(tx, [create], None)
    assert caught.value.code == "amount_leading_zero"


def without(name: str) -> Any:
    return lambda document: document.pop(name)


def with_value(value: Any, *path: Any) -> Any:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


BAD = "invalid_partial"
WRONG: tuple[Any, ...] = (None, 1, "x", {})


def rest() -> Iterator[Any]:
    for name in ("transaction", "signatures", "transactions"):
        yield pytest.param(without(name), "invalid_partial", id=f"no {name}")
        for value in WRONG:
            code = "schema_validation_error" if (name, value) == ("transaction", {}) else BAD
            yield pytest.param(with_value(value, name), code, id=f"{name} {value!r}")
    yield pytest.param(without("body_digest"), "invalid_hash", id="no digest")
    yield pytest.param(with_value(1, "ledger"), "invalid_partial", id="ledger a number")
    yield pytest.param(
        with_value("twin.partial/2", "schema"), "unsupported_version", id="version 2"
    )
    odd = {"input": True, "public_key": "x", "signature": "y"}
    values: tuple[Any, ...] = (*WRONG, odd)
    for value in values:
        yield pytest.param(
            with_value([value], "signatures"), "invalid_partial", id=f"signature {value!r}"
        )
    for member, value, code in (
        ("input", -1, "uninvited_signature"),
        ("signature", "1" * 89, "invalid_signature"),
        ("signature", "", "invalid_signature"),
    ):
        yield pytest.param(
            with_value(value, "signatures", 0, member), code, id=f"{member} {value!r:.9}"
        )
    inputs = ("transaction", "inputs")
    yield pytest.param(with_value("x", *inputs), "schema_validation_error", id="inputs text")
    yield pytest.param(with_value([1], *inputs), "schema_validation_error", id="input a number")
    yield pytest.param(
        with_value("pGSAIA", *inputs, 0, "fulfillment"),
        "invalid_signature",
        id="half a fulfillment",
    )
    yield pytest.param(
        with_value("ab" * 32, *inputs, 0, "fulfills", "transaction_id"),
        "invalid_partial",
        id="what it spends is not carried",
    )
    yield pytest.param(
        with_value(7, *inputs, 0, "fulfills", "output_index"), "invalid_partial", id="output 7"
    )


@pytest.mark.parametrize(("change", "code"), list(rest()))
def test_what_is_not_of_the_form_is_refused_by_name(change: Any, code: str) -> None:
    assert attacked(change).code == code


def test_an_input_that_is_fulfilled_already_is_refused() -> None:
    create, tx = given_on(details("jack"))
    signed = transaction.sign(tx, [JACK])
    with pytest.raises(InvalidError) as caught:
        partial.prepare(signed, [create], None)
    assert caught.value.code == "invalid_partial"


def test_a_create_whose_owners_are_not_those_asked_is_refused() -> None:
    tx = transaction.create([JACK.public_key], [transaction.Output(details("jack"))], {"a": 1})
    tx["inputs"][0]["owners_before"] = [KELLY.public_key]
    with pytest.raises(InvalidError) as caught:
        partial.prepare(tx, [], None)
    assert caught.value.code == "invalid_partial"


def test_only_a_partly_signed_transaction_says_that_it_is_one() -> None:
    assert partial.is_partial({"schema": "twin.partial/9"})
    others: list[Any] = [None, [], {}, {"schema": 1}, {"schema": "twin.transaction/1"}]
    for value in others:
        assert not partial.is_partial(value)
