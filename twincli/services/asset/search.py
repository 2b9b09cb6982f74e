"""Searching the ledger for words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import UsageError
from twincli.model.transaction import asset_of
from twincli.services import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.services.documents import Search, SearchHit
    from twincli.services.workspace import Workspace


def search(workspace: Workspace, text: str, limit: int | None = None) -> Search:
    """Return where words stand: in the facts of assets or in what was recorded about them.

    Args:
        workspace: Rooms.
        text: Words are alternatives, ``"quoted phrases"`` must all occur, ``-word`` excludes.
        limit: Show at most N.

    Returns:
        ``twin.search/1`` with ``hits``, an iterator in commit order of ``asset_id name
        transaction_id in`` and ``data`` (``in`` is ``asset``) or ``metadata``.

    Raises:
        UsageError: ``empty_search``.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit takes a whole number from 1, not {limit}")
    found = workspace.client.search(text, limit or 0)
    return {"schema": "twin.search/1", "hits": _hits(workspace, found)}


def _hits(workspace: Workspace, found: Iterator[tuple[str, dict[str, Any]]]) -> Iterator[SearchHit]:
    names = resolve.asset_names(workspace)
    for place, tx in found:
        asset_id = asset_of(tx)
        hit: SearchHit = {
            "asset_id": asset_id,
            "name": names.get(asset_id),
            "transaction_id": tx["id"],
            "in": place,
        }
        if place == "asset":
            hit["data"] = tx["asset"]["data"]
        else:
            hit["metadata"] = tx["metadata"]
        yield hit
