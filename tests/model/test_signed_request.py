"""Requests that say who asks: one signature, one request, for a short time."""

from __future__ import annotations

import pytest

from twincli.crypto import base58
from twincli.crypto.ed25519 import KeyPair
from twincli.model import did, times
from twincli.model.signed_request import (
    MOST_MS,
    Seen,
    Signed,
    header,
    is_signed,
    is_timely,
    parse,
)

NOW = 1_900_000_000_000
ALICE = KeyPair.from_seed(b"a" * 32)
TARGET = "/twin/v1/content/bafkrei"
NONCE = bytes(range(16))
MADE = header(ALICE, "GET", TARGET, NOW, NONCE)


def signed(text: str = MADE) -> Signed:
    found = parse(text)
    assert found is not None
    return found


def test_a_header_says_who_asks_for_what_and_when() -> None:
    found = signed()
    assert found[:4] == (ALICE.public_key, NONCE.hex(), times.to_text(NOW), NOW)
    assert is_signed(found, "GET", TARGET)
    assert parse(MADE.replace("Twin ", "twin  ").replace(", ", ",")) == found


def test_anything_else_is_not_signed() -> None:
    found = signed()
    assert not is_signed(found, "HEAD", TARGET)
    assert not is_signed(found, "GET", TARGET + "x")
    assert not is_signed(found, "GET", TARGET + "\ud800")
    later = times.to_text(NOW + 1)
    assert not is_signed(signed(MADE.replace(times.to_text(NOW), later)), "GET", TARGET)
    assert not is_signed(found._replace(nonce="0" * 32), "GET", TARGET)
    bob = KeyPair.from_seed(b"b" * 32)
    assert not is_signed(found._replace(public_key=bob.public_key), "GET", TARGET)
    for signature in ("1", "I", base58.encode(bytes(64))):
        assert not is_signed(found._replace(signature=signature), "GET", TARGET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bearer x",
        "Twin",
        "Twin did",
        MADE + " " * 600,
        MADE.replace(NONCE.hex(), "00"),
        MADE.replace(times.to_text(NOW), "2026-02-30T00:00:00Z"),
        MADE.replace(did.key_did(ALICE.public_key), "did:key:z6Mkk"),
        MADE.replace(did.key_did(ALICE.public_key), "did:key:z" + "6" * 60),
    ],
)
def test_a_malformed_header_says_nothing(text: str) -> None:
    assert parse(text) is None


def test_a_request_is_taken_once_and_only_in_time() -> None:
    seen, found = Seen(), signed()
    for now, timely in ((0, True), (MOST_MS, True), (MOST_MS + 1, False), (-MOST_MS - 1, False)):
        assert is_timely(found, NOW + now) is timely
    assert seen.take(found, NOW - MOST_MS) is None
    assert seen.take(found, NOW) == "this request was made before"
    # As long as it would be timely, it is remembered.
    assert seen.take(found, NOW + MOST_MS) == "this request was made before"
    assert seen.take(found, NOW + 2 * MOST_MS) is None


def test_what_is_remembered_is_bounded() -> None:
    seen = Seen(most=3, each=2)
    taken = [signed(header(ALICE, "GET", TARGET, NOW, bytes([n] * 16))) for n in range(3)]
    assert [seen.take(each, NOW) is None for each in taken] == [True, True, False]
    others = [each._replace(public_key=f"other {n}") for n, each in enumerate(taken)]
    assert [seen.take(each, NOW) is None for each in others] == [True, False, False]
    later = NOW + 2 * MOST_MS + 1
    assert [seen.take(each, later) is None for each in others] == [True, True, True]


def test_what_got_nothing_leaves_room() -> None:
    seen, found = Seen(most=1, each=1), signed()
    other = found._replace(nonce="f" * 32)
    assert seen.take(found, NOW) is None
    seen.give_back(other)  # was not taken
    assert seen.take(other, NOW) == "too many requests; try again in some minutes"
    seen.give_back(found)
    assert seen.take(other, NOW) is None
