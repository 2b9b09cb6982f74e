"""Finding assets by what they are, for clients: ``POST /twin/v1/find``.

A client fetches and verifies each asset that is found, and asks the expression of it again. A node
can leave assets out; it cannot add one for which the expression does not hold.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError
from twincli.model import expression
from twincli.model.ids import is_id
from twincli.node import answers
from twincli.node.answers import Answer, RefusedError
from twincli.node.writing.bodies import busy, decoded
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from twincli.ledger import Ledger
    from twincli.node.node import Node
    from twincli.node.request import Request

PAGE = 500
"""Assets in one answer."""

SECONDS = 1.0
"""How long one question is worked on; the client asks again for the rest."""

MOST_TERMS = 100
"""Values and fields in one expression."""

MOST_TEMPLATES = 1000
"""Templates in one answer."""

MAX_WAITING = 16
"""Questions that wait to be worked on."""

_MOST_CID = 200


class Question(NamedTuple):
    """What is asked.

    Attributes:
        node: An expression without quantities.
        template_cid: Only assets held to this template; empty: to none; None: all.
        after: Only assets behind this one.
    """

    node: expression.Node
    template_cid: str | None
    after: str | None


async def post(node: Node, request: Request) -> Answer:
    """Answer with a page of the assets for which an expression holds."""
    body = await node.bodies.read(request.scope["headers"], request.receive)
    question = parse(body)
    return await _worked_on(node, request, lambda ledger: page(ledger, question))


async def templates(node: Node, request: Request) -> Answer:
    """Answer with the templates that assets are held to."""
    return await _worked_on(node, request, pinned)


async def _worked_on(node: Node, request: Request, work: Callable[[Ledger], Any]) -> Answer:
    if node.finding.waiting >= MAX_WAITING:
        return busy("too many questions are asked at once")
    is_gone = request.scope["state"]["is_gone"]
    found = await node.finding.run(lambda ledger: None if is_gone() else work(ledger))
    return answers.of(found)


def parse(body: bytes) -> Question:
    """Return the question in ``{"expression": TEXT, "template_cid": CID, "after": ID}``.

    Raises:
        RefusedError: 400.
    """
    given = decoded(body)
    text = given.get("expression") if isinstance(given, dict) else None
    if not isinstance(text, str):
        raise _refused("expression must be a text")
    cid, after = given.get("template_cid"), given.get("after")
    if cid is not None and not (isinstance(cid, str) and len(cid) <= _MOST_CID and cid.isascii()):
        raise _refused("template_cid must be a CID, empty, or null")
    if after is not None and not (isinstance(after, str) and is_id(after)):
        raise _refused("after must be the id of an asset, or null")
    try:
        node = expression.parse(text)
    except InvalidError as error:
        raise _refused(error.message) from None
    if expression.has_quantity(node):
        raise _refused("the expression must not have units")
    if expression.count(node) > MOST_TERMS:
        raise _refused(f"the expression has more than {MOST_TERMS} values")
    return Question(node, cid, after)


def _refused(why: str) -> RefusedError:
    return RefusedError(answers.failure(400, why))


def page(ledger: Ledger, question: Question) -> dict[str, Any]:
    """Return the assets that are found in a while, and where to go on.

    Returns:
        ``assets``, in commit order, and ``after``: null where that is all.

    Raises:
        RefusedError: 503: the index is still being made.
    """
    until = time.monotonic() + SECONDS
    found: list[str] = []
    if question.after is not None and ledger.seq(question.after) is None:
        return {"assets": found, "after": None}
    looked_at = ledger.examined(
        question.node,
        after=question.after,
        template_cid=question.template_cid,
        progress=_patience(until),
    )
    for asset_id, holds in looked_at:
        if holds:
            found.append(asset_id)
        if len(found) >= PAGE or time.monotonic() > until:
            return {"assets": found, "after": asset_id}
    return {"assets": found, "after": None}


def pinned(ledger: Ledger) -> list[list[str]]:
    """Return id and CID of the templates that assets are held to, and one such asset of each.

    Raises:
        RefusedError: 503: the index is still being made; 400: there are too many.
    """
    found = ledger.pinned(MOST_TEMPLATES + 1, _patience(time.monotonic() + SECONDS))
    if len(found) > MOST_TEMPLATES:
        raise _refused(f"assets are held to more than {MOST_TEMPLATES} templates")
    return [list(pin) for pin in found]


def _patience(until: float) -> Callable[[int, int], None]:
    """Return what ends work on the index in time; what was done is kept for the next question."""

    def progress(done: int, there_are: int) -> None:
        if done < there_are and time.monotonic() > until:
            raise RefusedError(
                busy(f"the index is still being made: {done} of {there_are} assets; ask again")
            )

    return progress
