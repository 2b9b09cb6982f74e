"""A small ledger with files, readings and what others say, and evidence made of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from tests.ledger.chains import ALICE, BOB, CAROL, create, owned, spend
from twincli.client import LedgerClient
from twincli.content.store import Blobs
from twincli.crypto import canonical, merkle, notes, tlog
from twincli.crypto.ed25519 import KeyPair
from twincli.ledger import Ledger
from twincli.ledger.files import locate, read_key
from twincli.model import manifest, times
from twincli.services.file import attached
from twincli.services.proof import evidence
from twincli.services.proof.evidence import Claims, Finding, LeftOut, Recorded

Tx = dict[str, Any]
DEVICE = CAROL
COUNT = 50


def said(kind: str, **body: Any) -> Tx:
    """Return the metadata of a record."""
    return {"twin": {"v": 1, "kind": kind, "body": body}}


class Facts(NamedTuple):
    """The ledger, its content and its twin."""

    place: Path
    blobs: Blobs
    car: str
    file: str
    chunk: str


class Making:
    """Chains that are made one transaction after another."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.tips: dict[str, Tx] = {}

    def begin(self, tx: Tx) -> str:
        self.ledger.submit(tx)
        self.tips[tx["id"]] = tx
        return str(tx["id"])

    def go_on(self, asset_id: str, metadata: Tx | None, signer: KeyPair = ALICE) -> Tx:
        tx = spend((self.tips[asset_id], 0), signers=(signer,), metadata=metadata)
        self.ledger.submit(tx)
        self.tips[asset_id] = tx
        return tx


def facts(place: Path, *, signer: KeyPair = ALICE, count: int = COUNT) -> Facts:
    """Make the ledger, some of whose blocks hold several transactions."""
    blobs = Blobs(str(place / "content"))
    file = blobs.put(io.BytesIO(b"a certificate")).cid
    chunk = blobs.put(io.BytesIO(b"PAR1 readings PAR1")).cid
    now = [1_700_000_000_000]

    def clock() -> int:
        now[0] += 1000
        return now[0]

    with Ledger.open(place / "ledger", clock=clock) as ledger:
        made = Making(ledger)
        car = made.begin(
            create(signer=signer, data={"vin": "1", "twin": {"v": 1, "kind": "asset", "name": "c"}})
        )
        stream = made.begin(
            create(
                signer=signer,
                outputs=[owned(DEVICE)],
                data={"twin": {"v": 1, "kind": "stream", "name": "gps", "parent": car}},
            )
        )
        body = attached.body(file, 13, "a.pdf", "raw-leaves", attached.Details())
        made.go_on(car, said("file", **body), signer)
        entry = manifest.Entry(chunk, 18, 2, 0, 1_000_000)
        made.go_on(
            stream, said("chunk", **manifest.body(manifest.Manifest("gps", (entry,)))), DEVICE
        )
        made.begin(
            create(
                signer=BOB,
                data={
                    "twin": {"v": 1, "kind": "statement", "says": "event", "about": car},
                },
            )
        )
        ledger.append_many(signer, car, [{"km": n} for n in range(20)])
        rest = count - ledger.counts()["transactions"]
        for n in range(rest):
            item = {"data": {"x": n}, "timestamp": times.to_text(n * 1000)}
            made.go_on(stream, said("reading", readings=[item]), DEVICE)
        ledger.checkpoint()
    return Facts(place, blobs, car, file, chunk)


def checkpoint(place: Path, size: int | None = None) -> bytes:
    """Return a checkpoint of a ledger, signed by its key."""
    with Ledger.open(place, create=False) as ledger:
        size = ledger.tree_size() if size is None else size
        origin = tlog.origin_of(ledger.id)
        made = tlog.Checkpoint(origin, size, ledger.root_at(size))
    key = read_key(locate(str(place)).key)
    return notes.Note(made.text, (notes.sign(made.text, origin, key),)).to_bytes()


class Bundled:
    """Some transactions of a ledger with their proofs, as a bundle has them."""

    kind = evidence.BUNDLE
    ledger: Ledger | None = None
    source = "car.twin"
    holds_content = True
    unlogged: LedgerClient | None = None

    def __init__(self, found: Facts) -> None:
        place = found.place / "ledger"
        self.asset_id: str | None = found.car
        self.faults: Sequence[Finding] = []
        self.left_out: Sequence[LeftOut] = []
        self.blobs = found.blobs
        with Ledger.open(place, create=False) as ledger:
            held = evidence.LedgerEvidence(ledger, "x")
            self.claims: Claims = held.claims
            items = list(held.transactions())
        leaves = [
            merkle.leaf_hash(merkle.ledger_leaf(item.height, item.time_ms, _id(item.body)))
            for item in items
        ]
        self.items: list[Recorded] = [
            item._replace(path=b"".join(merkle.inclusion_path(leaves, item.leaf))) for item in items
        ]
        self.notes: Sequence[bytes] = [checkpoint(place)]

    def transactions(self) -> Any:
        yield from self.items

    def root_at(self, size: int) -> bytes | None:
        return self.claims.root if size == self.claims.size else None

    def content(self, cid: str) -> IO[bytes] | None:
        return self.blobs.open(cid) if self.blobs.has(cid) else None

    def cids(self) -> Any:
        yield from self.blobs.cids()


def _id(body: bytes) -> bytes:
    return bytes.fromhex(canonical.decode(body, what="x")["id"])
