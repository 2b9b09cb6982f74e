"""The named tuples of `twincli.values` behave as those of ``typing``."""

from __future__ import annotations

import copy
import pickle
from typing import Any, NamedTuple

import pytest

from twincli import values


class Usual(NamedTuple):
    name: str
    amount: int = 1
    note: str | None = None

    @property
    def double(self) -> int:
        return 2 * self.amount


class Quick(values.NamedTuple):
    name: str
    amount: int = 1
    note: str | None = None

    @property
    def double(self) -> int:
        return 2 * self.amount


class Lone(values.NamedTuple):
    only: int


BOTH = pytest.mark.parametrize("made", [Usual, Quick])


def define() -> Any:
    """Return a class without values yet, whose ``__new__`` is not the usual one."""

    class Fresh(values.NamedTuple):
        name: str
        amount: int = 1
        note: str | None = None

        @property
        def double(self) -> int:
            return 2 * self.amount

    return Fresh


@pytest.mark.parametrize("made", [Usual, Quick, define()])
@pytest.mark.parametrize("_time", range(10))
def test_it_takes_values_by_place_and_by_name(made: Any, _time: int) -> None:
    assert made("a") == ("a", 1, None)
    assert made(amount=2, name="b") == ("b", 2, None)
    value = made("c", 3, note="n")
    assert (value.name, value.amount, value.note, value.double) == ("c", 3, "n", 6)
    assert type(value) is made
    assert not hasattr(value, "__dict__")


@BOTH
@pytest.mark.parametrize(
    ("given", "named"), [((), {}), ((1, 2, 3, 4), {}), (("a",), {"name": 1}), (("a",), {"no": 1})]
)
def test_it_refuses_other_values(made: Any, given: tuple[object, ...], named: Any) -> None:
    for class_ in (made, define()):
        for _ in range(2):
            with pytest.raises(TypeError):
                class_(*given, **named)
        assert class_("a", note="n") == ("a", 1, "n")


@BOTH
def test_its_members_are_those_of_a_named_tuple(made: Any) -> None:
    value = made("a", 2)
    assert made._fields == made.__match_args__ == ("name", "amount", "note")
    assert made._field_defaults == {"amount": 1, "note": None}
    assert value._asdict() == {"name": "a", "amount": 2, "note": None}
    assert value._replace(amount=5) == ("a", 5, None)
    assert made._make(["x", 1, None]) == made("x")
    assert repr(value) == f"{made.__name__}(name='a', amount=2, note=None)"
    with pytest.raises(TypeError):
        made._make(["x"])
    with pytest.raises((TypeError, ValueError)):
        value._replace(no=1)
    with pytest.raises(AttributeError):
        value.name = "b"


@BOTH
def test_it_can_be_copied_pickled_and_matched(made: Any) -> None:
    value = made("a", 2, "n")
    assert pickle.loads(pickle.dumps(value)) == value
    assert type(copy.copy(value)) is made
    match value:
        case made(name, amount):
            assert (name, amount) == ("a", 2)
        case _:
            pytest.fail("not matched")


def test_one_field_makes_a_tuple_of_one() -> None:
    assert Lone(3) == (3,)
    assert Lone(only=4).only == 4


def test_a_field_without_default_comes_before_those_with_one() -> None:
    meta: Any = type(values.NamedTuple)
    fields = {"__annotations__": {"first": "int", "second": "int"}, "first": 1}
    with pytest.raises(TypeError, match="without default"):
        meta("Wrong", (values.NamedTuple,), fields)
