"""Import files of readings: CSV, JSON Lines, GPX, NMEA, Parquet.

A file without a fault, of a stream that no template has a say in, is read by an engine; any other
line by line. Imported again, what is there already is not stored twice.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, LockedError
from twincli.model.times import microseconds_text
from twincli.services.stream import ingest, known
from twincli.services.stream import push as pushing
from twincli.services.stream.push import Line
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo
    from typing import IO

    from twincli.formats.readings.fast import Table
    from twincli.formats.readings.table import Layout
    from twincli.model.batch import Batch
    from twincli.services.asset.write_options import Writing
    from twincli.services.documents import Pushed
    from twincli.services.stream.ingest import Stored
    from twincli.services.stream.known import Room
    from twincli.services.stream.push import Target

FORMATS = ("csv", "jsonl", "gpx", "nmea", "parquet")
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
    """

    format: str
    zone: tzinfo | None = None
    delimiter: str | None = None
    encoding: str | None = None
    decimal: str | None = None
    on_invalid: str = REJECT


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
    layout = None
    if how.format == "csv":
        layout = _layout(path, how)
        if layout.found:
            found(_described(layout))
    table = _table(target, path, how, layout)
    if table is not None:
        try:
            if how.format == "csv" or not target.rules.kinds:
                return _by_batches(target, table, how, writing, progress)
            lines = _lines_of(table)
            return _by_lines(target, lines, how, writing)
        finally:
            table.close()
    with open(path, "rb") as stream:
        return _by_lines(target, _lines(stream, how, layout, progress), how, writing)


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
    if target.rules.kinds:
        return None
    return fast.read(path, layout, target.name, kinds)


def _by_batches(
    target: Target,
    table: Table,
    how: How,
    writing: Writing,
    progress: Callable[[int, int], None] | None,
) -> Pushed:
    latest_us = (target.room.workspace.now() + 5 * 60_000) * 1000
    done: list[Stored] = []
    refused: list[Any] = []
    rows = 0
    for batch in table.batches():
        _check_times(batch, latest_us)
        target = pushing.made(target)
        rows += len(batch.time)
        if target.stream is None:  # a dry run, before the first push
            done.append(ingest.Stored(new=len(batch.time)))
            continue
        try:
            stored = ingest.store(
                target.room, target.stream, batch, writing, skip_conflicts=how.on_invalid == SKIP
            )
        except LockedError as error:
            raise pushing.explained(target, error)  # noqa: B904 - it is the same error
        assert isinstance(stored, ingest.Stored)
        done.append(stored)
        # The first line has the names of the columns.
        begin = rows - len(batch.time) + 2
        refused += [
            {"line": begin + row, "code": error.code, "reason": error.message}
            for row, error in stored.conflicts
        ]
        if progress is not None:
            progress(rows, table.rows)
        if refused and how.on_invalid != SKIP:
            break
    return {
        **pushing.document(target, done),
        "refused": refused[: pushing.MAX_LISTED],
        "refused_count": len(refused),
    }


def _check_times(batch: Batch, latest_us: int) -> None:
    if int(batch.time.max()) > latest_us:
        raise InvalidError(
            f"{microseconds_text(int(batch.time.max()))} is more than 5 minutes ahead of this"
            " machine's clock",
            code="time_ahead",
            hint="is the clock of the device right?",
        )


def _by_lines(target: Target, lines: Iterator[Line], how: How, writing: Writing) -> Pushed:
    return pushing.push_lines(
        target.room,
        target.ref,
        target.name,
        lines,
        writing,
        on_invalid=SUSPECT if how.on_invalid == SUSPECT else None,
        skip=how.on_invalid == SKIP,
    )


def _lines(
    stream: IO[bytes],
    how: How,
    layout: Layout | None,
    progress: Callable[[int, int], None] | None,
) -> Iterator[Line]:
    from twincli.formats.readings import gpx, jsonl, nmea, table
    from twincli.formats.readings.lines import Refused

    if layout is not None:
        items = table.read(stream, layout, zone=how.zone)
    elif how.format == "jsonl":
        items = jsonl.read(stream, zone=how.zone, encoding=how.encoding or "utf-8")
    else:
        items = gpx.read(stream) if how.format == "gpx" else nmea.read(stream)
    size = os.fstat(stream.fileno()).st_size
    for number, item in enumerate(items, 1):
        if progress is not None and number % 1000 == 0:
            progress(stream.tell(), size)
        if isinstance(item, Refused):
            yield Line(item.line, None, InvalidError(item.reason, code=item.code))
        else:
            yield Line(item.line, item.observation)


def _lines_of(table: Table) -> Iterator[Line]:
    """Yield the rows of a table as observations."""
    from twincli.model.reading import Observation

    number = 0
    for batch in table.batches():
        names = [column.series.partition(".")[2] for column in batch.columns]
        for row in range(len(batch.time)):
            number += 1
            leaves = {}
            for name, column in zip(names, batch.columns, strict=True):
                if column.valid is None or column.valid[row]:
                    value = column.values[row]
                    leaves[name] = value.item() if hasattr(value, "item") else value
            yield Line(number, Observation(leaves, int(batch.time[row])))
