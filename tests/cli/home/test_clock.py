"""A clock that is ahead is not written into the ledger for good."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.stories import quietly
from tests.conftest import Invoke
from twincli import BUILD_TIME_MS
from twincli.errors import UsageError
from twincli.services.home import clock

DAY_MS = 86_400_000
SetClock = Callable[[int], None]


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Return what sets the clock a number of days ahead of the real one."""
    real = time.time_ns

    def set_clock(days: int) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: real() + days * DAY_MS * 1_000_000)

    return set_clock


@pytest.mark.parametrize("days", [500, 10_000_000])
@pytest.mark.parametrize(
    "command", ["asset create boat", "asset append car --a 1", "asset transfer car --to bob"]
)
def test_a_clock_far_ahead_is_refused(
    invoke: Invoke, ahead: SetClock, command: str, days: int
) -> None:
    twin = quietly(invoke)
    twin("keys", "new", "alice", "--no-passphrase")
    twin("keys", "new", "bob", "--no-passphrase")
    twin("asset", "create", "car", "--owner", "alice")
    before = twin("ledger", "info")["height"]
    ahead(days)
    run = invoke(*command.split(), "--json")
    assert run.status in {2, 9}, run.stderr
    assert "clock" in run.error["message"]
    ahead(0)
    assert twin("ledger", "info")["height"] == before


def test_the_first_asset_of_a_home_too(invoke: Invoke, home: Path, ahead: SetClock) -> None:
    quietly(invoke)("keys", "new", "alice", "--no-passphrase")
    ahead(500)
    run = invoke("asset", "create", "car", "--json")
    assert (run.status, run.error["code"]) == (2, "clock_ahead")
    assert not (home / "ledger" / "ledger.db").exists()


def test_yes_accepts_it_and_later_writes_warn(invoke: Invoke, ahead: SetClock) -> None:
    twin = quietly(invoke)
    twin("keys", "new", "alice", "--no-passphrase")
    twin("asset", "create", "car")
    ahead(500)
    assert invoke("asset", "append", "car", "--a", "1", "--yes").status == 0
    ahead(0)
    made = twin("asset", "append", "car", "--a", "2")
    assert any("the ledger is" in warning for warning in made["warnings"])
    checks = {check["name"]: check for check in invoke("doctor", "--json").json["checks"]}
    assert checks["clock"]["ok"] is False
    assert "the ledger is" in checks["clock"]["message"]
    assert "500 days" in checks["clock"]["message"] or "499 days" in checks["clock"]["message"]


def test_the_bound() -> None:
    newest = BUILD_TIME_MS
    assert clock.check(newest + 400 * DAY_MS, None, (), accepted=False) == []
    with pytest.raises(UsageError):
        clock.check(newest + 400 * DAY_MS + 1, None, (), accepted=False)
    later = newest + 300 * DAY_MS
    assert clock.check(later + 400 * DAY_MS, later, (), accepted=False) == []
    assert clock.check(later - 60_000, later, (), accepted=False) == []
    assert len(clock.check(later - 61_000, later, (), accepted=False)) == 1
