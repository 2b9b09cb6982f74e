"""The files of a ledger: ``ledger.db``, beside it ``ledger.key`` and the derived ``index.db``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

from twincli.crypto import base58
from twincli.errors import ConfigError

if TYPE_CHECKING:
    from twincli.crypto.ed25519 import KeyPair


class Files(NamedTuple):
    """The files of a ledger; ``key`` is empty in memory."""

    ledger_db: str
    index_db: str
    key: str


def locate(path: str) -> Files:
    """Return the files of the ledger at ``path``: a directory, a file, or ``:memory:``."""
    if path == ":memory:":
        return Files(path, path, "")
    if os.path.isdir(path) or not os.path.splitext(path)[1]:
        path = os.path.join(path, "ledger.db")
    directory, name = os.path.split(path)
    stem = os.path.splitext(name)[0]
    index = "index.db" if name == "ledger.db" else f"{stem}.index.db"
    return Files(path, os.path.join(directory, index), os.path.join(directory, f"{stem}.key"))


def make_directory(path: str) -> None:
    """Make a directory that is its owner's alone, if it is not there.

    Raises:
        ConfigError: ``read_only``.
    """
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the directory {path} cannot be made: {error.strerror}", code="read_only"
        ) from error


def write_key(path: str, key: KeyPair) -> None:
    """Write the ledger's private key, readable by its owner alone, durably."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            text = json.dumps(
                {
                    "version": 1,
                    "public_key": key.public_key,
                    "seed": base58.encode(key.seed),
                }
            )
            os.write(descriptor, text.encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        raise ConfigError(
            f"the ledger's key {path} cannot be written: {error.strerror}",
            code="read_only",
        ) from error
