"""What the commands about streams work with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property

from twincli.content.copies import Copies
from twincli.content.inventory import Inventory
from twincli.content.store import Blobs
from twincli.services.privacy.chunks import SealedChunks
from twincli.services.privacy.shelf import Shelf
from twincli.services.stream.known import Room
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twincli.cli.context import Context
    from twincli.client.content import NodeContent


class _Nodes(Sequence["NodeContent"]):
    """The nodes that take content; they are asked when there is some, which is seldom."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @cached_property
    def _taking(self) -> Sequence[NodeContent]:
        from twincli.cli.commands.file import content

        return content.places(self._context)[0] if self._context.network is not None else ()

    def __len__(self) -> int:
        return len(self._taking)

    def __getitem__(self, at: Any) -> Any:
        return self._taking[at]


def room(context: Context) -> Room:
    """Return what streams are worked on with."""
    inventory = Inventory(context.paths.streams)
    context.at_end(inventory.close)
    nodes = _Nodes(context)
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
