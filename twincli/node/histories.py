"""Many histories in one answer: ``POST /twin/v1/histories``.

BigchainDB's API has one asset to a request. A client that keeps a copy of a thousand assets asks
here what is new in all of them; it verifies what it gets as it does with every other answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.model.ids import is_id
from twincli.model.transaction import asset_of
from twincli.node import answers
from twincli.node.answers import RefusedError, Streamed
from twincli.node.writing.bodies import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twincli.ledger import Ledger
    from twincli.node.node import Node
    from twincli.node.request import Request

MOST_ASSETS = 256
"""Histories in one request."""

MOST_TRANSACTIONS = 1000
"""Transactions in one answer."""

MOST_TEXT = 4 << 20
"""Characters of transactions in one answer; one more transaction may follow."""


async def post(node: Node, request: Request) -> Streamed:
    """Answer with the transactions of assets, of each those after one that the client has."""
    body = await node.bodies.read(request.scope["headers"], request.receive)
    wanted = parse(body)
    return Streamed(lambda ledger: texts(ledger, wanted))


def parse(body: bytes) -> list[tuple[str, str | None]]:
    """Return pairs of a transaction of an asset and the last one that the client has.

    Raises:
        RefusedError: 400.
    """
    given = decoded(body)
    listed = given.get("of") if isinstance(given, dict) else None
    if not isinstance(listed, list) or not all(map(_is_pair, listed)):
        raise RefusedError(answers.failure(400, "of must be a list of [ID, ID or null]"))
    if len(listed) > MOST_ASSETS:
        raise RefusedError(answers.failure(400, f"more than {MOST_ASSETS} histories"))
    return [(tx_id, after) for tx_id, after in listed]


def _is_pair(item: Any) -> bool:
    return (
        isinstance(item, list)
        and len(item) == 2
        and isinstance(item[0], str)
        and is_id(item[0])
        and (item[1] is None or (isinstance(item[1], str) and is_id(item[1])))
    )


def texts(ledger: Ledger, wanted: list[tuple[str, str | None]]) -> Iterator[str]:
    """Yield the history of each asset as JSON, ``null`` for an unknown one."""
    seen: set[str] = set()
    count, size = 0, 0
    for tx_id, after in wanted:
        first = ledger.entry(tx_id)
        if first is None:
            yield "null"
            continue
        asset_id = asset_of(first.tx)
        last = ledger.entry(after) if after is not None else None
        is_known = after is None or (last is not None and asset_of(last.tx) == asset_id)
        items: list[str] = []
        more = False
        if is_known and asset_id not in seen:
            for entry in ledger.entries(asset_id, after):
                if count >= MOST_TRANSACTIONS or size >= MOST_TEXT:
                    more = True
                    break
                text = answers.text_of(
                    {"height": entry.height, "time": entry.time_ms, "transaction": entry.tx}
                )
                items.append(text)
                count, size = count + 1, size + len(text)
        seen.add(asset_id)
        head = answers.text_of({"asset": asset_id, "known": is_known, "more": more})
        yield f'{head[:-1]},"transactions":[{",".join(items)}]}}'
