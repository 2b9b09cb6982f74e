"""``twin query``: rows, aggregates and SQL about the streams of a twin."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli.cli.commands.query import answering
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import Identity, Twin
from twincli.cli.result import Result

app = typer_frame.bare()


@typer_frame.command(app, "query")
def query(
    context: Context,
    name: Twin,
    stream: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A stream; may be repeated.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From this time on: RFC 3339, a date, 30d.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="At most N rows; exit 10 if there are more.")
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Newest first.")] = False,
    by: Annotated[
        str,
        typer.Option(metavar="happened|recorded", help="By their own time, or the block's."),
    ] = "happened",
    fields: Annotated[
        str | None,
        typer.Option(
            metavar="A,B.C", help="Fields, also timestamp, stream, source, quality and seq."
        ),
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Length of a bucket: 30s, 1m, 1h, 1d.")
    ] = None,
    aggregates: Annotated[
        str | None,
        typer.Option(
            "--agg",
            metavar="A,B",
            help="average, min, max, first, last, count, sum, median, p95, stddev, minmax, lttb.",
        ),
    ] = None,
    points: Annotated[
        int | None, typer.Option(metavar="N", help="N buckets, or N rows of the same shape.")
    ] = None,
    fill: Annotated[
        str | None,
        typer.Option(metavar="null|previous|linear", help="List empty buckets, too."),
    ] = None,
    origin: Annotated[
        str | None, typer.Option(metavar="TIME", help="A bucket begins at this time.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--tz", metavar="ZONE", help="Whose days: Europe/Berlin.")
    ] = None,
    suspect: Annotated[
        bool, typer.Option("--suspect", help="Count suspect readings, too.")
    ] = False,
    where: Annotated[
        str | None, typer.Option(metavar="EXPR", help="For example: 'value > 20'.")
    ] = None,
    sql: Annotated[
        str | None,
        typer.Option(metavar="SELECT", help="Ask in SQL; each stream is a table of its name."),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="table|json|jsonl|csv|parquet", help="Output format."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="New file; x.csv.gz compresses."),
    ] = None,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress the output.")] = False,
    identity: Identity = None,
) -> Result:
    """Ask the streams of a twin: rows, averages of time, or SQL.

    Every row comes from a record that is signed; the answer names them.
    """
    context.use_identity(identity)
    return answering.answer(
        context,
        name,
        stream=stream,
        since=since,
        until=until,
        limit=limit,
        reverse=reverse,
        by=by,
        fields=fields,
        every=every,
        aggregates=aggregates,
        points=points,
        fill=fill,
        origin=origin,
        zone=zone,
        suspect=suspect,
        where=where,
        sql=sql,
        form=form,
        out=out,
        gzip=gzip,
    )
