"""``twin backup``: the whole home in one file, and back."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli.cli import file_arguments
from twincli.cli.context import Context
from twincli.cli.opened import HOME
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.cli.showing import output
from twincli.errors import TwinError, UsageError
from twincli.model import times

app = typer_frame.group("backup")


@typer_frame.command(app, "create", refuses=("node",))
def create(
    context: Context,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE|-",
            help="The new file; - for stdout; default: twin-backup-TIME.tar.",
        ),
    ] = None,
) -> Result:
    """Write keys, names, settings and ledger to one file, while they may be in use.

    The search index and the ledger's own private key are left out: a restore creates new ones.
    """
    from twincli.cli.showing import progress
    from twincli.services.home import backup
    from twincli.services.workspace import now_ms

    options = context.options
    if out is None:
        moment = times.to_text(now_ms())[:19].replace("-", "").replace(":", "")
        out = f"twin-backup-{moment}Z.tar"
    to_stdout = out == "-"
    if to_stdout and (options.json or options.jsonl or options.get is not None):
        raise UsageError(
            "-o - writes the backup to stdout, so --json, --jsonl and --get do not apply"
        )
    context.need_home()
    context.need_ledger()
    with progress.shown(context, "reading") as report:
        document = backup.create(
            context.paths.home,
            context.paths.settings,
            out,
            now_ms=now_ms(),
            write=_to_stdout if to_stdout else None,
            dry_run=context.dry_run,
            progress=report,
        )
    done = "would write" if context.dry_run else "wrote"
    counted = ", ".join(f"{name} {document[name]}" for name in ("keys", "names", "transactions"))
    note = f"{done} {document['size']} bytes ({counted})"
    return Result(
        document,
        text="" if to_stdout else None,
        notes=(note,),
        warnings=tuple(document["warnings"]),
    )


def _to_stdout(data: bytes) -> None:
    """Write to stdout; a reader that goes away has no backup, so that is an error here."""
    try:
        output.write_bytes(data)
        output.flush()
    except BrokenPipeError as error:
        raise TwinError(
            "the reader closed the pipe before the backup was complete", code="output_failed"
        ) from error


@typer_frame.command(app, "restore", creates=HOME, refuses=("node",))
def restore(
    context: Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The backup; - for stdin.")],
) -> Result:
    """Verify a backup and make it the home, which must be empty or missing.

    With --dry-run every transaction is verified and nothing is written, even if there is a home.
    The default node, certificates, headers and passphrase files are restored only with --yes.
    """
    from twincli.cli.showing import progress
    from twincli.services.home import restore as service

    with (
        file_arguments.opened(file) as stream,
        progress.shown(context, "verifying") as report,
    ):
        document = service.restore(
            stream,
            file_arguments.what(file),
            context.paths.home,
            context.paths.settings,
            dry_run=context.dry_run,
            trusted=context.yes,
            progress=report,
        )
    notes = ["the backup is complete and valid"]
    if document["restored"]:
        notes = [f"restored to {document['home']}"]
        if document["ledger"] is not None:
            notes.append(
                "the ledger continues here with a new key of its own; stop using the old copy"
            )
    return Result(document, notes=tuple(notes), warnings=tuple(document["warnings"]))
