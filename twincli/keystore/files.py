"""Reading key files, and making directories that only their owner can use."""

from __future__ import annotations

import os
import stat

from twincli import files
from twincli.errors import ConfigError
from twincli.files import cannot

_MAX_BYTES = 1 << 16
_O_BINARY = getattr(os, "O_BINARY", 0)


def read_private(path: str) -> bytes:
    """Return a small file that nobody but its owner can read.

    Raises:
        FileNotFoundError: It is not there.
        ConfigError: ``insecure_permissions``, ``damaged_key`` (no regular file, too large),
            ``cannot_read``.
    """
    try:
        # O_NONBLOCK: a named pipe in the place of a key must not hang the program.
        flags = os.O_RDONLY | _O_BINARY | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, flags)
    except FileNotFoundError as error:
        if os.path.islink(path):
            raise ConfigError(
                f"{path} is a link to {os.readlink(path)}, which is missing", code="cannot_read"
            ) from error
        raise
    except OSError as error:
        raise cannot("read", path, error) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{path} is not a regular file", code="damaged_key")
        if os.name == "posix" and os.geteuid() == 0 and status.st_uid != 0:
            raise ConfigError(
                f"{path} belongs to another user (uid {status.st_uid}), and root uses only its own"
                " keys: its owner could replace it",
                code="foreign_owner",
                hint=f"run as its owner, or, if you trust it: chown root {path}",
            )
        if os.name == "posix" and status.st_mode & 0o077:
            raise ConfigError(
                f"{path} can be read by others (mode {status.st_mode & 0o7777:04o})",
                code="insecure_permissions",
                hint=f"chmod 600 {path}",
            )
        if status.st_size > _MAX_BYTES:
            raise ConfigError(f"{path} is too large for a key file", code="damaged_key")
        data = b""
        while chunk := os.read(descriptor, _MAX_BYTES):
            data += chunk
        return data
    except OSError as error:
        raise cannot("read", path, error) from error
    finally:
        os.close(descriptor)


def make_directory(path: str) -> None:
    """Make a directory and its parents, private to their owner.

    Raises:
        ConfigError: ``cannot_write``; ``insecure_permissions``: it exists, and others may write
            in it.
    """
    files.make_directory(path)
    try:
        fault = open_to_others(path)
    except OSError as error:
        raise cannot("write", path, error) from error
    if fault is not None:
        raise ConfigError(fault, code="insecure_permissions", hint=f"chmod 700 {path}")


def open_to_others(path: str) -> str | None:
    """Return a warning if others than its owner may write in a directory, else None.

    Raises:
        OSError: It is not there.
    """
    mode = os.stat(path).st_mode
    if os.name != "posix" or not mode & 0o022:
        return None
    return f"others can write to {path} (mode {mode & 0o7777:04o})"
