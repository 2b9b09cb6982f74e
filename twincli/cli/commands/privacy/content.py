"""``twin content``: erase what opens an encrypted stream or file."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import Twin
from twincli.cli.result import Result
from twincli.errors import UsageError

app = typer_frame.group("content")


@typer_frame.command(app, "shred")
def shred(
    context: Context,
    twin: Twin,
    stream: Annotated[
        str | None, typer.Option("--stream", metavar="STREAM", help="The stream.")
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", metavar="CID|NAME", help="The file.")
    ] = None,
) -> Result:
    """Erase what opens an encrypted stream or file from this machine, for good.

    What is on the ledger stays, and all proofs of it still verify. Copies that others have
    fetched cannot be recalled.
    """
    from twincli.cli.commands.file import content
    from twincli.services.file import shred as service

    if (stream is None) == (file is None):
        raise UsageError("name what to shred: --stream STREAM or --file CID")
    workspace, blobs = context.workspace(), content.blobs(context)
    lock = service.lock_of(workspace, blobs, twin, stream=stream, file=file)
    what = f"the {lock.kind} {lock.name} of {twin}"
    if not context.dry_run:
        context.confirm(f"shred {what}? nobody can open it here again")
    document = service.shred(workspace, blobs, lock, content.stores(context)[0])
    count = len(document["erased"])
    word = "would erase" if context.dry_run else "erased"
    return Result(
        document,
        columns=(
            *((name, name) for name in ("asset_name", "kind", "name", "epochs")),
            ("erased", lambda _: count),
            ("absent", lambda item: len(item["absent"])),
        ),
        notes=(f"{word} what opens {what}: {count} wrap{'' if count == 1 else 's'}",),
        warnings=tuple(document["warnings"]),
    )
