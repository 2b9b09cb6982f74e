"""List and show the certificates of twins, and check which are expired, expiring or revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.formats.credentials import proofs
from twincli.model import credential as _credential
from twincli.model import times
from twincli.rules import attested
from twincli.rules.authority import AUTHORISED
from twincli.services import resolve
from twincli.services.asset import listings
from twincli.services.cert import certificates
from twincli.services.file import attached

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twincli.content.store import Blobs
    from twincli.services.documents import (
        CertificateItem,
        Certificates,
        CheckedCertificate,
        CheckedCertificates,
        OneCertificate,
    )
    from twincli.services.workspace import Workspace

BAD = frozenset(
    (
        attested.REVOKED,
        attested.INVALID,
        _credential.EXPIRED,
        _credential.EXPIRING,
    )
)
"""How a certificate stands that does not hold, or will not for long."""

FILE = "file"
"""What is checked beside certificates: an attached file with an end."""


def list_certificates(workspace: Workspace, ref: str) -> Certificates:
    """Return the certificates of a twin, in commit order, then its bare labels.

    Returns:
        ``twin.certificates/1``.
    """
    asset_id = resolve.asset_id_of(workspace, ref)
    return {
        "schema": "twin.certificates/1",
        "asset_id": asset_id,
        "asset_name": resolve.asset_name(workspace, asset_id),
        "certificates": [*_items(workspace, asset_id, workspace.now())],
    }


def _items(workspace: Workspace, asset_id: str, now_ms: int) -> Iterator[CertificateItem]:
    names, trusted = resolve.Names(workspace), certificates.trusted_issuers(workspace, asset_id)
    for one in certificates.certificates(workspace, asset_id):
        yield certificates.item(names, one, now_ms, trusted=trusted)
    yield from certificates.labels(workspace, asset_id)


def show(workspace: Workspace, ref: str, number: str | None = None) -> OneCertificate:
    """Return one certificate of a twin in full, with the checks that need no network.

    Args:
        workspace: Rooms.
        ref: The twin.
        number: Of the certificate, its id, or the transaction that recorded it; None: the only one.

    Returns:
        ``twin.certificate/1``.

    Raises:
        NotFoundError, ConflictError: None, or several.
    """
    asset_id = resolve.asset_id_of(workspace, ref)
    one = certificates.chosen(certificates.certificates(workspace, asset_id), ref, number)
    found = proofs.signed(one.document)
    checks = (found.check, proofs.structure(one.document), proofs.issuer(one.document, found))
    trusted = certificates.trusted_issuers(workspace, asset_id)
    row = certificates.item(resolve.Names(workspace), one, workspace.now(), trusted=trusted)
    return {
        "schema": "twin.certificate/1",
        **row,
        "asset_id": asset_id,
        "asset_name": resolve.asset_name(workspace, asset_id),
        "checks": [certificates.told(check) for check in checks],
        "credential": one.document,
    }


def check(
    workspace: Workspace,
    blobs: Blobs,
    ref: str | None = None,
    *,
    within: str | None = None,
    as_of: str | None = None,
    accepted: Sequence[str] = (),
) -> CheckedCertificates:
    """Check the certificates of a twin, or of all twins, and attached files that have an end.

    What is known today is judged at a time.

    Args:
        workspace: Rooms.
        blobs: Content of this machine.
        ref: The twin; None: all that my keys own or that I have named.
        within: A length of time; what ends within it counts as expiring.
        as_of: When, as people write times; None: now.
        accepted: Only certificates of these issuers: names, DIDs, keys; empty: of all.

    Returns:
        ``twin.checked-certificates/1``; ``ok`` is false where one does not hold.

    Raises:
        UsageError: ``bad_time``.
    """
    now = workspace.now()
    at_ms = now if as_of is None else times.parse(as_of, now)
    within_ms = 0 if within is None else times.length(within, "within") // 1000
    issuers = {resolve.public_key_of(workspace, word) for word in accepted}
    if ref is None:
        ids = [str(asset["id"]) for asset in listings.list_assets(workspace)["assets"]]
    else:
        ids = [resolve.asset_id_of(workspace, ref)]
    rows = [
        row
        for asset_id in ids
        for row in _checked(workspace, blobs, asset_id, at_ms, within_ms, issuers)
    ]
    return {
        "schema": "twin.checked-certificates/1",
        "ok": not any(row["counts"] and row["status"] in BAD for row in rows),
        "as_of": times.to_text(at_ms),
        "within": within,
        "certificates": rows,
    }


def _checked(
    workspace: Workspace,
    blobs: Blobs,
    asset_id: str,
    at_ms: int,
    within_ms: int,
    issuers: set[str],
) -> Iterator[CheckedCertificate]:
    name = resolve.asset_name(workspace, asset_id)
    trusted = () if issuers else certificates.trusted_issuers(workspace, asset_id)
    found = certificates.certificates(workspace, asset_id)
    if issuers:
        found = [one for one in found if one.issuer_key in issuers]
    names = resolve.Names(workspace)
    rows = [certificates.item(names, one, at_ms, within_ms, trusted) for one in found]
    for row in rows:
        renewed_by = _renewal(row, rows)
        counts = renewed_by is None and row["trusted"] is not False
        yield _row(asset_id, name, row, counts=counts, renewed_by=renewed_by)
    if issuers:
        return
    for label in certificates.labels(workspace, asset_id):
        state = _state(label["valid_until"], at_ms, within_ms)
        made = _row(asset_id, name, label, counts=True, renewed_by=None)
        if state not in {None, _credential.VALID}:
            made["status"] = str(state)
        yield made
    for file in attached.of_twin(workspace, blobs, asset_id):
        state = _state(file["valid_until"], at_ms, within_ms)
        if state is None or file["standing"] != AUTHORISED:
            continue
        yield {
            "asset_id": asset_id,
            "asset_name": name,
            "number": None,
            "label": file["name"],
            "type": file["type"],
            "standard": None,
            "form": FILE,
            "status": state,
            "issuer": None,
            "issuer_name": file["issuer"],
            "valid_from": None,
            "valid_until": file["valid_until"],
            "transaction_id": file["transaction_id"],
            "reason": None,
            "counts": True,
            "renewed_by": None,
        }


def _state(until: str | None, at_ms: int, within_ms: int) -> str | None:
    """Return how something with an end stands, None where it has none."""
    until_ms = None if until is None else _credential.end_of(until)
    if until_ms is None:
        return None
    return _credential.standing_at(None, until_ms, at_ms, within_ms)


def _renewal(row: CertificateItem, rows: Sequence[CertificateItem]) -> str | None:
    """Return the certificate that took the place of one that ends: the same, valid for longer."""
    what = _what(row)
    if row["status"] not in {_credential.EXPIRED, _credential.EXPIRING} or what is None:
        return None
    for other in rows:
        if _what(other) == what and other["status"] == _credential.VALID:
            return other["transaction_id"]
    return None


def _what(row: CertificateItem) -> tuple[str | None, ...] | None:
    """Return what a certificate attests and who says so, None where only its number is known."""
    if row["standard"] is None and row["type"] is None:
        return None
    return row["form"], row["issuer"], row["issuer_name"], row["type"], row["standard"]


def _row(
    asset_id: str,
    name: str | None,
    item: CertificateItem,
    *,
    counts: bool,
    renewed_by: str | None,
) -> CheckedCertificate:
    return {
        "asset_id": asset_id,
        "asset_name": name,
        "number": item["number"],
        "label": item["label"],
        "type": item["type"],
        "standard": item["standard"],
        "form": item["form"],
        "status": item["status"],
        "issuer": item["issuer"],
        "issuer_name": item["issuer_name"],
        "valid_from": item["valid_from"],
        "valid_until": item["valid_until"],
        "transaction_id": item["transaction_id"],
        "reason": item["reason"],
        "counts": counts,
        "renewed_by": renewed_by,
    }
