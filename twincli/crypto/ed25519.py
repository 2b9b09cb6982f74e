"""Ed25519 keys and signatures, always libsodium's.

Verifiers differ on points of small order and non-canonical encodings; BigchainDB judges with
libsodium, so does everything here (RFC 8032; measured against C2SP/CCTV and Wycheproof).
"""

from __future__ import annotations

from functools import lru_cache

from twincli.crypto import base58
from twincli.crypto.sodium import ffi as _ffi
from twincli.crypto.sodium import lib as _lib
from twincli.errors import InvalidError
from twincli.values import Protocol

_new = _ffi.new
_buffer = _ffi.buffer
_NULL = _ffi.NULL
_BYTES = _ffi.typeof("unsigned char[]")
_SIZE = _ffi.typeof("unsigned long long *")

SEED_BYTES = 32
PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64


class Signer(Protocol):
    """Something that signs for one public key: a key in memory, an agent, a chip."""

    @property
    def public_key(self) -> str:
        """The public key, base58."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message``."""


class KeyPair:
    """An Ed25519 key pair in memory. Its ``repr`` never shows the private half.

    Attributes:
        public_key: base58 of the 32-byte public key.
        private_key: base58 of the 32-byte seed.
        public_bytes: The 32-byte public key.
        seed: The 32-byte seed.
    """

    __slots__ = ("_private_key", "_secret", "public_bytes", "public_key", "seed")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise InvalidError(f"a seed must have 32 bytes, not {len(seed)}", code="invalid_key")
        public = _new(_BYTES, PUBLIC_KEY_BYTES)
        secret = _new(_BYTES, 64)
        _lib.crypto_sign_seed_keypair(public, secret, seed)
        self.seed = bytes(seed)
        self.public_bytes = bytes(_buffer(public, PUBLIC_KEY_BYTES))
        self.public_key = base58.encode(self.public_bytes)
        self._private_key: str | None = None
        self._secret = bytes(_buffer(secret, 64))

    @classmethod
    def from_seed(cls, seed: bytes) -> KeyPair:
        """Return the key pair of a 32-byte seed.

        Raises:
            InvalidError: ``invalid_key``: the seed has another length.
        """
        return cls(seed)

    @property
    def private_key(self) -> str:
        """The seed in base58, BigchainDB's private key."""
        if self._private_key is None:
            self._private_key = base58.encode(self.seed)
        return self._private_key

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message`` (RFC 8032, deterministic)."""
        length = len(message)
        signed = _new(_BYTES, SIGNATURE_BYTES + length)
        size = _new(_SIZE)
        _lib.crypto_sign(signed, size, message, length, self._secret)
        return bytes(_buffer(signed, SIGNATURE_BYTES))

    def __repr__(self) -> str:
        return f"KeyPair({self.public_key})"


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether ``signature`` is ``public_key``'s over ``message``, by libsodium's rules.

    Args:
        public_key: 32 bytes.
        message: Any bytes.
        signature: 64 bytes; with another length the answer is no.
    """
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    signed = signature + message
    # Without a place for the opened message libsodium only verifies.
    return bool(_lib.crypto_sign_open(_NULL, _NULL, signed, len(signed), public_key) == 0)


@lru_cache(maxsize=65536)
def is_point(public_key: bytes) -> bool:
    """Say whether 32 bytes are a usable public key.

    Usable means canonical, on the curve and in its prime-order group: what a seed can give. A
    signature that verifies proves of its key that it is canonical, on the curve and not of small
    order, but not the group: a test signs with such a key. So this is asked of signers as well.
    """
    return len(public_key) == PUBLIC_KEY_BYTES and bool(
        _lib.crypto_core_ed25519_is_valid_point(public_key) == 1
    )
