"""Samples that show the same shape."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tsdownsample import LTTBDownsampler

from twincli.analysis import buckets, sample


@pytest.mark.parametrize("points", [3, 4, 10, 22, 52, 66, 502])
def test_the_largest_triangles_are_those_of_tsdownsample(points: int) -> None:
    # Regular times: the other one takes the middle of a part for the mean of its times.
    random = np.random.default_rng(points)
    time = np.arange(1002) * 30
    values = random.normal(0, 5, 1002).cumsum()
    ours = sample.lttb(time, values, points)
    downsampler: Any = LTTBDownsampler
    theirs = downsampler().downsample((time - time[0]).astype(np.float64), values, n_out=points)
    assert len(ours) == points
    assert (np.diff(ours) > 0).all()
    assert ours.tolist() == theirs.tolist()


@given(st.integers(3, 40), st.lists(st.integers(-99, 99), min_size=41, max_size=90))
def test_the_largest_triangles_as_the_paper_has_them(points: int, values: list[int]) -> None:
    count = len(values)
    every = Fraction(count - 2, points - 2)
    edges = [int(every * part) + 1 for part in range(points - 1)]
    right = [0]
    for part in range(points - 2):
        after = range(edges[part + 1], edges[part + 2] if part < points - 3 else count)
        beside = (
            Fraction(sum(after), len(after)),
            Fraction(sum(values[row] for row in after), len(after)),
        )
        last = right[-1]
        areas = [
            abs(
                (last - beside[0]) * (values[row] - values[last])
                - (last - row) * (beside[1] - values[last])
            )
            for row in range(edges[part], edges[part + 1])
        ]
        found = sample.lttb(np.arange(count), np.array(values), points)[part + 1]
        # Rounding may choose the other one of two that are equal.
        assert areas[found - edges[part]] == pytest.approx(float(max(areas)))
        right.append(int(found))


def test_few_readings_stay_as_they_are() -> None:
    assert sample.lttb(np.array([1, 2, 3]), np.array([5, 6, 7]), 3).tolist() == [0, 1, 2]
    assert sample.minmax(np.zeros(0), np.zeros(0)).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 4)), min_size=1, max_size=30))
def test_the_lowest_and_the_highest_of_each_bucket(found: list[tuple[int, int]]) -> None:
    found = sorted(found, key=lambda row: row[0])
    begins = buckets.begins(np.array([row[0] for row in found]), 5)
    values = np.array([float(row[1]) for row in found])
    right: set[int] = set()
    for begin in np.unique(begins):
        rows = np.flatnonzero(begins == begin)
        right |= {int(rows[values[rows].argmin()]), int(rows[values[rows].argmax()])}
    assert sample.minmax(values, begins).tolist() == sorted(right)
