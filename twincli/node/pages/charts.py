"""Charts of numbers over time, as SVG that needs no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.analysis import charts
from twincli.analysis.charts import Line
from twincli.model import times
from twincli.node.pages.excerpt import LONGEST_NAME
from twincli.node.pages.html import Html, Tag, join

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twincli.analysis.charts import Chart

    Point = tuple[int, float]

CHARTS = 8
_NAMES = 64
_DEEP = 6
_VISITED = 500
"""Bounds: charts of a page, names that are followed, how deep and how far a value is looked
through for numbers."""


class Series:
    """Collects the numbers of a history by their names."""

    def __init__(self) -> None:
        self._points: dict[str, list[Point]] = {}

    def add(self, time_ms: int, members: dict[str, Any]) -> None:
        """Take what was written at a time."""
        for name, value in _numbers(members):
            if name in self._points:
                self._points[name].append((time_ms, value))
            elif len(self._points) < _NAMES:
                self._points[name] = [(time_ms, value)]

    def drawn(self, first: Sequence[str] = ()) -> Iterator[tuple[str, list[Point]]]:
        """Yield names with their points in the order of time; of a few, and of two or more.

        Args:
            first: Names that go before others.
        """
        lines = [(name, points) for name, points in self._points.items() if len(points) > 1]
        lines.sort(key=lambda line: first.index(line[0]) if line[0] in first else len(first))
        for name, points in lines[:CHARTS]:
            yield name, sorted(points, key=lambda point: point[0])


def _numbers(members: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the numbers in an object by their dotted names; neither long names nor far ones."""
    todo: list[tuple[str, Any, int]] = [("", members, 0)]
    visited = 0
    while todo:
        prefix, value, depth = todo.pop()
        if isinstance(value, dict):
            inner: list[tuple[str, Any, int]] = []
            for key, item in value.items():
                visited += 1
                if visited > _VISITED:
                    return
                if len(prefix) + len(key) < LONGEST_NAME and depth < _DEEP:
                    inner.append((f"{prefix}.{key}" if prefix else key, item, depth + 1))
            todo += reversed(inner)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                yield prefix, float(value)
            except OverflowError:
                continue


def chart(name: str, points: Sequence[Point]) -> Html:
    """Return a line through some values.

    Args:
        name: What they are.
        points: Milliseconds since the epoch, in order, and a number each; at least two.
    """
    values = [value for _, value in points]
    return figure(Line(name, [time_ms * 1000 for time_ms, _ in points], values))


def figure(drawn: Chart, links: Sequence[tuple[str, str]] = (), level: str = "h2") -> Html:
    """Return a chart under its title, and what it shows in words.

    Args:
        drawn: The chart; a line has at least one value.
        links: Where a part of a line leads that is pointed at, and what that is called; the parts
            are equally wide.
        level: Of its heading.
    """
    made = charts.draw(drawn, charts.PAGE)
    said = _said(drawn)
    wide = (made.right - made.left) / len(links) if links else 0.0
    over = [
        Tag("a", href=where, tabindex="-1", aria_hidden="true")(
            Tag("title")(what),
            Html(
                f'<rect x="{made.left + number * wide:.1f}" y="0" width="{wide:.1f}"'
                f' height="{made.height}" fill-opacity="0"/>'
            ),
        )
        for number, (where, what) in enumerate(links)
    ]
    svg = Tag("svg", viewBox=f"0 0 {charts.PAGE.width} {made.height}", role="img", aria_label=said)(
        Html("".join(made.parts)), *over
    )
    return join(Tag(level)(drawn.title), Tag("figure")(svg, Tag("figcaption")(said)))


def _said(drawn: Chart) -> str:
    if not isinstance(drawn, Line):
        return f"{drawn.title}: {drawn.told}"
    first, last = (times.to_text(drawn.times_us[at] // 1000) for at in (0, -1))
    low, high = drawn.bounds or (0.0, 0.0)
    what, end = ("averages", "") if drawn.lows else ("values", f", last {drawn.values[-1]:g}")
    return (
        f"{drawn.title}: {len(drawn.values)} {what} from {first} to {last},"
        f" lowest {low:g}, highest {high:g}{end}"
    )
