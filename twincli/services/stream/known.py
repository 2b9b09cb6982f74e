"""What is known of a stream: its chain read on from where it was left, and its chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.content.inventory import Head, Inventory, Leaf, Summary, Taken
from twincli.errors import ConfigError, InvalidError, UndeterminedError
from twincli.model import record
from twincli.services.stream import streams
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.client.content import NodeContent
    from twincli.content.chunks import Chunk
    from twincli.content.store import Blobs
    from twincli.model.manifest import Entry
    from twincli.services.stream.streams import Anchor, Stream
    from twincli.services.workspace import Workspace


class Room(NamedTuple):
    """What streams are worked on with.

    Attributes:
        workspace: The ledger, keys and names.
        inventory: What streams hold, as far as it is known here.
        blobs: Content on this machine.
        nodes: Nodes of twincli that get content before it is anchored.
        spool: Directory of readings that are on their way.
    """

    workspace: Workspace
    inventory: Inventory
    blobs: Blobs
    nodes: Sequence[NodeContent] = ()
    spool: str | None = None


def head_of(room: Room, stream: Stream) -> Head:
    """Return how far a stream goes, its chain read to the end."""
    client, inventory, asset_id = room.workspace.client, room.inventory, stream.asset_id
    head = inventory.head(asset_id)
    last = client.last(asset_id)
    if last is None or last.tx["id"] == head.tip:
        return head
    if head.tip is not None and client.entry(head.tip) is None:
        inventory.forget(asset_id)  # this ledger is another one, or an older copy
        head = Head()
    taken = []
    for entry in client.entries(asset_id, head.tip):
        envelope = record.envelope_of(entry.tx["metadata"]) or {}
        kind = envelope.get("kind")
        if entry.tx["operation"] == "CREATE" or kind not in streams.KINDS:
            taken.append(Taken(entry.tx["id"], is_anchor=False))
            continue
        plain = streams.Anchor(entry.tx["id"], kind, None, None, None, (), "", None)
        anchor = streams.with_body(plain, stream.name, envelope.get("body"))
        taken.append(_taken(room, stream, anchor))
    return inventory.add(asset_id, head, taken)


def _taken(room: Room, stream: Stream, anchor: Anchor) -> Taken:
    chunks = tuple((entry, summary_of(room, stream, entry)) for entry in anchor.chunks)
    is_fault = anchor.fault is not None
    return Taken(anchor.tx_id, readings=anchor.readings, chunks=chunks, is_fault=is_fault)


def read_chunk(
    room: Room,
    stream: Stream,
    entry: Entry,
    since_us: int | None = None,
    until_us: int | None = None,
) -> Chunk:
    """Return what a chunk holds, that of somebody else by a process with limits.

    Raises:
        UndeterminedError: It is not here.
        InvalidError: ``invalid_chunk``.
        ConfigError: ``missing_extra``, ``damaged_chunk``.
    """
    from twincli.content import chunks, foreign

    if not room.blobs.has(entry.cid):
        raise UndeterminedError(
            f"the chunk {entry.cid} of {stream.name} is not here",
            code="missing_content",
            hint=f"twin file get {entry.cid} --node NODE -o FILE fetches it",
        )
    path = room.blobs.path(entry.cid)
    if room.inventory.is_ours(entry.cid):
        with chunks.Reader() as reader:
            return reader.read(path, since_us=since_us, until_us=until_us)
    return foreign.read(path, entry, stream.name)


def summary_of(room: Room, stream: Stream, entry: Entry) -> Summary | None:
    """Return what is in a chunk; None where it is not at hand, or cannot be read here."""
    try:
        return summarised(read_chunk(room, stream, entry))
    except (UndeterminedError, InvalidError, ConfigError):
        return None


def summarised(chunk: Chunk) -> Summary:
    """Return what is in a chunk."""
    import json

    seen: set[tuple[int, str, int]] = set()
    latest: list[Leaf] = []
    sources: set[str] = set()
    prefix = len(chunk.about.stream) + 1
    for series in chunk.series:
        names = series.source.names
        seen.update(
            zip(
                series.time.tolist(),
                (names[code] for code in series.source.codes.tolist()),
                series.seq.tolist(),
                strict=True,
            )
        )
        sources.update(names)
        value = series.values[-1]
        value = value.item() if hasattr(value, "item") else value
        latest.append(
            Leaf(
                series.name[prefix:],
                int(series.time[-1]),
                names[series.source.codes[-1]],
                int(series.seq[-1]),
                json.loads(value) if series.kind == "list" else value,
                bool(series.suspect[-1]),
                "",
                series.kind,
            )
        )
    return Summary(len(seen), tuple(latest), frozenset(sources))
