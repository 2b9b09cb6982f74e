"""Whose word it is that one asset is a part of another.

Anybody can state a parent. It counts where the parent's owners said so, or its own key did; what
matters is who owned the parent when the part was made.
"""

from __future__ import annotations

from twincli.rules import authority
from twincli.rules.authority import UNAUTHORISED, signers_of
from twincli.rules.replay import Replay
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from twincli.client import LedgerClient
    from twincli.ledger.reading import Entry


class Control(NamedTuple):
    """Who may speak for an asset.

    Attributes:
        owners: The condition details of its unspent outputs.
        entity: Its own key, or None.
    """

    owners: tuple[dict[str, Any], ...]
    entity: str | None

    def standing_of(self, keys: Collection[str]) -> str:
        """Return the standing of a statement that these keys have signed."""
        return authority.standing(keys, self.owners, self.entity)


def control_now(client: LedgerClient, asset_id: str) -> Control:
    """Return who may speak for an asset now."""
    replay = client.replay(asset_id)
    details = tuple(item.output["condition"]["details"] for item in client.unspent(asset_id))
    return Control(details, None if replay is None else replay.entity)


def at_birth(client: LedgerClient, parent: str, part: Entry) -> str:
    """Say how ``part`` stands, which states that it belongs to ``parent``."""
    if part.time_ms is None:
        return Parents(client).standing(parent, part)
    replay = client.replay(parent, part.time_ms)
    if replay is None:
        return UNAUTHORISED
    outputs = (client.required(tx_id).tx["outputs"][index] for tx_id, index in replay.outputs)
    details = tuple(output["condition"]["details"] for output in outputs)
    return Control(details, replay.entity).standing_of(set(signers_of(part.tx)))


class Parents:
    """Who spoke for assets when; the history of each is read once."""

    def __init__(self, client: LedgerClient) -> None:
        self._client = client
        self._known: dict[str, tuple[list[int], list[Control]]] = {}

    def standing(self, parent: str, part: Entry) -> str:
        """Say how ``part`` stands, which states that it belongs to ``parent``."""
        from bisect import bisect_right

        moments, controls = self._history(parent)
        found = bisect_right(moments, _moment(part))
        if found == 0:
            return UNAUTHORISED
        return controls[found - 1].standing_of(set(signers_of(part.tx)))

    def _history(self, parent: str) -> tuple[list[int], list[Control]]:
        known = self._known.get(parent)
        if known is None:
            known = self._known[parent] = _changes(self._client.entries(parent))
        return known


def _moment(entry: Entry) -> int:
    """Return when something was committed; where nobody says, the height of the block does."""
    if entry.time_ms is not None:
        return entry.time_ms
    return -1 if entry.height is None else entry.height


def _changes(entries: Iterable[Entry]) -> tuple[list[int], list[Control]]:
    """Return when it changed who speaks for an asset, and who it then was."""
    moments: list[int] = []
    controls: list[Control] = []
    replay = Replay()
    held: dict[tuple[str, int], dict[str, Any]] = {}
    for entry in entries:
        replay.add(entry.tx)
        for spent in entry.tx["inputs"]:
            if spent["fulfills"] is not None:
                met = spent["fulfills"]
                held.pop((met["transaction_id"], met["output_index"]), None)
        for index, output in enumerate(entry.tx["outputs"]):
            held[entry.tx["id"], index] = output["condition"]["details"]
        control = Control(tuple(held.values()), replay.entity)
        if controls and controls[-1] == control:
            continue
        moment = _moment(entry)
        if moments and moments[-1] == moment:
            controls[-1] = control
        else:
            moments.append(moment)
            controls.append(control)
    return moments, controls
