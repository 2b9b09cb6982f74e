"""Identities need no network, and no command tells a secret that was not asked for."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import NoReturn

import pytest

from tests.conftest import Invoke

PHRASE = "abandon " * 11 + "about"


def blocked(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a socket was opened")


@pytest.mark.parametrize("name", ["socket", "create_connection", "getaddrinfo"])
def test_keys_dids_and_twins_work_with_the_network_off(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(socket, name, blocked)
    with pytest.raises(AssertionError):
        getattr(socket, name)()
    assert invoke("keys", "new", "alice", "--no-passphrase").status == 0
    assert invoke("did", "new", "alice").status == 0
    did = invoke("did", "show", "alice", "--get", "did").stdout.strip()
    for words in (
        ("keys", "list"),
        ("did", "list"),
        ("did", "resolve", did),
        ("did", "resolve", "alice"),
        ("asset", "create", "car", "--wheels", "4"),
        ("asset", "append", "car", "--km", "1"),
        ("history", "car"),
        ("keys", "export", "alice", "--format", "openssh"),
        ("keys", "sign", "alice", "-"),
        ("doctor", "--full"),
        ("demo",),
    ):
        run = invoke(*words)
        assert run.status == 0, (words, run.stderr)


def test_no_command_tells_a_secret(invoke: Invoke, tmp_path: Path) -> None:
    """Neither seed nor phrase nor passphrase shows, in any form of output, nor in errors."""
    (tmp_path / "good").write_text("correct horse battery\n")
    (tmp_path / "bad").write_text("wrong donkey\n")
    (tmp_path / "phrase").write_text(PHRASE)
    good = ("--passphrase-file", str(tmp_path / "good"))
    bad = ("--passphrase-file", str(tmp_path / "bad"))
    said = []
    commands = [
        ("keys", "recover", "alice", str(tmp_path / "phrase"), *good),
        ("keys", "recover", "plain", str(tmp_path / "phrase"), "--no-passphrase"),
        ("keys", "list"),
        ("keys", "show", "alice"),
        ("keys", "show", "plain"),
        ("did", "new", "alice", *good),
        ("asset", "create", "car", "--owner", "alice", "--key", "alice", *good),
        ("asset", "append", "car", "--km", "1", "--key", "alice", *bad),
        ("asset", "append", "car", "--km", "1", *good),
        ("asset", "show", "car"),
        ("history", "car"),
        ("config", "show"),
        ("status",),
        ("doctor", "--full"),
        ("keys", "sign", "alice", str(tmp_path / "phrase"), *good),
        ("keys", "sign", "alice", str(tmp_path / "phrase"), *bad),
        ("keys", "export", "plain"),
        ("keys", "export", "alice", "--secret", "-o", str(tmp_path / "alice.seed"), *good),
        ("keys", "export", "alice", "--secret", "-o", str(tmp_path / "never"), *bad),
        ("keys", "import", "again", str(tmp_path / "alice.seed"), "--no-passphrase"),
        ("keys", "passwd", "alice", "--new-passphrase-file", str(tmp_path / "good"), *bad),
        ("keys", "derive", "plain", "box", "--count", "2", "--no-passphrase"),
        ("keys", "recover", "found", str(tmp_path / "phrase"), "--scan", "--no-passphrase"),
        ("asset", "append", "car", "--km", "2", "--prepare", str(tmp_path / "p.json")),
        ("tx", "sign", str(tmp_path / "p.json"), "--yes", "--key", "alice", *bad),
        ("tx", "sign", str(tmp_path / "p.json"), "--yes", "--key", "alice", *good),
        ("backup", "create", "-o", str(tmp_path / "home.tar")),
        ("agent", "start", "--key", "alice", *bad),
        ("keys", "rename", "alice", "eve"),
        ("keys", "remove", "plain", "--yes"),
    ]
    statuses = set()
    for words in commands:
        run = invoke(*words, "--json")
        statuses.add(run.status)
        said.append(run.stdout + run.stderr)
    assert statuses == {0, 6}
    secrets = [
        "7Nd28R6edUHSmUoksLRST2rW8iqEHq2YQhTQrmJjNMXW",  # driver_keypairs.json, abandon12
        "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1",
        PHRASE,
        "correct horse battery",
        "wrong donkey",
    ]
    for secret in secrets:
        assert not [text for text in said if secret in text]
    # The phrase did give that key, so the search was for the right thing.
    assert json.loads(said[3])["public_key"] == "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o"
