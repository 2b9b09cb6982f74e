"""A workspace for tests: a ledger in memory, keys without passphrases, a clock that is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twincli.book.store import Book
from twincli.client.embedded import EmbeddedClient
from twincli.crypto.ed25519 import KeyPair
from twincli.keystore.store import KeyStore
from twincli.ledger import Ledger
from twincli.rules.validity import STRICT
from twincli.services.workspace import Workspace, no_ledger

NOW_MS = 1_900_000_000_000


def key_room(store: KeyStore, **more: Any) -> Workspace:
    """Return a workspace around a key store, without a ledger."""
    book = Book(str(Path(store.directory).parent / "book.db"))
    return Workspace(no_ledger(), store, book, **more)


class Rooms:
    """A workspace and what tests turn about it.

    Attributes:
        now_ms: What its clock shows.
        workspace: With no ``--key``.
        ledger: Its ledger.
    """

    def __init__(self, directory: Path, profile: str = STRICT) -> None:
        self.now_ms = NOW_MS
        self.ledger = Ledger.open(":memory:", profile=profile, clock=lambda: self.now_ms)
        self.workspace = Workspace(
            EmbeddedClient(self.ledger),
            KeyStore(str(directory / "keys")),
            Book(str(directory / "book.db")),
            now=lambda: self.now_ms,
        )

    def key(self, name: str) -> str:
        """Make a key that follows from its name, return the public key."""
        pair = KeyPair.from_seed(name.encode().ljust(32, b"."))
        self.workspace.keystore.create(
            name, pair, secret_source=None, created="2024-01-20T09:00:00Z"
        )
        return pair.public_key

    def using(self, *names: str, **changes: Any) -> Workspace:
        """Return the workspace with ``--key`` of these names, or otherwise changed."""
        return self.workspace._replace(keys=names, **changes)

    def count(self, asset_id: str) -> int:
        """Return how many transactions an asset has."""
        return self.ledger.count(asset_id)


@contextmanager
def opened(directory: Path, profile: str = STRICT) -> Iterator[Rooms]:
    """Open rooms whose files are in a directory."""
    rooms = Rooms(directory, profile)
    try:
        yield rooms
    finally:
        rooms.workspace.client.close()
        rooms.workspace.book.close()
