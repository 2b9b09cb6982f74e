"""What changed between two times.

Two replays go through the chain side by side. One takes the values of what had happened (or was
recorded) before the range, the other also those of what is in it; corrections count in the same
way. Outputs move alike in both, so at the end each output has its state before and after.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from twincli.errors import NotFoundError
from twincli.model import leaves, record, times
from twincli.rules.replay import Replay, corrected_by, corrects
from twincli.services import resolve
from twincli.services.asset import moments
from twincli.services.asset.blame import Origin, as_of_ms, recorded_by
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from twincli.client import LedgerClient
    from twincli.ledger.reading import Entry
    from twincli.rules.replay import Ref, Step
    from twincli.services.asset.moments import Range
    from twincli.services.documents import Change, Diff
    from twincli.services.workspace import Workspace

NEWEST = 10
"""Transactions that a change names; a field may have been written a million times."""


class Mark(NamedTuple):
    """The transactions of a range that changed a leaf.

    Attributes:
        total: How many.
        newest: The newest of them, oldest first.
    """

    total: int = 0
    newest: tuple[Origin, ...] = ()

    def and_by(self, origin: Origin) -> Mark:
        """Return the same with one more."""
        return Mark(self.total + 1, (*self.newest[1 - NEWEST :], origin))


def diff(
    workspace: Workspace,
    ref: str,
    *,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
    reverse: bool = False,
    by: str = moments.HAPPENED,
    as_of: str | None = None,
) -> Diff:
    """Return what changed between two times.

    Args:
        workspace: Rooms.
        ref: The twin.
        since: The first time; None: before there was the twin.
        until: The second; None: now.
        limit: Return at most N.
        reverse: What changed last comes first.
        by: What the times are compared with, see ``moments.Range.of``.
        as_of: Only what was recorded by this time.

    Returns:
        ``twin.diff/1`` with ``asset_id`` and ``changes``, in the order of the chain.

    Raises:
        UsageError: ``bad_time``, ``empty_range``, ``not_supported``.
        NotFoundError: There was no such twin at that time.
    """
    moments.checked_limit(limit)
    span = moments.Range.of(workspace, since, until, by)
    asset_id = resolve.asset_id_of(workspace, ref)
    then = as_of_ms(workspace, as_of)
    pair = _Pair.begun(workspace, asset_id, span, then)
    is_there = pair.after.create is not None
    waiting: list[Entry] = []
    for entry in recorded_by(workspace, asset_id, then, pair.begin):
        is_there = True
        if not is_known(span, entry):
            # Not yet: what follows the last that is known must not move the outputs.
            waiting.append(entry)
            continue
        for late in waiting:
            pair.add(late)
        waiting.clear()
        pair.add(entry)
    if not is_there:
        raise NotFoundError(f"there was no asset {asset_id} at that time")
    changes = pair.changes()
    changes.sort(key=lambda change: change[0], reverse=reverse)
    return {
        "schema": "twin.diff/1",
        "asset_id": asset_id,
        "as_of": times.told(then),
        "changes": [change for _, change in islice(changes, limit)],
    }


class _Pair:
    """The two replays, and who changed what between them.

    Args:
        client: The ledger.
        span: The range.
        before: The state before the range.
        after: The state at its end.
        begin: The last transaction that both have taken.

    Attributes:
        before, after, begin: As given.
    """

    def __init__(
        self,
        client: LedgerClient,
        span: Range,
        before: Replay,
        after: Replay,
        begin: str | None = None,
    ) -> None:
        self._client = client
        self.before, self.after, self.begin = before, after, begin
        self._span = span
        self._marks: dict[Ref, dict[str, Mark]] = {}
        self._corrections: list[tuple[str, Origin]] = []
        self._count = 0
        self._born: Origin | None = None
        self._moved: Mark = Mark()

    @classmethod
    def begun(cls, workspace: Workspace, asset_id: str, span: Range, as_of_ms: int | None) -> _Pair:
        """Return the pair at the nearest kept state before the range."""
        client = workspace.client
        every = [client.required(tx["id"]) for tx in client.corrections(asset_id)]
        entries = every
        if as_of_ms is not None:
            entries = [item for item in entries if (item.time_ms or 0) <= as_of_ms]
        old = [entry for entry in entries if is_before(span, entry)]
        known = [entry for entry in entries if is_known(span, entry)]
        begin = None
        if span.since_ms is not None and len(old) == len(every):
            # The corrections are the same in both, and the same as now.
            for part in client.stretches(asset_id):
                high = part.ended_ms if span.by_block else part.high
                is_recorded = as_of_ms is None or (
                    part.ended_ms is not None and part.ended_ms <= as_of_ms
                )
                if part.last is None or high is None or high >= span.since_ms or not is_recorded:
                    break
                begin = part.last
        if begin is not None:
            one, other = (client.replay_to(asset_id, begin) for _ in range(2))
            return cls(client, span, one, other, begin)
        return cls(
            client,
            span,
            Replay(corrected_by(entry.tx for entry in old)),
            Replay(corrected_by(entry.tx for entry in known)),
        )

    def add(self, entry: Entry) -> None:
        """Take the next transaction."""
        tx, origin = entry.tx, Origin(self._count, entry)
        self._count += 1
        is_old, is_new = is_before(self._span, entry), is_known(self._span, entry)
        bare = {**tx, "metadata": None}
        self.before.add(tx if is_old else bare)
        pin = self.after.pin
        spent = [
            self._marks.pop((item["fulfills"]["transaction_id"], item["fulfills"]["output_index"]))
            for item in tx["inputs"]
            if item["fulfills"] is not None
            and (item["fulfills"]["transaction_id"], item["fulfills"]["output_index"])
            in self._marks
        ]
        step = self.after.add(tx if is_new else bare)
        marks = spent[0] if len(spent) == 1 else {k: v for one in spent for k, v in one.items()}
        if is_new and not is_old:
            self._mark(marks, step, origin)
            if self.after.pin != pin:
                self._moved = self._moved.and_by(origin)
        if marks or spent:
            for index in range(len(tx["outputs"])):
                self._marks[tx["id"], index] = marks if index == 0 else marks.copy()

    def _mark(self, marks: dict[str, Mark], step: Step, origin: Origin) -> None:
        tx = origin.entry.tx
        if tx["operation"] == "CREATE":
            self._born = origin
        target = corrects(tx)
        if target is not None:
            self._corrections.append((target, origin))
        if step.corrected:
            return
        for name in step.written:
            old = step.before.get(name, leaves.ABSENT)
            found = leaves.changes(
                {} if old is leaves.ABSENT else {name: old}, {name: step.after[name]}
            )
            for path, _, _ in found:
                marks[path] = marks.get(path, Mark()).and_by(origin)

    def changes(self) -> list[tuple[int, Change]]:
        """Return what differs, each with the place of the last transaction that changed it."""
        found: list[tuple[int, Change]] = []
        if self._born is not None:
            facts = record.without_envelope(self._born.entry.tx["asset"]["data"])
            mark = Mark().and_by(self._born)
            for path, value in leaves.leaves(facts):
                found.append(_change("facts", path, None, leaves.ABSENT, value, mark))
        before, after = self.before.pin, self.after.pin
        if self._born is not None:
            before = None
        if after is not None and self._moved.total and (before is None or before.cid != after.cid):
            old = leaves.ABSENT if before is None else before.template
            change = _change("template", "template", None, old, after.template, self._moved)
            found.append(change)
        for ref, state in self.after.outputs.items():
            output = f"{ref[0]}:{ref[1]}" if self.after.is_split else None
            marks = self._marks.get(ref, {})
            for path, was, now in leaves.changes(self.before.outputs.get(ref, {}), state):
                mark = marks.get(path) or self._otherwise(path, marks)
                found.append(_change("state", path, output, was, now, mark))
        return found

    def _otherwise(self, path: str, marks: dict[str, Mark]) -> Mark:
        """Return what in the range changed a leaf that no transaction in it wrote.

        A correction did, or, where outputs were joined, the member that one of them brought along
        stands over that of another.
        """
        name = path.partition(".")[0]
        mark, others = Mark(), Mark()
        for target, origin in self._corrections:
            if name in (self._written(target) or ()):
                mark = mark.and_by(origin)
            others = others.and_by(origin)
        if mark.total:
            return mark
        of_member = [held for other, held in marks.items() if other.partition(".")[0] == name]
        return max(of_member, key=lambda held: held.total, default=others)

    def _written(self, tx_id: str) -> dict[str, Any] | None:
        entry = self._client.entry(tx_id)
        return None if entry is None else entry.tx["metadata"]


def is_before(span: Range, entry: Entry) -> bool:
    """Say whether something came before a range; what has no time is in none."""
    moment = span.moment(entry)
    return span.since_ms is not None and (moment is None or moment < span.since_ms)


def is_known(span: Range, entry: Entry) -> bool:
    """Say whether something came before the end of a range."""
    moment = span.moment(entry)
    return span.until_ms is None or moment is None or moment < span.until_ms


def _change(
    of: str, path: str, output: str | None, before: Any, after: Any, mark: Mark
) -> tuple[int, Change]:
    sides = {"before": before, "after": after}
    change: Change = {
        "of": of,
        "path": path,
        "output": output,
        **{name: value for name, value in sides.items() if value is not leaves.ABSENT},  # type: ignore[typeddict-item]
        "count": mark.total,
        "transactions": [moments.of_entry(origin.entry) for origin in mark.newest],
    }
    return (mark.newest[-1].number if mark.newest else -1), change
