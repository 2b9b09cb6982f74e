"""Whether a transaction may be committed: the rules about what it spends.

``structure.check`` has judged it alone; here it meets the ledger, through the small ``View``.
Two profiles: ``strict`` refuses what BigchainDB 2.2.2 should not have accepted, ``server-2.2.2``
judges as the server does, for history that an existing network has committed.

Source: bigchaindb 2.2.2 ``models.Transaction.validate``, rules 33 to 41 as measured.
"""

from __future__ import annotations

from twincli.crypto import conditions
from twincli.errors import InvalidError
from twincli.model.transaction import CREATE
from twincli.rules.structure import (
    PROFILES,
    SERVER,
    STRICT,
    Checked,
    CheckedOutput,
    Deviation,
)
from twincli.rules.structure import check as check_structure
from twincli.values import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PROFILES", "SERVER", "STRICT", "Deviation", "Known", "View", "check_structure", "judge"]


class Known(NamedTuple):
    """The part of a committed transaction that its spenders need."""

    asset_id: str
    outputs: Sequence[CheckedOutput]


class View(Protocol):
    """The part of a ledger that validity depends on."""

    def known(self, tx_id: str) -> Known | None:
        """Return a committed transaction, or None."""

    def spender(self, tx_id: str, output_index: int) -> str | None:
        """Return the id of the transaction that spent an output, or None."""


def judge(checked: Checked, view: View, profile: str = STRICT) -> Sequence[Deviation]:
    """Check a well-formed transaction against what is committed.

    Args:
        checked: From ``structure.check``. Its signatures are verified here if they were not yet,
            except where ``strict`` refuses their type anyway: strangers choose how long those take.
        view: What is committed, earlier transactions of the same block included.
        profile: ``strict`` or ``server-2.2.2``.

    Returns:
        What ``strict`` would refuse; none under ``strict``.

    Raises:
        InvalidError: ``duplicate_transaction``, ``input_does_not_exist``, ``double_spend``,
            ``asset_id_mismatch``, ``amount_error``, ``invalid_signature`` in the server's order,
            then, under ``strict``, the code of the first deviation.
    """
    found: Sequence[Deviation] = ()
    if checked.operation == CREATE:
        if view.known(checked.id) is not None:
            raise InvalidError(
                f"transaction {checked.id} is already on the ledger",
                code="duplicate_transaction",
            )
        if not _is_signed(checked, profile):
            raise _bad_signature()
    else:
        found = _judge_inputs(checked, view, profile)
    deviations = [*checked.deviations, *found] if found else checked.deviations
    if profile == STRICT and deviations:
        raise InvalidError(
            deviations[0].message,
            code=deviations[0].code,
            hint="BigchainDB 2.2.2 accepts this; the profile strict does not",
        )
    return deviations


def _is_signed(checked: Checked, profile: str) -> bool:
    return (profile == STRICT and not checked.only_keys) or checked.verify()


def _judge_inputs(checked: Checked, view: View, profile: str) -> list[Deviation]:
    spent: list[CheckedOutput] = []
    assets: set[str] = set()
    for entry in checked.inputs:
        assert entry.spends is not None
        tx_id, index = entry.spends
        known = view.known(tx_id)
        if known is None:
            raise InvalidError(
                f"input {tx_id} does not exist",
                code="input_does_not_exist",
                hint="it may be on another ledger, or the transaction before this one was refused",
            )
        spender = view.spender(tx_id, index)
        if spender is not None:
            raise InvalidError(
                f"output {index} of {tx_id} was already spent by {spender}",
                code="double_spend",
            )
        if index >= len(known.outputs):
            raise InvalidError(
                f"transaction {tx_id} has no output {index}",
                code="input_does_not_exist",
            )
        spent.append(known.outputs[index])
        assets.add(known.asset_id)
    if len({entry.spends for entry in checked.inputs}) != len(checked.inputs):
        raise InvalidError("the inputs name one output twice", code="double_spend")
    if len(assets) > 1:
        raise InvalidError(
            "the inputs belong to different assets",
            code="asset_id_mismatch",
            hint="only outputs of one divisible asset can be combined, not several assets",
        )
    if checked.asset_id not in assets:
        raise InvalidError(
            f"asset.id is {checked.asset_id}, the inputs belong to {assets.pop()}",
            code="asset_id_mismatch",
        )
    total_in = sum(output.amount for output in spent)
    total_out = sum(output.amount for output in checked.outputs)
    if total_in != total_out:
        raise InvalidError(
            f"the inputs hold {total_in}, the outputs {total_out}; they must be equal",
            code="amount_error",
        )
    deviations = []
    for number, (entry, output) in enumerate(zip(checked.inputs, spent, strict=True)):
        if entry.fulfillment is None or not _fulfils(entry.fulfillment, output.condition):
            raise _bad_signature(number)
        if set(entry.owners_before) != set(output.public_keys):
            deviations.append(
                Deviation(
                    "owners_before_mismatch",
                    f"inputs[{number}].owners_before are not the owners of the output it spends",
                )
            )
    if not _is_signed(checked, profile):
        raise _bad_signature()
    return deviations


def _fulfils(fulfillment: conditions.Fulfillment, condition: conditions.Condition) -> bool:
    if isinstance(fulfillment, conditions.KeyFulfillment):
        return fulfillment.condition is condition or fulfillment.condition == condition
    return fulfillment.condition.uri == condition.uri


def _bad_signature(number: int | None = None) -> InvalidError:
    where = "" if number is None else f"inputs[{number}]: "
    return InvalidError(
        f"{where}the signatures do not fulfil the condition of the spent output"
        if number is not None
        else "a signature does not belong to this transaction",
        code="invalid_signature",
    )
