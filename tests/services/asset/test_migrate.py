"""Moving twins between templates: what is pinned, converted, refused, and who has an identifier."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.errors import ConflictError, InvalidError, NotFoundError, UsageError
from twincli.ledger import state
from twincli.model import record
from twincli.model.edits import Edit
from twincli.model.template import read
from twincli.services import catalogue
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import Writing
from twincli.services.template import templates

CAR: dict[str, Any] = {
    "id": "car-v1",
    "name": "Car",
    "assetType": "vehicle",
    "identifiers": {"primary": "vin"},
    "facts": [{"name": "tank", "type": "number", "unit": "l"}],
    "trackingFields": [
        {"name": "mileage", "type": "number", "unit": "miles"},
        {"name": "color", "type": "text"},
        {"name": "load", "type": "number", "unit": "kg"},
        {
            "name": "tyres",
            "type": "list",
            "items": {
                "type": "object",
                "fields": [{"name": "pressure", "type": "number", "unit": "bar"}],
            },
        },
    ],
}
METRIC: dict[str, Any] = {
    **CAR,
    "id": "car-v2",
    "facts": [{"name": "tank", "type": "number", "unit": "m3"}],
    "trackingFields": [
        {"name": "mileage", "type": "number", "unit": "km", "max": 30000},
        {"name": "load", "type": "number", "unit": "m"},
        {
            "name": "tyres",
            "type": "list",
            "items": {
                "type": "object",
                "fields": [{"name": "pressure", "type": "number", "unit": "kPa"}],
            },
        },
        {"name": "inspected", "type": "boolean", "required": True},
    ],
}
LORRY: dict[str, Any] = {**CAR, "id": "lorry-v1", "additionalFields": True}


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        made.key("alice")
        made.key("bob")
        for document in (CAR, METRIC, LORRY):
            model = read(document)
            templates.register(made.workspace, model)
        yield made


def car(rooms: Rooms, name: str = "car", vin: str = "X1", **more: Any) -> dict[str, Any]:
    data = {"vin": vin, "mileage": 100, **more}
    return writes.create(rooms.workspace, name, Definition(data, template="car-v1"))


def test_what_is_written_and_what_is_said(rooms: Rooms) -> None:
    tyres = [{"pressure": 2}, {"pressure": 2.5}]
    car(rooms, tank=50, color="red", load=5, tyres=tyres)
    moved = writes.migrate(rooms.workspace, "car", "car-v2")
    assert (moved["template"], moved["template_cid"]) == (
        "car-v2",
        catalogue.find(rooms.workspace, "car-v2").cid,
    )
    assert moved["state"] == {
        "mileage": 160.9344,
        "color": "red",
        "load": 5,
        "tyres": [{"pressure": 200.0}, {"pressure": 250.0}],
    }
    assert moved["data"]["tank"] == 50
    warnings = "\n".join(moved["warnings"])
    for part in (
        "fact tank was written in l, and car-v2 has it in m3",
        "car-v2 requires inspected, which is missing",
        "car-v2 has no field color",
        "kg is not a unit of what is measured in m",
        "mileage was 100 miles and is converted: 160.9344",
        "tyres[1].pressure was 2.5 bar and is converted: 250",
    ):
        assert part in warnings
    tx = rooms.ledger.get(moved["transaction_id"])
    assert tx is not None
    envelope = tx["metadata"]["twin"]
    assert envelope["kind"] == "migrate"
    assert {"path": "mileage", "value": "100", "unit": "miles"} in envelope["given"]
    # What is written later is held to the new template.
    with pytest.raises(InvalidError, match="no field 'color'"):
        writes.append(rooms.workspace, "car", {"color": "blue"})
    written = writes.append(rooms.workspace, "car", {"mileage": "1 mi"})
    assert written["state"]["mileage"] == 1.609344
    given = writes.transfer(rooms.workspace, "car", to="bob", base={"mileage": "2 mi"})
    assert given["state"]["mileage"] == 3.218688


def test_beyond_the_new_range_is_suspect(rooms: Rooms) -> None:
    car(rooms, mileage=20000)
    moved = writes.migrate(rooms.workspace, "car", "car-v2")
    tx = rooms.ledger.get(moved["transaction_id"])
    assert tx is not None
    assert tx["metadata"]["twin"]["suspect"] == ["mileage"]
    assert "mileage is not at most 30000 km" in moved["warnings"]


def test_a_dry_run_says_the_same_and_writes_nothing(rooms: Rooms) -> None:
    made = car(rooms)
    planned = writes.migrate(rooms.using(dry_run=True), "car", "car-v2")
    assert rooms.count(made["id"]) == 1
    assert (planned["template"], planned["transaction_id"]) == ("car-v2", None)
    moved = writes.migrate(rooms.workspace, "car", "car-v2")
    for name in ("template", "template_cid", "state", "written", "warnings"):
        assert planned[name] == moved[name]


def test_a_long_history_knows_its_template(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "SHORT", 2)
    monkeypatch.setattr(state, "EVERY", 4)
    made = car(rooms)
    writes.migrate(rooms.workspace, "car", "car-v2")
    for number in range(12):
        writes.append(rooms.workspace, "car", {"mileage": number})
    found = rooms.ledger.replay(made["id"])
    assert found is not None
    assert found.pin is not None
    assert found.pin.template == "car-v2"
    with pytest.raises(InvalidError, match="no field 'color'"):
        writes.append(rooms.workspace, "car", {"color": "blue"})
    assert rooms.ledger.verify_index() in (None, [])


def test_a_twin_without_a_template_gets_one(rooms: Rooms) -> None:
    writes.create(rooms.workspace, "old", Definition({"vin": "X9"}, state={"mileage": "5 km"}))
    moved = writes.migrate(rooms.workspace, "old", "car-v2")
    assert (moved["template"], moved["state"]) == ("car-v2", {"mileage": "5 km"} | {"mileage": 5.0})
    writes.create(rooms.workspace, "nameless", Definition({}))
    with pytest.raises(InvalidError, match="vin") as caught:
        writes.migrate(rooms.workspace, "nameless", "car-v2")
    assert caught.value.code == "missing_identifier"


def test_its_own_name_identifies_a_twin(rooms: Rooms) -> None:
    writes.create(rooms.workspace, "P-1", Definition({}))
    moved = writes.migrate(rooms.workspace, "P-1", "product-lifecycle-v1")
    assert moved["template"] == "product-lifecycle-v1"


def test_what_is_refused(rooms: Rooms) -> None:
    car(rooms)
    with pytest.raises(ConflictError, match="already follows car-v1") as caught:
        writes.migrate(rooms.workspace, "car", "car-v1")
    assert caught.value.code == "same_template"
    with pytest.raises(NotFoundError) as missing:
        writes.migrate(rooms.workspace, "car", "car-v7")
    assert missing.value.code == "missing_template"
    with pytest.raises(UsageError, match="--bare"):
        writes.migrate(rooms.workspace, "car", "car-v2", Writing(bare=True))
    with pytest.raises(InvalidError, match="registers a template"):
        writes.migrate(rooms.workspace, "car-v1", "car-v2")
    writes.create(rooms.workspace, "many", Definition({"vin": "M"}, amount=5, template="car-v1"))
    writes.transfer(rooms.workspace, "many", outs=["2:bob"])
    with pytest.raises(ConflictError, match="split") as split:
        writes.migrate(rooms.using("alice"), "many", "car-v2")
    assert split.value.code in {"several_outputs", "ambiguous"}


def test_a_family_knows_each_identifier_once(rooms: Rooms) -> None:
    car(rooms)
    writes.create(rooms.workspace, "other", Definition({"vin": "x1"}))
    with pytest.raises(ConflictError) as caught:
        writes.migrate(rooms.workspace, "other", "car-v2")
    assert caught.value.code == "duplicate_twin"
    # Within the family it is kept, in another one it is free again.
    writes.migrate(rooms.workspace, "car", "car-v2")
    with pytest.raises(ConflictError, match="already has a twin"):
        car(rooms, "second")
    writes.migrate(rooms.workspace, "car", "lorry-v1")
    writes.migrate(rooms.workspace, "other", "car-v1")
    with pytest.raises(ConflictError, match="already has a twin"):
        writes.migrate(rooms.workspace, "car", "car-v2")
    assert rooms.ledger.store.wrong_primary_ids() == 0


def test_a_retry_with_a_token_moves_once(rooms: Rooms) -> None:
    made = car(rooms)
    once = Writing(once="T")
    first = writes.migrate(rooms.workspace, "car", "lorry-v1", once)
    writes.append(rooms.workspace, "car", {"mileage": "5 km"}, (), Writing(once="A"))
    back = writes.migrate(rooms.workspace, "car", "car-v2")
    assert rooms.count(made["id"]) == 4
    again = writes.migrate(rooms.workspace, "car", "lorry-v1", once)
    assert again["transaction_id"] == first["transaction_id"]
    assert again["template"] == back["template"] == "car-v2"
    # An append is compared as the template took it that it met.
    writes.append(rooms.workspace, "car", {"mileage": "5 km"}, (), Writing(once="A"))
    assert rooms.count(made["id"]) == 4
    with pytest.raises(ConflictError) as caught:
        writes.migrate(rooms.workspace, "car", "car-v1", once)
    assert caught.value.code == "once_mismatch"
    edit = [Edit(("mileage",), "7 km")]
    writes.append(rooms.workspace, "car", {}, edit, Writing(once="B"))
    writes.append(rooms.workspace, "car", {}, edit, Writing(once="B"))
    assert rooms.count(made["id"]) == 5


def test_a_template_that_is_not_here_can_be_left(rooms: Rooms) -> None:
    made = car(rooms)
    pinned = {"v": 1, "kind": "migrate", "template": "gone-v1", "template_cid": "bafkgone"}
    writes.append(rooms.workspace, "car", {"mileage": 1})
    tx = rooms.ledger.get(made["id"])
    assert tx is not None
    assert record.kind_of({"twin": pinned}) == "migrate"
    from tests.services.asset.raw import self_transfer

    self_transfer(rooms, made["id"], "alice", {"twin": pinned})
    with pytest.raises(NotFoundError) as caught:
        writes.append(rooms.workspace, "car", {"mileage": 2})
    assert caught.value.code == "missing_template"
    moved = writes.migrate(rooms.workspace, "car", "car-v1")
    assert "gone-v1 is not here" in moved["warnings"][0]
