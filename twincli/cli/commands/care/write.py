"""``twin maintenance add``: what was done to a twin."""

from __future__ import annotations

from twincli.cli.commands.life.write import begun, data_and_files
from twincli.cli.showing import partial
from twincli.errors import InvalidError, UsageError
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twincli.cli.context import Context
    from twincli.cli.parsing.data_parser import Parsed
    from twincli.cli.result import Result
    from twincli.model.money import Part


def maintenance_add(context: Context, parsed: Parsed) -> Result:
    """``twin maintenance add TWIN``."""
    from twincli.model.edits import build
    from twincli.services.care import maintenance

    workspace, values = begun(context), parsed.values
    given = maintenance.Work(
        type=values.get("type"),
        technician=values.get("technician"),
        work=values.get("work", ()),
        parts=_parts(values.get("part", ())),
        currency=_currency(values.get("currency")),
        done=values.get("done", ()),
        next=values.get("next"),
        next_type=values.get("next_type"),
    )
    given = maintenance.with_data(given, build(parsed.base, parsed.edits))
    writing = context.writes.writing()
    # Before files are stored.
    maintenance.check(workspace, parsed.name, given, writing)
    found, notes = data_and_files(context, workspace, parsed)
    made = maintenance.add(
        workspace,
        parsed.name,
        given._replace(attachments=found.get("attachments", ())),
        writing,
        before=lambda warning: context.warn_before("record it anyway?", warning),
    )
    return partial.recorded(context, made, f"{given.type} of {parsed.name}{_cost(made)}", notes)


def _cost(made: Mapping[str, Any] | Any) -> str:
    body = made.get("body", {}) if isinstance(made, dict) else {}
    if "total" not in body:
        return ""
    return f", parts for {' '.join(filter(None, (body['total'], body.get('currency'))))}"


def _parts(words: Sequence[str]) -> list[Part]:
    """Return the parts of ``--part NAME:QUANTITY[:COST]``."""
    from twincli.model import money

    try:
        return [money.part(word) for word in words]
    except InvalidError as error:
        raise UsageError(f"--part: {error.message}", code=error.code, hint=error.hint) from None


def _currency(word: str | None) -> str | None:
    from twincli.model import money

    try:
        return None if word is None else money.currency(word)
    except InvalidError as error:
        raise UsageError(f"--currency: {error.message}", code=error.code, hint=error.hint) from None
