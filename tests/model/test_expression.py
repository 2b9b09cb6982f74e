"""The expression language: what it reads, what it answers, where it says a text is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import InvalidError
from twincli.model import expression
from twincli.model.expression import (
    And,
    Compare,
    Exists,
    Node,
    Not,
    Number,
    Or,
    Quantity,
    Text,
    Time,
    Truth,
    has_quantity,
    parse,
    predicate,
    text_of,
    without_quantities,
)

CAR = {
    "vin": "1HGCM82633A004352",
    "facility": "Plant-A",
    "power": {"hp": 220, "engine": 2.5},
    "active": True,
    "tags": ["organic", "fair-trade", 5, True],
    "made": "2024-01-20",
    "seen": "2024-01-20T10:00:00+01:00",
    "city": "Straße nach Ångström",
    "nothing": None,
    "mileage": 12000,
}


def holds(text: str, document: dict[str, Any] = CAR) -> bool:
    return predicate(parse(text))(document)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("facility = Plant-A", Compare(("facility",), "=", (Text("Plant-A"),))),
        ("power.hp>200", Compare(("power", "hp"), ">", (Number(200),))),
        ("a=1 or b=2 and not c=3", None),
        ("x = 'it\\'s'", Compare(("x",), "=", (Text("it's"),))),
        ('x = "200"', Compare(("x",), "=", (Text("200"),))),
        ("x = 200 hp", Compare(("x",), "=", (Quantity("200", "hp"),))),
        ("x = 250h", Compare(("x",), "=", (Quantity("250", "h"),))),
        ("x = 5kg", Compare(("x",), "=", (Text("5kg"),))),
        ("x > -2.5 %", Compare(("x",), ">", (Quantity("-2.5", "%"),))),
        ("x = 007", Compare(("x",), "=", (Text("007"),))),
        ("x = 1e3", Compare(("x",), "=", (Number(1000.0),))),
        ("x = true", Compare(("x",), "=", (Truth(True),))),
        ("x = 2024-01-20", Compare(("x",), "=", (Time(1705708800000),))),
        ("x = 2024-001", Compare(("x",), "=", (Text("2024-001"),))),
        ("x = 2024-13-20", Compare(("x",), "=", (Text("2024-13-20"),))),
        ("x ~ 2024-01-20", Compare(("x",), "~", (Text("2024-01-20"),))),
        ("x in (a, 'b', 3)", Compare(("x",), "in", (Text("a"), Text("b"), Number(3)))),
        ("x has a", Compare(("x",), "has", (Text("a"),))),
        ("exists(power.hp)", Exists(("power", "hp"))),
        ("x = -0.5", Compare(("x",), "=", (Number(-0.5),))),
    ],
)
def test_what_is_read(text: str, tree: Any) -> None:
    if tree is None:
        one, two, three = (parse(f"{name}={n}") for n, name in enumerate("abc", 1))
        tree = Or((one, And((two, Not(three)))))
    assert parse(text) == tree


@pytest.mark.parametrize(
    "text",
    [
        "facility = Plant-A",
        "facility = 'Plant-A' and power.hp > 200",
        "facility = Plant-B or power.hp >= 220",
        "not facility = Plant-B",
        "not (power.missing > 5)",
        "not power.missing != 5",
        "active = true",
        "active != false",
        "tags has organic",
        "tags has 5",
        "tags has true",
        "facility in (Plant-B, Plant-A)",
        "made = 2024-01-20",
        "seen = 2024-01-20T09:00:00Z",
        "seen >= 2024-01-20 and seen < 2024-01-21",
        "made = '2024-01-20'",
        "city ~ STRASSE",
        "city ~ angstrom",
        "facility ~ plant",
        "exists(power.hp) and not exists(nothing)",
        "power.engine = 2.5",
        "power.hp = 220.0",
        "vin > 1H",
        "((((mileage = 12000))))",
        "mileage in (1, 12000)",
    ],
)
def test_what_holds(text: str) -> None:
    assert holds(text)
    assert not holds(f"not ({text})")


@pytest.mark.parametrize(
    "text",
    [
        "missing = 1",
        "missing != 1",
        "nothing = x",
        "nothing != x",
        "power = 220",
        "power.hp = '220'",
        "power.hp != '220'",
        "active = 1",
        "mileage = true",
        "facility = plant-a",
        "facility has Plant-A",
        "tags = organic",
        "tags ~ organic",
        "tags has 1",
        "power.hp.x = 1",
        "facility > 2024-01-20",
        "facility < 5",
        "mileage in (1, 2)",
    ],
)
def test_what_does_not_hold(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "at", "part"),
    [
        ("", 1, "empty"),
        ("   ", 1, "empty"),
        ("facility =", 11, "expected a value after '='"),
        ("facility", 9, "after 'facility'"),
        ("facility Plant", 10, "after 'facility'"),
        ("= 5", 1, "name of a field"),
        ("a = x b = 2", 7, "unexpected 'b'"),
        ("a = 1 and", 10, "name of a field, not the end"),
        ("(a = 1", 1, "never closed"),
        ("a = 1)", 6, "unexpected ')'"),
        ("a = 'x", 5, "never closed"),
        ("a ! 5", 3, "unexpected '!'"),
        ("a == 5", 4, "expected a value"),
        ("a in 5", 6, "expected '('"),
        ("a in ()", 7, "expected a value"),
        ("a in (1 2", 10, "','"),
        ("a..b = 1", 1, "empty"),
        (".a = 1", 1, "empty"),
        ("system(x)", 1, "there is no system()"),
        ("exists(", 8, "takes the name"),
        ("(a = x y = 2)", 8, "expected ')'"),
        ("exists(a", 9, "expected ')'"),
        ("a < true", 3, "does not compare"),
        ("not", 4, "the end"),
        ("and = 5", 1, "name of a field"),
        ("a = 1e999", 5, "too large"),
        ("a = 123456789012345678901", 5, "too large"),
        ("not " * 40 + "a = 1", 129, "nests deeper"),
        ("(" * 40 + "a = 1", 33, "nests deeper"),
    ],
)
def test_where_it_is_wrong(text: str, at: int, part: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse(text)
    assert caught.value.code == "invalid_expression"
    assert f"at character {at}:" in caught.value.message
    assert part in caught.value.message


def test_length_is_bounded() -> None:
    with pytest.raises(InvalidError, match="at most 4096"):
        parse("a = " + "x" * 5000)


def test_a_unit_is_converted_by_who_knows_the_field() -> None:
    node = parse("mileage > 7000 km")
    with pytest.raises(InvalidError, match="has no unit"):
        predicate(node)

    def miles(path: tuple[str, ...], quantity: Quantity) -> float:
        assert path == ("mileage",)
        assert quantity == Quantity("7000", "km")
        return 7000 / 1.609344

    assert predicate(node, miles)({"mileage": 5000})
    assert not predicate(node, miles)({"mileage": 4000})


def test_quantities_are_replaced_where_the_field_has_a_unit() -> None:
    def convert(path: tuple[str, ...], quantity: Quantity) -> float:
        if path != ("x",):
            raise InvalidError("no unit", code="unit_mismatch")
        return float(quantity.number) * 1000

    node = parse("not (x = 2 km) and (y in (3 m, 4) or exists(z)) and a = 1")
    assert has_quantity(node)
    plain_node = without_quantities(node, convert)
    assert not has_quantity(plain_node)
    x, y = Compare(("x",), "=", (Number(2000.0),)), Compare(("y",), "in", (Number(4),))
    a = Compare(("a",), "=", (Number(1),))
    assert plain_node == And((Not(x), Or((y, Exists(("z",)))), a))
    nothing = without_quantities(parse("y = 3 m"), convert)
    assert not predicate(nothing)({"y": 3})
    assert predicate(Not(nothing))({})


@given(st.text(alphabet="ab=<>!~()'\",. \\1-0notndrhase", max_size=60))
def test_any_text_is_answered_or_refused_with_a_position(text: str) -> None:
    try:
        node = parse(text)
    except InvalidError as error:
        fault = error
    else:
        assert predicate(node, lambda _path, _quantity: 5)(CAR) in {True, False}
        return
    assert fault.code == "invalid_expression"
    assert "at character " in fault.message


NAMES = st.sampled_from([("a",), ("b", "c"), ("exists",), ("x-y", "and"), ("5",), ("ä\\",)])
TEXTS = st.text(alphabet="ab'\"\\\n (),=ä\u2028", max_size=6)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False).map(Number)
QUANTITIES = st.sampled_from(
    [Quantity("007", "h"), Quantity("1e3", "h"), Quantity("-2.5", "%"), Quantity("2", "ms")]
)
MOMENTS = st.integers(-62_135_596_800_000, 253_402_300_799_999).map(Time)
ORDERED = st.one_of(
    TEXTS.map(Text),
    DOUBLES,
    st.integers(-(10**19) + 1, 10**20 - 1).map(Number),
    MOMENTS,
    QUANTITIES,
)
VALUES = st.one_of(ORDERED, st.booleans().map(Truth))
COMPARISONS = st.one_of(
    st.builds(Compare, NAMES, st.sampled_from(["=", "!=", "has"]), st.tuples(VALUES)),
    st.builds(Compare, NAMES, st.sampled_from(["<", "<=", ">", ">="]), st.tuples(ORDERED)),
    st.builds(Compare, NAMES, st.just("~"), st.tuples(TEXTS.map(Text))),
    st.builds(Compare, NAMES, st.just("in"), st.lists(VALUES, min_size=1, max_size=3).map(tuple)),
)
TREES: st.SearchStrategy[Node] = st.recursive(
    st.one_of(COMPARISONS, st.builds(Exists, st.one_of(NAMES, st.just(("and",))))),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=12,
)


@given(TREES)
def test_what_is_written_is_read_as_the_same(node: Node) -> None:
    assert parse(text_of(node)) == node


@given(st.text(alphabet="ab=<>!~()'\",. \\1-0notndrhase", max_size=60))
def test_what_was_read_is_written_no_deeper(text: str) -> None:
    try:
        node = parse("(" * 31 + text + ")" * 31)
    except InvalidError:
        return
    assert parse(text_of(node)) == node


def test_what_never_holds_is_written_so() -> None:
    never = Compare(("a",), ">", ())
    for document in ({}, {"a": 1}, {"a": None}):
        for node in (never, Not(never), And((never, Exists(("a",)))), Or((Exists(("a",)), never))):
            assert predicate(parse(text_of(node)))(document) == predicate(node)(document)


def test_terms_are_counted() -> None:
    assert expression.count(parse("a = 1 and (b in (1, 2, 3) or not exists(c))")) == 5
    assert expression.count(Compare(("a",), "=", ())) == 1


def test_folding_is_that_of_search() -> None:
    assert expression.folded("\u038c\u0394\u039f\u03a3") == "\u03bf\u03b4\u03bf\u03c3"
    assert expression.folded("ﬁre") == "fire"
    assert expression.folded("É") == "e"
