"""Create a stream: an asset that names the twin as its parent, signed by the twin's controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConflictError, LockedError
from twincli.model import record
from twincli.rules.authority import AUTHORISED, Topic
from twincli.services import resolve
from twincli.services.asset import create as _create
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.signers import keys_to_spend
from twincli.services.standing import Speakers, owners_now
from twincli.services.stream import streams
from twincli.services.tx.prepared import Prepared

if TYPE_CHECKING:
    from twincli.services.documents import CreatedStream
    from twincli.services.workspace import Workspace


def create(
    workspace: Workspace,
    ref: str,
    name: str,
    *,
    owner: str | None = None,
    writing: Writing = PLAIN,
    if_missing: bool = False,
) -> CreatedStream | Prepared:
    """Create a stream of a twin.

    Two processes of one owner that make the same stream at once make one.

    Args:
        workspace: Rooms.
        ref: The twin.
        name: The stream.
        owner: Who writes into it: an owner expression; None: the twin's owners.
        writing: W.
        if_missing: A stream that is there is success, ``"created": false``.

    Raises:
        ConflictError: ``exists``.
        LockedError: ``no_key``: no key here may say what streams the twin has.
        InvalidError: ``invalid_name``.
    """
    streams.check_name(name)
    twin_id = resolve.asset_id_of(workspace, ref)
    present = streams.find_or_none(workspace, twin_id, name)
    details = owner_of(workspace, twin_id, owner)
    if present is not None and present.standing == AUTHORISED:
        is_same = owner is None or present.owners == (details,)
        if not if_missing or not is_same:
            other = "" if is_same else " with another owner"
            raise ConflictError(
                f"{ref} has a stream {name} already{other}",
                code="exists",
                hint=f"twin stream show {ref} {name}",
            )
        return _document(workspace, ref, twin_id, name, None, present.asset_id)
    made = make(workspace, ref, twin_id, name, details, writing)
    if isinstance(made, Prepared):
        return made
    return _document(workspace, ref, twin_id, name, made, made["id"])


def owner_of(workspace: Workspace, twin_id: str, owner: str | None) -> dict[str, Any]:
    """Return the condition that is to hold a stream."""
    if owner is not None:
        return resolve.owner_details(workspace, owner)
    held = owners_now(workspace.client, twin_id)
    if len(held) != 1:
        raise ConflictError(
            "the twin is split among several owners, so somebody has to be named for the stream",
            code="several_outputs",
            hint="add --owner KEY",
        )
    return held[0]


def make(
    workspace: Workspace,
    ref: str,
    twin_id: str,
    name: str,
    details: dict[str, Any],
    writing: Writing = PLAIN,
) -> Any:
    """Write the CREATE of a stream; return the document of the asset, or ``Prepared``."""
    signed = workspace._replace(keys=_signers(workspace, ref, twin_id, name))
    wanted = Definition({}, kind=record.STREAM, parent=twin_id, title=name, details=details)
    token = writing.once or f"stream:{twin_id}:{name}"
    return _create.create(signed, None, wanted, writing._replace(once=token))


def _signers(workspace: Workspace, ref: str, twin_id: str, name: str) -> tuple[str, ...]:
    """Return the keys that may say that the twin has this stream."""
    speakers, now = Speakers(workspace.client), workspace.now()
    topic = Topic(record.STREAM, stream=name)

    def may(keys: list[str]) -> bool:
        return speakers.now(twin_id, keys, topic, now, now).standing == AUTHORISED

    held = owners_now(workspace.client, twin_id)
    if workspace.keys:
        if may([resolve.public_key_of(workspace, key) for key in workspace.keys]):
            return workspace.keys
    else:
        try:
            return tuple(info.name for info in keys_to_spend(workspace, held[:1], ref))
        except LockedError as error:
            if error.code not in {"no_key", "burned"}:
                raise
        for info in workspace.keystore.scan()[0]:
            if may([info.public_key]):
                return (info.name,)
    owners = "; ".join(resolve.owners_text(workspace, details) for details in held)
    who = " and ".join(workspace.keys) or "KEY"
    raise LockedError(
        f"{' and '.join(workspace.keys) or 'no key here'} may not make the stream {name} of {ref},"
        f" whose owner is {owners}",
        code="no_key",
        hint=f"its owner can make it, for others to write into:"
        f" twin stream create {ref} {name} --owner {who}",
    )


def _document(
    workspace: Workspace,
    ref: str,
    twin_id: str,
    name: str,
    made: Any,
    asset_id: str | None,
) -> CreatedStream:
    if made is None:
        assert asset_id is not None
        from twincli.services.asset import document

        made = {**document.show(workspace, asset_id), "signed_by": [], "warnings": []}
    return {
        "schema": "twin.stream-created/1",
        "asset_id": asset_id,
        "twin_id": twin_id,
        "twin": resolve.asset_name(workspace, twin_id) or ref,
        "stream": name,
        "ledger": workspace.client.ledger_id,
        "owner": made["owner"],
        "owners": [*made["owners"]],
        "transaction_id": made["transaction_id"],
        "height": made["height"],
        "committed_at": made["committed_at"],
        "created": made.get("created", False),
        "signed_by": [*made["signed_by"]],
        "warnings": [*made["warnings"]],
    }
