"""Chunks that somebody else wrote: opened in a child process with limits, and written again here.

A Parquet file is code's most tempting input: a crafted one may crash its reader, or cost more than
it weighs. So it is opened by a process that may use little memory, little time and no other file;
its footer has to say what the signed manifest says; and what it holds comes back as plain arrays,
which are checked again. If the child dies, the chunk is refused and nothing else happens. The CID
of the original stays the one that is anchored; what was written again is a cache.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from twincli.content import chunks
from twincli.content.chunks import About, Chunk, Series
from twincli.errors import ConfigError, InvalidError, cut
from twincli.model import reading, times
from twincli.model.batch import Labels, load_numpy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twincli.model.batch import Array
    from twincli.model.manifest import Entry

SECONDS = 20
MEMORY_BYTES = 2 << 30
"""Address space of the child; DuckDB reserves more than it uses."""
ENGINE_MEMORY = "512MB"
MAX_SERIES = 1000
MAX_OUTPUT = 1 << 28
"""Bytes that a child may answer."""

_HEAD = 1 << 20


def read(
    path: str,
    entry: Entry,
    stream: str,
    seconds: float = SECONDS + 10,
    *,
    inherited: Sequence[int] = (),
) -> Chunk:
    """Return what a foreign chunk holds, checked.

    Args:
        path: The file, whose CID was checked.
        entry: What the signed manifest says about it.
        stream: The stream it belongs to.
        seconds: How long it may take.
        inherited: Descriptors that the child gets, for a file that only they lead to.

    Raises:
        InvalidError: ``invalid_chunk``, with the reason.
        ConfigError: ``missing_extra``.
    """
    chunks.load_duckdb()
    load_numpy()
    job = {"path": path, "rows": entry.rows, "size": entry.size}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "twincli.content.opening"],
            input=json.dumps(job).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
            env={},
            pass_fds=inherited,
        )
    except subprocess.TimeoutExpired:
        raise _refused("reading it took too long") from None
    except OSError as error:
        raise ConfigError(
            f"cannot start a process to read a chunk: {error.strerror}", code="cannot_start"
        ) from error
    if done.returncode != 0:
        raise _refused("the process that read it died")
    return checked(done.stdout, entry, stream)


def checked(answer: bytes, entry: Entry, stream: str) -> Chunk:
    """Return the readings of a child's answer: a line of JSON, then arrays.

    Raises:
        InvalidError: ``invalid_chunk``.
    """
    try:
        return _checked(answer, entry, stream)
    except ConfigError as error:
        raise _refused("its metadata is not that of a chunk") from error
    except InvalidError as error:
        raise _refused(error.message) if error.code != "invalid_chunk" else error from None
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise _refused("what was read from it makes no sense") from error


def _refused(why: str) -> InvalidError:
    return InvalidError(
        f"a chunk is refused: {why}",
        code="invalid_chunk",
        hint="its bytes are as they were signed; only its maker can correct them",
    )


def _checked(answer: bytes, entry: Entry, stream: str) -> Chunk:
    np = load_numpy()
    head, line, body = answer[:_HEAD].partition(b"\n")
    if not line:
        raise _refused("what was read from it makes no sense")
    said = json.loads(head)
    body = answer[len(head) + 1 :]
    if "refused" in said:
        raise _refused(cut(str(said["refused"])))
    about = chunks.read_about(said["about"].encode(), "a foreign chunk")
    if about.stream != stream:
        raise _refused(f"it belongs to the stream {cut(repr(about.stream))}")
    series, at, rows = [], 0, 0
    for told in said["series"]:
        count, kind, name = int(told["count"]), told["kind"], told["name"]
        if about.kinds.get(name) != kind or not name.startswith(f"{stream}."):
            raise _refused(f"its series {cut(repr(name))} is not of its stream")
        if not 0 < count <= entry.rows:
            raise _refused("its number of rows is wrong")
        columns: dict[str, Array] = {}
        for column in ("time", "seq", "quality", "source", "values"):
            dtype = np.dtype(_DTYPES[column] or _DTYPES[kind])
            columns[column] = np.frombuffer(body, dtype, count, at).copy()
            at += count * dtype.itemsize
        if kind in {"text", "list"}:
            columns["values"] = _texts(told["texts"], columns["values"])
        made = Series(
            name,
            kind,
            columns["time"],
            columns["values"],
            _labels(told["qualities"], columns["quality"], reading.MAX_QUALITY),
            _labels(told["sources"], columns["source"], reading.MAX_SOURCE),
            columns["seq"],
        )
        _check(made, entry)
        series.append(made)
        rows += count
    names = [each.name for each in series]
    if rows != entry.rows or at != len(body) or sorted(set(names)) != names:
        raise _refused("its number of rows is wrong")
    if set(names) != about.kinds.keys():
        raise _refused("it names series that it does not have")
    first = min(int(each.time[0]) for each in series)
    last = max(int(each.time[-1]) for each in series)
    if (first, last) != (entry.first_us, entry.last_us):
        raise _refused("its times are not those of its anchor")
    return Chunk(_plain(about), tuple(series))


_DTYPES = {
    "time": "<i8",
    "seq": "<i8",
    "quality": "<i4",
    "source": "<i4",
    "values": "",
    "f64": "<f8",
    "i64": "<i8",
    "bool": "?",
    "text": "<i4",
    "list": "<i4",
}


def _plain(about: About) -> About:
    """Return what it says, its units only where they are short texts of its series."""

    def short(units: Mapping[str, Any]) -> dict[str, str]:
        return {
            name: unit
            for name, unit in units.items()
            if name in about.kinds and isinstance(unit, str) and len(unit) <= reading.MAX_QUALITY
        }

    return About(about.stream, dict(about.kinds), short(about.units), short(about.given))


def _labels(names: list[str], codes: Array, most: int) -> Labels:
    if not all(len(name.encode()) <= 4 * most and len(name) <= most for name in names):
        raise _refused("a text of it is too long")
    if sorted(set(names)) != names or any("\0" in name for name in names):
        raise _refused("what was read from it makes no sense")
    if len(codes) and not (codes.min() >= 0 and codes.max() < len(names)):
        raise _refused("what was read from it makes no sense")
    return Labels(tuple(names), codes)


def _texts(texts: list[str], codes: Array) -> Array:
    np = load_numpy()
    return np.array(_labels(texts, codes, reading.MAX_TEXT).names, dtype=object)[codes]


def _check(series: Series, entry: Entry) -> None:
    np = load_numpy()
    path = series.name.partition(".")[2]
    reading.check_path(path)
    time = series.time
    source, seq = series.source.codes, series.seq  # codes are in the order of their texts
    later = time[1:] > time[:-1]
    same = time[1:] == time[:-1]
    more = source[1:] > source[:-1]
    next_one = (source[1:] == source[:-1]) & (seq[1:] > seq[:-1])
    if not (later | (same & (more | next_one))).all():
        raise _refused(f"{cut(series.name)} has a reading twice")
    if time[0] < max(entry.first_us, times.EARLIEST_US) or (
        time[-1] > min(entry.last_us, times.LATEST_US)
    ):
        raise _refused(f"{cut(series.name)} has times outside those of its anchor")
    if (series.seq < 0).any():
        raise _refused(f"{cut(series.name)} has a negative seq")
    if series.kind == "f64" and not np.isfinite(series.values).all():
        raise _refused(f"{cut(series.name)} has a value that is not finite")
    if series.kind == "list":
        for text in set(series.values.tolist()):
            value = json.loads(text)
            if not isinstance(value, list) or reading.list_text(path, value) != text:
                raise _refused(f"{cut(series.name)} has a list that is not one")
