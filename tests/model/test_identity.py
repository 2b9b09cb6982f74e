"""The identifier that a twin has to itself."""

from __future__ import annotations

import pytest

from tests.model.test_template import VEHICLE
from twincli.errors import InvalidError
from twincli.model import identity, record, template

BY_VIN = template.read(VEHICLE)
BY_NAME = template.read({**VEHICLE, "identifiers": {"primary": "assetId"}})


def test_identifiers_are_compared_folded() -> None:
    assert identity.identifier(BY_VIN, {"vin": " WDB\uff1963 "}) == "wdb963"
    assert identity.identifier(BY_VIN, {"vin": 7, "other": 8}) == "7"


@pytest.mark.parametrize("facts", [{}, {"vin": None}, {"assetId": "car"}])
def test_without_it(facts: dict[str, object]) -> None:
    with pytest.raises(InvalidError) as caught:
        identity.identifier(BY_VIN, facts)
    assert caught.value.code == "missing_identifier"


def test_a_name_identifies_where_the_template_says_so() -> None:
    named = {record.KEY: {"v": 1, "name": "Car 7"}}
    assert identity.identifier(BY_NAME, {"assetId": "X", **named}, "id") == "x"
    assert identity.identifier(BY_NAME, named, "id") == "car 7"
    assert identity.identifier(BY_NAME, {}, "id") == "id"
    assert identity.identifier(BY_NAME, {record.KEY: {"v": 1, "name": 7}}, "id") == "id"
    with pytest.raises(InvalidError):
        identity.identifier(BY_NAME, {})
    with pytest.raises(InvalidError):
        identity.identifier(BY_VIN, named, "id")


def test_a_name_that_identifies_is_written_down() -> None:
    assert identity.named(BY_NAME, "car", {"n": 1}) == {"assetId": "car", "n": 1}
    assert identity.named(BY_NAME, "car", {"assetId": "lorry"}) == {"assetId": "lorry"}
    assert identity.named(BY_VIN, "car", {"n": 1}) == {"n": 1}
