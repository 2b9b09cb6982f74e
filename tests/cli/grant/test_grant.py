"""``twin grant``: add, list, show, revoke, and what becomes of statements."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Invoke
from twincli.crypto.ed25519 import KeyPair
from twincli.services import documents

STRANGER = KeyPair.from_seed(b"s" * 32).public_key

TEMPLATE = """
id: pump-v1
name: Pump
assetType: pump
identifiers: {primary: assetId}
trackingFields:
  - {name: pressure, type: number, unit: bar, source: gauge}
  - {name: flow, type: number, unit: L/min, source: gauge}
  - {name: note, type: text}
additionalFields: false
"""


@pytest.fixture
def car(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    for name in ("alice", "garage", "dev7"):
        assert invoke("keys", "new", name).status == 0
    assert invoke("asset", "create", "car", "--owner", "alice").status == 0
    return invoke


def rows(run: Invoke, *args: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("grant", "list", "car", *args, "--json").json["grants"]
    return found


def test_a_grant_is_added_listed_and_revoked(car: Invoke) -> None:
    added = car(
        *("grant", "add", "car", "--to", "garage", "--to", "dev7", "--role", "writer"),
        *("--scope", "event,maintenance", "--expires", "2999-01-01", "--json"),
    ).json
    assert set(added) == set(documents.WrittenGrants.__annotations__)
    assert added["schema"] == "twin.record/1"
    assert added["body"]["kinds"] == ["event", "maintenance"]
    assert [row["to_name"] for row in added["grants"]] == ["garage", "dev7"]
    listed = rows(car)
    assert all(set(row) == set(documents.GrantItem.__annotations__) for row in listed)
    assert [(row["to_name"], row["state"], row["id"]) for row in listed] == [
        ("garage", "active", added["transaction_id"]),
        ("dev7", "active", added["transaction_id"]),
    ]
    assert listed[0]["until"] == "2999-01-01T00:00:00.000Z"
    done = car("grant", "revoke", "car", "--from", "dev7", "--reason", "stolen", "--json").json
    assert done["kind"] == "revoke"
    row = rows(car, "dev7")[0]
    assert (row["state"], row["standing"], row["reason"]) == ("revoked", "revoked", "stolen")
    assert row["ended_by"] == done["transaction_id"]
    assert rows(car, "garage")[0]["state"] == "active"
    again = car("grant", "revoke", "car", "--from", "dev7", "--json")
    assert (again.status, again.error["code"]) == (4, "not_found")
    assert car("grant", "revoke", "car", "--all").status == 0
    assert {row["state"] for row in rows(car)} == {"revoked"}
    assert car("grant", "revoke", "car", "--all", "--json").error["code"] == "not_found"


def test_several_grants_are_all_made_or_none(car: Invoke) -> None:
    failed = car("grant", "add", "car", "--to", "garage", "--to", "nobody", "--json")
    assert (failed.status, failed.error["code"]) == (4, "not_found")
    assert rows(car) == []


def test_roles_of_reading_and_what_they_are_asked(car: Invoke) -> None:
    added = car(
        *("grant", "add", "car", "--to", "garage", "--role", "viewer", "--deny", "download,share"),
        "--json",
    ).json
    (item,) = added["grants"]
    assert (item["role"], item["deny"]) == ("viewer", ["download", "share"])
    (listed,) = rows(car)
    assert (listed["role"], listed["deny"], listed["state"]) == ("viewer", item["deny"], "active")
    for args in (
        ("--deny", "download"),
        ("--role", "viewer", "--deny", "copy"),
        ("--recipient", "age1x"),
        ("--role", "viewer", "--to", "dev7", "--recipient", "age1x"),
    ):
        failed = car("grant", "add", "car", "--to", "garage", *args, "--json")
        assert (failed.status, failed.error["code"]) == (2, "usage")
    failed = car(
        *("grant", "add", "car", "--to", "garage", "--role", "viewer", "--recipient", "age1x"),
        "--json",
    )
    assert (failed.status, failed.error["code"]) == (7, "invalid_recipient")


@pytest.mark.parametrize(
    ("args", "status", "code"),
    [
        ((), 2, "usage"),
        (("--to", "garage", "--role", "owner"), 2, "usage"),
        (("--to", "garage", "--expires", "2001-01-01"), 2, "bad_time"),
        (("--to", "garage", "--expires", "soon"), 2, "bad_time"),
        (("--to", "garage", "--scope", "evnt"), 2, "bad_scope"),
        (("--to", "garage", "--scope", ""), 2, "bad_scope"),
        (("--to", "garage", "--scope", "event,,file"), 2, "bad_scope"),
        (("--to", "garage", "--scope", "grant"), 2, "bad_scope"),
        (("--to", "garage", "--scope", "certifications"), 2, "bad_scope"),
        (("--to", "garage", "--scope", "moon:x"), 2, "bad_scope"),
        (("--to", "garage", "--scope", "stream:"), 2, "bad_scope"),
        (("--to", "garage", "--scope", "kind:moon"), 2, "bad_scope"),
        (("--to", "garage", "--scope", "source:gauge"), 2, "bad_scope"),
        (("--to", "garage", "--bare"), 2, "usage"),
        (("--to", "garage", "--key", "garage"), 6, "no_key"),
        (("--to", "did:web:example.com"), 7, "wrong_did"),
        (("--to", STRANGER), 2, "unknown_recipient"),
    ],
)
def test_what_cannot_be_granted(car: Invoke, args: tuple[str, ...], status: int, code: str) -> None:
    failed = car("grant", "add", "car", *args, "--json")
    assert (failed.status, failed.error["code"]) == (status, code), failed.stderr
    assert rows(car) == []


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        ("event", {"kinds": ["event"]}),
        ("events,kind:files", {"kinds": ["event", "file"]}),
        ("pressure,stream:gps", {"fields": ["pressure"], "streams": ["gps"]}),
        ("source:gauge", {"fields": ["pressure", "flow"]}),
        ("field:note, event", {"fields": ["note"], "kinds": ["event"]}),
    ],
)
def test_the_scope_is_read_with_the_template(
    car: Invoke, tmp_path: Path, scope: str, wanted: dict[str, list[str]]
) -> None:
    file = tmp_path / "pump.yaml"
    file.write_text(TEMPLATE)
    assert car("template", "register", str(file)).status == 0
    assert car("asset", "create", "P1", "--template", "pump-v1", "--owner", "alice").status == 0
    made = car("grant", "add", "P1", "--to", "garage", "--scope", scope, "--json").json
    body = {name: made["body"].get(name) for name in ("fields", "kinds", "streams")}
    assert body == {"fields": None, "kinds": None, "streams": None, **wanted}
    failed = car("grant", "add", "P1", "--to", "garage", "--scope", "field:presure", "--json")
    assert failed.error["hint"] == "did you mean pressure?"
    listed = car("grant", "list", "P1").stdout
    assert "active" in listed


def test_without_a_scope_everything_may_be_written(car: Invoke) -> None:
    car("grant", "add", "car", "--to", "garage")
    assert "everything" in car("grant", "list", "car").stdout


def test_nothing_is_granted_dry(car: Invoke) -> None:
    made = car("grant", "add", "car", "--to", "garage", "--dry-run", "--json").json
    assert (made["transaction_id"], made["grants"][0]["state"]) == (None, "pending")
    assert rows(car) == []


def test_an_expired_grant_is_listed_as_expired(car: Invoke) -> None:
    from twincli.model import times

    soon = times.to_text(int(time.time() * 1000) + 1500)
    assert car("grant", "add", "car", "--to", "garage", "--expires", soon).status == 0
    assert rows(car)[0]["state"] == "active"
    time.sleep(1.6)
    assert rows(car)[0]["state"] == "expired"


def test_a_transfer_ends_grants(car: Invoke) -> None:
    car("grant", "add", "car", "--to", "garage")
    car("asset", "transfer", "car", "--to", "dev7")
    row = rows(car)[0]
    assert (row["state"], row["reason"]) == ("expired", "transferred")
    assert row["ended_by"] == car("asset", "show", "car", "--json").json["transaction_id"]


def test_effective_says_who_may_what_and_why(car: Invoke) -> None:
    car("asset", "create", "gps", "--owner", "dev7", "--parent", "car", "--key", "alice")
    car("grant", "add", "car", "--to", "garage", "--scope", "event")
    shown = car("grant", "show", "car", "--effective", "--json").json
    assert shown["schema"] == "twin.effective/1"
    assert all(
        set(row) == set(documents.EffectiveItem.__annotations__) for row in shown["speakers"]
    )
    assert [(row["name"], row["why"]) for row in shown["speakers"]] == [
        ("alice", "owner"),
        ("dev7", "link"),
        ("garage", "grant"),
    ]
    one = car("grant", "show", "car", "garage", "--effective", "--json").json["speakers"]
    assert [row["scope"]["kinds"] for row in one] == [["event"]]
    car("keys", "new", "zoe")
    nobody = car("grant", "show", "car", "zoe", "--effective", "--json").json["speakers"]
    assert [(row["standing"], row["why"]) for row in nobody] == [("unauthorised", "stranger")]
    assert "link" in car("grant", "show", "car", "--effective").stdout
    assert "event" in car("grant", "show", "car").stdout


def test_a_linked_part_is_revoked_by_its_key_or_as_an_asset(car: Invoke) -> None:
    for name in ("gps", "box"):
        car("asset", "create", name, "--owner", "dev7", "--parent", "car", "--key", "alice")
    assert car("grant", "revoke", "car", "--from", "asset:gps").status == 0
    whys = [row["why"] for row in speakers(car) if row["name"] == "dev7"]
    assert whys == ["revoked", "link"]
    assert car("grant", "revoke", "car", "--from", "dev7").status == 0
    whys = [row["why"] for row in speakers(car) if row["name"] == "dev7"]
    assert whys == ["revoked", "revoked"]
    failed = car("grant", "revoke", "car", "--from", "asset:gps", "--json")
    assert failed.error["code"] == "not_found"


def speakers(run: Invoke) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("grant", "show", "car", "--effective", "--json").json[
        "speakers"
    ]
    return found


def test_a_granted_part_is_authorised_and_another_is_not(car: Invoke) -> None:
    car("grant", "add", "car", "--to", "garage")
    made = car("asset", "create", "tyre", "--parent", "car", "--key", "garage")
    assert "may not" not in made.stderr
    other = car("asset", "create", "sticker", "--parent", "car", "--key", "dev7")
    assert "unauthorised" in other.stderr
    [tree] = car("asset", "tree", "car", "--json").json["roots"]
    assert {child["name"]: child["standing"] for child in tree["children"]} == {
        "tyre": "authorised",
        "sticker": "unauthorised",
    }
    shown = car("asset", "show", "tyre", "--json").json
    assert shown["parent_standing"] == "authorised"


def test_a_grant_needs_somebody_to_revoke_it(car: Invoke) -> None:
    for args in ((), ("--all", "--from", "garage")):
        failed = car("grant", "revoke", "car", *args, "--json")
        assert (failed.status, failed.error["code"]) == (2, "usage")
    car("grant", "add", "car", "--to", "garage")
    failed = car("grant", "revoke", "car", "--from", "garage", "--since", "2999-01-01", "--json")
    assert failed.error["code"] == "time_ahead"
    failed = car("grant", "revoke", "car", "--all", "--key", "garage", "--json")
    assert failed.error["code"] == "no_key"
    assert car("grant", "revoke", "car", "--from", "garage", "--since", "1d").status == 0
    assert rows(car)[0]["state"] == "revoked"


def test_an_append_by_a_grant_is_refused_with_the_way(car: Invoke) -> None:
    car("grant", "add", "car", "--to", "garage", "--scope", "field:mileage")
    failed = car("asset", "append", "car", "--mileage", "5", "--key", "garage", "--json")
    assert (failed.status, failed.error["code"]) == (6, "no_key")
    assert "grant" in failed.error["message"]
    assert "--key alice" in failed.error["hint"]


def test_a_grant_is_prepared_for_several_owners(car: Invoke, tmp_path: Path) -> None:
    car("asset", "create", "van", "--owner", "all:alice,dev7")
    file = str(tmp_path / "grant.json")
    made = car("grant", "add", "van", "--to", "garage", "--prepare", file, "--key", "alice")
    assert made.status == 0, made.stderr
    assert car("tx", "sign", file, "--key", "dev7", "--yes").status == 0
    assert car("tx", "submit", file).status == 0
    found = car("grant", "list", "van", "--json").json["grants"]
    assert [row["state"] for row in found] == ["active"]
