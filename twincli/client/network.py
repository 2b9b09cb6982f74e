"""A BigchainDB network as a ``LedgerClient``.

Nothing that a node says is believed. What is read goes through a copy on this machine, a ledger of
its own for each network under the rules ``server-2.2.2``: what is missing is fetched, its ids,
signatures and links are verified, and the question is answered from the copy by the same code as
on the embedded ledger. So a node that alters a transaction, leaves some out, or shows those of
another asset is found out.

The copy of an asset is always the beginning of its history in the network's order. That lets the
last transaction alone tell whether anything is new.
"""

from __future__ import annotations

import os
import time
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any

from twincli.client import BLOCK_TIME, COMMIT, LISTING, copies, lacking, present
from twincli.client.untrusted import (
    asset_of,
    in_order,
    lie,
    named_by,
    spends,
    stated_id,
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
from twincli.model import transaction as _transaction
from twincli.model.ids import is_id
from twincli.rules.validity import SERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from twincli.client import Outcome
    from twincli.client.nodes import Nodes
    from twincli.crypto.ed25519 import Signer
    from twincli.ledger.ledger import Ledger
    from twincli.ledger.reading import Spendable
    from twincli.rules.replay import Replay
    from twincli.rules.validity import Known, View

FRESH_SECONDS = 1.0
"""So long what was just fetched answers all questions of one command."""

PATIENCE = (0.2, 0.5, 1.0)
"""Waits before a node that lags behind another counts as one that leaves things out."""

AT_ONCE = 8
"""Assets whose transactions are sent at the same time."""

CHUNK = 2000
"""Transactions to a commit of the copy."""


class NetworkClient:
    """Answers from the nodes of a BigchainDB network.

    Args:
        nodes: To ask; closed with this object.
        directory: Where copies of networks are kept, a directory each; None: in memory.
        network_id: 64 hex digits that stand for a network that has no id of its own.
        mode: What a write waits for: ``commit``, ``sync`` or ``async``.
    """

    capabilities: frozenset[str] = frozenset()
    profile = SERVER

    def __init__(
        self, nodes: Nodes, directory: str | None, network_id: str, mode: str = COMMIT
    ) -> None:
        self.nodes = nodes
        self.mode = mode
        self._directory = directory
        self._network_id = network_id
        self._id: str | None = None
        self._copy: Ledger | None = None
        self._synced: dict[str, float] = {}
        self._others: list[Nodes] = []

    @property
    def ledger_id(self) -> str:
        """See ``LedgerClient``; likewise for all that follow.

        A node of twincli states the id of its ledger. BigchainDB has none: there it is what the
        client was given.
        """
        if self._id is None:
            self._id = stated_id(self.nodes.info()) or self._network_id
        return self._id

    @property
    def place(self) -> str | None:
        """The directory of this network's copy; None: it is in memory."""
        if self._directory is None:
            return None
        # By what was asked as well as by what it says: a node that takes another's id spoils only
        # its own copy.
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

    def submit(self, tx: dict[str, Any]) -> int | None:
        self.nodes.post(tx, self.mode)
        self._synced.pop(asset_of(tx), None)
        if self.mode != COMMIT:
            return None
        self._await(tx)
        return self._height(tx["id"])

    def submit_many(self, txs: Iterable[dict[str, Any]]) -> int | None:
        """Commit one after the other: a network knows no "all or none".

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
        """Commit what is valid, of each asset one after the other, several assets at once."""
        wanted = list(txs)
        chains: dict[str, list[int]] = {}
        for number, tx in enumerate(wanted):
            chains.setdefault(asset_of(tx), []).append(number)
        made: list[Outcome] = [None] * len(wanted)

        def post(nodes: Nodes, numbers: list[int]) -> None:
            for number in numbers:
                try:
                    # Whatever the mode: the next may spend what this one gives.
                    nodes.post(wanted[number])
                except InvalidError as error:
                    made[number] = error

        try:
            if len(chains) < 2:
                for numbers in chains.values():
                    post(self.nodes, numbers)
            else:
                self._at_once(post, list(chains.values()))
        finally:
            for asset_id in chains:
                self._synced.pop(asset_id, None)
        return made

    def _at_once(self, post: Callable[[Nodes, list[int]], None], chains: list[list[int]]) -> None:
        """Post chains, a few at a time, each over a connection of its own."""
        from concurrent.futures import ThreadPoolExecutor

        waiting = iter(chains)
        lock = Lock()

        def work(nodes: Nodes) -> None:
            while True:
                with lock:
                    chain = next(waiting, None)
                if chain is None:
                    return
                post(nodes, chain)

        while len(self._others) < min(AT_ONCE, len(chains)) - 1:
            self._others.append(self.nodes.again())
        workers = [self.nodes, *self._others][: len(chains)]
        with ThreadPoolExecutor(len(workers)) as pool:
            for running in [pool.submit(work, nodes) for nodes in workers]:
                running.result()

    def judge_each(self, txs: Iterable[dict[str, Any]]) -> Sequence[Outcome]:
        wanted = list(txs)
        for tx in wanted:
            for tx_id in named_by(tx):
                self._bring(tx_id)
        return self.copy.judge_each(wanted)

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
            except InvalidError as error:
                error.message += f"; {len(made)} before it are committed"
                raise
            made.append(tx["id"])
            spend = _transaction.Spend.of(tx)
        self._synced.pop(asset_id, None)
        return made

    def _await(self, tx: dict[str, Any]) -> None:
        """Wait until what was committed can be read."""
        end = time.monotonic() + self.nodes.timeout
        wait = 0.01
        while not self._has(tx["id"]):
            self._sync(asset_of(tx), again=True)
            if self._has(tx["id"]):
                return
            if time.monotonic() > end:
                raise UnreachableError(
                    f"the node took {tx['id']} and does not show it yet",
                    code="not_committed",
                    hint=f"twin tx show {tx['id']} says when it is there",
                    retryable=True,
                )
            time.sleep(wait)
            wait = min(2 * wait, 0.5)

    # --- Reading ----------------------------------------------------------------------------------

    def entry(self, tx_id: str) -> Entry | None:
        if not self._bring(tx_id):
            return None
        return self._told(present(self.copy.entry(tx_id), tx_id))

    def required(self, tx_id: str) -> Entry:
        return present(self.entry(tx_id), tx_id)

    def entries(self, asset_id: str, after: str | None = None) -> Iterator[Entry]:
        self._sync(asset_id)
        return map(self._told, self.copy.entries(asset_id, after))

    def transactions(self, asset_id: str, after: str | None = None) -> Iterator[dict[str, Any]]:
        self._sync(asset_id)
        return self.copy.iter_transactions(asset_id, after)

    def corrections(self, asset_id: str) -> list[dict[str, Any]]:
        self._sync(asset_id)
        return self.copy.corrections(asset_id)

    def view(self, tx_id: str) -> View:
        self._bring(tx_id)
        return _View(self, self.copy.view(tx_id))

    def last(self, asset_id: str) -> Entry | None:
        self._sync(asset_id)
        found = self.copy.last(asset_id)
        return None if found is None else self._told(found)

    def replay(self, asset_id: str, as_of_ms: int | None = None) -> Replay | None:
        if as_of_ms is not None:
            raise lacking(BLOCK_TIME)
        self._sync(asset_id)
        return self.copy.replay(asset_id)

    def unspent(self, asset_id: str) -> list[Spendable]:
        self._sync(asset_id, again=True)
        return self.copy.unspent(asset_id)

    def outputs(self, public_key: str, spent: bool | None = None) -> list[dict[str, Any]]:
        stated = set(self.nodes.outputs(public_key, spent=spent))
        for ref in self._refs(public_key, spent) ^ stated:
            self._bring(ref[0], stated=ref in stated)
        # That one is spent is proved by who spent it, whatever a node says.
        wrong = stated - self._refs(public_key, None)
        if wrong:
            tx_id, index = min(wrong)
            raise lie(
                "wrong_output",
                f"a node lists output {index} of {tx_id} under the key {public_key}, which that"
                " output does not bear out",
            )
        return self.copy.outputs(public_key, spent)

    def _refs(self, public_key: str, spent: bool | None) -> set[tuple[str, int]]:
        """Return what the copy knows of a key's outputs."""
        found = self.copy.outputs(public_key, spent)
        return {(ref["transaction_id"], ref["output_index"]) for ref in found}

    def knows(self, public_key: str) -> bool:
        return bool(self.nodes.outputs(public_key))

    def once(self, asset_id: str, token: str) -> list[tuple[frozenset[str], str]]:
        self._sync(asset_id)
        return self.copy.once(asset_id, token)

    def find_prefix(self, prefix: str, limit: int = 2) -> list[str]:
        """Return ids that start with hex digits, of those in the copy: a network finds none."""
        if len(prefix) == 64:
            return [prefix] if self._bring(prefix) else []
        return self.copy.find_prefix(prefix, limit)

    def asset_ids(self) -> Iterator[str]:
        raise lacking(LISTING)

    def assets_with(self, name: str, value: str) -> list[str]:
        """Return assets that state something; other than parents and entities, of those known."""
        if name in {"parent", "entity"}:
            self.search_assets(f'"{value}"')
        return self.copy.assets_with(name, value)

    def search_assets(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        found = []
        for hit in self.nodes.assets(text, limit):
            tx = self._shown(hit["id"])
            if tx["operation"] != "CREATE" or tx["asset"]["data"] != hit.get("data"):
                raise lie("altered_transaction", f"a node shows altered data of {hit['id']}")
            found.append({"data": tx["asset"]["data"], "id": tx["id"]})
        return found

    def search_metadata(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        found = []
        for hit in self.nodes.metadata(text, limit):
            tx = self._shown(hit["id"])
            if tx["metadata"] != hit.get("metadata"):
                raise lie("altered_transaction", f"a node shows altered metadata of {hit['id']}")
            found.append({"metadata": tx["metadata"], "id": tx["id"]})
        return found

    def search(self, text: str, limit: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield hits as the network finds and orders them, assets first."""
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
            raise lie("history_omitted", f"a node names {tx_id} and does not show it")
        return tx

    def _bring(self, tx_id: str, *, stated: bool = False) -> bool:
        """Have a transaction in the copy, its asset as the network has it now.

        Args:
            tx_id: Any text.
            stated: A node has named it, so it must be there.

        Returns:
            False where there is no such transaction.
        """
        if is_id(tx_id):
            tx = self.copy.get(tx_id) if self._has(tx_id) else self._fetch(tx_id)
            if tx is not None:
                self._sync(asset_of(tx))
                return True
        if stated:
            raise lie("history_omitted", f"a node names {tx_id} and does not show it")
        return False

    def _fetch(self, tx_id: str) -> dict[str, Any] | None:
        """Fetch a transaction that the copy does not have, into it."""
        tx = self.nodes.transaction(tx_id)
        if tx is None:
            return None
        if tx.get("id") != tx_id or not is_id(asset_of(tx)):
            raise lie("altered_transaction", f"asked for {tx_id}, a node shows something else")
        if tx.get("operation") == "CREATE":
            self._store([tx])
        else:
            self._sync(asset_of(tx), again=True)
            if not self._has(tx_id):
                raise lie("history_omitted", f"a node leaves {tx_id} out of its asset's history")
        return tx

    def _sync(self, asset_id: str, *, again: bool = False) -> None:
        """Bring the copy of an asset up to date.

        Args:
            asset_id: Any text; what is no asset on the network is left alone.
            again: Even if that was done a moment ago.

        Raises:
            NotVerifiedError: A node does not show the history as it is.
        """
        if not is_id(asset_id):
            return
        if not again and time.monotonic() - self._synced.get(asset_id, -1e9) < FRESH_SECONDS:
            return
        for wait in (*PATIENCE, None):
            try:
                if not self._is_current(asset_id):
                    self._take(asset_id, self.nodes.transactions(asset_id))
            except NotVerifiedError as error:
                # A node may be a moment behind the one that was asked before.
                if error.code != "history_omitted" or wait is None:
                    raise
                time.sleep(wait)
            else:
                break
        self._synced[asset_id] = time.monotonic()

    def _is_current(self, asset_id: str) -> bool:
        """Say whether an asset's last transaction is in the copy, or alone was missing there."""
        mine = self.copy.last(asset_id)
        if mine is None:
            return False
        last = self.nodes.last(asset_id)
        if last is None or last.get("id") == mine.tx["id"]:
            return last is not None
        unspent = self.copy.unspent(asset_id)
        if len(unspent) != 1:
            return False
        # All there is of the asset is in this output: what spends it follows on directly.
        (item,) = unspent
        if spends(last) != [(item.transaction_id, item.output_index)]:
            return False
        self._check_asset(asset_id, last)
        self._store([last])
        return True

    def _take(self, asset_id: str, txs: list[dict[str, Any]]) -> None:
        """Take a history as a node tells it into the copy."""
        for tx in txs:
            self._check_asset(asset_id, tx)
        told = {tx["id"] for tx in txs}
        known = {tx["id"] for tx in self.copy.iter_transactions(asset_id)}
        gone = known - told
        if gone:
            place = self.place
            raise lie(
                "history_omitted",
                f"a node leaves {min(gone)} out of the history of {asset_id}",
                None
                if place is None
                else "ask another node; if the network was made anew, forget what was kept of the"
                f" old one: rm -r {place}",
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
        """Verify and keep transactions."""
        for tx, verdict in zip(txs, self.copy.submit_each(txs), strict=True):
            # Another process may have fetched the same meanwhile.
            if isinstance(verdict, InvalidError) and not self._is_same(tx):
                raise unverified(tx, verdict) from verdict

    def _is_same(self, tx: dict[str, Any]) -> bool:
        return is_id(tx["id"]) and self.copy.get(tx["id"]) == tx

    def _told(self, entry: Entry) -> Entry:
        return Entry(entry.tx, self._height(entry.tx["id"]), None, entry.spent_by)

    def _height(self, tx_id: str) -> int | None:
        height = self.copy.placed(tx_id)
        if height is None:
            height = self.nodes.height(tx_id)
            if height is not None:
                self.copy.place(tx_id, height)
        return height


class _View:
    """The network as a transaction meets it; fetches what is looked at."""

    def __init__(self, client: NetworkClient, copy: View) -> None:
        self.client = client
        self.copy = copy

    def known(self, tx_id: str) -> Known | None:
        self.client._bring(tx_id)  # noqa: SLF001 - one module
        return self.copy.known(tx_id)

    def spender(self, tx_id: str, output_index: int) -> str | None:
        return self.copy.spender(tx_id, output_index)
