"""Readings that stand in a record itself."""

from __future__ import annotations

from typing import Any

import pytest

from twincli.errors import InvalidError
from twincli.model import reading
from twincli.model.fields import Given
from twincli.model.inline import Inline, body, read

FIX = {
    "timestamp": "2024-01-20T09:00:00Z",
    "source": "gps",
    "seq": 3,
    "quality": "doubtful",
    "lat": 40.7,
    "lng": -74,
    "metadata": {"speed": 35.5, "tags": ["a", 1]},
}


def of(value: Any, **more: Any) -> Inline:
    return Inline(reading.parse(value), **more)


def test_what_is_written_reads_back() -> None:
    item = of(FIX, given=(Given("metadata.speed", "20", "knots"),), suspect=("latitude",))
    made = body([item])
    assert made == {
        "readings": [
            {
                "timestamp": "2024-01-20T09:00:00.000Z",
                "source": "gps",
                "seq": 3,
                "quality": "doubtful",
                "data": {
                    "latitude": 40.7,
                    "longitude": -74.0,
                    "metadata": {"speed": 35.5, "tags": ["a", 1]},
                },
                "given": [{"path": "metadata.speed", "value": "20", "unit": "knots"}],
                "suspect": ["latitude"],
            }
        ]
    }
    assert read(made) == (item,)


def test_when_it_arrived_is_not_recorded() -> None:
    item = of({"timestamp": 1, "x": 1})
    assert body([item._replace(is_now=True)]) == body([item])
    later = item._replace(is_now=True).later
    assert (later.observation.time_us, later.is_now) == (1_000_001, True)


def test_units_and_microseconds() -> None:
    for value in (
        {"value": 23.5, "unit": "C"},
        {"a": {"b": {"value": 1, "unit": "m"}}},
        {"data": {"data": {"x": 1}}},
        7,
    ):
        item = of(value)
        item = item._replace(observation=item.observation._replace(time_us=1_000_001))
        made = body([item])
        assert made["readings"][0]["timestamp"] == "1970-01-01T00:00:01.000001Z"
        assert read(made) == (item,)


def test_a_name_that_would_read_otherwise_is_refused() -> None:
    with pytest.raises(InvalidError, match="a name such as unit") as caught:
        body([of({"timestamp": 1, "x.value": 1, "x.unit": "C"})])
    assert caught.value.code == "invalid_reading"


GOOD = {"timestamp": 1, "data": {"x": 1}}


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"readings": 1},
        {"readings": []},
        {"readings": [GOOD] * 1001},
        {"readings": [1]},
        {"readings": [{"timestamp": 1}]},
        {"readings": [{"data": {"x": 1}}]},
        {"readings": [{"timestamp": 1, "data": {}}]},
        {"readings": [{**GOOD, "suspect": 1}]},
        {"readings": [{**GOOD, "suspect": [1]}]},
        {"readings": [{**GOOD, "suspect": ["x"] * 1001}]},
        {"readings": [{**GOOD, "given": 1}]},
        {"readings": [{**GOOD, "given": [1]}]},
        {"readings": [{**GOOD, "given": [{"path": "x", "value": "1"}]}]},
        {"readings": [{**GOOD, "given": [{"path": "x", "value": 1, "unit": "m"}]}]},
    ],
)
def test_what_is_malformed_is_refused(value: Any) -> None:
    with pytest.raises(InvalidError) as caught:
        read(value)
    assert caught.value.code == "invalid_record"
