"""Transactions as such: showing, judging and submitting those that others made."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.crypto import canonical
from twincli.errors import InvalidError, LockedError, NotFoundError, TwinError
from twincli.model import times
from twincli.rules import validity
from twincli.rules.partial import Partial, is_partial
from twincli.rules.partial import read as read_partial
from twincli.services import resolve, signers
from twincli.services.asset.documents import asset_of
from twincli.services.tx import cosign

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from twincli.client import LedgerClient, Outcome
    from twincli.ledger.reading import Entry
    from twincli.services.workspace import Workspace

Document = dict[str, Any]

CHUNK = 1000
"""Transactions to a commit when many are submitted."""

_THERE_ALREADY = frozenset({"duplicate_transaction", "double_spend"})


# --- Reading -----------------------------------------------------------------------------------


def read(data: bytes, what: str) -> Any:
    """Return the transaction in a file: itself, or within a ``twin.transaction/1``.

    A partly signed one comes as a ``rules.partial.Partial``.

    Raises:
        InvalidError: ``invalid_json``, with the position; those of ``rules.partial``.
    """
    return _unwrapped(canonical.decode(data, what=what))


def read_lines(lines: Iterable[bytes], what: str) -> Iterator[Any]:
    """Yield the transactions of a document, or of JSON Lines, one at a time.

    A line that is no JSON comes as an ``InvalidError``. What is one document over several lines is
    told from JSON Lines by its first line, which is no JSON by itself.
    """
    rest = (line for line in lines if line.strip())
    first = next(rest, None)
    if first is None:
        raise InvalidError(f"{what} is empty", code="invalid_json")
    second = next(rest, None)
    if second is None:
        yield read(first, what)
        return
    try:
        canonical.decode(first)
    except InvalidError:
        yield read(b"".join([first, second, *rest]), what)
        return
    for number, line in enumerate(chain((first, second), rest), 1):
        try:
            yield read(line, f"line {number} of {what}")
        except InvalidError as error:
            yield error


def _unwrapped(value: Any) -> Any:
    if is_partial(value):
        return read_partial(value)
    schema = value.get("schema") if isinstance(value, dict) else None
    if isinstance(schema, str) and schema.startswith("twin.transaction/"):
        return value.get("transaction")
    return value


# --- Showing -----------------------------------------------------------------------------------


def show(workspace: Workspace, ref: str) -> Document:
    """Return a committed transaction.

    Args:
        workspace: Rooms.
        ref: An id or a unique prefix of one.

    Returns:
        ``twin.transaction/1``: ``id operation asset_id transaction height committed_at signers
        spent_by``; ``spent_by`` has for every output the id of its spender or null.
    """
    entry = workspace.client.entry(resolve.transaction_id_of(workspace, ref))
    assert entry is not None
    return _shown(entry.tx, entry)


def show_file(client: LedgerClient | None, tx: Any) -> Document:
    """Return a transaction from a file, and where it stands if it is on the ledger.

    Args:
        client: The ledger; None: there is none to look at.
        tx: From ``read``.

    Raises:
        InvalidError: ``invalid_hash`` and others: it is not well formed.
    """
    checked = validity.check_structure(tx)
    entry = None if client is None else client.entry(checked.id)
    return _shown(checked.tx, entry)


def _shown(tx: dict[str, Any], entry: Entry | None) -> Document:
    spent_by = entry.spent_by if entry else {}
    return {
        "schema": "twin.transaction/1",
        "id": tx["id"],
        "operation": tx["operation"],
        "asset_id": asset_of(tx),
        "height": entry.height if entry else None,
        "committed_at": times.told(entry.time_ms) if entry else None,
        "signers": signers.signers_of(tx),
        "spent_by": [spent_by.get(index) for index in range(len(tx["outputs"]))],
        "transaction": tx,
    }


# --- Judging -----------------------------------------------------------------------------------


class _Rule(NamedTuple):
    """A group of rules, in the order in which they are judged.

    Attributes:
        name: For programs.
        says: For people.
        only: The operation that has something to judge here; None for both.
    """

    name: str
    says: str
    only: str | None = None


_ALONE = (
    _Rule("json", "it is an object in JSON, read strictly"),
    _Rule("id", "the id is the SHA3-256 of the transaction"),
    _Rule("form", "fields, types and version are those of a BigchainDB 2.0 transaction"),
    _Rule("data", "keys and numbers are such that BigchainDB stores them"),
    _Rule("fulfillments", "every fulfillment is well formed"),
    _Rule("outputs", "conditions and amounts of the outputs are well formed"),
)
_ON_LEDGER = (
    _Rule("duplicate", "the transaction is not on the ledger already", only="CREATE"),
    _Rule("inputs", "what is spent is on the ledger", only="TRANSFER"),
    _Rule("unspent", "what is spent was not spent before", only="TRANSFER"),
    _Rule("asset", "all inputs belong to the asset named", only="TRANSFER"),
    _Rule("sums", "inputs and outputs hold the same amount", only="TRANSFER"),
    _Rule("signatures", "the signatures are good and fulfil what they must"),
)
_STRICT = _Rule("strict", "nothing is left that only BigchainDB 2.2.2 would accept")
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
    """Judge a transaction as the ledger would; one that is committed, as the ledger did.

    Args:
        client: The ledger it is meant for.
        tx: From ``read``, or the ``InvalidError`` that says why that failed.
        profile: ``strict`` or ``server-2.2.2``.
        explain: Say what became of every group of rules.

    Returns:
        ``twin.validation/1``: ``valid id profile error deviations``, and ``rules`` on
        ``explain``: ``{"rule", "ok", "message"}`` with ``ok`` null for what was not judged.
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
    """Return which of two groups an encoding error belongs to: its message names the place."""
    return "outputs" if error.message.startswith("outputs") else "fulfillments"


def _explained(
    broken: str | None, error: InvalidError | None, operation: Any, profile: str
) -> Iterator[Document]:
    reached = True
    for rule in RULES:
        ok: bool | None = True
        says = rule.says
        if not reached:
            ok, says = None, "not judged any more"
        elif rule.name == broken:
            assert error is not None
            ok, says, reached = False, error.message, False
        elif rule.only is not None and rule.only != operation:
            ok, says = None, f"only a {rule.only} is asked that"
        elif rule is _STRICT and profile != validity.STRICT:
            ok, says = None, f"not asked by the profile {profile}"
        yield {"rule": rule.name, "ok": ok, "message": says}


# --- Submitting --------------------------------------------------------------------------------


def submit(workspace: Workspace, txs: Iterable[Any]) -> Document:
    """Submit signed transactions; several go in commits of a thousand, the valid ones of each.

    Args:
        workspace: Rooms.
        txs: From ``read_lines``.

    Returns:
        For one ``twin.submission/1``: ``ledger transaction_id asset_id height committed_at created
        signed_by warnings``; ``created`` is false where it was on the ledger already.
        For several ``twin.submissions/1``: ``ledger count created existing failed errors
        warnings``, with ``{"number", "transaction_id", "code", "message", "hint"}`` an error.

    Raises:
        InvalidError: The one transaction breaks a rule.
        LockedError: ``missing_signature``: it is partly signed.
        ConflictError: ``stale``: it was signed by several, and what it spends is spent otherwise.
    """
    rest = iter(txs)
    first = list(islice(rest, 2))
    if len(first) == 1:
        return _submit_one(workspace, first[0])
    return _submit_several(workspace, chain(first, rest))


def _submit_one(workspace: Workspace, tx: Any) -> Document:
    client = workspace.client
    partial = tx if isinstance(tx, Partial) else None
    if partial is not None:
        tx = cosign.submittable(partial, workspace)
    verdict = _verdicts(workspace, [tx])[0]
    entry = None
    created = True
    if isinstance(verdict, InvalidError):
        entry = _there(client, tx, verdict)
        if entry is None and partial is not None and verdict.code == "double_spend":
            # Spent just now: by this transaction, signed by others, or by another one.
            entry = client.entry(cosign.submittable(partial, workspace)["id"])
        if entry is None:
            raise verdict
        tx = entry.tx
        created = False
    elif not workspace.dry_run:
        entry = client.entry(tx["id"])
    return {
        "schema": "twin.submission/1",
        "ledger": client.ledger_id,
        "transaction_id": tx["id"],
        "asset_id": asset_of(tx),
        "height": entry.height if entry else None,
        "committed_at": times.told(entry.time_ms) if entry else None,
        "created": created,
        "signed_by": signers.signers_of(tx),
        "warnings": [],
    }


def _submit_several(workspace: Workspace, txs: Iterator[Any]) -> Document:
    client = workspace.client
    created = existing = number = 0
    errors: list[Document] = []
    # A dry run judges all at once, so that later ones may spend outputs of earlier ones.
    while chunk := list(txs if workspace.dry_run else islice(txs, CHUNK)):
        chunk = [_ready(workspace, tx) for tx in chunk]
        good = [tx for tx in chunk if not isinstance(tx, TwinError)]
        verdicts = iter(_verdicts(workspace, good))
        for tx in chunk:
            number += 1
            verdict = tx if isinstance(tx, TwinError) else next(verdicts)
            if not isinstance(verdict, TwinError):
                created += 1
            elif isinstance(tx, dict) and _there(client, tx, verdict) is not None:
                existing += 1
            else:
                stated = tx.get("id") if isinstance(tx, dict) else None
                errors.append(
                    {
                        "number": number,
                        "transaction_id": stated if isinstance(stated, str) else None,
                        "code": verdict.code,
                        "message": verdict.message,
                        "hint": verdict.hint,
                    }
                )
    return {
        "schema": "twin.submissions/1",
        "ledger": client.ledger_id,
        "count": number,
        "created": created,
        "existing": existing,
        "failed": len(errors),
        "errors": errors,
        "warnings": [],
    }


def _ready(workspace: Workspace, tx: Any) -> Any:
    """Return a transaction that can be submitted, or the error that says why it cannot."""
    try:
        return cosign.submittable(tx, workspace) if isinstance(tx, Partial) else tx
    except TwinError as error:
        return error


def _verdicts(workspace: Workspace, txs: list[Any]) -> Sequence[Outcome]:
    if workspace.dry_run:
        return workspace.client.judge_each(txs)
    return workspace.client.submit_each(txs)


def _there(client: LedgerClient, tx: Any, verdict: TwinError) -> Entry | None:
    """Return where a refused transaction already stands on the ledger, or None.

    Only a refusal that comes after the check of the id counts: the id then covers every byte.
    """
    return client.entry(tx["id"]) if verdict.code in _THERE_ALREADY else None


def no_ledger_for_spending(tx: Any, error: NotFoundError) -> None:
    """Let a transaction through that can be judged without a ledger; else raise ``error``.

    Args:
        tx: As parsed.
        error: Why there is no ledger.
    """
    if isinstance(tx, dict) and tx.get("operation") == "TRANSFER":
        raise error
