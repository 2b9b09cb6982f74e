"""``twin asset transfer --children``: the plan, its exit status, and what is said."""

from __future__ import annotations

import pytest

from tests.conftest import Invoke
from twincli.services import documents


@pytest.fixture
def car(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    for name in ("alice", "bob", "carol"):
        assert invoke("keys", "new", name).status == 0
    for args in (("car",), ("wheel", "--parent", "car")):
        assert invoke("asset", "create", *args, "--owner", "alice", "--key", "alice").status == 0
    return invoke


def test_the_plan_is_what_happens(car: Invoke) -> None:
    words = ("asset", "transfer", "car", "--to", "bob", "--children", "move")
    planned = car(*words, "--dry-run", "--json").json
    assert planned["transaction_id"] is None
    done = car(*words, "--json").json
    assert planned["handover"] == done["handover"]
    assert done.keys() >= documents.HandedOver.__required_keys__
    (item, link) = done["handover"]["items"]
    assert item.keys() == documents.HandoverItem.__required_keys__
    assert (item["name"], item["action"], link["action"]) == ("wheel", "moves", "kept")


def test_it_is_said_in_words(car: Invoke) -> None:
    car("asset", "create", "car2", "--owner", "alice", "--key", "alice")
    car("asset", "create", "seat", "--owner", "alice", "--parent", "car2", "--key", "alice")
    car("grant", "add", "car2", "--to", "carol", "--key", "alice")
    run = car("asset", "transfer", "car2", "--to", "bob", "--children", "keep")
    assert run.stderr.splitlines()[-1] == "kept   grant to carol"
    assert "stays  part seat with alice" in run.stderr
    quiet = car("asset", "transfer", "car2", "--to", "alice", "--children", "keep", "--quiet")
    assert (quiet.stdout, quiet.stderr) == ("", "")


def test_what_remains_is_exit_10(car: Invoke) -> None:
    made = ("asset", "create", "radio", "--owner", "all:alice,carol", "--parent", "car")
    assert car(*made, "--key", "alice").status == 0
    words = ("asset", "transfer", "car", "--to", "bob", "--children", "move", "--key", "alice")
    assert car(*words, "--dry-run").status == 10
    run = car(*words)
    assert run.status == 10
    assert "remains  part radio: alice, carol must sign" in run.stderr
    assert "twin asset transfer radio --to bob --prepare FILE" in run.stderr
    assert car("asset", "show", "car", "--json").json["owner"] == "bob"
    assert car("asset", "show", "radio", "--json").json["owner"] == "all:alice,carol"


@pytest.mark.parametrize("more", [("--out", "1:bob"), ("--to", "bob", "--bare")])
def test_what_cannot_be(car: Invoke, more: tuple[str, ...]) -> None:
    failed = car("asset", "transfer", "car", *more, "--children", "move", "--json")
    assert (failed.status, failed.error["code"]) == (2, "usage")
