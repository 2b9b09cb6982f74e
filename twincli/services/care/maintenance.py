"""Record maintenance: the work, the parts and what they cost, the files, when the next is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, UsageError, cut
from twincli.model import bodies, money, times
from twincli.model.names import near
from twincli.services import resolve
from twincli.services.asset.write_options import PLAIN, Writing, checked_at
from twincli.services.care.gather import Gatherer
from twincli.services.record.say import say
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twincli.model.money import Part
    from twincli.rules.replay import Replay
    from twincli.services.documents import Said
    from twincli.services.tx.prepared import Prepared
    from twincli.services.workspace import Workspace


class Work(NamedTuple):
    """What was done.

    Attributes:
        type: What kind of work.
        technician: Who did it.
        work: What was done, one text each.
        parts: What was used up or built in.
        currency: Of the costs, or None.
        done: The schedules that it satisfies; empty: those that have its type.
        next: When the next is due, as a date or a time.
        next_type: The type of the next.
        data: More of it, readings of meters among it.
        attachments: Files, as ``attachments.attached`` gave them.
    """

    type: str | None = None
    technician: str | None = None
    work: Sequence[str] = ()
    parts: Sequence[Part] = ()
    currency: str | None = None
    done: Sequence[str] = ()
    next: str | None = None
    next_type: str | None = None
    data: Mapping[str, Any] | None = None
    attachments: Sequence[Mapping[str, Any]] = ()


def with_data(given: Work, data: Mapping[str, Any]) -> Work:
    """Return a work with what free data say of it: the words of other systems find their place.

    ``type technician work workPerformed parts partsUsed currency nextService`` are members of the
    record where they are written as such; the rest stays as it is.

    Raises:
        InvalidError: ``invalid_record``, ``invalid_amount``.
        UsageError: Something is given twice.
    """
    rest = dict(data)
    made = given._asdict()
    for name, words in _WORDS.items():
        found = [word for word in words if word in rest]
        if not found:
            continue
        if made[name] or len(found) > 1:
            raise UsageError(f"{' and '.join(found)} is given twice, as --{name.rstrip('s')} too")
        made[name] = _read(name, found[0], rest.pop(found[0]))
    inner = rest.get("nextService")
    if isinstance(inner, dict) and not made["next"]:
        until, kind = _next(inner)
        if until is not None:
            made["next"], made["next_type"] = until, made["next_type"] or kind
            del rest["nextService"]
    made["data"] = rest or None
    return Work(**made)


_WORDS = {
    "type": ("type",),
    "technician": ("technician",),
    "work": ("work", "workPerformed"),
    "parts": ("parts", "partsUsed"),
    "currency": ("currency",),
}


def _next(inner: dict[str, Any]) -> tuple[str | None, str | None]:
    from twincli.model import due

    return due.stated_next({"nextService": inner})


def _read(name: str, word: str, value: Any) -> Any:
    if name == "parts":
        return [_part(item, f"{word}[{at}]") for at, item in enumerate(_list(word, value))]
    if name == "work":
        return _list(word, value)
    return value


def _list(word: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidError(
            f"{word} is not a list", code="invalid_record", hint=f"write {word} in brackets"
        )
    return value


def _part(value: Any, where: str) -> Part:
    """Return a part of a JSON document, whose amounts may be numbers."""
    known = {"part", "name", "quantity", "cost"}
    if not isinstance(value, dict) or not value.keys() <= known:
        raise InvalidError(
            f"{where} is not a part",
            code="invalid_record",
            hint='write {"part": "oil-filter", "quantity": 1, "cost": "45.99"}',
        )
    name = value.get("part", value.get("name"))
    if not isinstance(name, str):
        raise InvalidError(f"{where} has no name", code="invalid_record", hint='add "part": NAME')
    quantity, cost = _text(value.get("quantity")), value.get("cost")
    try:
        return money.checked(money.Part(name, quantity, None if cost is None else _text(cost)))
    except InvalidError as error:
        raise error.within(where) from None


def _text(amount: Any) -> Any:
    """Return an amount as a text; what is not one stays as it is, to be refused."""
    found = money.decimal(amount)
    return amount if found is None else format(found, "f")


def add(
    workspace: Workspace,
    ref: str,
    given: Work,
    writing: Writing = PLAIN,
    *,
    before: Callable[[str], None] | None = None,
) -> Said | Prepared:
    """Record maintenance of a twin.

    Args:
        workspace: Rooms.
        ref: The twin.
        given: What was done.
        writing: W, without ``bare``.
        before: Told what should be known before anything is written; it may raise.

    Returns:
        ``twin.record/1``.

    Raises:
        UsageError: It has no type; ``bad_time``.
        InvalidError: ``invalid_record``, ``invalid_amount``, ``unknown_schedule``.
        TwinError: As `say`.
    """
    body = body_of(workspace, given, writing.at)
    gatherer = Gatherer(workspace)

    def checks(replay: Replay) -> None:
        _check_done(gatherer, ref, replay, given.done)

    checking = checks if given.done else None
    return say(workspace, ref, bodies.MAINTENANCE, body, writing, check=checking, before=before)


def check(workspace: Workspace, ref: str, given: Work, writing: Writing) -> None:
    """Refuse what `add` would, before files are stored.

    Raises:
        TwinError: As `add`.
    """
    body_of(workspace, given, writing.at)
    if given.done:
        replay = workspace.client.replay(resolve.asset_id_of(workspace, ref))
        if replay is not None:
            _check_done(Gatherer(workspace), ref, replay, given.done)


def body_of(workspace: Workspace, given: Work, at: str | None) -> dict[str, Any]:
    """Return the body of a record of maintenance.

    Args:
        workspace: The clock.
        given: What was done.
        at: When, as people write times; None: now.
    """
    if not given.type:
        raise UsageError("what kind of work it was is missing", hint="add --type TYPE")
    parts = [money.checked(part) for part in given.parts]
    now = workspace.now()
    at_ms = now if at is None else checked_at(at, now)
    return bodies.checked(
        bodies.MAINTENANCE,
        {
            "type": given.type,
            "technician": given.technician,
            "work": list(given.work) or None,
            "parts": [_plain(part) for part in parts] or None,
            "currency": None if given.currency is None else money.currency(given.currency),
            "total": money.total(parts),
            "done": list(dict.fromkeys(given.done)) or None,
            "next": _until(given.next, at_ms),
            "next_type": given.next_type,
            "data": dict(given.data) if given.data else None,
            "attachments": [dict(file) for file in given.attachments] or None,
        },
    )


def _plain(part: Part) -> dict[str, str]:
    made = {"part": part.name, "quantity": part.quantity}
    return made if part.cost is None else {**made, "cost": part.cost}


def _until(text: str | None, at_ms: int) -> str | None:
    """Return when the next is due, as a date or a time in UTC.

    Raises:
        UsageError: ``bad_time``: it is neither, or not after the work.
    """
    from twincli.model import due

    if text is None:
        return None
    until = times.day_or_time(text)
    if until is None:
        raise UsageError(
            f"--next: {cut(text)!r} is neither a date nor a time with its zone",
            code="bad_time",
            hint="--next 2027-01-15, or 2027-01-15T12:00:00Z",
        )
    if due.span_of(until)[1] < at_ms:
        raise UsageError(
            f"--next {text} is before the work itself, at {times.to_text(at_ms)}",
            code="bad_time",
            hint="the time of the work is --at TIME",
        )
    return until


def _check_done(gatherer: Gatherer, ref: str, replay: Replay, done: Sequence[str]) -> None:
    """Refuse schedules that the twin does not have."""
    known = [one.name for one in gatherer.plans(replay).schedules]
    for name in done:
        if name not in known:
            meant = near(name, known)
            all_of_them = f"one of {', '.join(known[:_SHOWN])}" if known else "it has none"
            raise InvalidError(
                f"{ref} has no schedule {cut(name)!r}",
                code="unknown_schedule",
                hint=f"did you mean {meant}?" if meant else all_of_them,
            )


_SHOWN = 20
