"""Timings of validation beside the published server's own Python, as ratios made in one run.

    uv run python -m benchmarks.server            two minutes
    uv run python -m benchmarks.server --quick    small counts, to see that it works
    uv run python -m benchmarks.server --write    also into RESULTS.md

bigchaindb 2.2.2 is installed from PyPI into an environment of its own, on the same Python as this.
It keeps what is committed in dictionaries and remembers what it parsed, so its figure has no
database in it and does not read the spent transactions again. Ours are the rules alone, also over
dictionaries, and ``submit_each`` into a ledger on disk, durable at its end, which takes all cores
for signatures. Both start from the text of the request. Rounds alternate, the fastest counts.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.report import Figure, arguments, report
from tests.plugins import published
from tests.rules.committed import Committed
from twincli.crypto import ed25519
from twincli.ledger import Ledger
from twincli.model import owners, transaction
from twincli.model.transaction import Output, Spend

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = [ed25519.KeyPair.from_seed(bytes((number,)) * 32) for number in range(100)]


class Work(NamedTuple):
    """What is committed, and what is to be validated after it."""

    before: list[Any]
    texts: list[str]


def owned(number: int, count: int) -> tuple[dict[str, Any], list[ed25519.KeyPair]]:
    """Return the details of one key, or of two out of three, and the keys."""
    keys = [KEYS[(number + step) % len(KEYS)] for step in range(count)]
    if count == 1:
        return owners.of_keys([keys[0].public_key]), keys
    parts = [owners.of_keys([key.public_key]) for key in keys]
    return {"type": "threshold-sha-256", "threshold": 2, "subconditions": parts}, keys


def created(number: int, seed: int, count: int = 1) -> Any:
    details, keys = owned(number, count)
    data = {"serial": f"B-{seed}-{number:09}", "kind": "bicycle", "maker": "Acme", "colour": "red"}
    tx = transaction.create([keys[0].public_key], [Output(details)], data, {"n": number})
    return transaction.sign(tx, keys)


def creates(count: int, seed: int) -> Work:
    return Work([], [json.dumps(created(number, seed)) for number in range(count)])


def transfers(count: int, seed: int, owners_each: int = 1) -> Work:
    before = [created(number, seed, owners_each) for number in range(count)]
    texts = []
    for number, tx in enumerate(before):
        details, keys = owned(number, owners_each)
        spend = transaction.transfer([Spend.of(tx)], [Output(details)], tx["id"], {"km": number})
        texts.append(json.dumps(transaction.sign(spend, keys)))
    return Work(before, texts)


def shared_transfers(count: int, seed: int) -> Work:
    return transfers(count, seed, owners_each=3)


KINDS: dict[str, Callable[[int, int], Work]] = {
    "CREATE": creates,
    "TRANSFER of one input": transfers,
    "TRANSFER of one input, 2 of 3 keys": shared_transfers,
}


# --- Who validates -------------------------------------------------------------------------------


def theirs(server: published.Published, work: Work) -> float:
    answer = server.judge(work.before, work.texts, warm=True)
    assert not any(answer.verdicts)
    return answer.seconds


def rules(work: Work) -> float:
    committed = Committed(*work.before)
    start = time.perf_counter()
    for text in work.texts:
        committed.commit(json.loads(text))
    return time.perf_counter() - start


def durable(work: Work, place: Path) -> float:
    with Ledger.open(place) as ledger:
        if work.before:
            ledger.submit_many(work.before)
        start = time.perf_counter()
        answers = ledger.submit_each([json.loads(text) for text in work.texts])
        seconds = time.perf_counter() - start
    assert all(isinstance(answer, int) for answer in answers)
    return seconds


def figures(server: published.Published, place: Path, count: int, rounds: int) -> list[Figure]:
    found = []
    for kind, make in KINDS.items():
        seen = []
        for number in range(rounds):
            work = make(count, number)
            stored = durable(work, place / f"{kind}-{number}")
            seen.append((theirs(server, work), rules(work), stored))
        server_us, rules_us, stored_us = (
            min(column) * 1e6 / count for column in zip(*seen, strict=True)
        )
        for what, ours_us in (("our rules", rules_us), ("durable", stored_us)):
            detail = f"{ours_us:,.0f} us each, the server's {server_us:,.0f} us"
            ratio = server_us / ours_us
            found.append(
                Figure(f"{kind}, {what}", ratio, None, "x as fast as bigchaindb 2.2.2", detail)
            )
    return found


def main() -> None:
    options = arguments(__doc__).parse_args()
    uv = shutil.which("uv")
    if uv is None:
        sys.exit("this needs uv, which installs the published server")
    with tempfile.TemporaryDirectory(prefix="twin-server-bench-") as directory:
        place = Path(directory)
        try:
            python = published.install(uv, place)
        except published.NotInstalledError as error:
            sys.exit(str(error))
        with published.started(python) as server:
            count, rounds = (50, 2) if options.quick else (1_000, 5)
            found = figures(server, place, count, rounds)
    report(found, write=options.write)


if __name__ == "__main__":
    main()
