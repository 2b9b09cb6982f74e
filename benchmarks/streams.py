"""What streams cost beside DuckDB alone, on the same data in the same run.

    uv run python -m benchmarks.streams          10 million readings, about a minute
    uv run python -m benchmarks.streams --quick  half a million
    uv run python -m benchmarks.streams --write  also into RESULTS.md

This is what lies under ``stream import`` and ``query``, without a ledger: the CSV is read and held
to our rules, put in order, cut into chunks that are written, made durable and hashed, and minutes
are summarised; then the minute averages are answered from the chunks, exactly.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import numpy as np

from benchmarks.report import Figure, arguments, report
from twincli.analysis import buckets, exact, summary
from twincli.cli.context import Context
from twincli.cli.options import Options
from twincli.content import chunks
from twincli.content.inventory import Inventory
from twincli.content.store import Blobs
from twincli.formats.readings import fast, table
from twincli.model import batch as batches
from twincli.model import manifest, record
from twincli.model.manifest import Entry
from twincli.services.asset.create import Definition, create
from twincli.services.record.say import say

if TYPE_CHECKING:
    from twincli.analysis.summary import Summary

FULL, QUICK = 10_000_000, 500_000
STEP_US = 259_200
THREADS = 2


class Imported(NamedTuple):
    entries: list[Entry]
    rollup: Summary
    seconds: dict[str, float]


class Clock:
    """Seconds by what was done."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = time.perf_counter()

    def tick(self, what: str) -> None:
        now = time.perf_counter()
        self.seconds[what] = self.seconds.get(what, 0) + now - self.last
        self.last = now


def write_csv(path: str, rows: int) -> None:
    """Write a month of a sensor."""
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT strftime(make_timestamp(1704067200000000 + i * {STEP_US}),"
            " '%Y-%m-%dT%H:%M:%S.%fZ') AS timestamp,"
            " round(20 + 5 * sin(i / 10000) + (hash(i) % 1000) / 500, 2) AS value"
            f" FROM range({rows}) t(i)) TO '{path}' (FORMAT csv)"
        )


def alone(source: str, target: str) -> float:
    """Return the seconds that DuckDB takes for CSV to Parquet."""
    start = time.perf_counter()
    with duckdb.connect(config={"threads": str(THREADS)}) as connection:
        connection.execute(
            f"COPY (SELECT * FROM read_csv('{source}')) TO '{target}'"
            " (FORMAT parquet, COMPRESSION zstd)"
        )
    return time.perf_counter() - start


def imported(source: str, directory: str) -> Imported:
    """Return what an import makes, without the ledger."""
    clock = Clock()
    with open(source, "rb") as file:
        layout = table.look(file)
    made = fast.read(source, layout, "s", {}, threads=THREADS)
    assert made is not None
    clock.tick("read")
    store = Blobs(os.path.join(directory, "content"))
    parts, entries = [], []
    with chunks.Writer() as writer:
        for batch in made.batches():
            clock.tick("read")
            ordered = batches.order(batch).batch
            for part in chunks.cut(ordered):
                clock.tick("order and cut")
                path = os.path.join(directory, "chunk")
                rows = writer.write(part, chunks.About("s", {}), path)
                clock.tick("write")
                with open(path, "rb") as chunk:
                    stored = store.put(chunk)
                first, last = int(part.time[0]), int(part.time[-1])
                entries.append(Entry(stored.cid, stored.size, rows, first, last))
                os.unlink(path)
                clock.tick("hash and store durably")
                (column,) = part.columns
                parts.append(
                    summary.summarise(
                        part.time, column.values, buckets.begins(part.time, buckets.MINUTE_US)
                    )
                )
                clock.tick("summarise")
    made.close()
    rollup = summary.merge(parts)
    clock.tick("summarise")
    return Imported(entries, rollup, clock.seconds)


def ad_hoc(paths: list[str]) -> tuple[float, float, np.ndarray]:
    """Return the seconds of exact minute averages from chunks, those of hashing, and the answer."""
    start = time.perf_counter()
    parts = []
    with chunks.Reader() as reader:
        for path in paths:
            moments, values, _ = reader.values(path, "s.value", "f64", None, None)
            begins = buckets.begins(moments, buckets.MINUTE_US)
            starts = buckets.starts_of(begins)
            parts.append(
                (
                    begins[starts],
                    np.diff(np.append(starts, len(values))),
                    exact.add_up(values, starts),
                )
            )
    begins = np.concatenate([part[0] for part in parts])
    order = np.argsort(begins, kind="stable")
    starts = buckets.starts_of(begins[order])
    sums = exact.regroup(exact.take(exact.join([part[2] for part in parts]), order), starts)
    counts = np.add.reduceat(np.concatenate([part[1] for part in parts])[order], starts)
    answer = exact.means(sums, counts)
    middle = time.perf_counter()
    store = Blobs(os.path.dirname(os.path.dirname(paths[0])))
    for path in paths:
        assert store.check(os.path.basename(path))
    return middle - start, time.perf_counter() - middle, answer


def engine_minutes(paths: list[str]) -> float:
    start = time.perf_counter()
    with duckdb.connect(config={"threads": str(THREADS)}) as connection:
        connection.execute(
            "SELECT ts // 60000000 AS minute, avg(f64) FROM read_parquet($paths) GROUP BY 1",
            {"paths": paths},
        ).fetchnumpy()
    return time.perf_counter() - start


_BARE = """
import duckdb, sys
duckdb.execute("SET enable_progress_bar = false; SET threads = 2")
duckdb.execute(
    "COPY (SELECT make_timestamp(ts // 60000000 * 60000000) AS timestamp, avg(f64) AS value"
    " FROM read_parquet(?) GROUP BY 1 ORDER BY 1) TO '" + sys.argv[1] + "' (FORMAT csv)",
    [sys.argv[2:]],
)
"""


def cold_queries(
    entries: list[Entry], directory: str, paths: list[str]
) -> tuple[float, float, float]:
    """Return the seconds of `twin query` without and with rollups, and of DuckDB alone."""
    anchored(entries, directory)
    out = os.path.join(directory, "minutes.csv")
    words = ["query", "press", "--stream", "s", "--every", "1m", "--agg", "average"]
    twin = [sys.executable, "-m", "twincli", *words, "--home", directory, "-o", out, "--quiet"]

    def timed(command: list[str]) -> float:
        if os.path.exists(out):
            os.unlink(out)
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    grown = timed(twin)
    rolled = min(timed(twin) for _ in range(5))
    bare = min(timed([sys.executable, "-c", _BARE, out, *paths]) for _ in range(3))
    return grown, rolled, bare


def anchored(entries: list[Entry], directory: str) -> None:
    """Make a home whose stream holds the chunks."""
    twin = [sys.executable, "-m", "twincli", "--home", directory]
    for words in ("keys new plant --no-passphrase", "asset create press --owner plant"):
        subprocess.run([*twin, *words.split()], check=True, stdout=subprocess.DEVNULL)
    with Context(Options(home=directory)) as context:
        workspace = context.workspace()
        wanted = Definition({}, kind=record.STREAM, parent="press", title="s", owner="plant")
        stream: Any = create(workspace, None, wanted)
        body = manifest.body(manifest.Manifest("s", tuple(entries)))
        say(workspace, stream["id"], "chunk", body, is_owners=True)
        inventory = Inventory(context.paths.streams)
        inventory.wrote(entries, "s")
        inventory.close()


def figures(*, quick: bool) -> list[Figure]:
    rows = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as directory:
        source = os.path.join(directory, "month.csv")
        write_csv(source, rows)
        floor = alone(source, os.path.join(directory, "alone.parquet"))
        made = imported(source, directory)
        total = sum(made.seconds.values())
        hashing = made.seconds["hash and store durably"]
        detail = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in made.seconds.items())
        cids = [entry.cid for entry in made.entries]
        paths = [os.path.join(directory, "content", cid[-2:], cid) for cid in cids]
        base = engine_minutes(paths)
        seconds, checking, answer = ad_hoc(paths)
        values, _ = summary.answer(made.rollup, "average")
        assert values.tobytes() == answer.tobytes(), "rollups differ from chunks"
        start = time.perf_counter()
        summary.answer(made.rollup, "average")
        rolled = time.perf_counter() - start
        grown, cold, bare = cold_queries(made.entries, directory, paths)
    return [
        Figure(
            f"import of {rows:,} readings from CSV, no ledger",
            total / floor,
            4,
            "x DuckDB's CSV to Parquet",
            f"{total:.2f} s against {floor:.2f} s: {detail}",
        ),
        Figure("the same", rows / total, 1_000_000, "readings/s", "", at_least=True),
        Figure(
            "hashing and storing durably",
            hashing / (total - hashing),
            0.5,
            "x the rest of the import",
            f"{hashing:.2f} s, {len(paths)} chunks",
        ),
        Figure(
            "minute averages from chunks, exact",
            seconds / base,
            None,
            "x DuckDB's avg",
            f"{seconds:.2f} s against {base:.2f} s",
        ),
        Figure(
            "hashing of the chunks that were read",
            checking / seconds,
            0.2,
            "x the query",
            f"{checking:.2f} s",
        ),
        Figure(
            "minute averages from rollups in memory",
            rolled * 1000,
            None,
            "ms",
            f"{len(answer):,} minutes, equal to those from chunks to the last bit",
        ),
        Figure(
            "twin query, minute averages to CSV, cold process, from rollups",
            cold * 1000,
            150 if not quick else None,
            "ms",
            f"DuckDB's avg over the chunks in a cold process {bare * 1000:.0f} ms",
        ),
        Figure(
            "the same for the first time, which checks the chunks and makes the rollups",
            grown,
            None,
            "s",
            f"{grown / bare:.1f} x DuckDB's cold process",
        ),
    ]


def main() -> None:
    options = arguments(__doc__).parse_args()
    report(figures(quick=options.quick), write=options.write)


if __name__ == "__main__":
    main()
