"""Times: RFC 3339 in UTC outside, milliseconds since the epoch inside.

Those of readings are microseconds inside.
"""

from __future__ import annotations

import re

from twincli.errors import InvalidError, UsageError, cut, shown
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

# Patterns are text: re compiles and keeps them when they are first used, not at start-up.
_AGO = r"([0-9]+)(s|m|h|d|w)"
_LENGTH = r"([0-9]{1,12})(?:\.([0-9]{1,9}))?(ms|s|m|h|d|w)"
_DATE = r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
_RFC3339 = (
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
LATEST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, after which RFC 3339 has no times."""
_CYCLE_MS = 146_097 * 86_400_000  # 400 years, after which the calendar repeats
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse(text: str, now_ms: int) -> int:
    """Return a time in milliseconds since the epoch.

    Args:
        text: RFC 3339 with an offset, a date (midnight UTC), or ``30d`` for 30 days ago
            (``s m h d w``).
        now_ms: The present.

    Raises:
        UsageError: ``bad_time``.
    """
    from datetime import UTC, datetime, timedelta, timezone

    try:
        if found := re.fullmatch(_AGO, text):
            time_ms = now_ms - int(found[1]) * _SECONDS[found[2]] * 1000
        elif found := re.fullmatch(_DATE, text):
            year, month, day = map(int, found.groups())
            time_ms = int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1000
        elif found := re.fullmatch(_RFC3339, text):
            year, month, day, hour, minute = map(int, found.groups()[:5])
            offset = timedelta(0)
            if found[8] not in "Zz":
                sign = -1 if found[8][0] == "-" else 1
                offset = sign * timedelta(hours=int(found[8][1:3]), minutes=int(found[8][4:]))
            zone = timezone(offset)
            moment = datetime(year, month, day, hour, minute, int(found[6] or 0), tzinfo=zone)
            fraction = int((found[7] or "0").ljust(3, "0")[:3])
            time_ms = int(moment.timestamp()) * 1000 + fraction
        else:
            raise ValueError
        _moment(time_ms)  # an offset, or too long ago, can lead out of the years 1 to 9999
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text[:40]!r} is not a time",
            code="bad_time",
            hint="write 2024-01-20T09:00:00Z, 2024-01-20, or 30d for 30 days ago",
        ) from None
    return time_ms


def parse_range(since: str | None, until: str | None, now_ms: int) -> tuple[int | None, int | None]:
    """Return the first moment of a range and the first one after it, None where it is open.

    Args:
        since: As `parse` takes it; so is ``until``.
        until: Exclusive.
        now_ms: The present.

    Raises:
        UsageError: ``bad_time``; ``empty_range``: ``until`` is not after ``since``.
    """
    since_ms = None if since is None else parse(since, now_ms)
    until_ms = None if until is None else parse(until, now_ms)
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise UsageError(
            f"--until {until} is not after --since {since}",
            code="empty_range",
            hint="--until is exclusive: the first moment that no longer counts",
        )
    return since_ms, until_ms


def span(text: str) -> int:
    """Return how many seconds ``8h``, ``30m`` or ``3600`` is (``s m h d w``).

    Raises:
        UsageError: ``bad_time``.
    """
    found = re.fullmatch(r"(\d{1,9})(s|m|h|d|w)?", text, re.ASCII)
    seconds = int(found[1]) * _SECONDS[found[2] or "s"] if found else 0
    if seconds == 0:
        raise UsageError(
            f"{text[:40]!r} is not a duration",
            code="bad_time",
            hint="write 8h, 30m, or a number of seconds, such as 3600",
        )
    return seconds


def length(text: str, option: str) -> int:
    """Return how many microseconds ``1m``, ``0.5s`` or ``250ms`` is.

    Args:
        text: A decimal with ``ms s m h d w``.
        option: Where it is written, for the error.

    Raises:
        UsageError: ``bad_time``.
    """
    found = re.fullmatch(_LENGTH, text, re.ASCII)
    if found is not None:
        whole, part, unit = found.groups()
        size = 1000 if unit == "ms" else _SECONDS[unit] * 1_000_000
        scale: int = 10 ** len(part or "")
        time_us, rest = divmod(int(whole + (part or "")) * size, scale)
        if time_us and not rest and time_us < 1 << 62:
            return time_us
    raise UsageError(
        f"--{option}: {cut(repr(text))} is not a length of time",
        code="bad_time",
        hint="write 30s, 1m (a minute), 0.5h or 1d; months and years as days, such as 90d",
    )


def minutes_ahead(text: str) -> str | None:
    """Return what to say of a length of time to look ahead that is in minutes, else None."""
    number = text.removesuffix("m")
    if number == text:
        return None
    minutes = "a minute" if number == "1" else f"{number} minutes"
    return f"--within {text} is {minutes}; months are written as days, such as 90d"


def parse_claim(text: object) -> int | None:
    """Return somebody's ``at`` in milliseconds, or None when it is not an RFC 3339 time."""
    if not isinstance(text, str):
        return None
    usual = _written_here(text)
    if usual is not None:
        return usual
    if not re.fullmatch(_RFC3339, text):
        return None
    try:
        return parse(text, 0)
    except UsageError:
        return None


def day_or_time(text: str) -> str | None:
    """Return a date as it is, a time with its zone in UTC, and None for any other text."""
    if len(text) == 10 and parse_claim(f"{text}T00:00:00Z") is not None:
        return text
    moment = parse_claim(text)
    return None if moment is None else to_text(moment)


def _written_here(text: str) -> int | None:
    """Return the time of a text that ``to_text`` makes, without a pattern; None for any other."""
    import datetime as dt

    # What else `fromisoformat` reads, such as weeks, has something else at these places.
    if (
        len(text) != _WRITTEN
        or not text[4] == text[7] == "-"
        or not text[13] == text[16] == ":"
        or text[10] != "T"
        or text[19] != "."
        or text[23] != "Z"
        or text[11:13] > "23"
    ):
        return None
    try:
        since = dt.datetime.fromisoformat(text[:23]) - dt.datetime(1970, 1, 1)  # noqa: DTZ001
    except (ValueError, TypeError):  # TypeError: with an offset
        return None
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


_WRITTEN = len("2024-01-20T09:00:00.000Z")


def to_text(time_ms: int) -> str:
    """Return a time as RFC 3339 in UTC, always with milliseconds, so that texts sort as times.

    RFC 3339 ends with the year 9999. A time outside, of a clock that was wrong, is written as ISO
    8601 has it, with a sign and at least six digits of the year.
    """
    try:
        return _moment(time_ms).isoformat(timespec="milliseconds") + "Z"
    except OverflowError:
        cycles, rest = divmod(time_ms, _CYCLE_MS)
        moment = _moment(rest)
        year = moment.year + 400 * cycles
        return f"{year:+07}{moment.isoformat(timespec='milliseconds')[4:]}Z"


LATEST_US = LATEST_MS * 1000 + 999
EARLIEST_US = -62_135_596_800_000_000
"""The first microsecond of the year 1."""
# From which size a number counts milliseconds, microseconds, and what is not taken.
_MILLISECONDS_FROM = 10**11
_MICROSECONDS_FROM = 10**14
_NANOSECONDS_FROM = 10**17
_HOUR = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_READING_TIME = (
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[Tt ]{_HOUR}(?::[0-5][0-9](?:\.[0-9]{{1,9}})?)?"
    rf"([Zz]|[+-]{_HOUR})?)?"
)


def to_microseconds(value: object, zone: tzinfo | None = None) -> int:
    """Return the time of a reading in microseconds since the epoch.

    A number below 1e11 counts seconds, from 1e11 milliseconds, from 1e14 microseconds, so each
    unit covers the years that the next one leaves: seconds until 5138, milliseconds from 1973,
    microseconds from 1973. Fractions are rounded to the nearest microsecond, digits of a text
    beyond the sixth are cut.

    Args:
        value: A number, or RFC 3339, or a date, which is its midnight.
        zone: What texts without a zone are in; None refuses them, and a date is in UTC. An hour
            that the end of summer time repeats is the first one.

    Raises:
        InvalidError: ``no_zone``; ``bad_time``, also for an hour that summer time leaves out.
    """
    if isinstance(value, str):
        return _text_us(value, zone)
    if type(value) not in {int, float}:
        raise _bad_reading_time(value)
    return _number_us(value)  # type: ignore[arg-type]


def _number_us(value: float) -> int:
    size = abs(value)
    if not size < _NANOSECONDS_FROM:  # not: NaN, too
        raise _bad_reading_time(value, "give seconds, milliseconds or microseconds")
    if size >= _MICROSECONDS_FROM:
        factor = 1
    elif size >= _MILLISECONDS_FROM:
        factor = 1000
    else:
        factor = 1_000_000
    if isinstance(value, int):
        return value * factor
    top, bottom = value.as_integer_ratio()
    return (2 * top * factor + bottom) // (2 * bottom)


def _text_us(text: str, zone: tzinfo | None) -> int:
    from datetime import UTC, datetime, timedelta

    found = re.fullmatch(_READING_TIME, text)
    if found is None:
        raise _bad_reading_time(text)
    try:
        moment = datetime.fromisoformat(text.upper())
        if found[1] is None:
            if zone is None and len(text) > 10:
                raise InvalidError(
                    f"{text!r} has no zone",
                    code="no_zone",
                    hint=f"write {text}Z if it is UTC, or name its zone with --zone",
                )
            moment = moment.replace(tzinfo=zone or UTC)
            if zone is not None and not _exists(moment, zone):
                raise InvalidError(
                    f"{text!r} is not a time: summer time leaves this hour out", code="bad_time"
                )
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise _bad_reading_time(text) from None
    time_us = since // timedelta(microseconds=1)
    if not EARLIEST_US <= time_us <= LATEST_US:
        raise _bad_reading_time(text)
    return time_us


def _exists(moment: datetime, zone: tzinfo) -> bool:
    from datetime import UTC

    return moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment.replace(
        tzinfo=None
    )


def _bad_reading_time(value: object, hint: str | None = None) -> InvalidError:
    return InvalidError(
        f"{shown(value)} is not a time",
        code="bad_time",
        hint=hint or "write 2024-01-20T09:00:00Z, or seconds or milliseconds since 1970",
    )


def microseconds_text(time_us: int, digits: int = 3) -> str:
    """Return the time of a reading as RFC 3339 in UTC.

    Args:
        time_us: Microseconds since the epoch.
        digits: 3 or 6; with 3 the microseconds are cut.
    """
    time_ms, rest = divmod(time_us, 1000)
    text = to_text(time_ms)
    return text if digits == 3 else f"{text[:-1]}{rest:03}Z"


def digits_of(time_us: int) -> int:
    """Return how many digits of the second a time needs: 3, or 6."""
    return 6 if time_us % 1000 else 3


def _moment(time_ms: int) -> datetime:
    import datetime as dt  # whose names cost as much to take from it as the rest takes

    # Without a zone, so that isoformat writes none; strftime would not pad years below 1000.
    begin = dt.datetime(1970, 1, 1)  # noqa: DTZ001
    return begin + dt.timedelta(milliseconds=time_ms)


def span_text(span_ms: int) -> str:
    """Return a length of time for people, in the largest unit that it has two of: ``40 days``."""
    seconds = span_ms // 1000
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def told(time_ms: int | None) -> str | None:
    """Return a time that may not be known as ``to_text`` does, or None."""
    return None if time_ms is None else to_text(time_ms)
