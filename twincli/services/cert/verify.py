"""Verify a credential: all checks at once, the signature first, with or without a ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import base58
from twincli.errors import InvalidError, NotFoundError, UnreachableError
from twincli.formats.credentials import proofs
from twincli.formats.credentials.proofs import DATES, FAILED, PASSED, STATUS, UNKNOWN, Check
from twincli.model import credential as _credential
from twincli.model import did, times
from twincli.rules import attested
from twincli.services import resolve
from twincli.services.cert import certificates, lists

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.formats.credentials.proofs import Signed
    from twincli.model.credential import Claims
    from twincli.rules.attested import Certificate
    from twincli.services.cert.lists import Fetch
    from twincli.services.documents import VerifiedCertificate
    from twincli.services.workspace import Workspace


def verify(
    document: dict[str, Any],
    fetch: Fetch,
    now_ms: int,
    workspace: Workspace | None = None,
    accepted: Sequence[str] = (),
) -> VerifiedCertificate:
    """Check a credential in every way.

    Args:
        document: From ``credential.read``.
        fetch: Gets status lists.
        now_ms: The present.
        workspace: Names and the ledger that may hold its revocation, where they are at hand.
        accepted: Issuers that are accepted: names, DIDs, keys, URLs; empty: those that the template
            of the twin names, any where it names none.

    Returns:
        ``twin.verified-certificate/1``; ``valid`` is null where it could not be told.

    Raises:
        ConfigError: ``missing_extra``.
        NotFoundError: An accepted issuer is a name that is not known.
    """
    claims = _credential.claims(document)
    found = proofs.signed(document)
    held, issuers, away = None, _issuers(workspace, accepted), None
    if workspace is not None:
        try:
            asset_id = _twin(workspace, claims)
            if asset_id is not None:
                held = _held(workspace, asset_id, document, claims)
                issuers = issuers or certificates.trusted_issuers(workspace, asset_id)
        except UnreachableError as error:
            away = error.message
    checks = [
        found.check,
        proofs.structure(document),
        dates(claims, found, now_ms),
        status(document, held, fetch, now_ms, away),
        proofs.issuer(document, found, issuers or None),
    ]
    form = None if held is None else held.form
    if form == attested.SELF_DECLARED and checks[-1].result != FAILED:
        why = f"self-declared: an owner of the thing names {claims.issuer_name!r} as the issuer"
        checks[-1] = checks[-1]._replace(result=FAILED, message=why)
    results = {check.result for check in checks}
    valid = False if FAILED in results else None if UNKNOWN in results else True
    return {
        "schema": "twin.verified-certificate/1",
        "valid": valid,
        "status": _word(checks, claims, now_ms),
        "checks": [certificates.told(check) for check in checks],
        "number": claims.number,
        "type": claims.topic,
        "standard": claims.standard,
        "form": form or (attested.SELF_DECLARED if claims.declared_issuer else None),
        "issuer": claims.issuer,
        "issuer_name": claims.declared_issuer or claims.issuer_name,
        "issuer_key_name": _name(workspace, found),
        "subject": claims.subjects[0] if claims.subjects else None,
        "valid_from": claims.valid_from,
        "valid_until": claims.valid_until,
        "id": claims.id,
        "transaction_id": None if held is None else held.record.tx_id,
        "warnings": [*_warnings(claims, held, accepted, valid=valid)],
    }


def _warnings(
    claims: Claims, held: Certificate | None, accepted: Sequence[str], *, valid: bool | None
) -> list[str]:
    found = []
    if valid and not accepted:
        found.append("anybody can issue certificates: --issuer NAME|DID says whose you accept")
    subject = claims.subjects[0] if claims.subjects else ""
    if held is None and subject.startswith("did:bdb:"):
        found.append(
            "this certificate is not on the ledger at hand, so a revocation on its own ledger"
            " is not seen"
        )
    return found


def _name(workspace: Workspace | None, found: Signed) -> str | None:
    if workspace is None or not found.keys:
        return None
    return resolve.name_of(workspace, found.keys[0])


def _word(checks: Sequence[Check], claims: Claims, now_ms: int) -> str:
    """Return how it stands in one word, the worst first."""
    by_name = {check.check: check for check in checks}
    if any(
        by_name[name].result == FAILED
        for name in (proofs.SIGNATURE, proofs.STRUCTURE, proofs.ISSUER)
    ):
        return attested.INVALID
    if by_name[STATUS].result == FAILED:
        return attested.REVOKED
    if by_name[DATES].result == FAILED:
        return _credential.standing_at(claims.from_ms, claims.until_ms, now_ms)
    unknown = any(check.result == UNKNOWN for check in checks)
    return UNKNOWN if unknown else _credential.VALID


def dates(claims: Claims, found: Signed, now_ms: int) -> Check:
    """Check whether a credential and its proofs are valid at a time."""
    state = _credential.standing_at(claims.from_ms, claims.until_ms, now_ms)
    if state == _credential.EXPIRED:
        return Check(DATES, FAILED, f"expired: it was valid until {claims.valid_until}")
    if state == _credential.NOT_YET:
        return Check(DATES, FAILED, f"not yet valid: it will be from {claims.valid_from} on")
    for proof in found.proofs:
        if "expires" in proof:
            until_ms = times.parse_claim(proof["expires"])
            if until_ms is None or now_ms > until_ms:
                return Check(DATES, FAILED, "its proof is expired")
    if claims.valid_until is None:
        return Check(DATES, PASSED, "it has no end")
    return Check(DATES, PASSED, f"valid until {claims.valid_until}")


def status(
    document: dict[str, Any],
    held: Certificate | None,
    fetch: Fetch,
    now_ms: int,
    away: str | None = None,
) -> Check:
    """Check whether a credential was revoked: on the ledger, then in its lists.

    Args:
        document: The credential.
        held: Its record on the ledger, where that is at hand.
        fetch: Gets its lists.
        now_ms: The present.
        away: Why the ledger cannot be asked, None where it can.
    """
    if held is not None and attested.standing(held, now_ms) == attested.REVOKED:
        ended = held.revoked
        why = "" if ended is None or ended.reason is None else f": {ended.reason}"
        return Check(STATUS, FAILED, f"revoked on the ledger{why}")
    listed = lists.check(document, fetch, now_ms)
    if away is not None and listed.result == PASSED:
        return Check(STATUS, UNKNOWN, f"the ledger cannot be asked: {away}")
    if listed.result == PASSED and held is not None and not _credential.statuses(document):
        return Check(STATUS, PASSED, "not revoked on the ledger")
    return listed


def _held(
    workspace: Workspace, asset_id: str, document: dict[str, Any], claims: Claims
) -> Certificate | None:
    """Return the record of a credential on the ledger at hand, None where there is none."""
    key = attested.issuer_key_of(claims)
    same = [
        one
        for one in certificates.certificates(workspace, asset_id)
        if one.issuer_key == key and attested.identity(one.document) == attested.identity(document)
    ]
    # One that was revoked says more than a copy that somebody added.
    return max(
        same, key=lambda one: (one.revoked is not None, one.record.height or 0), default=None
    )


def _twin(workspace: Workspace, claims: Claims) -> str | None:
    """Return the id of the twin that a credential is about, None where it is not at hand."""
    if not claims.subjects:
        return None
    try:
        asset_id = did.parse(claims.subjects[0]).asset_id
    except InvalidError:
        return None
    return asset_id if asset_id is not None and workspace.client.entry(asset_id) else None


def _issuers(workspace: Workspace | None, accepted: Sequence[str]) -> Sequence[str]:
    """Return the keys, DIDs and URLs of accepted issuers.

    Raises:
        NotFoundError: A name is not known.
    """
    found = []
    for word in accepted:
        if (":" in word and not word.startswith("key:")) or base58.is_key(word):
            found.append(word)
        elif workspace is None:
            raise NotFoundError(
                f"there is no home here that could know the name {word!r}",
                hint="name the issuer by its DID: --issuer did:key:...",
            )
        else:
            found.append(resolve.public_key_of(workspace, word))
    return found
