"""The streams of a twin and what is recorded in them, read from a ledger.

A stream is an asset of its own: a CREATE of kind ``stream`` that names the twin as its ``parent``.
Its chain holds records of kind ``reading``, in which the readings stand, and of kind ``chunk``,
which name the files that hold them. Whose word they are about the twin is judged one by one.
"""

from __future__ import annotations

from twincli.errors import InvalidError, NotFoundError
from twincli.model import encryption, inline, manifest, names, record, times
from twincli.model.transaction import signers_of
from twincli.rules.authority import AUTHORISED, STANDINGS, Topic
from twincli.services import resolve
from twincli.services.asset.document import claimed
from twincli.services.privacy import locks
from twincli.services.standing import Speakers, owners_now
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.ledger.reading import Entry
    from twincli.model.inline import Inline
    from twincli.model.manifest import Entry as ChunkEntry
    from twincli.services.privacy.locks import Lock
    from twincli.services.workspace import Workspace

READING, CHUNK = KINDS = ("reading", "chunk")
"""The kinds of records that a stream holds."""

RESERVED = frozenset(
    (
        *("events", "states", "stages", "maintenance", "certifications"),
        *("files", "links", "grants", "facts", "state", "history"),
    )
)
"""Names that queries ask records by."""
MAX_NAME = manifest.MAX_NAME
MAX_PAST = 1000
"""How many streams that take each other up are read."""
MAX_SOURCES = 100
"""Sources of a stream that are bound to keys."""


class Stream(NamedTuple):
    """A stream.

    Attributes:
        asset_id: The asset.
        twin_id: The twin it says it belongs to.
        name: Its name.
        standing: One of ``authority.STANDINGS``: whose word it is that the twin has it.
        owners: The conditions that hold it.
        created_at: When it was committed, or None.
        height: Of the block that has its CREATE, or None.
        continues: The stream whose life it takes up, or None.
        sources: Names of sources, each with the public key that has to sign its readings.
        is_encrypted: Whether its CREATE states that it is.
        lock: Its epochs begin with this one; None: it is not encrypted, or malformed.
    """

    asset_id: str
    twin_id: str
    name: str
    standing: str
    owners: tuple[dict[str, Any], ...]
    created_at: str | None
    height: int | None = None
    continues: str | None = None
    sources: tuple[tuple[str, str], ...] = ()
    is_encrypted: bool = False
    lock: Lock | None = None


class Past(NamedTuple):
    """A stream that another one takes up.

    Attributes:
        stream: The older one.
        until: The height at which the newer one was made; what the older one holds after it does
            not belong to the newer one. None: that is not known yet.
    """

    stream: Stream
    until: int | None

    def has(self, height: int | None) -> bool:
        """Say whether a record at a height belongs to the newer one, too."""
        return self.until is None or (height is not None and height <= self.until)


class Anchor(NamedTuple):
    """A record of a stream.

    Attributes:
        tx_id: The transaction.
        kind: ``reading`` or ``chunk``.
        height: Of its block, or None.
        at: As the signer claims, or None.
        committed_at: When it was committed, or None.
        signers: Public keys.
        standing: One of ``authority.STANDINGS``.
        via: The grant or link by which it counts, or None.
        readings: Of kind ``reading``.
        chunks: Of kind ``chunk``.
        fault: Why its body cannot be read; then it has neither.
        unsigned: Sources whose keys did not sign it: what it says of them does not count.
        epoch: Of kind ``chunk``: the epoch to which they are encrypted, or None.
    """

    tx_id: str
    kind: str
    height: int | None
    at: str | None
    committed_at: str | None
    signers: tuple[str, ...]
    standing: str
    via: str | None
    readings: tuple[Inline, ...] = ()
    chunks: tuple[ChunkEntry, ...] = ()
    fault: str | None = None
    unsigned: frozenset[str] = frozenset()
    epoch: int | None = None


def check_name(name: str) -> str:
    """Return a name that a stream may have.

    Raises:
        InvalidError: ``invalid_name``.
    """
    why = None
    if not 0 < len(name) <= MAX_NAME or name != name.strip() or not name.isprintable():
        why = f"it has 1 to {MAX_NAME} visible characters"
    elif "." in name or name.startswith(("$", "-")):
        why = "it has no dot and does not begin with $ or -"
    elif name in RESERVED:
        why = "records of that kind are asked for by it"
    if why is not None:
        raise InvalidError(f"{name!r} is not a name of a stream: {why}", code="invalid_name")
    return name


def of_twin(workspace: Workspace, twin_id: str) -> list[Stream]:
    """Return the streams that name a twin as theirs, those whose word counts first.

    One that another of the same name takes up comes after it.
    """
    client = workspace.client
    found = []
    speakers = Speakers(client)
    for asset_id in client.assets_with("parent", twin_id):
        entry = client.required(asset_id)
        stream = _stream(workspace, speakers, entry)
        if stream is not None and stream.twin_id == twin_id:
            found.append(stream)
    taken_up = {
        (stream.continues, stream.name) for stream in found if stream.standing == AUTHORISED
    }
    return sorted(
        found,
        key=lambda stream: (
            STANDINGS.index(stream.standing),
            (stream.asset_id, stream.name) in taken_up,
        ),
    )


def past(workspace: Workspace, stream: Stream) -> list[Past]:
    """Return the streams that a stream takes up, the oldest first; none where it does not count."""
    if stream.continues is None or stream.standing != AUTHORISED:
        return []
    known = {each.asset_id: each for each in of_twin(workspace, stream.twin_id)}
    found: list[Past] = []
    while stream.continues in known and len(found) < MAX_PAST:
        found.append(Past(known[stream.continues], stream.height))
        stream = found[-1].stream
    return found[::-1]


def _stream(workspace: Workspace, speakers: Speakers, entry: Entry) -> Stream | None:
    envelope = record.creating_envelope(entry.tx)
    name, parent = envelope.get("name"), envelope.get("parent")
    if envelope.get("kind") != record.STREAM or not isinstance(parent, str):
        return None
    try:
        check_name(name if isinstance(name, str) else "")
    except InvalidError:
        return None
    assert isinstance(name, str)
    verdict = speakers.of(parent, entry, Topic(record.STREAM, stream=name))
    return Stream(
        entry.tx["id"],
        parent,
        name,
        verdict.standing,
        tuple(owners_now(workspace.client, entry.tx["id"])),
        times.told(entry.time_ms),
        entry.height,
        record.text(envelope.get("continues")),
        _sources(envelope.get("sources")),
        encryption.is_stated(envelope),
        locks.of_stream(entry),
    )


def _sources(value: Any) -> tuple[tuple[str, str], ...]:
    """Return the sources that a CREATE binds to keys, as far as it is well formed."""
    if not isinstance(value, dict) or len(value) > MAX_SOURCES:
        return ()
    from twincli.model import did

    found = []
    for name, text in value.items():
        try:
            named = did.parse(text if isinstance(text, str) else "")
        except InvalidError:
            continue
        if named.public_key is not None:
            found.append((name, named.public_key))
    return tuple(found)


def find_or_none(workspace: Workspace, twin_id: str, name: str) -> Stream | None:
    """Return the stream of that name whose word counts most, the first one of several."""
    return next((stream for stream in of_twin(workspace, twin_id) if stream.name == name), None)


def is_encrypted(workspace: Workspace, ref: str, name: str) -> bool:
    """Say whether a stream of a twin is there and encrypted."""
    found = find_or_none(workspace, resolve.asset_id_of(workspace, ref), name)
    return found is not None and found.is_encrypted


def find(workspace: Workspace, ref: str, name: str) -> Stream:
    """Return a stream of a twin.

    Args:
        workspace: Rooms.
        ref: The twin.
        name: The stream.

    Raises:
        NotFoundError: ``not_found``, with a near name.
    """
    known = of_twin(workspace, resolve.asset_id_of(workspace, ref))
    for stream in known:
        if stream.name == name:
            return stream
    listed = list(dict.fromkeys(stream.name for stream in known))
    near = names.near(name, listed)
    if near:
        hint = f"did you mean {near}?"
    else:
        hint = f"it has {', '.join(listed)}" if listed else f"twin stream push {ref} {name} ..."
    raise NotFoundError(f"{ref} has no stream {name!r}", hint=hint)


def anchors(workspace: Workspace, stream: Stream, after: str | None = None) -> Iterator[Anchor]:
    """Yield the records of a stream in the order of its chain.

    Args:
        workspace: Rooms.
        stream: The stream.
        after: Only those after this transaction.
    """
    speakers = Speakers(workspace.client)
    for entry in workspace.client.entries(stream.asset_id, after):
        envelope = record.envelope_of(entry.tx["metadata"]) or {}
        kind = envelope.get("kind")
        if entry.tx["operation"] == "CREATE" or kind not in KINDS:
            continue
        verdict = speakers.of(stream.twin_id, entry, Topic(kind, stream=stream.name))
        signers = tuple(signers_of(entry.tx))
        made = Anchor(
            entry.tx["id"],
            kind,
            entry.height,
            claimed(entry.tx),
            times.told(entry.time_ms),
            signers,
            verdict.standing,
            verdict.via,
            unsigned=frozenset(name for name, key in stream.sources if key not in signers),
        )
        yield with_body(made, stream.name, envelope.get("body"))


def with_body(anchor: Anchor, stream_name: str, body: Any) -> Anchor:
    """Return an anchor with what its body says, or with why it says nothing."""
    try:
        if anchor.kind == READING:
            return anchor._replace(readings=inline.read(body))
        found = manifest.read(body)
    except InvalidError as error:
        return anchor._replace(fault=error.message)
    if found.stream != stream_name:
        return anchor._replace(fault=f"it names another stream, {found.stream}")
    return anchor._replace(chunks=found.chunks, epoch=found.epoch)
