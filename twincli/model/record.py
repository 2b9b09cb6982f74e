"""The envelope: what twincli writes beside the user's data, under the one reserved key ``twin``.

On a CREATE it is ``asset.data.twin`` (``v kind name entity entity_proof parent about template
nonce``, and ``at`` when it was given), on a TRANSFER ``metadata.twin`` (``v kind at clock source
once corrects rebases body``). It is an object with an integer ``v``; any other ``twin`` is user
data. ``twincli/model/schemas`` has JSON Schemas of the kinds that are written.
"""

from __future__ import annotations

from twincli.crypto import base58, canonical, ed25519
from twincli.errors import InvalidError
from twincli.model import times
from twincli.values import Any

KEY = "twin"
VERSION = 1

ASSET = "asset"
IDENTITY = "identity"
TEMPLATE = "template"
STREAM = "stream"
STATEMENT = "statement"
APPEND = "append"
TRANSFER = "transfer"
BURN = "burn"
MIGRATE = "migrate"
GRANT = "grant"
REVOKE = "revoke"
LINK = "link"
FREEZE = "freeze"
UNFREEZE = "unfreeze"
FILE = "file"
CERTIFICATE = "certificate"

CREATING_KINDS = frozenset((ASSET, IDENTITY, TEMPLATE, STREAM, CERTIFICATE, STATEMENT))
"""Kinds of a CREATE that this version knows."""

RECORD_KINDS = frozenset(
    (
        *("event", "state", "stage", "maintenance", "reading", "chunk", FILE, LINK, GRANT),
        *(REVOKE, FREEZE, UNFREEZE, CERTIFICATE, "check", "run", "task"),
    )
)
"""Kinds of typed records: what they say is in the envelope's ``body``, the state is untouched."""

TRANSFERRING_KINDS = RECORD_KINDS | {APPEND, TRANSFER, BURN, MIGRATE}
"""Kinds of a TRANSFER that this version knows."""

BURNED_STATUS = {"status": "BURNED"}
"""What the JavaScript ORM writes when it burns; written here too, so that both read the same."""

_PROOF = b"twincli entity proof 1\n"
_PROOF_CHARACTERS = 88  # 64 bytes in base58


def envelope_of(document: Any) -> dict[str, Any] | None:
    """Return the envelope in ``asset.data`` or ``metadata``, or None."""
    if isinstance(document, dict):
        found = document.get(KEY)
        if isinstance(found, dict) and type(found.get("v")) is int:
            return found
    return None


def stated_ms(tx: dict[str, Any]) -> int | None:
    """Return when something happened as its signer states, in milliseconds, or None.

    A signer whose clock was known to be wrong states nothing.
    """
    envelope = envelope_of(tx["metadata"]) or {}
    if tx["operation"] == "CREATE":
        envelope = creating_envelope(tx) or envelope
    return claimed_ms(envelope)


def claimed_ms(envelope: dict[str, Any]) -> int | None:
    """Return when something happened as an envelope states, see `stated_ms`."""
    if "at" not in envelope or envelope.get("clock"):
        return None
    return times.parse_claim(envelope["at"])


def text(value: Any) -> str | None:
    """Return a stranger's statement if it is text, else None."""
    return value if isinstance(value, str) else None


def kind_of(document: Any) -> str | None:
    """Return the kind that an envelope states, None where it states none."""
    kind = (envelope_of(document) or {}).get("kind")
    return kind if isinstance(kind, str) else None


def without_envelope(document: dict[str, Any] | None) -> dict[str, Any]:
    """Return the user's part of ``asset.data`` or ``metadata``."""
    if not document:
        return {}
    if envelope_of(document) is None:
        return document
    rest = document.copy()
    del rest[KEY]
    return rest


def envelope(kind: str, **fields: Any) -> dict[str, Any]:
    """Return an envelope of ``kind`` with those ``fields`` that are not None."""
    made: dict[str, Any] = {"v": VERSION, "kind": kind}
    made.update({key: value for key, value in fields.items() if value is not None})
    return made


def creating_envelope(tx: dict[str, Any]) -> dict[str, Any]:
    """Return the envelope of a CREATE, or an empty object."""
    return envelope_of(tx["asset"].get("data")) or {}


def orm_model(data: Any) -> str | None:
    """Return the model of an asset written by the JavaScript ORM, or in its form, or None.

    Source: bigchaindb-orm 3.0.3: ``asset.data.id`` is ``id:<app>:<model>:<uuid>``.
    """
    stated = data.get("id") if isinstance(data, dict) else None
    parts = stated.split(":") if isinstance(stated, str) else []
    return parts[2] if len(parts) == 4 and parts[0] == "id" else None


def statements(data: Any) -> list[tuple[str, str]]:
    """Return what ``asset.data`` states that assets can be found by.

    Returns:
        Pairs of ``parent``, ``entity``, ``kind``, ``template``, ``about``, ``model``,
        ``registers`` (the id of a template that is registered here) and ``compiled`` (the CID of
        its bytes), of a statement or certificate ``nonce``, and a text.
    """
    found = envelope_of(data) or {}
    pairs = [
        (name, found[name])
        for name in ("parent", "entity", "kind", "template", "about")
        if isinstance(found.get(name), str)
    ]
    if found.get("kind") == TEMPLATE and isinstance(found.get("template"), str):
        pairs.append(("registers", found["template"]))
        pairs += _compiled(data)
    if found.get("kind") in (STATEMENT, CERTIFICATE) and isinstance(found.get("nonce"), str):
        pairs.append(("nonce", found["nonce"]))
    model = orm_model(data)
    return pairs if model is None else [*pairs, ("model", model)]


def _compiled(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a template is found by: the CID that twins pin, computed and not as stated."""
    from twincli.crypto import cid

    try:
        made = canonical.encode(without_envelope(data))
    except InvalidError:
        return []
    return [("compiled", cid.of(made).text)]


def once_nonce(token: str, signers: list[str]) -> str:
    """Return the nonce of a CREATE with a once token: equal everywhere, so the id is too.

    SHA-256 of the token and the signers' public keys, in hex.
    """
    from twincli.crypto.digests import sha256

    return sha256(canonical.encode({"once": token, "signers": sorted(signers)})).hexdigest()


def entity_message(data: dict[str, Any]) -> bytes:
    """Return what an entity's key signs: the facts of the CREATE that names it, without the proof.

    The nonce is among them, so a proof cannot be moved to another asset.
    """
    found = {key: value for key, value in data[KEY].items() if key != "entity_proof"}
    return _PROOF + canonical.encode({**data, KEY: found})


def entity_standing(data: dict[str, Any] | None) -> str | None:
    """Say how well an asset's entity key is known.

    Returns:
        ``proved`` when the key signed it, ``false_proof`` when the signature is wrong, ``claimed``
        without one, None without an entity.
    """
    found = envelope_of(data)
    if not found or data is None or not isinstance(found.get("entity"), str):
        return None
    proof = found.get("entity_proof")
    if proof is None:
        return "claimed"
    # Strangers write proofs of any length, and decoding takes the square of it.
    if not isinstance(proof, str) or len(proof) > _PROOF_CHARACTERS:
        return "false_proof"
    try:
        key, signature = base58.decode_key(found["entity"]), base58.decode(proof)
    except InvalidError:
        return "false_proof"
    good = ed25519.verify(key, entity_message(data), signature)
    return "proved" if good else "false_proof"
