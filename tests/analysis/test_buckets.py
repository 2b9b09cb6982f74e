"""Buckets of time, the days of a zone, and what fills the empty ones."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.analysis import buckets
from twincli.analysis.buckets import all_begins, as_list, begins_of_days, day_edges, fill
from twincli.errors import InvalidError, UsageError
from twincli.model import times

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000_000


def us(text: str) -> int:
    return times.to_microseconds(text)


def test_a_bucket_is_named_by_its_beginning() -> None:
    time = np.array([-1, 0, 59, 60, 61])
    assert buckets.begins(time, 60).tolist() == [-60, 0, 0, 60, 60]
    assert buckets.begins(time, 60, 5).tolist() == [-55, -55, 5, 5, 5]
    assert all_begins(-1, 120, 60).tolist() == [-60, 0, 60]
    assert all_begins(0, 121, 60).tolist() == [0, 60, 120]
    assert all_begins(0, 60, 60, 5).tolist() == [-55, 5]
    assert buckets.starts_of(buckets.begins(time, 60)).tolist() == [0, 1, 3]
    assert buckets.starts_of(time[:0]).tolist() == []


def test_days_of_a_zone_have_23_and_25_hours() -> None:
    edges = day_edges(us("2024-03-30T12:00:00Z"), us("2024-04-01T12:00:00Z"), 1, BERLIN)
    assert [times.microseconds_text(int(edge)) for edge in edges] == [
        "2024-03-29T23:00:00.000Z",
        "2024-03-30T23:00:00.000Z",
        "2024-03-31T22:00:00.000Z",
    ]
    assert (np.diff(edges) // HOUR).tolist() == [24, 23]
    autumn = day_edges(us("2024-10-26T22:30:00Z"), us("2024-10-28T00:00:00Z"), 1, BERLIN)
    assert (np.diff(autumn) // HOUR).tolist() == [25]
    # An end at midnight is not in the next day.
    end = us("2024-10-27T23:00:00Z")
    assert len(day_edges(us("2024-10-27T22:00:00Z"), end, 1, BERLIN)) == 1
    weeks = day_edges(us("2024-01-08T00:00:00Z"), us("2024-01-30T00:00:00Z"), 7, BERLIN)
    assert (np.diff(weeks) // HOUR).tolist() == [168, 168, 168]
    monday = day_edges(
        us("2024-01-10T00:00:00Z"),
        us("2024-01-11T00:00:00Z"),
        7,
        BERLIN,
        us("2024-01-01T12:00:00Z"),
    )
    assert times.microseconds_text(int(monday[0])) == "2024-01-07T23:00:00.000Z"


@given(st.lists(st.integers(us("2023-01-01"), us("2026-01-01")), min_size=1))
def test_each_time_is_in_its_day(found: list[int]) -> None:
    from datetime import UTC, datetime, timedelta

    time = np.array(sorted(found))
    for when, begin in zip(time.tolist(), begins_of_days(time, 1, BERLIN).tolist(), strict=True):
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        local = (epoch + timedelta(microseconds=when)).astimezone(BERLIN)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        assert begin == (midnight - epoch) // timedelta(microseconds=1)


def test_what_lists_too_many_buckets_is_refused() -> None:
    assert begins_of_days(np.zeros(0, dtype=np.int64), 1, BERLIN).tolist() == []
    with pytest.raises(UsageError) as refused:
        all_begins(0, 10**18, 1)
    assert refused.value.code == "too_many_buckets"
    with pytest.raises(UsageError, match="at most 10000000"):
        day_edges(0, times.LATEST_US * 10**9, 1, BERLIN)
    with pytest.raises(InvalidError, match="years 1 to 9999"):
        day_edges(times.LATEST_US, times.LATEST_US + 2, 1, ZoneInfo("Asia/Tokyo"))


def test_what_fills_the_empty_ones() -> None:
    begins, values = np.array([2, 4, 8]), np.array([20.0, 40.0, 80.0])
    listed = np.arange(0, 12, 2)

    def told(how: str) -> list[float | None]:
        return as_list(*fill(begins, values, listed, how))

    assert told("null") == [None, 20.0, 40.0, None, 80.0, None]
    assert told("previous") == [None, 20.0, 40.0, 40.0, 80.0, 80.0]
    assert told("linear") == [None, 20.0, 40.0, 60.0, 80.0, None]
    texts = np.array(["a", "b", "c"], dtype=object)
    assert as_list(*fill(begins, texts, listed, "previous")) == [None, "a", "b", "b", "c", "c"]
    assert as_list(*fill(begins[:0], values[:0], listed[:2], "null")) == [None, None]
