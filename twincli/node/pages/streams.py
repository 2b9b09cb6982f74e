"""Pages of streams: what was read, as charts and tracks, zoomed by links.

Readings that stand in transactions are read from these; of chunks the minutes are shown that this
node keeps, and a few that are not kept are made, in a process with limits. All of it is bounded: a
page shows a part of a long stream and says so.
"""

from __future__ import annotations

import os
from contextlib import closing, suppress
from itertools import islice, pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from twincli.analysis import charts
from twincli.analysis.charts import Line, Track
from twincli.content.minutes import Minutes
from twincli.errors import InvalidError, TwinError
from twincli.model import encryption, inline, manifest, reading, record, times
from twincli.node.pages import parts
from twincli.node.pages.charts import CHARTS, figure
from twincli.node.pages.excerpt import LONGEST_NAME, cut
from twincli.node.pages.html import ROOT, Html, Tag, join, section, table
from twincli.node.pages.source import UNCHECKED
from twincli.rules.authority import AUTHORISED
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twincli.analysis.summary import Summary
    from twincli.ledger.reading import Entry
    from twincli.model.manifest import Entry as ChunkEntry
    from twincli.node.pages.source import Owners, Source

RECORDS = 2000
OPEN_SECONDS = 5.0
FIELDS = 64
POINTS = 300
FEW = 3
"""How much a page shows at most: records, seconds for a chunk, fields, columns of a chart, and
charts of a stream on the page of its twin."""

MINUTE_US = 60_000_000
_SECTORS = 6
_PAIR = ("latitude", "longitude")


class Span(NamedTuple):
    """A range of time; its end is not in it."""

    since_us: int | None = None
    until_us: int | None = None

    def holds(self, first_us: int, last_us: int | None = None) -> bool:
        """Say whether something from one time to another may be in it."""
        last_us = first_us if last_us is None else last_us
        return (self.since_us is None or last_us >= self.since_us) and (
            self.until_us is None or first_us < self.until_us
        )


def span_of(query: Mapping[str, str]) -> Span:
    """Return the range that a link names; what is not a time is ignored."""
    found: list[int | None] = []
    for name in ("from", "until"):
        value = None
        with suppress(InvalidError):
            value = times.to_microseconds(query[name]) if name in query else None
        found.append(value)
    since, until = found
    if since is not None and until is not None and since >= until:
        return Span()
    return Span(since, until)


class _Point(NamedTuple):
    """What was read at a time, or in a minute from then on."""

    time_us: int
    value: float
    low: float
    high: float
    weight: int


class _Gathered:
    """Collects what a page shows of a stream."""

    def __init__(self, source: Source, stream: str, span: Span) -> None:
        self._source = source
        self._stream = stream
        self._span = span
        self._file: Minutes | None = None
        if source.shelf.minutes is not None and os.path.exists(source.shelf.minutes):
            self._file = Minutes(source.shelf.minutes)
        self.points: dict[str, list[_Point]] = {}
        self.latest: dict[str, tuple[int, float]] = {}
        self.places: dict[int, tuple[float, float]] = {}
        self.absent = 0
        self.unchecked = 0
        self.uncounted = 0

    def close(self) -> None:
        """Close what was opened."""
        if self._file is not None:
            self._file.close()

    def add(self, entry: Entry) -> None:
        """Take a record of the stream."""
        envelope = record.envelope_of(entry.tx["metadata"]) or {}
        body = envelope.get("body")
        with suppress(InvalidError):
            if envelope.get("kind") == "reading":
                for item in inline.read(body):
                    self._observe(item.observation, item.suspect)
            elif envelope.get("kind") == "chunk":
                found = manifest.read(body)
                for each in found.chunks if found.stream == self._stream else ():
                    if self._span.holds(each.first_us, each.last_us):
                        self._chunk(each)

    def _observe(self, seen: reading.Observation, suspect: Sequence[str]) -> None:
        time_us = seen.time_us
        if time_us is None or not self._span.holds(time_us) or not reading.is_good(seen.quality):
            return
        numbers = {
            path: float(value)
            for path, value in seen.leaves.items()
            if isinstance(value, (int, float))
            and not isinstance(value, bool)
            and path not in suspect
        }
        for path, value in numbers.items():
            self._take(path, [_Point(time_us, value, value, value, 1)], (time_us, value))
        if all(name in numbers for name in _PAIR):
            self.places[time_us] = (numbers[_PAIR[0]], numbers[_PAIR[1]])

    def _take(self, path: str, points: Iterable[_Point], latest: tuple[int, float] | None) -> None:
        if path not in self.points and len(self.points) == FIELDS:
            return
        self.points.setdefault(path, []).extend(points)
        if latest is not None:
            self.latest[path] = max(latest, self.latest.get(path, latest))

    def _chunk(self, entry: ChunkEntry) -> None:
        made = self._summaries(entry)
        if made is None:
            self.absent += 1
            return
        prefix = f"{self._stream}."
        named = {name.removeprefix(prefix): found for name, found in made.items()}
        for path, found in named.items():
            self._take(path, self._minutes(found), self._last(found))
        if all(name in named for name in _PAIR):
            self._track(*(named[name] for name in _PAIR))

    def _minutes(self, found: Summary) -> list[_Point]:
        from twincli.analysis import summary

        means, there = summary.answer(found, "average")
        rows = zip(
            *(
                column[there].tolist()
                for column in (found.begins, means, found.lows, found.highs, found.counts)
            ),
            strict=True,
        )
        return [_Point(*row) for row in rows if self._span.holds(row[0], row[0] + MINUTE_US - 1)]

    def _last(self, found: Summary) -> tuple[int, float] | None:
        """Return the last value of a chunk, as far as whole minutes show it."""
        rows = zip(found.last_times.tolist(), found.lasts.tolist(), found.counts, strict=True)
        known = [(at, float(value)) for at, value, count in rows if count]
        return max((row for row in known if self._span.holds(row[0])), default=None)

    def _track(self, latitude: Summary, longitude: Summary) -> None:
        """Take the first place of each minute: the mean of places may be one where nothing was."""
        east = dict(zip(longitude.first_times.tolist(), longitude.firsts.tolist(), strict=True))
        north = zip(latitude.first_times.tolist(), latitude.firsts.tolist(), strict=True)
        for time_us, value in north:
            if time_us in east and self._span.holds(time_us):
                self.places[time_us] = (float(value), float(east[time_us]))

    def _summaries(self, entry: ChunkEntry) -> dict[str, Summary] | None:
        """Return the minutes of a chunk, by series; None where they cannot be had for this page."""
        source = self._source
        if source.chunks == 0:
            return None
        source.chunks -= 1
        try:
            found = self._kept(entry)
            if found is None and source.to_open > 0:
                source.to_open -= 1
                found = self._made(entry)
        except (TwinError, ValueError):
            return None  # a stranger's, malformed; or the extra for chunks is not installed
        return found

    def _kept(self, entry: ChunkEntry) -> dict[str, Summary] | None:
        from twincli.analysis import packing

        kept = None if self._file is None else self._file.get(entry.cid)
        if kept is None:
            return None
        return {name: packing.unpack(data) for name, (_, data) in kept.items() if data}

    def _made(self, entry: ChunkEntry) -> dict[str, Summary] | None:
        blobs = self._source.shelf.blobs
        if blobs is None or not blobs.has(entry.cid) or not blobs.check(entry.cid):
            return None
        from twincli.analysis import buckets, summary
        from twincli.content import foreign

        chunk = foreign.read(blobs.path(entry.cid), entry, self._stream, OPEN_SECONDS)
        return {
            series.name: summary.summarise(
                series.time,
                series.values,
                buckets.begins(series.time, MINUTE_US),
                series.suspect,
            )
            for series in chunk.series
            if series.kind in {"f64", "i64"}
        }

    @property
    def bounds(self) -> tuple[int, int] | None:
        """The times of the first and the last of it."""
        every = [point.time_us for points in self.points.values() for point in points]
        return (min(every), max(every)) if every else None


# --- Pages ---------------------------------------------------------------------------------------


class Window(NamedTuple):
    """Which part of a stream a page is of.

    Attributes:
        entries: Its records.
        part: The number of the part.
        parts: How many parts the stream has.
    """

    entries: list[Entry]
    part: int
    parts: int


def window(source: Source, asset_id: str, query: Mapping[str, str]) -> Window:
    """Return a part of a stream, the last one unless a link names another."""
    stretches = source.ledger.stretches(asset_id)
    wanted = query.get("part", "")
    last = len(stretches) - 1
    is_number = wanted.isascii() and wanted.isdigit() and len(wanted) < 9
    part = min(int(wanted), last) if is_number else last
    begin = part
    if not is_number and part > 0:
        size = source.ledger.count(asset_id) - sum(each.size for each in stretches)
        begin -= size < RECORDS // 4  # it has just begun
    entries = source.entries(asset_id, stretches[begin].after)
    read = list(islice(entries, (part - begin + 1) * RECORDS))
    return Window(read, part, len(stretches))


class Told(NamedTuple):
    """A stream that a page shows.

    Attributes:
        create: Its CREATE.
        name: Its name.
        owners: Who may speak for its twin; it knows the stream.
        is_whole: Whether these know all of the twin's history.
    """

    create: Entry
    name: str
    owners: Owners
    is_whole: bool


def name_of(create: Entry) -> str | None:
    """Return the name of the stream that a CREATE makes, None if it makes none."""
    envelope = record.creating_envelope(create.tx)
    name = record.text(envelope.get("name"))
    return name if envelope.get("kind") == record.STREAM and name else None


def is_encrypted(create: Entry) -> bool:
    """Say whether the stream that a CREATE makes is encrypted."""
    return encryption.is_stated(record.creating_envelope(create.tx))


_CLOSED = parts.quiet(
    "This stream is encrypted: those whom its owner lets in read it with twin query."
)


def charts_of(source: Source, told: Told, query: Mapping[str, str]) -> Html:
    """Return what a stream holds as charts, with links that zoom."""
    if is_encrypted(told.create):
        return _CLOSED
    seen, span = window(source, told.create.tx["id"], query), span_of(query)
    where = f"{ROOT}/asset/{told.create.tx['id']}"
    with closing(_Gathered(source, told.name, span)) as gathered:
        _gather(gathered, told, seen)
    bounds = gathered.bounds
    links = [] if bounds is None else _links(bounds, span)
    sectors = [] if bounds is None else _sectors(bounds, where, query)
    return join(
        _navigation(where, query, span, links, seen),
        _drawn(gathered, sectors),
        section("Latest", _latest(gathered)),
        _notes(gathered, seen),
    )


def short_of(source: Source, told: Told) -> Html:
    """Return the latest part of a stream as charts, which lead to its own page."""
    if is_encrypted(told.create):
        return _CLOSED
    asset_id = told.create.tx["id"]
    seen = window(source, asset_id, {})
    with closing(_Gathered(source, told.name, Span())) as gathered:
        _gather(gathered, told, seen)
    where = f"{ROOT}/asset/{asset_id}"
    whole = [(where, f"the stream {told.name}")]
    drawn = _drawn(gathered, whole, f"{told.name}.", FEW, "h4")
    return drawn or (_latest(gathered) if gathered.points else Html())


def _gather(gathered: _Gathered, told: Told, seen: Window) -> None:
    for entry in seen.entries:
        if entry.tx["operation"] == "CREATE":
            continue
        standing = told.owners.of_stream(told.create, told.name, entry, is_whole=told.is_whole)
        if standing == AUTHORISED:
            gathered.add(entry)
        elif standing == UNCHECKED:
            gathered.unchecked += 1
            gathered.add(entry)
        else:
            gathered.uncounted += 1


def _latest(gathered: _Gathered) -> Html:
    """Return the last value of each field."""
    rows = []
    for path, (time_us, value) in sorted(gathered.latest.items()):
        rows.append((cut(path, LONGEST_NAME), f"{value:.15g}", parts.time(time_us // 1000)))
    return table(("field", "last", "when"), rows, "No numbers were read in this range.")


def _drawn(
    gathered: _Gathered,
    links: Sequence[tuple[str, str]],
    prefix: str = "",
    most: int = CHARTS,
    level: str = "h2",
) -> Html:
    made = []
    places = [gathered.places[at] for at in sorted(gathered.places)]
    if len(places) > 1:
        step = -(-len(places) // (4 * POINTS))
        made.append(figure(Track(f"{prefix}track", places[::step]), level=level))
    chosen = [
        (path, points)
        for path, points in sorted(gathered.points.items())
        if len(points) > 1 and not (places and path in _PAIR)
    ]
    for path, points in chosen[:most]:
        line = _line(cut(prefix + path, LONGEST_NAME), points)
        made.append(figure(line, links, level=level))
    if len(chosen) > most:
        made.append(parts.quiet(f"{len(chosen) - most} more fields are not drawn here."))
    return join(*made)


def _line(title: str, points: Sequence[_Point]) -> Line:
    """Return a line of a few hundred points; more become bands."""
    ordered = sorted(points)
    first, last = ordered[0].time_us, ordered[-1].time_us
    width = max((last - first) // POINTS + 1, 1)
    if len(ordered) > POINTS:
        columns: dict[int, list[_Point]] = {}
        for point in ordered:
            columns.setdefault((point.time_us - first) // width, []).append(point)
        ordered = [
            _Point(
                first + number * width,
                _mean(column),
                min(point.low for point in column),
                max(point.high for point in column),
                sum(point.weight for point in column),
            )
            for number, column in columns.items()
        ]
    moments = [point.time_us for point in ordered]
    gap = charts.usual_gap(moments)
    values = [point.value for point in ordered]
    if all(point.low == point.high for point in ordered):
        return Line(title, moments, values, gap_us=gap)
    lows, highs = [point.low for point in ordered], [point.high for point in ordered]
    return Line(title, moments, values, lows, highs, gap)


def _mean(column: Sequence[_Point]) -> float:
    weight = sum(point.weight for point in column)
    return sum(point.value * (point.weight / weight) for point in column)


def _text(time_us: int) -> str:
    return times.microseconds_text(time_us, times.digits_of(time_us))


def _href(where: str, query: Mapping[str, str], span: Span) -> str:
    wanted = {name: query[name] for name in ("part",) if name in query}
    for name, time_us in (("from", span.since_us), ("until", span.until_us)):
        if time_us is not None and times.EARLIEST_US <= time_us <= times.LATEST_US:
            wanted[name] = _text(time_us)
    return f"{where}?{urlencode(wanted)}" if wanted else where


def _sectors(
    bounds: tuple[int, int], where: str, query: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return where parts of a chart lead: to themselves, wider."""
    first, last = bounds
    if last - first < _SECTORS:
        return []
    edges = [first + (last - first) * at // _SECTORS for at in range(_SECTORS)]
    edges.append(last + 1)
    return [
        (_href(where, query, Span(since, until)), f"{_text(since)} to {_text(until)}")
        for since, until in pairwise(edges)
    ]


def _links(bounds: tuple[int, int], span: Span) -> list[tuple[str, Span]]:
    first, last = bounds
    since = first if span.since_us is None else span.since_us
    until = last + 1 if span.until_us is None else span.until_us
    middle, half = (since + until) // 2, max((until - since) // 2, 1)
    found = []
    if until - since > 1:
        found += [("first half", Span(since, middle)), ("second half", Span(middle, until))]
    if span != Span():
        found += [
            ("earlier", Span(since - 2 * half, since)),
            ("later", Span(until, until + 2 * half)),
            ("wider", Span(since - half, until + half)),
        ]
    return found


def _navigation(
    where: str,
    query: Mapping[str, str],
    span: Span,
    links: Sequence[tuple[str, Span]],
    seen: Window,
) -> Html:
    found = [(name, _href(where, query, each)) for name, each in links]
    if span != Span():
        found.append(("everything", _href(where, query, Span())))
    if seen.part > 0:
        found.append(("earlier records", f"{where}?part={seen.part - 1}"))
    if seen.part < seen.parts - 1:
        found.append(("later records", f"{where}?part={seen.part + 1}"))
    if not found:
        return Html()
    return Tag("nav", aria_label="zoom", class_="zoom")(
        *(join(Tag("a", href=target)(name), " ") for name, target in found)
    )


def _notes(gathered: _Gathered, seen: Window) -> Html:
    found = []
    if seen.parts > 1:
        found.append("This is a part of the stream.")
    if gathered.absent:
        found.append(
            f"{gathered.absent:,} chunks in this range are not drawn: this node does not have"
            " them, or a page may open no more."
        )
    if gathered.uncounted:
        found.append(f"{gathered.uncounted:,} records do not count and are not drawn.")
    if gathered.unchecked:
        found.append(
            "The twin's history is too long for a page, so whose word this is was not checked:"
            " twin stream show"
        )
    return parts.quiet(" ".join(found)) if found else Html()
