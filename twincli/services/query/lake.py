"""Publish streams as a Delta table, which grows with each export and is never rewritten.

A chunk is copied byte by byte if it is as this home writes them. One that is not was checked by a
process with limits and is written again, so that no engine reads a stranger's file; its CID stays
beside its rows. Readings that stand in transactions become files of their own, each row with its
transaction. What does not count about a twin is left out, and is taken out again when a grant is
taken back.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import uuid
from typing import TYPE_CHECKING, Any

from twincli import __version__
from twincli.content import chunks
from twincli.errors import ConfigError, ConflictError
from twincli.formats import delta
from twincli.formats.delta import File
from twincli.model import inline, reading, record, times
from twincli.model.batch import load_numpy
from twincli.services.query.query import COUNTED
from twincli.services.stream import streams
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from twincli.client.tables import Place
    from twincli.content.chunks import Chunk
    from twincli.formats.delta import Table
    from twincli.model.manifest import Entry
    from twincli.services.query.feed import Feed
    from twincli.services.stream.streams import Stream
    from twincli.services.workspace import Workspace

TRIES = 10
"""Commits that another export may win before this one gives up."""
BATCH = 50_000
"""Observations of transactions in one step."""


class Exported(NamedTuple):
    """What an export did.

    Attributes:
        version: Of the table.
        added, removed: Files.
        readings: In the files that were added.
        streams: Those that were looked at: twin, name.
        warnings: What was left out.
    """

    version: int
    added: int
    removed: int
    readings: int
    streams: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def export(
    workspace: Workspace,
    feed: Feed,
    twins: Sequence[str],
    place: Place,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Bring a table up to date with the streams of twins.

    Args:
        workspace: Rooms.
        feed: Reads chunks.
        twins: Ids.
        place: Where the table is.
        progress: Called with files that are written, and how many there are.

    Raises:
        ConflictError: ``foreign_table``: it is not a table of this ledger; ``busy``.
        UndeterminedError: ``missing_content``: a chunk is not here.
        NotVerifiedError: ``altered``.
    """
    for _ in range(TRIES):
        table = _opened(workspace, place)
        found = _Difference(workspace, feed, place, table)
        for twin_id in twins:
            found.look(twin_id)
        done = found.commit(progress)
        if done is not None:
            return done
    raise ConflictError(
        f"others keep writing to {place.location}", code="busy", hint="try again later"
    )


def _opened(workspace: Workspace, place: Place) -> Table:
    """Return the table, made where nothing is."""
    ledger_id = workspace.client.ledger_id
    names = sorted(name for name in place.names(delta.LOG) if name.endswith(".json"))
    names = [name for name in names if name[:-5].isdigit()]
    if not names:
        if not place.is_empty():
            raise delta.foreign(f"{place.location} holds other files")
        made = delta.creation(str(uuid.uuid4()), ledger_id, workspace.now())
        place.put_new(delta.name_of(0), _commit(workspace, made))
        names = [os.path.basename(delta.name_of(0))]
    expected = [os.path.basename(delta.name_of(version)) for version in range(len(names))]
    if names != expected:
        raise delta.foreign("another program has shortened its log")
    table = delta.replay(place.read(f"{delta.LOG}/{name}") for name in names)
    if table.ledger_id != ledger_id:
        raise delta.foreign("it holds readings of another ledger")
    return table


def _commit(workspace: Workspace, actions: Sequence[dict[str, Any]]) -> bytes:
    return delta.commit(actions, f"twincli/{__version__}", workspace.now())


class _Said(NamedTuple):
    """Readings of one transaction.

    Attributes:
        number: Its place in the chain of its stream, counted in records.
        tx_id: The transaction.
        size: How many observations it has.
    """

    number: int
    tx_id: str
    size: int


class _Chunk(NamedTuple):
    """A chunk of one transaction."""

    number: int
    tx_id: str
    entry: Entry


class _Job(NamedTuple):
    """What the table is to have: a chunk, or readings of transactions.

    Attributes:
        stream: The stream.
        twin_name: As the twin's creator gave it, or None.
        head: What the paths of its files begin with.
        what: A chunk, or transactions.
    """

    stream: Stream
    twin_name: str | None
    head: str
    what: _Chunk | list[_Said]

    def file(self, name: str, size: int, day: str, part: _Part) -> File:
        """Return a file of it as the log has it."""
        chunk = self.what if isinstance(self.what, _Chunk) else None
        partition = {
            "twin": self.stream.twin_id,
            "twin_name": self.twin_name,
            "stream": self.stream.name,
            "day": day,
            "chunk": None if chunk is None else chunk.entry.cid,
            "anchor": None if chunk is None else chunk.tx_id,
            "anchor_number": None if chunk is None else str(chunk.number),
        }
        return File(name, size, part.rows, part.first_us, part.last_us, partition, part.kinds)


class _Part(NamedTuple):
    """What is in a file."""

    rows: int
    first_us: int
    last_us: int
    kinds: Mapping[str, str]


class _Difference:
    """What a table lacks, and what it has too much."""

    def __init__(self, workspace: Workspace, feed: Feed, place: Place, table: Table) -> None:
        self._workspace = workspace
        self._feed = feed
        self._place = place
        self._table = table
        self._jobs: list[_Job] = []
        self._gone: list[str] = []
        self._streams: list[tuple[str, str]] = []
        self._warnings: list[str] = []
        self._left: dict[str, dict[str, int]] = {}
        self._held: dict[str, dict[str, list[str]]] = {}
        for path in table.files:
            # A chunk of others is in several files, one a day, and readings of transactions, too.
            directory, head = path.partition("/")[0], path.partition(".")[0]
            self._held.setdefault(directory, {}).setdefault(head, []).append(path)

    def look(self, twin_id: str) -> None:
        """Compare the streams of a twin with the table."""
        create = self._workspace.client.required(twin_id).tx
        name = record.text(record.creating_envelope(create).get("name"))
        for stream in streams.of_twin(self._workspace, twin_id):
            if stream.is_encrypted:
                self._warnings.append(
                    f"the stream {stream.name} is encrypted and is left out: a table is for all"
                    " who can read its files; twin stream export --format csv writes what a key"
                    " here opens"
                )
            elif stream.standing in COUNTED:
                self._look(stream, name)
            else:
                self._warnings.append(
                    f"the stream {stream.name} is {stream.standing.replace('_', ' ')} and is left"
                    " out: the twin's owner has not made it"
                )

    def _look(self, stream: Stream, twin_name: str | None) -> None:
        held = self._held.get(stream.asset_id, {})
        wanted: set[str] = set()
        said: list[_Said] = []
        strange, faults = 0, 0
        for number, anchor in enumerate(streams.anchors(self._workspace, stream)):
            if anchor.standing not in COUNTED:
                strange += 1
                continue
            faults += anchor.fault is not None
            if anchor.readings:
                said.append(_Said(number, anchor.tx_id, len(anchor.readings)))
            for entry in anchor.chunks:
                head = f"{stream.asset_id}/{entry.cid}"
                if head not in wanted and head not in held:
                    chunk = _Chunk(number, anchor.tx_id, entry)
                    self._jobs.append(_Job(stream, twin_name, head, chunk))
                wanted.add(head)  # anchored twice, the first one counts
        rest = _unwritten(said, held, wanted)
        for part in _parts(rest):
            head = f"{stream.asset_id}/{_SAID}-{part[0].number}-{part[-1].number}-{_digest(part)}"
            self._jobs.append(_Job(stream, twin_name, head, part))
        for head, paths in held.items():
            self._gone += [] if head in wanted else paths
        self._streams.append((stream.twin_id, stream.name))
        for amount, why in (
            (strange, "of others, without a grant, do not count"),
            (faults, "are malformed"),
        ):
            if amount:
                self._warnings.append(f"{stream.name}: {amount} records {why}, and are left out")

    def commit(self, progress: Callable[[int, int], None] | None) -> Exported | None:
        """Write what is lacking, then say so in the log; None: another export came first."""
        table, now_ms = self._table, self._workspace.now()
        files: list[File] = []
        with tempfile.TemporaryDirectory() as directory:
            for number, job in enumerate(self._jobs, 1):
                files += self._written(job, directory)
                if progress is not None:
                    progress(number, len(self._jobs))
        actions = [delta.removed(path, table.files[path], now_ms) for path in self._gone]
        actions += [delta.added(file, now_ms) for file in files]
        version = table.version
        if actions:
            version += 1
            data = _commit(self._workspace, actions)
            if not self._place.put_new(delta.name_of(version), data):
                return None
            if version % delta.EVERY == 0:
                self._sum_up(version, now_ms)
        text = delta.views(self._place.location, delta.merged(table.series, files))
        self._place.put(delta.VIEWS, text.encode())
        return Exported(
            version,
            len(files),
            len(self._gone),
            sum(file.rows for file in files),
            tuple(self._streams),
            tuple(dict.fromkeys(self._warnings)),
        )

    def _sum_up(self, version: int, now_ms: int) -> None:
        """Write a checkpoint. Without it, if this is killed, the table is as whole as with it."""
        commits = (self._place.read(delta.name_of(each)) for each in range(version + 1))
        actions = delta.summed(commits, now_ms)
        if not actions:
            return
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "checkpoint.parquet")
            delta.write_checkpoint(actions, os.path.join(directory, "actions.json"), path)
            self._place.copy(delta.checkpoint_of(version), path)
        self._place.put(delta.LAST, delta.last_checkpoint(version, len(actions)))

    def _written(self, job: _Job, directory: str) -> Iterator[File]:
        """Write the files of a job, and yield what they are."""
        stream = job.stream
        if not isinstance(job.what, _Chunk):
            yield from self._by_day(job, self._said(stream.name, job.what), directory)
            return
        entry = job.what.entry
        original = self._feed.original(entry, stream.name)
        if original is None or _day(entry.first_us) != _day(entry.last_us):
            yield from self._by_day(job, _rows_of(self._feed.chunk(entry, stream.name)), directory)
            return
        name = f"{job.head}.parquet"
        if self._there(stream.asset_id).get(os.path.basename(name)) != entry.size:
            self._place.copy(name, original)
        kinds = self._feed.kinds(entry, stream.name)
        part = _Part(entry.rows, entry.first_us, entry.last_us, kinds)
        yield job.file(name, entry.size, _day(entry.first_us), part)

    def _there(self, directory: str) -> dict[str, int]:
        """Return the files that an export before this one may have left, with their sizes."""
        if directory not in self._left:
            self._left[directory] = self._place.names(directory)
        return self._left[directory]

    def _said(self, stream: str, said: Iterable[_Said]) -> list[_Row]:
        """Return the readings of transactions; all of them would be much to hold."""
        found = []
        for each in said:
            tx = self._workspace.client.required(each.tx_id).tx
            for item in inline.read((record.envelope_of(tx["metadata"]) or {}).get("body")):
                seen = item.observation
                assert seen.time_us is not None
                for path, value in seen.leaves.items():
                    kind = reading.kind_of(value)
                    found.append(
                        _Row(
                            f"{stream}.{path}",
                            kind,
                            seen.time_us,
                            reading.list_text(path, value) if kind == "list" else value,
                            reading.SUSPECT if path in item.suspect else seen.quality,
                            seen.source,
                            seen.seq,
                            each.tx_id,
                            each.number,
                        )
                    )
        return found

    def _by_day(self, job: _Job, rows: list[_Row], directory: str) -> Iterator[File]:
        """Write rows, a file for each day."""
        days: dict[str, list[_Row]] = {}
        for row in rows:
            days.setdefault(_day(row.time_us), []).append(row)
        source = os.path.join(directory, "rows.parquet")
        for day, part in sorted(days.items()):
            part.sort(key=lambda row: (row.series, row.time_us, row.source, row.seq))
            _write(part, source)
            name = f"{job.head}.{day}.parquet"
            self._place.copy(name, source)
            size = os.path.getsize(source)
            os.unlink(source)
            first, last = min(row.time_us for row in part), max(row.time_us for row in part)
            kinds = {row.series: row.kind for row in part}
            yield job.file(name, size, day, _Part(len(part), first, last, kinds))


# --- Readings of transactions --------------------------------------------------------------------

_SAID = "said"
_NAME = re.compile(rf"{_SAID}-([0-9]+)-([0-9]+)-([0-9a-f]+)")


def _unwritten(said: list[_Said], held: Iterable[str], wanted: set[str]) -> list[_Said]:
    """Return the transactions that no file has; note what the files begin with that have others.

    A file stands as long as the same transactions count that it was made of.
    """
    names = ((head, _NAME.fullmatch(head.rpartition("/")[2])) for head in held)
    known = sorted(
        (int(name[1]), int(name[2]), name[3], head) for head, name in names if name is not None
    )
    at = 0
    for _, last, digest, head in known:
        end = at
        while end < len(said) and said[end].number <= last:
            end += 1
        if digest != _digest(said[at:end]):
            break
        wanted.add(head)
        at = end
    return said[at:]


def _parts(said: Iterable[_Said]) -> Iterator[list[_Said]]:
    part: list[_Said] = []
    size = 0
    for each in said:
        part.append(each)
        size += each.size
        if size >= BATCH:
            yield part
            part, size = [], 0
    if part:
        yield part


def _digest(part: Iterable[_Said]) -> str:
    return hashlib.sha256("".join(each.tx_id for each in part).encode()).hexdigest()[:16]


def _day(time_us: int) -> str:
    return times.microseconds_text(time_us)[:10]


# --- Rows ----------------------------------------------------------------------------------------


class _Row(NamedTuple):
    series: str
    kind: str
    time_us: int
    value: Any
    quality: str
    source: str
    seq: int
    tx_id: str | None = None
    number: int | None = None


def _rows_of(chunk: Chunk) -> list[_Row]:
    found = []
    for series in chunk.series:
        qualities, sources = (
            [labels.names[code] for code in labels.codes.tolist()]
            for labels in (series.quality, series.source)
        )
        columns = (series.time, series.values, series.seq)
        times_us, values, seqs = (column.tolist() for column in columns)
        found += [
            _Row(series.name, series.kind, *row)
            for row in zip(times_us, values, qualities, sources, seqs, strict=True)
        ]
    return found


_ARRAYS = {"f64": "float64", "i64": "int64", "bool": "bool", "text": "object"}


def _write(rows: Sequence[_Row], path: str) -> None:
    """Write rows to a file of the table's columns."""
    np = load_numpy()

    def array(values: list[Any], dtype: str) -> Any:
        missing = [value is None for value in values]
        if dtype == "object":
            made = np.empty(len(values), dtype=object)
            made[:] = values
            return made
        filled = np.array([0 if value is None else value for value in values], dtype=dtype)
        return np.ma.array(filled, mask=missing)

    data = {
        "series": array([row.series for row in rows], "object"),
        "ts": array([row.time_us for row in rows], "int64"),
        "quality": array([row.quality for row in rows], "object"),
        "source": array([row.source for row in rows], "object"),
        "seq": array([row.seq for row in rows], "int64"),
        "tx": array([row.tx_id for row in rows], "object"),
        "number": array([row.number for row in rows], "int64"),
    }
    for column, dtype in _ARRAYS.items():
        kinds = {column, "list"} if column == "text" else {column}
        data[column] = array([row.value if row.kind in kinds else None for row in rows], dtype)
    types = dict((*chunks.COLUMNS, ("tx", "VARCHAR"), ("number", "BIGINT")))
    chosen = ", ".join(f"CAST({name} AS {types[name]}) AS {name}" for name, _ in delta.COLUMNS)
    duckdb = chunks.load_duckdb()
    with chunks.connect() as engine:
        engine.register("rows", data)
        try:
            engine.execute(
                f"COPY (SELECT {chosen} FROM rows) TO $path (FORMAT parquet, COMPRESSION zstd)",  # noqa: S608
                {"path": path},
            )
        except duckdb.IOException as error:
            raise ConfigError(
                f"cannot write {path}: {str(error).splitlines()[0]}", code="cannot_write"
            ) from error
