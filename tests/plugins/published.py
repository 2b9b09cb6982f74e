"""BigchainDB 2.2.2 from PyPI, in an environment of its own, to compare verdicts with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

PROGRAM = Path(__file__).parents[1] / "interop" / "bigchaindb_server.py"

# What its metadata pins and no longer builds, newer; what only a network needs, not at all.
# pyasn1 stays below 0.6, which reads fewer encodings than those of the server's time.
OVERRIDES = """\
aiohttp; python_version < '3'
bigchaindb-abci; python_version < '3'
flask; python_version < '3'
flask-cors; python_version < '3'
flask-restful; python_version < '3'
gunicorn; python_version < '3'
logstats; python_version < '3'
cryptography>=42
pyasn1<0.6
pymongo>=4
pynacl>=1.5
python-rapidjson>=1.20
pyyaml>=6
requests>=2.31
setproctitle>=1.3
"""
BUILD = "setuptools<81\n"  # the last with pkg_resources, which its setup.py and config_utils import


class NotInstalledError(Exception):
    """The server's package, or one that it needs, could not be installed."""


class Answer(NamedTuple):
    """What the server said.

    Attributes:
        verdicts: For each text None, or the class of what was raised and whether it crashed.
        seconds: What judging took.
    """

    verdicts: list[tuple[str, bool] | None]
    seconds: float


class Published:
    """The server's validation in a process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def judge(self, before: Sequence[Any], texts: Sequence[str], *, warm: bool = False) -> Answer:
        """Return its verdicts.

        Args:
            before: Transactions that are committed first.
            texts: Bodies to be judged, each alone.
            warm: Let it remember what it parsed, as it does when it runs for long.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        bodies = [json.dumps(tx) for tx in before]
        asked = json.dumps({"before": bodies, "texts": list(texts), "warm": warm})
        self._process.stdin.write(f"{asked}\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        verdicts = [each and (each[0], each[1]) for each in answer["verdicts"]]
        return Answer(verdicts, answer["seconds"])


def install(uv: str, place: Path) -> str:
    """Make an environment with the server's package in ``place``; return its Python.

    Raises:
        NotInstalledError: With what the installer said.
    """
    overrides, build, venv = place / "overrides.txt", place / "build.txt", place / "venv"
    overrides.write_text(OVERRIDES)
    build.write_text(BUILD)
    python = str(venv / "bin" / "python")
    packages = ["bigchaindb==2.2.2", BUILD.strip()]
    limits = ["--overrides", str(overrides), "--build-constraints", str(build)]
    for command in (
        [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, str(venv)],
        [uv, "pip", "install", "--quiet", "--python", python, *limits, *packages],
    ):
        done = subprocess.run(
            command, cwd=place, capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode:
            raise NotInstalledError(
                f"bigchaindb 2.2.2 cannot be installed here: {done.stderr.strip()}"
            )
    return python


@contextmanager
def started(python: str) -> Iterator[Published]:
    """Run the server's validation until the block ends."""
    with subprocess.Popen(
        [python, "-W", "ignore", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Published(process)
