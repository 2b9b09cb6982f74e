"""Append to assets: TRANSFERs to the owners themselves that record something."""

from __future__ import annotations

from twincli.errors import (
    ConflictError,
    InterruptedWriteError,
    InvalidError,
    LockedError,
    NotFoundError,
    TwinError,
    UsageError,
)
from twincli.model import edits as _edits
from twincli.model import record, times
from twincli.model import transaction as _transaction
from twincli.rules.data import check_data
from twincli.rules.replay import Replay, corrected_by
from twincli.services import resolve
from twincli.services.asset import choose_outputs
from twincli.services.asset.attempt import (
    Attempt,
    Target,
    check_not_frozen,
    first_of_once,
    held_to,
    held_to_template,
    is_written,
    perform,
    state_of,
    template_of,
)
from twincli.services.asset.write_options import PLAIN, Writing, checked_at
from twincli.services.signers import keys_to_spend, unlock
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.ledger.rows import Spendable
    from twincli.services.documents import Appends, WrittenAsset
    from twincli.services.tx.prepared import Prepared
    from twincli.services.workspace import Workspace


class Append(NamedTuple):
    """The write of ``append``.

    Attributes:
        base: Members to write whole.
        changes: Edits, dotted paths among them; applied to the state at each try.
        corrected: Id of the append whose values are taken out of the state.
        output: ``TX:N``, after a split.
    """

    base: dict[str, Any]
    changes: tuple[_edits.Edit, ...] = ()
    corrected: str | None = None
    output: str | None = None

    def plan(self, target: Target, replay: Replay, unspent: list[Spendable]) -> Attempt:
        """See ``attempt.Write``."""
        item = choose_outputs.one(target, unspent, self.output)
        state = state_of(replay, item)
        if self.corrected is not None:
            state = _state_without(target, item, self.corrected)
        same_owner = _transaction.Output(
            item.output["condition"]["details"], int(item.output["amount"])
        )
        written = _edits.write_set(state, self.base, self.changes)
        written, stated = held_to_template(target, replay, written)
        return Attempt(
            [item],
            [same_owner],
            written,
            record.APPEND,
            corrects=self.corrected,
            stated=stated,
            warnings=tuple(_edits.not_there(state, self.changes)),
        )

    def is_same(self, target: Target, tx: dict[str, Any]) -> bool:
        """See ``attempt.Write``."""
        return is_written(
            target, tx, record.APPEND, self.base, self.changes, corrects=self.corrected
        )


def append(
    workspace: Workspace,
    ref: str,
    base: dict[str, Any],
    changes: Iterable[_edits.Edit] = (),
    writing: Writing = PLAIN,
    *,
    corrects: str | None = None,
    output: str | None = None,
) -> WrittenAsset | Prepared:
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
        The asset after it.
    """
    changes = tuple(changes)
    if not base and not changes:
        raise UsageError("there is nothing to append")
    target = Target.find(workspace, ref, writing)
    corrected = None
    if corrects is not None:
        if writing.bare:
            raise UsageError("--bare writes no envelope, so it cannot be used with --corrects")
        corrected = _to_correct(target, corrects)
    try:
        return perform(target, Append(base, changes, corrected, output))
    except LockedError as error:
        if error.code == "no_key" and workspace.keys:
            _explain_grant(target, error)
        raise


def _explain_grant(target: Target, error: LockedError) -> None:
    """Say that a grant does not help, where somebody relies on one: the state is the owners'."""
    from twincli.rules.authority import Topic
    from twincli.services.standing import Speakers

    workspace, ref, asset_id, _ = target
    keys = [resolve.public_key_of(workspace, name) for name in workspace.keys]
    now = workspace.now()
    found = Speakers(workspace.client).now(asset_id, keys, Topic(record.APPEND), now, now)
    if found.via is None:
        return
    names = " and ".join(workspace.keys)
    error.reworded(
        f"{names} may write records about {ref}, but a grant or a link does not change its state,"
        f" which comes only from its owner: {error.message}"
    )


def _to_correct(target: Target, ref: str) -> str:
    tx_id = resolve.transaction_id_of(target.workspace, ref)
    if _transaction.asset_of(target.workspace.client.required(tx_id).tx) != target.asset_id:
        raise NotFoundError(
            f"the transaction {tx_id} is not in this asset's history",
            hint=f"twin history {target.ref}",
        )
    return tx_id


def _state_without(target: Target, item: Spendable, corrected: str) -> dict[str, Any]:
    """Return the state as it will be once ``corrected`` no longer counts."""
    txs = list(target.workspace.client.transactions(target.asset_id))
    # A correction that is corrected itself does not count either.
    counted = corrected_by(tx for tx in txs if tx["id"] != corrected)
    replay = Replay(counted | {corrected})
    for tx in txs:
        replay.add(tx)
    return state_of(replay, item)


def append_lines(
    workspace: Workspace, ref: str, lines: Iterable[dict[str, Any]], writing: Writing = PLAIN
) -> Appends:
    """Append many: one transaction for each of ``lines``, thousands to a durable commit.

    With ``once`` line N carries the token ``ONCE:N``: given again, the lines that are on the
    ledger are passed over, so an interrupted run goes on where it stopped.

    Raises:
        InterruptedWriteError: Ctrl-C; like every error on the way it says how many lines are on
            the ledger, and how to go on.
        ConflictError: ``once_mismatch``: another line was recorded under a token;
            ``several_outputs``.
    """
    writing.check()
    if writing.if_tip is not None or writing.prepare:
        raise UsageError("--if-tip and --prepare are for a single append")
    target = Target.find(workspace, ref, writing)
    client, asset_id = workspace.client, target.asset_id
    item = choose_outputs.one(target, client.unspent(asset_id))
    infos = keys_to_spend(workspace, [item.output["condition"]["details"]], ref)
    now = workspace.now()
    at = times.to_text(now if writing.at is None else checked_at(writing.at, now))
    run = _Run(target, at)
    if workspace.dry_run:
        count = 0
        for count, metadata in enumerate(run.metadatas(lines), 1):  # noqa: B007 - the last counts
            check_data(None, metadata)
        made: list[str] = []
    else:
        if len(infos) != 1 or len(client.unspent(asset_id)) != 1:
            raise ConflictError(
                f"{ref} is shared or split; append to it line by line",
                code="several_outputs",
            )
        signer = unlock(workspace, infos)[0]
        try:
            made = client.append_many(signer, asset_id, run.metadatas(lines))
        except KeyboardInterrupt:
            raise run.stopped(InterruptedWriteError("interrupted")) from None
        except TwinError as error:
            raise run.stopped(error)  # noqa: B904 - it is the same error
        count = len(made)
    return {
        "schema": "twin.appends/1",
        "asset_id": asset_id,
        "ledger": client.ledger_id,
        "count": count,
        "existing": run.existing,
        "first": made[0] if made else None,
        "transaction_id": made[-1] if made else None,
        "signed_by": [info.public_key for info in infos],
        "warnings": [],
    }


class _Run:
    """The lines of one run on their way to the ledger.

    Attributes:
        existing: How many lines were on the ledger before.
    """

    def __init__(self, target: Target, at: str) -> None:
        self.existing = 0
        self._target = target
        self._at = at
        client = target.workspace.client
        replay = client.replay(target.asset_id)
        assert replay is not None
        check_not_frozen(target.ref, replay)
        self._template = template_of(target, replay.pin)
        last = client.last(target.asset_id)
        self._tip = None if last is None else last.tx["id"]

    def metadatas(self, lines: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield what each line records, leaving out those that are on the ledger."""
        writing = self._target.writing
        is_old = writing.once is not None  # lines are recorded in their order
        for number, line in enumerate(lines, 1):
            if record.KEY in line:
                raise InvalidError(
                    f"line {number}: the name {record.KEY!r} is reserved for twincli at the top"
                    " level",
                    code="reserved_key",
                )
            once = None if writing.once is None else f"{writing.once}:{number}"
            if once is not None and is_old:
                is_old = first_of_once(self._target, once, Append(line)) is not None
                if is_old:
                    self.existing += 1
                    continue
            written, stated = held_to(self._template, self._target, line)
            if writing.bare:
                yield written
            else:
                envelope = record.envelope(record.APPEND, at=self._at, once=once, **stated)
                yield {**written, record.KEY: envelope}

    def stopped(self, error: TwinError) -> TwinError:
        """Return an error that also says how many lines are on the ledger, and how to go on."""
        count = self.existing + self._count()
        if count == 0:
            there = "nothing is on the ledger"
            way = "give all lines again"
        else:
            there = f"{count} line{'s are' if count > 1 else ' is'} on the ledger"
            way = f"continue with the lines after number {count} (blank ones are not counted)"
        if self._target.writing.once is not None:
            way = "give the same lines again with the same --once: none is recorded twice"
        hint = f"{error.hint}; {way}" if error.hint else f"to continue, {way}"
        return error.reworded(f"{error.message}: {there}", hint=hint)

    def _count(self) -> int:
        """Return how many lines of this run are on the ledger."""
        client, asset_id = self._target.workspace.client, self._target.asset_id
        if self._target.writing.bare:
            return sum(1 for _ in client.transactions(asset_id, self._tip))
        return sum(
            (record.envelope_of(tx["metadata"]) or {}).get("at") == self._at
            for tx in client.transactions(asset_id, self._tip)
        )
