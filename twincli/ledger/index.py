"""The index: everything that can be derived from the ledger, in ``index.db``.

Written without fsync and caught up when it is read, so that it costs an append nothing. Lost,
damaged or left behind by another ledger, it is rebuilt.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager
from functools import partial
from itertools import islice

from twincli.crypto import canonical, conditions
from twincli.errors import ConfigError, TwinError, UsageError
from twincli.ledger import field_table, lost
from twincli.ledger import said as _said
from twincli.ledger.faults import DATABASE_ERRORS, SQL_ERRORS, damaged, translate
from twincli.model import links, record, words
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from twincli.ledger.rows import Row
    from twincli.ledger.store import Store

INDEX_VERSION = 17
PAGE = 2000
TEXTS = ("asset_text", "metadata_text")

_SCHEMA = """
CREATE TABLE mark (
    ledger TEXT NOT NULL, seq INTEGER NOT NULL, id BLOB NOT NULL, digest TEXT NOT NULL
);
CREATE TABLE public_key (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE output (
    public_key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    output_index INTEGER NOT NULL,
    PRIMARY KEY (public_key, seq, output_index)
) WITHOUT ROWID;
CREATE TABLE stated (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (name, value, seq)
) WITHOUT ROWID;
CREATE TABLE tally (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    count INTEGER NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (name, value)
) WITHOUT ROWID;
CREATE TABLE state (
    asset INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    document TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE TABLE snapshot (
    asset INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    head TEXT NOT NULL,
    digest TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (asset, seq, kind)
);
CREATE TABLE note (
    kind TEXT NOT NULL,
    asset INTEGER NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (kind, asset)
) WITHOUT ROWID;
CREATE TABLE tile (
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, number)
);
CREATE TABLE place (seq INTEGER PRIMARY KEY, height INTEGER NOT NULL, time INTEGER);
CREATE INDEX place_by_height ON place (height) WHERE time IS NOT NULL;
CREATE VIRTUAL TABLE asset_text USING fts5 (
    body, numbers, content = '', tokenize = 'ascii'
);
CREATE VIRTUAL TABLE metadata_text USING fts5 (
    body, numbers, content = '', tokenize = 'ascii'
);
"""

# Stands between two values, so that a phrase never runs from one into the next. It is a word to
# the index (`ascii` takes all beyond ASCII for letters), and `fold` gives none like it.
_BREAK = " \u00a0 "

# How many rows of `output` and `stated` there are of each kind, and the sum of their numbers, is
# kept in `tally`, and compared before such rows are believed: a page that was altered answers
# otherwise that there is no such template. Outputs have the empty name.
_OUTPUTS = (
    "SELECT count(*), sum(seq + output_index) FROM output WHERE public_key ="
    " (SELECT number FROM public_key WHERE text = :value)"
)
_STATED = "SELECT count(*), sum(seq) FROM stated WHERE name = :name AND value = :value"
_TALLY = "SELECT count, total FROM tally WHERE name = :name AND value = :value"


class Snapshot(NamedTuple):
    """What is known of a kept snapshot without its document; see ``state``.

    Attributes:
        seq: Position of the last transaction that it has taken.
        kind: ``state.NOW`` or ``state.THEN``.
        taken: How many transactions of the asset it has taken.
        last: Id of the last of them, which binds it to this history.
        fit: Names the corrected transactions that it leaves out.
        low: The earliest time that something happened since the place before.
        high: The latest.
        digest: Of the document; empty without one.
    """

    seq: int
    kind: int
    taken: int
    last: str
    fit: str
    low: int | None
    high: int | None
    digest: str

    @property
    def has_document(self) -> bool:
        """Whether the state is kept, too."""
        return bool(self.digest)


class Placed(NamedTuple):
    """Where a transaction stands on the ledger that this one is a copy of.

    Attributes:
        seq: Its position here.
        height: Of its block there.
        time_ms: Of that block, milliseconds since the epoch; None where that is not known.
    """

    seq: int
    height: int
    time_ms: int | None


class Index:
    """An open ``index.db``.

    Args:
        path: File name, or ``:memory:``.
        store: The ledger it follows.
        ledger_id: 64 hex digits; an index of another ledger is thrown away.
        is_interrupted: Asked between the batches of a catch-up, which ends when it says so.

    Attributes:
        rebuilt: How often it was rebuilt since it was opened.
        is_held: Whether changes wait for ``release``.
    """

    def __init__(
        self, path: str, store: Store, ledger_id: str, is_interrupted: Callable[[], bool]
    ) -> None:
        self.path = path if store.writable else ":memory:"
        self.store = store
        self.ledger_id = ledger_id
        self._is_interrupted = is_interrupted
        self.rebuilt = 0
        self.is_held = False
        self.connection = self._open()

    def _open(self) -> sqlite3.Connection:
        """Open the file, rebuilt if it is damaged.

        Raises:
            TwinError, ConfigError: It cannot be made, see ``faults.translate``.
        """
        import time

        is_new = False
        for _ in range(500):
            try:
                return self._connect()
            except DATABASE_ERRORS as error:
                fault = error
            if "locked" in str(fault):
                time.sleep(0.01)  # another process makes it: SQLite does not wait by itself
            elif is_new:
                break
            else:
                self._delete()
                is_new = True
        raise translate(fault, self.path) from fault

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=60, isolation_level=None, check_same_thread=False
        )
        try:
            run = connection.execute
            run("PRAGMA journal_mode = WAL")
            run("PRAGMA synchronous = OFF")
            run("PRAGMA cache_size = -4000")
            if not self._fits(connection):
                self._make(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _fits(self, connection: sqlite3.Connection) -> bool:
        """Say whether the index has this schema, belongs to this ledger and is not ahead of it.

        Raises:
            ConfigError: ``damaged_ledger``: it is ahead of a ledger that loses nothing.
        """
        if connection.execute("PRAGMA user_version").fetchone()[0] != INDEX_VERSION:
            return False
        mark = lost.read_mark(connection)
        if mark is None or mark.ledger != self.ledger_id:
            return False
        if mark.seq == 0:
            return True
        if self.store.durable:
            self.store.require(mark.seq, mark.tx_id, self.path)
            return True
        stored = self.store.row_at(mark.seq)
        return stored is not None and stored.id.hex() == mark.tx_id

    def _make(self, connection: sqlite3.Connection) -> None:
        run = connection.execute
        run("BEGIN IMMEDIATE")
        try:
            if self._fits(connection):  # another process was first, and may have filled it
                run("COMMIT")
                return
            names = run(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                " ORDER BY sql LIKE 'CREATE VIRTUAL%' DESC"
            ).fetchall()
            for (name,) in names:
                run(f'DROP TABLE IF EXISTS "{name}"')
            for statement in (_SCHEMA + _said.SCHEMA + field_table.SCHEMA).split(";"):
                if statement.strip():
                    run(statement)
            begun = lost.Mark(self.ledger_id, 0, "")
            run("INSERT INTO mark VALUES (?, 0, x'', ?)", (self.ledger_id, begun.digest))
            run(f"PRAGMA user_version = {INDEX_VERSION}")
            run("COMMIT")
        except BaseException:
            if connection.in_transaction:
                run("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def _delete(self) -> None:
        for name in (self.path, self.path + "-wal", self.path + "-shm"):
            try:
                os.unlink(name)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise ConfigError(
                    f"the index {name} is damaged and cannot be removed: {error.strerror}",
                    code="read_only",
                    hint="move it away; it is rebuilt from the ledger",
                ) from error

    def _tried(self, action: Callable[[], Any]) -> Any:
        """Run ``action``; if the index is damaged, rebuild it and run ``action`` again.

        Raises:
            TwinError, ConfigError: In use for too long, or it cannot be rebuilt.
        """
        try:
            return action()
        except DATABASE_ERRORS as error:
            if "locked" in str(error):
                raise translate(error, self.path) from error
        try:
            self.rebuild()
            return action()
        except SQL_ERRORS as error:
            raise translate(error, self.path) from error

    def rebuild(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Rebuild the index; return how many transactions it holds.

        Args:
            progress: Called after every page with how much is done, and how much there is.
        """
        self.rebuilt += 1
        self.connection.close()
        if self.path != ":memory:":
            self._delete()
        self.connection = self._open()
        if self.is_held:
            self.connection.execute("BEGIN IMMEDIATE")
        return self._follow(progress=progress)

    # --- Changes ----------------------------------------------------------------------------------

    @contextmanager
    def _changing(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Make a change whole or not at all; while the index is held, it waits for `release`."""
        run = self.connection.execute
        begin, end, undo = (
            ("SAVEPOINT change", "RELEASE change", "ROLLBACK TO change")
            if self.is_held
            else ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
        )
        run(begin)
        try:
            yield run
            run(end)
        except BaseException:
            if self.connection.in_transaction:
                run(undo)
            raise

    def hold(self) -> None:
        """Keep no change before ``release``; other processes cannot change the index meanwhile."""
        if not self.is_held:
            self._tried(partial(self.connection.execute, "BEGIN IMMEDIATE"))
            self.is_held = True

    def release(self, *, keep: bool) -> None:
        """End what `hold` began."""
        if self.is_held:
            self.is_held = False
            if self.connection.in_transaction:
                self.connection.execute("COMMIT" if keep else "ROLLBACK")

    def mark_point(self, name: str) -> int:
        """Name a point to which `undo` goes back."""
        self.connection.execute(f"SAVEPOINT {name}")
        return self.rebuilt

    def pass_point(self, name: str, marked: int) -> None:
        """Drop a point."""
        if marked == self.rebuilt:
            self.connection.execute(f"RELEASE {name}")

    def undo(self, name: str, marked: int | None) -> None:
        """Undo what was changed since a point; without one, what was changed since `hold`."""
        run = self.connection.execute
        if marked == self.rebuilt:
            run(f"ROLLBACK TO {name}")
            run(f"RELEASE {name}")
        else:
            if self.connection.in_transaction:
                run("ROLLBACK")
            run("BEGIN IMMEDIATE")

    def mark(self) -> int:
        """Return the position of the last transaction that the index holds, or 0."""
        return int(
            self._tried(lambda: self.connection.execute("SELECT seq FROM mark").fetchone())[0]
        )

    def catch_up(self) -> int:
        """Index the ledger's new transactions; return the position that the index reaches.

        Raises:
            TwinError: ``interrupted``; what was indexed stays.
        """
        return int(self._tried(self._follow))

    def follow(self, until: int) -> None:
        """Take in what the ledger holds up to a position."""
        self._tried(partial(self._follow, until))

    def _follow(
        self, until: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> int:
        run = self.connection.execute
        mark = int(run("SELECT seq FROM mark").fetchone()[0])
        if self.store.row_at(mark + 1) is None:
            return mark
        while True:
            with self._changing():
                mark = int(run("SELECT seq FROM mark").fetchone()[0])
                end = mark + PAGE if until is None else min(mark + PAGE, until)
                rows = list(self.store.rows(after=mark, until=end))
                if rows:
                    self._take(rows)
                    mark, tx_id = rows[-1].seq, rows[-1].id
                    reached = lost.Mark(self.ledger_id, mark, tx_id.hex())
                    run(
                        "UPDATE mark SET seq = ?, id = ?, digest = ?", (mark, tx_id, reached.digest)
                    )
            if progress is not None:
                progress(mark, self.store.tip().last_seq)
            if len(rows) < PAGE:
                return mark
            self.check_interrupted()

    def check_interrupted(self) -> None:
        """End a catch-up that is to end.

        Raises:
            TwinError: ``interrupted``; what was indexed stays.
        """
        if self._is_interrupted():
            raise TwinError(
                "indexing was interrupted, so the index is incomplete",
                code="interrupted",
                retryable=True,
            )

    def _take(self, rows: list[Row]) -> None:
        run, many = self.connection.execute, self.connection.executemany
        assets: list[tuple[int, str, str]] = []
        metadata: list[tuple[int, str, str]] = []
        stated: list[tuple[str, str, int]] = []
        owned: list[tuple[str, int, int]] = []
        said: list[_said.Row] = []
        for row in rows:
            tx = row.unproven_tx
            tx_id = row.id.hex()
            if tx["operation"] == "CREATE":
                assets.append((row.seq, *_searched(tx_id, tx["asset"]["data"])))
                stated += [(*pair, row.seq) for pair in record.statements(tx["asset"]["data"])]
            else:
                kind = record.kind_of(tx["metadata"])
                if kind in record.RECORD_KINDS:
                    stated.append((_of(row.asset), kind, row.seq))
            stated += [(*pair, row.seq) for pair in links.found_by(tx)]
            told = _said.row_of(tx, row.seq, partial(self._time_of, row.height))
            if told is not None:
                said.append(told)
            metadata.append((row.seq, *_searched(tx_id, tx["metadata"])))
            for index, output in enumerate(tx["outputs"]):
                keys = dict.fromkeys(output["public_keys"] or ())
                # BigchainDB finds an output by its details as well.
                keys.update(dict.fromkeys(conditions.leaf_keys(output["condition"]["details"])))
                owned += [(key, row.seq, index) for key in keys]
        many("INSERT INTO asset_text (rowid, body, numbers) VALUES (?, ?, ?)", assets)
        many("INSERT INTO metadata_text (rowid, body, numbers) VALUES (?, ?, ?)", metadata)
        stated = list(dict.fromkeys(stated))
        many("INSERT OR IGNORE INTO stated VALUES (?, ?, ?)", stated)
        many("INSERT OR IGNORE INTO said VALUES (?, ?, ?, ?, ?)", said)
        numbers: dict[str, int] = {}
        for key in dict.fromkeys(key for key, _, _ in owned):
            run("INSERT OR IGNORE INTO public_key (text) VALUES (?)", (key,))
            numbers[key] = run("SELECT number FROM public_key WHERE text = ?", (key,)).fetchone()[0]
        many(
            "INSERT OR IGNORE INTO output VALUES (?, ?, ?)",
            [(numbers[key], seq, index) for key, seq, index in owned],
        )
        tallies: dict[tuple[str, str], list[int]] = {}
        for pair, number in (
            *((("", key), seq + index) for key, seq, index in owned),
            *(((name, value), seq) for name, value, seq in stated),
            *((_said.tallied(row.twin, row.kind), row.seq) for row in said),
        ):
            tally = tallies.setdefault(pair, [0, 0])
            tally[0] += 1
            tally[1] += number
        many(
            "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET count = count + excluded.count, total = total + excluded.total",
            [(*pair, *tally) for pair, tally in tallies.items()],
        )

    def _time_of(self, height: int) -> int:
        block = self.store.block(height)
        if block is None:
            raise damaged(f"there is no block {height}")
        return block.time_ms

    def _check(self, sql: str, name: str, value: str) -> None:
        """Check that the rows of a kind are those that were written; see ``_TALLY``.

        Raises:
            sqlite3.DatabaseError: They are not, so that ``_tried`` rebuilds the index.
        """
        count, total, held, held_total = self.connection.execute(
            f"SELECT * FROM ({sql}) LEFT JOIN ({_TALLY})",  # noqa: S608
            {"name": name, "value": value},
        ).fetchone()
        if (count, total or 0) != (held or 0, held_total or 0):
            raise sqlite3.DatabaseError("entries were altered")

    def outputs(self, public_key: str) -> Iterator[list[tuple[int, int]]]:
        """Yield the outputs that name a key as (seq, output index), in commit order, in pages."""
        self._tried(partial(self._check, _OUTPUTS, "", public_key))
        last = (0, 0)
        while page := self._tried(partial(self._outputs_after, public_key, *last)):
            yield page
            last = page[-1]

    def _outputs_after(self, public_key: str, seq: int, index: int) -> list[tuple[int, int]]:
        return self.connection.execute(
            "SELECT seq, output_index FROM output WHERE public_key ="
            " (SELECT number FROM public_key WHERE text = ?) AND (seq, output_index) > (?, ?)"
            " ORDER BY seq, output_index LIMIT ?",
            (public_key, seq, index, PAGE),
        ).fetchall()

    def stated(self, name: str, value: str, after: int = 0, limit: int = -1) -> list[int]:
        """Return the positions of CREATEs that state ``name`` as ``value``; see ``record``.

        Args:
            name: What is stated.
            value: As what.
            after: Only positions above this one.
            limit: Return at most N; negative for all.
        """
        # Half a surrogate pair (from a terminal in another encoding) is in no CREATE.
        clean = value.encode("utf-8", "replace").decode()
        return [row[0] for row in self._tried(partial(self._stated, name, clean, after, limit))]

    def stated_by(self, name: str, values: Sequence[str]) -> list[tuple[str, int]]:
        """Return what states ``name`` as one of some values, in commit order.

        Args:
            name: What is stated.
            values: As what.

        Returns:
            Pairs of the value and the position.
        """
        clean = json.dumps([value.encode("utf-8", "replace").decode() for value in values])
        return list(self._tried(partial(self._stated_by, name, clean)))

    def recorded(self, asset: int, kinds: Collection[str]) -> list[int]:
        """Return the positions of an asset's records of some kinds, in commit order.

        Args:
            asset: Position of its CREATE.
            kinds: Of ``record.RECORD_KINDS``.
        """
        return [seq for _, seq in self.stated_by(_of(asset), [*kinds])]

    def _stated(self, name: str, value: str, after: int, limit: int) -> list[tuple[int]]:
        if not after:  # else it was checked with the page before
            self._check(_STATED, name, value)
        return self.connection.execute(
            "SELECT seq FROM stated WHERE name = ? AND value = ? AND seq > ? ORDER BY seq LIMIT ?",
            (name, value, after, limit),
        ).fetchall()

    def _stated_by(self, name: str, values: str) -> list[tuple[str, int]]:
        run, among = self.connection.execute, "value IN (SELECT value FROM json_each(?))"
        found: list[tuple[str, int]] = run(
            f"SELECT value, seq FROM stated WHERE name = ? AND {among} ORDER BY seq",  # noqa: S608
            (name, values),
        ).fetchall()
        tallies: dict[str, list[int]] = {}
        for value, seq in found:
            tally = tallies.setdefault(value, [0, 0])
            tally[0] += 1
            tally[1] += seq
        held = run(
            f"SELECT value, count, total FROM tally WHERE name = ? AND count <> 0 AND {among}",  # noqa: S608
            (name, values),
        )
        if tallies != {value: [count, total] for value, count, total in held}:
            raise sqlite3.DatabaseError("entries were altered")
        return found

    def said(self, asset_id: str, asked: _said.Asked) -> Iterator[list[int]]:
        """Yield the positions of records about an asset, in the order asked for, in pages."""
        tallied = _said.tallied(_said.begin_of(asset_id), asked.kind)
        self._tried(lambda: self._check(_said.COUNTED, *tallied))
        after: tuple[int, int] | None = None
        while True:
            sql, values = _said.query(asset_id, asked, after)
            page = self._tried(partial(_fetched, self, sql, values))
            yield [seq for _, seq in page]
            if asked.by_block or len(page) < _said.PAGE:
                return
            after = page[-1]

    def place(self, items: list[Placed]) -> list[int]:
        """Keep where transactions stand on the ledger that this one is a copy of.

        Returns:
            The positions of those that cannot be so, as a block of that height or one before it
            has a later time, or one after it an earlier time; of them nothing is kept.
        """
        return list(self._tried(partial(self._place, items)))

    def _place(self, items: list[Placed]) -> list[int]:
        refused = []
        with self._changing() as run:
            for item in items:
                if item.time_ms is not None and not self._has_room_for(item):
                    refused.append(item.seq)
                    continue
                run("INSERT OR REPLACE INTO place VALUES (?, ?, ?)", item)
        return refused

    def _has_room_for(self, item: Placed) -> bool:
        """Say whether a block of this height can have this time, given all that are kept."""
        run = self.connection.execute
        of_place = "SELECT height, time FROM place WHERE time IS NOT NULL AND height"
        before = run(f"{of_place} <= ? ORDER BY height DESC LIMIT 1", (item.height,)).fetchone()
        after = run(f"{of_place} >= ? ORDER BY height LIMIT 1", (item.height,)).fetchone()
        assert item.time_ms is not None
        if before is not None and before[0] == item.height:
            return bool(before[1] == item.time_ms)
        return (before is None or before[1] <= item.time_ms) and (
            after is None or item.time_ms <= after[1]
        )

    def placed(self, seq: int) -> Placed | None:
        """Return what ``place`` kept, or None."""
        row = self._tried(
            lambda: self.connection.execute(
                "SELECT seq, height, time FROM place WHERE seq = ?", (seq,)
            ).fetchone()
        )
        return None if row is None else Placed(*row)

    def search(
        self, table: str, text: str, limit: int = 0, *, numbers: bool = True
    ) -> Iterator[int]:
        """Yield the positions of transactions that match ``text``, in commit order.

        Args:
            table: ``asset_text`` or ``metadata_text``.
            text: Words are alternatives, "phrases" must all occur, ``-word`` excludes.
            limit: At most N; 0 for all.
            numbers: False: look in texts only, as MongoDB does.

        Raises:
            UsageError: ``empty_search``: there is nothing to look for.
        """
        assert table in TEXTS
        query = match_expression(text)
        if query is not None and not numbers:
            query = f"body : ({query})"
        found: Iterator[int] = iter(()) if query is None else self._hits(table, query)
        return islice(found, limit or None)

    def _hits(self, table: str, query: str) -> Iterator[int]:
        """Yield positions, read in pages: a common word is in every transaction."""
        sql = (
            f"SELECT rowid FROM {table} WHERE {table} MATCH ? AND rowid > ?"  # noqa: S608
            " ORDER BY rowid LIMIT ?"
        )
        after = 0
        while True:
            values = (query, after, PAGE)
            rows = self._tried(partial(_fetched, self, sql, values))
            yield from (row[0] for row in rows)
            if len(rows) < PAGE:
                return
            after = rows[-1][0]

    def fetched(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Return what a question of ``find`` gives."""
        return list(self._tried(partial(_fetched, self, sql, values)))

    def change(self, action: Callable[[Callable[..., Any]], Any]) -> None:
        """Make a change of ``tiles`` whole or not at all.

        Args:
            action: Given what runs a statement.
        """
        self._tried(partial(self._change, action))

    def _change(self, action: Callable[[Callable[..., Any]], Any]) -> None:
        with self._changing() as run:
            action(run)

    def keep_fields(self, taken: list[field_table.Taken]) -> None:
        """Keep assets taken apart, in place of what was kept of them before."""
        self._tried(partial(self._keep_fields, taken))

    def _keep_fields(self, taken: list[field_table.Taken]) -> None:
        many = self.connection.executemany
        with self._changing() as run:
            # Another process may have been here, and have seen more.
            held = dict(
                run(
                    "SELECT asset, seq FROM field_of WHERE asset IN"
                    " (SELECT value FROM json_each(?))",
                    (json.dumps([one.asset for one in taken]),),
                )
            )
            taken = [one for one in taken if held.get(one.asset, 0) < one.seq]
            many(
                "DELETE FROM field WHERE asset = ?",
                [(one.asset,) for one in taken if one.asset in held],
            )
            paths = dict.fromkeys(row[0] for one in taken for row in one.leaves.rows)
            many("INSERT OR IGNORE INTO field_path (text) VALUES (?)", [(path,) for path in paths])
            numbers = {
                path: run("SELECT number FROM field_path WHERE text = ?", (path,)).fetchone()[0]
                for path in paths
            }
            many(
                "INSERT OR IGNORE INTO field VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (numbers[path], kind, value, one.asset, folded, moment)
                    for one in taken
                    for path, kind, value, folded, moment in one.leaves.rows
                ],
            )
            many(
                "INSERT OR REPLACE INTO field_of VALUES (?, ?, ?, ?, ?)",
                [
                    (one.asset, one.seq, one.leaves.is_whole, one.template, one.template_cid)
                    for one in taken
                ],
            )

    def keep_found_until(self, seq: int) -> None:
        """Keep that all assets are taken apart as they were at a position."""
        self._tried(
            lambda: self.connection.execute(
                "UPDATE found_until SET seq = ? WHERE seq < ?", (seq, seq)
            )
        )

    def state(self, asset: int) -> tuple[int, str] | None:
        """Return a kept state: its seq and the document; None if its checksum fails."""
        row: tuple[int, str, str] | None = self._tried(
            lambda: self.connection.execute(
                "SELECT seq, document, digest FROM state WHERE asset = ?", (asset,)
            ).fetchone()
        )
        if row is None or row[2] != self._digest(asset, row[0], row[1]):
            return None
        return row[:2]

    def keep_state(self, asset: int, seq: int, document: str) -> None:
        """Keep the state of an asset up to ``seq``."""
        values = (asset, seq, document, self._digest(asset, seq, document))
        self._tried(
            lambda: self.connection.execute(
                "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)", values
            )
        )

    def snapshots(self, asset: int) -> list[Snapshot]:
        """Return the kept snapshots of an asset in commit order; what does not check is left out.

        That a snapshot may be used is known by ``state``.
        """
        rows: list[tuple[int, int, str, str]] = self._tried(
            lambda: self.connection.execute(
                "SELECT seq, kind, head, digest FROM snapshot WHERE asset = ? ORDER BY seq, kind",
                (asset,),
            ).fetchall()
        )
        return [
            Snapshot(seq, kind, *json.loads(head))
            for seq, kind, head, digest in rows
            if digest == self._digest(asset, seq, f"{kind} {head}")
        ]

    def snapshot(self, asset: int, snapshot: Snapshot) -> str | None:
        """Return the document of a snapshot, or None if it does not check."""
        row: tuple[str] | None = self._tried(
            lambda: self.connection.execute(
                "SELECT document FROM snapshot WHERE asset = ? AND seq = ? AND kind = ?",
                (asset, snapshot.seq, snapshot.kind),
            ).fetchone()
        )
        if row is None or snapshot.digest != self._digest(asset, snapshot.seq, row[0]):
            return None
        return row[0]

    def keep_snapshot(self, asset: int, snapshot: Snapshot, document: str) -> None:
        """Keep a snapshot; its digest is computed here.

        Args:
            asset: Position of the CREATE.
            snapshot: What is known of it.
            document: The state; empty to keep only what is known of it.
        """
        seq, kind = snapshot[:2]
        digest = self._digest(asset, seq, document) if document else ""
        head = json.dumps([*snapshot[2:-1], digest])
        values = (asset, seq, kind, head, self._digest(asset, seq, f"{kind} {head}"), document)
        self._tried(
            lambda: self.connection.execute(
                "INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?, ?, ?)", values
            )
        )

    def spoken_of(self) -> tuple[list[str], list[int]]:
        """Return the ids of assets that others are about, and positions of those with records."""
        found: tuple[list[str], list[int]] = self._tried(self._spoken_of)
        return found

    def _spoken_of(self) -> tuple[list[str], list[int]]:
        run = self.connection.execute
        for where in ("name = 'about'", f"name >= '{_OF}' AND name < '{_OF}:'"):
            counted = run(f"SELECT count(*), sum(seq) FROM stated WHERE {where}")  # noqa: S608
            held = run(f"SELECT sum(count), sum(total) FROM tally WHERE {where}")  # noqa: S608
            if [n or 0 for n in counted.fetchone()] != [n or 0 for n in held.fetchone()]:
                raise sqlite3.DatabaseError("entries were altered")
        about = run("SELECT DISTINCT value FROM stated WHERE name = 'about'").fetchall()
        sql = f"SELECT DISTINCT name FROM stated WHERE name >= '{_OF}' AND name < '{_OF}:'"  # noqa: S608
        names = run(sql).fetchall()
        return [row[0] for row in about], sorted(int(row[0][len(_OF) :]) for row in names)

    def noted_until(self, kind: str) -> int | None:
        """Return up to which position the notes of a kind are right, None where there are none."""
        row: tuple[str, str] | None = self._tried(
            lambda: self.connection.execute(
                "SELECT document, digest FROM note WHERE kind = ? AND asset = 0", (kind,)
            ).fetchone()
        )
        return None if row is None or row[1] != self._note(kind, 0, "", row[0]) else int(row[0])

    def forget_notes(
        self, kind: str, reached: int | None, until: int, stale: list[int] | None
    ) -> bool:
        """Take away notes that no longer hold; say whether that was done.

        Args:
            kind: Of the notes.
            reached: Up to where they were right; nothing is done where that is another place now.
            until: Up to where the others are.
            stale: The assets whose notes are taken away; None: all.
        """
        return bool(self._tried(partial(self._forget_notes, kind, reached, until, stale)))

    def _forget_notes(
        self, kind: str, reached: int | None, until: int, stale: list[int] | None
    ) -> bool:
        with self._changing() as run:
            if self.noted_until(kind) != reached:
                return False
            if stale is None:
                run("DELETE FROM note WHERE kind = ?", (kind,))
            else:
                run(
                    "DELETE FROM note WHERE kind = ? AND asset IN (SELECT value FROM json_each(?))",
                    (kind, json.dumps(stale)),
                )
            self._put_notes(kind, [(0, "", str(until))])
        return True

    def noted(self, kind: str) -> dict[str, str]:
        """Return the notes of a kind that check, by the ids of their assets."""
        rows = self._tried(
            lambda: self.connection.execute(
                "SELECT asset, id, document, digest FROM note WHERE kind = ? AND asset > 0", (kind,)
            ).fetchall()
        )
        return {
            asset_id: document
            for asset, asset_id, document, digest in rows
            if digest == self._note(kind, asset, asset_id, document)
        }

    def altered_notes(self) -> int:
        """Return how many notes do not check."""
        rows = self.fetched("SELECT kind, asset, id, document, digest FROM note")
        return sum(digest != self._note(*values) for *values, digest in rows)

    def keep_notes(self, kind: str, until: int, notes: list[tuple[int, str, str]]) -> bool:
        """Keep notes, unless something was committed since; say whether that was done.

        Args:
            kind: Of the notes.
            until: Up to where others are right, as it was before these were made.
            notes: Position and id of an asset, and what is noted, in ASCII.
        """
        return bool(self._tried(partial(self._keep_notes, kind, until, notes)))

    def _keep_notes(self, kind: str, until: int, notes: list[tuple[int, str, str]]) -> bool:
        with self._changing():
            is_so = self.noted_until(kind) == until
            if is_so:
                self._put_notes(kind, notes)
        return is_so

    def _put_notes(self, kind: str, notes: list[tuple[int, str, str]]) -> None:
        self.connection.executemany(
            "INSERT OR REPLACE INTO note VALUES (?, ?, ?, ?, ?)",
            [(kind, *one, self._note(kind, *one)) for one in notes],
        )

    def _note(self, kind: str, asset: int, asset_id: str, document: str) -> str:
        return self._digest(asset, 0, f"{kind} {asset_id} {document}")

    def _digest(self, asset: int, seq: int, document: str) -> str:
        text = f"{self.ledger_id} {asset} {seq} {document}"
        return canonical.sha3_hex(text.encode("utf-8", "backslashreplace"))


_OF = "records of "


def _of(asset: int) -> str:
    """Return the name under which ``stated`` has the kinds of an asset's records."""
    return f"{_OF}{asset}"


def _fetched(index: Index, sql: str, values: tuple[Any, ...]) -> list[Any]:
    return index.connection.execute(sql, values).fetchall()


def _searched(tx_id: str, document: Any) -> tuple[str, str]:
    """Return what is searched of a transaction: its texts and id, and its numbers."""
    texts, numbers = words.values(document)
    return _BREAK.join([tx_id, *texts]), _BREAK.join(numbers)


def match_expression(text: str) -> str | None:
    """Return the FTS5 expression for a search, or None when nothing can match.

    Every word is quoted, so that user text is never syntax.

    Raises:
        UsageError: ``empty_search``.
    """
    phrases, single, excluded = split_search(text)
    if not phrases and not single and not excluded:
        raise UsageError(
            "there is nothing to search for",
            code="empty_search",
            hint="twin search 'red car'",
        )
    wanted = " AND ".join(map(_quoted, phrases)) or " OR ".join(map(_quoted, single))
    if not wanted:
        return None
    if excluded:
        return f"({wanted}) NOT ({' OR '.join(map(_quoted, excluded))})"
    return wanted


def split_search(text: str) -> tuple[list[str], list[str], list[str]]:
    """Return the phrases, words and excluded words or phrases of a search.

    Words without a letter or digit are left out: the index has nothing for them.
    """
    phrases: list[str] = []
    single: list[str] = []
    excluded: list[str] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        minus = text[position] == "-"
        start = position + minus
        if text[start : start + 1] == '"':
            end = text.find('"', start + 1)
            end = len(text) if end < 0 else end
            item, into = text[start + 1 : end], phrases
            position = end + 1
        else:
            end = start
            while end < len(text) and not text[end].isspace():
                end += 1
            item, into = text[start:end], single
            position = max(end, position + 1)
        if not words.is_empty(item):
            (excluded if minus else into).append(item)
    return phrases, single, excluded


def _quoted(text: str) -> str:
    return f'"{words.fold(text)}"'
