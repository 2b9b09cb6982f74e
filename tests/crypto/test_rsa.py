"""RSASSA-PSS as crypto-conditions have it, against OpenSSL's."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from twincli.crypto.rsa import verify

# Lengths that leave every number of spare bits in the first byte of what is padded.
SIZES = [1024, 1025, 1026, 1027, 1028, 1029, 1030, 1031, 1032, 2048]
KEYS = {size: rsa.generate_private_key(65537, size) for size in SIZES}


def signed(
    size: int, message: bytes, salt: int = 32, hash_: hashes.HashAlgorithm | None = None
) -> bytes:
    hash_ = hash_ or hashes.SHA256()
    return KEYS[size].sign(message, padding.PSS(padding.MGF1(hash_), salt), hash_)


def modulus(size: int) -> bytes:
    return KEYS[size].public_key().public_numbers().n.to_bytes((size + 7) // 8, "big")


@pytest.mark.parametrize("size", SIZES)
def test_every_signature_is_good(size: int) -> None:
    for number in range(24):
        message = bytes([number]) * number
        signature = signed(size, message)
        assert verify(modulus(size), message, signature)
        assert not verify(modulus(size), message + b"x", signature)
        assert not verify(modulus(size), message, signature[:-1] + bytes([signature[-1] ^ 1]))
        assert not verify(modulus(size), message, b"\0" + signature)
        assert not verify(b"\0" + modulus(size), message, signature)


@pytest.mark.parametrize("salt", [0, 20, 31, 33, 64])
def test_a_salt_has_32_bytes(salt: int) -> None:
    assert not verify(modulus(1024), b"message", signed(1024, b"message", salt))


@pytest.mark.parametrize("hash_", [hashes.SHA1(), hashes.SHA512()], ids=["sha1", "sha512"])
def test_another_hash_is_refused(hash_: hashes.HashAlgorithm) -> None:
    assert not verify(modulus(2048), b"message", signed(2048, b"message", 32, hash_))


def test_the_number_has_to_be_below_the_modulus() -> None:
    n = int.from_bytes(modulus(1025), "big")
    signature = signed(1025, b"message")
    for times in (1, 2):  # 7 bits are spare
        number = int.from_bytes(signature, "big") + times * n
        assert not verify(modulus(1025), b"message", number.to_bytes(len(signature), "big"))


@pytest.mark.parametrize("length", [0, 1, 32, 65, 66, 2048, 2049])
def test_odd_numbers_are_refused(length: int) -> None:
    for byte in (b"\0", b"\x01", b"\xff"):
        assert not verify(byte * length, b"message", b"\0" * length)
        assert not verify(byte * length, b"message", b"\x01" * length)
