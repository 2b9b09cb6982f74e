"""Bringing a ledger file of an older schema up to the present one, a backup first."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from twincli import database, files
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConfigError, NotFoundError
from twincli.ledger import meta, schema, store
from twincli.ledger.faults import SQL_ERRORS, damaged, translate
from twincli.ledger.files import locate, read_key, write_key
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Step = Callable[[sqlite3.Connection, str], None]


def _sign(connection: sqlite3.Connection, file: str) -> None:
    """Lead from schema 1 to 2: what block 0 recorded is signed, the last block is bound."""
    run = connection.execute
    rows = dict(run("SELECT name, value FROM meta").fetchall())
    began = run("SELECT time_ms FROM block WHERE height = 0").fetchone()
    if began is None:
        raise damaged("block 0 is missing")
    known = meta.read(rows, began[0], is_signed=False)
    place = locate(file).key
    key = None
    with suppress(ConfigError):
        key = read_key(place)
    if key is None or key.public_key != known.public_key:
        # Lost: the ledger goes on with another one, as after a restore.
        key = KeyPair.from_seed(os.urandom(32))
        write_key(place, key)
        former = (*known.former_keys, known.public_key)
        known = known._replace(public_key=key.public_key, former_keys=former)
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", known.rows(key).items())
    state = run("SELECT state FROM tree").fetchone()
    height = run("SELECT max(height) FROM block").fetchone()[0]
    run("DROP TABLE tree")
    for statement in schema.split(schema.SINCE_2):
        run(statement)
    run("INSERT INTO tree VALUES (1, ?, ?)", (state and state[0], height))


MIGRATIONS: Mapping[int, Step] = {1: _sign}
"""By schema version, the step that leads to the next one. Runs inside one transaction."""


class Upgrade(NamedTuple):
    """What an upgrade did.

    Attributes:
        path: The ledger's file.
        before, after: Schema versions; equal when there was nothing to do.
        backup: The copy made first, or None.
    """

    path: str
    before: int
    after: int
    backup: str | None


def upgrade(
    path: str,
    stamp: str,
    *,
    dry_run: bool = False,
    migrations: Mapping[int, Step] = MIGRATIONS,
    target: int = schema.SCHEMA_VERSION,
) -> Upgrade:
    """Bring a ledger file up to the present schema.

    All steps share one transaction: after a failure the file is as it was.

    Args:
        path: As ``Ledger.open`` takes it.
        stamp: Part of the backup's name, ``ledger.db.<schema>-<stamp>.bak``.
        dry_run: Only say what would be done.
        migrations: By schema version, the step that leads from it to the next.
        target: The version wanted.

    Raises:
        NotFoundError: ``no_ledger``.
        ConfigError: ``foreign_file``, ``newer_schema``, ``no_migration``, ``upgrade_failed``,
            ``exists`` (the backup's name is taken), and what ``faults.translate`` gives.
    """
    file = locate(path).ledger_db
    if not os.path.isfile(file):
        raise NotFoundError(f"there is no ledger at {file}", code="no_ledger")
    try:
        connection = sqlite3.connect(file, timeout=store.BUSY_SECONDS, isolation_level=None)
    except SQL_ERRORS as error:
        raise translate(error, file) from error
    try:
        before = _version(connection, file, target)
        missing = [version for version in range(before, target) if version not in migrations]
        if missing:
            raise ConfigError(
                f"{file} has schema {before}, which this twincli cannot upgrade to {target}",
                code="no_migration",
                hint="upgrade it with a twincli version between the two",
            )
        if before == target or dry_run:
            return Upgrade(file, before, target, None)
        copy = f"{file}.{before}-{stamp}.bak"
        files.check_free(copy)
        store.backup(file, copy)
        _migrate(connection, file, migrations, before, target, copy)
    except SQL_ERRORS as error:
        raise translate(error, file) from error
    finally:
        database.close(connection, file)
    return Upgrade(file, before, target, copy)


def _version(connection: sqlite3.Connection, file: str, target: int) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if connection.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        raise ConfigError(f"{file} is not a twincli ledger", code="foreign_file")
    if version > target:
        raise ConfigError(
            f"{file} was written by a newer twincli (schema {version}, this one knows {target})",
            code="newer_schema",
            hint="upgrade twincli; the file was not touched",
        )
    return version


def _migrate(
    connection: sqlite3.Connection,
    file: str,
    migrations: Mapping[int, Step],
    before: int,
    target: int,
    copy: str,
) -> None:
    run = connection.execute
    run("PRAGMA synchronous = FULL")
    run("BEGIN IMMEDIATE")
    version = before
    try:
        # Another process may have been first.
        if int(run("PRAGMA user_version").fetchone()[0]) == before:
            while version < target:
                migrations[version](connection, file)
                version += 1
            run(f"PRAGMA user_version = {target}")
        run("COMMIT")
    except BaseException as error:
        if connection.in_transaction:
            run("ROLLBACK")
        if isinstance(error, SQL_ERRORS):
            raise ConfigError(
                f"the upgrade from schema {version} to {version + 1} failed: {error};"
                " nothing was changed",
                code="upgrade_failed",
                hint=f"a copy of the ledger is at {copy}",
            ) from error
        raise
