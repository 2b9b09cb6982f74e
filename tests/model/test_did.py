"""DIDs and DID documents against the published vectors."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import base58, multikey
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import InvalidError
from twincli.model import did
from twincli.model.owners import BURN_ADDRESS

VECTORS = Path(__file__).parents[1] / "vectors"
CORE: dict[str, Any] = json.loads((VECTORS / "did_core.json").read_text())
DID_KEY: dict[str, Any] = json.loads((VECTORS / "did_key.json").read_text())

ASSET = "d0" * 32
LEDGER = "0123456789abcdef"
ALICE = KeyPair.from_seed(b"a" * 32)
BOB = KeyPair.from_seed(b"b" * 32)


def _key(public_key: str) -> dict[str, Any]:
    return {"type": "ed25519-sha-256", "public_key": public_key}


def _threshold(threshold: int, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "threshold-sha-256", "threshold": threshold, "subconditions": list(parts)}


@pytest.mark.parametrize("text", CORE["syntax"]["valid"])
def test_valid_syntax(text: str) -> None:
    assert did.is_did(text)
    did.parse(text)


@pytest.mark.parametrize(
    "text", [*CORE["syntax"]["invalid"], "did:example:a\n", "did:a:" + "b" * 3000]
)
def test_invalid_syntax(text: str) -> None:
    assert not did.is_did(text)
    with pytest.raises(InvalidError) as caught:
        did.parse(text)
    assert caught.value.code == "invalid_did"


@pytest.mark.parametrize("text", CORE["syntax"]["url_valid"])
def test_valid_urls(text: str) -> None:
    named = re.split("[/?#]", text)[0]
    assert did.is_did(named)
    if text.split("#", maxsplit=1)[0] == named:
        assert did.parse(text) == did.parse(named)
    else:
        with pytest.raises(InvalidError, match="no path and no query"):
            did.parse(text)


@given(st.binary(min_size=32, max_size=32), st.text("0123456789abcdef", min_size=64, max_size=64))
def test_a_url_with_a_fragment_names_what_its_did_names(seed: bytes, asset: str) -> None:
    text = did.key_did(KeyPair.from_seed(seed).public_key)
    document = did.key_document(text)
    assert did.parse(document["authentication"][0]) == did.parse(text)
    for other in (document["keyAgreement"][0]["id"], f"{text}#", f"{text}#0"):
        with pytest.raises(InvalidError, match="fragment is not the key"):
            did.parse(other)
    assert did.parse(f"did:bdb:{asset}#{text[8:]}") == did.parse(f"did:bdb:{asset}")
    for odd in (f"did:{asset}#a", f"did:bdb:{asset}#a#b", f"did:bdb:{asset}# "):
        with pytest.raises(InvalidError, match="syntax"):
            did.parse(odd)


@pytest.mark.parametrize("text", CORE["syntax"]["url_invalid"])
def test_invalid_urls(text: str) -> None:
    with pytest.raises(InvalidError, match="syntax") as caught:
        did.parse(text)
    assert caught.value.code == "invalid_did"


@given(
    st.sampled_from(["did:", "did:key:", "did:bdb:", "did:id:a:b:", "did:web:a"]),
    st.text(alphabet="did:key#?/%aZ09._- \n", max_size=30),
)
def test_any_text_is_parsed_or_refused(start: str, rest: str) -> None:
    text = start + rest
    found = None
    with contextlib.suppress(InvalidError):
        found = did.parse(text)
    if found is None:
        assert start in {"did:", "did:key:", "did:bdb:"} or not did.is_did(text)
    else:
        assert found.text == text.partition("#")[0]
        assert did.is_did(found.text)
        assert did.parse(found.text) == found


@pytest.mark.parametrize("case", DID_KEY["invalid"], ids=lambda case: case["why"])
def test_invalid_did_keys(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidError) as caught:
        did.parse(case["did"])
    assert caught.value.code == "invalid_did"


@pytest.mark.parametrize(("text", "case"), DID_KEY["official"].items())
def test_official_did_keys(text: str, case: dict[str, Any]) -> None:
    pair = KeyPair.from_seed(bytes.fromhex(case["seed"]))
    assert did.key_did(pair.public_key) == text
    assert did.parse(text) == did.Did(text, "key", public_key=pair.public_key)
    document = did.key_document(text)
    agreement = document["keyAgreement"][0]
    assert agreement["id"] == case["didDocument"]["keyAgreement"][0]
    _, raw = multikey.decode(agreement["publicKeyMultibase"])
    assert base58.encode(raw) == case["keyAgreementKeyPair"]["publicKeyBase58"]
    assert document["authentication"] == case["didDocument"]["authentication"]


@pytest.mark.parametrize("case", DID_KEY["generated"], ids=lambda case: case["did"])
def test_did_key_documents(case: dict[str, Any]) -> None:
    assert did.key_did(case["public_key_base58"]) == case["did"]
    assert did.key_document(case["did"]) == case["did_document_multikey_form"]
    _check_document(did.key_document(case["did"]))


@given(st.binary(min_size=32, max_size=32))
def test_the_did_of_a_key_gives_the_key(seed: bytes) -> None:
    public_key = KeyPair.from_seed(seed).public_key
    assert did.parse(did.key_did(public_key)).public_key == public_key


def test_other_kinds_of_key_are_other() -> None:
    text = "did:key:" + multikey.encode(0x1200, bytes(33))
    assert did.parse(text).kind == "other"
    with pytest.raises(InvalidError, match="Ed25519"):
        did.key_document(text)


def test_a_key_that_is_no_point_has_no_document() -> None:
    with pytest.raises(InvalidError) as caught:
        did.key_document("did:key:" + multikey.encode_ed25519(bytes(32)))
    assert caught.value.code == "invalid_public_key"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"did:bdb:{ASSET}", did.Did(f"did:bdb:{ASSET}", "asset", asset_id=ASSET)),
        (
            f"did:bdb:{LEDGER}:{ASSET}",
            did.Did(f"did:bdb:{LEDGER}:{ASSET}", "asset", asset_id=ASSET, ledger=LEDGER),
        ),
        (f"did:{ASSET}", did.Did(f"did:{ASSET}", "tutorial", asset_id=ASSET)),
        (
            "did:id:global:myModel:5f1c",
            did.Did("did:id:global:myModel:5f1c", "orm", orm_id="id:global:myModel:5f1c"),
        ),
        ("did:web:example.com", did.Did("did:web:example.com", "other")),
    ],
)
def test_kinds(text: str, expected: did.Did) -> None:
    assert did.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"did:bdb:{ASSET.upper()}",
        f"did:bdb:{ASSET[:-1]}",
        f"did:bdb:{ASSET}0",
        f"did:bdb:{ASSET}:{LEDGER}",
        f"did:bdb:{LEDGER[1:]}:{ASSET}",
        "did:bdb:5f1c9a2e-0000-4000-8000-000000000000",
        f"did:{ASSET.upper()}",
        f"did:{ASSET}#x",
        f"did:{ASSET}\n",
    ],
)
def test_near_misses(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        did.parse(text)
    assert caught.value.code == "invalid_did"


def test_asset_did() -> None:
    assert did.asset_did(ASSET) == f"did:bdb:{ASSET}"
    assert did.asset_did(ASSET, LEDGER) == f"did:bdb:{LEDGER}:{ASSET}"
    assert did.asset_did(ASSET, LEDGER * 4) == f"did:bdb:{LEDGER}:{ASSET}"
    assert did.is_did(did.asset_did(ASSET, LEDGER))
    for bad in (("xyz", None), (ASSET, "short")):
        with pytest.raises(InvalidError):
            did.asset_did(*bad)


def test_asset_document_of_one_owner() -> None:
    text = did.asset_did(ASSET, LEDGER)
    document = did.asset_document(text, owners=[_key(ALICE.public_key)])
    assert document == {
        "@context": list(did.CONTEXT),
        "id": text,
        "controller": did.key_did(ALICE.public_key),
    }
    _check_document(document)
    assert "controller" not in did.asset_document(text, owners=[])


def test_asset_document_of_several_owners_and_an_entity() -> None:
    text = did.asset_did(ASSET)
    details = _threshold(1, _key(ALICE.public_key), _threshold(2, _key(BOB.public_key)))
    document = did.asset_document(
        text, owners=[details, _key(ALICE.public_key)], entity=BOB.public_key
    )
    bob = did.key_did(BOB.public_key)
    assert document["controller"] == [did.key_did(ALICE.public_key), bob]
    assert document["alsoKnownAs"] == [bob]
    method = document["verificationMethod"][0]
    assert method["publicKeyMultibase"] == bob.removeprefix("did:key:")
    assert document["authentication"] == document["assertionMethod"] == [method["id"]]
    _check_document(document)


def test_a_burned_asset_has_no_controller() -> None:
    text = did.asset_did(ASSET)
    burned = [_key(BURN_ADDRESS)]
    assert did.is_burned(burned)
    assert not did.is_burned([])
    assert not did.is_burned([*burned, _key(ALICE.public_key)])
    document = did.asset_document(text, owners=burned, entity=BOB.public_key)
    assert document == {"@context": list(did.CONTEXT), "id": text}


@pytest.mark.parametrize("text", [f"did:{ASSET}", did.key_did(ALICE.public_key)])
def test_only_did_bdb_has_an_asset_document(text: str) -> None:
    with pytest.raises(InvalidError):
        did.asset_document(text, owners=[_key(ALICE.public_key)])


def test_resolution() -> None:
    short, whole = did.asset_did(ASSET), did.asset_did(ASSET, LEDGER)
    document = did.asset_document(short, owners=[_key(BURN_ADDRESS)])
    assert did.resolution(
        document,
        canonical_id=whole,
        created_ms=1705741200999,
        updated_ms=1705741201000,
        version_id=ASSET,
        deactivated=True,
    ) == {
        "didDocument": document,
        "didResolutionMetadata": {"contentType": "application/did+ld+json"},
        "didDocumentMetadata": {
            "created": "2024-01-20T09:00:00Z",
            "updated": "2024-01-20T09:00:01Z",
            "versionId": ASSET,
            "deactivated": True,
            "canonicalId": whole,
            "equivalentId": [whole],
        },
    }
    bare = did.resolution({"id": whole}, canonical_id=whole)
    assert bare["didDocumentMetadata"] == {"canonicalId": whole}
    assert did.resolution({"id": whole})["didDocumentMetadata"] == {}


def test_failed_resolution() -> None:
    assert did.failed_resolution("notFound") == {
        "didDocument": None,
        "didResolutionMetadata": {"error": "notFound"},
        "didDocumentMetadata": {},
    }


def _check_document(document: dict[str, Any]) -> None:
    """Hold a document against the rules of DID Core, as ``did_core.json`` lists them."""
    assert document["@context"][0] == "https://www.w3.org/ns/did/v1"
    assert did.is_did(document["id"])
    controllers = document.get("controller", [])
    for controller in [controllers] if isinstance(controllers, str) else controllers:
        assert did.is_did(controller)
    methods = list(document.get("verificationMethod", []))
    identifiers = {method["id"] for method in methods}
    for relation in (
        "authentication",
        "assertionMethod",
        "keyAgreement",
        "capabilityInvocation",
        "capabilityDelegation",
    ):
        entries = document.get(relation, [])
        assert len(entries) == len({json.dumps(entry) for entry in entries})
        for entry in entries:
            if isinstance(entry, str):
                assert entry in identifiers
            else:
                methods.append(entry)
    for method in methods:
        named, _, fragment = method["id"].partition("#")
        assert did.is_did(named)
        assert fragment
        assert isinstance(method["type"], str)
        assert did.is_did(method["controller"])
        assert re.fullmatch("z[1-9A-HJ-NP-Za-km-z]+", method["publicKeyMultibase"])
        assert "publicKeyJwk" not in method
