"""Push readings: one, which stands in the record itself, or many lines."""

from __future__ import annotations

from twincli.errors import ConflictError, InvalidError, LockedError, TwinError, UsageError, cut
from twincli.model import inline, reading, record, times
from twincli.rules.authority import AUTHORISED
from twincli.rules.data import check_data
from twincli.services import resolve
from twincli.services.asset.write_options import PLAIN, Writing, checked_at
from twincli.services.record.say import say
from twincli.services.signers import keys_to_spend
from twincli.services.stream import ingest, known, rules, streams
from twincli.services.stream.ingest import Stored
from twincli.services.tx.prepared import Prepared
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from twincli.content.inventory import Head
    from twincli.model.batch import Batch
    from twincli.model.inline import Inline
    from twincli.model.manifest import Entry
    from twincli.model.reading import Observation
    from twincli.rules.authority import Verdict
    from twincli.services.documents import Pushed, RefusedLine
    from twincli.services.stream.known import Room
    from twincli.services.stream.rules import Rules
    from twincli.services.stream.streams import Stream

MAX_INLINE = 100
"""Observations up to which a batch stands in the record itself."""
BLOCK = 200_000
"""Observations that are stored together."""
MAX_LISTED = 1000
"""Refused lines that are listed; all are counted."""
CLOCK = "unset_clock"
"""The quality of a reading whose time is that of a clock that was never set."""
UNSET = "a time in 1970 is that of a clock that was never set: it is suspect"


class Line(NamedTuple):
    """A line of a file.

    Attributes:
        number: From 1.
        observation: What it says, or None.
        error: Why it says nothing.
    """

    number: int
    observation: Observation | None
    error: TwinError | None = None


class Target(NamedTuple):
    """Where readings go.

    Attributes:
        room: What it is worked on with.
        ref: What the user calls the twin.
        twin_id: The twin.
        name: The stream.
        stream: It, None where the first push makes it.
        rules: Of the template.
        was_made: Whether it was made just now.
        signers: The public keys that will sign, where the stream binds sources to keys.
    """

    room: Room
    ref: str
    twin_id: str
    name: str
    stream: Stream | None
    rules: Rules
    was_made: bool = False
    signers: frozenset[str] | None = None


def target_of(room: Room, ref: str, name: str) -> Target:
    """Return where readings of a stream go; nothing is made.

    Raises:
        InvalidError: ``invalid_name``.
        NotFoundError: The twin, or its template, is not there.
    """
    streams.check_name(name)
    twin_id = resolve.asset_id_of(room.workspace, ref)
    stream = streams.find_or_none(room.workspace, twin_id, name)
    if stream is not None and stream.standing != AUTHORISED:
        stream = None  # somebody else's word; the twin's own is made beside it
    _check_encryption(stream)
    held = rules.of_stream(room.workspace, twin_id, name)
    return _signed(Target(room, ref, twin_id, name, stream, held))


def _signed(target: Target) -> Target:
    """Return the target with the keys that will sign, where that matters."""
    stream = target.stream
    if stream is None or not stream.sources:
        return target
    try:
        infos = keys_to_spend(target.room.workspace, stream.owners[:1], target.name)
    except LockedError:  # which the write explains
        return target
    return target._replace(signers=frozenset(info.public_key for info in infos))


def _for_source(target: Target, source: str) -> Target:
    """Return the target with the key of a source, if it is here and no key was named."""
    workspace, stream = target.room.workspace, target.stream
    key = None if stream is None else dict(stream.sources).get(source)
    if key is None or workspace.keys:
        return target
    mine = next((i for i in workspace.keystore.scan()[0] if i.public_key == key), None)
    if mine is None:
        return target
    return _signed(
        target._replace(room=target.room._replace(workspace=workspace._replace(keys=(mine.name,))))
    )


def _check_source(target: Target, source: str) -> None:
    """Check that the key to which a source is bound will sign.

    Raises:
        LockedError: ``wrong_source``.
    """
    if target.stream is None or target.signers is None:
        return
    key = dict(target.stream.sources).get(source)
    if key is not None and key not in target.signers:
        name = resolve.Names(target.room.workspace).of_key(key) or key
        raise LockedError(
            f"readings of the source {cut(source)} count only if {name} signs them",
            code="wrong_source",
            hint=f"sign with --key {name}, or name another source",
        )


def _is_encrypted(target: Target) -> bool:
    return target.stream is not None and target.stream.lock is not None


def _check_encryption(stream: Stream | None) -> None:
    """Check that what states that it is encrypted can be written to as such.

    Raises:
        InvalidError: ``invalid_encryption``.
    """
    if stream is not None and stream.is_encrypted and stream.lock is None:
        raise InvalidError(
            f"the stream {stream.name} states that it is encrypted, and to whom is malformed:"
            " nothing is written to it in the clear",
            code="invalid_encryption",
            hint="its owner can make another one: twin stream create TWIN NAME --encrypt",
        )


def made(target: Target) -> Target:
    """Return the target with its stream, which the first push makes.

    Raises:
        LockedError: ``no_key``.
    """
    if target.stream is not None or target.room.workspace.dry_run:
        return target
    from twincli.services.stream import create

    workspace, twin_id = target.room.workspace, target.twin_id
    details = create.owner_of(workspace, twin_id, None)
    create.make(workspace, target.ref, twin_id, target.name, details)
    stream = streams.find_or_none(workspace, twin_id, target.name)
    assert stream is not None
    return target._replace(stream=stream, was_made=True)


def push(
    room: Room,
    ref: str,
    name: str,
    found: Observation,
    writing: Writing = PLAIN,
    *,
    on_invalid: str | None = None,
) -> Pushed | Prepared:
    """Push one observation.

    Args:
        room: What it is worked on with.
        ref: The twin.
        name: The stream, which the first push makes.
        found: The observation; its time is ``--at``, else now, where it states none.
        writing: W.
        on_invalid: ``reject`` or ``suspect``, see ``fitting.judged``.

    Raises:
        InvalidError: The template does not take it; ``type_changed``, ``time_ahead``.
        ConflictError: ``conflicting_reading``, ``once_mismatch``.
        LockedError: ``no_key``: nobody here may write into the stream.
    """
    target = _for_source(target_of(room, ref, name), found.source)
    item = taken(target, Clock(room, writing), found, on_invalid)
    inline.body([item])
    target = made(target)
    if _is_encrypted(target) and writing.prepare:
        raise UsageError(
            "--prepare is for readings that stand in the record, and those of an encrypted stream"
            " do not",
            code="not_supported",
            hint="push without --prepare",
        )
    if writing.once is not None and target.stream is not None:
        before = _of_once(target, writing.once, item, is_timed=found.time_us is not None)
        if before is not None:
            return before
    if _is_encrypted(target):
        done: Stored | Prepared = stored(target, [item], writing)
    else:
        done = _inline(target, [item], writing)
    if isinstance(done, Prepared):
        return done
    for _, error in done.conflicts:
        raise error
    return document(target, [done])


class Clock:
    """Gives readings that state no time that of their arrival, to each another.

    Args:
        room: Says what time it is.
        writing: ``--at`` is the time of all of them.

    Attributes:
        has_unset: Whether a time was that of a clock that was never set.
    """

    def __init__(self, room: Room, writing: Writing) -> None:
        self._room, self._at = room, writing.at
        self._last_us = 0
        self.has_unset = False

    def timed(self, found: Observation) -> Observation:
        """Return an observation with its time; one that cannot be is refused or doubted."""
        now_ms = self._room.workspace.now()
        if found.time_us is None:
            if self._at is not None:
                return found._replace(time_us=checked_at(self._at, now_ms) * 1000)
            self._last_us = max(now_ms * 1000, self._last_us + 1)
            return found._replace(time_us=self._last_us)
        if found.time_us > (now_ms + 5 * 60_000) * 1000:
            raise InvalidError(
                f"{times.microseconds_text(found.time_us)} is more than 5 minutes ahead of this"
                " machine's clock",
                code="time_ahead",
                hint="is the clock of the device right?",
            )
        if reading.is_unset_clock(found.time_us) and reading.is_good(found.quality):
            self.has_unset = True
            return found._replace(quality=CLOCK)
        return found

    def is_ahead(self, batch: Batch) -> bool:
        """Say whether a time of a batch cannot be."""
        latest_us = (self._room.workspace.now() + 5 * 60_000) * 1000
        return bool(batch.time.max() > latest_us)

    def doubted(self, batch: Batch) -> Batch:
        """Return a batch in which times of a clock that was never set are doubted."""
        from twincli.model import batch as batches

        unset = (batch.time >= 0) & (batch.time < reading.UNSET_CLOCK_US)
        self.has_unset |= bool(unset.any())
        return batches.requalified(batch, unset, CLOCK)

    def is_now(self, found: Observation) -> bool:
        """Say whether an observation gets its time from here."""
        return found.time_us is None and self._at is None


def taken(target: Target, clock: Clock, found: Observation, on_invalid: str | None) -> Inline:
    """Return an observation as it is recorded: with its time, held to the template.

    Raises:
        InvalidError: The template does not take it; ``time_ahead``.
        LockedError: ``wrong_source``: its source is bound to a key that will not sign.
    """
    _check_source(target, found.source)
    held = rules.hold(target.rules, clock.timed(found), on_invalid)
    return held._replace(is_now=clock.is_now(found))


def _inline(
    target: Target,
    items: Sequence[Inline],
    writing: Writing,
    *,
    skip_conflicts: bool = False,
    resumed: bool = False,
) -> Stored | Prepared:
    """Store observations in the record itself."""
    room, stream = target.room, target.stream
    if stream is None:  # a dry run, before the first push
        return Stored(new=len(items), readings=tuple(items))

    def write(_head: Head, behind: Writing) -> Stored | Prepared:
        kinds = known.kinds_of(room, stream) | target.rules.kinds
        units = known.units_of(room, stream)
        new, conflicts, existing = [], [], 0
        seen: dict[Any, dict[str, Any]] = {}
        for row, given in enumerate(items):
            item, fresh = rules.settled(given, kinds)
            rules.check_units(item.observation, units)
            try:
                while True:
                    identity = item.observation.identity
                    if identity not in seen:
                        seen[identity] = _there(room, stream, item.observation)
                    there = seen[identity]
                    try:
                        rest = _rest(item, there)
                    except ConflictError:
                        if not item.is_now:
                            raise
                    else:
                        # What was left by a process that was killed may be a repeat; what
                        # arrives now is another reading, even if it is of the same value.
                        if not (item.is_now and there and not resumed):
                            break
                    item = item.later
            except ConflictError as error:
                conflicts.append((row, error))
                continue
            if not rest:
                existing += 1
                continue
            kinds |= fresh
            there.update(rest)
            whole = item.observation._replace(leaves=rest)
            new.append(item._replace(observation=whole, is_now=False))
        refused = tuple(conflicts)
        if (refused and not skip_conflicts) or not new:
            return Stored(existing=existing, conflicts=refused)
        body = inline.body(new)
        check_data(None, {record.KEY: record.envelope(streams.READING, body=body)})
        try:
            said = say(
                room.workspace, stream.asset_id, streams.READING, body, behind, is_owners=True
            )
        except LockedError as error:
            raise explained(target, error)  # noqa: B904 - it is the same error
        if isinstance(said, Prepared):
            return said
        known.head_of(room, stream)
        return Stored((said,), len(new), existing, refused, readings=tuple(new))

    done: Stored | Prepared = ingest.at_tip(room, stream, writing, write)
    return done


def _rest(item: Inline, there: dict[str, Any]) -> dict[str, Any]:
    """Return the leaves of an observation that are not there yet.

    Raises:
        ConflictError: ``conflicting_reading``.
    """
    return {
        path: value
        for path, value in item.observation.leaves.items()
        if not reading.is_repeat(path, there.get(path), value)
    }


def _there(room: Room, stream: Stream, found: Observation) -> dict[str, Any]:
    """Return the leaves that a stream has under the identity of an observation."""
    time_us, source, seq = found.identity
    assert time_us is not None
    there: dict[str, Any] = {}
    for its_source, its_seq, leaves in room.inventory.at(stream.asset_id, time_us):
        if (its_source, its_seq) == (source, seq):
            there |= leaves
    for held in room.inventory.chunks(stream.asset_id, time_us, time_us):
        there |= _in_chunk(room, stream, held.entry, found)
    return there


def _in_chunk(room: Room, stream: Stream, entry: Entry, found: Observation) -> dict[str, Any]:
    import json

    assert found.time_us is not None
    chunk = known.read_chunk(room, stream, entry, found.time_us, found.time_us + 1)
    there = {}
    for series in chunk.series:
        for row in range(len(series.time)):
            identity = (
                int(series.time[row]),
                series.source.names[series.source.codes[row]],
                int(series.seq[row]),
            )
            if identity == found.identity:
                value = series.values[row]
                value = value.item() if hasattr(value, "item") else value
                path = series.name[len(stream.name) + 1 :]
                there[path] = json.loads(value) if series.kind == "list" else value
    return there


def explained(target: Target, error: LockedError) -> LockedError:
    """Return the error of a key that may not write into a stream, with the way that works."""
    if error.code != "no_key" or target.stream is None:
        return error
    workspace = target.room.workspace
    owners = "; ".join(resolve.owners_text(workspace, details) for details in target.stream.owners)
    who = " and ".join(workspace.keys) or "no key here"
    ref, name = target.ref, target.name
    other = workspace.keys[0] if len(workspace.keys) == 1 else "KEY"
    error.reworded(
        f"{who} cannot write into the stream {name} of {ref}: its owner is {owners}",
        hint=f"sign as {owners}; or let the owner of {ref} make a stream for it:"
        f" twin stream create {ref} NAME --owner {other}",
    )
    return error


def _of_once(target: Target, token: str, item: Inline, *, is_timed: bool) -> Pushed | None:
    """Return the document of what was pushed with the same token, or None.

    Raises:
        ConflictError: ``once_mismatch``: it was something else.
    """
    from twincli.services.asset.attempt import once_mismatch
    from twincli.services.record.records import records

    assert target.stream is not None
    client = target.room.workspace.client
    if target.stream.lock is not None:
        return _of_sealed_once(target, token, item, is_timed=is_timed)
    for _, tx_id in client.once(target.stream.asset_id, token):
        for found in records(target.room.workspace, target.stream.asset_id, {streams.READING}):
            if found.tx_id != tx_id:
                continue
            (first, *more) = inline.read(found.body)
            known_item = first.observation
            wanted = item.observation
            if not is_timed:
                wanted = wanted._replace(time_us=known_item.time_us)
            if more or wanted.identity != known_item.identity or wanted.leaves != known_item.leaves:
                raise once_mismatch(token, tx_id)
            done = document(target, [Stored(existing=1, readings=(first,))])
            return {**done, "transaction_id": tx_id}
    return None


def _of_sealed_once(target: Target, token: str, item: Inline, *, is_timed: bool) -> Pushed | None:
    """Return the document of what was pushed to an encrypted stream with the same token, or None.

    A writer that cannot read it takes it for the same.
    """
    from twincli.services.asset.attempt import once_mismatch

    room, stream = target.room, target.stream
    assert stream is not None
    assert stream.lock is not None
    for _, tx_id in room.workspace.client.once(stream.asset_id, token):
        anchors = streams.anchors(room.workspace, stream)
        chunks = next((each.chunks for each in anchors if each.tx_id == tx_id), ())
        can_read = room.sealed is not None and room.sealed.ring_or_none(stream.lock) is not None
        for entry in chunks if can_read else ():
            wanted = item.observation
            if not is_timed:
                wanted = wanted._replace(time_us=entry.first_us)
            if _in_chunk(room, stream, entry, wanted) != wanted.leaves:
                raise once_mismatch(token, tx_id)
        done = document(target, [Stored(existing=1, chunks=chunks)])
        return {**done, "transaction_id": tx_id}
    return None


# --- Lines ---------------------------------------------------------------------------------------


class Block(NamedTuple):
    """Lines that are stored together.

    Attributes:
        lines: Gives what each says.
        columns: Gives all of them as columns, given what each path holds already; None where they
            have to be looked at one by one.
        number: Gives the numbers of the lines of these rows of the columns.
        after: Called when the block is done.
    """

    lines: Callable[[], Iterable[Line]]
    columns: Callable[[Mapping[str, str]], Batch | None] = lambda _known: None
    number: Callable[[Sequence[int]], list[int]] = lambda rows: [*rows]
    after: Callable[[], None] = lambda: None


def push_blocks(
    room: Room,
    ref: str,
    name: str,
    blocks: Iterable[Block],
    writing: Writing = PLAIN,
    *,
    on_invalid: str | None = None,
    skip: bool = False,
) -> Pushed:
    """Push many observations, blocks of them together.

    A block with a line that is refused is not stored, nor what comes after it, unless ``skip``.

    Args:
        room: What it is worked on with.
        ref: The twin.
        name: The stream, which is made where it is missing.
        blocks: The lines.
        writing: W, without ``prepare`` and ``if_tip``.
        on_invalid: ``reject`` or ``suspect``, see ``fitting.judged``.
        skip: Leave out what is refused, and store the rest.

    Raises:
        LockedError: ``no_key``.
        ConfigError: ``missing_extra``.
    """
    target, clock = target_of(room, ref, name), Clock(room, writing)
    done: list[Stored] = []
    refused: list[RefusedLine] = []
    count_refused = 0

    def note(number: int, error: TwinError) -> None:
        nonlocal count_refused
        count_refused += 1
        if len(refused) < MAX_LISTED:
            refused.append({"line": number, "code": error.code, "reason": error.message})

    def one_by_one(block: Block) -> None:
        nonlocal target
        for some in _parts(block.lines()):
            items: list[tuple[int, Inline]] = []
            for number, observation, error in some:
                try:
                    if error is not None or observation is None:
                        raise error or InvalidError("it says nothing", code="invalid_reading")
                    items.append((number, taken(target, clock, observation, on_invalid)))
                except TwinError as fault:
                    note(number, fault)
            items = of_one_kind(target, items, note)
            if count_refused and not skip:
                return
            if not items:
                continue
            if len(items) > MAX_INLINE or _is_encrypted(target):
                ingest.check_extras()  # before the stream is made
            target = made(target)
            result = stored(target, [item for _, item in items], writing, skip=skip)
            for row, conflict in result.conflicts:
                note(items[row][0], conflict)
            done.append(result)
            if count_refused and not skip:
                return

    for block in blocks:
        batch = block.columns(_kinds(target))
        batch = None if batch is None else taken_together(target, clock, batch, on_invalid)
        if batch is None:
            one_by_one(block)
        else:
            target = made(target)
            result = _store(target, batch, writing, skip=skip)
            numbers = block.number([row for row, _ in result.conflicts])
            for number, (_, conflict) in zip(numbers, result.conflicts, strict=True):
                note(number, conflict)
            done.append(result)
        block.after()
        if count_refused and not skip:
            break
    found = document(target, done)
    warnings = [*found["warnings"], *([UNSET] if clock.has_unset and found["count"] else [])]
    return {
        **found,
        "refused": refused,
        "refused_count": count_refused,
        "warnings": [*dict.fromkeys(warnings)],
    }


def _kinds(target: Target) -> dict[str, str]:
    """Return what each path of a stream holds, as the template or what is there says."""
    kinds: dict[str, str] = {}
    if target.stream is not None:
        known.head_of(target.room, target.stream)
        kinds = known.kinds_of(target.room, target.stream)
    return kinds | target.rules.kinds


def taken_together(
    target: Target, clock: Clock, batch: Batch, on_invalid: str | None
) -> Batch | None:
    """Return a batch as it is recorded; None where `taken` has to look at each observation."""
    batch = clock.doubted(batch)
    if clock.is_ahead(batch):
        return None
    try:
        for source in batch.source.names:
            _check_source(target, source)
    except LockedError:
        return None
    return rules.hold_batch(target.rules, batch, on_invalid)


def _parts(lines: Iterable[Line]) -> Iterator[list[Line]]:
    part: list[Line] = []
    for line in lines:
        part.append(line)
        if len(part) == BLOCK:
            yield part
            part = []
    if part:
        yield part


def of_one_kind(
    target: Target, items: list[tuple[int, Inline]], note: Any
) -> list[tuple[int, Inline]]:
    """Return the items whose values are what their series hold; the others are refused.

    Where the first whole numbers of a new series are followed by others, all are doubles.
    """
    kinds = _kinds(target)
    units: dict[str, str] = {}
    if target.stream is not None:
        units = known.units_of(target.room, target.stream)
    doubles = {
        path
        for _, item in items
        for path, value in item.observation.leaves.items()
        if type(value) is float and path not in kinds
    }
    kinds |= dict.fromkeys(doubles, "f64")
    good = []
    for number, item in items:
        try:
            rules.check_units(item.observation, units)
            settled, fresh = rules.settled(item, kinds)
        except InvalidError as error:
            note(number, error)
            continue
        kinds |= fresh
        good.append((number, settled))
    return good


def stored(
    target: Target,
    items: Sequence[Inline],
    writing: Writing,
    *,
    skip: bool = False,
    resumed: bool = False,
) -> Stored:
    """Store observations: few in the record itself, many in chunks.

    Args:
        target: Where.
        items: The observations; those whose time is that of their arrival give way to others.
        writing: W.
        skip: Store the others where some have another value already.
        resumed: They were left by a process that was killed, and may be stored already.
    """
    rows, left = [*range(len(items))], [*items]
    parts: list[Stored] = []
    while True:
        done = _stored(target, left, writing, skip=skip, resumed=resumed)
        late = [at for at, _ in done.conflicts if left[at].is_now]
        if skip or not late:
            others = [(rows[at], error) for at, error in done.conflicts if at not in {*late}]
            parts.append(done._replace(conflicts=tuple(others)))
        if not late:
            return ingest.summed(parts)
        if skip:
            rows, left = [rows[at] for at in late], [left[at].later for at in late]
        else:
            for at in late:
                left[at] = left[at].later


def _stored(
    target: Target, items: Sequence[Inline], writing: Writing, *, skip: bool, resumed: bool
) -> Stored:
    if (len(items) <= MAX_INLINE and not _is_encrypted(target)) or target.stream is None:
        done = _inline(target, items, writing, skip_conflicts=skip, resumed=resumed)
    else:
        name = target.name
        if target.stream.lock is not None:
            items = [*_apart(target.room, target.stream, items)]
        kinds = known.kinds_of(target.room, target.stream) | target.rules.kinds
        batch = ingest.gathered(items, name, kinds)
        units, given = _units(target, items)
        done = _store(target, batch, writing, units=units, given=given, skip=skip)
    assert not isinstance(done, Prepared)
    return done


def _apart(room: Room, stream: Stream, items: Sequence[Inline]) -> Iterator[Inline]:
    """Yield readings with times of their arrival that no chunk of an encrypted stream spans.

    A writer that cannot read it cannot see whether a reading of the same time is there.
    """
    assert stream.lock is not None
    if room.sealed is not None and room.sealed.ring_or_none(stream.lock) is not None:
        yield from items
        return
    known.head_of(room, stream)
    for item in items:
        later = item
        while item.is_now:
            time_us = later.observation.time_us
            spans = room.inventory.chunks(stream.asset_id, time_us, time_us)
            if not spans:
                break
            after = max(held.last_us for held in spans) + 1
            later = later._replace(observation=later.observation._replace(time_us=after))
        yield later


def _store(
    target: Target,
    batch: Batch,
    writing: Writing,
    *,
    units: Mapping[str, str] | None = None,
    given: Mapping[str, str] | None = None,
    skip: bool = False,
) -> Stored:
    """Store a batch in chunks."""
    if target.stream is None:  # a dry run, before the first push
        return Stored(new=len(batch.time))
    try:
        done = ingest.store(
            target.room,
            target.stream,
            batch,
            writing,
            units=units,
            given=given,
            skip_conflicts=skip,
        )
    except LockedError as error:
        raise explained(target, error)  # noqa: B904 - it is the same error
    assert not isinstance(done, Prepared)
    return done


def _units(target: Target, items: Sequence[Inline]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the units in which series are kept, and in which they were given."""
    units: dict[str, str] = {}
    given: dict[str, str] = {}
    for item in items:
        for path, unit in item.observation.units:
            units[f"{target.name}.{path}"] = unit
        for each in item.given:
            given.setdefault(f"{target.name}.{each.path}", each.unit)
    return units, given


def document(target: Target, done: Sequence[Stored]) -> Pushed:
    """Return ``twin.pushed/1``."""
    workspace, stream = target.room.workspace, target.stream
    said = [each for stored in done for each in stored.said]
    last = said[-1] if said else None
    verdict = None if last is None else _verdict(target, last["transaction_id"])
    items = [item for stored in done for item in stored.readings]
    entries = [entry for stored in done for entry in stored.chunks]
    firsts = [entry.first_us for entry in entries]
    lasts = [entry.last_us for entry in entries]
    for item in items:
        firsts.append(item.observation.time_us or 0)
        lasts.append(item.observation.time_us or 0)
    return {
        "schema": "twin.pushed/1",
        "asset_id": None if stream is None else stream.asset_id,
        "twin_id": target.twin_id,
        "twin": resolve.asset_name(workspace, target.twin_id) or target.ref,
        "stream": target.name,
        "stream_created": target.was_made,
        "ledger": workspace.client.ledger_id,
        "transaction_id": None if last is None else last["transaction_id"],
        "height": None if last is None else last["height"],
        "at": None if last is None else last["at"],
        "committed_at": None if last is None else last["committed_at"],
        "standing": None if verdict is None else verdict.standing,
        "count": sum(stored.new for stored in done),
        "existing": sum(stored.existing for stored in done),
        "refused_count": 0,
        "refused": [],
        "first_at": None if not firsts else _text(min(firsts)),
        "last_at": None if not lasts else _text(max(lasts)),
        "readings": inline.body(items)["readings"] if items else [],
        "chunks": [entry.cid for entry in entries],
        "signed_by": [] if last is None else last["signers"],
        "warnings": [*_of_standing(target, verdict), *_warnings(items)],
    }


def _of_standing(target: Target, verdict: Verdict | None) -> Iterator[str]:
    """Yield a warning where what was pushed does not count about the twin."""
    if verdict is None or verdict.standing == AUTHORISED or target.stream is None:
        return
    yield (
        f"these readings are shown as {verdict.standing.replace('_', ' ')} and do not count: the"
        f" owner of {target.ref} no longer links the stream {target.name}; the owner can link it"
        f" again: twin link add {target.ref} stream {target.stream.asset_id}"
    )


def _verdict(target: Target, tx_id: str | None) -> Verdict | None:
    from twincli.rules.authority import Topic
    from twincli.services.standing import Speakers

    if tx_id is None or target.stream is None:
        return None
    client = target.room.workspace.client
    entry = client.entry(tx_id)
    if entry is None:
        return None
    topic = Topic(streams.READING, stream=target.name)
    return Speakers(client).of(target.twin_id, entry, topic)


def _warnings(items: Sequence[Inline]) -> list[str]:
    found = []
    doubted = sorted({path for item in items for path in item.suspect})
    if doubted:
        found.append(f"suspect by the template: {', '.join(doubted)}")
    if any(item.observation.quality == CLOCK for item in items):
        found.append(UNSET)
    return found


def _text(time_us: int) -> str:
    return times.microseconds_text(time_us, times.digits_of(time_us))
