"""Chunks of encrypted streams: opened into memory, and nowhere else.

What this home wrote is read as it is; what others wrote is opened by a child process with limits
and written again, in memory, too.
"""

from __future__ import annotations

from _thread import allocate_lock as mutex  # loading threading would take longer than a push has
from contextlib import contextmanager

from twincli.content.memory import MemoryFile
from twincli.errors import LockedError, UndeterminedError
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.content.copies import Copies
    from twincli.model.manifest import Entry
    from twincli.services.privacy.locks import Lock
    from twincli.services.privacy.opening import Keyring
    from twincli.services.privacy.shelf import Shelf
    from twincli.services.workspace import Workspace

MAX_KEPT = 1 << 28
"""Bytes of opened chunks that are kept for the next question."""
MAX_FILES = 200


class _Held(NamedTuple):
    """A chunk that is open."""

    file: MemoryFile
    users: list[object]


class SealedChunks:
    """Opens chunks of encrypted streams; several threads may, once each was opened by the first.

    Args:
        workspace: Whose keys open them.
        shelf: Where wraps and chunks are.
        copies: Knows which chunks this home wrote.
        by: The command that reads, for the audit log; None: they are opened to write more.
        download: Whether what they hold is written to files, which a grant may deny.
    """

    def __init__(
        self,
        workspace: Workspace,
        shelf: Shelf,
        copies: Copies,
        by: str | None = None,
        *,
        download: bool = False,
    ) -> None:
        self._workspace, self._shelf, self._copies, self._by = workspace, shelf, copies, by
        self._download = download
        self._rings: dict[str, Keyring | LockedError] = {}
        self._held: dict[str, _Held] = {}
        self._own: dict[tuple[Entry, str], bool] = {}
        self._mutex = mutex()

    def close(self) -> None:
        """Forget what is open."""
        for held in self._held.values():
            held.file.close()
        self._held.clear()

    def ring(self, lock: Lock) -> Keyring:
        """Return what opens a stream.

        Raises:
            LockedError: ``no_grant``, ``missing_wrap``, ``locked``.
        """
        found = self._rings.get(lock.what)
        if found is None:
            from twincli.services.privacy import opening

            try:
                found = opening.keyring(
                    self._workspace, self._shelf, lock, by=self._by, download=self._download
                )
            except LockedError as error:
                found = error
            self._rings[lock.what] = found
        if isinstance(found, LockedError):
            raise found
        return found

    def ring_or_none(self, lock: Lock) -> Keyring | None:
        """Return what opens a stream, None where no key here may: then one writes blindly."""
        try:
            return self.ring(lock)
        except LockedError:
            return None

    def forget(self, lock: Lock) -> None:
        """Read the epochs of a stream again when they are asked for."""
        self._rings.pop(lock.what, None)

    @contextmanager
    def file(self, lock: Lock, entry: Entry, stream: str) -> Iterator[str]:
        """Yield the path of a chunk in memory.

        Args:
            lock: Of its stream.
            entry: The chunk, whose bytes are here and were checked.
            stream: What the stream is called in it.

        Raises:
            LockedError: ``no_grant``.
            InvalidError: ``damaged_content``, ``invalid_chunk``.
        """
        user = object()
        with self._mutex:
            held = self._held.pop(entry.cid, None) or _Held(self._opened(lock, entry, stream), [])
            self._held[entry.cid] = held  # the last one used is the last one to go
            held.users.append(user)
            self._make_room()
        try:
            yield held.file.path
        finally:
            with self._mutex:
                held.users.remove(user)

    def _make_room(self) -> None:
        total = sum(held.file.size for held in self._held.values())
        for cid, held in [*self._held.items()]:
            if total <= MAX_KEPT and len(self._held) <= MAX_FILES:
                break
            if not held.users:
                total -= held.file.size
                held.file.close()
                del self._held[cid]

    def _opened(self, lock: Lock, entry: Entry, stream: str) -> MemoryFile:
        blobs = self._shelf.blobs
        if not blobs.has(entry.cid):
            raise UndeterminedError(
                f"the chunk {entry.cid} of {stream} is not here",
                code="missing_content",
                hint=f"twin file get {entry.cid} --node NODE -o FILE fetches it",
            )
        with blobs.open(entry.cid) as file:
            data = self.ring(lock).open(file.read())
        key = (entry, stream)
        if key not in self._own:
            self._own[key] = self._copies.is_own(entry, stream)
        made = MemoryFile(data)
        return made if self._own[key] else self._again(made, data, entry, stream)

    def _again(self, original: MemoryFile, data: bytes, entry: Entry, stream: str) -> MemoryFile:
        """Return what a stranger's chunk holds, written again."""
        from twincli.content import chunks, foreign

        with original:
            plain = entry._replace(size=len(data))
            chunk = foreign.read(original.path, plain, stream, inherited=(original.descriptor,))
        made = MemoryFile()
        with chunks.Writer() as writer:
            writer.rewrite(chunk, made.path)
        return made
