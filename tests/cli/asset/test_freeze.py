"""``twin asset freeze|unfreeze``: what is refused, by whom, and what is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Invoke


@pytest.fixture
def car(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    for name in ("alice", "bob"):
        assert invoke("keys", "new", name).status == 0
    assert invoke("asset", "create", "car", "--owner", "alice", "--km", "1").status == 0
    assert invoke("asset", "create", "box", "--owner", "alice").status == 0
    return invoke


def test_nothing_is_written_to_a_frozen_twin(car: Invoke, tmp_path: Path) -> None:
    made = car("asset", "freeze", "car", "--json").json
    assert made["frozen_by"] == made["transaction_id"]
    assert made["state"] == {}
    assert car("asset", "show", "car", "--json").json["frozen_by"] == made["transaction_id"]
    assert "frozen" in car("asset", "show", "car").stdout
    note = tmp_path / "note.txt"
    note.write_text("x")
    lines = tmp_path / "lines.jsonl"
    lines.write_text(json.dumps({"km": 3}))
    for args in (
        ("asset", "append", "car", "--km", "2"),
        ("asset", "append", "car", "--km", "2", "--dry-run"),
        ("asset", "append", "car", "--km", "2", "--prepare", str(tmp_path / "a.tx")),
        ("asset", "transfer", "car", "--to", "bob"),
        ("asset", "burn", "car", "--yes"),
        ("asset", "freeze", "car"),
        ("asset", "migrate", "car", "--template", "product-lifecycle-v1"),
        ("asset", "create", "wheel", "--parent", "car", "--owner", "alice"),
        ("file", "attach", "car", str(note)),
        ("link", "add", "car", "part", "box"),
        ("grant", "add", "car", "--to", "bob"),
        ("stream", "create", "car", "temperature"),
    ):
        failed = car(*args, "--json")
        assert (args, failed.status, failed.error["code"]) == (args, 6, "frozen")
        assert failed.error["hint"] == "its owner can lift that: twin asset unfreeze car"
    assert car("asset", "show", "car", "--json").json["transaction_id"] == made["transaction_id"]


def test_many_lines_are_refused_too(car: Invoke) -> None:
    car("asset", "freeze", "car")
    failed = car("asset", "append", "car", "--jsonl", "-", "--json", stdin=b'{"km": 2}\n')
    assert (failed.status, failed.error["code"]) == (6, "frozen")


def test_its_owner_lifts_it(car: Invoke) -> None:
    refused = car("asset", "unfreeze", "car", "--json")
    assert (refused.status, refused.error["code"]) == (5, "not_frozen")
    first = car("asset", "freeze", "car", "--once", "a", "--json").json
    again = car("asset", "freeze", "car", "--once", "a", "--json").json
    assert first["transaction_id"] == again["transaction_id"]
    stranger = car("asset", "unfreeze", "car", "--key", "bob", "--json")
    assert (stranger.status, stranger.error["code"]) == (6, "no_key")
    lifted = car("asset", "unfreeze", "car", "--json").json
    assert lifted["frozen_by"] is None
    assert car("asset", "append", "car", "--km", "2").status == 0
    kinds = [tx["kind"] for tx in car("history", "car", "--json").json["transactions"]]
    assert kinds == ["asset", "freeze", "unfreeze", "append"]


def test_a_dry_run_freezes_nothing(car: Invoke) -> None:
    assert car("asset", "freeze", "car", "--dry-run").status == 0
    assert car("asset", "freeze", "car", "--bare", "--json").error["code"] == "usage"
    assert car("asset", "append", "car", "--km", "2").status == 0


def test_a_split_twin_is_not_frozen_by_who_holds_a_part(car: Invoke) -> None:
    car("asset", "create", "gold", "--owner", "alice", "--amount", "5")
    car("asset", "transfer", "gold", "--out", "2:bob")
    for key in ("alice", "bob"):
        failed = car("asset", "freeze", "gold", "--key", key, "--json")
        assert (failed.status, failed.error["code"]) == (5, "several_outputs")
