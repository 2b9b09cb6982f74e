"""Charts: gaps, bands, tracks, strangers' names."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from twincli.analysis import charts
from twincli.analysis.charts import Line, Track
from twincli.model import times

SVG = "{http://www.w3.org/2000/svg}"
SECOND = 1_000_000


def elements(text: str, name: str) -> list[ET.Element]:
    return list(ET.fromstring(text).iter(SVG + name))


def test_a_gap_is_not_bridged() -> None:
    times = [0, 1, 2, 10, 11]
    line = Line("a", [at * SECOND for at in times], [1.0] * 5, gap_us=3 * SECOND)
    assert line.parts() == [[0, 1, 2], [3, 4]]
    assert charts.usual_gap([at * SECOND for at in times]) == 3 * SECOND
    drawn = charts.svg([line], "t")
    assert [len((each.get("points") or "").split()) for each in elements(drawn, "polyline")] == [
        3,
        2,
    ]
    assert Line("a", [0, 1, 2], [1.0, None, 2.0]).parts() == [[0], [2]]


def test_a_band_lies_between_lowest_and_highest() -> None:
    line = Line("a", [0, SECOND], [1.0, 2.0], [0.0, 1.0], [2.0, 3.0])
    assert line.bounds == (0.0, 3.0)
    (band,) = elements(charts.svg([line], "t"), "polygon")
    assert len((band.get("points") or "").split()) == 4


@pytest.mark.parametrize("values", [[1e308, -1e308], [5.0, 5.0], [0.0], [5e-324, 0.0]])
def test_numbers_of_any_size(values: list[float]) -> None:
    drawn = charts.svg([Line("a", list(range(len(values))), values)], "t")
    assert "nan" not in drawn
    assert "inf" not in drawn
    assert charts.png(drawn)[:4] == b"\x89PNG"
    assert "UTC" in charts.terminal([Line("a", list(range(len(values))), values)], 80)


@pytest.mark.parametrize(
    ("first_us", "shown"),
    [
        (1_700_000_000_000_000, "22:13:0"),
        (times.EARLIEST_US, "UTC"),
        (times.LATEST_US, "UTC"),
        (0, "00:00:0"),
    ],
)
def test_an_axis_of_one_moment_lies_around_it(first_us: int, shown: str) -> None:
    for moments in ([first_us], [first_us, first_us]):
        drawn = charts.terminal([Line("a", moments, [1.5] * len(moments))], 80)
        assert shown in drawn.splitlines()[-2] + drawn.splitlines()[-1]
    assert "UTC" in charts.terminal([Line("a", [times.EARLIEST_US, first_us], [1.0, 2.0])], 80)


def test_nothing_is_said_so() -> None:
    drawn = charts.svg([Line("a", [], []), Track("b", [])], "t")
    assert "no values" in drawn
    assert "no places" in drawn
    assert "no values" in charts.terminal([Line("a", [], []), Track("b", [])], 80)


def test_names_of_strangers_are_text() -> None:
    name = '<script>alert("x")</script>\x1b[31m&' + "x" * 500
    drawn = charts.svg([Line(name, [0, 1], [1.0, 2.0])], name)
    assert "<script" not in drawn
    assert "\x1b" not in drawn
    assert len(elements(drawn, "text")) == 5
    assert "\x1b" not in charts.terminal([Line(name, [0, 1], [1.0, 2.0])], 80)


def test_a_track_has_one_scale_and_crosses_the_antimeridian() -> None:
    square = Track("a", [(60.0, 10.0), (60.0, 12.0), (61.0, 12.0), (61.0, 10.0)])
    plane = square.plane()
    across = plane[1][0] - plane[0][0]
    assert across == pytest.approx(2 * 0.4924, abs=0.01)  # a degree is half as wide there
    places = Track("b", [(0.0, 179.9), (0.0, -179.9), (0.0, -179.8), (0.0, 179.9)]).plane()
    assert max(x for x, _ in places) - min(x for x, _ in places) == pytest.approx(0.3)
    pole = Track("c", [(90.0, 0.0), (90.0, 180.0)])
    assert "nan" not in charts.svg([square, pole, Track("d", [(1.0, 1.0)])], "t")
    assert charts.terminal([square], 80).startswith("a\n")
