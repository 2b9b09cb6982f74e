"""The event streams: everything that is committed, in order.

There is one source, the ledger's file: blocks above the last height sent are read from it, so what
other processes commit is included, one poll later. Each reader has a position instead of a queue,
so a slow one delays nobody and misses nothing; if it reads nothing for too long it is dropped, and
resumes with ``?from_height=``.

Source: bigchaindb 2.2.2 ``valid_transactions`` as captured; ``valid_blocks`` in the form that the
server's successors gave it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any

from twincli.node.answers import text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from twincli.ledger import Ledger
    from twincli.ledger.reading import Commit
    from twincli.node.readers import Readers

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

POLL_SECONDS = 0.05
STALL_SECONDS = 20.0
KEPT = 20_000
"""Transactions of the latest blocks kept in memory; a reader behind them reads the ledger."""
TOO_SLOW = 1013

TRANSACTIONS = "/api/v1/streams/valid_transactions"
BLOCKS = "/api/v1/streams/valid_blocks"


class Events:
    """Sends what is committed to all readers.

    Args:
        readers: Where blocks are read.
        height: Returns the ledger's height.

    Attributes:
        held: Blocks and ids of transactions that are kept, at most ``KEPT``.
        readers: How many there are.
    """

    def __init__(self, readers: Readers, height: Callable[[], int]) -> None:
        self._readers = readers
        self._tip = height
        self._told = height()
        self._kept: OrderedDict[int, Commit] = OrderedDict()
        self.held = 0
        self._news = asyncio.Event()
        self._commit = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None
        self.readers = 0

    def committed(self) -> None:
        """Look now instead of at the next poll."""
        self._commit.set()

    async def serve(self, stream: str, start: int | None, receive: Receive, send: Send) -> None:
        """Accept a connection and send events until it closes.

        Args:
            stream: ``TRANSACTIONS`` or ``BLOCKS``.
            start: The first height to send; None: from now on.
            receive: From the connection.
            send: To the connection.

        Raises:
            TimeoutError: The reader reads nothing any more.
            ConfigError, TwinError: The ledger cannot be read.
        """
        if self._follower is None or self._follower.done():
            self._told = self._tip()
            self._follower = asyncio.create_task(self._follow())
        place = self._told if start is None else start - 1
        self.readers += 1
        try:
            await send({"type": "websocket.accept"})
            await self._serve(stream, place, self._follower, receive, send)
        finally:
            self.readers -= 1

    async def _serve(
        self, stream: str, place: int, follower: asyncio.Task[None], receive: Receive, send: Send
    ) -> None:
        gone = asyncio.ensure_future(_gone(receive))
        telling = asyncio.ensure_future(self._tell(stream, place, send))
        try:
            await asyncio.wait((gone, telling, follower), return_when=asyncio.FIRST_COMPLETED)
            if not gone.done():
                (telling if telling.done() else follower).result()
        finally:
            for task in (gone, telling):
                task.cancel()
            await asyncio.gather(gone, telling, return_exceptions=True)

    async def _follow(self) -> None:
        """Read new blocks once for all readers, while there are any."""
        while self.readers:
            height = self._tip()
            while self._told < height:
                for commit in await self._read(self._told):
                    self._keep(commit)
                    self._told = commit.height
                self._news.set()
                self._news = asyncio.Event()
            self._commit.clear()
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._commit.wait()
            except TimeoutError:
                continue

    def _keep(self, commit: Commit) -> None:
        """Keep a block for the readers, and forget the oldest."""
        self._kept[commit.height] = commit
        self.held += 1 + len(commit.ids)
        while self.held > KEPT:
            _, gone = self._kept.popitem(last=False)
            self.held -= 1 + len(gone.ids)

    async def _read(self, after: int) -> list[Commit]:
        return await self._readers.run(lambda ledger: ledger.commits(after))

    async def _tell(self, stream: str, place: int, send: Send) -> None:
        while True:
            if place >= self._told:
                await self._news.wait()
                continue
            kept = self._kept.get(place + 1)
            for commit in [kept] if kept is not None else await self._read(place):
                if commit.height > self._told:
                    break  # the others are not due yet
                async for text in self._texts(stream, commit):
                    async with asyncio.timeout(STALL_SECONDS):
                        await send({"type": "websocket.send", "text": text})
                place = commit.height
            await asyncio.sleep(0)

    async def _texts(self, stream: str, commit: Commit) -> AsyncIterator[str]:
        if stream == TRANSACTIONS:
            async for ids in self._ids(commit):
                for tx_id, asset_id in ids:
                    yield text_of(
                        {
                            "height": commit.height,
                            "asset_id": asset_id,
                            "transaction_id": tx_id,
                        }
                    )
        else:
            all_ids = [tx_id async for ids in self._ids(commit) for tx_id, _ in ids]
            yield text_of(
                {
                    "height": commit.height,
                    "hash": commit.app_hash,
                    "transaction_ids": all_ids,
                }
            )

    async def _ids(self, commit: Commit) -> AsyncIterator[list[tuple[str, str]]]:
        """Yield the ids of a block; those of a very large one in parts."""
        ids, told = commit.ids, 0
        while ids:
            yield ids
            told += len(ids)
            if told >= commit.size:
                return
            ids = await self._readers.run(partial(_more, height=commit.height, skip=told))

    async def close(self) -> None:
        """Stop following."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    """Return when the client has gone; ignore what it sends until then."""
    while (await receive())["type"] != "websocket.disconnect":
        pass


def _more(ledger: Ledger, height: int, skip: int) -> list[tuple[str, str]]:
    return ledger.block_ids(height, skip)
