"""Signatures over files, useless as signatures of transactions.

The signed text is this, where the digits are the SHA-512 of the file::

    twin.signature/1
    sha512 cf83e1357eefb8bd...

A key that signs for a ledger must never sign bytes that somebody else chose: the 32 bytes of a
prepared file could be the digest of a transaction that gives the car away. This text has a first
line of its own and is longer than any digest. There is no raw form for the same reason; other
programs verify a signature over the text, as ``openssl pkeyutl -verify -rawin`` does.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from twincli import files
from twincli.crypto import base58, canonical, ed25519
from twincli.errors import InvalidError
from twincli.model.did import key_did
from twincli.services import resolve

if TYPE_CHECKING:
    from twincli.services.documents import Document, Signature, SignatureCheck
    from twincli.services.workspace import Workspace

SCHEMA = "twin.signature/1"
_FIELDS = {"schema", "public_key", "did", "digest", "signature"}
_PIECE = 1 << 20
_LONGEST_SIGNATURE = 100


def digest_of(file: IO[bytes]) -> str:
    """Return the SHA-512 of a file of any size, hex."""
    import hashlib

    hashed = hashlib.sha512()
    while piece := _piece(file):
        hashed.update(piece)
    return hashed.hexdigest()


def _piece(file: IO[bytes]) -> bytes:
    try:
        return file.read(_PIECE)
    except OSError as error:
        raise files.cannot("read", "the file", error) from error


def message_of(digest: str) -> bytes:
    """Return the bytes that are signed for a file with this digest."""
    return f"{SCHEMA}\nsha512 {digest}\n".encode()


def sign(workspace: Workspace, name: str, file: IO[bytes]) -> Signature:
    """Sign a file with a key, wherever the key is.

    A dry run signs nothing; the signature is null.

    Args:
        workspace: Rooms; its ``secrets`` give the passphrase or PIN if there is one.
        name: The key.
        file: The file to sign, read to its end.

    Returns:
        ``twin.signature/1``: ``public_key did digest signature``; ``digest`` is SHA-512 in hex,
        the signature base58.

    Raises:
        NotFoundError: There is no such key.
        LockedError: The passphrase is missing or wrong.
    """
    info = workspace.keystore.get(name)
    digest = digest_of(file)
    signature = None
    if not workspace.dry_run:
        signer = workspace.keystore.signer(name, workspace.secrets)
        signature = base58.encode(signer.sign(message_of(digest)))
    return {
        "schema": SCHEMA,
        "public_key": info.public_key,
        "did": key_did(info.public_key),
        "digest": digest,
        "signature": signature,
    }


def read(data: bytes) -> Document:
    """Return a ``twin.signature/1`` from its bytes.

    Raises:
        InvalidError: ``invalid_signature_file``.
    """
    try:
        document = canonical.decode(data)
    except InvalidError:
        document = None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise _malformed(f"it is not a {SCHEMA} document")
    for field in _FIELDS:
        if not isinstance(document.get(field), str):
            raise _malformed(f"{field} is missing or not text")
    try:
        base58.decode_key(document["public_key"])
    except InvalidError as error:
        raise _malformed(f"its public_key is {error.message}") from error
    if document["did"] != key_did(document["public_key"]):
        raise _malformed("its did is not that of its public_key")
    return document


def _malformed(why: str) -> InvalidError:
    return InvalidError(
        f"the signature cannot be read: {why}",
        code="invalid_signature_file",
        hint="twin keys sign NAME FILE -o FILE.sig.json makes one",
    )


def verify(
    workspace: Workspace, file: IO[bytes], signature: Document, by: str | None = None
) -> SignatureCheck:
    """Check whether a signature is valid, and whose it is.

    Args:
        workspace: Rooms: keys and names say who the signer is.
        file: The signed file, read to its end.
        signature: From ``read``.
        by: Its required signer: a name, a DID or a public key. None: anybody.

    Returns:
        ``twin.signature-check/1``: ``valid reason public_key did name by digest warnings``.
        ``reason`` is null, or ``hash_mismatch``: it is of another file, ``bad_signature``, or
        ``other_signer``; ``name`` the signer's local name or null; ``by`` the public key asked
        for.

    Raises:
        NotFoundError, InvalidError: ``by`` names nobody, or somebody without a key.
    """
    asked = None if by is None else resolve.public_key_of(workspace, by)
    public_key = signature["public_key"]
    digest = digest_of(file)
    reason = None
    if digest != signature["digest"]:
        reason = "hash_mismatch"
    elif not _is_right(public_key, signature["signature"], digest):
        reason = "bad_signature"
    elif asked is not None and asked != public_key:
        reason = "other_signer"
    warnings = []
    if asked is None and reason is None:
        warnings.append(
            "anybody can sign with a key of their own:"
            " --by NAME|DID|KEY says whose signature it must be"
        )
    return {
        "schema": "twin.signature-check/1",
        "valid": reason is None,
        "reason": reason,
        "public_key": public_key,
        "did": signature["did"],
        "name": resolve.name_of(workspace, public_key),
        "by": asked,
        "digest": digest,
        "warnings": warnings,
    }


def _is_right(public_key: str, signature: str, digest: str) -> bool:
    if len(signature) > _LONGEST_SIGNATURE:  # decoding takes the square of the length
        return False
    try:
        made = base58.decode(signature)
    except InvalidError:
        return False
    return ed25519.verify(base58.decode_key(public_key), message_of(digest), made)
