"""Reading in threads, for answers that may be long.

Answers of one row are read in the event loop, long ones in threads, piece by piece: each thread has
its own ledger and does one step of one request at a time, so a client that stops reading holds only
its own place in a listing.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import TYPE_CHECKING, TypeVar

from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from twincli.ledger import Ledger

    T = TypeVar("T")

THREADS = 2
PIECE = 32_768  # characters of an answer that are made at one step


class _Reader(NamedTuple):
    ledger: Ledger
    thread: ThreadPoolExecutor


class Readers:
    """Threads that read.

    Args:
        open_ledger: Called once for each thread.
        threads: How many.

    Attributes:
        waiting: Calls of ``run`` that have not returned.
    """

    def __init__(self, open_ledger: Callable[[], Ledger], threads: int = THREADS) -> None:
        self._readers = [
            _Reader(open_ledger(), ThreadPoolExecutor(1, f"twin-reader-{number}"))
            for number in range(threads)
        ]
        self._turns = cycle(self._readers)
        self.waiting = 0

    async def run(self, action: Callable[[Ledger], T]) -> T:
        """Run one short action with a ledger."""
        ledger, thread = next(self._turns)
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, action, ledger)
        finally:
            self.waiting -= 1

    async def pieces(self, texts: Callable[[Ledger], Iterator[str]]) -> AsyncIterator[bytes]:
        """Yield JSON texts with commas between them, in pieces of some size.

        All steps of one listing use one ledger, whose thread alternates between listings.
        """
        ledger, thread = next(self._turns)
        loop = asyncio.get_running_loop()
        steps = _joined(ledger, texts)
        while piece := await loop.run_in_executor(thread, next, steps, b""):
            yield piece

    def interrupt(self) -> None:
        """Interrupt long steps; see ``Ledger.interrupt``."""
        for ledger, _ in self._readers:
            ledger.interrupt()

    async def close(self) -> None:
        """Finish the current steps and close the ledgers."""
        for ledger, thread in self._readers:
            thread.shutdown()
            ledger.close()


def _joined(ledger: Ledger, texts: Callable[[Ledger], Iterator[str]]) -> Iterator[bytes]:
    held: list[str] = []
    size = 0
    lead = ""
    for text in texts(ledger):
        held.append(text)
        size += len(text)
        if size >= PIECE:
            yield (lead + ",".join(held)).encode("utf-8", "backslashreplace")
            held.clear()
            size = 0
            lead = ","
    if held:
        yield (lead + ",".join(held)).encode("utf-8", "backslashreplace")
