"""Help pages: what they hold and how they are drawn, the same for a terminal and a pipe.

Drawn without Rich and Typer, so that help comes at once; never wider than 80 columns.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from twincli.cli import table
from twincli.cli.options import GLOBAL, SHORT
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WIDEST = 80
_NARROWEST = 40
_LONGEST_LEFT = 30

SHARED = "Shared options"


class Row(NamedTuple):
    """A command, an argument or an option, and one sentence about it."""

    left: str
    text: str


class Page(NamedTuple):
    """One page of help.

    Attributes:
        usage: The command line in short.
        text: What the command does; blank lines separate paragraphs.
        examples: Command lines to try.
        sections: Headings with their rows.
        shared: Whether the shared options follow.
        short: Whether the command has short options.
        ending: A last paragraph.
        refused: Shared options that the command refuses, and that are left out.
    """

    usage: str
    text: str
    examples: tuple[str, ...] = ()
    sections: tuple[tuple[str, tuple[Row, ...]], ...] = ()
    shared: bool = True
    short: bool = True
    ending: str = ""
    refused: tuple[str, ...] = ()


def root() -> Page:
    """Return the first page: all commands in groups."""
    known = {**table.NOUNS, **table.BARE}
    return Page(
        usage="twin COMMAND ...",
        text=table.ABOUT,
        sections=tuple(
            (heading, tuple(Row(name, known[name][1]) for name in names))
            for heading, names in table.GROUPS
        ),
        short=False,  # most of the first commands have free data and no short options
        ending="More about a command: twin COMMAND --help. The version: twin --version",
    )


def terminal_columns() -> int:
    """Return the columns to draw a listing for: COLUMNS, else those of the terminal, else 80."""
    import shutil

    return shutil.get_terminal_size((WIDEST, 24)).columns


def width() -> int:
    """Return the columns to draw help for."""
    try:
        found = os.get_terminal_size(sys.stdout.fileno()).columns
    except (AttributeError, OSError, ValueError):
        return WIDEST
    return min(max(found or WIDEST, _NARROWEST), WIDEST)


def draw(page: Page, columns: int = WIDEST, *, bold: bool = False) -> str:
    """Return a page as text, ending in a line end."""
    blocks = [list(_wrapped(f"Usage: {page.usage}", columns, hanging=4))]
    blocks += [list(_wrapped(text, columns)) for text in _paragraphs(page.text)]
    if page.examples:
        # Whole, so that they can be copied.
        blocks.append([_heading("Examples", bold=bold), *(f"  {line}" for line in page.examples)])
    blocks += [
        [_heading(heading, bold=bold), *_rows(rows, columns)]
        for heading, rows in page.sections
        if rows
    ]
    if page.shared:
        blocks.append([_heading(SHARED, bold=bold, more=" (twin help options)")])
        blocks[-1] += _filled(
            shared_words(short=page.short, refused=page.refused), columns, indent=2
        )
    if page.ending:
        blocks.append(list(_wrapped(page.ending, columns)))
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def shared_words(*, short: bool, refused: tuple[str, ...] = ()) -> list[str]:
    """Return the shared options, each with the name of its value."""
    words = []
    for option in GLOBAL:
        if option.name in refused:
            continue
        word = f"--{option.name}" if option.metavar is None else f"--{option.name} {option.metavar}"
        words.append(f"-{SHORT[option.name]}|{word}" if short and option.name in SHORT else word)
    return [*words, *(["--wide", "-h|--help"] if short else ["--help"])]


def _paragraphs(text: str) -> Iterator[str]:
    for block in text.strip().split("\n\n"):
        if block.strip():
            yield " ".join(block.split())


def _heading(text: str, *, bold: bool, more: str = "") -> str:
    return f"\x1b[1m{text}\x1b[0m{more}:" if bold else f"{text}{more}:"


def _rows(rows: tuple[Row, ...], columns: int) -> Iterator[str]:
    longest = min(_LONGEST_LEFT, columns // 2)
    fitting = [len(row.left) for row in rows if len(row.left) <= longest]
    start = 2 + max(fitting, default=longest) + 2
    for left, text in rows:
        lines = list(_filled(text.split(), columns, indent=start)) or [""]
        if len(left) <= longest:
            yield f"  {left}".ljust(start) + lines[0].lstrip() if text else f"  {left}"
            yield from lines[1:]
        else:
            yield f"  {left}"
            yield from lines


def _wrapped(text: str, columns: int, *, hanging: int = 0) -> Iterator[str]:
    return _filled(text.split(), columns, hanging=hanging)


def _filled(
    words: Iterable[str], columns: int, *, indent: int = 0, hanging: int = 0
) -> Iterator[str]:
    """Yield lines of whole words; a word may hold blanks, which are not broken at."""
    line = " " * indent
    empty = True
    for word in words:
        if not empty and len(line) + 1 + len(word) > columns:
            yield line
            line, empty = " " * (indent + hanging), True
        line += word if empty else f" {word}"
        empty = False
    if not empty:
        yield line
