"""A file of a home that is missing, while others show that it was there, is never begun again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.stories import quietly
from tests.conftest import Invoke
from twincli.crypto.ed25519 import KeyPair
from twincli.ledger import files as ledger_files

COMMANDS = [
    "status",
    "asset list",
    "asset create boat",
    "asset append car --mileage 1",
    "did new alice",
    "history car",
    "search car",
    "ledger info",
    "ledger reindex",
    "push --node http://127.0.0.1:1",
    "node start --port 0 --dry-run",
    "backup create -o {place}/b.tar",
    "backup create -o -",
]


def remove(path: Path) -> None:
    """Remove a file."""
    path.unlink()


def empty(path: Path) -> None:
    """Leave nothing of a file but its name."""
    path.write_bytes(b"")


def unmount(path: Path) -> None:
    """Leave a link to a place that is not there."""
    path.unlink()
    path.symlink_to(path.parent / "unmounted" / path.name)


def without_index(path: Path) -> None:
    """Remove the ledger and its index; its key is left."""
    path.unlink()
    (path.parent / "index.db").unlink(missing_ok=True)


def with_all(path: Path) -> None:
    """Remove the directory of the ledger; names are left, and the home's memory."""
    shutil.rmtree(path.parent)


def all_but_names(path: Path) -> None:
    """Remove the directory of the ledger and the home's memory."""
    shutil.rmtree(path.parent)
    (path.parent.parent / "memory.json").unlink()


LOSSES = [remove, empty, unmount, without_index, with_all, all_but_names]


@pytest.fixture
def ledger_id(invoke: Invoke, home: Path) -> str:
    """Make a home with a key and a car, and return its ledger's id."""
    twin = quietly(invoke)
    twin("keys", "new", "alice", "--no-passphrase")
    twin("asset", "create", "car")
    assert (home / "memory.json").is_file()
    return str(twin("ledger", "info")["id"])


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_lost_ledger_is_reported(
    invoke: Invoke,
    home: Path,
    tmp_path: Path,
    ledger_id: str,
    command: str,
    lose: Callable[[Path], None],
) -> None:
    lose(home / "ledger" / "ledger.db")
    words = command.format(place=tmp_path).split()
    run = invoke(*words, *(() if words[-1] == "-" else ("--json",)))
    assert (run.status, run.stdout) == (9, "")
    assert ledger_id in run.stderr
    assert "twin ledger begin" in run.stderr
    path = home / "ledger" / "ledger.db"
    assert not path.exists() or path.stat().st_size == 0
    assert not (tmp_path / "b.tar").exists()


@pytest.mark.parametrize("memory", [None, b"", b"{"])
def test_a_loss_is_reported_again_and_again(
    invoke: Invoke, home: Path, ledger_id: str, memory: bytes | None
) -> None:
    shutil.rmtree(home / "ledger")
    if memory is None:
        (home / "memory.json").unlink()
    else:
        (home / "memory.json").write_bytes(memory)
    for command in ("asset show car", "asset list", "asset create boat", "asset create boat"):
        result = invoke(*command.split())
        assert result.status == 9, command
        assert ledger_id in result.stderr


@pytest.mark.parametrize("lose", LOSSES)
def test_another_ledger_is_begun_on_purpose(
    invoke: Invoke, home: Path, ledger_id: str, lose: Callable[[Path], None]
) -> None:
    assert invoke("ledger", "begin", "--json").error["code"] == "exists"
    key = (home / "ledger" / "ledger.key").read_bytes()
    lose(home / "ledger" / "ledger.db")
    planned = invoke("ledger", "begin", "--dry-run", "--json")
    assert (planned.status, planned.json["id"]) == (0, None)
    run = invoke("ledger", "begin", "--json")
    assert run.status == 0, run.stderr
    assert run.json["id"] != ledger_id
    if lose not in {with_all, all_but_names}:
        assert run.json["lost"] == ledger_id
        assert (home / "ledger" / "ledger.1.key").read_bytes() == key
    twin = quietly(invoke)
    assert twin("asset", "create", "car")["ledger"] == run.json["id"]
    assert json.loads((home / "memory.json").read_bytes())["ledger"] == run.json["id"]


def test_a_home_that_never_had_a_ledger_begins_one(invoke: Invoke, tmp_path: Path) -> None:
    twin = quietly(invoke)
    twin("keys", "new", "alice", "--no-passphrase")
    elsewhere = f"file:{tmp_path}/other.db"
    twin("asset", "create", "car", "--node", elsewhere)
    assert twin("status")["ledger"] is None
    assert twin("asset", "create", "car")["name"] == "car"


@pytest.mark.usefixtures("ledger_id")
@pytest.mark.parametrize("lose", [remove, empty, unmount])
@pytest.mark.parametrize("command", ["asset list", "asset show car", "asset create boat"])
def test_lost_names_are_reported(
    invoke: Invoke, home: Path, command: str, lose: Callable[[Path], None]
) -> None:
    lose(home / "book.db")
    run = invoke(*command.split(), "--json")
    assert (run.status, run.error["code"]) == (9, "lost_names")
    (home / "book.db").unlink(missing_ok=True)
    (home / "memory.json").unlink()  # as the hint says
    assert invoke("asset", "list", "--json").status == 0


@pytest.mark.usefixtures("ledger_id")
@pytest.mark.parametrize("dangling", [True, False])
def test_lost_keys_are_reported(invoke: Invoke, home: Path, *, dangling: bool) -> None:
    shutil.rmtree(home / "keys")
    if dangling:
        (home / "keys").symlink_to(home / "unmounted")
    for command in ("keys list", "keys new bob --no-passphrase", "backup create -o x.tar"):
        run = invoke(*command.split(), "--json")
        assert (run.status, run.error["code"]) == (9, "lost_keys")


@pytest.mark.usefixtures("ledger_id")
def test_a_key_that_is_a_dangling_link(invoke: Invoke, home: Path) -> None:
    unmount(home / "keys" / "alice.json")
    listed = invoke("keys", "list", "--json")
    assert any("alice" in warning for warning in listed.json["warnings"])
    run = invoke("keys", "show", "alice", "--json")
    assert run.status == 9
    assert "link" in run.error["message"]


def other(path: Path) -> None:
    """Put the key of another ledger in a key's place."""
    key = KeyPair.from_seed(bytes(32))
    path.unlink()
    ledger_files.write_key(str(path), key)


@pytest.mark.usefixtures("ledger_id")
@pytest.mark.parametrize("lose", [remove, empty, unmount, other])
@pytest.mark.parametrize("command", ["status", "asset create boat", "asset append car --km 1"])
def test_a_lost_ledger_key_is_reported(
    invoke: Invoke, home: Path, command: str, lose: Callable[[Path], None]
) -> None:
    assert invoke(*command.split(), "--json").json.get("warnings", []) == []
    key = home / "ledger" / "ledger.key"
    lose(key)
    words = command.replace("boat", "ship").replace("--km 1", "--km 2").split()
    run = invoke(*words, "--json")
    assert run.status == 0  # nothing that was asked needs it
    assert [str(key) in warning for warning in run.json["warnings"]] == [True]
    doctor = invoke("doctor", "--json")
    checks = {check["name"]: check for check in doctor.json["checks"]}
    assert checks["ledger key"]["message"] in run.json["warnings"][0]


@pytest.mark.usefixtures("ledger_id")
@pytest.mark.parametrize("name", ["config.json", "nodes.json"])
def test_settings_that_are_a_dangling_link(invoke: Invoke, home: Path, name: str) -> None:
    (home / name).symlink_to(home / "unmounted")
    command = ("node", "list") if name == "nodes.json" else ("status",)
    run = invoke(*command, "--json")
    assert run.status == 9
    assert "link" in run.error["message"]


def test_settings_that_are_a_pipe_are_refused_at_once(invoke: Invoke, home: Path) -> None:
    import os

    home.mkdir()
    os.mkfifo(home / "config.json")
    run = invoke("status", "--json")
    assert (run.status, run.error["code"]) == (9, "config")
    assert "not a regular file" in run.error["message"]
    (home / "config.json").unlink()
    os.mkfifo(home / "nodes.json")
    assert invoke("node", "list", "--json").status == 9
