"""Thing Descriptions and Thing Models of the W3C Web of Things, version 1.1, read into templates.

A property becomes a tracking field, one that can be observed a stream, an event a type of event.
Forms, security and actions are about a network and are reported. In a Thing Model ``tm:ref`` is
resolved within the file; placeholders such as ``{{MAX}}`` have no value yet and are reported.

Source: https://www.w3.org/TR/wot-thing-description11/, sections 5, 6.3.4 and 10.
"""

from __future__ import annotations

import re
from typing import Any

from twincli.errors import shown
from twincli.formats.foreign.draft import Draft, Imported, Path, bounded, invalid, template_id
from twincli.model import template

_CONTEXTS = (
    "https://www.w3.org/2022/wot/td/v1.1",
    "https://www.w3.org/2019/wot/td/v1",
    "http://www.w3.org/ns/td",
)
_PLACEHOLDER = re.compile(r"\{\{[^{}]+\}\}")
_MAX_REFS = 20

_TYPES = {
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "string": "text",
    "object": "object",
    "array": "list",
}
_NETWORK = "it is about a network, and a template is not"
_LOST = {
    "forms": _NETWORK,
    "uriVariables": _NETWORK,
    "security": _NETWORK,
    "securityDefinitions": _NETWORK,
    "base": _NETWORK,
    "profile": _NETWORK,
    "support": "a template has no such member",
    "created": "the ledger says when a template was registered",
    "modified": "the ledger says when a template was registered",
    "schemaDefinitions": "schemas of a network's answers have no place in a template",
    "links": "twins are linked one by one: twin link add",
    "readOnly": "grants say who may write",
    "writeOnly": "grants say who may write",
    "default": "a template has no default values",
    "const": "a template has no constants",
    "format": "a field of type text takes any text",
    "pattern": "a field of type text takes any text",
    "minLength": "a field of type text takes any text",
    "maxLength": "a field of type text takes any text",
    "contentEncoding": "a field of type text takes any text",
    "contentMediaType": "a field of type text takes any text",
    "multipleOf": "a template has no steps of numbers",
    "exclusiveMinimum": "the bounds of a range are in it",
    "exclusiveMaximum": "the bounds of a range are in it",
    "minItems": "a list has any length",
    "maxItems": "a list has any length",
    "oneOf": "a field has one type",
    "additionalProperties": "whether parts may be added is all or nothing",
    "tm:optional": "a template says of facts only that they are required",
}
_FIELD_MEMBERS = frozenset(
    [
        "title",
        "titles",
        "description",
        "descriptions",
        "type",
        "unit",
        "minimum",
        "maximum",
        "enum",
        "properties",
        "required",
        "items",
        "observable",
        "tm:ref",
    ]
)
_THING_MEMBERS = frozenset(
    [
        "@context",
        "id",
        "title",
        "titles",
        "description",
        "descriptions",
        "properties",
        "actions",
        "events",
        "version",
    ]
)


def is_model(value: Any) -> bool:
    """Say whether a JSON value looks like a Thing Description or Thing Model."""
    return isinstance(value, dict) and any(item in _CONTEXTS for item in _listed(value, "@context"))


def _listed(value: dict[str, Any], name: str) -> list[Any]:
    found = value.get(name, [])
    return found if isinstance(found, list) else [found]


def read(value: Any) -> Imported:
    """Return a template of a Thing Description or a Thing Model.

    Raises:
        InvalidError: ``invalid_model``, with the path.
    """
    bounded(value)
    if not isinstance(value, dict):
        raise invalid((), f"{shown(value)} is not a Thing Description", "write an object")
    if not is_model(value):
        raise invalid(
            ("@context",),
            f"the context is not that of the Web of Things: {shown(value.get('@context'))}",
            f'"@context": "{_CONTEXTS[0]}"',
        )
    return _Maker(value).thing()


class _Maker:
    def __init__(self, whole: dict[str, Any]) -> None:
        self.whole = whole
        self.draft = Draft()
        self.is_model = "tm:ThingModel" in _listed(whole, "@type")

    def thing(self) -> Imported:
        whole, draft = self.whole, self.draft
        self.judge()
        title, about = self.texts((), whole)
        origin = whole.get("id")
        if origin is not None and not isinstance(origin, str):
            raise invalid(("id",), f"{shown(origin)} is not a URI")
        version = self.version()
        fields: list[dict[str, Any]] = []
        for name, item in self.members("properties"):
            self.property(name, item, fields)
        events = self.events()
        for name, item in self.members("actions"):
            del item
            draft.lose(
                ("actions", name), f"the action {name}", "a template says what is, not what to do"
            )
        self.rest((), whole, _THING_MEMBERS)
        draft.lose(
            ("id",), "an identifier", "the model has none, so the twin's name serves (assetId)"
        )
        name = title or "thing"
        kind = next(
            (
                str(item)
                for item in _listed(whole, "@type")
                if isinstance(item, str) and item not in {"Thing", "tm:ThingModel"} and item.strip()
            ),
            name,
        )
        document = {
            "id": template_id([name], version),
            "name": name,
            "assetType": kind[: template.MAX_TEXT],
            "description": about,
            "identifiers": {"primary": "assetId"},
            "trackingFields": fields,
            "eventTypes": events,
        }
        return draft.finish(document, origin)

    def judge(self) -> None:
        """Refuse what is not a Thing Description: what the standard calls mandatory."""
        whole = self.whole
        for name in ("properties", "actions", "events"):
            for called, item in self.members(name):
                if not isinstance(item, dict):
                    raise invalid((name, called), f"{shown(item)} is not an object")
                if not self.is_model and not (
                    isinstance(item.get("forms"), list) and item["forms"]
                ):
                    raise invalid(
                        (name, called),
                        "the forms are missing",
                        "a Thing Description names one at least; "
                        'without forms it is a Thing Model: "@type": "tm:ThingModel"',
                    )
        if self.is_model:
            return
        for name, kinds in (
            ("title", str),
            ("security", (str, list)),
            ("securityDefinitions", dict),
        ):
            if name not in whole:
                raise invalid((), f"the member {name} is missing")
            if not isinstance(whole[name], kinds) or whole[name] in ([], {}):
                raise invalid((name,), f"{shown(whole[name])} has no place here")

    def members(self, name: str) -> list[tuple[str, Any]]:
        found = self.whole.get(name, {})
        if not isinstance(found, dict):
            raise invalid((name,), f"{shown(found)} is not an object")
        return list(found.items())

    def version(self) -> str | None:
        """Return the major number of the model's version, if it has one."""
        found = self.whole.get("version")
        if found is None:
            return None
        text = found.get("model", found.get("instance")) if isinstance(found, dict) else None
        if not isinstance(text, str):
            raise invalid(("version",), f"{shown(found)} is not a version")
        numbers = re.match(r"v?([1-9][0-9]{0,8})(?![0-9])", text)
        if numbers is None or numbers[0] != text:
            self.draft.lose(("version",), f"the version {shown(text)}", "a template has one number")
        return numbers[1] if numbers else None

    def events(self) -> list[str]:
        made: list[str] = []
        for name, item in self.members("events"):
            path = ("events", name)
            called = self.draft.name(path, name, made)
            if len(made) < template.MAX_ITEMS:
                made.append(called)
            else:
                self.draft.lose(path, f"the event {name}", f"at most {template.MAX_ITEMS}")
            if "data" in item:
                self.draft.lose((*path, "data"), "the data of the event", "events have free data")
            for lost in ("subscription", "cancellation", "dataResponse", "forms"):
                if lost in item:
                    self.draft.lose((*path, lost), f"the member {lost}", _NETWORK)
        return made

    # -- Schemas of data --

    def property(self, name: str, item: dict[str, Any], fields: list[dict[str, Any]]) -> None:
        path = ("properties", name)
        schema = self.resolved(path, item)
        field = self.named(path, name, schema, fields)
        if self.fill(path, schema, field, 1):
            if schema.get("observable") is True:
                self.draft.stream(path, field, 1)
            fields.append(field)

    def named(
        self, path: Path, name: str, schema: dict[str, Any], fields: list[dict[str, Any]]
    ) -> dict[str, Any]:
        field = {"name": self.draft.name(path, name, (item["name"] for item in fields))}
        label, about = self.texts(path, schema)
        if label is not None:
            field["label"] = label
        if about is not None:
            field["description"] = about
        return field

    def resolved(self, path: Path, schema: Any, depth: int = 0) -> dict[str, Any]:
        """Return a schema with what its ``tm:ref`` names, its own members over those."""
        if not isinstance(schema, dict):
            raise invalid(path, f"{shown(schema)} is not a schema", "write an object")
        if "tm:ref" not in schema:
            return schema
        ref = schema["tm:ref"]
        if not isinstance(ref, str):
            raise invalid((*path, "tm:ref"), f"{shown(ref)} is not a reference")
        if depth == _MAX_REFS:
            raise invalid(
                (*path, "tm:ref"), f"{shown(ref)} leads in a circle", "take the circle apart"
            )
        if not ref.startswith("#/"):
            self.draft.lose((*path, "tm:ref"), f"what {shown(ref)} names", "it is not in this file")
            return {name: item for name, item in schema.items() if name != "tm:ref"}
        found: Any = self.whole
        for part in ref[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or key not in found:
                raise invalid((*path, "tm:ref"), f"{shown(ref)} is not in this file")
            found = found[key]
        base = self.resolved(path, found, depth + 1)
        own = {name: item for name, item in schema.items() if name != "tm:ref"}
        # A member that is null takes the referenced one away (JSON Merge Patch).
        return {name: item for name, item in {**base, **own}.items() if item is not None}

    def fill(self, path: Path, schema: dict[str, Any], field: dict[str, Any], depth: int) -> bool:
        """Give a field its type, unit, range and parts; say whether it has a type at all."""
        kind = self.kind(path, schema)
        if kind is None:
            return False
        goes_on = self.draft.field(path, depth)
        field["type"] = kind
        if "enum" in schema:
            self.enum(path, schema["enum"], field)
        self.numbers(path, schema, field)
        if field["type"] == "object":
            self.object(path, schema, field, depth, goes_on=goes_on)
        elif field["type"] == "list" and goes_on:
            self.list(path, schema, field, depth)
        known = _FIELD_MEMBERS | {"format"} if field["type"] == "datetime" else _FIELD_MEMBERS
        self.rest(path, schema, known)
        return True

    def kind(self, path: Path, schema: dict[str, Any]) -> str | None:
        given = schema.get("type")
        if given is None:
            for name, kind in (("properties", "object"), ("items", "list"), ("minimum", "number")):
                if name in schema:
                    return kind
            listed = schema.get("enum")
            if isinstance(listed, list) and all(isinstance(item, str) for item in listed):
                return "text"
            const = schema.get("const")
            if isinstance(const, str):
                return "text"
            self.draft.lose(
                path, "the field", "it has no type; a template has no fields of any type"
            )
            return None
        if given == "null":
            self.draft.lose(path, "the field", "its only value is null")
            return None
        if not isinstance(given, str) or given not in _TYPES:
            raise invalid((*path, "type"), f"there is no type {shown(given)}")
        if given == "string" and schema.get("format") in ("date", "date-time"):
            if schema["format"] == "date":
                self.draft.lose(
                    (*path, "format"),
                    "the format date",
                    "a field of type datetime takes times of day, too",
                )
            return "datetime"
        return _TYPES[given]

    def enum(self, path: Path, values: Any, field: dict[str, Any]) -> None:
        spot = (*path, "enum")
        if not isinstance(values, list):
            raise invalid(spot, f"{shown(values)} is not a list")
        texts = [item for item in values if isinstance(item, str)]
        if field["type"] not in {"text", "datetime"} or len(texts) < len(values) or not texts:
            self.draft.lose(spot, f"the {len(values)} allowed values", "an enum has texts")
        else:
            self.draft.choices(spot, field, texts)

    def numbers(self, path: Path, schema: dict[str, Any], field: dict[str, Any]) -> None:
        bounds = []
        for name in ("minimum", "maximum"):
            bound = schema.get(name)
            if isinstance(bound, str) and _PLACEHOLDER.fullmatch(bound):
                self.draft.lose((*path, name), f"the placeholder {bound}", "it has no value yet")
                bound = None
            elif bound is not None and type(bound) not in {int, float}:
                raise invalid((*path, name), f"{shown(bound)} is not a number")
            bounds.append(bound)
        self.draft.bounds(path, field, *bounds)
        if "unit" in schema:
            unit = schema["unit"]
            if not isinstance(unit, str):
                raise invalid((*path, "unit"), f"{shown(unit)} is not a text")
            self.draft.unit((*path, "unit"), unit, field)

    def object(
        self,
        path: Path,
        schema: dict[str, Any],
        field: dict[str, Any],
        depth: int,
        *,
        goes_on: bool,
    ) -> None:
        parts = schema.get("properties")
        if parts is None or not goes_on:
            return
        if not isinstance(parts, dict):
            raise invalid((*path, "properties"), f"{shown(parts)} is not an object")
        required = schema.get("required", [])
        if not isinstance(required, list) or any(not isinstance(item, str) for item in required):
            raise invalid((*path, "required"), f"{shown(required)} is not a list of names")
        wanted = frozenset(required)
        made: list[dict[str, Any]] = []
        for name, item in parts.items():
            spot = (*path, "properties", name)
            inner = self.resolved(spot, item)
            part = self.named(spot, name, inner, made)
            if self.fill(spot, inner, part, depth + 1):
                if name in wanted:
                    part["required"] = True
                made.append(part)
        field["fields"] = made
        # JSON Schema takes more parts unless it says otherwise.
        if schema.get("additionalProperties") is not False:
            field["additionalFields"] = True

    def list(self, path: Path, schema: dict[str, Any], field: dict[str, Any], depth: int) -> None:
        items = schema.get("items")
        if items is None:
            return
        spot = (*path, "items")
        if isinstance(items, list):
            if len(items) != 1:
                self.draft.lose(spot, "a type for each position", "the list is free")
                return
            items = items[0]
        inner = self.resolved(spot, items)
        item: dict[str, Any] = {}
        if self.fill(spot, inner, item, depth + 1):
            label, about = self.texts(spot, inner)
            if label is not None:
                item["label"] = label
            if about is not None:
                item["description"] = about
            field["items"] = item

    # -- Texts, and what else stands there --

    def texts(self, path: Path, item: dict[str, Any]) -> tuple[str | None, str | None]:
        """Return the title and the description."""
        made = []
        for one, several in (("title", "titles"), ("description", "descriptions")):
            text, by_language = item.get(one), item.get(several, {})
            if text is not None and not isinstance(text, str):
                raise invalid((*path, one), f"{shown(text)} is not a text")
            if not isinstance(by_language, dict) or any(
                not isinstance(words, str) for words in by_language.values()
            ):
                raise invalid((*path, several), f"{shown(by_language)} is not texts by language")
            if text is None:
                made.append(self.draft.one_text((*path, several), by_language))
                continue
            others = ", ".join(tag for tag, words in by_language.items() if words != text)
            if others:
                self.draft.lose(
                    (*path, several),
                    f"the texts in {others}",
                    "a template has texts in one language",
                )
            made.append(self.draft.text((*path, one), text))
        return made[0], made[1]

    def rest(self, path: Path, item: dict[str, Any], known: frozenset[str]) -> None:
        """Report the members that have no place in a template."""
        for name, value in item.items():
            if name in known or (name == "@type" and not path):
                continue
            if name == "additionalProperties" and isinstance(value, bool):
                continue
            why = _LOST.get(name, "a template has no such member")
            self.draft.lose((*path, name), f"the member {name}", why)
