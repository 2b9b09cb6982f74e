"""The page of the map format, written from its JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import twincli
from docs.tools.template_format import written

SCHEMA = Path(twincli.__file__).parent / "formats" / "schemas" / "map-format.json"

INTRO = """\
# The map format

A map says what becomes of the columns of a foreign table: an ERP export, a spreadsheet, a log. It
is a YAML or JSON file, read by [`twin batch`](commands.md#twin-batch) and by `twin stream import
--map`, always from theirs to ours. The [guide](../guide/batches.md) shows how maps are used.

A map has at most 1 MiB and 1000 fields; YAML's aliases, tags and keys that stand twice are refused.
What is wrong is reported with its line. The format is a JSON Schema, too:
[`map-format.json`](../../twincli/formats/schemas/map-format.json).
"""

TYPES = {
    "text": ("the cell as it stands; a whole number of a spreadsheet without `.0`", "`007`"),
    "number": (
        (
            "a number by the marks of the map; a minus may stand behind it. What a double would"
            " not keep is refused, and so is a 0 at the beginning"
        ),
        "`1.234,5`, `12-`",
    ),
    "integer": ("a whole number of at most 64 bits", "`1.234`"),
    "boolean": ("`true` or `false`, or the words of `format`; case does not matter", "`yes`"),
    "date": ("a day: it becomes `2024-01-31`", "`31.01.2024`"),
    "datetime": (
        "a time with its zone, or in the zone of the map: it becomes `2024-01-31T08:00:00.000Z`",
        "`31.01.2024 09:00`",
    ),
    "json": ("any JSON value", "`[1, 2]`"),
}

DATES = """\
### Forms of dates

`dates`, `times` and `format` are made of `%d` day, `%m` month, `%Y` year, `%y` its last two digits
(69 to 99: 1969 to 1999), `%H` hour, `%M` minute, `%S` second, `%f` its fraction, `%z` the zone
(`Z`, `+01:00`), and `%%`. Everything else stands for itself. Spreadsheets have dates of their own,
which need no form.
"""

FIELD = """\
## Field

What a column becomes: a text that says where it goes, or an object. Empty cells are left out.
"""


def page() -> str:
    """Return the text of the page."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    field = schema["$defs"]["field"]
    csv = schema["properties"]["csv"]
    parts = [
        INTRO,
        f"## Map\n\n{_table(schema)}",
        FIELD,
        _table(field),
        _types(field["properties"]["type"]["enum"]),
        DATES,
        f"## `csv`\n\n{csv['description']}\n\n{_table(csv)}",
        _example(schema),
    ]
    return "\n".join(parts)


def _table(part: dict[str, Any]) -> str:
    lines = ["| member | meaning | example |", "|---|---|---|"]
    for name, member in part["properties"].items():
        choices = ", ".join(f"`{word}`" for word in member.get("enum", ()))
        meaning = member["description"] + (f" One of {choices}." if choices else "")
        example = f"`{written(member['examples'][0])}`"
        cells = (f"`{name}`", meaning, example)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _types(names: list[str]) -> str:
    lines = ["| type | values | in a cell |", "|---|---|---|"]
    for name in names:
        values, cell = TYPES[name]
        lines.append(f"| `{name}` | {values} | {cell} |")
    return "### Types\n\n" + "\n".join(lines) + "\n"


def _example(schema: dict[str, Any]) -> str:
    """Return a whole map, made of the examples of the members."""
    lines = [
        f"{name}: {written(member['examples'][0])}" for name, member in schema["properties"].items()
    ]
    text = "\n".join(lines)
    return (
        "## Example\n\nThe examples of the top level together; a test checks it.\n\n"
        f"```yaml\n{text}\n```\n"
    )
