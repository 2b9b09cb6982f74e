"""Files that are encrypted: on their way in, and on their way out."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from twincli.crypto import age
from twincli.errors import UsageError
from twincli.files import cannot, make_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from twincli.content.store import Blobs
    from twincli.services.privacy.opening import Keyring
    from twincli.services.record.attachments import Brought


def sealed(brought: Brought, recipient: str, directory: str) -> Brought:
    """Return a file as it is stored: encrypted, read from a passing file of what is encrypted.

    Args:
        brought: The file.
        recipient: To whom.
        directory: Of the passing file.

    Raises:
        UsageError: ``not_supported``: it is a CAR.
    """
    if brought.is_car:
        raise UsageError(
            f"{brought.what} is a CAR, whose CID is that of what is inside",
            code="not_supported",
            hint="attach the file itself with --encrypt",
        )

    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        make_directory(directory)
        with brought.opened() as plain, tempfile.TemporaryFile(dir=directory) as out:
            try:
                age.seal_stream(plain, out, recipient)
            except OSError as error:
                raise cannot("read", brought.what, error) from error
            out.seek(0)
            yield out

    return brought._replace(opened=opened)


def copy(blobs: Blobs, cid: str, ring: Keyring, write: Callable[[bytes], None]) -> int:
    """Write what is in an encrypted file, whose bytes were checked; return how many bytes.

    Raises:
        LockedError: ``no_grant``.
        InvalidError: ``damaged_content``: what was written is not the file.
    """
    counted = _Counted(write)
    with blobs.open(cid) as stream:
        age.open_stream(stream, counted, reversed(ring.secrets.values()))
    return counted.size


class _Counted:
    """A file to write to."""

    def __init__(self, put: Callable[[bytes], None]) -> None:
        self._put = put
        self.size = 0

    def write(self, data: Any) -> int:
        """Write bytes."""
        self._put(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: what is written is written."""


def shred(blobs: Blobs, cids: Iterable[str]) -> tuple[list[str], list[str]]:
    """Erase wraps from this machine.

    Their bytes are overwritten first, as far as the disk does what it is told.

    Returns:
        Those that were here, and those that were not.
    """
    erased: list[str] = []
    absent: list[str] = []
    for cid in cids:
        if not blobs.has(cid):
            absent.append(cid)
            continue
        path = blobs.path(cid)
        try:
            os.chmod(path, 0o600)
            with open(path, "r+b", buffering=0) as file:
                file.write(os.urandom(os.fstat(file.fileno()).st_size))
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot("write", path, error) from error
        blobs.remove(cid)
        erased.append(cid)
    return erased, absent
