"""What a node serves to whom: what is encrypted only to those who may read it now.

What a file is, the ledger says: the first transaction, in its order, that anchors it. A stranger
who names it later changes nothing.
"""

from __future__ import annotations

from threading import Lock as Mutex
from typing import TYPE_CHECKING, Any

from twincli.client.embedded import EmbeddedClient
from twincli.errors import InvalidError
from twincli.model import encryption, manifest, private, record
from twincli.node.access import Ruling
from twincli.rules.authority import AUTHORISED, PRIVATE
from twincli.services.access import FILE, READINGS, Access, Wanted
from twincli.services.audit import trail
from twincli.services.workspace import now_ms
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from twincli.ledger import Ledger
    from twincli.ledger.reading import Entry
    from twincli.services.workspace import Audit

MOST_MENTIONS = 1000
"""Transactions that are looked at: they mention a file, and anchor it, or not."""

MOST_REFUSALS = 60
"""Refusals that are noted in the audit log in a minute: strangers must not fill it."""

MOST_TWINS = 100
"""Twins of which it is remembered who may read them."""

_MINUTE_MS = 60_000
_DEEPEST = 30
_ROUTE = "/twin/v1/content"


class Anchored(NamedTuple):
    """What a file is, by the word of a transaction.

    Attributes:
        twin_id: Whose.
        wanted: What somebody wants who asks for it; None: it is not encrypted.
        to: Of a wrap of a private grant, the only party that it is for.
    """

    twin_id: str
    wanted: Wanted | None
    to: str | None = None


class _Judging(NamedTuple):
    """What `Access` needs."""

    client: EmbeddedClient
    audit: Audit | None
    now: Callable[[], int]
    dry_run: bool = False


class Guard:
    """Judges who may have what is encrypted, see ``node.access.Guard``.

    Args:
        audit: Where it is noted what is served or refused.
        now: The clock.
    """

    def __init__(self, audit: Audit | None, now: Callable[[], int] = now_ms) -> None:
        self._audit = audit
        self._now = now
        self._minute = 0
        self._refused = 0
        self._known: dict[str, tuple[str, Access]] = {}
        self._mutex = Mutex()

    def __call__(self, ledger: Ledger, cid: str, public_key: str | None, /) -> Ruling:
        """Judge, and note what is served or refused.

        Raises:
            ConfigError: ``cannot_write``: what cannot be noted is not served.
        """
        client = EmbeddedClient(ledger)
        found = anchored(client, cid)
        if found is None:
            return Ruling(is_public=False, why_not="the ledger does not say who may have it")
        if found.wanted is None:
            return Ruling(is_public=True)
        if public_key is None:
            return Ruling(is_public=False, why_not="the request is not signed")
        judging = _Judging(client, self._audit, self._now)
        with self._mutex:
            access = self._access(judging, found.twin_id)
            verdict = access.verdict(public_key, found.wanted)
            why_not = None
            # What a private scope holds, only its parties know: what is outside, they cannot open.
            is_served = verdict.standing == AUTHORISED or verdict.why == PRIVATE
            if is_served and found.to not in {None, public_key}:
                why_not = "it is for somebody else"
            elif not is_served:
                why_not = access.why_not(public_key, verdict, found.wanted)
        if why_not is None or self._may_note(self._now()):
            trail.note(
                judging,
                trail.SERVED if why_not is None else trail.REFUSED,
                twin=found.twin_id,
                party=public_key,
                stream=found.wanted.stream,
                kind=None if found.wanted.stream is not None else found.wanted.kind,
                cid=cid,
                reason=why_not,
                by=_ROUTE,
                durable=False,
            )
        return Ruling(is_public=False, why_not=why_not)

    def _access(self, judging: _Judging, twin_id: str) -> Access:
        """Return who may read a twin; its history is read again when it has grown."""
        last = judging.client.last(twin_id)
        tip = "" if last is None else str(last.tx["id"])
        known, access = self._known.pop(twin_id, ("", None))
        if access is None or known != tip:
            access = Access(judging, twin_id)
            access.found  # noqa: B018 - read now, by the thread whose ledger it is
        self._known[twin_id] = (tip, access)
        if len(self._known) > MOST_TWINS:
            del self._known[next(iter(self._known))]
        return access

    def _may_note(self, now_ms: int) -> bool:
        minute = now_ms // _MINUTE_MS
        if minute != self._minute:
            self._minute, self._refused = minute, 0
        self._refused += 1
        return self._refused <= MOST_REFUSALS


def anchored(client: EmbeddedClient, cid: str) -> Anchored | None:
    """Return what a file is by the first transaction that anchors it, None where none does."""
    ledger = client.ledger
    ids = {hit["id"] for hit in ledger.search_metadata(f'"{cid}"', MOST_MENTIONS)}
    ids |= {hit["id"] for hit in ledger.search_assets(f'"{cid}"', MOST_MENTIONS)}
    for tx_id in sorted(ids, key=lambda tx_id: ledger.seq(tx_id) or 0):
        for found in _said(client, client.required(tx_id), cid):
            return found
    return None


def _said(client: EmbeddedClient, entry: Entry, cid: str) -> Iterator[Anchored]:
    """Yield what a transaction says of a file."""
    tx = entry.tx
    if tx["operation"] == "CREATE":
        twin_id = str(tx["id"])
        envelope = record.creating_envelope(tx)
        if envelope.get("kind") == record.STREAM:
            begun = encryption.first(envelope.get(encryption.MEMBER))
            if begun is not None and cid in {wrap.cid for wrap in begun.wraps}:
                yield from _of_stream(client, twin_id)
            return
        about = record.text(envelope.get("about"))
    else:
        twin_id = str(tx["asset"]["id"])
        envelope = record.envelope_of(tx["metadata"]) or {}
        about = None
    body = envelope.get("body")
    if not isinstance(body, dict):
        return
    kind = envelope.get("kind")
    twin_id = about or twin_id
    if kind == "chunk":
        yield from _of_anchor(client, twin_id, body, cid)
    elif kind in {record.GRANT, record.REVOKE}:
        yield from _of_epochs(client, twin_id, body, cid)
    elif kind == record.FILE and encryption.is_stated(body):
        begun = encryption.first(body.get(encryption.MEMBER))
        wraps = () if begun is None else begun.wraps
        if cid == body.get("cid") or cid in {wrap.cid for wrap in wraps}:
            yield Anchored(twin_id, Wanted(FILE))
    elif _names(body, cid):
        yield Anchored(twin_id, None)


def _of_stream(client: EmbeddedClient, stream_id: str) -> Iterator[Anchored]:
    """Yield what belongs to a stream: readings of the twin that is its parent."""
    entry = client.entry(stream_id)
    if entry is None:
        return
    envelope = record.creating_envelope(entry.tx)
    parent, name = record.text(envelope.get("parent")), record.text(envelope.get("name"))
    if parent is not None and name is not None and encryption.is_stated(envelope):
        yield Anchored(parent, Wanted(READINGS, name))


def _of_anchor(
    client: EmbeddedClient, stream_id: str, body: dict[str, Any], cid: str
) -> Iterator[Anchored]:
    try:
        told = manifest.read(body)
    except InvalidError:
        return
    if cid not in {chunk.cid for chunk in told.chunks}:
        return
    found = list(_of_stream(client, stream_id))
    yield from found or [Anchored(stream_id, None)]


def _of_epochs(
    client: EmbeddedClient, twin_id: str, body: dict[str, Any], cid: str
) -> Iterator[Anchored]:
    listed = [private.wraps(body), *(each.wraps for each in private.renewals(body))]
    for wrap in (wrap for wraps in listed for wrap in wraps):
        if wrap.cid == cid:
            yield Anchored(twin_id, Wanted(PRIVATE), wrap.public_key)
    for item in encryption.items(body):
        named = {wrap.cid for wrap in item.wraps} | {one.cid for one in item.sealed}
        if cid not in named:
            continue
        found = [one for one in _of_stream(client, item.what) if one.twin_id == twin_id]
        yield from found or [Anchored(twin_id, Wanted(FILE))]


def _names(value: Any, cid: str, depth: int = 0) -> bool:
    """Say whether a body names a file, as an attachment or otherwise."""
    if depth > _DEEPEST:
        return False
    if isinstance(value, dict):
        if value.get("cid") == cid:
            return True
        value = list(value.values())
    return isinstance(value, list) and any(_names(item, cid, depth + 1) for item in value)
