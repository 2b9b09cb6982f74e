"""Say many things of one kind about a twin at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import LockedError
from twincli.model import record, times
from twincli.services import resolve
from twincli.services.asset.attempt import check_not_frozen
from twincli.services.asset.write_options import checked_at
from twincli.services.signers import keys_to_spend, unlock
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twincli.crypto.ed25519 import Signer
    from twincli.services.asset.attempt import Target
    from twincli.services.workspace import Workspace


class Thing(NamedTuple):
    """Something to say.

    Attributes:
        body: Of the record.
        once: Its token.
    """

    body: dict[str, Any]
    once: str


class BulkSigner(NamedTuple):
    """Who appends in bulk.

    Attributes:
        public_key: Base58.
        pair: The key; None in a dry run.
    """

    public_key: str
    pair: Signer | None


def said_before(target: Target, kind: str, things: Sequence[Thing]) -> list[str | None]:
    """Return for each thing the transaction in which keys of mine said the same, or None."""
    client = target.workspace.client
    mine = _mine(target.workspace)
    has_statements = bool(client.assets_with("about", target.asset_id))
    found: list[str | None] = []
    for thing in things:
        said = client.once(target.asset_id, thing.once)
        ids = [tx_id for signers, tx_id in said if signers <= mine]
        if not ids and has_statements:
            ids = [
                tx_id
                for key in mine
                for tx_id in client.assets_with("nonce", record.once_nonce(thing.once, [key]))
            ]
        found.append(next((tx_id for tx_id in ids if _says(target, tx_id, kind, thing)), None))
    return found


def _mine(workspace: Workspace) -> set[str]:
    if workspace.keys:
        return {resolve.public_key_of(workspace, name) for name in workspace.keys}
    return {info.public_key for info in workspace.keystore.scan()[0]}


def _says(target: Target, tx_id: str, kind: str, thing: Thing) -> bool:
    tx = target.workspace.client.required(tx_id).tx
    if tx["operation"] == "CREATE":
        found = record.creating_envelope(tx)
        is_such = found.get("about") == target.asset_id and found.get("says") == kind
    else:
        found = record.envelope_of(tx["metadata"]) or {}
        is_such = found.get("kind") == kind
    return is_such and found.get("body") == thing.body


def bulk_signer(target: Target) -> BulkSigner | None:
    """Return the key that alone owns the whole twin and can append in bulk; None: none can.

    Raises:
        LockedError: ``frozen``.
    """
    workspace = target.workspace
    replay = workspace.client.replay(target.asset_id)
    if replay is not None:
        check_not_frozen(target.ref, replay)
    unspent = workspace.client.unspent(target.asset_id)
    if len(unspent) != 1:
        return None
    details = unspent[0].output["condition"]["details"]
    if "public_key" not in details:
        return None
    try:
        infos = keys_to_spend(workspace, [details], target.ref)
    except LockedError:
        return None
    return BulkSigner(
        infos[0].public_key, None if workspace.dry_run else unlock(workspace, infos)[0]
    )


def say_many(target: Target, signer: BulkSigner, kind: str, things: Sequence[Thing]) -> list[str]:
    """Append a record of each thing, in order; return the transactions, none in a dry run."""
    workspace, _, asset_id, writing = target
    now = workspace.now()
    at = times.to_text(now if writing.at is None else checked_at(writing.at, now))
    if signer.pair is None:
        return []

    def metadatas() -> Iterator[dict[str, Any]]:
        for thing in things:
            said = record.envelope(kind, at=at, once=thing.once, body=thing.body)
            yield {record.KEY: said}

    return workspace.client.append_many(signer.pair, asset_id, metadatas())
