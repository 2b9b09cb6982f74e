"""Summaries of buckets, which can be merged: the rollups, and every aggregate they answer.

A summary of a minute has the number of readings, their exact sum and sum of squares, the lowest
and highest, the first and the last with their times. Merging is associative and commutative and
gives the same bits for any order and grouping, so rollups grown from chunks that came late equal
those made in one pass.

Zero has no sign here. Of readings at one time, from several sources, the first is the smallest
and the last the largest.
"""

from __future__ import annotations

from twincli.analysis import buckets, exact
from twincli.errors import InvalidError
from twincli.model.batch import load_numpy
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.analysis.exact import Sums
    from twincli.model.batch import Array

_EARLIEST = -(1 << 63)
_LATEST = (1 << 63) - 1

MERGEABLE = ("average", "min", "max", "first", "last", "count", "sum", "stddev")
"""Aggregates that a summary answers."""
FROM_VALUES = ("median", "p95")
"""Aggregates that need the readings themselves."""
SAMPLES = ("minmax", "lttb")
"""Aggregates that choose readings rather than compute values."""


class Summary(NamedTuple):
    """Buckets of one series of numbers, in ascending order.

    A bucket without good readings has only ``suspects``.

    Attributes:
        begins: Microseconds.
        counts: Good readings of each.
        suspects: Suspect readings of each, which are in nothing else.
        sums, squares: Exact.
        lows, highs: float64 or int64, as the series.
        firsts, first_times, lasts, last_times: As named.
    """

    begins: Array
    counts: Array
    suspects: Array
    sums: Sums
    squares: Sums
    lows: Array
    highs: Array
    firsts: Array
    first_times: Array
    lasts: Array
    last_times: Array


def summarise(
    time: Array,
    values: Array,
    begins: Array,
    suspect: Array | None = None,
    *,
    squares: bool = True,
) -> Summary:
    """Return the summary of readings.

    Args:
        time: Ascending; at least one.
        values: float64, finite, or int64.
        begins: The bucket of each, ascending.
        suspect: Which readings are suspect; None: not one.
        squares: Whether anybody asks for them; otherwise they are 0.
    """
    np = load_numpy()
    if suspect is not None and suspect.any():
        good = ~suspect
        doubted = _only_suspects(begins[suspect], values.dtype)
        if not good.any():
            return doubted
        made = summarise(time[good], values[good], begins[good], squares=squares)
        return merge([made, doubted])
    values = values + values.dtype.type(0)  # -0.0 becomes 0.0
    starts = buckets.starts_of(begins)
    ends = np.append(starts[1:], len(time)) - 1
    lasts = firsts = values
    if (time[1:] == time[:-1]).any():
        firsts = values[np.lexsort((values, time, begins))]
        lasts = firsts
    return Summary(
        begins[starts],
        np.diff(np.append(starts, len(time))),
        np.zeros(len(starts), dtype=np.int64),
        exact.add_up(values, starts),
        exact.add_up_squares(values, starts) if squares else exact.zeros(len(starts)),
        np.minimum.reduceat(values, starts),
        np.maximum.reduceat(values, starts),
        firsts[starts],
        time[starts],
        lasts[ends],
        time[ends],
    )


def _only_suspects(begins: Array, dtype: Any) -> Summary:
    np = load_numpy()
    starts = buckets.starts_of(begins)
    groups = len(starts)
    none = exact.zeros(groups)
    lowest, highest = (-np.inf, np.inf) if dtype == np.float64 else (_EARLIEST, _LATEST)
    zeros = np.zeros(groups, dtype=dtype)
    return Summary(
        begins[starts],
        np.zeros(groups, dtype=np.int64),
        np.diff(np.append(starts, len(begins))),
        none,
        none,
        np.full(groups, highest, dtype=dtype),
        np.full(groups, lowest, dtype=dtype),
        zeros,
        np.full(groups, _LATEST, dtype=np.int64),
        zeros,
        np.full(groups, _EARLIEST, dtype=np.int64),
    )


def merge(parts: Sequence[Summary]) -> Summary:
    """Return the summary of everything that the parts, at least one, summarise.

    The parts have the same buckets and no reading in common.
    """
    np = load_numpy()
    if len(parts) == 1:
        return parts[0]
    begins = np.concatenate([part.begins for part in parts])
    order = np.argsort(begins, kind="stable")
    joined = Summary(
        begins[order],
        *(_joined(parts, name, order) for name in Summary._fields[1:]),
    )
    return _reduced(joined, joined.begins)


def _joined(parts: Sequence[Summary], name: str, order: Array) -> Any:
    np = load_numpy()
    columns = [getattr(part, name) for part in parts]
    if name in {"sums", "squares"}:
        return exact.take(exact.join(columns), order)
    return np.concatenate(columns)[order]


def regroup(summary: Summary, begins: Array) -> Summary:
    """Return the same in longer buckets.

    Args:
        summary: Of at least one bucket.
        begins: The longer bucket of each bucket, ascending.
    """
    return _reduced(summary, begins)


def _reduced(summary: Summary, begins: Array) -> Summary:
    np = load_numpy()
    starts = buckets.starts_of(begins)
    if len(starts) == len(begins):
        return summary._replace(begins=begins)
    ends = np.append(starts[1:], len(begins)) - 1
    early = np.lexsort((summary.firsts, summary.first_times, begins))[starts]
    late = np.lexsort((summary.lasts, summary.last_times, begins))[ends]
    return Summary(
        begins[starts],
        np.add.reduceat(summary.counts, starts),
        np.add.reduceat(summary.suspects, starts),
        exact.regroup(summary.sums, starts),
        exact.regroup(summary.squares, starts),
        np.minimum.reduceat(summary.lows, starts),
        np.maximum.reduceat(summary.highs, starts),
        summary.firsts[early],
        summary.first_times[early],
        summary.lasts[late],
        summary.last_times[late],
    )


def answer(summary: Summary, aggregate: str) -> tuple[Array, Array]:
    """Return an aggregate of each bucket, and which buckets have it.

    Args:
        summary: The buckets.
        aggregate: One of `MERGEABLE`.
    """
    np = load_numpy()
    there = summary.counts > 0
    if aggregate == "count":
        return summary.counts, np.ones(len(there), dtype=bool)
    if aggregate == "average":
        return exact.means(summary.sums, summary.counts), there
    if aggregate == "sum":
        if summary.lows.dtype == np.int64:
            return _whole_sums(summary), there
        return exact.totals(summary.sums), there
    if aggregate == "stddev":
        found = exact.deviations(summary.sums, summary.squares, summary.counts)
        return found, summary.counts > 1
    column = {"min": "lows", "max": "highs", "first": "firsts", "last": "lasts"}[aggregate]
    return getattr(summary, column), there


def _whole_sums(summary: Summary) -> Array:
    """Return sums of whole numbers: whole while 64 bits hold all of them, else doubles."""
    np = load_numpy()
    numbers, exponent = exact.integers(summary.sums)
    whole = [number << exponent for number in numbers]
    if all(_EARLIEST <= number <= _LATEST for number in whole):
        return np.array(whole, dtype=np.int64)
    return exact.totals(summary.sums)


def check_kind(series: str, kind: str, aggregate: str) -> None:
    """Refuse an aggregate of a series that is not of numbers.

    Raises:
        InvalidError: ``not_a_number``, naming the series.
    """
    if kind not in {"f64", "i64"} and aggregate not in {"count", "first", "last"}:
        raise InvalidError(
            f"{series} holds {'true or false' if kind == 'bool' else kind}, "
            f"so it has no {aggregate}",
            code="not_a_number",
            hint="leave it out of --fields, or ask for count, first or last",
        )


def quantiles(values: Array, begins: Array, hundredths: int) -> Array:
    """Return a quantile of each bucket: between the two values around it, on a line.

    Args:
        values: float64 or int64, at least one.
        begins: The bucket of each, ascending.
        hundredths: 50 is the median.
    """
    np = load_numpy()
    starts = buckets.starts_of(begins)
    counts = np.diff(np.append(starts, len(values)))
    ordered = values[np.lexsort((values, begins))].astype(np.float64)
    whole, rest = np.divmod((counts - 1) * hundredths, 100)
    low = ordered[starts + whole]
    high = ordered[starts + np.minimum(whole + 1, counts - 1)]
    part = rest / 100
    with np.errstate(over="ignore"):
        between = low + (high - low) * part
    halves = low * (1 - part) + high * part
    found = np.where(np.isfinite(between), between, halves)
    return np.clip(found, low, high) + 0.0
