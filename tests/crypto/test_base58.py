"""Base58 and keys in it."""

from __future__ import annotations

import json
from pathlib import Path

import base58 as reference
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import base58
from twincli.errors import InvalidError

VECTORS = Path(__file__).parent.parent / "vectors"
KEYS = json.loads((VECTORS / "driver_keypairs.json").read_text())

# IETF draft-msporny-base58-03, section 5, and leading zeros as in Bitcoin Core's base58 tests.
KNOWN = [
    ("", ""),
    ("00", "1"),
    ("0000287fb4cd", "11233QC4"),
    ("48656c6c6f20576f726c6421", "2NEpo7TZRRrLZSi2U"),
    (
        "54686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f672e",
        "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
    ),
    ("00000000000000000000", "1111111111"),
    ("516b6fcd0f", "ABnLTmg"),
]


@pytest.mark.parametrize(("data", "text"), KNOWN)
def test_known(data: str, text: str) -> None:
    assert base58.encode(bytes.fromhex(data)) == text
    assert base58.decode(text).hex() == data


@given(
    st.binary(max_size=8).map(lambda data: bytes(len(data) % 4) + data) | st.binary(max_size=300)
)
def test_round_trip(data: bytes) -> None:
    text = base58.encode(data)
    assert set(text) <= base58.ALPHABET
    assert text == reference.b58encode(data).decode()
    assert base58.decode(text) == data


@given(st.text("1zZ2", max_size=140))
def test_texts_are_decoded_as_by_the_reference(text: str) -> None:
    assert base58.decode(text) == reference.b58decode(text)
    assert base58.encode(base58.decode(text)) == text


@pytest.mark.parametrize(
    "character", ["0", "O", "I", "l", " ", "\n", "+", "/", "\u00e9", "\uff11", "\ud800", "?"]
)
@pytest.mark.parametrize("place", [0, 2, 4])
def test_refused_characters(character: str, place: int) -> None:
    text = "Hej7"[:place] + character + "Hej7"[place:]
    with pytest.raises(InvalidError, match=f"character {place + 1} ") as caught:
        base58.decode(text)
    assert caught.value.code == "invalid_base58"
    assert caught.value.hint


@pytest.mark.parametrize("entry", KEYS["from_seed"] + KEYS["from_phrase"], ids=lambda e: e["name"])
def test_keys_of_the_drivers(entry: dict[str, str]) -> None:
    seed = bytes.fromhex(entry["ed25519_seed_hex"])
    assert base58.encode_key(seed) == entry["private_key"]
    assert base58.decode_key(entry["private_key"]) == seed
    assert len(base58.decode_key(entry["public_key"])) == 32
    assert base58.is_key(entry["public_key"])


@given(st.binary(min_size=32, max_size=32))
def test_keys_round_trip(data: bytes) -> None:
    text = base58.encode_key(data)
    assert text == base58.encode(data)
    assert base58.decode_key(text) == data


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "0 bytes"),
        ("1" * 31, "31 bytes"),
        ("1" * 33, "33 bytes"),
        ("z" * 44, "33 bytes"),
        ("0ASf5EcmmEHTgDJ4X4ZT5vT6iHVJBXPg5AN5YoTCpGWt", "alphabet"),
        (" 6ASf5EcmmEHTgDJ4X4ZT5vT6iHVJBXPg5AN5YoTCpGWt", "alphabet"),
    ],
)
def test_what_is_no_key(text: str, part: str) -> None:
    with pytest.raises(InvalidError, match=part) as caught:
        base58.decode_key(text)
    assert caught.value.code == "invalid_public_key"
    assert not base58.is_key(text)


def test_a_long_text_is_no_key_and_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(_: object) -> bytes:
        raise AssertionError("decoding takes more than the length of a text")

    with pytest.raises(InvalidError, match="decodes to 74 bytes"):
        base58.decode_key("z" * 100)
    monkeypatch.setattr(base58, "decode", decode)
    with pytest.raises(InvalidError, match="too long") as caught:
        base58.decode_key("z" * 101)
    assert caught.value.code == "invalid_public_key"
