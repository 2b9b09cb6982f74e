"""What one ledger has of an asset and another one lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import NotFoundError
from twincli.model import record
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.client import LedgerClient


class Fork(NamedTuple):
    """Where two ledgers diverge.

    Attributes:
        common: The last transaction that both have, under its id on the other ledger.
        here: What follows it here.
        there: What follows it on the other ledger.
    """

    common: str
    here: str
    there: str


class Gap(NamedTuple):
    """What a ledger lacks of an asset.

    Attributes:
        txs: The missing transactions, in commit order.
        fork: Why they cannot be added; None if they can.
        behind: Whether the other ledger has transactions that this one lacks.
        needs_rebase: Whether they can be added only after a rebase, because an ancestor was
            rebased there.
    """

    txs: Iterator[dict[str, Any]]
    fork: Fork | None = None
    behind: bool = False
    needs_rebase: bool = False


def find_gap(here: LedgerClient, there: LedgerClient, asset_id: str) -> Gap:
    """Return what ``there`` lacks of an asset that is ``here``.

    A transaction that ``push --rebase`` recorded there again does not count as missing.

    Raises:
        NotFoundError: The asset is not here.
    """
    unspent = there.unspent(asset_id)
    if len(unspent) == 1:
        tip = unspent[0].transaction_id
        if here.entry(tip) is not None:
            # The whole asset passed through this transaction, so all others are before or after
            # it: no need to compare the rest, however long.
            return Gap(here.transactions(asset_id, after=tip))
    elif not unspent and there.entry(asset_id) is None:
        if here.entry(asset_id) is None:
            raise NotFoundError(f"there is no asset {asset_id} to copy")
        return Gap(here.transactions(asset_id))
    return _compare_histories(here, there, asset_id)


def _compare_histories(here: LedgerClient, there: LedgerClient, asset_id: str) -> Gap:
    spenders: dict[tuple[str, int], str] = {}
    matches = Matches()
    for tx in there.transactions(asset_id):
        spenders.update(dict.fromkeys(_spends(tx), tx["id"]))
        matches.add(tx)
    shared = 0
    only_here = []
    for tx in here.transactions(asset_id):
        matches.know(tx)
        if tx["id"] in matches.there:
            shared += 1
        else:
            only_here.append(tx)
    behind = len(matches.there) > shared
    if not any(output in spenders for tx in only_here for output in _spends(tx)):
        return Gap(iter(only_here), behind=behind)
    missing = []
    for tx in only_here:
        if matches.of(tx["id"]) is None:
            match = _match_by_once(there, asset_id, tx)
            if match is None:
                missing.append(tx)
            else:
                matches.declare(tx["id"], match)
    fork = _find_fork(missing, {matches.origin(tx["id"]) for tx in only_here}, spenders, matches)
    return Gap(iter(missing), fork, behind, needs_rebase=fork is None)


def _find_fork(
    missing: list[dict[str, Any]],
    known: set[str],
    spenders: dict[tuple[str, int], str],
    matches: Matches,
) -> Fork | None:
    """Return the first output that both ledgers spend in different ways."""
    for tx in missing:
        for source, index in _spends(tx):
            common = matches.of(source)
            theirs = spenders.get((common, index)) if common is not None else None
            # A rebased copy of a transaction of this ledger does not count as another way.
            while common != source and theirs is not None and matches.origin(theirs) in known:
                common, theirs = theirs, spenders.get((theirs, 0))
            if common is not None and theirs is not None:
                return Fork(common, tx["id"], theirs)
    return None


def _spends(tx: dict[str, Any]) -> list[tuple[str, int]]:
    return [
        (entry["fulfills"]["transaction_id"], entry["fulfills"]["output_index"])
        for entry in tx["inputs"]
        if entry["fulfills"] is not None
    ]


class Matches:
    """Which transactions of another ledger equal those of this one, or are rebased from them.

    A rebased transaction names its origin in its envelope, as ``rebases``; it may be rebased in
    turn. Two with the same origin match.

    Attributes:
        there: The ids on the other ledger, in commit order.
    """

    def __init__(self) -> None:
        self.there: dict[str, None] = {}
        self._rebases: dict[str, str] = {}
        self._by_origin: dict[str, str] | None = None

    def know(self, tx: dict[str, Any]) -> None:
        """Take note of a transaction, on whichever ledger."""
        stated = (record.envelope_of(tx["metadata"]) or {}).get("rebases")
        if isinstance(stated, str):
            self._rebases.setdefault(tx["id"], stated)  # it may be known from the other ledger
            self._by_origin = None

    def declare(self, tx_id: str, other: str) -> None:
        """Take note that a transaction matches one of the other ledger."""
        self._rebases[self.origin(tx_id)] = other

    def add(self, tx: dict[str, Any]) -> None:
        """Take note of a transaction of the other ledger."""
        by_origin = self._by_origin
        self.know(tx)
        self.there[tx["id"]] = None
        if by_origin is not None:
            by_origin[self.origin(tx["id"])] = tx["id"]
            self._by_origin = by_origin

    def of(self, tx_id: str) -> str | None:
        """Return the transaction of the other ledger that matches this one, or None."""
        if tx_id in self.there:
            return tx_id
        if self._by_origin is None:
            self._by_origin = {self.origin(other): other for other in self.there}
        return self._by_origin.get(self.origin(tx_id))

    def origin(self, tx_id: str) -> str:
        """Return the transaction that this one was first rebased from, or itself."""
        # It ends: a transaction cannot name one that is made after it.
        origin = tx_id
        while origin in self._rebases:
            origin = self._rebases[origin]
        # Shorten the path, so that a long chain made by strangers is walked only once.
        while tx_id != origin:
            self._rebases[tx_id], tx_id = origin, self._rebases[tx_id]
        return origin


def _match_by_once(there: LedgerClient, asset_id: str, tx: dict[str, Any]) -> str | None:
    """Return what the signers of ``tx`` recorded there with the same token and content."""
    token = (record.envelope_of(tx["metadata"]) or {}).get("once")
    if not isinstance(token, str):
        return None
    signers_here = {key for entry in tx["inputs"] for key in entry["owners_before"]}
    content = record.without_envelope(tx["metadata"])
    for signers, other in there.once(asset_id, token):
        entry = there.entry(other) if signers <= signers_here else None
        if entry is not None and record.without_envelope(entry.tx["metadata"]) == content:
            return other
    return None
