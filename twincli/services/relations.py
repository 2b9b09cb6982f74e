"""The links of assets as they stand now, from both ends, read for many assets at once.

Whose word a link is: the owner's of the end that it goes out from, or of somebody whom that one
allowed it (``grant add --scope link``). The other end's owner confirms it, by signing it as well or
by a record of its own. A ``part`` or ``stream`` lets its target speak for the twin, so it ends
when its giver holds nothing of the twin any more; other verbs state something that stays said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import conditions
from twincli.model import links, record
from twincli.model.links import POWERS, SOURCE, TARGET, Said
from twincli.model.owners import BURN_ADDRESS
from twincli.model.transaction import Signers, asset_of
from twincli.rules.authority import AUTHORISED, LAST, REVOKED, UNAUTHORISED, Place, topic_of
from twincli.services.standing import Speakers
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Mapping

    from twincli.ledger.rows import Held, Linked
    from twincli.model.links import Removed
    from twincli.services.workspace import Workspace

ACTIVE, PROPOSED, EXPIRED = ("active", "proposed", "expired")
"""States of a link: in force; said by others than the owner of its first end; over since a transfer
of the twin; or ``REVOKED``, taken back."""

BOTH, OTHERS = ("both", "others")
"""Who said a link, where it is not the owner of one end alone."""


PRESENT, BURNED, MISSING = ("present", "burned", "missing")
"""What has become of an end of a link."""


class Link(NamedTuple):
    """A link as it stands.

    Attributes:
        tx_id: The transaction that says it.
        said: What it says.
        state: See ``ACTIVE``.
        standing: One of ``authority.STANDINGS``: whether it counts that it is said.
        by: ``source``, ``target`` or ``both``: whose owners said it; ``others``: neither of them.
        time_ms: When that was committed, or None.
    """

    tx_id: str
    said: Said
    state: str
    standing: str
    by: str
    time_ms: int | None

    @property
    def is_confirmed(self) -> bool:
        """Whether the owners of both ends said it."""
        return self.by == BOTH


class _Last(NamedTuple):
    """Where the last one of alike revocations stands.

    Attributes:
        seq: Its position, which orders those of one asset.
        height: Of its block; ``LAST`` where that is not known.
    """

    seq: int
    height: int


class Relations:
    """Links between assets; what is asked twice is read once.

    Args:
        workspace: The ledger, and the time.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._client = workspace.client
        self._speakers = Speakers(workspace.client)
        self._now_ms = workspace.now()
        self._held: dict[str, Held] = {}
        self._asked: set[str] = set()
        self._revoking: dict[str, dict[Removed | None, _Last]] = {}
        self._walked: set[int] = set()
        self._records: dict[str, dict[str, Any]] = {}
        self._parts: dict[str, dict[str, tuple[int, int]]] = {}
        self._unbroken: dict[str, set[str]] = {}
        self._signers = Signers()

    def of(
        self, asset_ids: Iterable[str], what: str = links.LINKS, other: str | None = None
    ) -> list[Link]:
        """Return the links that have any of some assets for an end, in the order of the ledger.

        Args:
            asset_ids: The assets.
            what: ``links.ABOVE``: only those of which one of them is the lower end.
            other: Only those with this one.
        """
        return self._stand(self._read(asset_ids, what, other))

    def beyond(self, asset_ids: Iterable[str]) -> list[Link]:
        """Return those links of some assets that were not returned before."""
        # All that is said of a link is found from either end, so it was returned as a whole.
        found = self._read(asset_ids, links.LINKS, None, self._walked)
        self._walked.update(linked.seq for linked, _ in found)
        return self._stand(found)

    def _stand(self, found: list[tuple[Linked, Said]]) -> list[Link]:
        """Return how links stand of which all is at hand that is said."""
        confirmed = {
            _triple(said)
            for linked, said in found
            if said.by == TARGET and not self._is_removed(said.target, linked, said)
        }
        made: list[Link | None] = []
        active = set()
        for linked, said in found:
            link = self._counted(linked, said, is_confirmed=_triple(said) in confirmed)
            made.append(link)
            if link is not None and link.state == ACTIVE:
                active.add(_triple(said))
        # What one end says and the other one does not.
        proposed = confirmed - active
        for number, (linked, said) in enumerate(found):
            if made[number] is None and _triple(said) in proposed:
                made[number] = _link(linked, said, PROPOSED, UNAUTHORISED, TARGET)
                proposed.discard(_triple(said))
        return [link for link in made if link is not None]

    def said_by_target(self, meant: Said) -> list[str]:
        """Return the transactions by which the far end said a link and did not take it back."""
        return [
            linked.tx["id"]
            for linked, said in self._read([meant.source], links.LINKS, meant.target)
            if said == meant._replace(by=TARGET) and not self._is_removed(said.target, linked, said)
        ]

    def _read(
        self,
        asset_ids: Iterable[str],
        what: str,
        other: str | None,
        known: Container[int] = (),
    ) -> list[tuple[Linked, Said]]:
        wanted = self._client.linking(asset_ids, what, other, known)
        found = [(linked, said) for linked in wanted if (said := links.said(linked.tx)) is not None]
        known = {linked.seq: linked.tx for linked, _ in found}
        self._records.update((tx["id"], tx) for tx in known.values())
        for linked, said in found:
            if said.by == TARGET and linked.tx["id"] == said.target:
                place = (LAST if linked.height is None else linked.height, linked.seq)
                self._parts.setdefault(said.source, {})[said.target] = place
        self._know((end for _, said in found for end in (said.source, said.target)), known)
        return found

    def held(self, asset_id: str) -> Held | None:
        """Return who holds an asset, None where it is not on this ledger."""
        self._know([asset_id], {})
        return self._held.get(asset_id)

    def parts(self, asset_id: str) -> list[str]:
        """Return what was read and names an asset as its parent, in commit order."""
        found = self._parts.get(asset_id, {})
        return sorted(found, key=found.__getitem__)

    def met(self, asset_id: str) -> tuple[dict[str, Any], set[str]] | None:
        """Return the CREATE of an asset and what made its unspent outputs, if both were read."""
        create, held = self._records.get(asset_id), self._held.get(asset_id)
        return None if create is None or held is None else (create, held.by)

    def _know(self, asset_ids: Iterable[str], known: Mapping[int, dict[str, Any]]) -> None:
        """Have at hand who holds assets, and what their owners took back."""
        new = [one for one in dict.fromkeys(asset_ids) if one not in self._asked]
        if not new:
            return
        self._asked.update(new)
        self._held.update(self._client.held(new, known))
        there = [one for one in new if one in self._held]
        for linked in self._client.linking(there, links.REVOCATIONS):
            made = self._revoking.setdefault(asset_of(linked.tx), {})
            removed = links.removed(linked.tx)
            before = made.get(removed, _Last(0, 0))
            height = linked.height or LAST
            made[removed] = _Last(max(before.seq, linked.seq), max(before.height, height))

    def _is_removed(self, owner: str, linked: Linked, said: Said) -> bool:
        """Say whether the owner of an end took a link back after it was said."""
        made = self._revoking.get(owner)
        if not made:
            return False
        other = said.target if owner == said.source else None
        is_same_chain = asset_of(linked.tx) == owner
        ending = links.ending(linked.tx["id"], said.verb, other)
        return any(
            last.seq > linked.seq if is_same_chain else last.height > (linked.height or 0)
            for last in map(made.get, ending)
            if last is not None
        )

    def _counted(self, linked: Linked, said: Said, *, is_confirmed: bool) -> Link | None:
        """Return how a link stands that its first end says, None where it is not that one's."""
        is_create = linked.tx["operation"] == "CREATE"
        if said.by == TARGET:
            return self._of_parent(linked, said) if is_create else None
        if is_create:
            return self._stated(linked, said, is_confirmed=is_confirmed)
        state, standing = ACTIVE, AUTHORISED
        if said.verb in POWERS:
            found = self._judged(linked, said)
            if found is None:
                return None
            state, standing = found
        elif self._is_removed(said.source, linked, said):
            state, standing = REVOKED, REVOKED
        is_both = is_confirmed or self._controls(said.target, linked)
        return _link(linked, said, state, standing, BOTH if is_both else SOURCE)

    def _of_parent(self, linked: Linked, said: Said) -> Link | None:
        """Return the link of a part whose CREATE the owner of the whole signed, too."""
        held = self._held.get(said.source)
        if said.source not in self._revoking and held is not None and held.since is not None:
            is_before = linked.height is not None and held.since <= linked.height
            if is_before and _fulfils(held.details, self._signers.of(linked.tx)):
                return _link(linked, said, ACTIVE, AUTHORISED, BOTH)
        found = self._judged(linked, said)
        return None if found is None else _link(linked, said, *found, BOTH)

    def _judged(self, linked: Linked, said: Said) -> tuple[str, str] | None:
        """Return state and standing of a link that gives power, None where it never did."""
        if said.source not in self._revoking and linked.tx["id"] in self._since(said.source):
            return ACTIVE, AUTHORISED
        found = self._speakers.authority(said.source)
        present = self._speakers.present(self._now_ms)
        for given in found.children.get(said.target, ()):
            if given.tx_id == linked.tx["id"]:
                # A link has no key of its own; a revocation of a key ends only that key's word.
                verdict = found.held(given, "", present, self._now_ms)
                is_open = verdict.standing not in {REVOKED, UNAUTHORISED}
                closed = REVOKED if verdict.standing == REVOKED else EXPIRED
                return ACTIVE if is_open else closed, verdict.standing
        return None

    def _since(self, asset_id: str) -> set[str]:
        """Return the links of an asset after which its owner did nothing but link it.

        A long history need not be read to know that they hold, as they mostly do.
        """
        known = self._unbroken.get(asset_id)
        if known is not None:
            return known
        found = self._unbroken[asset_id] = set()
        held = self._held.get(asset_id)
        if held is None or len(held.by) != 1 or len(held.details) != 1:
            return found
        (tip,) = held.by
        while (tx := self._records.get(tip)) is not None and _is_of(tx, held.details[0]):
            before = tx["inputs"][0]["fulfills"]
            tip, index = before["transaction_id"], before["output_index"]
            spent = self._records.get(tip) or self._client.required(tip).tx
            if spent["outputs"][index]["condition"]["details"] != held.details[0]:
                break
            found.add(tx["id"])
        return found

    def _stated(self, linked: Linked, said: Said, *, is_confirmed: bool) -> Link:
        """Return how a link stands that others state about its first end."""
        entry = self._client.required(linked.tx["id"])
        topic = topic_of(record.LINK, {"verb": said.verb, "to": said.target})
        standing = self._speakers.of(said.source, entry, topic).standing
        # A statement gives nobody power over a twin.
        if standing != AUTHORISED or said.verb in POWERS:
            return _link(linked, said, PROPOSED, standing, OTHERS)
        if self._is_removed(said.source, linked, said):
            return _link(linked, said, REVOKED, REVOKED, SOURCE)
        is_both = is_confirmed or self._controls(said.target, linked)
        return _link(linked, said, ACTIVE, standing, BOTH if is_both else SOURCE)

    def _controls(self, asset_id: str, linked: Linked) -> bool:
        """Say whether those who said a link controlled an asset then."""
        held = self._held.get(asset_id)
        if held is None:
            return False
        keys = self._signers.of(linked.tx)
        height = LAST if linked.height is None else linked.height
        if held.since is not None and held.since <= height:
            return _fulfils(held.details, keys)
        return self._speakers.controls(asset_id, keys, Place(height, LAST, linked.time_ms))


def end_of(held: Held | None) -> str:
    """Say what has become of an asset that a link names."""
    if held is None:
        return MISSING
    is_burned = all(details.get("public_key") == BURN_ADDRESS for details in held.details)
    return BURNED if is_burned else PRESENT


def above(relations: Relations, kind: str, asset_ids: Collection[str]) -> list[str]:
    """Return what is one step above any of some assets, see ``links.upwards``."""
    found = relations.of(asset_ids, links.ABOVE)
    steps = (links.upwards(link.said) for link in found if link.state == ACTIVE)
    return [upper for of, _, upper in steps if of == kind]


def _is_of(tx: dict[str, Any], details: dict[str, Any]) -> bool:
    """Say whether a transaction spends one output and leaves one to this owner."""
    outputs = tx["outputs"]
    return (
        tx["operation"] != "CREATE"
        and len(tx["inputs"]) == len(outputs) == 1
        and outputs[0]["condition"]["details"] == details
    )


def _triple(said: Said) -> tuple[str, str, str]:
    return said[:3]


def _link(linked: Linked, said: Said, state: str, standing: str, by: str) -> Link:
    return Link(linked.tx["id"], said, state, standing, by, linked.time_ms)


def _fulfils(held: Iterable[dict[str, Any]], keys: Collection[str]) -> bool:
    return any(conditions.can_fulfil(details, keys) for details in held)
