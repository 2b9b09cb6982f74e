"""Rows as they are written: JSON, JSON Lines, CSV, Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import json
from contextlib import contextmanager
from itertools import islice

from twincli.errors import UsageError
from twincli.model.batch import load_numpy
from twincli.model.text import in_json
from twincli.services.query import answers
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from twincli.services.query.answers import Answer
    from twincli.services.query.query import Found

JSON, JSONL, CSV, PARQUET = TO_FILES = ("json", "jsonl", "csv", "parquet")
TABLE = "table"
FORMATS = (TABLE, *TO_FILES)
_PIECE = 2000


def of_name(path: str) -> str | None:
    """Return the format that the name of a file says, or None."""
    ending = path.lower().removesuffix(".gz").rpartition(".")[2]
    return ending if ending in TO_FILES else None


def write(found: Found, form: str, put: Callable[[bytes], object]) -> int:
    """Write rows; return how many.

    Args:
        found: The answer.
        form: One of `TO_FILES`.
        put: Takes bytes.
    """
    if form == PARQUET:
        return _parquet(found.answer, put, in_memory=found.is_private)
    count = 0
    for rows in _texts(found, form):
        text, size = rows
        put(text.encode("utf-8", "backslashreplace"))
        count += size
    return count


@contextmanager
def compressed(put: Callable[[bytes], object]) -> Iterator[Callable[[bytes], object]]:
    """Give a writer whose bytes go on compressed; equal rows give equal bytes."""

    class Sink(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            put(bytes(data))
            return len(data)

    with gzip.GzipFile(filename="", mode="wb", fileobj=Sink(), compresslevel=6, mtime=0) as file:
        yield file.write


def _texts(found: Found, form: str) -> Iterator[tuple[str, int]]:
    if form == CSV:
        yield from _csv(found)
        return
    documents = found.rows()
    if form == JSON:
        head = {**found.document, "rows": []}
        yield in_json(_encode(head))[:-2], 0
    first = True
    while part := list(islice(documents, _PIECE)):
        lines = [in_json(_encode(row)) for row in part]
        if form == JSONL:
            yield "\n".join(lines) + "\n", len(lines)
        else:
            yield ("" if first else ",") + ",".join(lines), len(lines)
        first = False
    if form == JSON:
        yield "]}\n", 0


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def _csv(found: Found) -> Iterator[tuple[str, int]]:
    memory = io.StringIO()
    writer = csv.writer(memory, lineterminator="\n")
    columns = found.answer.columns
    writer.writerow([column.path for column in columns])
    odd = [at for at, column in enumerate(columns) if column.kind in {"list", "bool", "any"}]
    # Times and numbers have no mark that a cell is quoted for; a row of one empty cell is quoted.
    is_plain = len(columns) > 1 and all(column.kind in {"time", "f64", "i64"} for column in columns)
    for block in found.answer.blocks:
        cells = answers.cells(columns, block, found.digits)
        if is_plain:
            texts = [
                values if column.kind == "time" else _number_texts(values)
                for column, values in zip(columns, cells, strict=True)
            ]
            text = "".join(f"{line}\n" for line in map(",".join, zip(*texts, strict=True)))
            yield memory.getvalue() + text, len(block.time)
            memory.seek(0)
            memory.truncate()
            continue
        rows = answers.rows_of(cells, len(block.time))
        while part := list(islice(rows, _PIECE)):
            for row in part:
                for at in odd:
                    row[at] = _cell(row[at])
            writer.writerows(part)
            yield memory.getvalue(), len(part)
            memory.seek(0)
            memory.truncate()
    yield memory.getvalue(), 0


def _number_texts(values: Sequence[Any]) -> list[str]:
    """Return numbers as `csv` writes them, an empty text where there is none."""
    if isinstance(values, answers.Numbers):
        return values.texts
    return ["" if value is None else str(value) for value in values]


def _cell(value: Any) -> Any:
    if value is None or type(value) in {str, int, float}:
        return value
    return _encode(value)


_SQL = {
    "f64": "DOUBLE",
    "i64": "BIGINT",
    "bool": "BOOLEAN",
    "text": "VARCHAR",
    "list": "VARCHAR",
    "any": "VARCHAR",
    "time": "TIMESTAMP",
}


def _parquet(answer: Answer, put: Callable[[bytes], object], *, in_memory: bool) -> int:
    """Write a Parquet file by way of a temporary one."""
    from twincli.content import chunks, memory

    if not answer.columns:
        raise UsageError("there are no columns to write", hint="name a field with --fields")
    np = load_numpy()
    blocks = list(answer.blocks)
    count = sum(len(block.time) for block in blocks)
    data: dict[str, Any] = {}
    chosen = []
    for at, column in enumerate(answer.columns):
        name = f"c{at}"
        quoted = '"' + column.path.replace('"', '""') + '"'
        if column.kind == "time":
            data[name] = np.concatenate([np.zeros(0, "int64"), *(block.time for block in blocks)])
            chosen.append(f"make_timestamp({name}) AS {quoted}")
            continue
        values = [value for block in blocks for value in block.columns[at]]
        data[name] = array(values, column.kind)
        chosen.append(f"CAST({name} AS {_SQL[column.kind]}) AS {quoted}")
    with memory.passing(in_memory=in_memory) as path:
        with chunks.connect() as connection:
            connection.register("answer", data)
            connection.execute(
                f"COPY (SELECT {', '.join(chosen)} FROM answer)"  # noqa: S608
                f" TO '{path.replace(chr(39), chr(39) * 2)}' (FORMAT parquet, USE_TMP_FILE false,"
                " COMPRESSION zstd)"
            )
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                put(piece)
    return count


def array(values: list[Any], kind: str) -> Any:
    """Return values as an array that an engine takes; None is masked, or None."""
    np = load_numpy()
    if kind in {"text", "list", "any"}:
        made = np.empty(len(values), dtype=object)
        made[:] = [
            value if value is None or isinstance(value, str) else _encode(value) for value in values
        ]
        return made
    dtype, empty = {"f64": ("float64", 0.0), "i64": ("int64", 0), "bool": ("bool", False)}[kind]
    absent = np.array([value is None for value in values], dtype=bool)
    filled = [empty if value is None else value for value in values]
    whole = np.array(filled, dtype=dtype)
    return np.ma.array(whole, mask=absent) if absent.any() else whole
