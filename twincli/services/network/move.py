"""Signed transactions, moved from one ledger to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.client import ON_LEDGER
from twincli.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    NotVerifiedError,
    TwinError,
)
from twincli.services.network.compare import Fork, gap

if TYPE_CHECKING:
    from twincli.client import LedgerClient

CHUNK = 200
"""Transactions that are sent before it is looked at what became of them."""


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
            elif outcome.code not in ON_LEDGER or self.there.entry(tx["id"]) is None:
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
