"""``twin asset find``."""

from __future__ import annotations

from itertools import chain, islice
from typing import Annotated

import typer

from twincli.cli.commands.asset import columns as chosen
from twincli.cli.commands.asset.group import app
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result


@typer_frame.command(app, "find")
def find(
    context: Context,
    expression: Annotated[
        str, typer.Argument(metavar="EXPR", help="For example: 'facility = Plant-A and hp > 200'.")
    ],
    limit: Annotated[int | None, typer.Option(metavar="N", help="Show at most N.")] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="A,B.C", help="Columns to show: paths in the state or the facts."),
    ] = None,
) -> Result:
    """Find twins by their facts and state.

    Compare with = != < <= > >= ~ (contains) in has; join with and, or, not. A number may have a
    unit.
    """
    from twincli.cli.showing import progress
    from twincli.services.asset import find as service

    picked = None if columns is None else chosen.chosen(columns)
    with progress.shown(context, "indexing") as report:
        document = service.find(context.workspace(), expression, limit=limit, progress=report)
        rows = iter(document["assets"])
        first = list(islice(rows, 1))  # the index is brought up to date for it
        document["assets"] = chain(first, rows)
    return Result(
        document,
        listing="assets",
        columns=picked
        or (
            ("name", "name"),
            ("id", "id"),
            ("owners", "owner"),
            ("template", "template"),
            ("data", "data"),
            ("state", "state"),
        ),
        item_schema="twin.asset-item/1",
        notes=() if first else (f"no twin here fits: {expression}",),
        warnings=tuple(document["warnings"]),
    )
