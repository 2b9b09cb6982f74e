"""How often a node is asked: many assets together, nothing twice in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.fakenode import API, HISTORIES, FakeNode, serving
from tests.ledger.chains import create as foreign
from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.client.network import NetworkClient
from twincli.client.nodes import Nodes
from twincli.client.profiles import of_urls
from twincli.errors import NotVerifiedError
from twincli.ledger import Ledger
from twincli.node import histories
from twincli.services.asset import listings
from twincli.services.asset.create import Definition
from twincli.services.network import pull, push

MANY = 60
OURS = "ab" * 32


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        made.key("alice")
        yield made


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[FakeNode], NetworkClient]]:
    """Return what makes a client for one run of a command."""
    clients = []

    def make(node: FakeNode) -> NetworkClient:
        node.asked.clear()
        profile = of_urls([node.url])
        copies = str(tmp_path / "copies")
        nodes = Nodes(profile.urls, {}, 5)
        clients.append(NetworkClient(nodes, copies, profile.network, single_run=True))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def fill(rooms: Rooms) -> list[str]:
    """Make many assets, every second one appended to."""
    made = [
        writes.create(rooms.workspace, f"car{number}", Definition({"number": number}))["id"]
        for number in range(MANY)
    ]
    for number in range(0, MANY, 2):
        writes.append(rooms.workspace, f"car{number}", {"mileage": number})
    return made


Run = Callable[[FakeNode], NetworkClient]


def test_a_node_of_ours_is_asked_for_many_at_once(rooms: Rooms, run: Run, tmp_path: Path) -> None:
    made = fill(rooms)
    with serving(states=OURS) as node:
        client = run(node)
        document = push.push(rooms.workspace, client, (), rebase=False)
        assert document["transactions"] == MANY * 3 // 2
        posts = [asked for asked in node.asked if asked.startswith(f"POST {API}")]
        assert len(posts) == MANY * 3 // 2
        assert len(node.asked) <= 1.1 * len(posts)

        client = run(node)
        assert push.push(rooms.workspace, client, (), rebase=False)["transactions"] == 0
        assert len(node.asked) <= MANY // 10

        (tmp_path / "other").mkdir()
        with opened(tmp_path / "other") as other:
            other.key("alice")
            client = run(node)
            workspace = other.workspace._replace(client=client)
            listed = [item["id"] for item in listings.list_assets(workspace)["assets"]]
            assert sorted(listed) == sorted(made)
            assert len(node.asked) <= MANY // 10
            here = other.workspace.client
            wanted = pull.assets_to_pull(workspace, here, ())
            document = pull.pull(workspace, here, wanted)
            assert document["transactions"] == MANY * 3 // 2
            assert len(node.asked) <= MANY // 10, "pull after list asks nothing twice"
            assert list(other.ledger.asset_ids())


def test_another_node_is_asked_for_nothing_twice(rooms: Rooms, run: Run) -> None:
    fill(rooms)
    with serving() as node:
        client = run(node)
        push.push(rooms.workspace, client, (), rebase=False)
        workspace = rooms.workspace._replace(client=run(node))
        assert len(list(listings.list_assets(workspace)["assets"])) == MANY
        list(listings.list_assets(workspace)["assets"])
        repeated = {asked for asked in node.asked if node.asked.count(asked) > 1}
        assert {asked for asked in repeated if "/outputs" not in asked} == set()


def test_an_answer_in_parts(rooms: Rooms, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "MOST_TRANSACTIONS", 3)
    made = fill(rooms)
    for number in range(8):
        writes.append(rooms.workspace, "car0", {"mileage": number})
    with serving(rooms.ledger, states=OURS) as node:
        client = run(node)
        client.prepare(made)
        asked = len(node.asked)
        for asset_id in made:
            theirs = list(client.transactions(asset_id))
            assert theirs == rooms.ledger.transactions(asset_id)
        assert len(node.asked) == asked


def test_an_older_node_is_asked_one_by_one(rooms: Rooms, run: Run) -> None:
    made = fill(rooms)[:5]
    with serving(rooms.ledger, states=OURS) as node:
        node.answers[HISTORIES] = lambda _: (404, "<!DOCTYPE HTML><title>404 Not Found</title>")
        client = run(node)
        client.prepare(made)
        client.prepare(["0" * 64, "1" * 64])
        assert sum(HISTORIES in asked for asked in node.asked) == 1
        assert [len(list(client.transactions(asset_id))) for asset_id in made] == [2, 1, 2, 1, 2]


@pytest.mark.parametrize("lie", ["altered", "other", "omitted", "endless", "odd", "unordered"])
def test_one_lie_does_not_spoil_the_others(lie: str, rooms: Rooms, run: Run) -> None:
    made = fill(rooms)[:6]
    victim = made[2]

    def change(answer: Any) -> Any:
        status, items = answer
        for item in items:
            if item is None or item["asset"] != victim:
                continue
            if lie == "altered" and item["transactions"]:
                item["transactions"][0]["transaction"]["asset"]["data"]["number"] = 99
            elif lie == "other" and item["transactions"]:
                item["transactions"][0]["transaction"] = foreign(7)
            elif lie == "omitted":
                del item["transactions"][:1]
            elif lie == "endless":
                item["more"] = True
            elif lie == "odd" and item["transactions"]:
                item["transactions"][-1]["transaction"] = {"id": 7, "inputs": "x"}
            elif lie == "unordered":
                item["transactions"].reverse()
        return status, items

    with serving(rooms.ledger, states=OURS) as node:
        node.answers[HISTORIES] = change
        client = run(node)
        client.prepare(made)
        assert len(node.asked) < 20
        # Asked for alone, the node tells the truth; nothing false was kept.
        for asset_id in made:
            assert list(client.transactions(asset_id)) == rooms.ledger.transactions(asset_id)
        node.answers[f"{API}/transactions"] = lambda _: (200, [])
        fresh = run(node)
        with pytest.raises(NotVerifiedError):
            fresh._sync(victim, again=True)


@pytest.mark.parametrize(
    "answer", [[], [7], [{}], "x", {"a": 1}, [None] * 7, [{"asset": 1, "transactions": []}]]
)
def test_an_odd_answer(answer: Any, rooms: Rooms, run: Run) -> None:
    made = fill(rooms)[:3]
    with serving(rooms.ledger, states=OURS) as node:
        node.answers[HISTORIES] = lambda _: (200, answer)
        client = run(node)
        try:
            client.prepare(made)
        except Exception as error:  # noqa: BLE001
            assert type(error).__name__ == "UnreachableError"  # noqa: PT017


def test_a_write_is_seen_at_once(rooms: Rooms, run: Run) -> None:
    """What was fetched counts as up to date, but not beyond a write of this run."""
    made = fill(rooms)
    with serving(rooms.ledger, states=OURS) as node:
        client = run(node)
        workspace = rooms.workspace._replace(client=client)
        client.prepare(made)
        writes.append(workspace, made[0], {"mileage": 5})
        assert len(list(client.transactions(made[0]))) == 3
        # Somebody else writes: the append is refused, the tip is asked for again.
        writes.append(rooms.workspace, made[1], {"mileage": 6})
        writes.append(workspace, made[1], {"mileage": 7})
        assert len(list(client.transactions(made[1]))) == 3


def test_a_ledger_answers_for_histories(tmp_path: Path) -> None:
    with Ledger.open(str(tmp_path / "ledger")) as ledger:
        wanted = histories.parse(b'{"of": []}')
        assert list(histories.texts(ledger, wanted)) == []
        assert list(histories.texts(ledger, [("0" * 64, None)])) == ["null"]
