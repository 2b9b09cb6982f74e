"""Decimals as texts: what parts cost, and how many were used.

Amounts are never floats: ``45.99`` is a text on the ledger and a decimal here. Sums are exact, and
only of amounts in one currency.
"""

from __future__ import annotations

from twincli.errors import InvalidError, shown
from twincli.values import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Context, Decimal

_DECIMAL = r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,9})?"
_CURRENCY = "[A-Z]{3}"


class Part(NamedTuple):
    """Something that was used up or built in.

    Attributes:
        name: What.
        quantity: How many or how much, a decimal.
        cost: Of one, a decimal; None: not stated.
    """

    name: str
    quantity: str
    cost: str | None = None


def decimal(value: object) -> Decimal | None:
    """Return an amount, None for what is not a decimal from 0 with 18 and 9 digits at most.

    Args:
        value: A text; of a JSON number the digits that were written.
    """
    import re
    from decimal import Decimal

    if type(value) is float or (type(value) is int and value.bit_length() <= 64):
        value = str(value)
    if not isinstance(value, str) or not re.fullmatch(_DECIMAL, value):
        return None
    return Decimal(value)


def part(text: str) -> Part:
    """Return the part in ``NAME:QUANTITY[:COST]``.

    Raises:
        InvalidError: ``invalid_amount``.
    """
    name, *amounts = text.split(":")
    name = name.strip()
    if not name or not 1 <= len(amounts) <= 2:
        raise InvalidError(
            f"{shown(text)} is not a part",
            code="invalid_amount",
            hint="write NAME:QUANTITY or NAME:QUANTITY:COST, as in oil-filter:1:45.99",
        )
    return checked(Part(name, *amounts))


def checked(item: Part) -> Part:
    """Return a part whose amounts are decimals.

    Raises:
        InvalidError: ``invalid_amount``.
    """
    quantity = decimal(item.quantity)
    if not quantity:  # 0, too
        raise _wrong(item.quantity, f"a quantity of {item.name}")
    if item.cost is not None and decimal(item.cost) is None:
        raise _wrong(item.cost, f"the cost of {item.name}")
    return item


def _wrong(value: object, what: str) -> InvalidError:
    return InvalidError(
        f"{shown(value)} is not {what}",
        code="invalid_amount",
        hint="write a plain decimal such as 2 or 45.99, without a sign, commas or a currency",
    )


def currency(text: object) -> str:
    """Return a currency.

    Raises:
        InvalidError: ``invalid_amount``.
    """
    import re

    if not isinstance(text, str) or not re.fullmatch(_CURRENCY, text):
        raise InvalidError(
            f"{shown(text)} is not a currency",
            code="invalid_amount",
            hint="write its three letters, such as USD or EUR",
        )
    return text


def total(parts: Iterable[Part]) -> str | None:
    """Return what parts cost together, None where no cost is stated.

    It has as many decimals as the costs have, more only where a quantity asks for them.
    """
    sums = Sums()
    for item in parts:
        if item.cost is not None:
            sums.add(None, item.cost, item.quantity)
    return next((text for _, text in sums.items()), None)


class Sums:
    """Sums of amounts, one for each currency and one for amounts without."""

    def __init__(self) -> None:
        self._sums: dict[str | None, Decimal] = {}
        self._digits: dict[str | None, int] = {}

    def add(self, unit: str | None, cost: object, quantity: object = "1") -> bool:
        """Add an amount; return False, and add nothing, where it is not a decimal."""
        price, count = decimal(cost), decimal(quantity)
        if price is None or count is None:
            return False
        exact = _exact()
        added = exact.multiply(price, count)
        self._sums[unit] = exact.add(self._sums.get(unit, exact.create_decimal(0)), added)
        self._digits[unit] = max(self._digits.get(unit, 0), _decimals(price))
        return True

    def items(self) -> Iterator[tuple[str | None, str]]:
        """Yield currencies, amounts without one last, and their sums as texts."""
        for unit in sorted(self._sums, key=lambda unit: (unit is None, unit)):
            text = format(self._sums[unit], "f")
            while _decimals_of(text) > self._digits[unit] and text[-1] == "0":
                text = text[:-1]
            yield unit, text.removesuffix(".")


def _exact() -> Context:
    """Return the arithmetic: of 10**20 amounts of 18 and 9 digits nothing is rounded."""
    from decimal import Context, Inexact

    return Context(prec=80, traps=[Inexact])


def _decimals(value: Decimal) -> int:
    exponent: Any = value.as_tuple().exponent
    return int(-exponent)


def _decimals_of(text: str) -> int:
    return len(text.partition(".")[2])
