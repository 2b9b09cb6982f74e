"""DIDs: who or what stands behind one, and the W3C document it resolves to.

A name means the asset of that name if there is one, since ``did new`` makes an identity that is
an asset; ``key:NAME`` means the key.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from twincli.crypto import conditions
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import NotFoundError
from twincli.keystore.keyfile import KeyInfo
from twincli.keystore.store import KeyStore
from twincli.model import did, owners, record, times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twincli.errors import TwinError
    from twincli.services.documents import Document
    from twincli.services.workspace import Workspace


class Subject(NamedTuple):
    """What a reference means.

    Attributes:
        did: The DID as it was given, or the one of what the name stands for.
        asset_id: Of an asset on this ledger.
        public_key: base58, of a key.
    """

    did: str
    asset_id: str | None = None
    public_key: str | None = None


def subject(open_workspace: Callable[[], Workspace], ref: str) -> Subject:
    """Find what a DID, a name or an id means.

    Args:
        open_workspace: Opens ledger, keys and names; not called for a DID that says it all.
        ref: A DID; a name of mine, ``key:`` or ``asset:`` before it; an id or a prefix of one.

    Returns:
        A foreign DID has neither asset nor key.

    Raises:
        InvalidError: ``invalid_did``.
        NotFoundError: ``not_found``.
        ConflictError: ``ambiguous``.
    """
    if ref.startswith("did:"):
        return _of_did(open_workspace, ref)
    from twincli.services import resolve

    workspace = open_workspace()
    if not ref.startswith("key:"):
        try:
            return _of_asset(workspace, resolve.asset_id_of(workspace, ref))
        except NotFoundError as error:
            if ref.startswith("asset:"):
                raise
            missing = error
    if ref.startswith("key:"):
        return _of_key(resolve.public_key_of(workspace, ref))
    foreign = workspace.book.party(ref)
    if foreign is not None and foreign.startswith("did:"):
        return _of_did(open_workspace, foreign)
    try:
        return _of_key(resolve.public_key_of(workspace, ref))
    except NotFoundError as error:
        raise NotFoundError(
            f"there is neither an asset nor a key nor a named party {ref!r}",
            hint=_meant(missing) or _meant(error) or "twin did list shows those of mine",
        ) from error


def _meant(error: NotFoundError) -> str | None:
    return error.hint if error.hint is not None and error.hint.startswith("did you mean") else None


def _of_did(open_workspace: Callable[[], Workspace], text: str) -> Subject:
    parsed = did.parse(text)
    if parsed.public_key is not None:
        return Subject(text, public_key=parsed.public_key)
    if parsed.kind == "other":
        return Subject(text)
    from twincli.services import resolve

    workspace = open_workspace()
    asset_id = resolve.asset_id_of(workspace, text)
    if parsed.kind == "asset":
        return Subject(text, asset_id=asset_id)
    return _of_asset(workspace, asset_id)  # older forms have no DID document of their own


def _of_asset(workspace: Workspace, asset_id: str) -> Subject:
    return Subject(did.asset_did(asset_id, workspace.client.ledger_id), asset_id=asset_id)


def _of_key(public_key: str) -> Subject:
    return Subject(did.key_did(public_key), public_key=public_key)


# --- Resolution --------------------------------------------------------------------------------


def resolve_did(open_workspace: Callable[[], Workspace], ref: str) -> Document:
    """Resolve a DID, as W3C DID Resolution lays the result out.

    Args:
        open_workspace: As ``subject``; a did:key needs no home and no ledger.
        ref: As ``subject``.

    Returns:
        ``twin.resolution/1``: ``didDocument didResolutionMetadata didDocumentMetadata``. A DID of
        a method that is not ours gives the error ``methodNotSupported`` there.

    Raises:
        InvalidError, NotFoundError, ConflictError: As ``subject``.
    """
    found = subject(open_workspace, ref)
    if found.public_key is not None:
        result = did.resolution(did.key_document(found.did))
    elif found.asset_id is not None:
        result = _asset_resolution(open_workspace(), found.did, found.asset_id)
    else:
        result = did.failed_resolution("methodNotSupported")
    return {"schema": "twin.resolution/1", **result}


def _asset_resolution(workspace: Workspace, text: str, asset_id: str) -> Document:
    client = workspace.client
    first, last = client.required(asset_id), client.last(asset_id)
    assert last is not None
    details = _details(workspace, asset_id)
    return did.resolution(
        did.asset_document(text, owners=details, entity=_proved_entity(first.tx)),
        canonical_id=did.asset_did(asset_id, client.ledger_id),
        created_ms=first.time_ms,
        updated_ms=last.time_ms,
        version_id=last.tx["id"],
        deactivated=did.is_burned(details),
    )


def _details(workspace: Workspace, asset_id: str) -> list[dict[str, Any]]:
    """Return the condition details of the present owners, one an unspent output."""
    return [item.output["condition"]["details"] for item in workspace.client.unspent(asset_id)]


def _proved_entity(create: dict[str, Any]) -> str | None:
    data = create["asset"]["data"]
    if record.entity_standing(data) != "proved":
        return None
    return str(record.creating_envelope(create)["entity"])


# --- For people --------------------------------------------------------------------------------


def show(open_workspace: Callable[[], Workspace], ref: str) -> Document:
    """Tell who or what stands behind a DID.

    Args:
        open_workspace: As ``subject``.
        ref: As ``subject``.

    Returns:
        ``twin.did/1``: ``did kind name``, then of a ``key``: ``public_key mine``; of an
        ``identity`` or other asset: ``asset_id ledger title owners owner_names controllers
        entity entity_standing created updated deactivated``; of a ``foreign`` one nothing more.

    Raises:
        InvalidError, NotFoundError, ConflictError: As ``subject``.
    """
    found = subject(open_workspace, ref)
    workspace = open_workspace()
    document: Document = {"schema": "twin.did/1", "did": found.did}
    if found.asset_id is not None:
        return {**document, **_asset(workspace, found.asset_id)}
    if found.public_key is not None:
        return {**document, **_key(workspace, found.public_key)}
    named = workspace.book.names_of_party(found.did)
    return {**document, "kind": "foreign", "name": named[0] if named else None}


def _key(workspace: Workspace, public_key: str) -> Document:
    keys = workspace.keystore.scan()[0]
    mine = [info.name for info in keys if info.public_key == public_key]
    named = mine or workspace.book.names_of_party(public_key)
    return {
        "kind": "key",
        "name": named[0] if named else None,
        "public_key": public_key,
        "mine": bool(mine),
    }


def _asset(workspace: Workspace, asset_id: str) -> Document:
    from twincli.services import resolve

    client = workspace.client
    first, last = client.required(asset_id), client.last(asset_id)
    assert last is not None
    envelope = record.creating_envelope(first.tx)
    details = _details(workspace, asset_id)
    keys = _keys(details)
    return {
        "kind": resolve.asset_kind(first.tx) or record.ASSET,
        "name": resolve.asset_name(workspace, asset_id),
        "asset_id": asset_id,
        "ledger": client.ledger_id,
        "title": record.text(envelope.get("name")),
        "owners": keys,
        "owner_names": resolve.names_of(workspace, keys),
        "controllers": [did.key_did(key) for key in keys if key != owners.BURN_ADDRESS],
        "entity": record.text(envelope.get("entity")),
        "entity_standing": record.entity_standing(first.tx["asset"]["data"]),
        "created": times.told(first.time_ms),
        "updated": times.told(last.time_ms),
        "deactivated": did.is_burned(details),
    }


def _keys(details: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for one in details for key in conditions.leaf_keys(one)))


def list_dids(workspace: Workspace) -> Document:
    """Return my identities and those I have named, and keys, mine first.

    Returns:
        ``twin.dids/1`` with ``dids``: ``did kind name public_key asset_id deactivated``; of kind
        ``identity`` (in commit order), ``key`` or ``foreign``.
    """
    found = _identities(workspace)
    for info in workspace.keystore.scan()[0]:
        found.append(_entry(did.key_did(info.public_key), "key", info.name, info.public_key))
    for party in workspace.book.list_parties():
        if party.value.startswith("did:"):
            found.append(_entry(party.value, "foreign", party.name))
        else:
            found.append(_entry(did.key_did(party.value), "key", party.name, party.value))
    return {"schema": "twin.dids/1", "dids": found}


def _identities(workspace: Workspace) -> list[Document]:
    client = workspace.client
    keys = {info.public_key for info in workspace.keystore.scan()[0]}
    named: dict[str, str] = {}
    for entry in workspace.book.list_assets(client.ledger_id):
        named.setdefault(entry.asset_id, entry.name)
    found = []
    for asset_id in client.assets_with("kind", record.IDENTITY):
        details = _details(workspace, asset_id)
        if asset_id not in named and not keys.intersection(_keys(details)):
            continue
        found.append(
            {
                **_entry(
                    did.asset_did(asset_id, client.ledger_id),
                    record.IDENTITY,
                    named.get(asset_id),
                ),
                "asset_id": asset_id,
                "deactivated": did.is_burned(details),
            }
        )
    return found


def _entry(text: str, kind: str, name: str | None, public_key: str | None = None) -> Document:
    return {
        "did": text,
        "kind": kind,
        "name": name,
        "public_key": public_key,
        "asset_id": None,
        "deactivated": False,
    }


# --- An identity whose key is still to be made ---------------------------------------------------


class _PlannedKeys(KeyStore):
    """The key files, and one key more that is in none of them."""

    def __init__(self, store: KeyStore, name: str) -> None:
        super().__init__(store.directory)
        self.planned = KeyInfo(
            name,
            KeyPair.from_seed(os.urandom(32)).public_key,
            created="9999",  # the newest, so that it is nobody's default
            passphrase=False,
            rule="random",
            path=None,
            has_mnemonic=False,
        )

    def get(self, name: str) -> KeyInfo:
        return (
            self.planned if name.casefold() == self.planned.name.casefold() else super().get(name)
        )

    def scan(self) -> tuple[list[KeyInfo], list[TwinError]]:
        infos, faults = super().scan()
        return [*infos, self.planned], faults


def with_planned_key(workspace: Workspace, name: str) -> Workspace:
    """Return the workspace as it will be with a new key of that name; nothing can be written."""
    return workspace._replace(keystore=_PlannedKeys(workspace.keystore, name), dry_run=True)


def without_planned_key(document: Document, workspace: Workspace) -> Document:
    """Return what a dry run gave with null for the key that does not exist."""
    assert isinstance(workspace.keystore, _PlannedKeys)
    public_key = workspace.keystore.planned.public_key

    def known(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: known(item) for name, item in value.items()}
        if isinstance(value, list):
            return [known(item) for item in value]
        return None if value == public_key else value

    found: Document = known(document)
    return found
