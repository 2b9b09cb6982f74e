"""``twin pull``: assets of a network or another ledger, to this one."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli.cli.commands.network import push
from twincli.cli.context import Context
from twincli.cli.opened import Creates
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.result import Result

app = typer_frame.bare()


@typer_frame.command(app, "pull", creates=Creates(home=True, ledger=True))
def pull(
    context: Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|ID]...",
            help="Assets; by default those you own or have named there, and those also here.",
            autocompletion=candidates.assets,
        ),
    ] = None,
) -> Result:
    """Fetch assets from a network to this ledger, verifying all of it."""
    from twincli.services.network import pull as service

    push.require_other_ledger(context, "pull")
    workspace = context.workspace()
    here = context.home_ledger
    wanted = service.assets_to_pull(workspace, here, names or ())
    document = service.pull(workspace, here, wanted)
    push.remember(context, document, pulled=True)
    result = push.copied(document, "fetched", context)
    own = sum(item["status"] == "rebased" for item in document["assets"])
    if not own:
        return result
    said = (
        f"{own} {'asset has' if own == 1 else 'assets have'} a branch of"
        f" {'its' if own == 1 else 'their'} own here since push --rebase; --node shows the other"
    )
    return result._replace(notes=(*result.notes, said))
