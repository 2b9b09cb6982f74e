"""What belongs in a twin's bundle: transactions of which assets, and which content.

The twin's chain; its streams and parts, and theirs; what others say about any of them; the
registrations of the templates that are pinned, and the identities that are named. So whatever the
twin's own services read to say whose word counts is there.

Strangers may say what they like about a twin, and name any CID. What they said is in the bundle;
content is only where somebody said it whose word counts: it may be content of something else.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from twincli.crypto import canonical, cid
from twincli.errors import InvalidError, NotFoundError
from twincli.formats import shipped
from twincli.formats.bundle import LeftOut
from twincli.model import manifest, names, record, times
from twincli.model.links import PART
from twincli.rules.authority import AUTHORISED, topic_of
from twincli.services import catalogue
from twincli.services.file import attached
from twincli.services.privacy import locks
from twincli.services.relations import Relations
from twincli.services.standing import Speakers, at_birth
from twincli.services.stream import streams
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from twincli.content.store import Blobs
    from twincli.ledger.reading import Entry
    from twincli.ledger.rows import Row
    from twincli.model.encryption import Sealed
    from twincli.model.manifest import Entry as Chunk
    from twincli.services.bundle.sources import Source
    from twincli.services.stream.streams import Stream
    from twincli.services.workspace import Workspace

_CID = re.compile(r'"cid":"(b[a-z2-7]{58})"')
_TEMPLATE = re.compile(r'"template_cid":"(b[a-z2-7]{58})"')
_DID = re.compile(r"did:bdb:(?:([0-9a-f]{16}):)?([0-9a-f]{64})")
_CHUNK = f'"kind":"{streams.CHUNK}"'
_WRAPS = '"wraps":'


class Chosen(NamedTuple):
    """What of a twin's content is wanted.

    Attributes:
        streams: Names; None: all.
        files: Names or CIDs; None: all.
        since_us: Readings from this time on; None: from the first.
        until_us: Readings before this time; None: up to the last.
    """

    streams: frozenset[str] | None = None
    files: frozenset[str] | None = None
    since_us: int | None = None
    until_us: int | None = None


class Gathered(NamedTuple):
    """What belongs in a bundle.

    Attributes:
        asset_id: The twin.
        seqs: Positions of the transactions in what they were read from, in order.
        content: CIDs of content to take in, in order.
        wraps: Which of these are wraps of keys.
        made: Content that is in no store: the templates, by CID.
        left_out: What was chosen to be left out.
    """

    asset_id: str
    seqs: list[int]
    content: list[str]
    wraps: frozenset[str]
    made: dict[str, bytes]
    left_out: list[LeftOut]


def gather(
    workspace: Workspace, source: Source, blobs: Blobs, asset_id: str, chosen: Chosen
) -> Gathered:
    """Return what belongs in the bundle of a twin.

    Args:
        workspace: The ledger, and the time.
        source: The same ledger, by its rows.
        blobs: Content, for the names of files.
        asset_id: The twin.
        chosen: What is wanted.

    Raises:
        NotFoundError: There is no such stream or file.
    """
    gathering = _Gathering(workspace, source, chosen)
    gathering.files = _files(workspace, blobs, asset_id, chosen.files)
    gathering.twin(asset_id)
    if chosen.streams is not None:
        unknown = chosen.streams - gathering.known_streams
        if unknown:
            raise _no_stream(min(unknown), gathering.known_streams)
    return Gathered(
        asset_id,
        sorted(gathering.seqs),
        sorted(gathering.content - gathering.made.keys()),
        frozenset(gathering.wraps),
        gathering.made,
        gathering.left_out,
    )


def _no_stream(name: str, known: Iterable[str]) -> NotFoundError:
    listed = sorted(known)
    near = names.near(name, listed)
    if near:
        hint = f"did you mean {near}?"
    else:
        hint = f"it has {', '.join(listed)}" if listed else "it has none; leave --streams out"
    return NotFoundError(f"the twin has no stream {name!r}", hint=hint)


def _files(
    workspace: Workspace, blobs: Blobs, asset_id: str, wanted: frozenset[str] | None
) -> frozenset[str] | None:
    """Return the CIDs of the files that are wanted; None: all."""
    if wanted is None:
        return None
    items = list(attached.of_twin(workspace, blobs, asset_id)) if wanted else []
    return frozenset(str(attached.one(items, "the twin", name)["cid"]) for name in sorted(wanted))


class _Gathering:
    """The work of `gather`.

    Attributes:
        files: CIDs of the files that are wanted; None: all.
        known_streams: Names of the streams of all twins that were met.
    """

    def __init__(self, workspace: Workspace, source: Source, chosen: Chosen) -> None:
        self._workspace, self._source, self._chosen = workspace, source, chosen
        self._client = workspace.client
        self._speakers = Speakers(workspace.client)
        self._relations = Relations(workspace)
        self._taken: set[str] = set()
        self._looked: set[str] = set()
        self._templates: set[str] = set()
        self._left: set[str] = set()
        self.files: frozenset[str] | None = None
        self.known_streams: set[str] = set()
        self.seqs: set[int] = set()
        self.content: set[str] = set()
        self.wraps: set[str] = set()
        self.made: dict[str, bytes] = {}
        self.left_out: list[LeftOut] = []

    def twin(self, asset_id: str) -> None:
        """Take in a twin with its streams and parts, and theirs."""
        waiting = [asset_id]
        while waiting:
            one = waiting.pop()
            if one in self._looked:
                continue
            self._looked.add(one)
            self._chain(one, is_trusted=True)
            self._statements(one)
            waiting += self._belonging(one)

    def _entry(self, asset_id: str) -> Entry | None:
        """Return an asset's CREATE, None where it is not on the ledger, or came later."""
        return self._client.entry(asset_id) if self._source.has(asset_id) else None

    def _statements(self, asset_id: str) -> None:
        """Take in what others say about an asset."""
        for other in self._client.assets_with("about", asset_id):
            entry = self._entry(other)
            if entry is None:
                continue
            envelope = record.creating_envelope(entry.tx)
            kind, body = envelope.get("says"), envelope.get("body")
            topic = topic_of(
                kind if isinstance(kind, str) else "", body if isinstance(body, dict) else {}
            )
            standing = self._speakers.of(asset_id, entry, topic).standing
            self._chain(other, is_trusted=standing == AUTHORISED)

    def _belonging(self, asset_id: str) -> Iterator[str]:
        """Take in an asset's streams; yield the parts that its owner says it has."""
        known = {stream.asset_id: stream for stream in streams.of_twin(self._workspace, asset_id)}
        for part in self._client.assets_with("parent", asset_id):
            entry = self._entry(part)
            if entry is None:
                continue
            stream = known.get(part)
            if stream is not None:
                self._stream(stream)
            elif at_birth(self._client, asset_id, entry) == AUTHORISED:
                yield part
            else:
                self._chain(part, is_trusted=False)
        for link in self._relations.of([asset_id]):
            said = link.said
            is_whole = said.verb == PART and said.source == asset_id
            if is_whole and link.standing == AUTHORISED and self._entry(said.target) is not None:
                yield said.target

    def _stream(self, stream: Stream) -> None:
        is_trusted = stream.standing == AUTHORISED
        self.known_streams.add(stream.name)
        wanted = self._chosen.streams
        if wanted is None or stream.name in wanted:
            self._chain(stream.asset_id, is_trusted=is_trusted, stream=stream)
            self._statements(stream.asset_id)
            return
        # That there is a stream is said; what is recorded in it is not.
        rows = self._rows(stream.asset_id)
        create = next(rows)
        self._taken.add(stream.asset_id)
        self.seqs.add(create.seq)
        self._scan(create, is_trusted=is_trusted)
        count = sum(1 for _ in rows)
        if count:
            self.left_out.append(LeftOut("stream", stream=stream.name, number=count))

    def _rows(self, asset_id: str) -> Iterator[Row]:
        return self._source.rows(asset_id)

    def _chain(self, asset_id: str, *, is_trusted: bool, stream: Stream | None = None) -> None:
        """Take in all transactions of an asset, and what they name."""
        if asset_id in self._taken:
            return
        self._taken.add(asset_id)
        before: list[Chunk] = []
        after: list[Chunk] = []
        lock = None if stream is None else stream.lock
        sealed = {} if lock is None else locks.history(self._workspace, lock).sealed
        for row in self._rows(asset_id):
            self.seqs.add(row.seq)
            if stream is not None and _CHUNK in row.body:
                if is_trusted:
                    self._chunks(row, before, after, sealed)
            else:
                self._scan(row, is_trusted=is_trusted)
        if stream is not None:
            self.left_out += [_span(stream.name, each) for each in (before, after) if each]

    def _chunks(
        self, row: Row, before: list[Chunk], after: list[Chunk], sealed: Mapping[str, Sealed]
    ) -> None:
        """Take in the chunks that a record names, as far as they are in the range.

        In place of a chunk that was encrypted again that is taken in: its own bytes open to
        somebody who was shut out.
        """
        envelope = record.envelope_of(row.tx["metadata"]) or {}
        try:
            found = manifest.read(envelope.get("body"))
        except InvalidError:
            return
        for chunk in found.chunks:
            if self._chosen.since_us is not None and chunk.last_us < self._chosen.since_us:
                before.append(chunk)
            elif self._chosen.until_us is not None and chunk.first_us >= self._chosen.until_us:
                after.append(chunk)
            elif chunk.cid in sealed:
                self.content.add(sealed[chunk.cid].cid)
                self.left_out.append(LeftOut("file", cid=chunk.cid))
            else:
                self.content.add(chunk.cid)

    def _scan(self, row: Row, *, is_trusted: bool) -> None:
        """Take in what a transaction names: files, templates, identities."""
        text = row.body
        if is_trusted and '"cid":"' in text:
            files = set(_CID.findall(text))
            if _WRAPS in text:
                told = json.loads(text)
                wraps = set(_listed(told, "wraps"))
                self.wraps |= wraps
                self.content |= wraps
                # What was encrypted again comes with its stream.
                files -= wraps | set(_listed(told, "sealed"))
            self._take_files(files)
        if '"template_cid":"' in text:
            for wanted in _TEMPLATE.findall(text):
                self._template(row, wanted)
        if "did:bdb:" in text:
            for ledger_id, named in _DID.findall(text):
                if self._source.ledger_id.startswith(ledger_id) and named not in self._taken:
                    self._identity(named)

    def _take_files(self, cids: Iterable[str]) -> None:
        for named in sorted(cids):
            if self.files is None or named in self.files:
                self.content.add(named)
            elif named not in self._left:
                self._left.add(named)
                self.left_out.append(LeftOut("file", cid=named))

    def _template(self, row: Row, wanted: str) -> None:
        if wanted in self._templates:
            return
        self._templates.add(wanted)
        pin = catalogue.pinned_by(row.tx)
        data = None if pin is None else shipped.data(pin.template)
        for registering in self._client.assets_with("compiled", wanted)[: catalogue.MOST_ALIKE]:
            entry = self._entry(registering)
            if entry is not None:
                self._chain(registering, is_trusted=False)
                data = canonical.encode(record.without_envelope(entry.tx["asset"]["data"]))
        if data is not None and cid.of(data).text == wanted:
            self.made[wanted] = data

    def _identity(self, asset_id: str) -> None:
        entry = self._entry(asset_id)
        if entry is not None and record.creating_envelope(entry.tx).get("kind") == record.IDENTITY:
            self._chain(asset_id, is_trusted=False)


def _span(stream: str, chunks: list[Chunk]) -> LeftOut:
    first = min(chunk.first_us for chunk in chunks)
    last = max(chunk.last_us for chunk in chunks)
    return LeftOut(
        "stream",
        stream=stream,
        since=times.microseconds_text(first, 6),
        until=times.microseconds_text(last, 6),
        number=len(chunks),
    )


def _listed(value: Any, name: str) -> Iterator[str]:
    """Yield the CIDs in all lists of a name in a transaction."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            listed = each.get(name)
            for item in listed if isinstance(listed, list) else ():
                named = item.get("cid") if isinstance(item, dict) else None
                if isinstance(named, str) and attached.is_cid(named):
                    yield named
            waiting += each.values()
