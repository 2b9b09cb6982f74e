"""Flipped bits anywhere in the files: an answer or ``damaged_ledger``, never a traceback."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ledger.chains import ALICE, create
from twincli.errors import TwinError
from twincli.ledger import Ledger
from twincli.ledger.state import SHORT

if TYPE_CHECKING:
    from collections.abc import Callable

FLIPS = 2000
CODES = {"damaged_ledger", "foreign_file", "newer_schema", "older_schema", "lost_ledger"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whole") / "ledger"
    with Ledger.open(place) as ledger:
        first = create(data={"name": "red car", "twin": {"v": 1, "kind": "asset"}})
        ledger.submit(first)
        ledger.append_many(ALICE, first["id"], [{"n": n} for n in range(2 * SHORT)])
        ledger.submit(create(data={"name": "blue car", "parent": first["id"]}))
        ledger.search_assets("car")
        ledger.replay(first["id"])
        ledger.checkpoint()
    return place


LOOKS: dict[str, Callable[[Ledger, str], object]] = {
    "get": lambda ledger, tx_id: ledger.get(tx_id),
    "entry": lambda ledger, tx_id: ledger.entry(tx_id),
    "entries": lambda ledger, tx_id: list(ledger.entries(tx_id)),
    "transactions": lambda ledger, tx_id: ledger.transactions(tx_id),
    "last": lambda ledger, tx_id: ledger.last(tx_id),
    "bodies": lambda ledger, tx_id: list(ledger.bodies(tx_id)),
    "corrections": lambda ledger, tx_id: ledger.corrections(tx_id),
    "unspent": lambda ledger, tx_id: ledger.unspent(tx_id),
    "once": lambda ledger, tx_id: ledger.once(tx_id, "x"),
    "outputs": lambda ledger, _: ledger.outputs(ALICE.public_key, spent=False),
    "search": lambda ledger, _: list(ledger.search("car n")),
    "replay": lambda ledger, tx_id: ledger.replay(tx_id),
    "as of": lambda ledger, tx_id: ledger.replay(tx_id, 2**50),
    "stated": lambda ledger, tx_id: ledger.assets_with("parent", tx_id),
    "prefix": lambda ledger, tx_id: ledger.find_prefix(tx_id[:8]),
    "assets": lambda ledger, _: list(ledger.asset_ids()),
    "blocks": lambda ledger, _: [ledger.block(height) for height in range(4)],
    "commits": lambda ledger, _: ledger.commits(-1),
    "counts": lambda ledger, _: ledger.counts(),
    "tree": lambda ledger, _: ledger.tree_size(),
    "verify": lambda ledger, _: ledger.verify(workers=1).problems,
    "verify last": lambda ledger, _: ledger.verify_last(50).problems,
    "append": lambda ledger, tx_id: ledger.append_many(ALICE, tx_id, [{"n": 0}]),
}


def flipped(data: bytes, rng: random.Random) -> bytes:
    """Flip one bit; mostly where something is written."""
    position = rng.randrange(len(data))
    while not data[position] and rng.random() < 0.9:
        position = rng.randrange(len(data))
    return data[:position] + bytes([data[position] ^ 1 << rng.randrange(8)]) + data[position + 1 :]


def flip(whole: Path, place: Path, name: str, count: int) -> None:
    with Ledger.open(whole) as ledger:
        asset = next(ledger.asset_ids())
        expected = {look: LOOKS[look](ledger, asset) for look in ("get", "transactions", "bodies")}
    codes: dict[str, str] = {}
    rng = random.Random(20_240_120)
    data = (whole / name).read_bytes()
    for number in range(count):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(whole, place)
        (place / name).write_bytes(flipped(data, rng))
        look = rng.choice(list(LOOKS))
        try:
            with Ledger.open(place, create=False) as ledger:
                answer = LOOKS[look](ledger, asset)
        except TwinError as error:
            codes.setdefault(error.code, f"{number} {look}: {error.message}")
        else:
            # What is printed as an asset's past hashes to its id; some of it may be missing.
            if look in {"transactions", "bodies"}:
                known = expected[look]
                assert isinstance(answer, list)
                assert isinstance(known, list)
                assert all(item in known for item in answer), (number, look)
            elif look == "get":
                assert answer in (None, expected["get"]), number
    assert codes.keys() <= CODES, codes


@pytest.mark.parametrize("name", ["ledger.db", "index.db"])
def test_a_hundred_flipped_bits(whole: Path, tmp_path: Path, name: str) -> None:
    flip(whole, tmp_path / "l", name, 100)


@pytest.mark.ci
@pytest.mark.parametrize("name", ["ledger.db", "index.db"])
def test_two_thousand_flipped_bits(whole: Path, tmp_path: Path, name: str) -> None:
    flip(whole, tmp_path / "l", name, FLIPS)
