"""Files that are nowhere but in memory, for what must not be on a disk in the clear.

Linux has them; the engine reads and writes them by a path that only this process and its children
can use. Elsewhere there are none, and whatever needs one is refused.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager

from twincli.errors import ConfigError
from twincli.values import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator


class MemoryFile:
    """A file in memory, gone when it is closed.

    Args:
        data: What is in it.

    Attributes:
        path: By which this process opens it, and a child that gets its descriptor.

    Raises:
        ConfigError: ``no_memory_files``: the system has none.
    """

    def __init__(self, data: bytes = b"") -> None:
        if sys.platform != "linux":
            raise unavailable()
        self.descriptor = os.memfd_create("twincli")
        self.path = f"/proc/self/fd/{self.descriptor}"
        left = memoryview(data)
        while left:
            left = left[os.write(self.descriptor, left) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget it."""
        os.close(self.descriptor)

    def read(self) -> bytes:
        """Return what is in it."""
        with open(self.path, "rb") as file:
            return file.read()

    @property
    def size(self) -> int:
        """Bytes in it."""
        return os.fstat(self.descriptor).st_size


@contextmanager
def passing(*, in_memory: bool) -> Iterator[str]:
    """Yield the path of a file that is gone afterwards.

    Args:
        in_memory: Whether nothing of it may be on a disk.

    Raises:
        ConfigError: ``no_memory_files``.
    """
    if in_memory:
        with MemoryFile() as file:
            yield file.path
        return
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        yield os.path.join(directory, "rows")


def unavailable() -> ConfigError:
    """Return the error of systems that have no such files."""
    return ConfigError(
        "readings that are encrypted are written and read in memory only, which this system does"
        " not offer",
        code="no_memory_files",
        hint="use Linux, also in a container, for encrypted streams",
    )


def check() -> None:
    """Check that there are such files.

    Raises:
        ConfigError: ``no_memory_files``.
    """
    if sys.platform != "linux":
        raise unavailable()
