"""Owner expressions: what people write, and the conditions that come of it."""

from __future__ import annotations

import contextlib
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.crypto import conditions
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ExitCode, NotFoundError, UsageError
from twincli.model import owners
from twincli.model.owners import Group, Party

A, B, C = Party("a"), Party("b"), Party("c")


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("a", A),
        ("  a ", A),
        ("(a)", A),
        ("((a))", A),
        ("all:a,b", Group(2, (A, B))),
        ("any:a,b", Group(1, (A, B))),
        ("2of:a,b,c", Group(2, (A, B, C))),
        ("02of:a,b", Group(2, (A, B))),
        (" all: a , b ", Group(2, (A, B))),
        ("(all:a,b)", Group(2, (A, B))),
        ("any:a,(2of:b,c,a)", Group(1, (A, Group(2, (B, C, A))))),
        ("any:(all:a,b),(all:b,c)", Group(1, (Group(2, (A, B)), Group(2, (B, C))))),
        ("all:(any:a,b),c", Group(2, (Group(1, (A, B)), C))),
        ("any:a,all:b,c", Group(1, (A, Group(2, (B, C))))),
        ("all:a", A),
        ("1of:(a)", A),
        ("did:key:z6Mk", Party("did:key:z6Mk")),
        ("any:did:key:z6Mk,key:car", Group(1, (Party("did:key:z6Mk"), Party("key:car")))),
        ("of", Party("of")),
        ("of:a", Party("of:a")),
        ("all", Party("all")),
        ("alloy", Party("alloy")),
        ("²of:a,b", None),
        ("Zoë", Party("Zoë")),
    ],
)
def test_parse(text: str, parsed: owners.Owners | None) -> None:
    if parsed is None:  # not a number, so it is a name, and a name has no comma
        with pytest.raises(UsageError):
            owners.parse(text)
    else:
        assert owners.parse(text) == parsed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("a,b", "',b' is left over"),
        ("a)", "')' is left over"),
        ("(a", "a parenthesis is not closed"),
        ("(a,b)", "a list in parentheses needs"),
        ("any:(a,all:b,c)", "a list in parentheses needs"),
        ("()", "a name is missing"),
        ("all:", "a name is missing"),
        ("all:a,", "a name is missing"),
        ("all:,a", "a name is missing"),
        ("any:a,(", "a name is missing"),
        ("3of:a,b", "asks for 3 of 2, which no signatures could satisfy"),
        ("0of:a,b", "asks for 0 of 2"),
        ("2of:a", "asks for 2 of 1"),
        ("all:" + ",".join("a" * 101), "a threshold is at most 100"),
        ("(" * 60 + "a" + ")" * 60, "nested too deeply"),
        ("any:(" * 60 + "a" + ")" * 60, "nested too deeply"),
    ],
)
def test_what_is_no_expression(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        owners.parse(text)
    assert why in caught.value.message
    assert caught.value.code == "bad_owners"
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint is not None


KEYS = {name: KeyPair(name.encode() * 32).public_key for name in "abcdef"}
NAMES = {key: name for name, key in KEYS.items()}


def test_details_and_names() -> None:
    parsed = owners.parse("any:a,(2of:b,c,a)")
    assert list(owners.names(parsed)) == ["a", "b", "c", "a"]
    key = {name: conditions.key_details(KEYS[name]) for name in "abc"}
    inner = conditions.threshold_details(2, [key["b"], key["c"], key["a"]])
    assert owners.to_details(parsed, KEYS.__getitem__) == conditions.threshold_details(
        1, [key["a"], inner]
    )


def test_an_unknown_name_is_the_callers_error() -> None:
    def nobody(name: str) -> str:
        raise NotFoundError(f"there is no {name}")

    with pytest.raises(NotFoundError, match="there is no b"):
        owners.to_details(owners.parse("b"), nobody)


def test_of_keys_is_what_the_drivers_make() -> None:
    assert owners.of_keys(["x"]) == conditions.key_details("x")
    both = [conditions.key_details("x"), conditions.key_details("y")]
    assert owners.of_keys(["x", "y"]) == conditions.threshold_details(2, both)


@pytest.mark.parametrize(
    "text", ["a", "all:a,b", "any:a,b", "2of:a,b,c", "any:a,(2of:b,c,(all:d,e))"]
)
def test_to_text_is_what_was_written(text: str) -> None:
    details = owners.to_details(owners.parse(text), KEYS.__getitem__)
    assert owners.to_text(details, NAMES.__getitem__) == text


def test_text_of_foreign_details() -> None:
    key = conditions.key_details(KEYS["a"])
    odd: list[tuple[dict[str, Any], str]] = [
        (conditions.threshold_details(1, [key]), "any:a"),
        (conditions.threshold_details(3, [key, key]), "3of:a,a"),
    ]
    for details, text in odd:
        assert owners.to_text(details, NAMES.__getitem__) == text


EXPRESSIONS = st.recursive(
    st.sampled_from(sorted(KEYS)).map(Party),
    lambda members: st.lists(members, min_size=2, max_size=4).flatmap(
        lambda of: st.integers(1, len(of)).map(lambda number: Group(number, tuple(of)))
    ),
    max_leaves=10,
)


def details_as_written(expression: owners.Owners) -> dict[str, Any]:
    """Return details without a look at keys that are named twice."""
    if isinstance(expression, Party):
        return conditions.key_details(KEYS[expression.name])
    parts = [details_as_written(member) for member in expression.members]
    return conditions.threshold_details(expression.threshold, parts)


def signatures(details: dict[str, Any]) -> int:
    """Return how many leaves must be signed at least."""
    if details["type"] == "ed25519-sha-256":
        return 1
    return sum(sorted(map(signatures, details["subconditions"]))[: details["threshold"]])


@given(EXPRESSIONS)
def test_nobody_counts_twice(expression: owners.Owners) -> None:
    details = details_as_written(expression)
    signers = min(
        count
        for count in range(1, len(KEYS) + 1)
        if any(conditions.can_fulfil(details, some) for some in combinations(KEYS.values(), count))
    )
    made = None
    with contextlib.suppress(UsageError):
        made = owners.to_details(expression, KEYS.__getitem__)
    if made is not None:
        assert made == details
        assert signers == signatures(details)


@pytest.mark.parametrize(
    "text",
    [
        "2of:a,a,b",
        "all:a,a",
        "all:a,(any:a,b)",
        "2of:(any:b,c),(any:c,d),a",
        "any:d,(2of:a,b,(2of:c,d,a))",
    ],
)
def test_one_key_twice_where_several_must_sign(text: str) -> None:
    with pytest.raises(UsageError, match="would count as two") as caught:
        owners.to_details(owners.parse(text), KEYS.__getitem__)
    assert caught.value.code == "bad_owners"
    assert caught.value.hint


def test_two_names_of_one_key_are_one_key() -> None:
    with pytest.raises(UsageError, match="alice and ally are one key"):
        owners.to_details(owners.parse("all:alice,ally"), lambda _: KEYS["a"])


@pytest.mark.parametrize("text", ["any:a,a", "any:a,(all:b,c),(all:b,d)", "any:a,(all:a,b)"])
def test_one_key_twice_where_one_suffices(text: str) -> None:
    assert owners.to_details(owners.parse(text), KEYS.__getitem__)


@given(EXPRESSIONS)
def test_text_and_back(expression: owners.Owners) -> None:
    details = details_as_written(expression)
    text = owners.to_text(details, NAMES.__getitem__)
    assert owners.parse(text) == expression
    assert details_as_written(owners.parse(text)) == details
    assert conditions.is_satisfiable(details)


@given(st.text("ab:,()of2 al", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parsed = owners.parse(text)
    except UsageError:
        return
    assert all(name.strip() == name != "" for name in owners.names(parsed))
