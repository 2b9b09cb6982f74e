"""Without the extra ``data``: what needs it says so, and nothing is half done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke

PROGRAM = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[1].split(","):
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
from twincli.cli import main
sys.exit(main.main(sys.argv[2:]))
"""


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    run("asset", "create", "car")
    run("stream", "push", "car", "heat", "--value", "1.5")
    run("stream", "push", "car", "bulk", "-", stdin=lines())
    return run


def lines() -> str:
    return "".join(
        json.dumps({"timestamp": 1_700_000_000 + n, "value": n}) + "\n" for n in range(150)
    )


@pytest.mark.parametrize("missing", ["numpy", "duckdb", "numpy,duckdb", "plotille,resvg_py"])
def test_what_needs_an_extra_says_so(twin: Twin, home: Path, tmp_path: Path, missing: str) -> None:
    (tmp_path / "a.csv").write_text("time,v\n2024-01-01T00:00:00Z,1\n")
    words: dict[str, tuple[str, ...]] = {
        "query": ("query", "car", "--stream", "bulk"),
        "sql": ("query", "car", "--sql", "select 1"),
        # Averages of minutes stand in the rollups, and need neither.
        "median": ("query", "car", "--stream", "bulk", "--every", "1m", "--agg", "median"),
        "plot": ("plot", "car", "--stream", "bulk"),
        "png": ("plot", "car", "--stream", "heat", "-o", str(tmp_path / "a.png")),
        "push": ("stream", "push", "car", "new", "-"),
        "follow": ("stream", "follow", "car", "bulk", "-"),
        "import": ("stream", "import", "car", "new", str(tmp_path / "a.csv")),
    }
    if missing == "plotille,resvg_py":
        words = {name: words[name] for name in ("plot", "png")}
    elif missing == "duckdb":
        del words["png"]  # numpy suffices for readings that stand in records
    for name, typed in words.items():
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, missing, *typed, "--home", str(home), "--json"],
            input=lines(),
            capture_output=True,
            text=True,
            check=False,
        )
        error = json.loads(done.stderr.splitlines()[-1])["error"]
        assert (done.returncode, error["code"], done.stdout) == (9, "missing_extra", ""), name
        assert 'pip install "twincli[data]"' in error["hint"]
    listed = twin("stream", "list", "car")["streams"]
    assert {item["stream"] for item in listed} == {"heat", "bulk"}
