"""Readings: one measured value each, and observations: the readings that were taken together.

A GPS fix, or any object that a device sends, is one observation. Its leaves are readings that
share time, source and sequence number; the series of each is the stream and the path of the leaf:
``location.latitude``, ``location.metadata.speed``. An array is one leaf, kept as JSON. ``nest``
puts the leaves together again.

A reading is identified by (series, source, time, seq). The same with the same value is a repeat;
with another value it is a conflict.
"""

from __future__ import annotations

import json

from twincli.errors import ConflictError, InvalidError, cut, shown
from twincli.model import times
from twincli.model.edits import split_path, type_name
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import tzinfo

    from twincli.model.template import Field

GOOD = "good"
"""The quality of a reading of which nothing else is said; any other is suspect."""
SUSPECT = "suspect"

RESERVED_LEAVES = frozenset({"timestamp", "stream", "source", "quality", "unit", "seq"})
"""These members of an observation say something about it and are not leaves."""

KINDS = ("f64", "i64", "text", "bool", "list")
"""Kinds of a series; a list is kept in the text column, as JSON."""

MAX_LEAVES = 1000
MAX_DEPTH = 32
MAX_PATH = 200
MAX_TEXT = 65_536
MAX_SOURCE = 200
MAX_QUALITY = 40

_I64 = 1 << 63
_EXACT = 1 << 53
UNSET_CLOCK_US = 366 * 86_400_000_000

_ALIASES = {"lat": "latitude", "lng": "longitude", "lon": "longitude"}
_PAIR = {"latitude": 90, "longitude": 180}
# Beside latitude and longitude these are numbers, too.
_WITH_PAIR = ("altitude", "accuracy")
_UNDER_DATA = frozenset({"data", "metadata"})
_DEVICE = frozenset({"deviceId", "readings"})

_KIND_OF_TYPE = {
    "number": "f64",
    "duration": "f64",
    "integer": "i64",
    "text": "text",
    "datetime": "text",
    "enum": "text",
    "boolean": "bool",
    "list": "list",
}


class Observation(NamedTuple):
    """What was read at one time.

    Attributes:
        leaves: Values by dotted path: float, int, str, bool, or a list.
        time_us: When, microseconds since the epoch; None: not said.
        source: Who or what read it; empty: not said.
        seq: The number that the source gave it.
        quality: ``good``, or what is doubted.
        units: Paths of values beside which a unit was written, each with it.
        stream: The stream it says it belongs to, or None.
    """

    leaves: dict[str, Any]
    time_us: int | None = None
    source: str = ""
    seq: int = 0
    quality: str = GOOD
    units: tuple[tuple[str, str], ...] = ()
    stream: str | None = None

    @property
    def identity(self) -> tuple[int | None, str, int]:
        """What the readings of this observation share: time, source, seq."""
        return self.time_us, self.source, self.seq


def parse(value: Any, *, zone: tzinfo | None = None) -> Observation:
    """Return the observation that a JSON value means.

    Understood are ``{"timestamp": ..., NAME: VALUE ...}``, ``{"value": 23.5, "unit": "C"}``, a
    value that is not an object (its leaf is ``value``), ``{deviceId, timestamp, readings,
    quality}``, and ``{data, source, metadata}``, where the time may stand in ``data``.

    Args:
        value: As it was decoded.
        zone: What times without a zone are in; None refuses them.

    Raises:
        InvalidError: ``invalid_reading`` (no leaves, too many, a member that does not belong),
            ``invalid_value`` (not finite, beyond 64 bits, not on the earth),
            ``incomplete_coordinates``, ``bad_time``, ``no_zone``, ``empty_segment``,
            ``invalid_name``, ``reserved_key``, ``not_an_object``.
    """
    if not isinstance(value, dict):
        return _observation({"value": value}, {}, zone)
    about = {name: value[name] for name in RESERVED_LEAVES if name in value}
    rest = {name: item for name, item in value.items() if name not in RESERVED_LEAVES}
    if rest.keys() == _DEVICE:
        device, readings = rest["deviceId"], rest["readings"]
        about.setdefault("source", device)
        return _observation(_members(readings), about, zone)
    if "data" in rest and rest.keys() <= _UNDER_DATA and isinstance(rest["data"], dict):
        inner = dict(rest["data"])
        for name in RESERVED_LEAVES & inner.keys():
            if name in about:
                raise InvalidError(
                    f"{name} stands both in data and beside it", code="invalid_reading"
                )
            about[name] = inner.pop(name)
        if rest.get("metadata") is not None:
            if "metadata" in inner:
                raise InvalidError(
                    "metadata stands both in data and beside it", code="invalid_reading"
                )
            inner["metadata"] = rest["metadata"]
        return _observation(inner, about, zone)
    return _observation(rest, about, zone)


def _members(readings: Any) -> dict[str, Any]:
    return readings if isinstance(readings, dict) else {"value": readings}


def _observation(
    members: Mapping[str, Any], about: Mapping[str, Any], zone: tzinfo | None
) -> Observation:
    units: dict[str, str] = {}
    leaves = _flatten(members, units)
    if about.get("unit") is not None:
        if "value" not in leaves:
            raise InvalidError(
                "a unit belongs to a value, and there is none",
                code="invalid_reading",
                hint='write {"value": 23.5, "unit": "C"}',
            )
        units["value"] = _text("unit", about["unit"], MAX_QUALITY)
    if not leaves:
        raise InvalidError("there is nothing to read in it", code="invalid_reading")
    time = about.get("timestamp")
    stream = about.get("stream")
    return Observation(
        _located(leaves),
        None if time is None else times.to_microseconds(time, zone),
        _source(about.get("source")),
        _seq(about.get("seq")),
        GOOD
        if about.get("quality") is None
        else _text("quality", about["quality"], MAX_QUALITY) or GOOD,
        tuple(units.items()),
        None if stream is None else _text("stream", stream, MAX_PATH),
    )


def _text(name: str, value: Any, most: int) -> str:
    if not isinstance(value, str) or len(value) > most or not _is_clean(value):
        raise InvalidError(
            f"{name}: {shown(value)} is not a text of at most {most} characters",
            code="invalid_reading",
        )
    return value


def _source(value: Any) -> str:
    if type(value) is int and -_I64 <= value < _I64:  # a device may be a number
        return str(value)
    return "" if value is None else _text("source", value, MAX_SOURCE)


def _seq(value: Any) -> int:
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value < _I64:
        raise InvalidError(
            f"seq: {shown(value)} is not a whole number from 0 to 2^63 - 1", code="invalid_reading"
        )
    return value


# --- Leaves ------------------------------------------------------------------------------------


def flatten(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the leaves of an object by dotted path; null is not a leaf.

    Raises:
        InvalidError: See `parse`.
    """
    return _located(_flatten(members, {}))


def check_path(path: str) -> tuple[str, ...]:
    """Return the names in the path of a value; whether others must stand beside it is not asked.

    Raises:
        InvalidError: ``invalid_name``, or as ``split_path``.
    """
    if len(path) > MAX_PATH:
        raise InvalidError(f"{cut(path)} is longer than {MAX_PATH} characters", code="invalid_name")
    names = split_path(path)
    if not _is_clean(path):
        raise InvalidError(f"{path!r} is not a name", code="invalid_name")
    return names


def _flatten(members: Mapping[str, Any], units: dict[str, str]) -> dict[str, Any]:
    """Return the leaves; a dot in a name nests like an object."""
    leaves: dict[str, Any] = {}
    inner: set[str] = set()
    todo: list[tuple[str, Any, int]] = [
        (name, value, 1) for name, value in reversed(list(members.items()))
    ]
    while todo:
        path, value, depth = todo.pop()
        if value is None:
            continue
        if isinstance(value, dict) and not _is_quantity(value):
            if depth >= MAX_DEPTH:
                raise InvalidError(
                    f"{cut(path)} nests deeper than {MAX_DEPTH}", code="invalid_reading"
                )
            todo += [(f"{path}.{name}", value[name], depth + 1) for name in reversed(value)]
            continue
        names = check_path(path)
        if path in leaves or path in inner:
            raise InvalidError(f"{path} is given twice", code="invalid_reading")
        for length in range(1, len(names)):
            outer = ".".join(names[:length])
            if outer in leaves:
                raise InvalidError(
                    f"{path!r}: {outer!r} is {type_name(leaves[outer])}, so nothing can nest in it",
                    code="not_an_object",
                )
            inner.add(outer)
        if isinstance(value, dict):
            units[path] = _text(f"{path}.unit", value["unit"], MAX_QUALITY)
            value = value["value"]
        leaves[path] = _checked(path, value)
        if len(leaves) > MAX_LEAVES:
            raise InvalidError(
                f"an observation has at most {MAX_LEAVES} values", code="invalid_reading"
            )
    return leaves


def _is_quantity(value: Mapping[str, Any]) -> bool:
    return value.keys() == {"value", "unit"} and type(value["value"]) in {int, float}


def _checked(path: str, value: Any) -> Any:
    if type(value) is float and not -float("inf") < value < float("inf"):
        raise _wrong(path, value, "a finite number")
    if type(value) is int and not -_I64 <= value < _I64:
        raise _wrong(path, value, "a number of at most 64 bits")
    if isinstance(value, (list, tuple)):
        encoded = list_text(path, value)
        if len(encoded) > MAX_TEXT:
            raise _wrong(path, value, f"at most {MAX_TEXT} characters of JSON")
        return list(value)
    if isinstance(value, str) and (len(value) > MAX_TEXT or not _is_clean(value)):
        raise _wrong(path, value, f"a text of at most {MAX_TEXT} characters without NUL")
    return value


def _is_clean(text: str) -> bool:
    """Say whether a text has neither NUL nor half of a surrogate pair."""
    if "\0" in text:
        return False
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        return False
    return True


def list_text(path: str, value: Any) -> str:
    """Return a list as the JSON text that a chunk keeps.

    Raises:
        InvalidError: ``invalid_value``: a number in it is not finite, or it nests too deep.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
        return text
    except (ValueError, RecursionError):  # UnicodeEncodeError is a ValueError
        raise _wrong(path, value, "a list of JSON values") from None


def _wrong(path: str, value: Any, right: str) -> InvalidError:
    return InvalidError(f"{path}: {shown(value)} is not {right}", code="invalid_value")


def _located(leaves: dict[str, Any]) -> dict[str, Any]:
    """Check every pair of coordinates; the names lat, lng and lon become long where both stand."""
    places: dict[str, dict[str, str]] = {}
    for path in leaves:
        outer, dot, name = path.rpartition(".")
        long = _ALIASES.get(name, name)
        if long in _PAIR:
            given = places.setdefault(outer + dot, {})
            if long in given:
                raise InvalidError(f"{outer + dot}{long} is given twice", code="invalid_reading")
            given[long] = name
    renamed: dict[str, str] = {}
    for prefix, given in places.items():
        if len(given) == 2:
            renamed |= {prefix + name: prefix + long for long, name in given.items()}
        elif given.keys() & set(given.values()):  # a lone lat or lon may mean anything
            (there,) = given
            absent = next(name for name in _PAIR if name != there)
            raise InvalidError(
                f"{prefix}{there} has no {absent}",
                code="incomplete_coordinates",
                hint=f"give both, as in --{prefix}latitude 40.7 --{prefix}longitude -74.0",
            )
    if not renamed:
        return leaves
    made = {renamed.get(path, path): value for path, value in leaves.items()}
    for path in renamed.values():
        outer, dot, name = path.rpartition(".")
        made[path] = _degrees(path, made[path], _PAIR[name])
        for beside in _WITH_PAIR:
            if outer + dot + beside in made:
                made[outer + dot + beside] = _double(
                    outer + dot + beside, made[outer + dot + beside]
                )
    return made


def _degrees(path: str, value: Any, most: int) -> float:
    number = _double(path, value)
    if not -most <= number <= most:
        raise _wrong(path, value, f"between -{most} and {most} degrees")
    return number


def _double(path: str, value: Any) -> float:
    if type(value) not in {int, float}:
        raise _wrong(path, value, "a number")
    if type(value) is int and not -_EXACT <= value <= _EXACT:
        raise _wrong(path, value, "a whole number that a double holds")
    return float(value)


def nest(leaves: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object whose leaves these are, by dotted path."""
    made: dict[str, Any] = {}
    for path, value in leaves:
        names = path.split(".")
        inner = made
        for name in names[:-1]:
            inner = inner.setdefault(name, {})
        inner[names[-1]] = value
    return made


# --- Kinds -------------------------------------------------------------------------------------


def kind_of(value: Any) -> str:
    """Return the kind of a leaf."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "i64"
    if isinstance(value, float):
        return "f64"
    return "text" if isinstance(value, str) else "list"


def kinds_of_fields(fields: Mapping[str, Field], prefix: str = "") -> dict[str, str]:
    """Return the kind of each path that a template fixes.

    Args:
        fields: Fields of a template; a coordinates field is its latitude, longitude, altitude
            and accuracy.
        prefix: Put before every path.
    """
    found: dict[str, str] = {}
    for name, field in fields.items():
        path = prefix + name
        if field.type == "coordinates":
            found |= {f"{path}.{part}": "f64" for part in (*_PAIR, *_WITH_PAIR)}
        elif field.type == "object":
            found |= kinds_of_fields(field.fields or {}, f"{path}.")
        else:
            found[path] = _KIND_OF_TYPE[field.type]
    return found


def settle(path: str, value: Any, kind: str | None) -> tuple[Any, str]:
    """Return a leaf as its series keeps it, and the kind of the series.

    Args:
        path: Of the leaf, for the error.
        value: The leaf.
        kind: What the series is already; None: this is its first reading, which decides.

    Raises:
        InvalidError: ``type_changed``; ``invalid_value``: a whole number that a double would
            round.
    """
    given = kind_of(value)
    if kind is None or given == kind:
        return value, given
    if kind == "f64" and given == "i64":
        return _double(path, value), kind
    article = {"f64": "a number", "i64": "a whole number", "bool": "true or false"}
    right = article.get(kind, f"a {kind}")
    raise InvalidError(
        f"{path} was {right} before and is now {shown(value)}",
        code="type_changed",
        hint="without a template the first reading decides what a series holds; "
        "push it under another name, or create the twin with a template"
        if (kind, given) != ("i64", "f64")
        else "the first reading was a whole number; a template with a field of type number, or a "
        "first reading such as 20.0, makes it a number",
    )


# --- Identity ----------------------------------------------------------------------------------


def is_repeat(path: str, there: Any, new: Any) -> bool:
    """Say whether a reading that is already there comes again.

    Args:
        path: Of the leaf, for the error.
        there: The value that (series, source, time, seq) has, or None.
        new: The value that comes.

    Raises:
        ConflictError: ``conflicting_reading``: it has another value.
    """
    if there is None:
        return False
    if kind_of(there) != kind_of(new) or there != new:
        raise ConflictError(
            f"{path} is already {shown(there)} at this time, so it cannot be {shown(new)}",
            code="conflicting_reading",
            hint="give the second one a seq of its own, or another source",
        )
    return True


def is_unset_clock(time_us: int) -> bool:
    """Say whether a time is that of a clock that was never set: within 1970."""
    return 0 <= time_us < UNSET_CLOCK_US


def is_good(quality: str) -> bool:
    """Say whether nothing is doubted about a reading of this quality."""
    return quality == GOOD
