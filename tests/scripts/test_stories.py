"""The stories: shell scripts over whole commands, on a ledger of their own and over a node.

A story is a file of ``stories/``, run as it is. What needs a part that is not built yet is named
here, and has to leave the list when it passes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STORIES = Path(__file__).parent / "stories"
TOOLS = ("bash", "jq")

PART: dict[str, tuple[str, ...]] = {}
"""Of these stories the commands that need more than there is are left out, found by a pattern."""

LATER: dict[str, int] = {
    "automation": 15,
}
"""Stories that do not pass yet, and the issue that each waits for."""


def commands(text: str) -> list[str]:
    """Return a script's commands, those of several lines in one piece."""
    lines = iter(text.splitlines(keepends=True))
    found = []
    for line in lines:
        whole = line
        while whole.endswith("\\\n"):
            whole += next(lines)
        found.append(whole)
    return found


def without(text: str, patterns: tuple[str, ...]) -> str:
    """Return a script without the commands in which one of the patterns is found."""
    for pattern in patterns:
        assert re.search(pattern, text), f"{pattern!r} is in no command any more"
    return "".join(
        command
        for command in commands(text)
        if command.startswith("#") or not any(re.search(pattern, command) for pattern in patterns)
    )


@pytest.fixture
def tools() -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    assert not missing


class Stage:
    """Where stories are run.

    Args:
        directory: Holds the scripts and ``twin``.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        place = directory / "bin"
        place.mkdir()
        twin = place / "twin"
        twin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m twincli "$@"\n')
        twin.chmod(0o755)
        shutil.copy(STORIES / "lib.sh", directory)

    def run(
        self, name: str, text: str, node: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a story, over a node if there is one."""
        (self.directory / f"{name}.sh").write_text(text)
        environment = {
            "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.directory),
            "TMPDIR": str(self.directory),
        }
        if node is not None:
            environment["STORY_NODE"] = node
        return subprocess.run(
            ["bash", str(self.directory / f"{name}.sh")],
            env=environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


@pytest.fixture
def stage(tools: None, tmp_path: Path) -> Stage:  # noqa: ARG001
    directory = tmp_path / "stage"
    directory.mkdir()
    return Stage(directory)


def named() -> list[str]:
    return sorted(path.stem for path in STORIES.glob("*.sh") if path.stem != "lib")


@pytest.mark.ci
@pytest.mark.parametrize(
    ("name", "over_node"),
    [
        pytest.param(name, over_node, id=f"{name}-{'node' if over_node else 'local'}")
        for name in named()
        for over_node in (False, True)
        if name not in LATER
    ],
)
def test_story(name: str, over_node: bool, stage: Stage, request: pytest.FixtureRequest) -> None:
    node = request.getfixturevalue("real_node") if over_node else None
    text = without((STORIES / f"{name}.sh").read_text(), PART.get(name, ()))
    run = stage.run(name, text, node)
    # Writes print rows to a pipe before it.
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.splitlines()[-1] == f"{name}: ok"


@pytest.mark.ci
@pytest.mark.parametrize("name", sorted(PART.keys() | LATER.keys()))
def test_what_passes_leaves_the_list(name: str, stage: Stage) -> None:
    run = stage.run(name, (STORIES / f"{name}.sh").read_text())
    assert run.returncode != 0, f"{name} passes: take it out of PART or LATER"


def test_every_story_is_there() -> None:
    assert LATER.keys() | PART.keys() <= set(named())
    assert not LATER.keys() & PART.keys()


def test_cutting() -> None:
    text = "a\nb 'x' \\\n  | c\n# c is left out\nd\n"
    assert without(text, ("c",)) == "a\n# c is left out\nd\n"
    with pytest.raises(AssertionError):
        without(text, ("x is not there",))
