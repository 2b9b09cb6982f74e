"""``twin audit``: the audit log of this home."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twincli.cli.commands.life.listing import Limit, Reverse, Since, Until
from twincli.cli.commands.proof import proving
from twincli.cli.context import Context
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.result import Result
from twincli.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from twincli.services.documents import AuditLog, AuditRun

app = typer_frame.group("audit")


@typer_frame.command(app, "log")
def log(
    context: Context,
    twin: Annotated[
        str | None,
        typer.Argument(
            metavar="[TWIN]", help="Default: all twins.", autocompletion=candidates.assets
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    reverse: Reverse = False,
) -> Result:
    """List who was given, served, shown or refused what, and check that nothing was changed.

    The log belongs to this home. It notes decryptions, content served, grants, exports and
    refusals; with twin config set audit.reads on, other reads, too. With --key, an auditor sees
    what is within the scope of the grant.
    """
    from twincli.services.audit import listing

    document = listing.list_entries(
        context.workspace(), twin, since=since, until=until, limit=limit, reverse=reverse
    )
    return Result(
        document,
        listing="entries",
        columns=(
            ("time", "at"),
            ("what", "what"),
            ("twin", lambda item: item["twin_name"] or item["twin"]),
            ("party", lambda item: item["party_name"] or item["party"]),
            ("stream or kind", lambda item: item["stream"] or item["kind"]),
            ("by", "by"),
            ("reason", "reason"),
            ("content or transaction", lambda item: item["cid"] or item["transaction_id"]),
        ),
        brief=(
            ("time", "at"),
            ("what", "what"),
            ("twin", lambda item: item["twin_name"] or item["twin"]),
            ("party", lambda item: item["party_name"] or item["party"]),
            ("stream or kind", lambda item: item["stream"] or item["kind"]),
        ),
        item_schema="twin.audit-entry/1",
        exit_code=ExitCode.OK if document["status"] == "ok" else ExitCode.NOT_VERIFIED,
        notes=(_sum(document),),
        empty=_sum(document),
        warnings=tuple(_faults(document)),
    )


def _sum(document: AuditLog) -> str:
    count, shown = document["checked"], len(document["entries"])
    entries = "1 entry" if count == 1 else f"{count} entries"
    listed = "" if shown == count else f", {shown} listed"
    chain = "whole" if document["status"] == "ok" else "broken"
    return f"{entries} in the log{listed}; the chain is {chain}"


def _faults(document: AuditLog) -> list[str]:
    problems: list[dict[str, Any]] = document["problems"]
    faults = [f"the audit log is broken: {problem['message']}" for problem in problems[:10]]
    more = len(problems) - len(faults) + document["more_problems"]
    return [*faults, *([f"{more} more problems"] if more else [])]


@typer_frame.command(app, "run", refuses=("key",))
def run(
    context: Context,
    twins: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TWIN]...", autocompletion=candidates.assets),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All twins that your keys own or that have a name here.")
    ] = False,
    junit: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write a report for CI systems, too.")
    ] = None,
) -> Result:
    """Verify the ledger of this home and its twins, as auditors do regularly.

    Exit 3: something was altered. Exit 11: something is missing, and nothing was altered.
    """
    from twincli import files
    from twincli.cli.showing import progress
    from twincli.content.store import Blobs
    from twincli.services.proof import auditing

    if bool(twins) == everything:
        raise UsageError("name twins, or give --all", hint="twin audit run --all")
    with progress.shown(context, "verifying") as report:
        document = auditing.run(
            context.workspace(),
            proving.own_ledger(context) if everything else context.ledger,
            Blobs(context.paths.content),
            twins or (),
            directory=context.paths.audit,
            progress=report,
        )
    if junit is not None and not context.dry_run:
        path = os.path.realpath(junit)
        files.replace(path, auditing.junit(document), keep_mode=os.path.exists(path))
    counts = document["counts"]
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    faults = [
        f"{name.replace('_', ' ')}: {part['problems'][0]['message']}"
        for name, part in document["parts"].items()
        if part["problems"]
    ]
    return Result(
        document,
        listing="twins",
        columns=(
            ("status", "status"),
            ("name", "name"),
            ("asset_id", "asset_id"),
            ("problem", lambda item: item["problem"] and item["problem"]["message"]),
            ("where", lambda item: item["problem"] and item["problem"]["where"]),
        ),
        item_schema="twin.audited-twin/1",
        exit_code=_EXITS[document["status"]],
        notes=(_of_ledger(document), f"twins: {said}" if said else "there are no twins here"),
        warnings=tuple(faults),
    )


def _of_ledger(document: AuditRun) -> str:
    """Return how the ledger and the audit log stand, of which the table has no line."""
    parts = document["parts"]
    data, log = parts["data_integrity"], parts["audit_trail"]
    statuses = {data["status"], parts["ledger_proof"]["status"]}
    stands = next((word for word in _EXITS if word in statuses and word != "ok"), "ok")
    count = data["checked"]
    transactions = "1 transaction" if count == 1 else f"{count:,} transactions"
    return f"ledger: {stands}, {transactions} checked; audit log: {log['status'].replace('_', ' ')}"


_EXITS = {
    "ok": ExitCode.OK,
    "failed": ExitCode.NOT_VERIFIED,
    "undetermined": ExitCode.UNDETERMINED,
}
