"""Writing files that must never be half written, nor silently replace another.

Keys, settings and the ledger's key are written here and nowhere else. A new file is written under a
temporary name beside its place, made durable, and then given its name by a hard link, which fails
if the name is taken. Whatever kills the process leaves either the whole file or a temporary one,
which later writers sweep away.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from contextlib import contextmanager, suppress

from twincli.errors import ConfigError, ConflictError
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    Write = Callable[[bytes], None]

_TEMPORARY = ".new-"
_RESERVED = ".reserved-"
_HEX = frozenset("0123456789abcdef")
_STALE_SECONDS = 3600.0
_PRIVATE = 0o600
_IS_LINUX = sys.platform == "linux"
_O_BINARY = getattr(os, "O_BINARY", 0)
_NO_LINKS = frozenset(
    {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
)


def adding_up(progress: Callable[[int, int], None], total: int) -> Callable[[int], None]:
    """Return what takes the size of each piece and reports how many bytes are done of how many."""
    done = 0

    def add(size: int) -> None:
        nonlocal done
        done += size
        progress(done, max(done, total))  # a file may have grown

    return add


def make_directory(path: str) -> None:
    """Make a directory and those above it, private to their owner, unless they exist.

    Raises:
        ConfigError: ``cannot_write``.
    """
    missing = []
    here = os.path.abspath(path)
    while not os.path.isdir(here):
        missing.append(here)
        here, below = os.path.dirname(here), here
        if here == below:
            break  # a drive that is not there
    for directory in reversed(missing):
        try:
            os.mkdir(directory, 0o700)
        except OSError as error:
            if not os.path.isdir(directory):  # another process made it meanwhile
                raise cannot("write", path, error) from error


def check_free(path: str) -> None:
    """Refuse a name that is taken, before anything is done for the file.

    Raises:
        ConflictError: ``exists``.
    """
    if os.path.lexists(path):
        raise _exists(path)


def write_new(path: str, data: bytes) -> None:
    """Write a new private file, durably; all of it or nothing.

    Raises:
        ConflictError: ``exists``: the name is taken.
        ConfigError: ``cannot_write``: a full disk, a read-only directory.
    """
    with new_file(path) as write:
        write(data)


@contextmanager
def new_file(path: str) -> Iterator[Write]:
    """Write a private file as ``write_new`` does, piece by piece; it is there when the block ends.

    Raises:
        ConflictError, ConfigError: As ``write_new``.
    """
    with _temporary(path) as temporary:
        with _open_new(temporary, path) as write:
            yield write
        _publish(temporary, path)
    sync_directory(os.path.dirname(path))


class Incoming:
    """A file that has no name yet.

    Attributes:
        write: Takes its next bytes.
        path: The name it gets when the block ends, in the same file system. While this is None,
            nothing is kept.
        created: When the block has ended: whether nothing had that name. Of several that come at
            once, only one sees True.
    """

    def __init__(self, write: Write) -> None:
        self.write = write
        self.path: str | None = None
        self.created = False


@contextmanager
def incoming(directory: str, *, mode: int = _PRIVATE, overwrite: bool = True) -> Iterator[Incoming]:
    """Write a file that is named only when all of it is known, durably.

    Args:
        directory: Where it is meanwhile.
        mode: Who may read it; the umask takes more away.
        overwrite: Whether it takes the place of a file of its name.

    Raises:
        ConfigError: ``cannot_write``.
        ConflictError: ``exists``: the name is taken, and it is not to be overwritten.
    """
    with _temporary(os.path.join(directory, "")) as temporary:
        with _open_new(temporary, directory, mode) as write:
            found = Incoming(write)
            yield found
        if found.path is None:
            return
        try:
            _publish(temporary, found.path)
            found.created = True
        except ConflictError:
            if not overwrite:
                raise
            try:
                os.replace(temporary, found.path)
            except OSError as error:
                raise cannot("write", found.path, error) from error
        sync_directory(os.path.dirname(found.path))


class Together:
    """New files that become durable, and get their names, together; see ``together``.

    Args:
        directory: Where they are meanwhile.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._named: list[tuple[str, str]] = []

    @contextmanager
    def file(self) -> Iterator[Incoming]:
        """Write one; it is kept if it has a ``path`` when the block ends.

        Raises:
            ConfigError: ``cannot_write``.
        """
        temporary = temporary_beside(os.path.join(self._directory, ""))
        found = None
        try:
            with _open_new(temporary, self._directory, durable=False) as write:
                found = Incoming(write)
                yield found
            if found.path is not None:
                self._named.append((temporary, found.path))
        finally:
            if found is None or found.path is None:
                discard(temporary)

    def publish(self) -> None:
        """Make all of them durable, then give them their names, which are durable, too."""
        self._sync([temporary for temporary, _ in self._named])
        directories = sorted({os.path.dirname(path) for _, path in self._named})
        for directory in directories:
            make_directory(directory)
        for temporary, path in self._named:
            try:
                os.replace(temporary, path)
            except OSError as error:
                raise cannot("write", path, error) from error
        if self._named:
            self._sync([self._directory, *directories])
        self._named.clear()

    def discard(self) -> None:
        """Remove what has no name yet."""
        for temporary, _ in self._named:
            discard(temporary)

    def _sync(self, paths: list[str]) -> None:
        if len(paths) > _FEW and _sync_file_system(self._directory):
            return
        for path in paths:
            sync_directory(path)


@contextmanager
def together(directory: str) -> Iterator[Together]:
    """Write many new files with one sync for all; they have their names when the block ends.

    Raises:
        ConfigError: ``cannot_write``.
    """
    sweep(directory)
    found = Together(directory)
    try:
        yield found
        found.publish()
    finally:
        found.discard()


_FEW = 16
"""As many files are synced one by one: a sync of the file system waits for other programs, too."""


def _sync_file_system(directory: str) -> bool:
    """Make everything on a file system durable; False where the system has no such call."""
    import ctypes

    call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if _IS_LINUX else None
    if call is None:
        return False
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise cannot("write", directory, error) from error
    try:
        if call(descriptor) != 0:
            number = ctypes.get_errno()
            raise cannot("write", directory, OSError(number, os.strerror(number)))
    finally:
        os.close(descriptor)
    return True


def replace(
    path: str, data: bytes, *, keep_mode: bool = False, named: bool = True, durable: bool = True
) -> None:
    """Put new content in the place of a private file, durably; a reader sees the old or the new.

    Args:
        path: The file.
        data: Its new content.
        keep_mode: Keep who may read and write it.
        named: Sync the directory, too. Without it the caller does so before it relies on the file.
        durable: False: a power loss may take it, for data that can be lost.

    Raises:
        ConfigError: ``cannot_write``; also what is there is a pipe or a device.
    """
    with suppress(OSError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ConfigError(f"cannot write {path}: not a regular file", code="cannot_write")
    with _temporary(path) as temporary:
        with _open_new(temporary, path, durable=durable) as write:
            write(data)
        try:
            if keep_mode:
                os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
            os.replace(temporary, path)
        except OSError as error:
            raise cannot("write", path, error) from error
    if named and durable:
        sync_directory(os.path.dirname(path))


@contextmanager
def held(path: str) -> Iterator[None]:
    """Keep others who ask for the same from changing a file, until the block ends.

    What is there when the block begins is what ``replace`` replaces. Where the system has no such
    lock, or there is no such file, nothing is kept.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    while True:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            descriptor = -1  # the reader or writer says what is wrong
            break
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                break
        os.close(descriptor)  # replaced while we waited
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


@contextmanager
def _temporary(path: str) -> Iterator[str]:
    """Give a name beside ``path``; what still has it when the block ends is removed."""
    sweep(os.path.dirname(path))
    temporary = temporary_beside(path)
    try:
        yield temporary
    finally:
        discard(temporary)


@contextmanager
def _open_new(
    name: str, path: str, mode: int = _PRIVATE, *, durable: bool = True
) -> Iterator[Write]:
    """Make a file and write its content, durable when the block ends.

    Args:
        name: The file.
        path: Its name in errors.
        mode: Who may read it.
        durable: Whether it is synced.
    """
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _O_BINARY, mode)
    except OSError as error:
        raise cannot("write", path, error) from error

    size = begun = 0

    def write(data: bytes) -> None:
        nonlocal size, begun
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError as error:
            raise cannot("write", path, error) from error
        size += len(data)
        if size - begun >= _STRETCH:
            _begin_syncing(descriptor, begun, size - begun)
            begun = size

    try:
        yield write
        try:
            if durable:
                os.fsync(descriptor)
        except OSError as error:
            raise cannot("write", path, error) from error
    finally:
        os.close(descriptor)


_STRETCH = 8 << 20


def _begin_syncing(descriptor: int, start: int, size: int) -> None:
    """Let the system write a part of a large file to the disk now, so that the sync waits less."""
    advise = getattr(os, "posix_fadvise", None)
    if advise is not None:
        with suppress(OSError):  # advice
            advise(descriptor, start, size, os.POSIX_FADV_DONTNEED)


def temporary_beside(path: str) -> str:
    """Return a name beside ``path`` that nothing has, and that is swept if it is left behind."""
    return os.path.join(os.path.dirname(path), f"{_TEMPORARY}{os.urandom(8).hex()}")


def _publish(source: str, path: str) -> None:
    """Give ``source`` the further name ``path``, or move it there, but never over another file."""
    try:
        os.link(source, path)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise cannot("write", path, error) from error
        _move_without_links(source, path)


def _move_without_links(source: str, path: str) -> None:
    """Move on a file system that has no hard links (FAT, some network and phone storage).

    Where rename replaces, a reservation file made with O_EXCL keeps two processes apart; it holds
    nothing, and one that a killed process left is swept like a temporary file.
    """
    directory, name = os.path.split(path)
    reserved = os.path.join(directory, _RESERVED + name)
    try:
        os.close(os.open(reserved, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise ConflictError(
            f"another process is writing {path}", code="exists", retryable=True
        ) from error
    except OSError as error:
        raise cannot("write", path, error) from error
    try:
        check_free(path)
        os.rename(source, path)
    except OSError as error:
        raise cannot("write", path, error) from error
    finally:
        discard(reserved)


def open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting, as the ``opener`` of ``open``: a named pipe must not hang us."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def regular(path: str, what: str) -> Iterator[IO[bytes]]:
    """Open a regular file to read; a pipe or a device might never end.

    Args:
        path: The file.
        what: The file in errors.

    Raises:
        FileNotFoundError: It is missing, and not a dangling link.
        ConfigError: ``cannot_read``: also a dangling link, or not a regular file.
    """
    try:
        with open(path, "rb", opener=open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(f"cannot read {what}: not a regular file", code="cannot_read")
            yield file
    except FileNotFoundError as error:
        if not os.path.islink(path):
            raise
        raise ConfigError(
            f"cannot read {what}: it is a link to {os.readlink(path)}, which is missing",
            code="cannot_read",
        ) from error
    except OSError as error:
        raise cannot("read", what, error) from error


def read_regular(path: str, limit: int, what: str) -> bytes:
    """Return the beginning of a regular file, up to ``limit`` bytes.

    Args:
        path: The file.
        limit: Number of bytes.
        what: The file in errors.

    Raises:
        FileNotFoundError: It is missing, and not a dangling link.
        ConfigError: ``cannot_read``: also a dangling link, or not a regular file.
    """
    with regular(path, what) as file:
        return file.read(limit)


def identify(path: str) -> tuple[int, int]:
    """Return an identity that distinguishes this file from a later one of the same name.

    Raises:
        FileNotFoundError: It is not there.
        ConfigError: ``cannot_read``.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise cannot("read", path, error) from error
    return status.st_dev, status.st_ino


def unlink(path: str, identity: tuple[int, int]) -> None:
    """Remove a file durably, but not another one that has taken its name meanwhile.

    Args:
        path: Its name.
        identity: From ``identify``.

    Raises:
        FileNotFoundError: It is not there.
        ConfigError: ``cannot_write``.
    """
    aside = temporary_beside(path)
    try:
        os.rename(path, aside)
        if identify(aside) == identity:
            os.unlink(aside)
        else:
            _publish(aside, path)
            discard(aside)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise cannot("write", path, error) from error
    sync_directory(os.path.dirname(path))


def move_aside(path: str, directory: str, stem: str) -> str:
    """Move a file durably to ``directory``, under the first number that is free.

    ``alice.json`` becomes ``alice.1.json``, then ``alice.2.json`` and so on.

    Returns:
        Its new path.

    Raises:
        FileNotFoundError: It is not there.
        ConfigError: ``cannot_write``.
    """
    ending = os.path.splitext(path)[1]
    number = 1
    while True:
        kept = os.path.join(directory, f"{stem}.{number}{ending}")
        try:
            # An empty file takes the number first: rename alone would replace another's.
            os.close(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            number += 1
            continue
        except OSError as error:
            raise cannot("write", kept, error) from error
        break
    try:
        os.replace(path, kept)
    except FileNotFoundError:
        discard(kept)
        raise
    except OSError as error:
        discard(kept)
        raise cannot("write", kept, error) from error
    sync_directory(directory)
    sync_directory(os.path.dirname(path))
    return kept


def shred(path: str) -> None:
    """Overwrite a file with random bytes and remove it.

    On flash storage, and on file systems that copy on write, old blocks may survive.

    Raises:
        FileNotFoundError: It is not there.
        ConfigError: ``cannot_write``.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | _O_BINARY)
        try:
            status = os.fstat(descriptor)
            left = status.st_size
            while left:
                left -= os.write(descriptor, os.urandom(left))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise cannot("write", path, error) from error
    unlink(path, (status.st_dev, status.st_ino))


def lock_at_once(descriptor: int) -> bool:
    """Lock an open file for this process, without waiting; say whether nobody else had it.

    Where the system has no such lock, nobody has it.
    """
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks
    return True


def sweep(
    directory: str,
    *,
    now: float | None = None,
    every: bool = False,
    seconds: float = _STALE_SECONDS,
) -> None:
    """Remove temporary files that a killed process left more than an hour ago.

    Args:
        directory: Where to look.
        now: Unix seconds; the present when not given.
        every: All files there are temporary.
        seconds: How old they are.
    """
    oldest = (time.time() if now is None else now) - seconds
    try:
        names = os.listdir(directory)
    except OSError:
        return  # the write that follows says what is wrong
    for name in names:
        if every or is_passing(name):
            path = os.path.join(directory, name)
            try:
                if os.lstat(path).st_mtime < oldest:
                    os.unlink(path)
            except OSError:
                continue  # another process was faster


def is_passing(name: str) -> bool:
    """Say whether only a writer at work uses a file of that name; people's own are never swept."""
    number = name.removeprefix(_TEMPORARY)[:16]
    is_temporary = name.startswith(_TEMPORARY) and len(number) == 16 and set(number) <= _HEX
    return is_temporary or name.startswith(_RESERVED)


def sync_directory(path: str) -> None:
    """Make the names in a directory durable; Windows has no such call."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(path or ".", os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EACCES):  # some file systems have none either
            raise cannot("write", path, error) from error


def discard(path: str) -> None:
    """Remove a passing file that may not be there."""
    try:
        os.unlink(path)
    except OSError:
        return  # already gone, or swept later


def _exists(path: str) -> ConflictError:
    return ConflictError(
        f"{path} exists and is not overwritten", code="exists", hint="name another file"
    )


def cannot(what: str, path: str, error: OSError | ValueError) -> ConfigError:
    """Return the error for an action that the system refused: ``read`` or ``write``.

    A ``ValueError`` is Python's word for a name that no file can have.
    """
    why = "not the name of a file"
    if isinstance(error, OSError):
        why = (error.strerror or "unknown reason").lower()
    return ConfigError(f"cannot {what} {path}: {why}", code=f"cannot_{what}")
