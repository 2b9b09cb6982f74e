"""Small bundles for tests, of transactions that a ledger in memory took."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from hashlib import sha256

from twincli.crypto import base58, merkle
from twincli.crypto.ed25519 import KeyPair
from twincli.formats import bundle
from twincli.formats.bundle import Bundle, Line, Manifest, Part

LEDGER = "ab" * 32
KEY = KeyPair.from_seed(b"the ledger's key".ljust(32, b"."))


def manifest(size: int = 3, root: str = "cd" * 32, asset: str = "ef" * 32) -> Manifest:
    """Return a manifest without entries."""
    return Manifest(asset, "car", LEDGER, KEY.public_key, "strict", size, root, {})


def lines(count: int = 3) -> tuple[list[Line], bytes]:
    """Return lines with true proofs of texts that are not transactions, and the root."""
    bodies = [b'{"number":%d}' % number for number in range(count)]
    leaves = [
        merkle.leaf_hash(merkle.ledger_leaf(at + 1, 1000 + at, sha256(body).digest()))
        for at, body in enumerate(bodies)
    ]
    made = [
        Line(at, at + 1, 1000 + at, b"".join(merkle.inclusion_path(leaves, at)), body)
        for at, body in enumerate(bodies)
    ]
    return made, merkle.root_of(leaves)


def note(size: int, root: bytes) -> bytes:
    """Return a signed checkpoint of a ledger."""
    from base64 import b64encode

    origin = f"twincli/{LEDGER}"
    text = f"{origin}\n{size}\n{b64encode(root).decode()}\n"
    key = base58.decode_key(KEY.public_key)
    key_hash = sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
    signed = b64encode(key_hash + KEY.sign(text.encode())).decode()
    return f"{text}\n\N{EM DASH} {origin} {signed}\n".encode()


def parts_of(lines: Iterable[Line], checkpoint: bytes, page: bytes | None) -> list[Part]:
    """Return the parts of a small bundle without content."""
    held = list(lines)
    made: Mapping[str, bytes | None] = {
        bundle.TRANSACTIONS: b"".join(line.body + b"\n" for line in held),
        bundle.PROOFS: b"".join(line.proof() for line in held),
        bundle.CHECKPOINT: checkpoint,
        bundle.PAGE: page,
    }
    return [bundle.in_memory(name, data) for name, data in made.items() if data is not None]


def packed(about: Manifest, parts: Iterable[Part]) -> bytes:
    """Return the bytes of a bundle."""
    stream = io.BytesIO()
    bundle.write(about, list(parts), stream.write)
    return stream.getvalue()


def small(count: int = 3, content: Mapping[str, bytes] | None = None) -> bytes:
    """Return a bundle of some lines and content by its CID."""
    held, root = lines(count)
    parts = parts_of(held, note(count, root), b"<!doctype html>")
    parts += [bundle.in_memory(bundle.CONTENT + cid, data) for cid, data in (content or {}).items()]
    return packed(manifest(count, root.hex()), parts)


def opened(data: bytes) -> Bundle:
    """Return a bundle in memory, opened."""
    return Bundle(io.BytesIO(data), "car.twin")
