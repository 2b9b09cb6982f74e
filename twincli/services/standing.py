"""Whose word counts about assets, read from a ledger; `rules.authority` decides.

What matters is who might speak when something was said. Of what stands in one block, the asset's
own transactions come first, then the CREATEs of its parts, then what others say about it.
"""

from __future__ import annotations

from twincli.client import BLOCK_TIME
from twincli.crypto import conditions
from twincli.model import record
from twincli.model.transaction import signers_of
from twincli.rules import authority
from twincli.rules.authority import AUTHORISED, LAST, OWNER, Authority, Holders, Place, Topic
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from twincli.client import LedgerClient
    from twincli.ledger.reading import Entry
    from twincli.rules.authority import Verdict

_PART = LAST - 1
"""The number of a part's CREATE within its block."""

_TRIES = 8
"""Statements about an asset that are judged before its whole history is read."""
BELONGING = Topic(record.LINK)
"""That one asset is a part of another."""


def owners_now(client: LedgerClient, asset_id: str) -> list[dict[str, Any]]:
    """Return the conditions that hold an asset."""
    found = {
        item.output["condition"]["uri"]: item.output["condition"]["details"]
        for item in client.unspent(asset_id)
    }
    return list(found.values())


def at_birth(client: LedgerClient, parent: str, part: Entry) -> str:
    """Say how ``part`` stands, which states that it belongs to ``parent``."""
    if _said_by_owners(client, parent, part):
        return AUTHORISED
    return Speakers(client).of_part(parent, part.tx["id"]).standing


def _said_by_owners(client: LedgerClient, asset_id: str, entry: Entry) -> bool:
    """Say whether the owners of an asset signed what another asset's transaction says of it.

    They mostly did, and then a long history need not be read. False: they did not, or only the
    whole history can tell.
    """
    if entry.height is None:
        return False
    keys = signers_of(entry.tx)
    # The owners first: whatever changes them afterwards is then seen as the last transaction.
    owners = owners_now(client, asset_id)
    last = client.last(asset_id)
    if last is None or last.height is None:
        return False
    if last.height > entry.height:
        replay = None if entry.time_ms is None else client.replay(asset_id, entry.time_ms)
        if replay is None or replay.last is None:
            return False
        height = client.required(replay.last["id"]).height
        if height is None or height > entry.height:  # several blocks may have one time
            return False
        outputs = [client.required(at).tx["outputs"][index] for at, index in replay.outputs]
        owners = [output["condition"]["details"] for output in outputs]
    return authority.standing(keys, owners, None) == AUTHORISED


class Speakers:
    """Who may speak for assets, and might; the history of each is read once."""

    def __init__(self, client: LedgerClient) -> None:
        self._client = client
        self._known: dict[str, Authority] = {}
        self._tries: dict[str, int] = {}
        self._holders: dict[str, Holders] = {}
        self._held: dict[str, frozenset[str]] = {}
        self._named: dict[str, tuple[str | None, str | None]] = {}
        self._linked: dict[tuple[Authority, frozenset[str]], list[str]] = {}
        self._parts: dict[tuple[str, str], tuple[list[str], Place, int | None]] = {}

    def of_part(self, parent: str, part: str) -> Verdict:
        """Say how ``part`` stands, which states that it belongs to ``parent``."""
        self.authority(parent)
        met = self._parts.get((parent, part))
        if met is None:
            return self.of(parent, self._client.required(part), BELONGING)
        keys, place, stated_ms = met
        return self._judged(parent, keys, place, BELONGING, stated_ms)

    def of(self, asset_id: str, entry: Entry, topic: Topic) -> Verdict:
        """Say whether the statement in a transaction of another asset counts.

        Args:
            asset_id: What it is about.
            entry: The transaction.
            topic: What it says.
        """
        if asset_id not in self._known and self._tries.get(asset_id, 0) < _TRIES:
            self._tries[asset_id] = self._tries.get(asset_id, 0) + 1
            if _said_by_owners(self._client, asset_id, entry):
                return OWNER
        number = _PART if topic == BELONGING else LAST
        keys = signers_of(entry.tx)
        return self._judged(
            asset_id, keys, _place(entry, number), topic, record.stated_ms(entry.tx)
        )

    def now(
        self, asset_id: str, keys: Collection[str], topic: Topic, now_ms: int, at_ms: int
    ) -> Verdict:
        """Say whether something would count if keys said it now.

        Args:
            asset_id: What it is about.
            keys: Public keys.
            topic: What is said.
            now_ms: The present, for the time of the next block.
            at_ms: The time that its signers would claim.
        """
        owners = owners_now(self._client, asset_id)
        if authority.standing(keys, owners, None) == AUTHORISED:
            return OWNER
        return self._judged(asset_id, keys, self.present(now_ms), topic, at_ms)

    def present(self, now_ms: int) -> Place:
        """Return the place of what would be written now."""
        has_times = BLOCK_TIME in self._client.capabilities
        return Place(LAST, LAST, now_ms if has_times else None)

    def authority(self, asset_id: str) -> Authority:
        """Return who may speak for an asset, its whole history taken in."""
        known = self._known.get(asset_id)
        if known is None:
            known = self._known[asset_id] = self._read(asset_id)
        return known

    def controls(self, asset_id: str, keys: Collection[str], place: Place) -> bool:
        """Say whether keys controlled an asset before a place."""
        return bool(self._holding(asset_id).fulfilled_by(keys, place.position))

    def is_controller(self, asset_id: str, key: str, entry: Entry | None = None) -> bool:
        """Say whether a key is the asset's own or among its owners'.

        Args:
            asset_id: The asset.
            key: A public key.
            entry: Where a transaction stands; None: now.
        """
        # A long history is read only where it matters.
        first, own = self._entities(asset_id)
        if entry is None:
            owners = owners_now(self._client, asset_id)
            return key == own or any(key in conditions.leaf_keys(details) for details in owners)
        if key not in {first, own} and asset_id not in self._ever_held(key):
            return False
        holders, position = self._holding(asset_id), _place(entry, LAST).position
        return holders.entity_before(position) == key or holders.names(key, position)

    def _entities(self, asset_id: str) -> tuple[str | None, str | None]:
        """Return the own key of an asset, when it was created and now."""
        if asset_id not in self._named:
            replay = self._client.replay(asset_id)
            envelope = record.creating_envelope(self._client.required(asset_id).tx)
            own = None if replay is None else replay.entity
            self._named[asset_id] = record.text(envelope.get("entity")), own
        return self._named[asset_id]

    def _holding(self, asset_id: str) -> Holders:
        holders = self._holders.get(asset_id)
        if holders is None:
            holders = self._holders[asset_id] = Holders()
            for number, entry in enumerate(self._client.entries(asset_id)):
                holders.add(entry.tx, _place(entry, number))
        return holders

    def _read(self, asset_id: str) -> Authority:
        client, made = self._client, Authority()
        parts = []
        for part in client.assets_with("parent", asset_id):
            entry = client.required(part)
            place, tx = _place(entry, _PART), entry.tx
            parts.append((place, tx))
            self._parts[asset_id, part] = signers_of(tx), place, record.stated_ms(tx)
        parts.sort(key=lambda part: part[0].position, reverse=True)
        for number, entry in enumerate(client.entries(asset_id)):
            place = _place(entry, number)
            while parts and parts[-1][0].position < place.position:
                at, create = parts.pop()
                made.add_child(create, at)
            made.add(entry.tx, place)
        for at, create in reversed(parts):
            made.add_child(create, at)
        return made

    def _judged(
        self,
        asset_id: str,
        keys: Collection[str],
        place: Place,
        topic: Topic,
        claimed_ms: int | None,
    ) -> Verdict:
        found = self.authority(asset_id)
        return found.judge(
            keys,
            place,
            topic,
            claimed_ms,
            self.linked(found, keys),
            lambda child, able: self.controls(child, able, place),
        )

    def _ever_held(self, key: str) -> frozenset[str]:
        if key not in self._held:
            self._held[key] = frozenset(self._client.held_by([key], ever=True))
        return self._held[key]

    def linked(self, found: Authority, keys: Collection[str]) -> Iterator[str]:
        """Yield the linked children of which keys hold something, or once did, in order.

        Nothing is looked up before the first is asked for.
        """
        if not found.children:
            return
        asked = (found, frozenset(keys))
        if asked not in self._linked:
            held: set[str] = set()
            for key in keys:
                held.update(self._ever_held(key))
            self._linked[asked] = sorted(
                held.intersection(found.children),
                key=lambda child: found.children[child][0].place.position,
            )
        yield from self._linked[asked]


def _place(entry: Entry, number: int) -> Place:
    return Place(LAST if entry.height is None else entry.height, number, entry.time_ms)
