"""The entry point: dispatch, aliases, the error boundary, lost streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Invoke
from twincli import __version__
from twincli.cli import main, table
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.data_commands import COMMANDS, options_of
from twincli.cli.parsing.data_parser import Parsed
from twincli.cli.result import Result
from twincli.errors import ExitCode, InvalidError, TwinError

Handler = Callable[[Context, Parsed], Result]


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> Callable[[Handler], None]:
    """Put one function in the place of all handlers of commands with data."""

    def put(handler: Handler) -> None:
        module = types.ModuleType("twincli.cli.commands.asset.write")
        for command in COMMANDS.values():
            setattr(module, command.handler.partition(":")[2], handler)
        monkeypatch.setitem(sys.modules, "twincli.cli.commands.asset.write", module)

    return put


def echo(context: Context, parsed: Parsed) -> Result:
    return Result(
        {
            "schema": "twin.echo/1",
            "name": parsed.name,
            "data": {".".join(edit.path): edit.value for edit in parsed.edits},
            "home": context.paths.home,
            "creates": context.creates.home,
            "keys": list(context.keys),
        },
        notes=("written",),
    )


# ------------------------------------------------------------ dispatch


def test_version(invoke: Invoke) -> None:
    assert invoke("--version") == (0, f"twin {__version__}\n", "")
    assert invoke("--quiet", "--version") == (0, f"twin {__version__}\n", "")
    assert invoke("--json", "--version").json == {
        "schema": "twin.version/1",
        "version": __version__,
    }


def test_bare_twin_prints_help_and_three_next_commands(invoke: Invoke) -> None:
    run = invoke()
    assert run.status == 0
    assert run.stderr == ""
    assert "Usage: twin" in run.stdout
    following = run.stdout.partition("Next:\n")[2].splitlines()
    assert len(following) == 3
    assert all(line.startswith("  twin ") for line in following)


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "asset", "append", "car", "--mileage", "1200"],
        ["asset", "--json", "append", "car", "--mileage", "1200"],
        ["asset", "append", "--json", "car", "--mileage", "1200"],
        ["asset", "append", "car", "--json", "--mileage", "1200"],
        ["asset", "append", "car", "--mileage", "1200", "--json"],
        ["assets", "append", "car", "--mileage=1200", "--json"],
        ["vault", "append", "car", "--set", "mileage=1200", "--json"],
    ],
)
def test_shared_options_stand_before_the_noun_or_after_the_verb(
    words: list[str], invoke: Invoke, handled: Callable[[Handler], None]
) -> None:
    handled(echo)
    run = invoke(*words)
    assert run.status == 0
    assert run.stderr == ""
    assert run.json["data"] == {"mileage": 1200}


def test_shared_options_with_values_stand_before_the_noun(
    invoke: Invoke, handled: Callable[[Handler], None], tmp_path: Path
) -> None:
    handled(echo)
    run = invoke("--home", str(tmp_path), "--key=a", "asset", "create", "car", "--key", "b")
    found = dict(line.split("\t") for line in run.stdout.splitlines())
    assert found["home"] == str(tmp_path)
    assert found["keys"] == '["a","b"]'
    assert found["creates"] == "true"
    assert run.stderr == "written\n"
    for words in (["config", "path"], ["config", "--quiet", "path"]):
        run = invoke("--home", str(tmp_path), *words, "--get", "home")
        assert run.stdout == f"{tmp_path}\n"
    assert invoke("--home").status == 2


def test_aliases_of_verbs(
    invoke: Invoke, handled: Callable[[Handler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    handled(echo)
    monkeypatch.setattr(typer_frame, "built", _only_ours)
    assert invoke("assets", "add", "car", "--get", "name").stdout == "car\n"
    run = invoke("dids", "add", "x")
    assert run.status == 2
    assert "did you mean 'twin did new'?" in run.stderr
    assert invoke("names", "ls").status == 0
    assert invoke("names", "rm").status == 0
    assert invoke("names", "create").status == 2


def test_warnings_of_the_parser_reach_the_result(
    invoke: Invoke, handled: Callable[[Handler], None]
) -> None:
    handled(echo)
    run = invoke("asset", "append", "car", "--x", "0.12345678901234567890123")
    assert run.status == 0
    assert "twin: warning: --x: 0.12345678901234567890123 is kept as" in run.stderr
    run = invoke("asset", "append", "car", "--x", "0.12345678901234567890123", "--json")
    assert run.stderr == ""
    assert len(run.json["warnings"]) == 1


@pytest.mark.parametrize("words", [["append", "car"], ["--json", "append", "car", "--a"]])
def test_a_command_with_data_never_loads_typer(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from twincli.cli.main import main\n"
        f"status = main(['asset', *{words!r}])\n"
        "assert status == 2, status\n"
        "loaded = {'typer', 'rich', 'dataclasses', 'inspect', 'pathlib', 'logging', 'platformdirs',"
        " 'asyncio', 'importlib.metadata', 'argparse', 'tempfile', 'shutil', 'subprocess',"
        " 'tomllib', 'uuid', 'mnemonic', 'decimal', 'difflib'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    environment = {**os.environ, "TWIN_HOME": "/nowhere"}
    subprocess.run([sys.executable, "-S", "-c", _PATH + code], check=True, env=environment)


# Without site, so that what a .pth file of the environment imports is not blamed on us.
_PATH = f"import sys; sys.path[:] = {sys.path!r}\n"


# ------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["aset"], "there is no command 'twin aset'", "did you mean 'twin asset'?"),
        (["confg", "show"], "there is no command 'twin confg'", "did you mean 'twin config'?"),
        (
            ["log"],
            "there is no command 'twin log'",
            "did you mean 'twin history' or 'twin audit log'?",
        ),
        (["zzz"], "there is no command 'twin zzz'", "one of keys, "),
        (["config"], "twin config: the verb is missing", "one of show, get, set"),
        (["--yes", "config", "--quiet"], "twin config: the verb is missing", "one of show"),
        (["config", "sho"], "there is no command 'twin config sho'", "'twin config show'?"),
        (["config", "view"], "there is no command 'twin config view'", "'twin config show'?"),
        (["config", "ls"], "there is no command 'twin config ls'", "'twin config show'?"),
        (["keys", "create", "a"], "no command 'twin keys create'", "'twin keys new'?"),
        (["asset", "delete", "a"], "no command 'twin asset delete'", "'twin asset burn'?"),
        (["asset", "remove", "a"], "no command 'twin asset remove'", "'twin asset burn'?"),
        (["agent", "unlock"], "no command 'twin agent unlock'", "'twin agent start'?"),
        (["node", "status"], "no command 'twin node status'", "'twin node info'?"),
        (["name", "add", "a"], "no command 'twin name add'", "'twin name set'?"),
        (["asset", "history", "a"], "no command 'twin asset history'", "'twin history'?"),
        (["asset", "log", "a"], "no command 'twin asset log'", "'twin history'?"),
        (["asset", "shwo", "a"], "no command 'twin asset shwo'", "'twin asset show'?"),
        (["config", "zzz"], "there is no command 'twin config zzz'", "one of show, get"),
        (["config", "show", "--quite"], "there is no option --quite", "did you mean --quiet"),
        (["config", "show", "--zzz"], "there is no option --zzz", "see twin config show --help"),
        (["config", "show", "x"], "unexpected argument 'x'", "twin config show --help"),
        (["config", "get"], "missing argument 'KEY'", "see twin config get --help"),
        (["config", "show", "--home"], "--home needs a value", "--help"),
        (
            ["config", "show", "--home", "--quiet"],
            "--home needs a value, and '--quiet' is",
            "--home=",
        ),
        (["config", "path", "--timeout", "1s"], "--timeout: '1s' is not a number", "--help"),
        (["search", "x", "--limit", "1.5"], "--limit: '1.5' is not a whole number", "--help"),
        (["config", "show", "--color", "x"], "--color: 'x' is not one of auto", ""),
        (["keys", "export", "a", "--format", "x"], "error: --format: 'x' is not one of", ""),
        (["--zzz"], "there is no option --zzz", "--help"),
        (["--jsno", "config"], "there is no option --jsno", "--json"),
        (["-x"], "there is no option -x", ""),
        (["help", "exit-code"], "there is no help topic 'exit-code'", "did you mean 'exit-codes'?"),
        (["completion", "tcsh"], "no completion for the shell 'tcsh'", "one of bash"),
        (["config", "path", "--get", ""], "--get needs the path of a value", ""),
        (["asset", "append", "car", "--Json", "1"], "no option --Json", "did you mean --json?"),
    ],
)
def test_a_wrong_command_line_is_status_2_and_says_what_was_meant(
    words: list[str], message: str, hint: str, invoke: Invoke
) -> None:
    run = invoke(*words)
    assert run.status == 2
    assert run.stdout == ""
    first, _, rest = run.stderr.partition("\n")
    assert first.startswith("twin: error: ")
    assert message in first
    assert not first.endswith(".")
    assert hint in rest
    if not {"--", "--json", "--get", "--jsonl"} & set(words):
        error = invoke(*words, "--json").error
        # Cut off options may take the added one for their value; the form is what counts.
        assert error["code"] == "usage"
        assert error["retryable"] is False


def test_json_errors_hold_code_message_hint_and_nothing_is_on_stdout(invoke: Invoke) -> None:
    run = invoke("--json", "aset")
    assert run.stdout == ""
    assert run.error == {
        "code": "usage",
        "message": "there is no command 'twin aset'",
        "hint": "did you mean 'twin asset'?",
        "retryable": False,
    }
    assert run.stderr.count("\n") == 1
    assert "twin: error" in invoke("asset", "append", "car", "--", "--json").stderr


def test_two_forms_of_output_contradict_each_other(invoke: Invoke) -> None:
    for words in (["--get", "home"], ["--jsonl"], ["--jsonl", "--get=home"]):
        run = invoke("config", "path", "--json", *words)
        assert run.status == 2
        assert "cannot be given together" in run.error["message"]


def failing(error: BaseException) -> Handler:
    def handler(_context: Context, _parsed: Parsed) -> Result:
        raise error

    return handler


APPEND = ("asset", "append", "car", "--a", "1")


def test_every_error_becomes_its_status(invoke: Invoke, handled: Callable[[Handler], None]) -> None:
    error = InvalidError("bad\x1b[31m", code="double_spend", hint="do\x07", retryable=True)
    handled(failing(error))
    assert invoke(*APPEND) == (
        7,
        "",
        "twin: error: bad\\u001b[31m\ntwin: hint: do\\u0007\n",
    )
    run = invoke(*APPEND, "--json")
    assert run.error == {
        "code": "double_spend",
        "message": "bad\x1b[31m",
        "hint": "do\x07",
        "retryable": True,
    }
    assert "\x1b" not in run.stderr


def test_ctrl_c_is_status_130(
    invoke: Invoke, handled: Callable[[Handler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    handled(failing(KeyboardInterrupt()))
    assert invoke(*APPEND) == (130, "", "twin: error: interrupted\n")
    assert invoke(*APPEND, "--json").error["code"] == "interrupted"

    def interrupted(_self: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(Context, "paths", property(interrupted))
    assert invoke("config", "path") == (130, "", "twin: error: interrupted\n")


def test_a_closed_pipe_ends_quietly(
    invoke: Invoke, handled: Callable[[Handler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    handled(failing(BrokenPipeError(32, "Broken pipe")))
    assert invoke(*APPEND) == (0, "", "")

    def closed(_self: object) -> object:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(Context, "paths", property(closed))
    assert invoke("config", "path") == (0, "", "")


def test_a_bug_is_one_line_and_a_report_without_values(
    invoke: Invoke,
    handled: Callable[[Handler], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def handler(_context: Context, parsed: Parsed) -> Result:
        try:
            return {parsed.name: parsed}["top secret"]  # type: ignore[return-value]
        except KeyError as error:
            raise ZeroDivisionError("1234 by top secret") from error

    handled(handler)
    words = ("--home", str(tmp_path / "mine"), *APPEND, "--once", "tok", "--vin", "WDB")
    run = invoke(*words)
    assert (run.status, run.stdout, run.stderr.count("\n")) == (1, "", 2)
    assert "ZeroDivisionError at cli/test_main.py" in run.stderr
    assert "Traceback" not in run.stderr
    [report] = tmp_path.glob("twin-report-*.txt")
    assert str(report) in run.stderr
    assert report.stat().st_mode & 0o777 == 0o600
    text = report.read_text()
    assert "command: --home asset append --once\n" in text
    assert "builtins.KeyError\n" in text
    assert "twincli/cli/main.py:" in text
    for value in ("secret", "1234", "car", "tok", "WDB", str(tmp_path), sys.prefix):
        assert value not in text
    assert invoke(*words, "--json").error["code"] == "bug"
    monkeypatch.setattr(Context, "paths", property(lambda _self: 1 / 0))
    assert invoke("config", "path").status == 1
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert invoke("config", "path").stderr.count("\n") == 1


def test_too_little_memory_is_not_a_bug(invoke: Invoke, handled: Callable[[Handler], None]) -> None:
    handled(failing(MemoryError()))
    assert invoke(*APPEND) == (1, "", "twin: error: not enough memory\n")


@pytest.mark.parametrize(
    "words",
    [
        ["keys", "list", "--home", "h"],
        ["keys", "new", "a", "--no-passphrase", "--home", "h"],
        ["backup", "create", "-o", "x"],
        ["asset", "append", "car", "--km", "1", "--prepare", "x", "--home", "h"],
        ["--home", "h", "asset", "create", "car"],
        ["node", "add", "shop", "file:x"],
        ["demo"],
        ["doctor"],
    ],
)
def test_a_working_directory_that_is_gone(words: list[str], tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = "import os, sys; os.rmdir(os.getcwd()); from twincli.cli.main import entry; entry()"
    run = subprocess.run(
        # As the script on the path starts: without the working directory among sys.path.
        [sys.executable, "-P", "-c", program, *words],
        cwd=gone,
        env={"TWIN_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in run.stderr
    assert "bug" not in run.stderr
    if "h" in words:
        assert run.returncode == 9
        assert "the working directory no longer exists" in run.stderr


def test_an_error_is_one_line(invoke: Invoke, handled: Callable[[Handler], None]) -> None:
    error = InvalidError("bad\ntwin: error: forged\u202e\u200b", hint="x\ny")
    handled(failing(error))
    assert invoke(*APPEND).stderr == (
        "twin: error: bad\\ntwin: error: forged\\u202e\\u200b\ntwin: hint: x\\ny\n"
    )


# ------------------------------------------------------------ the end


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["config", "path"], ["x"]])
def test_leaving_at_once_loses_nothing(words: list[str], home: Path) -> None:
    def run(*before: str) -> subprocess.CompletedProcess[bytes]:
        program = ";".join((*before, "from twincli.cli.main import entry", "entry()"))
        environment = {"TWIN_HOME": str(home)}
        command = [sys.executable, "-c", program, *words]
        return subprocess.run(command, env=environment, capture_output=True, check=False)

    quick = run()
    assert quick.returncode == (2 if words == ["x"] else 0)
    assert quick.stdout or quick.stderr
    # Exit handlers, debuggers and coverage still see the end.
    usual = run("import atexit", "atexit.register(print, 'the end')")
    assert usual.stdout == quick.stdout + b"the end\n"
    assert (usual.returncode, usual.stderr) == (quick.returncode, quick.stderr)


@pytest.mark.parametrize("watched", ["sys.settrace", "sys.setprofile"])
def test_what_watches_a_run_sees_its_end(watched: str, home: Path) -> None:
    program = (
        f"import sys; {watched}(lambda *_: None)\nfrom twincli.cli.main import entry\n"
        "try:\n    entry()\nexcept SystemExit as end:\n    print('status', end.code)"
    )
    command = [sys.executable, "-c", program, "--version"]
    environment = {"TWIN_HOME": str(home)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines()[1:] == ["status 0"]


def test_what_was_opened_is_closed_whatever_happens(
    invoke: Invoke, handled: Callable[[Handler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    def handler(context: Context, parsed: Parsed) -> Result:
        context.at_end(lambda: closed.append(parsed.name))
        if parsed.name == "bad":
            raise TwinError("no")
        return Result({"schema": "s/1", "seen": len(closed)})

    handled(handler)
    assert invoke("asset", "append", "bad", "--a", "1").status == 1
    assert closed == ["bad"]
    assert invoke("asset", "append", "car", "--a", "1").stdout == "seen\t1\n"
    assert closed == ["bad", "car"]

    real = Context.close

    def close(self: Context) -> None:
        closed.append("typer")
        real(self)

    monkeypatch.setattr(Context, "close", close)
    invoke("config", "path")
    invoke("config", "get", "zzz")
    assert closed[2:] == ["typer", "typer"]


@pytest.mark.parametrize("words", [["help", "data"], ["--help"], ["config", "show"], ["--version"]])
@pytest.mark.parametrize("target", ["closed", "full"])
def test_lost_stdout_of_a_real_process(words: list[str], target: str, home: Path) -> None:
    command = [sys.executable, "-m", "twincli", *words]
    if target == "full":
        if not os.path.exists("/dev/full"):  # pragma: no cover
            pytest.skip("this system has no /dev/full")
        with open("/dev/full", "wb") as full:
            run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
        assert run.returncode == 1
        assert b"Traceback" not in run.stderr
        assert run.stderr.startswith(b"twin: error: the output cannot be written: no space left")
        return
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (run.returncode, run.stderr) == (0, b"")
    assert not home.exists()


def test_the_locale_of_cron_is_no_obstacle(home: Path) -> None:
    environment = {"TWIN_HOME": str(home / "gr\u00fcn"), "LC_ALL": "POSIX", "PYTHONUTF8": "0"}
    environment["PYTHONCOERCECLOCALE"] = "0"
    command = [sys.executable, "-m", "twincli", "config", "path", "--get", "home"]
    run = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(home).encode())


# ------------------------------------------------------------ fuzz

KNOWN = (
    ["config", "path", "get", "set", "help", "completion", "bash", "data", "exit-codes", "node"]
    + ["asset", "append", "create", "transfer", "did", "new", "car", "assets", "add", "rm", "ls"]
    + ["--help", "--version", "--", "-", "-h", "--x", "--x=1", "-74.0060", "", "{", "--=", "\udcff"]
    + [f"--{option.name}" for option in options_of(COMMANDS["asset", "create"])]
)
STATUSES = {int(code) for code in ExitCode} - {ExitCode.FAILURE, ExitCode.INTERRUPTED}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    first=st.sampled_from(
        ["config", "asset", "did", "help", "completion", "--json", "--quiet", "x"]
    ),
    words=st.lists(st.sampled_from(KNOWN) | st.text(max_size=5), max_size=7),
    tty=st.booleans(),
)
def test_any_command_line_ends_in_a_status_and_never_in_a_traceback(
    first: str,
    words: list[str],
    tty: bool,
    invoke: Invoke,
    handled: Callable[[Handler], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handled(echo)
    # Commands that change or read more than the command line are out of scope here.
    monkeypatch.setattr(typer_frame, "built", _only_ours)
    with monkeypatch.context() as patch:
        patch.setenv("TWIN_HOME", "/nonexistent/twin")
        run = invoke(first, *words, stdin="{}", tty=tty)
    assert run.status in STATUSES
    assert "Traceback" not in run.stderr
    if run.status not in {0, 3, 10, 11}:
        assert run.stdout == ""
        if {"--json", "--jsonl"} & set(_before_dashes([first, *words])):
            assert set(json.loads(run.stderr)) == {"error"}
        else:
            assert run.stderr.startswith("twin: error: ")


def _before_dashes(words: list[str]) -> list[str]:
    return words[: words.index("--")] if "--" in words else words


_OURS = {
    "twincli.cli.commands.home.config",
    "twincli.cli.commands.home.help",
    "twincli.cli.commands.home.completion",
}
_real = typer_frame.built


def _only_ours(module: str) -> Any:
    if module in _OURS:
        return _real(module)
    noun = next((noun for noun, entry in table.NOUNS.items() if entry[0] == module), None)
    app = typer_frame.bare() if noun is None else typer_frame.group(noun)
    for verb in ("list", "remove"):
        typer_frame.command(app, verb)(_anything)
        if noun is None:
            break
    return typer.main.get_command(app)


def _anything(_context: Context) -> Result:
    return Result({"schema": "s/1"})


def test_the_boundary_needs_no_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    main._forget_stdout()


@pytest.mark.parametrize(("verb", "named"), [("append", True), ("transfer", False)])
def test_help_names_appends_from_stdin_where_they_work(
    verb: str, named: bool, invoke: Invoke
) -> None:
    assert ("--jsonl -," in invoke("asset", verb, "--help").stdout) is named
