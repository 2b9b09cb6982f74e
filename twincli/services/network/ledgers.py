"""``twin ledger``: the embedded ledger, its index, its schema."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twincli.errors import ConflictError
from twincli.model import times

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.ledger.ledger import Ledger
    from twincli.services.documents import Beginning, LedgerInfo, Reindex, Upgrade


def info(ledger: Ledger) -> LedgerInfo:
    """Return a ledger's identity, tip and size.

    Returns:
        ``twin.ledger/1``: ``id path profile created height time transactions assets app_hash root
        tree_size public_key former_keys schema_version size_bytes``; hashes in hex, ``app_hash``
        empty before the first transaction, ``former_keys`` those of the ledgers that it was
        restored from.
    """
    tip = ledger.tip()
    counts = ledger.counts()
    return {
        "schema": "twin.ledger/1",
        "id": ledger.id,
        "path": ledger.path,
        "profile": ledger.profile,
        "created": times.to_text(ledger.created_ms),
        "height": tip.height,
        "time": times.to_text(tip.time_ms),
        "transactions": counts["transactions"],
        "assets": counts["assets"],
        "app_hash": tip.app_hash.hex(),
        "root": tip.root.hex(),
        "tree_size": ledger.tree_size(),
        "public_key": ledger.public_key,
        "former_keys": ledger.former_keys,
        "schema_version": ledger.schema_version,
        "size_bytes": _size(ledger.path),
    }


def _size(path: str) -> int | None:
    """Return the bytes of a ledger's file and its log; None in memory."""
    if path == ":memory:":
        return None
    return sum(os.path.getsize(name) for name in (path, f"{path}-wal") if os.path.exists(name))


def begin(path: str, known: str | None, *, dry_run: bool = False) -> Beginning:
    """Begin a new ledger in place of a lost one.

    What is left of the old one is kept under other names, such as ``ledger.1.key``.

    Args:
        path: The ledger's directory or file.
        known: Id of the lost ledger, if it is known.
        dry_run: Check, begin nothing; ``id`` is then null.

    Returns:
        ``twin.beginning/1``: ``id path lost kept``; ``lost`` is the id of the old ledger or null,
        ``kept`` are the new names of its files.

    Raises:
        ConflictError: ``exists``: there is a ledger.
    """
    from twincli import files
    from twincli.ledger import lost
    from twincli.ledger.files import locate
    from twincli.ledger.ledger import Ledger

    where = locate(path)
    if os.path.exists(where.ledger_db) and os.path.getsize(where.ledger_db):
        raise ConflictError(
            f"a ledger already exists at {where.ledger_db}",
            code="exists",
            hint="twin ledger info; to begin another, use another home: --home DIR",
        )
    old = known or lost.indexed(where.index_db)
    kept: list[str] = []
    ledger_id = None
    if not dry_run:
        directory = os.path.dirname(where.ledger_db)
        if os.path.islink(directory) and not os.path.exists(directory):
            os.unlink(directory)
        files.make_directory(directory)
        for name in (where.ledger_db, f"{where.ledger_db}-wal", where.index_db, where.key):
            if name and os.path.lexists(name):
                stem = os.path.basename(name).rpartition(".")[0]
                kept.append(files.move_aside(name, directory, stem))
        with Ledger.open(path, replace_lost=True) as ledger:
            ledger_id = ledger.id
    return {
        "schema": "twin.beginning/1",
        "id": ledger_id,
        "path": where.ledger_db,
        "lost": old,
        "kept": kept,
    }


def reindex(ledger: Ledger, progress: Callable[[int, int], None] | None = None) -> Reindex:
    """Rebuild the derived index.

    Args:
        ledger: Whose.
        progress: Called now and then with how much is done, and how much there is.

    Returns:
        ``twin.reindex/1``: ``ledger``, ``transactions`` (the number now indexed).
    """
    return {
        "schema": "twin.reindex/1",
        "ledger": ledger.id,
        "transactions": ledger.reindex(progress),
    }


def upgrade(path: str, now_ms: int, *, dry_run: bool = False) -> Upgrade:
    """Upgrade a ledger's file to the current schema, after a backup.

    Args:
        path: The ledger's directory or file.
        now_ms: The current time, for the backup's name.
        dry_run: Only report what would be done.

    Returns:
        ``twin.upgrade/1``: ``path``, ``upgraded``, ``before`` and ``after`` (schema versions),
        ``backup`` (null if nothing was to be done).
    """
    from twincli.ledger import upgrade as room

    stamp = times.to_text(now_ms).replace("-", "").replace(":", "").replace(".", "")
    done = room.upgrade(path, stamp, dry_run=dry_run)
    return {
        "schema": "twin.upgrade/1",
        "path": done.path,
        "upgraded": done.before != done.after and not dry_run,
        "before": done.before,
        "after": done.after,
        "backup": done.backup,
    }
