"""Validating a transaction, rule by rule."""

from __future__ import annotations

from twincli.errors import InvalidError, LockedError, NotFoundError
from twincli.rules import validity
from twincli.rules.partial import Partial
from twincli.services.tx import cosign
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.client import LedgerClient
    from twincli.services.documents import Document


class _Rule(NamedTuple):
    """A group of rules, in the order in which they are judged.

    Attributes:
        name: For programs.
        says: For people.
        only: The operation it applies to; None for both.
    """

    name: str
    says: str
    only: str | None = None


_ALONE = (
    _Rule("json", "it is a strict JSON object"),
    _Rule("id", "the id is the SHA3-256 of the transaction"),
    _Rule("form", "its fields, types and version are those of a BigchainDB 2.0 transaction"),
    _Rule("data", "BigchainDB can store its keys and numbers"),
    _Rule("fulfillments", "every fulfillment is well formed"),
    _Rule("outputs", "the conditions and amounts of its outputs are well formed"),
)

_ON_LEDGER = (
    _Rule("duplicate", "the transaction is not yet on the ledger", only="CREATE"),
    _Rule("inputs", "the outputs it spends are on the ledger", only="TRANSFER"),
    _Rule("unspent", "the outputs it spends are unspent", only="TRANSFER"),
    _Rule("asset", "all inputs belong to the asset it names", only="TRANSFER"),
    _Rule("sums", "the amounts of inputs and outputs are equal", only="TRANSFER"),
    _Rule("signatures", "the signatures are valid and fulfil the conditions"),
)

_STRICT = _Rule("strict", "it uses nothing that only BigchainDB 2.2.2 accepts")

RULES = (*_ALONE, *_ON_LEDGER, _STRICT)
"""The groups of rules that ``validate`` explains, in order."""

_BROKEN_ALONE = {
    "invalid_hash": "id",
    "schema_validation_error": "form",
    "operation_unsupported": "form",
    "invalid_json": "json",
    "invalid_partial": "json",
    "unsupported_version": "json",
    "validation_error": "data",
    "overflow_error": "data",
    "unencodable": "data",
    "amount_error": "outputs",
}

_BROKEN_ON_LEDGER = {
    "duplicate_transaction": "duplicate",
    "input_does_not_exist": "inputs",
    "double_spend": "unspent",
    "asset_id_mismatch": "asset",
    "amount_error": "sums",
    "invalid_signature": "signatures",
}


def validate(
    client: LedgerClient, tx: Any, profile: str = validity.STRICT, *, explain: bool = False
) -> Document:
    """Judge a transaction as the ledger would, or did if it is committed.

    Args:
        client: The ledger it is meant for.
        tx: From ``read``, or the ``InvalidError`` that ``read`` raised.
        profile: ``strict`` or ``server-2.2.2``.
        explain: With the verdict of every group of rules.

    Returns:
        ``twin.validation/1``: ``valid id profile error deviations``, and ``rules`` with
        ``explain``: ``{"rule", "ok", "message"}``, ``ok`` null for rules that were not judged.
    """
    error: InvalidError | None = None
    broken: str | None = None
    deviations: list[validity.Deviation] = []
    missing: LockedError | None = None
    if isinstance(tx, Partial):
        missing = cosign.missing(tx)
        tx = cosign.as_far_as_signed(tx)
    operation = tx.get("operation") if isinstance(tx, dict) else None
    try:
        if isinstance(tx, InvalidError):
            raise tx
        checked = validity.check_structure(tx)
    except InvalidError as refused:
        error = refused
        broken = _BROKEN_ALONE.get(refused.code) or _fulfillments_or_outputs(refused)
        if not isinstance(tx, (dict, InvalidError)):
            broken = "json"
    else:
        try:
            found = validity.judge(checked, client.view(checked.id), validity.SERVER)
            deviations = list(found)
        except InvalidError as refused:
            error, broken = refused, _BROKEN_ON_LEDGER[refused.code]
            if missing is not None and refused.code == "invalid_signature":
                error = InvalidError(missing.message, code=missing.code, hint=missing.hint)
        else:
            if profile == validity.STRICT and deviations:
                broken = _STRICT.name
                error = InvalidError(
                    deviations[0].message,
                    code=deviations[0].code,
                    hint="BigchainDB 2.2.2 accepts this; the profile strict does not",
                )
    stated = tx.get("id") if isinstance(tx, dict) else None
    document: Document = {
        "schema": "twin.validation/1",
        "valid": error is None,
        "id": stated if isinstance(stated, str) and missing is None else None,
        "profile": profile,
        "error": error and {"code": error.code, "message": error.message, "hint": error.hint},
        "deviations": [{"code": item.code, "message": item.message} for item in deviations],
    }
    if explain:
        document["rules"] = list(_explained(broken, error, operation, profile))
    return document


def _fulfillments_or_outputs(error: InvalidError) -> str:
    """Return the group of rules of an encoding error, whose message names the place."""
    return "outputs" if error.message.startswith("outputs") else "fulfillments"


def _explained(
    broken: str | None, error: InvalidError | None, operation: Any, profile: str
) -> Iterator[Document]:
    reached = True
    for rule in RULES:
        ok: bool | None = True
        says = rule.says
        if not reached:
            ok, says = None, "not checked, because an earlier rule failed"
        elif rule.name == broken:
            assert error is not None
            ok, says, reached = False, error.message, False
        elif rule.only is not None and rule.only != operation:
            ok, says = None, f"applies only to a {rule.only}"
        elif rule is _STRICT and profile != validity.STRICT:
            ok, says = None, f"not part of the profile {profile}"
        yield {"rule": rule.name, "ok": ok, "message": says}


def no_ledger_for_spending(tx: Any, error: NotFoundError) -> None:
    """Raise ``error`` if a transaction cannot be judged without a ledger.

    Args:
        tx: As parsed.
        error: Why there is no ledger.
    """
    if isinstance(tx, dict) and tx.get("operation") == "TRANSFER":
        raise error
