"""Buckets of time: named by their beginning, which is in them; their end is not.

They start at multiples from the epoch or from an origin; days and weeks of a zone start at its
midnights, so they have 23 or 25 hours where its clocks change.
"""

from __future__ import annotations

from twincli.errors import InvalidError, UsageError
from twincli.model.batch import load_numpy
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import tzinfo

    from twincli.model.batch import Array

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
MAX_BUCKETS = 10_000_000
"""Buckets that one answer lists at most, empty ones included."""


def begins(time: Array, every_us: int, origin_us: int = 0) -> Array:
    """Return the beginning of the bucket of each time."""
    return time - (time - origin_us) % every_us


def begins_of_days(time: Array, days: int, zone: tzinfo, origin_us: int = 0) -> Array:
    """Return the beginning of the bucket of each time, in days of a zone.

    Args:
        time: In ascending order.
        days: How many days a bucket has.
        zone: Whose midnights count.
        origin_us: The day that this time is in begins a bucket.
    """
    np = load_numpy()
    if len(time) == 0:
        return time
    edges = day_edges(int(time[0]), int(time[-1]) + 1, days, zone, origin_us)
    return edges[np.searchsorted(edges, time, side="right") - 1]


def all_begins(since_us: int, until_us: int, every_us: int, origin_us: int = 0) -> Array:
    """Return the beginnings of all buckets that ``[since, until)`` touches, empty ones included.

    Raises:
        UsageError: ``too_many_buckets``.
    """
    np = load_numpy()
    first = since_us - (since_us - origin_us) % every_us
    _check_count((until_us - first) // every_us)
    return np.arange(first, until_us, every_us, dtype=np.int64)


def day_edges(since_us: int, until_us: int, days: int, zone: tzinfo, origin_us: int = 0) -> Array:
    """Return `all_begins` in days of a zone."""
    from datetime import UTC, date, datetime, timedelta

    np = load_numpy()
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    _check_count((until_us - since_us) // (DAY_US * days))

    def day(time_us: int) -> int:
        return (epoch + timedelta(microseconds=time_us)).astimezone(zone).toordinal()

    def midnight(ordinal: int) -> int:
        begin = datetime.combine(date.fromordinal(ordinal), datetime.min.time(), zone)
        return (begin - epoch) // timedelta(microseconds=1)

    try:
        first = day(since_us)
        first -= (first - day(origin_us)) % days
        last = day(max(since_us, until_us - 1))
        found = [midnight(ordinal) for ordinal in range(first, last + 1, days)]
    except (ValueError, OverflowError):
        raise InvalidError("these days are outside the years 1 to 9999", code="bad_time") from None
    return np.array(found, dtype=np.int64)


def _check_count(count: int) -> None:
    if count > MAX_BUCKETS:
        raise UsageError(
            f"this lists {count} buckets; at most {MAX_BUCKETS} are possible",
            code="too_many_buckets",
            hint="ask for a shorter range, or for longer buckets with --every",
        )


def starts_of(begins: Array) -> Array:
    """Return where each bucket starts among rows that are in order of their beginnings."""
    np = load_numpy()
    if len(begins) == 0:
        return np.zeros(0, dtype=np.int64)
    return np.concatenate([[0], np.flatnonzero(begins[1:] != begins[:-1]) + 1])


def fill(begins: Array, values: Array, listed: Array, how: str) -> tuple[Array, Array]:
    """Return a value for every bucket that is listed, and which of them have one.

    Args:
        begins: Of the buckets that have a value, ascending; all of them are listed.
        values: Theirs.
        listed: Beginnings, ascending.
        how: ``null``: the others have none; ``previous``: that of the bucket before, none
            before the first; ``linear``: on the line between the two beside it, none outside.
            What ``linear`` gives are doubles.
    """
    np = load_numpy()
    there = np.searchsorted(begins, listed, side="right") - 1
    known = there >= 0
    if len(begins) == 0:
        return np.zeros(len(listed), dtype=values.dtype), known
    hit = known & (begins[np.maximum(there, 0)] == listed)
    made = values[np.maximum(there, 0)]
    if how == "null":
        return made, hit
    if how == "previous":
        return made, known
    after = np.minimum(there + 1, len(begins) - 1)
    between = known & (there + 1 < len(begins)) & ~hit
    left, right = np.maximum(there, 0)[between], after[between]
    line = made.astype(np.float64)
    part = (listed[between] - begins[left]) / (begins[right] - begins[left])
    low, high = values[left].astype(np.float64), values[right].astype(np.float64)
    line[between] = low * (1 - part) + high * part
    return line, hit | between


def as_list(values: Array, valid: Array) -> list[Any]:
    """Return values as Python has them, None where there is none."""
    return [
        value if there else None
        for value, there in zip(values.tolist(), valid.tolist(), strict=True)
    ]
