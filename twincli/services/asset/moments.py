"""When something happened and when it was recorded, and ranges of either."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.client import BLOCK_TIME, lacking
from twincli.errors import UsageError
from twincli.model import record, times
from twincli.model.transaction import signers_of
from twincli.services.asset.document import claimed
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from twincli.ledger.reading import Entry
    from twincli.ledger.state import Stretch
    from twincli.services.documents import TxMoment
    from twincli.services.workspace import Workspace

HAPPENED, RECORDED = BY = ("happened", "recorded")
"""What a range of time can go by."""

LATE_MS = 60_000


class Range(NamedTuple):
    """A range of time.

    Attributes:
        since_ms: Its first moment, or None.
        until_ms: The first moment after it, or None.
        by_block: Whether it goes by the time of the block, not by what the signer states.
    """

    since_ms: int | None = None
    until_ms: int | None = None
    by_block: bool = False

    @classmethod
    def of(cls, workspace: Workspace, since: str | None, until: str | None, by: str) -> Range:
        """Return the range that somebody writes.

        Args:
            workspace: The clock, for times such as ``30d``, and the ledger.
            since: What happened at this time or later, as people write times.
            until: What happened before this time.
            by: ``HAPPENED``: the time that the signer states, where none is stated or the signer's
                clock was known to be wrong the block's; ``RECORDED``: the block's.

        Raises:
            UsageError: ``bad_time``; ``empty_range``: ``until`` is not after ``since``;
                ``not_supported``: the ledger does not tell when it committed something.
        """
        if by not in BY:
            raise UsageError(f"--by takes {' or '.join(BY)}, not {by!r}")
        if (since or until) and by == RECORDED and BLOCK_TIME not in workspace.client.capabilities:
            raise lacking(BLOCK_TIME)
        return cls(*times.parse_range(since, until, workspace.now()), by == RECORDED)

    @property
    def is_open(self) -> bool:
        """Whether it holds everything, what has no time included."""
        return self.since_ms is None and self.until_ms is None

    def moment(self, entry: Entry) -> int | None:
        """Return the time by which this range judges an entry, None where it has none."""
        return entry.time_ms if self.by_block else happened_ms(entry)

    def holds(self, entry: Entry) -> bool:
        """Say whether an entry is in the range; what has no time at all is in none."""
        if self.is_open:
            return True
        moment = self.moment(entry)
        if moment is None:
            return False
        since_ms, until_ms = self.since_ms, self.until_ms
        return (since_ms is None or since_ms <= moment) and (until_ms is None or moment < until_ms)

    def may_hold(self, part: Stretch) -> bool:
        """Say whether anything in a part of a history may be in the range."""
        low, high = (part.begun_ms, part.ended_ms) if self.by_block else (part.low, part.high)
        since_ms, until_ms = self.since_ms, self.until_ms
        return (since_ms is None or high is None or high >= since_ms) and (
            until_ms is None or low is None or low < until_ms
        )


def checked_limit(limit: int | None) -> int | None:
    """Return the value of ``--limit``.

    Raises:
        UsageError: It is below 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit takes a whole number from 1, not {limit}")
    return limit


def happened_ms(entry: Entry) -> int | None:
    """Return when something happened: as its signer states, else when it was committed.

    A signer whose clock was known to be wrong states nothing.
    """
    stated = record.stated_ms(entry.tx)
    return entry.time_ms if stated is None else stated


def is_late(entry: Entry) -> bool:
    """Say whether something was recorded more than a minute after it happened."""
    moment = happened_ms(entry)
    return entry.time_ms is not None and moment is not None and entry.time_ms - moment > LATE_MS


def of_entry(entry: Entry) -> TxMoment:
    """Return what is said of a transaction where it is named as a cause."""
    tx = entry.tx
    envelope = record.envelope_of(tx["metadata"]) or {}
    if tx["operation"] == "CREATE":
        envelope = record.creating_envelope(tx) or envelope
    return {
        "transaction_id": tx["id"],
        "operation": tx["operation"],
        "kind": record.text(envelope.get("kind")),
        "at": claimed(tx),
        "committed_at": times.told(entry.time_ms),
        "clock": record.text(envelope.get("clock")),
        "late": is_late(entry),
        "signers": [*signers_of(tx)],
    }
