"""The averages of the minutes of one stream, as its rollups have them.

A question that is often asked, answered without numpy, whose loading takes longer than that. What
`aggregates` answers is the same to the last bit; whatever else is asked is left to it.
"""

from __future__ import annotations

from twincli.analysis.buckets import MINUTE_US
from twincli.analysis.packing import Edge, NotASummaryError
from twincli.services.query import answers, pieces
from twincli.services.query.answers import Answer, Block, Column, Numbers
from twincli.services.stream import rollups
from twincli.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.analysis.packing import Averages
    from twincli.services.query.asked import Asked
    from twincli.services.query.feed import Feed
    from twincli.services.query.pieces import Held, Piece


def answer(feed: Feed, asked: Asked, held: Sequence[Held]) -> Answer | None:
    """Return the averages of minutes; None where this is not what is asked, or does not suffice."""
    if not _is_asked(asked) or len(held) != 1:
        return None
    (stream,) = held
    wanted = pieces.in_range(stream.pieces, asked.since_us, asked.until_us)
    parts = pieces.windows(wanted)
    if not parts or any(len(part) > 1 or not part[0].is_plain for part in parts):
        return None
    series: dict[str, _Series] = {}
    try:
        for (piece,) in parts:
            if not _take(feed, asked, stream.name, piece, series):
                return None
    except NotASummaryError:
        return None
    feed.from_rollups.update(piece.entry.cid for piece in wanted if piece.entry is not None)
    return _rows(asked, stream.name, {path: each for path, each in series.items() if each.begins})


def _is_asked(asked: Asked) -> bool:
    return (
        asked.aggregates == ("average",)
        and asked.every_us == MINUTE_US
        and not asked.origin_us % MINUTE_US
        and all(each is None for each in (asked.zone, asked.points, asked.fill, asked.where))
        and not asked.suspect
    )


def _take(feed: Feed, asked: Asked, stream: str, piece: Piece, series: dict[str, _Series]) -> bool:
    """Take what a chunk has; say whether its rollup suffices."""
    assert piece.entry is not None
    since, until = asked.since_us, asked.until_us
    if since is not None and piece.first_us >= since:
        since = None
    if until is not None and piece.last_us < until:
        until = None
    if not rollups.are_minutes([since, until]):
        return False
    rollup = feed.known(piece.entry, stream)
    if rollup is None:
        return False
    fields = answers.paths_of(asked.fields)
    for name, kind in rollup.kinds.items():
        path = name.partition(".")[2]
        if not answers.is_chosen(path, fields):
            continue
        if kind not in rollups.NUMBERS:
            return False
        found = rollup.averages(name)
        into = series.setdefault(path, _Series())
        if found is not None:
            into.take(found, since, until)
    return True


class _Series:
    """The minutes of one series so far."""

    def __init__(self) -> None:
        self.begins: list[int] = []
        self.texts: list[str] = []
        self._last: Edge | None = None

    def take(self, found: Averages, since: int | None, until: int | None) -> None:
        """Take the next minutes; the first of them may have begun before."""
        from bisect import bisect_left

        low = 0 if since is None else bisect_left(found.begins, since)
        size = len(found.begins)
        high = size if until is None else bisect_left(found.begins, until)
        if low >= high:
            return
        last = found.last if high == size else None
        if low == 0 and self._last is not None and found.begins[0] == self.begins[-1]:
            joined = _joined(self._last, found.first)
            self.texts[-1] = repr(_average(joined))
            low = 1
            if size == 1:
                last = joined
        self.begins += found.begins[low:high]
        self.texts += found.texts[low:high]
        self._last = last


def _joined(one: Edge, other: Edge) -> Edge:
    low = min(one.exponent, other.exponent)
    number = (one.number << (one.exponent - low)) + (other.number << (other.exponent - low))
    return Edge(one.readings + other.readings, number, low)


def _average(edge: Edge) -> float:
    from twincli.analysis import exact

    return exact.ratio(edge.number, edge.readings, edge.exponent)


def _rows(asked: Asked, stream: str, series: dict[str, _Series]) -> Answer | None:
    about = [Column(answers.TIMESTAMP, "time")]
    if answers.STREAM in asked.fields:
        about.append(Column(answers.STREAM, "text"))
    columns = (*about, *(Column(path, "f64") for path in series))
    if not series:
        return Answer(columns, iter(()))
    begins = next(iter(series.values())).begins
    if any(each.begins != begins for each in series.values()):
        return None
    made: list[Sequence[object]] = [[]]
    if len(about) > 1:
        made.append([stream] * len(begins))
    made += [Numbers(each.texts) for each in series.values()]
    block = Block(begins, tuple(made))
    if asked.reverse:
        block = answers.backwards(block)
    return Answer(columns, iter([block]))
