"""Files as devices and strangers write them: stored right, or refused with a reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke

HEAD = "timestamp,value\n"
DAY = "2024-01-01T00:00:0"
SKIP = ("--on-invalid", "skip")
BERLIN = ("--zone", "Europe/Berlin")


class Case(NamedTuple):
    """A file and what becomes of it.

    Attributes:
        data: The file.
        status: The exit status.
        stored: How many readings are stored.
        said: What stands in the first reason, in the error, or in a warning.
        words: Options.
        name: Of the file.
    """

    data: str | bytes
    status: int
    stored: int
    said: str = ""
    words: tuple[str, ...] = ()
    name: str = "a.csv"


def table(*cells: str) -> str:
    return HEAD + "".join(f"{DAY}{at}Z,{cell}\n" for at, cell in enumerate(cells))


def at(*times: str) -> str:
    return HEAD + "".join(f"{time},{number}\n" for number, time in enumerate(times))


def places(*pairs: str, names: str = "lat,lon") -> str:
    return f"timestamp,{names}\n" + "".join(f"{DAY}{n}Z,{pair}\n" for n, pair in enumerate(pairs))


def lines(*values: Any) -> str:
    return "".join(
        (value if isinstance(value, str) else json.dumps(value)) + "\n" for value in values
    )


NUMBERS = {
    "nan": Case(table("1.5", "NaN"), 7, 0, "'NaN' is not a number"),
    "nan first": Case(table("nan", "1.5"), 10, 1, "'nan' is not a number", SKIP),
    "nan alone": Case(table("NaN"), 7, 0, "not a number"),
    "infinity": Case(table("1.5", "-Infinity"), 7, 0, "not a number"),
    "too large": Case(table("1.5", "1e999"), 7, 0, "1e999 is too large for a double"),
    "thousands": Case(table('"1,234.5"', "7"), 0, 2, "value is kept as text: '1,234.5'"),
    "per cent": Case(table("7", "12 %"), 0, 2, "'12 %' is not a plain number"),
    "one bad seq": Case(
        f"timestamp,seq,source,v\n{DAY}0Z,1,1.10,1\n{DAY}0Z,two,1.1,1\n",
        *(10, 1, "seq: 'two' is not a whole number"),
        SKIP,
    ),
    "65 bits": Case(table("99999999999999999999"), 7, 0, "64 bits"),
    "then doubles": Case(table("1", "2.5"), 0, 2),
    "then texts": Case(table("1", "2", "warm"), 0, 3, "'warm' is not a plain number"),
    "comma": Case("timestamp;value\n2024-01-01;1,5\n2024-01-02;2,5\n", 0, 2),
    "jsonl nan": Case(lines('{"timestamp": 1, "v": NaN}'), 7, 0, "NaN", (), "a.jsonl"),
    "jsonl long": Case(
        lines('{"timestamp": 1, "v": ' + "9" * 5000 + "}"), 7, 0, "too long", (), "a.jsonl"
    ),
}
TEXTS = {
    "1 MB": Case(table("x" * 1_000_000, "a"), 7, 0, "more than 131072 characters"),
    "1 MB, skipped": Case(table("a", "x" * 1_000_000, "b"), 10, 2, "131072", SKIP),
    "1 MB in quotes": Case(table("a", f'"{"x" * 1_000_000}"', "b"), 10, 1, "not closed", SKIP),
    "2 MB": Case(table("x" * 2_000_000, "a"), 10, 1, "longer than 1048576", SKIP),
    "1 MB of lines": Case(table('"' + "x\n" * 500_000 + '"', "a"), 7, 0, "not closed"),
    "100 kB": Case(table("x" * 100_000, "a"), 10, 1, "at most 65536 characters", SKIP),
    "not closed": Case(table('"a', "b"), 7, 0, "its quote is not closed"),
    "lines": Case(table('"two\nlines"', '"three\n\nlines"'), 0, 2),
    "quote in a cell": Case(table('"a"b', "c"), 10, 1, "expected after", SKIP),
    "nul": Case(table("a\0b", "c"), 10, 1, "without NUL", SKIP),
    "10,000 columns": Case(
        f"timestamp,{','.join(f'c{n}' for n in range(10_000))}\n", 7, 0, "more than 1000 columns"
    ),
    "twice": Case("timestamp,a,a\n2024-01-01,1,2\n", 7, 0, "two columns are named 'a'"),
    "nested in a number": Case("timestamp,a,a.b\n2024-01-01,1,2\n", 7, 0, "nothing can nest"),
    "header again": Case(table("1") + table("2"), 10, 1, "names of the columns again", SKIP),
    "header alone": Case(HEAD, 0, 0),
    "nothing": Case("", 7, 0, "it is empty"),
    "no end": Case(table("1")[:-1], 0, 1),
    "cr": Case(table("1", "2").replace("\n", "\r"), 0, 2),
    "crlf": Case(table("1", "2").replace("\n", "\r\n"), 0, 2),
    "deep": Case(
        lines('{"timestamp": 1, "v": ' + "[" * 50_000 + "]" * 50_000 + "}"),
        7,
        0,
        "nested too deeply",
        (),
        "a.jsonl",
    ),
    "an array": Case('[{"timestamp": 1, "v": 1}]', 7, 0, "it is a list", (), "a.json"),
    "a key twice": Case(
        lines('{"timestamp": 1, "v": 1, "v": 2}'), 7, 0, "occurs twice", (), "a.jsonl"
    ),
    "entities": Case(
        '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><gpx/>',
        7,
        0,
        "document type",
        (),
        "a.gpx",
    ),
    "half a gpx": Case('<?xml version="1.0"?><gpx><trk>', 7, 0, "not XML", (), "a.gpx"),
    "no parquet": Case(b"PAR1" + b"x" * 100 + b"PAR1", 7, 0, "cannot be read", (), "a.parquet"),
}
SWEET = table("s\u00fc\u00df")
ENCODINGS = {
    "latin-1": Case(SWEET.encode("latin-1"), 0, 1),
    "latin-1 as utf-8": Case(
        SWEET.encode("latin-1"), 7, 0, "the line is not utf-8", ("--encoding", "utf-8")
    ),
    "utf-8": Case(SWEET.encode("utf-8-sig"), 0, 1),
    "utf-16": Case(SWEET.encode("utf-16"), 0, 1),
    "utf-32": Case(SWEET.encode("utf-32"), 0, 1),
    "half of utf-16": Case(SWEET.encode("utf-16")[:-1], 7, 0, "the line is not utf-16"),
    "utf-16 without a mark": Case(SWEET.encode("utf-16-le"), 7, 0, "NUL characters"),
    "utf-16 as told": Case(SWEET.encode("utf-16-le"), 0, 1, "", ("--encoding", "utf-16-le")),
    "base64": Case(SWEET, 7, 0, "not an encoding", ("--encoding", "base64")),
    "idna": Case(SWEET, 7, 0, "not an encoding", ("--encoding", "idna")),
    "escapes": Case(SWEET, 7, 0, "not an encoding", ("--encoding", "unicode_escape")),
    "none": Case(SWEET, 7, 0, "not an encoding", ("--encoding", "klingon")),
    "packed": Case(gzip.compress(SWEET.encode()), 7, 0, "compressed with gzip"),
    "packed gpx": Case(gzip.compress(b"<gpx/>"), 7, 0, "compressed with gzip", (), "a.gpx"),
    "packed parquet": Case(gzip.compress(b"PAR1"), 7, 0, "with gzip", (), "a.parquet"),
    "a column called PAR1": Case(f"PAR1,timestamp\n5,{DAY}0Z\n", 0, 1),
    "parquet as csv": Case(b"PAR1\x15\x04\x15", 7, 0, "the file is Parquet"),
    "bytes": Case(bytes(range(256)) * 9, 7, 0, "cannot be read"),
    "jsonl utf-16": Case(
        lines({"timestamp": 1e9, "v": "\u00fc"}).encode("utf-16"), 0, 1, "", (), "a.jsonl"
    ),
}
TIMES = {
    "seconds": Case(at("1704067200", "1704067201"), 0, 2),
    "all units": Case(at("1704067200", "1704067201000", "1704067202000000"), 0, 3),
    "nanoseconds": Case(at("1704067200123456789"), 7, 0, "is not a time"),
    "back": Case(at(f"{DAY}5Z", f"{DAY}1Z"), 0, 2),
    "a conflict": Case(at(f"{DAY}5Z", f"{DAY}5Z"), 7, 0, "value is already 0 at this time"),
    "again": Case(table("1") + table("1")[len(HEAD) :], 0, 1),
    "no zone": Case(at("2024-03-31 02:30:00"), 7, 0, "has no zone"),
    "a missing hour": Case(
        at("2024-03-31 02:30", "2024-03-31 03:30"), 10, 1, "summer time", (*SKIP, *BERLIN)
    ),
    "a doubled hour": Case(at("2024-10-27 02:30", "2024-10-27 03:30"), 0, 2, "", BERLIN),
    "american": Case(at("03/31/2024 02:30"), 7, 0, "is not a time"),
    "leap second": Case(at("2016-12-31T23:59:60Z"), 7, 0, "is not a time"),
    "year 0": Case(at("0000-01-01T00:00:00Z", f"{DAY}1Z"), 10, 1, "is not a time", SKIP),
    "ahead": Case(at("2999-01-01T00:00:00Z"), 7, 0, "ahead of this machine's clock"),
    "1970": Case(at("12", "1704067200"), 0, 2, "a clock that was never set"),
    "1970 by lines": Case(
        lines({"timestamp": 12, "v": 1}), 0, 1, "a clock that was never set", (), "a.jsonl"
    ),
    "true": Case(lines({"timestamp": True, "v": 1}), 7, 0, "is not a time", (), "a.jsonl"),
    "none": Case(lines({"v": 1}), 7, 0, "no timestamp", (), "a.jsonl"),
}
PLACES = {
    "lat, lon": Case(places("40.5,-74"), 0, 1),
    "lat, lng": Case(places("40.5,-74", names="lat,lng"), 0, 1),
    "poles": Case(places("90,180", "-90,-180"), 0, 2),
    "nested": Case(places("90,180", names="gps.lat,gps.lng"), 0, 1),
    "beyond": Case(places("90.1,0", "0,180.1", "0,0"), 10, 1, "between -90 and 90", SKIP),
    "given twice": Case(places("1,1,2", names="lat,latitude,lon"), 7, 0, "given twice"),
    "a half": Case(places("1", names="latitude"), 7, 0, "latitude has no longitude"),
    "not finite": Case(places("1,1", "nan,2"), 10, 1, "not a number", SKIP),
}
UNITS = {
    "cells": Case(
        "timestamp,value,unit\n2024-01-01,1,C\n2024-01-02,33.8,F\n", 7, 0, "was in C before"
    ),
    "lines": Case(
        lines(
            {"timestamp": 1e9, "value": 1, "unit": "C"}, {"timestamp": 2e9, "value": 2, "unit": "F"}
        ).replace("2000000000.0", "1.1e9"),
        10,
        1,
        "was in C before",
        SKIP,
        "a.jsonl",
    ),
}


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    run("asset", "create", "car")
    return run


@pytest.mark.parametrize(
    "cases",
    [NUMBERS, TEXTS, ENCODINGS, TIMES, PLACES, UNITS],
    ids=["numbers", "texts", "encodings", "times", "places", "units"],
)
def test_what_becomes_of_it(
    twin: Twin, invoke: Invoke, tmp_path: Path, cases: dict[str, Case]
) -> None:
    for number, (label, case) in enumerate(cases.items()):
        path = tmp_path / case.name
        path.write_bytes(case.data if isinstance(case.data, bytes) else case.data.encode())
        words = ("stream", "import", "car", f"s{number}", str(path), *case.words)
        run = invoke(*words, "--json")
        assert run.status == case.status, (label, run.stdout, run.stderr)
        if run.stdout:
            made = run.json
            reasons = [each["reason"] for each in made["refused"]]
            assert made["count"] == case.stored, (label, made)
            said = [*reasons, *made["warnings"]]
            assert bool(reasons) == (case.status != 0), label
        else:
            assert case.stored == 0
            said = [run.error["message"]]
        assert not case.said or case.said in said[0], (label, said)
        if case.stored:
            again = invoke(*words, "--json").json
            assert (again["count"], again["existing"]) == (0, case.stored), label
            rows = twin("query", "car", "--stream", f"s{number}", "--suspect")["rows"]
            assert len(rows) == case.stored, label


def test_what_is_stored_is_what_was_meant(twin: Twin, tmp_path: Path) -> None:
    def rows(data: str | bytes, *words: str) -> list[dict[str, Any]]:
        path = tmp_path / "a.csv"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        name = f"s{len(twin('stream', 'list', 'car')['streams'])}"
        twin("stream", "import", "car", name, str(path), *words)
        found: list[dict[str, Any]] = twin("query", "car", "--stream", name)["rows"]
        return found

    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"):
        assert rows(SWEET.encode(encoding))[0]["value"] == "s\u00fc\u00df"
    assert [row["timestamp"][11:16] for row in rows(TIMES["a doubled hour"].data, *BERLIN)] == [
        "00:30",
        "02:30",
    ]
    assert [row["value"] for row in rows(TIMES["back"].data)] == [1, 0]
    assert [row["value"] for row in rows(TIMES["1970"].data)] == [1]
    assert [row["value"] for row in rows(NUMBERS["comma"].data)] == [1.5, 2.5]
    assert rows(PLACES["lat, lng"].data)[0] == {
        "timestamp": f"{DAY}0.000Z",
        "latitude": 40.5,
        "longitude": -74.0,
    }


def test_units_do_not_change(twin: Twin, invoke: Invoke) -> None:
    words = ("stream", "push", "car", "heat")
    twin(*words, "--value", "20", "--unit", "C")
    twin(*words, "--value", "21")  # in the unit of the series
    run = invoke(*words, "--value", "70", "--unit", "F", "--json")
    assert (run.status, run.error["code"]) == (7, "unit_mismatch")
    many = lines(*({"timestamp": 1e9 + n, "value": n, "unit": "bar"} for n in range(150)))
    twin("stream", "push", "car", "pressure", "-", stdin=many)
    run = invoke("stream", "push", "car", "pressure", "--value", "1", "--unit", "psi", "--json")
    assert (run.status, run.error["code"]) == (7, "unit_mismatch")
    followed = lines({"timestamp": 1.5e9, "value": 1, "unit": "psi"})
    made = twin("stream", "follow", "car", "pressure", "-", stdin=followed)
    assert (made["count"], made["refused_count"]) == (0, 1)
