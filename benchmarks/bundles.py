"""What it costs to hand a twin on in one file, and to check what was handed over.

uv run python -m benchmarks.bundles           two minutes: a twin of 100,000 transactions
uv run python -m benchmarks.bundles --quick   small counts, to see that it works
uv run python -m benchmarks.bundles --write   also into RESULTS.md

The floor is what libsodium takes on one core to verify as many signatures, in the same run.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.floors import KEY, OWNER, pure_verifying
from benchmarks.report import Figure, arguments, report
from benchmarks.run import environment, wall
from twincli.book.store import Book
from twincli.ledger import Ledger
from twincli.model import record, transaction

TWIN = [sys.executable, "-m", "twincli"]


def make(home: Path, count: int) -> None:
    """Make a home with one twin of so many transactions."""
    (home / "twin" / "ledger").mkdir(parents=True)
    data = {"make": "VW", "twin": record.envelope(record.ASSET, name="car", nonce="1")}
    output = transaction.Output(OWNER, 1)
    create = transaction.sign(transaction.create([KEY.public_key], [output], data, None), [KEY])
    with Ledger.open(str(home / "twin" / "ledger")) as ledger:
        ledger.submit_many([create])
        ledger.append_many(KEY, create["id"], ({"mileage": each} for each in range(count - 1)))
        with Book(str(home / "twin" / "book.db")) as book:
            book.set_all(ledger.id, [("car", create["id"])], ())


def main() -> None:
    options = arguments(__doc__).parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    count = 2_000 if options.quick else 100_000
    home = Path(tempfile.mkdtemp(prefix="twin-benchmark-"))
    env, figures = environment(home), []
    try:
        make(home, count)
        file = home / "car.twin"
        export = [*TWIN, "bundle", "export", "car", "-o", str(file), "--quiet"]
        before = pure_verifying(count)
        exporting = wall(export, env)
        verifying = wall([*TWIN, "verify", str(file), "--quiet"], env)
        floor = (before + pure_verifying(count)) / 2
        size = file.stat().st_size
        named = f"a twin of {count:,} transactions"
        for what, seconds in (("bundle export", exporting), ("verify", verifying)):
            detail = f"{seconds:.1f} s; pure Ed25519 on one core {floor:.1f} s; {size:,} bytes"
            name = f"`{what}` of {named}"
            figures.append(Figure(name, seconds / floor, 1.0, "x pure Ed25519", detail))
    finally:
        shutil.rmtree(home)
    report(figures, write=options.write)


if __name__ == "__main__":
    main()
