"""Create a stream: an asset that names the twin as its parent, signed by the twin's controller."""

from __future__ import annotations

from twincli.content import memory
from twincli.errors import ConflictError, LockedError, UsageError, shown
from twincli.model import did, encryption, reading, record
from twincli.rules.authority import AUTHORISED, Topic
from twincli.services import resolve
from twincli.services.asset import create as _create
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.privacy import hiding, locks, sealing
from twincli.services.signers import keys_to_spend
from twincli.services.standing import Speakers, owners_now
from twincli.services.stream import streams
from twincli.services.tx.prepared import Prepared
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twincli.services.documents import CreatedStream
    from twincli.services.record.attachments import Stores
    from twincli.services.stream.streams import Stream
    from twincli.services.workspace import Workspace


def create(
    workspace: Workspace,
    ref: str,
    name: str,
    *,
    owner: str | None = None,
    continues: str | None = None,
    sources: Sequence[str] = (),
    encrypt: Stores | None = None,
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
        continues: The stream of the same twin whose life it takes up: its name or id. What that
            one holds when this one is made belongs to this one, too.
        sources: Each ``NAME=KEY``: readings of the source count only if the key signs them.
        encrypt: Where what opens it goes, for a stream that is encrypted: its readings are open to
            those who hold the twin, and to whom they grant it.
        writing: W.
        if_missing: A stream that is there is success, ``"created": false``.

    Raises:
        ConflictError: ``exists``.
        LockedError: ``no_key``: no key here may say what streams the twin has.
        NotFoundError: ``not_found``: there is no stream to continue.
        InvalidError: ``invalid_name``.
        UsageError: A source is malformed.
    """
    streams.check_name(name)
    twin_id = resolve.asset_id_of(workspace, ref)
    present = streams.find_or_none(workspace, twin_id, name)
    details = owner_of(workspace, twin_id, owner)
    bound = _bound(workspace, sources)
    older = None if continues is None else _older(workspace, ref, twin_id, name, continues)
    if present is not None and present.standing == AUTHORISED:
        is_same = (
            (owner is None or present.owners == (details,))
            and (not bound or dict(present.sources) == bound)
            and (encrypt is None or present.is_encrypted)
        )
        if older is not None and present.asset_id == older.asset_id:
            # It continues itself under its name; said again, not once more.
            is_there = if_missing and is_same and present.continues is not None
        else:
            is_same = is_same and (older is None or present.continues == older.asset_id)
            if not if_missing or not is_same:
                other = "" if is_same else ", which is another one"
                raise ConflictError(
                    f"{ref} has a stream {name} already{other}",
                    code="exists",
                    hint=f"twin stream show {ref} {name}",
                )
            is_there = True
        if is_there:
            return _document(workspace, ref, twin_id, name, None, present.asset_id)
    if older is not None and older.is_encrypted and encrypt is None:
        raise UsageError(
            f"the stream {older.name} is encrypted, and one that continues it in the clear is not"
            " made by accident",
            hint="add --encrypt, or leave --continues out",
        )
    stated: dict[str, Any] = {}
    if encrypt is not None:
        memory.check()
        topic = locks.topic_of(locks.STREAM, name)
        epoch = sealing.begin(workspace, encrypt, locks.readers(workspace, twin_id, topic))
        stated[encryption.MEMBER] = encryption.member(epoch)
    if older is not None:
        stated["continues"] = older.asset_id
    if bound:
        stated["sources"] = {source: did.key_did(key) for source, key in bound.items()}
    made = make(workspace, ref, twin_id, name, details, writing, stated)
    if isinstance(made, Prepared):
        return made
    if encrypt is not None:
        hiding.renew(workspace, encrypt, twin_id)
    return _document(workspace, ref, twin_id, name, made, made["id"])


def _bound(workspace: Workspace, sources: Sequence[str]) -> dict[str, str]:
    """Return the public key of each source."""
    found: dict[str, str] = {}
    for text in sources:
        source, mark, key = text.rpartition("=")
        if not mark or not source or not key or len(source) > reading.MAX_SOURCE:
            raise UsageError(
                f"--source {shown(text)} does not say a source and its key",
                hint="such as --source gps-1=tracker",
            )
        if source in found:
            raise UsageError(f"--source {shown(source)} is given twice")
        found[source] = resolve.public_key_of(workspace, key)
    if len(found) > streams.MAX_SOURCES:
        raise UsageError(f"a stream binds at most {streams.MAX_SOURCES} sources")
    return found


def _older(workspace: Workspace, ref: str, twin_id: str, name: str, text: str) -> Stream:
    """Return the stream that is to be continued."""
    known = streams.of_twin(workspace, twin_id)
    older = next((each for each in known if each.asset_id == text), None)
    older = older or streams.find(workspace, ref, text)
    if older.standing != AUTHORISED:
        raise LockedError(
            f"the stream {text} of {ref} is {older.standing.replace('_', ' ')}, so nothing"
            " continues it",
            code="no_key",
            hint=f"twin stream list {ref}",
        )
    for each in known:
        if each.continues == older.asset_id and each.standing == AUTHORISED and each.name != name:
            raise ConflictError(
                f"the stream {each.name} continues {text} already",
                code="exists",
                hint=f"continue that one: --continues {each.name}",
            )
    return older


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
    stated: Mapping[str, Any] | None = None,
) -> Any:
    """Write the CREATE of a stream; return the document of the asset, or ``Prepared``."""
    signed = workspace._replace(keys=_signers(workspace, ref, twin_id, name))
    stated = stated or {}
    wanted = Definition(
        {}, kind=record.STREAM, parent=twin_id, title=name, details=details, stated=stated
    )
    token = writing.once or ":".join(
        ("stream", twin_id, name, *([stated["continues"]] if "continues" in stated else []))
    )
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
