"""``push --rebase``: what another ledger lacks is recorded there again, on top of its history.

When two ledgers spend the same output in different ways, the transactions signed here can never
be valid there. Each is built again with its data, its stated time and its owners, on the other
ledger's tip, and signed again. The envelope names the original as ``rebases``, so that running it
again records nothing twice. This ledger keeps its own branch: nothing is ever removed from one.

An object that was written whole because one path in it changed is merged: only what changed here
replaces what changed there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConflictError, TwinError, UnreachableError
from twincli.model import record
from twincli.model import transaction as _transaction
from twincli.rules.replay import Replay, corrected_by
from twincli.services import resolve
from twincli.services.network.compare import Matches
from twincli.services.network.move import SHORT
from twincli.services.signers import keys_to_spend, unlock

if TYPE_CHECKING:
    from twincli.client import LedgerClient
    from twincli.ledger.rows import Spendable
    from twincli.services.network.move import Moved
    from twincli.services.workspace import Workspace


def rebase(workspace: Workspace, there: LedgerClient, moved: Moved) -> None:
    """Record again what ``there`` lacks of an asset that has diverged.

    Args:
        workspace: This ledger and keys.
        there: The other one.
        moved: The asset; becomes ``rebased``, or ``failed`` with ``split``, ``no_key``, ``locked``
            or what the other ledger answers.
    """
    asset_id = moved.asset_id
    moved.status, moved.error = "rebased", None
    try:
        history = list(workspace.client.transactions(asset_id))
        matches = Matches()
        for tx in history:
            matches.know(tx)
        for tx in there.transactions(asset_id):
            matches.add(tx)
        replay = Replay(corrected_by(history))
        for tx in history:
            before = replay.common
            replay.add(tx)
            if matches.of(tx["id"]) is not None:
                continue
            rebased = _build(workspace, there, asset_id, tx, before, matches)
            if rebased is not None:
                there.submit(rebased)
                matches.add(rebased)
            if rebased is not None or workspace.dry_run:
                moved.transactions += 1
    except UnreachableError:
        raise
    except TwinError as error:
        moved.fail(error)


def _build(
    workspace: Workspace,
    there: LedgerClient,
    asset_id: str,
    tx: dict[str, Any],
    before: dict[str, Any],
    matches: Matches,
) -> dict[str, Any] | None:
    """Return a transaction that does what ``tx`` did, on the other ledger's tip.

    None in a dry run, and where the once token shows that it is already there.

    Args:
        workspace: Keys.
        there: The other ledger.
        asset_id: The asset.
        tx: The transaction of this ledger.
        before: The state that it met.
        matches: Which of its ancestors are there.
    """
    unspent = there.unspent(asset_id)
    if len(unspent) != 1 or len(tx["inputs"]) != 1 or len(tx["outputs"]) != 1:
        name = resolve.asset_name(workspace, asset_id) or asset_id
        raise ConflictError(
            f"it has several outputs, so transaction {tx['id'][:SHORT]} cannot be rebased",
            code="split",
            hint=f"append it yourself: twin asset append {name} --node NODE --output TX:N",
        )
    (item,) = unspent
    infos = keys_to_spend(workspace, [item.output["condition"]["details"]], asset_id)
    envelope = record.envelope_of(tx["metadata"])
    once = envelope.get("once") if envelope else None
    if isinstance(once, str):
        mine = {info.public_key for info in infos}
        for signers, other in there.once(asset_id, once):
            if signers <= mine:
                _check_same(there, tx, before, other, once)
                return None
    if workspace.dry_run:
        return None
    replay = there.replay(asset_id)
    assert replay is not None
    written = {
        name: merge(before.get(name), value, replay.common.get(name))
        for name, value in record.without_envelope(tx["metadata"]).items()
    }
    if envelope is None:
        envelope = record.envelope(record.APPEND)
    envelope = {**envelope, "rebases": tx["id"]}
    corrected = envelope.get("corrects")
    if isinstance(corrected, str):
        envelope["corrects"] = matches.of(corrected) or corrected
    output = tx["outputs"][0]
    rebased = _transaction.transfer(
        [_transaction.Spend.of_output(item.transaction_id, item.output_index, item.output)],
        [_transaction.Output(_owner(tx, item, output), int(item.output["amount"]))],
        asset_id,
        {**written, record.KEY: envelope},
    )
    return _transaction.sign(rebased, unlock(workspace, infos))


def _check_same(
    there: LedgerClient, tx: dict[str, Any], before: dict[str, Any], other: str, once: str
) -> None:
    """Refuse to skip ``tx`` for one with the same token and other content.

    Raises:
        ConflictError: ``once_mismatch``.
    """
    entry = there.required(other)
    mine, theirs = (record.without_envelope(each["metadata"]) for each in (tx, entry.tx))
    if mine.keys() == theirs.keys() and all(
        merge(before.get(name), value, theirs[name]) == theirs[name] for name, value in mine.items()
    ):
        return
    raise ConflictError(
        f"transaction {tx['id'][:SHORT]} has the token {once!r}, which {other[:SHORT]} used there"
        " for other content",
        code="once_mismatch",
        hint="append it again yourself, with --node and another token",
    )


def _owner(tx: dict[str, Any], item: Spendable, output: dict[str, Any]) -> dict[str, Any]:
    """Return the owner after the new transaction: unchanged, unless ``tx`` changed it."""
    is_append = set(tx["inputs"][0]["owners_before"]) == set(output["public_keys"] or ())
    details: dict[str, Any] = (item.output if is_append else output)["condition"]["details"]
    return details


def merge(base: Any, mine: Any, theirs: Any) -> Any:
    """Return ``theirs`` with the changes from ``base`` to ``mine``.

    Objects are merged member by member; anything else is replaced whole.
    """
    if base is None:
        base = {}
    if not (isinstance(mine, dict) and isinstance(base, dict) and isinstance(theirs, dict)):
        return mine
    merged = {name: value for name, value in theirs.items() if name in mine or name not in base}
    for name, value in mine.items():
        if name not in base or base[name] != value:
            merged[name] = merge(base.get(name), value, theirs.get(name))
    return merged
