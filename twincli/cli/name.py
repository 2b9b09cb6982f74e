"""``twin name``: local names of assets, and of other people's keys and identities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from twincli import config
from twincli.cli import frame
from twincli.cli.context import Context
from twincli.cli.output import Result

if TYPE_CHECKING:
    from twincli.services.workspace import Workspace

app = frame.group("name")


@frame.command(app, "set", creates_home=True)
def set_name(
    context: Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE", help="Id or DID of an asset on this ledger, a public key, or a DID."
        ),
    ],
) -> Result:
    """Name an asset on this ledger, or somebody else's key or identity."""
    from twincli.services import names

    def workspace() -> Workspace:
        # An asset is on a ledger that is there; only the name of a party can start a home.
        config.require_home(context.paths)
        context.creates_home = False
        return context.workspace()

    document = names.set_name(
        workspace, context.book, context.keystore, name, value, dry_run=context.dry_run
    )
    return Result(document)


@frame.command(app, "list")
def list_names(context: Context) -> Result:
    """List the names of assets on this ledger and of other people."""
    from twincli.services import names

    return Result(
        names.list_names(context.workspace()),
        listing="names",
        columns=(("name", "name"), ("kind", "kind"), ("value", "value"), ("did", "did")),
        item_schema="twin.name/1",
    )


@frame.command(app, "remove")
def remove(
    context: Context,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The name; asset:NAME or key:NAME where both exist."),
    ],
) -> Result:
    """Forget a name; what it stands for is not touched."""
    from twincli.services import names

    return Result(names.remove(context.workspace(), name))
