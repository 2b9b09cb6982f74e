"""Drawing the tree of ownership."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.services.rooms import opened
from twincli.client.embedded import EmbeddedClient
from twincli.ledger import rows
from twincli.services import resolve
from twincli.services.asset import tree as drawing
from twincli.services.asset.create import Definition, create
from twincli.services.asset.transfer import transfer
from twincli.services.asset.tree import tree
from twincli.services.link import links


def test_parts_over_several_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "PAGE", 3)
    asked = 0

    def held_by(self: EmbeddedClient, keys: list[str], *, ever: bool = False) -> list[str]:
        nonlocal asked
        asked += ever
        return self.ledger.held_by(keys, ever=ever)

    monkeypatch.setattr(EmbeddedClient, "held_by", held_by)
    with opened(tmp_path) as rooms:
        rooms.key("alice")
        workspace = rooms.workspace
        create(workspace, "root", Definition({}))
        for number in range(8):
            create(workspace, f"part{number}", Definition({}, parent="root"))
        create(workspace, "bolt", Definition({}, parent="part2"))
        (root,) = tree(workspace, "root")["roots"]
        assert [part["name"] for part in root["children"]] == [f"part{n}" for n in range(8)]
        assert {part["standing"] for part in root["children"]} == {"authorised"}
        assert [part["name"] for part in root["children"][2]["children"]] == ["bolt"]
        # What the owner says needs no look at what linked things hold.
        assert asked == 0
        (key,) = tree(workspace)["roots"]
        names = [child["name"] for child in key["children"]]
        assert names == ["root", *(f"part{n}" for n in range(8)), "bolt"]
        assert key["children"][3]["seen"]


def test_each_part_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: Counter[str | None] = Counter()

    def counting(body: str, tx_id: str | None = None) -> dict[str, Any]:
        decoded[tx_id] += 1
        return read(body, tx_id)

    read = rows.decoded
    with opened(tmp_path) as rooms:
        rooms.key("alice")
        rooms.key("bob")
        workspace = rooms.using("alice")
        create(workspace, "root", Definition({}, owner="alice"))
        for number in range(30):
            create(workspace, f"part{number}", Definition({}, owner="alice", parent="root"))
        made = [resolve.asset_id_of(workspace, f"part{number}") for number in range(30)]
        transfer(workspace, "part3", to="bob")
        monkeypatch.setattr(rows, "decoded", counting)
        (root,) = tree(workspace, "root")["roots"]
    assert [part["id"] for part in root["children"]] == made
    assert {part["kind"] for part in root["children"]} == {"asset"}
    assert [decoded[one] for one in made if one != made[3]] == [1] * 29


def test_linked_parts(tmp_path: Path) -> None:
    with opened(tmp_path) as rooms:
        for key in ("alice", "bob"):
            rooms.key(key)
        workspace = rooms.workspace
        for name in ("car", "engine", "box", "bolt", "old"):
            create(rooms.using("alice"), name, Definition({}, owner="alice"))
        create(rooms.using("bob"), "trap", Definition({}, owner="bob", parent="car"))
        create(rooms.using("bob"), "gps", Definition({}, owner="bob", parent="car"))
        create(rooms.using("bob"), "ring", Definition({}, owner="bob"))
        links.add(workspace, "engine", "is_component_of", "car")
        links.add(workspace, "car", "part", "box")
        links.add(workspace, "bolt", "is_component_of", "engine")
        links.add(workspace, "car", "replaces", "old")
        links.add(rooms.using("alice"), "car", "part", "gps")
        links.add(rooms.using("bob"), "car", "part", "ring")
        (root,) = tree(workspace, "car")["roots"]
        shown = {node["name"]: node["standing"] for node in root["children"]}
        assert shown == {
            "engine": "authorised",
            "box": "authorised",
            "gps": "authorised",
            "trap": "unauthorised",
            "ring": "unauthorised",
        }
        assert [node["name"] for node in root["children"][0]["children"]] == ["bolt"]
        links.remove(workspace, "car", "part", "box")
        (root,) = tree(workspace, "car")["roots"]
        assert "box" not in {node["name"] for node in root["children"]}
