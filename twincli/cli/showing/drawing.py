"""Drawings of documents on a terminal, for commands with and without Typer.

Rich is loaded when something is drawn: a pipe never needs it.
"""

from __future__ import annotations

from twincli.cli.showing import output
from twincli.model.text import one_line, visible
from twincli.values import Any


def asset(document: dict[str, Any], console: Any) -> None:
    """Draw an asset: heading, owners, facts and state."""
    from rich.text import Text

    _heading(document, console)
    at, entity = document["at"], document["entity"]
    standing = (document["entity_standing"] or "claimed").replace("_", " ")
    rows = {
        "id": document["id"],
        "did": document["did"],
        "owner": document["owner"],
        "amount": document["amount"] if document["amount"] != "1" else None,
        "entity": f"{entity} ({standing})" if entity else None,
        "parent": document["parent"] and f"{document['parent']}{_part(document)}",
        "template": document["template"],
        **_life(document.get("life") or {}),
        "certified": _certificates(document.get("certificates") or []),
        "newest": document["transaction_id"],
        "committed": document["committed_at"],
        # Only where the claim is another minute: what happened earlier and was told later.
        "claimed": at if at and at[:16] != (document["committed_at"] or "")[:16] else None,
        "height": document["height"] and str(document["height"]),
    }
    _pairs(console, {name: value for name, value in rows.items() if value is not None})
    _section(console, "facts", document["data"])
    _section(
        console,
        "state" if "outputs" not in document else "state before the split",
        document["state"],
    )
    _section(
        console,
        "real time",
        {
            field["name"]: "none yet" + (f", from {field['source']}" if field["source"] else "")
            for field in document.get("real_time") or ()
            if field["value"] is None
        },
    )
    for stream in document.get("streams", ()):
        _section(console, f"{stream['stream']} at {stream['timestamp']}", stream["values"])
    for entry in document.get("outputs", ()):
        console.print(
            Text(
                one_line(f"{entry['amount']} held by {entry['owner']}: ")
                + f"{entry['transaction_id']}:{entry['output_index']}",
                style="bold",
                overflow="fold",
            )
        )
        _section(console, "  state", entry["state"])


def _life(life: dict[str, Any]) -> dict[str, str | None]:
    """Return in words where a twin is in its life."""
    event = life.get("last_event")
    return {
        "in the state": life.get("state"),
        "in the stage": life.get("stage"),
        "last event": event and f"{event['type']}, {event['happened']}",
    }


def _certificates(standings: list[dict[str, Any]]) -> str | None:
    """Return certificates with how they stand, in a line."""
    told = [one_line(f"{one['label']} {_worth(one)}") for one in standings[:_CERTIFICATES]]
    others = len(standings) - len(told)
    return "; ".join([*told, *([f"{others} more"] if others else [])]) or None


def _worth(one: dict[str, Any]) -> str:
    if one["status"] == "valid" and one["form"] == "self-declared":
        return "self-declared"
    return f"{one['status']}{', not a trusted issuer' if one['trusted'] is False else ''}"


_CERTIFICATES = 6


def written(document: dict[str, Any], console: Any) -> None:
    """Draw what a write did: the transaction, and the state after it."""
    _heading(document, console)
    rows = {
        # Named so that an id fits a line of 80 columns.
        "id" if "created" in document else "tx": (
            document["transaction_id"] or "none, this is a dry run"
        ),
        "owner": document["owner"],
        "committed": document["committed_at"],
        "height": document["height"] and str(document["height"]),
    }
    _pairs(console, {name: value for name, value in rows.items() if value is not None})
    if "created" in document:
        _section(console, "facts", document["data"])
    _section(console, "state", document["state"])


def _heading(document: dict[str, Any], console: Any) -> None:
    from rich.text import Text

    kind = document["kind"] or document["model"]
    title = document["name"] or document["title"] or "an asset without a local name"
    # On one line: a stranger's title must not draw lines that look like ours.
    heading = Text(_line(title), style="bold")
    if kind:
        heading.append(f"  {_line(kind)}", style="not bold")
    if document["burned"]:
        heading.append("  burned", style="bold red")
    if document["frozen_by"]:
        heading.append("  frozen", style="bold cyan")
    console.print(heading)


def _line(text: str) -> str:
    return one_line(text)


def _part(document: dict[str, Any]) -> str:
    standing = document.get("parent_standing", "authorised")
    return "" if standing == "authorised" else f" ({standing.replace('_', ' ')})"


def _section(console: Any, title: str, members: dict[str, Any]) -> None:
    from rich.text import Text

    if members:
        console.print(Text(title, style="bold"))
        _pairs(console, members)


def _pairs(console: Any, members: dict[str, Any]) -> None:
    """Draw names and values in two columns."""
    from rich.table import Table
    from rich.text import Text

    if len(members) > _MANY:
        from twincli.cli.showing import grid

        rows = ((_line(name), one_line(_told(value))) for name, value in members.items())
        lines = grid.lines(("name", "value"), rows, console.width, color=not console.no_color)
        # Rich takes a while for each row, and lays out all of them before it prints the first.
        console.out("\n".join(lines), highlight=False)
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in members.items():
        table.add_row(Text("  " + _line(name)), Text(visible(_told(value))))
    console.print(table)


_MANY = 1000
"""How many members are drawn with care."""


def _told(value: Any) -> str:
    return value if isinstance(value, str) else output.to_json(value)
