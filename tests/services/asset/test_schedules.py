"""Schedules are held to their words when they are written: at creation, and later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.errors import InvalidError
from twincli.model.edits import Edit
from twincli.services.asset import append, transfer
from twincli.services.asset.create import Definition

WRONG: tuple[dict[str, Any], ...] = (
    {"maintenanceSchedule": "bi-annually"},
    {"maintenanceSchedule": {"cleaning": "bimonthly"}},
    {"tracking": {"maintenanceSchedule": "now and then"}},
)


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        made.key("alice")
        made.key("bob")
        yield made


@pytest.mark.parametrize("data", WRONG)
@pytest.mark.parametrize("template", [None, "maintenance-tracking-v1", "construction-equipment-v1"])
def test_creation(rooms: Rooms, data: dict[str, Any], template: str | None) -> None:
    for wanted in (Definition(data, template=template), Definition({}, data, template=template)):
        with pytest.raises(InvalidError) as caught:
            writes.create(rooms.workspace, "box", wanted._replace(owner="alice"))
        if template is None:
            assert caught.value.code == "invalid_schedule"
    assert not list(rooms.workspace.client.asset_ids())


@pytest.mark.parametrize("data", WRONG)
def test_later_writes(rooms: Rooms, data: dict[str, Any]) -> None:
    writes.create(rooms.workspace, "box", Definition({}, owner="alice"))
    with pytest.raises(InvalidError) as caught:
        append.append(rooms.workspace, "box", data)
    assert caught.value.code == "invalid_schedule"
    with pytest.raises(InvalidError) as caught:
        append.append_lines(rooms.workspace, "box", [{"fine": 1}, data])
    assert caught.value.code == "invalid_schedule"


def test_a_part_of_an_object(rooms: Rooms) -> None:
    writes.create(rooms.workspace, "box", Definition({}, {"tracking": {"gps": True}}))
    path = ("tracking", "maintenanceSchedule")
    with pytest.raises(InvalidError, match="'often' is not a schedule"):
        append.append(rooms.workspace, "box", {}, [Edit(path, "often")])
    append.append(rooms.workspace, "box", {}, [Edit(path, "every-250-hours")])


def test_a_transfer(rooms: Rooms) -> None:
    writes.create(rooms.workspace, "box", Definition({}, owner="alice"))
    with pytest.raises(InvalidError) as caught:
        transfer.transfer(rooms.workspace, "box", to="bob", base=WRONG[0])
    assert caught.value.code == "invalid_schedule"
