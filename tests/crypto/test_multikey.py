"""Multibase keys against the published vectors, and X25519 keys of Ed25519 keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import multikey, x25519
from twincli.errors import InvalidError

VECTORS = Path(__file__).parents[1] / "vectors"
FORMATS: dict[str, Any] = json.loads((VECTORS / "multiformats.json").read_text())
DID_KEY: dict[str, Any] = json.loads((VECTORS / "did_key.json").read_text())
ED25519: dict[str, Any] = json.loads((VECTORS / "ed25519.json").read_text())

BASE58 = [
    (case["bytes_hex"], case["encodings"]["base58btc"])
    for case in FORMATS["multibase"]
    if "base58btc" in case["encodings"]
]
CONVERSIONS = [
    (case["ed25519_public"], case["x25519_public"]) for case in ED25519["ed25519_to_x25519"]
]


@pytest.mark.parametrize(("data", "text"), BASE58)
def test_multibase(data: str, text: str) -> None:
    assert multikey.encode_multibase(bytes.fromhex(data)) == text
    assert multikey.decode_multibase(text) == bytes.fromhex(data)


@pytest.mark.parametrize("case", FORMATS["varint"], ids=lambda case: str(case["n"]))
def test_varint(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["hex"])
    assert multikey.encode_varint(case["n"]) == data
    assert multikey.decode_varint(data + b"rest") == (case["n"], b"rest")


@pytest.mark.parametrize("case", FORMATS["multicodec"], ids=lambda case: case["name"])
def test_codec_prefixes(case: dict[str, Any]) -> None:
    assert multikey.encode_varint(int(case["code"], 16)).hex() == case["varint_hex"]


@pytest.mark.parametrize("data", ["", "80", "8000", "ff", "ff" * 9, "80" * 9 + "01", "808000"])
def test_bad_varints(data: str) -> None:
    with pytest.raises(InvalidError) as caught:
        multikey.decode_varint(bytes.fromhex(data))
    assert caught.value.code == "invalid_multikey"


@given(st.integers(0, 2**63 - 1), st.binary(max_size=4))
def test_varint_reads_back(number: int, rest: bytes) -> None:
    assert multikey.decode_varint(multikey.encode_varint(number) + rest) == (number, rest)


def test_the_largest_number_has_a_varint() -> None:
    number = 2**63 - 1
    assert multikey.decode_varint(multikey.encode_varint(number)) == (number, b"")


def test_the_longest_text() -> None:
    """A text of 4,096 characters is read, a longer one is not."""
    assert multikey.decode_multibase("z" + "1" * 4095) == bytes(4095)
    with pytest.raises(InvalidError) as caught:
        multikey.decode_multibase("z" + "1" * 4096)
    assert caught.value.code == "invalid_multikey"


# https://github.com/multiformats/multicodec/blob/master/table.csv; compressed points.
LENGTHS = {0xE7: 33, 0xEA: 48, 0xEB: 96, 0xEC: 32, 0xED: 32, 0x1200: 33, 0x1201: 49, 0x1202: 67}


@pytest.mark.parametrize(("codec", "length"), LENGTHS.items())
def test_the_length_of_every_kind_of_key(codec: int, length: int) -> None:
    key = bytes(range(length))
    assert multikey.decode(multikey.encode(codec, key)) == (codec, key)
    for other in (key[1:], key + b"0"):
        with pytest.raises(InvalidError):
            multikey.encode(codec, other)


@pytest.mark.parametrize("number", [-1, 2**63])
def test_numbers_without_a_varint(number: int) -> None:
    with pytest.raises(InvalidError):
        multikey.encode_varint(number)


@pytest.mark.parametrize("case", DID_KEY["generated"], ids=lambda case: case["did"])
def test_keys(case: dict[str, Any]) -> None:
    public = bytes.fromhex(case["public_key_hex"])
    assert multikey.encode_ed25519(public) == case["publicKeyMultibase"]
    assert multikey.decode(case["publicKeyMultibase"]) == (multikey.ED25519_PUBLIC, public)
    agreement = x25519.public_from_ed25519(public)
    assert agreement.hex() == case["x25519_public_hex"]
    text = multikey.encode(multikey.X25519_PUBLIC, agreement)
    assert text == case["x25519_publicKeyMultibase"]


@given(st.binary(min_size=32, max_size=32))
def test_a_key_reads_back(key: bytes) -> None:
    assert multikey.decode(multikey.encode_ed25519(key)) == (multikey.ED25519_PUBLIC, key)


GOOD = "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "z",
        "z0OIl",
        "z" + "1" * 5000,
        GOOD[1:],
        "Z" + GOOD[1:],
        GOOD[:-1],
        GOOD + "p",
        GOOD + " ",
        " " + GOOD,
    ],
)
def test_bad_keys(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        multikey.decode(text)
    assert caught.value.code == "invalid_multikey"


def test_other_kinds_of_key() -> None:
    text = multikey.encode(0xE7, b"\2" + bytes(32))
    assert multikey.decode(text) == (0xE7, b"\2" + bytes(32))


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(InvalidError, match="0x55"):
        multikey.decode(multikey.encode_multibase(b"\x55" + bytes(32)))


def test_a_key_of_a_wrong_length_is_not_written() -> None:
    with pytest.raises(InvalidError):
        multikey.encode_ed25519(bytes(31))


@pytest.mark.parametrize(("public", "expected"), CONVERSIONS)
def test_x25519(public: str, expected: str) -> None:
    assert x25519.public_from_ed25519(bytes.fromhex(public)).hex() == expected


@pytest.mark.parametrize(
    "public", [bytes(32), b"\1" + bytes(31), b"\2" + bytes(31), bytes(31)], ids=repr
)
def test_what_is_no_point_has_no_x25519_key(public: bytes) -> None:
    with pytest.raises(InvalidError) as caught:
        x25519.public_from_ed25519(public)
    assert caught.value.code == "invalid_public_key"
