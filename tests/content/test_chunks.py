"""Chunks: cut, written, read back; the same readings give the same bytes."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twincli.content import chunks
from twincli.content.chunks import About, Reader, Writer
from twincli.errors import ConfigError, InvalidError
from twincli.model import batch as batches
from twincli.model.batch import gather
from twincli.model.reading import Observation

DAY = 86_400_000_000
T = 1_704_067_200_000_000


def written(path: Path, observations: list[Observation], name: str = "a.parquet") -> Path:
    kinds: dict[str, str] = {}
    batch = batches.order(gather(observations, "s", kinds)).batch
    with Writer() as writer:
        count = writer.write(batch, About("s", {}, {"s.t": "C", "s.gone": "m"}), str(path / name))
    assert count == batch.readings
    return path / name


MIXED = [
    Observation({"t": 20.5, "n": 5, "ok": True, "tags": ["a", 1]}, T + 1, "it's", 3),
    Observation({"t": -0.0, "note": "ß \n 'x'"}, T, "b", 0, "suspect"),
    Observation({"t": 5e-324, "n": -(2**63)}, T + 2, "b", 2**63 - 1),
]


def test_readings_come_back(tmp_path: Path) -> None:
    path = written(tmp_path, MIXED)
    with Reader() as reader:
        chunk = reader.read(str(path))
        assert chunk.about == About(
            "s",
            {"s.t": "f64", "s.n": "i64", "s.ok": "bool", "s.tags": "list", "s.note": "text"},
            {"s.t": "C"},
        )
        told = {
            series.name: [
                (time, value, series.quality.names[quality], series.source.names[source], seq)
                for time, value, quality, source, seq in zip(
                    series.time.tolist(),
                    series.values.tolist(),
                    series.quality.codes.tolist(),
                    series.source.codes.tolist(),
                    series.seq.tolist(),
                    strict=True,
                )
            ]
            for series in chunk.series
        }
        assert told == {
            "s.n": [(T + 1, 5, "good", "it's", 3), (T + 2, -(2**63), "good", "b", 2**63 - 1)],
            "s.note": [(T, "ß \n 'x'", "suspect", "b", 0)],
            "s.ok": [(T + 1, True, "good", "it's", 3)],
            "s.t": [
                (T, -0.0, "suspect", "b", 0),
                (T + 1, 20.5, "good", "it's", 3),
                (T + 2, 5e-324, "good", "b", 2**63 - 1),
            ],
            "s.tags": [(T + 1, '["a",1]', "good", "it's", 3)],
        }
        assert np.signbit(chunk.series[3].values[0])
        part = reader.read(str(path), chunk.about, names=["s.t", "s.x"], since_us=T + 1)
        assert [series.time.tolist() for series in part.series] == [[T + 1, T + 2]]
        assert reader.read(str(path), names=["s.n"], until_us=T + 1).series == ()
        time, values, suspect = reader.values(str(path), "s.t", "f64", None, T + 2)
        assert suspect is not None
        assert (time.tolist(), values.tolist(), suspect.tolist()) == (
            [T, T + 1],
            [0.0, 20.5],
            [True, False],
        )


def test_what_was_stored_is_there_already(tmp_path: Path) -> None:
    path = written(tmp_path, MIXED)
    with Reader() as reader:
        there = chunks.as_batch(reader.read(str(path)))
        nothing = chunks.as_batch(reader.read(str(path), names=[]))
    kinds: dict[str, str] = {}
    again = batches.subtract(gather(MIXED, "s", kinds), there)
    assert (again.batch.readings, again.repeats, again.conflicts) == (0, 8, ())
    assert batches.subtract(gather(MIXED, "s", kinds), nothing).batch.readings == 8
    assert nothing.readings == 0


def test_the_same_readings_give_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path, MIXED)
    second = written(tmp_path, [*reversed(MIXED)], "b.parquet")
    assert first.read_bytes() == second.read_bytes()


def test_an_unmixed_chunk(tmp_path: Path) -> None:
    path = written(tmp_path, [Observation({"t": float(n)}, T + n) for n in range(5)])
    with Reader() as reader:
        (series,) = reader.read(str(path)).series
    assert series.values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert not series.suspect.any()


def test_a_rule_doubts_one_value(tmp_path: Path) -> None:
    batch = gather([Observation({"t": 1.5, "u": 2.5}, T)], "s", {})
    first, second = batch.columns
    batch = batch._replace(columns=(first._replace(suspect=np.array([True])), second))
    with Writer() as writer, Reader() as reader:
        writer.write(batch, About("s", {}), str(tmp_path / "a"))
        chunk = reader.read(str(tmp_path / "a"))
    assert [series.suspect.tolist() for series in chunk.series] == [[True], [False]]
    back = chunks.as_batch(chunk)
    assert [column.suspect is not None for column in back.columns] == [True, False]


_sizes = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=40)


@given(_sizes, st.integers(3, 9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cut_at_days_and_rows(
    monkeypatch: pytest.MonkeyPatch, found: list[tuple[int, int]], most: int
) -> None:
    monkeypatch.setattr(chunks, "MAX_ROWS", most)
    observations = [
        Observation({f"x{n}": n for n in range(size)}, day * DAY + at)
        for at, (day, size) in enumerate(found)
    ]
    batch = batches.order(gather(observations, "s", {})).batch
    parts = list(chunks.cut(batch))
    assert np.concatenate([part.time for part in parts]).tolist() == batch.time.tolist()
    for part in parts:
        assert 0 < part.readings <= most
        assert len(set((part.time // DAY).tolist())) == 1
    for part, after in pairwise(parts):
        one_more = batches.select(after, slice(0, 1))
        assert (
            part.readings + one_more.readings > most
            or part.time[0] // DAY != one_more.time[0] // DAY
        )


def test_nothing_is_not_a_chunk(tmp_path: Path) -> None:
    empty = batches.select(gather(MIXED, "s", {}), slice(0, 0))
    assert list(chunks.cut(empty)) == []
    with Writer() as writer, pytest.raises(InvalidError, match="without readings"):
        writer.write(empty, About("s", {}), str(tmp_path / "a"))


def test_what_cannot_be_written_or_read(tmp_path: Path) -> None:
    batch = gather(MIXED, "s", {})
    with Writer() as writer, pytest.raises(ConfigError, match="cannot write"):
        writer.write(batch, About("s", {}), str(tmp_path / "no" / "a"))
    path = written(tmp_path, MIXED)
    data = bytearray(path.read_bytes())
    for damaged in (b"", bytes(data[:-50]), b"PAR1" + bytes(100) + b"PAR1"):
        (tmp_path / "b").write_bytes(damaged)
        with Reader() as reader, pytest.raises(ConfigError) as refused:
            reader.read(str(tmp_path / "b"))
        assert refused.value.code == "damaged_chunk"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"5",
        b'{"v":2,"stream":"s","kinds":{},"units":{},"given":{}}',
        b'{"v":1,"stream":"s","kinds":{"a":"f32"},"units":{},"given":{}}',
        b'{"v":1,"stream":"s","kinds":[],"units":{},"given":{}}',
        b"[" * 100_000,
    ],
)
def test_metadata_that_is_not_ours(data: bytes) -> None:
    with pytest.raises(ConfigError, match="metadata"):
        chunks.read_about(data, "x")


def test_without_duckdb_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    made: Any = Writer
    with pytest.raises(ConfigError, match="duckdb") as refused:
        made()
    assert refused.value.code == "missing_extra"


def test_chunks_without_suspect_readings_are_known(tmp_path: Path) -> None:
    good = Observation({"value": 1.0}, MIXED[0].time_us)
    paths = [
        str(written(tmp_path, [good._replace(quality=quality)], f"{number}.parquet"))
        for number, quality in enumerate(("good", "odd", "good"))
    ]
    with Reader() as reader:
        assert reader.good(paths) == {paths[0], paths[2]}
        time_us, values, suspect = reader.values(
            paths[0], "s.value", "f64", None, None, is_only=True, is_good=True
        )
        assert (time_us.tolist(), values.tolist(), suspect) == ([good.time_us], [1.0], None)
        assert reader.good([*paths, str(tmp_path / "gone")]) == set()  # reading it says so
