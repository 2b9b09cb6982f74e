"""Certificates: their forms told apart, how they stand, who may revoke, what is verified."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services import rooms as _rooms
from tests.services.rooms import Rooms
from tests.services.writes import create, transfer
from twincli.content.store import Blobs
from twincli.crypto import data_integrity
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import (
    ConflictError,
    InvalidError,
    LockedError,
    NotFoundError,
    NotVerifiedError,
    TwinError,
    UnreachableError,
    UsageError,
)
from twincli.formats.credentials import proofs
from twincli.model import credential, did, status_list
from twincli.rules import attested
from twincli.services.asset.create import Definition
from twincli.services.asset.freeze import freeze
from twincli.services.asset.write_options import PLAIN, Writing
from twincli.services.cert import certificates, check, issue, lists, verify
from twincli.services.cert.issue import Wanted
from twincli.services.file import attached
from twincli.services.record.attachments import Attachment, Brought, Stores
from twincli.services.record.say import say

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "vc_data_integrity.json").read_text())
DAY_MS = 86_400_000
FOREIGN = KeyPair.from_seed(b"f" * 32)


class House(Rooms):
    """Rooms with a car of alice's, a laboratory and a stranger, and status lists on the web.

    Attributes:
        car: The id of the car.
        web: What is at URLs; all others cannot be reached.
    """

    car: str
    web: dict[str, bytes]
    stores: Stores

    def fetch(self, url: str) -> bytes:
        if url not in self.web:
            raise UnreachableError(f"{url} is not there")
        return self.web[url]

    def issue(self, *keys: str, writing: Writing = PLAIN, **wanted: Any) -> dict[str, Any]:
        node_url = wanted.pop("node_url", None)
        files = wanted.pop("files", ())
        made = issue.issue(
            self.using(*keys),
            self.stores,
            self.car,
            Wanted(**{"standard": "ISO-1", **wanted}),
            files,
            writing,
            node_url=node_url,
        )
        assert isinstance(made, dict)
        return dict(made)

    def rows(self) -> list[dict[str, Any]]:
        found = check.list_certificates(self.workspace, self.car)["certificates"]
        return [dict(row) for row in found]

    def verify(self, document: dict[str, Any], *accepted: str) -> dict[str, Any]:
        return dict(verify.verify(document, self.fetch, self.now_ms, self.workspace, accepted))

    def results(self, document: dict[str, Any], *accepted: str) -> dict[str, str]:
        checks = self.verify(document, *accepted)["checks"]
        return {found["check"]: found["result"] for found in checks}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    for name in ("alice", "lab", "stranger"):
        made.key(name)
    facts = {"certifications": ["organic", {"name": "fair", "validUntil": "2020-01-01"}]}
    made.car = create(made.using("alice"), "car", Definition(facts))["id"]
    made.web = {}
    made.stores = Stores(Blobs(str(tmp_path / "content")))
    yield made
    made.workspace.client.close()
    made.workspace.book.close()


def foreign(house: House, **changes: Any) -> dict[str, Any]:
    """Return a credential that another software issued."""
    issuer = did.key_did(FOREIGN.public_key)
    bare = {
        "@context": [credential.V2],
        "type": ["VerifiableCredential"],
        "issuer": issuer,
        "credentialSubject": {"id": did.asset_did(house.car), "name": "x"},
        **changes,
    }
    return data_integrity.sign(bare, FOREIGN, "2026-01-01T00:00:00Z")


# --- Forms --------------------------------------------------------------------------------------


def test_forms_are_told_apart(house: House) -> None:
    house.issue("lab", number="L-1", issuer="Test Lab", kind="safety")
    house.issue("alice", number="A-1")
    house.issue("alice", number="A-2", issuer="Notified Body")
    house.issue("alice", number="A-3", issuer="Alice")
    issue.add(house.using("stranger"), house.car, foreign(house), house.fetch)
    issue.add(house.using("alice"), house.car, foreign(house, id="urn:a:b"), house.fetch)
    found = [(row["label"], row["form"], row["status"], row["verified"]) for row in house.rows()]
    assert found == [
        ("L-1", "issued", "valid", True),
        ("A-1", "issued", "valid", True),
        ("A-2", "self-declared", "valid", False),
        ("A-3", "issued", "valid", True),
        ("a credential", "foreign", "valid", True),
        ("urn:a:b", "foreign", "valid", True),
        ("organic", "unproven", "unproven", False),
        ("fair", "unproven", "unproven", False),
    ]


def test_a_name_of_another_is_not_the_issuer_of_a_self_declaration(house: House) -> None:
    house.issue("alice", issuer="Notified Body")
    found = check.show(house.workspace, house.car)
    # Other software shows the issuer: that is who signed.
    assert found["credential"]["issuer"] == did.key_did(
        house.workspace.keystore.get("alice").public_key
    )
    assert found["credential"]["credentialSubject"]["declaredIssuer"] == "Notified Body"
    assert found["issuer_name"] == "Notified Body"
    answer = house.verify(found["credential"])
    assert answer["valid"] is False
    assert answer["form"] == "self-declared"
    assert answer["checks"][-1]["result"] == "failed"


def test_others_name_themselves(house: House) -> None:
    made = house.issue("lab", issuer="Test Lab")
    assert made["certificate_form"] == "issued"
    assert made["standing"] is None
    assert made["body"]["credential"]["issuer"]["name"] == "Test Lab"
    # It is not theirs any more, so they are as good as others.
    transfer(house.using("alice"), "car", to="stranger")
    assert house.issue("alice", issuer="A")["certificate_form"] == "issued"
    assert house.issue("stranger", issuer="B")["certificate_form"] == "self-declared"
    assert [row["form"] for row in house.rows()][:3] == ["issued", "issued", "self-declared"]


def test_one_of_several_owners_is_a_controller(house: House) -> None:
    house.car = create(house.using("alice"), "boat", Definition({}, owner="all:alice,lab"))["id"]
    made = house.issue("lab", issuer="Test Lab")
    assert made["form"] == "statement"
    assert made["certificate_form"] == "self-declared"
    assert [row["form"] for row in house.rows()] == ["self-declared"]


def test_the_things_own_key_is_a_controller(house: House) -> None:
    house.car = create(house.using("alice"), "box", Definition({}, entity="lab"))["id"]
    assert house.issue("lab", issuer="Test Lab")["certificate_form"] == "self-declared"


def test_a_name_written_by_hand_is_a_self_declaration_all_the_same(house: House) -> None:
    alice = KeyPair.from_seed(b"alice".ljust(32, b"."))
    bare = {
        "@context": [credential.V2],
        "type": ["VerifiableCredential"],
        "issuer": {"id": did.key_did(alice.public_key), "name": "Notified Body"},
        "credentialSubject": {"id": did.asset_did(house.car), "name": "x"},
    }
    made = data_integrity.sign(bare, alice, "2026-01-01T00:00:00Z")
    issue.add(house.using("stranger"), house.car, made, house.fetch)
    assert house.rows()[0]["form"] == "self-declared"
    assert house.verify(made)["status"] == "invalid"


def test_labels_of_any_kind(house: House) -> None:
    labels = ["a", {"standard": "ISO-1", "issuer": "B"}, 5, None, "a", {}, ["x"]]
    house.car = create(house.using("alice"), "box", Definition({"certifications": labels}))["id"]
    found = [(row["label"], row["issuer_name"]) for row in house.rows()]
    assert found == [("a", None), ("ISO-1", "B"), ("5", None), ("{}", None), ("['x']", None)]


def test_a_single_label_is_one(house: House) -> None:
    house.car = create(house.using("alice"), "box", Definition({"certifications": "organic"}))["id"]
    assert [row["label"] for row in house.rows()] == ["organic"]


# --- Issuing ------------------------------------------------------------------------------------


def test_what_is_issued(house: House) -> None:
    made = house.issue(
        *("lab",),
        number="UL-1",
        kind="safety",
        standard="UL-2089",
        valid_from="2024-01-20",
        valid_until="2025-01-20",
    )
    document = made["body"]["credential"]
    assert document["@context"] == [credential.V2, credential.TERMS]
    assert document["validFrom"] == "2024-01-20T00:00:00Z"
    assert document["validUntil"] == "2025-01-20T23:59:59Z"
    assert document["credentialSubject"] == {
        "id": did.asset_did(house.car, house.ledger.id),
        "certificateType": "safety",
        "standard": "UL-2089",
        "certificateNumber": "UL-1",
    }
    assert credential.faults(document) == []
    assert made["form"] == "statement"
    tx = house.ledger.get(made["transaction_id"])
    assert tx is not None
    assert tx["asset"]["data"]["twin"]["kind"] == "certificate"
    assert "credentialStatus" not in document


def test_an_owner_appends(house: House) -> None:
    assert house.issue("alice")["form"] == "append"


def test_an_old_one_without_a_beginning(house: House) -> None:
    document = house.issue("lab", valid_until="2020-01-01")["body"]["credential"]
    assert "validFrom" not in document


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"standard": None}, "says nothing"),
        ({"number": ""}, "--number"),
        ({"number": "a\nb"}, "--number"),
        ({"kind": "x" * 201}, "--type"),
        ({"standard": " a"}, "--standard"),
        ({"issuer": "\x1b[31m"}, "--issuer"),
        ({"valid_until": "soon"}, "--valid-until"),
        ({"valid_from": "2024-02-30"}, "--valid-from"),
        ({"valid_from": "2024-02-02", "valid_until": "2024-02-01"}, "is before"),
    ],
)
def test_bad_wishes(house: House, wanted: dict[str, Any], why: str) -> None:
    with pytest.raises((UsageError, InvalidError), match=why):
        house.issue("lab", **wanted)
    assert house.rows()[0]["form"] == "unproven"


def test_one_key_signs(house: House) -> None:
    with pytest.raises(UsageError, match="one key"):
        house.issue("lab", "alice")


def test_a_retry_finds_the_first(house: House) -> None:
    for key in ("lab", "alice"):
        first = house.issue(key, number="N-1", writing=Writing(once="t"))
        house.now_ms += 5000
        again = house.issue(key, number="N-1", writing=Writing(once="t"))
        assert again["transaction_id"] == first["transaction_id"]
        assert again["body"] == first["body"]
        with pytest.raises(ConflictError) as raised:
            house.issue(key, number="N-2", writing=Writing(once="t"))
        assert raised.value.code == "once_mismatch"


def test_another_process_was_faster(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    first = house.issue("alice", number="N-1", writing=Writing(once="t"))
    look = issue._first
    missed = [True]

    def late(*given: Any) -> Any:
        return None if missed.pop() else look(*given)

    missed[:] = [False, True]
    monkeypatch.setattr(issue, "_first", late)
    assert house.issue("alice", number="N-1", writing=Writing(once="t")) == first


def test_a_dry_run_unlocks_and_writes_nothing(house: House) -> None:
    before = len(list(house.ledger.iter_transactions(house.car)))
    workspace = house.using("lab", dry_run=True)
    made = issue.issue(workspace, house.stores, house.car, Wanted(standard="A", issuer="L"))
    assert isinstance(made, dict)
    assert made["transaction_id"] is None
    assert made["certificate_form"] == "issued"
    assert "proof" not in made["body"]["credential"]
    assert len(list(house.ledger.iter_transactions(house.car))) == before


def test_files_belong_to_it(house: House, tmp_path: Path) -> None:
    path = tmp_path / "ul.pdf"
    path.write_bytes(b"%PDF-1.4")
    file = Attachment(Brought("ul.pdf", "ul.pdf", lambda: path.open("rb")), "report")
    made = house.issue("lab", files=[file])
    (named,) = made["body"]["attachments"]
    assert house.stores.blobs.has(named["cid"])
    (stated,) = made["body"]["credential"]["credentialSubject"]["attachments"]
    assert stated == {
        "cid": named["cid"],
        "name": "ul.pdf",
        "size": 8,
        "mediaType": "application/pdf",
        "fileType": "report",
    }
    assert house.rows()[0]["attachments"] == [stated]


# --- Adding -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["eddsa-jcs-2022", "eddsa-rdfc-2022"])
def test_the_credentials_of_the_w3c(house: House, name: str) -> None:
    document = VECTORS[name]["signed"]
    made = issue.add(house.using("alice"), house.car, document, house.fetch)
    assert isinstance(made, dict)
    assert made["certificate_form"] == "foreign"
    assert "cannot be looked up" in made["warnings"][0]
    assert "about did:example:abcdefgh" in made["warnings"][1]
    answer = house.verify(document)
    assert answer["valid"] is None
    assert {found["check"]: found["result"] for found in answer["checks"]} == {
        "signature": "passed",
        "structure": "passed",
        "dates": "passed",
        "status": "passed",
        "issuer": "undetermined",
    }
    key = did.parse(document["proof"]["verificationMethod"].partition("#")[0]).text
    assert house.verify(document, key)["valid"] is True
    assert house.rows()[0]["form"] == "foreign"


@pytest.mark.parametrize(
    ("vector", "check_name"),
    [(vector, "signature") for vector in VECTORS["generated_jcs"]["tampered"]],
    ids=lambda value: value["name"] if isinstance(value, dict) else value,
)
def test_changed_credentials_are_not_added(
    house: House, vector: dict[str, Any], check_name: str
) -> None:
    assert house.results(vector["signed"])[check_name] != "passed"
    with pytest.raises(NotVerifiedError, match="not added") as raised:
        issue.add(house.using("alice"), house.car, vector["signed"], house.fetch)
    assert raised.value.code == "bad_credential"


def test_what_is_not_added(house: House) -> None:
    other = create(house.using("alice"), "boat", Definition({}))["id"]
    about_other = foreign(house, credentialSubject={"id": did.asset_did(other)})
    with pytest.raises(InvalidError, match="another asset") as raised:
        issue.add(house.using("alice"), house.car, about_other, house.fetch)
    assert raised.value.code == "wrong_subject"
    unknown = copy.deepcopy(foreign(house))
    unknown["proof"]["cryptosuite"] = "ecdsa-sd-2023"
    with pytest.raises(NotVerifiedError, match="ecdsa-sd-2023"):
        issue.add(house.using("alice"), house.car, unknown, house.fetch)
    for name in ("a.b", "$a"):
        odd = foreign(house, credentialSubject={"id": did.asset_did(house.car), name: "x"})
        with pytest.raises(InvalidError):
            issue.add(house.using("alice"), house.car, odd, house.fetch)


def test_what_is_expired_is_added_with_a_warning(house: House) -> None:
    document = foreign(house, validUntil="2020-01-01T00:00:00Z")
    made = issue.add(house.using("alice"), house.car, document, house.fetch)
    assert isinstance(made, dict)
    assert made["warnings"] == ["the certificate is expired"]
    elsewhere = foreign(house, credentialSubject=[{"id": "urn:serial:5"}, {"name": "x"}])
    made = issue.add(house.using("alice"), house.car, elsewhere, house.fetch)
    assert isinstance(made, dict)
    assert "urn:serial:5" in made["warnings"][0]
    other_ledger = foreign(house, credentialSubject={"id": f"did:bdb:{'0' * 16}:{house.car}"})
    made = issue.add(house.using("alice"), house.car, other_ledger, house.fetch)
    assert isinstance(made, dict)
    assert "that this is" in made["warnings"][0]


# --- Revoking -----------------------------------------------------------------------------------


def test_only_the_issuer_revokes(house: House) -> None:
    house.issue("lab", number="L-1")
    for keys in (("stranger",), ("alice",)):
        with pytest.raises(LockedError, match="lab issued it") as raised:
            issue.revoke(house.using(*keys), house.car, "L-1")
        assert raised.value.code == "no_key"
    made = issue.revoke(house.using("lab"), house.car, "L-1", reason="wrong")
    assert isinstance(made, dict)
    (row, *_) = house.rows()
    assert (row["status"], row["reason"], row["revoked_by"]) == (
        "revoked",
        "wrong",
        made["transaction_id"],
    )
    with pytest.raises(ConflictError) as again:
        issue.revoke(house.using("lab"), house.car, "L-1")
    assert again.value.code == "already_revoked"


def test_the_issuers_key_is_found(house: House) -> None:
    house.issue("lab", number="L-1")
    made = issue.revoke(house.workspace, house.car, "L-1")
    assert isinstance(made, dict)
    assert made["signers"] == [house.workspace.keystore.get("lab").public_key]


def test_an_owner_revokes_after_the_thing_was_sold(house: House) -> None:
    house.issue("alice", number="A-1")
    transfer(house.using("alice"), "car", to="stranger")
    made = issue.revoke(house.using("alice"), house.car, "A-1")
    assert isinstance(made, dict)
    assert made["form"] == "statement"
    assert house.rows()[0]["status"] == "revoked"


def test_an_owner_revokes_while_the_thing_is_frozen(house: House) -> None:
    house.issue("alice", number="A-1")
    freeze(house.using("alice"), "car")
    tip = house.workspace.client.last(house.car)
    with pytest.raises(LockedError, match="is frozen"):
        house.issue("alice", number="A-2")
    # To take back one's own word must be possible, and leaves the twin as it was frozen.
    once = Writing(once="end")
    made = issue.revoke(house.using("alice"), house.car, "A-1", writing=once)
    assert isinstance(made, dict)
    assert (made["form"], made["while_frozen"]) == ("statement", True)
    assert house.rows()[0]["status"] == "revoked"
    assert house.workspace.client.last(house.car) == tip
    again = issue.revoke(house.using("alice"), house.car, "A-1", writing=once)
    assert isinstance(again, dict)
    assert again["transaction_id"] == made["transaction_id"]


def test_revoking_twice_with_a_token(house: House) -> None:
    for key, number in (("lab", "L-1"), ("alice", "A-1")):
        house.issue(key, number=number)
        first = issue.revoke(house.using(key), house.car, number, writing=Writing(once=number))
        again = issue.revoke(house.using(key), house.car, number, writing=Writing(once=number))
        assert isinstance(first, dict)
        assert isinstance(again, dict)
        assert first["transaction_id"] == again["transaction_id"]


def test_what_others_say_revokes_nothing(house: House) -> None:
    made = house.issue("lab", number="L-1")
    body = {"revokes": made["transaction_id"], "reason": "because"}
    say(house.using("stranger"), house.car, "certificate", body)
    say(house.using("alice"), house.car, "certificate", body)
    say(house.using("lab"), house.car, "certificate", {"revokes": "0" * 64})
    say(house.using("lab"), house.car, "certificate", {"revokes": 5, "credential": 6})
    assert house.rows()[0]["status"] == "valid"


def test_a_foreign_one_is_revoked_elsewhere(house: House) -> None:
    issue.add(house.using("alice"), house.car, foreign(house, id="urn:a:1"), house.fetch)
    with pytest.raises(LockedError, match="can revoke") as raised:
        issue.revoke(house.workspace, house.car, "urn:a:1")
    assert raised.value.hint is not None
    assert "status list" in raised.value.hint


def test_a_copy_of_a_revoked_one_is_revoked(house: House) -> None:
    document = house.issue("lab", number="L-1")["body"]["credential"]
    issue.revoke(house.using("lab"), house.car, "L-1")
    issue.add(house.using("stranger"), house.car, document, house.fetch)
    assert [row["status"] for row in house.rows()][:2] == ["revoked", "revoked"]
    assert house.verify(document)["status"] == "revoked"


def test_a_copy_does_not_keep_a_list_from_being_signed(house: House) -> None:
    made = house.issue("lab", number="L-1", node_url="https://node.example")
    document = made["body"]["credential"]
    issue.add(house.using("stranger"), house.car, document, house.fetch)
    with pytest.raises(LockedError) as raised:
        issue.revoke(house.using("stranger"), house.car, "L-1")
    assert raised.value.hint == "its issuer revokes it"
    ended = issue.revoke(house.using("lab"), house.car, "L-1")
    assert isinstance(ended, dict)
    assert ended["body"]["revokes"] == made["transaction_id"]
    assert ended["body"]["status_list"]["id"] == made["body"]["status_list"]["id"]


def test_names_of_certificates(house: House) -> None:
    made = house.issue("lab", number="N")
    house.issue("alice", number="N")
    for wanted in (made["id"], made["transaction_id"], made["transaction_id"][:8].upper()):
        assert (
            check.show(house.workspace, house.car, wanted)["transaction_id"]
            == (made["transaction_id"])
        )
    for wanted in ("N", None):
        with pytest.raises(ConflictError) as raised:
            check.show(house.workspace, house.car, wanted)
        assert raised.value.code == "ambiguous"
    with pytest.raises(NotFoundError, match="no certificate 'M'"):
        check.show(house.workspace, house.car, "M")
    # Of two of one number, the issuer means its own.
    issue.revoke(house.using("lab"), house.car, "N")
    assert [row["status"] for row in house.rows()][:2] == ["revoked", "valid"]


@pytest.mark.parametrize("subject", ["other", "urn:thing:7", None])
def test_what_the_issuer_said_of_something_else(house: House, subject: str | None) -> None:
    """Anybody can record a credential about a twin; its issuer has to have meant that twin."""
    other = create(house.using("alice"), "truck", Definition({}))["id"]
    about = did.asset_did(other) if subject == "other" else subject
    named = {} if about is None else {"id": about}
    told = foreign(house, credentialSubject={**named, "name": "x"})
    say(house.using("alice"), "car", "certificate", {"credential": told})
    lab = did.key_did(FOREIGN.public_key)
    (found,) = certificates.certificates(house.workspace, house.car)
    assert found.about is (False if subject == "other" else None)
    assert attested.is_trusted(found, [lab]) is False
    assert certificates.names_of(house.workspace, house.car, [lab]) == []
    row = house.rows()[0]
    assert row["status"] == ("invalid" if subject == "other" else "valid")
    assert row["verified"] is (subject != "other")
    checked = check.check(house.workspace, house.stores.blobs, "car")
    assert checked["ok"] is False  # an old label, too
    assert checked["certificates"][0]["status"] == row["status"]


def test_a_twin_without_any(house: House) -> None:
    with pytest.raises(NotFoundError, match="has no certificate"):
        check.show(house.workspace, house.car)


# --- Checking -----------------------------------------------------------------------------------


def statuses(house: House, **given: Any) -> tuple[bool, list[tuple[str | None, str]]]:
    found = check.check(house.workspace, house.stores.blobs, house.car, **given)
    return found["ok"], [(row["label"], row["status"]) for row in found["certificates"]]


def test_checks_at_a_time(house: House) -> None:
    house.car = create(house.using("alice"), "box", Definition({}))["id"]
    house.issue("lab", number="old", valid_from="2024-01-20", valid_until="2025-01-20")
    house.issue("lab", number="next", valid_from="2031-01-01")
    end = house.now_ms + 10 * DAY_MS
    house.issue("lab", number="soon", standard="B", valid_until=credential.stamp(end))
    assert statuses(house) == (
        False,
        [("old", "expired"), ("next", "not-yet-valid"), ("soon", "valid")],
    )
    ok, found = statuses(house, as_of="2024-06-01")
    assert ok
    assert found[0] == ("old", "valid")
    assert statuses(house, as_of="2024-06-01")[0]
    assert dict(statuses(house, within="3d")[1])["soon"] == "valid"
    assert dict(statuses(house, within="10.5d")[1])["soon"] == "expiring"
    issue.revoke(house.using("lab"), house.car, "soon")
    assert dict(statuses(house)[1])["soon"] == "revoked"
    # Before it was revoked, it was not.
    house.now_ms += 5000
    assert dict(statuses(house, as_of="1h")[1])["soon"] == "not-yet-valid"
    assert statuses(house, accepted=["stranger"]) == (True, [])
    with pytest.raises(UsageError):
        statuses(house, within="soon")


def test_labels_and_files_have_ends(house: House, tmp_path: Path) -> None:
    from twincli.services.file import attach

    path = tmp_path / "q.pdf"
    for number, until in enumerate(("2020-01-01", "2090-01-01", None)):
        path.write_text(f"{number}")
        attach.attach(
            house.using("alice"),
            house.stores,
            house.car,
            [Brought(f"q{number}.pdf", "q.pdf", lambda: path.open("rb"))],
            attached.Details("quality", "QA", until),
        )
    path.write_text("stranger")
    attach.attach(
        house.using("stranger"),
        house.stores,
        house.car,
        [Brought("s.pdf", "s.pdf", lambda: path.open("rb"))],
        attached.Details(valid_until="2020-01-01"),
    )
    assert statuses(house) == (
        False,
        [("organic", "unproven"), ("fair", "expired"), ("q0.pdf", "expired"), ("q1.pdf", "valid")],
    )


def test_all_of_mine_are_checked(house: House) -> None:
    found = check.check(house.workspace, house.stores.blobs)
    assert {row["asset_name"] for row in found["certificates"]} == {"car"}


# --- Verifying ----------------------------------------------------------------------------------


def test_all_checks_are_reported_the_signature_first(house: House) -> None:
    document = foreign(house, validUntil="2020-01-01T00:00:00Z", type="Other")
    document["credentialSubject"]["name"] = "y"
    answer = house.verify(document)
    assert [(found["check"], found["result"]) for found in answer["checks"]] == [
        ("signature", "failed"),
        ("structure", "failed"),
        ("dates", "failed"),
        ("status", "passed"),
        ("issuer", "passed"),
    ]
    assert answer["valid"] is False
    assert answer["status"] == "invalid"


def test_words(house: House) -> None:
    assert house.verify(foreign(house))["status"] == "valid"
    early = foreign(house, validFrom="2090-01-01T00:00:00Z")
    assert house.verify(early)["status"] == "not-yet-valid"
    assert house.verify(foreign(house, validUntil="2020-01-01T00:00:00Z"))["status"] == "expired"
    late = foreign(house)
    late["proof"]["expires"] = "2020-01-01T00:00:00Z"
    assert house.results(late)["dates"] == "failed"


def test_issuers_that_are_accepted(house: House) -> None:
    document = house.issue("lab")["body"]["credential"]
    lab = house.workspace.keystore.get("lab").public_key
    for word in ("lab", "key:lab", lab, did.key_did(lab)):
        answer = house.verify(document, word)
        assert answer["valid"] is True
        assert answer["warnings"] == []
    assert house.verify(document, "alice")["valid"] is False
    assert house.verify(document, "alice", "lab")["valid"] is True
    assert "anybody can issue" in house.verify(document)["warnings"][0]
    with pytest.raises(NotFoundError):
        house.verify(document, "nobody")
    with pytest.raises(NotFoundError, match="no home"):
        verify.verify(document, house.fetch, house.now_ms, None, ["lab"])


def test_without_a_ledger(house: House) -> None:
    document = house.issue("lab")["body"]["credential"]
    issue.revoke(house.using("lab"), house.car, document["id"])
    answer = verify.verify(document, house.fetch, house.now_ms)
    assert answer["valid"] is True
    assert "is not seen" in answer["warnings"][1]
    assert answer["form"] is None
    assert house.verify(document)["valid"] is False


def signed_with(pair: KeyPair, document: dict[str, Any], **options: Any) -> dict[str, Any]:
    made = data_integrity.sign(document, pair, "2026-01-01T00:00:00Z")
    made["proof"].update(options)
    return made


PROOFS = [
    pytest.param(
        {"type": "Ed25519Signature2020"}, "undetermined", "Ed25519Signature2020", id="type"
    ),
    pytest.param({"type": None}, "undetermined", "null", id="no type"),
    pytest.param({"cryptosuite": "bbs-2023"}, "undetermined", "bbs-2023", id="suite"),
    pytest.param({"cryptosuite": ["a"]}, "undetermined", "a list", id="suite is a list"),
    pytest.param({"previousProof": "urn:a"}, "undetermined", "follows", id="chain"),
    pytest.param({"proofPurpose": "authentication"}, "failed", "purpose", id="purpose"),
    pytest.param({"proofPurpose": {}}, "failed", "purpose", id="purpose is an object"),
    pytest.param({"verificationMethod": 5}, "failed", "not a text", id="method is a number"),
    pytest.param({"verificationMethod": "did:web:a#b"}, "undetermined", "offline", id="did:web"),
    pytest.param({"verificationMethod": "did:key:z6Mk"}, "failed", "not the Ed", id="bad key"),
    pytest.param({"proofValue": 5}, "failed", "not a signature", id="value is a number"),
    pytest.param({"proofValue": "z12"}, "failed", "not a signature", id="short value"),
    pytest.param({"proofValue": None}, "failed", "not a signature", id="no value"),
    pytest.param({"@context": "x"}, "failed", "contexts of the proof", id="contexts"),
    pytest.param({"created": "2025-01-01T00:00:00Z"}, "failed", "does not match", id="changed"),
    pytest.param({"more": 1}, "failed", "does not match", id="more"),
    pytest.param({"more": 2.5e300}, "failed", "does not match", id="a large number"),
]


@pytest.mark.parametrize(("options", "result", "why"), PROOFS)
def test_proofs_of_all_kinds(house: House, options: dict[str, Any], result: str, why: str) -> None:
    document = foreign(house)
    document["proof"].update(options)
    found = proofs.signed(document)
    assert (found.check.result, why in found.check.message) == (result, True), found.check


def test_several_proofs(house: House) -> None:
    document = foreign(house)
    right, wrong = document["proof"], {**document["proof"], "created": "2025-01-01T00:00:00Z"}
    other = {**right, "cryptosuite": "bbs-2023"}
    for listed, result in (
        ([right, other], "passed"),
        ([other, right], "passed"),
        ([right, wrong], "failed"),
        ([other], "undetermined"),
        ([], "failed"),
        ([right] * 9, "failed"),
        ("x", "failed"),
    ):
        assert proofs.signed({**document, "proof": listed}).check.result == result


def test_the_issuer_has_to_sign(house: House) -> None:
    lab = did.key_did(house.workspace.keystore.get("lab").public_key)
    document = foreign(house, issuer=lab)
    assert house.results(document)["issuer"] == "failed"
    document = foreign(house, issuer="https://lab.example")
    assert house.results(document)["issuer"] == "undetermined"
    assert house.results(document, FOREIGN.public_key)["issuer"] == "passed"
    assert house.results(document, "https://lab.example")["issuer"] == "undetermined"
    del document["issuer"]
    assert house.results(document)["issuer"] == "failed"


def test_a_listing_takes_no_graph_of_a_stranger_apart(house: House) -> None:
    document = VECTORS["eddsa-rdfc-2022"]["signed"]
    assert proofs.is_right(document, quickly=True) is None
    issue.add(house.using("stranger"), house.car, document, house.fetch)
    assert house.rows()[0]["verified"] is None


# --- Status lists -------------------------------------------------------------------------------

URL = "https://issuer.example/lists/1"


def listed(house: House, url: str = URL, **changes: Any) -> dict[str, Any]:
    """Return a credential whose status is in a list."""
    return foreign(house, credentialStatus={**status_list.entry(url), **changes})


def put(house: House, *, revoked: bool = False, pair: KeyPair = FOREIGN, **changes: Any) -> None:
    made = status_list.unsigned(
        URL, did.key_did(pair.public_key), credential.V2, "2026-01-01T00:00:00Z", revoked=revoked
    )
    made.update(changes)
    signed = data_integrity.sign(made, pair, "2026-01-01T00:00:00Z")
    house.web[URL] = json.dumps(signed).encode()


def test_the_list_decides(house: House) -> None:
    document = listed(house)
    assert house.verify(document)["valid"] is None
    put(house)
    assert house.verify(document)["valid"] is True
    put(house, revoked=True)
    answer = house.verify(document)
    assert (answer["valid"], answer["status"]) == (False, "revoked")
    with pytest.raises(NotVerifiedError, match="revoked"):
        issue.add(house.using("alice"), house.car, document, house.fetch)
    del house.web[URL]
    made = issue.add(house.using("alice"), house.car, document, house.fetch)
    assert isinstance(made, dict)
    assert "cannot be reached" in made["warnings"][0]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"type": ["VerifiableCredential"]}, "is not a Bitstring"),
        ({"id": "https://issuer.example/lists/2"}, "says that it is"),
        ({"issuer": "did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"}, "same issuer"),
        ({"issuer": None}, "same issuer"),
        ({"@context": ["x"]}, "@context"),
        ({"validUntil": "2026-02-01T00:00:00Z"}, "is expired"),
        ({"credentialSubject": 5}, "credentialSubject"),
        ({"credentialSubject": {"type": "x"}}, "not a BitstringStatusList"),
        ({"credentialSubject": [{"id": "urn:a:b"}] * 2}, "not a BitstringStatusList"),
    ],
)
def test_lists_that_say_nothing(house: House, changes: dict[str, Any], why: str) -> None:
    put(house, **changes)
    found = lists.check(listed(house), house.fetch, house.now_ms)
    assert found.result == "undetermined"
    assert why in found.message


def test_lists_of_others_say_nothing(house: House) -> None:
    lab = KeyPair.from_seed(b"lab".ljust(32, b"."))
    put(house, pair=lab)
    assert "same issuer" in lists.check(listed(house), house.fetch, house.now_ms).message
    put(house, pair=lab, issuer=did.key_did(FOREIGN.public_key))
    assert "another key" in lists.check(listed(house), house.fetch, house.now_ms).message
    put(house)
    house.web[URL] = house.web[URL].replace(b"revocation", b"revocatiom")
    assert "does not match" in lists.check(listed(house), house.fetch, house.now_ms).message
    house.web[URL] = b"<html>"
    assert "not JSON" in lists.check(listed(house), house.fetch, house.now_ms).message


def test_other_statuses(house: House) -> None:
    put(house, revoked=True)
    message = listed(house, statusPurpose="message")
    assert lists.check(message, house.fetch, house.now_ms).result == "passed"
    assert (
        "not for"
        in lists.check(listed(house, statusPurpose="suspension"), house.fetch, house.now_ms).message
    )
    other = foreign(house, credentialStatus={"type": "RevocationList2020Status"})
    assert lists.check(other, house.fetch, house.now_ms).result == "undetermined"
    several = foreign(house, credentialStatus=[{"type": "Other"}, status_list.entry(URL)])
    assert lists.check(several, house.fetch, house.now_ms).result == "failed"


def test_suspended(house: House) -> None:
    subject = {
        "type": "BitstringStatusList",
        "statusPurpose": "suspension",
        "encodedList": status_list.encode(b"\xff" * 16384),
    }
    put(house, credentialSubject=subject)
    found = lists.check(listed(house, statusPurpose="suspension"), house.fetch, house.now_ms)
    assert (found.result, found.message.startswith("suspended")) == ("failed", True)


def test_a_certificate_with_a_list_of_its_own(house: House) -> None:
    for key, number in (("lab", "L-1"), ("alice", "A-1")):
        made = house.issue(key, number=number, node_url="https://node.example/")
        document = made["body"]["credential"]
        url = document["credentialStatus"]["statusListCredential"]
        assert url.startswith(f"https://node.example/twin/v1/status/{house.car}.")
        assert house.verify(document)["valid"] is None
        house.web[url] = json.dumps(made["body"]["status_list"]).encode()
        assert house.verify(document)["valid"] is True
        ended = issue.revoke(house.using(key), house.car, number)
        assert isinstance(ended, dict)
        house.web[url] = json.dumps(ended["body"]["status_list"]).encode()
        # Without the ledger, too.
        answer = verify.verify(document, house.fetch, house.now_ms)
        assert (answer["valid"], answer["status"]) == (False, "revoked")


# --- Bytes --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with _rooms.opened(tmp_path_factory.mktemp("bytes")) as rooms:
        for name in ("alice", "lab"):
            rooms.key(name)
        car = create(rooms.using("alice"), "car", Definition({}))["id"]
        wanted = Wanted("safety", "ISO-é", "N-1", "Lab", "2024-01-20", "2030-01-20")
        stores = Stores(Blobs(str(tmp_path_factory.mktemp("content"))))
        made = issue.issue(rooms.using("lab"), stores, car, wanted, node_url="https://n.example")
        assert isinstance(made, dict)
        document = made["body"]["credential"]
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def is_refused(data: bytes) -> bool:
    try:
        document = credential.read(data)
    except InvalidError:
        return True
    return proofs.is_right(document) is not True


def test_the_bytes_are_right(issued: bytes) -> None:
    assert not is_refused(issued)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0), byte=st.integers(0, 255))
def test_any_changed_byte_is_refused(issued: bytes, at: int, byte: int) -> None:
    at %= len(issued)
    changed = issued[:at] + bytes([byte]) + issued[at + 1 :]
    assert changed == issued or is_refused(changed)


def test_every_flipped_bit_is_refused(issued: bytes) -> None:
    taken = []
    for at in range(len(issued)):
        bit = at % 8
        changed = bytearray(issued)
        changed[at] ^= 1 << bit
        if not is_refused(bytes(changed)):
            taken.append((at, bit, bytes(changed[max(0, at - 10) : at + 10])))
    assert taken == []


@given(data=st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes) -> None:
    assert is_refused(data)


def test_errors_are_ours(house: House) -> None:
    odd: list[dict[str, Any]] = [{}, {"proof": {}}, {"proof": {"type": "DataIntegrityProof"}}]
    for document in odd:
        assert house.verify(document)["valid"] is False
        with pytest.raises(TwinError):
            issue.add(house.using("alice"), house.car, document, house.fetch)


def test_forms_are_named_in_one_place() -> None:
    assert attested.FORMS == ("issued", "self-declared", "foreign", "unproven")


# --- Strangers ----------------------------------------------------------------------------------


def test_the_own_key_of_a_time(house: House) -> None:
    """Who was the thing's own key, or an owner, when a certificate was recorded."""
    house.key("old")
    house.key("new")
    house.car = create(house.using("alice"), "box", Definition({}, entity="old"))["id"]
    house.issue("old", issuer="X", number="1")
    transfer(house.using("alice"), "box", to="stranger", entity="new")
    house.issue("old", issuer="X", number="2")
    house.issue("new", issuer="X", number="3")
    house.issue("alice", issuer="X", number="4")
    house.issue("stranger", issuer="X", number="5")
    assert [row["form"] for row in house.rows()] == [
        *("self-declared", "issued", "self-declared", "issued"),
        "self-declared",
    ]


def test_a_credential_that_is_nested_too_deeply_to_sign(house: House) -> None:
    deep: dict[str, Any] = {"a": 1}
    for _ in range(400):
        deep = {"a": deep}
    document = {**foreign(house), "credentialSubject": deep, "id": "urn:a:b"}
    say(house.using("stranger"), house.car, "certificate", {"credential": document})
    (row, *_) = house.rows()
    assert (row["status"], row["verified"]) == ("invalid", False)
    assert check.show(house.workspace, house.car)["checks"][0]["result"] == "failed"
    assert house.results(document)["signature"] == "failed"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"issuer": 5, "credentialSubject": [], "type": {}, "proof": []},
        {"issuer": {"id": {}}, "credentialSubject": {"id": 5, "attachments": 7}, "id": {}},
        {"validFrom": [], "validUntil": {}, "@context": {}, "proof": {"cryptosuite": []}},
        {"proof": [{}] * 100, "credentialStatus": [[]]},
        {"id": "\x1b[31m", "credentialSubject": {"certificateNumber": "\n\u202e"}},
    ],
)
def test_what_strangers_record_is_shown_as_invalid(house: House, document: dict[str, Any]) -> None:
    made = say(house.using("stranger"), house.car, "certificate", {"credential": document})
    assert isinstance(made, dict)
    (row, *_) = house.rows()
    assert (row["form"], row["status"], row["verified"]) == ("foreign", "invalid", False)
    shown = check.show(house.workspace, house.car, made["transaction_id"])
    assert shown["checks"][0]["result"] in {"failed", "undetermined"}
    ok, rows = statuses(house)
    assert not ok
    assert rows[0][1] == "invalid"
    house.verify(document)


def test_a_ledger_that_cannot_be_reached(house: House) -> None:
    document = house.issue("lab")["body"]["credential"]

    class Away:
        def __getattr__(self, name: str) -> Any:
            def call(*_given: Any, **_more: Any) -> Any:
                raise UnreachableError("the node does not answer")

            return call

    away: Any = Away()
    workspace = house.workspace._replace(client=away)
    answer = verify.verify(document, house.fetch, house.now_ms, workspace)
    assert (answer["valid"], answer["status"]) == (None, "undetermined")
    assert "does not answer" in answer["checks"][3]["message"]
    document["credentialSubject"]["standard"] = "other"
    assert verify.verify(document, house.fetch, house.now_ms, workspace)["valid"] is False


def test_without_the_extra_package(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from twincli.services.care import due

    made = house.issue("lab", number="L-1", valid_until="2099-01-01")
    monkeypatch.setitem(sys.modules, "rfc8785", None)
    found = due.list_due(house.workspace, house.car)["due"]
    assert [row["name"] for row in found] == ["L-1"]
    for call in (
        house.rows,
        lambda: house.issue("lab"),
        lambda: house.verify(made["body"]["credential"]),
    ):
        with pytest.raises(TwinError) as raised:
            call()
        assert raised.value.code == "missing_extra"
