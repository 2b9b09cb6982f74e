"""Calendars: read by a library that is not ours, folded and escaped as RFC 5545 asks."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar import Calendar

from twincli.formats import ical
from twincli.formats.ical import Event

EVENT = Event(
    "abc-schedule@twincli",
    "2024-01-15T10:00:00.000Z",
    "2024-04-15T10:00:00.000Z",
    "HVAC: filterChange, due; really",
    "quarterly\nsince 2024-01-15 \\ 10:00",
    ("overdue", "schedule"),
)


def test_an_event_as_another_reads_it() -> None:
    data = ical.calendar("twins", [EVENT, EVENT._replace(uid="day", when="2024-04-15")])
    found: Any = Calendar.from_ical(data)
    assert str(found["PRODID"]) == "-//twincli//twincli//EN"
    assert str(found["X-WR-CALNAME"]) == "twins"
    moment, day = found.walk("VEVENT")
    assert str(moment["UID"]) == EVENT.uid
    assert moment["DTSTAMP"].dt == datetime(2024, 1, 15, 10, tzinfo=UTC)
    assert moment["DTSTART"].dt == datetime(2024, 4, 15, 10, tzinfo=UTC)
    assert str(moment["SUMMARY"]) == EVENT.summary
    assert str(moment["DESCRIPTION"]) == EVENT.description
    assert [str(one) for one in moment["CATEGORIES"].cats] == ["overdue", "schedule"]
    assert day["DTSTART"].dt == date(2024, 4, 15)
    assert not found.errors
    assert not moment.errors


def test_an_event_with_the_least() -> None:
    data = ical.calendar("x", [Event("u", "2024-01-15", "2024-04-15", "s")])
    assert data.startswith(ical.HEAD)
    assert data.endswith(b"END:VEVENT\r\nEND:VCALENDAR\r\n")
    assert b"DTSTAMP:20240115T000000Z\r\n" in data
    assert b"DESCRIPTION" not in data
    assert b"CATEGORIES" not in data


def test_no_event() -> None:
    assert Calendar.from_ical(ical.calendar("x", [])).walk("VEVENT") == []


@pytest.mark.parametrize("count", range(70, 80))
@pytest.mark.parametrize("letter", ["a", "ä", "\u20ac", "\U0001f527"])
def test_folding_tears_nothing(letter: str, count: int) -> None:
    line = "SUMMARY:" + letter * count
    pieces = ical.folded(line).removesuffix(b"\r\n").split(b"\r\n")
    assert all(len(piece) <= 75 for piece in pieces)
    assert all(piece.decode() for piece in pieces)  # each is whole characters
    assert b"".join([pieces[0], *(piece[1:] for piece in pieces[1:])]).decode() == line


@given(st.text(max_size=300), st.text(max_size=300))
@example("a\r\nEND:VEVENT\r\nBEGIN:VEVENT", "x\\n;,\\")
def test_texts_come_back(summary: str, description: str) -> None:
    data = ical.calendar("x", [EVENT._replace(summary=summary, description=description)])
    (event,) = Calendar.from_ical(data).walk("VEVENT")
    plain = ical.text(summary).replace("\ufffd", "")
    if plain:
        assert ical.text(str(event["SUMMARY"])) == ical.text(summary)
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
