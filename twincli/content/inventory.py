"""What the streams hold, as far as their chains were read here: ``streams.db``.

It is derived from the ledger and the chunks, without a sync; if it is lost, the chains are read
again. For each stream it keeps how far its chain was read, the readings that stand in records, the
times that the chunks span, the latest value of each series, and what each series is.
"""

from __future__ import annotations

import json

from twincli.content.derived import Derived
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator

    from twincli.model.inline import Inline
    from twincli.model.manifest import Entry

VERSION = 4
_SCHEMA = """
CREATE TABLE stream (
    id TEXT PRIMARY KEY, tip TEXT NOT NULL, anchor TEXT, chunked TEXT,
    anchors INTEGER NOT NULL, faults INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE inline (
    stream TEXT NOT NULL, time_us INTEGER NOT NULL, source TEXT NOT NULL, seq INTEGER NOT NULL,
    leaves TEXT NOT NULL, quality TEXT NOT NULL, suspect TEXT NOT NULL, tx TEXT NOT NULL
);
CREATE INDEX inline_time ON inline (stream, time_us);
CREATE TABLE chunk (
    stream TEXT NOT NULL, cid TEXT NOT NULL, size INTEGER NOT NULL, count INTEGER NOT NULL,
    first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, tx TEXT NOT NULL,
    observations INTEGER, PRIMARY KEY (stream, cid)
) WITHOUT ROWID;
CREATE TABLE latest (
    stream TEXT NOT NULL, path TEXT NOT NULL, time_us INTEGER NOT NULL, source TEXT NOT NULL,
    seq INTEGER NOT NULL, value TEXT NOT NULL, suspect INTEGER NOT NULL, tx TEXT NOT NULL,
    kind TEXT NOT NULL, unit TEXT NOT NULL, PRIMARY KEY (stream, path)
) WITHOUT ROWID;
CREATE TABLE source (
    stream TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (stream, name)
) WITHOUT ROWID;
"""
_TABLES = ("stream", "inline", "chunk", "latest", "source")


class Head(NamedTuple):
    """How far a stream was read.

    Attributes:
        tip: The last transaction that was read, or None.
        anchor: The last record, or None.
        chunked: The last record with chunks, or None.
        anchors: How many records.
        faults: How many of them cannot be read.
    """

    tip: str | None = None
    anchor: str | None = None
    chunked: str | None = None
    anchors: int = 0
    faults: int = 0


class Leaf(NamedTuple):
    """The last value of a series.

    Attributes:
        path: Of the leaf.
        time_us: When it was read.
        source: By whom.
        seq: The number that the source gave it.
        value: As it was read; a list as such.
        suspect: Whether it is doubted.
        tx: The record.
        kind: One of `reading.KINDS`.
        unit: In which the series is kept, where somebody said so.
    """

    path: str
    time_us: int
    source: str
    seq: int
    value: Any
    suspect: bool
    tx: str
    kind: str
    unit: str = ""


class Summary(NamedTuple):
    """What is in a chunk.

    Attributes:
        observations: How many.
        latest: The last value of each series; their ``tx`` is filled in here.
        sources: Who read.
    """

    observations: int
    latest: tuple[Leaf, ...]
    sources: frozenset[str]


class Held(NamedTuple):
    """A chunk of a stream.

    Attributes:
        cid, size, rows, first_us, last_us: As its manifest has it.
        tx: The record that names it.
        observations: None: it was not at hand when its record was read.
    """

    cid: str
    size: int
    rows: int
    first_us: int
    last_us: int
    tx: str
    observations: int | None

    @property
    def entry(self) -> Entry:
        """What the manifest says about it."""
        from twincli.model.manifest import Entry

        return Entry(self.cid, self.size, self.rows, self.first_us, self.last_us)


class Totals(NamedTuple):
    """Sums over a stream.

    Attributes:
        observations: How many; those of chunks that were not at hand are missing.
        values: Single values, in records and chunks.
        inline: Observations that stand in records.
        chunks: How many.
        bytes: Of the chunks.
        unread: Chunks that were not at hand.
        first_us, last_us: The times of the first and the last one, or None.
    """

    observations: int
    values: int
    inline: int
    chunks: int
    bytes: int
    unread: int
    first_us: int | None
    last_us: int | None


class Taken(NamedTuple):
    """What one transaction of a stream brings.

    Attributes:
        tx: Its id.
        is_anchor: Whether it is a record of readings.
        readings: That stand in it.
        chunks: That it names, each with what is in it, None where it is not at hand.
        is_fault: Whether it cannot be read.
    """

    tx: str
    is_anchor: bool = True
    readings: tuple[Inline, ...] = ()
    chunks: tuple[tuple[Entry, Summary | None], ...] = ()
    is_fault: bool = False


class Inventory(Derived):
    """The open file. Several processes may use one.

    Args:
        path: Its name, or ``:memory:``.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, VERSION, _SCHEMA)

    # --- Reading ----------------------------------------------------------------------------------

    def head(self, stream: str) -> Head:
        """Return how far a stream was read."""
        found = self.all(
            "SELECT tip, anchor, chunked, anchors, faults FROM stream WHERE id = ?", stream
        )
        return Head(*found[0]) if found else Head()

    def at(self, stream: str, time_us: int) -> list[tuple[str, int, dict[str, Any]]]:
        """Return source, seq and leaves of what was read at a time and stands in records."""
        found = self.all(
            "SELECT source, seq, leaves FROM inline WHERE stream = ? AND time_us = ?",
            stream,
            time_us,
        )
        return [(source, seq, json.loads(leaves)) for source, seq, leaves in found]

    def between(self, stream: str, first_us: int, last_us: int) -> Iterator[tuple[Any, ...]]:
        """Yield time, source, seq, leaves of what stands in records, from one time to another."""
        for time_us, source, seq, leaves in self.all(
            "SELECT time_us, source, seq, leaves FROM inline"
            " WHERE stream = ? AND time_us BETWEEN ? AND ? ORDER BY time_us",
            stream,
            first_us,
            last_us,
        ):
            yield time_us, source, seq, json.loads(leaves)

    def chunks(
        self, stream: str, first_us: int | None = None, last_us: int | None = None
    ) -> list[Held]:
        """Return the chunks of a stream that hold something from one time to another."""
        low = -(1 << 63) if first_us is None else first_us
        high = (1 << 63) - 1 if last_us is None else last_us
        found = self.all(
            "SELECT cid, size, count, first_us, last_us, tx, observations FROM chunk"
            " WHERE stream = ? AND last_us >= ? AND first_us <= ? ORDER BY first_us, cid",
            stream,
            low,
            high,
        )
        return [Held(*each) for each in found]

    def latest(self, stream: str) -> list[Leaf]:
        """Return the last value of each series."""
        found = self.all(
            "SELECT path, time_us, source, seq, value, suspect, tx, kind, unit FROM latest"
            " WHERE stream = ? ORDER BY path",
            stream,
        )
        return [
            Leaf(path, time_us, source, seq, json.loads(value), bool(suspect), *rest)
            for path, time_us, source, seq, value, suspect, *rest in found
        ]

    def kinds(self, stream: str) -> dict[str, str]:
        """Return what each series holds."""
        return dict(self.all("SELECT path, kind FROM latest WHERE stream = ?", stream))

    def sources(self, stream: str) -> list[str]:
        """Return who read, in order."""
        found = self.all("SELECT name FROM source WHERE stream = ? ORDER BY name", stream)
        return [name for (name,) in found]

    def totals(self, stream: str, without: Collection[str] = ()) -> Totals:
        """Return the sums over a stream.

        Args:
            stream: The stream.
            without: Records that do not count.
        """
        left = json.dumps(sorted(without))
        ((inline, values, first, last),) = self.all(
            "SELECT count(*), total((SELECT count(*) FROM json_each(leaves))), min(time_us),"
            " max(time_us) FROM inline"
            " WHERE stream = ? AND tx NOT IN (SELECT value FROM json_each(?))",
            stream,
            left,
        )
        ((chunks, size, rows, seen, unread, begin, end),) = self.all(
            "SELECT count(*), total(size), total(count), total(observations),"
            " count(*) - count(observations), min(first_us), max(last_us) FROM chunk"
            " WHERE stream = ? AND tx NOT IN (SELECT value FROM json_each(?))",
            stream,
            left,
        )
        firsts = [time for time in (first, begin) if time is not None]
        lasts = [time for time in (last, end) if time is not None]
        return Totals(
            inline + int(seen),
            int(values) + int(rows),
            inline,
            chunks,
            int(size),
            unread,
            min(firsts, default=None),
            max(lasts, default=None),
        )

    # --- Writing ----------------------------------------------------------------------------------

    def forget(self, stream: str) -> None:
        """Forget a stream, whose chain is then read again."""
        with self.writing() as connection:
            for table in _TABLES:
                column = "id" if table == "stream" else "stream"
                connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (stream,))  # noqa: S608

    def add(self, stream: str, before: Head, taken: Iterable[Taken]) -> Head:
        """Take the next transactions of a stream, unless another process did meanwhile.

        Args:
            stream: The stream.
            before: What `head` was when they were read.
            taken: They, in their order.

        Returns:
            The new head, that of the other process if it was first.
        """
        with self.writing() as connection:
            present = self.head(stream)
            if present != before:
                return present
            made = before
            for each in taken:
                made = self._take(connection, stream, made, each)
            if made.tip is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?, ?, ?)", (stream, *made)
                )
            return made

    def _take(self, connection: sqlite3.Connection, stream: str, head: Head, taken: Taken) -> Head:
        for item in taken.readings:
            self._inline(connection, stream, item, taken.tx)
        for entry, summary in taken.chunks:
            connection.execute(
                "INSERT OR IGNORE INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (stream, *entry, taken.tx, None if summary is None else summary.observations),
            )
            if summary is not None:
                self._summary(connection, stream, summary, taken.tx)
        if not taken.is_anchor:
            return head._replace(tip=taken.tx)
        return Head(
            taken.tx,
            taken.tx,
            taken.tx if taken.chunks else head.chunked,
            head.anchors + 1,
            head.faults + taken.is_fault,
        )

    def fill(self, stream: str, held: Held, summary: Summary) -> None:
        """Note what is in a chunk that was not at hand before."""
        with self.writing() as connection:
            connection.execute(
                "UPDATE chunk SET observations = ? WHERE stream = ? AND cid = ?",
                (summary.observations, stream, held.cid),
            )
            self._summary(connection, stream, summary, held.tx)

    def _inline(self, connection: sqlite3.Connection, stream: str, item: Inline, tx: str) -> None:
        from twincli.model import reading

        found = item.observation
        bad, units = not reading.is_good(found.quality), dict(found.units)
        connection.execute(
            "INSERT INTO inline VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                stream,
                *found.identity,
                json.dumps(found.leaves),
                found.quality,
                json.dumps(item.suspect),
                tx,
            ),
        )
        leaves = tuple(
            Leaf(
                path,
                found.time_us or 0,
                found.source,
                found.seq,
                value,
                bad or path in item.suspect,
                tx,
                reading.kind_of(value),
                units.get(path, ""),
            )
            for path, value in found.leaves.items()
        )
        self._summary(connection, stream, Summary(1, leaves, frozenset((found.source,))), tx)

    def _summary(
        self, connection: sqlite3.Connection, stream: str, summary: Summary, tx: str
    ) -> None:
        connection.executemany(
            "INSERT INTO latest VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " (time_us, source, seq, value, suspect, tx) = (excluded.time_us, excluded.source,"
            " excluded.seq, excluded.value, excluded.suspect, excluded.tx)"
            " WHERE (excluded.time_us, excluded.source, excluded.seq) >= (time_us, source, seq)",
            [
                (
                    stream,
                    leaf.path,
                    leaf.time_us,
                    leaf.source,
                    leaf.seq,
                    json.dumps(leaf.value),
                    leaf.suspect,
                    tx,
                    leaf.kind,
                    leaf.unit,
                )
                for leaf in summary.latest
            ],
        )
        connection.executemany(
            "UPDATE latest SET unit = ? WHERE stream = ? AND path = ? AND unit = ''",
            [(leaf.unit, stream, leaf.path) for leaf in summary.latest if leaf.unit],
        )
        connection.executemany(
            "INSERT OR IGNORE INTO source VALUES (?, ?)",
            [(stream, name) for name in summary.sources],
        )
