"""The ledger's file: the only SQL that touches ``ledger.db``.

Facts only; what can be derived lives in ``index.db`` (``index.py``). SQLite in WAL mode with
``synchronous=FULL``: a commit that returned survives kill -9 and power loss. Everything refers to
transactions by ``seq``, their position on the ledger from 1; the id is the one random index.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError, NotFoundError
from twincli.ledger.faults import damaged, foreign, translate
from twincli.ledger.rows import Row, Tallies, block_of, row_of
from twincli.ledger.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from twincli.ledger.rows import Batch, Block

BUSY_SECONDS = 60.0
MAX_SEQ = 2**63 - 1


class Store:
    """An open ``ledger.db``.

    Args:
        path: File name, or ``:memory:``.
        create: Called inside the creating transaction of a new file; returns its meta rows.
            None: a file that is not there is an error.
        read_only: Open without the wish to write.
        durable: False: a power loss may take the last commits, for what can be fetched again.
    """

    writable = True
    _has_written = False

    def __init__(
        self,
        path: str,
        *,
        create: Callable[[], tuple[dict[str, Any], Block, bytes]] | None = None,
        read_only: bool = False,
        durable: bool = True,
    ) -> None:
        self.path = path
        self.durable = durable
        self.connection: sqlite3.Connection
        is_file = path != ":memory:"
        if is_file and not os.path.exists(path) and create is None:
            raise NotFoundError(f"there is no ledger at {path}", code="no_ledger")
        try:
            self.connection = self._connect(path, read_only=read_only)
        except sqlite3.Error as error:
            raise translate(error, path) from error
        try:
            self._prepare(create)
        except sqlite3.Error as error:
            self.connection.close()
            raise translate(error, path) from error
        except BaseException:
            self.connection.close()
            raise

    def _connect(self, path: str, *, read_only: bool) -> sqlite3.Connection:
        if path == ":memory:":
            return sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        directory = os.path.dirname(os.path.abspath(path))
        self.writable = os.access(directory, os.W_OK) and (
            not os.path.exists(path) or os.access(path, os.W_OK)
        )
        # Without the empty authority a path with two slashes in front would name a host.
        uri = "file://" if path.startswith("/") else "file:"
        uri += path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        if read_only and not self.writable:
            # Nobody can write beside it, so SQLite need not look for another process's log.
            log = path + "-wal"
            fixed = not os.path.exists(log) or os.path.getsize(log) == 0
            uri += "?mode=ro" + ("&immutable=1" if fixed else "")
        return sqlite3.connect(
            uri,
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    def _prepare(self, create: Callable[[], tuple[dict[str, Any], Block, bytes]] | None) -> None:
        run = self.connection.execute
        version = run("PRAGMA user_version").fetchone()[0]
        tables = run("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and version == 0:  # another process may just have made it, in one commit
            version = run("PRAGMA user_version").fetchone()[0]
        if version == 0:
            if tables or create is None or not self._is_blank():
                raise foreign(self.path)
            self._create(create)
        elif run("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise foreign(self.path)
        elif version < SCHEMA_VERSION:
            raise ConfigError(
                f"{self.path} was written by an older twincli (schema {version}, this one writes"
                f" {SCHEMA_VERSION})",
                code="older_schema",
                hint="twin ledger upgrade; it makes a backup first",
            )
        elif version > SCHEMA_VERSION:
            raise ConfigError(
                f"{self.path} was written by a newer twincli (schema {version}, this one knows"
                f" {SCHEMA_VERSION})",
                code="newer_schema",
                hint="upgrade twincli; the file was not touched",
            )
        run(f"PRAGMA synchronous = {'FULL' if self.durable else 'NORMAL'}")
        run("PRAGMA cache_size = -4000")
        run("PRAGMA wal_autocheckpoint = 4000")

    def _is_blank(self) -> bool:
        """Say whether the file is empty but for SQLite's own beginning.

        SQLite takes a file of a few bytes for an empty one, and would write over it.
        """
        try:
            with open(self.path, "rb") as file:
                return file.read(16) in (b"", b"SQLite format 3\0")
        except OSError:
            return True  # in memory

    def set_meta(self, rows: dict[str, Any]) -> None:
        """Change what is recorded about the ledger itself, in a write transaction."""
        self.connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows.items())

    def _use_wal(self) -> None:
        """Change to WAL; SQLite does not wait by itself while another process does the same."""
        import time

        for number in range(500):
            try:
                self.connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or number == 499:
                    raise
                time.sleep(0.01)
            else:
                return

    def _create(self, create: Callable[[], tuple[dict[str, Any], Block, bytes]]) -> None:
        run = self.connection.execute
        run("PRAGMA page_size = 8192")
        run(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        self._use_wal()
        run("BEGIN IMMEDIATE")
        try:
            # Another process may have been first.
            if run("PRAGMA user_version").fetchone()[0] == 0:
                for statement in TABLES.split(";"):
                    if statement.strip():
                        run(statement)
                meta, block, tree = create()
                self.connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
                run("INSERT INTO block VALUES (?, ?, ?, ?, ?)", block)
                run("INSERT INTO tree VALUES (1, ?)", (tree,))
                run(f"PRAGMA application_id = {APPLICATION_ID}")
                run(f"PRAGMA user_version = {SCHEMA_VERSION}")
            run("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                run("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    # --- Reading --------------------------------------------------------------------------------

    def _all(self, sql: str, *arguments: Any) -> list[Any]:
        try:
            return self.connection.execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def _one(self, sql: str, *arguments: Any) -> Any:
        try:
            return self.connection.execute(sql, arguments).fetchone()
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def meta(self) -> dict[str, Any]:
        """Return what block 0 recorded."""
        return dict(self._all("SELECT name, value FROM meta"))

    def tip(self) -> Block:
        """Return the last block."""
        row = self._one("SELECT * FROM block ORDER BY height DESC LIMIT 1")
        if row is None:
            raise damaged("it has no blocks")
        return block_of(row)

    def tree(self) -> bytes:
        """Return the state of the tree at the tip."""
        row = self._one("SELECT state FROM tree")
        if row is None or not isinstance(row[0], bytes):
            raise damaged("the state of its tree is missing")
        return row[0]

    def block(self, height: int) -> Block | None:
        """Return a block, or None."""
        row = self._one("SELECT * FROM block WHERE height = ?", height)
        return row and block_of(row)

    def last_seq_at(self, time_ms: int) -> int:
        """Return the position of the last transaction committed up to a time, or 0."""
        row = self._one(
            "SELECT last_seq FROM block WHERE time_ms <= ? ORDER BY height DESC LIMIT 1", time_ms
        )
        return 0 if row is None else int(row[0])

    def blocks(self, after: int = -1) -> Iterator[Block]:
        """Yield blocks in order."""
        while rows := self._all(
            "SELECT * FROM block WHERE height > ? ORDER BY height LIMIT 1000", after
        ):
            for row in rows:
                yield block_of(row)
            after = rows[-1][0]

    def commits(
        self, after: int, count: int, size: int
    ) -> list[tuple[Block, int, list[tuple[bytes, bytes]]]]:
        """Return blocks above a height with the ids of their transactions and of those's assets.

        Args:
            after: The height.
            count: At most so many blocks.
            size: No further block once so many transactions are reached.

        Returns:
            Each block, how many transactions it holds, and the ids: of the first ``size`` if the
            first block holds more.
        """
        blocks: list[tuple[Block, int]] = []
        first = last = 0
        for row in self._all(
            "SELECT * FROM block WHERE height >= ? ORDER BY height LIMIT ?", after, count + 1
        ):
            block = block_of(row)
            if block.height <= after:
                first = last = block.last_seq
            elif not blocks or block.last_seq - first <= size:
                blocks.append((block, block.last_seq - last))
                last = block.last_seq
            else:
                break
        ids: dict[int, list[tuple[bytes, bytes]]] = {}
        for height, tx_id, asset_id in self._ids(first, min(last, first + size)):
            ids.setdefault(height, []).append((tx_id, asset_id))
        return [(block, held, ids.get(block.height, [])) for block, held in blocks]

    def ids(self, after: int, until: int) -> list[tuple[bytes, bytes]]:
        """Return the ids of transactions and of their assets, by their positions."""
        return [(tx_id, asset_id) for _, tx_id, asset_id in self._ids(after, until)]

    def _ids(self, after: int, until: int) -> list[tuple[int, bytes, bytes]]:
        return self._all(
            "SELECT tx.height, tx.id, origin.id FROM tx JOIN tx AS origin ON origin.seq = tx.asset"
            " WHERE tx.seq > ? AND tx.seq <= ? ORDER BY tx.seq",
            after,
            until,
        )

    def row(self, tx_id: bytes) -> Row | None:
        """Return a transaction by its id, or None."""
        row = self._one("SELECT * FROM tx WHERE id = ?", tx_id)
        return row and row_of(row)

    def row_at(self, seq: int) -> Row | None:
        """Return a transaction by its position, or None."""
        row = self._one("SELECT * FROM tx WHERE seq = ?", seq)
        return row and row_of(row)

    def seq(self, tx_id: bytes) -> int | None:
        """Return the position of a transaction, or None."""
        row = self._one("SELECT seq FROM tx WHERE id = ?", tx_id)
        return None if row is None else int(row[0])

    def ids_with_prefix(self, prefix: str, limit: int) -> list[bytes]:
        """Return up to ``limit`` ids that start with hex digits."""
        low = bytes.fromhex(prefix.ljust(64, "0"))
        high = bytes.fromhex(prefix.ljust(64, "f"))
        rows = self._all("SELECT id FROM tx WHERE id BETWEEN ? AND ? LIMIT ?", low, high, limit)
        return [row[0] for row in rows]

    def rows(
        self,
        *,
        asset: int | None = None,
        after: int = 0,
        until: int | None = None,
        page: int = 1000,
    ) -> Iterator[Row]:
        """Yield transactions in commit order, read in pages so that writers are not held up."""
        sql = "SELECT * FROM tx WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        fixed: tuple[int, ...] = ()
        if asset is not None:
            sql = "SELECT * FROM tx WHERE asset = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
            fixed = (asset,)
        last = MAX_SEQ if until is None else until
        while rows := self._all(sql, *fixed, after, last, page):
            yield from map(row_of, rows)
            after = rows[-1][0]

    def told(
        self, asset: int, after: int = 0
    ) -> Iterator[tuple[str, int, int, dict[int, str] | None]]:
        """Yield an asset's transactions after a position, each with all that is told about it.

        Returns:
            Body, height, the block's time in milliseconds, and by output index the ids of
            spenders, None for none.
        """
        while page := self._all(
            "SELECT seq, body, height, time_ms FROM tx JOIN block USING (height)"
            " WHERE asset = ? AND seq > ? ORDER BY seq LIMIT 1000",
            asset,
            after,
        ):
            first, last = page[0][0], page[-1][0]
            spenders: dict[int, dict[int, str]] = {}
            for seq, index, tx_id in self._spender_ids(asset, first, last, len(page)):
                spenders.setdefault(seq, {})[index] = tx_id.hex()
            for seq, body, height, time_ms in page:
                yield body, height, time_ms, spenders.get(seq)
            after = last

    def _spender_ids(
        self, asset: int, first: int, last: int, count: int
    ) -> list[tuple[int, int, bytes]]:
        """Return position, output index and spender's id of an asset's spent outputs.

        Args:
            asset: Its position.
            first: Position of the first of its transactions to look at.
            last: Position of the last one.
            count: How many there are.
        """
        if last - first < 3 * count:
            # Few others in between: to read theirs as well is faster than to look up whose it is.
            return self._all(
                "SELECT spent.seq, output_index, id FROM spent JOIN tx ON tx.seq = by_seq"
                " WHERE spent.seq BETWEEN ? AND ?",
                first,
                last,
            )
        return self._all(
            "SELECT tx.seq, output_index, later.id FROM tx JOIN spent ON spent.seq = tx.seq"
            " JOIN tx AS later ON later.seq = by_seq"
            " WHERE tx.asset = ? AND tx.seq BETWEEN ? AND ?",
            asset,
            first,
            last,
        )

    def corrections(self, asset: int) -> list[str]:
        """Return the bodies of those transactions of an asset that may correct others, in order."""
        # The condition is that of the index tx_corrects, to the letter.
        rows = self._all(
            "SELECT body FROM tx WHERE asset = ? AND instr(body, '\"corrects\":') ORDER BY seq",
            asset,
        )
        return [row[0] for row in rows]

    def leaves(self, until: int) -> Iterator[tuple[int, bytes, int]]:
        """Yield position, id and height of transactions in commit order, without their bodies."""
        after = 0
        while rows := self._all(
            "SELECT seq, id, height FROM tx WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT 10000",
            after,
            until,
        ):
            yield from rows
            after = rows[-1][0]

    def last_row(self, asset: int) -> Row | None:
        """Return the last transaction of an asset."""
        row = self._one("SELECT * FROM tx WHERE asset = ? ORDER BY seq DESC LIMIT 1", asset)
        return row and row_of(row)

    def count(self, asset: int) -> int:
        """Return how many transactions an asset has."""
        return int(self._one("SELECT count(*) FROM tx WHERE asset = ?", asset)[0])

    def assets(self, after: int = 0) -> Iterator[int]:
        """Yield the positions of all CREATEs, in order."""
        while rows := self._all(
            "SELECT DISTINCT asset FROM tx WHERE asset > ? ORDER BY asset LIMIT 1000",
            after,
        ):
            for (seq,) in rows:
                yield seq
            after = rows[-1][0]

    def spender(self, seq: int, output_index: int) -> int | None:
        """Return the position of the transaction that spent an output, or None."""
        row = self._one(
            "SELECT by_seq FROM spent WHERE seq = ? AND output_index = ?",
            seq,
            output_index,
        )
        return None if row is None else int(row[0])

    def spenders(self, seq: int) -> dict[int, int]:
        """Return for each spent output of a transaction the position of its spender."""
        return dict(self._all("SELECT output_index, by_seq FROM spent WHERE seq = ?", seq))

    def spent_among(self, refs: list[tuple[int, int]]) -> set[tuple[int, int]]:
        """Return which of some outputs, given in order, are spent."""
        if _is_dense([seq for seq, _ in refs]):
            rows = self._all(
                "SELECT seq, output_index FROM spent WHERE seq BETWEEN ? AND ?",
                refs[0][0],
                refs[-1][0],
            )
            return set(rows)
        return {ref for ref in refs if self.spender(*ref) is not None}

    def ids_of(self, seqs: list[int]) -> dict[int, bytes]:
        """Return the ids of the transactions at some positions, given in order."""
        if _is_dense(seqs):
            sql = "SELECT seq, id FROM tx WHERE seq BETWEEN ? AND ?"
            return dict(self._all(sql, seqs[0], seqs[-1]))
        return {seq: self._one("SELECT id FROM tx WHERE seq = ?", seq)[0] for seq in seqs}

    def spenders_between(self, first: int, last: int) -> dict[tuple[int, int], int]:
        """Return the spenders of outputs of the transactions from ``first`` to ``last``."""
        rows = self._all("SELECT * FROM spent WHERE seq BETWEEN ? AND ?", first, last)
        return {(seq, index): by_seq for seq, index, by_seq in rows}

    def nth(self, asset: int, number: int) -> int:
        """Return the position of an asset's transaction number ``number``, from 1."""
        sql = "SELECT seq FROM tx WHERE asset = ? ORDER BY seq LIMIT 1 OFFSET ?"
        return int(self._one(sql, asset, number - 1)[0])

    def unspent(self, asset: int) -> list[tuple[int, int]]:
        """Return the unspent outputs of an asset as (seq, output index), oldest first."""
        return self._all(
            "SELECT seq, output_index FROM unspent WHERE asset = ? ORDER BY seq, output_index",
            asset,
        )

    def once(self, asset: int, token: str) -> list[tuple[str, int]]:
        """Return who signed appends with a once token, and their positions."""
        return self._all(
            "SELECT signers, seq FROM once WHERE asset = ? AND token = ? ORDER BY seq", asset, token
        )

    def counts(self) -> dict[str, int]:
        """Return how many transactions and assets there are."""
        transactions = self._one("SELECT max(seq) FROM tx")[0] or 0
        assets = self._one("SELECT count(*) FROM (SELECT DISTINCT asset FROM tx)")[0]
        return {"transactions": transactions, "assets": assets}

    def tallies(self) -> Tallies:
        """Count what the tables hold."""
        return Tallies(
            *self._one(
                """
                SELECT
                    (SELECT ifnull(max(seq), 0) FROM tx),
                    (SELECT count(*) FROM spent),
                    (SELECT count(*) FROM unspent),
                    (
                        SELECT count(*) FROM unspent AS u LEFT JOIN tx USING (seq)
                        WHERE tx.asset IS NOT u.asset
                        OR EXISTS (
                            SELECT 1 FROM spent AS s
                            WHERE s.seq = u.seq AND s.output_index = u.output_index
                        )
                        OR (
                            json_valid(body)
                            AND output_index >= json_array_length(body, '$.outputs')
                        )
                    ),
                    (SELECT count(*) FROM once)
                """
            )
        )

    def faults(self) -> list[str]:
        """Return what is wrong with the file: pages, indexes, and what would run on its own.

        At most ten of the first. A trigger acts whenever somebody writes, and no ledger has one.
        """
        found = [row[0] for row in self._all("PRAGMA integrity_check(10)")]
        foreign = "SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index')"
        return [
            *(fault for fault in found if fault != "ok"),
            *(f"it has a {kind}, {name}" for kind, name in self._all(foreign)),
        ]

    def begin_reading(self) -> None:
        """Let all reads see one moment, until ``end_reading``."""
        self._one("BEGIN")

    def end_reading(self) -> None:
        """See ``begin_reading``."""
        self._one("COMMIT")

    # --- Writing --------------------------------------------------------------------------------

    def writing(self) -> Writing:
        """Return a context in which this process is the only writer."""
        if not self._has_written:
            # Ids are random, so that rows of their index go anywhere; readers, of whom a node has
            # several, have the system's cache.
            self.connection.execute("PRAGMA cache_size = -64000")
            self._has_written = True
        return Writing(self)

    def insert(self, batch: Batch, block: Block) -> None:
        """Write a block. Only inside ``writing()``."""
        many = self.connection.executemany
        many("INSERT INTO tx VALUES (?, ?, ?, ?, ?)", batch.txs)
        first = batch.txs[0][0] if batch.txs else 0
        many("INSERT INTO spent VALUES (?, ?, ?)", batch.spent)
        old = [(seq, index) for seq, index, _ in batch.spent if seq < first]
        if old:
            assets = {row[0]: row[2] for row in batch.txs}
            by = {(seq, index): assets[by_seq] for seq, index, by_seq in batch.spent}
            many(
                "DELETE FROM unspent WHERE asset = ? AND seq = ? AND output_index = ?",
                [(by[key], *key) for key in old],
            )
        many(
            "INSERT INTO unspent VALUES (?, ?, ?)",
            [(asset, seq, index) for (seq, index), asset in batch.unspent.items()],
        )
        if batch.once:
            many("INSERT OR IGNORE INTO once VALUES (?, ?, ?, ?)", batch.once)
        self.connection.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?)", block)
        self.connection.execute("UPDATE tree SET state = ?", (batch.tree,))


class Writing:
    """A write transaction: commits on leaving, rolls back on an exception."""

    __slots__ = ("store",)

    def __init__(self, store: Store) -> None:
        self.store = store

    def __enter__(self) -> None:
        try:
            self.store.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise translate(error, self.store.path) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        connection = self.store.connection
        if error is None:
            try:
                connection.execute("COMMIT")
            except sqlite3.Error as failure:
                self._rollback()
                raise translate(failure, self.store.path) from failure
            return
        self._rollback()
        if isinstance(error, sqlite3.Error):
            raise translate(error, self.store.path) from error

    def _rollback(self) -> None:
        connection = self.store.connection
        if connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except sqlite3.Error as failure:  # SQLite may have rolled back by itself
                if connection.in_transaction:
                    raise translate(failure, self.store.path) from failure


def _is_dense(seqs: list[int]) -> bool:
    """Say whether reading all from the first to the last is cheaper than one by one."""
    return bool(seqs) and seqs[-1] - seqs[0] <= 8 * len(seqs)


def engine() -> tuple[str, str | None]:
    """Return SQLite's version, and why full text search does not work or None."""
    try:
        connection = sqlite3.connect(":memory:")
        try:
            connection.execute("CREATE VIRTUAL TABLE probe USING fts5 (body)")
        finally:
            connection.close()
    except sqlite3.Error as error:
        return sqlite3.sqlite_version, str(error)
    return sqlite3.sqlite_version, None


def backup(source: str, target: str) -> None:
    """Copy a ledger file while it may be in use, complete to one moment.

    Raises:
        ConfigError: ``disk_full``, ``read_only``, ``damaged_ledger``.
    """
    try:
        reading = sqlite3.connect(source, timeout=BUSY_SECONDS)
        try:
            writing = sqlite3.connect(target)
            try:
                reading.backup(writing)
            finally:
                writing.close()
        finally:
            reading.close()
    except sqlite3.Error as error:
        raise translate(error, target) from error
