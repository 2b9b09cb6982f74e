"""Aggregates: from rollups and from readings to the same bits, and as sums by hand are."""

from __future__ import annotations

import csv
import io
import random
import sqlite3
import statistics
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.services.query.streams_here import DAY, MINUTE, START, Place, gathered, held, observed
from tests.services.query.streams_here import random_stream as stream_of
from twincli.errors import InvalidError, UsageError
from twincli.services.query import asked, formats, query
from twincli.services.query.asked import Typed
from twincli.services.query.pieces import Held
from twincli.services.query.query import Found, Streams

EACH = "average,min,max,first,last,count,sum,stddev"


def ask(place: Place, streams: list[Held], *, rollups: bool = True, **options: Any) -> Found:
    question = asked.read(Typed(tuple(each.name for each in streams), **options), START // 1000)
    found = Streams("t" * 64, tuple(streams), ())
    return query.answered(place.feed(rollups=rollups), question, found)


def rows(place: Place, streams: list[Held], **options: Any) -> list[dict[str, Any]]:
    return list(ask(place, streams, **options).rows())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def steady(place: Place) -> Held:
    parts = [
        observed(START + at * MINUTE // 2, value=20.0 + at % 10, status="on" if at % 7 else "off")
        for at in range(5760)
        if not 3000 <= at < 3010
    ]
    return held("s", place.chunk(gathered(parts, "s"), "s"))


def test_minutes(place: Place, steady: Held) -> None:
    found = rows(place, [steady], fields="value", every="1m")
    assert len(found) == 2875
    assert found[0] == {"timestamp": "2024-01-01T00:00:00.000Z", "value": 20.5}
    filled = rows(place, [steady], fields="value", every="1m", aggregates="average", fill="null")
    assert len(filled) == 2880
    assert sum(row["value"] is None for row in filled) == 5
    days = rows(place, [steady], fields="value", every="1d", aggregates="min,max,p95,count,last")
    assert len(days) == 2
    assert days[0].keys() == {
        "timestamp",
        *(f"value_{each}" for each in ("min", "max", "p95", "count", "last")),
    }
    assert sum(row["value_count"] for row in days) == 5750
    assert rows(place, [steady], fields="value", every="1d", reverse=True)[0]["timestamp"] == (
        "2024-01-02T00:00:00.000Z"
    )


def test_a_text_in_an_average_is_named(place: Place, steady: Held) -> None:
    for fields in ("value,status", None):
        with pytest.raises(InvalidError, match="status"):
            ask(place, [steady], fields=fields, every="1m")
    found = rows(place, [steady], fields="status", every="1d", aggregates="count,first,last")
    assert found[0] == {
        "timestamp": "2024-01-01T00:00:00.000Z",
        "status_count": 2880,
        "status_first": "off",
        "status_last": "on",
    }


@pytest.mark.parametrize("seed", range(3))
def test_rollups_equal_chunks_to_the_last_bit(place: Place, seed: int) -> None:
    stream = stream_of(place, seed, rows=400)
    pick = random.Random(seed)
    everything = rows(place, [stream], fields="timestamp,v,n")
    for _ in range(6):
        options: dict[str, Any] = {
            "every": pick.choice(["1m", "7m", "1h", "90s", "1d", "0.5h"]),
            "aggregates": EACH,
            "fields": pick.choice(["v", "n", "v,n"]),
        }
        if pick.random() < 0.6:
            options["since"] = pick.choice(["2024-01-01T03:00:00Z", "2024-01-01T05:00:07Z"])
        if pick.random() < 0.6:
            options["until"] = pick.choice(["2024-01-02T03:10:00Z", "2024-01-02T05:00:00.5Z"])
        if pick.random() < 0.4:
            options["origin"] = pick.choice(["2024-01-01T00:00:30Z", "2024-01-01T00:10:00Z"])
        grown = ask(place, [stream], **options)
        made = list(grown.rows())
        # The condition keeps rollups away, and holds for every reading.
        assert made == rows(place, [stream], where="v > 1 or not (v > 1)", **options)
        assert made == rows(place, [stream], rollups=False, **options)
        since, until = str(options.get("since", "0")), str(options.get("until", "9"))
        inside = [row for row in everything if since <= str(row["timestamp"]) < until]
        name = options["fields"].split(",")[0]
        values = [row[name] for row in inside if name in row]
        assert sum(int(str(row.get(f"{name}_count", 0))) for row in made) == len(values)
        total = sum(map(Fraction, values))
        (whole,) = rows(
            place,
            [stream],
            every="3650d",
            fields=name,
            aggregates="sum,average,stddev,median,min,max",
            since=options.get("since"),
            until=options.get("until"),
        )
        assert whole[f"{name}_sum"] == float(total)
        assert whole[f"{name}_average"] == float(total / len(values))
        assert whole[f"{name}_median"] == pytest.approx(statistics.median(values), rel=1e-12)
        assert (whole[f"{name}_min"], whole[f"{name}_max"]) == (min(values), max(values))
        assert whole[f"{name}_stddev"] == pytest.approx(statistics.stdev(values), rel=1e-12)


def test_rollups_are_kept_and_made_again(place: Place, steady: Held) -> None:
    first = ask(place, [steady], fields="value", every="1m")
    expected = list(first.rows())
    assert first.document["from_rollups"] == len(steady.pieces)
    path = place.directory / "rollups"
    whole = path.read_bytes()
    for damage in (b"", b"{}\n", b"\xff\n\xff", whole[:-1], whole[: len(whole) // 2]):
        path.write_bytes(damage)
        assert rows(place, [steady], fields="value", every="1m") == expected
    for change in (
        "data = substr(data, 1, length(data) - 1)",
        "data = x'02' || substr(data, 2)",
        "data = ''",
        "data = 'text'",
        "kind = 'text'",
        "series = series || 'x'",
        '"check" = 0',
    ):
        with closing(sqlite3.connect(path)) as connection, connection:
            assert connection.execute(f"UPDATE minutes SET {change} WHERE kind = 'f64'").rowcount
        for every in ("1m", "7m"):
            assert rows(place, [steady], fields="value", every=every) == rows(
                place, [steady], fields="value", every=every, rollups=False
            )


def test_suspect_readings_do_not_count(place: Place) -> None:
    parts = [observed(START, v=1.0), observed(START + 1, v=5.0, quality="odd")]
    stream = held("a", place.chunk(gathered(parts, "a"), "a"))
    assert rows(place, [stream], every="1m")[0]["v"] == 1.0
    assert rows(place, [stream], every="1m", suspect=True)[0]["v"] == 3.0
    alone = held("a", place.chunk(gathered(parts[1:], "a"), "a"))
    assert rows(place, [alone], every="1m") == []


def test_fills(place: Place) -> None:
    stream = held("a", [observed(START + at * MINUTE, v=float(at)) for at in (1, 4)])
    options: dict[str, Any] = {
        "since": "2024-01-01",
        "until": "2024-01-01T00:06:00Z",
        "every": "1m",
    }
    for fill, expected in (
        ("null", [None, 1.0, None, None, 4.0, None]),
        ("previous", [None, 1.0, 1.0, 1.0, 4.0, 4.0]),
        ("linear", [None, 1.0, 2.0, 3.0, 4.0, None]),
    ):
        assert [row["v"] for row in rows(place, [stream], fill=fill, **options)] == expected
    texts = held("a", [observed(START, v="x")])
    with pytest.raises(InvalidError):
        ask(place, [texts], fill="linear", aggregates="last", **options)


def test_days_of_a_zone(place: Place) -> None:
    begin = 1_711_756_800_000_000  # 2024-03-30, the day before summer time in Berlin
    parts = [observed(begin + at * 60 * MINUTE, v=1.0) for at in range(72)]
    stream = held("a", place.chunk(gathered(parts, "a"), "a"))
    found = rows(place, [stream], every="1d", aggregates="count", zone="Europe/Berlin")
    assert found == [
        {"timestamp": "2024-03-29T23:00:00.000Z", "v": 23},
        {"timestamp": "2024-03-30T23:00:00.000Z", "v": 23},
        {"timestamp": "2024-03-31T22:00:00.000Z", "v": 24},
        {"timestamp": "2024-04-01T22:00:00.000Z", "v": 2},
    ]
    where = "v = 1"
    assert found == rows(
        place, [stream], every="1d", aggregates="count", zone="Europe/Berlin", where=where
    )


def test_points_and_samples(place: Place, steady: Held) -> None:
    found = rows(place, [steady], fields="value", points=10, aggregates="count")
    assert len(found) == 10
    assert sum(row["value"] for row in found) == 5750
    found = rows(place, [steady], fields="value,status", points=50)
    assert len(found) == 50
    assert all(row.keys() == {"timestamp", "value", "status"} for row in found)
    found = rows(place, [steady], fields="value", every="1d", aggregates="minmax")
    assert [row["value"] for row in found] == [20.0, 29.0, 20.0, 29.0]


def test_several_streams(place: Place) -> None:
    one = held("a", [observed(START, v=1.0)])
    two = held("b", [observed(START, v=2.0), observed(START + MINUTE, w=3)], 1)
    assert rows(place, [one, two], every="1m") == [
        {"timestamp": "2024-01-01T00:00:00.000Z", "stream": "a", "v": 1.0},
        {"timestamp": "2024-01-01T00:00:00.000Z", "stream": "b", "v": 2.0},
        {"timestamp": "2024-01-01T00:01:00.000Z", "stream": "b", "w": 3.0},
    ]
    assert rows(place, [held("a", [])], every="1m", fields="v") == []


@pytest.mark.parametrize(
    "options",
    [
        {"every": "0s"},
        {"every": "1"},
        {"every": "x"},
        {"every": "1m", "aggregates": "mean"},
        {"every": "1m", "aggregates": "min,,max"},
        {"every": "1m", "points": 5},
        {"aggregates": "min"},
        {"fill": "null"},
        {"every": "1m", "fill": "zero"},
        {"every": "1m", "zone": "Europe/Berlin"},
        {"every": "1d", "zone": "Mars/Olympus"},
        {"every": "1d", "zone": "../../etc/passwd"},
        {"every": "1m", "by": "recorded"},
        {"by": "x"},
        {"points": 2},
        {"limit": 0},
        {"since": "yesterday"},
        {"since": "2024-01-02", "until": "2024-01-02"},
        {"every": "1m", "aggregates": "lttb"},
        {"points": 5, "aggregates": "lttb,min"},
        {"points": 5, "aggregates": "minmax", "fill": "null"},
        {"where": "v >"},
        {"where": "v > 3 km"},
        {"fields": ""},
    ],
)
def test_questions_that_make_no_sense(place: Place, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        ask(place, [held("a", [observed(START, v=1.0)])], **options)


def test_too_many_buckets(place: Place) -> None:
    stream = held("a", [observed(START, v=1.0), observed(START + DAY, v=1.0)])
    with pytest.raises(UsageError) as caught:
        ask(place, [stream], every="1ms", fill="null")
    assert caught.value.code == "too_many_buckets"


def test_the_suspect_readings_of_one_chunk_among_many(place: Place) -> None:
    """Chunks that are all good are read without asking each row; none may be taken for one."""
    parts = [
        observed(
            START + day * DAY + at, v=float(at), quality="odd" if (day, at) == (3, 2) else "good"
        )
        for day in range(6)
        for at in range(3)
    ]
    mixed = [*parts, *(observed(START + 4 * DAY + at, w=1.0) for at in range(3))]
    for name, found in (("one", parts), ("two", mixed)):
        stream = held(name, place.chunk(gathered(found, name), name))
        wanted = [3.0, 3.0, 3.0, 1.0, 3.0, 3.0]
        assert [
            row["v"] for row in rows(place, [stream], every="90s", fields="v", aggregates="sum")
        ] == wanted
        wanted[3] = 3.0
        doubted = rows(place, [stream], every="90s", fields="v", aggregates="sum", suspect=True)
        assert [row["v"] for row in doubted] == wanted


def test_numbers_in_csv_are_as_the_csv_module_writes_them(place: Place) -> None:
    parts = [
        observed(START, v=0.1, n=1),
        observed(START + DAY, v=1e300),
        observed(START + 2 * DAY, n=-(2**63)),
        observed(START + 3 * DAY, v=-0.0, n=0),
        observed(START + 4 * DAY, v=5e-324, n=2**63 - 1),
    ]
    stream = held("s", place.chunk(gathered(parts, "s"), "s"))
    questions: tuple[dict[str, Any], ...] = (
        {"every": "90s", "aggregates": "min", "fields": "v,n"},
        {"every": "1d", "aggregates": "max,count", "fill": "null"},
        {"fields": "timestamp,v,n"},
        {"fields": "n"},
    )
    for options in questions:
        written: list[bytes] = []
        formats.write(ask(place, [stream], **options), "csv", written.append)
        found = ask(place, [stream], **options)
        names = [column.path for column in found.answer.columns]
        memory = io.StringIO()
        plain = csv.writer(memory, lineterminator="\n")
        plain.writerow(names)
        plain.writerows([row.get(name) for name in names] for row in found.rows())
        assert b"".join(written).decode() == memory.getvalue()
