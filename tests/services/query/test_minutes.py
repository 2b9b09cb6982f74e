"""Averages of minutes without numpy: the same to the last bit as those with it."""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.services.query.streams_here import DAY, MINUTE, START, Place, gathered, held, observed
from twincli.content import chunks
from twincli.services.query import answers, asked, formats, minutes, query
from twincli.services.query.answers import Numbers
from twincli.services.query.asked import Typed
from twincli.services.query.pieces import Held
from twincli.services.query.query import Found, Streams
from twincli.services.stream.rollups import Rollups


def ask(place: Place, stream: Held, **options: Any) -> Found:
    options = {"every": "1m", **options}
    question = asked.read(Typed((stream.name,), **options), START // 1000)
    return query.answered(place.feed(), question, Streams("t" * 64, (stream,), ()))


def is_quick(place: Place, stream: Held, **options: Any) -> bool:
    options = {"every": "1m", **options}
    question = asked.read(Typed((stream.name,), **options), START // 1000)
    return minutes.answer(place.feed(), question, [stream]) is not None


def text(found: Found, form: str) -> bytes:
    parts: list[bytes] = []
    formats.write(found, form, parts.append)
    return b"".join(parts)


def made(
    place: Place, seed: int, monkeypatch: pytest.MonkeyPatch, rows: int = 4000, **more: Any
) -> Held:
    """Return a stream whose chunks end within minutes, with gaps and suspect readings."""
    monkeypatch.setattr(chunks, "MAX_ROWS", 501)
    pick = random.Random(seed)
    time, parts = START + 7 * MINUTE, []
    for _ in range(rows):
        time += pick.choice([1_000_000, 7_000_000, 20_000_000])
        if pick.random() < 0.01:
            time += pick.randrange(10) * MINUTE
        if pick.random() < 0.002:
            time += DAY
        leaves: dict[str, Any] = {
            "v": pick.gauss(0, 1) * 10.0 ** pick.randrange(-9, 9),
            "n": pick.randrange(9),
        }
        quality = "odd" if pick.random() < 0.1 else "good"
        parts.append(observed(time, quality=quality, **leaves, **more))
    return held("s", place.chunk(gathered(parts, "s"), "s"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.ci) for seed in (2, 3))]
)
def test_equal_to_the_last_bit(place: Place, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = made(place, seed, monkeypatch)
    ask(place, stream)  # makes the rollups
    options: dict[str, Any]
    for options in (
        {},
        {"fields": "v"},
        {"fields": "stream,n", "reverse": True},
        {"fields": "v", "since": "2024-01-01T01:00:00Z", "until": "2024-01-01T02:31:00Z"},
        {"until": "2024-01-01T00:09:00Z"},
        {"since": "2024-01-01T00:11:00Z", "origin": "2024-01-01T00:02:00Z", "limit": 30},
        {"since": "2030-01-01T00:00:00Z"},
        {"fields": "gone"},
    ):
        quick = ask(place, stream, **options)
        slow = ask(place, stream, where="v > 1 or not (v > 1)", **options)
        for form in ("csv", "jsonl"):
            assert text(quick, form) == text(
                ask(place, stream, where="v > 1 or not (v > 1)", **options), form
            )
            quick = ask(place, stream, **options)
        assert quick.document["columns"] == slow.document["columns"]
        assert quick.truncated == slow.truncated
        assert quick.warnings == slow.warnings
    assert is_quick(place, stream, fields="v")
    assert is_quick(place, stream, fields="n", since="2024-01-01T01:00:00Z")
    assert ask(place, stream, fields="v").document["from_rollups"] == len(stream.pieces)


def test_a_minute_of_many_chunks(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MAX_ROWS", 3)
    pick = random.Random(1)
    parts = [observed(START + at, v=pick.gauss(0, 10.0**at)) for at in range(100)]
    stream = held("s", place.chunk(gathered(parts, "s"), "s"))
    slow = list(ask(place, stream, where="v > 1 or not (v > 1)").rows())
    list(ask(place, stream).rows())
    assert is_quick(place, stream)
    assert list(ask(place, stream).rows()) == slow
    assert len(slow) == 1


def test_what_is_left_to_others(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = made(place, 5, monkeypatch, 700, status="on")
    assert not is_quick(place, stream, fields="v")  # no rollups yet
    list(ask(place, stream, fields="v").rows())
    assert is_quick(place, stream, fields="v")
    for options in (
        {"every": "2m"},
        {"aggregates": "max"},
        {"aggregates": "average,count"},
        {"origin": "2024-01-01T00:00:01Z"},
        {"fill": "null"},
        {"suspect": True},
        {"where": "v > 0"},
        {"since": "2024-01-01T00:20:01Z"},
        {"fields": "status"},
    ):
        assert not is_quick(place, stream, **{"fields": "v", **options})
    pushed = stream._replace(pieces=(*stream.pieces, held("s", [observed(START, v=1.0)]).pieces[0]))
    assert not is_quick(place, pushed, fields="v")
    entry = stream.pieces[0].entry
    assert entry is not None
    with closing(Rollups(str(place.directory / "rollups"))) as kept:
        rollup = kept.get(entry.cid)
        assert rollup is not None
        kept.put([(entry.cid, rollup._replace(parts=dict.fromkeys(rollup.parts, b"x")))])
    assert not is_quick(place, stream, fields="v")


def test_numbers_are_what_they_say() -> None:
    found = Numbers(["1.5", "2.25", "-0.1"])
    assert list(found) == [1.5, 2.25, -0.1]
    assert (len(found), found[1], list(found[1:])) == (3, 2.25, [2.25, -0.1])


def test_texts_of_minutes() -> None:
    times = [START - DAY * 700_000, START - MINUTE, START, START + MINUTE, START + 5 * MINUTE]
    times += [START + 1439 * MINUTE, START + 1440 * MINUTE, START + 9000 * MINUTE]
    np = pytest.importorskip("numpy")
    expected = answers.time_texts(np.array(times), 3)
    assert answers.time_texts(times, 3) == expected
    assert answers.time_texts(times[::-1], 3) == expected[::-1]
    assert answers.time_texts([], 3) == []


def test_numpy_is_not_loaded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = made(place, 6, monkeypatch, 600)
    list(ask(place, stream).rows())
    code = (
        "import sys; from twincli.services.query import asked, formats, query;"
        "from twincli.services.query.feed import Feed;"
        "from twincli.services.stream.rollups import Rollups;"
        "from twincli.services.query.asked import Typed;"
        "from twincli.services.query.pieces import Held, Piece;"
        "from twincli.model.manifest import Entry; from twincli.content.store import Blobs;"
        f"pieces = {[(*tuple(each)[:6], tuple(each.entry or ())) for each in stream.pieces]!r};"
        "made = tuple(Piece(*each[:6], Entry(*each[6])) for each in pieces);"
        "from twincli.content.copies import Copies;"
        f"blobs = Blobs({str(place.directory / 'content')!r});"
        f"feed = Feed(blobs, Copies(blobs, {str(place.directory / 'copies')!r}),"
        f" Rollups({str(place.directory / 'rollups')!r}));"
        "question = asked.read(Typed(('s',), every='1m'), 0);"
        "found = query.answered(feed, question, query.Streams('t', (Held('s', 'a', made),), ()));"
        "formats.write(found, 'csv', lambda data: None);"
        "print(sorted({'numpy', 'duckdb', 'subprocess'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
