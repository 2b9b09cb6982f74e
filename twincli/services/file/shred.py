"""Shred: erase what opens an encrypted stream or file, as far as this home reaches.

The identity of an epoch is nowhere but in its wraps, so without them nobody opens what is encrypted
to it. Nothing on the ledger changes: the bytes whose CIDs it has are as they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import NotFoundError, UsageError
from twincli.model import names, record
from twincli.services import resolve
from twincli.services.audit import trail
from twincli.services.file import attached
from twincli.services.privacy import files, hiding, locks, opening, private
from twincli.services.record.attachments import Stores

if TYPE_CHECKING:
    from twincli.content.store import Blobs
    from twincli.services.documents import Shredded
    from twincli.services.privacy.locks import Lock
    from twincli.services.workspace import Workspace


def lock_of(
    workspace: Workspace, blobs: Blobs, ref: str, *, stream: str | None, file: str | None
) -> Lock:
    """Return the lock of a stream or file of a twin.

    Raises:
        NotFoundError: ``not_found``.
        UsageError: ``not_encrypted``.
    """
    twin_id = resolve.asset_id_of(workspace, ref)
    if file is not None:
        item = attached.one(attached.of_twin(workspace, blobs, twin_id), ref, file)
        found = attached.lock_of(workspace, item)
        if found is None:
            raise _plain(f"the file {item['name']}", f"file attach {ref} FILE")
        return found
    known = {lock.name: lock for lock in locks.of_twin(workspace, twin_id) if lock.kind == "stream"}
    if stream in known:
        return known[stream]
    client = workspace.client
    plain = {
        str(record.creating_envelope(client.required(each).tx).get("name"))
        for each in client.assets_with("parent", twin_id)
    }
    if stream in plain:
        raise _plain(f"the stream {stream}", f"stream create {ref} NAME")
    near = names.near(str(stream), sorted(known))
    raise NotFoundError(
        f"{ref} has no stream {stream!r}",
        hint=f"did you mean {near}?" if near else f"twin stream list {ref}",
    )


def _plain(what: str, instead: str) -> UsageError:
    return UsageError(
        f"{what} is not encrypted: what stands on a ledger in the clear cannot be shredded",
        code="not_encrypted",
        hint=f"for what comes next: twin {instead} --encrypt",
    )


_RECALL = (
    "copies that others fetched, and those on nodes and in backups, cannot be recalled: anybody"
    " who holds a wrap and its key can still open them"
)


def shred(workspace: Workspace, blobs: Blobs, lock: Lock, stores: Stores | None = None) -> Shredded:
    """Erase the wraps of all epochs from this machine; in a dry run say which.

    Args:
        workspace: Rooms.
        blobs: Where they are erased.
        lock: What nobody shall open any more.
        stores: Where new wraps of private grants go; None: here only.

    Raises:
        ConfigError: ``cannot_write``; the audit log has what was begun.
    """
    history = locks.history(workspace, lock)
    cids = list(opening.cids_of(history))
    hidden = list(
        dict.fromkeys(
            made.wrap.cid
            for each in private.of_twin(workspace, lock.twin_id).values()
            for made in each.made
        )
    )
    trail.note(
        workspace,
        trail.SHREDDED,
        twin=lock.twin_id,
        stream=lock.name if lock.kind == locks.STREAM else None,
        kind=None if lock.kind == locks.STREAM else lock.kind,
        cid=None if lock.kind == locks.STREAM else lock.what,
        reason=None if lock.kind == locks.STREAM else f"the file {lock.name}",
        by="content shred",
    )
    if workspace.dry_run:
        erased = [cid for cid in cids if blobs.has(cid)]
        absent = [cid for cid in cids if cid not in erased]
        hidden = [cid for cid in hidden if blobs.has(cid)]
        erased += hidden
    else:
        erased, absent = files.shred(blobs, cids)
        # Of private grants nobody sees from outside what they open: all get new wraps, without it.
        hiding.renew(workspace, stores or Stores(blobs), lock.twin_id, shredded=lock.what)
        erased += files.shred(blobs, hidden)[0]
    return {
        "schema": "twin.shredded/1",
        "asset_id": lock.twin_id,
        "asset_name": resolve.asset_name(workspace, lock.twin_id),
        "kind": lock.kind,
        "id": lock.what,
        "name": lock.name,
        "epochs": len(history.epochs),
        "erased": erased,
        "absent": absent,
        "warnings": [_RECALL],
    }
