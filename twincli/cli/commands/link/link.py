"""``twin link``: what the owner of a twin says belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.cli.showing import partial

if TYPE_CHECKING:
    from twincli.services.workspace import Workspace

app = typer_frame.group("link")

Twin = Annotated[str, typer.Argument(metavar="TWIN", help="The twin.")]
Verb = Annotated[str, typer.Argument(metavar="VERB", help="part or stream.")]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="The asset that belongs to it.")]


def _begin(context: Context) -> Workspace:
    """Return what to work with; refuse what cannot be written before anything is done."""
    if context.writes.prepare is not None:
        partial.check_free(context.writes.prepare)
    return context.workspace()


@typer_frame.command(app, "add", writes=True)
def add(context: Context, twin: Twin, verb: Verb, other: Other) -> Result:
    """Say that another asset is a part or stream of a twin; its holder may then write about it."""
    from twincli.services.link import links

    return partial.recorded(
        context, links.add(_begin(context), twin, verb, other, context.writes.writing())
    )


@typer_frame.command(app, "remove", writes=True)
def remove(context: Context, twin: Twin, other: Other) -> Result:
    """Take back the links from a twin to another asset."""
    from twincli.services.link import links

    return partial.recorded(
        context, links.remove(_begin(context), twin, other, context.writes.writing())
    )


@typer_frame.command(app, "list")
def list_links(context: Context, twin: Twin) -> Result:
    """List the links that a twin's owners made, also those that are over."""
    from twincli.services.link import links

    return Result(
        links.list_links(context.workspace(), twin),
        listing="links",
        columns=(
            ("verb", "verb"),
            ("to", lambda item: item["to_name"] or item["to"]),
            ("owner", "owner"),
            ("state", "state"),
            ("linked", "linked_at"),
            ("link", "id"),
        ),
        item_schema="twin.link-item/1",
    )
