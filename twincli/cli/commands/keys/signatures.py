"""``twin keys sign`` and ``twin keys verify``: signatures over files."""

from __future__ import annotations

from typing import Annotated

import typer

from twincli.cli import file_arguments
from twincli.cli.asking import sinks
from twincli.cli.commands.keys.arguments import Name
from twincli.cli.context import Context
from twincli.cli.parsing import candidates
from twincli.cli.result import Result
from twincli.cli.showing import output, partial
from twincli.errors import UsageError

_LONGEST = 65536


def sign(
    context: Context,
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The file to sign; - for stdin.")],
    out: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="New file for the signature."),
    ] = None,
) -> Result:
    """Sign a file; the signature cannot be used for transactions."""
    from twincli.services.keys import signatures

    workspace = context.workspace_without_ledger()
    workspace.keystore.get(name)
    write = None
    if out is not None and out != "-":
        partial.check_free(out)
        if not context.dry_run:
            write = sinks.file_sink(context, out, mode=0o644)
    with file_arguments.opened(file) as stream:
        document = signatures.sign(workspace, name, stream)
    text = output.to_json(document, indented=True) + "\n"
    if write is None:
        return Result(document, text=text, notes=("not signed",) if context.dry_run else ())
    write(text)
    return Result(document, text="", notes=(f"wrote the signature to {out}",))


def verify(
    context: Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The signed file; - for stdin.")],
    signature: Annotated[
        str, typer.Argument(metavar="SIG|-", help="A signature made by twin keys sign.")
    ],
    by: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DID|KEY",
            help="Its required signer.",
            autocompletion=candidates.keys,
        ),
    ] = None,
) -> Result:
    """Check a signature over a file and show whose it is; exit 3 if it is not valid.

    Without --by a signature by anybody is valid.
    """
    from twincli.services.keys import signatures

    if file == signature == "-":
        raise UsageError("the file and its signature cannot both come from stdin")
    made = signatures.read(file_arguments.beginning(signature, _LONGEST))
    with file_arguments.opened(file) as stream:
        document = signatures.verify(context.workspace_without_ledger(), stream, made, by)
    return Result(
        document,
        exit_code=0 if document["valid"] else 3,
        warnings=tuple(document["warnings"]),
    )
