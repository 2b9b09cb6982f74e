"""Files by their content: each once, under its CID, and checked on the way in.

::

    content/e4/bafkrei...e4      the last two letters spread them over directories

A file comes in under a passing name and gets its CID once all of it is durable, so what is under a
CID is whole. Two processes that bring the same file leave one.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from twincli import files
from twincli.crypto import cid as _cid
from twincli.errors import InvalidError, NotFoundError
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 1 << 20


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

    def __init__(self, store: Blobs, write: files.Write, expected: str | None, limit: int) -> None:
        self._store = store
        self._write = write
        self._expected = expected
        self._limit = limit
        self._hasher = _cid.Hasher()
        self.cid: str | None = None
        self.created = False

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self._hasher.size

    def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            InvalidError: ``too_large``.
            ConfigError: ``cannot_write``: the disk is full.
        """
        if self.size + len(data) > self._limit:
            raise InvalidError(
                f"the file is larger than the limit of {self._limit} bytes",
                code="too_large",
            )
        self._hasher.update(data)
        self._write(data)

    def finish(self) -> str:
        """Return the CID of what came; it is kept when the block of ``arriving`` ends.

        Raises:
            InvalidError: ``cid_mismatch``: it is not the file that was announced.
        """
        found = self._hasher.cid().text
        if self._expected is not None and found != self._expected:
            raise InvalidError(
                f"the content is that of {found}, not of {self._expected}",
                code="cid_mismatch",
                hint="it was altered or cut short on its way, or its CID was made with other"
                f" settings than {_cid.PROFILE}",
            )
        self.cid = found
        return found


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
            arrival = Arrival(self, incoming.write, expected, self.limit)
            yield arrival
            if arrival.cid is not None:
                path = self._path(arrival.cid)
                files.make_directory(os.path.dirname(path))
                incoming.path = path
        arrival.created = incoming.created

    def put(self, stream: IO[bytes], expected: str | None = None) -> Stored:
        """Keep all of a stream.

        Raises:
            InvalidError, ConfigError: As ``arriving``.
        """
        with self.arriving(expected) as arrival:
            while piece := stream.read(PIECE_BYTES):
                arrival.write(piece)
            found = arrival.finish()
        return Stored(found, arrival.size, arrival.created)

    def has(self, cid: str) -> bool:
        """Say whether a file is there.

        Raises:
            InvalidError: ``invalid_cid``.
        """
        return os.path.isfile(self._path(cid))

    def size(self, cid: str) -> int:
        """Return the bytes of a file.

        Raises:
            NotFoundError: ``missing_content``.
            InvalidError: ``invalid_cid``.
            ConfigError: ``cannot_read``.
        """
        path = self._path(cid)
        try:
            status = os.stat(path)
        except FileNotFoundError as error:
            raise _missing(cid) from error
        except OSError as error:
            raise files.cannot("read", path, error) from error
        if not stat.S_ISREG(status.st_mode):
            raise _missing(cid)
        return status.st_size

    def open(self, cid: str) -> IO[bytes]:
        """Open a file to read it.

        Raises:
            NotFoundError: ``missing_content``.
            InvalidError: ``invalid_cid``.
            ConfigError: ``cannot_read``.
        """
        path = self._path(cid)
        try:
            return open(path, "rb")
        except FileNotFoundError as error:
            raise _missing(cid) from error
        except OSError as error:
            raise files.cannot("read", path, error) from error

    def check(self, cid: str) -> bool:
        """Say whether a file still is what its CID says; reads all of it.

        Raises:
            NotFoundError: ``missing_content``.
            InvalidError: ``invalid_cid``.
            ConfigError: ``cannot_read``.
        """
        hasher = _cid.Hasher()
        with self.open(cid) as stream:
            while piece := stream.read(PIECE_BYTES):
                hasher.update(piece)
        return hasher.cid().text == cid

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
                for name in os.listdir(directory):
                    if _is_cid(name) and name.endswith(shelf):
                        yield name

    def remove(self, cid: str) -> None:
        """Remove a file.

        Raises:
            NotFoundError: ``missing_content``.
            InvalidError: ``invalid_cid``.
            ConfigError: ``cannot_write``.
        """
        path = self._path(cid)
        try:
            os.unlink(path)
        except FileNotFoundError as error:
            raise _missing(cid) from error
        except OSError as error:
            raise files.cannot("write", path, error) from error
        files.sync_directory(os.path.dirname(path))

    def _path(self, cid: str) -> str:
        _cid.parse(cid)
        return os.path.join(self.directory, cid[-2:], cid)


def _is_cid(name: str) -> bool:
    try:
        _cid.parse(name)
    except InvalidError:
        return False
    return True


def _missing(cid: str) -> NotFoundError:
    return NotFoundError(
        f"the content {cid} is not here",
        code="missing_content",
        hint="it may be on a node or in a bundle; the ledger proves it when it arrives",
    )
