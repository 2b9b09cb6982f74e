"""Objects compared value by value."""

from __future__ import annotations

from typing import Any

import pytest

from twincli.model import leaves


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({"a": {"b": 1}}, {"a": 2}, ["a.b", "a"]),
        ({"a": 2}, {"a": {"b": 1}}, ["a", "a.b"]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, ["a.c"]),
        ({"a": {"b": 1}}, {}, ["a.b"]),
        ({"a": 1}, {}, ["a"]),
        ({}, {"a": {"b": {}}}, ["a.b"]),
        ({"a": [1]}, {"a": [1]}, []),
        ({"a": [1]}, {"a": [2]}, ["a"]),
        ({"a": 1}, {"a": 1.0}, ["a"]),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ["b"]),
        ({}, {"a": {"b": {"c": 1}}}, ["a.b.c"]),
        ({"a": {"b": {"c": 1}}}, {}, ["a.b.c"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1.0}]}, ["a"]),
    ],
)
def test_changes(before: dict[str, Any], after: dict[str, Any], changed: list[str]) -> None:
    assert [path for path, _, _ in leaves.changes(before, after)] == changed
