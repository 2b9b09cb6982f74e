"""The format of templates: what is valid, and what is said of what is not."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import canonical
from twincli.errors import InvalidError
from twincli.model import template

VEHICLE: dict[str, Any] = {
    "id": "vehicle-tracking-v1",
    "name": "Vehicle Digital Twin",
    "assetType": "vehicle",
    "identifiers": {"primary": "vin", "secondary": ["licensePlate", "serialNumber"]},
    "trackingFields": [
        {"name": "location", "type": "coordinates", "realTime": True, "source": "gps_tracker"},
        {"name": "mileage", "type": "number", "unit": "miles", "source": "odometer"},
        {"name": "engineHours", "type": "number", "source": "engine_control_unit"},
    ],
    "eventTypes": [
        "maintenance_performed",
        "accident_reported",
        "ownership_transfer",
        "inspection_completed",
    ],
}
GUARDED: dict[str, Any] = {
    **VEHICLE,
    "states": {
        "initial": "manufacturing",
        "transitions": [
            {
                "from": "manufacturing",
                "to": "testing",
                "conditions": {"required": ["complete"], "optional": ["reviewed"]},
            },
            {"from": "testing", "to": "shipping"},
        ],
        "conditions": {"complete": "mileage > 5"},
    },
    "stages": ["design", "making"],
    "schedules": {
        "service": "quarterly",
        "wash": {"every": "monthly"},
        "oil": {"every": "every-250-hours", "types": ["oil"]},
    },
    "view": {"title": "vin", "card": ["mileage"], "charts": ["mileage"], "map": "location"},
    "workflows": [{"name": "x"}],
    "linkVerbs": ["powered_by"],
    "trustedIssuers": ["did:key:z6Mk", "https://ul.example"],
    "additionalFields": True,
    "facts": [
        {"name": "color", "type": "enum", "values": ["red", "blue"], "required": True},
        {"name": "size", "type": "object", "fields": [{"name": "x", "type": "integer"}]},
        {"name": "marks", "type": "list", "items": {"type": "text"}},
        {"name": "recipe", "type": "text", "access": "authorities"},
    ],
}


def test_the_seeds_template_is_valid_as_it_stands() -> None:
    assert template.faults(VEHICLE) == []
    found = template.read(VEHICLE)
    assert (found.id, found.family, found.primary) == (
        "vehicle-tracking-v1",
        "vehicle-tracking",
        "vin",
    )
    assert found.secondary == ("licensePlate", "serialNumber")
    assert found.fields["location"].real_time
    assert found.fields["mileage"].unit == "miles"
    assert found.fields["engineHours"].source == "engine_control_unit"
    assert found.events is not None
    assert "inspection_completed" in found.events
    assert found.document is VEHICLE


def test_everything_beyond_it() -> None:
    assert template.faults(GUARDED) == []
    found = template.read(GUARDED)
    assert found.initial == "manufacturing"
    assert found.transitions[0].required == ("complete",)
    assert found.transitions[1] == template.Transition("testing", "shipping")
    assert found.conditions == {"complete": "mileage > 5"}
    assert found.stages == ("design", "making")
    assert found.additional
    assert found.facts["color"].values == ("red", "blue")
    assert (found.facts["color"].access, found.facts["recipe"].access) == ("public", "authorities")
    assert found.facts["size"].fields is not None
    assert found.facts["size"].fields["x"].type == "integer"
    assert found.facts["marks"].items is not None


PROBE: dict[str, Any] = {
    "id": "probe-v1",
    "name": "Probe",
    "assetType": "probe",
    "identifiers": {"primary": "serialNumber", "secondary": ["batch"]},
    "facts": [{"name": "serialNumber", "type": "text"}],
    "trackingFields": [
        {"name": "temp", "type": "number"},
        {"name": "place", "type": "coordinates"},
        {"name": "made", "type": "object", "fields": [{"name": "year", "type": "integer"}]},
        {"name": "free", "type": "object"},
    ],
}


def states(*moves: str, **conditions: str) -> dict[str, Any]:
    asked = {"conditions": {"required": sorted(conditions)}} if conditions else {}
    pairs = [dict(zip(("from", "to"), move.split(), strict=True)) for move in moves]
    return {
        "states": {
            "initial": "a",
            "transitions": [{**pairs[0], **asked}, *pairs[1:]],
            "conditions": conditions,
        }
    }


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (states("a b", "b c", "c a"), []),
        (states("a b", "x y", "y x"), ["states.transitions[1]", "states.transitions[1]"]),
        (states("a b", "c b"), ["states.transitions[1]"]),
        (
            {"states": {"initial": "a", "transitions": [{"from": "a", "to": "b"}, 5, {"to": 5}]}},
            [
                "states.transitions[1]",
                "states.transitions[2]",
                "states.transitions[2].to",
            ],
        ),
        (states("a b", ok="temp > 3 and not exists(made.year) or free.x = 2"), []),
        (states("a b", ok="batch = B1 and place.latitude > 3 and assetId ~ x"), []),
        (states("a b", ok="events.x = 1"), []),
        (states("a b", ok="tmp > 3"), ["states.conditions.ok"]),
        (states("a b", ok="made.month > 3"), ["states.conditions.ok"]),
        (states("a b", ok="temp.x > 3"), ["states.conditions.ok"]),
        (states("a b", ok="temp >"), ["states.conditions.ok"]),
        ({**states("a b", ok="color = red"), "additionalFields": True}, []),
        (
            {"states": {**states("a b")["states"], "conditions": {"unused": "temp > 3"}}},
            ["states.conditions.unused"],
        ),
        ({"view": {"title": "batch", "card": ["made.year"], "map": "place"}}, []),
        ({"view": {"charts": ["temp", "place"]}}, ["view.charts[1]"]),
        ({"view": {"map": "temp", "title": "tmp"}}, ["view.title", "view.map"]),
        ({"identifiers": {"primary": "weight"}, "facts": [{"name": "weight", "type": "number"}]},
         ["identifiers"]),
        ({"facts": [{"name": "serialNumber", "type": []}]}, ["facts[0].type"]),
        ({"trackingFields": [{"name": "x", "type": "integer", "max": 1 << 63}]},
         ["trackingFields[0].max"]),
        ({"trackingFields": [{"name": "x", "type": "number", "quality": {"min": 1, "max": 1}}]},
         ["trackingFields[0].quality"]),
        ({"trackingFields": [{"name": "seq", "type": "number", "realTime": True}]},
         ["trackingFields[0].name"]),
        (
            {
                "trackingFields": [
                    {
                        "name": "fix",
                        "type": "object",
                        "realTime": True,
                        "fields": [{"name": "quality", "type": "text"}],
                    }
                ]
            },
            ["trackingFields[0].fields[0].name"],
        ),
    ],
)  # fmt: skip
def test_what_names_something_else(change: dict[str, Any], found: list[str]) -> None:
    faults = template.faults({**PROBE, **change})
    assert [fault.where for fault in faults] == found
    assert all(fault.right for fault in faults)


@pytest.mark.parametrize(
    ("where", "value", "path", "part"),
    [
        (("id",), "vehicle", "id", "is not an id"),
        (("id",), "vehicle-v0", "id", "is not an id"),
        (("id",), None, "id", "null is not an id"),
        (("id",), ..., "", "id is missing"),
        (("name",), ..., "", "name is missing"),
        (("name",), 5, "name", "5 is not a text"),
        (("name",), True, "name", "true is not a text"),
        (("identifiers",), ..., "", "identifiers is missing"),
        (("identifiers",), {}, "identifiers", "primary is missing"),
        (("identifiers", "primary"), "mileage", "identifiers", "tracking field"),
        (("identifiers", "secondary"), ["vin"], "identifiers.secondary", "primary identifier"),
        (("identifiers", "secondary"), ["a", "a"], "identifiers.secondary[1]", "twice"),
        (("trackingField",), [], "trackingField", "no member"),
        (("trackingFields",), {}, "trackingFields", "not a list"),
        (("trackingFields", 1, "type"), "numbr", "trackingFields[1].type", "no type 'numbr'"),
        (("trackingFields", 1, "type"), ..., "trackingFields[1]", "type is missing"),
        (("trackingFields", 1, "name"), "9x", "trackingFields[1].name", "cannot be a name"),
        (("trackingFields", 1, "name"), "twin", "trackingFields[1].name", "reserved"),
        (("trackingFields", 1, "name"), "location", "trackingFields[1].name", "already"),
        (("trackingFields", 0, "unit"), "m", "trackingFields[0].unit", "has no unit"),
        (("trackingFields", 0, "name"), "events", "trackingFields[0].name", "no stream"),
        (("trackingFields", 1, "min"), "low", "trackingFields[1].min", "not a number"),
        (("trackingFields", 1, "min"), float("nan"), "trackingFields[1].min", "not a number"),
        (("trackingFields", 1, "max"), True, "trackingFields[1].max", "true is not a number"),
        (
            ("trackingFields", 1, "quality"),
            {"min": 5, "max": 1},
            "trackingFields[1].quality.min",
            "",
        ),
        (("trackingFields", 1, "values"), ["a"], "trackingFields[1].values", "only type enum"),
        (("trackingFields", 1, "unitt"), "m", "trackingFields[1].unitt", "no member"),
        (("trackingFields", 1, "ownUnit"), "yes", "trackingFields[1].ownUnit", "not true or false"),
        (("eventTypes",), ["a", "a"], "eventTypes[1]", "twice"),
        (("eventTypes",), [7], "eventTypes[0]", "not a text"),
        (("linkVerbs",), "a", "linkVerbs", "not a list"),
        (("linkVerbs",), ["a", "a"], "linkVerbs[1]", "twice"),
        (("linkVerbs",), ["Made-by"], "linkVerbs[0]", "'Made-by' is not a verb of links"),
        (("linkVerbs",), ["part"], "linkVerbs[0]", "all twins have part"),
        (("trustedIssuers",), "did:a:b", "trustedIssuers", "not a list"),
        (("trustedIssuers",), [7], "trustedIssuers[0]", "not a text"),
        (("trustedIssuers",), ["UL"], "trustedIssuers[0]", "not an issuer"),
        (("trustedIssuers",), ["did:a:b", "did:a:b"], "trustedIssuers[1]", "twice"),
        (("states", "initial"), "nowhere", "states.initial", "no transition"),
        (("states", "initial"), ..., "states", "initial is missing"),
        (("states", "transitions"), ..., "states", "transitions is missing"),
        (("states", "transitions", 0, "to"), ..., "states.transitions[0]", "to is missing"),
        (
            ("states", "conditions", "complete"),
            "mileage >",
            "states.conditions.complete",
            "character",
        ),
        (("stages",), [], "stages", "no stage"),
        (("schedules", "oil"), {}, "schedules.oil", "every is missing"),
        (("schedules", "oil"), 5, "schedules.oil", "not a text"),
        (("schedules", "oil"), [], "schedules.oil", "0 periods"),
        (("schedules", "oil"), ["yearly", "often"], "schedules.oil[1]", "not a schedule"),
        (("schedules", "oil", "every"), "bi-annually", "schedules.oil.every", "every 2 years"),
        (("schedules", "oil", "of"), 5, "schedules.oil.of", "not a text"),
        (("schedules", "oil", "of"), "mileage.x", "schedules.oil.of", "has no parts"),
        (("schedules", "oil", "of"), "location", "schedules.oil.of", "of type coordinates"),
        (("view", "card"), "vin", "view.card", "not a list"),
        (("facts", 0, "values"), [], "facts[0].values", "no value"),
        (("facts", 0, "values"), ..., "facts[0]", "values is missing"),
        (("facts", 0, "access"), "secret", "facts[0].access", "not an access"),
        (("facts", 0, "access"), ["public"], "facts[0].access", "not an access"),
        (("facts", 0, "name"), "mileage", "facts", "tracking field"),
        (("workflows",), ["x"], "workflows[0]", "not an object"),
        (("additionalFields",), "no", "additionalFields", "not true or false"),
    ],
)
def test_what_is_said_of_a_fault(where: tuple[Any, ...], value: Any, path: str, part: str) -> None:
    document = copy.deepcopy(GUARDED)
    place: Any = document
    for step in where[:-1]:
        place = place[step]
    if value is ...:
        del place[where[-1]]
    else:
        place[where[-1]] = value
    found = template.faults(document)
    assert [fault.where for fault in found][:1] == [path]
    assert part in found[0].message
    assert found[0].right
    with pytest.raises(InvalidError) as caught:
        template.read(document)
    assert caught.value.code == "invalid_template"
    assert path in caught.value.message


@pytest.mark.parametrize(
    ("path", "value", "part"),
    [
        (("view", "card"), ["x"] * 1001, "1001 items"),
        (("name",), "x" * 2001, "2001 characters"),
        (("identifiers",), "vin", "not an object"),
        (("states",), [], "not an object"),
        (("states", "transitions"), {}, "not a list"),
        (("states", "transitions"), ["x"], "not an object"),
        (("states", "transitions", 0, "conditions"), [], "not an object"),
        (("states", "transitions", 1, "to"), "9", "cannot be a name"),
        (("states", "transitions", 1), {"from": "manufacturing", "to": "testing"}, "twice"),
        (("states", "conditions"), [], "not an object"),
        (("states", "conditions", "complete"), 5, "not a text"),
        (("schedules",), [], "not an object"),
        (("schedules", "oil", "types"), "oil", "not a list"),
        (("view",), [], "not an object"),
        (("view", "title"), 5, "not a text"),
        (("facts", 1, "fields"), {}, "not a list"),
        (("facts", 1, "fields", 0, "realTime"), True, "only a whole field"),
        (("facts", 0, "values"), ["a", "a"], "twice"),
        (("facts", 0, "values"), "a", "not a list"),
        (("facts", 0), "color", "not an object"),
        (("facts", 0, "name"), ..., "name is missing"),
        (("facts", 2, "items"), "text", "not an object"),
        (("trackingFields", 1, "ownUnit"), True, None),
        (("trackingFields", 2, "ownUnit"), True, "there is no unit"),
        (("trackingFields", 1, "description"), "miles driven", None),
        (("description"), "a car", None),
    ],
)
def test_neighbours_of_those_faults(path: Any, value: Any, part: str | None) -> None:
    document = copy.deepcopy(GUARDED)
    path = (path,) if isinstance(path, str) else path
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    found = template.faults(document)
    if part is None:
        assert found == []
    else:
        assert any(part in fault.message for fault in found), found


def test_near_words_are_named() -> None:
    assert (
        "did you mean trackingFields?" in template.faults({**VEHICLE, "trackingfield": []})[0].right
    )


@pytest.mark.parametrize("document", [None, [], "x", 5, {}, {"id": []}, {"identifiers": []}])
def test_no_template_at_all(document: Any) -> None:
    assert template.faults(document)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.data())
def test_any_change_is_valid_or_named(data: st.DataObject) -> None:
    document: Any = copy.deepcopy(GUARDED)
    place: Any = document
    while True:
        step = data.draw(
            st.sampled_from(list(place) if isinstance(place, dict) else range(len(place)))
        )
        inner = place[step]
        if isinstance(inner, (dict, list)) and inner and data.draw(st.booleans()):
            place = inner
            continue
        place[step] = data.draw(json_values)
        break
    found = template.faults(document)
    if not found:
        template.read(document)
    for fault in found:
        assert fault.message
        assert fault.right


def test_ids() -> None:
    assert template.family("vehicle-tracking-v12") == "vehicle-tracking"
    assert template.version("vehicle-tracking-v12") == 12
    for bad in (
        "",
        "-v1",
        "a-v",
        "a-vx",
        "a-v01",
        "a b-v1",
        "a_b-v1",
        "a--v1",
        "é-v1",
        "a" * 70 + "-v1",
        5,
    ):
        assert not template.is_id(bad), bad
    for good in ("a-v1", "vehicle-tracking-v1", "A2-v10"):
        assert template.is_id(good), good


def test_size_is_bounded() -> None:
    many = [
        {
            "name": f"f{n}",
            "type": "object",
            "fields": [{"name": f"g{m}", "type": "text"} for m in range(40)],
        }
        for n in range(40)
    ]
    assert any(
        "too many fields" in fault.message for fault in template.faults({**VEHICLE, "facts": many})
    )
    deep: dict[str, Any] = {"type": "text"}
    for _ in range(20):
        deep = {"type": "list", "items": deep}
    found = template.faults({**VEHICLE, "facts": [{"name": "deep", **deep}]})
    assert "nests deeper" in found[0].message


@pytest.mark.parametrize(
    "document",
    [
        {f"key{at}": 1 for at in range(50_000)},
        {"eventTypes": [None] * 1000},
        {"schedules": {f"key {at}": 1 for at in range(50_000)}},
    ],
)
def test_a_file_that_is_something_else_has_few_faults(document: dict[str, Any]) -> None:
    assert len(template.faults(document)) == template.MAX_FAULTS


@pytest.mark.parametrize("value", [[], {}, {"format": "another"}, {"format": None}])
def test_bytes_of_another_version_are_refused(value: Any) -> None:
    with pytest.raises(InvalidError, match="another version") as caught:
        template.of_compiled(canonical.encode(value))
    assert caught.value.code == "invalid_template"


def test_conditions_see_what_is_recorded_and_fields_that_are_declared() -> None:
    move = {"from": "a", "to": "b", "conditions": {"required": ["ok"]}}
    states: dict[str, Any] = {"initial": "a", "transitions": [move]}
    document = {
        "id": "seen-v1",
        "name": "Seen",
        "assetType": "x",
        "category": "x",
        "identifiers": {"primary": "assetId"},
    }
    good = "events has tested and certificates has UL-1 and stages has sold and facts.x = 1"
    for text, found in ((good, []), ("state.x = 1", []), ("hours > 5", ["states.conditions.ok"])):
        states["conditions"] = {"ok": text}
        faults = template.faults({**document, "states": states})
        assert [fault.where for fault in faults] == found


def test_a_field_is_found_at_its_path() -> None:
    known = template.read(GUARDED)
    assert known.field_at(("mileage",)) == known.fields["mileage"]
    size = known.facts["size"]
    assert size.fields is not None
    assert known.field_at(("size", "x")) == size.fields["x"]
    for path in ((), ("no",), ("no", "x"), ("size", "y"), ("color", "x")):
        assert known.field_at(path) is None
