"""What the commands about streams work with."""

from __future__ import annotations

import os

from twincli.content.copies import Copies
from twincli.content.inventory import Inventory
from twincli.content.store import Blobs
from twincli.services.privacy.chunks import SealedChunks
from twincli.services.privacy.opening import Shelf
from twincli.services.stream.known import Room
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from twincli.cli.context import Context
    from twincli.client.content import NodeContent


def room(context: Context, *, writes: bool = False) -> Room:
    """Return what streams are worked on with.

    Args:
        context: The command.
        writes: Whether nodes are to be asked if they take content.
    """
    inventory = Inventory(context.paths.streams)
    context.at_end(inventory.close)
    nodes: list[NodeContent] = []
    if writes and context.network is not None:
        from twincli.cli.commands.file import content

        nodes, _ = content.places(context)
    blobs = Blobs(context.paths.content)
    copies = Copies(blobs, context.paths.copies)
    context.at_end(copies.close)
    workspace = context.workspace()
    sealed = SealedChunks(workspace, Shelf(blobs, nodes), copies)
    context.at_end(sealed.close)
    return Room(
        workspace,
        inventory,
        blobs,
        copies,
        nodes,
        os.path.dirname(context.paths.streams),
        context.paths.rollups,
        sealed,
    )
