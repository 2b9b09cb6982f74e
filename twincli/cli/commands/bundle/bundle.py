"""``twin bundle``: a twin in one file that anybody can check offline."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from twincli.cli.commands.file import content
from twincli.cli.commands.life.listing import Since, Until
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import Twin
from twincli.cli.result import Result
from twincli.errors import TwinError, UsageError
from twincli.model import text as _text
from twincli.model import times

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.services.bundle.gather import Chosen

app = typer_frame.group("bundle")

ALL, NONE = ("all", "none")

File = Annotated[str, typer.Argument(metavar="FILE", help="The bundle: F.twin, or F.html.")]


@typer_frame.command(app, "export", refuses=("key",))
def export(
    context: Context,
    twin: Twin,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="F.twin|F.html|-",
            help="The new file; .html is one page for browsers; - for stdout.",
        ),
    ] = None,
    streams: Annotated[
        str,
        typer.Option(metavar="all|none|NAMES", help="Streams to take in, such as gps,fuel."),
    ] = ALL,
    files: Annotated[
        str, typer.Option(metavar="all|none|NAMES", help="Files to take in, by name or CID.")
    ] = ALL,
    since: Since = None,
    until: Until = None,
) -> Result:
    """Write a twin to one file: its transactions, their proofs, its content.

    What is left out stays committed to: the transactions name it. --since and --until choose
    among the files of readings; readings in transactions always come along.
    """
    from twincli.cli.showing import progress
    from twincli.services.bundle import export as service

    options = context.options
    chosen = _chosen(streams, files, since, until)
    if out is None:
        raise UsageError(
            "-o is missing: where to write the bundle",
            hint=f"twin bundle export {twin} -o {_stem(twin)}.twin",
        )
    if out == "-" and (options.json or options.jsonl or options.get is not None):
        raise UsageError(
            "-o - writes the bundle to stdout, so --json, --jsonl and --get do not apply"
        )
    workspace, blobs = context.workspace(), content.blobs(context)
    elsewhere = content.elsewhere(context)
    embed = out.endswith((".html", ".htm"))
    with progress.shown(context, "reading") as report:

        def run(write: Callable[[bytes], object] | None) -> Any:
            return service.export(
                workspace,
                blobs,
                twin,
                str(out),
                chosen,
                write=write,
                embed=embed,
                progress=report,
                elsewhere=elsewhere,
            )

        document = _written(out, run, dry_run=context.dry_run)
    done = "would write" if context.dry_run else "wrote"
    count = document["transactions"]
    held = _files(document["contents"])
    words = f"{_transactions(count)}, {held}"
    notes = [f"{done} {document['size']} bytes ({words})"]
    if document["left_out"]:
        notes.append(f"left out: {_counted(document['left_out'])}")
    notes.append(f"to check it: twin verify {out}" if out != "-" else "to check it: twin verify F")
    return Result(
        document,
        text="" if out == "-" else None,
        terminal=_draw_export,
        notes=tuple(notes),
        warnings=tuple(document["warnings"]),
    )


def _draw_export(document: Any, console: Any) -> None:
    """Draw what was written; what was left out and warnings stand in the lines before."""
    grid = _grid()
    grid.add_row("twin", _text.one_line(document["asset_name"] or document["asset_id"]))
    grid.add_row("id", document["asset_id"])
    grid.add_row("ledger", document["ledger"])
    _add_checkpoint(grid, document["checkpoint"])
    grid.add_row("sha256", document["sha256"])
    console.print(grid)


def _add_checkpoint(grid: Any, checkpoint: Any) -> None:
    grid.add_row("checkpoint", _transactions(checkpoint["size"]))
    grid.add_row("root", checkpoint["root"])


def _transactions(count: int) -> str:
    return f"{count} transaction{'' if count == 1 else 's'}"


def _stem(twin: str) -> str:
    return twin if twin.isalnum() else "car"


def _counted(left_out: Any) -> str:
    """Return in words what is not in a bundle."""
    said = []
    for item in left_out:
        count = item["count"]
        if "stream" in item:
            what, span = "record", ""
            if "from" in item:
                what, span = "chunk", f" from {item['from'][:19]}Z to {item['to'][:19]}Z"
            said.append(f"{count} {what}{'' if count == 1 else 's'} of {item['stream']}{span}")
    for what, words in (("file", "by choice"), ("missing", "not here")):
        number = sum(1 for item in left_out if item["what"] == what)
        if number:
            said.append(f"{number} file{'' if number == 1 else 's'} {words}")
    return "; ".join(said)


def _chosen(streams: str, files: str, since: str | None, until: str | None) -> Chosen:
    from twincli.services.bundle.gather import Chosen
    from twincli.services.workspace import now_ms

    now = now_ms()
    first = None if since is None else times.parse(since, now) * 1000
    last = None if until is None else times.parse(until, now) * 1000
    if first is not None and last is not None and first >= last:
        raise UsageError("--since is not before --until", code="bad_time")
    return Chosen(_names("streams", streams), _names("files", files), first, last)


def _names(option: str, given: str) -> frozenset[str] | None:
    """Return the names that an option lists; None: all."""
    if given == ALL:
        return None
    if given == NONE:
        return frozenset()
    found = frozenset(name.strip() for name in given.split(","))
    if "" in found:
        raise UsageError(
            f"--{option}: {given!r} has an empty name", hint=f"--{option} all, none, or a,b"
        )
    return found


def _written(
    out: str, run: Callable[[Callable[[bytes], object] | None], Any], *, dry_run: bool
) -> Any:
    """Run an export whose bytes go to a new file, or to stdout."""
    from twincli import files
    from twincli.cli.showing import output

    if out != "-":
        files.check_free(out)
    if dry_run:
        return run(None)
    if out == "-":
        try:
            document = run(output.write_bytes)
            output.flush()
        except BrokenPipeError as error:
            raise TwinError(
                "the reader closed the pipe before the bundle was complete", code="output_failed"
            ) from error
        return document
    place = os.path.abspath(out)
    with files.incoming(os.path.dirname(place), mode=0o644, overwrite=False) as file:
        document = run(file.write)
        file.path = place
    return document


@typer_frame.command(app, "passport", refuses=("key",))
def passport(
    context: Context,
    twin: Twin,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="F.svg|F.png|F.html",
            help="New file: the code alone, or a page to print.",
        ),
    ] = None,
    access: Annotated[
        Literal["public", "legitimate_interest", "authorities"],
        typer.Option(
            metavar="public|legitimate_interest|authorities", help="Whom the values are for."
        ),
    ] = "public",
    resolver: Annotated[
        str, typer.Option(metavar="URL", help="Where a GS1 Digital Link leads.")
    ] = "https://id.gs1.org",
) -> Result:
    """Print what a twin shows to everybody, with a QR code that leads to it.

    The code is a GS1 Digital Link where the twin has a GTIN, else its DID, with the checkpoint.
    """
    from twincli.services.bundle import passport as service

    form = None if out is None else out.rpartition(".")[2].lower()
    if form is not None and form not in service.FORMS:
        raise UsageError(
            f"-o {out}: a passport is written as .svg, .png or .html",
            hint=f"twin bundle passport {twin} -o {_stem(twin)}.svg",
        )
    document = service.passport(
        context.workspace(), twin, access=access, resolver=resolver, logs=content.logs(context)
    )
    if out is None or form is None:
        return Result(document, terminal=_draw_passport, warnings=tuple(document["warnings"]))
    from twincli import files

    files.check_free(out)
    data = service.draw(document, form)
    if not context.dry_run:
        place = os.path.abspath(out)
        with files.incoming(os.path.dirname(place), mode=0o644, overwrite=False) as file:
            file.write(data)
            file.path = place
    document["file"] = out
    done = "would write" if context.dry_run else "wrote"
    warnings = tuple(document["warnings"])
    return Result(document, text="", notes=(f"{done} {out}",), warnings=warnings)


def _draw_passport(document: Any, console: Any) -> None:
    """Draw a passport: its fields, then the code where there is room for it."""
    from rich.text import Text

    from twincli.services.bundle import passport as service

    console.print(Text(_text.one_line(document["title"]), style="bold"))
    grid = _grid()
    for field in document["fields"]:
        style = "dim" if field["withheld"] else ""
        grid.add_row(_text.one_line(field["label"]), Text(service.value_text(field), style=style))
    grid.add_row("DID", document["did"])
    if document["checkpoint"] is not None:
        checkpoint = document["checkpoint"]
        count = _transactions(checkpoint["size"])
        grid.add_row("Checkpoint", f"{count}, root {checkpoint['root']}")
    console.print(grid)
    rows = service.lines(document)
    if len(rows[0]) <= console.width:
        for row in rows:
            console.print(Text(row, style="white on black"), no_wrap=True)
    else:
        console.print(f"The QR code needs {len(rows[0])} columns, or a file: -o F.svg")
    console.print(document["code"], soft_wrap=True, markup=False, highlight=False)


@typer_frame.command(app, "show", refuses=("node", "key"))
def show(context: Context, file: File) -> Result:  # noqa: ARG001 - no home is needed
    """Show what a bundle says is in it, unverified; needs no home."""
    from twincli.services.bundle import show as service

    document = service.show(file)
    note = f"nothing was verified; twin verify {file} does"
    return Result(document, terminal=_draw_info, notes=(note,))


def _draw_info(document: Any, console: Any) -> None:
    """Draw what a bundle says."""
    grid = _grid()

    def row(label: str, value: str) -> None:
        grid.add_row(label, _text.one_line(value))

    kinds = ", ".join(f"{count} {kind}" for kind, count in document["kinds"].items())
    contents, page = document["contents"], document["page"]
    row("twin", document["asset_name"] or document["asset_id"])
    row("id", document["asset_id"])
    row("ledger", document["ledger"])
    row("its key", document["ledger_key"])
    row("transactions", f"{document['transactions']} ({kinds})")
    if document["first_at"] is not None:
        row("from", document["first_at"])
        row("to", document["last_at"])
    _add_checkpoint(grid, document["checkpoint"])
    size = sum(each["size"] for each in contents)
    row("content", f"{_files(len(contents))}, {size} bytes")
    if document["left_out"]:
        row("left out", _counted(document["left_out"]))
    known = "none" if page is None else "of a release" if page["known"] else "UNKNOWN: do not open"
    row("page", known)
    console.print(grid)


def _files(count: int) -> str:
    return "1 file or chunk" if count == 1 else f"{count} files and chunks"


def _grid() -> Any:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    return grid


@typer_frame.command(app, "diff", refuses=("node", "key"))
def diff(
    context: Context,  # noqa: ARG001 - no home is needed
    first: Annotated[str, typer.Argument(metavar="A.twin", help="A bundle.")],
    second: Annotated[str, typer.Argument(metavar="B.twin", help="Another one, of the same twin.")],
) -> Result:
    """Compare two bundles: what is new, and whether B goes on where A ends; needs no home.

    Exit 3: they contradict each other, or are about different twins.
    """
    from twincli.services.bundle import diff as service

    document = service.diff(first, second)
    is_bad = document["relation"] in {service.DIVERGED, service.DIFFERENT}
    return Result(
        document,
        terminal=_draw_diff,
        exit_code=3 if is_bad else 0,
        notes=(service.sentence(document),),
    )


def _draw_diff(document: Any, console: Any) -> None:
    """Draw how two bundles differ."""
    from twincli.services.bundle.diff import DIFFERENT

    grid = _grid()
    for label, side in (("A", document["first"]), ("B", document["second"])):
        count = _transactions(side["transactions"])
        grid.add_row(
            label, _text.one_line(f"{side['file']}: {count} of {side['checkpoint']['size']}")
        )
        grid.add_row("twin", side["asset_id"])
        grid.add_row("root", side["checkpoint"]["root"])
    grid.add_row("relation", document["relation"])
    grid.add_row("roots", document["roots"].replace("_", " "))
    if document["relation"] == DIFFERENT:  # then all of A is only in A, and all of B only in B
        console.print(grid)
        return
    for label, changes in (("only in B", document["added"]), ("only in A", document["removed"])):
        for change in changes:
            said = f"{change['at']} {change['kind']} {change['transaction_id']}"
            grid.add_row(label, _text.one_line(said))
    for label, held in (
        ("content only in B", document["contents_added"]),
        ("content only in A", document["contents_removed"]),
    ):
        for each in held:
            grid.add_row(label, f"{each['cid']}, {each['size']} bytes")
    for contradiction in document["contradictions"]:
        grid.add_row("contradiction", contradiction)
    console.print(grid)
