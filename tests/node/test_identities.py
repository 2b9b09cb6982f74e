"""Twins that are posted: one for each template family, identifier and controller."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.chains import ALICE, BOB, Tx, create, owned, spend
from tests.node.running import Running
from twincli.crypto import canonical, cid
from twincli.formats import shipped
from twincli.ledger import Ledger
from twincli.model import record, template
from twincli.node.writing.committer import commit

VEHICLE = "vehicle-tracking-v1"
VIN = "1HGCM82633A004352"


def pin(data: bytes) -> str:
    return cid.of(data).text


def built_in(template_id: str) -> bytes:
    found = shipped.data(template_id)
    assert found is not None
    return found


def twin(
    number: int = 0,
    *,
    of: str = VEHICLE,
    pinned: str | None = None,
    owner: Any = ALICE,
    **facts: Any,
) -> Tx:
    wanted = pin(built_in(of)) if pinned is None else pinned
    nonce = f"{number:032x}"
    envelope = record.envelope(record.ASSET, nonce=nonce, template=of, template_cid=wanted)
    return create(data={record.KEY: envelope, **facts}, outputs=[owned(owner)])


def registered(version: int = 9, name: str = "Mine") -> tuple[Tx, str]:
    """Return a template of the family of the vehicles, as a CREATE, and its CID."""
    found, units = template.of_compiled(built_in(VEHICLE))
    document = {**found.document, "id": f"vehicle-tracking-v{version}", "name": name}
    data = template.compiled(document, units)
    envelope = record.envelope(
        record.TEMPLATE, nonce="ab" * 16, template=document["id"], template_cid=pin(data)
    )
    return create(data={record.KEY: envelope, **canonical.decode(data)}), pin(data)


def test_a_second_twin_is_refused_in_the_servers_words(node: Running) -> None:
    first = twin(1, vin=VIN)
    assert node.post(first).status == 202
    answer = node.post(twin(2, vin=VIN.lower()))
    assert answer.status == 409
    assert answer.json == {
        "message": "Invalid transaction (DuplicateTwin): vehicle-tracking already has a twin"
        f" '{VIN.lower()}': {first['id']}",
        "status": 409,
    }
    again = node.post(first)
    assert (again.status, "already exists" in again.json["message"]) == (400, True)
    assert node.post(twin(3, vin=VIN + "0")).status == 202
    assert node.post(twin(4, vin=VIN, owner=BOB)).status == 202, "another controller"


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({}, "MissingIdentifier"),
        ({"vin": None}, "MissingIdentifier"),
        ({"vin": True}, "InvalidValue"),
        ({"vin": "  "}, "InvalidValue"),
        ({"vin": "a\u200bb"}, "InvalidValue"),
        ({"vin": ["x"]}, "InvalidValue"),
        ({"vin": "x" * 201}, "InvalidValue"),
    ],
)
def test_a_twin_without_its_identifier(facts: dict[str, Any], name: str, node: Running) -> None:
    answer = node.post(twin(1, **facts))
    assert answer.status == 400
    assert answer.json["message"].startswith(f"Invalid transaction ({name}): ")
    assert node.post(twin(2, vin=VIN)).status == 202


def test_many_at_once_make_one_twin(node: Running) -> None:
    def post(number: int) -> int:
        # Some of them are large, and go another way to the ledger.
        extra = {"manual": "x" * 20_000} if number % 2 else {}
        return node.post(twin(number, vin=VIN, **extra)).status

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(post, range(12)))
    assert sorted(statuses) == [202] + [409] * 11


def test_in_one_block_the_first_wins(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        bodies = [
            json.dumps(tx).encode()
            for tx in (twin(1, vin="a"), twin(2, vin="A"), create(), twin(3), twin(4, vin="b"))
        ]
        found = commit(ledger, [b"{", *bodies])
        assert [answer.status for answer in found] == [400, 202, 409, 202, 400, 202]
        assert ledger.counts()["transactions"] == 3
        assert commit(ledger, [bodies[1]])[0].status == 409
        assert not ledger.verify().problems


def test_a_registered_template_is_at_hand(node: Running) -> None:
    made, wanted = registered()
    mine = "vehicle-tracking-v9"
    early = [twin(n, of=mine, pinned=wanted, vin=VIN) for n in (1, 2)]
    assert [node.post(tx).status for tx in early] == [202, 202], "nobody knows this template"
    assert node.post(made).status == 202
    assert node.post(twin(3, of=mine, pinned=wanted, vin=VIN)).status == 202
    assert node.post(twin(4, of=mine, pinned=wanted, vin=VIN)).status == 409
    assert node.post(twin(5, vin=VIN)).status == 409, "another version of the family"
    assert node.post(twin(6, of=mine, pinned=wanted)).status == 400


@pytest.mark.parametrize(
    "pinned", ["", "bafkreinone", "x" * 5000, pin(b"{}"), pin(built_in("supply-chain-v2"))]
)
def test_a_template_that_is_not_here_keeps_nothing_apart(pinned: str, node: Running) -> None:
    for number in (1, 2):
        assert node.post(twin(number, pinned=pinned, vin=VIN)).status == 202


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(template=7),
        lambda data: data.update(units="x"),
        lambda data: data.update(format=99),
        lambda data: data["template"].pop("identifiers"),
        lambda data: data.clear(),
    ],
)
def test_a_template_that_is_none(change: Callable[[dict[str, Any]], Any], node: Running) -> None:
    made, _ = registered()
    data = record.without_envelope(made["asset"]["data"])
    data = json.loads(json.dumps(data))
    change(data)
    wanted = pin(canonical.encode(data))
    envelope = record.envelope(
        record.TEMPLATE, nonce="ab" * 16, template="x-v1", template_cid=wanted
    )
    assert node.post(create(data={record.KEY: envelope, **data})).status == 202
    for number in (1, 2):
        assert node.post(twin(number, of="x-v1", pinned=wanted, vin=VIN)).status == 202


def migrated(before: Tx, to: str, index: int = 0, **more: Any) -> Tx:
    wanted = pin(built_in(to))
    envelope = record.envelope(record.MIGRATE, template=to, template_cid=wanted)
    return spend((before, index), metadata={record.KEY: envelope}, **more)


def test_a_migration_claims_and_frees(node: Running) -> None:
    first = twin(1, vin=VIN, serialNumber="7", assetId="W-1")
    assert node.post(first).status == 202
    product = twin(2, of="manufacturing-product-v2", assetId="w-1")
    assert node.post(product).status == 202
    assert node.post(migrated(first, "manufacturing-product-v2")).status == 409
    moved = migrated(first, "supply-chain-v2")
    assert node.post(moved).status == 202
    assert node.post(migrated(moved, "supply-chain-v2")).status == 202, "within its family"
    assert node.post(twin(3, of="supply-chain-v2", assetId="W-1")).status == 409
    assert node.post(twin(4, vin=VIN)).status == 202, "free again"


def test_a_migration_without_the_identifier(node: Running) -> None:
    plain = create()
    assert node.post(plain).status == 202
    answer = node.post(migrated(plain, VEHICLE))
    assert answer.status == 400
    assert "MissingIdentifier" in answer.json["message"]
    assert node.post(migrated(create(5), VEHICLE)).status == 400, "of no asset"


def test_a_part_of_a_split_twin_migrates_nothing(node: Running) -> None:
    shares = create(data={"vin": VIN}, outputs=[owned(ALICE, amount=2)])
    split = spend((shares, 0), outputs=[owned(ALICE), owned(ALICE)])
    assert [node.post(tx).status for tx in (shares, split)] == [202, 202]
    assert node.post(migrated(split, VEHICLE)).status == 202
    assert node.post(twin(1, vin=VIN)).status == 202


def test_a_false_cid_in_a_registration_changes_nothing(node: Running) -> None:
    """A template is known by its bytes, whatever its registration states."""
    other, wanted = registered(name="Other")
    false = json.loads(json.dumps(other["asset"]["data"]))
    false["template"]["identifiers"]["primary"] = "colour"
    assert node.post(create(data=false)).status == 202
    assert node.post(other).status == 202
    of = "vehicle-tracking-v9"
    assert node.post(twin(1, of=of, pinned=wanted, vin=VIN, colour="red")).status == 202
    assert node.post(twin(2, of=of, pinned=wanted, vin="other", colour="red")).status == 202
    assert node.post(twin(3, of=of, pinned=wanted, vin=VIN, colour="blue")).status == 409
