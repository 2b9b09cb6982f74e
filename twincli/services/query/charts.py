"""Charts of what streams hold: lines with gaps, bands between lowest and highest, tracks.

As SVG without scripts, as PNG made of that, and as text for a terminal.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from math import cos, radians
from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError
from twincli.model import times
from twincli.model.text import one_line
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_WIDTH, _HEIGHT, _TRACK = 720, 190, 480
_TOP, _BOTTOM, _RIGHT = 30, 24, 14
_A_DIGIT = 6.6
_DOTTED = 80
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


Chart = Line | Track


def usual_gap(times_us: Sequence[int]) -> int | None:
    """Return the distance that is a gap: more than three times the usual one."""
    steps = sorted(after - before for before, after in pairwise(times_us))
    return 3 * steps[len(steps) // 2] if steps else None


# --- SVG -----------------------------------------------------------------------------------------


def svg(charts: Sequence[Chart], title: str) -> str:
    """Return charts below each other."""
    parts = []
    top = 0
    for number, chart in enumerate(charts):
        color = COLORS[number % len(COLORS)]
        drawn = _line(chart, top, color) if isinstance(chart, Line) else _track(chart, top, color)
        parts += drawn
        top += _HEIGHT if isinstance(chart, Line) else _TRACK
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{top}"'
        f' viewBox="0 0 {_WIDTH} {top}" role="img" font-family="sans-serif" font-size="12"'
        f' fill="#333"><title>{_shown(title)}</title>'
        f'<rect width="{_WIDTH}" height="{top}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _shown(text: str) -> str:
    plain = one_line(text)
    return escape(plain if len(plain) <= _LONGEST else plain[:_LONGEST] + "...")


def _text(text: str, x: float, y: float, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_shown(text)}</text>'


def _line(chart: Line, top: int, color: str) -> list[str]:
    found = [_text(chart.title, 8, top + 18)]
    bounds = chart.bounds
    if bounds is None:
        return [*found, _text("no values", _WIDTH / 2, top + _HEIGHT / 2, "middle")]
    low, high = bounds
    first, last = chart.times_us[0], chart.times_us[-1]
    left = 14 + _A_DIGIT * max(len(f"{low:g}"), len(f"{high:g}"))
    floor = top + _HEIGHT - _BOTTOM

    def across(time_us: int) -> float:
        part = (time_us - first) / (last - first) if last > first else 0.5
        return left + part * (_WIDTH - left - _RIGHT)

    def up(value: float) -> float:
        # Halved, as the distance of two numbers may be too large to be one.
        part = (value / 2 - low / 2) / (high / 2 - low / 2) if high / 2 > low / 2 else 0.5
        return floor - part * (_HEIGHT - _BOTTOM - _TOP)

    for value in dict.fromkeys((low, high)):
        y = up(value)
        found.append(
            f'<path d="M{left:.1f} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>'
            + _text(f"{value:g}", left - 6, y + 4, "end")
        )
    for part in chart.parts():
        found += _band(chart, part, across, up, color)
        points = [(across(chart.times_us[at]), up(chart.values[at] or 0.0)) for at in part]
        found.append(_through(points, color))
        if len(points) == 1 or len(chart.values) <= _DOTTED:
            found += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{color}"/>' for x, y in points
            ]
    begin, end = times.microseconds_text(first), times.microseconds_text(last)
    told = slice(11, 19) if begin[:10] == end[:10] else slice(16)
    found.append(_text(begin[told], left, top + _HEIGHT - 7))
    found.append(_text(end[told], _WIDTH - _RIGHT, top + _HEIGHT - 7, "end"))
    return found


def _through(points: Sequence[tuple[float, float]], color: str) -> str:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline points="{joined}" fill="none" stroke="{color}" stroke-width="1.3"'
        ' stroke-linejoin="round"/>'
    )


def _band(chart: Line, part: Sequence[int], across: Any, up: Any, color: str) -> list[str]:
    if not chart.lows:
        return []
    edges = [(at, chart.lows[at], chart.highs[at]) for at in part]
    upper = [(across(chart.times_us[at]), up(high)) for at, _, high in edges if high is not None]
    lower = [(across(chart.times_us[at]), up(low)) for at, low, _ in edges if low is not None]
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in (*upper, *reversed(lower)))
    return [f'<polygon points="{joined}" fill="{color}" fill-opacity="0.25"/>']


def _track(chart: Track, top: int, color: str) -> list[str]:
    found = [_text(chart.title, 8, top + 18)]
    plane = chart.plane()
    if not plane:
        return [*found, _text("no places", _WIDTH / 2, top + _TRACK / 2, "middle")]
    left, low = min(x for x, _ in plane), min(y for _, y in plane)
    wide, high = max(x for x, _ in plane) - left, max(y for _, y in plane) - low
    room_x, room_y = _WIDTH - 2 * _RIGHT - 40, _TRACK - _TOP - _BOTTOM - 30
    scale = min(room_x / wide if wide else 1e9, room_y / high if high else 1e9)
    shift_x = (_WIDTH - wide * scale) / 2
    shift_y = top + _TOP + (room_y + 20 - high * scale) / 2
    points = [(shift_x + (x - left) * scale, shift_y + (low + high - y) * scale) for x, y in plane]
    found.append(_through(points, color))
    (x, y), (end_x, end_y) = points[0], points[-1]
    found.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#fff" stroke="{color}"/>')
    found.append(f'<circle cx="{end_x:.1f}" cy="{end_y:.1f}" r="4" fill="{color}"/>')
    north = max(latitude for latitude, _ in chart.places)
    south = min(latitude for latitude, _ in chart.places)
    told = (
        f"{len(chart.places)} places, latitude {south:g} to {north:g}; the filled dot is the last"
    )
    found.append(_text(told, 8, top + _TRACK - 8))
    return found


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
