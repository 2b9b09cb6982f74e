"""Listings of assets, outputs and amounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto import conditions
from twincli.model.transaction import asset_of
from twincli.rules.replay import is_burned
from twincli.services import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.ledger.reading import Entry
    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace

from twincli.services.asset.document import head, owned


def list_assets(
    workspace: Workspace,
    *,
    everything: bool = False,
    owner: str | None = None,
    kind: str | None = None,
    model: str | None = None,
) -> Document:
    """Return assets: those my keys own and those I have named, or all.

    Args:
        workspace: Rooms.
        everything: All assets on the ledger.
        owner: Only those this party owns.
        kind: Only of this kind.
        model: Only of this model.

    Returns:
        ``twin.assets/1`` with ``assets``: ``name id did kind owners owner_names amount burned``,
        an iterator, in commit order.
    """
    ids: Iterable[str]
    if owner is not None:
        ids = owned_by(workspace, [resolve.public_key_of(workspace, owner)])
    elif everything:
        ids = workspace.client.asset_ids()
    else:
        ids = _mine(workspace)
    for name, wanted in (("kind", kind), ("model", model)):
        if wanted is not None:
            fitting = set(workspace.client.assets_with(name, wanted))
            ids = [asset_id for asset_id in ids if asset_id in fitting]
    return {
        "schema": "twin.assets/1",
        "assets": (_brief(workspace, asset_id) for asset_id in ids),
    }


def _brief(workspace: Workspace, asset_id: str) -> Document:
    entry = workspace.client.required(asset_id)
    outputs = [item.output for item in workspace.client.unspent(asset_id)]
    document = head(workspace, entry.tx)
    del document["schema"], document["ledger"]
    document["kind"] = resolve.asset_kind(entry.tx)
    document.update(owned(workspace, outputs))
    del document["condition"]
    document["burned"] = all(is_burned(output) for output in outputs)
    return document


def owned_by(workspace: Workspace, keys: Iterable[str]) -> list[str]:
    """Return the ids of assets of which any of ``keys`` holds an unspent output."""
    found: dict[str, int] = {}
    for key in keys:
        for output in workspace.client.outputs(key, spent=False):
            entry = workspace.client.required(output["transaction_id"])
            found[asset_of(entry.tx)] = 0
    return _in_order(workspace, found)


def _mine(workspace: Workspace) -> list[str]:
    found = dict.fromkeys(
        owned_by(workspace, [info.public_key for info in workspace.keystore.scan()[0]])
    )
    for named in workspace.book.list_assets(workspace.client.ledger_id):
        if workspace.client.entry(named.asset_id) is not None:
            found[named.asset_id] = None
    return _in_order(workspace, found)


def _in_order(workspace: Workspace, ids: Iterable[str]) -> list[str]:
    """Return asset ids in commit order."""
    heights = []
    for asset_id in ids:
        entry = workspace.client.required(asset_id)
        # What has no height yet is just being committed.
        heights.append((entry.height is None, entry.height or 0, asset_id))
    return [asset_id for *_, asset_id in sorted(heights)]


def outputs(
    workspace: Workspace,
    ref: str | None = None,
    *,
    owner: str | None = None,
    unspent: bool = False,
) -> Document:
    """Return outputs: of an asset, of an owner, or of all my keys.

    Returns:
        ``twin.outputs/1`` with ``outputs``: ``transaction_id output_index amount owners
        owner_names condition asset_id spent``.
    """
    found: Iterator[Document]
    if ref is not None:
        asset_id = resolve.asset_id_of(workspace, ref)
        keys = None if owner is None else {resolve.public_key_of(workspace, owner)}
        found = _outputs_of_asset(workspace, asset_id, keys, unspent=unspent)
    else:
        parties = (
            [resolve.public_key_of(workspace, owner)]
            if owner is not None
            else [info.public_key for info in workspace.keystore.scan()[0]]
        )
        found = _outputs_of_keys(workspace, parties, unspent=unspent)
    return {"schema": "twin.outputs/1", "outputs": found}


def _outputs_of_asset(
    workspace: Workspace, asset_id: str, keys: set[str] | None, *, unspent: bool
) -> Iterator[Document]:
    for entry in workspace.client.entries(asset_id):
        for index, output in enumerate(entry.tx["outputs"]):
            if unspent and index in entry.spent_by:
                continue
            if keys is None or keys & set(output["public_keys"] or ()):
                yield _output(workspace, entry, index)


def _outputs_of_keys(
    workspace: Workspace, keys: Iterable[str], *, unspent: bool
) -> Iterator[Document]:
    seen = set()
    for key in keys:
        for ref in workspace.client.outputs(key, spent=False if unspent else None):
            place = (ref["transaction_id"], ref["output_index"])
            if place in seen:
                continue
            seen.add(place)
            entry = workspace.client.required(place[0])
            yield _output(workspace, entry, place[1])


def _output(workspace: Workspace, entry: Entry, index: int) -> Document:
    output = entry.tx["outputs"][index]
    keys = list(output["public_keys"] or ())
    return {
        "transaction_id": entry.tx["id"],
        "output_index": index,
        "amount": output["amount"],
        "owners": keys,
        "owner_names": resolve.names_of(workspace, keys),
        "condition": output["condition"]["details"],
        "asset_id": asset_of(entry.tx),
        "spent_by": entry.spent_by.get(index),
    }


def balance(workspace: Workspace, ref: str | None = None, *, owner: str | None = None) -> Document:
    """Return how much of an asset each owner holds, or how much of everything my keys hold.

    Owners are who has to sign: what Jack and Kelly hold together is neither's own.

    Args:
        workspace: Rooms.
        ref: The asset; None: all of which ``owner``, or a key of mine, holds something.
        owner: Only what this party, alone or with others, holds.

    Returns:
        ``twin.balances/1`` with ``balances``: ``asset_id asset_name owners keys condition amount
        outputs burned``; ``owners`` is an expression in local names, ``outputs`` a count.
    """
    sums: dict[tuple[str, str], Document] = {}
    for item in outputs(workspace, ref, owner=owner, unspent=True)["outputs"]:
        uri = conditions.from_details(item["condition"]).uri
        held = sums.get((item["asset_id"], uri))
        if held is None:
            asset_id = item["asset_id"]
            held = sums[asset_id, uri] = {
                "asset_id": asset_id,
                "asset_name": resolve.asset_name(workspace, asset_id),
                "owners": resolve.owners_text(workspace, item["condition"]),
                "keys": item["owners"],
                "condition": item["condition"],
                "amount": 0,
                "outputs": 0,
                "burned": is_burned({"public_keys": item["owners"]}),
            }
        held["amount"] += int(item["amount"])
        held["outputs"] += 1
    return {
        "schema": "twin.balances/1",
        "balances": [{**held, "amount": str(held["amount"])} for held in sums.values()],
    }
