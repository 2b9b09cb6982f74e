"""Schedules: the words, what is refused and with which hint, month ends, what satisfies."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import InvalidError
from twincli.model import schedules, times
from twincli.model.schedules import Rule, Schedule


def ms(text: str) -> int:
    return times.parse(text, 0)


@pytest.mark.parametrize(
    ("word", "months", "days", "text"),
    [
        ("daily", 0, 1, "daily"),
        ("weekly", 0, 7, "weekly"),
        ("fortnightly", 0, 14, "fortnightly"),
        ("monthly", 1, 0, "monthly"),
        ("quarterly", 3, 0, "quarterly"),
        ("half-yearly", 6, 0, "half-yearly"),
        ("Twice a year", 6, 0, "twice-a-year"),
        ("YEARLY", 12, 0, "yearly"),
        ("annually", 12, 0, "annually"),
        ("every-2-years", 24, 0, "every-2-years"),
        ("every 2 years", 24, 0, "every-2-years"),
        ("every_90_days", 0, 90, "every-90-days"),
        ("every-6-weeks", 0, 42, "every-6-weeks"),
        ("every-1-month", 1, 0, "every-month"),
        ("every-day", 0, 1, "every-day"),
        ("every-quarter", 3, 0, "every-quarter"),
        ("every-100-years", 1200, 0, "every-100-years"),
        ("every-3-fortnights", 0, 42, "every-3-fortnights"),
        ("every fortnight", 0, 14, "every-fortnight"),
    ],
)
def test_calendar_words(word: str, months: int, days: int, text: str) -> None:
    found = schedules.rule(word)
    assert found == Rule(months, days, "", "", text)
    assert found.is_calendar
    assert schedules.rule(text)[:4] == found[:4]


@pytest.mark.parametrize(
    ("word", "amount", "counter"),
    [
        ("every-250-hours", "250", "hours"),
        ("every 250 hours", "250", "hours"),
        ("every-250-h", "250", "hours"),
        ("every-1-hour", "1", "hours"),
        ("every-10000-km", "10000", "km"),
        ("every-10000-kilometres", "10000", "km"),
        ("every-5000-mi", "5000", "miles"),
        ("every-500-cycles", "500", "cycles"),
        ("every-2.5-hours", "2.5", "hours"),
        ("every-30-engine-starts", "30", "engine-starts"),
        ("every-0.125-hours", "0.125", "hours"),
        ("every-1000.125-km", "1000.125", "km"),
        ("every-2.25-hours", "2.25", "hours"),
        ("every-2.1255-hours", "2.1255", "hours"),
    ],
)
def test_words_of_use(word: str, amount: str, counter: str) -> None:
    found = schedules.rule(word)
    assert found == Rule(0, 0, amount, counter, f"every-{amount}-{counter}")
    assert not found.is_calendar
    assert schedules.rule(found.text) == found


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("bi-annually", "twice-a-year or every-2-years"),
        ("biannually", "twice-a-year or every-2-years"),
        ("Bi-Annual", "twice-a-year or every-2-years"),
        ("bi yearly", "twice-a-year or every-2-years"),
        ("bi-monthly", "every-2-weeks or every-2-months"),
        ("bimonthly", "every-2-weeks or every-2-months"),
        ("biweekly", "every-3-days or every-2-weeks"),
        ("bi-weekly", "every-3-days or every-2-weeks"),
        ("bi-quarterly", "every-6-weeks or half-yearly"),
        ("bi-daily", "daily or every-2-days"),
        ("biennially", "every-2-years or twice-a-year"),
        ("quaterly", "did you mean quarterly?"),
        ("every-3-monhts", "did you mean months?"),
        ("every-250-huors", "did you mean hours?"),
        ("every-hours", "every-250-hours"),
        ("every-0-hours", "a decimal above 0"),
        ("every-0.0-hours", "a decimal above 0"),
        ("every-01-hours", "a decimal above 0"),
        ("every-9999999999999-km", "a decimal above 0"),
        ("every-0-days", "1 to 36600"),
        ("every-101-years", "1 to 100"),
        ("every-99999999-days", "1 to 36600"),
        ("every-2.1234567-hours", "a decimal above 0"),
        ("every-2.-hours", "a decimal above 0"),
        ("every-2.3.4-hours", "a decimal above 0"),
        ("every-250", "such as yearly"),
        ("every", "such as yearly"),
        ("every-ten-hours", "did you mean every-10-hours?"),
        ("every-5-\u0445", "such as yearly"),
        ("every-\u0665-hours", "a decimal above 0"),
        ("every-1.5-years", "1 to 100"),
        ("every-1000.125.5-km", "a decimal above 0"),
        ("every-1e3-km", "a decimal above 0"),
        ("when it rains", "such as yearly"),
        ("", "such as yearly"),
        ("  ", "such as yearly"),
        ("x" * 100_000, "such as yearly"),
        (90, "such as yearly"),
        (None, "such as yearly"),
        (True, "such as yearly"),
    ],
)
def test_what_is_refused(word: Any, part: str) -> None:
    with pytest.raises(InvalidError) as caught:
        schedules.rule(word)
    assert caught.value.code == "invalid_schedule"
    assert part in str(caught.value.hint)
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("every-10.000-km", "write every-10-km or every-10000-km"),
        ("every 10,000 km", "write every-10-km or every-10000-km"),
        ("every-2.125-engine-hours", "write every-2.125-engine-hours or every-2125-engine-hours"),
        ("every-2.500-h", "write every-2.5-h or every-2500-h"),
        ("every-1.000.000-cycles", "write every-1000000-cycles"),
        ("every 10 000 km", "write every-10000-km"),
        ("every-10'000-km", "write every-10000-km"),
        ("every-6-m", "write every-6-months or every-6-metres"),
    ],
)
def test_numbers_and_units_that_read_in_two_ways(word: str, hint: str) -> None:
    with pytest.raises(InvalidError) as caught:
        schedules.rule(word)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("3 months", "every-3-months"),
        ("3months", "every-3-months"),
        ("every-3months", "every-3-months"),
        ("six-monthly", "every-6-months"),
        ("6-monthly", "every-6-months"),
        ("every six months", "every-6-months"),
        ("every other week", "every-2-weeks"),
        ("250 hours", "every-250-hours"),
        ("2.5 h", "every-2.5-hours"),
        ("once a year", "every-year"),
        ("annual", "every-year"),
        ("per quarter", "every-quarter"),
        ("semi-annually", "half-yearly"),
        ("twice yearly", "half-yearly"),
    ],
)
def test_the_usual_word_is_suggested(word: str, meant: str) -> None:
    with pytest.raises(InvalidError) as caught:
        schedules.rule(word)
    assert caught.value.hint == f"did you mean {meant}?"


@pytest.mark.parametrize(
    "unit", ["yrs", "d", "wks", "mos", "decades", "half-years", "working-days"]
)
def test_words_of_the_calendar_are_no_counters(unit: str) -> None:
    with pytest.raises(InvalidError) as caught:
        schedules.rule(f"every-3-{unit}")
    assert caught.value.hint == "write days, weeks, months, quarters or years"


def test_both_readings_are_named() -> None:
    with pytest.raises(InvalidError, match=r"'every-10\.000-km' can mean 10 or 10000 km"):
        schedules.rule("every-10.000-km")
    with pytest.raises(InvalidError, match="'bi-annually' can mean twice a year or every 2 years"):
        schedules.rule("bi-annually")


def test_the_forms_of_a_schedule() -> None:
    plain = schedules.schedule("service", "yearly")
    assert plain.text == "yearly"
    both = schedules.schedule("service", ["every-250-hours", "yearly"])
    assert both.text == "every-250-hours or yearly"
    assert schedules.schedule(
        "service", {"every": ["every-10000-km"], "types": ["oil_change"], "of": "odometer"}
    ) == Schedule("service", (schedules.rule("every-10000-km"),), ("oil_change",), "odometer")
    assert schedules.schedule("s", {"every": "weekly"}).types == ()


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("service", {"types": ["a"]}, "every is missing"),
        ("service", {"every": "yearly", "type": ["a"]}, "no member 'type'"),
        ("service", {"every": []}, "0 periods"),
        ("service", [], "0 periods"),
        ("service", ["yearly"] * 11, "11 periods"),
        ("service", [["yearly"]], "a list is not"),
        ("service", {"every": "yearly", "types": "a"}, "types: 'a'"),
        ("service", {"every": "yearly", "types": [7]}, "types: 7"),
        ("service", {"every": "yearly", "types": [" "]}, "types: ' '"),
        ("service", {"every": "yearly", "types": ["a"] * 1001}, "types: a list"),
        ("service", {"every": "yearly", "of": 7}, "of: 7"),
        ("service", {"every": "yearly", "of": ""}, "of: ''"),
        ("", "yearly", "name of a schedule"),
        (" ", "yearly", "name of a schedule"),
        ("a\nb", "yearly", "name of a schedule"),
        ("x" * 201, "yearly", "name of a schedule"),
    ],
)
def test_schedules_that_are_refused(name: str, value: Any, part: str) -> None:
    with pytest.raises(InvalidError, match=part) as caught:
        schedules.schedule(name, value)
    assert caught.value.code == "invalid_schedule"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"maintenanceSchedule": None},
        {"maintenanceSchedule": "quarterly"},
        {"maintenanceSchedule": {}},
        {"maintenanceSchedule": {"filterChange": "quarterly", "cleaning": {"every": "yearly"}}},
        {"maintenanceSchedule": {"every": ["yearly", "every-250-hours"]}},
        {"tracking": {"maintenanceSchedule": "every-250-hours", "gpsEnabled": True}},
        {"tracking": {"deeper": {"maintenanceSchedule": "whatever"}}},
        {"schedule": "whatever", "tracking": ["maintenanceSchedule"]},
    ],
)
def test_data_that_hold(data: dict[str, Any]) -> None:
    schedules.check(data)
    assert not schedules.read(data).malformed


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ({"maintenanceSchedule": "bi-annually"}, "maintenanceSchedule: 'bi-annually' can mean"),
        ({"maintenanceSchedule": {"a": "often"}}, "maintenanceSchedule.a: 'often' is not"),
        ({"maintenanceSchedule": 90}, "maintenanceSchedule: 90 is not"),
        ({"t": {"maintenanceSchedule": "often"}}, "t.maintenanceSchedule: 'often'"),
        ({"t": {"maintenanceSchedule": {"a": {}}}}, "t.maintenanceSchedule.a: the member every"),
        ({"maintenanceSchedule": {str(n): "yearly" for n in range(101)}}, "has 101 schedules"),
    ],
)
def test_data_that_are_refused(data: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidError, match=part) as caught:
        schedules.check(data)
    assert caught.value.code == "invalid_schedule"
    assert schedules.read(data).malformed


def test_own_schedules_stand_before_those_of_the_template() -> None:
    general = {"service": "every-250-hours", "inspection": {"every": "yearly"}}
    assert [one.name for one in schedules.read({}, general).schedules] == ["service", "inspection"]
    assert [one.name for one in schedules.read({"maintenanceSchedule": None}, general).schedules]
    own = {"maintenanceSchedule": "quarterly", "tracking": {"maintenanceSchedule": {"a": "daily"}}}
    assert [one.name for one in schedules.read(own, general).schedules] == ["maintenance", "a"]
    assert schedules.read({"maintenanceSchedule": {}}, general).schedules == ()


def test_what_strangers_write_is_read_as_far_as_it_goes() -> None:
    found = schedules.read({"maintenanceSchedule": {"a": "yearly", "b": 7, "c": "bimonthly"}})
    assert [one.name for one in found.schedules] == ["a"]
    assert [where for where, _ in found.malformed] == [
        "maintenanceSchedule.b",
        "maintenanceSchedule.c",
    ]
    many = schedules.read({"maintenanceSchedule": {str(n): "yearly" for n in range(5000)}})
    assert len(many.schedules) == 100
    assert many.malformed == (("maintenanceSchedule", "of 5000 schedules 100 are read"),)


@pytest.mark.parametrize(
    ("word", "begun", "ended"),
    [
        ("monthly", "2024-01-31T10:00:00Z", "2024-02-29T10:00:00Z"),
        ("monthly", "2023-01-31", "2023-02-28"),
        ("yearly", "2024-02-29", "2025-02-28"),
        ("every-4-years", "2024-02-29", "2028-02-29"),
        ("quarterly", "2024-01-15T10:00:00Z", "2024-04-15T10:00:00Z"),
        ("quarterly", "2023-11-30T23:59:59.999Z", "2024-02-29T23:59:59.999Z"),
        ("twice-a-year", "1969-08-31", "1970-02-28"),
        ("weekly", "2023-12-28", "2024-01-04"),
        ("yearly", "9998-12-31", "9999-12-31"),
    ],
)
def test_month_ends(word: str, begun: str, ended: str) -> None:
    assert schedules.after(schedules.rule(word), ms(begun)) == ms(ended)


def test_beyond_the_calendar() -> None:
    assert schedules.after(schedules.rule("yearly"), ms("9999-06-01")) is None
    assert schedules.after(schedules.rule("daily"), ms("9999-12-31")) is None
    assert schedules.after(schedules.rule("daily"), 10**18) is None


@given(
    st.datetimes(datetime(1, 1, 1), datetime(9000, 12, 31)),  # noqa: DTZ001
    st.sampled_from(["days", "weeks", "months", "years"]),
    st.integers(1, 100),
)
def test_calendar_as_dateutil_has_it(moment: datetime, unit: str, count: int) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
    span: Any = {unit: count}
    wanted = moment + relativedelta(**span)
    found = schedules.after(
        schedules.rule(f"every-{count}-{unit}"),
        (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1),
    )
    assert found == (wanted - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (250, Fraction(250)),
        (240.1, Fraction(2401, 10)),
        (-5, Fraction(-5)),
        (10**18, Fraction(10**18)),
        (1e300, None),
        (10**18 + 1, None),
        (True, None),
        ("250", None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (1 << 70, None),
    ],
)
def test_readings_are_exact(number: Any, wanted: Fraction | None) -> None:
    assert schedules.exact(number) == wanted


@pytest.mark.parametrize(
    ("counter", "name", "holds"),
    [
        ("hours", "engineHours", True),
        ("hours", "operating_hours", True),
        ("hours", "hours", True),
        ("hours", "h", True),
        ("hours", "hourlyRate", False),
        ("hours", "temperature", False),
        ("km", "totalKm", True),
        ("km", "odometer", True),
        ("km", "mileage", True),
        ("miles", "mileage", True),
        ("cycles", "mileage", False),
        ("cycles", "chargeCycles", True),
        ("cycles", "cycle_count", True),
        ("starts", "starts", True),
        ("start", "starts", True),
        ("km", "", False),
    ],
)
def test_what_a_field_counts(counter: str, name: str, holds: bool) -> None:
    assert schedules.counts(counter, name) is holds


def test_what_satisfies() -> None:
    plan = Schedule("filterChange", (), ("filter_replacement", "inspection_completed"))
    assert schedules.wanted(plan) == {"filter-change", "filter-replacement", "inspection"}
    for name in ("filter-change", "Filter Change", "filter_change_completed", "FilterChange"):
        assert schedules.stem(name) in schedules.wanted(plan)
    assert schedules.stem("inspection") in schedules.wanted(plan)
    assert schedules.stem("maintenance_performed") == "maintenance"
    assert schedules.stem("done") == "done"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda
       inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))  # fmt: skip
def test_reading_never_raises(value: Any) -> None:
    found = schedules.read({"maintenanceSchedule": value, "tracking": value}, {"x": value})
    try:
        schedules.check({"maintenanceSchedule": value})
    except InvalidError as error:
        assert error.code == "invalid_schedule"  # noqa: PT017
    else:
        assert len(found.schedules) <= schedules.MAX_SCHEDULES


@given(st.text(alphabet="every-0123456789.abdhiklmnorstuwqc _", max_size=40))
def test_words_are_refused_or_have_a_usual_form(text: str) -> None:
    try:
        found = schedules.rule(text)
    except InvalidError as error:
        assert error.code == "invalid_schedule"  # noqa: PT017
        return
    assert schedules.rule(found.text) == found


@pytest.mark.parametrize("word", ["every--5-km", "every -2 days", "every_-1_years"])
def test_a_negative_number_does_not_lose_its_sign(word: str) -> None:
    with pytest.raises(InvalidError, match="has a negative number"):
        schedules.rule(word)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("every-3-months or every-500-hours", '["every-3-months", "every-500-hours"]'),
        ("Yearly, every 50 km, or monthly", '["yearly", "every-50-km", "monthly"]'),
        ("yearly; quarterly whichever comes first", '["yearly", "quarterly"]'),
    ],
)
def test_several_periods_in_one_text_are_written_as_a_list(text: str, meant: str) -> None:
    with pytest.raises(InvalidError) as caught:
        schedules.rule(text)
    assert caught.value.hint == f"write a list, whichever comes first: {meant}"
    made = schedules.schedule("oil", json.loads(meant))
    assert len(made.rules) == meant.count(",") + 1


@pytest.mark.parametrize("text", ["yearly or on-demand", "four-times-a-year", "every-30s", "or"])
def test_what_is_only_guessed_is_not_offered(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        schedules.rule(text)
    assert "every-" not in str(caught.value.hint).replace("every-2-years or every-250-hours", "")
