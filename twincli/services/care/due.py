"""``twin maintenance due``: what is due, for one twin or for all of mine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twincli.model import due as _due
from twincli.model import times
from twincli.services import resolve
from twincli.services.asset import listings
from twincli.services.care.gather import Gatherer, is_over

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from twincli.model.due import Due, Found, Usage
    from twincli.services.care.meters import Streams
    from twincli.services.documents import DueItem, DueUsage, Maintained
    from twincli.services.workspace import Workspace

_KIND = "due 2"
"""Of notes; another number where another version would note something else."""
_encode = json.JSONEncoder(separators=(",", ":")).encode  # `json.dumps` makes one for each note
_ALARMING = frozenset((_due.OVERDUE, _due.DUE))
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
    within_ms = 0 if within is None else times.length(within, "within") // 1000
    gatherer = Gatherer(workspace, streams)
    names = resolve.asset_names(workspace)
    ids = listings.mine(workspace) if ref is None else [resolve.asset_id_of(workspace, ref)]
    items: list[Any] = []
    unmatched: list[Any] = []
    unclear: list[Any] = []
    document: Maintained = {
        "schema": "twin.maintenance-due/1",
        "ok": True,
        "as_of": times.to_text(at_ms),
        "within": within,
        "due": items,
        "unmatched": unmatched,
        "unclear": unclear,
    }
    # What had not happened by then does not count, so nothing that was noted helps.
    until_ms = at_ms if at_ms < now else None
    kind = f"{_KIND}{' with streams' if streams is not None else ''}"
    if ref is not None or until_ms is not None:
        found_of = _made(gatherer, ids, until_ms)
    else:
        found_of = _noted(gatherer, ids, kind)
    for asset_id, note in found_of:
        twin = {"asset_id": asset_id, "asset_name": names.get(asset_id)}
        for one, begun_ms, ended_ms, used in note["due"]:
            found = _due.Bounds(begun_ms, ended_ms, used)
            standing = _due.judged(one["reason"], found, at_ms, within_ms)
            if standing != _due.OVERDUE:
                why = [_unread(usage) for usage in one["usage"] if usage["reading"] is None]
                unclear += [{**twin, "schedule": one["name"], "why": text} for text in why]
            if within is None or standing in _ALARMING:
                items.append({**twin, "standing": standing, **one})
        unmatched += [{**twin, **one} for one in note["unmatched"]]
        unclear += [{**twin, **one} for one in note["unclear"]]
    items.sort(key=_urgency)
    document["ok"] = not any(item["standing"] in _ALARMING for item in items)
    return document


def _unread(usage: DueUsage) -> str:
    """Return why nothing is known about a counter: that it reads 0 would be a guess."""
    if usage["field"] is None:
        counter = usage["counter"]
        return f"no field counts {counter}: append one called {counter}, or name one with of"
    return f"{usage['field']} is not read yet: append it, or push it to a stream"


def _urgency(item: DueItem) -> tuple[int, str, str, str]:
    order = _ORDER.index(item["standing"])
    return order, item["due"] or "~", item["asset_name"] or "~", item["asset_id"]


def _noted(gatherer: Gatherer, ids: list[str], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is due for twins, of those that nothing has touched as it was noted before."""
    client = gatherer.workspace.client
    until, known = client.notes(kind)
    made: dict[str, str] = {}
    for asset_id, note in _made(gatherer, [one for one in ids if one not in known]):
        if gatherer.is_lasting:
            made[asset_id] = _encode(note)
        yield asset_id, note
    for asset_id in ids:
        if asset_id in known:
            yield asset_id, json.loads(known[asset_id])
    if made:
        client.keep_notes(kind, until, made)


def _made(
    gatherer: Gatherer, ids: list[str], until_ms: int | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is due for twins.

    Args:
        gatherer: Looks at them.
        ids: The twins.
        until_ms: Only what had happened by then counts; None: all.
    """
    client = gatherer.workspace.client
    spoken = client.spoken_of() if len(ids) > _SEVERAL else None
    for asset_id, replay, created_ms in client.replays(ids):
        if is_over(gatherer.workspace, replay):
            yield asset_id, {"due": [], "unmatched": [], "unclear": []}
            continue
        has_records = spoken is None or asset_id in spoken
        found = gatherer.gather(
            asset_id,
            replay,
            created_ms=created_ms,
            until_ms=until_ms,
            has_records=has_records,
        )
        yield asset_id, _note(found)


_SEVERAL = 20
"""From how many twins on it is asked at once which of them have records."""


def _note(found: Found) -> dict[str, Any]:
    """Return what is due for a twin as it is kept: without the twin, and before it is judged."""
    return {
        "due": [[_item(one), *_due.bounds(one)] for one in found.due],
        "unmatched": [
            {
                "type": work.types[0],
                "at": times.told(work.happened_ms),
                "transaction_id": work.tx_id,
            }
            for work in found.unmatched
        ],
        "unclear": [{"schedule": where, "why": why} for where, why in found.unclear],
    }


def _item(one: Due) -> dict[str, Any]:
    return {
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
