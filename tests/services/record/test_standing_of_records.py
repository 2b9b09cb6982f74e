"""Whose word records are, over a ledger: grants, linked parts, transfers, expiry, revocation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.model import times
from twincli.services.asset.create import Definition
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.grant import grants
from twincli.services.keys import rotate
from twincli.services.record.records import records
from twincli.services.record.say import say
from twincli.services.tx.prepared import Prepared


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        for name in ("alice", "bob", "dora", "gps"):
            made.key(name)
        writes.create(made.workspace, "car", Definition({}, owner="alice"))
        yield made


def car(rooms: Rooms) -> str:
    return rooms.workspace.book.lookup(rooms.ledger.id, "car", lambda _: True) or ""


def said(rooms: Rooms, *keys: str, kind: str = "event", writing: Writing = PLAIN) -> list[str]:
    """Say something; return its standing as it was told, and the warnings."""
    rooms.now_ms += 1000
    made = say(rooms.using(*keys), "car", kind, {"n": rooms.now_ms}, writing)
    assert not isinstance(made, Prepared)
    return [str(made["standing"]), *made["warnings"]]


def listed(rooms: Rooms) -> list[str | None]:
    return [
        held.standing
        for held in records(rooms.workspace, car(rooms), {"event", "file"}, by="recorded")
    ]


def test_a_grant_makes_a_statement_count_until_it_ends(rooms: Rooms) -> None:
    until = times.to_text(rooms.now_ms + 10_000)
    grants.add(rooms.workspace, "car", ["dora"], scope=["event"], expires=until)
    assert said(rooms, "dora") == ["authorised"]
    inside = said(rooms, "dora", kind="file")
    assert inside[0] == "unauthorised"
    assert "twin grant add car --to dora --role writer --scope file" in inside[1]
    rooms.now_ms += 7_000 - 1_000 + 999
    assert said(rooms, "dora") == ["authorised"]  # a millisecond before its end
    rooms.now_ms += 1 - 1_000
    assert said(rooms, "dora")[0] == "unauthorised"
    assert listed(rooms) == ["authorised", "unauthorised", "authorised", "unauthorised"]
    found = records(rooms.workspace, car(rooms), {"grant"})
    assert [held.form for held in found] == ["append"]


def test_a_revocation_reaches_back_to_since(rooms: Rooms) -> None:
    grants.add(rooms.workspace, "car", ["dora"])
    assert said(rooms, "dora") == ["authorised"]
    since = times.to_text(rooms.now_ms + 1)
    assert said(rooms, "dora") == ["authorised"]
    grants.revoke(rooms.workspace, "car", ["dora"], since=since)
    assert said(rooms, "dora")[0] == "revoked"
    assert listed(rooms) == ["authorised", "revoked", "revoked"]
    via = {held.via for held in records(rooms.workspace, car(rooms), {"event"})}
    assert len(via) == 1


def test_a_linked_part_speaks_for_the_twin_until_the_twin_is_sold(rooms: Rooms) -> None:
    writes.create(rooms.using("alice"), "box", Definition({}, owner="gps", parent="car"))
    assert said(rooms, "gps") == ["authorised"]
    assert said(rooms, "dora")[0] == "unauthorised"
    writes.transfer(rooms.workspace, "box", to="dora")
    assert said(rooms, "gps")[0] == "unauthorised"
    assert said(rooms, "dora") == ["authorised"]
    writes.transfer(rooms.workspace, "car", to="bob")
    assert said(rooms, "dora")[0] == "unauthorised"
    standings = ["authorised", "unauthorised", "unauthorised", "authorised", "unauthorised"]
    assert listed(rooms) == standings


def test_of_my_keys_one_that_may_say_it_is_taken(rooms: Rooms) -> None:
    grants.add(rooms.workspace, "car", ["gps"])
    alice = rooms.workspace.keystore
    alice.remove("alice")
    made = say(rooms.workspace, "car", "event", {"n": 1})
    assert not isinstance(made, Prepared)
    assert (made["signer_names"], made["standing"]) == (["gps"], "authorised")


def test_a_new_key_of_the_owner_keeps_what_was_granted(rooms: Rooms) -> None:
    grants.add(rooms.workspace, "car", ["dora"])
    new = rooms.key("alice2")
    rotate.rotate(rooms.workspace, rooms.workspace.keystore.get("alice"), new)
    assert said(rooms, "dora") == ["authorised"]
    assert said(rooms, "alice")[0] == "unauthorised"
    writes.transfer(rooms.workspace, "car", to="bob")
    assert said(rooms, "dora")[0] == "unauthorised"


def test_a_grant_to_an_owner_is_said_to_be_needless(rooms: Rooms) -> None:
    made = grants.add(rooms.workspace, "car", ["alice"])
    assert not isinstance(made, Prepared)
    assert "already" in made["warnings"][0]


def test_of_several_owners_each_alone_is_shown_so(rooms: Rooms) -> None:
    writes.create(rooms.workspace, "van", Definition({}, owner="all:alice,bob", entity="gps"))
    rows = grants.effective(rooms.workspace, "van")["speakers"]
    assert [(row["name"], row["why"]) for row in rows] == [
        ("alice", "owner_with_others"),
        ("bob", "owner_with_others"),
        ("gps", "entity"),
    ]
    writes.burn(rooms.workspace, "van")
    assert [row["why"] for row in grants.effective(rooms.workspace, "van")["speakers"]] == [
        "entity"
    ]
