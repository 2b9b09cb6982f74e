"""Completion: the scripts in ``completions/`` are what the command prints, and they work."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import Invoke
from twincli.book.store import Book
from twincli.cli.commands.home.completion import FILES
from twincli.cli.parsing import shells, typer_frame

if TYPE_CHECKING:
    from collections.abc import Callable

DIRECTORY = Path(__file__).parents[2] / "completions"


@pytest.mark.parametrize("shell", FILES)
def test_the_stored_script_is_what_the_command_prints(shell: str, invoke: Invoke) -> None:
    stored = (DIRECTORY / FILES[shell]).read_text()
    assert invoke("completion", shell).stdout == stored
    assert "_TWIN_COMPLETE" in stored


def test_no_other_script_is_stored() -> None:
    assert {path.name for path in DIRECTORY.iterdir()} == set(FILES.values())


@pytest.fixture
def completions(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Return what bash is answered at the end of a line: names, and ``file`` or ``dir``."""

    def answered(line: str) -> list[str]:
        # Bash takes the sign in --node=local for a word.
        words = re.split(r" |(?<==)|(?==)", line)
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        lines = shells.Bash(typer_frame.Root(), {}, "twin", "_TWIN_COMPLETE").complete().split()
        return [one.removeprefix("plain,").removesuffix(",") for one in lines]

    return answered


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
def test_bash_is_offered(
    line: str, offered: list[str], completions: Callable[[str], list[str]], home: Path
) -> None:
    found = completions(line)
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
        ("twin asset list --node=s", ["shop", "store"]),
        ("twin asset list --node=shop --key=", ["alice"]),
        ("twin verify b", ["box", "file"]),
        ("twin link add box part c", ["car"]),
        ("twin push ", ["box", "car"]),
        ("twin push box c", ["car"]),
        ("twin pull b", ["box"]),
        ("twin grant add car --to ", ["alice"]),
    ],
)
def test_names_are_offered(
    line: str,
    offered: list[str],
    invoke: Invoke,
    completions: Callable[[str], list[str]],
    home: Path,
) -> None:
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
    assert sorted(completions(line)) == offered


def test_a_damaged_home_offers_nothing(completions: Callable[[str], list[str]], home: Path) -> None:
    home.mkdir()
    (home / "nodes.json").write_text("{")
    (home / "book.db").write_text("a letter\n" * 2000)
    assert completions("twin node remove ") == []
    assert completions("twin asset list --node ") == ["local"]
    assert completions("twin push ") == []


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("twin file attach car ", ["file"]),
        ("twin asset create x --data @", []),
        ("twin grant add car --role ", ["writer", "viewer", "auditor"]),
        ("twin query car --fill pr", ["previous"]),
        ("twin history car --by ", ["happened", "recorded"]),
        ("twin bundle passport car --access p", ["public"]),
        ("twin asset create x ", []),
        ("twin asset create x --photo ", []),
        ("twin asset list --kind ", []),
        ("twin asset list --home ", ["dir"]),
        ("twin --home=", ["dir"]),
        ("twin keys new ", []),
        ("twin keys new a --passphrase-file se", ["file"]),
        ("twin event add car inspection --attach pho", ["file"]),
        ("twin bundle diff ", ["file"]),
        ("twin bundle export car -o ", ["file"]),
        ("twin keys verify report.pdf ", ["file"]),
        ("twin template show vehicle-t", ["vehicle-tracking-v1", "file"]),
        ("twin template show ./my", ["file"]),
        ("twin verify ", ["file"]),
        ("twin name set x ", []),
    ],
)
def test_files_are_offered_where_one_is_meant_and_nowhere_else(
    line: str, offered: list[str], completions: Callable[[str], list[str]], home: Path
) -> None:
    assert completions(line) == offered
    assert not home.exists()


BASH = r"""
source "$1"
twin() { "$PYTHON" -m twincli "$@"; }
compopt() { local IFS=' '; echo "compopt $*"; }
at() {
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _twin_completion twin
    printf '%s\n' "${COMPREPLY[@]}" --
}
complete -p twin
at twin config sh
at twin config set ''
at twin template show 'vehicle\ t'
at twin template show veh
at twin file attach car my
at twin asset list --home ''
at twin asset list --kind ''
at twin asset list '>' my
"""


def test_bash_itself_offers_files_where_they_are_meant(tmp_path: Path) -> None:
    for name in ("vehicle tracks.yaml", "my photo.jpg", "vehicle*.yaml"):
        (tmp_path / name).touch()
    run = subprocess.run(
        ["bash", "--norc", "-c", BASH, "bash", str(DIRECTORY / FILES["bash"])],
        env={**os.environ, "TWIN_HOME": str(tmp_path / "home"), "PYTHON": sys.executable},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    defined, *answers = run.stdout.split("\n", 1)
    assert defined == "complete -F _twin_completion twin"
    show, keys, spaced, template, attach, home, kind, redirected, _ = answers[0].split("--\n")
    assert show == "show\n"
    assert "timeout\n" in keys
    assert spaced == redirected == attach == "compopt -o default\n"
    option, name, *found = template.splitlines()
    assert (option, name) == ("compopt -o filenames", "vehicle-tracking-v1")
    assert sorted(found) == ["vehicle tracks.yaml", "vehicle*.yaml"]
    assert home == "compopt -o dirnames\n"
    assert kind == ""


@pytest.mark.parametrize(
    ("shell", "line", "answer"),
    [
        ("zsh", "twin config set ti", "_arguments '*: :((\"timeout\"))'"),
        (
            "zsh",
            "twin template show vehicle-t",
            "_arguments '*: :((\"vehicle-tracking-v1\"))'; _files",
        ),
        ("zsh", "twin asset list --home ", "_files -/"),
        ("zsh", "twin asset list --home=my", "compset -P '*='; _files -/"),
        ("zsh", "twin asset list --kind ", ""),
        ("fish", "twin config set ti", "timeout"),
        ("fish", "twin file attach car ", ""),
        ("fish", "twin asset list --node=lo", "--node=local"),
        ("powershell", "twin config set ti", "timeout::: "),
        ("powershell", "twin file attach car my", ""),
    ],
)
def test_other_shells_are_answered_in_their_own_form(
    shell: str, line: str, answer: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    monkeypatch.setenv("_TYPER_COMPLETE_WORD_TO_COMPLETE", line.rpartition(" ")[2])
    kind: Any = {"zsh": shells.Zsh, "fish": shells.Fish, "powershell": shells.PowerShell}[shell]
    assert kind(typer_frame.Root(), {}, "twin", "_TWIN_COMPLETE").complete() == answer
    assert not home.exists()


@pytest.mark.parametrize(
    ("line", "status"),
    [("twin file attach car ", 0), ("twin asset list --home ", 0), ("twin config set ti", 1)],
)
def test_fish_asks_whether_a_file_is_meant(
    line: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    with pytest.raises(SystemExit) as ended:
        shells.FishFile(typer_frame.Root(), {}, "twin", "_TWIN_COMPLETE").complete()
    assert ended.value.code == status


def test_a_shell_is_answered_through_the_environment(home: Path) -> None:
    environment = {
        "_TWIN_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_ARGS": "twin config set ti",
        "TWIN_HOME": str(home),
    }
    run = subprocess.run(
        [sys.executable, "-m", "twincli"], env=environment, capture_output=True, check=True
    )
    assert (run.stdout, run.stderr) == (b"timeout\n", b"")
