"""Whose certificates count: issuers that a template trusts, in checks, guards and what is due."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.content.store import Blobs
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import InvalidError, UnreachableError
from twincli.model import did
from twincli.services.asset.create import Definition
from twincli.services.care import due
from twincli.services.cert import check, issue, verify
from twincli.services.cert.issue import Wanted
from twincli.services.life import states
from twincli.services.record.attachments import Stores
from twincli.services.template import templates
from twincli.services.tx.prepared import Prepared

LAB = KeyPair.from_seed(b"lab".ljust(32, b"."))
BOILER: dict[str, Any] = {
    "id": "boiler-v1",
    "name": "Boiler",
    "assetType": "boiler",
    "identifiers": {"primary": "assetId"},
    "additionalFields": True,
    "trustedIssuers": [did.key_did(LAB.public_key)],
    "states": {
        "initial": "built",
        "transitions": [{"from": "built", "to": "sold", "conditions": {"required": ["safe"]}}],
        "conditions": {"safe": "certificates has UL-2089"},
    },
}
DAY_MS = 86_400_000


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        for name in ("alice", "lab", "stranger"):
            made.key(name)
        model = templates.read(json.dumps(BOILER).encode(), "boiler.json")
        templates.register(made.using("alice"), model)
        definition = Definition({"certificates": ["UL-2089"]}, template="boiler-v1")
        writes.create(made.using("alice"), "boiler", definition)
        yield made


def issued(rooms: Rooms, key: str, name: str = "boiler", **wanted: Any) -> dict[str, Any]:
    stores = Stores(Blobs(str(Path(rooms.workspace.keystore.directory).parent / "content")))
    given = Wanted(**{"standard": "UL-2089", **wanted})
    made = issue.issue(rooms.using(key), stores, name, given)
    assert not isinstance(made, Prepared)
    return {**made}


def sell(rooms: Rooms) -> None:
    states.move(rooms.using("alice"), "boiler", "sold", {"meets": ["safe"]})


def test_only_a_trusted_issuer_opens_a_guard(rooms: Rooms) -> None:
    def is_refused() -> bool:
        with pytest.raises(InvalidError) as raised:
            sell(rooms)
        return raised.value.code == "condition_unmet"

    assert is_refused()  # the word of the signer, and a list among the facts, are no certificate
    issued(rooms, "stranger")
    issued(rooms, "alice")
    issued(rooms, "alice", issuer="Lab")
    assert is_refused()
    issued(rooms, "lab", valid_until="2020-01-01", number="old")
    issued(rooms, "lab", standard="UL-1")
    made = issued(rooms, "lab", number="ended")
    issue.revoke(rooms.using("lab"), "boiler", "ended")
    assert is_refused()
    # One that a stranger brings is as good as its issuer.
    issue.add(rooms.using("stranger"), "boiler", made["body"]["credential"], unreachable)
    assert is_refused()
    issued(rooms, "lab", number="right")
    sell(rooms)
    assert states.show(rooms.workspace, "boiler")["state"] == "sold"


def unreachable(url: str) -> bytes:
    raise UnreachableError(url)


def test_checks_leave_others_aside(rooms: Rooms, tmp_path: Path) -> None:
    issued(rooms, "stranger", valid_until="2020-01-01")
    found = check.check(rooms.workspace, Blobs(str(tmp_path / "c")), "boiler")
    assert (found["ok"], found["certificates"][0]["counts"]) == (True, False)
    assert found["certificates"][0]["status"] == "expired"
    issued(rooms, "lab", valid_until="2020-01-01")
    found = check.check(rooms.workspace, Blobs(str(tmp_path / "c")), "boiler")
    assert (found["ok"], [row["counts"] for row in found["certificates"]]) == (False, [False, True])
    rows = check.list_certificates(rooms.workspace, "boiler")["certificates"]
    assert [row["trusted"] for row in rows] == [False, True]
    # Who names issuers himself is not bound by the template.
    found = check.check(
        rooms.workspace, Blobs(str(tmp_path / "c")), "boiler", accepted=["stranger"]
    )
    assert (found["ok"], len(found["certificates"])) == (False, 1)


def test_verification_asks_the_template(rooms: Rooms) -> None:
    now = rooms.now_ms
    for key, valid in (("lab", True), ("stranger", False)):
        document = issued(rooms, key)["body"]["credential"]
        assert verify.verify(document, unreachable, now, rooms.workspace)["valid"] is valid
        assert verify.verify(document, unreachable, now)["valid"] is True
        chosen = verify.verify(document, unreachable, now, rooms.workspace, [key])
        assert chosen["valid"] is True


def test_a_renewed_certificate_counts_no_more(rooms: Rooms, tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path / "c"))
    issued(rooms, "lab", number="1", valid_until="2020-01-01")
    issued(rooms, "lab", number="other", standard="UL-1")
    assert not check.check(rooms.workspace, blobs, "boiler")["ok"]
    new = issued(rooms, "lab", number="2", valid_until="2031-01-01")
    found = check.check(rooms.workspace, blobs, "boiler")
    assert found["ok"]
    assert [row["renewed_by"] for row in found["certificates"]] == [
        *(new["transaction_id"], None),
        None,
    ]
    issue.revoke(rooms.using("lab"), "boiler", "2")
    assert not check.check(rooms.workspace, blobs, "boiler")["ok"]


def test_one_with_a_number_only_renews_nothing(rooms: Rooms, tmp_path: Path) -> None:
    issued(rooms, "lab", number="1", standard=None, valid_until="2020-01-01")
    issued(rooms, "lab", number="2", standard=None)
    assert not check.check(rooms.workspace, Blobs(str(tmp_path / "c")), "boiler")["ok"]


def test_ends_are_due(rooms: Rooms) -> None:
    writes.create(rooms.using("alice"), "pump", Definition({}))
    issued(rooms, "lab", "pump", number="L-1", valid_until="2030-06-01")
    issued(rooms, "stranger", "pump", number="S-1", valid_until="2031-06-01")
    issued(rooms, "lab", "pump", number="L-2", valid_until="2032-06-01")
    issued(rooms, "lab", "pump", number="L-3", standard=None, valid_until="2033-06-01")
    issued(rooms, "lab", "pump", number="L-4", standard="X", valid_until="2034-06-01")
    issued(rooms, "lab", "pump", number="L-5", standard="Y")
    issue.revoke(rooms.using("lab"), "pump", "L-4")
    found = due.list_due(rooms.workspace, "pump")["due"]
    assert [(row["reason"], row["name"], row["due"]) for row in found] == [
        ("certificate", "S-1", "2031-06-01T23:59:59.000Z"),
        ("certificate", "L-2", "2032-06-01T23:59:59.000Z"),
        ("certificate", "L-3", "2033-06-01T23:59:59.000Z"),
    ]
    assert not due.list_due(rooms.workspace, "pump", as_of="2033-07-01")["ok"]


def test_ends_of_others_are_not_due(rooms: Rooms) -> None:
    issued(rooms, "stranger", valid_until="2020-01-01")
    assert due.list_due(rooms.workspace, "boiler")["due"] == []
