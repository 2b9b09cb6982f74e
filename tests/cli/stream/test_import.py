"""``twin stream import``: files of others, every fault with its line, nothing twice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke
from twincli.cli.commands.stream import sources

GPX = """<?xml version="1.0"?>
<gpx version="1.1"><trk><trkseg>
<trkpt lat="40.1" lon="-3.7"><ele>600</ele><time>2024-01-20T09:00:00Z</time></trkpt>
<trkpt lat="40.2" lon="-3.7"><time>2024-01-20T09:00:30Z</time></trkpt>
</trkseg></trk></gpx>
"""


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    run("asset", "create", "car")
    return run


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path


def csv(path: Path, count: int, *more: str) -> str:
    rows = [f"{1_704_067_200 + 30 * number},{number % 10 + 0.5},on" for number in range(count)]
    path.write_text("\n".join(["timestamp,value,status", *rows, *more]) + "\n")
    return str(path)


def test_csv_twice_is_stored_once(twin: Twin, invoke: Invoke, here: Path) -> None:
    file = csv(here / "sensor.csv", 6000)
    made = twin("stream", "import", "car", "heat", file)
    assert (made["count"], made["existing"], made["refused_count"]) == (6000, 0, 0)
    assert len(made["chunks"]) == 3  # days
    again = twin("stream", "import", "car", "heat", file)
    assert (again["count"], again["existing"]) == (0, 6000)
    csv(here / "sensor.csv", 6010)
    assert twin("stream", "import", "car", "heat", file)["count"] == 10
    shown = twin("stream", "show", "car", "heat")
    assert (shown["readings"], shown["values"], shown["anchors"]) == (6010, 12020, 2)
    assert shown["series"] == {"status": "text", "value": "f64"}
    run = invoke("stream", "import", "car", "heat", file)
    assert "found: delimiter ',', encoding utf-8, decimal '.'" in run.stderr
    assert "6010 already there" in run.stderr
    quiet = invoke("stream", "import", "car", "heat", file, "--quiet")
    assert quiet.stdout == ""


def test_stdin_and_other_marks(twin: Twin) -> None:
    text = "zeit;wert\n2024-01-20 10:00;3,5\n2024-01-20 10:01;4,5\n"
    words = ("stream", "import", "car", "heat", "-", "--format", "csv")
    made = twin(*words, "--zone", "Europe/Berlin", stdin=text)
    assert made["first_at"] == "2024-01-20T09:00:00.000Z"
    assert made["readings"][0]["data"] == {"wert": 3.5}


@pytest.mark.parametrize(("on_invalid", "status", "count"), [("reject", 7, 0), ("skip", 10, 1200)])
def test_refused_lines_have_a_number_and_a_reason(
    twin: Twin, invoke: Invoke, here: Path, on_invalid: str, status: int, count: int
) -> None:
    file = csv(here / "a.csv", 1200, "1704070000,warm,on", "never,1.5,on")
    run = invoke("stream", "import", "car", "heat", file, "--on-invalid", on_invalid, "--json")
    assert (run.status, run.json["count"]) == (status, count)
    assert [item["line"] for item in run.json["refused"]] == [1202, 1203]
    assert "'warm' is not a number" in run.json["refused"][0]["reason"]
    there = {item["stream"]: item["readings"] for item in twin("stream", "list", "car")["streams"]}
    assert there == ({"heat": 1200} if count else {})


def test_other_formats(twin: Twin, here: Path) -> None:
    (here / "track.gpx").write_text(GPX)
    made = twin("stream", "import", "car", "track", str(here / "track.gpx"))
    assert made["count"] == 2
    assert made["readings"][0]["data"]["latitude"] == 40.1
    lines = "".join(json.dumps({"timestamp": 1_700_000_000 + n, "v": n}) + "\n" for n in range(300))
    (here / "a.jsonl").write_text(lines)
    assert twin("stream", "import", "car", "lines", str(here / "a.jsonl"))["count"] == 300
    duckdb = pytest.importorskip("duckdb")
    path = str(here / "a.parquet")
    duckdb.sql(
        "SELECT 1700000000 + i AS timestamp, i / 2 AS value FROM range(500) t(i)"
    ).write_parquet(path)
    assert twin("stream", "import", "car", "cells", path)["count"] == 500
    assert twin("stream", "import", "car", "cells", path)["existing"] == 500


def test_a_template_is_held(invoke: Invoke, twin: Twin, here: Path) -> None:
    form = {
        "id": "pump-v1",
        "name": "Pump",
        "assetType": "pump",
        "identifiers": {"primary": "serial"},
        "trackingFields": [{"name": "value", "type": "number", "min": 0, "max": 5}],
    }
    (here / "pump.json").write_text(json.dumps(form))
    twin("template", "register", str(here / "pump.json"))
    twin("asset", "create", "pump", "--template", "pump-v1", "--serial", "S1")
    file = csv(here / "a.csv", 200)
    run = invoke("stream", "import", "pump", "heat", file, "--json")
    assert (run.status, run.json["count"], run.json["refused_count"]) == (7, 0, 100)
    made = twin("stream", "import", "pump", "heat", file, "--on-invalid", "suspect")
    assert made["count"] == 200
    latest = twin("stream", "show", "pump", "heat")["latest"]
    assert [item["suspect"] for item in latest if item["path"] == "value"] == [True]


@pytest.mark.parametrize(
    "words",
    [
        ("x.bin",),
        ("-",),
        ("a.csv", "--format", "xls"),
        ("a.csv", "--on-invalid", "maybe"),
        ("a.csv", "--decimal", ";"),
        ("a.csv", "--delimiter", "ab"),
        ("a.csv", "--zone", "Mars/Base"),
        ("a.csv", "--once", "t"),
    ],
)
def test_usage(twin: Twin, invoke: Invoke, here: Path, words: tuple[str, ...]) -> None:
    csv(here / "a.csv", 2)
    csv(here / "x.bin", 2)
    file = words[0] if words[0] == "-" else str(here / words[0])
    assert invoke("stream", "import", "car", "heat", file, *words[1:]).status == 2
    assert twin("stream", "list", "car")["streams"] == []


def test_a_file_that_is_not_there(twin: Twin, invoke: Invoke) -> None:
    assert twin("stream", "list", "car")["streams"] == []
    assert invoke("stream", "import", "car", "heat", "nothing.csv").status == 4


@pytest.mark.parametrize(
    "streams",
    [pytest.param(10, marks=pytest.mark.ci), pytest.param(200, marks=pytest.mark.nightly)],
)
def test_killed_anywhere_nothing_is_lost_or_doubled(
    twin: Twin, home: Path, here: Path, streams: int
) -> None:
    """Five times for each stream."""
    file = csv(here / "a.csv", 30_000)
    words = [sys.executable, "-m", "twincli", "stream", "import", "car"]

    def started(stream: str) -> Any:
        return subprocess.Popen(
            [*words, stream, file, "--home", str(home)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    begin = time.monotonic()
    assert started("first").wait(60) == 0
    whole = time.monotonic() - begin
    source = random.Random(12)
    for number in range(streams):
        for _ in range(5):
            running = started(f"s{number}")
            time.sleep(source.uniform(0.2, 1.0) * whole)
            running.kill()
            running.wait()
        assert started(f"s{number}").wait(60) == 0
        shown = twin("stream", "show", "car", f"s{number}")
        assert (shown["readings"], shown["values"], shown["chunks_unread"]) == (30_000, 60_000, 0)


def test_lines_of_conflicts_among_cells_of_several_lines(
    twin: Twin, invoke: Invoke, here: Path
) -> None:
    rows = [f'2024-01-01T00:00:{at:02}Z,"two\nlines {at}"\n' for at in range(5)]
    (here / "a.csv").write_text("timestamp,note\n" + "".join(rows))
    assert twin("stream", "import", "car", "notes", str(here / "a.csv"))["count"] == 5
    rows[3] = rows[3].replace("lines", "words")
    (here / "b.csv").write_text("timestamp,note\n" + "".join(rows))
    run = invoke("stream", "import", "car", "notes", str(here / "b.csv"), "--json")
    assert [(item["line"], item["code"]) for item in run.json["refused"]] == [
        (8, "conflicting_reading")
    ]


def test_times_that_cannot_be_are_refused_or_doubted(
    twin: Twin, invoke: Invoke, here: Path
) -> None:
    text = "timestamp,v\n1700000000,1\n5,2\n9700000000,3\n"
    (here / "a.csv").write_text(text)
    (here / "a.jsonl").write_text(
        "".join(
            json.dumps({"timestamp": int(line.split(",")[0]), "v": int(line.split(",")[1])}) + "\n"
            for line in text.splitlines()[1:]
        )
    )
    for name in ("a.csv", "a.jsonl"):
        run = invoke(
            *("stream", "import", "car", name[2:], str(here / name)),
            *("--on-invalid", "skip", "--json"),
        )
        (refused,) = run.json["refused"]
        assert (run.json["count"], refused["code"]) == (2, "time_ahead")
        assert refused["line"] == (4 if name == "a.csv" else 3)
        found = twin("query", "car", "--stream", name[2:], "--suspect")["rows"]
        assert [row["quality"] for row in found] == ["unset_clock", "good"]


LOGGER = "Zeit;Temp;Status;Bemerkung\n31.01.2024 09:00;21,5;an;x\n31.01.2024 09:10;-3,25-;aus;\n"
PLAN = """\
csv: {delimiter: ";", decimal: ",", times: "%d.%m.%Y %H:%M"}
time: Zeit
zone: Europe/Berlin
drop: [Bemerkung]
fields:
  Temp: {to: air.temperature, type: number, unit: C}
  Status: {to: "on", type: boolean, format: an/aus}
"""


def test_a_table_by_its_map(twin: Twin, invoke: Invoke, here: Path) -> None:
    (here / "log.csv").write_text(LOGGER)
    (here / "map.yaml").write_text(PLAN)
    words = (
        "stream",
        "import",
        "car",
        "air",
        str(here / "log.csv"),
        "--map",
        str(here / "map.yaml"),
    )
    run = invoke(*words, "--on-invalid", "skip", "--json")
    done = run.json
    assert (run.status, done["count"], done["refused_count"]) == (10, 1, 1)
    assert done["refused"][0]["line"] == 3
    assert "Temp: '-3,25-' is not a number" in done["refused"][0]["reason"]
    assert done["first_at"] == "2024-01-31T08:00:00.000Z"
    asked = twin("query", "car", "--stream", "air")
    assert (
        asked["rows"]
        == [{"timestamp": "2024-01-31T08:00:00.000Z", "air.temperature": 21.5, "on": True}]
        or asked["rows"][0]["timestamp"] == "2024-01-31T08:00:00.000Z"
    )
    shown = twin("stream", "show", "car", "air")
    assert shown["series"] == {"air.temperature": "f64", "on": "bool"}
    again = invoke(*words, "--on-invalid", "skip", "--json").json
    assert (again["count"], again["existing"]) == (0, 1)


def test_documents_by_their_map(twin: Twin, here: Path) -> None:
    lines = [{"meta": {"t": 1_706_691_600 + n}, "d": {"v": n}, "more": "x"} for n in range(3)]
    (here / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (here / "map.yaml").write_text(
        "time: meta.t\nunmapped: drop\nfields: {d.v: {to: value, type: integer}}\n"
    )
    file, plan = str(here / "log.jsonl"), str(here / "map.yaml")
    assert twin("stream", "import", "car", "s", file, "--map", plan)["count"] == 3


@pytest.mark.parametrize(
    ("plan", "status", "words"),
    [
        ("time: Zeit\ndo: create\n", 7, "line 2: do: an import takes readings"),
        ("time: Zeit\nname: '{Status}'\n", 7, "name: an import is of one stream of one twin"),
        ("time: Zeit\nkey: Status\n", 7, "an import is of one stream of one twin"),
        ("time: Zeit\nset: {a: b}\n", 7, "an import is of one stream of one twin"),
        ("time: Zeit\nstream: s\n", 7, "an import is of one stream of one twin"),
        ("time: When\n", 7, "the file has no column 'When'"),
        ("time: Zeit\n", 7, "bad_time"),
        ("fields: {Temp: t}\n", 7, "no_time"),
        ("nothing: x\n", 7, "there is no member 'nothing'"),
    ],
)
@pytest.mark.usefixtures("twin")
def test_maps_that_do_not_fit_an_import(
    invoke: Invoke, here: Path, plan: str, status: int, words: str
) -> None:
    (here / "log.csv").write_text(LOGGER)
    (here / "map.yaml").write_text(plan)
    file, path = str(here / "log.csv"), str(here / "map.yaml")
    run = invoke("stream", "import", "car", "air", file, "--map", path, "--json")
    assert run.status == status, (run.stdout, run.stderr)
    assert words in run.stdout + run.stderr
    assert invoke("stream", "import", "car", "s", str(here / "x.gpx"), "--map", path).status == 2


def test_a_large_table_by_its_map(twin: Twin, here: Path) -> None:
    rows = "".join(f"{1_704_067_200 + n},{n % 10}\n" for n in range(60_000))
    (here / "log.csv").write_text(f"t,v\n{rows}")
    (here / "map.yaml").write_text("time: t\nfields: {v: {to: value, type: number}}\n")
    done = twin(
        "stream", "import", "car", "s", str(here / "log.csv"), "--map", str(here / "map.yaml")
    )
    assert (done["count"], done["refused_count"]) == (60_000, 0)


def test_stdin_is_bounded(
    twin: Twin, invoke: Invoke, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("stream", "import", "car", "piped", "-", "--format", "csv", "--json")
    text = "time,v\n" + "".join(f"2024-01-01T00:00:{n:02},{n}\n" for n in range(60))
    monkeypatch.setattr(sources, "MAX_STDIN", len(text) - 1)
    refused = invoke(*words, "--zone", "UTC", stdin=text)
    assert (refused.status, refused.error["code"]) == (7, "too_large")
    monkeypatch.setattr(sources, "MAX_STDIN", len(text))
    assert twin(*words[:-1], "--zone", "UTC", stdin=text)["count"] == 60
    monkeypatch.setattr(tempfile, "tempdir", str(here / "away"))
    failed = invoke(*words, "--zone", "UTC", stdin=text)
    assert failed.error["code"] == "cannot_write"


def test_a_pipe_is_read_once(twin: Twin, here: Path) -> None:
    """Of a shell's ``<(zcat log.csv.gz)`` nothing was left when it was opened again."""
    pipe = here / "pipe.csv"
    os.mkfifo(pipe)
    text = "time,v\n" + "".join(f"2024-01-01T00:00:{n:02}Z,{n}\n" for n in range(60))
    for name, more in (("clear", ()), ("locked", ("--encrypt",))):
        twin("stream", "create", "car", name, *more)
        writer = threading.Thread(target=pipe.write_text, args=(text,))
        writer.start()
        assert twin("stream", "import", "car", name, str(pipe))["count"] == 60
        writer.join()


def test_a_packed_file_is_named_before_its_format_is_asked(invoke: Invoke, here: Path) -> None:
    import gzip

    (here / "log.csv.gz").write_bytes(gzip.compress(b"time,v\n2024-01-01T00:00:00Z,1\n"))
    words = ("stream", "import", "car", "s")
    for name, code in (("log.csv.gz", "not_text"), ("no.csv.gz", "no_file")):
        assert invoke(*words, str(here / name), "--json").error["code"] == code, name
    pipe = here / "pipe"
    os.mkfifo(pipe)  # opened before its format is known, it would wait, or be read once too often
    assert invoke(*words, str(pipe), "--json").error["code"] == "usage"
