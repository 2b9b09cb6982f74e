"""Signed transactions, copied unchanged from one ledger to another."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from twincli.client import ON_LEDGER
from twincli.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    NotVerifiedError,
    TwinError,
)
from twincli.services import catalogue
from twincli.services.network.compare import Fork, find_gap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.client import LedgerClient
    from twincli.services.documents import Moves
    from twincli.services.workspace import Workspace

BATCH = 200
"""Transactions sent before checking results."""

SHORT = 10
"""Digits of an id in a message."""


class Moved:
    """The result for one asset.

    Attributes:
        asset_id: Its id.
        status: ``moved``, ``up_to_date``, ``behind`` (the other ledger has more), ``rebased`` (one
            of the ledgers has recorded again what the other one has, so that each has a branch of
            its own), ``diverged`` or ``failed``.
        transactions: How many were added.
        error: Why some are missing, or None.
        forked: Whether the missing ones cannot follow, not even after a rebase of their ancestors.
        needs_rebase: Whether the missing ones can follow once they are rebased.
    """

    def __init__(self, asset_id: str) -> None:
        self.asset_id = asset_id
        self.status = "up_to_date"
        self.transactions = 0
        self.error: TwinError | None = None
        self.forked = self.needs_rebase = False

    def fail(self, error: TwinError, status: str = "failed") -> None:
        """Record a failure; the transactions already copied stay."""
        self.status, self.error = status, error


class Mover:
    """Copies assets of the ledger ``here`` to the ledger ``there``.

    Transactions of many assets are sent together, so that few commits or, on a network, few
    round trips are enough.

    Args:
        here: The source.
        there: The target.
        dry_run: Copy nothing, only count.
        pulls: Whether the target is the user's own ledger, "this one" in messages.

    Attributes:
        moved: A result for each asset, in the order of ``add``; final after ``finish``.
        templates: Those that register the template of another one.
    """

    def __init__(
        self,
        here: LedgerClient,
        there: LedgerClient,
        *,
        dry_run: bool = False,
        pulls: bool = False,
    ) -> None:
        self.here = here
        self.there = there
        self.dry_run = dry_run
        self.pulls = pulls
        self.moved: list[Moved] = []
        self.templates: set[str] = set()
        self._added: set[str] = set()
        self._pinned: set[str] = set()
        self._batch: list[tuple[Moved, dict[str, Any]]] = []
        self._last: list[tuple[Moved, str]] = []

    def add_all(self, asset_ids: Iterable[str]) -> Iterator[Moved]:
        """Yield ``add`` of each; both ledgers are asked for many assets together."""
        waiting = iter(dict.fromkeys(asset_ids))
        while chunk := list(islice(waiting, BATCH)):
            self.here.prepare(chunk)
            self.there.prepare(chunk)
            for asset_id in chunk:
                if asset_id not in self._added:  # as the template of an earlier one
                    yield self.add(asset_id)

    def add(self, asset_id: str) -> Moved:
        """Copy what is missing of an asset; some of it may wait for the next batch.

        Raises:
            UnreachableError: A network stopped answering; another run continues from there.
        """
        moved = Moved(asset_id)
        self.moved.append(moved)
        self._added.add(asset_id)
        try:
            create = self.here.entry(asset_id)
            if create is not None:
                self._add_template(create.tx)
            gap = find_gap(self.here, self.there, asset_id)
        except (NotFoundError, NotVerifiedError) as error:
            # An asset that a node lies about does not stop the others.
            moved.fail(error)
            return moved
        if gap.behind:
            moved.status = "behind"
        if gap.fork is not None:
            moved.forked = True
            back = find_gap(self.there, self.here, asset_id)
            if back.fork is not None:
                moved.fail(_diverged(gap.fork, pulls=self.pulls), "diverged")
            elif next(back.txs, None) is None:
                # Nothing is missing in the other direction: an earlier rebase has done it all.
                moved.status = "rebased"
            return moved
        if gap.needs_rebase:
            moved.needs_rebase = next(gap.txs, None) is not None
            if moved.needs_rebase:
                moved.status = "rebased"
            return moved
        last = None
        for tx in gap.txs:
            self._add_template(tx)
            last = tx["id"]
            if self.dry_run:
                moved.status = "moved"
                moved.transactions += 1
                continue
            self._batch.append((moved, tx))
            if len(self._batch) >= BATCH:
                self._send()
            if moved.error is not None:
                break
        if last is not None and not self.dry_run:
            self._last.append((moved, last))
        return moved

    def _add_template(self, tx: dict[str, Any]) -> None:
        """Copy the template that a transaction pins, too: without it nobody can write there."""
        pin = catalogue.pinned_by(tx)
        if pin is None or pin.cid in self._pinned:
            return
        self._pinned.add(pin.cid)
        for asset_id in catalogue.registering(self.here, pin)[:1]:
            self.templates.add(asset_id)
            if asset_id not in self._added and not catalogue.registering(self.there, pin):
                self.add(asset_id)

    def _send(self) -> None:
        batch, self._batch = self._batch, []
        outcomes = self.there.submit_each([tx for _, tx in batch])
        for (moved, tx), outcome in zip(batch, outcomes, strict=True):
            if moved.error is not None:
                continue  # it follows a transaction that was refused
            if not isinstance(outcome, InvalidError):
                moved.status = "moved"
                moved.transactions += 1
            elif outcome.code not in ON_LEDGER or self.there.entry(tx["id"]) is None:
                moved.fail(_refused(tx, outcome))

    def finish(self) -> list[Moved]:
        """Send the rest, then check that the last transaction of each asset arrived."""
        if self._batch:
            self._send()
        self.there.prepare(last for _, last in self._last)
        for moved, last in self._last:
            if moved.error is None and self.there.entry(last) is None:
                moved.fail(
                    ConflictError(
                        f"transaction {last[:SHORT]} was accepted but cannot be read back",
                        code="not_committed",
                        hint="run the same command again",
                        retryable=True,
                    )
                )
        return self.moved


def followed(here: LedgerClient, there: LedgerClient, asset_ids: Iterable[str]) -> list[str]:
    """Return the assets that register templates which twins follow now and ``there`` lacks."""
    found: dict[str, None] = {}
    for asset_id in asset_ids:
        replay = here.replay(asset_id)
        if replay is None or replay.pin is None or catalogue.registering(there, replay.pin):
            continue
        found.update(dict.fromkeys(catalogue.registering(here, replay.pin)[:1]))
    return list(found)


def _refused(tx: dict[str, Any], error: InvalidError) -> TwinError:
    said = f"transaction {tx['id'][:SHORT]} was refused: {error.message}"
    hint = error.hint
    if error.code == "duplicate_twin":
        return ConflictError(said, code=error.code, hint=hint)
    if error.code == "double_spend":
        # Somebody else recorded something since the histories were compared.
        hint = (
            "twin pull, with the same --node, fetches what others recorded there;"
            " twin push --rebase adds yours on top of it"
        )
    return InvalidError(said, code=error.code, hint=hint)


def _diverged(fork: Fork, *, pulls: bool) -> ConflictError:
    """Return the error for two histories that cannot be joined as they are."""
    mine, theirs = (fork.there, fork.here) if pulls else (fork.here, fork.there)
    return ConflictError(
        f"the two ledgers diverged after transaction {fork.common[:SHORT]}: this one continues"
        f" with {mine[:SHORT]}, the other one with {theirs[:SHORT]}",
        code="diverged",
        hint="twin push --rebase, with the same --node, records what only this ledger has again,"
        " on top of the other one's history",
    )


def finish(workspace: Workspace, mover: Mover, schema: str) -> Moves:
    """Finish a run: give the assets their names on the other ledger, return the document.

    Args:
        workspace: The source ledger and names.
        mover: Of the run.
        schema: Of the document.

    Raises:
        TwinError: The only asset failed.
    """
    source, target = mover.here.ledger_id, mover.there.ledger_id
    moved = mover.finish()
    names = {item.asset_id: workspace.book.names_of(source, item.asset_id) for item in moved}
    asked = [item for item in moved if item.asset_id not in mover.templates] or moved
    if len(asked) == 1 and asked[0].error is not None:
        raise asked[0].error.within(_label(asked[0].asset_id, names))
    warnings: list[str] = []
    for item in moved:
        if item.error is None and not workspace.dry_run:
            for name in names[item.asset_id]:
                try:
                    workspace.book.set_asset(target, name, item.asset_id)
                except ConflictError as error:
                    warnings.append(error.message)

    def name_of(item: Moved) -> str | None:
        return next(iter(names[item.asset_id]), None)

    return {
        "schema": schema,
        "ledger": source,
        "to": target,
        "assets": [
            {
                "asset_id": item.asset_id,
                "name": name_of(item),
                "status": item.status,
                "transactions": item.transactions,
            }
            for item in moved
        ],
        "transactions": sum(item.transactions for item in moved),
        "failed": sum(item.error is not None for item in moved),
        "errors": [
            {
                "asset_id": item.asset_id,
                "name": name_of(item),
                "code": item.error.code,
                "message": item.error.message,
                "hint": item.error.hint,
            }
            for item in moved
            if item.error is not None
        ],
        "warnings": warnings,
    }


def _label(asset_id: str, names: dict[str, list[str]]) -> str:
    """Return what people call an asset: its name, or the first digits of its id."""
    return next(iter(names.get(asset_id) or ()), asset_id[:SHORT])
