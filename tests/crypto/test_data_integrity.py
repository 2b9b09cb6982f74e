"""Data Integrity proofs, against the vectors of the W3C and of two other implementations."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import base58, data_integrity, ed25519, multikey
from twincli.errors import ConfigError, InvalidError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "vc_data_integrity.json").read_text())
W3C = VECTORS["eddsa-jcs-2022"]
MADE = VECTORS["generated_jcs"]
KEY = ed25519.KeyPair.from_seed(bytes.fromhex(MADE["key"]["seed"]))


def apart(signed: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], str]:
    document = {name: value for name, value in signed.items() if name != "proof"}
    options = {name: value for name, value in signed["proof"].items() if name != "proofValue"}
    return document, options, signed["proof"]["proofValue"]


def holds(signed: dict[str, Any]) -> bool:
    document, options, value = apart(signed)
    key = data_integrity.key_of(options["verificationMethod"])
    signature = data_integrity.signature_of(value)
    message = data_integrity.jcs_message(document, options)
    if key is None or signature is None or message is None:
        return False
    return ed25519.verify(key, message, signature)


def test_the_vector_of_the_w3c() -> None:
    document, options, _ = apart(W3C["signed"])
    assert data_integrity.canonical(document).decode() == W3C["canonical_document"]
    assert data_integrity.canonical(options).decode() == W3C["canonical_proof_config"]
    message = data_integrity.jcs_message(document, options)
    assert message is not None
    assert message.hex() == W3C["combined_hash"]
    assert holds(W3C["signed"])


@pytest.mark.parametrize("vector", MADE["vectors"], ids=lambda vector: vector["name"])
def test_proofs_are_those_of_other_implementations(vector: dict[str, Any]) -> None:
    made = data_integrity.sign(vector["unsigned"], KEY, vector["created"])
    assert made == vector["signed"]
    assert holds(made)


@pytest.mark.parametrize("vector", MADE["tampered"], ids=lambda vector: vector["name"])
def test_what_was_changed_does_not_hold(vector: dict[str, Any]) -> None:
    assert holds(vector["signed"]) == vector["verifies"]


def test_a_document_without_contexts() -> None:
    made = data_integrity.sign({"a": 1}, KEY, "2026-01-01T00:00:00Z")
    assert "@context" not in made["proof"]
    assert holds(made)


def test_the_contexts_of_a_proof_begin_the_documents() -> None:
    made = data_integrity.sign({"@context": ["a", "b"]}, KEY, "2026-01-01T00:00:00Z")
    # Later ones may have been added, says the standard.
    assert holds({**made, "@context": ["a", "b", "c"]})
    assert not holds({**made, "@context": ["b", "a"]})
    assert not holds({**made, "@context": "a"})
    alone = data_integrity.sign({"@context": "a"}, KEY, "2026-01-01T00:00:00Z")
    assert holds(alone)


METHOD = data_integrity.method_of(KEY.public_key)
TEXT = METHOD.partition("#")[2]


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(METHOD.partition("#")[0], id="no fragment"),
        pytest.param(f"did:key:{TEXT}#other", id="another fragment"),
        pytest.param(f"did:web:{TEXT}#{TEXT}", id="another method"),
        pytest.param("did:key:zzz#zzz", id="not a key"),
        pytest.param("did:key:z" + "1" * 200 + "#z" + "1" * 200, id="long"),
        pytest.param("did:key:#", id="empty"),
        pytest.param(
            "did:key:{0}#{0}".format(
                multikey.encode(multikey.X25519_PUBLIC, base58.decode_key(KEY.public_key))
            ),
            id="a key that signs nothing",
        ),
    ],
)
def test_other_methods_name_no_key(method: str) -> None:
    assert data_integrity.key_of(method) is None


def test_a_method_names_its_key() -> None:
    assert data_integrity.key_of(METHOD) == KEY.public_bytes


@pytest.mark.parametrize("value", ["", "u1234", "z0", "z" + "1" * 64, "z" + "2" * 500])
def test_other_texts_are_not_signatures(value: str) -> None:
    expected = bytes(64) if value == "z" + "1" * 64 else None
    assert data_integrity.signature_of(value) == expected


@pytest.mark.parametrize("value", [2**53, float("nan"), "\ud800", {"\ud800": 1}])
def test_what_has_no_canonical_form(value: Any) -> None:
    with pytest.raises(InvalidError, match="no canonical form") as raised:
        data_integrity.canonical({"a": value})
    assert raised.value.code == "unencodable"


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rfc8785", None)
    with pytest.raises(ConfigError, match="rfc8785") as raised:
        data_integrity.canonical({})
    assert raised.value.code == "missing_extra"
    assert raised.value.hint == 'pip install "twincli[records]"'


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(document=st.dictionaries(st.text(max_size=6), _VALUES, max_size=4), at=st.integers(0))
def test_any_changed_member_is_refused(document: dict[str, Any], at: int) -> None:
    document.pop("proof", None)
    document.pop("@context", None)
    made = data_integrity.sign(document, KEY, "2026-01-01T00:00:00Z")
    assert holds(made)
    names = [*document, "new"]
    name = names[at % len(names)]
    assert not holds({**made, name: [document.get(name), "changed"]})
