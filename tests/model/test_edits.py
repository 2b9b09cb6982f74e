"""Edits: dotted paths, read-modify-write, what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.errors import ExitCode, InvalidError, UsageError
from twincli.model.edits import (
    Edit,
    build,
    not_there,
    split_path,
    type_changes,
    type_name,
    write_set,
)


def put(path: str, value: object) -> Edit:
    return Edit(tuple(path.split(".")), value)


def drop(path: str) -> Edit:
    return Edit(tuple(path.split(".")), unset=True)


def test_a_new_document_nests_by_dots() -> None:
    edits = [put("value", "6sd8f68sd67"), put("power.engine", "2.5"), put("power.hp", 220)]
    assert build({}, edits) == {"value": "6sd8f68sd67", "power": {"engine": "2.5", "hp": 220}}


def test_edits_win_over_the_base_and_leave_it_alone() -> None:
    base = {"power": {"hp": 1, "engine": "x"}, "km": 5}
    before = copy.deepcopy(base)
    assert build(base, [put("power.hp", 2), drop("km")]) == {"power": {"hp": 2, "engine": "x"}}
    assert base == before


def test_an_append_writes_only_the_touched_top_level_members() -> None:
    state = {"mileage": 1, "power": {"hp": 220, "engine": "2.5"}, "color": "red"}
    before = copy.deepcopy(state)
    written = write_set(state, {}, [put("power.hp", 230), put("mileage", 1200)])
    assert written == {"power": {"hp": 230, "engine": "2.5"}, "mileage": 1200}
    assert state == before


def test_unset_writes_null_at_the_top_and_removes_inside() -> None:
    state = {"a": 1, "b": {"c": {"d": 1, "e": 2}, "f": 3}}
    assert write_set(state, {}, [drop("a")]) == {"a": None}
    assert write_set(state, {}, [drop("b.c.d")]) == {"b": {"c": {"e": 2}, "f": 3}}


def test_unset_of_what_is_not_there_changes_nothing() -> None:
    state = {"b": {"f": 3}}
    assert write_set(state, {}, [drop("b.c.d")]) == {"b": {"f": 3}}
    assert write_set(state, {}, [drop("x.y")]) == {}
    assert write_set(state, {}, [drop("z")]) == {}
    assert write_set(state, {"z": 1}, [drop("z")]) == {"z": None}
    assert build({"b": {"f": 3}}, [drop("b.g"), drop("z")]) == {"b": {"f": 3}}


def test_a_path_to_be_removed_that_is_not_there_is_named() -> None:
    state = {"a": 1, "b": {"f": 3}, "gone": None}
    wanted = [drop("a"), drop("b.f"), put("c", 1), drop("b.g"), drop("a.x"), drop("gone")]
    assert [text.split(" ")[0] for text in not_there(state, wanted)] == ["b.g", "a.x", "gone"]


def test_null_counts_as_nothing_there() -> None:
    assert write_set({"power": None}, {}, [put("power.hp", 1)]) == {"power": {"hp": 1}}


def test_the_base_wins_over_the_state() -> None:
    written = write_set({"p": {"old": 1}}, {"p": {"new": 1}}, [put("p.hp", 2)])
    assert written == {"p": {"new": 1, "hp": 2}}


@pytest.mark.parametrize(
    ("present", "kind"), [(5, "a number"), ("x", "text"), ([1], "a list"), (True, "true or false")]
)
@pytest.mark.parametrize("path", ["a.b", "a.b.c"])
def test_nothing_nests_in_what_is_no_object(path: str, present: Any, kind: str) -> None:
    with pytest.raises(InvalidError) as caught:
        write_set({"a": present}, {}, [put(path, 1)])
    assert caught.value.code == "not_an_object"
    assert repr(path) in caught.value.message
    assert kind in caught.value.message


def test_deep_nesting_names_the_part_that_is_in_the_way() -> None:
    with pytest.raises(InvalidError, match=r"'a\.b' is a list"):
        build({"a": {"b": []}}, [put("a.b.c", 1)])


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("", "empty_segment"),
        (".", "empty_segment"),
        ("a..b", "empty_segment"),
        (".a", "empty_segment"),
        ("a.", "empty_segment"),
        ("$a", "invalid_name"),
        ("a.$b", "invalid_name"),
        ("a\0b", "invalid_name"),
        ("twin", "reserved_key"),
        ("twin.kind", "reserved_key"),
    ],
)
def test_paths_that_are_refused(path: str, code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        split_path(path)
    assert caught.value.code == code
    assert caught.value.exit_code == ExitCode.INVALID
    assert repr(path) in caught.value.message


def test_twin_is_a_name_like_any_other_below_the_top() -> None:
    assert split_path("a.twin") == ("a", "twin")
    assert split_path("a$.b") == ("a$", "b")


@pytest.mark.parametrize("base", [{"twin": {}}, {"$x": 1}])
def test_names_of_the_base_are_checked_too(base: dict[str, Any]) -> None:
    with pytest.raises(InvalidError):
        build(base, [])
    with pytest.raises(InvalidError):
        write_set({}, base, [])


@pytest.mark.parametrize("edits", [[put("a", 1), put("a", 2)], [put("a.b", 1), drop("a.b")]])
def test_the_same_path_twice_is_a_usage_error(edits: list[Edit]) -> None:
    with pytest.raises(UsageError, match="given twice"):
        build({}, edits)
    with pytest.raises(UsageError, match="given twice"):
        write_set({}, {}, edits)


def test_an_edit_that_would_undo_an_earlier_one_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'a' would undo 'a\.b'"):
        build({}, [put("a.b", 1), put("a", {})])
    assert build({}, [put("a", {"x": 1}), put("a.b", 1)]) == {"a": {"x": 1, "b": 1}}


def test_type_changes_name_the_path_and_both_types() -> None:
    state = {"km": 5, "power": {"hp": 1}, "tags": [], "note": None, "on": True}
    written = {"km": "5", "power": {"hp": "1"}, "tags": {}, "note": 5, "on": None, "new": 1}
    assert type_changes(state, written) == [
        "km was a number and is now text",
        "power.hp was a number and is now text",
        "tags was a list and is now an object",
    ]
    assert type_changes({"a": 1, "b": True}, {"a": 1.5, "b": 1}) == [
        "b was true or false and is now a number"
    ]


@pytest.mark.parametrize(
    ("value", "name"),
    [(None, "null"), (False, "true or false"), (0, "a number"), ("", "text"), ((), "a list")],
)
def test_type_names(value: Any, name: str) -> None:
    assert type_name(value) == name


names = st.text(st.characters(codec="utf-8", exclude_characters=".$\0"), min_size=1, max_size=4)
paths = st.lists(names, min_size=1, max_size=3).map(tuple)
values = st.one_of(st.none(), st.integers(), st.text(max_size=3), st.lists(st.integers()))
documents = st.dictionaries(names, values | st.dictionaries(names, values, max_size=3), max_size=4)


def merged(state: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
    return {**state, **written}


def at(document: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


@given(state=documents, path=paths, value=values)
def test_after_the_merge_the_path_holds_the_value_and_its_neighbours_stay(
    state: dict[str, Any], path: tuple[str, ...], value: Any
) -> None:
    before = copy.deepcopy(state)
    try:
        written = write_set(state, {}, [Edit(path, value)])
    except InvalidError as error:
        assert error.code in {"not_an_object", "reserved_key"}  # noqa: PT017 - one of two outcomes
        return
    assert state == before
    after = merged(state, written)
    assert at(after, path) == value
    assert set(written) == {path[0]}
    if len(path) > 1 and isinstance(state.get(path[0]), dict):
        for name, item in state[path[0]].items():
            if name != path[1]:
                assert after[path[0]][name] == item
