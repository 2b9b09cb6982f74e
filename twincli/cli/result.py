"""What a command returns, and how it is to be printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twincli.values import Any, NamedTuple

Column = tuple[str, "str | Callable[[Any], Any]"]


class Result(NamedTuple):
    """What a command found or did.

    Attributes:
        document: The JSON document; its first key is ``schema``.
        listing: Name of the member of ``document`` that is a list; it may be an iterator, which
            is then printed as it comes.
        columns: For a listing (or, on one document, instead of all members): header, and the
            dotted path of the value or a function of the item.
        brief: Columns on a terminal without ``--wide``, where all would not fit it.
        item_schema: ``schema`` of each line of ``--jsonl``.
        terminal: Draws the document on a Rich console in a way of its own.
        text: Printed as it stands to terminal and pipe, for scripts and help topics.
        exit_code: An answer's own status: 0, 3, 10 or 11.
        notes: Chatter for stderr, dropped by ``--quiet`` and with JSON.
        empty: The note of a listing without items, where there are no others.
        warnings: For stderr; with ``--json`` they go into the document.
        live: Every item is written at once, for listings that wait for news.
        said: It was printed by the command itself, which then went on.
    """

    document: Mapping[str, Any]
    listing: str | None = None
    columns: tuple[Column, ...] = ()
    brief: tuple[Column, ...] = ()
    item_schema: str | None = None
    terminal: Callable[[Any, Any], None] | None = None
    text: str | None = None
    exit_code: int = 0
    notes: tuple[str, ...] = ()
    empty: str = "nothing found"
    warnings: tuple[str, ...] = ()
    live: bool = False
    said: bool = False


class Mode(NamedTuple):
    """How to print.

    Attributes:
        form: ``auto`` (terminal or pipe), ``json``, ``jsonl`` or ``get``.
        path: The path of ``--get``.
        quiet: Leave the notes out.
        terminal: Whether stdout is a terminal.
        color: Whether stdout gets colour.
        wide: Whether tables show ids whole.
    """

    form: str = "auto"
    path: str | None = None
    quiet: bool = False
    terminal: bool = False
    color: bool = False
    wide: bool = False
