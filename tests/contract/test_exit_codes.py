"""The exit statuses are a promise: the table, and a run for each that is reached here."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from tests.conftest import Invoke
from twincli import errors
from twincli.cli.commands.home.help import EXIT_CODES
from twincli.cli.context import Context
from twincli.cli.parsing.data_parser import Parsed
from twincli.cli.result import Result
from twincli.errors import ExitCode, TwinError

TABLE = {
    "OK": 0,
    "FAILURE": 1,
    "USAGE": 2,
    "NOT_VERIFIED": 3,
    "NOT_FOUND": 4,
    "CONFLICT": 5,
    "LOCKED": 6,
    "INVALID": 7,
    "UNREACHABLE": 8,
    "CONFIG": 9,
    "PARTIAL": 10,
    "UNDETERMINED": 11,
    "INTERRUPTED": 130,
}


def test_the_table() -> None:
    assert {code.name: code.value for code in ExitCode} == TABLE


def test_help_explains_every_status(invoke: Invoke) -> None:
    assert list(EXIT_CODES) == list(ExitCode)
    text = invoke("help", "exit-codes").stdout
    rows = [line.split(None, 1) for line in text.splitlines()[2:]]
    assert [int(number) for number, _ in rows] == list(TABLE.values())


ERRORS = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, TwinError)
]


def test_every_status_but_ok_has_one_error() -> None:
    statuses = sorted(error.exit_code for error in ERRORS)
    assert statuses == [code for code in ExitCode if code != 0]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_ends_in_its_status_with_its_code(
    error: type[TwinError], invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handler(_context: Context, _parsed: Parsed) -> Result:
        raise error("it went wrong")

    module = types.ModuleType("twincli.cli.commands.asset.write")
    module.asset_append = handler  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "twincli.cli.commands.asset.write", module)
    run = invoke("asset", "append", "car", "--a", "1", "--json")
    assert run.status == error.exit_code
    assert run.stdout == ""
    assert run.error == {
        "code": error.default_code,
        "message": "it went wrong",
        "hint": None,
        "retryable": False,
    }


@pytest.mark.parametrize("status", [3, 10, 11])
def test_an_answer_prints_its_document_with_its_status(
    status: int, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("twincli.cli.commands.asset.write")
    module.asset_append = lambda _context, _parsed: Result(  # type: ignore[attr-defined]
        {"schema": "s/1"}, exit_code=status
    )
    monkeypatch.setitem(sys.modules, "twincli.cli.commands.asset.write", module)
    run = invoke("asset", "append", "car", "--a", "1", "--json")
    assert run.status == status
    assert run.json == {"schema": "s/1"}
    assert run.stderr == ""


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["config", "path"], 0),
        (["config", "zzz"], 2),
        (["config", "path", "--get", "zzz"], 4),
        (["config", "set", "key", "alice"], 4),
        (["asset", "append", "car", "--$x", "1"], 7),
    ],
)
def test_statuses_of_real_command_lines(words: list[str], status: int, invoke: Invoke) -> None:
    assert invoke(*words).status == status


def test_a_broken_settings_file_is_status_9(home: Path, invoke: Invoke) -> None:
    home.mkdir()
    (home / "config.json").write_text("{")
    assert invoke("config", "show").status == 9
