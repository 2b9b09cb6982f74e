"""Arguments that are files: which are, and what is in them."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from twincli.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDINGS = (".twin", ".json", ".jsonl", ".csv", ".tx", ".car")


def is_file(word: str) -> bool:
    """Say whether an argument means a file: ``-``, a path, or a known ending."""
    return word == "-" or "/" in word or word.endswith(_ENDINGS)


def what(word: str) -> str:
    """Return what errors call a file."""
    return "stdin" if word == "-" else word


@contextmanager
def opened(word: str) -> Iterator[IO[bytes]]:
    """Open a file, or stdin for ``-``.

    Raises:
        NotFoundError: ``no_file``.
        UsageError: ``unreadable``.
    """
    if word == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = open(word, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {word}", code="no_file") from error
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        raise UsageError(f"{word} cannot be read: {why}", code="unreadable") from error
    with stream:
        yield stream


def read(word: str) -> bytes:
    """Return all of a file."""
    with opened(word) as stream:
        return stream.read()


def lines(word: str) -> Iterator[bytes]:
    """Yield the lines of a file."""
    with opened(word) as stream:
        yield from stream
