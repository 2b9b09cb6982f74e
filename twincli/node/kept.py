"""How much content a node keeps: a bound on all of it, and space that is left on the disk."""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import TYPE_CHECKING

from twincli.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.content.store import Blobs

LEFT_FREE = 256 << 20
"""Bytes that content leaves on the disk, so that it never stops the ledger."""
COUNT_SECONDS = 60.0
"""How long a count holds; other processes may add files, too."""


class FullError(Exception):
    """There is no room for a file; never leaves the room."""


class Kept:
    """Counts the bytes of a node's content. Used from several threads.

    Args:
        blobs: The content.
        most: The most bytes of all files; 0 for any number.
        clock: Seconds.
    """

    def __init__(
        self, blobs: Blobs, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._blobs = blobs
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._bytes = 0
        self._arriving = 0
        self._counted: float | None = None

    def take(self, size: int) -> None:
        """Count bytes that are about to be written.

        Raises:
            FullError: There is no room for them.
        """
        with self._lock:
            if self._most and self._total() + size > self._most:
                raise FullError(f"this node keeps at most {self._most} bytes of content")
            free = shutil.disk_usage(_existing(self._blobs.directory)).free
            if free - size < LEFT_FREE:
                raise FullError("the disk of this node is nearly full")
            self._arriving += size

    def finish(self, size: int, *, is_kept: bool) -> None:
        """Count bytes that were taken as a file, or as dropped."""
        with self._lock:
            self._arriving -= size
            if is_kept:
                self._bytes += size

    def _total(self) -> int:
        now = self._clock()
        if self._counted is None or now - self._counted > COUNT_SECONDS:
            self._bytes = sum(map(self._size, self._blobs.cids()))
            self._counted = now
        return self._bytes + self._arriving

    def _size(self, cid: str) -> int:
        try:
            return self._blobs.size(cid)
        except NotFoundError:  # removed meanwhile
            return 0


def _existing(path: str) -> str:
    """Return a directory, or the nearest one above that exists."""
    path = os.path.abspath(path)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
