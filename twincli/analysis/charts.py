"""Charts of what streams hold: lines with gaps, bands between lowest and highest, tracks.

As SVG without scripts, as PNG made of that, and as text for a terminal.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from math import cos, radians
from typing import TYPE_CHECKING

from twincli.errors import ConfigError
from twincli.model import times
from twincli.model.text import one_line
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_LONGEST = 80
_HALF_A_MINUTE_US = 30_000_000
# An axis begins a little before its first time, which has to be one, too.
_FIRST_US = times.EARLIEST_US + 366 * 86_400_000_000
COLORS = ("#1b6ca8", "#a8471b", "#2e7d32", "#6a3fa0", "#8a6d00", "#00707a")


class Line(NamedTuple):
    """A field over time.

    Attributes:
        title: What it is.
        times_us: In order.
        values: Of each time; None begins a gap.
        lows, highs: What the values lie between, where each stands for several; else empty.
        gap_us: A longer distance between two values is a gap.
    """

    title: str
    times_us: Sequence[int]
    values: Sequence[float | None]
    lows: Sequence[float | None] = ()
    highs: Sequence[float | None] = ()
    gap_us: int | None = None

    def parts(self) -> list[list[int]]:
        """Return the places of values that are joined."""
        found: list[list[int]] = []
        before: int | None = None
        for at, value in enumerate(self.values):
            if value is None:
                before = None
                continue
            far = (
                before is not None
                and self.gap_us is not None
                and self.times_us[at] - self.times_us[before] > self.gap_us
            )
            if before is None or far:
                found.append([])
            found[-1].append(at)
            before = at
        return found

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The lowest and the highest value, None where there is none."""
        every = [each for each in (*self.values, *self.lows, *self.highs) if each is not None]
        return (min(every), max(every)) if every else None


class Track(NamedTuple):
    """Places in the order of time.

    Attributes:
        title: What it is.
        places: Latitude and longitude of each.
    """

    title: str
    places: Sequence[tuple[float, float]]

    def plane(self) -> list[tuple[float, float]]:
        """Return the places on a plane of one scale, in degrees of latitude.

        A track across the antimeridian goes on beyond 180 degrees.
        """
        if not self.places:
            return []
        shrink = cos(radians(sum(latitude for latitude, _ in self.places) / len(self.places)))
        found = []
        turned, before = 0.0, self.places[0][1]
        for latitude, longitude in self.places:
            if longitude - before > 180:
                turned -= 360
            elif longitude - before < -180:
                turned += 360
            before = longitude
            found.append(((longitude + turned) * max(shrink, 1e-6), latitude))
        return found

    @property
    def told(self) -> str:
        """What it shows, in words."""
        north = max(latitude for latitude, _ in self.places)
        south = min(latitude for latitude, _ in self.places)
        return (
            f"{len(self.places)} places, latitude {south:g} to {north:g};"
            " the filled dot is the last"
        )


Chart = Line | Track
Point = tuple[float, float]


def usual_gap(times_us: Sequence[int]) -> int | None:
    """Return the distance that is a gap: more than three times the usual one."""
    steps = sorted(after - before for before, after in pairwise(times_us))
    return 3 * steps[len(steps) // 2] if steps else None


# --- SVG -----------------------------------------------------------------------------------------


class Look(NamedTuple):
    """How charts are drawn.

    Attributes:
        width, height: Of a line.
        track: Height of a track.
        top, bottom, right: Margins.
        digit: Width of a digit.
        dotted: Up to how many values each has a dot; of more only the last.
        is_styled: A page gives it colours; else it has its own, and its title.
    """

    width: int
    height: int
    track: int
    top: int
    bottom: int
    right: int
    digit: float
    dotted: int
    is_styled: bool = False

    def text(self, text: str, x: float, y: float, anchor: str = "start") -> str:
        """Return a text."""
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_shown(text)}</text>'

    def rule(self, x: float, y: float) -> str:
        """Return a line of the scale, from a place to the right."""
        color = "" if self.is_styled else ' stroke="#ddd"'
        end = self.width - self.right
        return f'<line x1="{x:.1f}" x2="{end}" y1="{y:.1f}" y2="{y:.1f}"{color}/>'

    def through(self, points: Sequence[Point], color: str) -> str:
        """Return a line through points."""
        style = f' fill="none" stroke="{color}" stroke-width="1.3" stroke-linejoin="round"'
        return f'<polyline points="{_joined(points)}"{"" if self.is_styled else style}/>'

    def between(self, points: Sequence[Point], color: str) -> str:
        """Return what lies between points."""
        style = "" if self.is_styled else f' fill="{color}" fill-opacity="0.25"'
        return f'<polygon points="{_joined(points)}"{style}/>'

    def dot(self, point: Point, color: str, size: int = 2, *, is_filled: bool = True) -> str:
        """Return a dot."""
        style = f' fill="{color}"' if is_filled else f' fill="#fff" stroke="{color}"'
        if self.is_styled:
            style = "" if is_filled else ' class="open"'
        return f'<circle cx="{point[0]:.1f}" cy="{point[1]:.1f}" r="{size}"{style}/>'


FILE = Look(720, 190, 480, 30, 24, 14, 6.6, 80)
PAGE = Look(360, 150, 300, 12, 22, 8, 6.5, 60, is_styled=True)
"""A page's are narrow, so that labels stay readable on a phone."""


def svg(charts: Sequence[Chart], title: str) -> str:
    """Return charts below each other, as a file."""
    parts = []
    top = 0
    for number, chart in enumerate(charts):
        drawn = draw(chart, FILE, top, COLORS[number % len(COLORS)])
        parts += [FILE.text(chart.title, 8, top + 18), *drawn.parts]
        top += drawn.height
    width = FILE.width
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}"'
        f' viewBox="0 0 {width} {top}" role="img" font-family="sans-serif" font-size="12"'
        f' fill="#333"><title>{_shown(title)}</title>'
        f'<rect width="{width}" height="{top}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


class Drawing(NamedTuple):
    """A chart as elements of SVG.

    Attributes:
        parts: The elements.
        height: What they take.
        left, right: Where the first and the last time of a line are.
    """

    parts: list[str]
    height: int
    left: float = 0.0
    right: float = 0.0


def draw(chart: Chart, look: Look, top: int = 0, color: str = "") -> Drawing:
    """Draw a chart, beginning ``top`` below."""
    if isinstance(chart, Line):
        return _line(chart, look, top, color)
    return _track(chart, look, top, color)


def _shown(text: str) -> str:
    plain = one_line(text)
    return escape(plain if len(plain) <= _LONGEST else plain[:_LONGEST] + "...")


def _joined(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _line(chart: Line, look: Look, top: int, color: str) -> Drawing:
    bounds = chart.bounds
    if bounds is None:
        none = look.text("no values", look.width / 2, top + look.height / 2, "middle")
        return Drawing([none], look.height)
    low, high = bounds
    first, last = chart.times_us[0], chart.times_us[-1]
    left = 8 + look.digit * max(len(f"{low:g}"), len(f"{high:g}"))
    floor = top + look.height - look.bottom

    def across(time_us: int) -> float:
        part = (time_us - first) / (last - first) if last > first else 0.5
        return left + part * (look.width - left - look.right)

    def up(value: float) -> float:
        # Halved, as the distance of two numbers may be too large to be one.
        part = (value / 2 - low / 2) / (high / 2 - low / 2) if high / 2 > low / 2 else 0.5
        return floor - part * (look.height - look.bottom - look.top)

    found = []
    for y, value in {up(value): value for value in (low, high)}.items():
        found += [look.rule(left, y), look.text(f"{value:g}", left - 6, y + 4, "end")]
    for part in chart.parts():
        if chart.lows:
            edges = [(at, chart.lows[at], chart.highs[at]) for at in part]
            upper = [(across(chart.times_us[at]), up(v)) for at, _, v in edges if v is not None]
            lower = [(across(chart.times_us[at]), up(v)) for at, v, _ in edges if v is not None]
            found.append(look.between([*upper, *reversed(lower)], color))
        points = [(across(chart.times_us[at]), up(chart.values[at] or 0.0)) for at in part]
        found.append(look.through(points, color))
        if len(points) == 1 or len(chart.values) <= look.dotted:
            found += [look.dot(point, color) for point in points]
        elif look.is_styled and part[-1] == len(chart.values) - 1:
            found.append(look.dot(points[-1], color))
    begin, end = times.microseconds_text(first), times.microseconds_text(last)
    told = slice(11, 19) if begin[:10] == end[:10] else slice(16)
    below = top + look.height - 7
    found.append(look.text(begin[told], left, below))
    found.append(look.text(end[told], look.width - look.right, below, "end"))
    return Drawing(found, look.height, left, look.width - look.right)


def _track(chart: Track, look: Look, top: int, color: str) -> Drawing:
    plane = chart.plane()
    if not plane:
        none = look.text("no places", look.width / 2, top + look.track / 2, "middle")
        return Drawing([none], look.track)
    left, low = min(x for x, _ in plane), min(y for _, y in plane)
    wide, high = max(x for x, _ in plane) - left, max(y for _, y in plane) - low
    room_x, room_y = look.width - 2 * look.right - 40, look.track - look.top - look.bottom - 30
    scale = min(room_x / wide if wide else 1e9, room_y / high if high else 1e9)
    shift_x = (look.width - wide * scale) / 2
    shift_y = top + look.top + (room_y + 20 - high * scale) / 2
    points = [(shift_x + (x - left) * scale, shift_y + (low + high - y) * scale) for x, y in plane]
    found = [
        look.through(points, color),
        look.dot(points[0], color, 4, is_filled=False),
        look.dot(points[-1], color, 4),
    ]
    if not look.is_styled:
        found.append(look.text(chart.told, 8, top + look.track - 8))
    return Drawing(found, look.track)


# --- PNG and terminal ----------------------------------------------------------------------------


def png(text: str) -> bytes:
    """Return an SVG as PNG.

    Raises:
        ConfigError: ``missing_extra``.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise _missing("a PNG", "resvg-py") from error
    return bytes(resvg_py.svg_to_bytes(svg_string=text, zoom=2))


def terminal(charts: Sequence[Chart], width: int, height: int = 14) -> str:
    """Return charts as lines of text.

    Raises:
        ConfigError: ``missing_extra``.
    """
    try:
        import plotille
    except ImportError as error:
        raise _missing("a chart in the terminal", "plotille") from error
    found = []
    for chart in charts:
        figure = plotille.Figure()
        figure.width, figure.height = max(width - 24, 20), height
        figure.with_colors = False
        if isinstance(chart, Line):
            parts = chart.parts()
            low, high = chart.bounds or (0.0, 0.0)
            unit = _unit(max(abs(low), abs(high)))
            figure.x_label = "UTC"
            figure.y_label = "value" if unit == 1 else f"value / {unit:g}"
            for part in parts:
                moments = [_moment(max(chart.times_us[at], _FIRST_US)) for at in part]
                figure.plot(moments, [(chart.values[at] or 0) / unit for at in part])
            if parts:
                figure.set_x_limits(*_limits(chart.times_us[0], chart.times_us[-1]))
            is_empty = not parts
        else:
            plane = chart.plane()
            figure.x_label, figure.y_label = "east", "north"
            is_empty = not plane
            if plane:
                figure.plot([x for x, _ in plane], [y for _, y in plane])
        drawn = "no values" if is_empty else figure.show()
        found.append(f"{one_line(chart.title)}\n{drawn}\n")
    return "\n".join(found)


def _unit(largest: float) -> float:
    """Return what values are divided by where they are too large or small to compute with."""
    if largest > 1e300:
        return 1e300
    return 1e-300 if 0 < largest < 1e-300 else 1


def _limits(first_us: int, last_us: int) -> tuple[datetime, datetime]:
    """Return where an axis begins and ends; around a single moment it is a minute long."""
    first_us, last_us = max(first_us, _FIRST_US), max(last_us, _FIRST_US)
    if first_us == last_us:
        first_us -= _HALF_A_MINUTE_US
        last_us = min(last_us, times.LATEST_US - _HALF_A_MINUTE_US) + _HALF_A_MINUTE_US
    return _moment(first_us), _moment(last_us)


def _moment(time_us: int) -> datetime:
    from datetime import datetime, timedelta

    # Without a zone, so that the axis has none.
    return datetime(1970, 1, 1) + timedelta(microseconds=time_us)  # noqa: DTZ001


def _missing(what: str, package: str) -> ConfigError:
    return ConfigError(
        f"{what} needs an extra package, {package}",
        code="missing_extra",
        hint='pip install "twincli[data]"; an SVG needs nothing: -o chart.svg',
    )
