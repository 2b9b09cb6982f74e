"""Parquet files of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.formats.readings.test_fast import rows
from twincli.errors import InvalidError
from twincli.formats.readings import parquet

T = 1_704_067_200_000_000


def taken(path: Path, sql: str, known: dict[str, str] | None = None, **more: str) -> list[Any]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")
    made = parquet.read(str(path), "s", known or {}, **more)  # type: ignore[arg-type]
    try:
        return [row for batch in made.batches() for row in rows(batch)]
    finally:
        made.close()


ZONED = "TIMESTAMPTZ '2024-01-01 00:00:00.000001Z' AS timestamp"


def test_columns_become_series(tmp_path: Path) -> None:
    found = taken(
        tmp_path / "it's.parquet".replace("'", ""),
        f"SELECT {ZONED}, 1.5::FLOAT AS a, 5::TINYINT AS \"b.c\", true AS d, 'x' AS e UNION ALL"
        f" SELECT {ZONED.replace('01Z', '02Z')}, NULL, 6, NULL, NULL",
    )
    assert found == [
        ("s.a", "f64", T + 1, 1.5),
        ("s.b.c", "i64", T + 1, 5),
        ("s.b.c", "i64", T + 2, 6),
        ("s.d", "bool", T + 1, True),
        ("s.e", "text", T + 1, "x"),
    ]


def test_times_as_numbers_and_known_series(tmp_path: Path) -> None:
    for number in (T // 1_000_000, T // 1000, T):
        found = taken(tmp_path / "a", f"SELECT {number} AS w, 5 AS a", {"a": "f64"}, time="w")
        assert found == [("s.a", "f64", T, 5.0)]


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        ("SELECT 1 AS a", "no column 'timestamp'"),
        (f"SELECT {ZONED}", "no columns"),
        (f"SELECT {ZONED}, 1.5 AS latitude, 2.5 AS longitude, [1] AS a", "which no series can be"),
        (f"SELECT {ZONED}, 1.5 AS lat, 2.5 AS lon", "coordinates"),
        (f"SELECT {ZONED}, {{'x': 1}} AS a", "which no series can be"),
        (f"SELECT {ZONED}, 1::UBIGINT AS a", "which no series can be"),
        (f"SELECT {ZONED}, 'x' AS known", "another type"),
        (f"SELECT {ZONED}, 'nan'::DOUBLE AS a", "a: 1 rows"),
        (f"SELECT {ZONED}, repeat('x', 70000) AS a", "a: 1 rows"),
        (f"SELECT {ZONED}, NULL::DOUBLE AS a", "without a value"),
        ("SELECT NULL::BIGINT AS time, 1 AS a", "a time"),
        (f"SELECT {10**18} AS time, 1 AS a", "a time"),
        ("SELECT TIMESTAMP '2024-01-01' AS time, 1 AS a", "not a time with its zone"),
    ],
)
def test_what_is_refused(tmp_path: Path, sql: str, part: str) -> None:
    with pytest.raises(InvalidError, match=part):
        taken(tmp_path / "a", sql, {"known": "f64"})


def test_files_that_are_not_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + bytes(50) + b"PAR1")
    with pytest.raises(InvalidError, match="cannot be read") as refused:
        parquet.read(str(path), "s", {})
    assert refused.value.code == "invalid_table"
