"""Chunks that may be read in this process: those that this home wrote, and copies of others.

A chunk of somebody else is opened once, in a child process; what it holds is written again here and
kept beside the content, so that later questions cost no more than those about own chunks. Copies
are derived and found by what the anchor says of the original: the same file under another anchor is
opened again, even if this home wrote it. Where writing it again gives the same bytes, there is no
copy.

Which chunks this home wrote stands in no ledger, so ``copies.db`` is apart from what can be read
again: if it is lost, own chunks are opened once like those of others.
"""

from __future__ import annotations

import os

from twincli import files
from twincli.content.derived import Derived
from twincli.content.store import Blobs
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twincli.model.manifest import Entry

VERSION = 1
_SCHEMA = """
CREATE TABLE copy (
    cid TEXT NOT NULL, size INTEGER NOT NULL, count INTEGER NOT NULL, first_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL, name TEXT NOT NULL, copy TEXT NOT NULL,
    PRIMARY KEY (cid, size, count, first_us, last_us, name)
) WITHOUT ROWID;
"""


class Copies:
    """Says from which file a chunk is read. Several processes may use one directory.

    Args:
        blobs: The content of this home.
        directory: Of the copies and of what is known of them, made when the first one comes.
    """

    def __init__(self, blobs: Blobs, directory: str) -> None:
        self._blobs = blobs
        self._kept = Blobs(directory)
        self._file = os.path.join(directory, "copies.db")
        self._noted = Derived(self._file, VERSION, _SCHEMA)
        self._known: dict[tuple[Entry, str], str] = {}

    def close(self) -> None:
        """Close the file."""
        self._noted.close()

    def wrote(self, entries: Iterable[Entry], stream: str) -> None:
        """Note chunks that this home wrote.

        Raises:
            ConfigError: ``cannot_write``.
        """
        self._note((entry, stream, entry.cid) for entry in entries)

    def path(self, entry: Entry, stream: str) -> str:
        """Return the path of a file with what a chunk holds, which may be read here.

        Args:
            entry: The chunk, whose bytes are here and were checked.
            stream: The stream it belongs to.

        Raises:
            InvalidError: ``invalid_chunk``: it is a stranger's, and malformed.
            ConfigError: ``missing_extra``, ``cannot_write``, ``disk_full``.
        """
        key = (entry, stream)
        if key not in self._known:
            self._known[key] = self._copied(entry, stream) or self._made(entry, stream)
        return self._known[key]

    def is_known(self, entry: Entry, stream: str) -> bool:
        """Say whether a chunk is, as far as this home has seen, what its anchor says."""
        return (entry, stream) in self._known or self._copy_of(entry, stream) is not None

    def is_own(self, entry: Entry, stream: str) -> bool:
        """Say whether this home wrote a chunk, under this anchor."""
        return self._copy_of(entry, stream) == entry.cid

    def _copy_of(self, entry: Entry, stream: str) -> str | None:
        """Return the CID of the copy of a chunk, its own where this home wrote it, else None."""
        if not os.path.exists(self._file):
            return None  # a question makes no file
        found = self._noted.all(
            "SELECT copy FROM copy WHERE (cid, size, count, first_us, last_us, name)"
            " = (?, ?, ?, ?, ?, ?)",
            *entry,
            stream,
        )
        return found[0][0] if found else None

    def _note(self, copies: Iterable[tuple[Entry, str, str]]) -> None:
        with self._noted.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO copy VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(*entry, stream, cid) for entry, stream, cid in copies],
            )

    def _copied(self, entry: Entry, stream: str) -> str | None:
        """Return the path of the chunk itself, of a copy that is there and whole, or None."""
        cid = self._copy_of(entry, stream)
        if cid == entry.cid:
            return self._blobs.path(cid)
        if cid is None or not self._kept.has(cid) or not self._kept.check(cid):
            return None
        return self._kept.path(cid)

    def _made(self, entry: Entry, stream: str) -> str:
        from twincli.content import chunks, foreign

        path = self._blobs.path(entry.cid)
        chunk = foreign.read(os.path.abspath(path), entry, stream)
        files.make_directory(self._kept.directory)
        copy = files.temporary_beside(os.path.join(self._kept.directory, "copy"))
        try:
            with chunks.Writer() as writer:
                writer.rewrite(chunk, copy)
            with open(copy, "rb") as file:
                kept = self._kept.put(file)
        except OSError as error:
            raise files.cannot("write", copy, error) from error
        finally:
            files.discard(copy)
        self._note([(entry, stream, kept.cid)])
        if kept.cid != entry.cid:
            return self._kept.path(kept.cid)
        self._kept.remove(kept.cid)
        return path
