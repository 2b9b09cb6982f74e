"""``twin agent``: keys that stay unlocked for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.result import Result

if TYPE_CHECKING:
    from twincli.services.documents import Agent

app = typer_frame.group("agent")


def _result(document: Agent, *notes: str) -> Result:
    if not document["running"]:
        # There is nothing to say of a process that is not there.
        return Result(
            document,
            columns=(("running", lambda _: "no"), ("socket", "socket")),
            notes=notes,
            warnings=tuple(document["warnings"]),
        )
    return Result(
        document,
        columns=(
            ("running", lambda shown: "yes" if shown["running"] else "no"),
            ("pid", "pid"),
            ("socket", "socket"),
            ("started_at", "started_at"),
            ("keys", _keys),
            ("core_dumps_off", "hardening.core_dumps_off"),
            ("not_dumpable", "hardening.not_dumpable"),
            ("memory_locked", "hardening.memory_locked"),
        ),
        notes=notes,
        warnings=tuple(document["warnings"]),
    )


def _keys(document: dict[str, Any]) -> str:
    return ", ".join(
        f"{key['name'] or key['public_key']} until {key['expires_at']}" for key in document["keys"]
    )


@typer_frame.command(app, "start", refuses=("node",))
def start(
    context: Context,
    ttl: Annotated[
        str, typer.Option(metavar="TIME", help="Forget the keys after 8h, 30m, 3600 (seconds).")
    ] = "8h",
) -> Result:
    """Unlock keys and keep them in a process that signs until they expire.

    It unlocks the keys of --key, else all that have a passphrase. An agent that already runs gets
    these keys too, with this time limit.
    """
    from twincli.model import times
    from twincli.services.keys import agent

    return _result(agent.start(context.workspace_without_ledger(), ttl=times.span(ttl)))


@typer_frame.command(app, "status", refuses=("node",))
def status(context: Context) -> Result:
    """Show whether an agent runs, its keys and how its memory is protected."""
    from twincli.services.keys import agent

    return _result(agent.status(context.workspace_without_ledger()))


@typer_frame.command(app, "lock", refuses=("key", "node"))
def lock(context: Context) -> Result:
    """Make the agent forget all its keys; it keeps running until its time limit."""
    from twincli.services.keys import agent

    return _result(agent.lock(context.workspace_without_ledger()))


@typer_frame.command(app, "stop", refuses=("node",))
def stop(context: Context) -> Result:
    """Make the agent forget its keys and exit."""
    from twincli.services.keys import agent

    return _result(agent.stop(context.workspace_without_ledger()))
