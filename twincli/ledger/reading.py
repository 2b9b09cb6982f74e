"""Reading the ledger: transactions, outputs, blocks, states, search."""

from __future__ import annotations

import time
from collections import OrderedDict

from twincli.crypto import conditions, merkle
from twincli.errors import InvalidError, NotFoundError
from twincli.ledger import mark, meta
from twincli.ledger.faults import damaged
from twincli.ledger.files import locate
from twincli.ledger.rows import Spendable, decoded, prove, unproven_outputs
from twincli.model import record
from twincli.model.ids import is_id
from twincli.model.transaction import CREATE, TRANSFER
from twincli.rules.structure import CheckedOutput
from twincli.rules.validity import Known
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Container,
        Iterable,
        Iterator,
        Mapping,
    )

    from twincli.ledger.index import Index, Placed
    from twincli.ledger.rows import Block, Held, Linked, Row, Standing
    from twincli.ledger.said import Asked
    from twincli.ledger.store import Store

CACHED = 20_000
PAGE = 64  # of whole texts, which may be large


class Entry(NamedTuple):
    """A committed transaction and where it stands.

    Attributes:
        tx: As on the wire.
        height: Of its block; None where that is not known.
        time_ms: Of its block, milliseconds since the epoch; None on a BigchainDB network, which
            does not report it.
        spent_by: For each spent output, the id of the spender.
        size: Characters of its canonical text; 0 where that is not known.
    """

    tx: dict[str, Any]
    height: int | None
    time_ms: int | None
    spent_by: dict[int, str]
    size: int = 0


class Commit(NamedTuple):
    """A block by its ids.

    Attributes:
        height: From 0.
        time_ms: When it was committed.
        app_hash: Hex; empty before the first transaction.
        size: How many transactions it holds.
        ids: Of its first transactions, all of them unless it is a very large one, and of their
            assets.
    """

    height: int
    time_ms: int
    app_hash: str
    size: int
    ids: list[tuple[str, str]]


class Located(NamedTuple):
    """A committed transaction as those that spend it see it."""

    seq: int
    asset: int
    known: Known


def now_ms() -> int:
    """Return the time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Reader:
    """Reads of a ledger; ``Ledger`` adds writing.

    Args:
        store: The open file; its opener closes it.
        index_path: File name of the derived index, or ``:memory:``.
        clock: Milliseconds since the epoch.

    Attributes:
        id: ``ledger_id``, 64 hex digits, random at creation.
        profile: ``strict`` or ``server-2.2.2``, fixed at creation.
        public_key: The ledger's own key, base58.
        former_keys: Keys that it had before, in the copies that it was restored from.
        created_ms: When it was made, milliseconds since the epoch.
        path: The file, or ``:memory:``.
        store: The file's rows, for the other files of this room.
    """

    def __init__(self, store: Store, index_path: str, clock: Callable[[], int] = now_ms) -> None:
        self.store = store
        self._clock = clock
        self._index_path = index_path
        self._index: Index | None = None
        self._is_interrupted = False
        self._located: OrderedDict[str, Located] = OrderedDict()
        self._times: dict[int, int] = {}
        self.path = store.path
        first = store.block(0)
        if first is None:
            raise damaged("block 0 is missing")
        recorded = meta.read(store.meta(), first.time_ms, is_signed=store.version > 1)
        self.id = recorded.ledger_id
        self.profile = recorded.profile
        self.public_key = recorded.public_key
        self.created_ms = recorded.created_ms
        self.former_keys = list(recorded.former_keys)

    def get(self, tx_id: str) -> dict[str, Any] | None:
        """Return a transaction as on the wire, or None."""
        row = self._row(tx_id)
        return None if row is None else row.tx

    def entry(self, tx_id: str) -> Entry | None:
        """Return a transaction with its block and spenders, or None."""
        row = self._row(tx_id)
        return None if row is None else self._entry(row)

    def transactions(self, asset_id: str, operation: str | None = None) -> list[dict[str, Any]]:
        """Return the transactions of an asset in commit order; empty for an unknown asset.

        Args:
            asset_id: Id of the CREATE.
            operation: ``CREATE`` or ``TRANSFER``, any case; None for both.
        """
        found = self.iter_transactions(asset_id)
        if operation is None:
            return list(found)
        return [tx for tx in found if tx["operation"] == operation.upper()]

    def iter_transactions(
        self, asset_id: str, after: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the transactions of an asset in commit order, a page in memory at a time.

        Args:
            asset_id: Id of the CREATE.
            after: Begin behind this transaction.
        """
        for row in self._rows(asset_id, after):
            yield row.tx

    def entries(self, asset_id: str, after: str | None = None) -> Iterator[Entry]:
        """Yield the transactions of an asset with their blocks and spenders, in commit order.

        Raises:
            ConfigError: ``damaged_ledger``: one of them was altered.
        """
        asset = self.seq(asset_id)
        if asset is None:
            return
        told = self.store.told(asset, self._start(after))
        for tx_id, body, height, time_ms, spent_by in told:
            tx = decoded(body, tx_id)
            prove(body, tx_id)
            yield Entry(tx, height, time_ms, spent_by or {}, len(body))

    def records(self, asset_id: str, kinds: Collection[str]) -> Iterator[Entry]:
        """Yield those TRANSFERs of an asset that are records of some kinds, in commit order.

        Fast on a long history: all others are passed over.

        Args:
            asset_id: Id of the CREATE.
            kinds: Any; those that this version does not know are looked for in the whole history.

        Raises:
            ConfigError: ``damaged_ledger``: one of them was altered.
        """
        asset = self.seq(asset_id)
        if asset is None:
            return
        found = self.entries(asset_id)
        if record.RECORD_KINDS.issuperset(kinds):
            seqs = self.index.recorded(asset, kinds)
            pages = (seqs[at : at + PAGE] for at in range(0, len(seqs), PAGE))
            rows = (row for page in pages for row in self.store.rows_at(page))
            found = (self._entry(row) for row in rows if row.asset == asset)
        for entry in found:
            tx = entry.tx
            if tx["operation"] == TRANSFER and record.kind_of(tx["metadata"]) in kinds:
                yield entry

    def said(self, asset_id: str, asked: Asked) -> Iterator[Entry]:
        """Yield the records of a kind about an asset, of its owners and of others, in order.

        Who spent their outputs is left out, and of transfers all but what they say and who signed
        it, see `rows.said`. Fast on a long history: only what is asked for is read.

        Raises:
            ConfigError: ``damaged_ledger``: one of them was altered.
        """
        if not is_id(asset_id):
            return
        found = self.index.said(asset_id, asked)
        for page in (seqs[at : at + PAGE] for seqs in found for at in range(0, len(seqs), PAGE)):
            rows = {row.seq: row for row in self.store.rows_at(page)}
            if len(rows) < len(page):
                raise damaged("a transaction that the index has is missing")
            for row in map(rows.__getitem__, page):
                tx, time_ms = row.said, self.time_of(row.height)
                if asked.by_block and not asked.covers(time_ms):
                    continue
                if _is_about(tx, asset_id, asked.kind):
                    yield Entry(tx, row.height, time_ms, {}, len(row.body))

    def corrections(self, asset_id: str) -> list[dict[str, Any]]:
        """Return the transactions of an asset that may correct others, in commit order.

        Fast on a long history: all others are passed over without being parsed.
        """
        asset = self.seq(asset_id)
        if asset is None:
            return []
        return [row.tx for row in self.store.corrections(asset)]

    def body(self, tx_id: str) -> str | None:
        """Return the canonical text of a transaction, its id computed again, or None."""
        row = self._row(tx_id)
        return None if row is None else row.text

    def bodies(
        self, asset_id: str, operation: str | None = None, *, last: bool = False
    ) -> Iterator[str]:
        """Yield the canonical texts of an asset's transactions, in commit order.

        Args:
            asset_id: Id of the CREATE.
            operation: ``CREATE`` or ``TRANSFER``; None for both.
            last: Only the last of them.
        """
        asset = self.seq(asset_id)
        if asset is None:
            return
        after = asset if operation == TRANSFER else 0
        if last and operation != CREATE:
            row = self.store.last_row(asset)
            if row is not None and row.seq > after:
                yield row.text
            return
        until = asset if operation == CREATE else None
        for row in self.store.rows(asset=asset, after=after, until=until, page=PAGE):
            yield row.text

    def last(self, asset_id: str) -> Entry | None:
        """Return the last transaction of an asset, or None."""
        seq = self.seq(asset_id)
        row = None if seq is None else self.store.last_row(seq)
        return None if row is None else self._entry(row)

    def count(self, asset_id: str) -> int:
        """Return how many transactions an asset has."""
        seq = self.seq(asset_id)
        return 0 if seq is None else self.store.count(seq)

    def unspent(self, asset_id: str) -> list[Spendable]:
        """Return the unspent outputs of an asset, oldest first."""
        seq = self.seq(asset_id)
        if seq is None:
            return []
        found = []
        rows: dict[int, dict[str, Any]] = {}
        for at, index in self.store.unspent(seq):
            if at not in rows:
                rows[at] = self._at(at)
            tx = rows[at]
            found.append(Spendable(tx["id"], index, tx["outputs"][index]))
        return found

    def held_by(self, public_keys: Iterable[str], *, ever: bool = False) -> list[str]:
        """Return the assets of which keys hold an unspent output; see ``holdings``."""
        from twincli.ledger import holdings

        return holdings.held_by(self.store, self.index, public_keys, ever=ever)

    def in_order(self, asset_ids: Iterable[str]) -> list[str]:
        """Return assets that are on the ledger in commit order; see ``holdings``."""
        from twincli.ledger import holdings

        return holdings.in_order(self.store, asset_ids)

    def standings(self, asset_ids: Iterable[str]) -> Iterator[Standing]:
        """Yield how assets stand; see ``holdings``."""
        from twincli.ledger import holdings

        return holdings.standings(self.store, asset_ids)

    def linking(
        self,
        asset_ids: Iterable[str],
        what: str,
        other: str | None = None,
        known: Container[int] = (),
    ) -> list[Linked]:
        """Return what links any of some assets, or takes links back; see ``holdings``."""
        from twincli.ledger import holdings

        wanted = list(dict.fromkeys(asset_ids))
        return holdings.linking(self.store, self.index, self.time_of, wanted, what, other, known)

    def held(
        self, asset_ids: Iterable[str], known: Mapping[int, dict[str, Any]]
    ) -> dict[str, Held]:
        """Return who holds assets; see ``holdings``."""
        from twincli.ledger import holdings

        return holdings.held(self.store, list(dict.fromkeys(asset_ids)), known)

    def spoken_of(self) -> set[str]:
        """Return the assets that have records, or that something else is about."""
        from twincli.ledger import holdings

        return holdings.spoken_of(self.store, self.index)

    def outputs(self, public_key: str, spent: bool | None = None) -> list[dict[str, Any]]:
        """Return the outputs that name a key, in commit order.

        Args:
            public_key: base58.
            spent: True or False for only such; None for all.

        Returns:
            ``{"transaction_id", "output_index"}`` each, as BigchainDB's HTTP API.
        """
        return list(self.iter_outputs(public_key, spent))

    def iter_outputs(self, public_key: str, spent: bool | None = None) -> Iterator[dict[str, Any]]:
        """Yield what ``outputs`` returns, a page in memory at a time."""
        for page in self.index.outputs(public_key):
            refs = page
            if spent is not None:
                gone = self.store.spent_among(page)
                refs = [ref for ref in page if spent == (ref in gone)]
            ids = self.store.ids_of([seq for seq, _ in refs])
            for seq, index in refs:
                yield {"transaction_id": ids[seq].hex(), "output_index": index}

    def search_assets(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        """Return assets whose data or id hold the words of ``text``, in commit order.

        Words are alternatives, "quoted phrases" must all occur, ``-word`` excludes; case and
        accents do not matter. Texts count, keys and numbers do not, as with BigchainDB.

        Args:
            text: What to look for.
            limit: Return at most N; 0 for all.

        Returns:
            ``{"data", "id"}`` each.
        """
        return list(self.iter_assets(text, limit))

    def iter_assets(self, text: str, limit: int = 0) -> Iterator[dict[str, Any]]:
        """Yield what ``search_assets`` returns, one in memory at a time."""
        for tx in map(self._at, self.index.search("asset_text", text, limit, numbers=False)):
            yield {"data": tx["asset"]["data"], "id": tx["id"]}

    def search_metadata(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        """Return metadata that hold the words of ``text``: ``{"metadata", "id"}`` each."""
        return list(self.iter_metadata(text, limit))

    def iter_metadata(self, text: str, limit: int = 0) -> Iterator[dict[str, Any]]:
        """Yield what ``search_metadata`` returns, one in memory at a time."""
        for tx in map(self._at, self.index.search("metadata_text", text, limit, numbers=False)):
            yield {"metadata": tx["metadata"], "id": tx["id"]}

    def search(self, text: str, limit: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield where the words and numbers of ``text`` stand; see ``search_assets``.

        Assets come first, then metadata, each in commit order, one in memory at a time.

        Returns:
            ``asset`` or ``metadata``, and the transaction.
        """
        from itertools import chain, islice

        assets = (("asset", self._at(seq)) for seq in self.index.search("asset_text", text))
        # Ids are searched with the metadata; where there are none, only the asset is a hit.
        recorded = (
            ("metadata", tx)
            for tx in map(self._at, self.index.search("metadata_text", text))
            if tx["metadata"] is not None
        )
        return islice(chain(assets, recorded), limit or None)

    def block(self, height: int) -> dict[str, Any] | None:
        """Return a block, or None beyond the tip.

        Returns:
            ``height``, ``time_ms``, ``app_hash`` and ``root`` (hex), ``transactions`` (whole).
        """
        block = self.store.block(height)
        if block is None:
            return None
        return {
            "height": block.height,
            "time_ms": block.time_ms,
            "app_hash": block.app_hash.hex(),
            "root": block.root.hex(),
            "transactions": [row.tx for row in self._rows_of(block)],
        }

    def block_bodies(self, height: int) -> Iterator[str] | None:
        """Return the canonical texts of a block's transactions, or None beyond the tip."""
        block = self.store.block(height)
        return None if block is None else (row.text for row in self._rows_of(block))

    def _rows_of(self, block: Block) -> Iterator[Row]:
        before = self.store.block(block.height - 1)
        first = before.last_seq if before else 0
        return self.store.rows(after=first, until=block.last_seq, page=PAGE)

    def block_ids(self, height: int, skip: int = 0, limit: int = 5000) -> list[tuple[str, str]]:
        """Return the ids of a block's transactions and of their assets; empty beyond the tip.

        Args:
            height: Of the block.
            skip: Leave out the first N.
            limit: Show at most N.
        """
        block, before = self.store.block(height), self.store.block(height - 1)
        if block is None:
            return []
        first = (before.last_seq if before else 0) + skip
        ids = self.store.ids(first, min(first + limit, block.last_seq))
        return [(tx_id.hex(), asset_id.hex()) for tx_id, asset_id in ids]

    def commits(self, after: int, count: int = 500, size: int = 5000) -> list[Commit]:
        """Return the blocks above a height, in order, with the ids of what they hold.

        Args:
            after: The height.
            count: At most this many blocks.
            size: No further block once this many transactions are reached; of a first one that
                is larger, only this many ids.
        """
        return [
            Commit(
                block.height,
                block.time_ms,
                block.app_hash.hex(),
                held,
                [(tx_id.hex(), asset_id.hex()) for tx_id, asset_id in ids],
            )
            for block, held, ids in self.store.commits(after, count, size)
        ]

    def blocks_of(self, tx_id: str) -> list[int]:
        """Return the height of the block that holds a transaction, as a list; empty if unknown."""
        row = self._row(tx_id)
        return [] if row is None else [row.height]

    def tip(self) -> Block:
        """Return the last block."""
        return self.store.tip()

    def tree_size(self) -> int:
        """Return how many leaves the tree has: one a transaction."""
        return self.tree().size

    def counts(self) -> dict[str, int]:
        """Return the numbers of ``transactions`` and ``assets``."""
        return self.store.counts()

    def asset_ids(self, after: str | None = None) -> Iterator[str]:
        """Yield the ids of all assets in commit order.

        Args:
            after: Begin behind this one.
        """
        for seq in self.store.assets(self._start(after)):
            yield self.id_at(seq)

    def newest_assets(self, count: int, before: str | None = None) -> list[str]:
        """Return the ids of the assets created last, newest first.

        Args:
            count: Return at most N.
            before: Only assets created before this one.
        """
        seq = None if before is None else self.seq(before)
        return [self.id_at(found) for found in self.store.newest_assets(count, seq)]

    def find_prefix(self, prefix: str, limit: int = 2) -> list[str]:
        """Return up to ``limit`` transaction ids that start with ``prefix`` (hex digits)."""
        return [tx_id.hex() for tx_id in self.store.ids_with_prefix(prefix, limit)]

    def once(self, asset_id: str, token: str) -> list[tuple[frozenset[str], str]]:
        """Return the transactions of an asset that carry a once token.

        Returns:
            The public keys that signed, and the transaction's id; the first for each set of keys.
        """
        asset = self.seq(asset_id)
        if asset is None:
            return []
        return [
            (frozenset(signers.split(",")), self.id_at(seq))
            for signers, seq in self.store.once(asset, token)
        ]

    @property
    def index(self) -> Index:
        """The derived index, caught up with the ledger."""
        self.plain_index.catch_up()
        return self.plain_index

    @property
    def plain_index(self) -> Index:
        """The derived index as far as it goes, not caught up."""
        if self._index is None:
            from twincli.ledger.index import Index

            self._index = Index(self._index_path, self.store, self.id, lambda: self._is_interrupted)
        if self.store.is_together:
            self._index.hold()
        return self._index

    def assets_with(
        self, name: str, value: str, after: str | None = None, limit: int = 0
    ) -> list[str]:
        """Return the ids of assets whose CREATE states ``name`` as ``value``, in commit order.

        Args:
            name: One of those in ``record.statements``.
            value: What is stated.
            after: Begin behind this asset.
            limit: Return at most N; 0 for all.
        """
        found = self.index.stated(name, value, self._start(after), limit or -1)
        return [self.id_at(seq) for seq in found]

    def reindex(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Rebuild the derived index; return how many transactions it holds.

        Args:
            progress: Called now and then with how much is done, and how much there is.
        """
        return self.plain_index.rebuild(progress)

    def place(self, items: Iterable[tuple[str, int, int | None]]) -> list[str]:
        """Remember where another ledger, which this one is a copy of, has transactions.

        Kept with what is derived: it is lost with the index, and can be asked again.

        Args:
            items: Id, height and time of the block (milliseconds since the epoch, or None) each.

        Returns:
            The ids of those that cannot be so: on a ledger no block has an earlier time than one
            before it.
        """
        from twincli.ledger.index import Placed

        known = [
            (Placed(seq, height, time_ms), tx_id)
            for tx_id, height, time_ms in items
            if (seq := self.seq(tx_id)) is not None
        ]
        refused = set(self.plain_index.place([placed for placed, _ in known]))
        return [tx_id for placed, tx_id in known if placed.seq in refused]

    def placed(self, tx_id: str) -> Placed | None:
        """Return what ``place`` remembered, or None."""
        seq = self.seq(tx_id)
        return None if seq is None else self.plain_index.placed(seq)

    def interrupt(self) -> None:
        """Interrupt long work, now and from now on; from any thread.

        That is bringing the index up to date, which ends in a ``TwinError``, ``interrupted``.
        """
        self._is_interrupted = True

    def indexed(self) -> int:
        """Return how many transactions the derived index holds, without catching up."""
        return self.plain_index.mark()

    def now(self) -> int:
        """Return the present, milliseconds since the epoch."""
        return self._clock()

    # --- For the other files of this room ---------------------------------------------------------

    def next_block(self) -> tuple[Block, int]:
        """Return the tip, and the time of a block that follows it now."""
        tip = self.store.tip()
        return tip, max(self._clock(), tip.time_ms)

    def note(self, height: int, seq: int, tx_id: str) -> None:
        """Record outside of the ledger how far it has come."""
        if self.store.durable and self.path != ":memory:" and not self.store.is_together:
            path = locate(self.path).mark
            mark.write(path, mark.Mark(self.id, height, seq, tx_id))

    @property
    def schema_version(self) -> int:
        """Version of the file's schema."""
        return self.store.version

    def seq(self, tx_id: str) -> int | None:
        """Return the position of a transaction, or None."""
        located = self._located.get(tx_id)
        if located is not None:
            return located.seq
        raw = _id_bytes(tx_id)
        return None if raw is None else self.store.seq(raw)

    def time_of(self, height: int) -> int:
        """Return when a block was committed.

        Raises:
            ConfigError: ``damaged_ledger``: it is missing.
        """
        time_ms = self._times.get(height)
        if time_ms is None:
            block = self.store.block(height)
            if block is None:
                raise damaged(f"there is no block {height}")
            if len(self._times) > CACHED:
                self._times.clear()
            time_ms = self._times[height] = block.time_ms
        return time_ms

    def id_at(self, seq: int) -> str:
        """Return the id of the transaction at a position."""
        return self._row_at(seq).id.hex()

    def height_of_root(self, root: bytes) -> int | None:
        """Return the height at which the tree had a root, or None."""
        return next((block.height for block in self.store.blocks() if block.root == root), None)

    def root_at(self, size: int) -> bytes:
        """Return the root of the tree over the first transactions, from the leaves up.

        Args:
            size: How many of them; at most as many as there are.
        """
        tree = merkle.CompactRange()
        for seq, tx_id, height in self.store.leaves(size):
            if seq == tree.size + 1:
                leaf = merkle.ledger_leaf(height, self.time_of(height), tx_id)
                tree.append(merkle.leaf_hash(leaf))
        return tree.root()

    def tree(self) -> merkle.CompactRange:
        """Return the tree at the tip, ready to grow."""
        try:
            return merkle.CompactRange.from_bytes(self.store.tree())
        except InvalidError as error:
            raise damaged(error.message) from error

    def locate(self, tx_id: str) -> Located | None:
        """Return a committed transaction as its spenders need it; keeps the latest in memory."""
        cache = self._located
        located = cache.get(tx_id)
        if located is not None:
            cache.move_to_end(tx_id)
            return located
        row = self._row(tx_id)
        if row is None:
            return None
        asset_id, outputs = unproven_outputs(row.body, tx_id)
        located = Located(row.seq, row.asset, Known(asset_id, _parsed(outputs, tx_id)))
        self.remember(tx_id, located)
        return located

    def remember(self, tx_id: str, located: Located) -> None:
        """Keep a committed transaction for those that spend it."""
        self._located[tx_id] = located
        if len(self._located) > CACHED:
            self._located.popitem(last=False)

    def forget_after(self, seq: int) -> None:
        """Forget what is kept in memory of transactions behind a position: they were undone."""
        for tx_id in [tx_id for tx_id, kept in self._located.items() if kept.seq > seq]:
            del self._located[tx_id]
        self._times.clear()

    def mark_index(self, name: str) -> int | None:
        """Name the point to which `undo_index` goes back; return None where none is held."""
        if self._index is None or not self._index.is_held:
            return None
        return self._index.mark_point(name)

    def undo_index(self, name: str, marked: int | None) -> None:
        """Undo what the index took in since `mark_index`."""
        if self._index is not None and self._index.is_held:
            self._index.undo(name, marked)

    def pass_index(self, name: str, marked: int | None) -> None:
        """Drop the point that `mark_index` named."""
        if self._index is not None and marked is not None:
            self._index.pass_point(name, marked)

    def release_index(self, *, keep: bool) -> None:
        """End what `Index.hold` began."""
        if self._index is not None:
            self._index.release(keep=keep)

    # --- Inside ---------------------------------------------------------------------------------

    def _row(self, tx_id: str) -> Row | None:
        raw = _id_bytes(tx_id)
        return None if raw is None else self.store.row(raw)

    def _row_at(self, seq: int) -> Row:
        row = self.store.row_at(seq)
        if row is None:
            raise damaged(f"there is no transaction at position {seq}")
        return row

    def _at(self, seq: int) -> dict[str, Any]:
        return self._row_at(seq).tx

    def _rows(self, asset_id: str, after: str | None) -> Iterator[Row]:
        asset = self.seq(asset_id)
        if asset is None:
            return
        yield from self.store.rows(asset=asset, after=self._start(after))

    def _start(self, after: str | None) -> int:
        if after is None:
            return 0
        start = self.seq(after)
        if start is None:
            raise NotFoundError(f"there is no transaction {after}", code="not_found")
        return start

    def _entry(self, row: Row) -> Entry:
        time_ms = self.time_of(row.height)
        spenders = {index: self.id_at(seq) for index, seq in self.store.spenders(row.seq).items()}
        return Entry(row.tx, row.height, time_ms, spenders, len(row.body))


def _is_about(tx: dict[str, Any], asset_id: str, kind: str) -> bool:
    """Say whether a transaction is a record of a kind about an asset."""
    if tx["operation"] == TRANSFER:
        return bool(tx["asset"]["id"] == asset_id and record.kind_of(tx["metadata"]) == kind)
    envelope = record.creating_envelope(tx)
    return envelope.get("about") == asset_id and envelope.get("says") == kind


def _parsed(outputs: list[dict[str, Any]], tx_id: str) -> list[CheckedOutput]:
    """Return the outputs of a committed transaction as its spenders need them."""
    try:
        return [
            CheckedOutput(
                int(output["amount"]),
                conditions.from_details(output["condition"]["details"]),
                tuple(output["public_keys"] or ()),
            )
            for output in outputs
        ]
    except (InvalidError, ValueError, KeyError, TypeError) as error:
        raise damaged(f"the outputs of {tx_id} are malformed") from error


def _id_bytes(tx_id: str) -> bytes | None:
    if len(tx_id) != 64:
        return None
    try:
        raw = bytes.fromhex(tx_id)
    except ValueError:
        return None
    return raw if raw.hex() == tx_id else None
