"""What records and wraps of private grants say, also what strangers write there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import canonical
from twincli.model import did, private
from twincli.model.encryption import Wrap
from twincli.model.private import Renewal, Secret

CID = "bafkreib4umnkq5vpx5nc2pep2sfpikbfh774q6jcyefcikb5fqmq44iaii"
ID = "ab" * 32
KEY = "6Mj3Fp2vVcAfkDZ1u3Qm9B2sVt7Jp6bY4h8kQ3xN5rTz"
WRAP = Wrap(KEY, CID)
SALT = bytes(16)
SECRET = Secret(SALT, {"streams": ["recipe"]}, {(ID, 0): "AGE-SECRET-KEY-1"}, "seen")
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(ID),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("grant", "wraps", "hashes", "salt", "scope", "identities", "seen")),
            inner,
        )
    ),
    max_leaves=8,
)


def test_a_wrap_holds_what_was_put_in_and_its_length_says_little() -> None:
    assert private.decode(private.encode(SECRET)) == SECRET
    everything = Secret(SALT, {}, {}, "")
    assert private.decode(private.encode(everything)) == everything
    assert {len(private.encode(each)) % 4096 for each in (SECRET, everything)} == {0}
    assert "AGE" not in repr(SECRET)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b"\xff",
        private.encode(SECRET)[:-1],
        private.encode(SECRET).replace(b",0,", b",1e999,"),
        private.encode(SECRET).replace(b"recipe", b"\\ud800"),
        private.encode(SECRET).replace(b"AGE", b"\\ud800"),
        private.encode(SECRET).replace(b'"salt":"', b'"salt":"x'),
    ],
)
def test_what_is_malformed_holds_nothing(data: bytes) -> None:
    assert private.decode(data) is None


@given(ANYTHING)
def test_nothing_that_strangers_write_is_a_fault(value: Any) -> None:
    private.decode(canonical.encode(value) if isinstance(value, dict) else b"")
    body = {"private": value, "renews": value}
    assert list(private.wraps(body)) == []
    assert all(each.grant == ID for each in private.renewals(body))
    assert not private.is_committed(body, SECRET)


def test_a_scope_of_other_members_is_not_one() -> None:
    assert private.decode(private.encode(SECRET._replace(scope={"all": ["x"]}))) is None


def test_a_scope_is_committed_to() -> None:
    hashes = [private.hash_of(SALT, "streams:recipe"), "00"]
    body = {"private": private.member(hashes, [WRAP])}
    assert body["private"] == {
        "hashes": sorted(hashes),
        "wraps": [{"to": did.key_did(KEY), "cid": CID}],
    }
    assert private.wraps(body) == (WRAP,)
    assert private.wraps({"private": 7}) == ()
    assert private.is_committed(body, SECRET)
    for other in (
        SECRET._replace(salt=bytes(15)),
        SECRET._replace(scope={"streams": ["recipe", "quality"]}),
        SECRET._replace(scope={"kinds": ["recipe"]}),
        SECRET._replace(scope={}),
    ):
        assert not private.is_committed(body, other)
    assert not private.is_committed({"private": {"hashes": hashes * 9}}, SECRET)
    assert private.words({}) == ["everything"]
    assert private.words({"streams": ["b", "a"], "kinds": ["file"]}) == [
        "kinds:file",
        "streams:a",
        "streams:b",
    ]


def test_renewals() -> None:
    told = Renewal(ID, (WRAP,))
    listed = [private.renewal(told), 7, {"grant": "x"}, {"grant": ID}]
    assert list(private.renewals({"renews": listed})) == [told, Renewal(ID, ())]
    assert list(private.renewals({"renews": {}})) == []


def test_the_same_epochs_have_one_fingerprint() -> None:
    one = private.fingerprint([(ID, 0), (CID, 1)])
    assert one == private.fingerprint([(CID, 1), (ID, 0)])
    assert one != private.fingerprint([(ID, 1), (CID, 0)])
