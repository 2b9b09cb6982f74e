"""``twin maintenance``: what was done to twins, and what is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from twincli.cli.commands.life import listing
from twincli.cli.context import Context
from twincli.cli.parsing import typer_frame
from twincli.cli.parsing.arguments import TwinOrMine
from twincli.cli.result import Result
from twincli.errors import ExitCode
from twincli.model import times

if TYPE_CHECKING:
    from twincli.services.documents import Cost, DueItem, Maintained, MaintenanceItem
    from twincli.services.record.listed import Wanted

app = typer_frame.group("maintenance")


@listing.command(app)
def list_maintenance(context: Context, twin: str, wanted: Wanted) -> Result:
    """List what was done to a twin, in the order in which it happened, and what it cost."""
    from twincli.services.care import listing as service

    document = service.list_maintenance(context.workspace(), twin, wanted)
    return Result(
        document,
        listing="maintenance",
        columns=(
            ("happened", listing.happened),
            ("type", "type"),
            ("technician", "technician"),
            ("work", lambda item: "; ".join(item["work"] or ())),
            ("parts", _parts),
            ("cost", lambda item: _cost(item) if item["total"] is not None else ""),
            ("schedules", lambda item: ", ".join(item["schedules"])),
            ("next", _next),
            *listing.ALWAYS,
        ),
        item_schema="twin.maintenance/1",
        notes=tuple(f"total: {_cost(total)}" for total in document["totals"]),
    )


def _parts(item: MaintenanceItem) -> str:
    return ", ".join(f"{part['quantity']} x {part['part']}" for part in item["parts"] or ())


def _cost(item: MaintenanceItem | Cost) -> str:
    return " ".join(filter(None, (item["total"], item["currency"])))


def _next(item: MaintenanceItem) -> str:
    return " ".join(filter(None, (item["next"], item["next_type"])))


@typer_frame.command(app, "due")
def due(
    context: Context,
    twin: TwinOrMine = None,
    within: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="Only what is overdue, or due within it: 30d, 4w."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="TIME", help="Judge what is known today at this time."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write it as a calendar (iCalendar), too."
        ),
    ] = None,
) -> Result:
    """List what is due: service, warranties, certificates and files; exit 3 if anything is."""
    from twincli.cli.commands.query import asking
    from twincli.cli.commands.stream.rooms import room
    from twincli.services.care.due import list_due
    from twincli.services.care.streams import TwinStreams

    if output is not None:
        _check_calendar(output)
    workspace = context.workspace()
    streams = TwinStreams(lambda: room(context), lambda: asking.feed(context))
    document = list_due(workspace, twin, within=within, as_of=as_of, streams=streams)
    doubt = None if within is None else times.minutes_ahead(within)
    notes = () if doubt is None else (doubt,)
    if output is not None:
        from twincli.services.care.calendar import calendar

        _write(output, calendar(document, workspace.client.ledger_id))
        notes = (*notes, f"wrote {output}")
    return Result(
        document,
        listing="due",
        columns=(
            ("standing", "standing"),
            ("twin", lambda item: item["asset_name"] or item["asset_id"]),
            ("reason", "reason"),
            ("name", "name"),
            ("due", _when),
            ("every", "every"),
            ("last", "last"),
            ("transaction", "transaction_id"),
        ),
        item_schema="twin.due-item/1",
        empty="nothing is scheduled" if within is None else f"nothing is due within {within}",
        notes=(*_remarks(document), *notes),
        exit_code=_exit_code(document),
    )


def _exit_code(document: Maintained) -> ExitCode:
    if not document["ok"]:
        return ExitCode.NOT_VERIFIED
    return ExitCode.UNDETERMINED if document["unclear"] else ExitCode.OK


def _remarks(document: Maintained) -> tuple[str, ...]:
    """Return what cannot be judged, and work that fits no schedule, in words."""
    said = [
        f"{_twin(item)}: the schedule {item['schedule']} cannot be judged: {item['why']}"
        for item in document["unclear"]
    ]
    unfit: dict[tuple[str, str], list[str]] = {}
    for item in document["unmatched"]:
        unfit.setdefault((_twin(item), item["type"]), []).append(item["at"] or "")
    for (twin, kind), done in unfit.items():
        which = f"{kind} of {done[0]} fits"
        if len(done) > 1:
            which = f"{kind}, {len(done)} times, the last of {max(done)}, fits"
        said.append(f"{twin}: {which} no schedule")
    more = len(said) - _SHOWN
    return (*said[:_SHOWN], *([f"and {more} more: --json has all"] if more > 0 else []))


_SHOWN = 20


def _twin(item: Any) -> str:
    return str(item["asset_name"] or item["asset_id"])


def _check_calendar(path: str) -> None:
    """Refuse a name that is taken by anything else than a calendar of ours.

    Raises:
        ConflictError: ``exists``.
    """
    import os

    from twincli import files
    from twincli.formats import ical

    if os.path.isfile(path) and not os.path.islink(path):
        with open(path, "rb") as file:
            if file.read(len(ical.HEAD)) == ical.HEAD:
                return
    files.check_free(path)


def _write(path: str, data: bytes) -> None:
    import os

    from twincli import files

    place = os.path.abspath(path)
    with files.incoming(os.path.dirname(place), mode=0o644) as file:
        file.write(data)
        file.path = place


def _when(item: DueItem) -> str:
    """Return when something is due, by the calendar and by use."""
    parts = [item["due"]] if item["due"] is not None else []
    for usage in item["usage"]:
        now = "?" if usage["reading"] is None else f"{usage['reading']:g}"
        parts.append(f"at {usage['due']:g} {usage['counter']} (now {now})")
    return " or ".join(parts)
