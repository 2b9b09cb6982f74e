"""``twin did``: show, resolve and list identities; `commands.asset.write` has ``did new``."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.errors import ExitCode

app = typer_frame.group("did")

Ref = Annotated[
    str,
    typer.Argument(
        metavar="NAME|DID", help="A DID, or a name of yours; key:NAME means the key of that name."
    ),
]


@typer_frame.command(app, "show")
def show(context: Context, ref: Ref) -> Result:
    """Show what a DID stands for."""
    from twincli.services.names import dids

    return Result(dids.show(context.workspace, ref))


@typer_frame.command(app, "resolve")
def resolve(context: Context, ref: Ref) -> Result:
    """Resolve a DID to its W3C document; a did:key needs neither home nor ledger."""
    from twincli.services.names import dids

    document = dids.resolve_did(context.workspace, ref)
    error = document["didResolutionMetadata"].get("error")
    return Result(document, exit_code=ExitCode.UNDETERMINED if error else ExitCode.OK)


@typer_frame.command(app, "list")
def list_dids(context: Context) -> Result:
    """List your identities, those you have named, and the DIDs of keys."""
    from twincli.services.names import dids

    return Result(
        dids.list_dids(context.workspace()),
        listing="dids",
        columns=(("name", "name"), ("kind", "kind"), ("did", "did")),
        item_schema="twin.did/1",
    )
