"""Maps: what they say, what is wrong with them, and what becomes of rows."""

from __future__ import annotations

import contextlib
import copy
import json
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.tools import map_format
from twincli.errors import InvalidError
from twincli.formats import cells, mapping, marked

SCHEMA = jsonschema_rs.validator_for(json.loads(map_format.SCHEMA.read_text()))

ERP = """\
csv: {delimiter: ";", encoding: latin-1, decimal: ",", thousands: ".", dates: "%d.%m.%Y"}
do: create
name: "part-{id}"
fields:
  id: {to: productId, type: text}
  product_name: name
  weight_kg: {to: specifications.weight, type: number}
  updated_at: {to: lastModified, type: date}
"""
COLUMNS = ("id", "product_name", "weight_kg", "updated_at")


def flow(text: str) -> bytes:
    """Return YAML that begins with a brace, which alone would be JSON."""
    return (f"--- {text}" if text.startswith("{") and text != "{}" else text).encode()


def erp(text: str = ERP) -> mapping.Map:
    return mapping.read(flow(text), "map.yaml")


def test_a_row_of_an_erp() -> None:
    found = erp()
    found.check_columns(COLUMNS)
    row = found.row(
        {"id": "007", "product_name": "Élan", "weight_kg": "1.234,5", "updated_at": "31.01.2024"}
    )
    assert row.name == "part-007"
    assert row.data == {
        "productId": "007",
        "name": "Élan",
        "specifications": {"weight": 1234.5},
        "lastModified": "2024-01-31",
    }
    assert (found.delimiter, found.encoding, found.decimal) == (";", "latin-1", ",")
    assert (row.key, row.stream, row.at_us, row.set) == (None, None, None, {})


def test_unmapped_columns_stay_texts_or_are_left_out() -> None:
    header = ("id", "price", "note")
    record = {"id": "1", "price": "2.50", "note": " "}
    kept = mapping.read(b"key: id", "m")
    kept.check_columns(header)
    assert kept.row(record).data == {"id": "1", "price": "2.50"}
    assert kept.row(record).name == "1"
    assert kept.row(record).key == "1"
    dropped = mapping.read(flow("{key: id, drop: [price]}"), "m")
    assert dropped.row(record).data == {"id": "1"}
    only = mapping.read(flow("{name: 'x-{id}', fields: {price: p}, unmapped: drop}"), "m")
    assert only.row(record).data == {"p": "2.50"}


def test_the_time_the_stream_and_more_members() -> None:
    found = mapping.read(
        b"""
do: event
name: "{machine}"
stream: "s-{machine}"
time: when
zone: Europe/Berlin
csv: {times: "%d.%m.%Y %H:%M"}
set: {type: "{kind}", by: 7, sure: true, plain: "{{x}}"}
unmapped: drop
""",
        "m",
    )
    row = found.row({"machine": "m1", "when": "31.01.2024 09:30", "kind": "stop"})
    assert row.stream == "s-m1"
    assert row.at_us == int(datetime(2024, 1, 31, 8, 30, tzinfo=UTC).timestamp()) * 1_000_000
    assert row.set == {"type": "stop", "by": "7", "sure": "true", "plain": "{x}"}
    assert row.data == {}
    assert found.row({"machine": "m1", "when": "", "kind": " "}).at_us is None
    assert "type" not in found.row({"machine": "m1", "when": None, "kind": " "}).set
    for wrong in ("32.01.2024 09:30", "31.03.2024 02:30", "2024-01-31T08:00:00Z"):
        with pytest.raises(InvalidError, match="when: "):
            found.row({"machine": "m1", "when": wrong, "kind": "stop"})


def test_a_field_of_the_time_column_says_how_it_is_written() -> None:
    found = mapping.read(
        flow(
            "{time: at, zone: UTC, fields: {at: {to: seen, type: datetime, format: '%Y%m%d %H'}}}"
        ),
        "m",
    )
    row = found.row({"at": "20240131 09"})
    assert row.data == {"seen": "2024-01-31T09:00:00.000Z"}
    assert row.at_us == 1_706_691_600_000_000


def test_units_stand_beside_their_values() -> None:
    found = mapping.read(b"fields: {w: {to: weight, type: number, unit: kg}}", "m")
    assert found.row({"w": "3.5"}).data == {"weight": {"value": 3.5, "unit": "kg"}}
    assert found.row({"w": ""}).data == {}


def test_documents_of_json_have_paths() -> None:
    found = mapping.read(
        b"""
name: "m-{head.id}"
fields: {spec.weight: {to: weight, type: number}, "a.b": ab, list: {type: json}, gone: g}
""",
        "m",
    )
    document = {
        "head": {"id": 7, "more": 1},
        "spec": {"weight": 2.5, "color": "red"},
        "a.b": "direct",
        "list": [1, {"x": None}],
        "plain": {"kept": True},
    }
    row = found.row(found.record(document))
    assert row.name == "m-7"
    assert row.data["weight"] == 2.5
    assert row.data["ab"] == "direct"
    assert row.data["list"] == [1, {"x": None}]
    assert row.data["plain"] == {"kept": True}


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"id": ""}, "name: the column 'id' is empty"),
        ({"id": "1", "weight_kg": "1,2,3"}, "weight_kg: '1,2,3' is not a number"),
        ({"id": "1", "weight_kg": "12.5"}, "weight_kg: '12.5' is not a number"),
        ({"id": "1", "updated_at": "2024-01-31"}, "updated_at: '2024-01-31' is not a date"),
    ],
)
def test_a_row_that_is_refused_names_its_column(record: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidError) as caught:
        erp().row(dict.fromkeys(COLUMNS, None) | record)
    assert why in caught.value.message


def test_keys_are_not_empty_and_not_endless() -> None:
    found = mapping.read(b"key: id", "m")
    for wrong in (None, "", "x" * 201):
        with pytest.raises(InvalidError, match="key"):
            found.row({"id": wrong})


# --- Faults --------------------------------------------------------------------------------------

BAD_MAPS: dict[str, tuple[str, str, str]] = {
    # case: (text, what the message holds, what the hint holds)
    "a list": ("[1]", "a list is not an object", "braces"),
    "a text": ("just words", "'just words' is not an object", "braces"),
    "nothing": ("{}", "it maps nothing", "fields:"),
    "only settings": ("{csv: {}}", "it maps nothing", "fields:"),
    "a member that is not": (
        "{feilds: {}}",
        "line 1: feilds: there is no member",
        "did you mean fields?",
    ),
    "a member of another kind": ("{xyzzy: 1}", "there is no member 'xyzzy'", "known are"),
    "a verb that is not": (
        "{do: update, key: a}",
        "do: 'update' is not one of these",
        "one of append",
    ),
    "a verb spelt wrong": ("{do: crate, key: a}", "do: 'crate'", "did you mean create?"),
    "an open brace": ("name: 'part-{id'", "name: a { without", "part-{id}"),
    "a closing brace": ("name: 'part-id}'", "name: a } without", "part-{id}"),
    "an empty column": ("name: 'part-{}'", "name: a { without", "part-{id}"),
    "braces in braces": ("name: '{a{b}}'", "name: a { without", "part-{id}"),
    "an empty name": ("name: ''", "name: '' is not a text", "quotes"),
    "a number for a name": ("name: 7", "name: 7 is not a text", "quotes"),
    "a name that is long": (f"name: {'x' * 201}", "name: it has 201 characters", "at most 200"),
    "a field that says nothing": ("fields: {a: }", "fields.a: it says nothing", "drop"),
    "a field that is a list": ("fields: {a: [b]}", "fields.a: a list is not an object", "braces"),
    "a field of a wrong member": (
        "fields: {a: {too: b}}",
        "fields.a.too: there is no",
        "did you mean to?",
    ),
    "fields that are a list": ("fields: [a]", "fields: a list is not an object", "THEIRS"),
    "a type that is not": (
        "fields: {a: {type: str}}",
        "fields.a.type: 'str' is not",
        "one of text",
    ),
    "a type in capitals": (
        "fields: {a: {type: Text}}",
        "fields.a.type: 'Text'",
        "did you mean text?",
    ),
    "a unit of a text": ("fields: {a: {unit: kg}}", "only a number has a unit", "type: number"),
    "a format of a number": ("fields: {a: {type: number, format: '0.0'}}", "have a format", "date"),
    "a format of nothing": ("fields: {a: {format: '%d'}}", "have a format", "type: date"),
    "a form without a year": (
        "fields: {a: {type: date, format: '%d.%m'}}",
        "it needs %d, %m",
        "%d.%m.%Y",
    ),
    "a form of a word": (
        "fields: {a: {type: date, format: 'dd.mm.yyyy'}}",
        "it needs %d",
        "%d.%m.%Y",
    ),
    "a directive that is not": ("csv: {dates: '%d.%B.%Y'}", "%B is not one of", "%d.%m.%Y"),
    "a directive cut off": ("csv: {dates: '%d.%m.%Y%'}", "% is not one of", "%d.%m.%Y"),
    "a directive twice": ("csv: {dates: '%d.%d.%m.%Y'}", "%d stands in it twice", "%d.%m.%Y"),
    "two years": ("csv: {dates: '%d.%m.%Y %y'}", "it has %Y and %y", "%d.%m.%Y"),
    "minutes without an hour": ("csv: {dates: '%d.%m.%Y %M'}", "no %H", "%d.%m.%Y"),
    "a fraction without its second": ("csv: {times: '%d.%m.%Y %H,%f'}", "no %S", "%H:%M"),
    "an hour in dates": ("csv: {dates: '%d.%m.%Y %H'}", "a date has no hour", "datetime"),
    "no hour in times": ("csv: {times: '%d.%m.%Y'}", "a time needs %H", "%H:%M"),
    "dates that are a number": ("csv: {dates: 7}", "7 is not a text", "quotes"),
    "words that are one": (
        "fields: {a: {type: boolean, format: ja}}",
        "not a pair of words",
        "yes/no",
    ),
    "words that are the same": (
        "fields: {a: {type: boolean, format: a/A}}",
        "not a pair",
        "yes/no",
    ),
    "a place twice": ("fields: {a: x, b: x}", "fields.b: 'x' is where 'a' goes", "of its own"),
    "a place inside another": ("fields: {a: x, b: x.y}", "'x.y' is where 'a' goes", "of its own"),
    "a place around another": ("fields: {a: x.y, b: x}", "'x' is where 'a' goes", "of its own"),
    "a place that is reserved": ("fields: {a: twin}", "'twin' cannot be a name", "reserved"),
    "a place inside a reserved one": ("fields: {a: twin.x}", "'twin.x' cannot", "reserved"),
    "a place with a dollar": ("fields: {a: 'x.$y'}", "cannot be a name", "dots"),
    "a place with a gap": ("fields: {a: 'x..y'}", "cannot be a name", "dots"),
    "a place that is deep": (f"fields: {{a: {'.'.join('x' * 21)}}}", "cannot be a name", "dots"),
    "a column that cannot be a name": (
        "fields: {'$a': {type: text}}",
        "'$a' cannot be a name",
        "dots",
    ),
    "a long delimiter": ("csv: {delimiter: ';;'}", "not a single mark", "tab"),
    "a quote as delimiter": ("csv: {delimiter: '\"'}", "not a single mark", "tab"),
    "a number as delimiter": ("csv: {delimiter: 7}", "not a single mark", "tab"),
    "an encoding that is not": (
        "csv: {encoding: klingon}",
        "'klingon' is not an encoding",
        "utf-8",
    ),
    "an encoding of bytes": ("csv: {encoding: base64}", "'base64' is not an encoding", "utf-8"),
    "an encoding of no file": ("csv: {encoding: punycode}", "is not an encoding", "utf-8"),
    "an encoding that always fails": ("csv: {encoding: undefined}", "is not an encoding", "utf-8"),
    "a decimal word": ("csv: {decimal: comma}", "'comma' is not one of these", "one of"),
    "thousands as decimals": (
        "csv: {decimal: ',', thousands: ','}",
        "the decimal mark, too",
        "differ",
    ),
    "thousands of a point": ("csv: {thousands: '.'}", "the decimal mark, too", "differ"),
    "thousands of a letter": ("csv: {thousands: x}", "is not one of these", "one of"),
    "csv that is a text": ("csv: x", "csv: 'x' is not an object", "braces"),
    "a zone that is not": ("zone: Berlin", "there is no zone 'Berlin'", "Europe/Berlin"),
    "a zone that is a path": ("zone: ../../etc/passwd", "there is no zone", "Europe/Berlin"),
    "drop that is a text": ("{drop: price, key: a}", "is not a list of columns", "[price"),
    "drop of numbers": ("{drop: [7], key: a}", "drop[0]: 7 is not a text", "quotes"),
    "unmapped that is not": (
        "{unmapped: keep, key: a}",
        "'keep' is not one of these",
        "one of text",
    ),
    "set of what the map says": ("set: {do: append}", "do cannot be set here", "of the map"),
    "set of an object": ("set: {type: {a: b}}", "set.type: an object is not a text", "quotes"),
    "set that is a list": ("set: [a]", "set: a list is not an object", "braces"),
    "a key that is a number": ("key: 7", "key: 7 is not a text", "quotes"),
    "too many fields": (
        "fields: {" + ", ".join(f"c{n}: d{n}" for n in range(1001)) + "}",
        "it has 1001 fields",
        "at most 1000",
    ),
}
"""What the schema refuses, and what only the checker does."""

BEYOND_SCHEMA = {
    "an encoding that is not",
    "an encoding of bytes",
    "an encoding of no file",
    "an encoding that always fails",
    "a zone that is not",
    "a zone that is a path",
    "a place twice",
    "a place inside another",
    "a place around another",
    "thousands as decimals",
    "thousands of a point",
    "words that are one",
    "words that are the same",
    "a form without a year",
    "a form of a word",
    "a directive that is not",
    "a directive cut off",
    "a directive twice",
    "two years",
    "minutes without an hour",
    "a fraction without its second",
    "an hour in dates",
    "no hour in times",
    "a column that cannot be a name",
}


@pytest.mark.parametrize("case", BAD_MAPS)
def test_what_is_wrong_with_a_map_is_said_with_its_line(case: str) -> None:
    text, why, right = BAD_MAPS[case]
    if (
        "key:" not in text
        and "fields:" not in text
        and "name:" not in text
        and case.startswith(("a zone", "a form", "csv"))
    ):
        text = f"{text}\nkey: a" if not text.startswith("{") else text
    with pytest.raises(InvalidError) as caught:
        mapping.read(flow(text), "map.yaml")
    assert caught.value.code == "invalid_map"
    assert caught.value.message.startswith("map.yaml, line 1: ") or case == "nothing"
    assert why in caught.value.message
    assert right in (caught.value.hint or "")
    if case not in BEYOND_SCHEMA:
        assert not SCHEMA.is_valid(marked.read(flow(text), "m").value), case


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: &x 1\nb: *x", "invalid_yaml"),
        ("a: !!python/object:os.system {}", "invalid_yaml"),
        ("key: a\nkey: b", "invalid_yaml"),
        ('{"key": "a", "key": "b"}', "invalid_json"),
        ("key: [", "invalid_yaml"),
        ("", "invalid_yaml"),
        ("x" * ((1 << 20) + 1), "too_large"),
        ("[" * 200, "invalid_json"),
    ],
)
def test_texts_that_are_no_map(text: str, code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        mapping.read(text.encode(), "map.yaml")
    assert caught.value.code == code


def test_several_faults_are_counted() -> None:
    with pytest.raises(InvalidError, match=r"line 2: do: .*; 2 more faults"):
        mapping.read(b"key: a\ndo: x\nunmapped: y\nzone: Z\n", "map.yaml")
    assert len(mapping.faults({"fields": {f"c{n}": 7 for n in range(500)}})) == mapping.MAX_FAULTS


@pytest.mark.parametrize(
    ("text", "header", "why", "right"),
    [
        (
            ERP,
            ("id", "produkt_name"),
            "line 6: fields.product_name: the file has no column",
            "produkt_name",
        ),
        (ERP, ("id",), "line 6", "it has id"),
        ("name: '{x}'", ("y",), "name: the file has no column 'x'", "it has y"),
        ("key: x", ("y",), "key: the file has no column 'x'", "it has y"),
        ("set: {type: 'is {x}'}", ("y",), "set.type: the file has no column", "it has y"),
        ("stream: '{x}'", ("y",), "stream: the file has no column 'x'", "it has y"),
        ("time: x", ("y",), "time: the file has no column 'x'", "it has y"),
        ("key: id", ("id", "a.b"), "'a.b' cannot be a name", "fields: {'a.b': NAME}"),
        ("key: id", ("id", "twin"), "'twin' cannot be a name", "drop: [twin]"),
        ("key: id", ("id", "$x"), "'$x' cannot be a name", "NAME"),
        ("{key: id, fields: {x: y}}", ("id", "x", "y"), "the column 'y' goes where 'x' does", "y"),
        ("{key: id, fields: {x: y.z}}", ("id", "x", "y"), "the column 'y' goes where", "y"),
    ],
)
def test_a_table_that_does_not_fit_its_map(
    text: str, header: tuple[str, ...], why: str, right: str
) -> None:
    if text == "stream: '{x}'":
        text += "\nset: {a: b}"
    with pytest.raises(InvalidError) as caught:
        mapping.read(flow(text), "map.yaml").check_columns(header)
    assert caught.value.code == "invalid_map"
    assert why in caught.value.message
    assert right in (caught.value.hint or "")


def test_a_table_fits_where_strange_columns_are_left_out() -> None:
    mapping.read(flow("{key: id, drop: ['a.b']}"), "m").check_columns(("id", "a.b"))
    mapping.read(flow("{key: id, unmapped: drop}"), "m").check_columns(("id", "a.b"))


# --- Cells ---------------------------------------------------------------------------------------

GERMAN = cells.Reader(",", ".", cells.form("%d.%m.%Y"), cells.form("%d.%m.%y %H:%M:%S,%f"))
PLAIN = cells.Reader()


@pytest.mark.parametrize(
    ("reader", "kind", "cell", "value"),
    [
        (PLAIN, "text", "007", "007"),
        (PLAIN, "text", 7.0, "7"),
        (PLAIN, "text", 7.5, "7.5"),
        (PLAIN, "text", 1e300, "1e+300"),
        (PLAIN, "text", True, "true"),
        (PLAIN, "text", False, "false"),
        (PLAIN, "text", date(2024, 1, 31), "2024-01-31"),
        (PLAIN, "text", datetime(2024, 1, 31), "2024-01-31"),  # noqa: DTZ001
        (PLAIN, "text", datetime(2024, 1, 31, 9), "2024-01-31T09:00:00"),  # noqa: DTZ001
        (PLAIN, "text", clock(9, 30), "09:30:00"),
        (PLAIN, "text", [1, "a"], '[1,"a"]'),
        (PLAIN, "text", "  ", None),
        (PLAIN, "text", None, None),
        (PLAIN, "text", "\u00a0", None),
        (PLAIN, "number", "0", 0),
        (PLAIN, "number", "-0.50", -0.5),
        (PLAIN, "number", "+3", 3),
        (PLAIN, "number", "1e3", 1000.0),
        (PLAIN, "number", "5-", -5),
        (PLAIN, "number", "\u22125", -5),
        (PLAIN, "number", 2, 2),
        (PLAIN, "number", 2.5, 2.5),
        (GERMAN, "number", "1.234.567,5", 1234567.5),
        (GERMAN, "number", "1234567,5", 1234567.5),
        (GERMAN, "number", "0,1", 0.1),
        (GERMAN, "integer", "1.234", 1234),
        (GERMAN, "integer", "1.234,0", 1234),
        (cells.Reader(".", "'"), "number", "1\u2019234.5", 1234.5),
        (cells.Reader(",", " "), "number", "1\u202f234,5", 1234.5),
        (PLAIN, "integer", 3.0, 3),
        (PLAIN, "boolean", "TRUE", True),
        (PLAIN, "boolean", False, False),
        (PLAIN, "date", "2024-02-29", "2024-02-29"),
        (PLAIN, "date", date(2024, 2, 29), "2024-02-29"),
        (PLAIN, "date", datetime(2024, 2, 29), "2024-02-29"),  # noqa: DTZ001
        (GERMAN, "date", "1.2.2024", "2024-02-01"),
        (PLAIN, "datetime", "2024-01-31T09:00:00+01:00", "2024-01-31T08:00:00.000Z"),
        (PLAIN, "datetime", 1706691600, "2024-01-31T09:00:00.000Z"),
        (PLAIN, "datetime", "1706691600", "2024-01-31T09:00:00.000Z"),
        (PLAIN, "datetime", "1706691600.5", "2024-01-31T09:00:00.500Z"),
        (cells.Reader(zone=UTC), "datetime", datetime(2024, 1, 31, 9), "2024-01-31T09:00:00.000Z"),  # noqa: DTZ001
        (cells.Reader(zone=UTC), "datetime", date(2024, 1, 31), "2024-01-31T00:00:00.000Z"),
        (
            GERMAN._replace(zone=UTC),
            "datetime",
            "31.01.99 09:00:01,25",
            "1999-01-31T09:00:01.250Z",
        ),
        (PLAIN, "json", '{"a": [1]}', {"a": [1]}),
        (PLAIN, "json", [1], [1]),
        (PLAIN, "json", date(2024, 1, 31), "2024-01-31"),
    ],
)
def test_cells(reader: cells.Reader, kind: str, cell: Any, value: Any) -> None:
    found = reader.value(kind, cell)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("reader", "kind", "cell", "why"),
    [
        (PLAIN, "number", "007", "begins with 0"),
        (PLAIN, "number", "1,5", "not a number"),
        (PLAIN, "number", "1 234", "not a number"),
        (PLAIN, "number", "12 kg", "not a number"),
        (PLAIN, "number", "NaN", "not a number"),
        (PLAIN, "number", "inf", "not a number"),
        (PLAIN, "number", "0x10", "not a number"),
        (PLAIN, "number", "--5", "not a number"),
        (PLAIN, "number", "-", "not a number"),
        (PLAIN, "number", ".", "not a number"),
        (PLAIN, "number", ".5", "not a number"),
        (PLAIN, "number", "5.", "not a number"),
        (PLAIN, "number", "1e", "not a number"),
        (PLAIN, "number", "1e999", "too large"),
        (PLAIN, "number", "1e9999", "not a number"),
        (PLAIN, "number", "\u0663", "not a number"),
        (PLAIN, "number", "9" * 401, "too many digits"),
        (PLAIN, "number", "9" * 20, "64 bits"),
        (PLAIN, "number", "0.12345678901234567890", "more digits"),
        (PLAIN, "number", True, "not a number"),
        (PLAIN, "number", date(2024, 1, 31), "not a number"),
        (PLAIN, "number", float("nan"), "not a number"),
        (PLAIN, "number", 1 << 64, "64 bits"),
        (PLAIN, "integer", "1.5", "not a whole number"),
        (PLAIN, "integer", 1e300, "64 bits"),
        (GERMAN, "number", "12.5", "not a number"),
        (GERMAN, "number", "1234.567", "not a number"),
        (GERMAN, "number", ".234", "not a number"),
        (PLAIN, "boolean", "yes", "not true or false"),
        (PLAIN, "boolean", 1, "not true or false"),
        (PLAIN, "date", "31.01.2024", "not a date"),
        (PLAIN, "date", "2023-02-29", "not a date"),
        (PLAIN, "date", 45322, "not a date"),
        (PLAIN, "date", datetime(2024, 1, 31, 9), "not a date"),  # noqa: DTZ001
        (GERMAN, "date", "30.02.2024", "not a date"),
        (GERMAN, "date", "1.2.24", "not a date"),
        (PLAIN, "datetime", "2024-01-31T09:00", "no zone"),
        (PLAIN, "datetime", datetime(2024, 1, 31, 9), "no zone"),  # noqa: DTZ001
        (PLAIN, "datetime", clock(9), "not a time with its date"),
        (PLAIN, "datetime", timedelta(hours=30), "not a time with its date"),
        (PLAIN, "datetime", "soon", "not a time"),
        (PLAIN, "json", "{", ""),
        (PLAIN, "text", "x" * ((1 << 20) + 1), "too long"),
    ],
)
def test_cells_that_are_refused(reader: cells.Reader, kind: str, cell: Any, why: str) -> None:
    with pytest.raises(InvalidError) as caught:
        reader.value(kind, cell)
    assert why in caught.value.message


def test_forms_of_one_column() -> None:
    assert PLAIN.value("boolean", "Ja", cells.words("ja/nein")) is True
    assert PLAIN.value("date", "2024/1/31", cells.form("%Y/%m/%d")) == "2024-01-31"
    zoned = cells.form("%d.%m.%Y %H:%M %z")
    assert PLAIN.value("datetime", "31.01.2024 09:00 +0100", zoned) == "2024-01-31T08:00:00.000Z"
    assert PLAIN.value("datetime", "31.01.2024 09:00 z", zoned) == "2024-01-31T09:00:00.000Z"
    with pytest.raises(InvalidError):
        PLAIN.value("datetime", "01.01.0001 00:00 +23:00", zoned)
    assert cells.form("%d%%%m%%%Y").pattern.fullmatch("1%2%2024")


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_in_groups_are_what_they_were(number: int) -> None:
    written = f"{number:,}".replace(",", ".")
    assert GERMAN.value("number", written) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_are_what_they_were(number: float) -> None:
    assert PLAIN.value("number", repr(number).replace("inf", "1")) == number


@given(st.text(max_size=30), st.sampled_from(cells.TYPES))
def test_any_text_is_read_or_refused(text: str, kind: str) -> None:
    for reader in (PLAIN, GERMAN):
        with contextlib.suppress(InvalidError):
            reader.value(kind, text)


# --- Schema and page -----------------------------------------------------------------------------


def test_the_example_of_the_page_is_a_map_and_fits_the_schema() -> None:
    text = map_format.page().partition("```yaml\n")[2].partition("```")[0]
    found = mapping.read(text.encode(), "example")
    assert found.do == "create"
    assert SCHEMA.is_valid(found.lines.value)
    assert list(found.lines.value) == list(json.loads(map_format.SCHEMA.read_text())["properties"])
    assert set(found.lines.value) == set(mapping.MEMBERS)


def test_the_schema_has_the_words_of_the_reader() -> None:
    whole = json.loads(map_format.SCHEMA.read_text())
    assert tuple(whole["properties"]["do"]["enum"]) == mapping.VERBS
    assert tuple(whole["$defs"]["field"]["properties"]["type"]["enum"]) == cells.TYPES
    marks = whole["properties"]["csv"]["properties"]["thousands"]["enum"]
    assert tuple(marks) == cells.THOUSANDS


_leaves = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4)
_anything = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.data())
def test_what_the_reader_takes_fits_the_schema(data: st.DataObject) -> None:
    whole = copy.deepcopy(mapping.read(ERP.encode(), "m").lines.value)
    part: Any = whole
    for _ in range(data.draw(st.integers(0, 3))):
        inner = [name for name, value in part.items() if isinstance(value, dict)]
        if not inner:
            break
        part = part[data.draw(st.sampled_from(inner))]
    name = data.draw(st.sampled_from([*part, "to", "type", "format", "dates", "zone", "x"]))
    part[name] = data.draw(_anything)
    if not mapping.faults(whole):
        assert SCHEMA.is_valid(whole), whole
        mapping.read(json.dumps(whole).encode(), "m")
