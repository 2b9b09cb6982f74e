"""``twin name``: local names of assets and of other people."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

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


# --- Export and import ----------------------------------------------------------------------------

IMPORTED = ["schema", "ledger", "names", "unchanged", "skipped"]


def document(*entries: dict[str, Any]) -> str:
    return json.dumps({"schema": "twin.names/1", "names": entries})


def party(name: str, value: str = OTHER) -> dict[str, Any]:
    return {"name": name, "kind": "party", "value": value, "did": None, "ledger": None}


def listed(invoke: Invoke) -> dict[str, str]:
    found = invoke("name", "list", "--json").json["names"]
    return {entry["name"]: entry["value"] for entry in found}


def test_exported_names_come_back(invoke: Invoke, car: str, tmp_path: Path) -> None:
    invoke("name", "set", "zoe", OTHER)
    invoke("name", "set", "acme", "did:web:acme.example")
    before = listed(invoke)
    out = {ending: str(tmp_path / f"names.{ending}") for ending in ("json", "jsonl")}
    for path in out.values():
        made = invoke("name", "export", "-o", path, "--json")
        assert made.json == {"schema": "twin.name-export/1", "file": path, "names": 3}
        assert os.stat(path).st_mode & 0o777 == 0o600
        again = invoke("name", "export", "-o", path, "--json")
        assert (again.status, again.error["code"]) == (5, "exists")
    planned = invoke("name", "export", "-o", str(tmp_path / "n.json"), "--dry-run")
    assert (planned.status, (tmp_path / "n.json").exists()) == (0, False)
    texts = [invoke("name", "export").stdout, invoke("name", "export", "-o", "-").stdout]
    texts += [Path(out["json"]).read_text(), invoke("name", "export", "--json").stdout]
    parsed = [json.loads(text) for text in texts]
    assert parsed == [invoke("name", "list", "--json").json] * 4
    assert Path(out["jsonl"]).read_text() == invoke("name", "export", "--jsonl").stdout

    unchanged = invoke("name", "import", out["json"], "--json")
    assert (unchanged.status, list(unchanged.json)) == (0, IMPORTED)
    assert (unchanged.json["names"], unchanged.json["unchanged"]) == ([], 3)
    for path in out.values():
        for name in before:
            invoke("name", "remove", name)
        dry = invoke("name", "import", path, "--dry-run", "--json")
        assert (len(dry.json["names"]), listed(invoke)) == (3, {})
        with open(path, encoding="utf-8") as file:
            done = invoke("name", "import", "-", "--json", stdin=file.read())
        assert done.json["names"] == parsed[0]["names"]
        assert listed(invoke) == before
    assert invoke("asset", "show", "car", "--get", "id").stdout.strip() == car


def test_what_an_import_refuses_is_listed_and_nothing_is_overwritten(
    invoke: Invoke, car: str
) -> None:
    bike = invoke_other_asset(invoke)
    ledger = invoke("asset", "show", "car", "--get", "ledger").stdout.strip()
    invoke("name", "set", "zoe", OTHER)
    before = listed(invoke)
    entries: list[Any] = [
        party("new"),
        party("NEW", THIRD),  # the document's own first one holds
        party("zoe", THIRD),
        party("alice"),  # a key of ours
        party("a b"),
        party("short", OTHER[:-2]),
        {"name": "car", "kind": "asset", "value": bike, "ledger": ledger},
        {"name": "far", "kind": "asset", "value": car, "ledger": "0" * 64},
        {"name": "far", "kind": "asset", "value": car},
        {"name": "ghost", "kind": "asset", "value": "0" * 64, "ledger": ledger},
        {"name": "odd", "kind": "place", "value": "Berlin"},
        {"name": "odd", "kind": "party"},
        "odd",
        {"name": "auto", "kind": "asset", "value": car, "ledger": ledger},
    ]
    run = invoke("name", "import", "-", "--json", stdin=document(*entries))
    assert run.status == 10
    assert [entry["name"] for entry in run.json["names"]] == ["new", "auto"]
    assert [(entry["number"], entry["code"]) for entry in run.json["skipped"]] == [
        (2, "exists"),
        (3, "exists"),
        (4, "exists"),
        (5, "invalid_name"),
        (6, "bad_value"),
        (7, "exists"),
        (8, "other_ledger"),
        (9, "other_ledger"),
        (10, "not_found"),
        (11, "bad_entry"),
        (12, "bad_entry"),
        (13, "bad_entry"),
    ]
    assert listed(invoke) == {**before, "new": OTHER, "auto": car}
    shown = invoke("name", "import", "-", stdin=document(*entries))
    assert "skipped a b: " in shown.stderr
    assert "2 already had names" in shown.stderr


def test_a_bad_line_does_not_stop_the_others(invoke: Invoke) -> None:
    invoke("keys", "new", "alice", "--no-passphrase")
    lines = [json.dumps(party("carol")), "{", json.dumps(party("dave", THIRD))]
    run = invoke("name", "import", "-", "--json", stdin="\n".join(lines))
    assert (run.status, len(run.json["names"])) == (10, 2)
    assert run.json["skipped"][0]["code"] == "invalid_json"


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([party("carol", THIRD)], "exists"),
        ([party("carol", THIRD), party("carol", THIRD)], "exists"),
        ([party("carol", THIRD), party("a b")], "refused"),
        ([party("a b")], "invalid_name"),
    ],
)
def test_none_taken_is_a_conflict(entries: list[Any], code: str, invoke: Invoke) -> None:
    invoke("name", "set", "carol", OTHER)
    run = invoke("name", "import", "-", "--json", stdin=document(*entries))
    assert (run.status, run.stdout, run.error["code"]) == (5, "", code)


@pytest.mark.parametrize(
    ("words", "stdin", "status", "code"),
    [
        (["import"], "", 2, "usage"),
        (["import", "-", "--from-ledger", "--owner", "alice"], "", 2, "usage"),
        (["import", "--from-ledger"], "", 2, "usage"),
        (["import", "-", "--owner", "alice"], "", 2, "usage"),
        (["import", "--from-ledger", "--owner", "nobody"], "", 4, "not_found"),
        (["import", "-"], "", 7, "invalid_json"),
        (["import", "-"], "[", 7, "invalid_json"),
        (["import", "/nowhere.json"], "", 4, "no_file"),
        (["export", "-o", "/nowhere/names.json"], "", 9, "cannot_write"),
    ],
)
def test_import_and_export_refuse(
    words: list[str], stdin: str, status: int, code: str, invoke: Invoke, home: Path
) -> None:
    absent = invoke("name", *words, "--json", stdin=stdin)
    assert absent.status in {2, 4}
    assert not home.exists()
    invoke("keys", "new", "alice", "--no-passphrase")
    run = invoke("name", *words, "--json", stdin=stdin)
    assert (run.status, run.error["code"]) == (status, code)


def test_names_that_the_ledger_states(invoke: Invoke) -> None:
    ids = {}

    def create(name: str, *more: str) -> str:
        run = invoke("asset", "create", name, *more, "--json")
        assert run.status == 0, run.stderr
        ids[name] = run.json["id"]
        return str(run.json["id"])

    for name in ("alice", "bob"):
        invoke("keys", "new", name, "--no-passphrase")
    invoke("did", "new", "alice", "--owner", "alice")
    for name in ("car", "boat"):
        create(name, "--owner", "alice")
    create("bike", "--owner", "alice", "--title", "My bike!")
    create("twice", "--owner", "alice")
    create("twice2", "--owner", "alice", "--title", "Twice")
    create("plain", "--owner", "alice", "--bare")
    create("evil", "--owner", "alice", "--title", "\u001b[31mred", "--key", "bob")
    create("bobs", "--owner", "alice", "--title", "bob", "--key", "bob")
    create("gift", "--owner", "alice", "--key", "bob")
    create("other", "--owner", "bob")
    create("kept", "--owner", "alice")
    for name in (*ids, "alice"):
        if name != "kept":
            assert invoke("name", "remove", f"asset:{name}").status == 0
    invoke("name", "set", "boat", ids["car"])
    invoke("name", "remove", "boat")
    invoke("name", "set", "boat", ids["other"])

    words = ["name", "import", "--from-ledger", "--owner", "alice"]
    planned = invoke(*words, "--dry-run", "--json")
    assert set(listed(invoke)) == {"kept", "boat"}
    run = invoke(*words, "--json")
    assert (run.status, run.stderr) == (0, "")
    assert run.json == planned.json
    assert [entry["name"] for entry in run.json["names"]] == ["alice", "car", "gift"]
    assert run.json["unchanged"] == 1
    assert {entry["value"]: (entry["number"], entry["code"]) for entry in run.json["skipped"]} == {
        ids["boat"]: (None, "exists"),
        ids["bike"]: (None, "invalid_name"),
        ids["twice"]: (None, "ambiguous"),
        ids["twice2"]: (None, "ambiguous"),
        ids["plain"]: (None, "no_name"),
        ids["evil"]: (None, "invalid_name"),
        ids["bobs"]: (None, "exists"),
    }
    found = listed(invoke)
    assert (found["car"], found["gift"], found["kept"]) == (ids["car"], ids["gift"], ids["kept"])
    shown = invoke(*words)
    assert "\u001b" not in shown.stderr
    assert "named 0, 4 already had names" in shown.stderr
    again = invoke(*words[:-1], invoke("keys", "show", "alice", "--get", "did").stdout.strip())
    assert again.status == 0
    public = invoke("keys", "show", "bob", "--get", "public_key").stdout.strip()
    bobs = invoke(*words[:-1], public, "--json").json
    assert (bobs["unchanged"], bobs["skipped"]) == (1, [])


def test_ten_thousand_names_are_one_change(invoke: Invoke, home: Path) -> None:
    from twincli.book.store import Book

    invoke("keys", "new", "alice", "--no-passphrase")
    seeds = (number.to_bytes(32, "big") for number in range(10_000))
    entries = [
        party(f"name-{number}", KeyPair.from_seed(seed).public_key)
        for number, seed in enumerate(seeds)
    ]
    run = invoke("name", "import", "-", "--json", stdin=document(*entries))
    assert (run.status, len(run.json["names"])) == (0, 10_000)
    with Book(str(home / "book.db")) as book:
        assert book.check() == 10_000
    again = invoke("name", "import", "-", "--json", stdin=document(*entries))
    assert again.json["unchanged"] == 10_000


def test_a_skipped_name_cannot_draw_lines_of_its_own(invoke: Invoke, tmp_path: Path) -> None:
    assert invoke("keys", "new", "alice", "--no-passphrase").status == 0
    file = tmp_path / "names.jsonl"
    names: list[dict[str, Any]] = [
        {"name": "a\nnamed 9", "value": "x"},
        {"name": None, "value": None},
        {"name": "bob", "kind": "party", "value": KeyPair.from_seed(bytes(32)).public_key},
    ]
    file.write_text("".join(json.dumps({"schema": "twin.name/1", **name}) + "\n" for name in names))
    run = invoke("name", "import", str(file))
    assert run.status == 10
    assert "skipped" in run.stderr
    assert "\nnamed 9" not in run.stderr
    assert "None" not in run.stderr


@pytest.mark.usefixtures("home")
def test_a_name_that_may_be_made_to_look_like_another_is_not_imported(invoke: Invoke) -> None:
    invoke("keys", "new", "alice", "--no-passphrase")
    entry = {"name": "\u0430lice", "kind": "party", "value": OTHER}
    fine = {"name": "\u0430\u043d\u043d\u0430", "kind": "party", "value": OTHER}
    run = invoke("name", "import", "-", "--json", stdin=json.dumps({"names": [entry, fine]}))
    assert run.status == 10
    [skipped] = run.json["skipped"]
    assert (skipped["name"], skipped["code"]) == ("\u0430lice", "look_alike")
    assert "\\u0430lice" in skipped["message"]
    assert [given["name"] for given in run.json["names"]] == [fine["name"]]
    # Who types it means it, and is told.
    typed = invoke("name", "set", "\u0430lice", OTHER, "--json")
    assert typed.status == 0
    [warning] = typed.json["warnings"]
    assert "mixes Cyrillic and Latin letters" in warning
    again = invoke("name", "import", "-", "--json", stdin=json.dumps(entry))
    assert again.json["unchanged"] == 1
    assert "warnings" not in invoke("name", "set", "bob", OTHER, "--json").json
