"""Freeze twins, and lift that again.

A freeze is a record by the twin's owner: a promise, not a rule of the ledger. This program refuses
every write to a frozen twin but the one that lifts it; what others write all the same stays valid,
and listings of records say that it was written while the twin was frozen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConflictError, UsageError
from twincli.model import record
from twincli.model import transaction as _transaction
from twincli.services.asset import choose_outputs
from twincli.services.asset.attempt import Attempt, Target, is_record, perform
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from twincli.ledger.rows import Spendable
    from twincli.rules.replay import Replay
    from twincli.services.documents import WrittenAsset
    from twincli.services.tx.prepared import Prepared
    from twincli.services.workspace import Workspace


class _Freezing(NamedTuple):
    """The write of ``freeze`` and ``unfreeze``.

    Attributes:
        kind: Which of them.
    """

    kind: str

    def plan(self, target: Target, replay: Replay, unspent: list[Spendable]) -> Attempt:
        """See ``attempt.Write``."""
        ref = target.ref
        item = choose_outputs.one(target, unspent)
        if len(unspent) > 1:
            raise ConflictError(
                f"{ref} is split over {len(unspent)} outputs; the holder of a part does not speak"
                " for the others",
                code="several_outputs",
                hint=f"join them first: twin asset transfer {ref} --to OWNER --in TX:N --in TX:N",
            )
        if self.kind == record.UNFREEZE and replay.frozen is None:
            raise ConflictError(
                f"{ref} is not frozen", code="not_frozen", hint=f"twin asset show {ref}"
            )
        output = _transaction.Output(
            item.output["condition"]["details"], int(item.output["amount"])
        )
        return Attempt([item], [output], {}, self.kind, {})

    def is_same(self, target: Target, tx: dict[str, Any]) -> bool:  # noqa: ARG002
        """See ``attempt.Write``."""
        return is_record(tx, self.kind, {})


def freeze(workspace: Workspace, ref: str, writing: Writing = PLAIN) -> WrittenAsset | Prepared:
    """Freeze a twin: nothing is written to it until its owner lifts that.

    Raises:
        LockedError: ``frozen``: it is frozen already; ``no_key``.
        ConflictError: ``several_outputs``: it is split.
    """
    return _write(workspace, ref, record.FREEZE, writing)


def unfreeze(workspace: Workspace, ref: str, writing: Writing = PLAIN) -> WrittenAsset | Prepared:
    """Lift the freeze of a twin.

    Raises:
        ConflictError: ``not_frozen``; ``several_outputs``: it is split.
        LockedError: ``no_key``.
    """
    return _write(workspace, ref, record.UNFREEZE, writing)


def _write(workspace: Workspace, ref: str, kind: str, writing: Writing) -> WrittenAsset | Prepared:
    if writing.bare:
        raise UsageError(
            f"--bare leaves out the envelope, which a record of kind {kind} needs",
            hint="leave --bare out",
        )
    return perform(Target.find(workspace, ref, writing), _Freezing(kind))
