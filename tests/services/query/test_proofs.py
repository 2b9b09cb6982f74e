"""Drawn questions: whatever way answers them, on however many threads, the bits are the same."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.services.query.streams_here import START, Place
from tests.services.query.streams_here import random_stream as stream_of
from twincli.content import chunks
from twincli.services.query import asked, query
from twincli.services.query.asked import Typed
from twincli.services.query.pieces import Held
from twincli.services.query.query import Streams

EVERY = ("1m", "7m", "1h", "90s", "1d", "0.5h", "2d", "250ms", "13s")
SINCE = (
    None,
    "2024-01-01T03:00:00Z",
    "2024-01-01T05:00:07Z",
    "2023-12-31",
    "2024-01-01T23:59:59.25Z",
)
UNTIL = (None, "2024-01-02T03:10:00Z", "2024-01-02T23:59:00.5Z", "2024-01-04")
MERGEABLE = ("average", "min", "max", "first", "last", "count", "sum", "stddev")
COUNTS = [
    25,
    pytest.param(200, marks=pytest.mark.ci),
    pytest.param(1000, marks=pytest.mark.nightly),
]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def drawn(dice: random.Random) -> dict[str, Any]:
    """Return the options of a question."""
    found: dict[str, Any] = {
        "fields": dice.choice(("v", "n", "v,n", "n,v")),
        "since": dice.choice(SINCE),
        "until": dice.choice(UNTIL),
        "suspect": dice.random() < 0.3,
        "reverse": dice.random() < 0.3,
    }
    kind = dice.random()
    if kind < 0.2:
        return found  # rows
    if kind < 0.3:
        return {**found, "points": dice.randrange(3, 60)}  # a sample
    several = dice.sample(MERGEABLE, dice.randrange(1, 4))
    if dice.random() < 0.2:
        several.append(dice.choice(("median", "p95")))
    found["aggregates"] = ",".join(several)
    if dice.random() < 0.2:
        found["points"] = dice.randrange(3, 60)
    else:
        found["every"] = dice.choice(EVERY)
        if found["every"] in {"1d", "2d"} and dice.random() < 0.5:
            found["zone"] = dice.choice(("Europe/Berlin", "America/New_York", "Asia/Kolkata"))
        elif dice.random() < 0.3:
            found["origin"] = dice.choice(("2024-01-01T00:00:30Z", "2024-01-01T00:10:00Z"))
    if dice.random() < 0.3 and found.get("every") not in {"250ms", "13s"}:
        found["fill"] = dice.choice(("null", "previous", "linear"))
    if found["fields"] not in {"v", "n"} and "points" in found:
        found["fields"] = "v"
    return found


def answer(
    place: Place, stream: Held, options: dict[str, Any], *, rollups: bool = True
) -> list[dict[str, Any]]:
    question = asked.read(Typed((stream.name,), **options), START // 1000)
    feed = place.feed(rollups=rollups)
    try:
        found = query.answered(feed, question, Streams("t" * 64, (stream,), ()))
        return list(found.rows())
    finally:
        feed.close()


@pytest.mark.no_cover
@pytest.mark.parametrize("count", COUNTS)
def test_every_way_gives_the_same_bits(
    place: Place, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = chunks.connect

    def on_two() -> Any:
        made = connect()
        made.execute("SET threads = 2")
        return made

    dice = random.Random(12)
    for number in range(count):
        if number % 50 == 0:
            there = Place(place.directory / str(number))
            there.directory.mkdir()
            stream = stream_of(there, number, rows=dice.choice((60, 300)))
        options = drawn(dice)
        first = answer(there, stream, options)
        assert repr(first) == repr(answer(there, stream, options)), options
        assert repr(first) == repr(answer(there, stream, options, rollups=False)), options
        with monkeypatch.context() as patched:
            patched.setattr(chunks, "connect", on_two)
            assert repr(first) == repr(answer(there, stream, options, rollups=False)), options


@pytest.mark.no_cover
@pytest.mark.parametrize("count", COUNTS)
def test_averages_are_those_of_fractions(place: Place, count: int) -> None:
    """What the rows say, added up by somebody else."""
    dice = random.Random(5)
    stream = stream_of(place, 5, rows=150)
    rows = answer(place, stream, {"fields": "timestamp,v"})
    for _ in range(count):
        options: dict[str, Any] = {
            "fields": "v",
            "every": dice.choice(("1m", "5m", "1h", "6h", "1d")),
            "since": dice.choice(SINCE),
            "until": dice.choice(UNTIL),
            "aggregates": "average,sum,min,max,count",
        }
        asked_for = asked.read(Typed((stream.name,), **options), 0)
        every = asked_for.every_us
        assert every is not None
        groups: dict[int, list[float]] = {}
        for row in rows:
            time_us = asked.read(Typed(("s",), since=row["timestamp"]), 0).since_us
            assert time_us is not None
            if asked_for.since_us is not None and time_us < asked_for.since_us:
                continue
            if asked_for.until_us is not None and time_us >= asked_for.until_us:
                continue
            groups.setdefault(time_us - time_us % every, []).append(row["v"])
        found = answer(place, stream, options)
        assert len(found) == len(groups)
        for row, values in zip(found, (groups[begin] for begin in sorted(groups)), strict=True):
            total = sum(map(Fraction, values))
            assert row["v_average"] == float(total / len(values))
            assert row["v_sum"] == float(total)
            assert (row["v_min"], row["v_max"]) == (min(values), max(values))
            assert row["v_count"] == len(values)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rollups_made_again_are_those_that_grew(place: Place, seed: int) -> None:
    """Of each chunk from the readings as they were written, and from the file."""
    from twincli.services.stream import rollups

    stream = stream_of(place, seed, rows=500)
    feed = place.feed()
    entries = [piece.entry for piece in stream.pieces if piece.entry is not None]
    grown = [feed.rollup(entry, "s") for entry in entries]
    again = [rollups.made(place.feed(rollups=False).chunk(entry, "s")) for entry in entries]
    kept = [place.feed().rollup(entry, "s") for entry in entries]
    feed.close()
    assert grown == again == kept
