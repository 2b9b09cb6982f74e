"""``twin link``: parts and streams that the owner of a twin links to it."""

from __future__ import annotations

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
    found: list[dict[str, Any]] = run("link", "list", ref, "--json").json["links"]
    assert all(set(item) == set(documents.LinkItem.__annotations__) for item in found)
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
    assert (item["id"], item["to_name"]) == (made["transaction_id"], "box")
    assert (item["verb"], item["owner"], item["state"]) == (verb, "dev7", "active")
    again = car("link", "add", "car", verb, "box", "--json")
    assert (again.status, again.error["code"]) == (5, "exists")
    assert car("link", "remove", "car", "box").status == 0
    assert standing(car) == ("revoked", "revoked")
    assert links(car)[0]["state"] == "revoked"
    gone = car("link", "remove", "car", "box", "--json")
    assert (gone.status, gone.error["code"]) == (4, "not_found")
    assert car("link", "add", "car", verb, "box").status == 0
    assert standing(car) == ("authorised", "link")


def test_a_part_that_the_owner_signed_is_linked(car: Invoke) -> None:
    car("asset", "create", "gps", "--owner", "dev7", "--parent", "car", "--key", "alice")
    assert [(item["to_name"], item["verb"]) for item in links(car)] == [("gps", "part")]
    assert car("link", "remove", "car", "gps").status == 0
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
        (("car", "replaces", "box"), 2, "usage"),
        (("car", "part", "car"), 2, "usage"),
        (("car", "part", "moon"), 4, "not_found"),
        (("car", "part"), 2, "usage"),
        (("car", "part", "box", "--key", "dev7"), 6, "no_key"),
        (("car", "part", "box", "--bare"), 2, "usage"),
    ],
)
def test_what_cannot_be_linked(car: Invoke, args: tuple[str, ...], status: int, code: str) -> None:
    failed = car("link", "add", *args, "--json")
    assert (failed.status, failed.error["code"]) == (status, code)
    assert links(car) == []


def test_a_token_links_once(car: Invoke) -> None:
    first, second = (
        car("link", "add", "car", "part", "box", "--once", "a", "--json").json for _ in range(2)
    )
    assert first["transaction_id"] == second["transaction_id"]
