"""RSASSA-PSS as crypto-conditions have it: SHA-256, 32 bytes of salt, exponent 65537.

Source: RFC 8017, sections 8.1.2 and 9.1.2; draft-thomas-crypto-conditions-02; vectors in
``tests/vectors/crypto_conditions.json``.
"""

from __future__ import annotations

from twincli.crypto.digests import sha256

_MAX_MODULUS_BYTES = 2048  # OpenSSL's bound; the time to verify grows with the square and more


def verify(modulus_bytes: bytes, message: bytes, signature_bytes: bytes) -> bool:
    """Say whether a signature is good; both numbers are big-endian and of one length."""
    modulus = int.from_bytes(modulus_bytes, "big")
    signature = int.from_bytes(signature_bytes, "big")
    if (
        len(signature_bytes) != len(modulus_bytes)
        or signature >= modulus
        or not 66 <= len(modulus_bytes) <= _MAX_MODULUS_BYTES
    ):
        return False
    bits = modulus.bit_length() - 1
    size = (bits + 7) // 8
    opened = pow(signature, 65537, modulus)
    if opened.bit_length() > 8 * size:
        return False
    encoded = opened.to_bytes(size, "big")
    masked, digest, trailer = encoded[:-33], encoded[-33:-1], encoded[-1]
    spare = 8 * size - bits
    if trailer != 0xBC or masked[0] >> (8 - spare):
        return False
    blocks = (
        sha256(digest + number.to_bytes(4, "big")).digest() for number in range(size // 32 + 1)
    )
    mask = b"".join(blocks)[: len(masked)]
    data = bytearray(left ^ right for left, right in zip(masked, mask, strict=True))
    data[0] &= 0xFF >> spare
    salt = bytes(data[-32:])
    padding = bytes(len(data) - 33) + b"\x01"
    expected = sha256(bytes(8) + sha256(message).digest() + salt).digest()
    return bytes(data[:-32]) == padding and expected == digest
