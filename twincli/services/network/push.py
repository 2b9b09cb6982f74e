"""Between ledgers: signed transactions go from one to another as they are.

What the other ledger has is asked first, so that a run that was interrupted goes on where it was:
nothing is sent twice, nothing is left out. Within an asset the order is that of the commits, so
whatever is spent comes before what spends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import (
    ConflictError,
    UsageError,
)
from twincli.model import record, transaction
from twincli.services import resolve
from twincli.services.asset import listings
from twincli.services.network.move import Moved, Mover

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twincli.client import LedgerClient
    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace


# --- Many assets -------------------------------------------------------------------------------


def push(
    workspace: Workspace, there: LedgerClient, refs: Sequence[str], *, rebase: bool
) -> Document:
    """Copy assets of this ledger to another one.

    Args:
        workspace: This ledger, names and keys.
        there: The other one.
        refs: Assets; none: all.
        rebase: Where the other one went on otherwise, record what it lacks anew, on top of that.
            What follows on such a one is recorded anew in any case.

    Returns:
        ``twin.push/1``: ``ledger to assets transactions failed errors warnings``; ``assets`` are
        ``asset_id name status transactions``, ``transactions`` how many are new there, ``errors``
        ``asset_id name code message hint``.

    Raises:
        ConflictError: ``diverged``, InvalidError and others: of the only asset.
        UnreachableError: The other one stopped answering; run again, it goes on where it was.
    """
    here = workspace.client
    wanted: Iterable[str] = (
        [resolve.asset_id_of(workspace, ref) for ref in refs] if refs else here.asset_ids()
    )

    mover = Mover(here, there, dry_run=workspace.dry_run)
    for asset_id in dict.fromkeys(wanted):
        made = mover.add(asset_id)
        # What follows on what was recorded anew goes the same way without being told again.
        if made.anew or (made.forked and rebase):
            from twincli.services.network import rebase as rebasing

            rebasing.rebase(workspace, there, made)
    document = _told(workspace, mover, "twin.push/1")
    for made in mover.moved:
        entry = here.entry(made.asset_id)
        stated = record.creating_envelope(entry.tx).get("parent") if entry is not None else None
        if isinstance(stated, str) and not workspace.dry_run and there.entry(stated) is None:
            document["warnings"].append(
                f"{made.asset_id} is a part of {stated}, which is not there"
            )
    return document


def pull(
    workspace: Workspace,
    here: LedgerClient,
    asset_ids: Iterable[str],
    *,
    schema: str = "twin.pull/1",
) -> Document:
    """Copy assets of another ledger to this one, whose rules are strict.

    Args:
        workspace: The other ledger, names and keys.
        here: This one.
        asset_ids: From ``chosen`` or ``found``.
        schema: Of the document.

    Returns:
        As ``push``, with what is new here.
    """
    mover = Mover(workspace.client, here, dry_run=workspace.dry_run)
    for asset_id in asset_ids:
        mover.add(asset_id)
    return _told(workspace, mover, schema)


def chosen(workspace: Workspace, here: LedgerClient, refs: Sequence[str]) -> list[str]:
    """Return the assets to pull.

    Args:
        workspace: The other ledger, names and keys.
        here: This one.
        refs: Assets of the other one; none: those that are named there, those that my keys own
            there, and those that are here and there.
    """
    if refs:
        return list(dict.fromkeys(resolve.asset_id_of(workspace, ref) for ref in refs))
    mine = [item["id"] for item in listings.list_assets(workspace)["assets"]]
    known = set(mine)
    both = [
        asset_id
        for asset_id in here.asset_ids()
        if asset_id not in known and workspace.client.entry(asset_id) is not None
    ]
    return [*mine, *both]


def found(
    workspace: Workspace,
    *,
    ids: Sequence[str] = (),
    owner: str | None = None,
    text: str | None = None,
) -> list[str]:
    """Return the assets to import.

    Args:
        workspace: The other ledger, names and keys.
        ids: Of assets or of their transactions.
        owner: Assets of which this party holds something.
        text: Assets that hold these words.

    Raises:
        UsageError: Nothing was asked for.
        NotFoundError: There is no transaction of such an id.
    """
    if not ids and owner is None and text is None:
        raise UsageError("say what to import: --id TX, --owner KEY or --search TEXT")
    chosen: dict[str, None] = {}
    for tx_id in ids:
        entry = workspace.client.required(resolve.transaction_id_of(workspace, tx_id))
        chosen[transaction.asset_of(entry.tx)] = None
    if owner is not None:
        listed = listings.list_assets(workspace, owner=owner)["assets"]
        chosen.update(dict.fromkeys(item["id"] for item in listed))
    if text is not None:
        chosen.update(dict.fromkeys(hit["id"] for hit in workspace.client.search_assets(text)))
    return list(chosen)


def _told(workspace: Workspace, mover: Mover, schema: str) -> Document:
    """Finish a run; return its document, and let the names go along with their assets."""
    source, target = mover.here.ledger_id, mover.there.ledger_id
    moved = mover.finish()
    failed = [made for made in moved if made.error is not None]
    if len(moved) == 1 and moved[0].error is not None:
        raise moved[0].error
    names = {made.asset_id: workspace.book.names_of(source, made.asset_id) for made in moved}
    warnings: list[str] = []
    for made in moved:
        if made.error is None and not workspace.dry_run:
            for name in names[made.asset_id]:
                try:
                    workspace.book.set_asset(target, name, made.asset_id)
                except ConflictError as error:
                    warnings.append(error.message)

    def named(made: Moved) -> Document:
        return {"asset_id": made.asset_id, "name": next(iter(names[made.asset_id]), None)}

    return {
        "schema": schema,
        "ledger": source,
        "to": target,
        "assets": [
            {**named(made), "status": made.status, "transactions": made.transactions}
            for made in moved
        ],
        "transactions": sum(made.transactions for made in moved),
        "failed": len(failed),
        "errors": [
            {
                **named(made),
                "code": made.error.code,
                "message": made.error.message,
                "hint": made.error.hint,
            }
            for made in failed
            if made.error is not None
        ],
        "warnings": warnings,
    }
