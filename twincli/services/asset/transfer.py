"""Give assets, or amounts of them, to others; burn them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import UsageError
from twincli.model import edits as _edits
from twincli.model import owners, record, times
from twincli.model import transaction as _transaction
from twincli.services import resolve
from twincli.services.asset import choose_outputs
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.signers import entity_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twincli.ledger.reading import Spendable
    from twincli.rules.replay import Replay
    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace

from twincli.services.asset.attempt import _as_spend, _Attempt, _is_record, _replay_before, _spend


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
