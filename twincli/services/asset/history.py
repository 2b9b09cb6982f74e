"""The history of a twin: every transaction and what it changed, in commit order."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from twincli.model import record, times
from twincli.model.telling import Naming
from twincli.model.transaction import Signers
from twincli.rules.replay import Replay, corrected_by
from twincli.services import resolve
from twincli.services.asset.moments import HAPPENED, Range, checked_limit, is_late

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from twincli.ledger.reading import Entry
    from twincli.ledger.state import Stretch
    from twincli.rules.replay import Step
    from twincli.services.documents import History, HistoryItem
    from twincli.services.workspace import Workspace


PAGE = 2000
"""Transactions held in memory at a time while a history is read backwards."""


def history(
    workspace: Workspace,
    ref: str,
    *,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
    reverse: bool = False,
    by: str = HAPPENED,
) -> History:
    """Return what happened to an asset, in the order of the chain.

    Args:
        workspace: Rooms.
        ref: The asset.
        since: What happened at this time or later, as people write times.
        until: What happened before this time.
        limit: Return at most N.
        reverse: Newest first.
        by: ``HAPPENED``: a range goes by the time that the signer states, where none is stated or
            the signer's clock was known to be wrong by the block's; ``RECORDED``: by the block's.

    Returns:
        ``twin.history/1`` with ``asset_id`` and ``transactions``, an iterator of
        ``id operation height at committed_at signers outputs kind metadata changes corrected``.
        ``outputs`` are ``{"owners", "amount", "spent_by"}``; ``changes`` has for every member of
        the state that was written ``{"before", "after"}``, ``before`` left out where there was
        none; ``corrected`` says that a later append takes these values out of the state.

    Raises:
        UsageError: ``bad_time``; ``empty_range``: ``until`` is not after ``since``;
            ``not_supported``: the ledger does not tell when it committed something.
    """
    checked_limit(limit)
    asset_id = resolve.asset_id_of(workspace, ref)
    told = _Telling(workspace, asset_id, Range.of(workspace, since, until, by))
    items = told.backwards() if reverse else told.forwards()
    return {
        "schema": "twin.history/1",
        "asset_id": asset_id,
        "transactions": islice(items, limit),
    }


class _Telling:
    """One reading of a history. Built for 100,000 transactions: nothing is asked for twice."""

    def __init__(self, workspace: Workspace, asset_id: str, span: Range) -> None:
        self.span = span
        self.client = workspace.client
        self.names = resolve.Names(workspace)
        self.asset_id = asset_id
        self.corrected = corrected_by(self.client.corrections(asset_id))
        self.times: dict[int, str] = {}
        self.signers = Signers()

    def forwards(self) -> Iterator[HistoryItem]:
        """Yield what is in the range; only parts of the history that may hold some are read."""
        if self.span.is_open:
            yield from self._told(Replay(self.corrected), self.client.entries(self.asset_id))
            return
        end: str | None = None
        replay = Replay(self.corrected)
        for part in self.client.stretches(self.asset_id):
            if not self.span.may_hold(part):
                continue
            if part.after != end:
                replay = self.client.replay_to(self.asset_id, part.after)
            yield from self._told(replay, self._between(part.after, part.last))
            end = part.last

    def backwards(self) -> Iterator[HistoryItem]:
        """Yield from the tip on; each part is replayed forwards, in pages."""
        for part in reversed(self.client.stretches(self.asset_id)):
            if not self.span.may_hold(part):
                continue
            for start, last in reversed(self._pages(part)):
                after, replay = start
                page = [(entry, replay.add(entry.tx)) for entry in self._between(after, last)]
                for entry, step in reversed(page):
                    if self.span.holds(entry):
                        yield self._item(entry, step)

    def _pages(self, part: Stretch) -> list[tuple[tuple[str | None, Replay], str]]:
        """Return what stands before each page of a part, and the last transaction of the page."""
        replay = self.client.replay_to(self.asset_id, part.after)
        if part.last is not None and part.size <= PAGE:
            return [((part.after, replay), part.last)]
        starts: list[tuple[str | None, Replay]] = []
        lasts: list[str] = []
        last = part.after
        for number, entry in enumerate(self._between(part.after, part.last)):
            if number % PAGE == 0:
                starts.append((last, _copy(replay)))
                lasts.append("")
            replay.add(entry.tx)
            last = lasts[-1] = entry.tx["id"]
        return list(zip(starts, lasts, strict=True))

    def _told(self, replay: Replay, entries: Iterable[Entry]) -> Iterator[HistoryItem]:
        for entry in entries:
            step = replay.add(entry.tx)
            if self.span.holds(entry):
                yield self._item(entry, step)

    def _between(self, after: str | None, last: str | None) -> Iterator[Entry]:
        for entry in self.client.entries(self.asset_id, after):
            yield entry
            if entry.tx["id"] == last:
                return

    def _item(self, entry: Entry, step: Step) -> HistoryItem:
        tx = entry.tx
        metadata = tx["metadata"]
        envelope = record.envelope_of(metadata) or {}
        if tx["operation"] == "CREATE":
            envelope = record.creating_envelope(tx) or envelope
        at, kind = envelope.get("at"), envelope.get("kind")
        before, spent_by = step.before, entry.spent_by
        time_ms, committed_at = entry.time_ms, None
        if time_ms is not None:
            committed_at = self.times.get(time_ms)
            if committed_at is None:
                if len(self.times) > PAGE:
                    self.times.clear()
                committed_at = self.times[time_ms] = times.to_text(time_ms)
        return {
            "id": tx["id"],
            "operation": tx["operation"],
            "height": entry.height,
            "at": at if isinstance(at, str) else None,
            "committed_at": committed_at,
            "late": is_late(entry),
            "signers": self.signers.of(tx),
            "outputs": [
                {
                    "owners": output["public_keys"],
                    "owner": self.names.owner(output["condition"]["details"]),
                    "amount": output["amount"],
                    "spent_by": spent_by.get(index),
                }
                for index, output in enumerate(tx["outputs"])
            ],
            "kind": kind if isinstance(kind, str) else None,
            "metadata": metadata,
            "changes": {
                name: {"before": before[name], "after": value}
                if name in before
                else {"after": value}
                for name, value in step.written.items()
            },
            "corrected": step.corrected,
        }


def _copy(replay: Replay) -> Replay:
    """Return a replay that goes on by itself; states are never changed in place."""
    made = Replay(replay.corrected)
    made.create, made.last, made.common = replay.create, replay.last, replay.common
    made.entity, made.pin, made.outputs = replay.entity, replay.pin, dict(replay.outputs)
    made.frozen = replay.frozen
    return made


def namer(workspace: Workspace) -> Callable[[str], str]:
    """Return what gives a public key's local name, or the key itself; looks every key up once."""
    known: dict[str, str] = {}

    def name(public_key: str) -> str:
        found = known.get(public_key)
        if found is None:
            found = known[public_key] = resolve.names_of(workspace, [public_key])[0] or public_key
        return found

    return name


def naming(workspace: Workspace) -> Naming:
    """Return what gives the names of assets and parties, for records in words."""
    own: dict[str, str] = {}

    def of_asset(asset_id: str) -> str:
        if not own:
            own.update({"": "", **resolve.asset_names(workspace)})
        found = own.get(asset_id)
        if found is None:
            entry = workspace.client.entry(asset_id)
            envelope = {} if entry is None else record.creating_envelope(entry.tx)
            found = own[asset_id] = record.text(envelope.get("name")) or f"{asset_id[:10]}..."
        return found

    return Naming(of_asset, namer(workspace))
