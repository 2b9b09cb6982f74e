"""The ledger's file: the only SQL that touches ``ledger.db``.

Facts only; what can be derived lives in ``index.db`` (``index.py``). SQLite in WAL mode with
``synchronous=FULL``: a commit that returned survives kill -9 and power loss. Everything refers to
transactions by ``seq``, their position on the ledger from 1; the id is the one random index.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import suppress

from twincli import database, files
from twincli.errors import ConfigError, NotFoundError
from twincli.ledger.faults import SQL_ERRORS, damaged, foreign, translate
from twincli.ledger.rows import Row, Tallies, block_of, row_of
from twincli.ledger.schema import APPLICATION_ID, SCHEMA_VERSION, statements
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from twincli.ledger.log import Fault
    from twincli.ledger.rows import Batch, Block, PrimaryId

BUSY_SECONDS = 60.0
CHECKPOINT_PAGES = 4000
MAX_SEQ = 2**63 - 1

_PAGE_BYTES = 8 << 20
_BLOCKS = "SELECT height, time_ms, last_seq, app_hash, root FROM block"
_TXS = "SELECT seq, id, asset, height, body FROM tx"

Beginning = tuple["dict[str, Any]", "Block", bytes]
"""What a ledger begins with: its meta rows, block 0 and the state of its tree."""


class Store:
    """An open ``ledger.db``.

    Args:
        path: File name, or ``:memory:``.
        create: Called for a new file, while no other process can make it; returns its meta rows,
            block 0 and the tree. None: a missing file is an error.
        read_only: Write nothing, not even beside the file.
        durable: False: a power loss may take the last commits, for what can be fetched again.

    Attributes:
        writable: Whether something may be written, to the file and beside it.
        version: Of the schema. An older one is read, and written once it is upgraded.
        is_together: Whether a write transaction is a part of a longer one, see ``Together``.
    """

    version = SCHEMA_VERSION

    writable = True
    is_together = False
    _has_written = False
    _is_new = False
    _copy: str | None = None

    def __init__(
        self,
        path: str,
        *,
        create: Callable[[], Beginning] | None = None,
        read_only: bool = False,
        durable: bool = True,
    ) -> None:
        self.path = path
        self.durable = durable
        self.connection: sqlite3.Connection
        if path != ":memory:":
            if create is None and not os.path.exists(path):
                raise NotFoundError(f"there is no ledger at {path}", code="no_ledger")
            self.writable = not read_only and database.may_write(path)
        try:
            if create is not None and self.writable:
                self._is_new = self._make(create)
            else:
                self.connection = self._connect()
        except SQL_ERRORS as error:
            raise translate(error, path) from error
        try:
            self._prepare()
        except SQL_ERRORS as error:
            self.close()
            raise translate(error, path) from error
        except BaseException:
            self.close()
            raise

    def _make(self, create: Callable[[], Beginning]) -> bool:
        """Open the file, made if it is missing; say whether this process made it."""
        if self.path == ":memory:":
            self.connection = self._connect()
            _lay_out(self.connection, create())
            return True
        is_new = False
        if database.is_blank(self.path):
            # Between here and the file's name no other process begins a ledger.
            with files.held(os.path.dirname(os.path.abspath(self.path))):
                if database.is_blank(self.path):
                    beginning = create()
                    with database.new_file(self.path, mode=0o644, page_size=8192) as made:
                        _lay_out(made, beginning)
                    is_new = True
        self.connection = self._connect()
        return is_new

    def _connect(self) -> sqlite3.Connection:
        if self.path == ":memory:":
            return sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        uri = database.uri(self.path)
        if not self.writable:
            if database.has_log(self.path):
                self._copy = database.copied(self.path)
                uri = database.uri(self._copy)
            else:
                # Nobody writes here, or all that was written is in the file.
                uri += "?mode=ro&immutable=1"
        return sqlite3.connect(
            uri,
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    def _prepare(self) -> None:
        run = self.connection.execute
        version = run("PRAGMA user_version").fetchone()[0]
        if version == 0 or run("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise foreign(self.path)
        self.version = version
        if version > SCHEMA_VERSION:
            raise ConfigError(
                f"{self.path} was written by a newer twincli (schema {version}, this one knows"
                f" {SCHEMA_VERSION})",
                code="newer_schema",
                hint="upgrade twincli; the file was not touched",
            )
        run(f"PRAGMA synchronous = {self._synchronous}")
        run("PRAGMA cache_size = -4000")
        run(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")

    @property
    def opened_path(self) -> str:
        """The file that is read: this one, or its private copy."""
        return self._copy or self.path

    @property
    def is_shared(self) -> bool:
        """Whether SQLite keeps this process and others apart, at ``opened_path``."""
        return self.writable or self._copy is not None

    @property
    def _synchronous(self) -> str:
        return "FULL" if self.durable else "NORMAL"

    def set_meta(self, rows: dict[str, Any]) -> None:
        """Change what is recorded about the ledger itself, in a write transaction."""
        self.connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows.items())

    def checkpoint(self) -> None:
        """Move the log into the file, so that ``ledger.db`` alone is the whole ledger.

        Where another process is reading just now, some of it may stay in the log.
        """
        if self.path == ":memory:" or not self.writable:
            return
        try:
            database.checkpoint(self.connection)
        except SQL_ERRORS as error:
            raise translate(error, self.path) from error

    def close(self) -> None:
        """Close the file. A short log stays, as moving it into the file costs three syncs."""
        if self.path == ":memory:" or not self.writable:
            self.connection.close()
        else:
            database.close(self.connection, self.path)
        if self._copy is not None:
            database.drop_copy(self._copy)
            self._copy = None

    # --- Reading --------------------------------------------------------------------------------

    def _all(self, sql: str, *arguments: Any) -> list[Any]:
        try:
            return self.connection.execute(sql, arguments).fetchall()
        except SQL_ERRORS as error:
            raise translate(error, self.path) from error

    def _one(self, sql: str, *arguments: Any) -> Any:
        try:
            return self.connection.execute(sql, arguments).fetchone()
        except SQL_ERRORS as error:
            raise translate(error, self.path) from error

    def meta(self) -> dict[str, Any]:
        """Return what block 0 recorded."""
        return dict(self._all("SELECT name, value FROM meta"))

    def tip(self) -> Block:
        """Return the last block."""
        row = self._one(f"{_BLOCKS} ORDER BY height DESC LIMIT 1")
        if row is None:
            raise damaged("it has no blocks")
        return block_of(row)

    def tree(self) -> bytes:
        """Return the state of the tree at the tip."""
        if self.version == 1:
            row = self._one("SELECT state, NULL, NULL FROM tree")
        else:
            row = self._one("SELECT state, height, (SELECT max(height) FROM block) FROM tree")
        if row is None or not isinstance(row[0], bytes):
            raise damaged("the state of its tree is missing")
        if row[1] != row[2]:
            raise damaged(f"its last block is {row[2]}, but its tree ends with block {row[1]}")
        return row[0]

    def block(self, height: int) -> Block | None:
        """Return a block, or None."""
        row = self._one(f"{_BLOCKS} WHERE height = ?", height)
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
            f"{_BLOCKS} WHERE height > ? ORDER BY height LIMIT 1000",
            after,
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
            count: At most this many blocks.
            size: No further block once this many transactions are reached.

        Returns:
            Each block, how many transactions it holds, and the ids: of the first ``size`` if the
            first block holds more.
        """
        blocks: list[tuple[Block, int]] = []
        first = last = 0
        for row in self._all(
            f"{_BLOCKS} WHERE height >= ? ORDER BY height LIMIT ?",
            after,
            count + 1,
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

    def leaves_between(self, after: int, until: int) -> list[tuple[int, int, bytes]]:
        """Return what the tree has of transactions, by their positions: height, time and id."""
        return self._all(
            "SELECT height, time_ms, id FROM tx JOIN block USING (height)"
            " WHERE seq > ? AND seq <= ? ORDER BY seq",
            after,
            until,
        )

    def _ids(self, after: int, until: int) -> list[tuple[int, bytes, bytes]]:
        return self._all(
            "SELECT tx.height, tx.id, origin.id FROM tx JOIN tx AS origin ON origin.seq = tx.asset"
            " WHERE tx.seq > ? AND tx.seq <= ? ORDER BY tx.seq",
            after,
            until,
        )

    def row(self, tx_id: bytes) -> Row | None:
        """Return a transaction by its id, or None."""
        row = self._one(f"{_TXS} WHERE id = ?", tx_id)
        return row and row_of(row)

    def row_at(self, seq: int) -> Row | None:
        """Return a transaction by its position, or None."""
        row = self._one(f"{_TXS} WHERE seq = ?", seq)
        return row and row_of(row)

    def require(self, seq: int, tx_id: str, noted_in: str) -> None:
        """Check that a transaction that was committed is still there.

        Args:
            seq: Its position.
            tx_id: Its id.
            noted_in: The file that says so.

        Raises:
            ConfigError: ``damaged_ledger``.
        """
        row = self.row_at(seq)
        if row is not None and row.id.hex() == tx_id:
            return
        missing = seq - self.tip().last_seq
        if missing > 0:
            gone = "transaction is" if missing == 1 else "transactions are"
            what = f"it was longer: {missing} {gone} missing"
        else:
            what = f"transaction {seq} is not the one that was committed"
        error = damaged(what)
        error.hint = (
            f"put {os.path.basename(self.path)}{database.LOG} back, or restore a backup; to"
            f" continue without the missing part: rm {noted_in}"
        )
        raise error

    def seq(self, tx_id: bytes) -> int | None:
        """Return the position of a transaction, or None."""
        row = self._one("SELECT seq FROM tx WHERE id = ?", tx_id)
        if row is not None and row[0].__class__ is not int:
            raise damaged("a transaction has no position")
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
        sql = f"{_TXS} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        fixed: tuple[int, ...] = ()
        if asset is not None:
            sql = f"{_TXS} WHERE asset = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
            fixed = (asset,)
        last = MAX_SEQ if until is None else until
        while rows := self._all(sql, *fixed, after, last, page):
            yield from map(row_of, rows)
            after = rows[-1][0]

    def told(
        self, asset: int, after: int = 0
    ) -> Iterator[tuple[str, str, int, int, dict[int, str] | None]]:
        """Yield an asset's transactions after a position, each with everything recorded about it.

        Returns:
            Id, body, height, the block's time in milliseconds, and by output index the ids of
            spenders, None if unspent.
        """
        count = 64
        while page := self._all(
            "SELECT seq, id, body, height, time_ms FROM tx LEFT JOIN block USING (height)"
            " WHERE asset = ? AND seq > ? ORDER BY seq LIMIT ?",
            asset,
            after,
            count,
        ):
            # Pages of some megabytes: transactions may be large.
            held = sum(len(row[2]) for row in page)
            count = max(8, min(1000, len(page) * _PAGE_BYTES // max(held, 1)))
            first, last = page[0][0], page[-1][0]
            spenders: dict[int, dict[int, str]] = {}
            for seq, index, by_id in self._spender_ids(asset, first, last, len(page)):
                spenders.setdefault(seq, {})[index] = by_id.hex()
            for seq, tx_id, body, height, time_ms in page:
                if time_ms is None:
                    raise damaged(f"there is no block {height}")
                yield tx_id.hex(), body, height, time_ms, spenders.get(seq)
            after = last

    def _spender_ids(
        self, asset: int, first: int, last: int, count: int
    ) -> list[tuple[int, int, bytes]]:
        """Return position, output index and spender's id of an asset's spent outputs.

        Args:
            asset: Its position.
            first: Position of the first of its transactions to look at.
            last: Position of the last one.
            count: The amount, for things that are counted.
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

    def corrections(self, asset: int, until: int = MAX_SEQ) -> list[Row]:
        """Return those transactions of an asset that may correct others, in order."""
        # The condition is that of the index tx_corrects, to the letter.
        rows = self._all(
            f"{_TXS} WHERE asset = ? AND instr(body, '\"corrects\":') AND seq <= ? ORDER BY seq",
            asset,
            until,
        )
        return list(map(row_of, rows))

    def corrections_size(self, asset: int) -> int:
        """Return the length of what ``corrections`` returns."""
        row = self._one(
            "SELECT sum(length(body)) FROM tx WHERE asset = ? AND instr(body, '\"corrects\":')",
            asset,
        )
        return (row and row[0]) or 0

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

    def touched(self, after: int, until: int) -> list[int]:
        """Return the assets of the transactions in a range, in order of their CREATEs."""
        sql = "SELECT DISTINCT asset FROM tx WHERE seq > ? AND seq <= ? ORDER BY asset"
        return [row[0] for row in self._all(sql, after, until)]

    def spans(self, assets: list[int], most: int) -> list[tuple[int, int, int]]:
        """Return assets, the positions of their last transactions, and how many they have.

        Args:
            assets: Their positions.
            most: Count no further than this.
        """
        return self._all(
            "SELECT value, (SELECT max(seq) FROM tx WHERE asset = value),"
            " (SELECT count(*) FROM (SELECT 1 FROM tx WHERE asset = value LIMIT ?))"
            " FROM json_each(?)",
            most,
            json.dumps(assets),
        )

    def histories(self, assets: list[int]) -> list[Row]:
        """Return all transactions of some assets, those of an asset together and in order."""
        rows = self._all(
            f"{_TXS} WHERE asset IN (SELECT value FROM json_each(?)) ORDER BY asset, seq",  # noqa: S608
            json.dumps(assets),
        )
        return list(map(row_of, rows))

    def last_row(self, asset: int) -> Row | None:
        """Return the last transaction of an asset."""
        row = self._one(
            f"{_TXS} WHERE asset = ? ORDER BY seq DESC LIMIT 1",
            asset,
        )
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

    def newest_assets(self, count: int, before: int | None = None) -> Iterator[int]:
        """Yield the positions of the last CREATEs, backwards."""
        for _ in range(count):
            # One step in the index each, however long the histories are.
            if before is None:
                row = self._one("SELECT max(asset) FROM tx")
            else:
                row = self._one("SELECT max(asset) FROM tx WHERE asset < ?", before)
            before = row[0] if row else None
            if before is None:
                return
            yield before

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
        rows = self._all(
            "SELECT seq, output_index, by_seq FROM spent WHERE seq BETWEEN ? AND ?", first, last
        )
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

    def unspent_of(self, assets: list[int]) -> list[tuple[int, int, int]]:
        """Return the unspent outputs of some assets as (asset, seq, output index), oldest first."""
        return self._all(
            "SELECT asset, seq, output_index FROM unspent"
            " WHERE asset IN (SELECT value FROM json_each(?)) ORDER BY asset, seq, output_index",
            json.dumps(assets),
        )

    def assets_at(self, seqs: list[int]) -> set[int]:
        """Return the assets of the transactions at some positions."""
        rows = self._all(
            "SELECT asset FROM tx WHERE seq IN (SELECT value FROM json_each(?))", json.dumps(seqs)
        )
        return {row[0] for row in rows}

    def ids_at(self, seqs: list[int]) -> list[str]:
        """Return the ids of the transactions at some positions, given in order."""
        rows = self._all(
            "SELECT lower(hex(id)) FROM tx WHERE seq IN (SELECT value FROM json_each(?))"
            " ORDER BY seq",
            json.dumps(seqs),
        )
        return [row[0] for row in rows]

    def seqs_of(self, tx_ids: list[str]) -> dict[str, int]:
        """Return the positions of transactions, leaving out those that are not there."""
        found: dict[str, int] = {}
        for start in range(0, len(tx_ids), 500):
            ids = [bytes.fromhex(tx_id) for tx_id in tx_ids[start : start + 500]]
            marks = ",".join("?" * len(ids))
            rows = self._all(f"SELECT id, seq FROM tx WHERE id IN ({marks})", *ids)  # noqa: S608
            found.update((tx_id.hex(), seq) for tx_id, seq in rows)
        return found

    def rows_at(self, seqs: list[int]) -> list[Row]:
        """Return the transactions at some positions, in order."""
        rows = self._all(
            "SELECT * FROM tx WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq",
            json.dumps(seqs),
        )
        return [row_of(row) for row in rows]

    def heights(self, seqs: list[int]) -> dict[int, int]:
        """Return the heights of the blocks of the transactions at some positions."""
        return dict(
            self._all(
                "SELECT seq, height FROM tx WHERE seq IN (SELECT value FROM json_each(?))",
                json.dumps(seqs),
            )
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
        return [*(fault for fault in found if fault != "ok"), *self.strange_parts()]

    def log_fault(self) -> Fault | None:
        """Return what is wrong with the log beside the file, which SQLite passes over."""
        from twincli.ledger import log

        return log.fault(self.path + database.LOG)

    def strange_parts(self) -> list[str]:
        """Return which tables, indexes and triggers are missing, altered or unexpected."""
        wanted = {}
        for sql in statements(self.version):
            kind, name = sql.removeprefix("CREATE ").removeprefix("UNIQUE ").split()[:2]
            wanted[kind.lower(), name] = sql
        held = {
            (kind, name): sql
            for kind, name, sql in self._all("SELECT type, name, sql FROM sqlite_master")
            if sql is not None  # not the indexes that SQLite makes by itself
        }
        return [
            *(f"its {kind} {name} is missing" for kind, name in wanted.keys() - held.keys()),
            *(f"it has an unexpected {kind}, {name}" for kind, name in held.keys() - wanted.keys()),
            *(
                f"its {kind} {name} was altered"
                for kind, name in held.keys() & wanted.keys()
                if held[kind, name] != wanted[kind, name]
            ),
        ]

    def wrong_primary_ids(self) -> int:
        """Return how many identifiers are recorded without a CREATE."""
        if self.version == 1:
            return 0
        return int(
            self._one(
                "SELECT count(*) FROM primary_id LEFT JOIN tx USING (seq)"
                " WHERE tx.asset IS NOT primary_id.seq"
            )[0]
        )

    def primary_id(self, identity: PrimaryId) -> int | None:
        """Return the position of the CREATE that has an identifier, or None."""
        row = self._one(
            "SELECT seq FROM primary_id WHERE family = ? AND identifier = ? AND controller = ?",
            *identity,
        )
        return None if row is None else int(row[0])

    def identified(self, identifier: str) -> list[int]:
        """Return the positions of the CREATEs that have an identifier, whatever their template."""
        if self.version == 1:
            return []
        sql = "SELECT seq FROM primary_id WHERE identifier = ? ORDER BY seq"
        return [row[0] for row in self._all(sql, identifier)]

    def keep_primary_id(self, identity: PrimaryId, asset: int) -> None:
        """Let a twin have an identifier that is free, and no other. Only inside ``writing()``."""
        self.connection.execute("DELETE FROM primary_id WHERE seq = ?", (asset,))
        self.connection.execute("INSERT INTO primary_id VALUES (?, ?, ?, ?)", (*identity, asset))

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

    def begin(self) -> None:
        """Become the only writer."""
        run = self.connection.execute
        if self._is_new and self.path != ":memory:":
            # SQLite would sync the head of the log, the directory and the commit one by one.
            database.relax(self.connection)
        run("BEGIN IMMEDIATE")

    def begin_part(self, name: str) -> None:
        """Begin a part of a write transaction, which can be undone by itself.

        Raises:
            ConfigError: ``cannot_write``: SQLite has ended the transaction, on a full disk.
        """
        if not self.connection.in_transaction:  # by itself it would be committed
            raise ConfigError(
                f"{self.path}: writing failed, and nothing of it was recorded",
                code="cannot_write",
                hint="is the disk full?",
            )
        self.connection.execute(f"SAVEPOINT {name}")

    def commit(self) -> None:
        """End what ``begin`` began; durable when this returns."""
        run = self.connection.execute
        run("COMMIT")
        if self._is_new and self.path != ":memory:":
            if self.durable:
                database.sync(self.path + database.LOG)
                files.sync_directory(os.path.dirname(self.path))
            self._is_new = False
            run(f"PRAGMA synchronous = {self._synchronous}")
            run(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")

    def insert(self, batch: Batch, blocks: Sequence[Block]) -> None:
        """Write blocks. Only inside ``writing()``."""
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
        many("INSERT INTO block VALUES (?, ?, ?, ?, ?)", blocks)
        tree = (batch.tree, blocks[-1].height)
        self.connection.execute("UPDATE tree SET state = ?, height = ?", tree)
        for asset in batch.moved:  # to another family: what it had is free again
            self.connection.execute("DELETE FROM primary_id WHERE seq = ?", (asset,))
        many("INSERT INTO primary_id VALUES (?, ?, ?, ?)", batch.primary)


class Writing:
    """A write transaction: commits on leaving, rolls back on an exception.

    As a part of a longer one it is only undone by itself.
    """

    __slots__ = ("store",)

    def __init__(self, store: Store) -> None:
        self.store = store

    def __enter__(self) -> None:
        store = self.store
        if store.is_together:
            store.begin_part("part")
            return
        if not store.writable:
            raise ConfigError(
                f"{store.path} cannot be written",
                code="read_only",
                hint="check the permissions of the file and its directory",
            )
        if store.version < SCHEMA_VERSION:
            raise ConfigError(
                f"{store.path} was written by an older twincli (schema {store.version}, this one"
                f" writes {SCHEMA_VERSION})",
                code="older_schema",
                hint="twin ledger upgrade; it makes a backup first",
            )
        try:
            store.begin()
        except SQL_ERRORS as error:
            raise translate(error, store.path) from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.store.is_together:
            run = self.store.connection.execute
            if error is not None and self.store.connection.in_transaction:
                run("ROLLBACK TO part")
            if self.store.connection.in_transaction:
                run("RELEASE part")
            if isinstance(error, SQL_ERRORS):
                raise translate(error, self.store.path) from error
            return
        if error is None:
            try:
                self.store.commit()
            except SQL_ERRORS as failure:
                self._rollback()
                raise translate(failure, self.store.path) from failure
            return
        self._rollback()
        if isinstance(error, SQL_ERRORS):
            raise translate(error, self.store.path) from error

    def _rollback(self) -> None:
        connection = self.store.connection
        if connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except SQL_ERRORS as failure:  # SQLite may have rolled back by itself
                if connection.in_transaction:
                    raise translate(failure, self.store.path) from failure


def _lay_out(connection: sqlite3.Connection, beginning: Beginning) -> None:
    """Make the tables of a new ledger, in one transaction."""
    run = connection.execute
    meta, block, tree = beginning
    run("BEGIN")
    for statement in statements():
        run(statement)
    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    run("INSERT INTO block VALUES (?, ?, ?, ?, ?)", block)
    run("INSERT INTO tree VALUES (1, ?, ?)", (tree, block.height))
    run(f"PRAGMA application_id = {APPLICATION_ID}")
    run(f"PRAGMA user_version = {SCHEMA_VERSION}")
    run("COMMIT")


def _is_dense(seqs: list[int]) -> bool:
    """Say whether reading all from the first to the last is cheaper than one by one."""
    return bool(seqs) and seqs[-1] - seqs[0] <= 8 * len(seqs)


def engine() -> tuple[str, str | None]:
    """Return SQLite's version, and why full text search does not work, or None."""
    try:
        connection = sqlite3.connect(":memory:")
        try:
            connection.execute("CREATE VIRTUAL TABLE probe USING fts5 (body)")
        finally:
            connection.close()
    except SQL_ERRORS as error:
        return sqlite3.sqlite_version, str(error)
    return sqlite3.sqlite_version, None


def backup(source: str, target: str) -> None:
    """Copy a ledger file while it may be in use, complete to one moment.

    Afterwards the source's log is in its file, too, where nobody is reading it.

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
            with suppress(sqlite3.Error):  # the copy is whole, wherever the source has its log
                database.checkpoint(reading)
        finally:
            reading.close()
    except SQL_ERRORS as error:
        raise translate(error, target) from error
