"""Another passphrase for a key: the old file or the new one, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from twincli.crypto import sealing
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConfigError, ConflictError, LockedError, NotFoundError
from twincli.keystore.store import KeyStore

CHEAP = sealing.Cost(operations=1, memory=8192)
CREATED = "2024-01-20T09:00:00Z"
ALICE = KeyPair.from_seed(b"a" * 32)
PHRASE = "abandon " * 11 + "about"


def old(_: str) -> bytes:
    return b"old"


def new(_: str) -> bytes:
    return b"new"


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    made = KeyStore(str(tmp_path / "keys"), cost=CHEAP)
    made.create("Alice", ALICE, secret_source=old, created=CREATED, mnemonic=PHRASE)
    return made


def test_the_new_passphrase_opens_and_the_old_does_not(store: KeyStore) -> None:
    before = store.get("alice")
    assert store.reseal(store.unlock("alice", old), b"new") == before
    assert os.listdir(store.directory) == ["alice.json"]
    path = Path(store.directory, "alice.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = store.unlock("alice", new)
    assert (key.info, key.keypair.seed, key.mnemonic) == (before, ALICE.seed, PHRASE)
    with pytest.raises(LockedError):
        store.unlock("alice", old)


def test_a_passphrase_comes_and_goes(store: KeyStore) -> None:
    path = Path(store.directory, "alice.json")
    info = store.reseal(store.unlock("alice", old), None)
    assert not info.passphrase
    assert not store.get("alice").passphrase
    assert "sealed" not in json.loads(path.read_text())
    key = store.unlock("alice", None)
    assert (key.keypair.seed, key.mnemonic) == (ALICE.seed, PHRASE)
    assert store.reseal(key, b"new").passphrase
    assert ALICE.private_key not in path.read_text()
    assert "abandon" not in path.read_text()
    assert store.unlock("alice", new).mnemonic == PHRASE
    with pytest.raises(LockedError):
        store.reseal(key, b"")
    assert store.unlock("alice", new).mnemonic == PHRASE


def test_the_cost_becomes_the_present_one(store: KeyStore) -> None:
    dearer = KeyStore(store.directory, cost=sealing.Cost(2, 16384))
    dearer.reseal(store.unlock("alice", old), b"new")
    sealed = json.loads(Path(store.directory, "alice.json").read_text())["sealed"]
    assert (sealed["operations"], sealed["memory"]) == (2, 16384)


def test_a_key_that_went_away_does_not_come_back(store: KeyStore) -> None:
    key = store.unlock("alice", old)
    store.remove("alice")
    with pytest.raises(NotFoundError):
        store.reseal(key, b"new")
    assert store.list() == []


def test_another_key_under_the_name_is_not_overwritten(store: KeyStore) -> None:
    key = store.unlock("alice", old)
    store.remove("alice")
    bob = KeyPair.from_seed(b"b" * 32)
    store.create("alice", bob, secret_source=None, created=CREATED)
    with pytest.raises(ConflictError) as caught:
        store.reseal(key, b"new")
    assert caught.value.code == "changed"
    assert store.get("alice").public_key == bob.public_key


def test_a_full_disk_leaves_the_old_file(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    key = store.unlock("alice", old)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(ConfigError) as caught:
            store.reseal(key, b"new")
    assert caught.value.code == "cannot_write"
    assert os.listdir(store.directory) == ["alice.json"]
    assert store.unlock("alice", old).keypair.seed == ALICE.seed


CHANGES = """
import sys
from twincli.crypto import sealing
from twincli.keystore.store import KeyStore
store = KeyStore(sys.argv[1], cost=sealing.Cost(1, 8192))
words = [b"old", b"new"]
print("ready", flush=True)
while True:
    for now, then in (words, words[::-1]):
        store.reseal(store.unlock("alice", lambda _: now), then)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_killed_process_leaves_the_old_or_the_new(store: KeyStore) -> None:
    for number in range(15):
        child = subprocess.Popen(
            [sys.executable, "-c", CHANGES, store.directory], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(0.002 * number)
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=30)
        opened = 0
        for word in (old, new):
            try:
                assert store.unlock("alice", word).mnemonic == PHRASE
            except LockedError:
                continue
            opened += 1
            store.reseal(store.unlock("alice", word), b"old")
        assert opened >= 1
    left = [name for name in os.listdir(store.directory) if not name.startswith(".new-")]
    assert left == ["alice.json"]
