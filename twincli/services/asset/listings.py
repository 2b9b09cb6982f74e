"""Listings of assets, outputs and amounts."""

from __future__ import annotations

from twincli.crypto import conditions
from twincli.model import record
from twincli.model.template import family
from twincli.model.transaction import asset_of
from twincli.rules.replay import is_burned
from twincli.services import resolve
from twincli.services.asset import document
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.ledger.reading import Entry
    from twincli.ledger.rows import Standing
    from twincli.rules.replay import Pin
    from twincli.services.documents import (
        AssetItem,
        Assets,
        Balance,
        Balances,
        Json,
        Output,
        Outputs,
    )
    from twincli.services.workspace import Workspace


def list_assets(
    workspace: Workspace,
    *,
    everything: bool = False,
    owner: str | None = None,
    kind: str | None = None,
    model: str | None = None,
    template: str | None = None,
    state: bool = False,
    data: bool = False,
) -> Assets:
    """Return assets: those my keys own and those I have named, or all.

    Args:
        workspace: Rooms.
        everything: All assets on the ledger.
        owner: Only those this party owns.
        kind: Only of this kind.
        model: Only of this model.
        template: Only those held to this template, or to one of its family, such as ``pump``.
        data: Include the facts of each.
        state: Include the current state of each.

    Returns:
        Assets in commit order, as they are read.
    """
    client = workspace.client
    ids: Iterable[str]
    if owner is not None:
        ids = client.held_by([resolve.public_key_of(workspace, owner)])
    elif everything:
        ids = client.asset_ids()
    else:
        ids = mine(workspace)
    for name, wanted in (("kind", kind), ("model", model)):
        if wanted is not None:
            fitting = set(client.assets_with(name, wanted))
            ids = [asset_id for asset_id in ids if asset_id in fitting]
    shown = items(workspace, ids, state=state, data=data, template=template)
    return {"schema": "twin.assets/1", "assets": shown}


def mine(workspace: Workspace) -> list[str]:
    """Return the assets that my keys own and those I have named, in commit order."""
    keys = [info.public_key for info in workspace.keystore.scan()[0]]
    held = workspace.client.held_by(keys)
    named = {entry.asset_id for entry in workspace.book.list_assets(workspace.client.ledger_id)}
    return held if named <= set(held) else workspace.client.in_order([*held, *named])


def items(
    workspace: Workspace,
    ids: Iterable[str],
    *,
    state: bool = False,
    data: bool = False,
    template: str | None = None,
) -> Iterator[AssetItem]:
    """Yield assets of a listing.

    Args:
        workspace: Rooms.
        ids: The assets.
        state: Include the state of each.
        data: Include the facts of each.
        template: Only those held to this template, or to one of its family.
    """
    names, asset_names = resolve.Names(workspace), resolve.asset_names(workspace)
    ledger_id = workspace.client.ledger_id
    for standing in workspace.client.standings(ids):
        asset_id: str = standing.create["id"]
        outputs = [item.output for item in standing.unspent]
        holding = document.holding(names, outputs)
        item: AssetItem = {
            "name": asset_names.get(asset_id),
            "id": asset_id,
            "did": document.did_of(asset_id, ledger_id),
            "kind": resolve.asset_kind(standing.create),
            "owners": holding["owners"],
            "owner_names": holding["owner_names"],
            "owner": holding["owner"],
            "amount": holding["amount"],
            "burned": all(is_burned(output) for output in outputs),
        }
        if data:
            item["data"] = record.without_envelope(standing.create["asset"]["data"])
        if state or template is not None:
            replay = workspace.client.replay(asset_id)
            pin = None if replay is None else replay.pin
            if template is not None and not _is_of(template, pin):
                continue
            item["template"] = None if pin is None else pin.template
            if state:
                item["state"] = {} if replay is None else replay.common
        yield item


def _is_of(template: str, pin: Pin | None) -> bool:
    return pin is not None and template in {pin.template, family(pin.template)}


def outputs(
    workspace: Workspace,
    ref: str | None = None,
    *,
    owner: str | None = None,
    unspent: bool = False,
) -> Outputs:
    """Return outputs: of an asset, of an owner, or of all my keys.

    Returns:
        Outputs as they are read.
    """
    found: Iterator[Output]
    if ref is not None:
        asset_id = resolve.asset_id_of(workspace, ref)
        keys = None if owner is None else {resolve.public_key_of(workspace, owner)}
        if unspent:
            standings = workspace.client.standings([asset_id])
            found = _unspent(resolve.Names(workspace), standings, keys)
        else:
            found = _outputs_of_asset(workspace, asset_id, keys)
    else:
        found = _outputs_of_keys(workspace, _parties(workspace, owner), unspent=unspent)
    return {"schema": "twin.outputs/1", "outputs": found}


def _parties(workspace: Workspace, owner: str | None) -> list[str]:
    """Return the key of an owner, or all my keys."""
    if owner is not None:
        return [resolve.public_key_of(workspace, owner)]
    return [info.public_key for info in workspace.keystore.scan()[0]]


def _unspent(
    names: resolve.Names, standings: Iterable[Standing], keys: set[str] | None
) -> Iterator[Output]:
    """Yield the unspent outputs of assets, those that name any of some keys."""
    for standing in standings:
        for tx_id, index, output in standing.unspent:
            if keys is None or not keys.isdisjoint(output["public_keys"] or ()):
                yield _output(names, standing.create["id"], tx_id, index, output, None)


def _outputs_of_asset(
    workspace: Workspace, asset_id: str, keys: set[str] | None
) -> Iterator[Output]:
    names = resolve.Names(workspace)
    for entry in workspace.client.entries(asset_id):
        for index, output in enumerate(entry.tx["outputs"]):
            if keys is None or not keys.isdisjoint(output["public_keys"] or ()):
                spender = entry.spent_by.get(index)
                yield _output(names, asset_id, entry.tx["id"], index, output, spender)


def _outputs_of_keys(
    workspace: Workspace, keys: Iterable[str], *, unspent: bool
) -> Iterator[Output]:
    names = resolve.Names(workspace)
    seen = set()
    entry: Entry | None = None
    for key in keys:
        for ref in workspace.client.outputs(key, spent=False if unspent else None):
            place = (ref["transaction_id"], ref["output_index"])
            if place in seen:
                continue
            seen.add(place)
            tx_id, index = place
            # Outputs of one transaction follow one another; there may be hundreds.
            if entry is None or entry.tx["id"] != tx_id:
                entry = workspace.client.required(tx_id)
            output, spender = entry.tx["outputs"][index], entry.spent_by.get(index)
            yield _output(names, asset_of(entry.tx), tx_id, index, output, spender)


def _output(
    names: resolve.Names, asset_id: str, tx_id: str, index: int, output: Json, spender: str | None
) -> Output:
    keys = list(output["public_keys"] or ())
    return {
        "transaction_id": tx_id,
        "output_index": index,
        "amount": output["amount"],
        "owners": keys,
        "owner_names": names.of_keys(keys),
        "owner": names.owner(output["condition"]["details"]),
        "condition": output["condition"]["details"],
        "asset_id": asset_id,
        "spent_by": spender,
    }


def balance(workspace: Workspace, ref: str | None = None, *, owner: str | None = None) -> Balances:
    """Return how much of an asset each owner holds, or how much of everything my keys hold.

    Owners are who has to sign: what Jack and Kelly hold together is neither's own.

    Args:
        workspace: Rooms.
        ref: The asset; None: all of which ``owner``, or a key of mine, holds something.
        owner: Only what this party, alone or with others, holds.

    Returns:
        One entry an asset and owner.
    """
    names, asset_names = resolve.Names(workspace), resolve.asset_names(workspace)
    keys = set(_parties(workspace, owner)) if owner is not None or ref is None else None
    if ref is not None:
        ids = [resolve.asset_id_of(workspace, ref)]
    else:
        ids = workspace.client.held_by(sorted(keys or ()))
    sums: dict[tuple[str, str], Balance] = {}
    totals: dict[tuple[str, str], int] = {}
    for standing in workspace.client.standings(ids):
        asset_id = standing.create["id"]
        for _, _, output in standing.unspent:
            condition = output["condition"]
            if keys is not None and keys.isdisjoint(conditions.leaf_keys(condition["details"])):
                continue
            place = asset_id, condition["uri"]
            held = sums.get(place)
            if held is None:
                held = sums[place] = {
                    "asset_id": asset_id,
                    "asset_name": asset_names.get(asset_id),
                    "owners": names.owner(condition["details"]),
                    "keys": list(output["public_keys"] or ()),
                    "condition": condition["details"],
                    "amount": "",
                    "outputs": 0,
                    "burned": is_burned(output),
                }
            totals[place] = totals.get(place, 0) + int(output["amount"])
            held["outputs"] += 1
    for place, held in sums.items():
        held["amount"] = str(totals[place])
    return {"schema": "twin.balances/1", "balances": list(sums.values())}
