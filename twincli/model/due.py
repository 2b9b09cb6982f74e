"""What is due for a twin: the work that its schedules ask for, and all that has an end.

Pure: the twin is given as facts, state, work and dated things; what its meters read is asked of a
`Meters`. `found` lists what is due and when, `judged` says how that stands at a moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.model import schedules, times
from twincli.values import NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

    from twincli.model.schedules import Rule, Schedule

SCHEDULE, NEXT, WARRANTY, CERTIFICATE, FILE = REASONS = (
    "schedule",
    "next",
    "warranty",
    "certificate",
    "file",
)
"""Why something is due."""

OVERDUE, DUE, UPCOMING, EXPIRED = STANDINGS = ("overdue", "due", "upcoming", "expired")
"""How it stands. A warranty that is over is expired, as nobody can do anything about it."""

DAY_MS = 86_400_000
MAX_NAME = 200

_INSTALLED = frozenset(
    (
        *("install-date", "installation-date", "installed", "installed-at", "installed-on"),
        *("commissioned", "commissioned-at", "commissioned-on", "commissioning-date"),
    )
)
_WARRANTY = frozenset(
    (
        *("warranty-expires", "warranty-expiry", "warranty-expiration", "warranty-until"),
        *("warranty-end", "warranty-ends", "warranty-end-date", "warranty-valid-until"),
    )
)
_SERVICE = frozenset(("maintenance", "service", "inspection"))


class Work(NamedTuple):
    """Something that was done to a twin.

    Attributes:
        tx_id: The transaction that says so.
        happened_ms: When, or None where nothing says it.
        types: What kind of work it was; an event has its own type and that of its data.
        done: The schedules that it is said to satisfy.
        next: When the next is due, as a date or a time, or None.
        next_type: The type of the next, or None.
        data: What else was said of it, readings of meters among it.
        is_event: Whether it is an event, not a record of maintenance.
    """

    tx_id: str
    happened_ms: int | None
    types: tuple[str, ...]
    done: tuple[str, ...] = ()
    next: str | None = None
    next_type: str | None = None
    data: Mapping[str, Any] = {}
    is_event: bool = False


class Dated(NamedTuple):
    """Something that ends at a time.

    Attributes:
        reason: ``certificate`` or ``file``.
        name: What it is called.
        until: A date or a time.
        tx_id: The transaction that says so.
        since_ms: When that was said, or None.
    """

    reason: str
    name: str
    until: str
    tx_id: str
    since_ms: int | None = None


class Usage(NamedTuple):
    """How far something is used.

    Attributes:
        field: The meter; None: the twin has none that fits.
        counter: What is counted, such as ``hours``.
        reading: What it reads now, in that unit; None: nothing was read yet.
        begun: What it read at the last work, 0 before the first.
        due: The reading at which the next work is due.
    """

    field: str | None
    counter: str
    reading: Fraction | None
    begun: Fraction
    due: Fraction


class Due(NamedTuple):
    """Something that is due, or will be.

    Attributes:
        reason: One of `REASONS`.
        name: Of the schedule, of the type of the work, of the file, of the fact.
        every: How often, or None.
        until: The date or time at which it is due, or None.
        usage: The readings at which it is due; whichever comes first.
        since: From when it counts, or was said, as a date or a time, or None.
        last_ms: When the last work was done that counts for it, or None.
        tx_id: The last such work, or the transaction that says when it is due; None: the twin.
    """

    reason: str
    name: str
    every: str | None = None
    until: str | None = None
    usage: tuple[Usage, ...] = ()
    since: str | None = None
    last_ms: int | None = None
    tx_id: str | None = None


class Meter(NamedTuple):
    """A field that counts.

    Attributes:
        field: Its dotted path.
        counter: What it counts.
    """

    field: str
    counter: str


class UnreadError(Exception):
    """What a meter read cannot be found out here; its text says why."""


class Meters(Protocol):
    """The meters of a twin; what they read may be an `UnreadError`."""

    def fields(self, counter: str) -> Sequence[str]:
        """Return the fields that count something, those whose names say so first."""

    def now(self, meter: Meter) -> Fraction | None:
        """Return what a meter reads, in the unit of the counter."""

    def at(self, meter: Meter, work: Work) -> Fraction | None:
        """Return what it read when a work was done."""


class Twin(NamedTuple):
    """A twin as far as it concerns what is due.

    Attributes:
        data: Its facts, with its state over them.
        plans: Its schedules.
        created: When it was made, as a time, or None.
        works: What was done to it.
        dated: Files and certificates with an end.
    """

    data: Mapping[str, Any]
    plans: schedules.Found
    created: str | None
    works: Sequence[Work] = ()
    dated: Sequence[Dated] = ()


class Found(NamedTuple):
    """What is due for a twin.

    Attributes:
        due: In no order.
        unmatched: Maintenance that satisfies none of its schedules.
        unclear: Paths of schedules that cannot be judged, and why.
        satisfied: The schedules that each work satisfies, by transaction.
    """

    due: tuple[Due, ...]
    unmatched: tuple[Work, ...]
    unclear: tuple[tuple[str, str], ...]
    satisfied: Mapping[str, tuple[str, ...]]


def found(twin: Twin, meters: Meters) -> Found:
    """Return what is due for a twin, whatever the time is."""
    read = twin.plans
    works = sorted(twin.works, key=lambda work: work.happened_ms or 0)
    made: list[Due] = []
    unclear = list(read.malformed)
    satisfied: dict[str, list[str]] = {work.tx_id: [] for work in works}
    installed = next(_dates(twin.data, _INSTALLED), None)
    begun = installed[1] if installed is not None else twin.created
    forms = {work.tx_id: frozenset(map(schedules.stem, work.types)) for work in works}
    for plan in read.schedules:
        is_only = len(read.schedules) == 1
        wanted = schedules.wanted(plan)
        good = [
            work
            for work in works
            if (is_only and not _only_announces(work))
            or (plan.name in work.done if work.done else not wanted.isdisjoint(forms[work.tx_id]))
        ]
        for work in good:
            satisfied[work.tx_id].append(plan.name)
        done = [work for work in good if work.happened_ms is not None]
        last = done[-1] if done else None
        last_ms = None if last is None else last.happened_ms
        since = begun if last_ms is None else times.to_text(last_ms)
        usage, why = _usage(plan, last, meters)
        unclear += [(plan.name, text) for text in why]
        until = None if since is None else _until(plan, since)
        tx_id = None if last is None else last.tx_id
        made.append(Due(SCHEDULE, plan.name, plan.text, until, usage, since, last_ms, tx_id))
    known = {(item.tx_id, _day(item.until)) for item in made}
    made += [item for item in _next(works) if (item.tx_id, _day(item.until)) not in known]
    made += [
        Due(WARRANTY, path, until=until, since=twin.created)
        for path, until in _dates(twin.data, _WARRANTY)
    ]
    made += [
        Due(
            each.reason,
            each.name,
            None,
            each.until,
            (),
            times.told(each.since_ms),
            None,
            each.tx_id,
        )
        for each in twin.dated
    ]
    unmatched = [
        work for work in works if read.schedules and not work.is_event and not satisfied[work.tx_id]
    ]
    names = {tx_id: tuple(kept) for tx_id, kept in satisfied.items()}
    return Found(tuple(made), tuple(unmatched), tuple(unclear), names)


def _only_announces(work: Work) -> bool:
    """Say whether an event says when work is due, and is none by its type or by what it names."""
    is_service = any(schedules.stem(name) in _SERVICE for name in work.types)
    return work.is_event and not work.done and not is_service


def _day(until: str | None) -> str | None:
    return None if until is None else until[:10]


def is_work(kind: str, data: Mapping[str, Any], known: Sequence[Schedule]) -> bool:
    """Say whether an event is work: by its type, by what follows it, by the schedules it meets.

    Args:
        kind: The type of the event.
        data: Of the event.
        known: The schedules of the twin.
    """
    if schedules.stem(kind) in _SERVICE or stated_next(data)[0] is not None:
        return True
    form = schedules.stem(kind)
    return any(form in schedules.wanted(plan) for plan in known)


def stated_next(data: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return when the data of an event or a maintenance say that the next is due, and its type."""
    until, kind = data.get("nextServiceDue"), data.get("nextServiceType")
    inner = data.get("nextService")
    if isinstance(inner, dict):
        until = inner.get("scheduledDate", inner.get("dueDate", until))
        kind = inner.get("type", kind)
    elif inner is not None and until is None:
        until = inner
    when = times.day_or_time(until) if isinstance(until, str) else None
    return when, kind if isinstance(kind, str) and 0 < len(kind) <= MAX_NAME else None


def _until(plan: Schedule, since: str) -> str | None:
    """Return when the calendar asks for the next work: from a day it is a day."""
    begun_ms, _ = span_of(since)
    ends = [schedules.after(rule, begun_ms) for rule in plan.rules if rule.is_calendar]
    known = [end for end in ends if end is not None]
    if not known:
        return None
    text = times.to_text(min(known))
    return text[:10] if len(since) == 10 else text


def _usage(
    plan: Schedule, last: Work | None, meters: Meters
) -> tuple[tuple[Usage, ...], list[str]]:
    """Return the readings at which a schedule is due, and why others are not known."""
    made: list[Usage] = []
    unclear: list[str] = []
    for rule in plan.rules:
        if rule.is_calendar:
            continue
        fields = (plan.of,) if plan.of is not None else meters.fields(rule.counter)
        if len(fields) > 1:
            shown = ", ".join(fields[:5])
            unclear.append(f"{shown} count {rule.counter}: name one, as in of: {fields[0]}")
            continue
        try:
            made.append(_counted(rule, fields[0] if fields else None, last, meters))
        except UnreadError as error:
            unclear.append(f"{fields[0]}: {error}")
    return tuple(made), unclear


def _counted(rule: Rule, field: str | None, last: Work | None, meters: Meters) -> Usage:
    from fractions import Fraction

    reading, begun = None, Fraction(0)
    if field is not None:
        meter = Meter(field, rule.counter)
        reading = meters.now(meter)
        if last is not None:
            begun = meters.at(meter, last) or begun
    return Usage(field, rule.counter, reading, begun, begun + Fraction(rule.amount))


def _next(works: Sequence[Work]) -> Iterator[Due]:
    """Yield the next works that were announced and not done since, the last first."""
    later = _Later(set(), set(), set())
    is_last = True
    for work in reversed(works):
        if work.next is not None and (is_last or not _is_fulfilled(work, later)):
            said = times.told(work.happened_ms)
            name = work.next_type or work.types[0]
            yield Due(NEXT, name, None, work.next, (), said, work.happened_ms, work.tx_id)
        is_last = False
        later.done.update(work.done)
        later.forms.update(schedules.stem(name) for name in (*work.types, *work.done))
        if work.next_type is not None:
            later.announced.add(work.next_type)


class _Later(NamedTuple):
    """What was done after a work.

    Attributes:
        forms: Types of works and schedules, as they are compared.
        done: Schedules that were said to be satisfied.
        announced: Types that were announced again.
    """

    forms: set[str]
    done: set[str]
    announced: set[str]


def _is_fulfilled(work: Work, later: _Later) -> bool:
    """Say whether what a work announced was done: without a type, by any later work."""
    if work.next_type is None:
        return True
    wanted = {schedules.stem(name) for name in (work.next_type, *work.types)}
    return (
        work.next_type in later.announced
        or not later.done.isdisjoint(work.done)
        or not later.forms.isdisjoint(wanted)
    )


def _dates(data: Mapping[str, Any], names: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield the paths of dates of some names, at the top and in the objects there."""
    for name, value in data.items():
        if isinstance(value, str) and schedules.plain(name) in names:
            when = times.day_or_time(value)
            if when is not None:
                yield name, when
        elif isinstance(value, dict):
            for inner, part in value.items():
                if isinstance(part, str) and schedules.plain(inner) in names:
                    when = times.day_or_time(part)
                    if when is not None:
                        yield f"{name}.{inner}", when


# --- How it stands ----------------------------------------------------------------------------


def span_of(until: str) -> tuple[int, int]:
    """Return the first and the last moment of a date, or of a time twice."""
    # Written here, so that nothing else can stand in it.
    is_day = len(until) == 10
    moment = times.parse_claim(f"{until}T00:00:00.000Z" if is_day else until)
    assert moment is not None
    return (moment, moment + DAY_MS - 1) if is_day else (moment, moment)


class Bounds(NamedTuple):
    """When something is due and when it is overdue, whatever the time is.

    Attributes:
        begun_ms: From then on it is due, or None.
        ended_ms: After that it is overdue, or None.
        used: How it stands by its use: one of `STANDINGS`.
    """

    begun_ms: int | None
    ended_ms: int | None
    used: str


def bounds(item: Due) -> Bounds:
    """Return when something is due."""
    begun, ended = (None, None) if item.until is None else span_of(item.until)
    read = [usage for usage in item.usage if usage.reading is not None]
    if any(usage.reading is not None and usage.reading > usage.due for usage in read):
        return Bounds(begun, ended, OVERDUE)
    is_due = any(usage.reading == usage.due for usage in read)
    return Bounds(begun, ended, DUE if is_due else UPCOMING)


def judged(reason: str, found: Bounds, now_ms: int, within_ms: int = 0) -> str:
    """Return how something stands, by its date or its use, whichever is worse.

    Args:
        reason: Why it is due.
        found: When.
        now_ms: The moment it is judged at.
        within_ms: How far ahead counts as due.
    """
    begun_ms, ended_ms, used = found
    if used == OVERDUE or (ended_ms is not None and ended_ms < now_ms):
        return EXPIRED if reason == WARRANTY else OVERDUE
    if used == DUE or (begun_ms is not None and begun_ms <= now_ms + within_ms):
        return DUE
    return UPCOMING
