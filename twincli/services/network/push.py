"""Between ledgers: signed transactions go from one to another as they are.

What the other ledger has is asked first, so that a run that was interrupted goes on where it was:
nothing is sent twice, nothing is left out. Within an asset the order is that of the commits, so
whatever is spent comes before what spends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    NotVerifiedError,
    TwinError,
    UsageError,
)
from twincli.model import record
from twincli.services import resolve
from twincli.services.asset import documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from twincli.client import LedgerClient
    from twincli.services.workspace import Workspace

Document = dict[str, Any]

CHUNK = 200
"""Transactions that are sent before it is looked at what became of them."""

_THERE_ALREADY = frozenset({"duplicate_transaction", "double_spend"})


class Fork(NamedTuple):
    """Where two ledgers go different ways.

    Attributes:
        common: The last transaction of both on this way, as the other ledger has it.
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
        anew: Whether they can follow on only if they are recorded anew: what they follow on was.
    """

    txs: Iterator[dict[str, Any]]
    fork: Fork | None = None
    behind: bool = False
    anew: bool = False


def gap(here: LedgerClient, there: LedgerClient, asset_id: str) -> Gap:
    """Return what ``there`` lacks of an asset that is ``here``.

    What was recorded there anew by ``push --rebase`` is not lacking.

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
    spenders: dict[tuple[str, int], str] = {}
    same = Same()
    for tx in there.transactions(asset_id):
        spenders.update(dict.fromkeys(_spends(tx), tx["id"]))
        same.add(tx)
    both = 0
    apart = []
    for tx in here.transactions(asset_id):
        same.know(tx)
        if tx["id"] in same.there:
            both += 1
        else:
            apart.append(tx)
    behind = len(same.there) > both
    if not any(place in spenders for tx in apart for place in _spends(tx)):
        return Gap(iter(apart), behind=behind)
    missing = []
    for tx in apart:
        if same.of(tx["id"]) is None:
            told = _told_once(there, asset_id, tx)
            if told is None:
                missing.append(tx)
            else:
                same.say(tx["id"], told)
    known = {same.first(tx["id"]) for tx in apart}
    for tx in missing:
        for source, index in _spends(tx):
            found = same.of(source)
            theirs = spenders.get((found, index)) if found is not None else None
            # What follows there on what was recorded anew, and is known here, is no other way.
            while found != source and theirs is not None and same.first(theirs) in known:
                found, theirs = theirs, spenders.get((theirs, 0))
            if found is not None and theirs is not None:
                return Gap(iter(missing), Fork(found, tx["id"], theirs), behind)
    return Gap(iter(missing), behind=behind, anew=True)


def _spends(tx: dict[str, Any]) -> list[tuple[str, int]]:
    return [
        (entry["fulfills"]["transaction_id"], entry["fulfills"]["output_index"])
        for entry in tx["inputs"]
        if entry["fulfills"] is not None
    ]


class Same:
    """Which transactions of another ledger are those of this one, or record them anew.

    What records something anew names it in its envelope, as ``rebases``; that may record another
    one anew in its turn. Two that come from the same one say the same.

    Attributes:
        there: The ids on the other ledger, in commit order.
    """

    def __init__(self) -> None:
        self.there: dict[str, None] = {}
        self._rebases: dict[str, str] = {}
        self._made: dict[str, str] | None = None

    def know(self, tx: dict[str, Any]) -> None:
        """Take note of a transaction, on whichever ledger."""
        stated = (record.envelope_of(tx["metadata"]) or {}).get("rebases")
        if isinstance(stated, str):
            self._rebases.setdefault(tx["id"], stated)  # it may be known from the other ledger
            self._made = None

    def say(self, tx_id: str, other: str) -> None:
        """Take note that a transaction that is not there says what another one there does."""
        self._rebases[self.first(tx_id)] = other

    def add(self, tx: dict[str, Any]) -> None:
        """Take note of a transaction that is on the other ledger."""
        made = self._made
        self.know(tx)
        self.there[tx["id"]] = None
        if made is not None:
            made[self.first(tx["id"])] = tx["id"]
            self._made = made

    def of(self, tx_id: str) -> str | None:
        """Return the transaction on the other ledger that is, or says, what this one does."""
        if tx_id in self.there:
            return tx_id
        if self._made is None:
            self._made = {self.first(made): made for made in self.there}
        return self._made.get(self.first(tx_id))

    def first(self, tx_id: str) -> str:
        """Return what a transaction records anew, itself where it is the first to say it."""
        # It ends: nothing can name what is made after it.
        found = tx_id
        while found in self._rebases:
            found = self._rebases[found]
        # A way that strangers made long is gone once.
        while tx_id != found:
            self._rebases[tx_id], tx_id = found, self._rebases[tx_id]
        return found


def _told_once(there: LedgerClient, asset_id: str, tx: dict[str, Any]) -> str | None:
    """Return where the signers of ``tx`` said the same there, under the same once token."""
    token = (record.envelope_of(tx["metadata"]) or {}).get("once")
    if not isinstance(token, str):
        return None
    mine = {key for entry in tx["inputs"] for key in entry["owners_before"]}
    said = record.without_envelope(tx["metadata"])
    for signers, made in there.once(asset_id, token):
        entry = there.entry(made) if signers <= mine else None
        if entry is not None and record.without_envelope(entry.tx["metadata"]) == said:
            return made
    return None


class Moved:
    """What became of an asset.

    Attributes:
        asset_id: Its id.
        status: ``moved``, ``up_to_date``, ``behind`` (the other has more), ``rebased`` (one of the
            two records anew what the other has, so that each has a branch of its own),
            ``diverged`` or ``failed``.
        transactions: How many were not there before.
        error: Why not all are there now, or None.
        forked: Whether what is missing cannot follow on, not even if only what was not recorded
            anew yet is.
        anew: Whether what is missing can follow on once it is recorded anew.
    """

    def __init__(self, asset_id: str) -> None:
        self.asset_id = asset_id
        self.status = "up_to_date"
        self.transactions = 0
        self.error: TwinError | None = None
        self.forked = self.anew = False

    def fail(self, error: TwinError, status: str = "failed") -> None:
        """Note that it did not go well; what came before stays."""
        self.status, self.error = status, error


class Mover:
    """Copies assets that are ``here`` to another ledger.

    Transactions of many assets go together, so that few commits or, on a network, few waits are
    enough for many.

    Attributes:
        moved: What became of each, in the order of ``add``; final after ``finish``.
    """

    def __init__(self, here: LedgerClient, there: LedgerClient, *, dry_run: bool = False) -> None:
        self.here = here
        self.there = there
        self.dry_run = dry_run
        self.moved: list[Moved] = []
        self._batch: list[tuple[Moved, dict[str, Any]]] = []
        self._last: list[tuple[Moved, str]] = []

    def add(self, asset_id: str) -> Moved:
        """Copy what is missing of an asset; some of it may wait for the next batch.

        Raises:
            UnreachableError: A network stopped answering; run again, it goes on where it was.
        """
        made = Moved(asset_id)
        self.moved.append(made)
        try:
            found = gap(self.here, self.there, asset_id)
        except (NotFoundError, NotVerifiedError) as error:
            # One that a node lies about does not keep the others from being copied.
            made.fail(error)
            return made
        if found.behind:
            made.status = "behind"
        if found.fork is not None:
            made.forked = True
            back = gap(self.there, self.here, asset_id)
            if back.fork is not None:
                made.fail(_diverged(asset_id, found.fork), "diverged")
            elif next(back.txs, None) is None:
                # The other way nothing is missing: there is no more to do than was done.
                made.status = "rebased"
            return made
        if found.anew:
            made.anew = next(found.txs, None) is not None
            if made.anew:
                made.status = "rebased"
            return made
        last = None
        for tx in found.txs:
            last = tx["id"]
            if self.dry_run:
                made.status = "moved"
                made.transactions += 1
                continue
            self._batch.append((made, tx))
            if len(self._batch) >= CHUNK:
                self._send()
            if made.error is not None:
                break
        if last is not None and not self.dry_run:
            self._last.append((made, last))
        return made

    def _send(self) -> None:
        batch, self._batch = self._batch, []
        outcomes = self.there.submit_each([tx for _, tx in batch])
        for (made, tx), outcome in zip(batch, outcomes, strict=True):
            if made.error is not None:
                continue  # it follows on what was refused
            if not isinstance(outcome, InvalidError):
                made.status = "moved"
                made.transactions += 1
            elif outcome.code not in _THERE_ALREADY or self.there.entry(tx["id"]) is None:
                made.fail(_refused(tx, outcome))

    def finish(self) -> list[Moved]:
        """Send what waits; look whether what was taken is there."""
        if self._batch:
            self._send()
        for made, last in self._last:
            if made.error is None and self.there.entry(last) is None:
                text = f"{last} was taken and is not shown"
                made.fail(ConflictError(text, code="not_committed", retryable=True))
        return self.moved


def _refused(tx: dict[str, Any], error: InvalidError) -> InvalidError:
    return InvalidError(f"{tx['id']}: {error.message}", code=error.code, hint=error.hint)


def _diverged(asset_id: str, fork: Fork) -> ConflictError:
    return ConflictError(
        f"the histories of {asset_id} part after {fork.common}: here {fork.here} follows,"
        f" there {fork.there}",
        code="diverged",
        hint="twin push --rebase records what is only on the one side anew on top of the other;"
        " each ledger keeps its own branch",
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
            What follows on such a one is recorded anew in any case.

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

    mover = Mover(here, there, dry_run=workspace.dry_run)
    for asset_id in dict.fromkeys(wanted):
        made = mover.add(asset_id)
        # What follows on what was recorded anew goes the same way without being told again.
        if made.anew or (made.forked and rebase):
            from twincli.services.network import rebase as rebasing

            rebasing.rebase(workspace, there, made)
    document = _told(workspace, mover, "twin.push/1")
    for made in mover.moved:
        entry = here.entry(made.asset_id)
        stated = record.creating_envelope(entry.tx).get("parent") if entry is not None else None
        if isinstance(stated, str) and not workspace.dry_run and there.entry(stated) is None:
            document["warnings"].append(
                f"{made.asset_id} is a part of {stated}, which is not there"
            )
    return document


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
    mover = Mover(workspace.client, here, dry_run=workspace.dry_run)
    for asset_id in asset_ids:
        mover.add(asset_id)
    return _told(workspace, mover, schema)


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
    mine = [item["id"] for item in documents.list_assets(workspace)["assets"]]
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
        chosen[documents.asset_of(entry.tx)] = None
    if owner is not None:
        listed = documents.list_assets(workspace, owner=owner)["assets"]
        chosen.update(dict.fromkeys(item["id"] for item in listed))
    if text is not None:
        chosen.update(dict.fromkeys(hit["id"] for hit in workspace.client.search_assets(text)))
    return list(chosen)


def _told(workspace: Workspace, mover: Mover, schema: str) -> Document:
    """Finish a run; return its document, and let the names go along with their assets."""
    source, target = mover.here.ledger_id, mover.there.ledger_id
    moved = mover.finish()
    failed = [made for made in moved if made.error is not None]
    if len(moved) == 1 and moved[0].error is not None:
        raise moved[0].error
    names = {made.asset_id: workspace.book.names_of(source, made.asset_id) for made in moved}
    warnings: list[str] = []
    for made in moved:
        if made.error is None and not workspace.dry_run:
            for name in names[made.asset_id]:
                try:
                    workspace.book.set_asset(target, name, made.asset_id)
                except ConflictError as error:
                    warnings.append(error.message)

    def named(made: Moved) -> Document:
        return {"asset_id": made.asset_id, "name": next(iter(names[made.asset_id]), None)}

    return {
        "schema": schema,
        "ledger": source,
        "to": target,
        "assets": [
            {**named(made), "status": made.status, "transactions": made.transactions}
            for made in moved
        ],
        "transactions": sum(made.transactions for made in moved),
        "failed": len(failed),
        "errors": [
            {
                **named(made),
                "code": made.error.code,
                "message": made.error.message,
                "hint": made.error.hint,
            }
            for made in failed
            if made.error is not None
        ],
        "warnings": warnings,
    }
