"""Read what was said about a twin, by its owners and by others, and whose word it is."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from twincli.model import record, times
from twincli.model.transaction import Signers, signers_of
from twincli.rules.authority import AUTHORISED, LAST, OWNER, Verdict, topic_of
from twincli.services.asset.document import claimed
from twincli.services.record.say import APPENDED, STATED
from twincli.services.standing import Speakers
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from twincli.ledger.reading import Entry
    from twincli.ledger.said import Asked
    from twincli.services import resolve
    from twincli.services.documents import RecordItem
    from twincli.services.workspace import Workspace

CHAIN, HAPPENED = ("recorded", "happened")


class Record(NamedTuple):
    """Something that was said about a twin.

    Attributes:
        tx_id: The transaction that says it.
        form: ``append`` or ``statement``.
        kind: What kind of record.
        body: What it says; empty where a stranger wrote something that is not an object.
        at: When it happened, as its signer claims, or None.
        committed_at: When it was committed, or None where the ledger does not report it.
        happened_ms: When it happened: as claimed, else when it was committed; None: unknown.
        recorded_ms: When it was committed, or None.
        height: Of its block, or None.
        signers: Public keys.
        standing: One of ``authority.STANDINGS``; None of a certificate, which weighs what its
            issuer weighs.
        via: The grant or link by which it counts, or once did; None: none.
        while_frozen: Whether the twin was frozen then.
        tx: The transaction; from `told` without all that it does not say, see `rows.said`.
    """

    tx_id: str
    form: str
    kind: str
    body: dict[str, Any]
    at: str | None
    committed_at: str | None
    happened_ms: int | None
    recorded_ms: int | None
    height: int | None
    signers: tuple[str, ...]
    standing: str | None
    via: str | None
    while_frozen: bool
    tx: dict[str, Any]


def records(
    workspace: Workspace,
    asset_id: str,
    kinds: Collection[str] | None = None,
    *,
    by: str = HAPPENED,
) -> list[Record]:
    """Return what was said about a twin; every transaction is checked against its id.

    Args:
        workspace: Rooms.
        asset_id: The twin.
        kinds: Only those; None: all records.
        by: ``happened``: in the order in which it happened; ``recorded``: as the ledger has it.
    """
    found = [
        *_appended(workspace, asset_id, kinds),
        *_stated(workspace, asset_id, kinds),
    ]
    spans = list(_frozen(workspace, asset_id))
    if spans:
        found = [held._replace(while_frozen=_is_within(held, spans)) for held in found]
    if by == HAPPENED:
        found.sort(key=lambda held: (held.happened_ms is None, held.happened_ms or 0))
    else:
        found.sort(key=lambda held: (held.height is None, held.height or 0))
    return found


def _frozen(workspace: Workspace, asset_id: str) -> Iterator[tuple[str, int, float]]:
    """Yield from which record and block to which block a twin was frozen."""
    began: tuple[str, int] | None = None
    for entry in workspace.client.records(asset_id, {record.FREEZE, record.UNFREEZE}):
        height = LAST if entry.height is None else entry.height
        if record.kind_of(entry.tx["metadata"]) == record.FREEZE:
            began = began or (entry.tx["id"], height)
        elif began is not None:
            yield *began, height
            began = None
    if began is not None:
        yield *began, inf


def _is_within(held: Record, spans: Iterable[tuple[str, int, float]]) -> bool:
    """Say whether something was said while the twin was frozen.

    Of what stands in one block the twin's own records come first.
    """
    height = LAST if held.height is None else held.height
    return any(
        tx_id != held.tx_id
        and (first <= height if held.form == STATED else first < height)
        and (height < end)
        for tx_id, first, end in spans
    )


_BLOCKS = 10_000
"""Times of blocks that are kept as texts."""


def told(workspace: Workspace, asset_id: str, asked: Asked) -> Iterator[Record]:
    """Yield the records of a kind about a twin, in the order asked for, as they are read.

    Args:
        workspace: Rooms.
        asset_id: The twin.
        asked: Which; of kinds that the ledger has in order.
    """
    speakers, signers = Speakers(workspace.client), Signers()
    spans = list(_frozen(workspace, asset_id))
    blocks: dict[int | None, str | None] = {}  # many records stand in one
    for entry in workspace.client.said(asset_id, asked):
        tx = entry.tx
        if entry.time_ms not in blocks:
            if len(blocks) > _BLOCKS:
                blocks.clear()
            blocks[entry.time_ms] = times.told(entry.time_ms)
        is_appended = tx["operation"] == "TRANSFER"
        envelope = (
            record.envelope_of(tx["metadata"]) if is_appended else record.creating_envelope(tx)
        ) or {}
        body = envelope.get("body")
        body = body if isinstance(body, dict) else {}
        form, verdict = APPENDED, OWNER
        if not is_appended:
            form, verdict = STATED, speakers.of(asset_id, entry, topic_of(asked.kind, body))
        stated = record.claimed_ms(envelope)
        # In the order of the class: a hundred thousand of them by name would take longer.
        made = Record(
            tx["id"],
            form,
            asked.kind,
            body,
            record.text(envelope.get("at")),
            blocks[entry.time_ms],
            entry.time_ms if stated is None else stated,
            entry.time_ms,
            entry.height,
            tuple(signers.of(tx)),
            verdict.standing,
            verdict.via,
            False,  # noqa: FBT003 - while_frozen
            tx,
        )
        yield made._replace(while_frozen=_is_within(made, spans)) if spans else made


def strange(workspace: Workspace, asset_id: str, kind: str) -> int:
    """Return how many records of a kind others made without authority."""
    made = _stated(workspace, asset_id, (kind,))
    return sum(found.standing != AUTHORISED for found in made)


def _appended(
    workspace: Workspace, asset_id: str, kinds: Collection[str] | None
) -> Iterator[Record]:
    client = workspace.client
    found = client.entries(asset_id) if kinds is None else client.records(asset_id, kinds)
    for entry in found:
        envelope = record.envelope_of(entry.tx["metadata"]) or {}
        kind = envelope.get("kind")
        if entry.tx["operation"] == "CREATE" or not isinstance(kind, str) or kind in _PLAIN:
            continue
        yield _record(entry, APPENDED, kind, envelope.get("body"), OWNER)


_PLAIN = frozenset((record.APPEND, record.TRANSFER, record.BURN))
"""Kinds that history shows and that are not records."""


def _stated(workspace: Workspace, asset_id: str, kinds: Collection[str] | None) -> Iterator[Record]:
    client = workspace.client
    speakers = Speakers(client)
    for found in client.assets_with("about", asset_id):
        entry = client.required(found)
        envelope = record.creating_envelope(entry.tx)
        if envelope.get("about") != asset_id:
            continue
        kind = envelope.get("kind")
        if kind == record.STATEMENT:
            kind = envelope.get("says")
        if not isinstance(kind, str) or (kinds is not None and kind not in kinds):
            continue
        body = envelope.get("body")
        verdict = OWNER
        if kind != record.CERTIFICATE:  # which needs no authority
            topic = topic_of(kind, body if isinstance(body, dict) else {})
            verdict = speakers.of(asset_id, entry, topic)
        yield _record(entry, STATED, kind, body, verdict)


def _record(entry: Entry, form: str, kind: str, body: Any, verdict: Verdict) -> Record:
    stated = record.stated_ms(entry.tx)
    return Record(
        tx_id=entry.tx["id"],
        form=form,
        kind=kind,
        body=body if isinstance(body, dict) else {},
        at=claimed(entry.tx),
        committed_at=times.told(entry.time_ms),
        happened_ms=entry.time_ms if stated is None else stated,
        recorded_ms=entry.time_ms,
        height=entry.height,
        signers=tuple(signers_of(entry.tx)),
        standing=None if kind == record.CERTIFICATE else verdict.standing,
        via=verdict.via,
        while_frozen=False,
        tx=entry.tx,
    )


def item(names: resolve.Names, found: Record) -> RecordItem:
    """Return a record as ``twin.record-item/1``."""
    return {
        "transaction_id": found.tx_id,
        "form": found.form,
        "kind": found.kind,
        "body": found.body,
        "height": found.height,
        "at": found.at,
        "committed_at": found.committed_at,
        "signers": [*found.signers],
        "signer_names": names.of_keys(found.signers),
        "standing": found.standing,
        "via": found.via,
        "while_frozen": found.while_frozen,
    }
