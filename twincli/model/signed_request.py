"""Requests that say who asks: an HTTP header with a signature that holds for a short time, once.

``Authorization: Twin did="...", nonce="...", time="...", signature="..."``. The signed text has a
first line of its own, so that it is never that of a transaction or a file::

    twin.request/1
    GET /twin/v1/content/bafkrei...
    9f86d081884c7d659a2feaa0c55ad015
    2026-01-20T09:00:00.000Z

The target is the path below that of the node's URL. The nonce is 16 random bytes in hex.
"""

from __future__ import annotations

import re

from twincli.crypto import base58, ed25519
from twincli.errors import InvalidError
from twincli.model import did, times
from twincli.values import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from twincli.crypto.ed25519 import Signer

SCHEME = "Twin"

MOST_MS = 120_000
"""How far the time of a request may be from that of whom it reaches."""

NONCE_BYTES = 16

_LONGEST = 600
_HEADER = re.compile(
    r'did="(did:key:z[1-9A-HJ-NP-Za-km-z]{1,120})", ?nonce="([0-9a-f]{32})",'
    r' ?time="([0-9TZ:.+-]{1,40})", ?signature="([1-9A-HJ-NP-Za-km-z]{1,100})"'
)


class Signed(NamedTuple):
    """What a request says about who asks; nothing of it is checked.

    Attributes:
        public_key: Whose signature it is to be.
        nonce: Different in each request.
        time: When it was made, as it was signed.
        time_ms: The same, in milliseconds.
        signature: Over all of it.
    """

    public_key: str
    nonce: str
    time: str
    time_ms: int
    signature: str


def header(signer: Signer, method: str, target: str, now_ms: int, nonce: bytes) -> str:
    """Return the value of the header ``Authorization`` of a request.

    Args:
        signer: Who asks.
        method: Such as ``GET``.
        target: The path.
        now_ms: When.
        nonce: `NONCE_BYTES` random bytes.
    """
    time = times.to_text(now_ms)
    signature = base58.encode(signer.sign(_text(method, target, nonce.hex(), time)))
    name = did.key_did(signer.public_key)
    return f'{SCHEME} did="{name}", nonce="{nonce.hex()}", time="{time}", signature="{signature}"'


def parse(text: str) -> Signed | None:
    """Return what a header says, None where it is malformed, or of another scheme."""
    scheme, _, told = text.partition(" ")
    if scheme.lower() != SCHEME.lower() or len(text) > _LONGEST:
        return None
    found = _HEADER.fullmatch(told.strip())
    time_ms = None if found is None else times.parse_claim(found[3])
    if found is None or time_ms is None:
        return None
    try:
        key = did.parse(found[1]).public_key
    except InvalidError:
        return None
    return None if key is None else Signed(key, found[2], found[3], time_ms, found[4])


def is_timely(signed: Signed, now_ms: int) -> bool:
    """Say whether a request was made just now."""
    return abs(signed.time_ms - now_ms) <= MOST_MS


def is_signed(signed: Signed, method: str, target: str) -> bool:
    """Say whether the signature is that of this request."""
    try:
        signature = base58.decode(signed.signature)
        key = base58.decode_key(signed.public_key)
    except InvalidError:
        return False
    return ed25519.verify(key, _text(method, target, signed.nonce, signed.time), signature)


def _text(method: str, target: str, nonce: str, time: str) -> bytes:
    return f"twin.request/1\n{method} {target}\n{nonce}\n{time}\n".encode("utf-8", "replace")


class Seen:
    """The requests of a short time, so that none is taken twice; its memory is bounded.

    Args:
        most: Requests that are remembered; while as many are, no other is taken.
        each: Of one key.
    """

    def __init__(self, most: int = 100_000, each: int = 10_000) -> None:
        self._most, self._each = most, each
        self._seen: dict[tuple[str, str], int] = {}
        self._counts: dict[str, int] = {}

    def take(self, signed: Signed, now_ms: int) -> str | None:
        """Remember a request; return why it cannot be taken, None where it can.

        What is remembered is forgotten when its time is too long ago to be taken at all.
        """
        while self._seen:
            (key, nonce), until_ms = next(iter(self._seen.items()))
            if until_ms >= now_ms:
                break
            self._forget(key, nonce)
        name = (signed.public_key, signed.nonce)
        if name in self._seen:
            return "this request was made before"
        count = self._counts.get(signed.public_key, 0)
        if len(self._seen) >= self._most or count >= self._each:
            return "too many requests; try again in some minutes"
        # Those that come in order are kept in order: each is kept as long as the latest could be.
        self._seen[name] = now_ms + 2 * MOST_MS
        self._counts[signed.public_key] = count + 1
        return None

    def give_back(self, signed: Signed) -> None:
        """Forget a request that was taken and got nothing: it leaves room for others."""
        if (signed.public_key, signed.nonce) in self._seen:
            self._forget(signed.public_key, signed.nonce)

    def _forget(self, key: str, nonce: str) -> None:
        del self._seen[key, nonce]
        self._counts[key] -= 1
        if not self._counts[key]:
            del self._counts[key]
