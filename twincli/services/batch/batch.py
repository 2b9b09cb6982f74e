"""Apply a batch, or check one: the document of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.content.batch_spool import (
    APPLIED,
    EXISTING,
    REFUSED,
    SKIPPED,
    UNCHECKED,
    BatchSpool,
    Report,
)
from twincli.errors import InvalidError
from twincli.model.transaction import signers_of
from twincli.services.batch import sources
from twincli.services.batch.run import How, Run, fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.services.batch.sources import Source
    from twincli.services.batch.verbs import Rooms
    from twincli.services.documents import Batch, BatchLine

MAX_NAMED = 5
VALID = "valid"
"""Instead of ``applied``, where nothing was to be recorded."""


def apply(rooms: Rooms, spool: BatchSpool, source: Source, how: How) -> Batch:
    """Record the lines of a file, those of one twin all or none.

    Args:
        rooms: What it is worked on with.
        spool: Empty; what is returned reads its lines from there.
        source: The file.
        how: How.

    Returns:
        ``twin.batch/1``, whose lines are read as they are asked for.

    Raises:
        InvalidError: ``invalid_batch``: there is no line, or none that is to be recorded can be.
        InterruptedWriteError: Somebody stopped it; like every error on the way it says how many
            lines are recorded, and how to go on.
    """
    rooms.stream.workspace.keystore.keep_unlocked()
    fill(rooms, spool, sources.items(source), how)
    run = Run(rooms, spool, how)
    run.all()
    counts = spool.counts()
    client = rooms.stream.workspace.client
    good = counts[APPLIED] + counts[EXISTING] + counts[UNCHECKED]
    if not good and (how.keep or not counts[REFUSED]):
        raise _nothing(spool, source)
    warnings = list(run.warnings)
    if counts[UNCHECKED]:
        warnings.append(
            f"{counts[UNCHECKED]} lines could not be checked: they follow on others of their twin"
        )
    last = run.last if how.keep else None
    entry = None if last is None else client.entry(last)
    return {
        "schema": "twin.batch/1",
        "ledger": client.ledger_id,
        "valid": not counts[REFUSED] and not counts[SKIPPED],
        "count": sum(counts.values()),
        "applied": counts[APPLIED] if how.keep else 0,
        "valid_lines": counts[APPLIED] if not how.keep else 0,
        "existing": counts[EXISTING],
        "refused": counts[REFUSED],
        "skipped": counts[SKIPPED],
        "unchecked": counts[UNCHECKED],
        "transaction_id": last,
        "signed_by": [] if entry is None else [*signers_of(entry.tx)],
        "warnings": warnings,
        "lines": (_line(found, keep=how.keep) for found in spool.report()),
    }


def _line(found: Report, *, keep: bool) -> BatchLine:
    return {
        "line": found.number,
        "where": found.what,
        "do": found.do,
        "asset": found.ref,
        "status": VALID if found.status == APPLIED and not keep else found.status,
        "code": found.code,
        "reason": found.reason,
        "transaction_id": found.tx_id if keep or found.status == EXISTING else None,
    }


def _nothing(spool: BatchSpool, source: Source) -> InvalidError:
    """Return the error of a file of which nothing can be recorded."""
    found = _first(spool.report(REFUSED), MAX_NAMED)
    if not found:
        return InvalidError(
            f"{source.what} has no lines", code="invalid_batch", hint="is it the right file?"
        )
    count = spool.counts()[REFUSED]
    said = "; ".join(f"line {one.number}: {one.reason}" for one in found)
    more = f"; and {count - len(found)} more" if count > len(found) else ""
    return InvalidError(
        f"no line of {source.what} can be recorded: {said}{more}",
        code="invalid_batch",
        hint="nothing was recorded; to see what is wrong with each: twin batch check FILE",
    )


def _first(reports: Iterator[Report], count: int) -> list[Report]:
    from itertools import islice

    return list(islice(reports, count))
