"""The fast way gives what the slow one gives, or nothing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twincli.errors import TwinError
from twincli.formats.readings import fast, table
from twincli.formats.readings.lines import Read
from twincli.model.batch import Batch, gather


def rows(batch: Batch) -> list[Any]:
    return [
        (column.series, column.kind, int(batch.time[row]), column.values[row])
        for column in sorted(batch.columns, key=lambda column: column.series)
        for row in range(len(batch.time))
        if column.valid is None or column.valid[row]
    ]


def quick(path: Path, known: dict[str, str] | None = None) -> list[Any] | None:
    layout = table.look(io.BytesIO(path.read_bytes()))
    made = fast.read(str(path), layout, "s", known or {}, threads=1)
    if made is None:
        return None
    try:
        return [row for batch in made.batches() for row in rows(batch)]
    finally:
        made.close()


def slow(path: Path, known: dict[str, str] | None = None) -> list[Any] | None:
    layout = table.look(io.BytesIO(path.read_bytes()))
    found = list(table.read(io.BytesIO(path.read_bytes()), layout))
    read = [each.observation for each in found if isinstance(each, Read)]
    return rows(gather(read, "s", dict(known or {}))) if len(read) == len(found) else None


GOOD = [
    "timestamp,value,status\n2024-01-01T00:00:00Z,20,running\n2024-01-01T00:00:30+01:00,21,\n",
    "t,a,b\n0,1,true\n1704067200,2.5,false\n1704067200000,,true\n1704067200000000,4,\n",
    't,note\n2024-01-01T00:00:00.123456Z,"a, ""b""\nc"\n',
    "t,a\r\n2024-01-01 00:00:00Z,-1e3\r\n2024-01-01 00:00:01Z,9\r\n",
    "t,a.b,a.c\n1,2,3\n",
    "t,a\n1,2,\n",
]


@pytest.mark.parametrize("text", GOOD)
def test_both_ways_agree(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    found = quick(path)
    assert found
    assert found == slow(path)


def test_a_series_stays_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,a\n1,2\n")
    assert quick(path, {"a": "f64"}) == [("s.a", "f64", 1_000_000, 2.0)]
    assert quick(path, {"a": "text"}) is None
    # A whole column, until a number comes that is not, behind the sample.
    path.write_text("t,a\n" + "1,2\n" * 1100 + "2,2.5\n")
    found = quick(path)
    assert found is not None
    assert found[-1] == ("s.a", "f64", 2_000_000, 2.5)
    assert found == slow(path)
    assert quick(path, {"a": "i64"}) is None


@pytest.mark.parametrize(
    "line",
    [
        "2024-01-01T00:00:00,1,a,",
        "2024-01-01T24:00:00Z,1,a,",
        "2024-13-01T00:00:00Z,1,a,",
        "noon,1,a,",
        ",1,a,",
        "2024-01-01T00:00:00Z,nan,a,",
        "2024-01-01T00:00:00Z,1e999,a,",
        "2024-01-01T00:00:00Z,007,a,",
        "2024-01-01T00:00:00Z,1 km,a,",
        "2024-01-01T00:00:00Z,1,a",
        "2024-01-01T00:00:00Z,1,a,,5",
        "2024-01-01T00:00:00Z,,,",
        "2024-01-01T00:00:00Z,1, a ,",
        "2024-01-01T00:00:00Z,1,a,5",
        "t,n,s,e",
        "2024-01-01T00:00:00Z,99999999999999999999,a,",
        '2024-01-01T00:00:00Z,1,"' + "x" * 70_000 + '",',
    ],
)
def test_at_a_doubt_nothing_is_taken(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.csv"
    good = "2024-01-01T00:00:00Z,5,x,\n" * 1100  # longer than the sample
    path.write_text("t,n,s,e\n" + good + line + "\n" + good)
    assert quick(path) is None


@pytest.mark.parametrize(
    "text",
    ["t,lat,lon\n1,2,3\n", "t,source,a\n1,x,2\n", "t,$a\n1,2\n", "t,a.b,a\n1,2,3\n", "t\n1\n"],
)
def test_columns_that_our_rules_know_more_about(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert quick(path) is None


def test_other_encodings_are_for_the_slow_way(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("t,ä\n1,2\n".encode("utf-16"))
    assert quick(path) is None
    assert slow(path) == [("s.ä", "i64", 1_000_000, 2)]


_cells = st.sampled_from(
    ["", "1", "-0", "2.50", "1e5", ".5", "+7", "00", "true", "x", "a b", " y", '"q"', "0.1"]
)
_lines = st.lists(
    st.tuples(
        st.sampled_from(["1", "0.5", "2024-01-01T00:00:00Z", "2024-01-01", "-5", "x"]),
        _cells,
        _cells,
    ),
    min_size=1,
    max_size=6,
)


@given(_lines, st.sampled_from([",", ";"]))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
def test_whatever_table_comes_both_ways_agree(
    tmp_path: Path, found: list[tuple[str, str, str]], delimiter: str
) -> None:
    path = tmp_path / "a.csv"
    body = "".join(delimiter.join(line) + "\n" for line in found)
    path.write_text(f"t{delimiter}a{delimiter}b\n" + body)
    try:
        made = quick(path)
    except TwinError:
        return
    if made is not None:
        assert made == slow(path)
