"""Status lists: bits found, lists made, and those that are malformed."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import InvalidError
from twincli.model import status_list
from twincli.model.status_list import Entry

URL = "https://node.example/twin/v1/status/1"
STATED = status_list.entry(URL)


def subject(bits: bytes, **more: Any) -> dict[str, Any]:
    return {
        "type": "BitstringStatusList",
        "statusPurpose": "revocation",
        "encodedList": status_list.encode(bits),
        **more,
    }


def raw(data: bytes) -> str:
    return "u" + base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("revoked", [True, False])
def test_a_list_says_what_its_issuer_says(revoked: bool) -> None:
    made = status_list.unsigned(URL, "did:key:z6Mk", "ctx", "2026-01-01T00:00:00Z", revoked=revoked)
    assert made["id"] == URL
    assert made["type"] == ["VerifiableCredential", "BitstringStatusListCredential"]
    found = status_list.is_set(made["credentialSubject"], status_list.read_entry(STATED))
    assert found is revoked
    assert (
        len(
            gzip.decompress(
                base64.urlsafe_b64decode(made["credentialSubject"]["encodedList"][1:] + "==")
            )
        )
        * 8
        == status_list.SHORTEST
    )


def test_entries() -> None:
    assert status_list.read_entry(STATED) == Entry("revocation", 0, URL)
    assert status_list.read_entry({**STATED, "statusListIndex": 94567}).bit == 94567


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"type": "StatusList2021Entry"}, "its type"),
        ({"type": None}, "its type"),
        ({"statusPurpose": 5}, "statusPurpose"),
        ({"statusListIndex": "-1"}, "statusListIndex"),
        ({"statusListIndex": -1}, "statusListIndex"),
        ({"statusListIndex": True}, "statusListIndex"),
        ({"statusListIndex": 10**10}, "statusListIndex"),
        ({"statusListIndex": "1" * 500}, "statusListIndex"),
        ({"statusListIndex": "٣"}, "statusListIndex"),
        ({"statusListIndex": None}, "statusListIndex"),
        ({"statusListCredential": 5}, "statusListCredential"),
        ({"statusListCredential": "u", "id": "u"}, "statusListCredential"),
    ],
)
def test_malformed_entries(change: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidError, match=why) as raised:
        status_list.read_entry({**STATED, **change})
    assert raised.value.code == "bad_status"


@pytest.mark.parametrize("found", [None, 5, [], "x"])
def test_entries_that_are_not_objects(found: Any) -> None:
    with pytest.raises(InvalidError, match="its type"):
        status_list.read_entry(found)


@given(bits=st.binary(min_size=1, max_size=300), at=st.integers(0, 10**6))
def test_the_bit_is_counted_from_the_left(bits: bytes, at: int) -> None:
    at %= len(bits) * 8
    text = "".join(f"{byte:08b}" for byte in bits)
    assert status_list.is_set(subject(bits), Entry("revocation", at, URL)) is (text[at] == "1")


def test_a_bit_far_behind() -> None:
    bits = bytearray(200_000)
    bits[150_000] = 0x10
    found = subject(bytes(bits))
    assert status_list.is_set(found, Entry("revocation", 150_000 * 8 + 3, URL))
    assert not status_list.is_set(found, Entry("revocation", 150_000 * 8 + 4, URL))


BITS = bytes(16)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(None, "not a Bit", id="nothing"),
        pytest.param(subject(BITS, type="StatusList2021"), "not a Bit", id="another type"),
        pytest.param(subject(BITS, statusPurpose="suspension"), "not for", id="another purpose"),
        pytest.param(subject(BITS, statusPurpose=None), "not for", id="no purpose"),
        pytest.param(subject(BITS, encodedList=None), "multibase", id="no list"),
        pytest.param(subject(BITS, encodedList="z123"), "multibase", id="another base"),
        pytest.param(subject(BITS, encodedList="u12#"), "multibase", id="not base64"),
        pytest.param(subject(BITS, encodedList="uA"), "multibase", id="half a byte"),
        pytest.param(subject(BITS, encodedList="ué"), "multibase", id="not ASCII"),
        pytest.param(subject(BITS, encodedList="u"), "cut short", id="empty"),
        pytest.param(subject(BITS, encodedList=raw(b"plain")), "gzip", id="not compressed"),
        pytest.param(
            subject(BITS, encodedList=raw(gzip.compress(BITS)[:-9])), "cut short", id="cut short"
        ),
        pytest.param(
            subject(BITS, encodedList=raw(gzip.compress(BITS)[:-5] + b"12345")),
            "gzip",
            id="altered",
        ),
        pytest.param(subject(b""), "ends before", id="without bits"),
        pytest.param(subject(bytes(1)), "ends before", id="too short"),
    ],
)
def test_malformed_lists(found: Any, why: str) -> None:
    with pytest.raises(InvalidError, match=why) as raised:
        status_list.is_set(found, Entry("revocation", 8, URL))
    assert raised.value.code == "bad_status"


def test_a_list_for_several_purposes() -> None:
    found = subject(b"\x80", statusPurpose=["suspension", "revocation"])
    assert status_list.is_set(found, Entry("revocation", 0, URL))


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(status_list.LARGEST_BYTES + 1))
    with pytest.raises(InvalidError, match="longer than"):
        status_list.is_set(subject(BITS, encodedList=raw(bomb)), Entry("revocation", 0, URL))
