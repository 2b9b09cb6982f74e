"""A secret under a passphrase: Argon2id makes the key, XChaCha20-Poly1305 seals.

A sealed document names its algorithms and its cost, so that both can be raised later. The header of
the file it lies in and all of its own parameters are associated data: none can be changed without
the passphrase. A short digest distinguishes a damaged file from a wrong passphrase without
deriving anything.

Source: RFC 9106 (one lane, as libsodium has it), draft-irtf-cfrg-xchacha-03. Vectors for the first
step in ``tests/vectors/keystore_kdf.json``.
"""

from __future__ import annotations

import os
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from twincli.crypto import canonical
from twincli.errors import ConfigError, InvalidError, LockedError
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KDF = "argon2id"
CIPHER = "xchacha20-poly1305"
MAX_OPERATIONS = 10
MAX_MEMORY = 1 << 30

_MIN_MEMORY = 8192
_KEY_BYTES = 32
_SALT_BYTES = 16
_NONCE_BYTES = 24
_TAG_BYTES = 16
_ARGON2ID13 = 2


class Cost(NamedTuple):
    """What one guess of the passphrase costs: passes over ``memory`` bytes."""

    operations: int
    memory: int


DEFAULT_COST = Cost(operations=3, memory=64 << 20)
"""About 0.1 s on a 2020s laptop core, 64 MiB; more than RFC 9106's second recommendation asks of
one lane, and still possible on a small device."""


def seal(
    secret: bytes,
    passphrase: bytes,
    *,
    header: Mapping[str, Any] | None = None,
    cost: Cost = DEFAULT_COST,
    random: Callable[[int], bytes] = os.urandom,
) -> dict[str, Any]:
    """Return ``secret`` sealed under ``passphrase``.

    Args:
        secret: Any bytes.
        passphrase: Any bytes but none.
        header: JSON object that must be the same when it is opened.
        cost: Cost of the key derivation, kept in the document.
        random: Gives that many unpredictable bytes.

    Returns:
        ``kdf operations memory salt cipher nonce ciphertext digest``; the last four and ``salt``
        in hex, ``memory`` in bytes.

    Raises:
        LockedError: ``empty_passphrase``.
        InvalidError: ``cost_out_of_bounds``.
    """
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as encrypt

    _check_cost(cost)
    if not passphrase:
        raise LockedError("the passphrase is empty", code="empty_passphrase")
    salt, nonce = random(_SALT_BYTES), random(_NONCE_BYTES)
    document: dict[str, Any] = {
        "kdf": KDF,
        "operations": cost.operations,
        "memory": cost.memory,
        "salt": salt.hex(),
        "cipher": CIPHER,
        "nonce": nonce.hex(),
    }
    bound = _bound(document, header)
    ciphertext = encrypt(secret, bound, nonce, derive(passphrase, salt, cost))
    document["ciphertext"] = ciphertext.hex()
    document["digest"] = _digest(bound, ciphertext)
    return document


def open_sealed(
    document: Mapping[str, Any], passphrase: bytes, *, header: Mapping[str, Any] | None = None
) -> bytes:
    """Return the secret of a sealed document.

    Everything that can be refused is refused before the passphrase is used.

    Raises:
        InvalidError: ``unknown_algorithm``, ``cost_out_of_bounds``; ``damaged_key`` when the
            document is not whole.
        LockedError: ``bad_passphrase``. The same when the document was altered on purpose,
            digest included.
    """
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as decrypt
    from nacl.exceptions import CryptoError

    for field, expected in (("kdf", KDF), ("cipher", CIPHER)):
        if document.get(field) != expected:
            raise InvalidError(
                f"the key is sealed with {document.get(field)!r}, which this version does not know",
                code="unknown_algorithm",
                hint="a newer twincli may open it",
            )
    cost = Cost(_number(document, "operations"), _number(document, "memory"))
    _check_cost(cost)
    salt = _bytes(document, "salt")
    nonce = _bytes(document, "nonce")
    ciphertext = _bytes(document, "ciphertext")
    if (
        len(salt) != _SALT_BYTES
        or len(nonce) != _NONCE_BYTES
        or len(ciphertext) < _TAG_BYTES
        or not isinstance(document.get("digest"), str)
    ):
        raise _damaged("a field has a wrong length")
    bound = _bound(document, header)
    if not compare_digest(_digest(bound, ciphertext).encode(), document["digest"].encode()):
        raise _damaged("its digest does not match")
    try:
        return decrypt(ciphertext, bound, nonce, derive(passphrase, salt, cost))
    except CryptoError as error:
        raise LockedError("the passphrase is wrong", code="bad_passphrase") from error


def derive(passphrase: bytes, salt: bytes, cost: Cost) -> bytes:
    """Return the 32-byte Argon2id key of a passphrase and a 16-byte salt.

    Raises:
        ConfigError: ``not_enough_memory``.
    """
    from nacl.bindings import crypto_pwhash_alg
    from nacl.exceptions import RuntimeError as SodiumError

    try:
        return crypto_pwhash_alg(
            _KEY_BYTES, passphrase, salt, cost.operations, cost.memory, _ARGON2ID13
        )
    except SodiumError as error:
        raise ConfigError(
            f"not enough memory for the passphrase check, which needs {cost.memory >> 20} MiB",
            code="not_enough_memory",
        ) from error


def _check_cost(cost: Cost) -> None:
    if not (1 <= cost.operations <= MAX_OPERATIONS and _MIN_MEMORY <= cost.memory <= MAX_MEMORY):
        raise InvalidError(
            f"a passphrase check of {cost.operations} passes over {cost.memory} bytes is out of"
            f" bounds: at most {MAX_OPERATIONS} passes over {MAX_MEMORY} bytes",
            code="cost_out_of_bounds",
            hint="the file may have been altered to exhaust this machine",
        )


def _bound(document: Mapping[str, Any], header: Mapping[str, Any] | None) -> bytes:
    """Return the associated data: the header and every parameter."""
    parameters = {
        field: document[field]
        for field in ("kdf", "operations", "memory", "salt", "cipher", "nonce")
    }
    return canonical.encode({"header": dict(header or {}), "sealed": parameters})


def _digest(bound: bytes, ciphertext: bytes) -> str:
    return canonical.sha3_hex(bound + ciphertext)[:16]


def _number(document: Mapping[str, Any], field: str) -> int:
    value = document.get(field)
    if type(value) is not int:
        raise _damaged(f"{field} is not a whole number")
    return value


def _bytes(document: Mapping[str, Any], field: str) -> bytes:
    value = document.get(field)
    # bytes.fromhex skips blanks and takes both cases; only the form that seal writes is taken.
    if not isinstance(value, str) or len(value) % 2 or not set(value) <= _HEX:
        raise _damaged(f"{field} is not hex")
    return bytes.fromhex(value)


_HEX = frozenset("0123456789abcdef")


def _damaged(why: str) -> InvalidError:
    return InvalidError(
        f"the sealed key is damaged: {why}",
        code="damaged_key",
        hint="restore the key file from a backup, or recover the key from its phrase",
    )
