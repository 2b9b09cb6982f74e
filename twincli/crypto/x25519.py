"""X25519 keys of Ed25519 holders: signing keys cannot encrypt, the curve they share can."""

from __future__ import annotations

from twincli.errors import InvalidError


def public_from_ed25519(public_key: bytes) -> bytes:
    """Return the 32-byte X25519 public key that belongs to an Ed25519 public key.

    Args:
        public_key: 32 bytes.

    Raises:
        InvalidError: ``invalid_public_key``: not 32 bytes, or not a point that a seed can give.

    Source: libsodium's conversion; vectors in ``tests/vectors/ed25519.json``.
    """
    from nacl.bindings import crypto_sign_ed25519_pk_to_curve25519
    from nacl.exceptions import CryptoError

    try:
        return crypto_sign_ed25519_pk_to_curve25519(public_key)
    except CryptoError as error:
        raise InvalidError(
            "the Ed25519 public key is not a usable curve point", code="invalid_public_key"
        ) from error
