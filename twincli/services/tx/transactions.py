"""Showing and submitting transactions made elsewhere."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from twincli.client import ON_LEDGER
from twincli.crypto import canonical
from twincli.errors import InvalidError, TwinError
from twincli.model import times
from twincli.model.transaction import asset_of, signers_of
from twincli.rules import validity
from twincli.rules.partial import Partial, is_partial
from twincli.rules.partial import read as read_partial
from twincli.services import resolve
from twincli.services.tx import cosign

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from twincli.client import LedgerClient, Outcome
    from twincli.ledger.reading import Entry
    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace


CHUNK = 1000
"""Transactions per commit when many are submitted."""


# --- Reading -----------------------------------------------------------------------------------


def read(data: bytes, what: str) -> Any:
    """Return the transaction in a file, bare or within a ``twin.transaction/1``.

    A partly signed one is returned as a ``rules.partial.Partial``.

    Raises:
        InvalidError: ``invalid_json``, with the position; those of ``rules.partial``.
    """
    return _unwrapped(canonical.decode(data, what=what))


def read_lines(lines: Iterable[bytes], what: str) -> Iterator[Any]:
    """Yield the transactions of one document, or of JSON Lines, one at a time.

    A line that is not JSON is yielded as an ``InvalidError``. If the first line alone is not JSON,
    all lines are one document.
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
        spent_by``; ``spent_by`` has the id of its spender, or null, for each output.
    """
    entry = workspace.client.required(resolve.transaction_id_of(workspace, ref))
    return _shown(entry.tx, entry)


def show_file(client: LedgerClient | None, tx: Any) -> Document:
    """Return a transaction from a file, with its place on the ledger if it is there.

    Args:
        client: The ledger, or None.
        tx: From ``read``.

    Raises:
        InvalidError: ``invalid_hash`` and others: it is malformed.
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
        "signers": signers_of(tx),
        "spent_by": [spent_by.get(index) for index in range(len(tx["outputs"]))],
        "transaction": tx,
    }


# --- Submitting --------------------------------------------------------------------------------


def submit(workspace: Workspace, txs: Iterable[Any]) -> Document:
    """Submit signed transactions; many are committed a thousand at a time, invalid ones left out.

    Args:
        workspace: Rooms.
        txs: From ``read_lines``.

    Returns:
        For one, ``twin.submission/1``: ``ledger transaction_id asset_id height committed_at created
        signed_by warnings``; ``created`` is false if it was already on the ledger.
        For several, ``twin.submissions/1``: ``ledger count created existing failed errors
        warnings``, each error ``{"number", "transaction_id", "code", "message", "hint"}``.

    Raises:
        InvalidError: The one transaction breaks a rule.
        LockedError: ``missing_signature``: it is partly signed.
        ConflictError: ``stale``: it is partly signed, and another one has spent its inputs.
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
            # Spent just now, by this transaction with other signatures or by another one.
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
        "signed_by": signers_of(tx),
        "warnings": [],
    }


def _submit_several(workspace: Workspace, txs: Iterator[Any]) -> Document:
    client = workspace.client
    created = existing = number = 0
    errors: list[Document] = []
    # A dry run judges all together, so that later ones can spend outputs of earlier ones.
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
    """Return a transaction ready to submit, or the error that prevents it."""
    try:
        return cosign.submittable(tx, workspace) if isinstance(tx, Partial) else tx
    except TwinError as error:
        return error


def _verdicts(workspace: Workspace, txs: list[Any]) -> Sequence[Outcome]:
    if workspace.dry_run:
        return workspace.client.judge_each(txs)
    return workspace.client.submit_each(txs)


def _there(client: LedgerClient, tx: Any, verdict: TwinError) -> Entry | None:
    """Return the entry of a refused transaction that is already on the ledger, or None.

    Only refusals after the check of the id count: the id then covers every byte.
    """
    return client.entry(tx["id"]) if verdict.code in ON_LEDGER else None
