"""Twins of registered templates on their way between ledgers: the template comes along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.fakenode import FakeNode, serving
from tests.model.test_template import VEHICLE
from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.client.embedded import EmbeddedClient
from twincli.client.network import NetworkClient
from twincli.client.nodes import Nodes
from twincli.client.profiles import of_urls
from twincli.errors import ConflictError, NotFoundError
from twincli.ledger import Ledger
from twincli.model.template import read
from twincli.rules.validity import SERVER
from twincli.services import catalogue, resolve
from twincli.services.asset import migrate
from twincli.services.asset.create import Definition
from twincli.services.network import pull, push
from twincli.services.proof import references, report
from twincli.services.template import templates

OURS = "ab" * 32
FIRST: dict[str, Any] = {**VEHICLE, "id": "car-v1"}
SECOND: dict[str, Any] = {**VEHICLE, "id": "car-v2", "name": "Second"}


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    (tmp_path / "one").mkdir()
    with opened(tmp_path / "one") as made:
        made.key("alice")
        for document in (FIRST, SECOND):
            templates.register(made.workspace, read(document))
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Rooms]:
    """Somebody else with the same key."""
    (tmp_path / "other").mkdir()
    with opened(tmp_path / "other") as made:
        made.key("alice")
        yield made


@pytest.fixture(params=["plain", "ours"])
def node(request: pytest.FixtureRequest) -> Iterator[FakeNode]:
    with (
        Ledger.open(":memory:", profile=SERVER) as ledger,
        serving(ledger, states=OURS if request.param == "ours" else None) as made,
    ):
        yield made


@pytest.fixture
def client(node: FakeNode) -> Iterator[NetworkClient]:
    profile = of_urls([node.url])
    made = NetworkClient(Nodes(profile.urls, {}, 5), None, profile.network)
    yield made
    made.close()


def twin(rooms: Rooms, name: str = "car") -> str:
    made = writes.create(rooms.workspace, name, Definition({"vin": name}, template="car-v1"))
    return str(made["id"])


def registered(rooms: Rooms, template_id: str) -> str:
    found = catalogue.find(rooms.workspace, template_id).asset_id
    assert found is not None
    return found


def fetched(other: Rooms, client: NetworkClient, *refs: str) -> Any:
    there = other.workspace._replace(client=client)
    here = other.workspace.client
    return pull.pull(there, here, pull.assets_to_pull(there, here, refs))


def moved(document: Any) -> set[str]:
    return {item["asset_id"] for item in document["assets"] if item["status"] == "moved"}


def test_the_template_comes_along(rooms: Rooms, other: Rooms, client: NetworkClient) -> None:
    car, van = twin(rooms), twin(rooms, "van")
    first = registered(rooms, "car-v1")
    assert moved(push.push(rooms.workspace, client, ["car"], rebase=False)) == {car, first}
    again = push.push(rooms.workspace, client, ["car", "van"], rebase=False)
    assert moved(again) == {van}
    assert moved(fetched(other, client, car)) == {car, first}
    writes.append(other.workspace, car, {"mileage": 7})
    assert moved(fetched(other, client, van)) == {van}


def test_a_template_that_is_here_already_is_not_taken_again(
    rooms: Rooms, other: Rooms, client: NetworkClient
) -> None:
    car = twin(rooms)
    push.push(rooms.workspace, client, (), rebase=False)
    other.now_ms += 1000
    templates.register(other.workspace, read(FIRST))
    assert moved(fetched(other, client, car)) == {car}
    writes.append(other.workspace, car, {"mileage": 7})


def test_the_template_of_a_migration_comes_along(
    rooms: Rooms, other: Rooms, client: NetworkClient
) -> None:
    car = twin(rooms)
    push.push(rooms.workspace, client, ["car"], rebase=False)
    fetched(other, client, car)
    migrate.migrate(rooms.workspace, "car", "car-v2")
    second = registered(rooms, "car-v2")
    assert moved(push.push(rooms.workspace, client, ["car"], rebase=False)) == {car, second}
    assert moved(fetched(other, client, car)) == {car, second}
    writes.append(other.workspace, car, {"mileage": 8})


def test_the_hint_of_a_missing_template_is_true(
    rooms: Rooms, other: Rooms, client: NetworkClient
) -> None:
    """The twin is here and up to date, only its template is missing."""
    car = twin(rooms)
    migrate.migrate(rooms.workspace, "car", "car-v2")
    push.push(rooms.workspace, client, (), rebase=False)
    other.ledger.submit_many(rooms.ledger.transactions(car))
    with pytest.raises(NotFoundError) as caught:
        writes.append(other.workspace, car, {"mileage": 8})
    assert caught.value.code == "missing_template"
    assert registered(rooms, "car-v2") in moved(fetched(other, client, car))
    writes.append(other.workspace, car, {"mileage": 8})


def test_one_asset_with_its_template_fails_as_one(rooms: Rooms, tmp_path: Path) -> None:
    car = twin(rooms)
    with Ledger.open(tmp_path / "there") as ledger:
        there = EmbeddedClient(ledger)
        push.push(rooms.workspace, there, ["car"], rebase=False)
        writes.append(rooms.workspace, "car", {"mileage": 1})
        writes.append(rooms.workspace._replace(client=there), car, {"mileage": 2})
        with pytest.raises(ConflictError) as caught:
            push.push(rooms.workspace, there, ["car"], rebase=False)
        assert caught.value.code == "diverged"


def duplicates(rooms: Rooms, asset_ids: list[str], *, are_all: bool) -> list[tuple[str, str]]:
    parts = report.empty()
    references.check(rooms.workspace, asset_ids, parts, are_all=are_all)
    found = parts[report.REFERENCES]
    assert found.status == report.OK, "it is no rule of validity"
    return [(note.where, note.message[:64]) for note in found.noted]


def test_a_fetched_twin_has_its_identifier(
    rooms: Rooms, other: Rooms, client: NetworkClient
) -> None:
    car = twin(rooms)
    push.push(rooms.workspace, client, ["car"], rebase=False)
    assert fetched(other, client, car)["warnings"] == []
    assert resolve.asset_id_of(other.workspace, "CAR") == car
    with pytest.raises(ConflictError) as caught:
        writes.create(other.workspace, "car2", Definition({"vin": "Car"}, template="car-v1"))
    assert caught.value.code == "duplicate_twin"
    migrate.migrate(rooms.workspace, "car", "car-v2")
    push.push(rooms.workspace, client, ["car"], rebase=False)
    assert fetched(other, client, car)["warnings"] == []
    assert duplicates(other, [car], are_all=False) == []


def test_two_twins_of_one_thing_are_reported(
    rooms: Rooms, other: Rooms, client: NetworkClient
) -> None:
    theirs = twin(rooms)
    push.push(rooms.workspace, client, ["car"], rebase=False)
    templates.register(other.workspace, read(FIRST))
    other.key("bob")
    words = Definition({"vin": "car"}, template="car-v1")
    mine = str(writes.create(other.workspace, "auto", words)["id"])
    writes.create(other.using("bob"), "bobs", words)
    writes.create(other.workspace, "free", Definition({"vin": "car"}))
    (warning,) = fetched(other, client, theirs)["warnings"]
    assert warning.endswith(f"{mine} was here first, {theirs} came from the other ledger")
    assert resolve.asset_id_of(other.workspace, mine) == mine
    every = list(other.ledger.asset_ids())
    assert duplicates(other, every, are_all=True) == [(theirs, mine)]
    assert duplicates(other, [mine], are_all=False) == [(mine, theirs)]
    assert duplicates(other, [theirs], are_all=False) == [(theirs, mine)]
