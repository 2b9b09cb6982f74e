"""Credentials: read without trust, what they say, when they hold, and how they are made."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import InvalidError
from twincli.model import credential
from twincli.model.credential import V1, V2, Draft

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "vc_data_integrity.json").read_text())
PLAIN: dict[str, Any] = {
    "@context": [V2],
    "id": "urn:uuid:1",
    "type": ["VerifiableCredential"],
    "issuer": "did:key:z6Mk",
    "validFrom": "2026-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:1"},
}
OLD: dict[str, Any] = {
    "@context": [V1],
    "type": ["VerifiableCredential"],
    "issuer": "did:key:z6Mk",
    "issuanceDate": "2026-01-01T00:00:00Z",
    "expirationDate": "2027-01-01T00:00:00Z",
    "credentialSubject": {"id": "did:example:1"},
}
DEEP = b"[" * 33 + b"]" * 33


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"{", "not JSON: .* at line 1", id="cut short"),
        pytest.param(b"{} {}", "extra data", id="two"),
        pytest.param(b"[]", "a list, not an object", id="a list"),
        pytest.param(b'"text"', "'text', not an object", id="a text"),
        pytest.param(b"null", "null, not an object", id="null"),
        pytest.param(b'{"a": 1, "a": 2}', "'a' occurs twice", id="a name twice"),
        pytest.param(b'{"x": {"b": 1, "a": 1, "a": 1}}', "'a' occurs twice", id="twice within"),
        pytest.param(b'{"a": "\xff"}', "byte 8 is not UTF-8", id="not UTF-8"),
        pytest.param(b'{"a": "\\ud800"}', "surrogate", id="half a pair"),
        pytest.param(b'{"\\udfff": 1}', "surrogate", id="half a pair as a name"),
        pytest.param(b'{"a": ["\\udfff"]}', "surrogate", id="half a pair in a list"),
        pytest.param(b'{"a": NaN}', "NaN is not", id="NaN"),
        pytest.param(b'{"a": -Infinity}', "-Infinity is not", id="infinity"),
        pytest.param(b'{"a": 1e999}', "too large for a double", id="a huge double"),
        pytest.param(b'{"a": -1e999}', "too large for a double", id="a huge negative double"),
        pytest.param(b'{"a": 9007199254740992}', "beyond 2\\^53", id="2^53"),
        pytest.param(b'{"a": -9007199254740992}', "beyond 2\\^53", id="-2^53"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "beyond 2\\^53", id="5,000 digits"),
        pytest.param(b'{"a": ' + DEEP + b"}", "more than 32 levels", id="deep"),
        pytest.param(b"[" * 200_000, "more than 32 levels", id="deeper than Python"),
        pytest.param(b'{"a": "' + b"x" * credential.LARGEST_BYTES + b'"}', "bytes", id="large"),
    ],
)
def test_what_is_not_a_credential(data: bytes, why: str) -> None:
    with pytest.raises(InvalidError, match=why) as raised:
        credential.read(data)
    assert raised.value.code == "invalid_credential"
    assert len(raised.value.message) < 300


def test_what_is_read() -> None:
    data = '\ufeff{"é": [9007199254740991, -1.5, true, null, "\\ud83d\\ude00"]}'.encode()
    assert credential.read(data) == {"é": [2**53 - 1, -1.5, True, None, "😀"]}
    nested = b'{"a": ' + b"[" * 31 + b"]" * 31 + b"}"
    assert credential.read(nested) == json.loads(nested)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
_MEMBERS = st.sampled_from(
    [
        *("@context", "id", "type", "issuer", "validFrom", "validUntil", "issuanceDate", "proof"),
        *("expirationDate", "credentialSubject", "credentialStatus", "credentialSchema"),
        *("evidence", "termsOfUse", "refreshService"),
    ]
)


@given(changes=st.dictionaries(_MEMBERS, _ANY, max_size=4))
def test_a_strangers_document_never_raises(changes: dict[str, Any]) -> None:
    document = {**PLAIN, **changes}
    claims = credential.claims(document)
    assert claims.from_ms is None or isinstance(claims.from_ms, int)
    assert isinstance(credential.faults(document), list)
    credential.statuses(document)


@given(changes=st.dictionaries(_MEMBERS, _ANY, max_size=3))
def test_what_has_no_faults_keeps_the_published_schema(changes: dict[str, Any]) -> None:
    document = {**PLAIN, **changes}
    document.pop("proof", None)
    if not credential.faults(document) and document["@context"][0] == V2:
        try:
            json.dumps(document, allow_nan=False)
        except ValueError:
            return
        if len(document["@context"]) > 1 or isinstance(document["type"], str):
            return  # the schema wants contexts to be unique and not empty
        assert jsonschema_rs.is_valid(VECTORS["vc_json_schema"], document)


@pytest.mark.parametrize("name", sorted(VECTORS["spec_examples"]))
def test_the_examples_of_the_standard_have_no_faults(name: str) -> None:
    assert credential.faults(VECTORS["spec_examples"][name]) == []


def test_old_credentials_are_read() -> None:
    assert credential.faults(OLD) == []
    claims = credential.claims(OLD)
    assert claims.valid_from == "2026-01-01T00:00:00Z"
    assert claims.until_ms == 1_798_761_600_000


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"@context": "x"}, "@context does not begin"),
        ({"@context": []}, "@context does not begin"),
        ({"@context": [["x"]]}, "@context does not begin"),
        ({"@context": ["https://example.com"]}, "@context does not begin"),
        ({"@context": [V2, 5]}, "neither a URL nor an object"),
        ({"type": "Other"}, "type does not include"),
        ({"type": None}, "type does not include"),
        ({"type": ["VerifiableCredential", 5]}, "not a list of texts"),
        ({"id": "no scheme"}, "id is not a URL"),
        ({"id": 5}, "id is not a URL"),
        ({"id": "urn:a b"}, "id is not a URL"),
        ({"id": "1:b"}, "id is not a URL"),
        ({"id": "é:b"}, "id is not a URL"),
        ({"id": "a_b:b"}, "id is not a URL"),
        ({"id": "urn:"}, "id is not a URL"),
        ({"issuer": None}, "issuer is not"),
        ({"issuer": {}}, "issuer is not"),
        ({"issuer": {"id": 5}}, "issuer is not"),
        ({"issuer": ["did:key:a"]}, "issuer is not"),
        ({"credentialSubject": None}, "credentialSubject is not"),
        ({"credentialSubject": {}}, "credentialSubject is not"),
        ({"credentialSubject": []}, "credentialSubject is not"),
        ({"credentialSubject": [{"id": "urn:a"}, 5]}, "credentialSubject is not"),
        ({"credentialSubject": {"id": "x"}}, "the id of a credentialSubject"),
        ({"validFrom": "2026-01-01"}, "validFrom is not a time"),
        ({"validFrom": 5}, "validFrom is not a time"),
        ({"validUntil": "2026-01-01T00:00:00"}, "validUntil is not a time"),
        ({"validUntil": "2025-01-01T00:00:00Z"}, "ends before it begins"),
        ({"credentialStatus": {"id": "urn:a"}}, "credentialStatus has no type"),
        ({"credentialStatus": None}, "credentialStatus is empty"),
        ({"credentialStatus": [5]}, "credentialStatus has no type"),
        ({"credentialStatus": [{"type": "a"}] * 9}, "more than 8 entries"),
        ({"credentialSchema": {"type": "a"}}, "credentialSchema has no id"),
        ({"evidence": [{}]}, "evidence has no type"),
        ({"termsOfUse": "x"}, "termsOfUse has no type"),
        ({"refreshService": {"type": []}}, "refreshService has no type"),
    ],
)
def test_faults(change: dict[str, Any], why: str) -> None:
    found = credential.faults({**PLAIN, **change})
    assert any(why in fault for fault in found), found


def test_an_old_one_says_when_it_was_issued() -> None:
    old = {name: value for name, value in OLD.items() if name != "issuanceDate"}
    assert credential.faults(old) == ["issuanceDate is missing"]


def test_proofs() -> None:
    assert credential.proofs({"proof": {"type": "x"}}) == [{"type": "x"}]
    for found, why in ((None, "no proof"), ([], "no proof"), ([5], "not an object")):
        with pytest.raises(InvalidError, match=why):
            credential.proofs({"proof": found})
    with pytest.raises(InvalidError, match="more than 8"):
        credential.proofs({"proof": [{}] * 9})


def test_when_it_holds() -> None:
    at = credential.standing_at
    assert at(None, None, 5) == credential.VALID
    assert at(None, None, 5, 100) == credential.VALID
    assert at(10, None, 5) == credential.NOT_YET
    assert at(5, 5, 5) == credential.VALID
    assert at(None, 4, 5) == credential.EXPIRED
    assert at(6, 4, 5) == credential.EXPIRED
    assert at(None, 15, 5, 10) == credential.EXPIRING
    assert at(None, 16, 5, 10) == credential.VALID


def test_a_day_is_valid_to_its_end() -> None:
    assert credential.end_of("2026-01-01") == 1_767_311_999_000
    assert credential.stamp(1_767_311_999_000) == "2026-01-01T23:59:59Z"
    assert credential.end_of("2026-01-01T12:00:00+02:00") == 1_767_261_600_000
    assert credential.end_of("2026-02-30") is None
    assert credential.end_of("soon") is None
    assert credential.stamp(1) == "1970-01-01T00:00:00.001Z"


def test_what_is_made_says_what_was_wanted() -> None:
    file = {"cid": "bafy", "name": "ul.pdf", "size": 3, "fileType": "report"}
    draft = Draft("did:bdb:1", "safety", "UL-2089", "UL-1", "UL-LLC", None, 0, 1000, [file])
    made = draft.credential("urn:uuid:1", "did:key:z6Mk", {"type": "BitstringStatusListEntry"})
    assert credential.faults(made) == []
    claims = credential.claims(made)
    assert claims == (
        *("urn:uuid:1", ("Certificate",), "did:key:z6Mk", "UL-LLC", None, ("did:bdb:1",)),
        *("safety", "UL-2089", "UL-1", "1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z", (file,)),
    )
    read = credential.claims(made)
    assert (read.from_ms, read.until_ms) == (0, 1000)
    assert credential.statuses(made) == [{"type": "BitstringStatusListEntry"}]


def test_what_is_made_of_little() -> None:
    made = Draft("did:bdb:1", declared_issuer="Body").credential("urn:uuid:1", "did:key:z6Mk")
    assert made["issuer"] == "did:key:z6Mk"
    assert made["credentialSubject"] == {"id": "did:bdb:1", "declaredIssuer": "Body"}
    assert not {"validFrom", "validUntil", "credentialStatus"} & set(made)
    assert credential.faults(made) == []


def test_odd_members_read_as_nothing() -> None:
    document = copy.deepcopy(PLAIN)
    document["credentialSubject"] = [5, {"standard": 7, "attachments": [5, {"cid": "x"}]}]
    document["issuer"] = {"id": 5, "name": 6}
    claims = credential.claims(document)
    assert claims.standard is None
    assert claims.issuer is None
    assert claims.issuer_name is None
    assert claims.attachments == ({"cid": "x"},)
    assert credential.claims({}).subjects == ()
    for types, topic in (
        ([], None),
        (["Certificate"], None),
        (["Certificate", "Alumni"], "Alumni"),
    ):
        assert credential.claims({"type": ["VerifiableCredential", *types]}).topic == topic
    assert credential.claims({"credentialSubject": {"certificateType": "a"}}).topic == "a"
