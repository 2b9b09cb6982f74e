"""Replay of an asset from the ledger, with the state of long histories kept in the index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twincli.rules.replay import Replay, corrected_by, corrects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.ledger.reading import Reader

SHORT = 64
"""Histories up to this length are replayed whole, without opening the index."""


def replay(ledger: Reader, asset_id: str, as_of_ms: int | None = None) -> Replay | None:
    """Return the replay of an asset up to its tip, or None when there is no such asset.

    Args:
        ledger: Where it is.
        asset_id: Id of the CREATE.
        as_of_ms: Only what was committed up to then, milliseconds since the epoch.
    """
    asset = ledger.seq(asset_id)
    if asset is None:
        return None
    if as_of_ms is not None:
        return _whole(ledger, asset, ledger.store.last_seq_at(as_of_ms))
    rows = ledger.store.rows(asset=asset)
    first = []
    for row in rows:
        first.append(row.tx)
        if len(first) > SHORT:
            return _long(ledger, asset)
    return _replayed(first)


def _replayed(txs: list[dict[str, Any]]) -> Replay:
    made = Replay(corrected_by(txs))
    for tx in txs:
        made.add(tx)
    return made


def _txs(ledger: Reader, asset: int, until: int | None) -> Iterator[dict[str, Any]]:
    for row in ledger.store.rows(asset=asset, until=until):
        yield row.tx


def _whole(ledger: Reader, asset: int, until: int | None = None) -> Replay:
    made = Replay(corrected_by(_txs(ledger, asset, until)))
    for tx in _txs(ledger, asset, until):
        made.add(tx)
    return made


def _long(ledger: Reader, asset: int) -> Replay:
    index = ledger.plain_index
    kept = index.state(asset)
    seq, made = (0, None) if kept is None else (kept[0], _load(ledger, asset, *kept))
    fresh = 0
    if made is not None:
        for row in ledger.store.rows(asset=asset, after=seq):
            tx = row.tx
            if corrects(tx) is not None:
                made = None
                break
            made.add(tx)
            seq = row.seq
            fresh += 1
    if made is None:
        made = _whole(ledger, asset)
        last = ledger.store.last_row(asset)
        assert last is not None
        # What was replayed may already be longer than what is kept; the rest is added next time.
        assert made.last is not None
        seq = ledger.seq(made.last["id"]) or last.seq
        fresh = SHORT
    if fresh >= SHORT:
        index.keep_state(asset, seq, _dump(made))
    return made


def _dump(made: Replay) -> str:
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
            "corrected": sorted(made.corrected),
            "common": made.common,
            "entity": made.entity,
            "states": states,
            "outputs": outputs,
        }
    )


def _load(ledger: Reader, asset: int, seq: int, document: str) -> Replay | None:
    try:
        kept = json.loads(document)
        made = Replay(frozenset(kept["corrected"]))
        made.common = kept["common"]
        made.entity = kept["entity"]
        kept_last = kept["last"]
        made.outputs = {(tx, index): kept["states"][n] for tx, index, n in kept["outputs"]}
    except (ValueError, KeyError, TypeError, IndexError):
        return None  # damaged: made anew
    create, last = ledger.store.row_at(asset), ledger.store.row_at(seq)
    if create is None or last is None or last.id.hex() != kept_last:
        return None
    made.create, made.last = create.tx, last.tx
    return made
