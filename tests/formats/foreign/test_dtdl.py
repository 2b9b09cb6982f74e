"""DTDL interfaces: the specification's own cases, and what becomes of each part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.changed import VALUES, changed
from twincli.errors import InvalidError, UsageError, place
from twincli.formats.foreign import dtdl
from twincli.model import template

VECTORS = Path(__file__).parents[2] / "vectors"
CASES = json.loads((VECTORS / "dtdl_spec_cases.json").read_text())["cases"]
MODELS = json.loads((VECTORS / "twin_models.json").read_text())["models"]
THERMOSTAT, CONTROLLER = MODELS[0]["document"], MODELS[1]["document"]

# What each invalid case is refused for: a part of the message.
REASONS = {
    "DescriptionLangString": "not a text, nor texts",
    "DisplayNameLangString": "not a text, nor texts",
    "CommentString#": "not a text of at most 512",
    "CommentStringLength": "not a text of at most 512",
    "IsDtmi": "",
    "Duplicate": "is defined twice",
    "WritableBoolean": "not true or false",
    "TermAndDtmi": "stands here twice",
    "InvalidKeywords": "the keyword",
    "NotDtmiNorTerm": "neither a term nor a DTMI",
    "IdNotArray": "not a DTMI",
    "RequiredProperties": "the @type is missing",
    "DependentReference": "is not in this file",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"].rpartition("/")[2])
def test_a_case_of_the_specification(case: dict[str, Any]) -> None:
    if case["valid"]:
        made = dtdl.read(case["input"])
        assert template.faults(made.document) == []
        assert made.origin == case["input"][0]["@id"]
        return
    with pytest.raises(InvalidError) as caught:
        dtdl.read(case["input"])
    assert caught.value.code == "invalid_model"
    for part, reason in REASONS.items():
        if part.rstrip("#") in case["file"]:
            assert reason in caught.value.message


def interface(*contents: Any, version: int = 3, name: str = "A", **more: Any) -> dict[str, Any]:
    return {
        "@context": [
            f"dtmi:dtdl:context;{version}",
            *([f"dtmi:dtdl:extension:quantitativeTypes;{version - 2}"] if version > 2 else []),
        ],
        "@id": f"dtmi:ex:{name};1",
        "@type": "Interface",
        "contents": list(contents),
        **more,
    }


def prop(schema: Any, name: str = "p", also: str = "", **more: Any) -> dict[str, Any]:
    return {"@type": ["Property", *also.split()], "name": name, "schema": schema, **more}


def made(*contents: Any, **more: Any) -> tuple[list[dict[str, Any]], dict[str, str]]:
    found = dtdl.read(interface(*contents, **more))
    return found.document.get("trackingFields", []), {
        place(loss.path): loss.what for loss in found.losses
    }


def test_the_thermostat() -> None:
    found = dtdl.read(THERMOSTAT)
    assert found.document["id"] == "com-example-thermostat-v1"
    assert found.document["origin"] == "dtmi:com:example:Thermostat;1"
    fields = {field["name"]: field for field in found.document["trackingFields"]}
    assert fields["temperature"]["unit"] == "C"
    assert fields["temperature"]["realTime"] is True
    assert "realTime" not in fields["targetTemperature"]
    lost = {place(loss.path) for loss in found.losses}
    assert {"contents[1].writable", "contents[3]", "contents[0].@type", "@id"} <= lost


def test_components_with_their_interface_in_the_file_and_without() -> None:
    found = dtdl.read([CONTROLLER, THERMOSTAT])
    fields = {field["name"]: field for field in found.document["trackingFields"]}
    inner = [part["name"] for part in fields["thermostat1"]["fields"]]
    assert inner == ["temperature", "targetTemperature", "maxTempSinceLastReboot"]
    assert "fields" not in fields["deviceInformation"]
    lost = {place(loss.path): loss.why for loss in found.losses}
    assert "not in this file" in lost["[0].contents[5].schema"]
    # The list's other way round is the same template.
    assert dtdl.read([THERMOSTAT, CONTROLLER]).document == found.document
    assert dtdl.read([CONTROLLER, THERMOSTAT], "dtmi:com:example:Thermostat;1").document == (
        dtdl.read(THERMOSTAT).document
    )


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ("boolean", {"type": "boolean"}),
        ("date", {"type": "datetime"}),
        ("long", {"type": "integer"}),
        ("duration", {"type": "text"}),
        ("point", {"type": "coordinates"}),
        ("polygon", {"type": "object"}),
        ("unsignedByte", {"type": "integer", "min": 0, "max": 255}),
        ("unsignedLong", {"type": "integer", "min": 0}),
        ("bytes", {"type": "text"}),
        (
            {"@type": "Array", "elementSchema": "double"},
            {"type": "list", "items": {"type": "number"}},
        ),
        (
            {
                "@type": "Map",
                "mapKey": {"name": "k", "schema": "string"},
                "mapValue": {"name": "v", "schema": "double"},
            },
            {"type": "object"},
        ),
        (
            {"@type": "Object", "fields": [{"name": "x", "schema": "double"}]},
            {"type": "object", "fields": [{"name": "x", "type": "number"}]},
        ),
        (
            {
                "@type": "Enum",
                "valueSchema": "string",
                "enumValues": [{"name": "a", "enumValue": "An"}, {"name": "b", "enumValue": "Aus"}],
            },
            {"type": "enum", "values": ["An", "Aus"]},
        ),
        (
            {
                "@type": "Enum",
                "valueSchema": "integer",
                "enumValues": [{"name": "a", "enumValue": 1}, {"name": "b", "enumValue": 2}],
            },
            {"type": "enum", "values": ["a", "b"]},
        ),
        ({"@type": "Enum", "valueSchema": "string", "enumValues": []}, {"type": "text"}),
    ],
)
def test_schemas(schema: Any, field: dict[str, Any]) -> None:
    (found,), _ = made(prop(schema), version=4)
    assert found == {"name": "p", **field}


def test_what_is_narrower_here_or_there_is_reported() -> None:
    for schema in ("date", "time", "duration", "bytes", "uuid", "decimal", "unsignedLong", "point"):
        _, lost = made(prop(schema), version=4)
        assert "contents[0].schema" in lost, schema


def test_units_are_our_own_words() -> None:
    for unit, ours in (
        ("degreeCelsius", {"unit": "C"}),
        ("kilometrePerHour", {"unit": "km/h"}),
        ("pound", {"unit": "lbf"}),
        ("unity", {}),
        ("dtmi:standard:unit:percent;2", {"unit": "%"}),
        ("decibel", {"unit": "decibel", "ownUnit": True}),
    ):
        (field,), _ = made(prop("double", "p", "Velocity", unit=unit))
        assert {key: field[key] for key in ("unit", "ownUnit") if key in field} == ours, unit
    array = {"@type": "Array", "elementSchema": "double"}
    (field,), _ = made(prop(array, unit="metre"))
    assert field["items"] == {"type": "number", "unit": "m"}
    _, lost = made(prop("string", unit="metre"))
    assert "contents[0].unit" in lost


def test_commands_relationships_and_extensions_are_reported() -> None:
    _, lost = made(
        {"@type": "Command", "name": "go"},
        {"@type": "Relationship", "name": "near", "target": "dtmi:ex:B;1"},
        prop("double", comment="why"),
    )
    assert set(lost) == {"contents[0]", "contents[1]", "contents[2].comment", "@id"}
    model = interface(prop("double", foo=1))
    model["@context"].append("dtmi:ex:mine;1")
    assert "contents[0].foo" in {place(loss.path) for loss in dtdl.read(model).losses}
    named = interface(prop("double", displayName={"de": "Druck", "en": "Pressure", "fr": "x"}))
    found = dtdl.read(named)
    assert found.document["trackingFields"][0]["label"] == "Pressure"
    assert "de, fr" in next(loss.what for loss in found.losses if "displayName" in loss.path)


def test_names_that_a_template_does_not_take() -> None:
    fields, lost = made(prop("double", "twin"), prop("double", "x" * 70), prop("double", "twin_x"))
    names = [field["name"] for field in fields]
    assert names[0] == "twin_"
    assert len(names[1]) == 64
    assert names[2] == "twin_x"
    assert {"contents[0].name", "contents[1].name"} <= set(lost)
    (field,), lost = made({"@type": "Telemetry", "name": "events", "schema": "double"})
    assert "realTime" not in field
    assert "contents[0]" in lost


def test_inheritance() -> None:
    base = interface(prop("double", "b"), name="Base", extends="dtmi:ex:Root;1")
    root = interface(prop("double", "r"), name="Root")
    other = interface(prop("double", "o"), name="Other", extends=["dtmi:ex:Root;1"])
    top = interface(prop("double", "t"), extends=["dtmi:ex:Base;1", "dtmi:ex:Other;1"])
    found = dtdl.read([top, base, other, root])
    assert [field["name"] for field in found.document["trackingFields"]] == ["r", "b", "o", "t"]
    clash = interface(prop("double", "r"), extends="dtmi:ex:Root;1")
    with pytest.raises(InvalidError, match="extended"):
        dtdl.read([clash, root])
    with pytest.raises(InvalidError, match=r"dtmi:ex:Root;1' is not in this file"):
        dtdl.read(clash)


def component(name: str, of: str) -> dict[str, Any]:
    return {"@type": "Component", "name": name, "schema": f"dtmi:ex:{of};1"}


@pytest.mark.parametrize(
    ("models", "part"),
    [
        ([interface(extends="dtmi:ex:A;1")], "circle|part of another"),
        ([interface(name="T", extends="dtmi:ex:A;1"), interface(extends="dtmi:ex:A;1")], "itself"),
        ([interface(name="T", extends="dtmi:ex:A;1"), interface(component("c", "A"))], "itself"),
        (
            [
                interface(name="T", extends="dtmi:ex:A;1"),
                interface(name="A", extends="dtmi:ex:B;1"),
                interface(name="B", extends="dtmi:ex:A;1"),
            ],
            "itself",
        ),
        (
            [
                interface(
                    prop("dtmi:ex:o;1"),
                    schemas=[
                        {
                            "@id": "dtmi:ex:o;1",
                            "@type": "Object",
                            "fields": [{"name": "x", "schema": "dtmi:ex:o;1"}],
                        }
                    ],
                )
            ],
            "itself",
        ),
        ([interface(prop("double"), prop("double"))], "twice"),
        ([interface(), interface()], "defined twice"),
        ([interface(prop("nothing"))], "no schema"),
        ([interface(prop("byte"))], "no schema"),
        (
            [{"@context": "dtmi:dtdl:context;1", "@id": "dtmi:ex:A;1", "@type": "Interface"}],
            "context",
        ),
        ([3], "not an interface"),
        ([], "0 interfaces"),
        ([interface(prop({"@type": "Enum", "valueSchema": "double"}))], "integer or string"),
        ([interface(maxMultiplicity=1)], "no property"),
        ([interface({"@type": "Relationship", "name": "r", "maxMultiplicity": -1})], "not a count"),
        ([interface({"@type": "Command", "name": "r", "commandType": "slow"})], "commandType"),
        ([interface(prop("double", "p", "Temperature X"))], "no type"),
    ],
)
def test_what_is_refused(models: list[Any], part: str) -> None:
    with pytest.raises(InvalidError, match=part) as caught:
        dtdl.read(models)
    assert caught.value.code == "invalid_model"


def test_of_several_models_one_is_chosen() -> None:
    with pytest.raises(UsageError) as caught:
        dtdl.read([interface(), interface(name="B")])
    assert "dtmi:ex:A;1, dtmi:ex:B;1" in str(caught.value.hint)
    assert dtdl.read([interface(), interface(name="B")], "dtmi:ex:B;1").document["id"] == "ex-b-v1"
    with pytest.raises(UsageError, match="no interface"):
        dtdl.read([interface(), interface(name="B")], "dtmi:ex:C;1")


def test_what_grows_is_bounded() -> None:
    # Each interface has two components of the next one: 2 to the 30th of the last.
    models = [
        interface(component("a", f"I{at + 1}"), component("b", f"I{at + 1}"), name=f"I{at}")
        for at in range(30)
    ]
    found = dtdl.read([*models, interface(prop("double"), name="I30")])
    assert any("free" in loss.why for loss in found.losses)
    wide = interface(*(prop("double", f"p{at}") for at in range(1001)))
    with pytest.raises(InvalidError, match="more than 1000 fields"):
        dtdl.read(wide)
    deep: Any = "double"
    for _ in range(40):
        deep = {"@type": "Array", "elementSchema": deep}
    assert "free" in {
        loss.why.partition(":")[0] for loss in dtdl.read(interface(prop(deep))).losses
    }
    for _ in range(70):
        deep = {"@type": "Array", "elementSchema": deep}
    with pytest.raises(InvalidError, match="nests deeper"):
        dtdl.read(interface(prop(deep)))
    commands = [{"@type": "Command", "name": f"c{at}"} for at in range(10_001)]
    with pytest.raises(InvalidError, match="more than 10000 things"):
        dtdl.read(interface(*commands))


def test_ids_are_near_and_the_same_each_time() -> None:
    for foreign, ours in (
        ("dtmi:com:example:Thermostat;1", "com-example-thermostat-v1"),
        ("dtmi:com:HTTPServer2;12", "com-httpserver2-v12"),
        ("dtmi:a:b_c;3", "a-b-c-v3"),
    ):
        assert dtdl.read({**interface(), "@id": foreign}).document["id"] == ours
    long = f"dtmi:{':'.join(['segment'] * 15)}:Pump;1"
    first = dtdl.read({**interface(), "@id": long}).document["id"]
    other = dtdl.read({**interface(), "@id": long.replace("dtmi:", "dtmi:x:")}).document["id"]
    assert len(first) <= 64
    assert first != other
    assert first == dtdl.read({**interface(), "@id": long}).document["id"]


@given(st.data())
def test_a_changed_model_is_read_or_refused(data: st.DataObject) -> None:
    odd = st.sampled_from([THERMOSTAT["@id"], "double", "Object", ["Map"], {"@id": "x"}])
    models = [CONTROLLER, THERMOSTAT, *CASES[0]["input"]]
    document = changed(data, models, VALUES | odd)
    try:
        found = dtdl.read(document, THERMOSTAT["@id"])
    except (InvalidError, UsageError):
        return
    assert template.faults(found.document) == []
