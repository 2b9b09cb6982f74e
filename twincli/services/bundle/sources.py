"""Where the transactions of a bundle are read from: a ledger on this machine, or a network's node.

Either is read at one size of the ledger: what is committed meanwhile is not looked at.
"""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING

from twincli.crypto import tlog
from twincli.formats.bundle import Line
from twincli.proof import checkpoints, proofs
from twincli.services.proof.evidence import Claims
from twincli.values import NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.client.logs import Log
    from twincli.client.network import NetworkClient
    from twincli.crypto.ed25519 import Signer
    from twincli.ledger.ledger import Ledger
    from twincli.ledger.rows import Row

_ROWS = 500


class Source(Protocol):
    """A ledger at one size.

    Attributes:
        ledger_id: 64 hex digits.
    """

    ledger_id: str

    def has(self, asset_id: str) -> bool:
        """Say whether an asset was there already."""

    def rows(self, asset_id: str) -> Iterator[Row]:
        """Yield the transactions of an asset, in order."""


class Proving(Source, Protocol):
    """A ledger at one size that proves what it has.

    Attributes:
        height: Of its last block.
        claims: What it says about itself.
    """

    height: int
    claims: Claims

    def lines(self, seqs: list[int]) -> Iterator[Line]:
        """Yield transactions at positions with their proofs, in the order of the ledger."""

    def checkpoint(self, signer: Signer | None) -> bytes:
        """Return the checkpoint, with the cosignatures that witnesses gave it."""


class OfLedger:
    """A ledger on this machine, as it is now; see ``Proving``."""

    def __init__(self, ledger: Ledger) -> None:
        tip = ledger.tip()
        self._ledger, self._until = ledger, tip.last_seq
        self.ledger_id = ledger.id
        self.height = tip.height
        self.claims = Claims(
            ledger.id,
            ledger.public_key,
            tuple(ledger.former_keys),
            ledger.profile,
            tip.last_seq,
            tip.root,
        )

    def has(self, asset_id: str) -> bool:
        """See ``Source``."""
        seq = self._ledger.seq(asset_id)
        return seq is not None and seq <= self._until

    def rows(self, asset_id: str) -> Iterator[Row]:
        """See ``Source``."""
        ledger = self._ledger
        return ledger.store.rows(asset=ledger.seq(asset_id), until=self._until)

    def lines(self, seqs: list[int]) -> Iterator[Line]:
        """See ``Proving``."""
        ledger = self._ledger
        leading = proofs.paths(ledger, (seq - 1 for seq in seqs), self._tree)
        for at in range(0, len(seqs), _ROWS):
            for row in ledger.store.rows_at(seqs[at : at + _ROWS]):
                path = b"".join(next(leading))
                time_ms = ledger.time_of(row.height)
                yield Line(row.seq - 1, row.height, time_ms, path, row.text.encode())

    def checkpoint(self, signer: Signer | None) -> bytes:
        """See ``Proving``."""
        note = checkpoints.signed(self._tree, signer or checkpoints.signer_of(self._ledger))
        return checkpoints.with_cosignatures(self._ledger, note).to_bytes()

    @property
    def _tree(self) -> tlog.Checkpoint:
        claims = self.claims
        return tlog.Checkpoint(tlog.origin_of(claims.ledger_id), claims.size, claims.root)


class Stand(NamedTuple):
    """Where a transaction stands on a network.

    Attributes:
        height: Of its block.
        seq: Its position in the copy.
        tx_id: Its id.
        time_ms: Of its block; None: the network does not say.
        leaf: Its position in the log, from 0; None: the log does not have it, or there is none.
    """

    height: int
    seq: int
    tx_id: str
    time_ms: int | None
    leaf: int | None


class OfNetwork:
    """A network, read through the copy on this machine.

    Args:
        client: Of the network.
        log: The log of one of its nodes, at one checkpoint; None: it has none.

    Attributes:
        later: Transactions that were met and are later than that checkpoint.
    """

    def __init__(self, client: NetworkClient, log: Log | None) -> None:
        self._client, self.log = client, log
        self.later: list[str] = []
        self.ledger_id = client.ledger_id
        self._height: int | None = None
        if log is not None:
            self._height = log.leaf(log.size - 1).height if log.size else 0

    def has(self, asset_id: str) -> bool:
        """See ``Source``."""
        entry = self._client.entry(asset_id)
        return entry is not None and self._is_within(entry.height)

    def _is_within(self, height: int | None) -> bool:
        return height is not None and (self._height is None or height <= self._height)

    def rows(self, asset_id: str) -> Iterator[Row]:
        """See ``Source``."""
        copy = self._client.copy
        heights = {each.tx["id"]: each.height for each in self._client.entries(asset_id)}
        # What another process has brought into the copy since was not there when it was asked.
        for row in copy.store.rows(asset=copy.seq(asset_id)):
            tx_id = row.id.hex()
            if tx_id not in heights:
                continue
            if self._is_within(heights[tx_id]):
                yield row
            else:
                self.later.append(tx_id)

    def stands(self, seqs: list[int]) -> list[Stand]:
        """Return where transactions stand, in the order of the ledger."""
        found = []
        copy = self._client.copy
        for row in self._rows(seqs):
            tx_id = row.id.hex()
            place = copy.placed(tx_id)
            assert place is not None  # `rows` asked for it
            found.append(Stand(place.height, row.seq, tx_id, place.time_ms, None))
        found.sort()
        log = self.log
        if log is None:
            return found
        leaves: dict[str, int] = {}
        for height, block in groupby(found, key=lambda one: one.height):
            leaves.update(log.find((one.tx_id for one in block), height))
        found = [one._replace(leaf=leaves.get(one.tx_id)) for one in found]
        return sorted(found, key=lambda one: (-1 if one.leaf is None else one.leaf, one))

    def texts(self, stands: list[Stand]) -> Iterator[tuple[Stand, str]]:
        """Yield the text of each transaction."""
        waiting = iter(stands)
        while chunk := list(islice(waiting, _ROWS)):
            texts = {row.seq: row.text for row in self._rows([one.seq for one in chunk])}
            for one in chunk:
                yield one, texts[one.seq]

    def _rows(self, seqs: list[int]) -> Iterator[Row]:
        for at in range(0, len(seqs), _ROWS):
            yield from self._client.copy.store.rows_at(seqs[at : at + _ROWS])


class OfLog(OfNetwork):
    """A network one of whose nodes has a log; see ``Proving``."""

    def __init__(self, client: NetworkClient, log: Log) -> None:
        super().__init__(client, log)
        self._log = log
        self.height = self._height or 0
        self.claims = claims_of(log)

    def lines(self, seqs: list[int]) -> Iterator[Line]:
        """See ``Proving``; each is checked before somebody is told that it is proved.

        Raises:
            NotVerifiedError: ``wrong_log``.
        """
        for one, text in self.texts(self.stands(seqs)):
            path = None
            if one.leaf is not None and one.time_ms is not None:
                path = self._log.proved(one.leaf, one.height, one.time_ms, one.tx_id)
            if path is None or one.leaf is None or one.time_ms is None:
                raise self._log.lacking(one.tx_id)
            yield Line(one.leaf, one.height, one.time_ms, b"".join(path), text.encode())

    def checkpoint(self, signer: Signer | None) -> bytes:  # noqa: ARG002 - the node signed it
        """See ``Proving``."""
        return self._log.data


def claims_of(log: Log) -> Claims:
    """Return what a node says about the ledger that its log is of."""
    said = log.stated
    return Claims(said.id, said.public_key, said.former_keys, said.profile, log.size, log.root)
