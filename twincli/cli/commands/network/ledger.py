"""``twin ledger``: looking after the embedded ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from twincli import config as settings
from twincli.cli.commands.network import push
from twincli.cli.context import Context
from twincli.cli.opened import Creates
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.errors import NotFoundError

if TYPE_CHECKING:
    from twincli.ledger.ledger import Ledger

app = typer_frame.group("ledger")


@typer_frame.command(app, "info")
def info(context: Context) -> Result:
    """Show what the ledger is and how far it has come."""
    from twincli.services.network import ledgers

    return Result(ledgers.info(_ledger(context)))


@typer_frame.command(app, "reindex")
def reindex(context: Context) -> Result:
    """Make the search index anew, from the ledger."""
    from twincli.services.network import ledgers

    if context.dry_run:
        ledger = _ledger(context)
        count = ledger.counts()["transactions"]
        document = {"schema": "twin.reindex/1", "ledger": ledger.id, "transactions": count}
        return Result(document, notes=("would make the index anew",))
    return Result(ledgers.reindex(_ledger(context)))


@typer_frame.command(app, "import", creates=Creates(ledger=True))
def import_assets(
    context: Context,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="TX", help="The asset of this transaction; may be repeated."),
    ] = None,
    owner: Annotated[
        str | None, typer.Option(metavar="KEY", help="Assets that this party owns.")
    ] = None,
    search: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Assets whose facts hold these words.")
    ] = None,
) -> Result:
    """Import assets from any BigchainDB node, ids and signatures checked again."""
    from twincli.services.network.push import found, pull

    settings.require_home(context.paths)
    push.check_other(context, "import")
    workspace = context.workspace()
    wanted = found(workspace, ids=ids or (), owner=owner, text=search)
    document = pull(workspace, context.home_ledger, wanted, schema="twin.import/1")
    push.note(context, document)
    return push.told(document, "imported", context)


@typer_frame.command(app, "upgrade")
def upgrade(context: Context) -> Result:
    """Bring the ledger's file up to this version of twincli, a backup first."""
    from twincli.services.network import ledgers
    from twincli.services.workspace import now_ms

    document = ledgers.upgrade(_path(context), now_ms(), dry_run=context.dry_run)
    said = "the ledger is up to date"
    if document["before"] != document["after"]:
        done = "would upgrade" if context.dry_run else "upgraded"
        said = f"{done} the ledger from schema {document['before']} to {document['after']}"
    return Result(document, notes=(said,))


def _ledger(context: Context) -> Ledger:
    """Return the ledger, not what stands in for it until the first asset is made."""
    ledger = context.ledger
    if ledger.path == ":memory:":
        raise NotFoundError(
            f"there is no ledger at {context.paths.ledger} yet",
            code="no_ledger",
            hint="the first asset makes one: twin asset create NAME",
        )
    return ledger


def _path(context: Context) -> str:
    """Return where the ledger is, without opening it: an old one cannot be opened."""
    path = context.ledger_path
    if path == context.paths.ledger:
        settings.require_home(context.paths)
    return path
