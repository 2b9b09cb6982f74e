"""``twin asset export``: a twin in the format of another system."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from twincli.cli.asking import sinks
from twincli.cli.commands.asset.group import app
from twincli.cli.commands.stream import rooms
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import Name
from twincli.cli.result import Result


@typer_frame.command(app, "export")
def export(
    context: Context,
    name: Name,
    form: Annotated[
        Literal["wot", "aas", "epcis", "dtdl", "jsonld"],
        typer.Option("--format", metavar="wot|aas|epcis|dtdl|jsonld", help="The format."),
    ],
    out: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="New file to write it to.")
    ] = None,
) -> Result:
    """Write a twin as a WoT Thing, an AAS shell, EPCIS events, a DTDL interface or JSON-LD.

    What the format has no place for is listed on stderr, with --json under losses.
    """
    from twincli.cli.showing.output import to_json
    from twincli.services.export import export as service

    keep = None
    if out is not None and out != "-" and not context.dry_run:
        keep = sinks.file_sink(context, out, mode=0o644)
    document = service.export(rooms.room(context), name, form)
    text = to_json(document["document"], indented=True) + "\n"
    notes = tuple(
        f"left out: {loss['path'] + ': ' if loss['path'] else ''}{loss['why']}"
        for loss in document["losses"]
    )
    if out is None or out == "-":
        return Result(document, text=text, notes=notes)
    document["file"] = out
    if keep is not None:
        keep(text)
    return Result(document, text="", notes=(*notes, f"wrote {out}"))
