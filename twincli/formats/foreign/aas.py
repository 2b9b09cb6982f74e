"""Asset Administration Shells and submodels (version 3, JSON), read into templates.

``aas-core3.0`` reads and verifies the file; what breaks the standard without hindering the reading
is reported, because published templates of submodels do. A shell's submodels become objects, the
elements of a single submodel tracking fields; concept descriptions of the file give units and
values. What an instance says (values, files) belongs to a twin and is reported.

Source: IDTA-01001-3-0, https://github.com/admin-shell-io/aas-specs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError, shown
from twincli.formats.foreign.draft import (
    Draft,
    Imported,
    Path,
    bounded,
    choose,
    invalid,
    template_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_ROOTS = ("assetAdministrationShells", "submodels", "conceptDescriptions")
_ROOT_TYPES = ("AssetAdministrationShell", "Submodel")
_MAX_ERRORS = 100

_TYPES = {
    "xs:boolean": "boolean",
    "xs:date": "datetime",
    "xs:dateTime": "datetime",
    "xs:decimal": "number",
    "xs:double": "number",
    "xs:float": "number",
}
_RANGES: dict[str, tuple[int | None, int | None]] = {
    "xs:integer": (None, None),
    "xs:int": (None, None),
    "xs:long": (None, None),
    "xs:short": (-32768, 32767),
    "xs:byte": (-128, 127),
    "xs:nonNegativeInteger": (0, None),
    "xs:positiveInteger": (1, None),
    "xs:nonPositiveInteger": (None, 0),
    "xs:negativeInteger": (None, -1),
    "xs:unsignedByte": (0, 255),
    "xs:unsignedShort": (0, 65535),
    "xs:unsignedInt": (0, 4294967295),
    "xs:unsignedLong": (0, None),
}
_OF_A_TWIN = "it belongs to a twin: give it to twin asset create or append"
_LOST = {
    "File": "a file belongs to a twin: twin file attach",
    "Blob": "a file belongs to a twin: twin file attach",
    "Operation": "a template says what is, not what to do",
    "Capability": "a template says what is, not what it could do",
    "ReferenceElement": "twins are linked one by one: twin link add",
    "RelationshipElement": "twins are linked one by one: twin link add",
    "AnnotatedRelationshipElement": "twins are linked one by one: twin link add",
    "BasicEventElement": "it names a message of a broker, not an event of the thing",
}
_REQUIRED = {"One", "OneToMany"}


def is_model(value: Any) -> bool:
    """Say whether a JSON value looks like an environment, a shell or a submodel."""
    return isinstance(value, dict) and (
        any(isinstance(value.get(name), list) for name in _ROOTS)
        or value.get("modelType") in _ROOT_TYPES
    )


def read(value: Any, wanted: str | None = None) -> Imported:
    """Return a template of a shell, or of a submodel without one.

    Args:
        value: An environment, a shell or a submodel.
        wanted: The id of the shell or submodel; else the only one.

    Raises:
        InvalidError: ``invalid_model``, with the path.
        UsageError: There are several models to choose from.
        ConfigError: ``missing_extra``: ``aas-core3.0`` is not installed.
    """
    bounded(value)
    if isinstance(value, dict) and value.get("modelType") in _ROOT_TYPES:
        root = _ROOTS[0] if value["modelType"] == "AssetAdministrationShell" else _ROOTS[1]
        value = {root: [value]}
    if not isinstance(value, dict) or not any(name in value for name in _ROOTS):
        raise invalid((), "there is neither a shell nor a submodel", f"one of {', '.join(_ROOTS)}")
    environment, errors = _environment(value)
    draft = Draft()
    for path, why in errors:
        draft.lose((path,), "the conformance to the standard", why)
    return _Maker(environment, draft).one(wanted)


def _environment(value: dict[str, Any]) -> tuple[Any, list[tuple[str, str]]]:
    """Return what the library reads, and what it finds wrong in that."""
    try:
        from aas_core3 import jsonization, verification
    except ImportError as error:
        raise ConfigError(
            "models of Asset Administration Shells need an extra package",
            code="missing_extra",
            hint='pip install "twincli[data]"',
        ) from error
    for name in _ROOTS:
        listed = value.get(name, [])
        if isinstance(listed, list) and any(
            isinstance(item, dict) and isinstance(item.get("modelType"), dict) for item in listed
        ):
            raise invalid((name,), "it is of version 2", "export it again as version 3")
    try:
        # An empty list is refused there, and written by every other tool.
        environment = jsonization.environment_from_jsonable(
            {name: item for name, item in value.items() if item != []}
        )
    except jsonization.DeserializationException as error:
        raise invalid((str(error.path),) if str(error.path) else (), error.cause) from error
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        # The library's own slips over odd values; what it read is not a shell in any case.
        raise invalid((), f"the library for shells cannot read it: {error}"[:200]) from error
    errors: list[tuple[str, str]] = []
    for found in verification.verify(environment):
        if len(errors) == _MAX_ERRORS:
            break
        errors.append((str(found.path).lstrip("."), found.cause))
    return environment, errors


class _Maker:
    def __init__(self, environment: Any, draft: Draft) -> None:
        self.environment = environment
        self.draft = draft
        self.concepts = {item.id: item for item in environment.concept_descriptions or ()}

    def one(self, wanted: str | None) -> Imported:
        """Return the template of a shell, else of the submodel."""
        shells = self.environment.asset_administration_shells or []
        submodels = self.environment.submodels or []
        models = [("shell", item, (_ROOTS[0], at)) for at, item in enumerate(shells)]
        models += [("submodel", item, (_ROOTS[1], at)) for at, item in enumerate(submodels)]
        if not models:
            raise invalid((), "there is neither a shell nor a submodel", "export one with them")
        able = models if wanted is not None else models[: len(shells)] or models
        kind, found, path = able[
            choose([item.id for _, item, _ in able], wanted, "shell or submodel")
        ]
        return self.shell(found, path) if kind == "shell" else self.submodel(found, path)

    def shell(self, shell: Any, path: Path) -> Imported:
        draft = self.draft
        fields: list[dict[str, Any]] = []
        by_id = {item.id: (at, item) for at, item in enumerate(self.environment.submodels or ())}
        for at, reference in enumerate(shell.submodels or ()):
            named = reference.keys[-1].value if reference.keys else ""
            spot = (*path, "submodels", at)
            if named not in by_id:
                draft.lose(spot, f"the submodel {shown(named)}", "it is not in this file")
                continue
            position, submodel = by_id[named]
            inner = (_ROOTS[1], position)
            field = self.named(inner, submodel, fields)
            field["type"] = "object"
            if draft.field(inner, 1):
                field["fields"], facts = self.elements(
                    submodel.submodel_elements or (), (*inner, "submodelElements"), 2
                )
                field["fields"] += facts
            fields.append(field)
            self.rest(submodel, inner)
        information = shell.asset_information
        spot = (*path, "assetInformation")
        for name in ("global_asset_id", "specific_asset_ids", "default_thumbnail"):
            if getattr(information, name) is not None:
                draft.lose((*spot, _camel(name)), f"the {name.replace('_', ' ')}", _OF_A_TWIN)
        if shell.derived_from is not None:
            draft.lose((*path, "derivedFrom"), "the shell that it is derived from", _LINK)
        secondary = []
        facts = []
        for item in information.specific_asset_ids or ():
            taken = [field["name"] for field in (*fields, *facts)]
            if item.name != "assetId" and item.name not in taken:
                name = draft.name((*spot, "specificAssetIds"), item.name, taken)
                facts.append({"name": name, "type": "text"})
                secondary.append(name)
        return self.finish(shell, path, fields, facts, secondary)

    def submodel(self, submodel: Any, path: Path) -> Imported:
        fields, facts = self.elements(
            submodel.submodel_elements or (), (*path, "submodelElements"), 1
        )
        if (
            self.environment.asset_administration_shells is None
            and len(self.environment.submodels or ()) > 1
        ):
            self.draft.lose((_ROOTS[1],), "the other submodels", "a template is made of one model")
        return self.finish(submodel, path, fields, facts, [])

    def finish(
        self,
        model: Any,
        path: Path,
        fields: list[dict[str, Any]],
        facts: list[dict[str, Any]],
        secondary: list[str],
    ) -> Imported:
        draft = self.draft
        version = model.administration.version if model.administration is not None else None
        if model.administration is not None and (
            model.administration.revision is not None or version is not None
        ):
            draft.lose(
                (*path, "administration"), "the revision", "a template has one number, the version"
            )
        self.rest(model, path)
        draft.lose(
            (*path, "id"),
            "an identifier",
            "the model has none, so the twin's name serves (assetId)",
        )
        name = self.label(model, path) or model.id_short or model.id[-100:]
        kind = model.id_short or "asset"
        document: dict[str, Any] = {
            "id": template_id([model.id_short or model.id], version),
            "name": name,
            "assetType": kind,
            "description": self.description(model, path),
            "identifiers": {
                "primary": "assetId",
                **({"secondary": secondary} if secondary else {}),
            },
            "facts": facts,
            "trackingFields": fields,
        }
        return draft.finish(document, model.id)

    # -- Elements of a submodel --

    def elements(
        self, items: Sequence[Any], path: Path, depth: int
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the fields of elements: those that change, and those that are constant."""
        changing: list[dict[str, Any]] = []
        constant: list[dict[str, Any]] = []
        for at, item in enumerate(items):
            spot = (*path, at)
            kind = type(item).__name__
            if kind in _LOST:
                self.draft.lose(spot, f"the {kind} {item.id_short}", _LOST[kind])
                continue
            field = self.named(spot, item, [*changing, *constant])
            self.fill(item, spot, field, depth)
            (constant if item.category == "CONSTANT" else changing).append(field)
            self.cardinality(item, spot, field)
            self.rest(item, spot)
        return changing, constant

    def named(self, path: Path, item: Any, fields: Iterable[dict[str, Any]]) -> dict[str, Any]:
        name = item.id_short or f"{path[-1]}"
        field: dict[str, Any] = {
            "name": self.draft.name((*path, "idShort"), name, (field["name"] for field in fields))
        }
        self.describe(item, path, field)
        return field

    def describe(self, item: Any, path: Path, field: dict[str, Any]) -> None:
        content = self.concept(item)
        label = self.label(item, path)
        about = self.description(item, path)
        if label is None and content is not None:
            label = self.draft.one_text(path, _texts(content.preferred_name))
        if about is None and content is not None:
            about = self.draft.one_text(path, _texts(content.definition))
        if label is not None:
            field["label"] = label
        if about is not None:
            field["description"] = about

    def fill(self, item: Any, path: Path, field: dict[str, Any], depth: int) -> None:
        kind = type(item).__name__
        goes_on = self.draft.field(path, depth)
        if kind == "Property":
            self.plain(item, item.value_type.value, path, field)
            if item.value is not None:
                self.draft.lose((*path, "value"), f"the value {shown(item.value)}", _OF_A_TWIN)
        elif kind == "Range":
            self.range(item, path, field, goes_on=goes_on)
        elif kind == "MultiLanguageProperty":
            field["type"] = "object"
            self.draft.lose(path, "that its parts are languages", "the object is free")
            if item.value is not None:
                self.draft.lose((*path, "value"), "the texts", _OF_A_TWIN)
        elif kind == "SubmodelElementList":
            self.list(item, path, field, depth, goes_on=goes_on)
        else:  # SubmodelElementCollection, Entity
            field["type"] = "object"
            inside = item.statements if kind == "Entity" else item.value
            if kind == "Entity":
                self.draft.lose(
                    path, "that it is a thing of its own", "make it a twin and link the two"
                )
            if goes_on and inside:
                spot = (*path, "statements" if kind == "Entity" else "value")
                parts, facts = self.elements(inside, spot, depth + 1)
                field["fields"] = [*parts, *facts]

    def plain(self, item: Any, value_type: str, path: Path, field: dict[str, Any]) -> None:
        spot = (*path, "valueType")
        if value_type in _RANGES:
            field["type"] = "integer"
            self.draft.bounds(spot, field, *_RANGES[value_type])
        else:
            field["type"] = _TYPES.get(value_type, "text")
            if value_type == "xs:date":
                self.draft.lose(
                    spot, "the type xs:date", "a field of type datetime takes times of day, too"
                )
            elif value_type not in {*_TYPES, "xs:string"}:
                self.draft.lose(
                    spot, f"the type {value_type}", "a field of type text takes any text"
                )
        content = self.concept(item)
        if content is None:
            return
        if content.value_list is not None and field["type"] == "text":
            pairs = content.value_list.value_reference_pairs
            self.draft.choices(path, field, [pair.value for pair in pairs])
        unit = content.unit
        if unit is None and content.unit_id is not None and content.unit_id.keys:
            unit = content.unit_id.keys[-1].value
        if unit is not None:
            self.draft.unit(path, unit, field)

    def range(self, item: Any, path: Path, field: dict[str, Any], *, goes_on: bool) -> None:
        field["type"] = "object"
        for name in ("min", "max"):
            if getattr(item, name) is not None:
                self.draft.lose(
                    (*path, name), f"the value {shown(getattr(item, name))}", _OF_A_TWIN
                )
        if goes_on:
            parts = []
            for name in ("min", "max"):
                self.draft.field(path, 1)
                part: dict[str, Any] = {"name": name}
                self.plain(item, item.value_type.value, path, part)
                parts.append(part)
            field["fields"] = parts

    def list(
        self, item: Any, path: Path, field: dict[str, Any], depth: int, *, goes_on: bool
    ) -> None:
        field["type"] = "list"
        if not goes_on:
            return
        kind = item.type_value_list_element.value
        inner: dict[str, Any] = {}
        if kind in _LOST:
            self.draft.lose(path, f"a list of {kind}", _LOST[kind])
            return
        if item.value_type_list_element is not None and kind == "Property":
            self.draft.field(path, 1)
            self.plain(item, item.value_type_list_element.value, path, inner)
            if item.value:
                self.draft.lose((*path, "value"), f"the {len(item.value)} values", _OF_A_TWIN)
        elif item.value:
            # What the items have in common is not said; the first one is the pattern.
            self.describe(item.value[0], (*path, "value", 0), inner)
            self.fill(item.value[0], (*path, "value", 0), inner, depth + 1)
            if len(item.value) > 1:
                self.draft.lose(
                    (*path, "value", 1), "the other items", "the first one is taken as the pattern"
                )
        else:
            self.draft.lose(path, f"that its items are each a {kind}", "the list is free")
            return
        field["items"] = inner

    def cardinality(self, item: Any, path: Path, field: dict[str, Any]) -> None:
        for at, qualifier in enumerate(item.qualifiers or ()):
            if qualifier.type in {"SMT/Cardinality", "Cardinality", "Multiplicity"}:
                if qualifier.value in _REQUIRED:
                    field["required"] = True
                if qualifier.value in {"OneToMany", "ZeroToMany"}:
                    self.draft.lose(
                        (*path, "qualifiers", at), "that there may be several", "write a list"
                    )
            else:
                self.draft.lose(
                    (*path, "qualifiers", at),
                    f"the qualifier {shown(qualifier.type)}",
                    "a template has no such member",
                )

    # -- Concepts, texts, and what else stands there --

    def concept(self, item: Any) -> Any:
        """Return the description of an element by IEC 61360, its own or its concept's."""
        semantic = item.semantic_id if hasattr(item, "semantic_id") else None
        named = semantic.keys[-1].value if semantic is not None and semantic.keys else None
        for holder in (item, self.concepts.get(named)):
            for embedded in (holder and holder.embedded_data_specifications) or ():
                content = embedded.data_specification_content
                if type(content).__name__ == "DataSpecificationIEC61360":
                    return content
        return None

    def label(self, item: Any, path: Path) -> str | None:
        return self.draft.one_text((*path, "displayName"), _texts(item.display_name))

    def description(self, item: Any, path: Path) -> str | None:
        return self.draft.one_text((*path, "description"), _texts(item.description))

    def rest(self, item: Any, path: Path) -> None:
        """Report what of an element has no place in a template."""
        for name, what in (
            ("semantic_id", "the semantic id"),
            ("supplemental_semantic_ids", "the supplemental semantic ids"),
            ("extensions", "the extensions"),
            ("value_id", "the id of the value"),
            ("embedded_data_specifications", "more of the data specification than is used here"),
        ):
            if getattr(item, name, None):
                self.draft.lose((*path, _camel(name)), what, "a template has no such member")
        if item.category and item.category != "CONSTANT":
            self.draft.lose(
                (*path, "category"),
                f"the category {shown(item.category)}",
                "it has no meaning here",
            )


_LINK = "twins are linked one by one: twin link add"


def _texts(items: Sequence[Any] | None) -> dict[str, str]:
    return {item.language: item.text for item in items or ()}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
