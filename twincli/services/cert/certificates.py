"""The certificates of a twin from all signers, and its bare labels; see ``rules.attested``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.errors import ConflictError, NotFoundError, cut
from twincli.formats.credentials import proofs
from twincli.model import credential as _credential
from twincli.model import record
from twincli.model.ids import is_prefix
from twincli.rules import attested
from twincli.services import catalogue, resolve
from twincli.services.record.records import records
from twincli.services.record.say import APPENDED
from twincli.services.standing import Speakers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twincli.formats.credentials.proofs import Check
    from twincli.rules.attested import Certificate, Held
    from twincli.services.documents import CertificateCheck, CertificateItem, Json
    from twincli.services.record.records import Record
    from twincli.services.workspace import Workspace


MOST_LABELS = 1000


def trusted_issuers(workspace: Workspace, asset_id: str) -> tuple[str, ...]:
    """Return the issuers that a twin's template names; empty: none, or it is not at hand."""
    replay = workspace.client.replay(asset_id)
    try:
        model = catalogue.of_twin(workspace, None if replay is None else replay.pin)
    except NotFoundError:
        return ()
    return () if model is None else model.template.trusted


def names_of(workspace: Workspace, asset_id: str, trusted: Sequence[str]) -> list[str]:
    """Return what the certificates of a twin attest: types, standards and numbers.

    Args:
        workspace: Rooms.
        asset_id: The twin.
        trusted: Issuers; what others attest is left out, and so is what is not valid now, and
            what does not name the twin: that it is about it says only who recorded it.
    """
    found: dict[str, None] = {}
    now = workspace.now()
    for one in certificates(workspace, asset_id):
        is_trusted = attested.is_trusted(one, trusted)
        if not is_trusted or attested.standing(one, now) != _credential.VALID:
            continue
        if proofs.is_right(one.document):
            claims = one.claims
            named = (claims.kind, claims.standard, claims.number)
            found.update((name, None) for name in named if name is not None)
    return list(found)


def certificates(workspace: Workspace, asset_id: str) -> list[Certificate]:
    """Return the certificates that were recorded about a twin, in commit order."""
    held = records(workspace, asset_id, (record.CERTIFICATE,), by="recorded")
    return of_records(workspace, asset_id, held)


def of_records(workspace: Workspace, asset_id: str, every: Sequence[Record]) -> list[Certificate]:
    """Return the certificates among the records of a twin, in their order.

    Args:
        workspace: Rooms.
        asset_id: The twin.
        every: Records of any kinds; those that revoke have to be among them.
    """
    speakers, names = Speakers(workspace.client), resolve.Names(workspace)

    def is_controller(key: str, held: Held) -> bool:
        return speakers.is_controller(asset_id, key, workspace.client.required(held.tx_id))

    return attested.of_records(asset_id, every, names.of_key, is_controller)


_UNNAMED = "a credential"


def item(
    names: resolve.Names,
    one: Certificate,
    now_ms: int,
    within_ms: int = 0,
    trusted: Sequence[str] = (),
) -> CertificateItem:
    """Return the row of a certificate in a listing.

    Args:
        names: Of keys.
        one: The certificate.
        now_ms: When.
        within_ms: What ends within this time is expiring.
        trusted: From ``trusted_issuers``.
    """
    claims, held, ended = one.claims, one.record, one.revoked
    may_be_right = one.form in {attested.ISSUED, attested.FOREIGN}
    is_valid = proofs.is_right(one.document, quickly=not _is_brought_by_owner(one))
    return {
        "number": claims.number,
        "label": claims.number or claims.standard or claims.topic or claims.id or _UNNAMED,
        "type": claims.topic,
        "standard": claims.standard,
        "form": one.form,
        "status": attested.standing(one, now_ms, within_ms, is_valid=is_valid),
        "verified": is_valid if may_be_right and one.about is not False else False,
        "trusted": attested.is_trusted(one, trusted),
        "issuer": claims.issuer,
        "issuer_name": claims.declared_issuer or claims.issuer_name,
        "issuer_key_name": None if one.issuer_key is None else names.of_key(one.issuer_key),
        "valid_from": claims.valid_from,
        "valid_until": claims.valid_until,
        "subject": claims.subjects[0] if claims.subjects else None,
        "id": claims.id,
        "transaction_id": held.tx_id,
        "at": held.at,
        "committed_at": held.committed_at,
        "signers": [*held.signers],
        "signer_names": names.of_keys(held.signers),
        "revoked_at": None if ended is None else ended.record.at or ended.record.committed_at,
        "revoked_by": None if ended is None else ended.record.tx_id,
        "reason": None if ended is None else ended.reason,
        "attachments": [dict(file) for file in claims.attachments],
    }


def told(check: Check) -> CertificateCheck:
    """Return a check of a certificate for a document."""
    return {"check": check.check, "result": check.result, "message": check.message}


def _is_brought_by_owner(one: Certificate) -> bool:
    """Say whether it may cost time: what strangers bring is not taken apart in a listing."""
    return one.record.form == APPENDED


def labels(workspace: Workspace, asset_id: str) -> Iterator[CertificateItem]:
    """Yield the bare labels among the facts and the state of a twin."""
    replay = workspace.client.replay(asset_id)
    if replay is None or replay.last is None:
        return
    facts = record.without_envelope(workspace.client.required(asset_id).tx["asset"].get("data"))
    seen: list[Json] = []
    for part in (facts, replay.common or {}):
        listed = part.get(attested.LABELS)
        for found in (listed if isinstance(listed, list) else [listed])[:MOST_LABELS]:
            if found is not None and found not in seen:
                seen.append(found)
                yield _label(found)


def _label(found: Any) -> CertificateItem:
    def text(name: str) -> str | None:
        return attested.text_of(found, name)

    return {
        "number": attested.number_of(found),
        "label": attested.label_of(found),
        "type": text("type"),
        "standard": text("standard"),
        "form": attested.UNPROVEN,
        "status": attested.UNPROVEN,
        "verified": False,
        "trusted": None,
        "issuer": None,
        "issuer_name": text("issuer"),
        "issuer_key_name": None,
        "valid_from": text("validFrom"),
        "valid_until": text("validUntil"),
        "subject": None,
        "id": None,
        "transaction_id": None,
        "at": None,
        "committed_at": None,
        "signers": [],
        "signer_names": [],
        "revoked_at": None,
        "revoked_by": None,
        "reason": None,
        "attachments": [],
    }


def chosen(
    found: Sequence[Certificate], ref: str, wanted: str | None, keys: Sequence[str] = ()
) -> Certificate:
    """Return the certificate that a number, an id or a transaction means.

    Of several records of one credential it is the first by its issuer, else the last; of several
    credentials of one number that of the keys given.

    Args:
        found: The certificates of the twin.
        ref: The twin, for errors.
        wanted: Its number, its id, or the transaction that recorded it; None: the only one.
        keys: Public keys of issuers that go before others.

    Raises:
        NotFoundError, ConflictError: None, or several.
    """
    hint = f"twin cert list {ref}"
    fitting = [one for one in found if wanted is None or _is_called(one, wanted)]
    if not fitting:
        which = "" if wanted is None else f" {cut(wanted)!r}"
        raise NotFoundError(f"{ref} has no certificate{which}", hint=f"to see what it has: {hint}")
    mine = [one for one in fitting if one.issuer_key in keys]
    several = mine or fitting
    last = several[-1]
    if any(attested.identity(one.document) != attested.identity(last.document) for one in several):
        how = "its number or its transaction" if wanted is None else "its transaction"
        raise ConflictError(
            f"{ref} has {len(several)} certificates"
            + ("" if wanted is None else f" called {cut(wanted)!r}"),
            code="ambiguous",
            hint=f"name one by {how}: --number {'ID' if wanted is None else 'TX'}; {hint}",
        )
    return next((one for one in several if one.issuer_key in one.record.signers), last)


def _is_called(one: Certificate, wanted: str) -> bool:
    if wanted in (one.claims.number, one.claims.id, one.record.tx_id):
        return True
    return is_prefix(wanted) and one.record.tx_id.startswith(wanted.lower())
