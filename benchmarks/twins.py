"""What it costs to hold twins to a template, to find them and to list them.

uv run python -m benchmarks.twins           a few minutes: 100,000 twins are made
uv run python -m benchmarks.twins --quick   small counts, to see that it works
uv run python -m benchmarks.twins --write   also into RESULTS.md
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.growth import KEY, TEMPLATE, make
from benchmarks.report import Figure, arguments, report
from benchmarks.run import environment, in_turn, wall
from twincli.ledger import Ledger
from twincli.model import bodies, expression, fields, record
from twincli.services import catalogue

TWIN = [sys.executable, "-m", "twincli"]


def taken_apart(home: Path, count: int) -> Figure:
    """Time the first `find`, once what else is indexed is."""
    node = expression.parse("mileage = 7")
    with Ledger.open(str(home / "twin" / "ledger"), create=False) as ledger:
        ledger.reindex()
        start = time.perf_counter()
        read = sum(1 for row in ledger.store.rows() if row.tx)
        floor = time.perf_counter() - start
        start = time.perf_counter()
        assert len(list(ledger.find(node))) == 1
        ours = time.perf_counter() - start
    detail = f"{ours / read * 1e6:.0f} µs each, to read one {floor / read * 1e6:.0f} µs"
    return Figure(f"{count:,} twins found first", ours / floor, 8, "x reading and hashing", detail)


def commands(
    home: Path, words: list[tuple[str, tuple[str, ...], float]], runs: int
) -> list[Figure]:
    figures = []
    for what, given, budget in words:
        ours, floor = in_turn([*TWIN, *given], environment(home), runs)
        detail = f"{ours * 1000:.0f} ms, bare Python {floor * 1000:.1f} ms"
        figures.append(Figure(what, ours / floor, budget, "x bare Python", detail))
    return figures


def appends(home: Path, runs: int) -> Figure:
    """Time cold appends to a twin with a template in turn with those to one without."""
    env = environment(home)
    wall([*TWIN, "keys", "new", "alice", "--no-passphrase"], env)
    wall([*TWIN, "asset", "create", "V1", "--template", TEMPLATE, "--vin", "V1"], env)
    wall([*TWIN, "asset", "create", "car", "--wheels", "4"], env)
    held, free = ([*TWIN, "asset", "append", name, "--mileage", "1"] for name in ("V1", "car"))
    wall(held, env)
    wall(free, env)
    pairs = [(wall(held, env), wall(free, env)) for _ in range(runs)]
    ours, floor = (statistics.median(times) for times in zip(*pairs, strict=True))
    return Figure(
        "cold `asset append` to a twin with a template",
        ours / floor,
        1.3,
        "x one without",
        f"{ours * 1000:.1f} ms, without {floor * 1000:.1f} ms",
    )


def due(home: Path, count: int, runs: int) -> Figure:
    """Time what is due for all twins, of which one in ten has been serviced."""
    with Ledger.open(str(home / "twin" / "ledger"), create=False) as ledger:
        ids = list(ledger.asset_ids())
        for asset_id in ids[::10]:
            body = {"type": "service", "next": "2030-01-15"}
            envelope = record.envelope(bodies.MAINTENANCE, body=body)
            ledger.append_many(KEY, asset_id, [{record.KEY: envelope}])
        ledger.reindex()
    env = environment(home)

    def asked() -> float:
        start = time.perf_counter()
        words = [*TWIN, "maintenance", "due", "--json"]
        run = subprocess.run(words, env=env, capture_output=True, check=False)
        assert run.returncode == 3, run.stderr
        return time.perf_counter() - start

    first = asked()
    again = statistics.median(asked() for _ in range(runs))
    what = f"`maintenance due` of {count:,} twins, again"
    return Figure(what, again, 1, "s", f"the whole process; the first time {first:.2f} s")


def validation(count: int) -> Figure:
    model = catalogue.built_in(TEMPLATE)
    assert model is not None
    template, units = model.template, model.units
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(count):
            fields.check(template.fields, {"mileage": "20000 km"}, units, additional=False)
        best = min(best, (time.perf_counter() - start) / count)
    detail = "one field, with a conversion of units"
    return Figure("a change held to a template", best * 1e6, 20, "µs", detail)


def main() -> None:
    options = arguments(__doc__).parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    many, some, runs = (1_000, 100, 3) if options.quick else (100_000, 1_000, 11)
    fleet = 1_000 if options.quick else 10_000
    place = Path(tempfile.mkdtemp(prefix="twin-benchmark-"))
    try:
        make(place / "many", "twins", many)
        make(place / "some", "twins", some)
        make(place / "fleet", "twins", fleet)
        listing = ("asset", "list")
        figures = [
            taken_apart(place / "many", many),
            *commands(
                place / "many",
                [(f"`asset find` among {many:,} twins", ("asset", "find", "mileage = 7"), 15)],
                runs,
            ),
            *commands(
                place / "some",
                [
                    (f"`asset list --state` of {some:,} twins", (*listing, "--state"), 30),
                    (
                        f"`asset list --template --columns` of {some:,} twins",
                        (*listing, "--template", TEMPLATE, "--columns", "mileage,location"),
                        30,
                    ),
                ],
                runs,
            ),
            appends(place / "appends", runs),
            due(place / "fleet", fleet, runs),
            validation(200 if options.quick else 5_000),
        ]
    finally:
        shutil.rmtree(place)
    report(figures, write=options.write)


if __name__ == "__main__":
    main()
