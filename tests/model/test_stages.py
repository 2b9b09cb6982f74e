"""The stages of a twin: which list holds, and what recorded stages do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.model import stages
from twincli.model.stages import BEGIN, Plan

KNOWN = ("design", "making", "testing", "selling")
PLAN = Plan(KNOWN)


def own(*names: Any, now: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = {"stages": list(names)}
    return {"lifecycle": found if now is None else {**found, "currentStage": now}}


@pytest.mark.parametrize(
    ("known", "facts", "state", "plan"),
    [
        (KNOWN, {}, {}, PLAN),
        ((), {}, {}, None),
        ((), own("a", "b"), {}, Plan(("a", "b"))),
        ((), own("a", "b", now="b"), {}, Plan(("a", "b"), 1)),
        ((), {}, own("a", "b", now="a"), Plan(("a", "b"), 0)),
        (KNOWN, own("design", "selling", now="design"), {}, Plan(("design", "selling"), 0)),
        (KNOWN, {"lifecycle": {"currentStage": "testing"}}, {}, Plan(KNOWN, 2)),
        # What is malformed is a stranger's, and counts for nothing.
        (KNOWN, own("selling", "design"), {}, PLAN),
        (KNOWN, own("other"), {}, PLAN),
        ((), own("a", "a"), {}, None),
        ((), own("a", now="b"), {}, None),
        ((), {"lifecycle": {"stages": "a"}}, {}, None),
        (KNOWN, {"lifecycle": "a"}, {}, PLAN),
        (KNOWN, {"lifecycle": {"phase": "a"}}, {}, PLAN),
    ],
)
def test_a_plan(
    known: tuple[str, ...], facts: dict[str, Any], state: dict[str, Any], plan: Plan | None
) -> None:
    assert stages.plan_of(known, facts, state) == plan


@pytest.mark.parametrize(
    ("place", "body", "after", "fault"),
    [
        (BEGIN, {"stage": "design"}, 0, None),
        (BEGIN, {"stage": "selling"}, 3, None),
        (1, {"stage": "testing"}, 2, None),
        (1, {"stage": "making"}, 1, "not_forward"),
        (1, {"stage": "design"}, 1, "not_forward"),
        (1, {"stage": "flying"}, 1, "unknown_stage"),
        (1, {"stage": 7}, 1, "malformed"),
        (1, None, 1, "malformed"),
    ],
)
def test_following_a_recorded_stage(place: int, body: Any, after: int, fault: str | None) -> None:
    assert stages.follow(PLAN, place, body) == (after, fault)


def test_what_is_skipped() -> None:
    assert stages.skipped(PLAN, BEGIN, "testing") == ("design", "making")
    assert stages.skipped(PLAN, 0, "making") == ()


@given(st.lists(st.sampled_from([*KNOWN, "flying"])))
def test_stages_go_forward_only(recorded: list[str]) -> None:
    place = BEGIN
    for stage in recorded:
        after, fault = stages.follow(PLAN, place, {"stage": stage})
        assert after > place if fault is None else after == place
        place = after
