"""``twin asset diff`` and ``twin asset blame``: a twin through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twincli.cli.commands.asset.group import app
from twincli.cli.commands.asset.history import BY, both_times, recorded, time_of
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import Name
from twincli.cli.result import Column, Result
from twincli.cli.showing.output import to_json
from twincli.services.asset import history as histories

if TYPE_CHECKING:
    from twincli.services.documents import BlameItem, Change, TxMoment

Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="From this time on: RFC 3339, a date, 30d.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")]
By = Annotated[
    str,
    typer.Option(
        metavar="|".join(BY),
        help="Compare the stated time, or the block's.",
    ),
]
Limit = Annotated[int | None, typer.Option(metavar="N", help="Show at most N.")]
Reverse = Annotated[bool, typer.Option("--reverse", help="Newest first.")]
AsOf = Annotated[str | None, typer.Option(metavar="TIME", help="As it was recorded at this time.")]


@typer_frame.command(app, "diff")
def diff(
    context: Context,
    name: Name,
    since: Since = None,
    until: Until = None,
    by: By = BY[0],
    limit: Limit = None,
    reverse: Reverse = False,
    as_of: AsOf = None,
) -> Result:
    """Show what changed between two times, and in which transactions."""
    from twincli.services.asset.diff import diff as service

    workspace = context.workspace()
    document = service(
        workspace, name, since=since, until=until, limit=limit, reverse=reverse, by=by, as_of=as_of
    )
    named = histories.namer(workspace)

    def last(tell: Callable[[TxMoment], str]) -> Callable[[Change], str]:
        return lambda item: tell(item["transactions"][-1]) if item["transactions"] else ""

    columns: tuple[Column, ...]
    if context.mode.terminal:
        columns = (
            ("path", _path),
            ("before", lambda item: _side(item, "before")),
            ("after", lambda item: _side(item, "after")),
            ("time", lambda item: last(both_times)(item) + _earlier(item)),
            ("id", last(lambda tx: tx["transaction_id"])),
            ("by", last(lambda tx: ", ".join(map(named, tx["signers"])))),
        )
    else:
        columns = (
            ("of", "of"),
            ("path", "path"),
            ("output", "output"),
            ("before", lambda item: _side(item, "before")),
            ("after", lambda item: _side(item, "after")),
            ("count", "count"),
            ("transaction_id", last(lambda tx: tx["transaction_id"])),
            ("time", last(time_of)),
            ("recorded", last(recorded)),
            ("signed by", last(lambda tx: ", ".join(map(named, tx["signers"])))),
        )
    return Result(
        document,
        listing="changes",
        columns=columns,
        item_schema="twin.change/1",
        empty="nothing changed",
    )


@typer_frame.command(app, "blame")
def blame(
    context: Context,
    name: Name,
    since: Since = None,
    until: Until = None,
    by: By = BY[0],
    limit: Limit = None,
    reverse: Reverse = False,
    as_of: AsOf = None,
) -> Result:
    """Show for each field which transaction set it, who signed that, and when."""
    from twincli.services.asset.blame import blame as service

    workspace = context.workspace()
    document = service(
        workspace, name, since=since, until=until, limit=limit, reverse=reverse, by=by, as_of=as_of
    )
    named = histories.namer(workspace)

    def signed_by(item: BlameItem) -> str:
        return ", ".join(map(named, item["signers"]))

    columns: tuple[Column, ...]
    if context.mode.terminal:
        columns = (
            ("path", _path),
            ("value", lambda item: _text(item["value"])),
            ("time", both_times),
            ("id", "transaction_id"),
            ("by", signed_by),
        )
    else:
        columns = (
            ("of", "of"),
            ("path", "path"),
            ("output", "output"),
            ("value", lambda item: _text(item["value"])),
            ("transaction_id", "transaction_id"),
            ("time", time_of),
            ("recorded", recorded),
            ("signed by", signed_by),
        )
    return Result(document, listing="fields", columns=columns, item_schema="twin.blame-item/1")


def _path(item: Any) -> str:
    """Return a path, with what it is a path of where that is not the state."""
    output = (
        f" of {item['output'][:10]}:{item['output'].partition(':')[2]}" if item["output"] else ""
    )
    return f"{item['path']}{output}" + (" (fact)" if item["of"] == "facts" else "")


def _earlier(item: Change) -> str:
    """Return how many more transactions wrote a value, for a table that names the last."""
    return "" if item["count"] == 1 else f" and {item['count'] - 1} before"


def _side(item: Any, side: str) -> str:
    return _text(item[side]) if side in item else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value)
