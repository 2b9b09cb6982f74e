"""Values typed on a command line or read from a file, as JSON that may be signed."""

from __future__ import annotations

import json

from twincli.values import Any, NamedTuple

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_LONGEST = 20
_BEYOND = "integer_out_of_range"
_SURE_DIGITS = 15
_SHOWN = 40
_SMALLEST_NORMAL = 2.2250738585072014e-308


class Reading(NamedTuple):
    """What a text is as JSON.

    Attributes:
        value: The value.
        error: Why and where it is no JSON at all.
        refused: Why it is JSON that cannot be data.
        code: The error code of ``refused``.
        warnings: Numbers that lose digits.
    """

    value: Any = None
    error: str | None = None
    refused: str | None = None
    code: str | None = None
    warnings: tuple[str, ...] = ()


class _NotJsonError(Exception):
    """NaN or an infinity, which Python would read."""


def read_json(text: str) -> Reading:
    """Read JSON as data: strict, whole numbers of 64 bits, digits accounted for.

    Faults are collected and judged at the end, because ``12345678901234567890 bottles`` begins
    with a number but is text.
    """
    faults: list[tuple[str, str]] = []
    warnings: list[str] = []

    def whole(digits: str) -> int:
        # Longer ones are not even converted: Python refuses more than 4,300 digits.
        value = int(digits) if len(digits) <= _LONGEST else _HIGHEST + 1
        if not _LOWEST <= value <= _HIGHEST:
            faults.append((f"{_cut(digits)} is a whole number beyond 64 bits", _BEYOND))
        return value

    def real(digits: str) -> float:
        value = float(digits)
        if value in {float("inf"), float("-inf")}:
            faults.append((f"{_cut(digits)} is too large for a double", "number_out_of_range"))
        elif _loses(digits, value):
            warnings.append(f"{_cut(digits)} is kept as {value!r}: a double holds no more digits")
        return value

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(members)
        if len(result) != len(members):
            names = [name for name, _ in members]
            twice = next(name for name in names if names.count(name) > 1)
            faults.append((f"the name {twice!r} occurs twice in one object", "invalid_json"))
        return result

    def constant(word: str) -> Any:
        raise _NotJsonError(word)

    decoder = json.JSONDecoder(
        object_pairs_hook=pairs,
        parse_constant=constant,
        parse_float=real,
        parse_int=whole,
    )
    try:
        value = decoder.decode(text)
    except json.JSONDecodeError as error:
        where = f"column {error.colno}"
        if error.lineno > 1:
            where = f"line {error.lineno}, {where}"
        return Reading(error=f"not JSON: {error.msg.lower()} at {where}")
    except _NotJsonError as error:
        return Reading(error=f"not JSON: {error} is not a JSON value")
    except RecursionError:
        return Reading(refused="nested too deeply", code="invalid_json")
    if not faults and "\\u" in text and not is_unicode(value):
        faults.append(("it contains half of a surrogate pair", "unencodable"))
    if faults:
        return Reading(value, refused=faults[0][0], code=faults[0][1])
    return Reading(value, warnings=tuple(warnings))


def _cut(digits: str) -> str:
    return digits if len(digits) <= _SHOWN else f"{digits[:_SHOWN]}..."


def _loses(digits: str, value: float) -> bool:
    """Say whether a decimal number is another one than the double's own shortest form."""
    mantissa = digits.lower().partition("e")[0]
    significant = sum(map(str.isdigit, mantissa))
    if significant <= _SURE_DIGITS and (
        abs(value) >= _SMALLEST_NORMAL or not mantissa.strip("-0.")
    ):
        return False
    from decimal import Decimal

    return Decimal(digits) != Decimal(repr(value))


def is_unicode(value: Any) -> bool:
    """Say whether no text in a JSON value holds half of a surrogate pair."""
    todo = [value]  # no recursion: what was parsed may be nested deeper than Python calls go
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            if not item.isascii() and any("\ud800" <= letter <= "\udfff" for letter in item):
                return False
        elif isinstance(item, dict):
            todo.extend(item)
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
    return True
