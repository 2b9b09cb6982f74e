"""``twin event``: what happened to twins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.cli.commands.life import listing
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result

if TYPE_CHECKING:
    from twincli.services.record.listed import Wanted

app = typer_frame.group("event")


@listing.command(app)
def list_events(context: Context, twin: str, wanted: Wanted) -> Result:
    """List what happened to a twin, in the order in which it happened."""
    from twincli.services.life import events

    return Result(
        events.list_events(context.workspace(), twin, wanted),
        listing="events",
        columns=(("happened", listing.happened), ("type", "type"), *listing.ALWAYS),
        item_schema="twin.event/1",
    )
