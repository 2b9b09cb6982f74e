"""A twin as an Asset Administration Shell, version 3.0, in JSON.

The shell has a submodel each for facts, state and history. Names that the standard does not allow
are changed, and the name as it was becomes the display name.

Source: IDTA-01001-3-0, https://github.com/admin-shell-io/aas-specs.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from twincli.errors import ConfigError, cut
from twincli.formats.twins.portrait import (
    MAX_NESTING,
    Happening,
    Loss,
    Portrait,
    Words,
    Written,
    line,
)
from twincli.model.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twincli.model.template import Field

_LONGEST_NAME: Final = 128
_LONGEST_LABEL: Final = 64  # of a display name, in characters


def write(found: Portrait) -> Written:
    """Return a twin as an environment of one shell.

    Raises:
        ConfigError: ``missing_extra``: ``aas-core3.0`` is not installed.
    """
    try:
        from aas_core3 import jsonization, types
    except ImportError as error:
        raise ConfigError(
            "Asset Administration Shells need an extra package",
            code="missing_extra",
            hint='pip install "twincli[data]"',
        ) from error
    maker = _Maker(types)
    submodels = []
    for name, members in (("Facts", found.facts), ("State", found.state)):
        elements = list(maker.members(members, found.declared, f"{name.lower()}.", 1))
        submodels.append(maker.submodel(found, name, elements))
    submodels.append(maker.submodel(found, "History", [maker.history(found)]))
    names = Words(_LONGEST_NAME)
    shell = types.AssetAdministrationShell(
        id=found.did,
        id_short=maker.short(names, found.name),
        display_name=maker.label(found.name),
        asset_information=types.AssetInformation(
            asset_kind=types.AssetKind.INSTANCE,
            global_asset_id=found.did,
            specific_asset_ids=[types.SpecificAssetID(name="ledgerId", value=found.id)],
        ),
        submodels=[
            types.Reference(
                type=types.ReferenceTypes.MODEL_REFERENCE,
                keys=[types.Key(type=types.KeyTypes.SUBMODEL, value=submodel.id)],
            )
            for submodel in submodels
        ],
    )
    environment = types.Environment(asset_administration_shells=[shell], submodels=submodels)
    return Written(jsonization.to_jsonable(environment), tuple(maker.losses))


class _Maker:
    """Makes elements with the library's types, which are slow to load."""

    def __init__(self, types: Any) -> None:
        self.types = types
        self.losses: list[Loss] = []

    def submodel(self, found: Portrait, name: str, elements: list[Any]) -> Any:
        return self.types.Submodel(
            id=f"{found.did}#{name.lower()}",
            id_short=name,
            kind=self.types.ModellingKind.INSTANCE,
            submodel_elements=elements or None,
        )

    def history(self, found: Portrait) -> Any:
        types = self.types
        return types.SubmodelElementList(
            id_short="Happenings",
            type_value_list_element=types.AASSubmodelElements.SUBMODEL_ELEMENT_COLLECTION,
            order_relevant=True,
            value=[
                types.SubmodelElementCollection(value=list(self._happening(each)))
                for each in found.happenings
            ]
            or None,
        )

    def _happening(self, happened: Happening) -> Iterator[Any]:
        texts = {
            "Kind": happened.kind,
            "What": happened.what,
            "Location": happened.location or "",
            "Transaction": happened.transaction,
            "Signers": " ".join(happened.signers),
            "Owners": " ".join(happened.owners),
        }
        yield self._property("At", "DATE_TIME", happened.at)
        for name, text in texts.items():
            if text:
                yield self._property(name, "STRING", visible(text))

    def members(
        self, members: Mapping[str, Any], declared: Mapping[str, Field], prefix: str, depth: int
    ) -> Iterator[Any]:
        """Yield an element for each member of an object."""
        words = Words(_LONGEST_NAME)
        for name, value in members.items():
            field = declared.get(name)
            element = self._element(value, field, f"{prefix}{name}", depth)
            element.id_short = self.short(words, name)
            if element.id_short != name:
                element.display_name = self.label(name) if name else None
            if field is not None and field.unit is not None:
                element.extensions = [
                    self.types.Extension(
                        name="unit", value_type=self._type("STRING"), value=field.unit
                    )
                ]
            yield element

    def _element(self, value: Any, field: Field | None, path: str, depth: int) -> Any:
        if isinstance(value, dict) and depth < MAX_NESTING:
            inner = (field.fields if field is not None else None) or {}
            parts = list(self.members(value, inner, f"{cut(path)}.", depth + 1))
            return self.types.SubmodelElementCollection(value=parts or None)
        if isinstance(value, (dict, list)):
            self.losses.append(Loss(path, "written as JSON in a text"))
            value = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        kind, text = _lexical(value)
        if kind == "STRING" and text is not None and visible(text) != text:
            self.losses.append(Loss(path, "characters that XML does not allow are escaped"))
            text = visible(text)
        return self._property(None, kind, text)

    def _property(self, name: str | None, kind: str, text: str | None) -> Any:
        return self.types.Property(id_short=name, value_type=self._type(kind), value=text)

    def _type(self, kind: str) -> Any:
        return self.types.DataTypeDefXSD[kind]

    def short(self, words: Words, name: str) -> str:
        found = words.name(name)
        return found if len(found) > 1 else words.name(f"{found}_0")

    def label(self, name: str) -> list[Any]:
        return [self.types.LangStringNameType(language="en", text=line(name, _LONGEST_LABEL))]


def _lexical(value: Any) -> tuple[str, str | None]:
    """Return the XML Schema type of a value, and how it is written there."""
    if value is None:
        return "STRING", None
    if isinstance(value, bool):
        return "BOOLEAN", "true" if value else "false"
    if isinstance(value, int):
        return "LONG", str(value)
    if isinstance(value, float):
        assert math.isfinite(value)
        return "DOUBLE", repr(value)
    return "STRING", str(value)
