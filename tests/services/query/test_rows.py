"""Rows of several streams in one order of time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.services.query.streams_here import DAY, MINUTE, START, Place, gathered, held, observed
from tests.services.query.streams_here import random_stream as stream_of
from twincli.errors import InvalidError, NotVerifiedError, UndeterminedError
from twincli.services.query import asked, query
from twincli.services.query.asked import Typed
from twincli.services.query.pieces import Held
from twincli.services.query.query import Found, Streams


def ask(place: Place, streams: list[Held], **options: Any) -> Found:
    question = asked.read(Typed(tuple(each.name for each in streams), **options), START // 1000)
    return query.answered(place.feed(), question, Streams("t" * 64, tuple(streams), ()))


def rows(place: Place, streams: list[Held], **options: Any) -> list[dict[str, Any]]:
    return list(ask(place, streams, **options).rows())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_rows_nest_and_keep_arrays(place: Place) -> None:
    fix = observed(START, "gps", latitude=40.7, longitude=-74.0, metadata__speed=35.5)
    more = observed(START + 1, results=["pass", {"a": 1}], ok=True, note="x")
    one = held("a", [*place.chunk(gathered([fix, more], "a"), "a")])
    assert rows(place, [one]) == [
        {
            "timestamp": "2024-01-01T00:00:00.000000Z",
            "latitude": 40.7,
            "longitude": -74.0,
            "metadata": {"speed": 35.5},
        },
        {
            "timestamp": "2024-01-01T00:00:00.000001Z",
            "results": ["pass", {"a": 1}],
            "ok": True,
            "note": "x",
        },
    ]
    pushed = held("a", [fix, more])
    assert rows(place, [pushed]) == rows(place, [one])
    assert rows(place, [one], fields="source,metadata") == [
        {"source": "gps", "metadata": {"speed": 35.5}}
    ]


def test_several_streams_are_in_one_order(place: Place) -> None:
    numbers = [observed(START + at * MINUTE, value=float(at)) for at in range(10)]
    one = held("a", place.chunk(gathered(numbers, "a"), "a"))
    door = held("door", [observed(START + 90_000_000, value="door opened")], 1)
    found = rows(place, [one, door], fields="timestamp,value")
    assert [row["value"] for row in found][:4] == [0.0, 1.0, "door opened", 2.0]
    assert found == sorted(found, key=lambda row: str(row["timestamp"]))
    assert rows(place, [one, door], fields="timestamp,value", reverse=True) == found[::-1]
    assert rows(place, [one, door])[2]["stream"] == "door"
    whole = ask(place, [one, door], limit=3)
    assert (len(list(whole.rows())), whole.truncated) == (3, True)
    whole = ask(place, [one, door], limit=11)
    assert (len(list(whole.rows())), whole.truncated) == (11, False)


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_what_went_in(place: Place, seed: int) -> None:
    """Chunks that overlap, with readings among them, read as one list that was sorted."""
    stream = stream_of(place, seed, rows=300)
    feed = place.feed()
    expected: dict[tuple[int, str, int], float] = {}
    for piece in stream.pieces:
        if piece.observation is not None:
            expected.setdefault(piece.observation.identity, piece.observation.leaves["v"])  # type: ignore[arg-type]
        else:
            assert piece.entry is not None
            chunk = feed.chunk(piece.entry, "s", names=["s.v"])
            for series in chunk.series:
                good = ~series.suspect
                for time, code, value in zip(
                    series.time[good], series.source.codes[good], series.values[good], strict=True
                ):
                    identity = (int(time), series.source.names[code], 0)
                    expected.setdefault(identity, float(value))
    found = rows(place, [stream], fields="timestamp,source,v")
    assert [row["v"] for row in found] == [expected[key] for key in sorted(expected)]
    since, until = "2024-01-01T06:00:00Z", "2024-01-02T06:00:00Z"
    inside = [row for row in found if since <= row["timestamp"] < until]
    assert rows(place, [stream], fields="timestamp,source,v", since=since, until=until) == inside


def test_suspect_readings_only_when_asked_for(place: Place) -> None:
    parts = [observed(START, v=1.0), observed(START + 1, v=2.0, quality="odd")]
    for stream in (held("a", place.chunk(gathered(parts, "a"), "a")), held("a", parts)):
        assert [row["v"] for row in rows(place, [stream])] == [1.0]
        assert [(row["v"], row["quality"]) for row in rows(place, [stream], suspect=True)] == [
            (1.0, "good"),
            (2.0, "odd"),
        ]


def test_a_repeat_counts_once_and_a_conflict_is_said(place: Place) -> None:
    first = place.chunk(gathered([observed(START, v=1.0), observed(START + 5, v=2.0)], "a"), "a")
    again = place.chunk(gathered([observed(START + 5, v=2.0)], "a"), "a")
    assert [row["v"] for row in rows(place, [held("a", [*first, *again])])] == [1.0, 2.0]
    other = observed(START + 5, v=9.0)
    found = ask(place, [held("a", [*first, other])], limit=9)
    assert [row["v"] for row in found.rows()] == [1.0, 2.0]
    assert "given twice" in found.warnings[0]


def test_where(place: Place) -> None:
    parts = [observed(START + at, str(at % 2), v=float(at), t="x" * at) for at in range(6)]
    stream = held("a", place.chunk(gathered(parts, "a"), "a"))
    assert [row["v"] for row in rows(place, [stream], where="v > 2 and source = '1'")] == [3.0, 5.0]
    assert rows(place, [stream], where="t = xx", fields="v") == [{"v": 2.0}]


def test_absent_and_altered_chunks(place: Place) -> None:
    one, two = (
        place.chunk(gathered([observed(START + at * DAY, v=1.0)], "a"), "a")[0] for at in (0, 1)
    )
    stream = held("a", [one, two])
    assert len(rows(place, [stream], every="1m")) == 2  # rollups are known now
    path = Path(place.blobs.path(one.cid))
    whole = path.read_bytes()
    Path(place.blobs.path(two.cid)).unlink()
    for options in ({}, {"every": "1m"}, {"every": "1m", "aggregates": "p95"}):
        with pytest.raises(UndeterminedError):
            ask(place, [stream], **options)
    assert rows(place, [stream], until="2024-01-01T12:00:00Z", fields="v") == [{"v": 1.0}]
    path.chmod(0o644)
    path.write_bytes(whole + b"x")
    for options in ({}, {"every": "1m"}, {"every": "1m", "aggregates": "p95"}):
        with pytest.raises(NotVerifiedError):  # altered wins over missing
            ask(place, [stream], **options)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(NotVerifiedError):
        ask(place, [stream])


def test_what_was_read_is_named(place: Place) -> None:
    one, two = (
        place.chunk(gathered([observed(START + at * DAY, v=1.0)], "a"), "a")[0] for at in (0, 1)
    )
    found = ask(place, [held("a", [one, two])], since="2024-01-02")
    assert found.document["chunks"] == [two.cid]
    assert found.document["transactions"] == [f"{1:064x}"]
    found = ask(place, [held("a", [one, two])], fields="w")
    assert found.warnings == ("no reading in this range has w",)


def test_by_recorded_keeps_the_order_of_the_ledger(place: Place) -> None:
    late = held("a", [observed(START + DAY, v=1.0), observed(START, v=2.0)])
    assert [row["v"] for row in rows(place, [late])] == [2.0, 1.0]
    assert [row["v"] for row in rows(place, [late], by="recorded")] == [1.0, 2.0]
    assert rows(place, [late], by="recorded", fields="v", since="2024-01-01T00:01:00Z") == [
        {"v": 2.0}
    ]


def test_chunks_of_strangers_are_opened_with_limits(place: Place) -> None:
    entries = place.chunk(gathered([observed(START, v=1.0)], "a"), "a", ours=False)
    assert rows(place, [held("a", entries)], fields="v") == [{"v": 1.0}]
    with pytest.raises(InvalidError) as caught:
        rows(place, [held("b", entries)])
    assert caught.value.code == "invalid_chunk"


def test_kinds_that_do_not_go_together(place: Place) -> None:
    parts = [observed(START, v=1), observed(START + 1, v=2.5)]
    one = place.chunk(gathered(parts[:1], "a"), "a")
    assert [row["v"] for row in rows(place, [held("a", [*one, parts[1]])])] == [1.0, 2.5]
    assert np.isclose(rows(place, [held("a", [*one, parts[1]])], every="1d")[0]["v"], 1.75)
    with pytest.raises(InvalidError) as caught:
        rows(place, [held("a", [*one, observed(START + 1, v="x")])])
    assert caught.value.code == "type_changed"


@pytest.mark.parametrize("suspect", [False, True])
def test_an_older_stream_is_read_under_the_new_name(place: Place, suspect: bool) -> None:
    older = random_pieces(place, "old")
    plain = held("old", older)
    taken_up = held("new", older)
    renamed = tuple(piece._replace(called="old") for piece in taken_up.pieces)
    taken_up = taken_up._replace(pieces=renamed)
    for options in (
        {"fields": "timestamp,value,source,quality"},
        {"fields": "value", "every": "1h", "aggregates": "average,count,stddev"},
        {"fields": "value", "every": "1h", "aggregates": "p95"},
        {"fields": "value", "points": 10},
    ):
        asked_for = {**options, "suspect": suspect}
        assert rows(place, [taken_up], **asked_for) == rows(place, [plain], **asked_for)


def test_readings_of_a_source_that_its_key_did_not_sign(place: Place) -> None:
    parts = random_pieces(place, "a")
    whole = rows(place, [held("a", parts)], fields="timestamp,value,source")
    rest = [row for row in whole if row["source"] != "s1"]
    assert 0 < len(rest) < len(whole)
    stream = held("a", parts)
    unsigned = tuple(
        piece._replace(unsigned=frozenset(("s1", "other")))
        for piece in stream.pieces
        if piece.observation is None or piece.observation.source != "s1"
    )
    stream = stream._replace(pieces=unsigned)
    assert rows(place, [stream], fields="timestamp,value,source") == rest
    (day,) = rows(place, [stream], fields="value", every="1d", aggregates="count")
    assert day["value"] == len(rest)
    minutes = rows(place, [stream], fields="value", every="1m")  # whatever is kept of them
    assert [row["timestamp"] for row in minutes] == [row["timestamp"] for row in rest]
    none = tuple(piece._replace(unsigned=frozenset(("s0", "s1"))) for piece in unsigned)
    stream = stream._replace(pieces=none[:1])
    assert rows(place, [stream], fields="value") == []


def random_pieces(place: Place, stream: str) -> list[Any]:
    made = [
        observed(
            START + at * MINUTE,
            f"s{at % 2}",
            value=at * 1.5,
            quality="odd" if at % 50 == 7 else "good",
        )
        for at in range(300)
    ]
    pushed = [observed(START + (300 + at) * MINUTE, f"s{at % 2}", value=1.5) for at in range(4)]
    return [*place.chunk(gathered(made, stream), stream), *pushed]
