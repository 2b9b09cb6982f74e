"""``twin doctor``: whether everything is in order, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from twincli import config
from twincli.cli.context import Context
from twincli.cli.opened import is_file
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.errors import UsageError
from twincli.model.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twincli.services.documents import Doctor, FileItem

app = typer_frame.bare()

ROOT_DIGITS = 64


@typer_frame.command(app, "doctor")
def doctor(
    context: Context,
    full: Annotated[
        bool, typer.Option("--full", help="Verify every transaction and read all content.")
    ] = False,
    root: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="Compare with a root that twin ledger info showed."),
    ] = None,
) -> Result:
    """Check the installation and show what to do.

    With --node file:PATH only that ledger is checked; no home is needed and nothing is written.
    """
    import time

    from twincli.cli.showing import progress
    from twincli.services.home.doctor import Place
    from twincli.services.home.doctor import doctor as service

    if root is not None and not full:
        raise UsageError("--root needs --full: a root covers all transactions")
    paths = context.paths
    if is_file(context.node):
        place = Place(context.node.removeprefix("file:"))
    else:
        place = Place(
            paths.ledger,
            paths.home,
            paths.keys,
            paths.book,
            paths.content,
            config.remembered(paths).ledger,
            config.lost(paths),
        )
    with (
        progress.shown(context, "verifying") as report,
        progress.shown(context, "reading") as reading,
    ):
        document = service(
            place,
            now_ms=time.time_ns() // 1_000_000,
            full=full,
            root=None if root is None else _root(root),
            network=context.network,
            named=lambda: _named(context),
            progress=report,
            reading=reading,
        )
    return Result(
        document,
        listing="checks",
        columns=(
            ("ok", lambda check: _MARK[check["ok"]]),
            ("name", "name"),
            ("message", "message"),
            ("hint", "hint"),
        ),
        item_schema="twin.check/1",
        terminal=_draw,
        notes=(_verdict(document),) if context.mode.form == "auto" else (),
        exit_code=0 if document["ok"] else 3,
    )


def _named(context: Context) -> Iterable[FileItem]:
    """Return the files that twins of this home name; none where there is no ledger yet."""
    from twincli.content.store import Blobs
    from twincli.services.file import attached

    workspace = context.workspace_or_none()
    return () if workspace is None else attached.of_all(workspace, Blobs(context.paths.content))


def _verdict(document: Doctor) -> str:
    from twincli.services.home.doctor import MISSING_CONTENT

    checks = document["checks"]
    failed = [check["name"] for check in checks if check["ok"] is False]
    if not failed and any(check["name"] == MISSING_CONTENT for check in checks):
        return f"none of {len(checks)} checks failed, but content is missing"
    if not failed:
        return f"everything is in order: {len(checks)} checks, none failed"
    names = ", ".join(dict.fromkeys(failed))
    return f"{len(failed)} of {len(checks)} checks failed: {names}"


def _root(text: str) -> str:
    folded = text.strip().lower().removeprefix("0x")
    if len(folded) != ROOT_DIGITS or set(folded) - set("0123456789abcdef"):
        raise UsageError(
            f"--root takes {ROOT_DIGITS} hex digits", hint="twin ledger info --get root"
        )
    return folded


_MARK = {True: "ok", False: "FAILED", None: "-"}
_STYLE = {True: "green", False: "bold red", None: "dim"}


def _draw(document: dict[str, Any], console: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=24)
    table.add_column(overflow="fold")
    for check in document["checks"]:
        mark = Text(_MARK[check["ok"]], style=_STYLE[check["ok"]])
        hint = check["hint"] if check["ok"] is not True else None
        says = check["message"] + (f"\n-> {hint}" if hint else "")
        table.add_row(mark, Text(one_line(check["name"])), Text(one_line(says)))
    console.print(table)
