"""README and docs are checked, not remembered: transcripts are run, tables compared."""

from __future__ import annotations

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.tools import require_tool
from twincli import config
from twincli.cli.commands.home.help import EXIT_CODES
from twincli.errors import ExitCode

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
KEYS = (ROOT / "docs" / "keys.md").read_text()

END = "@@end-of-command@@"
PORT = "29984"
"""Of the node in the transcripts; another one, that is free, takes its place."""

# What differs from one run to the next, in the order of replacing.
CHANGING = (
    (r"did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}", "<did:key>"),
    (r"did:bdb:[0-9a-f]{16}:[0-9a-f]{64}", "<did:bdb>"),
    (r"\b[0-9a-f]{64}\b", "<id>"),
    (r"\b[1-9A-HJ-NP-Za-km-z]{43,44}\b", "<key>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def normal(text: str) -> str:
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text)
    return text.strip("\n")


def transcript(text: str) -> list[tuple[str, str]]:
    """Return the commands of all transcripts with what they print."""
    found: list[tuple[str, str]] = []
    for block in blocks(text, "console"):
        lines = iter(block.splitlines())
        for line in lines:
            if line.startswith("$ "):
                command = line[2:]
                while command.endswith("\\"):
                    command += "\n" + next(lines)
                found.append((command, ""))
            else:
                command, printed = found[-1]
                found[-1] = (command, f"{printed}{line}\n")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def run(commands: list[str], directory: Path) -> list[str]:
    """Run commands in one shell, return what each printed to both streams."""
    port = str(free_port())
    commands = [command.replace(PORT, port) for command in commands]
    twin = directory / "bin" / "twin"
    twin.parent.mkdir()
    twin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m twincli "$@"\n')
    twin.chmod(0o755)
    script = "".join(
        f"{command}\nstatus=$?; echo '{END}'; (exit $status)\n" for command in commands
    )
    environment = {
        # The Python of the tests is the user's, too: the program of docs/keys.md needs PyNaCl.
        "PATH": f"{twin.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        "SOFTHSM2_CONF": str(directory / "softhsm2.conf"),
    }
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    printed = done.stdout.replace(port, PORT).split(END + "\n")
    assert printed.pop() == ""
    return printed


def compare(text: str, directory: Path) -> None:
    wanted = transcript(text)
    assert len(wanted) > 20
    printed = run([command for command, _ in wanted], directory)
    actual = [(command, normal(text)) for (command, _), text in zip(wanted, printed, strict=True)]
    assert actual == [(command, normal(text)) for command, text in wanted]


def test_the_transcripts_of_the_readme_are_what_happens(tmp_path: Path) -> None:
    require_tool("jq")
    compare(README, tmp_path)


def test_the_transcripts_about_keys_are_what_happens(tmp_path: Path) -> None:
    for tool in ("jq", "openssl", "ssh-keygen", "softhsm2-util"):
        require_tool(tool)
    if not Path("/usr/lib/softhsm/libsofthsm2.so").exists():
        require_tool("the module of SoftHSM where Debian puts it")
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tokens}\n")
    shutil.copy(ROOT / "docs" / "sign_command.py", tmp_path)
    compare(KEYS, tmp_path)


@pytest.mark.parametrize("number", range(len(blocks(README, "python"))))
def test_the_python_snippets_run(number: int, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    subprocess.run(
        [sys.executable, "-W", "error", "-c", blocks(README, "python")[number]],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        cwd=tmp_path,
        check=True,
    )


def test_there_are_python_snippets() -> None:
    assert len(blocks(README, "python")) == 2


def table(first: str) -> list[list[str]]:
    """Return the rows of the table whose header begins with a word."""
    found = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert found is not None
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in found[1].splitlines()]


def test_the_exit_codes() -> None:
    assert table("status") == [[str(code.value), code.name, EXIT_CODES[code]] for code in ExitCode]


def test_the_variables_and_settings() -> None:
    rows = table("variable")
    assert [(name.strip("`"), meaning) for name, _, meaning in rows] == list(config.ENVIRONMENT)
    named = {setting.strip("`"): name.strip("`") for name, setting, _ in rows if setting}
    assert named == {key: f"TWIN_{key.upper()}" for key in config.KEYS}


def test_the_strict_rules() -> None:
    """Every code of a ``Deviation`` in the rules is in the table, and no other."""
    codes = {
        call.args[0].value
        for path in sorted((ROOT / "twincli" / "rules").glob("*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "Deviation"
        and isinstance(call.args[0], ast.Constant)
    }
    assert len(codes) > 5
    assert [row[0].strip("`") for row in table("code")] == sorted(codes, key=_order)
    for code in ("overflow_error", "operation_unsupported"):
        assert f"`{code}`" in README


def _order(code: object) -> int:
    return README.index(f"| `{code}` |")


def test_the_two_commands_of_setting_up() -> None:
    assert "pip install uv && uv run twin demo\n" in README
    assert "pip install uv && uv run pytest\n" in README


def test_links_and_files_that_are_named_are_there() -> None:
    for name in ("docs/design.md", "CHANGELOG.md", "benchmarks/RESULTS.md", ".ci/run", "LICENSE"):
        assert name in README or name == "LICENSE"
        assert (ROOT / name).exists(), name
