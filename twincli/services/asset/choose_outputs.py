"""Which outputs of an asset a write spends, and the amounts it gives."""

from __future__ import annotations

from twincli.crypto import conditions
from twincli.errors import ConflictError, InvalidError, LockedError, UsageError
from twincli.model import transaction as _transaction
from twincli.rules.replay import is_burned
from twincli.services import resolve, signers
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twincli.ledger.rows import Spendable
    from twincli.services.asset.attempt import Target
    from twincli.services.workspace import Workspace

_MOST_DIGITS = 40
"""More than any amount or number of an output has."""


def one(target: Target, unspent: list[Spendable], chosen: str | None = None) -> Spendable:
    """Return the one output to append to or to give away.

    Args:
        target: The asset.
        unspent: Its unspent outputs.
        chosen: ``TX:N``, where the user says which.

    Raises:
        ConflictError: ``ambiguous``: several could be meant; ``stale``.
        LockedError: ``no_key``.
        InvalidError: ``burned``.
    """
    if chosen is not None:
        return _named(target, unspent, chosen)
    ref = target.ref
    living = _living(ref, unspent)
    if len(living) == 1 and not (target.writing.prepare and target.workspace.keys):
        return living[0]
    fitting = mine(target, living)
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{i.transaction_id}:{i.output_index}" for i in fitting[:_MOST_TERMS])
    more = " ..." if len(fitting) > _MOST_TERMS else ""
    raise ConflictError(
        f"{ref} is split over {len(living)} outputs: {listed}{more}",
        code="ambiguous",
        hint=f"choose one with --output TX:N; twin asset outputs {ref} --unspent",
    )


def _named(target: Target, unspent: list[Spendable], text: str) -> Spendable:
    workspace, ref = target.workspace, target.ref
    tx_ref, colon, number = text.rpartition(":")
    is_number = number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS
    if not colon or not is_number:
        raise UsageError(
            f"{text!r} is not an output", hint="write TX:N, as twin asset outputs shows"
        )
    tx_id = resolve.transaction_id_of(workspace, tx_ref)
    for item in unspent:
        if (item.transaction_id, item.output_index) == (tx_id, int(number)):
            return item
    found = _transaction.asset_of(workspace.client.required(tx_id).tx)
    if found != target.asset_id:
        other = resolve.asset_name(workspace, found) or found
        raise InvalidError(
            f"{text} is an output of another asset, {other}: outputs of different assets cannot be"
            " joined, however alike the assets are",
            code="asset_id_mismatch",
            hint="to count things together, create one divisible asset from the start:"
            " twin asset create NAME --amount N, split with --out, joined with --in",
        )
    raise ConflictError(
        f"{text} is not an unspent output of {ref}",
        code="stale",
        hint=f"twin asset outputs {ref} --unspent",
    )


def parse_out(workspace: Workspace, text: str) -> _transaction.Output:
    """Return the output that ``N:OWNER`` means; it splits at the first colon.

    Raises:
        UsageError: It is not of that form, or a name in it is wrong.
        InvalidError: ``amount_error``: too much.
    """
    number, colon, owner = text.partition(":")
    # As in a transaction: 0 is no amount, and no amount starts with 0.
    if not colon or not (number.isascii() and number.isdigit()) or number.startswith("0"):
        raise UsageError(f"{text!r} is not AMOUNT:OWNER", hint="write N:OWNER, such as 60:gertrude")
    # Measured first: Python makes no number of more than 4300 digits.
    if len(number) > _MOST_DIGITS or int(number) > _transaction.MAX_AMOUNT:
        shown = number if len(number) <= _MOST_DIGITS else f"of {len(number)} digits"
        raise InvalidError(
            f"the amount {shown} is more than {_transaction.MAX_AMOUNT}", code="amount_error"
        )
    return _transaction.Output(resolve.owner_details(workspace, owner), int(number))


def to_spend(
    target: Target,
    unspent: list[Spendable],
    ins: Sequence[str],
    wanted: Sequence[_transaction.Output],
) -> list[Spendable]:
    """Return the outputs to give from: those named, or enough of one owner's, oldest first.

    Args:
        target: The asset.
        unspent: Its unspent outputs.
        ins: ``TX:N`` each, where the user says which.
        wanted: What is to be given; a single amount of 0 stands for all of one output.

    Raises:
        ConflictError: ``ambiguous``: several owners could give it; ``stale``.
        InvalidError: ``amount_error``: nobody has enough; ``asset_id_mismatch``, ``burned``.
        LockedError: ``no_key``.
    """
    if ins:
        named = [_named(target, unspent, text) for text in ins]
        return list({(item.transaction_id, item.output_index): item for item in named}.values())
    if len(wanted) == 1 and wanted[0].amount == 0:
        return [one(target, unspent)]
    ref = target.ref
    asked = sum(output.amount for output in wanted)
    fitting = mine(target, unspent)
    held: list[list[Spendable]] = []
    enough: list[list[Spendable]] = []
    for owner in dict.fromkeys(item.output["condition"]["uri"] for item in fitting):
        picked: list[Spendable] = []
        amount = 0
        for item in fitting:
            if item.output["condition"]["uri"] == owner and amount < asked:
                picked.append(item)
                amount += int(item.output["amount"])
        held.append(picked)
        if amount >= asked:
            enough.append(picked)
    if len(enough) == 1:
        return enough[0]
    if enough:
        raise ConflictError(
            f"{ref}: {len(enough)} owners whose keys are here could each give {asked}",
            code="ambiguous",
            hint="choose an owner with --key NAME, or outputs with --in TX:N;"
            f" twin asset outputs {ref} --unspent",
        )
    raise not_enough(
        ref, max(held, key=total), wanted, "name outputs of several owners with --in; "
    )


def not_enough(
    ref: str,
    spends: Sequence[Spendable],
    wanted: Sequence[_transaction.Output],
    advice: str = "",
) -> InvalidError:
    """Return the error of amounts that do not add up, with the sums."""
    asked = _sum_text([output.amount for output in wanted])
    there = _sum_text([int(item.output["amount"]) for item in spends])
    return InvalidError(
        f"{ref}: cannot give {asked}: only {there} are available",
        code="amount_error",
        hint=f"{advice}twin asset outputs {ref} --unspent",
    )


_MOST_TERMS = 8


def _sum_text(amounts: Sequence[int]) -> str:
    if len(amounts) == 1:
        return str(amounts[0])
    terms = [str(amount) for amount in amounts[:_MOST_TERMS]]
    if len(amounts) > _MOST_TERMS:
        terms.append("...")
    return f"{' + '.join(terms)} = {sum(amounts)}"


def given_back(spends: Sequence[Spendable], asked: int) -> list[_transaction.Output]:
    """Return the outputs of what is left over: one for each owner, of no more than was theirs.

    Inputs are used up in their order, so what is left is of the last ones.

    Args:
        spends: What is spent; it suffices.
        asked: How much of it is given away.
    """
    back: dict[str, _transaction.Output] = {}
    for item in spends:
        amount = int(item.output["amount"])
        used = min(asked, amount)
        asked -= used
        if amount > used:
            condition = item.output["condition"]
            before = back.get(condition["uri"])
            held = 0 if before is None else before.amount
            back[condition["uri"]] = _transaction.Output(condition["details"], held + amount - used)
    return list(back.values())


def total(items: Iterable[Spendable]) -> int:
    """Return the sum of the amounts."""
    return sum(int(item.output["amount"]) for item in items)


def mine(target: Target, unspent: list[Spendable]) -> list[Spendable]:
    """Return the living outputs that keys here can spend; at least one.

    Where others are to sign (``--prepare``), a key of mine, or one named by ``--key``, need only
    be among those asked, and where none is, every output is meant.

    Raises:
        LockedError: ``no_key``: there is none.
        InvalidError: ``burned``.
    """
    workspace, ref = target.workspace, target.ref
    living = _living(ref, unspent)
    if target.writing.prepare:
        return _concerned(workspace, ref, living)
    failures: dict[str, LockedError | None] = {}  # asked once an owner: it looks at every key
    for item in living:
        condition = item.output["condition"]
        if condition["uri"] in failures:
            continue
        try:
            signers.keys_to_spend(workspace, [condition["details"]], ref)
        except LockedError as error:
            failures[condition["uri"]] = error
        else:
            failures[condition["uri"]] = None
    fitting = [item for item in living if failures[item.output["condition"]["uri"]] is None]
    if not fitting:
        first = failures[living[0].output["condition"]["uri"]]
        assert first is not None
        raise first
    return fitting


def _concerned(workspace: Workspace, ref: str, living: list[Spendable]) -> list[Spendable]:
    if workspace.keys:
        keys = {resolve.public_key_of(workspace, name) for name in workspace.keys}
        found = [item for item in living if keys <= set(_leaves(item))]
        if not found:
            raise LockedError(
                f"no output of {ref} needs all of {', '.join(workspace.keys)} to sign",
                code="no_key",
                hint=f"leave out --key to have others sign; twin asset outputs {ref} --unspent",
            )
        return found
    keys = {info.public_key for info in workspace.keystore.scan()[0]}
    return [item for item in living if not keys.isdisjoint(_leaves(item))] or living


def _leaves(item: Spendable) -> Iterable[str]:
    return conditions.leaf_keys(item.output["condition"]["details"])


def _living(ref: str, unspent: list[Spendable]) -> list[Spendable]:
    living = [item for item in unspent if not is_burned(item.output)]
    if not living:
        raise InvalidError(
            f"{ref} is burned; nothing can be done with it",
            code="burned",
            hint=f"its history stays: twin history {ref}",
        )
    return living
