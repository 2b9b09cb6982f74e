"""Checking the index again: what is in it is derived from the ledger once more and compared."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from twincli.ledger import field_table, state, tiles
from twincli.ledger.faults import DATABASE_ERRORS, translate
from twincli.ledger.index import TEXTS, Index
from twincli.ledger.state import count_right

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from twincli.ledger.reading import Reader

Finding = tuple[str, str, str]

_LONGEST = 100

_SAME = {
    "parts of the file": "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name",
    "public keys": "SELECT text FROM public_key ORDER BY text",
    "outputs by key": (
        "SELECT text, seq, output_index FROM output LEFT JOIN public_key ON number = public_key"
        " ORDER BY text, seq, output_index"
    ),
    "its tallies": "SELECT name, value, count, total FROM tally ORDER BY name, value",
    "what assets state": "SELECT name, value, seq FROM stated ORDER BY name, value, seq",
    "what was said": "SELECT * FROM said ORDER BY twin, kind, happened, seq",
}


def differences(ledger: Reader) -> list[Finding]:
    """Return where the index does not hold what the ledger gives; see ``Ledger.verify_index``."""
    index = ledger.plain_index
    try:
        return [("index.db", "damaged_index", message) for message in _differences(ledger, index)]
    except DATABASE_ERRORS as error:
        if "locked" in str(error):  # in use for too long, which is no damage
            raise translate(error, index.path) from error
        return [("index.db", "damaged_index", f"it cannot be read: {error}")]


def _differences(ledger: Reader, index: Index) -> Iterator[str]:
    run = index.connection.execute
    found = run("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        yield str(found)
        return
    for table in TEXTS:
        run(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")  # noqa: S608
        if _has_unreachable(index.connection, table):
            yield f"{_where(table)}: some can no longer be found"
    derived = Index("", ledger.store, ledger.id, lambda: False)
    run("BEGIN")  # one view of the index, which others may write meanwhile
    try:
        derived.follow(index.mark())
        for what, sql in _queries():
            yield from _compared(what, index.connection, derived.connection, sql)
        yield from _states(ledger, index)
        yield from _fields(ledger, index)
        yield from _notes(index)
        yield from _tiles(ledger)
    finally:
        run("COMMIT")
        derived.close()


def _queries() -> Iterator[tuple[str, str]]:
    yield from _SAME.items()
    for table in TEXTS:
        where = _where(table)
        yield where, f"SELECT term, doc, col, offset FROM temp.{table}_words"  # noqa: S608
        yield where, f"SELECT id, sz FROM {table}_docsize ORDER BY id"  # noqa: S608
        yield where, f"SELECT k, v FROM {table}_config ORDER BY k"  # noqa: S608


def _where(table: str) -> str:
    return f"the words of {table.removesuffix('_text')}"


def _has_unreachable(connection: sqlite3.Connection, table: str) -> bool:
    """Say whether words stand on pages behind the last that ``_idx`` knows of their segment.

    FTS5's own check looks before that page only. A row of ``_data`` is numbered by segment (16
    bits), kind (6 bits, 0 for words) and page (31 bits); at 2 of a page it says where its words
    end, behind which there is a list if any begin there.
    """
    known = dict(
        connection.execute(f"SELECT segid, max(pgno >> 1) FROM {table}_idx GROUP BY segid")  # noqa: S608
    )
    pages = connection.execute(
        f"SELECT id, substr(block, 3, 2), length(block) FROM {table}_data WHERE id > 10"  # noqa: S608
    )
    return any(
        (number >> 31) & 63 == 0
        and number & 0x7FFFFFFF > known.get(number >> 37, 1)
        and size > int.from_bytes(end)
        for number, end, size in pages
    )


def _compared(
    what: str, held: sqlite3.Connection, derived: sqlite3.Connection, sql: str
) -> Iterator[str]:
    """Yield the first difference of what two indexes answer."""
    for connection in (held, derived):
        for table in TEXTS:
            connection.execute(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.{table}_words"
                f" USING fts5vocab('main', '{table}', 'instance')"
            )
    for row, right in zip_longest(held.execute(sql), derived.execute(sql)):
        if row != right:
            yield f"{what}: it has {_shown(row)} where the ledger gives {_shown(right)}"
            return


def _shown(row: tuple[Any, ...] | None) -> str:
    if row is None:
        return "nothing"
    text = ", ".join(map(str, row))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _states(ledger: Reader, index: Index) -> Iterator[str]:
    """Yield which kept states and snapshots are not what the ledger's transactions come to."""
    counts = index.connection.execute(
        "SELECT asset, count(*) FROM (SELECT asset FROM state UNION ALL SELECT asset FROM snapshot)"
        " GROUP BY asset ORDER BY asset"
    ).fetchall()
    for asset, count in counts:
        try:
            good = count_right(ledger, asset)
        except (ValueError, KeyError, TypeError, IndexError):
            good = 0
        if good != count:
            yield f"{count - good} kept states of asset {asset} are not what its history comes to"


def _notes(index: Index) -> Iterator[str]:
    """Yield how many notes are not as they were kept; what they say is not derived here."""
    count = index.altered_notes()
    if count:
        yield f"{count} notes about assets were altered"


def _tiles(ledger: Reader) -> Iterator[str]:
    """Yield how many hashes of the tree are not those of the ledger's transactions."""
    count = tiles.count_altered(ledger)
    if count:
        yield f"{count} tiles of the tree are not what its transactions come to"


def _fields(ledger: Reader, index: Index) -> Iterator[str]:
    """Yield which assets were not taken apart as they are; see ``field_table``."""
    known = index.fetched(
        "SELECT asset, seq, is_whole, template, template_cid FROM field_of ORDER BY asset"
    )
    for asset, seq, *said in known:
        row = ledger.store.row_at(asset)
        replay = None if row is None else state.replay(ledger, row.id.hex())
        if replay is None or replay.last is None:
            yield f"fields of {asset}, which is not an asset"
            continue
        if ledger.seq(replay.last["id"]) != seq:
            continue  # brought up to date when somebody looks for something
        taken = field_table.leaves(field_table.document_of(replay))
        held = index.fetched(
            "SELECT text, kind, value, folded, moment FROM field JOIN field_path ON number = path"
            " WHERE asset = ?",
            (asset,),
        )
        if set(held) != set(taken.rows) or said != [taken.is_whole, *field_table.pin_of(replay)]:
            yield f"the fields of asset {asset} are not those it has"
    until = index.fetched("SELECT seq FROM found_until")[0][0]
    missing = set(ledger.store.touched(0, until)) - {row[0] for row in known}
    if missing:
        yield f"{len(missing)} assets cannot be found by what they are"
