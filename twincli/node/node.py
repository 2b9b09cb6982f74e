"""The node behind the requests: what it holds open, and what runs beside requests."""

from __future__ import annotations

import asyncio
import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from twincli.crypto.tiles import WIDTH
from twincli.errors import TwinError
from twincli.ledger import tiles
from twincli.ledger.files import locate
from twincli.model.signed_request import Seen
from twincli.node import access
from twincli.node.events import Events
from twincli.node.kept import Kept
from twincli.node.metrics import Metrics
from twincli.node.readers import Readers
from twincli.node.writing.bodies import MAX_BODY, Bodies
from twincli.node.writing.writer import Writer
from twincli.proof import checkpoints
from twincli.proof.witness import Witness
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twincli.content.store import Blobs
    from twincli.crypto.notes import VerifierKey
    from twincli.ledger import Ledger
    from twincli.node.answers import Header

INDEX_SECONDS = 1.0
INDEX_LATEST = 30
"""A busy node leaves the index alone, but for at most this many times ``INDEX_SECONDS``."""

FEW_STREAMS = 16


class Options(NamedTuple):
    """How a node behaves.

    Attributes:
        tokens: One of them must come with every request; empty: none is required.
        read_only: Take no transactions.
        max_body: Bytes of a transaction.
        rate: Requests a second from one address; 0 for any number.
        max_streams: Event streams that may be open at once; one address may have a quarter,
            or ``FEW_STREAMS``.
        ws_port: The advertised port of the event streams; None: that of everything else.
        log: Takes a line about each request.
        content: Files by their CID; None: it keeps none.
        guard: Judges who may have what is encrypted; None: everybody may.
        max_content: Bytes of all files; 0 for any number.
        minutes: The file of the minutes of chunks, for charts; None: there is none.
        origins: Web pages that may use the node, besides those of this machine; ``*`` for all.
        hosts: What the header ``Host`` may name; None: anything.
        advertise: The URL that clients reach the node at, without a slash at the end; None: where
            it listens.
        logs: The keys of logs that the node is a witness of, by their origins; empty: of none.
        behind_proxy: A proxy says where requests come from, and it alone reaches the node.
    """

    tokens: tuple[bytes, ...] = ()
    read_only: bool = False
    max_body: int = MAX_BODY
    rate: float = 0.0
    max_streams: int = 1000
    ws_port: int | None = None
    log: Callable[[dict[str, Any]], None] | None = None
    content: Blobs | None = None
    guard: access.Guard | None = None
    max_content: int = 0
    minutes: str | None = None
    origins: tuple[str, ...] = ()
    hosts: access.Hosts | None = None
    advertise: str | None = None
    logs: Mapping[str, tuple[VerifierKey, ...]] = MappingProxyType({})
    behind_proxy: bool = False


class Node:
    """A ledger that is served: its readers, its writer, its event streams.

    Args:
        open_ledger: Opens it; called once for each thread that reads.
        options: How it behaves.
    """

    def __init__(self, open_ledger: Callable[[], Ledger], options: Options | None = None) -> None:
        self.options = options or Options()
        self.ledger = open_ledger()
        self.metrics = Metrics()
        self.readers = Readers(open_ledger)
        self._indexing = Readers(open_ledger, threads=1)
        # Pages and finding take longer than other requests, which do not wait for them.
        self.pages = Readers(open_ledger, threads=1)
        self.finding = Readers(open_ledger, threads=1)
        self.events = Events(self.readers, self.height)
        self.writer = Writer(self.ledger.path, self.metrics, self.events.committed)
        self.bodies = Bodies(self.options.max_body)
        self.stopping = False
        self.rate = access.Rate(self.options.rate)
        each = max(self.options.max_streams // 4, FEW_STREAMS)
        self.streams = access.Open(0 if self.options.behind_proxy else each)
        self.seen = Seen()
        self.kept = None
        if self.options.content is not None:
            self.kept = Kept(self.options.content, self.options.max_content)
        self.witness = None
        if self.options.logs:
            key = checkpoints.witness_key_of(self.ledger.id, self.ledger.public_key)
            self.witness = Witness(
                key,
                checkpoints.signer_of(self.ledger),
                self.options.logs,
                locate(self.ledger.path).witnessed,
            )
        self._indexer: asyncio.Task[None] | None = None
        self._starter: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start what runs beside requests; call it in the event loop."""
        self._indexer = asyncio.create_task(self._keep_index())
        if not self.options.read_only:
            self._starter = asyncio.create_task(self._start_writer())

    async def _start_writer(self) -> None:
        try:
            await self.writer.start()
        except TwinError as error:
            report_fault(error)

    def stop(self) -> None:
        """Start nothing more and interrupt long reads; what was accepted is still finished."""
        self.stopping = True
        self.readers.interrupt()
        self._indexing.interrupt()
        self.pages.interrupt()
        self.finding.interrupt()

    async def close(self, *, at_once: bool = False) -> None:
        """Finish what was accepted, unless ``at_once``, and close the ledger."""
        self.stop()
        if self._indexer is not None:
            self._indexer.cancel()
            await asyncio.gather(self._indexer, return_exceptions=True)
        await self.events.close()
        await self.writer.close(at_once=at_once)
        await self.readers.close()
        await self._indexing.close()
        await self.pages.close()
        await self.finding.close()
        self.ledger.close()

    def height(self) -> int:
        """Return the ledger's height."""
        return self.ledger.tip().height

    async def _keep_index(self) -> None:
        """Keep the derived index near the ledger, so that no search has to wait for it.

        Indexing takes the processor from those who write, so it waits for a pause.
        """
        indexed, before, passed = -1, -1, 0
        while not self.stopping:
            await asyncio.sleep(INDEX_SECONDS)
            passed += 1
            try:
                height = self.height()
                is_quiet = height == before and not self.writer.waiting
                before = height
                if height != indexed and (is_quiet or passed >= INDEX_LATEST):
                    await self._indexing.run(_catch_up)
                    indexed, passed = height, 0
            except TwinError as error:
                if not self.stopping:
                    report_fault(error)

    def gauges(self) -> dict[str, tuple[str, int]]:
        """Return the current gauges."""
        return {
            "twin_node_height": ("Height of the ledger.", self.height()),
            "twin_node_waiting": ("Transactions waiting for a block.", self.writer.waiting),
            "twin_node_stream_readers": ("Open event streams.", self.events.readers),
        }

    def client(self, scope: dict[str, Any]) -> str:
        """Return the address of the client; behind a proxy, as the proxy says."""
        if self.options.behind_proxy:
            said = header(scope, b"x-forwarded-for").rpartition(",")[2].strip()
            if said:
                return said
        return str((scope.get("client") or ("",))[0])

    def stream_url(self, scope: dict[str, Any]) -> str:
        """Return where the event streams are, as the client would reach them."""
        if self.options.advertise is not None:
            return "ws" + self.options.advertise.removeprefix("http")
        match = access.HOST.fullmatch(header(scope, b"host"))
        name, port = (match[1], match[2] or "") if match else ("localhost", "")
        if self.options.ws_port is not None:
            port = f":{self.options.ws_port}"
        return f"{'wss' if self._is_secure(scope) else 'ws'}://{name}{port}"

    def _is_secure(self, scope: dict[str, Any]) -> bool:
        scheme = scope.get("scheme")
        if self.options.behind_proxy:
            said = header(scope, b"x-forwarded-proto").rpartition(",")[2].strip().lower()
            scheme = said or scheme
        return scheme in {"https", "wss"}

    def may_ask(self, headers: list[Header]) -> bool:
        """Say whether a request carries a token, where one is required."""
        tokens = self.options.tokens
        return not tokens or access.permits(tokens, headers)


def header(scope: dict[str, Any], wanted: bytes) -> str:
    """Return the first header of a name; empty if there is none."""
    found = (value for name, value in scope["headers"] if name == wanted)
    return next(found, b"").decode("latin-1")


def _catch_up(ledger: Ledger) -> None:
    """Bring the derived index and the tiles of the tree up to date."""
    tiles.catch_up(ledger, ledger.index.mark() // WIDTH)


def report_fault(fault: TwinError) -> None:
    """Log a fault of this machine."""
    logging.getLogger("twincli.node").error("twin: node: %s", fault.message)
