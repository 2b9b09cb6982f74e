"""Chunks of others: nothing that stands in them crashes us or is believed."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from twincli import limits
from twincli.content import chunks, foreign, opening
from twincli.content.chunks import About, Reader, Writer
from twincli.errors import InvalidError
from twincli.model import batch as batches
from twincli.model.batch import gather
from twincli.model.manifest import Entry
from twincli.model.reading import Observation

T = 1_704_067_200_000_000
MIXED = [
    Observation({"t": 20.5, "n": 5, "ok": True, "tags": ["a", 1]}, T + 1, "it's", 3),
    Observation({"t": -0.5, "note": "ß"}, T, "b", 0, "suspect"),
    Observation({"t": 1.5}, T, "c"),
]


@pytest.fixture
def chunk(tmp_path: Path) -> tuple[Path, Entry]:
    batch = batches.order(gather(MIXED, "s", {})).batch
    path = tmp_path / "a.parquet"
    with Writer() as writer:
        writer.write(batch, About("s", {}, {"s.t": "C"}), str(path))
    return path, entry(path, 7)


def entry(path: Path, rows: int, first: int = T, last: int = T + 1) -> Entry:
    return Entry("", path.stat().st_size, rows, first, last)


def told(chunk: chunks.Chunk) -> list[Any]:
    return [
        (
            series.name,
            series.kind,
            series.time.tolist(),
            series.values.tolist(),
            [series.quality.names[code] for code in series.quality.codes],
            [series.source.names[code] for code in series.source.codes],
            series.seq.tolist(),
        )
        for series in chunk.series
    ]


def answered(path: Path, said: Entry) -> chunks.Chunk:
    """Return what is read, in this process and without its limits."""
    job = {"path": str(path), "rows": said.rows, "size": said.size}
    return foreign.checked(opening.answer(job), said, "s")


def test_a_good_one_is_read_and_written_again(chunk: tuple[Path, Entry]) -> None:
    path, said = chunk
    with Reader() as reader:
        own = reader.read(str(path))
    found = foreign.read(str(path), said, "s")
    assert told(found) == told(own)
    assert found.about == own.about
    assert told(answered(path, said)) == told(own)
    again = path.with_name("again")
    with Writer() as writer:
        assert writer.rewrite(found, str(again)) == said.rows
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"rows": 8}, "another number of rows"),
        ({"size": 5}, "size"),
        ({"first_us": T - 1}, "not those of its anchor"),
        ({"first_us": T + 1}, "outside those of its anchor"),
        ({"last_us": T}, "outside those of its anchor"),
    ],
)
def test_it_has_to_be_what_was_signed(
    chunk: tuple[Path, Entry], change: dict[str, int], part: str
) -> None:
    path, said = chunk
    with pytest.raises(InvalidError, match=part) as refused:
        answered(path, said._replace(**change))  # type: ignore[arg-type]
    assert refused.value.code == "invalid_chunk"
    with pytest.raises(InvalidError, match="belongs to the stream"):
        foreign.read(str(path), said, "other")


ROW = "'s.t' AS series, 1704067200000000::BIGINT AS ts, 1.5::DOUBLE AS f64, NULL::BIGINT AS i64, "
ROW += "NULL::VARCHAR AS text, NULL::BOOLEAN AS bool, 'good' AS quality, '' AS source, "
ROW += "0::BIGINT AS seq"
TEXT = ROW.replace("1.5::DOUBLE", "NULL::DOUBLE").replace("NULL::VARCHAR", "?")
KINDS = '{"v":1,"stream":"s","kinds":{"s.t":"f64"},"units":{},"given":{}}'


@pytest.mark.parametrize(
    ("sql", "about", "part"),
    [
        (f"SELECT {ROW}", KINDS, ""),
        ("SELECT 1 AS x", KINDS, "columns"),
        (f"SELECT {ROW.replace('BIGINT AS seq', 'INTEGER AS seq')}", KINDS, "columns"),
        (f"SELECT {ROW}", None, "does not say"),
        (f"SELECT {ROW}", "{}", "metadata"),
        (f"SELECT {ROW}", KINDS.replace('"s.t":"f64"', ""), "no series"),
        (f"SELECT {ROW}", KINDS.replace("f64", "i64"), "does not have"),
        (f"SELECT {ROW}", KINDS.replace('"s.t"', '"s.u"'), "does not have"),
        (f"SELECT {ROW.replace('1.5', 'NULL')}", KINDS, "exactly one value"),
        (f"SELECT {ROW.replace('NULL::BIGINT', '5::BIGINT')}", KINDS, "exactly one value"),
        (f"SELECT {ROW.replace('1.5', chr(39) + 'nan' + chr(39))}", KINDS, "not finite"),
        (f"SELECT {ROW.replace('0::BIGINT AS seq', '-1::BIGINT AS seq')}", KINDS, "negative seq"),
        (f"SELECT {ROW.replace('s.t', 'z.t')}", KINDS.replace("s.t", "z.t"), "not of its stream"),
        (f"SELECT {ROW.replace('s.t', 's.$t')}", KINDS.replace("s.t", "s.$t"), "start with"),
        (f"SELECT {ROW.replace(chr(39) * 2, 'repeat(chr(97), 300)')}", KINDS, "too long"),
        (
            f"SELECT {TEXT}".replace("?", "'[NaN]'"),
            KINDS.replace("f64", "list"),
            "list of JSON values",
        ),
        (
            f"SELECT {TEXT}".replace("?", "'{}'"),
            KINDS.replace("f64", "list"),
            "not one",
        ),
        (f"SELECT {ROW} UNION ALL SELECT {ROW}", KINDS, "twice"),
        (
            f"SELECT {ROW} UNION ALL SELECT {ROW.replace('s.t', 's.u')}",
            KINDS,
            "does not name",
        ),
    ],
)
def test_files_that_are_not_chunks(tmp_path: Path, sql: str, about: str | None, part: str) -> None:
    path = tmp_path / "a.parquet"
    said = "" if about is None else f", KV_METADATA {{twincli: '{about}'}}"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet{said})")
    rows = 2 if "UNION" in sql else 1
    if not part:
        assert answered(path, entry(path, rows, T, T)).series[0].values.tolist() == [1.5]
        return
    with pytest.raises(InvalidError, match=part) as refused:
        answered(path, entry(path, rows, T, T))
    assert refused.value.code == "invalid_chunk"


def damaged(data: bytes, dice: random.Random) -> bytes:
    """Return a file with one of the faults that disks, networks and enemies make."""
    made = bytearray(data)
    spot, size = dice.randrange(len(made)), dice.choice([1, 4, 16, 64])
    kind = dice.randrange(6)
    if kind == 0:
        for _ in range(dice.choice([1, 1, 4])):
            made[dice.randrange(len(made))] ^= 1 << dice.randrange(8)
    elif kind == 1:
        made[spot : spot + size] = bytes(len(made[spot : spot + size]))
    elif kind == 2:
        made[spot : spot + size] = dice.randbytes(len(made[spot : spot + size]))
    elif kind == 3:
        other = dice.randrange(len(made))
        made[spot : spot + size] = made[other : other + size]
    elif kind == 4:
        del made[spot : spot + size]
    else:  # the footer, and what says how long it is
        footer = int.from_bytes(data[-8:-4], "little")
        made[len(made) - 8 - dice.randrange(footer) :][:1] = b""
        at = len(made) - 8 - dice.randrange(-4, footer)
        made[at] = dice.randrange(256)
    return bytes(made)


def test_coordinates_are_read(tmp_path: Path) -> None:
    """They are a pair where they are pushed; in a chunk each is a series of its own."""
    places = [Observation({"latitude": at / 2, "longitude": at / 4}, T + at) for at in range(3)]
    path = tmp_path / "a.parquet"
    with Writer() as writer:
        writer.write(gather(places, "s", {}), About("s", {}), str(path))
    found = foreign.read(str(path), entry(path, 6, T, T + 2), "s")
    assert [series.name for series in found.series] == ["s.latitude", "s.longitude"]


def damage(path: Path, said: Entry, count: int) -> None:
    data = path.read_bytes()
    dice = random.Random(12)
    for _ in range(count):
        path.write_bytes(damaged(data, dice))
        found = tried(path, said._replace(size=path.stat().st_size))
        if found is not None:
            # Another value that is well formed is what the CID is for.
            assert sum(len(series.time) for series in found.series) == said.rows


def tried(path: Path, said: Entry) -> chunks.Chunk | None:
    try:
        return answered(path, said)
    except InvalidError:
        return None


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "count",
    [
        50,
        pytest.param(500, marks=pytest.mark.ci),
        pytest.param(10_000, marks=pytest.mark.nightly),
    ],
)
def test_damaged_files_are_refused(chunk: tuple[Path, Entry], count: int) -> None:
    damage(*chunk, count)


def test_damaged_files_are_refused_in_a_child_too(chunk: tuple[Path, Entry]) -> None:
    path, said = chunk
    data, dice = path.read_bytes(), random.Random(5)
    for _ in range(5):
        path.write_bytes(damaged(data, dice))
        now = said._replace(size=path.stat().st_size)
        wanted = tried(path, now)
        if wanted is None:
            with pytest.raises(InvalidError):
                foreign.read(str(path), now, "s")
        else:
            assert told(foreign.read(str(path), now, "s")) == told(wanted)


def test_a_child_that_dies_is_a_refused_chunk(
    chunk: tuple[Path, Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, said = chunk
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(InvalidError, match="died"):
        foreign.read(str(path), said, "s")

    def late(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("x", 1)

    monkeypatch.setattr(subprocess, "run", late)
    with pytest.raises(InvalidError, match="too long"):
        foreign.read(str(path), said, "s")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[]\n",
        b'{"about": 5, "series": []}\n',
        json.dumps({"about": KINDS, "series": []}).encode() + b"\n",
        json.dumps(
            {"about": KINDS, "series": [{"name": "s.t", "kind": "f64", "count": 1}]}
        ).encode()
        + b"\n12345678",
        json.dumps(
            {
                "about": KINDS,
                "series": [
                    {
                        "name": "s.t",
                        "kind": "f64",
                        "count": 1,
                        "qualities": ["good"],
                        "sources": [""],
                    }
                ],
            }
        ).encode()
        + b"\n"
        + np.array([T, 0, 7, 0, 0], dtype="<i8").tobytes(),
    ],
)
def test_an_answer_is_not_believed(answer: bytes) -> None:
    with pytest.raises(InvalidError) as refused:
        foreign.checked(answer, Entry("", 5, 1, T, T), "s")
    assert refused.value.code == "invalid_chunk"


def test_the_engine_is_locked(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    connection = opening.engine(str(tmp_path / "a.parquet"))
    for sql in (
        f"SELECT * FROM read_csv('{secret}')",
        f"SELECT * FROM read_text('{secret}')",
        f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
        f"ATTACH '{tmp_path / 'x.db'}'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(sql)


def test_the_child_takes_its_rights_away(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "setrlimit", taken.__setitem__)
    limits.limit(foreign.MEMORY_BYTES, foreign.SECONDS)
    assert taken[resource.RLIMIT_FSIZE] == (0, 0)
    assert taken[resource.RLIMIT_AS][0] <= foreign.MEMORY_BYTES
