"""What a page reads of the ledger, within a bound, and whose word it is.

A page must cost what it shows, whatever strangers wrote: every transaction that is read for it is
counted, and beyond the bound names are left out and listings are cut.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twincli.crypto import canonical, cid
from twincli.errors import InvalidError
from twincli.formats import shipped
from twincli.ledger.rows import decoded
from twincli.model import record, template
from twincli.model.transaction import signers_of
from twincli.node.pages.excerpt import LONGEST_NAME, cut
from twincli.rules import authority
from twincli.rules.authority import LAST, Authority, Place, Topic
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from twincli.content.store import Blobs
    from twincli.ledger import Ledger
    from twincli.ledger.reading import Entry
    from twincli.model.template import Template
    from twincli.rules.replay import Pin, Replay

PARSED = 8 << 20
"""Bytes of transactions that one page parses."""
KEPT_FOR_NAMES = PARSED // 4
CHUNKS = 300
OPENED = 3
"""Chunks of which one page reads the minutes, and those that it opens for them."""
_TRIED = 5
_LATER = 1 << 62

UNCHECKED = "not checked"


class Shelf(NamedTuple):
    """What a node keeps of chunks.

    Attributes:
        blobs: Content; None: it keeps none.
        minutes: The file of the minutes of chunks, or None.
    """

    blobs: Blobs | None = None
    minutes: str | None = None


class Source:
    """A ledger, read for one page.

    Args:
        ledger: What is read.
        shelf: What is kept of chunks.
    """

    def __init__(self, ledger: Ledger, shelf: Shelf) -> None:
        self.ledger = ledger
        self.shelf = shelf
        self.left = PARSED
        self.chunks, self.to_open = CHUNKS, OPENED
        self._txs: dict[str, dict[str, Any] | None] = {}
        self._names: dict[str, str | None] = {}
        self._key_names: dict[str, str | None] = {}

    def tx(self, tx_id: str) -> dict[str, Any] | None:
        """Return a transaction; None: unknown, or no more is read."""
        body = self.ledger.body(tx_id) if self.left > 0 else None
        if body is None:
            return None
        self.left -= len(body)
        return decoded(body, tx_id)

    def kept_tx(self, tx_id: str) -> dict[str, Any] | None:
        """Return a transaction that several rows may ask for."""
        if tx_id not in self._txs:
            self._txs[tx_id] = self.tx(tx_id)
        return self._txs[tx_id]

    def entry(self, tx_id: str) -> Entry | None:
        """Return a transaction with its block; None: unknown, or no more is read."""
        entry = self.ledger.entry(tx_id) if self.left > 0 else None
        if entry is not None:
            self.left -= entry.size
        return entry

    def last(self, asset_id: str) -> Entry | None:
        """Return the last transaction of an asset; None: unknown, or no more is read."""
        entry = self.ledger.last(asset_id) if self.left > 0 else None
        if entry is not None:
            self.left -= entry.size
        return entry

    def entries(self, asset_id: str, after: str | None = None) -> Iterator[Entry]:
        """Yield the transactions of an asset in order, at least one, while more may be read."""
        for entry in self.ledger.entries(asset_id, after):
            self.left -= entry.size
            yield entry
            if self.left < KEPT_FOR_NAMES:
                return

    def records(self, asset_id: str, kinds: Collection[str]) -> Iterator[Entry]:
        """Yield records that the owners of an asset wrote, in order, while more may be read."""
        for entry in self.ledger.records(asset_id, kinds):
            self.left -= entry.size
            yield entry
            if self.left < KEPT_FOR_NAMES:
                return

    def about(self, asset_id: str, after: int = 0, most: int = -1) -> Iterator[Entry]:
        """Yield what others say about an asset, in order, while more may be read.

        Args:
            asset_id: The asset.
            after: Only what stands after this position.
            most: At most N.
        """
        for seq in self.ledger.index.stated("about", asset_id, after, most):
            entry = self.entry(self.ledger.id_at(seq))
            if entry is None:
                return
            if record.creating_envelope(entry.tx).get("about") == asset_id:
                yield entry

    def template(self, pin: Pin) -> Template | None:
        """Return the template of a thing; None: it is not at hand, or no more is read."""
        data = shipped.data(pin.template)
        if data is not None and cid.of(data).text == pin.cid:
            return template.of_compiled(data)[0]
        for seq in self.ledger.index.stated("compiled", pin.cid, 0, _TRIED):
            create = self.tx(self.ledger.id_at(seq))
            stated = None if create is None else create["asset"].get("data")
            if record.kind_of(stated) == record.TEMPLATE:
                made = canonical.encode(record.without_envelope(stated))
                if cid.of(made).text == pin.cid:
                    with suppress(InvalidError):
                        return template.of_compiled(made)[0]
        return None

    def replay(self, asset_id: str) -> Replay | None:
        """Return the state of an asset; None: unknown, or too much would be read for it."""
        return self.ledger.replay(asset_id, most=PARSED)

    def name(self, asset_id: str) -> str | None:
        """Return the name of an asset, as its creator gave it."""
        if asset_id not in self._names:
            create = self.tx(asset_id)
            self._names[asset_id] = None if create is None else name_of(create)
        return self._names[asset_id]

    def key_name(self, key: str) -> str | None:
        """Return the name of a key: that of the identity or thing which the key itself signed."""
        if key not in self._key_names:
            self._key_names[key] = None
            ledger = self.ledger
            for seq in ledger.index.stated("entity", key)[:_TRIED]:
                create = self.tx(ledger.id_at(seq))
                if create is not None and (name := name_of(create)) and _agrees(create, key):
                    self._key_names[key] = name
                    break
        return self._key_names[key]


def name_of(create: dict[str, Any]) -> str | None:
    """Return the name that a CREATE states."""
    name = record.text(record.creating_envelope(create).get("name"))
    return cut(name, LONGEST_NAME) if name is not None and name.strip() else None


def _agrees(create: dict[str, Any], key: str) -> bool:
    data = create["asset"]["data"]
    return key in signers_of(create) or record.entity_standing(data) == "proved"


# --- Whose word --------------------------------------------------------------------------------


class _Held(NamedTuple):
    details: dict[str, Any]
    from_ms: int
    spender: str | None


class Term(NamedTuple):
    """How long an owner held something of an asset.

    Attributes:
        output: One of the outputs; the others have the same condition.
        since: By which transaction the term began.
        until: By which it ended, None where it has not ended as far as was read.
    """

    output: dict[str, Any]
    since: Entry
    until: Entry | None


BELONGING = Topic(record.LINK)
"""That one asset is a part of another."""


class Owners:
    """Who held an asset when; fed with its transactions in order.

    Args:
        children: CREATEs of parts and streams that name it as theirs, in order.
    """

    def __init__(self, children: Iterable[Entry] = ()) -> None:
        self._children = list(reversed(list(children)))
        self._held: list[_Held] = []
        self._times: dict[str, int] = {}
        self._walked_ms = 0
        self._authority = Authority()
        self._unspent: dict[tuple[str, int], str] = {}
        self._open: dict[str, int] = {}
        self.terms: list[Term] = []
        """Who held something of it, in the order in which they got it."""

    def add(self, entry: Entry) -> None:
        """Take the next transaction."""
        time_ms = entry.time_ms or 0
        while self._children and (self._children[-1].height or 0) < (entry.height or 0):
            self._link(self._children.pop())
        self._authority.add(entry.tx, Place(entry.height or 0, len(self._times), entry.time_ms))
        self._times[entry.tx["id"]] = self._walked_ms = time_ms
        self._begin_and_end(entry)
        for index, output in enumerate(entry.tx["outputs"]):
            details = output["condition"]["details"]
            self._held.append(_Held(details, time_ms, entry.spent_by.get(index)))

    def _begin_and_end(self, entry: Entry) -> None:
        """Keep how long each owner holds something, however often they write."""
        tx = entry.tx
        refs = [given["fulfills"] for given in tx["inputs"] if given["fulfills"] is not None]
        spent = {self._unspent.pop((ref["transaction_id"], ref["output_index"])) for ref in refs}
        for index, output in enumerate(tx["outputs"]):
            uri = self._unspent[tx["id"], index] = output["condition"]["uri"]
            if uri not in self._open:
                self._open[uri] = len(self.terms)
                self.terms.append(Term(output, entry, None))
        for uri in spent:
            if not self._authority.holders.holds(uri):
                number = self._open.pop(uri)
                self.terms[number] = self.terms[number]._replace(until=entry)

    def controls(self, key: str, entry: Entry) -> bool:
        """Say whether a key was among the owners', or the asset's own, at an entry elsewhere."""
        position = _place(entry).position
        holders = self._authority.holders
        return holders.entity_before(position) == key or holders.names(key, position)

    def gave(self, link: str, other: str, now_ms: int) -> bool | None:
        """Say whether the power that a transaction gave another asset lasts; None: it gave none.

        Args:
            link: The transaction.
            other: The asset.
            now_ms: The present.
        """
        while self._children:
            self._link(self._children.pop())
        present = Place(LAST, LAST, now_ms)
        for given in self._authority.children.get(other, ()):
            if given.tx_id == link:
                found = self._authority.held(given, "", present, now_ms).standing
                return found not in {authority.REVOKED, authority.UNAUTHORISED}
        return None

    def _link(self, part: Entry) -> None:
        self._authority.add_child(part.tx, Place(part.height or 0, LAST - 1, part.time_ms))

    def of_stream(self, create: Entry, name: str, entry: Entry, *, is_whole: bool) -> str:
        """Say whether what stands in a stream counts about this asset.

        Args:
            create: The CREATE of the stream, one of those that were given.
            name: What it is called.
            entry: A transaction in it; who signed it held the stream.
            is_whole: Whether all transactions of this asset were added.
        """
        while self._children:
            self._link(self._children.pop())
        kind = record.kind_of(entry.tx["metadata"]) or record.APPEND
        found = self._authority.judge(
            signers_of(entry.tx),
            Place(entry.height or 0, LAST, entry.time_ms),
            authority.Topic(kind, stream=name),
            record.stated_ms(entry.tx),
            [create.tx["id"]],
            lambda _child, keys: bool(keys),
        ).standing
        if not is_whole and (entry.time_ms or 0) > self._walked_ms:
            return UNCHECKED
        return found

    def standing(
        self,
        part: Entry,
        replay: Replay | None,
        *,
        is_whole: bool,
        topic: Topic = BELONGING,
    ) -> str:
        """Say whose word it is that ``part`` is a part of this asset, or says of it.

        Args:
            part: The CREATE that says so.
            topic: What it says.
            replay: Of this asset, to its tip; None: it was too large.
            is_whole: Whether all transactions of this asset were added.
        """
        when = part.time_ms or 0
        owners = [held.details for held in self._held if self._is_held(held, when)]
        entity = None if replay is None else replay.entity
        found = authority.standing(signers_of(part.tx), owners, entity)
        if found != authority.UNAUTHORISED:
            return found
        if not is_whole and when > self._walked_ms:
            return UNCHECKED
        # What holders of other parts say is not looked into: a page reads no second history.
        place = Place(part.height or 0, LAST, part.time_ms)
        return self._authority.judge(signers_of(part.tx), place, topic).standing

    def _is_held(self, held: _Held, when: int) -> bool:
        until = _LATER if held.spender is None else self._times.get(held.spender, _LATER)
        return held.from_ms <= when < until


def _place(entry: Entry) -> Place:
    """Return where something stands; of what is in one block, an asset's own comes first."""
    return Place(entry.height or 0, LAST, entry.time_ms)
