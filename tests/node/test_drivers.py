"""The official Python driver against our node, as it is."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from bigchaindb_driver import BigchainDB
from bigchaindb_driver.crypto import generate_keypair
from bigchaindb_driver.exceptions import BadRequest, NotFoundError

from tests.node.running import HASH, Running
from tests.plugins.tools import require_tool
from twincli.model.owners import BURN_ADDRESS
from twincli.model.transaction import transaction_id


@pytest.fixture
def driver(node: Running) -> Any:
    return BigchainDB(node.url)


def transfer(driver: Any, tx: dict[str, Any], key: str, to: Any, metadata: Any = None) -> Any:
    output = tx["outputs"][0]
    prepared = driver.transactions.prepare(
        operation="TRANSFER",
        asset={"id": tx["id"] if tx["operation"] == "CREATE" else tx["asset"]["id"]},
        metadata=metadata,
        inputs={
            "fulfillment": output["condition"]["details"],
            "fulfills": {"output_index": 0, "transaction_id": tx["id"]},
            "owners_before": output["public_keys"],
        },
        recipients=to,
    )
    return driver.transactions.fulfill(prepared, private_keys=key)


def test_a_life(driver: Any, node: Running) -> None:
    alice, bob = generate_keypair(), generate_keypair()
    assert driver.info()["version"] == "2.2.2"
    assert driver.api_info()["transactions"] == "/transactions/"
    car = driver.transactions.fulfill(
        driver.transactions.prepare(
            operation="CREATE",
            signers=alice.public_key,
            asset={"data": {"car": {"vin": "WVW ZZZ-1/2", "colour": "grün"}}},
            metadata={"mileage": 0},
        ),
        private_keys=alice.private_key,
    )
    assert driver.transactions.send_commit(car) == car
    driven = transfer(driver, car, alice.private_key, alice.public_key, {"mileage": 1200})
    assert driver.transactions.send_sync(driven) == driven
    sold = transfer(driver, driven, alice.private_key, bob.public_key, {"price": 9.5})
    assert driver.transactions.send_async(sold) == sold
    burnt = transfer(driver, sold, bob.private_key, BURN_ADDRESS, {"status": "BURNED"})
    assert driver.transactions.send_commit(burnt) == burnt

    life = [car, driven, sold, burnt]
    assert driver.transactions.retrieve(car["id"]) == car
    assert driver.transactions.get(asset_id=car["id"]) == life
    assert driver.transactions.get(asset_id=car["id"], operation="CREATE") == [car]
    assert driver.transactions.get(asset_id=car["id"], operation="TRANSFER") == life[1:]
    refs = [{"transaction_id": tx["id"], "output_index": 0} for tx in life]
    assert driver.outputs.get(alice.public_key) == refs[:2]
    assert driver.outputs.get(alice.public_key, spent=True) == refs[:2]
    assert driver.outputs.get(bob.public_key, spent=False) == []
    assert driver.outputs.get(BURN_ADDRESS, spent=False) == refs[3:]
    found = [{"data": car["asset"]["data"], "id": car["id"]}]
    assert driver.assets.get(search="grun") == found
    assert driver.assets.get(search='"ZZZ-1/2"', limit=5) == found
    assert driver.metadata.get(search="burned") == [
        {"id": burnt["id"], "metadata": {"status": "BURNED"}}
    ]
    assert driver.blocks.get(txid=sold["id"]) == 3
    assert driver.blocks.retrieve("3") == {"height": 3, "transactions": [sold]}

    again = transfer(driver, car, alice.private_key, bob.public_key)
    with pytest.raises(BadRequest) as caught:
        driver.transactions.send_commit(again)
    assert "DoubleSpend" in str(caught.value)
    forged = {**burnt, "metadata": {"status": "SOLD"}}
    forged["id"] = transaction_id(forged)
    with pytest.raises(BadRequest) as caught:
        driver.transactions.send_commit(forged)
    assert "DoubleSpend" in str(caught.value)
    forged = {**car, "metadata": {"mileage": 1}}
    forged["id"] = transaction_id(forged)
    with pytest.raises(BadRequest) as caught:
        driver.transactions.send_commit(forged)
    assert "InvalidSignature" in str(caught.value)
    with pytest.raises(NotFoundError):
        driver.transactions.retrieve(HASH)
    assert node.get("/healthz").json["height"] == 4


def test_curl(node: Running) -> None:
    curl = require_tool("curl")
    run = subprocess.run(
        [curl, "-sS", "-i", "--noproxy", "*", "-d", "{}", f"{node.url}/api/v1/transactions/"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert run.stdout.startswith("HTTP/1.1 400 ")
    assert "No transaction id found!" in run.stdout
