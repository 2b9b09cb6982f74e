"""Records in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.model import did, record
from twincli.model.telling import Naming, in_words

CID = "bafkreib4umnkq5vpx5nc2pep2sfpikbfh774q6jcyefcikb5fqmq44iaii"
ID = "ab" * 32
CREDENTIAL = {
    "issuer": {"id": "did:key:z6Mk", "name": "UL"},
    "validUntil": "2025-01-20T00:00:00Z",
    "credentialSubject": {"certificateType": "safety", "certificateNumber": "7", "standard": 8},
}
MEMBERS = (
    *("type", "from", "to", "reason", "stage", "location", "skipped", "technician", "work"),
    *("total", "currency", "next", "credential", "revokes", "verb", "grant", "all", "name", "role"),
    *("until", "triggered_by", "data", "attachments"),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just(ID),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("event", {"type": "sold"}, "sold"),
        (
            "event",
            {
                "type": "sold",
                "data": {"price": 5, "to": "dora", "tags": ["a"]},
                "attachments": [{"cid": CID, "name": "bill.pdf", "size": 1}],
            },
            'sold; price 5, to dora, tags ["a"]; with bill.pdf',
        ),
        (
            "event",
            {"type": "sold", "data": dict.fromkeys("abcdefgh", 1)},
            "sold; a 1, b 1, c 1, d 1, e 1, f 1, ...",
        ),
        ("state", {"from": "a", "to": "b"}, "a -> b"),
        (
            "state",
            {"from": "a", "to": "b", "reason": "done", "triggered_by": "dora"},
            "a -> b; done; triggered by dora",
        ),
        ("stage", {"stage": "harvest"}, "harvest"),
        (
            "stage",
            {"stage": "harvest", "location": "Bonn", "skipped": ["x", "y"]},
            "harvest in Bonn; skipped x, y",
        ),
        ("maintenance", {"type": "service"}, "service"),
        (
            "maintenance",
            {
                "type": "service",
                "technician": "t1",
                "work": ["oil", "filter"],
                "total": "63.97",
                "currency": "USD",
                "next": "2024-04-15",
            },
            "service by t1; oil, filter; 63.97 USD; next 2024-04-15",
        ),
        (
            "certificate",
            {"credential": CREDENTIAL},
            "safety 7; by UL; until 2025-01-20T00:00:00Z",
        ),
        ("certificate", {"credential": {"credentialSubject": [], "issuer": "x"}}, "malformed"),
        ("certificate", {"revokes": ID, "reason": "void"}, "revokes ababababab...; void"),
        ("link", {"verb": "replaces", "to": ID}, "replaces ababababab..."),
        ("link", {"verb": "replaces", "from": ID}, "ababababab... replaces this"),
        ("link", {"verb": "replaces", "to": 7}, "malformed"),
        ("link", {"to": ID}, "malformed"),
        ("link", [], "malformed"),
        ("revoke", {"all": True, "reason": "stolen"}, "all that was granted; because: stolen"),
        ("revoke", {"from": ["did:key:z6Mk", 7]}, "from did:key:z6Mk"),
        ("revoke", {"from": list("abcdefgh")}, "from a, b, c, d, e, f, ..."),
        ("revoke", {"grant": ID}, "ababababab..."),
        ("revoke", {"grant": ID, "verb": "part"}, "part ababababab..."),
        ("revoke", {"grant": 7}, "malformed"),
        ("file", {"name": "a.pdf", "type": "manual", "cid": CID}, "a.pdf; manual"),
        ("file", {"name": 7}, "malformed"),
        ("grant", {"role": "writer"}, "writer"),
        (
            "grant",
            {"role": "writer", "to": ["did:key:z6Mk"], "until": "2031-01-01"},
            "writer; to did:key:z6Mk; until 2031-01-01",
        ),
        ("grant", {"role": "viewer", "private": {}}, "viewer; private scope"),
        ("grant", {"renews": []}, "new wraps of private grants"),
        ("grant", {}, "malformed"),
        ("maintenance", {"currency": "USD"}, "malformed"),
        ("stage", {"location": "Bonn"}, "malformed"),
        ("state", {"from": "a"}, "malformed"),
        ("event", None, "malformed"),
        ("event", {"data": {"a": 1}}, "a 1"),
        ("grant", {"to": ["x"]}, "to x"),
        ("chunk", {"stream": "s"}, ""),
    ],
)
def test_in_words(kind: str, body: Any, words: str) -> None:
    assert in_words(kind, body) == words


def test_a_line_is_short_whatever_strangers_write() -> None:
    long = "x" * 5000
    body = {
        "type": "s",
        "data": {f"{long}{n}": long for n in range(1000)},
        "attachments": [{"cid": CID, "name": long[:4000], "size": 1}] * 100,
    }
    assert len(in_words("event", body)) < 3000


def test_names_of_assets() -> None:
    named = Naming({ID: "widget"}.__getitem__, str)
    assert in_words("link", {"verb": "replaces", "to": ID}, named) == "replaces widget"


def test_names_of_parties() -> None:
    key = "6Mj3Fp2vVcAfkDZ1u3Qm9B2sVt7Jp6bY4h8kQ3xN5rTz"
    to = [did.key_did(key), "did:key:z6Mk", 7]
    assert in_words("grant", {"to": to}) == f"to {key[:10]}..., did:key:z6Mk"
    named = Naming(str, {key: "dora"}.__getitem__)
    assert in_words("grant", {"to": to}, named) == "to dora, did:key:z6Mk"
    assert in_words("revoke", {"from": to}, named) == "from dora, did:key:z6Mk"


def test_epochs() -> None:
    sealed = {"of": CID, "cid": CID, "size": 5}
    begins = {"stream": ID, "epoch": 1, "recipient": "age1x", "wraps": []}
    file = {"file": CID, "epoch": 1, "recipient": "age1x"}
    assert in_words("grant", {"epochs": [begins, file]}) == (
        "new epoch of ababababab..., bafkreib4u..."
    )
    more = {"stream": ID, "epoch": 1, "sealed": [sealed]}
    assert in_words("grant", {"epochs": [more]}) == "1 chunk encrypted again"
    named = Naming({ID: "recipe"}.__getitem__, str)
    body = {"all": True, "epochs": [begins, {**more, "sealed": [sealed, sealed]}]}
    assert in_words("revoke", body, named) == (
        "all that was granted; new epoch of recipe; 2 chunks encrypted again"
    )


@given(
    st.sampled_from(sorted(record.RECORD_KINDS)),
    st.none() | st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=6),
)
def test_what_strangers_write_is_never_a_fault(kind: str, body: Any) -> None:
    assert len(in_words(kind, body)) < 5000
