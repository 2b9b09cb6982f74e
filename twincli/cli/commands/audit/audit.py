"""``twin audit``: the audit log of this home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from twincli.cli.commands.life.listing import Limit, Reverse, Since, Until
from twincli.cli.context import Context
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.result import Result
from twincli.errors import ExitCode

if TYPE_CHECKING:
    from twincli.services.documents import AuditLog

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
        notes=() if document["status"] == "broken" else (_sum(document),),
        empty=_sum(document),
        warnings=tuple(_faults(document)),
    )


def _sum(document: AuditLog) -> str:
    count, shown = document["checked"], len(document["entries"])
    entries = "1 entry" if count == 1 else f"{count} entries"
    listed = "" if shown == count else f", {shown} listed"
    return f"{entries} in the log{listed}; the chain is whole"


def _faults(document: AuditLog) -> list[str]:
    problems: list[dict[str, Any]] = document["problems"]
    faults = [f"the audit log is broken: {problem['message']}" for problem in problems[:10]]
    more = len(problems) - len(faults) + document["more_problems"]
    return [*faults, *([f"{more} more problems"] if more else [])]
