"""What is due: schedules by calendar and use, announced work, warranties, and how each stands."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.model import due, schedules, times
from twincli.model.due import Dated, Due, Meter, Twin, Usage, Work

CREATED = "2024-01-31T12:00:00.000Z"


def standing(item: Due, now_ms: int, within_ms: int = 0) -> str:
    return due.judged(item.reason, due.bounds(item), now_ms, within_ms)


def ms(text: str) -> int:
    return times.parse(text, 0)


class Fake:
    """Meters whose readings stand in tables."""

    def __init__(
        self, fields: Sequence[str] = (), now: float | None = None, then: float | None = None
    ) -> None:
        self._fields = fields
        self._now = now
        self._then = then

    def fields(self, counter: str) -> Sequence[str]:  # noqa: ARG002
        return self._fields

    def now(self, meter: Meter) -> Fraction | None:  # noqa: ARG002
        return schedules.exact(self._now)

    def at(self, meter: Meter, work: Work) -> Fraction | None:  # noqa: ARG002
        return schedules.exact(self._then)


NONE = Fake()


def twin(
    schedule: Any = None, *works: Work, data: dict[str, Any] | None = None, **more: Any
) -> Twin:
    facts = {**({} if schedule is None else {"maintenanceSchedule": schedule}), **(data or {})}
    plans = schedules.read(facts, more.pop("general", {}))
    more.setdefault("created", CREATED)
    return Twin(facts, plans, works=works, **more)


def work(at: str | None, kind: str = "service", tx: str = "t1", **more: Any) -> Work:
    return Work(tx, None if at is None else ms(at), (kind,), **more)


def untils(found: due.Found) -> dict[str, str | None]:
    return {item.name: item.until for item in found.due}


def test_from_the_creation() -> None:
    assert untils(due.found(twin("monthly"), NONE)) == {"maintenance": "2024-02-29T12:00:00.000Z"}
    assert untils(due.found(twin("monthly", created=None), NONE)) == {"maintenance": None}


@pytest.mark.parametrize("name", ["installDate", "installation_date", "installedAt"])
def test_from_the_installation(name: str) -> None:
    for data in ({name: "2023-11-30"}, {"equipment": {name: "2023-11-30"}}):
        found = due.found(twin("quarterly", data=data), NONE)
        assert untils(found) == {"maintenance": "2024-02-29"}
        assert found.due[0].since == "2023-11-30"
    for value in ("soon", 7, None, ["2023-11-30"], "2023-11-31"):
        found = due.found(twin("yearly", data={name: value, "equipment": {name: value}}), NONE)
        assert untils(found) == {"maintenance": "2025-01-31T12:00:00.000Z"}


def test_from_the_last_work() -> None:
    works = (work("2024-05-31T10:00:00Z"), work("2024-03-01", tx="t2"), work(None, tx="t3"))
    found = due.found(twin("monthly", *works), NONE)
    assert found.due == (
        Due(
            "schedule",
            "maintenance",
            "monthly",
            "2024-06-30T10:00:00.000Z",
            (),
            "2024-05-31T10:00:00.000Z",
            ms("2024-05-31T10:00:00Z"),
            "t1",
        ),
    )
    assert found.satisfied == dict.fromkeys(("t1", "t2", "t3"), ("maintenance",))


def test_beyond_the_calendar() -> None:
    found = due.found(twin("yearly", work("9999-12-01")), NONE)
    assert untils(found) == {"maintenance": None}
    assert standing(found.due[0], ms("9999-12-02")) == "upcoming"


def test_one_schedule_takes_any_work_and_several_take_theirs() -> None:
    plans = {"oil": {"every": "monthly", "types": ["oil_change"]}, "filter": "monthly"}
    works = (
        work("2024-03-01", "oil_change", "t1"),
        work("2024-03-02", "filter", "t2"),
        work("2024-03-03", "painting", "t3"),
        work("2024-03-04", "painting", "t4", done=("oil",)),
        work("2024-03-05", "painting", "t5", is_event=True),
    )
    found = due.found(twin(plans, *works), NONE)
    assert untils(found) == {
        "oil": "2024-04-04T00:00:00.000Z",
        "filter": "2024-04-02T00:00:00.000Z",
    }
    assert [each.tx_id for each in found.unmatched] == ["t3"]
    assert found.satisfied["t4"] == ("oil",)
    assert due.found(twin({"oil": plans["oil"]}, *works), NONE).unmatched == ()
    assert due.found(twin(None, *works), NONE).unmatched == ()


def test_an_event_that_only_says_when_work_is_due_is_no_work() -> None:
    said = work("2024-06-01", "breakdown", "t1", next="2024-12-24", is_event=True)
    found = due.found(twin({"oil": "monthly"}, said), NONE)
    assert untils(found) == {"oil": "2024-02-29T12:00:00.000Z", "breakdown": "2024-12-24"}
    said = said._replace(next=None)
    for told in (said._replace(types=("oil",)), said._replace(types=("service",))):
        until = untils(due.found(twin({"oil": "monthly"}, told), NONE))["oil"]
        assert str(until)[:7] == "2024-07"


def test_template_schedules() -> None:
    general = {"service": "yearly"}
    assert untils(due.found(twin(general=general), NONE)) == {"service": "2025-01-31T12:00:00.000Z"}
    assert untils(due.found(twin("monthly", general=general), NONE)).keys() == {"maintenance"}


def test_use() -> None:
    plan = ["every-250-hours", "yearly"]
    found = due.found(twin(plan), Fake(["hours"], 240.5))
    assert found.due[0].usage == (
        Usage("hours", "hours", Fraction("240.5"), Fraction(0), Fraction(250)),
    )
    assert found.due[0].until == "2025-01-31T12:00:00.000Z"
    after = due.found(twin(plan, work("2024-02-01")), Fake(["hours"], 262, 262.5))
    assert after.due[0].usage[0].due == Fraction("512.5")
    unread = due.found(twin(plan, work("2024-02-01")), Fake(["hours"]))
    assert unread.due[0].usage == (Usage("hours", "hours", None, Fraction(0), Fraction(250)),)
    missing = due.found(twin(plan), NONE)
    assert missing.due[0].usage == (Usage(None, "hours", None, Fraction(0), Fraction(250)),)
    assert not missing.unclear


def test_several_meters_need_a_name() -> None:
    both = Fake(["engineHours", "pumpHours"], 5)
    found = due.found(twin({"oil": "every-250-hours"}), both)
    assert found.due[0].usage == ()
    assert found.unclear == (
        ("oil", "engineHours, pumpHours count hours: name one, as in of: engineHours"),
    )
    named = due.found(twin({"oil": {"every": "every-9-hours", "of": "pumpHours"}}), both)
    assert named.due[0].usage[0].field == "pumpHours"


def test_a_meter_that_cannot_be_read() -> None:
    class Broken(Fake):
        def now(self, meter: Meter) -> Fraction | None:
            raise due.UnreadError(f"the chunk of {meter.field} is not here")

    found = due.found(twin(["every-250-hours", "yearly"]), Broken(["h"]))
    assert found.unclear == (("maintenance", "h: the chunk of h is not here"),)
    assert found.due[0].usage == ()
    assert found.due[0].until is not None


def test_malformed_schedules_are_unclear() -> None:
    found = due.found(twin({"oil": "bimonthly", "filter": "daily"}), NONE)
    assert [where for where, _ in found.unclear] == ["maintenanceSchedule.oil"]
    assert [item.name for item in found.due] == ["filter"]


def test_announced_work() -> None:
    found = due.found(twin(None, work("2024-01-20", next="2024-04-20T00:00:00.000Z")), NONE)
    assert found.due == (
        Due(
            "next",
            "service",
            None,
            "2024-04-20T00:00:00.000Z",
            (),
            "2024-01-20T00:00:00.000Z",
            ms("2024-01-20"),
            "t1",
        ),
    )


@pytest.mark.parametrize(
    ("later", "is_open"),
    [
        (work("2024-04-19", "cleaning", "t2"), True),
        (work("2024-04-19", "service", "t2"), False),
        (work("2024-04-19", "Quarterly Maintenance", "t2"), False),
        (work("2024-04-19", "cleaning", "t2", done=("filterChange",)), False),
        (work("2024-04-19", "x", "t2", done=("quarterly-maintenance",)), False),
        (work("2024-04-19", "x", "t2", next_type="quarterly_maintenance"), False),
        (work("2024-01-01", "service", "t2"), True),
    ],
)
def test_what_fulfils_an_announcement(later: Work, is_open: bool) -> None:
    first = work(
        "2024-01-20",
        next="2024-04-20",
        next_type="quarterly_maintenance",
        done=("filterChange",),
    )
    found = due.found(twin(None, first, later), NONE)
    assert [item.name for item in found.due] == (["quarterly_maintenance"] if is_open else [])
    plain = due.found(twin(None, first._replace(next_type=None), later), NONE)
    assert bool(plain.due) is (later.happened_ms == ms("2024-01-01"))


def test_an_announcement_that_a_schedule_makes_too_is_listed_once() -> None:
    for until in ("2024-04-15T10:00:00.000Z", "2024-04-15"):
        first = work("2024-01-15T10:00:00Z", next=until, next_type="quarterly")
        found = due.found(twin("quarterly", first), NONE)
        assert [item.reason for item in found.due] == ["schedule"]
    other = due.found(twin("quarterly", first._replace(next="2024-04-16")), NONE)
    assert [item.reason for item in other.due] == ["schedule", "next"]
    beyond = due.found(twin("yearly", work("9999-12-01", next="9999-12-30")), NONE)
    assert [item.reason for item in beyond.due] == ["schedule", "next"]


@pytest.mark.parametrize("name", ["warrantyExpires", "warranty_until", "Warranty End Date"])
def test_warranties(name: str) -> None:
    for data in ({name: "2028-06-15"}, {"equipment": {name: "2028-06-15"}}):
        found = due.found(twin(data=data), NONE)
        assert [(item.reason, item.until) for item in found.due] == [("warranty", "2028-06-15")]
        (item,) = found.due
        assert item.name.endswith(name)
        assert standing(item, ms("2028-06-14T23:59:59Z")) == "upcoming"
        assert standing(item, ms("2028-06-14"), due.DAY_MS) == "due"
        assert standing(item, ms("2028-06-15T23:59:59.999Z")) == "due"
        assert standing(item, ms("2028-06-16")) == "expired"
    assert due.found(twin(data={name: 7, "equipment": {name: "never"}}), NONE).due == ()


def test_files_and_certificates() -> None:
    dated = [
        Dated("file", "a.pdf", "2027-01-15", "t1"),
        Dated("certificate", "ISO", CREATED, "t2", 0),
    ]
    found = due.found(twin(dated=dated), NONE)
    assert [(item.reason, item.name, item.tx_id, item.since) for item in found.due] == [
        ("file", "a.pdf", "t1", None),
        ("certificate", "ISO", "t2", "1970-01-01T00:00:00.000Z"),
    ]
    assert standing(found.due[0], ms("2027-01-16")) == "overdue"


@pytest.mark.parametrize(
    ("reading", "wanted"),
    [(None, "upcoming"), (249.9, "upcoming"), (250, "due"), (251, "overdue")],
)
def test_whichever_comes_first(reading: float | None, wanted: str) -> None:
    (item,) = due.found(twin(["every-250-hours", "yearly"]), Fake(["h"], reading)).due
    assert standing(item, ms("2024-06-01")) == wanted
    assert standing(item, ms("2025-02-01")) == "overdue"
    assert standing(item._replace(until=None), ms("2025-02-01")) == wanted


@pytest.mark.parametrize(
    ("kind", "data", "holds"),
    [
        ("maintenance_performed", {}, True),
        ("inspection_completed", {}, True),
        ("service", {}, True),
        ("refuelled", {}, False),
        ("refuelled", {"nextServiceDue": "2024-04-20"}, True),
        ("oil_change", {}, True),
        ("oil", {}, True),
        ("out_of_service", {}, False),
    ],
)
def test_which_events_are_work(kind: str, data: dict[str, Any], holds: bool) -> None:
    known = schedules.read(
        {"maintenanceSchedule": {"oil": {"every": "daily", "types": ["oil_change"]}}}
    )
    assert due.is_work(kind, data, known.schedules) is holds


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        ({}, (None, None)),
        ({"nextServiceDue": "2024-04-20T02:00:00+02:00"}, ("2024-04-20T00:00:00.000Z", None)),
        ({"nextServiceDue": "2024-04-20", "nextServiceType": "oil"}, ("2024-04-20", "oil")),
        ({"nextService": {"type": "q", "scheduledDate": "2024-04-15"}}, ("2024-04-15", "q")),
        ({"nextService": {"dueDate": "2024-04-15"}}, ("2024-04-15", None)),
        ({"nextService": "2024-04-15"}, ("2024-04-15", None)),
        ({"nextService": "2024-04-15", "nextServiceDue": "2024-05-01"}, ("2024-05-01", None)),
        ({"nextServiceDue": "soon", "nextServiceType": 7}, (None, None)),
        ({"nextServiceDue": 7, "nextServiceType": ""}, (None, None)),
        ({"nextService": ["2024-04-15"]}, (None, None)),
        ({"nextServiceType": "x" * 201}, (None, None)),
    ],
)
def test_what_is_announced(data: dict[str, Any], wanted: tuple[str | None, str | None]) -> None:
    assert due.stated_next(data) == wanted


MOMENTS = st.integers(0, 4_000_000_000_000)


@given(MOMENTS, MOMENTS, st.integers(0, 10**11), st.floats(0, 1000), st.booleans())
def test_standing_only_worsens(
    first: int, second: int, within: int, reading: float, is_day: bool
) -> None:
    since = times.to_text(first)
    (item,) = due.found(
        twin(["monthly", "every-250-hours"], created=since[:10] if is_day else since),
        Fake(["h"], reading),
    ).due
    order = ["upcoming", "due", "overdue"]
    early, late = sorted((first, second))
    assert order.index(standing(item, early)) <= order.index(standing(item, late))
    assert order.index(standing(item, early)) <= order.index(standing(item, early, within))


@given(st.dictionaries(st.text(), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates().map(str),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["installDate", "warrantyExpires", "every", "x"]) | st.text(), inner),
    max_leaves=10)))  # fmt: skip
def test_strangers_data_never_raise(data: dict[str, Any]) -> None:
    facts = {**data, "maintenanceSchedule": data}
    found = due.found(Twin(facts, schedules.read(facts, data), CREATED), NONE)
    assert all(standing(item, 0) in due.STANDINGS for item in found.due)
    due.stated_next(data)
