"""Changing a key for another one: everything the old key owns goes to the new one."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from twincli.crypto import conditions
from twincli.errors import InvalidError, LockedError, UsageError
from twincli.model import record, times
from twincli.model import transaction as _transaction
from twincli.model.transaction import asset_of
from twincli.rules import partial as _partial
from twincli.services import resolve
from twincli.services.signers import keys_to_spend, unlock
from twincli.services.standing import Speakers
from twincli.services.tx import cosign
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.keystore.keyfile import KeyInfo
    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace


OTHERS = "others_sign"
OWNER_ALREADY = "owner_already"
"""Why an output is left, beside the codes of the ledger's refusals."""

CHUNK = 500
"""Transfers to a durable commit."""


class Move(NamedTuple):
    """The transfer of one output.

    Attributes:
        asset_id: Its asset.
        output: ``TX:N`` that is spent.
        amount: How much it holds, as text.
        tx: The unsigned transfer.
        infos: Keys here that suffice to sign it; empty: others must sign, too.
        shared: Whether the new key is already an owner.
    """

    asset_id: str
    output: str
    amount: str
    tx: dict[str, Any]
    infos: list[KeyInfo]
    shared: bool


def rotate(
    workspace: Workspace, old: KeyInfo, new_key: str, *, prepare: bool = False
) -> tuple[Document, list[Document]]:
    """Move every unspent output of a key to another key.

    What the old key holds with others stays shared with them: the new key takes its place in the
    condition. Where keys here do not suffice for that, the transfer is prepared for the others to
    sign. Stopped half-way it goes on where it was when it is run again.

    Where the new key is already an owner it is left: in the place of the old one it would count
    twice, and sign alone for what asked two people.

    Args:
        workspace: Rooms; its ``keys`` are not looked at.
        old: The key to leave.
        new_key: The public key to go to.
        prepare: Prepare what others have to sign, instead of leaving it.

    Returns:
        ``twin.rotation/1``: ``ledger from to moved prepared left entities signed_by warnings``.
        ``moved`` and ``left`` have ``asset_id asset_name output amount``, the first also
        ``transaction_id``, the second ``code`` and ``message``; ``entities`` are twins that name
        the old key as their own and are not its to change. And the contents of the files to hand
        round, each with its ``twin.signing/1`` under ``shown``.

    Raises:
        UsageError: Both keys are one.
        LockedError: ``locked``, ``bad_passphrase``.
    """
    if old.public_key == new_key:
        raise UsageError(f"{old.name} is the same key", hint="name another key with --to")
    moved: list[Document] = []
    left: list[Document] = []
    files: list[Document] = []
    unlocked: dict[str, Any] = {}
    moves = _moves(workspace, old.public_key, new_key)
    while chunk := list(islice(moves, CHUNK)):
        ready = [move for move in chunk if move.infos and not move.shared]
        for move in chunk:
            if move.shared:
                left.append(
                    _item(
                        workspace,
                        move,
                        code=OWNER_ALREADY,
                        message="the new key is already an owner",
                    )
                )
            elif move.infos:
                continue
            elif prepare:
                files.append(_prepared(workspace, move, old, unlocked))
            else:
                left.append(_item(workspace, move, code=OTHERS, message="others must sign, too"))
        verdicts = _submitted(workspace, ready, unlocked)
        for move, verdict in zip(ready, verdicts, strict=True):
            if isinstance(verdict, InvalidError):
                left.append(_item(workspace, move, code=verdict.code, message=verdict.message))
            else:
                moved.append(_item(workspace, move, transaction_id=verdict or None))
    document = {
        "schema": "twin.rotation/1",
        "ledger": workspace.client.ledger_id,
        "from": {"name": old.name, "public_key": old.public_key},
        "to": {"name": resolve.name_of(workspace, new_key), "public_key": new_key},
        "moved": moved,
        "prepared": [],
        "left": left,
        "entities": _entities(workspace, old.public_key, {item["asset_id"] for item in moved}),
        "signed_by": sorted({info.public_key for info in unlocked.values()}),
        "warnings": [],
    }
    return document, files


def _item(workspace: Workspace, move: Move, **more: Any) -> Document:
    return {
        "asset_id": move.asset_id,
        "asset_name": resolve.asset_name(workspace, move.asset_id),
        "output": move.output,
        "amount": move.amount,
        **more,
    }


def _moves(workspace: Workspace, old: str, new: str) -> Iterator[Move]:
    client = workspace.client
    at = times.to_text(workspace.now())
    names_old: dict[str, bool] = {}
    keeps: dict[str, list[str] | None] = {}
    speakers = Speakers(client)
    signers: dict[str, list[KeyInfo]] = {}
    for ref in client.outputs(old, spent=False):
        entry = client.required(ref["transaction_id"])
        spend = _transaction.Spend.of(entry.tx, ref["output_index"])
        asset_id = asset_of(entry.tx)
        held = entry.tx["outputs"][ref["output_index"]]
        # Once an asset and once an owner: a key may hold thousands of outputs.
        if asset_id not in names_old:
            replay = client.replay(asset_id)
            assert replay is not None
            names_old[asset_id] = replay.entity == old
            # The owner stays the same person, so nothing that was granted ends.
            keeps[asset_id] = speakers.authority(asset_id).kept_by_all() or None
        owner = held["condition"]["uri"]
        if owner not in signers:
            signers[owner] = _suffice(workspace, spend.details, asset_id)
        body = {"entity": new} if names_old[asset_id] else None
        envelope = record.envelope(record.TRANSFER, at=at, body=body, keeps=keeps[asset_id])
        metadata = {record.KEY: envelope}
        output = _transaction.Output(_exchanged(spend.details, old, new), int(held["amount"]))
        tx = _transaction.transfer([spend], [output], asset_id, metadata)
        place = f"{ref['transaction_id']}:{ref['output_index']}"
        shared = new in conditions.leaf_keys(spend.details)
        yield Move(asset_id, place, held["amount"], tx, signers[owner], shared)


def _suffice(workspace: Workspace, details: dict[str, Any], asset_id: str) -> list[KeyInfo]:
    """Return keys here that can spend what such a condition guards; none: others have to sign."""
    try:
        return keys_to_spend(workspace._replace(keys=()), [details], asset_id)
    except LockedError:
        return []


def _exchanged(details: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """Return condition details with one key in the place of another."""
    if details["type"] == "ed25519-sha-256":
        return {**details, "public_key": new} if details["public_key"] == old else details
    parts = [_exchanged(part, old, new) for part in details["subconditions"]]
    return {**details, "subconditions": parts}


def _signers(workspace: Workspace, infos: Iterable[KeyInfo], unlocked: dict[str, Any]) -> list[Any]:
    for info in infos:
        if info.name not in unlocked:
            unlocked[info.name] = unlock(workspace, [info])[0]
    return [unlocked[info.name] for info in infos]


def _submitted(
    workspace: Workspace, moves: list[Move], unlocked: dict[str, Any]
) -> list[str | InvalidError]:
    """Return for each move the id of its transaction, or why it was refused."""
    if workspace.dry_run:
        return ["" for _ in moves]
    txs = [_transaction.sign(move.tx, _signers(workspace, move.infos, unlocked)) for move in moves]
    verdicts = workspace.client.submit_each(txs)
    return [
        verdict if isinstance(verdict, InvalidError) else tx["id"]
        for tx, verdict in zip(txs, verdicts, strict=True)
    ]


def _prepared(workspace: Workspace, move: Move, old: KeyInfo, unlocked: dict[str, Any]) -> Document:
    partial = cosign.from_unsigned(workspace.client, move.tx)
    if not workspace.dry_run:
        partial = _partial.sign(partial, _signers(workspace, [old], unlocked))
    return {**_partial.document(partial), "shown": cosign.describe(partial, workspace)}


def _entities(workspace: Workspace, key: str, moved: set[str]) -> list[Document]:
    """Return the twins that still name the old key as their own."""
    found = []
    for asset_id in workspace.client.assets_with("entity", key):
        replay = workspace.client.replay(asset_id)
        if replay is not None and replay.entity == key and asset_id not in moved:
            found.append(
                {"asset_id": asset_id, "asset_name": resolve.asset_name(workspace, asset_id)}
            )
    return found
