"""Files by their content: each once, under its CID, and checked on the way in.

::

    content/e4/bafkrei...e4      the last two letters spread them over directories

A file comes in under a passing name and gets its CID once all of it is durable, so what is under a
CID is whole. Two processes that bring the same file leave one. Many files that come together are
made durable together.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress

from twincli import files
from twincli.crypto import cid as _cid
from twincli.errors import ConflictError, InvalidError, UndeterminedError
from twincli.values import IO, TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from typing import Self

PIECE_BYTES = 1 << 20

_AHEAD = 8
"""As many pieces of a large file are written before they are hashed."""

_KEPT_SECONDS = 7 * 86400.0
"""How long the beginning of a file is kept for another attempt."""


class Readable(Protocol):
    """What bytes are read from, such as a file."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; none at the end."""


class Stored(NamedTuple):
    """A file that is there.

    Attributes:
        cid: Its CID, text.
        size: Bytes.
        created: Whether it was not there before.
    """

    cid: str
    size: int
    created: bool


class Arrival:
    """A file on its way in: take its bytes with ``write``, then ``finish``.

    Attributes:
        cid: Its CID, once it is finished.
        created: When it is kept: whether it was not there before.
    """

    def __init__(
        self,
        write: files.Write,
        expected: str | None,
        limit: int,
        profile: _cid.Profile = _cid.USUAL,
    ) -> None:
        self._write = write
        self._expected = expected
        self._limit = limit
        self._hasher = _cid.Hasher(profile) if expected is None else _cid.Matcher(expected)
        self.cid: str | None = None
        self.created = False

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self._hasher.size

    def take_all(self, stream: Readable) -> str:
        """Take all of a stream, and finish; a large one is hashed while it is read and written."""
        piece = stream.read(PIECE_BYTES)
        if len(piece) == PIECE_BYTES:
            self._take_hashing(stream, piece)
        else:
            while piece:
                self.write(piece)
                piece = stream.read(PIECE_BYTES)
        return self.finish()

    def _take_hashing(self, stream: Readable, piece: bytes) -> None:
        from collections import deque
        from concurrent.futures import ThreadPoolExecutor

        size = self.size
        waiting: deque[Future[None]] = deque()
        with ThreadPoolExecutor(1) as pool:
            while piece:
                size += len(piece)
                if size > self._limit:
                    raise too_large(self._limit)
                waiting.append(pool.submit(self._hasher.update, piece))
                self._write(piece)
                if len(waiting) == _AHEAD:
                    waiting.popleft().result()
                piece = stream.read(PIECE_BYTES)
            for hashed in waiting:
                hashed.result()

    def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            InvalidError: ``too_large``.
            ConfigError: ``cannot_write``: the disk is full.
        """
        if self.size + len(data) > self._limit:
            raise too_large(self._limit)
        self._hasher.update(data)
        self._write(data)

    def finish(self) -> str:
        """Return the CID of what came; it is kept when the block of ``arriving`` ends.

        Raises:
            InvalidError: ``cid_mismatch``: it is not the file that was announced.
        """
        if isinstance(self._hasher, _cid.Hasher):
            self.cid = self._hasher.cid().text
        elif self._hasher.matches:
            self.cid = self._expected
        else:
            raise InvalidError(
                f"the content is that of {self._hasher.usual.text}, not of {self._expected}",
                code="cid_mismatch",
                hint="it was altered or cut short on its way, or its CID was made with other"
                f" settings than {' and '.join(_cid.PROFILES)}",
            )
        assert self.cid is not None
        return self.cid


class Blobs:
    """The files in one directory. Making the object touches nothing.

    Args:
        directory: Path; made when the first file comes.
        limit: The largest file, bytes.
    """

    def __init__(self, directory: str, *, limit: int = 1 << 40) -> None:
        self.directory = directory
        self.limit = limit

    @contextmanager
    def arriving(self, expected: str | None = None) -> Iterator[Arrival]:
        """Take a file in pieces; it is there if ``finish`` was called when the block ends.

        Args:
            expected: The CID it must have; None: whatever it is.

        Raises:
            InvalidError: ``invalid_cid``, ``too_large``, ``cid_mismatch``.
            ConfigError: ``cannot_write``.
        """
        if expected is not None:
            _cid.parse(expected)
        files.make_directory(self.directory)
        with files.incoming(self.directory) as incoming:
            arrival = Arrival(incoming.write, expected, self.limit)
            yield arrival
            if arrival.cid is not None:
                path = self.path(arrival.cid)
                files.make_directory(os.path.dirname(path))
                incoming.path = path
        arrival.created = incoming.created

    def put(self, stream: IO[bytes], expected: str | None = None) -> Stored:
        """Keep all of a stream.

        Raises:
            InvalidError, ConfigError: As ``arriving``.
        """
        with self.arriving(expected) as arrival:
            found = arrival.take_all(stream)
        return Stored(found, arrival.size, arrival.created)

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """Take many files that are all durable when the block ends, or none of them kept.

        Raises:
            ConfigError: ``cannot_write``.
        """
        files.make_directory(self.directory)
        with files.together(self.directory) as together:
            yield Batch(self, together)

    @contextmanager
    def resuming(self, cid: str, profile: object = None) -> Iterator[Partial]:
        """Take a file in several attempts: what came before is kept, and taken up again.

        Raises:
            InvalidError: ``invalid_cid``.
            ConfigError: ``cannot_write``; ``busy``: another process fetches it.
        """
        path = self.path(cid)
        directory = os.path.join(self.directory, "partial")
        files.make_directory(directory)
        files.make_directory(os.path.dirname(path))
        files.sweep(directory, every=True, seconds=_KEPT_SECONDS)
        with Partial(os.path.join(directory, cid), path, cid, profile, self.limit) as partial:
            yield partial

    def has(self, cid: str) -> bool:
        """Say whether a file is there.

        Raises:
            InvalidError: ``invalid_cid``.
        """
        return os.path.isfile(self.path(cid))

    def size(self, cid: str) -> int:
        """Return the bytes of a file.

        Raises:
            UndeterminedError: ``missing_content``.
            InvalidError: ``invalid_cid``.
            ConfigError: ``cannot_read``.
        """
        path = self.path(cid)
        try:
            status = os.stat(path)
        except FileNotFoundError as error:
            raise _missing(cid) from error
        except OSError as error:
            raise files.cannot("read", path, error) from error
        if not stat.S_ISREG(status.st_mode):
            raise _missing(cid)
        return status.st_size

    def total(self, cids: Iterable[str]) -> int:
        """Return the bytes of those of some files that are there."""
        found = 0
        for cid in cids:
            with suppress(UndeterminedError):
                found += self.size(cid)
        return found

    def open(self, cid: str) -> IO[bytes]:
        """Open a file to read it.

        Raises:
            UndeterminedError: ``missing_content``.
            InvalidError: ``invalid_cid``.
            ConfigError: ``cannot_read``.
        """
        self.size(cid)  # a pipe in its place would wait for a writer
        path = self.path(cid)
        try:
            return open(path, "rb")
        except FileNotFoundError as error:
            raise _missing(cid) from error
        except OSError as error:
            raise files.cannot("read", path, error) from error

    def check(
        self, cid: str, profile: object = None, progress: Callable[[int], None] | None = None
    ) -> bool:
        """Say whether a file still is what its CID says; reads all of it.

        Args:
            cid: The CID.
            profile: The name of its profile, where somebody stated one.
            progress: Called with the bytes of each piece that was read.

        Raises:
            UndeterminedError: ``missing_content``.
            InvalidError: ``invalid_cid``.
            ConfigError: ``cannot_read``.
        """
        matcher = _cid.Matcher(cid, profile)
        with self.open(cid) as stream:
            try:
                while piece := stream.read(PIECE_BYTES):
                    matcher.update(piece)
                    if progress is not None:
                        progress(len(piece))
            except OSError as error:
                raise files.cannot("read", self.path(cid), error) from error
        return matcher.matches

    def cids(self) -> Iterator[str]:
        """Yield the CIDs of all files, in no order."""
        try:
            shelves = sorted(os.listdir(self.directory))
        except FileNotFoundError:
            return
        except OSError as error:
            raise files.cannot("read", self.directory, error) from error
        for shelf in shelves:
            directory = os.path.join(self.directory, shelf)
            if len(shelf) == 2 and os.path.isdir(directory):
                try:
                    names = os.listdir(directory)
                except OSError as error:
                    raise files.cannot("read", directory, error) from error
                for name in names:
                    if _is_cid(name) and name.endswith(shelf):
                        yield name

    def remove(self, cid: str) -> None:
        """Remove a file.

        Raises:
            UndeterminedError: ``missing_content``.
            InvalidError: ``invalid_cid``.
            ConfigError: ``cannot_write``.
        """
        path = self.path(cid)
        try:
            os.unlink(path)
        except FileNotFoundError as error:
            raise _missing(cid) from error
        except OSError as error:
            raise files.cannot("write", path, error) from error
        files.sync_directory(os.path.dirname(path))

    def path(self, cid: str) -> str:
        """Return where a file is, or would be.

        Raises:
            InvalidError: ``invalid_cid``.
        """
        _cid.parse(cid)
        return os.path.join(self.directory, cid[-2:], cid)


class Partial:
    """A file that comes in several attempts; see ``Blobs.resuming``.

    Args:
        here: Where its beginning is kept.
        there: Where it belongs.
        cid: Its CID.
        profile: The name of its profile, where somebody stated one.
        limit: Bytes at most.
    """

    def __init__(self, here: str, there: str, cid: str, profile: object, limit: int) -> None:
        self._here = here
        self._there = there
        self._wanted = (cid, profile)
        self._limit = limit
        self._matcher = _cid.Matcher(cid, profile)
        self._is_kept = False

    def __enter__(self) -> Self:
        try:
            self._file = open(self._here, "a+b", buffering=0, opener=_private)
        except OSError as error:
            raise files.cannot("write", self._here, error) from error
        if not files.lock_at_once(self._file.fileno()):
            self._file.close()
            raise ConflictError(
                f"another process is fetching {self._wanted[0]}", code="busy", retryable=True
            )
        self._file.seek(0)
        while piece := self._file.read(PIECE_BYTES):
            self._matcher.update(piece)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_kept and not self.size:
            with suppress(OSError):
                os.unlink(self._here)
        self._file.close()

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self._matcher.size

    def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            ConfigError: ``cannot_write``: the disk is full.
            InvalidError: ``too_large``.
        """
        if self.size + len(data) > self._limit:
            raise too_large(self._limit)
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) or 0 :]
        except OSError as error:
            raise files.cannot("write", self._here, error) from error
        self._matcher.update(data)

    def clear(self) -> None:
        """Forget what came."""
        self._file.truncate(0)
        self._matcher = _cid.Matcher(*self._wanted)

    def finish(self) -> bool:
        """Keep the file, durably, if all of it came; say whether it did.

        Raises:
            ConfigError: ``cannot_write``.
        """
        if not self._matcher.matches:
            return False
        try:
            os.fsync(self._file.fileno())
            os.replace(self._here, self._there)
        except OSError as error:
            raise files.cannot("write", self._there, error) from error
        files.sync_directory(os.path.dirname(self._there))
        self._is_kept = True
        return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Batch:
    """Files that become durable together; see ``Blobs.batch``.

    Args:
        store: Where they go.
        together: Writes them.
    """

    def __init__(self, store: Blobs, together: files.Together) -> None:
        self._store = store
        self._together = together
        self._taken: set[str] = set()

    def put(self, stream: Readable, profile: _cid.Profile = _cid.USUAL) -> Stored:
        """Take all of a stream.

        A file that is already stored and matches its CID is not written again.

        Raises:
            InvalidError: ``too_large``.
            ConfigError: ``cannot_write``, ``cannot_read``.
        """
        first = stream.read(profile.chunk + 1)
        if len(first) <= profile.chunk:
            if len(first) > self._store.limit:
                raise too_large(self._store.limit)
            cid = _cid.of(first, profile).text
            if self._is_there(cid, len(first), profile):
                return Stored(cid, len(first), created=False)
            with self._together.file() as file:
                file.write(first)
                self._keep(file, cid)
            return Stored(cid, len(first), created=True)
        with self._together.file() as file:
            arrival = Arrival(file.write, None, self._store.limit, profile)
            # Up to the end of a chunk, so that no later one is put together from two pieces.
            arrival.write(first + stream.read(2 * PIECE_BYTES - len(first)))
            cid = arrival.take_all(stream)
            if self._is_there(cid, arrival.size, profile):
                return Stored(cid, arrival.size, created=False)
            self._keep(file, cid)
        return Stored(cid, arrival.size, created=True)

    def _keep(self, file: files.Incoming, cid: str) -> None:
        file.path = self._store.path(cid)
        self._taken.add(cid)

    def _is_there(self, cid: str, size: int, profile: _cid.Profile) -> bool:
        if cid in self._taken:
            return True
        try:
            return self._store.size(cid) == size and self._store.check(cid, profile.name)
        except UndeterminedError:
            return False


def too_large(limit: int) -> InvalidError:
    """Return the error for a file that is larger than a store takes."""
    return InvalidError(f"the file is larger than the limit of {limit} bytes", code="too_large")


def _is_cid(name: str) -> bool:
    try:
        _cid.parse(name)
    except InvalidError:
        return False
    return True


def _missing(cid: str) -> UndeterminedError:
    return UndeterminedError(
        f"the content {cid} is not here",
        code="missing_content",
        hint="it may be on a node or in a bundle; the ledger proves it when it arrives",
    )
