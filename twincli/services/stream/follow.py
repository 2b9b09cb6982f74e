"""Follow a device: ask it again and again, or read what it sends, and record that in batches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from twincli.content.spool import Spool
from twincli.errors import InvalidError, TwinError
from twincli.services.stream import push as pushing
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twincli.model.inline import Inline
    from twincli.services.asset.write_options import Writing
    from twincli.services.documents import Pushed
    from twincli.services.stream.ingest import Stored
    from twincli.services.stream.known import Room
    from twincli.services.stream.push import Line, Target


class Flush(NamedTuple):
    """When what was read is recorded.

    Attributes:
        most: With so many observations.
        seconds: So long after the first of them.
    """

    most: int = pushing.MAX_INLINE
    seconds: float = 60.0


def follow(
    room: Room,
    ref: str,
    name: str,
    reads: Iterable[Line | None],
    flush: Flush,
    writing: Writing,
    *,
    on_invalid: str | None = None,
    tell: Callable[[str], None],
) -> Pushed:
    """Record what is read until it ends.

    What was read and not recorded when this was killed is recorded first.

    Args:
        room: What it is worked on with, with a spool.
        ref: The twin.
        name: The stream, which is made where it is missing.
        reads: What is read; None now and then while there is nothing.
        flush: When it is recorded.
        writing: W, without ``prepare``, ``once`` and ``if_tip``.
        on_invalid: ``reject`` or ``suspect``, see ``fitting.judged``.
        tell: Told why a reading is left out.

    Raises:
        ConflictError: ``busy``: another process follows this stream.
        LockedError: ``no_key``.
    """
    target = pushing.made(pushing.target_of(room, ref, name))
    assert room.spool is not None
    assert target.stream is not None
    clock = pushing.Clock(room, writing)
    keeps = not target.stream.is_encrypted
    if not keeps:
        tell(
            "the stream is encrypted, so readings on their way are kept in memory only: what was"
            " not recorded yet is lost if this is killed"
        )
    with Spool(room.spool, target.stream.asset_id, keeps=keeps) as spool:
        batch = _Batch(target, spool, writing, tell)
        batch.pending = spool.read()
        batch.flush(resumed=True)
        for line in reads:
            if line is not None:
                try:
                    if line.observation is None:
                        raise line.error or InvalidError("it says nothing", code="invalid_reading")
                    batch.add(pushing.taken(target, clock, line.observation, on_invalid))
                except TwinError as error:
                    batch.refuse(line.number, error)
            if len(batch.pending) >= flush.most or batch.age >= flush.seconds:
                batch.flush()
        batch.flush()
        made = pushing.document(target, batch.done)
        return {**made, "refused_count": batch.refused}


class _Batch:
    """What was read and is not recorded yet."""

    def __init__(
        self, target: Target, spool: Spool, writing: Writing, tell: Callable[[str], None]
    ) -> None:
        self.pending: list[Inline] = []
        self.done: list[Stored] = []
        self.refused = 0
        self._target, self._spool, self._writing, self._tell = target, spool, writing, tell
        self._first = 0.0

    @property
    def age(self) -> float:
        """Seconds since the first of them was read."""
        return time.monotonic() - self._first if self.pending else 0.0

    def refuse(self, number: int, error: TwinError) -> None:
        self.refused += 1
        self._tell(f"reading {number} is left out: {error.message}")

    def add(self, item: Inline) -> None:
        if not self.pending:
            self._first = time.monotonic()
        self._spool.add(item)
        self.pending.append(item)

    def flush(self, *, resumed: bool = False) -> None:
        """Record it, then forget it.

        Args:
            resumed: It was left by a process that was killed, and may be recorded already.
        """
        if not self.pending:
            return
        numbered = list(enumerate(self.pending, 1))
        good = pushing.of_one_kind(self._target, numbered, self.refuse)
        items = [item for _, item in good]
        stored = pushing.stored(self._target, items, self._writing, skip=True, resumed=resumed)
        for row, error in stored.conflicts:
            self.refuse(good[row][0], error)
        # Readings are on the ledger; years of them are not kept in memory.
        last = stored._replace(readings=stored.readings[-1:], said=stored.said[-1:])
        self.done = [_summed(self.done, last)]
        self.pending = []
        self._spool.clear()


def _summed(before: list[Stored], last: Stored) -> Stored:
    new = sum(stored.new for stored in before) + last.new
    existing = sum(stored.existing for stored in before) + last.existing
    said = last.said or tuple(each for stored in before for each in stored.said)
    return last._replace(new=new, existing=existing, said=said, conflicts=())
