"""README and docs are checked, not remembered: transcripts run, tables are compared, links lead."""

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

from docs.tools import recording, reference, sources
from tests.plugins.tools import require_tool

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
}
"""Every page, by its name in the repository."""

END = "@@end-of-command@@"
PORT = "29984"
"""Of the node in the transcripts; another one, that is free, takes its place."""

TOOLS = ("curl", "jq", "openssl", "ssh-keygen", "softhsm2-util")
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"

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


def prose(text: str) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


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
        # The Python of the tests is the user's, too: docs/sign_command.py needs PyNaCl.
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


PLAIN = {"README.md", "docs/guide/tutorial.md"}
"""Pages whose transcripts run in a plain run too; the others take two minutes."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in PLAIN else pytest.mark.ci)
        for name, text in PAGES.items()
        if transcript(text)
    ],
)
def test_transcripts_are_what_happens(name: str, tmp_path: Path) -> None:
    wanted = transcript(PAGES[name])
    commands = [command for command, _ in wanted]
    for tool in TOOLS:
        if any(re.search(rf"\b{tool}\b", command) for command in commands):
            require_tool(tool)
    if any(SOFTHSM in command for command in commands) and not Path(SOFTHSM).exists():
        require_tool("the module of SoftHSM where Debian puts it")
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tokens}\n")
    shutil.copy(DOCS / "sign_command.py", tmp_path)
    printed = run(commands, tmp_path)
    actual = [(command, normal(text)) for (command, _), text in zip(wanted, printed, strict=True)]
    assert actual == [(command, normal(text)) for command, text in wanted]
    # Pictures that a transcript makes are those that the page shows.
    for picture in re.findall(r"\]\(\.\./pictures/([\w.-]+)\)", prose(PAGES[name])):
        made, shown = tmp_path / picture, DOCS / "pictures" / picture
        assert made.read_text(encoding="utf-8") == shown.read_text(encoding="utf-8"), picture


def test_there_are_transcripts() -> None:
    assert len([name for name, text in PAGES.items() if len(transcript(text)) > 5]) > 5


SNIPPETS = [(name, code) for name, text in PAGES.items() for code in blocks(text, "python")]


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_the_python_snippets_run(number: int, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    subprocess.run(
        [sys.executable, "-W", "error", "-c", SNIPPETS[number][1]],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        cwd=tmp_path,
        check=True,
    )


def test_there_are_python_snippets() -> None:
    assert {name for name, _ in SNIPPETS} == {"docs/guide/python.md"}
    assert len(SNIPPETS) == 2


def test_the_two_commands_of_setting_up() -> None:
    assert "pip install uv && uv run twin demo\n" in PAGES["README.md"]
    assert "pip install uv && uv run pytest\n" in PAGES["README.md"]


# --- Links and names of files -------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """Return the names that GitHub gives to the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(PAGES[name])):
        if re.match(r"https?://|mailto:", target):
            continue
        place, _, anchor = target.partition("#")
        path = (ROOT / name).parent / place if place else ROOT / name
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("name", [name for name in PAGES if name != "CHANGELOG.md"])
def test_files_of_the_source_that_are_named_exist(name: str) -> None:
    named = re.findall(r"`((?:twincli|tests|benchmarks)/[\w/.-]+)`", PAGES[name])
    named += [
        f"twincli/{short}"
        for short in re.findall(r"`([\w/]+/[\w]+\.py)`", PAGES[name])
        if not short.startswith(("twincli/", "tests/", "benchmarks/"))
    ]
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set[str](), ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose(PAGES[name])):
            place = os.path.normpath(Path(name).parent / target)
            if place in PAGES:
                waiting.append(place)
    assert reached == set(PAGES)


@pytest.mark.ci
def test_the_picture_shows_what_happens() -> None:
    shown = recording.comparable(recording.record().plain)
    assert shown == recording.comparable(recording.recorded()), f"run: {recording.COMMAND}"


# --- Tables that come from the source, or are compared with it ----------------------------------


def test_generated_pages_are_up_to_date() -> None:
    assert reference.stale() == [], f"run: {reference.COMMAND}"


def table(name: str, first: str) -> list[list[str]]:
    """Return the rows of the table of a page whose header begins with a word."""
    found = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGES[name], re.MULTILINE)
    assert found is not None
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in found[1].splitlines()]


def test_the_strict_rules() -> None:
    """Every code of a ``Deviation`` in the rules is in the table, and no other."""
    name = "docs/reference/strict-rules.md"
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
    listed = [row[0].strip("`") for row in table(name, "code")]
    assert (len(listed), set(listed)) == (len(codes), codes)
    for code in ("overflow_error", "operation_unsupported"):
        assert f"`{code}`" in PAGES[name]


def test_the_error_codes() -> None:
    """Every code in the source is in the catalogue with its exit statuses, and no other."""
    page = PAGES["docs/reference/errors.md"]
    rows = re.findall(r"^\| `(\w+)` \| ([\d, ]+) \| (.+) \| (.+) \|$", page, re.MULTILINE)
    listed = {code: {int(status) for status in exits.split(",")} for code, exits, _, _ in rows}
    codes = sources.codes()
    assert len(listed) == len(rows) > 100
    missing = {code: sorted(exits) for code, exits in codes.items() if code not in listed}
    assert missing == {}, "add these to docs/reference/errors.md"
    assert sorted(listed.keys() - codes.keys()) == [], "these are no longer in the source"
    assert listed == codes
    assert all(re.fullmatch(r"[a-z0-9_]+", code) for code in codes)


def test_every_message_is_found() -> None:
    found = {(kind, text) for kind, _, text in sources.messages()}
    assert ("error", "cannot {what} {path}: {why}") in found
    assert ("help", "Print one JSON object.") in found
    assert any(kind == "hint" and text.startswith("twin ") for kind, text in found)
