"""Homes that the tests of reading commands look at, made through the command line."""

from __future__ import annotations

from collections.abc import Callable
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
