"""Apache Spark, from PyPI and Maven Central, reads a table of ours as docs/guide/lake.md shows.

Fetching it takes minutes, so this runs in CI only (``pytest -m ci``).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract import test_docs
from tests.plugins.tools import require_tool

pytestmark = pytest.mark.ci

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "lake.md"

RUN = r"""
import doctest, re, sys

class Checker(doctest.OutputChecker):
    def check_output(self, want, got, flags):
        hidden = [re.sub(r"[0-9a-f]{9,}\.\.\.|[0-9a-f]{64}", "<id>", text) for text in (want, got)]
        return super().check_output(*hidden, flags)

text = open(sys.argv[1], encoding="utf-8").read()
test = doctest.DocTestParser().get_doctest(text, {}, "lake", sys.argv[1], 0)
runner = doctest.DocTestRunner(Checker(), verbose=False)
runner.run(test)
print(runner.summarize())
sys.exit(runner.failures or runner.tries < 8)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python that has Spark, as the page says to install it."""
    uv, place = require_tool("uv"), tmp_path_factory.mktemp("spark")
    (pip,) = re.findall(r"pip install ('pyspark.*)\n```", PAGE.read_text(encoding="utf-8"))
    made = place / "bin" / "python"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, place], check=True)
    packages = [package.strip("'") for package in pip.split()]
    subprocess.run([uv, "pip", "install", "-q", "--python", made, *packages], check=True)
    return made


def test_the_guide_in_spark(python: Path, tmp_path: Path) -> None:
    java = require_tool("java")
    text = PAGE.read_text(encoding="utf-8")
    test_docs.run([command for command, _ in test_docs.transcript(text)], tmp_path)
    program = tmp_path / "page.txt"
    program.write_text("\n".join(test_docs.blocks(text, "pycon")))
    done = subprocess.run(
        [python, "-c", RUN, program],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{tmp_path / 'bin'}:{Path(java).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(PAGE.parents[2]),
            "TWIN_HOME": str(tmp_path / "home"),
            "PYSPARK_SUBMIT_ARGS": (
                "--driver-memory 1g --conf spark.ui.enabled=false"
                " --conf spark.databricks.delta.snapshotPartitions=1"
                " --conf spark.sql.shuffle.partitions=1 pyspark-shell"
            ),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
