"""``twin keys``: passphrase sources, where a phrase goes, exit codes and documents."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Invoke
from twincli.cli.asking import sinks
from twincli.cli.asking import terminal as asking
from twincli.crypto import mnemonic, sealing

Terminal = Callable[[str], Callable[[], str]]

ABOUT = "abandon " * 11 + "about"
ABOUT_KEY = "EHqmfkN89RJ7Y33CXM6uCzhVeuywHoJXZZLszBHHZy7o"
WALLET_KEY = "7HkM5R446hKzdYm3wLooH9d1vWnKPswErGWyQMtaTPkb"
FIELDS = {
    "schema",
    "name",
    "public_key",
    "did",
    "rule",
    "path",
    "created",
    "passphrase",
    "has_mnemonic",
    "provider",
}


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "DEFAULT_COST", sealing.Cost(1, 8192))


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_text("correct horse\n")
    path.chmod(0o600)
    return str(path)


# --- new ------------------------------------------------------------------------------------------


def test_new(invoke: Invoke, home: Path, passphrase: str) -> None:
    run = invoke("keys", "new", "alice", "--passphrase-file", passphrase, "--json")
    assert run.status == 0
    assert run.stderr == ""
    assert set(run.json) == FIELDS
    assert next(iter(run.json)) == "schema"
    assert run.json["schema"] == "twin.key/1"
    assert run.json["passphrase"] is True
    assert run.json["did"].startswith("did:key:z6Mk")
    assert stat.S_IMODE((home / "keys" / "alice.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "keys").stat().st_mode) == 0o700
    assert "correct horse" not in (home / "keys" / "alice.json").read_text()
    again = invoke("keys", "new", "ALICE", "--no-passphrase", "--json")
    assert again.status == 5
    assert again.stdout == ""
    assert again.error["code"] == "exists"


def test_new_without_a_name_is_the_default_key(invoke: Invoke) -> None:
    assert invoke("keys", "new", "--no-passphrase", "--get", "name").stdout == "default\n"
    run = invoke("keys", "new", "--no-passphrase", "--json")
    assert (run.status, run.error["code"]) == (5, "exists")


def test_the_passphrase_may_come_from_a_variable(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_PASSPHRASE", "from the variable")
    assert invoke("keys", "new", "alice", "--json").json["passphrase"] is True
    monkeypatch.delenv("TWIN_PASSPHRASE")
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    assert invoke("keys", "new", "bob", "--json").json["passphrase"] is False
    monkeypatch.delenv("TWIN_NO_PASSPHRASE")
    monkeypatch.setenv("TWIN_PASSPHRASE", "")
    run = invoke("keys", "new", "carol", "--json")
    assert run.status == 9
    assert run.stdout == ""


def test_the_passphrase_may_come_from_a_descriptor(invoke: Invoke) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"through the pipe\n")
    os.close(writing)
    run = invoke("keys", "new", "alice", "--passphrase-fd", str(reading), "--json")
    os.close(reading)
    assert run.json["passphrase"] is True


def test_the_passphrase_is_asked_for_twice(invoke: Invoke, terminal: Terminal) -> None:
    shown = terminal("hidden\nhidden\n")
    assert invoke("keys", "new", "alice").status == 0
    assert "hidden" not in shown()
    terminal("one\nother\n")
    run = invoke("keys", "new", "bob", "--json")
    assert run.status == 6
    assert invoke("keys", "list", "--get", "keys.-1.name").stdout == "alice\n"


def test_without_a_terminal_nothing_is_made(invoke: Invoke, home: Path) -> None:
    run = invoke("keys", "new", "alice", "--json")
    assert run.status == 6
    assert run.error["hint"] == (
        "twin keys new alice --json --passphrase-file FILE,"
        " or twin keys new alice --json --no-passphrase"
    )
    assert not home.exists()


def test_new_with_if_missing(invoke: Invoke) -> None:
    first = invoke("keys", "new", "alice", "--no-passphrase", "--if-missing", "--json").json
    again = invoke("keys", "new", "alice", "--no-passphrase", "--if-missing", "--json")
    assert again.status == 0
    assert again.json == {**first, "created": False}
    # With --mnemonic too: no phrase is made for a key that is there.
    run = invoke("keys", "new", "alice", "--mnemonic", "--if-missing", "--json")
    assert run.json == again.json
    other = invoke("keys", "new", "alice", "--path", "m/44h", "--if-missing", "--json")
    assert (other.status, other.error["code"]) == (5, "exists")


def test_a_dry_run_makes_and_asks_nothing(invoke: Invoke, home: Path) -> None:
    run = invoke("keys", "new", "alice", "--mnemonic", "--dry-run", "--json")
    assert run.status == 0
    assert run.json["public_key"] is None
    assert run.json["created"] is None
    assert run.json["rule"] == "tutorial"
    assert set(run.json) == FIELDS
    assert not home.exists()
    run = invoke("keys", "new", "alice", "--dry-run", "--no-passphrase", "--json")
    assert (run.json["rule"], run.json["passphrase"]) == ("random", False)
    run = invoke("keys", "new", "alice", "--path", "m/1h", "--dry-run", "--json")
    assert (run.json["rule"], run.json["has_mnemonic"]) == ("slip10", True)
    assert invoke("keys", "new", "a,b", "--dry-run", "--json").error["code"] == "invalid_name"


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("keys", "new", "a/b", "--no-passphrase"), 7, "invalid_name"),
        (("keys", "new", "a", "--no-passphrase", "--path", "m/44"), 7, "invalid_path"),
        (("keys", "new", "a", "--provider", "pkcs11"), 2, "usage"),
        (("keys", "new", "a", "--mnemonic-out", "x"), 2, "usage"),
        (("keys", "new", "a", "--words", "13"), 2, "usage"),
        (("keys", "new", "a", "b"), 2, "usage"),
        (("keys", "show", "nobody"), 4, "no_home"),
        (("keys", "list"), 4, "no_home"),
        (("keys", "rename", "a", "b"), 4, "no_home"),
        (("keys", "remove", "a", "--yes"), 4, "no_home"),
    ],
)
def test_refusals(
    arguments: tuple[str, ...], status: int, code: str, invoke: Invoke, home: Path
) -> None:
    run = invoke(*arguments, "--json")
    assert (run.status, run.error["code"], run.stdout) == (status, code, "")
    assert not home.exists()


# --- where a phrase goes --------------------------------------------------------------------------


@pytest.mark.parametrize("words", [12, 24])
def test_a_phrase_in_the_document(invoke: Invoke, words: int) -> None:
    run = invoke(
        "keys", "new", "a", "--mnemonic", "--words", str(words), "--no-passphrase", "--json"
    )
    phrase = run.json["mnemonic"]
    assert len(phrase.split()) == words
    assert mnemonic.check(phrase)
    back = invoke("keys", "recover", "b", "-", "--no-passphrase", "--json", stdin=phrase)
    assert back.json["public_key"] == run.json["public_key"]


def test_a_phrase_as_the_one_value(invoke: Invoke) -> None:
    run = invoke("keys", "new", "a", "--mnemonic", "--no-passphrase", "--get", "mnemonic")
    assert mnemonic.check(run.stdout.removesuffix("\n"))
    run = invoke("keys", "new", "b", "--mnemonic", "--no-passphrase", "--get", "did")
    assert run.status == 2
    assert "--mnemonic-out FILE" in run.stderr
    assert invoke("keys", "show", "b").status == 4


def test_a_phrase_in_a_file(invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "phrase"
    arguments = ("keys", "new", "alice", "--mnemonic", "--mnemonic-out", str(path))
    run = invoke(*arguments, "--no-passphrase", "--json")
    assert "mnemonic" not in run.json
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    phrase = path.read_text()
    back = invoke("keys", "recover", "again", str(path), "--no-passphrase", "--json")
    assert back.json["public_key"] == run.json["public_key"]
    again = invoke("keys", "new", "b", *arguments[3:], "--no-passphrase", "--json")
    assert (again.status, again.error["code"]) == (5, "exists")
    assert path.read_text() == phrase
    assert invoke("keys", "show", "b").status == 4


def test_a_phrase_for_a_file_that_cannot_be_made(invoke: Invoke, tmp_path: Path) -> None:
    path = str(tmp_path / "no" / "phrase")
    run = invoke(
        "keys", "new", "a", "--mnemonic", "--no-passphrase", "--mnemonic-out", path, "--json"
    )
    assert (run.status, run.error["code"]) == (9, "cannot_write")
    assert "no such file or directory" in run.error["message"]
    assert invoke("keys", "show", "a").status == 4


def test_a_phrase_on_the_terminal(invoke: Invoke, terminal: Terminal) -> None:
    shown = terminal("")
    run = invoke("keys", "new", "--mnemonic", "--no-passphrase")
    assert run.status == 0
    words = re.findall("[0-9]+ ([a-z]+)", shown())
    assert mnemonic.check(" ".join(words))
    assert words[0] not in (run.stdout + run.stderr).split()


def test_a_phrase_never_goes_to_a_plain_pipe(invoke: Invoke, home: Path) -> None:
    run = invoke("keys", "new", "--mnemonic", "--no-passphrase")
    assert run.status == 6
    assert run.stdout == ""
    assert "twin keys new --mnemonic --no-passphrase --mnemonic-out FILE" in run.stderr
    assert not home.exists()


def test_no_key_is_kept_whose_phrase_was_not_shown(
    invoke: Invoke, home: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal("")
    real, opened = asking.TERMINAL, []
    open_terminal = asking.open_terminal

    def gone_the_second_time() -> int | None:
        opened.append(real)
        return open_terminal() if len(opened) < 2 else None

    monkeypatch.setattr(sinks, "open_terminal", gone_the_second_time)
    run = invoke("keys", "new", "--mnemonic", "--no-passphrase")
    assert run.status != 0
    assert not (home / "keys" / "default.json").exists()


def test_no_file_is_left_whose_key_was_not_made(invoke: Invoke, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "phrase"
    home.mkdir()
    (home / "keys").write_text("a file is in the way")
    run = invoke(
        "keys", "new", "a", "--mnemonic", "--no-passphrase", "--mnemonic-out", str(path), "--json"
    )
    assert run.status == 9
    assert not path.exists()


# --- recover --------------------------------------------------------------------------------------


def test_recover_from_a_file_and_at_a_path(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "phrase").write_text(f"  {ABOUT.upper()}\n")
    arguments = ("keys", "recover", "a", str(tmp_path / "phrase"), "--no-passphrase", "--json")
    run = invoke(*arguments)
    assert run.json["public_key"] == ABOUT_KEY
    assert run.json["rule"] == "tutorial"
    assert invoke(*arguments).error["code"] == "exists"
    assert invoke(*arguments, "--if-missing").json == {**run.json, "created": False}
    wallet = invoke("keys", "recover", "b", *arguments[3:], "--path", "m/44h/822h/0h/0h/0h")
    assert wallet.json["public_key"] == WALLET_KEY
    assert wallet.json["path"] == "m/44'/822'/0'/0'/0'"


def test_recover_asks_without_showing(invoke: Invoke, terminal: Terminal) -> None:
    shown = terminal(f"{ABOUT}\n")
    run = invoke("keys", "recover", "a", "--no-passphrase", "--json")
    assert run.json["public_key"] == ABOUT_KEY
    assert "abandon" not in shown()


def test_recover_without_a_terminal_names_the_file(invoke: Invoke, home: Path) -> None:
    run = invoke("keys", "recover", "a", "--no-passphrase", "--json")
    assert run.status == 6
    assert run.error["hint"] == "twin keys recover a --no-passphrase --json FILE"
    assert not home.exists()


def test_recover_without_checksum(invoke: Invoke) -> None:
    run = invoke("keys", "recover", "a", "-", "--no-passphrase", "--json", stdin="seedPhrase")
    assert (run.status, run.error["code"]) == (7, "invalid_mnemonic")
    assert "--no-checksum" in str(run.error["hint"])
    assert "seedPhrase" not in run.error["message"]
    run = invoke(
        "keys", "recover", "a", "-", "--no-passphrase", "--no-checksum", "--json",
        stdin="seedPhrase",
    )  # fmt: skip
    assert run.json["public_key"] == "GEkKQDKFf5qzi7WwY2VzwBd3VyLhCu1aSaWjSAU7dCpo"


def test_recover_with_the_passphrase_of_bip39(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "extra").write_text("TREZOR\n")
    (tmp_path / "empty").write_text("\n")
    arguments = ("keys", "recover", "a", "-", "--no-passphrase", "--json")
    extra = ("--bip39-passphrase-file", str(tmp_path / "extra"))
    run = invoke(*arguments, *extra, "--dry-run", stdin=ABOUT)
    assert run.status == 0
    assert run.json["public_key"] not in {None, ABOUT_KEY}
    kept = invoke(*arguments, *extra, stdin=ABOUT)
    assert kept.json["public_key"] == run.json["public_key"]
    empty = invoke("keys", "recover", "b", *arguments[3:], *extra[:1], str(tmp_path / "empty"))
    assert (empty.status, empty.error["code"]) == (9, "empty_passphrase")


@pytest.mark.parametrize(
    ("stdin", "code"),
    [
        (b"\xff\xfe secret", "not_text"),
        (b"secret " * 20000, "too_long"),
        (b"secret words that are no phrase", "invalid_mnemonic"),
        (b"", "invalid_mnemonic"),
    ],
)
def test_no_refusal_shows_the_phrase(invoke: Invoke, stdin: bytes, code: str) -> None:
    run = invoke("keys", "recover", "a", "-", "--no-passphrase", "--json", stdin=stdin)
    assert (run.status, run.error["code"]) == (7, code)
    assert "secret" not in run.stderr


def test_files_that_cannot_be_read(invoke: Invoke, tmp_path: Path) -> None:
    gone = invoke("keys", "recover", "a", str(tmp_path / "gone"), "--no-passphrase", "--json")
    assert (gone.status, gone.error["code"]) == (4, "no_file")
    folder = invoke("keys", "recover", "a", str(tmp_path), "--no-passphrase", "--json")
    assert (folder.status, folder.error["code"]) == (9, "cannot_read")


# --- list, show, rename, remove -------------------------------------------------------------------


def test_list_says_which_keys_have_no_passphrase(
    invoke: Invoke, home: Path, passphrase: str
) -> None:
    invoke("keys", "new", "alice", "--passphrase-file", passphrase)
    invoke("keys", "new", "bob", "--no-passphrase")
    run = invoke("keys", "list")
    header, *rows = [line.split("\t") for line in run.stdout.splitlines()]
    assert header[:4] == ["name", "public_key", "did", "passphrase"]
    assert [(row[0], row[3]) for row in rows] == [("alice", "yes"), ("bob", "NONE")]
    document = invoke("keys", "list", "--json").json
    assert document["schema"] == "twin.keys/1"
    assert set(document["keys"][0]) == FIELDS - {"schema"}
    lines = invoke("keys", "list", "--jsonl").stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith('{"schema":"twin.key/1","name":"alice"')
    (home / "keys" / "bob.json").chmod(0o644)
    run = invoke("keys", "list", "--json")
    assert [key["name"] for key in run.json["keys"]] == ["alice"]
    assert len(run.json["warnings"]) == 1
    assert "chmod 600" in run.json["warnings"][0]
    assert "chmod 600" in invoke("keys", "list").stderr


def test_a_terminal_gets_a_table_of_keys(
    invoke: Invoke, passphrase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    invoke("keys", "new", "alice", "--passphrase-file", passphrase)
    invoke("keys", "new", "user_qc_manager", "--no-passphrase")
    head, *rows = invoke("keys", "list", tty=True).stdout.splitlines()
    assert head.split() == ["name", "passphrase", "created"]
    assert [row.split()[:2] for row in rows] == [["alice", "yes"], ["user_qc_manager", "NONE"]]
    assert "did:key:" in invoke("keys", "list", "--wide", tty=True).stdout


def test_show_asks_for_nothing_and_shows_no_secret(invoke: Invoke, passphrase: str) -> None:
    made = invoke("keys", "new", "Alice", "--passphrase-file", passphrase, "--json").json
    shown = invoke("keys", "show", "alice", "--json")
    assert shown.json == made
    run = invoke("keys", "show", "alise", "--json")
    assert (run.status, run.error["code"]) == (4, "not_found")
    assert "alice" in str(run.error["hint"]).lower()


def test_rename(invoke: Invoke) -> None:
    made = invoke("keys", "new", "alice", "--no-passphrase", "--json").json
    planned = invoke("keys", "rename", "alice", "carol", "--dry-run", "--json")
    assert planned.json == {**made, "name": "carol"}
    assert invoke("keys", "rename", "alice", "Alice", "--dry-run").status == 0
    assert invoke("keys", "show", "alice").status == 0
    assert invoke("keys", "rename", "alice", "carol", "--json").json == planned.json
    assert invoke("keys", "show", "alice").status == 4
    invoke("keys", "new", "bob", "--no-passphrase")
    for more in ((), ("--dry-run",)):
        run = invoke("keys", "rename", "bob", "carol", "--json", *more)
        assert (run.status, run.error["code"]) == (5, "exists")


def test_remove_keeps_the_file(invoke: Invoke, home: Path) -> None:
    invoke("keys", "new", "alice", "--no-passphrase")
    run = invoke("keys", "remove", "alice", "--json")
    assert (run.status, run.error["code"]) == (2, "confirmation_needed")
    assert run.error["hint"] == "twin keys remove alice --json --yes"
    assert invoke("keys", "remove", "alice", "--dry-run").status == 0
    assert invoke("keys", "show", "alice").status == 0
    run = invoke("keys", "remove", "alice", "--yes", "--json")
    assert run.status == 0
    assert set(run.json) == {"schema", "name", "kept_at", "shredded"}
    assert Path(run.json["kept_at"]).is_file()
    assert Path(run.json["kept_at"]).is_relative_to(home / "keys" / "removed")
    gone = invoke("keys", "remove", "alice", "--yes", "--json")
    assert (gone.status, gone.error["code"]) == (4, "not_found")


def test_shredding_wants_the_name_typed(invoke: Invoke, home: Path, terminal: Terminal) -> None:
    invoke("keys", "new", "alice", "--no-passphrase")
    terminal("yes\n")
    run = invoke("keys", "remove", "alice", "--shred", "--json")
    assert (run.status, run.error["code"]) == (1, "declined")
    terminal("alice\n")
    assert invoke("keys", "remove", "alice", "--shred", "--json").json["kept_at"] is None
    assert not list(home.rglob("alice*"))


def test_a_damaged_key_can_be_removed(invoke: Invoke, home: Path) -> None:
    invoke("keys", "new", "alice", "--no-passphrase")
    (home / "keys" / "alice.json").write_text("{")
    assert invoke("keys", "show", "alice").status == 9
    assert invoke("keys", "remove", "alice", "--yes").status == 0


def test_a_ledger_that_does_not_answer_stops_no_removal(invoke: Invoke) -> None:
    invoke("keys", "new", "alice", "--no-passphrase")
    run = invoke("keys", "remove", "alice", "--yes", "--node", "http://localhost:9984")
    assert run.status == 0


def test_the_question_says_what_the_key_owns(invoke: Invoke, terminal: Terminal) -> None:
    invoke("did", "new", "alice", "--no-passphrase")
    shown = terminal("n\n")
    run = invoke("keys", "remove", "alice", "--json")
    assert (run.status, run.error["code"]) == (1, "declined")
    assert "owns 1 outputs" in shown()


def test_a_key_does_not_take_the_name_of_somebody_else(invoke: Invoke) -> None:
    other = invoke("keys", "new", "carol", "--no-passphrase", "--get", "public_key").stdout.strip()
    invoke("keys", "remove", "carol", "--yes")
    assert invoke("name", "set", "carol", other).status == 0
    run = invoke("keys", "new", "carol", "--no-passphrase", "--json")
    assert (run.status, run.error["code"]) == (5, "exists")
    invoke("keys", "new", "dave", "--no-passphrase")
    assert invoke("keys", "rename", "dave", "carol").status == 5
    run = invoke("keys", "recover", "carol", "-", "--no-passphrase", "--json", stdin=ABOUT)
    assert (run.status, run.error["code"]) == (5, "exists")


def test_completion_knows_the_keys(invoke: Invoke) -> None:
    from twincli.cli.parsing import candidates

    assert candidates.keys() == []
    invoke("keys", "new", "alice", "--no-passphrase")
    assert candidates.keys() == ["alice"]


# --- A directory that others can write ------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_a_directory_that_others_can_write_is_told_when_a_key_is_used(
    invoke: Invoke, home: Path, tmp_path: Path
) -> None:
    invoke("keys", "new", "alice", "--no-passphrase")
    made = invoke("asset", "create", "car", "--json").json
    assert made["warnings"] == []
    (tmp_path / "file").write_text("signed")
    sign = ("keys", "sign", "alice", str(tmp_path / "file"))
    (home / "keys").chmod(0o777)
    said = f"others can write to {home / 'keys'} (mode 0777): chmod 700 {home / 'keys'}"
    for words in (("asset", "append", "car", "--a", "1"), sign):
        assert invoke(*words, "--json").json["warnings"] == [said]
        assert f"twin: warning: {said}\n" in invoke(*words).stderr
    signature = tmp_path / "signature"
    signature.write_text(invoke(*sign, "--json").stdout)
    assert invoke("keys", "verify", str(tmp_path / "file"), str(signature)).status == 0
    assert "warnings" not in invoke("keys", "show", "alice", "--json").json
    (home / "keys").chmod(0o700)
    assert invoke("asset", "append", "car", "--a", "2", "--json").json["warnings"] == []
