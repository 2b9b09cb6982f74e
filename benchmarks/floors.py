"""What nothing that signs, verifies or is durable can do without."""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING

import nacl.bindings

from twincli.crypto import ed25519
from twincli.model import owners

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = ed25519.KeyPair.from_seed(bytes(range(32)))
OWNER = owners.of_keys([KEY.public_key])


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def pure_signing(count: int) -> float:
    """Return the seconds that libsodium takes to sign ``count`` messages of 32 bytes."""
    secret = KEY.seed + KEY.public_bytes
    message = bytes(32)
    sign = nacl.bindings.crypto_sign

    def run() -> None:
        for _ in range(count):
            sign(message, secret)

    return seconds(run)


def pure_verifying(count: int) -> float:
    """Return the seconds that libsodium takes on one core to verify as many signatures."""
    signed = nacl.bindings.crypto_sign(bytes(32), KEY.seed + KEY.public_bytes)
    verify, public = nacl.bindings.crypto_sign_open, KEY.public_bytes

    def run() -> None:
        for _ in range(count):
            verify(signed, public)

    return seconds(run)


def fsync_ms(directory: Path, count: int) -> float:
    """Return the median milliseconds of appending 4 KiB durably."""
    taken = []
    with (directory / "fsync").open("wb", buffering=0) as file:
        for _ in range(count):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000
