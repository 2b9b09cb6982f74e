"""How to write, shared by all writes: W of the command line."""

from __future__ import annotations

from twincli.errors import InvalidError, UsageError
from twincli.model import times
from twincli.values import NamedTuple

AHEAD_MS = 5 * 60 * 1000


class Writing(NamedTuple):
    """How to write.

    Attributes:
        at: When it happened, as people write times; None: now.
        once: A token that makes a retry return the first result.
        if_tip: Refuse unless this (id or prefix) is the tip.
        bare: No envelope.
        prepare: Sign with the keys of ``--key`` only and submit nothing: others are to sign.
    """

    at: str | None = None
    once: str | None = None
    if_tip: str | None = None
    bare: bool = False
    prepare: bool = False

    def check(self) -> None:
        """Refuse contradictions.

        Raises:
            UsageError: ``bare`` leaves no room for ``at`` and ``once``.
        """
        if self.bare and (self.at is not None or self.once is not None):
            raise UsageError("--bare writes no envelope, so --at and --once cannot be used")
        if self.once == "":
            raise UsageError("--once needs a token")


PLAIN = Writing()
"""Now, with an envelope, on whatever the tip is."""


def checked_at(text: str, now_ms: int) -> int:
    """Return the time that somebody claims, milliseconds since the epoch.

    Raises:
        UsageError: ``bad_time``.
        InvalidError: ``time_ahead``: more than 5 minutes after ``now_ms``.
    """
    at_ms = times.parse(text, now_ms)
    if at_ms > now_ms + AHEAD_MS:
        raise InvalidError(
            f"{text} is more than 5 minutes ahead of this machine's clock",
            code="time_ahead",
            hint="only past events can be recorded; is the clock right?",
        )
    return at_ms
