"""The child process that opens a spreadsheet: ``python -m twincli.formats.opening``.

It reads a job from stdin, takes its own rights away, and answers a line of JSON for each row.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from datetime import date, datetime, time, timedelta
from typing import IO, TYPE_CHECKING, Any
from xml.parsers import expat

from twincli.errors import shown
from twincli.formats import sheets
from twincli.limits import limit

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_SURE = date(1900, 3, 1)
"""Excel takes 1900 for a leap year, so what it shows as earlier days is another day elsewhere."""

_REF = re.compile(rb'\br="([A-Z]{1,3})([0-9]{1,7})"')
_ERROR = re.compile(rb'\bt="e"')
_PIECE = 1 << 20
MAX_FAULTY = 10_000
MAX_PART = 8 << 20
"""Bytes of what names the sheets and says where they stand, each of which is read whole."""


class RefusedError(Exception):
    """The file is not a table that can be read."""

    def __init__(self, why: str, hint: str | None = None) -> None:
        super().__init__(why)
        self.hint = hint


def answers(path: str, wanted: str | None) -> Iterator[dict[str, Any]]:
    """Yield what is said of each row."""
    import python_calamine

    try:
        with open(path, "rb") as stream:  # by its content: its name may say something else
            book = python_calamine.CalamineWorkbook.from_filelike(stream)
        names = book.sheet_names
        if not names:
            raise RefusedError("it has no sheet")
        name = names[0] if wanted is None else wanted
        if name not in names:
            known = ", ".join(map(shown, names[:10]))
            raise RefusedError(f"it has no sheet {shown(name)}", f"it has {known}")
        sheet = book.get_sheet_by_name(name)
        if sheet.width > sheets.MAX_COLUMNS:
            raise RefusedError(
                f"it has {sheet.width} columns, at most {sheets.MAX_COLUMNS} are read"
            )
        is_excel = not _is_ods(path)
        if not is_excel:
            _check_ods(path, sheet.height)
        faulty = _faulty(path, names.index(name)) if is_excel else {}
        first = 0 if sheet.start is None else sheet.start[1]
        for number, row in enumerate(sheet.iter_rows(), 1):
            cells = [_said(cell, is_excel=is_excel) for cell in row]
            for column, why in faulty.get(number, ()):
                if 0 <= column - first < len(cells):
                    cells[column - first] = {"faulty": why}
            if any(cell is not None for cell in cells):
                yield {"row": number, "cells": cells}
    except python_calamine.PasswordError:
        raise RefusedError("it is protected by a password", "save it without one") from None
    except (python_calamine.CalamineError, ValueError, OverflowError) as error:
        raise RefusedError(f"it is damaged: {str(error)[:100]}") from error


def _is_ods(path: str) -> bool:
    with zipfile.ZipFile(path) as archive:
        return "content.xml" in archive.namelist()


def _check_ods(path: str, height: int) -> None:
    """Refuse cells with errors, which the library reads as empty, and rows that are all one."""
    with zipfile.ZipFile(path) as archive, archive.open("content.xml") as stream:
        size, rest = 0, b""
        while piece := stream.read(_PIECE):
            size += len(piece)
            if b'calcext:value-type="error"' in rest + piece:
                raise RefusedError("one of its cells holds an error, such as #DIV/0!")
            rest = piece[-40:]
    if height > max(1000, size // 20):
        raise RefusedError(f"it stands for {height} rows, which it does not have")


def _said(cell: Any, *, is_excel: bool) -> Any:
    """Return a cell as JSON."""
    if cell in ("", None):
        return None
    if isinstance(cell, str | bool):
        return cell
    if isinstance(cell, int | float):
        return cell if cell == cell and abs(cell) != float("inf") else {"faulty": "not a number"}  # noqa: PLR0124
    if isinstance(cell, datetime | date):
        day = cell.date() if isinstance(cell, datetime) else cell
        if is_excel and day < _FIRST_SURE:
            return {"faulty": "a date before March 1900, which Excel counts otherwise than others"}
        kind = "datetime" if isinstance(cell, datetime) else "date"
        return {kind: cell.isoformat()}
    if isinstance(cell, time):
        return {"time": cell.isoformat()}
    if isinstance(cell, timedelta):
        return str(cell)
    return str(cell)


def _faulty(path: str, position: int) -> dict[int, list[tuple[int, str]]]:
    """Return by row the cells of a sheet of Excel that hold an error or were never computed.

    The library reads both as empty, so they would be missing without a word.
    """
    found: dict[int, list[tuple[int, str]]] = {}
    count = 0
    with zipfile.ZipFile(path) as archive:
        member = _member(archive, position)
        if member is None:
            return found
        with archive.open(member) as stream:
            for cell in _cells(stream):
                why = _why(cell)
                ref = _REF.search(cell) if why is not None else None
                if why is not None and ref is not None:
                    found.setdefault(int(ref[2]), []).append((_column(ref[1]), why))
                    count += 1
                    if count > MAX_FAULTY:
                        raise RefusedError("more than 10,000 of its cells hold errors")
    return found


def _cells(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what stands from the beginning of each cell to that of the next one."""
    rest = b""
    while piece := stream.read(_PIECE):
        *whole, rest = (rest[-_PIECE:] + piece).split(b"<c ")
        yield from whole
    yield rest


def _why(cell: bytes) -> str | None:
    head, _, body = cell.partition(b">")
    body = body.partition(b"</c>")[0]
    if _ERROR.search(head):
        value = re.search(rb"<v>([^<]{1,20})", body)
        return f"the error {'' if value is None else value[1].decode(errors='replace')}".strip()
    if b"<f" in body and b"<v" not in body and b"<is" not in body:
        return "a formula that was never computed: open it in a spreadsheet and save it"
    return None


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _member(archive: zipfile.ZipFile, position: int) -> str | None:
    """Return the part of the archive in which a sheet stands, None where that is not clear."""
    try:
        book = _elements(archive, "xl/workbook.xml", "sheet")
        relations = _elements(archive, "xl/_rels/workbook.xml.rels", "Relationship")
    except KeyError:
        return None
    marks = [
        value for sheet in book for name, value in sheet.items() if name.partition(":")[2] == "id"
    ]
    ids = marks or [sheet["id"] for sheet in book if "id" in sheet]
    if position >= len(ids):
        return None
    for relation in relations:
        if relation.get("Id") == ids[position] and "Target" in relation:
            name = relation["Target"]
            name = name.lstrip("/") if name.startswith("/") else f"xl/{name}"
            return name if name in archive.namelist() else None
    return None


def _elements(archive: zipfile.ZipFile, part: str, wanted: str) -> list[dict[str, str]]:
    """Return the attributes of the elements of a name, whatever the prefix, in a small part.

    Raises:
        KeyError: There is no such part.
    """
    too_large = RefusedError(f"its {part} is larger than {MAX_PART >> 20} MiB")
    info = archive.getinfo(part)
    if info.file_size > MAX_PART:
        raise too_large
    with archive.open(info) as stream:
        data = stream.read(MAX_PART + 1)  # the directory may lie about its size
    if len(data) > MAX_PART:
        raise too_large
    found: list[dict[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] == wanted:
            found.append(attributes)

    def doctype(*_: object) -> None:
        raise RefusedError(f"its {part} has a document type, which no workbook has")

    # A parser and no expressions: those take the square of the time of a comment full of tags.
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)  # noqa: FBT003 - it takes no keywords
    except expat.ExpatError as error:
        raise RefusedError(f"it is damaged: {part} is not XML: {str(error)[:100]}") from error
    return found


def main() -> None:
    """Read the job, answer."""
    job = json.load(sys.stdin)
    import python_calamine  # noqa: F401 - what it needs is opened before the limits hold

    limit(sheets.MEMORY_BYTES, sheets.SECONDS)
    write = sys.stdout.write
    try:
        for answer in answers(job["path"], job["sheet"]):
            write(json.dumps(answer) + "\n")
    except RefusedError as error:
        write(json.dumps({"refused": str(error), "hint": error.hint}) + "\n")
    except (MemoryError, RecursionError):
        write(json.dumps({"refused": "it takes more memory than its cells are worth"}) + "\n")
    except (OSError, zipfile.BadZipFile) as error:
        write(json.dumps({"refused": f"it is damaged: {str(error)[:100]}"}) + "\n")
    else:
        write('{"end": true}\n')


if __name__ == "__main__":
    main()
