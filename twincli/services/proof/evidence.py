"""Evidence: what somebody handed over to show what became of a twin, whatever form it has.

A reader says what is in it and judges nothing; `judge` does. Nothing is written, not even beside
a file, and nothing of a home is read except what the caller opened.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from twincli import files
from twincli.crypto import tlog
from twincli.errors import ConfigError, NotFoundError, NotVerifiedError, UndeterminedError
from twincli.values import NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from twincli.client import LedgerClient
    from twincli.content.store import Blobs
    from twincli.ledger.ledger import Ledger
    from twincli.ledger.store import Store

LEDGER, BUNDLE, NETWORK = "ledger", "bundle", "network"
PROOF, GROWTH = "proof", "growth"
"""Kinds of evidence."""

_SQLITE = b"SQLite format 3\0"
_PROVING = b"c2sp.org/tlog-proof"
_MARKED_AT, _MARKED = 68, b"twin"


class Finding(NamedTuple):
    """Something that does not fit.

    Attributes:
        code: For programs.
        where: A transaction, a block, an entry of a bundle, a CID.
        message: For people.
    """

    code: str
    where: str
    message: str


class Claims(NamedTuple):
    """What evidence says about the ledger it is from. Nobody has checked it.

    Attributes:
        ledger_id: 64 hex digits.
        ledger_key: The ledger's own key, base58.
        former_keys: Keys that it had before.
        profile: Of the rules.
        size: Leaves of the tree.
        root: Its root, 32 bytes.
    """

    ledger_id: str
    ledger_key: str
    former_keys: tuple[str, ...]
    profile: str
    size: int
    root: bytes


class Recorded(NamedTuple):
    """A transaction, and where it is said to stand.

    Attributes:
        leaf: Its leaf in the tree, from 0: its position on the ledger.
        height: Of its block.
        time_ms: Of its block.
        body: Its canonical text with the id, UTF-8.
        path: The hashes that lead from its leaf to the root, 32 bytes each; None where the whole
            ledger is there, or there is no log.
    """

    leaf: int
    height: int
    time_ms: int
    body: bytes
    path: bytes | None = None


class LeftOut(NamedTuple):
    """What evidence says that it leaves out; the transactions still commit to it.

    Attributes:
        what: ``stream`` or ``file``.
        of: The stream's name, or a CID.
        first: RFC 3339, or None.
        last: RFC 3339, or None.
        amount: How many of them.
    """

    what: str
    of: str
    first: str | None = None
    last: str | None = None
    amount: int | None = None


class Evidence(Protocol):
    """What `judge` is given.

    Attributes:
        kind: ``LEDGER`` or ``BUNDLE``.
        source: Its path, or the name of what stands in a home.
        claims: What it says about its ledger.
        asset_id: The twin that it is about; None: all of a ledger.
        notes: Checkpoints as signed notes.
        left_out: What it says that it leaves out.
        faults: What its reader met that cannot be so: judged as altered.
        holds_content: Whether what is named and not there is missing; else nothing was promised.
        ledger: The ledger, where all of it is there.
        unlogged: The network that it was read from, where that keeps no log and no times of
            blocks, so that it is asked what is said; else None.
    """

    kind: str
    source: str
    claims: Claims
    asset_id: str | None
    notes: Sequence[bytes]
    left_out: Sequence[LeftOut]
    faults: Sequence[Finding]
    holds_content: bool
    ledger: Ledger | None
    unlogged: LedgerClient | None

    def transactions(self) -> Iterator[Recorded]:
        """Yield the transactions in the order of the ledger."""

    def root_at(self, size: int) -> bytes | None:
        """Return the root over the first leaves, no more than there are; None: it is not there."""

    def content(self, cid: str) -> IO[bytes] | None:
        """Open content by its CID, unchecked; None: it is missing."""

    def cids(self) -> Iterator[str]:
        """Yield the CIDs of all content that was handed over."""


class LedgerEvidence:
    """A whole ledger.

    Args:
        ledger: Opened to read, with an index that nobody handed over; closed by who opened it.
        source: What to call it.
        asset_id: The twin that is asked about; None: all.
        blobs: Where content is; None: nobody promised any.
        notes: Checkpoints that came with it.

    Attributes:
        own: The ledger, never None.
    """

    kind = LEDGER
    left_out: Sequence[LeftOut] = ()
    faults: Sequence[Finding] = ()
    unlogged: LedgerClient | None = None

    def __init__(
        self,
        ledger: Ledger,
        source: str,
        asset_id: str | None = None,
        blobs: Blobs | None = None,
        notes: Sequence[bytes] = (),
    ) -> None:
        self.ledger: Ledger | None = ledger
        self.own = ledger
        self.source = source
        self.asset_id = asset_id
        self.notes = notes
        self._blobs = blobs
        self.holds_content = blobs is not None
        tip = ledger.store.tip()
        self.claims = Claims(
            ledger.id,
            ledger.public_key,
            tuple(ledger.former_keys),
            ledger.profile,
            ledger.tree_size(),
            tip.root,
        )

    def transactions(self) -> Iterator[Recorded]:
        """See ``Evidence``; the stored texts, unchecked."""
        for leaf, row in enumerate(self.own.store.rows()):
            time_ms = self.own.time_of(row.height)
            yield Recorded(leaf, row.height, time_ms, row.body.encode("utf-8", "surrogatepass"))

    def root_at(self, size: int) -> bytes | None:
        """See ``Evidence``."""
        return self.claims.root if size == self.claims.size else self.own.root_at(size)

    def content(self, cid: str) -> IO[bytes] | None:
        """See ``Evidence``."""
        if self._blobs is None:
            return None
        with suppress(UndeterminedError):
            return self._blobs.open(cid)
        return None

    def cids(self) -> Iterator[str]:
        """See ``Evidence``; what else a home has was not handed over."""
        yield from ()


@contextmanager
def of_ledger(
    path: str, asset_id: str | None = None, blobs: Blobs | None = None
) -> Iterator[LedgerEvidence]:
    """Read a ledger's file, and nothing that lies beside it except its log.

    Args:
        path: The file, or its directory.
        asset_id: The twin that is asked about; None: all.
        blobs: Where content is.

    Raises:
        NotFoundError: ``no_ledger``.
        ConfigError: ``damaged_ledger``, ``foreign_file``, ``newer_schema``.
    """
    from twincli.ledger.faults import damaged
    from twincli.ledger.files import locate
    from twincli.ledger.store import Store

    # Neither the index beside it is believed nor the mark: a forger had those, too.
    store = Store(locate(path).ledger_db, read_only=True)
    try:
        # A view in the place of a table could keep a reader busy for ever.
        for fault in store.strange_parts():
            raise damaged(fault)
        with unindexed(store) as ledger:
            yield LedgerEvidence(ledger, path, asset_id, blobs)
    finally:
        store.close()


@contextmanager
def unindexed(store: Store) -> Iterator[Ledger]:
    """Yield a ledger whose index is made in memory.

    What is found by an index that somebody altered is not everything there is.
    """
    from twincli.ledger.ledger import Ledger

    ledger = Ledger(store, ":memory:")
    try:
        yield ledger
    finally:
        ledger.close_index()


def is_proof(path: str) -> bool:
    """Say whether a file is the proof of a transaction."""
    return begins_with(path, _PROVING)


def is_checkpoint(path: str) -> bool:
    """Say whether a file is a checkpoint of a ledger of twincli, or of a witness."""
    return begins_with(path, tlog.ORIGIN.encode())


def begins_with(path: str, beginning: bytes) -> bool:
    """Say whether something is a regular file with such a beginning."""
    try:
        return files.read_regular(path, len(beginning), path) == beginning
    except (OSError, ConfigError):
        return False


def kind_of(path: str) -> str:
    """Say what a file is by its bytes, of which one may have been altered.

    Raises:
        NotFoundError: ``not_found``: there is no such file.
        ConfigError: ``cannot_read``.
        NotVerifiedError: ``unknown_evidence``: neither a ledger nor a bundle.
    """
    if os.path.isdir(path):
        return LEDGER
    try:
        with files.regular(path, path) as stream:
            head = stream.read(_MARKED_AT + len(_MARKED))
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 22))
            tail = stream.read()
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}", code="not_found") from error
    if head.startswith(_SQLITE) or head[_MARKED_AT:] == _MARKED:
        return LEDGER
    if head.startswith((b"PK\3\4", b"<!")) or tail.startswith(b"PK\5\6"):
        return BUNDLE
    raise NotVerifiedError(
        f"{path} is neither a ledger nor a bundle, or was altered",
        code="unknown_evidence",
        hint="twin verify NAME|BUNDLE|LEDGER-FILE",
    )
