"""The words by which others call units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import InvalidError
from twincli.formats import units
from twincli.formats.foreign import unit_words


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("degreeCelsius", "C"),
        ("metrePerSecondSquared", "m/s2"),
        ("candelaPerSquareMetre", "candela/meter^2"),
        ("cubicMetrePerSecond", "m3/s"),
        ("kilowattHourPerYear", "kilowatt*hour/year"),
        ("kibibyte", "kibibyte"),
        ("°C", "C"),
        ("Cel", "C"),
        ("qudt:DEG_C", "C"),
        ("http://qudt.org/vocab/unit/KiloW-HR", "kWh"),
        ("dtmi:standard:unit:metrePerSecond;2", "m/s"),
        ("0112/2///62720#UAA033#001", "C"),
        ("%", "%"),
        ("percent", "%"),
        ("km/h", "km/h"),
        ("1/min", "rpm"),
        ("unity", "1"),
        ("G", None),
        ("wobbles", None),
        ("decibel", None),
        ("x" * 200, None),
        ("", None),
        ("__import__('os')", None),
    ],
)
def test_words(word: str, ours: str | None) -> None:
    assert unit_words.find(word) == ours


@given(st.text(max_size=20) | st.from_regex(r"[a-z]+(Per[A-Z][a-z]+)?", fullmatch=True))
def test_what_is_found_can_be_frozen(word: str) -> None:
    found = unit_words.find(word)
    if found not in {None, "1"}:
        units.check(str(found))


def test_units_of_a_document_are_checked_where_they_stand() -> None:
    document = {
        "trackingFields": [
            {"name": "a", "type": "number", "unit": "xyz"},
            {"name": "b", "type": "object", "fields": [{"type": "number", "unit": "xyz"}]},
            {"name": "c", "type": "list", "items": {"type": "number", "unit": "km"}},
            {"name": "d", "type": "number", "unit": "xyz", "ownUnit": True},
            {"name": "e", "type": "text", "unit": "xyz"},
            {"name": "f", "type": "number", "unit": 3},
            7,
        ]
    }
    assert [fault.where for fault in units.faults(document)] == [
        "trackingFields[0].unit",
        "trackingFields[1].fields[0].unit",
    ]
    assert units.faults(7) == []
    many = [{"type": "number", "unit": "xyz"}] * 500
    assert len(units.faults({"trackingFields": many})) == 100
    with pytest.raises(InvalidError):
        units.check("xyz")
