"""Store many readings: chunks that are durable here and on the nodes, then one record for them.

In this order whatever kills the process loses nothing and doubles nothing: a chunk without a record
is a file that nobody names, and what a record names is found as a repeat when it comes again.
"""

from __future__ import annotations

import io
import os
from contextlib import ExitStack, closing

from twincli import files
from twincli.content.inventory import Summary
from twincli.errors import ConflictError, InvalidError
from twincli.model import manifest, reading
from twincli.model.manifest import Entry, Manifest
from twincli.services.record.say import say
from twincli.services.stream import known, streams
from twincli.services.tx.prepared import Prepared
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from twincli.content.chunks import About
    from twincli.content.inventory import Head
    from twincli.model.batch import Batch, Conflict
    from twincli.model.encryption import Epoch
    from twincli.model.inline import Inline
    from twincli.services.asset.write_options import Writing
    from twincli.services.documents import Said
    from twincli.services.stream.known import Room
    from twincli.services.stream.rollups import Rollup
    from twincli.services.stream.streams import Stream

ATTEMPTS = 50
THREADS = 2
"""Chunks that are written at once."""


class Stored(NamedTuple):
    """What became of readings.

    Attributes:
        said: The records, in order.
        new: Observations that are.
        existing: Observations of which nothing was new.
        conflicts: Rows that have another value already, with the error.
        chunks: The chunks, where there are any.
        readings: What stands in the record, where there is one.
    """

    said: tuple[Said, ...] = ()
    new: int = 0
    existing: int = 0
    conflicts: tuple[tuple[int, InvalidError | ConflictError], ...] = ()
    chunks: tuple[Entry, ...] = ()
    readings: tuple[Inline, ...] = ()


def summed(parts: Sequence[Stored]) -> Stored:
    """Return what became of readings that were stored in parts."""
    if len(parts) == 1:
        return parts[0]
    return Stored(
        tuple(each for part in parts for each in part.said),
        sum(part.new for part in parts),
        sum(part.existing for part in parts),
        tuple(each for part in parts for each in part.conflicts),
        tuple(each for part in parts for each in part.chunks),
        tuple(each for part in parts for each in part.readings),
    )


def check_extras() -> None:
    """Check that what writes chunks is installed.

    Raises:
        ConfigError: ``missing_extra``.
    """
    from twincli.content import chunks
    from twincli.model import batch as batches

    chunks.load_duckdb()
    batches.load_numpy()


def at_tip(
    room: Room, stream: Stream, writing: Writing, write: Callable[[Head, Writing], Any]
) -> Any:
    """Write to a stream as it is known, again when another process wrote meanwhile.

    Args:
        room: What it is worked on with.
        stream: The stream.
        writing: W.
        write: Given how far the stream goes, and how to write behind that.

    Raises:
        ConflictError: ``tip_moved`` where ``--if-tip`` says so; ``busy``.
    """
    import time

    for number in range(ATTEMPTS):
        head = known.head_of(room, stream)
        behind = writing if writing.if_tip is not None else writing._replace(if_tip=head.tip)
        try:
            return write(head, behind)
        except ConflictError as error:
            if error.code != "tip_moved" or writing.if_tip is not None:
                raise
        time.sleep(room.workspace.random(1)[0] / 255 * min(0.2, 0.002 * (number + 1)))
    raise ConflictError(
        f"{stream.name}: other writers were faster {ATTEMPTS} times", code="busy", retryable=True
    )


def gathered(items: Sequence[Inline], stream: str, kinds: dict[str, str]) -> Batch:
    """Return observations as a batch, with the values that are doubted marked."""
    from twincli.model import batch as batches

    made = batches.gather([item.observation for item in items], stream, kinds)
    np = batches.load_numpy()
    doubted: dict[str, list[int]] = {}
    for row, item in enumerate(items):
        for path in item.suspect:
            doubted.setdefault(f"{stream}.{path}", []).append(row)
    columns = []
    for column in made.columns:
        if column.series in doubted:
            marks = np.zeros(len(made.time), dtype=bool)
            marks[doubted[column.series]] = True
            columns.append(column._replace(suspect=marks))
        else:
            columns.append(column)
    return made._replace(columns=tuple(columns))


def stored_before(room: Room, stream: Stream, batch: Batch) -> Batch | None:
    """Return what a stream has already in the span of time of a batch, or None."""
    from twincli.content import chunks
    from twincli.model import batch as batches
    from twincli.model.reading import Observation

    first, last = int(batch.time.min()), int(batch.time.max())
    found: Batch | None = None
    rows = [
        Observation(leaves, time_us, source, seq)
        for time_us, source, seq, leaves in room.inventory.between(stream.asset_id, first, last)
    ]
    if rows:
        known_kinds = {
            column.series.partition(".")[2]: column.kind for column in batch.columns
        } | room.inventory.kinds(stream.asset_id)
        found = batches.gather(rows, stream.name, known_kinds)
    if stream.lock is not None and (
        room.sealed is None or room.sealed.ring_or_none(stream.lock) is None
    ):
        return found  # a blind write is compared by those who read
    for held in room.inventory.chunks(stream.asset_id, first, last):
        part = chunks.as_batch(known.read_chunk(room, stream, held.entry, first, last + 1))
        if len(part.time):
            found = part if found is None else batches.join(found, part)
    return found


def store(
    room: Room,
    stream: Stream,
    batch: Batch,
    writing: Writing,
    *,
    units: Mapping[str, str] | None = None,
    given: Mapping[str, str] | None = None,
    skip_conflicts: bool = False,
) -> Stored | Prepared:
    """Store a batch in chunks and say so.

    Args:
        room: What it is worked on with.
        stream: The stream.
        batch: Observations, in any order.
        writing: W.
        units: The unit in which the values of a series are kept.
        given: The unit in which they were given, where that is another.
        skip_conflicts: Store the others where some have another value already.

    Raises:
        ConfigError: ``missing_extra``, ``cannot_write``, ``disk_full``.
        UndeterminedError: A chunk that may hold the same readings is not here.
    """
    from twincli.model import batch as batches

    def write(head: Head, behind: Writing) -> Stored | Prepared:
        ordered = batches.order(batch)
        conflicts, new = ordered.conflicts, ordered.batch
        there = stored_before(room, stream, batch)
        if there is not None:
            rest = batches.subtract(batch, there)
            conflicts, new = (*conflicts, *rest.conflicts), rest.batch
        refused = tuple(_refused(stream, conflict) for conflict in conflicts)
        count = len(new.time)
        existing = len(ordered.batch.time) - count
        if (refused and not skip_conflicts) or not count:
            return Stored(existing=existing, conflicts=refused)
        if room.workspace.dry_run:
            return Stored(new=count, existing=existing, conflicts=refused)
        epoch = None
        if stream.lock is not None:
            from twincli.services.privacy import sealing
            from twincli.services.record.attachments import Stores

            stores = Stores(room.blobs, room.nodes)
            epoch = sealing.current(room.workspace, stores, stream.lock)
            if room.sealed is not None:
                room.sealed.forget(stream.lock)
        written = _written(room, stream, new, units or {}, given or {}, epoch)
        entries = [each.entry for each in written]
        _upload(room, entries)
        said: list[Said] = []
        for part in manifest.batches(entries):
            prev = said[-1]["transaction_id"] if said else head.chunked
            number = None if epoch is None else epoch.number
            body = manifest.body(Manifest(stream.name, part, prev, number))
            made = say(room.workspace, stream.asset_id, streams.CHUNK, body, behind, is_owners=True)
            if isinstance(made, Prepared):
                return made
            said.append(made)
            behind = behind._replace(if_tip=made["transaction_id"])
        known.head_of(room, stream, {each.entry.cid: each.summary for each in written})
        if epoch is None:
            _keep(room, written)
        return Stored(tuple(said), count, existing, refused, tuple(entries))

    done: Stored | Prepared = at_tip(room, stream, writing, write)
    return done


def _refused(stream: Stream, conflict: Conflict) -> tuple[int, ConflictError]:
    path = conflict.series[len(stream.name) + 1 :]
    try:
        reading.is_repeat(path, *map(_plain, (conflict.there, conflict.new)))
    except ConflictError as error:
        return conflict.row, error
    raise AssertionError(conflict)  # a repeat is not a conflict


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


class _Written(NamedTuple):
    """A chunk that is durable, and what is in it."""

    entry: Entry
    summary: Summary
    rollup: Rollup | None


def _written(
    room: Room,
    stream: Stream,
    batch: Batch,
    units: Mapping[str, str],
    given: Mapping[str, str],
    epoch: Epoch | None = None,
) -> list[_Written]:
    """Write the chunks of a batch, all durable when this returns, encrypted to an epoch."""
    from twincli.content import chunks

    kinds = {column.series: column.kind for column in batch.columns}
    about = chunks.About(stream.name, kinds, units, given)
    files.make_directory(room.blobs.directory)
    written: list[_Written] = []
    with room.blobs.batch() as arriving:
        parts = chunks.cut(batch)
        for made in _made(os.path.join(room.blobs.directory, "chunk"), about, parts, epoch):
            if made.sealed is not None:
                kept = arriving.put(io.BytesIO(made.sealed))
            else:
                try:
                    with open(made.path, "rb") as file:
                        kept = arriving.put(file)
                except OSError as error:
                    raise files.cannot("write", made.path, error) from error
                finally:
                    files.discard(made.path)
            entry = Entry(kept.cid, kept.size, made.rows, made.first_us, made.last_us)
            written.append(_Written(entry, made.summary, made.rollup))
    room.copies.wrote((each.entry for each in written), stream.name)
    return written


class _Made(NamedTuple):
    """A chunk in a passing file."""

    path: str
    rows: int
    first_us: int
    last_us: int
    summary: Summary
    rollup: Rollup | None
    sealed: bytes | None = None


def _made(
    beside: str, about: About, parts: Iterator[Batch], epoch: Epoch | None = None
) -> Iterator[_Made]:
    """Write chunks beside a path, or encrypt them; several at once; yield them in their order."""
    from collections import deque
    from concurrent.futures import ThreadPoolExecutor
    from queue import SimpleQueue

    from twincli.content import chunks
    from twincli.content.memory import MemoryFile
    from twincli.crypto import age
    from twincli.services.stream import rollups

    free: SimpleQueue[chunks.Writer] = SimpleQueue()

    def make_sealed(part: Batch, recipient: str) -> _Made:
        chunk = chunks.of_batch(part, about)
        writer = free.get()
        try:
            with MemoryFile() as file:
                rows = writer.rewrite(chunk, file.path)
                data = age.seal(file.read(), recipient)
        finally:
            free.put(writer)
        nothing = Summary(rows, (), frozenset())
        first, last = int(part.time[0]), int(part.time[-1])
        return _Made("", rows, first, last, nothing, None, data)

    def make(part: Batch) -> _Made:
        if epoch is not None:
            return make_sealed(part, epoch.recipient)
        path = files.temporary_beside(beside)
        chunk = chunks.of_batch(part, about)
        writer = free.get()
        try:
            rows = writer.rewrite(chunk, path)
        except BaseException:
            files.discard(path)
            raise
        finally:
            free.put(writer)
        return _Made(
            path,
            rows,
            int(part.time[0]),
            int(part.time[-1]),
            known.summarised(chunk, len(part.time)),
            rollups.made(chunk),
        )

    waiting: deque[Future[_Made]] = deque()
    with ExitStack() as stack:
        for _ in range(THREADS):
            free.put(stack.enter_context(chunks.Writer()))
        pool = stack.enter_context(ThreadPoolExecutor(THREADS))
        try:
            for part in parts:
                waiting.append(pool.submit(make, part))
                if len(waiting) > THREADS + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                if not each.cancel() and each.exception() is None and epoch is None:
                    files.discard(each.result().path)


def _keep(room: Room, written: Sequence[_Written]) -> None:
    """Keep the rollups of chunks that are anchored."""
    from twincli.services.stream.rollups import Rollups

    with closing(Rollups(room.rollups)) as kept:
        kept.put((each.entry.cid, each.rollup) for each in written if each.rollup is not None)


def _upload(room: Room, entries: Sequence[Entry]) -> None:
    for node in room.nodes:
        for entry in entries:
            if not node.has(entry.cid):
                with room.blobs.open(entry.cid) as stream:
                    node.put(stream, entry.cid)


def parts(items: Sequence[Inline], size: int) -> Iterator[Sequence[Inline]]:
    """Yield items in parts of at most a size."""
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
