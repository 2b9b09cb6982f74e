"""Keys from a BIP39 seed: the tutorial's rule, and SLIP-0010.

Source: SLIP-0010 for ed25519 (hardened steps only); the BigchainDB tutorial. Vectors in
``tests/vectors/slip10.json``, ``wallet_slip0010.json``, ``driver_keypairs.json``.
"""

from __future__ import annotations

import hmac

from twincli.crypto.ed25519 import KeyPair
from twincli.errors import InvalidError

_HARDENED = 1 << 31
_MAX_DEPTH = 255


def tutorial(seed64: bytes) -> KeyPair:
    """Return the key pair of the tutorial: the first 32 bytes of the BIP39 seed are the key's seed.

    Args:
        seed64: BIP39 seed, 64 bytes.

    Raises:
        InvalidError: ``invalid_seed``: another length.
    """
    if len(seed64) != 64:
        raise InvalidError(
            f"a BIP39 seed must have 64 bytes, not {len(seed64)}", code="invalid_seed"
        )
    return KeyPair.from_seed(seed64[:32])


def slip10(seed64: bytes, path: str) -> KeyPair:
    """Return the key pair at ``path``.

    Args:
        seed64: BIP39 seed; SLIP-0010 allows 16 to 64 bytes.
        path: Every step hardened, such as ``m/44'/822'/0'/0'/0'``, or with ``h`` for the
            apostrophe.

    Raises:
        InvalidError: ``invalid_path``, ``invalid_seed``.
    """
    private, _ = node(seed64, parse_path(path))
    return KeyPair.from_seed(private)


def node(seed: bytes, path: tuple[int, ...]) -> tuple[bytes, bytes]:
    """Return the private key and the chain code of a node, 32 bytes each.

    Args:
        seed: 16 to 64 bytes.
        path: Step numbers without the hardening bit, as ``parse_path`` gives them.

    Raises:
        InvalidError: ``invalid_seed``: another length.
    """
    if not 16 <= len(seed) <= 64:
        raise InvalidError(
            f"a SLIP-0010 seed must have 16 to 64 bytes, not {len(seed)}", code="invalid_seed"
        )
    digest = hmac.digest(b"ed25519 seed", seed, "sha512")
    for step in path:
        private, chain_code = digest[:32], digest[32:]
        digest = hmac.digest(
            chain_code, b"\0" + private + (_HARDENED | step).to_bytes(4, "big"), "sha512"
        )
    return digest[:32], digest[32:]


def parse_path(text: str) -> tuple[int, ...]:
    """Return the steps of a derivation path, without the hardening bit.

    Raises:
        InvalidError: ``invalid_path``: it does not start with ``m``, a step is not a number below
            2^31, or is not hardened.
    """
    head, *steps = text.split("/")
    if head != "m":
        raise _bad(text, "it does not start with m/")
    if len(steps) > _MAX_DEPTH:
        raise _bad(text, f"it has more than {_MAX_DEPTH} steps")
    return tuple(_parse_step(text, step) for step in steps)


def _parse_step(text: str, step: str) -> int:
    digits = step[:-1] if step.endswith(("'", "h")) else step
    if not (digits.isascii() and digits.isdigit()):
        raise _bad(text, f"the step {step!r} is not a number followed by ' or h")
    if len(digits) > 10 or int(digits) >= _HARDENED:
        raise _bad(text, f"the step {step!r} is not below 2147483648")
    if digits != str(int(digits)):
        raise _bad(text, f"the step {step!r} starts with a zero")
    if digits == step:
        raise _bad(text, f"the step {step!r} is not hardened, and Ed25519 has only hardened steps")
    return int(digits)


def _bad(text: str, why: str) -> InvalidError:
    return InvalidError(
        f"{text!r} is not a derivation path: {why}",
        code="invalid_path",
        hint="write it like m/44'/822'/0'/0'/0' or m/44h/822h/0h/0h/0h",
    )


def format_path(steps: tuple[int, ...]) -> str:
    """Return the text of a path: ``m/44'/822'/0'``."""
    return "/".join(("m", *(f"{step}'" for step in steps)))
