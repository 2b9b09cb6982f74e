"""Units as people write them, frozen exactly."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import Any

import pytest

from tests.model.test_template import VEHICLE
from twincli.crypto import canonical
from twincli.errors import ConfigError, InvalidError
from twincli.formats import units
from twincli.model import fields, template


def frozen(unit: str) -> units.Frozen:
    document = {**VEHICLE, "trackingFields": [{"name": "x", "type": "number", "unit": unit}]}
    return units.freeze(template.read(document))


@pytest.mark.parametrize("group", units.GROUPS)
def test_every_word_of_the_table_is_worth_one_of_itself(group: str) -> None:
    for unit in units.GROUPS[group]:
        worth = frozen(unit)[unit]
        assert worth[unit] == [1, 1, 0, 1]
        assert set(worth) == set(units.GROUPS[group])


@pytest.mark.parametrize(
    ("number", "unit", "into", "exact"),
    [
        ("1", "mile", "km", Fraction(1609344, 10**6)),
        ("70", "F", "C", Fraction(190, 9)),
        ("0", "K", "C", Fraction(-27315, 100)),
        ("36", "km/h", "m/s", Fraction(10)),
        ("1", "m3", "l", Fraction(1000)),
        ("1", "kWh", "MJ", Fraction(36, 10)),
        ("50", "%", "ratio", Fraction(1, 2)),
        ("60", "rpm", "rps", Fraction(1)),
        ("1", "bar", "kPa", Fraction(100)),
        ("1", "in", "mm", Fraction(254, 10)),
        ("8", "l/100km", "l/km", Fraction(8, 100)),
    ],
)
def test_values_from_the_standards(number: str, unit: str, into: str, exact: Fraction) -> None:
    assert fields.convert(number, unit, into, frozen(into)) == float(exact)


@pytest.mark.parametrize(
    ("unit", "into"),
    [("rpm", "Hz"), ("Nm", "J"), ("C", "A"), ("F", "V"), ("kg", "N"), ("%", "deg")],
)
def test_what_is_measured_is_not_the_same(unit: str, into: str) -> None:
    with pytest.raises(InvalidError) as caught:
        fields.convert("1", unit, into, frozen(into))
    assert caught.value.code == "unit_mismatch"


def test_a_unit_that_is_not_in_the_table_but_known() -> None:
    worth = frozen("furlong")["furlong"]
    assert worth["furlong"] == [1, 1, 0, 1]
    assert fields.convert("1", "meter", "furlong", {"furlong": worth}) == pytest.approx(
        1 / 201.168, rel=1e-5
    )
    assert "kg" not in worth


@pytest.mark.parametrize(
    ("unit", "other", "exact"),
    [
        ("m*m", "hectare", [10000, 1, 0, 1]),
        ("km/h/h", "meter_per_second_squared", [12960, 1, 0, 1]),
        ("m/s/s/s", None, None),
        ("light_year^4", None, None),
        ("degree_Celsius^2", None, None),
        ("bit", None, None),  # nor is it a count or an arc second
        ("count", None, None),
    ],
)
def test_powers_and_what_has_no_dimension(
    unit: str, other: str | None, exact: list[int] | None
) -> None:
    worth = frozen(unit)[unit]
    assert worth[unit] == [1, 1, 0, 1]
    if other is None:
        assert set(worth) == {unit}
    else:
        assert worth[other] == exact


@pytest.mark.parametrize(
    "unit", ["neper", "dB", "xyz", "m**999999", "__import__('os')", "decibel", "5", "kg*", "m" * 99]
)
def test_a_unit_that_is_not_known(unit: str) -> None:
    with pytest.raises(InvalidError) as caught:
        frozen(unit)
    assert caught.value.code == "unknown_unit"


def test_a_word_of_ones_own() -> None:
    field = {"name": "x", "type": "number", "unit": "boxes", "ownUnit": True}
    assert units.freeze(template.read({**VEHICLE, "trackingFields": [field]})) == {}


def test_units_inside_of_fields() -> None:
    inner = {"name": "y", "type": "number", "unit": "km"}
    listed = {"name": "z", "type": "list", "items": {"type": "number", "unit": "kg"}}
    field = {"name": "x", "type": "object", "fields": [inner, listed]}
    found = units.freeze(template.read({**VEHICLE, "trackingFields": [], "facts": [field]}))
    assert set(found) == {"km", "kg"}


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    units._registry.cache_clear()
    monkeypatch.setitem(sys.modules, "pint", None)
    with pytest.raises(ConfigError) as caught:
        frozen("km")
    assert caught.value.code == "missing_extra"
    assert "twincli[data]" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "unit",
    ["furlong", "delta_degC", "parsec", "barn", *(u for g in units.GROUPS.values() for u in g)],
)
def test_factors_fit_into_a_ledger(unit: str) -> None:
    worth = frozen(unit)[unit]
    assert unit in worth
    assert all(part.bit_length() < 64 for exact in worth.values() for part in exact)


@pytest.mark.parametrize(
    "units_",
    [None, [], {"km": 1}, {"km": {"m": 1}}, {"km": {"m": [1, 0, 0, 1]}}, {"km": {"m": ["1"] * 4}}],
)
def test_units_of_a_strangers_template_are_checked(units_: Any) -> None:
    data = canonical.encode({"format": 1, "template": VEHICLE, "units": units_})
    with pytest.raises(InvalidError) as caught:
        template.of_compiled(data)
    assert caught.value.code == "invalid_template"
