"""Chunks on their way to an answer: brought here, checked against their CIDs, opened, read."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

from twincli.analysis.packing import NotASummaryError
from twincli.errors import ConfigError, LockedError, UndeterminedError
from twincli.services.stream import rollups
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeVar

    from twincli.analysis.summary import Summary
    from twincli.client.fetching import Source
    from twincli.content import chunks
    from twincli.content.chunks import Chunk
    from twincli.content.copies import Copies
    from twincli.content.store import Blobs
    from twincli.errors import TwinError
    from twincli.model.batch import Array
    from twincli.model.manifest import Entry
    from twincli.services.privacy.chunks import SealedChunks
    from twincli.services.privacy.locks import Lock
    from twincli.services.privacy.opening import Keyring
    from twincli.services.query.pieces import Piece
    from twincli.services.stream.rollups import Rollup, Rollups
    from twincli.services.stream.streams import Stream

    T = TypeVar("T")

THREADS = 2
"""Chunks that are read at once."""


class _Job(NamedTuple):
    """A series to be read from a chunk, and whether it is the only one there."""

    entry: Entry
    name: str
    kind: str
    is_only: bool


class Feed:
    """Reads the chunks of streams. What a chunk holds is used only once its CID was checked.

    Args:
        blobs: The content of this home.
        copies: What its chunks are read from.
        kept: The rollups of this home.
        sources: Where content is fetched from that is not here.
        sealed: Opens the chunks of encrypted streams; None: none can be.
    """

    def __init__(
        self,
        blobs: Blobs,
        copies: Copies,
        kept: Rollups,
        sources: Sequence[Source] = (),
        sealed: SealedChunks | None = None,
    ) -> None:
        self._blobs = blobs
        self._copies = copies
        self._kept = kept
        self._sources = sources
        self._sealed = sealed
        self._locks: dict[str, Lock] = {}
        self._kinds: dict[tuple[Entry, str], dict[str, str]] = {}
        self._reader: chunks.Reader | None = None
        self._checked: set[str] = set()
        self._rollups: dict[str, Rollup] = {}
        self.from_rollups: set[str] = set()

    def close(self) -> None:
        """Close what was opened."""
        if self._reader is not None:
            self._reader.__exit__()
        self._kept.close()

    def check(self, entries: Iterable[Entry], *, whole: bool) -> None:
        """Have chunks here; an altered one is reported before a missing one.

        Args:
            entries: The chunks.
            whole: Check all of their bytes. Otherwise, of a chunk that has a rollup, only that it
                is there and as long as it was: the rollup was made of checked bytes.

        Raises:
            NotVerifiedError: ``altered``, ``cid_mismatch``.
            UndeterminedError: ``missing_content``.
            UnreachableError: ``node_error``.
        """
        wanted = [entry for entry in entries if whole or not self._is_as_long(entry)]
        if not wanted:
            return
        from twincli.services.file import contents

        worst: TwinError | None = None
        for entry in wanted:
            try:
                self._bring(entry)
            except contents.FAULTS as error:
                if worst is None or contents.rank(error) > contents.rank(worst):
                    worst = error
        if worst is not None:
            raise worst

    def _is_as_long(self, entry: Entry) -> bool:
        if self._kept_of(entry) is None:
            return False
        try:
            return self._blobs.size(entry.cid) == entry.size
        except (UndeterminedError, ConfigError):
            return False  # bringing it says why

    def _bring(self, entry: Entry) -> None:
        if entry.cid not in self._checked:
            from twincli.services.file import contents

            contents.bring(self._blobs, self._sources, entry.cid)
            self._checked.add(entry.cid)

    def ring(self, stream: Stream) -> Keyring:
        """Return what opens an encrypted stream; from now on its chunks are read with it.

        Raises:
            LockedError: ``no_grant``, ``missing_wrap``, ``locked``.
        """
        if self._sealed is None or stream.lock is None:
            raise LockedError(f"no key here opens the stream {stream.name}", code="no_grant")
        return self._sealed.ring(stream.lock)

    def unlock(self, pieces: Iterable[Piece]) -> None:
        """Know which chunks are encrypted."""
        self._locks |= {
            piece.entry.cid: piece.lock
            for piece in pieces
            if piece.entry is not None and piece.lock is not None
        }

    @contextmanager
    def _file(self, entry: Entry, stream: str) -> Iterator[str]:
        """Yield the path of a file with what a chunk holds, which may be read here."""
        lock = self._locks.get(entry.cid)
        if lock is None or self._sealed is None:
            yield self._path(entry, stream)
            return
        self._bring(entry)
        with self._sealed.file(lock, entry, stream) as path:
            yield path

    def known(self, entry: Entry, stream: str) -> Rollup | None:
        """Return the rollup of a chunk, None where it is not kept.

        Only of a chunk that was seen to be what this anchor says.
        """
        return self._kept_of(entry) if self._copies.is_known(entry, stream) else None

    def _kept_of(self, entry: Entry) -> Rollup | None:
        found = self._rollups.get(entry.cid) or self._kept.get(entry.cid)
        if found is not None:
            self._rollups[entry.cid] = found
        return found

    def kinds(self, entry: Entry, stream: str) -> dict[str, str]:
        """Return the kind of each series of a chunk."""
        found = self.known(entry, stream)
        if found is not None:
            return dict(found.kinds)
        key = (entry, stream)
        if key not in self._kinds:
            with self._file(entry, stream) as path:
                self._kinds[key] = dict(self._own().about(path).kinds)
        return self._kinds[key]

    def _path(self, entry: Entry, stream: str) -> str:
        self._bring(entry)
        return self._copies.path(entry, stream)

    def rollup(self, entry: Entry, stream: str, *, again: bool = False) -> Rollup:
        """Return the rollup of a chunk, made now where it is not kept.

        Args:
            entry: The chunk.
            stream: The stream it belongs to.
            again: Make it in any case: it was damaged.
        """
        found = None if again else self.known(entry, stream)
        if found is None:
            found = rollups.made(self.chunk(entry, stream))
            self._rollups[entry.cid] = found
            if entry.cid not in self._locks:  # nothing of an encrypted chunk is kept
                self._kept.put([(entry.cid, found)])
        return found

    def minutes(self, entry: Entry, stream: str, name: str) -> Summary | None:
        """Return the minutes of one series of numbers, None where the chunk has none of it."""
        found = self.rollup(entry, stream)
        if name not in found.parts:
            return None
        self.from_rollups.add(entry.cid)
        try:
            return found.summary(name)
        except NotASummaryError:
            return self.rollup(entry, stream, again=True).summary(name)

    def chunk(
        self,
        entry: Entry,
        stream: str,
        *,
        names: Sequence[str] | None = None,
        since_us: int | None = None,
        until_us: int | None = None,
    ) -> Chunk:
        """Return the readings of a chunk; see ``chunks.Reader.read``.

        Raises:
            InvalidError: ``invalid_chunk``: it is a stranger's, and malformed.
            ConfigError: ``missing_extra``, ``damaged_chunk``.
        """
        with self._file(entry, stream) as path:
            return self._own().read(path, names=names, since_us=since_us, until_us=until_us)

    def _own(self) -> chunks.Reader:
        if self._reader is None:
            from twincli.content import chunks

            self._reader = chunks.Reader()
        return self._reader

    def original(self, entry: Entry, stream: str) -> str | None:
        """Return the file of a chunk, checked, if it is as this home writes them; else None."""
        if entry.cid in self._locks:
            return None
        path = self._path(entry, stream)
        return path if path == self._blobs.path(entry.cid) else None

    def values(
        self,
        entries: Sequence[Entry],
        stream: str,
        names: Sequence[str],
        since_us: int | None,
        until_us: int | None,
        use: Callable[[str, Array, Array, Array | None], T],
    ) -> Iterator[T]:
        """Yield what is made of series of numbers of chunks, in the order of both; two at once.

        Args:
            entries: The chunks.
            stream: The stream they belong to.
            names: The series; those that a chunk has not are left out.
            since_us: The earliest time.
            until_us: The time before which all are.
            use: Gets the name, the times, the values and which of them are suspect, if any are.
        """
        jobs: list[_Job] = []
        paths = []
        for entry in entries:
            kinds = self.kinds(entry, stream)
            if entry.cid not in self._locks:
                paths.append(self._path(entry, stream))  # found here, not in a thread
            is_only = len(kinds) == 1
            jobs += [_Job(entry, name, kinds[name], is_only) for name in names if name in kinds]
        good: set[str] = set()

        def read(reader: chunks.Reader, job: _Job) -> T:
            with self._file(job.entry, stream) as path:
                found = reader.values(
                    path,
                    job.name,
                    job.kind,
                    since_us,
                    until_us,
                    is_only=job.is_only,
                    is_good=path in good,
                )
                return use(job.name, *found)

        if len(jobs) <= THREADS:
            yield from (read(self._own(), job) for job in jobs)
            return
        from concurrent.futures import ThreadPoolExecutor
        from queue import SimpleQueue

        from twincli.content.chunks import Reader

        free: SimpleQueue[Reader] = SimpleQueue()

        def read_in_turn(job: _Job) -> T:
            reader = free.get()
            try:
                return read(reader, job)
            finally:
                free.put(reader)

        with ExitStack() as stack:
            # Each has an engine of its own: in one engine of one thread they would take turns.
            readers = [stack.enter_context(Reader()) for _ in range(THREADS)]
            good = readers[0].good(paths)
            for reader in readers:
                free.put(reader)
            pool = stack.enter_context(ThreadPoolExecutor(THREADS))
            stack.callback(pool.shutdown, cancel_futures=True)
            yield from pool.map(read_in_turn, jobs)
