"""``twin cert``: certificates of twins, as credentials that other software verifies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twincli import files
from twincli.cli import file_arguments
from twincli.cli.asking import sinks
from twincli.cli.commands.file import content
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import Twin, TwinOrMine
from twincli.cli.result import Result
from twincli.cli.showing import output, partial
from twincli.errors import ExitCode
from twincli.model import times

if TYPE_CHECKING:
    from twincli.cli.result import Column
    from twincli.services.cert.lists import Fetch

app = typer_frame.group("cert")

CredentialFile = Annotated[
    str, typer.Argument(metavar="FILE", help="File with the credential, - for stdin.")
]
Number = Annotated[
    str | None,
    typer.Option(
        "--number",
        metavar="N",
        help="Its number, its id, or the transaction that recorded it; default: the only one.",
    ),
]


WRITTEN: tuple[Column, ...] = (
    ("twin", lambda made: made["asset_name"] or made["asset_id"]),
    ("number", "number"),
    ("standard", "standard"),
    ("type", "type"),
    ("form", "certificate_form"),
    ("issuer", lambda made: made["issuer_name"] or made["issuer"]),
    ("valid from", "valid_from"),
    ("valid until", "valid_until"),
    ("transaction_id", "transaction_id"),
)
"""What a certificate that was written shows; ``--json`` has all the rest."""


@typer_frame.command(app, "issue", writes=True)
def issue(
    context: Context,
    twin: Twin,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="WORD", help="What it is about: safety.")
    ] = None,
    standard: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What the twin conforms to: ISO-14001.")
    ] = None,
    number: Annotated[
        str | None, typer.Option("--number", metavar="N", help="Number of the certificate.")
    ] = None,
    issuer: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the issuer is called.")
    ] = None,
    valid_from: Annotated[
        str | None,
        typer.Option("--valid-from", metavar="TIME", help="A date or a time; default: now."),
    ] = None,
    valid_until: Annotated[
        str | None,
        typer.Option(
            "--valid-until", metavar="TIME", help="Its last day, or a time; default: no end."
        ),
    ] = None,
    attach: Annotated[
        list[str] | None,
        typer.Option("--attach", metavar="FILE:TYPE", help="A file of it; may be repeated."),
    ] = None,
) -> Result:
    """Issue a certificate about a twin: a credential that other software verifies."""
    from twincli.services.cert import issue as service

    workspace = partial.begun(context)
    given = content.attachments(attach or ())
    stores, notes = content.stores(context)
    made = service.issue(
        workspace,
        stores,
        twin,
        service.Wanted(kind, standard, number, issuer, valid_from, valid_until),
        given,
        context.writes.writing(),
        node_url=_node_url(context),
    )
    what = f"the certificate {number or standard or kind} of {twin}"
    return partial.recorded(context, made, what, notes if given else (), WRITTEN)


def _node_url(context: Context) -> str | None:
    """Return the URL of a node where others can ask for the status of a certificate, or None."""
    from twincli.client import lists

    configured = context.settings.status_url.value
    if configured is not None:
        return str(configured)
    for node in content.nodes(context):
        if lists.serves_status(node.url, node.headers, node.timeout, node.tls):
            return node.url
    return None


def _fetch(context: Context) -> Fetch:
    timeout, tls = float(context.settings.timeout.value), context.tls

    def fetch(url: str) -> bytes:
        from twincli.client import lists

        return lists.fetch(url, timeout, tls)

    return fetch


def _read(path: str) -> dict[str, Any]:
    from twincli.errors import InvalidError
    from twincli.model import credential

    data = file_arguments.beginning(path, credential.LARGEST_BYTES + 1)
    try:
        return credential.read(data)
    except InvalidError as error:
        raise error.within(file_arguments.what(path))  # noqa: B904 - it is the same error


@typer_frame.command(app, "add", writes=True)
def add(context: Context, twin: Twin, file: CredentialFile) -> Result:
    """Add a credential that somebody else issued to a twin; it is verified first."""
    from twincli.services.cert import issue as service

    document, workspace = _read(file), partial.begun(context)
    made = service.add(workspace, twin, document, _fetch(context), context.writes.writing())
    what = f"a certificate of {twin} that somebody else issued"
    return partial.recorded(context, made, what, columns=WRITTEN)


@typer_frame.command(app, "list")
def list_certificates(context: Context, twin: Twin) -> Result:
    """List the certificates of a twin, whose they are and how they stand."""
    from twincli.services.cert import check as service

    document = service.list_certificates(context.workspace(), twin)
    return Result(
        document,
        listing="certificates",
        columns=(
            ("certificate", "label"),
            ("standard", "standard"),
            ("type", "type"),
            ("form", "form"),
            ("status", "status"),
            ("issuer", _issuer),
            ("until", "valid_until"),
            ("verified", "verified"),
            ("transaction", "transaction_id"),
        ),
        brief=(
            ("certificate", "label"),
            ("form", "form"),
            ("status", "status"),
            ("issuer", _issuer),
            ("until", _day),
        ),
        item_schema="twin.certificate-item/1",
        empty=f"{twin} has no certificates",
    )


def _issuer(item: Any) -> Any:
    """Return who issued it: the name of the key here, else what it says of itself.

    Of a self-declaration it is the one whom it names.
    """
    if item["form"] == "self-declared":
        return item["issuer_name"]
    return item.get("issuer_key_name") or item["issuer_name"] or item["issuer"]


def _day(item: Any) -> Any:
    until = item["valid_until"]
    return until[:10] if isinstance(until, str) else until


@typer_frame.command(app, "show")
def show(context: Context, twin: Twin, number: Number = None) -> Result:
    """Show a certificate of a twin in full, with the checks that need no network."""
    from twincli.services.cert import check as service

    document = service.show(context.workspace(), twin, number)
    names = ("number", "type", "standard", "form", "status", "verified", "issuer", "issuer_name")
    more = ("valid_from", "valid_until", "subject", "id", "transaction_id", "committed_at")
    ended = ("revoked_at", "revoked_by", "reason") if document["revoked_by"] else ()
    return Result(
        document,
        columns=(
            *((name.replace("_", " "), name) for name in (*names, *more, *ended)),
            *(
                (check["check"], lambda _, found=check: f"{found['result']}: {found['message']}")
                for check in document["checks"]
            ),
            *(
                ("attachment", lambda _, found=file: output.to_json(found))
                for file in document["attachments"]
            ),
        ),
    )


@typer_frame.command(app, "check")
def check(
    context: Context,
    twin: TwinOrMine = None,
    within: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="What ends within it is expiring, such as 30d."),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="TIME", help="Judge as of this time.")
    ] = None,
    issuer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only certificates of this issuer; may be repeated."),
    ] = None,
) -> Result:
    """Check which certificates, and files with an end, are expired, expiring or revoked."""
    from twincli.services.cert import check as service

    document = service.check(
        context.workspace(),
        content.blobs(context),
        twin,
        within=within,
        as_of=as_of,
        accepted=issuer or (),
    )
    rows = document["certificates"]
    bad = [row for row in rows if row["counts"] and row["status"] in service.BAD]
    doubt = None if within is None else times.minutes_ahead(within)
    return Result(
        document,
        listing="certificates",
        columns=(
            ("twin", lambda row: row["asset_name"] or row["asset_id"]),
            ("certificate", "label"),
            ("form", "form"),
            ("status", "status"),
            ("issuer", _issuer),
            ("until", "valid_until"),
            ("transaction", "transaction_id"),
        ),
        brief=(
            ("twin", lambda row: row["asset_name"] or row["asset_id"]),
            ("certificate", "label"),
            ("status", "status"),
            ("until", _day),
        ),
        item_schema="twin.checked-certificate/1",
        exit_code=ExitCode.OK if document["ok"] else ExitCode.NOT_VERIFIED,
        notes=(f"{len(rows)} checked, {len(bad)} to act on", *([doubt] if doubt else [])),
    )


@typer_frame.command(app, "verify")
def verify(
    context: Context,
    file: CredentialFile,
    issuer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Accept only this issuer; may be repeated."),
    ] = None,
) -> Result:
    """Verify a credential in a file: signature, structure, dates, status and issuer at once.

    It needs no home. Exit status 3: something is wrong; 11: something could not be told.
    """
    from twincli.services.cert import verify as service
    from twincli.services.workspace import now_ms

    document = _read(file)
    found = service.verify(
        document, _fetch(context), now_ms(), context.workspace_or_none(), issuer or ()
    )
    status = {True: ExitCode.OK, False: ExitCode.NOT_VERIFIED, None: ExitCode.UNDETERMINED}
    members = ("number", "standard", "type", "issuer_name", "valid_from", "valid_until")
    return Result(
        found,
        columns=(
            ("result", "status"),
            *(
                (check["check"], lambda _, made=check: f"{made['result']}: {made['message']}")
                for check in found["checks"]
            ),
            *((name.replace("_", " "), name) for name in members if found[name] is not None),  # type: ignore[literal-required]
        ),
        exit_code=status[found["valid"]],
        warnings=tuple(found["warnings"]),
    )


@typer_frame.command(app, "revoke", writes=True)
def revoke(
    context: Context,
    twin: Twin,
    number: Annotated[
        str,
        typer.Option(
            "--number",
            metavar="N",
            help="Its number, its id, or the transaction that recorded it.",
        ),
    ],
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for people.")] = None,
) -> Result:
    """Revoke a certificate; only its issuer can."""
    from twincli.services.cert import issue as service

    workspace = partial.begun(context)
    made = service.revoke(workspace, twin, number, reason=reason, writing=context.writes.writing())
    return partial.recorded(context, made, f"the revocation of the certificate {number} of {twin}")


@typer_frame.command(app, "export")
def export(
    context: Context,
    twin: Twin,
    number: Number = None,
    out: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="New file; default: stdout."),
    ] = None,
) -> Result:
    """Write a certificate as the W3C credential that was signed, for other software."""
    from twincli.services.cert import check as service

    to_file = out is not None and out != partial.STDOUT
    if to_file:
        files.check_free(str(out))
    found = service.show(context.workspace(), twin, number)
    document = {
        "schema": "twin.certificate-export/1",
        "asset_id": found["asset_id"],
        "asset_name": found["asset_name"],
        "transaction_id": found["transaction_id"],
        "number": found["number"],
        "file": out if to_file else None,
        "credential": found["credential"],
    }
    text = json.dumps(found["credential"], ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    if not to_file:
        return Result(document, text=text)
    if not context.dry_run:
        sinks.file_sink(context, str(out), mode=0o644)(text)
    verb = "would write" if context.dry_run else "wrote"
    return Result(
        document,
        columns=(("number", "number"), ("file", "file"), ("transaction_id", "transaction_id")),
        notes=(f"{verb} {out}",),
    )
