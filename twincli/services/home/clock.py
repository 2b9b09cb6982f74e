"""Whether this machine's clock can be believed before it is written into a ledger for good."""

from __future__ import annotations

import os

from twincli import BUILD_TIME_MS
from twincli.errors import UsageError
from twincli.model import times
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_AHEAD_MS = 400 * 86_400_000
"""A clock that is this far after everything else was more likely set wrong than left unused."""

NOTICED_MS = 60_000


def check(now_ms: int, tip_ms: int | None, known: Iterable[str], *, accepted: bool) -> list[str]:
    """Return warnings about the clock before something is written.

    A block is never earlier than the one before it, so one write with a clock that is ahead makes
    the time of every later block wrong.

    Args:
        now_ms: What the clock says.
        tip_ms: Time of the ledger's last block; None: there is no ledger yet.
        known: Files whose time of change shows when this home was last used.
        accepted: Whether the user said that the clock is right.

    Raises:
        UsageError: ``clock_ahead``: it is more than 400 days after all that is known.
    """
    newest = max([BUILD_TIME_MS, tip_ms or 0, *(_changed_ms(path) for path in known)])
    if now_ms - newest > MOST_AHEAD_MS and not accepted:
        said = "a time after the year 9999"
        if now_ms <= times.LATEST_MS:
            said = times.to_text(now_ms)
        raise UsageError(
            f"this machine's clock says {said}, {(now_ms - newest) // 86_400_000} days after the"
            f" newest time known here, {times.to_text(newest)}",
            code="clock_ahead",
            hint="set the clock; if it is right, add --yes",
        )
    if tip_ms is not None and tip_ms - now_ms > NOTICED_MS:
        ahead, tip = times.span_text(tip_ms - now_ms), times.to_text(tip_ms)
        warning = (
            f"the ledger is {ahead} ahead of this machine's clock: blocks keep the time {tip}"
            " until it is reached; the times of what happened (at) are right"
        )
        return [warning]
    return []


def _changed_ms(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns // 1_000_000
    except OSError:
        return 0
