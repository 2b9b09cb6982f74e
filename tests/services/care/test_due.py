"""What is due: for one twin and all, by the calendar, by use, and by what others said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.content.store import Blobs
from twincli.errors import NotFoundError, UsageError
from twincli.model.edits import Edit
from twincli.services.asset import append, transfer
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import Writing
from twincli.services.care import calendar, maintenance
from twincli.services.care import due as service
from twincli.services.care.maintenance import Work
from twincli.services.cert import issue as issuing
from twincli.services.cert.issue import Wanted
from twincli.services.documents import Maintained
from twincli.services.record.attachments import Stores
from twincli.services.record.say import say

CREATED = "2030-03-17T17:46:40.000Z"  # what the clock of the rooms shows


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        made.key("alice")
        made.key("garage")
        yield made


def make(rooms: Rooms, name: str, data: dict[str, Any], **more: Any) -> str:
    made = writes.create(rooms.workspace, name, Definition(data, owner="alice", **more))
    return str(made["id"])


def work(rooms: Rooms, name: str, kind: str, at: str | None = None, *keys: str, **more: Any) -> str:
    given, writing = Work(type=kind, **more), Writing(at=at)
    made: Any = maintenance.add(rooms.using(*keys or ("alice",)), name, given, writing)
    return str(made["transaction_id"])


def event(rooms: Rooms, name: str, kind: str, at: str, data: dict[str, Any]) -> None:
    body = {"type": kind, "data": data}
    say(rooms.using("alice"), name, "event", body, Writing(at=at))


def set_(rooms: Rooms, name: str, path: str, value: Any, at: str | None = None) -> None:
    edit = Edit(tuple(path.split(".")), value)
    append.append(rooms.workspace, name, {}, [edit], Writing(at=at))


def due(rooms: Rooms, name: str | None = None, **more: Any) -> Maintained:
    return service.list_due(rooms.workspace, name, **more)


def rows(found: Maintained) -> list[tuple[str, str, str | None]]:
    return [(item["standing"], item["name"], item["due"]) for item in found["due"]]


def test_the_calendar(rooms: Rooms) -> None:
    plans = {"filterChange": "quarterly", "cleaning": "yearly"}
    make(rooms, "hvac", {"equipment": {"installDate": "2030-01-01"}, "maintenanceSchedule": plans})
    assert rows(due(rooms, "hvac")) == [
        ("upcoming", "filterChange", "2030-04-01"),
        ("upcoming", "cleaning", "2031-01-01"),
    ]
    assert due(rooms, "hvac")["ok"]
    soon = due(rooms, "hvac", within="30d")
    assert rows(soon) == [("due", "filterChange", "2030-04-01")]
    assert not soon["ok"]
    late = due(rooms, "hvac", as_of="2030-04-02")
    assert rows(late)[0] == ("overdue", "filterChange", "2030-04-01")
    tx = work(rooms, "hvac", "filters", "2030-03-10T10:00:00Z", done=["filterChange"])
    found = due(rooms, "hvac", as_of="2030-04-02")
    assert rows(found)[0] == ("upcoming", "filterChange", "2030-06-10T10:00:00.000Z")
    assert (found["due"][0]["last"], found["due"][0]["transaction_id"]) == (
        "2030-03-10T10:00:00.000Z",
        tx,
    )
    # Judged at a time at which that work was still to be done.
    assert rows(due(rooms, "hvac", as_of="2030-03-09"))[0][2] == "2030-04-01"


def test_work_that_fits_no_schedule(rooms: Rooms) -> None:
    make(rooms, "hvac", {"maintenanceSchedule": {"oil": "monthly", "filter": "monthly"}})
    tx = work(rooms, "hvac", "painting")
    found = due(rooms, "hvac")
    assert [(one["type"], one["transaction_id"]) for one in found["unmatched"]] == [
        ("painting", tx)
    ]
    assert found["ok"]


def test_strangers_do_no_work(rooms: Rooms) -> None:
    make(rooms, "hvac", {"maintenanceSchedule": "monthly"})
    work(rooms, "hvac", "service", None, "garage")
    (item,) = due(rooms, "hvac")["due"]
    assert item["last"] is None
    assert item["since"] == CREATED


def test_use_by_the_state(rooms: Rooms) -> None:
    make(rooms, "digger", {"tracking": {"maintenanceSchedule": "every-250-hours"}})
    found = due(rooms, "digger")
    assert found["due"][0]["usage"][0]["reading"] is None
    (unclear,) = found["unclear"]
    assert unclear["why"].startswith("no field counts hours: append one called hours")
    assert due(rooms)["unclear"] == due(rooms, within="1d")["unclear"] == [unclear]
    for hours, standing in ((240, "upcoming"), (250, "due"), (262.5, "overdue")):
        set_(rooms, "digger", "engineHours", hours)
        found = due(rooms, "digger")
        assert rows(found) == [(standing, "maintenance", None)]
        assert found["due"][0]["usage"] == [
            {
                "field": "engineHours",
                "counter": "hours",
                "reading": hours,
                "begun": 0,
                "due": 250,
            }
        ]
        assert found["ok"] is (standing == "upcoming")
        assert not found["unclear"]
    work(rooms, "digger", "service")
    set_(rooms, "digger", "engineHours", 300)
    (usage,) = due(rooms, "digger")["due"][0]["usage"]
    assert (usage["reading"], usage["begun"], usage["due"]) == (300, 262.5, 512.5)


def test_the_reading_at_work_that_was_recorded_late(rooms: Rooms) -> None:
    make(rooms, "digger", {"maintenanceSchedule": "every-250-hours"})
    set_(rooms, "digger", "engine", {"hours": 100}, "2030-01-10")
    set_(rooms, "digger", "engine", {"hours": 200}, "2030-02-10")
    work(rooms, "digger", "service", "2030-01-20")
    (usage,) = due(rooms, "digger")["due"][0]["usage"]
    assert (usage["field"], usage["begun"], usage["due"]) == ("engine.hours", 100, 350)
    # At that time the later reading was not there.
    (usage,) = due(rooms, "digger", as_of="2030-02-01")["due"][0]["usage"]
    assert (usage["reading"], usage["begun"]) == (100, 100)


def test_a_reading_that_the_work_states(rooms: Rooms) -> None:
    make(rooms, "digger", {"maintenanceSchedule": "every-250-hours"})
    set_(rooms, "digger", "hours", 100)
    work(rooms, "digger", "service", data={"hours": 120})
    assert due(rooms, "digger")["due"][0]["usage"][0]["due"] == 370


def test_a_corrected_reading_does_not_count(rooms: Rooms) -> None:
    make(rooms, "digger", {"maintenanceSchedule": "every-250-hours"})
    set_(rooms, "digger", "hours", 100, "2030-01-10")
    edit = Edit(("hours",), 9000)
    wrong: Any = append.append(rooms.workspace, "digger", {}, [edit], Writing(at="2030-01-12"))
    tx = str(wrong["transaction_id"])
    right = [Edit(("hours",), 110)]
    append.append(rooms.workspace, "digger", {}, right, Writing(at="2030-01-14"), corrects=tx)
    work(rooms, "digger", "service", "2030-01-20")
    assert due(rooms, "digger")["due"][0]["usage"][0]["begun"] == 110


def test_units_of_a_template(rooms: Rooms) -> None:
    data = {"vin": "V1", "maintenanceSchedule": ["every-10000-km", "every-100-hours"]}
    make(rooms, "car", data, template="vehicle-tracking-v1")
    set_(rooms, "car", "mileage", 1000)
    distance, hours = due(rooms, "car")["due"][0]["usage"]
    assert (distance["field"], distance["reading"]) == ("mileage", 1609.344)
    assert (hours["field"], hours["reading"]) == ("engineHours", None)
    (unclear,) = due(rooms, "car")["unclear"]
    assert unclear["why"] == "engineHours is not read yet: append it, or push it to a stream"
    set_(rooms, "car", "mileage", 10_000)
    assert not due(rooms, "car")["unclear"]  # it is overdue, however long it ran
    work(rooms, "car", "service")
    assert due(rooms, "car")["due"][0]["usage"][0]["due"] == 26093.44


def test_several_meters(rooms: Rooms) -> None:
    make(rooms, "pump", {"maintenanceSchedule": {"oil": "every-9-hours", "all": "yearly"}})
    set_(rooms, "pump", "engineHours", 5)
    set_(rooms, "pump", "pumpHours", 5)
    found = due(rooms, "pump")
    (unclear,) = found["unclear"]
    assert unclear["schedule"] == "oil"
    assert "engineHours, pumpHours count hours" in unclear["why"]


def test_the_schedules_of_a_template(rooms: Rooms) -> None:
    make(rooms, "car", {"vin": "V1"}, template="vehicle-tracking-v1")
    assert [item["name"] for item in due(rooms, "car")["due"]] == ["service", "inspection"]
    event(rooms, "car", "inspection_completed", "2030-02-01", {})
    event(rooms, "car", "refuelled", "2030-03-01", {"litres": 50})
    lasts = {item["name"]: item["last"] for item in due(rooms, "car")["due"]}
    assert lasts == {"service": None, "inspection": "2030-02-01T00:00:00.000Z"}


def test_events_that_announce_the_next(rooms: Rooms) -> None:
    make(rooms, "car", {})
    data = {"type": "scheduled_maintenance", "nextServiceDue": "2024-04-20T00:00:00Z"}
    event(rooms, "car", "maintenance_performed", "2024-01-20T09:00:00Z", data)
    assert rows(due(rooms, "car", as_of="2024-05-01")) == [
        ("overdue", "maintenance_performed", "2024-04-20T00:00:00.000Z")
    ]
    event(rooms, "car", "maintenance_performed", "2024-04-25", {"done": ["x", 7], "type": 7})
    assert rows(due(rooms, "car", as_of="2024-05-01")) == []


def test_warranties_and_files(rooms: Rooms) -> None:
    make(rooms, "hvac", {"warrantyExpires": "2030-03-01"})
    for name, until in (("a.pdf", "2030-05-01"), ("b.pdf", "2031-05-01")):
        attach(rooms, name, until)
    say(rooms.using("garage"), "hvac", "file", {"name": "c.pdf", "validUntil": "2030-03-20"})
    say(rooms.using("alice"), "hvac", "file", {"name": "d.pdf", "validUntil": "soon"})
    found = due(rooms, "hvac")
    assert rows(found) == [
        ("upcoming", "b.pdf", "2031-05-01"),
        ("expired", "warrantyExpires", "2030-03-01"),
    ]
    assert found["ok"]


def test_all_twins_of_mine(rooms: Rooms) -> None:
    for name in ("a", "b"):
        make(rooms, name, {"maintenanceSchedule": "monthly"})
    theirs = Definition({"maintenanceSchedule": "daily"}, owner="garage")
    writes.create(rooms.using("garage"), "c", theirs)
    make(rooms, "d", {"maintenanceSchedule": "daily"})
    transfer.burn(rooms.workspace, "d")
    names = [item["asset_name"] for item in due(rooms)["due"]]
    assert sorted(map(str, names)) == ["a", "b", "c"]
    assert due(rooms, "d")["due"] == []
    set_(rooms, "a", "maintenanceSchedule", "yearly")
    assert {str(i["asset_name"]): i["every"] for i in due(rooms)["due"]} == {
        "a": "yearly",
        "b": "monthly",
        "c": "daily",
    }


@pytest.mark.parametrize("word", ["", "soon", "30", "-1d", "0d", "30days"])
def test_spans(rooms: Rooms, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        due(rooms, within=word)
    assert caught.value.code == "bad_time"


def test_what_is_not_there(rooms: Rooms) -> None:
    with pytest.raises(NotFoundError):
        due(rooms, "nothing")
    with pytest.raises(UsageError):
        due(rooms, as_of="whenever")


def test_a_calendar(rooms: Rooms) -> None:
    plans = {"filter;change": "quarterly", "oil": "every-250-hours"}
    facts = {"installed": "2030-01-01", "warrantyExpires": "2031-01-01"}
    make(rooms, "hvac", {**facts, "maintenanceSchedule": plans})

    def entries(**more: Any) -> dict[str, Any]:
        data = calendar.calendar(due(rooms, "hvac", **more), rooms.ledger.id)
        found = Calendar.from_ical(data).walk("VEVENT")
        return {str(one["SUMMARY"]): one for one in found}

    first = entries()
    assert list(first) == ["hvac: filter;change", "hvac: warranty ends (warrantyExpires)"]
    assert str(first["hvac: filter;change"]["DTSTART"].dt) == "2030-04-01"
    set_(rooms, "hvac", "hours", 251)
    used = entries()["hvac: oil"]
    assert str(used["DTSTART"].dt) == CREATED[:10]
    assert "due at 250 hours, now 251" in str(used["DESCRIPTION"])
    work(rooms, "hvac", "filter;change", "2030-02-01")
    second = entries()
    moved = second["hvac: filter;change"]
    assert moved["UID"] == first["hvac: filter;change"]["UID"]
    assert str(moved["DTSTART"].dt) == "2030-05-01 00:00:00+00:00"
    assert len({str(one["UID"]) for one in second.values()}) == len(second)
    again = [calendar.calendar(due(rooms, "hvac"), rooms.ledger.id) for _ in range(2)]
    assert again[0] == again[1]
    assert "hvac: warranty ends (warrantyExpires)" not in entries(as_of="2031-01-02")
    body = {"cid": None, "name": "a.pdf", "validUntil": "2030-05-01"}
    say(rooms.using("alice"), "hvac", "file", body)
    assert "hvac: a.pdf ends" in entries()


def test_many_twins_are_noted(rooms: Rooms) -> None:
    for number in range(service._SEVERAL + 5):
        make(rooms, f"t{number}", {"maintenanceSchedule": "monthly"})
    work(rooms, "t3", "service", "2030-03-01")
    first = due(rooms)
    assert due(rooms) == first
    assert len(first["due"]) == service._SEVERAL + 5
    assert first["due"][0]["asset_name"] == "t3"
    assert len(rooms.ledger.notes("due 2")[1]) == service._SEVERAL + 5
    work(rooms, "t4", "service", "2030-03-02")
    set_(rooms, "t5", "maintenanceSchedule", "daily")
    assert [item["asset_name"] for item in due(rooms)["due"]][:3] == ["t5", "t3", "t4"]
    rooms.now_ms += 40 * 86_400_000
    assert {item["standing"] for item in due(rooms)["due"]} == {"overdue"}
    # A statement by somebody who may not say so is no work, and takes the note away.
    work(rooms, "t6", "service", None, "garage")
    assert {item["standing"] for item in due(rooms)["due"]} == {"overdue"}


def attach(rooms: Rooms, name: str, until: str | None, kind: str | None = "permit") -> None:
    body = {"cid": None, "name": name, "type": kind, "validUntil": until}
    say(rooms.using("alice"), "hvac", "file", {k: v for k, v in body.items() if v is not None})


def test_files_that_take_the_place_of_others(rooms: Rooms) -> None:
    make(rooms, "hvac", {})
    for given, left in (
        ([("a", "2031-01-01", "x"), ("b", "2032-01-01", "x")], ["b"]),
        ([("c", "2032-01-01", "y"), ("d", "2031-01-01", "y")], ["d", "c"]),
        ([("e", "2032-01-01", "z"), ("e", "2031-01-01", "zz")], ["e"]),
        ([("f", "2032-01-01", None), ("g", "2033-01-01", None)], ["f", "g"]),
        ([("h", "2032-01-01", "w"), ("i", None, "w")], ["h"]),
    ):
        for one in given:
            attach(rooms, *one)
        names = [item["name"] for item in due(rooms, "hvac")["due"]]
        assert [name for name in names if name in {one[0] for one in given}] == left


def test_certificates(rooms: Rooms, tmp_path: Path) -> None:
    make(rooms, "hvac", {})
    stores = Stores(Blobs(str(tmp_path / "content")))

    def issue(key: str, number: str, until: str | None, standard: str = "ISO-9001") -> None:
        wanted = Wanted("safety", standard, number, valid_until=until)
        issuing.issue(rooms.using(key), stores, "hvac", wanted)

    issue("alice", "A-1", "2031-01-01")
    issue("alice", "A-0", None, "CE")
    issue("garage", "G-2", "2030-03-20")
    stranger = rooms.workspace.keystore.directory
    hidden = f"{stranger}.hidden"
    Path(stranger, "garage.json").rename(hidden)
    # Anybody may issue a certificate: those of strangers alarm nobody.
    assert rows(due(rooms)) == [("upcoming", "A-1", "2031-01-01T23:59:59.000Z")]
    Path(hidden).rename(Path(stranger, "garage.json"))
    assert rows(due(rooms, "hvac", within="30d")) == [("due", "G-2", "2030-03-20T23:59:59.000Z")]
    issue("alice", "A-2", "2032-01-01")
    issuing.revoke(rooms.using("garage"), "hvac", "G-2", reason="withdrawn")
    found = due(rooms, "hvac")
    assert rows(found) == [("upcoming", "A-2", "2032-01-01T23:59:59.000Z")]
    assert found["due"][0]["reason"] == "certificate"
    issue("alice", "A-3", None)
    assert rows(due(rooms, "hvac")) == [], "one without an end has taken its place"


def test_certificates_of_which_only_the_number_is_known(rooms: Rooms, tmp_path: Path) -> None:
    make(rooms, "hvac", {})
    stores = Stores(Blobs(str(tmp_path / "content")))
    for number, until in (("1", "2031-01-01"), ("2", "2032-01-01"), ("3", None)):
        issuing.issue(
            rooms.using("alice"), stores, "hvac", Wanted(None, None, number, valid_until=until)
        )
    assert [item["name"] for item in due(rooms, "hvac")["due"]] == ["1", "2"]


def test_a_template_that_is_not_here(rooms: Rooms) -> None:
    pin = {"template": "pump-v1", "template_cid": "bafkrei" + "a" * 52}
    wanted = Definition({}, owner="alice", stated=pin)
    writes.create(rooms.workspace, "pump", wanted)
    for _ in range(2):
        (unclear,) = due(rooms)["unclear"]
        assert (unclear["schedule"], unclear["why"]) == (
            "schedules",
            "the template pump-v1 is not here",
        )


def test_readings_that_only_works_state(rooms: Rooms) -> None:
    make(rooms, "car", {"maintenanceSchedule": "every-10000-km"})
    work(rooms, "car", "service", "2030-01-10", data={"mileage": 12000, "laborHours": 2})
    (usage,) = due(rooms, "car")["due"][0]["usage"]
    assert (usage["field"], usage["reading"], usage["due"]) == ("mileage", 12000, 22000)
    work(rooms, "car", "tyres", "2030-02-10", data={"mileage": 13000})
    work(rooms, "car", "wash", "2030-02-20")
    (usage,) = due(rooms, "car")["due"][0]["usage"]
    assert (usage["reading"], usage["begun"]) == (13000, 13000)
    (usage,) = due(rooms, "car", as_of="2030-01-20")["due"][0]["usage"]
    assert (usage["reading"], usage["begun"]) == (12000, 12000)
    set_(rooms, "car", "mileage", 15000)
    assert due(rooms, "car")["due"][0]["usage"][0]["reading"] == 15000
    # Hours may be those of the technician, unless the schedule says which field it goes by.
    make(rooms, "pump", {"maintenanceSchedule": {"a": "every-9-hours"}})
    work(rooms, "pump", "a", data={"laborHours": 20})
    assert due(rooms, "pump")["due"][0]["usage"][0]["field"] is None
    plan = {"a": {"every": "every-9-hours", "of": "run.hours"}}
    make(rooms, "press", {"maintenanceSchedule": plan})
    work(rooms, "press", "a", data={"run": {"hours": 20}})
    assert due(rooms, "press")["due"][0]["usage"][0]["due"] == 29


def test_readings_that_no_meter_shows(rooms: Rooms) -> None:
    data = {"vin": "V1", "maintenanceSchedule": "every-10000-km"}
    make(rooms, "car", data, template="vehicle-tracking-v1")
    for value in (1.7e308, 1e18, -5e-324):
        edit = Edit(("mileage",), abs(value))
        append.append(rooms.workspace, "car", {}, [edit])
        found = due(rooms, "car")
        json.dumps(found, allow_nan=False)
    work(rooms, "car", "service", data={"mileage": 1.7e308, "x": {"mileage": []}})
    json.dumps(due(rooms, "car"), allow_nan=False)
