"""Asset Administration Shells and submodels."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.changed import VALUES, changed
from twincli.errors import ConfigError, InvalidError, UsageError, place
from twincli.formats.foreign import aas
from twincli.formats.foreign.draft import Imported
from twincli.model import template

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "twin_models.json").read_text())
SHELL, SUBMODEL = (VECTORS["models"][at]["document"] for at in (4, 5))


def lost(found: Imported) -> dict[str, str]:
    return {place(loss.path): loss.why for loss in found.losses}


def prop(name: str, value_type: str = "xs:double", **more: Any) -> dict[str, Any]:
    return {"modelType": "Property", "idShort": name, "valueType": value_type, **more}


def submodel(*elements: dict[str, Any], name: str = "Nameplate", **more: Any) -> dict[str, Any]:
    return {
        "modelType": "Submodel",
        "id": f"urn:x:{name}",
        "idShort": name,
        **({"submodelElements": list(elements)} if elements else {}),
        **more,
    }


def iec(**content: Any) -> list[dict[str, Any]]:
    named = content.pop("name", "Name")
    return [
        {
            "dataSpecification": {
                "type": "ExternalReference",
                "keys": [{"type": "GlobalReference", "value": "urn:iec"}],
            },
            "dataSpecificationContent": {
                "modelType": "DataSpecificationIec61360",
                "preferredName": [{"language": "en", "text": named}],
                **content,
            },
        }
    ]


def test_the_samples() -> None:
    found = aas.read(SUBMODEL)
    assert found.document["origin"] == SUBMODEL["submodels"][0]["id"]
    assert "submodels[0].submodelElements[0]" in lost(found)
    found = aas.read(SHELL)
    assert found.document["assetType"] == SHELL["assetAdministrationShells"][0]["idShort"]
    assert "not in this file" in lost(found)["assetAdministrationShells[0].submodels[0]"]
    # A submodel may stand alone.
    assert aas.read(SUBMODEL["submodels"][0]).document == aas.read(SUBMODEL).document


@pytest.mark.parametrize(
    ("element", "field"),
    [
        (prop("p", "xs:boolean"), {"type": "boolean"}),
        (prop("p", "xs:unsignedByte"), {"type": "integer", "min": 0, "max": 255}),
        (prop("p", "xs:date"), {"type": "datetime"}),
        (prop("p", "xs:anyURI"), {"type": "text"}),
        (
            prop("p", embeddedDataSpecifications=iec(unit="°C", name="Temperature")),
            {"type": "number", "unit": "C", "label": "Temperature"},
        ),
        (
            prop(
                "p",
                "xs:string",
                embeddedDataSpecifications=iec(
                    valueList={
                        "valueReferencePairs": [
                            {
                                "value": text,
                                "valueId": {
                                    "type": "ExternalReference",
                                    "keys": [{"type": "GlobalReference", "value": f"urn:{text}"}],
                                },
                            }
                            for text in ("on", "off")
                        ]
                    }
                ),
            ),
            {"type": "enum", "values": ["on", "off"], "label": "Name"},
        ),
        (
            {"modelType": "Range", "idShort": "p", "valueType": "xs:int", "min": "1"},
            {
                "type": "object",
                "fields": [{"name": "min", "type": "integer"}, {"name": "max", "type": "integer"}],
            },
        ),
        ({"modelType": "MultiLanguageProperty", "idShort": "p"}, {"type": "object"}),
        (
            {"modelType": "SubmodelElementCollection", "idShort": "p", "value": [prop("x")]},
            {"type": "object", "fields": [{"name": "x", "type": "number"}]},
        ),
        (
            {
                "modelType": "SubmodelElementList",
                "idShort": "p",
                "typeValueListElement": "Property",
                "valueTypeListElement": "xs:double",
            },
            {"type": "list", "items": {"type": "number"}},
        ),
        (
            {
                "modelType": "SubmodelElementList",
                "idShort": "p",
                "typeValueListElement": "SubmodelElementCollection",
                "value": [{"modelType": "SubmodelElementCollection", "value": [prop("x")]}],
            },
            {
                "type": "list",
                "items": {"type": "object", "fields": [{"name": "x", "type": "number"}]},
            },
        ),
        (
            {
                "modelType": "SubmodelElementList",
                "idShort": "p",
                "typeValueListElement": "SubmodelElementCollection",
            },
            {"type": "list"},
        ),
        (
            {
                "modelType": "SubmodelElementList",
                "idShort": "p",
                "typeValueListElement": "File",
            },
            {"type": "list"},
        ),
        (
            {
                "modelType": "Entity",
                "idShort": "p",
                "entityType": "CoManagedEntity",
                "statements": [prop("x")],
            },
            {"type": "object", "fields": [{"name": "x", "type": "number"}]},
        ),
        (
            prop(
                "p",
                qualifiers=[{"type": "SMT/Cardinality", "valueType": "xs:string", "value": "One"}],
            ),
            {"type": "number", "required": True},
        ),
    ],
)
def test_elements(element: dict[str, Any], field: dict[str, Any]) -> None:
    found = aas.read(submodel(element))
    assert found.document["trackingFields"] == [{"name": "p", **field}]


def test_a_constant_is_a_fact_and_concepts_are_looked_up() -> None:
    semantic = {
        "type": "ExternalReference",
        "keys": [{"type": "GlobalReference", "value": "urn:weight"}],
    }
    found = aas.read(
        {
            "submodels": [
                submodel(
                    prop("weight", semanticId=semantic, category="CONSTANT"),
                    prop("load", category="VARIABLE", value="3.5"),
                    {"modelType": "File", "idShort": "manual", "contentType": "a/b"},
                    {"modelType": "Operation", "idShort": "go"},
                )
            ],
            "conceptDescriptions": [
                {
                    "modelType": "ConceptDescription",
                    "id": "urn:weight",
                    "embeddedDataSpecifications": iec(
                        unit="kg", definition=[{"language": "en", "text": "how heavy"}]
                    ),
                }
            ],
        }
    )
    assert found.document["facts"] == [
        {
            "name": "weight",
            "label": "Name",
            "description": "how heavy",
            "type": "number",
            "unit": "kg",
        }
    ]
    gone = lost(found)
    where = "submodels[0].submodelElements"
    assert {f"{where}[1].value", f"{where}[2]", f"{where}[3]", f"{where}[0].semanticId"} <= set(
        gone
    )


def test_a_shell_has_its_submodels_as_objects() -> None:
    shell = {
        "modelType": "AssetAdministrationShell",
        "id": "urn:x:pump",
        "idShort": "Pump",
        "administration": {"version": "3"},
        "assetInformation": {
            "assetKind": "Instance",
            "globalAssetId": "urn:x:a",
            "specificAssetIds": [{"name": "serialNumber", "value": "7"}],
        },
        "submodels": [
            {"type": "ModelReference", "keys": [{"type": "Submodel", "value": "urn:x:Nameplate"}]}
        ],
    }
    found = aas.read(
        {"assetAdministrationShells": [shell], "submodels": [submodel(prop("year", "xs:int"))]}
    )
    assert found.document["id"] == "pump-v3"
    assert found.document["identifiers"] == {"primary": "assetId", "secondary": ["serialNumber"]}
    (field,) = found.document["trackingFields"]
    assert field["fields"] == [{"name": "year", "type": "integer"}]
    assert "assetAdministrationShells[0].assetInformation.globalAssetId" in lost(found)


def test_of_several_models_one_is_chosen() -> None:
    both = {"submodels": [submodel(prop("a")), submodel(prop("b"), name="Other")]}
    with pytest.raises(UsageError) as caught:
        aas.read(both)
    assert "urn:x:Nameplate, urn:x:Other" in str(caught.value.hint)
    assert aas.read(both, "urn:x:Other").document["trackingFields"][0]["name"] == "b"


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ({"submodels": 3}, "submodels"),
        ({"submodels": [{"modelType": "Submodel"}]}, "submodels[0]"),
        ({"submodels": [{"modelType": {"name": "Submodel"}}]}, "version 2"),
        ({"submodels": []}, "neither a shell nor a submodel"),
        ({"conceptDescriptions": []}, "neither a shell nor a submodel"),
        ([], "neither"),
        ({"submodels": [submodel({"modelType": "Property", "idShort": "p"})]}, "valueType"),
        ({"submodels": [submodel({"modelType": "Nothing"})]}, "model type"),
        ({"submodels": [submodel(prop("p", "xs:nothing"))]}, "valueType"),
    ],
)
def test_what_is_refused(value: Any, part: str) -> None:
    with pytest.raises(InvalidError) as caught:
        aas.read(value)
    assert caught.value.code == "invalid_model"
    assert part in caught.value.message


def test_what_breaks_the_standard_is_reported_and_read() -> None:
    found = aas.read(submodel(prop("p", "xs:int", value="much")))
    assert "consistent with the value type" in lost(found)["submodels[0].submodel_elements[0]"]
    assert found.document["trackingFields"][0]["type"] == "integer"


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aas_core3", None)
    with pytest.raises(ConfigError) as caught:
        aas.read(SUBMODEL)
    assert caught.value.code == "missing_extra"


def test_depth_is_bounded() -> None:
    element = prop("p")
    for _ in range(20):
        element = {"modelType": "SubmodelElementCollection", "idShort": "c", "value": [element]}
    assert any("nest" in why for why in lost(aas.read(submodel(element))).values())
    for _ in range(100):
        element = {"modelType": "SubmodelElementCollection", "idShort": "c", "value": [element]}
    with pytest.raises(InvalidError, match="nests deeper"):
        aas.read(submodel(element))


@given(st.data())
def test_a_changed_model_is_read_or_refused(data: st.DataObject) -> None:
    odd = st.sampled_from(["Property", ["x"], {"modelType": "Property"}])
    model = data.draw(st.sampled_from([SHELL, SUBMODEL]))
    document = changed(data, model, VALUES | odd)
    try:
        found = aas.read(document)
    except (InvalidError, UsageError):
        return
    assert template.faults(found.document) == []
