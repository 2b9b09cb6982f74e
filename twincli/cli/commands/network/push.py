"""``twin push``: assets of this ledger, to a network or another ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from twincli import config as settings
from twincli.cli.context import Context
from twincli.cli.opened import Creates
from twincli.cli.parsing import candidates, typer_frame
from twincli.cli.result import Result
from twincli.errors import UsageError

if TYPE_CHECKING:
    from twincli.services.documents import Moves

app = typer_frame.bare()

COLUMNS = (
    ("name", "name"),
    ("asset_id", "asset_id"),
    ("status", "status"),
    ("transactions", "transactions"),
)


@typer_frame.command(app, "push", creates=Creates(file=True))
def push(
    context: Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Assets; all of this ledger by default.",
            autocompletion=candidates.assets,
        ),
    ] = None,
    rebase: Annotated[
        bool,
        typer.Option(
            "--rebase", help="Where histories diverged, record yours again on top of theirs."
        ),
    ] = False,
) -> Result:
    """Send assets of this ledger to a network, with their signatures."""
    from twincli.services.network import push as service

    settings.require_home(context.paths)
    require_other_ledger(context, "push")
    workspace = context.workspace_of(context.home_ledger)
    total = context.home_ledger.ledger.counts()["transactions"]
    document = service.push(workspace, context.client, names or (), rebase=rebase)
    context.home_ledger.ledger.checkpoint()
    remember(context, document, None if names or document["failed"] else total)
    return copied(document, "sent", context)


def remember(
    context: Context, document: Moves, whole: int | None = None, *, pulled: bool = False
) -> None:
    """Remember how much was copied, for ``twin status``."""
    if not context.dry_run:
        from twincli.services.network import pushed
        from twincli.services.workspace import now_ms

        pushed.note(
            context.paths.networks,
            document["ledger"] if pulled else document["to"],
            context.node,
            context.home_ledger.ledger,
            now_ms(),
            added=document["transactions"],
            whole=whole,
        )


def require_other_ledger(context: Context, verb: str) -> None:
    """Check that ``--node`` chooses another ledger.

    Raises:
        UsageError: It chooses the ledger of this home.
    """
    if context.node == "local":
        raise UsageError(
            f"--node is missing: which ledger to {verb} " + ("to" if verb == "push" else "from"),
            hint=f"twin {verb} --node URL; twin node add NAME URL gives it a name, and twin node"
            " use NAME makes --node unnecessary",
        )


def copied(document: Moves, done: str, context: Context) -> Result:
    """Return the result of a command that copies assets."""
    count = document["transactions"]
    noun = "transaction" if count == 1 else "transactions"
    said = f"{'would have ' if context.dry_run else ''}{done} {count} {noun}"
    errors = [
        f"{entry['name'] or entry['asset_id']}: {entry['message']}" for entry in document["errors"]
    ]
    return Result(
        document,
        listing="assets",
        columns=COLUMNS,
        item_schema="twin.moved/1",
        notes=(said, *errors[:20], *_first_hint(document)),
        warnings=tuple(document["warnings"]),
        exit_code=10 if errors else 0,
    )


def _first_hint(document: Moves) -> tuple[str, ...]:
    """Return what to do about the first failure that has a hint."""
    hints = (entry["hint"] for entry in document["errors"])
    return tuple(f"hint: {hint}" for hint in hints if hint)[:1]
