"""``twin name``: local names of assets, and of other people's keys and identities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from twincli import config
from twincli.cli import file_arguments
from twincli.cli.context import Context
from twincli.cli.opened import HOME
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.cli.showing import output
from twincli.errors import UsageError
from twincli.model.names import disguise
from twincli.model.text import separated

if TYPE_CHECKING:
    from twincli.services.workspace import Workspace

app = typer_frame.group("name")


@typer_frame.command(app, "set", creates=HOME)
def set_name(
    context: Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE", help="Id or DID of an asset on this ledger, a public key, or a DID."
        ),
    ],
) -> Result:
    """Name an asset on this ledger, or somebody else's key or identity."""
    from twincli.services.names import names

    def workspace() -> Workspace:
        # An asset is on a ledger that exists; only the name of a party can start a home.
        config.require_home(context.paths)
        return context.workspace()

    document = names.set_name(
        workspace, context.book, context.keystore, name, value, dry_run=context.dry_run
    )
    why = disguise(document["name"])
    warnings = () if why is None else (f"this could be mistaken for another name: {why}",)
    return Result(document, warnings=warnings)


@typer_frame.command(app, "list")
def list_names(context: Context) -> Result:
    """List the names of assets on this ledger and of other people."""
    from twincli.services.names import names

    return _listed(names.list_names(context.workspace()))


def _listed(document: dict[str, Any], **more: Any) -> Result:
    return Result(
        document,
        listing="names",
        columns=(("name", "name"), ("kind", "kind"), ("value", "value"), ("did", "did")),
        item_schema="twin.name/1",
        **more,
    )


@typer_frame.command(app, "remove")
def remove(
    context: Context,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The name; asset:NAME or key:NAME where both exist."),
    ],
) -> Result:
    """Forget a name; the asset, key or identity is not touched."""
    from twincli.services.names import names

    return Result(names.remove(context.workspace(), name))


@typer_frame.command(app, "export")
def export(
    context: Context,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE|-",
            help="A new file; JSON Lines if it ends in .jsonl. Without it, or -, stdout.",
        ),
    ] = None,
) -> Result:
    """Write the names of assets on this ledger and of other people as JSON."""
    from twincli import files
    from twincli.services.names import names

    document = names.list_names(context.workspace())
    if out is None or out == "-":
        return _listed(document, text=output.to_json(document, indented=True) + "\n")
    if out.endswith(".jsonl"):
        lines = ({"schema": "twin.name/1", **entry} for entry in document["names"])
        text = "".join(output.to_json(line) + "\n" for line in lines)
    else:
        text = output.to_json(document, indented=True) + "\n"
    files.check_free(out)
    if not context.dry_run:
        files.write_new(out, text.encode())
    count = len(document["names"])
    done = "would write" if context.dry_run else "wrote"
    return Result(
        {"schema": "twin.name-export/1", "file": out, "names": count},
        notes=(f"{done} {count} names",),
    )


@typer_frame.command(app, "import")
def import_names(
    context: Context,
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE|-]", help="A file that twin name export wrote; - for stdin."),
    ] = None,
    from_ledger: Annotated[
        bool,
        typer.Option("--from-ledger", help="Take the names that CREATE transactions state."),
    ] = False,
    owner: Annotated[
        str | None,
        typer.Option(metavar="OWNER", help="With --from-ledger: whose assets to name."),
    ] = None,
) -> Result:
    """Import names that were exported elsewhere, or that the ledger states.

    Names in use are kept. Skipped names are listed with the reason; exit 10 if some of FILE were
    skipped, 5 if all were.
    """
    from twincli.services.names import exchange
    from twincli.services.tx import transactions

    if from_ledger == (file is not None):
        raise UsageError(
            "names come from a FILE or from the ledger",
            hint="twin name import FILE, or twin name import --from-ledger --owner OWNER",
        )
    if from_ledger != (owner is not None):
        raise UsageError("--from-ledger and --owner must be given together")
    if file is not None:
        found = transactions.read_lines(file_arguments.lines(file), file_arguments.what(file))
        document = exchange.import_names(context.workspace(), found)
    else:
        assert owner is not None
        document = exchange.import_owned(context.workspace(), owner)
    skipped = document["skipped"]
    done = "would name" if context.dry_run else "named"
    notes = [f"{done} {len(document['names'])}, {document['unchanged']} already had names"]
    notes += [f"skipped {_shown(entry)}: {entry['message']}" for entry in skipped]
    return _listed(
        document,
        exit_code=10 if skipped and file is not None else 0,
        notes=tuple(notes[:21]),
    )


def _shown(entry: dict[str, Any]) -> str:
    """Return what a skipped entry calls itself; it is a stranger's, and stays on its line."""
    return separated(str(entry["name"] or entry["value"] or "one without a name"))
