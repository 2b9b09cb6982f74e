"""Readings in Parquet files of others: one column with the time, the others a series each.

The file is read by an engine that may read this file and nothing else. Nested columns, and types
that no series has, are refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError, InvalidError, cut, shown
from twincli.formats.readings import fast
from twincli.formats.readings.lines import check_text
from twincli.model import reading, times
from twincli.model.batch import load_numpy

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS = {
    "DOUBLE": "f64",
    "FLOAT": "f64",
    "BIGINT": "i64",
    "INTEGER": "i64",
    "SMALLINT": "i64",
    "TINYINT": "i64",
    "UINTEGER": "i64",
    "USMALLINT": "i64",
    "UTINYINT": "i64",
    "BOOLEAN": "bool",
    "VARCHAR": "text",
}
_ENGINE = {"f64": "DOUBLE", "i64": "BIGINT", "bool": "BOOLEAN", "text": "VARCHAR"}
_TIME_NAMES = ("timestamp", "time", "datetime", "ts")


def read(
    path: str,
    stream: str,
    known: Mapping[str, str],
    *,
    time: str | None = None,
    threads: int = 2,
    memory: str = "2GB",
) -> fast.Table:
    """Return a file's readings; close what is returned.

    A time is ``TIMESTAMP WITH TIME ZONE``, or a whole number whose size says its unit. A
    ``TIMESTAMP`` without a zone is refused.

    Args:
        path: The file.
        stream: The stream that the readings are for.
        known: What each path of the stream holds already.
        time: The name of the column with the time; None: it is found by name.
        threads: How many the engine may use.
        memory: How much the engine may use.

    Raises:
        InvalidError: ``invalid_table``: what cannot be taken, with the column; ``not_text``: it is
            compressed as a whole.
        ConfigError: ``missing_extra``.
    """
    with open(path, "rb") as file:
        head = file.read(16)
    if not head.startswith(b"PAR1"):
        check_text(head)
    load_numpy()
    try:
        import duckdb
    except ImportError as error:
        raise ConfigError(
            "Parquet needs an extra package, duckdb",
            code="missing_extra",
            hint='pip install "twincli[data]"',
        ) from error
    connection = duckdb.connect(config={"threads": str(threads), "memory_limit": memory})
    try:
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        connection.execute("SET temp_directory = ''")
        connection.execute("SET allowed_paths = ['" + path.replace("'", "''") + "']")
        connection.execute("SET enable_external_access = false; SET lock_configuration = true")
        return _read(connection, path, stream, known, time)
    except duckdb.Error as error:
        connection.close()
        raise _wrong(cut(str(error).splitlines()[0])) from error
    except InvalidError:
        connection.close()
        raise


def _wrong(why: str) -> InvalidError:
    return InvalidError(f"the Parquet file cannot be read: {why}", code="invalid_table")


def _read(
    connection: Any, path: str, stream: str, known: Mapping[str, str], time: str | None
) -> fast.Table:
    described = connection.execute(
        "DESCRIBE SELECT * FROM read_parquet($path)", {"path": path}
    ).fetchall()
    types = {name: kind for name, kind, *_ in described}
    if len(types) > reading.MAX_LEAVES:
        raise _wrong(f"it has more than {reading.MAX_LEAVES} columns")
    found = [name for wanted in _TIME_NAMES for name in types if name.casefold() == wanted]
    time = time or next(iter(found), None)
    if time is None or time not in types:
        raise _wrong(f"it has no column {shown(time or 'timestamp')}")
    paths = [name for name in types if name != time]
    if not paths or tuple(reading.flatten(dict.fromkeys(paths, 0))) != tuple(paths):
        raise _wrong("it has no columns that are series, or names that are coordinates")
    kinds: dict[str, str] = {}
    for name in paths:
        kind = _KINDS.get(types[name])
        if kind is None:
            raise _wrong(f"column {shown(name)} is {cut(types[name])}, which no series can be")
        held = known.get(name, kind)
        if held != kind and (held, kind) != ("f64", "i64"):
            raise _wrong(f"column {shown(name)} is of another type than its series")
        kinds[name] = held
    names = {name: f"c{at}" for at, name in enumerate(paths)}
    chosen = [f"{_moment(time, types[time])} AS time"]
    chosen += [
        f"CAST({_quoted(name)} AS {_ENGINE[kinds[name]]}) AS {names[name]}" for name in paths
    ]
    connection.execute(
        f"CREATE TABLE readings AS SELECT {', '.join(chosen)} FROM read_parquet($path)",  # noqa: S608
        {"path": path},
    )
    _check(connection, kinds, names)
    return fast.Table(connection, stream, names, kinds)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _moment(name: str, kind: str) -> str:
    column = _quoted(name)
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"epoch_us({column})"
    if kind in {"BIGINT", "INTEGER", "UINTEGER"}:
        return (
            f"CAST({column} AS BIGINT) * (CASE WHEN abs({column}) < {10**11} THEN 1000000 "
            f"WHEN abs({column}) < {10**14} THEN 1000 ELSE 1 END)"
        )
    raise _wrong(f"column {shown(name)} is {cut(kind)}, and so not a time with its zone")


def _check(connection: Any, kinds: Mapping[str, str], names: Mapping[str, str]) -> None:
    """Refuse rows that no reader of ours would take."""
    tests = {
        "a time": f"time IS NULL OR time NOT BETWEEN {times.EARLIEST_US} AND {times.LATEST_US}"
    }
    for name, kind in kinds.items():
        cell = names[name]
        if kind == "f64":
            tests[name] = f"NOT isfinite({cell})"
        elif kind == "text":
            tests[name] = f"length({cell}) > {reading.MAX_TEXT} OR contains({cell}, chr(0))"
    tests["a row without a value"] = " AND ".join(f"{cell} IS NULL" for cell in names.values())
    sums = ", ".join(f"count(*) FILTER ({test})" for test in tests.values())
    found = connection.execute(f"SELECT {sums} FROM readings").fetchone()  # noqa: S608
    for name, count in zip(tests, found, strict=True):
        if count:
            raise _wrong(f"{cut(name)}: {count} rows are not readings")
