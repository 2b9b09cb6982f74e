"""Handing a twin over with what belongs to it: its parts and streams, grants and links.

``keep``: parts stay with their owners, and grants and links stay in force. ``move``: parts and
streams of the same owner go along, and their parts; the links to them, and to what belongs to the
twin's own key, stay in force; what else was granted ends. On a ledger of one file all of it is one
commit. On a network the parts go first and the twin last, so that the same command goes on where
it was interrupted. With ``--prepare`` nothing is submitted: each transfer is prepared for those who
have to sign it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import conditions
from twincli.errors import LockedError
from twincli.model import links, record, times
from twincli.model import transaction as _transaction
from twincli.rules.authority import REVOKED, UNAUTHORISED
from twincli.services import resolve
from twincli.services.asset.attempt import Along, check_not_frozen
from twincli.services.relations import ACTIVE, EXPIRED, Relations
from twincli.services.signers import keys_to_spend
from twincli.services.standing import Speakers
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.ledger.rows import Spendable
    from twincli.rules.authority import Given
    from twincli.services.asset.attempt import Target
    from twincli.services.documents import HandoverItem

KEEP, MOVE = ("keep", "move")
"""What happens to what belongs to a twin."""

MOVES, MOVED, STAYS, REMAINS = ("moves", "moved", "stays", "remains")
PREPARED = "prepared"
"""What happens to a part: it goes along; it is the new owner's already; it stays with its owner; it
would go along, but others have to sign; its transfer is prepared for them."""

KEPT, ENDS = ("kept", "ends")
"""What happens to a grant or link."""


LONG = 10_000
"""From how many transactions on a plain transfer does not count what it ends."""


class Plan(NamedTuple):
    """What a transfer does to all that belongs to a twin.

    Attributes:
        children: ``keep`` or ``move``.
        keeps: Ids of the grants and links that stay in force.
        along: The transfers of parts, in the order in which they are to be committed.
        items: For people.
    """

    children: str
    keeps: list[str]
    along: tuple[Along, ...]
    items: list[HandoverItem]

    @property
    def remaining(self) -> list[HandoverItem]:
        """The parts that others have to sign for."""
        return [item for item in self.items if item["signers"]]


def plan(target: Target, spent: Spendable, new: dict[str, Any], children: str) -> Plan:
    """Return what to hand over with a twin, as it stands now.

    Args:
        target: The twin.
        spent: The output that is given away.
        new: Condition details of the new owner.
        children: ``keep`` or ``move``.

    Raises:
        LockedError: ``frozen``: a part that is to go along.
    """
    return _Planning(target, spent.output["condition"]["details"], new, children).plan()


def ending(target: Target) -> str | None:
    """Return what a transfer of the twin ends that keeps nothing, in words; None: nothing."""
    client, asset_id = target.workspace.client, target.asset_id
    said = next(iter(client.records(asset_id, (record.GRANT, record.LINK))), None)
    if said is None and not client.assets_with("parent", asset_id):
        return None
    if sum(part.size for part in client.stretches(asset_id)) > LONG:
        return "any grants and links"  # to count those in force, all of it would be read
    items = _Planning(target, {}, {}, MOVE).ending()
    counts = {what: sum(item["what"] == what for item in items) for what in ("grant", "link")}
    told = [f"{count} {what}{'s' if count > 1 else ''}" for what, count in counts.items() if count]
    return " and ".join(told) or None


class _Part(NamedTuple):
    """A part or stream of a twin, or of one of its parts."""

    asset_id: str
    what: str
    above: str
    depth: int


class _Planning:
    """One plan; what is asked of many parts is looked up once."""

    def __init__(
        self, target: Target, old: dict[str, Any], new: dict[str, Any], children: str
    ) -> None:
        self.target = target
        self.workspace = target.workspace
        self.client = target.workspace.client
        self.old, self.new, self.children = old, new, children
        self.names = resolve.Names(self.workspace)
        self.asset_names = resolve.asset_names(self.workspace)
        self.speakers = Speakers(self.client)
        replay = self.client.replay(target.asset_id)
        self.entity = None if replay is None else replay.entity
        self.at = times.to_text(self.workspace.now())

    def plan(self) -> Plan:
        items: list[HandoverItem] = []
        along: list[Along] = []
        parts = list(self._parts())
        going: dict[str, set[str]] = {}
        for part in reversed(parts):
            # From below, so that it is known which links of a part are to be kept.
            part_items, txs = self._part(part, going.get(part.asset_id, set()))
            items[:0] = part_items
            along += txs
            if any(item["action"] != STAYS for item in part_items) or self._is_its_own(part):
                going.setdefault(part.above, set()).add(part.asset_id)
        keeps, given = self._given(self.target.asset_id, going.get(self.target.asset_id, set()))
        return Plan(self.children, keeps, tuple(along), [*items, *given])

    def ending(self) -> list[HandoverItem]:
        """Return the grants and links of the twin itself that are in force."""
        return self._given(self.target.asset_id, set())[1]

    def _parts(self) -> Iterator[_Part]:
        """Yield the parts and streams below the twin, those above before those below."""
        relations = Relations(self.workspace)
        seen = {self.target.asset_id}
        level, depth = [self.target.asset_id], 0
        while level:
            depth += 1
            below: list[str] = []
            for link in relations.beyond(level):
                kind, lower, upper = links.upwards(link.said)
                if kind != links.WHOLE or upper not in seen or lower in seen:
                    continue
                # A claim to be a part, or a link that is over, counts if the owner holds the part.
                is_claim = link.state == EXPIRED or link.by == links.TARGET
                if link.state != ACTIVE and not (is_claim and self._goes_along(lower)):
                    continue
                seen.add(lower)
                below.append(lower)
                what = links.STREAM if link.said.verb == links.STREAM else links.PART
                yield _Part(lower, what, upper, depth)
            # What stays with its owner keeps what belongs to it.
            level = [one for one in below if self._goes_along(one)]

    def _goes_along(self, asset_id: str) -> bool:
        """Say whether a part goes along: it is the old owner's, or already the new one's."""
        if self.children == KEEP:
            return False
        held = [item.output["condition"]["details"] for item in self.client.unspent(asset_id)]
        return any(details == self.new or self._shares(details) for details in held)

    def _is_its_own(self, part: _Part) -> bool:
        """Say whether a part belongs to the twin's own key: it goes where the twin goes."""
        held = [item.output["condition"]["details"] for item in self.client.unspent(part.asset_id)]
        return any(self.entity in {*conditions.leaf_keys(details)} for details in held)

    def _shares(self, details: dict[str, Any]) -> bool:
        """Say whether keys of the old owner are among those of a condition."""
        return not {*conditions.leaf_keys(details)}.isdisjoint(conditions.leaf_keys(self.old))

    def _part(self, part: _Part, going: set[str]) -> tuple[list[HandoverItem], list[Along]]:
        """Return what happens to a part, an item for each of its outputs."""
        items: list[HandoverItem] = []
        along: list[Along] = []
        for held in self.client.unspent(part.asset_id):
            details = held.output["condition"]["details"]
            action, signers = STAYS, list[str]()
            if details == self.new:
                action = MOVED if self.children == MOVE else STAYS
            elif self.children == MOVE and self._shares(details):
                is_prepared = self.target.writing.prepare
                try:
                    infos = keys_to_spend(self.workspace, [details], part.asset_id)
                except LockedError:
                    infos, action = [], REMAINS
                    keys = dict.fromkeys(conditions.leaf_keys(details))
                    signers = [self.names.of_key(key) or key for key in keys]
                else:
                    action = MOVES
                if is_prepared:
                    action = PREPARED
                if action != REMAINS:
                    along.append(Along(self._transfer(part.asset_id, held, going), infos))
            items.append(
                {
                    "id": part.asset_id,
                    "name": self._name(part.asset_id),
                    "what": part.what,
                    "action": action,
                    "owner": self.names.owner(details),
                    "signers": signers,
                }
            )
        return items, along

    def _name(self, asset_id: str) -> str | None:
        """Return the local name of an asset, else what its CREATE calls it."""
        name = self.asset_names.get(asset_id)
        entry = None if name is not None else self.client.entry(asset_id)
        if entry is not None:
            name = record.text(record.creating_envelope(entry.tx).get("name"))
        return name

    def _transfer(self, asset_id: str, held: Spendable, going: set[str]) -> dict[str, Any]:
        replay = self.client.replay(asset_id)
        if replay is not None:
            check_not_frozen(self._name(asset_id) or asset_id, replay)
        keeps, _ = self._given(asset_id, going)
        envelope = record.envelope(record.TRANSFER, at=self.at, keeps=keeps or None)
        spend = _transaction.Spend.of_output(*held)
        output = _transaction.Output(self.new, int(held.output["amount"]))
        return _transaction.transfer([spend], [output], asset_id, {record.KEY: envelope})

    def _given(self, asset_id: str, going: set[str]) -> tuple[list[str], list[HandoverItem]]:
        """Return which grants and links of an asset stay in force, and what happens to each."""
        authority = self.speakers.authority(asset_id)
        present, now_ms = self.speakers.present(self.workspace.now()), self.workspace.now()
        keeps: list[str] = []
        items: list[HandoverItem] = []
        for given in authority.given:
            key = given.public_key or ""
            verdict = authority.held(given, key, present, now_ms)
            if given.ended is not None or verdict.standing in {REVOKED, UNAUTHORISED}:
                continue
            is_kept = self.children == KEEP or given.child in going
            if is_kept and given.tx_id not in keeps:
                keeps.append(given.tx_id)
            items.append(self._of_given(given, KEPT if is_kept else ENDS))
        return keeps, items

    def _of_given(self, given: Given, action: str) -> HandoverItem:
        if given.child is not None:
            name, owner = self._name(given.child), None
        else:
            name, owner = None, self.names.of_key(given.public_key or "") or given.public_key
        return {
            "id": given.tx_id,
            "name": name,
            "what": "grant" if given.child is None else "link",
            "action": action,
            "owner": owner,
            "signers": [],
        }
