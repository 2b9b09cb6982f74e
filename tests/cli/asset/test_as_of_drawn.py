"""``asset show --as-of`` at drawn times: what somebody gets who adds up the history by hand."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from tests.cli.stories import quietly
from tests.conftest import Invoke

_BASE_MS = 1_700_000_000_000


@pytest.mark.parametrize("count", [15, pytest.param(1000, marks=pytest.mark.nightly)])
def test_it_equals_the_replay(invoke: Invoke, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    dice = random.Random(11)
    clock = [_BASE_MS]
    monkeypatch.setattr(time, "time_ns", lambda: clock[0] * 1_000_000)
    twin = quietly(invoke)
    twin("keys", "new", "alice", "--no-passphrase")
    twin("asset", "create", "car", "--wheels", "4")
    folded: list[tuple[int, dict[str, Any]]] = [(clock[0], {})]
    for _ in range(min(count, 120)):
        clock[0] += dice.choice((1, 1, 2, 50, 60_000, 86_400_000))
        name, value = dice.choice("abcdef"), dice.randrange(1000)
        words = ["--set", f"{name}={value}"]
        if dice.random() < 0.2:
            words = ["--unset", name]
        state = {**folded[-1][1], name: value if words[0] == "--set" else None}
        at = _text(clock[0] - dice.randrange(10**9)) if dice.random() < 0.3 else None
        twin("asset", "append", "car", *words, *(("--at", at) if at else ()))
        folded.append((clock[0], state))
    clock[0] += 10_000
    for _ in range(count):
        known = dice.choice(folded)[0]
        asked_ms = max(_BASE_MS, known + dice.choice((-1, 0, 0, 1, dice.randrange(10**8))))
        expected = [state for when, state in folded if when <= asked_ms][-1]
        shown = twin("asset", "show", "car", "--as-of", _text(min(asked_ms, clock[0])))
        assert shown["state"] == expected, _text(asked_ms)


def _text(time_ms: int) -> str:
    from twincli.model import times

    return times.to_text(time_ms)
