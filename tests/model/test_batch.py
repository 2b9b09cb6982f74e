"""Observations as arrays: gathered, put in order, repeats and conflicts found."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import ConfigError, InvalidError
from twincli.model import batch as batches
from twincli.model.batch import Batch, gather, join, order, select, subtract
from twincli.model.reading import Observation


def made(*rows: tuple[int, dict[str, Any]], source: str = "", seq: int = 0) -> Batch:
    return gather([Observation(leaves, time, source, seq) for time, leaves in rows], "s", {})


def told(batch: Batch) -> list[tuple[int, str, int, str, Any, str, bool]]:
    """Return all readings: the table without its arrays."""
    found = [
        (
            int(batch.time[row]),
            batch.source.names[batch.source.codes[row]],
            int(batch.seq[row]),
            column.series,
            column.values[row],
            batch.quality.names[batch.quality.codes[row]],
            column.suspect is not None and bool(column.suspect[row]),
        )
        for column in batch.columns
        for row in range(len(batch.time))
        if column.valid is None or column.valid[row]
    ]
    return sorted(found, key=lambda row: (*row[:4], repr(row[4])))


def test_observations_become_columns() -> None:
    kinds: dict[str, str] = {}
    batch = gather(
        [
            Observation({"t": 20, "ok": True, "tags": ["a"]}, 5, "x", 1),
            Observation({"t": 20.5, "note": "hot"}, 6, "x", 2, "suspect"),
        ],
        "s",
        kinds,
    )
    assert kinds == {"t": "f64", "ok": "bool", "tags": "list", "note": "text"}
    assert told(batch) == [
        (5, "x", 1, "s.ok", True, "good", False),
        (5, "x", 1, "s.t", 20.0, "good", False),
        (5, "x", 1, "s.tags", '["a"]', "good", False),
        (6, "x", 2, "s.note", "hot", "suspect", False),
        (6, "x", 2, "s.t", 20.5, "suspect", False),
    ]
    assert batch.readings == 5
    assert [column.values.dtype.name for column in batch.columns] == [
        "float64",
        "bool",
        "object",
        "object",
    ]


def test_what_a_series_was_stays() -> None:
    kinds = {"t": "i64", "u": "f64"}
    assert gather([Observation({"u": 5}, 1)], "s", kinds).columns[0].values.tolist() == [5.0]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"t": 1.5}, "observation 1: t was"),
        ({"n": 1, "u": "a"}, "u was"),
    ]
    for leaves, part in wrong:
        with pytest.raises(InvalidError, match=part):
            gather([Observation(leaves, 1)], "s", kinds)
    assert kinds == {"t": "i64", "u": "f64"}
    with pytest.raises(InvalidError, match=r"observation 1: x: .* that a double holds"):
        gather([Observation({"x": 2**53 + 1}, 1), Observation({"x": 0.5}, 2)], "s", {})


def test_without_numpy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ConfigError, match="numpy") as refused:
        batches.load_numpy()
    assert refused.value.code == "missing_extra"


def test_a_batch_is_put_in_order() -> None:
    batch = made((3, {"a": 1}), (1, {"a": 2, "b": 5}), (2, {"b": 6}))
    ordered = order(batch)
    assert ordered.batch.time.tolist() == [1, 2, 3]
    assert told(ordered.batch) == told(batch)
    assert order(ordered.batch).batch is ordered.batch
    assert batches.same_label("x", 3).codes.tolist() == [0, 0, 0]
    empty = select(batch, np.zeros(3, dtype=bool))
    assert order(empty).batch.readings == 0


def test_sources_are_in_the_order_of_their_texts() -> None:
    batch = join(made((1, {"a": 1}), source="z"), made((1, {"a": 2}), source="b"))
    batch = join(batch, made((1, {"a": 3}), source="b", seq=1))
    ordered = order(batch)
    assert [row[1:3] for row in told(ordered.batch)] == [("b", 0), ("b", 1), ("z", 0)]
    assert ordered.batch.seq.tolist() == [0, 1, 0]
    assert order(ordered.batch).batch is ordered.batch


def test_repeats_and_conflicts_are_found() -> None:
    batch = made(
        (2, {"a": 1, "b": "x"}),
        (1, {"a": 9}),
        (2, {"a": 1, "c": True}),
        (2, {"a": 2, "b": "x"}),
    )
    first, *others = batch.columns
    first = first._replace(suspect=np.array([True, False, True, True]))
    batch = batch._replace(columns=(first, *others))
    ordered = order(batch)
    assert told(ordered.batch) == [
        (1, "", 0, "s.a", 9, "good", False),
        (2, "", 0, "s.a", 1, "good", True),
        (2, "", 0, "s.b", "x", "good", False),
        (2, "", 0, "s.c", True, "good", False),
    ]
    assert ordered.repeats == 2
    assert [tuple(conflict) for conflict in ordered.conflicts] == [(3, "s.a", 1, 2)]


def test_a_repeat_that_is_in_order_already() -> None:
    ordered = order(made((1, {"a": 1}), (1, {"a": 1}), (1, {"a": 3})))
    assert (ordered.batch.readings, ordered.repeats) == (1, 1)
    assert ordered.conflicts[0].row == 2


def test_what_is_there_is_not_stored_again() -> None:
    there = made((1, {"a": 1, "b": 5}), (3, {"a": 3}))
    rest = subtract(made((3, {"a": 4}), (2, {"a": 2}), (1, {"a": 1, "c": 7})), there)
    assert told(rest.batch) == [
        (1, "", 0, "s.c", 7, "good", False),
        (2, "", 0, "s.a", 2, "good", False),
    ]
    assert rest.repeats == 1
    assert [tuple(conflict) for conflict in rest.conflicts] == [(0, "s.a", 3, 4)]
    nothing = subtract(there, there)
    assert (nothing.batch.readings, nothing.repeats, nothing.conflicts) == (0, 3, ())
    assert nothing.batch.columns == ()
    new = subtract(made((7, {"z": 1})), select(there, slice(0, 0)))
    assert told(new.batch) == [(7, "", 0, "s.z", 1, "good", False)]


_rows = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["", "b", "a"]),
        st.integers(0, 1),
        st.dictionaries(st.sampled_from("xyz"), st.integers(0, 1), min_size=1),
    ),
    max_size=12,
)


def observations(rows: list[tuple[int, str, int, dict[str, int]]]) -> list[Observation]:
    return [Observation(leaves, time, source, seq) for time, source, seq, leaves in rows]


@given(_rows, _rows)
def test_arrays_agree_with_a_dictionary(
    first: list[tuple[int, str, int, dict[str, int]]],
    second: list[tuple[int, str, int, dict[str, int]]],
) -> None:
    known: dict[tuple[int, str, int, str], int] = {}
    kept = 0
    repeats = 0
    conflicts: list[tuple[int, str, int, int]] = []
    for row, (time, source, seq, leaves) in enumerate([*first, *second]):
        if row == len(first):
            kept, repeats, conflicts = len(known), 0, []
        for name, value in leaves.items():
            key = (time, source, seq, f"s.{name}")
            if key not in known:
                known[key] = value
            elif known[key] == value:
                repeats += 1
            else:
                conflicts.append((row - len(first), key[3], known[key], value))
    if not second:
        kept, repeats, conflicts = len(known), 0, []
    there = order(gather(observations(first), "s", {})).batch
    rest = subtract(gather(observations(second), "s", {}), there)
    assert [(*row[:4], row[4]) for row in told(there)] == sorted(
        (*key, value) for key, value in list(known.items())[:kept]
    )
    assert [(*row[:4], row[4]) for row in told(rest.batch)] == sorted(
        (*key, value) for key, value in list(known.items())[kept:]
    )
    assert rest.repeats == repeats
    assert [tuple(conflict) for conflict in rest.conflicts] == sorted(conflicts)


def test_another_quality_for_some_that_were_good() -> None:
    found = [Observation({"v": 1}, at, quality=quality) for at, quality in enumerate(QUALITIES)]
    made = batches.gather(found, "s", {})
    changed = batches.requalified(made, made.time < 2, "unset_clock")
    assert [changed.quality.names[code] for code in changed.quality.codes] == [
        "unset_clock",
        "odd",
        "good",
    ]
    assert batches.requalified(made, made.time == 1, "unset_clock") is made


QUALITIES = ("good", "odd", "good")
