"""Records of one kind as a list: what each states, when it happened, whose word it is."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from twincli.ledger.said import Asked
from twincli.model import bodies
from twincli.services import resolve
from twincli.services.asset.moments import HAPPENED, LATE_MS, Range, checked_limit
from twincli.services.record.records import told
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.services.record.records import Record
    from twincli.services.workspace import Workspace


class Wanted(NamedTuple):
    """Which records of a list are wanted: R of the command line.

    Attributes:
        since: What happened at this time or later, as people write times.
        until: What happened before this time.
        limit: At most N.
        reverse: Newest first.
        by: ``happened`` or ``recorded``: what ranges and the order go by.
    """

    since: str | None = None
    until: str | None = None
    limit: int | None = None
    reverse: bool = False
    by: str = HAPPENED


ALL = Wanted()


def listed(
    workspace: Workspace,
    asset_id: str,
    kind: str,
    wanted: Wanted = ALL,
    *,
    label: str | None = None,
) -> Iterator[Record]:
    """Return the records of a kind about a twin, its owner's and those of others.

    Args:
        workspace: Rooms.
        asset_id: The twin.
        kind: One of ``said.LABELS``.
        wanted: Which of them.
        label: Only those that state this in the member by which they are told apart.

    Raises:
        UsageError: ``bad_time``, ``empty_range``, ``not_supported``; a limit below 1.
    """
    checked_limit(wanted.limit)
    span = Range.of(workspace, wanted.since, wanted.until, wanted.by)
    asked = Asked(kind, label, span.since_ms, span.until_ms, wanted.reverse, span.by_block)
    return islice(told(workspace, asset_id, asked), wanted.limit)


def is_late(found: Record) -> bool:
    """Say whether something was recorded more than a minute after it happened."""
    happened, recorded = found.happened_ms, found.recorded_ms
    return happened is not None and recorded is not None and recorded - happened > LATE_MS


def items(
    workspace: Workspace, asset_id: str, kind: str, wanted: Wanted = ALL
) -> Iterator[dict[str, Any]]:
    """Return the records of a kind, each as one flat object; see `item`."""
    found = listed(workspace, asset_id, kind, wanted)
    names = resolve.Names(workspace)
    return (item(names, each) for each in found)


def item(names: resolve.Names, found: Record) -> dict[str, Any]:
    """Return a record as one flat object: whose word it is, and what it states.

    ``malformed`` names the places that a stranger wrote otherwise than they are read.
    """
    read = bodies.read(found.kind, found.body)
    return {
        "at": found.at,
        "committed_at": found.committed_at,
        "late": is_late(found),
        "transaction_id": found.tx_id,
        "form": found.form,
        "height": found.height,
        "signers": [*found.signers],
        "signer_names": names.of_keys(found.signers),
        "standing": found.standing,
        "via": found.via,
        "while_frozen": found.while_frozen,
        "malformed": [*read.malformed],
        **_UNSTATED[found.kind],
        **read.stated,
    }


_UNSTATED = {
    kind: dict.fromkeys(member.name for member in members)
    for kind, members in bodies.MEMBERS.items()
}
"""What a record of a kind may state, in the order in which it is listed."""
