"""``twin event``: what happened to twins."""

from __future__ import annotations

from twincli.cli.commands.life import listing
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result

app = typer_frame.group("event")


@typer_frame.command(app, "list")
def list_events(
    context: Context,
    twin: listing.Twin,
    since: listing.Since = None,
    until: listing.Until = None,
    limit: listing.Limit = None,
    reverse: listing.Reverse = False,
    by: listing.By = listing.BY[0],
) -> Result:
    """List what happened to a twin, in the order in which it happened."""
    from twincli.services.life import events
    from twincli.services.record.listed import Wanted

    return Result(
        events.list_events(context.workspace(), twin, Wanted(since, until, limit, reverse, by)),
        listing="events",
        columns=(("happened", listing.happened), ("type", "type"), *listing.ALWAYS),
        item_schema="twin.event/1",
    )
