"""The machine of a template: its moves, its guards, and what recorded moves do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twincli.model import states, template
from twincli.model.states import Condition

DOCUMENT: dict[str, Any] = {
    "id": "guarded-v1",
    "name": "Guarded",
    "assetType": "product",
    "category": "x",
    "identifiers": {"primary": "serialNumber"},
    "trackingFields": [{"name": "temperature", "type": "number"}],
    "states": {
        "initial": "made",
        "transitions": [
            {
                "from": "made",
                "to": "tested",
                "conditions": {"required": ["complete", "hot"], "optional": ["painted", "hot"]},
            },
            {"from": "tested", "to": "sold"},
            {"from": "tested", "to": "made"},
        ],
        "conditions": {"hot": "temperature > 20"},
    },
}
MACHINE = states.machine_of(template.read(DOCUMENT))
assert MACHINE is not None
GUARD = MACHINE.transitions["made", "tested"]
MET = [
    {"name": "complete", "required": True, "standing": "asserted"},
    {"name": "hot", "required": True, "standing": "checked"},
]


def test_a_machine() -> None:
    assert MACHINE is not None
    assert MACHINE.initial == "made"
    assert MACHINE.states == ("made", "tested", "sold")
    assert [move.end for move in MACHINE.moves("tested")] == ["sold", "made"]
    assert MACHINE.moves("sold") == []


def test_a_template_without_states_has_no_machine() -> None:
    without = {name: value for name, value in DOCUMENT.items() if name != "states"}
    assert states.machine_of(template.read(without)) is None
    assert states.machine_of(None) is None


@pytest.mark.parametrize(
    ("meets", "holds", "standings"),
    [
        ((), False, ["unmet", "unmet", "unmet"]),
        (("complete",), True, ["asserted", "checked", "unmet"]),
        # The signer's word is nothing where the template has an expression.
        (("complete", "hot", "painted"), False, ["asserted", "unmet", "asserted"]),
    ],
)
def test_guards(meets: tuple[str, ...], holds: bool, standings: list[str]) -> None:
    assert MACHINE is not None
    found = states.guards(MACHINE, GUARD, meets, lambda _: holds)
    assert found == [
        Condition("complete", True, standings[0]),
        Condition("hot", True, standings[1]),
        Condition("painted", False, standings[2]),
    ]


@pytest.mark.parametrize(
    ("state", "body", "after", "fault"),
    [
        ("made", {"from": "made", "to": "tested", "conditions": MET}, "tested", None),
        ("tested", {"from": "tested", "to": "made"}, "made", None),
        ("made", {"from": "tested", "to": "made"}, "made", "elsewhere"),
        ("made", {"from": "made", "to": "sold"}, "made", "no_such_move"),
        ("made", {"from": "made", "to": "tested"}, "made", "unmet"),
        ("made", {"from": "made", "to": "tested", "conditions": MET[:1]}, "made", "unmet"),
        (
            "made",
            {
                "from": "made",
                "to": "tested",
                "conditions": [MET[0], {**MET[1], "standing": "asserted"}],
            },
            "made",
            "unmet",
        ),
        ("made", {"to": "tested"}, "made", "malformed"),
        ("made", {"from": 5, "to": "tested"}, "made", "malformed"),
        ("made", None, "made", "malformed"),
    ],
)
def test_following_a_recorded_move(state: str, body: Any, after: str, fault: str | None) -> None:
    assert MACHINE is not None
    assert states.follow(MACHINE, state, body) == (after, fault)


bodies_of_moves = st.fixed_dictionaries(
    {
        "from": st.sampled_from(["made", "tested", "sold", "nowhere"]),
        "to": st.sampled_from(["made", "tested", "sold", "nowhere"]),
    },
    optional={"conditions": st.sampled_from([MET, MET[:1], [], "x"])},
)


@given(st.lists(bodies_of_moves))
def test_no_record_leads_where_the_template_does_not(recorded: list[dict[str, Any]]) -> None:
    assert MACHINE is not None
    state = MACHINE.initial
    for body in recorded:
        after, fault = states.follow(MACHINE, state, body)
        if fault is None:
            assert (state, after) in MACHINE.transitions
            assert (state, after) != ("made", "tested") or body["conditions"] == MET
        else:
            assert after == state
        state = after
