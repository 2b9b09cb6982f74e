"""``twin search``: words on the ledger."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result

app = typer_frame.bare()


@typer_frame.command(app, "search")
def search(
    context: Context,
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT",
            help="Any of these words; a phrase in double quotes must occur, -WORD must not.",
        ),
    ],
    limit: Annotated[int | None, typer.Option(metavar="N", help="Show at most N.")] = None,
) -> Result:
    """Search the ledger for words."""
    from twincli.services.asset import search as service

    return Result(
        service.search(context.workspace(), text, limit),
        empty=f"nothing found for {text!r}",
        listing="hits",
        columns=(
            ("name", "name"),
            ("asset_id", "asset_id"),
            ("in", "in"),
            ("transaction_id", "transaction_id"),
            ("found", _found),
        ),
        item_schema="twin.search-hit/1",
    )


def _found(hit: dict[str, Any]) -> str:
    """Return the text that matched, after the path of its value."""
    match, member = hit["match"], hit["member"]
    if match is None:
        return ""
    return f"{member}: {match}" if member else str(match)
