"""Chunks: up to 65,536 readings of one UTC day in a Parquet file, which is kept by its CID.

Columns: ``series``, ``ts`` (microseconds since the epoch), ``f64 i64 text bool`` of which one is
set, ``quality``, ``source``, ``seq``. Rows are in the order of series, time, source and seq. The
file's metadata has a JSON text under ``twincli``: format version, stream, the kind of each series,
units. The same readings give the same bytes.

``duckdb`` writes and reads them (``pip install "twincli[data]"``). Only files that this home wrote
are read here; for others there is ``content.foreign``.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError, InvalidError
from twincli.model import batch as batches
from twincli.model import reading
from twincli.model.batch import Batch, Column, Labels, load_numpy
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    from twincli.model.batch import Array

MAX_ROWS = 65_536
VERSION = 1
KEY = "twincli"
COLUMNS = (
    ("series", "VARCHAR"),
    ("ts", "BIGINT"),
    ("f64", "DOUBLE"),
    ("i64", "BIGINT"),
    ("text", "VARCHAR"),
    ("bool", "BOOLEAN"),
    ("quality", "VARCHAR"),
    ("source", "VARCHAR"),
    ("seq", "BIGINT"),
)
"""The columns of a chunk and their types, as DuckDB calls them."""

_DAY_US = 86_400_000_000
_VALUES = {"f64": "f64", "i64": "i64", "text": "text", "bool": "bool", "list": "text"}


class About(NamedTuple):
    """What a chunk says about itself.

    Attributes:
        stream: The stream.
        kinds: The kind of each series.
        units: The unit in which the values of a series are kept.
        given: The unit in which they were given, where that is another one.
    """

    stream: str
    kinds: Mapping[str, str]
    units: Mapping[str, str] = {}
    given: Mapping[str, str] = {}

    @property
    def text(self) -> str:
        """As it stands in the file."""
        return json.dumps(
            {
                "v": VERSION,
                "stream": self.stream,
                "kinds": dict(self.kinds),
                "units": dict(self.units),
                "given": dict(self.given),
            },
            sort_keys=True,
            ensure_ascii=False,
            separators=(",", ":"),
        )


class Series(NamedTuple):
    """The readings of one series, in the order of time, source and seq.

    Attributes:
        name: Stream and path.
        kind: One of `reading.KINDS`; the values of a list are its JSON.
        time: Microseconds.
        values: As in a `Column`.
        quality, source, seq: Of each reading.
    """

    name: str
    kind: str
    time: Array
    values: Array
    quality: Labels
    source: Labels
    seq: Array

    @property
    def suspect(self) -> Array:
        """Which readings are suspect."""
        np = load_numpy()
        bad = np.array([not reading.is_good(name) for name in self.quality.names], dtype=bool)
        return bad[self.quality.codes] if len(bad) else np.zeros(0, dtype=bool)


class Chunk(NamedTuple):
    """What a chunk holds.

    Attributes:
        about: What it says about itself.
        series: By name.
    """

    about: About
    series: tuple[Series, ...]


def load_duckdb() -> Any:
    """Return duckdb.

    Raises:
        ConfigError: ``missing_extra``.
    """
    try:
        import duckdb
    except ImportError as error:
        raise ConfigError(
            "queries and bulk readings need an extra package, duckdb",
            code="missing_extra",
            hint='pip install "twincli[data]"',
        ) from error
    return duckdb


def connect() -> Any:
    """Return an engine of one thread, which says nothing.

    Raises:
        ConfigError: ``missing_extra``.
    """
    connection = load_duckdb().connect(":memory:", config={"threads": "1"})
    connection.execute("SET enable_progress_bar = false")  # it would go to stdout
    return connection


def cut(batch: Batch) -> Iterator[Batch]:
    """Yield the parts of a batch that become a chunk each.

    Args:
        batch: In order.
    """
    np = load_numpy()
    rows = len(batch.time)
    if rows == 0:
        return
    counts = np.zeros(rows, dtype=np.int64)
    for column in batch.columns:
        counts += 1 if column.valid is None else column.valid
    total = np.concatenate([[0], np.cumsum(counts)])
    days = batch.time // _DAY_US
    ends = np.append(np.flatnonzero(days[1:] != days[:-1]) + 1, rows)
    begin = 0
    for end in ends.tolist():
        while begin < end:
            # As many whole observations as there is room for; one alone always fits.
            room = int(np.searchsorted(total, total[begin] + MAX_ROWS, side="right")) - 1
            stop = min(end, room)
            yield batches.select(batch, slice(begin, stop))
            begin = stop


class Writer:
    """Writes chunks. One at a time; several writers may work in threads."""

    def __init__(self) -> None:
        self._connection = connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def write(self, batch: Batch, about: About, path: str) -> int:
        """Write a part that `cut` yielded to a file; return the number of readings.

        Args:
            batch: The observations.
            about: Its ``kinds`` may name more series than the batch has; those are left out.
            path: A file that does not exist yet.

        Raises:
            ConfigError: ``cannot_write``.
        """
        return self.rewrite(of_batch(batch, about), path)

    def rewrite(self, chunk: Chunk, path: str) -> int:
        """Write what a chunk holds to a file; return the number of readings.

        Args:
            chunk: All of it, in order.
            path: A file that does not exist yet.

        Raises:
            ConfigError: ``cannot_write``.
        """
        about, kinds = chunk.about, {series.name: series.kind for series in chunk.series}
        if not kinds:
            raise InvalidError("a chunk without readings is not written", code="invalid_chunk")
        data, chosen = _long(chunk)
        units = {name: unit for name, unit in about.units.items() if name in kinds}
        given = {name: unit for name, unit in about.given.items() if name in kinds}
        text = About(about.stream, kinds, units, given).text
        self._connection.register("chunk", data)
        try:
            self._connection.execute(
                f"COPY (SELECT {chosen} FROM chunk) TO {_quoted(path)} (FORMAT parquet, "  # noqa: S608
                f"COMPRESSION zstd, ROW_GROUP_SIZE {MAX_ROWS}, USE_TMP_FILE false, "
                f"KV_METADATA {{{KEY}: {_quoted(text)}}})"
            )
        except load_duckdb().IOException as error:
            raise ConfigError(
                f"cannot write {path}: {str(error).splitlines()[0]}", code="cannot_write"
            ) from error
        finally:
            self._connection.unregister("chunk")
        return len(data["ts"])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _long(chunk: Chunk) -> tuple[dict[str, Any], str]:
    """Return the rows of a chunk as arrays, and what is selected of them."""
    np = load_numpy()
    parts: dict[str, list[Any]] = {name: [] for name, _ in COLUMNS[2:6]}
    count = 0
    for series in chunk.series:
        parts[_VALUES[series.kind]].append((count, series.values))
        count += len(series.time)
    data: dict[str, Any] = {
        "ts": np.concatenate([series.time for series in chunk.series]),
        "seq": np.concatenate([series.seq for series in chunk.series]),
    }
    chosen = dict.fromkeys((name for name, _ in COLUMNS))
    names = tuple(series.name for series in chunk.series)
    for name, found in (
        ("series", Labels(names, _repeated([len(series.time) for series in chunk.series]))),
        ("quality", _joined([series.quality for series in chunk.series])),
        ("source", _joined([series.source for series in chunk.series])),
    ):
        if (found.codes == found.codes[0]).all():
            # As an enumeration it is written as the same text, without looking at every row.
            text = _quoted(found.names[found.codes[0]])
            chosen[name] = f"CAST({text} AS ENUM({text})) AS {name}"
        else:
            data[name] = np.array(found.names, dtype=object)[found.codes]
    for name, kind in COLUMNS[2:6]:
        if not parts[name]:
            chosen[name] = f"CAST(NULL AS {kind}) AS {name}"
        elif sum(len(values) for _, values in parts[name]) == count:
            data[name] = np.concatenate([values for _, values in parts[name]])
        else:
            whole = (
                np.full(count, None, dtype=object)
                if name == "text"
                else np.ma.masked_all(count, dtype=parts[name][0][1].dtype)
            )
            for begin, values in parts[name]:
                whole[begin : begin + len(values)] = values
            data[name] = whole
    return data, ", ".join(chosen[name] or name for name, _ in COLUMNS)


def _joined(labels: Sequence[Labels]) -> Labels:
    """Return labels behind each other."""
    np = load_numpy()
    if all(each.names == labels[0].names for each in labels):
        return Labels(labels[0].names, np.concatenate([each.codes for each in labels]))
    known: dict[str, int] = {}
    codes = []
    for each in labels:
        places = [known.setdefault(name, len(known)) for name in each.names]
        codes.append(np.array(places, dtype=np.int32)[each.codes])
    return Labels(tuple(known), np.concatenate(codes))


def _repeated(sizes: Sequence[int]) -> Array:
    np = load_numpy()
    return np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)


# --- Reading -------------------------------------------------------------------------------------


class Reader:
    """Reads chunks that this home wrote. Not for several threads at once."""

    def __init__(self) -> None:
        self._connection = connect()
        load_numpy()  # with which the engine answers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def about(self, path: str) -> About:
        """Return what a chunk says about itself.

        Raises:
            ConfigError: ``damaged_chunk``: the file is not one that this home wrote.
        """
        found = self._run(
            path,
            "SELECT value FROM parquet_kv_metadata($path) WHERE key = $key",
            {"path": path, "key": KEY},
        ).fetchone()
        return read_about(found[0] if found else b"", path)

    def read(
        self,
        path: str,
        about: About | None = None,
        *,
        names: Sequence[str] | None = None,
        since_us: int | None = None,
        until_us: int | None = None,
    ) -> Chunk:
        """Return the readings of a chunk.

        Args:
            path: The file.
            about: What it says about itself, if that is known.
            names: The series that are wanted; None: all.
            since_us: The earliest time.
            until_us: The time before which all are.

        Raises:
            ConfigError: ``damaged_chunk``.
        """
        about = about or self.about(path)
        wanted = sorted(about.kinds if names is None else set(names) & about.kinds.keys())
        found = (self._series(path, name, about.kinds[name], since_us, until_us) for name in wanted)
        return Chunk(about, tuple(each for each in found if len(each.time)))

    def good(self, paths: Sequence[str]) -> set[str]:
        """Return those of some chunks in which no reading is suspect.

        The engine sees it from what their footers say, mostly; asking each row takes a third of
        the time in which a chunk is read. A damaged one is for `values` to name.
        """
        try:
            doubted = self._connection.execute(
                "SELECT DISTINCT filename FROM read_parquet($paths, filename = true)"
                " WHERE quality <> $good",
                {"paths": [*paths], "good": reading.GOOD},
            ).fetchall()
        except load_duckdb().Error:
            return set()
        return set(paths).difference(path for (path,) in doubted)

    def values(
        self,
        path: str,
        name: str,
        kind: str,
        since_us: int | None,
        until_us: int | None,
        *,
        is_only: bool = False,
        is_good: bool = False,
    ) -> tuple[Array, Array, Array | None]:
        """Return times, values and which are suspect of one series; all that a sum needs.

        Args:
            path: The file.
            name: The series.
            kind: Of its values.
            since_us: The earliest time.
            until_us: The time before which all are.
            is_only: Whether the chunk has no other series.
            is_good: Whether `good` says that no reading is suspect; then the last is None.

        Raises:
            ConfigError: ``damaged_chunk``.
        """
        column = _VALUES[kind]
        parts, values = _where(None if is_only else name, since_us, until_us)
        if not is_good:
            values["good"] = reading.GOOD
        found = self._run(
            path,
            f"SELECT ts, {column}{'' if is_good else ', quality <> $good AS suspect'}"  # noqa: S608
            f" FROM read_parquet($path){parts}",
            {"path": path, **values},
        ).fetchnumpy()
        return found["ts"], found[column], None if is_good else found["suspect"]

    def _series(
        self, path: str, name: str, kind: str, since_us: int | None, until_us: int | None
    ) -> Series:
        column = _VALUES[kind]
        where, values = _where(name, since_us, until_us)
        found = self._run(
            path,
            f"SELECT ts, {column}, quality, source, seq"  # noqa: S608
            f" FROM read_parquet($path){where}",
            {"path": path, **values},
        ).fetchnumpy()
        return Series(
            name,
            kind,
            found["ts"],
            found[column],
            _labels_of(found["quality"]),
            _labels_of(found["source"]),
            found["seq"],
        )

    def _run(self, path: str, sql: str, values: Mapping[str, Any]) -> Any:
        duckdb = load_duckdb()
        try:
            return self._connection.execute(sql, values)
        except duckdb.Error as error:
            raise _damaged(path, str(error).splitlines()[0]) from error


def read_about(data: bytes, path: str) -> About:
    """Return what a chunk says about itself.

    Raises:
        ConfigError: ``damaged_chunk``.
    """
    try:
        value = json.loads(data)
        about = About(value["stream"], value["kinds"], value["units"], value["given"])
        if value["v"] != VERSION or not set(about.kinds.values()) <= set(reading.KINDS):
            raise ValueError(value["v"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(path, "its metadata is not that of a chunk") from error
    return about


def _damaged(path: str, why: str) -> ConfigError:
    return ConfigError(
        f"the chunk {os.path.basename(path)} cannot be read: {why}",
        code="damaged_chunk",
        hint="it was altered here; bring it again from a node or a bundle",
    )


def _where(
    name: str | None, since_us: int | None, until_us: int | None
) -> tuple[str, dict[str, str | int]]:
    parts = []
    values: dict[str, str | int] = {}
    if name is not None:
        parts.append("series = $name")
        values["name"] = name
    if since_us is not None:
        parts.append("ts >= $since")
        values["since"] = since_us
    if until_us is not None:
        parts.append("ts < $until")
        values["until"] = until_us
    return f" WHERE {' AND '.join(parts)}" if parts else "", values


def _labels_of(texts: Array) -> Labels:
    np = load_numpy()
    if len(texts) and (texts == texts[0]).all():
        return batches.same_label(texts[0], len(texts))
    names, codes = np.unique(texts, return_inverse=True)
    return Labels(tuple(names), codes.astype(np.int32))


def of_batch(batch: Batch, about: About) -> Chunk:
    """Return what `Reader.read` gives of a part that was just written, without reading it.

    Args:
        batch: What `cut` yielded.
        about: As `Writer.write` got it.
    """
    np = load_numpy()
    found = []
    for column in sorted(batch.columns, key=lambda each: each.series):
        rows = slice(None) if column.valid is None else np.flatnonzero(column.valid)
        time = batch.time[rows]
        if len(time) == 0:
            continue
        quality = Labels(batch.quality.names, batch.quality.codes[rows])
        if column.suspect is not None:
            codes = np.where(column.suspect[rows], len(quality.names), quality.codes)
            quality = Labels((*quality.names, reading.SUSPECT), codes)
        found.append(
            Series(
                column.series,
                column.kind,
                time,
                column.values[rows],
                quality,
                Labels(batch.source.names, batch.source.codes[rows]),
                batch.seq[rows],
            )
        )
    kinds = {series.name: series.kind for series in found}
    return Chunk(About(about.stream, kinds, about.units, about.given), tuple(found))


def as_batch(chunk: Chunk) -> Batch:
    """Return the observations of a chunk, in order, as `batches.subtract` wants what is there.

    Whether a reading is suspect stands with its series; the words of its quality are left out.
    """
    np = load_numpy()
    whole: Batch | None = None
    for series in chunk.series:
        suspect = series.suspect
        part = Batch(
            series.time,
            series.source,
            series.seq,
            batches.same_label(reading.GOOD, len(series.time)),
            (
                Column(
                    series.name,
                    series.kind,
                    series.values,
                    None,
                    suspect if suspect.any() else None,
                ),
            ),
        )
        whole = part if whole is None else batches.join(whole, part)
    if whole is None:
        empty = np.zeros(0, dtype=np.int64)
        none = Labels((), np.zeros(0, dtype=np.int32))
        return Batch(empty, none, empty, none, ())
    return batches.order(whole).batch
