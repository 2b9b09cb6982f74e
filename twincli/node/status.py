"""The status of certificates, for verifiers of any make: ``GET /twin/v1/status/{id}``.

What is answered is a credential that the issuer of the certificate signed and put on the ledger, so
nobody needs to trust the node. The id is that of the twin and a random number of the certificate;
who does not know it learns nothing here, so no token is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.crypto import base58, data_integrity
from twincli.model import record
from twincli.model.ids import is_hex, is_id
from twincli.model.transaction import signers_of
from twincli.node import answers
from twincli.node.writing.bodies import busy
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.ledger import Ledger
    from twincli.ledger.reading import Entry
    from twincli.node.answers import Answer
    from twincli.node.node import Node
    from twincli.node.request import Request

OFFER = "status"
"""What a node that has this route states at its root."""

MAX_WAITING = 16
"""Questions that wait to be worked on."""

_DIGITS = 32


class _List(NamedTuple):
    """A list on the ledger.

    Attributes:
        height: Of its block.
        is_end: Whether a revocation holds it.
        key: Base58 of its issuer's key.
        document: The credential.
    """

    height: int
    is_end: bool
    key: str
    document: dict[str, Any]


async def get(node: Node, request: Request) -> Answer:
    """Answer with the status list of a certificate."""
    asset_id, dot, number = request.last.partition(".")
    if not (is_id(asset_id) and dot and len(number) == _DIGITS and is_hex(number)):
        return answers.NO_SUCH_PAGE
    if node.finding.waiting >= MAX_WAITING:
        return busy("too many questions are asked at once")
    is_gone = request.scope["state"]["is_gone"]
    found = await node.finding.run(
        lambda ledger: None if is_gone() else status_of(ledger, asset_id, request.last)
    )
    return answers.NOT_FOUND if found is None else answers.of(found)


def status_of(ledger: Ledger, asset_id: str, ident: str) -> dict[str, Any] | None:
    """Return the newest list that the issuer of a certificate signed, or None.

    The number cannot be guessed, so the first list that has it is the issuer's.
    """
    found = sorted(_lists(ledger, asset_id, ident), key=lambda one: one.height)
    ours = [one for one in found if one.key == found[0].key]
    ended = [one for one in ours if one.is_end]
    return (ended or ours)[-1].document if ours else None


def _lists(ledger: Ledger, asset_id: str, ident: str) -> Iterator[_List]:
    for entry, body in _bodies(ledger, asset_id):
        listed = body.get("status_list")
        url = listed.get("id") if isinstance(listed, dict) else None
        if not isinstance(listed, dict) or not isinstance(url, str):
            continue
        key = _key_of(listed.get("issuer"))
        if url.rpartition("/")[2] == ident and key in signers_of(entry.tx):
            yield _List(entry.height or 0, "revokes" in body, str(key), listed)


def _bodies(ledger: Ledger, asset_id: str) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Yield the certificates and revocations about an asset."""
    for entry in ledger.records(asset_id, (record.CERTIFICATE,)):
        body = (record.envelope_of(entry.tx["metadata"]) or {}).get("body")
        if isinstance(body, dict):
            yield entry, body
    for found in ledger.assets_with("about", asset_id):
        other = ledger.entry(found)
        envelope = {} if other is None else record.creating_envelope(other.tx)
        body = envelope.get("body")
        if other is None or envelope.get("kind") != record.CERTIFICATE:
            continue
        if isinstance(body, dict):
            yield other, body


def _key_of(issuer: Any) -> str | None:
    did = issuer if isinstance(issuer, str) else ""
    key = data_integrity.key_of(f"{did}#{did.removeprefix('did:key:')}")
    return None if key is None else base58.encode_key(key)
