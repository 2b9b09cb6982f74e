"""Plain command lines of `twin query`: read as Typer reads them, or left to it."""

from __future__ import annotations

from typing import Any

import pytest
import typer
import typer.main
from typer.core import TyperOption

from tests.conftest import Invoke
from twincli.cli.commands.query import answering, query
from twincli.cli.parsing import quick
from twincli.cli.result import Result

PLAIN = [
    "car --stream s",
    "car --stream s --stream t --limit 5 --json",
    "--stream s car --since 2024-01-01 --until 2024-01-02 --reverse --by recorded",
    "car --stream s --every 1m --agg average,max --fill null --origin 2024-01-01 --quiet",
    "car --stream s --points 5 --agg minmax --fields value,x.y --tz UTC --suspect",
    "car --stream s --where v>1 --format csv --gzip -o a.csv.gz",
    "car --sql SELECT --output x.json --jsonl",
    "car --stream s --limit 007",
    "car --stream s --limit 0",
]
LEFT = [
    "car --stream s --by",
    "",
    "car --help",
    "car -q",
    "car --stream",
    "car --stream s --limit x",
    "car --stream s --limit -1",
    "car --stream s --limit 12345678901",
    "car --stream s --limit 1 --limit 2",
    "car --stream=s",
    "car --stream s --reverse --reverse",
    "car --json --json",
    "car other --stream s",
    "car --stream s -- x",
    "car --stream s --node local",
    "car --stream s --unknown x",
    "car --stream s -o -",
    "car --stream s --get rows",
    "car --stream --json",
]


@pytest.mark.parametrize("text", PLAIN)
def test_as_typer_reads_it(text: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def answer(context: Any, name: str, **values: Any) -> Result:
        given = {key: value for key, value in values.items() if value not in (None, False)}
        if given.get("by") == "happened":
            del given["by"]
        seen.append((context.options, context.command, context.argv, name, given))
        return Result({"schema": "twin.query/1"}, said=True)

    monkeypatch.setattr(answering, "answer", answer)
    words = text.split()
    assert quick.read(words) is not None
    invoke("query", *words)
    monkeypatch.setattr(quick, "read", lambda _words: None)
    invoke("query", *words)
    fast, slow = seen
    assert fast == slow


@pytest.mark.parametrize("text", LEFT)
def test_what_is_left_to_typer(text: str) -> None:
    assert quick.read(text.split()) is None


RARE = ("identity",)
"""Options that are left to Typer."""


def test_its_options_are_those_of_typer() -> None:
    command = typer.main.get_command(query.app)
    own = {
        option.removeprefix("--"): (param.name, param.is_flag, param.multiple)
        for param in command.params
        if isinstance(param, TyperOption) and not str(param.name).startswith("shared_")
        for option in param.opts
        if option.startswith("--")
    }
    assert own == {
        "stream": ("stream", False, True),
        **{option: (name, False, False) for option, name in quick.TEXTS.items()},
        **{name: (name, False, False) for name in quick.NUMBERS},
        **{name: (name, True, False) for name in quick.FLAGS},
        **{name: (name, False, False) for name in RARE},
    }
    assert all(quick.read(["car", f"--{name}", "x"]) is None for name in RARE)


# As a user sees them: what is wrong is found later on, or by Typer.
WRONG = [
    "nowhere --stream s",
    "car --stream s --by other",
    "car --stream s --fill other",
    "car --stream s --every 1q --agg nope",
    "car --stream s --json --jsonl",
    "car --stream s --home nowhere",
    "car --stream s --format table --json",
    "car --sql select --where x>1",
    "car --stream s --where ((",
    "car --gzip",
]


@pytest.mark.parametrize("text", WRONG)
def test_it_fails_as_typer_would(
    text: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("keys", "new", "alice", "--no-passphrase")
    invoke("asset", "create", "car", "--owner", "alice")
    words = text.split()
    assert quick.read(words) is not None
    fast = invoke("query", *words)
    monkeypatch.setattr(quick, "read", lambda _words: None)
    slow = invoke("query", *words)
    assert fast == slow
    assert fast.status


def test_words_that_are_no_text() -> None:
    assert quick.read(["car", "--stream", "\udcff"]) is None
    assert quick.read(["car", "--stream", ""]) is None


def test_shared_options_before_it(invoke: Invoke) -> None:
    run = invoke("--json", "query", "nowhere", "--stream", "s")
    assert run.status == 4
    assert run.error["code"] == "no_home"
