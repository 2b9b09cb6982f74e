"""Base58 with the Bitcoin alphabet, as BigchainDB writes keys.

Own code, because a node meets a new key in every transaction of a stranger: the kept library
works digit by digit and takes ten times as long. A test compares the two.
"""

from __future__ import annotations

from functools import lru_cache

from twincli.errors import InvalidError, shown

_DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGIT_BYTES = _DIGITS.encode()
ALPHABET = frozenset(_DIGITS)

_NUMBERS = bytes(max(0, _DIGITS.find(chr(code))) for code in range(256))

# A key has at most 44; a little more is still decoded, for the better message.
_LONGEST_KEY = 100


@lru_cache(maxsize=1)
def _pairs() -> tuple[str, ...]:
    """Return the two digits of every number below 58 * 58; made when first needed."""
    return tuple(high + low for high in _DIGITS for low in _DIGITS)


def encode(data: bytes) -> str:
    """Return ``data`` as base58 text."""
    pairs = _pairs()
    number = int.from_bytes(data, "big")
    found: list[str] = []
    while number:
        # Four digits at once: the divisor fits the machine's own division.
        number, four = divmod(number, 58**4)
        high, low = divmod(four, 58**2)
        found += (pairs[low], pairs[high])
    found.reverse()
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(found).lstrip("1")


def decode(text: str) -> bytes:
    """Return the bytes that base58 ``text`` encodes.

    Raises:
        InvalidError: ``invalid_base58``: a character is outside the alphabet.
    """
    data = text.encode("ascii", "replace")
    if data.translate(None, _DIGIT_BYTES):  # something besides digits is left
        position = next(i for i, character in enumerate(text) if character not in ALPHABET)
        raise InvalidError(
            f"character {position + 1} of the base58 text, {shown(text[position])}, is not in its"
            " alphabet",
            code="invalid_base58",
            hint="base58 has no 0, O, I or l and no spaces",
        )
    # Each digit is in a byte of its own. Neighbours are added up to one digit of base 58^2 in
    # two bytes, those to one of base 58^4 in four, and so on: few operations on long numbers.
    number = int.from_bytes(data.translate(_NUMBERS), "big")
    for width, base, mask in _steps(len(text).bit_length()):
        number = (number & mask) + base * (number >> width & mask)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


@lru_cache(maxsize=32)
def _steps(count: int) -> tuple[tuple[int, int, int], ...]:
    """Return shift, base and mask of each step that adds up 2^count digits."""
    found = []
    for step in range(count):
        lane = 1 << step  # bytes
        mask = int.from_bytes((bytes(lane) + b"\xff" * lane) * (1 << count - step - 1), "big")
        found.append((8 * lane, 58**lane, mask))
    return tuple(found)


@lru_cache(maxsize=65536)
def decode_key(text: str) -> bytes:
    """Return the 32 bytes of a key in base58.

    Raises:
        InvalidError: ``invalid_public_key``: not base58, or not 32 bytes.
    """
    if len(text) > _LONGEST_KEY:  # decoding takes more than its length
        raise InvalidError(
            f"not a key: {len(text)} characters is too long",
            code="invalid_public_key",
        )
    try:
        data = decode(text)
    except InvalidError as error:
        raise InvalidError(f"not a key: {error.message}", code="invalid_public_key") from error
    if len(data) != 32:
        raise InvalidError(
            f"not a key: the base58 text decodes to {len(data)} bytes, a key has 32",
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
