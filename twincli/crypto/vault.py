"""Secret keys in memory that is locked where the limits allow, left out of core files, and wiped.

Python copies bytes as it likes and never wipes them, so a seed that comes here is received straight
into the memory of a cell, becomes a key there and signs from there; it is never in a Python object.
What this cannot do: the kernel's socket buffer held the seed for a moment; libsodium wipes what it
has on the stack, not what the processor had in registers; without ``locked`` the memory may be
written to swap; and root, who may read this process's memory, can read it.
"""

from __future__ import annotations

import mmap

from twincli.crypto.ed25519 import PUBLIC_KEY_BYTES, SEED_BYTES, SIGNATURE_BYTES
from twincli.crypto.sodium import ffi, lib

_SECRET_BYTES = 64
_CELL_BYTES = _SECRET_BYTES + SEED_BYTES


class Vault:
    """Room for a number of keys.

    Attributes:
        locked: Whether the memory is never written to swap.
    """

    def __init__(self, count: int) -> None:
        self._memory = mmap.mmap(-1, count * _CELL_BYTES)
        self._base = ffi.from_buffer("unsigned char[]", self._memory)
        # On Linux libsodium also asks that the pages stay out of core files.
        self.locked: bool = lib.sodium_mlock(self._base, len(self._memory)) == 0
        self._free = list(range(count))

    def take(self) -> Cell | None:
        """Return an empty cell, None when all are taken."""
        return Cell(self, self._free.pop()) if self._free else None


class Cell:
    """Place for one key. Its ``repr`` shows nothing of it.

    Attributes:
        seed: The 32 bytes to receive the seed into; ``open`` empties them.
    """

    __slots__ = ("_number", "_secret", "_vault", "seed")

    def __init__(self, vault: Vault, number: int) -> None:
        begin = number * _CELL_BYTES
        self._vault = vault
        self._number = number
        self._secret = vault._base + begin  # noqa: SLF001 - a vault is made of cells
        whole = memoryview(vault._memory)  # noqa: SLF001
        self.seed = whole[begin + _SECRET_BYTES : begin + _CELL_BYTES]

    def open(self) -> bytes:
        """Make the key of the seed and return its 32-byte public key."""
        public = ffi.new("unsigned char[]", PUBLIC_KEY_BYTES)
        lib.crypto_sign_seed_keypair(public, self._secret, self._secret + _SECRET_BYTES)
        lib.sodium_memzero(self._secret + _SECRET_BYTES, SEED_BYTES)
        return bytes(ffi.buffer(public, PUBLIC_KEY_BYTES))

    def sign(self, message: bytes | bytearray) -> bytes:
        """Return the 64-byte signature of ``message`` by the key of the last ``open``."""
        signed = ffi.new("unsigned char[]", SIGNATURE_BYTES + len(message))
        size = ffi.new("unsigned long long *")
        source = ffi.from_buffer("unsigned char[]", message)
        lib.crypto_sign(signed, size, source, len(message), self._secret)
        return bytes(ffi.buffer(signed, SIGNATURE_BYTES))

    def wipe(self) -> None:
        """Overwrite the key and give the cell back; it must not be used again."""
        lib.sodium_memzero(self._secret, _CELL_BYTES)
        self._vault._free.append(self._number)  # noqa: SLF001
