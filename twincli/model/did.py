"""Decentralised identifiers: reading them, and the W3C documents they resolve to.

Two methods are ours to answer, neither needs a registry: ``did:key:z6Mk...`` is an Ed25519 public
key, ``did:bdb:[<ledger>:]<64 hex>`` the asset whose CREATE transaction has that id, ``<ledger>``
being the first 16 hex digits of the ledger's id. Two older forms are understood: the tutorial's
``did:<64 hex>``, which has no method name and so is not a DID by the standard, and the ORM's
``did:id:<app>:<model>:<uuid>``.

Source: W3C DID Core 1.0; did:key 0.9 with Multikey; vectors in ``tests/vectors/did_core.json`` and
``did_key.json``.
"""

from __future__ import annotations

import re

from twincli.crypto import base58, multikey
from twincli.errors import InvalidError, shown
from twincli.model import times
from twincli.model.owners import BURN_ADDRESS
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Literal

    Kind = Literal["key", "asset", "tutorial", "orm", "other"]


CONTEXT = ("https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1")
CONTENT_TYPE = "application/did+ld+json"
LEDGER_DIGITS = 16

# Patterns are text: re compiles and keeps them when they are first used, not at start-up.
_IDCHAR = r"(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})"
_DID = rf"did:[a-z0-9]+:(?:{_IDCHAR}*:)*{_IDCHAR}+"
_PCHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_URL = rf"{_DID}(?:/{_PCHAR}*)*(?:\?(?:{_PCHAR}|[/?])*)?(?:\#(?:{_PCHAR}|[/?])*)?"
_ASSET = r"did:bdb:(?:([0-9a-f]{16}):)?([0-9a-f]{64})"
_TUTORIAL = r"did:([0-9a-f]{64})"
_MAX_LENGTH = 2048


class Did(NamedTuple):
    """What a DID names.

    Attributes:
        text: The DID as it was given.
        kind: ``key``, ``asset`` (did:bdb), ``tutorial`` (an asset too), ``orm``, ``other``.
        public_key: base58, of a ``key``.
        asset_id: 64 hex digits, of an ``asset`` or ``tutorial``.
        ledger: 16 hex digits, of an ``asset`` that names its ledger.
        orm_id: What the ORM stores in ``asset.data.id``, of an ``orm``.
    """

    text: str
    kind: Kind
    public_key: str | None = None
    asset_id: str | None = None
    ledger: str | None = None
    orm_id: str | None = None


def is_did(text: str) -> bool:
    """Say whether ``text`` is a DID by the syntax of DID Core. The tutorial's form is not."""
    return len(text) <= _MAX_LENGTH and re.fullmatch(_DID, text) is not None


def _is_url(text: str) -> bool:
    return len(text) <= _MAX_LENGTH and re.fullmatch(_URL, text) is not None


def parse(text: str) -> Did:
    """Return what a DID names.

    Raises:
        InvalidError: ``invalid_did``: not the syntax of a DID, or a did:key or did:bdb that
            names nothing.

    A DID URL with a fragment, as DID documents write their keys, names what its DID names; that of
    a did:key has to be the key itself, since other fragments are other keys.
    """
    did, hash_, fragment = text.partition("#")
    if hash_ and is_did(did) and _is_url(text):
        found = parse(did)
        if found.kind == "key" and fragment != did.removeprefix("did:key:"):
            raise _bad(text, "its fragment is not the key it names")
        return found
    tutorial = re.fullmatch(_TUTORIAL, text)
    if tutorial:
        return Did(text, "tutorial", asset_id=tutorial[1])
    if not is_did(text):
        if _is_url(text):
            raise _bad(text, "a DID has no path and no query")
        raise _bad(text, "it does not follow the syntax of DIDs")
    _, method, specific = text.split(":", 2)
    if method == "key":
        try:
            codec, key = multikey.decode(specific)
        except InvalidError as error:
            raise _bad(text, error.message) from error
        if codec == multikey.ED25519_PUBLIC:
            return Did(text, "key", public_key=base58.encode_key(key))
    elif method == "bdb":
        asset = re.fullmatch(_ASSET, text)
        if asset is None:
            raise _bad(
                text,
                "did:bdb: is followed by 64 lower-case hex digits, optionally preceded by"
                " 16 of a ledger and a colon",
            )
        return Did(text, "asset", asset_id=asset[2], ledger=asset[1])
    elif method == "id":
        return Did(text, "orm", orm_id=text.removeprefix("did:"))
    return Did(text, "other")


def key_did(public_key: str) -> str:
    """Return the did:key of a base58 public key.

    Raises:
        InvalidError: ``invalid_public_key``.
    """
    return "did:key:" + multikey.encode_ed25519(base58.decode_key(public_key))


def asset_did(asset_id: str, ledger: str | None = None) -> str:
    """Return the did:bdb of an asset.

    Args:
        asset_id: 64 hex digits.
        ledger: The first 16 hex digits of the ledger's id, or the whole id.

    Raises:
        InvalidError: ``invalid_did``: one of them has another form.
    """
    did = f"did:bdb:{ledger[:LEDGER_DIGITS]}:{asset_id}" if ledger else f"did:bdb:{asset_id}"
    parse(did)
    return did


def key_document(did: str) -> dict[str, Any]:
    """Return the DID document of an Ed25519 did:key.

    It has the signing key and, for key agreement, the X25519 key derived from it.

    Raises:
        InvalidError: ``invalid_did``: another DID; ``invalid_public_key``: not a curve point.
    """
    from twincli.crypto import x25519

    public_key = parse(did).public_key
    if public_key is None:
        raise _bad(did, "it is not the did:key of an Ed25519 key")
    raw = base58.decode_key(public_key)
    signing = _method(did, multikey.encode_ed25519(raw))
    agreement = _method(
        did, multikey.encode(multikey.X25519_PUBLIC, x25519.public_from_ed25519(raw))
    )
    return {
        "@context": list(CONTEXT),
        "id": did,
        "verificationMethod": [signing],
        "authentication": [signing["id"]],
        "assertionMethod": [signing["id"]],
        "capabilityInvocation": [signing["id"]],
        "capabilityDelegation": [signing["id"]],
        "keyAgreement": [agreement],
    }


def asset_document(
    did: str, *, owners: Sequence[Mapping[str, Any]], entity: str | None = None
) -> dict[str, Any]:
    """Return the DID document of an asset.

    Its controllers are the did:keys of every key in the present owners' conditions. DID Core has
    no word for "two of three", so the document cannot say how many must sign; the ledger does.

    Args:
        did: did:bdb, as it was asked for.
        owners: Condition details of the asset's unspent outputs.
        entity: base58 public key of the thing itself, if it has proved that it has the key.

    Raises:
        InvalidError: ``invalid_did``: not a did:bdb.
    """
    if parse(did).kind != "asset":
        raise _bad(did, "it is not a did:bdb")
    document: dict[str, Any] = {"@context": list(CONTEXT), "id": did}
    if is_burned(owners):
        return document
    controllers = [key_did(key) for key in _living_keys(owners)]
    if controllers:
        document["controller"] = controllers[0] if len(controllers) == 1 else controllers
    if entity is not None:
        entity_did = key_did(entity)
        method = _method(did, entity_did.removeprefix("did:key:"))
        document["alsoKnownAs"] = [entity_did]
        document["verificationMethod"] = [method]
        document["authentication"] = [method["id"]]
        document["assertionMethod"] = [method["id"]]
    return document


def is_burned(owners: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether all unspent outputs are paid to the burn address, which never signs."""
    return bool(owners) and not _living_keys(owners)


def resolution(
    document: dict[str, Any],
    *,
    canonical_id: str | None = None,
    created_ms: int | None = None,
    updated_ms: int | None = None,
    version_id: str | None = None,
    deactivated: bool = False,
) -> dict[str, Any]:
    """Return the result of resolving a DID, as DID Core lays it out.

    Args:
        document: The DID document.
        canonical_id: The DID that should be used instead, such as one that names the ledger.
        created_ms: Block time of the CREATE, Unix milliseconds; unknown on some networks.
        updated_ms: Block time of the latest transaction.
        version_id: Id of the latest transaction.
        deactivated: Whether the asset is burned.
    """
    metadata: dict[str, Any] = {}
    if created_ms is not None:
        metadata["created"] = _seconds(created_ms)
    if updated_ms is not None:
        metadata["updated"] = _seconds(updated_ms)
    if version_id is not None:
        metadata["versionId"] = version_id
    if deactivated:
        metadata["deactivated"] = True
    if canonical_id is not None:
        metadata["canonicalId"] = canonical_id
        if canonical_id != document["id"]:
            metadata["equivalentId"] = [canonical_id]
    return {
        "didDocument": document,
        "didResolutionMetadata": {"contentType": CONTENT_TYPE},
        "didDocumentMetadata": metadata,
    }


def failed_resolution(
    error: Literal["invalidDid", "notFound", "methodNotSupported"],
) -> dict[str, Any]:
    """Return the result of resolving a DID that could not be resolved."""
    return {
        "didDocument": None,
        "didResolutionMetadata": {"error": error},
        "didDocumentMetadata": {},
    }


def _method(controller: str, key: str) -> dict[str, Any]:
    return {
        "id": f"{controller}#{key}",
        "type": "Multikey",
        "controller": controller,
        "publicKeyMultibase": key,
    }


def _living_keys(owners: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the public keys in condition details, each once, without the burn address."""
    keys = dict.fromkeys(key for details in owners for key in _leaves(details))
    keys.pop(BURN_ADDRESS, None)
    return list(keys)


def _leaves(details: Mapping[str, Any]) -> Iterator[str]:
    if details["type"] == "ed25519-sha-256":
        yield details["public_key"]
    else:
        for part in details["subconditions"]:
            yield from _leaves(part)


def _seconds(time_ms: int) -> str:
    """Return Unix milliseconds as an XML date-time of whole seconds, as DID Core wants it."""
    return times.to_text(time_ms // 1000 * 1000).replace(".000Z", "Z")


def _bad(text: str, why: str) -> InvalidError:
    return InvalidError(f"{shown(text)} is not a DID: {why}", code="invalid_did")
