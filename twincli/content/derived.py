"""Files of SQLite that are derived from something else: lost or damaged, they are made again.

So nothing in them is synced, and a file of another version is emptied.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress

from twincli import files
from twincli.errors import ConfigError
from twincli.values import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAIT_SECONDS = 30.0


class Derived:
    """The open file. Several processes may use one. Making the object touches nothing.

    Args:
        path: Its name, or ``:memory:``.
        version: Of the schema.
        schema: Statements that make the tables, apart by semicolons.
    """

    def __init__(self, path: str, version: int, schema: str) -> None:
        self._path = path
        self._version = version
        self._schema = schema
        self._open: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The file, opened, made where it is missing.

        Raises:
            ConfigError: ``cannot_write``.
        """
        if self._open is None:
            if self._path != ":memory:":
                files.make_directory(os.path.dirname(os.path.abspath(self._path)))
            try:
                self._open = self._connect()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise _cannot(self._path, error) from error
                self._remove()  # it is damaged, and is made again
                self._open = self._connect()
        return self._open

    def _remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(self._path + end)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_WAIT_SECONDS, isolation_level=None)
        try:
            run = connection.execute
            run("PRAGMA journal_mode = WAL")
            run("PRAGMA synchronous = OFF")
            if run("PRAGMA user_version").fetchone()[0] != self._version:
                run("BEGIN IMMEDIATE")
                if run("PRAGMA user_version").fetchone()[0] != self._version:
                    names = run(
                        "SELECT name FROM sqlite_schema"
                        " WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                    ).fetchall()
                    for (name,) in names:
                        run(f'DROP TABLE "{name}"')
                    for statement in self._schema.split(";"):
                        run(statement)
                    run(f"PRAGMA user_version = {self._version}")
                run("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the file to write to; all that the block writes is there when it ends, or nothing.

        Raises:
            ConfigError: ``cannot_write``.
        """
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def all(self, sql: str, *values: Any) -> list[Any]:
        """Return the rows of a statement.

        Raises:
            ConfigError: ``cannot_write``.
        """
        try:
            return self.connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> ConfigError:
        if type(error) is sqlite3.DatabaseError:  # its pages are damaged: it is made again
            self.close()
            self._remove()
        return _cannot(self._path, error)


def _cannot(path: str, error: sqlite3.Error) -> ConfigError:
    return ConfigError(
        f"{path} cannot be used: {error}",
        code="cannot_write",
        hint="it is derived from the ledger: move it away and it is made again",
    )
