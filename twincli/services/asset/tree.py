"""The tree of ownership: who owns what, what things own by their own keys, and their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto import conditions
from twincli.errors import InvalidError, NotFoundError
from twincli.rules.replay import Replay, corrected_by
from twincli.services import resolve
from twincli.services.asset import document, listings
from twincli.services.signers import signers_of

if TYPE_CHECKING:
    from twincli.ledger.reading import Entry
    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace


DEEPEST = 100
"""Levels of a tree that are told at once: anybody can state a parent, so a chain has no end."""


def tree(workspace: Workspace, ref: str | None = None) -> Document:
    """Return who owns what, down to what things own by their own keys, and their parts.

    Args:
        workspace: Rooms.
        ref: A key, a party or an asset; None: all my keys that nothing of mine owns.

    Returns:
        ``twin.tree/1`` with ``roots``: nodes of ``type`` (``key`` or ``asset``), ``name``,
        ``public_key`` or ``id``, ``relation`` to the node above (``owns``, ``part``, null), of a
        part the ``standing`` (``authorised``: the parent's owners made it; ``claimed_by_entity``:
        the parent's own key did; ``unauthorised``: somebody else says so),
        ``seen`` true where a node stands elsewhere already, ``cut`` true where a node is too deep
        to go on, and ``children``.
    """
    seen: set[str] = set()
    if ref is not None:
        roots = [_root(workspace, ref, seen)]
    else:
        infos = workspace.keystore.scan()[0]
        entities = {
            key
            for info in infos
            for asset_id in listings.owned_by(workspace, [info.public_key])
            if (key := _entity(workspace, asset_id)) not in (None, info.public_key)
        }
        starts = [info for info in infos if info.public_key not in entities] or infos
        roots = [_key_node(workspace, info.public_key, None, seen) for info in starts]
        rest = [info for info in infos if info.public_key not in seen]  # owned in a circle
        roots += [_key_node(workspace, info.public_key, None, seen) for info in rest]
    return {"schema": "twin.tree/1", "roots": roots}


def _root(workspace: Workspace, ref: str, seen: set[str]) -> Document:
    if not ref.startswith("asset:"):
        try:
            return _key_node(workspace, resolve.public_key_of(workspace, ref), None, seen)
        except (NotFoundError, InvalidError):
            if ref.startswith("key:"):
                raise
    return _asset_node(workspace, resolve.asset_id_of(workspace, ref), None, seen)


def _entity(workspace: Workspace, asset_id: str) -> str | None:
    replay = workspace.client.replay(asset_id)
    assert replay is not None
    return replay.entity


def _key_node(
    workspace: Workspace, public_key: str, relation: str | None, seen: set[str], depth: int = 0
) -> Document:
    node: Document = {
        "type": "key",
        "name": resolve.name_of(workspace, public_key),
        "public_key": public_key,
        "relation": relation,
        "seen": public_key in seen,
        "cut": depth >= DEEPEST,
        "children": [],
    }
    if not node["seen"] and not node["cut"]:
        seen.add(public_key)
        node["children"] = [
            _asset_node(workspace, asset_id, "owns", seen, depth + 1)
            for asset_id in listings.owned_by(workspace, [public_key])
        ]
    return node


def _asset_node(
    workspace: Workspace,
    asset_id: str,
    relation: str | None,
    seen: set[str],
    depth: int = 0,
    *,
    part_of: str | None = None,
) -> Document:
    entry = workspace.client.required(asset_id)
    node: Document = {
        "type": "asset",
        "name": resolve.asset_name(workspace, asset_id),
        "id": asset_id,
        "kind": resolve.asset_kind(entry.tx),
        "relation": relation,
        "standing": None if part_of is None else _standing(workspace, part_of, entry),
        "seen": asset_id in seen,
        "cut": depth >= DEEPEST,
        "children": [],
    }
    if node["seen"] or node["cut"]:
        return node
    seen.add(asset_id)
    entity = _entity(workspace, asset_id)
    if entity is not None and entity not in seen:
        # What the thing owns by its own key hangs below the thing.
        node["children"] = _key_node(workspace, entity, "owns", seen, depth)["children"]
    for child in workspace.client.assets_with("parent", asset_id):
        if not any(known.get("id") == child for known in node["children"]):
            node["children"].append(
                _asset_node(workspace, child, "part", seen, depth + 1, part_of=asset_id)
            )
    return node


def _standing(workspace: Workspace, parent: str, child: Entry) -> str:
    """Say whose word it is that ``child`` is a part of ``parent``."""
    signers = set(signers_of(child.tx))
    replay = _replay_at(workspace, parent, child)
    if replay is None:
        return "unauthorised"
    for tx_id, index in replay.outputs:
        output = document.output_at(workspace.client.entry(tx_id), index)
        if conditions.can_fulfil(output["condition"]["details"], signers):
            return "authorised"
    return "claimed_by_entity" if replay.entity in signers else "unauthorised"


def _replay_at(workspace: Workspace, asset_id: str, other: Entry) -> Replay | None:
    """Return an asset as it was when ``other`` was committed."""
    client = workspace.client
    if other.time_ms is not None:
        return client.replay(asset_id, other.time_ms)
    # Where nobody tells times, the height of the block says what was earlier.
    before = [
        entry.tx
        for entry in client.entries(asset_id)
        if entry.height is not None and other.height is not None and entry.height <= other.height
    ]
    if not before:
        return None
    made = Replay(corrected_by(before))
    for tx in before:
        made.add(tx)
    return made
