"""Ask streams for what charts show: few enough points, whatever the number of readings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.analysis import charts
from twincli.analysis.charts import Line, Track
from twincli.errors import UsageError
from twincli.services.query import asked, query
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from twincli.analysis.charts import Chart
    from twincli.services.query.asked import Typed
    from twincli.services.query.feed import Feed
    from twincli.services.query.query import Found, Streams
    from twincli.services.workspace import Workspace

POINTS = 600
"""Values of a line; more readings become a band between their lowest and highest."""
_MOST = 2000
_BAND = ("average", "min", "max")
_PAIR = ("latitude", "longitude")
MAX_CHARTS = 12


class Plotted(NamedTuple):
    """Charts and what they were made of.

    Attributes:
        charts: In order.
        found: The last answer, whose rows are taken.
    """

    charts: tuple[Chart, ...]
    found: Found


def plot(workspace: Workspace, feed: Feed, ref: str, typed: Typed) -> Plotted:
    """Return charts of streams of a twin.

    Args:
        workspace: Rooms.
        feed: Reads chunks.
        ref: The twin.
        typed: What is asked; without ``--fields`` all numbers.

    Raises:
        UsageError: Nothing of it can be drawn.
        TwinError: As ``query.query``.
    """
    question = asked.read(typed, workspace.now())
    if not question.streams:
        raise UsageError("name a stream with --stream", hint=f"to see them: twin stream list {ref}")
    made: list[Chart] = []
    found: Found | None = None
    streams = query.opened(workspace, feed, ref, question.streams)
    for at, held in enumerate(streams.held):
        pieces = tuple(piece._replace(stream=0) for piece in held.pieces)
        alone = streams._replace(held=(held._replace(pieces=pieces),))
        one = question._replace(streams=(held.name,), limit=None, reverse=False)
        drawn, answer = _of_stream(feed, one, alone)
        made += drawn
        found = answer if at == 0 or found is None else _both(found, answer)
    assert found is not None
    if not made:
        raise UsageError("there is nothing to draw: no field of numbers", code="nothing_to_draw")
    if len(made) > MAX_CHARTS:
        raise UsageError(
            f"these are {len(made)} charts, and {MAX_CHARTS} are possible",
            hint="choose fields with --fields",
        )
    return Plotted(tuple(made), found)


def _both(first: Found, second: Found) -> Found:
    document = {**second.document}
    for name in ("streams", "chunks", "transactions", "warnings"):
        document[name] = [*first.document[name], *second.document[name]]
    warnings = tuple(dict.fromkeys((*first.warnings, *second.warnings)))
    return second._replace(document=document, warnings=warnings)  # type: ignore[arg-type]


def _of_stream(feed: Feed, question: asked.Asked, alone: Streams) -> tuple[list[Chart], Found]:
    (name,) = question.streams
    few = question._replace(every_us=None, points=None, aggregates=(), fill=None, days=None)
    found = query.answered(feed, few._replace(limit=_MOST), alone)
    numbers = [column.path for column in found.answer.columns if column.kind in {"f64", "i64"}]
    numbers = [path for path in numbers if path != "seq"]
    is_track = not question.aggregates and all(part in numbers for part in _PAIR)
    if not numbers:
        return [], found
    if is_track:
        if found.truncated:
            wanted = tuple(dict.fromkeys((*_PAIR, *numbers)))
            sampled = few._replace(fields=wanted, points=_MOST, aggregates=("lttb",))
            found = query.answered(feed, sampled, alone)
        rows = list(found.rows())
        places = [
            (row["latitude"], row["longitude"])
            for row in rows
            if row.get("latitude") is not None and row.get("longitude") is not None
        ]
        return [Track(f"{name}: track", places)], found  # type: ignore[arg-type]
    gap: int | None = None
    aggregates = question.aggregates
    if aggregates or found.truncated:
        wide = question
        if not aggregates:
            wide = few._replace(points=POINTS, aggregates=_BAND)
        wide = wide._replace(fields=tuple(numbers), fill=None)
        found = query.answered(feed, wide, alone)
        aggregates = wide.aggregates
        gap = None if wide.every_us is None else wide.every_us + wide.every_us // 2
    return _lines(name, numbers, aggregates, found, gap), found


def _lines(
    name: str, numbers: list[str], aggregates: tuple[str, ...], found: Found, gap: int | None
) -> list[Chart]:
    times: list[int] = []
    columns: dict[str, list[Any]] = {column.path: [] for column in found.answer.columns}
    for block in found.answer.blocks:
        times += map(int, block.time)
        for column, values in zip(found.answer.columns, block.columns, strict=True):
            columns[column.path] += values
    gap = gap or charts.usual_gap(times)
    made: list[Chart] = []
    for path in numbers:
        if len(aggregates) < 2:
            word = f" {aggregates[0]}" if aggregates else ""
            made.append(_kept(f"{name}.{path}{word}", times, columns.get(path, []), (), (), gap))
        elif set(_BAND) <= set(aggregates):
            middle, low, high = (columns.get(f"{path}_{each}", []) for each in _BAND)
            title = f"{name}.{path}: average, lowest and highest"
            made.append(_kept(title, times, middle, low, high, gap))
        else:
            made += [
                _kept(
                    f"{name}.{path} {each}", times, columns.get(f"{path}_{each}", []), (), (), gap
                )
                for each in aggregates
            ]
    return made


def _kept(
    title: str, times: list[int], values: Any, lows: Any, highs: Any, gap: int | None
) -> Line:
    """Return a line of the times at which this field has a value."""
    at = [place for place, value in enumerate(values) if value is not None]
    return Line(
        title,
        [times[place] for place in at],
        [values[place] for place in at],
        [lows[place] for place in at] if lows else (),
        [highs[place] for place in at] if highs else (),
        gap,
    )
