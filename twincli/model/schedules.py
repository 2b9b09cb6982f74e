"""Schedules: how often something is to be done, by the calendar, by use, or whichever comes first.

A schedule is a word: ``quarterly``, ``every-2-years``, ``every-250-hours``. Several in a list mean
whichever comes first. Words that people read in two ways are refused with both readings.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from twincli.errors import InvalidError, cut, shown
from twincli.model.names import near
from twincli.model.text import one_line
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from fractions import Fraction

KEY = "maintenanceSchedule"
"""The member of a twin's data that holds its schedules, at the top or in an object there."""
ALONE = "maintenance"
"""What the schedule is called that stands there without a name."""

MAX_SCHEDULES = 100
"""Of one twin."""
MAX_RULES = 10
MAX_TYPES = 1000
"""Of one schedule."""
MAX_NAME = 200
MAX_MONTHS = 1200
"""The longest period: a hundred years."""
MAX_DAYS = 36600
LARGEST = 10**18
"""Of a reading, beyond which units could no longer be converted."""
MAX_DIGITS = 12
MAX_DECIMALS = 6
"""Of an amount of use."""

WORDS: dict[str, tuple[int, int]] = {
    "daily": (0, 1),
    "weekly": (0, 7),
    "fortnightly": (0, 14),
    "monthly": (1, 0),
    "quarterly": (3, 0),
    "half-yearly": (6, 0),
    "twice-a-year": (6, 0),
    "yearly": (12, 0),
    "annually": (12, 0),
}
"""Months and days of the words."""

_PERIODS: dict[str, tuple[int, int]] = {
    "day": (0, 1),
    "week": (0, 7),
    "fortnight": (0, 14),
    "month": (1, 0),
    "quarter": (3, 0),
    "year": (12, 0),
}
_OF_CALENDARS = frozenset(
    (
        *("d", "w", "wk", "mo", "mth", "qtr", "y", "yr", "half-year", "decade", "century"),
        *("centurie", "season", "semester", "trimester", "weekend", "weekday", "workday", "night"),
        *("business-day", "working-day", "calendar-day", "calendar-month", "calendar-year"),
    )
)
"""Other words of the calendar, without their ``s``: they are no counters."""
_COUNTERS = {
    "h": "hours",
    "hour": "hours",
    "kilometer": "km",
    "kilometers": "km",
    "kilometre": "km",
    "kilometres": "km",
    "mi": "miles",
    "mile": "miles",
}
"""Other ways to write a counter."""
DISTANCES = frozenset({"km", "miles"})
"""Counters that a field called mileage or odometer counts, too."""
_USUAL = frozenset({"hours", "km", "miles", "cycles"})
"""What near words are taken for a slip of."""
_SELDOM = frozenset({"biennial", "biennially", "bi-ennial", "bi-ennially"})

_TWICE = {
    "annual": "year",
    "annually": "year",
    "year": "year",
    "yearly": "year",
    "quarter": "quarter",
    "quarterly": "quarter",
    "month": "month",
    "monthly": "month",
    "week": "week",
    "weekly": "week",
    "day": "day",
    "daily": "day",
}
"""What follows ``bi`` or ``bi-`` in words that people read in two ways."""
_READINGS: dict[str, tuple[str, str, str]] = {
    "year": ("twice a year", "every 2 years", "write twice-a-year or every-2-years"),
    "quarter": ("twice a quarter", "every 2 quarters", "write every-6-weeks or half-yearly"),
    "month": ("twice a month", "every 2 months", "write every-2-weeks or every-2-months"),
    "week": ("twice a week", "every 2 weeks", "write every-3-days or every-2-weeks"),
    "day": ("twice a day", "every 2 days", "write daily or every-2-days"),
}
_NUMBERS = {
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "eight": "8",
    "ten": "10",
    "twelve": "12",
    "other": "2",
    "second": "2",
    "third": "3",
}
_ADVERBS = {
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "quarterly": "quarter",
    "yearly": "year",
    "annual": "year",
    "annually": "year",
}
_LEFT_OUT = frozenset({"every", "each", "once", "a", "an", "per", "in"})
_HALF_YEARLY = frozenset(
    {"semi-annual", "semi-annually", "semi-yearly", "semiannual", "semiannually", "twice-yearly"}
)
_GROUPED = re.compile(r"[1-9][0-9]{0,2}([.,'-])[0-9]{3}(?:\1[0-9]{3})*")
"""A number whose digits may stand in groups of three."""
_FIRST = "-whichever-comes-first"
_SUCH_AS = "yearly, every-2-years or every-250-hours"
_MEMBERS = ("every", "types", "of")


class Rule(NamedTuple):
    """One period.

    Attributes:
        months, days: By the calendar; both 0 where it goes by use.
        amount: By use, a decimal; empty where it goes by the calendar.
        counter: What is counted, such as ``hours``.
        text: As it is written, in the usual form.
    """

    months: int
    days: int
    amount: str
    counter: str
    text: str

    @property
    def is_calendar(self) -> bool:
        """Whether it goes by the calendar."""
        return not self.counter


class Schedule(NamedTuple):
    """What is to be done again and again.

    Attributes:
        name: Such as ``filterChange``.
        rules: Whichever comes first.
        types: The types of work that satisfy it, besides its own name.
        of: The field that counts its use; None: the one whose name or unit fits.
    """

    name: str
    rules: tuple[Rule, ...]
    types: tuple[str, ...] = ()
    of: str | None = None

    @property
    def text(self) -> str:
        """How often, as people write it."""
        return " or ".join(rule.text for rule in self.rules)


def rule(value: object) -> Rule:
    """Return the period in a word.

    Raises:
        InvalidError: ``invalid_schedule``; its hint has both readings of an ambiguous word.
    """
    if not isinstance(value, str) or not value.strip():
        raise _wrong(f"{shown(value)} is not a schedule", f"write a word, such as {_SUCH_AS}")
    if len(value) > MAX_NAME:
        raise _wrong(f"{shown(value)} is not a schedule", f"such as {_SUCH_AS}")
    if re.search(r"[\s_-]-[0-9]", value):  # not read as a hyphen, which would drop the sign
        raise _wrong(f"{shown(value)} has a negative number", f"such as {_SUCH_AS}")
    word = "-".join(value.casefold().replace("_", " ").replace("-", " ").split())
    if word in WORDS:
        return Rule(*WORDS[word], "", "", word)
    twice = _TWICE.get(word.removeprefix("bi").removeprefix("-"))
    if twice is not None and word.startswith("bi"):
        often, seldom, hint = _READINGS[twice]
        raise _wrong(f"{shown(value)} can mean {often} or {seldom}", hint)
    every, _, rest = word.partition("-")
    grouped = _GROUPED.match(rest)
    if every == "every" and grouped is not None and rest[grouped.end() :].startswith("-"):
        raise _ambiguous(value, grouped, rest[grouped.end() + 1 :])
    number, _, unit = rest.partition("-")
    if number.isalpha():
        number, unit = "", rest
    letters = unit.replace("-", "")
    if every != "every" or not letters.isalpha() or not letters.isascii():
        raise _unknown(value, word)
    return _every(value, number, unit)


def _every(value: str, number: str, unit: str) -> Rule:
    one = unit.removesuffix("s")
    if one in _PERIODS:
        return _calendar(value, number, one, *_PERIODS[one])
    if one in _OF_CALENDARS:
        raise _wrong(
            f"{shown(value)} is not a schedule", "write days, weeks, months, quarters or years"
        )
    if unit == "m":
        raise _wrong(
            f"{shown(value)} can mean months or metres",
            f"write every-{cut(number)}-months or every-{cut(number)}-metres",
        )
    counter = _COUNTERS.get(unit, unit)
    if counter not in _USUAL:
        if not number:
            _suggest(value, f"every-{unit}")
        meant = near(unit, [*_PERIODS, *(f"{name}s" for name in _PERIODS), *_USUAL])
        if meant is not None:
            raise _wrong(f"{shown(value)} is not a schedule", f"did you mean {meant}?")
    if not number:
        raise _wrong(f"{shown(value)} has no number", "such as every-250-hours")
    whole, _, decimals = number.partition(".")
    if (
        not _is_digits(whole, MAX_DIGITS)
        or ("." in number and not _is_digits(decimals, MAX_DECIMALS))
        or (whole[0] == "0" and whole != "0")
        or not number.strip("0.")
    ):
        raise _wrong(
            f"{shown(value)}: {cut(number)} is not a number of {counter}",
            f"a decimal above 0 of at most {MAX_DIGITS} digits, and {MAX_DECIMALS} behind the dot",
        )
    return Rule(0, 0, number, counter, f"every-{number}-{counter}")


def _ambiguous(value: str, grouped: re.Match[str], unit: str) -> InvalidError:
    """Return the error of a number that may have its digits in groups, such as 10.000."""
    number, mark = grouped.group(), grouped.group(1)
    whole = number.replace(mark, "")
    if mark in ".," and number.count(mark) == 1:
        small = number.partition(mark)[0] + "." + number.partition(mark)[2]
        small = small.rstrip("0").removesuffix(".")
        return _wrong(
            f"{shown(value)} can mean {small} or {whole} {cut(unit)}",
            f"write every-{small}-{cut(unit)} or every-{whole}-{cut(unit)}",
        )
    return _wrong(f"{shown(value)} is not a schedule", f"write every-{whole}-{cut(unit)}")


def _suggest(value: str, word: str) -> None:
    """Refuse a word for which there is a usual one: ``six-monthly``, ``3 months``.

    Raises:
        InvalidError: It is such a word.
    """
    parts = [_NUMBERS.get(part, part) for part in re.findall(r"[0-9.]+|[^0-9.-]+", word)]
    parts = [_ADVERBS.get(part, part) for part in parts if part not in _LEFT_OUT]
    meant = "half-yearly" if word in _HALF_YEARLY else "-".join(("every", *parts))
    if meant != word:
        try:
            found = rule(meant)
        except InvalidError:
            return
        if found.is_calendar or found.counter in _USUAL:  # else it is a guess
            raise _wrong(f"{shown(value)} is not a schedule", f"did you mean {found.text}?")


def _several(word: str) -> list[str] | None:
    """Return the periods of a text that joins several, None where it does not."""
    parts = re.split(r"-?[,;]-?(?:or-)?|-or-", word.removesuffix(_FIRST).rstrip("-,;"))
    if len(parts) == 1:
        return None
    try:
        return [rule(part).text for part in parts]
    except InvalidError:
        return None


def _is_digits(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= most


def _calendar(value: str, number: str, unit: str, months: int, days: int) -> Rule:
    count = int(number or "1") if _is_digits(number or "1", 5) else 0
    most = MAX_MONTHS // months if months else MAX_DAYS // days
    if not 1 <= count <= most:
        raise _wrong(f"{shown(value)}: {cut(number)} is not a number of {unit}s", f"1 to {most}")
    text = f"every-{count}-{unit}s" if count > 1 else f"every-{unit}"
    return Rule(count * months, count * days, "", "", text)


def _unknown(value: str, word: str) -> InvalidError:
    if word in _SELDOM:
        return _wrong(f"{shown(value)} is not a schedule", "write every-2-years or twice-a-year")
    joined = _several(word)
    if joined is not None:
        hint = f"write a list, whichever comes first: {json.dumps(joined)}"
        return _wrong(f"{shown(value)} is not a schedule", hint)
    _suggest(value, word)
    meant = near(word, WORDS)
    hint = f"did you mean {meant}?" if meant else f"write a word, such as {_SUCH_AS}"
    return _wrong(f"{shown(value)} is not a schedule", hint)


def schedule(name: str, value: Any) -> Schedule:
    """Return one schedule.

    Args:
        name: What is done.
        value: A word, a list of words, or ``{every, types, of}``.

    Raises:
        InvalidError: ``invalid_schedule``.
    """
    if not name.strip() or len(name) > MAX_NAME or one_line(name) != name:
        raise _wrong(f"{shown(name)} is not the name of a schedule", "name what is done")
    types: tuple[str, ...] = ()
    field = None
    every = value
    if isinstance(value, dict):
        for member in value:
            if member not in _MEMBERS:
                raise _wrong(f"there is no member {shown(member)}", f"one of {', '.join(_MEMBERS)}")
        if "every" not in value:
            raise _wrong("the member every is missing", f"add every: WORD, such as {_SUCH_AS}")
        every = value["every"]
        types = _types(value.get("types", []))
        field = value.get("of")
        if field is not None and (not isinstance(field, str) or not 0 < len(field) <= MAX_NAME):
            raise _wrong(f"of: {shown(field)} is not the name of a field", "such as engineHours")
    words = every if isinstance(every, list) else [every]
    if not 1 <= len(words) <= MAX_RULES:
        raise _wrong(f"it has {len(words)} periods", f"write 1 to {MAX_RULES}")
    return Schedule(name, tuple(rule(word) for word in words), types, field)


def _types(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_TYPES:
        raise _wrong(f"types: {shown(value)} is not a list of types", 'such as ["service"]')
    for item in value:
        if not isinstance(item, str) or not item.strip() or len(item) > MAX_NAME:
            raise _wrong(f"types: {shown(item)} is not a type", 'such as ["service"]')
    return tuple(value)


def places(data: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield where schedules stand in the data of a twin, and what stands there."""
    if KEY in data:
        yield (KEY,), data[KEY]
    for name, inner in data.items():
        if name != KEY and isinstance(inner, dict) and KEY in inner:
            yield (name, KEY), inner[KEY]


def named(value: Any) -> Iterator[tuple[str | None, Any]]:
    """Yield the schedules in a value by name; None: it is one that has no name."""
    if isinstance(value, dict) and "every" not in value:
        yield from value.items()
    else:
        yield None, value


def check(data: Mapping[str, Any]) -> None:
    """Check the schedules among the data of a twin.

    Args:
        data: Facts or state.

    Raises:
        InvalidError: ``invalid_schedule``, naming the path.
    """
    for path, value in places(data):
        where = ".".join(path)
        if value is None:
            continue
        inner = list(named(value))
        if len(inner) > MAX_SCHEDULES:
            raise _wrong(f"{where} has {len(inner)} schedules", f"at most {MAX_SCHEDULES}")
        for name, item in inner:
            try:
                schedule(ALONE if name is None else name, item)
            except InvalidError as error:
                raise error.within(where if name is None else f"{where}.{cut(name)}") from None


class Found(NamedTuple):
    """The schedules of a twin.

    Attributes:
        schedules: Those that are well formed.
        malformed: Paths of those that are not, and why.
    """

    schedules: tuple[Schedule, ...]
    malformed: tuple[tuple[str, str], ...] = ()


def read(data: Mapping[str, Any], general: Mapping[str, Any] | None = None) -> Found:
    """Return the schedules of a twin; it never raises.

    Args:
        data: Its facts, with its state over them.
        general: Those of its template, which hold where the twin has none of its own.
    """
    good: dict[str, Schedule] = {}
    bad: list[tuple[str, str]] = []
    own = [(path, value) for path, value in places(data) if value is not None]
    given: list[tuple[str, str | None, Any]] = [
        (".".join(path), name, item) for path, value in own for name, item in named(value)
    ]
    if not own:
        given = [("schedules", name, item) for name, item in (general or {}).items()]
    for where, name, item in given[:MAX_SCHEDULES]:
        known = ALONE if name is None else name
        try:
            good.setdefault(known, schedule(known, item))
        except InvalidError as error:
            bad.append((where if name is None else f"{where}.{cut(name)}", error.message))
    if len(given) > MAX_SCHEDULES:
        bad.append((given[0][0], f"of {len(given)} schedules {MAX_SCHEDULES} are read"))
    return Found(tuple(good.values()), tuple(bad))


# --- When -------------------------------------------------------------------------------------

_DAY_MS = 86_400_000


def after(period: Rule, begun_ms: int) -> int | None:
    """Return when a period by the calendar ends, None where that is beyond the year 9999.

    A month that is too short ends it on its last day: a month after 31 January is 28 February.

    Args:
        period: By the calendar.
        begun_ms: Its beginning in UTC, in milliseconds since the epoch.
    """
    day, rest = divmod(begun_ms, _DAY_MS)
    ended = _day_after(period.months, period.days, day)
    return None if ended is None else ended * _DAY_MS + rest


@lru_cache(maxsize=10_000)
def _day_after(months: int, days: int, day: int) -> int | None:
    """Return the day on which a period ends, counted from the epoch; many twins share one."""
    from calendar import monthrange
    from datetime import date, timedelta

    try:
        begun = date(1970, 1, 1) + timedelta(days=day)
        if months:
            years, month = divmod(begun.month - 1 + months, 12)
            year = begun.year + years
            begun = date(year, month + 1, min(begun.day, monthrange(year, month + 1)[1]))
        ended = begun + timedelta(days=days)
    except (OverflowError, ValueError):
        return None
    return (ended - date(1970, 1, 1)).days


def exact(number: object) -> Fraction | None:
    """Return a reading as the digits have it, None for what no counter shows."""
    from fractions import Fraction

    if isinstance(number, bool):
        return None
    if isinstance(number, int | float) and -LARGEST <= number <= LARGEST:  # nor NaN
        return Fraction(repr(number))
    return None


def counts(counter: str, name: str) -> bool:
    """Say whether a field counts something, by its name: ``engineHours`` counts hours."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name[:MAX_NAME])
    parts = {part.casefold() for part in re.split(r"[^A-Za-z]+", spaced) if part}
    if counter in DISTANCES and parts & {"mileage", "odometer"}:
        return True
    parts = {_COUNTERS.get(part, part) for part in parts}
    return counter in parts or counter.removesuffix("s") in parts or f"{counter}s" in parts


@lru_cache(maxsize=1000)
def wanted(plan: Schedule) -> frozenset[str]:
    """Return the types of work that satisfy a schedule, as `stem` gives them."""
    return frozenset(stem(name) for name in (*plan.types, plan.name))


def stem(work_type: str) -> str:
    """Return a type of work in the form that is compared, without ``_performed`` and the like."""
    text = plain(work_type)
    for ending in ("-performed", "-completed", "-done"):
        if text.endswith(ending):
            return text.removesuffix(ending)
    return text


def plain(name: str) -> str:
    """Return a name as it is compared: ``filterChange``, ``filter_change`` are one."""
    return _compared(name[:MAX_NAME])


@lru_cache(maxsize=1000)
def _compared(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[\s_-]+", "-", spaced).casefold()


def _wrong(message: str, hint: str) -> InvalidError:
    return InvalidError(message, code="invalid_schedule", hint=hint)
