"""Readings and observations: what JSON from devices means."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import InvalidError, TwinError
from twincli.model import reading, times
from twincli.model.reading import Observation, parse
from twincli.model.template import Field

T = 1_705_741_230_000_000

FIX = {
    "data": {"latitude": 40.7128, "longitude": -74.006, "altitude": 10.5, "timestamp": T // 1000},
    "source": "gps-tracker-001",
    "metadata": {"speed": 35.5, "heading": 127},
}


@pytest.mark.parametrize(
    ("value", "leaves"),
    [
        (23.5, {"value": 23.5}),
        ("door opened", {"value": "door opened"}),
        ({"value": 1, "status": "idle"}, {"value": 1, "status": "idle"}),
        ({"a": {"b": {"c": True}, "d": None}, "e.f": 2}, {"a.b.c": True, "e.f": 2}),
        ({"testResults": ["pass", "pass"]}, {"testResults": ["pass", "pass"]}),
        ({"deviceId": "d", "readings": {"t": 1.5}}, {"t": 1.5}),
        ({"deviceId": "d", "readings": 4}, {"value": 4}),
        ({"readings": {"t": 1}}, {"readings.t": 1}),
        ({"deviceId": "d", "readings": 4, "x": 1}, {"deviceId": "d", "readings": 4, "x": 1}),
        ({"data": {"t": 1}}, {"t": 1}),
        ({"data": {"t": 1}, "metadata": None}, {"t": 1}),
        ({"data": 5, "metadata": 6}, {"data": 5, "metadata": 6}),
        ({"t": {"value": 5, "unit": "C"}}, {"t": 5}),
        ({"t": {"value": "5", "unit": "C"}}, {"t.value": "5", "t.unit": "C"}),
        ({"lat": 1, "lng": 2, "lat2": 3}, {"latitude": 1.0, "longitude": 2.0, "lat2": 3}),
        ({"p": {"lat": 1, "lon": 180}}, {"p.latitude": 1.0, "p.longitude": 180.0}),
        ({"lat": 7}, {"lat": 7}),
        ({"latitude": -90, "longitude": -180}, {"latitude": -90.0, "longitude": -180.0}),
        (
            {"lat": 90, "longitude": 0, "accuracy": 3, "altitude": 4},
            {"latitude": 90.0, "longitude": 0.0, "accuracy": 3.0, "altitude": 4.0},
        ),
        ({"x": 2**63 - 1, "y": -(2**63)}, {"x": 2**63 - 1, "y": -(2**63)}),
        ({"grüße": "ß"}, {"grüße": "ß"}),
    ],
)
def test_the_leaves_of_an_object(value: Any, leaves: dict[str, Any]) -> None:
    found = parse(value).leaves
    assert found == leaves
    assert {name: type(item) for name, item in found.items()} == {
        name: type(item) for name, item in leaves.items()
    }


def test_what_is_said_about_an_observation() -> None:
    assert parse(FIX) == Observation(
        {
            "latitude": 40.7128,
            "longitude": -74.006,
            "altitude": 10.5,
            "metadata.speed": 35.5,
            "metadata.heading": 127,
        },
        T,
        "gps-tracker-001",
    )
    found = parse(
        {
            "value": 23.5,
            "unit": "C",
            "source": "s",
            "seq": 7,
            "quality": "suspect",
            "stream": "t",
            "timestamp": "2024-01-20T09:00:30Z",
        }
    )
    assert found == Observation({"value": 23.5}, T, "s", 7, "suspect", (("value", "C"),), "t")
    assert found.identity == (T, "s", 7)
    assert parse({"deviceId": 4, "readings": 1, "quality": ""}).source == "4"
    assert parse({"deviceId": "a", "source": "b", "readings": 1}).source == "b"
    assert parse({"t": {"value": 5, "unit": "C"}}).units == (("t", "C"),)
    assert (parse(1).time_us, parse(1).quality, parse({"x": 1, "source": None}).source) == (
        None,
        "good",
        "",
    )


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({}, "invalid_reading"),
        ({"timestamp": 5}, "invalid_reading"),
        ({"a": None, "b": {}}, "invalid_reading"),
        ({"unit": "C", "x": 1}, "invalid_reading"),
        ({"value": 1, "unit": 5}, "invalid_reading"),
        ({"x": 1, "seq": -1}, "invalid_reading"),
        ({"x": 1, "seq": True}, "invalid_reading"),
        ({"x": 1, "seq": 2**63}, "invalid_reading"),
        ({"x": 1, "source": ["a"]}, "invalid_reading"),
        ({"x": 1, "source": 2**63}, "invalid_reading"),
        ({"x": 1, "source": "a" * 201}, "invalid_reading"),
        ({"x": 1, "quality": 1}, "invalid_reading"),
        ({"x": 1, "stream": 1}, "invalid_reading"),
        ({"data": {"x": 1, "timestamp": 1}, "timestamp": 1}, "invalid_reading"),
        ({"data": {"x": 1, "metadata": 1}, "metadata": 1}, "invalid_reading"),
        ({"a.b": 1, "a": {"b": 2}}, "invalid_reading"),
        ({"a.b": 1, "a": 2}, "invalid_reading"),
        ({"a": 2, "a.b": 1}, "not_an_object"),
        ({"lat": 1, "latitude": 1}, "invalid_reading"),
        ({f"x{n}": n for n in range(1001)}, "invalid_reading"),
        ({"x": float("nan")}, "invalid_value"),
        ({"x": float("-inf")}, "invalid_value"),
        ({"x": 2**63}, "invalid_value"),
        ({"x": "a" * 65_537}, "invalid_value"),
        ({"x": "a\0"}, "invalid_value"),
        ({"x": "\ud800"}, "invalid_value"),
        ({"x": [float("nan")]}, "invalid_value"),
        ({"x": ["\ud800"]}, "invalid_value"),
        ({"x": ["a" * 65_536]}, "invalid_value"),
        ({"latitude": 91, "longitude": 0}, "invalid_value"),
        ({"latitude": 0, "longitude": 180.0001}, "invalid_value"),
        ({"lat": "1", "lng": 2}, "invalid_value"),
        ({"lat": 1, "lng": True}, "invalid_value"),
        ({"latitude": 1, "longitude": 1, "altitude": "high"}, "invalid_value"),
        ({"latitude": 1}, "incomplete_coordinates"),
        ({"p": {"longitude": 1}}, "incomplete_coordinates"),
        ({"x": 1, "timestamp": "2024-01-20T09:00:00"}, "no_zone"),
        ({"x": 1, "timestamp": True}, "bad_time"),
        ({"a..b": 1}, "empty_segment"),
        ({"": 1}, "empty_segment"),
        ({"$a": 1}, "invalid_name"),
        ({"a\ud800": 1}, "invalid_name"),
        ({"a" * 201: 1}, "invalid_name"),
        ({"twin": {"v": 1}}, "reserved_key"),
    ],
)
def test_what_is_refused(value: Any, code: str) -> None:
    with pytest.raises(InvalidError) as refused:
        parse(value)
    assert refused.value.code == code
    assert len(refused.value.message) < 400


def test_an_observation_does_not_nest_without_end() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = {"a": value}
    with pytest.raises(InvalidError, match="nests deeper"):
        parse(value)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidError, match="list of JSON values"):
        parse({"x": deep})


_names = st.text("abcxyzäß_-", min_size=1, max_size=5).filter(
    lambda name: name not in {"lat", "lon", "lng"}
)
_leaves = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("abc ß", max_size=5)
    | st.booleans()
    | st.lists(st.integers(0, 5), max_size=3)
)
_objects = st.recursive(
    st.dictionaries(_names, _leaves, min_size=1, max_size=4),
    lambda inner: st.dictionaries(_names, inner | _leaves, min_size=1, max_size=4),
    max_leaves=12,
)


@given(_objects)
def test_what_was_flattened_nests_again(value: dict[str, Any]) -> None:
    leaves = reading.flatten(value)
    assert reading.nest(leaves.items()) == value
    assert json.dumps(reading.nest(leaves.items()), sort_keys=True) == json.dumps(
        value, sort_keys=True
    )


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["2024-01-20T09:00:00Z", 91, 2**64]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *sorted(reading.RESERVED_LEAVES),
                    *("lat", "longitude", "data", "metadata", "readings", "deviceId"),
                    *("value", "x", "x.y", ""),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(_json)
def test_whatever_comes_is_read_or_refused(value: Any) -> None:
    try:
        found = parse(value)
    except TwinError:
        return
    for leaf in found.leaves.values():
        reading.kind_of(leaf)
    assert reading.flatten(reading.nest(found.leaves.items())) == found.leaves


# --- Times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "time_us"),
    [
        (0, 0),
        (1_705_741_230, T),
        (1_705_741_230.5, T + 500_000),
        (1_705_741_230.000001, T + 1),
        (-1, -1_000_000),
        (-0.5, -500_000),
        (10**11 - 1, (10**11 - 1) * 1_000_000),
        (10**11, 10**14),
        (T // 1000, T),
        (T / 1000 + 0.25, T + 250),
        (T, T),
        (10**14, 10**14),
        (10**17 - 1, 10**17 - 1),
        ("2024-01-20T09:00:30Z", T),
        ("2024-01-20t09:00:30z", T),
        ("2024-01-20 10:00:30+01:00", T),
        ("2024-01-20T09:00:30.000001Z", T + 1),
        ("2024-01-20T09:00:30.123456789Z", T + 123_456),
        ("2024-01-20T09:00Z", T - 30_000_000),
        ("2024-01-20", 1_705_708_800_000_000),
        ("0001-01-01T00:00:00Z", times.EARLIEST_US),
        ("9999-12-31T23:59:59.999999Z", times.LATEST_US),
    ],
)
def test_times_of_readings(value: Any, time_us: int) -> None:
    assert times.to_microseconds(value) == time_us


@pytest.mark.parametrize(
    "value",
    [
        10**17,
        float("nan"),
        float("inf"),
        -float("inf"),
        None,
        True,
        [],
        "",
        "noon",
        "5",
        "2024-01-20T24:00:00Z",
        "2024-01-20T09:00:60Z",
        "2024-02-30T09:00:00Z",
        "2024-W03-6T09:00:00Z",
        "20240120T090000Z",
        "2024-01-20T09Z",
        "2024-01-20T09:00:00,5Z",
        "2024-01-20T09:00:00+24:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "0000-01-01T00:00:00Z",
        "\uff12\uff10\uff12\uff14-01-20T09:00:00Z",
    ],
)
def test_what_is_not_a_time(value: Any) -> None:
    with pytest.raises(InvalidError) as refused:
        times.to_microseconds(value)
    assert refused.value.code == "bad_time"


def test_times_in_a_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert times.to_microseconds("2024-01-20T10:00:30", berlin) == T
    assert times.to_microseconds("2024-01-20T09:00:30Z", berlin) == T
    assert times.to_microseconds("2024-01-20", berlin) == 1_705_705_200_000_000
    # The hour that comes twice is the first; the one that never came is refused.
    twice = times.to_microseconds("2024-10-27T02:30:00", berlin)
    assert times.microseconds_text(twice) == "2024-10-27T00:30:00.000Z"
    with pytest.raises(InvalidError, match="not a time") as refused:
        times.to_microseconds("2024-03-31T02:30:00", berlin)
    assert "summer time leaves this hour out" in refused.value.message


def test_times_print_with_three_or_six_digits() -> None:
    assert times.microseconds_text(T + 1234) == "2024-01-20T09:00:30.001Z"
    assert times.microseconds_text(T + 1234, 6) == "2024-01-20T09:00:30.001234Z"
    assert times.microseconds_text(-1, 6) == "1969-12-31T23:59:59.999999Z"
    assert [times.digits_of(T), times.digits_of(T + 1000), times.digits_of(T + 1)] == [3, 3, 6]


@given(st.integers(times.EARLIEST_US, times.LATEST_US))
def test_a_time_reads_back(time_us: int) -> None:
    assert times.to_microseconds(times.microseconds_text(time_us, 6)) == time_us


# --- Kinds and identity --------------------------------------------------------------------------


def test_the_first_reading_decides_what_a_series_holds() -> None:
    assert reading.settle("x", 20, None) == (20, "i64")
    assert reading.settle("x", 20.5, None) == (20.5, "f64")
    value, kind = reading.settle("x", 20, "f64")
    assert (value, type(value), kind) == (20.0, float, "f64")
    assert reading.settle("x", [1], "list") == ([1], "list")
    assert reading.settle("x", True, "bool") == (True, "bool")
    for value, kind, part in [
        (20.5, "i64", "a whole number before"),
        ("a", "f64", "a number before"),
        (1, "bool", "true or false before"),
        (True, "i64", "is now true"),
        (["a"], "text", "a text before"),
        ("[1]", "list", "a list before"),
    ]:
        with pytest.raises(InvalidError, match=part) as refused:
            reading.settle("x", value, kind)
        assert refused.value.code == "type_changed"
    with pytest.raises(InvalidError, match="that a double holds"):
        reading.settle("x", 2**53 + 1, "f64")


def test_a_template_decides_before_the_first_reading() -> None:
    fields = {
        "location": Field("location", "coordinates"),
        "temperature": Field("temperature", "number"),
        "size": Field("size", "object", fields={"x": Field("x", "integer")}),
        "free": Field("free", "object"),
        "marks": Field("marks", "list"),
        "color": Field("color", "enum"),
    }
    found = reading.kinds_of_fields(fields, "s.")
    assert found == {
        "s.location.latitude": "f64",
        "s.location.longitude": "f64",
        "s.location.altitude": "f64",
        "s.location.accuracy": "f64",
        "s.temperature": "f64",
        "s.size.x": "i64",
        "s.marks": "list",
        "s.color": "text",
    }
    assert set(found.values()) <= set(reading.KINDS)


def test_the_same_again_is_a_repeat() -> None:
    assert not reading.is_repeat("x", None, 1)
    assert reading.is_repeat("x", 1.5, 1.5)
    assert reading.is_repeat("x", ["a"], ["a"])
    for there, new in [(1.5, 2.5), (1, 1.0), (True, 1), ("a", "b")]:
        with pytest.raises(TwinError) as refused:
            reading.is_repeat("x", there, new)
        assert (refused.value.code, refused.value.exit_code) == ("conflicting_reading", 5)


def test_a_clock_that_was_never_set() -> None:
    assert [reading.is_unset_clock(when) for when in (-1, 0, 86_400_000_000, T)] == [
        False,
        True,
        True,
        False,
    ]
    assert [reading.is_good(quality) for quality in ("good", "suspect", "")] == [
        True,
        False,
        False,
    ]
