"""The tree of ownership: who owns what, what things own by their own keys, and their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import InvalidError, NotFoundError
from twincli.model import record
from twincli.services import resolve
from twincli.services.standing import Speakers

if TYPE_CHECKING:
    from twincli.ledger.rows import Standing
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


class _Drawing:
    """One drawing of the tree; what is asked of many nodes is looked up once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.client = workspace.client
        self.names = resolve.Names(workspace)
        self.asset_names = resolve.asset_names(workspace)
        self.speakers = Speakers(workspace.client)
        self.seen: set[str] = set()

    def roots(self, ref: str | None) -> list[Document]:
        if ref is not None:
            return [self._root(ref)]
        keys = [info.public_key for info in self.workspace.keystore.scan()[0]]
        entities = {
            entity
            for key in keys
            for standing in self.client.standings(self.client.held_by([key]))
            if (entity := self._entity(standing)) not in (None, key)
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

    def _entity(self, standing: Standing) -> str | None:
        create = standing.create
        if all(item.transaction_id == create["id"] for item in standing.unspent):
            return record.text(record.creating_envelope(create).get("entity"))
        # A transfer may have named another one since.
        replay = self.client.replay(create["id"])
        return None if replay is None else replay.entity

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
        return [
            self._asset(standing, relation, depth, part_of)
            for standing in self.client.standings(asset_ids)
        ]

    def _asset(
        self, standing: Standing, relation: str | None, depth: int, part_of: str | None
    ) -> Document:
        asset_id = standing.create["id"]
        node: Document = {
            "type": "asset",
            "name": self.asset_names.get(asset_id),
            "id": asset_id,
            "kind": resolve.asset_kind(standing.create),
            "relation": relation,
            "standing": None,
            "seen": asset_id in self.seen,
            "cut": depth >= DEEPEST,
            "children": [],
        }
        if part_of is not None:
            part = self.client.required(asset_id)
            node["standing"] = self.speakers.of_part(part_of, part).standing
        if node["seen"] or node["cut"]:
            return node
        self.seen.add(asset_id)
        entity = self._entity(standing)
        if entity is not None and entity not in self.seen:
            # What the thing owns by its own key hangs below the thing.
            node["children"] = self._key(entity, "owns", depth)["children"]
        known = {child["id"] for child in node["children"]}
        parts = self.client.assets_with("parent", asset_id)
        node["children"] += self._assets(
            [part for part in parts if part not in known], "part", depth + 1, part_of=asset_id
        )
        return node
