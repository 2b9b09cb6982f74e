"""What twins need beside BigchainDB's API: listings of assets, and the times of blocks.

A client verifies each asset that a listing names, as it does with every other answer. A node can
leave something out of a listing; it cannot add what is not on the ledger.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from twincli.model.ids import is_id
from twincli.node import answers, queries
from twincli.node.answers import Answer, RefusedError, Streamed
from twincli.node.queries import Parameter
from twincli.node.writing.bodies import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from twincli.ledger import Ledger
    from twincli.node.node import Node
    from twincli.node.request import Request

OFFERS = ("block_time", "listing")
"""What a node states at its root that it has beyond BigchainDB's API."""

PAGE = 1000
"""Assets in one answer."""

MOST_BLOCKS = 1000
"""Transactions in one question for their blocks."""

_OF_LISTING = (
    Parameter("name"),
    Parameter("value"),
    Parameter("after", queries.transaction_id),
    Parameter("limit", queries.count),
)


async def assets(node: Node, request: Request) -> Answer | Streamed:  # noqa: ARG001
    """Answer with ids of assets in commit order: of all, or of those that state something."""
    query = request.query(*_OF_LISTING, strict=True)
    name, value, after = query["name"], query["value"], query["after"]
    if (name is None) != (value is None):
        return answers.failure(400, "name and value belong together")
    count = min(query["limit"] or PAGE, PAGE)
    stated = None if name is None else (name, value)
    return Streamed(lambda ledger: listed(ledger, stated, after, count))


def listed(
    ledger: Ledger, stated: tuple[str, str] | None, after: str | None = None, count: int = PAGE
) -> Iterator[str]:
    """Yield a page of ids of assets as JSON.

    Args:
        ledger: Where they are.
        stated: A name and a value that their CREATE states; None for all.
        after: The last one of the page before.
        count: At most N.
    """
    if after is not None and ledger.seq(after) is None:
        return
    if stated is None:
        found: Iterable[str] = islice(ledger.asset_ids(after), count)
    else:
        found = ledger.assets_with(*stated, after, count)
    for asset_id in found:
        yield f'"{asset_id}"'


async def blocks(node: Node, request: Request) -> Streamed:
    """Answer with height and time of the blocks that hold transactions."""
    body = await node.bodies.read(request.scope["headers"], request.receive)
    wanted = parse_ids(body)
    return Streamed(lambda ledger: places(ledger, wanted))


def places(ledger: Ledger, wanted: list[str]) -> Iterator[str]:
    """Yield height and time of the blocks of transactions as JSON, ``null`` for unknown ones."""
    for tx_id in wanted:
        found = [{"height": n, "time": ledger.time_of(n)} for n in ledger.blocks_of(tx_id)]
        yield answers.text_of(found[0] if found else None)


def parse_ids(body: bytes) -> list[str]:
    """Return the ids in ``{"of": [ID, ...]}``.

    Raises:
        RefusedError: 400.
    """
    given = decoded(body)
    listed = given.get("of") if isinstance(given, dict) else None
    if not isinstance(listed, list) or not all(isinstance(i, str) and is_id(i) for i in listed):
        raise RefusedError(answers.failure(400, "of must be a list of ids"))
    if len(listed) > MOST_BLOCKS:
        raise RefusedError(answers.failure(400, f"more than {MOST_BLOCKS} transactions"))
    return listed
