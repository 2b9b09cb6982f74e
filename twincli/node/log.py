"""The ledger as a transparency log, and as a witness of others: checkpoint, tiles and proofs.

What is answered here is checked by who asked: a proof leads to the root of a signed checkpoint.

Source: c2sp.org/tlog-tiles, c2sp.org/tlog-witness.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, TypeVar

from twincli.crypto import tiles, tlog
from twincli.ledger import tiles as stored
from twincli.node import answers
from twincli.node.answers import Answer
from twincli.node.writing.bodies import Bodies, busy
from twincli.proof import checkpoints, proofs
from twincli.proof.witness import SIZE_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.ledger import Ledger
    from twincli.node.node import Node
    from twincli.node.request import Request

    T = TypeVar("T")

OFFERS = ("log",)
"""What a node that has these routes states at its root."""
WITNESS = "witness"
"""What one states that is a witness."""

PREFIX = "/twin/v1/log"
TILES = f"{PREFIX}/tile/"
MAX_WAITING = 16
"""Questions that wait to be worked on."""

_TEXT = b"text/plain; charset=utf-8"
_BYTES = b"application/octet-stream"
_FRESH = (b"cache-control", b"no-cache")
_LASTING = (b"cache-control", b"public, max-age=31536000, immutable")
TILE = r"(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:[.]p/([1-9][0-9]{0,2}))?"
"""Where a tile is: level, number and, of a partial one, width."""


async def checkpoint(node: Node, request: Request) -> Answer:
    """Answer with a checkpoint of all that the ledger holds."""
    made = await _read(node, request, lambda ledger: checkpoints.newest(ledger).to_bytes())
    return made if isinstance(made, Answer) else Answer(200, made, _TEXT, (_FRESH,))


async def tile(node: Node, request: Request) -> Answer:
    """Answer with a tile of the tree, or with the leaves of one."""
    found = _place(request.last)
    if found is None:
        return answers.NO_SUCH_PAGE
    name, number, width = found
    of_leaves = name == "entries"
    level = 0 if of_leaves else int(name)

    def read(ledger: Ledger) -> bytes:
        size = ledger.tip().last_seq
        if tiles.width_at(size, level, number) < width:
            return b""
        if of_leaves:
            return stored.entries(ledger, number, width)
        stored.catch_up(ledger, size // tiles.WIDTH)
        return stored.hashes(ledger, level, number, width)

    made = await _read(node, request, read)
    if isinstance(made, Answer):
        return made
    return Answer(200, made, _BYTES, (_LASTING,)) if made else answers.NOT_FOUND


def _place(path: str) -> tuple[str, int, int] | None:
    """Return level, number and width of a tile, given the one path that it has."""
    match = re.fullmatch(TILE, path)
    if match is None:
        return None
    name, digits, partial = match.groups()
    number, width = int(re.sub("[x/]", "", digits)), int(partial or tiles.WIDTH)
    is_it = f"tile/{path}" == tiles.path_of(name, number, width) and width <= tiles.WIDTH
    return (name, number, width) if is_it else None


async def proof(node: Node, request: Request) -> Answer:
    """Answer with the proof that a transaction is on the ledger."""

    def make(ledger: Ledger) -> bytes:
        if ledger.seq(request.last) is None:
            return b""
        return proofs.proof_of(ledger, request.last, checkpoints.newest(ledger)).to_bytes()

    found = await _read(node, request, make)
    if isinstance(found, Answer):
        return found
    return Answer(200, found, _TEXT, (_FRESH,)) if found else answers.NOT_FOUND


_BODIES = Bodies(tlog.MAX_PROOF)


async def add_checkpoint(node: Node, request: Request) -> Answer:
    """Cosign the checkpoint of another log, if it follows the last one that was cosigned."""
    witness = node.witness
    if witness is None:
        return answers.failure(404, "this node is not a witness")
    body = await _BODIES.read(request.scope["headers"], request.receive)
    given = await _read(
        node, request, lambda _: witness.add_checkpoint(body, time.time_ns() // 1_000_000_000)
    )
    if isinstance(given, Answer):
        return given
    kind = SIZE_TYPE.encode() if given.status == 409 else _TEXT
    text = given.text if given.text.endswith("\n") else f"{given.text}\n"
    return Answer(given.status, text.encode(), kind, (_FRESH,))


async def _read(node: Node, request: Request, action: Callable[[Ledger], T]) -> T | Answer:
    """Return what an action gives that may take a while, or the answer to too many of them."""
    if node.finding.waiting >= MAX_WAITING:
        return busy("too many questions are asked at once")
    is_gone = request.scope["state"]["is_gone"]
    return await node.finding.run(lambda ledger: answers.NOT_FOUND if is_gone() else action(ledger))
