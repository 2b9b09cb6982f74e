"""A twin as a Thing Description of the Web of Things, 1.1.

Facts are constants, what changes are properties to be read. Forms name the value by a DID URL: the
ledger is where it is read, not a server of the thing.

Source: https://www.w3.org/TR/wot-thing-description11/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from twincli.formats.twins.portrait import MAX_NESTING, Loss, Portrait, Written

if TYPE_CHECKING:
    from twincli.model.template import Field

_TYPES = {
    "number": "number",
    "integer": "integer",
    "text": "string",
    "boolean": "boolean",
    "datetime": "string",
    "duration": "string",
    "enum": "string",
    "coordinates": "object",
    "object": "object",
    "list": "array",
}


def write(found: Portrait) -> Written:
    """Return a twin as a Thing Description."""
    losses: list[Loss] = []
    properties: dict[str, Any] = {}
    for name, value, field, changes in found.members():
        schema = _of_field(field) if field is not None else _of_value(value, 0)
        affordance = {
            **schema,
            "readOnly": True,
            "observable": name in found.streams,
            "forms": [_form(found, name, "readproperty")],
        }
        if not changes:
            affordance["const"] = value
        elif value is not None:
            affordance["twin:value"] = value
        properties[name] = affordance
    events = {
        name: {"data": {"type": "object"}, "forms": [_form(found, name, "subscribeevent")]}
        for name in found.events
    }
    if found.happenings:
        losses.append(Loss("history", "a Thing Description says what a thing is, not what was"))
    document: dict[str, Any] = {
        "@context": [
            "https://www.w3.org/2022/wot/td/v1.1",
            {"twin": "urn:x-twincli:wot:"},
        ],
        "id": found.did,
        "title": found.name,
        "securityDefinitions": {"nosec_sc": {"scheme": "nosec"}},
        "security": "nosec_sc",
        "created": found.created,
        "modified": found.changed,
        "twin:owners": list(found.owners),
        "properties": properties,
    }
    if found.template is not None:
        document["twin:template"] = found.template
    if found.kind is not None:
        document["twin:kind"] = found.kind
    if events:
        document["events"] = events
    parts = found.present_parts()
    if parts:
        document["links"] = [
            {"href": part, "rel": "item", "type": "application/td+json"} for part in parts
        ]
    return Written(document, tuple(losses))


def _form(found: Portrait, name: str, operation: str) -> dict[str, str]:
    return {
        "href": f"{found.did}#{quote(name, safe='')}",
        "contentType": "application/json",
        "op": operation,
    }


def _of_field(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _TYPES[field.type]}
    if field.unit is not None:
        schema["unit"] = field.unit
    if field.type in {"number", "integer"}:
        if field.low is not None:
            schema["minimum"] = field.low
        if field.high is not None:
            schema["maximum"] = field.high
    elif field.type == "datetime":
        schema["format"] = "date-time"
    elif field.type == "duration":
        schema["format"] = "duration"
    elif field.type == "enum":
        schema["enum"] = list(field.values)
    elif field.type == "coordinates":
        schema["properties"] = {
            "latitude": {"type": "number", "minimum": -90, "maximum": 90},
            "longitude": {"type": "number", "minimum": -180, "maximum": 180},
        }
    elif field.fields:
        schema["properties"] = {name: _of_field(part) for name, part in field.fields.items()}
    elif field.items is not None:
        schema["items"] = _of_field(field.items)
    return schema


def _of_value(value: Any, depth: int) -> dict[str, Any]:
    """Return the schema of a value that no template describes."""
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int):
        return {"type": "integer"}
    if isinstance(value, float):
        return {"type": "number"}
    if isinstance(value, str):
        return {"type": "string"}
    if isinstance(value, list):
        return {"type": "array"}
    if isinstance(value, dict):
        if depth >= MAX_NESTING:
            return {"type": "object"}
        parts = {name: _of_value(part, depth + 1) for name, part in value.items()}
        return {"type": "object", "properties": parts}
    return {"type": "null"}
