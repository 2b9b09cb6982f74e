"""Every rule a transaction can break alone, by name and code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.committed import (
    ALICE,
    BOB,
    Tx,
    changed,
    create,
    output,
    rehashed,
    resigned,
    transfer,
    unsigned_create,
    verdict,
)
from twincli.crypto import canonical, conditions
from twincli.errors import ExitCode, InvalidError
from twincli.rules import data as data_rules
from twincli.rules import structure, validity

CREATE = create(data={"name": "car", "list": [1, {"deep": 2}]}, metadata={"km": 1})
TRANSFER = transfer((CREATE, 0), metadata={"km": 2})
KEY = ALICE.public_key

SCHEMA = "schema_validation_error"
Change = Callable[[Tx], object]


def put(*path: Any) -> Change:
    """Return what sets the last of ``path`` at the place that the others name."""
    *way, name, value = path

    def change(tx: Tx) -> None:
        place: Any = tx
        for step in way:
            place = place[step]
        place[name] = value

    return change


def drop(*path: Any) -> Change:
    *way, name = path

    def change(tx: Tx) -> None:
        place: Any = tx
        for step in way:
            place = place[step]
        del place[name]

    return change


def nested(depth: int, inside: dict[str, Any]) -> dict[str, Any]:
    for _ in range(depth):
        inside = conditions.threshold_details(1, [inside])
    return inside


LEAF = conditions.key_details(KEY)
DETAILS = ("outputs", 0, "condition", "details")
FULFILLS = ("inputs", 0, "fulfills")

# The numbers are those of the measured rules of BigchainDB 2.2.2, in the order it applies them.
ON_CREATE: list[tuple[str, Change, str]] = [
    # 9, 10, 11: the whole
    *[(f"9 without {name}", drop(name), SCHEMA) for name in CREATE if name != "id"],
    ("9 another field", put("extra", 1), SCHEMA),
    ("10 version 1.0", put("version", "1.0"), SCHEMA),
    ("10 version as a number", put("version", 2.0), SCHEMA),
    ("10 version as a list", put("version", ["2.0"]), SCHEMA),
    ("24 version and a line end", put("version", "2.0\n"), SCHEMA),
    ("10 version after a NUL", put("version", "\x002.0"), SCHEMA),
    ("20 amount and a NUL", put("outputs", 0, "amount", "1\0"), "amount_error"),
    (
        "21 uri after a NUL",
        put("outputs", 0, "condition", "uri", "\0" + conditions.key_uri(KEY)),
        SCHEMA,
    ),
    ("23 key after a NUL", put("outputs", 0, "public_keys", ["\0" + KEY]), SCHEMA),
    ("23 owner after a NUL", put("inputs", 0, "owners_before", ["\0" + KEY]), SCHEMA),
    ("30 key and a NUL", put(*DETAILS, "public_key", KEY + "\0"), SCHEMA),
    ("11 operation in lower case", put("operation", "create"), SCHEMA),
    ("11 operation GENESIS", put("operation", "GENESIS"), SCHEMA),
    ("5 operation as a list", put("operation", ["CREATE"]), SCHEMA),
    ("11 operation null", put("operation", None), SCHEMA),
    *[
        (f"42 {name}", put("operation", name), "operation_unsupported")
        for name in ("VALIDATOR_ELECTION", "CHAIN_MIGRATION_ELECTION", "VOTE")
    ],
    # 12, 13: metadata and asset
    ("12 metadata empty", put("metadata", {}), SCHEMA),
    ("12 metadata a list", put("metadata", [1]), SCHEMA),
    ("12 metadata a text", put("metadata", "km"), SCHEMA),
    ("12 metadata false", put("metadata", False), SCHEMA),
    ("13 asset null", put("asset", None), SCHEMA),
    ("13 asset empty", put("asset", {}), SCHEMA),
    ("13 asset by id", put("asset", {"id": "0" * 64}), SCHEMA),
    ("13 asset with more", put("asset", {"data": None, "id": "0" * 64}), SCHEMA),
    ("13 asset.data a list", put("asset", "data", []), SCHEMA),
    ("13 asset.data a text", put("asset", "data", "x"), SCHEMA),
    # 15, 17, 18: inputs
    ("15 inputs null", put("inputs", None), SCHEMA),
    ("15 inputs a number", put("inputs", 7), SCHEMA),
    ("15 inputs an object", put("inputs", {"0": CREATE["inputs"][0]}), SCHEMA),
    ("15 inputs empty", put("inputs", []), SCHEMA),
    ("15 two inputs", put("inputs", CREATE["inputs"] * 2), SCHEMA),
    ("15 fulfills something", put(*FULFILLS, TRANSFER["inputs"][0]["fulfills"]), SCHEMA),
    ("15 fulfills missing", drop(*FULFILLS), SCHEMA),
    ("17 input a text", put("inputs", ["x"]), SCHEMA),
    ("17 without owners_before", drop("inputs", 0, "owners_before"), SCHEMA),
    ("17 without fulfillment", drop("inputs", 0, "fulfillment"), SCHEMA),
    ("17 input with more", put("inputs", 0, "more", 1), SCHEMA),
    ("18 fulfillment null", put("inputs", 0, "fulfillment", None), SCHEMA),
    ("18 fulfillment padded", put("inputs", 0, "fulfillment", "AA=="), SCHEMA),
    ("18 fulfillment with +", put("inputs", 0, "fulfillment", "A+/A"), SCHEMA),
    ("18 fulfillment not ASCII", put("inputs", 0, "fulfillment", "é"), SCHEMA),
    ("18 fulfillment and a line end", put("inputs", 0, "fulfillment", "AAAA\n"), SCHEMA),
    ("18 fulfillment an empty object", put("inputs", 0, "fulfillment", {}), SCHEMA),
    (
        "18 fulfillment of a preimage",
        put("inputs", 0, "fulfillment", {"type": "preimage-sha-256", "preimage": ""}),
        SCHEMA,
    ),
    # 19, 20: outputs and amounts
    ("19 outputs null", put("outputs", None), SCHEMA),
    ("19 output a text", put("outputs", ["x"]), SCHEMA),
    ("19 output without amount", drop("outputs", 0, "amount"), SCHEMA),
    ("19 output without condition", drop("outputs", 0, "condition"), SCHEMA),
    ("19 output without public_keys", drop("outputs", 0, "public_keys"), SCHEMA),
    ("19 output with more", put("outputs", 0, "more", 1), SCHEMA),
    ("19 condition a text", put("outputs", 0, "condition", "x"), SCHEMA),
    ("19 condition without uri", drop("outputs", 0, "condition", "uri"), SCHEMA),
    ("19 condition without details", drop(*DETAILS), SCHEMA),
    ("19 condition with more", put("outputs", 0, "condition", "more", 1), SCHEMA),
    ("20 amount a number", put("outputs", 0, "amount", 1), SCHEMA),
    ("20 amount empty", put("outputs", 0, "amount", ""), SCHEMA),
    ("20 amount in words", put("outputs", 0, "amount", "one"), SCHEMA),
    ("20 amount negative", put("outputs", 0, "amount", "-1"), SCHEMA),
    ("20 amount of other digits", put("outputs", 0, "amount", "\u0661"), SCHEMA),
    ("20 amount of 21 digits", put("outputs", 0, "amount", "1" * 21), SCHEMA),
    ("24 amount and a line end", put("outputs", 0, "amount", "1\n"), SCHEMA),
    # 21: uris
    ("21 uri null", put("outputs", 0, "condition", "uri", None), SCHEMA),
    ("21 uri empty", put("outputs", 0, "condition", "uri", ""), SCHEMA),
    ("21 uri of RSA", put("outputs", 0, "condition", "uri", "ni:///sha-256;x?fpt=rsa"), SCHEMA),
    (
        "21 uri with one part",
        put("outputs", 0, "condition", "uri", "ni:///sha-256;x?cost=131072"),
        SCHEMA,
    ),
    # 22, 23: details and keys
    ("22 details null", put(*DETAILS, None), SCHEMA),
    ("22 details of a preimage", put(*DETAILS, {"type": "preimage-sha-256"}), SCHEMA),
    ("22 details with more", put(*DETAILS, {**LEAF, "more": 1}), SCHEMA),
    ("22 details of no type", put(*DETAILS, {"public_key": KEY}), SCHEMA),
    ("22 threshold 0", put(*DETAILS, conditions.threshold_details(0, [LEAF])), SCHEMA),
    ("22 threshold 101", put(*DETAILS, conditions.threshold_details(101, [LEAF])), SCHEMA),
    ("22 threshold true", put(*DETAILS, conditions.threshold_details(True, [LEAF])), SCHEMA),
    ("22 threshold 1.0", put(*DETAILS, {**nested(1, LEAF), "threshold": 1.0}), SCHEMA),
    ("22 parts no list", put(*DETAILS, {**nested(1, LEAF), "subconditions": LEAF}), SCHEMA),
    ("22 a part of no type", put(*DETAILS, conditions.threshold_details(1, [{}])), SCHEMA),
    ("23 key too short", put(*DETAILS, conditions.key_details(KEY[:-2])), SCHEMA),
    ("23 key a number", put(*DETAILS, {**LEAF, "public_key": 7}), SCHEMA),
    ("23 owner too short", put("inputs", 0, "owners_before", [KEY[:-2]]), SCHEMA),
    ("23 owner a number", put("inputs", 0, "owners_before", [7]), SCHEMA),
    ("23 owners a text", put("inputs", 0, "owners_before", KEY), SCHEMA),
    ("23 public_keys a text", put("outputs", 0, "public_keys", KEY), SCHEMA),
    ("23 public_keys too short", put("outputs", 0, "public_keys", [KEY[:-2]]), SCHEMA),
    # 25, 26, 46: the data
    ("25 key with a dot", put("asset", "data", "a.b", 1), "validation_error"),
    ("25 key that starts with $", put("metadata", "$a", 1), "validation_error"),
    ("25 key with NUL", put("metadata", "a\0", 1), "validation_error"),
    ("25 key with a dot in a list", put("asset", "data", "list", 1, "a.b", 1), "validation_error"),
    ("26 language unknown", put("asset", "data", "language", "klingon"), "validation_error"),
    ("26 language a number", put("metadata", "language", 5), "validation_error"),
    ("26 language null", put("metadata", "language", None), "validation_error"),
    ("26 language an object", put("metadata", "language", {}), "validation_error"),
    ("26 language deep", put("asset", "data", "list", 1, "language", "x"), "validation_error"),
    ("46 integer 2^63", put("metadata", "km", 2**63), "overflow_error"),
    ("46 integer -2^63-1", put("metadata", "km", -(2**63) - 1), "overflow_error"),
    ("46 integer in a list", put("asset", "data", "list", 0, 2**64), "overflow_error"),
    # 27 to 32: encodings
    ("27 fulfillment no DER", put("inputs", 0, "fulfillment", "AAAA"), "invalid_signature"),
    ("27 fulfillment empty", put("inputs", 0, "fulfillment", ""), "invalid_signature"),
    ("28 fulfillment no base64", put("inputs", 0, "fulfillment", "A"), "invalid_signature"),
    ("29 owners_before null", put("inputs", 0, "owners_before", None), SCHEMA),
    ("30 key not base58", put(*DETAILS, conditions.key_details("O" + KEY[1:])), SCHEMA),
    ("30 key of 33 bytes", put(*DETAILS, conditions.key_details("z" * 44)), SCHEMA),
    ("31 nested too deep", put(*DETAILS, nested(100, LEAF)), "threshold_too_deep"),
    ("31 nested far too deep", put(*DETAILS, nested(150, LEAF)), "threshold_too_deep"),
    ("32 amount 0", put("outputs", 0, "amount", "0"), "amount_error"),
    ("32 amount 00", put("outputs", 0, "amount", "00"), "amount_error"),
    ("32 amount of 20 digits", put("outputs", 0, "amount", "1" * 20), "amount_error"),
    ("32 amount too large", put("outputs", 0, "amount", "9000000000000000001"), "amount_error"),
]

ON_TRANSFER: list[tuple[str, Change, str]] = [
    ("14 asset with data", put("asset", {"data": None}), SCHEMA),
    ("14 asset null", put("asset", None), SCHEMA),
    ("14 asset.id short", put("asset", "id", "0" * 63), SCHEMA),
    ("14 asset.id in upper case", put("asset", "id", "A" * 64), SCHEMA),
    ("14 asset.id null", put("asset", "id", None), SCHEMA),
    ("16 no inputs", put("inputs", []), SCHEMA),
    ("16 fulfills null", put(*FULFILLS, None), SCHEMA),
    ("16 fulfills missing", drop(*FULFILLS), SCHEMA),
    ("16 fulfills with more", put(*FULFILLS, "more", 1), SCHEMA),
    ("16 fulfills without index", drop(*FULFILLS, "output_index"), SCHEMA),
    ("16 transaction_id short", put(*FULFILLS, "transaction_id", "0" * 63), SCHEMA),
    ("16 transaction_id a number", put(*FULFILLS, "transaction_id", 0), SCHEMA),
    ("16 output_index negative", put(*FULFILLS, "output_index", -1), SCHEMA),
    ("16 output_index 0.0", put(*FULFILLS, "output_index", 0.0), SCHEMA),
    ("16 output_index false", put(*FULFILLS, "output_index", False), SCHEMA),
    ("16 output_index a text", put(*FULFILLS, "output_index", "0"), SCHEMA),
    ("24 output_index over 64 bits", put(*FULFILLS, "output_index", 2**63), SCHEMA),
    ("25 key with a dot", put("metadata", "a.b", 1), "validation_error"),
    ("26 language unknown", put("metadata", "language", "klingon"), "validation_error"),
]

CASES = [(CREATE, *case) for case in ON_CREATE] + [(TRANSFER, *case) for case in ON_TRANSFER]


@pytest.mark.parametrize(
    ("tx", "change", "code"),
    [(tx, change, code) for tx, _, change, code in CASES],
    ids=[f"{tx['operation']} {name}" for tx, name, _, _ in CASES],
)
def test_rules(tx: Tx, change: Change, code: str) -> None:
    broken = changed(tx, change)
    with pytest.raises(InvalidError) as caught:
        structure.check(broken)
    assert caught.value.code == code
    assert caught.value.exit_code == ExitCode.INVALID
    # An id that does not belong to the body comes first, whatever else is wrong.
    with pytest.raises(InvalidError) as caught:
        structure.check({**broken, "id": "0" * 64})
    assert caught.value.code == "invalid_hash"


@pytest.mark.parametrize("tx", [None, [], "tx", 1, True])
def test_3_what_is_no_object(tx: Any) -> None:
    with pytest.raises(InvalidError) as caught:
        structure.check(tx)
    assert caught.value.code == SCHEMA


@pytest.mark.parametrize(
    "identifier",
    [None, "", "0" * 64, CREATE["id"].upper(), CREATE["id"] + "0", CREATE["id"][:-1], 7, [], {}],
)
def test_7_the_id_is_the_hash_of_the_body(identifier: Any) -> None:
    with pytest.raises(InvalidError) as caught:
        structure.check({**CREATE, "id": identifier})
    assert caught.value.code == "invalid_hash"


def test_6_an_id_must_be_there() -> None:
    without = {key: value for key, value in CREATE.items() if key != "id"}
    with pytest.raises(InvalidError) as caught:
        structure.check(without)
    assert caught.value.code == "invalid_hash"


def deep(depth: int, inside: Any) -> Any:
    for number in range(depth):
        inside = {"a": inside} if number % 2 else [inside]
    return {"a": inside}


TOO_DEEP = deep(900, 1)


@pytest.mark.parametrize("inside", [1, {"language": "english"}])
def test_8_data_may_nest_deeply_but_not_without_end(inside: Any) -> None:
    most = data_rules.MAX_NESTING - 1 - isinstance(inside, dict)
    from_deep_in_a_program(300, lambda: data_rules.check_data(deep(most, inside), None))
    for depth in (most + 1, 100_000):
        with pytest.raises(InvalidError) as caught:
            data_rules.check_data(deep(depth, inside), None)
        assert caught.value.code == "unencodable"


def from_deep_in_a_program(frames: int, call: Callable[[], None]) -> None:
    if frames == 0:
        call()
    else:
        from_deep_in_a_program(frames - 1, call)


@pytest.mark.parametrize(
    "data",
    [
        {"a": "\ud800"},
        {"\udfff": 1},
        {"a": float("nan")},
        {"a": [float("inf")]},
        {1: "a"},
        {"a": {None: 1}},
        {"a": object()},
        {"a": b"bytes"},
        TOO_DEEP,
    ],
    ids=[
        "half a pair",
        "half a pair in a key",
        "nan",
        "infinity",
        "number as key",
        "null as key",
        "object",
        "bytes",
        "too deep",
    ],
)
def test_8_what_cannot_be_written_is_refused(data: Any) -> None:
    for tx in (
        {**CREATE, "asset": {"data": data}},
        {**CREATE, "metadata": data},
        {**TRANSFER, "metadata": data},
    ):
        with pytest.raises(InvalidError) as caught:
            structure.check(tx)
        # Such a body has no hash, so it cannot be the id that is wrong; only nesting that Python's
        # encoder takes and the rules do not leaves one.
        assert caught.value.code == ("invalid_hash" if data is TOO_DEEP else "unencodable")


def test_46_the_largest_integers_are_fine() -> None:
    for number in (2**63 - 1, -(2**63), True):
        tx = create(data={"n": number}, metadata={"l": [number]})
        assert structure.check(tx).tx is tx


@pytest.mark.parametrize(
    "key", ["O" + KEY[1:], KEY + "z", "é" + KEY, KEY[:43] + '"', KEY[:43] + "\\", KEY[:43] + "\n"]
)
def test_23_the_pattern_of_keys_is_not_anchored(key: str) -> None:
    """2.2.2 takes such keys where it only names them; what is stored is still canonical text."""
    for change, code in (
        (put("inputs", 0, "owners_before", [key]), "owners_before_mismatch"),
        (put("outputs", 0, "public_keys", [key]), "public_keys_mismatch"),
    ):
        tx = resigned(unsigned_create(), change)
        assert structure.check(tx).body.encode() == canonical.encode(tx)
        assert verdict(tx, profile=validity.SERVER) is None
        assert verdict(tx) == code


@pytest.mark.parametrize("key", ["0" * 43, "l" * 44, "1" * 43])
def test_a_key_that_cannot_be_read_is_not_plain(key: str) -> None:
    output = CREATE["outputs"][0]
    details = {"type": "ed25519-sha-256", "public_key": key}
    broken = put(
        "outputs",
        0,
        {**output, "public_keys": [key], "condition": {**output["condition"], "details": details}},
    )
    with pytest.raises(InvalidError) as caught:
        structure.check(changed(CREATE, broken))
    assert caught.value.code in {SCHEMA, "invalid_key"}


def test_data_need_not_come_from_json() -> None:
    for good in ({"a": (1, ("b",))}, {"a": [("b",)]}, {"long" * 30: 1}):
        data_rules.check_data(good, good)
    for odd in (({"a": [(2**63,)]}), (1, 2**63), ({"a.b": 1},), {"a": ({"$b": 1},)}):
        with pytest.raises(InvalidError):
            data_rules.check_data(odd, None)


# MongoDB's text search languages, by name and by code, as BigchainDB 2.2.2 lists them.
LANGUAGES = [
    *("danish", "da", "dutch", "nl", "english", "en", "finnish", "fi", "french", "fr"),
    *("german", "de", "hungarian", "hu", "italian", "it", "norwegian", "nb", "portuguese", "pt"),
    *("romanian", "ro", "russian", "ru", "spanish", "es", "swedish", "sv", "turkish", "tr"),
    "none",
]


@pytest.mark.parametrize("language", LANGUAGES)
def test_26_languages_of_mongodb(language: str) -> None:
    data_rules.check_data({"language": language}, {"x": [{"language": language}]})
    for other in (language.title(), language + " ", language[:-1]):
        for data, metadata in (({"language": other}, None), (None, {"x": [{"language": other}]})):
            with pytest.raises(InvalidError) as caught:
                data_rules.check_data(data, metadata)
            assert caught.value.code == "validation_error"


def test_26_there_are_no_other_languages() -> None:
    assert len(LANGUAGES) == 31
    assert set(LANGUAGES) == data_rules.LANGUAGES


def test_errors_name_the_path() -> None:
    for data, path in (
        ({"a": [{"b": {"$c": 1}}]}, "asset.data.a[0].b.$c"),
        ({"a": [{"language": 1}]}, "asset.data.a[0].language"),
        ({"a": {"n": [0, 2**63]}}, "asset.data.a.n[1]"),
    ):
        with pytest.raises(InvalidError) as caught:
            data_rules.check_data(data, None)
        assert caught.value.message.startswith(f"{path}: ")


def test_errors_name_the_place_in_nested_conditions() -> None:
    wrong = conditions.threshold_details(1, [LEAF, nested(1, {"type": "none"})])
    with pytest.raises(InvalidError) as caught:
        structure.check(changed(CREATE, put(*DETAILS[:-1], "details", wrong)))
    where = "outputs[0].condition.details.subconditions[1].subconditions[0]"
    assert f"{where} is neither" in caught.value.message.replace(": ", " ")
    short = conditions.threshold_details(1, [nested(1, {**LEAF, "public_key": "x"})])
    with pytest.raises(InvalidError) as caught:
        structure.check(changed(CREATE, put(*DETAILS[:-1], "details", short)))
    assert "details.subconditions[0].subconditions[0].public_key" in caught.value.message


@pytest.mark.parametrize("operation", ["create", "GENESIS", None, ["CREATE"]])
def test_an_unknown_operation_is_named(operation: Any) -> None:
    with pytest.raises(InvalidError, match=r"^operation is .*, not CREATE or TRANSFER"):
        structure.check(changed(CREATE, put("operation", operation)))


def test_what_passes_is_taken_apart() -> None:
    checked = structure.check(TRANSFER)
    assert checked.id == TRANSFER["id"]
    assert checked.asset_id == CREATE["id"]
    assert checked.operation == "TRANSFER"
    assert checked.body.encode() == canonical.encode(TRANSFER)
    assert [entry.spends for entry in checked.inputs] == [(CREATE["id"], 0)]
    assert [entry.owners_before for entry in checked.inputs] == [(KEY,)]
    assert [(entry.amount, entry.public_keys) for entry in checked.outputs] == [
        (1, (BOB.public_key,))
    ]
    assert checked.deviations == []
    assert checked.verify()
    assert checked.verify()
    assert structure.check(CREATE).asset_id == CREATE["id"]


def test_an_unsigned_input_is_form_but_no_signature() -> None:
    tx = rehashed(unsigned_create())
    checked = structure.check(tx)
    assert checked.inputs[0].fulfillment is None
    assert not checked.verify()


def test_a_wrong_signature_is_form_but_no_signature() -> None:
    other = create(data={"name": "bike"})
    tx = changed(CREATE, put("inputs", 0, "fulfillment", other["inputs"][0]["fulfillment"]))
    assert not structure.check(tx).verify()


# --- Whatever comes -------------------------------------------------------------------------------

TEXT = st.text(max_size=6)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | TEXT
    | st.sampled_from([KEY, CREATE["id"], "2.0", "CREATE", "TRANSFER", LEAF]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXT, values, max_size=3),
    max_leaves=8,
)
PLACES = [
    ("operation",),
    ("version",),
    ("id",),
    ("asset",),
    ("asset", "data"),
    ("metadata",),
    ("inputs",),
    ("inputs", 0),
    ("inputs", 0, "fulfillment"),
    ("inputs", 0, "fulfills"),
    ("inputs", 0, "owners_before"),
    ("outputs",),
    ("outputs", 0),
    ("outputs", 0, "amount"),
    ("outputs", 0, "condition"),
    ("outputs", 0, "condition", "details"),
    ("outputs", 0, "condition", "uri"),
    ("outputs", 0, "public_keys"),
]


@given(st.sampled_from([CREATE, TRANSFER]), st.sampled_from(PLACES), JSON, st.booleans())
def test_any_value_anywhere_is_judged_and_never_crashes(
    tx: Tx, place: tuple[Any, ...], value: Any, hash_it: bool
) -> None:
    odd = json.loads(json.dumps(tx))
    put(*place, value)(odd)
    if hash_it:
        try:
            rehashed(odd)
        except InvalidError:
            return
    for profile in validity.PROFILES:
        verdict(odd, *([CREATE] if tx is TRANSFER else []), profile=profile)


@given(JSON)
def test_any_document_is_judged_and_never_crashes(value: Any) -> None:
    with pytest.raises(InvalidError):
        structure.check(value)


@given(st.dictionaries(TEXT, JSON, max_size=3))
def test_a_transaction_of_any_data_is_its_own_text(data: dict[str, Any]) -> None:
    try:
        data_rules.check_data(data, None)
        tx = create(output(BOB), data=data, metadata={"m": data})
    except InvalidError:
        return
    checked = structure.check(tx)
    assert checked.body.encode() == canonical.encode(tx)
    assert checked.verify()


@pytest.mark.parametrize("field", ["owners_before", "fulfillment", "fulfills"])
def test_an_input_without_a_field_is_told_which(field: str) -> None:
    for tx in (CREATE, TRANSFER):
        with pytest.raises(InvalidError, match=rf"^inputs\[0\]\.{field} is missing$") as caught:
            structure.check(changed(tx, drop("inputs", 0, field)))
        assert caught.value.code == SCHEMA
    with pytest.raises(InvalidError, match=r"^inputs\[0\] has a field besides"):
        structure.check(changed(CREATE, put("inputs", 0, "more", 1)))


@pytest.mark.parametrize("missing", [None, ""])
def test_a_transaction_without_an_id_is_told_so(missing: str | None) -> None:
    for tx in ({**CREATE, "id": missing}, {**CREATE, "id": missing, "version": "1.0"}):
        with pytest.raises(InvalidError, match=r"has no id$") as caught:
            structure.check(tx)
        assert caught.value.code == "invalid_hash"


def test_the_first_missing_field_is_named() -> None:
    broken = changed(changed(CREATE, drop("inputs")), drop("version"))
    with pytest.raises(InvalidError, match=r"^inputs is missing$"):
        structure.check(broken)
