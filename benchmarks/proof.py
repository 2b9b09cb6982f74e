"""What it costs to verify what somebody handed over.

uv run python -m benchmarks.proof           a minute: a ledger of 100,000 transactions, and a bundle
uv run python -m benchmarks.proof --quick   small counts, to see that it works
uv run python -m benchmarks.proof --write   also into RESULTS.md
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.floors import KEY, pure_verifying, seconds
from benchmarks.report import Figure, arguments, report
from benchmarks.run import create, metadatas
from twincli.book.store import Book
from twincli.client.embedded import EmbeddedClient
from twincli.content.store import Blobs
from twincli.crypto import notes, tlog
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger
from twincli.ledger.files import locate, read_key
from twincli.services.bundle.export import export
from twincli.services.proof.anchors import NONE, Anchors
from twincli.services.proof.verify import verify_file
from twincli.services.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

BUDGET = 1.0
INCREMENTAL = 0.5


def made(place: Path, count: int) -> tuple[Path, bytes, Path]:
    """Make a ledger; return its file, a checkpoint of most of it, and the bundle of its twin."""
    with Ledger.open(place / "ledger") as ledger:
        asset = create(ledger)
        ledger.append_many(KEY, asset, metadatas(count - 1))
        ledger.checkpoint()
        origin, size = tlog.origin_of(ledger.id), count * 9 // 10
        text = tlog.Checkpoint(origin, size, ledger.root_at(size)).text
        key = read_key(locate(str(place / "ledger")).key)
        kept = notes.Note(text, (notes.sign(text, origin, key),)).to_bytes()
        workspace = Workspace(
            EmbeddedClient(ledger), KeyStore(str(place / "keys")), Book(str(place / "book.db"))
        )
        bundle = place / "car.twin"
        with bundle.open("wb") as stream:
            export(workspace, Blobs(str(place / "content")), asset, "car.twin", write=stream.write)
    return place / "ledger" / "ledger.db", kept, bundle


def judged(path: Path, wanted: str, anchors: Anchors = NONE, *, incremental: bool = False) -> None:
    status = verify_file(str(path), anchors=anchors, incremental=incremental)["status"]
    if status != wanted:
        raise SystemExit(f"{path}: {status}")


def figures(place: Path, count: int) -> list[Figure]:
    """Time each way to verify against pure verifying in the same run."""
    ledger, kept, bundle = made(place, count)
    anchors = Anchors(checkpoint=kept)
    found = []
    cases: list[tuple[str, float, Callable[[], None]]] = [
        (f"a ledger of {count:,}", BUDGET, lambda: judged(ledger, "consistent")),
        (
            f"a ledger of {count:,}, from a checkpoint of 90 %",
            INCREMENTAL,
            lambda: judged(ledger, "verified", anchors, incremental=True),
        ),
        (f"a bundle of {count:,}", BUDGET, lambda: judged(bundle, "consistent")),
    ]
    for what, budget, work in cases:
        before = pure_verifying(count)
        took = seconds(work)
        floor = min(before, pure_verifying(count))
        said = f"{took:.2f} s, {count / took:,.0f} a second"
        name = f"`twin verify` of {what}, 2 cores"
        found.append(Figure(name, took / floor, budget, "x pure verifying on one core", said))
    return found


def main() -> None:
    options = arguments(__doc__).parse_args()
    place = Path(tempfile.mkdtemp(prefix="twin-benchmark-"))
    try:
        found = figures(place, 3000 if options.quick else 100_000)
    finally:
        shutil.rmtree(place)
    report(found, write=options.write)


if __name__ == "__main__":
    main()
