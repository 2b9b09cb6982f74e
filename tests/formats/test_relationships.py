"""Lists of relationships as other software writes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twincli.errors import InvalidError
from twincli.formats import relationships
from twincli.formats.relationships import Relationship


@pytest.mark.parametrize(
    "item",
    [
        {"from": "a", "verb": "replaces", "to": "b"},
        {"child": "a", "parent": "b", "relationship": "replaces"},
        {"type": "parent_child", "child": "a", "parent": "b", "relationship": "replaces"},
        {"type": "dependency", "source": "a", "target": "b", "relationship": "replaces"},
        {"type": "succession", "successor": "a", "predecessor": "b", "relationship": "replaces"},
    ],
)
def test_every_form_reads_from_its_lower_end(item: dict[str, str]) -> None:
    assert relationships.parse(json.dumps([item]), "x") == [Relationship("a", "replaces", "b")]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "x is not a list of relationships"),
        ([], "x is not a list of relationships"),
        ([7], "relationship 1 of x is not an object"),
        ([{}], "relationship 1 of x does not name its two ends"),
        ([{"from": "a", "parent": "b"}], "relationship 1 of x does not name its two ends"),
        (
            [{"type": "dependency", "parent": "a", "child": "b", "relationship": "part"}],
            "relationship 1 of x is of the type 'dependency', but has child and parent",
        ),
        (
            [{"type": "x", "from": "a", "to": "b", "verb": "part"}],
            "relationship 1 of x is of the type 'x', but has from and to",
        ),
        (
            [{"from": "a", "to": "b", "verb": "part", "since": 7}],
            "relationship 1 of x has a member that is not known: 'since'",
        ),
        ([{"from": "a", "to": "b"}], "relationship 1 of x: verb is missing"),
        ([{"from": "a", "to": 7, "verb": "part"}], "relationship 1 of x: to is not a text"),
        ([{"from": "", "to": "b", "verb": "part"}], "relationship 1 of x: from is not a text"),
    ],
)
def test_what_is_refused(given: Any, message: str) -> None:
    with pytest.raises(InvalidError) as failed:
        relationships.parse(json.dumps(given), "x")
    assert failed.value.message == message
    assert failed.value.code == "invalid_relationship"
    assert failed.value.hint


def test_more_than_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relationships, "MOST", 1)
    item = {"from": "a", "verb": "part", "to": "b"}
    with pytest.raises(InvalidError, match="has 2 relationships, more than 1"):
        relationships.parse(json.dumps([item] * 2), "x")


def test_what_is_not_json() -> None:
    with pytest.raises(InvalidError) as failed:
        relationships.parse("[", "x")
    assert failed.value.code == "invalid_json"
