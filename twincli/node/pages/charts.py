"""Charts of numbers over time, as SVG that needs no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twincli.model import times
from twincli.node.pages.excerpt import LONGEST_NAME
from twincli.node.pages.html import Html, Tag, section

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Point = tuple[int, float]

CHARTS = 8
_NAMES = 64
_DEEP = 6
_VISITED = 500
"""Bounds: charts of a page, names that are followed, how deep and how far a value is looked
through for numbers."""

# Narrow, so that labels stay readable on a phone; a wide screen has smaller type in it.
_WIDTH, _HEIGHT = 360, 150
_TOP, _BOTTOM, _RIGHT = 12, 22, 8
_A_DIGIT = 6.5
_DOTTED = 60
"""Up to how many values each has a dot; of more only the last."""


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

    def drawn(self) -> Iterator[tuple[str, list[Point]]]:
        """Yield names with their points in the order of time; of a few, and of two or more."""
        lines = [(name, points) for name, points in self._points.items() if len(points) > 1]
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
    low, high = min(value for _, value in points), max(value for _, value in points)
    start, end = points[0][0], points[-1][0]
    left = 8 + _A_DIGIT * max(len(f"{low:g}"), len(f"{high:g}"))
    bottom = _HEIGHT - _BOTTOM

    def place(point: Point) -> tuple[float, float]:
        across = (point[0] - start) / (end - start) if end > start else 0.5
        # Halved, as the distance of two numbers may be too large to be one.
        up = (point[1] / 2 - low / 2) / (high / 2 - low / 2) if high / 2 > low / 2 else 0.5
        return left + across * (_WIDTH - left - _RIGHT), bottom - up * (bottom - _TOP)

    def label(text: str, x: float, y: float, anchor: str) -> Html:
        return Tag("text", x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)(text)

    def rule(y: float) -> Html:
        return Html(f'<line x1="{left:.1f}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')

    placed = [place(point) for point in points]
    line = Html(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in placed)}"/>')
    dotted = placed if len(placed) <= _DOTTED else placed[-1:]
    dots = [Html(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2"/>') for x, y in dotted]
    marks = [(low, place((start, low))[1]), (high, place((start, high))[1])]
    scale = [
        part
        for value, y in dict(marks).items()
        for part in (rule(y), label(f"{value:g}", left - 6, y + 4, "end"))
    ]
    first, last = times.to_text(start), times.to_text(end)
    told = slice(11, 19) if first[:10] == last[:10] else slice(10)  # the time, or the day
    axis = [
        label(first[told], left, _HEIGHT - 6, "start"),
        label(last[told], _WIDTH - _RIGHT, _HEIGHT - 6, "end"),
    ]
    said = (
        f"{name}: {len(points)} values from {first} to {last},"
        f" lowest {low:g}, highest {high:g}, last {points[-1][1]:g}"
    )
    svg = Tag("svg", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=said)(
        *scale, *axis, line, *dots
    )
    return section(name, Tag("figure")(svg, Tag("figcaption")(said)))
