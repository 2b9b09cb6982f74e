"""The model of a twin as a DTDL interface, version 3.

DTDL describes kinds of twins, so the values of this one are not in it. Names that DTDL does not
allow are changed, and the name as it was becomes the display name.

Source: https://github.com/Azure/opendigitaltwins-dtdl (DTDL.v3.md).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from twincli.formats.twins.portrait import Loss, Portrait, Words, Written, line

if TYPE_CHECKING:
    from twincli.model.template import Field

_LONGEST_NAME: Final = 512
_LONGEST_TEXT: Final = 512
_DEEPEST: Final = 5
_MOST_CONTENTS: Final = 100_000

_TYPES = {
    "number": "double",
    "integer": "long",
    "text": "string",
    "boolean": "boolean",
    "datetime": "dateTime",
    "duration": "duration",
}


def write(found: Portrait) -> Written:
    """Return the interface that a twin is an instance of."""
    losses = [Loss("", "DTDL describes kinds of twins: the values of this one are left out")]
    words = Words(_LONGEST_NAME)
    contents: list[dict[str, Any]] = []
    for name, value, field, changes in found.members():
        schema = _of_field(field, 1) if field is not None else _of_value(value, 1)
        if schema is None:
            losses.append(Loss(name, "a value of this kind has no schema in DTDL"))
            continue
        streamed = name in found.streams or (field is not None and field.real_time)
        content = {
            "@type": "Telemetry" if streamed else "Property",
            "name": words.name(name),
            "schema": schema,
        }
        if content["name"] != name:
            content["displayName"] = line(name, _LONGEST_TEXT)
        notes = []
        if field is not None and field.unit is not None:
            notes.append(f"unit: {field.unit}")
        if not changes:
            notes.append("does not change")
        if notes:
            content["comment"] = line("; ".join(notes), _LONGEST_TEXT)
        contents.append(content)
    if found.present_parts():
        contents.append({"@type": "Relationship", "name": words.name("part")})
    document: dict[str, Any] = {
        "@context": "dtmi:dtdl:context;3",
        "@id": _identifier(found),
        "@type": "Interface",
        "displayName": line(found.template or found.name, _LONGEST_TEXT),
        "contents": contents,
    }
    return Written(document, tuple(losses))


def _identifier(found: Portrait) -> str:
    """Return the id of the model: of the template and its version, else of this twin alone."""
    named, version = found.template, "1"
    if named is None:
        return f"dtmi:twincli:asset:a{found.id};1"
    versioned = re.fullmatch(r"(.+)-v([1-9][0-9]{0,8})", named)
    if versioned is not None:
        named, version = versioned.groups()
    return f"dtmi:twincli:{Words(100).name(named)};{version}"


def _of_field(field: Field, depth: int) -> Any:
    if field.type in _TYPES:
        return _TYPES[field.type]
    if field.type == "enum":
        words = Words(_LONGEST_NAME)
        return {
            "@type": "Enum",
            "valueSchema": "string",
            "enumValues": [
                {"name": words.name(value), "enumValue": value} for value in field.values
            ],
        }
    if depth >= _DEEPEST:
        return None
    if field.type == "coordinates":
        return _object([("latitude", "double"), ("longitude", "double")])
    if field.type == "list":
        inner = None if field.items is None else _of_field(field.items, depth + 1)
        return None if inner is None else {"@type": "Array", "elementSchema": inner}
    parts = [(name, _of_field(part, depth + 1)) for name, part in (field.fields or {}).items()]
    return _object(parts)


def _of_value(value: Any, depth: int) -> Any:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "long"
    if isinstance(value, float):
        return "double"
    if isinstance(value, str):
        return "string"
    if depth >= _DEEPEST:
        return None
    if isinstance(value, list):
        inner = [_of_value(item, depth + 1) for item in value]
        if not inner or inner[0] is None or any(item != inner[0] for item in inner):
            return None
        return {"@type": "Array", "elementSchema": inner[0]}
    if isinstance(value, dict):
        return _object([(name, _of_value(part, depth + 1)) for name, part in value.items()])
    return None


def _object(parts: list[tuple[str, Any]]) -> Any:
    words = Words(_LONGEST_NAME)
    fields = [
        {"name": words.name(name), "schema": schema} for name, schema in parts if schema is not None
    ]
    return {"@type": "Object", "fields": fields} if fields else None
