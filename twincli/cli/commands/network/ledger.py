"""``twin ledger``: information about the embedded ledger, and its upkeep."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from twincli import config as settings
from twincli.cli.commands.network import push
from twincli.cli.commands.proof import proving, verify
from twincli.cli.context import Context
from twincli.cli.opened import Creates
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result

app = typer_frame.group("ledger")


@typer_frame.command(app, "info")
def info(context: Context) -> Result:
    """Show the ledger's id, size and latest block."""
    from twincli.services.network import ledgers

    return Result(ledgers.info(proving.own_ledger(context)))


@typer_frame.command(app, "begin", refuses=("key",))
def begin(context: Context) -> Result:
    """Begin a new ledger in place of a lost one.

    The remains of the old ledger, its key and its names are kept. If there is a backup, restore
    it instead.
    """
    from twincli.services.network import ledgers

    path = context.paths.ledger if context.node == "local" else context.ledger_path
    known = None
    if context.node == "local":
        settings.require_home(context.paths)
        memory = settings.remembered(context.paths)
        known = memory.ledger
    document = ledgers.begin(path, known, dry_run=context.dry_run)
    if context.node == "local" and not context.dry_run:
        settings.remember(context.paths, memory._replace(ledger=document["id"]))
    return Result(document, notes=("nothing was written",) if context.dry_run else ())


@typer_frame.command(app, "reindex")
def reindex(context: Context) -> Result:
    """Rebuild the search index from the ledger."""
    from twincli.cli.showing import progress
    from twincli.services.network import ledgers

    if context.dry_run:
        ledger = proving.own_ledger(context)
        count = ledger.counts()["transactions"]
        document = {"schema": "twin.reindex/1", "ledger": ledger.id, "transactions": count}
        return Result(document, notes=("would rebuild the index",))
    client: Any = context.client
    proving.own_ledger(context)
    with progress.shown(context, "indexing") as report:
        return Result(ledgers.reindex(client.for_writing(), report))


@typer_frame.command(app, "import", creates=Creates(ledger=True))
def import_assets(
    context: Context,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="TX", help="The asset of this transaction; may be repeated."),
    ] = None,
    owner: Annotated[str | None, typer.Option(metavar="KEY", help="Assets of this owner.")] = None,
    search: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Assets whose facts contain these words.")
    ] = None,
) -> Result:
    """Import assets from any BigchainDB node, checking ids and signatures."""
    from twincli.services.network.pull import assets_to_import, pull

    settings.require_home(context.paths)
    push.require_other_ledger(context, "import")
    workspace = context.workspace()
    wanted = assets_to_import(workspace, ids=ids or (), owner=owner, text=search)
    document = pull(workspace, context.home_ledger, wanted, schema="twin.import/1")
    push.remember(context, document)
    return push.copied(document, "imported", context)


@typer_frame.command(app, "upgrade")
def upgrade(context: Context) -> Result:
    """Upgrade the ledger's file to this version of twincli, after a backup."""
    from twincli.services.network import ledgers
    from twincli.services.workspace import now_ms

    document = ledgers.upgrade(_path(context), now_ms(), dry_run=context.dry_run)
    said = "the ledger is up to date"
    if document["before"] != document["after"]:
        done = "would upgrade" if context.dry_run else "upgraded"
        said = f"{done} the ledger from schema {document['before']} to {document['after']}"
    return Result(document, notes=(said,))


def _path(context: Context) -> str:
    """Return the ledger's path without opening it: an old one cannot be opened."""
    path = context.ledger_path
    if path == context.paths.ledger:
        settings.require_home(context.paths)
    return path


typer_frame.command(app, "verify", refuses=("key",))(verify.verify)
typer_frame.command(app, "checkpoint")(proving.checkpoint)
typer_frame.command(app, "prove")(proving.prove)
typer_frame.command(app, "witness")(proving.witness)
