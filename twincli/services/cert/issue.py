"""Issue certificates, add those of others, and revoke one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.client.lists import PATH
from twincli.crypto import data_integrity
from twincli.errors import ConflictError, InvalidError, LockedError, NotVerifiedError, UsageError
from twincli.formats.credentials import proofs
from twincli.model import bodies, did, record, status_list, times
from twincli.model import credential as _credential
from twincli.model.names import fold
from twincli.rules import attested
from twincli.services import resolve
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.cert import certificates, lists
from twincli.services.record.attachments import attached
from twincli.services.record.say import say
from twincli.services.signers import keys_to_create, unlock
from twincli.services.standing import Speakers
from twincli.services.tx.prepared import Prepared
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twincli.crypto.ed25519 import Signer
    from twincli.keystore.keyfile import KeyInfo
    from twincli.rules.attested import Certificate
    from twincli.services.cert.lists import Fetch
    from twincli.services.documents import Said, WrittenCertificate
    from twincli.services.record.attachments import Attachment, Stores
    from twincli.services.workspace import Workspace


class Wanted(NamedTuple):
    """What a certificate is to say.

    Attributes:
        kind: Such as ``safety``.
        standard: Such as ``ISO-14001``.
        number: Of the certificate.
        issuer: What the issuer is called.
        valid_from: A date or a time; None: now.
        valid_until: A date, the end of which counts, or a time; None: no end.
    """

    kind: str | None = None
    standard: str | None = None
    number: str | None = None
    issuer: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None


def issue(
    workspace: Workspace,
    stores: Stores,
    ref: str,
    wanted: Wanted,
    files: Sequence[Attachment] = (),
    writing: Writing = PLAIN,
    *,
    node_url: str | None = None,
) -> WrittenCertificate | Prepared:
    """Issue a certificate about a twin, one's own or somebody else's.

    Args:
        workspace: Rooms; one key of ``--key`` signs, else the default key.
        stores: Where the content of files goes.
        ref: The twin.
        wanted: What it says.
        files: What belongs to it.
        writing: W, without ``bare``.
        node_url: Of a node that serves its status from now on; None: its status is on the ledger
            only.

    Raises:
        UsageError: It would say nothing; several keys; ``bad_time``.
        InvalidError: A text is too long or has odd characters.
        TwinError: As ``say``.
    """
    writing.check()
    _check_words(wanted)
    asset_id = resolve.asset_id_of(workspace, ref)
    info = _signer(workspace)
    draft = _draft(workspace, asset_id, info, wanted)
    warnings: list[str] = []
    named = attached(workspace, stores, files, warnings)
    draft = draft._replace(attachments=[_in_credential(file) for file in named])
    workspace = workspace._replace(keys=(info.name,))

    def made() -> dict[str, Any]:
        return _signed(workspace, asset_id, info, draft, node_url)

    said = _once(workspace, ref, asset_id, info, draft, named, made, writing)
    if isinstance(said, Prepared):
        return said
    return written(workspace, said, warnings)


def _check_words(wanted: Wanted) -> None:
    if wanted.kind is None and wanted.standard is None and wanted.number is None:
        raise UsageError(
            "the certificate says nothing",
            hint="add --type safety, --standard ISO-14001 or --number N",
        )
    for option, value in (
        ("--type", wanted.kind),
        ("--standard", wanted.standard),
        ("--number", wanted.number),
        ("--issuer", wanted.issuer),
    ):
        if value is not None:
            bodies.check_name(value, option)


def _signer(workspace: Workspace) -> KeyInfo:
    infos = keys_to_create(workspace, None)
    if len(infos) != 1:
        raise UsageError(
            "a certificate is signed by one key", hint="each key can issue one of its own"
        )
    return infos[0]


def _draft(workspace: Workspace, asset_id: str, info: KeyInfo, wanted: Wanted) -> _credential.Draft:
    now = workspace.now()
    from_ms: int | None = now // 1000 * 1000
    if wanted.valid_from is not None:
        from_ms = _moment(wanted.valid_from, "--valid-from", now)
    until_ms = None
    if wanted.valid_until is not None:
        until_ms = _credential.end_of(wanted.valid_until)
        if until_ms is None:
            until_ms = _moment(wanted.valid_until, "--valid-until", now)
        if wanted.valid_from is None and until_ms < now:
            from_ms = None  # an old one, whose beginning nobody says
        if from_ms is not None and until_ms < from_ms:
            raise UsageError(
                f"--valid-until {wanted.valid_until} is before --valid-from {wanted.valid_from}",
                code="empty_range",
                hint="write the last day on which it is valid, such as 2031-01-20",
            )
    is_own = wanted.issuer is not None and fold(wanted.issuer) == fold(info.name)
    is_controller = Speakers(workspace.client).is_controller(asset_id, info.public_key)
    declares = wanted.issuer is not None and is_controller and not is_own
    return _credential.Draft(
        did.asset_did(asset_id, workspace.client.ledger_id),
        wanted.kind,
        wanted.standard,
        wanted.number,
        None if declares else wanted.issuer,
        wanted.issuer if declares else None,
        from_ms,
        until_ms,
    )


def _moment(text: str, option: str, now_ms: int) -> int:
    try:
        return times.parse(text, now_ms)
    except UsageError as error:
        raise error.within(option, hint="write 2031-01-20, or 2031-01-20T12:00:00Z") from error


def _in_credential(file: dict[str, Any]) -> dict[str, Any]:
    """Return a file as the credential names it: ``type`` means something else there."""
    names = {"media_type": "mediaType", "type": "fileType"}
    return {names.get(name, name): value for name, value in file.items() if name != "profile"}


def _signed(
    workspace: Workspace,
    asset_id: str,
    info: KeyInfo,
    draft: _credential.Draft,
    node_url: str | None,
) -> dict[str, Any]:
    """Return the members of the record: the signed credential, and its status list."""
    number = workspace.random(16).hex()
    issuer = did.key_did(info.public_key)
    url = None
    if node_url is not None:
        url = f"{node_url.rstrip('/')}{PATH}{asset_id}.{number}"
    bare = draft.credential(
        f"urn:uuid:{_uuid(number)}", issuer, None if url is None else status_list.entry(url)
    )
    if workspace.dry_run:
        return {"credential": bare}
    signer = unlock(workspace, [info])[0]
    created = _credential.stamp(workspace.now() // 1000 * 1000)
    made = {"credential": data_integrity.sign(bare, signer, created)}
    if url is not None:
        made["status_list"] = _list(signer, url, issuer, created, revoked=False)
    return made


def _list(signer: Signer, url: str, issuer: str, created: str, *, revoked: bool) -> dict[str, Any]:
    bare = status_list.unsigned(url, issuer, _credential.V2, created, revoked=revoked)
    return data_integrity.sign(bare, signer, created)


def _uuid(digits: str) -> str:
    """Return a version 4 UUID made of 32 random hex digits."""
    text = digits[:12] + "4" + digits[13:16] + "89ab"[int(digits[16], 16) % 4] + digits[17:]
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _once(
    workspace: Workspace,
    ref: str,
    asset_id: str,
    info: KeyInfo,
    draft: _credential.Draft,
    named: list[dict[str, Any]],
    made: Callable[[], dict[str, Any]],
    writing: Writing,
) -> Said | Prepared:
    """Record a credential; with a once token the first one that says the same.

    Credentials that say the same differ all the same, in id and time, so the one of a retry is
    taken from the ledger.
    """
    for _ in range(2):
        body = _first(workspace, asset_id, info, draft, writing)
        if body is None:
            body = bodies.checked(record.CERTIFICATE, {**made(), "attachments": named or None})
        try:
            return say(workspace, ref, record.CERTIFICATE, body, writing)
        except ConflictError as error:
            if error.code != "once_mismatch":
                raise
            conflict = error  # or another process was faster: then it is there now
    raise conflict


def _first(
    workspace: Workspace,
    asset_id: str,
    info: KeyInfo,
    draft: _credential.Draft,
    writing: Writing,
) -> dict[str, Any] | None:
    """Return the body that this key recorded with the token, if it says what is wanted now."""
    if writing.once is None:
        return None
    client = workspace.client
    ids = [tx for signers, tx in client.once(asset_id, writing.once) if info.public_key in signers]
    ids += client.assets_with("nonce", record.once_nonce(writing.once, [info.public_key]))
    for tx_id in ids:
        tx = client.required(tx_id).tx
        found = record.creating_envelope(tx) or record.envelope_of(tx["metadata"]) or {}
        body = found.get("body")
        if isinstance(body, dict) and _says(body.get("credential"), draft):
            return body
    return None


def _says(document: Any, draft: _credential.Draft) -> bool:
    if not isinstance(document, dict):
        return False
    claims = _credential.claims(document)
    subject = document.get("credentialSubject")
    return (
        subject == {"id": draft.subject, **draft.stated()}
        and claims.issuer_name == draft.issuer_name
        and claims.until_ms == draft.valid_until_ms
    )


def written(workspace: Workspace, said: Said, warnings: Sequence[str] = ()) -> WrittenCertificate:
    """Return the document of a record that holds a credential."""
    claims = _credential.claims(said["body"]["credential"])
    speakers = Speakers(workspace.client)
    signers = [key for key in said["signers"] if key is not None]
    form = attested.form_of(
        claims,
        signers or [info.public_key for info in map(workspace.keystore.get, workspace.keys)],
        resolve.Names(workspace).of_key,
        lambda key: speakers.is_controller(said["asset_id"], key),
    )
    return {
        **said,
        "number": claims.number,
        "type": claims.topic,
        "standard": claims.standard,
        "certificate_form": form,
        "issuer": claims.issuer,
        "issuer_name": claims.declared_issuer or claims.issuer_name,
        "valid_from": claims.valid_from,
        "valid_until": claims.valid_until,
        "id": claims.id,
        "warnings": [*said["warnings"], *warnings],
    }


# --- Those of others ----------------------------------------------------------------------------


def add(
    workspace: Workspace,
    ref: str,
    document: dict[str, Any],
    fetch: Fetch,
    writing: Writing = PLAIN,
) -> WrittenCertificate | Prepared:
    """Record a credential that was made elsewhere, once it was verified.

    What could not be told and what is expired is warned of; what is wrong is refused.

    Args:
        workspace: Rooms.
        ref: The twin.
        document: From ``credential.read``.
        fetch: Gets its status lists.
        writing: W, without ``bare``.

    Raises:
        NotVerifiedError: ``bad_credential``: its proof, form, issuer or status is wrong.
        InvalidError: ``wrong_subject``: it is about another asset; its members cannot be stored.
        TwinError: As ``say``.
    """
    writing.check()
    asset_id = resolve.asset_id_of(workspace, ref)
    now = workspace.now()
    claims = _credential.claims(document)
    found = proofs.signed(document)
    checks = (
        found.check,
        proofs.structure(document),
        proofs.signer(document, found),
        lists.check(document, fetch, now),
    )
    warnings = []
    for check in checks:
        if check.result == proofs.FAILED:
            raise NotVerifiedError(
                f"the credential is not added: {check.check}: {check.message}",
                code="bad_credential",
                hint="to see all checks: twin cert verify FILE",
            )
        if check.result == proofs.UNKNOWN:
            warnings.append(f"{check.check}: {check.message}")
    if found.check.result == proofs.UNKNOWN:
        raise NotVerifiedError(
            f"the credential is not added: {found.check.message}",
            code="bad_credential",
            hint="to see all checks: twin cert verify FILE",
        )
    warnings += _about_subject(workspace, asset_id, ref, claims)
    state = _credential.standing_at(claims.from_ms, claims.until_ms, now)
    if state != _credential.VALID:
        warnings.append(f"the certificate is {state.replace('-', ' ')}")
    body = bodies.checked(record.CERTIFICATE, {"credential": document})
    said = say(workspace, ref, record.CERTIFICATE, body, writing)
    if isinstance(said, Prepared):
        return said
    return written(workspace, said, warnings)


def _about_subject(
    workspace: Workspace, asset_id: str, ref: str, claims: _credential.Claims
) -> list[str]:
    """Return a warning where the credential does not name the twin.

    Raises:
        InvalidError: ``wrong_subject``: it names another asset.
    """
    for subject in claims.subjects:
        try:
            named = did.parse(subject)
        except InvalidError:
            continue
        if named.asset_id == asset_id:
            if named.ledger in {None, workspace.client.ledger_id[: did.LEDGER_DIGITS]}:
                return []
        elif named.asset_id is not None:
            raise InvalidError(
                f"the credential is about another asset, {subject}",
                code="wrong_subject",
                hint=f"its subject would have to be {did.asset_did(asset_id)}",
            )
    subjects = ", ".join(claims.subjects) or "something without an id"
    return [f"the credential is about {subjects}; that this is {ref} says only who adds it"]


# --- Revoking -----------------------------------------------------------------------------------


def revoke(
    workspace: Workspace,
    ref: str,
    number: str,
    *,
    reason: str | None = None,
    writing: Writing = PLAIN,
) -> Said | Prepared:
    """Revoke a certificate; only its issuer can.

    Args:
        workspace: Rooms.
        ref: The twin.
        number: Of the certificate, its id, or the transaction that recorded it.
        reason: For people.
        writing: W, without ``bare``.

    Raises:
        NotFoundError: There is no such certificate.
        ConflictError: ``ambiguous``; ``already_revoked``.
        LockedError: ``no_key``: the issuer's key is not at hand.
    """
    writing.check()
    asset_id = resolve.asset_id_of(workspace, ref)
    infos = [workspace.keystore.get(name) for name in workspace.keys]
    infos = infos or workspace.keystore.scan()[0]
    by_key = {info.public_key: info for info in infos}
    found = certificates.certificates(workspace, asset_id)
    one = certificates.chosen(found, ref, number, tuple(by_key))
    if one.issuer_key not in by_key:
        raise _not_issuer(workspace, ref, number, one)
    info = by_key[str(one.issuer_key)]
    workspace = workspace._replace(keys=(info.name,))
    if one.revoked is not None:
        again = writing.once is not None and _is_once(one.revoked.record.tx, writing.once)
        if not again:
            raise ConflictError(
                f"the certificate {number} of {ref} is revoked already, by"
                f" {one.revoked.record.tx_id}",
                code="already_revoked",
            )
        body = dict(one.revoked.record.body)
        return say(workspace, ref, record.CERTIFICATE, body, writing, although_frozen=True)
    body = {"revokes": one.record.tx_id, "reason": reason}
    url = _url_of(one)
    if url is not None and not workspace.dry_run:
        signer = unlock(workspace, [info])[0]
        created = _credential.stamp(workspace.now() // 1000 * 1000)
        body["status_list"] = _list(
            signer, url, did.key_did(info.public_key), created, revoked=True
        )
    revoked = bodies.checked(record.CERTIFICATE, body)
    return say(workspace, ref, record.CERTIFICATE, revoked, writing, although_frozen=True)


def _is_once(tx: dict[str, Any], token: str) -> bool:
    """Say whether a transaction was made with a once token."""
    envelope = record.creating_envelope(tx)
    if envelope:
        signer = [entry["owners_before"][0] for entry in tx["inputs"]]
        return envelope.get("nonce") == record.once_nonce(token, signer)
    return (record.envelope_of(tx["metadata"]) or {}).get("once") == token


def _url_of(one: Certificate) -> str | None:
    """Return the URL of the list that the issuer made for this certificate, or None."""
    listed = one.record.body.get("status_list")
    url = listed.get("id") if isinstance(listed, dict) else None
    for entry in _credential.statuses(one.document):
        if isinstance(entry, dict) and entry.get("statusListCredential") == url:
            return record.text(url)
    return None


def _not_issuer(workspace: Workspace, ref: str, number: str, one: Certificate) -> LockedError:
    names = resolve.Names(workspace)
    issuer = one.claims.issuer or "nobody"
    if one.issuer_key is not None:
        issuer = names.of_key(one.issuer_key) or issuer
    who = " and ".join(workspace.keys) or "no key here"
    can = "cannot revoke" if workspace.keys else "can revoke"
    hint = "its issuer revokes it"
    if one.form == attested.FOREIGN:
        hint = "its issuer revokes it where it was issued, in its status list"
    return LockedError(
        f"{who} {can} the certificate {number} of {ref}: {issuer} issued it",
        code="no_key",
        hint=hint,
    )
