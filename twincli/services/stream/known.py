"""What is known of a stream: its chain read on from where it was left, and its chunks."""

from __future__ import annotations

from twincli.content.inventory import Head, Inventory, Leaf, Summary, Taken, Totals
from twincli.errors import ConfigError, InvalidError, LockedError, UndeterminedError
from twincli.model import record
from twincli.model.batch import load_numpy
from twincli.services.stream import streams
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twincli.client.content import NodeContent
    from twincli.content.chunks import About, Chunk
    from twincli.content.copies import Copies
    from twincli.content.store import Blobs
    from twincli.model.batch import Array
    from twincli.model.manifest import Entry
    from twincli.services.privacy.chunks import SealedChunks
    from twincli.services.stream.streams import Anchor, Stream
    from twincli.services.workspace import Workspace


class Room(NamedTuple):
    """What streams are worked on with.

    Attributes:
        workspace: The ledger, keys and names.
        inventory: What streams hold, as far as it is known here.
        blobs: Content on this machine.
        copies: What chunks are read from.
        nodes: Nodes of twincli that get content before it is anchored.
        spool: Directory of readings that are on their way.
        rollups: File of the minutes of chunks, or None.
        sealed: Opens the chunks of encrypted streams; None: none can be.
    """

    workspace: Workspace
    inventory: Inventory
    blobs: Blobs
    copies: Copies
    nodes: Sequence[NodeContent] = ()
    spool: str | None = None
    rollups: str | None = None
    sealed: SealedChunks | None = None


Life = list[tuple["Stream", frozenset[str]]]
"""The streams that a stream consists of, the oldest first, itself last.

Each with the records of it that came after the next one was made, and do not belong to that.
"""


def head_of(room: Room, stream: Stream, fresh: Mapping[str, Summary] | None = None) -> Head:
    """Return how far a stream goes, its chain read to the end.

    Args:
        room: What it is worked on with.
        stream: The stream.
        fresh: What is in chunks that were written just now, by CID; others are read.
    """
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
        taken.append(_taken(room, stream, anchor, fresh or {}))
    return inventory.add(asset_id, head, taken)


def life_of(room: Room, stream: Stream) -> Life:
    """Return the streams that a stream consists of, all read to the end but itself."""
    client = room.workspace.client
    found: Life = []
    for past in streams.past(room.workspace, stream):
        head_of(room, past.stream)
        last = client.last(past.stream.asset_id)
        late: frozenset[str] = frozenset()
        if last is not None and not past.has(last.height):
            late = frozenset(
                entry.tx["id"]
                for entry in client.entries(past.stream.asset_id)
                if not past.has(entry.height)
            )
        found.append((past.stream, late))
    return [*found, (stream, frozenset())]


def kinds_of(room: Room, stream: Stream) -> dict[str, str]:
    """Return what each series of a stream holds, that of the ones that it takes up included."""
    if stream.lock is not None:
        return _sealed_kinds(room, stream)
    if stream.continues is None:
        return room.inventory.kinds(stream.asset_id)
    kinds: dict[str, str] = {}
    for each, late in life_of(room, stream):
        held = room.inventory.latest(each.asset_id)
        kinds |= {leaf.path: leaf.kind for leaf in held if leaf.tx not in late}
    return kinds


def units_of(room: Room, stream: Stream) -> dict[str, str]:
    """Return the units in which series are kept, as far as somebody said so."""
    if stream.lock is not None:
        return {
            name.partition(".")[2]: unit
            for about in _sealed_abouts(room, stream)
            for name, unit in about.units.items()
        }
    return {leaf.path: leaf.unit for leaf in latest_of(room, stream) if leaf.unit}


LOOKED_AT = 8
"""Chunks of an encrypted stream, the newest ones, that say what its series hold: nothing else may
know it."""


def _sealed_kinds(room: Room, stream: Stream) -> dict[str, str]:
    return {
        name.partition(".")[2]: kind
        for about in _sealed_abouts(room, stream)
        for name, kind in about.kinds.items()
    }


def _sealed_abouts(room: Room, stream: Stream) -> list[About]:
    """Return what the last chunks of an encrypted stream say, none where no key here opens them."""
    from twincli.content import chunks

    sealed, lock = room.sealed, stream.lock
    if sealed is None or lock is None or sealed.ring_or_none(lock) is None:
        return []
    found = []
    with chunks.Reader() as reader:
        for held in room.inventory.chunks(stream.asset_id)[-LOOKED_AT:]:
            try:
                with sealed.file(lock, held.entry, stream.name) as path:
                    found.append(reader.about(path))
            except (UndeterminedError, InvalidError, ConfigError, LockedError):
                continue
    return found


def latest_of(room: Room, stream: Stream) -> list[Leaf]:
    """Return the last value of each series, that of the ones that it takes up included."""
    found: dict[str, Leaf] = {}
    for each, late in life_of(room, stream):
        for leaf in room.inventory.latest(each.asset_id):
            before = found.get(leaf.path)
            if leaf.tx in late:
                continue
            if before is None or _order(before) <= _order(leaf):
                found[leaf.path] = leaf
    return [found[path] for path in sorted(found)]


def _order(leaf: Leaf) -> tuple[int, str, int]:
    return leaf.time_us, leaf.source, leaf.seq


def totals_of(room: Room, stream: Stream) -> Totals:
    """Return the sums over a stream, those of the ones that it takes up included."""
    if stream.continues is None:
        return room.inventory.totals(stream.asset_id)
    every = [room.inventory.totals(each.asset_id, late) for each, late in life_of(room, stream)]
    firsts = [each.first_us for each in every if each.first_us is not None]
    lasts = [each.last_us for each in every if each.last_us is not None]
    return Totals(
        sum(each.observations for each in every),
        sum(each.values for each in every),
        sum(each.inline for each in every),
        sum(each.chunks for each in every),
        sum(each.bytes for each in every),
        sum(each.unread for each in every),
        min(firsts, default=None),
        max(lasts, default=None),
    )


def _taken(room: Room, stream: Stream, anchor: Anchor, fresh: Mapping[str, Summary]) -> Taken:
    if stream.lock is not None:
        # Nothing of what is in it is kept; its rows stand in its record.
        chunks: tuple[tuple[Entry, Summary | None], ...] = tuple(
            (entry, Summary(entry.rows, (), frozenset())) for entry in anchor.chunks
        )
    else:
        chunks = tuple(
            (entry, fresh.get(entry.cid) or summary_of(room, stream, entry))
            for entry in anchor.chunks
        )
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
    from twincli.content import chunks

    if not room.blobs.has(entry.cid):
        raise UndeterminedError(
            f"the chunk {entry.cid} of {stream.name} is not here",
            code="missing_content",
            hint=f"twin file get {entry.cid} --node NODE -o FILE fetches it",
        )
    if stream.lock is not None:
        if room.sealed is None:
            raise LockedError(f"the stream {stream.name} is encrypted", code="no_grant")
        with room.sealed.file(stream.lock, entry, stream.name) as path, chunks.Reader() as reader:
            return reader.read(path, since_us=since_us, until_us=until_us)
    path = room.copies.path(entry, stream.name)
    with chunks.Reader() as reader:
        return reader.read(path, since_us=since_us, until_us=until_us)


def summary_of(room: Room, stream: Stream, entry: Entry) -> Summary | None:
    """Return what is in a chunk; None where it is not at hand, or cannot be read here."""
    try:
        return summarised(read_chunk(room, stream, entry))
    except (UndeterminedError, InvalidError, ConfigError):
        return None


def summarised(chunk: Chunk, observations: int | None = None) -> Summary:
    """Return what is in a chunk.

    Args:
        chunk: All of it.
        observations: How many it has, where that is known.
    """
    import json

    if observations is None:
        observations = _observations(chunk)

    latest: list[Leaf] = []
    sources: set[str] = set()
    prefix = len(chunk.about.stream) + 1
    for series in chunk.series:
        names = series.source.names
        sources.update(names[code] for code in _distinct(series.source.codes))
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
                chunk.about.units.get(series.name, ""),
            )
        )
    return Summary(observations, tuple(latest), frozenset(sources))


def _distinct(codes: Array) -> list[int]:
    np = load_numpy()
    found: list[int] = np.flatnonzero(np.bincount(codes)).tolist()
    return found


def _observations(chunk: Chunk) -> int:
    """Return how many there are: readings of one time, source and seq are one."""
    np = load_numpy()
    if len(chunk.series) == 1:
        return len(chunk.series[0].time)
    known: dict[str, int] = {}
    for series in chunk.series:
        for name in series.source.names:
            known.setdefault(name, len(known))
    columns = (
        np.concatenate([series.seq for series in chunk.series]),
        np.concatenate(
            [
                np.array([known[name] for name in series.source.names], dtype="int64")[
                    series.source.codes
                ]
                for series in chunk.series
            ]
        ),
        np.concatenate([series.time for series in chunk.series]),
    )
    order = np.lexsort(columns)
    fresh = np.zeros(max(0, len(order) - 1), dtype=bool)
    for column in columns:
        ordered = column[order]
        fresh |= ordered[1:] != ordered[:-1]
    return int(fresh.sum()) + bool(len(order))
