"""What ``twin query`` does once its command line is read."""

from __future__ import annotations

import os
import sys

from twincli.cli.commands.query import asking
from twincli.cli.context import is_terminal
from twincli.cli.options import not_a_choice
from twincli.cli.result import Result
from twincli.cli.showing import output, partial
from twincli.errors import ExitCode, UsageError
from twincli.services.audit import trail
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.cli.context import Context
    from twincli.services.query.query import Found


def answer(
    context: Context,
    name: str,
    *,
    stream: list[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
    reverse: bool = False,
    by: str = "happened",
    fields: str | None = None,
    every: str | None = None,
    aggregates: str | None = None,
    points: int | None = None,
    fill: str | None = None,
    origin: str | None = None,
    zone: str | None = None,
    suspect: bool = False,
    where: str | None = None,
    sql: str | None = None,
    form: str | None = None,
    out: str | None = None,
    gzip: bool = False,
) -> Result:
    """Answer a question and write the rows where they are wanted."""
    from twincli.services.query.asked import Typed

    form = _form(context, form, out, gzip=gzip)
    typed = Typed(
        tuple(stream or ()),
        fields,
        since,
        until,
        limit,
        reverse,
        by,
        every,
        aggregates,
        points,
        fill,
        origin,
        zone,
        suspect,
        where,
    )
    feed = asking.feed(context, download=out is not None and out != partial.STDOUT)
    found = (
        asking.answered(context, feed, name, typed)
        if sql is None
        else asking.answered_sql(context, feed, name, typed, sql)
    )
    exit_code = ExitCode.PARTIAL if found.truncated else ExitCode.OK
    notes = (
        (f"there are more rows than the {limit} of --limit",) if found.truncated and limit else ()
    )
    if out is not None and out != partial.STDOUT:
        trail.note(
            context.workspace(),
            trail.EXPORTED,
            twin=found.document["asset_id"],
            stream=",".join(typed.streams) or None,
            reason=form,
            by="query",
        )
        return _to_file(found, str(form), out, exit_code, notes, gzip=gzip)
    if form is not None or gzip:
        return _to_stdout(context, found, form, exit_code, notes, gzip=gzip)
    return Result(
        {**found.document, "rows": found.rows()},
        listing="rows",
        columns=tuple((each, _cell(each, nested=found.answer.nested)) for each in _paths(found)),
        item_schema="twin.query-row/1",
        exit_code=exit_code,
        notes=notes,
        warnings=found.warnings,
    )


def _paths(found: Found) -> list[str]:
    return [column.path for column in found.answer.columns]


def _cell(path: str, *, nested: bool) -> str | Callable[[Any], Any]:
    return path if nested else lambda row: row.get(path)


def _form(context: Context, form: str | None, out: str | None, *, gzip: bool) -> str | None:
    """Return the format that rows are written in; None: as every command prints.

    Raises:
        UsageError: Two formats at once, or not one for a file.
        ConflictError: ``exists``.
    """
    from twincli.services.query import formats

    options = context.options
    if form is not None and form not in formats.FORMATS:
        raise not_a_choice("format", form, formats.FORMATS)
    is_file = out is not None and out != partial.STDOUT
    if is_file:
        assert out is not None
        partial.check_free(out)
        form = form or formats.of_name(out)
        if form in {None, formats.TABLE}:
            raise UsageError(
                f"{out} does not say in which format", hint="add --format csv, or name it x.csv"
            )
        return form
    chosen = next((name for name in ("json", "jsonl") if getattr(options, name)), None)
    if form is not None and (chosen or options.get is not None):
        raise UsageError(f"--format and --{chosen or 'get'} cannot be given together")
    if form == formats.TABLE:
        form = None
    if gzip:
        form = form or chosen
        if form is None:
            raise UsageError("--gzip needs a format", hint="add --format csv")
    if (gzip or form == formats.PARQUET) and is_terminal(sys.stdout):
        raise UsageError("stdout is a terminal", hint="write it to a file with -o FILE, or pipe it")
    return form


def _to_file(
    found: Found, form: str, out: str, exit_code: int, notes: tuple[str, ...], *, gzip: bool
) -> Result:
    """Write rows to a new file, which is there only when all of them are."""
    from twincli import files
    from twincli.services.query import formats

    place = os.path.abspath(out)
    with files.incoming(os.path.dirname(place), mode=0o644, overwrite=False) as file:
        if gzip or out.lower().endswith(".gz"):
            with formats.compressed(file.write) as put:
                count = formats.write(found, form, put)
        else:
            count = formats.write(found, form, file.write)
        file.path = place
    told = found.document
    document = {
        "schema": "twin.query-file/1",
        "asset_id": told["asset_id"],
        "file": out,
        "format": form,
        "rows": count,
        **{each: told[each] for each in ("truncated", "chunks", "transactions", "warnings")},
    }
    return Result(
        document,
        columns=(("file", "file"), ("format", "format"), ("rows", "rows")),
        exit_code=exit_code,
        notes=(f"wrote {out}", *notes),
        warnings=found.warnings,
    )


def _to_stdout(
    context: Context,
    found: Found,
    form: str | None,
    exit_code: int,
    notes: tuple[str, ...],
    *,
    gzip: bool,
) -> Result:
    """Write rows to stdout as they are read."""
    from twincli.model.text import visible
    from twincli.services.query import formats

    assert form is not None
    for warning in found.warnings:
        output.say(f"twin: warning: {warning}")
    if not context.options.quiet:
        for note in notes:
            output.say(note)
    if gzip:
        with formats.compressed(output.write_bytes) as put:
            formats.write(found, form, put)
    elif is_terminal(sys.stdout):
        formats.write(found, form, lambda data: output.write(_lines(visible, data)))
    else:
        formats.write(found, form, output.write_bytes)
    output.flush()
    return Result({"schema": "twin.query/1"}, exit_code=exit_code, said=True)


def _lines(visible: Callable[[str], str], data: bytes) -> str:
    """Return text for a terminal, which its characters cannot steer."""
    return "\n".join(map(visible, data.decode().split("\n")))
