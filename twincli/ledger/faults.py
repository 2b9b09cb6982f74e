"""What is wrong with a ledger's file, as errors for its users."""

from __future__ import annotations

import sqlite3

from twincli import database
from twincli.errors import ConfigError, TwinError

# Where a name in a damaged file is quoted, the text of the error may not be UTF-8.
SQL_ERRORS = (sqlite3.Error, UnicodeDecodeError)
DATABASE_ERRORS = (sqlite3.DatabaseError, UnicodeDecodeError)


def damaged(what: str) -> ConfigError:
    """Return the error for a ledger that does not hold what it must."""
    return ConfigError(
        f"the ledger is damaged: {what}",
        code="damaged_ledger",
        hint="restore the ledger from a backup; twin doctor --full shows what is wrong",
    )


def translate(error: Exception, path: str) -> TwinError:
    """Return what an SQLite error means to a user."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return TwinError(
            f"{path} is in use by another process",
            code="busy",
            hint="try again",
            retryable=True,
        )
    if "not a database" in text:
        return foreign(path)
    if "full" in text or database.is_full(error, path):
        return ConfigError(
            f"the disk that holds {path} is full; nothing was written",
            code="disk_full",
            hint="free some space and run the command again",
            retryable=True,
        )
    if "readonly" in text or "read-only" in text or "unable to open" in text:
        return ConfigError(
            f"{path} cannot be written: {text}",
            code="read_only",
            hint="check the permissions of the file and its directory",
        )
    if "disk i/o error" in text.lower():
        return ConfigError(f"{path}: the disk reports an error: {text}", code="disk_error")
    return ConfigError(
        f"{path} is damaged: {text}",
        code="damaged_ledger",
        hint="restore it from a backup; nothing was changed",
    )


def foreign(path: str) -> ConfigError:
    """Return the error for a file that is not a ledger."""
    return ConfigError(
        f"{path} is not a twincli ledger",
        code="foreign_file",
        hint="the file was not touched; move it away or set TWIN_HOME to another directory",
    )
