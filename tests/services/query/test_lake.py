"""A Delta table of streams: read by an engine that is not ours, grown, and whole after a crash."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import pytest

from tests.services import rooms as _rooms
from tests.services import writes
from tests.services.query.streams_here import DAY, START, Place, gathered, observed
from tests.services.rooms import Rooms
from twincli.client import tables
from twincli.client.tables import Directory
from twincli.errors import ConflictError, UndeterminedError
from twincli.formats import delta
from twincli.model import inline, manifest, record
from twincli.model.inline import Inline
from twincli.model.manifest import Entry, Manifest
from twincli.model.reading import Observation
from twincli.services.asset.create import Definition
from twincli.services.query import lake
from twincli.services.query.lake import Exported
from twincli.services.record.say import say
from twincli.services.stream import streams


class Fleet:
    """A car, a stream of it, its readings, and where they are exported to."""

    def __init__(self, rooms: Rooms, directory: Path) -> None:
        self.rooms = rooms
        self.place = Place(directory)
        self.table = directory / "lake"
        self.car = writes.create(rooms.workspace, "car", Definition({}, owner="alice"))["id"]
        self.expected: Counter[tuple[Any, ...]] = Counter()
        self.number = 0

    def stream(self, name: str, signer: str = "alice") -> str:
        wanted = Definition({}, kind=record.STREAM, parent="car", title=name, owner=signer)
        return str(writes.create(self.rooms.using(signer), None, wanted)["id"])

    def push(self, stream: str, rows: list[Observation], signer: str = "alice") -> str:
        body = inline.body([Inline(row) for row in rows])
        made: Any = say(self.rooms.using(signer), stream, "reading", body, is_owners=True)
        tx = str(made["transaction_id"])
        for row in rows:
            for path, value in row.leaves.items():
                self.expected[path, row.time_us, value, row.quality, None, tx] += 1
        return tx

    def chunk(self, stream: str, name: str, rows: list[Observation], *, ours: bool = True) -> str:
        entries = self.place.chunk(gathered(rows, name), name, ours=ours)
        body = manifest.body(Manifest(name, tuple(entries)))
        made: Any = say(self.rooms.using("alice"), stream, "chunk", body, is_owners=True)
        tx = str(made["transaction_id"])
        for row in rows:
            (cid,) = [e.cid for e in entries if e.first_us <= (row.time_us or 0) <= e.last_us]
            for path, value in row.leaves.items():
                self.expected[path, row.time_us, value, row.quality, cid, tx] += 1
        return tx

    def export(self, place: tables.Place | None = None) -> Exported:
        place = place or tables.opened(str(self.table))
        return lake.export(self.rooms.workspace, self.place.feed(), [self.car], place)

    def read(self) -> Counter[tuple[Any, ...]]:
        """Return what another program reads."""
        table = deltalake.DeltaTable(str(self.table))
        query = deltalake.QueryBuilder().register("t", table)
        text = (
            "SELECT stream, series, ts, f64, i64, text, bool, quality, chunk,"
            " coalesce(anchor, tx) AS tx, day, twin FROM t"
        )
        found: Counter[tuple[Any, ...]] = Counter()
        for batch in query.execute(text):
            columns = [batch.column(at).to_pylist() for at in range(12)]
            for row in zip(*columns, strict=True):
                stream, series, ts, *values, quality, chunk, tx, day, twin = row
                (value,) = [each for each in values if each is not None]
                assert (twin, str(day)) == (self.car, day_of(ts))
                found[series.removeprefix(f"{stream}."), ts, value, quality, chunk, tx] += 1
        return found


def day_of(time_us: int) -> str:
    from twincli.model import times

    return times.microseconds_text(time_us)[:10]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with _rooms.opened(tmp_path) as found:
        for name in ("alice", "mallory"):
            found.key(name)
        yield Fleet(found, tmp_path)


def test_an_export_grows_and_each_row_names_its_transaction(fleet: Fleet) -> None:
    gps, door = fleet.stream("gps"), fleet.stream("door")
    assert fleet.export() == Exported(0, 0, 0, 0, ((fleet.car, "gps"), (fleet.car, "door")), ())
    rows = [observed(START + at * DAY // 4, lat=at / 2, n=at) for at in range(9)]
    fleet.chunk(gps, "gps", rows)
    fleet.push(gps, [observed(START + 9 * DAY, lat=1.5, quality="odd")])
    fleet.push(door, [observed(START + at * DAY, open=at == 1, note="a") for at in range(2)])
    first = fleet.export()
    assert (first.version, first.added, first.removed, first.readings) == (1, 6, 0, 23)
    assert fleet.read() == fleet.expected
    before = {path: path.stat().st_mtime_ns for path in fleet.table.rglob("*.parquet")}
    assert fleet.export()[:4] == (1, 0, 0, 0)
    fleet.push(gps, [observed(START + 10 * DAY, lat=2.5)])
    fleet.chunk(gps, "gps", [observed(START + 11 * DAY, lat=3.5)])
    assert fleet.export()[:4] == (2, 2, 0, 2)
    assert fleet.read() == fleet.expected
    after = {path: path.stat().st_mtime_ns for path in fleet.table.rglob("*.parquet")}
    assert before.items() < after.items()
    views = (fleet.table / delta.VIEWS).read_text()
    assert "`gps`" in views
    assert "`door`" in views


def test_a_chunk_of_ours_stands_in_the_table_as_it_was_signed(fleet: Fleet) -> None:
    gps = fleet.stream("gps")
    fleet.chunk(gps, "gps", [observed(START, lat=1.5)])
    fleet.chunk(gps, "gps", [observed(START + DAY, lat=2.5)], ours=False)
    fleet.export()
    assert fleet.read() == fleet.expected
    for file in (fleet.table / gps).iterdir():
        with file.open("rb") as opened:
            assert fleet.place.blobs.put(opened).cid == file.stem


def test_a_chunk_of_another_program_is_written_again(fleet: Fleet, tmp_path: Path) -> None:
    gps = fleet.stream("gps")
    rows = [observed(START + at * DAY, lat=at + 0.5) for at in (1, 2)]
    parts = fleet.place.chunk(gathered(rows, "gps"), "gps", ours=False)
    named = [fleet.place.blobs.path(part.cid) for part in parts]
    asked = "SELECT value FROM parquet_kv_metadata(?)"
    ((about,),) = duckdb.execute(asked, [named[0]]).fetchall()
    text = about.decode().replace("'", "''")
    strange = str(tmp_path / "strange.parquet")
    duckdb.execute(
        f"COPY (SELECT * FROM read_parquet($named) ORDER BY series, ts) TO '{strange}'"
        f" (FORMAT parquet, COMPRESSION snappy, KV_METADATA {{twincli: '{text}'}})",
        {"named": named},
    )
    with open(strange, "rb") as file:
        stored = fleet.place.blobs.put(file)
    entry = Entry(stored.cid, stored.size, 2, parts[0].first_us, parts[1].last_us)
    body = manifest.body(Manifest("gps", (entry,)))
    made: Any = say(fleet.rooms.using("alice"), gps, "chunk", body, is_owners=True)
    for row in rows:
        for path, value in row.leaves.items():
            key = (path, row.time_us, value, row.quality, stored.cid, made["transaction_id"])
            fleet.expected[key] += 1
    fleet.export()
    assert fleet.read() == fleet.expected
    names = sorted(path.name for path in (fleet.table / gps).iterdir())
    assert names == [f"{stored.cid}.2024-01-0{day}.parquet" for day in (2, 3)]


def test_what_does_not_count_is_left_out(fleet: Fleet) -> None:
    gps = fleet.stream("gps")
    fleet.push(gps, [observed(START, lat=1.5)])
    strange = fleet.stream("gps", "mallory")
    fleet.push(strange, [observed(START, lat=9.5)], "mallory")
    bad = {"twin": {"v": 1, "kind": "chunk", "body": {"stream": "other", "chunks": 1}}}
    from twincli.crypto.ed25519 import KeyPair

    pair = KeyPair.from_seed(b"alice".ljust(32, b"."))
    fleet.rooms.workspace.client.append_many(pair, gps, [bad])
    done = fleet.export()
    assert [found for found in fleet.read() if found[2] == 9.5] == []
    assert any("unauthorised" in warning for warning in done.warnings)
    assert any("malformed" in warning for warning in done.warnings)


def test_what_counts_no_more_is_taken_out(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    gps = fleet.stream("gps")
    kept = fleet.push(gps, [observed(START, lat=0.5)])
    fleet.export()
    gone = [fleet.push(gps, [observed(START + 1, lat=1.5)])]
    gone.append(fleet.chunk(gps, "gps", [observed(START + 2, lat=2.5)]))
    later = fleet.push(gps, [observed(START + 3, lat=3.5)])
    fleet.export()
    assert fleet.read() == fleet.expected
    anchors = streams.anchors

    def judged(*given: Any) -> Iterator[Any]:
        for anchor in anchors(*given):
            is_gone = anchor.tx_id in gone
            yield anchor._replace(standing="revoked") if is_gone else anchor

    with monkeypatch.context() as patch:
        patch.setattr(streams, "anchors", judged)
        done = fleet.export()
        assert (done.added, done.removed) == (1, 2)
        assert {row[-1] for row in fleet.read()} == {kept, later}
        assert fleet.export()[1:3] == (0, 0)
    fleet.export()  # and it is put in again when it counts again
    assert fleet.read() == fleet.expected


class Crashing(Directory):
    """A directory to which a process writes that dies after some steps."""

    left = 0

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    def put_new(self, name: str, data: bytes) -> bool:
        self._step()
        made = super().put_new(name, data)
        self._step()
        return made

    def put(self, name: str, data: bytes) -> None:
        self._step()
        super().put(name, data)

    def copy(self, name: str, source: str) -> None:
        self._step()
        super().copy(name, source)
        self._step()


def test_a_crash_at_any_step_loses_nothing_and_doubles_nothing(fleet: Fleet) -> None:
    chance = random.Random(3)
    gps = fleet.stream("gps")
    crashes = 0
    for number in range(12):
        at = START + number * DAY
        if number % 3 == 0:
            fleet.chunk(gps, "gps", [observed(at + each, lat=each / 2) for each in range(3)])
        else:
            fleet.push(gps, [observed(at, lat=number / 2)])
        place = Crashing(str(fleet.table))
        place.left = chance.randrange(7)
        try:
            fleet.export(place)
        except KeyboardInterrupt:
            crashes += 1
            if any((fleet.table / delta.LOG).glob("*.json")):
                assert not fleet.read() - fleet.expected
    fleet.export()
    assert fleet.read() == fleet.expected
    assert crashes > 3


def test_a_checkpoint_says_what_the_log_says(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "EVERY", 3)
    gps = fleet.stream("gps")
    log = fleet.table / delta.LOG
    for number in range(7):
        fleet.push(gps, [observed(START + number * DAY, lat=number / 2, note="o'clock")])
        fleet.export()
    assert json.loads((fleet.table / delta.LAST).read_text())["version"] == 6
    assert fleet.read() == fleet.expected
    for number in range(7):  # what other engines take away once it is summed up
        (log / f"{number:020}.json").rename(fleet.table.parent / str(number))
    assert fleet.read() == fleet.expected
    known = deltalake.DeltaTable(str(fleet.table))
    assert known.metadata().configuration["twincli.ledger"] == fleet.rooms.ledger.id
    for number in range(7):
        (fleet.table.parent / str(number)).rename(log / f"{number:020}.json")
    fleet.push(gps, [observed(START + 9 * DAY, lat=1.0)])
    assert fleet.export().version == 8
    assert fleet.read() == fleet.expected


def test_two_exports_at_once(fleet: Fleet) -> None:
    gps = fleet.stream("gps")
    fleet.push(gps, [observed(START, lat=0.5)])

    class Late(Directory):
        others = 1

        def put_new(self, name: str, data: bytes) -> bool:
            if self.others and not name.endswith("0.json"):
                self.others -= 1
                fleet.export()
            return super().put_new(name, data)

    assert fleet.export(Late(str(fleet.table)))[:3] == (1, 0, 0)
    assert fleet.read() == fleet.expected

    class Busy(Directory):
        def put_new(self, name: str, data: bytes) -> bool:
            del name, data
            return False

    fleet.push(gps, [observed(START + 1, lat=0.5)])
    with pytest.raises(ConflictError) as error:
        fleet.export(Busy(str(fleet.table)))
    assert error.value.code == "busy"


def test_tables_of_others_are_left_alone(fleet: Fleet) -> None:
    fleet.stream("gps")
    fleet.table.mkdir()
    (fleet.table / "notes.txt").write_text("mine")
    with pytest.raises(ConflictError, match="other files"):
        fleet.export()
    (fleet.table / "notes.txt").unlink()
    fleet.export()
    log = fleet.table / delta.LOG
    made = delta.creation("x", "b" * 64, 1)
    (log / "00000000000000000001.json").write_bytes(delta.commit(made, "twincli", 1))
    with pytest.raises(ConflictError, match="another ledger"):
        fleet.export()
    (log / "00000000000000000000.json").unlink()
    with pytest.raises(ConflictError, match="shortened"):
        fleet.export()
    with pytest.raises(ConflictError, match="not a directory"):
        tables.opened(str(log / "00000000000000000001.json"))


def test_a_chunk_that_is_not_here_is_not_left_out_silently(fleet: Fleet) -> None:
    gps = fleet.stream("gps")
    fleet.chunk(gps, "gps", [observed(START, lat=1.5)])
    (entry,) = fleet.place.chunk(gathered([observed(START + 1, lat=1.5)], "gps"), "gps")
    Path(fleet.place.blobs.path(entry.cid)).unlink()
    body = manifest.body(Manifest("gps", (entry,)))
    say(fleet.rooms.using("alice"), gps, "chunk", body, is_owners=True)
    with pytest.raises(UndeterminedError):
        fleet.export()
    assert deltalake.DeltaTable(str(fleet.table)).version() == 0
