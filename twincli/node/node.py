"""The node behind the requests: what it holds open, and what runs beside requests."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.errors import TwinError
from twincli.node import access
from twincli.node.events import Events
from twincli.node.metrics import Metrics
from twincli.node.readers import Readers
from twincli.node.writing.bodies import MAX_BODY, Bodies
from twincli.node.writing.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.content.store import Blobs
    from twincli.ledger import Ledger
    from twincli.node.answers import Header

INDEX_SECONDS = 1.0
INDEX_LATEST = 30
"""A busy node leaves the index alone, but for at most this many times ``INDEX_SECONDS``."""

_HOST = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[a-zA-Z0-9._-]{1,253})(:[0-9]{1,5})?")


class Options(NamedTuple):
    """How a node behaves.

    Attributes:
        tokens: One of them must come with every request; empty: none is asked for.
        read_only: Take no transactions.
        max_body: Bytes of a transaction.
        rate: Requests a second from one address; 0 for any number.
        max_streams: Event streams that may be open at once.
        ws_port: Where the event streams are said to be; None: where everything else is.
        log: Takes a line about each request.
        content: Files by their CID; None: it keeps none.
    """

    tokens: tuple[bytes, ...] = ()
    read_only: bool = False
    max_body: int = MAX_BODY
    rate: float = 0.0
    max_streams: int = 1000
    ws_port: int | None = None
    log: Callable[[dict[str, Any]], None] | None = None
    content: Blobs | None = None


class Node:
    """A ledger that is served: its readers, its writer, its event streams.

    Args:
        open_ledger: Opens it; called for every thread that reads, and for the one that writes.
        options: See there.
    """

    def __init__(self, open_ledger: Callable[[], Ledger], options: Options | None = None) -> None:
        self.options = options or Options()
        self.ledger = open_ledger()
        self.metrics = Metrics()
        self.readers = Readers(open_ledger)
        self._indexing = Readers(open_ledger, threads=1)
        self.events = Events(self.readers, self.height)
        self.writer = Writer(self.ledger.path, self.metrics, self.events.committed)
        self.bodies = Bodies(self.options.max_body)
        self.stopping = False
        self.rate = access.Rate(self.options.rate)
        self._indexer: asyncio.Task[None] | None = None
        self._starter: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin what runs beside requests; in the event loop."""
        self._indexer = asyncio.create_task(self._keep_index())
        if not self.options.read_only:
            self._starter = asyncio.create_task(self._start_writer())

    async def _start_writer(self) -> None:
        try:
            await self.writer.start()
        except TwinError as error:
            report_fault(error)

    def stop(self) -> None:
        """Begin no more, and end what would take long; what was taken is still finished."""
        self.stopping = True
        self.readers.interrupt()
        self._indexing.interrupt()

    async def close(self, *, at_once: bool = False) -> None:
        """Finish what was taken, unless it shall be at once, and close the ledger."""
        self.stop()
        if self._indexer is not None:
            self._indexer.cancel()
            await asyncio.gather(self._indexer, return_exceptions=True)
        await self.events.close()
        await self.writer.close(at_once=at_once)
        await self.readers.close()
        await self._indexing.close()
        self.ledger.close()

    def height(self) -> int:
        """Return the ledger's height."""
        return self.ledger.tip().height

    async def _keep_index(self) -> None:
        """Keep the derived index near the ledger, so that no search has to wait for it."""
        indexed, passed = -1, 0
        while not self.stopping:
            await asyncio.sleep(INDEX_SECONDS)
            passed += 1
            try:
                height = self.height()
                if height != indexed and (not self.writer.waiting or passed >= INDEX_LATEST):
                    await self._indexing.run(lambda ledger: ledger.index.mark())
                    indexed, passed = height, 0
            except TwinError as error:
                if not self.stopping:
                    report_fault(error)

    def gauges(self) -> dict[str, tuple[str, int]]:
        """Return what is so at the moment, for the metrics."""
        return {
            "twin_node_height": ("Height of the ledger.", self.height()),
            "twin_node_waiting": ("Transactions that wait for a block.", self.writer.waiting),
            "twin_node_stream_readers": ("Open event streams.", self.events.readers),
        }

    def stream_url(self, scope: dict[str, Any]) -> str:
        """Return where the event streams are, as the one that asks would reach them."""
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        match = _HOST.fullmatch(host.decode("latin-1"))
        name, port = (match[1], match[2] or "") if match else ("localhost", "")
        if self.options.ws_port is not None:
            port = f":{self.options.ws_port}"
        scheme = "wss" if scope.get("scheme") in {"https", "wss"} else "ws"
        return f"{scheme}://{name}{port}"

    def may_ask(self, headers: list[Header]) -> bool:
        """Say whether a request carries a token, where one is required."""
        tokens = self.options.tokens
        return not tokens or access.permits(tokens, headers)


def report_fault(fault: TwinError) -> None:
    """Log a fault of this machine."""
    logging.getLogger("twincli.node").error("twin: node: %s", fault.message)
