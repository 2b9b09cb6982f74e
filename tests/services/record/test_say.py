"""Saying something about a twin, and reading what was said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.errors import ConflictError, InvalidError, LockedError, UsageError
from twincli.model import record, transaction
from twincli.services.asset.append import Append
from twincli.services.asset.create import Definition
from twincli.services.asset.freeze import freeze, unfreeze
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.grant.grants import add
from twincli.services.record.records import records
from twincli.services.record.say import say
from twincli.services.tx.prepared import Prepared

BODY = {"type": "inspection", "ok": True}


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        for name in ("alice", "car", "dora"):
            made.key(name)
        writes.create(made.workspace, "car", Definition({}, {"km": 1}, owner="alice", entity="car"))
        yield made


def said(rooms: Rooms, key: str, body: dict[str, Any] = BODY, **how: Any) -> dict[str, Any]:
    writing = Writing(**how)
    made = say(rooms.using(key), "car", "event", body, writing)
    assert not isinstance(made, Prepared)
    return {**made}


def car(rooms: Rooms) -> str:
    return rooms.workspace.book.lookup(rooms.ledger.id, "car", lambda _: True) or ""


def test_the_owner_appends_and_the_state_stays(rooms: Rooms) -> None:
    made = said(rooms, "alice")
    tx = rooms.ledger.get(made["transaction_id"])
    assert tx is not None
    assert set(tx["metadata"]) == {"twin"}
    envelope = tx["metadata"]["twin"]
    assert (envelope["kind"], envelope["body"]) == ("event", BODY)
    assert (made["form"], made["standing"], made["warnings"]) == ("append", "authorised", [])
    replay = rooms.ledger.replay(car(rooms))
    assert replay is not None
    assert replay.common == {"km": 1}


@pytest.mark.parametrize(
    ("key", "standing"), [("dora", "unauthorised"), ("car", "claimed_by_entity")]
)
def test_others_make_a_statement_of_their_own(rooms: Rooms, key: str, standing: str) -> None:
    warned: list[str] = []
    made = say(rooms.using(key), "car", "event", BODY, before=warned.append)
    assert not isinstance(made, Prepared)
    tx = rooms.ledger.get(str(made["transaction_id"]))
    assert tx is not None
    envelope = tx["asset"]["data"]["twin"]
    assert set(envelope) == {"v", "kind", "about", "says", "body", "nonce"}
    assert (envelope["about"], envelope["says"]) == (car(rooms), "event")
    assert (made["form"], made["standing"]) == ("statement", standing)
    assert made["warnings"] == warned
    assert rooms.count(car(rooms)) == 1


def test_a_token_gives_the_first_record_and_no_other(rooms: Rooms) -> None:
    for key in ("alice", "dora"):
        first = said(rooms, key, once="a")
        rooms.now_ms += 1000
        assert said(rooms, key, once="a")["transaction_id"] == first["transaction_id"]
        assert said(rooms, key, once="a", at="1d")["transaction_id"] == first["transaction_id"]
        with pytest.raises(ConflictError) as failure:
            said(rooms, key, {"other": 1}, once="a")
        assert failure.value.code == "once_mismatch"
    assert len(records(rooms.workspace, car(rooms))) == 2


def test_one_token_serves_two_twins(rooms: Rooms) -> None:
    writes.create(rooms.workspace, "van", Definition({}, owner="alice"))
    first = said(rooms, "dora", once="a")
    other = say(rooms.using("dora"), "van", "event", BODY, Writing(once="a"))
    assert not isinstance(other, Prepared)
    assert other["transaction_id"] != first["transaction_id"]


def test_nothing_is_written_dry(rooms: Rooms) -> None:
    for key in ("alice", "dora"):
        made = say(rooms.using(key, dry_run=True), "car", "event", BODY)
        assert not isinstance(made, Prepared)
        assert made["transaction_id"] is None
    assert not records(rooms.workspace, car(rooms))


def test_prepared_records_are_appends_where_the_key_is_asked_and_statements_elsewhere(
    rooms: Rooms,
) -> None:
    writes.create(rooms.workspace, "van", Definition({}, owner="all:alice,car"))
    for key, operation in (("alice", "TRANSFER"), ("dora", "CREATE")):
        made = say(rooms.using(key), "van", "event", BODY, Writing(prepare=True))
        assert isinstance(made, Prepared)
        assert made.file["transaction"]["operation"] == operation


def test_without_an_envelope_there_is_no_record(rooms: Rooms) -> None:
    with pytest.raises(UsageError, match="--bare"):
        said(rooms, "alice", bare=True)


def test_if_tip_binds_appends_only(rooms: Rooms) -> None:
    first = said(rooms, "alice")
    said(rooms, "alice", if_tip=first["transaction_id"])
    with pytest.raises(ConflictError) as failure:
        said(rooms, "alice", if_tip=first["transaction_id"])
    assert failure.value.code == "tip_moved"
    with pytest.raises(UsageError, match="--if-tip"):
        said(rooms, "dora", if_tip=first["transaction_id"])


def test_what_the_twin_is_like_may_forbid_it(rooms: Rooms) -> None:
    def check(replay: Any) -> None:
        assert replay.common == {"km": 1}
        raise InvalidError("not now")

    for key in ("alice", "dora"):
        with pytest.raises(InvalidError, match="not now"):
            say(rooms.using(key), "car", "event", BODY, check=check)
    assert not records(rooms.workspace, car(rooms))


def test_records_are_read_in_both_forms_and_orders(rooms: Rooms) -> None:
    late = said(rooms, "alice", {"n": 1})["transaction_id"]
    rooms.now_ms += 86_400_000
    early = said(rooms, "dora", {"n": 2}, at="30d")["transaction_id"]
    writes.append(rooms.workspace, "car", {"km": 2})
    say(rooms.workspace, "car", "file", {"cid": "x"})
    found = records(rooms.workspace, car(rooms), {"event"})
    assert [held.tx_id for held in found] == [early, late]
    assert [(held.form, held.standing) for held in found] == [
        ("statement", "unauthorised"),
        ("append", "authorised"),
    ]
    assert found[0].at is not None
    assert found[0].committed_at is not None
    recorded = records(rooms.workspace, car(rooms), by="recorded")
    assert [held.kind for held in recorded] == ["event", "event", "file"]


def test_what_strangers_write_is_shown_and_harms_nothing(rooms: Rooms) -> None:
    strange: list[dict[str, Any]] = [
        {"about": car(rooms), "says": "event", "body": [1]},
        {"about": car(rooms), "says": 7, "body": {}},
        {"about": car(rooms), "body": {}},
        {"about": {"id": 1}, "says": "event"},
        {"about": car(rooms), "says": "moon", "body": {"x": 1}},
    ]
    for stated in strange:
        wanted = Definition({}, kind=record.STATEMENT, stated=stated)
        writes.create(rooms.using("dora"), None, wanted)
    found = records(rooms.workspace, car(rooms))
    assert sorted((held.kind, str(held.body)) for held in found) == [
        ("event", "{}"),
        ("moon", "{'x': 1}"),
    ]


def test_certificates_weigh_what_their_issuer_weighs(rooms: Rooms) -> None:
    say(rooms.using("dora"), "car", "certificate", {"number": "1"})
    assert [held.standing for held in records(rooms.workspace, car(rooms))] == [None]


def test_an_append_is_not_a_record(rooms: Rooms) -> None:
    assert Append({"km": 2}) is not None
    writes.append(rooms.workspace, "car", {"km": 2})
    assert not records(rooms.workspace, car(rooms))


def test_the_owner_of_a_share_speaks_for_the_thing(rooms: Rooms) -> None:
    writes.create(rooms.workspace, "wine", Definition({}, owner="alice", amount=10))
    writes.transfer(rooms.workspace, "wine", outs=["4:dora"])
    for key in ("alice", "dora"):
        made = say(rooms.using(key), "wine", "event", BODY, PLAIN)
        assert not isinstance(made, Prepared)
        assert made["form"] == "append"


def test_what_others_say_of_a_frozen_twin_is_shown_as_such(rooms: Rooms) -> None:
    before = said(rooms, "dora")
    frozen = freeze(rooms.workspace, "car")
    assert not isinstance(frozen, Prepared)
    during = said(rooms, "dora", {"type": "crash"})
    assert during["warnings"][-1].startswith("car is frozen")
    assert (before["while_frozen"], during["while_frozen"]) == (False, True)
    with pytest.raises(LockedError, match="car is frozen"):
        said(rooms, "alice")
    unfreeze(rooms.workspace, "car")
    after = said(rooms, "dora", {"type": "repair"})
    listed = {held.tx_id: held.while_frozen for held in records(rooms.workspace, car(rooms))}
    assert [listed[one["transaction_id"]] for one in (before, during, after)] == [
        False,
        True,
        False,
    ]
    assert listed[frozen["transaction_id"] or ""] is False


def test_a_freeze_binds_those_who_may_write(rooms: Rooms) -> None:
    add(rooms.workspace, "car", ["dora"])
    assert said(rooms, "dora")["standing"] == "authorised"
    freeze(rooms.workspace, "car")
    with pytest.raises(LockedError, match="car is frozen"):
        said(rooms, "dora")


def test_a_freeze_binds_no_other_program(rooms: Rooms) -> None:
    freeze(rooms.workspace, "car")
    item = rooms.workspace.client.unspent(car(rooms))[0]
    keys = rooms.workspace.keystore
    written = transaction.transfer(
        [transaction.Spend.of_output(*item)],
        [transaction.Output(item.output["condition"]["details"], 1)],
        car(rooms),
        {"twin": record.envelope("event", body=BODY)},
    )
    tx = transaction.sign(written, [keys.unlock("alice", None)])
    rooms.workspace.client.submit(tx)
    freeze_again = records(rooms.workspace, car(rooms), {"event"})
    assert [held.while_frozen for held in freeze_again] == [True]
