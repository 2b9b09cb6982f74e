"""Between ledgers: signed transactions go from one to another as they are.

What the other ledger has is asked first, so that a run that was interrupted goes on where it was:
nothing is sent twice, nothing is left out. Within an asset the order is that of the commits, so
whatever is spent comes before what spends it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.errors import ConflictError, InvalidError, NotFoundError, TwinError, UsageError
from twincli.model import record
from twincli.services import resolve, views

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from twincli.book.store import Book
    from twincli.client import LedgerClient
    from twincli.services.workspace import Workspace

Document = dict[str, Any]

CHUNK = 200
"""Transactions that are sent before it is looked at what became of them."""

_THERE_ALREADY = frozenset({"duplicate_transaction", "double_spend"})


class Fork(NamedTuple):
    """Where two ledgers go different ways.

    Attributes:
        common: The last transaction of both on this way.
        here: What follows on the one.
        there: What follows on the other.
    """

    common: str
    here: str
    there: str


class Gap(NamedTuple):
    """What a ledger lacks of an asset.

    Attributes:
        txs: In commit order.
        fork: Why they cannot follow on; None if they can.
        behind: Whether the other one has what this one lacks.
    """

    txs: Iterator[dict[str, Any]]
    fork: Fork | None = None
    behind: bool = False


def gap(here: LedgerClient, there: LedgerClient, asset_id: str) -> Gap:
    """Return what ``there`` lacks of an asset that is ``here``.

    Raises:
        NotFoundError: There is no such asset here.
    """
    unspent = there.unspent(asset_id)
    if len(unspent) == 1:
        tip = unspent[0].transaction_id
        if here.entry(tip) is not None:
            # All there is of the asset went through this transaction, so whatever is not before it
            # comes after it: no need to look at the rest, however long.
            return Gap(here.transactions(asset_id, after=tip))
    elif not unspent and there.entry(asset_id) is None:
        if here.entry(asset_id) is None:
            raise NotFoundError(f"there is no asset {asset_id} to be copied")
        return Gap(here.transactions(asset_id))
    theirs: dict[str, None] = {}
    spenders: dict[tuple[str, int], str] = {}
    done: set[str] = set()
    for tx in there.transactions(asset_id):
        theirs[tx["id"]] = None
        spenders.update(dict.fromkeys(_spends(tx), tx["id"]))
        done.update(rebases(tx))
    apart = [tx for tx in here.transactions(asset_id) if theirs.pop(tx["id"], 0) is not None]
    missing = [tx for tx in apart if tx["id"] not in done]
    fork = None
    if missing:
        forks = (
            Fork(place[0], tx["id"], spenders[place])
            for tx in apart
            for place in _spends(tx)
            if place in spenders
        )
        fork = next(forks, None)
    return Gap(iter(missing), fork, behind=bool(theirs))


def _spends(tx: dict[str, Any]) -> list[tuple[str, int]]:
    return [
        (entry["fulfills"]["transaction_id"], entry["fulfills"]["output_index"])
        for entry in tx["inputs"]
        if entry["fulfills"] is not None
    ]


def rebases(tx: dict[str, Any]) -> list[str]:
    """Return the transaction of another ledger that ``tx`` records anew, if it does."""
    stated = (record.envelope_of(tx["metadata"]) or {}).get("rebases")
    return [stated] if isinstance(stated, str) else []


class Moved(NamedTuple):
    """What became of an asset.

    Attributes:
        asset_id: Its id.
        status: ``moved``, ``up_to_date``, ``behind`` (the other has more), ``rebased``,
            ``diverged`` or ``failed``.
        transactions: How many were not there before.
        error: Why not all are there now, or None.
    """

    asset_id: str
    status: str
    transactions: int = 0
    error: TwinError | None = None


def move(here: LedgerClient, there: LedgerClient, asset_id: str, *, dry_run: bool = False) -> Moved:
    """Copy what ``there`` lacks of an asset that is ``here``.

    Raises:
        UnreachableError: A network stopped answering; run again, it goes on where it was.
    """
    try:
        found = gap(here, there, asset_id)
    except NotFoundError as missing:
        return Moved(asset_id, "failed", error=missing)
    if found.fork is not None:
        return Moved(asset_id, "diverged", error=_diverged(asset_id, found.fork))
    count = 0
    last: str | None = None
    if dry_run:
        count = sum(1 for _ in found.txs)
    else:
        while chunk := list(islice(found.txs, CHUNK)):
            for tx, outcome in zip(chunk, there.submit_each(chunk), strict=True):
                if not isinstance(outcome, InvalidError):
                    count += 1
                elif outcome.code not in _THERE_ALREADY or there.entry(tx["id"]) is None:
                    return Moved(asset_id, "failed", count, _refused(tx, outcome))
            last = chunk[-1]["id"]
        if last is not None and there.entry(last) is None:
            lost = ConflictError(
                f"{last} was taken and is not shown", code="not_committed", retryable=True
            )
            return Moved(asset_id, "failed", count, lost)
    idle = "behind" if found.behind else "up_to_date"
    return Moved(asset_id, "moved" if count else idle, count)


def _refused(tx: dict[str, Any], error: InvalidError) -> InvalidError:
    return InvalidError(f"{tx['id']}: {error.message}", code=error.code, hint=error.hint)


def _diverged(asset_id: str, fork: Fork) -> ConflictError:
    return ConflictError(
        f"the histories of {asset_id} part after {fork.common}: here {fork.here} follows,"
        f" there {fork.there}",
        code="diverged",
        hint="twin push --rebase records yours anew, on top of what is there",
    )


# --- Many assets -------------------------------------------------------------------------------


def push(
    workspace: Workspace, there: LedgerClient, refs: Sequence[str], *, rebase: bool
) -> Document:
    """Copy assets of this ledger to another one.

    Args:
        workspace: This ledger, names and keys.
        there: The other one.
        refs: Assets; none: all.
        rebase: Where the other one went on otherwise, record what it lacks anew, on top of that.

    Returns:
        ``twin.push/1``: ``ledger to assets transactions failed errors warnings``; ``assets`` are
        ``asset_id name status transactions``, ``transactions`` how many are new there, ``errors``
        ``asset_id name code message hint``.

    Raises:
        ConflictError: ``diverged``, InvalidError and others: of the only asset.
        UnreachableError: The other one stopped answering; run again, it goes on where it was.
    """
    here = workspace.client
    wanted: Iterable[str] = (
        [resolve.asset_id_of(workspace, ref) for ref in refs] if refs else here.asset_ids()
    )

    def one(asset_id: str) -> Moved:
        made = move(here, there, asset_id, dry_run=workspace.dry_run)
        if made.status == "diverged" and rebase:
            from twincli.services import rebasing

            return rebasing.rebase(workspace, there, asset_id)
        return made

    told = _Telling(workspace.book, here, there)
    for asset_id in dict.fromkeys(wanted):
        told.add(one(asset_id), keep_names=not workspace.dry_run)
        told.warn_of_parent(asset_id)
    return told.document("twin.push/1")


def pull(
    workspace: Workspace,
    here: LedgerClient,
    asset_ids: Iterable[str],
    *,
    schema: str = "twin.pull/1",
) -> Document:
    """Copy assets of another ledger to this one, whose rules are strict.

    Args:
        workspace: The other ledger, names and keys.
        here: This one.
        asset_ids: From ``chosen`` or ``found``.
        schema: Of the document.

    Returns:
        As ``push``, with what is new here.
    """
    there = workspace.client
    told = _Telling(workspace.book, there, here)
    for asset_id in asset_ids:
        told.add(
            move(there, here, asset_id, dry_run=workspace.dry_run),
            keep_names=not workspace.dry_run,
        )
    return told.document(schema)


def chosen(workspace: Workspace, here: LedgerClient, refs: Sequence[str]) -> list[str]:
    """Return the assets to pull.

    Args:
        workspace: The other ledger, names and keys.
        here: This one.
        refs: Assets of the other one; none: those that are named there, those that my keys own
            there, and those that are here and there.
    """
    if refs:
        return list(dict.fromkeys(resolve.asset_id_of(workspace, ref) for ref in refs))
    mine = [item["id"] for item in views.list_assets(workspace)["assets"]]
    known = set(mine)
    both = [
        asset_id
        for asset_id in here.asset_ids()
        if asset_id not in known and workspace.client.entry(asset_id) is not None
    ]
    return [*mine, *both]


def found(
    workspace: Workspace,
    *,
    ids: Sequence[str] = (),
    owner: str | None = None,
    text: str | None = None,
) -> list[str]:
    """Return the assets to import.

    Args:
        workspace: The other ledger, names and keys.
        ids: Of assets or of their transactions.
        owner: Assets of which this party holds something.
        text: Assets that hold these words.

    Raises:
        UsageError: Nothing was asked for.
        NotFoundError: There is no transaction of such an id.
    """
    if not ids and owner is None and text is None:
        raise UsageError("say what to import: --id TX, --owner KEY or --search TEXT")
    chosen: dict[str, None] = {}
    for tx_id in ids:
        entry = workspace.client.entry(resolve.transaction_id_of(workspace, tx_id))
        assert entry is not None
        chosen[views.asset_of(entry.tx)] = None
    if owner is not None:
        listed = views.list_assets(workspace, owner=owner)["assets"]
        chosen.update(dict.fromkeys(item["id"] for item in listed))
    if text is not None:
        chosen.update(dict.fromkeys(hit["id"] for hit in workspace.client.search_assets(text)))
    return list(chosen)


class _Telling:
    """The document of a run that copies many assets, and the names that go along."""

    def __init__(self, book: Book, source: LedgerClient, target: LedgerClient) -> None:
        self.book = book
        self.source = source
        self.target = target
        self.moved: list[tuple[Moved, str | None]] = []
        self.warnings: list[str] = []

    def add(self, made: Moved, *, keep_names: bool) -> None:
        names = self.book.names_of(self.source.ledger_id, made.asset_id)
        self.moved.append((made, names[0] if names else None))
        if made.error is not None or not keep_names:
            return
        for name in names:
            try:
                self.book.set_asset(self.target.ledger_id, name, made.asset_id)
            except ConflictError as error:
                self.warnings.append(error.message)

    def warn_of_parent(self, asset_id: str) -> None:
        """Say so where a part got there and what it is a part of did not."""
        entry = self.source.entry(asset_id)
        stated = record.creating_envelope(entry.tx).get("parent") if entry is not None else None
        if isinstance(stated, str) and self.target.entry(stated) is None:
            self.warnings.append(f"{asset_id} is a part of {stated}, which is not there")

    def document(self, schema: str) -> Document:
        failed = [(made, name) for made, name in self.moved if made.error is not None]
        if len(self.moved) == 1 and failed and failed[0][0].error is not None:
            raise failed[0][0].error
        return {
            "schema": schema,
            "ledger": self.source.ledger_id,
            "to": self.target.ledger_id,
            "assets": [
                {
                    "asset_id": made.asset_id,
                    "name": name,
                    "status": made.status,
                    "transactions": made.transactions,
                }
                for made, name in self.moved
            ],
            "transactions": sum(made.transactions for made, _ in self.moved),
            "failed": len(failed),
            "errors": [
                {
                    "asset_id": made.asset_id,
                    "name": name,
                    "code": made.error.code,
                    "message": made.error.message,
                    "hint": made.error.hint,
                }
                for made, name in failed
                if made.error is not None
            ],
            "warnings": self.warnings,
        }
