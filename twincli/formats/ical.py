"""Calendars as programs exchange them (iCalendar, RFC 5545): events of a day or of a moment.

The same events give the same bytes; an event keeps its UID, so a calendar that is imported again
moves what has moved and doubles nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEAD = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//twincli//twincli//EN\r\n"
"""How a calendar of ours begins."""

MAX_OCTETS = 75
"""Of a line, without its end."""
_ODD = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]"
_ESCAPED = {"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"}


class Event(NamedTuple):
    """An entry of a calendar.

    Attributes:
        uid: Names it, here and in every calendar that is made later.
        stamp: Since when this is known: RFC 3339 in UTC, or a date.
        when: A date, or RFC 3339 in UTC.
        summary: One line.
        description: More of it.
        categories: Words that it is filed under.
    """

    uid: str
    stamp: str
    when: str
    summary: str
    description: str = ""
    categories: tuple[str, ...] = ()


def calendar(name: str, events: Iterable[Event]) -> bytes:
    """Return a calendar with events.

    Args:
        name: What programs call it.
        events: In their order.
    """
    lines = ["CALSCALE:GREGORIAN", f"X-WR-CALNAME:{text(name)}"]
    for event in events:
        lines += _lines(event)
    lines.append("END:VCALENDAR")
    return HEAD + b"".join(folded(line) for line in lines)


def _lines(event: Event) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{text(event.uid)}"
    yield f"DTSTAMP:{_moment(event.stamp)}"
    if len(event.when) == 10:
        yield f"DTSTART;VALUE=DATE:{event.when.replace('-', '')}"
    else:
        yield f"DTSTART:{_moment(event.when)}"
    yield f"SUMMARY:{text(event.summary)}"
    if event.description:
        yield f"DESCRIPTION:{text(event.description)}"
    if event.categories:
        yield f"CATEGORIES:{','.join(map(text, event.categories))}"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _moment(when: str) -> str:
    """Return a time as ``20240120T090000Z``; a date is its midnight."""
    day, time = when[:10], when[11:19] or "00:00:00"
    return f"{day.replace('-', '')}T{time.replace(':', '')}Z"


def text(value: str) -> str:
    """Return a text as a value: escaped, without characters that a calendar cannot hold."""
    plain = re.sub(_ODD, "\ufffd", value.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(_ESCAPED.get(letter, letter) for letter in plain)


def folded(line: str) -> bytes:
    """Return a line in pieces of at most 75 octets; no character is torn."""
    data = line.encode()
    pieces = []
    while len(data) > MAX_OCTETS:
        end = MAX_OCTETS
        while data[end] & 0xC0 == 0x80:  # the middle of a character
            end -= 1
        pieces.append(data[:end])
        data = b" " + data[end:]
    return b"\r\n".join([*pieces, data]) + b"\r\n"
