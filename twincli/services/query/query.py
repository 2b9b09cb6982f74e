"""Ask the streams of a twin: rows, or aggregates of buckets of time."""

from __future__ import annotations

from twincli.analysis.summary import MERGEABLE
from twincli.errors import TwinError, UsageError
from twincli.model import record, times
from twincli.model.template import RESERVED_STREAMS
from twincli.rules.authority import AUTHORISED, OWNER
from twincli.services import resolve
from twincli.services.query import answers, asked, pieces
from twincli.services.query.pieces import Held, Piece
from twincli.services.stream import streams
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twincli.model.manifest import Entry
    from twincli.services.documents import Queried
    from twincli.services.query.answers import Answer
    from twincli.services.query.asked import Asked, Typed
    from twincli.services.query.feed import Feed
    from twincli.services.stream.streams import Stream
    from twincli.services.workspace import Workspace

COUNTED = frozenset((OWNER.standing, AUTHORISED))


class Found(NamedTuple):
    """An answer and what is said of it.

    Attributes:
        answer: Columns and rows.
        digits: Of the second, in the times of the rows.
        nulls: Whether a value that is not there is null, as in buckets that were filled.
        document: ``twin.query/1`` without its rows.
        warnings: What was left out.
        truncated: Whether there are more rows than ``--limit``.
        is_private: Whether some of it is encrypted where it is kept, and may be on no disk.
    """

    answer: Answer
    digits: int
    nulls: bool
    document: Queried
    warnings: tuple[str, ...]
    truncated: bool
    is_private: bool = False

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield the rows as objects."""
        return answers.documents(self.answer, self.digits, nulls=self.nulls)


class Streams(NamedTuple):
    """The streams that are asked.

    Attributes:
        twin_id: Whose they are.
        held: What they hold.
        warnings: What they hold that does not count.
    """

    twin_id: str
    held: tuple[Held, ...]
    warnings: tuple[str, ...]


def query(workspace: Workspace, feed: Feed, ref: str, typed: Typed) -> Found:
    """Answer a question about streams of a twin.

    All chunks in the range are checked before the first row comes.

    Args:
        workspace: Rooms.
        feed: Reads chunks.
        ref: The twin.
        typed: What is asked.

    Raises:
        UsageError: The question is malformed.
        NotFoundError: ``not_found``: the twin, or a stream.
        InvalidError: ``not_a_number``; ``invalid_chunk``, ``type_changed``.
        NotVerifiedError: ``altered``.
        UndeterminedError: ``missing_content``.
    """
    question = asked.read(typed, workspace.now())
    if not question.streams:
        raise UsageError(
            "name a stream with --stream",
            hint=f"twin query {ref} --stream NAME; to see them: twin stream list {ref}",
        )
    if not streams.RESERVED.isdisjoint(question.streams):
        from twincli.services.query import recorded

        if not set(recorded.STREAMS).isdisjoint(question.streams):
            return _of_records(workspace, ref, question)
    found = opened(workspace, feed, ref, question.streams)
    return answered(feed, question, found)


def _of_records(workspace: Workspace, ref: str, question: Asked) -> Found:
    """Answer a question about events, states, stages or maintenance."""
    from twincli.services.query import recorded

    others = [name for name in question.streams if name not in recorded.STREAMS]
    if others:
        raise UsageError(
            f"{others[0]} has readings, and cannot be asked together with records",
            hint="ask in two commands, or leave one --stream out",
        )
    found = recorded.answered(workspace, ref, question)
    answer, truncated = found.answer, False
    if question.limit is not None:
        answer, truncated = answers.cut(answer, question.limit)
    document: Queried = {
        "schema": "twin.query/1",
        "asset_id": found.twin_id,
        "streams": [{"name": name, "id": found.twin_id} for name in question.streams],
        "columns": [column.path for column in answer.columns],
        "truncated": truncated,
        "chunks": [],
        "transactions": [],
        "from_rollups": 0,
        "warnings": [*found.warnings],
    }
    return Found(
        answer,
        digits=3,
        nulls=False,
        document=document,
        warnings=found.warnings,
        truncated=truncated,
    )


def answered(feed: Feed, question: Asked, found: Streams) -> Found:
    """Answer a question about streams that are known."""
    from twincli.services.query import minutes

    used = _used(question, found.held)
    entries = [piece.entry for piece in used if piece.entry is not None]
    _check(feed, question, entries)
    answer = minutes.answer(feed, question, found.held)
    made = None
    if answer is None:
        from twincli.services.query.aggregates import Aggregates
        from twincli.services.query.rows import Rows

        made = (Aggregates if question.aggregates else Rows)(feed, question, found.held)
        answer = made.answer()
    truncated = False
    if question.limit is not None:
        answer, truncated = answers.cut(answer, question.limit)
    warnings = [*found.warnings]
    if made is not None and made.conflicts:
        warnings.append(
            f"{made.conflicts} readings were given twice with different values; the first one"
            " of each counts"
        )
    known = {column.path for column in answer.columns}
    warnings += [
        f"no reading in this range has {field}"
        for field in question.fields
        if field not in answers.ABOUT and not _is_there(field, known, question)
    ]
    digits = 3
    if not question.aggregates:
        digits = max((_digits(piece) for piece in used), default=3)
    return Found(
        answer,
        digits,
        question.fill is not None,
        {
            "schema": "twin.query/1",
            "asset_id": found.twin_id,
            "streams": [{"name": each.name, "id": each.asset_id} for each in found.held],
            "columns": [column.path for column in answer.columns],
            "truncated": truncated,
            "chunks": list(dict.fromkeys(entry.cid for entry in entries)),
            "transactions": list(dict.fromkeys(piece.tx_id for piece in used)),
            "from_rollups": len(feed.from_rollups),
            "warnings": warnings,
        },
        tuple(warnings),
        truncated,
        any(piece.lock is not None for piece in used),
    )


def _is_there(field: str, known: set[str], question: Asked) -> bool:
    ends = [""] if len(question.aggregates) < 2 else [f"_{name}" for name in question.aggregates]
    return any(answers.is_chosen(path.removesuffix(end), [field]) for path in known for end in ends)


def _digits(piece: Piece) -> int:
    return max(times.digits_of(piece.first_us), times.digits_of(piece.last_us))


def _used(question: Asked, held: Sequence[Held]) -> list[Piece]:
    if question.by == asked.RECORDED:
        return [piece for each in held for piece in each.pieces]
    return [
        piece
        for each in held
        for piece in pieces.in_range(each.pieces, question.since_us, question.until_us)
    ]


def _check(feed: Feed, question: Asked, entries: Sequence[Entry]) -> None:
    """Check all chunks before the first row is printed."""
    is_from_rollups = question.aggregates and set(question.aggregates) <= set(MERGEABLE)
    feed.check(entries, whole=not is_from_rollups)


def opened(workspace: Workspace, feed: Feed, ref: str, names: Sequence[str]) -> Streams:
    """Return streams of a twin and what they hold.

    Raises:
        LockedError: ``no_grant``: one is encrypted, and no key here may read it.
        NotFoundError: ``not_found``.
        UsageError: ``not_supported``: the name stands for records.
    """
    twin_id = resolve.asset_id_of(workspace, ref)
    warnings: list[str] = []
    held = []
    for at, name in enumerate(dict.fromkeys(names)):
        if name in RESERVED_STREAMS:
            raise _no_stream(ref, name)
        stream = streams.find(workspace, ref, name)
        held.append(_held(workspace, feed, stream, at, warnings))
    warnings += _changed_units(workspace, twin_id, held)
    return Streams(twin_id, tuple(held), tuple(warnings))


def _changed_units(workspace: Workspace, twin_id: str, held: Sequence[Held]) -> Iterator[str]:
    """Yield a warning where the twin's template had values in other units before.

    What is recorded is never converted, so old and new readings do not add up.
    """
    client = workspace.client
    created = record.creating_envelope(client.required(twin_id).tx)
    recorded = [
        piece.recorded_ms for each in held for piece in each.pieces if piece.recorded_ms is not None
    ]
    if "template" not in created or not recorded:
        return
    now, then = client.replay(twin_id), client.replay(twin_id, min(recorded))
    if now is None or then is None or now.pin == then.pin:
        return
    from twincli.services import catalogue
    from twincli.services.stream.rules import Rules

    try:
        models = [catalogue.of_twin(workspace, each.pin) for each in (then, now)]
    except TwinError:
        return
    for each in held:
        old, new = (Rules(each.name, model).units for model in models)
        for path in sorted(old.keys() & new.keys()):
            if old[path] != new[path]:
                yield (
                    f"{each.name}.{path} is in {new[path]}, and was in {old[path]} until the twin"
                    " got another template: older readings are not converted"
                )


def _no_stream(ref: str, name: str) -> UsageError:
    """Return the error about a name that stands for records, which no stream bears."""
    from twincli.services.query import recorded

    if name in recorded.STREAMS:
        hint = f"without --sql: twin query {ref} --stream {name} --where EXPR"
    else:
        hint = f"those that are: {', '.join(recorded.STREAMS)}; twin history {ref} has everything"
    return UsageError(f"{name} of {ref} cannot be asked so", code="not_supported", hint=hint)


def every(workspace: Workspace, ref: str) -> list[str]:
    """Return the names of the streams of a twin that count."""
    found = streams.of_twin(workspace, resolve.asset_id_of(workspace, ref))
    return list(dict.fromkeys(each.name for each in found if each.standing in COUNTED))


def _anchors(
    workspace: Workspace, stream: Stream
) -> Iterator[tuple[streams.Past | None, streams.Anchor]]:
    """Yield the records of a stream, those of the ones that it takes up first."""
    for older in streams.past(workspace, stream):
        for anchor in streams.anchors(workspace, older.stream):
            yield older, anchor
    for anchor in streams.anchors(workspace, stream):
        yield None, anchor


def _held(workspace: Workspace, feed: Feed, stream: Stream, at: int, warnings: list[str]) -> Held:
    """Return what a stream holds, in the order of its chain; what does not count is left out."""
    found: list[Piece] = []
    strange, faults, unsigned, late, closed, ended = 0, 0, 0, 0, 0, 0
    if stream.is_encrypted:
        feed.ring(stream)
    if stream.standing not in COUNTED:
        warnings.append(
            f"the stream {stream.name} is {stream.standing.replace('_', ' ')}:"
            " the twin's owner has not made it"
        )
    for older, anchor in _anchors(workspace, stream):
        if older is not None and not older.has(anchor.height):
            late += 1
            continue
        if anchor.standing not in COUNTED and stream.standing in COUNTED:
            strange += 1
            continue
        if anchor.fault is not None:
            faults += 1
            continue
        recorded = times.parse_claim(anchor.committed_at)
        begun = len(found)
        called = None
        if older is not None and older.stream.name != stream.name:
            called = older.stream.name
        owner = stream if older is None else older.stream
        entries: Sequence[Entry] = anchor.chunks
        lock = owner.lock if anchor.epoch is not None else None
        if lock is not None and anchor.epoch is not None:
            ring = feed.ring(owner)
            entries = [ring.present(entry) for entry in entries]
            if anchor.epoch not in ring.secrets:
                entries = [each for each in entries if each not in anchor.chunks]
                closed += len(anchor.chunks) - len(entries)
            ended += sum(
                entry in anchor.chunks and ring.history.is_late(anchor.epoch, anchor.height)
                for entry in entries
            )
        elif anchor.epoch is not None:
            faults += 1
            continue
        found.extend(
            Piece(
                at,
                order,
                entry.first_us,
                entry.last_us,
                anchor.tx_id,
                recorded,
                entry,
                called=called,
                unsigned=anchor.unsigned,
                lock=lock,
            )
            for order, entry in enumerate(entries, begun)
        )
        for item in anchor.readings:
            if item.observation.source in anchor.unsigned:
                unsigned += 1
                continue
            time_us = item.observation.time_us
            assert time_us is not None
            found.append(
                Piece(
                    at,
                    len(found),
                    time_us,
                    time_us,
                    anchor.tx_id,
                    recorded,
                    None,
                    item.observation,
                    item.suspect,
                )
            )
    feed.unlock(found)
    for count, what in (
        (strange, "records of others, without a grant, do not count"),
        (faults, "records are malformed"),
        (unsigned, "readings are not signed by the key of their source"),
        (late, "records of the stream that it continues came after it was made"),
    ):
        if count:
            warnings.append(f"{stream.name}: {count} {what}, and are left out")
    if closed:
        chunks = "1 chunk is" if closed == 1 else f"{closed} chunks are"
        warnings.append(f"{stream.name}: {chunks} of epochs that no key here opens, and left out")
    if ended:
        warnings.append(
            f"{stream.name}: {ended} chunks were encrypted to an epoch that had ended: who could"
            " read it then can read them, until the owner encrypts them again"
        )
    return Held(stream.name, stream.asset_id, tuple(found))
