"""What a template shows of its twins."""

from __future__ import annotations

from typing import Any

import pytest

from twincli.model import card, template

FORM: dict[str, Any] = {
    "id": "drill-v1",
    "name": "Drill",
    "assetType": "tool",
    "identifiers": {"primary": "serial", "secondary": ["tag"]},
    "facts": [{"name": "maker", "type": "text", "label": "Made by"}],
    "trackingFields": [
        {"name": "hours", "type": "number", "unit": "h"},
        {"name": "place", "type": "coordinates"},
        {
            "name": "motor",
            "type": "object",
            "fields": [{"name": "speed", "type": "number", "unit": "rpm"}],
        },
    ],
}
PLACE = {"latitude": 1, "longitude": 2}


def made(state: dict[str, Any], data: dict[str, Any], **view: Any) -> card.Card:
    form = template.read({**FORM, **({"view": view} if view else {})})
    return card.card(form, state, data)


def test_the_lines_that_the_template_names() -> None:
    found = made(
        {"hours": 5, "place": PLACE, "motor": {"speed": 3}},
        {"serial": "S", "maker": "ACME"},
        title="serial",
        card=["maker", "motor.speed", "hours", "tag"],
        map="place",
        charts=["hours"],
    )
    assert found.title == "S"
    assert [item[1:] for item in found.items] == [
        ("Made by", "ACME", None, False),
        ("motor.speed", 3, "rpm", True),
        ("hours", 5, "h", True),
        ("tag", None, None, False),
    ]
    assert found.spot is not None
    assert found.spot.value == PLACE
    assert found.all == [*found.items, found.spot]
    assert found.charts == ["hours"]


def test_where_it_is_stands_on_the_card_once() -> None:
    found = made({"place": PLACE}, {}, card=["place"], map="place")
    assert found.all == found.items


def test_without_a_plan() -> None:
    found = made({"hours": 5, "extra": {"a": {"b": 1}}}, {"serial": "S", "note": "x"})
    assert found.title is None
    assert found.all == found.items
    paths = [item.path for item in found.items]
    assert paths == ["serial", "hours", "place", "motor", "extra.a.b", "note"]
    many = made({f"x{number}": number for number in range(50)}, {})
    assert len(many.items) == card.DEFAULT_ITEMS


@pytest.mark.parametrize("title", [7, "", None, {"a": 1}])
def test_a_title_is_a_text(title: Any) -> None:
    assert made({}, {"serial": title}, title="serial").title is None


@pytest.mark.parametrize(
    ("marked", "doubted"),
    [
        (["motor"], True),
        (["motor.speed"], True),
        (["motor[0]"], True),
        (["motors"], False),
        ([7], False),
        ("motor", False),
        (None, False),
    ],
)
def test_what_is_suspect(marked: Any, doubted: bool) -> None:
    envelope = {"twin": {"v": 1, "kind": "append", "suspect": marked}}
    transfer = {"operation": "TRANSFER", "metadata": envelope, "asset": {"id": "0"}}
    create = {"operation": "CREATE", "metadata": None, "asset": {"data": envelope}}
    bare = {"operation": "CREATE", "metadata": envelope, "asset": {"data": None}}
    for tx in (transfer, create, bare):
        assert card.is_doubted("motor", tx) is doubted
    assert not card.is_doubted("motor", {**transfer, "metadata": None})


def test_values_at_paths() -> None:
    assert card.at(None, {"a": 1}) is None
    assert card.at("a.b", {"a": 1}, {"a": {"b": 2}}) == 2
    assert card.at("a.b", {"a": {"b": None}}) is None
