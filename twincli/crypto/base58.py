"""Base58 with the Bitcoin alphabet, as BigchainDB writes keys."""

from __future__ import annotations

from functools import lru_cache

import base58 as _base58

from twincli.errors import InvalidError

ALPHABET = frozenset("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")

# A key has at most 44; a little more is still decoded, for the better message.
_LONGEST_KEY = 100


def encode(data: bytes) -> str:
    """Return ``data`` as base58 text."""
    return _base58.b58encode(data).decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes that base58 ``text`` stands for.

    Raises:
        InvalidError: ``invalid_base58``: a character is outside the alphabet (the library
            would strip surrounding blanks; here they are refused).
    """
    for position, character in enumerate(text):
        if character not in ALPHABET:
            raise InvalidError(
                f"character {position + 1} of the base58 text, {character!r}, is not in its"
                " alphabet",
                code="invalid_base58",
                hint="base58 has no 0, O, I, l and no blanks",
            )
    return _base58.b58decode(text)


@lru_cache(maxsize=65536)
def decode_key(text: str) -> bytes:
    """Return the 32 bytes of a key in base58.

    Raises:
        InvalidError: ``invalid_public_key``: not base58, or not 32 bytes.
    """
    if len(text) > _LONGEST_KEY:  # decoding takes the square of the length
        raise InvalidError(
            f"not a key: {len(text)} characters are too many",
            code="invalid_public_key",
        )
    try:
        data = decode(text)
    except InvalidError as error:
        raise InvalidError(f"not a key: {error.message}", code="invalid_public_key") from error
    if len(data) != 32:
        raise InvalidError(
            f"not a key: the base58 text holds {len(data)} bytes, a key has 32",
            code="invalid_public_key",
        )
    return data


def is_key(text: str) -> bool:
    """Say whether a text is 32 bytes in base58."""
    try:
        decode_key(text)
    except InvalidError:
        return False
    return True


@lru_cache(maxsize=65536)
def encode_key(data: bytes) -> str:
    """Return a 32-byte key as base58 text."""
    return encode(data)
