"""Where a twin is in its life: its state, its stage, the last thing that happened to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import InvalidError, NotFoundError
from twincli.ledger.said import Asked
from twincli.model import bodies, stages, times
from twincli.rules.authority import AUTHORISED
from twincli.services.life.stages import passed
from twincli.services.life.states import where
from twincli.services.record.records import told

if TYPE_CHECKING:
    from twincli.services.documents import LastEvent, Life
    from twincli.services.workspace import Workspace


def life(workspace: Workspace, asset_id: str) -> Life | None:
    """Return where a twin is in its life, None where nothing is known of it."""
    replay = workspace.client.replay(asset_id)
    if replay is None:
        return None
    state = stage = None
    try:
        state = where(workspace, asset_id, replay).state
        found = passed(workspace, asset_id, replay)
        if found.plan is not None and found.place > stages.BEGIN:
            stage = found.plan.stages[found.place]
    except (NotFoundError, InvalidError):
        pass  # its template is not at hand, which is said elsewhere
    last = _last(workspace, asset_id)
    if state is None and stage is None and last is None:
        return None
    return {"state": state, "stage": stage, "last_event": last}


def _last(workspace: Workspace, asset_id: str) -> LastEvent | None:
    for found in told(workspace, asset_id, Asked(bodies.EVENT, reverse=True)):
        if found.standing == AUTHORISED:
            stated = bodies.read(bodies.EVENT, found.body).stated
            return {
                "type": stated.get("type"),
                "happened": times.told(found.happened_ms),
                "transaction_id": found.tx_id,
            }
    return None
