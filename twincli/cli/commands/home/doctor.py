"""``twin doctor``: whether everything is in order, and what to do."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.model.text import one_line

app = typer_frame.bare()


@typer_frame.command(app, "doctor")
def doctor(
    context: Context,
    full: Annotated[
        bool, typer.Option("--full", help="Verify every transaction, not only the last 1000.")
    ] = False,
) -> Result:
    """Check the installation and say what to do."""
    from twincli.services.home.doctor import doctor as service
    from twincli.services.workspace import now_ms

    paths = context.paths
    document = service(
        home=paths.home,
        keys=paths.keys,
        ledger=paths.ledger if context.network is not None else context.ledger_path,
        book=paths.book,
        now_ms=now_ms(),
        full=full,
        network=context.network,
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
        exit_code=0 if document["ok"] else 3,
    )


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
