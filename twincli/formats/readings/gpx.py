"""GPX: points of tracks, routes and waypoints, with what stands beside them.

Names are those of a fix: latitude, longitude, altitude, and under ``metadata`` the speed, course,
satellites and dilutions. A document type, and so every entity, is refused.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any
from xml.parsers import expat

from twincli.errors import InvalidError, TwinError, cut
from twincli.formats.readings.lines import Read, Refused, check_text, peek, refused
from twincli.model import reading, times

if TYPE_CHECKING:
    from collections.abc import Iterator

_POINTS = frozenset({"trkpt", "rtept", "wpt"})
_NAMES = {
    "ele": "altitude",
    "speed": "metadata.speed",
    "course": "metadata.heading",
    "sat": "metadata.satellites",
    "hdop": "metadata.hdop",
    "vdop": "metadata.vdop",
    "pdop": "metadata.pdop",
    "hr": "metadata.heartRate",
    "cad": "metadata.cadence",
    "atemp": "metadata.temperature",
}
_WHOLE = frozenset({"sat", "hr", "cad"})
_PIECE = 1 << 16
MAX_DEPTH = 50
MAX_TEXT = 200


def _wrong(why: str) -> InvalidError:
    return InvalidError(f"the GPX file cannot be read: {why}", code="invalid_gpx")


class _Points:
    def __init__(self, parser: expat.XMLParserType) -> None:
        self.parser = parser
        self.made: list[Read | Refused] = []
        self.depth = 0
        self.seen = False
        self.line = 0
        self.point: dict[str, Any] | None = None
        self.text: list[str] = []
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.data
        parser.StartDoctypeDeclHandler = self.doctype

    def doctype(self, *_: object) -> None:
        raise _wrong("it has a document type, which no GPX has")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _wrong(f"it nests deeper than {MAX_DEPTH}")
        if not self.seen and name.rpartition(":")[2] != "gpx":
            raise _wrong(f"it is not GPX but {cut(name)}")
        self.seen = True
        self.text = []
        if name.rpartition(":")[2] in _POINTS:
            self.line = self.parser.CurrentLineNumber
            self.point = {key: attributes[key] for key in ("lat", "lon") if key in attributes}

    def data(self, text: str) -> None:
        if self.point is not None and sum(map(len, self.text)) <= MAX_TEXT:
            self.text.append(text[: MAX_TEXT + 1])

    def end(self, name: str) -> None:
        self.depth -= 1
        short = name.rpartition(":")[2]
        if self.point is None:
            return
        if short in _POINTS:
            try:
                self.made.append(Read(self.line, _observation(self.point)))
            except TwinError as error:
                self.made.append(refused(self.line, error))
            self.point = None
        elif short == "time" or short in _NAMES:
            self.point[short] = "".join(self.text).strip()
        self.text = []


def _observation(point: dict[str, str]) -> reading.Observation:
    if not point.get("time"):
        raise InvalidError("the point has no time", code="no_time")
    time_us = times.to_microseconds(point["time"])
    value: dict[str, Any] = {}
    for name, text in point.items():
        if name != "time" and text:
            value[_NAMES.get(name, name)] = _number(name, text)
    if not {"lat", "lon"} <= value.keys():
        raise InvalidError("the point has no latitude and longitude", code="incomplete_coordinates")
    return reading.parse(value)._replace(time_us=time_us)


def _number(name: str, text: str) -> float:
    try:
        if len(text) <= 40 and text.isascii() and "_" not in text:
            return int(text) if name in _WHOLE else float(text)
    except ValueError:
        pass
    raise InvalidError(f"{name}: {cut(text)!r} is not a number", code="invalid_value")


def read(stream: IO[bytes]) -> Iterator[Read | Refused]:
    """Yield the points of a file.

    Raises:
        InvalidError: ``invalid_gpx``, after the points before the fault; ``not_text``.
    """
    check_text(peek(stream, 16))
    parser = expat.ParserCreate()
    points = _Points(parser)
    while True:
        piece = stream.read(_PIECE)
        try:
            parser.Parse(piece, not piece)
        except expat.ExpatError as error:
            yield from points.made
            raise InvalidError(
                f"line {error.lineno}: the file is not XML: {expat.ErrorString(error.code)}",
                code="invalid_gpx",
            ) from error
        except TwinError:
            yield from points.made
            raise
        yield from points.made
        points.made.clear()
        if not piece:
            return
