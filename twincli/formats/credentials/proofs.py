"""Whether a credential is what its issuer signed: proof, form, issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import base58, data_integrity, ed25519, multikey
from twincli.errors import InvalidError, UndeterminedError, shown
from twincli.model import credential as _credential
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

PASSED, FAILED, UNKNOWN = RESULTS = ("passed", "failed", "undetermined")

SIGNATURE, STRUCTURE, DATES, STATUS, ISSUER = CHECKS = (
    "signature",
    "structure",
    "dates",
    "status",
    "issuer",
)
"""All checks, in the order in which they are reported."""


class Check(NamedTuple):
    """One check of a credential.

    Attributes:
        check: One of ``CHECKS``.
        result: One of ``RESULTS``.
        message: Why, in words.
    """

    check: str
    result: str
    message: str


class Signed(NamedTuple):
    """What the proofs of a credential prove.

    Attributes:
        check: The check of the signature.
        keys: Base58 of the keys whose proofs hold.
        claimed: Base58 of the keys that the proofs name, whether they hold or not.
        proofs: The proofs.
    """

    check: Check
    keys: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    proofs: tuple[dict[str, Any], ...] = ()


def signed(document: dict[str, Any], *, quickly: bool = False) -> Signed:
    """Check the proofs of a credential: one has to hold, and none may be wrong.

    Args:
        document: The credential.
        quickly: Leave out what takes long, proofs over RDF graphs.
    """
    try:
        # Of a ledger it may be nested more deeply than a file can be.
        listed = _credential.proofs(_credential.checked(document))
    except InvalidError as error:
        return Signed(Check(SIGNATURE, FAILED, _short(error)))
    bare = {name: value for name, value in document.items() if name != "proof"}
    outcomes = [_outcome(bare, proof, quickly=quickly) for proof in listed]
    claimed = tuple(key for key in map(_key_of, listed) if key is not None)
    for result in (FAILED, PASSED):
        for found, message in outcomes:
            if found == result:
                keys = [
                    key
                    for (outcome, _), proof in zip(outcomes, listed, strict=True)
                    if outcome == PASSED and (key := _key_of(proof)) is not None
                ]
                return Signed(
                    Check(SIGNATURE, result, message), tuple(keys), claimed, tuple(listed)
                )
    return Signed(Check(SIGNATURE, UNKNOWN, outcomes[0][1]), (), claimed, tuple(listed))


def _key_of(proof: dict[str, Any]) -> str | None:
    method = proof.get("verificationMethod")
    key = data_integrity.key_of(method) if isinstance(method, str) else None
    return None if key is None else base58.encode_key(key)


def _outcome(document: dict[str, Any], proof: dict[str, Any], *, quickly: bool) -> tuple[str, str]:
    """Return the result for one proof, and why."""
    kind, suite, method = (proof.get(n) for n in ("type", "cryptosuite", "verificationMethod"))
    value = proof.get("proofValue")
    if kind != data_integrity.TYPE:
        return UNKNOWN, f"a proof of type {shown(kind)} cannot be checked"
    if suite not in data_integrity.SUITES:
        return UNKNOWN, (
            f"the cryptosuite {shown(suite)} is not one of {', '.join(data_integrity.SUITES)}"
        )
    if "previousProof" in proof:
        return UNKNOWN, "a proof that follows another one cannot be checked"
    if proof.get("proofPurpose") != data_integrity.PURPOSE:
        return FAILED, f"its purpose is {shown(proof.get('proofPurpose'))}, not an assertion"
    if not isinstance(method, str):
        return FAILED, "its verificationMethod is not a text"
    key = data_integrity.key_of(method)
    if key is None:
        if method.startswith("did:key:"):
            return FAILED, f"{shown(method)} is not the Ed25519 key of a did:key"
        return UNKNOWN, f"the key {shown(method)} cannot be looked up offline"
    signature = data_integrity.signature_of(value) if isinstance(value, str) else None
    if signature is None:
        return FAILED, "its proofValue is not a signature"
    if suite == data_integrity.RDFC and quickly:
        return UNKNOWN, "not checked in a listing"
    options = {name: found for name, found in proof.items() if name != "proofValue"}
    try:
        if suite == data_integrity.JCS:
            message = data_integrity.jcs_message(document, options)
        else:
            from twincli.formats.credentials import rdf

            message = rdf.message(document, options)
    except UndeterminedError as error:
        return UNKNOWN, error.message
    except InvalidError as error:
        return FAILED, _short(error)
    if message is None:
        return FAILED, "the contexts of the proof are not those of the credential"
    if not ed25519.verify(key, message, signature):
        return FAILED, "the signature does not match: something was changed, or another key signed"
    return PASSED, f"signed by did:key:{multikey.encode_ed25519(key)} with {suite}"


def _short(error: InvalidError) -> str:
    return error.message.removeprefix("not a credential: ")


def structure(document: dict[str, Any]) -> Check:
    """Check a credential against the data model."""
    faults = _credential.faults(document)
    if faults:
        return Check(STRUCTURE, FAILED, "; ".join(faults))
    version = "2.0" if document["@context"][0] == _credential.V2 else "1.1"
    return Check(STRUCTURE, PASSED, f"a credential of the data model {version}")


def issuer(document: dict[str, Any], found: Signed, trusted: Sequence[str] | None = None) -> Check:
    """Check whether the issuer is the one who signed, and one of those who are trusted.

    Args:
        document: The credential.
        found: From ``signed``.
        trusted: Base58 keys, DIDs and URLs of issuers; None: any.
    """
    claims = _credential.claims(document)
    if claims.declared_issuer is not None:
        return Check(
            ISSUER,
            FAILED,
            f"self-declared: who signed it names {shown(claims.declared_issuer)} as the issuer",
        )
    return signer(document, found, trusted)


def signer(document: dict[str, Any], found: Signed, trusted: Sequence[str] | None = None) -> Check:
    """Check whether the issuer is the one who signed, whomever else the credential names."""
    claims = _credential.claims(document)
    if claims.issuer is None:
        return Check(ISSUER, FAILED, "it names no issuer")
    keys = found.keys or found.claimed
    dids = {f"did:key:{multikey.encode_ed25519(base58.decode_key(key))}": key for key in keys}
    accepted = None if trusted is None else set(trusted)
    if claims.issuer in dids:
        if accepted is not None and not accepted & {claims.issuer, dids[claims.issuer]}:
            return Check(
                ISSUER, FAILED, f"{claims.issuer} is not one of the issuers that are accepted"
            )
        return Check(ISSUER, PASSED, f"{claims.issuer} issued and signed it")
    if claims.issuer.startswith("did:key:"):
        return Check(ISSUER, FAILED, f"its issuer {claims.issuer} did not sign it")
    for did, key in dids.items():
        if accepted is not None and accepted & {did, key}:
            return Check(ISSUER, PASSED, f"signed by {did}, which is accepted for {claims.issuer}")
    return Check(
        ISSUER,
        UNKNOWN,
        f"whether the key that signed it is {shown(claims.issuer)}'s cannot be looked up offline;"
        " if you know it: --issuer did:key:...",
    )


def is_right(document: dict[str, Any], *, quickly: bool = False) -> bool | None:
    """Say whether proof, form and signer of a credential are right; None: it could not be told."""
    found = signed(document, quickly=quickly)
    checks = (found.check, structure(document), signer(document, found))
    results = {check.result for check in checks}
    if FAILED in results:
        return False
    return None if UNKNOWN in results else True
