"""What it costs to apply a batch: by the time of `submit_many`, and in memory.

uv run python -m benchmarks.batches           half a minute
uv run python -m benchmarks.batches --quick   small counts, to see that it works
uv run python -m benchmarks.batches --write   also into RESULTS.md
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.floors import KEY, OWNER
from benchmarks.report import Figure, arguments, report
from benchmarks.run import environment
from twincli.ledger import Ledger
from twincli.model import record, transaction
from twincli.model.transaction import Output, Spend

TWIN = [sys.executable, "-m", "twincli"]
RUN = """
import sys, time
from twincli.cli.main import main
begun = time.perf_counter()
status = main(sys.argv[1:])
print(time.perf_counter() - begun, file=sys.stderr)
sys.exit(status)
"""


def creates(count: int) -> list[dict[str, object]]:
    """Return signed CREATEs of twins."""
    made = []
    for number in range(count):
        facts = record.envelope("asset", name=f"c{number}", nonce=f"{number:032x}")
        tx = transaction.create([KEY.public_key], [Output(OWNER, 1)], {record.KEY: facts}, None)
        made.append(transaction.sign(tx, [KEY]))
    return made


def appends(twins: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return a signed append to each twin, as a batch makes them."""
    made = []
    for number, twin in enumerate(twins):
        said = record.envelope("append", at="2024-01-01T00:00:00.000Z", once=f"b:{number}")
        tx = transaction.transfer(
            [Spend.of(twin, 0)],
            [Output(OWNER, 1)],
            str(twin["id"]),
            {"hours": number, record.KEY: said},
        )
        made.append(transaction.sign(tx, [KEY]))
    return made


def floor(place: Path, count: int) -> float:
    """Return the seconds that `submit_many` takes for prepared transactions."""
    twins = creates(count)
    prepared = appends(twins)
    with Ledger.open(place) as ledger:
        ledger.submit_many(twins)
        begun = time.perf_counter()
        ledger.submit_many(prepared)
        return time.perf_counter() - begun


def home(place: Path, count: int) -> dict[str, str]:
    """Make a home with twins, return its environment."""
    env = environment(place)
    seed = place / "seed"
    place.mkdir()
    lines = [{"do": "create", "asset": f"c{n}"} for n in range(count)]
    seed.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for words in (("keys", "new", "plant", "--no-passphrase"), ("asset", "create", "first")):
        subprocess.run([*TWIN, *words, "--quiet"], env=env, check=True, capture_output=True)
    seeding = ("batch", "apply", str(seed), "--format", "jsonl", "--quiet")
    subprocess.run([*TWIN, *seeding], env=env, check=True, capture_output=True)
    return env


def applied(
    place: Path, env: dict[str, str], twins: int, each: int, turn: int
) -> tuple[float, int]:
    """Return the seconds and the largest memory of a batch of appends, in MiB."""
    file = place / "lines.jsonl"
    with file.open("w") as stream:
        for row in range(each):
            for number in range(twins):
                data = {"hours": number, "turn": turn, "row": row}
                line = {"do": "append", "asset": f"c{number}", "data": data}
                stream.write(json.dumps(line) + "\n")
    words = ("batch", "apply", str(file), "--once", f"b{turn}", "--quiet")
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *words],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0, said
    return float(said.split()[-1]), usage.ru_maxrss >> 10


def figures(place: Path, count: int) -> list[Figure]:
    env = home(place / "home", count)
    # In turn, as a busy machine is not busy evenly.
    pairs = []
    for turn in range(3):
        least = floor(place / f"floor{turn}", count)
        ours, small = applied(place, env, count, 1, turn)
        pairs.append((least / ours, least, ours))
    ratio, least, ours = statistics.median_low(pairs)
    _, large = applied(place, env, count, 10, 3)
    return [
        Figure(
            f"batch apply over {count:,} twins",
            ratio * 100,
            60,
            "% of submit_many",
            f"{ours / count * 1e6:.0f} µs a line, submit_many {least / count * 1e6:.0f} µs",
            at_least=True,
        ),
        Figure(
            f"its memory, {10 * count:,} lines",
            large / small,
            1.3,
            f"x that of {count:,}",
            f"{small} and {large} MiB",
        ),
    ]


def main() -> None:
    """Measure."""
    options = arguments(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = figures(Path(place), 1000 if options.quick else 10_000)
    report(found, write=options.write)


if __name__ == "__main__":
    main()
