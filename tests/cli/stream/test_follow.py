"""``twin stream follow``: a device that is asked again and again, or that sends lines."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke
from twincli.cli import stopping
from twincli.cli.commands.stream import sources
from twincli.content.spool import Spool
from twincli.errors import ConflictError, UsageError
from twincli.model import reading
from twincli.model.inline import Inline

SCRIPT = """#!/bin/sh
n=$(cat {n} 2>/dev/null || echo 0); n=$((n + 1)); echo $n >{n}.new; mv {n}.new {n}
echo "{{\\"value\\": $n, \\"timestamp\\": $((1705741200000 + n * 30000))}}"
"""


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    run("asset", "create", "car")
    return run


def test_lines_from_stdin(twin: Twin, invoke: Invoke) -> None:
    lines = "".join(json.dumps({"timestamp": 1_700_000_000 + n, "v": n}) + "\n" for n in range(23))
    run = invoke("stream", "follow", "car", "heat", "-", "--flush", "10", stdin=lines + "bad\n")
    assert run.status == 0
    assert "reading 24 is left out" in run.stderr
    shown = twin("stream", "show", "car", "heat")
    assert (shown["readings"], shown["anchors"]) == (23, 3)
    quiet = invoke("stream", "follow", "car", "heat", "-", "--quiet", stdin="bad\n")
    assert "reading 1 is left out" in quiet.stderr  # what is lost is not chatter
    again = twin("stream", "follow", "car", "heat", "-", stdin=lines)
    assert (again["count"], again["existing"]) == (0, 23)


@pytest.mark.parametrize(
    "kills",
    [pytest.param(50, marks=pytest.mark.ci), pytest.param(1000, marks=pytest.mark.nightly)],
)
def test_killed_again_and_again(twin: Twin, home: Path, tmp_path: Path, kills: int) -> None:
    counter, script = tmp_path / "n", tmp_path / "ask.sh"
    script.write_text(SCRIPT.format(n=counter))
    script.chmod(0o755)
    words = [sys.executable, "-m", "twincli", "stream", "follow", "car", "heat"]
    words += ["--exec", str(script), "--every", "20ms", "--flush", "5", "--home", str(home)]
    dice = random.Random(12)
    for number in range(kills + 1):
        before = int(counter.read_text()) if counter.exists() else 0
        wanted = dice.randrange(1, 12)
        running = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for _ in range(600):
            if counter.exists() and int(counter.read_text() or 0) >= before + wanted:
                break
            time.sleep(0.02)
        time.sleep(dice.uniform(0, 0.03))
        running.send_signal(signal.SIGKILL if number < kills else signal.SIGTERM)
        _, stderr = running.communicate(timeout=30)
    assert running.returncode == 0, stderr
    last = int(counter.read_text())
    readings = twin("stream", "show", "car", "heat")["readings"]
    assert last - kills <= readings <= last
    assert not [path for path in (home / "streams").glob("*.spool") if path.stat().st_size]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-", "--exec", "true"),
        ("file.jsonl",),
        ("--exec", "true", "--every", "soon"),
        ("--exec", "true", "--flush", "0"),
        ("--exec", "true", "--flush", "5,5"),
        ("--exec", "true", "--flush", "1m,5m"),
        ("-", "--dry-run"),
        ("-", "--on-invalid", "skip"),
        ("-", "--once", "t"),
    ],
)
@pytest.mark.usefixtures("twin")
def test_usage(invoke: Invoke, words: tuple[str, ...]) -> None:
    assert invoke("stream", "follow", "car", "heat", *words).status == 2


def test_the_spool(tmp_path: Path) -> None:
    items = [Inline(reading.parse({"timestamp": 1, "value": n, "seq": n})) for n in range(3)]
    with Spool(str(tmp_path / "s"), "a") as spool:
        for item in items:
            spool.add(item)
        with pytest.raises(ConflictError):
            Spool(str(tmp_path / "s"), "a")
    with open(tmp_path / "s" / "a.spool", "ab") as file:
        file.write(b"nonsense\n" + b'{"readings": [{"torn')
    with Spool(str(tmp_path / "s"), "a") as spool:
        assert spool.read() == items
        spool.add(items[0])
        assert spool.read() == [*items, items[0]]
        spool.clear()
        assert spool.read() == []
    assert os.path.getsize(tmp_path / "s" / "a.spool") == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noted_unless_it_is_ignored(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    try:
        for usual, is_noted in ((signal.SIG_DFL, True), (signal.SIG_IGN, False)):
            signal.signal(number, usual)
            with stopping.noted() as stopped:
                signal.raise_signal(number)
                assert stopped.is_set() is is_noted
            assert signal.getsignal(number) == usual
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("1.5m", 90.0), ("366d", 31_622_400.0), ("0s", None), ("367d", None)],
)
def test_spans(text: str, seconds: float | None) -> None:
    if seconds is not None:
        assert sources.seconds("every", text) == seconds
        return
    with pytest.raises(UsageError, match="--every: "):
        sources.seconds("every", text)
