"""The state of a twin: moves that are allowed, refused, raced for, and made by strangers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.content.store import Blobs
from twincli.errors import ConflictError, InvalidError, LockedError, NotFoundError, TwinError
from twincli.model import did
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.cert import issue as certificates
from twincli.services.life import events, stages, states
from twincli.services.record.attachments import Stores
from twincli.services.record.say import say
from twincli.services.template import templates
from twincli.services.tx.prepared import Prepared
from twincli.services.workspace import Workspace

MACHINE: dict[str, Any] = {
    "id": "pump-v1",
    "name": "Pump",
    "assetType": "pump",
    "category": "water",
    "identifiers": {"primary": "serialNumber"},
    "trackingFields": [{"name": "hours", "type": "number", "unit": "h"}],
    "eventTypes": ["tested", "opened"],
    "states": {
        "initial": "stored",
        "transitions": [
            {
                "from": "stored",
                "to": "installed",
                "conditions": {"required": ["paid"], "optional": ["painted"]},
            },
            {
                "from": "installed",
                "to": "running",
                "conditions": {"required": ["tested", "run_in"], "optional": ["warm"]},
            },
            {"from": "installed", "to": "stored"},
            {"from": "running", "to": "stored"},
        ],
        "conditions": {"tested": "events has tested", "run_in": "hours >= 120 min"},
    },
}


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        for name in ("alice", "bob", "dora"):
            made.key(name)
        register(made, MACHINE)
        pump(made)
        yield made


def register(rooms: Rooms, document: dict[str, Any]) -> None:
    model = templates.read(json.dumps(document).encode(), "pump.json")
    templates.register(rooms.using("alice"), model)


def pump(rooms: Rooms, name: str = "pump", **more: Any) -> str:
    definition = Definition(
        {"serialNumber": name}, None, owner="any:alice,bob", template="pump-v1", **more
    )
    return str(writes.create(rooms.using("alice"), name, definition)["id"])


def move(
    rooms: Rooms,
    state: str,
    *meets: str,
    key: str = "alice",
    start: str | None = None,
    writing: Writing = PLAIN,
    **more: Any,
) -> dict[str, Any]:
    wanted = {"meets": list(meets) or None, **more}
    made = states.move(rooms.using(key), "pump", state, wanted, writing, start=start)
    assert not isinstance(made, Prepared)
    return {**made}


def state(rooms: Rooms) -> str:
    return states.show(rooms.workspace, "pump")["state"]


def test_a_new_twin_is_in_the_first_state(rooms: Rooms) -> None:
    shown = states.show(rooms.workspace, "pump")
    assert (shown["state"], shown["transaction_id"], shown["signers"]) == ("stored", None, [])
    assert shown["states"] == ["stored", "installed", "running"]
    assert shown["moves"] == [
        {
            "to": "installed",
            "conditions": [
                {"name": "paid", "required": True, "expression": None, "holds": None},
                {"name": "painted", "required": False, "expression": None, "holds": None},
            ],
        }
    ]


def test_a_move_says_how_its_conditions_were_met(rooms: Rooms) -> None:
    more: dict[str, Any] = {"reason": "sold", "triggered_by": "dora", "data": {"order": 7}}
    made = move(rooms, "installed", "paid", "insured", key="bob", **more)
    assert made["body"] == {
        "from": "stored",
        "to": "installed",
        "reason": "sold",
        "meets": ["paid", "insured"],
        "conditions": [
            {"name": "paid", "required": True, "standing": "asserted"},
            {"name": "painted", "required": False, "standing": "unmet"},
        ],
        "triggered_by": "dora",
        "data": {"order": 7},
    }
    assert made["warnings"] == [
        "the optional condition painted is not met",
        "insured is not a condition of this move; it is recorded as said",
    ]
    shown = states.show(rooms.workspace, "pump")
    assert shown["state"] == "installed"
    assert shown["transaction_id"] == made["transaction_id"]
    assert shown["signer_names"] == ["bob"]


def test_the_state_of_the_data_is_left_alone(rooms: Rooms) -> None:
    writes.append(rooms.using("alice"), "pump", {"hours": 5})
    made = move(rooms, "installed", "paid")
    tx = rooms.ledger.get(made["transaction_id"])
    assert tx is not None
    assert set(tx["metadata"]) == {"twin"}
    replay = rooms.ledger.replay(tx["asset"]["id"])
    assert replay is not None
    assert replay.common == {"hours": 5}


def test_another_beginning_is_a_conflict(rooms: Rooms) -> None:
    with pytest.raises(ConflictError, match="pump is in the state stored, not running") as caught:
        move(rooms, "stored", start="running")
    assert caught.value.code == "wrong_state"
    assert move(rooms, "installed", "paid", start="stored")["body"]["from"] == "stored"


@pytest.mark.parametrize(
    ("to", "code", "message", "hint"),
    [
        ("running", "no_such_move", "cannot go from stored to running", "it can go to installed"),
        ("stored", "no_such_move", "cannot go from stored to stored", "it can go to installed"),
        ("instaled", "unknown_state", "'instaled' is not a state of pump", "mean installed?"),
        ("flying", "unknown_state", "is not a state", "one of stored, installed, running"),
        ("installed", "condition_unmet", "this condition is not met: paid", "--meets paid"),
    ],
)
def test_what_the_template_does_not_allow(
    rooms: Rooms, to: str, code: str, message: str, hint: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        move(rooms, to)
    assert caught.value.code == code
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert state(rooms) == "stored"


def test_an_expression_is_checked_whatever_the_signer_says(rooms: Rooms) -> None:
    move(rooms, "installed", "paid")
    with pytest.raises(InvalidError) as caught:
        move(rooms, "running", "tested", "run_in")
    assert "these conditions are not met: tested, run_in" in caught.value.message
    assert "tested holds when: events has tested" in (caught.value.hint or "")
    events.add(rooms.using("alice"), "pump", "tested", {})
    writes.append(rooms.using("alice"), "pump", {"hours": 1})
    with pytest.raises(InvalidError, match="this condition is not met: run_in"):
        move(rooms, "running")
    writes.append(rooms.using("alice"), "pump", {"hours": 2})
    holds = {each["name"]: each["holds"] for each in shown_conditions(rooms, "running")}
    assert holds == {"tested": True, "run_in": True, "warm": None}
    made = move(rooms, "running")
    standings = [each["standing"] for each in made["body"]["conditions"]]
    assert standings == ["checked", "checked", "unmet"]
    assert state(rooms) == "running"


def shown_conditions(rooms: Rooms, to: str) -> list[Any]:
    shown = states.show(rooms.workspace, "pump")
    return next([*each["conditions"]] for each in shown["moves"] if each["to"] == to)


def test_an_event_of_a_stranger_meets_nothing(rooms: Rooms) -> None:
    move(rooms, "installed", "paid")
    said = events.add(rooms.using("dora"), "pump", "tested", {})
    assert not isinstance(said, Prepared)
    assert said["standing"] == "unauthorised"
    assert shown_conditions(rooms, "running")[0]["holds"] is False


def test_a_list_called_events_meets_nothing(rooms: Rooms) -> None:
    definition = Definition(
        {"serialNumber": "2", "events": ["tested"]}, None, owner="alice", template="pump-v1"
    )
    writes.create(rooms.using("alice"), "other", definition)
    states.move(rooms.using("alice"), "other", "installed", {"meets": ["paid"]})
    shown = states.show(rooms.workspace, "other")
    assert shown["moves"][0]["conditions"][0]["holds"] is False


def test_a_certificate_meets_what_it_certifies(rooms: Rooms, tmp_path: Path) -> None:
    document = json.loads(json.dumps(MACHINE))
    document["id"] = "certified-v1"
    document["trustedIssuers"] = [did.key_did(rooms.workspace.keystore.get("dora").public_key)]
    document["states"]["conditions"]["paid"] = "certificates has 'UL-1'"
    register(rooms, document)
    facts = {"serialNumber": "9", "certificates": ["UL-1"], "certifications": ["UL-1"]}
    for name in ("heater", "other"):
        definition = Definition(
            {**facts, "serialNumber": name}, None, owner="alice", template="certified-v1"
        )
        writes.create(rooms.using("alice"), name, definition)
    stores = Stores(Blobs(str(tmp_path / "content")))

    def holds() -> bool | None:
        (possible,) = states.show(rooms.workspace, "heater")["moves"]
        return possible["conditions"][0]["holds"]

    def issue(key: str, ref: str = "heater", **more: Any) -> Any:
        wanted = certificates.Wanted(standard="UL-1", **more)
        return certificates.issue(rooms.using(key), stores, ref, wanted)

    # A label, and what an issuer says whom the template does not trust, count for nothing.
    assert holds() is False
    issue("alice")
    issue("dora", valid_until="2020-01-01", valid_from="2019-01-01", number="old")
    assert holds() is False
    # Nor does what somebody found that was issued of another thing.
    found = issue("dora", ref="other")["body"]["credential"]
    say(rooms.using("bob"), "heater", "certificate", {"credential": found})
    assert holds() is False
    issue("dora", number="d")
    assert holds() is True
    certificates.revoke(rooms.using("dora"), "heater", "d")
    assert holds() is False


@pytest.mark.parametrize(
    ("expression", "before", "after"),
    [
        ("exists(events)", False, True),
        ("not exists(events)", True, False),
        ("events has tested", False, True),
        ("events has opened", False, False),
        ("events has opened or events has tested", False, True),
        ("not (events has tested) and hours = 5", True, False),
        ("stages has made", True, True),
        ("stages has sold", False, True),
        ("stages has used", False, False),
        ("exists(stages)", True, True),
        ("facts.serialNumber = S7", True, True),
        ("state.hours >= 300 min", True, True),
        ("facts.hours = 5", False, False),
        ("hours = 5 and serialNumber = S7", True, True),
        ("hours > 5 kg", False, False),
        ("serialNumber > 5 h", False, False),
        ("exists(certificates.x)", False, False),
    ],
)
def test_what_expressions_see(rooms: Rooms, expression: str, before: bool, after: bool) -> None:
    document = json.loads(json.dumps(MACHINE))
    document["id"] = "seen-v1"
    document["states"]["conditions"] = {"paid": expression}
    register(rooms, document)
    lifecycle = {"stages": ["made", "sold", "used"], "currentStage": "made"}
    facts = {"serialNumber": "S7", "lifecycle": lifecycle}
    definition = Definition(facts, {"hours": 5}, owner="alice", template="seen-v1")
    writes.create(rooms.using("alice"), "lamp", definition)

    def holds() -> bool | None:
        (possible,) = states.show(rooms.workspace, "lamp")["moves"]
        return possible["conditions"][0]["holds"]

    assert holds() is before
    events.add(rooms.using("dora"), "lamp", "opened", {})
    assert holds() is before
    events.add(rooms.using("alice"), "lamp", "tested", {})
    stages.add(rooms.using("alice"), "lamp", "sold", {})
    assert holds() is after


def test_only_who_can_append_moves_it(rooms: Rooms) -> None:
    with pytest.raises(LockedError):
        move(rooms, "installed", "paid", key="dora")
    assert state(rooms) == "stored"


def test_a_move_that_somebody_states_moves_nothing(rooms: Rooms) -> None:
    body = {"from": "stored", "to": "installed", "conditions": PAID}
    say(rooms.using("dora"), "pump", "state", body)
    assert state(rooms) == "stored"


PAID = [{"name": "paid", "required": True, "standing": "asserted"}]


@pytest.mark.parametrize(
    "body",
    [
        {"from": "installed", "to": "running"},
        {"from": "stored", "to": "running"},
        {"from": "stored", "to": "installed"},
        {"to": "installed"},
    ],
)
def test_what_other_software_appends_against_the_rules_moves_nothing(
    rooms: Rooms, body: dict[str, Any]
) -> None:
    say(rooms.using("alice"), "pump", "state", body, is_owners=True)
    assert state(rooms) == "stored"
    move(rooms, "installed", "paid")
    assert state(rooms) == "installed"


def test_the_same_token_moves_once(rooms: Rooms) -> None:
    writing = Writing(once="t")
    first = move(rooms, "installed", "paid", writing=writing)
    again = move(rooms, "installed", "paid", writing=writing)
    assert again["transaction_id"] == first["transaction_id"]
    assert again["body"] == first["body"]
    move(rooms, "stored")
    # Though a move to it would not be possible any more, or once more.
    assert move(rooms, "installed", "paid", writing=writing)["body"] == first["body"]
    with pytest.raises(ConflictError) as caught:
        move(rooms, "stored", writing=writing)
    assert caught.value.code == "once_mismatch"
    with pytest.raises(ConflictError) as caught:
        move(rooms, "installed", "paid", "painted", writing=writing)
    assert caught.value.code == "once_mismatch"
    assert state(rooms) == "stored"


def test_a_dry_run_says_what_would_be(rooms: Rooms) -> None:
    dry = rooms.using("alice", dry_run=True)
    made = states.move(dry, "pump", "installed", {"meets": ["paid"]})
    assert not isinstance(made, Prepared)
    assert made["transaction_id"] is None
    assert made["body"]["from"] == "stored"
    with pytest.raises(InvalidError):
        states.move(dry, "pump", "running", {})
    assert state(rooms) == "stored"


def test_a_late_move_keeps_both_times(rooms: Rooms) -> None:
    move(rooms, "installed", "paid", writing=Writing(at="2024-01-20T09:00:00Z"))
    shown = states.show(rooms.workspace, "pump")
    assert shown["at"] == "2024-01-20T09:00:00.000Z"
    assert str(shown["committed_at"]) > "2030"
    with pytest.raises(InvalidError) as caught:
        move(rooms, "stored", writing=Writing(at="2124-01-01"))
    assert caught.value.code == "time_ahead"


def test_a_twin_without_states(rooms: Rooms) -> None:
    alice = rooms.using("alice")
    writes.create(alice, "box", Definition({}, owner="alice"))
    writes.create(
        alice, "car", Definition({"vin": "1"}, owner="alice", template="vehicle-tracking-v1")
    )
    for name, why in (("box", "follows no template"), ("car", "vehicle-tracking-v1, which has no")):
        for call in (
            lambda name=name: states.show(alice, name),
            lambda name=name: states.move(alice, name, "sold", {}),
            lambda name=name: states.check_move(alice, name, "sold", None, ()),
        ):
            with pytest.raises(InvalidError, match=why) as caught:
                call()
            assert caught.value.code == "no_states"


def test_a_split_twin_stays_where_it_is(rooms: Rooms) -> None:
    definition = Definition(
        {"serialNumber": "3"}, None, owner="alice", template="pump-v1", amount=5
    )
    writes.create(rooms.using("alice"), "lot", definition)
    states.move(rooms.using("alice"), "lot", "installed", {"meets": ["paid"]})
    writes.transfer(rooms.using("alice"), "lot", outs=["2:bob"])
    with pytest.raises(InvalidError, match="its state stays installed") as caught:
        states.move(rooms.using("alice"), "lot", "stored", {})
    assert caught.value.code == "split_twin"
    assert states.show(rooms.workspace, "lot")["state"] == "installed"


def test_each_move_is_judged_by_the_template_of_its_time(rooms: Rooms) -> None:
    later: dict[str, Any] = json.loads(json.dumps(MACHINE))
    later["id"] = "pump-v2"
    later["states"]["transitions"] = [
        {"from": "stored", "to": "installed"},
        {"from": "installed", "to": "scrapped"},
    ]
    del later["states"]["conditions"]
    other: dict[str, Any] = json.loads(json.dumps(later))
    other["id"] = "pump-v3"
    other["states"] = {"initial": "new", "transitions": [{"from": "new", "to": "old"}]}
    none = {name: value for name, value in other.items() if name != "states"}
    none["id"] = "pump-v4"
    for document in (later, other, none):
        register(rooms, document)
    move(rooms, "installed", "paid")
    writes.migrate(rooms.using("alice"), "pump", "pump-v2")
    assert state(rooms) == "installed"
    assert move(rooms, "scrapped")["body"]["from"] == "installed"
    writes.migrate(rooms.using("alice"), "pump", "pump-v3")
    # The new template does not know where it was: it begins again.
    assert state(rooms) == "new"
    move(rooms, "old")
    assert state(rooms) == "old"
    writes.migrate(rooms.using("alice"), "pump", "pump-v4")
    with pytest.raises(InvalidError, match="has no states"):
        state(rooms)
    say(rooms.using("alice"), "pump", "state", {"from": "old", "to": "new"}, is_owners=True)
    writes.migrate(rooms.using("alice"), "pump", "pump-v3")
    assert state(rooms) == "old"


def test_there_has_to_be_a_twin(rooms: Rooms) -> None:
    with pytest.raises(NotFoundError):
        states.show(rooms.workspace, "nothing")


class Interrupting:
    """A client that lets somebody else in before some of its calls.

    Args:
        client: The real one.
        turns: For each call whether somebody else comes first.
        other: What that one does.
    """

    def __init__(self, client: Any, turns: list[bool], other: Any) -> None:
        self._client = client
        self._turns = turns
        self._other = other

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in {"unspent", "replay", "records", "submit", "submit_many", "last"}:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._turns and self._turns.pop():
                self._other()
            return found(*args, **kwargs)

        return call


STATES = ["stored", "installed", "running"]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    turns=st.lists(st.booleans(), max_size=12),
    mine=st.lists(st.sampled_from(STATES), min_size=1, max_size=4),
    theirs=st.lists(st.sampled_from(STATES), min_size=1, max_size=6),
    start=st.sampled_from([None, *STATES]),
)
def test_no_interleaving_of_two_writers_reaches_a_forbidden_state(
    tmp_path_factory: pytest.TempPathFactory,
    turns: list[bool],
    mine: list[str],
    theirs: list[str],
    start: str | None,
) -> None:
    with opened(tmp_path_factory.mktemp("race")) as rooms:
        for name in ("alice", "bob"):
            rooms.key(name)
        register(rooms, MACHINE)
        asset_id = pump(rooms)
        alice, bob = rooms.using("alice"), rooms.using("bob")
        writes.append(alice, "pump", {"hours": 9})
        events.add(alice, "pump", "tested", {})
        successes: list[str | None] = []

        def attempt(workspace: Workspace, to: str, begin: str | None = None) -> None:
            try:
                made = states.move(workspace, "pump", to, {"meets": ["paid"]}, start=begin)
            except TwinError as error:
                assert error.code in {"no_such_move", "wrong_state", "busy"}  # noqa: PT017
                return
            assert not isinstance(made, Prepared)
            assert begin is None or made["body"]["from"] == begin
            successes.append(made["transaction_id"])

        def other() -> None:
            if theirs:
                attempt(bob, theirs.pop())

        torn = Interrupting(rooms.workspace.client, turns, other)
        for to in mine:
            attempt(alice._replace(client=torn), to, start)
        replay = rooms.ledger.replay(asset_id)
        assert replay is not None
        moved = list(states.moves(rooms.workspace, asset_id, replay))
        # Whatever was recorded counted, and was reported as done to the one who did it.
        assert [each.fault for each in moved] == [None] * len(moved)
        assert {each.entry.tx["id"] for each in moved} == {*successes}
        assert len(moved) == len(successes)
