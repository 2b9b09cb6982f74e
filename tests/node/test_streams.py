"""The explorer's pages of streams: charts, tracks, zoom, and what a page does not do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.node.test_explorer import EVIL, Reader
from tests.services import rooms as _rooms
from tests.services import writes
from tests.services.query.streams_here import DAY, MINUTE, START, Place, gathered, observed
from tests.services.rooms import Rooms
from twincli.content import foreign
from twincli.content.minutes import Minutes
from twincli.crypto.ed25519 import KeyPair
from twincli.model import encryption, inline, manifest, record
from twincli.model.inline import Inline
from twincli.model.manifest import Manifest
from twincli.model.reading import Observation
from twincli.node.pages import explorer, source
from twincli.node.pages.source import Shelf
from twincli.services.asset.create import Definition
from twincli.services.record.say import say
from twincli.services.stream import rollups


class Pages:
    """A car with streams, and the pages that show them."""

    def __init__(self, rooms: Rooms, directory: Path) -> None:
        self.rooms = rooms
        self.place = Place(directory)
        self.minutes = str(directory / "rollups.db")
        self.car = str(writes.create(rooms.workspace, "car", Definition({}, owner="alice"))["id"])

    def stream(self, name: str, signer: str = "alice", owner: str | None = None) -> str:
        wanted = Definition({}, kind=record.STREAM, parent="car", title=name, owner=owner or signer)
        return str(writes.create(self.rooms.using(signer), None, wanted)["id"])

    def push(self, stream: str, rows: list[Observation], signer: str = "alice") -> None:
        body = inline.body([Inline(row) for row in rows])
        say(self.rooms.using(signer), stream, "reading", body, is_owners=True)

    def chunk(self, stream: str, name: str, rows: list[Observation], *, kept: bool = False) -> None:
        entries = self.place.chunk(gathered(rows, name), name)
        body = manifest.body(Manifest(name, tuple(entries)))
        say(self.rooms.using("alice"), stream, "chunk", body, is_owners=True)
        if kept:
            feed, store = self.place.feed(), rollups.Rollups(self.minutes)
            store.put([(entry.cid, rollups.made(feed.chunk(entry, name))) for entry in entries])
            store.close()
            feed.close()

    def show(self, asset_id: str, **query: str) -> Reader:
        shelf = Shelf(self.place.blobs, self.minutes)
        named = {name.rstrip("_"): text for name, text in query.items()}  # from is a keyword
        path = f"/explorer/asset/{asset_id}"
        page = explorer.page(self.rooms.ledger, path, named, shelf)
        assert page.status == 200
        assert "<script" not in page.html
        return Reader(page.html)


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    with _rooms.opened(tmp_path) as found:
        for name in ("alice", "box", "mallory"):
            found.key(name)
        yield Pages(found, tmp_path)


def labels(reader: Reader) -> list[str]:
    """Return what the charts say."""
    named = [str(value) for name, value in reader.attributes if name == "aria-label"]
    return [text for text in named if re.search(r"(values|averages|places)", text)]


def test_a_stream_is_drawn_and_zoomed(pages: Pages) -> None:
    stream = pages.stream("engine")
    pages.push(stream, [observed(START + at * MINUTE, rpm=at * 100, ok=True) for at in range(8)])
    pages.push(stream, [observed(START + 8 * MINUTE, rpm=9999, quality="odd")])
    reader = pages.show(stream)
    (label,) = labels(reader)
    assert label.startswith("rpm: 8 values from 2024-01-01T00:00:00.000Z")
    assert "highest 700" in label
    second = pages.show(stream, from_="2024-01-01T00:04:00Z", until="2024-01-01T00:07:00Z")
    assert "3 values from 2024-01-01T00:04:00.000Z" in labels(second)[0]
    assert "lowest 400, highest 600" in labels(second)[0]
    for wrong in ({"from_": "soon"}, {"from_": "2025-01-01", "until": "2024-01-01"}, {"part": "x"}):
        assert labels(pages.show(stream, **wrong)) == [label]
    none = pages.show(stream, from_="2030-01-01T00:00:00Z")
    assert "No numbers were read in this range" in none.words
    assert labels(none) == []


def test_an_encrypted_stream_says_that_it_is(pages: Pages) -> None:
    begun = encryption.Epoch(0, "age1x", ())
    wanted = Definition(
        {},
        kind=record.STREAM,
        parent="car",
        title="recipe",
        owner="alice",
        stated={encryption.MEMBER: encryption.member(begun)},
    )
    stream = str(writes.create(pages.rooms.using("alice"), None, wanted)["id"])
    for shown in (pages.show(stream), pages.show(pages.car)):
        assert "This stream is encrypted" in shown.words
        assert "stream, encrypted" in shown.words


def test_halves_lead_to_a_single_value(pages: Pages) -> None:
    stream = pages.stream("engine")
    pages.push(stream, [observed(START + at * MINUTE, rpm=at) for at in range(64)])
    query: dict[str, str] = {}
    counts = []
    for _ in range(5):
        reader = pages.show(stream, **query)
        found = [where for where in reader.links if f"/asset/{stream}?" in where]
        pattern = r"/explorer/asset/[0-9a-f]{64}\?[\w%.=&+-]+"
        assert all(re.fullmatch(pattern, where) for where in found)
        counts.append(re.findall(r"(\d+) values", labels(reader)[0])[0])
        first_half = dict(parse_qsl(urlsplit(found[0]).query))
        query = {"from_": first_half["from"], "until": first_half["until"]}
    assert counts == ["64", "32", "16", "8", "4"]


def test_a_track_and_the_page_of_its_twin(pages: Pages) -> None:
    stream = pages.stream("location", "alice", "box")
    rows = [observed(START + at * MINUTE, latitude=40 + at / 9, longitude=-at / 7) for at in (0, 1)]
    pages.push(stream, rows, "box")
    for asset_id, title in ((stream, "track"), (pages.car, "location.track")):
        assert labels(pages.show(asset_id)) == [
            f"{title}: 2 places, latitude 40 to 40.1111; the filled dot is the last"
        ]
    assert "Streams" in pages.show(pages.car).words


@pytest.mark.parametrize("kept", [True, False])
def test_chunks_are_drawn_by_their_minutes(pages: Pages, kept: bool) -> None:
    stream = pages.stream("gps")
    rows = [
        observed(
            START + at * MINUTE // 6,
            latitude=10 + at / 100,
            longitude=179.9 if at % 2 else -179.9,
            speed=float(at % 6),
        )
        for at in range(1200)
    ]
    pages.chunk(stream, "gps", rows, kept=kept)
    reader = pages.show(stream)
    track, speed = labels(reader)
    assert track.startswith("track: 200 places, latitude 10 to 21.94")
    assert speed.startswith("speed: 200 averages from 2024-01-01T00:00:00.000Z")
    assert "lowest 0, highest 5" in speed
    assert "11.99" in reader.words.replace("21.99", "11.99")
    assert "polygon" in reader.tags


def test_a_page_opens_few_chunks_and_says_so(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = pages.stream("gps")
    for day in range(5):
        pages.chunk(stream, "gps", [observed(START + day * DAY + at, x=day) for at in (1, 2)])
    opened: list[str] = []
    read = foreign.read

    def counted(path: str, *given: Any) -> Any:
        opened.append(path)
        return read(path, *given)

    monkeypatch.setattr(foreign, "read", counted)
    reader = pages.show(stream)
    assert len(opened) == source.OPENED
    assert "2 chunks in this range are not drawn" in reader.words
    opened.clear()
    zoomed = pages.show(stream, from_="2024-01-05T00:00:00Z")
    assert len(opened) == 1
    assert "not drawn" not in zoomed.words


def test_whose_word_it_is(pages: Pages) -> None:
    false = pages.stream("speed", "mallory")
    pages.push(false, [observed(START + at, kmh=at + 900) for at in (1, 2)], "mallory")
    reader = pages.show(false)
    assert labels(reader) == []
    assert "1 records do not count" in reader.words
    assert "Streams" not in pages.show(pages.car).words


def test_names_of_strangers_are_never_markup(pages: Pages) -> None:
    name = EVIL.replace(".", "")[:100]
    stream = pages.stream(name)
    rows = [Observation({name.replace(" ", "_")[:40]: at}, START + at) for at in (1, 2)]
    body = {
        "readings": [
            {"timestamp": f"2024-01-01T00:00:0{at}.000Z", "data": {"<b onerror=x>": at}}
            for at in range(3)
        ]
    }
    del rows
    say(pages.rooms.using("alice"), stream, "reading", body, is_owners=True)
    for asset_id in (stream, pages.car):
        reader = pages.show(asset_id, from_='"><script>', part="<b>")
        assert set(reader.tags).isdisjoint({"script", "img", "b"})
        assert all(attribute != "onerror" for attribute, _ in reader.attributes)


def test_a_long_stream_is_shown_in_parts(pages: Pages) -> None:
    stream = pages.stream("engine")
    pair = KeyPair.from_seed(b"alice".ljust(32, b"."))
    bodies = [
        {
            "readings": [
                {"timestamp": f"2024-01-01T00:{at // 60:02}:{at % 60:02}Z", "data": {"n": at}}
            ]
        }
        for at in range(3000)
    ]
    pages.rooms.ledger.append_many(
        pair,
        stream,
        [{"twin": {"v": 1, "kind": "reading", "body": body}} for body in bodies],
    )
    reader = pages.show(stream)
    assert "This is a part of the stream" in reader.words
    assert "highest 2999" in labels(reader)[0]
    first = pages.show(stream, part="0")
    assert "lowest 0" in labels(first)[0]
    assert "later records" in first.words
    assert "earlier records" in reader.words


def test_minutes_that_are_damaged_are_made_again(pages: Pages) -> None:
    stream = pages.stream("gps")
    pages.chunk(stream, "gps", [observed(START + at, x=at) for at in (1, 2)])
    (cid,) = re.findall(r"bafk\w+", str(list(pages.place.directory.rglob("bafk*"))))[:1]
    with Minutes(pages.minutes) as minutes:
        minutes.put({cid: {"gps.x": ("i64", b"nonsense")}})
    assert "1 chunks in this range are not drawn" in pages.show(stream).words
