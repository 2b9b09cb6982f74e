"""``twin query``: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke
from twincli.cli.context import Context
from twincli.cli.options import Options
from twincli.model import inline, record
from twincli.model.inline import Inline
from twincli.model.reading import Observation
from twincli.services.asset.create import Definition, create
from twincli.services.record.say import say

START = 1_704_067_200_000_000
MINUTE = 60_000_000


def pushed(home: Path, stream: str, rows: list[Observation]) -> None:
    """Make a stream of the press whose readings stand in records."""
    with Context(Options(home=str(home))) as context:
        workspace = context.workspace()
        wanted = Definition({}, kind=record.STREAM, parent="press", title=stream, owner="plant")
        made: Any = create(workspace, None, wanted)
        for begin in range(0, len(rows), 20):
            body = inline.body([Inline(row) for row in rows[begin : begin + 20]])
            say(workspace, made["id"], "reading", body, is_owners=True)


@pytest.fixture
def twin(invoke: Invoke, home: Path) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "plant", "--no-passphrase")
    run("asset", "create", "press", "--owner", "plant")
    rows = [
        Observation(
            {"value": 20.0 + at % 10, "status": "on", "tags": ["a", at], "metadata.speed": at},
            START + at * MINUTE // 2,
        )
        for at in range(50)
    ]
    pushed(home, "sensor", rows)
    pushed(home, "door", [Observation({"value": "door =opened"}, START + 30_500_000)])
    return run


def test_rows(twin: Twin, invoke: Invoke) -> None:
    words = ("query", "press", "--stream", "sensor", "--stream", "door")
    found = twin(*words, "--fields", "timestamp,value,metadata.speed")
    assert found["schema"] == "twin.query/1"
    assert [each["name"] for each in found["streams"]] == ["sensor", "door"]
    assert len(found["transactions"]) == 4
    assert found["rows"][1:4] == [
        {"timestamp": "2024-01-01T00:00:30.000Z", "value": 21.0, "metadata": {"speed": 1}},
        {"timestamp": "2024-01-01T00:00:30.500Z", "value": "door =opened"},
        {"timestamp": "2024-01-01T00:01:00.000Z", "value": 22.0, "metadata": {"speed": 2}},
    ]
    lines = invoke(*words, "--fields", "value", "--jsonl").stdout.splitlines()
    assert json.loads(lines[0]) == {"schema": "twin.query-row/1", "value": 20.0}
    piped = invoke(*words, "--fields", "timestamp,value,metadata.speed").stdout.splitlines()
    assert piped[:2] == ["timestamp\tvalue\tmetadata.speed", "2024-01-01T00:00:00.000Z\t20.0\t0"]
    shown = invoke("query", "press", "--stream", "sensor", "--limit", "2", tty=True)
    assert (shown.status, "status" in shown.stdout) == (10, True)


def test_limits_are_never_silent(twin: Twin, invoke: Invoke) -> None:
    words = ("query", "press", "--stream", "sensor", "--limit")
    run = invoke(*words, "5", "--json")
    assert (run.status, run.json["truncated"], len(run.json["rows"])) == (10, True, 5)
    assert "more rows than the 5" in invoke(*words, "5").stderr
    assert twin(*words, "50")["truncated"] is False


def test_aggregates(twin: Twin, invoke: Invoke) -> None:
    words = ("query", "press", "--stream", "sensor", "--every", "1m")
    found = twin(*words, "--fields", "timestamp,value", "--agg", "average")
    assert found["rows"][0] == {"timestamp": "2024-01-01T00:00:00.000Z", "value": 20.5}
    run = invoke(*words, "--fields", "value,status", "--agg", "average", "--json")
    assert (run.status, run.stdout, run.error["code"]) == (7, "", "not_a_number")
    assert "status" in run.error["message"]


def test_files(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    words = ("query", "press", "--stream", "sensor", "--fields", "timestamp,value,tags,status")
    whole = twin(*words)["rows"]
    paths = {name: tmp_path / name for name in ("a.csv", "a.csv.gz", "a.json", "a.jsonl", "b.csv")}
    for path in paths.values():
        made = twin(*words, "-o", str(path), *(("--gzip",) if path.name == "b.csv" else ()))
        assert made["schema"] == "twin.query-file/1"
        assert made["rows"] == 50
    plain = paths["a.csv"].read_text()
    assert gzip.decompress(paths["a.csv.gz"].read_bytes()).decode() == plain
    assert gzip.decompress(paths["b.csv"].read_bytes()).decode() == plain
    rows = list(csv.DictReader(io.StringIO(plain)))
    assert rows[3] == {
        "timestamp": "2024-01-01T00:01:30.000Z",
        "value": "23.0",
        "tags": '["a",3]',
        "status": "on",
    }
    assert json.loads(paths["a.json"].read_text())["rows"] == whole
    assert [json.loads(line) for line in paths["a.jsonl"].read_text().splitlines()] == whole
    parquet = tmp_path / "a.parquet"
    assert twin(*words, "-o", str(parquet))["format"] == "parquet"
    assert parquet.read_bytes()[:4] == b"PAR1"
    with duckdb.connect() as engine:
        read = engine.execute(
            "SELECT count(*), avg(value), min(timestamp) FROM read_parquet(?)", [str(parquet)]
        ).fetchone()
    assert read is not None
    assert (read[0], read[1], read[2].isoformat()) == (50, 24.5, "2024-01-01T00:00:00")
    again = invoke(*words, "-o", str(parquet), "--json")
    assert (again.status, again.error["code"]) == (5, "exists")
    assert invoke(*words, "--format", "csv").stdout == plain
    assert invoke(*words, "--format", "csv", tty=True).stdout == plain
    for wrong in (
        ("-o", str(tmp_path / "x")),
        ("--format", "xml"),
        ("--gzip",),
        ("--format", "csv", "--json"),
        ("-o", str(tmp_path / "x"), "--format", "table"),
    ):
        run = invoke(*words, *wrong)
        assert (run.status, run.stdout) == (2, ""), wrong
    assert not (tmp_path / "x").exists()
    assert invoke(*words, "--format", "parquet", tty=True).status == 2


def test_sql(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    text = 'select count(*) as n, avg(value) as mean from "sensor"'
    assert twin("query", "press", "--sql", text)["rows"] == [{"n": 50, "mean": 24.5}]
    for wrong in ("copy (select 1) to 'stolen.csv'", "select * from read_text('/etc/hostname')"):
        run = invoke("query", "press", "--sql", wrong, "--json")
        assert (run.status, run.stdout, run.error["code"]) == (7, "", "sql_refused")
    assert invoke("query", "press", "--sql", text, "--every", "1m").status == 2
    out = tmp_path / "a.parquet"
    twin("query", "press", "--sql", "select *, 1::hugeint h from sensor", "-o", str(out))
    assert out.read_bytes()[:4] == b"PAR1"
    piped = invoke("query", "press", "--sql", 'select "metadata.speed" from sensor limit 1')
    assert piped.stdout == "metadata.speed\n0\n"
    slow = ("--sql", "select count(*) from range(100000000000) a, range(9) b", "--timeout", "0.2")
    assert invoke("query", "press", *slow).status == 11


@pytest.mark.usefixtures("twin")
def test_what_is_not_there(invoke: Invoke) -> None:
    run = invoke("query", "press", "--stream", "sensr", "--json")
    assert (run.status, run.error["hint"]) == (4, "did you mean sensor?")
    assert invoke("query", "press").status == 2
    assert invoke("query", "nothing", "--stream", "sensor").status == 4
    run = invoke("query", "press", "--stream", "sensor", "--fields", "valu")
    assert run.stdout == "\n"
    assert "no reading in this range has valu" in run.stderr


def test_plot(twin: Twin, invoke: Invoke, home: Path, tmp_path: Path) -> None:
    places = [
        Observation({"latitude": 40.0 + at / 1000, "longitude": -3.7}, START + at * MINUTE)
        for at in range(30)
    ]
    pushed(home, "location", places)
    for name, magic in (("a.svg", b"<svg"), ("a.png", b"\x89PNG")):
        for words in (("--stream", "sensor"), ("--stream", "location", "--stream", "sensor")):
            path = tmp_path / (f"{len(words)}" + name)
            made = twin("plot", "press", *words, "-o", str(path))
            assert path.read_bytes().startswith(magic)
            assert made["schema"] == "twin.plot/1"
    assert made["charts"] == ["location: track", "sensor.metadata.speed", "sensor.value"]
    run = invoke("plot", "press", "--stream", "sensor", "--fields", "value", "--every", "5m")
    assert (run.status, run.stdout.splitlines()[0]) == (0, "sensor.value average")
    assert invoke("plot", "press", "--stream", "door").status == 2
    assert invoke("plot", "press", "--stream", "sensor", "-o", str(tmp_path / "x.jpg")).status == 2
    assert invoke("plot", "press", "--stream", "sensor", "-o", str(path)).status == 5
