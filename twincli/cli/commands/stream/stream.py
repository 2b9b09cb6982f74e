"""``twin stream``: the readings of twins, each under a signature."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli.cli.commands.stream.rooms import room
from twincli.cli.context import Context
from twincli.cli.opened import ANY_LEDGER
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.result import Result
from twincli.cli.showing import partial
from twincli.errors import UsageError

app = typer_frame.group("stream")

Twin = Annotated[
    str, typer.Argument(metavar="TWIN", help="The twin.", autocompletion=candidates.assets)
]
Name = Annotated[str, typer.Argument(metavar="STREAM", help="The stream.")]


@typer_frame.command(app, "create", creates=ANY_LEDGER, writes=True)
def create(
    context: Context,
    twin: Twin,
    stream: Name,
    owner: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER", help="Who writes into it.", autocompletion=candidates.parties
        ),
    ] = None,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Succeed if the same stream already exists.")
    ] = False,
) -> Result:
    """Create a stream of a twin, for its owners or for a device to write into."""
    from twincli.services.stream import create as service
    from twincli.services.tx.prepared import Prepared

    prepare, writing = context.writes.prepare, context.writes.writing()
    if writing.bare:
        raise UsageError("--bare writes no envelope, which names the twin", hint="leave it out")
    if prepare is not None:
        partial.check_free(prepare)
    document = service.create(
        context.workspace(), twin, stream, owner=owner, writing=writing, if_missing=if_missing
    )
    if isinstance(document, Prepared):
        return partial.prepared(context, document, str(prepare))
    did = "created" if document["created"] else "there is already"
    if context.dry_run:
        did = "would create"
    return Result(
        document,
        columns=tuple(
            (name, name)
            for name in ("twin", "stream", "owner", "asset_id", "transaction_id", "created")
        ),
        notes=(*partial.not_prepared(prepare), f"{did} the stream {stream} of {twin}"),
        warnings=tuple(document["warnings"]),
    )


@typer_frame.command(app, "list")
def list_streams(context: Context, twin: Twin) -> Result:
    """List the streams of a twin, and how much they hold."""
    from twincli.services.stream import show as service

    return Result(
        service.list_streams(room(context), twin),
        listing="streams",
        columns=(
            *((name, name) for name in ("stream", "readings", "first_at", "last_at", "owner")),
            ("standing", "standing"),
            ("asset_id", "asset_id"),
        ),
        item_schema="twin.stream-item/1",
    )


@typer_frame.command(app, "show")
def show(context: Context, twin: Twin, stream: Name) -> Result:
    """Show what a stream holds: counts, times, sources, latest values, and whose word it is."""
    from twincli.services.stream import show as service

    document = service.show(room(context), twin, stream)
    return Result(
        document,
        columns=(
            *(
                (name, name)
                for name in (
                    *("twin", "stream", "asset_id", "owner", "standing", "readings", "values"),
                    *("inline", "chunks", "chunks_unread", "anchors", "first_at", "last_at"),
                )
            ),
            ("sources", lambda item: ", ".join(filter(None, item["sources"]))),
            ("latest", lambda item: {each["path"]: each["value"] for each in item["latest"]}),
        ),
    )
