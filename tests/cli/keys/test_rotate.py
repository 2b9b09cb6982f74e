"""``twin keys rotate``: all of a key's outputs, again after a stop, shared ones by file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke
from twincli.errors import InvalidError
from twincli.services import signers
from twincli.services.keys import rotate


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    """Return the command, in a home where ann owns a car, clips and, with others, a house."""
    run = quietly(invoke)
    for name in ("ann", "ben", "new"):
        run("keys", "new", name, "--no-passphrase")
    run("did", "new", "ann", "--no-passphrase")
    run("asset", "create", "car", "--owner", "ann", "--entity", "ben", "--wheels", "4")
    run("asset", "append", "car", "--mileage", "12")
    run("asset", "create", "clips", "--owner", "ann", "--amount", "10")
    run("asset", "transfer", "clips", "--out", "4:ann", "--out", "6:ann")
    run("asset", "create", "boat", "--owner", "any:ann,ben")
    return run


def rotated(run: Invoke, *words: str, status: int = 0) -> Any:
    found = run("keys", "rotate", "ann", "--to", "new", "--json", *words)
    assert found.status == status, found.stderr
    return found.json


def test_everything_goes_to_the_new_key(invoke: Invoke, twin: Twin) -> None:
    document = rotated(invoke)
    assert list(document) == [
        "schema",
        "ledger",
        "from",
        "to",
        "moved",
        "prepared",
        "left",
        "entities",
        "signed_by",
        "warnings",
    ]
    moved = [item["asset_name"] for item in document["moved"]]
    assert sorted(moved) == ["ann", "boat", "car", "clips", "clips"]
    assert document["left"] == document["prepared"] == document["entities"] == []
    assert twin("asset", "outputs", "--owner", "ann", "--unspent")["outputs"] == []
    assert twin("asset", "show", "car")["owner_names"] == ["new"]
    assert twin("asset", "show", "car")["state"] == {"mileage": 12}
    assert twin("asset", "show", "boat")["owner_names"] == ["new", "ben"]
    # Amounts stay apart, and so do their states.
    amounts = [item["amount"] for item in twin("asset", "show", "clips")["outputs"]]
    assert sorted(amounts) == ["4", "6"]
    # The identity is now the new key's; the car's own key is none of Ann's.
    new = twin("keys", "show", "new")["public_key"]
    assert twin("asset", "show", "asset:ann")["entity"] == new
    assert twin("asset", "show", "car")["entity"] == twin("keys", "show", "ben")["public_key"]
    assert twin("keys", "show", "ann")["name"] == "ann"


def test_again_it_finds_nothing_to_do(invoke: Invoke, twin: Twin) -> None:
    del twin
    rotated(invoke)
    assert rotated(invoke)["moved"] == []


def test_a_dry_run_moves_nothing(invoke: Invoke, twin: Twin) -> None:
    document = rotated(invoke, "--dry-run")
    assert len(document["moved"]) == 5
    assert {item["transaction_id"] for item in document["moved"]} == {None}
    assert len(twin("asset", "outputs", "--owner", "ann", "--unspent")["outputs"]) == 5


def test_stopped_half_way_it_goes_on(
    invoke: Invoke, twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotate, "CHUNK", 2)
    real, calls = rotate._submitted, []

    def stopped(*args: Any) -> Any:
        calls.append(0)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(rotate, "_submitted", stopped)
        assert invoke("keys", "rotate", "ann", "--to", "new").status == 130
    left = twin("asset", "outputs", "--owner", "ann", "--unspent")["outputs"]
    assert len(left) == 3
    assert len(rotated(invoke)["moved"]) == 3


def test_what_others_sign_too_is_prepared(invoke: Invoke, twin: Twin, tmp_path: Path) -> None:
    elsewhere, directory = str(tmp_path / "elsewhere"), tmp_path / "to-sign"
    liz = twin("keys", "new", "liz", "--no-passphrase", "--home", elsewhere)["public_key"]
    twin("name", "set", "liz", liz)
    twin("asset", "create", "house", "--owner", "all:ann,liz", "--key", "ann")
    # Without a place for the files it is left, and said.
    document = rotated(invoke, status=10)
    assert [item["asset_name"] for item in document["left"]] == ["house"]
    assert len(document["moved"]) == 5
    document = rotated(invoke, "--prepare", str(directory))
    assert document["moved"] == document["left"] == []
    (item,) = document["prepared"]
    assert (item["asset_name"], item["existing"], item["missing"]) == ("house", False, [liz])
    before = Path(item["file"]).read_bytes()
    # Again: the file that may be on its way already stays as it is.
    (again,) = rotated(invoke, "--prepare", str(directory))["prepared"]
    assert (again["file"], again["existing"]) == (item["file"], True)
    assert Path(item["file"]).read_bytes() == before
    twin("tx", "sign", item["file"], "--yes", "--home", elsewhere)
    twin("tx", "submit", item["file"])
    assert twin("asset", "show", "house")["owner_names"] == ["new", "liz"]
    assert rotated(invoke, "--prepare", str(directory))["prepared"] == []


def test_to_another_key_another_file_is_prepared(
    invoke: Invoke, twin: Twin, tmp_path: Path
) -> None:
    elsewhere, directory = str(tmp_path / "elsewhere"), str(tmp_path / "to-sign")
    liz = twin("keys", "new", "liz", "--no-passphrase", "--home", elsewhere)["public_key"]
    twin("name", "set", "liz", liz)
    twin("asset", "create", "house", "--owner", "all:ann,liz", "--key", "ann")
    words = ("--prepare", directory)
    twin("keys", "new", "lost", "--no-passphrase")
    twin("asset", "burn", "boat", "--yes", "--key", "ben")
    (first,) = twin("keys", "rotate", "ann", "--to", "lost", *words)["prepared"]
    (second,) = rotated(invoke, *words)["prepared"]
    assert (first["existing"], second["existing"]) == (False, False)
    assert twin("tx", "show", second["file"])["outputs"][0]["owners"] == "all:new,liz"


@pytest.mark.parametrize("owner", ["2of:ann,new,ben", "any:ann,new", "all:ben,(any:ann,new)"])
def test_a_key_that_is_an_owner_already_never_counts_twice(
    invoke: Invoke, twin: Twin, owner: str, tmp_path: Path
) -> None:
    """Two of three would become one."""
    before = twin("asset", "create", "house", "--owner", owner, "--key", "ann")
    document = rotated(invoke, "--prepare", str(tmp_path / "to-sign"), status=10)
    assert [item["asset_name"] for item in document["left"]] == ["house"]
    assert document["left"][0]["message"] == "the new key is already an owner"
    assert len(document["moved"]) == 5
    assert document["prepared"] == []
    assert twin("asset", "show", "house")["condition"] == before["condition"]
    assert "--to OWNER" in invoke("keys", "rotate", "ann", "--to", "new").stderr


def test_the_keys_are_looked_at_once_an_owner(
    invoke: Invoke, twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin("asset", "transfer", "clips", *["--out", "1:ann"] * 10)
    real, looks = signers.keys_to_spend, []

    def counted(*args: Any) -> Any:
        looks.append(args)
        return real(*args)

    for module in (signers, rotate):
        monkeypatch.setattr(module, "keys_to_spend", counted)
    assert len(rotated(invoke)["moved"]) == 13
    assert len(looks) == 2  # ann's own, and any:ann,ben


def test_a_file_that_does_something_else_is_not_taken_for_this_one(
    invoke: Invoke, twin: Twin, tmp_path: Path
) -> None:
    directory, stranger = str(tmp_path / "to-sign"), str(tmp_path / "elsewhere")
    liz = twin("keys", "new", "liz", "--no-passphrase", "--home", stranger)["public_key"]
    twin("name", "set", "liz", liz)
    twin("asset", "create", "house", "--owner", "all:ann,liz", "--key", "ann")
    (item,) = rotated(invoke, "--prepare", directory)["prepared"]
    Path(item["file"]).unlink()
    twin("asset", "append", "house", "--a", "1", "--prepare", item["file"])
    before = Path(item["file"]).read_bytes()
    document = rotated(invoke, "--prepare", directory, status=10)
    assert document["prepared"] == []
    (left,) = document["left"]
    assert item["file"] in left["message"]
    assert list(left) == ["asset_id", "asset_name", "output", "amount", "code", "message"]
    assert Path(item["file"]).read_bytes() == before


def test_an_output_that_another_writer_took_is_left(
    invoke: Invoke, twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rotate._submitted

    def late(workspace: Any, moves: Any, unlocked: Any) -> Any:
        verdicts = real(workspace, moves, unlocked)
        verdicts[0] = InvalidError("spent", code="double_spend")
        return verdicts

    monkeypatch.setattr(rotate, "_submitted", late)
    document = rotated(invoke, status=10)
    assert len(document["left"]) == 1
    del twin


def test_twins_that_name_the_old_key_are_listed(invoke: Invoke, twin: Twin) -> None:
    twin("asset", "create", "robot", "--owner", "ben", "--entity", "ann")
    document = rotated(invoke)
    assert [item["asset_name"] for item in document["entities"]] == ["robot"]
    run = invoke("keys", "rotate", "ann", "--to", "new")
    assert "--entity NEW" in run.stderr


@pytest.mark.parametrize(
    ("to", "status", "code"),
    [
        ("ann", 2, "usage"),
        ("nobody", 4, "not_found"),
        ("BurnBurnBurnBurnBurnBurnBurnBurnBurnBurnBurn", 2, "usage"),
        ("H2pE5ajarRKsDHLQkQ3xVfVURExNcWt1GFnF57gjxBym", 2, "unknown_recipient"),
    ],
)
def test_where_it_cannot_go(invoke: Invoke, twin: Twin, to: str, status: int, code: str) -> None:
    run = invoke("keys", "rotate", "ann", "--to", to, "--json")
    assert (run.status, run.error["code"]) == (status, code)
    assert len(twin("asset", "outputs", "--owner", "ann", "--unspent")["outputs"]) == 5


def test_the_passphrase_is_asked_once(invoke: Invoke, twin: Twin, tmp_path: Path) -> None:
    (tmp_path / "p").write_text("open\n")
    given = ("--passphrase-file", str(tmp_path / "p"))
    twin("keys", "new", "sealed", *given)
    for number in range(3):
        twin("asset", "create", f"box{number}", "--owner", "sealed", "--key", "ben")
    words = ("keys", "rotate", "sealed", "--to", "new", "--json")
    run = invoke(*words)
    assert (run.status, json.loads(run.stderr)["error"]["code"]) == (6, "locked")
    assert len(invoke(*words, *given).json["moved"]) == 3


def test_where_files_cannot_be_written_nothing_is_moved(
    invoke: Invoke, twin: Twin, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    words = ("keys", "rotate", "ann", "--to", "new", "--json", "--prepare")
    run = invoke(*words, str(tmp_path / "file" / "dir"))
    assert (run.status, run.error["code"]) == (9, "cannot_write")
    for odd in ("", "-"):
        assert invoke(*words, odd).status == 2
    assert len(twin("asset", "outputs", "--owner", "ann", "--unspent")["outputs"]) == 5


def test_key_is_not_passed_over_without_a_word(invoke: Invoke, twin: Twin) -> None:
    del twin
    for words in (
        ("keys", "rotate", "ann", "--to", "new", "--key", "ben"),
        ("agent", "lock", "--key", "ann"),
        ("backup", "create", "-o", "x.tar", "--node", "file:elsewhere"),
    ):
        run = invoke(*words, "--json")
        assert (run.status, run.error["code"]) == (2, "usage")
