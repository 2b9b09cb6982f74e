"""``twin maintenance due``: what is due, for one twin or for all of mine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.model import due as _due
from twincli.model import times
from twincli.services import resolve
from twincli.services.asset import listings
from twincli.services.care.gather import Gatherer, is_over
from twincli.services.query import asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from twincli.model.due import Due, Usage
    from twincli.services.care.gather import Gathered
    from twincli.services.care.meters import Streams
    from twincli.services.documents import DueItem, DueUsage, Maintained
    from twincli.services.workspace import Workspace

_ORDER = (_due.OVERDUE, _due.DUE, _due.UPCOMING, _due.EXPIRED)


def list_due(
    workspace: Workspace,
    ref: str | None = None,
    *,
    within: str | None = None,
    as_of: str | None = None,
    streams: Streams | None = None,
) -> Maintained:
    """Return what is due, the most urgent first.

    What is known today is judged at a time: work and readings from after it do not count.

    Args:
        workspace: Rooms.
        ref: The twin; None: all that my keys own or that I have named.
        within: A length of time: only what is overdue, or due within it.
        as_of: When, as people write times; None: now.
        streams: The streams of twins, None where they are not asked.

    Returns:
        ``twin.maintenance-due/1``; ``ok`` is false where something is overdue or due.

    Raises:
        UsageError: ``bad_time``.
        NotFoundError: There is no such twin.
    """
    now = workspace.now()
    at_ms = now if as_of is None else times.parse(as_of, now)
    within_ms = 0 if within is None else asked.span(within, "within") // 1000
    gatherer = Gatherer(workspace, streams)
    names = resolve.asset_names(workspace)
    ids = listings.mine(workspace) if ref is None else [resolve.asset_id_of(workspace, ref)]
    items: list[DueItem] = []
    document: Maintained = {
        "schema": "twin.maintenance-due/1",
        "ok": True,
        "as_of": times.to_text(at_ms),
        "within": within,
        "due": items,
        "unmatched": [],
        "unclear": [],
    }
    for asset_id, gathered in _gathered(gatherer, ids, None if as_of is None else at_ms):
        name, found = names.get(asset_id), gathered.found
        for one in found.due:
            standing = _due.judged(one, at_ms, within_ms)
            if within is None or standing in {_due.OVERDUE, _due.DUE}:
                items.append(_item(asset_id, name, one, standing))
        document["unmatched"] += [
            {
                "asset_id": asset_id,
                "asset_name": name,
                "type": work.types[0],
                "at": times.told(work.happened_ms),
                "transaction_id": work.tx_id,
            }
            for work in found.unmatched
        ]
        document["unclear"] += [
            {"asset_id": asset_id, "asset_name": name, "schedule": where, "why": why}
            for where, why in found.unclear
        ]
    items.sort(key=lambda item: (_ORDER.index(item["standing"]), item["due"] or "~"))
    document["ok"] = not any(item["standing"] in {_due.OVERDUE, _due.DUE} for item in items)
    return document


def _gathered(
    gatherer: Gatherer, ids: list[str], until_ms: int | None
) -> Iterator[tuple[str, Gathered]]:
    client = gatherer.workspace.client
    for asset_id in ids:
        replay = client.replay(asset_id)
        if replay is not None and not is_over(gatherer.workspace, asset_id):
            yield asset_id, gatherer.gather(asset_id, replay, until_ms=until_ms)


def _item(asset_id: str, name: str | None, one: Due, standing: str) -> DueItem:
    return {
        "asset_id": asset_id,
        "asset_name": name,
        "standing": standing,
        "reason": one.reason,
        "name": one.name,
        "every": one.every,
        "due": one.until,
        "usage": [_used(usage) for usage in one.usage],
        "since": one.since,
        "last": times.told(one.last_ms),
        "transaction_id": one.tx_id,
    }


def _used(usage: Usage) -> DueUsage:
    return {
        "field": usage.field,
        "counter": usage.counter,
        "reading": None if usage.reading is None else _number(usage.reading),
        "begun": _number(usage.begun),
        "due": _number(usage.due),
    }


def _number(value: Fraction) -> float:
    """Return a reading as JSON has it: whole numbers without a dot."""
    return int(value) if value.denominator == 1 else float(value)
