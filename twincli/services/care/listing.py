"""``twin maintenance list``: what was done to a twin, what it cost, what it satisfies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import NotFoundError
from twincli.model import bodies, money
from twincli.rules.authority import AUTHORISED
from twincli.services import resolve
from twincli.services.care.gather import Gatherer
from twincli.services.record.listed import ALL, Wanted, items

if TYPE_CHECKING:
    from twincli.services.documents import Maintenance, MaintenanceItem
    from twincli.services.workspace import Workspace


def list_maintenance(workspace: Workspace, ref: str, wanted: Wanted = ALL) -> Maintenance:
    """Return the maintenance of a twin, its owner's and that of others.

    Costs are summed within one currency only, of what counts.

    Returns:
        ``twin.maintenance-list/1``.

    Raises:
        UsageError: As `Wanted` is malformed.
    """
    asset_id = resolve.asset_id_of(workspace, ref)
    replay = workspace.client.replay(asset_id)
    if replay is None:
        raise NotFoundError(f"there is no asset {asset_id} on this ledger")
    satisfied = Gatherer(workspace).gather(asset_id, replay).satisfied
    sums = money.Sums()
    rows: list[MaintenanceItem] = []
    for item in items(workspace, asset_id, bodies.MAINTENANCE, wanted):
        counts = item["standing"] == AUTHORISED
        if counts and item["total"] is not None:
            sums.add(item["currency"], item["total"])
        met = satisfied.get(item["transaction_id"], ())
        rows.append({**item, "schedules": [*met]})  # type: ignore[typeddict-item]
    return {
        "schema": "twin.maintenance-list/1",
        "asset_id": asset_id,
        "asset_name": resolve.asset_name(workspace, asset_id),
        "totals": [{"currency": unit, "total": total} for unit, total in sums.items()],
        "maintenance": rows,
    }
