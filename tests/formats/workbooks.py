"""Spreadsheets written by hand, good ones and crafted ones: the format as the standards have it."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
TABLES = "urn:oasis:names:tc:opendocument:xmlns"
HEAD = '<?xml version="1.0"?>'


class Day(NamedTuple):
    """A date as Excel counts days."""

    serial: float


class Moment(NamedTuple):
    """A date with a time."""

    serial: float


class Formula(NamedTuple):
    """A formula with its last result, or without."""

    text: str
    result: float | str | None


class Fault(NamedTuple):
    """A cell with an error."""

    text: str


def letters(number: int) -> str:
    """Return what a column is called: A to XFD."""
    text, number = "", number + 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(65 + rest) + text
    return text


def _cell(ref: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Day | Moment):
        return f'<c r="{ref}" s="{1 if isinstance(value, Day) else 2}"><v>{value.serial}</v></c>'
    if isinstance(value, Fault):
        return f'<c r="{ref}" t="e"><v>{value.text}</v></c>'
    if isinstance(value, Formula):
        kind = ' t="str"' if isinstance(value.result, str) else ""
        shown = "" if value.result is None else f"<v>{value.result}</v>"
        return f'<c r="{ref}"{kind}><f>{value.text}</f>{shown}</c>'
    if isinstance(value, bool):
        return f'<c r="{ref}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{ref}"><v>{value}</v></c>'
    return f'<c r="{ref}" t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'


def rows_of(table: list[list[Any]]) -> str:
    """Return the rows of a sheet of Excel."""
    return "".join(
        f'<row r="{number}">'
        + "".join(_cell(f"{letters(place)}{number}", value) for place, value in enumerate(row))
        + "</row>"
        for number, row in enumerate(table, 1)
    )


def xlsx(
    path: Path,
    table: list[list[Any]] | str,
    *,
    since_1904: bool = False,
    sheets: dict[str, str] | None = None,
) -> str:
    """Write a workbook of Excel; return its name.

    Args:
        path: Where.
        table: The cells of the first sheet, or the XML of its rows.
        since_1904: Whether days are counted from 1904.
        sheets: More sheets: their names and rows.
    """
    bodies = {"Parts": table if isinstance(table, str) else rows_of(table), **(sheets or {})}
    mark = ' date1904="1"' if since_1904 else ""
    numbered = list(enumerate(bodies, 1))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        write = archive.writestr
        types = "http://schemas.openxmlformats.org/package/2006/content-types"
        rels = "application/vnd.openxmlformats-package.relationships+xml"
        book = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
        write(
            "[Content_Types].xml",
            f'{HEAD}<Types xmlns="{types}"><Default Extension="rels" ContentType="{rels}"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{book}"/></Types>',
        )
        write(
            "_rels/.rels",
            f'{HEAD}<Relationships xmlns="{PACKAGE}"><Relationship Id="rId1"'
            f' Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        named = "".join(
            f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
            for number, name in numbered
        )
        write(
            "xl/workbook.xml",
            f'{HEAD}<workbook {MAIN} xmlns:r="{OFFICE}"><workbookPr{mark}/>'
            f"<sheets>{named}</sheets></workbook>",
        )
        targets = "".join(
            f'<Relationship Id="rId{number}" Type="{OFFICE}/worksheet"'
            f' Target="worksheets/sheet{number}.xml"/>'
            for number, _ in numbered
        )
        write(
            "xl/_rels/workbook.xml.rels",
            f'{HEAD}<Relationships xmlns="{PACKAGE}">{targets}<Relationship Id="rId99"'
            f' Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
        )
        write(
            "xl/styles.xml",
            f'{HEAD}<styleSheet {MAIN}><cellXfs count="3"><xf numFmtId="0"/><xf numFmtId="14"/>'
            '<xf numFmtId="22"/></cellXfs></styleSheet>',
        )
        for number, name in numbered:
            write(
                f"xl/worksheets/sheet{number}.xml",
                f"{HEAD}<worksheet {MAIN}><sheetData>{bodies[name]}</sheetData></worksheet>",
            )
    return str(path)


def text(value: str, more: str = "") -> str:
    """Return a cell of ODS with a text."""
    return (
        f'<table:table-cell office:value-type="string"{more}><text:p>{value}</text:p>'
        "</table:table-cell>"
    )


def row(*cells: str, more: str = "") -> str:
    """Return a row of ODS."""
    return f"<table:table-row{more}>{''.join(cells)}</table:table-row>"


def ods(path: Path, *rows: str) -> str:
    """Write a spreadsheet of OpenDocument; return its name."""
    spaces = " ".join(f'xmlns:{name}="{TABLES}:{name}:1.0"' for name in ("office", "table", "text"))
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", kind)
        archive.writestr(
            "META-INF/manifest.xml",
            f'{HEAD}<manifest:manifest xmlns:manifest="{TABLES}:manifest:1.0"/>',
        )
        archive.writestr(
            "content.xml",
            f'{HEAD}<office:document-content {spaces} xmlns:calcext="urn:org:documentfoundation:'
            'names:experimental:calc:xmlns:calcext:1.0"><office:body><office:spreadsheet>'
            f'<table:table table:name="S">{"".join(rows)}</table:table></office:spreadsheet>'
            "</office:body></office:document-content>",
        )
    return str(path)
