"""What streams cost: whole commands, beside DuckDB alone on the same data in the same run.

    uv run python -m benchmarks.streams          10 million readings, some minutes
    uv run python -m benchmarks.streams --quick  half a million
    uv run python -m benchmarks.streams --huge   also 100 million on the disk
    uv run python -m benchmarks.streams --write  also into RESULTS.md and docs/reference

Ratios are of processor time, user and system, so that other programs on the machine count little;
rates and milliseconds are of the clock, and mean something on a machine with nothing else to do.
Everything is done several times in turn, and the least counts. `chdb` is measured where it is
installed (``uv run --with chdb``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import numpy as np

from benchmarks.report import Figure, arguments, report
from twincli.cli.commands.stream.rooms import room
from twincli.cli.context import Context
from twincli.cli.options import Options
from twincli.content import chunks
from twincli.content.store import Blobs
from twincli.formats.readings import fast, table
from twincli.model import batch as batches
from twincli.model import manifest, record
from twincli.model.batch import Batch, Column
from twincli.model.manifest import Entry
from twincli.services.asset.create import Definition, create
from twincli.services.asset.write_options import PLAIN
from twincli.services.record.say import say
from twincli.services.stream import ingest, rollups, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FULL, QUICK, HUGE = 10_000_000, 500_000, 100_000_000
DAYS = 30
START_US = 1_704_067_200_000_000
DAY_US = 86_400_000_000
SERIES = 10
LINES = 1_000_000

_FORM = {
    "id": "bench-v1",
    "name": "Bench",
    "assetType": "press",
    "identifiers": {"primary": "serial"},
    "trackingFields": [
        {"name": "value", "type": "number", "min": -40, "max": 80, "quality": {"max": 60}}
    ],
}


class Cost(NamedTuple):
    """Seconds of a command, and its memory in MB."""

    wall: float
    cpu: float
    memory: float


def cost(command: list[str], stdin: str | None = None) -> Cost:
    """Run a command."""
    start = time.perf_counter()
    with open(stdin or os.devnull, "rb") as file:
        child = subprocess.Popen(
            command, stdin=file, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        said = child.stderr.read() if child.stderr is not None else b""
        _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: {said.decode()}")
    seconds = time.perf_counter() - start
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def in_turn(jobs: Mapping[str, Callable[[], Cost]], times: int) -> dict[str, Cost]:
    """Return what each costs at least, done one after the other several times."""
    found: dict[str, list[Cost]] = {name: [] for name in jobs}
    for _ in range(times):
        for name, job in jobs.items():
            found[name].append(job())
    return {
        name: Cost(
            min(each.wall for each in costs),
            min(each.cpu for each in costs),
            max(each.memory for each in costs),
        )
        for name, costs in found.items()
    }


class Place:
    """A directory with data, homes and what is written."""

    def __init__(self, directory: str, rows: int) -> None:
        self.directory = directory
        self.rows = rows
        self.one = self.path("one.csv")
        self.ten = self.path("ten.csv")
        self.lines = self.path("lines.jsonl")
        step = DAYS * DAY_US // rows
        moment = f"make_timestamp({START_US} + i * {step})"
        text = f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ') AS timestamp"
        value = "round(20 + 5 * sin(i / 10000) + (hash(i + {}) % 1000) / 500, 2)"
        ten = ", ".join(f"{value.format(at)} + {at} AS s{at}" for at in range(SERIES))
        wide = text.replace(f"i * {step}", f"i * {step * SERIES}")
        with duckdb.connect() as connection:
            for select, count, target in (
                (f"{text}, {value.format(0)} AS value", rows, self.one),
                (f"{wide}, {ten}", rows // SERIES, self.ten),
            ):
                connection.execute(
                    f"COPY (SELECT {select} FROM range({count}) t(i)) TO '{target}' (FORMAT csv)"
                )
            connection.execute(
                f"COPY (SELECT {text}, {value.format(0)} AS value"
                f" FROM range({min(rows, LINES)}) t(i)) TO '{self.lines}' (FORMAT json)"
            )

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def home(self, name: str, *more: str) -> str:
        """Return a new home with a twin."""
        home = self.path(name)
        subprocess.run(["rm", "-rf", home], check=True)
        twin(home, "keys", "new", "plant", "--no-passphrase")
        twin(home, "asset", "create", "press", "--owner", "plant", *more)
        return home


def words(home: str, *typed: str) -> list[str]:
    return [sys.executable, "-m", "twincli", "--home", home, "--quiet", *typed]


def twin(home: str, *typed: str) -> None:
    subprocess.run(words(home, *typed), check=True, stdout=subprocess.DEVNULL)


def engine(sql: str, **values: str) -> Cost:
    """Return the cost of DuckDB alone, two threads, in a process of its own."""
    code = (
        "import duckdb, json, sys\n"
        "duckdb.execute('SET enable_progress_bar = false; SET threads = 2')\n"
        "duckdb.execute(sys.argv[1], json.loads(sys.argv[2]) or None)\n"
    )
    return cost([sys.executable, "-c", code, sql, json.dumps(values)])


# --- Imports -------------------------------------------------------------------------------------


def imports(place: Place, times: int) -> list[Figure]:
    out = place.path("alone.parquet")

    def alone(source: str, chosen: str = "SELECT * FROM read_csv('{}')") -> Cost:
        return engine(
            f"COPY ({chosen.format(source)}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)"
        )

    form = place.path("form.json")
    with open(form, "w", encoding="utf-8") as file:
        json.dump(_FORM, file)

    def imported(name: str, source: str, *, held: bool = False) -> Cost:
        home = place.home(name)
        if held:
            twin(home, "template", "register", form)
            twin(home, "asset", "create", "held", "--template", "bench-v1", "--serial", "1")
        return cost(words(home, "stream", "import", "held" if held else "press", "s", source))

    long = (
        "SELECT * FROM (UNPIVOT (SELECT * FROM read_csv('{}')) ON COLUMNS(* EXCLUDE timestamp)"
        " INTO NAME series VALUE value)"
    )
    found = in_turn(
        {
            "alone": lambda: alone(place.one),
            "one": lambda: imported("one", place.one),
            "held": lambda: imported("held", place.one, held=True),
            "wide": lambda: alone(place.ten),
            "long": lambda: alone(place.ten, long),
            "ten": lambda: imported("ten", place.ten),
        },
        times,
    )
    rows = place.rows
    count = f"{rows:,} readings"

    def figure(name: str, what: str, beside: str, than: str) -> Figure:
        mine, floor = found[name], found[beside]
        detail = f"{mine.cpu:.2f} s against {floor.cpu:.2f} s of processor time"
        return Figure(what, mine.cpu / floor.cpu, 4, f"x {than}", detail)

    def rate(name: str, what: str) -> Figure:
        mine = found[name]
        detail = f"{mine.wall:.2f} s; {2 * rows / mine.cpu:,.0f} for each second of two processors"
        return Figure(what, rows / mine.wall, 1_000_000, "readings/s", detail, at_least=True)

    csv = "DuckDB's CSV to Parquet"
    return [
        figure("one", f"import of {count} from CSV", "alone", csv),
        rate("one", "the same"),
        figure("held", "the same, held to a template", "alone", csv),
        rate("held", "the same"),
        figure("ten", f"import of {count} in {SERIES} columns", "long", "DuckDB's unpivoted"),
        figure("ten", "the same", "wide", f"{csv}, one row for {SERIES} readings"),
        rate("ten", "the same"),
    ]


def pushes(place: Place, times: int) -> list[Figure]:
    home = place.home("push")
    twin(home, "stream", "push", "press", "p", "--value", "1")
    found = in_turn(
        {
            "append": lambda: cost(words(home, "asset", "append", "press", "--x", "1")),
            "push": lambda: cost(words(home, "stream", "push", "press", "p", "--value", "1")),
        },
        5 * times,
    )
    lines = in_turn(
        {
            "lines": lambda: cost(
                words(place.home("lines"), "stream", "push", "press", "s", "-"), place.lines
            )
        },
        times,
    )["lines"]
    count = min(place.rows, LINES)
    append, push = found["append"], found["push"]
    return [
        Figure(
            "push of a single reading",
            push.cpu / append.cpu,
            1,
            "x asset append",
            f"{push.cpu * 1000:.0f} ms against {append.cpu * 1000:.0f} ms of processor time",
        ),
        Figure(
            f"push of {count:,} JSON Lines from stdin",
            count / lines.wall,
            100_000,
            "lines/s",
            f"{lines.wall:.2f} s, {lines.cpu:.2f} s of processor time",
            at_least=True,
        ),
    ]


# --- Queries -------------------------------------------------------------------------------------

_AVERAGE = (
    "COPY (SELECT make_timestamp(ts // {0} * {0}) AS timestamp, {1} FROM read_parquet('{2}')"
    " GROUP BY 1 ORDER BY 1) TO '{3}' (FORMAT csv)"
)


def queries(place: Place, times: int, *, quick: bool) -> list[Figure]:
    out = place.path("out.csv")

    def asked(home: str, every: str) -> Cost:
        if os.path.exists(out):
            os.unlink(out)
        typed = ("query", "press", "--stream", "s", "--every", every, "--agg", "average")
        return cost(words(home, *typed, "-o", out))

    def engines(home: str, every_us: int, chosen: str) -> Cost:
        return engine(_AVERAGE.format(every_us, chosen, f"{home}/content/*/*", out))

    one, ten = place.path("one"), place.path("ten")
    columns = ", ".join(f"avg(f64) FILTER (series = 's.s{at}') AS s{at}" for at in range(SERIES))
    found = in_turn(
        {
            "python": lambda: cost([sys.executable, "-c", "pass"]),
            "one": lambda: asked(one, "1m"),
            "ten": lambda: asked(ten, "1m"),
            "ad hoc": lambda: asked(one, "90s"),
            "engine one": lambda: engines(one, 60_000_000, "avg(f64) AS value"),
            "engine ten": lambda: engines(ten, 60_000_000, columns),
            "engine ad hoc": lambda: engines(one, 90_000_000, "avg(f64) AS value"),
        },
        3 * times,
    )
    bare = found["python"].wall * 1000

    def figure(name: str, what: str, most: float) -> Figure:
        mine, beside = found[name], found[f"engine {name}"]
        return Figure(
            what,
            mine.wall * 1000,
            None if quick else most,
            "ms",
            f"{mine.cpu * 1000:.0f} ms of processor time; python alone {bare:.0f} ms;"
            f" DuckDB's avg {beside.wall * 1000:.0f} ms, {beside.cpu * 1000:.0f} ms",
        )

    return [
        figure("one", "minute averages to CSV, cold process, from rollups", 150),
        figure("ten", f"the same of {SERIES} series", 450),
        figure("ad hoc", "averages of 90 s, cold process, exact, from the chunks", 1200),
    ]


# --- What provenance costs -----------------------------------------------------------------------


class Clock:
    """Seconds of processor time by what was done."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = time.process_time()

    def tick(self, what: str) -> None:
        now = time.process_time()
        self.seconds[what] = self.seconds.get(what, 0) + now - self.last
        self.last = now


def provenance(place: Place) -> list[Figure]:
    """Return what hashing, keeping durably, signing and anchoring cost, beside all the rest."""
    home = place.home("provenance")
    content = os.path.join(home, "content")
    clock = Clock()
    with open(place.one, "rb") as file:
        layout = table.look(file)
    made = fast.read(place.one, layout, "s", {}, threads=2)
    assert made is not None
    clock.tick("read")
    entries: list[Entry] = []
    store = Blobs(content)
    with chunks.Writer() as writer, store.batch() as arriving:
        for batch in made.batches():
            clock.tick("read")
            ordered = batches.order(batch).batch
            for part in chunks.cut(ordered):
                clock.tick("order and cut")
                path = place.path("chunk")
                about = chunks.About("s", {"s.value": "f64"})
                rows = writer.write(part, about, path)
                clock.tick("write")
                rollups.made(chunks.of_batch(part, about))
                clock.tick("summarise")
                with open(path, "rb") as chunk:
                    kept = arriving.put(chunk)
                os.unlink(path)
                first, last = int(part.time[0]), int(part.time[-1])
                entries.append(Entry(kept.cid, kept.size, rows, first, last))
                clock.tick("hash")
    clock.tick("hash")
    made.close()
    with Context(Options(home=home)) as context:
        workspace = context.workspace()
        wanted = Definition({}, kind=record.STREAM, parent="press", title="s", owner="plant")
        stream: Any = create(workspace, None, wanted)
        clock.tick("other")
        for some in manifest.batches(entries):
            body = manifest.body(manifest.Manifest("s", some))
            say(workspace, stream["id"], "chunk", body, is_owners=True)
        clock.tick("sign and anchor")
    spent = clock.seconds
    proof = spent["hash"] + spent["sign and anchor"]
    rest = sum(spent[each] for each in ("read", "order and cut", "write", "summarise"))
    detail = ", ".join(f"{what} {spent[what]:.2f} s" for what in spent if what != "other")
    with chunks.Reader() as reader:
        paths = [store.path(entry.cid) for entry in entries]
        clock = Clock()
        for path in paths:
            time_us, values, _ = reader.values(path, "s.value", "f64", None, None)
            begins = time_us - time_us % 90_000_000
            np.add.reduceat(values, np.flatnonzero(np.diff(begins, prepend=begins[0] - 1)))
        clock.tick("read and add up")
        for entry in entries:
            assert store.check(entry.cid)
        clock.tick("check")
    return [
        Figure(
            "hashing, signing and anchoring of an import",
            proof / rest,
            0.5,
            "x the rest of it",
            detail,
        ),
        Figure(
            "checking the chunks of an ad hoc query",
            clock.seconds["check"] / clock.seconds["read and add up"],
            0.2,
            "x reading and adding up, inexact",
            f"{clock.seconds['check']:.2f} s, {len(entries)} chunks",
        ),
    ]


def with_chdb(place: Place, times: int) -> list[Figure]:
    """Return what chdb takes for the same file and question."""
    if find_spec("chdb") is None:
        return []
    out = place.path("chdb.parquet")
    code = "import chdb, sys; chdb.query(sys.argv[1])"

    def run(sql: str) -> Cost:
        return cost([sys.executable, "-c", code, sql])

    loads = (
        "SELECT parseDateTime64BestEffort(timestamp, 6, 'UTC') AS ts, value"
        f" FROM file('{place.one}', CSVWithNames, 'timestamp String, value Float64')"
        f" INTO OUTFILE '{out}' TRUNCATE FORMAT Parquet SETTINGS max_threads = 2"
    )
    asks = (
        f"SELECT toStartOfMinute(ts) AS t, avg(value) FROM file('{out}') GROUP BY t ORDER BY t"
        f" INTO OUTFILE '{place.path('chdb.csv')}' TRUNCATE FORMAT CSV SETTINGS max_threads = 2"
    )
    found = in_turn({"loads": lambda: run(loads), "asks": lambda: run(asks)}, times)
    return [
        Figure(
            "chdb: the same CSV to Parquet", found["loads"].cpu, None, "s of processor time", ""
        ),
        Figure("chdb: averages of minutes to CSV, cold", found["asks"].wall * 1000, None, "ms", ""),
    ]


# --- 100 million ---------------------------------------------------------------------------------


def huge(place: Place) -> list[Figure]:
    home = place.home("huge")
    step = DAYS * DAY_US // HUGE
    random = np.random.default_rng(1)
    count = 1 << 20
    twin(home, "stream", "create", "press", "s")
    with Context(Options(home=home)) as context:
        here = room(context)
        stream = streams.find(here.workspace, "press", "s")
        for begin in range(0, HUGE, count):
            rows = np.arange(begin, min(HUGE, begin + count))
            values = np.round(20 + 5 * np.sin(rows / 10_000) + random.random(len(rows)), 2)
            batch = Batch(
                START_US + rows * step,
                batches.same_label("", len(rows)),
                np.zeros(len(rows), dtype=np.int64),
                batches.same_label("good", len(rows)),
                (Column("s.value", "f64", values),),
            )
            ingest.store(here, stream, batch, PLAIN)
    out = place.path("day.csv")

    def asked() -> Cost:
        if os.path.exists(out):
            os.unlink(out)
        typed = ("query", "press", "--stream", "s", "--every", "1m", "--agg", "average")
        return cost(
            words(home, *typed, "--since", "2024-01-15", "--until", "2024-01-16", "-o", out)
        )

    mine = in_turn({"day": asked}, 5)["day"]
    return [
        Figure(
            f"one day's minutes of {HUGE:,} readings on the disk, cold process",
            mine.wall * 1000,
            300,
            "ms",
            f"{mine.cpu * 1000:.0f} ms of processor time",
        ),
        Figure("the same, memory", mine.memory, 500, "MB", ""),
    ]


def figures(*, quick: bool, with_huge: bool = False) -> list[Figure]:
    rows, times = (QUICK, 2) if quick else (FULL, 3)
    with tempfile.TemporaryDirectory() as directory:
        place = Place(directory, rows)
        return [
            *imports(place, times),
            *queries(place, times, quick=quick),
            *pushes(place, times),
            *provenance(place),
            *with_chdb(place, times),
            *(huge(place) if with_huge else []),
        ]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--huge", action="store_true", help="also 100 million readings")
    options = parser.parse_args()
    found = figures(quick=options.quick, with_huge=options.huge)
    report(found, write=options.write, into_docs="streams")


if __name__ == "__main__":
    main()
