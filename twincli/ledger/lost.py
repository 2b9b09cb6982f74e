"""A ledger that is gone: other files show that there was one.

Without its file a ledger looks like one that was never made, and a command that makes ledgers would
begin a second one beside the names, keys and receipts of the first.
"""

from __future__ import annotations

import os
import sqlite3

from twincli import database, files
from twincli.crypto import canonical
from twincli.errors import ConfigError, TwinError
from twincli.ledger import mark as noting
from twincli.ledger.faults import SQL_ERRORS
from twincli.ledger.files import read_key
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from twincli.ledger.files import Files


class Mark(NamedTuple):
    """How far an index has come.

    Attributes:
        ledger: Id of the ledger it follows.
        seq: Position of the last transaction that it holds.
        tx_id: Its id, hex.
    """

    ledger: str
    seq: int
    tx_id: str

    @property
    def digest(self) -> str:
        """What is kept beside it, so that an altered one is not believed."""
        return canonical.sha3_hex(" ".join(map(str, self)).encode("utf-8", "backslashreplace"))


def check(where: Files, known: str | None = None) -> None:
    """Refuse to take a missing ledger for one that was never made.

    Args:
        where: Its files.
        known: Id of the ledger that is known to have been there; None: unknown.

    Raises:
        ConfigError: ``lost_ledger``, naming the id where that is known.
    """
    if where.ledger_db == ":memory:" or _has_content(where.ledger_db):
        return
    left = remains(where)
    # In this order: another process may be making the ledger just now, or was killed at that.
    is_beginning = left == [where.key] and known is None and _is_being_made(where.ledger_db)
    if is_beginning or (not left and known is None) or _has_content(where.ledger_db):
        return
    noted = noting.read(where.mark)
    ledger = known or (noted.ledger_id if noted else None) or indexed(where.index_db)
    which = f"the ledger {ledger}" if ledger else _by_key(where.key)
    shown = f" ({', '.join(map(os.path.basename, left))} still there)" if left else ""
    raise ConfigError(
        f"{which} was at {where.ledger_db}, {_fault(where.ledger_db)}{shown}",
        code="lost_ledger",
        hint="put the file back, or restore a backup: twin backup restore FILE --home DIR;"
        " to begin another ledger on purpose: twin ledger begin",
    )


def remains(where: Files) -> list[str]:
    """Return the files that show that there was a ledger, whose own file may be missing."""
    links = (where.ledger_db, os.path.dirname(where.ledger_db))
    found = [path for path in links if os.path.islink(path) and not os.path.exists(path)]
    return found + [
        path
        for path in (where.key, where.mark, where.index_db, f"{where.ledger_db}-wal")
        if path and os.path.lexists(path) and (path == where.key or _has_content(path))
    ]


def _is_being_made(path: str) -> bool:
    try:
        return any(map(files.is_passing, os.listdir(os.path.dirname(path) or ".")))
    except OSError:
        return False


def _has_content(path: str) -> bool:
    try:
        return os.stat(path).st_size > 0
    except OSError:
        return False


def _fault(path: str) -> str:
    for link in (path, os.path.dirname(path)):
        if os.path.islink(link) and not os.path.exists(link):
            return f"and {link} is a link to {os.readlink(link)}, which is missing"
    return "which is empty" if os.path.lexists(path) else "which is missing"


def indexed(path: str) -> str | None:
    """Return the id of the ledger that an index follows, or None."""
    found = mark(path)
    return found.ledger if found else None


def mark(path: str, *, write_nothing: bool = False) -> Mark | None:
    """Return how far an index has come, without opening it for more; None: there is none.

    Args:
        path: The index.
        write_nothing: Not even what SQLite has beside it to read its log.
    """
    if not _has_content(path):
        return None
    copy = None
    try:
        # With a log beside it the file alone is not the whole index.
        has_log = database.has_log(path)
        if has_log and write_nothing:
            copy = database.copied(path)
        mode = "mode=ro" if has_log else "mode=ro&immutable=1"
        connection = sqlite3.connect(f"{database.uri(copy or path)}?{mode}", uri=True)
        try:
            return read_mark(connection)
        finally:
            connection.close()
    except (*SQL_ERRORS, TwinError):
        return None
    finally:
        if copy is not None:
            database.drop_copy(copy)


def read_mark(connection: sqlite3.Connection) -> Mark | None:
    """Return the mark in an open index; None if it was altered.

    Raises:
        sqlite3.Error: It is not an index, or another version's.
    """
    row = connection.execute("SELECT ledger, seq, id, digest FROM mark").fetchone()
    if row is None or type(row[1]) is not int or not isinstance(row[2], bytes):
        return None
    found = Mark(str(row[0]), row[1], row[2].hex())
    return found if found.digest == row[3] else None


def _by_key(path: str) -> str:
    try:
        return f"the ledger whose key is {read_key(path).public_key}"
    except ConfigError:
        return "a ledger"
