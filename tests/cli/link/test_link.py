"""``twin link``: links between assets, said by their owners."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Invoke
from twincli.services import documents


@pytest.fixture
def car(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    for name in ("alice", "dev7"):
        assert invoke("keys", "new", name).status == 0
    assert invoke("asset", "create", "car", "--owner", "alice").status == 0
    assert invoke("asset", "create", "box", "--owner", "dev7", "--key", "dev7").status == 0
    return invoke


def links(run: Invoke, ref: str = "car") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run("link", "list", ref, "--all", "--json").json["links"]
    assert all(item.keys() == documents.LinkItem.__required_keys__ for item in found)
    return found


def standing(run: Invoke) -> tuple[str, str]:
    shown = run("grant", "show", "car", "dev7", "--effective", "--json").json["speakers"]
    return shown[-1]["standing"], shown[-1]["why"]


@pytest.mark.parametrize("verb", ["part", "stream"])
def test_a_link_lets_its_holder_speak_until_it_is_removed(car: Invoke, verb: str) -> None:
    assert standing(car) == ("unauthorised", "stranger")
    made = car("link", "add", "car", verb, "box", "--json").json
    assert (made["kind"], made["body"]["verb"]) == ("link", verb)
    assert standing(car) == ("authorised", "link")
    item = links(car)[0]
    assert (item["id"], item["target_name"]) == (made["transaction_id"], "box")
    assert (item["verb"], item["owner"], item["state"]) == (verb, "dev7", "active")
    again = car("link", "add", "car", verb, "box", "--json")
    assert (again.status, again.error["code"]) == (5, "exists")
    assert car("link", "remove", "car", verb, "box").status == 0
    assert standing(car) == ("revoked", "revoked")
    assert links(car)[0]["state"] == "revoked"
    gone = car("link", "remove", "car", verb, "box", "--json")
    assert (gone.status, gone.error["code"]) == (4, "not_found")
    assert car("link", "add", "car", verb, "box").status == 0
    assert standing(car) == ("authorised", "link")


def test_a_part_that_the_owner_signed_is_linked(car: Invoke) -> None:
    car("asset", "create", "gps", "--owner", "dev7", "--parent", "car", "--key", "alice")
    assert [(item["target_name"], item["verb"]) for item in links(car)] == [("gps", "part")]
    assert car("link", "remove", "car", "part", "gps").status == 0
    assert [item["state"] for item in links(car)] == ["revoked"]


def test_a_new_owner_links_again(car: Invoke) -> None:
    car("link", "add", "car", "stream", "box")
    car("keys", "new", "bob")
    car("asset", "transfer", "car", "--to", "bob")
    assert [item["state"] for item in links(car)] == ["expired"]
    assert car("link", "add", "car", "stream", "box").status == 0
    assert [item["state"] for item in links(car)] == ["expired", "active"]


@pytest.mark.parametrize(
    ("args", "status", "code"),
    [
        (("car", "likes", "box"), 2, "usage"),
        (("car", "replace", "box"), 2, "usage"),
        (("car",), 2, "usage"),
        ((), 2, "usage"),
        (("car", "part", "car"), 2, "usage"),
        (("car", "part", "moon"), 4, "not_found"),
        (("car", "part"), 2, "usage"),
        (("car", "part", "box", "--key", "nobody"), 6, "no_key"),
        (("car", "part", "box", "--bare"), 2, "usage"),
    ],
)
def test_what_cannot_be_linked(car: Invoke, args: tuple[str, ...], status: int, code: str) -> None:
    car("keys", "new", "nobody")
    failed = car("link", "add", *args, "--json")
    assert (failed.status, failed.error["code"]) == (status, code)
    assert links(car) == []


def test_a_token_links_once(car: Invoke) -> None:
    first, second = (
        car("link", "add", "car", "part", "box", "--once", "a", "--json").json for _ in range(2)
    )
    assert first["transaction_id"] == second["transaction_id"]


def says(run: Invoke, ref: str, *args: str) -> list[tuple[str, str, str, str]]:
    listed = run("link", "list", ref, *args, "--json").json["links"]
    return [
        (
            item["direction"],
            f"{item['source_name']} {item['verb']} {item['target_name']}",
            item["state"],
            item["said_by"],
        )
        for item in listed
    ]


def test_a_link_is_seen_from_both_ends(car: Invoke) -> None:
    assert car("asset", "create", "old", "--owner", "alice").status == 0
    assert car("link", "add", "car", "replaces", "old").status == 0
    assert says(car, "car") == [("outgoing", "car replaces old", "active", "both")]
    assert says(car, "old") == [("incoming", "car replaces old", "active", "both")]
    assert car("link", "remove", "car", "replaces", "old").status == 0
    assert says(car, "old") == []
    assert says(car, "old", "--all") == [("incoming", "car replaces old", "revoked", "both")]
    assert "replaces" not in car("link", "list", "old").stdout
    assert car("link", "add", "car", "replaces", "old").status == 0
    assert [state for _, _, state, _ in says(car, "old", "--all")] == ["revoked", "active"]


def test_the_other_side_confirms(car: Invoke) -> None:
    made = car("link", "add", "car", "is_variant_of", "box", "--key", "alice", "--json")
    (warning,) = made.json["warnings"]
    assert "the owner of box, dev7, can do it" in warning
    assert warning.endswith(": twin link add car is_variant_of box --key dev7")
    assert says(car, "box") == [("incoming", "car is_variant_of box", "active", "source")]
    assert "active, not confirmed" in car("link", "list", "box").stdout
    again = car("link", "add", "car", "is_variant_of", "box", "--key", "alice", "--json")
    assert (again.status, again.error["code"]) == (5, "exists")
    confirm = ("link", "add", "car", "is_variant_of", "box", "--key", "dev7", "--json")
    confirmed = car(*confirm).json
    assert (confirmed["asset_name"], set(confirmed["body"])) == ("box", {"verb", "from"})
    assert says(car, "car") == [("outgoing", "car is_variant_of box", "active", "both")]
    assert car(*confirm).error["code"] == "exists"
    removed = car("link", "remove", "car", "is_variant_of", "box", "--key", "dev7", "--json").json
    assert removed["body"] == {"grant": confirmed["transaction_id"]}
    assert says(car, "car") == [("outgoing", "car is_variant_of box", "active", "source")]
    gone = car("link", "remove", "car", "is_variant_of", "box", "--key", "dev7", "--json")
    assert (gone.status, gone.error["code"]) == (4, "not_found")


def test_the_other_side_proposes(car: Invoke) -> None:
    made = car("link", "add", "car", "part", "box", "--key", "dev7", "--json").json
    (warning,) = made["warnings"]
    assert "the owner of car, alice, can do it" in warning
    assert warning.endswith(": twin link add car part box --key alice")
    assert says(car, "car") == [("outgoing", "car part box", "proposed", "target")]
    assert standing(car) == ("unauthorised", "stranger")
    assert car("link", "add", "car", "part", "box", "--key", "alice").status == 0
    assert says(car, "car") == [("outgoing", "car part box", "active", "both")]
    assert standing(car) == ("authorised", "link")


def test_a_parent_that_did_not_agree(car: Invoke) -> None:
    car("asset", "create", "gps", "--owner", "dev7", "--parent", "car", "--key", "dev7", "--yes")
    assert says(car, "car") == [("outgoing", "car part gps", "proposed", "target")]
    assert says(car, "gps") == [("incoming", "car part gps", "proposed", "target")]
    assert car("link", "add", "car", "part", "gps", "--key", "alice").status == 0
    assert says(car, "gps") == [("incoming", "car part gps", "active", "both")]


def test_whom_the_owner_allowed_links_and_gives_no_power(car: Invoke) -> None:
    car("keys", "new", "garage")
    car("asset", "create", "old", "--owner", "dev7", "--key", "dev7")
    refused = car("link", "add", "car", "replaces", "old", "--key", "garage", "--json")
    assert (refused.status, refused.error["code"]) == (6, "no_key")
    car("grant", "add", "car", "--to", "garage", "--scope", "link", "--key", "alice")
    made = car("link", "add", "car", "replaces", "old", "--key", "garage", "--json").json
    assert (made["form"], made["standing"]) == ("statement", "authorised")
    assert says(car, "old") == [("incoming", "car replaces old", "active", "source")]
    assert car("link", "add", "car", "part", "old", "--key", "garage").status == 6
    assert car("link", "remove", "car", "replaces", "old", "--key", "alice").status == 0
    assert says(car, "old") == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("a", "is_variant_of", "b"), ("b", "is_variant_of", "a")),
        (("a", "part", "b"), ("b", "part", "a")),
        (("a", "is_component_of", "b"), ("b", "is_component_of", "a")),
        (("a", "part", "b"), ("a", "is_component_of", "b")),
        (("b", "is_component_of", "a"), ("a", "is_component_of", "b")),
        (("a", "stream", "b"), ("b", "part", "a")),
    ],
)
def test_circles(car: Invoke, first: tuple[str, ...], second: tuple[str, ...]) -> None:
    for name in ("a", "b", "c"):
        car("asset", "create", name, "--owner", "alice", "--key", "alice")
    assert car("link", "add", *first).status == 0
    failed = car("link", "add", *second, "--json")
    assert (failed.status, failed.error["code"]) == (5, "circle")
    assert car("link", "remove", *first).status == 0
    assert car("link", "add", *second).status == 0


def test_a_long_circle_and_links_that_only_look_like_one(car: Invoke) -> None:
    for name in ("a", "b", "c"):
        car("asset", "create", name, "--owner", "alice", "--key", "alice")
    assert car("link", "add", "a", "replaces", "b").status == 0
    assert car("link", "add", "b", "replaces", "c").status == 0
    assert car("link", "add", "a", "replaces", "c").status == 0
    assert car("link", "add", "c", "is_variant_of", "a").status == 0
    assert car("link", "add", "c", "replaces", "a", "--json").error["code"] == "circle"


def test_an_end_that_is_gone(car: Invoke) -> None:
    car("asset", "create", "old", "--owner", "alice")
    car("link", "add", "car", "replaces", "old")
    car("asset", "burn", "old", "--yes")
    item = links(car)[0]
    assert (item["end"], item["state"]) == ("burned", "active")
    assert "other end burned" in car("link", "list", "car").stdout


def test_many_links(car: Invoke, tmp_path: Path) -> None:
    for name in ("line", "old"):
        car("asset", "create", name, "--owner", "alice", "--key", "alice")
    seed = [
        {"type": "parent_child", "parent": "line", "child": "car", "relationship": "is_variant_of"},
        {"type": "dependency", "source": "old", "target": "line", "relationship": "part"},
        {
            "type": "succession",
            "predecessor": "old",
            "successor": "car",
            "relationship": "replaces",
        },
        {"from": "car", "verb": "part", "to": "box"},
    ]
    file = tmp_path / "links.json"
    file.write_text(json.dumps(seed))
    tried = car("link", "add", "--data", f"@{file}", "--dry-run", "--json").json
    assert [item["transaction_id"] for item in tried["links"]] == [None] * 4
    made = car("link", "add", "--data", f"@{file}", "--key", "alice", "--json").json
    assert made.keys() == documents.AddedLinks.__required_keys__
    assert (made["count"], made["existing"]) == (4, 0)
    assert len(made["warnings"]) == 1
    again = car("link", "add", "--data", f"@{file}", "--key", "alice", "--json").json
    assert (again["count"], again["existing"]) == (0, 4)
    assert [text for _, text, _, _ in says(car, "car")] == [
        "car is_variant_of line",
        "car replaces old",
        "car part box",
    ]


def test_many_links_of_which_one_fails(car: Invoke) -> None:
    def add(*items: dict[str, str], more: tuple[str, ...] = ()) -> Any:
        return car("link", "add", "--data", json.dumps(items), *more, "--json")

    good = {"from": "car", "verb": "replaces", "to": "box"}
    circle = {"from": "box", "verb": "replaces", "to": "car"}
    unknown = {"from": "box", "verb": "replaces", "to": "moon"}
    assert (add(good, unknown).status, add(good, unknown).error["code"]) == (4, "not_found")
    assert links(car) == []
    partly = add(good, circle)
    assert (partly.status, partly.error["code"]) == (10, "partial")
    assert "1 of 2 links were written, then: relationship 2:" in partly.error["message"]
    assert add(circle).error["code"] == "circle"
    for option in (("--once", "a"), ("--if-tip", "a" * 64), ("--prepare", "x.tx")):
        assert add(good, more=option).status == 2
    assert car("link", "add", "car", "--data", "[]").status == 2
    assert car("link", "add", "--data", "[]", "--json").error["code"] == "invalid_relationship"
    assert car("link", "add", "--data", "@none.json", "--json").error["code"] == "no_file"


def test_a_graph(car: Invoke) -> None:
    for name in ("a", "b", "c"):
        car("asset", "create", name, "--owner", "alice", "--key", "alice")
    car("link", "add", "a", "is_component_of", "car")
    car("link", "add", "b", "is_component_of", "a")
    car("link", "add", "car", "replaces", "c")
    car("link", "add", "box", "is_variant_of", "car", "--key", "dev7")
    run = car("link", "graph", "car", "--json")
    made = run.json
    assert made.keys() == documents.LinkGraph.__required_keys__
    assert all(node.keys() == documents.GraphNode.__required_keys__ for node in made["nodes"])
    assert all(link.keys() == documents.GraphLink.__required_keys__ for link in made["links"])
    assert [node["name"] for node in made["nodes"]] == ["car", "a", "c", "box", "b"]
    assert [node["depth"] for node in made["nodes"]] == [0, 1, 1, 1, 2]
    assert not any(node["cut"] or node["end"] != "present" for node in made["nodes"])
    assert [link["confirmed"] for link in made["links"]] == [True, True, False, True]
    short = car("link", "graph", "car", "--depth", "1", "--json").json
    assert [node["cut"] for node in short["nodes"]] == [False, True, True, True]
    assert car("link", "graph", "b").stdout.splitlines() == [
        "b",
        "+-- is_component_of -> a",
        "|   +-- is_component_of -> car",
        "|   |   +-- replaces -> c (depth ends here)",
        "|   |   +-- <- is_variant_of box (not confirmed, depth ends here)",
    ]
    assert car("link", "graph", "b", "--format", "dot").stdout.startswith("digraph")
    assert car("link", "graph", "b", "--format", "mermaid").stdout.startswith("flowchart")
    assert json.loads(car("link", "graph", "car", "--format", "json").stdout) == made
    assert car("link", "graph", "car", "--format", "svg").status == 2
    for depth in ("0", "101", "-1", "x"):
        assert car("link", "graph", "car", "--depth", depth).status == 2
