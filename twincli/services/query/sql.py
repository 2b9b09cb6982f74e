"""Free questions in SQL about streams, in an engine that can reach nothing else.

The statement is looked through before it is run: only a SELECT about the streams, and only
functions that compute. Then the engine itself is locked: no files, no network, no extensions, no
settings, no disk, bounded memory, one thread, so that equal questions have equal answers.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from twincli.content import chunks
from twincli.errors import InvalidError, UndeterminedError, UsageError, cut
from twincli.model import names as _names
from twincli.model import times
from twincli.model.batch import load_numpy
from twincli.services.query import answers, pieces
from twincli.services.query.answers import Answer, Block, Column
from twincli.services.query.query import Found
from twincli.services.query.rows import Rows
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.services.query.asked import Asked
    from twincli.services.query.feed import Feed
    from twincli.services.query.query import Streams

MEMORY = "1GB"
SECONDS = 60.0
GRACE = 0.1
"""Seconds that the engine gets to stop, so that what it holds is freed."""
THREAD = "twin-sql"
MAX_ROWS = 1_000_000
MAX_SQL = 100_000
TABLE_FUNCTIONS = frozenset(("range", "generate_series", "unnest"))
"""Functions that make rows and reach nothing outside."""
FORBIDDEN = frozenset(("current_setting", "getenv", "getvariable", "write_log", "query"))
"""Functions of one value that say something of the machine."""


class Statement(NamedTuple):
    """A statement that may be run.

    Attributes:
        text: The SQL.
        streams: The streams it is about.
    """

    text: str
    streams: tuple[str, ...]


def check(text: str, known: Sequence[str]) -> Statement:
    """Return a statement that only computes, with the streams that it needs.

    Args:
        text: The SQL.
        known: The streams there are.

    Raises:
        InvalidError: ``sql_refused``, naming what is refused; ``invalid_sql``.
    """
    if len(text) > MAX_SQL:
        raise InvalidError(f"the SQL is longer than {MAX_SQL} characters", code="invalid_sql")
    duckdb = chunks.load_duckdb()
    with chunks.connect() as engine:
        try:
            statements = engine.extract_statements(text)
        except duckdb.Error as error:
            raise _invalid(error) from None
        if len(statements) != 1:
            raise _refused("more than one statement" if statements else "an empty statement")
        try:
            kind = statements[0].type
        except ValueError:  # a kind that the engine's Python side has no name for
            raise _refused("such a statement") from None
        if kind != duckdb.StatementType.SELECT:
            raise _refused(str(kind).rpartition(".")[2].replace("_", " "))
        (told,) = engine.execute("SELECT json_serialize_sql(?)", [text]).fetchone()
    tree = json.loads(told)
    if tree.get("error"):
        raise _refused("such a statement")
    found = _Found()
    found.look(tree)
    for name in found.functions:
        if name.startswith(("read_", "parquet_")) or name in FORBIDDEN:
            raise _refused(f"the function {cut(name)}")
    for name in found.makers:
        if name not in TABLE_FUNCTIONS:
            raise _refused(f"the function {cut(name)}")
    streams = {name.casefold(): name for name in known}
    wanted = []
    for schema, name in found.tables:
        stream = streams.get(name.casefold())
        if schema or (stream is None and name.casefold() not in found.named):
            raise _no_table(f"{schema}.{name}" if schema else name, known)
        if stream is not None:
            wanted.append(stream)
    return Statement(text, tuple(dict.fromkeys(wanted)))


class _Found:
    """What a statement names."""

    def __init__(self) -> None:
        self.functions: set[str] = set()
        self.makers: set[str] = set()
        self.tables: list[tuple[str, str]] = []
        self.named: set[str] = set()

    def look(self, tree: Any) -> None:
        todo = [tree]
        while todo:
            value = todo.pop()
            if isinstance(value, list):
                todo += value
            elif isinstance(value, dict):
                todo += value.values()
                self._take(value)

    def _take(self, node: dict[str, Any]) -> None:
        kind = node.get("type")
        if kind == "TABLE_FUNCTION":
            self.makers.add(str((node.get("function") or {}).get("function_name", "?")).lower())
        elif kind == "BASE_TABLE":
            schema = ".".join(filter(None, (node.get("catalog_name"), node.get("schema_name"))))
            self.tables.append((schema, str(node.get("table_name"))))
        elif kind == "SHOW_REF":
            name = str(node.get("table_name") or "").strip('"')
            if name and name != "tables":
                self.tables.append(("", name))
        if isinstance(node.get("function_name"), str):
            self.functions.add(node["function_name"].lower())
        for part in (node.get("cte_map") or {}).get("map", ()):
            self.named.add(str(part.get("key")).casefold())
        if isinstance(node.get("cte_name"), str):
            self.named.add(node["cte_name"].casefold())


def _refused(what: str) -> InvalidError:
    return InvalidError(
        f"{what} is refused in --sql",
        code="sql_refused",
        hint="one SELECT about the twin's streams is possible, with functions that only compute",
    )


def _no_table(name: str, known: Sequence[str]) -> InvalidError:
    near = _names.near(name, list(known))
    if near:
        hint = f'did you mean "{near}"?'
    else:
        hint = "the streams are " + ", ".join(f'"{each}"' for each in known)
    return InvalidError(
        f"{cut(repr(name))} is refused in --sql: it is not a stream of the twin",
        code="sql_refused",
        hint=hint if known else "the twin has no streams",
    )


def _invalid(error: Exception) -> InvalidError:
    line = str(error).splitlines()[0]
    return InvalidError(f"the SQL is invalid: {cut(line)}", code="invalid_sql")


# --- Run -----------------------------------------------------------------------------------------


def run(
    feed: Feed, statement: Statement, found: Streams, question: Asked, timeout: float = SECONDS
) -> Found:
    """Run a statement about streams.

    Args:
        feed: Reads chunks.
        statement: From `check`.
        found: The streams it is about.
        question: The range, and whether suspect readings count.
        timeout: Seconds after which it is interrupted, the reading of the streams included.

    Raises:
        InvalidError: ``invalid_sql``; ``sql_refused``: it needs too much memory.
        UndeterminedError: ``query_timeout``.
    """
    if question.limit is not None and question.limit > MAX_ROWS:
        raise UsageError(f"--limit of --sql is at most {MAX_ROWS}")
    duckdb = chunks.load_duckdb()
    allowed = _Allowed(timeout)
    used = [
        piece
        for each in found.held
        for piece in pieces.in_range(each.pieces, question.since_us, question.until_us)
    ]
    entries = [piece.entry for piece in used if piece.entry is not None]
    feed.check(entries, whole=True)
    warnings = list(found.warnings)
    engine = _engine(duckdb)
    for each in found.held:
        loaded = Rows(feed, question._replace(streams=(each.name,), limit=None), [each])
        _load(engine, each.name, loaded, warnings, allowed)
    _lock(engine)
    columns, rows, truncated = _asked(engine, statement.text, question.limit or MAX_ROWS, allowed)
    engine.close()  # where it failed it may still be busy, and closing it would wait for that
    if truncated and question.limit is None:
        warnings.append(f"there are more than {MAX_ROWS} rows")
    block = Block(load_numpy().zeros(len(rows), dtype="int64"), tuple(map(list, zip(*rows))))  # noqa: B905
    return Found(
        Answer(columns, iter([block] if rows else []), nested=False),
        digits=3,
        nulls=True,
        document={
            "schema": "twin.query/1",
            "asset_id": found.twin_id,
            "streams": [{"name": each.name, "id": each.asset_id} for each in found.held],
            "columns": [column.path for column in columns],
            "truncated": truncated,
            "chunks": list(dict.fromkeys(entry.cid for entry in entries)),
            "transactions": list(dict.fromkeys(piece.tx_id for piece in used)),
            "from_rollups": 0,
            "warnings": warnings,
        },
        warnings=tuple(warnings),
        truncated=truncated,
        is_private=any(piece.lock is not None for piece in used),
    )


class _Allowed:
    """The time that a question may take.

    Args:
        seconds: From now on.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return how many seconds are left.

        Raises:
            UndeterminedError: ``query_timeout``: none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.over()
        return left

    def over(self) -> UndeterminedError:
        """Return the error of a question that takes longer."""
        unit = "second" if self._seconds == 1 else "seconds"
        return UndeterminedError(
            f"the SQL took longer than {self._seconds:g} {unit}",
            code="query_timeout",
            hint="allow it more with --timeout, or ask for a shorter range with --since",
        )


def _engine(duckdb: Any) -> Any:
    engine = duckdb.connect(
        ":memory:",
        config={
            "threads": "1",
            "memory_limit": MEMORY,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
        },
    )
    engine.execute("SET enable_progress_bar = false; SET temp_directory = ''")
    return engine


def _lock(engine: Any) -> None:
    engine.execute("SET enable_external_access = false")
    engine.execute("SET lock_configuration = true")


_SQL = {"f64": "DOUBLE", "i64": "BIGINT", "bool": "BOOLEAN", "text": "VARCHAR", "list": "JSON"}


def _load(engine: Any, stream: str, loaded: Rows, warnings: list[str], allowed: _Allowed) -> None:
    """Make the table of a stream."""
    np = load_numpy()
    batches = []
    for (batch,) in loaded.batches():
        allowed.left()
        if len(batch.time):
            batches.append(batch)
    if loaded.conflicts:
        warnings.append(
            f"{loaded.conflicts} readings of {stream} were given twice, with two values"
        )
    times_us = np.concatenate([np.zeros(0, "int64"), *(batch.time for batch in batches)])
    data: dict[str, Any] = {"t": times_us}
    chosen = ['make_timestamp(t) AS "timestamp"']
    taken = {"timestamp"}
    for at, column in enumerate(loaded.columns):
        if column.path in answers.ABOUT and column.path != answers.QUALITY:
            continue
        kind = "text" if column.path == answers.QUALITY else column.kind
        name = f"c{at}"
        data[name] = _column(batches, f"{stream}.{column.path}", kind)
        shown = column.path
        while shown.casefold() in taken:
            shown += "_"
        taken.add(shown.casefold())
        chosen.append(f"CAST({name} AS {_SQL.get(kind, 'VARCHAR')}) AS {_quoted(shown)}")
    engine.register("loaded", data)
    engine.execute(f"CREATE TABLE {_quoted(stream)} AS SELECT {', '.join(chosen)} FROM loaded")  # noqa: S608
    engine.unregister("loaded")


def _column(batches: Sequence[Any], series: str, kind: str) -> Any:
    np = load_numpy()
    values, absent = [], []
    dtypes = {"f64": "float64", "i64": "int64", "bool": "bool"}
    for batch in batches:
        count = len(batch.time)
        column = next((each for each in batch.columns if each.series == series), None)
        if column is None:
            values.append(np.zeros(count, dtype=dtypes.get(kind, "object")))
            absent.append(np.ones(count, dtype=bool))
        else:
            values.append(column.values)
            absent.append(np.zeros(count, bool) if column.valid is None else ~column.valid)
    whole = np.concatenate(values) if values else np.zeros(0, dtypes.get(kind, "object"))
    marks = np.concatenate(absent) if absent else np.zeros(0, bool)
    if kind in dtypes:
        return np.ma.array(whole, mask=marks) if marks.any() else whole
    whole = whole.astype(object)
    whole[marks] = None
    return whole


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _asked(
    engine: Any, text: str, limit: int, allowed: _Allowed
) -> tuple[tuple[Column, ...], list[list[Any]], bool]:
    """Return columns, rows, and whether there are more."""
    duckdb = chunks.load_duckdb()
    try:
        described, rows = _in_time(engine, text, limit + 1, allowed)
    except duckdb.InterruptException:
        raise allowed.over() from None
    except duckdb.OutOfMemoryException:
        raise _refused(f"a question that needs more than {MEMORY} of memory") from None
    except duckdb.Error as error:
        raise _invalid(error) from None
    columns, taken = [], set()
    for name, kind, *_ in described:
        shown = name
        while shown in taken:
            shown += "_"
        taken.add(shown)
        columns.append(Column(shown, _kind(str(kind))))
    truncated = len(rows) > limit
    plain = [[_plain(value) for value in row] for row in rows[:limit]]
    return tuple(columns), plain, truncated


def _in_time(engine: Any, text: str, count: int, allowed: _Allowed) -> tuple[Any, list[Any]]:
    """Return what a statement's columns are and its first rows, interrupting it when it is late.

    The engine looks for an interruption between vectors, so a single function may go on for long:
    it is left alone in its thread, which does not keep the process from ending.

    Raises:
        duckdb.Error: What the engine says.
        UndeterminedError: ``query_timeout``, where it does not let itself be interrupted.
    """
    duckdb = chunks.load_duckdb()
    answers: queue.SimpleQueue[tuple[Any, list[Any]] | Exception | None] = queue.SimpleQueue()

    def ask() -> None:
        answer: tuple[Any, list[Any]] | Exception | None = None
        try:
            engine.execute(text)
            answer = engine.description, engine.fetchmany(count)
        except duckdb.Error as error:
            answer = error
        finally:
            answers.put(answer)

    threading.Thread(target=ask, name=THREAD, daemon=True).start()
    try:
        answer = answers.get(timeout=allowed.left())
    except KeyboardInterrupt:
        engine.interrupt()
        raise
    except queue.Empty:
        engine.interrupt()
        try:
            answer = answers.get(timeout=GRACE)
        except queue.Empty:
            raise allowed.over() from None
    if isinstance(answer, Exception):
        raise answer
    assert answer is not None  # anything else is a bug, which the thread has shown
    return answer


def _kind(name: str) -> str:
    if name in {"DOUBLE", "FLOAT"}:
        return "f64"
    if name in {"BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT", "UTINYINT"}:
        return "i64"
    if name == "BOOLEAN":
        return "bool"
    return "text" if name == "VARCHAR" or name.startswith("TIMESTAMP") else "any"


def _plain(value: Any) -> Any:
    """Return a value of the engine as JSON has it."""
    from datetime import UTC, datetime, timedelta
    from decimal import Decimal

    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if -float("inf") < value < float("inf") else str(value)
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        time_us = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        return times.microseconds_text(time_us, times.digits_of(time_us))
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else str(value)
