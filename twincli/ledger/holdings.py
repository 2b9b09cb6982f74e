"""Many assets at once: who holds them, and how they stand, a few queries for hundreds of them."""

from __future__ import annotations

from itertools import islice

from twincli.ledger.faults import damaged
from twincli.ledger.rows import Held, Linked, Spendable, Standing, unproven_outputs
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

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


def linking(
    store: Store,
    index: Index,
    time_of: Callable[[int], int],
    asset_ids: list[str],
    what: str,
    other: str | None,
    known: Container[int],
) -> list[Linked]:
    """Return the transactions that link any of some assets, or take links of theirs back.

    Args:
        store: The ledger.
        index: Caught up.
        time_of: Returns the time of a block.
        asset_ids: The assets.
        what: ``LINKS``, ``ABOVE`` or ``REVOCATIONS`` of ``model.links``.
        other: Only what links them with this one.
        known: Positions to leave out.

    Raises:
        ConfigError: ``damaged_ledger``: one was altered.
    """
    found = {seq for _, seq in index.stated_by(what, asset_ids)}
    if other is not None:
        found.intersection_update(index.stated(what, other))
    seqs = sorted(seq for seq in found if seq not in known)
    rows = (row for at in range(0, len(seqs), PAGE) for row in store.rows_at(seqs[at : at + PAGE]))
    times: dict[int, int] = {}
    made = []
    for row in rows:
        if row.height not in times:
            times[row.height] = time_of(row.height)
        made.append(Linked(row.seq, row.tx, row.height, times[row.height]))
    return made


def held(
    store: Store, asset_ids: list[str], known: Mapping[int, dict[str, Any]]
) -> dict[str, Held]:
    """Return who holds assets; those that are not on the ledger are left out.

    Args:
        store: The ledger.
        asset_ids: The assets.
        known: Transactions at hand, by their positions.
    """
    found: dict[str, Held] = {}
    for at in range(0, len(asset_ids), PAGE):
        seqs = store.seqs_of(asset_ids[at : at + PAGE])
        unspent = store.unspent_of(list(seqs.values()))
        wanted = {seq for _, seq, _ in unspent}
        tips = {seq: known[seq] for seq in wanted if seq in known}
        for row in store.rows_at(sorted(wanted - tips.keys())):
            tx_id = row.id.hex()
            tips[row.seq] = {"id": tx_id, "outputs": unproven_outputs(row.body, tx_id)[1]}
        heights = store.heights(sorted(wanted))
        by_seq = {seq: asset_id for asset_id, seq in seqs.items()}
        for asset, seq, index in unspent:
            asset_id = by_seq[asset]
            details = tips[seq]["outputs"][index]["condition"]["details"]
            before = found.get(asset_id)
            if before is None:
                found[asset_id] = Held(heights[seq], [details], {tips[seq]["id"]})
            else:
                before.details.append(details)
                before.by.add(tips[seq]["id"])
                found[asset_id] = before._replace(since=max(before.since or 0, heights[seq]))
    return found


def spoken_of(store: Store, index: Index) -> set[str]:
    """Return the assets that have records, or that another asset is about.

    Args:
        store: The ledger.
        index: Caught up.
    """
    named, seqs = index.spoken_of()
    found = set(named)
    for at in range(0, len(seqs), PAGE):
        found.update(store.ids_at(seqs[at : at + PAGE]))
    return found


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
