"""Foreign tables: CSV and spreadsheets, and what crafted ones cost."""

from __future__ import annotations

import copy
import io
import subprocess
import sys
import time as clock
import zipfile
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

import pytest

from tests.formats import workbooks
from tests.formats.workbooks import Day, Fault, Formula, Moment, row, text, xlsx
from twincli.errors import ConfigError, InvalidError
from twincli.formats import opening, sheets, tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def read(path: str, sheet: str | None = None) -> list[tuple[int, Any]]:
    """Return the rows of a spreadsheet, those that are refused by their reason."""
    found = tables.read_sheet(path, "x", sheet)
    return [
        (number, cells.message if isinstance(cells, InvalidError) else cells)
        for number, cells in found.rows
    ]


def test_what_cells_of_excel_are(tmp_path: Path) -> None:
    path = xlsx(
        tmp_path / "x.xlsx",
        [
            ["id", "n", "day", "moment", "yes", "sum", "word"],
            ["007", 1.5, Day(45322), Moment(45322.375), True, Formula("1+1", 2), " Élan "],
            [],
            ["8", None, Day(61), None, False, Formula("A1", "id"), None],
            ["9", 1e300, Moment(0.5)],
        ],
    )
    assert read(path) == [
        (
            2,
            {
                "id": "007",
                "n": 1.5,
                "day": date(2024, 1, 31),
                "moment": datetime(2024, 1, 31, 9),  # noqa: DTZ001 - spreadsheets have no zones
                "yes": True,
                "sum": 2.0,
                "word": " Élan ",
            },
        ),
        (
            4,
            {
                "id": "8",
                "n": None,
                "day": date(1900, 3, 1),
                "moment": None,
                "yes": False,
                "sum": "id",
                "word": None,
            },
        ),
        (
            5,
            {
                "id": "9",
                "n": 1e300,
                "day": time(12),
                "moment": None,
                "yes": None,
                "sum": None,
                "word": None,
            },
        ),
    ]


def test_days_since_1904(tmp_path: Path) -> None:
    table: list[list[Any]] = [["id", "d"], ["1", Day(43860)]]
    assert read(xlsx(tmp_path / "x.xlsx", table, since_1904=True))[0][1]["d"] == date(2024, 1, 31)
    assert read(xlsx(tmp_path / "y.xlsx", table))[0][1]["d"] == date(2020, 1, 30)


def test_cells_that_would_be_missing_without_a_word(tmp_path: Path) -> None:
    path = xlsx(
        tmp_path / "x.xlsx",
        [
            ["id", "v"],
            ["error", Fault("#DIV/0!")],
            ["never computed", Formula("1+1", None)],
            ["leap day of 1900", Day(60)],
            ["before it", Day(59)],
            ["good", 1],
        ],
    )
    assert [cells for _, cells in read(path)] == [
        "v: the error #DIV/0!",
        "v: a formula that was never computed: open it in a spreadsheet and save it",
        "v: a date before March 1900, which Excel counts otherwise than others",
        "v: a date before March 1900, which Excel counts otherwise than others",
        {"id": "good", "v": 1.0},
    ]


def test_sheets_by_name(tmp_path: Path) -> None:
    faulty = workbooks.rows_of([["id", "v"], ["1", Fault("#REF!")]])
    path = xlsx(tmp_path / "x.xlsx", [["id", "v"], ["1", 2]], sheets={"Other": faulty})
    assert read(path) == [(2, {"id": "1", "v": 2.0})]
    assert read(path, "Parts") == read(path)
    assert read(path, "Other") == [(2, "v: the error #REF!")]
    with pytest.raises(InvalidError, match="no sheet 'Nope'") as caught:
        read(path, "Nope")
    assert caught.value.hint == "it has 'Parts', 'Other'"


def test_what_cells_of_opendocument_are(tmp_path: Path) -> None:
    cell = "<table:table-cell office:value-type="
    path = workbooks.ods(
        tmp_path / "x.ods",
        row(text("id"), text("v")),
        row(text("007"), f'{cell}"date" office:date-value="1850-01-31"/>'),
        row(text("a"), f'{cell}"float" office:value="1.5"/>'),
        row(text("b"), f'{cell}"boolean" office:boolean-value="true"/>'),
        row(text("c"), f'{cell}"percentage" office:value="0.5"/>'),
    )
    assert [cells["v"] for _, cells in read(path)] == [date(1850, 1, 31), 1.5, True, 0.5]


# --- Crafted files -------------------------------------------------------------------------------


def _bomb(path: Path) -> str:
    """Return an archive whose parts are all the same bytes of the file."""
    name = "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b" " * (1 << 26))
        for number in range(2, 18):
            again = copy.copy(archive.getinfo(name))
            again.filename = f"xl/worksheets/sheet{number}.xml"
            archive.filelist.append(again)
    return str(path)


def _lying_bomb(path: Path) -> str:
    """Return an archive whose directory says that its parts are small."""
    xlsx(path, "<row>" + "<c><v>1</v></c>" * 2_000_000 + "</row>")
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        size = max(item.file_size for item in archive.infolist())
    path.write_bytes(data.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little")))
    return str(path)


def _bytes(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def _cut_off(path: Path) -> str:
    xlsx(path, [["id"]])
    return _bytes(path, path.read_bytes()[:400])


def _something_else(path: Path) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b")
    return str(path)


def _many_parts(path: Path) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(10_001):
            archive.writestr(f"{number}", b"")
    return str(path)


def _far(path: Path) -> str:
    corners = (
        '<row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    )
    return xlsx(path, corners)


def _entities(path: Path) -> str:
    xlsx(path, [["id"], ["1"]])
    laughs = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 10}">' for n in range(9)
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(
            "xl/sharedStrings.xml",
            f"{workbooks.HEAD}{laughs}]><sst {workbooks.MAIN}><si><t>&j;</t></si></sst>",
        )
    return str(path)


def _with_part(path: Path, name: str, text: str) -> str:
    """Return a workbook with another part in the place of one."""
    xlsx(path, [["id"], ["1"]])
    with zipfile.ZipFile(path) as archive:
        parts = {item.filename: archive.read(item) for item in archive.infolist()}
    parts[name] = text.replace("BODY", parts[name].decode().removeprefix(workbooks.HEAD)).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, data in parts.items():
            archive.writestr(part, data)
    return str(path)


BOOK, RELATIONS = NAMES = ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
LARGE = f"{workbooks.HEAD}<!--{' ' * (8 << 20)}-->BODY"
TYPED = f"{workbooks.HEAD}<!DOCTYPE x []>BODY"


CRAFTED: dict[str, tuple[Callable[[Path], str], str]] = {
    "nothing": (lambda path: _bytes(path, b""), "not a spreadsheet"),
    "no archive": (lambda path: _bytes(path, b"id;v"), "not a spreadsheet"),
    "an archive cut off": (_cut_off, "not a spreadsheet"),
    "an archive of something else": (_something_else, "it is damaged"),
    "no rows": (lambda path: xlsx(path, []), "it is empty"),
    "a row of blanks": (lambda path: xlsx(path, [[" ", ""]]), "has no name"),
    "a column without a name": (
        lambda path: xlsx(path, [["a", None, "b"]]),
        "column 2 has no name",
    ),
    "a name twice": (lambda path: xlsx(path, [["a", "a"]]), "two columns are named 'a'"),
    "an error for a name": (
        lambda path: xlsx(path, [["a", Fault("#N/A")]]),
        "column 2 has no name",
    ),
    "a large workbook": (lambda path: _with_part(path, BOOK, LARGE), f"{BOOK} is larger than 8"),
    "large relations": (
        lambda path: _with_part(path, RELATIONS, LARGE),
        f"{RELATIONS} is larger than 8",
    ),
    "a workbook with a document type": (
        lambda path: _with_part(path, BOOK, TYPED),
        f"{BOOK} has a document type",
    ),
    "relations with a document type": (
        lambda path: _with_part(path, RELATIONS, TYPED),
        f"{RELATIONS} has a document type",
    ),
    "relations after which something stands": (
        lambda path: _with_part(path, RELATIONS, f"{workbooks.HEAD}BODY<a/>"),
        f"{RELATIONS} is not XML",
    ),
    "a thousand and one columns": (
        lambda path: xlsx(path, [[f"c{n}" for n in range(1001)]]),
        "it has 1001 columns",
    ),
    "a bomb": (_bomb, "unpacks to more than"),
    "a bomb that lies": (_lying_bomb, "cannot be read"),
    "many parts": (_many_parts, "more than 10000 parts"),
    "cells in far corners": (_far, "more memory or time than its cells are worth"),
    "a billion columns": (
        lambda path: workbooks.ods(
            path, row(text("a", ' table:number-columns-repeated="1000000000"'))
        ),
        "columns, at most 1000 are read",
    ),
    "a billion rows": (
        lambda path: workbooks.ods(
            path, row(text("a"), more=' table:number-rows-repeated="1000000000"')
        ),
        "rows, which it does not have",
    ),
    "an error of OpenDocument": (
        lambda path: workbooks.ods(
            path, row(text("a")), row(text("#DIV/0!", ' calcext:value-type="error"'))
        ),
        "one of its cells holds an error",
    ),
    "broken cells": (lambda path: xlsx(path, "<c <c <c " * 100_000), "it is damaged"),
    "cells that never end": (
        lambda path: xlsx(path, '<row r="1"><c r="A1" t="e">' + "<v>" * 1000),
        "cannot be read",
    ),
    "many errors": (
        lambda path: xlsx(path, [["a"], *([Fault("#N/A")] for _ in range(10_001))]),
        "more than 10,000 of its cells hold errors",
    ),
}


@pytest.mark.no_cover
@pytest.mark.parametrize("case", CRAFTED)
def test_a_crafted_spreadsheet_costs_little_and_says_why(tmp_path: Path, case: str) -> None:
    make, why = CRAFTED[case]
    path = make(tmp_path / "x.xlsx")
    begun = clock.monotonic()
    with pytest.raises(InvalidError) as caught:
        read(path)
    assert clock.monotonic() - begun < 30
    assert caught.value.code == "invalid_table"
    assert why in caught.value.message


@pytest.mark.parametrize("name", NAMES)
def test_a_comment_full_of_tags_costs_little(tmp_path: Path, name: str) -> None:
    tag = {BOOK: "<sheet ", RELATIONS: "<Relationship "}[name]
    path = _with_part(tmp_path / "x.xlsx", name, f"{workbooks.HEAD}<!--{tag * 500_000}-->BODY")
    begun = clock.monotonic()
    assert read(path) == [(2, {"id": "1"})]
    assert clock.monotonic() - begun < 10


def test_a_sheet_in_a_comment_is_none(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "x.xlsx", [["a"], [Fault("#N/A")]])
    with zipfile.ZipFile(path) as archive:
        parts = {item.filename: archive.read(item) for item in archive.infolist()}
    parts[BOOK] = parts[BOOK].replace(b"<sheets>", b'<!-- <sheet r:id="rId99"/> --><sheets>')
    with zipfile.ZipFile(path, "w") as archive:
        for part, data in parts.items():
            archive.writestr(part, data)
    ((_, error),) = read(path)
    assert "#N/A" in str(error)


def test_entities_are_not_opened_out(tmp_path: Path) -> None:
    path = _entities(tmp_path / "x.xlsx")
    with pytest.raises(InvalidError, match="damaged"):
        read(path)


def test_a_name_that_says_something_else(tmp_path: Path) -> None:
    assert read(workbooks.ods(tmp_path / "x.xlsx", row(text("a")), row(text("b")))) == [
        (2, {"a": "b"})
    ]
    assert read(xlsx(tmp_path / "file", [["a"], ["b"]])) == [(2, {"a": "b"})]


def test_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import python_calamine

    def locked(_path: str) -> None:
        raise python_calamine.PasswordError("x")

    monkeypatch.setattr(python_calamine.CalamineWorkbook, "from_filelike", locked)
    with pytest.raises(opening.RefusedError, match="password"):
        list(opening.answers(xlsx(tmp_path / "x.xlsx", [["a"]]), None))


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = xlsx(tmp_path / "x.xlsx", [["a"], ["b"]])
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert caught.value.code == "missing_extra"
    assert "twincli[data]" in (caught.value.hint or "")


def test_a_process_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = xlsx(tmp_path / "x.xlsx", [["a"], ["b"]])

    def cannot(*_: Any, **__: Any) -> None:
        raise OSError(11, "no more processes")

    monkeypatch.setattr(subprocess, "Popen", cannot)
    with pytest.raises(ConfigError, match="no more processes"):
        read(path)


def test_who_stops_reading_leaves_no_process(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "x.xlsx", [["a"], *([n] for n in range(5000))])
    rows = sheets.rows(path, "x")
    assert next(rows)[0] == 1
    rows.close()


# --- CSV -----------------------------------------------------------------------------------------


def csv(data: bytes, **told: str) -> tuple[tables.Table, list[tuple[int, Any]]]:
    found = tables.read_csv(io.BytesIO(data), "x", **told)
    return found, [
        (number, cells.message if isinstance(cells, InvalidError) else cells)
        for number, cells in found.rows
    ]


def test_csv_as_it_comes() -> None:
    table, rows = csv(b'\xef\xbb\xbfid;name\n1;"a;b"\n\n2;"two\nlines"\n3\n4;x;\n5;x;y\nid;name\n')
    assert table.header == ["id", "name"]
    assert table.found == "found: encoding utf-8-sig, delimiter ;"
    assert rows == [
        (2, {"id": "1", "name": "a;b"}),
        (4, {"id": "2", "name": "two\nlines"}),
        (6, "it has 1 cells, and the table 2 columns"),
        (7, {"id": "4", "name": "x"}),
        (8, "it has 3 cells, and the table 2 columns"),
        (9, "the names of the columns again"),
    ]


def test_csv_as_it_is_told() -> None:
    _, rows = csv("id\tname\n1\tÉlan\n".encode("latin-1"), delimiter="\t", encoding="latin-1")
    assert rows == [(2, {"id": "1", "name": "Élan"})]
    _, rows = csv("id,n\n1,é\n".encode("utf-16"))
    assert rows == [(2, {"id": "1", "n": "é"})]
    table, rows = csv(b"id,n\n1,\xe9\n")
    assert (table.found, rows) == (
        "found: encoding cp1252, delimiter ,",
        [(2, {"id": "1", "n": "é"})],
    )
    _, rows = csv(b"id,n\n1,\xff\n2,x\n", encoding="utf-8")
    assert rows[0][0] == 2
    assert "not utf-8" in rows[0][1]
    assert rows[1] == (3, {"id": "2", "n": "x"})


BAD_CSV = {
    "nothing": (b"", "it is empty"),
    "blank lines": (b"\n \n", "it is empty"),
    "a column without a name": (b"a,,b\n", "column 2 has no name"),
    "a name twice": (b"a,b,a\n", "two columns are named 'a'"),
    "many columns": (",".join(f"c{n}" for n in range(1001)).encode(), "more than 1000 columns"),
    "very many columns, before they are compared": (
        b"a," * 2000 + b"a\n",
        "more than 1000 columns",
    ),
    "wrong bytes": (b"a\xff,b\n", "it is empty"),
    "a long line": (b"a" * ((1 << 20) + 10) + b"\n", "it is empty"),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_bad_csv(case: str) -> None:
    data, why = BAD_CSV[case]
    with pytest.raises(InvalidError) as caught:
        csv(data, encoding="utf-8")
    assert caught.value.code == "invalid_table"
    assert why in caught.value.message


@pytest.mark.parametrize("data", [b"", b"a\n"])
@pytest.mark.parametrize("name", ["klingon", "base64", "undefined", "punycode", "a\0b", "\ud800"])
def test_what_is_not_an_encoding_of_text(name: str, data: bytes) -> None:
    with pytest.raises(InvalidError) as caught:
        csv(data, encoding=name)
    assert caught.value.code == "unknown_encoding"
