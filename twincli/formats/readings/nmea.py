"""NMEA 0183: sentences of a GPS receiver; those of one moment are one observation.

``RMC`` has the date, position, speed and course, ``GGA`` the altitude, satellites and dilution. A
moment without a date takes that of the moment before, one day later after midnight. Speeds stay in
knots, and say so.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from twincli.errors import ConfigError, InvalidError, TwinError
from twincli.formats.readings.lines import Lines, Read, Refused, refused
from twincli.model import reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, time

_DAY_US = 86_400_000_000
_MOMENTS = ("RMC", "GGA")
_LONGEST = 1000


class _Moment:
    """What the sentences of one time of day say."""

    def __init__(self, line: int, clock: time) -> None:
        self.line = line
        self.clock = clock
        self.date: date | None = None
        self.void = False
        self.leaves: dict[str, Any] = {}


def read(stream: IO[bytes]) -> Iterator[Read | Refused]:
    """Yield the moments of a file.

    Raises:
        ConfigError: ``missing_extra``.
    """
    try:
        import pynmeagps
    except ImportError as error:
        raise ConfigError(
            "NMEA needs an extra package, pynmeagps",
            code="missing_extra",
            hint='pip install "twincli[data]"',
        ) from error
    lines = Lines(stream, "ascii")
    days = _Days()
    moment: _Moment | None = None
    for number, line in lines:
        try:
            if line is None:
                raise lines.why_not()
            text = line.strip()
            if not text:
                continue
            if len(text) > _LONGEST or not text.startswith("$"):
                raise InvalidError("it is not an NMEA sentence", code="invalid_line")
            if text[3:6] not in _MOMENTS:
                continue
            try:
                sentence = pynmeagps.NMEAReader.parse(text + "\r\n", validate=1)
                clock = sentence.time
                if not hasattr(clock, "hour"):
                    raise InvalidError("it has no time", code="no_time")
                if moment is None or moment.clock != clock:
                    if moment is not None:
                        yield days.finish(moment)
                    moment = _Moment(number, clock)
                _take(moment, sentence)
            except (
                pynmeagps.NMEAParseError,
                pynmeagps.NMEAMessageError,
                pynmeagps.NMEATypeError,
                ValueError,
                AttributeError,
                TypeError,
                IndexError,
                KeyError,
            ) as error:
                why = (
                    "its checksum is wrong" if "checksum" in str(error) else "a field is malformed"
                )
                raise InvalidError(
                    f"it is not an NMEA sentence: {why}", code="invalid_line"
                ) from error
        except TwinError as error:
            yield refused(number, error)
    if moment is not None:
        yield days.finish(moment)


def _take(moment: _Moment, sentence: Any) -> None:
    leaves = moment.leaves
    if sentence.msgID == "RMC":
        if hasattr(sentence.date, "toordinal"):
            moment.date = sentence.date
        moment.void = moment.void or sentence.status != "A"
        _put(leaves, "metadata.speed", sentence.spd)
        _put(leaves, "metadata.heading", sentence.cog)
    else:
        moment.void = moment.void or sentence.quality == 0
        _put(leaves, "altitude", sentence.alt)
        _put(leaves, "metadata.satellites", sentence.numSV)
        _put(leaves, "metadata.hdop", sentence.HDOP)
    _put(leaves, "latitude", sentence.lat)
    _put(leaves, "longitude", sentence.lon)


def _put(leaves: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, (int, float)):
        leaves.setdefault(name, value)


class _Days:
    def __init__(self) -> None:
        self.before: int | None = None

    def finish(self, moment: _Moment) -> Read | Refused:
        """Return what became of a moment."""
        clock = moment.clock
        since = ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000
        since += clock.microsecond
        if moment.date is not None:
            time_us = (moment.date.toordinal() - 719_163) * _DAY_US + since
        elif self.before is None:
            return refused(
                moment.line, InvalidError("no sentence has said the date yet", code="no_time")
            )
        else:
            time_us = self.before - self.before % _DAY_US + since
            if self.before - time_us > _DAY_US // 2:
                time_us += _DAY_US
        self.before = time_us
        if moment.void:
            return refused(moment.line, InvalidError("the receiver had no fix", code="no_fix"))
        try:
            found = reading.parse(moment.leaves)
        except TwinError as error:
            return refused(moment.line, error)
        units = (("metadata.speed", "kn"),) if "metadata.speed" in found.leaves else ()
        return Read(moment.line, found._replace(time_us=time_us, units=units))
