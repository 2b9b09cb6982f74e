"""CSV: what a file looks like, and its rows by our rules.

Delimiter, encoding, decimal mark, the column with the time and the types are told or found in the
beginning of the file, and reported. An empty cell is not a reading. A number is one as JSON
has it, or with a plus, without a leading zero; ``007`` is a text. A column is of numbers if all
its cells in the beginning are; a later cell that is not a number is then refused, never guessed.
"""

from __future__ import annotations

import csv
import io
import re
from typing import IO, TYPE_CHECKING, Any

from twincli.errors import InvalidError, TwinError, cut, shown
from twincli.formats.readings.lines import (
    Lines,
    Read,
    Refused,
    check_text,
    encoding_of,
    peek,
    refused,
)
from twincli.model import reading, times
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from datetime import tzinfo

MAX_COLUMNS = reading.MAX_LEAVES
SAMPLE_BYTES = 1 << 18
SAMPLE_ROWS = 1000
TOO_LONG = "\0"
"""Stands in the place of a line that is too long, or of wrong bytes."""

_DELIMITERS = (",", ";", "\t", "|")
SPACES = " \t\n\r\v\f"
_TIME_NAMES = ("timestamp", "time", "datetime", "date", "ts", "time_utc", "utc", "zeit", "t")
WHOLE = r"[+-]?(?:0|[1-9][0-9]*)"
NUMBER = rf"{WHOLE}(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|[+-]?\.[0-9]+"
_NOT_FINITE = r"[+-]?(?:nan|inf|infinity)"
_ALIKE = (
    r"[+-]?[$€£]? ?(?:[0-9]{1,3}(?:[ ,.'\u2019\u00a0\u202f][0-9]{3})+|[0-9]+)"
    r"(?:[.,][0-9]+)? ?[%$€£]?"
)
"""What people write for numbers: thousands apart, a per cent sign, a currency, a comma."""


class Layout(NamedTuple):
    """What a CSV file looks like.

    Attributes:
        delimiter: Between cells.
        encoding: As Python calls it.
        decimal: The mark in numbers: ``.`` or ``,``.
        header: The names of the columns.
        time: The name of the column with the time.
        kinds: For each column ``whole`` (numbers, so far), ``number``, ``bool``, ``text``,
            ``empty`` or ``time``.
        numeric_time: Whether the times in the beginning are numbers.
        zoned: Whether every time in the beginning says its zone, or is a number.
        found: Which of these were found rather than told, for people.
        alike: The columns of texts that look like numbers, or mostly are, each with a cell that
            is not one.
    """

    delimiter: str
    encoding: str
    decimal: str
    header: tuple[str, ...]
    time: str
    kinds: tuple[str, ...]
    numeric_time: bool
    zoned: bool
    found: tuple[str, ...]
    alike: tuple[tuple[str, str], ...] = ()


def look(
    stream: IO[bytes],
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    time: str | None = None,
) -> Layout:
    """Return what a file looks like; nothing is taken from the stream.

    Args:
        stream: Binary; it can seek, or it is buffered by at least `SAMPLE_BYTES`.
        delimiter: As `Layout` has it; None: it is found. So are the others.
        encoding: Same.
        decimal: Same.
        time: The name of the column with the time; None: it is found.

    Raises:
        InvalidError: ``invalid_table`` (no header, too many columns, a name twice, no column with
            the time), ``unknown_encoding``, ``not_text``.
    """
    head = peek(stream, SAMPLE_BYTES)
    check_text(head)
    whole = len(head) < SAMPLE_BYTES
    found = [
        name
        for name, told in (("delimiter", delimiter), ("encoding", encoding), ("decimal", decimal))
        if told is None
    ]
    encoding = encoding_of(head, encoding or guessed_encoding(head, whole=whole))
    text = head.decode(encoding, errors="replace")
    if not whole and "\n" in text:
        text = text[: text.rindex("\n") + 1]
    delimiter = delimiter or guessed_delimiter(text)
    rows = _sample(text, delimiter)
    if any("\0" in name for row in rows[:1] for name in row):
        raise _wrong(
            "it has NUL characters, as UTF-16 has without a mark at its beginning",
            "if it is UTF-16, add --encoding utf-16-le or utf-16-be",
        )
    if not rows or not any(rows[0]):
        raise _wrong("it is empty, or does not begin with the names of its columns")
    header = tuple(name.strip(SPACES) for name in rows[0])
    if len(header) > MAX_COLUMNS:
        raise _wrong(f"it has more than {MAX_COLUMNS} columns")
    for name in header:
        if not name:
            raise _wrong("a column has no name")
        if header.count(name) > 1:
            raise _wrong(f"two columns are named {shown(name)}")
    rows[1:] = [without_tail(row, len(header)) for row in rows[1:]]
    body = [row for row in rows[1:] if len(row) == len(header) and tuple(row) != tuple(rows[0])]
    columns = [
        [cell for row in body if (cell := row[at].strip(SPACES))] for at in range(len(header))
    ]
    decimal = decimal or _guessed_decimal(columns, delimiter)
    if time is None:
        time = _guessed_time(header, columns)
        found.append("time")
    elif time not in header:
        raise _wrong(f"it has no column {shown(time)}", f"it has {cut(', '.join(header))}")
    kinds = tuple(
        "time" if name == time else _kind(cells, decimal)
        for name, cells in zip(header, columns, strict=True)
    )
    moments = columns[header.index(time)]
    return Layout(
        delimiter,
        encoding,
        decimal,
        header,
        time,
        kinds,
        bool(moments) and all(re.fullmatch(NUMBER, cell) for cell in moments),
        all(map(_is_zoned, moments)),
        tuple(found),
        tuple(
            (name, odd)
            for name, kind, cells in zip(header, kinds, columns, strict=True)
            if kind == "text"
            and name not in reading.RESERVED_LEAVES
            and (odd := _alike(cells, decimal))
        ),
    )


def _alike(cells: list[str], decimal: str) -> str | None:
    """Return the first text that is not a plain number, where most are, or all look like one."""
    odd = [cell for cell in cells if not re.fullmatch(NUMBER, _pointed(cell, decimal))]
    is_mostly = 2 * len(odd) < len(cells)  # the others are "n/a" or "ERR"
    if not is_mostly and not all(re.fullmatch(_ALIKE, cell) for cell in odd):
        return None
    return next((cell for cell in odd if not cell.isdigit()), None)  # 007 is a text by right


def _wrong(why: str, hint: str | None = None) -> InvalidError:
    return InvalidError(f"the table cannot be read: {why}", code="invalid_table", hint=hint)


def without_tail(cells: list[str], width: int) -> list[str]:
    """Return the cells of a row without empty ones behind the last column."""
    return cells[:width] if len(cells) > width and not any(cells[width:]) else cells


def guessed_encoding(head: bytes, *, whole: bool) -> str:
    """Return the encoding of a text that begins so: UTF-8, or that of old Windows."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if whole or error.start < len(head) - 3:  # else the sample ends inside a character
            return "cp1252"
    return "utf-8"


def guessed_delimiter(text: str) -> str:
    """Return the delimiter that most first rows agree about, the header's commonest if none."""
    best, most = "", 0
    for delimiter in _DELIMITERS:
        rows = _sample(text, delimiter)[:50]
        width = len(rows[0]) if rows else 0
        same = sum(len(row) == width for row in rows)
        if width > 1 and same * 10 >= len(rows) * 8 and width > most:
            best, most = delimiter, width
    first = text.partition("\n")[0]
    return best or max(_DELIMITERS, key=first.count)


def _sample(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while len(rows) <= SAMPLE_ROWS:
        try:
            rows.append(next(reader))
        except StopIteration:
            break
        except csv.Error:
            continue
    return [row for row in rows if row]


def _guessed_decimal(columns: list[list[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    points = commas = 0
    for cells in columns:
        points += all(re.fullmatch(NUMBER, cell) for cell in cells)
        commas += all(re.fullmatch(NUMBER, _pointed(cell, ",")) for cell in cells)
    return "," if commas > points else "."


def _pointed(cell: str, decimal: str) -> str:
    """Return a number with a point; one that has a point already stays no number."""
    if decimal == ".":
        return cell
    return cell.replace(".", "\0").replace(decimal, ".")


def _guessed_time(header: tuple[str, ...], columns: list[list[str]]) -> str:
    folded = [name.casefold() for name in header]
    for name in _TIME_NAMES:
        if name in folded:
            return header[folded.index(name)]
    for name, cells in zip(header, columns, strict=True):
        if cells and all(re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", cell) for cell in cells):
            return name
    raise _wrong(
        "no column looks like the time", f"call it timestamp; it has {cut(', '.join(header))}"
    )


def _kind(cells: list[str], decimal: str) -> str:
    # What computations write instead of a number does not make a text of the others.
    cells = [cell for cell in cells if not re.fullmatch(_NOT_FINITE, cell, re.IGNORECASE)]
    if not cells:
        return "empty"
    if all(re.fullmatch(WHOLE, cell) for cell in cells):
        return "whole"
    if all(re.fullmatch(NUMBER, _pointed(cell, decimal)) for cell in cells):
        return "number"
    return "bool" if all(cell in {"true", "false"} for cell in cells) else "text"


def _is_zoned(cell: str) -> bool:
    return bool(re.fullmatch(NUMBER, cell) or re.search(r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})$", cell))


# --- Rows ----------------------------------------------------------------------------------------


def csv_rows(lines: Lines, delimiter: str) -> Generator[tuple[int, list[str] | InvalidError]]:
    """Yield the rows of CSV that are not blank, each with the line on which it begins.

    Args:
        lines: Of the file, at its beginning.
        delimiter: Between cells.
    """
    begins = [1]
    has_quote = [False]

    def texts() -> Iterator[str]:
        for number, line in lines:
            begins[0] = number
            has_quote[0] = line is not None and '"' in line
            yield TOO_LONG + "\n" if line is None else line

    reader = csv.reader(texts(), delimiter=delimiter, strict=True)
    first = True
    while True:
        begin = begins[0] + (not first)
        first = False
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            is_long, is_open = "field larger" in str(error), "unexpected end" in str(error)
            why = cut(str(error))
            if is_long or is_open:
                why = f"a cell has more than {csv.field_size_limit()} characters"
            if is_open or (is_long and (has_quote[0] or begins[0] != begin)):
                # Where it ends is not known, so what follows may be inside of it.
                why += ", or its quote is not closed; the rest of the file is not read"
                yield begin, InvalidError(why, code="invalid_line")
                return
            yield begin, InvalidError(why, code="invalid_line")
            continue
        cells = [cell.strip(SPACES) for cell in row]
        if TOO_LONG in cells:
            yield begin, lines.why_not()
        elif any(cells):
            yield begin, cells


def read(
    stream: IO[bytes], layout: Layout, *, zone: tzinfo | None = None
) -> Iterator[Read | Refused]:
    """Yield the rows of a file.

    Args:
        stream: Binary, at its beginning.
        layout: What `look` found.
        zone: What times without a zone are in; None refuses them.
    """
    first = True
    for begin, found in csv_rows(Lines(stream, layout.encoding), layout.delimiter):
        if first:
            first = False
            continue
        try:
            if isinstance(found, InvalidError):
                raise found
            if tuple(found) == layout.header:
                raise InvalidError("the names of the columns again", code="invalid_line")
            cells = without_tail(found, len(layout.header))
            if len(cells) != len(layout.header):
                count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
                raise InvalidError(
                    f"it has {count}, and the table {len(layout.header)} columns",
                    code="invalid_line",
                )
            yield Read(begin, _observation(cells, layout, zone))
        except TwinError as error:
            yield refused(begin, error)


def line_numbers(stream: IO[bytes], layout: Layout, rows: Sequence[int]) -> list[int]:
    """Return the lines in which rows of a file without a fault begin.

    Args:
        stream: Binary, at its beginning.
        layout: What `look` found.
        rows: From 0, the one after the names of the columns; ascending.
    """
    wanted, found = {*rows}, {}
    for at, item in enumerate(read(stream, layout)):
        if at in wanted:
            found[at] = item.line
        if len(found) == len(wanted):
            break
    return [found[row] for row in rows]


def _observation(cells: list[str], layout: Layout, zone: tzinfo | None) -> reading.Observation:
    value: dict[str, Any] = {}
    time_us = None
    for name, kind, cell in zip(layout.header, layout.kinds, cells, strict=True):
        if kind == "time":
            time_us = _time(cell, zone)
        elif cell:
            value[name] = _cell(name, kind, cell, layout.decimal)
    found = reading.parse(value)
    return found._replace(time_us=time_us)


def _time(cell: str, zone: tzinfo | None) -> int:
    if not cell:
        raise InvalidError("it has no time", code="no_time")
    if re.fullmatch(NUMBER, cell):
        return times.to_microseconds(_number(cell))
    return times.to_microseconds(cell, zone)


def _cell(name: str, kind: str, cell: str, decimal: str) -> Any:
    if name == "seq":  # what is wrong with one of them says nothing of the others
        return _number(cell) if re.fullmatch(WHOLE, cell) else cell
    if name in reading.RESERVED_LEAVES:
        return cell
    if kind in {"whole", "number", "empty"}:
        pointed = _pointed(cell, decimal)
        if re.fullmatch(NUMBER, pointed):
            return _number(pointed)
        if kind != "empty" or re.fullmatch(_NOT_FINITE, cell, re.IGNORECASE):
            raise InvalidError(f"{cut(name)}: {shown(cell)} is not a number", code="invalid_value")
        return cell
    if kind == "bool":
        if cell in {"true", "false"}:
            return cell == "true"
        raise InvalidError(
            f"{cut(name)}: {shown(cell)} is neither true nor false", code="invalid_value"
        )
    return cell


def _number(text: str) -> int | float:
    if re.fullmatch(WHOLE, text):
        if len(text) > 20:  # more than 64 bits; Python may refuse to read it
            raise InvalidError(f"{cut(text)} is more than 64 bits", code="invalid_value")
        return int(text)
    found = float(text)
    if found in {float("inf"), float("-inf")}:
        raise InvalidError(f"{cut(text)} is too large for a double", code="invalid_value")
    return found
