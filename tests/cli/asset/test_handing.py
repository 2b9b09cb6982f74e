"""``twin asset transfer --children``: the plan, its exit status, and what is said."""

from __future__ import annotations

from pathlib import Path

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


def shared(car: Invoke) -> None:
    """Make a van of Alice and Carol with a part of its own kind, and one of Alice."""
    both = ("--key", "alice", "--key", "carol")
    car("asset", "create", "van", "--owner", "all:alice,carol", *both)
    for name, owner in (("seat", "all:alice,carol"), ("radio", "alice")):
        assert car("asset", "create", name, "--owner", owner, "--parent", "van", *both).status == 0


PREPARE = ("asset", "transfer", "van", "--to", "bob", "--children", "move", "--prepare", "van.tx")


def test_prepared_for_others(car: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shared(car)
    planned = car(*PREPARE, "--dry-run", "--json")
    assert planned.status == 10
    assert not list(tmp_path.glob("*.tx"))
    run = car(*PREPARE, "--key", "alice", "--json")
    assert run.status == 10
    assert run.json.keys() >= documents.PreparedHandover.__required_keys__
    made = {item["asset_name"]: item for item in run.json["prepared"]}
    assert {name: item["complete"] for name, item in made.items()} == {
        "radio": True,
        "seat": False,
        "van": False,
    }
    assert run.json["prepared"][-1]["asset_name"] == "van"
    assert all(item.keys() == documents.PreparedPart.__required_keys__ for item in made.values())
    assert sorted(path.name for path in tmp_path.glob("*.tx")) == [
        "van.radio.tx",
        "van.seat.tx",
        "van.tx",
    ]
    # Run again, it keeps what others may have signed already.
    assert car("tx", "sign", "van.seat.tx", "--key", "carol", "--yes").status == 0
    again = car(*PREPARE, "--json").json["prepared"]
    assert [item["kept"] for item in again] == [True] * 3
    assert [item["asset_name"] for item in again if not item["complete"]] == ["van"]
    words = car(*PREPARE).stderr
    assert "carol must sign: twin tx sign van.tx" in words
    assert "complete; submit it: twin tx submit van.seat.tx" in words


def test_a_prepared_hand_over_goes_on_where_it_was(
    car: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shared(car)
    car(*PREPARE, "--key", "alice")
    assert car("tx", "submit", "van.radio.tx", "--yes").status == 0
    # Another write to a part makes its file stale; it is prepared again.
    both = ("--key", "alice", "--key", "carol")
    assert car("asset", "append", "seat", "--x", "1", *both).status == 0
    run = car(*PREPARE, *both, "--json")
    items = {
        item["name"]: item["action"]
        for item in run.json["handover"]["items"]
        if item["what"] == "part"
    }
    assert (items["radio"], items["seat"]) == ("moved", "prepared")
    assert [(item["asset_name"], item["kept"]) for item in run.json["prepared"]] == [
        ("seat", False),
        ("van", True),
    ]
    assert car("tx", "sign", "van.tx", "--key", "carol", "--yes").status == 0
    for name in ("van.seat.tx", "van.tx"):
        assert car("tx", "submit", name, "--yes").status == 0
    for name in ("van", "seat", "radio"):
        assert car("asset", "show", name, "--json").json["owner"] == "bob"
    assert car("link", "list", "van", "--json").json["links"][0]["state"] == "active"


def test_a_file_of_something_else_is_not_written_over(
    car: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shared(car)
    (tmp_path / "van.seat.tx").write_text("mine")
    failed = car(*PREPARE, "--json")
    assert (failed.status, failed.error["code"]) == (5, "exists")
    assert [path.name for path in tmp_path.glob("*.tx")] == ["van.seat.tx"]
    to_carol = [*PREPARE[:4], "carol", *PREPARE[5:]]
    (tmp_path / "van.seat.tx").unlink()
    assert car(*PREPARE).status == 10
    assert car(*to_carol, "--json").status == 5
    stdout = car(*PREPARE[:-1], "-", "--json")
    assert (stdout.status, stdout.error["code"]) == (2, "usage")
