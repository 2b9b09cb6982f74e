"""``twin maintenance`` as people type it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke
from twincli.services import documents

PLANS = '{"filterChange": "quarterly", "deepCleaning": "twice-a-year"}'
ADD = ("maintenance", "add", "hvac", "--type")


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    run("keys", "new", "garage", "--no-passphrase")
    run("asset", "create", "hvac", "--owner", "alice", "--set", f"maintenanceSchedule={PLANS}")
    return run


def answer(invoke: Invoke, *words: str, status: int = 0) -> Any:
    run = invoke("maintenance", "due", *words, "--json")
    assert run.status == status, run.stderr
    return json.loads(run.stdout)


def test_a_work_with_all_of_it(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "order.pdf").write_bytes(b"order")
    made = twin(
        *(*ADD, "filter_replacement", "--at", "2024-01-15T10:00:00Z", "--technician", "tech-789"),
        *("--work", "Replaced air filter", "--work", "Cleaned condensate drain"),
        *("--part", "MERV-13-filter:1:45.99", "--part", "drain-tablets:2:8.99"),
        *("--currency", "USD", "--done", "filterChange", "--next", "2024-04-15T10:00:00Z"),
        *("--next-type", "quarterly_maintenance", "--attach", f"{tmp_path}/order.pdf:work-order"),
        *("--pressure", "1.5"),
    )
    assert set(made) == set(documents.Said.__annotations__)
    body = made["body"]
    assert (body["total"], body["currency"]) == ("63.97", "USD")
    assert body["data"] == {"pressure": 1.5}
    assert [file["type"] for file in body["attachments"]] == ["work-order"]
    listed = twin("maintenance", "list", "hvac")
    assert set(listed) == set(documents.Maintenance.__annotations__)
    (item,) = listed["maintenance"]
    assert set(item) == set(documents.MaintenanceItem.__annotations__)
    assert item["schedules"] == ["filterChange"]
    assert item["late"]
    assert listed["totals"] == [{"currency": "USD", "total": "63.97"}]
    run = invoke("maintenance", "list", "hvac")
    cells = dict(zip(*(line.split("\t") for line in run.stdout.splitlines()), strict=True))
    assert cells["parts"] == "1 x MERV-13-filter, 2 x drain-tablets"
    assert cells["cost"] == "63.97 USD"
    assert cells["next"] == "2024-04-15T10:00:00.000Z quarterly_maintenance"
    assert "total: 63.97 USD" in run.stderr
    assert invoke("maintenance", "list", "hvac", tty=True).status == 0


def test_what_is_said_of_it(twin: Twin, invoke: Invoke) -> None:  # noqa: ARG001
    run = invoke(*ADD, "service", "--part", "oil:4:12.50", "--currency", "EUR")
    assert "recorded service of hvac, parts for 50.00 EUR" in run.stderr
    run = invoke(*ADD, "service", "--dry-run", "--part", "oil:4:12.5")
    assert "would record service of hvac, parts for 50.0\n" in run.stderr
    assert "recorded service of hvac\n" in invoke(*ADD, "service").stderr


@pytest.mark.parametrize("option", ["--cost", "--Costs", "--price", "--total"])
def test_a_cost_is_that_of_a_part(twin: Twin, invoke: Invoke, option: str) -> None:  # noqa: ARG001
    run = invoke(*ADD, "service", option, "50", "--json")
    assert (run.status, run.error["code"]) == (2, "usage")
    assert "--part PART:QUANTITY:50" in run.error["hint"]
    assert invoke(*ADD, "service", "--set", "cost=50").status == 0


def test_minutes_are_not_months(twin: Twin, invoke: Invoke) -> None:  # noqa: ARG001
    run = invoke("maintenance", "due", "hvac", "--within", "3m")
    assert "--within 3m is 3 minutes; months are written as days, such as 90d" in run.stderr
    assert "is a minute" in invoke("cert", "check", "hvac", "--within", "1m").stderr
    assert "minute" not in invoke("maintenance", "due", "hvac", "--within", "90d").stderr


def test_sums_stay_within_a_currency_and_with_who_may(twin: Twin, invoke: Invoke) -> None:
    for cost, more in (("1.10", ("--currency", "USD")), ("2.20", ("--currency", "USD")), ("3", ())):
        twin(*ADD, "service", "--part", f"oil:1:{cost}", *more)
    words = (*ADD, "service", "--part", "oil:1:1000", "--key", "garage", "--yes")
    assert invoke(*words).status == 0
    listed = twin("maintenance", "list", "hvac")
    assert listed["totals"] == [
        {"currency": "USD", "total": "3.30"},
        {"currency": None, "total": "3"},
    ]
    assert [item["standing"] for item in listed["maintenance"]][-1] == "unauthorised"
    assert listed["maintenance"][-1]["schedules"] == []
    assert len(twin("maintenance", "list", "hvac", "--limit", "2")["maintenance"]) == 2


def test_the_record_of_another_system(twin: Twin, tmp_path: Path) -> None:
    seed = {
        "type": "filter_replacement",
        "workPerformed": ["Replaced air filter"],
        "partsUsed": [{"part": "MERV-13-filter", "quantity": 1, "cost": 45.99}],
        "nextService": {"type": "quarterly", "scheduledDate": "2999-04-15T10:00:00Z"},
    }
    (tmp_path / "seed.json").write_text(json.dumps(seed))
    made = twin("maintenance", "add", "hvac", "--data", f"@{tmp_path}/seed.json")
    assert made["body"] == {
        "type": "filter_replacement",
        "work": ["Replaced air filter"],
        "parts": [{"part": "MERV-13-filter", "quantity": "1", "cost": "45.99"}],
        "total": "45.99",
        "next": "2999-04-15T10:00:00.000Z",
        "next_type": "quarterly",
    }


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        ((), 2, "add --type TYPE"),
        (("--type", "x", "--part", "filter:one:2"), 2, "'one' is not a quantity of filter"),
        (("--type", "x", "--part", "filter"), 2, "is not a part"),
        (("--type", "x", "--part", "filter:1:$5"), 2, "is not the cost of filter"),
        (("--type", "x", "--currency", "usd"), 2, "--currency: 'usd' is not a currency"),
        (("--type", "x", "--next", "tomorrow"), 2, "--next: 'tomorrow' is neither"),
        (("--type", "x", "--done", "filterchange"), 7, "did you mean filterChange?"),
        (("--type", "x", "--data", '{"type": "y"}'), 2, "given twice"),
        (("--type", "x", "--at", "2124-01-01"), 7, "ahead"),
        (("--type", "x", "--bare"), 2, "leave --bare out"),
        (("--type", "x", "--attach", "missing.pdf:order"), 4, "missing.pdf"),
        (("--type", "x", "--technicain", "y"), 2, "did you mean --technician?"),
        (("--type", ""), 2, "add --type TYPE"),
    ],
)
def test_what_is_refused(
    twin: Twin, invoke: Invoke, words: tuple[str, ...], status: int, part: str
) -> None:
    run = invoke("maintenance", "add", "hvac", *words)
    assert (run.status, run.stdout) == (status, ""), run.stderr
    assert part in run.stderr
    assert twin("maintenance", "list", "hvac")["maintenance"] == []


@pytest.mark.usefixtures("twin")
def test_no_file_is_stored_for_what_is_refused(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"a")
    words = (*ADD, "x", "--done", "nothing", "--attach", f"{tmp_path}/a.pdf:order")
    assert invoke(*words).status == 7
    home = Path(os.environ["TWIN_HOME"])
    assert not [path for path in (home / "content").rglob("*") if path.is_file()]


def test_due_as_people_see_it(twin: Twin, invoke: Invoke) -> None:
    twin(*ADD, "filters", "--done", "filterChange", "--at", "2024-01-15T10:00:00Z")
    twin(*ADD, "painting", "--at", "2024-01-16")
    run = invoke("maintenance", "due", "hvac", "--as-of", "2024-06-01")
    assert run.status == 3
    head, *rows = run.stdout.splitlines()
    assert head.split("\t")[:5] == ["standing", "twin", "reason", "name", "due"]
    assert rows[0].split("\t")[:5] == [
        *("overdue", "hvac", "schedule", "filterChange", "2024-04-15T10:00:00.000Z")
    ]
    assert "hvac: painting of 2024-01-16T00:00:00.000Z fits no schedule" in run.stderr
    for day in ("02", "01"):
        twin(*ADD, "painting", "--at", f"2024-03-{day}")
    run = invoke("maintenance", "due", "hvac", "--as-of", "2024-06-01")
    assert run.stderr.count("fits no schedule") == 1
    said = "hvac: painting, 3 times, the last of 2024-03-02T00:00:00.000Z, fits no schedule"
    assert said in run.stderr
    document = answer(invoke, "hvac", "--as-of", "2024-06-01", status=3)
    assert set(document) == set(documents.Maintained.__annotations__)
    assert set(document["due"][0]) == set(documents.DueItem.__annotations__)
    assert set(document["unmatched"][0]) == set(documents.UnmatchedWork.__annotations__)
    quiet = answer(invoke, "hvac", "--as-of", "2024-02-01", "--within", "7d")
    assert quiet["due"] == []
    soon = answer(invoke, "hvac", "--as-of", "2024-04-01", "--within", "30d", status=3)
    assert [item["standing"] for item in soon["due"]] == ["due"]
    assert invoke("maintenance", "due", "--as-of", "2024-06-01", tty=True).status == 3
    lines = invoke("maintenance", "due", "--as-of", "2024-06-01", "--jsonl").stdout.splitlines()
    assert json.loads(lines[0])["schema"] == "twin.due-item/1"


def test_use_by_streams(twin: Twin, invoke: Invoke) -> None:
    words = ("--set", 'maintenanceSchedule="every-250-hours"')
    twin("asset", "create", "digger", "--owner", "alice", *words)
    push = ("stream", "push", "digger", "engineHours", "--value")
    twin(*push, "240", "--at", "2026-01-01")
    twin(*push, "251", "--at", "2026-02-01")
    (item,) = answer(invoke, "digger", status=3)["due"]
    assert item["usage"] == [
        {"field": "engineHours", "counter": "hours", "reading": 251, "begun": 0, "due": 250}
    ]
    assert "at 250 hours (now 251)" in invoke("maintenance", "due", "digger").stdout
    twin("maintenance", "add", "digger", "--type", "service", "--at", "2026-01-15")
    (item,) = answer(invoke, "digger")["due"]
    assert (item["usage"][0]["begun"], item["usage"][0]["due"]) == (240, 490)
    (item,) = answer(invoke, "digger", "--as-of", "2026-01-10")["due"]
    assert item["usage"][0]["reading"] == 240


def test_use_by_a_part_of_a_stream(twin: Twin, invoke: Invoke) -> None:
    words = ("--set", 'maintenanceSchedule="every-250-hours"')
    twin("asset", "create", "digger", "--owner", "alice", *words)
    twin("stream", "push", "digger", "engine", "--hours", "260", "--rpm", "1500")
    (item,) = answer(invoke, "digger", status=3)["due"]
    assert item["usage"][0]["field"] == "engine.hours"
    twin("maintenance", "add", "digger", "--type", "service")
    assert answer(invoke, "digger")["due"][0]["usage"][0]["due"] == 510


def test_what_cannot_be_judged(twin: Twin, invoke: Invoke) -> None:
    words = ("--set", 'maintenanceSchedule="every-250-hours"')
    twin("asset", "create", "pump", "--owner", "alice", *words)
    assert answer(invoke, "pump", status=11)["due"][0]["standing"] == "upcoming"
    assert "cannot be judged: no field counts hours" in invoke("maintenance", "due").stderr
    twin("asset", "append", "pump", "--engineHours", "5", "--pumpHours", "5")
    document = answer(invoke, "pump", status=11)
    assert set(document["unclear"][0]) == set(documents.UnclearSchedule.__annotations__)
    assert (
        "cannot be judged: engineHours, pumpHours count"
        in invoke("maintenance", "due", "pump").stderr
    )


def test_a_calendar_is_written_again(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "due.ics"
    words = ("maintenance", "due", "--as-of", "2024-06-01", "-o", str(path))
    twin(*ADD, "filters", "--done", "filterChange", "--at", "2024-01-15T10:00:00Z")
    run = invoke(*words)
    assert run.status == 3
    assert f"wrote {path}" in run.stderr
    first = path.read_bytes()
    names = [str(one["SUMMARY"]) for one in Calendar.from_ical(first).walk("VEVENT")]
    assert names == ["hvac: filterChange", "hvac: deepCleaning"]
    assert invoke(*words).status == 3
    assert path.read_bytes() == first
    path.write_text("mine\n")
    run = invoke(*words)
    assert (run.status, run.stdout) == (5, "")
    assert path.read_text() == "mine\n"
    os.unlink(path)
    path.symlink_to(tmp_path / "elsewhere")
    assert invoke(*words).status == 5
    os.unlink(path)
    os.mkfifo(path)
    assert invoke(*words).status == 5
    assert invoke("maintenance", "due", "-o", f"{tmp_path}/no/due.ics").status == 9


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("nothing",), 4),
        (("hvac", "--within", "soon"), 2),
        (("hvac", "--within", "30"), 2),
        (("hvac", "--as-of", "soon"), 2),
        (("hvac", "more"), 2),
    ],
)
def test_what_due_refuses(twin: Twin, invoke: Invoke, words: tuple[str, ...], status: int) -> None:  # noqa: ARG001
    run = invoke("maintenance", "due", *words)
    assert (run.status, run.stdout) == (status, "")


def test_without_twins(invoke: Invoke) -> None:
    assert invoke("maintenance", "due").status == 4  # no home
    assert invoke("keys", "new", "alice", "--no-passphrase").status == 0
    run = invoke("maintenance", "due", "--json")
    assert run.status in {0, 4}
