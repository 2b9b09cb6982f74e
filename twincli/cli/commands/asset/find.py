"""``twin asset find``."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated

import typer

from twincli.cli.commands.asset import columns as chosen
from twincli.cli.commands.asset.group import app
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@typer_frame.command(app, "find")
def find(
    context: Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="EXPR", help="For example: 'facility = Plant-A and hp > 200'."),
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
    expression = _one(words)
    with progress.shown(context, "indexing") as report:
        document = service.find(context.workspace(), expression, limit=limit, progress=report)
        rows = iter(document["assets"])
        first = list(islice(rows, 1))  # the index is brought up to date for it
        notes = () if first else (f"no twin here fits: {expression}", *_absent(context, expression))
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
        notes=notes,
        warnings=tuple(document["warnings"]),
    )


def _one(words: list[str]) -> str:
    """Return the expression, which is one word of the command line.

    Raises:
        UsageError: The shell has taken it apart.
    """
    if len(words) == 1:
        return words[0]
    from shlex import quote

    raise UsageError(
        "the expression is several words to the shell; quote it",
        hint=f"twin asset find {quote(' '.join(words))}",
    )


def _absent(context: Context, expression: str) -> Iterator[str]:
    """Yield for each path that no twin has a line that says so, with the one that was meant."""
    from twincli.services.asset import find as service

    for path, meant in service.absent(context.workspace(), expression):
        yield f"no twin here has {path}" + (f"; did you mean {meant}?" if meant else "")
