"""``twin push``: signed transactions go from this ledger to another one, unchanged.

The other ledger is asked first for what it has, so that an interrupted run continues from there:
nothing is sent twice, nothing is left out. Within an asset the order is that of the commits, so a
transaction comes before the one that spends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.model import record
from twincli.services import resolve
from twincli.services.network.move import SHORT, Mover, finish, followed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twincli.client import LedgerClient
    from twincli.services.documents import Moves
    from twincli.services.workspace import Workspace


def push(workspace: Workspace, there: LedgerClient, refs: Sequence[str], *, rebase: bool) -> Moves:
    """Copy assets of this ledger to another one.

    Args:
        workspace: This ledger, names and keys.
        there: The other one.
        refs: Assets; none: all.
        rebase: Where the histories diverged, record what the other one lacks again, on top of its
            history. What follows a rebased transaction is rebased in any case.

    Returns:
        ``twin.push/1``: ``ledger to assets transactions failed errors warnings``; ``assets`` are
        ``asset_id name status transactions``, ``transactions`` is how many were added there,
        ``errors`` are ``asset_id name code message hint``.

    Raises:
        ConflictError: ``diverged``, InvalidError and others: of the only asset.
        UnreachableError: The other ledger stopped answering; another run continues from there.
    """
    here = workspace.client
    wanted: Iterable[str] = here.asset_ids()
    if refs:
        named = [resolve.asset_id_of(workspace, ref) for ref in refs]
        wanted = [*followed(here, there, named), *named]
    mover = Mover(here, there, dry_run=workspace.dry_run)
    for moved in mover.add_all(wanted):
        if moved.needs_rebase or (moved.forked and rebase):
            from twincli.services.network import rebase as rebasing

            rebasing.rebase(workspace, there, moved)
    document = finish(workspace, mover, "twin.push/1")
    if not workspace.dry_run:
        document["warnings"] += _missing_parents(workspace, mover)
    return document


def _missing_parents(workspace: Workspace, mover: Mover) -> list[str]:
    """Return a warning for each part that was sent without the asset it is a part of."""

    def label(asset_id: str) -> str:
        return resolve.asset_name(workspace, asset_id) or asset_id[:SHORT]

    parents: dict[str, str] = {}
    for moved in mover.moved:
        entry = workspace.client.entry(moved.asset_id)
        parent = record.creating_envelope(entry.tx).get("parent") if entry is not None else None
        if isinstance(parent, str):
            parents[moved.asset_id] = parent
    mover.there.prepare(parents.values())
    return [
        f"{label(part)} is a part of {label(parent)}, which is not there;"
        f" twin push {label(parent)} sends it"
        for part, parent in parents.items()
        if mover.there.entry(parent) is None
    ]
