"""Completion: the scripts in ``completions/`` are what the command prints, and they work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Invoke
from twincli.book.store import Book
from twincli.cli.commands.home.completion import FILES

DIRECTORY = Path(__file__).parents[2] / "completions"


@pytest.mark.parametrize("shell", FILES)
def test_the_stored_script_is_what_the_command_prints(shell: str, invoke: Invoke) -> None:
    stored = (DIRECTORY / FILES[shell]).read_text()
    assert invoke("completion", shell).stdout == stored
    assert "_TWIN_COMPLETE" in stored


def test_no_other_script_is_stored() -> None:
    assert {path.name for path in DIRECTORY.iterdir()} == set(FILES.values())


def completions(line: str, home: Path) -> list[str]:
    """Return what bash would offer at the end of the line."""
    words = line.split(" ")
    environment = {
        "_TWIN_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "TWIN_HOME": str(home),
        "PATH": "/usr/bin:/bin",
    }
    run = subprocess.run(
        [sys.executable, "-m", "twincli"], env=environment, capture_output=True, check=True
    )
    assert run.stderr == b""
    return run.stdout.decode().split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("twin co", ["config", "completion", "content"]),
        ("twin ", ["keys", "asset", "history", "help"]),
        ("twin config s", ["show", "set"]),
        ("twin config set ti", ["timeout"]),
        ("twin config show --js", ["--json", "--jsonl"]),
        ("twin config show --color ", ["auto", "always", "never"]),
        ("twin agent st", ["start", "status", "stop"]),
        ("twin agent start --tt", ["--ttl"]),
        ("twin completion f", ["fish"]),
        ("twin help ex", ["exit-codes"]),
        ("twin asset app", ["append"]),
        ("twin asset append car --if", ["--if-tip"]),
        ("twin asset create car --own", ["--owner"]),
        ("twin asset create car --wait ", ["commit", "sync", "async"]),
        ("twin did new x --no", ["--no-passphrase", "--node"]),
        ("twin --json config pa", ["path"]),
        ("twin keys export a --format p", ["pem"]),
        ("twin keys pass", ["passwd"]),
        ("twin keys list --no", []),  # it has no use for --node
    ],
)
def test_bash_is_offered(line: str, offered: list[str], home: Path) -> None:
    found = completions(line, home)
    assert set(offered) <= set(found)
    if line != "twin ":
        assert sorted(found) == sorted(offered)
    assert not home.exists()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("twin node use ", ["local", "shop", "store"]),
        ("twin node remove sh", ["shop"]),
        ("twin node info st", ["store"]),
        ("twin node add s", []),
        ("twin asset list --node s", ["shop", "store"]),
        ("twin asset append car --node lo", ["local"]),
        ("twin push ", ["box", "car"]),
        ("twin push box c", ["car"]),
        ("twin pull b", ["box"]),
    ],
)
def test_names_are_offered(line: str, offered: list[str], invoke: Invoke, home: Path) -> None:
    for words in (
        "node add shop http://a.example",
        "node add store http://b.example",
        "keys new alice --no-passphrase",
    )[::-1]:
        assert invoke(*words.split()).status == 0
    book = Book(str(home / "book.db"))
    for ledger, name in (("1" * 64, "car"), ("2" * 64, "car"), ("2" * 64, "box")):
        book.set_asset(ledger, name, ledger)
    book.close()
    assert sorted(completions(line, home)) == offered


def test_a_damaged_home_offers_nothing(home: Path) -> None:
    home.mkdir()
    (home / "nodes.json").write_text("{")
    (home / "book.db").write_text("a letter\n" * 2000)
    assert completions("twin node remove ", home) == []
    assert completions("twin asset list --node ", home) == ["local"]
    assert completions("twin push ", home) == []


def test_zsh_and_fish_are_answered_in_their_own_form(home: Path) -> None:
    for shell, wanted in (("zsh", '"timeout"'), ("fish", "timeout")):
        environment = {
            "_TWIN_COMPLETE": f"complete_{shell}",
            "_TYPER_COMPLETE_ARGS": "twin config set t",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "TWIN_HOME": str(home),
        }
        run = subprocess.run(
            [sys.executable, "-m", "twincli"], env=environment, capture_output=True, check=True
        )
        assert wanted in run.stdout.decode()
