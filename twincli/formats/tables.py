"""Foreign tables: CSV and spreadsheets as rows of cells under the names of their columns."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from twincli.errors import InvalidError, cut
from twincli.formats import sheets
from twincli.formats.readings.lines import Lines, check_text, encoding_of, peek
from twincli.formats.readings.table import (
    SAMPLE_BYTES,
    csv_rows,
    guessed_delimiter,
    guessed_encoding,
)
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


class Rows:
    """The rows of a table. Close them before their file is closed.

    Args:
        header: The names of the columns.
        rows: Numbers and cells.
    """

    def __init__(
        self, header: list[str], rows: Generator[tuple[int, list[Any] | InvalidError]]
    ) -> None:
        self._header = header
        self._rows = rows

    def close(self) -> None:
        """Stop reading."""
        self._rows.close()

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any] | InvalidError]]:
        """Yield the line, or the row of the sheet, and its cells by column, or why it has none."""
        header, width = self._header, len(self._header)
        for number, cells in self._rows:
            if isinstance(cells, InvalidError):
                yield number, cells
                continue
            kept = cells
            if len(cells) > width and all(cell in (None, "") for cell in cells[width:]):
                kept = cells[:width]
            faulty = next((cell for cell in kept if isinstance(cell, sheets.Faulty)), None)
            if len(kept) != width:
                yield number, _wrong(f"it has {len(kept)} cells, and the table {width} columns")
            elif faulty is not None:
                why = f"{cut(header[kept.index(faulty)])}: {faulty.why}"
                yield number, InvalidError(why, code="invalid_value")
            elif kept == header:
                yield number, _wrong("the names of the columns again")
            else:
                yield number, dict(zip(header, kept, strict=True))


class Table(NamedTuple):
    """A table.

    Attributes:
        header: The names of its columns.
        rows: To be closed before the file is.
        found: What was found and not told, for people.
    """

    header: list[str]
    rows: Rows
    found: str | None = None


def read_csv(
    stream: IO[bytes], what: str, delimiter: str | None = None, encoding: str | None = None
) -> Table:
    """Return a table of CSV.

    Args:
        stream: Binary; it can seek, or it is buffered by at least ``SAMPLE_BYTES``.
        what: What errors call it.
        delimiter: Between cells; None: it is found.
        encoding: As Python calls it; None: it is found.

    Raises:
        InvalidError: ``invalid_table``, ``unknown_encoding``, ``not_text``.
    """
    head = peek(stream, SAMPLE_BYTES)
    check_text(head)
    found = []
    told = encoding or guessed_encoding(head, whole=len(head) < SAMPLE_BYTES)
    used = encoding_of(head, told)
    if encoding is None:
        found.append(f"encoding {used}")
    if delimiter is None:
        text = head.decode(used, errors="replace")
        if len(head) >= SAMPLE_BYTES and "\n" in text:
            text = text[: text.rindex("\n") + 1]
        delimiter = guessed_delimiter(text)
        found.append(f"delimiter {'tab' if delimiter == chr(9) else delimiter}")
    said = f"found: {', '.join(found)}" if found else None
    return _table(csv_rows(Lines(stream, told), delimiter), what, said)


def read_sheet(path: str, what: str, sheet: str | None = None) -> Table:
    """Return a table of a spreadsheet; see ``sheets.rows``."""
    return _table(sheets.rows(path, what, sheet), what)


def _table(
    rows: Generator[tuple[int, list[Any] | InvalidError]], what: str, found: str | None = None
) -> Table:
    try:
        _, first = next(rows, (0, []))
        if isinstance(first, InvalidError) or not first:
            raise sheets.wrong(what, "it is empty, or does not begin with the names of its columns")
        header = sheets.header(first, what)
    except InvalidError:
        rows.close()
        raise
    return Table(header, Rows(header, rows), found)


def _wrong(why: str) -> InvalidError:
    return InvalidError(why, code="invalid_line")
