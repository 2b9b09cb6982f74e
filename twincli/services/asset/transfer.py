"""Give assets, or amounts of them, to others; burn them."""

from __future__ import annotations

from twincli.errors import UsageError
from twincli.model import edits as _edits
from twincli.model import owners, record
from twincli.model import transaction as _transaction
from twincli.services import resolve
from twincli.services.asset import choose_outputs
from twincli.services.asset.attempt import (
    Attempt,
    Target,
    held_to_template,
    is_record,
    is_written,
    perform,
    state_of,
)
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.signers import entity_key
from twincli.services.tx.prepared import Prepared
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twincli.ledger.rows import Spendable
    from twincli.rules.replay import Replay
    from twincli.services.asset.attempt import Along
    from twincli.services.asset.handover import Plan
    from twincli.services.documents import HandedOver, Handover, WrittenAsset
    from twincli.services.workspace import Workspace


class Transfer(NamedTuple):
    """The write of ``transfer``.

    Attributes:
        wanted: What is given to whom; a single amount of 0 stands for all of one output.
        ins: ``TX:N`` each, outputs to spend; empty: enough of those that can be signed for.
        body: Of the envelope.
        base, changes: What to record along with it.
        children: ``keep`` or ``move``: what happens to what belongs to it; None: grants and links
            end, parts stay with their owners.
        plans: Takes in what happens to it, of the last attempt.
    """

    wanted: tuple[_transaction.Output, ...]
    ins: tuple[str, ...] = ()
    body: dict[str, Any] | None = None
    base: dict[str, Any] = {}  # noqa: RUF012 - never changed
    changes: tuple[_edits.Edit, ...] = ()
    children: str | None = None
    plans: list[Plan] = []  # noqa: RUF012 - changed only where ``children`` is given, with its own

    @property
    def gives_all(self) -> bool:
        """Whether one owner gets all there is in one output."""
        return self.wanted[0].amount == 0

    def plan(self, target: Target, replay: Replay, unspent: list[Spendable]) -> Attempt:
        """See ``attempt.Write``."""
        spends = choose_outputs.to_spend(target, unspent, self.ins, self.wanted)
        total = choose_outputs.total(spends)
        if self.gives_all:
            outputs = [_transaction.Output(self.wanted[0].details, total)]
        else:
            asked = sum(output.amount for output in self.wanted)
            if total < asked:
                raise choose_outputs.not_enough(target.ref, spends, self.wanted)
            outputs = [*self.wanted, *choose_outputs.given_back(spends, asked)]
        first = spends[0]
        written = _edits.write_set(state_of(replay, first), self.base, self.changes)
        written, stated = held_to_template(target, replay, written)
        along: tuple[Along, ...] = ()
        if self.children is not None:
            from twincli.services.asset import handover

            plan = handover.plan(target, first, self.wanted[0].details, self.children)
            self.plans[:] = [plan]
            along = plan.along
            if plan.keeps:
                stated = {**stated, "keeps": plan.keeps}
        return Attempt(
            spends, outputs, written, record.TRANSFER, self.body, along=along, stated=stated
        )

    def is_same(self, target: Target, tx: dict[str, Any]) -> bool:
        """See ``attempt.Write``."""
        made = [(output["condition"]["details"], output["amount"]) for output in tx["outputs"]]
        if self.gives_all:
            if [details for details, _ in made] != [self.wanted[0].details]:
                return False
        elif made[: len(self.wanted)] != [(out.details, str(out.amount)) for out in self.wanted]:
            return False
        return is_written(target, tx, record.TRANSFER, self.base, self.changes, body=self.body)


class Burn(NamedTuple):
    """The write of ``burn``."""

    def plan(self, target: Target, replay: Replay, unspent: list[Spendable]) -> Attempt:  # noqa: ARG002
        """See ``attempt.Write``."""
        spends = choose_outputs.mine(target, unspent)
        nowhere = owners.of_keys([owners.BURN_ADDRESS])
        output = _transaction.Output(nowhere, choose_outputs.total(spends))
        return Attempt(spends, [output], dict(record.BURNED_STATUS), record.BURN)

    def is_same(self, target: Target, tx: dict[str, Any]) -> bool:  # noqa: ARG002
        """See ``attempt.Write``."""
        return is_record(tx, record.BURN, dict(record.BURNED_STATUS))


def transfer(
    workspace: Workspace,
    ref: str,
    *,
    to: str | None = None,
    outs: Sequence[str] = (),
    ins: Sequence[str] = (),
    entity: str | None = None,
    children: str | None = None,
    base: dict[str, Any] | None = None,
    changes: Iterable[_edits.Edit] = (),
    writing: Writing = PLAIN,
) -> WrittenAsset | HandedOver | Prepared:
    """Give an asset, or amounts of it, to new owners.

    Args:
        workspace: Rooms.
        ref: The asset.
        to: Owner expression that gets all of it.
        outs: ``N:OWNER`` each; what is left over goes back to the owner spent from.
        ins: ``TX:N`` each, outputs to spend; default: enough of those that can be signed for.
        entity: The thing's own new key.
        children: ``keep``: grants and links stay in force; ``move``: its parts and streams that
            belong to the same owner go along; None: neither, see ``handover``.
        base: Members to record along with it, whole.
        changes: Edits to record along with it.
        writing: W.
    """
    if (to is None) == (not outs):
        raise UsageError("name the new owner: --to OWNER, or --out N:OWNER for amounts")
    target = Target.find(workspace, ref, writing)
    if to is not None:
        wanted = [_transaction.Output(resolve.owner_details(workspace, to), 0)]
    else:
        wanted = [choose_outputs.parse_out(workspace, text) for text in outs]
    body = None
    if entity is not None:
        if writing.bare:
            raise UsageError("--bare writes no envelope, so it cannot be used with --entity")
        body = {"entity": entity_key(workspace, entity)}
    if children is not None:
        _check_whole(ref, to, writing)
    ended = None
    if children is None and to is not None:
        from twincli.services.asset.handover import ending

        ended = ending(target)
    plans: list[Plan] = []
    made = perform(
        target,
        Transfer(tuple(wanted), tuple(ins), body, base or {}, tuple(changes), children, plans),
    )
    if ended is not None and not isinstance(made, Prepared):
        made["warnings"] = [
            *made["warnings"],
            (
                f"this ends {ended} of {ref}: --children keep leaves them in force, --children move"
                " takes its parts along"
            ),
        ]
    if not plans:
        return made
    found = plans[0]
    handover: Handover = {
        "children": found.children,
        "items": found.items,
        "remaining": len(found.remaining),
    }
    if isinstance(made, Prepared):
        return made._replace(handover=handover)
    return {**made, "handover": handover}


def _check_whole(ref: str, to: str | None, writing: Writing) -> None:
    """Refuse to hand over what belongs to a twin where the twin itself is not handed over."""
    if to is None:
        raise UsageError(
            "--children is for handing over the whole twin",
            hint=f"twin asset transfer {ref} --to OWNER --children move",
        )
    if writing.bare:
        raise UsageError(
            "--bare leaves out the envelope, which says what stays in force",
            hint="leave --bare or --children out",
        )


def burn(workspace: Workspace, ref: str, writing: Writing = PLAIN) -> WrittenAsset | Prepared:
    """Burn what of an asset can be signed for: pay it to the burn address, for good."""
    return perform(Target.find(workspace, ref, writing), Burn())
