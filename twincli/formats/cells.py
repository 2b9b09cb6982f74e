"""Values of foreign tables as their map says: numbers, dates, times, truth.

Nothing is guessed: a cell that is not of the type its map states is refused with the reason, and a
number that a double cannot hold is not rounded in silence.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError, shown
from twincli.model import times
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from datetime import tzinfo

TYPES = ("text", "number", "integer", "boolean", "date", "datetime", "json")
"""What a cell can be read as."""

THOUSANDS = (".", ",", " ", "'", "_")
LONGEST = 1 << 20
"""Characters of a text."""

_SPACES = " \t\n\r\v\f\u00a0\u202f"
_MOST_DIGITS = 400  # a double has none beyond its 308th
_PARTS = {
    "d": ("day", "[0-9]{1,2}"),
    "m": ("month", "[0-9]{1,2}"),
    "Y": ("year", "[0-9]{4}"),
    "y": ("short", "[0-9]{2}"),
    "H": ("hour", "[0-9]{1,2}"),
    "M": ("minute", "[0-9]{1,2}"),
    "S": ("second", "[0-9]{1,2}"),
    "f": ("fraction", "[0-9]{1,9}"),
    "z": ("offset", r"[Zz]|[+-][0-9]{2}:?[0-9]{2}"),
}
DIRECTIVES = " ".join(f"%{letter}" for letter in _PARTS)
"""What a form of dates is made of."""


class Form(NamedTuple):
    """How dates or times are written.

    Attributes:
        text: As in the map: ``%d.%m.%Y``.
        pattern: Matches one; its groups have the names of parts.
        has_time: Whether there is an hour in it.
    """

    text: str
    pattern: re.Pattern[str]
    has_time: bool


def form(text: str) -> Form:
    """Return the form of dates or times that a map states.

    Raises:
        ValueError: It is none; the text says why.
    """
    made, seen, at = "", set(), 0
    while at < len(text):
        mark = text[at]
        if mark != "%":
            made += re.escape(mark)
            at += 1
            continue
        letter = text[at + 1 : at + 2]
        at += 2
        if letter == "%":
            made += "%"
            continue
        if letter not in _PARTS:
            raise ValueError(f"%{letter} is not one of {DIRECTIVES}")
        name, pattern = _PARTS[letter]
        if name in seen:
            raise ValueError(f"%{letter} stands in it twice")
        seen.add(name)
        made += f"(?P<{name}>{pattern})"
    if not {"day", "month"} <= seen or not seen & {"year", "short"}:
        raise ValueError("it needs %d, %m, and %Y or %y")
    if {"year", "short"} <= seen:
        raise ValueError("it has %Y and %y")
    has_time = "hour" in seen
    if not has_time and seen & {"minute", "second", "fraction", "offset"}:
        raise ValueError("it has a part of a time but no %H")
    if "fraction" in seen and "second" not in seen:
        raise ValueError("it has %f but no %S")
    return Form(text, re.compile(made, re.ASCII), has_time)


class Reader(NamedTuple):
    """How the cells of a file are read.

    Attributes:
        decimal: The mark in numbers: ``.`` or ``,``.
        thousands: The mark between groups of three digits, None where there is none.
        dates: How dates are written; None: as ISO 8601 has them.
        moments: How times with a date are written; None: as RFC 3339 has them.
        zone: What times without a zone are in; None refuses them.
    """

    decimal: str = "."
    thousands: str | None = None
    dates: Form | None = None
    moments: Form | None = None
    zone: tzinfo | None = None

    def value(self, kind: str, cell: Any, given: Form | tuple[str, str] | None = None) -> Any:
        """Return a cell as a JSON value; None where it is empty.

        Args:
            kind: One of `TYPES`.
            cell: A text, or what a typed format has: a number, a truth, a date.
            given: The form of this column, where it has one of its own: of dates and times, or
                the words for true and false.

        Raises:
            InvalidError: ``invalid_value``.
        """
        if isinstance(cell, str):
            if len(cell) > LONGEST:
                raise InvalidError("it is too long", code="invalid_value")
            if not cell.strip(_SPACES):
                return None
        if cell is None:
            return None
        if kind == "text":
            return text(cell)
        if kind in {"number", "integer"}:
            return self._number(cell, whole=kind == "integer")
        if kind == "boolean":
            return _truth(cell, None if isinstance(given, Form) else given)
        if kind == "json":
            return _json(cell)
        own = given if isinstance(given, Form) else None
        if kind == "date":
            return self._date(cell, own or self.dates)
        return times.to_text(self.microseconds(cell, own) // 1000)

    def _number(self, cell: Any, *, whole: bool) -> int | float:
        if isinstance(cell, str):
            found = self._parsed(cell.strip(_SPACES))
        elif type(cell) in {int, float}:
            found = cell
        else:
            raise _wrong(cell, "a number")
        if isinstance(found, float):
            if not math.isfinite(found):
                raise _wrong(cell, "a number")
            if whole:
                if not found.is_integer():
                    raise _wrong(cell, "a whole number")
                found = int(found)
        if isinstance(found, int) and not -(1 << 63) <= found < 1 << 63:
            raise InvalidError(f"{shown(cell)} is more than 64 bits", code="invalid_value")
        return found

    def _parsed(self, cell: str) -> int | float:
        """Return the number in a text; SAP writes the minus behind it."""
        digits = cell.replace("\u2212", "-")
        if digits.endswith("-"):
            digits = f"-{digits[:-1]}"
        sign = digits[:1] if digits[:1] in {"+", "-"} else ""
        body = digits[len(sign) :]
        exponent = re.search(r"[eE][+-]?[0-9]{1,3}\Z", body)
        power = "" if exponent is None else exponent[0]
        body = body[: len(body) - len(power)]
        whole, mark, part = body.partition(self.decimal)
        whole = self._ungrouped(whole)
        if not (re.fullmatch("[0-9]+", whole) and (not mark or re.fullmatch("[0-9]+", part))):
            raise _wrong(cell, "a number", self._written())
        if len(whole) > 1 and whole[0] == "0":
            raise InvalidError(
                f"{shown(cell)} begins with 0, which a number would lose",
                code="invalid_value",
                hint="type: text keeps it",
            )
        if len(whole) + len(part) > _MOST_DIGITS:
            raise InvalidError(f"{shown(cell)} has too many digits", code="invalid_value")
        plain = f"{'-' if sign == '-' else ''}{whole}{'.' + part if part else ''}{power}"
        if not part and not power:
            return int(plain)
        found = float(plain)
        if not math.isfinite(found):
            raise InvalidError(f"{shown(cell)} is too large for a double", code="invalid_value")
        if Decimal(repr(found)) != Decimal(plain):
            raise InvalidError(
                f"{shown(cell)} has more digits than a number keeps",
                code="invalid_value",
                hint="type: text keeps them",
            )
        return found

    def _ungrouped(self, whole: str) -> str:
        """Return the digits before the decimal mark without the marks between groups."""
        mark = self.thousands
        if mark is None:
            return whole
        if mark == " ":
            whole = whole.replace("\u00a0", " ").replace("\u202f", " ")
        if mark == "'":
            whole = whole.replace("\u2019", "'")
        if mark not in whole:
            return whole
        first, *groups = whole.split(mark)
        if not 1 <= len(first) <= 3 or any(len(group) != 3 for group in groups):
            return ""  # 12.5 where the point is between thousands: it is not a number
        return "".join((first, *groups))

    def _written(self) -> str:
        digits = "1234"
        if self.thousands is not None:
            digits = f"1{self.thousands}234"
        return f"numbers of this map are written {digits}{self.decimal}5"

    def _date(self, cell: Any, given: Form | None) -> str:
        if isinstance(cell, datetime):
            if cell.time() != time(0):
                raise _wrong(cell.isoformat(sep=" "), "a date", "type: datetime keeps its time")
            return cell.date().isoformat()
        if isinstance(cell, date):
            return cell.isoformat()
        if not isinstance(cell, str):
            raise _wrong(cell, "a date")
        word = cell.strip(_SPACES)
        if given is not None:
            return self._matched(word, given, "a date").date().isoformat()
        try:
            if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", word):
                raise ValueError
            return date.fromisoformat(word).isoformat()
        except ValueError:
            raise _wrong(cell, "a date", "write 2024-01-31, or say how: dates") from None

    def microseconds(self, cell: Any, given: Form | None = None) -> int:
        """Return a time in microseconds since the epoch.

        Args:
            cell: A text, a number as readings have it, or a date and time of a spreadsheet.
            given: How this column writes times.

        Raises:
            InvalidError: ``bad_time``, ``no_zone``.
        """
        given = given or self.moments
        if isinstance(cell, datetime):
            return self._moment(cell)
        if isinstance(cell, date):
            return self._moment(datetime.combine(cell, time(0)))
        if isinstance(cell, timedelta | time):
            raise _wrong(str(cell), "a time with its date")
        if isinstance(cell, str):
            word = cell.strip(_SPACES)
            if given is not None:
                return self._moment(self._matched(word, given, "a time"))
            if re.fullmatch(r"-?[0-9]{1,20}(?:\.[0-9]{1,9})?", word):  # since 1970
                return times.to_microseconds(float(word) if "." in word else int(word))
            return times.to_microseconds(word, self.zone)
        return times.to_microseconds(cell)

    def _matched(self, word: str, given: Form, what: str) -> datetime:
        found = given.pattern.fullmatch(word)
        if found is None:
            raise _wrong(word, what, f"dates of this map are written {given.text}")
        parts = found.groupdict()
        year = int(parts.get("year") or 0)
        if parts.get("short"):
            short = int(parts["short"])
            year = short + (1900 if short >= 69 else 2000)  # as POSIX has it
        second = int(parts.get("second") or 0)
        fraction = int((parts.get("fraction") or "0").ljust(6, "0")[:6])
        try:
            moment = datetime(  # noqa: DTZ001 - its zone comes after
                year,
                int(parts["month"]),
                int(parts["day"]),
                int(parts.get("hour") or 0),
                int(parts.get("minute") or 0),
                second,
                fraction,
            )
            if offset := parts.get("offset"):
                text = "+0000" if offset in "Zz" else offset.replace(":", "")
                sign = -1 if text[0] == "-" else 1
                ahead = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
                moment = (moment - sign * ahead).replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise _wrong(word, what, f"there is no such day or hour ({given.text})") from None
        return moment

    def _moment(self, moment: datetime) -> int:
        """Return a time by the calendar in microseconds, in the zone of the map."""
        if moment.tzinfo is None:
            return times.to_microseconds(moment.isoformat(timespec="microseconds"), self.zone)
        return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def text(cell: Any) -> str:
    """Return a cell as a text: as it is, or as JSON and ISO 8601 write it."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1 << 53:
        return str(int(cell))  # spreadsheets have no whole numbers
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time(0) else cell.isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, dict | list):
        from twincli.crypto import canonical

        return canonical.text_of(cell)
    return str(cell)


def words(given: str) -> tuple[str, str]:
    """Return the words for true and false of a map: ``yes/no``.

    Raises:
        ValueError: They are none.
    """
    yes, mark, no = given.partition("/")
    if not mark or not yes.strip() or not no.strip() or yes.casefold() == no.casefold():
        raise ValueError("write the words for true and false, such as yes/no")
    return yes.strip().casefold(), no.strip().casefold()


def _truth(cell: Any, given: tuple[str, str] | None) -> bool:
    if isinstance(cell, bool):
        return cell
    yes, no = given or ("true", "false")
    word = text(cell).strip(_SPACES).casefold()
    if word not in {yes, no}:
        raise _wrong(cell, f"{yes} or {no}", "another pair: format: yes/no")
    return word == yes


def _json(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell if isinstance(cell, dict | list | bool | int | float) else text(cell)
    from twincli.crypto import canonical

    return canonical.decode(cell.encode("utf-8", "surrogatepass"), what="it")


def _wrong(cell: Any, right: str, hint: str | None = None) -> InvalidError:
    return InvalidError(f"{shown(cell)} is not {right}", code="invalid_value", hint=hint)
