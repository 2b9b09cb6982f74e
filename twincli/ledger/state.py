"""Replay of an asset from the ledger, with the states of long histories kept in the index.

Two kinds are kept: the newest state of an asset, and a snapshot after every ``EVERY``
transactions. A snapshot serves any replay that leaves out the same corrected transactions up to
there: ``_Corrected.fit`` names that set, and is compared, so that a correction made later never
meets a state that still holds what it takes out.
"""

from __future__ import annotations

import json
from itertools import islice

from twincli.crypto import canonical
from twincli.model import record
from twincli.rules.replay import Pin, Replay, corrected_by, corrects
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.ledger.index import Index, Snapshot
    from twincli.ledger.reading import Reader
    from twincli.ledger.rows import Row

SHORT = 64
"""Histories up to this length are replayed whole, without opening the index."""

_PAGE = 500
_AT_ONCE = 500
"""Transactions of short histories that are read with one question."""

EVERY = 2000
"""Transactions of an asset from one snapshot to the next."""

SNAPSHOT_CHARACTERS = 512
"""What snapshots may take for each transaction; large states are kept less often."""

NOW, THEN = 0, 1
"""Whether a snapshot was made with the corrections known now, or with those of an earlier time.

At one place each may be kept: the corrections between them change what they hold.
"""


class Stretch(NamedTuple):
    """A part of an asset's history.

    Attributes:
        after: Id of the transaction before it; None at the beginning.
        last: Id of its last transaction; None for the last stretch, which goes on to the tip.
        size: How many transactions it holds; 0 for the last stretch.
        low: The earliest time that something in it happened, milliseconds; None if not known.
        high: The latest.
        begun_ms: Nothing in it was committed before this time.
        ended_ms: Nothing in it was committed after this time; None for the last stretch.
    """

    after: str | None
    last: str | None
    size: int
    low: int | None
    high: int | None
    begun_ms: int
    ended_ms: int | None


class _TooLongError(Exception):
    """More would be read than was allowed."""


class _Bound:
    """Counts the characters that a replay reads.

    Args:
        most: How many it may read; None: any number.
    """

    def __init__(self, most: int | None = None) -> None:
        self._left = most

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield rows while they may be read.

        Raises:
            _TooLongError: The next one may not.
        """
        for row in rows:
            if self._left is not None:
                self._left -= len(row.body)
                if self._left < 0:
                    raise _TooLongError
            yield row


def replay(
    ledger: Reader, asset_id: str, as_of_ms: int | None = None, most: int | None = None
) -> Replay | None:
    """Return the replay of an asset up to its tip, or None when there is no such asset.

    Where it would read too much, that is None, too; snapshots of what it has read are kept, so that
    the next replay comes further.

    Args:
        ledger: Where it is.
        asset_id: Id of the CREATE.
        as_of_ms: Only what was committed up to then, milliseconds since the epoch.
        most: Characters of transactions that it may read; None: any number.
    """
    asset = ledger.seq(asset_id)
    if asset is None:
        return None
    until = None if as_of_ms is None else ledger.store.last_seq_at(as_of_ms)
    try:
        return _until(ledger, asset, until, _Bound(most))
    except _TooLongError:
        return None


def replay_then(ledger: Reader, asset_id: str, tx_id: str | None) -> Replay | None:
    """Return the replay of an asset when a transaction was its last; None for an unknown asset.

    Args:
        ledger: Where it is.
        asset_id: Id of the CREATE.
        tx_id: Later ones do not count, not even as corrections; None: none counts.
    """
    asset, until = ledger.seq(asset_id), None if tx_id is None else ledger.seq(tx_id)
    if asset is None:
        return None
    return Replay() if until is None else _until(ledger, asset, until, _Bound())


def _until(ledger: Reader, asset: int, until: int | None, bound: _Bound) -> Replay:
    # Of a long history these rows only show that it is long, and need not be read.
    rows = bound.rows(ledger.store.rows(asset=asset, until=until, page=SHORT + 1))
    first = list(islice(rows, SHORT + 1))
    if len(first) <= SHORT:
        return _replayed([row.tx for row in first])
    if until is None:
        return _newest(ledger, asset, bound)
    known = corrected_by(row.tx for row in bound.rows(ledger.store.corrections(asset, until)))
    return _walked(ledger, asset, until, _Corrected(ledger, known), THEN, bound).made


def replay_to(ledger: Reader, asset_id: str, tx_id: str | None) -> Replay:
    """Return the replay up to a transaction of an asset, with all corrections known now.

    Args:
        ledger: Where it is.
        asset_id: Id of the CREATE.
        tx_id: The last transaction to take; None for none.
    """
    asset, until = ledger.seq(asset_id), None if tx_id is None else ledger.seq(tx_id)
    if asset is None:
        return Replay()
    known = corrected_by(row.tx for row in ledger.store.corrections(asset))
    if until is None:
        return Replay(known)
    return _walked(ledger, asset, until, _Corrected(ledger, known), NOW, _Bound()).made


def stretches(ledger: Reader, asset_id: str) -> list[Stretch]:
    """Return the history of an asset in parts, in commit order; unknown asset: none.

    A short history is one part. What the parts hold is kept in the index, made when it is missing.
    """
    asset = ledger.seq(asset_id)
    if asset is None:
        return []
    replay(ledger, asset_id)
    found: list[Stretch] = []
    after: str | None = None
    count = time_ms = 0
    is_long = next(islice(ledger.store.rows(asset=asset, page=SHORT + 1), SHORT, None), None)
    for snapshot in ledger.plain_index.snapshots(asset) if is_long else ():
        row = ledger.store.row_at(snapshot.seq)
        if snapshot.taken <= count or row is None or row.id.hex() != snapshot.last:
            continue  # of the other kind at the same place, or of another history
        last = snapshot.last
        is_whole = snapshot.taken == count + EVERY
        low, high = (snapshot.low, snapshot.high) if is_whole else (None, None)
        begun_ms, time_ms = time_ms, ledger.time_of(row.height)
        size = snapshot.taken - count
        found.append(Stretch(after, last, size, low, high, begun_ms, time_ms))
        after, count = last, snapshot.taken
    return [*found, Stretch(after, None, 0, None, None, time_ms, None)]


def replays(ledger: Reader, assets: Iterable[tuple[int, int]]) -> Iterator[tuple[int, Replay]]:
    """Yield assets and their replays up to the tip; short histories are read many at once.

    Args:
        ledger: Where they are.
        assets: Position of each, and how many transactions it has, counted as far as ``SHORT + 1``.
    """
    waiting: list[int] = []
    held = 0
    for asset, count in assets:
        if count > SHORT:
            made = replay(ledger, ledger.id_at(asset))
            assert made is not None
            yield asset, made
            continue
        waiting.append(asset)
        held += count
        if held >= _AT_ONCE:
            yield from _short(ledger, waiting)
            waiting, held = [], 0
    yield from _short(ledger, waiting)


def replays_of(ledger: Reader, asset_ids: Iterable[str]) -> Iterator[tuple[str, Replay, int]]:
    """Yield the states of those of some assets that are there, and when each was made.

    Raises:
        ConfigError: ``damaged_ledger``: one was altered.
    """
    store = ledger.store
    wanted = list(dict.fromkeys(asset_ids))
    for at in range(0, len(wanted), _PAGE):
        ids = {seq: asset_id for asset_id, seq in store.seqs_of(wanted[at : at + _PAGE]).items()}
        heights = {row.seq: row.height for row in store.rows_at(sorted(ids))}
        spans = store.spans(sorted(ids), SHORT + 1)
        for asset, replay in replays(ledger, ((asset, count) for asset, _, count in spans)):
            yield ids[asset], replay, ledger.time_of(heights[asset])


def _short(ledger: Reader, assets: list[int]) -> Iterator[tuple[int, Replay]]:
    txs: list[dict[str, Any]] = []
    asset = 0
    for row in ledger.store.histories(assets):
        if row.asset != asset and txs:
            yield asset, _replayed(txs)
            txs = []
        asset = row.asset
        txs.append(row.tx)
    if txs:
        yield asset, _replayed(txs)


def _replayed(txs: list[dict[str, Any]]) -> Replay:
    made = Replay(corrected_by(txs) if len(txs) > 1 else frozenset())
    for tx in txs:
        made.add(tx)
    return made


class _Corrected:
    """The transactions of an asset whose values do not count.

    Args:
        ledger: Where they are.
        ids: From ``corrected_by``.
    """

    def __init__(self, ledger: Reader, ids: frozenset[str]) -> None:
        self.ids = ids
        self._ledger = ledger
        self._fits: tuple[list[int], list[str]] | None = None

    def fit(self, seq: int) -> str:
        """Return what is equal for all sets that have the same members up to a position."""
        from bisect import bisect_right

        if self._fits is None:
            # A correction may name what does not exist, or is committed only later.
            at = sorted((self._ledger.seq(tx_id) or 0, tx_id) for tx_id in self.ids)
            at = [placed for placed in at if placed[0]]
            fits = [""]
            for _, tx_id in at:
                fits.append(canonical.sha3_hex((fits[-1] + tx_id).encode()))
            self._fits = [found for found, _ in at], fits
        seqs, fits = self._fits
        return fits[bisect_right(seqs, seq)]


class _Walk:
    """A replay on its way.

    Attributes:
        made: The replay.
        seq: Position of the last transaction that it has taken.
        count: How many it has taken.
        low: The earliest time that something happened since the last place of a snapshot.
        high: The latest.
    """

    __slots__ = ("count", "high", "low", "made", "seq")

    def __init__(self, corrected: frozenset[str]) -> None:
        self.made = Replay(corrected)
        self.seq = self.count = 0
        self.low: int | None = None
        self.high: int | None = None

    def add(self, ledger: Reader, row: Row, tx: dict[str, Any]) -> bool:
        """Take the next transaction; say whether a snapshot belongs here."""
        self.made.add(tx)
        self.seq = row.seq
        self.count += 1
        moment = record.stated_ms(tx)
        if moment is None:
            moment = ledger.time_of(row.height)
        if self.low is None or moment < self.low:
            self.low = moment
        if self.high is None or moment > self.high:
            self.high = moment
        return self.count % EVERY == 0


class _Keeping:
    """Keeps snapshots of one asset as a walk comes by their places."""

    def __init__(self, index: Index, asset: int, corrected: _Corrected, kind: int) -> None:
        self._index = index
        self._asset = asset
        self._corrected = corrected
        self._kind = kind
        self._held: set[tuple[int, str, str]] | None = None
        self._last = 0

    def keep(self, walk: _Walk) -> None:
        """Keep a snapshot, without the state where that is large and another is near."""
        if self._held is None:
            held = self._index.snapshots(self._asset)
            self._held = {(at.seq, at.fit, at.last) for at in held}
            self._last = max(
                (at.taken for at in held if at.has_document and at.taken < walk.count), default=0
            )
        assert walk.made.last is not None
        last = walk.made.last["id"]
        fit = self._corrected.fit(walk.seq)
        if (walk.seq, fit, last) not in self._held:
            from twincli.ledger.index import Snapshot

            document = _dump(walk)
            if len(document) > SNAPSHOT_CHARACTERS * (walk.count - self._last):
                document = ""
            made = Snapshot(walk.seq, self._kind, walk.count, last, fit, walk.low, walk.high, "")
            self._index.keep_snapshot(self._asset, made, document)
            if document:
                self._last = walk.count
        walk.low = walk.high = None


def _walked(
    ledger: Reader,
    asset: int,
    until: int | None,
    corrected: _Corrected,
    kind: int,
    bound: _Bound,
) -> _Walk:
    """Replay from the nearest snapshot that holds."""
    index = ledger.plain_index
    walk = None
    for snapshot in reversed(index.snapshots(asset)):
        if (
            snapshot.has_document
            and (until is None or snapshot.seq <= until)
            and snapshot.fit == corrected.fit(snapshot.seq)
        ):
            walk = _from_snapshot(ledger, asset, snapshot)
            if walk is not None:
                break
    if walk is None:
        walk = _Walk(corrected.ids)
    walk.made.corrected = corrected.ids
    keeping = _Keeping(index, asset, corrected, kind)
    for row in bound.rows(ledger.store.rows(asset=asset, after=walk.seq, until=until)):
        if walk.add(ledger, row, row.tx):
            keeping.keep(walk)
    return walk


def _from_snapshot(ledger: Reader, asset: int, snapshot: Snapshot) -> _Walk | None:
    document = ledger.plain_index.snapshot(asset, snapshot)
    walk = None if document is None else _load(ledger, asset, snapshot.seq, document)
    if walk is not None:
        walk.low = walk.high = None
    return walk


def _newest(ledger: Reader, asset: int, bound: _Bound) -> Replay:
    """Return the state at the tip, from the newest that is kept."""
    index = ledger.plain_index
    kept = index.state(asset)
    walk = None if kept is None else _load(ledger, asset, *kept)
    begun = 0 if walk is None else walk.count
    if walk is not None:
        corrected = _Corrected(ledger, walk.made.corrected)
        keeping = _Keeping(index, asset, corrected, NOW)
        for row in bound.rows(ledger.store.rows(asset=asset, after=walk.seq)):
            tx = row.tx
            if corrects(tx) is not None:
                walk = None
                break
            if walk.add(ledger, row, tx):
                keeping.keep(walk)
    if walk is None:
        begun = 0
        last = ledger.store.last_row(asset)
        assert last is not None
        known = corrected_by(
            row.tx for row in bound.rows(ledger.store.corrections(asset, last.seq))
        )
        walk = _walked(ledger, asset, last.seq, _Corrected(ledger, known), NOW, bound)
    if walk.count - begun >= SHORT:
        index.keep_state(asset, walk.seq, _dump(walk))
    return walk.made


def _dump(walk: _Walk) -> str:
    made = walk.made
    states: list[dict[str, Any]] = []
    numbers: dict[int, int] = {}
    outputs = []
    for (tx_id, index), state in made.outputs.items():
        number = numbers.setdefault(id(state), len(states))
        if number == len(states):
            states.append(state)
        outputs.append([tx_id, index, number])
    return json.dumps(
        {
            # Binds it to this history: the index may be of another one, after a restore.
            "last": made.last["id"] if made.last else None,
            "count": walk.count,
            "low": walk.low,
            "high": walk.high,
            "corrected": sorted(made.corrected),
            "common": made.common,
            "entity": made.entity,
            "pin": made.pin,
            "frozen": made.frozen,
            "states": states,
            "outputs": outputs,
        }
    )


def _load(ledger: Reader, asset: int, seq: int, document: str) -> _Walk | None:
    try:
        kept = json.loads(document)
        walk = _Walk(frozenset(kept["corrected"]))
        made = walk.made
        made.common = kept["common"]
        made.entity = kept["entity"]
        made.pin = None if kept["pin"] is None else Pin(*kept["pin"])
        made.frozen = kept["frozen"]
        kept_last = kept["last"]
        made.outputs = {(tx, index): kept["states"][n] for tx, index, n in kept["outputs"]}
        walk.seq, walk.count = seq, int(kept["count"])
        walk.low, walk.high = kept["low"], kept["high"]
    except (ValueError, KeyError, TypeError, IndexError):
        return None  # damaged: made again
    create, last = ledger.store.row_at(asset), ledger.store.row_at(seq)
    if create is None or last is None or last.id.hex() != kept_last:
        return None
    made.create, made.last = create.tx, last.tx
    return walk


def count_right(ledger: Reader, asset: int) -> int:
    """Return how many of an asset's kept states and snapshots are what its history comes to.

    All are held against replays from the CREATE, one for each set of corrections that they leave
    out. Those that do not check by themselves are not right.

    Raises:
        ValueError, KeyError, TypeError, IndexError: One is not even of the form.
    """
    index = ledger.plain_index
    found = [row.tx for row in ledger.store.corrections(asset)]
    sets = [_Corrected(ledger, corrected_by(found[:end])) for end in range(len(found), -1, -1)]
    known = {corrected.ids for corrected in sets}
    replays: dict[frozenset[str], dict[int, list[tuple[Snapshot | None, str]]]] = {}

    def add(corrected: _Corrected | None, seq: int, snapshot: Snapshot | None, text: str) -> None:
        if corrected is not None:
            replays.setdefault(corrected.ids, {}).setdefault(seq, []).append((snapshot, text))

    state = index.state(asset)
    if state is not None:
        seq = state[0]
        kept = [row.tx for row in ledger.store.corrections(asset, seq)]
        add(_Corrected(ledger, corrected_by(kept)), seq, None, state[1])
    for snapshot in index.snapshots(asset):
        document = index.snapshot(asset, snapshot) if snapshot.has_document else ""
        if document is not None:
            fits = (item for item in sets if item.fit(snapshot.seq) == snapshot.fit)
            add(next(fits, None), snapshot.seq, snapshot, document)
    good = 0
    for ids, places in replays.items():
        walk = _Walk(ids)
        for row in ledger.store.rows(asset=asset, until=max(places)):
            is_place = walk.add(ledger, row, row.tx)
            kept_here = places.get(row.seq, ())
            good += sum(
                _is_head(walk, snapshot) and (not text or _is_document(walk, text, known))
                for snapshot, text in kept_here
                if snapshot is not None
            )
            if is_place:
                walk.low = walk.high = None
            good += sum(
                _is_document(walk, text, {ids}) for snapshot, text in kept_here if snapshot is None
            )
    return good


def _is_head(walk: _Walk, snapshot: Snapshot) -> bool:
    last = walk.made.last
    held = (snapshot.taken, snapshot.last, snapshot.low, snapshot.high)
    return last is not None and held == (walk.count, last["id"], walk.low, walk.high)


def _is_document(walk: _Walk, document: str, known: set[frozenset[str]]) -> bool:
    kept, right = json.loads(document), json.loads(_dump(walk))
    right["corrected"] = kept["corrected"]
    return kept == right and frozenset(kept["corrected"]) in known
