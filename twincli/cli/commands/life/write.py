"""``twin event add``, ``state move``, ``stage add``: what is said of the life of a twin."""

from __future__ import annotations

from twincli.cli.commands.file import content
from twincli.cli.showing import partial
from twincli.errors import UsageError
from twincli.model.edits import build
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twincli.cli.context import Context
    from twincli.cli.parsing.data_parser import Parsed
    from twincli.cli.result import Result
    from twincli.services.workspace import Workspace


def event_add(context: Context, parsed: Parsed) -> Result:
    """``twin event add TWIN TYPE``."""
    from twincli.services.life import events

    workspace, kind = begun(context), str(parsed.words[0])
    if parsed.values.get("attach"):
        events.check_type(workspace, parsed.name, kind)
    more, notes = data_and_files(context, workspace, parsed)
    made = events.add(
        workspace,
        parsed.name,
        kind,
        more,
        context.writes.writing(),
        before=lambda warning: context.warn_before("record it anyway?", warning),
    )
    return partial.recorded(context, made, f"the event {kind} of {parsed.name}", notes)


def state_move(context: Context, parsed: Parsed) -> Result:
    """``twin state move TWIN STATE``."""
    from twincli.services.life import states

    workspace, state = begun(context), str(parsed.words[0])
    start, meets = parsed.values.get("from"), parsed.values.get("meets", [])
    if parsed.values.get("attach"):
        states.check_move(workspace, parsed.name, state, start, meets)
    more, notes = data_and_files(context, workspace, parsed)
    more["reason"] = parsed.values.get("reason")
    more["meets"] = list(dict.fromkeys(meets)) or None
    more["triggered_by"] = parsed.values.get("triggered_by")
    made = states.move(workspace, parsed.name, state, more, context.writes.writing(), start=start)
    return partial.recorded(context, made, f"the move of {parsed.name} to the state {state}", notes)


def stage_add(context: Context, parsed: Parsed) -> Result:
    """``twin stage add TWIN STAGE``."""
    from twincli.model import times
    from twincli.services.life import stages

    workspace, stage = begun(context), str(parsed.words[0])
    given = parsed.values.get("date")
    date = None if given is None else times.day_or_time(given)
    if given is not None and date is None:
        raise UsageError(
            f"--date: {given!r} is neither a date nor a time with its zone",
            code="bad_time",
            hint="--date 2024-01-10, or 2024-01-10T12:00:00Z",
        )
    if parsed.values.get("attach"):
        stages.check_stage(workspace, parsed.name, stage)
    more, notes = data_and_files(context, workspace, parsed)
    more["location"] = parsed.values.get("location")
    more["date"] = date
    made = stages.add(workspace, parsed.name, stage, more, context.writes.writing())
    return partial.recorded(
        context, made, f"that {parsed.name} has reached the stage {stage}", notes
    )


def begun(context: Context) -> Workspace:
    """Return what to work with; refuse what cannot be written before anything is done."""
    if context.writes.writing().bare:
        raise UsageError(
            "--bare leaves out the envelope, which says what happened", hint="leave --bare out"
        )
    return partial.begun(context)


def data_and_files(
    context: Context, workspace: Workspace, parsed: Parsed
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the data and the files of a record, and what to say of where these are."""
    more: dict[str, Any] = {"data": build(parsed.base, parsed.edits) or None}
    words = parsed.values.get("attach", [])
    if not words:
        return more, ()
    from twincli.services.record.attachments import attached

    given = content.attachments(words)
    stores, notes = content.stores(context)
    warnings: list[str] = []
    more["attachments"] = attached(workspace, stores, given, warnings)
    for warning in warnings:
        context.warn_before("record it anyway?", warning)
    return more, notes
