"""``push --rebase``: what another ledger lacks, recorded there anew on top of what it has.

Two ledgers went on from the same transaction; one output can be spent once only, so what was
signed here can never be valid there. It is built again with its data, its stated time and its
owners, on the other ledger's tip, and signed again; the envelope says which transaction it
``rebases``, so that running it again does not record anything twice. This ledger keeps what it
has: nothing is ever taken out of one.

What was written whole because one path in it changed is merged: only what changed here is written
over what changed there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConflictError, TwinError, UnreachableError
from twincli.model import record
from twincli.model import transaction as _transaction
from twincli.rules.replay import Replay, corrected_by
from twincli.services.network import compare
from twincli.services.signers import keys_to_spend, unlock

if TYPE_CHECKING:
    from twincli.client import LedgerClient
    from twincli.ledger.reading import Spendable
    from twincli.services.network.compare import Same
    from twincli.services.network.move import Moved
    from twincli.services.workspace import Workspace


def rebase(workspace: Workspace, there: LedgerClient, made: Moved) -> None:
    """Record anew what ``there`` lacks of an asset that has diverged.

    Args:
        workspace: This ledger and keys.
        there: The other one.
        made: The asset; becomes ``rebased``, or ``failed``: ``split``, ``no_key``, ``locked`` and
            what the other ledger says.
    """
    asset_id = made.asset_id
    made.status, made.error = "rebased", None
    try:
        here = list(workspace.client.transactions(asset_id))
        same = compare.Same()
        for tx in here:
            same.know(tx)
        for tx in there.transactions(asset_id):
            same.add(tx)
        replay = Replay(corrected_by(here))
        for tx in here:
            before = replay.common
            replay.add(tx)
            if same.of(tx["id"]) is not None:
                continue
            new = _anew(workspace, there, asset_id, tx, before, same)
            if new is not None:
                there.submit(new)
                same.add(new)
            if new is not None or workspace.dry_run:
                made.transactions += 1
    except UnreachableError:
        raise
    except TwinError as error:
        made.fail(error)


def _anew(
    workspace: Workspace,
    there: LedgerClient,
    asset_id: str,
    tx: dict[str, Any],
    before: dict[str, Any],
    same: Same,
) -> dict[str, Any] | None:
    """Return a transaction that records what ``tx`` did, on the other ledger's tip.

    None in a dry run, and where the once token says that it is there.

    Args:
        workspace: Keys.
        there: The other ledger.
        asset_id: The asset.
        tx: What was recorded here.
        before: The state that it met.
        same: What is there of those before it.
    """
    unspent = there.unspent(asset_id)
    if len(unspent) != 1 or len(tx["inputs"]) != 1 or len(tx["outputs"]) != 1:
        raise ConflictError(
            f"{asset_id} is split, so it is not clear what {tx['id']} is to follow on",
            code="split",
            hint="append to it again yourself, with --node and --output TX:N",
        )
    (item,) = unspent
    infos = keys_to_spend(workspace, [item.output["condition"]["details"]], asset_id)
    envelope = record.envelope_of(tx["metadata"])
    once = envelope.get("once") if envelope else None
    if isinstance(once, str):
        mine = {info.public_key for info in infos}
        for signers, made in there.once(asset_id, once):
            if signers <= mine:
                _check_same(there, tx, before, made, once)
                return None
    if workspace.dry_run:
        return None
    replay = there.replay(asset_id)
    assert replay is not None
    written = {
        name: merged(before.get(name), value, replay.common.get(name))
        for name, value in record.without_envelope(tx["metadata"]).items()
    }
    if envelope is None:
        envelope = record.envelope(record.APPEND)
    envelope = {**envelope, "rebases": tx["id"]}
    corrected = envelope.get("corrects")
    if isinstance(corrected, str):
        envelope["corrects"] = same.of(corrected) or corrected
    output = tx["outputs"][0]
    new = _transaction.transfer(
        [_spend(item)],
        [_transaction.Output(_owner(tx, item, output), int(item.output["amount"]))],
        asset_id,
        {**written, record.KEY: envelope},
    )
    return _transaction.sign(new, unlock(workspace, infos))


def _check_same(
    there: LedgerClient, tx: dict[str, Any], before: dict[str, Any], made: str, once: str
) -> None:
    """Refuse to leave ``tx`` out for one with the same token that wrote something else.

    Raises:
        ConflictError: ``once_mismatch``.
    """
    entry = there.required(made)
    mine, theirs = (record.without_envelope(found["metadata"]) for found in (tx, entry.tx))
    if mine.keys() == theirs.keys() and all(
        merged(before.get(name), value, theirs[name]) == theirs[name]
        for name, value in mine.items()
    ):
        return
    raise ConflictError(
        f"{tx['id']} has the token {once!r}, which was used there for something else, by {made}",
        code="once_mismatch",
        hint="append it again yourself, with --node and another token",
    )


def _owner(tx: dict[str, Any], item: Spendable, output: dict[str, Any]) -> dict[str, Any]:
    """Return who owns it after the new transaction: nobody new, if ``tx`` did not change that."""
    is_append = set(tx["inputs"][0]["owners_before"]) == set(output["public_keys"] or ())
    details: dict[str, Any] = (item.output if is_append else output)["condition"]["details"]
    return details


def _spend(item: Spendable) -> _transaction.Spend:
    return _transaction.Spend.of_output(item.transaction_id, item.output_index, item.output)


def merged(base: Any, mine: Any, theirs: Any) -> Any:
    """Return ``theirs`` with what changed from ``base`` to ``mine``.

    Objects are merged member by member; anything else is taken whole.
    """
    if base is None:
        base = {}
    if not (isinstance(mine, dict) and isinstance(base, dict) and isinstance(theirs, dict)):
        return mine
    made = {name: value for name, value in theirs.items() if name in mine or name not in base}
    for name, value in mine.items():
        if name not in base or base[name] != value:
            made[name] = merged(base.get(name), value, theirs.get(name))
    return made
