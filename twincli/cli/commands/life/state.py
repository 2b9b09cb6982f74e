"""``twin state``: where a twin is in the states of its template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.cli.commands.life import listing
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import Twin
from twincli.cli.result import Result

if TYPE_CHECKING:
    from twincli.services.documents import State, StateCondition, StateMove

app = typer_frame.group("state")


@typer_frame.command(app, "show")
def show(context: Context, twin: Twin) -> Result:
    """Show the state that a twin is in, and the moves that lead on from it."""
    from twincli.services.life import states

    document = states.show(context.workspace(), twin)
    return Result(
        document,
        columns=(
            ("twin", lambda item: item["asset_name"] or item["asset_id"]),
            ("state", "state"),
            ("since", lambda item: listing.happened(item) or "it was created"),
            ("signed by", _signed_by),
            *(("can go to", lambda _, move=move: _move(move)) for move in document["moves"]),
            ("transaction", "transaction_id"),
        ),
    )


def _signed_by(item: State) -> str:
    names = zip(item["signer_names"], item["signers"], strict=True)
    return ", ".join(name or key for name, key in names)


def _move(move: StateMove) -> str:
    """Return a move in words: where to, and what it needs."""
    needs = [_condition(each) for each in move["conditions"] if each["required"]]
    may = [_condition(each) for each in move["conditions"] if not each["required"]]
    parts = [move["to"]]
    if needs:
        parts.append(f"needs {', '.join(needs)}")
    if may:
        parts.append(f"optional {', '.join(may)}")
    return "; ".join(parts)


def _condition(condition: StateCondition) -> str:
    if condition["expression"] is None:
        return condition["name"]
    holds = "holds" if condition["holds"] else "does not hold"
    return f"{condition['name']} ({condition['expression']}: {holds})"
