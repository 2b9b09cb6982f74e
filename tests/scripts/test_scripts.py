r"""Whole runs as text: command, stdin, stdout, stderr and status of each, in one home a script.

A script is a file beside this one. Its lines::

    # a comment
    env NAME=VALUE         for the commands that follow
    @ FILE                 write a file in the working directory; its lines follow, each after '< '
    $ twin asset list      run a command; the words are split as a shell does
    < text                 a line of its stdin
    > text                 a line of stdout
    ! text                 a line of stderr
    ? 3                    its exit status, 0 when left out

Both streams have to be told whole. In what is expected ``<id>`` stands for 64 hex digits, ``<key>``
for a public key, ``<time>`` for a time, ``<text>`` for anything on that line. With a name,
``<id:car>``, a value is kept: it has to be the same wherever the name stands, and is put in where
the name stands in a command, in stdin or in a file. ``\t`` is a tabulator.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Invoke

SCRIPTS = sorted(Path(__file__).parent.glob("*.txt"))
SHAPES = {
    "id": r"[0-9a-f]{64}",
    "key": r"[1-9A-HJ-NP-Za-km-z]{43,44}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z",
    "text": r"[^\n]*",
    "hex16": r"[0-9a-f]{16}",
}
PLACEHOLDER = re.compile(rf"<({'|'.join(SHAPES)})(?::(\w+))?>")


class Step:
    """One command of a script, or one file to write (then ``words`` is empty)."""

    def __init__(self, line: int, text: str, *, file: str | None = None) -> None:
        self.line = line
        self.text = text
        self.file = file
        self.stdin: list[str] = []
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self.status = 0


def read(text: str) -> Iterator[Step | tuple[str, str]]:
    """Yield the steps of a script, and pairs of name and value for its environment."""
    step: Step | None = None
    for number, line in enumerate(text.splitlines(), 1):
        mark, _, rest = line.partition(" ")
        if mark in {"$", "@"}:
            if step is not None:
                yield step
            step = Step(number, rest, file=rest if mark == "@" else None)
        elif mark == "env":
            if step is not None:
                yield step
            step = None
            name, _, value = rest.partition("=")
            yield name, value
        elif line.strip() and not line.startswith("#"):
            assert step is not None, f"line {number} belongs to no command"
            if mark == "<":
                step.stdin.append(rest)
            elif mark == ">":
                step.stdout.append(rest)
            elif mark == "!":
                step.stderr.append(rest)
            elif mark == "?":
                step.status = int(rest)
            else:
                raise AssertionError(f"line {number} is not understood: {line}")
    if step is not None:
        yield step


def filled(text: str, known: dict[str, str]) -> str:
    """Return text with kept values in the place of their names."""
    return PLACEHOLDER.sub(lambda found: known.get(found[2] or "", found[0]), text)


def compare(expected: list[str], actual: str, known: dict[str, str], where: str) -> None:
    """Compare a stream line by line, and keep the values that are named."""
    lines = actual.split("\n")
    assert lines.pop() == "", f"{where}: the last line does not end"
    shown = "\n".join(lines)
    assert len(lines) == len(expected), f"{where}: other lines than expected:\n{shown}"
    for want, got in zip(expected, lines, strict=True):
        pattern = ""
        position = 0
        named: dict[str, str] = {}
        text = want.replace("\\t", "\t")
        for found in PLACEHOLDER.finditer(text):
            pattern += re.escape(text[position : found.start()])
            position = found.end()
            name = found[2]
            if name in known:
                pattern += re.escape(known[name])
            elif name in named:
                pattern += f"(?P={name})"
            elif name:
                named[name] = ""
                pattern += f"(?P<{name}>{SHAPES[found[1]]})"
            else:
                pattern += SHAPES[found[1]]
        matched = re.fullmatch(pattern + re.escape(text[position:]), got)
        assert matched, f"{where}:\nexpected {text!r}\n     got {got!r}"
        known.update(matched.groupdict())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(
    path: Path, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    known: dict[str, str] = {}
    count = 0
    for step in read(path.read_text()):
        if isinstance(step, tuple):
            monkeypatch.setenv(*step)
            continue
        where = f"{path.name}:{step.line}: {step.text}"
        stdin = "".join(filled(line, known) + "\n" for line in step.stdin)
        if step.file is not None:
            (work / step.file).write_text(stdin)
            continue
        program, *words = shlex.split(filled(step.text, known))
        assert program == "twin", where
        run = invoke(*words, stdin=stdin)
        told = f"{where}\n{run.stdout}{run.stderr}"
        assert run.status == step.status, told
        for name, expected, actual in (
            ("stdout", step.stdout, run.stdout),
            ("stderr", step.stderr, run.stderr),
        ):
            if expected or actual:
                compare(expected, actual, known, f"{where}: {name}")
        count += 1
    assert count > 3


def test_there_are_scripts() -> None:
    assert {path.stem for path in SCRIPTS} >= {"tutorial", "shares", "exit-codes"}


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        (["a <id>"], "a " + "0" * 64 + "\n", True),
        (["a <id>"], "a " + "0" * 63 + "\n", False),
        (["<id:x> <id:x>"], "0" * 64 + " " + "0" * 64 + "\n", True),
        (["<id:x> <id:x>"], "0" * 64 + " " + "1" * 64 + "\n", False),
        (["<id:x>", "<id:x>"], "0" * 64 + "\n" + "1" * 64 + "\n", False),
        (["a"], "a\nb\n", False),
        (["a"], "a", False),
        (["a.c"], "abc\n", False),
        (["a\\tb"], "a\tb\n", True),
        (["<time>"], "2024-01-20T09:00:00Z\n", True),
    ],
)
def test_comparing(expected: list[str], actual: str, same: bool) -> None:
    if same:
        compare(expected, actual, {}, "here")
        return
    with pytest.raises(AssertionError):
        compare(expected, actual, {}, "here")
