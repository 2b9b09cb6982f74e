"""Files that commands read: the streams of data, and the small texts that hold a secret."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from twincli.errors import ConfigError, InvalidError, NotFoundError, UsageError

_LONGEST = 65536
_ENDINGS = (".twin", ".json", ".jsonl", ".csv", ".tx", ".car")


def is_file(word: str) -> bool:
    """Say whether an argument means a file: ``-``, a path, or a known ending."""
    return word == "-" or "/" in word or word.endswith(_ENDINGS)


def what(word: str) -> str:
    """Return what errors call a file."""
    return "stdin" if word == "-" else word


@contextmanager
def opened(word: str) -> Iterator[IO[bytes]]:
    """Open a file, or stdin for ``-``, for as long as the block lasts.

    Raises:
        NotFoundError: ``no_file``.
        UsageError: ``unreadable``.
    """
    if word == "-":
        yield sys.stdin.buffer
        return
    try:
        file = open(word, "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {word}", code="no_file") from error
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        raise UsageError(f"{word} cannot be read: {why}", code="unreadable") from error
    with file:
        yield file


def read(word: str) -> bytes:
    """Return all of a file."""
    with opened(word) as stream:
        return stream.read()


def lines(word: str) -> Iterator[bytes]:
    """Yield the lines of a file."""
    with opened(word) as stream:
        yield from stream


def secret_text(path: str, what: str) -> str:
    """Return the text of a small file that holds a secret; no error quotes any of it.

    Args:
        path: The file; ``-`` for stdin.
        what: What it holds, for the error.

    Raises:
        NotFoundError: There is no such file.
        ConfigError: ``cannot_read``.
        InvalidError: ``too_long``, ``not_text``.
    """
    try:
        if path == "-":
            data = sys.stdin.buffer.read(_LONGEST + 1)
        else:
            with open(os.path.expanduser(path), "rb") as file:
                data = file.read(_LONGEST + 1)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path} with {what}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ConfigError(
            f"{what}: {path} cannot be read: {reason.lower()}", code="cannot_read"
        ) from error
    return decoded(data, what, "on stdin" if path == "-" else f"in {path}")


def decoded(data: bytes, what: str, where: str) -> str:
    """Return a secret as text.

    Raises:
        InvalidError: ``too_long``, ``not_text``.
    """
    if len(data) > _LONGEST:
        raise InvalidError(f"{what} {where} is longer than {_LONGEST} bytes", code="too_long")
    try:
        return data.decode()
    except UnicodeDecodeError:
        # Not chained: the error would carry the secret.
        raise InvalidError(f"{what} {where} is not UTF-8 text", code="not_text") from None


def bip39_passphrase(path: str | None) -> str:
    """Return BIP39's own passphrase; nothing without a file.

    Raises:
        ConfigError: ``empty_passphrase``; as ``secret_text``.
    """
    if path is None:
        return ""
    text = secret_text(path, "the BIP39 passphrase").removesuffix("\n").removesuffix("\r")
    if not text:
        raise ConfigError(f"the BIP39 passphrase in {path} is empty", code="empty_passphrase")
    return text
