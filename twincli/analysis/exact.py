"""Exact sums of doubles and of 64-bit integers, in any order, rounded once.

A double is a whole number times a power of two. Its digits in base 2^32 are added up for each
place of the power; that is integer arithmetic, so order, grouping and threads do not matter. Sums
can be kept, added to each other and rounded when they are shown.
"""

from __future__ import annotations

from math import frexp, isqrt

from twincli.model.batch import load_numpy
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twincli.model.batch import Array

BITS = 32
_MASK = 0xFFFF_FFFF
MAX_ROWS = 1 << 30
"""Rows that one call adds up at most, so that a place of 64 bits does not overflow."""


class Sums(NamedTuple):
    """Exact numbers, one a group.

    The number of a group is the sum of ``digits[k] * 2**(32 * (low + k))``. All digits but the
    last are from 0 to 2^32 - 1; the last is the sign, 0 or -1. As few digits as possible are kept,
    so equal numbers have equal digits.

    Attributes:
        low: The place of the first digit.
        digits: int64, one row a digit, one column a group.
    """

    low: int
    digits: Array


def add_up(values: Array, starts: Array) -> Sums:
    """Return the sum of each group of values.

    Args:
        values: float64, finite, or int64.
        starts: Where each group begins; the first at 0, none empty.
    """
    np = load_numpy()
    halves = _halves(values)
    places: dict[int, Array] = {}
    if halves is None:
        magnitude, negative, exponents = _parts(values)
        _place(places, magnitude, negative, exponents, starts)
        return _carried(places, len(starts))
    for half, shift in ((halves.upper, BITS), (halves.lower, 0)):
        # Doubles are added up without rounding: no sum of these needs more than 53 bits.
        sums = np.add.reduceat(half, starts).astype(np.int64)
        _place_sums(places, sums, halves.exponent + shift)
    return _carried(places, len(starts))


def add_up_squares(values: Array, starts: Array) -> Sums:
    """Return the sum of the squares of each group of values, as `add_up` does."""
    np = load_numpy()
    halves = _halves(values)
    places: dict[int, Array] = {}
    if halves is not None and 2 * (_UPPER + halves.spread) < 63:
        upper, lower = halves.upper.astype(np.int64), halves.lower.astype(np.int64)
        squares = lower.view(np.uint64) * lower.view(np.uint64)
        for whole, shift in ((squares, 0), (upper * lower, BITS + 1), (upper * upper, 2 * BITS)):
            above, below = whole >> whole.dtype.type(BITS), whole & whole.dtype.type(_MASK)
            for half, more in ((above, BITS), (below, 0)):
                sums = np.add.reduceat(half, starts).view(np.int64)
                _place_sums(places, sums, 2 * halves.exponent + shift + more)
        return _carried(places, len(starts))
    magnitude, _, exponents = _parts(values)
    half = 27 if values.dtype == np.float64 else 32
    upper = magnitude >> np.uint64(half)
    lower = magnitude & np.uint64((1 << half) - 1)
    doubled = None if exponents is None else exponents * 2
    for product, shift in ((upper * upper, 2 * half), (upper * lower, half + 1), (lower**2, 0)):
        _place(places, product, None, _shifted(doubled, shift), starts)
    return _carried(places, len(starts))


class _Halves(NamedTuple):
    """Whole numbers ``upper * 2**32 + lower``, all times one power of two; as doubles or int64."""

    upper: Array
    lower: Array
    exponent: int
    spread: int


_MOST_ROWS = 1 << 20
_UPPER = 21
"""Bits of an upper half, besides those by which the sizes of the numbers differ."""


def _halves(values: Array) -> _Halves | None:
    """Return what doubles of much the same size are; None where they differ too much."""
    np = load_numpy()
    if values.dtype == np.int64:
        return _Halves(values >> BITS, values & _MASK, 0, 0)
    if len(values) > _MOST_ROWS:
        return None
    sizes = np.abs(values)
    largest, smallest = float(sizes.max()), float(sizes.min())
    if smallest == 0.0:
        some = sizes[sizes > 0]
        smallest = float(some.min()) if len(some) else largest
    low, top = frexp(smallest)[1], frexp(largest)[1]
    if _UPPER + top - low + len(values).bit_length() > 53 or not -900 < low <= top < 900:
        return None
    exponent = low - 53
    whole = values * 2.0**-exponent
    upper = np.floor(whole * 2.0**-BITS)
    whole -= upper * 2.0**BITS
    return _Halves(upper, whole, exponent, top - low)


def _place_sums(places: dict[int, Array], sums: Array, exponent: int) -> None:
    """Add whole numbers, one a group, times a power of two to the places."""
    magnitude, negative, _ = _parts(sums)
    _place(places, magnitude, negative, exponent, load_numpy().arange(len(sums)))


def zeros(groups: int) -> Sums:
    """Return sums of nothing."""
    return Sums(0, load_numpy().zeros((1, groups), dtype="int64"))


def _shifted(exponents: Array | None, shift: int) -> Array | int:
    return shift if exponents is None else exponents + shift


def _parts(values: Array) -> tuple[Array, Array | None, Array | None]:
    """Return magnitudes as whole numbers, which are negative, and exponents of two."""
    np = load_numpy()
    if values.dtype == np.int64:
        negative = values < 0
        magnitude = values.view(np.uint64)
        if not negative.any():
            return magnitude, None, None
        return np.where(negative, np.uint64(0) - magnitude, magnitude), negative, None
    bits = np.ascontiguousarray(values).view(np.uint64)
    exponents = ((bits >> np.uint64(52)) & np.uint64(0x7FF)).astype(np.int64)
    normal = exponents > 0
    magnitude = bits & np.uint64((1 << 52) - 1)
    magnitude |= normal.astype(np.uint64) << np.uint64(52)
    negative = np.signbit(values)
    return (
        magnitude,
        negative if negative.any() else None,
        np.maximum(exponents, 1) - 1075,
    )


def _place(
    places: dict[int, Array],
    magnitude: Array,
    negative: Array | None,
    exponents: Array | int | None,
    starts: Array,
) -> None:
    """Add whole numbers times powers of two to the places."""
    np = load_numpy()
    if isinstance(exponents, np.ndarray):
        place = exponents >> 5
        first, last = int(place.min()), int(place.max())
        shift = (exponents & 31).astype(np.uint64)
    else:
        first = last = (exponents or 0) >> 5
        shift = np.uint64((exponents or 0) & 31)
    low = (magnitude & np.uint64(_MASK)) << shift
    middle = ((magnitude >> np.uint64(BITS)) << shift) + (low >> np.uint64(BITS))
    low &= np.uint64(_MASK)
    high = (middle >> np.uint64(BITS)).view(np.int64)
    middle = (middle & np.uint64(_MASK)).view(np.int64)
    for offset, digit in enumerate((low.view(np.int64), middle, high)):
        if offset == 2 and not digit.any():
            continue
        signed = digit if negative is None else np.where(negative, -digit, digit)
        if first == last:
            _add(places, first + offset, np.add.reduceat(signed, starts))
            continue
        for at in range(first, last + 1):
            there = place == at
            if there.any():
                _add(places, at + offset, np.add.reduceat(np.where(there, signed, 0), starts))


def _add(places: dict[int, Array], place: int, sums: Array) -> None:
    known = places.get(place)
    places[place] = sums if known is None else known + sums


def _carried(places: dict[int, Array], groups: int) -> Sums:
    """Return digits in their one form from whatever stands at the places."""
    np = load_numpy()
    digits = []
    carry = np.zeros(groups, dtype=np.int64)
    low = min(places, default=0)
    for place in range(low, max(places, default=-1) + 1):
        whole = carry + places[place] if place in places else carry
        digits.append(whole & _MASK)
        carry = whole >> BITS
    while ((carry != 0) & (carry != -1)).any():
        digits.append(carry & _MASK)
        carry = carry >> BITS
    while digits and (digits[-1] == (carry & _MASK)).all():  # they only repeat the sign
        digits.pop()
    if not digits and not carry.any():
        return Sums(0, np.zeros((1, groups), dtype=np.int64))
    start = 0
    while start < len(digits) and not digits[start].any():
        start += 1
    return Sums(low + start, np.array([*digits[start:], carry], dtype=np.int64))


def _places_of(sums: Sums) -> dict[int, Array]:
    return {sums.low + at: digit for at, digit in enumerate(sums.digits)}


def add(first: Sums, second: Sums) -> Sums:
    """Return the sums of both, group by group."""
    places = _places_of(first)
    for place, digit in _places_of(second).items():
        _add(places, place, digit)
    return _carried(places, first.digits.shape[1])


def regroup(sums: Sums, starts: Array) -> Sums:
    """Return the sums of groups of groups; ``starts`` as for `add_up`."""
    np = load_numpy()
    places = {place: np.add.reduceat(digit, starts) for place, digit in _places_of(sums).items()}
    return _carried(places, len(starts))


def join(parts: Sequence[Sums]) -> Sums:
    """Return the groups of all, one after the other."""
    np = load_numpy()
    low = min(part.low for part in parts)
    top = max(part.low + len(part.digits) for part in parts)
    columns = []
    for part in parts:
        groups = part.digits.shape[1]
        above = np.tile(part.digits[-1] & _MASK, (top - part.low - len(part.digits), 1))
        signed = part.digits[-1:]
        body = (
            part.digits[:-1]
            if len(above) == 0
            else np.concatenate([part.digits[:-1], part.digits[-1:] & _MASK, above[1:]])
        )
        below = np.zeros((part.low - low, groups), dtype=np.int64)
        columns.append(np.concatenate([below, body, signed]))
    whole = np.concatenate(columns, axis=1)
    return _carried(_places_of(Sums(low, whole)), whole.shape[1])


def take(sums: Sums, groups: Array) -> Sums:
    """Return some groups: indices, or True for each that is wanted."""
    digits = sums.digits[:, groups]
    return _carried(_places_of(Sums(sums.low, digits)), digits.shape[1])


# --- Rounding ------------------------------------------------------------------------------------


def integers(sums: Sums) -> tuple[list[int], int]:
    """Return whole numbers and the power of two that each is to be multiplied with."""
    digits = sums.digits.tolist()
    whole = digits[-1]
    for digit in reversed(digits[:-1]):
        whole = [(above << BITS) | below for above, below in zip(whole, digit, strict=True)]
    return whole, BITS * sums.low


def means(sums: Sums, counts: Array) -> Array:
    """Return each sum divided by its count: the nearest double, half to even; 0 counts give NaN.

    A result that no double reaches is infinite.
    """
    np = load_numpy()
    whole, exponent = integers(sums)
    return np.array(
        [
            ratio(number, count, exponent) if count else float("nan")
            for number, count in zip(whole, counts.tolist(), strict=True)
        ],
        dtype=np.float64,
    )


def totals(sums: Sums) -> Array:
    """Return each sum as the nearest double; one that no double reaches is infinite."""
    np = load_numpy()
    return means(sums, np.ones(sums.digits.shape[1], dtype=np.int64))


def ratio(number: int, divisor: int, exponent: int = 0) -> float:
    """Return ``number / divisor * 2**exponent`` as the nearest double, half to even."""
    if exponent >= 0:
        number <<= exponent
    else:
        divisor <<= -exponent
    try:
        return number / divisor  # of whole numbers Python rounds the quotient once
    except OverflowError:
        return float("-inf") if number < 0 else float("inf")


def deviations(sums: Sums, squares: Sums, counts: Array) -> Array:
    """Return the standard deviation of each group, as of a sample; below 2 values it is NaN."""
    np = load_numpy()
    found = []
    numbers, exponent = integers(sums)
    powers, double = integers(squares)
    for number, power, count in zip(numbers, powers, counts.tolist(), strict=True):
        if count < 2:
            found.append(float("nan"))
            continue
        # count * power - number**2, both at the lower of the two exponents
        low = min(double, 2 * exponent)
        spread = (count * power << (double - low)) - (number * number << (2 * exponent - low))
        found.append(_root(spread, count * (count - 1), low))
    return np.array(found, dtype=np.float64)


def _root(number: int, divisor: int, exponent: int) -> float:
    """Return the root of ``number / divisor * 2**exponent``, the nearest double.

    ``exponent`` is even.
    """
    if number == 0:
        return 0.0
    # 128 bits of the quotient give 64 of the root; whether anything is left decides a tie.
    shift = max(0, 130 + divisor.bit_length() - number.bit_length())
    shift += shift & 1
    quotient, rest = divmod(number << shift, divisor)
    root = isqrt(quotient)
    left = 1 if rest or root * root != quotient else 0
    return ratio(2 * root + left, 2, (exponent - shift) // 2)


def of(value: Any) -> tuple[int, int]:
    """Return a finite number as a whole number and a power of two."""
    top, bottom = value.as_integer_ratio()
    return top, 1 - bottom.bit_length()
