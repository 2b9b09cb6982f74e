"""``twin name``: local names of assets and of other people."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Invoke
from twincli.crypto.ed25519 import KeyPair
from twincli.model.did import key_did

OTHER = KeyPair.from_seed(b"o" * 32).public_key
THIRD = KeyPair.from_seed(b"t" * 32).public_key
FIELDS = {"schema", "name", "kind", "value", "did", "ledger"}


@pytest.fixture
def car(invoke: Invoke) -> str:
    """The id of an asset called car, owned by alice."""
    invoke("keys", "new", "alice", "--no-passphrase")
    run = invoke("asset", "create", "car", "--owner", "alice", "--paint", "red", "--json")
    assert run.status == 0, run.stderr
    identifier: str = run.json["id"]
    return identifier


def test_a_party_by_key_and_by_did(invoke: Invoke, home: Path) -> None:
    run = invoke("name", "set", "carol", OTHER, "--json")
    assert run.status == 0
    assert run.json == {
        "schema": "twin.name/1",
        "name": "carol",
        "kind": "party",
        "value": OTHER,
        "did": key_did(OTHER),
        "ledger": None,
        "changed": True,
    }
    assert not (home / "ledger").exists()
    again = invoke("name", "set", "Carol", key_did(OTHER), "--json")
    assert again.json["value"] == OTHER
    assert again.json["changed"] is False
    web = invoke("name", "set", "acme", "did:web:acme.example", "--json")
    assert web.json["value"] == web.json["did"] == "did:web:acme.example"


def test_an_asset_by_all_that_means_it(invoke: Invoke, car: str) -> None:
    did = invoke("asset", "show", "car", "--get", "did").stdout.strip()
    references = (car, car[:12], did, f"did:bdb:{car}", f"did:{car}")
    for number, reference in enumerate(references):
        run = invoke("name", "set", f"car{number}", reference, "--json")
        assert run.status == 0, run.stderr
        assert run.json["value"] == car
        assert run.json["did"] == did
        assert run.json["kind"] == "asset"
    assert invoke("asset", "show", "car3", "--get", "id").stdout.strip() == car
    planned = invoke("name", "set", "planned", car, "--dry-run", "--json")
    assert planned.json["changed"] is True
    assert invoke("asset", "show", "planned").status == 4
    again = invoke("name", "set", "car", car, "--json")
    assert again.json["changed"] is False


def test_a_name_of_an_asset_needs_the_asset(invoke: Invoke, car: str, home: Path) -> None:
    for reference in ("0" * 64, f"did:bdb:{'0' * 64}", f"did:bdb:{'0' * 16}:{car}"):
        run = invoke("name", "set", "ghost", reference, "--json")
        assert (run.status, run.error["code"]) == (4, "not_found")
    run = invoke("name", "set", "car", invoke_other_asset(invoke), "--json")
    assert (run.status, run.error["code"]) == (5, "exists")
    for more in ((), ("--dry-run",)):
        run = invoke("name", "set", "bike", car, "--json", *more)
        assert (run.status, run.error["code"]) == (5, "exists")
    elsewhere = home.parent / "elsewhere"
    run = invoke("name", "set", "car", car, "--json", "--home", str(elsewhere))
    assert (run.status, run.error["code"]) == (4, "no_home")
    assert not elsewhere.exists()
    elsewhere.mkdir()
    run = invoke("name", "set", "car", car, "--json", "--home", str(elsewhere))
    assert (run.status, run.error["code"]) == (4, "not_found")
    assert not list(elsewhere.iterdir())


def invoke_other_asset(invoke: Invoke) -> str:
    identifier: str = invoke("asset", "create", "bike", "--owner", "alice", "--json").json["id"]
    return identifier


@pytest.mark.parametrize(
    ("name", "value", "status", "code"),
    [
        ("carol", "nonsense", 2, "bad_value"),
        ("carol", "", 2, "bad_value"),
        ("carol", OTHER[:-3], 2, "bad_value"),
        ("carol", "BurnBurnBurnBurnBurnBurnBurnBurnBurnBurnBurn", 7, "not_a_curve_point"),
        ("carol", "did:key:z6Mkxx", 7, "invalid_did"),
        ("carol", "did:bdb:12", 7, "invalid_did"),
        ("a,b", OTHER, 7, "invalid_name"),
        (OTHER, OTHER, 7, "invalid_name"),
        ("12345678", OTHER, 7, "invalid_name"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_refusals(
    name: str, value: str, status: int, code: str, more: list[str], invoke: Invoke, home: Path
) -> None:
    run = invoke("name", "set", name, value, "--json", *more)
    assert (run.status, run.error["code"]) == (status, code)
    assert not home.exists()


def test_a_name_stands_for_one_thing(invoke: Invoke) -> None:
    invoke("name", "set", "carol", OTHER)
    for more in ((), ("--dry-run",)):
        run = invoke("name", "set", "CAROL", THIRD, "--json", *more)
        assert (run.status, run.error["code"]) == (5, "exists")
        assert "twin name remove" in str(run.error["hint"])
    planned = invoke("name", "set", "dave", THIRD, "--dry-run", "--json")
    assert planned.json["changed"] is True
    assert invoke("name", "list", "--get", "names.-1.name").stdout == "carol\n"


def test_a_name_does_not_shadow_a_key(invoke: Invoke) -> None:
    mine = invoke("keys", "new", "alice", "--no-passphrase", "--get", "public_key").stdout.strip()
    run = invoke("name", "set", "Alice", OTHER, "--json")
    assert (run.status, run.error["code"]) == (5, "exists")
    assert mine in run.error["message"]
    assert invoke("name", "set", "alice", mine).status == 0


def test_list(invoke: Invoke, car: str) -> None:
    invoke("name", "set", "zoe", OTHER)
    invoke("name", "set", "Bob", THIRD)
    run = invoke("name", "list", "--json")
    assert run.json["schema"] == "twin.names/1"
    assert [(entry["name"], entry["kind"]) for entry in run.json["names"]] == [
        ("Bob", "party"),
        ("car", "asset"),
        ("zoe", "party"),
    ]
    assert all(set(entry) == FIELDS - {"schema"} for entry in run.json["names"])
    assert run.json["names"][1]["value"] == car
    assert invoke("name", "list").stdout.splitlines()[0] == "name\tkind\tvalue\tdid"


def test_list_without_names_or_a_ledger(invoke: Invoke) -> None:
    assert invoke("name", "list", "--json").error["code"] == "no_home"
    invoke("keys", "new", "alice", "--no-passphrase")
    assert invoke("name", "list", "--json").json == {"schema": "twin.names/1", "names": []}


def test_a_name_reserved_for_what_never_was_is_not_listed(
    invoke: Invoke, car: str, home: Path
) -> None:
    from twincli.book.store import Book

    ledger = invoke("asset", "show", "car", "--get", "ledger").stdout.strip()
    with Book(str(home / "book.db")) as book:
        book.reserve(ledger, "ghost", "0" * 64)
        book.reserve(ledger, "twin", car)
    names = [entry["name"] for entry in invoke("name", "list", "--json").json["names"]]
    assert names == ["car", "twin"]


def test_remove(invoke: Invoke, car: str) -> None:
    invoke("name", "set", "carol", OTHER)
    for name, kind, value in (("car", "asset", car), ("carol", "party", OTHER)):
        assert invoke("name", "remove", name, "--dry-run").status == 0
        run = invoke("name", "remove", name, "--json")
        assert set(run.json) == FIELDS
        assert (run.json["kind"], run.json["value"]) == (kind, value)
        gone = invoke("name", "remove", name, "--json")
        assert (gone.status, gone.error["code"]) == (4, "not_found")
    assert invoke("asset", "show", car).status == 0


def test_remove_suggests_a_near_name(invoke: Invoke) -> None:
    invoke("name", "set", "carol", OTHER)
    assert invoke("name", "remove", "karol", "--json").error["hint"] == "did you mean carol?"
    invoke("keys", "new", "alice", "--no-passphrase")
    hint = invoke("name", "remove", "alice", "--json").error["hint"]
    assert "twin keys" in str(hint)


def test_remove_of_a_name_with_two_meanings(invoke: Invoke, car: str) -> None:
    invoke("name", "set", "car", OTHER)
    run = invoke("name", "remove", "car", "--json")
    assert (run.status, run.error["code"]) == (5, "ambiguous")
    assert invoke("name", "remove", "key:car", "--json").json["value"] == OTHER
    assert invoke("name", "remove", "asset:car", "--json").json["value"] == car
