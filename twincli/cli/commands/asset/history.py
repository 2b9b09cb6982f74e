"""``twin history``: everything that ever happened to a twin, as a table, a graph or Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from twincli.cli.commands.life import listing
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import Name
from twincli.cli.result import Result
from twincli.cli.showing import output
from twincli.errors import UsageError
from twincli.model import record
from twincli.model.telling import in_words
from twincli.model.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twincli.model.telling import Naming
    from twincli.services.documents import HistoryItem, HistoryOutput, TxMoment

app = typer_frame.bare()

FORMATS = ("table", "graph", "dot")
BY = ("happened", "recorded")


@typer_frame.command(app, "history")
def history(
    context: Context,
    name: Name,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From this time on: RFC 3339, a date, 30d.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.")] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="|".join(BY),
            help="Compare the stated time, or the block's.",
        ),
    ] = BY[0],
    limit: Annotated[int | None, typer.Option(metavar="N", help="Show at most N.")] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Newest first.")] = False,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="|".join(FORMATS),
            help="Output format; dot is for Graphviz.",
        ),
    ] = "table",
) -> Result:
    """Show all that the owners of a twin did with it, in the order of the ledger.

    What others recorded about it is in twin event list, maintenance list and cert list.
    """
    from twincli.services.asset import history as service

    if form not in FORMATS:
        raise UsageError(f"--format: {form!r} is not one of {', '.join(FORMATS)}")
    workspace = context.workspace()
    document = service.history(
        workspace, name, since=since, until=until, limit=limit, reverse=reverse, by=by
    )
    naming = service.naming(workspace)
    named = naming.party
    text = None
    if form != "table" and context.mode.form == "auto":
        items = list(document["transactions"])
        draw = graph if form == "graph" else dot
        text = draw(items, naming, reverse=reverse)
        document = {**document, "transactions": items}
    return Result(
        document,
        listing="transactions",
        columns=(
            ("time", both_times if context.mode.terminal else time_of),
            ("id", "id"),
            ("kind", kind_of),
            ("signed by", lambda item: signed_by(item, named)),
            ("changed", lambda item: changed(item, naming)),
            *(() if context.mode.terminal else (("recorded", recorded),)),
        ),
        item_schema="twin.history-item/1",
        text=text,
        notes=tuple(_others(context, name, document["asset_id"])),
    )


def _others(context: Context, name: str, asset_id: str) -> Iterator[str]:
    """Yield how many records of others there are, which have histories of their own."""
    if context.network is None:
        count = len(context.client.assets_with("about", asset_id))
        if count:
            yield (
                f"{count} record{'s' if count > 1 else ''} of others about {name}:"
                f" twin event list {name}, twin maintenance list {name}, twin cert list {name}"
            )


# ---------------------------------------------------------------- words


def kind_of(item: HistoryItem) -> str:
    """Return what sort of transaction it is: its kind, or its operation where it has none."""
    if item["operation"] == "CREATE":
        return "create" if item["kind"] in {None, "asset"} else f"create {item['kind']}"
    return str(item["kind"] or "transfer")


def time_of(item: HistoryItem | TxMoment) -> str:
    """Return when it happened: as its signer states, else when it was committed."""
    if item["committed_at"] and not recorded(item):
        return item["committed_at"]
    return item["at"] or ""


def recorded(item: HistoryItem | TxMoment) -> str:
    """Return when it was recorded, where that is another minute than that in which it happened."""
    if item.get("clock") or (record.envelope_of(item.get("metadata")) or {}).get("clock"):
        return ""  # the clock that says so was known to be wrong
    return listing.recorded(item)


def both_times(item: HistoryItem | TxMoment) -> str:
    """Return when it happened and, where that differs, when it was recorded."""
    later = recorded(item)
    return f"{time_of(item)} (recorded {later})" if later else time_of(item)


def signed_by(item: HistoryItem, named: Callable[[str], str]) -> str:
    """Return the names of those who signed."""
    return ", ".join(map(named, item["signers"]))


def changed(item: HistoryItem, naming: Naming) -> str:
    """Return in a line what a transaction changed: owners, then members of the state."""
    parts = []
    said = (record.envelope_of(item["metadata"]) or {}).get("body")
    if item["operation"] == "CREATE":
        parts.append(f"owned by {_owners(item['outputs'])}")
    elif words := in_words(item["kind"] or "", said, naming):
        parts.append(words)
    elif item["kind"] != "append":
        parts.append(f"to {_owners(item['outputs'])}")
    for name, change in item["changes"].items():
        after = output.to_json(change["after"])
        before = output.to_json(change["before"]) if "before" in change else None
        if before is None or before == after:
            parts.append(f"{name} {after}")
        else:
            parts.append(f"{name} {before} -> {after}")
    text = "; ".join(parts)
    return f"{text} (corrected later)" if item["corrected"] else text


def _owners(outputs: list[HistoryOutput]) -> str:
    """Return who holds the outputs, with their amounts where these say something."""
    if len(outputs) == 1 and outputs[0]["amount"] == "1":
        return outputs[0]["owner"]
    return ", ".join(f"{entry['amount']} {entry['owner']}" for entry in outputs)


def _line(text: str) -> str:
    """Return text that stays on one line and leaves the terminal alone."""
    return one_line(text)


# ---------------------------------------------------------------- graph


def graph(items: list[HistoryItem], naming: Naming, *, reverse: bool = False) -> str:
    """Return a drawing like ``git log --graph``: a lane for each output on its way to its spender.

    Args:
        items: Of ``twin.history/1``.
        naming: Gives names.
        reverse: The items are newest first; lanes then lead from spenders to what they spent.
    """
    onward = _spent(items) if reverse else _spenders(items)
    lanes: list[str | None] = []  # the id that each lane leads to; None: the lane is free
    rows = []
    for item in items:
        taken = [column for column, goal in enumerate(lanes) if goal == item["id"]]
        node = taken[0] if taken else _free(lanes, 0)
        rows.append(f"{_joined(lanes, node, taken[1:], chr(39), middle='*')}  {item['id']}")
        for column in taken:
            lanes[column] = None
        born = []
        for number, goal in enumerate(onward[item["id"]]):
            column = node if number == 0 else _free(lanes, node + 1)
            lanes[column] = goal
            if number:
                born.append(column)
        while lanes and lanes[-1] is None:
            lanes.pop()
        told = f"{both_times(item)}  {kind_of(item)} by {signed_by(item, naming.party)}"
        bars = _joined(lanes, node, born, ".", middle="|") if born else _bars(lanes)
        rows.append(f"{bars}  {_line(told)}")
        what = changed(item, naming)
        if what:
            rows.append(f"{_bars(lanes)}  {_line(what)}")
    return "".join(row.rstrip() + "\n" for row in rows)


def _spenders(items: list[HistoryItem]) -> dict[str, list[str]]:
    """Return for each transaction where its outputs go; what is burned goes nowhere."""
    return {
        item["id"]: [
            entry["spent_by"] or "unspent" for entry in item["outputs"] if not _is_gone(entry)
        ]
        for item in items
    }


def _spent(items: list[HistoryItem]) -> dict[str, list[str]]:
    """Return for each transaction where its inputs come from, as far as that is shown."""
    found: dict[str, list[str]] = {item["id"]: [] for item in items}
    for item in items:
        for entry in item["outputs"]:
            if entry["spent_by"] in found:
                found[entry["spent_by"]].append(item["id"])
    for item in items:
        if item["operation"] == "TRANSFER" and not found[item["id"]]:
            found[item["id"]].append("earlier")
    return found


def _bars(lanes: list[str | None]) -> str:
    return " ".join("|" if taker else " " for taker in lanes) or " "


def _free(lanes: list[str | None], start: int) -> int:
    """Return the first free column from ``start`` on, a new one where there is none."""
    for column in range(start, len(lanes)):
        if lanes[column] is None:
            return column
    lanes.extend([None] * (max(start - len(lanes), 0) + 1))
    return len(lanes) - 1


def _joined(
    lanes: list[str | None], node: int, columns: list[int], end: str, *, middle: str
) -> str:
    """Return a row in which lines run from the node's column to others."""
    reach = max(columns, default=node)
    row = []
    for column, taker in enumerate(lanes):
        inside = node < column < reach
        if column == node:
            row.append(middle)
        elif column in columns:
            row.append(end)
        elif taker:
            row.append("|")
        else:
            row.append("-" if inside else " ")
        row.append("-" if node <= column < reach else " ")
    return "".join(row)[:-1]


def _is_gone(entry: HistoryOutput) -> bool:
    """Say whether an output was paid to the burn address, from where nothing comes back."""
    from twincli.model.owners import BURN_ADDRESS

    return bool(entry["owners"] == [BURN_ADDRESS])


# ---------------------------------------------------------------- Graphviz


def dot(
    items: list[HistoryItem],
    naming: Naming,
    *,
    reverse: bool = False,  # noqa: ARG001 - Graphviz orders by itself
) -> str:
    """Return the history as a Graphviz digraph; an edge is an output and its amount."""
    rows = ["digraph history {", "  node [shape=box, fontname=monospace];"]
    there = {item["id"] for item in items}
    for item in items:
        half = len(item["id"]) // 2
        lines = [
            item["id"][:half],
            item["id"][half:],
            f"{both_times(item)} {kind_of(item)} by {signed_by(item, naming.party)}",
            changed(item, naming),
        ]
        label = "\\n".join(_quoted(line) for line in lines if line)
        rows.append(f'  "{item["id"]}" [label="{label}"];')
    for item in items:
        for entry in item["outputs"]:
            if entry["spent_by"] in there:
                label = _quoted(f"{entry['amount']} {entry['owner']}")
                rows.append(f'  "{item["id"]}" -> "{entry["spent_by"]}" [label="{label}"];')
    rows.append("}")
    return "\n".join(rows) + "\n"


def _quoted(text: str) -> str:
    return _line(text).replace("\\", "\\\\").replace('"', '\\"')
