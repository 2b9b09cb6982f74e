"""``twin stream``: the readings of twins, each under a signature."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from twincli import config
from twincli.cli.commands.file import content
from twincli.cli.commands.stream.rooms import room
from twincli.cli.context import Context
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.parsing.arguments import Identity, Twin
from twincli.cli.result import Result
from twincli.cli.showing import partial
from twincli.errors import UsageError

app = typer_frame.group("stream")

Name = Annotated[str, typer.Argument(metavar="STREAM", help="The stream.")]


@typer_frame.command(app, "create", writes=True)
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
    continues: Annotated[
        str | None,
        typer.Option(metavar="OLD", help="Earlier stream of this twin that it continues."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KEY", help="Readings of this source count only if KEY signs them; repeat."
        ),
    ] = None,
    encrypt: Annotated[
        bool,
        typer.Option("--encrypt", help="Encrypt its readings for the owners and their readers."),
    ] = False,
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
    workspace = partial.begun(context)
    stores, notes = content.stores(context) if encrypt else (None, ())
    document = service.create(
        workspace,
        twin,
        stream,
        owner=owner,
        continues=continues,
        sources=source or (),
        encrypt=stores,
        writing=writing,
        if_missing=if_missing,
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
        notes=(*partial.not_prepared(prepare), f"{did} the stream {stream} of {twin}", *notes),
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
            ("encrypted", lambda item: "yes" if item["encrypted"] else None),
            ("standing", "standing"),
            ("asset_id", "asset_id"),
        ),
        item_schema="twin.stream-item/1",
        empty=f"{twin} has no streams",
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
                    *("twin", "stream", "asset_id", "owner", "standing", "continues"),
                    *("encrypted", "epoch", "epoch_due", "late_chunks"),
                    *("readings", "values"),
                    *("inline", "chunks", "chunks_unread", "anchors", "first_at", "last_at"),
                )
            ),
            ("sources", _sources),
            ("latest", lambda item: {each["path"]: _value(each) for each in item["latest"]}),
        ),
    )


def _value(item: dict[str, Any]) -> Any:
    """Return a value, with its unit where somebody said it."""
    return item["value"] if item["unit"] is None else f"{item['value']} {item['unit']}"


def _sources(item: dict[str, Any]) -> str:
    """Return the sources, each with the key that it is bound to."""
    bound = {
        each["source"]: each["key_name"] or each["public_key"] for each in item["bound_sources"]
    }
    named = dict.fromkeys((*item["sources"], *bound))
    return ", ".join(
        f"{source} (bound to {bound[source]})" if source in bound else source
        for source in named
        if source
    )


@typer_frame.command(app, "import", writes=True)
def import_file(
    context: Context,
    twin: Twin,
    stream: Name,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file, or - for stdin.")],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="csv|jsonl|gpx|nmea|parquet",
            help="Its format; default: by its name.",
        ),
    ] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Of times without one: Europe/Berlin.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(metavar="MARK", help="Between cells of CSV; tab: a tabulator.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Of the text.")] = None,
    decimal: Annotated[
        str | None, typer.Option(metavar="MARK", help="In numbers of CSV: a point or a comma.")
    ] = None,
    map_file: Annotated[
        str | None,
        typer.Option("--map", metavar="FILE", help="What the columns mean: YAML or JSON."),
    ] = None,
    on_invalid: Annotated[
        str,
        typer.Option(
            "--on-invalid",
            metavar="reject|suspect|skip",
            help="reject: store nothing of what has a fault; suspect; skip: store the others.",
        ),
    ] = "reject",
) -> Result:
    """Import a file of readings; imported again, nothing is stored twice."""
    from twincli.cli import stopping
    from twincli.cli.commands.stream import sources
    from twincli.cli.commands.stream.push import pushed
    from twincli.cli.showing import progress
    from twincli.services.stream import importing, streams

    writing = sources.many(context)
    how = sources.how(file, form, zone, delimiter, encoding, decimal, on_invalid)
    if map_file is not None:
        how = how._replace(map=sources.plan(file, map_file, how.format))
    found: list[str] = []
    rooms = room(context)
    is_private = sources.is_passing(file) and streams.is_encrypted(rooms.workspace, twin, stream)
    with (
        stopping.told(),
        sources.as_file(file, in_memory=is_private) as path,
        progress.shown(context, "importing") as shown,
    ):
        document = importing.import_file(
            rooms,
            twin,
            stream,
            path,
            how,
            writing,
            progress=shown,
            found=found.append,
        )
    result = pushed(context, document)
    return result._replace(notes=(*found, *result.notes))


@typer_frame.command(app, "export")
def export(
    context: Context,
    twins: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TWIN...]",
            help="Twins; default: all that have a name here.",
            autocompletion=candidates.assets,
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="csv|parquet|delta", help="Output format.")
    ] = "",
    out: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="DIR|URL", help="A directory, or s3://, gs://, az:// URL."
        ),
    ] = None,
    identity: Identity = None,
) -> Result:
    """Export streams to files, or to a Delta table that grows with each export.

    Engines such as Spark read the table; each of its rows names the transaction that signed it.
    """
    from twincli.cli.commands.query import asking
    from twincli.cli.showing import progress
    from twincli.client import tables
    from twincli.services.query import export as service

    hint = "twin stream export car --format delta -o lake"
    if not form or out is None:
        raise UsageError(f"add {'-o DIR' if form else '--format csv|parquet|delta'}", hint=hint)
    service.check_format(form)
    context.refuse("dry-run")
    context.use_identity(identity)
    with progress.shown(context, "exporting") as shown:
        document = service.export(
            context.workspace(),
            asking.feed(context, download=True),
            tuple(twins or ()),
            form,
            tables.opened(out, config.for_stores()),
            shown,
        )
    added, removed = document["files_added"], document["files_removed"]
    files = "file" if added == 1 else "files"
    notes = [f"{added} {files} written to {out}, readings: {document['readings']}"]
    if removed:
        notes.append(f"{removed} files no longer count, and were taken out")
    if form == service.DELTA and not (added or removed):
        notes = [f"{out} is up to date"]
    return Result(
        document,
        columns=tuple(
            (name, name)
            for name in (
                *("format", "location", "version", "files_added", "files_removed", "readings"),
            )
        ),
        notes=tuple(notes),
        warnings=tuple(document["warnings"]),
    )


@typer_frame.command(app, "follow", writes=True)
def follow(
    context: Context,
    twin: Twin,
    stream: Name,
    file: Annotated[
        str | None, typer.Argument(metavar="[-]", help="JSON Lines from stdin, without --exec.")
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--exec", metavar="COMMAND", help="Prints one or more lines of JSON."),
    ] = None,
    every: Annotated[
        str, typer.Option(metavar="SPAN", help="How often the command is run.")
    ] = "30s",
    flush: Annotated[
        str,
        typer.Option(metavar="WHEN", help="What is recorded together: 100, 60s, or 100,60s."),
    ] = "100,60s",
    on_invalid: Annotated[
        str | None,
        typer.Option("--on-invalid", metavar="reject|suspect", help="For values beyond a range."),
    ] = None,
) -> Result:
    """Record what a command prints, or stdin brings, until it ends or is stopped."""
    from twincli.cli import stopping
    from twincli.cli.commands.stream import sources
    from twincli.cli.commands.stream.push import pushed
    from twincli.cli.options import not_a_choice
    from twincli.services.stream import follow as service

    if on_invalid not in {None, "reject", "suspect"}:
        raise not_a_choice("on-invalid", str(on_invalid), ("reject", "suspect"))
    if (command is None) == (file is None) or file not in {None, "-"}:
        raise UsageError(
            "give either --exec COMMAND or - for stdin",
            hint=f"twin stream follow {twin} {stream} --exec ./gps.sh --every 30s",
        )
    context.refuse("dry-run")
    writing, when = sources.many(context), sources.flush_of(flush)
    with stopping.noted() as stopped:
        reads = (
            sources.stdin(stopped)
            if command is None
            else sources.asked(command, sources.seconds("every", every), stopped)
        )
        document = service.follow(
            room(context),
            twin,
            stream,
            reads,
            when,
            writing,
            on_invalid=on_invalid,
            tell=sources.tell,
        )
    result = pushed(context, document)
    return result._replace(exit_code=0)
