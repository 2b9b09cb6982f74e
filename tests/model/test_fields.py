"""Values held to the fields of a template, and their units."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.test_template import GUARDED, VEHICLE
from twincli.errors import InvalidError
from twincli.model import fields, template
from twincli.model.fields import Given, check
from twincli.model.template import Field

UNITS = {
    "miles": {"miles": [1, 1, 0, 1], "km": [1000000, 1609344, 0, 1], "m": [1000, 1609344, 0, 1]},
    "m": {"km": [1000, 1, 0, 1]},
    "C": {"C": [1, 1, 0, 1], "F": [5, 9, -160, 9], "K": [1, 1, -27315, 100]},
}
FIELDS = {
    "mileage": Field("mileage", "number", unit="miles", low=0),
    "temperature": Field(
        "temperature", "number", unit="C", low=-273.15, good_low=-40, good_high=100
    ),
    "count": Field("count", "integer", low=1, high=5),
    "plain": Field("plain", "number"),
    "high": Field("high", "number", high=5),
    "note": Field("note", "text"),
    "on": Field("on", "boolean"),
    "whole": Field("whole", "integer", unit="m"),
    "color": Field("color", "enum", values=("red", "blue")),
    "when": Field("when", "datetime"),
    "place": Field("place", "coordinates"),
    "size": Field(
        "size",
        "object",
        fields={"x": Field("x", "integer", required=True), "y": Field("y", "number", unit="miles")},
    ),
    "free": Field("free", "object"),
    "loose": Field("loose", "object", fields={}, additional=True),
    "marks": Field("marks", "list", items=Field("", "text")),
    "any": Field("any", "list"),
    "age": Field("age", "duration", unit="miles"),
}


def one(name: str, value: Any) -> fields.Checked:
    return check(FIELDS, {name: value}, UNITS, additional=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mileage", 12000),
        ("mileage", 0),
        ("mileage", 12034.5),
        ("count", 5),
        ("note", "x"),
        ("on", False),
        ("color", "blue"),
        ("when", "2024-01-20"),
        ("when", "2024-01-20T09:00:00+01:00"),
        ("place", {"latitude": 90, "longitude": -180}),
        ("place", {"latitude": 1, "longitude": 2, "altitude": 3, "accuracy": 0, "metadata": {}}),
        ("place", [14.6349, -90.5069]),
        ("place", [14.6349, -90.5069, 1200]),
        ("size", {"x": 1}),
        ("size", {"x": 1, "y": None}),
        ("age", 3.5),
        ("loose", {"z": 1}),
        ("free", {"anything": [1]}),
        ("marks", []),
        ("marks", ["a", "b"]),
        ("any", [1, "a", {"b": []}]),
        ("note", None),
    ],
)
def test_what_fits_stays_as_it_is(name: str, value: Any) -> None:
    assert one(name, value) == fields.Checked({name: value})


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("mileage", "much", "mileage: 'much' is not a number"),
        ("mileage", True, "mileage: true is not a number"),
        ("mileage", [1], "is not a number"),
        ("mileage", {"value": 5}, "is not a number"),
        ("mileage", {"value": "5", "unit": "km"}, "is not a number"),
        ("mileage", {"value": 5, "unit": 7}, "is not a number"),
        ("count", 2.0, "not a whole number"),
        ("count", "2", "not a whole number"),
        ("note", 5, "not a text"),
        ("on", "true", "not true or false"),
        ("on", 1, "not true or false"),
        ("color", "green", "one of red, blue"),
        ("when", "30d", "not a date or a time"),
        ("when", "yesterday", "not a date or a time"),
        ("when", "2024-02-30", "not a date or a time"),
        ("when", 5, "not a date or a time"),
        ("place", {"latitude": 91, "longitude": 0}, "place.latitude: 91"),
        ("place", {"latitude": 0, "longitude": 180.1}, "place.longitude"),
        ("place", {"latitude": 0}, "has no longitude"),
        ("place", {"lat": 1, "latitude": 1, "lng": 2}, "one latitude"),
        ("place", {"lat": "1", "lng": 2}, "not a number"),
        ("place", {"lat": 1, "lng": 2, "accuracy": -1}, "at least 0"),
        ("place", [1], "[latitude, longitude]"),
        ("place", [1, "2"], "[latitude, longitude]"),
        ("place", [91, 0], "between"),
        ("place", "1,2", "an object with latitude"),
        ("size", 5, "not an object"),
        ("size", {}, "size.x is missing"),
        ("note", {"a": 1}, "note: an object is not a text"),
        ("size", {"x": "1"}, "size.x: '1'"),
        ("marks", "a", "not a list"),
        ("marks", [1], "marks[0]: 1"),
    ],
)
def test_what_does_not_fit(name: str, value: Any, part: str) -> None:
    with pytest.raises(InvalidError) as caught:
        one(name, value)
    assert caught.value.code == "invalid_value"
    assert part in caught.value.message


def test_a_field_that_is_not_there_is_refused_with_a_near_name() -> None:
    with pytest.raises(InvalidError) as caught:
        one("milage", 5)
    assert caught.value.code == "unknown_field"
    assert caught.value.hint == "did you mean mileage?"
    with pytest.raises(InvalidError, match=r"size\.z"):
        one("size", {"x": 1, "z": 2})
    assert check(FIELDS, {"milage": 5}, UNITS, additional=True).values == {"milage": 5}


@pytest.mark.parametrize(
    ("name", "value", "number", "unit", "made"),
    [
        ("mileage", "7500 km", "7500", "km", 4660.283941780005),
        ("mileage", "1.609344km", "1.609344", "km", 1.0),
        ("mileage", {"value": 7500, "unit": "km"}, "7500", "km", 4660.283941780005),
        ("temperature", "70 F", "70", "F", 21.11111111111111),
        ("temperature", "-40F", "-40", "F", -40.0),
        ("temperature", "300.15 K", "300.15", "K", 27.0),
        ("whole", "7.040 km", "7.040", "km", 7040),
    ],
)
def test_units_are_converted_and_kept(
    name: str, value: Any, number: str, unit: str, made: float
) -> None:
    found = one(name, value)
    assert found.values == {name: made}
    assert found.given == (Given(name, number, unit),)


def test_the_fields_own_unit_is_no_conversion() -> None:
    assert one("mileage", "12000 miles") == fields.Checked({"mileage": 12000})
    assert one("mileage", "12000.5 miles") == fields.Checked({"mileage": 12000.5})


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("mileage", "5 kg", "kg is not a unit of what is measured in miles"),
        ("temperature", "5 miles", "not a unit of what is measured in C"),
        ("plain", "5 km", "plain has no unit"),
        ("size", {"x": 1, "y": "3 kg"}, "kg is not a unit"),
    ],
)
def test_what_measures_something_else_is_refused(name: str, value: Any, part: str) -> None:
    with pytest.raises(InvalidError) as caught:
        one(name, value)
    assert caught.value.code == "unit_mismatch"
    assert part in caught.value.message
    assert caught.value.hint


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9
    )
)
def test_a_conversion_is_the_double_nearest_to_the_exact_value(number: Any) -> None:
    text = format(number, "f")
    exact = Fraction(text) * Fraction(5, 9) - Fraction(160, 9)
    assert fields.convert(text, "F", "C", UNITS) == float(exact)


NUMBERS = st.from_regex(
    r"[+-]?[0-9]{1,25}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
).filter(str.isascii)
WHOLE = st.integers(-(2**80), 2**80)
PARTS = st.integers(1, 2**80)


@given(NUMBERS, WHOLE, PARTS, WHOLE, PARTS)
def test_any_number_and_factor_is_rounded_as_fractions_are(
    number: str, over: int, under: int, shift: int, parts: int
) -> None:
    units = {"a": {"b": [over, under, shift, parts]}}
    for unit, exact in (
        ("a", Fraction(number)),
        ("b", Fraction(number) * Fraction(over, under) + Fraction(shift, parts)),
    ):
        try:
            right = float(exact)
        except OverflowError:
            with pytest.raises(InvalidError, match="too large"):
                fields.convert(number, unit, "a", units)
        else:
            assert fields.convert(number, unit, "a", units).hex() == right.hex()


def test_a_number_too_large_for_a_double() -> None:
    with pytest.raises(InvalidError, match="too large"):
        fields.convert("1e400", "km", "miles", UNITS)


@pytest.mark.parametrize(
    ("name", "value", "suspect", "outside"),
    [
        ("temperature", -40, ["temperature"], []),
        ("temperature", 100, ["temperature"], []),
        ("temperature", 99.9, [], []),
        ("temperature", "212 F", ["temperature"], []),
        ("high", 9, [], [("high", "at most 5")]),
        ("temperature", -300, ["temperature"], [("temperature", "at least -273.15 C")]),
        ("mileage", -1, [], [("mileage", "at least 0 miles")]),
        ("count", 6, [], [("count", "1 to 5")]),
    ],
)
def test_ranges_and_quality(name: str, value: Any, suspect: list[str], outside: list[Any]) -> None:
    found = one(name, value)
    assert list(found.suspect) == suspect
    assert list(found.outside) == outside


def test_what_is_given_at_creation_goes_where_it_belongs() -> None:
    found = template.read(VEHICLE)
    facts, state = fields.split(found, {"vin": "1", "mileage": 5, "owner": "x"})
    assert facts == {"vin": "1", "owner": "x"}
    assert state == {"mileage": 5}
    guarded = template.read(GUARDED)
    assert fields.missing(guarded.facts.values(), {"size": {}}) == ["color"]
    assert fields.missing(guarded.facts.values(), {"color": None}) == ["color"]
    assert fields.missing(guarded.facts.values(), {"color": "red"}) == []


def test_identifiers() -> None:
    assert fields.identifier("Straße", "x") == fields.identifier("STRASSE", "x")
    assert fields.identifier("e\u0301", "x") == fields.identifier("\u00c9", "x")
    assert fields.identifier(4711, "x") == "4711"
    assert fields.identifier("\uff33\uff2e\uff14", "x") == "sn4"  # full width, from a scanner
    wrong: list[Any] = [True, None, 1.5, [], "", "  ", "x" * 201]
    wrong += ["S\u200bN", "S\u00adN", "S\nN", "S\x1b[0m", "S\u202eN"]  # look like another one
    for bad in wrong:
        with pytest.raises(InvalidError):
            fields.identifier(bad, "x")


@pytest.mark.parametrize(
    "text", ["", "km", "5", "5 ", "1e5", "5 6", "5  7km", "x" * 200 + "5 km", "1e999999999 m"]
)
def test_what_is_no_quantity(text: str) -> None:
    assert fields.quantity(text) is None


def test_whole_numbers_keep_every_digit() -> None:
    field = Field("n", "integer", unit="km")
    written = check({"n": field}, {"n": "9007199254740993 km"}, UNITS, additional=False)
    assert written.values == {"n": 9007199254740993}


def test_half_a_place_is_named() -> None:
    fields = {"location": Field("location", "coordinates")}
    for half, absent in (({"lat": 52.5}, "longitude"), ({"longitude": 13.4}, "latitude")):
        with pytest.raises(InvalidError, match=f"location has no {absent}"):
            check(fields, {"location": half}, {}, additional=False)
