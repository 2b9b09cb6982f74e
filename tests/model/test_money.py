"""Money: what is a decimal, what parts cost, and sums that stay exact and apart by currency."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import InvalidError
from twincli.model import money
from twincli.model.money import Part, Sums

DECIMALS = st.from_regex(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?", fullmatch=True)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("45.99", "45.99"),
        ("0", "0"),
        ("0.000000001", "0.000000001"),
        ("999999999999999999.999999999", "999999999999999999.999999999"),
        (2, "2"),
        (45.99, "45.99"),
    ],
)
def test_decimals(value: Any, wanted: str) -> None:
    assert money.decimal(value) == Decimal(wanted)


@pytest.mark.parametrize(
    "value",
    [
        *("", " 1", "1 ", "-1", "+1", "01", ".5", "1.", "1e3", "1,5", "1_000", "1.0000000001"),
        *(
            "NaN",
            "Infinity",
            "one",
            "$5",
            "\u0663",
            "\uff11\uff12",
            "1\n",
            "1000000000000000000",
            "0x10",
        ),
        *(True, None, [], {}, 1e300, float("nan"), float("inf"), 1e-7, -1, 10**18),
    ],
)
def test_what_is_not_a_decimal(value: Any) -> None:
    assert money.decimal(value) is None


def test_huge_integers_are_not_written_out() -> None:
    assert money.decimal(10**5000) is None


def test_parts() -> None:
    assert money.part("MERV-13-filter:1:45.99") == Part("MERV-13-filter", "1", "45.99")
    assert money.part("oil:4.5") == Part("oil", "4.5")
    assert money.part(" drain tablets :2:0") == Part("drain tablets", "2", "0")


@pytest.mark.parametrize(
    "text",
    [
        *("", "filter", ":1", " :1:2", "filter:", "filter:one", "filter:one:2", "filter:1:two"),
        *("filter:1:", "filter::1", "a:1:2:3", "filter:0", "filter:0.0:1", "filter:-1", "f:1:-2"),
        *("filter:1e2", "filter:1:1,50", "filter: 1", "x:1:" + "9" * 5000),
    ],
)
def test_what_is_not_a_part(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        money.part(text)
    assert caught.value.code == "invalid_amount"
    assert caught.value.hint
    assert len(caught.value.message) < 300


def test_currencies() -> None:
    assert money.currency("USD") == "USD"
    for wrong in ("usd", "US", "USDT", "€", "", None, 7, "ÄÖÜ", "USD\n"):
        with pytest.raises(InvalidError, match="not a currency"):
            money.currency(wrong)


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        (["filter:1:45.99", "tablets:2:8.99"], "63.97"),
        (["filter:1"], None),
        ([], None),
        (["filter:2:8.50", "bolt:7"], "17.00"),
        (["oil:1.0:45.99"], "45.99"),
        (["oil:0.5:8.99"], "4.495"),
        (["bolt:10:0.1"], "1.0"),
        (["a:3:0.1", "b:1:5"], "5.3"),
        (["a:0.5:2"], "1"),
        (["gift:1:0"], "0"),
        (["a:999999999999999999:999999999999999999"], "999999999999999998000000000000000001"),
    ],
)
def test_totals(parts: list[str], wanted: str | None) -> None:
    assert money.total([money.part(text) for text in parts]) == wanted


def test_sums_keep_currencies_apart() -> None:
    sums = Sums()
    assert sums.add("USD", "0.10")
    assert sums.add("USD", 0.2)
    assert sums.add("EUR", "5", "3")
    assert sums.add(None, "7.50")
    assert not sums.add("USD", "much")
    assert not sums.add("USD", "1", None)
    assert list(sums.items()) == [("EUR", "15"), ("USD", "0.30"), (None, "7.50")]


@given(st.lists(st.tuples(DECIMALS.filter(lambda text: Decimal(text) > 0), DECIMALS), max_size=100))
def test_totals_are_exact(amounts: list[tuple[str, str]]) -> None:
    found = money.total([Part("x", *pair) for pair in amounts])
    wanted = sum((Fraction(count) * Fraction(cost) for count, cost in amounts), Fraction(0))
    if not amounts:
        assert found is None
        return
    assert found is not None
    assert Fraction(found) == wanted
    assert "E" not in found
    # Not fewer decimals than the costs have.
    most = max(len(cost.partition(".")[2]) for _, cost in amounts)
    assert len(found.partition(".")[2]) >= most


@given(st.text())
def test_a_part_is_refused_or_sound(text: str) -> None:
    try:
        found = money.part(text)
    except InvalidError as error:
        assert error.code == "invalid_amount"  # noqa: PT017
        return
    assert money.decimal(found.quantity)
    assert found.cost is None or money.decimal(found.cost) is not None
