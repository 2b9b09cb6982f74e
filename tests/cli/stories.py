"""Homes that the tests of reading commands look at, made through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import Invoke

Twin = Callable[..., Any]


def quietly(invoke: Invoke) -> Twin:
    """Return what runs a command that has to succeed, and gives its document."""

    def twin(*words: str, stdin: str = "") -> Any:
        run = invoke(*words, "--json", stdin=stdin)
        assert run.status == 0, run.stderr
        return run.json

    return twin


def garage(invoke: Invoke) -> dict[str, Any]:
    """Make alice, bob, a car that is driven and corrected, and clips that are shared out.

    Returns:
        Documents by name: ``car``, ``first`` and ``wrong`` and ``right`` (appends), ``clips``.
    """
    twin = quietly(invoke)
    for name in ("alice", "bob"):
        twin("keys", "new", name, "--no-passphrase")
    made = {
        "car": twin(
            "asset", "create", "car", "--owner", "alice", "--set", 'color="red"', "--wheels", "4"
        ),
        "first": twin("asset", "append", "car", "--mileage", "1200", "--place", "Berlin"),
        "wrong": twin("asset", "append", "car", "--mileage", "9999"),
    }
    wrong = made["wrong"]["transaction_id"]
    made["right"] = twin("asset", "append", "car", "--mileage", "1250", "--corrects", wrong)
    made["clips"] = twin("asset", "create", "clips", "--owner", "alice", "--amount", "10")
    twin("asset", "transfer", "clips", "--out", "3:bob")
    twin("asset", "transfer", "clips", "--out", "1:alice", "--key", "bob")
    return made


PUMP: dict[str, Any] = {
    "id": "pump-v1",
    "name": "Pump",
    "assetType": "pump",
    "category": "water",
    "identifiers": {"primary": "serialNumber"},
    "trackingFields": [{"name": "hours", "type": "number", "unit": "h"}],
    "eventTypes": ["opened", "tested"],
    "states": {
        "initial": "stored",
        "transitions": [
            {"from": "stored", "to": "installed"},
            {"from": "installed", "to": "running", "conditions": {"required": ["tested"]}},
            {"from": "running", "to": "installed"},
        ],
        "conditions": {"tested": "events has tested"},
    },
    "stages": ["made", "sold", "used"],
}
"""A template with event types, states and stages."""


def pump(invoke: Invoke, directory: Path) -> None:
    """Make a pump, stored, that was made and sold."""
    file = directory / "pump.json"
    file.write_text(json.dumps(PUMP))
    twin = quietly(invoke)
    twin("template", "register", str(file))
    twin("asset", "create", "pump", "--template", "pump-v1", "--serialNumber", "S1")
    twin("stage", "add", "pump", "made", "--location", "Berlin", "--date", "2024-01-10")
    twin("stage", "add", "pump", "sold")
