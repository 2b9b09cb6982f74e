"""The envelope: recognised, left out, proved; its schemas."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

import pytest

from twincli.crypto import base58, canonical, cid
from twincli.crypto.ed25519 import KeyPair
from twincli.model import record

CAR = KeyPair(b"c" * 32)
OTHER = KeyPair(b"o" * 32)
SCHEMAS: dict[str, dict[str, Any]] = {
    file.name.removesuffix(".json"): json.loads(file.read_text())
    for file in (resources.files("twincli") / "model" / "schemas").iterdir()
    if file.name.endswith(".json") and file.name != "template-format.json"
}

ON_CREATE: dict[str, Any] = {
    "name": "car",
    "entity": CAR.public_key,
    "entity_proof": base58.encode(bytes(64)),
    "parent": "0" * 64,
    "about": "0" * 64,
    "template": "vehicle",
    "nonce": "00" * 16,
    "at": "2024-01-20T09:00:00Z",
}
ON_TRANSFER: dict[str, Any] = {
    "at": "2024-01-20T09:00:00Z",
    "clock": "unsynced",
    "source": "obd",
    "once": "token",
    "corrects": "0" * 64,
    "rebases": "0" * 64,
    "body": {"text": 1},
}
ON_MIGRATE: dict[str, Any] = {
    **{name: ON_TRANSFER[name] for name in ("at", "clock", "source", "once", "rebases")},
    "template": "vehicle-tracking-v1",
    "template_cid": "bafkreib4umnkq5vpx5nc2pep2sfpikbfh774q6jcyefcikb5fqmq44iaii",
    "given": [{"path": "mileage", "value": "20000", "unit": "km"}],
    "suspect": ["mileage"],
}
RECORDS = {name: ON_TRANSFER[name] for name in ON_TRANSFER if name != "corrects"}
ON_STATEMENT: dict[str, Any] = {
    **{name: ON_CREATE[name] for name in ("about", "nonce", "at")},
    "says": "event",
    "body": {"type": "inspection"},
}
KINDS = {
    record.ASSET: ON_CREATE,
    record.IDENTITY: ON_CREATE,
    record.APPEND: ON_TRANSFER,
    record.TRANSFER: {**ON_TRANSFER, "keeps": ["0" * 64]},
    record.BURN: ON_TRANSFER,
    record.MIGRATE: ON_MIGRATE,
    record.GRANT: RECORDS,
    record.REVOKE: RECORDS,
    record.LINK: RECORDS,
    record.FREEZE: RECORDS,
    record.UNFREEZE: RECORDS,
    record.FILE: RECORDS,
    **dict.fromkeys(("event", "state", "stage", "maintenance"), RECORDS),
    record.CERTIFICATE: {**RECORDS, "about": "0" * 64, "nonce": "00" * 16},
    record.STATEMENT: ON_STATEMENT,
}


def test_every_kind_has_a_schema() -> None:
    assert set(SCHEMAS) == set(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_schema_of_a_kind_names_its_fields(kind: str) -> None:
    schema = SCHEMAS[kind]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]
    made = record.envelope(kind, **KINDS[kind])
    assert set(schema["properties"]) == set(made)
    assert schema["required"][:2] == ["v", "kind"]
    types = {"string": str, "object": dict, "array": list}
    for name, rule in schema["properties"].items():
        value = made[name]
        if "const" in rule:
            assert value == rule["const"]
        else:
            assert isinstance(value, types[rule["type"]])
        if "pattern" in rule:
            assert re.search(rule["pattern"], value)
            assert not re.search(rule["pattern"], "no id: " + value)


def test_an_envelope_leaves_out_what_is_not_there() -> None:
    assert record.envelope("append") == {"v": 1, "kind": "append"}
    assert record.envelope("append", at=None, once="") == {"v": 1, "kind": "append", "once": ""}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "twin",
        {},
        {"a": 1},
        {"twin": None},
        {"twin": "mine"},
        {"twin": []},
        {"twin": {}},
        {"twin": {"kind": "append"}},
        {"twin": {"v": "1"}},
        {"twin": {"v": 1.0}},
        {"twin": {"v": True}},
        {"twin": {"v": None}},
    ],
)
def test_any_other_twin_is_user_data(document: Any) -> None:
    assert record.envelope_of(document) is None
    if isinstance(document, dict):
        assert record.without_envelope(document) == document


def test_an_unknown_version_or_kind_is_still_an_envelope() -> None:
    for envelope in ({"v": 1}, {"v": 99, "kind": "of the future", "more": 1}):
        assert record.envelope_of({"a": 1, "twin": envelope}) == envelope
        assert record.without_envelope({"a": 1, "twin": envelope}) == {"a": 1}


def test_leaving_the_envelope_out_changes_nothing_given() -> None:
    document = {"a": 1, "twin": {"v": 1}}
    record.without_envelope(document)
    assert "twin" in document
    assert record.without_envelope(None) == {}


def test_the_envelope_of_a_create() -> None:
    assert record.creating_envelope({"asset": {"data": {"twin": {"v": 1}}}}) == {"v": 1}
    assert record.creating_envelope({"asset": {"data": None}}) == {}
    assert record.creating_envelope({"asset": {"id": "0"}}) == {}


@pytest.mark.parametrize(
    ("data", "model"),
    [
        ({"id": "id:global:car:12-34", "schema": ""}, "car"),
        ({"id": "id:app:Model:"}, "Model"),
        ({"id": "id:app:car"}, None),
        ({"id": "id:app:car:1:2"}, None),
        ({"id": "ID:app:car:1"}, None),
        ({"id": 7}, None),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_the_model_of_a_twin_of_the_orm(data: Any, model: str | None) -> None:
    assert record.orm_model(data) == model
    assert ("model", model) in record.statements(data) or model is None


def test_statements() -> None:
    assert record.statements(None) == []
    assert record.statements({"parent": "x"}) == []
    envelope = {"v": 1, "kind": "asset", "parent": "p", "entity": 7, "template": "t", "name": "n"}
    assert record.statements({"twin": envelope, "id": "id:a:b:c"}) == [
        ("parent", "p"),
        ("kind", "asset"),
        ("template", "t"),
        ("model", "b"),
    ]


@pytest.mark.parametrize(
    ("kind", "nonce", "is_found"),
    [
        ("statement", "n", True),
        ("certificate", "n", True),
        ("asset", "n", False),
        ("statement", 7, False),
    ],
)
def test_statements_and_certificates_are_found_by_their_nonce(
    kind: str, nonce: Any, is_found: bool
) -> None:
    found = record.statements({"twin": {"v": 1, "kind": kind, "nonce": nonce}})
    assert found == [("kind", kind), *([("nonce", nonce)] if is_found else [])]


def test_a_template_is_found_by_the_cid_of_what_it_is() -> None:
    made = {"twin": {"v": 1, "kind": "template", "template": "pump-v1"}, "format": 1}
    found = dict(record.statements(made))
    assert found["compiled"] == cid.of(canonical.encode({"format": 1})).text
    # What has no canonical form (a foreign ledger may hold it) is found by nothing.
    assert "compiled" not in dict(record.statements({**made, "format": "\ud800"}))


def test_a_once_nonce_depends_on_token_and_signers_alone() -> None:
    nonce = record.once_nonce("token", ["b", "a"])
    # sha256 of {"once":"token","signers":["a","b"]}: a promise, so that retries meet everywhere.
    assert nonce == "b23cb7dd2ffedca7c81535ac91f7fda8a612f45b898dbe202dbd95a34051bad4"
    assert nonce == record.once_nonce("token", ["a", "b"])
    others = (
        ("other", ["a", "b"]),
        ("token", ["a"]),
        ("token", ["a", "b", "c"]),
        ("token", ["ab"]),
    )
    assert len({nonce, *(record.once_nonce(*other) for other in others)}) == 5


# --- The entity's proof ---------------------------------------------------------------------------


def proved(data: dict[str, Any], key: KeyPair = CAR) -> dict[str, Any]:
    proof = base58.encode(key.sign(record.entity_message(data)))
    return {**data, "twin": {**data["twin"], "entity_proof": proof}}


FACTS = {"color": "red", "twin": {"v": 1, "kind": "asset", "entity": CAR.public_key, "nonce": "1"}}


def test_what_the_entity_signs() -> None:
    message = record.entity_message(FACTS)
    assert message == b"twincli entity proof 1\n" + canonical.encode(FACTS)
    assert record.entity_message(proved(FACTS)) == message


def test_standing() -> None:
    assert record.entity_standing(None) is None
    assert record.entity_standing({"color": "red"}) is None
    assert record.entity_standing({"twin": {"v": 1, "entity": 7}}) is None
    assert record.entity_standing(FACTS) == "claimed"
    assert record.entity_standing(proved(FACTS)) == "proved"
    assert record.entity_standing(proved(FACTS, OTHER)) == "false_proof"


@pytest.mark.parametrize(
    "change",
    [
        {"color": "blue"},
        {"twin": {"nonce": "2"}},
        {"twin": {"entity": OTHER.public_key}},
        {"twin": {"entity": "no key"}},
        {"twin": {"entity_proof": "0OIl"}},
        {"twin": {"entity_proof": ""}},
        {"twin": {"entity_proof": 7}},
        {"twin": {"entity_proof": base58.encode(bytes(64))}},
    ],
)
def test_a_proof_holds_for_these_facts_only(change: dict[str, Any]) -> None:
    data = proved(FACTS)
    twin = {**data["twin"], **change.get("twin", {})}
    assert record.entity_standing({**data, **change, "twin": twin}) == "false_proof"


def test_a_proof_of_any_length_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(text: str) -> bytes:
        raise AssertionError(f"{len(text)} characters decoded: it takes the square of the length")

    monkeypatch.setattr(base58, "decode", decode)
    for proof in ("z" * 89, ["z"], 5):
        data = {"twin": record.envelope("asset", entity=CAR.public_key, entity_proof=proof)}
        assert record.entity_standing(data) == "false_proof"
