"""TRANSFERs that no service of ours would write."""

from __future__ import annotations

from typing import Any

from tests.services.rooms import Rooms
from twincli.crypto.ed25519 import KeyPair
from twincli.model import transaction
from twincli.model.transaction import Output, Spend


def self_transfer(rooms: Rooms, asset_id: str, key: str, metadata: dict[str, Any]) -> str:
    """Commit a self-TRANSFER of all that a key of ``Rooms.key`` holds; return its id."""
    items = rooms.workspace.client.unspent(asset_id)
    outputs = [
        Output(item.output["condition"]["details"], int(item.output["amount"])) for item in items
    ]
    tx = transaction.transfer(
        [Spend.of_output(*item) for item in items], outputs, asset_id, metadata
    )
    signed = transaction.sign(tx, [KeyPair.from_seed(key.encode().ljust(32, b"."))])
    rooms.ledger.submit(signed)
    return str(signed["id"])
