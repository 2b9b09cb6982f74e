"""The book of names, ``book.db``: assets by (ledger, name), other people's keys and DIDs by name.

Names are local and never on a ledger. The name of a new asset is reserved before the asset is
submitted and confirmed afterwards: a reader of a reservation asks the ledger whether the asset
came to be, so a crash between the two steps neither loses a name nor blocks it.

Case does not distinguish names; each is kept as it was first written.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from time import time

from twincli import database, files
from twincli.errors import ConfigError, ConflictError, InvalidError, TwinError
from twincli.model import names
from twincli.values import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

APPLICATION_ID = 0x7477626B  # "twbk"
SCHEMA_VERSION = 1
BUSY_SECONDS = 30.0
GRACE_SECONDS = 60.0
"""How long a reservation without an asset holds its name: its writer may still be at work."""

_SCHEMA = """
CREATE TABLE asset (
    ledger TEXT NOT NULL,
    folded TEXT NOT NULL,
    name TEXT NOT NULL,
    asset TEXT NOT NULL,
    reserved_at REAL,
    PRIMARY KEY (ledger, folded)
) WITHOUT ROWID;
CREATE INDEX asset_names ON asset (ledger, asset);
CREATE TABLE party (
    folded TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX party_names ON party (value);
"""


class AssetName(NamedTuple):
    """A name of an asset.

    Attributes:
        name: As it was written.
        asset_id: 64 hex digits.
        reserved: Whether nobody has confirmed yet that the asset is on the ledger.
    """

    name: str
    asset_id: str
    reserved: bool


class PartyName(NamedTuple):
    """A name of somebody else's key or DID.

    Attributes:
        name: As it was written.
        value: A base58 public key or a DID.
    """

    name: str
    value: str


class _UndoneError(Exception):
    """Ends changes that are not to be kept."""


class Book:
    """The names of one home. The file is made with the first name.

    Several processes may use one book. Every change is durable when its method returns.

    Args:
        path: The file. Its directory is made, 0700, when something is written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._copy: str | None = None
        self._waiting: list[tuple[str, str, str]] | None = None
        self._confirmed: list[tuple[str, str, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a closed book opens it again when asked."""
        if self._connection is not None:
            database.close(self._connection, self.path)
            self._connection = None
        if self._copy is not None:
            from shutil import rmtree

            rmtree(os.path.dirname(self._copy), ignore_errors=True)
            self._copy = None

    # --- Assets ---------------------------------------------------------------------------------

    def reserve(
        self,
        ledger_id: str,
        name: str,
        asset_id: str,
        exists: Callable[[str], bool] | None = None,
        *,
        now: float | None = None,
    ) -> None:
        """Write down the name of an asset that is about to be submitted.

        To reserve what already names this asset is no change, so a retry is safe.

        Args:
            ledger_id: The ledger's id.
            name: See ``names.check``.
            asset_id: 64 hex digits.
            exists: Says whether an asset is on that ledger. Without it every reservation counts.
            now: Seconds since 1970; the present when left out.

        Raises:
            ConflictError: ``exists``: the name belongs to another asset. It is ``retryable`` when
                that one is only reserved.
            InvalidError: ``invalid_name``.
        """
        name = names.check(name, "asset")
        moment = time() if now is None else now
        with self._writing() as run:
            found = self._asset_row(ledger_id, name)
            if found is not None:
                held, kept, reserved_at = found
                if kept == asset_id:
                    return
                if reserved_at is None or (exists is not None and exists(kept)):
                    raise _taken(held, kept, ledger_id)
                # A clock that was set meanwhile must not hold a name for years: either direction.
                if exists is None or abs(moment - reserved_at) <= GRACE_SECONDS:
                    raise ConflictError(
                        f"the name {held!r} is reserved for an asset that is being created",
                        code="exists",
                        hint="try again in a minute, or choose another name",
                        retryable=True,
                    )
            run(
                "INSERT OR REPLACE INTO asset VALUES (?, ?, ?, ?, ?)",
                (ledger_id, names.fold(name), name, asset_id, moment),
            )

    def confirm(self, ledger_id: str, name: str, asset_id: str) -> bool:
        """Note that a reserved asset is on the ledger.

        Returns:
            False when the name is not (or no longer) reserved for that asset, because its writer
            took longer than ``GRACE_SECONDS`` and somebody else took the name.
        """
        if self._waiting is not None:
            self._waiting.append((ledger_id, name, asset_id))
            return True
        # Not waiting for the disk: a reservation whose asset is on the ledger is as good.
        with self._writing(durable=False) as run:
            changed = run(
                "UPDATE asset SET reserved_at = NULL WHERE ledger = ? AND folded = ? AND asset = ?",
                (ledger_id, names.fold(name), asset_id),
            )
            return changed.rowcount == 1

    def release(self, ledger_id: str, name: str, asset_id: str) -> bool:
        """Give up a reservation whose asset was refused; say whether there was one.

        A confirmed name, or one reserved for another asset, stays.
        """
        with self._writing() as run:
            changed = run(
                "DELETE FROM asset WHERE ledger = ? AND folded = ? AND asset = ?"
                " AND reserved_at IS NOT NULL",
                (ledger_id, names.fold(name), asset_id),
            )
            return changed.rowcount == 1

    def set_asset(self, ledger_id: str, name: str, asset_id: str, *, replace: bool = False) -> bool:
        """Name an asset that is on the ledger.

        Args:
            ledger_id: The ledger's id.
            name: See ``names.check``.
            asset_id: 64 hex digits.
            replace: Whether the name may be taken from another asset.

        Returns:
            False when the asset had that name already.

        Raises:
            ConflictError: ``exists``: the name belongs to another asset.
            InvalidError: ``invalid_name``.
        """
        name = names.check(name, "asset")
        with self._writing() as run:
            found = self._asset_row(ledger_id, name)
            if found is not None and found[1] != asset_id and not replace:
                raise _taken(found[0], found[1], ledger_id)
            run(
                "INSERT OR REPLACE INTO asset VALUES (?, ?, ?, ?, NULL)",
                (ledger_id, names.fold(name), name, asset_id),
            )
        return found is None or found[1] != asset_id

    def lookup(self, ledger_id: str, name: str, exists: Callable[[str], bool]) -> str | None:
        """Return the id of the asset that has a name, or None.

        Args:
            ledger_id: The ledger's id.
            name: Any text.
            exists: Says whether an asset is on that ledger; asked only about a reservation.
        """
        found = self._asset_row(ledger_id, name)
        if found is None:
            return None
        asset_id = found[1]
        return asset_id if found[2] is None or exists(asset_id) else None

    def remove_asset(self, ledger_id: str, name: str) -> str | None:
        """Forget the name of an asset; return the id it stood for, or None."""
        if self._asset_row(ledger_id, name) is None:  # nothing to write, and no file to make
            return None
        with self._writing() as run:
            found = self._asset_row(ledger_id, name)
            run("DELETE FROM asset WHERE ledger = ? AND folded = ?", (ledger_id, names.fold(name)))
        return found and found[1]

    def list_assets(self, ledger_id: str) -> list[AssetName]:
        """Return the names of assets on a ledger, in alphabetical order."""
        rows = self._read(
            "SELECT name, asset, reserved_at FROM asset WHERE ledger = ? ORDER BY folded", ledger_id
        )
        return [AssetName(row[0], row[1], row[2] is not None) for row in rows]

    def names_of(self, ledger_id: str, asset_id: str) -> list[str]:
        """Return the names of an asset that is on the ledger, in alphabetical order."""
        # Put in order here: asked for it, SQLite reads all names of the ledger in theirs.
        rows = self._read(
            "SELECT folded, name FROM asset WHERE ledger = ? AND asset = ?", ledger_id, asset_id
        )
        return [name for _, name in sorted(rows)]

    def ledgers(self) -> list[str]:
        """Return the ids of the ledgers whose assets have names, that with most names first."""
        rows = self._read("SELECT ledger FROM asset GROUP BY ledger ORDER BY count(*) DESC, ledger")
        return [row[0] for row in rows]

    def asset_names(self) -> list[str]:
        """Return the names of assets on all ledgers, in alphabetical order."""
        return [row[0] for row in self._read("SELECT DISTINCT name FROM asset ORDER BY folded")]

    def _asset_row(self, ledger_id: str, name: str) -> tuple[str, str, float | None] | None:
        rows = self._read(
            "SELECT name, asset, reserved_at FROM asset WHERE ledger = ? AND folded = ?",
            ledger_id,
            names.fold(name),
        )
        return rows[0] if rows else None

    # --- Parties --------------------------------------------------------------------------------

    def set_party(self, name: str, value: str, *, replace: bool = False) -> bool:
        """Name somebody else's public key or DID, on every ledger.

        Args:
            name: See ``names.check``.
            value: A base58 public key or a DID; the caller has checked it.
            replace: Whether the name may be taken from another value.

        Returns:
            False when the value had that name already.

        Raises:
            ConflictError: ``exists``: the name stands for something else.
            InvalidError: ``invalid_name``; ``invalid_value`` when the value is empty.
        """
        name = names.check(name, "party")
        if not value:
            raise InvalidError("the value of a name cannot be empty", code="invalid_value")
        with self._writing() as run:
            found = self._party_row(name)
            if found is not None and found.value != value and not replace:
                raise ConflictError(
                    f"the name {found.name!r} stands for {found.value}",
                    code="exists",
                    hint=f"to free it: twin name remove {found.name}",
                )
            run("INSERT OR REPLACE INTO party VALUES (?, ?, ?)", (names.fold(name), name, value))
        return found is None or found.value != value

    def party(self, name: str) -> str | None:
        """Return the public key or DID that has a name, or None."""
        found = self._party_row(name)
        return found.value if found is not None else None

    def remove_party(self, name: str) -> str | None:
        """Forget the name of a party; return what it stood for, or None."""
        if self._party_row(name) is None:
            return None
        with self._writing() as run:
            found = self._party_row(name)
            run("DELETE FROM party WHERE folded = ?", (names.fold(name),))
        return found.value if found is not None else None

    def list_parties(self) -> list[PartyName]:
        """Return the names of parties, in alphabetical order."""
        rows = self._read("SELECT name, value FROM party ORDER BY folded")
        return [PartyName(*row) for row in rows]

    def names_of_party(self, value: str) -> list[str]:
        """Return the names of a public key or DID, in alphabetical order."""
        rows = self._read("SELECT name FROM party WHERE value = ? ORDER BY folded", value)
        return [row[0] for row in rows]

    def _party_row(self, name: str) -> PartyName | None:
        rows = self._read("SELECT name, value FROM party WHERE folded = ?", names.fold(name))
        return PartyName(*rows[0]) if rows else None

    def set_all(
        self,
        ledger_id: str,
        assets: Iterable[tuple[str, str]],
        parties: Iterable[tuple[str, str]],
    ) -> None:
        """Name many things in one change, all or none.

        Args:
            ledger_id: The ledger of the assets.
            assets: Names and ids.
            parties: Names and public keys or DIDs.

        Raises:
            ConflictError, InvalidError: As ``set_asset`` and ``set_party``.
        """
        with self._writing():
            for name, asset_id in assets:
                self.set_asset(ledger_id, name, asset_id)
            for name, value in parties:
                self.set_party(name, value)

    # --- Many changes as one --------------------------------------------------------------------

    @contextmanager
    def together(
        self, *, keep: bool = True
    ) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """Make all changes inside one durable change; what is confirmed waits for `settle`.

        Args:
            keep: False: all of them are undone at the end.

        Returns:
            A function that opens a part, which is undone by itself if it ends with an exception.
        """
        with suppress(_UndoneError), self._writing() as run:
            waiting: list[tuple[str, str, str]] = []
            self._waiting = waiting
            depth = 0

            @contextmanager
            def unit() -> Iterator[None]:
                nonlocal depth
                name, count = f"unit{depth}", len(waiting)
                depth += 1
                run(f"SAVEPOINT {name}")
                try:
                    yield
                except BaseException:
                    run(f"ROLLBACK TO {name}")
                    del waiting[count:]
                    raise
                finally:
                    run(f"RELEASE {name}")
                    depth -= 1

            try:
                yield unit
                if not keep:
                    raise _UndoneError
            except BaseException:
                waiting.clear()
                raise
            finally:
                self._waiting = None
                self._confirmed = waiting

    def settle(self) -> None:
        """Confirm what `together` was asked to, now that the assets are on the ledger."""
        waiting, self._confirmed = self._confirmed, []
        if waiting:
            with self._writing(durable=False):
                for found in waiting:
                    self.confirm(*found)

    # --- The file -------------------------------------------------------------------------------

    def _read(self, sql: str, *arguments: str) -> list[Any]:
        """Run a query; a book that does not exist yet has no rows."""
        # An empty file is left when its maker was killed; it holds no names.
        if self._connection is None and database.is_blank(self.path):
            return []
        try:
            return self._open().execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise _translate(error, self.path) from error
        except UnicodeEncodeError:  # half of a surrogate pair, which no name holds
            return []

    @contextmanager
    def _writing(self, *, durable: bool = True) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Hold the book for one change, which is durable when the outermost block ends.

        Args:
            durable: False: a power loss may undo the change.
        """
        try:
            if self._connection is None and database.is_blank(self.path):
                with self._beginning() as run:
                    if run is not None:
                        yield run
                        return
            connection = self._open()
            run = connection.execute
            if connection.in_transaction:
                yield run
                return
            # A book of an older version has a journal, without which no power loss is survived.
            durable = not _use_log(connection) or durable
            if not durable:
                database.relax(connection)
            run("BEGIN IMMEDIATE")
            try:
                yield run
                run("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                if not durable:
                    _be_durable(connection)
        except sqlite3.Error as error:
            raise _translate(error, self.path) from error

    @contextmanager
    def _beginning(self) -> Iterator[Callable[..., sqlite3.Cursor] | None]:
        """Make the file with its first change inside; None: another process made it meanwhile."""
        directory = os.path.dirname(os.path.abspath(self.path))
        try:
            files.make_directory(directory)
            with files.held(directory):
                if not database.is_blank(self.path):
                    yield None
                    return
                try:
                    with database.new_file(self.path) as connection:
                        self._connection = connection
                        run = connection.execute
                        run("BEGIN")
                        _lay_out(run)
                        yield run
                        run("COMMIT")
                finally:
                    self._connection = None
            files.sync_directory(directory)
        except ConfigError as error:
            if error.code != "cannot_write":
                raise
            raise ConfigError(
                f"the book of names: {error.message}",
                code="read_only",
                hint="check the permissions of the file and its directory",
            ) from error

    def copy(self, target: str) -> None:
        """Copy the book while others may write in it, complete to one moment.

        Args:
            target: A file that is not there.

        Raises:
            TwinError: ``busy``; ConfigError: ``disk_full``, ``damaged_book``.
        """
        try:
            connection = self._open()
            # Reading holds writers off while the pages are copied; without it SQLite would wait
            # for them without end.
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            writing = sqlite3.connect(target)
            try:
                connection.backup(writing)
            finally:
                writing.close()
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise _translate(error, self.path) from error

    def check(self) -> int:
        """Return how many names there are, on all ledgers, once the file was found in order.

        Raises:
            ConfigError: ``damaged_book``, ``foreign_file``, ``newer_schema``.
        """
        faults = [row[0] for row in self._read("PRAGMA integrity_check(1)")]
        if faults not in ([], ["ok"]):
            raise _translate(sqlite3.DatabaseError(faults[0]), self.path)
        foreign = "SELECT 1 FROM sqlite_master WHERE type NOT IN ('table', 'index')"
        if self._read(foreign):  # a trigger, which acts whenever a name is given
            raise _foreign(self.path)
        counted = "SELECT (SELECT count(*) FROM asset) + (SELECT count(*) FROM party)"
        return int(sum(row[0] for row in self._read(counted)))

    def _roll_back(self) -> None:
        connection = self._connection
        if connection is not None and connection.in_transaction:
            connection.execute("ROLLBACK")

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        uri = database.uri(self.path)
        if os.path.exists(self.path) and not database.may_write(self.path):
            if database.has_log(self.path):
                self._copy = database.copied(self.path)
                uri = database.uri(self._copy)
            else:
                uri += "?mode=ro&immutable=1"
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, self.path)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection


def _lay_out(run: Callable[..., sqlite3.Cursor]) -> None:
    for statement in _SCHEMA.split(";"):
        run(statement)
    run(f"PRAGMA application_id = {APPLICATION_ID}")
    run(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _use_log(connection: sqlite3.Connection) -> bool:
    """Say whether changes go to a log, which a book of an older version now gets."""
    run = connection.execute
    if run("PRAGMA journal_mode").fetchone()[0] != "wal":
        with suppress(sqlite3.OperationalError):  # others use it just now
            run("PRAGMA journal_mode = WAL")
    return bool(run("PRAGMA journal_mode").fetchone()[0] == "wal")


def _be_durable(connection: sqlite3.Connection) -> None:
    """Let a commit wait for the disk."""
    # EXTRA is for a book of an older version, which has a journal in place of a log: without it a
    # power cut could bring the journal back and undo a reservation whose asset is on the ledger.
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA wal_autocheckpoint = 200")


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    """Check whose file it is."""
    run = connection.execute
    _be_durable(connection)
    if run("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise _foreign(path)
    version = run("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"the book of names {path} was written by a newer twincli (schema {version}, this one"
            f" knows {SCHEMA_VERSION})",
            code="newer_schema",
            hint="upgrade twincli; the file was not touched",
        )


def _taken(name: str, asset_id: str, ledger_id: str) -> ConflictError:
    return ConflictError(
        f"the name {name!r} belongs to asset {asset_id} on ledger {ledger_id[:16]}",
        code="exists",
        hint=f"choose another name, or free it: twin name remove {name}",
    )


def _foreign(path: str) -> ConfigError:
    return ConfigError(
        f"{path} is not a book of names",
        code="foreign_file",
        hint="move it away; the file was not touched",
    )


def _translate(error: sqlite3.Error, path: str) -> TwinError:
    """Return what an SQLite error means to a user."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TwinError(
            f"the book of names {path} is in use by another process",
            code="busy",
            hint="try again",
            retryable=True,
        )
    if code == sqlite3.SQLITE_NOTADB:
        return _foreign(path)
    if database.is_full(error, path):
        return ConfigError(
            f"the disk that holds {path} is full; nothing was written",
            code="disk_full",
            hint="free some space and run the command again",
            retryable=True,
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return ConfigError(
            f"the book of names {path} cannot be opened or written: {error}",
            code="read_only",
            hint="check the permissions of the file and its directory",
        )
    if code == sqlite3.SQLITE_IOERR:
        return ConfigError(f"{path}: the disk reports an error: {error}", code="disk_error")
    return ConfigError(
        f"the book of names {path} is damaged: {error}",
        code="damaged_book",
        hint="restore it from a backup, or move it away and name things again; no twin is lost",
    )
