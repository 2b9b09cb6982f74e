"""``twin pull``: what is on a network or another ledger, to this one."""

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
            help="Assets there; by default those you own or have named, and those that are here.",
            autocompletion=candidates.assets,
        ),
    ] = None,
) -> Result:
    """Fetch assets from a network to this ledger, all of it verified."""
    from twincli.services.network import push as service

    push.check_other(context, "pull")
    workspace = context.workspace()
    here = context.home_ledger
    wanted = service.chosen(workspace, here, names or ())
    document = service.pull(workspace, here, wanted)
    push.note(context, document, pulled=True)
    result = push.told(document, "fetched", context)
    own = sum(item["status"] == "rebased" for item in document["assets"])
    if not own:
        return result
    said = (
        f"{own} {'asset has' if own == 1 else 'assets have'} a branch of"
        f" {'its' if own == 1 else 'their'} own here, since push --rebase; --node shows the other"
    )
    return result._replace(notes=(*result.notes, said))
