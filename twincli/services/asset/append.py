"""Append to assets: TRANSFERs to the owners themselves that record something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConflictError, InvalidError, NotFoundError, UsageError
from twincli.model import edits as _edits
from twincli.model import record, times
from twincli.model import transaction as _transaction
from twincli.rules.data import check_data
from twincli.rules.replay import Replay, corrected_by
from twincli.services import resolve
from twincli.services.asset import choose_outputs
from twincli.services.asset.write_options import PLAIN, Writing, checked_at
from twincli.services.signers import keys_to_spend, unlock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twincli.ledger.reading import Spendable
    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace

from twincli.services.asset.attempt import _Attempt, _is_record, _replay_before, _spend


def append(
    workspace: Workspace,
    ref: str,
    base: dict[str, Any],
    changes: Iterable[_edits.Edit] = (),
    writing: Writing = PLAIN,
    *,
    corrects: str | None = None,
    output: str | None = None,
) -> Document:
    """Append to an asset: a TRANSFER to its owners themselves that records something.

    Args:
        workspace: Rooms.
        ref: The asset.
        base: Members to write whole.
        changes: Edits, dotted paths among them; applied to the state at each try.
        writing: W.
        corrects: The append whose values are taken out of the state.
        output: ``TX:N``, after a split.

    Returns:
        ``twin.asset/1`` after it.
    """
    changes = tuple(changes)
    if not base and not changes:
        raise UsageError("there is nothing to append")
    asset_id = resolve.asset_id_of(workspace, ref)
    corrected = None
    if corrects is not None:
        if writing.bare:
            raise UsageError("--bare writes no envelope, so --corrects has no place in it")
        corrected = _to_correct(workspace, asset_id, corrects)

    def plan(replay: Replay, unspent: list[Spendable]) -> _Attempt:
        item = choose_outputs.one(workspace, ref, unspent, output, prepare=writing.prepare)
        state = replay.outputs.get((item.transaction_id, item.output_index), replay.common)
        if corrected is not None:
            state = _state_without(workspace, asset_id, item, corrected)
        details = item.output["condition"]["details"]
        return _Attempt(
            replay,
            [item],
            [_transaction.Output(details, int(item.output["amount"]))],
            _edits.write_set(state, base, changes),
            record.APPEND,
            corrects=corrected,
        )

    def is_same(tx: dict[str, Any]) -> bool:
        before = _replay_before(workspace, asset_id, tx["id"])
        met = tx["inputs"][0]["fulfills"]
        state = before.outputs[met["transaction_id"], met["output_index"]]
        written = _edits.write_set(state, base, changes)
        return _is_record(tx, record.APPEND, written, corrects=corrected)

    return _spend(workspace, ref, asset_id, writing, plan, is_same)


def _to_correct(workspace: Workspace, asset_id: str, ref: str) -> str:
    tx_id = resolve.transaction_id_of(workspace, ref)
    entry = workspace.client.required(tx_id)
    if tx_id != asset_id and entry.tx["asset"].get("id") != asset_id:
        raise NotFoundError(
            f"the transaction {tx_id} is not in this asset's history",
            hint=f"twin history {asset_id}",
        )
    return tx_id


def _state_without(
    workspace: Workspace, asset_id: str, item: Spendable, corrected: str
) -> dict[str, Any]:
    """Return the state as it will be once ``corrected`` does not count any more."""
    txs = list(workspace.client.transactions(asset_id))
    # A correction that is corrected itself does not count either.
    counted = corrected_by(tx for tx in txs if tx["id"] != corrected)
    replay = Replay(counted | {corrected})
    for tx in txs:
        replay.add(tx)
    return replay.outputs.get((item.transaction_id, item.output_index), replay.common)


def append_lines(
    workspace: Workspace, ref: str, lines: Iterable[dict[str, Any]], writing: Writing = PLAIN
) -> Document:
    """Append many: one transaction for each of ``lines``, thousands to a durable commit.

    Returns:
        ``twin.appends/1``: ``asset_id``, ``count``, ``first`` and ``last`` transaction ids.
    """
    writing.check()
    if writing.once is not None or writing.if_tip is not None or writing.prepare:
        raise UsageError("--once, --if-tip and --prepare are for a single append")
    asset_id = resolve.asset_id_of(workspace, ref)
    item = choose_outputs.one(workspace, ref, workspace.client.unspent(asset_id))
    infos = keys_to_spend(workspace, [item.output["condition"]["details"]], ref)
    now = workspace.now()
    at = times.to_text(now if writing.at is None else checked_at(writing.at, now))
    envelope = None if writing.bare else record.envelope(record.APPEND, at=at)

    def metadatas() -> Iterable[dict[str, Any]]:
        for line in lines:
            if record.KEY in line:
                raise InvalidError(
                    f"the name {record.KEY!r} belongs to twincli at the top level",
                    code="reserved_key",
                )
            yield line if envelope is None else {**line, record.KEY: envelope}

    if workspace.dry_run:
        count = 0
        for count, metadata in enumerate(metadatas(), 1):  # noqa: B007 - the last one counts
            check_data(None, metadata)
        made: list[str] = []
    else:
        if len(infos) != 1 or len(workspace.client.unspent(asset_id)) != 1:
            raise ConflictError(
                f"{ref} is shared or split; append to it line by line",
                code="several_outputs",
            )
        signer = unlock(workspace, infos)[0]
        made = workspace.client.append_many(signer, asset_id, metadatas())
        count = len(made)
    return {
        "schema": "twin.appends/1",
        "asset_id": asset_id,
        "ledger": workspace.client.ledger_id,
        "count": count,
        "first": made[0] if made else None,
        "transaction_id": made[-1] if made else None,
        "signed_by": [info.public_key for info in infos],
        "warnings": [],
    }
