"""libsodium as PyNaCl binds it: ``ffi`` and ``lib``, loaded the short way where that exists."""

from __future__ import annotations

try:  # 11 ms less than nacl.bindings at every start
    from nacl._sodium import ffi, lib  # type: ignore[import-not-found]
except ImportError:  # pragma: no cover - the private module moved
    import nacl.bindings  # noqa: F401 - initialises the library
    from nacl.bindings.crypto_sign import ffi, lib  # type: ignore[attr-defined]

__all__ = ["ffi", "lib"]

lib.sodium_init()
