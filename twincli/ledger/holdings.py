"""Many assets at once: who holds them, and how they stand, a few queries for hundreds of them."""

from __future__ import annotations

from itertools import islice

from twincli.ledger.faults import damaged
from twincli.ledger.rows import Spendable, Standing
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.ledger.index import Index
    from twincli.ledger.store import Store

FIRST_PAGE = 50
PAGE = 500
"""Assets read at once; few at first, so that a listing begins without delay."""


def held_by(
    store: Store, index: Index, public_keys: Iterable[str], *, ever: bool = False
) -> list[str]:
    """Return the assets of which any of some keys holds an unspent output, in commit order.

    Args:
        store: The ledger.
        index: Caught up.
        public_keys: base58.
        ever: Those as well of which they once held one.
    """
    assets: set[int] = set()
    for key in public_keys:
        for page in index.outputs(key):
            gone = () if ever else store.spent_among(page)
            assets.update(store.assets_at([ref[0] for ref in page if ref not in gone]))
    return store.ids_at(sorted(assets))


def in_order(store: Store, asset_ids: Iterable[str]) -> list[str]:
    """Return those of some assets that are on the ledger, each once, in commit order."""
    found = store.seqs_of(list(dict.fromkeys(asset_ids)))
    return [asset_id for _, asset_id in sorted((seq, asset_id) for asset_id, seq in found.items())]


def standings(store: Store, asset_ids: Iterable[str]) -> Iterator[Standing]:
    """Yield how assets stand, in the order given.

    Every transaction is read once and its id computed again.

    Raises:
        ConfigError: ``damaged_ledger``: one is missing, or altered.
    """
    source, size = iter(asset_ids), FIRST_PAGE
    while page := list(islice(source, size)):
        yield from _page(store, page)
        size = PAGE


def _page(store: Store, asset_ids: list[str]) -> Iterator[Standing]:

    seqs = store.seqs_of(asset_ids)
    unspent: dict[int, list[tuple[int, int]]] = {}
    for asset, seq, index in store.unspent_of(list(seqs.values())):
        unspent.setdefault(asset, []).append((seq, index))
    wanted = {seq for refs in unspent.values() for seq, _ in refs}.union(seqs.values())
    txs = {row.seq: row.tx for row in store.rows_at(sorted(wanted))}
    for asset_id in asset_ids:
        try:
            asset = seqs[asset_id]
            held = [(txs[seq], index) for seq, index in unspent.get(asset, ())]
            create = txs[asset]
        except KeyError:
            raise damaged(f"the asset {asset_id} or its history is missing") from None
        yield Standing(create, [Spendable(tx["id"], n, tx["outputs"][n]) for tx, n in held])
