"""The tree of ownership: who owns what, what things own by their own keys, and their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.errors import InvalidError, NotFoundError
from twincli.model import links, record
from twincli.rules.authority import AUTHORISED, UNAUTHORISED
from twincli.services import resolve
from twincli.services.relations import ACTIVE, PROPOSED, Relations
from twincli.services.standing import Speakers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.services.documents import Document, Tree
    from twincli.services.workspace import Workspace


DEEPEST = 100
"""Levels of a tree that are shown at once: anybody can state a parent, so a chain has no end."""


def tree(workspace: Workspace, ref: str | None = None) -> Tree:
    """Return who owns what, down to what things own by their own keys, and their parts.

    Args:
        workspace: Rooms.
        ref: A key, a party or an asset; None: all my keys that nothing of mine owns.

    Returns:
        ``twin.tree/1`` with ``roots``: nodes of ``type`` (``key`` or ``asset``), ``name``,
        ``public_key`` or ``id``, ``relation`` to the node above (``owns``, ``part``, null), of a
        part the ``standing``: one of ``authority.STANDINGS``, whether it counts that it says so,
        ``seen`` true where a node stands elsewhere already, ``cut`` true where a node is too deep
        to go on, and ``children``.
    """
    return {"schema": "twin.tree/1", "roots": _Drawing(workspace).roots(ref)}


PAGE = 500
"""Assets whose parts are looked up at once."""


class _Thing(NamedTuple):
    """What is drawn of an asset: its id, its kind and the key that it names as its own."""

    id: str
    kind: str | None
    entity: str | None


class _Drawing:
    """One drawing of the tree; what is asked of many nodes is looked up once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.client = workspace.client
        self.names = resolve.Names(workspace)
        self.asset_names = resolve.asset_names(workspace)
        self.speakers = Speakers(workspace.client)
        self.relations = Relations(workspace)
        self.linked: dict[str, dict[str, str]] = {}
        self.stated: dict[str, set[str]] = {}
        self.seen: set[str] = set()
        self.known: dict[str, _Thing] = {}

    def roots(self, ref: str | None) -> list[Document]:
        if ref is not None:
            return [self._root(ref)]
        keys = [info.public_key for info in self.workspace.keystore.scan()[0]]
        entities = {
            thing.entity
            for key in keys
            for page in self._pages(self.client.held_by([key]))
            for thing in page
            if thing.entity not in (None, key)
        }
        starts = [key for key in keys if key not in entities] or keys
        roots = [self._key(key, None) for key in starts]
        # What is left is owned in a circle.
        return roots + [self._key(key, None) for key in keys if key not in self.seen]

    def _root(self, ref: str) -> Document:
        if not ref.startswith("asset:"):
            try:
                return self._key(resolve.public_key_of(self.workspace, ref), None)
            except (NotFoundError, InvalidError):
                if ref.startswith("key:"):
                    raise
        asset_id = resolve.asset_id_of(self.workspace, ref)
        return self._assets([asset_id], None)[0]

    def _thing(self, create: dict[str, Any], made_by: set[str]) -> _Thing:
        """Return what is drawn of an asset.

        Args:
            create: Its CREATE.
            made_by: The transactions that made its unspent outputs.
        """
        asset_id: str = create["id"]
        stated = record.creating_envelope(create)
        entity = record.text(stated.get("entity"))
        if made_by != {asset_id}:
            # A transfer may have named another one since.
            replay = self.client.replay(asset_id)
            entity = None if replay is None else replay.entity
        return _Thing(asset_id, record.text(stated.get("kind")), entity)

    def _key(self, public_key: str, relation: str | None, depth: int = 0) -> Document:
        node: Document = {
            "type": "key",
            "name": self.names.of_key(public_key),
            "public_key": public_key,
            "relation": relation,
            "seen": public_key in self.seen,
            "cut": depth >= DEEPEST,
            "children": [],
        }
        if not node["seen"] and not node["cut"]:
            self.seen.add(public_key)
            node["children"] = self._assets(self.client.held_by([public_key]), "owns", depth + 1)
        return node

    def _assets(
        self,
        asset_ids: list[str],
        relation: str | None,
        depth: int = 0,
        *,
        part_of: str | None = None,
    ) -> list[Document]:
        nodes = []
        for page in self._pages(asset_ids):
            parts = self._parts([thing.id for thing in page if thing.id not in self.seen])
            nodes += [
                self._asset(thing, relation, depth, part_of, parts.get(thing.id, []))
                for thing in page
            ]
        return nodes

    def _parts(self, asset_ids: list[str]) -> dict[str, list[str]]:
        """Return what says that it is a part of assets, and what is linked as one."""
        for link in self.relations.beyond(asset_ids):
            kind, lower, upper = links.upwards(link.said)
            if kind == links.WHOLE and link.state in {ACTIVE, PROPOSED}:
                self.linked.setdefault(upper, {})[lower] = link.standing
        found = {}
        for whole in asset_ids:
            found[whole] = self.relations.parts(whole)
            self.stated[whole] = {*found[whole]}
            more = self.linked.get(whole, {}).keys() - self.stated[whole]
            if more:
                # A part that is linked and not on this ledger has nothing that could be shown.
                found[whole] = self.client.in_order([*found[whole], *more])
        return found

    def _belonging(self, whole: str, part: str) -> str:
        """Say how it stands that one asset is a part of another."""
        by_link = self.linked.get(whole, {}).get(part, UNAUTHORISED)
        if by_link == AUTHORISED or part not in self.stated.get(whole, ()):
            return by_link
        return self.speakers.of_part(whole, part).standing

    def _pages(self, asset_ids: list[str]) -> Iterator[list[_Thing]]:
        """Yield what is drawn of assets, in order; each is read once."""
        for at in range(0, len(asset_ids), PAGE):
            page = asset_ids[at : at + PAGE]
            new = [asset_id for asset_id in page if asset_id not in self.known]
            unread = []
            for asset_id in new:
                met = self.relations.met(asset_id)
                if met is None:
                    unread.append(asset_id)
                else:
                    self.known[asset_id] = self._thing(*met)
            for standing in self.client.standings(unread):
                made_by = {item.transaction_id for item in standing.unspent}
                self.known[standing.create["id"]] = self._thing(standing.create, made_by)
            yield [self.known[asset_id] for asset_id in page]

    def _asset(
        self,
        thing: _Thing,
        relation: str | None,
        depth: int,
        part_of: str | None,
        parts: list[str],
    ) -> Document:
        asset_id = thing.id
        node: Document = {
            "type": "asset",
            "name": self.asset_names.get(asset_id),
            "id": asset_id,
            "kind": thing.kind,
            "relation": relation,
            "standing": None,
            "seen": asset_id in self.seen,
            "cut": depth >= DEEPEST,
            "children": [],
        }
        if part_of is not None:
            node["standing"] = self._belonging(part_of, asset_id)
        if node["seen"] or node["cut"]:
            return node
        self.seen.add(asset_id)
        entity = thing.entity
        if entity is not None and entity not in self.seen:
            # What the thing owns by its own key hangs below the thing.
            node["children"] = self._key(entity, "owns", depth)["children"]
        if parts:
            known = {child["id"] for child in node["children"]}
            node["children"] += self._assets(
                [part for part in parts if part not in known], "part", depth + 1, part_of=asset_id
            )
        return node
