"""A BigchainDB network as a ``LedgerClient``.

No node is trusted. Reads go through a copy on this machine, a ledger for each
network under the rules ``server-2.2.2``: missing transactions are fetched, their ids, signatures
and links are verified, and the copy answers by the same code as an embedded ledger. A node that
alters a transaction, leaves some out, or shows those of another asset is detected.

The copy of an asset is always a prefix of its history in the network's order, so the last
transaction alone shows whether anything is new.
"""

from __future__ import annotations

import os
import time
from itertools import chain, islice
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, TypeVar

from twincli.client import BLOCK_TIME, COMMIT, LISTING, UNDOING, copies, lacking, present
from twincli.client.untrusted import (
    asset_of,
    in_order,
    lie,
    named_by,
    spends,
    stated_id,
    stated_offers,
    unverified,
)
from twincli.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    NotVerifiedError,
    PartialError,
    UnreachableError,
)
from twincli.ledger.reading import Entry
from twincli.ledger.rows import Linked
from twincli.model import expression, links, record, times
from twincli.model import transaction as _transaction
from twincli.model.ids import is_id
from twincli.rules.validity import SERVER

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Container,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from contextlib import AbstractContextManager

    from twincli.client import Outcome
    from twincli.client.nodes import History, Nodes
    from twincli.crypto.ed25519 import Signer
    from twincli.ledger.ledger import Ledger
    from twincli.ledger.rows import Held, PrimaryId, Spendable, Standing
    from twincli.ledger.said import Asked
    from twincli.ledger.state import Stretch
    from twincli.ledger.together import Together
    from twincli.rules.replay import Replay
    from twincli.rules.validity import Known, View

T = TypeVar("T")
R = TypeVar("R")

FRESH_SECONDS = 1.0
"""How long fetched data count as up to date, outside of a single run."""

PATIENCE = (0.2, 0.5, 1.0)
"""Waits for a node that lags behind another, before it counts as lying."""

AT_ONCE = 16
"""Requests at the same time, where there are many."""

BATCH = 200
"""Histories in one request to a node of twincli."""

FEW = 20
"""Hits of a search that are looked at where one of the first is expected."""

CHUNK = 2000
"""Transactions in one commit of the copy."""


class NetworkClient:
    """Asks the nodes of a BigchainDB network.

    Args:
        nodes: To ask; closed with this object.
        directory: Holds the copies of networks, a directory each; None: in memory.
        network_id: 64 hex digits that identify a network without an id of its own.
        mode: What a write waits for: ``commit``, ``sync`` or ``async``.
        single_run: What was fetched counts as up to date until this client writes: for a command,
            which must not ask twice. Otherwise only for ``FRESH_SECONDS``.
    """

    profile = SERVER

    def __init__(
        self,
        nodes: Nodes,
        directory: str | None,
        network_id: str,
        mode: str = COMMIT,
        *,
        single_run: bool = False,
    ) -> None:
        self.nodes = nodes
        self.mode = mode
        self._directory = directory
        self._network_id = network_id
        self._stated: tuple[str, frozenset[str]] | None = None
        self._copy: Ledger | None = None
        self._single_run = single_run
        self._synced: dict[str, float] = {}
        self._absent: set[str] = set()
        self._has_histories = True
        self._has_find = True
        self._has_all = False
        self._others: list[Nodes] = []

    @property
    def ledger_id(self) -> str:
        """See ``LedgerClient``; likewise for all that follow.

        A node of twincli states the id of its ledger. BigchainDB has none; there it is
        ``network_id``.
        """
        return self._told[0]

    @property
    def capabilities(self) -> frozenset[str]:
        return self._told[1]

    @property
    def _told(self) -> tuple[str, frozenset[str]]:
        """The ledger's id, and what a node of twincli has beyond BigchainDB's API."""
        if self._stated is None:
            info = self.nodes.info()
            found = stated_id(info)
            if found is None:
                self._stated = self._network_id, frozenset()
            else:
                self._stated = found, stated_offers(info) & {BLOCK_TIME, LISTING}
        return self._stated

    @property
    def place(self) -> str | None:
        """The directory of this network's copy; None if it is in memory."""
        if self._directory is None:
            return None
        # By what was asked and by what it states: a node that states the id of another ledger
        # spoils only its own copy.
        return os.path.join(self._directory, copies.name(self._network_id, self.ledger_id))

    @property
    def copy(self) -> Ledger:
        """The copy on this machine."""
        if self._copy is None:
            self._copy = copies.opened(self.place)
        return self._copy

    def close(self) -> None:
        for nodes in (self.nodes, *self._others):
            nodes.close()
        if self._copy is not None:
            self._copy.close()
            self._copy = None

    # --- Writing ----------------------------------------------------------------------------------

    def submit(self, tx: dict[str, Any], identity: PrimaryId | None = None) -> int | None:  # noqa: ARG002
        try:
            self.nodes.post(tx, self.mode)
        except InvalidError as error:
            if error.code != "duplicate_twin":
                raise
            raise ConflictError(error.message, code=error.code, hint=error.hint) from error
        finally:
            self._forget(tx)  # refused or not: somebody wrote
        if self.mode != COMMIT:
            return None
        self._await(tx)
        return self._height(tx["id"])

    def submit_many(self, txs: Iterable[dict[str, Any]]) -> int | None:
        """Commit one after the other: a network has no "all or none".

        Raises:
            PartialError: A later one was refused; those before it are committed.
        """
        height: int | None = None
        wanted = list(txs)
        for number, tx in enumerate(wanted):
            try:
                height = self.submit(tx)
            except InvalidError as error:
                if number == 0:
                    raise
                raise PartialError(
                    f"transaction {number + 1} of {len(wanted)}: {error.message};"
                    f" the {number} before it are committed",
                    hint=error.hint,
                ) from error
        return height

    def submit_each(self, txs: Iterable[dict[str, Any]]) -> Sequence[Outcome]:
        """Commit the valid ones: of each asset in order, several assets at once."""
        wanted = list(txs)
        chains: dict[str, list[int]] = {}
        for number, tx in enumerate(wanted):
            chains.setdefault(asset_of(tx), []).append(number)
        made: list[Outcome] = [None] * len(wanted)

        def post(nodes: Nodes, numbers: list[int]) -> None:
            for number in numbers:
                try:
                    # Always wait for the commit: the next one may spend its output.
                    nodes.post(wanted[number])
                except InvalidError as error:
                    made[number] = error

        try:
            self._at_once(post, list(chains.values()))
        finally:
            for tx in wanted:
                self._forget(tx)
        return made

    def _forget(self, tx: dict[str, Any]) -> None:
        """Have an asset asked for again, because somebody writes to it."""
        self._synced.pop(asset_of(tx), None)
        self._absent -= {asset_of(tx), tx["id"]}

    def _at_once(self, action: Callable[[Nodes, T], R], items: Sequence[T]) -> list[R]:
        """Do something with each item, several at a time, each over a connection of its own.

        Returns:
            The results, in the order of the items.
        """
        if len(items) < 2:
            return [action(self.nodes, item) for item in items]
        from concurrent.futures import ThreadPoolExecutor

        waiting = iter(enumerate(items))
        lock = Lock()
        results: dict[int, R] = {}
        failed = Event()

        def work(nodes: Nodes) -> None:
            while not failed.is_set():
                with lock:
                    number, item = next(waiting, (-1, None))
                if item is None:
                    return
                try:
                    results[number] = action(nodes, item)
                except BaseException:
                    failed.set()  # no use in asking the others
                    raise

        while len(self._others) < min(AT_ONCE, len(items)) - 1:
            self._others.append(self.nodes.again())
        workers = [self.nodes, *self._others][: len(items)]
        with ThreadPoolExecutor(len(workers)) as pool:
            for running in [pool.submit(work, nodes) for nodes in workers]:
                running.result()
        return [results[number] for number in range(len(items))]

    def judge_each(self, txs: Iterable[dict[str, Any]]) -> Sequence[Outcome]:
        wanted = list(txs)
        named = [tx_id for tx in wanted for tx_id in named_by(tx)]
        self.prepare(named)
        for tx_id in named:
            self._bring(tx_id)
        return self.copy.judge_each(wanted)

    def together(self, *, keep: bool = True) -> AbstractContextManager[Together]:  # noqa: ARG002
        raise lacking(UNDOING)

    def append_many(
        self, signer: Signer, asset_id: str, metadatas: Iterable[dict[str, Any] | None]
    ) -> list[str]:
        unspent = self.unspent(asset_id)
        if not unspent:
            raise NotFoundError(f"there is no asset {asset_id} on this network")
        if len(unspent) > 1:
            raise ConflictError(f"{asset_id} has several outputs", code="several_outputs")
        (item,) = unspent
        spend = _transaction.Spend.of_output(item.transaction_id, item.output_index, item.output)
        output = _transaction.Output(spend.details, int(item.output["amount"]))
        made: list[str] = []
        for metadata in metadatas:
            tx = _transaction.sign(
                _transaction.transfer([spend], [output], asset_id, metadata), [signer]
            )
            try:
                self.nodes.post(tx)
                self._forget(tx)
            except InvalidError as error:
                self._forget(tx)
                error.message += f"; {len(made)} before it are committed"
                raise
            made.append(tx["id"])
            spend = _transaction.Spend.of(tx)
        return made

    def _await(self, tx: dict[str, Any]) -> None:
        """Wait until a committed transaction can be read."""
        end = time.monotonic() + self.nodes.timeout
        wait = 0.01
        while not self._has(tx["id"]):
            self._sync(asset_of(tx), again=True)
            if self._has(tx["id"]):
                return
            if time.monotonic() > end:
                raise UnreachableError(
                    f"the node accepted {tx['id']} but does not show it yet",
                    code="not_committed",
                    hint=f"check later: twin tx show {tx['id']}",
                    retryable=True,
                )
            time.sleep(wait)
            wait = min(2 * wait, 0.5)

    # --- Reading ----------------------------------------------------------------------------------

    def refresh(self) -> None:
        self._synced.clear()
        self._absent.clear()
        self._has_all = False

    def prepare(self, tx_ids: Iterable[str]) -> None:
        wanted: dict[str, str | None] = {}
        for tx_id in dict.fromkeys(tx_ids):
            tx = self.copy.get(tx_id) if is_id(tx_id) and self._has(tx_id) else None
            asset_id = tx_id if tx is None else asset_of(tx)
            if (
                is_id(asset_id)
                and asset_id not in wanted
                and asset_id not in self._absent
                and not self._is_fresh(asset_id)
            ):
                last = None if tx is None else self.copy.last(asset_id)
                wanted[asset_id] = None if last is None else last.tx["id"]
        if len(wanted) < 2:
            return
        if self.ledger_id == self._network_id or not self._prepare_together(wanted):
            self._prepare_each(wanted)

    def _prepare_together(self, wanted: dict[str, str | None]) -> bool:
        """Fetch what is new in many assets from a node of twincli; False if it cannot do that.

        An asset that does not verify is left as it is: asking for it alone shows why.
        """
        waiting = list(wanted.items())
        while waiting and self._has_histories:
            batch, waiting = waiting[:BATCH], waiting[BATCH:]
            histories = self.nodes.histories(batch)
            if histories is None:
                self._has_histories = False
                break
            stored = self._store_histories([found for found in histories if found is not None])
            now = time.monotonic()
            for (tx_id, _), found in zip(batch, histories, strict=True):
                if found is None:
                    if self._single_run:
                        self._absent.add(tx_id)
                elif found.asset_id in stored and not found.more:
                    self._synced[found.asset_id] = now
                elif found.asset_id in stored and any(stored.values()):
                    last = self.copy.last(found.asset_id)
                    waiting.append((tx_id, None if last is None else last.tx["id"]))
        return self._has_histories

    def _store_histories(self, histories: list[History]) -> dict[str, int]:
        """Verify and store what a node of twincli shows of many assets.

        Returns:
            Of the assets that verify, how many transactions are new.
        """
        fresh: dict[str, list[dict[str, Any]]] = {}
        refused: set[str] = set()
        places: dict[str, tuple[int, int | None]] = {}
        for found in histories:
            if not found.known or not is_id(found.asset_id):
                refused.add(found.asset_id)
                continue
            known = {tx["id"] for tx in found.txs if isinstance(tx.get("id"), str)}
            known = {tx_id for tx_id in known if is_id(tx_id) and self._has(tx_id)}
            try:
                for tx in found.txs:
                    self._check_asset(found.asset_id, tx)
                new = [tx for tx in found.txs if tx["id"] not in known]
                before = {source for tx in new for source, _ in spends(tx) if self._has(source)}
                fresh.setdefault(found.asset_id, []).extend(in_order(new, known | before))
            except NotVerifiedError:
                refused.add(found.asset_id)
                continue
            said = zip(found.txs, found.heights, found.times, strict=True)
            places.update((tx["id"], (height, time_ms)) for tx, height, time_ms in said)
        wanted = [(asset_id, tx) for asset_id, txs in fresh.items() for tx in txs]
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            verdicts = self.copy.submit_each([tx for _, tx in chunk])
            for (asset_id, tx), verdict in zip(chunk, verdicts, strict=True):
                if isinstance(verdict, InvalidError) and not self._is_same(tx):
                    refused.add(asset_id)
            missing = [
                (tx["id"], *places[tx["id"]])
                for asset_id, tx in chunk
                if asset_id not in refused and self._missing_place(tx["id"])
            ]
            wrong = set(self.copy.place(missing))
            refused.update(asset_id for asset_id, tx in chunk if tx["id"] in wrong)
        return {asset_id: len(txs) for asset_id, txs in fresh.items() if asset_id not in refused}

    def _prepare_each(self, wanted: dict[str, str | None]) -> None:
        """Fetch what is new in many assets from any nodes, several at a time."""

        def fetch(nodes: Nodes, item: tuple[str, str | None]) -> list[dict[str, Any]] | None:
            """Return a history of unknown form; None where the copy has all of it."""
            asset_id, last_id = item
            if last_id is not None:
                last = nodes.last(asset_id)
                if last is not None and last.get("id") == last_id:
                    return None
            txs = nodes.transactions(asset_id)
            if not txs:
                tx = nodes.transaction(asset_id)  # it may be the id of a TRANSFER
                txs = [] if tx is None else nodes.transactions(asset_of(tx))
            return txs

        items = list(wanted.items())
        ends = []
        for start in range(0, len(items), BATCH):
            chunk = items[start : start + BATCH]
            for (tx_id, last_id), txs in zip(chunk, self._at_once(fetch, chunk), strict=True):
                asset_id = tx_id if not txs else asset_of(txs[0])
                if txs and is_id(asset_id):
                    try:
                        self._take(asset_id, txs)
                    except NotVerifiedError:
                        continue
                if not is_id(asset_id) or (txs == [] and last_id is None):
                    if self._single_run:
                        self._absent.add(tx_id)
                    continue
                self._synced[asset_id] = time.monotonic()
                last = self.copy.last(asset_id)
                ends += [asset_id, *([] if last is None else [last.tx["id"]])]
        self._fetch_places(ends)

    def _is_fresh(self, asset_id: str) -> bool:
        """Say whether the copy of an asset counts as up to date."""
        synced = self._synced.get(asset_id)
        if synced is None:
            return False
        return self._single_run or time.monotonic() - synced < FRESH_SECONDS

    def entry(self, tx_id: str) -> Entry | None:
        if not self._bring(tx_id):
            return None
        return self._placed_entry(present(self.copy.entry(tx_id), tx_id))

    def required(self, tx_id: str) -> Entry:
        return present(self.entry(tx_id), tx_id)

    def entries(self, asset_id: str, after: str | None = None) -> Iterator[Entry]:
        self._sync(asset_id)
        return self._placed_entries(self.copy.entries(asset_id, after))

    def records(self, asset_id: str, kinds: Collection[str]) -> Iterator[Entry]:
        self._sync(asset_id)
        return self._placed_entries(self.copy.records(asset_id, kinds))

    def said(self, asset_id: str, asked: Asked) -> Iterator[Entry]:
        if not is_id(asset_id):
            return iter(())
        self._sync(asset_id)
        self.assets_with("about", asset_id)  # now the copy has them
        # The copy has the times of its own blocks, so that it orders only what states a time.
        everything = asked._replace(since_ms=None, until_ms=None, reverse=False, by_block=True)
        found = [
            (moment, entry)
            for entry in self._placed_entries(self.copy.said(asset_id, everything))
            if asked.covers(moment := _moment(entry, asked))
        ]
        if asked.by_block:
            found.sort(key=lambda pair: (pair[1].height is None, pair[1].height or 0))
        else:
            found.sort(key=lambda pair: (pair[0] is None, pair[0] or 0))
        return (entry for _, entry in (reversed(found) if asked.reverse else found))

    def transactions(self, asset_id: str, after: str | None = None) -> Iterator[dict[str, Any]]:
        self._sync(asset_id)
        return self.copy.iter_transactions(asset_id, after)

    def corrections(self, asset_id: str) -> list[dict[str, Any]]:
        self._sync(asset_id)
        return self.copy.corrections(asset_id)

    def view(self, tx_id: str) -> View:
        self._bring(tx_id)
        return _View(self._bring, self.copy.view(tx_id))

    def last(self, asset_id: str) -> Entry | None:
        self._sync(asset_id)
        found = self.copy.last(asset_id)
        return None if found is None else self._placed_entry(found)

    def replay(self, asset_id: str, as_of_ms: int | None = None) -> Replay | None:
        if as_of_ms is None:
            self._sync(asset_id)
            return self.copy.replay(asset_id)
        if BLOCK_TIME not in self.capabilities:
            raise lacking(BLOCK_TIME)
        self._sync(asset_id)
        until: str | None = None
        for entry in self._placed_entries(self.copy.entries(asset_id)):
            if entry.time_ms is None or entry.time_ms > as_of_ms:
                break
            until = entry.tx["id"]
        return self.copy.replay_then(asset_id, until)

    def replay_to(self, asset_id: str, tx_id: str | None) -> Replay:
        self._sync(asset_id)
        return self.copy.replay_to(asset_id, tx_id)

    def stretches(self, asset_id: str) -> list[Stretch]:
        self._sync(asset_id)
        found = self.copy.stretches(asset_id)
        if BLOCK_TIME not in self.capabilities:
            return found
        # When the copy stored something says nothing of when the network did.
        self._fetch_places(part.last for part in found if part.last is not None)
        told: list[Stretch] = []
        begun_ms = 0
        for part in found:
            place = None if part.last is None else self._place_of(part.last)
            ended_ms = None if place is None else place[1]
            told.append(part._replace(begun_ms=begun_ms, ended_ms=ended_ms))
            begun_ms = ended_ms or begun_ms
        return told

    def unspent(self, asset_id: str) -> list[Spendable]:
        self._sync(asset_id, again=not self._single_run)
        return self.copy.unspent(asset_id)

    def held_by(self, public_keys: Iterable[str], *, ever: bool = False) -> list[str]:
        keys = list(public_keys)
        for key in keys:
            # Brings what the network has into the copy.
            self.outputs(key, spent=None if ever else False)
        return self.in_order(self.copy.held_by(keys, ever=ever))

    def in_order(self, asset_ids: Iterable[str]) -> list[str]:
        """Return assets by their blocks; those of one block in the copy's order."""
        wanted = list(asset_ids)
        self.prepare(wanted)
        found = self.copy.in_order([asset_id for asset_id in wanted if self._bring(asset_id)])
        self._fetch_places(found)
        heights = [(self._height(asset_id), asset_id) for asset_id in found]
        # Transactions without a height are just being committed.
        heights.sort(key=lambda held: (held[0] is None, held[0] or 0))
        return [asset_id for _, asset_id in heights]

    def standings(self, asset_ids: Iterable[str]) -> Iterator[Standing]:
        waiting = iter(asset_ids)
        while chunk := list(islice(waiting, BATCH)):
            self.prepare(chunk)
            for asset_id in chunk:
                self._sync(asset_id)
            yield from self.copy.standings(chunk)

    def linking(
        self,
        asset_ids: Iterable[str],
        what: str,
        other: str | None = None,
        known: Container[int] = (),
    ) -> list[Linked]:
        """Return what links assets, or takes links back; where a node finds it, it is verified."""
        wanted = list(dict.fromkeys(asset_ids))
        self.prepare(wanted)
        for asset_id in wanted:
            self._sync(asset_id)
            if what != links.REVOCATIONS:
                self._find_links(asset_id)
        found = self.copy.linking(wanted, what, other, known)
        self._fetch_places(held.tx["id"] for held in found)
        places = [self._place_of(held.tx["id"]) or (None, None) for held in found]
        return [
            Linked(held.seq, held.tx, *place) for held, place in zip(found, places, strict=True)
        ]

    def _find_links(self, asset_id: str) -> None:
        """Have at hand what links an asset, as far as nodes know it."""
        if LISTING not in self.capabilities:
            self.search_metadata(f'"{asset_id}"')
            self.search_assets(f'"{asset_id}"')
            return
        after: str | None = None
        while page := self.nodes.listed(after, (links.LINKS, asset_id)):
            self.prepare(page)
            for tx_id in page:
                if (links.LINKS, asset_id) not in links.found_by(self._shown(tx_id)):
                    raise lie("wrong_listing", f"a node lists {tx_id} among links of {asset_id}")
            after = page[-1]

    def replays(self, asset_ids: Iterable[str]) -> Iterator[tuple[str, Replay, int | None]]:
        for asset_id in asset_ids:
            replay = self.replay(asset_id)
            if replay is not None:
                yield asset_id, replay, self.required(asset_id).time_ms

    def spoken_of(self) -> None:
        pass  # known only by asking about each

    def notes(self, kind: str) -> tuple[int, dict[str, str]]:  # noqa: ARG002
        # Whether something was said since is known only by asking about each.
        return 0, {}

    def keep_notes(self, kind: str, until: int, made: Mapping[str, str]) -> None:
        pass  # see `notes`

    def held(
        self, asset_ids: Iterable[str], known: Mapping[int, dict[str, Any]]
    ) -> dict[str, Held]:
        wanted = list(dict.fromkeys(asset_ids))
        self.prepare(wanted)
        for asset_id in wanted:
            self._sync(asset_id)
        # The copy's own blocks are others than the network's.
        return {
            asset_id: found._replace(since=None)
            for asset_id, found in self.copy.held(wanted, known).items()
        }

    def find(
        self,
        node: expression.Node,
        *,
        after: str | None = None,
        template_cid: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[str]:
        """Yield assets for which the expression holds in the verified copy.

        A node of ours says which to look at. What it leaves out comes last if the copy has it.
        """
        text = expression.text_of(node)
        if self._has_find and after is None and _is_readable(text):
            pages = self._pages(text, template_cid)
            first = next(pages, None)
            if first is not None:
                return self._found(first, pages, node, template_cid)
        self._bring_all()
        return self.copy.find(node, after=after, template_cid=template_cid, progress=progress)

    def _pages(self, text: str, template_cid: str | None) -> Iterator[list[str]]:
        """Yield what a node of ours finds, page by page; nothing where it cannot do that."""
        if self.ledger_id == self._network_id:
            return
        behind: str | None = None
        asked_behind: set[str] = set()
        while True:
            found = self.nodes.found(text, template_cid, behind)
            if found is None:
                if behind is not None:
                    raise lie("wrong_listing", "a node stops answering in the middle of a listing")
                self._has_find = False
                return
            page, behind = found
            yield page
            if behind is None:
                return
            if behind in asked_behind:
                raise lie("wrong_listing", f"a node lists what is behind {behind} twice")
            asked_behind.add(behind)

    def _found(
        self,
        first: list[str],
        pages: Iterator[list[str]],
        node: expression.Node,
        template_cid: str | None,
    ) -> Iterator[str]:
        seen: set[str] = set()
        for page in chain([first], pages):
            listed = list(self._verified(page, seen))
            for asset_id in listed:
                self._sync(asset_id)
            # It may have changed since, or the node lies: only what holds here is found.
            yield from self.copy.holding(listed, node, template_cid)
        known = [
            asset_id
            for asset_id in self.copy.find(node, template_cid=template_cid)
            if asset_id not in seen
        ]
        self.prepare(known)
        for asset_id in known:
            self._sync(asset_id)
        yield from self.copy.holding(known, node, template_cid)

    def identified(self, identifier: str) -> None:  # noqa: ARG002
        return None  # who submits keeps them: the node

    def claim(self, identities: Iterable[tuple[str, PrimaryId]]) -> dict[str, str]:  # noqa: ARG002
        return {}

    def pinned(self) -> list[tuple[str, str]]:
        """Return the templates of which this machine has seen that an asset is held to them."""
        if self._has_find and self.ledger_id != self._network_id:
            stated = self.nodes.pinned()
            if stated is not None:
                self.prepare(asset_id for _, _, asset_id in stated)
                for _, _, asset_id in stated:
                    self._bring(asset_id, stated=True)
                return [pin[:2] for pin in self.copy.pinned()]
        self._bring_all()
        return [pin[:2] for pin in self.copy.pinned()]

    def _bring_all(self) -> None:
        """Bring all assets up to date, once a command.

        Raises:
            UsageError: ``not_supported``.
        """
        if not self._has_all:
            for _ in self.standings(self.asset_ids()):
                pass
            self._has_all = True

    def outputs(self, public_key: str, spent: bool | None = None) -> list[dict[str, Any]]:
        stated = set(self.nodes.outputs(public_key, spent=spent))
        differing = self._refs(public_key, spent) ^ stated
        self.prepare(ref[0] for ref in differing)
        for ref in differing:
            self._bring(ref[0], stated=ref in stated)
        # A spend is proved by its spender, not by the node's word.
        wrong = stated - self._refs(public_key, None)
        if wrong:
            tx_id, index = min(wrong)
            raise lie(
                "wrong_output",
                f"a node lists output {index} of {tx_id} under the key {public_key}, which that"
                " output does not name",
            )
        if spent is False:
            self._confirm(stated)
        return self.copy.outputs(public_key, spent)

    def _confirm(self, unspent: set[tuple[str, int]]) -> None:
        """Note that assets are up to date whose only unspent output a node has just listed."""
        now = time.monotonic()
        for tx_id, index in unspent:
            tx = self.copy.get(tx_id)
            held = [] if tx is None else self.copy.unspent(asset_of(tx))
            if tx is not None and [(it.transaction_id, it.output_index) for it in held] == [
                (tx_id, index)
            ]:
                self._synced[asset_of(tx)] = now

    def _refs(self, public_key: str, spent: bool | None) -> set[tuple[str, int]]:
        """Return a key's outputs as the copy has them."""
        found = self.copy.outputs(public_key, spent)
        return {(ref["transaction_id"], ref["output_index"]) for ref in found}

    def knows(self, public_key: str) -> bool:
        return bool(self.nodes.outputs(public_key))

    def once(self, asset_id: str, token: str) -> list[tuple[frozenset[str], str]]:
        self._sync(asset_id)
        return self.copy.once(asset_id, token)

    def find_prefix(self, prefix: str, limit: int = 2) -> list[str]:
        """Return ids in the copy that start with hex digits: a network cannot search for them."""
        if is_id(prefix):
            return [prefix] if self._bring(prefix) else []
        return self.copy.find_prefix(prefix, limit)

    def asset_ids(self) -> Iterator[str]:
        if LISTING not in self.capabilities:
            raise lacking(LISTING)
        return self._listed()

    def _listed(self, stated: tuple[str, str] | None = None) -> Iterator[str]:
        """Yield the assets that a node of twincli lists, each once it is verified."""
        seen: set[str] = set()
        after: str | None = None
        while page := self.nodes.listed(after, stated):
            for asset_id in self._verified(page, seen):
                tx = self._shown(asset_id)
                if stated is not None and stated not in record.statements(tx["asset"]["data"]):
                    raise lie(
                        "wrong_listing",
                        f"a node lists {asset_id} among those with the {stated[0]} {stated[1]}",
                    )
                yield asset_id
            after = page[-1]

    def _verified(self, page: list[str], seen: set[str]) -> Iterator[str]:
        """Yield the assets of a page of a listing, each once it is there and verified.

        Args:
            page: As the node has it.
            seen: Of the pages before; it grows.
        """
        self.prepare(page)
        for asset_id in page:
            if asset_id in seen:
                raise lie("wrong_listing", f"a node lists the asset {asset_id} twice")
            seen.add(asset_id)
            if self._shown(asset_id)["operation"] != "CREATE":
                raise lie("wrong_listing", f"a node lists {asset_id}, which is not an asset")
            yield asset_id

    def assets_with(self, name: str, value: str) -> list[str]:
        """Return assets that state something.

        On a BigchainDB network only known ones, except for parents, entities, templates and what
        statements are about.
        """
        if LISTING in self.capabilities:
            for _ in self._listed((name, value)):
                pass  # now the copy has them, and perhaps more than this node shows
            return self.in_order(self.copy.assets_with(name, value))
        if name in {"parent", "entity", "about", "nonce"}:
            self.search_assets(f'"{value}"')
        elif name == "compiled" and not self.copy.assets_with(name, value):
            # All twins of the template state the same; it is the oldest of them.
            self.search_assets(f'"{value}"', FEW)
        return self.copy.assets_with(name, value)

    def search_assets(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        found = []
        hits = self.nodes.assets(text, limit)
        self.prepare(hit["id"] for hit in hits)
        for hit in hits:
            tx = self._shown(hit["id"])
            if tx["operation"] != "CREATE" or tx["asset"]["data"] != hit.get("data"):
                raise lie("altered_transaction", f"a node shows altered data of {hit['id']}")
            found.append({"data": tx["asset"]["data"], "id": tx["id"]})
        return found

    def search_metadata(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        found = []
        hits = self.nodes.metadata(text, limit)
        self.prepare(hit["id"] for hit in hits)
        for hit in hits:
            tx = self._shown(hit["id"])
            if tx["metadata"] != hit.get("metadata"):
                raise lie("altered_transaction", f"a node shows altered metadata of {hit['id']}")
            found.append({"metadata": tx["metadata"], "id": tx["id"]})
        return found

    def search(self, text: str, limit: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield hits in the network's order, assets first."""
        assets = [("asset", hit["id"]) for hit in self.search_assets(text, limit)]
        metadata = [("metadata", hit["id"]) for hit in self.search_metadata(text, limit)]
        hits = ((place, self._shown(tx_id)) for place, tx_id in [*assets, *metadata])
        return islice(hits, limit or None)

    # --- The copy ---------------------------------------------------------------------------------

    def _has(self, tx_id: str) -> bool:
        return bool(self.copy.find_prefix(tx_id, 1))

    def _shown(self, tx_id: str) -> dict[str, Any]:
        """Return a transaction that a node has named."""
        if is_id(tx_id) and not self._has(tx_id):
            self._fetch(tx_id)
        tx = self.copy.get(tx_id)
        if tx is None:
            raise lie("history_omitted", f"a node names {tx_id} but does not show it")
        return tx

    def _bring(self, tx_id: str, *, stated: bool = False) -> bool:
        """Have a transaction in the copy, its asset as the network has it now.

        Args:
            tx_id: Any text.
            stated: A node has named it, so it must exist.

        Returns:
            False where there is no such transaction.
        """
        if is_id(tx_id):
            tx = self.copy.get(tx_id) if self._has(tx_id) else self._fetch(tx_id)
            if tx is not None:
                self._sync(asset_of(tx))
                return True
        if stated:
            raise lie("history_omitted", f"a node names {tx_id} but does not show it")
        return False

    def _fetch(self, tx_id: str) -> dict[str, Any] | None:
        """Fetch a transaction into the copy."""
        if tx_id in self._absent:
            return None
        tx = self.nodes.transaction(tx_id)
        if tx is None:
            if self._single_run:
                self._absent.add(tx_id)
            return None
        if tx.get("id") != tx_id or not is_id(asset_of(tx)):
            raise lie("altered_transaction", f"asked for {tx_id}, a node shows something else")
        if tx.get("operation") == "CREATE":
            self._store([tx])
        else:
            self._sync(asset_of(tx), again=True)
            if not self._has(tx_id):
                raise lie("history_omitted", f"a node omits {tx_id} from its asset's history")
        return tx

    def _sync(self, asset_id: str, *, again: bool = False) -> None:
        """Bring the copy of an asset up to date.

        Args:
            asset_id: Any text; nothing happens if it is not an asset on the network.
            again: Even if the asset counts as up to date.

        Raises:
            NotVerifiedError: A node does not show the true history.
        """
        if not is_id(asset_id):
            return
        if not again and (asset_id in self._absent or self._is_fresh(asset_id)):
            return
        for wait in (*PATIENCE, None):
            try:
                if not self._is_current(asset_id):
                    self._take(asset_id, self.nodes.transactions(asset_id))
            except NotVerifiedError as error:
                # A node may lag behind the one that was asked before.
                if error.code != "history_omitted" or wait is None:
                    raise
                time.sleep(wait)
            else:
                break
        self._synced[asset_id] = time.monotonic()

    def _is_current(self, asset_id: str) -> bool:
        """Say whether the copy has an asset's last transaction; fetch it if it alone is missing."""
        mine = self.copy.last(asset_id)
        if mine is None:
            return False
        last = self.nodes.last(asset_id)
        if last is None or last.get("id") == mine.tx["id"]:
            return last is not None
        unspent = self.copy.unspent(asset_id)
        if len(unspent) != 1:
            return False
        # The whole asset is in this output, so its spender comes directly after it.
        (item,) = unspent
        if spends(last) != [(item.transaction_id, item.output_index)]:
            return False
        self._check_asset(asset_id, last)
        self._store([last])
        return True

    def _take(self, asset_id: str, txs: list[dict[str, Any]]) -> None:
        """Store the history that a node shows."""
        for tx in txs:
            self._check_asset(asset_id, tx)
        told = {tx["id"] for tx in txs}
        known = {tx["id"] for tx in self.copy.iter_transactions(asset_id)}
        gone = known - told
        if gone:
            place = self.place
            raise lie(
                "history_omitted",
                f"a node omits {min(gone)} from the history of {asset_id}",
                None
                if place is None
                else "ask another node; if the network was reset, remove the copy of the old one:"
                f" rm -r {place}",
            )
        fresh = iter(in_order([tx for tx in txs if tx["id"] not in known], known))
        while chunk := list(islice(fresh, CHUNK)):
            self._store(chunk)

    def _check_asset(self, asset_id: str, tx: dict[str, Any]) -> None:
        if not isinstance(tx.get("id"), str) or asset_of(tx) != asset_id:
            raise lie(
                "wrong_asset", f"asked for the history of {asset_id}, a node shows another asset"
            )

    def _store(self, txs: list[dict[str, Any]]) -> None:
        """Verify and store transactions."""
        for tx, verdict in zip(txs, self.copy.submit_each(txs), strict=True):
            # Another process may have fetched the same in the meantime.
            if isinstance(verdict, InvalidError) and not self._is_same(tx):
                raise unverified(tx, verdict) from verdict

    def _is_same(self, tx: dict[str, Any]) -> bool:
        return is_id(tx["id"]) and self.copy.get(tx["id"]) == tx

    def _placed_entry(self, entry: Entry) -> Entry:
        """Return an entry with its place on the network, without the copy's own."""
        height, time_ms = self._place_of(entry.tx["id"]) or (None, None)
        return Entry(entry.tx, height, time_ms, entry.spent_by)

    def _placed_entries(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Yield ``_placed_entry`` of each of an asset; missing places are fetched together."""
        highest = 0
        while chunk := list(islice(entries, BATCH)):
            self._fetch_places(entry.tx["id"] for entry in chunk)
            for entry in map(self._placed_entry, chunk):
                if entry.height is not None:
                    if entry.height < highest:
                        raise lie(
                            "wrong_block",
                            f"a node says that {entry.tx['id']} is in the block {entry.height},"
                            " before what it follows",
                        )
                    highest = entry.height
                yield entry

    def _missing_place(self, tx_id: str) -> bool:
        """Say whether the copy does not know where the network has a transaction."""
        placed = self.copy.placed(tx_id)
        return placed is None or (placed.time_ms is None and BLOCK_TIME in self.capabilities)

    def _fetch_places(self, tx_ids: Iterable[str]) -> None:
        """Have the places of transactions at hand that the network has.

        Raises:
            NotVerifiedError: ``wrong_block``: a node says of a block that it is older than one
                before it, or something else than it said before.
        """
        missing = [tx_id for tx_id in dict.fromkeys(tx_ids) if self._missing_place(tx_id)]
        if BLOCK_TIME in self.capabilities:
            for start in range(0, len(missing), BATCH):
                chunk = missing[start : start + BATCH]
                told = zip(chunk, self.nodes.places(chunk), strict=True)
                self._keep([(tx_id, *place) for tx_id, place in told if place is not None])
            return
        heights = self._at_once(lambda nodes, tx_id: nodes.height(tx_id), missing)
        told_heights = zip(missing, heights, strict=True)
        self._keep([(tx_id, height, None) for tx_id, height in told_heights if height is not None])

    def _keep(self, places: list[tuple[str, int, int | None]]) -> None:
        wrong = set(self.copy.place(places))
        for tx_id, height, time_ms in places:
            if tx_id in wrong:
                assert time_ms is not None
                raise lie(
                    "wrong_block",
                    f"a node says that the block {height} with {tx_id} was committed at"
                    f" {times.to_text(time_ms)}, which contradicts the time of another block",
                )

    def _place_of(self, tx_id: str) -> tuple[int, int | None] | None:
        """Return height and time of a transaction on the network, None where it has none yet."""
        self._fetch_places([tx_id])
        placed = self.copy.placed(tx_id)
        return None if placed is None else (placed.height, placed.time_ms)

    def _height(self, tx_id: str) -> int | None:
        place = self._place_of(tx_id)
        return None if place is None else place[0]


def _is_readable(text: str) -> bool:
    """Say whether the text of an expression is short and flat enough to be read again."""
    try:
        expression.parse(text)
    except InvalidError:
        return False
    return True


class _View:
    """The network as a transaction meets it; fetches on demand."""

    def __init__(self, bring: Callable[[str], bool], copy: View) -> None:
        self.bring = bring
        self.copy = copy

    def known(self, tx_id: str) -> Known | None:
        self.bring(tx_id)
        return self.copy.known(tx_id)

    def spender(self, tx_id: str, output_index: int) -> str | None:
        return self.copy.spender(tx_id, output_index)


def _moment(entry: Entry, asked: Asked) -> int | None:
    """Return the time by which a record is asked for."""
    stated = None if asked.by_block else record.stated_ms(entry.tx)
    return entry.time_ms if stated is None else stated
