"""SHA-256 and SHA3-256: Python's own for the few of a short run, OpenSSL's for many.

``hashlib`` loads OpenSSL, which takes about 2.5 ms of every start, and then hashes two to four
times as fast. Python's own are used until they would have lost as much time as that. What hashes
whole files or streams takes ``hashlib`` at once.
"""

from __future__ import annotations

import sys

from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _hashlib import HASH
    from collections.abc import Callable

    Bytes = bytes | bytearray | memoryview
    Make = Callable[[Bytes], HASH]

_ENOUGH = 1 << 19
"""Bytes to hash before OpenSSL is worth loading; a text counts as `_EACH` more than it has."""
_EACH = 64

_left = _ENOUGH


def sha256(data: Bytes = b"") -> HASH:
    """Return a SHA-256 hash object that has taken in ``data``."""
    return _sha256(data)


def sha3_256(data: Bytes = b"") -> HASH:
    """Return a SHA3-256 hash object that has taken in ``data``."""
    return _sha3_256(data)


def _counted(name: str, modules: tuple[str, ...]) -> Make:
    """Return Python's own hash ``name``, which gives way to OpenSSL's after enough bytes."""
    for module in modules:
        try:
            own: Any = getattr(__import__(module), name)
        except (ImportError, AttributeError):  # another version of Python, or built without
            continue
        break
    else:
        return _openssl(name)

    def hashed(data: Bytes) -> HASH:
        global _left  # noqa: PLW0603 - a count that threads may get a little wrong
        _left -= len(data) + _EACH
        if _left < 0:
            _use_openssl()
            return _openssl(name)(data)
        made: HASH = own(data)
        return made

    return hashed


def _openssl(name: str) -> Make:
    import hashlib

    made: Make = getattr(hashlib, name)
    return made


def _use_openssl() -> None:
    global _sha256, _sha3_256
    _sha256, _sha3_256 = _openssl("sha256"), _openssl("sha3_256")


if "_hashlib" in sys.modules:
    _use_openssl()
else:
    _sha256 = _counted("sha256", ("_sha2", "_sha256"))
    _sha3_256 = _counted("sha3_256", ("_sha3",))
