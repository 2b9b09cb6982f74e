"""SQLite files that survive a power loss, with as few syncs as that takes.

A file is whole and durable before it gets its name. Commits go to a write-ahead log, which stays
beside the file while it is short: moving it into the file at every close would cost three syncs
more. So the file alone is not all there is, until somebody moves the log into it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress

from twincli import files
from twincli.errors import TwinError
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = "-wal"
LOG_KEPT = 1 << 20
"""Bytes of a log up to which it stays when the last process closes the file."""
CHECKPOINT_WAIT_MS = 500
LEAST_FREE = 1 << 16
"""Bytes that any write of SQLite finds room in."""
COPIES = 5
"""How often a file that is being written meanwhile is copied."""


def uri(path: str) -> str:
    """Return how SQLite is told to open a file."""
    # Without the empty authority a path with two slashes in front would name a host.
    scheme = "file://" if path.startswith("/") else "file:"
    return scheme + path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def may_write(path: str) -> bool:
    """Say whether a file and its log can be written."""
    directory = os.path.dirname(os.path.abspath(path))
    return os.access(directory, os.W_OK) and (not os.path.exists(path) or os.access(path, os.W_OK))


def is_blank(path: str) -> bool:
    """Say whether a file is missing or empty."""
    return _size(path) == 0


def has_log(path: str) -> bool:
    """Say whether something is in the log of a file."""
    return _size(path + LOG) > 0


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


@contextmanager
def new_file(
    path: str, *, mode: int = 0o600, page_size: int = 4096
) -> Iterator[sqlite3.Connection]:
    """Make a file under a temporary name; when the block ends it is durable and gets its own.

    The caller keeps other processes from doing the same, and syncs the directory.

    Args:
        path: The file, which is missing or empty.
        mode: Who may read it; the umask takes more away.
        page_size: Bytes of a page.

    Yields:
        A connection without a transaction.

    Raises:
        ConfigError: ``cannot_write``, ``disk_full``.
    """
    temporary = files.temporary_beside(path)
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        connection = sqlite3.connect(uri(temporary), uri=True, isolation_level=None)
        try:
            for pragma in (
                f"page_size = {page_size}",
                "locking_mode = EXCLUSIVE",  # nobody else knows the name: no shared memory
                "synchronous = OFF",
                "journal_mode = MEMORY",
            ):
                connection.execute(f"PRAGMA {pragma}")
            yield connection
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
        sync(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise files.cannot("write", path, error) from error
    finally:
        for end in ("", LOG, "-journal"):
            with suppress(OSError):
                os.unlink(temporary + end)


def sync(path: str) -> None:
    """Wait until the content of a file is on the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_full(error: Exception, path: str) -> bool:
    """Say whether an error of SQLite comes from a full disk.

    Where it makes the memory that processes share, or syncs, SQLite calls that an I/O error.
    """
    name = str(getattr(error, "sqlite_errorname", ""))
    if name in {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"}:
        return True
    if not name.startswith("SQLITE_IOERR"):
        return False
    try:
        left = os.statvfs(os.path.dirname(os.path.abspath(path)))
    except (OSError, AttributeError):  # not on Windows
        return False
    return left.f_bavail * left.f_frsize < LEAST_FREE


def relax(connection: sqlite3.Connection) -> None:
    """Let commits not wait for the disk, and leave them in the log: what is lost is the last."""
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA wal_autocheckpoint = 0")


def copied(path: str) -> str:
    """Copy a file and its log to a private directory, where SQLite may put them together.

    To read the log SQLite writes beside the file, which is not for us where it is evidence, or
    where the directory cannot be written.

    Returns:
        The copy, for ``drop_copy`` in the end.

    Raises:
        TwinError: ``busy``: somebody does not stop writing meanwhile.
        ConfigError: ``cannot_read``, ``disk_full``.
    """
    from shutil import copyfile
    from tempfile import mkdtemp

    try:
        place = mkdtemp(prefix="twin-")
        copy = os.path.join(place, os.path.basename(path))
        try:
            for _ in range(COPIES):
                before = _stamp(path)
                for end in ("", LOG):
                    copyfile(path + end, copy + end)
                if _stamp(path) == before:
                    return copy
            raise TwinError(f"{path} keeps changing", code="busy", hint="try again", retryable=True)
        except BaseException:
            drop_copy(copy)
            raise
    except OSError as error:
        raise files.cannot("read", path, error) from error


def drop_copy(copy: str) -> None:
    """Remove what ``copied`` made."""
    from shutil import rmtree

    rmtree(os.path.dirname(copy), ignore_errors=True)


def _stamp(path: str) -> list[tuple[int, int]]:
    stats = map(os.stat, (path, path + LOG))
    return [(stat.st_size, stat.st_mtime_ns) for stat in stats]


def checkpoint(connection: sqlite3.Connection) -> None:
    """Move the log into the file.

    Where another process is reading just now, some of it may stay in the log.
    """
    waits = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {waits}")


def close(connection: sqlite3.Connection, path: str) -> None:
    """Close a file but leave a short log where it is.

    When the last connection closes, SQLite moves the log into the file and removes it.
    """
    if not 0 < _size(path + LOG) <= LOG_KEPT:
        connection.close()
        return
    leave = getattr(sqlite3, "SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE", None)  # since Python 3.12
    if leave is not None:
        with suppress(sqlite3.ProgrammingError):  # it is closed already, which is not a fault
            connection.setconfig(leave)  # type: ignore[attr-defined]
        connection.close()
        return
    # A connection that only reads cannot move it, so one is closed last.
    reading = None
    try:
        reading = sqlite3.connect(uri(path) + "?mode=ro", uri=True, isolation_level=None)
        reading.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error:
        pass  # then the log is moved, which is as good
    finally:
        connection.close()
        if reading is not None:
            reading.close()
