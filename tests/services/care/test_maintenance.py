"""Records of maintenance: what is written, what is refused, and how other systems say it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.errors import InvalidError, TwinError, UsageError
from twincli.model.money import Part
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.care import maintenance
from twincli.services.care.maintenance import Work
from twincli.services.tx.prepared import Prepared

SCHEDULES = {"filterChange": "quarterly", "deepCleaning": "twice-a-year"}


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        made.key("alice")
        made.key("garage")
        facts = {"maintenanceSchedule": SCHEDULES}
        writes.create(made.workspace, "hvac", Definition(facts, owner="alice"))
        yield made


def add(rooms: Rooms, given: Work, writing: Writing = PLAIN, *keys: str) -> dict[str, Any]:
    made = maintenance.add(rooms.using(*keys or ("alice",)), "hvac", given, writing)
    assert not isinstance(made, Prepared)
    return made["body"]


def test_all_members(rooms: Rooms) -> None:
    body = add(
        rooms,
        Work(
            type="filter_replacement",
            technician="tech-789",
            work=["Replaced air filter", "Checked refrigerant levels"],
            parts=[Part("MERV-13-filter", "1", "45.99"), Part("drain-tablets", "2", "8.99")],
            currency="USD",
            done=["filterChange", "filterChange"],
            next="2030-04-15T12:00:00+02:00",
            next_type="quarterly_maintenance",
            data={"pressure": 1.5},
        ),
    )
    assert body == {
        "type": "filter_replacement",
        "technician": "tech-789",
        "work": ["Replaced air filter", "Checked refrigerant levels"],
        "parts": [
            {"part": "MERV-13-filter", "quantity": "1", "cost": "45.99"},
            {"part": "drain-tablets", "quantity": "2", "cost": "8.99"},
        ],
        "currency": "USD",
        "total": "63.97",
        "done": ["filterChange"],
        "next": "2030-04-15T10:00:00.000Z",
        "next_type": "quarterly_maintenance",
        "data": {"pressure": 1.5},
    }


def test_the_least(rooms: Rooms) -> None:
    assert add(rooms, Work(type="service")) == {"type": "service"}
    assert add(rooms, Work(type="service", parts=[Part("oil", "4.5")])) == {
        "type": "service",
        "parts": [{"part": "oil", "quantity": "4.5"}],
    }


def test_others_write_statements(rooms: Rooms) -> None:
    made = maintenance.add(
        rooms.using("garage"), "hvac", Work(type="service", done=["deepCleaning"])
    )
    assert not isinstance(made, Prepared)
    assert (made["form"], made["standing"]) == ("statement", "unauthorised")


@pytest.mark.parametrize(
    ("given", "writing", "code"),
    [
        (Work(), PLAIN, "usage"),
        (Work(type=" "), PLAIN, "invalid_record"),
        (Work(type="x" * 201), PLAIN, "invalid_record"),
        (Work(type="x", currency="dollars"), PLAIN, "invalid_amount"),
        (Work(type="x", parts=[Part("a", "0")]), PLAIN, "invalid_amount"),
        (Work(type="x", parts=[Part("a", "1", "1e9")]), PLAIN, "invalid_amount"),
        (Work(type="x", parts=[Part("a", "1")] * 101), PLAIN, "invalid_record"),
        (Work(type="x", done=["filter"]), PLAIN, "unknown_schedule"),
        (Work(type="x", next="soon"), PLAIN, "bad_time"),
        (Work(type="x", next="2024-04-15T10:00"), PLAIN, "bad_time"),
        (Work(type="x", next="2024-01-01"), Writing(at="2024-01-02"), "bad_time"),
        (Work(type="x"), Writing(at="2124-01-01"), "time_ahead"),
        (Work(type="x"), Writing(bare=True), "usage"),
    ],
)
def test_what_is_refused(rooms: Rooms, given: Work, writing: Writing, code: str) -> None:
    before = rooms.count(str(rooms.workspace.client.ledger_id))
    with pytest.raises(TwinError) as caught:
        maintenance.add(rooms.workspace, "hvac", given, writing)
    assert caught.value.code == code
    if not writing.bare:
        with pytest.raises(TwinError) as caught:
            maintenance.check(rooms.workspace, "hvac", given, writing)
        assert caught.value.code == code
    assert rooms.count(str(rooms.workspace.client.ledger_id)) == before


def test_near_names_of_schedules(rooms: Rooms) -> None:
    for name, hint in (
        ("filterchange", "did you mean filterChange?"),
        ("x", "one of deepCleaning, filterChange"),
    ):
        with pytest.raises(InvalidError) as caught:
            maintenance.check(rooms.workspace, "hvac", Work(type="a", done=[name]), PLAIN)
        assert hint in str(caught.value.hint)
    writes.create(rooms.workspace, "box", Definition({}, owner="alice"))
    with pytest.raises(InvalidError) as caught:
        maintenance.check(rooms.workspace, "box", Work(type="a", done=["x"]), PLAIN)
    assert caught.value.hint == "it has none"


def test_the_next_on_the_day_of_the_work(rooms: Rooms) -> None:
    body = add(rooms, Work(type="x", next="2024-01-02"), Writing(at="2024-01-02T10:00:00Z"))
    assert body["next"] == "2024-01-02"


SEED = {
    "type": "filter_replacement",
    "technician": "tech-789",
    "workPerformed": ["Replaced air filter"],
    "partsUsed": [
        {"part": "MERV-13-filter", "quantity": 1, "cost": 45.99},
        {"part": "drain-tablets", "quantity": 2, "cost": "8.99"},
        {"name": "rag", "quantity": "0.5", "cost": None},
    ],
    "nextService": {"type": "quarterly_maintenance", "scheduledDate": "2030-04-15T10:00:00Z"},
    "workOrders": ["WO-12345"],
}


def test_the_words_of_other_systems(rooms: Rooms) -> None:
    body = add(rooms, maintenance.with_data(Work(currency="USD"), SEED))
    assert body == {
        "type": "filter_replacement",
        "technician": "tech-789",
        "work": ["Replaced air filter"],
        "parts": [
            {"part": "MERV-13-filter", "quantity": "1", "cost": "45.99"},
            {"part": "drain-tablets", "quantity": "2", "cost": "8.99"},
            {"part": "rag", "quantity": "0.5"},
        ],
        "currency": "USD",
        "total": "63.97",
        "next": "2030-04-15T10:00:00.000Z",
        "next_type": "quarterly_maintenance",
        "data": {"workOrders": ["WO-12345"]},
    }


def test_data_that_stay_data() -> None:
    given = Work(type="a", next="2030-01-01")
    data = {"nextService": {"scheduledDate": "2031-01-01"}, "nextServiceDue": "2031-01-01"}
    assert maintenance.with_data(given, data).data == data
    assert maintenance.with_data(Work(), {"nextService": {"scheduledDate": "soon"}}).next is None
    assert maintenance.with_data(Work(), {"nextService": "2031-01-01"}).data is not None
    assert maintenance.with_data(Work(next_type="b"), {"nextService": {"dueDate": "2031-01-01"}})[
        6:8
    ] == ("2031-01-01", "b")
    assert maintenance.with_data(Work(type="a"), {}) == Work(type="a")


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ({"work": "a", "workPerformed": []}, "work and workPerformed is given twice"),
        ({"technician": "b"}, "technician is given twice"),
        ({"workPerformed": "cleaned"}, "workPerformed is not a list"),
        ({"partsUsed": {"a": 1}}, "partsUsed is not a list"),
        ({"parts": ["oil"]}, "parts[0] is not a part"),
        ({"parts": [{"part": "a", "quantity": 1, "price": 2}]}, "parts[0] is not a part"),
        ({"parts": [{"part": "a"}]}, "parts[0]: null is not a quantity"),
        ({"parts": [{"quantity": 1}]}, "parts[0] has no name"),
        ({"parts": [{"part": "a", "quantity": 1, "cost": "9,99"}]}, "parts[0]: '9,99' is not"),
        ({"parts": [{"part": "a", "quantity": True}]}, "parts[0]: true is not a quantity"),
        ({"parts": [{"part": "a", "quantity": 1, "cost": {}}]}, "parts[0]: an object is not"),
    ],
)
def test_data_that_are_refused(data: dict[str, Any], part: str) -> None:
    with pytest.raises((InvalidError, UsageError)) as caught:
        maintenance.with_data(Work(type="a", technician="t"), data)
    assert part in caught.value.message
