"""Readings on their way: each is durable as soon as it is read, until a record has it.

A process that was killed finds them again. What a record had already is then found as a repeat,
so nothing is lost and nothing is stored twice. The last line may be torn; that reading was never
taken.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from twincli import files
from twincli.errors import ConflictError, InvalidError
from twincli.model import inline

if TYPE_CHECKING:
    from typing import Self

    from twincli.model.inline import Inline


class Spool:
    """The spool of one stream; one process has it at a time.

    Args:
        directory: Where it is.
        name: Of the file.
        keeps: Whether readings stand in it; not those of an encrypted stream, of which the file
            only says that a process is at it.

    Raises:
        ConflictError: ``busy``: another process has it.
        ConfigError: ``cannot_write``.
    """

    def __init__(self, directory: str, name: str, *, keeps: bool = True) -> None:
        self._keeps = keeps
        files.make_directory(directory)
        self.path = os.path.join(directory, f"{name}.spool")
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise files.cannot("write", self.path, error) from error
        if not files.lock_at_once(self._descriptor):
            os.close(self._descriptor)
            raise ConflictError("another process follows this stream", code="busy", retryable=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def read(self) -> list[Inline]:
        """Return what is in it."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        pieces = []
        while piece := os.read(self._descriptor, 1 << 20):
            pieces.append(piece)
        whole, _, torn = b"".join(pieces).rpartition(b"\n")
        if torn:
            os.ftruncate(self._descriptor, len(whole) + 1 if whole else 0)
        found: list[Inline] = []
        for line in whole.split(b"\n"):
            try:
                value = json.loads(line)
                items = inline.read(value)
            except (ValueError, InvalidError):  # a block that the disk lost
                continue
            found += (item._replace(is_now=value.get("is_now") is True) for item in items)
        return found

    def add(self, item: Inline) -> None:
        """Add a reading; it is durable when this returns.

        Raises:
            ConfigError: ``cannot_write``, ``disk_full``.
        """
        if not self._keeps:
            return
        value = inline.body([item]) | ({"is_now": True} if item.is_now else {})
        try:
            os.write(self._descriptor, json.dumps(value).encode() + b"\n")
            os.fsync(self._descriptor)
        except OSError as error:
            raise files.cannot("write", self.path, error) from error

    def clear(self) -> None:
        """Forget what is in it: a record has it."""
        os.ftruncate(self._descriptor, 0)
