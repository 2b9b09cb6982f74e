"""Links from a twin to its parts and streams, by its owner; their holders may speak for it.

A part or stream whose CREATE the twin's owner signed (``--parent``) is linked by that. A record of
kind ``link`` does the same for what exists: made by somebody else, or before the twin was sold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import ConflictError, NotFoundError, UsageError
from twincli.model import record, times
from twincli.rules.authority import REVOKED, UNAUTHORISED, VERBS
from twincli.services import resolve
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.record.say import say
from twincli.services.standing import Speakers, owners_now

if TYPE_CHECKING:
    from twincli.rules.authority import Given
    from twincli.services.documents import LinkItem, Links, Said
    from twincli.services.tx.prepared import Prepared
    from twincli.services.workspace import Workspace

ACTIVE, EXPIRED = ("active", "expired")
"""The states of a link: in force, over since a transfer; or ``REVOKED``, taken back."""


def add(
    workspace: Workspace, ref: str, verb: str, other: str, writing: Writing = PLAIN
) -> Said | Prepared:
    """Say that another asset is a part or a stream of a twin.

    Args:
        workspace: Rooms.
        ref: The twin.
        verb: ``part`` or ``stream``.
        other: The other asset.
        writing: W.

    Raises:
        UsageError: Another verb; the twin itself.
        LockedError: ``no_key``: only the twin's owner can link.
    """
    if verb not in VERBS:
        raise UsageError(
            f"{verb!r} is not one of {', '.join(VERBS)}", hint=f"twin link add {ref} part {other}"
        )
    asset_id, child = resolve.asset_id_of(workspace, ref), resolve.asset_id_of(workspace, other)
    if asset_id == child:
        raise UsageError(f"{ref} cannot be a {verb} of itself")
    if writing.once is None and _active(workspace, ref, child):
        raise ConflictError(
            f"{other} is already linked to {ref}", code="exists", hint=f"twin link list {ref}"
        )
    return say(workspace, ref, record.LINK, {"verb": verb, "to": child}, writing, is_owners=True)


def remove(workspace: Workspace, ref: str, other: str, writing: Writing = PLAIN) -> Said | Prepared:
    """Take back all links from a twin to another asset.

    Raises:
        NotFoundError: There is none that still counts.
        LockedError: ``no_key``: only the twin's owner can take it back.
    """
    child = resolve.asset_id_of(workspace, other)
    if writing.once is None and not _active(workspace, ref, child):
        raise NotFoundError(f"{ref} has no link to {other}", hint=f"twin link list {ref}")
    return say(workspace, ref, record.REVOKE, {"grant": child}, writing, is_owners=True)


def _active(workspace: Workspace, ref: str, child: str) -> bool:
    return any(item["to"] == child and item["state"] == ACTIVE for item in _items(workspace, ref))


def list_links(workspace: Workspace, ref: str) -> Links:
    """Return the links that a twin's owners made, in order, also those that are over.

    Returns:
        ``twin.links/1``.
    """
    asset_id = resolve.asset_id_of(workspace, ref)
    return {
        "schema": "twin.links/1",
        "asset_id": asset_id,
        "asset_name": resolve.asset_name(workspace, asset_id),
        "links": _items(workspace, ref),
    }


def _items(workspace: Workspace, ref: str) -> list[LinkItem]:
    asset_id = resolve.asset_id_of(workspace, ref)
    speakers = Speakers(workspace.client)
    found = speakers.authority(asset_id)
    present, now_ms = speakers.present(workspace.now()), workspace.now()
    names, asset_names = resolve.Names(workspace), resolve.asset_names(workspace)

    def item(given: Given, child: str) -> LinkItem:
        # A link has no key of its own; a revocation of a key ends only that key's word.
        verdict = found.held(given, "", present, now_ms)
        held = owners_now(workspace.client, child)
        is_open = verdict.standing not in {REVOKED, UNAUTHORISED}
        return {
            "id": given.tx_id,
            "verb": str(given.verb),
            "to": child,
            "to_name": asset_names.get(child),
            "owner": "; ".join(names.owner(details) for details in held),
            "state": ACTIVE if is_open else REVOKED if verdict.standing == REVOKED else EXPIRED,
            "standing": verdict.standing,
            "linked_at": times.told(given.place.time_ms),
        }

    return [item(given, given.child) for given in found.given if given.child is not None]
