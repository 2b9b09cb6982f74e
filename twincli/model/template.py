"""Templates: what a thing of some kind is, as a document that twins pin by its hash.

A template names the identifiers of a thing, its facts, the fields that change, events, states,
stages, schedules and how to show it. The seed's vehicle template is valid as it stands; all other
members are optional. ``schemas/template-format.json`` beside this file is the same format as a JSON
Schema.

`faults` says everything that is wrong with a document, `read` returns a `Template`.
"""

from __future__ import annotations

from twincli.crypto import canonical
from twincli.errors import InvalidError, place, shown
from twincli.model import expression, links, schedules
from twincli.model.names import near
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from typing import TypeGuard

TYPES = (
    "number",
    "integer",
    "text",
    "boolean",
    "coordinates",
    "datetime",
    "duration",
    "enum",
    "object",
    "list",
)
"""The types of a field."""

RESERVED_STREAMS = frozenset(
    [
        "events",
        "states",
        "stages",
        "maintenance",
        "certifications",
        "files",
        "links",
        "grants",
        "facts",
        "state",
        "history",
    ]
)
"""Records are asked for like streams, so no stream bears these names."""

PUBLIC, INTEREST, AUTHORITIES = ACCESS = ("public", "legitimate_interest", "authorities")
"""Whom a passport shows a field to: everybody, who has a reason that counts, authorities alone."""

RECORDED = frozenset(["events", "stages", "certificates", "facts", "state"])
"""What the expressions of conditions see beside facts and fields."""

RESERVED_LEAVES = frozenset(["timestamp", "stream", "source", "quality", "unit", "seq"])
"""What a reading says beside its values, so that no value of a stream bears these names."""

ASSET_ID = "assetId"
"""The primary identifier that is the twin's own name."""

MAX_FIELDS = 1000
MAX_DEPTH = 8
MAX_TEXT = 2000
MAX_ITEMS = 1000
MAX_FAULTS = 100

_LARGEST = 1.7976931348623157e308

_NAME_MORE = frozenset("_-")
RESERVED = frozenset(("twin", "language"))
"""Names that no field may have: one is the envelope's, the other MongoDB's."""
NUMERIC = frozenset({"number", "integer", "duration"})
"""The types that may have a unit and a range."""
_BOUNDS = ("min", "max")


class Fault(NamedTuple):
    """What is wrong with a document that people write, and where.

    Attributes:
        path: Names and positions from the top level down.
        message: What is wrong.
        right: What would be right.
    """

    path: tuple[str | int, ...]
    message: str
    right: str

    @property
    def where(self) -> str:
        """The path as people write it: ``trackingFields[1].unit``."""
        return place(self.path)


class Field(NamedTuple):
    """One field of a twin, or a part of one.

    Attributes:
        name: Its name; empty for the items of a list.
        type: One of `TYPES`.
        unit: What its numbers are in, or None.
        own_unit: Whether the unit is the template's own word, which nothing is converted to.
        required: Whether it must be given when the twin is created.
        real_time: Whether it is a stream, whose latest value is shown with the state.
        source: The role that writes it, or None.
        low, high: The range, both bounds in it.
        good_low, good_high: Values on or beyond these bounds are suspect.
        values: The texts of an enum.
        fields: The parts of an object, by name; None where it is free.
        items: What a list holds; None where that is free.
        additional: Whether an object may hold parts that are not named.
        access: One of `ACCESS`.
    """

    name: str
    type: str
    unit: str | None = None
    own_unit: bool = False
    required: bool = False
    real_time: bool = False
    source: str | None = None
    low: float | None = None
    high: float | None = None
    good_low: float | None = None
    good_high: float | None = None
    values: tuple[str, ...] = ()
    fields: dict[str, Field] | None = None
    items: Field | None = None
    additional: bool = False
    access: str = PUBLIC


class Transition(NamedTuple):
    """A move between states.

    Attributes:
        start, end: Names of states.
        required, optional: Names of conditions.
    """

    start: str
    end: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


class Template(NamedTuple):
    """A template that was read.

    Attributes:
        id: ``vehicle-tracking-v1``.
        name, asset_type, category: For people.
        primary: The identifier that only one twin has.
        secondary: Identifiers that twins are found by.
        facts: Declared facts by name; others are free.
        fields: Fields that change, by name.
        additional: Whether a state may hold fields that are not named.
        events: Allowed types of events; None: all.
        links: Verbs of links that its twins may have beside those that all have.
        initial: The first state, or None where there are no states.
        transitions: Moves between states.
        conditions: Expressions by the names that transitions use.
        stages: In their order.
        schedules: As written, by name.
        trusted: DIDs and URLs of issuers whose certificates count; empty: of none by themselves.
        view: ``title card charts map``, as written.
        document: All of it.
    """

    id: str
    name: str
    asset_type: str
    category: str | None
    primary: str
    secondary: tuple[str, ...]
    facts: dict[str, Field]
    fields: dict[str, Field]
    additional: bool
    events: tuple[str, ...] | None
    links: tuple[str, ...]
    initial: str | None
    transitions: tuple[Transition, ...]
    conditions: dict[str, str]
    stages: tuple[str, ...]
    schedules: dict[str, Any]
    trusted: tuple[str, ...]
    view: dict[str, Any]
    document: dict[str, Any]

    def field_at(self, path: tuple[str, ...]) -> Field | None:
        """Return the field or fact at a path, or None where none is declared."""
        known: dict[str, Field] | None = {**self.facts, **self.fields}
        found = None
        for name in path:
            found = (known or {}).get(name)
            known = None if found is None else found.fields
        return found

    @property
    def family(self) -> str:
        """The id without its version: twins of one family share their identifiers."""
        return family(self.id)


FORMAT = 1
"""Version of the compiled form."""


def compiled(document: dict[str, Any], units: dict[str, Any]) -> bytes:
    """Return the bytes that twins pin: a template and its frozen units, in canonical JSON."""
    return canonical.encode({"format": FORMAT, "template": document, "units": units})


def of_compiled(data: bytes) -> tuple[Template, dict[str, Any]]:
    """Return the template and the units in what `compiled` gave.

    Raises:
        InvalidError: ``invalid_template``.
    """
    value = canonical.decode(data, what="the template")
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InvalidError(
            "the template was compiled by another version of twincli",
            code="invalid_template",
            hint="update twincli to read it",
        )
    units = value.get("units")
    if not _are_units(units):
        raise InvalidError("the units of the template are malformed", code="invalid_template")
    return read(value.get("template")), units


def _are_units(value: Any) -> TypeGuard[dict[str, Any]]:
    """Say whether a stranger's template has units that can be converted to."""
    return isinstance(value, dict) and all(
        isinstance(worth, dict)
        and all(
            isinstance(exact, list)
            and len(exact) == 4
            and all(type(part) is int for part in exact)
            and exact[1] > 0
            and exact[3] > 0
            for exact in worth.values()
        )
        for worth in value.values()
    )


def family(template_id: str) -> str:
    """Return a template's id without ``-vN``."""
    return template_id.rpartition("-v")[0]


def version(template_id: str) -> int:
    """Return the N of ``-vN``."""
    return int(template_id.rpartition("-v")[2])


def is_id(text: object) -> bool:
    """Say whether a text is the id of a template: words joined by ``-``, ending in ``-vN``."""
    if not isinstance(text, str) or not 4 <= len(text) <= 64 or not text.isascii():
        return False
    name, dash, number = text.rpartition("-v")
    return (
        bool(name and dash)
        and number.isdigit()
        and (number[0] != "0")
        and name[0].isalnum()
        and name[-1].isalnum()
        and all(character.isalnum() or character == "-" for character in name)
    )


def read(document: Any) -> Template:
    """Return the template in a document.

    Raises:
        InvalidError: ``invalid_template``: the first fault, with its path.
    """
    found = faults(document)
    if found:
        first = found[0]
        where = f"{first.where}: " if first.path else ""
        raise InvalidError(
            f"the template is invalid: {where}{first.message}",
            code="invalid_template",
            hint=f"{first.right}; everything that is wrong: twin template check FILE",
        )
    states = document.get("states") or {}
    return Template(
        id=document["id"],
        name=document["name"],
        asset_type=document["assetType"],
        category=document.get("category"),
        primary=document["identifiers"]["primary"],
        secondary=tuple(document["identifiers"].get("secondary", ())),
        facts=_fields_of(document.get("facts", ())),
        fields=_fields_of(document.get("trackingFields", ())),
        additional=document.get("additionalFields", False),
        events=tuple(document["eventTypes"]) if "eventTypes" in document else None,
        links=tuple(document.get("linkVerbs", ())),
        initial=states.get("initial"),
        transitions=tuple(_transition_of(item) for item in states.get("transitions", ())),
        conditions=dict(states.get("conditions", {})),
        stages=tuple(document.get("stages", ())),
        schedules=dict(document.get("schedules", {})),
        trusted=tuple(document.get("trustedIssuers", ())),
        view=dict(document.get("view", {})),
        document=document,
    )


def _fields_of(items: Any) -> dict[str, Field]:
    return {item["name"]: _field_of(item) for item in items}


def _field_of(item: dict[str, Any]) -> Field:
    quality = item.get("quality", {})
    inner = item.get("items")
    return Field(
        name=item.get("name", ""),
        type=item["type"],
        unit=item.get("unit"),
        own_unit=item.get("ownUnit", False),
        required=item.get("required", False),
        real_time=item.get("realTime", False),
        source=item.get("source"),
        low=item.get("min"),
        high=item.get("max"),
        good_low=quality.get("min"),
        good_high=quality.get("max"),
        values=tuple(item.get("values", ())),
        fields=_fields_of(item["fields"]) if "fields" in item else None,
        items=None if inner is None else _field_of(inner),
        additional=item.get("additionalFields", False),
        access=item.get("access", PUBLIC),
    )


def _transition_of(item: dict[str, Any]) -> Transition:
    conditions = item.get("conditions", {})
    return Transition(
        item["from"],
        item["to"],
        tuple(conditions.get("required", ())),
        tuple(conditions.get("optional", ())),
    )


# --- Checking ----------------------------------------------------------------------------------


def faults(document: Any) -> list[Fault]:
    """Return what is wrong with a document that is to be a template, in its order.

    Only the first `MAX_FAULTS`: a file that is something else has one in every line.
    """
    checker = _Checker()
    try:
        return checker.document(document)
    except _EnoughError:
        return checker.found


class _EnoughError(Exception):
    """So much is wrong that the rest does not matter."""


MEMBERS = (
    "id",
    "name",
    "assetType",
    "category",
    "description",
    "origin",
    "identifiers",
    "facts",
    "trackingFields",
    "additionalFields",
    "eventTypes",
    "linkVerbs",
    "states",
    "stages",
    "schedules",
    "trustedIssuers",
    "view",
    "workflows",
)
"""The members of a template, in the order in which people read them."""

_FIELD_MEMBERS = (
    "name",
    "type",
    "unit",
    "ownUnit",
    "description",
    "label",
    "required",
    "realTime",
    "source",
    "min",
    "max",
    "quality",
    "values",
    "fields",
    "items",
    "additionalFields",
    "access",
)
_VIEW_MEMBERS = ("title", "card", "charts", "map")


class _Checker:
    def __init__(self) -> None:
        self.found: list[Fault] = []
        self.count = 0
        # Looked up for every path that is named, made once.
        self.roots: dict[str, dict[str, Any]] = {}
        self.inner: dict[int, dict[str, dict[str, Any]]] = {}

    def add(self, path: tuple[str | int, ...], message: str, right: str) -> None:
        self.found.append(Fault(path, message, right))
        if len(self.found) >= MAX_FAULTS:
            raise _EnoughError

    # Each of these returns whether the value is of that kind, and says so if it is not.

    def is_object(self, path: tuple[str | int, ...], value: Any, known: tuple[str, ...]) -> bool:
        if not isinstance(value, dict):
            self.add(path, f"{shown(value)} is not an object", "write members in braces")
            return False
        for name in value:
            if known and name not in known:
                meant = near(name, known)
                right = f"did you mean {meant}?" if meant else f"known are {', '.join(known)}"
                self.add((*path, name), f"there is no member {shown(name)}", right)
        return True

    def is_list(self, path: tuple[str | int, ...], value: Any) -> bool:
        if not isinstance(value, list):
            self.add(path, f"{shown(value)} is not a list", "write items in brackets")
            return False
        if len(value) > MAX_ITEMS:
            self.add(path, f"it has {len(value)} items", f"at most {MAX_ITEMS}")
            return False
        return True

    def is_text(self, path: tuple[str | int, ...], value: Any) -> bool:
        if not isinstance(value, str) or not value.strip():
            self.add(path, f"{shown(value)} is not a text", "write a text in quotes")
            return False
        if len(value) > MAX_TEXT:
            self.add(path, f"it has {len(value)} characters", f"at most {MAX_TEXT}")
            return False
        return True

    def is_name(self, path: tuple[str | int, ...], value: Any) -> bool:
        if not self.is_text(path, value):
            return False
        if (
            len(value) > 64
            or not value[0].isalpha()
            or not all(letter.isalnum() or letter in _NAME_MORE for letter in value)
        ):
            self.add(
                path,
                f"{shown(value)} cannot be a name",
                "a letter, then letters, digits, _ and -; at most 64, as in engineHours",
            )
            return False
        if value in RESERVED:
            self.add(path, f"the name {value} is reserved", "choose another one")
            return False
        return True

    def is_truth(self, path: tuple[str | int, ...], value: Any) -> bool:
        if not isinstance(value, bool):
            self.add(path, f"{shown(value)} is not true or false", "write true or false")
            return False
        return True

    def is_number(self, path: tuple[str | int, ...], value: Any) -> bool:
        if type(value) not in {int, float} or not -_LARGEST <= value <= _LARGEST:  # nor NaN
            right = "write a finite number without quotes, such as 0.5 or -5"
            self.add(path, f"{shown(value)} is not a number", right)
            return False
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            self.add(path, f"{shown(value)} has more than 64 bits", "write it as 1e20, or leave it")
            return False
        return True

    def names(self, path: tuple[str | int, ...], value: Any) -> list[str]:
        """Check a list of different names; return those that are good."""
        good: list[str] = []
        if self.is_list(path, value):
            for at, name in enumerate(value):
                if not self.is_name((*path, at), name):
                    continue
                if name in good:
                    self.add((*path, at), f"{name} stands here twice", "name each once")
                else:
                    good.append(name)
        return good

    def document(self, value: Any) -> list[Fault]:
        if not self.is_object((), value, MEMBERS):
            return self.found
        self.heads(value)
        facts = self.fields(("facts",), value.get("facts", []))
        fields = self.fields(("trackingFields",), value.get("trackingFields", []))
        for name in sorted(facts & fields):
            self.add(
                ("facts",), f"{name} is a tracking field, too", "a field is a fact or it changes"
            )
        self.identifiers(value, fields)
        if "additionalFields" in value:
            self.is_truth(("additionalFields",), value["additionalFields"])
        if "eventTypes" in value:
            self.names(("eventTypes",), value["eventTypes"])
        if "linkVerbs" in value:
            self.verbs(("linkVerbs",), value["linkVerbs"])
        if "states" in value:
            self.states(value["states"])
        if "stages" in value:
            stages = self.names(("stages",), value["stages"])
            if not stages and value["stages"] == []:
                self.add(("stages",), "there is no stage", "leave it out, or name the stages")
        if "schedules" in value:
            self.schedules(value["schedules"])
        if "trustedIssuers" in value:
            self.issuers(("trustedIssuers",), value["trustedIssuers"])
        if "view" in value:
            self.view(value["view"])
        if "workflows" in value and self.is_list(("workflows",), value["workflows"]):
            for at, item in enumerate(value["workflows"]):
                self.is_object(("workflows", at), item, ())
        self.references(value)
        return self.found

    def verbs(self, path: tuple[str | int, ...], value: Any) -> None:
        for at, verb in enumerate(self.names(path, value)):
            if not links.is_verb(verb):
                right = "a word of lower-case letters, digits and _, such as powered_by"
                self.add((*path, at), f"{shown(verb)} is not a verb of links", right)
            elif verb in links.VERBS:
                self.add((*path, at), f"all twins have {verb}", "leave it out")

    def issuers(self, path: tuple[str | int, ...], value: Any) -> None:
        if not self.is_list(path, value):
            return
        seen: set[str] = set()
        for at, item in enumerate(value):
            if not self.is_text((*path, at), item):
                continue
            if ":" not in item:
                right = "its DID, such as did:key:z6Mk..., or its URL"
                self.add((*path, at), f"{shown(item)} is not an issuer", right)
            elif item in seen:
                self.add((*path, at), f"{shown(item)} stands here twice", "name each once")
            seen.add(item)

    def heads(self, value: dict[str, Any]) -> None:
        if "id" not in value:
            self.add((), "the member id is missing", "for example id: vehicle-tracking-v1")
        elif not is_id(value["id"]):
            self.add(
                ("id",),
                f"{shown(value['id'])} is not an id",
                "words joined by -, then -v and a number, as in vehicle-tracking-v1",
            )
        for name in ("name", "assetType"):
            if name not in value:
                self.add((), f"the member {name} is missing", f"add {name}: TEXT")
            else:
                self.is_text((name,), value[name])
        for name in ("category", "description", "origin"):
            if name in value:
                self.is_text((name,), value[name])

    def identifiers(self, value: dict[str, Any], fields: set[str]) -> None:
        if "identifiers" not in value:
            self.add(
                (),
                "the member identifiers is missing",
                f"add identifiers: {{primary: {ASSET_ID}}}, or the name of what is unique",
            )
            return
        found = value["identifiers"]
        path = ("identifiers",)
        if not self.is_object(path, found, ("primary", "secondary")):
            return
        named = []
        if "primary" not in found:
            self.add(path, "the member primary is missing", "name what only one thing has")
        elif self.is_name((*path, "primary"), found["primary"]):
            named.append(found["primary"])
        named += self.names((*path, "secondary"), found.get("secondary", []))
        if len(set(named)) < len(named):
            self.add((*path, "secondary"), f"{named[0]} is the primary identifier", "take it out")
        types = {
            item.get("name"): item.get("type")
            for item in _dicts(value.get("facts"))
            if isinstance(item.get("name"), str) and isinstance(item.get("type"), str)
        }
        for name in named:
            if name in fields:
                self.add(path, f"{name} is a tracking field", "an identifier never changes")
            elif types.get(name, "text") in _NO_IDENTIFIERS:
                self.add(
                    path,
                    f"the fact {name} is of type {types[name]}",
                    "an identifier is a text or a whole number",
                )

    def fields(self, path: tuple[str | int, ...], value: Any, depth: int = 1) -> set[str]:
        """Check a list of fields; return their names."""
        names: set[str] = set()
        if not self.is_list(path, value):
            return names
        for at, item in enumerate(value):
            spot = (*path, at)
            if not self.is_object(spot, item, _FIELD_MEMBERS):
                continue
            name = item.get("name")
            if "name" not in item:
                self.add(spot, "the member name is missing", "add name: engineHours")
            elif self.is_name((*spot, "name"), name):
                if name in names:
                    self.add((*spot, "name"), f"there is a field {name} already", "rename one")
                names.add(name)
            self.field(spot, item, depth)
        return names

    def field(self, path: tuple[str | int, ...], given: dict[str, Any], depth: int) -> None:
        self.count += 1
        if self.count == MAX_FIELDS + 1:
            self.add(path, "the template has too many fields", f"at most {MAX_FIELDS}")
        if self.count > MAX_FIELDS:
            return
        # Whatever stands in them is looked up in sets below.
        texts = {name: given.get(name) for name in ("type", "name")}
        item = {**given, **{k: v if isinstance(v, str) else None for k, v in texts.items()}}
        kind = texts["type"]
        if "type" not in given:
            self.add(path, "the member type is missing", f"one of {', '.join(TYPES)}")
        elif kind not in TYPES:
            meant = near(kind, TYPES) if isinstance(kind, str) else None
            right = f"did you mean {meant}?" if meant else f"one of {', '.join(TYPES)}"
            self.add((*path, "type"), f"there is no type {shown(kind)}", right)
        for name in ("required", "realTime", "additionalFields", "ownUnit"):
            if name in item:
                self.is_truth((*path, name), item[name])
        for name in ("description", "label", "source", "unit"):
            if name in item:
                self.is_text((*path, name), item[name])
        if "access" in item and item["access"] not in ACCESS:
            right = f"one of {', '.join(ACCESS)}"
            self.add((*path, "access"), f"{shown(item['access'])} is not an access", right)
        if item.get("realTime") is True:
            self.stream(path, item, depth)
        self.numbers(path, item)
        self.parts(path, item, depth)

    def stream(self, path: tuple[str | int, ...], item: dict[str, Any], depth: int) -> None:
        if depth > 1:
            self.add((*path, "realTime"), "only a whole field can be a stream", "leave it out here")
        elif item.get("name") in RESERVED_STREAMS | RESERVED_LEAVES:
            self.add(
                (*path, "name"),
                f"no stream can be called {item['name']}: the name is reserved",
                "rename the field",
            )
        parts = item.get("fields")
        for at, part in enumerate(parts if isinstance(parts, list) else ()):
            if isinstance(part, dict) and part.get("name") in tuple(RESERVED_LEAVES):
                self.add(
                    (*path, "fields", at, "name"),
                    f"no stream has a part {part['name']}: every reading has one",
                    "rename the part, or leave it out",
                )

    def numbers(self, path: tuple[str | int, ...], item: dict[str, Any]) -> None:
        is_numeric = item.get("type") in NUMERIC
        for name in ("unit", "min", "max", "quality"):
            if name in item and not is_numeric and item.get("type") in TYPES:
                self.add(
                    (*path, name),
                    f"a field of type {item['type']} has no {name}",
                    "leave it out, or use type number",
                )
                return
        if item.get("ownUnit") is True and "unit" not in item:
            self.add((*path, "ownUnit"), "there is no unit", "add unit: WORD")
        self.bounds(path, item)
        quality = item.get("quality")
        if "quality" in item and self.is_object((*path, "quality"), quality, _BOUNDS):
            self.bounds((*path, "quality"), item["quality"])
            low, high = (item["quality"].get(name) for name in _BOUNDS)
            if type(low) in {int, float} and low == high:
                self.add((*path, "quality"), "no value is good", "min is below max")

    def bounds(self, path: tuple[str | int, ...], item: dict[str, Any]) -> None:
        given = [name for name in _BOUNDS if name in item]
        good = [self.is_number((*path, name), item[name]) for name in given]
        if len(given) == 2 and all(good) and item["min"] > item["max"]:
            self.add((*path, "min"), "min is above max", "exchange the two")

    def parts(self, path: tuple[str | int, ...], item: dict[str, Any], depth: int) -> None:
        kind = item.get("type")
        for name, owner in (("values", "enum"), ("fields", "object"), ("items", "list")):
            if name in item and kind != owner and kind in TYPES:
                self.add((*path, name), f"only type {owner} has {name}", f"use type {owner}")
        if kind == "enum":
            self.values(path, item)
        if depth >= MAX_DEPTH and ("fields" in item or "items" in item):
            self.add(path, f"it nests deeper than {MAX_DEPTH}", "use a free object or list")
            return
        if "fields" in item:
            self.fields((*path, "fields"), item["fields"], depth + 1)
        if "items" in item and self.is_object((*path, "items"), item["items"], _FIELD_MEMBERS):
            self.field((*path, "items"), item["items"], depth + 1)

    def values(self, path: tuple[str | int, ...], item: dict[str, Any]) -> None:
        if "values" not in item:
            self.add(path, "the member values is missing", "list the texts that are allowed")
            return
        values = item["values"]
        if not self.is_list((*path, "values"), values):
            return
        if not values:
            self.add((*path, "values"), "there is no value", "list the texts that are allowed")
        good = [self.is_text((*path, "values", at), text) for at, text in enumerate(values)]
        if all(good) and len(set(values)) < len(values):
            self.add((*path, "values"), "a value stands here twice", "list each once")

    def states(self, value: Any) -> None:
        path = ("states",)
        if not self.is_object(path, value, ("initial", "transitions", "conditions")):
            return
        conditions = value.get("conditions", {})
        if self.is_object((*path, "conditions"), conditions, ()):
            for name, text in conditions.items():
                self.condition((*path, "conditions", name), text)
        known = self.transitions(value)
        if "initial" not in value:
            self.add(path, "the member initial is missing", "name the first state")
        elif self.is_name((*path, "initial"), value["initial"]):
            if value["initial"] in known:
                self.reachable(value, value["initial"], known)
                return
            self.add(
                (*path, "initial"),
                f"no transition begins or ends at {value['initial']}",
                f"one of {', '.join(sorted(known))}" if known else "add a transition",
            )

    def reachable(self, value: dict[str, Any], initial: str, known: set[str]) -> None:
        """Report the states that no way leads to, each once."""
        moves: dict[str, list[str]] = {}
        first: dict[str, int] = {}
        for at, item in enumerate(value["transitions"]):
            given = [item.get("from"), item.get("to")] if isinstance(item, dict) else []
            ends = [end for end in given if isinstance(end, str)]
            if len(ends) == 2:
                moves.setdefault(ends[0], []).append(ends[1])
            for end in ends:
                first.setdefault(end, at)
        seen, waiting = {initial}, [initial]
        while waiting:
            new = [end for end in moves.get(waiting.pop(), ()) if end not in seen]
            seen.update(new)
            waiting += new
        for state in sorted(known - seen, key=lambda name: first[name]):
            self.add(
                ("states", "transitions", first[state]),
                f"the state {state} cannot be reached from {initial}",
                f"add a transition to {state}, or take it out",
            )

    def condition(self, path: tuple[str | int, ...], text: Any) -> None:
        self.is_name(path, path[-1])
        if self.is_text(path, text):
            try:
                expression.parse(text)
            except InvalidError as error:
                self.add(path, error.message, error.hint or "")

    def transitions(self, value: dict[str, Any]) -> set[str]:
        known: set[str] = set()
        path: tuple[str | int, ...] = ("states", "transitions")
        if "transitions" not in value:
            self.add(("states",), "the member transitions is missing", "list from and to")
            return known
        if not self.is_list(path, value["transitions"]):
            return known
        pairs: set[tuple[str, str]] = set()
        for at, item in enumerate(value["transitions"]):
            spot = (*path, at)
            if not self.is_object(spot, item, ("from", "to", "conditions")):
                continue
            ends = []
            for name in ("from", "to"):
                if name not in item:
                    self.add(spot, f"the member {name} is missing", f"add {name}: STATE")
                elif self.is_name((*spot, name), item[name]):
                    ends.append(item[name])
            known.update(ends)
            if len(ends) == 2:
                if (ends[0], ends[1]) in pairs:
                    self.add(spot, f"{ends[0]} to {ends[1]} stands here twice", "join the two")
                pairs.add((ends[0], ends[1]))
            asked = item.get("conditions", {})
            if self.is_object((*spot, "conditions"), asked, ("required", "optional")):
                for name in ("required", "optional"):
                    self.names((*spot, "conditions", name), asked.get(name, []))
        return known

    def schedules(self, value: Any) -> None:
        if not self.is_object(("schedules",), value, ()):
            return
        for name, item in value.items():
            path = ("schedules", name)
            self.is_name(path, name)
            if isinstance(item, dict):
                self.is_object(path, item, ("every", "types", "of"))
                if "every" not in item:
                    self.add(path, "the member every is missing", "for example every: quarterly")
                    continue
                self.often((*path, "every"), item["every"])
                if "types" in item:
                    self.names((*path, "types"), item["types"])
                if "of" in item:
                    self.is_text((*path, "of"), item["of"])
            else:
                self.often(path, item)

    def often(self, path: tuple[str | int, ...], value: Any) -> None:
        """Check how often something is due: a word, or a list of them."""
        words = value if isinstance(value, list) else [value]
        if not 1 <= len(words) <= schedules.MAX_RULES:
            count, most = len(words), schedules.MAX_RULES
            self.add(path, f"it has {count} periods", f"write 1 to {most}")
            return
        for at, word in enumerate(words):
            spot = (*path, at) if isinstance(value, list) else path
            if self.is_text(spot, word):
                try:
                    schedules.rule(word)
                except InvalidError as error:
                    self.add(spot, error.message, error.hint or "")

    def view(self, value: Any) -> None:
        if not self.is_object(("view",), value, _VIEW_MEMBERS):
            return
        for name in ("title", "map"):
            if name in value:
                self.is_text(("view", name), value[name])
        for name in ("card", "charts"):
            if name in value and self.is_list(("view", name), value[name]):
                for at, item in enumerate(value[name]):
                    self.is_text(("view", name, at), item)

    # -- What names something else --

    def references(self, value: dict[str, Any]) -> None:
        """Report conditions that nothing asks for, and paths that lead nowhere."""
        self.roots = _named(value.get("trackingFields")) | _named(value.get("facts"))
        identifiers = value.get("identifiers")
        if isinstance(identifiers, dict):
            more = identifiers.get("secondary")
            known = [identifiers.get("primary"), *(more if isinstance(more, list) else ())]
            self.roots = {name: {} for name in known if isinstance(name, str)} | self.roots
        self.roots[ASSET_ID] = {}
        states = value.get("states")
        conditions = states.get("conditions") if isinstance(states, dict) else None
        if isinstance(states, dict) and isinstance(conditions, dict):
            asked = {
                name
                for item in _dicts(states.get("transitions"))
                if isinstance(item.get("conditions"), dict)
                for names in item["conditions"].values()
                if isinstance(names, list)
                for name in names
                if isinstance(name, str)
            }
            for name, text in conditions.items():
                path = ("states", "conditions", name)
                if name not in asked:
                    meant = near(name, sorted(asked - set(conditions)))
                    right = f"did you mean {meant}?" if meant else "name it there, or take it out"
                    self.add(path, f"no transition asks for {shown(name)}", right)
                if isinstance(text, str):
                    self.leads(value, path, text)
        timed = value.get("schedules")
        for name, item in timed.items() if isinstance(timed, dict) else ():
            field = item.get("of") if isinstance(item, dict) else None
            if isinstance(field, str):
                path = ("schedules", name, "of")
                self.found_at(value, path, tuple(field.split(".")), _COUNTING)
        given = value.get("view")
        view: dict[str, Any] = given if isinstance(given, dict) else {}
        for name, kinds in _VIEW_KINDS.items():
            shown_paths = view.get(name)
            for at, text in enumerate(shown_paths if isinstance(shown_paths, list) else ()):
                if isinstance(text, str):
                    self.found_at(value, ("view", name, at), tuple(text.split(".")), kinds)
            if isinstance(shown_paths, str):
                self.found_at(value, ("view", name), tuple(shown_paths.split(".")), kinds)

    def leads(self, value: dict[str, Any], path: tuple[str | int, ...], text: str) -> None:
        try:
            node = expression.parse(text)
        except InvalidError:
            return  # said before
        for found in sorted(expression.paths(node)):
            if found[0] not in RECORDED:
                self.found_at(value, path, found, ())

    def found_at(
        self,
        value: dict[str, Any],
        path: tuple[str | int, ...],
        names: tuple[str, ...],
        kinds: tuple[str, ...],
    ) -> None:
        """Report a path that no fact and no field is at, or one of a type that does not fit."""
        parts = self.roots
        is_free = value.get("additionalFields") is True
        for depth, name in enumerate(names):
            item = parts.get(name)
            if item is None:
                if not is_free and not (depth == 0 and name in RESERVED_STREAMS):
                    meant = near(name, sorted(parts))
                    self.add(
                        path,
                        f"there is no fact or field {shown('.'.join(names[: depth + 1]))}",
                        f"did you mean {meant}?" if meant else "declare it, or take it out",
                    )
                return
            is_last = depth + 1 == len(names)
            if "type" not in item or (item["type"] == "coordinates" and not is_last):
                return
            inner = item.get("fields")
            parts = self.inner.get(id(inner)) or _named(inner)
            self.inner[id(inner)] = parts
            is_free = "fields" not in item or item.get("additionalFields") is True
            kind = item["type"]
            if not is_last and kind in TYPES and kind != "object":
                self.add(path, f"{name} is of type {kind} and has no parts", f"write {name} alone")
                return
        if kinds and kind in TYPES and kind not in kinds:
            self.add(
                path, f"{names[-1]} is of type {kind}", f"a field of type {' or '.join(kinds)}"
            )


_NO_IDENTIFIERS = frozenset({"number", "boolean", "coordinates", "duration", "object", "list"})
_COUNTING = ("number", "integer", "duration")
_VIEW_KINDS: dict[str, tuple[str, ...]] = {
    "title": (),
    "card": (),
    "charts": _COUNTING,
    "map": ("coordinates",),
}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _named(value: Any) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in _dicts(value) if isinstance(item.get("name"), str)}
