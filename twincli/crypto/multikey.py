"""Keys as multibase text: ``z`` + base58 of a multicodec number and the key.

Source: the multiformats specifications (multibase, multicodec, unsigned-varint) and W3C Multikey.
Vectors in ``tests/vectors/multiformats.json`` and ``did_key.json``.
"""

from __future__ import annotations

from twincli.crypto import base58
from twincli.errors import InvalidError

ED25519_PUBLIC = 0xED
X25519_PUBLIC = 0xEC

# Public keys that did:key knows, with their length. A lost or added base58 character changes the
# codec number along with the length, so a number that is not here is taken for a mistake.
_LENGTHS = {
    ED25519_PUBLIC: 32,
    X25519_PUBLIC: 32,
    0xE7: 33,  # secp256k1
    0xEA: 48,  # BLS12-381 G1
    0xEB: 96,  # BLS12-381 G2
    0x1200: 33,  # P-256
    0x1201: 49,  # P-384
    0x1202: 67,  # P-521
}
_MAX_VARINT_BYTES = 9
_MAX_TEXT = 4096


def encode_varint(number: int) -> bytes:
    """Return a number below 2^63 as an unsigned varint."""
    if not 0 <= number < 1 << 63:
        raise _bad(f"{number} is not an unsigned varint")
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)
    return bytes(data)


def decode_varint(data: bytes) -> tuple[int, bytes]:
    """Return the number at the start of ``data`` and the bytes after it.

    Raises:
        InvalidError: ``invalid_multikey``: cut short, longer than 9 bytes, or not the shortest
            form.
    """
    number = 0
    for index, byte in enumerate(data[:_MAX_VARINT_BYTES]):
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if byte == 0 and index:
                raise _bad("a varint is longer than it needs to be")
            return number, data[index + 1 :]
    raise _bad("a varint is cut short or longer than 9 bytes")


def encode_multibase(data: bytes) -> str:
    """Return ``data`` as base58btc multibase: ``z`` and base58."""
    return "z" + base58.encode(data)


def decode_multibase(text: str) -> bytes:
    """Return the bytes of base58btc multibase text.

    Raises:
        InvalidError: ``invalid_multikey``: another base, or not base58.
    """
    if not text.startswith("z"):
        raise _bad("it does not start with z, for base58")
    if len(text) > _MAX_TEXT:
        raise _bad(f"it is longer than {_MAX_TEXT} characters")
    try:
        return base58.decode(text[1:])
    except InvalidError as error:
        raise _bad(error.message) from error


def encode(codec: int, key: bytes) -> str:
    """Return a key as multibase text.

    Args:
        codec: Multicodec number, such as ``ED25519_PUBLIC``.
        key: The raw key.

    Raises:
        InvalidError: ``invalid_multikey``: an unknown codec, or a wrong length for it.
    """
    _check_length(codec, key)
    return encode_multibase(encode_varint(codec) + key)


def encode_ed25519(public_key: bytes) -> str:
    """Return a 32-byte Ed25519 public key as ``z6Mk...``."""
    return encode(ED25519_PUBLIC, public_key)


def decode(text: str) -> tuple[int, bytes]:
    """Return the multicodec number and the raw key of multibase text.

    Raises:
        InvalidError: ``invalid_multikey``: another base, an unknown codec, a wrong length.
    """
    codec, key = decode_varint(decode_multibase(text))
    _check_length(codec, key)
    return codec, key


def _check_length(codec: int, key: bytes) -> None:
    expected = _LENGTHS.get(codec)
    if expected is None:
        raise _bad(f"{codec:#x} is not a known kind of public key")
    if len(key) != expected:
        raise _bad(f"the key has {len(key)} bytes, not {expected}")


def _bad(why: str) -> InvalidError:
    return InvalidError(f"not a multibase key: {why}", code="invalid_multikey")
