"""Several commits as one: durable together, and parts of them undone.

What is submitted in between is on the ledger for this process alone, block by block as always, so
whatever reads it goes on as usual. Other processes cannot write meanwhile. The derived index, in a
file of its own, is held the same way: it never keeps what the ledger has not committed.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from twincli.crypto.ed25519 import Signer
    from twincli.ledger.bulk import Append
    from twincli.ledger.reading import Reader


class Together:
    """A context in which all that is submitted is one durable commit.

    An exception undoes all of it.

    Args:
        ledger: What is submitted to.
        keep: False: undo all of it in any case, for those who want to know what would happen.
    """

    def __init__(self, ledger: Reader, *, keep: bool) -> None:
        self._ledger = ledger
        self._keep = keep
        self._writing = ledger.store.writing()
        self._depth = 0
        self._before = 0

    def __enter__(self) -> Self:
        assert not self._ledger.store.is_together
        self._writing.__enter__()
        self._before = self._ledger.store.tip().last_seq
        self._ledger.store.is_together = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ledger = self._ledger
        ledger.store.is_together = False
        kept = False
        try:
            if error is None and self._keep:
                self._writing.__exit__(None, None, None)
                kept = True
            else:
                self._writing.__exit__(_Undone, error or _Undone(), trace)
        finally:
            ledger.release_index(keep=kept)
            if not kept:
                ledger.forget_after(self._before)
        tip = ledger.store.tip()
        if kept and tip.last_seq > self._before:
            ledger.note(tip.height, tip.last_seq, ledger.id_at(tip.last_seq))

    @property
    def position(self) -> int:
        """How many transactions the ledger holds, these among them."""
        return self._ledger.store.tip().last_seq

    def append_each(self, signer: Signer, appends: Iterable[Append]) -> list[str]:
        """Append to many assets in one block; return the ids. See ``Ledger.append_many``.

        Args:
            signer: The only owner of each asset's one unspent output.
            appends: In order.
        """
        from twincli.ledger import bulk

        return bulk.append_each(self._ledger, signer, appends, bulk.COMMIT_EVERY)

    @contextmanager
    def unit(self) -> Iterator[None]:
        """Undo what is submitted inside, and nothing else, when it ends with an exception."""
        ledger, run = self._ledger, self._ledger.store.connection.execute
        name = f"unit{self._depth}"
        self._depth += 1
        before = ledger.store.tip().last_seq
        indexed = ledger.mark_index(name)
        ledger.store.begin_part(name)
        try:
            yield
        except BaseException:
            # A full disk may have ended the transaction by itself; then nothing is left to undo.
            if ledger.store.connection.in_transaction:
                run(f"ROLLBACK TO {name}")
                run(f"RELEASE {name}")
            ledger.undo_index(name, indexed)
            ledger.forget_after(before)
            raise
        else:
            run(f"RELEASE {name}")
            ledger.pass_index(name, indexed)
        finally:
            self._depth -= 1


class _Undone(BaseException):
    """Ends a write transaction that is not to be kept."""
