"""Chunks of others are opened once; what they hold is written again and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from twincli.content import chunks, foreign
from twincli.content.chunks import About, Chunk, Reader, Writer
from twincli.content.copies import Copies
from twincli.content.store import Blobs
from twincli.errors import ConfigError, InvalidError
from twincli.model import batch as batches
from twincli.model.manifest import Entry
from twincli.model.reading import Observation

T = 1_704_067_200_000_000


class Home:
    """Content, what is known of it, and how often a child was started."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.blobs = Blobs(str(directory / "content"))
        self.opened = 0
        read = foreign.read

        def counted(path: str, entry: Entry, stream: str) -> Chunk:
            self.opened += 1
            return read(path, entry, stream)

        monkeypatch.setattr(foreign, "read", counted)

    @property
    def copies(self) -> Copies:
        return Copies(self.blobs, str(self.directory / "copies"))

    def values(self, entry: Entry, stream: str = "s") -> list[float]:
        with Reader() as reader:
            found: list[float] = (
                reader.read(self.copies.path(entry, stream)).series[0].values.tolist()
            )
        return found

    def put(self, path: Path) -> Entry:
        with path.open("rb") as file:
            stored = self.blobs.put(file)
        return Entry(stored.cid, stored.size, 20, T, T + 19)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(tmp_path, monkeypatch)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    rows = [Observation({"v": at / 2}, T + at, "a" if at % 2 else "b") for at in range(20)]
    path = tmp_path / "a.parquet"
    with Writer() as writer:
        writer.write(batches.gather(rows, "s", {}), About("s", {}), str(path))
    return path


@pytest.fixture
def strange(written: Path) -> Path:
    """The same readings, as another program writes them."""
    with Reader() as reader:
        text = reader.about(str(written)).text
    path = written.with_name("b.parquet")
    duckdb.sql(
        f"COPY (SELECT * FROM read_parquet('{written}')) TO '{path}' (FORMAT parquet,"
        f" COMPRESSION gzip, ROW_GROUP_SIZE 2048, KV_METADATA {{{chunks.KEY}: '{text}'}})"
    )
    return path


VALUES = [at / 2 for at in range(20)]


def test_what_this_home_wrote_is_read_as_it_is(home: Home, written: Path) -> None:
    entry = home.put(written)
    home.copies.wrote([entry], "s")
    assert home.copies.path(entry, "s") == home.blobs.path(entry.cid)
    assert home.opened == 0


def test_a_chunk_of_somebody_else_is_opened_once(home: Home, strange: Path) -> None:
    entry = home.put(strange)
    assert [sorted(home.values(entry)) for _ in range(3)] == [VALUES] * 3
    assert home.opened == 1
    assert home.copies.path(entry, "s") != home.blobs.path(entry.cid)
    # A copy that was altered or lost is made again.
    copy = Path(home.copies.path(entry, "s"))
    copy.chmod(0o600)
    copy.write_bytes(copy.read_bytes()[:-1] + b"x")
    assert sorted(home.values(entry)) == VALUES
    copy.unlink()
    assert sorted(home.values(entry)) == VALUES
    assert home.opened == 3


def test_the_same_bytes_need_no_copy(home: Home, written: Path) -> None:
    """As when what is known of streams was lost."""
    entry = home.put(written)
    assert home.copies.path(entry, "s") == home.blobs.path(entry.cid)
    assert home.copies.path(entry, "s") == home.blobs.path(entry.cid)
    assert (home.opened, list(Blobs(str(home.directory / "copies")).cids())) == (1, [])


@pytest.mark.parametrize(
    "change", [{"rows": 19}, {"first_us": T + 1}, {"last_us": T + 20}, {"size": 5}]
)
def test_an_anchor_that_lies_is_not_believed_later(
    home: Home, written: Path, change: dict[str, Any]
) -> None:
    entry = home.put(written)
    home.copies.wrote([entry], "s")
    for _ in range(2):
        with pytest.raises(InvalidError):
            home.copies.path(entry._replace(**change), "s")
    with pytest.raises(InvalidError):
        home.copies.path(entry, "other")
    assert not home.copies.is_known(entry._replace(**change), "s")
    assert home.copies.is_known(entry, "s")


def test_a_copy_that_cannot_be_written(home: Home, strange: Path) -> None:
    entry = home.put(strange)
    (home.directory / "copies").write_text("a file")
    with pytest.raises(ConfigError):
        home.copies.path(entry, "s")
