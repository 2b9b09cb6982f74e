"""What it costs to list the records of a twin that has many.

uv run python -m benchmarks.records           a minute or two: 100,000 events are made
uv run python -m benchmarks.records --quick   small counts, to see that it works
uv run python -m benchmarks.records --write   also into RESULTS.md
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import Figure, arguments, report
from benchmarks.run import environment, in_turn
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger
from twincli.model import bodies, record, times

if TYPE_CHECKING:
    from collections.abc import Iterator

TWIN = [sys.executable, "-m", "twincli"]
TYPES = (
    "maintenance_performed",
    "accident_reported",
    "inspection_completed",
    "fault_reported",
    "refuelled",
)
RARE = "device_alert"
PAGE = 1000


def events(count: int) -> Iterator[dict[str, Any]]:
    """Yield events that were recorded in another order than that in which they happened."""
    chance = random.Random(7)
    for number in range(count):
        kind = RARE if number % 100 == 0 else TYPES[number % len(TYPES)]
        body = {"type": kind, "data": {"liters": number % 60, "note": f"note {number}"}}
        at = times.to_text(1_700_000_000_000 + chance.randrange(60_000_000_000))
        yield {record.KEY: record.envelope(bodies.EVENT, at=at, body=body)}


def make(home: Path, count: int) -> None:
    env = environment(home)
    for words in (
        ("keys", "new", "alice", "--no-passphrase"),
        ("asset", "create", "car", "--template", "vehicle-tracking-v1", "--vin", "V1"),
    ):
        subprocess.run([*TWIN, *words], env=env, check=True, capture_output=True)
    place = home / "twin"
    signer = KeyStore(str(place / "keys")).unlock("alice", None)
    with Ledger.open(str(place / "ledger"), create=False) as ledger:
        ledger.append_many(signer, next(iter(ledger.asset_ids())), events(count))
        ledger.reindex()


def main() -> None:
    options = arguments(__doc__).parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    count, runs = (2_000, 3) if options.quick else (100_000, 7)
    place = Path(tempfile.mkdtemp(prefix="twin-benchmark-"))
    query = ("query", "car", "--stream", "events", "--json", "--limit", str(PAGE))
    found = f"of {count:,} events"
    asked: list[tuple[str, tuple[str, ...], float, int]] = [
        (
            f"a page of {PAGE:,} {found} by time",
            ("event", "list", "car", "--since", "2024-06-01", "--limit", str(PAGE), "--json"),
            0.3,
            runs,
        ),
        (f"all of one type {found}", (*query, "--where", f"type = {RARE}"), 0.3, runs),
        (f"all {found}", ("event", "list", "car", "--jsonl"), 2.5, 3),
        (f"`history` {found}, to compare", ("history", "car", "--jsonl"), 2.0, 3),
    ]
    figures = []
    try:
        make(place, count)
        env = environment(place)
        for what, words, budget, times_run in asked:
            ours, floor = in_turn([*TWIN, *words], env, times_run)
            detail = f"{ours / floor:.0f} x bare Python ({floor * 1000:.1f} ms)"
            figures.append(Figure(what, ours, budget, "s", detail))
        listed = subprocess.run(
            [*TWIN, "event", "list", "car", "--json"], env=env, check=True, capture_output=True
        )
        assert len(json.loads(listed.stdout)["events"]) == count
    finally:
        shutil.rmtree(place)
    report(figures, write=options.write)


if __name__ == "__main__":
    main()
