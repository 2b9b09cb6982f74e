"""What one ledger has of an asset and another one lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.errors import (
    NotFoundError,
)
from twincli.model import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.client import LedgerClient


class Fork(NamedTuple):
    """Where two ledgers go different ways.

    Attributes:
        common: The last transaction of both on this way, as the other ledger has it.
        here: What follows on the one.
        there: What follows on the other.
    """

    common: str
    here: str
    there: str


class Gap(NamedTuple):
    """What a ledger lacks of an asset.

    Attributes:
        txs: In commit order.
        fork: Why they cannot follow on; None if they can.
        behind: Whether the other one has what this one lacks.
        anew: Whether they can follow on only if they are recorded anew: what they follow on was.
    """

    txs: Iterator[dict[str, Any]]
    fork: Fork | None = None
    behind: bool = False
    anew: bool = False


def gap(here: LedgerClient, there: LedgerClient, asset_id: str) -> Gap:
    """Return what ``there`` lacks of an asset that is ``here``.

    What was recorded there anew by ``push --rebase`` is not lacking.

    Raises:
        NotFoundError: There is no such asset here.
    """
    unspent = there.unspent(asset_id)
    if len(unspent) == 1:
        tip = unspent[0].transaction_id
        if here.entry(tip) is not None:
            # All there is of the asset went through this transaction, so whatever is not before it
            # comes after it: no need to look at the rest, however long.
            return Gap(here.transactions(asset_id, after=tip))
    elif not unspent and there.entry(asset_id) is None:
        if here.entry(asset_id) is None:
            raise NotFoundError(f"there is no asset {asset_id} to be copied")
        return Gap(here.transactions(asset_id))
    spenders: dict[tuple[str, int], str] = {}
    same = Same()
    for tx in there.transactions(asset_id):
        spenders.update(dict.fromkeys(_spends(tx), tx["id"]))
        same.add(tx)
    both = 0
    apart = []
    for tx in here.transactions(asset_id):
        same.know(tx)
        if tx["id"] in same.there:
            both += 1
        else:
            apart.append(tx)
    behind = len(same.there) > both
    if not any(place in spenders for tx in apart for place in _spends(tx)):
        return Gap(iter(apart), behind=behind)
    missing = []
    for tx in apart:
        if same.of(tx["id"]) is None:
            told = _told_once(there, asset_id, tx)
            if told is None:
                missing.append(tx)
            else:
                same.say(tx["id"], told)
    known = {same.first(tx["id"]) for tx in apart}
    for tx in missing:
        for source, index in _spends(tx):
            found = same.of(source)
            theirs = spenders.get((found, index)) if found is not None else None
            # What follows there on what was recorded anew, and is known here, is no other way.
            while found != source and theirs is not None and same.first(theirs) in known:
                found, theirs = theirs, spenders.get((theirs, 0))
            if found is not None and theirs is not None:
                return Gap(iter(missing), Fork(found, tx["id"], theirs), behind)
    return Gap(iter(missing), behind=behind, anew=True)


def _spends(tx: dict[str, Any]) -> list[tuple[str, int]]:
    return [
        (entry["fulfills"]["transaction_id"], entry["fulfills"]["output_index"])
        for entry in tx["inputs"]
        if entry["fulfills"] is not None
    ]


class Same:
    """Which transactions of another ledger are those of this one, or record them anew.

    What records something anew names it in its envelope, as ``rebases``; that may record another
    one anew in its turn. Two that come from the same one say the same.

    Attributes:
        there: The ids on the other ledger, in commit order.
    """

    def __init__(self) -> None:
        self.there: dict[str, None] = {}
        self._rebases: dict[str, str] = {}
        self._made: dict[str, str] | None = None

    def know(self, tx: dict[str, Any]) -> None:
        """Take note of a transaction, on whichever ledger."""
        stated = (record.envelope_of(tx["metadata"]) or {}).get("rebases")
        if isinstance(stated, str):
            self._rebases.setdefault(tx["id"], stated)  # it may be known from the other ledger
            self._made = None

    def say(self, tx_id: str, other: str) -> None:
        """Take note that a transaction that is not there says what another one there does."""
        self._rebases[self.first(tx_id)] = other

    def add(self, tx: dict[str, Any]) -> None:
        """Take note of a transaction that is on the other ledger."""
        made = self._made
        self.know(tx)
        self.there[tx["id"]] = None
        if made is not None:
            made[self.first(tx["id"])] = tx["id"]
            self._made = made

    def of(self, tx_id: str) -> str | None:
        """Return the transaction on the other ledger that is, or says, what this one does."""
        if tx_id in self.there:
            return tx_id
        if self._made is None:
            self._made = {self.first(made): made for made in self.there}
        return self._made.get(self.first(tx_id))

    def first(self, tx_id: str) -> str:
        """Return what a transaction records anew, itself where it is the first to say it."""
        # It ends: nothing can name what is made after it.
        found = tx_id
        while found in self._rebases:
            found = self._rebases[found]
        # A way that strangers made long is gone once.
        while tx_id != found:
            self._rebases[tx_id], tx_id = found, self._rebases[tx_id]
        return found


def _told_once(there: LedgerClient, asset_id: str, tx: dict[str, Any]) -> str | None:
    """Return where the signers of ``tx`` said the same there, under the same once token."""
    token = (record.envelope_of(tx["metadata"]) or {}).get("once")
    if not isinstance(token, str):
        return None
    mine = {key for entry in tx["inputs"] for key in entry["owners_before"]}
    said = record.without_envelope(tx["metadata"])
    for signers, made in there.once(asset_id, token):
        entry = there.entry(made) if signers <= mine else None
        if entry is not None and record.without_envelope(entry.tx["metadata"]) == said:
            return made
    return None
