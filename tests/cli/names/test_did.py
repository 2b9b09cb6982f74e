"""``twin did``: who stands behind a DID, its W3C document, my identities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Invoke
from twincli.crypto.ed25519 import KeyPair
from twincli.model.did import key_did

OTHER = KeyPair.from_seed(b"o" * 32).public_key
RESOLUTION = {"schema", "didDocument", "didResolutionMetadata", "didDocumentMetadata"}


@pytest.fixture
def alice(invoke: Invoke) -> dict[str, Any]:
    """The document of an identity."""
    run = invoke("did", "new", "alice", "--no-passphrase", "--json")
    assert run.status == 0, run.stderr
    document: dict[str, Any] = run.json
    return document


def test_a_did_key_needs_neither_home_nor_ledger(invoke: Invoke, home: Path) -> None:
    run = invoke("did", "resolve", key_did(OTHER), "--json")
    assert run.status == 0
    assert set(run.json) == RESOLUTION
    assert next(iter(run.json)) == "schema"
    assert run.json["didDocument"]["id"] == key_did(OTHER)
    assert run.json["didResolutionMetadata"] == {"contentType": "application/did+ld+json"}
    assert run.json["didDocumentMetadata"] == {}
    assert not home.exists()


def test_an_identity(invoke: Invoke, alice: dict[str, Any]) -> None:
    for reference in ("alice", "asset:alice", alice["did"], alice["id"], alice["id"][:10]):
        run = invoke("did", "resolve", reference, "--json")
        assert run.status == 0
        assert run.json["didDocument"]["id"] == alice["did"]
    document = run.json["didDocument"]
    own = key_did(alice["owners"][0])
    assert document["controller"] == own
    assert document["alsoKnownAs"] == [own]
    metadata = run.json["didDocumentMetadata"]
    assert metadata["canonicalId"] == alice["did"]
    assert metadata["versionId"] == alice["id"]
    assert metadata["created"] == metadata["updated"]
    assert metadata["created"][:19] == alice["committed_at"][:19]
    assert "deactivated" not in metadata


def test_other_ways_to_write_the_same(invoke: Invoke, alice: dict[str, Any]) -> None:
    short = invoke("did", "resolve", f"did:bdb:{alice['id']}", "--json").json
    assert short["didDocument"]["id"] == f"did:bdb:{alice['id']}"
    assert short["didDocumentMetadata"]["canonicalId"] == alice["did"]
    tutorial = invoke("did", "resolve", f"did:{alice['id']}", "--json").json
    assert tutorial["didDocument"]["id"] == alice["did"]


def test_an_append_is_a_new_version(invoke: Invoke, alice: dict[str, Any]) -> None:
    assert alice["height"] == 1
    appended = invoke("asset", "append", "alice", "--city", "Bath", "--json").json
    metadata = invoke("did", "resolve", "alice", "--json").json["didDocumentMetadata"]
    assert metadata["versionId"] == appended["transaction_id"]
    assert metadata["updated"] >= metadata["created"]


def test_who_only_claims_a_key_does_not_speak_for_it(invoke: Invoke) -> None:
    invoke("keys", "new", "alice", "--no-passphrase")
    run = invoke(
        "asset", "create", "box", "--owner", "alice", "--entity", OTHER, "--yes", "--json"
    )  # fmt: skip
    assert run.status == 0, run.stderr
    document = invoke("did", "resolve", "box", "--json").json["didDocument"]
    assert "verificationMethod" not in document
    assert "alsoKnownAs" not in document
    shown = invoke("did", "show", "box", "--json").json
    assert (shown["entity"], shown["entity_standing"]) == (OTHER, "claimed")


def test_several_owners_control(invoke: Invoke) -> None:
    for name in ("jack", "kelly"):
        invoke("keys", "new", name, "--no-passphrase")
    invoke("asset", "create", "boat", "--owner", "any:jack,kelly")
    shown = invoke("did", "show", "boat", "--json").json
    assert shown["owner_names"] == ["jack", "kelly"]
    document = invoke("did", "resolve", "boat", "--json").json["didDocument"]
    assert document["controller"] == shown["controllers"] == [key_did(k) for k in shown["owners"]]


def test_a_burned_identity_is_deactivated(invoke: Invoke, alice: dict[str, Any]) -> None:
    assert invoke("asset", "burn", "alice", "--yes").status == 0
    run = invoke("did", "resolve", alice["did"], "--json")
    assert run.status == 0
    assert run.json["didDocumentMetadata"]["deactivated"] is True
    assert "controller" not in run.json["didDocument"]
    shown = invoke("did", "show", "alice", "--json").json
    assert shown["deactivated"] is True
    assert shown["controllers"] == []
    listed = invoke("did", "list", "--json").json["dids"]
    assert [entry["deactivated"] for entry in listed if entry["kind"] == "identity"] == [True]


@pytest.mark.parametrize("verb", ["resolve", "show"])
@pytest.mark.parametrize(
    ("reference", "status", "code"),
    [
        ("did:key:z6Mkxx", 7, "invalid_did"),
        ("did:bdb:xyz", 7, "invalid_did"),
        ("did:BDB:x", 7, "invalid_did"),
        (f"did:bdb:{'0' * 64}", 4, "not_found"),
        (f"did:{'0' * 64}", 4, "not_found"),
        ("did:id:app:car:1234", 4, "not_found"),
        ("nobody", 4, "not_found"),
        ("key:nobody", 4, "not_found"),
        ("asset:nobody", 4, "not_found"),
    ],
)
def test_refusals(
    reference: str, status: int, code: str, verb: str, invoke: Invoke, alice: dict[str, Any]
) -> None:
    assert alice
    run = invoke("did", verb, reference, "--json")
    assert (run.status, run.error["code"], run.stdout) == (status, code, "")


def test_near_names_are_suggested(invoke: Invoke, alice: dict[str, Any]) -> None:
    assert alice
    assert invoke("did", "show", "alise", "--json").error["hint"] == "did you mean alice?"
    invoke("keys", "new", "robert", "--no-passphrase")
    assert invoke("did", "show", "rober", "--json").error["hint"] == "did you mean robert?"
    assert "twin did list" in str(invoke("did", "show", "xyzzy", "--json").error["hint"])


def test_a_foreign_method_cannot_be_told(invoke: Invoke, home: Path) -> None:
    run = invoke("did", "resolve", "did:web:acme.example", "--json")
    assert run.status == 11
    assert run.json["didDocument"] is None
    assert run.json["didResolutionMetadata"] == {"error": "methodNotSupported"}
    assert run.stderr == ""
    assert not home.exists()
    invoke("name", "set", "acme", "did:web:acme.example")
    shown = invoke("did", "show", "acme", "--json")
    assert shown.json == {
        "schema": "twin.did/1",
        "did": "did:web:acme.example",
        "kind": "foreign",
        "name": "acme",
    }
    assert invoke("did", "resolve", "acme", "--json").json == run.json


def test_keys_before_there_is_a_ledger(invoke: Invoke, home: Path) -> None:
    assert invoke("did", "show", "alice", "--json").error["code"] == "no_home"
    assert invoke("did", "list", "--json").error["code"] == "no_home"
    key = invoke("keys", "new", "alice", "--no-passphrase", "--json").json
    shown = invoke("did", "show", "alice", "--json").json
    assert shown == {
        "schema": "twin.did/1",
        "did": key["did"],
        "kind": "key",
        "name": "alice",
        "public_key": key["public_key"],
        "mine": True,
    }
    assert invoke("did", "show", key["did"], "--home", str(home), "--json").status == 0
    assert invoke("did", "resolve", "alice", "--get", "didDocument.id").stdout == f"{key['did']}\n"
    run = invoke("did", "resolve", f"did:bdb:{'0' * 64}", "--json")
    assert (run.status, run.error["code"]) == (4, "not_found")
    assert len(invoke("did", "list", "--json").json["dids"]) == 1
    assert not (home / "ledger").exists()


def test_a_name_of_both_means_the_identity(invoke: Invoke, alice: dict[str, Any]) -> None:
    shown = invoke("did", "show", "alice", "--json").json
    assert shown["kind"] == "identity"
    assert shown["asset_id"] == alice["id"]
    assert shown["title"] == shown["name"] == "alice"
    assert shown["entity_standing"] == "proved"
    assert shown["deactivated"] is False
    key = invoke("did", "show", "key:alice", "--json").json
    assert key["kind"] == "key"
    assert key["did"] in shown["controllers"]


def test_list(invoke: Invoke, alice: dict[str, Any], home: Path) -> None:
    invoke("asset", "create", "car", "--owner", "alice")
    invoke("name", "set", "carol", OTHER)
    invoke("name", "set", "acme", "did:web:acme.example")
    run = invoke("did", "list", "--json")
    assert run.json["schema"] == "twin.dids/1"
    assert [(entry["name"], entry["kind"]) for entry in run.json["dids"]] == [
        ("alice", "identity"),
        ("alice", "key"),
        ("acme", "foreign"),
        ("carol", "key"),
    ]
    assert run.json["dids"][0]["did"] == alice["did"]
    assert invoke("did", "list").stdout.splitlines()[0] == "name\tkind\tdid"
    # Somebody else's identity on the same ledger is listed only once it is named.
    ledger = f"file:{home / 'ledger'}"
    stranger = ("--node", ledger, "--home", str(home.parent / "stranger"))
    made = invoke("did", "new", "mallory", "--no-passphrase", "--json", *stranger)
    assert made.status == 0, made.stderr
    assert len(invoke("did", "list", "--json").json["dids"]) == 4
    assert invoke("name", "set", "mal", made.json["id"]).status == 0
    assert len(invoke("did", "list", "--json").json["dids"]) == 5
    # And mine also without a name.
    invoke("name", "remove", "alice")
    assert invoke("did", "list", "--json").json["dids"][0]["name"] is None


def test_the_dids_of_the_orm(invoke: Invoke) -> None:
    invoke("keys", "new", "alice", "--no-passphrase")
    run = invoke(
        "asset", "create", "orm", "--owner", "alice", "--str", "id=id:app:car:12-34", "--json"
    )
    assert run.status == 0, run.stderr
    found = invoke("did", "resolve", "did:id:app:car:12-34", "--json")
    assert found.status == 0, found.stderr
    assert found.json["didDocument"]["id"] == run.json["did"]
