"""Sums without error, in any order and any grouping."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.analysis import exact
from twincli.analysis.exact import Sums

doubles = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.1, 1e300, -1e300, 5e-324, -5e-324, 2.0**-1022, 0.0, -0.0, 1.5])
    | st.integers(-40, 120).map(lambda tenths: tenths / 10)
)
wholes = st.integers(-(2**63), 2**63 - 1)
columns = st.lists(doubles, min_size=1, max_size=40).map(np.array) | st.lists(
    wholes, min_size=1, max_size=40
).map(lambda values: np.array(values, dtype=np.int64))


def value(sums: Sums, group: int = 0) -> Fraction:
    whole, exponent = exact.integers(sums)
    return whole[group] * Fraction(2) ** exponent


def same(first: Sums, second: Sums) -> bool:
    return first.low == second.low and np.array_equal(first.digits, second.digits)


START = np.array([0])


@given(columns)
def test_a_sum_is_exact(values: np.ndarray) -> None:
    assert value(exact.add_up(values, START)) == sum(map(Fraction, values.tolist()))
    assert value(exact.add_up_squares(values, START)) == sum(
        Fraction(number) ** 2 for number in values.tolist()
    )


@given(columns, st.data())
def test_order_and_grouping_do_not_matter(values: np.ndarray, data: st.DataObject) -> None:
    whole = exact.add_up(values, START)
    shuffled = values[data.draw(st.permutations(range(len(values))))]
    assert same(exact.add_up(shuffled, START), whole)
    starts = np.unique([0, *data.draw(st.lists(st.integers(0, len(values) - 1), max_size=6))])
    groups = exact.add_up(shuffled, starts)
    assert same(exact.regroup(groups, START), whole)
    parts = [exact.take(groups, np.array([at])) for at in range(len(starts))]
    assert same(exact.join(parts), groups)
    total = parts[0]
    for part in data.draw(st.permutations(parts[1:])):
        total = exact.add(part, total)
    assert same(total, whole)


@given(columns)
def test_rounded_once(values: np.ndarray) -> None:
    numbers = list(map(Fraction, values.tolist()))
    sums = exact.add_up(values, START)
    count = np.array([len(numbers)])
    assert exact.means(sums, count)[0] == float(sum(numbers) / len(numbers))
    try:
        right = float(sum(numbers))
    except OverflowError:
        right = math.inf if sum(numbers) > 0 else -math.inf
    assert exact.totals(sums)[0] == right
    if values.dtype == np.float64 and abs(right) < 1e308:
        assert exact.totals(sums)[0] == math.fsum(values.tolist()) or not np.isfinite(right)


@given(st.lists(st.floats(-1e150, 1e150), min_size=2, max_size=20))
def test_the_deviation_is_that_of_fractions(numbers: list[float]) -> None:
    values = np.array(numbers)
    found = exact.deviations(
        exact.add_up(values, START), exact.add_up_squares(values, START), np.array([len(numbers)])
    )[0]
    squared = statistics.variance(list(map(Fraction, numbers)))
    # The nearest double: no neighbour's square is nearer than the half-way points allow.
    below, above = np.nextafter(found, -np.inf), np.nextafter(found, np.inf)
    low = (Fraction(found) + Fraction(below)) / 2
    high = (Fraction(found) + Fraction(above)) / 2
    assert max(low, Fraction(0)) ** 2 <= squared <= high**2


def test_what_no_double_reaches_is_infinite() -> None:
    values = np.array([1.7e308, 1.7e308, -1.7e308, -1.7e308])
    sums = exact.add_up(values, np.array([0, 2]))
    assert exact.totals(sums).tolist() == [math.inf, -math.inf]
    assert exact.means(sums, np.array([2, 2])).tolist() == [1.7e308, -1.7e308]


def test_deviations_that_are_known() -> None:
    values = np.array([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0, 1.0, 3.0, 3.0])
    starts = np.array([0, 8, 9])
    found = exact.deviations(
        exact.add_up(values, starts), exact.add_up_squares(values, starts), np.array([8, 1, 2])
    )
    assert found[0] == math.sqrt(32 / 7)
    assert math.isnan(found[1])
    assert found[2] == 0.0


def test_an_empty_group_has_no_mean() -> None:
    sums = exact.add_up(np.array([0.0, 4.0]), np.array([0, 1]))
    assert np.isnan(exact.means(sums, np.array([0, 1]))[0])
    assert same(exact.add_up(np.array([1.0, -1.0]), START), exact.add_up(np.array([-0.0]), START))


@pytest.mark.parametrize("number", [0.1, -2.5, 7, 1e-320])
def test_a_number_in_parts(number: float) -> None:
    whole, exponent = exact.of(number)
    assert whole * Fraction(2) ** exponent == Fraction(number)


def test_a_million_rows_in_groups() -> None:
    random = np.random.default_rng(5)
    values = random.normal(20, 5, 100_000).round(2)
    starts = np.arange(0, 100_000, 230)
    found = exact.totals(exact.add_up(values, starts))
    assert found.tolist() == [math.fsum(part) for part in np.split(values, starts[1:])]


@given(
    st.integers(-1100, 960),
    st.integers(0, 40),
    st.lists(st.tuples(st.integers(-(2**53), 2**53), st.integers(0, 40)), min_size=1, max_size=30),
)
def test_numbers_of_much_the_same_size(
    power: int, spread: int, found: list[tuple[int, int]]
) -> None:
    values = np.array([math.ldexp(number, power - at % (spread + 1)) for number, at in found])
    values = values[np.isfinite(values)]
    if len(values):
        test_a_sum_is_exact.hypothesis.inner_test(values)  # type: ignore[attr-defined]


@pytest.mark.parametrize("rows", [1 << 16, (1 << 20) + 1])
@pytest.mark.parametrize("value_of_all", [math.nextafter(2.0, 0), -math.nextafter(1e-3, 1), 0.0])
def test_many_rows_of_one_value(rows: int, value_of_all: float) -> None:
    values = np.full(rows, value_of_all)
    assert value(exact.add_up(values, START)) == rows * Fraction(value_of_all)
    assert value(exact.add_up_squares(values, START)) == rows * Fraction(value_of_all) ** 2
    largest = np.full(rows, -(2**63), dtype=np.int64)
    assert value(exact.add_up(largest, START)) == -rows * 2**63
    assert value(exact.add_up_squares(largest, START)) == rows * 2**126
