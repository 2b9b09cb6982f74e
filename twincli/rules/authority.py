"""Whose word counts about a twin: the owners', and that of those whom the owners allowed it.

A statement about a twin counts, at its position on the ledger, if those who signed it

- can fulfil one of the twin's outputs there (any of them, while it is split),
- or control a child that the twin's controller linked: a CREATE that names the twin as its
  ``parent`` and that the controller signed, or a record of kind ``link`` (``part``, ``stream``),
- or hold a grant: a record of kind ``grant`` on the twin whose scope holds what is said, which is
  neither expired (by the block's time) nor revoked.

Grants and links end when the controller that made them holds nothing of the twin any more, unless
the transfer lists them in ``keeps``. They cannot be passed on: a grant is a transaction of the
twin, which only its controllers can make.

What a controller writes in a version or kind that is not known here may be a revocation. So from
there on what others say is at best ``undetermined``, until that controller holds nothing any more.
What controllers say counts all the same: their power is in the twin's outputs.

Nothing here reads a ledger or a clock; transactions and times are given.
"""

from __future__ import annotations

from bisect import bisect_left
from heapq import heappop, heappush
from math import inf

from twincli.crypto import conditions
from twincli.model import record
from twincli.model.links import PART, POWERS, STREAM
from twincli.model.transaction import signers_of
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

AUTHORISED = "authorised"
CLAIMED = "claimed_by_entity"
UNAUTHORISED = "unauthorised"
REVOKED = "revoked"
UNDETERMINED = "undetermined"
STANDINGS = (AUTHORISED, CLAIMED, UNAUTHORISED, REVOKED, UNDETERMINED)

WRITER = "writer"
VIEWER, AUDITOR = READERS = ("viewer", "auditor")
"""Roles that may read what is encrypted; an auditor also reads the audit log."""
DOWNLOAD = "download"
"""What a grant may deny: writing what is read to files."""
PRIVATE = "private"
"""The member of a grant to read whose scope stands in wraps only."""
LAST = 2**63
"""A height or number after all others: of what is not on the ledger yet."""


class Place(NamedTuple):
    """Where a transaction stands on the ledger, and when it was committed.

    Attributes:
        height: Of its block; ``LAST`` where it is in none yet.
        number: Among all transactions, or ``LAST`` where nobody knows it: then it comes after all
            that is known of its block.
        time_ms: Of its block, or None where the ledger does not report it.
    """

    height: int
    number: int
    time_ms: int | None = None

    @property
    def position(self) -> Position:
        """What places are ordered by."""
        return self.height, self.number


Position = tuple[int, int]
"""What places are ordered by."""


class Topic(NamedTuple):
    """What a statement is about, as far as the scope of a grant asks for it.

    Attributes:
        kind: The kind of record.
        fields: The template's fields that it writes.
        stream: The stream that it belongs to, or None.
    """

    kind: str
    fields: frozenset[str] = frozenset()
    stream: str | None = None


class Scope(NamedTuple):
    """What a grant allows: records of these kinds, values of these fields, these streams.

    All three None: everything.
    """

    fields: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    streams: frozenset[str] | None = None


_EVERYTHING = Scope()


class Verdict(NamedTuple):
    """Whether a statement counts.

    Attributes:
        standing: One of ``STANDINGS``.
        via: The grant or link by which it counts, or once did or may: the id of the transaction
            that made it.
        why: ``owner``, ``grant``, ``link``, ``entity``, ``revoked``, ``expired``, ``ended`` (with
            a transfer), ``scope``, ``private`` (a scope that was not opened), ``download``,
            ``no_block_time``, ``unknown_record``, ``stranger``.
    """

    standing: str
    via: str | None
    why: str


OWNER = Verdict(AUTHORISED, None, "owner")
"""Of what a controller says."""

_STRANGER = Verdict(UNAUTHORISED, None, "stranger")


class Granted(NamedTuple):
    """What the body of a grant allows to a key.

    Attributes:
        public_key: The key.
        role: ``writer``, or what this version does not know.
        scope: What may be said.
        until_ms: The first moment at which it no longer holds, or None.
        deny: What is not allowed all the same, such as ``download``.
        is_private: Whether the scope stands in wraps only; then it is nothing here.
    """

    public_key: str
    role: str
    scope: Scope
    until_ms: int | None
    deny: frozenset[str] = frozenset()
    is_private: bool = False


class Given:
    """Power over a twin that its controller gave: a grant to a key, or a link to a child.

    Attributes:
        tx_id: The transaction that gave it.
        place: Where that stands.
        public_key: Of a grant.
        role: Of a grant; only a writer may say anything.
        deny: Of a grant, what is not allowed all the same.
        child: Of a link, the asset.
        verb: Of a link.
        scope: What may be said.
        until_ms: The first moment at which it no longer holds, or None.
        is_private: Whether the scope stands in wraps only; then it is nothing here.
        ended: Where a transfer ended it, or None.
        ended_by: That transfer.
        doubted: From where on a record that is not known here may have ended it, or None.
    """

    __slots__ = (
        *("child", "deny", "doubted", "ended", "ended_by", "is_private", "place", "public_key"),
        *("role", "scope", "tx_id", "until_ms", "verb"),
    )

    def __init__(
        self,
        tx_id: str,
        place: Place,
        *,
        grant: Granted | None = None,
        link: tuple[str, str] | None = None,
    ) -> None:
        self.tx_id = tx_id
        self.place = place
        self.public_key = None if grant is None else grant.public_key
        self.role = None if grant is None else grant.role
        self.scope = _EVERYTHING if grant is None else grant.scope
        self.until_ms = None if grant is None else grant.until_ms
        self.is_private = grant is not None and grant.is_private
        self.deny: frozenset[str] = frozenset() if grant is None else grant.deny
        self.verb: str | None = None
        self.child: str | None = None
        if link is not None:
            self.verb, self.child = link
        self.ended: Place | None = None
        self.ended_by: str | None = None
        self.doubted: Place | None = None

    @property
    def name(self) -> str:
        """What a transfer may keep it by, together with all others of this name."""
        return self.tx_id if self.child is None else self.child


class Revocation(NamedTuple):
    """The end of what was given.

    Attributes:
        tx_id: The first transaction that revoked it.
        place: Where that stands.
        since_ms: From when on it does not count any more, where that is earlier.
    """

    tx_id: str
    place: Place
    since_ms: int | None


class _Revocations:
    """Revocations of one thing in their order; asked for those after a place."""

    def __init__(self) -> None:
        self._made: list[Revocation] = []
        self._positions: list[Position] = []
        self._earliest: list[int | None] = []

    def add(self, made: Revocation) -> None:
        self._made.append(made)
        self._positions.append(made.place.position)
        self._earliest.clear()

    def after(self, position: Position) -> Revocation | None:
        """Return the first after a position, with the earliest time that any of them names."""
        first = bisect_left(self._positions, position)
        if first == len(self._made):
            return None
        if not self._earliest:
            earliest: int | None = None
            for made in reversed(self._made):
                earliest = _earlier(earliest, made.since_ms)
                self._earliest.append(earliest)
            self._earliest.reverse()
        return self._made[first]._replace(since_ms=self._earliest[first])


def _earlier(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


class Holders:
    """Who held an asset when, and its own key; fed with its transactions in order.

    Attributes:
        entity: Its own key, as its controllers last stated it, or None.
    """

    def __init__(self) -> None:
        self.entity: str | None = None
        self._entities: list[str | None] = []
        self._named: list[Position] = []
        self._unspent: dict[tuple[str, int], str] = {}
        self._counts: dict[str, int] = {}
        self._details: dict[str, dict[str, Any]] = {}
        self._turns: dict[str, list[Position]] = {}
        self._by_leaf: dict[str, list[str]] = {}

    def add(self, tx: Mapping[str, Any], place: Place) -> tuple[frozenset[str], frozenset[str]]:
        """Take the next transaction.

        Returns:
            The conditions that it spent and those that it made, as URIs.
        """
        spent: list[str] = []
        for entry in tx["inputs"]:
            met = entry["fulfills"]
            if met is not None:
                spent.append(self._unspent.pop((met["transaction_id"], met["output_index"])))
        made: list[str] = []
        for index, output in enumerate(tx["outputs"]):
            uri = output["condition"]["uri"]
            made.append(uri)
            self._unspent[tx["id"], index] = uri
            if uri not in self._details:
                self._know(uri, output["condition"]["details"])
        if spent != made:
            self._count(spent, made, place.position)
        entity = self._entity_after(tx)
        if entity != self.entity:
            self.entity = entity
            self._entities.append(entity)
            self._named.append(place.position)
        return frozenset(spent), frozenset(made)

    def _know(self, uri: str, details: dict[str, Any]) -> None:
        self._details[uri] = details
        self._counts[uri] = 0
        self._turns[uri] = []
        for key in dict.fromkeys(conditions.leaf_keys(details)):
            self._by_leaf.setdefault(key, []).append(uri)

    def _count(self, spent: list[str], made: list[str], position: Position) -> None:
        before = {uri: self._counts[uri] for uri in (*spent, *made)}
        for uri in spent:
            self._counts[uri] -= 1
        for uri in made:
            self._counts[uri] += 1
        for uri, count in before.items():
            if (count > 0) != (self._counts[uri] > 0):
                self._turns[uri].append(position)

    def _entity_after(self, tx: Mapping[str, Any]) -> str | None:
        if tx["operation"] == "CREATE":
            envelope = record.envelope_of(tx["asset"]["data"]) or {}
            return record.text(envelope.get("entity"))
        envelope = record.envelope_of(tx["metadata"]) or {}
        body = envelope.get("body") if envelope.get("kind") == record.TRANSFER else None
        named = record.text(body.get("entity")) if isinstance(body, dict) else None
        return named or self.entity

    def holds(self, uri: str) -> bool:
        """Say whether a condition holds something of the asset now."""
        return self._counts[uri] > 0

    def entity_before(self, position: Position) -> str | None:
        """Return the asset's own key before a position, or None."""
        found = bisect_left(self._named, position)
        return self._entities[found - 1] if found else None

    def names(self, key: str, position: Position) -> bool:
        """Say whether a condition that held something before a position names a key."""
        return any(
            bisect_left(self._turns[uri], position) % 2 for uri in self._by_leaf.get(key, ())
        )

    def fulfilled_by(self, keys: Collection[str], position: Position) -> list[str]:
        """Return the conditions that held something before a position and that keys fulfil."""
        uris = dict.fromkeys(uri for key in keys for uri in self._by_leaf.get(key, ()))
        return [
            uri
            for uri in uris
            # It holds something after an odd number of turns.
            if bisect_left(self._turns[uri], position) % 2
            and conditions.can_fulfil(self._details[uri], keys)
        ]


class Gifts:
    """What was given and has not ended, by those who gave it; nothing is walked in vain.

    Those who gave something, conditions of which one has to hold something of the twin, are asked
    again only when the one that they are known to live by holds nothing any more.

    Args:
        holders: Who holds the twin.
    """

    def __init__(self, holders: Holders) -> None:
        self._holders = holders
        self._given: dict[frozenset[str], dict[str, list[Given]]] = {}
        self._by_uri: dict[str, list[frozenset[str]]] = {}
        self._loose: list[frozenset[str]] = []

    def add(self, givers: frozenset[str], given: Given | None = None) -> None:
        """Take what somebody gave; None: only watch them."""
        named = self._of(givers)
        if given is not None:
            named.setdefault(given.name, []).append(given)

    def _of(self, givers: frozenset[str]) -> dict[str, list[Given]]:
        named = self._given.get(givers)
        if named is None:
            named = self._given[givers] = {}
            if not self._watch(givers):
                self._loose.append(givers)
        return named

    def _watch(self, givers: frozenset[str]) -> bool:
        """Watch a condition that holds something, if one does."""
        for uri in givers:
            if self._holders.holds(uri):
                self._by_uri.setdefault(uri, []).append(givers)
                return True
        return False

    def left(
        self, spent: frozenset[str]
    ) -> Iterator[tuple[frozenset[str], dict[str, list[Given]]]]:
        """Yield those who hold nothing any more after a transfer, and forget what they gave."""
        asked, self._loose = self._loose, []
        for uri in spent:
            if not self._holders.holds(uri):
                asked += self._by_uri.pop(uri, [])
        for givers in asked:
            if not self._watch(givers):
                yield givers, self._given.pop(givers)

    def pass_on(self, named: dict[str, list[Given]], made: frozenset[str]) -> None:
        """Take what others gave as given by those who hold the twin now."""
        there = self._of(made)
        # The smaller one always goes into the larger one, so that nothing moves often.
        if len(there) < len(named):
            there, named = named, there
        for name, listed in named.items():
            other = there.get(name, [])
            more, less = (other, listed) if len(listed) < len(other) else (listed, other)
            more += less
            there[name] = more
        self._given[made] = there


Span = tuple["Position", "Position", float, int, "Given"]
"""After which and up to which position something holds; until when; its number."""


class Sweep:
    """Finds what holds the longest at a position; cheap as long as the positions only grow."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(spans, key=lambda span: span[0])
        self._position: Position = (0, 0)
        self._taken = 0
        self._heap: list[tuple[float, int, Position, Given]] = []

    def at(self, position: Position) -> Given | None:
        """Return the one of those that hold at a position that does so until last, or the first."""
        if position < self._position:
            self._taken = 0
            self._heap.clear()
        self._position = position
        while self._taken < len(self._spans) and self._spans[self._taken][0] < position:
            _, end, until, number, given = self._spans[self._taken]
            heappush(self._heap, (-until, number, end, given))
            self._taken += 1
        while self._heap and self._heap[0][2] < position:
            heappop(self._heap)
        return self._heap[0][3] if self._heap else None


_FOREVER: Position = (LAST, LAST)

_Name = tuple[str, "str | frozenset[str]"]
"""What grants are looked up by: what they allow; and links: the child."""

_ALLOWS_ALL: _Name = ("", "")

MOST_SPANS = 1_000_000
"""How much is kept in memory to judge quickly."""


class Authority:
    """Who may speak for one twin, fed with its history in the order of the ledger.

    ``add`` takes the twin's own transactions, ``add_child`` the CREATEs that name it as their
    parent; both in one order.

    Attributes:
        holders: Who held it when.
        given: All that was ever given, in order.
        children: What was ever given to each linked child.
    """

    def __init__(self) -> None:
        self.holders = Holders()
        self.given: list[Given] = []
        self.children: dict[str, list[Given]] = {}
        self._gifts = Gifts(self.holders)
        self._undoubted: list[Given] = []
        self._by_key: dict[str, list[Given]] = {}
        self._writers: dict[str, list[Given]] = {}
        self._revoked: dict[tuple[str, str], _Revocations] = {}
        self._clouds: set[frozenset[str]] = set()
        self._weather: list[Position] = []
        self._asked: dict[tuple[str, _Name], list[Sweep]] = {}
        self._sweeps: dict[tuple[str, tuple[Given, ...]], list[Sweep]] = {}
        self._spans = 0

    # --- Feeding --------------------------------------------------------------------------------

    def add(self, tx: Mapping[str, Any], place: Place) -> None:
        """Take the twin's next transaction."""
        self._forget()
        spent, made = self.holders.add(tx, place)
        is_create = tx["operation"] == "CREATE"
        envelope = record.envelope_of(tx["asset"]["data"] if is_create else tx["metadata"])
        if is_create:
            # The issuer of a twin for somebody else does not control it.
            keys = signers_of(tx)
            spent = frozenset(
                output["condition"]["uri"]
                for output in tx["outputs"]
                if conditions.can_fulfil(output["condition"]["details"], keys)
            )
        is_known = envelope is None or _is_known(envelope, is_create=is_create)
        if spent != made and not is_create:
            self._end(spent, made, _keeps(envelope) if is_known else None, place, tx["id"])
        if not is_known and spent:
            self._doubt(spent | made, place)
        elif envelope is not None and not is_create:
            body = envelope.get("body")
            told = body if isinstance(body, dict) else {}
            self._take(envelope["kind"], told, str(tx["id"]), place, spent)

    def _take(
        self, kind: str, body: dict[str, Any], tx_id: str, place: Place, givers: frozenset[str]
    ) -> None:
        if kind == record.GRANT:
            for grant in granted(body):
                self._give(Given(tx_id, place, grant=grant), givers)
        elif kind == record.LINK:
            verb, child = body.get("verb"), body.get("to")
            if isinstance(verb, str) and verb in POWERS and isinstance(child, str):
                self._give(Given(tx_id, place, link=(verb, child)), givers)
        elif kind == record.REVOKE:
            made = revoked(body)
            if made is None:
                self._doubt(givers, place)
                return
            for name in made.what:
                revocation = Revocation(tx_id, place, made.since_ms)
                self._revoked.setdefault(name, _Revocations()).add(revocation)

    def add_child(self, create: Mapping[str, Any], place: Place) -> None:
        """Take a CREATE that names the twin as its parent: a link if a controller signed it."""
        self._forget()
        givers = self.holders.fulfilled_by(signers_of(create), place.position)
        if givers:
            kind = record.kind_of(create["asset"]["data"])
            verb = STREAM if kind == record.STREAM else PART
            child = str(create["id"])
            self._give(Given(child, place, link=(verb, child)), frozenset(givers))

    def _give(self, given: Given, givers: frozenset[str]) -> None:
        if self._clouds:
            given.doubted = given.place
        else:
            self._undoubted.append(given)
        self.given.append(given)
        self._gifts.add(givers, given)
        if given.public_key is not None:
            self._by_key.setdefault(given.public_key, []).append(given)
            if given.role == WRITER:
                self._writers.setdefault(given.public_key, []).append(given)
        if given.child is not None:
            self.children.setdefault(given.child, []).append(given)

    def _doubt(self, givers: frozenset[str], place: Place) -> None:
        if not self._clouds:
            self._weather.append(place.position)
        self._clouds.add(givers)
        self._gifts.add(givers)
        for given in self._undoubted:
            given.doubted = place
        self._undoubted.clear()

    def _end(
        self,
        spent: frozenset[str],
        made: frozenset[str],
        keeps: frozenset[str] | None,
        place: Place,
        tx_id: str,
    ) -> None:
        """End what those gave who hold nothing any more, but for what the transfer keeps.

        None: nobody here knows what it keeps.
        """
        was_clouded = bool(self._clouds)
        for givers, named in self._gifts.left(spent):
            self._clouds.discard(givers)
            kept = named if keeps is None else {}
            if keeps is not None:
                for name, listed in named.items():
                    if name in keeps:
                        kept[name] = listed
                        continue
                    for given in listed:
                        if given.tx_id in keeps:
                            kept.setdefault(name, []).append(given)
                        else:
                            given.ended, given.ended_by = place, tx_id
            if kept:
                self._gifts.pass_on(kept, made)
        if was_clouded and not self._clouds:
            self._weather.append(place.position)

    def _forget(self) -> None:
        """Forget what was prepared for judging: there is more to judge by."""
        self._asked.clear()
        self._sweeps.clear()
        self._spans = 0

    # --- Judging --------------------------------------------------------------------------------

    def may_read(
        self,
        key: str,
        place: Place,
        topic: Topic,
        claimed_ms: int | None = None,
        *,
        download: bool = False,
        opened: Mapping[str, Scope] | None = None,
    ) -> Verdict:
        """Say whether a key may read what is encrypted of the twin at a place.

        Everybody who holds some of the twin may, alone or together with others.

        Args:
            key: A public key.
            place: Where; the time that counts is its block's.
            topic: What it wants to read: the kind and the stream.
            claimed_ms: The time, where the ledger does not report those of blocks.
            download: Whether it is to be written to a file, which a grant may deny.
            opened: The scopes of private grants that could be opened, by the ids of these. Of
                others it is ``undetermined`` what they hold.
        """
        scopes = opened or {}
        if self.holders.names(key, place.position):
            return OWNER
        found = [_STRANGER]
        for given in self.grants_to(key):
            if given.role not in READERS:
                continue
            is_closed = given.is_private and given.tx_id not in scopes
            if not is_closed and not holds(scopes.get(given.tx_id, given.scope), topic):
                found.append(Verdict(UNAUTHORISED, given.tx_id, "scope"))
                continue
            verdict = self.held(given, key, place, claimed_ms)
            if is_closed and verdict.standing == AUTHORISED:
                verdict = Verdict(UNDETERMINED, given.tx_id, PRIVATE)
            if download and DOWNLOAD in given.deny and verdict.standing == AUTHORISED:
                verdict = Verdict(UNAUTHORISED, given.tx_id, DOWNLOAD)
            found.append(verdict)
        return max(found, key=_rank)

    def kept_by_all(self) -> list[str]:
        """Return the ids of what would end with a transfer, for one that is to keep it all."""
        return list(dict.fromkeys(given.tx_id for given in self.given if given.ended is None))

    def grants_to(self, public_key: str) -> list[Given]:
        """Return all grants that a key ever got."""
        return self._by_key.get(public_key, [])

    def revocation(self, given: Given, public_key: str) -> Revocation | None:
        """Return the revocation of what was given, as far as it concerns a key, or None."""
        names = [_ALL, ("given", given.tx_id), ("key", public_key)]
        if given.child is not None:
            names += [("given", given.child), ("given", f"{given.verb} {given.child}")]
        found: Revocation | None = None
        for name in names:
            listed = self._revoked.get(name)
            made = None if listed is None else listed.after(given.place.position)
            if made is None:
                continue
            if found is None:
                found = made
                continue
            since_ms = _earlier(made.since_ms, found.since_ms)
            first = min(made, found, key=lambda one: one.place.position)
            found = first._replace(since_ms=since_ms)
        return found

    def judge(
        self,
        keys: Collection[str],
        place: Place,
        topic: Topic,
        claimed_ms: int | None = None,
        children: Iterable[str] = (),
        controls: Callable[[str, Collection[str]], bool] = lambda _child, _keys: False,
    ) -> Verdict:
        """Say whether a statement about the twin counts.

        Args:
            keys: Public keys that signed it.
            place: Where it stands.
            topic: What it says.
            claimed_ms: When it was made, as its signers claim.
            children: Linked assets that any of these keys may have controlled there.
            controls: Whether keys controlled such an asset there.
        """
        position = place.position
        if self.holders.fulfilled_by(keys, position):
            return OWNER
        found = [_STRANGER]
        for key in keys:
            for name in _names(topic):
                found += self._by_name(key, name, place, claimed_ms)
            for first in self._writers.get(key, [])[:1]:
                if first.place.position < position:
                    found.append(Verdict(UNAUTHORISED, first.tx_id, "scope"))
        best = max(found, key=_rank)
        for child in () if best.standing == AUTHORISED else children:
            for verdict in self._by_link(child, keys, place, claimed_ms, controls):
                best = max(best, verdict, key=_rank)
            if best.standing == AUTHORISED:
                break
        # An even number of turns: no record that is unknown here lies over this place.
        if bisect_left(self._weather, position) % 2:
            return Verdict(UNDETERMINED, best.via, "unknown_record")
        entity = self.holders.entity_before(position)
        if best.standing == UNAUTHORISED and entity is not None and entity in keys:
            return Verdict(CLAIMED, best.via, "entity")
        return best

    def _by_name(
        self, key: str, name: _Name, place: Place, claimed_ms: int | None
    ) -> Iterator[Verdict]:
        """Yield verdicts by what was given under a name, the best of all among them."""
        for sweep in self._sweeps_of(key, name):
            given = sweep.at(place.position)
            if given is not None:
                yield self.held(given, key, place, claimed_ms)

    def _sweeps_of(self, key: str, name: _Name) -> list[Sweep]:
        found = self._asked.get((key, name))
        if found is None:
            if name[0] == _CHILD:
                listed = tuple(self.children.get(str(name[1]), ()))
            else:
                listed = tuple(
                    one for one in self._writers.get(key, ()) if _allows(one.scope, name)
                )
            found = self._sweeps.get((key, listed))
            if found is None:
                if self._spans > MOST_SPANS:
                    self._forget()
                found = self._sweeps[key, listed] = self._swept(listed, key)
                self._spans += len(listed)
            self._asked[key, name] = found
        return found

    def _swept(self, listed: Iterable[Given], key: str) -> list[Sweep]:
        """Return what finds, among things given, those that can have the best verdict."""
        counting: list[Span] = []
        standing: list[Span] = []
        unended: list[Span] = []
        revoked: list[Span] = []
        begun: list[Span] = []
        for number, given in enumerate(listed):
            revocation = self.revocation(given, key)
            gone, since = _FOREVER, inf
            begin, until = given.place.position, inf if given.until_ms is None else given.until_ms
            if revocation is not None:
                gone = revocation.place.position
                since = inf if revocation.since_ms is None else revocation.since_ms
                revoked.append((gone, _FOREVER, inf, number, given))
            end = gone if given.ended is None else min(gone, given.ended.position)
            sure = end if given.doubted is None else min(end, given.doubted.position)
            counting.append((begin, sure, min(until, since), number, given))
            standing.append((begin, end, min(until, since), number, given))
            unended.append((begin, end, until, number, given))
            begun.append((begin, _FOREVER, inf, number, given))
        return [*map(Sweep, (counting, standing, unended, revoked, begun))]

    def _by_link(
        self,
        child: str,
        keys: Collection[str],
        place: Place,
        claimed_ms: int | None,
        controls: Callable[[str, Collection[str]], bool],
    ) -> Iterator[Verdict]:
        """Yield the verdict by links to a child: the best that enough keys for it have.

        The links need not be told apart: what ends the word of one key ends it for all older links.
        """
        name: _Name = (_CHILD, child)
        verdicts = {
            key: max(self._by_name(key, name, place, claimed_ms), key=_rank, default=_STRANGER)
            for key in keys
        }
        for limit in sorted({*map(_rank, verdicts.values())}, reverse=True):
            able = [key for key, verdict in verdicts.items() if _rank(verdict) >= limit]
            if controls(child, able):
                yield next(verdict for verdict in verdicts.values() if _rank(verdict) == limit)
                return

    def held(self, given: Given, key: str, place: Place, claimed_ms: int | None = None) -> Verdict:
        """Say whether what was given held at a place, whatever its scope.

        Args:
            given: The grant or link.
            key: Whose.
            place: Where; the time that counts is its block's.
            claimed_ms: The time that the signers claim, where no block's is known.
        """
        via, position = given.tx_id, place.position
        if position <= given.place.position:
            return _STRANGER
        revoked = self.revocation(given, key)
        if revoked is not None and revoked.place.position < position:
            return Verdict(REVOKED, via, "revoked")
        if given.ended is not None and given.ended.position < position:
            return Verdict(UNAUTHORISED, via, "ended")
        moments = [
            (given.until_ms, Verdict(UNAUTHORISED, via, "expired")),
            (None if revoked is None else revoked.since_ms, Verdict(REVOKED, via, "revoked")),
        ]
        when = claimed_ms if place.time_ms is None else place.time_ms
        for moment, verdict in moments:
            if moment is not None and when is not None and when >= moment:
                return verdict
        if given.doubted is not None and given.doubted.position < position:
            return Verdict(UNDETERMINED, via, "unknown_record")
        if place.time_ms is None and any(moment is not None for moment, _ in moments):
            return Verdict(UNDETERMINED, via, "no_block_time")
        return Verdict(AUTHORISED, via, "link" if given.child is not None else "grant")


_CHILD = "child"


def _names(topic: Topic) -> Iterator[_Name]:
    """Yield what a grant may allow of which each holds a statement."""
    yield _ALLOWS_ALL
    yield "kinds", topic.kind
    if topic.stream is not None:
        yield "streams", topic.stream
    if topic.fields:
        yield "fields", topic.fields


def _allows(scope: Scope, name: _Name) -> bool:
    if name == _ALLOWS_ALL:
        return scope == _EVERYTHING
    what, wanted = name
    allowed: frozenset[str] = getattr(scope, what) or frozenset()
    return wanted <= allowed if isinstance(wanted, frozenset) else wanted in allowed


def holds(scope: Scope, topic: Topic) -> bool:
    """Say whether a scope holds what a statement is about, or what somebody wants to read."""
    return any(_allows(scope, name) for name in _names(topic))


def _is_known(envelope: dict[str, Any], *, is_create: bool) -> bool:
    """Say whether this version knows what an envelope says."""
    known = record.CREATING_KINDS if is_create else record.TRANSFERRING_KINDS
    kind = envelope.get("kind")
    return envelope["v"] == record.VERSION and isinstance(kind, str) and kind in known


def _keeps(envelope: dict[str, Any] | None) -> frozenset[str]:
    """Return the ids that the envelope of a transfer keeps: of grants, links, and children."""
    listed = None if envelope is None else envelope.get("keeps")
    texts = listed if isinstance(listed, list) else ()
    return frozenset(text for text in texts if isinstance(text, str))


_RANKS = {AUTHORISED: 4, UNDETERMINED: 3, REVOKED: 2, UNAUTHORISED: 0}


def _rank(verdict: Verdict) -> tuple[int, bool]:
    """Rank verdicts: the best for the statement is the highest, then what says why not."""
    return _RANKS[verdict.standing], verdict.via is not None


# --- Bodies ------------------------------------------------------------------------------------


def granted(body: Mapping[str, Any]) -> Iterator[Granted]:
    """Yield what the body of a grant allows to whom; a body that is malformed grants nothing."""
    listed, role = body.get("to"), body.get("role")
    if not isinstance(role, str) or not isinstance(listed, list):
        return
    until_ms = None
    if "until" in body:
        from twincli.model import times

        until_ms = times.parse_claim(body["until"])
        if until_ms is None:
            return
    is_private = role in READERS and PRIVATE in body
    scopes: list[frozenset[str] | None] = []
    for name in Scope._fields:
        texts = [] if is_private else body.get(name)
        if texts is None:
            scopes.append(None)
        elif isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            scopes.append(frozenset(texts))
        else:
            return
    denied = body.get("deny", [])
    if not isinstance(denied, list) or not all(isinstance(text, str) for text in denied):
        return
    for text in dict.fromkeys(text for text in listed if isinstance(text, str)):
        whom = _named(text)
        if whom is not None and whom[0] == "key":
            scope = Scope(*scopes)
            yield Granted(whom[1], role, scope, until_ms, frozenset(denied), is_private)


class Revoked(NamedTuple):
    """What a revocation names.

    Attributes:
        what: Pairs: ``all`` and an empty text; ``given`` and an id, or a verb and an id; ``key``
            and a public key.
        since_ms: From when on, or None.
    """

    what: list[tuple[str, str]]
    since_ms: int | None


def revoked(body: Mapping[str, Any]) -> Revoked | None:
    """Return what the body of a revocation names, None where it is malformed."""
    from twincli.model import times

    since_ms = times.parse_claim(body.get("since"))
    listed, grant, everything = (body.get(name) for name in ("from", "grant", "all"))
    if "since" in body and since_ms is None:
        return None
    if everything is not None and everything is not True:
        return None
    what: list[tuple[str, str]] = [] if everything is None else [_ALL]
    verb = body.get("verb")
    if not isinstance(verb, str | None):
        return None
    if isinstance(grant, str):
        what.append(("given", grant if verb is None else f"{verb} {grant}"))
    elif grant is not None:
        return None
    if not isinstance(listed, list | None):
        return None
    for text in listed or ():
        name = _named(text) if isinstance(text, str) else None
        if name is None:
            return None
        what.append(name)
    return Revoked(what, since_ms) if what else None


_ALL = ("all", "")


def _named(text: str) -> tuple[str, str] | None:
    """Return whom a DID names in a grant or revocation, None if it is not a key or an asset."""
    from twincli.errors import InvalidError
    from twincli.model import did

    try:
        found = did.parse(text)
    except InvalidError:
        return None
    if found.public_key is not None:
        return "key", found.public_key
    return None if found.asset_id is None else ("given", found.asset_id)


def topic_of(kind: str, body: Mapping[str, Any]) -> Topic:
    """Return what a record of a kind with this body is about."""
    stream, fields = body.get("stream"), body.get("data")
    return Topic(
        kind,
        frozenset(fields) if isinstance(fields, dict) else frozenset(),
        stream if isinstance(stream, str) else None,
    )


def standing(keys: Collection[str], owners: Iterable[dict[str, Any]], entity: str | None) -> str:
    """Return the standing of a statement as far as present owners alone decide it.

    Args:
        keys: Public keys that signed the statement.
        owners: Condition details of the asset's unspent outputs when it was made.
        entity: The asset's own key then, or None.

    Returns:
        ``authorised`` if the keys could spend one of the outputs, ``claimed_by_entity`` if the
        asset's own key is among them, else ``unauthorised``.
    """
    if any(conditions.can_fulfil(details, keys) for details in owners):
        return AUTHORISED
    return CLAIMED if entity in keys else UNAUTHORISED
