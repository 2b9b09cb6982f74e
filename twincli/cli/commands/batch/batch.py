"""``twin batch``: many writes of many twins from one file."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from twincli.cli import file_arguments
from twincli.cli.context import Context
from twincli.cli.opened import Creates
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.errors import ExitCode, UsageError
from twincli.services.batch import sources as _sources

if TYPE_CHECKING:
    from twincli.services.batch.verbs import Rooms
    from twincli.services.documents import Batch

app = typer_frame.group("batch")

File = Annotated[str, typer.Argument(metavar="FILE", help="The file, or - for stdin.")]
Format = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="jsonl|json|csv|xlsx|ods", help="Its format; default: by its name."
    ),
]
MapFile = Annotated[
    str | None,
    typer.Option("--map", metavar="FILE", help="What the columns of a table mean: YAML or JSON."),
]
Once = Annotated[
    str | None,
    typer.Option(metavar="PREFIX", help="Given again, nothing is recorded twice: PREFIX:LINE."),
]


@typer_frame.command(app, "apply", creates=Creates(ledger=True))
def apply(
    context: Context, file: File, form: Format = None, map_file: MapFile = None, once: Once = None
) -> Result:
    """Record the lines of a file, those of one twin all or none."""
    return _run(context, file, form, map_file, once, keep=not context.dry_run)


@typer_frame.command(app, "check")
def check(
    context: Context, file: File, form: Format = None, map_file: MapFile = None, once: Once = None
) -> Result:
    """Find out what would become of the lines of a file; nothing is recorded."""
    return _run(context, file, form, map_file, once, keep=False)


def _run(
    context: Context,
    file: str,
    form: str | None,
    map_file: str | None,
    once: str | None,
    *,
    keep: bool,
) -> Result:
    from twincli.cli import stopping
    from twincli.cli.commands.stream.sources import as_file, read_map
    from twincli.cli.options import not_a_choice
    from twincli.cli.showing import progress
    from twincli.content.batch_spool import BatchSpool
    from twincli.services.batch import batch as service
    from twincli.services.batch.run import How, reading

    if form is not None and form not in _sources.FORMATS:
        raise not_a_choice("format", form, _sources.FORMATS)
    if once == "":
        raise UsageError("--once needs a prefix")
    found = None if map_file is None else read_map(file, map_file)
    rooms = _rooms(context, keep=keep)
    notes: list[str] = []
    spool = BatchSpool()
    context.at_end(spool.close)
    with (
        # While it waits for lines a signal ends it at once; while it records, between two twins.
        stopping.between() as whole,
        ExitStack() as files,
        progress.shown(context, "applying" if keep else "checking") as shown,
    ):
        with reading():  # of a pipe all is waited for here
            path = files.enter_context(as_file(file))
        source = _sources.Source(
            path, file_arguments.what(file), _sources.format_of(file, form), found, notes.append
        )
        how = How(once, keep, whole.is_due, shown, whole)
        document = service.apply(rooms, spool, source, how)
    return _result(document, notes, keep=keep)


def _rooms(context: Context, *, keep: bool) -> Rooms:
    from twincli.cli.commands.file.content import brought
    from twincli.cli.commands.stream.rooms import room
    from twincli.content.inventory import Inventory
    from twincli.services.batch.verbs import Rooms

    found = room(context)
    if not keep:
        # What a check undoes is not to be remembered, and no passphrase is asked for.
        inventory = Inventory(":memory:")
        context.at_end(inventory.close)
        workspace = found.workspace._replace(secrets=None, dry_run=False)
        found = found._replace(inventory=inventory, workspace=workspace, rollups=None)
    return Rooms(found, brought)


def _result(document: Batch, notes: list[str], *, keep: bool) -> Result:
    refused = document["refused"] + document["skipped"]
    done = document["applied"] if keep else document["valid_lines"]
    said = f"{'recorded' if keep else 'would record'} {_lines(done)}"
    if document["existing"]:
        said += f"; {_lines(document['existing'])} already recorded"
    if refused:
        said += f"; {_lines(refused)} not"
    return Result(
        document,
        listing="lines",
        columns=tuple(
            (name, name)
            for name in ("line", "do", "asset", "status", "code", "reason", "transaction_id")
        ),
        brief=(
            ("line", lambda item: item["where"] or item["line"]),
            *((name, name) for name in ("do", "asset", "status", "reason")),
        ),
        item_schema="twin.batch-line/1",
        exit_code=ExitCode.PARTIAL if refused else ExitCode.OK,
        notes=(*notes, said),
        warnings=tuple(document["warnings"]),
    )


def _lines(count: int) -> str:
    return f"{count} line{'' if count == 1 else 's'}"
