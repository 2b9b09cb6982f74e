"""What it costs to walk the links of twins.

uv run python -m benchmarks.links           a minute: 10,000 links in each of several shapes
uv run python -m benchmarks.links --quick   small counts, to see that it works
uv run python -m benchmarks.links --write   also into RESULTS.md
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import Figure, arguments, report
from benchmarks.run import environment, in_turn, wall
from twincli.book.store import Book
from twincli.crypto.ed25519 import KeyPair
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger
from twincli.model import owners, record, transaction

KEY = KeyPair.from_seed(b"links".ljust(32))
OWNER = owners.of_keys([KEY.public_key])
TWIN = [sys.executable, "-m", "twincli"]
BATCH = 1000

Links = Callable[[int, int], tuple[int, str, int]]
"""Returns which twin has link number N of so many, its verb, and to which twin."""


def star(number: int, _count: int) -> tuple[int, str, int]:
    return number, "is_variant_of", 0


def parts(number: int, _count: int) -> tuple[int, str, int]:
    return 0, "part", number


def tree(number: int, _count: int) -> tuple[int, str, int]:
    return number, "is_component_of", (number - 1) // 10


def chains(number: int, count: int) -> tuple[int, str, int]:
    return number, "replaces", max(number - max(count // 90, 1), 0)


SHAPES: dict[str, tuple[Links, int]] = {
    "variants of one": (star, 3),
    "parts of one": (parts, 3),
    "components, ten to one": (tree, 6),
    "chains of 90": (chains, 100),
}


def make(home: Path, links: Links, count: int) -> None:
    """Make a home with twins that are linked in a shape."""
    (home / "twin" / "ledger").mkdir(parents=True)
    keys = KeyStore(str(home / "twin" / "keys"))
    keys.create("plant", KEY, secret_source=None, created="2024-01-20T09:00:00Z")
    output = transaction.Output(OWNER, 1)
    with Ledger.open(str(home / "twin" / "ledger")) as ledger:
        twins = [
            transaction.sign(
                transaction.create(
                    [KEY.public_key],
                    [output],
                    {"twin": record.envelope(record.ASSET, nonce=str(number))},
                    None,
                ),
                [KEY],
            )
            for number in range(count + 1)
        ]
        tips = [dict[str, Any](twin) for twin in twins]
        said = []
        for number in range(1, count + 1):
            source, verb, target = links(number, count)
            body = {"verb": verb, "to": twins[target]["id"]}
            link = transaction.transfer(
                [transaction.Spend.of(tips[source], 0)],
                [output],
                twins[source]["id"],
                {"twin": record.envelope(record.LINK, at="2024-01-20T09:00:00.000Z", body=body)},
            )
            tips[source] = transaction.sign(link, [KEY])
            said.append(tips[source])
        every = [*twins, *said]
        for start in range(0, len(every), BATCH):
            ledger.submit_many(every[start : start + BATCH])
        with Book(str(home / "twin" / "book.db")) as book:
            named = [(f"a{number}", twin["id"]) for number, twin in enumerate(twins)]
            book.set_all(ledger.id, named, ())


def main() -> None:
    options = arguments(__doc__).parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    count, runs = (500, 3) if options.quick else (10_000, 7)
    place = Path(tempfile.mkdtemp(prefix="twin-benchmark-"))
    figures = []
    try:
        for what, (links, depth) in SHAPES.items():
            home = place / what.replace(" ", "-")
            make(home, links, count)
            graph = [*TWIN, "link", "graph", "a0", "--depth", str(depth), "--json"]
            first = wall(graph, environment(home))
            ours, floor = in_turn(graph, environment(home), runs)
            detail = (
                f"{ours * 1000:.0f} ms, bare Python {floor * 1000:.1f} ms; the first one indexes:"
                f" {first * 1000:.0f} ms"
            )
            name = f"`link graph` of {count:,} {what}"
            figures.append(Figure(name, ours / floor, None, "x bare Python", detail))
            figures.append(Figure(name, ours, 0.5, "s", "the whole process"))
    finally:
        shutil.rmtree(place)
    report(figures, write=options.write)


if __name__ == "__main__":
    main()
