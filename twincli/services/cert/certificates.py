"""The certificates of a twin from all signers, and the status of each.

Four forms are told apart. ``issued``: the signer of the record made it. ``self-declared``: a
controller of the twin made it and names somebody else as the issuer; it is never verified.
``foreign``: somebody else made it elsewhere, and it was brought here. ``unproven``: a label among
the facts, which nobody signed as a certificate. What an issuer is worth, the reader decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import base58, canonical, data_integrity
from twincli.errors import ConflictError, InvalidError, NotFoundError, cut
from twincli.model import credential as _credential
from twincli.model import did, record
from twincli.model.ids import is_prefix
from twincli.model.names import fold
from twincli.services import catalogue, resolve
from twincli.services.cert import proofs
from twincli.services.record.records import records
from twincli.services.record.say import APPENDED
from twincli.services.standing import Speakers
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from twincli.model.credential import Claims
    from twincli.services.documents import CertificateItem, Json
    from twincli.services.record.records import Record
    from twincli.services.workspace import Workspace

ISSUED, SELF_DECLARED, FOREIGN, UNPROVEN = FORMS = (
    "issued",
    "self-declared",
    "foreign",
    "unproven",
)
REVOKED, INVALID = ("revoked", "invalid")
"""Beside ``credential.VALID`` and so on, how a certificate stands."""

LABELS = "certifications"
"""The member of facts and state that holds bare labels."""

MOST_LABELS = 1000


class Revocation(NamedTuple):
    """The end of a certificate, said by its issuer.

    Attributes:
        record: What says so.
        reason: Why, or None.
    """

    record: Record
    reason: str | None


class Certificate(NamedTuple):
    """A certificate that was recorded about a twin.

    Attributes:
        record: What recorded it.
        document: The credential.
        claims: What it says.
        issuer_key: Base58 of the key that its issuer is, or None.
        form: One of ``FORMS``.
        about: Whether it names the twin; False: it names another asset; None: it names neither, so
            that it is about the twin is the word of who recorded it.
        revoked: The first revocation by its issuer, or None.
    """

    record: Record
    document: dict[str, Any]
    claims: Claims
    issuer_key: str | None
    form: str
    about: bool | None
    revoked: Revocation | None


def trusted_issuers(workspace: Workspace, asset_id: str) -> tuple[str, ...]:
    """Return the issuers that a twin's template names; empty: none, or it is not at hand."""
    replay = workspace.client.replay(asset_id)
    try:
        model = catalogue.of_twin(workspace, None if replay is None else replay.pin)
    except NotFoundError:
        return ()
    return () if model is None else model.template.trusted


def is_trusted(one: Certificate, trusted: Sequence[str]) -> bool | None:
    """Say whether a certificate is one of a trusted issuer's; None: nobody is named.

    One that does not name the twin is not: the issuer has not said that it is about it. Whether its
    proof is right is another question.
    """
    if not trusted:
        return None
    names_it = one.about is True
    return names_it and one.form in {ISSUED, FOREIGN} and one.claims.issuer in trusted


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
        if not is_trusted(one, trusted) or standing(one, now) != _credential.VALID:
            continue
        if proofs.is_right(one.document):
            claims = one.claims
            named = (claims.kind, claims.standard, claims.number)
            found.update((name, None) for name in named if name is not None)
    return list(found)


def is_about(claims: Claims, asset_id: str) -> bool | None:
    """Say whether a credential names a twin; see ``Certificate.about``."""
    found: bool | None = None
    for subject in claims.subjects:
        try:
            named = did.parse(subject).asset_id
        except InvalidError:
            continue
        if named == asset_id:
            return True
        if named is not None:
            found = False
    return found


def issuer_key_of(claims: Claims) -> str | None:
    """Return the base58 key of an issuer that is a did:key, else None."""
    if claims.issuer is None:
        return None
    key = data_integrity.key_of(f"{claims.issuer}#{claims.issuer.removeprefix('did:key:')}")
    return None if key is None else base58.encode_key(key)


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
    client = workspace.client
    speakers, names = Speakers(client), resolve.Names(workspace)
    found: list[Certificate] = []
    revocations: dict[str, list[Revocation]] = {}
    for held in every:
        if held.kind != record.CERTIFICATE:
            continue
        document, revokes = held.body.get("credential"), held.body.get("revokes")
        if isinstance(document, dict):
            claims = _credential.claims(document)
            key = issuer_key_of(claims)

            def is_controller(key: str, held: Record = held) -> bool:
                if held.form == APPENDED and key in held.signers:
                    return True
                return speakers.is_controller(asset_id, key, client.required(held.tx_id))

            form = form_of(claims, held.signers, names, is_controller)
            about = is_about(claims, asset_id)
            found.append(Certificate(held, document, claims, key, form, about, None))
        elif isinstance(revokes, str):
            reason = record.text(held.body.get("reason"))
            revocations.setdefault(revokes, []).append(Revocation(held, reason))
    return [*_ended(found, revocations)]


def form_of(
    claims: Claims,
    signers: Collection[str],
    names: resolve.Names,
    is_controller: Callable[[str], bool],
) -> str:
    """Return which of ``FORMS`` a credential has.

    Args:
        claims: What it says.
        signers: Who recorded it.
        names: Of keys: who calls himself by the name of his key names nobody else.
        is_controller: Says whether a key was one of the twin's owners, or its own.
    """
    key = issuer_key_of(claims)
    if claims.declared_issuer is not None:
        return SELF_DECLARED
    if key is not None and claims.issuer_name is not None and is_controller(key):
        own = names.of_key(key)
        if own is None or fold(own) != fold(claims.issuer_name):
            return SELF_DECLARED
    return ISSUED if key in signers else FOREIGN


def _ended(
    found: Sequence[Certificate], revocations: dict[str, list[Revocation]]
) -> Iterator[Certificate]:
    """Yield certificates with their revocations, by their issuers, of whichever record of them."""
    ends: dict[tuple[str | None, str], Revocation] = {}
    for one in found:
        for made in revocations.get(one.record.tx_id, ()):
            if one.issuer_key in made.record.signers:
                ends.setdefault(_what(one), made)
    for one in found:
        yield one._replace(revoked=ends.get(_what(one)))


def _what(one: Certificate) -> tuple[str | None, str]:
    """Return what is equal of records of the same credential."""
    return one.issuer_key, identity(one.document)


def identity(document: dict[str, Any]) -> str:
    """Return what is equal of two documents of one issuer that are the same credential.

    That is their id; of those without one all that they say.
    """
    ident = document.get("id")
    return ident if isinstance(ident, str) else canonical.sha3_hex(canonical.encode(document))


def standing(
    one: Certificate, now_ms: int, within_ms: int = 0, *, is_valid: bool | None = None
) -> str:
    """Say how a certificate stands at a time.

    Args:
        one: The certificate.
        now_ms: When.
        within_ms: What ends within this time is expiring.
        is_valid: Whether its proof, form and signer are right, where that is known. One that names
            another asset is invalid in any case.
    """
    if is_valid is False or one.about is False:
        return INVALID
    if one.revoked is not None:
        ended = one.revoked.record.happened_ms
        if ended is None or ended <= now_ms:
            return REVOKED
    claims = one.claims
    return _credential.standing_at(claims.from_ms, claims.until_ms, now_ms, within_ms)


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
    is_valid = proofs.is_right(one.document, quickly=not _is_brought_by_owner(one))
    return {
        "number": claims.number,
        "label": claims.number or claims.standard or claims.topic or claims.id or _UNNAMED,
        "type": claims.topic,
        "standard": claims.standard,
        "form": one.form,
        "status": standing(one, now_ms, within_ms, is_valid=is_valid),
        "verified": is_valid if one.form in {ISSUED, FOREIGN} and one.about is not False else False,
        "trusted": is_trusted(one, trusted),
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
        listed = part.get(LABELS)
        for found in (listed if isinstance(listed, list) else [listed])[:MOST_LABELS]:
            if found is not None and found not in seen:
                seen.append(found)
                yield _label(found)


def _label(found: Any) -> CertificateItem:
    stated = found if isinstance(found, dict) else {"label": found}

    def text(*names: str) -> str | None:
        values = (stated.get(name) for name in names)
        return next((value for value in values if isinstance(value, str)), None)

    number = text("certificateNumber", "number")
    label = text("label", "name", "standard", "type") or number
    return {
        "number": number,
        "label": label if label is not None else cut(repr(found)),
        "type": text("type"),
        "standard": text("standard"),
        "form": UNPROVEN,
        "status": UNPROVEN,
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
    if any(identity(one.document) != identity(last.document) for one in several):
        raise ConflictError(
            f"{ref} has {len(several)} certificates"
            + ("" if wanted is None else f" called {cut(wanted)!r}"),
            code="ambiguous",
            hint=f"name one by its number or its transaction: --number ID; {hint}",
        )
    return next((one for one in several if one.issuer_key in one.record.signers), last)


def _is_called(one: Certificate, wanted: str) -> bool:
    if wanted in (one.claims.number, one.claims.id, one.record.tx_id):
        return True
    return is_prefix(wanted) and one.record.tx_id.startswith(wanted.lower())
