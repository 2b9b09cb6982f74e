"""``twin watch``: what happens to a twin, as it is committed."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import Twin
from twincli.cli.result import Result
from twincli.cli.showing import output
from twincli.errors import ExitCode, TwinError, UsageError
from twincli.model.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twincli.errors import UnreachableError
    from twincli.services.documents import WatchItem

app = typer_frame.bare()

_HERE, _AWAY = 0.25, 1.0
"""Seconds between two looks at a file, and at a node."""
_LONGEST = 300
"""Characters of a line about one event."""


@typer_frame.command(app, "watch")
def watch(
    context: Context,
    name: Twin,
    stream: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this stream; may be repeated."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="Go on after this event; default: from now on."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="End after N events; exit 10 if fewer came.")
    ] = None,
) -> Result:
    """Watch what happens to a twin: readings, records and appends, as they are committed.

    Each event has a token, the id of its transaction, from which --resume goes on. It ends after
    --limit events or --timeout seconds, else with Ctrl-C. A pipe gets JSON Lines.
    """
    from twincli.cli import stopping
    from twincli.services.query import watch as service

    if limit is not None and limit < 1:
        raise UsageError(f"--limit takes a whole number from 1, not {limit}")
    seconds = context.options.timeout
    mode = context.mode
    is_whole = mode.form in {"json", "get"}
    is_for_people = mode.form == "auto" and mode.terminal
    if is_whole and limit is None and seconds is None:
        raise UsageError(
            "one JSON document needs an end",
            hint="add --limit N or --timeout SECONDS, or take --jsonl",
        )
    wanted = tuple(stream or ())
    told: list[str] = []
    count = 0
    kept: list[WatchItem] = []
    with stopping.between() as whole:
        try:
            made = service.Watch(context.workspace(), name, wanted, resume)
            told.append(made.started_after)
            if mode.form == "auto" and not mode.quiet:
                output.say(f"watching {name} after {made.started_after}")
            events = service.follow(
                made, _HERE if context.network is None else _AWAY, seconds, _complain
            )
            for item in islice(events, limit):
                with whole:  # else it might be printed, and not be told as the last one
                    if is_whole:
                        kept.append(item)
                    else:
                        output.write(_lines(item, name) if is_for_people else _json_line(item))
                        output.flush()
                    count += 1
                    told[0] = item["resume"]
        except KeyboardInterrupt:
            raise _stopped(name, wanted, told) from None
    return Result(
        {
            "schema": "twin.watch/1",
            "asset_id": made.twin_id,
            "started_after": made.started_after,
            "events": kept,
        },
        listing="events",
        item_schema="twin.watch-item/1",
        exit_code=ExitCode.PARTIAL if limit is not None and count < limit else ExitCode.OK,
        said=not is_whole,
    )


def _stopped(name: str, wanted: Sequence[str], told: Sequence[str]) -> TwinError:
    """Return the error for Ctrl-C, which says how to go on."""
    chosen = "".join(f" --stream {each}" for each in wanted)
    hint = f"twin watch {name}{chosen} --resume {told[0]} goes on from here" if told else None
    error = TwinError("interrupted", code="interrupted", hint=hint)
    error.exit_code = ExitCode.INTERRUPTED
    return error


def _complain(error: UnreachableError) -> None:
    output.say(f"twin: warning: {error.message}; trying again")


def _json_line(item: WatchItem) -> str:
    return output.to_json({"schema": "twin.watch-item/1", **item}) + "\n"


# --- For people ----------------------------------------------------------------------------------


def _lines(item: WatchItem, name: str) -> str:
    """Return an event as lines: when, where, what, and whose word it is."""
    where = item["stream"] or name
    said = [
        each or key[:10] for key, each in zip(item["signers"], item["signer_names"], strict=True)
    ]
    end = f"by {', '.join(said)}"
    if item["standing"] not in {None, "authorised"}:
        end += f" ({str(item['standing']).replace('_', ' ')})"
    when = item["at"] or item["committed_at"] or ""
    return "".join(
        f"{one_line(f'{moment or when}  {where}  {_short(what)}  {end}')}\n"
        for moment, what in _told(item)
    )


def _told(item: WatchItem) -> Iterator[tuple[str | None, str]]:
    kind = item["kind"] or "transfer"
    if item["fault"] is not None:
        yield None, f"{kind} that cannot be read: {item['fault']}"
    elif item["readings"]:
        for each in item["readings"]:
            suspect = " suspect" if each.get("suspect") or each.get("quality") else ""
            yield each["timestamp"], _members(each["data"]) + suspect
    elif item["chunks"]:
        chunks = item["chunks"]
        first, last = min(each["from"] for each in chunks), max(each["to"] for each in chunks)
        yield None, f"{sum(each['count'] for each in chunks)} readings from {first} to {last}"
    elif item["operation"] == "CREATE" and item["stream"] is not None:
        yield None, "created"
    else:
        yield None, f"{kind} {_members(item['body'] or item['changes'])}".rstrip()


def _members(values: Mapping[str, Any]) -> str:
    """Return ``speed 35.5, heading 90``; inner members by their dotted paths."""
    found: list[str] = []
    todo = [(str(name), value) for name, value in reversed(list(values.items()))]
    while todo and len(found) < _LONGEST:
        name, value = todo.pop()
        if isinstance(value, dict) and value:
            todo += [(f"{name}.{inner}", each) for inner, each in reversed(list(value.items()))]
        else:
            found.append(f"{name} {value if isinstance(value, str) else output.to_json(value)}")
    return ", ".join(found)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
