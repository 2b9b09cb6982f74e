"""What is said about twins: by whom, whether they might, and the content that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.crypto import cid as cids
from twincli.errors import InvalidError, NotVerifiedError
from twincli.model import bodies, record
from twincli.rules.authority import AUTHORISED, UNDETERMINED
from twincli.services.file import attached
from twincli.services.proof.evidence import Finding
from twincli.services.proof.report import AUTHORITY
from twincli.services.record.records import CHAIN, records
from twincli.services.standing import Speakers
from twincli.services.stream import streams
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from twincli.services.proof.evidence import Evidence
    from twincli.services.proof.report import Part
    from twincli.services.record.records import Record
    from twincli.services.workspace import Workspace

_PIECE_BYTES = 1 << 20
_NAMING = (record.FILE, *attached.NAMING)


class Named(NamedTuple):
    """Content that a transaction commits to.

    Attributes:
        cid: Its CID.
        profile: As it was stated, or None.
        tx_id: The transaction.
        stream: The stream whose readings it has, None for a file.
    """

    cid: str
    profile: str | None
    tx_id: str
    stream: str | None = None


def check(
    workspace: Workspace, asset_ids: Iterable[str], parts: Mapping[str, Part]
) -> Iterator[Named]:
    """Judge what is said about some assets; yield the content that those name who might say so.

    Args:
        workspace: The ledger.
        asset_ids: The assets.
        parts: Take what is found.
    """
    part = parts[AUTHORITY]
    part.look(0)
    speakers = Speakers(workspace.client)
    for asset_id in asset_ids:
        tx = workspace.client.required(asset_id).tx
        envelope = record.creating_envelope(tx)
        parent = envelope.get("parent")
        if isinstance(parent, str) and envelope.get("kind") != record.STREAM:
            _belongs(workspace, speakers, parent, asset_id, part)
        for stream in streams.of_twin(workspace, asset_id):
            yield from _of_stream(workspace, stream, part)
        for found in records(workspace, asset_id, record.RECORD_KINDS, by=CHAIN):
            if found.standing is not None:
                judged(part, found.tx_id, found.kind, found.standing)
            if found.standing == AUTHORISED and found.kind in _NAMING:
                yield from _files(found)


def judged(part: Part, tx_id: str, what: str, standing: str) -> None:
    """Count a statement; what does not count is noted, since anybody can say anything."""
    part.look()
    if standing == AUTHORISED:
        return
    if standing == UNDETERMINED:
        said = f"whether this {what} counts could not be told"
        part.missing.append(Finding("authority_undetermined", tx_id, said))
    else:
        said = f"this {what} does not count: {standing.replace('_', ' ')}"
        part.noted.append(Finding(standing, tx_id, said))


def _belongs(
    workspace: Workspace, speakers: Speakers, parent: str, asset_id: str, part: Part
) -> None:
    if workspace.client.entry(parent) is None:
        said = f"the asset {parent} that it belongs to is not in the evidence"
        part.noted.append(Finding("missing_reference", asset_id, said))
        return
    judged(part, asset_id, "part", speakers.of_part(parent, asset_id).standing)


def _of_stream(workspace: Workspace, stream: streams.Stream, part: Part) -> Iterator[Named]:
    judged(part, stream.asset_id, "stream", stream.standing)
    for anchor in streams.anchors(workspace, stream):
        judged(part, anchor.tx_id, anchor.kind, anchor.standing)
        if anchor.fault is not None:
            said = f"it cannot be read: {anchor.fault}"
            part.noted.append(Finding("invalid_record", anchor.tx_id, said))
        if anchor.standing == AUTHORISED:
            for chunk in anchor.chunks:
                yield Named(chunk.cid, None, anchor.tx_id, stream.name)


def _files(found: Record) -> Iterator[Named]:
    listed = [found.body]
    if found.kind != record.FILE:
        listed = bodies.read(found.kind, found.body).stated.get("attachments", [])
    for each in listed:
        stated = attached.of_body(each)
        if stated["cid"] is not None:
            yield Named(stated["cid"], stated["profile"], found.tx_id)


def contents(evidence: Evidence, named: Iterable[Named], part: Part) -> None:
    """Compare content with the CIDs that transactions commit to, each once."""
    seen: set[str] = set()
    left = {(item.what, item.of) for item in evidence.left_out}
    for item in named:
        if item.cid in seen or not evidence.holds_content:
            continue
        seen.add(item.cid)
        part.look()
        matches = _matches(evidence, item)
        if matches is False:
            said = f"the content is not what its CID says; {item.tx_id} names it"
            part.altered.append(Finding("altered", item.cid, said))
        elif matches is None and left & {("stream", item.stream), ("file", item.cid)}:
            said = f"it was left out; {item.tx_id} commits to it"
            part.noted.append(Finding("left_out", item.cid, said))
        elif matches is None:
            said = f"the content is missing; {item.tx_id} commits to it"
            part.missing.append(Finding("missing_content", item.cid, said))
    for cid in evidence.cids():
        if cid in seen:
            continue
        part.look()
        if not _matches(evidence, Named(cid, None, "")):
            said = "the content is not what its CID says"
            part.altered.append(Finding("altered", cid, said))


def _matches(evidence: Evidence, item: Named) -> bool | None:
    stream = evidence.content(item.cid)
    if stream is None:
        return None
    with stream:
        try:
            matcher = cids.Matcher(item.cid, item.profile)
            while piece := stream.read(_PIECE_BYTES):
                matcher.update(piece)
        except (InvalidError, NotVerifiedError, OSError):
            return False
    return matcher.matches
