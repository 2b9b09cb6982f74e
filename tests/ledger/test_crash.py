"""Kill -9 at random points: what was acknowledged is there, nothing is half-written."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from twincli.ledger import Ledger

BATCH = 25
KILLS_A_LEDGER = 12

# Acknowledges each commit with a line: the id of its last transaction. Reads between writes, so
# that the index is being written when the end comes, too.
WRITER = f"""
import random, sys
from tests.ledger.chains import ALICE, create, spend
from twincli.ledger import Ledger

rng = random.Random(int(sys.argv[2]))
with Ledger.open(sys.argv[1]) as ledger:
    asset = next(ledger.asset_ids(), None)
    if asset is None:
        first = create(data={{"name": "red car"}})
        ledger.submit(first)
        asset = first["id"]
        print(asset, flush=True)
    n = ledger.count(asset)
    while True:
        kind = rng.randrange(5)
        if kind == 0:
            ids = ledger.append_many(ALICE, asset, [{{"n": n + i}} for i in range({BATCH})])
            print(ids[-1], flush=True)
            n += {BATCH}
        elif kind == 1:
            txs = [ledger.last(asset).tx]
            for i in range({BATCH}):
                txs.append(spend((txs[-1], 0), metadata={{"n": n + i}}))
            ledger.submit_many(txs[1:])
            print(txs[-1]["id"], flush=True)
            n += {BATCH}
        elif kind == 2:
            ledger.search_metadata(str(n))
            ledger.replay(asset)
        else:
            tx = spend((ledger.last(asset).tx, 0), metadata={{"n": n}})
            ledger.submit(tx)
            print(tx["id"], flush=True)
            n += 1
"""


def kill_one(place: Path, rng: random.Random) -> list[str]:
    """Run a writer, kill it after a random number of commits, return what it acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place), str(rng.randrange(10**9))],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(rng.randrange(1, 12))]
    process.kill()
    rest, _ = process.communicate()
    # A line cut short by the kill was acknowledged to nobody.
    acknowledged += [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    assert process.returncode == -9
    return [line.strip() for line in acknowledged]


def check(place: Path, acknowledged: list[str]) -> None:
    with Ledger.open(place) as ledger:
        assert all(ledger.entry(tx_id) is not None for tx_id in acknowledged)
        assert ledger.verify().problems == []
        asset = next(ledger.asset_ids())
        txs = ledger.transactions(asset)
        assert [tx["metadata"]["n"] for tx in txs[1:]] == list(range(1, len(txs)))
        for before, after in pairwise(txs):
            assert after["inputs"][0]["fulfills"]["transaction_id"] == before["id"]
        for height in range(1, ledger.tip().height + 1):
            block = ledger.block(height)
            assert block is not None
            assert len(block["transactions"]) in {1, BATCH}
        state = ledger.replay(asset)
        assert state is not None
        assert state.common == ({"n": len(txs) - 1} if len(txs) > 1 else {})
        assert [hit["id"] for hit in ledger.search_assets("red")] == [asset]


def kill_many(tmp_path: Path, kills: int) -> None:
    rng = random.Random(20_240_120)
    for number in range(0, kills, KILLS_A_LEDGER):
        place = tmp_path / f"ledger-{number}"
        acknowledged: list[str] = []
        for _ in range(min(KILLS_A_LEDGER, kills - number)):
            acknowledged += kill_one(place, rng)
            check(place, acknowledged)
        assert len(acknowledged) >= KILLS_A_LEDGER or kills - number < KILLS_A_LEDGER


def test_a_dozen_kills(tmp_path: Path) -> None:
    kill_many(tmp_path, 12)


@pytest.mark.ci
def test_sixty_kills(tmp_path: Path) -> None:
    kill_many(tmp_path, 60)


@pytest.mark.nightly
def test_a_thousand_kills(tmp_path: Path) -> None:
    kill_many(tmp_path, 1000)
