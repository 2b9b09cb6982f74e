"""``twin grant``: whom the owner of a twin allows to write about it, or to read it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from twincli.cli.commands.file import content
from twincli.cli.context import Context
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.parsing.arguments import Twin
from twincli.cli.result import Result
from twincli.cli.showing import output, partial

app = typer_frame.group("grant")

Party = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="Only this party: a name, DID or public key.",
        autocompletion=candidates.parties,
    ),
]


def _body(made: Any) -> str:
    """Return what a record says, without the wraps of keys, which are for programs."""
    body = {key: value for key, value in made["body"].items() if key != "epochs"}
    if "private" in body:
        body["private"] = True
    return output.to_json(body)


_RECORDED = tuple((name, _body if name == "body" else path) for name, path in partial.RECORDED)


@typer_frame.command(app, "add", writes=True)
def add(
    context: Context,
    twin: Twin,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="NAME",
            help="Whom: a name, DID or public key; may be repeated.",
            autocompletion=candidates.parties,
        ),
    ] = None,
    role: Annotated[
        str, typer.Option(metavar="writer|viewer|auditor", help="What they may do.")
    ] = "writer",
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="What may be written or read: kinds of records, field:NAME, stream:NAME,"
            " source:ROLE; without it everything.",
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="First moment at which it no longer holds."),
    ] = None,
    deny: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B", help="Ask readers not to: download, share; nothing makes them obey."
        ),
    ] = None,
    private: Annotated[
        bool,
        typer.Option(
            "--private",
            help="Keep the scope of a reader off the ledger, which gets salted hashes.",
        ),
    ] = False,
    recipient: Annotated[
        str | None,
        typer.Option(
            metavar="AGE", help="Recipient of age, for a key that signs and cannot decrypt."
        ),
    ] = None,
) -> Result:
    """Allow others to write about a twin, or to read what is encrypted in it.

    A writer writes; a viewer reads; an auditor reads, also the audit log. If one of several
    parties cannot be allowed, none is.
    """
    from twincli.rules.authority import READERS
    from twincli.services.grant import grants

    workspace = partial.begun(context)
    reading = None
    if role in READERS or recipient is not None or private:
        reading = grants.Reading(content.stores(context)[0], recipient, private)
    made = grants.add(
        workspace,
        twin,
        to or (),
        role=role,
        scope=scope or (),
        expires=expires,
        deny=deny or (),
        reading=reading,
        writing=context.writes.writing(),
    )
    what = f"the grant of {twin} to {', '.join(to or ())}"
    return partial.recorded(context, made, what, columns=_RECORDED)


@typer_frame.command(app, "list")
def list_grants(context: Context, twin: Twin, party: Party = None) -> Result:
    """List the grants of a twin, also those that are over."""
    from twincli.services.grant import grants

    return Result(
        grants.list_grants(context.workspace(), twin, party),
        listing="grants",
        columns=(
            ("to", lambda item: item["to_name"] or item["to"]),
            ("role", "role"),
            ("scope", _limited),
            ("state", "state"),
            ("until", "until"),
            ("grant", "id"),
        ),
        item_schema="twin.grant-item/1",
        empty=_none(twin, party),
    )


@typer_frame.command(app, "show")
def show(
    context: Context,
    twin: Twin,
    party: Party = None,
    effective: Annotated[
        bool, typer.Option("--effective", help="Show what each key may write or read now, and why.")
    ] = False,
) -> Result:
    """Show the grants of a twin in full, or who may write or read what of it now."""
    from twincli.services.grant import grants

    if not effective:
        return Result(
            grants.list_grants(context.workspace(), twin, party),
            listing="grants",
            columns=(
                ("to", lambda item: item["to_name"] or item["to"]),
                ("scope", _limited),
                ("state", "state"),
                ("granted", "granted_at"),
                ("until", "until"),
                ("ended", "ended_at"),
                ("reason", "reason"),
                ("grant", "id"),
            ),
            item_schema="twin.grant-item/1",
            empty=_none(twin, party),
        )
    return Result(
        grants.effective(context.workspace(), twin, party),
        listing="speakers",
        columns=(
            ("who", lambda item: item["name"] or item["public_key"]),
            ("standing", "standing"),
            ("why", "why"),
            ("may", _may),
            ("until", "until"),
            ("via", "via"),
        ),
        item_schema="twin.effective-item/1",
    )


@typer_frame.command(app, "revoke", writes=True)
def revoke(
    context: Context,
    twin: Twin,
    whom: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="NAME",
            help="Whose word no longer counts; asset:NAME is a linked part; may be repeated.",
            autocompletion=candidates.parties,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Take back all grants and links.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="What was committed from then on does not count either."),
    ] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for people.")] = None,
) -> Result:
    """Take back grants, and the word of linked parts."""
    from twincli.services.grant import grants

    made = grants.revoke(
        partial.begun(context),
        twin,
        whom or (),
        everything=everything,
        since=since,
        reason=reason,
        stores=content.stores(context)[0],
        writing=context.writes.writing(),
    )
    ended = f"all grants and links of {twin}"
    if not everything:
        ended = f"what {', '.join(whom or ())} may write or read of {twin}"
    return partial.recorded(context, made, f"the end of {ended}", columns=_RECORDED)


def _none(twin: str, party: str | None) -> str:
    return f"{twin} has no grants{'' if party is None else f' to {party}'}"


def _may(item: dict[str, Any]) -> str | None:
    """Return what somebody may do now, None where that is nothing."""
    from twincli.rules.authority import READERS

    if item["scope"] is None and not (item["private"] and item["standing"] == "authorised"):
        return None
    return f"{'read' if item['role'] in READERS else 'write'} {_limited(item)}"


def _limited(item: dict[str, Any]) -> str:
    """Return a scope, and what a reader is asked not to do."""
    return f"{_scope(item)}{''.join(f', no {word}' for word in item['deny'])}"


def _scope(item: dict[str, Any]) -> str:
    from twincli.services.grant import scope

    if item["scope"] is None:
        return "private scope"
    return scope.text(item["scope"])
