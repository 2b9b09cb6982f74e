"""Thing Descriptions and Thing Models, compared with the schema of the W3C."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from twincli.errors import InvalidError, place
from twincli.formats.foreign import wot
from twincli.formats.foreign.draft import Imported
from twincli.model import template

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "twin_models.json").read_text())
BASIC, COMPLEX = (VECTORS["models"][at]["document"] for at in (2, 3))
SCHEMA = jsonschema_rs.Draft7Validator(VECTORS["wot_td_1_1_json_schema"])
TEXT: Any = {"type": "string"}
FORMS = [{"href": "https://x.example/p"}]


def thing(*, is_model: bool = False, **properties: Any) -> dict[str, Any]:
    if is_model:
        return {
            "@context": "https://www.w3.org/2022/wot/td/v1.1",
            "@type": "tm:ThingModel",
            "title": "Lamp",
            "properties": properties,
        }
    return {
        "@context": "https://www.w3.org/2022/wot/td/v1.1",
        "title": "Lamp",
        "security": "none",
        "securityDefinitions": {"none": {"scheme": "nosec"}},
        "properties": {name: {"forms": FORMS, **item} for name, item in properties.items()},
    }


def one(**schema: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the field that a schema makes, and what was lost."""
    found = wot.read(thing(p=schema))
    fields = found.document.get("trackingFields") or [{}]
    return fields[0], lost(found)


def lost(found: Imported) -> dict[str, str]:
    return {place(loss.path): loss.why for loss in found.losses}


def test_the_samples() -> None:
    found = wot.read(BASIC)
    assert found.document["id"] == "my-lamp-thing-v1"
    assert found.document["origin"] == BASIC["id"]
    assert found.document["eventTypes"] == ["overheating"]
    found = wot.read(COMPLEX)
    status, brightness, rgb = found.document["trackingFields"]
    assert status["values"] == ["on_value", "off_value", "error_value"]
    assert (brightness["min"], brightness["max"]) == (0, 100)
    assert rgb["items"] == {"type": "number", "min": 0, "max": 255}
    assert {"actions.toggle", "properties.rgb.maxItems", "security"} <= set(lost(found))


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"type": "boolean"}, {"type": "boolean"}),
        ({"type": "string", "format": "date-time"}, {"type": "datetime"}),
        ({"type": "number", "unit": "%"}, {"type": "number", "unit": "%"}),
        (
            {"type": "number", "unit": "wobbles"},
            {"type": "number", "unit": "wobbles", "ownUnit": True},
        ),
        ({"type": "integer", "observable": True}, {"type": "integer", "realTime": True}),
        ({"enum": ["a", "b"]}, {"type": "enum", "values": ["a", "b"]}),
        ({"type": "integer", "enum": [1, 2]}, {"type": "integer"}),
        ({"type": "array", "items": [{"type": "string"}, {"type": "number"}]}, {"type": "list"}),
        ({"type": "array"}, {"type": "list"}),
        ({"minimum": 1}, {"type": "number", "min": 1}),
        ({"const": "x"}, {"type": "text"}),
        ({"type": "number", "minimum": 2, "maximum": 1}, {"type": "number"}),
        (
            {
                "properties": {"x": {"type": "number"}, "y": {"type": "string"}},
                "required": ["x"],
                "additionalProperties": False,
            },
            {
                "type": "object",
                "fields": [
                    {"name": "x", "type": "number", "required": True},
                    {"name": "y", "type": "text"},
                ],
            },
        ),
        (
            {"type": "object", "properties": {"x": {"type": "number"}}},
            {
                "type": "object",
                "fields": [{"name": "x", "type": "number"}],
                "additionalFields": True,
            },
        ),
        (
            {"type": "string", "title": "T", "description": "D"},
            {"label": "T", "description": "D", "type": "text"},
        ),
        ({"type": "string", "titles": {"de": "X", "en": "T"}}, {"label": "T", "type": "text"}),
    ],
)
def test_schemas(schema: dict[str, Any], field: dict[str, Any]) -> None:
    found, _ = one(**schema)
    assert found == {"name": "p", **field}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "string", "pattern": "x"}, "properties.p.pattern"),
        ({"type": "number", "exclusiveMinimum": 1}, "properties.p.exclusiveMinimum"),
        ({"type": "number", "readOnly": True}, "properties.p.readOnly"),
        ({"type": "string", "format": "date"}, "properties.p.format"),
        ({"type": "null"}, "properties.p"),
        ({}, "properties.p"),
        ({"oneOf": [{"type": "string"}]}, "properties.p"),
        ({"type": "string", "my:thing": 1}, "properties.p.my:thing"),
        ({"type": "object", "observable": True}, "properties.p.forms"),
        ({"type": "string", "unit": "km"}, "properties.p.unit"),
        ({"type": "string", "title": "T", "titles": {"de": "X"}}, "properties.p.titles"),
    ],
)
def test_what_is_reported(schema: dict[str, Any], path: str) -> None:
    assert path in one(**schema)[1]


def test_thing_models() -> None:
    model = thing(
        is_model=True,
        base={"type": "number", "unit": "C", "maximum": 9, "title": "T"},
        mine={"tm:ref": "#/properties/base", "maximum": 5, "title": None},
        far={"tm:ref": "http://x.example/m#/properties/p", "type": "string"},
        open={"type": "number", "maximum": "{{MAX}}"},
    )
    model |= {"version": {"model": "2.1"}, "tm:optional": ["/properties/far"]}
    found = wot.read(model)
    fields = {field["name"]: field for field in found.document["trackingFields"]}
    assert fields["mine"] == {"name": "mine", "type": "number", "unit": "C", "max": 5}
    assert fields["far"]["type"] == "text"
    assert "max" not in fields["open"]
    assert found.document["id"] == "lamp-v2"
    gone = lost(found)
    assert {"properties.far.tm:ref", "properties.open.maximum", "tm:optional", "version"} <= set(
        gone
    )


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"title": None}, "title"),
        ({"security": []}, "security"),
        ({"@context": "x"}, "context"),
        ({"properties": []}, "properties"),
        ({"properties": {"p": {"type": "string"}}}, "forms are missing"),
        ({"properties": {"p": 3}}, "properties.p"),
        ({"id": 3}, "id"),
        ({"version": 3}, "version"),
        ({"properties": {"p": {"forms": FORMS, "type": "float"}}}, "no type 'float'"),
        ({"properties": {"p": {"forms": FORMS, "type": "number", "minimum": "1"}}}, "minimum"),
        ({"properties": {"p": {"forms": FORMS, "type": "number", "unit": 1}}}, "unit"),
        ({"properties": {"p": {"forms": FORMS, "type": "object", "properties": 1}}}, "properties"),
        (
            {"properties": {"p": {"forms": FORMS, "properties": {"x": 1}}}},
            "properties.p.properties.x",
        ),
        (
            {"properties": {"p": {"forms": FORMS, "properties": {}, "required": 1}}},
            "required",
        ),
        ({"properties": {"p": {"forms": FORMS, "type": "string", "enum": 1}}}, "enum"),
        ({"properties": {"p": {"forms": FORMS, "tm:ref": "#/properties/p"}}}, "circle"),
        ({"properties": {"p": {"forms": FORMS, "tm:ref": "#/properties/q"}}}, "not in this file"),
        ({"properties": {"p": {"forms": FORMS, "tm:ref": 1}}}, "not a reference"),
        ({"descriptions": 3}, "descriptions"),
    ],
)
def test_what_is_refused(change: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidError) as caught:
        wot.read({**thing(), **change})
    assert caught.value.code == "invalid_model"
    assert part in caught.value.message
    with pytest.raises(InvalidError):
        wot.read([])


def test_names_and_growth() -> None:
    found = wot.read(thing(**dict.fromkeys(("a b", "9x"), TEXT)))
    assert [field["name"] for field in found.document["trackingFields"]] == ["a_b", "x"]
    base: dict[str, Any] = {"type": "number"}
    parts = {"p0": base}
    for at in range(1, 19):
        inner = {"tm:ref": f"#/properties/p{at - 1}"}
        parts[f"p{at}"] = {"type": "object", "properties": dict.fromkeys("abcdef", inner)}
    with pytest.raises(InvalidError, match="more than 1000 fields"):
        wot.read(thing(is_model=True, **parts))


VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    5,
    "",
    "x",
    [],
    {},
    "string",
    ["a"],
    {"type": "number"},
    FORMS,
)


def places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything that a document has in it."""
    for step in document if isinstance(document, dict) else range(len(document)):
        yield (*path, step)
        if isinstance(document[step], (dict, list)):
            yield from places(document[step], (*path, step))


def test_what_the_w3c_takes_is_read() -> None:
    for path in places(COMPLEX):
        if path[0] == "@context":  # the schema takes an empty one
            continue
        for value in VALUES:
            altered = copy.deepcopy(COMPLEX)
            inside(altered, *path[:-1])[path[-1]] = copy.deepcopy(value)
            is_read_if_valid(altered)
        shorter = copy.deepcopy(COMPLEX)
        del inside(shorter, *path[:-1])[path[-1]]
        is_read_if_valid(shorter)


def inside(document: Any, *path: Any) -> Any:
    for step in path:
        document = document[step]
    return document


def is_read_if_valid(document: Any) -> None:
    try:
        found = wot.read(document)
    except InvalidError:
        assert not SCHEMA.is_valid(document), document
        return
    assert template.faults(found.document) == []
