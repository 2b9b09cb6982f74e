"""``twin keys export|import|passwd|derive`` and ``recover --scan``: where secrets may go."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.cli.stories import quietly
from tests.conftest import Invoke
from tests.plugins.tools import require_tool
from twincli import files
from twincli.cli import main as cli
from twincli.cli.commands.keys import exchange
from twincli.crypto import containers, sealing
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConfigError, TwinError
from twincli.keystore.keyfile import KeyInfo
from twincli.keystore.store import KeyStore

Terminal = Callable[[str], Callable[[], str]]

ABOUT = "abandon " * 11 + "about"
ABOUT_KEY = "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o"
ABOUT_SEED = "5eb00bbddcf069084889a8ab9155568165f5c453ccb85e70811aaed6f6da5fc1"
ABOUT_PRIVATE = "7Nd28R6edUHSmUoksLRST2rW8iqEHq2YQhTQrmJjNMXW"
FORMATS = ("seed", "base58", "pem", "openssh", "mnemonic")
EXPORT = "schema name public_key format secret encrypted path text file warnings"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "DEFAULT_COST", sealing.Cost(1, 8192))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory with the files ``old``, ``new``, ``wrong`` and ``phrase``."""
    path = tmp_path / "here"
    path.mkdir()
    monkeypatch.chdir(path)
    for name, text in (
        ("old", "old horse\n"),
        ("new", "new horse\n"),
        ("wrong", "wrong donkey\n"),
        ("phrase", ABOUT),
    ):
        (path / name).write_text(text)
        (path / name).chmod(0o600)
    return path


@pytest.fixture
def alice(invoke: Invoke, here: Path) -> Path:
    """Have a key with a phrase and a passphrase."""
    run = invoke("keys", "recover", "alice", "phrase", "--passphrase-file", "old")
    assert run.status == 0
    return here


OLD = ("--passphrase-file", "old")
NEW = ("--passphrase-file", "new")


def test_the_options_know_every_format() -> None:
    assert get_args(exchange.Format) == containers.FORMATS == FORMATS
    assert exchange._FORMATS.split("|") == list(FORMATS)


# --- export ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS[:4])
def test_export_is_public(invoke: Invoke, alice: Path, form: str) -> None:
    run = invoke("keys", "export", "alice", "--format", form, "--json")
    assert list(run.json) == EXPORT.split()
    assert run.json["secret"] is False
    text = run.json["text"]
    assert invoke("keys", "export", "alice", "--format", form).stdout == text
    assert invoke("keys", "export", "alice", "--format", form, tty=True).stdout == text
    for target in (("alice.pub",), ("-o", "other.pub")):
        written = invoke("keys", "export", "alice", *target, "--format", form, "--json").json
        path = alice / target[-1]
        assert path.read_text() == text
        assert (written["text"], written["file"]) == (None, target[-1])
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0o044
    again = invoke("keys", "export", "alice", "alice.pub", "--json")
    assert (again.status, again.error["code"]) == (5, "exists")


@pytest.mark.parametrize("form", FORMATS)
def test_a_secret_goes_to_a_new_file_of_its_owner(invoke: Invoke, alice: Path, form: str) -> None:
    secret = ("keys", "export", "alice", "--format", form, "--secret", "-o", "out", *OLD)
    planned = invoke(*secret[:-2], "--dry-run", "--json")
    assert planned.json["file"] is None
    assert not (alice / "out").exists()
    run = invoke(*secret, "--json")
    assert run.status == 0
    assert list(run.json) == EXPORT.split()
    assert run.json["text"] is None
    assert stat.S_IMODE((alice / "out").stat().st_mode) == 0o600
    before = (alice / "out").read_bytes()
    for more in ((), ("--dry-run",)):
        again = invoke(*secret, *more, "--json")
        assert (again.status, again.error["code"]) == (5, "exists")
    assert (alice / "out").read_bytes() == before
    piped = invoke(*secret[:-3], "-", *OLD)
    # OpenSSH's form has a random number in it.
    assert len(piped.stdout) == len(before)
    assert form == "openssh" or piped.stdout.encode() == before
    back = invoke("keys", "import", "again", "out", "--no-passphrase", "--json")
    assert back.json["public_key"] == ABOUT_KEY
    assert back.json["rule"] == ("tutorial" if form == "mnemonic" else "imported")
    assert back.json["has_mnemonic"] == (form == "mnemonic")


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        ("--secret", 2, "usage"),
        ("out --secret", 2, "usage"),
        ("out --secret -o out", 2, "usage"),
        ("out -o other", 2, "usage"),
        ("--secret -o -", 2, "usage"),
        ("--format mnemonic", 2, "no_public_form"),
        ("--new-passphrase-file new", 2, "usage"),
        ("--secret -o out --new-passphrase-file new", 2, "usage"),
        ("--format der", 2, "usage"),
        ("--secret -o no/out", 9, "cannot_write"),
        ("--secret -o out --passphrase-file wrong", 6, "bad_passphrase"),
        ("--secret -o out", 6, "locked"),
        ("--secret -o out --format pem --new-passphrase-file none", 4, "no_file"),
    ],
)
def test_exports_that_are_refused(
    invoke: Invoke, alice: Path, words: str, status: int, code: str
) -> None:
    run = invoke("keys", "export", "alice", *words.split(), "--json")
    assert (run.status, run.stdout, run.error["code"]) == (status, "", code)
    assert sorted(path.name for path in alice.iterdir()) == ["new", "old", "phrase", "wrong"]


@pytest.mark.usefixtures("alice")
def test_no_secret_is_shown_on_a_terminal(invoke: Invoke) -> None:
    run = invoke("keys", "export", "alice", "--secret", "-o", "-", *OLD, tty=True)
    assert run.status == 2
    assert run.stdout == ""
    assert "is not shown on a terminal" in run.stderr


def test_a_key_that_is_not_there_makes_no_file(invoke: Invoke, alice: Path) -> None:
    for more in ((), ("--secret",)):
        run = invoke("keys", "export", "bob", *more, "-o", "out", "--json")
        assert (run.status, run.error["code"]) == (4, "not_found")
    assert not (alice / "out").exists()


@pytest.mark.usefixtures("alice")
def test_a_file_that_went_away_meanwhile_is_no_fault(
    invoke: Invoke, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: int) -> None:
        (here / "out").unlink()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", gone)
    run = invoke("keys", "export", "alice", "--secret", "-o", "out", *OLD, "--json")
    assert (run.status, run.error["code"]) == (9, "cannot_write")


def test_a_full_disk_leaves_no_part_of_a_secret(
    invoke: Invoke, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    run = invoke("keys", "export", "alice", "--secret", "-o", "out", *OLD, "--json")
    assert (run.status, run.error["code"]) == (9, "cannot_write")
    assert not (alice / "out").exists()


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize("form", ["pem", "openssh"])
def test_an_export_with_a_passphrase_of_its_own(invoke: Invoke, form: str) -> None:
    target = ("--format", form, "--secret", "-o", "out", "--new-passphrase-file", "new")
    run = invoke("keys", "export", "alice", *target, *OLD, "--json")
    assert run.json["encrypted"] is True
    into = ("keys", "import", "again", "out", "--no-passphrase", "--json")
    locked = invoke(*into)
    assert (locked.status, locked.error["code"]) == (6, "locked")
    assert locked.error["hint"] == (
        "twin keys import again out --no-passphrase --json --input-passphrase-file FILE"
    )
    wrong = invoke(*into, "--input-passphrase-file", "wrong")
    assert (wrong.status, wrong.error["code"]) == (6, "bad_passphrase")
    assert invoke(*into, "--input-passphrase-file", "new").json["public_key"] == ABOUT_KEY


def test_a_phrase_comes_with_what_else_it_needs(invoke: Invoke, here: Path) -> None:
    (here / "extra").write_text("TREZOR\n")
    (here / "odd").write_text("seedPhrase")
    twin = quietly(invoke)
    wallet = ("--path", "m/44h/822h/0h/0h/0h", "--bip39-passphrase-file", "extra")
    twin("keys", "recover", "wallet", "phrase", "--no-passphrase", *wallet)
    twin("keys", "recover", "odd", "odd", "--no-passphrase", "--no-checksum")
    twin("keys", "new", "plain", "--no-passphrase")
    out = ("--format", "mnemonic", "--secret", "-o")
    shown = twin("keys", "export", "wallet", *out, "out1")["warnings"]
    assert [text.split()[0:2] for text in shown] == [["the", "key"], ["the", "phrase"]]
    assert "--path m/44'/822'/0'/0'/0'" in shown[0]
    assert "--no-checksum" in twin("keys", "export", "odd", *out, "out2")["warnings"][0]
    run = invoke("keys", "export", "plain", *out, "out3", "--json")
    assert (run.status, run.error["code"]) == (4, "no_mnemonic")


# --- import ---------------------------------------------------------------------------------------


def test_an_import_from_stdin_or_the_terminal(invoke: Invoke, terminal: Terminal) -> None:
    plain = ("--no-passphrase", "--json")
    run = invoke("keys", "import", "a", "-", *plain, stdin=ABOUT_PRIVATE + "\n")
    assert run.json["public_key"] == ABOUT_KEY
    shown = terminal(f"{ABOUT_SEED}\n")
    assert invoke("keys", "import", "b", *plain).json["public_key"] == ABOUT_KEY
    assert ABOUT_SEED not in shown()


def test_an_import_without_a_terminal(invoke: Invoke, home: Path) -> None:
    run = invoke("keys", "import", "a", "--no-passphrase", "--json")
    assert (run.status, run.error["hint"]) == (6, "twin keys import a --no-passphrase --json FILE")
    assert not home.exists()


@pytest.mark.parametrize(("typed", "status"), [("x\ny\nnew\n", 0), ("x\ny\nz\nnew\n", 6)])
@pytest.mark.usefixtures("alice")
def test_a_wrong_passphrase_of_a_file_is_asked_for_three_times(
    invoke: Invoke, here: Path, terminal: Terminal, typed: str, status: int
) -> None:
    (here / "new").write_text("new\n")
    target = ("--format", "pem", "--secret", "-o", "out", "--new-passphrase-file", "new")
    assert invoke("keys", "export", "alice", *target, *OLD).status == 0
    shown = terminal(typed)
    run = invoke("keys", "import", "again", "out", "--no-passphrase", "--json")
    assert run.status == status
    said = shown()
    assert (said.count("Passphrase of out"), said.count("Wrong, try again")) == (3, 2)
    if status:
        assert run.error["code"] == "bad_passphrase"


@pytest.mark.usefixtures("alice")
def test_the_passphrase_of_a_file_is_asked_for(invoke: Invoke, terminal: Terminal) -> None:
    target = ("--format", "openssh", "--secret", "-o", "out", "--new-passphrase-file", "new")
    invoke("keys", "export", "alice", *target, *OLD)
    shown = terminal("new horse\n")
    run = invoke("keys", "import", "b", "out", "--no-passphrase", "--json")
    assert run.json["public_key"] == ABOUT_KEY
    assert "Passphrase of out: " in shown()


def test_an_import_again(invoke: Invoke, here: Path) -> None:
    (here / "key").write_text(ABOUT_SEED)
    words = ("keys", "import", "a", "key", "--no-passphrase", "--json")
    planned = invoke(*words, "--dry-run")
    assert (planned.json["public_key"], planned.json["created"]) == (ABOUT_KEY, None)
    made = invoke(*words).json
    assert invoke(*words).error["code"] == "exists"
    assert invoke(*words, "--if-missing").json == {**made, "created": False}
    (here / "key").write_text("11" * 32)
    other = invoke(*words, "--if-missing")
    assert (other.status, other.error["code"]) == (5, "exists")


PAIR = json.dumps({"public_key": KeyPair.from_seed(b"x" * 32).public_key})


@pytest.mark.parametrize(
    ("text", "words", "status", "code"),
    [
        ("donkey that is none", "", 7, "unknown_key_format"),
        ("donkey that is none", "--format seed", 7, "invalid_key_file"),
        ("donkey that is none", "--format pem", 7, "invalid_key_file"),
        ("donkey that is none", "--format mnemonic", 7, "invalid_mnemonic"),
        (ABOUT_KEY, "", 5, "ambiguous"),
        ("ssh-ed25519 AAAA donkey", "", 7, "public_key_given"),
        (PAIR[:-1] + f', "private_key": "{ABOUT_PRIVATE}"}}', "", 7, "key_mismatch"),
        (b"\xff donkey", "", 7, "not_text"),
        (b"donkey" * 20000, "", 7, "too_long"),
    ],
)
def test_imports_that_are_refused(
    invoke: Invoke, home: Path, text: str | bytes, words: str, status: int, code: str
) -> None:
    more = ("--no-passphrase", "--json", *words.split())
    run = invoke("keys", "import", "a", "-", *more, stdin=text)
    assert (run.status, run.stdout, run.error["code"]) == (status, "", code)
    assert "donkey" not in run.stderr
    assert ABOUT_PRIVATE not in run.stderr
    assert not home.exists()


def test_an_import_takes_no_name_of_somebody_else(invoke: Invoke, here: Path) -> None:
    invoke("keys", "new", "me", "--no-passphrase")
    other = KeyPair.from_seed(b"x" * 32).public_key
    assert invoke("name", "set", "carol", other).status == 0
    (here / "key").write_text(ABOUT_SEED)
    run = invoke("keys", "import", "carol", "key", "--no-passphrase", "--json")
    assert (run.status, run.error["code"]) == (5, "exists")


def test_a_key_of_ssh_keygen_signs_on_the_ledger(invoke: Invoke, here: Path) -> None:
    ssh_keygen = require_tool("ssh-keygen")
    subprocess.run(
        [ssh_keygen, "-q", "-t", "ed25519", "-N", "new horse", "-f", "id", "-C", "me"], check=True
    )
    twin = quietly(invoke)
    twin("keys", "import", "me", "id", "--input-passphrase-file", "new", *OLD)
    twin("did", "new", "me", *OLD)
    public = twin("keys", "export", "me", "--format", "openssh")["text"]
    assert public == (here / "id.pub").read_text()


# --- passwd ---------------------------------------------------------------------------------------


def opens(invoke: Invoke, name: str, word: str) -> int:
    out = ("--secret", "-o", "-")
    return invoke("keys", "export", name, *out, "--passphrase-file", word).status


@pytest.mark.usefixtures("alice")
def test_passwd(invoke: Invoke) -> None:
    run = invoke("keys", "passwd", "alice", *OLD, "--new-passphrase-file", "new", "--json")
    assert (run.status, run.stderr) == (0, "")
    assert run.json == {
        "schema": "twin.passwd/1",
        "keys": [
            {
                "name": "alice",
                "public_key": ABOUT_KEY,
                "passphrase": True,
                "changed": True,
                "error": None,
            }
        ],
    }
    assert (opens(invoke, "alice", "new"), opens(invoke, "alice", "old")) == (0, 6)
    wrong = invoke("keys", "passwd", "alice", *OLD, "--new-passphrase-file", "old", "--json")
    assert (wrong.status, wrong.error["code"]) == (6, "bad_passphrase")
    invoke("keys", "passwd", "alice", *NEW, "--no-passphrase")
    assert invoke("keys", "show", "alice", "--get", "passphrase").stdout == "false\n"
    again = invoke("keys", "passwd", "alice", "--no-passphrase", "--json")
    assert again.json["keys"][0]["changed"] is False
    sealed = invoke("keys", "passwd", "alice", "--new-passphrase-file", "old")
    assert sealed.stdout.splitlines()[1] == "alice\tyes\ttrue\t"
    assert opens(invoke, "alice", "old") == 0


@pytest.mark.usefixtures("alice")
def test_passwd_asks_first_for_the_old_and_then_twice_for_the_new(
    invoke: Invoke, terminal: Terminal
) -> None:
    shown = terminal("old horse\nnew horse\nnew horse\n")
    assert invoke("keys", "passwd", "alice", "alice").status == 0
    text = shown()
    assert "horse" not in text
    assert text.count("Repeat it") == 1
    assert opens(invoke, "alice", "new") == 0
    terminal("new horse\none\nanother\n")
    run = invoke("keys", "passwd", "alice", "--json")
    assert (run.status, run.error["code"]) == (6, "locked")
    terminal("new horse\n\n")
    assert invoke("keys", "passwd", "alice").status == 6
    assert opens(invoke, "alice", "new") == 0


@pytest.mark.usefixtures("alice")
def test_a_passphrase_is_not_taken_away_by_a_variable(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    run = invoke("keys", "passwd", "alice", *OLD, "--json")
    assert run.status == 6
    assert run.error["hint"] == (
        "twin keys passwd alice --passphrase-file old --json --new-passphrase-file FILE, or "
        "twin keys passwd alice --passphrase-file old --json --no-passphrase"
    )
    assert opens(invoke, "alice", "old") == 0
    both = ("--no-passphrase", "--new-passphrase-file", "new")
    assert invoke("keys", "passwd", "alice", *both).status == 2


@pytest.mark.usefixtures("alice")
def test_a_wrong_passphrase_among_several_changes_nothing(invoke: Invoke) -> None:
    invoke("keys", "new", "bob", *NEW)
    words = ("keys", "passwd", "alice", "bob", "--new-passphrase-file", "wrong", "--json")
    for more in (OLD, (*OLD, "--passphrase-file", "bob=wrong")):
        run = invoke(*words, *more)
        assert (run.status, run.stdout, run.error["code"]) == (6, "", "bad_passphrase")
    assert (opens(invoke, "alice", "old"), opens(invoke, "bob", "new")) == (0, 0)
    run = invoke(*words, *OLD, "--passphrase-file", "bob=new", "--dry-run")
    assert [key["changed"] for key in run.json["keys"]] == [False, False]
    run = invoke(*words, *OLD, "--passphrase-file", "bob=new")
    assert [key["changed"] for key in run.json["keys"]] == [True, True]
    assert (opens(invoke, "alice", "wrong"), opens(invoke, "bob", "wrong")) == (0, 0)
    missing = invoke("keys", "passwd", "alice", "carol", *OLD, "--json")
    assert (missing.status, missing.error["code"]) == (4, "not_found")


@pytest.mark.usefixtures("alice")
def test_a_disk_that_fills_up_in_between_is_reported_key_by_key(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("keys", "new", "bob", *OLD)
    real = files.replace
    written: list[str] = []

    def fills_up(path: str, data: bytes) -> None:
        if written:
            raise ConfigError(f"cannot write {path}: no space left", code="cannot_write")
        written.append(path)
        real(path, data)

    monkeypatch.setattr(files, "replace", fills_up)
    words = ("keys", "passwd", "alice", "bob", *OLD, "--new-passphrase-file", "new", "--json")
    run = invoke(*words)
    assert run.status == 10
    assert [key["changed"] for key in run.json["keys"]] == [True, False]
    assert run.json["keys"][1]["error"]["code"] == "cannot_write"
    assert (opens(invoke, "alice", "new"), opens(invoke, "bob", "old")) == (0, 0)
    first = invoke("keys", "passwd", "bob", *OLD, "--new-passphrase-file", "new", "--json")
    assert (first.status, first.error["code"]) == (9, "cannot_write")


# --- keys that live elsewhere ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "export chip --secret -o out",
        "passwd alice chip --no-passphrase --passphrase-file old",
        "derive chip --count 2",
    ],
)
def test_a_key_that_lives_elsewhere_gives_no_secret(
    invoke: Invoke, home: Path, alice: Path, words: str
) -> None:
    KeyStore(str(home / "keys")).create_external(
        KeyInfo(
            name="chip",
            public_key=KeyPair.from_seed(b"x" * 32).public_key,
            created="2024-01-20T09:00:00Z",
            passphrase=True,
            rule="external",
            path=None,
            has_mnemonic=False,
            provider="pkcs11",
            settings={},
        )
    )
    run = invoke("keys", *words.split(), "--json")
    assert (run.status, run.error["code"]) == (6, "no_secret_here")
    assert invoke("keys", "export", "chip", "--format", "openssh").status == 0
    assert opens(invoke, "alice", "old") == 0
    assert not (alice / "out").exists()


# --- derive and scan ------------------------------------------------------------------------------


@pytest.mark.usefixtures("alice")
def test_derive(invoke: Invoke) -> None:
    words = ("keys", "derive", "alice", "gps", "--count", "3", *OLD)
    run = invoke(*words)
    assert run.status == 0
    assert run.stderr == "3 keys made, 0 already existed\n"
    header, *rows = [line.split("\t") for line in run.stdout.splitlines()]
    assert header == ["name", "public_key", "path", "passphrase", "created"]
    assert [row[0] for row in rows] == ["gps-0", "gps-1", "gps-2"]
    again = invoke(*words, "--json").json
    assert list(again) == ["schema", "name", "path", "made", "keys"]
    assert (again["made"], {key["created"] for key in again["keys"]}) == (0, {False})
    assert opens(invoke, "gps-2", "old") == 0
    more = invoke("keys", "derive", "alice", "gps", "--count", "4", *OLD, "--dry-run")
    assert more.stderr == "nothing was made\n"


@pytest.mark.usefixtures("alice")
def test_derive_types_the_passphrase_of_all_children_once(
    invoke: Invoke, terminal: Terminal
) -> None:
    shown = terminal("old horse\nnew horse\nnew horse\n")
    assert invoke("keys", "derive", "alice", "--count", "2").status == 0
    assert "New passphrase for the keys alice-0 to alice-1: " in shown()
    assert [opens(invoke, f"alice-{number}", "new") for number in range(2)] == [0, 0]


@pytest.mark.usefixtures("alice")
def test_derive_without_a_passphrase_opens_the_parent_with_its_own(invoke: Invoke) -> None:
    run = invoke("keys", "derive", "alice", "--count", "2", "--no-passphrase", *OLD, "--json")
    assert run.json["made"] == 2
    assert not run.json["keys"][0]["passphrase"]


@pytest.mark.usefixtures("alice")
def test_derive_without_a_count(invoke: Invoke) -> None:
    run = invoke("keys", "derive", "alice", "--json")
    assert (run.status, run.error["hint"]) == (2, "twin keys derive alice --json --count N")
    assert invoke("keys", "derive", "alice", "--count", "0").status == 2


@pytest.mark.usefixtures("alice")
def test_scan(invoke: Invoke) -> None:
    found = ("keys", "recover", "again", "phrase", "--scan", "--no-passphrase", "--json")
    nothing = invoke(*found)
    assert (nothing.status, nothing.error["code"]) == (4, "nothing_found")
    twin = quietly(invoke)
    twin("keys", "derive", "alice", "--count", "4", *OLD)
    twin("did", "new", "alice-3", *OLD)
    planned = invoke(*found, "--dry-run").json
    assert planned["path"] == "m/44'/822'/0'/0'/3'"
    made = invoke(*found[:-1])
    assert made.stderr == "found at m/44'/822'/0'/0'/3'\n"
    assert twin("keys", "show", "again")["public_key"] == planned["public_key"]
    twin("did", "new", "alice", *OLD)
    several = invoke("keys", "recover", "third", *found[3:])
    assert (several.status, several.error["code"]) == (5, "ambiguous")
    assert "--path PATH" in several.error["hint"]
    assert invoke(*found, "--path", "m/1h").status == 2


@pytest.mark.usefixtures("here")
def test_scan_makes_no_ledger_to_look_at(invoke: Invoke, home: Path) -> None:
    run = invoke("keys", "recover", "a", "phrase", "--scan", "--no-passphrase", "--json")
    assert (run.status, run.error["code"]) == (4, "no_home")
    assert not home.exists()
    invoke("keys", "new", "me", "--no-passphrase")
    run = invoke("keys", "recover", "a", "phrase", "--scan", "--no-passphrase", "--json")
    assert (run.status, run.error["code"]) == (4, "nothing_found")
    assert sorted(path.name for path in home.iterdir()) == ["keys"]


# --- attacks --------------------------------------------------------------------------------------


def edit(home: Path, **changes: Any) -> None:
    path = home / "keys" / "alice.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


USES = [
    "export alice --secret -o out",
    "export alice --secret -o out --format mnemonic",
    "passwd alice --no-passphrase",
    "passwd alice --new-passphrase-file new",
    "derive alice --count 2",
    "sign alice phrase",
]


@pytest.mark.parametrize("words", USES)
def test_altered_key_files(invoke: Invoke, home: Path, alice: Path, words: str) -> None:
    """A swapped public key, a file that others read, a cost of 2^40: refused by every command."""
    path = home / "keys" / "alice.json"
    before = path.read_bytes()
    argv = ("keys", *words.split(), *OLD, "--json")
    edit(home, public_key=KeyPair.from_seed(b"x" * 32).public_key)
    run = invoke(*argv)
    assert (run.status, run.error["code"]) == (7, "damaged_key")
    path.write_bytes(before)
    edit(home, sealed={**json.loads(before)["sealed"], "memory": 1 << 40})
    run = invoke(*argv)
    assert (run.status, run.error["code"]) == (7, "cost_out_of_bounds")
    path.write_bytes(before)
    path.chmod(0o640)
    run = invoke(*argv)
    assert (run.status, run.error["code"]) == (9, "insecure_permissions")
    path.chmod(0o600)
    assert path.read_bytes() == before
    assert [entry.name for entry in (home / "keys").iterdir()] == ["alice.json"]
    assert not (alice / "out").exists()


def test_a_plain_key_file_with_a_swapped_public_key(
    invoke: Invoke, home: Path, alice: Path
) -> None:
    invoke("keys", "passwd", "alice", *OLD, "--no-passphrase")
    edit(home, public_key=KeyPair.from_seed(b"x" * 32).public_key)
    for words in USES:
        run = invoke("keys", *words.split(), "--json")
        assert (run.status, run.error["code"]) == (7, "damaged_key")
    assert not (alice / "out").exists()


SECRETS = (ABOUT_SEED, ABOUT_PRIVATE, ABOUT, "old horse", "new horse", "wrong donkey")


def test_no_command_tells_a_secret_that_was_not_asked_for(invoke: Invoke, alice: Path) -> None:
    (alice / "seed").write_text(ABOUT_SEED)
    for number, words in enumerate(
        [
            *USES[:5],
            "export alice --format openssh",
            "import bob seed",
            "import carol seed --format base58",
            "import dave seed --format openssh",
            "export alice --secret -o out2 --passphrase-file wrong",
            "passwd alice --passphrase-file wrong --new-passphrase-file new",
            "recover eve phrase --scan",
        ]
    ):
        for form in ("--json", "--jsonl", "--quiet"):
            run = invoke("keys", *OLD, *words.split(), form)
            for secret in SECRETS:
                assert secret not in run.stdout + run.stderr, (number, words)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (ABOUT_SEED + "0", "seed"),
        (ABOUT_PRIVATE + "0", "base58"),
        (f'{{"private_key": "{ABOUT_PRIVATE}", "public_key": "x"}}', "base58"),
        (f"-----BEGIN PRIVATE KEY-----\n{ABOUT_SEED}\n-----END PRIVATE KEY-----", "pem"),
        (f"-----BEGIN OPENSSH PRIVATE KEY-----\n{ABOUT_SEED}\n", "openssh"),
    ],
)
def test_no_traceback_tells_a_secret(
    here: Path, home: Path, text: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even with all that an exception is chained to, as a debugger or a log would show it."""
    (here / "key").write_text(text)
    seen: list[TwinError] = []

    def report(_: object, error: TwinError) -> int:
        seen.append(error)
        return 7

    monkeypatch.setattr(cli, "report", report)
    assert cli.main(["keys", "import", "a", "key", "--format", form, "--no-passphrase"]) == 7
    shown = "".join(traceback.format_exception(seen[0])) + repr(seen[0])
    chained: BaseException | None = seen[0]
    while chained is not None:
        shown += repr(chained)
        chained = chained.__cause__ or chained.__context__
    for secret in SECRETS:
        assert secret not in shown
    assert not home.exists()


@pytest.mark.usefixtures("alice")
def test_no_secret_is_in_a_process_s_arguments_or_environment(home: Path) -> None:
    """What the options take are files; a run that waits for its input shows nothing else."""
    child = subprocess.Popen(
        [sys.executable, "-m", "twincli", "keys", "import", "b", "-", *OLD],
        env={"TWIN_HOME": str(home), "PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdin is not None
    try:
        for name in ("cmdline", "environ"):
            path = Path(f"/proc/{child.pid}/{name}")
            if path.exists():
                shown = path.read_bytes()
                assert not [secret for secret in SECRETS if secret.encode() in shown]
    finally:
        out, error = child.communicate(ABOUT_SEED.encode(), timeout=60)
    assert child.returncode == 0, error
    assert ABOUT_KEY.encode() in out
