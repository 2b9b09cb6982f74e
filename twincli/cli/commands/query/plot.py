"""``twin plot``: charts of the streams of a twin."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from twincli.cli.commands.query import asking
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import Identity, Twin
from twincli.cli.result import Result
from twincli.cli.showing import partial
from twincli.errors import UsageError

app = typer_frame.bare()


@typer_frame.command(app, "plot")
def plot(
    context: Context,
    name: Twin,
    stream: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A stream; may be repeated.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From this time on: RFC 3339, a date, 30d.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")] = None,
    fields: Annotated[
        str | None, typer.Option(metavar="A,B.C", help="Fields; default: all numbers.")
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Length of a bucket: 30s, 1m, 1h, 1d.")
    ] = None,
    aggregates: Annotated[
        str | None, typer.Option("--agg", metavar="A,B", help="average, min, max, p95 and more.")
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
    out: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="New file: x.svg or x.png."),
    ] = None,
    identity: Identity = None,
) -> Result:
    """Draw the streams of a twin as lines and tracks.

    Many readings become a band from the lowest to the highest of each time.
    """
    from twincli import files
    from twincli.analysis import charts
    from twincli.services.query import plot as service
    from twincli.services.query.asked import Typed

    ending = None
    if out is not None:
        partial.check_free(out)
        ending = out.lower().rpartition(".")[2]
        if ending not in {"svg", "png"}:
            raise UsageError(f"{out} does not say in which format", hint="name it x.svg or x.png")
    typed = Typed(
        tuple(stream or ()),
        fields,
        since,
        until,
        every=every,
        aggregates=aggregates,
        zone=zone,
        suspect=suspect,
        where=where,
    )
    context.use_identity(identity)
    feed = asking.feed(context, download=out is not None)
    made = service.plot(context.workspace(), feed, name, typed)
    told = made.found.document
    text = None
    if out is None:
        text = charts.terminal(made.charts, _columns())
    else:
        drawn = charts.svg(made.charts, f"{name}: {', '.join(typed.streams)}")
        data = charts.png(drawn) if ending == "png" else drawn.encode()
        place = os.path.abspath(out)
        with files.incoming(os.path.dirname(place), mode=0o644, overwrite=False) as file:
            file.write(data)
            file.path = place
    return Result(
        {
            "schema": "twin.plot/1",
            "asset_id": told["asset_id"],
            "file": out,
            "charts": [chart.title for chart in made.charts],
            "chunks": told["chunks"],
            "transactions": told["transactions"],
            "warnings": list(made.found.warnings),
        },
        columns=(("file", "file"), ("charts", "charts")),
        text=text,
        notes=() if out is None else (f"wrote {out}",),
        warnings=made.found.warnings,
    )


def _columns() -> int:
    from twincli.cli.showing import help_page

    return help_page.terminal_columns()
