"""``twin pull`` and ``twin ledger import``: assets of another ledger, verified, to this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import InvalidError, NotFoundError, UsageError
from twincli.model import identity, transaction
from twincli.services import catalogue, resolve
from twincli.services.asset import fitting, listings
from twincli.services.network.move import Mover, finish, followed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twincli.client import LedgerClient
    from twincli.services.documents import Moves
    from twincli.services.workspace import Workspace


def pull(
    workspace: Workspace,
    here: LedgerClient,
    asset_ids: Iterable[str],
    *,
    schema: str = "twin.pull/1",
) -> Moves:
    """Copy assets of another ledger to this one, whose rules are strict.

    Args:
        workspace: The other ledger, names and keys.
        here: This one.
        asset_ids: From ``assets_to_pull`` or ``assets_to_import``.
        schema: Of the document.

    Returns:
        As ``push``; ``transactions`` is how many were added here.
    """
    mover = Mover(workspace.client, here, dry_run=workspace.dry_run, pulls=True)
    for _ in mover.add_all(asset_ids):
        pass
    document = finish(workspace, mover, schema)
    arrived = [one.asset_id for one in mover.moved if one.status == "moved" and one.error is None]
    if not workspace.dry_run:
        document["warnings"] += _claimed(workspace._replace(client=here), arrived)
    return document


def _claimed(workspace: Workspace, asset_ids: Iterable[str]) -> list[str]:
    """Let twins have their primary identifiers here; return a warning for each that is taken."""
    identities = []
    for asset_id in asset_ids:
        replay = workspace.client.replay(asset_id)
        if replay is None or replay.pin is None or replay.create is None:
            continue
        try:
            model = catalogue.of_twin(workspace, replay.pin)
            assert model is not None
            found = identity.identifier(model.template, replay.create["asset"]["data"], asset_id)
        except (NotFoundError, InvalidError):
            continue  # the template did not come along, or others have made the twin without
        identities.append((asset_id, fitting.primary_id(model.template, found, replay.create)))
    taken = workspace.client.claim(identities) if identities else {}
    of = dict(identities)
    return [
        f"{of[asset_id].family} has two twins {of[asset_id].identifier!r} of one owner now:"
        f" {other} was here first, {asset_id} came from the other ledger"
        for asset_id, other in taken.items()
    ]


def assets_to_pull(workspace: Workspace, here: LedgerClient, refs: Sequence[str]) -> list[str]:
    """Return the ids of the assets to pull.

    Args:
        workspace: The other ledger, names and keys.
        here: This one.
        refs: Assets of the other one; none: those that have a name there, those that my keys own
            there, and those that both ledgers have.
    """
    if refs:
        named = [resolve.asset_id_of(workspace, ref) for ref in refs]
        return list(dict.fromkeys([*followed(workspace.client, here, named), *named]))
    mine = [item["id"] for item in listings.list_assets(workspace)["assets"]]
    known = set(mine)
    local = [asset_id for asset_id in here.asset_ids() if asset_id not in known]
    workspace.client.prepare(local)
    both = [asset_id for asset_id in local if workspace.client.entry(asset_id) is not None]
    return [*mine, *both]


def assets_to_import(
    workspace: Workspace,
    *,
    ids: Sequence[str] = (),
    owner: str | None = None,
    text: str | None = None,
) -> list[str]:
    """Return the ids of the assets to import.

    Args:
        workspace: The other ledger, names and keys.
        ids: Of assets or of their transactions.
        owner: Assets of which this party owns a share.
        text: Assets whose data contain these words.

    Raises:
        UsageError: No asset was asked for.
        NotFoundError: There is no transaction with such an id.
    """
    if not ids and owner is None and text is None:
        raise UsageError("say what to import: --id TX, --owner KEY or --search TEXT")
    chosen: dict[str, None] = {}
    workspace.client.prepare(ids)
    for tx_id in ids:
        entry = workspace.client.required(resolve.transaction_id_of(workspace, tx_id))
        chosen[transaction.asset_of(entry.tx)] = None
    if owner is not None:
        listed = listings.list_assets(workspace, owner=owner)["assets"]
        chosen.update(dict.fromkeys(item["id"] for item in listed))
    if text is not None:
        chosen.update(dict.fromkeys(hit["id"] for hit in workspace.client.search_assets(text)))
    return list(chosen)
