"""BIP39 phrases: making, checking, and turning them into a seed.

The word list and its checksum come from the ``mnemonic`` package, which is imported only by the
functions that need it; the seed is plain PBKDF2 and needs nothing but the standard library.

Source: BIP39; vectors in ``tests/vectors/bip39.json`` and ``driver_keypairs.json``.
"""

from __future__ import annotations

import os
from hashlib import pbkdf2_hmac
from unicodedata import normalize

from twincli.errors import InvalidError, UsageError
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WORD_COUNTS = (12, 15, 18, 21, 24)
SEED_BYTES = 64
_ROUNDS = 2048


def generate(words: int = 24, *, random: Callable[[int], bytes] = os.urandom) -> str:
    """Return a new English phrase.

    Args:
        words: 12, 15, 18, 21 or 24; the phrase has 32 bits of entropy for every three words.
        random: Gives that many unpredictable bytes.

    Raises:
        UsageError: Another number of words.
    """
    if words not in WORD_COUNTS:
        raise UsageError(f"a phrase has 12, 15, 18, 21 or 24 words, not {words}")
    return from_entropy(random(words // 3 * 4))


def from_entropy(entropy: bytes) -> str:
    """Return the English phrase of 16, 20, 24, 28 or 32 bytes."""
    from mnemonic import Mnemonic

    if len(entropy) not in (16, 20, 24, 28, 32):
        raise InvalidError(
            f"a phrase is made of 16, 20, 24, 28 or 32 bytes, not {len(entropy)}",
            code="invalid_mnemonic",
        )
    return Mnemonic("english").to_mnemonic(entropy)


def normalise(phrase: str) -> str:
    """Return a typed-in phrase in the form its checksum and seed are defined for.

    NFKD, lower case, one blank between the words, none around them. This is a policy for English
    phrases that people type; ``to_seed`` never does it, because any other text is a seed of its own
    (the tutorial's ``seedPhrase`` has a capital letter).
    """
    return " ".join(normalize("NFKD", phrase).casefold().split())


def check(phrase: str) -> bool:
    """Say whether ``phrase``, exactly as it stands, is an English BIP39 phrase."""
    return _fault(phrase) is None


def validate(phrase: str) -> None:
    """Check a phrase exactly as given.

    Raises:
        InvalidError: ``invalid_mnemonic``, with the number of words, the position of the first
            wrong word or a word on the checksum. The words themselves are never repeated.
    """
    fault = _fault(phrase)
    if fault is not None:
        raise InvalidError(fault, code="invalid_mnemonic")


def _fault(phrase: str) -> str | None:
    words = normalize("NFKD", phrase).split(" ")
    if not phrase.strip():
        return "the phrase is empty"
    if len(words) not in WORD_COUNTS:
        return f"the phrase has {len(words)} words, not 12, 15, 18, 21 or 24"

    from mnemonic import Mnemonic

    english = Mnemonic("english")
    known = frozenset(english.wordlist)
    for position, word in enumerate(words, 1):
        if word not in known:
            return f"word {position} of {len(words)} is not in the English BIP39 list"
    if not english.check(phrase):
        return (
            "every word is in the list but the checksum of the phrase fails:"
            " a word is wrong, or two are swapped"
        )
    return None


def to_seed(phrase: str, passphrase: str = "") -> bytes:
    """Return the 64-byte seed of any text.

    The text is not checked, trimmed or lower-cased, as in the tutorial's JavaScript and in every
    BIP39 library.

    Args:
        phrase: A phrase, or any text; NFKD is applied.
        passphrase: BIP39's own passphrase, NFKD is applied.

    Raises:
        InvalidError: ``invalid_mnemonic``: half of a surrogate pair, which has no UTF-8.
    """
    secret, salt = _utf8(phrase), _utf8("mnemonic" + passphrase)
    if secret is None or salt is None:
        raise InvalidError(
            "the phrase or its passphrase is not Unicode text", code="invalid_mnemonic"
        )
    return pbkdf2_hmac("sha512", secret, salt, _ROUNDS)


def _utf8(text: str) -> bytes | None:
    """Return the NFKD form in UTF-8, or None; the encoder's exception would carry the text."""
    try:
        return normalize("NFKD", text).encode()
    except UnicodeEncodeError:
        return None
