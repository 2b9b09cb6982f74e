"""The document of an asset: as it is, as it was, and after a write."""

from __future__ import annotations

from twincli.errors import NotFoundError
from twincli.model import record, times
from twincli.model.transaction import asset_of, signers_of
from twincli.rules.replay import Pin, Replay, is_burned
from twincli.services import resolve
from twincli.values import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.ledger.reading import Entry
    from twincli.services.documents import (
        Asset,
        AssetHead,
        AssetLinks,
        Holding,
        Json,
        PlainAsset,
        TxPlace,
        WrittenAsset,
    )
    from twincli.services.workspace import Workspace


def show(workspace: Workspace, ref: str, as_of: str | None = None) -> Asset:
    """Return an asset as it is now, or as it was.

    Args:
        workspace: Rooms.
        ref: The asset.
        as_of: A time, as people write it; what was committed up to then.

    Raises:
        NotFoundError: There is none, or there was none at that time.
    """
    asset_id = resolve.asset_id_of(workspace, ref)
    as_of_ms = None if as_of is None else times.parse(as_of, workspace.now())
    shown = _asset(workspace, asset_id, as_of_ms)
    if shown["parent"] is not None:
        from twincli.services import standing

        part = workspace.client.required(asset_id)
        shown["parent_standing"] = standing.at_birth(workspace.client, shown["parent"], part)
    template, cid = shown["template"], shown["template_cid"]
    if template is not None and cid is not None and shown["kind"] != record.TEMPLATE:
        from twincli.services.asset.real_time import real_time

        fields = real_time(workspace, Pin(template, cid, ""), shown["state"])
        if fields is None or fields:
            shown["real_time"] = fields
    return shown


def _asset(workspace: Workspace, asset_id: str, as_of_ms: int | None = None) -> Asset:
    client = workspace.client
    replay = client.replay(asset_id, as_of_ms)
    if replay is None or replay.create is None or replay.last is None:
        raise NotFoundError(f"there was no asset {asset_id} at that time")
    names = resolve.Names(workspace)
    entry = client.required(replay.last["id"])
    held = _held(workspace, replay)
    plain: PlainAsset = {
        **_head(workspace, replay.create),
        **holding(names, [output for _, output in held]),
        **_tip(entry),
        "data": record.without_envelope(replay.create["asset"]["data"]),
        "state": replay.common,
        "burned": all(is_burned(output) for _, output in held),
        "frozen_by": replay.frozen,
        **_links(replay),
    }
    document = cast("Asset", plain)
    if replay.is_split:
        document["outputs"] = [
            {
                "transaction_id": tx_id,
                "output_index": index,
                "amount": output["amount"],
                "owners": output["public_keys"],
                "owner": names.owner(output["condition"]["details"]),
                "state": replay.outputs[tx_id, index],
            }
            for (tx_id, index), output in held
        ]
    return document


def _held(workspace: Workspace, replay: Replay) -> list[tuple[tuple[str, int], Json]]:
    """Return the unspent outputs; a transaction that has many of them is read once."""
    read: dict[str, Json] = {}
    found = []
    for tx_id, index in replay.outputs:
        tx = read.get(tx_id)
        if tx is None:
            tx = read[tx_id] = workspace.client.required(tx_id).tx
        found.append(((tx_id, index), tx["outputs"][index]))
    return found


def _head(workspace: Workspace, create: Json) -> AssetHead:
    asset_id = create["id"]
    ledger = workspace.client.ledger_id
    return {
        "schema": "twin.asset/1",
        "name": resolve.asset_name(workspace, asset_id),
        "id": asset_id,
        "did": did_of(asset_id, ledger),
        "ledger": ledger,
    }


def did_of(asset_id: str, ledger_id: str) -> str:
    """Return what ``did.asset_did`` does, without the parser of DIDs, which is slow to load."""
    return f"did:bdb:{ledger_id[:16]}:{asset_id}"


def holding(names: resolve.Names, outputs: Sequence[Json]) -> Holding:
    """Return who holds what: owners over all outputs, the condition while there is one."""
    keys = list(dict.fromkeys(key for output in outputs for key in output["public_keys"] or ()))
    by_uri = {output["condition"]["uri"]: output["condition"]["details"] for output in outputs}
    return {
        "owners": [*keys],
        "owner_names": names.of_keys(keys),
        "owner": "; ".join(names.owner(details) for details in by_uri.values()),
        "condition": outputs[0]["condition"]["details"] if len(outputs) == 1 else None,
        "amount": str(sum(int(output["amount"]) for output in outputs)),
    }


def _tip(entry: Entry) -> TxPlace:
    return {
        "transaction_id": entry.tx["id"],
        "height": entry.height,
        "at": claimed(entry.tx),
        "committed_at": times.told(entry.time_ms),
    }


def claimed(tx: Json) -> str | None:
    """Return the time that a transaction's signer states, or None."""
    at = (record.envelope_of(tx["metadata"]) or {}).get("at")
    if at is None and tx["operation"] == "CREATE":
        at = record.creating_envelope(tx).get("at")
    return record.text(at)


def _links(replay: Replay) -> AssetLinks:
    assert replay.create is not None
    envelope = record.creating_envelope(replay.create)
    data = replay.create["asset"]["data"]
    pin = replay.pin
    # Strangers write envelopes too; what is not text stands for nothing.
    return {
        "kind": record.text(envelope.get("kind")),
        "title": record.text(envelope.get("name")),
        "template": pin.template if pin else record.text(envelope.get("template")),
        "template_cid": pin.cid if pin else record.text(envelope.get("template_cid")),
        "parent": record.text(envelope.get("parent")),
        "entity": replay.entity,
        "entity_standing": (
            record.entity_standing(data) if replay.entity == envelope.get("entity") else "claimed"
        ),
        "model": record.orm_model(data),
    }


# --- After a write -------------------------------------------------------------------------------


def written(
    workspace: Workspace, asset_id: str, tx_id: str, warnings: Sequence[str]
) -> WrittenAsset:
    """Return the asset and the transaction that was made.

    Where somebody wrote since, or an old write was repeated, the asset is as it is now.
    """
    entry = workspace.client.required(tx_id)
    return {
        **_asset(workspace, asset_id),
        **_tip(entry),
        "written": record.without_envelope(entry.tx["metadata"]),
        "signed_by": [*signers_of(entry.tx)],
        "warnings": list(warnings),
    }


def sent(workspace: Workspace, name: str | None, tx: Json, warnings: Sequence[str]) -> WrittenAsset:
    """Return the document of a write whose commit was not waited for: ``--wait sync|async``.

    As ``written``, but what only a commit gives is null.
    """
    asset_id = asset_of(tx)
    replay = workspace.client.replay(asset_id)
    if replay is not None and replay.last is not None and replay.last["id"] == tx["id"]:
        return written(workspace, asset_id, tx["id"], warnings)  # it is already there
    document = unsigned(workspace, name, tx, signers_of(tx), warnings)
    if tx["operation"] == "CREATE":
        known = _head(workspace, tx)
        document["id"], document["did"] = known["id"], known["did"]
    document["transaction_id"] = tx["id"]
    return document


def unsigned(
    workspace: Workspace,
    name: str | None,
    tx: Json,
    signers: Sequence[str | None],
    warnings: Sequence[str],
    planned: resolve.PlannedKey | None = None,
) -> WrittenAsset:
    """Return what a write would give: ``--dry-run``. Ids, heights and times are null.

    Args:
        workspace: Rooms.
        name: What the asset is called, None where it has no name.
        tx: The transaction, unsigned.
        signers: The public keys that would sign.
        warnings: To be passed on.
        planned: A key that is still to be made.
    """
    head: AssetHead
    if tx["operation"] == "CREATE":
        replay, facts = Replay(), tx["asset"]["data"]
        ledger = workspace.client.ledger_id
        head = {
            "schema": "twin.asset/1",
            "name": name,
            "id": None,
            "did": None,
            "ledger": ledger,
        }
    else:
        found = workspace.client.replay(tx["asset"]["id"])
        assert found is not None
        assert found.create is not None
        replay, facts = found, found.create["asset"]["data"]
        head = _head(workspace, found.create)
    state = replay.add({**tx, "id": ""}).after
    links = _links(replay)
    if tx["operation"] == "CREATE":
        links["entity_standing"] = None  # its key may still sign
    plain: PlainAsset = {
        **head,
        **holding(resolve.Names(workspace, planned), tx["outputs"]),
        "transaction_id": None,
        "height": None,
        "at": claimed(tx),
        "committed_at": None,
        "data": record.without_envelope(facts),
        "state": state,
        "burned": all(is_burned(output) for output in tx["outputs"]),
        "frozen_by": replay.frozen or None,
        **links,
    }
    return {
        **cast("Asset", plain),
        "written": record.without_envelope(tx["metadata"]),
        "signed_by": [*signers],
        "warnings": list(warnings),
    }
