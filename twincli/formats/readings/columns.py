r"""JSON Lines as columns: what `jsonl.read` gives for lines that are alike, faster.

At the first doubt (a member that is not what the others are, a unit, a time without a zone, a
``\u`` escape) there is no answer, and `jsonl.read` has to say what is wrong where.
"""

from __future__ import annotations

import json
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from twincli.errors import InvalidError
from twincli.model import batch as batches
from twincli.model import reading, times
from twincli.model.batch import Batch, Column, Labels, load_numpy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twincli.model.batch import Array

    Row = tuple[tuple[str, Any], ...]

MAX_SHAPES = 32
"""Different sets of members in one batch."""

_ABOUT = ("timestamp", "source", "seq", "quality")
_NOT_HERE = frozenset(("stream", "unit", "deviceId", "data", "readings"))
_KINDS = {float: "f64", int: "i64", bool: "bool", str: "text"}
_TYPES = {"f64": "float64", "i64": "int64", "bool": "bool", "text": "object"}
_EMPTY = {"f64": 0.0, "i64": 0, "bool": False, "text": ""}
_EXACT = 1 << 53
_DEGREES = {"latitude": 90, "longitude": 180}
_NUMBERS = ("latitude", "longitude", "altitude", "accuracy")


class _DoubtError(Exception):
    """It has to be read line by line."""


def _constant(_text: str) -> Any:
    raise _DoubtError


_NAME, _VALUE = itemgetter(0), itemgetter(1)

_scan = json.JSONDecoder(object_pairs_hook=tuple, parse_constant=_constant).scan_once  # type: ignore[attr-defined]
"""Reads a value; an object becomes a tuple of pairs, so that no name is lost."""


def read(data: bytes, stream: str, known: Mapping[str, str]) -> Batch | None:
    """Return the observations of lines, or None where `jsonl.read` has to look at them.

    Args:
        data: Lines of UTF-8, each with its end; without a byte order mark.
        stream: The stream that the readings are for.
        known: What each path of the stream holds already.
    """
    import gc

    was_enabled = gc.isenabled()
    gc.disable()  # it would look through the many small tuples again and again
    try:
        return _read(_parsed(data), stream, known)
    except (_DoubtError, InvalidError):
        return None
    finally:
        if was_enabled:
            gc.enable()


def _parsed(data: bytes) -> list[Row]:
    try:
        text = data.decode()
        if "\\u" in text or text.count("\r") != text.count("\r\n"):
            raise _DoubtError
        lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
        found = [_scan(line, 0) for line in lines]
    except (ValueError, StopIteration, RecursionError):
        raise _DoubtError from None
    rows = [row for row, _ in found]
    if [end for _, end in found] != [len(line) for line in lines] or {*map(type, rows)} != {tuple}:
        raise _DoubtError
    return rows


def _read(rows: list[Row], stream: str, known: Mapping[str, str]) -> Batch:
    np = load_numpy()
    count = len(rows)
    about: dict[str, list[tuple[Array, list[Any]]]] = {}
    values: dict[str, list[tuple[Array, list[Any]]]] = {}
    for at, same in _shapes(rows):
        members = _members(same)
        for name in _ABOUT:
            if name in members:
                given = members.pop(name)
                if isinstance(given, dict):  # an object is none of these
                    raise _DoubtError
                about.setdefault(name, []).append((at, given))
        for path, leaf in _leaves(members).items():
            values.setdefault(path, []).append((at, leaf))
    columns = []
    for path, parts in values.items():
        column = _column(f"{stream}.{path}", parts, count, known.get(path))
        if column is not None:
            columns.append(column)
    there = np.zeros(count, dtype=bool)
    for column in columns:
        there |= True if column.valid is None else column.valid
    if not there.all():
        raise _DoubtError
    return Batch(
        _whole(_time, about.get("timestamp"), count, "int64", None),
        _labels(about.get("source"), count, reading.MAX_SOURCE, ""),
        _whole(_seq, about.get("seq"), count, "int64", 0),
        _labels(about.get("quality"), count, reading.MAX_QUALITY, reading.GOOD),
        tuple(columns),
    )


def _shapes(rows: list[Row]) -> list[tuple[Array, list[Row]]]:
    """Return the rows that have the same members, and where they are."""
    np = load_numpy()
    first = rows[0]
    if all(map(len(first).__eq__, map(len, rows))) and all(
        [*map(_NAME, cells)].count(cells[0][0]) == len(rows) for cells in zip(*rows, strict=True)
    ):
        return [(np.arange(len(rows)), rows)]
    names = [tuple([name for name, _ in row]) for row in rows]
    found: dict[tuple[str, ...], list[int]] = {}
    for at, shape in enumerate(names):
        found.setdefault(shape, []).append(at)
    if len(found) > MAX_SHAPES:
        raise _DoubtError
    return [(np.array(at), [rows[row] for row in at]) for at in found.values()]


def _members(rows: list[Row]) -> dict[str, Any]:
    """Return the members of objects that have the same ones: a list each, or members again."""
    names = [name for name, _ in rows[0]]
    if len({*names}) < len(names) or not names:
        raise _DoubtError
    found: dict[str, Any] = {}
    for name, cells in zip(names, zip(*rows, strict=True), strict=True):
        values = [*map(_VALUE, cells)]
        types = {*map(type, values)}
        if types == {tuple}:
            inner = {tuple([each for each, _ in value]) for value in values}
            if len(inner) > 1:
                raise _DoubtError
            found[name] = _members(values)
        elif types - {*_KINDS, type(None)}:
            raise _DoubtError
        else:
            found[name] = values
    return found


def _leaves(members: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the values of each path, by the names that `reading` gives them."""
    if _NOT_HERE & members.keys():
        raise _DoubtError
    given: list[list[Any]] = []

    def probe(inner: dict[str, Any]) -> dict[str, Any]:
        if inner.keys() == {"value", "unit"}:
            raise _DoubtError
        made: dict[str, Any] = {}
        for name, each in inner.items():
            if isinstance(each, dict):
                made[name] = probe(each)
            else:
                given.append(each)
                made[name] = 0.0
        return made

    # What reading says of these names; it keeps their order.
    paths = [*reading.flatten(probe(members))]
    if len(paths) != len(given):
        raise _DoubtError
    found = dict(zip(paths, given, strict=True))
    doubles: set[str] = set()
    for path, values in found.items():
        outer, dot, name = path.rpartition(".")
        if name not in _DEGREES or not {f"{outer}{dot}{each}" for each in _DEGREES} <= {*found}:
            continue
        if not all(-_DEGREES[name] <= value <= _DEGREES[name] for value in _doubles(values)):
            raise _DoubtError
        doubles |= {f"{outer}{dot}{each}" for each in _NUMBERS}
    return {path: _doubles(values) if path in doubles else values for path, values in found.items()}


def _doubles(values: list[Any]) -> list[float]:
    if not {*map(type, values)} <= {float, int}:
        raise _DoubtError
    made = [*map(float, values)]
    if any(abs(value) >= _EXACT for value in made):
        raise _DoubtError
    return made


def _column(
    series: str, parts: list[tuple[Array, list[Any]]], count: int, known: str | None
) -> Column | None:
    np = load_numpy()
    types = {kind for _, values in parts for kind in map(type, values)} - {type(None)}
    if not types:
        return None
    if len(types) > 1 and types != {int, float}:
        raise _DoubtError
    kind = "f64" if float in types else _KINDS[types.pop()]
    if kind != (known or kind):
        if (known, kind) != ("f64", "i64"):
            raise _DoubtError
        kind = "f64"
    made = np.full(count, _EMPTY[kind], dtype=_TYPES[kind])
    valid = np.zeros(count, dtype=bool)
    for at, given in parts:
        where, values = at, given
        if None in given:
            some = [row for row, value in enumerate(given) if value is not None]
            where, values = at[some], [given[row] for row in some]
        if not values:
            continue
        try:
            numbers = np.array(values, dtype=_TYPES[kind])
        except OverflowError:
            raise _DoubtError from None
        if kind == "text" and max(map(len, values)) > reading.MAX_TEXT:
            raise _DoubtError
        if kind == "f64":
            # Whole numbers that a double may not hold, and what is not finite.
            is_large = not (np.abs(numbers) < _EXACT).all()
            if is_large and (int in {*map(type, values)} or not np.isfinite(numbers).all()):
                raise _DoubtError
        made[where] = numbers
        valid[where] = True
    return Column(series, kind, made, None if valid.all() else valid)


def _whole(
    read: Any, parts: list[tuple[Array, list[Any]]] | None, count: int, dtype: str, absent: Any
) -> Array:
    np = load_numpy()
    made = np.zeros(count, dtype=dtype)
    seen = 0
    for at, values in parts or ():
        made[at] = read(values)
        seen += len(at)
    if seen < count and absent is None:
        raise _DoubtError
    return made


def _seq(values: list[Any]) -> Array:
    np = load_numpy()
    if {*map(type, values)} != {int}:
        raise _DoubtError
    try:
        made = np.array(values, dtype="int64")
    except OverflowError:
        raise _DoubtError from None
    if made.min() < 0:
        raise _DoubtError
    return made


def _labels(
    parts: list[tuple[Array, list[Any]]] | None, count: int, longest: int, absent: str
) -> Labels:
    if parts is None:
        return batches.same_label(absent, count)
    texts = [absent] * count
    for at, values in parts:
        distinct = {*values}
        if {*map(type, distinct)} != {str} or max(map(len, distinct)) > longest:
            raise _DoubtError
        for row, value in zip(at.tolist(), values, strict=True):
            texts[row] = value or absent
    return batches.labels(texts)


# --- Times ---------------------------------------------------------------------------------------


def _time(values: list[Any]) -> Array:
    """Return times as microseconds; see `times.to_microseconds`."""
    np = load_numpy()
    types = {*map(type, values)}
    if types == {int}:
        made = np.array([times.to_microseconds(value) for value in values], dtype="int64")
    elif types != {str}:
        raise _DoubtError
    else:
        lengths = [*map(len, values)]
        if lengths.count(lengths[0]) == len(lengths):
            made = _moments("".join(values), len(values), lengths[0])
        else:
            made = np.zeros(len(values), dtype="int64")
            for length in {*lengths}:
                at = [row for row, each in enumerate(lengths) if each == length]
                made[at] = _moments("".join([values[row] for row in at]), len(at), length)
    if made.min() < times.EARLIEST_US or made.max() > times.LATEST_US:
        raise _DoubtError
    return made


_SEPARATORS = ((4, "-"), (7, "-"), (13, ":"), (16, ":"))
_DIGITS = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)


def _moments(text: str, count: int, length: int) -> Array:
    """Return times of one length, all in the usual form of RFC 3339."""
    np = load_numpy()
    if length < 20 or not text.isascii():
        raise _DoubtError
    marks = np.frombuffer(text.encode(), dtype=np.uint8).reshape(count, length)
    end = length - 1 if text[length - 1] == "Z" else length - 6
    fraction = tuple(range(20, end))
    digits = [*_DIGITS, *fraction]
    separators = [*_SEPARATORS, *(((19, "."),) if end > 19 else ())]
    is_zoned = end == length - 6
    if is_zoned:
        digits += [end + 1, end + 2, end + 4, end + 5]
        separators.append((end + 3, ":"))
    else:
        separators.append((end, "Z"))
    numbers = marks[:, digits] - np.uint8(48)
    if (
        not (end == 19 or 21 <= end <= 26)
        or (numbers > 9).any()
        or any((marks[:, at] != ord(mark)).any() for at, mark in separators)
        or not ((marks[:, 10] == ord("T")) | (marks[:, 10] == ord(" "))).all()
    ):
        raise _DoubtError
    parts = numbers.astype(np.int64)

    def number(*at: int) -> Array:
        made = parts[:, at[0]]
        for each in at[1:]:
            made = made * 10 + parts[:, each]
        return made

    year, month, day = number(0, 1, 2, 3), number(4, 5), number(6, 7)
    hour, minute, second = number(8, 9), number(10, 11), number(12, 13)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    if (
        (year < 1).any()
        or (month < 1).any()
        or (month > 12).any()
        or (day < 1).any()
        or (day > last[month] + (leap & (month == 2))).any()
        or (hour > 23).any()
        or (minute > 59).any()
        or (second > 59).any()
    ):
        raise _DoubtError
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    made = seconds * 1_000_000
    if fraction:
        places = range(14, 14 + len(fraction))
        made = made + number(*places) * 10 ** (6 - len(fraction))
    if is_zoned:
        sign = marks[:, end]
        first = 14 + len(fraction)
        ahead, beside = number(first, first + 1), number(first + 2, first + 3)
        if (
            not ((sign == ord("+")) | (sign == ord("-"))).all()
            or ((ahead > 23) | (beside > 59)).any()
        ):
            raise _DoubtError
        offset = (ahead * 60 + beside) * 60_000_000
        made = made - np.where(sign == ord("+"), offset, -offset)
    return made


def _days(year: Array, month: Array, day: Array) -> Array:
    """Return days since 1970 of dates of the Gregorian calendar; a year begins in March."""
    np = load_numpy()
    year = year - (month <= 2)
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * np.where(month > 2, month - 3, month + 9) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
