"""``twin asset freeze|unfreeze``: promise that nothing is written to a twin, and lift that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.cli.commands.asset.group import app
from twincli.cli.commands.asset.write import PIPED
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import Name
from twincli.cli.result import Result
from twincli.cli.showing import drawing, partial
from twincli.services.tx.prepared import Prepared

if TYPE_CHECKING:
    from twincli.services.documents import WrittenAsset


@typer_frame.command(app, "freeze", writes=True)
def freeze(context: Context, name: Name) -> Result:
    """Freeze a twin: nothing is written to it from here until its owner lifts that."""
    from twincli.services.asset.freeze import freeze as service

    made = service(partial.begun(context), name, context.writes.writing())
    return _done(context, made, f"would freeze {name}" if context.dry_run else f"froze {name}")


@typer_frame.command(app, "unfreeze", writes=True)
def unfreeze(context: Context, name: Name) -> Result:
    """Lift the freeze of a twin."""
    from twincli.services.asset.freeze import unfreeze as service

    made = service(partial.begun(context), name, context.writes.writing())
    said = f"would unfreeze {name}" if context.dry_run else f"{name} is no longer frozen"
    return _done(context, made, said)


def _done(context: Context, made: WrittenAsset | Prepared, said: str) -> Result:
    prepare = context.writes.prepare
    if isinstance(made, Prepared):
        return partial.prepared(context, made, str(prepare))
    return Result(
        made,
        columns=(*PIPED, ("frozen_by", "frozen_by")),
        notes=partial.not_prepared(prepare) or (said,),
        warnings=tuple(made["warnings"]),
        terminal=drawing.written,
    )
