"""The log of a Delta table over chunks: which Parquet files it consists of, and what each is.

The columns of a chunk are the table's, so its file stands in the table byte by byte as it was
signed: the CID in ``chunk`` is that of the file. What holds for a whole file stands in the log as
a partition. ``tx`` and ``number`` are in files of readings that were pushed one by one only.

Source: the Delta transaction log protocol, reader version 1, writer version 2.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twincli.errors import ConflictError
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOG = "_delta_log"
LAST = f"{LOG}/_last_checkpoint"
EVERY = 20
"""Commits after which the log is summed up, so that engines open a table of many exports fast."""
_KEPT_MS = 7 * 86_400_000
"""How long a checkpoint names files that were taken out: as long as engines leave them."""
VIEWS = "_views.sql"
"""Engines leave files alone whose names begin with an underscore."""

COLUMNS = (
    *(("series", "string"), ("ts", "long"), ("f64", "double"), ("i64", "long")),
    *(("text", "string"), ("bool", "boolean"), ("quality", "string"), ("source", "string")),
    *(("seq", "long"), ("tx", "string"), ("number", "long")),
)
PARTITIONS = (
    *(("twin", "string"), ("twin_name", "string"), ("stream", "string"), ("day", "date")),
    *(("chunk", "string"), ("anchor", "string"), ("anchor_number", "long")),
)
_LEDGER = "twincli.ledger"
_SERIES = "twincli.series"


class File(NamedTuple):
    """A file of the table.

    Attributes:
        path: Below the table.
        size: Bytes.
        rows: Readings in it.
        first_us, last_us: The times of the first and the last one.
        partition: What holds for all of it, by the names of ``PARTITIONS``.
        series: What each of its series holds.
    """

    path: str
    size: int
    rows: int
    first_us: int
    last_us: int
    partition: Mapping[str, str | None]
    series: Mapping[str, str]


class Table(NamedTuple):
    """A table as its log has it.

    Attributes:
        version: Of the last commit.
        ledger_id: Whose readings it has.
        files: The paths in it, each with its partition.
        series: What each series of each stream holds.
    """

    version: int
    ledger_id: str
    files: Mapping[str, Mapping[str, str | None]]
    series: Mapping[str, Mapping[str, str]]


def name_of(version: int) -> str:
    """Return the name of a commit, below the table."""
    return f"{LOG}/{version:020}.json"


def creation(table_id: str, ledger_id: str, now_ms: int) -> list[dict[str, Any]]:
    """Return the actions that make a table."""
    fields = [
        {"name": name, "type": kind, "nullable": True, "metadata": {}}
        for name, kind in (*PARTITIONS, *COLUMNS)
    ]
    return [
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {
            "metaData": {
                "id": table_id,
                "name": "readings of digital twins",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": json.dumps({"type": "struct", "fields": fields}),
                "partitionColumns": [name for name, _ in PARTITIONS],
                "configuration": {_LEDGER: ledger_id},
                "createdTime": now_ms,
            }
        },
    ]


def added(file: File, now_ms: int) -> dict[str, Any]:
    """Return the action that adds a file."""
    stats = {
        "numRecords": file.rows,
        "minValues": {"ts": file.first_us},
        "maxValues": {"ts": file.last_us},
        "nullCount": {"ts": 0},
    }
    return {
        "add": {
            "path": file.path,
            "partitionValues": dict(file.partition),
            "size": file.size,
            "modificationTime": now_ms,
            "dataChange": True,
            "stats": json.dumps(stats),
            "tags": {_SERIES: json.dumps(dict(file.series), ensure_ascii=False)},
        }
    }


def removed(path: str, partition: Mapping[str, str | None], now_ms: int) -> dict[str, Any]:
    """Return the action that takes a file out."""
    return {
        "remove": {
            "path": path,
            "deletionTimestamp": now_ms,
            "dataChange": True,
            "extendedFileMetadata": False,
            "partitionValues": dict(partition),
        }
    }


def commit(actions: Iterable[dict[str, Any]], writer: str, now_ms: int) -> bytes:
    """Return a commit as its file has it."""
    info = {
        "commitInfo": {
            "timestamp": now_ms,
            "operation": "WRITE",
            "operationParameters": {"mode": "Append"},
            "engineInfo": writer,
        }
    }
    return "".join(
        json.dumps(action, separators=(",", ":"), ensure_ascii=False) + "\n"
        for action in (info, *actions)
    ).encode()


def replay(commits: Iterable[bytes]) -> Table:
    """Return what a log says, from its first commit on.

    Raises:
        ConflictError: ``foreign_table``: something else wrote it.
    """
    ledger_id: str | None = None
    files: dict[str, Mapping[str, str | None]] = {}
    series: dict[str, dict[str, str]] = {}
    version = -1
    for version, data in enumerate(commits):
        try:
            for line in data.decode().splitlines():
                action = dict(json.loads(line))
                if "metaData" in action:
                    ledger_id = action["metaData"]["configuration"].get(_LEDGER)
                elif "add" in action:
                    partition = action["add"]["partitionValues"]
                    kinds = json.loads(action["add"]["tags"][_SERIES])
                    _note(series, partition["stream"], kinds)
                    files[action["add"]["path"]] = partition
                elif "remove" in action:
                    files.pop(action["remove"]["path"], None)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise foreign(f"its version {version} was not written by twincli") from error
    if not isinstance(ledger_id, str):
        raise foreign("it was not made by twincli")
    return Table(version, ledger_id, files, series)


# --- Checkpoints ---------------------------------------------------------------------------------

_TEXTS = "MAP(VARCHAR, VARCHAR)"
_FIELDS = {
    "protocol": {"minReaderVersion": "INTEGER", "minWriterVersion": "INTEGER"},
    "metaData": {
        "id": "VARCHAR",
        "name": "VARCHAR",
        "format": f"STRUCT(provider VARCHAR, options {_TEXTS})",
        "schemaString": "VARCHAR",
        "partitionColumns": "VARCHAR[]",
        "configuration": _TEXTS,
        "createdTime": "BIGINT",
    },
    "add": {
        "path": "VARCHAR",
        "partitionValues": _TEXTS,
        "size": "BIGINT",
        "modificationTime": "BIGINT",
        "dataChange": "BOOLEAN",
        "stats": "VARCHAR",
        "tags": _TEXTS,
    },
    "remove": {
        "path": "VARCHAR",
        "deletionTimestamp": "BIGINT",
        "dataChange": "BOOLEAN",
        "extendedFileMetadata": "BOOLEAN",
        "partitionValues": _TEXTS,
    },
}
"""The actions that a checkpoint has, with the types of their members."""


def checkpoint_of(version: int) -> str:
    """Return the name of the checkpoint after a commit, below the table."""
    return f"{LOG}/{version:020}.checkpoint.parquet"


def last_checkpoint(version: int, actions: int) -> bytes:
    """Return what names the newest checkpoint."""
    return json.dumps({"version": version, "size": actions}).encode()


def summed(commits: Iterable[bytes], now_ms: int) -> list[dict[str, Any]]:
    """Return the actions that say the same as a log that `replay` has read.

    None at all where another program wrote something that a checkpoint of ours would lose.
    """
    heads: dict[str, dict[str, Any]] = {}
    files: dict[str, dict[str, Any]] = {}
    actions = (json.loads(line) for data in commits for line in data.decode().splitlines())
    for name, action in (item for each in actions for item in each.items()):
        if name == "commitInfo":
            continue
        if name not in _FIELDS or not action.keys() <= _FIELDS[name].keys():
            return []
        if name in {"add", "remove"}:
            files[action["path"]] = {name: {**action, "dataChange": False}}
        else:
            heads[name] = {name: action}
    return [
        *heads.values(),
        *(
            each
            for each in files.values()
            if "add" in each or each["remove"]["deletionTimestamp"] > now_ms - _KEPT_MS
        ),
    ]


def write_checkpoint(actions: Iterable[dict[str, Any]], source: str, path: str) -> None:
    """Write the actions of a checkpoint as Parquet.

    Args:
        actions: From `summed`.
        source: A file for them on their way, which does not exist yet.
        path: The checkpoint.
    """
    import duckdb

    with open(source, "x", encoding="utf-8") as file:
        file.writelines(json.dumps(action) + "\n" for action in actions)
    with duckdb.connect(config={"threads": "1"}) as engine:
        engine.execute("SET enable_progress_bar = false")
        columns = ", ".join(
            f"{name}: 'STRUCT({', '.join(' '.join(each) for each in fields.items())})'"
            for name, fields in _FIELDS.items()
        )
        engine.execute(
            f"COPY (SELECT * FROM read_json($source, format = 'newline_delimited',"  # noqa: S608
            f" columns = {{{columns}}})) TO $path (FORMAT parquet, COMPRESSION zstd)",
            {"source": source, "path": path},
        )


def merged(
    series: Mapping[str, Mapping[str, str]], files: Iterable[File]
) -> Mapping[str, Mapping[str, str]]:
    """Return what each series of each stream holds, that of more files, too."""
    found = {stream: dict(kinds) for stream, kinds in series.items()}
    for file in files:
        _note(found, str(file.partition["stream"]), file.series)
    return found


def _note(series: dict[str, dict[str, str]], stream: str, kinds: Mapping[str, str]) -> None:
    known = series.setdefault(stream, {})
    for name, kind in kinds.items():
        both = {kind, known.get(name, kind)}
        if len(both) > 1:  # one twin counts whole, another one measures
            known[name] = next((wide for wide, kinds in _WIDER if both <= kinds), _ANY)
        else:
            known[name] = kind


_ANY = "any"
_WIDER = (("f64", {"f64", "i64"}), ("text", {"text", "list"}))


def foreign(why: str) -> ConflictError:
    """Return the error for a table that cannot be grown."""
    return ConflictError(
        f"the table cannot be extended: {why}",
        code="foreign_table",
        hint="export into a new directory with -o",
    )


# --- Views ---------------------------------------------------------------------------------------

_NUMBER = "coalesce(f64, CAST(i64 AS DOUBLE))"
_PLACE = "coalesce(anchor_number, number)"
_COLUMN = {
    _ANY: f"coalesce(CAST({_NUMBER} AS STRING), text, CAST(bool AS STRING))",
    "f64": _NUMBER,
    "i64": "i64",
    "text": "text",
    "list": "text",
    "bool": "bool",
}


def views(location: str, series: Mapping[str, Mapping[str, str]]) -> str:
    """Return views in Spark's SQL that read well: all readings, and each stream as a wide table.

    Args:
        location: The table, as its readers name it.
        series: What each series of each stream holds.
    """
    table = f"delta.{_quoted(location)}"
    found = [
        "-- Written by twin stream export; run it in Spark SQL.",
        (
            f"CREATE OR REPLACE TEMPORARY VIEW {_quoted('twin_readings')} AS\n"
            "SELECT twin, twin_name, stream, substring(series, length(stream) + 2) AS field,\n"
            f"  timestamp_micros(ts) AS time, {_NUMBER} AS number, text, bool AS flag,\n"
            "  quality, quality <> 'good' AS suspect, source, seq, day,\n"
            "  chunk, coalesce(anchor, tx) AS transaction_id\n"
            f"FROM {table};"
        ),
    ]
    named = {"twin_readings"}
    for stream, kinds in sorted(series.items()):
        prefix = f"{stream}."
        taken = {"twin", "twin_name", "time", "day", "source", "seq", "chunk", "transaction_id"}
        columns = []
        for name, kind in sorted(kinds.items()):
            shown = name.removeprefix(prefix)
            while shown.casefold() in taken:
                shown += "_"
            taken.add(shown.casefold())
            columns.append(
                f"  min_by({_COLUMN[kind]}, {_PLACE})"
                f" FILTER (WHERE series = {_text(name)}) AS {_quoted(shown)},\n"
            )
        view = stream
        while view.casefold() in named:  # to an engine, Temp and temp are one
            view += "_"
        named.add(view.casefold())
        found.append(
            f"CREATE OR REPLACE TEMPORARY VIEW {_quoted(view)} AS\n"
            "SELECT twin, twin_name, timestamp_micros(ts) AS time,\n"
            f"{''.join(columns)}"
            f"  source, seq, day, min_by(chunk, {_PLACE}) AS chunk,\n"
            f"  min_by(coalesce(anchor, tx), {_PLACE}) AS transaction_id\n"
            f"FROM {table}\n"
            f"WHERE stream = {_text(stream)} AND quality = 'good'\n"
            "GROUP BY twin, twin_name, day, ts, source, seq;"
        )
    return "\n\n".join(found) + "\n"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
