"""Whatever stops a write, and whoever writes at once: nothing is lost, nothing is stored twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke

START = 1_704_067_200

FULL = """
import errno, os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
most = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
from twincli.cli import main
sys.exit(main.main(sys.argv[2:]))
"""
"""A disk on which no file grows beyond a size."""

BROKEN = """
import errno, os, sys
left = [int(sys.argv[1])]
def failing(name):
    real = getattr(os, name)
    def call(*words, **more):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*words, **more)
    setattr(os, name, call)
for name in ("write", "fsync", "fdatasync", "link", "rename", "replace", "ftruncate", "syncfs"):
    if hasattr(os, name):
        failing(name)
from twincli.cli import main
sys.exit(main.main(sys.argv[2:]))
"""
"""A disk that is full from the n-th write on."""


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    run("asset", "create", "car")
    return run


def table(path: Path, begin: int, count: int) -> Path:
    rows = [f"{START + at},{at / 2},on" for at in range(begin, begin + count)]
    path.write_text("\n".join(["timestamp,value,status", *rows]) + "\n")
    return path


def lines(begin: int, count: int) -> str:
    return "".join(
        json.dumps({"timestamp": START + at, "value": at / 2, "status": "on"}) + "\n"
        for at in range(begin, begin + count)
    )


def whole(twin: Twin, stream: str, count: int) -> None:
    """Check that a stream has all readings, each once."""
    shown = twin("stream", "show", "car", stream)
    assert (shown["readings"], shown["values"]) == (count, 2 * count)
    assert (shown["malformed"], shown["chunks_unread"]) == (0, 0)
    rows = twin("query", "car", "--stream", stream, "--fields", "value")["rows"]
    assert [row["value"] for row in rows] == [at / 2 for at in range(count)]


def ran(program: str, home: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *words, "--home", str(home), "--json"],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def fails_well(done: subprocess.CompletedProcess[str]) -> None:
    """Check that an error is one that was thought of."""
    if done.returncode:
        error = json.loads(done.stderr.splitlines()[-1])["error"]
        assert done.returncode == 9, done.stderr
        assert error["code"] in {"disk_full", "cannot_write", "disk_error"}, error


@pytest.mark.parametrize(
    "sizes",
    [
        (4096, 20_000, 100_000),
        pytest.param(tuple(range(1000, 400_000, 20_000)), marks=pytest.mark.ci),
    ],
)
def test_files_that_cannot_grow(
    twin: Twin, home: Path, tmp_path: Path, sizes: tuple[int, ...]
) -> None:
    path = str(table(tmp_path / "a.csv", 0, 3000))
    for size in sizes:
        fails_well(ran(FULL, home, str(size), "stream", "import", "car", "heat", path))
        fails_well(
            ran(FULL, home, str(size), "stream", "push", "car", "few", "-", stdin=lines(0, 20))
        )
        fails_well(
            ran(FULL, home, str(size), "stream", "follow", "car", "seen", "-", stdin=lines(0, 20))
        )
    twin("stream", "import", "car", "heat", path)
    twin("stream", "push", "car", "few", "-", stdin=lines(0, 20))
    twin("stream", "follow", "car", "seen", "-", stdin=lines(0, 20))
    for stream, count in (("heat", 3000), ("few", 20), ("seen", 20)):
        whole(twin, stream, count)


@pytest.mark.parametrize(
    "count",
    [6, pytest.param(50, marks=pytest.mark.ci), pytest.param(400, marks=pytest.mark.nightly)],
)
def test_a_disk_that_is_full_anywhere(twin: Twin, home: Path, tmp_path: Path, count: int) -> None:
    """Also between the chunk and its anchor."""
    path = str(table(tmp_path / "a.csv", 0, 1000))
    dice = random.Random(3)
    for number in range(count):
        words = ("stream", "import", "car", f"s{number % 5}", path)
        fails_well(ran(BROKEN, home, str(dice.randrange(60)), *words))
    for number in range(min(count, 5)):
        twin("stream", "import", "car", f"s{number}", path)
        whole(twin, f"s{number}", 1000)


def started(home: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "twincli", "stream", *words, "--home", str(home), "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_importers_at_once(twin: Twin, home: Path, tmp_path: Path) -> None:
    first = str(table(tmp_path / "a.csv", 0, 2000))
    second = str(table(tmp_path / "b.csv", 1000, 2000))
    running = [
        started(home, "import", "car", "heat", path) for path in (first, second, first, second)
    ]
    made = []
    for process in running:
        stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
        made.append(json.loads(stdout))
    assert sum(each["count"] for each in made) == 3000
    assert all(each["count"] + each["existing"] == 2000 for each in made)
    whole(twin, "heat", 3000)


def test_two_followers_at_once(twin: Twin, home: Path) -> None:
    """One process has a stream; the other says so, and may try again."""
    first = started(home, "follow", "car", "heat", "-", "--flush", "5")
    assert first.stdin is not None
    first.stdin.write(lines(0, 12))
    first.stdin.flush()
    shown: dict[str, Any] = {"readings": 0}
    for _ in range(300):
        if twin("stream", "list", "car")["streams"]:
            shown = twin("stream", "show", "car", "heat")
            if shown["readings"] >= 10:
                break
    second = started(home, "follow", "car", "heat", "-")
    _, stderr = second.communicate(lines(12, 12), timeout=60)
    error = json.loads(stderr.splitlines()[-1])["error"]
    assert (second.returncode, error["code"], error["retryable"]) == (5, "busy", True)
    # Meanwhile anybody may push.
    twin("stream", "push", "car", "heat", "-", stdin=lines(0, 24))
    _, stderr = first.communicate(timeout=60)
    assert first.returncode == 0, stderr
    twin("stream", "follow", "car", "heat", "-", stdin=lines(12, 12))
    whole(twin, "heat", 24)


def test_a_follower_goes_on_after_its_stream_was_taken_up(twin: Twin, invoke: Invoke) -> None:
    twin("stream", "follow", "car", "heat", "-", stdin=lines(0, 5))
    twin("stream", "create", "car", "heat", "--continues", "heat")
    twin("stream", "follow", "car", "heat", "-", stdin=lines(5, 5))
    whole(twin, "heat", 10)
    assert len(twin("stream", "list", "car")["streams"]) == 2
    assert invoke("stream", "create", "car", "heat").status == 5
