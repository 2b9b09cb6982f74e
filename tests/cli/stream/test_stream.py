"""``twin stream``: created, pushed into, listed and shown."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke
from twincli.content import foreign

TEMPLATE = {
    "id": "van-v1",
    "name": "Van",
    "assetType": "vehicle",
    "identifiers": {"primary": "vin"},
    "trackingFields": [
        {"name": "location", "type": "coordinates", "realTime": True, "source": "gps"},
        {"name": "mileage", "type": "number", "unit": "km", "min": 0, "max": 1000000},
        {"name": "status", "type": "enum", "values": ["on", "off"]},
    ],
}


@pytest.fixture
def twin(invoke: Invoke, tmp_path: Path) -> Twin:
    run = quietly(invoke)
    for name in ("alice", "tracker", "thief"):
        run("keys", "new", name, "--no-passphrase")
    path = tmp_path / "van.json"
    path.write_text(json.dumps(TEMPLATE))
    run("template", "register", str(path))
    run("asset", "create", "van", "--template", "van-v1", "--vin", "V1", "--owner", "alice")
    run("asset", "create", "car", "--owner", "alice")
    return run


FIX = ("--latitude", "40.7128", "--longitude", "-74.0060", "--metadata.speed", "35.5")


def test_a_device_pushes_and_the_twin_shows_it(twin: Twin, invoke: Invoke) -> None:
    made = twin("stream", "create", "van", "location", "--owner", "tracker")
    assert made["created"]
    words = ("stream", "push", "van", "location", "--key", "tracker")
    first = twin(*words, *FIX, "--source", "gps-1", "--at", "2024-01-20T09:00:00Z")
    assert (first["count"], first["standing"]) == (1, "authorised")
    assert first["readings"] == [
        {
            "timestamp": "2024-01-20T09:00:00.000Z",
            "source": "gps-1",
            "data": {"latitude": 40.7128, "longitude": -74.006, "metadata": {"speed": 35.5}},
        }
    ]
    line = '{"lat": 40.7129, "lng": -74.0061, "source": "gps-1", "timestamp": 1705741230000}'
    twin(*words, "-", stdin=line)
    shown = twin("stream", "show", "van", "location")
    assert (shown["readings"], shown["anchors"], shown["chunks"]) == (2, 2, 0)
    assert shown["first_at"] == "2024-01-20T09:00:00.000Z"
    assert shown["sources"] == ["gps-1"]
    assert shown["last"]["standing"] == "authorised"
    (listed,) = twin("stream", "list", "van")["streams"]
    assert listed["readings"] == 2
    van = twin("asset", "show", "van")
    assert van["streams"][0]["values"]["latitude"] == 40.7129
    assert van["real_time"][0]["value"]["latitude"] == 40.7129
    assert "streams" not in twin("asset", "show", "van", "--as-of", "2999-01-01")
    drawn = invoke("asset", "show", "van", tty=True).stdout
    assert "location at 2024-01-20T09:00:30.000Z" in drawn


def test_nobody_else_writes(twin: Twin, invoke: Invoke) -> None:
    thief = ("stream", "push", "van", "location", "--key", "thief", *FIX)
    run = invoke(*thief)
    assert run.status == 6
    assert "twin stream create van location --owner thief" in run.stderr
    assert invoke("stream", "list", "van").stdout.count("\n") == 1
    twin("stream", "create", "van", "location", "--owner", "tracker")
    run = invoke(*thief)
    assert run.status == 6
    assert "its owner is tracker" in run.stderr
    assert "twin stream create van NAME --owner thief" in run.stderr
    many = invoke("stream", "push", "van", "location", "-", "--key", "thief", stdin=lines(300))
    assert many.status in {6, 7}
    twin("stream", "create", "car", "speed", "--owner", "tracker")
    many = invoke("stream", "push", "car", "speed", "-", "--key", "thief", stdin=lines(300))
    assert many.status == 6
    assert "its owner is tracker" in many.stderr


@pytest.mark.parametrize(
    ("stream", "words", "code"),
    [
        ("location", ("--latitude", "91", "--longitude", "0"), "invalid_value"),
        ("location", ("--latitude", "9"), "incomplete_coordinates"),
        ("location", ("--value", "9"), "invalid_value"),
        ("mileage", ("--value", "lots"), "invalid_value"),
        ("mileage", ("--other", "1"), "invalid_reading"),
        ("mileage", ("--value", "-1"), "out_of_range"),
        ("mileage", ("--value", "1", "--unit", "kg"), "unit_mismatch"),
        ("status", ("--value", "broken"), "invalid_value"),
        ("diary", ("--mileage", "much"), "invalid_value"),
        ("a.b", ("--value", "1"), "invalid_name"),
        ("events", ("--value", "1"), "invalid_name"),
    ],
)
def test_what_the_template_does_not_take(
    twin: Twin, invoke: Invoke, stream: str, words: tuple[str, ...], code: str
) -> None:
    run = invoke("stream", "push", "van", stream, *words, "--json")
    assert (run.status, json.loads(run.stderr)["error"]["code"]) == (7, code)
    assert twin("stream", "list", "van")["streams"] == []  # not even the stream is made


def test_units_and_doubt(twin: Twin) -> None:
    made = twin("stream", "push", "van", "mileage", "--value", "10", "--unit", "mi")
    (item,) = made["readings"]
    assert item["data"] == {"value": 16.09344}
    assert item["given"] == [{"path": "value", "value": "10", "unit": "mi"}]
    made = twin("stream", "push", "van", "mileage", "--value", "-1", "--on-invalid", "suspect")
    assert made["readings"][0]["suspect"] == ["value"]
    assert made["warnings"] == ["suspect by the template: value"]
    latest = twin("asset", "show", "van")["streams"][0]
    assert latest["suspect"] == ["value"]
    free = twin("stream", "push", "car", "heat", "--value", "20", "--unit", "C")
    assert free["readings"][0]["data"] == {"value": 20, "unit": "C"}


def test_a_structured_reading_nests(twin: Twin, tmp_path: Path) -> None:
    path = tmp_path / "made.json"
    value = {"specifications": {"weight": 2.5}, "tests": ["pass", "pass"]}
    path.write_text(json.dumps(value))
    made = twin("stream", "push", "car", "manufacturing", "--data", f"@{path}")
    assert made["readings"][0]["data"] == value
    assert twin("asset", "show", "car")["streams"][0]["values"] == value


AT = ("--at", "2024-01-20T09:00:00Z")


def test_repeats_and_conflicts(twin: Twin, invoke: Invoke) -> None:
    words = ("stream", "push", "car", "heat")
    first = twin(*words, "--value", "20", *AT)
    again = twin(*words, "--value", "20", *AT)
    assert (again["count"], again["existing"], again["transaction_id"]) == (0, 1, None)
    run = invoke(*words, "--value", "21", *AT)
    assert run.status == 5
    assert "conflicting_reading" in invoke(*words, "--value", "21", *AT, "--json").stderr
    more = twin(*words, "--value", "20", "--humidity", "50", *AT)
    assert more["readings"][0]["data"] == {"humidity": 50}
    other = twin(*words, "--value", "21", "--source", "b", *AT)
    assert other["count"] == 1
    run = invoke(*words, "--value", "warm")
    assert run.status == 7
    assert "was a whole number before" in run.stderr
    assert first["count"] == 1


def test_once(twin: Twin, invoke: Invoke) -> None:
    words = ("stream", "push", "car", "heat", "--once", "t1")
    first = twin(*words, "--value", "20")
    again = twin(*words, "--value", "20")
    assert (again["count"], again["transaction_id"]) == (0, first["transaction_id"])
    assert invoke(*words, "--value", "21").status == 5


def lines(count: int, start: int = 1_700_000_000) -> str:
    return "".join(
        json.dumps({"timestamp": start + number, "value": number / 2, "on": True}) + "\n"
        for number in range(count)
    )


def test_many_lines_are_a_chunk(twin: Twin, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("stream", "push", "car", "heat", "-")
    made = twin(*words, stdin=lines(250))
    assert (made["count"], len(made["chunks"]), made["readings"]) == (250, 1, [])
    assert len([path for path in (home / "content").rglob("baf*") if path.is_file()]) == 1
    again = twin(*words, stdin=lines(260))
    assert (again["count"], again["existing"]) == (10, 250)
    one = twin(*words, stdin=lines(1))
    assert (one["count"], one["existing"]) == (0, 1)
    shown = twin("stream", "show", "car", "heat")
    assert (shown["readings"], shown["values"], shown["chunks"]) == (260, 520, 2)
    assert {item["path"]: item["value"] for item in shown["latest"]} == {"on": True, "value": 129.5}
    # What is known of streams is derived; own chunks are still known as such.
    with monkeypatch.context() as patched:
        patched.setattr(foreign, "read", lambda *_: pytest.fail("a process was started"))
        for path in (home / "streams").glob("*.db*"):
            path.unlink()
        assert twin("stream", "show", "car", "heat") == shown
    shutil.rmtree(home / "streams")
    assert twin("stream", "show", "car", "heat") == shown


def test_lines_that_are_refused(twin: Twin, invoke: Invoke) -> None:
    bad = (
        lines(3) + '{"timestamp": 1700000009}\nnonsense\n{"timestamp": 1700000008, "value": "x"}\n'
    )
    run = invoke("stream", "push", "car", "heat", "-", "--json", stdin=bad)
    assert run.status == 7
    assert [item["line"] for item in run.json["refused"]] == [4, 5, 6]
    assert run.json["count"] == 0
    text = invoke("stream", "push", "car", "heat", "-", stdin=bad)
    assert "line 5: " in text.stderr
    assert twin("stream", "list", "car")["streams"] == []
    twin("stream", "push", "car", "heat", "-", stdin=lines(3))
    clash = '{"timestamp": 1700000000, "value": 9.0}\n'
    run = invoke("stream", "push", "car", "heat", "-", "--json", stdin=clash)
    assert run.status == 7
    assert run.json["refused"][0]["code"] == "conflicting_reading"


def test_create(twin: Twin, invoke: Invoke) -> None:
    words = ("stream", "create", "car", "heat")
    made = twin(*words)
    assert (made["owner"], made["created"]) == ("alice", True)
    assert invoke(*words).status == 5
    assert twin(*words, "--if-missing")["created"] is False
    assert invoke(*words, "--if-missing", "--owner", "tracker").status == 5
    assert twin("stream", "create", "car", "cold", "--dry-run")["asset_id"] is None
    assert [item["stream"] for item in twin("stream", "list", "car")["streams"]] == ["heat"]
    assert invoke("stream", "create", "car", "x", "--bare").status == 2
    assert invoke("stream", "create", "car", "x", "--key", "thief").status == 6


def test_dry_runs_write_nothing(twin: Twin) -> None:
    made = twin("stream", "push", "car", "heat", "--value", "1", "--dry-run")
    assert (made["count"], made["transaction_id"], made["asset_id"]) == (1, None, None)
    assert twin("stream", "push", "car", "heat", "-", "--dry-run", stdin=lines(200))["count"] == 200
    assert twin("stream", "list", "car")["streams"] == []
    twin("stream", "push", "car", "heat", "--value", "1")
    made = twin("stream", "push", "car", "heat", "--value", "2", "--dry-run")
    assert made["transaction_id"] is None
    assert twin("stream", "show", "car", "heat")["readings"] == 1


@pytest.mark.usefixtures("twin")
@pytest.mark.parametrize(
    "words",
    [
        ("push", "car"),
        ("push", "car", "heat"),
        ("push", "car", "heat", "-", "--value", "1"),
        ("push", "car", "heat", "-", "--once", "x"),
        ("push", "car", "heat", "--value", "1", "--bare"),
        ("push", "car", "heat", "-", "extra"),
        ("push", "--value", "1"),
        ("show", "car"),
    ],
)
def test_usage(invoke: Invoke, words: tuple[str, ...]) -> None:
    assert invoke("stream", *words).status == 2


def test_not_found(twin: Twin, invoke: Invoke) -> None:
    twin("stream", "push", "car", "heat", "--value", "1")
    run = invoke("stream", "show", "car", "heet")
    assert run.status == 4
    assert "did you mean heat?" in run.stderr
    assert invoke("stream", "show", "nothing", "heat").status == 4


def test_times_that_cannot_be(twin: Twin, invoke: Invoke) -> None:
    ahead = invoke(
        "stream", "push", "car", "heat", "--set", "timestamp=99999999999", "--value", "1"
    )
    assert ahead.status == 7
    made: Any = twin("stream", "push", "car", "heat", "--timestamp", "12345", "--value", "1")
    assert made["readings"][0]["quality"] == "unset_clock"
    assert made["warnings"]


def test_two_at_once_make_one_stream(twin: Twin, home: Path) -> None:
    words = [sys.executable, "-m", "twincli", "stream", "push", "car", "heat", "--home", str(home)]
    running = [
        subprocess.Popen(
            [*words, "--value", str(number), "--source", f"s{number}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for number in range(4)
    ]
    for process in running:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
    (stream,) = twin("stream", "list", "car")["streams"]
    assert stream["readings"] == 4


def test_eight_at_once_lose_nothing(twin: Twin, home: Path) -> None:
    twin("stream", "create", "car", "count")
    program = (
        f"import sys, time; time.time_ns = lambda: {time.time_ns()}; from twincli.cli import main;"
        " sys.exit(max(main.main(sys.argv[1:]) for _ in range(3)))"
    )
    words = ["stream", "push", "car", "count", "--home", str(home), "--value"]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, *words, str(number % 2)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for number in range(8)
    ]
    for process in running:
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
    shown = twin("stream", "show", "car", "count")
    assert (shown["readings"], shown["anchors"]) == (24, 24)
    assert shown["sources"] == [""]


@pytest.mark.parametrize("count", [3, 150])
def test_lines_without_a_time_have_each_their_own(twin: Twin, invoke: Invoke, count: int) -> None:
    same = '{"value": 1}\n' * count
    words = ("stream", "push", "car", "heat", "-")
    assert (twin(*words, stdin=same)["count"], twin(*words, stdin=same)["count"]) == (count, count)
    followed = twin("stream", "follow", "car", "heat", "-", stdin=same)
    assert (followed["count"], followed["refused_count"]) == (count, 0)
    assert twin("stream", "show", "car", "heat")["readings"] == 3 * count
    run = invoke(*words, *AT, "--json", stdin='{"value": 1}\n{"value": 2}\n')
    assert (run.status, run.json["refused"][0]["code"]) == (7, "conflicting_reading")


def test_units_of_another_template_are_not_mixed_in_silence(
    twin: Twin, invoke: Invoke, tmp_path: Path
) -> None:
    words = ("stream", "push", "van", "mileage", "--value")
    twin(*words, "10", *AT)
    twin("stream", "push", "van", "location", *FIX, *AT)
    path = tmp_path / "next.json"
    text = json.dumps({**TEMPLATE, "id": "van-v2"})
    path.write_text(text.replace('"unit": "km"', '"unit": "mi"'))
    twin("template", "register", str(path))
    query = ("query", "van", "--stream", "mileage", "--json")
    assert invoke(*query).json["warnings"] == []
    twin("asset", "migrate", "van", "--template", "van-v2", "--yes")
    twin(*words, "20", "--unit", "km")
    (warning,) = invoke(*query).json["warnings"]
    assert "mileage.value is in mi, and was in km until" in warning
    assert invoke("query", "van", "--stream", "location", "--json").json["warnings"] == []


def test_units_are_shown(twin: Twin, invoke: Invoke) -> None:
    twin("stream", "push", "car", "heat", "--value", "23.5", "--unit", "Cel", "--on", "true")
    twin("stream", "push", "van", "mileage", "--value", "12")
    units = {
        (name, each["path"]): each["unit"]
        for name, stream in (("car", "heat"), ("van", "mileage"))
        for each in twin("stream", "show", name, stream)["latest"]
    }
    assert units == {("car", "on"): None, ("car", "value"): "Cel", ("van", "value"): "km"}
    shown = invoke("stream", "show", "car", "heat").stdout
    assert "23.5 Cel" in shown
    assert "true" in shown


def test_a_push_after_the_link_ended_says_so(twin: Twin) -> None:
    made = twin("stream", "create", "car", "gps", "--owner", "tracker")
    push = ("stream", "push", "car", "gps", "--key", "tracker", "--value")
    assert twin(*push, "1")["warnings"] == []
    twin("link", "remove", "car", "stream", made["asset_id"])
    late = twin(*push, "2")
    assert late["standing"] != "authorised"
    (warning,) = late["warnings"]
    assert "do not count" in warning
    again = warning.rpartition(": twin ")[2].split()
    twin(*again)
    assert twin(*push, "3")["warnings"] == []
