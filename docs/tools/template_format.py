"""The page of the template format, written from its JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import twincli

SCHEMA = Path(twincli.__file__).parent / "model" / "schemas" / "template-format.json"

INTRO = """\
# The template format

A template is a YAML or JSON file. This page lists every member; the [guide](../guide/templates.md)
explains how templates are used. `twin template new` writes one to begin with, `twin template check
FILE` says what is wrong with it, on which line, and what would be right.

Bold members are required. A *text* is not blank and has at most 2000 characters; a *name* begins
with a letter, goes on with letters, digits, `_` and `-`, has at most 64 characters, and is neither
`twin` nor `language`. A file has at most 1 MiB, a template at most 1000 fields, 8 deep. The format
is checked by rules between members, too; its JSON Schema is
[`template-format.json`](../../twincli/model/schemas/template-format.json).
"""

TYPES = {
    "number": ("a number", "`1250.5`, `'2000 km'`, `{value: 2000, unit: km}`"),
    "integer": ("a whole number of at most 64 bits", "`7`"),
    "text": ("a text", "`B-AB123`"),
    "boolean": ("true or false", "`true`"),
    "coordinates": (
        "a place on earth; altitude and accuracy may be added",
        "`{latitude: 52.5, longitude: 13.4}`, `[52.5, 13.4]`",
    ),
    "datetime": ("a date, or a time with its zone", "`2024-01-20`, `2024-01-20T09:00:00Z`"),
    "duration": ("a length of time: a number with a unit", "`90`, `'1.5 h'`"),
    "enum": ("one of `values`", "`running`"),
    "object": ("named parts; without `fields` any", "`{make: Caterpillar, year: 2020}`"),
    "list": ("several values; without `items` any", "`[0.1, 0.2]`"),
}
"""What the values of each type are, and how they are written; the schema has only the names."""

SECTIONS = (
    ("Template", "The top level.", ()),
    ("Identifiers", "", ("identifiers",)),
    ("Field", "An item of `facts`, of `trackingFields`, or of the `fields` of an object.", "field"),
    ("Quality", "", "quality"),
    ("States", "", ("states",)),
    ("Transition", "", ("states", "transitions")),
    ("Conditions of a transition", "", ("states", "transitions", "conditions")),
    (
        "Schedule",
        "A text that says how often, a list of them (whichever comes first), or an object:",
        ("schedules",),
    ),
    ("View", "", ("view",)),
)


def page() -> str:
    """Return the text of the page."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    parts = [INTRO]
    for title, words, where in SECTIONS:
        found = _found(schema, where)
        said = words or found.get("description", "")
        parts.append(f"## {title}\n\n{said}\n\n{_table(schema, found)}")
        if title == "Field":
            parts.append(_types(schema))
    parts.append(_example(schema))
    return "\n".join(parts)


def _found(schema: dict[str, Any], where: str | tuple[str, ...]) -> dict[str, Any]:
    """Return the part of the schema that a section is about."""
    if isinstance(where, str):
        return _resolved(schema, schema["$defs"][where])
    found = schema
    for name in where:
        found = _resolved(schema, found["properties"][name])
        found = found.get("items", found)
        if isinstance(found.get("additionalProperties"), dict):
            found = found["additionalProperties"]["oneOf"][1]
    return found


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return a part with what its reference names, its own members over those."""
    if "$ref" not in part:
        return part
    base = _resolved(schema, schema["$defs"][part["$ref"].rpartition("/")[2]])
    own = {name: value for name, value in part.items() if name != "$ref"}
    return {**base, **own, "required": [*own.get("required", []), *base.get("required", [])]}


def _table(schema: dict[str, Any], part: dict[str, Any]) -> str:
    lines = ["| member | type | meaning | bounds | example |", "|---|---|---|---|---|"]
    required = part.get("required", [])
    for name, member in part["properties"].items():
        whole = _resolved(schema, member)
        mark = f"**`{name}`**" if name in required else f"`{name}`"
        cells = (
            mark,
            _type(member),
            whole["description"],
            _bounds(whole),
            f"`{written(whole['examples'][0])}`",
        )
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _type(member: dict[str, Any]) -> str:
    """Return what kind of value a member has, with a link to the section about it."""
    if "$ref" in member:
        name = str(member["$ref"]).rpartition("/")[2]
        linked = {"field": "[field](#field)", "item": "[field](#field) without a name"}
        plain = {"quality": "[object](#quality)", "often": "text or list of texts"}
        return {**linked, **plain}.get(name, name)
    if "enum" in member:
        if "object" in member["enum"]:
            return "one of the [types](#types)"
        return "one of " + ", ".join(f"`{each}`" for each in member["enum"])
    kind = str(member["type"])
    if kind == "array":
        return f"list of {_plural(member['items'])}"
    return {"string": "text", "boolean": "true or false"}.get(kind, kind)


def _plural(items: dict[str, Any]) -> str:
    if "$ref" in items:
        name = items["$ref"].rpartition("/")[2]
        return "[fields](#field)" if name == "field" else f"{name}s"
    if items.get("type") == "string":
        return "texts"
    return "[transitions](#transition)" if "from" in items.get("properties", {}) else "objects"


def _bounds(member: dict[str, Any]) -> str:
    """Return the bounds that are not those of every text and name."""
    bounds = []
    if "pattern" in member and "-v" in member["pattern"]:
        bounds.append(f"at most {member['maxLength']} characters")
    if "minItems" in member:
        bounds.append(f"at least {member['minItems']}")
    if "maxItems" in member:
        bounds.append(f"at most {member['maxItems']}")
    if member.get("uniqueItems"):
        bounds.append("each once")
    return ", ".join(bounds)


def _types(schema: dict[str, Any]) -> str:
    """Return the section about the types of fields, and which members go with which."""
    names = schema["$defs"]["item"]["properties"]["type"]["enum"]
    only = _only(schema)
    lines = ["| type | values | written | members of its own |", "|---|---|---|---|"]
    for name in names:
        values, written = TYPES[name]
        own = " ".join(f"`{member}`" for member in only.get(name, ()))
        lines.append(f"| `{name}` | {values} | {written} | {own} |")
    return "### Types\n\n" + "\n".join(lines) + "\n"


def _only(schema: dict[str, Any]) -> dict[str, list[str]]:
    """Return the members that only some types have, by type, as the schema's conditions say."""
    found: dict[str, list[str]] = {}
    for rule in schema["$defs"]["item"]["allOf"]:
        kind = rule["if"]["properties"]["type"]
        refused = rule["else"]["not"]
        members = [part["required"][0] for part in refused.get("anyOf", [refused])]
        for name in kind.get("enum", [kind.get("const")]):
            found.setdefault(name, []).extend(members)
    return found


def _example(schema: dict[str, Any]) -> str:
    """Return a whole template, made of the examples of the members."""
    members = schema["properties"]
    lines = [f"{name}: {written(member['examples'][0])}" for name, member in members.items()]
    text = "\n".join(lines)
    return (
        "## Example\n\nThe examples of the top level together, in YAML; a test checks it.\n\n"
        f"```yaml\n{text}\n```\n"
    )


def written(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        plain = value.replace("-", "").replace("_", "").replace(".", "").replace(" ", "")
        return value if plain.isalnum() else json.dumps(value)
    return json.dumps(value)
