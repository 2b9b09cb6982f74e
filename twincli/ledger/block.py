"""Blocks in the making."""

from __future__ import annotations

import gc

from twincli.crypto import canonical, merkle
from twincli.crypto.digests import sha3_256
from twincli.ledger.reading import Located
from twincli.ledger.rows import Batch, Block
from twincli.model.transaction import CREATE
from twincli.rules.validity import Known
from twincli.values import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twincli.ledger.reading import Reader
    from twincli.rules.structure import Checked


class Applying:
    """Blocks in the making, and the view of the ledger that their transactions are judged by."""

    __slots__ = (
        "batch",
        "blocks",
        "height",
        "ledger",
        "seq",
        "spent",
        "time_ms",
        "tip",
        "tree",
        "txs",
    )

    def __init__(self, ledger: Reader, tip: Block, time_ms: int) -> None:
        self.ledger = ledger
        self.tip = tip
        self.time_ms = time_ms
        self.height = tip.height + 1
        self.seq = tip.last_seq
        self.batch = Batch()
        self.blocks: list[Block] = []
        self.tree: merkle.CompactRange | None = None
        self.txs: dict[str, Located] = {}
        self.spent: dict[tuple[int, int], str] = {}

    def locate(self, tx_id: str) -> Located | None:
        """Return a transaction of this block or of the ledger."""
        return self.txs.get(tx_id) or self.ledger.locate(tx_id)

    def known(self, tx_id: str) -> Known | None:
        """See ``validity.View``."""
        located = self.locate(tx_id)
        return located and located.known

    def spender(self, tx_id: str, output_index: int) -> str | None:
        """See ``validity.View``."""
        located = self.locate(tx_id)
        if located is None:
            return None
        mine = self.spent.get((located.seq, output_index))
        if mine is not None or located.seq > self.tip.last_seq:
            return mine
        seq = self.ledger.store.spender(located.seq, output_index)
        return None if seq is None else self.ledger.id_at(seq)

    def add(self, checked: Checked) -> None:
        """Take a transaction that was judged valid."""
        self.seq = seq = self.seq + 1
        if checked.operation == CREATE:
            asset = seq
        else:
            asset = -1
            for entry in checked.inputs:
                assert entry.spends is not None
                spent = self.locate(entry.spends[0])
                assert spent is not None
                asset = spent.asset
                self.spend(spent.seq, entry.spends[1], seq, checked.id)
            once = once_token(checked.metadata)
            if once is not None:
                signers = signers_text(signing_keys(checked))
                self.batch.once.append((asset, once, signers, seq))
        self.put(checked.id, asset, Known(checked.asset_id, checked.outputs), checked.body)

    def spend(self, seq: int, output_index: int, by_seq: int, by_id: str) -> None:
        """Mark an output as spent."""
        self.spent[seq, output_index] = by_id
        self.batch.spent.append((seq, output_index, by_seq))
        self.batch.unspent.pop((seq, output_index), None)

    def put(self, tx_id: str, asset: int, known: Known, body: str) -> None:
        """Store the transaction at ``self.seq``."""
        seq = self.seq
        self.txs[tx_id] = Located(seq, asset, known)
        self.batch.txs.append((seq, bytes.fromhex(tx_id), asset, self.height, body))
        for index in range(len(known.outputs)):
            self.batch.unspent[seq, index] = asset

    def close(self) -> None:
        """End a block; inside ``writing()``."""
        if self.tree is None:
            self.tree = self.ledger.tree()
        before = self.blocks[-1] if self.blocks else self.tip
        ids = []
        for row in self.batch.txs[before.last_seq - self.tip.last_seq :]:
            leaf = merkle.ledger_leaf(self.height, self.time_ms, row[1])
            self.tree.append(merkle.leaf_hash(leaf))
            ids.append(row[1].hex())
        hashed, root = app_hash(before.app_hash, ids), self.tree.root()
        self.blocks.append(Block(self.height, self.time_ms, self.seq, hashed, root))
        self.batch.tree = self.tree.to_bytes()

    def go_on(self) -> None:
        """Begin the block after the one that was ended."""
        self.height += 1

    def write(self) -> None:
        """Write the blocks; inside ``writing()``."""
        self.close()
        self.ledger.store.insert(self.batch, self.blocks)

    def remember(self) -> None:
        """Keep in memory what spenders of this block need; only once it is committed."""
        for tx_id, located in self.txs.items():
            self.ledger.remember(tx_id, located)
        if self.batch.txs:
            self.ledger.note(self.height, self.seq, self.batch.txs[-1][1].hex())


class uncollected:  # noqa: N801 - a context that reads as a word
    """Holds the collector of cycles off.

    Nothing in here makes cycles, and the collector would look at every object of a batch again
    and again, a tenth of the time.
    """

    __slots__ = ("was_on",)

    def __enter__(self) -> None:
        self.was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self.was_on:
            gc.enable()


def app_hash(before: bytes, ids: Sequence[str]) -> bytes:
    """Return BigchainDB's chained hash after a block with transactions ``ids``.

    Source: bigchaindb 2.2.2 ``core.py`` ``end_block``; checked on two blocks of a real server.
    """
    if not ids:
        return before
    inner = canonical.sha3_hex("".join(ids).encode())
    return sha3_256((before.hex() + inner).encode()).digest()


def once_token(metadata: Any) -> str | None:
    """Return the once token in the envelope of an append, or None."""
    envelope = metadata.get("twin") if metadata else None
    if isinstance(envelope, dict) and type(envelope.get("v")) is int:
        token = envelope.get("once")
        if isinstance(token, str):
            return token
    return None


def signing_keys(checked: Checked) -> list[str]:
    """Return the public keys whose signatures a transaction carries."""
    keys: dict[str, None] = {}
    for entry in checked.inputs:
        if entry.fulfillment is not None:
            keys.update(dict.fromkeys(entry.fulfillment.keys()))
    return list(keys)


def signers_text(keys: Iterable[str]) -> str:
    """Return public keys as the table of once tokens writes them."""
    return ",".join(sorted(set(keys)))
