"""The lines of a batch on their way: by twin, in a passing file that goes with the process.

However many lines and twins there are, what is kept in memory stays the same.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PENDING, APPLIED, EXISTING, REFUSED, SKIPPED, UNCHECKED = STATUSES = (
    *("pending", "applied", "existing", "refused", "skipped", "unchecked"),
)
"""What became of a line: nothing yet; it was recorded; it had been before; it cannot be; another
line of its twin cannot be; it could not be tried."""

_PAGE = 1000

_SCHEMA = """
CREATE TABLE unit (
    id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, asset TEXT, is_bad INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE line (
    number INTEGER PRIMARY KEY, unit INTEGER, do TEXT, ref TEXT, what TEXT, text TEXT,
    status INTEGER NOT NULL, code TEXT, reason TEXT, tx TEXT
);
CREATE INDEX line_unit ON line (unit, number);
CREATE TABLE seen (key TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
"""


class Report(NamedTuple):
    """What became of a line.

    Attributes:
        number: Of the line, from 1.
        do: Its verb, or None.
        ref: What it calls the twin, or None.
        what: Where it stands, for those that no line is told by: ``[0].updates[1]``; or None.
        status: One of `STATUSES`.
        code, reason: Why it was refused.
        tx_id: The transaction that records it.
    """

    number: int
    do: str | None
    ref: str | None
    what: str | None
    status: str
    code: str | None = None
    reason: str | None = None
    tx_id: str | None = None


class Unit(NamedTuple):
    """The lines of one twin.

    Attributes:
        id: Its place, in the order in which twins come up.
        asset_id: The twin, None where it is not there yet.
        is_bad: Whether one of its lines was refused.
    """

    id: int
    asset_id: str | None
    is_bad: bool


class BatchSpool:
    """Lines by twin. Close it."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        run = self._connection.execute
        run("PRAGMA journal_mode = OFF")
        run("PRAGMA synchronous = OFF")
        run("PRAGMA cache_size = -16000")
        for statement in _SCHEMA.split(";"):
            run(statement)
        run("BEGIN")

    def close(self) -> None:
        """Close it, and it is gone."""
        self._connection.close()

    def _run(self, sql: str, *values: object) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise _cannot(error) from error

    def _many(self, sql: str, rows: list[Any]) -> None:
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise _cannot(error) from error

    # --- Filling ----------------------------------------------------------------------------------

    def unit(self, key: str, asset_id: str | None) -> int:
        """Return the unit of a twin, made where it is missing.

        Args:
            key: What its lines have in common.
            asset_id: The twin, None where it is not there yet.
        """
        found = self.unit_of(key)
        if found is not None:
            return found
        made = self._run("INSERT INTO unit (key, asset) VALUES (?, ?)", key, asset_id).lastrowid
        assert made is not None
        return made

    def unit_of(self, key: str) -> int | None:
        """Return the unit of a twin, None where no line is about it."""
        row = self._run("SELECT id FROM unit WHERE key = ?", key).fetchone()
        return None if row is None else int(row[0])

    def add(self, unit: int | None, line: Report, text: str | None) -> None:
        """Add a line.

        Args:
            unit: Its twin; None for a line that is refused and names none.
            line: What is known of it.
            text: What it says.
        """
        self._run(
            "INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            line.number,
            unit,
            line.do,
            line.ref,
            line.what,
            text,
            STATUSES.index(line.status),
            line.code,
            line.reason,
            line.tx_id,
        )
        if line.status == REFUSED and unit is not None:
            self._run("UPDATE unit SET is_bad = 1 WHERE id = ?", unit)

    def seen(self, key: str, number: int) -> int | None:
        """Note the key of a line; return the line that had it before, or None."""
        row = self._run("SELECT number FROM seen WHERE key = ?", key).fetchone()
        if row is not None:
            return int(row[0])
        self._run("INSERT INTO seen VALUES (?, ?)", key, number)
        return None

    # --- Using it ---------------------------------------------------------------------------------

    def units(self) -> Iterator[Unit]:
        """Yield the units in their order; lines may be settled meanwhile."""
        last = 0
        while rows := self._run(
            "SELECT id, asset, is_bad FROM unit WHERE id > ? ORDER BY id LIMIT ?", last, _PAGE
        ).fetchall():
            for row in rows:
                yield Unit(row[0], row[1], bool(row[2]))
            last = rows[-1][0]

    def one(self, unit: int) -> Unit:
        """Return a unit."""
        row = self._run("SELECT id, asset, is_bad FROM unit WHERE id = ?", unit).fetchone()
        return Unit(row[0], row[1], bool(row[2]))

    def lines(self, unit: int, after: int, limit: int) -> list[tuple[int, str]]:
        """Return number and text of the lines of a unit that nothing was done about yet.

        Args:
            unit: The unit.
            after: Only lines behind this one.
            limit: At most N.
        """
        return self._run(
            "SELECT number, text FROM line WHERE unit = ? AND number > ? AND status = 0"
            " ORDER BY number LIMIT ?",
            unit,
            after,
            limit,
        ).fetchall()

    def settle(
        self, results: Iterable[tuple[int, str, str | None, str | None, str | None]]
    ) -> None:
        """Note what became of lines: number, status, code, reason, transaction."""
        rows = [
            (STATUSES.index(status), code, reason, tx_id, number)
            for number, status, code, reason, tx_id in results
        ]
        self._many(
            "UPDATE line SET status = ?, code = ?, reason = ?, tx = ? WHERE number = ?", rows
        )

    def counts(self) -> dict[str, int]:
        """Return how many lines there are of each status."""
        rows = self._run("SELECT status, count(*) FROM line GROUP BY status").fetchall()
        found = dict.fromkeys(STATUSES, 0)
        return found | {STATUSES[status]: count for status, count in rows}

    def report(self, *statuses: str) -> Iterator[Report]:
        """Yield what became of the lines, in their order.

        Args:
            *statuses: Only these; none: all.
        """
        wanted = [STATUSES.index(status) for status in statuses or STATUSES]
        marks = ", ".join("?" * len(wanted))
        last = 0
        while rows := self._run(
            "SELECT number, do, ref, what, status, code, reason, tx FROM line"  # noqa: S608
            f" WHERE number > ? AND status IN ({marks}) ORDER BY number LIMIT ?",
            last,
            *wanted,
            _PAGE,
        ).fetchall():
            for number, do, ref, what, status, code, reason, tx_id in rows:
                yield Report(number, do, ref, what, STATUSES[status], code, reason, tx_id)
            last = rows[-1][0]

    def ranges(self, *statuses: str) -> Iterator[tuple[int, int]]:
        """Yield the first and last number of each run of lines with one of these statuses."""
        begin = end = 0
        wanted = {STATUSES.index(status) for status in statuses}
        for number, status in self._run("SELECT number, status FROM line ORDER BY number"):
            if status in wanted:
                begin = begin or number
                end = number
            elif begin:
                yield begin, end
                begin = 0
        if begin:
            yield begin, end


def _cannot(error: sqlite3.Error) -> ConfigError:
    return ConfigError(
        f"the lines cannot be kept in a passing file: {error}",
        code="cannot_write",
        hint="is the disk of temporary files full? TMPDIR names another place",
    )
