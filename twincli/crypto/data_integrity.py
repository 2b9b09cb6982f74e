"""Data Integrity proofs: ``eddsa-jcs-2022`` made and checked, of ``eddsa-rdfc-2022`` the hashes.

A proof signs SHA-256 of its own options (all but ``proofValue``) and SHA-256 of the document
without its proof, one after the other. The two cryptosuites differ in the bytes that are hashed:
JCS (RFC 8785), or the canonical form of the RDF graph, which ``formats/credentials`` makes.

Source: W3C Data Integrity EdDSA Cryptosuites 1.0; vectors in
``tests/vectors/vc_data_integrity.json``.
"""

from __future__ import annotations

from twincli.crypto import base58, ed25519, multikey
from twincli.crypto.digests import sha256
from twincli.errors import ConfigError, InvalidError
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twincli.crypto.ed25519 import Signer

JCS = "eddsa-jcs-2022"
RDFC = "eddsa-rdfc-2022"
SUITES = (JCS, RDFC)

TYPE = "DataIntegrityProof"
PURPOSE = "assertionMethod"

_METHOD = "did:key:"
_LONGEST = 128
"""Characters of a signature or a key in multibase at most; decoding takes the square of it."""


def canonical(value: Any) -> bytes:
    """Return the JCS form (RFC 8785) of a JSON value that is not nested deeply.

    Raises:
        InvalidError: ``unencodable``: a number that a double does not hold exactly, half of a
            surrogate pair.
        ConfigError: ``missing_extra``.
    """
    try:
        import rfc8785
    except ImportError as error:
        raise missing_extra("rfc8785") from error
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InvalidError(
            "it holds a number or a text that has no canonical form", code="unencodable"
        ) from error


def missing_extra(package: str) -> ConfigError:
    """Return the error for an optional package that is missing."""
    return ConfigError(
        f"certificates need an extra package, {package}",
        code="missing_extra",
        hint='pip install "twincli[records]"',
    )


def method_of(public_key: str) -> str:
    """Return the verification method of a base58 key: its did:key with itself as the fragment."""
    text = multikey.encode_ed25519(base58.decode_key(public_key))
    return f"{_METHOD}{text}#{text}"


def key_of(method: str) -> bytes | None:
    """Return the Ed25519 key of a verification method, None where it is not that of a did:key."""
    did, _, fragment = method.partition("#")
    text = did.removeprefix(_METHOD)
    if len(text) > _LONGEST or not did.startswith(_METHOD) or fragment != text:
        return None
    try:
        codec, key = multikey.decode(text)
    except InvalidError:
        return None
    return key if codec == multikey.ED25519_PUBLIC else None


def sign(document: dict[str, Any], signer: Signer, created: str) -> dict[str, Any]:
    """Return a document with an ``eddsa-jcs-2022`` proof.

    Args:
        document: Without a proof.
        signer: Whose signature it gets.
        created: When, in RFC 3339.

    Raises:
        InvalidError: ``unencodable``.
        ConfigError: ``missing_extra``.
    """
    options: dict[str, Any] = {
        "type": TYPE,
        "cryptosuite": JCS,
        "created": created,
        "verificationMethod": method_of(signer.public_key),
        "proofPurpose": PURPOSE,
    }
    if "@context" in document:
        options["@context"] = document["@context"]
    signature = signer.sign(hashed(canonical(options), canonical(document)))
    return {
        **document,
        "proof": {**options, "proofValue": multikey.encode_multibase(signature)},
    }


def jcs_message(document: dict[str, Any], options: dict[str, Any]) -> bytes | None:
    """Return what an ``eddsa-jcs-2022`` proof signs; None: its contexts are not the document's.

    Args:
        document: Without the proof.
        options: The proof without its value.

    Raises:
        InvalidError: ``unencodable``.
        ConfigError: ``missing_extra``.
    """
    if "@context" in options:
        mine, theirs = options["@context"], document.get("@context")
        listed = theirs if isinstance(theirs, list) else [theirs]
        wanted = mine if isinstance(mine, list) else [mine]
        if listed[: len(wanted)] != wanted:
            return None
        document = {**document, "@context": mine}
    return hashed(canonical(options), canonical(document))


def hashed(options: bytes, document: bytes) -> bytes:
    """Return what is signed, of the canonical bytes of a proof's options and of a document."""
    return sha256(options).digest() + sha256(document).digest()


def signature_of(value: str) -> bytes | None:
    """Return the 64 bytes of a ``proofValue``, None where it is not a signature in base58."""
    if len(value) > _LONGEST:
        return None
    try:
        found = multikey.decode_multibase(value)
    except InvalidError:
        return None
    return found if len(found) == ed25519.SIGNATURE_BYTES else None
