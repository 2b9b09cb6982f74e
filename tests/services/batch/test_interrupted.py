"""Batches that are interrupted anywhere: nothing lost, nothing twice, and each twin whole."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from twincli.book.store import Book
from twincli.client.embedded import EmbeddedClient
from twincli.content.batch_spool import BatchSpool
from twincli.content.copies import Copies
from twincli.content.inventory import Inventory
from twincli.content.store import Blobs
from twincli.errors import InterruptedWriteError
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger
from twincli.model import record
from twincli.services.batch import batch, run
from twincli.services.batch.run import How
from twincli.services.batch.sources import Source
from twincli.services.batch.verbs import Rooms
from twincli.services.record.attachments import Brought
from twincli.services.stream.known import Room
from twincli.services.workspace import Workspace

TWINS, EACH = 6, 3


def lines() -> list[dict[str, Any]]:
    """Return lines of several twins among each other: creates, appends, readings, a link."""
    made: list[dict[str, Any]] = [
        {"do": "create", "asset": f"new-{number}", "data": {"n": number}} for number in range(TWINS)
    ]
    for turn in range(EACH):
        for number in range(TWINS):
            data = {"turn": turn, "n": number}
            made.append({"do": "append", "asset": f"new-{number}", "data": data})
            made.append({"do": "append", "asset": f"old-{number}", "data": data})
    for number in range(TWINS):
        reading = {"value": number}
        made.append({"do": "reading", "asset": f"old-{number}", "stream": "s", "data": reading})
    made.append({"do": "link", "asset": "new-1", "verb": "is_component_of", "to": "new-2"})
    return made


def no_files(path: str) -> Brought:
    raise AssertionError(path)


class Home:
    """A home whose rooms are opened again and again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "lines.jsonl"
        self.file.write_text("".join(json.dumps(line) + "\n" for line in lines()))

    def begin(self) -> None:
        from tests.services import writes
        from twincli.crypto.ed25519 import KeyPair
        from twincli.services.asset.create import Definition

        store = KeyStore(str(self.directory / "keys"))
        pair = KeyPair.from_seed(b"alice".ljust(32, b"."))
        store.create("alice", pair, secret_source=None, created="2024-01-20T09:00:00Z")
        with Book(str(self.directory / "book.db")) as book:
            client = EmbeddedClient.open(str(self.directory / "ledger"), create=True)
            workspace = Workspace(client, store, book)
            for number in range(TWINS):
                writes.create(workspace, f"old-{number}", Definition({}, owner="alice"))
            client.close()

    def apply(self, how: How) -> dict[str, Any]:
        client = EmbeddedClient.open(str(self.directory / "ledger"))
        spool = BatchSpool()
        try:
            with (
                Book(str(self.directory / "book.db")) as book,
                Inventory(str(self.directory / "streams.db")) as inventory,
            ):
                workspace = Workspace(client, KeyStore(str(self.directory / "keys")), book)
                blobs = Blobs(str(self.directory / "content"))
                copies = Copies(blobs, str(self.directory / "copies"))
                room = Room(workspace, inventory, blobs, copies)
                source = Source(str(self.file), "lines", "jsonl")
                rooms = Rooms(room, no_files)
                done = batch.apply(rooms, spool, source, how)
                return {**done, "lines": list(done["lines"])}
        finally:
            spool.close()
            client.close()

    def recorded(self) -> Counter[str]:
        """Return how often each token of the batch is on the ledger."""
        found: Counter[str] = Counter()
        with Ledger.open(self.directory / "ledger") as ledger:
            assert not ledger.verify().problems
            assert ledger.verify_index() in ([], None)
            for asset_id in ledger.asset_ids():
                for tx in ledger.iter_transactions(asset_id):
                    envelope = record.envelope_of(tx["metadata"]) or {}
                    if "once" in envelope:
                        found[envelope["once"]] += 1
                    elif tx["operation"] == "CREATE" and asset_id == tx["id"]:
                        data = tx["asset"]["data"] or {}
                        if "n" in data:
                            found[f"b:{data['n'] + 1}"] += 1
        return found

    def check_whole_twins(self) -> None:
        """Check that of each twin all lines are recorded, or none."""
        found = self.recorded()
        numbers: dict[str, list[int]] = {}
        for number, line in enumerate(lines(), 1):
            numbers.setdefault(line["asset"], []).append(number)
        for name, of_twin in numbers.items():
            count = sum(found[f"b:{number}"] for number in of_twin)
            assert count in {0, len(of_twin)}, name

    def finish(self) -> None:
        """Give the batch again, and check that all of it is recorded once."""
        done = self.apply(How("b"))
        count = len(lines())
        assert done["applied"] + done["existing"] == count
        assert self.recorded() == Counter({f"b:{number}": 1 for number in range(1, count + 1)})
        again = self.apply(How("b"))
        assert (again["applied"], again["existing"]) == (0, count)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.begin()
    return made


class Bomb:
    """Raises KeyboardInterrupt at a call of a function, counted from its lighting."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self, frame: Any, event: str, _argument: Any) -> None:
        if event == "call" and "/twincli/" in frame.f_code.co_filename:
            self.left -= 1
            if self.left == 0:
                sys.setprofile(None)
                raise KeyboardInterrupt


def interrupted(home: Home, calls: int) -> bool:
    """Apply a batch that is interrupted at a call; say whether it was."""
    bomb = Bomb(calls)
    sys.setprofile(bomb)
    try:
        home.apply(How("b"))
    except (KeyboardInterrupt, InterruptedWriteError):
        return True
    finally:
        sys.setprofile(None)
    return False


def rounds(count: int) -> list[int]:
    return [random.Random(seed).randrange(1, 1 << 30) for seed in range(count)]


def at_random_points(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    home.begin()
    rolls = random.Random(seed)
    monkeypatch.setattr(run, "PAGE_LINES", rolls.choice([1, 4, 10_000]))
    interrupted(home, rolls.randrange(1, 30_000))
    home.check_whole_twins()
    if rolls.random() < 0.5:
        interrupted(home, rolls.randrange(1, 30_000))
        home.check_whole_twins()
    home.finish()


# Python swallows an interrupt that comes while it closes a generator nobody holds any more.
SWALLOWED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@SWALLOWED
@pytest.mark.parametrize("seed", rounds(10))
def test_nothing_is_lost_and_nothing_is_twice(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_random_points(tmp_path, seed, monkeypatch)


@SWALLOWED
@pytest.mark.ci
@pytest.mark.parametrize("seed", rounds(60)[10:])
def test_nothing_is_lost_and_nothing_is_twice_at_more_points(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_random_points(tmp_path, seed, monkeypatch)


@SWALLOWED
@pytest.mark.nightly
@pytest.mark.parametrize("seed", rounds(1060)[60:])
def test_nothing_is_lost_and_nothing_is_twice_at_a_thousand_points(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_random_points(tmp_path, seed, monkeypatch)


def test_who_stops_it_is_told_how_much_is_recorded(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PAGE_LINES", 1)
    asked = iter([False] * (len(lines()) + 4))
    with pytest.raises(InterruptedWriteError) as caught:
        home.apply(How("b", stopped=lambda: next(asked, True)))
    recorded = sum(home.recorded().values())
    assert 0 < recorded < len(lines())
    assert caught.value.message == f"interrupted: {recorded} lines are recorded"
    assert "the same --once" in (caught.value.hint or "")
    home.check_whole_twins()
    home.finish()


def test_without_once_the_recorded_lines_are_named(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PAGE_LINES", 1)
    asked = iter([False] * (len(lines()) + 3))
    with pytest.raises(InterruptedWriteError) as caught:
        home.apply(How(stopped=lambda: next(asked, True)))
    assert caught.value.hint is not None
    assert "give all others again: recorded are 1" in caught.value.hint
    with pytest.raises(InterruptedWriteError, match="interrupted: nothing is recorded"):
        home.apply(How(stopped=lambda: True))


KILLED = """
import sys
from pathlib import Path
from tests.services.batch.test_interrupted import Home
from twincli.services.batch import run
from twincli.services.batch.run import How
run.PAGE_LINES = 2
home = Home(Path(sys.argv[1]))
print("ready", flush=True)
home.apply(How("b"))
"""


@pytest.mark.parametrize("wait", [0.0, 0.01, 0.05, 0.1])
def test_killed(home: Home, wait: float) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(home.directory)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(wait)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    home.check_whole_twins()
    home.finish()
