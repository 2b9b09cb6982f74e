"""Apply the lines of a batch, or find out what would become of them.

The lines of one twin are recorded all or not at all, the twins in the order in which they come up.
Several twins share a durable commit; while it is made no other process writes, so it is soon over.
A check does the same, and then undoes it.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from twincli.client import UNDOING
from twincli.content.batch_spool import (
    APPLIED,
    EXISTING,
    PENDING,
    REFUSED,
    SKIPPED,
    UNCHECKED,
    BatchSpool,
    Report,
    Unit,
)
from twincli.errors import (
    ConfigError,
    InterruptedWriteError,
    InvalidError,
    LockedError,
    NotFoundError,
    TwinError,
    UnreachableError,
    UsageError,
)
from twincli.ledger.block import uncollected
from twincli.model import names
from twincli.services import resolve
from twincli.services.asset.write_options import Writing
from twincli.services.batch import lines, verbs
from twincli.services.batch.bulk import Bulk
from twincli.services.batch.lines import Line
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from twincli.ledger.together import Together
    from twincli.services.batch.sources import Item
    from twincli.services.batch.verbs import Rooms

PAGE_LINES = 10_000
PAGE_SECONDS = 1.0
"""What a durable commit takes at most, a twin aside: other writers wait for it."""
MAX_PART = 10_000
"""Lines of one twin that are recorded together; more are recorded in parts."""
MAX_DEPTH = 50
"""Twins whose lines name each other."""
MAX_RANGES = 20
MAX_WARNINGS = 100

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_decode = json.JSONDecoder().decode
_FATAL = frozenset({"locked", "bad_passphrase"})
_Result = tuple[int, str, "str | None", "str | None", "str | None"]


class How(NamedTuple):
    """How lines are applied.

    Attributes:
        once: A prefix of tokens, so that nothing is recorded twice.
        keep: False: find out what would become of the lines, and record nothing.
        stopped: Asked between twins whether to stop.
        progress: Told how many lines are done, and how many there are.
        whole: Entered for the recording, which is not to be ended anywhere.
    """

    once: str | None = None
    keep: bool = True
    stopped: Callable[[], bool] = lambda: False
    progress: Callable[[int, int], None] | None = None
    whole: AbstractContextManager[object] = nullcontext()


@contextmanager
def reading() -> Iterator[None]:
    """Say of what is interrupted inside that nothing is recorded yet.

    Raises:
        InterruptedWriteError: Somebody stopped it.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedWriteError("interrupted: nothing is recorded") from None


@reading()
def fill(rooms: Rooms, spool: BatchSpool, items: Iterable[Item], how: How) -> None:
    """Sort the lines of a file by twin; what is wrong with their form is noted.

    Raises:
        InterruptedWriteError: Somebody stopped it; nothing is recorded yet.
    """
    for item in items:
        if how.stopped():
            raise InterruptedWriteError("interrupted: nothing is recorded")
        found = item.line
        if isinstance(found, Line) and item.key is not None:
            other = spool.seen(item.key, item.number)
            if other is not None:
                found = InvalidError(
                    f"the key {item.key!r} stands in line {other} already", code="invalid_line"
                )
        if isinstance(found, Line):
            token = found.members.pop("once", None)
            if token is None and how.once is not None:
                token = f"{how.once}:{item.key or item.number}"
            text = _encode([*found, token])
            report = Report(item.number, found.do, found.asset, item.where, PENDING)
            spool.add(spool.unit(*_group(rooms, found.asset)), report, text)
            continue
        do, ref = (
            (item.line.do, item.line.asset)
            if isinstance(item.line, Line)
            else (word if isinstance(word, str) else None for word in item.raw)
        )
        unit = None if not ref else spool.unit(*_group(rooms, ref))
        code, reason = found.code, _reason(found)
        spool.add(unit, Report(item.number, do, ref, item.where, REFUSED, code, reason), None)


def _group(rooms: Rooms, ref: str) -> tuple[str, str | None]:
    """Return what the lines about a twin have in common, and its id where it is there."""
    workspace = rooms.stream.workspace
    try:
        asset_id = resolve.asset_id_or_none(workspace, ref)
    except TwinError:  # ambiguous, or an id of something else: said when it is used
        asset_id = None
    if asset_id is not None:
        return f"id:{asset_id}", asset_id
    return _by_name(ref), None


def _by_name(ref: str) -> str:
    return f"name:{names.fold(ref.removeprefix('asset:'))}"


def _reason(error: TwinError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


class Run:
    """Applies the lines of a spool.

    Args:
        rooms: What it is worked on with.
        spool: Filled by `fill`.
        how: How.

    Attributes:
        last: The last transaction that was made, None before.
        warnings: To be passed on.
    """

    def __init__(self, rooms: Rooms, spool: BatchSpool, how: How) -> None:
        self.last: str | None = None
        self.warnings: list[str] = []
        self._rooms = rooms
        self._spool = spool
        self._how = how
        self._client = rooms.stream.workspace.client
        self._undoes = UNDOING in self._client.capabilities
        self._all = self._spool.counts()[PENDING]
        self._count = 0
        self._rest: tuple[Unit, int] | None = None
        # Of the page at work:
        self._whole: Together | None = None
        self._part: Callable[[], AbstractContextManager[None]] = nullcontext
        self._bulk: Bulk | None = None
        self._results: list[_Result] = []
        self._unsettled: list[_Result] = []
        self._done: set[int] = set()
        self._active: list[int] = []
        self._failed: int | None = None

    def all(self) -> None:
        """Apply all lines.

        Raises:
            InterruptedWriteError: Somebody stopped it; like every error on the way it says how
                many lines are recorded, and how to go on.
        """
        try:
            with self._how.whole:
                self._pages()
        except KeyboardInterrupt:  # a second signal, or one that came when all was done
            raise self._stopped(InterruptedWriteError("interrupted")) from None
        except TwinError as error:
            raise self._stopped(error)  # noqa: B904 - it is the same error

    def _pages(self) -> None:
        units = self._spool.units()
        is_over = False
        while not is_over:
            # Looked at for cycles between pages only, of which there are hardly any.
            with uncollected(), self._page():
                is_over = self._some(units)
            self._unsettled = self._results
            self._settle()
            self._rooms.stream.workspace.book.settle()
        if self._how.stopped():
            raise InterruptedWriteError("interrupted")

    def _settle(self) -> None:
        self._spool.settle(self._unsettled)
        self._unsettled = []

    @contextmanager
    def _page(self) -> Iterator[None]:
        """Let what is written inside share a durable commit, where the ledger can."""
        self._results, self._done = [], set()
        with ExitStack() as stack:
            if self._undoes:
                keep = self._how.keep
                book = self._rooms.stream.workspace.book
                self._whole = stack.enter_context(self._client.together(keep=keep))
                # What it reserves is durable before the ledger is: it is left first.
                self._part = stack.enter_context(book.together(keep=keep))
                self._bulk = Bulk(self._rooms, self._whole, self._warn)
            yield
            if self._bulk is not None:
                self._results += self._bulk.flush()
                self.last = self._bulk.last or self.last

    def _some(self, units: Iterator[Unit]) -> bool:
        """Apply the lines of some twins; say whether there are no more."""
        begun, before = time.monotonic(), self._count
        while not self._how.stopped():
            unit, after = self._rest or (next(units, None), 0)
            if unit is None:
                return True
            self._rest = None
            if unit.id not in self._done or after:
                last = self._unit(unit, after)
                if last is not None:
                    self._rest = unit, last
            if self._how.progress is not None:
                self._how.progress(self._count, self._all)
            is_long = self._count - before >= PAGE_LINES or self._rest is not None
            if is_long or time.monotonic() - begun >= PAGE_SECONDS:
                return False
        return True

    # --- One twin -------------------------------------------------------------------------------

    def _unit(self, unit: Unit, after: int = 0) -> int | None:
        """Apply the lines of a twin.

        Returns:
            The number of the last line, where more of them follow behind it.
        """
        self._done.add(unit.id)
        waiting = self._spool.lines(unit.id, after, MAX_PART + 1)
        more = waiting[MAX_PART - 1][0] if len(waiting) > MAX_PART else None
        waiting = waiting[:MAX_PART]
        if not waiting:  # all its lines are refused by their form
            return None
        self._count += len(waiting)
        if unit.is_bad or (after and self._failed == unit.id):
            self._results += [_skipped(number) for number, _ in waiting]
            return more
        told = [(number, *_read(text)) for number, text in waiting]
        if self._bulk is not None and not self._active:
            if self._bulk.take(unit, told):
                return more
            if any(line.do in lines.REFERENCES for _, line, _ in told):
                # They may name what waits; and it must not be undone with them.
                self._results += self._bulk.flush()
        mark, done = len(self._results), {*self._done}
        self._active.append(unit.id)
        try:
            with self._part(), self._undoing():
                self._lines(told)
        except _FailedError as failed:
            if self._undoes:
                # What was made on the way, for the sake of this twin, comes up by itself again.
                del self._results[mark:]
                self._done = done
            self._failed = unit.id
            settled = {result[0] for result in self._results[mark:]}
            error = failed.error
            for number, _, _ in told:
                if number == failed.number:
                    self._results.append((number, REFUSED, error.code, _reason(error), None))
                elif number not in settled:
                    self._results.append(_skipped(number))
        finally:
            self._active.pop()
        return more

    def _undoing(self) -> AbstractContextManager[None]:
        return nullcontext() if self._whole is None else self._whole.unit()

    def _lines(self, told: list[tuple[int, Line, str | None]]) -> None:
        is_open = True
        for place, (number, line, token) in enumerate(told):
            if not is_open:
                self._results.append((number, UNCHECKED, None, None, None))
                continue
            try:
                result = self._line(number, line, token)
            except (UnreachableError, InterruptedWriteError):
                raise
            except TwinError as error:
                if isinstance(error, ConfigError) and error.code != "cannot_read":
                    raise  # not of this line: a full disk, a package that is missing
                if not self._how.keep and error.code == "locked":
                    # All that can be known without the key is right.
                    result, is_open = (number, APPLIED, None, None, None), False
                elif isinstance(error, LockedError) and error.code in _FATAL:
                    raise
                elif self._is_guess and place:
                    result, is_open = (number, UNCHECKED, None, None, None), False
                else:
                    raise _FailedError(number, error) from error
            self._results.append(result)

    @property
    def _is_guess(self) -> bool:
        """Whether lines are checked one by one, as if those before them were not there."""
        return not self._how.keep and not self._undoes

    def _line(self, number: int, line: Line, token: str | None) -> _Result:
        named = line.members.get(lines.REFERENCES.get(line.do, ""))
        if named is not None:
            self._bring(named)
        rooms, members = self._rooms, line.members
        if "key" in members:
            rooms = rooms.signing_with(members["key"])
        if self._is_guess or (not self._how.keep and line.do == "file"):
            rooms = rooms.pretending()
        before = None if self._whole is None else self._whole.position
        if line.do != "create":
            self._check_there(line.asset)
        tx_id = verbs.run(rooms, line, Writing(members.get("at"), token))
        if self._whole is not None and self._whole.position == before and token is not None:
            return number, EXISTING, None, None, tx_id
        self.last = tx_id or self.last
        return number, APPLIED, None, None, tx_id if self._how.keep else None

    def _check_there(self, ref: str) -> None:
        if resolve.asset_id_or_none(self._rooms.stream.workspace, ref) is None:
            raise self._not_found(ref)

    def _not_found(self, ref: str) -> NotFoundError:
        # Said here and not by a service, which looks for near names: among many, for every line.
        return NotFoundError(f"there is no asset {ref!r} on this ledger")

    def _bring(self, ref: str) -> None:
        """Apply the lines that make a twin which a line of another one names."""
        if resolve.asset_id_or_none(self._rooms.stream.workspace, ref) is not None:
            return
        found = self._spool.unit_of(_by_name(ref))
        if found is None:
            raise self._not_found(ref)
        if found in self._active:
            return
        if len(self._active) >= MAX_DEPTH:
            raise UsageError(f"more than {MAX_DEPTH} twins name each other")
        if found not in self._done:
            self._unit(self._spool.one(found))

    def _warn(self, text: str) -> None:
        if len(self.warnings) < MAX_WARNINGS and text not in self.warnings:
            self.warnings.append(text)

    def _stopped(self, error: TwinError) -> TwinError:
        """Return an error that also says which lines are recorded, and how to go on."""
        if not self._how.keep:
            return error
        if self._unsettled:  # they are on the ledger: who stopped it a second time is told of them
            self._settle()
        found = list(self._spool.ranges(APPLIED, EXISTING))
        count = sum(last - first + 1 for first, last in found)
        if count == 0:
            there = "nothing is recorded"
        elif count == 1:
            there = "1 line is recorded"
        else:
            there = f"{count} lines are recorded"
        if self._how.once is not None:
            way = "give the same file again with the same --once: nothing is recorded twice"
        elif count:
            shown = [str(first) if first == last else f"{first}-{last}" for first, last in found]
            cut = shown[:MAX_RANGES] + ["..."] * (len(shown) > MAX_RANGES)
            way = f"give all others again: recorded are {', '.join(cut)}; --once would know them"
        else:
            way = "give the file again"
        hint = f"{error.hint}; {way}" if error.hint else f"to continue, {way}"
        return error.reworded(f"{error.message}: {there}", hint=hint)


class _FailedError(Exception):
    """A line cannot be recorded."""

    def __init__(self, number: int, error: TwinError) -> None:
        super().__init__(number)
        self.number = number
        self.error = error


def _skipped(number: int) -> _Result:
    return number, SKIPPED, None, "another line of the same twin is refused", None


def _read(text: str) -> tuple[Line, str | None]:
    *words, token = _decode(text)
    return Line(words[0], words[1], words[2], tuple(words[3])), token
