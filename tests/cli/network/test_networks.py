"""The same commands against a network, its profiles, push and pull."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import Twin, garage, quietly
from tests.client.fakenode import API, FakeNode, serving
from tests.conftest import Invoke
from twincli.ledger import Ledger


@pytest.fixture
def node() -> Iterator[FakeNode]:
    """Return a plain BigchainDB node."""
    with serving() as made:
        yield made


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    return run


# --- node add, list, use, remove, info -----------------------------------------------------------


def test_networks_have_names(twin: Twin, invoke: Invoke, node: FakeNode, home: Path) -> None:
    assert twin("node", "list")["networks"] == []
    made = twin("node", "add", "team", node.url, "http://b.example:80/api/v1/")
    assert made["schema"] == "twin.network/1"
    assert made["urls"] == [node.url, "http://b.example:80"]
    assert made["created"] is True
    assert twin("node", "add", "team", node.url, "http://b.example:80")["created"] is False
    taken = invoke("node", "add", "team", "http://c.example", "--json")
    assert (taken.status, taken.error["code"]) == (5, "exists")
    assert (home / "nodes.json").stat().st_mode & 0o077 == 0
    (listed,) = twin("node", "list")["networks"]
    assert (listed["name"], listed["used"]) == ("team", False)
    assert twin("node", "use", "team")["changed"] is True
    assert twin("node", "use", "team")["changed"] is False
    assert twin("node", "list")["networks"][0]["used"] is True
    assert twin("config", "get", "node")["value"] == "team"
    assert "team" in invoke("node", "list").stdout
    assert twin("node", "use", "local")["value"] == "local"
    for words in (["node", "use", "teem"], ["node", "remove", "teem"], ["node", "info", "teem"]):
        run = invoke(*words, "--json")
        assert (run.status, run.error["code"]) == (4, "no_such_node")
        assert run.error["hint"] == "did you mean team?"
    assert twin("node", "remove", "team", "--dry-run")["name"] == "team"
    twin("node", "use", "team")
    run = invoke("node", "remove", "team")
    assert run.status == 0
    assert "commands without --node still use team" in run.stderr
    twin("node", "use", "local")
    assert twin("node", "list")["networks"] == []
    assert invoke("node", "remove", node.url).status == 4
    assert twin("node", "add", "dry", node.url, "--dry-run")["created"] is True
    assert twin("node", "list")["networks"] == []


def test_a_file_in_use_is_the_same_from_everywhere(
    twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin("keys", "new", "k", "--no-passphrase")
    monkeypatch.chdir(tmp_path)
    assert twin("node", "use", "file:shop")["value"] == f"file:{tmp_path / 'shop'}"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    twin("asset", "create", "crate")
    assert (tmp_path / "shop" / "ledger.db").exists()


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        ("node add team ftp://x", 2, "bad_url"),
        ("node add local http://x", 2, "bad_name"),
        ("node add a/b http://x", 2, "bad_name"),
        ("node add team http://user:secret@x", 2, "bad_url"),
        ("node add team", 2, "usage"),
        ("node add team http://x --header-file /none", 9, "bad_headers"),
        ("node info", 2, "usage"),
        ("node info local", 2, "usage"),
        ("asset list --node 127.0.0.1:9984", 4, "no_such_node"),
        ("asset list --node http://127.0.0.1:1", 8, "unreachable"),
        ("push", 2, "usage"),
        ("pull", 2, "usage"),
        ("ledger import --id x", 2, "usage"),
    ],
)
def test_what_is_refused(words: str, status: int, code: str, twin: Twin, invoke: Invoke) -> None:
    twin("config", "show")
    run = invoke(*words.split(), "--json")
    assert (run.status, run.error["code"]) == (status, code)
    assert "secret" not in run.stderr


def test_how_the_nodes_are(twin: Twin, invoke: Invoke, node: FakeNode, real_node: str) -> None:
    twin("node", "add", "team", node.url, real_node, "http://127.0.0.1:1")
    document = twin("node", "info", "team")
    assert document["schema"] == "twin.node-info/1"
    plain, ours, gone = document["nodes"]
    assert (plain["reachable"], plain["version"], plain["ledger"]) == (True, "2.2.2", None)
    assert plain["latency_ms"] > 0
    assert len(ours["ledger"]) == 64
    assert isinstance(ours["height"], int)
    assert (gone["reachable"], gone["error"]) == (False, "connection refused")
    assert invoke("node", "info", "http://127.0.0.1:1", "--json").status == 8
    assert "NO" in invoke("node", "info", "team").stdout
    node.answers["/"] = lambda _: (200, {"software": 1, "twin": {"ledger": "x", "height": "y"}})
    odd = twin("node", "info", node.url)["nodes"][0]
    assert (odd["reachable"], odd["software"], odd["ledger"], odd["height"]) == (True,) + (
        None,
    ) * 3


def test_headers_come_from_a_private_file(
    twin: Twin, invoke: Invoke, node: FakeNode, tmp_path: Path
) -> None:
    path = tmp_path / "headers"
    path.write_text("app_key: s3cret\n")
    path.chmod(0o600)
    twin("node", "add", "team", node.url, "--header-file", str(path))
    twin("asset", "create", "car", "--node", "team")
    assert node.headers["app_key"] == "s3cret"
    twin("node", "info", "team")
    assert node.headers["app_key"] == "s3cret"
    path.chmod(0o644)
    run = invoke("asset", "show", "car", "--node", "team", "--json")
    assert (run.status, run.error["code"]) == (9, "insecure_permissions")
    assert "s3cret" not in (tmp_path / "home" / "nodes.json").read_text()


# --- How it stands -----------------------------------------------------------------------------


def test_status_tells_how_the_network_is(
    twin: Twin, invoke: Invoke, real_node: str, home: Path
) -> None:
    assert twin("status")["network"] is None
    twin("node", "add", "base", real_node)
    twin("node", "use", "base")
    twin("asset", "create", "car", "--node", "local")
    found = twin("status")["network"]
    assert (found["name"], found["urls"], found["reachable"]) == ("base", [real_node], True)
    assert (found["software"], found["version"], found["error"]) == ("BigchainDB", "2.2.2", None)
    assert isinstance(found["height"], int)
    assert len(found["ledger"]) == 64
    assert (found["copies"], found["unpushed"]) == ([], 1)
    assert twin("status", "--node", "local")["network"] is None
    twin("push")
    found = twin("status")["network"]
    assert found["unpushed"] == 0
    ((place,),) = [[it for it in (home / "networks").iterdir() if it.is_dir()]]
    assert found["copies"] == [{"path": str(place), "transactions": 1}]
    rows = dict(line.split("\t") for line in invoke("status").stdout.splitlines())
    assert rows["network"].startswith("base: BigchainDB 2.2.2, height ")
    assert rows["network"].endswith(", 0 to push")
    # What it is known by does not depend on how it is reached.
    other = real_node.replace("127.0.0.1", "localhost")
    assert twin("status", "--node", other)["network"]["unpushed"] == 0


def test_status_of_a_network_that_is_not_reached(
    twin: Twin, invoke: Invoke, tmp_path: Path
) -> None:
    twin("asset", "create", "car")
    with Ledger.open(str(tmp_path / "far")) as ledger, serving(ledger, states=ledger.id) as gone:
        twin("push", "--node", gone.url)
        twin("asset", "append", "car", "--n", "1")
    run = invoke("status", "--node", gone.url)
    assert run.status == 0
    assert f"{gone.url} cannot be reached: connection refused" in run.stderr
    assert "unreachable" in run.stdout
    found = twin("status", "--node", gone.url)["network"]
    assert (found["reachable"], found["error"]) == (False, "connection refused")
    assert (found["version"], found["ledger"], found["height"]) == (None, None, None)
    assert found["unpushed"] == 1
    assert found["copies"][0]["transactions"] == 1
    never = twin("status", "--node", "http://127.0.0.1:1")["network"]
    assert (never["unpushed"], never["copies"]) == (2, [])
    wrong = twin("status", "--node", "nowhere")["network"]
    assert (wrong["reachable"], wrong["urls"]) == (False, [])
    assert "there is no network 'nowhere'" in wrong["error"]
    assert "node list" in wrong["hint"]


def test_status_of_a_node_that_serves_this_ledger(twin: Twin, home: Path) -> None:
    twin("asset", "create", "car")
    with Ledger.open(str(home / "ledger")) as ledger, serving(ledger, states=ledger.id) as same:
        assert twin("status", "--node", same.url)["network"]["unpushed"] == 0


def doctors(invoke: Invoke, *words: str, status: int = 0) -> dict[str, Any]:
    run = invoke("doctor", *words, "--json")
    assert run.status == status, run.stdout + run.stderr
    return {check["name"]: check for check in run.json["checks"]}


def test_doctor_asks_the_network(
    twin: Twin, invoke: Invoke, node: FakeNode, real_node: str, home: Path
) -> None:
    twin("asset", "create", "car")
    twin("push", "--node", real_node)
    for words in ([], ["--full"]):
        found = doctors(invoke, *words, "--node", real_node)
        told = found[f"node {real_node}"]
        assert told["ok"] is True
        assert told["message"].startswith("BigchainDB 2.2.2, ledger ")
        assert found["copy"]["ok"] is True
        assert found["ledger"]["message"].startswith(str(home / "ledger"))
    found = doctors(invoke, "--node", f"{real_node},{node.url}", status=3)
    assert "do not serve one ledger" in found["network"]["message"]
    found = doctors(invoke, "--node", "http://127.0.0.1:1", status=3)
    assert found["node http://127.0.0.1:1"]["message"] == "connection refused"
    assert "running" in found["node http://127.0.0.1:1"]["hint"]
    assert "no network 'x'" in doctors(invoke, "--node", "x", status=3)["network"]["message"]
    node.answers["*"] = lambda _: (401, {"message": "no token", "status": 401})
    assert "no token" in doctors(invoke, "--node", node.url, status=3)["network"]["message"]


def test_doctor_finds_a_damaged_copy_and_a_missing_driver(
    twin: Twin, invoke: Invoke, node: FakeNode, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin("asset", "create", "car", "--node", node.url, "--wheels", "4")
    (place,) = (home / "networks").iterdir()
    connection = sqlite3.connect(place / "ledger.db")
    connection.execute("UPDATE tx SET body = replace(body, ':4', ':5')")
    connection.commit()
    connection.close()
    for words in ([], ["--full"]):
        found = doctors(invoke, *words, "--node", node.url, status=3)["copy"]
        assert found["ok"] is False
        assert found["hint"].endswith(f"rm -r {place}")
    (place / "ledger.db").write_text("a letter\n" * 2000)
    assert doctors(invoke, "--node", node.url, status=3)["copy"]["hint"].endswith(f"rm -r {place}")
    assert twin("status", "--node", node.url)["network"]["copies"] == [
        {"path": str(place), "transactions": None}
    ]
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert doctors(invoke, "--node", node.url, status=3)["bigchaindb-driver"]["ok"] is False


def test_doctor_tells_of_a_token_in_the_open(
    twin: Twin, invoke: Invoke, node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "headers"
    path.write_text("app_key: s3cret\n")
    path.chmod(0o600)
    twin("node", "add", "far", node.url, "--header-file", str(path))
    monkeypatch.setattr("twincli.services.network.networks.is_loopback", lambda _url: False)
    found = doctors(invoke, "--node", "far", status=3)
    assert "unencrypted" in found["headers"]["message"]


@pytest.mark.parametrize(
    "words",
    [
        "keys new bob --no-passphrase",
        "keys list",
        "keys show alice",
        "keys rename alice bob",
        "keys export alice",
        "keys import bob x.pem",
        "keys passwd alice",
        "keys derive alice",
        "keys sign alice x",
        "keys recover bob x",
        "agent start",
        "agent status",
        "agent lock",
        "agent stop",
        "config set key alice",
        "config unset key",
        "config path",
        "backup create -o x.tar",
        "backup restore x.tar",
        "node add x http://x",
        "node use local",
        "node remove x",
        "completion bash",
        "help exit-codes",
    ],
)
def test_a_node_means_nothing_to_keys_and_settings(
    words: str, twin: Twin, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin("keys", "list")
    for line in (["--node", "team", *words.split()], [*words.split(), "--node", "http://x"]):
        run = invoke(*line, "--json")
        assert (run.status, run.error["code"]) == (2, "usage")
        assert run.error["message"] == "--node does not apply here"
    if words in {"keys list", "keys show alice", "agent status", "config path", "node use local"}:
        monkeypatch.setenv("TWIN_NODE", "http://127.0.0.1:1")
        assert invoke(*words.split()).status == 0


def test_the_settings_show_a_node_that_is_given(twin: Twin) -> None:
    shown = twin("config", "get", "node", "--node", "http://x")
    assert (shown["value"], shown["source"]) == ("http://x", "--node")


# --- The same commands -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "ours"])
def test_the_story_of_a_car(
    kind: str, twin: Twin, invoke: Invoke, node: FakeNode, real_node: str
) -> None:
    url = node.url if kind == "plain" else real_node

    def on(*words: str, **more: Any) -> Any:
        return twin(*words, "--node", url, **more)

    bob = twin("keys", "new", "bob", "--no-passphrase")["public_key"]
    made = on("asset", "create", "car", "--owner", "alice", "--wheels", "4")
    assert made["created"] is True
    assert made["height"] >= 1
    assert (made["committed_at"] is None) == (kind == "plain")
    part = on("asset", "create", "gps", "--owner", "alice", "--parent", "car")
    first = on("asset", "append", "car", "--mileage", "1200", "--place.lat", "1.5")
    assert first["height"] > made["height"]
    on("asset", "append", "car", "--place.lon", "2.5", "--once", "t")
    again = on("asset", "append", "car", "--place.lon", "2.5", "--once", "t")
    assert again["state"] == {"mileage": 1200, "place": {"lat": 1.5, "lon": 2.5}}
    assert on("asset", "show", "car")["transaction_id"] == again["transaction_id"]
    history = on("history", "car")["transactions"]
    assert [item["height"] for item in history] == sorted(item["height"] for item in history)
    assert len(history) == 3
    assert all((item["committed_at"] is None) == (kind == "plain") for item in history)
    assert {item["name"] for item in on("asset", "list")["assets"]} == {"car", "gps"}
    assert on("asset", "list", "--kind", "asset")["assets"] != []
    assert on("tx", "show", again["transaction_id"])["height"] == again["height"]
    assert on("tx", "validate", again["transaction_id"])["valid"] is True
    (root, _) = on("asset", "tree")["roots"]
    tree = {node["name"]: node for node in root["children"]}
    assert tree["car"]["children"][0]["standing"] == "authorised"
    assert (on("did", "show", "car")["created"] is None) == (kind == "plain")
    assert on("did", "resolve", made["did"])["didDocument"]["id"] == made["did"]
    moved = on("asset", "transfer", "car", "--to", "bob", "--children", "move")
    assert moved["owners"] == [bob]
    assert on("asset", "show", "gps")["owners"] == [bob]
    assert on("asset", "burn", "gps", "--yes")["burned"] is True
    lines = "".join(f'{{"n": {number}}}\n' for number in range(5))
    assert on("asset", "append", "car", "--jsonl", "-", stdin=lines)["count"] == 5
    assert on("asset", "show", "car")["state"]["n"] == 4
    assert len(on("asset", "outputs", "car")["outputs"]) == 9
    assert on("asset", "outputs", "--owner", "bob", "--unspent")["outputs"] != []
    carol = twin("keys", "new", "carol", "--no-passphrase")["public_key"]
    on("keys", "rotate", "bob", "--to", "carol")
    assert on("asset", "show", "car")["owners"] == [carol]
    for form in ("table", "graph", "dot"):
        shown = invoke("history", "car", "--node", url, "--format", form, tty=form == "table")
        assert shown.status == 0
        assert "None" not in shown.stdout
        assert re.search(r"20\d\d-\d\d-\d\d", shown.stdout)
    assert "None" not in invoke("asset", "show", "car", "--node", url, tty=True).stdout
    # Names hold on the ledger that they were given on.
    assert invoke("asset", "show", "car").status == 4
    assert twin("asset", "create", "car")["id"] != made["id"]
    assert part["name"] == "gps"


@pytest.mark.parametrize(
    "words",
    [
        "asset list --all",
        "history car --since 2024-01-01 --by recorded",
        "history car --until 2024-01-01 --by recorded",
        "asset show car --as-of 2024-01-01",
        "ledger info",
        "ledger reindex",
        "ledger upgrade",
    ],
)
def test_what_a_network_cannot_do(words: str, twin: Twin, invoke: Invoke, node: FakeNode) -> None:
    twin("asset", "create", "car", "--node", node.url)
    run = invoke(*words.split(), "--node", node.url, "--json")
    assert (run.status, run.error["code"]) == (2, "not_supported")
    assert run.error["hint"]


def test_a_write_that_is_not_waited_for(twin: Twin, node: FakeNode) -> None:
    waits = ("--node", node.url, "--wait", "async")
    twin("asset", "create", "car", "--node", node.url, "--wheels", "4")
    # As on a network that takes its time: what was sent is not shown yet.
    held = [*node.ledger.transactions(next(node.ledger.asset_ids()))]
    node.answers[f"{API}/transactions"] = lambda _: (200, held)
    sent = twin("asset", "append", "car", "--mileage", "5", *waits)
    assert (sent["height"], sent["state"], sent["written"]) == (
        None,
        {"mileage": 5},
        {"mileage": 5},
    )
    assert len(sent["transaction_id"]) == 64
    assert len(sent["signed_by"]) == 1
    node.answers = {
        f"{API}/transactions": lambda _: (200, []),
        f"{API}/transactions/*": lambda _: (404, {}),
    }
    made = twin("asset", "create", "box", "--sides", "6", *waits)
    assert made["created"] is True
    assert made["id"] == made["transaction_id"]
    assert (made["height"], made["data"]) == (None, {"sides": 6})
    node.answers.clear()
    assert twin("asset", "show", "box", "--node", node.url)["height"] == 3
    assert twin("asset", "append", "box", "--n", "1", *waits)["height"] == 4, "it was there at once"


def test_a_dry_run_sends_nothing(twin: Twin, node: FakeNode) -> None:
    made = twin("asset", "create", "car", "--node", node.url, "--dry-run")
    assert made["id"] is None
    assert not any(line.startswith("POST") for line in node.asked)


def test_nobody_waits_longer_than_asked(twin: Twin, invoke: Invoke, node: FakeNode) -> None:
    twin("config", "show")
    node.silent = True
    # The node holds a request for ten seconds; who still waited then would get another answer.
    run = invoke("asset", "list", "--node", node.url, "--timeout", "0.2", "--json")
    assert (run.status, run.error["code"], run.error["retryable"]) == (8, "timeout", True)
    assert not node.released.is_set()


def test_the_demo_on_a_network(invoke: Invoke, real_node: str, tmp_path: Path) -> None:
    run = invoke("demo", "--node", real_node)
    assert run.status == 0
    assert f"export TWIN_NODE={real_node}" in run.stdout
    kept = invoke("demo", "--node", real_node, "--keep", "--home", str(tmp_path / "kept"), "--json")
    assert kept.json["verified"] == {"transactions": 6, "problems": []}
    assert invoke("asset", "show", "car", "--home", str(tmp_path / "kept")).status == 0
    assert invoke("demo", "--node", "file:x").status == 2


# --- Push, pull, import ------------------------------------------------------------------------


def test_a_device_that_is_sometimes_offline(
    twin: Twin, invoke: Invoke, home: Path, tmp_path: Path
) -> None:
    with Ledger.open(str(tmp_path / "far")) as ledger:
        with serving(ledger) as gone:
            twin("node", "add", "base", gone.url)
        twin("asset", "create", "box")
        for number in range(3):
            twin("asset", "append", "box", "--n", str(number))
            run = invoke("push", "--node", "base", "--timeout", "0.5", "--json")
            assert (run.status, run.error["retryable"]) == (8, True)
        assert twin("status")["unpushed"] == []
        with serving(ledger) as back:
            profiles = home / "nodes.json"
            profiles.write_text(profiles.read_text().replace(gone.url, back.url))
            assert twin("push", "--node", "base")["transactions"] == 4
            twin("asset", "append", "box", "--n", "3")
            (left,) = twin("status")["unpushed"]
            assert (left["node"], left["transactions"]) == ("base", 1)
            assert "1 to base" in invoke("status").stdout
            assert twin("push", "box", "--node", "base")["transactions"] == 1
            assert twin("status")["unpushed"][0]["transactions"] == 0
            assert "sent 0 transactions" in invoke("push", "--node", "base").stderr
            assert twin("asset", "show", "box", "--node", "base")["state"] == {"n": 3}
            # Somebody else goes on, and it comes back.
            twin("asset", "append", "box", "--n", "4", "--node", "base")
            assert twin("pull", "--node", "base")["transactions"] == 1
            assert twin("status")["unpushed"][0]["transactions"] == 0
            assert twin("asset", "show", "box")["state"] == {"n": 4}


def test_a_network_is_one_however_it_is_reached(
    twin: Twin, home: Path, real_node: str, node: FakeNode
) -> None:
    localhost = real_node.replace("127.0.0.1", "localhost")
    twin("node", "add", "base", real_node)
    twin("asset", "create", "box")
    for name in (real_node, localhost, "base", f"{localhost},{real_node}"):
        twin("push", "--node", name)
        (mark,) = twin("status")["unpushed"]
        assert (mark["node"], mark["transactions"]) == (name, 0)
    twin("asset", "append", "box", "--n", "1")
    twin("push", "--node", node.url)
    assert [(it["node"], it["transactions"]) for it in twin("status")["unpushed"]] == sorted(
        [(f"{localhost},{real_node}", 1), (node.url, 0)]
    )
    (home / "networks" / "pushed.json").write_text('{"x": {"transactions": 1}}')
    assert twin("status")["unpushed"] == []


def test_a_node_that_serves_this_ledger_is_no_place_to_push_to(twin: Twin, home: Path) -> None:
    twin("asset", "create", "box")
    with Ledger.open(str(home / "ledger")) as ledger, serving(ledger, states=ledger.id) as same:
        assert twin("push", "--node", same.url)["transactions"] == 0
        assert twin("pull", "--node", same.url)["transactions"] == 0
    assert twin("status")["unpushed"] == []


def test_diverged_and_rebased(twin: Twin, invoke: Invoke, node: FakeNode) -> None:
    twin("node", "add", "team", node.url)
    twin("asset", "create", "car")
    twin("push", "--node", "team")
    twin("asset", "append", "car", "--n", "1")
    twin("asset", "append", "car", "--m", "2", "--node", "team")
    run = invoke("push", "--node", "team", "--json")
    assert (run.status, run.error["code"]) == (5, "diverged")
    twin("asset", "create", "box")
    run = invoke("push", "--node", "team")
    assert run.status == 10
    assert "diverged" in run.stdout
    assert "car: the two ledgers diverged" in run.stderr
    assert twin("push", "--node", "team", "--rebase")["assets"][0]["status"] == "rebased"
    assert twin("asset", "show", "car", "--node", "team")["state"] == {"m": 2, "n": 1}
    # From then on nothing is wrong, and the device goes on as before.
    for n in ("3", "4"):
        run = invoke("pull", "--node", "team")
        assert run.status == 0
        assert "1 asset has a branch of its own here" in run.stderr
        assert {item["status"] for item in twin("pull", "--node", "team")["assets"]} == {
            "rebased",
            "up_to_date",
        }
        twin("asset", "append", "car", "--n", n)
        assert twin("status")["unpushed"][0]["transactions"] == 1
        assert twin("pull", "car", "--node", "team")["assets"][0]["status"] == "behind"
        assert twin("push", "--node", "team")["transactions"] == 1
        assert twin("push", "--node", "team")["transactions"] == 0
        assert twin("status")["unpushed"][0]["transactions"] == 0
        assert twin("asset", "show", "car", "--node", "team")["state"] == {"m": 2, "n": int(n)}


def test_pull_makes_a_home(invoke: Invoke, home: Path, node: FakeNode, tmp_path: Path) -> None:
    other = ("--home", str(tmp_path / "other"))
    garage(lambda *words, **more: invoke(*words, *other, **more))
    assert invoke("push", "--node", node.url, *other).status == 0
    car = json.loads(invoke("asset", "show", "car", "--json", *other).stdout)
    assert not home.exists()
    dry = invoke("pull", car["id"], "--node", node.url, "--dry-run", "--json")
    assert (dry.status, dry.json["transactions"]) == (0, 4)
    assert not (home / "ledger").exists()
    assert invoke("pull", car["id"], "--node", node.url).status == 0
    twin = quietly(invoke)
    assert twin("asset", "show", car["id"])["state"] == car["state"]
    assert twin("doctor", "--full")["ok"] is True
    found = twin("ledger", "import", "--search", "clips", "--node", node.url)
    assert found["schema"] == "twin.import/1"
    assert found["transactions"] == 3
    again = twin("ledger", "import", "--id", car["transaction_id"], "--node", node.url)
    assert again["assets"][0]["status"] == "up_to_date"
    key = car["owners"][0]
    owned = twin("ledger", "import", "--owner", key, "--node", node.url)
    assert len(owned["assets"]) == 2
    run = invoke("ledger", "import", "--node", node.url, "--json")
    assert (run.status, run.error["code"]) == (2, "usage")


def test_push_to_a_file(twin: Twin, tmp_path: Path) -> None:
    twin("asset", "create", "car")
    stick = f"file:{tmp_path / 'stick' / 'ledger.db'}"
    assert twin("push", "--node", stick, "--dry-run")["transactions"] == 1
    assert not (tmp_path / "stick").exists()
    assert twin("push", "--node", stick)["transactions"] == 1
    assert twin("asset", "show", "car", "--node", stick)["name"] == "car"
    assert twin("push", "--node", stick)["transactions"] == 0


def test_a_lying_node_is_exit_3(twin: Twin, invoke: Invoke, node: FakeNode, home: Path) -> None:
    made = twin("asset", "create", "car", "--node", node.url)
    twin("asset", "append", "car", "--n", "1", "--node", node.url)
    node.answers[f"{API}/transactions"] = lambda answer: (
        200,
        [tx | {"metadata": {"n": 9}} for tx in answer[1]],
    )
    other = ("--home", str(home.parent / "other"))
    for words in (["pull", made["id"]], ["ledger", "import", "--id", made["id"]]):
        run = invoke(*words, "--node", node.url, "--json", *other)
        assert (run.status, run.error["code"]) == (3, "altered_transaction")
        assert run.error["hint"]


@pytest.mark.parametrize("damage", ["schema", "body", "letter"])
def test_a_damaged_copy_is_removed_and_fetched_again(
    damage: str, twin: Twin, invoke: Invoke, node: FakeNode, home: Path
) -> None:
    twin("asset", "create", "car", "--node", node.url)
    twin("asset", "append", "car", "--n", "1", "--node", node.url)
    (place,) = (home / "networks").iterdir()
    if damage == "letter":
        (place / "ledger.db").write_text("a letter\n" * 2000)
    else:
        connection = sqlite3.connect(place / "ledger.db")
        connection.execute(
            "UPDATE tx SET body = 'x'" if damage == "body" else "PRAGMA user_version = 0"
        )
        connection.commit()
        connection.close()
    for words in (
        ["asset", "show", "car"],
        ["history", "car"],
        ["asset", "append", "car", "--n=2"],
    ):
        run = invoke(*words, "--node", node.url, "--json")
        assert run.status == 9
        assert "the copy of this network cannot be used" in run.error["message"]
        assert run.error["hint"].endswith(f"rm -r {place}")
        assert "backup" not in run.error["hint"]
    shutil.rmtree(place)
    assert twin("asset", "show", "car", "--node", node.url)["state"] == {"n": 1}


def test_backups_hold_the_networks(twin: Twin, node: FakeNode, tmp_path: Path) -> None:
    twin("node", "add", "team", node.url)
    twin("node", "use", "team")
    made = twin("asset", "create", "car")
    document = twin("backup", "create", "-o", str(tmp_path / "b.tar"))
    assert any(name.startswith("networks/") for name in document["left_out"])
    other = str(tmp_path / "other")
    twin("backup", "restore", str(tmp_path / "b.tar"), "--home", other, "--yes")
    assert twin("asset", "show", "car", "--home", other)["id"] == made["id"]


def test_killed_at_random_points_push_loses_and_doubles_nothing(
    twin: Twin, home: Path, real_node: str
) -> None:
    ids = [twin("asset", "create", name)["id"] for name in ("a", "b")]
    lines = "".join(f'{{"n": {number}}}\n' for number in range(150))
    for name in ("a", "b"):
        twin("asset", "append", name, "--jsonl", "-", stdin=lines)
    command = [sys.executable, "-m", "twincli", "push", "--node", real_node, "--json"]
    environment = {"TWIN_HOME": str(home), "PATH": os.environ["PATH"]}
    chance = random.Random(11)
    for _ in range(6):
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5 + chance.random() * 0.5)
            process.kill()
    done = subprocess.run(command, env=environment, check=True, capture_output=True)
    assert json.loads(done.stdout)["failed"] == 0
    assert twin("push", "--node", real_node)["transactions"] == 0
    for asset_id in ids:
        here = twin("history", asset_id)["transactions"]
        there = twin("history", asset_id, "--node", real_node)["transactions"]
        assert [item["id"] for item in there] == [item["id"] for item in here]
        assert len(here) == 151


@pytest.mark.parametrize("kind", ["plain", "ours"])
def test_a_twin_from_a_template(
    kind: str, twin: Twin, invoke: Invoke, node: FakeNode, real_node: str
) -> None:
    url = node.url if kind == "plain" else real_node
    words = ("--template", "vehicle-tracking-v1", "--owner", "alice", "--node", url)
    first = twin("asset", "create", "van", "--vin", "WDB9630031L123456", *words)
    assert first["template"] == "vehicle-tracking-v1"
    again = invoke("asset", "create", "van2", "--vin", "wdb9630031l123456", *words, "--json")
    if kind == "plain":
        assert again.status == 0, "a BigchainDB network keeps nothing apart"
    else:
        assert (again.status, again.error["code"]) == (5, "duplicate_twin")
        assert again.error["message"].endswith(first["id"])
        assert again.error["hint"] == f"twin asset show {first['id']}"
        assert "van2" not in [
            item["name"] for item in twin("asset", "list", "--node", url)["assets"]
        ]
    run = invoke("asset", "append", "van", "--mileage", "much", "--node", url, "--json")
    assert (run.status, run.error["code"]) == (7, "invalid_value")
    assert twin("asset", "append", "van", "--mileage", "5", "--node", url)["state"]["mileage"] == 5
    named = twin(
        "asset", "create", "W-1", "--template", "manufacturing-product-v2", "--owner", "alice",
        "--productLine", "A", "--batchNumber", "2024-001", "--manufactureDate", "2024-01-15",
        "--facility", "F", "--node", url,
    )  # fmt: skip
    assert named["data"]["assetId"] == "W-1"


# --- What a twin is called -------------------------------------------------------------------


def test_a_twin_is_named_by_its_identifier(
    twin: Twin, invoke: Invoke, node: FakeNode, tmp_path: Path
) -> None:
    held = ("--template", "vehicle-tracking-v1", "--node", node.url)
    mine = twin("asset", "create", "car", "--vin", "W0L000051T2123456", *held)["id"]
    twin("asset", "create", "lorry", "--vin", "OTHER", "--make", "W0L000051T2123456", *held)
    twin("asset", "create", "plain", "--vin", "W0L000051T2123456", "--node", node.url)

    def shown(name: str, *words: str) -> str:
        return invoke("asset", "show", name, "--node", node.url, "--get", "id", *words).stdout

    assert shown("W0L000051T2123456") == shown("w0l000051t2123456") == f"{mine}\n"
    for name in ("W0L0000", '"', "=", "color", "W0L000051T2123456 x"):
        assert shown(name) == ""
    # What strangers call so is not meant, until one of them has a name here.
    other = ("--home", str(tmp_path / "other"))
    key = twin("keys", "show", "alice")["public_key"]
    invoke("keys", "new", "bob", "--no-passphrase", *other)
    assert shown("W0L000051T2123456", *other) == ""
    assert invoke("name", "set", "alice", key, *other).status == 0
    assert shown("W0L000051T2123456", *other) == f"{mine}\n"
