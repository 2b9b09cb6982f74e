"""``twin asset``: looking at twins and burning them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import garage, quietly
from tests.conftest import Invoke
from twincli.crypto.ed25519 import KeyPair
from twincli.model import did, owners, record, transaction
from twincli.model.transaction import Output
from twincli.services import documents
from twincli.services.asset import tree

STRANGER = KeyPair.from_seed(b"s" * 32)

ASKED = {"outputs", "parent_standing", "real_time", "streams", "view", "life", "certificates"}
"""What only some twins have."""

ASSET = [name for name in documents.Asset.__annotations__ if name not in ASKED]


@pytest.fixture
def made(invoke: Invoke) -> dict[str, Any]:
    return garage(invoke)


def test_show(invoke: Invoke, made: dict[str, Any]) -> None:
    document = quietly(invoke)("asset", "show", "car")
    assert list(document) == ASSET
    assert document["data"] == {"color": "red", "wheels": 4}
    assert document["state"]["mileage"] == 1250
    assert document["did"] == did.asset_did(document["id"], document["ledger"])
    assert document["transaction_id"] == made["right"]["transaction_id"]
    rows = dict(line.split("\t", 1) for line in invoke("asset", "show", "car").stdout.splitlines())
    assert list(rows) == ASSET[1:]
    assert invoke("asset", "show", "car", "--get", "state.mileage").stdout == "1250\n"


def test_show_as_it_was(invoke: Invoke, made: dict[str, Any]) -> None:
    twin = quietly(invoke)
    past = twin("asset", "show", "car", "--as-of", made["first"]["committed_at"])
    assert past["state"] == {"mileage": 1200, "place": "Berlin"}
    run = invoke("asset", "show", "car", "--as-of", "2020-01-01", "--json")
    assert (run.status, run.error["code"]) == (4, "not_found")


def test_show_on_a_terminal(invoke: Invoke, made: dict[str, Any]) -> None:
    text = invoke("asset", "show", "car", "--color", "never", tty=True).stdout
    assert "\x1b" not in text
    assert text.startswith("car  asset\n")
    for word in ("facts", "color", "red", "state", "mileage", "1250", "alice", made["car"]["id"]):
        assert word in text
    text = invoke("asset", "show", "clips", "--color", "never", tty=True).stdout
    assert "1 held by alice: " in text
    assert "2 held by bob: " in text


def test_show_neutralises_what_others_wrote(invoke: Invoke, made: dict[str, Any]) -> None:
    quietly(invoke)("asset", "append", "car", "--str", "x=\x1b]0;owned\x07", "--str", "y=\u202e")
    for tty in (True, False):
        text = invoke("asset", "show", "car", "--color", "never", tty=tty).stdout
        assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert made


def test_list(invoke: Invoke, made: dict[str, Any]) -> None:
    twin = quietly(invoke)
    items = twin("asset", "list")["assets"]
    assert [item["name"] for item in items] == ["car", "clips"]
    assert list(items[0]) == list(documents.AssetItem.__annotations__)[:-3]
    assert [item["name"] for item in twin("asset", "list", "--owner", "bob")["assets"]] == ["clips"]
    assert twin("asset", "list", "--all") == twin("asset", "list")
    assert len(twin("asset", "list", "--kind", "asset")["assets"]) == 2
    assert twin("asset", "list", "--kind", "identity")["assets"] == []
    assert twin("asset", "list", "--model", "myModel")["assets"] == []
    assert invoke("asset", "list", "--all", "--owner", "bob").status == 2
    head, *rows = invoke("asset", "list").stdout.splitlines()
    assert head == "name\tid\tkind\towners\tamount\tburned"
    assert [row.split("\t")[1] for row in rows] == [made["car"]["id"], made["clips"]["id"]]


def test_burning_needs_the_name_or_a_yes(
    invoke: Invoke, made: dict[str, Any], terminal: Callable[[str], Callable[[], str]]
) -> None:
    type_keys = terminal
    shown = type_keys("boat\n")
    run = invoke("asset", "burn", "car")
    assert (run.status, run.stdout) == (1, "")
    assert "the name typed does not match" in run.stderr
    assert "Type car to continue:" in shown()
    type_keys("car\n")
    run = invoke("asset", "burn", "car")
    assert run.status == 0
    assert "burned car" in run.stderr
    assert made


def test_burning(invoke: Invoke, made: dict[str, Any]) -> None:
    run = invoke("asset", "burn", "car", "--json")
    assert (run.status, run.error["code"]) == (2, "confirmation_needed")
    assert run.error["hint"].endswith("--yes")
    dry = quietly(invoke)("asset", "burn", "car", "--dry-run")
    assert dry["transaction_id"] is None
    tip = made["right"]["transaction_id"]
    run = invoke("asset", "burn", "car", "--yes", "--if-tip", made["first"]["id"], "--json")
    assert (run.status, run.error["code"]) == (5, "tip_moved")
    document = quietly(invoke)(
        "asset", "burn", "car", "--yes", "--once", "b1", "--if-tip", tip, "--wait", "commit"
    )
    assert list(document) == [*ASSET, "written", "signed_by", "warnings"]
    assert document["burned"] is True
    assert document["owner_names"] == ["burned"]
    again = quietly(invoke)("asset", "burn", "car", "--yes", "--once", "b1")
    assert again["transaction_id"] == document["transaction_id"]
    run = invoke("asset", "append", "car", "--mileage", "1", "--json")
    assert (run.status, run.error["code"]) == (7, "burned")
    assert "burned" in invoke("asset", "show", "car", tty=True).stdout
    assert invoke("asset", "burn", "nothing", "--yes").status == 4
    assert invoke("asset", "burn", "clips", "--yes", "--wait", "never").status == 2


def test_burning_bare(invoke: Invoke, made: dict[str, Any]) -> None:
    document = quietly(invoke)("asset", "burn", "car", "--yes", "--bare")
    shown = quietly(invoke)("tx", "show", document["transaction_id"])
    assert shown["transaction"]["metadata"] == {"status": "BURNED"}
    assert made


def test_outputs(invoke: Invoke, made: dict[str, Any]) -> None:
    twin = quietly(invoke)
    items = twin("asset", "outputs", "clips")["outputs"]
    assert list(items[0]) == list(documents.Output.__annotations__)
    unspent = twin("asset", "outputs", "clips", "--unspent")["outputs"]
    assert sorted(int(item["amount"]) for item in unspent) == [1, 2, 7]
    assert {item["asset_id"] for item in items} == {made["clips"]["id"]}
    assert len(twin("asset", "outputs", "--unspent")["outputs"]) == 4
    bobs = twin("asset", "outputs", "--owner", "bob")["outputs"]
    assert {tuple(item["owner_names"]) for item in bobs} == {("bob",)}
    head, *rows = invoke("asset", "outputs", "clips", "--unspent").stdout.splitlines()
    assert head == "transaction_id\toutput_index\tamount\towners\tasset_id\tspent_by"
    assert len(rows) == 3
    text = invoke("asset", "outputs", "clips", "--color", "never", tty=True).stdout
    short = unspent[0]["transaction_id"][:10]
    assert f"{short}      {unspent[0]['output_index']}" in text
    output = f"{short}:{unspent[0]['output_index']}"  # what is shown can be typed
    append = ("asset", "append", "clips", "--output", output, "--seen", "true")
    assert invoke(*append, "--dry-run").status == 0


def test_tree(invoke: Invoke, made: dict[str, Any]) -> None:
    twin = quietly(invoke)
    twin("asset", "create", "wheel", "--owner", "alice", "--parent", "car")
    document = twin("asset", "tree")
    assert list(document) == ["schema", "roots"]
    assert [root["name"] for root in document["roots"]] == ["alice", "bob"]
    assert set(document["roots"][0]) == {
        "type",
        "name",
        "public_key",
        "relation",
        "seen",
        "cut",
        "children",
    }
    head, *rows = invoke("asset", "tree").stdout.splitlines()
    assert head == "depth\ttype\tname\tid\trelation\tstanding\tkind"
    assert rows[0].split("\t")[:3] == ["0", "key", "alice"]
    assert ["1", "asset", "car"] in [row.split("\t")[:3] for row in rows]
    assert ["2", "asset", "wheel"] in [row.split("\t")[:3] for row in rows]
    text = invoke("asset", "tree", "--color", "never", tty=True).stdout
    assert made["car"]["id"][:10] in text
    assert made["car"]["id"] not in text
    wide = invoke("asset", "tree", "--wide", "--color", "never", tty=True).stdout
    assert made["car"]["id"] in wide
    assert "part, asset" in text
    assert "(see above)" in text
    only = twin("asset", "tree", "asset:car")["roots"]
    assert [(root["type"], root["name"]) for root in only] == [("asset", "car")]


@pytest.mark.usefixtures("made")
def test_who_says_that_something_is_a_part(invoke: Invoke) -> None:
    twin = quietly(invoke)
    twin("keys", "new", "engine", "--no-passphrase")
    twin("asset", "create", "van", "--owner", "alice", "--entity", "engine")
    for name, owner in (("mine", "alice"), ("its", "engine"), ("strange", "bob")):
        twin("asset", "create", name, "--owner", owner, "--key", owner, "--parent", "van")
    (van,) = twin("asset", "tree", "asset:van")["roots"]
    standing = {node["name"]: (node["relation"], node["standing"]) for node in van["children"]}
    assert standing == {
        "mine": ("part", "authorised"),
        "its": ("owns", None),
        "strange": ("part", "unauthorised"),
    }
    # Once it is bob's, he may say so; what was said before stays what it was.
    twin("asset", "transfer", "van", "--to", "bob")
    twin("asset", "create", "late", "--owner", "bob", "--key", "bob", "--parent", "van")
    (van,) = twin("asset", "tree", "asset:van")["roots"]
    standing = {node["name"]: (node["relation"], node["standing"]) for node in van["children"]}
    assert standing["late"] == ("part", "authorised")
    assert standing["strange"] == ("part", "unauthorised")
    text = invoke("asset", "tree", "asset:van", "--color", "never", tty=True).stdout
    assert "part (unauthorised), asset" in text


def test_shared_owners_on_a_terminal(invoke: Invoke, made: dict[str, Any]) -> None:
    twin = quietly(invoke)
    twin("asset", "create", "house", "--owner", "2of:alice,bob", "--entity", "alice")
    text = invoke("asset", "show", "house", "--color", "never", tty=True).stdout
    assert "all:alice,bob" in text
    assert "(proved)" in text
    twin("asset", "append", "car", "--x", "1", "--at", "2020-02-02")
    assert "2020-02-02T00:00:00.000Z" in invoke("asset", "show", "car", tty=True).stdout
    assert made


# --- What strangers write ------------------------------------------------------------------------


@pytest.mark.parametrize("odd", [{"a": 1}, ["x"], 5, True, "\x1b[31mred"], ids=repr)
def test_an_envelope_of_a_stranger_is_shown(invoke: Invoke, made: dict[str, Any], odd: Any) -> None:
    fields = ("kind", "name", "entity", "entity_proof", "parent", "template", "nonce", "at")
    tx = transaction.create(
        [STRANGER.public_key],
        [Output(owners.of_keys(made["car"]["owners"]))],
        {"twin": {"v": 1, **dict.fromkeys(fields, odd)}},
        {"twin": {"v": 1, **dict.fromkeys(("kind", "at", "once", "corrects", "body"), odd)}},
    )
    tx = transaction.sign(tx, [STRANGER])
    assert invoke("tx", "submit", "-", stdin=json.dumps(tx)).status == 0
    for words in (
        ("asset", "show", tx["id"]),
        ("did", "show", f"did:bdb:{tx['id']}"),
        ("asset", "append", tx["id"], "--n", "1"),
        ("history", tx["id"]),
        ("asset", "tree"),
    ):
        for tty in (False, True):
            run = invoke(*words, tty=tty)
            assert run.status == 0, run.stderr
            assert "\x1b[31mred" not in run.stdout


def test_a_chain_of_parents_has_no_end(invoke: Invoke, made: dict[str, Any]) -> None:
    lines, parent = [], made["car"]["id"]
    for number in range(400):
        tx = transaction.create(
            [STRANGER.public_key],
            [Output(owners.of_keys([STRANGER.public_key]))],
            {"twin": record.envelope("asset", parent=parent, nonce=str(number))},
        )
        tx = transaction.sign(tx, [STRANGER])
        lines.append(json.dumps(tx))
        parent = tx["id"]
    assert invoke("tx", "submit", "-", stdin="\n".join(lines)).status == 0
    node = quietly(invoke)("asset", "tree", "car")["roots"][0]
    depth = 0
    while node["children"]:
        assert not node["cut"]
        node, depth = node["children"][0], depth + 1
    assert node["cut"]
    assert depth == tree.DEEPEST
    assert quietly(invoke)("asset", "tree", f"asset:{node['id']}")["roots"][0]["children"]
    assert invoke("asset", "tree", "car", tty=True).status == 0


def test_the_state_of_a_fleet(invoke: Invoke) -> None:
    garage(invoke)
    twin = quietly(invoke)
    car, clips = twin("asset", "list", "--state")["assets"]
    assert car["state"] == twin("asset", "show", "car")["state"]
    assert clips["state"] == {}
    several = twin("asset", "show", "car", "clips", "car")
    assert several["schema"] == "twin.assets/1"
    assert several["assets"] == [twin("asset", "show", name) for name in ("car", "clips")]
    rows = invoke("asset", "show", "car", "clips").stdout.splitlines()
    assert [row.split("\t")[0] for row in rows] == ["name", "car", "clips"]
    assert invoke("asset", "show", "car", "clips", tty=True).stdout.count("facts") >= 1
    assert invoke("asset", "show", "car", "nope").status == 4


def test_a_part_that_its_signer_may_not_state(invoke: Invoke) -> None:
    garage(invoke)
    assert invoke("keys", "new", "dev7", "--no-passphrase").status == 0
    words = ("asset", "create", "probe", "--parent", "car", "--key", "dev7")
    run = invoke(*words, "--dry-run", "--json")
    assert "--key dev7 --key alice --owner dev7" in run.json["warnings"][0]
    run = invoke(*words)
    assert "dev7 may not add parts to car, whose owner is alice" in run.stderr
    shown = quietly(invoke)("asset", "show", "probe")
    assert (shown["parent_standing"], shown["owner"]) == ("unauthorised", "dev7")
    assert "unauthorised" in invoke("asset", "show", "probe", tty=True).stdout
    shared = ("asset", "create", "sensor", "--parent", "car", "--key", "dev7", "--key", "alice")
    made = quietly(invoke)(*shared, "--owner", "dev7")
    assert made["warnings"] == []
    shown = quietly(invoke)("asset", "show", "sensor")
    assert (shown["parent_standing"], shown["owner"]) == ("authorised", "dev7")


def test_one_notation_of_owners(invoke: Invoke) -> None:
    garage(invoke)
    twin = quietly(invoke)
    moved = twin("asset", "transfer", "car", "--to", "all:alice,bob")
    assert moved["owner"] == "all:alice,bob"
    assert "all:alice,bob" in invoke("asset", "list").stdout
    assert "to all:alice,bob" in invoke("history", "car").stdout
    assert "all:alice,bob" in invoke("asset", "outputs", "car").stdout
    assert "all:alice,bob" in invoke("asset", "balance", "car").stdout
    assert "all:alice,bob" in invoke("asset", "show", "car", tty=True).stdout
    words = ("asset", "transfer", "car", "--to", "any:alice,bob", "--dry-run")
    assert "any:alice,bob" in invoke(*words, tty=True).stdout
    run = invoke("asset", "create", "cup", "--owner", "2of:alice,alice,bob", "--json")
    assert (run.status, run.error["code"]) == (2, "bad_owners")
    assert "alice is named twice" in run.error["message"]


def test_one_of_several_signers_is_here(invoke: Invoke) -> None:
    garage(invoke)
    quietly(invoke)("asset", "transfer", "car", "--to", "all:alice,bob")
    for words in (("--key", "bob"), ()):
        if not words:
            assert invoke("keys", "remove", "alice", "--yes").status == 0
        run = invoke("asset", "append", "car", "--a", "1", *words, "--json")
        assert (run.status, run.error["code"]) == (6, "no_key")
        assert run.error["message"].startswith("bob alone cannot sign for car")
        assert "--prepare car.json" in run.error["hint"]


def test_a_thing_with_thousands_of_members_is_drawn_soon(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    facts = {f"k{number}": f"{number}\n" for number in range(1500)}
    file.write_text(json.dumps({**facts, "deep": {"a": "\x1b[2J"}}))
    assert invoke("keys", "new", "alice", "--no-passphrase").status == 0
    assert invoke("asset", "create", "big", "--data", f"@{file}").status == 0
    run = invoke("asset", "show", "big", tty=True)
    assert run.status == 0
    plain = run.stdout.replace("\x1b[1m", "").replace("\x1b[0m", "")
    lines = [" ".join(line.split()) for line in plain.splitlines()]
    assert {r"k0 0\n", r"k1499 1499\n"} <= {*lines}
    assert "\x1b[2J" not in run.stdout
