"""Finding assets by what they are.

The rows of ``field_table`` are brought up to date when somebody looks for something, not when
something is written, so that they cost an append nothing.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from twincli.ledger import state
from twincli.ledger.field_table import Condition, Taken, condition, document_of, leaves, pin_of
from twincli.model import expression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from twincli.ledger.reading import Reader
    from twincli.rules.replay import Replay

PAGE = 500
"""How many assets are found at a time."""

TAKEN = 2000
"""How many are taken apart in one transaction."""


def find(
    ledger: Reader,
    node: expression.Node,
    *,
    after: int = 0,
    template_cid: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[int]:
    """Yield the positions of the assets for which an expression holds; see ``examined``."""
    looked_at = examined(ledger, node, after=after, template_cid=template_cid, progress=progress)
    return (asset for asset, holds in looked_at if holds)


def examined(
    ledger: Reader,
    node: expression.Node,
    *,
    after: int = 0,
    template_cid: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[int, bool]]:
    """Yield the positions of the assets that are looked at, in commit order, and what is found.

    Args:
        ledger: Where they are.
        node: Without quantities.
        after: Only assets behind this position.
        template_cid: Only those held to this template; empty: to none.
        progress: Called while assets are taken apart, with how many are and how many there are.

    Yields:
        A position, and whether the expression holds. It does not for those left out.
    """
    catch_up(ledger, progress)
    holds = expression.predicate(node)
    asked = condition(node)
    pin = Condition("TRUE", ()) if template_cid is None else _of_template(template_cid)
    looked_at = pin.sql if asked is None else f"{pin.sql} AND NOT is_whole"
    unsure = _positions(ledger, Condition(looked_at, pin.values), after)
    streams = [_tested(ledger, unsure, holds, template_cid)]
    if asked is not None:
        sql = f"{pin.sql} AND is_whole AND {asked.sql}"
        # What is shown is what the ledger holds, whatever the index says.
        known = _positions(ledger, Condition(sql, pin.values + asked.values), after)
        streams.append(_tested(ledger, known, holds, template_cid))
    yield from heapq.merge(*streams)


def holding(
    ledger: Reader, asset_ids: Iterable[str], node: expression.Node, template_cid: str | None
) -> Iterator[str]:
    """Yield those of some assets for which an expression holds; see ``examined``."""
    holds = expression.predicate(node)
    for asset_id in asset_ids:
        if _is_so(state.replay(ledger, asset_id), holds, template_cid):
            yield asset_id


def _is_so(
    replay: Replay | None, holds: Callable[[Mapping[str, Any]], bool], template_cid: str | None
) -> bool:
    return (
        replay is not None
        and (template_cid is None or pin_of(replay)[1] == template_cid)
        and holds(document_of(replay))
    )


def pinned(
    ledger: Reader,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[tuple[str, str, int]]:
    """Return id and CID of templates that assets are held to, each with the first such asset."""
    catch_up(ledger, progress)
    sql = (
        "SELECT template, template_cid, min(asset) FROM field_of WHERE template_cid != ''"
        " GROUP BY template, template_cid ORDER BY template, template_cid LIMIT ?"
    )
    rows = ledger.plain_index.fetched(sql, (-1 if limit is None else limit,))
    return [(row[0], row[1], int(row[2])) for row in rows]


def _of_template(template_cid: str) -> Condition:
    return Condition("template_cid = ?", (template_cid,))


def _positions(ledger: Reader, wanted: Condition, after: int) -> Iterator[int]:
    sql = (
        f"SELECT asset FROM field_of WHERE asset > ? AND {wanted.sql}"  # noqa: S608
        f" ORDER BY asset LIMIT {PAGE}"
    )
    index, rebuilt = ledger.plain_index, ledger.plain_index.rebuilt
    while True:
        rows = index.fetched(sql, (after, *wanted.values))
        if index.rebuilt != rebuilt:
            # It was damaged, and what was taken apart is gone with it.
            rebuilt = index.rebuilt
            catch_up(ledger)
        elif rows:
            yield from (int(row[0]) for row in rows)
            after = int(rows[-1][0])
        else:
            return


def _tested(
    ledger: Reader,
    positions: Iterator[int],
    holds: Callable[[Mapping[str, Any]], bool],
    template_cid: str | None,
) -> Iterator[tuple[int, bool]]:
    for asset in positions:
        yield asset, _is_so(state.replay(ledger, ledger.id_at(asset)), holds, template_cid)


def catch_up(ledger: Reader, progress: Callable[[int, int], None] | None = None) -> None:
    """Take apart the assets that something was written to since the last time."""
    index = ledger.plain_index
    # No further than the index itself, which is thrown away where the ledger loses what it has.
    until = index.catch_up()
    rebuilt = -1
    while index.rebuilt != rebuilt:
        # Again where it was damaged: then what was taken apart before is gone.
        rebuilt = index.rebuilt
        _take_apart(ledger, until, progress)


def _take_apart(
    ledger: Reader, until: int, progress: Callable[[int, int], None] | None = None
) -> None:
    index = ledger.plain_index
    rebuilt = index.rebuilt
    reached = int(index.fetched("SELECT seq FROM found_until")[0][0])
    if reached >= until:
        return
    touched = ledger.store.touched(reached, until)
    for at in range(0, len(touched), TAKEN):
        page = touched[at : at + TAKEN]
        known = dict(
            index.fetched(
                "SELECT asset, seq FROM field_of WHERE asset IN (SELECT value FROM json_each(?))",
                (str(page),),
            )
        )
        spans = ledger.store.spans(page, state.SHORT + 1)
        changed = ((asset, count) for asset, last, count in spans if known.get(asset) != last)
        index.keep_fields(
            [_taken(ledger, asset, replay) for asset, replay in state.replays(ledger, changed)]
        )
        if progress is not None:
            progress(at + len(page), len(touched))
        index.check_interrupted()
        if index.rebuilt != rebuilt:
            return
    index.keep_found_until(until)


def _taken(ledger: Reader, asset: int, replay: Replay) -> Taken:
    assert replay.last is not None
    seq = asset if replay.last is replay.create else ledger.seq(replay.last["id"])
    assert seq is not None
    return Taken(asset, seq, *pin_of(replay), leaves(document_of(replay)))
