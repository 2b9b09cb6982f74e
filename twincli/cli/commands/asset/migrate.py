"""``twin asset migrate``: move a twin to another template."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli.cli.commands.asset.group import app
from twincli.cli.commands.asset.write import PIPED
from twincli.cli.context import Context
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.parsing.arguments import Name
from twincli.cli.result import Result
from twincli.cli.showing import drawing, partial
from twincli.cli.showing.output import to_json
from twincli.services.tx.prepared import Prepared


@typer_frame.command(app, "migrate", writes=True)
def migrate(
    context: Context,
    name: Name,
    template: Annotated[
        str,
        typer.Option(
            metavar="T",
            help="Id of the new template, or of the asset that registers it.",
            autocompletion=candidates.templates,
        ),
    ],
) -> Result:
    """Move a twin to another template, and say what no longer fits."""
    from twincli.services.asset.migrate import migrate as service

    prepare = context.writes.prepare
    document = service(partial.begun(context), name, template, context.writes.writing())
    if isinstance(document, Prepared):
        return partial.prepared(context, document, str(prepare))
    would = "would move" if context.dry_run else "moved"
    return Result(
        document,
        columns=(*PIPED, ("template", "template")),
        notes=(
            *partial.not_prepared(prepare),
            f"{would} {name} to {document['template']}",
            *(f"{member} = {to_json(value)}" for member, value in document["written"].items()),
        ),
        warnings=tuple(document["warnings"]),
        terminal=drawing.written,
    )
