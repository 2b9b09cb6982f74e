"""The files of a ledger: ``ledger.db``, beside it ``ledger.key`` and the derived ``index.db``."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, NamedTuple

from twincli.crypto import base58
from twincli.errors import ConfigError, InvalidError

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
    """Make a directory that is its owner's alone, and those above it, if they are not there.

    Raises:
        ConfigError: ``read_only``.
    """
    try:
        above = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(above):
            make_directory(above)  # os.makedirs would leave it open to others: it may be the home
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the directory {path} cannot be made: {error.strerror}", code="read_only"
        ) from error


def write_key(path: str, key: KeyPair) -> None:
    """Write the ledger's private key, readable by its owner alone, durably.

    A key that is there belongs to a ledger that was moved away; it is kept as ``ledger.1.key``.
    """
    temporary = f"{path}.{os.urandom(8).hex()}.tmp"
    try:
        _keep(path)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
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


def read_key(path: str) -> KeyPair:
    """Read the ledger's private key.

    Raises:
        ConfigError: ``damaged_key``: it cannot be read, or is no key.
    """
    from twincli.crypto.ed25519 import KeyPair

    try:
        with open(path, "rb") as file:
            document = json.loads(file.read(4096))
        key = KeyPair.from_seed(base58.decode(document["seed"]))
    except (OSError, ValueError, TypeError, KeyError, InvalidError) as error:
        raise ConfigError(
            f"the ledger's key {path} cannot be read or is damaged",
            code="damaged_key",
            hint="restore it from a backup",
        ) from error
    return key


def _keep(path: str) -> None:
    """Move a file aside, as the first of ``ledger.1.key``, ``ledger.2.key`` ... that is free."""
    stem, ending = os.path.splitext(path)
    number = 1
    while os.path.lexists(f"{stem}.{number}{ending}"):
        number += 1
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, f"{stem}.{number}{ending}")
