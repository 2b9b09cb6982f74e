"""How commands grow: each is run at n and at 10 n, and the ratio of the two is held.

    uv run python -m benchmarks.growth            1,000 and 10,000, about five minutes
    uv run python -m benchmarks.growth --quick    100 and 1,000, to see that it works
    uv run python -m benchmarks.growth --n 10000 --only assets
    uv run python -m benchmarks.growth --write    keep the figures in RESULTS.md

Where the work grows with what is asked for, ten times as much may take 13 times as long; where the
answer is of one size, twice. Whole commands are timed from outside, the best of several runs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from itertools import count as count_from
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.node import started
from benchmarks.report import Figure, arguments, report
from benchmarks.run import environment
from twincli.book.store import Book
from twincli.crypto import cid
from twincli.crypto.ed25519 import KeyPair
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger
from twincli.model import owners, record, times, transaction
from twincli.services import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.ledger.ledger import Ledger as Opened

GROWS, FLAT = 13, 2
NETWORK = "network"
RUNS = 3
TEMPLATE = "vehicle-tracking-v1"
CREATED = "2024-01-20T09:00:00Z"
MIDDLE = "2024-01-20T16:00:00Z"
"""About half of the appends were committed before; every commit is an hour after the last."""

KEY = KeyPair.from_seed(b"k" * 32)
MINE = owners.of_keys([KEY.public_key])


class Case(NamedTuple):
    """A command and how it may grow.

    Attributes:
        words: The command; its first row is timed, too, where ``first`` says so.
        budget: The most that the time at 10 n may be, as a ratio to that at n.
        first: Time only until the first output.
    """

    words: tuple[str, ...]
    budget: int
    first: bool = False

    @property
    def name(self) -> str:
        return f"{'first row of ' if self.first else ''}twin {' '.join(self.words)}"


# For each kind of home, what is asked of it.
CASES: dict[str, tuple[Case, ...]] = {
    "assets": (
        Case(("asset", "list", "--jsonl"), GROWS),
        Case(("asset", "list", "--jsonl"), GROWS, first=True),
        Case(("asset", "balance", "--json"), GROWS),
        Case(("asset", "tree", "--json"), GROWS),
        Case(("asset", "show", "a1", "--json"), FLAT),
    ),
    "keys": (
        Case(("asset", "list", "--json"), GROWS),
        Case(("asset", "outputs", "--json"), GROWS),
        Case(("asset", "balance", "--json"), GROWS),
        Case(("asset", "tree", "--json"), GROWS),
    ),
    "outputs": (
        Case(("asset", "show", "a0", "--json"), GROWS),
        Case(("asset", "balance", "a0", "--json"), GROWS),
        Case(("asset", "list", "--json"), GROWS),
    ),
    "twins": (
        Case(("asset", "find", "mileage = 7", "--json"), FLAT),
        Case(("asset", "list", "--state", "--jsonl"), GROWS),
        Case(("asset", "list", "--template", TEMPLATE, "--columns", "mileage", "--json"), GROWS),
    ),
    "parts": (Case(("asset", "tree", "a0", "--json"), GROWS),),
    "appends": (
        Case(("asset", "show", "a0", "--json"), FLAT),
        Case(("asset", "balance", "a0", "--json"), FLAT),
        Case(("asset", "outputs", "a0", "--unspent", "--json"), FLAT),
        Case(("asset", "list", "--json"), FLAT),
        Case(("history", "a0", "--limit", "5", "--json"), FLAT),
        Case(("asset", "show", "a0", "--as-of", "0s", "--json"), FLAT),
        Case(("asset", "show", "a0", "--as-of", MIDDLE, "--json"), FLAT),
        Case(("history", "a0", "--reverse", "--limit", "5", "--json"), FLAT),
        Case(("history", "a0", "--since", MIDDLE, "--limit", "5", "--json"), FLAT),
        Case(("history", "a0", "--until", MIDDLE, "--reverse", "--limit", "5", "--json"), FLAT),
        Case(("file", "list", "a0", "--json"), FLAT),
        Case(("stream", "push", "a0", "s", "--value", "1"), FLAT),
        Case(("query", "a0", "--stream", "s", "--json"), FLAT),
        Case(("history", "a0", "--json"), GROWS),
    ),
}


# --- Homes ---------------------------------------------------------------------------------------


def _creates(count: int, **stated: str) -> Iterator[dict[str, object]]:
    for number in range(count):
        data = {"n": number, record.KEY: record.envelope("asset", nonce=str(number), **stated)}
        made = transaction.create([KEY.public_key], [transaction.Output(MINE)], data)
        yield transaction.sign(made, [KEY])


def _submit(ledger: Opened, txs: Iterable[dict[str, object]]) -> list[str]:
    ids: list[str] = []
    source = iter(txs)
    while chunk := list(islice(source, 1000)):
        ledger.submit_many(chunk)
        ids += [str(tx["id"]) for tx in chunk]
    return ids


def _assets(ledger: Opened, count: int) -> list[str]:
    return _submit(ledger, _creates(count))[: max(count // 10, 2)]


def _outputs(ledger: Opened, count: int) -> list[str]:
    """Split one asset into many outputs, a hundred to a transaction."""
    whole = transaction.Output(MINE, count)
    tx = transaction.sign(transaction.create([KEY.public_key], [whole], {"n": 1}), [KEY])
    first = str(tx["id"])
    ledger.submit(tx)
    left, index = count, 0
    while left > 0:
        part = min(100, left)
        left -= part
        outputs = [transaction.Output(MINE)] * part
        if left:
            outputs.append(transaction.Output(MINE, left))
        spend = transaction.Spend.of(tx, index)
        tx = transaction.sign(transaction.transfer([spend], outputs, first), [KEY])
        ledger.submit(tx)
        index = part
    return [first]


def _parts(ledger: Opened, count: int) -> list[str]:
    (root,) = _submit(ledger, _creates(1))
    _submit(ledger, _creates(count, parent=root))
    return [root]


def _appends(ledger: Opened, count: int) -> list[str]:
    """Append to one asset, in ten commits."""
    (root,) = _submit(ledger, _creates(1))
    metadatas: list[dict[str, object]] = [{"mileage": number} for number in range(count)]
    for number in range(3):
        body = {"cid": cid.of(b"%d" % number).text, "size": 1, "name": f"{number}.txt"}
        metadatas[count // 4 * number] = {record.KEY: record.envelope("file", body=body)}
    ledger.append_many(KEY, root, metadatas, commit_every=max(count // 10, 1))
    return [root]


def _twins(ledger: Opened, count: int) -> list[str]:
    """Make twins that are held to a template, with a few facts and some state."""
    model = catalogue.built_in(TEMPLATE)
    assert model is not None

    def made() -> Iterator[dict[str, object]]:
        for number in range(count):
            pin = {"template": TEMPLATE, "template_cid": model.cid}
            envelope = record.envelope("asset", nonce=str(number), **pin)
            make = ("Otter", "Fox", "Bear")[number % 3]
            facts = {"vin": f"V{number}", "make": make, "year": 2000 + number % 25}
            place = {"latitude": number % 90, "longitude": number % 180}
            state = {"mileage": number, "location": place}
            data = {**facts, record.KEY: envelope}
            tx = transaction.create([KEY.public_key], [transaction.Output(MINE)], data, state)
            yield transaction.sign(tx, [KEY])

    return _submit(ledger, made())[: max(count // 10, 2)]


MAKERS = {
    "assets": _assets,
    "keys": lambda ledger, _: _assets(ledger, 1000),
    "outputs": _outputs,
    "parts": _parts,
    "appends": _appends,
    "twins": _twins,
}


def make(home: Path, kind: str, count: int) -> None:
    """Make a home of a kind, with ``count`` of what it has many of."""
    (home / "twin" / "ledger").mkdir(parents=True)
    keys = KeyStore(str(home / "twin" / "keys"))
    keys.create("alice", KEY, secret_source=None, created=CREATED)
    for number in range(count // 10 if kind == "keys" else 0):
        pair = KeyPair.from_seed(number.to_bytes(32, "big"))
        keys.create(f"key{number}", pair, secret_source=None, created=CREATED)
    hours = count_from(times.parse(CREATED, 0), 3_600_000)
    with Ledger.open(str(home / "twin" / "ledger"), clock=lambda: next(hours)) as ledger:
        named = MAKERS[kind](ledger, count)
        with Book(str(home / "twin" / "book.db")) as book:
            book.set_all(ledger.id, [(f"a{number}", one) for number, one in enumerate(named)], ())


# --- Timing --------------------------------------------------------------------------------------


def seconds(case: Case, home: Path, runs: int = RUNS) -> float:
    """Return the least time that a command took."""
    command = [sys.executable, "-m", "twincli", *case.words]
    return min(_once(command, home, first=case.first) for _ in range(runs))


def _once(command: list[str], home: Path, *, first: bool) -> float:
    start = time.perf_counter()
    with subprocess.Popen(
        command, env=environment(home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        until_first = time.perf_counter() - start
        process.stdout.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with {process.returncode}")
    return until_first if first else time.perf_counter() - start


def measure(kind: str, count: int, runs: int = RUNS) -> Iterator[Figure]:
    """Yield a figure for each command of a kind of home."""
    with tempfile.TemporaryDirectory() as place:
        homes = [Path(place) / "small", Path(place) / "large"]
        for home, size in zip(homes, (count, 10 * count), strict=True):
            make(home, kind, size)
        for case in CASES[kind]:
            for home in homes:
                seconds(case, home, 1)  # the index is made at the first reading
            small, large = (seconds(case, home, runs) for home in homes)
            yield Figure(
                f"{case.name}, {count:,} to {10 * count:,} {kind}",
                large / small,
                case.budget,
                "x",
                f"{small * 1000:,.0f} to {large * 1000:,.0f} ms",
            )


def network(count: int) -> Iterator[Figure]:
    """Yield a figure for what goes to and comes from a node of ours, which starts empty.

    Each is done once at each count: a second `push` has nothing to send.
    """
    cases = (("push",), ("asset", "list", "--json"), ("pull",))
    with tempfile.TemporaryDirectory() as place:
        took = [_moved(Path(place) / str(size), size, cases) for size in (count, 10 * count)]
    for number, words in enumerate(cases):
        small, large = took[0][number], took[1][number]
        yield Figure(
            f"twin {' '.join(words)} --node URL, {count:,} to {10 * count:,} assets",
            large / small,
            GROWS,
            "x",
            f"{small * 1000:,.0f} to {large * 1000:,.0f} ms",
        )


def _moved(place: Path, count: int, cases: tuple[tuple[str, ...], ...]) -> list[float]:
    """Return how long each command takes: the first from a full home, the others from new ones."""
    make(place / "full", "assets", count)
    (place / "node").mkdir()
    process, url = started(place / "node" / "twin")
    found = []
    try:
        for number, words in enumerate(cases):
            home = place / "full"
            if number:
                home = place / f"home{number}"
                make(home, "assets", 1)
            command = [sys.executable, "-m", "twincli", *words, "--node", url]
            found.append(_once(command, home, first=False))
    finally:
        process.terminate()
        process.wait()
    return found


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--n", type=int, default=1000, help="the smaller of the two counts")
    parser.add_argument("--only", choices=[*CASES, NETWORK], help="one kind of home")
    given = parser.parse_args()
    count = 100 if given.quick else given.n
    figures = [
        figure
        for kind in ([given.only] if given.only else [*CASES, NETWORK])
        for figure in (network(count) if kind == NETWORK else measure(kind, count))
    ]
    report(figures, write=given.write)


if __name__ == "__main__":
    main()
