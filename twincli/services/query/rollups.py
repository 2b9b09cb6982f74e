"""Rollups: summaries of the minutes of each chunk, kept by its CID and made again when missing.

A chunk never changes under its CID, so a rollup is never stale. One file a chunk: a line of JSON
that says which series there are, then their summaries, one after the other.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from twincli import files
from twincli.analysis import buckets, packing, summary
from twincli.errors import ConfigError
from twincli.model import reading
from twincli.model.batch import load_numpy
from twincli.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from twincli.analysis.summary import Summary
    from twincli.content.chunks import Chunk

VERSION = 1
NUMBERS = frozenset(("f64", "i64"))


class Rollup(NamedTuple):
    """What is known of a chunk without reading it.

    Attributes:
        kinds: The kind of each of its series.
        parts: Where the summary of each series of numbers begins and ends.
        data: Their bytes.
    """

    kinds: dict[str, str]
    parts: dict[str, tuple[int, int]]
    data: bytes

    def summary(self, name: str) -> Summary:
        """Return the minutes of a series.

        Raises:
            ValueError: The bytes were damaged.
        """
        begin, end = self.parts[name]
        return packing.unpack(self.data[begin:end])


def made(chunk: Chunk) -> Rollup:
    """Return the rollup of a chunk, all of which is given."""
    parts: dict[str, tuple[int, int]] = {}
    data = b""
    for series in chunk.series:
        if series.kind in NUMBERS:
            packed = packing.pack(
                summary.summarise(
                    series.time,
                    series.values,
                    buckets.begins(series.time, buckets.MINUTE_US),
                    series.suspect,
                )
            )
            parts[series.name] = (len(data), len(data) + len(packed))
            data += packed
    return Rollup(dict(chunk.about.kinds), parts, data)


class Rollups:
    """The rollups in one directory.

    Args:
        directory: Path, made when the first one comes; None: none are kept.
    """

    def __init__(self, directory: str | None) -> None:
        self.directory = directory

    def get(self, cid: str) -> Rollup | None:
        """Return the rollup of a chunk, None where it is not kept or damaged."""
        if self.directory is None:
            return None
        try:
            with open(self._path(cid), "rb") as file:
                whole = file.read()
        except OSError:
            return None
        head, line, data = whole.partition(b"\n")
        try:
            told: Any = json.loads(head)
            if not line or told["v"] != VERSION or told["cid"] != cid:
                return None
            parts = {name: (int(begin), int(end)) for name, (begin, end) in told["parts"].items()}
            kinds = dict(told["kinds"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        if not set(kinds.values()) <= set(reading.KINDS) or not _is_whole(parts, len(data)):
            return None
        return Rollup(kinds, parts, data)

    def put(self, cid: str, rollup: Rollup) -> None:
        """Keep a rollup, where that can be done; it is only a copy."""
        if self.directory is None:
            return
        head = json.dumps(
            {"v": VERSION, "cid": cid, "kinds": rollup.kinds, "parts": rollup.parts},
            separators=(",", ":"),
        )
        path = self._path(cid)
        try:
            files.make_directory(os.path.dirname(path))
            files.replace(path, head.encode() + b"\n" + rollup.data, durable=False)
        except ConfigError:  # a full disk, or a home that is only read
            return

    def _path(self, cid: str) -> str:
        assert self.directory is not None
        return os.path.join(self.directory, cid[-2:], cid)


def _is_whole(parts: Mapping[str, tuple[int, int]], size: int) -> bool:
    return all(0 <= begin < end <= size for begin, end in parts.values()) and size == max(
        (end for _, end in parts.values()), default=0
    )


def within(found: Summary, since_us: int | None, until_us: int | None) -> Summary | None:
    """Return the buckets of a range, None where there are none."""
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
    return all(time_us is None or time_us % buckets.MINUTE_US == 0 for time_us in times_us)
