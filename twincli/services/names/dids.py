"""DIDs: their subjects, and the W3C documents they resolve to.

A name means the asset of that name if there is one, because ``did new`` makes an identity that is
an asset; ``key:NAME`` means the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import conditions
from twincli.errors import NotFoundError
from twincli.model import did, owners, record, times
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twincli.services.documents import Did, DidItem, Dids, Resolution
    from twincli.services.resolve import PlannedKey
    from twincli.services.workspace import Workspace


class Subject(NamedTuple):
    """The subject of a reference.

    Attributes:
        did: The DID as given, or the DID of the named subject.
        asset_id: The id, for an asset on this ledger.
        public_key: base58, for a key.
    """

    did: str
    asset_id: str | None = None
    public_key: str | None = None


def subject(open_workspace: Callable[[], Workspace], ref: str) -> Subject:
    """Find the subject of a DID, a name or an id.

    Args:
        open_workspace: Opens ledger, keys and names; not called for a self-contained DID.
        ref: A DID; a local name, with or without ``key:`` or ``asset:``; an id or a prefix of one.

    Returns:
        The subject; a foreign DID has neither asset nor key.

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
            f"there is no asset, key or named party {ref!r}",
            hint=_meant(missing) or _meant(error) or "to see those known here: twin did list",
        ) from error


def _meant(error: NotFoundError) -> str | None:
    return error.hint if error.hint is not None and error.hint.startswith("did you mean") else None


def _of_did(open_workspace: Callable[[], Workspace], text: str) -> Subject:
    parsed = did.parse(text)
    text = parsed.text
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


def resolve_did(open_workspace: Callable[[], Workspace], ref: str) -> Resolution:
    """Resolve a DID, with the result as W3C DID Resolution defines it.

    Args:
        open_workspace: As ``subject``; a did:key needs no home and no ledger.
        ref: As ``subject``.

    Returns:
        ``twin.resolution/1``: ``didDocument didResolutionMetadata didDocumentMetadata``. A DID of
        a foreign method has the error ``methodNotSupported`` there.

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
    return {
        "schema": "twin.resolution/1",
        "didDocument": result["didDocument"],
        "didResolutionMetadata": result["didResolutionMetadata"],
        "didDocumentMetadata": result["didDocumentMetadata"],
    }


def _asset_resolution(workspace: Workspace, text: str, asset_id: str) -> dict[str, Any]:
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
    """Return the condition details of the current owners, one for each unspent output."""
    return [item.output["condition"]["details"] for item in workspace.client.unspent(asset_id)]


def _proved_entity(create: dict[str, Any]) -> str | None:
    data = create["asset"]["data"]
    if record.entity_standing(data) != "proved":
        return None
    return str(record.creating_envelope(create)["entity"])


# --- For people --------------------------------------------------------------------------------


def show(open_workspace: Callable[[], Workspace], ref: str) -> Did:
    """Return what is known of the subject of a DID.

    Args:
        open_workspace: As ``subject``.
        ref: As ``subject``.

    Returns:
        ``twin.did/1``; for a ``foreign`` DID only its name.

    Raises:
        InvalidError, NotFoundError, ConflictError: As ``subject``.
    """
    found = subject(open_workspace, ref)
    workspace = open_workspace()
    if found.asset_id is not None:
        return _asset(workspace, found.did, found.asset_id)
    if found.public_key is not None:
        return _key(workspace, found.did, found.public_key)
    named = workspace.book.names_of_party(found.did)
    return {
        "schema": "twin.did/1",
        "did": found.did,
        "kind": "foreign",
        "name": named[0] if named else None,
    }


def _key(workspace: Workspace, text: str, public_key: str) -> Did:
    keys = workspace.keystore.scan()[0]
    mine = [info.name for info in keys if info.public_key == public_key]
    named = mine or workspace.book.names_of_party(public_key)
    return {
        "schema": "twin.did/1",
        "did": text,
        "kind": "key",
        "name": named[0] if named else None,
        "public_key": public_key,
        "mine": bool(mine),
    }


def _asset(workspace: Workspace, text: str, asset_id: str) -> Did:
    from twincli.services import resolve

    client = workspace.client
    first, last = client.required(asset_id), client.last(asset_id)
    assert last is not None
    envelope = record.creating_envelope(first.tx)
    details = _details(workspace, asset_id)
    keys = _keys(details)
    return {
        "schema": "twin.did/1",
        "did": text,
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


def list_dids(workspace: Workspace) -> Dids:
    """Return identities, keys and foreign DIDs, mine and those I have named; mine first.

    Returns:
        ``twin.dids/1``; each is an ``identity`` (in commit order), a ``key`` or ``foreign``.
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


def _identities(workspace: Workspace) -> list[DidItem]:
    from twincli.services import resolve

    client = workspace.client
    keys = {info.public_key for info in workspace.keystore.scan()[0]}
    named = resolve.asset_names(workspace)
    found: list[DidItem] = []
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


def _entry(text: str, kind: str, name: str | None, public_key: str | None = None) -> DidItem:
    return {
        "did": text,
        "kind": kind,
        "name": name,
        "public_key": public_key,
        "asset_id": None,
        "deactivated": False,
    }


# --- An identity whose key is not made yet -------------------------------------------------------


def planned_key(workspace: Workspace, name: str) -> PlannedKey:
    """Return a placeholder key to try a CREATE with before the real key is made."""
    from twincli.crypto.ed25519 import KeyPair
    from twincli.services.resolve import PlannedKey

    return PlannedKey(name, KeyPair.from_seed(workspace.random(32)).public_key)


def without_key(document: Any, planned: PlannedKey) -> Any:
    """Return a document with null in place of a planned key."""
    if isinstance(document, dict):
        return {name: without_key(item, planned) for name, item in document.items()}
    if isinstance(document, list):
        return [without_key(item, planned) for item in document]
    return None if document == planned.public_key else document
