"""Values of a twin with a template: checked against its fields, converted into their units.

What was written in another unit is kept beside the value (`Given`), so that a conversion can be
checked again: multiplied and shifted by fractions, rounded once, half to even, to the nearest
double. The factors come frozen with the template, so no write loads a library of units.
"""

from __future__ import annotations

from twincli.errors import InvalidError, UsageError, cut, shown
from twincli.model import times
from twincli.model.names import near
from twincli.model.text import one_line
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twincli.model.template import Field, Template

    # For each unit of a field, what other units are worth in it: numerator and denominator of
    # the factor, then of the offset.
    Units = Mapping[str, Mapping[str, Sequence[int]]]

_ALIASES = {"lat": "latitude", "lng": "longitude", "lon": "longitude", "alt": "altitude"}
_COORDINATES = {"latitude": 90, "longitude": 180}


class Given(NamedTuple):
    """What was written, where that was in another unit.

    Attributes:
        path: Dotted.
        value: The number as a text.
        unit: Its unit.
    """

    path: str
    value: str
    unit: str


class Checked(NamedTuple):
    """Values that fit a template.

    Attributes:
        values: Them, in the units of their fields.
        given: What was written in other units.
        suspect: Dotted paths of values that the quality rules doubt.
        outside: Dotted paths of values beyond a range, each with what the range is.
    """

    values: dict[str, Any]
    given: tuple[Given, ...] = ()
    suspect: tuple[str, ...] = ()
    outside: tuple[tuple[str, str], ...] = ()


def check(
    fields: Mapping[str, Field], values: Mapping[str, Any], units: Units, *, additional: bool
) -> Checked:
    """Check members by their fields.

    Args:
        fields: Fields by name.
        values: Members as they are to be written, each whole; null takes one away.
        units: Frozen with the template.
        additional: Whether members without a field are taken as they are.

    Raises:
        InvalidError: ``unknown_field`` with a near name, or ``invalid_value`` with the path.
    """
    checker = _Checker(units)
    made: dict[str, Any] = {}
    for name, value in values.items():
        field = fields.get(name)
        if field is None:
            if not additional:
                raise unknown(name, fields)
            made[name] = value
        else:
            made[name] = None if value is None else checker.value(field, name, value)
    return Checked(made, tuple(checker.given), tuple(checker.suspect), tuple(checker.outside))


def unknown(name: str, fields: Iterable[str]) -> InvalidError:
    """Return the error of a field that the template does not have."""
    known = sorted(fields)
    meant = near(name, known)
    return InvalidError(
        f"the template has no field {name!r}",
        code="unknown_field",
        hint=f"did you mean {meant}?" if meant else f"it has {', '.join(known) or 'none'}",
    )


def missing(fields: Iterable[Field], values: Mapping[str, Any]) -> list[str]:
    """Return the names of required fields without a value."""
    return [field.name for field in fields if field.required and values.get(field.name) is None]


def split(template: Template, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split what is given at creation into facts and state: tracking fields go to the state."""
    facts: dict[str, Any] = {}
    state: dict[str, Any] = {}
    for name, value in data.items():
        (state if name in template.fields else facts)[name] = value
    return facts, state


def identifier(value: Any, name: str) -> str:
    """Return the form in which two identifiers are the same: NFKC, case folded.

    Raises:
        InvalidError: ``invalid_value``: it is neither a text nor a whole number.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InvalidError(
            f"{name} is an identifier, so it is a text or a whole number",
            code="invalid_value",
            hint=f"--str {name}=TEXT",
        )
    text = str(value).strip()
    if one_line(text) != text:  # two that look the same would be different
        raise InvalidError(
            f"{name} is an identifier, so it has no invisible characters: {shown(one_line(text))}",
            code="invalid_value",
            hint=f"--str {name}=TEXT",
        )
    if not text or len(text) > 200:
        raise InvalidError(
            f"{name} is an identifier, so it has 1 to 200 characters",
            code="invalid_value",
            hint=f"--str {name}=TEXT",
        )
    if text.isascii():
        return text.lower()
    from unicodedata import normalize

    # Compatible forms too: a scanner's full-width digits are the digits.
    return normalize("NFKC", normalize("NFKC", text).casefold()).strip()


# --- Units -------------------------------------------------------------------------------------


def quantity(text: str) -> tuple[str, str] | None:
    """Return the number and the unit of ``7500 km`` or ``21.5C``, None for other text.

    Exponents have three digits at most: a fraction of more would be written out, digit by digit.
    """
    import re

    found = re.fullmatch(
        r"([+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)\s*((?![eE][+-]?[0-9])[^\s0-9].*)", text
    )
    if found is None or len(text) > 100 or len(found[1]) > 40:
        return None
    return found[1].removeprefix("+"), found[2].strip()


def convert(number: str, unit: str, into: str, units: Units) -> float:
    """Return a number given in one unit in another one, rounded once.

    Args:
        number: As it was written.
        unit: Its unit.
        into: The unit of the field.
        units: Frozen with the template.

    Raises:
        InvalidError: ``unit_mismatch``: what the unit measures is not what the field does.
    """
    top, bottom = _ratio(number)
    if unit != into:
        factors = units.get(into, {}).get(unit)
        if factors is None:
            raise InvalidError(
                f"{unit} is not a unit of what is measured in {into}",
                code="unit_mismatch",
                hint=_known(units.get(into, {}), into),
            )
        over, under, shift, parts = factors
        top = top * over * parts + shift * under * bottom
        bottom *= under * parts
    try:
        return top / bottom if top else 0.0  # of integers: rounded once, half to even
    except OverflowError:
        raise InvalidError("the number is too large for a double", code="invalid_value") from None


def _ratio(number: str) -> tuple[int, int]:
    """Return a number as it is written as numerator and denominator."""
    mantissa, _, exponent = number.replace("E", "e").partition("e")
    whole, _, part = mantissa.partition(".")
    power = int(exponent or 0) - len(part)
    digits = int(whole + part)
    return (digits * 10**power, 1) if power > 0 else (digits, 10**-power)


def _known(units: Mapping[str, Any], into: str) -> str:
    shown = [name for name in sorted(units, key=len) if name != into][:8]
    return f"give it in {into}" + (f", or in {', '.join(shown)} ..." if shown else "")


# --- Values ------------------------------------------------------------------------------------


class _Checker:
    def __init__(self, units: Units) -> None:
        self.units = units
        self.given: list[Given] = []
        self.suspect: list[str] = []
        self.outside: list[tuple[str, str]] = []

    def value(self, field: Field, path: str, value: Any) -> Any:
        """Return a value as it is to be written."""
        return getattr(self, f"_{field.type}")(field, path, value)

    def _number(self, field: Field, path: str, value: Any) -> Any:
        if isinstance(value, (str, dict)):
            value = self._converted(field, path, value)
        if type(value) not in {int, float}:
            raise _wrong(path, value, "a number")
        self._bounds(field, path, value)
        return value

    def _integer(self, field: Field, path: str, value: Any) -> Any:
        if isinstance(value, (str, dict)):
            value = self._converted(field, path, value)
            if isinstance(value, float) and value.is_integer():
                value = int(value)
        if type(value) is not int:
            raise _wrong(path, value, "a whole number")
        self._bounds(field, path, value)
        return value

    def _duration(self, field: Field, path: str, value: Any) -> Any:
        return self._number(field, path, value)

    def _converted(self, field: Field, path: str, value: Any) -> Any:
        """Return the number of ``7500 km`` or ``{"value": 7500, "unit": "km"}``."""
        if isinstance(value, dict):
            number, unit = value.get("value"), value.get("unit")
            if set(value) != {"value", "unit"} or type(number) not in {int, float}:
                return value
            found = (repr(number), unit) if isinstance(unit, str) else None
        else:
            found = quantity(value)
        if found is None:
            return value
        if field.unit is None:
            raise InvalidError(
                f"{path} has no unit, so {found[1]!r} cannot be converted",
                code="unit_mismatch",
                hint=f"give the number alone: {found[0]}",
            )
        if found[1] == field.unit and found[0].lstrip("-").isdigit():
            return int(found[0])  # a double would round it
        made = convert(*found, field.unit, self.units)
        if found[1] != field.unit:
            self.given.append(Given(path, *found))
        return made

    def _bounds(self, field: Field, path: str, value: float) -> None:
        low, high = field.low, field.high
        if (low is not None and value < low) or (high is not None and value > high):
            unit = f" {field.unit}" if field.unit else ""
            text = (
                f"{low} to {high}"
                if low is not None and high is not None
                else f"at least {low}"
                if high is None
                else f"at most {high}"
            )
            self.outside.append((path, text + unit))
        low, high = field.good_low, field.good_high
        if (low is not None and value <= low) or (high is not None and value >= high):
            self.suspect.append(path)

    def _text(self, _field: Field, path: str, value: Any) -> Any:
        if not isinstance(value, str):
            raise _wrong(path, value, "a text", f"--str {path}=TEXT")
        return value

    def _boolean(self, _field: Field, path: str, value: Any) -> Any:
        if not isinstance(value, bool):
            raise _wrong(path, value, "true or false")
        return value

    def _enum(self, field: Field, path: str, value: Any) -> Any:
        if not isinstance(value, str) or value not in field.values:
            more = " ..." if len(field.values) > 20 else ""
            meant = near(value, field.values) if isinstance(value, str) else None
            raise _wrong(
                path,
                value,
                f"one of {', '.join(map(cut, field.values[:20]))}{more}",
                f"did you mean {cut(meant)}?" if meant else None,
            )
        return value

    def _datetime(self, _field: Field, path: str, value: Any) -> Any:
        good = isinstance(value, str) and len(value) <= 40 and value[4:5] == "-"
        try:
            times.parse(value if good else "", 0)
        except UsageError:
            right = "a date or a time such as 2024-01-20T09:00:00Z"
            raise _wrong(path, value, right) from None
        return value

    def _coordinates(self, _field: Field, path: str, value: Any) -> Any:
        if isinstance(value, list):
            if len(value) not in {2, 3} or any(type(item) not in {int, float} for item in value):
                raise _wrong(path, value, "[latitude, longitude], with the altitude or without")
            self._on_earth(path, dict(zip(_COORDINATES, value[:2], strict=True)))
            return value
        if not isinstance(value, dict):
            raise _wrong(
                path, value, "an object with latitude and longitude", f"--{path} '[52.5, 13.4]'"
            )
        made = {str(_ALIASES.get(name, name)): item for name, item in value.items()}
        if len(made) < len(value):
            raise _wrong(path, value, "one latitude and one longitude")
        for name in ("latitude", "longitude", "altitude", "accuracy"):
            if name not in made:
                if name in _COORDINATES:
                    raise InvalidError(
                        f"{path} has no {name}",
                        code="invalid_value",
                        hint=f"give both, as in --{path} '[52.5, 13.4]'",
                    )
            elif type(made[name]) not in {int, float}:
                raise _wrong(f"{path}.{name}", made[name], "a number")
        self._on_earth(path, made)
        if made.get("accuracy", 0) < 0:
            raise _wrong(f"{path}.accuracy", made["accuracy"], "at least 0")
        return made

    def _on_earth(self, path: str, found: Mapping[str, float]) -> None:
        for name, most in _COORDINATES.items():
            if not -most <= found[name] <= most:
                raise _wrong(f"{path}.{name}", found[name], f"between -{most} and {most} degrees")

    def _object(self, field: Field, path: str, value: Any) -> Any:
        if not isinstance(value, dict):
            raise _wrong(path, value, "an object")
        if field.fields is None:
            return value
        absent = missing(field.fields.values(), value)
        if absent:
            raise InvalidError(f"{path}.{absent[0]} is missing", code="invalid_value")
        made: dict[str, Any] = {}
        for name, item in value.items():
            part = field.fields.get(name)
            if part is None:
                if not field.additional:
                    raise unknown(f"{path}.{name}", [f"{path}.{known}" for known in field.fields])
                made[name] = item
            else:
                made[name] = None if item is None else self.value(part, f"{path}.{name}", item)
        return made

    def _list(self, field: Field, path: str, value: Any) -> Any:
        if not isinstance(value, list):
            raise _wrong(path, value, "a list")
        if field.items is None:
            return value
        return [self.value(field.items, f"{path}[{at}]", item) for at, item in enumerate(value)]


def _wrong(path: str, value: Any, right: str, hint: str | None = None) -> InvalidError:
    return InvalidError(f"{path}: {shown(value)} is not {right}", code="invalid_value", hint=hint)
