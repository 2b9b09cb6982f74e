"""Arguments that are files: which are, and what is in them."""

from __future__ import annotations

import codecs
import io
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from twincli.errors import NotFoundError
from twincli.files import cannot
from twincli.model.names import FILE_ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_file(word: str) -> bool:
    """Say whether an argument means a file: ``-``, a path, or a known ending."""
    return word == "-" or "/" in word or word.endswith(FILE_ENDINGS)


def what(word: str) -> str:
    """Return what errors call a file."""
    return "stdin" if word == "-" else word


@contextmanager
def opened(word: str) -> Iterator[IO[bytes]]:
    """Open a file, or stdin for ``-``; a stdin that was closed by who started us is empty.

    Raises:
        NotFoundError: ``no_file``.
        ConfigError: ``cannot_read``.
    """
    if word == "-":
        yield io.BytesIO() if sys.stdin is None else sys.stdin.buffer
        return
    try:
        stream = open(word, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {word}", code="no_file") from error
    except (OSError, ValueError) as error:
        raise cannot("read", word, error) from error
    with stream:
        yield stream


def beginning(word: str, size: int) -> bytes:
    """Return the first ``size`` bytes of a file, all of a small one."""
    with opened(word) as stream:
        try:
            return stream.read(size)
        except OSError as error:
            raise cannot("read", what(word), error) from error


def read(word: str) -> bytes:
    """Return all of a file of JSON, without the byte order mark that some editors put first."""
    return b"".join(lines(word))


def lines(word: str) -> Iterator[bytes]:
    """Yield the lines of a file of JSON, without the byte order mark before the first."""
    with opened(word) as stream:
        try:
            yield stream.readline().removeprefix(codecs.BOM_UTF8)
            yield from stream
        except OSError as error:
            raise cannot("read", what(word), error) from error
