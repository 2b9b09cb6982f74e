"""The child process that opens a foreign chunk: ``python -m twincli.content.opening``.

It reads a job from stdin, takes its own rights away, and answers a line of JSON and the bytes of
arrays. Nothing here is trusted by the parent.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from twincli.content import chunks, foreign
from twincli.errors import ConfigError
from twincli.limits import limit
from twincli.model.batch import load_numpy


class _RefusedError(Exception):
    """The file is not a chunk."""


def engine(path: str) -> Any:
    """Return an engine that may read this file and nothing else."""
    connection = chunks.load_duckdb().connect(
        ":memory:",
        config={
            "threads": "1",
            "memory_limit": foreign.ENGINE_MEMORY,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    connection.execute("SET enable_progress_bar = false; SET temp_directory = ''")
    connection.execute("SET allowed_paths = [" + "'" + path.replace("'", "''") + "']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def answer(job: dict[str, Any]) -> bytes:
    """Return what a file holds, or why it is refused."""
    path = job["path"]
    duckdb = chunks.load_duckdb()
    try:
        if os.stat(path).st_size != job["size"]:
            raise _RefusedError("its size is not that of its anchor")
        return _opened(engine(path), path, job["rows"])
    except (_RefusedError, ConfigError) as error:
        return _line({"refused": str(error)})
    except (duckdb.Error, OSError, ValueError, MemoryError) as error:
        return _line({"refused": f"it cannot be read: {str(error)[:200]}"})


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _opened(connection: Any, path: str, rows: int) -> bytes:
    np = load_numpy()

    def ask(sql: str, **values: object) -> Any:
        return connection.execute(sql, {"path": path, **values})

    (found,) = ask("SELECT num_rows FROM parquet_file_metadata($path)").fetchone()
    if found != rows:
        raise _RefusedError("its footer has another number of rows than its anchor")
    kinds = ask("DESCRIBE SELECT * FROM read_parquet($path)").fetchall()
    if [(name, kind) for name, kind, *_ in kinds] != list(chunks.COLUMNS):
        raise _RefusedError("its columns are not those of a chunk")
    about = ask(
        "SELECT value FROM parquet_kv_metadata($path) WHERE key = $key", key=chunks.KEY
    ).fetchone()
    if about is None:
        raise _RefusedError("it does not say what it is")
    text = bytes(about[0]).decode()
    kind_of = chunks.read_about(text.encode(), path).kinds
    if not 0 < len(kind_of) <= foreign.MAX_SERIES:
        raise _RefusedError("it names no series, or too many")
    (wrong,) = ask(
        "SELECT count(*) FROM read_parquet($path) WHERE series IS NULL OR ts IS NULL OR quality"
        " IS NULL OR source IS NULL OR seq IS NULL OR (f64 IS NOT NULL)::INT + (i64 IS NOT NULL)"
        "::INT + (text IS NOT NULL)::INT + (bool IS NOT NULL)::INT <> 1"
    ).fetchone()
    if wrong:
        raise _RefusedError("a row has not exactly one value")
    told, arrays, count = [], [], 0
    for name in sorted(kind_of):
        kind = kind_of[name]
        column = {"list": "text"}.get(kind, kind)
        table = ask(
            f"SELECT ts, {column} AS v, quality, source, seq FROM read_parquet($path)"  # noqa: S608
            f" WHERE series = $name AND {column} IS NOT NULL ORDER BY ts, source, seq",
            name=name,
        ).fetchnumpy()
        if len(table["ts"]) == 0:
            raise _RefusedError("it names series that it does not have")
        count += len(table["ts"])
        said: dict[str, Any] = {"name": name, "kind": kind, "count": len(table["ts"])}
        codes = {}
        for part, key in (("quality", "qualities"), ("source", "sources"), ("v", "texts")):
            if part == "v" and column != "text":
                continue
            names, codes[part] = np.unique(table[part].astype(object), return_inverse=True)
            said[key] = names.tolist()
        told.append(said)
        values = codes["v"].astype("<i4") if column == "text" else table["v"]
        arrays += [
            np.asarray(table["ts"]).astype("<i8").tobytes(),
            np.asarray(table["seq"]).astype("<i8").tobytes(),
            codes["quality"].astype("<i4").tobytes(),
            codes["source"].astype("<i4").tobytes(),
            np.asarray(values).tobytes(),
        ]
    if count != rows:
        raise _RefusedError("it has series that it does not name")
    made = b"".join([_line({"about": text, "series": told}), *arrays])
    if len(made) > foreign.MAX_OUTPUT:
        raise _RefusedError("it holds more than a chunk may")
    return made


def main() -> None:
    """Do the job that stands on stdin."""
    job = json.load(sys.stdin)
    chunks.load_duckdb()  # loaded while files may still be mapped
    load_numpy()
    limit(foreign.MEMORY_BYTES, foreign.SECONDS)
    sys.stdout.buffer.write(answer(job))


if __name__ == "__main__":
    main()
