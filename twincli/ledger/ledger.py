"""The ledger: one write path, BigchainDB's verdicts, reads by the same code everywhere.

``apply_block`` is deterministic: no clock, no randomness, no names. ``submit`` and its relatives
are a local sequencer over it, so that a consensus engine can drive the same room later.
"""

from __future__ import annotations

import json
import os
import time
from collections import OrderedDict
from hashlib import sha3_256
from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.crypto import base58, canonical, conditions, ed25519, merkle
from twincli.errors import ConfigError, ConflictError, InvalidError, NotFoundError
from twincli.ledger.store import Batch, Block, Row, Store
from twincli.model.transaction import CREATE
from twincli.rules import validity
from twincli.rules.structure import Checked, CheckedOutput
from twincli.rules.validity import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from twincli.crypto.ed25519 import Signer
    from twincli.ledger.search import Index
    from twincli.rules.replay import Replay

Verdict = int | InvalidError
"""A height, or why not."""

CACHED = 20_000
CHUNK = 500


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Spendable(NamedTuple):
    """An unspent output.

    Attributes:
        transaction_id: 64 hex digits.
        output_index: From 0.
        output: As on the wire: ``amount``, ``condition``, ``public_keys``.
    """

    transaction_id: str
    output_index: int
    output: dict[str, Any]


class Entry(NamedTuple):
    """A committed transaction and where it stands.

    Attributes:
        tx: As on the wire.
        height: Of its block.
        time_ms: Of its block, milliseconds since the epoch.
        spent_by: For each spent output, the id of the spender.
    """

    tx: dict[str, Any]
    height: int
    time_ms: int
    spent_by: dict[int, str]


class Located(NamedTuple):
    """A committed transaction as those that spend it see it."""

    seq: int
    asset: int
    known: Known


class Ledger:
    """A BigchainDB ledger in a file. Open one with ``Ledger.open``; it is a context manager.

    One object belongs to one thread at a time; any number of processes may use the same file.

    Attributes:
        id: ``ledger_id``, 64 hex digits, random at creation.
        profile: ``strict`` or ``server-2.2.2``, fixed at creation.
        path: The file, or ``:memory:``.
    """

    def __init__(self, store: Store, index_path: str, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._index_path = index_path
        self._index: Index | None = None
        self._located: OrderedDict[str, Located] = OrderedDict()
        self._written: dict[str, Located] = {}
        self._times: dict[int, int] = {}
        meta = store.meta()
        self.path = store.path
        self.id: str = meta["ledger_id"].hex()
        self.profile: str = meta["profile"]
        self.public_key: str = meta["public_key"]
        self.created_ms: int = meta["created_ms"]

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        create: bool = True,
        profile: str = validity.STRICT,
        read_only: bool = False,
        clock: Callable[[], int] = _now_ms,
    ) -> Ledger:
        """Open a ledger.

        Args:
            path: A directory (holding ``ledger.db``), a file, or ``:memory:``.
            create: Make it when it is not there.
            profile: The rules of a new ledger; an old one keeps its own.
            read_only: Works on a medium that cannot be written.
            clock: Milliseconds since the epoch.

        Raises:
            NotFoundError: ``no_ledger``: not there, and ``create`` is false.
            ConfigError: ``foreign_file``, ``newer_schema``, ``damaged_ledger``, ``read_only``,
                ``disk_full``.
        """
        if profile not in validity.PROFILES:
            raise ConfigError(f"there is no rules profile {profile!r}", code="unknown_profile")
        files = locate(os.fspath(path))
        if create and files.ledger_db != ":memory:":
            _make_directory(os.path.dirname(os.path.abspath(files.ledger_db)))

        def begin() -> tuple[dict[str, Any], Block, bytes]:
            key = ed25519.KeyPair.from_seed(os.urandom(32))
            if files.key:
                write_key(files.key, key)
            now = clock()
            tree = merkle.CompactRange()
            meta = {
                "ledger_id": os.urandom(32),
                "created_ms": now,
                "profile": profile,
                "public_key": key.public_key,
            }
            return meta, Block(0, now, 0, b"", tree.root()), tree.to_bytes()

        store = Store(
            files.ledger_db,
            create=begin if create and not read_only else None,
            read_only=read_only,
        )
        return cls(store, files.index_db, clock)

    def close(self) -> None:
        """Close the files."""
        if self._index is not None:
            self._index.close()
            self._index = None
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- Writing --------------------------------------------------------------------------------

    def submit(self, tx: dict[str, Any]) -> int:
        """Commit one transaction in a block of its own; return the height.

        Raises:
            InvalidError: It breaks a rule.
            ConfigError: The file cannot be written; nothing was committed.
        """
        return self.submit_many([tx])

    def submit_many(self, txs: Iterable[dict[str, Any]]) -> int:
        """Commit transactions in one block, all or none; return the height.

        Later ones may spend outputs of earlier ones. Without any there is no new block.

        Raises:
            InvalidError: The first that breaks a rule; its message says which one it is.
        """
        checked = [_checked(tx) for tx in txs]
        if not checked:
            return self._store.tip().height
        if len(checked) != 1:
            _number_faults(checked)
        _verify(checked)
        with self._store.writing():
            block, verdicts = self._apply(*self._next(), checked)
            if len(checked) != 1:
                _number_faults(verdicts)
            elif isinstance(verdicts[0], InvalidError):
                raise verdicts[0]
        self._remember_written()
        return block.height

    def submit_each(self, txs: Iterable[dict[str, Any]]) -> list[Verdict]:
        """Commit what is valid in one block; return a height or an ``InvalidError`` for each."""
        checked = [_checked(tx) for tx in txs]
        _verify(checked)
        if all(isinstance(item, InvalidError) for item in checked):
            return [item for item in checked if isinstance(item, InvalidError)]
        try:
            with self._store.writing():
                _, verdicts = self._apply(*self._next(), checked)
                if all(isinstance(verdict, InvalidError) for verdict in verdicts):
                    raise _NothingToCommit
        except _NothingToCommit:
            pass
        else:
            self._remember_written()
        return verdicts

    def judge_each(self, txs: Iterable[dict[str, Any]]) -> list[Verdict]:
        """Return what ``submit_each`` would, and write nothing."""
        checked = [_checked(tx) for tx in txs]
        _verify(checked)
        return self._judged(Applying(self, *self._next()), checked)

    def apply_block(
        self, height: int, time_ms: int, txs: Iterable[dict[str, Any]]
    ) -> list[Verdict]:
        """Commit a block that somebody else ordered.

        The same blocks give the same verdicts, hashes and tree on every machine.

        Args:
            height: One above the tip.
            time_ms: Milliseconds since the epoch, not below the tip's.
            txs: In order; those that break a rule are left out.

        Returns:
            For each transaction its height or an ``InvalidError``.

        Raises:
            ConflictError: ``height_mismatch``, ``time_decreased``.
        """
        checked = [_checked(tx) for tx in txs]
        _verify(checked)
        with self._store.writing():
            tip = self._store.tip()
            if height != tip.height + 1:
                raise ConflictError(
                    f"block {height} does not follow block {tip.height}",
                    code="height_mismatch",
                )
            if time_ms < tip.time_ms:
                raise ConflictError(
                    f"the block's time {time_ms} is before the tip's {tip.time_ms}",
                    code="time_decreased",
                )
            _, verdicts = self._apply(tip, time_ms, checked)
        self._remember_written()
        return verdicts

    def append_many(
        self,
        signer: Signer,
        asset_id: str,
        metadatas: Iterable[dict[str, Any] | None],
        *,
        commit_every: int = 10_000,
    ) -> list[str]:
        """Append to one asset, one self-TRANSFER for each of ``metadatas``; return their ids.

        Builds the canonical text directly, signs and stores. Only the Ed25519 check of signatures
        that a key in memory has just made is skipped; every other rule runs.

        Args:
            signer: The only owner of the asset's one unspent output.
            asset_id: Id of the CREATE.
            metadatas: What each append records.
            commit_every: How many share a durable commit (and a block).

        Raises:
            NotFoundError: There is no such asset.
            ConflictError: ``several_outputs``.
            InvalidError: A rule is broken; whole commits before it stay.
        """
        from twincli.ledger import bulk

        return bulk.append_many(self, signer, asset_id, metadatas, commit_every)

    def _next(self) -> tuple[Block, int]:
        tip = self._store.tip()
        return tip, max(self._clock(), tip.time_ms)

    def _apply(
        self, tip: Block, time_ms: int, items: Sequence[Checked | InvalidError]
    ) -> tuple[Block, list[Verdict]]:
        """Judge and write a block; inside ``writing()``."""
        state = Applying(self, tip, time_ms)
        verdicts = self._judged(state, items)
        return state.write(), verdicts

    def _judged(self, state: Applying, items: Sequence[Checked | InvalidError]) -> list[Verdict]:
        verdicts: list[Verdict] = []
        for item in items:
            if isinstance(item, InvalidError):
                verdicts.append(item)
                continue
            try:
                validity.judge(item, state, self.profile)
            except InvalidError as error:
                verdicts.append(error)
            else:
                state.add(item)
                verdicts.append(state.height)
        return verdicts

    # --- Reading --------------------------------------------------------------------------------

    def get(self, tx_id: str) -> dict[str, Any] | None:
        """Return a transaction as on the wire, or None."""
        row = self._row(tx_id)
        return None if row is None else row.tx

    def entry(self, tx_id: str) -> Entry | None:
        """Return a transaction with its block and spenders, or None."""
        row = self._row(tx_id)
        return None if row is None else self._entry(row)

    def transactions(self, asset_id: str, operation: str | None = None) -> list[dict[str, Any]]:
        """Return the transactions of an asset in commit order; unknown asset: none.

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
        """Yield the transactions of an asset with their blocks and spenders, in commit order."""
        asset = self._seq(asset_id)
        if asset is None:
            return
        decode = json.JSONDecoder().raw_decode  # bodies are clean: no blanks around them
        told = self._store.told(asset, self._start(after))
        for body, height, time_ms, spent_by in told:
            yield Entry(decode(body)[0], height, time_ms, spent_by or {})

    def corrections(self, asset_id: str) -> list[dict[str, Any]]:
        """Return the transactions of an asset that may correct others, in commit order.

        Fast on a long history: all others are passed over without being parsed.
        """
        asset = self._seq(asset_id)
        if asset is None:
            return []
        return [json.loads(body) for body in self._store.corrections(asset)]

    def bodies(self, asset_id: str) -> Iterator[str]:
        """Yield the canonical texts of an asset's transactions, in commit order."""
        for row in self._rows(asset_id, None):
            yield row.body

    def last(self, asset_id: str) -> Entry | None:
        """Return the last transaction of an asset, or None."""
        seq = self._seq(asset_id)
        row = None if seq is None else self._store.last_row(seq)
        return None if row is None else self._entry(row)

    def count(self, asset_id: str) -> int:
        """Return how many transactions an asset has."""
        seq = self._seq(asset_id)
        return 0 if seq is None else self._store.count(seq)

    def unspent(self, asset_id: str) -> list[Spendable]:
        """Return the unspent outputs of an asset, oldest first."""
        seq = self._seq(asset_id)
        if seq is None:
            return []
        found = []
        rows: dict[int, dict[str, Any]] = {}
        for at, index in self._store.unspent(seq):
            if at not in rows:
                row = self._store.row_at(at)
                assert row is not None
                rows[at] = row.tx
            tx = rows[at]
            found.append(Spendable(tx["id"], index, tx["outputs"][index]))
        return found

    def outputs(self, public_key: str, spent: bool | None = None) -> list[dict[str, Any]]:
        """Return the outputs that name a key, in commit order.

        Args:
            public_key: base58.
            spent: True or False for only such; None for all.

        Returns:
            ``{"transaction_id", "output_index"}`` each, as BigchainDB's HTTP API.
        """
        found = []
        for page in self.index.outputs(public_key):
            refs = page
            if spent is not None:
                gone = self._store.spent_among(page)
                refs = [ref for ref in page if spent == (ref in gone)]
            ids = self._store.ids_of([seq for seq, _ in refs])
            found += [
                {"transaction_id": ids[seq].hex(), "output_index": index} for seq, index in refs
            ]
        return found

    def search_assets(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        """Return assets whose data or id hold the words of ``text``, in commit order.

        Words are alternatives, "quoted phrases" must all occur, ``-word`` excludes; case and
        accents do not matter; values count, keys do not.

        Args:
            text: What to look for.
            limit: At most so many; 0 for all.

        Returns:
            ``{"data", "id"}`` each.
        """
        return [
            {"data": tx["asset"]["data"], "id": tx["id"]}
            for tx in map(self._at, self.index.search("asset_text", text, limit))
        ]

    def search_metadata(self, text: str, limit: int = 0) -> list[dict[str, Any]]:
        """Return metadata that hold the words of ``text``: ``{"metadata", "id"}`` each."""
        return [
            {"metadata": tx["metadata"], "id": tx["id"]}
            for tx in map(self._at, self.index.search("metadata_text", text, limit))
        ]

    def search(self, text: str, limit: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield where the words of ``text`` stand, in commit order; see ``search_assets``.

        Returns:
            ``asset`` or ``metadata``, and the transaction.
        """
        from heapq import merge
        from itertools import islice

        found = merge(
            ((seq, "asset") for seq in self.index.search("asset_text", text)),
            ((seq, "metadata") for seq in self.index.search("metadata_text", text)),
        )
        # Ids are searched with the metadata; where there are none, only the asset is a hit.
        hits = (
            (place, tx)
            for place, tx in ((place, self._at(seq)) for seq, place in found)
            if place == "asset" or tx["metadata"] is not None
        )
        return islice(hits, limit or None)

    def block(self, height: int) -> dict[str, Any] | None:
        """Return a block, or None beyond the tip.

        Returns:
            ``height``, ``time_ms``, ``app_hash`` and ``root`` (hex), ``transactions`` (whole).
        """
        block = self._store.block(height)
        if block is None:
            return None
        before = self._store.block(height - 1)
        rows = self._store.rows(after=before.last_seq if before else 0, until=block.last_seq)
        return {
            "height": block.height,
            "time_ms": block.time_ms,
            "app_hash": block.app_hash.hex(),
            "root": block.root.hex(),
            "transactions": [row.tx for row in rows],
        }

    def blocks_of(self, tx_id: str) -> list[int]:
        """Return the height of the block that holds a transaction, as a list; empty if unknown."""
        row = self._row(tx_id)
        return [] if row is None else [row.height]

    def tip(self) -> Block:
        """Return the last block."""
        return self._store.tip()

    def tree_size(self) -> int:
        """Return how many leaves the tree has: one a transaction."""
        return merkle.CompactRange.from_bytes(self._store.tree()).size

    def counts(self) -> dict[str, int]:
        """Return the numbers of ``transactions`` and ``assets``."""
        return self._store.counts()

    def asset_ids(self) -> Iterator[str]:
        """Yield the ids of all assets in commit order."""
        for seq in self._store.assets():
            yield self._id_at(seq)

    def find_prefix(self, prefix: str, limit: int = 2) -> list[str]:
        """Return up to ``limit`` transaction ids that start with ``prefix`` (hex digits)."""
        return [tx_id.hex() for tx_id in self._store.ids_with_prefix(prefix, limit)]

    def once(self, asset_id: str, token: str) -> list[tuple[frozenset[str], str]]:
        """Return the transactions of an asset that carry a once token.

        Returns:
            The public keys that signed, and the transaction's id; the first for each set of keys.
        """
        asset = self._seq(asset_id)
        if asset is None:
            return []
        return [
            (frozenset(signers.split(",")), self._id_at(seq))
            for signers, seq in self._store.once(asset, token)
        ]

    def replay(self, asset_id: str, as_of_ms: int | None = None) -> Replay | None:
        """Return the state of an asset, or None when there is none of that id.

        Args:
            asset_id: Id of the CREATE.
            as_of_ms: Only what was committed up to then, milliseconds since the epoch.
        """
        from twincli.ledger import state

        return state.replay(self, asset_id, as_of_ms)

    @property
    def index(self) -> Index:
        """The derived index, caught up with the ledger."""
        self._plain_index.catch_up()
        return self._plain_index

    @property
    def _plain_index(self) -> Index:
        """The derived index as far as it goes."""
        if self._index is None:
            from twincli.ledger.search import Index

            self._index = Index(self._index_path, self._store, self.id)
        return self._index

    def assets_with(self, name: str, value: str) -> list[str]:
        """Return the ids of assets whose CREATE states ``name`` as ``value``, in commit order.

        Args:
            name: ``parent``, ``entity``, ``kind``, ``template`` or ``model``.
            value: What is stated.
        """
        return [self._id_at(seq) for seq in self.index.stated(name, value)]

    def reindex(self) -> int:
        """Make the derived index anew; return how many transactions it holds."""
        return self._plain_index.rebuild()

    def indexed(self) -> int:
        """Return how many transactions the derived index holds, without catching up."""
        return self._plain_index.mark()

    def verify(self, asset_id: str | None = None, *, workers: int = 0) -> Report:
        """Check again every id, signature, link and (for the whole ledger) block.

        Args:
            asset_id: Only this asset; None for all, the chain of blocks and the tree included.
            workers: Threads; 0 for one a core.
        """
        from twincli.ledger import audit

        return audit.verify(self, asset_id, workers)

    def verify_last(self, count: int) -> Report:
        """Check the last ``count`` transactions again; what came before is taken as committed."""
        from twincli.ledger import audit

        return audit.verify_last(self, count)

    def view(self, tx_id: str) -> validity.View:
        """Return the ledger as a transaction meets it: as it was before one that is committed."""
        from twincli.ledger import audit

        return audit.past(self, tx_id)

    # --- Inside ---------------------------------------------------------------------------------

    def _row(self, tx_id: str) -> Row | None:
        raw = _id_bytes(tx_id)
        return None if raw is None else self._store.row(raw)

    def _seq(self, tx_id: str) -> int | None:
        located = self._located.get(tx_id)
        if located is not None:
            return located.seq
        raw = _id_bytes(tx_id)
        return None if raw is None else self._store.seq(raw)

    def _at(self, seq: int) -> dict[str, Any]:
        row = self._store.row_at(seq)
        assert row is not None
        return row.tx

    def _id_at(self, seq: int) -> str:
        row = self._store.row_at(seq)
        assert row is not None
        return row.id.hex()

    def _last_seq_at(self, time_ms: int) -> int:
        """Return the position of the last transaction committed up to a time."""
        return self._store.last_seq_at(time_ms)

    def _rows(self, asset_id: str, after: str | None) -> Iterator[Row]:
        asset = self._seq(asset_id)
        if asset is None:
            return
        yield from self._store.rows(asset=asset, after=self._start(after))

    def _start(self, after: str | None) -> int:
        if after is None:
            return 0
        start = self._seq(after)
        if start is None:
            raise NotFoundError(f"there is no transaction {after}", code="not_found")
        return start

    def _entry(self, row: Row) -> Entry:
        time_ms = self._times.get(row.height)
        if time_ms is None:
            block = self._store.block(row.height)
            assert block is not None
            if len(self._times) > CACHED:
                self._times.clear()
            time_ms = self._times[row.height] = block.time_ms
        spenders = {index: self._id_at(seq) for index, seq in self._store.spenders(row.seq).items()}
        return Entry(row.tx, row.height, time_ms, spenders)

    def _locate(self, tx_id: str) -> Located | None:
        """Return a committed transaction as its spenders need it; keeps the latest in memory."""
        cache = self._located
        located = cache.get(tx_id)
        if located is not None:
            cache.move_to_end(tx_id)
            return located
        row = self._row(tx_id)
        if row is None:
            return None
        tx = row.tx
        located = Located(row.seq, row.asset, Known(_asset_id(tx), outputs_of(tx)))
        self._remember(tx_id, located)
        return located

    def _remember_written(self) -> None:
        """Keep the last block in memory; only once it is committed."""
        for tx_id, located in self._written.items():
            self._remember(tx_id, located)
        self._written = {}

    def _remember(self, tx_id: str, located: Located) -> None:
        self._located[tx_id] = located
        if len(self._located) > CACHED:
            self._located.popitem(last=False)


class Report(NamedTuple):
    """The result of ``Ledger.verify``.

    Attributes:
        transactions: How many were checked.
        blocks: How many blocks; 0 when only one asset was asked for.
        problems: Transaction id or ``block N``, code, message.
        deviations: The same for what the profile accepts and ``strict`` would not.
    """

    transactions: int
    blocks: int
    problems: list[tuple[str, str, str]]
    deviations: list[tuple[str, str, str]]


class Files(NamedTuple):
    """The files of a ledger; ``key`` is empty in memory."""

    ledger_db: str
    index_db: str
    key: str


class _NothingToCommit(Exception):  # noqa: N818 - control flow, not an error
    pass


class Applying:
    """A block in the making, and the view of the ledger that its transactions are judged by."""

    __slots__ = (
        "asset_of",
        "batch",
        "height",
        "ledger",
        "ranges",
        "seq",
        "spent",
        "time_ms",
        "tip",
        "txs",
    )

    def __init__(self, ledger: Ledger, tip: Block, time_ms: int) -> None:
        self.ledger = ledger
        self.tip = tip
        self.time_ms = time_ms
        self.height = tip.height + 1
        self.seq = tip.last_seq
        self.batch = Batch()
        self.txs: dict[str, Located] = {}
        self.spent: dict[tuple[int, int], str] = {}

    def locate(self, tx_id: str) -> Located | None:
        """Return a transaction of this block or of the ledger."""
        return self.txs.get(tx_id) or self.ledger._locate(tx_id)

    def known(self, tx_id: str) -> Known | None:
        """See ``validity.View``."""
        located = self.locate(tx_id)
        return located and located.known

    def spender(self, tx_id: str, output_index: int) -> str | None:
        """See ``validity.View``."""
        located = self.locate(tx_id)
        if located is None:
            return None
        mine = self.spent.get((located.seq, output_index))
        if mine is not None or located.seq > self.tip.last_seq:
            return mine
        seq = self.ledger._store.spender(located.seq, output_index)
        return None if seq is None else self.ledger._id_at(seq)

    def add(self, checked: Checked) -> None:
        """Take a transaction that was judged valid."""
        self.seq = seq = self.seq + 1
        if checked.operation == CREATE:
            asset = seq
        else:
            asset = -1
            for entry in checked.inputs:
                assert entry.spends is not None
                spent = self.locate(entry.spends[0])
                assert spent is not None
                asset = spent.asset
                self.spend(spent.seq, entry.spends[1], seq, checked.id)
            once = once_token(checked.tx["metadata"])
            if once is not None:
                signers = signers_text(signing_keys(checked))
                self.batch.once.append((asset, once, signers, seq))
        self.put(checked.id, asset, Known(checked.asset_id, checked.outputs), checked.body)

    def spend(self, seq: int, output_index: int, by_seq: int, by_id: str) -> None:
        """Mark an output as spent."""
        self.spent[seq, output_index] = by_id
        self.batch.spent.append((seq, output_index, by_seq))
        self.batch.unspent.pop((seq, output_index), None)

    def put(self, tx_id: str, asset: int, known: Known, body: str) -> None:
        """Store the transaction at ``self.seq``."""
        seq = self.seq
        self.txs[tx_id] = Located(seq, asset, known)
        self.batch.txs.append((seq, bytes.fromhex(tx_id), asset, self.height, body))
        for index in range(len(known.outputs)):
            self.batch.unspent[seq, index] = asset

    def write(self) -> Block:
        """Write the block and return it."""
        store = self.ledger._store
        tree = merkle.CompactRange.from_bytes(store.tree())
        ids = []
        for row in self.batch.txs:
            tree.append(merkle.leaf_hash(merkle.ledger_leaf(self.height, self.time_ms, row[1])))
            ids.append(row[1].hex())
        self.batch.tree = tree.to_bytes()
        block = Block(
            self.height,
            self.time_ms,
            self.seq,
            app_hash(self.tip.app_hash, ids),
            tree.root(),
        )
        store.insert(self.batch, block)
        self.ledger._written = self.txs
        return block


def app_hash(before: bytes, ids: Sequence[str]) -> bytes:
    """Return BigchainDB's chained hash after a block with transactions ``ids``.

    Source: bigchaindb 2.2.2 ``core.py`` ``end_block``; checked on two blocks of a real server.
    """
    if not ids:
        return before
    inner = canonical.sha3_hex("".join(ids).encode())
    return sha3_256((before.hex() + inner).encode()).digest()


def outputs_of(tx: dict[str, Any]) -> list[CheckedOutput]:
    """Return the outputs of a committed transaction, parsed."""
    return [
        CheckedOutput(
            int(output["amount"]),
            conditions.from_details(output["condition"]["details"]),
            tuple(output["public_keys"] or ()),
        )
        for output in tx["outputs"]
    ]


def once_token(metadata: Any) -> str | None:
    """Return the once token in the envelope of an append, or None."""
    envelope = metadata.get("twin") if metadata else None
    if isinstance(envelope, dict) and type(envelope.get("v")) is int:
        token = envelope.get("once")
        if isinstance(token, str):
            return token
    return None


def signing_keys(checked: Checked) -> list[str]:
    """Return the public keys whose signatures a transaction carries."""
    keys: dict[str, None] = {}
    for entry in checked.inputs:
        if entry.fulfillment is not None:
            keys.update(dict.fromkeys(entry.fulfillment.keys()))
    return list(keys)


def signers_text(keys: Iterable[str]) -> str:
    """Return public keys as the table of once tokens writes them."""
    return ",".join(sorted(set(keys)))


def _asset_id(tx: dict[str, Any]) -> str:
    return str(tx["id"] if tx["operation"] == CREATE else tx["asset"]["id"])


def _id_bytes(tx_id: str) -> bytes | None:
    if len(tx_id) != 64:
        return None
    try:
        raw = bytes.fromhex(tx_id)
    except ValueError:
        return None
    return raw if raw.hex() == tx_id else None


def _checked(tx: dict[str, Any]) -> Checked | InvalidError:
    try:
        return validity.check_structure(tx)
    except InvalidError as error:
        return error


def _number_faults(items: Sequence[object]) -> None:
    for number, item in enumerate(items, 1):
        if isinstance(item, InvalidError):
            raise InvalidError(
                f"transaction {number} of {len(items)}: {item.message}",
                code=item.code,
                hint=item.hint,
            ) from item


def cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def _verify(items: Sequence[Checked | InvalidError]) -> None:
    """Verify all signatures, on all cores when there are many: libsodium runs without the GIL."""
    todo = [item for item in items if isinstance(item, Checked)]
    if len(todo) < 64 or cores() < 2:
        for item in todo:
            item.verify()
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(_verify_slice, [todo[at : at + 64] for at in range(0, len(todo), 64)]):
            pass


def _verify_slice(items: list[Checked]) -> None:
    for item in items:
        item.verify()


# --- Files -------------------------------------------------------------------------------------


def locate(path: str) -> Files:
    """Return the files of the ledger at ``path``: a directory, a file, or ``:memory:``."""
    if path == ":memory:":
        return Files(path, path, "")
    if os.path.isdir(path) or not os.path.splitext(path)[1]:
        path = os.path.join(path, "ledger.db")
    directory, name = os.path.split(path)
    stem = os.path.splitext(name)[0]
    index = "index.db" if name == "ledger.db" else f"{stem}.index.db"
    return Files(path, os.path.join(directory, index), os.path.join(directory, f"{stem}.key"))


def _make_directory(path: str) -> None:
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the directory {path} cannot be made: {error.strerror}", code="read_only"
        ) from error


def write_key(path: str, key: ed25519.KeyPair) -> None:
    """Write the ledger's private key, readable by its owner alone, durably."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            text = json.dumps(
                {
                    "version": 1,
                    "public_key": key.public_key,
                    "seed": base58.encode(key.seed),
                }
            )
            os.write(descriptor, text.encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        raise ConfigError(
            f"the ledger's key {path} cannot be written: {error.strerror}",
            code="read_only",
        ) from error
