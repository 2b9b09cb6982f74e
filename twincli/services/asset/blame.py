"""Who set what: for each field of a twin the transaction that made it what it is.

A transaction writes members of the state whole, dotted paths too; only the leaves that it changed
are its own. What a later transaction corrects counts as never written.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from twincli.client import BLOCK_TIME, lacking
from twincli.errors import NotFoundError
from twincli.model import leaves, record, times
from twincli.rules.replay import Replay, corrected_by
from twincli.services import resolve
from twincli.services.asset import moments
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from twincli.ledger.reading import Entry
    from twincli.rules.replay import Ref
    from twincli.services.documents import Blame, BlameItem
    from twincli.services.workspace import Workspace

    Tree: TypeAlias = "Origin | dict[str, Tree]"


class Origin(NamedTuple):
    """A transaction, and its place in the chain.

    Attributes:
        number: From 0.
        entry: It.
    """

    number: int
    entry: Entry


def blame(
    workspace: Workspace,
    ref: str,
    *,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
    reverse: bool = False,
    by: str = moments.HAPPENED,
    as_of: str | None = None,
) -> Blame:
    """Return for each field of a twin the transaction that set it.

    Args:
        workspace: Rooms.
        ref: The twin.
        since: Only fields that were set at this time or later.
        until: Only fields that were set before this time.
        by: What the times are compared with, see ``moments.Range.of``.
        limit: Return at most N.
        reverse: What was set last comes first.
        as_of: As the twin was recorded at this time.

    Returns:
        ``twin.blame/1`` with ``asset_id`` and ``fields``, in the order of the chain.

    Raises:
        UsageError: ``bad_time``, ``empty_range``, ``not_supported``.
        NotFoundError: There was no such twin at that time.
    """
    moments.checked_limit(limit)
    span = moments.Range.of(workspace, since, until, by)
    asset_id = resolve.asset_id_of(workspace, ref)
    then = as_of_ms(workspace, as_of)
    found = Origins.of(workspace, asset_id, then)
    rows = found.rows(span)
    rows.sort(key=lambda row: row[0], reverse=reverse)
    return {
        "schema": "twin.blame/1",
        "asset_id": asset_id,
        "as_of": times.told(then),
        "fields": [item for _, item in islice(rows, limit)],
    }


def as_of_ms(workspace: Workspace, as_of: str | None) -> int | None:
    """Return the time of ``--as-of``.

    Raises:
        UsageError: ``bad_time``, ``not_supported``.
    """
    if as_of is None:
        return None
    if BLOCK_TIME not in workspace.client.capabilities:
        raise lacking(BLOCK_TIME)
    return times.parse(as_of, workspace.now())


def recorded_by(
    workspace: Workspace, asset_id: str, until_ms: int | None, after: str | None = None
) -> Iterator[Entry]:
    """Yield the transactions of an asset that were recorded up to a time."""
    for entry in workspace.client.entries(asset_id, after):
        if until_ms is not None and (entry.time_ms is None or entry.time_ms > until_ms):
            return
        yield entry


def corrected_then(workspace: Workspace, asset_id: str, until_ms: int | None) -> frozenset[str]:
    """Return the transactions that were known to be wrong at a time."""
    client = workspace.client
    txs = client.corrections(asset_id)
    if until_ms is not None:
        txs = [
            tx
            for tx in txs
            if (time_ms := client.required(tx["id"]).time_ms) is not None and time_ms <= until_ms
        ]
    return corrected_by(txs)


class Origins:
    """A replay that remembers where each leaf of the state comes from.

    Args:
        corrected: Transactions whose values do not count.

    Attributes:
        replay: The state.
        create: The CREATE, once seen.
    """

    def __init__(self, corrected: frozenset[str]) -> None:
        self.replay = Replay(corrected)
        self.create: Origin | None = None
        self._common: dict[str, Tree] = {}
        self._outputs: dict[Ref, dict[str, Tree]] = {}
        self._count = 0

    @classmethod
    def of(cls, workspace: Workspace, asset_id: str, until_ms: int | None) -> Origins:
        """Return the origins of what an asset is, or was recorded to be at a time."""
        made = cls(corrected_then(workspace, asset_id, until_ms))
        for entry in recorded_by(workspace, asset_id, until_ms):
            made.add(entry)
        if made.create is None:
            raise NotFoundError(f"there was no asset {asset_id} at that time")
        return made

    def add(self, entry: Entry) -> None:
        """Take the next transaction."""
        tx, origin = entry.tx, Origin(self._count, entry)
        self._count += 1
        held: dict[str, Tree] = {}
        if tx["operation"] == "CREATE":
            self.create = origin
        else:
            spent = [
                self._outputs.pop((item["transaction_id"], item["output_index"]), {})
                for item in (entry["fulfills"] for entry in tx["inputs"])
            ]
            held = spent[0] if len(spent) == 1 else {k: v for one in spent for k, v in one.items()}
        step = self.replay.add(tx)
        if step.written and not step.corrected:
            held = held.copy()
            for name, value in step.written.items():
                held[name] = _grown(
                    step.before.get(name, leaves.ABSENT), value, held.get(name), origin, 1
                )
        for index in range(len(tx["outputs"])):
            self._outputs[tx["id"], index] = held
        if len(self._outputs) == 1:
            self._common = held

    def rows(self, span: moments.Range) -> list[tuple[int, BlameItem]]:
        """Return a row for each leaf that was set in a range, with its transaction's place."""
        assert self.create is not None
        told: dict[int, Any] = {}

        def row(of: str, path: str, value: Any, output: str | None, origin: Origin) -> None:
            if not span.holds(origin.entry):
                return
            moment = told.get(origin.number)
            if moment is None:
                moment = told[origin.number] = moments.of_entry(origin.entry)
            found.append(
                (
                    origin.number,
                    {"of": of, "path": path, "output": output, "value": value, **moment},
                )
            )

        found: list[tuple[int, BlameItem]] = []
        facts = record.without_envelope(self.create.entry.tx["asset"]["data"])
        for path, value in leaves.leaves(facts):
            row("facts", path, value, None, self.create)
        for path, value, origin in _walked(self.replay.common, self._common, ""):
            row("state", path, value, None, origin)
        if self.replay.is_split:
            for (tx_id, index), state in self.replay.outputs.items():
                tree = self._outputs[tx_id, index]
                for path, value, origin in _walked(state, tree, ""):
                    row("state", path, value, f"{tx_id}:{index}", origin)
        return found

    def origin(self, path: str) -> Origin | None:
        """Return where the value at a dotted path of the state comes from: its newest leaf."""
        tree: Tree | None = self._common
        for name in path.split("."):
            if not isinstance(tree, dict):
                break
            tree = tree.get(name)
        return None if tree is None else max(_origins(tree), key=lambda found: found.number)


def _grown(old: Any, value: Any, tree: Tree | None, origin: Origin, depth: int) -> Tree:
    """Return the origins of a value that was written over another one."""
    if leaves.is_branch(value, depth):
        trees = tree if isinstance(tree, dict) else {}
        before = old if trees else {}
        return {
            name: _grown(before.get(name, leaves.ABSENT), item, trees.get(name), origin, depth + 1)
            for name, item in value.items()
        }
    if isinstance(tree, Origin) and leaves.same(old, value):
        return tree
    return origin


def _walked(
    members: Mapping[str, Any], trees: Mapping[str, Tree], prefix: str
) -> Iterator[tuple[str, Any, Origin]]:
    """Yield the leaves of a state with their origins."""
    for name, value in members.items():
        tree = trees[name]
        if isinstance(tree, dict):
            yield from _walked(value, tree, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value, tree


def _origins(tree: Tree) -> Iterable[Origin]:
    if isinstance(tree, dict):
        for inner in tree.values():
            yield from _origins(inner)
    else:
        yield tree
