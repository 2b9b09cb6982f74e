"""The files of a ledger.

``ledger.db`` and its log ``ledger.db-wal`` are the ledger; beside them are its private key, the
derived ``index.db``, and ``ledger.mark``, which says how far it came. What witnesses cosigned, and
what its node cosigned as a witness, is there, too.
"""

from __future__ import annotations

import contextlib
import json
import os

from twincli import files
from twincli.crypto import base58
from twincli.errors import ConfigError, InvalidError
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from twincli.crypto.ed25519 import KeyPair

_NO_KEY = "put it back; if it is lost, `twin backup create` and `restore` give the ledger a new one"


class Files(NamedTuple):
    """The files of a ledger; all but the first two are empty in memory.

    ``checkpoint`` is the last that witnesses cosigned; ``witnessed`` is a directory of those of
    other logs that this ledger's node cosigned.
    """

    ledger_db: str
    index_db: str
    key: str
    mark: str
    checkpoint: str
    witnessed: str


def locate(path: str) -> Files:
    """Return the files of the ledger at ``path``: a directory, a file, or ``:memory:``."""
    if path == ":memory:":
        return Files(path, path, "", "", "", "")
    if os.path.isdir(path) or not os.path.splitext(path)[1]:
        path = os.path.join(path, "ledger.db")
    directory, name = os.path.split(path)
    stem = os.path.splitext(name)[0]
    index = "index.db" if name == "ledger.db" else f"{stem}.index.db"
    return Files(
        path,
        os.path.join(directory, index),
        os.path.join(directory, f"{stem}.key"),
        os.path.join(directory, f"{stem}.mark"),
        os.path.join(directory, f"{stem}.checkpoint"),
        os.path.join(directory, f"{stem}.witnessed"),
    )


def make_directory(path: str) -> None:
    """Make a directory that is its owner's alone, and those above it, if they are not there.

    Raises:
        ConfigError: ``read_only``.
    """
    try:
        files.make_directory(path)
    except ConfigError as error:
        raise ConfigError(error.message, code="read_only") from error


def write_key(path: str, key: KeyPair, *, named: bool = True) -> None:
    """Write the ledger's private key, readable by its owner alone.

    An existing key belongs to a ledger that was moved away; it is kept as ``ledger.1.key``.

    Args:
        path: The file.
        key: The key.
        named: Sync the directory, too; else the ledger's first commit does it.

    Raises:
        ConfigError: ``read_only``.
    """
    document = {"version": 1, "public_key": key.public_key, "seed": base58.encode(key.seed)}
    directory, name = os.path.split(path)
    try:
        with contextlib.suppress(FileNotFoundError):
            files.move_aside(path, directory, os.path.splitext(name)[0])
        files.replace(path, json.dumps(document).encode() + b"\n", named=named)
    except ConfigError as error:
        raise ConfigError(error.message, code="read_only") from error


def check_key(path: str, public_key: str) -> None:
    """Check that the ledger's private key is there.

    Args:
        path: The file.
        public_key: What the ledger records.

    Raises:
        ConfigError: ``damaged_key``: it is missing, empty, damaged or another ledger's.
    """
    what = None
    if not os.path.exists(path):
        what = f"{path} is missing"
    elif not os.path.getsize(path):
        what = f"{path} is empty"
    elif read_key(path).public_key != public_key:
        what = f"{path} is the key of another ledger"
    if what is not None:
        raise ConfigError(f"the ledger's key {what}", code="damaged_key", hint=_NO_KEY)


def read_key(path: str) -> KeyPair:
    """Read the ledger's private key.

    Raises:
        ConfigError: ``damaged_key``: it cannot be read, or is not a key.
    """
    from twincli.crypto.ed25519 import KeyPair

    try:
        with open(path, "rb") as file:
            document = json.loads(file.read(4096))
        key = KeyPair.from_seed(base58.decode(str(document["seed"])))
    except (OSError, ValueError, TypeError, KeyError, InvalidError) as error:
        raise ConfigError(
            f"the ledger's key {path} cannot be read or is damaged",
            code="damaged_key",
            hint=_NO_KEY,
        ) from error
    return key
