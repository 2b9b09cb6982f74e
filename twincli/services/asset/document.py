"""Looking at twins: documents of assets and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError, NotFoundError
from twincli.model import record, times
from twincli.model.transaction import asset_of
from twincli.rules.replay import Replay, is_burned
from twincli.services import resolve
from twincli.services.signers import signers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.keystore.keyfile import KeyInfo
    from twincli.ledger.reading import Entry
    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace


def show(workspace: Workspace, ref: str, as_of: str | None = None) -> Document:
    """Return an asset as it is now, or as it was.

    Args:
        workspace: Rooms.
        ref: The asset.
        as_of: A time, as people write it; what was committed up to then.

    Returns:
        ``twin.asset/1``: ``name id did ledger owners owner_names condition amount transaction_id
        height at committed_at data state burned template parent entity kind``, ``entity_standing``
        and, while it is split, ``outputs`` with the state of each.

    Raises:
        NotFoundError: There is none, or there was none at that time.
    """
    asset_id = resolve.asset_id_of(workspace, ref)
    as_of_ms = None if as_of is None else times.parse(as_of, workspace.now())
    return _asset(workspace, asset_id, as_of_ms)


def _asset(workspace: Workspace, asset_id: str, as_of_ms: int | None = None) -> Document:
    client = workspace.client
    replay = client.replay(asset_id, as_of_ms)
    if replay is None or replay.create is None or replay.last is None:
        raise NotFoundError(f"there was no asset {asset_id} at that time")
    entry = client.required(replay.last["id"])
    held = [
        (ref, output_at(client.entry(ref[0]), ref[1]), state)
        for ref, state in replay.outputs.items()
    ]
    document = head(workspace, replay.create)
    document.update(owned(workspace, [output for _, output, _ in held]))
    document.update(
        transaction_id=entry.tx["id"],
        height=entry.height,
        at=_claimed(entry.tx),
        committed_at=times.told(entry.time_ms),
        data=record.without_envelope(replay.create["asset"]["data"]),
        state=replay.common,
        burned=all(is_burned(output) for _, output, _ in held),
        **_links(replay),
    )
    if replay.is_split:
        document["outputs"] = [
            {
                "transaction_id": tx_id,
                "output_index": index,
                "amount": output["amount"],
                "owners": output["public_keys"],
                "state": state,
            }
            for (tx_id, index), output, state in held
        ]
    return document


def output_at(entry: Entry | None, index: int) -> dict[str, Any]:
    """Return an output that another transaction says is there.

    Raises:
        ConfigError: It is not; the ledger is damaged.
    """
    if entry is None:
        raise ConfigError(
            "the ledger is damaged: a transaction that something follows on is missing",
            code="damaged_ledger",
            hint="restore the ledger from a backup; twin doctor --full says what is wrong",
        )
    output: dict[str, Any] = entry.tx["outputs"][index]
    return output


def head(workspace: Workspace, create: dict[str, Any]) -> Document:
    """Return the first members of an asset's document."""
    asset_id = create["id"]
    ledger = workspace.client.ledger_id
    return {
        "schema": "twin.asset/1",
        "name": resolve.asset_name(workspace, asset_id),
        "id": asset_id,
        # As did.asset_did has it, which would load a parser of DIDs at every append.
        "did": f"did:bdb:{ledger[:16]}:{asset_id}",
        "ledger": ledger,
    }


def owned(workspace: Workspace, outputs: Sequence[dict[str, Any]]) -> Document:
    """Return who holds what: owners over all outputs, the condition while there is one."""
    keys = list(dict.fromkeys(key for output in outputs for key in output["public_keys"] or ()))
    details = [output["condition"]["details"] for output in outputs]
    return {
        "owners": keys,
        "owner_names": resolve.names_of(workspace, keys),
        "condition": details[0] if len(details) == 1 else None,
        "amount": str(sum(int(output["amount"]) for output in outputs)),
    }


def _claimed(tx: dict[str, Any]) -> str | None:
    """Return the time that a transaction's signer states, or None."""
    envelope = record.envelope_of(tx["metadata"]) or {}
    at = envelope.get("at")
    if at is None and tx["operation"] == "CREATE":
        at = record.creating_envelope(tx).get("at")
    return at if isinstance(at, str) else None


def _links(replay: Replay) -> Document:
    assert replay.create is not None
    envelope = record.creating_envelope(replay.create)
    data = replay.create["asset"]["data"]
    # Strangers write envelopes too; what is no text stands for nothing.
    return {
        "kind": _text(envelope, "kind"),
        "title": _text(envelope, "name"),
        "template": _text(envelope, "template"),
        "parent": _text(envelope, "parent"),
        "entity": replay.entity,
        "entity_standing": (
            record.entity_standing(data) if replay.entity == envelope.get("entity") else "claimed"
        ),
        "model": record.orm_model(data),
    }


def _text(envelope: dict[str, Any], name: str) -> str | None:
    value = envelope.get(name)
    return value if isinstance(value, str) else None


def written(workspace: Workspace, asset_id: str, tx_id: str, warnings: Sequence[str]) -> Document:
    """Return the document of a write: the asset, and the transaction that was made.

    Beside the asset's members: ``written`` (what the transaction recorded), ``signed_by``,
    ``warnings``.
    """
    document = _asset(workspace, asset_id)
    entry = workspace.client.required(tx_id)
    if tx_id != document["transaction_id"]:  # somebody wrote since, or a retry of an old write
        document.update(
            transaction_id=tx_id,
            height=entry.height,
            at=_claimed(entry.tx),
            committed_at=times.told(entry.time_ms),
        )
    document["written"] = record.without_envelope(entry.tx["metadata"])
    document["signed_by"] = signers_of(entry.tx)
    document["warnings"] = list(warnings)
    return document


def sent(workspace: Workspace, name: str, tx: dict[str, Any], warnings: Sequence[str]) -> Document:
    """Return the document of a write whose commit was not waited for: ``--wait sync|async``.

    As ``written``, but what only a commit gives is null.
    """
    asset_id = asset_of(tx)
    replay = workspace.client.replay(asset_id)
    if replay is not None and replay.last is not None and replay.last["id"] == tx["id"]:
        return written(workspace, asset_id, tx["id"], warnings)  # it is there already
    document = unsigned(workspace, name, tx, (), warnings)
    if tx["operation"] == "CREATE":
        known = head(workspace, tx)
        document.update(id=known["id"], did=known["did"])
    document["transaction_id"] = tx["id"]
    document["signed_by"] = signers_of(tx)
    return document


def unsigned(
    workspace: Workspace,
    name: str,
    tx: dict[str, Any],
    signers: Sequence[KeyInfo],
    warnings: Sequence[str],
) -> Document:
    """Return what a write would give: ``--dry-run``. Ids, heights and times are null."""
    ledger = workspace.client.ledger_id
    is_create = tx["operation"] == "CREATE"
    document: Document
    if is_create:
        data = tx["asset"]["data"]
        envelope = record.envelope_of(data) or {}
        document = {
            "schema": "twin.asset/1",
            "name": name,
            "id": None,
            "did": None,
            "ledger": ledger,
        }
        facts, state = record.without_envelope(data), record.without_envelope(tx["metadata"])
        links = {
            "kind": envelope.get("kind"),
            "title": envelope.get("name"),
            "template": None,
            "parent": envelope.get("parent"),
            "entity": envelope.get("entity"),
            "entity_standing": None,
            "model": record.orm_model(data),
        }
    else:
        replay = workspace.client.replay(tx["asset"]["id"])
        assert replay is not None
        assert replay.create is not None
        document = head(workspace, replay.create)
        facts = record.without_envelope(replay.create["asset"]["data"])
        state = replay.add({**tx, "id": ""}).after
        links = _links(replay)
    document.update(owned(workspace, tx["outputs"]))
    document.update(
        transaction_id=None,
        height=None,
        at=_claimed(tx),
        committed_at=None,
        data=facts,
        state=state,
        burned=all(is_burned(output) for output in tx["outputs"]),
        **links,
        written=record.without_envelope(tx["metadata"]),
        signed_by=[info.public_key for info in signers],
        warnings=list(warnings),
    )
    return document


# --- Listings ----------------------------------------------------------------------------------
