"""Readings that stand in a record itself: the body of kind ``reading``.

``{"readings": [{"timestamp", "source"?, "seq"?, "quality"?, "data", "given"?, "suspect"?}]}``:
``data`` nests the values as they were read, in the units of the template; ``given`` says what was
converted, and ``suspect`` names the values that a rule doubts.
"""

from __future__ import annotations

from twincli.errors import InvalidError
from twincli.model import reading, times
from twincli.model.fields import Given
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.model.reading import Observation

MAX_ROWS = 1000
"""Observations in one record."""
_MAX_MARKS = reading.MAX_LEAVES
_GIVEN = {"path", "value", "unit"}


class Inline(NamedTuple):
    """An observation as it is recorded.

    Attributes:
        observation: With its time.
        given: What was written in other units.
        suspect: Paths of values that a rule doubts.
        is_now: Whether its time is only that at which it arrived; then it may give way to another
            of the same moment. It is not recorded.
    """

    observation: Observation
    given: tuple[Given, ...] = ()
    suspect: tuple[str, ...] = ()
    is_now: bool = False

    @property
    def later(self) -> Inline:
        """The same a microsecond later."""
        found = self.observation
        assert found.time_us is not None
        return self._replace(observation=found._replace(time_us=found.time_us + 1))


def body(items: Sequence[Inline]) -> dict[str, Any]:
    """Return the body of a record.

    Raises:
        InvalidError: ``invalid_reading``: it would read back otherwise.
    """
    return {"readings": [_written(item) for item in items]}


def _written(item: Inline) -> dict[str, Any]:
    found = item.observation
    assert found.time_us is not None
    made: dict[str, Any] = {
        "timestamp": times.microseconds_text(found.time_us, times.digits_of(found.time_us))
    }
    if found.source:
        made["source"] = found.source
    if found.seq:
        made["seq"] = found.seq
    if not reading.is_good(found.quality):
        made["quality"] = found.quality
    units = dict(found.units)
    whole = units.pop("value", None)
    made["data"] = reading.nest(
        (path, {"value": value, "unit": units[path]} if path in units else value)
        for path, value in found.leaves.items()
    )
    if whole is not None:
        made["data"]["unit"] = whole
    if item.given:
        made["given"] = [given._asdict() for given in item.given]
    if item.suspect:
        made["suspect"] = list(item.suspect)
    if _read(made) != item._replace(observation=found._replace(stream=None), is_now=False):
        raise InvalidError(
            "a name such as unit stands where it says something about a value",
            code="invalid_reading",
            hint="give the value another name",
        )
    return made


def read(value: Any) -> tuple[Inline, ...]:
    """Return the readings of a record that somebody signed.

    Raises:
        InvalidError: ``invalid_record``.
    """
    listed = value.get("readings") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_ROWS:
        raise _malformed(f"it has 1 to {MAX_ROWS} readings")
    return tuple(map(_read, listed))


def _read(value: Any) -> Inline:
    if not isinstance(value, dict) or not isinstance(value.get("data"), dict):
        raise _malformed("a reading is an object with data")
    given, suspect = value.get("given", []), value.get("suspect", [])
    if not _is_marks(given, suspect):
        raise _malformed("given or suspect is malformed")
    rest = {name: item for name, item in value.items() if name not in {"given", "suspect"}}
    try:
        found = reading.parse(rest)
    except InvalidError as error:
        raise _malformed(error.message) from error
    if found.time_us is None:
        raise _malformed("a reading has no time")
    return Inline(found, tuple(Given(**each) for each in given), tuple(suspect))


def _is_marks(given: Any, suspect: Any) -> bool:
    return (
        isinstance(given, list)
        and isinstance(suspect, list)
        and max(len(given), len(suspect)) <= _MAX_MARKS
        and all(isinstance(path, str) for path in suspect)
        and all(
            isinstance(each, dict)
            and each.keys() == _GIVEN
            and all(isinstance(text, str) for text in each.values())
            for each in given
        )
    )


def _malformed(why: str) -> InvalidError:
    return InvalidError(f"the readings are malformed: {why}", code="invalid_record")
