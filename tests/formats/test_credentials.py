"""The RDF graphs of credentials: the vector of the W3C, and what no signature would cover."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from twincli.errors import ConfigError, InvalidError, TwinError, UndeterminedError
from twincli.formats.credentials import rdf
from twincli.model.credential import TERMS, V2

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "vc_data_integrity.json").read_text())
W3C = VECTORS["eddsa-rdfc-2022"]
DOCUMENT = {name: value for name, value in W3C["signed"].items() if name != "proof"}
OPTIONS = {name: value for name, value in W3C["signed"]["proof"].items() if name != "proofValue"}
PLAIN: dict[str, Any] = {
    "@context": [V2],
    "type": ["VerifiableCredential"],
    "issuer": "did:key:z6Mk",
    "credentialSubject": {"id": "did:example:1", "name": "thing"},
}


def test_the_vector_of_the_w3c() -> None:
    assert rdf.canonical(DOCUMENT).decode() == W3C["canonical_document"]
    assert rdf.canonical(W3C["proof_config"]).decode() == W3C["canonical_proof_config"]
    assert rdf.message(DOCUMENT, OPTIONS).hex() == W3C["combined_hash"]


@pytest.mark.parametrize("name", sorted(set(rdf.CONTEXTS.values())))
def test_contexts_are_in_the_package(name: str) -> None:
    url = next(url for url, file in rdf.CONTEXTS.items() if file == name)
    assert "@context" in rdf._load(url)["document"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"more": "x"}, "'more' is not in its contexts", id="undefined"),
        pytest.param(
            {"credentialSubject": {"id": "urn:a:b", "more": "x"}}, "'more'", id="undefined within"
        ),
        pytest.param({"@more": "x"}, "'@more' hides", id="like a keyword"),
        pytest.param(
            {"credentialSubject": {"@more": "x"}}, "'@more' means nothing", id="like one within"
        ),
        pytest.param({"description": None}, "'description' is null", id="null"),
        pytest.param({"credentialSubject": [None]}, "a list holds null", id="null in a list"),
        pytest.param({"type": ["VerifiableCredential", "Odd"]}, "'Odd' is not a full", id="type"),
        pytest.param({"credentialSubject": {"id": "odd"}}, "'odd' is not a full", id="id"),
        pytest.param({"@context": 5}, "not JSON-LD", id="context"),
        pytest.param({"@context": [V2, {"@import": 5}]}, "not JSON-LD", id="import"),
        pytest.param({"@context": [V2, {"name": "urn:a:b"}]}, "protected", id="redefined"),
        pytest.param({"@context": [V2, {"a": 5}]}, "not JSON-LD", id="term"),
        pytest.param({"@context": [V2, {"a": {"@id": "b:"}}], "a": 5}, "", id="relative term"),
        pytest.param({"type": {"a": 5}}, "not in its contexts", id="type is an object"),
        pytest.param({"id": 5}, "not JSON-LD", id="id is a number"),
        pytest.param({"@id": "urn:a:b", "id": "urn:a:c"}, "not JSON-LD", id="two ids"),
        pytest.param({"@value": 5}, "'@value' hides", id="a value"),
        pytest.param({"@list": []}, "'@list' hides", id="a list"),
        pytest.param({"@graph": []}, "'@graph' hides", id="a graph"),
        pytest.param({"credentialSubject": {"@value": {}}}, "not JSON-LD", id="a value within"),
    ],
)
def test_what_no_signature_covers(change: dict[str, Any], why: str) -> None:
    if not why:  # it is in the graph, so it is covered
        assert rdf.canonical({**PLAIN, **change}) != rdf.canonical(PLAIN)
        return
    with pytest.raises(InvalidError, match=why) as raised:
        rdf.canonical({**PLAIN, **change})
    assert raised.value.code == "invalid_credential"


@pytest.mark.parametrize(
    "context", ["https://example.com/v1", "file:///etc/passwd", "http://127.0.0.1:9/", ""]
)
def test_nothing_is_fetched(context: str) -> None:
    with pytest.raises(TwinError) as raised:
        rdf.canonical({**PLAIN, "@context": [V2, context]})
    assert isinstance(raised.value, UndeterminedError) or context == ""
    if context:
        assert raised.value.code == "unknown_context"
        assert context in raised.value.message


def test_a_graph_that_is_made_to_take_long() -> None:
    subjects = [
        {"id": f"_:a{n}", "x": [{"id": f"_:a{m}"} for m in range(12) if m != n]} for n in range(12)
    ]
    with pytest.raises(UndeterminedError, match="look alike") as raised:
        rdf.canonical({**PLAIN, "@context": [V2, TERMS], "credentialSubject": subjects})
    assert raised.value.code == "too_complex"


def test_a_large_document() -> None:
    large = {**PLAIN, "name": "x" * rdf.LARGEST_BYTES}
    with pytest.raises(UndeterminedError, match="bytes") as raised:
        rdf.message(large, OPTIONS)
    assert raised.value.code == "too_complex"


def test_many_types_within_each_other() -> None:
    subjects = []
    for number in range(10):
        inner: dict[str, Any] = {"type": "VerifiableCredential", "name": f"{number}"}
        for depth in range(25):
            inner = {"type": "VerifiableCredential", "credentialSubject": inner}
            inner["id"] = f"urn:{number}:{depth}"
        subjects.append(inner)
    found = rdf.canonical({**PLAIN, "credentialSubject": subjects})
    assert found.count(b"#VerifiableCredential>") == 261


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyld", None)
    with pytest.raises(ConfigError, match="pyld") as raised:
        rdf.canonical(PLAIN)
    assert raised.value.code == "missing_extra"
