"""Stages: forward only, skipping noted, each on its date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.errors import ConflictError, InvalidError, LockedError, NotFoundError
from twincli.model import times
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.life import stages
from twincli.services.record.say import say
from twincli.services.tx.prepared import Prepared

LIFECYCLE = {"stages": ["design", "making", "testing", "selling"], "currentStage": "making"}


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        for name in ("alice", "dora"):
            made.key(name)
        alice = made.using("alice")
        writes.create(alice, "batch", Definition({}, owner="alice", template="supply-chain-v2"))
        writes.create(alice, "thing", Definition({"lifecycle": LIFECYCLE}, owner="alice"))
        writes.create(alice, "box", Definition({}, owner="alice"))
        yield made


def add(
    rooms: Rooms, stage: str, ref: str = "batch", key: str = "alice", **more: Any
) -> dict[str, Any]:
    writing = more.pop("writing", PLAIN)
    made = stages.add(rooms.using(key), ref, stage, more, writing)
    assert not isinstance(made, Prepared)
    return {**made}


def plan(rooms: Rooms, ref: str) -> dict[str, str]:
    found = stages.list_stages(rooms.workspace, ref)["plan"]
    return {each["stage"]: each["standing"] for each in found}


def test_stages_of_a_template(rooms: Rooms) -> None:
    assert set(plan(rooms, "batch").values()) == {"ahead"}
    assert stages.list_stages(rooms.workspace, "batch")["current"] is None
    first = add(rooms, "harvest", location="Guatemala", date="2024-01-10")
    assert first["body"] == {"stage": "harvest", "location": "Guatemala", "date": "2024-01-10"}
    assert first["at"] == "2024-01-10T00:00:00.000Z"
    later = add(rooms, "import", data={"port": "Hamburg"})
    assert later["body"]["skipped"] == ["processing", "shipping"]
    assert later["warnings"] == ["skipped: processing, shipping"]
    shown = stages.list_stages(rooms.workspace, "batch")
    assert shown["current"] == "import"
    assert plan(rooms, "batch") == {
        "harvest": "passed",
        "processing": "skipped",
        "shipping": "skipped",
        "import": "current",
        **dict.fromkeys(("roasting", "packaging", "distribution", "retail"), "ahead"),
    }
    assert [item["stage"] for item in shown["stages"]] == ["harvest", "import"]


def test_a_lifecycle_of_its_own(rooms: Rooms) -> None:
    assert plan(rooms, "thing") == {
        "design": "passed",
        "making": "current",
        "testing": "ahead",
        "selling": "ahead",
    }
    add(rooms, "testing", "thing")
    assert plan(rooms, "thing")["testing"] == "current"


@pytest.mark.parametrize(
    ("ref", "stage", "code", "message", "hint"),
    [
        ("thing", "design", "not_forward", "past the stage design: it is in making", "next: test"),
        ("thing", "making", "not_forward", "thing is already in the stage making", "next: testing"),
        ("thing", "sellin", "unknown_stage", "'sellin' is not one", "did you mean selling?"),
        ("thing", "x", "unknown_stage", "not one of the stages of thing", "one of design, making"),
        ("box", "design", "no_stages", "box has no stages", "lifecycle.stages"),
    ],
)
def test_what_is_refused(
    rooms: Rooms, ref: str, stage: str, code: str, message: str, hint: str
) -> None:
    for call in (
        lambda: add(rooms, stage, ref),
        lambda: stages.check_stage(rooms.workspace, ref, stage),
    ):
        with pytest.raises(InvalidError) as caught:
            call()
        assert caught.value.code == code
        assert message in caught.value.message
        assert hint in (caught.value.hint or "")
    assert list(stages.list_stages(rooms.workspace, ref)["stages"]) == []


def test_nothing_comes_after_the_last(rooms: Rooms) -> None:
    add(rooms, "selling", "thing")
    with pytest.raises(InvalidError) as caught:
        add(rooms, "testing", "thing")
    assert caught.value.hint == "it is in the last one"


def test_only_who_can_append_says_it(rooms: Rooms) -> None:
    with pytest.raises(LockedError):
        add(rooms, "harvest", key="dora")
    say(rooms.using("dora"), "batch", "stage", {"stage": "retail"})
    shown = stages.list_stages(rooms.workspace, "batch")
    assert shown["current"] is None
    (item,) = shown["stages"]
    assert (item["stage"], item["standing"]) == ("retail", "unauthorised")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"stage": "design"}, "not_forward"),
        ({"stage": "flying"}, "unknown_stage"),
        ({"stage": 5}, "malformed"),
    ],
)
def test_what_other_software_appends_against_the_rules_counts_for_nothing(
    rooms: Rooms, body: dict[str, Any], fault: str
) -> None:
    say(rooms.using("alice"), "thing", "stage", body, is_owners=True)
    shown = stages.list_stages(rooms.workspace, "thing")
    assert shown["current"] == "making"
    assert [item["fault"] for item in shown["stages"]] == [fault]


def test_a_date_is_when_it_happened(rooms: Rooms) -> None:
    now = rooms.workspace.now()
    tomorrow = times.to_text(now + 86_400_000)[:10]
    with pytest.raises(InvalidError) as caught:
        add(rooms, "harvest", date="2124-01-01")
    assert caught.value.code == "time_ahead"
    # 17:46 UTC: in some zones it is the next day.
    assert times.to_text(now).endswith("T17:46:40.000Z")
    assert add(rooms, "harvest", date=tomorrow)["at"] == times.to_text(now)
    at = Writing(at="2024-01-09T08:00:00Z")
    assert add(rooms, "processing", date="2024-01-10", writing=at)["at"] == (
        "2024-01-09T08:00:00.000Z"
    )
    made = add(rooms, "shipping", date="2024-01-11T08:00:00.000Z")
    assert made["at"] == "2024-01-11T08:00:00.000Z"


def test_the_same_token_counts_once(rooms: Rooms) -> None:
    writing = Writing(once="t")
    first = add(rooms, "shipping", writing=writing)
    assert add(rooms, "shipping", writing=writing)["body"] == first["body"]
    with pytest.raises(ConflictError) as caught:
        add(rooms, "retail", writing=writing)
    assert caught.value.code == "once_mismatch"


def test_there_has_to_be_a_twin(rooms: Rooms) -> None:
    with pytest.raises(NotFoundError):
        stages.list_stages(rooms.workspace, "nothing")
    box = stages.list_stages(rooms.workspace, "box")
    assert (box["current"], box["plan"]) == (None, [])
