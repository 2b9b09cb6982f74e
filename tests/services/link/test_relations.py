"""How links stand, whatever other software wrote: what counts, and what is passed over."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import writes
from tests.services.rooms import Rooms, opened
from twincli.errors import UsageError
from twincli.model import owners, record, transaction
from twincli.model.template import read
from twincli.services.asset.create import Definition
from twincli.services.link import graph, links
from twincli.services.relations import Relations
from twincli.services.standing import Speakers
from twincli.services.template import templates


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with opened(tmp_path) as made:
        for name in ("alice", "bob"):
            made.key(name)
        for name, owner in (("a", "alice"), ("b", "alice"), ("c", "alice"), ("x", "bob")):
            create(made, name, owner)
        yield made


def create(made: Rooms, name: str, owner: str, **more: Any) -> str:
    found = writes.create(made.using(owner), name, Definition({}, owner=owner, **more))
    return str(found["id"])


def id_of(made: Rooms, name: str) -> str:
    return made.workspace.book.lookup(made.ledger.id, name, lambda _: True) or ""


def write(
    made: Rooms, name: str, envelope: dict[str, Any], key: str = "alice", to: str | None = None
) -> str:
    """Append what this program would not write; return the transaction."""
    item = made.workspace.client.unspent(id_of(made, name))[0]
    owner = item.output["condition"]["details"]
    if to is not None:
        owner = owners.of_keys([made.workspace.keystore.get(to).public_key])
    tx = transaction.transfer(
        [transaction.Spend.of_output(*item)],
        [transaction.Output(owner, 1)],
        id_of(made, name),
        {"twin": {"v": 1, **envelope}},
    )
    signed = transaction.sign(tx, [made.workspace.keystore.unlock(key, None).keypair])
    made.workspace.client.submit(signed)
    return str(signed["id"])


def link(made: Rooms, name: str, verb: Any, to: Any, key: str = "alice", way: str = "to") -> str:
    return write(made, name, {"kind": "link", "body": {"verb": verb, way: to}}, key)


def seen(made: Rooms, name: str, *, everything: bool = False) -> list[tuple[str, ...]]:
    found = links.list_links(made.workspace, name, everything=everything)["links"]
    return [
        (
            item["source_name"] or "?",
            item["verb"],
            item["target_name"] or "?",
            item["state"],
            item["said_by"],
            item["end"],
        )
        for item in found
    ]


@pytest.mark.parametrize(
    "body",
    [
        None,
        "part",
        {"verb": "part"},
        {"verb": "part", "to": "b"},
        {"verb": "x" * 65, "to": "0" * 64},
        {"verb": "<b>", "to": "0" * 64},
        {"verb": None, "to": "0" * 64},
        {"verb": "part", "to": ["0" * 64]},
        {"verb": "part", "from": 5},
    ],
)
def test_what_is_malformed_is_no_link(rooms: Rooms, body: Any) -> None:
    write(rooms, "a", {"kind": "link", "body": body})
    assert seen(rooms, "a", everything=True) == []
    assert graph.graph(rooms.workspace, "a")["links"] == []
    links.add(rooms.workspace, "a", "replaces", "b")
    assert len(seen(rooms, "a")) == 1


def test_an_end_that_is_missing(rooms: Rooms) -> None:
    link(rooms, "a", "replaces", "f" * 64)
    assert seen(rooms, "a") == [("a", "replaces", "?", "active", "source", "missing")]
    drawn = graph.graph(rooms.workspace, "a")
    assert [node["end"] for node in drawn["nodes"]] == ["present", "missing"]


def test_verbs_of_other_software_are_shown(rooms: Rooms) -> None:
    link(rooms, "a", "made_by", id_of(rooms, "x"))
    assert seen(rooms, "x") == [("a", "made_by", "x", "active", "source", "present")]
    links.remove(rooms.workspace, "a", "made_by", "x")
    assert seen(rooms, "x") == []


def test_circles_of_other_software_are_marked(rooms: Rooms) -> None:
    for source, target in ("ab", "bc", "ca"):
        link(rooms, source, "is_component_of", id_of(rooms, target))
    link(rooms, "c", "replaces", id_of(rooms, "x"))
    drawn = graph.graph(rooms.workspace, "a")
    assert [(one["verb"], one["circle"]) for one in drawn["links"]] == [
        ("is_component_of", True),
        ("is_component_of", True),
        ("is_component_of", True),
        ("replaces", False),
    ]
    links.remove(rooms.workspace, "c", "is_component_of", "a")
    drawn = graph.graph(rooms.workspace, "a")
    assert not any(one["circle"] for one in drawn["links"])


def test_a_link_said_twice_is_taken_back_at_once(rooms: Rooms) -> None:
    for _ in range(2):
        link(rooms, "a", "replaces", id_of(rooms, "b"))
    assert len(seen(rooms, "a")) == 2
    links.remove(rooms.workspace, "a", "replaces", "b")
    assert seen(rooms, "a") == []


def test_one_link_is_taken_back_by_its_id(rooms: Rooms) -> None:
    first = link(rooms, "a", "replaces", id_of(rooms, "b"))
    link(rooms, "a", "is_variant_of", id_of(rooms, "b"))
    write(rooms, "a", {"kind": "revoke", "body": {"grant": first}})
    assert [item[1] for item in seen(rooms, "a")] == ["is_variant_of"]
    write(rooms, "a", {"kind": "revoke", "body": {"grant": id_of(rooms, "b")}})
    assert seen(rooms, "a") == []


def test_nobody_takes_back_what_others_said(rooms: Rooms) -> None:
    first = link(rooms, "a", "replaces", id_of(rooms, "x"))
    body = {"grant": first}
    write(rooms, "x", {"kind": "revoke", "body": body}, "bob")
    write(rooms, "x", {"kind": "revoke", "body": {"grant": id_of(rooms, "a")}}, "bob")
    write(rooms, "x", {"kind": "revoke", "body": {"all": True}}, "bob")
    assert len(seen(rooms, "a")) == 1


def test_who_claims_an_end_that_is_not_theirs(rooms: Rooms) -> None:
    link(rooms, "x", "part", id_of(rooms, "a"), "bob", "from")
    assert seen(rooms, "a") == [("a", "part", "x", "proposed", "target", "present")]
    assert Relations(rooms.workspace).of([id_of(rooms, "a")])[0].standing == "unauthorised"
    # What others state about a twin in a record of their own gives no power either.
    stated = {"about": id_of(rooms, "b"), "says": "link"}
    stated["body"] = {"verb": "part", "to": id_of(rooms, "x")}  # type: ignore[assignment]
    writes.create(rooms.using("bob"), None, Definition({}, kind=record.STATEMENT, stated=stated))
    assert seen(rooms, "b") == [("b", "part", "x", "proposed", "others", "present")]


def test_plain_links_outlive_a_sale_and_parts_do_not(rooms: Rooms) -> None:
    links.add(rooms.workspace, "a", "replaces", "b")
    links.add(rooms.workspace, "a", "part", "c")
    writes.transfer(rooms.workspace, "a", to="bob")
    assert [(item[1], item[3]) for item in seen(rooms, "a", everything=True)] == [
        ("replaces", "active"),
        ("part", "expired"),
    ]
    # The new owner may take back what the old one said.
    links.remove(rooms.workspace, "a", "replaces", "b")
    assert [item[3] for item in seen(rooms, "a", everything=True)] == ["revoked", "expired"]


def test_what_was_confirmed_stays_so_when_the_other_end_is_sold(rooms: Rooms) -> None:
    links.add(rooms.workspace, "a", "replaces", "b")
    writes.transfer(rooms.workspace, "b", to="bob")
    assert seen(rooms, "a")[0][4] == "both"
    links.add(rooms.using("alice"), "a", "is_variant_of", "b")
    assert seen(rooms, "a")[1][4] == "source"


def test_many_links_are_walked_once(rooms: Rooms) -> None:
    for number in range(20):
        create(rooms, f"n{number}", "alice")
        links.add(rooms.workspace, f"n{number}", "is_variant_of", "a")
    relations = Relations(rooms.workspace)
    first = relations.beyond([id_of(rooms, "a")])
    ids = [one.said.source for one in first]
    assert len(first) == 20
    assert relations.beyond(ids) == []
    assert len(relations.of(ids)) == 20


def test_a_template_has_verbs_of_its_own(rooms: Rooms) -> None:
    made = read(
        {
            "id": "pump-v1",
            "name": "Pump",
            "assetType": "pump",
            "identifiers": {"primary": "assetId"},
            "linkVerbs": ["feeds"],
        }
    )
    templates.register(rooms.workspace, made)
    for name in ("p", "q"):
        create(rooms, name, "alice", template="pump-v1")
    links.add(rooms.workspace, "p", "feeds", "q")
    links.add(rooms.workspace, "q", "feeds", "p")
    links.add(rooms.workspace, "p", "part", "a")
    assert [one["circle"] for one in graph.graph(rooms.workspace, "p")["links"]] == [False] * 3
    with pytest.raises(
        UsageError, match=r"'feeds' is not a verb of links: is_variant_of, .*stream$"
    ):
        links.add(rooms.workspace, "a", "feeds", "q")
    with pytest.raises(
        UsageError, match=r"'feed' is not a verb of links: .*stream, feeds"
    ) as caught:
        links.add(rooms.workspace, "p", "feed", "q")
    assert caught.value.hint == "twin link add p feeds q"


def judged(made: Rooms, name: str) -> dict[str, str]:
    """Return how the parts of an asset stand, judged by its whole history."""
    speakers = Speakers(made.workspace.client)
    found = speakers.authority(id_of(made, name))
    present, now_ms = speakers.present(made.now_ms), made.now_ms
    return {
        given.tx_id: found.held(given, "", present, now_ms).standing
        for given in found.given
        if given.child is not None
    }


@pytest.mark.parametrize("seed", range(12))
def test_the_short_way_says_what_the_whole_history_says(rooms: Rooms, seed: int) -> None:
    rolls = random.Random(seed)
    holder = "alice"
    for _ in range(14):
        deed = rolls.choice(("part", "part", "stream", "append", "sell", "back", "revoke", "both"))
        other = "bob" if holder == "alice" else "alice"
        child = id_of(rooms, rolls.choice("bcx"))
        if deed in {"part", "stream"}:
            link(rooms, "a", deed, child, holder)
        elif deed == "append":
            writes.append(rooms.using(holder), "a", {"n": rolls.random()})
        elif deed == "revoke":
            write(rooms, "a", {"kind": "revoke", "body": {"grant": child}}, holder)
        elif deed == "both":  # a link that gives the twin away in the same transaction
            write(
                rooms, "a", {"kind": "link", "body": {"verb": "part", "to": child}}, holder, other
            )
            holder = other
        else:
            writes.transfer(rooms.using(holder), "a", to=other)
            holder = other
        shown = {one.tx_id: one for one in Relations(rooms.workspace).of([id_of(rooms, "a")])}
        expected = judged(rooms, "a")
        assert {tx_id: one.standing for tx_id, one in shown.items()} == expected
        for tx_id, standing in expected.items():
            assert (shown[tx_id].state == "active") == (standing == "authorised")
