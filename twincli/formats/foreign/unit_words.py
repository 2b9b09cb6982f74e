"""The words by which other systems call units, found in our own table.

DTDL writes ``degreeCelsius`` and ``metrePerSecond``, the Web of Things anything from ``°C`` to
``qudt:DEG_C``, shells what stands on the nameplate or UCUM. All end in a unit of
`twincli.formats.units`, or in one that its library knows.
"""

from __future__ import annotations

import re
from functools import cache

from twincli.errors import InvalidError
from twincli.formats import units

_WORDS = {
    # UCUM and SenML
    "Cel": "C",
    "[degF]": "F",
    "[degC]": "C",
    "%RH": "%",
    "%EL": "%",
    "/": "1",
    "lm": "lumen",
    "lux": "lx",
    "[lb_av]": "lb",
    "[in_i]": "in",
    "[ft_i]": "ft",
    "[mi_i]": "mi",
    "[gal_us]": "gal",
    # QUDT, OM and words
    "DEG_C": "C",
    "DEG_F": "F",
    "degree_Celsius": "C",
    "degree_Fahrenheit": "F",
    "PERCENT": "%",
    "PERCENT_RH": "%",
    "M": "m",
    "KiloM": "km",
    "CentiM": "cm",
    "MilliM": "mm",
    "KiloGM": "kg",
    "GM": "g",
    "SEC": "s",
    "MIN": "min",
    "HR": "h",
    "DAY": "d",
    "VOLT": "V",
    "AMP": "A",
    "OHM": "ohm",
    "HZ": "Hz",
    "PA": "Pa",
    "HectoPA": "hPa",
    "KiloPA": "kPa",
    "BAR": "bar",
    "KiloW": "kW",
    "KiloW-HR": "kWh",
    "W-HR": "Wh",
    "LUX": "lx",
    "LM": "lumen",
    "DEG": "deg",
    "RAD": "rad",
    "UNITLESS": "1",
    "M-PER-SEC": "m/s",
    "KiloM-PER-HR": "km/h",
    "REV-PER-MIN": "rpm",
    "L": "l",
    # DTDL, where its word is not made of others
    "unity": "1",
    "percent": "%",
    "degreeCelsius": "C",
    "degreeFahrenheit": "F",
    "degreeOfArc": "deg",
    "gForce": "g0",
    "revolutionPerMinute": "rpm",
    "revolutionPerSecond": "rps",
    "knot": "kn",
    "milePerHour": "mph",
    "horsepower": "hp",
    "poundPerSquareInch": "psi",
    "squareMetre": "m2",
    "cubicMetre": "m3",
    "newtonMetre": "Nm",
    "ampereHour": "Ah",
    "kilowattHour": "kWh",
    "wattHour": "Wh",
    "tonne": "t",
    "nauticalMile": "nmi",
    "partsPerMillion": "ppm",
    "inchesOfMercury": "inch_Hg",
    "standardGravity": "g0",
    "minuteOfArc": "arcminute",
    "secondOfArc": "arcsecond",
    "hectare": "ha",
    "astronomicalUnit": "astronomical_unit",
    "electronvolt": "electron_volt",
    "gallon": "gal",
    "fluidOunce": "fluid_ounce",
    # IEC 61360: a shell names the unit beside it, mostly
    "0112/2///62720#UAA033": "C",
}
_LENGTH = 100


@cache
def find(word: str) -> str | None:
    """Return our unit for a foreign word, ``1`` for a number without one, None if it is unknown."""
    if len(word) > _LENGTH:
        return None
    text = re.sub(r"(?<=[A-Z]{3}[0-9]{3})#[0-9]{3}$", "", word.strip())
    for tail in (text, _tail(text)):
        for candidate in (tail, _WORDS.get(tail), _composed(tail)):
            if candidate and (found := _known(candidate)):
                return found
    return None


def _tail(text: str) -> str:
    """Return what stands behind a prefix: ``qudt:DEG_C``, ``http://.../unit/DEG_C``, a DTMI."""
    if text.startswith("dtmi:"):
        text = text.partition(";")[0]
    return re.split(r"[:/#]", text)[-1] if re.match(r"[A-Za-z][\w.+-]*:", text) else text


def _known(text: str) -> str | None:
    if text == "1":
        return text
    for group in units.GROUPS.values():
        meaning = group.get(text, text)
        # The first word of that meaning is the one that people write most.
        found = next((name for name, means in group.items() if means == meaning), None)
        if found is not None:
            return found
    # One letter is a guess: the library takes C for coulomb and G for gauss.
    if len(text) < 3:
        return None
    spelled = text.replace("**", "^")
    try:
        units.check(spelled)
    except InvalidError:
        return None
    return spelled


def _composed(text: str) -> str | None:
    """Return ``kilometrePerHour`` as the library writes it: ``kilometer/hour``."""
    if not re.fullmatch(r"[a-z]+(?:[A-Z][a-z]+)*", text):
        return None
    words = [word.lower() for word in re.findall(r"[A-Za-z][a-z]*", text)]
    spelled = [re.sub(r"(met|lit)re$", r"\1er", word) for word in words]
    parts: list[str] = []
    divide, power = False, ""
    for word in spelled:
        if word == "per":
            divide = True
        elif word in {"square", "cubic"}:
            power = "**2" if word == "square" else "**3"
        elif word in {"squared", "cubed"} and parts:
            parts[-1] += "**2" if word == "squared" else "**3"
        else:
            parts.append(("/" if divide else "*" if parts else "") + word + power)
            power = ""
    return "".join(parts)
