"""Units of measurement, frozen into a template when it is registered.

What people write is a closed table, because a library of units reads ``C`` as coulomb, ``F`` as
farad and ``m3`` not at all. Units stand in groups: torque is not energy and a turn a minute is no
frequency, though their dimensions are equal. The factors are fractions from ``pint``: exact where
64 bits hold them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from twincli.errors import ConfigError, InvalidError
from twincli.model.names import near
from twincli.model.template import MAX_DEPTH, MAX_FAULTS, MAX_FIELDS, NUMERIC, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from twincli.model.template import Field, Template

Frozen = dict[str, dict[str, list[int]]]

GROUPS: dict[str, dict[str, str]] = {
    "length": {
        **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), "meter"),
        **dict.fromkeys(("km", "kilometers", "kilometres"), "kilometer"),
        "cm": "centimeter",
        "mm": "millimeter",
        **dict.fromkeys(("um", "µm", "μm"), "micrometer"),
        **dict.fromkeys(("in", "inch", "inches"), "inch"),
        **dict.fromkeys(("ft", "feet", "foot"), "foot"),
        **dict.fromkeys(("yd", "yards"), "yard"),
        **dict.fromkeys(("mi", "mile", "miles"), "mile"),
        **dict.fromkeys(("nmi", "NM"), "nautical_mile"),
    },
    "mass": {
        "kg": "kilogram",
        "g": "gram",
        "mg": "milligram",
        **dict.fromkeys(("ug", "µg", "μg"), "microgram"),
        **dict.fromkeys(("t", "tonne", "tonnes"), "metric_ton"),
        **dict.fromkeys(("lb", "lbs", "pounds"), "pound"),
        **dict.fromkeys(("oz", "ounces"), "ounce"),
    },
    "time": {
        "ms": "millisecond",
        **dict.fromkeys(("s", "sec", "second", "seconds"), "second"),
        **dict.fromkeys(("min", "minute", "minutes"), "minute"),
        **dict.fromkeys(("h", "hr", "hour", "hours"), "hour"),
        **dict.fromkeys(("d", "day", "days"), "day"),
        **dict.fromkeys(("w", "week", "weeks"), "week"),
    },
    "temperature": {
        **dict.fromkeys(("C", "°C", "degC", "celsius", "Celsius"), "degree_Celsius"),
        **dict.fromkeys(("F", "°F", "degF", "fahrenheit", "Fahrenheit"), "degree_Fahrenheit"),
        **dict.fromkeys(("K", "kelvin"), "kelvin"),
    },
    "area": {
        **dict.fromkeys(("m2", "m²", "m^2", "sqm"), "meter**2"),
        **dict.fromkeys(("km2", "km²"), "kilometer**2"),
        **dict.fromkeys(("cm2", "cm²"), "centimeter**2"),
        "ha": "hectare",
        **dict.fromkeys(("ft2", "ft²", "sqft"), "foot**2"),
        "acre": "acre",
    },
    "volume": {
        **dict.fromkeys(("m3", "m³", "m^3", "cbm"), "meter**3"),
        **dict.fromkeys(("l", "L", "liter", "liters", "litre", "litres"), "liter"),
        **dict.fromkeys(("ml", "mL"), "milliliter"),
        **dict.fromkeys(("cm3", "cm³", "ccm"), "centimeter**3"),
        **dict.fromkeys(("ft3", "ft³"), "foot**3"),
        **dict.fromkeys(("gal", "gallon", "gallons"), "US_liquid_gallon"),
    },
    "speed": {
        **dict.fromkeys(("km/h", "kmh", "kph"), "kilometer/hour"),
        "m/s": "meter/second",
        "cm/s": "centimeter/second",
        "mm/s": "millimeter/second",  # of vibration, as the next
        "in/s": "inch/second",
        **dict.fromkeys(("mph", "mi/h"), "mile/hour"),
        **dict.fromkeys(("kn", "kt", "knot", "knots"), "knot"),
        "ft/s": "foot/second",
    },
    "acceleration": {
        **dict.fromkeys(("m/s2", "m/s²", "m/s^2"), "meter/second**2"),
        "g0": "standard_gravity",
    },
    "pressure": {
        "Pa": "pascal",
        "hPa": "hectopascal",
        "kPa": "kilopascal",
        "MPa": "megapascal",
        "bar": "bar",
        "mbar": "millibar",
        "psi": "psi",
        "atm": "atmosphere",
        "mmHg": "millimeter_Hg",
    },
    "energy": {
        "J": "joule",
        "kJ": "kilojoule",
        "MJ": "megajoule",
        "Wh": "watt_hour",
        "kWh": "kilowatt_hour",
        "MWh": "megawatt_hour",
        "kcal": "kilocalorie",
    },
    "power": {
        "mW": "milliwatt",
        "W": "watt",
        "kW": "kilowatt",
        "MW": "megawatt",
        "hp": "horsepower",
        "PS": "metric_horsepower",
    },
    "force": {"N": "newton", "kN": "kilonewton", "lbf": "pound_force"},
    "torque": {
        **dict.fromkeys(("Nm", "N·m", "N*m"), "newton*meter"),
        **dict.fromkeys(("lbft", "lb·ft", "ft·lb"), "foot*pound_force"),
    },
    "voltage": {"mV": "millivolt", "V": "volt", "kV": "kilovolt"},
    "current": {"mA": "milliampere", "A": "ampere", "kA": "kiloampere"},
    "charge": {"mAh": "milliampere*hour", "Ah": "ampere*hour"},
    "resistance": {
        **dict.fromkeys(("ohm", "Ω", "Ohm"), "ohm"),
        "kohm": "kiloohm",
        "Mohm": "megaohm",
    },
    "frequency": {"Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz"},
    "rotation": {
        **dict.fromkeys(("rpm", "1/min"), "1/minute"),
        **dict.fromkeys(("rps", "1/s"), "1/second"),
    },
    "ratio": {
        **dict.fromkeys(("%", "percent", "pct"), "percent"),
        "ppm": "ppm",
        **dict.fromkeys(("1", "ratio"), "dimensionless"),
    },
    "angle": {**dict.fromkeys(("deg", "°", "degrees"), "degree"), "rad": "radian"},
    "flow": {
        **dict.fromkeys(("l/min", "L/min"), "liter/minute"),
        **dict.fromkeys(("l/h", "L/h"), "liter/hour"),
        **dict.fromkeys(("m3/h", "m³/h"), "meter**3/hour"),
        **dict.fromkeys(("m3/s", "m³/s"), "meter**3/second"),
    },
    "density": {
        **dict.fromkeys(("kg/m3", "kg/m³"), "kilogram/meter**3"),
        **dict.fromkeys(("g/cm3", "g/cm³"), "gram/centimeter**3"),
        **dict.fromkeys(("g/l", "g/L"), "gram/liter"),
        **dict.fromkeys(("mg/l", "mg/L"), "milligram/liter"),
        **dict.fromkeys(("mg/m3", "mg/m³"), "milligram/meter**3"),
        **dict.fromkeys(("ug/m3", "µg/m3", "µg/m³", "μg/m³"), "microgram/meter**3"),
    },
    "consumption": {"l/100km": "centiliter/kilometer", "l/km": "liter/kilometer"},
    "illuminance": {"lx": "lux", "klx": "kilolux"},
    "data": {"B": "byte", "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte"},
}
"""What people write, by what is measured, as ``pint`` understands it."""


def freeze(template: Template) -> Frozen:
    """Return what other units are worth in each unit that a template uses.

    Returns:
        For each unit of a field, every unit that may be written instead: numerator and denominator
        of the factor, then of the offset.

    Raises:
        InvalidError: ``unknown_unit``.
        ConfigError: ``missing_extra``: ``pint`` is not installed.
    """
    fields = [*template.facts.values(), *template.fields.values()]
    used = dict.fromkeys(field.unit for field in _all(fields) if field.unit and not field.own_unit)
    return {str(unit): _worth(str(unit)) for unit in used}


def check(unit: str) -> None:
    """Refuse a unit that cannot be frozen.

    Raises:
        InvalidError: ``unknown_unit``.
        ConfigError: ``missing_extra``: ``pint`` is not installed, and the unit is not in our table.
    """
    if not any(unit in group for group in GROUPS.values()):
        _by_library(unit)


def faults(document: Any) -> list[Fault]:
    """Return what is wrong with the units of a document that is to be a template.

    Fields that are malformed in other ways are left to `twincli.model.template.faults`.
    """
    found: list[Fault] = []
    verdicts: dict[str, InvalidError | None] = {}
    members = document if isinstance(document, dict) else {}
    for path, item in _written(members):
        unit = item.get("unit")
        if not isinstance(unit, str) or not unit.strip() or item.get("ownUnit") is True:
            continue
        if item.get("type") not in NUMERIC:
            continue
        if unit not in verdicts:
            verdicts[unit] = None
            try:
                check(unit)
            except InvalidError as error:
                verdicts[unit] = error
        wrong = verdicts[unit]
        if wrong is not None:
            found.append(Fault((*path, "unit"), wrong.message, wrong.hint or ""))
        if len(found) == MAX_FAULTS:
            break
    return found


def _written(members: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Yield the fields of a document with their paths, as far as they are fields."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [
        ((name,), members.get(name)) for name in ("trackingFields", "facts")
    ]
    count = 0
    while waiting and count <= MAX_FIELDS:
        path, value = waiting.pop()
        if isinstance(value, list):
            waiting += [((*path, at), item) for at, item in reversed(list(enumerate(value)))]
        elif isinstance(value, dict) and len(path) <= 2 * MAX_DEPTH + 2:
            count += 1
            yield path, value
            waiting += [((*path, n), value[n]) for n in ("items", "fields") if n in value]


def _all(fields: list[Field]) -> Iterator[Field]:
    for field in fields:
        yield field
        yield from _all([*(field.fields or {}).values(), *([field.items] if field.items else [])])


def _worth(unit: str) -> dict[str, list[int]]:
    group = next((group for group in GROUPS.values() if unit in group), None)
    if group is None:
        group = _by_library(unit)
    worth = {}
    for name, meaning in sorted(group.items()):
        zero, one = (_converted(number, meaning, group[unit]) for number in (0, 1))
        factor = one - zero
        parts = [_fitting(factor), _fitting(zero)]
        if None not in parts:
            worth[name] = [n for part in parts if part for n in part]
    return worth


def _fitting(exact: Fraction) -> tuple[int, int] | None:
    """Return a fraction of integers that a ledger takes, None if there is none near enough.

    Near is a tenth of what a double tells apart; a radian has pi in it, which is no fraction.
    """
    near = exact if _is_small(exact) else exact.limit_denominator(10**15)
    if not _is_small(near) or abs(near - exact) * 10**17 > abs(exact):
        return None
    return near.numerator, near.denominator


def _is_small(exact: Fraction) -> bool:
    return exact.numerator.bit_length() < 64 and exact.denominator.bit_length() < 64


def _by_library(unit: str) -> dict[str, str]:
    """Return the units that ``pint`` knows beside one that is not in our table."""
    import re

    registry = _registry()
    import pint

    meant = near(unit, [name for group in GROUPS.values() for name in group])
    right = f"did you mean {meant}?" if meant else "write km, C, %, kWh ...;"
    unknown = InvalidError(
        f"the unit {unit[:40]!r} is not known",
        code="unknown_unit",
        hint=f"{right} a word of your own: ownUnit: true",
    )
    # Only plain products and quotients: what else its parser takes is nothing to hand to it.
    if len(unit) > 60 or not re.fullmatch(
        r"[A-Za-z_]+(?:\^?[2-4])?(?:[*/][A-Za-z_]+(?:\^?[2-4])?)*", unit
    ):
        raise unknown
    try:
        parsed = registry.parse_units(re.sub(r"\^?([2-4])", r"**\1", unit))
        meaning = _spelled(parsed)
        # A bit, a turn and a count have no dimension, and are nothing of one another.
        others = [] if parsed.dimensionless else registry.get_compatible_units(parsed)
        # A decibel, say, is not a multiple of anything.
        if not _is_exact(meaning, _spelled(registry.get_base_units(parsed)[1])):
            raise unknown
        names = [name for name in map(_spelled, others) if _is_exact(name, meaning)]
    except (pint.errors.PintError, AttributeError, TypeError, ValueError) as error:
        raise unknown from error
    return {**{name: name for name in names}, unit: meaning}


def _spelled(unit: Any) -> str:
    """Return a unit as text that is read again; ``pint`` cannot print powers that are fractions."""
    from pint.util import to_units_container

    held: Any = to_units_container(unit)
    powers = [(str(name), int(power)) for name, power in held.items()]
    return "*".join(f"{name}**{power}" if power != 1 else name for name, power in powers)


def _is_exact(unit: str, into: str) -> bool:
    from fractions import Fraction

    import pint

    try:
        return all(isinstance(_converted(number, unit, into), Fraction) for number in (0, 1))
    # Beside numpy, a logarithm of a fraction is a TypeError.
    except (pint.errors.PintError, TypeError):
        return False


def _converted(number: int, unit: str, into: str) -> Any:
    from fractions import Fraction

    registry = _registry()
    return registry.Quantity(Fraction(number), unit).to(into).magnitude


@cache
def _registry() -> Any:
    from fractions import Fraction

    try:
        import pint
    except ImportError as error:
        raise ConfigError(
            "units of a template need an extra package",
            code="missing_extra",
            hint='pip install "twincli[data]"',
        ) from error
    return pint.UnitRegistry(non_int_type=Fraction)
