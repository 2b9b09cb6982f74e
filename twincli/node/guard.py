"""Who may fetch what is encrypted: those who sign the request, and hold a grant for it.

What is public stays public, and costs nothing more. The size of what is encrypted is no secret: it
is on the ledger, and HEAD states it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from twincli.crypto.age import FIRST_LINE
from twincli.model import signed_request
from twincli.node import answers
from twincli.node.node import header

if TYPE_CHECKING:
    from twincli.content.store import Blobs
    from twincli.model.signed_request import Signed
    from twincli.node.answers import Answer
    from twincli.node.node import Node


def is_encrypted(blobs: Blobs, cid: str) -> bool:
    """Say whether a file is one of age; nothing else is encrypted here."""
    with blobs.open(cid) as stream:
        return stream.read(len(FIRST_LINE)) == FIRST_LINE


async def refusal(node: Node, scope: dict[str, Any], cid: str) -> Answer | None:
    """Return the answer to somebody who may not have what is encrypted, None to all others."""
    guard = node.options.guard
    assert guard is not None
    if scope["method"] == "HEAD":
        return None
    now_ms = time.time_ns() // 1_000_000
    signed, fault = _signed(scope, now_ms)
    if signed is not None:
        # Taken before it is judged: what is judged is noted, a replay must not be.
        replayed = node.seen.take(signed, now_ms)
        if replayed is not None:
            signed, fault = None, replayed
    key = None if signed is None else signed.public_key
    ruling = await node.readers.run(lambda ledger: guard(ledger, cid, key))
    if signed is not None and (ruling.is_public or ruling.why_not is not None):
        node.seen.give_back(signed)
    if ruling.is_public:
        return None
    if signed is None:
        return answers.failure(401, fault, (b"www-authenticate", signed_request.SCHEME.encode()))
    if ruling.why_not is not None:
        return answers.failure(403, ruling.why_not)
    return None


def _signed(scope: dict[str, Any], now_ms: int) -> tuple[Signed | None, str]:
    """Return who signed a request; None and what is wrong where nobody did."""
    text = header(scope, b"authorization")
    if not text.lower().startswith(signed_request.SCHEME.lower() + " "):
        return None, "this content is encrypted: the request must be signed"
    signed = signed_request.parse(text)
    if signed is None:
        return None, "the signature of the request is malformed"
    if not signed_request.is_timely(signed, now_ms):
        return None, "the request was not made just now: check the clock"
    if not signed_request.is_signed(signed, scope["method"], scope["path"]):
        return None, "the signature is not that of this request"
    return signed, ""
