"""Spending twins: append, transfer, burn. Each returns the asset's document.

Every write is built against the tip it found and submitted; when another writer won meanwhile it
is built again (dotted paths included), unless ``if_tip`` forbids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from twincli import BUILD_TIME_MS
from twincli.errors import ConflictError, InvalidError, NotFoundError, UsageError
from twincli.model import edits as _edits
from twincli.model import owners, record, times
from twincli.model import transaction as _transaction
from twincli.rules import structure
from twincli.rules.replay import Replay, corrected_by
from twincli.services import resolve
from twincli.services.asset import choose_outputs, documents
from twincli.services.asset.write_options import PLAIN, Writing, checked_at
from twincli.services.signers import entity_key, keys_to_spend, unlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from twincli.crypto.ed25519 import Signer
    from twincli.keystore.keyfile import KeyInfo
    from twincli.ledger.reading import Spendable
    from twincli.services.workspace import Workspace

ATTEMPTS = 200

Document = dict[str, Any]


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
                return documents.written(workspace, asset_id, first, warnings)
        attempt = plan(replay, unspent)
        _check_tip(workspace, writing, attempt)
        infos: list[KeyInfo] = []
        if not writing.prepare:
            conditions = [item.output["condition"]["details"] for item in attempt.spends]
            infos = keys_to_spend(workspace, conditions, ref)
        warnings = _edits.type_changes(attempt.replay.common, attempt.written)
        metadata = _metadata(workspace, writing, attempt, warnings)
        structure.check_data(None, metadata)
        tx = _transaction.transfer(
            [_as_spend(item) for item in attempt.spends], attempt.outputs, asset_id, metadata
        )
        if writing.prepare:
            from twincli.services.tx import cosign

            if attempt.also:
                raise cosign.refuse_prepare("moving the parts along")
            return cosign.prepared(workspace, tx, warnings)
        if workspace.dry_run:
            return documents.unsigned(workspace, ref, tx, infos, warnings)
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
            return documents.sent(workspace, ref, signed[0], warnings)
        return documents.written(workspace, asset_id, signed[0]["id"], warnings)
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
        entry = workspace.client.entry(found)
        assert entry is not None
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
    entry = workspace.client.entry(tx_id)
    assert entry is not None
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
            structure.check_data(None, metadata)
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


def transfer(
    workspace: Workspace,
    ref: str,
    *,
    to: str | None = None,
    outs: Sequence[str] = (),
    ins: Sequence[str] = (),
    entity: str | None = None,
    children: str = "keep",
    base: dict[str, Any] | None = None,
    changes: Iterable[_edits.Edit] = (),
    writing: Writing = PLAIN,
) -> Document:
    """Give an asset, or amounts of it, to new owners.

    Args:
        workspace: Rooms.
        ref: The asset.
        to: Owner expression that gets all of it.
        outs: ``N:OWNER`` each; what is left over goes back to the owner spent from.
        ins: ``TX:N`` each, outputs to spend; default: enough of those that can be signed for.
        entity: The thing's own new key.
        children: ``move``: its parts that belong to the same owner go along, in the same commit.
        base: Members to record along with it, whole.
        changes: Edits to record along with it.
        writing: W.
    """
    changes = tuple(changes)
    if (to is None) == (not outs):
        raise UsageError("say who gets it: --to OWNER, or --out N:OWNER for amounts")
    asset_id = resolve.asset_id_of(workspace, ref)
    wanted = (
        [_transaction.Output(resolve.owner_details(workspace, to), 0)]
        if to is not None
        else [choose_outputs.parse_out(workspace, text) for text in outs]
    )
    body = None
    if entity is not None:
        if writing.bare:
            raise UsageError("--bare writes no envelope, so --entity has no place in it")
        body = {"entity": entity_key(workspace, entity)[0]}

    def plan(replay: Replay, unspent: list[Spendable]) -> _Attempt:
        spends = choose_outputs.to_spend(
            workspace, ref, unspent, ins, wanted, prepare=writing.prepare
        )
        total = choose_outputs.total(spends)
        if to is not None:
            outputs = [_transaction.Output(wanted[0].details, total)]
        else:
            outputs = list(wanted)
            asked = sum(output.amount for output in wanted)
            if total < asked:
                raise choose_outputs.not_enough(ref, spends, wanted)
            outputs += choose_outputs.given_back(spends, asked)
        first = spends[0]
        state = replay.outputs.get((first.transaction_id, first.output_index), replay.common)
        also = (
            _children(workspace, asset_id, first, wanted[0], writing) if children == "move" else ()
        )
        return _Attempt(
            replay,
            spends,
            outputs,
            _edits.write_set(state, base or {}, changes),
            record.TRANSFER,
            body,
            also=also,
        )

    def is_same(tx: dict[str, Any]) -> bool:
        made = [(output["condition"]["details"], output["amount"]) for output in tx["outputs"]]
        if to is not None:
            if [details for details, _ in made] != [wanted[0].details]:
                return False
        elif made[: len(wanted)] != [(output.details, str(output.amount)) for output in wanted]:
            return False
        before = _replay_before(workspace, asset_id, tx["id"])
        met = tx["inputs"][0]["fulfills"]
        state = before.outputs[met["transaction_id"], met["output_index"]]
        written = _edits.write_set(state, base or {}, changes)
        return _is_record(tx, record.TRANSFER, written, body=body)

    return _spend(workspace, ref, asset_id, writing, plan, is_same)


def _children(
    workspace: Workspace,
    asset_id: str,
    item: Spendable,
    output: _transaction.Output,
    writing: Writing,
) -> tuple[dict[str, Any], ...]:
    """Return transfers of the asset's parts that belong to the same owner, and of their parts."""
    made = []
    owner = item.output["condition"]["details"]
    seen = {asset_id}
    todo = workspace.client.assets_with("parent", asset_id)
    while todo:
        child = todo.pop(0)
        if child in seen:
            continue
        seen.add(child)
        for held in workspace.client.unspent(child):
            if held.output["condition"]["details"] == owner:
                metadata = None
                if not writing.bare:
                    at = times.to_text(workspace.now())
                    metadata = {record.KEY: record.envelope(record.TRANSFER, at=at)}
                amount = int(held.output["amount"])
                new = _transaction.Output(output.details, amount)
                made.append(_transaction.transfer([_as_spend(held)], [new], child, metadata))
        todo += workspace.client.assets_with("parent", child)
    return tuple(made)


def burn(workspace: Workspace, ref: str, writing: Writing = PLAIN) -> Document:
    """Burn what of an asset can be signed for: pay it to the burn address, for good."""
    asset_id = resolve.asset_id_of(workspace, ref)

    def plan(replay: Replay, unspent: list[Spendable]) -> _Attempt:
        spends = choose_outputs.mine(workspace, ref, unspent, prepare=writing.prepare)
        total = choose_outputs.total(spends)
        output = _transaction.Output(owners.of_keys([owners.BURN_ADDRESS]), total)
        return _Attempt(replay, spends, [output], dict(record.BURNED_STATUS), record.BURN)

    def is_same(tx: dict[str, Any]) -> bool:
        return _is_record(tx, record.BURN, dict(record.BURNED_STATUS))

    return _spend(workspace, ref, asset_id, writing, plan, is_same)
