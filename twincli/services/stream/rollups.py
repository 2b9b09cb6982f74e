"""Rollups: summaries of the minutes of each chunk, kept by its CID and made again when missing.

A chunk never changes under its CID, so a rollup is never stale. Readings that are written here have
theirs once their anchor stands in the ledger; chunks of others when they are asked for.
"""

from __future__ import annotations

from twincli.analysis import packing
from twincli.content.minutes import Minutes
from twincli.errors import ConfigError
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from twincli.analysis.packing import Averages
    from twincli.analysis.summary import Summary
    from twincli.content.chunks import Chunk

NUMBERS = frozenset(("f64", "i64"))
MINUTE_US = 60_000_000


class Rollup(NamedTuple):
    """What is known of a chunk without reading it.

    Attributes:
        kinds: The kind of each of its series.
        parts: The summary of each series of numbers, packed.
    """

    kinds: Mapping[str, str]
    parts: Mapping[str, bytes]

    def summary(self, name: str) -> Summary:
        """Return the minutes of a series."""
        return packing.unpack(self.parts[name])

    def averages(self, name: str) -> Averages | None:
        """Return the averages of the minutes of a series, without numpy; None: there are none."""
        return packing.averages(self.parts[name])


def made(chunk: Chunk) -> Rollup:
    """Return the rollup of a chunk, all of which is given."""
    from twincli.analysis import buckets, summary

    parts = {
        series.name: packing.pack(
            summary.summarise(
                series.time,
                series.values,
                buckets.begins(series.time, buckets.MINUTE_US),
                series.suspect,
            )
        )
        for series in chunk.series
        if series.kind in NUMBERS
    }
    return Rollup(dict(chunk.about.kinds), parts)


class Rollups:
    """The rollups of a home.

    Args:
        path: The file, made when the first one comes; None: none are kept.
    """

    def __init__(self, path: str | None) -> None:
        self._minutes = None if path is None else Minutes(path)

    def close(self) -> None:
        """Close the file."""
        if self._minutes is not None:
            self._minutes.close()

    def get(self, cid: str) -> Rollup | None:
        """Return the rollup of a chunk, None where it is not kept or damaged."""
        if self._minutes is None:
            return None
        try:
            found = self._minutes.get(cid)
        except ConfigError:
            return None
        if found is None:
            return None
        if any(bool(data) != (kind in NUMBERS) for kind, data in found.values()):
            return None
        kinds = {name: kind for name, (kind, _) in found.items()}
        return Rollup(kinds, {name: data for name, (_, data) in found.items() if data})

    def put(self, made: Iterable[tuple[str, Rollup]]) -> None:
        """Keep rollups by their CIDs, where that can be done; they are only copies."""
        if self._minutes is None:
            return
        rows = {
            cid: {name: (kind, each.parts.get(name, b"")) for name, kind in each.kinds.items()}
            for cid, each in made
        }
        try:
            self._minutes.put(rows)
        except ConfigError:  # a full disk, or a home that is only read
            return


def within(found: Summary, since_us: int | None, until_us: int | None) -> Summary | None:
    """Return the buckets of a range, None where there are none."""
    from twincli.model.batch import load_numpy

    np = load_numpy()
    wanted = np.ones(len(found.begins), dtype=bool)
    if since_us is not None:
        wanted &= found.begins >= since_us
    if until_us is not None:
        wanted &= found.begins < until_us
    return _taken(found, wanted)


def good(found: Summary) -> Summary | None:
    """Return the buckets that have good readings, None where there are none."""
    return _taken(found, found.counts > 0)


def _taken(found: Summary, wanted: Any) -> Summary | None:
    from twincli.analysis import exact

    if wanted.all():
        return found
    if not wanted.any():
        return None
    return found._replace(
        **{
            name: exact.take(value, wanted) if name in {"sums", "squares"} else value[wanted]
            for name, value in found._asdict().items()
        }
    )


def has_suspects(found: Summary) -> bool:
    """Say whether any reading of them is suspect."""
    return bool(found.suspects.any())


def are_minutes(times_us: Collection[int | None]) -> bool:
    """Say whether all of these are whole minutes, as far as there are any."""
    return all(time_us is None or time_us % MINUTE_US == 0 for time_us in times_us)
