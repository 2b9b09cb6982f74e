"""Files of readings as others write them, the bad ones too."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import InvalidError, TwinError
from twincli.formats.readings import gpx, jsonl, lines, nmea, table
from twincli.formats.readings.lines import Read, Refused

T = 1_704_067_200_000_000
S = 1_000_000


def csv_of(data: bytes | str, **told: Any) -> tuple[table.Layout, list[Read | Refused]]:
    zone = told.pop("zone", None)
    data = data.encode() if isinstance(data, str) else data
    layout = table.look(io.BytesIO(data), **told)
    return layout, list(table.read(io.BytesIO(data), layout, zone=zone))


def told(found: list[Read | Refused]) -> list[Any]:
    return [
        (each.line, each.observation.time_us, each.observation.leaves)
        if isinstance(each, Read)
        else (each.line, each.code)
        for each in found
    ]


def test_a_plain_table() -> None:
    layout, found = csv_of(
        "timestamp,value,status\n"
        "2024-01-01T00:00:00Z,20,running\n"
        "2024-01-01T00:00:30Z,20.5,\n"
        "\n"
        "2024-01-01T00:01:00Z,,007\n"
    )
    assert layout == table.Layout(
        ",",
        "utf-8",
        ".",
        ("timestamp", "value", "status"),
        "timestamp",
        ("time", "number", "text"),
        False,
        True,
        ("delimiter", "encoding", "decimal", "time"),
    )
    assert told(found) == [
        (2, T, {"value": 20, "status": "running"}),
        (3, T + 30 * S, {"value": 20.5}),
        (5, T + 60 * S, {"status": "007"}),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_german_table(encoding: str, end: str) -> None:
    rows = [
        "Zeit;Öldruck;an",
        "2024-01-01 01:00:00;1,5;true",
        "2024-01-01 02:00:00;-1,25e3;false",
    ]
    layout, found = csv_of(end.join(rows).encode(encoding), zone=ZoneInfo("Europe/Berlin"))
    assert (layout.delimiter, layout.time, layout.zoned) == (";", "Zeit", False)
    assert layout.decimal == ","
    assert told(found) == [
        (2, T, {"Öldruck": 1.5, "an": True}),
        (3, T + 3600 * S, {"Öldruck": -1250.0, "an": False}),
    ]


def test_what_is_told_is_not_guessed() -> None:
    layout, found = csv_of(
        "a|b\n1704067200|2,5\n", delimiter="|", encoding="latin-1", decimal=",", time="a"
    )
    assert layout.found == ()
    assert told(found) == [(2, T, {"b": 2.5})]


BAD = """t,x,on
2024-01-01T00:00:00Z,1,true
2024-01-01T00:00:01Z,2,false
2024-01-01T00:00:02Z,nan,true
2024-01-01T00:00:03,4,true
t,x,on
2024-01-01T00:00:05Z,5
noon,6,true
,7,true
2024-01-01T00:00:08Z,8 km,true
2024-01-01T00:00:09Z,99999999999999999999,true
2024-01-01T00:00:10Z,10,yes
"2024-01-01T00:00:11Z","11","true"
"""


def test_each_bad_line_has_its_reason() -> None:
    # The sample decides on the good beginning alone.
    layout, _ = csv_of("\n".join(BAD.splitlines()[:3]))
    found = list(table.read(io.BytesIO(BAD.encode()), layout))
    assert told(found) == [
        (2, T, {"x": 1, "on": True}),
        (3, T + S, {"x": 2, "on": False}),
        (4, "invalid_value"),
        (5, "no_zone"),
        (6, "invalid_line"),
        (7, "invalid_line"),
        (8, "bad_time"),
        (9, "no_time"),
        (10, "invalid_value"),
        (11, "invalid_value"),
        (12, "invalid_value"),
        (13, T + 11 * S, {"x": 11, "on": True}),
    ]


def test_quoted_line_ends_count() -> None:
    _, found = csv_of('t,note\n2024-01-01,"a\nb"\n2024-01-02,"c ""d"""\nx,\n')
    assert told(found) == [
        (2, T, {"note": "a\nb"}),
        (4, T + 86_400 * S, {"note": 'c "d"'}),
        (5, "bad_time"),
    ]


def test_wrong_bytes_cost_a_line() -> None:
    data = b"t,note\n2024-01-01,\xc3\xa4\n2024-01-01,\xe4\n2024-01-02,b\n"
    _, found = csv_of(data, encoding="utf-8")
    assert told(found) == [
        (2, T, {"note": "ä"}),
        (3, "invalid_line"),
        (4, T + 86_400 * S, {"note": "b"}),
    ]


def test_long_lines_cost_no_memory() -> None:
    long = "x" * (lines.MAX_LINE + 10)
    data = f"t,note\n2024-01-01,{long}\n2024-01-02,b\n2024-01-03,{'y' * 200_000}\n2024-01-04,c\n"
    layout = table.look(io.BytesIO(b"t,note\n2024-01-01,a\n"))
    found = list(table.read(io.BytesIO(data.encode()), layout))
    assert told(found)[0] == (2, "invalid_line")
    assert told(found)[1] == (3, T + 86_400 * S, {"note": "b"})
    assert told(found)[-1][2] == {"note": "c"}
    assert told(found)[2][1] == "invalid_line"


def test_a_line_without_an_end_is_not_read_to_it() -> None:
    class Endless(io.RawIOBase):
        count = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.count += len(buffer)
            assert self.count < 2 * lines.MAX_PASSED
            buffer[:] = bytes(len(buffer))
            return len(buffer)

    first = io.BytesIO(b"{}\n")
    endless = Endless()
    endless.readinto = lambda buffer: first.readinto(buffer) or Endless.readinto(endless, buffer)  # type: ignore[method-assign]
    found = iter(lines.Lines(endless))  # type: ignore[arg-type]
    assert next(found) == (1, "{}\n")
    with pytest.raises(InvalidError, match="line 2 is longer than") as caught:
        next(found)
    assert caught.value.code == "too_large"


def test_a_block_without_an_end_is_not_read_to_it() -> None:
    class Endless(io.BytesIO):
        count = 0

        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            self.count += size
            assert self.count < 2 * lines.MAX_PASSED
            return bytes(size)

    with pytest.raises(InvalidError) as caught:
        list(jsonl.blocks(Endless()))
    assert caught.value.code == "too_large"


@pytest.mark.parametrize(
    ("cells", "odd"),
    [
        (["1,234", "5"], "1,234"),
        (["1.234.567", "-2"], "1.234.567"),
        (["5 %"], "5 %"),
        (["$5", "007"], "$5"),
        (["1\u202f000"], "1\u202f000"),
        (["007", "5"], None),
        (["1.2.3"], None),
        (["12,34,56"], None),
        (["A1", "5 %"], None),
        (["1.5", "n/a", "2"], "n/a"),
        (["-", "1", "2"], "-"),
        (["A1", "5", "6", "B2"], None),
        (["007", "5", "6"], None),
    ],
)
def test_texts_that_look_like_numbers_are_named(cells: list[str], odd: str | None) -> None:
    data = "timestamp;v\n" + "".join(f"{at};{cell}\n" for at, cell in enumerate(cells))
    layout = table.look(io.BytesIO(data.encode()), delimiter=";", decimal=".")
    assert layout.alike == (() if odd is None else (("v", odd),))


def test_a_document_of_several_lines_is_named() -> None:
    (first, *_) = jsonl.read(io.BytesIO(b'{\n "timestamp": 1,\n "v": 1\n}\n'))
    assert isinstance(first, Refused)
    assert "jq -c ." in first.reason


def test_coordinates_in_a_table() -> None:
    _, found = csv_of("time,lat,lon,source,seq\n0,91,1,a,1\n0,90,-180,a,2\n")
    assert isinstance(found[1], Read)
    assert found[0][1] == "invalid_value"
    assert found[1].observation.leaves == {"latitude": 90.0, "longitude": -180.0}
    assert found[1].observation.identity == (0, "a", 2)


@pytest.mark.parametrize(
    ("data", "options", "part"),
    [
        ("", {}, "empty"),
        ("\n", {}, "empty"),
        ("t,,b\n", {}, "no name"),
        ("t,a,a\n", {}, "two columns"),
        ("a,b\n1,2\n", {}, "looks like the time"),
        ("a,b\n1,2\n", {"time": "c"}, "no column 'c'"),
        (",".join(f"c{n}" for n in range(10_000)) + "\n", {}, "more than 1000 columns"),
        ("t,a\n", {"encoding": "klingon"}, "not an encoding"),
    ],
)
def test_tables_that_cannot_be_read(data: str, options: dict[str, str], part: str) -> None:
    with pytest.raises(InvalidError, match=part):
        csv_of(data, **options)


def test_a_time_column_without_a_known_name() -> None:
    layout, _ = csv_of("value,when\n1,2024-01-01T00:00:00Z\n")
    assert layout.time == "when"


@given(st.binary(max_size=200))
def test_whatever_bytes_come(data: bytes) -> None:
    with suppress(TwinError):
        csv_of(data)
    for reader in (jsonl.read, gpx.read, nmea.read):
        with suppress(TwinError):
            list(reader(io.BytesIO(data)))


@given(st.text(alphabet='a1,;"\n\r\t.-T:Z', max_size=80))
def test_whatever_table_comes(text: str) -> None:
    _, found = csv_of("t,a\n2024-01-01,1\n" + text, delimiter=",", decimal=".", time="t")
    numbers = [each.line for each in found]
    assert numbers == sorted(numbers)


# --- JSON Lines ----------------------------------------------------------------------------------


def test_json_lines() -> None:
    data = [
        '{"timestamp": 1704067200, "value": 1}',
        "",
        '{"value": 2}',
        "NaN",
        '{"timestamp": 1704067201000, "lat": 1, "lng": 2}',
        '{"timestamp": 0, "x": 1, "x": 2}',
        '{"timestamp": "2024-01-01T00:00:00", "value": 1}',
    ]
    found = list(jsonl.read(io.BytesIO("\n".join(data).encode("utf-8-sig"))))
    assert told(found) == [
        (1, T, {"value": 1}),
        (3, "no_time"),
        (4, "invalid_json"),
        (5, T + S, {"latitude": 1.0, "longitude": 2.0}),
        (6, "invalid_json"),
        (7, "no_zone"),
    ]
    untimed = list(jsonl.read(io.BytesIO(b'{"value": 2}\n\xff\n'), timed=False))
    assert told(untimed) == [(1, None, {"value": 2}), (2, "invalid_line")]
    zoned = jsonl.read(io.BytesIO(data[6].encode()), zone=ZoneInfo("UTC"))
    assert told(list(zoned)) == [(1, T, {"value": 1})]
    assert json.loads(data[0])["value"] == 1


# --- GPX -----------------------------------------------------------------------------------------

GPX = b"""<?xml version="1.0"?>
<gpx xmlns="http://www.topografix.com/GPX/1/1" xmlns:g="http://x" version="1.1">
<metadata><time>2024-01-01T00:00:00Z</time></metadata>
<trk><trkseg>
<trkpt lat="40.5" lon="-3.25"><ele>610.5</ele><time>2024-01-01T00:00:00Z</time>
 <sat>8</sat><extensions><g:speed>1.5</g:speed><odd>7</odd></extensions></trkpt>
<trkpt lat="40.5" lon="-3.25"><ele>610.5</ele></trkpt>
<trkpt lat="91" lon="-3.25"><time>2024-01-01T00:00:01Z</time></trkpt>
<trkpt lat="40"><time>2024-01-01T00:00:01Z</time></trkpt>
<trkpt lat="x" lon="1"><time>2024-01-01T00:00:01Z</time></trkpt>
<trkpt lat="40" lon="180"><time>2024-01-01T00:00:02Z</time><ele></ele></trkpt>
</trkseg></trk></gpx>"""


def test_points_of_a_track() -> None:
    assert told(list(gpx.read(io.BytesIO(GPX)))) == [
        (
            5,
            T,
            {
                "latitude": 40.5,
                "longitude": -3.25,
                "altitude": 610.5,
                "metadata.satellites": 8,
                "metadata.speed": 1.5,
            },
        ),
        (7, "no_time"),
        (8, "invalid_value"),
        (9, "incomplete_coordinates"),
        (10, "invalid_value"),
        (11, T + 2 * S, {"latitude": 40.0, "longitude": 180.0}),
    ]


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "not XML"),
        (b"<html/>", "not GPX"),
        (GPX[:-10], "not XML"),
        (b'<!DOCTYPE gpx [<!ENTITY a "b">]><gpx>&a;</gpx>', "document type"),
        (b"<gpx>" + b"<a>" * 1000, "nests deeper"),
    ],
)
def test_files_that_are_not_gpx(data: bytes, part: str) -> None:
    with pytest.raises(InvalidError, match=part) as refused:
        list(gpx.read(io.BytesIO(data)))
    assert refused.value.code == "invalid_gpx"


def test_points_before_a_fault_are_read() -> None:
    reader = gpx.read(io.BytesIO(GPX[: GPX.index(b"</trkseg>")] + b"<a>" * 100))
    assert [next(reader).line for _ in range(6)] == [5, 7, 8, 9, 10, 11]
    with pytest.raises(InvalidError, match="nests deeper"):
        next(reader)


def test_a_point_of_a_megabyte() -> None:
    point = b'<gpx><wpt lat="1" lon="2"><ele>' + b"1" * (1 << 20) + b"</ele><time>2024-01-01"
    found = list(gpx.read(io.BytesIO(point + b"</time></wpt></gpx>")))
    assert told(found) == [(1, "invalid_value")]


# --- NMEA ----------------------------------------------------------------------------------------


def test_a_malformed_sentence_says_nothing_of_the_reader() -> None:
    data = "$GPGGA,garbage\r\n$GPRMC,1,A,2,N,3,E,4,5,6,7,W*00\r\n"
    reasons = [
        each.reason for each in nmea.read(io.BytesIO(data.encode())) if isinstance(each, Refused)
    ]
    assert [reason.partition(": ")[2] for reason in reasons] == [
        "a field is malformed",
        "its checksum is wrong",
    ]


def sentence(text: str) -> str:
    check = 0
    for letter in text:
        check ^= ord(letter)
    return f"${text}*{check:02X}"


def test_sentences_of_a_receiver() -> None:
    data = [
        sentence("GPGGA,000000.00,4030.0000,N,00315.0000,W,1,08,0.9,545.4,M,46.9,M,,"),
        sentence("GPRMC,000001.00,A,4030.0000,N,00315.0000,W,022.4,084.4,010124,003.1,W"),
        sentence("GPGGA,000001.00,4030.0000,N,00315.0000,W,1,08,0.9,545.4,M,46.9,M,,"),
        sentence("GPGSV,1,1,00"),
        sentence("GPGGA,235959.00,4030.0000,N,00315.0000,W,1,08,0.9,545.4,M,46.9,M,,"),
        sentence("GPGGA,000000.50,4030.0000,N,00315.0000,W,1,08,0.9,545.4,M,46.9,M,,"),
        sentence("GPRMC,000002.00,V,,,,,,,020124,,"),
        sentence("GPRMC,000003.00,A,4030.0000,N,00315.0000,W,,,020124,,")[:-2] + "00",
        "noise",
        "",
    ]
    found = list(nmea.read(io.BytesIO("\r\n".join(data).encode() + b"\xff\n")))
    place = {"latitude": 40.5, "longitude": -3.25}
    fix = {"altitude": 545.4, "metadata.satellites": 8, "metadata.hdop": 0.9}
    assert sorted(told(found), key=lambda row: row[0]) == [
        (1, "no_time"),
        (2, T + S, {**place, **fix, "metadata.speed": 22.4, "metadata.heading": 84.4}),
        (5, T + 86_399 * S, {**place, **fix}),
        (6, T + 86_400 * S + S // 2, {**place, **fix}),
        (7, "no_fix"),
        (8, "invalid_line"),
        (9, "invalid_line"),
        (10, "invalid_line"),
    ]
    assert isinstance(found[1], Read)
    assert found[1].observation.units == (("metadata.speed", "kn"),)
