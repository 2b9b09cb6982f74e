"""Interfaces of the Digital Twins Definition Language, versions 2 to 4, read into templates.

Two steps. The first judges the document by the language's own metamodel, a table below: classes,
their properties, ids, names, references. The second makes a template of one interface: telemetry
becomes a stream, a property a tracking field, a component an object. All the rest is reported.

Source: the specifications, https://github.com/Azure/opendigitaltwins-dtdl, and their test cases.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from twincli.errors import place, shown
from twincli.formats.foreign.draft import (
    Draft,
    Imported,
    Path,
    bounded,
    choose,
    invalid,
    template_id,
)
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONTEXT = re.compile(r"dtmi:dtdl:context;([234])(?:#.*)?")
_SEGMENT = r"(?:_*[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?|_+[0-9](?:[A-Za-z0-9_]*[A-Za-z0-9])?)"
_DTMI = re.compile(
    rf"dtmi:({_SEGMENT}(?::{_SEGMENT})*)(?:;([1-9][0-9]{{0,8}})(?:\.([1-9][0-9]{{0,5}}))?)?"
)
_TERM = re.compile(r"[A-Za-z](?:[A-Za-z0-9_]*[A-Za-z0-9])?")
_NAME = _TERM
_OF_LANGUAGE = re.compile(r"dtmi:dtdl:(property|class):(\w+);([234])")
_INSTANCE = re.compile(
    r"dtmi:(?:dtdl:instance|standard:schema|standard:unit|dtdl:extension)\S*?[:](\w+);([0-9]+)"
)
_MAX_EXTENDS = 12
_MAX_MODELS = 10_000

_SCHEMAS = "Array Enum Map Object"
_CONTENTS = "Telemetry Property Command Component Relationship"
# Each class: the properties that it has. ! is required, * takes several; a class in brackets is
# what an element without @type is.
_COMMON = {"comment": "text", "description": "texts", "displayName": "texts"}
_NAMED = {"name": "name!"}
_CLASSES: dict[str, dict[str, str]] = {
    "Interface": {"contents": "element*", "extends": "element*", "schemas": "element*"},
    "Telemetry": {**_NAMED, "schema": "schema!"},
    "Property": {**_NAMED, "schema": "schema!", "writable": "flag"},
    "Command": {
        **_NAMED,
        "commandType": "kind",
        "request": "element",
        "response": "element",
    },
    "Component": {**_NAMED, "schema": "element!"},
    "Relationship": {
        **_NAMED,
        "maxMultiplicity": "count",
        "minMultiplicity": "count",
        "properties": "element*",
        "target": "dtmi",
        "writable": "flag",
    },
    "Array": {"elementSchema": "schema!"},
    "Enum": {"enumValues": "element*", "valueSchema": "schema!"},
    "EnumValue": {**_NAMED, "enumValue": "value!"},
    "Map": {"mapKey": "element!", "mapValue": "element!"},
    "MapKey": {**_NAMED, "schema": "schema!"},
    "MapValue": {**_NAMED, "schema": "schema!"},
    "Object": {"fields": "element*"},
    "Field": {**_NAMED, "schema": "schema!"},
    "CommandRequest": {**_NAMED, "schema": "schema!", "nullable": "flag"},
    "CommandResponse": {**_NAMED, "schema": "schema!", "nullable": "flag"},
    "CommandPayload": {**_NAMED, "schema": "schema!"},
}
_INNER: dict[tuple[str, str], tuple[str, str | None]] = {
    # The classes that may stand there, and the one that is meant without @type.
    ("Interface", "contents"): (_CONTENTS, None),
    ("Interface", "extends"): ("Interface", None),
    ("Interface", "schemas"): (_SCHEMAS, None),
    ("Component", "schema"): ("Interface", None),
    ("Command", "request"): ("CommandRequest CommandPayload", "CommandRequest"),
    ("Command", "response"): ("CommandResponse CommandPayload", "CommandResponse"),
    ("Relationship", "properties"): ("Property", "Property"),
    ("Enum", "enumValues"): ("EnumValue", "EnumValue"),
    ("Map", "mapKey"): ("MapKey", "MapKey"),
    ("Map", "mapValue"): ("MapValue", "MapValue"),
    ("Object", "fields"): ("Field", "Field"),
}
_PRIMITIVE = {
    "boolean": "boolean",
    "date": "datetime",
    "dateTime": "datetime",
    "double": "number",
    "duration": "text",
    "float": "number",
    "integer": "integer",
    "long": "integer",
    "string": "text",
    "time": "text",
}
_PRIMITIVE_4 = {
    **_PRIMITIVE,
    "byte": "integer",
    "bytes": "text",
    "decimal": "number",
    "short": "integer",
    "unsignedByte": "integer",
    "unsignedInteger": "integer",
    "unsignedLong": "integer",
    "unsignedShort": "integer",
    "uuid": "text",
}
_GEOSPATIAL = ("point", "multiPoint", "lineString", "multiLineString", "polygon", "multiPolygon")
_RANGES: dict[str, tuple[int | None, int | None]] = {
    "byte": (-128, 127),
    "short": (-32768, 32767),
    "unsignedByte": (0, 255),
    "unsignedShort": (0, 65535),
    "unsignedInteger": (0, 4294967295),
    "unsignedLong": (0, None),
}
_LOST_TYPES = {
    "date": "a field of type datetime takes times of day, too",
    "time": "a field of type text takes any text",
    "duration": "kept as ISO 8601 text; a duration of a template is a number with a unit",
    "bytes": "kept as base64 text",
    "uuid": "a field of type text takes any text",
    "decimal": "numbers are doubles",
    "unsignedLong": "whole numbers have 63 bits",
}
_SEMANTIC = frozenset(
    [
        "Acceleration",
        "Angle",
        "AngularAcceleration",
        "AngularVelocity",
        "ApparentEnergy",
        "ApparentPower",
        "Area",
        "Capacitance",
        "Concentration",
        "Current",
        "DataRate",
        "DataSize",
        "Density",
        "Distance",
        "ElectricCharge",
        "Energy",
        "EnergyRate",
        "Event",
        "Force",
        "Frequency",
        "Humidity",
        "Illuminance",
        "Inductance",
        "Latitude",
        "Length",
        "Longitude",
        "Luminance",
        "Luminosity",
        "LuminousFlux",
        "LuminousIntensity",
        "MagneticFlux",
        "MagneticInduction",
        "Mass",
        "MassFlowRate",
        "Power",
        "Pressure",
        "ReactiveEnergy",
        "ReactivePower",
        "RelativeDensity",
        "RelativeHumidity",
        "Resistance",
        "SoundPressure",
        "State",
        "Temperature",
        "Thrust",
        "TimeSpan",
        "Torque",
        "Velocity",
        "Voltage",
        "Volume",
        "VolumeFlowRate",
    ]
)
# In this language these are forces, never masses.
_FORCES = {"pound": "lbf", "ounce": "ounce_force", "ton": "ton_force"}


class _Scope(NamedTuple):
    """What the contexts around an element allow.

    Attributes:
        version: Of the language.
        quantities: Whether semantic types may be used.
        extended: Whether a context stands here whose terms we do not know.
    """

    version: int
    quantities: bool
    extended: bool


class _Element(NamedTuple):
    """A part of a model that was judged.

    Attributes:
        kind: Its class; empty for a reference.
        id: Its id, or what a reference names.
        also: Its other types.
        members: Its properties; elements, or plain values.
        extra: Properties of extensions, as written.
        version: Of the language, where it stands.
        path: Where it stands.
    """

    kind: str
    id: str | None
    also: tuple[str, ...]
    members: dict[str, Any]
    extra: dict[str, Any]
    version: int
    path: Path


def is_model(value: Any) -> bool:
    """Say whether a JSON value looks like a model of this language."""
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, dict):
        return False
    contexts = first.get("@context")
    listed = contexts if isinstance(contexts, list) else [contexts]
    return any(isinstance(item, str) and item.startswith("dtmi:dtdl:context;") for item in listed)


def read(value: Any, wanted: str | None = None) -> Imported:
    """Return a template of an interface.

    Args:
        value: One interface, or a list of them that may name each other.
        wanted: The id of the interface; else the one that no other one uses.

    Raises:
        InvalidError: ``invalid_model``, with the path.
        UsageError: There are several interfaces to choose from.
    """
    bounded(value)
    model = _Model()
    listed = value if isinstance(value, list) else [value]
    if not listed or len(listed) > _MAX_MODELS:
        raise invalid((), f"the list has {len(listed)} interfaces", f"1 to {_MAX_MODELS}")
    tops = [
        model.top(item, (at,) if isinstance(value, list) else ()) for at, item in enumerate(listed)
    ]
    model.resolve()
    used = model.used()
    free = [top for top in tops if top.id not in used]
    if not free and wanted is None:
        raise invalid((), "every interface is part of another one", "take the circle apart")
    ids = [str(top.id) for top in (tops if wanted is not None else free)]
    chosen = (tops if wanted is not None else free)[choose(ids, wanted, "interface")]
    return _Maker(model).interface(chosen)


# --- The document, judged by the metamodel -----------------------------------------------------


class _Model:
    def __init__(self) -> None:
        self.defined: dict[str, _Element] = {}
        self.references: list[tuple[_Element, str]] = []
        self.uses: list[str] = []

    def top(self, value: Any, path: Path) -> _Element:
        if not isinstance(value, dict):
            raise invalid(path, f"{shown(value)} is not an interface", "write an object")
        contexts = value.get("@context")
        first = contexts[0] if isinstance(contexts, list) and contexts else contexts
        if not isinstance(first, str) or _CONTEXT.fullmatch(first) is None:
            raise invalid(
                (*path, "@context"),
                f"{shown(first)} is not the context of DTDL 2, 3 or 4",
                'for example "@context": "dtmi:dtdl:context;4"',
            )
        return self.element(value, path, _Scope(0, quantities=False, extended=False), "Interface")

    def scope(self, value: dict[str, Any], path: Path, scope: _Scope) -> _Scope:
        contexts = value.get("@context", [])
        version, quantities, extended = scope
        for item in contexts if isinstance(contexts, list) else [contexts]:
            spot = (*path, "@context")
            if not isinstance(item, str) or not item.startswith("dtmi:"):
                raise invalid(spot, f"{shown(item)} is not a context of DTDL")
            core = _CONTEXT.fullmatch(item)
            name, _, number = item.partition("#")[0].partition(";")
            if core is not None:
                version = int(core[1])
                quantities = version == 2
            elif name == "dtmi:dtdl:context" or not re.fullmatch(r"[1-9][0-9.]*", number):
                raise invalid(spot, f"{shown(item)} is not a context of DTDL 2, 3 or 4")
            elif name == "dtmi:dtdl:extension:quantitativeTypes":
                quantities = True
            else:
                extended = True
        return _Scope(version, quantities, extended)

    def element(
        self, value: Any, path: Path, outer: _Scope, allowed: str, implied: str | None = None
    ) -> _Element:
        """Judge an element, or a reference to one."""
        if isinstance(value, str) or (isinstance(value, dict) and set(value) == {"@id"}):
            named = value if isinstance(value, str) else value["@id"]
            return self.reference(named, path, outer, allowed)
        if not isinstance(value, dict):
            raise invalid(path, f"{shown(value)} is not one of {allowed}")
        scope = self.scope(value, path, outer)
        kind, also = self.types(value, path, scope, allowed, implied)
        name = self.id(value, path, scope, required=kind == "Interface")
        known = {**_COMMON, **_CLASSES[kind]}
        members: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        for key, inner in value.items():
            if key.startswith("@"):
                if key not in {"@id", "@type", "@context"}:
                    raise invalid((*path, key), f"the keyword {shown(key)} has no place here")
                continue
            plain = self.property(key, path, scope)
            if plain not in known:
                if plain == "unit" or scope.extended or (also and scope.quantities and plain):
                    extra[key] = inner
                    continue
                raise invalid(
                    (*path, key),
                    f"{kind} has no property {shown(key)}",
                    "a property of an extension needs the extension's context",
                )
            if plain in members:
                raise invalid((*path, key), f"{plain} stands here twice")
            judged = self.member(kind, plain, known[plain], inner, (*path, key), scope)
            if judged is not None:
                members[plain] = judged
        for plain, form in known.items():
            if form.endswith("!") and plain not in members:
                raise invalid(path, f"{kind} needs the property {plain}")
        made = _Element(kind, name, also, members, extra, scope.version, path)
        self.distinct(made)
        if name is not None:
            if name in self.defined:
                raise invalid((*path, "@id"), f"{shown(name)} is defined twice")
            self.defined[name] = made
        return made

    def reference(self, named: Any, path: Path, scope: _Scope, allowed: str) -> _Element:
        if not isinstance(named, str) or (found := _DTMI.fullmatch(named)) is None:
            raise invalid(path, f"{shown(named)} is not one of {allowed}")
        if allowed == "Interface" and found[2] is None and scope.version == 2:
            raise invalid(path, f"{shown(named)} has no version")
        made = _Element("", named, (), {}, {}, scope.version, path)
        self.references.append((made, allowed))
        return made

    def id(self, value: dict[str, Any], path: Path, scope: _Scope, *, required: bool) -> str | None:
        if "@id" not in value:
            if required:
                raise invalid(path, "Interface needs an @id", 'such as "dtmi:com:example:Pump;1"')
            return None
        spot, name = (*path, "@id"), value["@id"]
        found = _DTMI.fullmatch(name) if isinstance(name, str) else None
        if found is None or len(name) > 2048 or (required and found[2] is None):
            raise invalid(spot, f"{shown(name)} is not a DTMI", 'such as "dtmi:com:example:Pump;1"')
        if scope.version == 2 and (found[2] is None or found[3] is not None):
            raise invalid(spot, f"{shown(name)} has not the version of DTDL 2", "such as ;1")
        segments = found[1].split(":")
        if segments[0] in {"dtdl", "standard"} or any(part[0] == "_" for part in segments):
            raise invalid(spot, f"{shown(name)} is reserved", "choose an id of your own")
        return str(name)

    def types(
        self, value: dict[str, Any], path: Path, scope: _Scope, allowed: str, implied: str | None
    ) -> tuple[str, tuple[str, ...]]:
        spot = (*path, "@type")
        if "@type" not in value:
            if implied is None:
                raise invalid(path, f"the @type is missing, one of {allowed}")
            return implied, ()
        given = value["@type"]
        listed = given if isinstance(given, list) else [given]
        classes: list[str] = []
        also: list[str] = []
        for item in listed:
            if not isinstance(item, str):
                raise invalid(spot, f"{shown(item)} is not a type")
            term = _OF_LANGUAGE.fullmatch(item)
            name = term[2] if term is not None and term[1] == "class" else item
            if name in _CLASSES:
                classes.append(name)
            elif name in _SEMANTIC or (
                (instance := _INSTANCE.fullmatch(item)) and (instance[1] in _SEMANTIC)
            ):
                if not scope.quantities and not scope.extended:
                    raise invalid(
                        spot,
                        f"the type {shown(item)} needs the context of its extension",
                        f"dtmi:dtdl:extension:quantitativeTypes;{max(1, scope.version - 2)}",
                    )
                also.append(name)
            elif not (_TERM.fullmatch(item) or _DTMI.fullmatch(item)) or not scope.extended:
                raise invalid(spot, f"there is no type {shown(item)}", f"one of {allowed}")
            else:
                also.append(item)
        kinds = set(classes)
        if len(kinds) != 1 or not kinds <= set(allowed.split()):
            raise invalid(spot, f"{', '.join(sorted(kinds)) or 'none'} is not one of {allowed}")
        return classes[0], tuple(dict.fromkeys(also))

    def property(self, key: str, path: Path, scope: _Scope) -> str:
        """Return the plain name of a property."""
        term = _OF_LANGUAGE.fullmatch(key)
        if term is not None and term[1] == "property":
            if int(term[3]) != scope.version:
                raise invalid((*path, key), f"{shown(key)} is of another version of DTDL")
            return term[2]
        if not _TERM.fullmatch(key) and not _DTMI.fullmatch(key):
            raise invalid((*path, key), f"{shown(key)} is neither a term nor a DTMI")
        return key

    def member(self, kind: str, name: str, form: str, value: Any, path: Path, scope: _Scope) -> Any:
        """Judge the value of a property; None where it is an empty list."""
        if form == "texts":
            return self.texts(
                value, path, 64 if scope.version == 2 and name != "description" else 512
            )
        if form == "element*":
            allowed, implied = _INNER[kind, name]
            listed = value if isinstance(value, list) else [value]
            several = isinstance(value, list)
            found = [
                self.element(item, (*path, at) if several else path, scope, allowed, implied)
                for at, item in enumerate(listed)
            ]
            return found or None
        if isinstance(value, list):  # JSON-LD: a list of one is that one
            if len(value) > 1:
                raise invalid(path, f"{name} has {len(value)} values", "give it one")
            if not value:
                return None
            value = value[0]
        if form.startswith("element"):
            allowed, implied = _INNER[kind, name]
            return self.element(value, path, scope, allowed, implied)
        if form == "schema!":
            return self.schema(kind, value, path, scope)
        return self.plain(name, form, value, path, scope)

    def plain(self, name: str, form: str, value: Any, path: Path, scope: _Scope) -> Any:
        if form == "text":
            if not isinstance(value, str) or len(value) > 512:
                raise invalid(path, f"{shown(value)} is not a text of at most 512 characters")
        elif form == "name!":
            most = 64 if scope.version == 2 else 512
            if not isinstance(value, str) or not _NAME.fullmatch(value) or len(value) > most:
                raise invalid(
                    path,
                    f"{shown(value)} is not a name",
                    f"letters, digits and _, beginning with a letter; at most {most}",
                )
        elif form == "flag":
            if not isinstance(value, bool):
                raise invalid(path, f"{shown(value)} is not true or false")
        elif form == "count":
            if type(value) is not int or not 0 <= value < 1 << 63:
                raise invalid(path, f"{shown(value)} is not a count")
        elif form == "dtmi":
            found = _DTMI.fullmatch(value) if isinstance(value, str) else None
            if found is None or (scope.version == 2 and found[2] is None):
                raise invalid(path, f"{shown(value)} is not a DTMI")
        elif form == "kind":
            term = (
                value.rpartition("CommandType:")[2].partition(";")[0]
                if (isinstance(value, str))
                else ""
            )
            if term not in {"synchronous", "asynchronous"}:
                raise invalid(path, f"{shown(value)} is not a {name}")
        elif isinstance(value, bool) or not isinstance(value, (str, int)):
            raise invalid(path, f"{shown(value)} is not a text or a whole number")
        return value

    def texts(self, value: Any, path: Path, most: int) -> dict[str, str] | None:
        """Judge a text, in one language or in several."""
        if isinstance(value, list):
            if len(value) > 1:
                raise invalid(path, "it stands here twice")
            if not value:
                return None
            value = value[0]
        found = {"en": value} if isinstance(value, str) else value
        if not isinstance(found, dict) or any(not isinstance(t, str) for t in found.values()):
            raise invalid(path, f"{shown(value)} is not a text, nor texts by language")
        for tag, text in found.items():
            if len(text) > most:
                raise invalid((*path, tag), f"it has {len(text)} characters", f"at most {most}")
        return found

    def schema(self, kind: str, value: Any, path: Path, scope: _Scope) -> Any:
        """Judge a schema: the name of a plain one, or an element."""
        plain = _PRIMITIVE_4 if scope.version == 4 else _PRIMITIVE
        known = {*plain, *_GEOSPATIAL, "scaledDecimal"}
        if isinstance(value, str):
            found = _INSTANCE.fullmatch(value)
            term = found[1] if found is not None and "instance:CommandType" not in value else value
            if term in known:
                if kind == "Enum" and term not in {"integer", "string"}:
                    raise invalid(path, "the values of an Enum are of schema integer or string")
                if kind == "MapKey" and term != "string":
                    raise invalid(path, "the key of a Map is of schema string")
                return term
            if not value.startswith("dtmi:"):
                raise invalid(path, f"there is no schema {shown(value)}")
        if kind in {"Enum", "MapKey"}:
            raise invalid(path, f"{shown(value)} is not the schema of its values")
        return self.element(value, path, scope, _SCHEMAS)

    def distinct(self, element: _Element) -> None:
        """Refuse names that stand twice among the parts of an element."""
        for name in ("contents", "fields", "properties", "enumValues"):
            seen: set[str] = set()
            for part in element.members.get(name, ()):
                called = part.members.get("name")
                if called is not None and called in seen:
                    raise invalid((*part.path, "name"), f"{called} stands here twice")
                seen.add(called)

    # -- References --

    def resolve(self) -> None:
        """Refuse references to schemas and interfaces that are not there or of another class."""
        for reference, allowed in self.references:
            found = self.defined.get(str(reference.id))
            if found is None:
                if reference.path[-1:] == ("schema",) and allowed == "Interface":
                    continue  # a component; the maker reports it
                raise invalid(
                    reference.path,
                    f"{shown(reference.id)} is not in this file",
                    "put all that belongs together in one file, as a list",
                )
            if found.kind not in allowed.split():
                raise invalid(reference.path, f"{found.kind} is not one of {allowed}")
            if found.version > reference.version:
                raise invalid(reference.path, f"{shown(reference.id)} is of a later DTDL")

    def used(self) -> set[str | None]:
        """Return the ids of interfaces that others extend or have as components."""
        return {reference.id for reference, allowed in self.references if allowed == "Interface"}

    def of(self, element: _Element) -> _Element | None:
        """Return an element, or what a reference names; None if that is not in the file."""
        return element if element.kind else self.defined.get(str(element.id))


# --- The template -------------------------------------------------------------------------------


class _Maker:
    def __init__(self, model: _Model) -> None:
        self.model = model
        self.draft = Draft()
        self.gathered: dict[str, list[_Element]] = {}
        self.open: list[str | None] = []  # what is being read, so that circles are seen

    def interface(self, element: _Element) -> Imported:
        name = str(element.id)
        found = _DTMI.fullmatch(name)
        segments = (found[1] if found else name).split(":")
        version, minor = (found[2], found[3]) if found else (None, None)
        draft, path = self.draft, element.path
        if minor is not None:
            draft.lose((*path, "@id"), f"the minor version {minor}", "a template has one number")
        fields: list[dict[str, Any]] = []
        for content in self.contents(element):
            self.content(content, fields, 1)
        draft.lose(
            (*path, "@id"),
            "an identifier",
            "the model has none, so the twin's name serves (assetId)",
        )
        document: dict[str, Any] = {
            "id": template_id(segments, version),
            "name": self.label(element) or segments[-1],
            "assetType": segments[-1],
            "description": self.description(element),
            "identifiers": {"primary": "assetId"},
            "trackingFields": fields,
        }
        self.rest(element)
        return draft.finish(document, name)

    def contents(self, element: _Element) -> list[_Element]:
        """Return the contents of an interface and of all that it extends, its own last."""
        name = str(element.id)
        if name not in self.gathered:
            made: dict[str, _Element] = {}
            self.gather(element, made, set(), [])
            self.gathered[name] = list(made.values())
        return self.gathered[name]

    def gather(
        self, element: _Element, made: dict[str, _Element], seen: set[str], above: list[str]
    ) -> None:
        name = str(element.id)
        if name in above:
            raise invalid(element.path, f"{shown(name)} extends itself", "take the circle apart")
        if name in seen:  # two ways to one interface
            return
        seen.add(name)
        if len(above) > _MAX_EXTENDS:
            raise invalid(element.path, f"it extends more than {_MAX_EXTENDS} interfaces deep")
        for base in element.members.get("extends", ()):
            found = self.model.of(base)
            if found is not None:
                self.gather(found, made, seen, [*above, name])
        for content in element.members.get("contents", ()):
            called = content.members["name"]
            other = made.get(called)
            if other is not None and other.path != content.path:
                raise invalid(
                    (*content.path, "name"),
                    f"{called} stands at {place(other.path)}, too, and it is extended",
                )
            made[called] = content

    def content(self, element: _Element, fields: list[dict[str, Any]], depth: int) -> None:
        path, name = element.path, element.members["name"]
        if element.kind == "Command":
            self.draft.lose(path, f"the command {name}", "a template says what is, not what to do")
            return
        if element.kind == "Relationship":
            self.draft.lose(
                path, f"the relationship {name}", "twins are linked one by one: twin link add"
            )
            return
        field = self.named(element, fields)
        if element.kind == "Component":
            self.component(element, field, depth)
        else:
            self.value(element, element.members["schema"], field, depth)
            if element.kind == "Telemetry":
                self.draft.stream(path, field, depth)
            elif element.members.get("writable"):
                self.draft.lose(
                    (*path, "writable"), "that it is writable", "grants say who may write"
                )
        fields.append(field)

    def named(self, element: _Element, fields: list[dict[str, Any]]) -> dict[str, Any]:
        taken = (field["name"] for field in fields)
        name = self.draft.name((*element.path, "name"), element.members["name"], taken)
        texts = {"label": self.label(element), "description": self.description(element)}
        field: dict[str, Any] = {"name": name, "type": "text"}
        return field | {key: text for key, text in texts.items() if text is not None}

    def component(self, element: _Element, field: dict[str, Any], depth: int) -> None:
        field["type"] = "object"
        schema = element.members["schema"]
        found = self.model.of(schema)
        if found is None:
            self.draft.field(element.path, 1)
            self.draft.lose(
                schema.path,
                f"the interface {shown(schema.id)}",
                "it is not in this file; the object is free",
            )
        elif self.draft.field(element.path, depth):
            self.enter(found)
            parts: list[dict[str, Any]] = []
            for content in self.contents(found):
                self.content(content, parts, depth + 1)
            self.open.pop()
            field["fields"] = parts
        self.rest(element)

    def enter(self, element: _Element) -> None:
        if element.id is not None and element.id in self.open:
            raise invalid(
                element.path, f"{shown(element.id)} contains itself", "take the circle apart"
            )
        self.open.append(element.id)

    def value(self, owner: _Element, schema: Any, field: dict[str, Any], depth: int) -> None:
        """Give a field its type, unit and parts."""
        path = (*owner.path, "schema")
        if isinstance(schema, str):
            self.draft.field(path, 1)
            self.plain(path, schema, field)
        else:
            found = self.model.of(schema)
            if found is None:  # pragma: no cover - such references are refused
                raise invalid(path, f"{shown(schema.id)} is not in this file")
            self.enter(found)
            self.compound(found, field, depth)
            self.open.pop()
        unit = owner.extra.get("unit")
        if isinstance(unit, list) and len(unit) == 1:
            unit = unit[0]
        if isinstance(unit, str):
            word = _INSTANCE.sub(r"\1", unit)
            numbers = field
            while numbers["type"] == "list" and "items" in numbers:
                numbers = numbers["items"]
            self.draft.unit((*owner.path, "unit"), _FORCES.get(word, word), numbers)
        for name in owner.also:
            self.draft.lose(
                (*owner.path, "@type"), f"the type {name}", "a template has no semantic types"
            )
        self.rest(owner, known=("unit",))

    def plain(self, path: Path, schema: str, field: dict[str, Any]) -> None:
        if schema == "point":
            field["type"] = "coordinates"
            self.draft.lose(
                path, "the form of GeoJSON", "coordinates are an object with latitude and longitude"
            )
        elif schema in {*_GEOSPATIAL, "scaledDecimal"}:
            field["type"] = "object"
            self.draft.lose(path, f"the parts of the schema {schema}", "the object is free")
        else:
            field["type"] = _PRIMITIVE_4[schema]
            self.draft.bounds(path, field, *_RANGES.get(schema, (None, None)))
            if schema in _LOST_TYPES:
                self.draft.lose(path, f"the schema {schema}", _LOST_TYPES[schema])

    def compound(self, schema: _Element, field: dict[str, Any], depth: int) -> None:
        path = schema.path
        goes_on = self.draft.field(path, depth)
        if schema.kind == "Enum":
            self.enum(schema, field)
        elif schema.kind == "Array":
            field["type"] = "list"
            if goes_on:
                item: dict[str, Any] = {"type": "text"}
                inner = schema._replace(members={**schema.members, "schema": None})
                self.value(inner, schema.members["elementSchema"], item, depth + 1)
                field["items"] = item
            return
        elif schema.kind == "Map":
            field["type"] = "object"
            self.draft.lose(path, "the schema of the map's values", "the object is free")
        else:
            field["type"] = "object"
            if goes_on and "fields" in schema.members:
                parts: list[dict[str, Any]] = []
                for part in schema.members["fields"]:
                    found = self.model.of(part)
                    if found is None:  # pragma: no cover - such references are refused
                        continue
                    made = self.named(found, parts)
                    self.value(found, found.members["schema"], made, depth + 1)
                    parts.append(made)
                field["fields"] = parts
        self.rest(schema)

    def enum(self, schema: _Element, field: dict[str, Any]) -> None:
        values = [self.model.of(item) for item in schema.members.get("enumValues", ())]
        texts = [item.members["enumValue"] for item in values if item is not None]
        if schema.members["valueSchema"] == "integer" and texts:
            for item in values:
                if item is not None:
                    self.draft.lose(
                        (*item.path, "enumValue"),
                        f"the number {item.members['enumValue']}",
                        f"an enum has texts: {item.members['name']}",
                    )
            texts = [item.members["name"] for item in values if item is not None]
        elif any(not isinstance(text, str) for text in texts):
            raise invalid(schema.path, "the values of an Enum of schema string are texts")
        self.draft.choices((*schema.path, "enumValues"), field, texts)

    # -- Texts, and what else stands there --

    def label(self, element: _Element) -> str | None:
        path = (*element.path, "displayName")
        return self.draft.one_text(path, element.members.get("displayName", {}))

    def description(self, element: _Element) -> str | None:
        path = (*element.path, "description")
        return self.draft.one_text(path, element.members.get("description", {}))

    def rest(self, element: _Element, known: Sequence[str] = ()) -> None:
        """Report what of an element has no place in a template."""
        if element.members.get("comment"):
            self.draft.lose((*element.path, "comment"), "a comment", "it is for modellers")
        for name in element.extra:
            if name not in known:
                self.draft.lose(
                    (*element.path, name), f"the property {name}", "it is of an extension"
                )
