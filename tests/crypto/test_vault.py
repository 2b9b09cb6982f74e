"""Keys in locked memory: they sign as any key does, and leave nothing behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import ed25519, vault
from twincli.crypto.vault import Vault


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_a_cell_signs_as_the_key_of_its_seed_does(seed: bytes, message: bytes) -> None:
    cell = Vault(1).take()
    assert cell is not None
    cell.seed[:] = seed
    key = ed25519.KeyPair.from_seed(seed)
    assert cell.open() == key.public_bytes
    assert cell.sign(message) == cell.sign(bytearray(message)) == key.sign(message)


def test_a_wiped_cell_is_empty_and_can_be_taken_again() -> None:
    vault = Vault(2)
    first, second = vault.take(), vault.take()
    assert first is not None
    assert second is not None
    assert vault.take() is None
    for cell, byte in ((first, b"1"), (second, b"2")):
        cell.seed[:] = byte * 32
        cell.open()
        assert bytes(cell.seed) == bytes(32)  # it is needed no more
    first.wipe()
    memory = bytes(vault._memory)
    assert b"1" * 32 not in memory
    assert b"2" * 32 in memory
    assert vault.take() is not None
    assert vault.take() is None


def test_the_repr_shows_nothing() -> None:
    cell = Vault(1).take()
    assert cell is not None
    cell.seed[:] = b"s" * 32
    assert "ssss" not in repr(cell)


@pytest.mark.parametrize(("status", "locked"), [(0, True), (-1, False)])
def test_a_vault_says_whether_it_is_locked(
    monkeypatch: pytest.MonkeyPatch, status: int, *, locked: bool
) -> None:
    class Library:
        """Stands for libsodium where the system allows locked memory, or does not."""

        def sodium_mlock(self, _base: object, length: int) -> int:
            assert length
            return status

    with monkeypatch.context() as patch:
        patch.setattr(vault, "lib", Library())
        assert Vault(1).locked is locked
