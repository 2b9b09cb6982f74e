"""Charts of numbers over time, as SVG that needs no script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twincli.model import times
from twincli.node.pages.html import Html, Tag, section

if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH, _HEIGHT = 640, 200
_TOP, _BOTTOM, _RIGHT = 12, 24, 8
_A_DIGIT = 6.5
_DOTTED = 60
"""How many values get a dot each; of more only the last."""


def chart(name: str, points: Sequence[tuple[int, float]]) -> Html:
    """Return a line through some values.

    Args:
        name: What they are.
        points: Milliseconds since the epoch, in order, and a number each; at least two.
    """
    low, high = min(value for _, value in points), max(value for _, value in points)
    start, end = points[0][0], points[-1][0]
    left = 8 + _A_DIGIT * max(len(f"{low:g}"), len(f"{high:g}"))
    bottom = _HEIGHT - _BOTTOM

    def place(point: tuple[int, float]) -> tuple[float, float]:
        across = (point[0] - start) / (end - start) if end > start else 0.5
        # Halved, as the distance of two numbers may be too large to be one.
        up = (point[1] / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
        return left + across * (_WIDTH - left - _RIGHT), bottom - up * (bottom - _TOP)

    def label(text: str, x: float, y: float, anchor: str) -> Html:
        return Tag("text", x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)(text)

    def rule(y: float) -> Html:
        return Html(f'<line x1="{left:.1f}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')

    placed = [place(point) for point in points]
    line = Html(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in placed)}"/>')
    dotted = placed if len(placed) <= _DOTTED else placed[-1:]
    dots = [Html(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>') for x, y in dotted]
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
