"""The unit of systemd and the Dockerfile call ``twin`` as it is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Invoke
from tests.plugins.tools import require_tool

DOCS = Path(__file__).parents[2] / "docs"
UNIT, DOCKERFILE = "twin-node.service", "Dockerfile"


def commands(name: str) -> list[list[str]]:
    """Return the command lines of a file, without the program."""
    text = (DOCS / name).read_text()
    if name == UNIT:
        return [line.split()[1:] for line in re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)]
    entry, more = (
        json.loads(found) for found in re.findall(r"(?:ENTRYPOINT|CMD) (\[\"(?:twin|--).+\])", text)
    )
    assert entry[0] == "twin"
    return [entry[1:], [*entry[1:], *more]]


@pytest.mark.parametrize("name", [UNIT, DOCKERFILE])
def test_every_option_that_it_names_is_one(name: str, invoke: Invoke) -> None:
    called = commands(name)
    assert called
    assert all(words[:2] == ["node", "start"] for words in called)
    said = (DOCS / name).read_text()
    wanted = set(re.findall(r"--(?:host|port|open|t[a-z-]+)\b", said)) - {"--time"}
    wanted |= {word for words in called for word in words if word.startswith("--")}
    known = set(re.findall(r"--[a-z-]+", invoke("node", "start", "--help").stdout))
    assert wanted <= known


@pytest.mark.parametrize("name", [UNIT, DOCKERFILE])
def test_what_it_starts_would_start(name: str, invoke: Invoke, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("0123456789abcdef0123456789abcdef\n")
    tokens.chmod(0o600)
    words = [str(tokens) if word == "/run/tokens" else word for word in commands(name)[-1]]
    run = invoke(*words, "--dry-run", "--port", "0", "--json")
    assert (run.status, run.json["schema"]) == (0, "twin.node/1")


@pytest.mark.ci
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    analyze = require_tool("systemd-analyze")
    unit = tmp_path / UNIT
    unit.write_text((DOCS / UNIT).read_text().replace("/usr/local/bin/twin", sys.executable))
    run = subprocess.run(
        [analyze, "verify", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (run.returncode, run.stderr) == (0, "")
