"""Ed25519 keys, signatures and the verdicts of libsodium."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import nacl.bindings
import nacl.exceptions
import nacl.signing
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import base58, ed25519
from twincli.errors import InvalidError

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "ed25519.json").read_text())
DRIVER_KEYS = json.loads(
    (Path(__file__).parent.parent / "vectors" / "driver_keypairs.json").read_text()
)

seeds = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize("case", VECTORS["rfc8032"] + VECTORS["djb"])
def test_published_signatures(case: dict[str, str]) -> None:
    message = bytes.fromhex(case["message"])
    signature = bytes.fromhex(case["signature"])
    pair = ed25519.KeyPair.from_seed(bytes.fromhex(case["seed"]))
    assert pair.public_bytes.hex() == case["public_key"]
    assert pair.sign(message) == signature
    assert ed25519.verify(pair.public_bytes, message, signature)
    assert ed25519.is_point(pair.public_bytes)


WYCHEPROOF = [
    (group["publicKey"], test) for group in VECTORS["wycheproof"] for test in group["tests"]
]


@pytest.mark.parametrize(("key", "case"), WYCHEPROOF, ids=[str(c["tcId"]) for _, c in WYCHEPROOF])
def test_wycheproof(key: str, case: dict[str, Any]) -> None:
    verdict = ed25519.verify(
        bytes.fromhex(key), bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
    )
    assert verdict is (case["result"] == "valid")


@pytest.mark.parametrize("case", VECTORS["edge_points"], ids=lambda case: str(case["number"]))
def test_edge_points_are_judged_by_libsodium(case: dict[str, Any]) -> None:
    verdict = ed25519.verify(
        bytes.fromhex(case["key"]), case["msg"].encode(), bytes.fromhex(case["sig"])
    )
    assert verdict is case["accepted_by"]["pynacl 1.6.2 (libsodium)"]


@pytest.mark.parametrize(
    "entry", DRIVER_KEYS["from_seed"] + DRIVER_KEYS["from_phrase"], ids=lambda e: e["name"]
)
def test_key_pairs_of_the_drivers(entry: dict[str, str]) -> None:
    pair = ed25519.KeyPair.from_seed(bytes.fromhex(entry["ed25519_seed_hex"]))
    assert (pair.public_key, pair.private_key) == (entry["public_key"], entry["private_key"])


@given(seeds, st.binary(max_size=200))
def test_equals_the_public_interface_of_pynacl(seed: bytes, message: bytes) -> None:
    pair = ed25519.KeyPair(seed)
    reference = nacl.signing.SigningKey(seed)
    assert pair.public_bytes == bytes(reference.verify_key)
    assert pair.sign(message) == reference.sign(message).signature
    assert base58.decode(pair.private_key) == pair.seed == seed
    assert base58.decode(pair.public_key) == pair.public_bytes


@given(seeds, st.binary(max_size=64), st.data())
def test_any_flipped_bit_is_refused(seed: bytes, message: bytes, data: st.DataObject) -> None:
    pair = ed25519.KeyPair(seed)
    signature = pair.sign(message)
    assert ed25519.verify(pair.public_bytes, message, signature)
    whole = bytearray(pair.public_bytes + signature + message)
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    assert not ed25519.verify(bytes(whole[:32]), bytes(whole[96:]), bytes(whole[32:96]))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_lengths(length: int) -> None:
    pair = ed25519.KeyPair(bytes(32))
    signature = pair.sign(b"message")
    assert not ed25519.verify(bytes(length), b"message", signature)
    assert not ed25519.verify(pair.public_bytes, b"message", (signature + bytes(64))[: length - 1])
    assert not ed25519.is_point(bytes(length))
    with pytest.raises(InvalidError, match=f"not {length}") as caught:
        ed25519.KeyPair.from_seed(bytes(length))
    assert caught.value.code == "invalid_key"


POINTS = {case["key"] for case in VECTORS["edge_points"]} | {
    "00" * 32,
    "01" + "00" * 31,
    "02" + "00" * 31,
    "ff" * 32,
    base58.decode_key("BurnBurnBurnBurnBurnBurnBurnBurnBurnBurnBurn").hex(),
    VECTORS["rfc8032"][0]["public_key"],
}


@pytest.mark.parametrize("key", sorted(POINTS))
def test_points_are_judged_by_libsodium(key: str) -> None:
    point = bytes.fromhex(key)
    assert ed25519.is_point(point) is nacl.bindings.crypto_core_ed25519_is_valid_point(point)


# A point of order 8: the curve has 8 times as many points as the group that seeds lead to, whose
# order is L.
ORDER_8 = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
L = 2**252 + 27742317777372353535851937790883648493


def times_base(number: int) -> bytes:
    return nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(number.to_bytes(32, "little"))


def test_a_signature_does_not_prove_all_of_a_key() -> None:
    """It proves that the key is canonical, on the curve and not of small order.

    It does not prove that the key is in the group that seeds lead to: somebody who adds a point of
    order 8 to a key can still sign every eighth message or so. So the points of new owners are
    looked at although they have signed.
    """
    secret = 0x1234567890ABCDEF << 128 | 1
    mixed = nacl.bindings.crypto_core_ed25519_add(times_base(secret), ORDER_8)
    assert ed25519.is_point(times_base(secret))
    assert not ed25519.is_point(mixed)
    first = times_base(1)
    verified = 0
    for number in range(64):
        message = bytes([number])
        digest = hashlib.sha512(first + mixed + message).digest()
        hashed = int.from_bytes(digest, "little") % L
        signature = first + ((1 + hashed * secret) % L).to_bytes(32, "little")
        assert ed25519.verify(mixed, message, signature) is (hashed % 8 == 0)
        verified += hashed % 8 == 0
    assert verified > 0


def test_the_burn_address_is_no_point() -> None:
    burn = base58.decode_key("BurnBurnBurnBurnBurnBurnBurnBurnBurnBurnBurn")
    assert not ed25519.is_point(burn)


def test_a_key_pair_shows_no_secret() -> None:
    pair = ed25519.KeyPair(bytes(range(32)))
    for shown in (repr(pair), str(pair), f"{pair}", repr([pair])):
        assert pair.private_key not in shown
        assert pair.seed.hex() not in shown
        assert pair.public_key in shown
    assert not hasattr(pair, "__dict__")
