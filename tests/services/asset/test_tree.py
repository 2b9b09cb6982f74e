"""Drawing the tree of ownership."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.rooms import opened
from twincli.client.embedded import EmbeddedClient
from twincli.services.asset import tree as drawing
from twincli.services.asset.create import Definition, create
from twincli.services.asset.tree import tree


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
