"""Who may read: owners, and viewers and auditors within scope until their grant ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import rooms
from twincli.errors import LockedError
from twincli.model import did, times
from twincli.services import resolve
from twincli.services.access import FILE, READINGS, Access, Wanted
from twincli.services.asset import create
from twincli.services.asset.write_options import PLAIN
from twincli.services.audit import listing
from twincli.services.grant import grants
from twincli.services.record.say import say
from twincli.services.workspace import Audit

RECIPE = Wanted(READINGS, "recipe", by="query")


@pytest.fixture
def car(tmp_path: Path) -> Iterator[rooms.Rooms]:
    with rooms.opened(tmp_path) as opened:
        opened.workspace = opened.workspace._replace(audit=Audit(str(tmp_path / "audit")))
        for name in ("alice", "bob", "eve"):
            opened.key(name)
        create.create(opened.using("alice"), "car", create.Definition({}))
        yield opened


def grant(car: rooms.Rooms, **more: object) -> None:
    to = did.key_did(key(car, "bob"))
    say(
        car.workspace, "car", "grant", {"to": [to], "role": "viewer", **more}, PLAIN, is_owners=True
    )


def key(car: rooms.Rooms, name: str) -> str:
    return resolve.public_key_of(car.workspace, name)


def access(car: rooms.Rooms) -> Access:
    return Access(car.workspace, resolve.asset_id_of(car.workspace, "car"))


def refused(car: rooms.Rooms, name: str, wanted: Wanted = RECIPE) -> str:
    with pytest.raises(LockedError) as error:
        access(car).check(key(car, name), wanted)
    assert error.value.code == "no_grant"
    return error.value.message


def test_scope_expiry_and_revocation_are_held_to_the_moment(car: rooms.Rooms) -> None:
    until = car.now_ms + 1000
    grant(car, streams=["recipe"], until=times.to_text(until))
    assert access(car).check(key(car, "alice"), RECIPE).why == "owner"
    assert access(car).check(key(car, "bob"), RECIPE).why == "grant"
    assert "outside the scope" in refused(car, "bob", Wanted(READINGS, "gps"))
    assert "this file is outside" in refused(car, "bob", Wanted(FILE))
    assert "no grant" in refused(car, "eve")
    judged = access(car)
    assert judged.allowed([key(car, name) for name in ("eve", "bob", "alice", "bob")], RECIPE) == [
        key(car, "alice"),
        key(car, "bob"),
    ]
    car.now_ms = until - 1
    assert judged.verdict(key(car, "bob"), RECIPE).standing == "authorised"
    car.now_ms = until
    assert judged.verdict(key(car, "bob"), RECIPE).why == "expired"
    assert times.to_text(until) in refused(car, "bob")
    grant(car)
    assert access(car).check(key(car, "bob"), Wanted(FILE)).why == "grant"
    grants.revoke(car.workspace, "car", ["bob"])
    assert "revoked" in refused(car, "bob")


def test_a_denied_download_may_still_be_looked_at(car: rooms.Rooms) -> None:
    grant(car, deny=["download"])
    assert access(car).check(key(car, "bob"), RECIPE).why == "grant"
    assert "denies downloads" in refused(car, "bob", RECIPE._replace(download=True))


def test_refusals_are_noted(car: rooms.Rooms) -> None:
    refused(car, "bob")
    refused(car, "eve", Wanted(FILE, by="file get"))
    entries = listing.list_entries(car.workspace, "car")["entries"]
    assert [
        (row["what"], row["party_name"], row["stream"], row["kind"], row["by"], row["reason"])
        for row in entries
    ] == [
        ("refused", "bob", "recipe", None, "query", "there is no grant"),
        ("refused", "eve", None, "file", "file get", "there is no grant"),
    ]
