"""What a use case works with: a ledger, keys, names, a clock and randomness."""

from __future__ import annotations

import os
import time

from twincli.values import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.book.store import Book
    from twincli.client import LedgerClient
    from twincli.keystore.keyfile import SecretSource
    from twincli.keystore.store import KeyStore


def now_ms() -> int:
    """Return the present in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class _NoLedger:
    """Stands in the place of a ledger; a use case that asks it for anything has a bug."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"this use case works without a ledger, and asks for its {name}")


def no_ledger() -> LedgerClient:
    """Return the client of a workspace whose use cases need keys and names only."""
    return cast("LedgerClient", _NoLedger())


class Audit(NamedTuple):
    """Where it is noted who was given what; see ``services.audit``.

    Attributes:
        directory: Of the audit log.
        reads: Whether reads of what is not encrypted are noted, too.
    """

    directory: str
    reads: bool = False


class Noting(Protocol):
    """What notes something in the audit log."""

    @property
    def audit(self) -> Audit | None:
        """The log, None where there is none."""

    @property
    def now(self) -> Callable[[], int]:
        """Milliseconds since the epoch."""

    @property
    def dry_run(self) -> bool:
        """Whether nothing is written."""


class Judging(Noting, Protocol):
    """What judges who may read."""

    @property
    def client(self) -> LedgerClient:
        """The ledger."""


class Workspace(NamedTuple):
    """Opened rooms and the choices that hold for one use.

    Attributes:
        client: The ledger.
        keystore: Keys.
        book: Names.
        secrets: Asked for a passphrase, given the name of a key; None: none can be had.
        keys: Names of the keys to sign with, from ``--key``; empty: choose.
        default_key: The key for a CREATE when nothing else says; None: the first made.
        accept_unknown: Pay to keys that neither names nor ledger know.
        dry_run: Check and show, write nothing, unlock nothing.
        now: Milliseconds since the epoch.
        random: So many random bytes.
        audit: The audit log, None where there is none.
        identities: Of age, from a file that was named: they open what is for their recipients.
    """

    client: LedgerClient
    keystore: KeyStore
    book: Book
    secrets: SecretSource | None = None
    keys: tuple[str, ...] = ()
    default_key: str | None = None
    accept_unknown: bool = False
    dry_run: bool = False
    now: Callable[[], int] = now_ms
    random: Callable[[int], bytes] = os.urandom
    audit: Audit | None = None
    identities: tuple[str, ...] = ()
