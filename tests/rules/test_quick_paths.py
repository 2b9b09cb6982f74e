"""Each quick path gives the verdict of the slow one, and both that of the rule as it is written."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import nacl.bindings
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.rules.committed import (
    ALICE,
    Tx,
    create,
    output,
    rehashed,
    resigned,
    transfer,
    unsigned_create,
    verdict,
)
from twincli.crypto import base58, conditions
from twincli.errors import InvalidError
from twincli.model.owners import BURN_ADDRESS
from twincli.model.transaction import Output
from twincli.rules import data as data_rules
from twincli.rules import structure, validity
from twincli.rules.data import LANGUAGES

# --- Data ----------------------------------------------------------------------------------------

KEYS = st.sampled_from(
    [
        "a",
        "b" * 120,
        "language",
        "a.b",
        ".",
        "$a",
        "a$",
        "$",
        "nul\0",
        "\0",
        "",
        "lang",
        "languages",
    ]
)
SCALARS = st.sampled_from(
    [
        *(None, True, "x", "en", "english", "klingon", "EN", 1.5, float(2**70), 0, -1),
        *(2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**30),
    ]
)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
DOCUMENT = st.none() | st.dictionaries(KEYS, DATA, max_size=3)


def members(value: Any) -> list[tuple[str | None, Any]]:
    """Return every key and value in a document."""
    found: list[tuple[str | None, Any]] = []
    if isinstance(value, dict):
        for key, item in value.items():
            found += [(key, item), *members(item)]
    elif isinstance(value, list):
        for item in value:
            found += [(None, item), *members(item)]
    return found


def expected(data: Any, metadata: Any) -> str | None:
    """Return the code that the rules 25, 26 and 46 give."""
    every = members(data) + members(metadata)
    if any(key and (key[0] == "$" or set(key) & set(".\0")) for key, _ in every):
        return "validation_error"
    if any(key == "language" and item not in [*LANGUAGES] for key, item in every):
        return "validation_error"
    if any(type(item) is int and not -(2**63) <= item < 2**63 for _, item in every):
        return "overflow_error"
    return None


@given(DOCUMENT, DOCUMENT)
@example({"a": {"$": 1}}, None)
@example({"a.b": 1}, None)
@example(None, {"x": [{"nul\0": 1}]})
@example({"language": "klingon"}, None)
@example({"language": "en"}, {"language": "da", "x": [2**63 - 1, -(2**63)]})
@example({"language": "x", "n": 2**63}, {"a.b": 1})
@example({"n": 2**63}, {"language": "x"})
@example({"n": [-(2**63) - 1]}, None)
def test_data(data: Any, metadata: Any) -> None:
    codes: list[str | None] = []
    for quick in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not quick:
                patch.setattr(data_rules, "is_clean", lambda _: False)
            try:
                data_rules.check_data(data, metadata)
            except InvalidError as error:
                codes.append(error.code)
            else:
                codes.append(None)
    assert codes == [expected(data, metadata)] * 2
    if data_rules.is_clean(data) and data_rules.is_clean(metadata):
        assert codes[0] is None


def test_a_key_that_was_seen_once_is_judged_the_same() -> None:
    for _ in range(2):
        data_rules.check_data({"seen once": "x"}, None)
        data_rules.check_data({"language": "en"}, None)
        for key in ("seen.once", "language", "$seen", "seen\0"):
            with pytest.raises(InvalidError, match="key") as caught:
                data_rules.check_data({key: "x"}, None)
            assert caught.value.code == "validation_error"


@pytest.mark.parametrize("around", [lambda x: [x], lambda x: {"a": x}], ids=["lists", "objects"])
def test_depth(around: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for quick in (True, False):
        if not quick:
            monkeypatch.setattr(data_rules, "is_clean", lambda _: False)
        for depth, allowed in ((500, True), (501, False)):
            data: Any = 1
            for _ in range(depth - 1):
                data = around(data)
            data = {"a": data}
            if allowed:
                data_rules.check_data(data, None)
                continue
            with pytest.raises(InvalidError, match="nested more than 500") as caught:
                data_rules.check_data(data, None)
            assert caught.value.code == "unencodable"


# --- Outputs -------------------------------------------------------------------------------------

# On the curve and not in the group that seeds lead to: the sum with a point of order 8.
ORDER_8 = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
MIXED = base58.encode(nacl.bindings.crypto_core_ed25519_add(ALICE.public_bytes, ORDER_8))
OWNERS = [ALICE.public_key, BURN_ADDRESS, MIXED, ALICE.public_key + " ", "1" * 32 + "2" * 11, "é"]
AMOUNTS = ["1", "01", "0", "9" * 19, "9000000000000000000", "9000000000000000001", "1\0", "1" * 21]


@given(st.sampled_from(OWNERS), st.sampled_from(AMOUNTS), st.sampled_from(OWNERS))
def test_outputs(owner: str, amount: str, other: str) -> None:
    tx = create()
    tx["outputs"][0] |= {"amount": amount, "public_keys": [other]}
    tx["outputs"][0]["condition"]["details"]["public_key"] = owner
    try:
        tx["outputs"][0]["condition"]["uri"] = conditions.key_uri(owner)
    except InvalidError:
        tx["outputs"][0]["condition"]["uri"] = conditions.key_uri(ALICE.public_key)
    rehashed(tx)
    found: list[Any] = []
    for quick in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not quick:
                patch.setattr(structure, "_plain_uri", lambda _: None)
            try:
                checked = structure.check(tx)
            except InvalidError as error:
                found.append((error.code, error.message))
            else:
                found.append((checked.body, checked.deviations, checked.outputs))
    assert found[0] == found[1]


@pytest.mark.parametrize("kept", [False, True])
def test_new_owners_are_looked_at_before_the_verdict(kept: bool) -> None:
    """The points of owners are looked at late; their deviation stands where it always stood."""
    tx = create(Output(conditions.key_details(MIXED)), output(ALICE))
    tx["outputs"][0]["amount"] = "01"
    tx["outputs"][1]["public_keys"] = []
    rehashed(tx)
    checked = structure.check(tx)
    if kept:
        checked.verify()
    assert [each.code for each in checked.deviations] == [
        "not_a_curve_point",
        "amount_leading_zero",
        "public_keys_mismatch",
    ]
    assert checked.deviations is checked.deviations
    assert MIXED in checked.deviations[0].message


# --- Inputs --------------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_fulfillments_of_one_key(public: bytes, signature: bytes) -> None:
    made = conditions.KeyFulfillment(public, signature)
    data = made.encode()
    slow = conditions._parse_item(conditions._Reader(data, 0, len(data)), 0)
    quick = conditions.parse(made.uri)
    assert isinstance(slow, conditions.KeyFulfillment)
    assert isinstance(quick, conditions.KeyFulfillment)
    for each in (slow, quick):
        assert (each.public_bytes, each.signature) == (public, signature)


@pytest.mark.parametrize("at", [0, 1, 2, 3, 36, 37])
@pytest.mark.parametrize("strict", [True, False])
def test_a_fulfillment_that_is_nearly_of_one_key(at: int, strict: bool) -> None:
    data = bytearray(conditions.KeyFulfillment(bytes(32), bytes(64)).encode())
    good = bytes(data)
    for other in set(range(256)) - {good[at]}:
        data[at] = other
        uri = urlsafe_b64encode(data).rstrip(b"=").decode()
        try:
            found = conditions.parse(uri, strict=strict)
        except InvalidError:
            continue
        assert found.encode() != good


# --- The ends of ranges --------------------------------------------------------------------------


def test_the_largest_output_index() -> None:
    first = create()
    for index, code in (
        (0, None),
        (1, "input_does_not_exist"),
        (2**63 - 1, "input_does_not_exist"),
        (2**63, "schema_validation_error"),
        (-1, "schema_validation_error"),
        (True, "schema_validation_error"),
    ):
        tx = transfer((first, 0))
        tx["inputs"][0]["fulfills"]["output_index"] = index
        assert verdict(rehashed(tx), first) == code


@pytest.mark.parametrize("profile", validity.PROFILES)
@pytest.mark.parametrize(("depth", "code"), [(99, None), (100, "threshold_too_deep")])
def test_the_depth_of_nested_conditions(depth: int, code: str | None, profile: str) -> None:
    details = conditions.key_details(ALICE.public_key)
    for _ in range(depth):
        details = conditions.threshold_details(1, [details])
    uri = conditions.from_details(details["subconditions"][0]).uri
    if code is None:
        uri = conditions.from_details(details).uri

    def change(tx: Tx) -> None:
        tx["outputs"][0]["condition"] = {"details": details, "uri": uri}

    assert verdict(resigned(unsigned_create(), change), profile=profile) == code
