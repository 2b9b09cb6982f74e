"""Listings on a terminal: they fit, drop nothing, and begin at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.cli.showing import grid

TEXT = st.text(st.characters(categories=["L", "N", "P"]), max_size=60)


@given(
    rows=st.integers(1, 5).flatmap(
        lambda width: st.lists(st.lists(TEXT, min_size=width, max_size=width), max_size=130)
    ),
    columns=st.integers(30, 200),
)
def test_it_fits_and_drops_nothing(rows: list[list[str]], columns: int) -> None:
    rows = [row[: len(rows[0])] + [""] * (len(rows[0]) - len(row)) for row in rows]
    headers = [f"h{index}" for index in range(len(rows[0]) if rows else 2)]
    lines = list(grid.lines(headers, iter(rows), columns))
    assert all(grid.cells(line) <= columns for line in lines)
    shown = "".join(lines)
    for row in rows:
        for text in row:
            assert set(text) <= set(shown)


def test_the_first_rows_come_before_the_last_is_made() -> None:
    made = 0

    def rows() -> Iterator[list[str]]:
        nonlocal made
        for number in range(40_000):
            made = number
            yield [str(number)]

    lines = grid.lines(["n"], rows(), 80)
    assert [next(lines), next(lines).strip()] == ["n", "0"]
    assert made < 1_000


def test_a_column_that_fills_late_is_not_lost() -> None:
    rows = [["a", ""]] * 150 + [["b", "burned"]]
    lines = list(grid.lines(["name", "burned"], iter(rows), 80))
    assert lines[0] == "name"
    assert lines[-1].rstrip() == "b; burned burned"


def test_narrow_terminals_get_a_line_for_each_value() -> None:
    rows = [["car", "0123456789", "vehicle", "alice", "2026-11-26T12:00:00.000Z"]] * 2
    lines = list(grid.lines(["name", "id", "kind", "owner", "time"], iter(rows), 40))
    assert len(lines) == 11
    assert lines[0].split() == ["name", "car"]
    assert "2026-11-26T12:00:00.000Z" in lines[4]


@pytest.mark.parametrize(
    ("text", "short"),
    [("a" * 64, "a" * 10), ("a" * 63, "a" * 63), ("A" * 64, "A" * 64), ("", "")],
)
def test_only_ids_are_shortened(text: str, short: str) -> None:
    assert grid.shortened(text) == short


def test_emphasis_is_for_names_ids_and_kinds() -> None:
    plain = list(grid.lines(["name", "id", "kind"], iter([["car", "ab", "van"]]), 80))
    assert "\x1b" not in "".join(plain)
    colored = list(grid.lines(["name", "id", "kind"], iter([["car", "ab", "van"]]), 80, color=True))
    assert "\x1b[1mcar\x1b[0m" in colored[1]
    assert "\x1b[2mab\x1b[0m" in colored[1]
    assert "\x1b[36mvan\x1b[0m" in colored[1]


def test_a_cell_of_megabytes_is_drawn_whole() -> None:
    row = ["x" * 2_000_000, "\ufdfa" * 100_000, "a" + "\u0301" * 100_000]
    lines = list(grid.lines(["a", "b", "c"], iter([row]), 80))
    drawn = "".join(lines[1:])
    assert [drawn.count(text[-1]) for text in row] == [2_000_000, 100_000, 100_000]
