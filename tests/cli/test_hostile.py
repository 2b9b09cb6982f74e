"""Careless users, closed streams, strangers' titles and damaged files: never a traceback."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Invoke
from twincli.cli.main import main
from twincli.crypto.ed25519 import KeyPair
from twincli.model import owners, transaction
from twincli.model.transaction import Output

STRANGER = KeyPair.from_seed(b"s" * 32)


@pytest.fixture
def twins(invoke: Invoke) -> Invoke:
    """The command, in a home with the keys alice and bob, and alice's car."""
    for name in ("alice", "bob"):
        assert invoke("keys", "new", name, "--no-passphrase").status == 0
    assert invoke("asset", "create", "car", "--owner", "alice").status == 0
    assert invoke("asset", "append", "car", "--mileage", "1").status == 0
    return invoke


# --- Closed streams and odd command lines ---


def test_lines_from_a_closed_stdin(twins: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    del twins
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["asset", "append", "car", "--jsonl", "-"]) == 0


@pytest.mark.parametrize("words", [("--version", "--json"), ("--json", "--version")])
def test_the_version_as_json(invoke: Invoke, words: tuple[str, ...]) -> None:
    assert invoke(*words).json["schema"] == "twin.version/1"


def test_the_version_takes_no_command(invoke: Invoke, home: Path) -> None:
    run = invoke("--version", "keys", "new", "alice", "--no-passphrase")
    assert (run.status, run.stdout) == (2, "")
    assert "'keys'" in run.stderr
    assert not home.exists()


@pytest.mark.parametrize("words", [("--words", "24"), ("--words", "12")])
def test_words_without_a_phrase(invoke: Invoke, home: Path, words: tuple[str, ...]) -> None:
    run = invoke("keys", "new", "alice", "--no-passphrase", *words)
    assert run.status == 2
    assert "--mnemonic" in run.stderr
    assert not home.exists()


# --- What strangers write ---


def test_a_strangers_title_draws_no_lines_of_ours(twins: Invoke, tmp_path: Path) -> None:
    title = "box\n  owner      alice\x1b[31m"
    data = {"twin": {"v": 1, "kind": "asset\nx", "name": title, "nonce": "0"}}
    tx = transaction.create(
        [STRANGER.public_key], [Output(owners.of_keys([STRANGER.public_key]))], data, None
    )
    tx = transaction.sign(tx, [STRANGER])
    file = tmp_path / "tx.json"
    file.write_text(json.dumps(tx))
    assert twins("tx", "submit", str(file)).status == 0
    run = twins("asset", "show", tx["id"], "--color", "never", tty=True)
    assert run.status == 0
    assert "\x1b[31m" not in run.stdout
    assert not re.search(r"^\s*owner\s+alice", run.stdout, re.MULTILINE)
    assert re.search(rf"^\s*owner\s+{STRANGER.public_key[:8]}", run.stdout, re.MULTILINE)


# --- Identities ---


def test_a_dry_run_of_an_identity_whose_key_is_still_to_be_made(invoke: Invoke, home: Path) -> None:
    run = invoke("did", "new", "alice", "--no-passphrase", "--dry-run", "--json", "--n", "1")
    assert run.status == 0, run.stderr
    assert (run.json["id"], run.json["owners"], run.json["owner_names"]) == (
        None,
        [None],
        ["alice"],
    )
    assert (run.json["signed_by"], run.json["entity"]) == ([None], None)
    assert run.json["data"] == {"n": 1}
    assert not home.exists()


def test_no_key_is_made_for_an_identity_that_cannot_be(invoke: Invoke) -> None:
    assert invoke("keys", "new", "bob", "--no-passphrase").status == 0
    run = invoke("did", "new", "alice", "--no-passphrase", "--language", "klingon")
    assert run.status == 7
    assert invoke("did", "new", "alice", "--no-passphrase", "--owner", "nobody").status == 4
    assert invoke("keys", "show", "alice").status == 4


def test_an_identity_is_still_made_after_its_dry_run(invoke: Invoke) -> None:
    assert invoke("did", "new", "alice", "--no-passphrase", "--dry-run").status == 0
    made = invoke("did", "new", "alice", "--no-passphrase", "--json")
    assert (made.status, made.json["created"]) == (0, True)
    assert made.json["entity"] == made.json["owners"][0]
    again = invoke("did", "new", "alice", "--if-missing", "--json")
    assert (again.status, again.json["created"]) == (0, False)
    assert again.json["id"] == made.json["id"]


def test_a_home_that_the_ledger_made_is_its_owners_alone(invoke: Invoke, home: Path) -> None:
    assert invoke("asset", "create", "car").status == 2  # no key to sign with
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


# --- Whose amounts ---


def test_amounts_that_several_owners_here_could_give(twins: Invoke) -> None:
    assert twins("asset", "create", "oaks", "--owner", "alice", "--amount", "100").status == 0
    assert twins("asset", "transfer", "oaks", "--out", "60:bob").status == 0
    run = twins("asset", "transfer", "oaks", "--out", "10:bob", "--json")
    assert (run.status, run.error["code"]) == (5, "ambiguous")
    assert "--key" in run.error["hint"]
    run = twins("asset", "transfer", "oaks", "--out", "10:bob", "--key", "alice", "--json")
    assert run.status == 0
    assert [item["amount"] for item in run.json["outputs"]] == ["60", "10", "30"]
    # Only bob has as many as that.
    assert twins("asset", "transfer", "oaks", "--out", "41:alice").status == 0


# --- Keys that cannot be used ---


def test_an_unusable_key_file_is_named_where_no_key_fits(twins: Invoke, home: Path) -> None:
    file = home / "keys" / "alice.json"
    file.chmod(0o644)
    run = twins("asset", "append", "car", "--mileage", "2", "--json")
    assert (run.status, run.error["code"]) == (6, "no_key")
    assert f"chmod 600 {file}" in run.error["hint"]


def test_several_keys_that_do_not_suffice(twins: Invoke) -> None:
    for name in ("carol", "dave"):
        assert twins("keys", "new", name, "--no-passphrase").status == 0
    assert twins("asset", "transfer", "car", "--to", "all:alice,bob,carol").status == 0
    run = twins("asset", "append", "car", "--x", "1", "--key", "alice", "--key", "bob", "--json")
    assert (run.status, run.error["code"]) == (6, "no_key")
    assert run.error["message"].startswith("alice and bob alone cannot sign for car")
    assert "--owner" not in run.error["hint"]


# --- What doctor sees ---


def _failed(invoke: Invoke) -> dict[str, str]:
    run = invoke("doctor", "--json")
    assert run.status in {0, 3}, run.stderr
    return {item["name"]: item["message"] for item in run.json["checks"] if item["ok"] is False}


def test_doctor_finds_a_key_whose_secret_is_anothers(twins: Invoke, home: Path) -> None:
    file = home / "keys" / "alice.json"
    document = json.loads(file.read_bytes())
    document["seed"] = json.loads((home / "keys" / "bob.json").read_bytes())["seed"]
    file.write_text(json.dumps(document))
    assert list(_failed(twins)) == ["key alice"]


@pytest.mark.parametrize("content", ["hi", "{}", '{"seed": 5}', '{"seed": "0"}', "other", None])
def test_doctor_looks_into_the_ledgers_key(twins: Invoke, home: Path, content: str | None) -> None:
    assert _failed(twins) == {}
    file = home / "ledger" / "ledger.key"
    if content is None:
        file.unlink()
    elif content == "other":
        from twincli.ledger.files import write_key

        write_key(str(file), STRANGER)
    else:
        file.write_text(content)
    assert list(_failed(twins)) == ["ledger key"]


# --- Damaged ledgers ---

DAMAGES = {
    "no text": "UPDATE tx SET body = 'garbage' WHERE seq = 2",
    "a number": "UPDATE tx SET body = '5' WHERE seq = 2",
    "an empty object": "UPDATE tx SET body = '{}' WHERE seq = 2",
    "another one's text": "UPDATE tx SET body = (SELECT body FROM tx WHERE seq = 1) WHERE seq = 2",
    "no transaction": "DELETE FROM tx WHERE seq = 2",
    "no last block": "DELETE FROM block WHERE height = 2",
    "no blocks": "DELETE FROM block",
    "a short tree": "UPDATE tree SET state = zeroblob(10)",
    "no tree": "DELETE FROM tree",
    "no meta": "DELETE FROM meta",
}
COMMANDS = (
    "asset show car",
    "asset append car --x 1",
    "asset create other",
    "asset transfer car --to bob",
    "asset list",
    "asset tree",
    "asset outputs car",
    "history car",
    "did resolve car",
    "search mileage",
    "status",
    "ledger info",
    "ledger reindex",
    "doctor",
    "doctor --full",
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_ledger(twins: Invoke, home: Path, damage: str) -> None:
    with closing(sqlite3.connect(home / "ledger" / "ledger.db")) as connection:
        connection.execute(DAMAGES[damage])
        connection.commit()
    codes = set()
    for command in COMMANDS:
        run = twins(*command.split(), "--json")
        if command.startswith("doctor"):
            assert run.status in {0, 3}, run.stderr
        elif run.status:
            assert (run.status, run.stdout) == (9, ""), (command, run.stderr)
            codes.add(run.error["code"])
    assert codes == {"damaged_ledger"}
    assert twins("doctor", "--full", "--json").status == 3


def test_an_index_that_cannot_be_made_anew(twins: Invoke, home: Path) -> None:
    index = home / "ledger" / "index.db"
    index.unlink(missing_ok=True)
    index.mkdir()
    run = twins("asset", "list", "--json")
    assert (run.status, run.error["code"]) == (9, "read_only")
    assert str(index) in run.error["message"]
    assert twins("asset", "append", "car", "--mileage", "2").status == 0


# --- Paths that are no UTF-8 ---


@pytest.fixture
def odd(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A home whose path is no text, with the key alice and her car."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/home-\xff")
    try:
        os.mkdir(path, 0o700)
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    monkeypatch.setenv("TWIN_HOME", path)
    assert invoke("keys", "new", "alice", "--no-passphrase").status == 0
    assert invoke("asset", "create", "car", "--paint", "red").status == 0
    return path


@pytest.mark.parametrize(
    "words",
    [
        "status",
        "config show",
        "config path",
        "doctor",
        "ledger info",
        "keys list",
        "history car",
        "name export -o {}/names",
        "keys export alice --secret -o {}/secret",
        "keys sign alice {}/keys/alice.json",
        "backup create -o {}/backup",
        "config set passphrase_file {}/secret",
    ],
)
def test_a_home_whose_path_is_no_text(invoke: Invoke, odd: str, words: str) -> None:
    command = [word.format(odd) for word in words.split()]
    document = invoke(*command, "--json")
    assert (document.status, document.stderr) == (0, "")
    assert document.json["schema"]
    document.stdout.encode()
    for made in ("names", "secret", "backup"):
        Path(odd, made).unlink(missing_ok=True)
    assert invoke(*command, tty=True).status == 0


def test_a_setting_that_is_no_text_comes_back(invoke: Invoke, odd: str) -> None:
    Path(odd, "word").write_text("correct horse")
    assert invoke("config", "set", "passphrase_file", f"{odd}/word").status == 0
    assert invoke("keys", "new", "bob").status == 0
    run = invoke("keys", "export", "bob", "--secret", "-o", f"{odd}/bob", "--json")
    assert run.status == 0


def test_what_a_key_file_cannot_hold_makes_no_key(invoke: Invoke, odd: str) -> None:
    program = Path(odd, "program")
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, sys\n"
        "from nacl.signing import SigningKey\n"
        "import base58\n"
        "key = SigningKey(bytes(range(32)))\n"
        "asked = json.loads(sys.stdin.readline())\n"
        "if asked['op'] == 'sign':\n"
        "    made = key.sign(bytes.fromhex(asked['message'])).signature\n"
        "    print(json.dumps({'signature': made.hex()}))\n"
        "else:\n"
        "    print(json.dumps({'public_key': base58.b58encode(bytes(key.verify_key)).decode()}))\n"
    )
    program.chmod(0o700)
    run = invoke("keys", "new", "gps", "--provider", "command", "--command", str(program), "--json")
    assert (run.status, run.error["code"]) == (2, "usage")
    assert "not UTF-8" in run.error["message"]
    assert [key["name"] for key in invoke("keys", "list", "--json").json["keys"]] == ["alice"]
