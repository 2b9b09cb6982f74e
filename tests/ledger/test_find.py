"""Finding by what things are: SQL and closure agree, whatever is written and whatever is asked."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.chains import ALICE, BOB, create, owned, spend
from twincli.errors import TwinError
from twincli.ledger import Ledger, field_table
from twincli.model import expression
from twincli.model.expression import And, Compare, Exists, Node, Not, Number, Or, Text, Time, Truth

NAMES = ("a", "b", "c", "a.b", "")
WORD_LIST = [
    *("", "x", "X", "xy", "Straße", "STRASSE", "strasse", "é", "e\u0301", "\x00", "x\x00y"),
    *("2024-01-20", "2024-01-20T00:00:00Z", "2024-01-20T01:00:00+01:00", "2024-13-01"),
    *("\uffff", "\U00010000", "\ud800", "1", "true", "\ufb01", "\u212a", "\u017f", "\u0130", "%"),
]
NUMBER_LIST = [
    *(2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 10**19, 2**70),
    *(0.0, -0.0, 0.1, 1.0, 2.0**53, 9.223372036854775807e18, 1e300, 5e-324),
]
WORDS = st.sampled_from(WORD_LIST)
NUMBERS = st.one_of(st.integers(-3, 3), st.sampled_from(NUMBER_LIST))
PLAIN = st.one_of(WORDS, NUMBERS, st.booleans(), st.none())
DOCUMENTS = st.dictionaries(
    st.sampled_from(NAMES),
    st.recursive(
        PLAIN,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    max_size=4,
)
PATHS = st.lists(st.sampled_from(("a", "b", "c")), min_size=1, max_size=3).map(tuple)
TIMES = st.sampled_from([1705708800000, 1705708800001, 0]).map(Time)
VALUES = st.one_of(WORDS.map(Text), NUMBERS.map(Number), st.booleans().map(Truth), TIMES)


@st.composite
def comparisons(draw: st.DrawFn) -> Compare:
    operator = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~", "in", "has"]))
    values = {
        "in": st.lists(VALUES, max_size=4).map(tuple),
        "~": st.tuples(WORDS.map(Text)),
        "<": st.tuples(st.one_of(WORDS.map(Text), NUMBERS.map(Number), TIMES)),
    }
    name = "<" if operator[0] in "<>" else operator
    return Compare(draw(PATHS), operator, draw(values.get(name, st.tuples(VALUES))))


EXPRESSIONS: st.SearchStrategy[Node] = st.recursive(
    st.one_of(comparisons(), PATHS.map(Exists)),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=5,
)


def answered(documents: list[dict[str, Any]], node: Node) -> list[int] | None:
    """Return which documents SQL finds; None where it has to be asked otherwise."""
    asked = field_table.condition(node)
    if asked is None:
        return None
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(field_table.SCHEMA)
        for number, document in enumerate(documents):
            taken = field_table.leaves(document)
            connection.execute(
                "INSERT INTO field_of VALUES (?, 1, ?, '', '')", (number, taken.is_whole)
            )
            for path, *rest in taken.rows:
                connection.execute("INSERT OR IGNORE INTO field_path (text) VALUES (?)", (path,))
                connection.execute(
                    "INSERT OR IGNORE INTO field SELECT number, ?, ?, ?, ?, ? FROM field_path"
                    " WHERE text = ?",
                    (rest[0], rest[1], number, rest[2], rest[3], path),
                )
        sql = f"SELECT asset FROM field_of WHERE is_whole AND {asked.sql} ORDER BY asset"
        return [row[0] for row in connection.execute(sql, asked.values)]


def agrees(documents: list[dict[str, Any]], node: Node) -> None:
    found = answered(documents, node)
    if found is None:
        return
    holds = expression.predicate(node)
    whole = [n for n, document in enumerate(documents) if field_table.leaves(document).is_whole]
    assert found == [n for n in whole if holds(documents[n])], (node, documents)


@given(st.lists(DOCUMENTS, min_size=1, max_size=5), EXPRESSIONS)
def test_sql_and_closure_agree(documents: list[dict[str, Any]], node: Node) -> None:
    agrees(documents, node)


@pytest.mark.parametrize("value", [Text("a\ud800"), Number(2**63), Number(-(2**70))])
def test_what_sqlite_compares_otherwise_is_not_asked_of_it(value: expression.Value) -> None:
    for operator in ("=", "!="):
        node = Compare(("a",), operator, (value,))
        assert field_table.condition(node) is None
        assert field_table.condition(And((Exists(("a",)), node))) is None
        agrees([{"a": "b"}, {"a": 1}], Not(node))


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param(5_000, marks=pytest.mark.ci),
        pytest.param(100_000, marks=pytest.mark.nightly),
    ],
)
def test_sql_and_closure_agree_on_many(pairs: int) -> None:
    draw = _Draw(random.Random(11))
    for _ in range(pairs // 50):
        documents = [draw.document() for _ in range(10)]
        for _ in range(5):
            agrees(documents, draw.node(3))


class _Draw:
    """Draws what the strategies above do, faster."""

    def __init__(self, source: random.Random) -> None:
        self.source = source
        self.one = source.choice

    def plain(self) -> Any:
        return self.one([*WORD_LIST, *NUMBER_LIST, *range(-3, 4), True, False, None])

    def value(self, depth: int) -> Any:
        kind = self.source.random()
        if depth == 0 or kind < 0.6:
            return self.plain()
        if kind < 0.8:
            return [self.value(depth - 1) for _ in range(self.source.randrange(4))]
        return self.document(depth - 1)

    def document(self, depth: int = 2) -> dict[str, Any]:
        return {self.one(NAMES): self.value(depth) for _ in range(self.source.randrange(5))}

    def path(self) -> tuple[str, ...]:
        return tuple(self.one("abc") for _ in range(self.one([1, 1, 1, 2, 2, 3])))

    def wanted(self) -> expression.Value:
        value = self.plain()
        if value is None:
            return Time(self.one([1705708800000, 1705708800001, 0]))
        if isinstance(value, bool):
            return Truth(value)
        return Text(value) if isinstance(value, str) else Number(value)

    def comparison(self) -> Compare:
        operator = self.one(["=", "!=", "<", "<=", ">", ">=", "~", "in", "has"])
        values = [self.wanted() for _ in range(self.source.randrange(4) if operator == "in" else 1)]
        if operator == "~":
            values = [Text(self.one(WORD_LIST))]
        elif operator[0] in "<>":
            values = [Number(1) if isinstance(one, Truth) else one for one in values]
        return Compare(self.path(), operator, tuple(values))

    def node(self, depth: int) -> Node:
        kind = self.source.random()
        if depth == 0 or kind < 0.4:
            return self.comparison()
        if kind < 0.5:
            return Exists(self.path())
        if kind < 0.7:
            return Not(self.node(depth - 1))
        parts = tuple(self.node(depth - 1) for _ in range(self.source.randrange(1, 4)))
        return And(parts) if kind < 0.85 else Or(parts)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger") as opened:
        yield opened


def found(ledger: Ledger, text: str, **options: Any) -> list[str]:
    return list(ledger.find(expression.parse(text), **options))


def test_facts_with_the_state_over_them(ledger: Ledger) -> None:
    first = create(data={"color": "red", "place": "Bern"}, metadata={"km": 5, "place": "Rome"})
    other = create(data={"color": "red", "twin": {"v": 1, "kind": "asset", "name": "x"}})
    for tx in (first, other):
        ledger.submit(tx)
    assert found(ledger, "color = red") == [first["id"], other["id"]]
    assert found(ledger, "place = Bern") == []
    assert found(ledger, "place = Rome and km < 6") == [first["id"]]
    assert found(ledger, "not exists(km)") == [other["id"]]
    assert found(ledger, "twin.kind = asset") == []
    ledger.submit(spend((first, 0), metadata={"km": 7}))
    assert found(ledger, "km < 6") == []
    assert found(ledger, "km = 7") == [first["id"]]
    assert found(ledger, "color = red", after=first["id"]) == [other["id"]]


def test_a_correction_and_a_split(ledger: Ledger) -> None:
    start = create(data={"n": 1}, metadata={"km": 1}, outputs=[owned(ALICE, amount=10)])
    wrong = spend((start, 0), metadata={"km": 999})
    right = spend(
        (wrong, 0), metadata={"twin": {"v": 1, "kind": "append", "corrects": wrong["id"]}}
    )
    for tx in (start, wrong):
        ledger.submit(tx)
    assert found(ledger, "km = 999") == [start["id"]]
    ledger.submit(right)
    assert found(ledger, "km = 999") == []
    halves = spend((right, 0), outputs=[owned(ALICE, amount=5), owned(BOB, amount=5)])
    ledger.submit(halves)
    ledger.submit(spend((halves, 0), outputs=[owned(ALICE, amount=5)], metadata={"km": 50}))
    assert found(ledger, "km = 1") == [start["id"]]


def test_what_is_too_large_to_take_apart_is_found_all_the_same(ledger: Ledger) -> None:
    deep: dict[str, Any] = {"here": 1}
    for _ in range(60):
        deep = {"d" * 100: deep}
    large: list[dict[str, Any]] = [
        {"n": 1, "list": list(range(2000))},
        {"n": 2, "text": "x" * (field_table.MAX_CHARACTERS + 1)},
        {"n": 3, **{f"member{i}": i for i in range(1500)}},
        {"n": 4, "deep": deep},
    ]
    ids = [create(data=data)["id"] for data in large]
    for data in large:
        assert not field_table.leaves(data).is_whole
        ledger.submit(create(data=data))
    ledger.submit(create(data={"n": 5, "list": [7]}))
    assert found(ledger, "n in (1, 2, 3, 4)") == ids
    assert len(found(ledger, "list has 7")) == 2
    assert found(ledger, "not (n > 2) and member3 = 3") == []
    assert found(ledger, "n > 1 and n < 4 and not exists(text)") == [ids[2]]


def test_two_processes_take_the_same_apart(ledger: Ledger, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger") as second:
        first = create(data={"n": 1}, metadata={"km": 1})
        ledger.submit(first)
        assert found(second, "km = 1") == [first["id"]]
        ledger.submit(spend((first, 0), metadata={"km": 2}))
        assert found(ledger, "km = 2") == [first["id"]]
        assert found(second, "km = 1") == []


def test_what_the_index_says_wrongly_is_not_shown(ledger: Ledger) -> None:
    first = create(data={"n": 1})
    ledger.submit(first)
    assert found(ledger, "n = 1") == [first["id"]]
    ledger.plain_index.connection.execute("UPDATE field SET value = 2")
    assert found(ledger, "n = 2") == []
    findings = ledger.verify_index() or []
    assert [code for _, code, _ in findings] == ["damaged_index"]


def test_an_interrupted_catch_up_goes_on(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    from twincli.ledger import find

    monkeypatch.setattr(find, "TAKEN", 2)
    ledger.submit_many([create(number) for number in range(5)])
    seen: list[tuple[int, int]] = []

    def stop(done: int, whole: int) -> None:
        seen.append((done, whole))
        if len(seen) == 2:
            ledger.interrupt()

    with pytest.raises(TwinError, match="interrupted"):
        found(ledger, "number = 3", progress=stop)
    ledger._is_interrupted = False
    assert len(found(ledger, "number >= 1", progress=stop)) == 4
    assert seen == [(2, 5), (4, 5), (2, 5), (4, 5), (5, 5)]


def test_templates_in_use(ledger: Ledger) -> None:
    def made(number: int, **pin: str) -> dict[str, Any]:
        return create(data={"n": number, "twin": {"v": 1, "kind": "asset", **pin}})

    plain, first = made(0), made(1, template="pump-v1", template_cid="bafy1")
    second = made(2, template="pump-v2", template_cid="bafy2")
    for tx in (plain, first, second):
        ledger.submit(tx)
    assert [pin[:2] for pin in ledger.pinned()] == [("pump-v1", "bafy1"), ("pump-v2", "bafy2")]
    assert found(ledger, "n >= 0", template_cid="bafy2") == [second["id"]]
    assert found(ledger, "n >= 0", template_cid="") == [plain["id"]]


def test_an_index_that_lies_about_templates_is_not_believed(ledger: Ledger) -> None:
    pin = {"template": "pump-v1", "template_cid": "bafy1"}
    held = create(data={"n": 0, "twin": {"v": 1, "kind": "asset", **pin}})
    plain = create(data={"n": 1})
    large = create(data={"n": 2, "many": {str(n): n for n in range(3000)}})
    for tx in (held, plain, large):
        ledger.submit(tx)
    assert found(ledger, "n >= 0", template_cid="bafy1") == [held["id"]]
    ledger.plain_index.connection.execute(
        "UPDATE field_of SET template = 'pump-v1', template_cid = 'bafy1'"
    )
    assert found(ledger, "n >= 0", template_cid="bafy1") == [held["id"]]
    assert found(ledger, "n >= 0 or not exists(x)", template_cid="bafy1") == [held["id"]]


def test_an_index_that_is_rebuilt_meanwhile_loses_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli.ledger import find

    monkeypatch.setattr(find, "TAKEN", 2)
    monkeypatch.setattr(find, "PAGE", 2)
    txs = [create(number) for number in range(7)]
    ledger.submit_many(txs)
    seen: list[int] = []

    def damaged(done: int, _whole: int) -> None:
        seen.append(done)
        if len(seen) == 2:
            ledger.plain_index.rebuild()

    ids = [tx["id"] for tx in txs]
    assert found(ledger, "number >= 0", progress=damaged) == ids
    assert seen == [2, 4, 2, 4, 6, 7]
    listed = ledger.find(expression.parse("number >= 0"))
    begun = [next(listed) for _ in range(3)]
    ledger.plain_index.rebuild()
    assert [*begun, *listed] == ids


def test_what_is_written_meanwhile_is_not_taken_for_indexed(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the ledger loses its newest transactions, the index goes by its own mark."""
    ledger.submit(create(1))
    index = ledger.plain_index
    reached = index.catch_up

    def late() -> int:
        until = reached()
        ledger.submit(create(2))
        return until

    monkeypatch.setattr(index, "catch_up", late)
    found(ledger, "number = 1")
    [(until,)] = index.fetched("SELECT seq FROM found_until")
    assert until == index.mark()
