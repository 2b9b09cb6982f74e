"""Bundles for tests, made of transactions without a ledger: every part can be made wrong."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.formats import bundles
from twincli.crypto import canonical, cid, merkle
from twincli.crypto.ed25519 import KeyPair
from twincli.formats import bundle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEDGER_ID = sha256(b"ledger").hexdigest()
LEDGER_KEY = KeyPair.from_seed(sha256(b"ledger key").digest())
BEGAN_MS = 1_700_000_000_000


class Placed(NamedTuple):
    """A transaction and where it stands."""

    tx: dict[str, Any]
    height: int
    time_ms: int


def placed(txs: Iterable[dict[str, Any]]) -> list[Placed]:
    """Return transactions, one a block, a second apart."""
    return [Placed(tx, height, BEGAN_MS + 1000 * height) for height, tx in enumerate(txs, start=1)]


def made(
    txs: Sequence[Placed],
    *,
    content: Iterable[bytes] = (),
    page: bytes | None = None,
    left_out: tuple[bundle.LeftOut, ...] = (),
    profile: str = "strict",
    keep: Sequence[int] | None = None,
) -> bytes:
    """Return a bundle of a ledger that consists of transactions.

    Args:
        txs: All of the ledger; the first is the twin's CREATE.
        content: Files in it.
        page: Its page.
        left_out: What it says that it leaves out.
        profile: Of the ledger's rules.
        keep: Positions of those that are in the bundle; None: all.
    """
    leaves = [
        merkle.leaf_hash(merkle.ledger_leaf(at.height, at.time_ms, bytes.fromhex(at.tx["id"])))
        for at in txs
    ]
    levels = [leaves]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = [
            merkle.node_hash(*below[at : at + 2]) if at + 1 < len(below) else below[at]
            for at in range(0, len(below), 2)
        ]
        levels.append(pairs)
    root = levels[-1][0]
    lines = [
        bundle.Line(
            index, at.height, at.time_ms, b"".join(_path(levels, index)), canonical.encode(at.tx)
        )
        for index, at in enumerate(txs)
        if keep is None or index in keep
    ]
    about = bundle.Manifest(
        txs[0].tx["id"],
        "car",
        LEDGER_ID,
        LEDGER_KEY.public_key,
        profile,
        len(txs),
        root.hex(),
        {},
        left_out,
    )
    parts = bundles.parts_of(lines, note(len(txs), root), page)
    parts += [bundle.in_memory(f"content/{cid.of(data).text}", data) for data in content]
    return written(about, parts)


def written(about: bundle.Manifest, parts: Sequence[bundle.Part]) -> bytes:
    """Return the bytes of a bundle."""
    pieces: list[bytes] = []
    bundle.write(about, parts, pieces.append)
    return b"".join(pieces)


def _path(levels: list[list[bytes]], index: int) -> Iterable[bytes]:
    for level in levels[:-1]:
        other = index ^ 1
        if other < len(level):
            yield level[other]
        index >>= 1


def note(size: int, root: bytes, key: KeyPair = LEDGER_KEY, origin: str | None = None) -> bytes:
    """Return a checkpoint, signed; by hand, to have the format from a second source."""
    name = origin or f"twincli/{LEDGER_ID}"
    text = f"{name}\n{size}\n{b64encode(root).decode()}\n"
    named = sha256(f"{name}\n\x01".encode() + key.public_bytes).digest()[:4]
    signature = b64encode(named + key.sign(text.encode())).decode()
    return f"{text}\n\u2014 {name} {signature}\n".encode()
