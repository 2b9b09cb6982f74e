"""``twin watch``: lines for people, JSON Lines in a pipe, tokens, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    run("asset", "create", "car", "--owner", "alice")
    return run


def told(twin: Twin) -> list[str]:
    """Do something of each kind; return the transactions."""
    pushed = twin("stream", "push", "car", "gps", "--lat", "40.7", "--lng", "-74.0")
    made = [pushed["stream_id"] if "stream_id" in pushed else pushed["asset_id"]]
    made.append(pushed["transaction_id"])
    made.append(twin("asset", "append", "car", "--mileage", "12")["transaction_id"])
    return made


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines_in_a_pipe_and_tokens(twin: Twin, invoke: Invoke) -> None:
    begin = twin("asset", "show", "car")["id"]
    made = told(twin)
    words = ("watch", "car", "--timeout", "0.1")
    run = invoke(*words, "--resume", begin)
    found = lines(run.stdout)
    assert run.status == 0
    assert [item["resume"] for item in found] == made
    assert {item["schema"] for item in found} == {"twin.watch-item/1"}
    assert found[1]["readings"][0]["data"] == {"latitude": 40.7, "longitude": -74.0}
    assert found[2]["changes"] == {"mileage": 12}
    assert f"watching car after {begin}" in run.stderr
    assert invoke(*words, "--resume", begin, "--jsonl").stdout == run.stdout
    assert lines(invoke(*words, "--resume", made[0]).stdout) == found[1:]
    only = invoke(*words, "--resume", begin, "--stream", "gps", "--limit", "2")
    assert (only.status, lines(only.stdout)) == (0, found[:2])
    few = invoke(*words, "--resume", begin, "--limit", "9", "--quiet")
    assert (few.status, few.stderr, lines(few.stdout)) == (10, "", found)


def test_one_document_needs_an_end(twin: Twin, invoke: Invoke) -> None:
    begin = twin("asset", "show", "car")["id"]
    made = told(twin)
    words = ("watch", "car", "--resume", begin)
    assert invoke(*words, "--json").status == 2
    document = twin(*words, "--limit", "2")
    assert document["schema"] == "twin.watch/1"
    assert document["started_after"] == begin
    assert [item["resume"] for item in document["events"]] == made[:2]
    got = invoke(*words, "--limit", "3", "--get", "events.-1.resume")
    assert got.stdout == f"{made[2]}\n"
    assert twin("watch", "car", "--timeout", "0.1")["events"] == []


def test_lines_for_people(twin: Twin, invoke: Invoke) -> None:
    begin = twin("asset", "show", "car")["id"]
    told(twin)
    rows = "".join(
        f'{{"timestamp": "2024-01-01T00:00:0{at}Z", "value": {at}, "note": "a\\u001b[2J"}}\n'
        for at in range(3)
    )
    twin("stream", "push", "car", "gauge", "-", stdin=rows)
    shown = invoke("watch", "car", "--resume", begin, "--timeout", "0.1", tty=True).stdout
    found = shown.splitlines()
    assert "gps  created  by alice" in found[0]
    assert "gps  latitude 40.7, longitude -74.0  by alice" in found[1]
    assert "car  append mileage 12  by alice" in found[2]
    assert "\x1b[2J" not in shown
    assert len(found) >= 5


def test_what_is_refused(twin: Twin, invoke: Invoke) -> None:
    told(twin)
    for words, status in (
        (("nothing",), 4),
        (("car", "--stream", "gsp"), 4),
        (("car", "--resume", "f" * 64), 4),
        (("car", "--resume", "x"), 4),
        (("car", "--limit", "0"), 2),
        (("car", "--timeout", "0"), 2),
        ((), 2),
    ):
        run = invoke("watch", *words, "--jsonl")
        assert (run.status, run.stdout) == (status, ""), words
        assert run.error["hint"] or words[-1:] == ("0",)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_how_to_go_on(twin: Twin, home: Path, number: signal.Signals) -> None:
    begin = twin("asset", "show", "car")["id"]
    made = told(twin)
    with subprocess.Popen(
        [sys.executable, "-m", "twincli", "watch", "car", "--resume", begin],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TWIN_HOME": str(home)},
        # A shell has what it starts in the background ignore an interruption.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        assert process.stdout is not None
        try:
            seen = [json.loads(process.stdout.readline())["resume"] for _ in made]
            process.send_signal(number)
            rest, complaint = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, rest, seen) == (130, "", made)
    assert f"twin watch car --resume {made[-1]}" in complaint


def test_over_a_node_while_others_write(twin: Twin, invoke: Invoke, real_node: str) -> None:
    twin("node", "add", "shop", real_node)
    name = f"lorry{os.getpid()}"
    begin = twin("asset", "create", name, "--node", "shop")["transaction_id"]
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "twincli", "watch", name, "--node", "shop"),
            *("--resume", begin, "--limit", "3", "--timeout", "60"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as process:
        assert process.stdout is not None
        made = [twin("asset", "append", name, "--mileage", "1", "--node", "shop")["transaction_id"]]
        seen = [json.loads(process.stdout.readline())]
        twin("stream", "push", name, "gps", "--value", "1", "--node", "shop")
        rest, _ = process.communicate(timeout=60)
    seen += lines(rest)
    assert process.returncode == 0
    assert seen[0]["resume"] == made[0]
    assert [item["stream"] for item in seen] == [None, "gps", "gps"]
    again = invoke("watch", name, "--node", "shop", "--resume", made[0], "--limit", "2")
    assert lines(again.stdout) == seen[1:]
