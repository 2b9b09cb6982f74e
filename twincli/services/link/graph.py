"""The links around an asset, as far as some steps lead, with the circles among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import UsageError
from twincli.ledger.block import uncollected
from twincli.model import links
from twincli.services import resolve
from twincli.services.relations import ACTIVE, PROPOSED, Relations, end_of

if TYPE_CHECKING:
    from twincli.services.documents import GraphNode, LinkGraph
    from twincli.services.relations import Link
    from twincli.services.workspace import Workspace

DEEPEST = 100
MOST = 100_000
"""Assets in one graph: strangers may link to a twin as often as they like."""


def graph(workspace: Workspace, ref: str, depth: int = 3) -> LinkGraph:
    """Return the links that lead from an asset and to it, and on from there.

    Args:
        workspace: Rooms.
        ref: The asset.
        depth: How many steps.

    Returns:
        ``twin.link-graph/1``.
    """
    if not 1 <= depth <= DEEPEST:
        raise UsageError(f"--depth takes a number from 1 to {DEEPEST}, not {depth}")
    asset_id = resolve.asset_id_of(workspace, ref)
    with uncollected():
        return _walked(workspace, asset_id, depth)


def _walked(workspace: Workspace, asset_id: str, depth: int) -> LinkGraph:
    relations = Relations(workspace)
    names = resolve.asset_names(workspace)
    depths = {asset_id: 0}
    found: dict[str, Link] = {}
    level = [asset_id]
    for step in range(1, depth + 1):
        if not level:
            break
        beyond: list[str] = []
        for link in relations.beyond(level):
            if link.state not in {ACTIVE, PROPOSED} or len(depths) >= MOST:
                continue
            found[link.tx_id] = link
            for end in (link.said.source, link.said.target):
                if end not in depths:
                    depths[end] = step
                    beyond.append(end)
        level = beyond
    listed = list(found.values())
    steps = {
        number: links.upwards(link.said)
        for number, link in enumerate(listed)
        if link.state == ACTIVE and link.said.verb in links.VERBS
    }
    circular = links.in_circles(steps)
    last = {*level}

    def node(one: str) -> GraphNode:
        return {
            "id": one,
            "name": names.get(one),
            "depth": depths[one],
            "end": end_of(relations.held(one)),
            "cut": one in last,
        }

    return {
        "schema": "twin.link-graph/1",
        "asset_id": asset_id,
        "asset_name": names.get(asset_id),
        "depth": depth,
        "nodes": [node(one) for one in depths],
        "links": [
            {
                "id": link.tx_id,
                "source": link.said.source,
                "verb": link.said.verb,
                "target": link.said.target,
                "state": link.state,
                "said_by": link.by,
                "confirmed": link.is_confirmed,
                "circle": number in circular,
            }
            for number, link in enumerate(listed)
        ],
    }
