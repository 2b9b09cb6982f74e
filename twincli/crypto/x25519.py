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


def secret_from_seed(seed: bytes) -> bytes:
    """Return the 32-byte X25519 secret that belongs to the seed of an Ed25519 key.

    Args:
        seed: 32 bytes.
    """
    from nacl.bindings import crypto_sign_ed25519_sk_to_curve25519, crypto_sign_seed_keypair

    _, secret = crypto_sign_seed_keypair(seed)
    return crypto_sign_ed25519_sk_to_curve25519(secret)


def public_from_secret(secret: bytes) -> bytes:
    """Return the public key of an X25519 secret of 32 bytes."""
    from nacl.bindings import crypto_scalarmult_base

    return crypto_scalarmult_base(secret)
