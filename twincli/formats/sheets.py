"""Spreadsheets (xlsx, ods): rows of cells, read by a child process with limits.

A few bytes of a crafted file can stand for millions of cells, and a reader of them may die. So the
file is opened by a process that may use little memory and time, and its rows come back as JSON,
one at a time. What a cell shows is read, never computed: of a formula its last result, and a cell
with an error, or a formula that was never computed, is refused where it stands.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError, InvalidError, cut, shown
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator

FORMATS = ("xlsx", "ods")
MAX_BYTES = 256 << 20
MAX_UNPACKED = 1 << 30
MAX_MEMBERS = 10_000
MAX_COLUMNS = 1000
SECONDS = 60
MEMORY_BYTES = 2 << 30


class Faulty(NamedTuple):
    """A cell that cannot be read.

    Attributes:
        why: For people.
    """

    why: str


def rows(
    path: str, what: str, sheet: str | None = None
) -> Generator[tuple[int, list[Any] | InvalidError]]:
    """Yield the rows of a sheet with their numbers, from 1; empty ones are passed over.

    Cells are texts, numbers, truths, dates, times, None where they are empty, or `Faulty`.

    Args:
        path: The file.
        what: What errors call it.
        sheet: Its name; None: the first.

    Raises:
        InvalidError: ``invalid_table``.
        ConfigError: ``missing_extra``, ``cannot_start``.
    """
    check(path, what)
    try:
        import python_calamine  # noqa: F401 - the child needs it
    except ImportError as error:
        raise ConfigError(
            "spreadsheets need an extra package",
            code="missing_extra",
            hint='pip install "twincli[data]", or save the table as CSV',
        ) from error
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-m", "twincli.formats.opening"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
        )
    except OSError as error:
        raise ConfigError(
            f"cannot start a process to read a spreadsheet: {error.strerror}", code="cannot_start"
        ) from error
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        with child.stdin as told:
            told.write(json.dumps({"path": path, "sheet": sheet}).encode())
        is_whole = False
        for line in child.stdout:
            answer = json.loads(line)
            if "refused" in answer:
                raise wrong(what, cut(str(answer["refused"])), answer.get("hint"))
            if "end" in answer:
                is_whole = True
                break
            yield answer["row"], [_cell(cell) for cell in answer["cells"]]
        if not is_whole:
            raise wrong(
                what,
                "it takes more memory or time than its cells are worth",
                "save the table as CSV",
            )
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def wrong(what: str, why: str, hint: str | None = None) -> InvalidError:
    """Return the error of a file that is not a table."""
    return InvalidError(f"{what} cannot be read: {why}", code="invalid_table", hint=hint)


def check(path: str, what: str) -> None:
    """Refuse a file that is no archive, or unpacks to more than anybody needs.

    Raises:
        InvalidError: ``invalid_table``.
    """
    try:
        with open(path, "rb") as stream, zipfile.ZipFile(stream) as archive:
            stream.seek(0, 2)
            if stream.tell() > MAX_BYTES:
                raise wrong(what, f"it is larger than {MAX_BYTES >> 20} MiB")
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise wrong(what, "it is not a spreadsheet", "xlsx and ods are read") from error
    if len(members) > MAX_MEMBERS:
        raise wrong(what, f"it has more than {MAX_MEMBERS} parts")
    if sum(member.file_size for member in members) > MAX_UNPACKED:
        raise wrong(what, f"it unpacks to more than {MAX_UNPACKED >> 20} MiB")


def _cell(cell: Any) -> Any:
    """Return a cell as it was before it was JSON."""
    if not isinstance(cell, dict):
        return cell
    ((kind, text),) = cell.items()
    if kind == "faulty":
        return Faulty(str(text))
    if kind == "date":
        return date.fromisoformat(text)
    return datetime.fromisoformat(text) if kind == "datetime" else time.fromisoformat(text)


def header(cells: list[Any], what: str) -> list[str]:
    """Return the names of the columns; empty cells behind the last one are left out.

    Raises:
        InvalidError: ``invalid_table``: too many, one without a name, or a name twice.
    """
    from twincli.formats.cells import text

    count = len(cells)
    while count and cells[count - 1] in (None, ""):
        count -= 1
    # First of all: a line of a few hundred kilobytes has room for very many.
    if count > MAX_COLUMNS:
        raise wrong(what, f"it has more than {MAX_COLUMNS} columns")
    names: dict[str, None] = {}
    for number, cell in enumerate(cells[:count], 1):
        name = "" if cell is None or isinstance(cell, Faulty) else text(cell).strip()
        if not name:
            raise wrong(what, f"column {number} has no name", "the first row names the columns")
        if name in names:
            raise wrong(what, f"two columns are named {shown(name)}")
        names[name] = None
    return [*names]
