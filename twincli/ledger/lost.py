"""A ledger that is gone: other files show that there was one.

Without its file a ledger looks like one that was never made, and a command that makes ledgers would
begin a second one beside the names, keys and receipts of the first.
"""

from __future__ import annotations

import os
import sqlite3

from twincli import files
from twincli.errors import ConfigError
from twincli.ledger import mark as noting
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


def mark(path: str) -> Mark | None:
    """Return how far an index has come, without opening it for more; None: there is none."""
    if not _has_content(path):
        return None
    log = f"{path}-wal"
    # With a log beside it the file alone is not the whole index.
    mode = "mode=ro" if _has_content(log) else "mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(f"{_uri(path)}?{mode}", uri=True)
        try:
            ledger, seq, tx_id = connection.execute("SELECT ledger, seq, id FROM mark").fetchone()
        finally:
            connection.close()
        return Mark(str(ledger), int(seq), bytes(tx_id).hex())
    except (sqlite3.Error, TypeError, ValueError):
        return None


def _uri(path: str) -> str:
    for raw, escaped in (("%", "%25"), ("?", "%3f"), ("#", "%23")):
        path = path.replace(raw, escaped)
    return f"file:{os.path.abspath(path)}"


def _by_key(path: str) -> str:
    try:
        return f"the ledger whose key is {read_key(path).public_key}"
    except ConfigError:
        return "a ledger"
