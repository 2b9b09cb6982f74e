"""Import files of readings: CSV, JSON Lines, GPX, NMEA, Parquet.

A file without a fault, of a stream that no template has a say in, is read by an engine; any other
line by line. Imported again, what is there already is not stored twice.
"""

from __future__ import annotations

import io
import os
from contextlib import closing
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, cut, shown
from twincli.services.stream import ingest, known
from twincli.services.stream import push as pushing
from twincli.services.stream.push import Block, Line
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from datetime import tzinfo
    from typing import IO

    from twincli.formats.mapping import Map
    from twincli.formats.readings.fast import Table
    from twincli.formats.readings.lines import Read, Refused
    from twincli.formats.readings.table import Layout
    from twincli.formats.tables import Table as Rows
    from twincli.model.batch import Batch
    from twincli.services.asset.write_options import Writing
    from twincli.services.documents import Pushed
    from twincli.services.stream.known import Room
    from twincli.services.stream.push import Target

FORMATS = ("csv", "jsonl", "gpx", "nmea", "parquet")
MAPPED = ("csv", "jsonl")
"""Formats that a map can be given for."""
MAPPED_BLOCK = 50_000
"""Rows of a table with a map that are stored together."""
REJECT, SUSPECT, SKIP = ON_INVALID = ("reject", "suspect", "skip")


class How(NamedTuple):
    """How a file is read.

    Attributes:
        format: One of `FORMATS`.
        zone: What times without a zone are in; None refuses them.
        delimiter: Of CSV; None: it is found. So are the next two.
        encoding: As Python calls it.
        decimal: ``.`` or ``,``.
        on_invalid: ``reject``: nothing of a block with a fault is stored, nor what comes after it;
            ``suspect``: values beyond a range are stored as suspect; ``skip``: the good ones are.
        map: What the columns mean; None: they are leaves under their own names.
    """

    format: str
    zone: tzinfo | None = None
    delimiter: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    on_invalid: str = REJECT
    map: Map | None = None


def import_file(
    room: Room,
    ref: str,
    name: str,
    path: str,
    how: How,
    writing: Writing,
    *,
    progress: Callable[[int, int], None] | None = None,
    found: Callable[[str], None] = lambda _text: None,
) -> Pushed:
    """Import a file into a stream, which is made where it is missing.

    Args:
        room: What it is worked on with.
        ref: The twin.
        name: The stream.
        path: The file.
        how: How it is read.
        writing: W, without ``prepare``, ``once`` and ``if_tip``.
        progress: Called with how much is done and how much there is.
        found: Told what a table looks like, where that was found and not given.

    Raises:
        InvalidError: ``invalid_table``, ``invalid_gpx``; ``time_ahead``.
        ConfigError: ``missing_extra``.
        LockedError: ``no_key``.
    """
    target = pushing.target_of(room, ref, name)
    if how.map is not None:
        plan = checked_map(how.map)
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            told = progress or (lambda _done, _all: None)
            lines = _mapped(stream, plan, how, lambda: told(stream.tell(), size), found)
            return _push(target, _map_blocks(lines), how, writing)
    layout = None
    if how.format == "csv":
        layout = _layout(path, how)
        if layout.found:
            found(_described(layout))
    table = _table(target, path, how, layout)
    done = progress or (lambda _done, _all: None)
    if table is not None:
        with closing(table):
            made = _push(target, _of_table(table, path, layout, done), how, writing)
            return _warned(made, layout)
    with open(path, "rb") as stream:
        if how.format == "jsonl":
            size = os.fstat(stream.fileno()).st_size
            blocks = json_blocks(stream, target.name, how, lambda: done(stream.tell(), size))
        else:
            blocks = iter([Block(lambda: _lines(stream, how, layout, done))])
        return _warned(_push(target, blocks, how, writing), layout)


def _warned(made: Pushed, layout: Layout | None) -> Pushed:
    """Return what was pushed, with a warning for each column of texts that look like numbers."""
    alike = () if layout is None or not made["count"] else layout.alike
    warnings = [
        f"{cut(column)} is kept as text: {shown(cell)} is not a plain number"
        for column, cell in alike
    ]
    return {**made, "warnings": [*made["warnings"], *warnings]}


def _push(target: Target, blocks: Iterator[Block], how: How, writing: Writing) -> Pushed:
    return pushing.push_blocks(
        target.room,
        target.ref,
        target.name,
        blocks,
        writing,
        on_invalid=SUSPECT if how.on_invalid == SUSPECT else None,
        skip=how.on_invalid == SKIP,
    )


def checked_map(plan: Map) -> Map:
    """Return a map that can be used for an import, which is of one stream of one twin.

    Raises:
        InvalidError: ``invalid_map``.
    """
    if plan.do not in {None, "reading"}:
        raise plan.fault(("do",), f"an import takes readings, and this map is for {plan.do}", _WAY)
    given = {"name": plan.name, "stream": plan.stream, "set": plan.set, "key": plan.key}
    for member, value in given.items():
        if value:
            why = f"an import is of one stream of one twin, so {member} says nothing"
            raise plan.fault((member,), why, _WAY)
    return plan


_WAY = "leave it out, or give the file to: twin batch apply"


def _map_blocks(lines: Iterator[Line]) -> Iterator[Block]:
    """Yield the lines of a table in blocks."""
    while block := list(islice(lines, MAPPED_BLOCK)):
        yield Block(partial(iter, block))


def _mapped(
    stream: IO[bytes], plan: Map, how: How, done: Callable[[], None], found: Callable[[str], None]
) -> Iterator[Line]:
    """Yield the rows of a table, or the documents of others, as their map says."""
    from twincli.formats import tables

    reader = plan.reader._replace(
        decimal=how.decimal or plan.reader.decimal, zone=how.zone or plan.reader.zone
    )
    plan = plan._replace(reader=reader)
    if how.format == "jsonl":
        lines = _documents(stream, how.encoding or plan.encoding or "utf-8", plan)
    else:
        delimiter, encoding = how.delimiter or plan.delimiter, how.encoding or plan.encoding
        table = tables.read_csv(stream, "the table", delimiter, encoding)
        if table.found:
            found(table.found)
        lines = _of_rows(table, plan)
    with closing(lines):
        for count, line in enumerate(lines, 1):
            if count % 1000 == 0:
                done()
            yield line


def _of_rows(table: Rows, plan: Map) -> Generator[Line]:
    with closing(table.rows) as rows:
        plan.check_columns(table.header)
        for number, record in rows:
            if isinstance(record, InvalidError):
                yield Line(number, None, record)
            else:
                yield _by_map(number, plan, record)


def _documents(stream: IO[bytes], encoding: str, plan: Map) -> Generator[Line]:
    from twincli.crypto import canonical
    from twincli.formats.readings.lines import Lines

    texts = Lines(stream, encoding)
    for number, text in texts:
        try:
            if text is None:
                raise texts.why_not()
            if not text.strip():
                continue
            value = canonical.decode(text, what="the line")
            if not isinstance(value, dict):
                raise InvalidError(f"{shown(value)} is not an object", code="invalid_reading")
        except InvalidError as error:
            yield Line(number, None, error)
            continue
        yield _by_map(number, plan, plan.record(value))


def _by_map(number: int, plan: Map, record: Mapping[str, Any]) -> Line:
    from twincli.model import reading

    try:
        row = plan.row(record)
        found = reading.parse(row.data, zone=plan.reader.zone)
        if row.at_us is not None:
            found = found._replace(time_us=row.at_us)
        if found.time_us is None:
            raise InvalidError(
                "it has no time",
                code="no_time",
                hint="time: COLUMN in the map says which column has it",
            )
    except InvalidError as error:
        return Line(number, None, error)
    return Line(number, found)


def _layout(path: str, how: How) -> Layout:
    from twincli.formats.readings import table

    with open(path, "rb") as stream:
        return table.look(
            stream, delimiter=how.delimiter, encoding=how.encoding, decimal=how.decimal
        )


def _described(layout: Layout) -> str:
    """Return what was found in a table, for people."""
    marks = {"\t": "tab", " ": "space"}
    values = {
        "delimiter": marks.get(layout.delimiter, f"'{layout.delimiter}'"),
        "encoding": layout.encoding,
        "decimal": f"'{layout.decimal}'",
        "time": repr(layout.time),
    }
    return "found: " + ", ".join(f"{name} {values[name]}" for name in layout.found)


def _table(target: Target, path: str, how: How, layout: Layout | None) -> Table | None:
    """Return the file as an engine reads it, None where it is to be read line by line."""
    from twincli.content import chunks
    from twincli.formats.readings import fast, parquet

    if how.format not in {"csv", "parquet"}:
        return None
    chunks.load_duckdb()
    kinds: dict[str, str] = {}
    if target.stream is not None:
        known.head_of(target.room, target.stream)
        kinds = known.kinds_of(target.room, target.stream)
    kinds |= target.rules.kinds
    if layout is None:
        return parquet.read(path, target.name, kinds)
    return fast.read(path, layout, target.name, kinds)


def _of_table(
    table: Table, path: str, layout: Layout | None, done: Callable[[int, int], None]
) -> Iterator[Block]:
    """Yield what an engine has read, as columns."""
    rows = 0
    for batch in table.batches():
        number = partial(_line_numbers, path, layout, rows)
        rows += len(batch.time)
        yield Block(
            partial(_lines_of, batch, number),
            partial(_same, batch),
            number,
            partial(done, rows, table.rows),
        )


def _same(batch: Batch, _known: Mapping[str, str]) -> Batch:
    return batch


def _line_numbers(path: str, layout: Layout | None, begin: int, rows: Sequence[int]) -> list[int]:
    """Return the lines in which rows of a file begin; in CSV a cell may go over several."""
    from twincli.formats.readings import table

    if layout is None or not rows:
        return [begin + row + 1 for row in rows]
    with open(path, "rb") as stream:
        return table.line_numbers(stream, layout, [begin + row for row in rows])


def _lines_of(batch: Batch, number: Callable[[Sequence[int]], list[int]]) -> Iterator[Line]:
    """Yield the rows of a batch as observations."""
    from twincli.model.reading import Observation

    names = [column.series.partition(".")[2] for column in batch.columns]
    for row, line in enumerate(number(range(len(batch.time)))):
        leaves = {}
        for name, column in zip(names, batch.columns, strict=True):
            if column.valid is None or column.valid[row]:
                value = column.values[row]
                leaves[name] = value.item() if hasattr(value, "item") else value
        yield Line(line, Observation(leaves, int(batch.time[row])))


def json_blocks(
    stream: IO[bytes],
    name: str,
    how: How,
    after: Callable[[], None] = lambda: None,
    *,
    timed: bool = True,
) -> Iterator[Block]:
    """Yield JSON Lines in blocks, which are read as columns where all lines are alike.

    Args:
        stream: Binary.
        name: The stream they are for.
        how: Their zone and encoding.
        after: Called when a block is done.
        timed: Whether an observation without a time is refused.
    """
    from twincli.formats.readings import jsonl
    from twincli.formats.readings.lines import encoding_of, peek

    encoding = how.encoding or "utf-8"
    if encoding_of(peek(stream, 4), encoding) != "utf-8":
        items = jsonl.read(stream, zone=how.zone, encoding=encoding, timed=timed)
        yield Block(partial(_read_lines, items), after=after)
        return
    begin = 0
    for data, count in jsonl.blocks(stream):
        yield Block(
            partial(_json_lines, data, begin, how, timed),
            partial(_json_columns, data if count > pushing.MAX_INLINE else b"", name),
            partial(_after, begin),
            after,
        )
        begin += count


def _json_lines(data: bytes, begin: int, how: How, timed: bool) -> Iterator[Line]:  # noqa: FBT001
    from twincli.formats.readings import jsonl

    found = jsonl.read(io.BytesIO(data), zone=how.zone, timed=timed)
    return (line._replace(number=begin + line.number) for line in _read_lines(found))


def _json_columns(data: bytes, name: str, known: Mapping[str, str]) -> Batch | None:
    if not data:
        return None
    ingest.check_extras()
    from twincli.formats.readings import columns

    return columns.read(data, name, known)


def _after(begin: int, rows: Sequence[int]) -> list[int]:
    return [begin + row + 1 for row in rows]


def _lines(
    stream: IO[bytes], how: How, layout: Layout | None, done: Callable[[int, int], None]
) -> Iterator[Line]:
    from twincli.formats.readings import gpx, nmea, table

    if layout is not None:
        items = table.read(stream, layout, zone=how.zone)
    else:
        items = gpx.read(stream) if how.format == "gpx" else nmea.read(stream)
    size = os.fstat(stream.fileno()).st_size
    for number, line in enumerate(_read_lines(items), 1):
        if number % 1000 == 0:
            done(stream.tell(), size)
        yield line


def _read_lines(items: Iterator[Read | Refused]) -> Iterator[Line]:
    from twincli.formats.readings.lines import Refused

    for item in items:
        if isinstance(item, Refused):
            yield Line(item.line, None, InvalidError(item.reason, code=item.code))
        else:
            yield Line(item.line, item.observation)
