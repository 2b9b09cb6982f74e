"""Attach files to a twin: store and upload their content, then say so on the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import canonical
from twincli.crypto import cid as _cid
from twincli.crypto.digests import sha256
from twincli.errors import UsageError
from twincli.model import encryption, record
from twincli.rules.authority import AUTHORISED
from twincli.rules.data import check_data
from twincli.services import resolve
from twincli.services.asset import choose_outputs
from twincli.services.asset.attempt import Target
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.file import attached
from twincli.services.privacy import files, hiding, locks, sealing
from twincli.services.record.attachments import store, upload
from twincli.services.record.many import Thing, bulk_signer, said_before, say_many
from twincli.services.record.say import APPENDED, say
from twincli.services.tx.prepared import Prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twincli.services.documents import Attached, NewFile, Said
    from twincli.services.record.attachments import Brought, Stores
    from twincli.services.record.many import BulkSigner
    from twincli.services.workspace import Workspace


def attach(
    workspace: Workspace,
    stores: Stores,
    ref: str,
    brought: Sequence[Brought],
    details: attached.Details = attached.Details(),  # noqa: B008 - a value
    writing: Writing = PLAIN,
    *,
    profile: _cid.Profile = _cid.USUAL,
    encrypt: bool = False,
    before: Callable[[str], None] | None = None,
) -> Attached | Prepared:
    """Attach files to a twin.

    What the same signer has said of the same file before is not said again. Their content is
    durable here, and on the nodes, before the ledger names it.

    Args:
        workspace: Rooms.
        stores: Where content goes.
        ref: The twin.
        brought: The files.
        details: What is said of them.
        writing: W, without ``bare``; with several files a token is numbered.
        profile: How their CIDs are made.
        encrypt: Whether they are encrypted, each with an identity of its own, for those who hold
            the twin, and to whom they grant it; only the owner can attach such files.
        before: Told what should be known before anything is written.

    Raises:
        UsageError: ``--if-tip`` or ``--prepare`` with several files; see ``say``.
        ConfigError: ``cannot_read``, ``cannot_write``: nothing is on the ledger.
        TwinError: As ``say``.
    """
    details = details.checked()
    writing.check()
    if writing.bare:
        raise UsageError(
            "--bare leaves out the envelope, which names a file", hint="leave --bare out"
        )
    if encrypt and writing.once is not None:
        raise UsageError(
            "--once and --encrypt cannot be given together: what is encrypted is never the same",
            code="not_supported",
            hint="leave --once out; twin file list TWIN says what was attached",
        )
    if len(brought) != 1 and (writing.if_tip is not None or writing.prepare):
        raise UsageError("--if-tip and --prepare are for a single file")
    target = Target.find(workspace, ref, writing)
    warnings: list[str] = []
    if encrypt:
        bodies = _sealed(target, stores, brought, details, profile)
    else:
        bodies = _bodies(workspace, stores, brought, details, profile, warnings)
    if before is not None:
        for warning in warnings:
            before(warning)
    uploaded = upload(workspace, stores, [found["cid"] for found in bodies])
    things = _things(bodies, writing)
    known = said_before(target, record.FILE, things)
    new = [number for number, tx_id in enumerate(known) if tx_id is None]
    signer = bulk_signer(target) if len(new) > 1 and not encrypt else None
    said: Said | None = None
    if signer is not None:
        made = say_many(target, signer, record.FILE, [things[number] for number in new])
        for number, tx_id in zip(new, made, strict=not workspace.dry_run):
            known[number] = tx_id
    else:
        numbers = new or [0]  # what was said before is looked at again
        for number in numbers:
            one = writing._replace(once=things[number].once)
            done = say(
                workspace, ref, record.FILE, bodies[number], one, before=before, is_owners=encrypt
            )
            if isinstance(done, Prepared):
                return done
            said = done
            known[number] = said["transaction_id"]
    if encrypt:
        hiding.renew(workspace, stores, target.asset_id)
    return _document(target, bodies, known, set(new), uploaded, said, signer, warnings)


def _bodies(
    workspace: Workspace,
    stores: Stores,
    brought: Sequence[Brought],
    details: attached.Details,
    profile: _cid.Profile,
    warnings: list[str],
) -> list[dict[str, Any]]:
    """Store the files and return what is said of each, each once."""
    bodies: dict[bytes, dict[str, Any]] = {}
    for kept in store(workspace, stores, brought, profile, warnings):
        made = attached.body(kept.cid, kept.size, kept.name, kept.profile, details)
        check_data(None, {record.KEY: record.envelope(record.FILE, body=made)})
        bodies.setdefault(canonical.encode(made), made)
    return list(bodies.values())


def _sealed(
    target: Target,
    stores: Stores,
    brought: Sequence[Brought],
    details: attached.Details,
    profile: _cid.Profile,
) -> list[dict[str, Any]]:
    """Store files encrypted, and return what is said of each.

    Raises:
        LockedError: ``no_key``: only the owner says who reads what is the twin's.
    """
    workspace, ref, asset_id, _ = target
    choose_outputs.mine(target, workspace.client.unspent(asset_id))
    readers = locks.readers(workspace, asset_id, locks.topic_of(locks.FILE, ref))
    made = []
    for each in brought:
        epoch = sealing.begin(workspace, stores, readers)
        closed = files.sealed(each, epoch.recipient, stores.blobs.directory)
        (kept,) = store(workspace, stores, [closed], profile, [])
        body = attached.body(kept.cid, kept.size, kept.name, kept.profile, details)
        body[encryption.MEMBER] = encryption.member(epoch)
        check_data(None, {record.KEY: record.envelope(record.FILE, body=body)})
        made.append(body)
    return made


def _things(bodies: Sequence[dict[str, Any]], writing: Writing) -> list[Thing]:
    """Return each file with a once token: by itself that of what is said, so it is said once."""
    if writing.once is None:
        return [
            Thing(found, f"file:{sha256(canonical.encode(found)).hexdigest()[:32]}")
            for found in bodies
        ]
    if len(bodies) == 1:
        return [Thing(bodies[0], writing.once)]
    return [Thing(found, f"{writing.once}:{number}") for number, found in enumerate(bodies, 1)]


def _document(
    target: Target,
    bodies: Sequence[dict[str, Any]],
    known: Sequence[str | None],
    new: set[int],
    uploaded: list[str],
    said: Said | None,
    signer: BulkSigner | None,
    warnings: Sequence[str],
) -> Attached:
    workspace, _, asset_id, _ = target
    listed: list[NewFile] = [
        {
            **attached.of_body(stated),
            "transaction_id": known[number],
            "created": number in new,
        }
        for number, stated in enumerate(bodies)
    ]
    return {
        "schema": "twin.attached/1",
        "asset_id": asset_id,
        "asset_name": resolve.asset_name(workspace, asset_id),
        "ledger": workspace.client.ledger_id,
        "transaction_id": known[-1] if known else None,
        "form": APPENDED if said is None else said["form"],
        "standing": AUTHORISED if said is None else said["standing"],
        "created": len(new),
        "existing": len(bodies) - len(new),
        "files": listed,
        "signed_by": [signer.public_key] if signer else said["signers"] if said else [],
        "uploaded_to": uploaded,
        "warnings": [*warnings, *([] if said is None else said["warnings"])],
    }
