"""``twin tx``: showing, judging and submitting transactions."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from twincli import config as settings
from twincli.cli import file_arguments
from twincli.cli.context import Context
from twincli.cli.opened import ANY_LEDGER
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result
from twincli.cli.showing import partial as partialfile
from twincli.crypto import canonical
from twincli.errors import InvalidError, NotFoundError, TwinError, UsageError
from twincli.rules.partial import Partial
from twincli.rules.partial import combine as combine_partials
from twincli.rules.partial import document as partial_document
from twincli.rules.validity import PROFILES

app = typer_frame.group("tx")


@typer_frame.command(app, "show")
def show(
    context: Context,
    refs: Annotated[
        list[str],
        typer.Argument(metavar="FILE|ID...", help="Ids, beginnings of ids, files, or - for stdin."),
    ],
) -> Result:
    """Show whole transactions and their place on the ledger."""
    from twincli.services.tx import transactions

    documents: list[Any] = []
    for ref in refs:
        if file_arguments.is_file(ref):
            tx = transactions.read(file_arguments.read(ref), file_arguments.what(ref))
            if isinstance(tx, Partial):
                from twincli.services.tx import cosign

                documents.append(cosign.describe(tx, context.workspace_or_none()))
            else:
                documents.append(transactions.show_file(_client_or_none(context), tx))
        else:
            documents.append(transactions.show(context.workspace(), ref))
    if len(documents) == 1:
        is_signing = documents[0]["schema"] == "twin.signing/1"
        return partialfile.shown(documents[0]) if is_signing else Result(documents[0])
    return Result(
        {"schema": "twin.transactions/1", "transactions": documents},
        listing="transactions",
        columns=(
            # One that is partly signed has no id yet.
            ("id", lambda item: item["id"] if "id" in item else item["body_digest"]),
            ("operation", "operation"),
            ("asset_id", "asset_id"),
            ("height", "height"),
            ("committed_at", lambda item: item.get("committed_at") or item.get("standing")),
        ),
        item_schema="twin.transaction/1",
    )


def _client_or_none(context: Context) -> Any:
    """Return the ledger, or None where there is none and a file speaks for itself."""
    try:
        return context.client
    except NotFoundError:
        return None


@contextmanager
def _naming(file: str) -> Iterator[None]:
    """Let hints about a file carry its name."""
    try:
        yield
    except TwinError as error:
        if error.hint is not None and file != "-":
            error.hint = re.sub(r"\bFILE\b", lambda _: shlex.quote(file), error.hint)
        raise


Out = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="Where to write it; - for stdout."),
]


@typer_frame.command(app, "sign")
def sign(
    context: Context,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE|-", help="A transaction that --prepare wrote; - for stdin."),
    ],
    out: Out = None,
) -> Result:
    """Sign a prepared transaction, after showing what it does.

    FILE gets the signature, unless -o names another one. The file is not trusted: the
    summary is read from the transactions it carries, and their ids are computed again.
    """
    from twincli import files
    from twincli.services.tx import cosign

    where = out or file
    if out is not None and out != file:
        partialfile.check_free(out)
    workspace = context.workspace()
    with _naming(file):
        partial = _unsigned(context, file)
        cosign.check_open(workspace, partial)
        infos = cosign.keys_for(workspace, partial)
    document = cosign.describe(partial, workspace)
    if context.dry_run:
        return partialfile.shown(document, notes=("nothing was signed",))
    names = " and ".join(info.name for info in infos)
    context.confirm(f"sign this as {names}?", details=partialfile.question(document))
    partial = cosign.sign(workspace, partial, infos)
    with files.held(where):
        if where == file and os.path.isfile(file):
            # Somebody else may have signed it while we were asking.
            partial = combine_partials([_unsigned(context, file), partial])
        return partialfile.saved(
            cosign.describe(partial, workspace),
            partial_document(partial),
            where,
            in_place=where == file,
        )


def _unsigned(context: Context, file: str) -> Partial:
    """Return what is to be signed, prepared here or by an official driver."""
    from twincli.services.tx import cosign

    value = canonical.decode(file_arguments.read(file), what=file_arguments.what(file))
    if isinstance(value, dict) and "inputs" in value:
        return cosign.from_unsigned(context.client, value)
    return cosign.read(value)


@typer_frame.command(app, "combine")
def combine(
    context: Context,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Copies of one transaction, signed by several."),
    ],
    out: Out = None,
) -> Result:
    """Combine the signatures of several copies of one prepared transaction.

    The result does not depend on the order of the files. Without -o it goes to stdout.
    """
    from twincli.services.tx import cosign

    if out is not None:
        partialfile.check_free(out)
    partials: list[Partial] = []
    for file in files:
        value = canonical.decode(file_arguments.read(file), what=file_arguments.what(file))
        try:
            partials.append(cosign.read(value, partials[0] if partials else None))
        except TwinError as error:
            raise error.within(file_arguments.what(file))  # noqa: B904 - it is the same error
    combined = combine_partials(partials)
    document = cosign.describe(combined, context.workspace_or_none())
    if context.dry_run:
        return partialfile.shown(document)
    return partialfile.saved(document, partial_document(combined), out or partialfile.STDOUT)


@typer_frame.command(app, "validate")
def validate(
    context: Context,
    ref: Annotated[
        str,
        typer.Argument(metavar="FILE|ID", help="An id, its beginning, a file, or - for stdin."),
    ],
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the result of every rule.")
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(PROFILES),
            help="Which rules to apply; default: the ledger's.",
        ),
    ] = None,
) -> Result:
    """Check whether a transaction is valid; exit 3 if not."""
    from twincli.services.tx import transactions
    from twincli.services.tx import validate as service

    if profile is not None and profile not in PROFILES:
        raise UsageError(f"--profile: {profile!r} is not one of {', '.join(PROFILES)}")
    tx: Any
    if file_arguments.is_file(ref):
        data = file_arguments.read(ref)
        try:
            tx = transactions.read(data, file_arguments.what(ref))
        except InvalidError as error:
            tx = error
    else:
        tx = transactions.show(context.workspace(), ref)["transaction"]
    try:
        client = context.client
    except NotFoundError as error:
        service.no_ledger_for_spending(tx, error)
        client = _empty(context)
    document = service.validate(client, tx, profile or client.profile, explain=explain)
    return Result(
        document,
        columns=(
            ("valid", "valid"),
            ("id", "id"),
            ("profile", "profile"),
            ("code", lambda shown: (shown["error"] or {}).get("code")),
            ("message", lambda shown: (shown["error"] or {}).get("message")),
            ("hint", lambda shown: (shown["error"] or {}).get("hint")),
            ("deviations", lambda shown: shown["deviations"] or None),
            *(
                (row["rule"], lambda _, row=row: f"{_mark(row['ok'])} {row['message']}")
                for row in document.get("rules", ())
            ),
        ),
        exit_code=0 if document["valid"] else 3,
    )


def _mark(ok: bool | None) -> str:
    return "-" if ok is None else "ok" if ok else "NO"


def _empty(context: Context) -> Any:
    from twincli.client.embedded import EmbeddedClient

    client = EmbeddedClient.open(":memory:", create=True)
    context.at_end(client.close)
    return client


@typer_frame.command(app, "submit", creates=ANY_LEDGER)
def submit(
    context: Context,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE|-", help="One transaction, or JSON Lines; - for stdin."),
    ],
) -> Result:
    """Submit signed transactions; one already on the ledger is a success."""
    from twincli.services.tx import transactions

    if context.node == "local":
        settings.require_home(context.paths)
    found = transactions.read_lines(file_arguments.lines(file), file_arguments.what(file))
    with _naming(file):
        document = transactions.submit(context.workspace(), found)
    if document["schema"] == "twin.submission/1":
        said = "submitted" if document["created"] else "already on the ledger:"
        if context.dry_run and document["created"]:
            said = "would submit"
        return Result(document, notes=(f"{said} {document['transaction_id']}",))
    return Result(
        document,
        exit_code=10 if document["errors"] else 0,
        notes=tuple(
            f"{entry['number']}: {entry['code']}: {entry['message']}"
            for entry in document["errors"][:20]
        ),
    )
