"""Spending twins: append, transfer, burn. Each returns the asset's document.

Every write is built against the tip it found and submitted; when another writer won meanwhile it
is built again (dotted paths included), unless ``if_tip`` forbids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from twincli import BUILD_TIME_MS
from twincli.errors import ConflictError, InvalidError, NotFoundError
from twincli.model import edits as _edits
from twincli.model import record, times
from twincli.model import transaction as _transaction
from twincli.rules.data import check_data
from twincli.rules.replay import Replay, corrected_by
from twincli.services import resolve
from twincli.services.asset import document
from twincli.services.asset.write_options import Writing, checked_at
from twincli.services.signers import keys_to_spend, unlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.crypto.ed25519 import Signer
    from twincli.keystore.keyfile import KeyInfo
    from twincli.ledger.reading import Spendable
    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace

ATTEMPTS = 200


class _Attempt(NamedTuple):
    """One look at the tip.

    Attributes:
        replay: The asset as it is.
        spends: Outputs to spend.
        outputs: New outputs.
        written: Members to write into the metadata.
        kind, body: Of the envelope.
        also: More transactions to commit along, unsigned.
    """

    replay: Replay
    spends: list[Spendable]
    outputs: list[_transaction.Output]
    written: dict[str, Any]
    kind: str
    body: dict[str, Any] | None = None
    corrects: str | None = None
    also: tuple[dict[str, Any], ...] = ()


def _spend(
    workspace: Workspace,
    ref: str,
    asset_id: str,
    writing: Writing,
    plan: Callable[[Replay, list[Spendable]], _Attempt],
    is_same: Callable[[dict[str, Any]], bool],
) -> Document:
    """Plan, sign and submit until it holds; see the module's docstring.

    Args:
        workspace: Rooms.
        ref: What the user calls the asset.
        asset_id: Its id.
        writing: W.
        plan: Given the asset as it is, what to do.
        is_same: Says whether a transaction with the same once token did what is wanted now.
    """
    writing.check()
    warnings: list[str] = []
    unlocked: dict[str, Signer] = {}
    for number in range(ATTEMPTS):
        # In this order: if another writer commits between the two, the output is spent already and
        # the submission fails. The other way round a dotted path would be written on an old state.
        unspent = workspace.client.unspent(asset_id)
        replay = workspace.client.replay(asset_id)
        if replay is None:
            raise NotFoundError(f"there is no asset {asset_id} on this ledger")
        if writing.once is not None:
            first = _first_of_once(workspace, asset_id, writing.once, is_same)
            if first is not None:
                return document.written(workspace, asset_id, first, warnings)
        attempt = plan(replay, unspent)
        _check_tip(workspace, writing, attempt)
        infos: list[KeyInfo] = []
        if not writing.prepare:
            conditions = [item.output["condition"]["details"] for item in attempt.spends]
            infos = keys_to_spend(workspace, conditions, ref)
        warnings = _edits.type_changes(attempt.replay.common, attempt.written)
        metadata = _metadata(workspace, writing, attempt, warnings)
        check_data(None, metadata)
        tx = _transaction.transfer(
            [_as_spend(item) for item in attempt.spends], attempt.outputs, asset_id, metadata
        )
        if writing.prepare:
            from twincli.services.tx import cosign

            if attempt.also:
                raise cosign.refuse_prepare("moving the parts along")
            return cosign.prepared(workspace, tx, warnings)
        if workspace.dry_run:
            return document.unsigned(workspace, ref, tx, infos, warnings)
        for info in infos:
            if info.name not in unlocked:
                unlocked[info.name] = unlock(workspace, [info])[0]
        signers = [unlocked[info.name] for info in infos]
        signed = [_transaction.sign(item, signers) for item in (tx, *attempt.also)]
        try:
            height = workspace.client.submit_many(signed)
        except InvalidError as error:
            if error.code != "double_spend":
                raise
            if writing.if_tip is not None:
                raise _moved(writing.if_tip) from error
            _wait(workspace, number)
            continue
        if height is None:
            return document.sent(workspace, ref, signed[0], warnings)
        return document.written(workspace, asset_id, signed[0]["id"], warnings)
    raise ConflictError(
        f"{ref}: other writers were faster {ATTEMPTS} times", code="busy", retryable=True
    )


def _wait(workspace: Workspace, number: int) -> None:
    """Let other writers through, longer each time, not in step with them."""
    import time

    time.sleep(workspace.random(1)[0] / 255 * min(0.2, 0.002 * (number + 1)))


def _as_spend(item: Spendable) -> _transaction.Spend:
    return _transaction.Spend.of_output(item.transaction_id, item.output_index, item.output)


def _check_tip(workspace: Workspace, writing: Writing, attempt: _Attempt) -> None:
    if writing.if_tip is None:
        return
    wanted = resolve.transaction_id_of(workspace, writing.if_tip)
    assert attempt.replay.last is not None
    if wanted not in {item.transaction_id for item in attempt.spends}:
        raise _moved(writing.if_tip, attempt.replay.last["id"])


def _moved(wanted: str, tip: str | None = None) -> ConflictError:
    now = f", which is now {tip}" if tip else ""
    return ConflictError(
        f"{wanted} is not the tip of this asset{now}",
        code="tip_moved",
        hint="look at what was appended since, then decide again",
    )


def _metadata(
    workspace: Workspace, writing: Writing, attempt: _Attempt, warnings: list[str]
) -> dict[str, Any] | None:
    if writing.bare:
        return attempt.written or None
    now = workspace.now()
    at_ms, clock = now, None
    if writing.at is not None:
        at_ms = checked_at(writing.at, now)
    elif now < BUILD_TIME_MS or now < (_last_claim(attempt.replay) or 0):
        clock = "unsynced"
        warnings.append(
            "this machine's clock is behind what was recorded before; the entry says so"
        )
    return {
        **attempt.written,
        record.KEY: record.envelope(
            attempt.kind,
            at=times.to_text(at_ms),
            clock=clock,
            once=writing.once,
            corrects=attempt.corrects,
            body=attempt.body,
        ),
    }


def _last_claim(replay: Replay) -> int | None:
    assert replay.last is not None
    envelope = record.envelope_of(replay.last["metadata"]) or {}
    return None if envelope.get("clock") else times.parse_claim(envelope.get("at"))


def _first_of_once(
    workspace: Workspace,
    asset_id: str,
    token: str,
    is_same: Callable[[dict[str, Any]], bool],
) -> str | None:
    """Return the transaction that keys of ours already made with a once token, or None.

    Raises:
        ConflictError: ``once_mismatch``: it did something else.
    """
    if workspace.keys:
        mine = {workspace.keystore.get(name).public_key for name in workspace.keys}
    else:
        mine = {info.public_key for info in workspace.keystore.scan()[0]}
    for signers, found in workspace.client.once(asset_id, token):
        if not signers <= mine:
            continue
        entry = workspace.client.required(found)
        if is_same(entry.tx):
            return found
        raise ConflictError(
            f"the token {token!r} was used for something else, by {found}",
            code="once_mismatch",
            hint=f"use another token, or look at it: twin tx show {found}",
        )
    return None


def _is_record(tx: dict[str, Any], kind: str, written: dict[str, Any], **fields: Any) -> bool:
    """Say whether a transaction's envelope and data are those."""
    envelope = record.envelope_of(tx["metadata"]) or {}
    return (
        envelope.get("kind") == kind
        and record.without_envelope(tx["metadata"]) == written
        and all(envelope.get(name) == value for name, value in fields.items())
    )


def _replay_before(workspace: Workspace, asset_id: str, tx_id: str) -> Replay:
    """Return the asset as the transaction ``tx_id`` met it."""
    txs = []
    for tx in workspace.client.transactions(asset_id):
        if tx["id"] == tx_id:
            break
        txs.append(tx)
    made = Replay(corrected_by(txs))
    for tx in txs:
        made.add(tx)
    return made
