"""Streams as they are: how much they hold, from when to when, the latest values, whose word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.errors import NotFoundError
from twincli.model import reading, record, times
from twincli.model.transaction import asset_of, signers_of
from twincli.rules.authority import AUTHORISED, Topic
from twincli.services import resolve
from twincli.services.asset.document import claimed
from twincli.services.privacy import locks, sealing
from twincli.services.standing import Speakers
from twincli.services.stream import known, rules, streams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twincli.content.inventory import Leaf
    from twincli.ledger.reading import Entry
    from twincli.services.documents import (
        Epochs,
        LatestValue,
        StreamAnchor,
        StreamItem,
        StreamList,
        StreamShown,
        StreamValues,
    )
    from twincli.services.stream.known import Life, Room
    from twincli.services.stream.streams import Stream


def show(room: Room, ref: str, name: str) -> StreamShown:
    """Return a stream.

    Returns:
        ``twin.stream/1``.

    Raises:
        NotFoundError: ``not_found``.
    """
    workspace = room.workspace
    stream = streams.find(workspace, ref, name)
    head = known.head_of(room, stream)
    life = known.life_of(room, stream)
    for each, _ in life:
        _fill(room, each)
    sources = {name for each, _ in life for name in room.inventory.sources(each.asset_id)}
    names = resolve.Names(workspace)
    units = _units(room, stream)
    return {
        "schema": "twin.stream/1",
        **_item(room, stream),
        "ledger": workspace.client.ledger_id,
        "created_at": stream.created_at,
        "anchors": head.anchors,
        "malformed": head.faults,
        "last": None if head.anchor is None else _anchor(room, stream, head.anchor),
        "sources": sorted(sources),
        **_epochs(room, stream),
        "bound_sources": [
            {"source": source, "public_key": key, "key_name": names.of_key(key)}
            for source, key in stream.sources
        ],
        "latest": [_latest(room, life, leaf, units) for leaf in known.latest_of(room, stream)],
        "series": {} if stream.is_encrypted else dict(sorted(known.kinds_of(room, stream).items())),
    }


def _epochs(room: Room, stream: Stream) -> Epochs:
    """Return the present epoch of a stream, and how many chunks are of one that had ended."""
    if stream.lock is None:
        return {"epoch": None, "epoch_due": False, "late_chunks": 0}
    history = locks.history(room.workspace, stream.lock)
    late = sum(
        entry.cid not in history.sealed
        for anchor in streams.anchors(room.workspace, stream)
        if history.is_late(anchor.epoch, anchor.height)
        for entry in anchor.chunks
    )
    return {
        "epoch": history.current.number,
        "epoch_due": sealing.is_left_open(room.workspace, stream.lock.twin_id),
        "late_chunks": late,
    }


def list_streams(room: Room, ref: str) -> StreamList:
    """Return the streams of a twin, those that count first.

    Returns:
        ``twin.streams/1``.
    """
    twin_id = resolve.asset_id_of(room.workspace, ref)
    found = streams.of_twin(room.workspace, twin_id)
    for stream in found:
        known.head_of(room, stream)
    return {
        "schema": "twin.streams/1",
        "twin_id": twin_id,
        "twin": resolve.asset_name(room.workspace, twin_id) or ref,
        "streams": [_item(room, stream) for stream in found],
    }


def latest(room: Room, twin_id: str) -> list[StreamValues]:
    """Return the latest values of a twin's streams, as far as they are its own word."""
    workspace = room.workspace
    speakers = Speakers(workspace.client)
    made: list[StreamValues] = []
    seen: set[str] = set()
    for stream in streams.of_twin(workspace, twin_id):
        if stream.standing != AUTHORISED or stream.name in seen:
            continue
        seen.add(stream.name)
        known.head_of(room, stream)
        life = known.life_of(room, stream)
        leaves = _counted(room, life, speakers, known.latest_of(room, stream))
        if not leaves:
            continue
        last = max(leaf.time_us for leaf in leaves)
        made.append(
            {
                "stream": stream.name,
                "timestamp": _text(last),
                "values": reading.nest((leaf.path, leaf.value) for leaf in leaves),
                "suspect": [leaf.path for leaf in leaves if leaf.suspect],
            }
        )
    return made


def _counted(room: Room, life: Life, speakers: Speakers, leaves: Sequence[Leaf]) -> list[Leaf]:
    """Return the values whose record counts about the twin."""
    standings: dict[str, str] = {}
    for leaf in leaves:
        if leaf.tx not in standings:
            entry = room.workspace.client.required(leaf.tx)
            stream = _stream_of(life, entry)
            topic = Topic(streams.READING, stream=stream.name)
            standings[leaf.tx] = speakers.of(stream.twin_id, entry, topic).standing
    return [
        leaf
        for leaf in leaves
        if standings[leaf.tx] == AUTHORISED and _is_signed(room, life, leaf) is not False
    ]


def _stream_of(life: Life, entry: Entry) -> Stream:
    """Return the stream in whose chain a record stands."""
    asset_id = asset_of(entry.tx)
    return next(stream for stream, _ in life if stream.asset_id == asset_id)


def _is_signed(room: Room, life: Life, leaf: Leaf) -> bool | None:
    """Say whether the key of its source signed a value; None where the source is free."""
    entry = room.workspace.client.required(leaf.tx)
    key = dict(_stream_of(life, entry).sources).get(leaf.source)
    return None if key is None else key in signers_of(entry.tx)


def _fill(room: Room, stream: Stream) -> None:
    """Read chunks that were not at hand before and are now."""
    for held in room.inventory.chunks(stream.asset_id):
        if held.observations is None:
            summary = known.summary_of(room, stream, held.entry)
            if summary is not None:
                room.inventory.fill(stream.asset_id, held, summary)


def _item(room: Room, stream: Stream) -> StreamItem:
    workspace = room.workspace
    totals = known.totals_of(room, stream)
    names = resolve.Names(workspace)
    return {
        "asset_id": stream.asset_id,
        "twin_id": stream.twin_id,
        "twin": resolve.asset_name(workspace, stream.twin_id),
        "stream": stream.name,
        "owner": "; ".join(names.owner(details) for details in stream.owners),
        "standing": stream.standing,
        "continues": stream.continues,
        "encrypted": stream.is_encrypted,
        "readings": totals.observations,
        "values": totals.values,
        "inline": totals.inline,
        "chunks": totals.chunks,
        "chunk_bytes": totals.bytes,
        "chunks_unread": totals.unread,
        "first_at": None if totals.first_us is None else _text(totals.first_us),
        "last_at": None if totals.last_us is None else _text(totals.last_us),
    }


def _anchor(room: Room, stream: Stream, tx_id: str) -> StreamAnchor:
    client = room.workspace.client
    entry = client.required(tx_id)
    kind = (record.envelope_of(entry.tx["metadata"]) or {}).get("kind")
    topic = Topic(str(kind), stream=stream.name)
    verdict = Speakers(client).of(stream.twin_id, entry, topic)
    keys = signers_of(entry.tx)
    return {
        "transaction_id": tx_id,
        "kind": str(kind),
        "height": entry.height,
        "at": claimed(entry.tx),
        "committed_at": times.told(entry.time_ms),
        "signers": [*keys],
        "signer_names": resolve.Names(room.workspace).of_keys(keys),
        "standing": verdict.standing,
        "via": verdict.via,
    }


def _units(room: Room, stream: Stream) -> dict[str, str]:
    """Return the units in which the template has the values of a stream, if it is here."""
    try:
        return rules.of_stream(room.workspace, stream.twin_id, stream.name).units
    except NotFoundError:
        return {}


def _latest(room: Room, life: Life, leaf: Leaf, units: Mapping[str, str]) -> LatestValue:
    return {
        "path": leaf.path,
        "timestamp": _text(leaf.time_us),
        "value": leaf.value,
        "unit": units.get(leaf.path) or leaf.unit or None,
        "source": leaf.source,
        "source_signed": _is_signed(room, life, leaf),
        "suspect": leaf.suspect,
        "transaction_id": leaf.tx,
    }


def _text(time_us: int) -> str:
    return times.microseconds_text(time_us, times.digits_of(time_us))
