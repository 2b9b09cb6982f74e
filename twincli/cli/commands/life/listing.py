"""What lists of records have in common: R, and the columns of all records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import Twin
from twincli.cli.result import Result
from twincli.cli.showing.output import to_json
from twincli.model import times

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.cli.result import Column
    from twincli.services.record.listed import Wanted

    Listing = Callable[[Context, str, Wanted], Result]

BY = ("happened", "recorded")
MINUTE_MS = 60_000

Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="From this time on: RFC 3339, a date, 30d.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")]
Limit = Annotated[int | None, typer.Option(metavar="N", help="Show at most N.")]
Reverse = Annotated[bool, typer.Option("--reverse", help="Newest first.")]
By = Annotated[
    str,
    typer.Option(
        metavar="|".join(BY),
        help="Order and compare by when it happened, or was recorded.",
    ),
]


def command(app: typer.Typer) -> Callable[[Listing], Listing]:
    """Register a function as the command ``list`` of records of a twin, which has R."""

    def register(function: Listing) -> Listing:
        def listed(
            context: Context,
            twin: Twin,
            since: Since = None,
            until: Until = None,
            limit: Limit = None,
            reverse: Reverse = False,
            by: By = BY[0],
        ) -> Result:
            from twincli.services.record.listed import Wanted

            wanted = Wanted(since, until, limit, reverse, by)
            result = function(context, twin, wanted)
            when = "" if since is None and until is None else " in that time"
            return result._replace(empty=f"{twin} has no {result.listing}{when}")

        listed.__doc__ = function.__doc__
        typer_frame.command(app, "list")(listed)
        return function

    return register


def happened(item: Any) -> str:
    """Return when something happened: as its signer states, else when it was recorded."""
    return item["at"] or item["committed_at"] or ""


def recorded(item: Any) -> str:
    """Return when it was recorded, where that is another minute than that in which it happened."""
    at, committed_at = times.parse_claim(item["at"]), times.parse_claim(item["committed_at"])
    if at is None or committed_at is None or abs(committed_at - at) <= MINUTE_MS:
        return ""
    return f"{item['committed_at']}{' late' if item['late'] else ''}"


def data(item: Any) -> str:
    """Return the data of a record in a line."""
    return "" if not item["data"] else to_json(item["data"])


def files(item: Any) -> str:
    """Return the files that a record names."""
    return ", ".join(
        f"{each['name']} ({each['type']})" if each.get("type") else each["name"]
        for each in item["attachments"] or ()
    )


def signed_by(item: Any) -> str:
    """Return who signed, and how that counts where it is not the owner's word."""
    names = zip(item["signer_names"], item["signers"], strict=True)
    who = ", ".join(name or key for name, key in names)
    standing = item["standing"]
    doubt = "" if standing in {None, "authorised"} else f" ({standing.replace('_', ' ')})"
    odd = " (malformed)" if item["malformed"] else ""
    return f"{who}{doubt}{odd}"


ALWAYS: tuple[Column, ...] = (
    ("data", data),
    ("files", files),
    ("signed by", signed_by),
    ("recorded", recorded),
    ("transaction", "transaction_id"),
)
"""The last columns of all lists of records."""
