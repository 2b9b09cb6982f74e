"""``twin stream export``: files to read, and a table that grows."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    run("asset", "create", "car", "--owner", "alice")
    return run


def rows(count: int, begin: int = 0) -> str:
    return "".join(
        json.dumps({"timestamp": 1704067200000 + at * 600_000, "value": at / 2, "unit": "m"}) + "\n"
        for at in range(begin, begin + count)
    )


def counted(table: Path) -> list[Any]:
    query = deltalake.QueryBuilder().register("t", deltalake.DeltaTable(str(table)))
    text = "SELECT count(*), count(DISTINCT ts) FROM t"
    return [column.to_pylist()[0] for batch in query.execute(text) for column in batch.columns]


def test_a_table(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    twin("stream", "push", "car", "level", "-", stdin=rows(300))
    pushed = twin("stream", "push", "car", "gps", "--lat", "1.5", "--lng", "2.5")
    where = tmp_path / "lake"
    words = ("stream", "export", "car", "--format", "delta", "-o", str(where))
    made = twin(*words)
    assert (made["version"], made["readings"], made["location"]) == (1, 302, str(where))
    assert {each["stream"] for each in made["streams"]} == {"level", "gps"}
    assert counted(where) == [302, 301]
    again = invoke(*words)
    assert again.status == 0
    assert "up to date" in again.stderr
    assert "version\t1" in again.stdout
    log = (where / "_delta_log" / f"{1:020}.json").read_text()
    files = [json.loads(line) for line in log.splitlines()]
    said = [each["add"]["partitionValues"] for each in files if "add" in each]
    assert {each["twin_name"] for each in said} == {"car"}
    assert pushed["transaction_id"] not in {each["anchor"] for each in said}
    assert all(each["chunk"] is None or each["anchor"] for each in said)
    assert all(path.stat().st_mode & 0o044 for path in where.rglob("*"))


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_files(twin: Twin, invoke: Invoke, tmp_path: Path, form: str) -> None:
    twin("asset", "create", "lorry", "--owner", "alice")
    twin("stream", "push", "car", "level", "-", stdin=rows(20))
    twin("stream", "push", "lorry", "in/out", "--value", "7", "--quality", "odd", "--source", "me")
    where = tmp_path / "out"
    words = ("stream", "export", "--format", form, "-o", str(where))
    made = twin(*words)
    assert (made["files_added"], made["readings"], made["version"]) == (2, 21, None)
    names = sorted(str(path.relative_to(where)) for path in where.rglob(f"*.{form}"))
    assert names == [f"car/level.{form}", f"lorry/in%2Fout.{form}"]
    text = f"SELECT value, quality, source FROM '{where}/{names[1]}'"
    assert duckdb.execute(text).fetchall() == [(7, "odd", "me")]
    if form == "csv":
        with (where / names[0]).open(newline="") as file:
            assert len(list(csv.DictReader(file))) == 20
    assert invoke(*words).status == 5


def test_what_is_refused(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    out = ("-o", str(tmp_path / "out"))
    empty = invoke("stream", "export", "--format", "csv", *out)
    assert empty.status == 4
    twin("stream", "push", "car", "level", "--value", "1")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    for words, status, said in (
        (("car", *out), 2, "--format"),
        (("car", "--format", "delta"), 2, "-o"),
        (("car", "--format", "iceberg", *out), 2, "--format delta"),
        (("car", "--format", "xml", *out), 2, "csv, parquet, delta"),
        (("nothing", "--format", "delta", *out), 4, "nothing"),
        (("car", "--format", "delta", "-o", str(tmp_path / "full")), 5, "other files"),
        (("car", "--format", "delta", "-o", "ftp://x"), 2, "ftp://x"),
        (("car", "--format", "delta", "--dry-run", *out), 2, "--dry-run"),
    ):
        run = invoke("stream", "export", *words, "--json")
        assert (run.status, run.stdout) == (status, ""), words
        assert said in run.stderr
    assert not (tmp_path / "out").exists()


def test_killed_it_goes_on(twin: Twin, home: Path, tmp_path: Path) -> None:
    chance = random.Random(5)
    twin("stream", "push", "car", "level", "-", stdin=rows(4000))
    where = tmp_path / "lake"
    words = ("stream", "export", "car", "--format", "delta", "-o", str(where))
    environment = {**os.environ, "TWIN_HOME": str(home)}
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-m", "twincli", *words],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            end = time.monotonic() + 30
            while not where.exists() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.005)
            time.sleep(chance.random() / 4)
            process.send_signal(signal.SIGKILL)
    twin(*words)
    assert counted(where) == [4000, 4000]
