"""Summaries of buckets: exact, and the same for any order and grouping of what comes."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.analysis import buckets, summary
from twincli.analysis.summary import Summary, answer, merge, regroup, summarise
from twincli.errors import InvalidError

MINUTE = buckets.MINUTE_US

numbers = st.sampled_from([0.1, 0.2, -0.0, 0.0, 1e300, -1e300, 5e-324, 3.0]) | st.floats(-1e6, 1e6)
rows = st.lists(
    st.tuples(st.integers(-3 * MINUTE, 3 * MINUTE), numbers, st.booleans()),
    min_size=1,
    max_size=30,
)
whole_rows = st.lists(
    st.tuples(
        st.integers(-3, 3).map(lambda n: n * MINUTE // 2),
        st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


def of(found: list[tuple[int, Any, bool]], every: int = MINUTE) -> Summary:
    found = sorted(found, key=lambda row: row[0])
    time = np.array([row[0] for row in found])
    dtype = np.int64 if isinstance(found[0][1], int) else np.float64
    return summarise(
        time,
        np.array([row[1] for row in found], dtype=dtype),
        buckets.begins(time, every),
        np.array([row[2] for row in found]),
    )


def bits(found: Summary) -> list[Any]:
    """Return everything of a summary, to the last bit."""
    told: list[Any] = []
    for name, column in zip(found._fields, found, strict=True):
        if name in {"sums", "squares"}:
            told += [column.low, column.digits.tolist()]
        else:
            told.append((column.dtype.name, column.tobytes()))
    return told


@given(rows | whole_rows, st.data())
def test_any_order_and_grouping_gives_the_same_bits(
    found: list[tuple[int, Any, bool]], data: st.DataObject
) -> None:
    whole = of(found)
    shuffled = data.draw(st.permutations(found))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(found)), max_size=4)) | {len(found)})
    parts = [
        of(shuffled[begin:end]) for begin, end in zip([0, *cuts], cuts, strict=False) if begin < end
    ]
    assert bits(merge(parts)) == bits(whole)
    once = parts[0]
    for part in parts[1:]:
        once = merge([part, once])
    assert bits(once) == bits(whole)
    hours = buckets.begins(whole.begins, 60 * MINUTE)
    assert bits(regroup(whole, hours)) == bits(of(found, 60 * MINUTE))


@given(rows | whole_rows)
def test_the_answers_are_those_of_fractions(found: list[tuple[int, Any, bool]]) -> None:
    made = of(found)
    groups: dict[int, list[tuple[int, Any]]] = {int(begin): [] for begin in made.begins}
    for time, value, suspect in found:
        if not suspect:
            groups[time - time % MINUTE].append((time, value + type(value)(0)))
    for aggregate in summary.MERGEABLE:
        values, there = answer(made, aggregate)
        for at, group in enumerate(groups.values()):
            held = [value for _, value in group]
            exact = list(map(Fraction, held))
            assert there[at] == (aggregate == "count" or len(held) > (aggregate == "stddev"))
            if not there[at]:
                continue
            early = min(group, default=(0, 0))
            late = max(group, default=(0, 0))
            if aggregate == "stddev":
                spread = statistics.variance(exact)
                if spread < 1e300:
                    assert values[at] == pytest.approx(math.sqrt(spread), rel=1e-9)
                continue
            right: Any = {
                "count": len(held),
                "min": min(held, default=None),
                "max": max(held, default=None),
                "first": early[1],
                "last": late[1],
                "average": float(sum(exact) / max(len(exact), 1)),
                "sum": float(sum(exact)),
            }[aggregate]
            if aggregate == "sum" and values.dtype == np.int64:
                right = sum(held)
            assert values[at] == right


def test_whole_sums_stay_whole_while_they_fit() -> None:
    values, _ = answer(of([(0, 2**62, False), (1, 2**62 - 1, False)]), "sum")
    assert (values.dtype, values[0]) == (np.int64, 2**63 - 1)
    values, _ = answer(of([(0, 2**62, False), (1, 2**62, False)]), "sum")
    assert (values.dtype, values[0]) == (np.float64, 2.0**63)


@given(rows, st.sampled_from([50, 95]))
def test_quantiles_are_those_of_numpy(found: list[tuple[int, Any, bool]], hundredths: int) -> None:
    found = sorted(found, key=lambda row: row[0])
    time = np.array([row[0] for row in found])
    values = np.array([row[1] for row in found])
    begins = buckets.begins(time, MINUTE)
    made = summary.quantiles(values, begins, hundredths)
    for at, begin in enumerate(np.unique(begins)):
        held = values[begins == begin]
        assert held.min() <= made[at] <= held.max()
        if np.abs(held).max() < 1e7:
            assert made[at] == pytest.approx(np.percentile(held, hundredths), rel=1e-9, abs=1e-9)


def test_a_median_of_two_large_ones_does_not_overflow() -> None:
    large = np.array([1.7e308, -1.7e308, 1.7e308])
    assert summary.quantiles(large[:2], np.zeros(2), 50)[0] == 0
    assert summary.quantiles(large[[0, 2]], np.zeros(2), 50)[0] == 1.7e308


@pytest.mark.parametrize(
    ("kind", "aggregate", "right"),
    [
        ("f64", "average", True),
        ("i64", "p95", True),
        ("text", "count", True),
        ("bool", "last", True),
        ("list", "first", True),
        ("text", "average", False),
        ("bool", "sum", False),
        ("list", "max", False),
        ("text", "lttb", False),
    ],
)
def test_a_text_has_no_average(kind: str, aggregate: str, *, right: bool) -> None:
    if right:
        summary.check_kind("s.status", kind, aggregate)
        return
    with pytest.raises(InvalidError, match=r"s\.status holds") as refused:
        summary.check_kind("s.status", kind, aggregate)
    assert refused.value.code == "not_a_number"
