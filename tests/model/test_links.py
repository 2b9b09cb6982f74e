"""Links as transactions say them."""

from __future__ import annotations

from typing import Any

import pytest

from twincli.model import links
from twincli.model.links import SOURCE, TARGET, Removed, Said

A, B, C = (letter * 64 for letter in "abc")


def transfer(kind: str, body: Any, asset: str = A, tx_id: str = C) -> dict[str, Any]:
    return {
        "id": tx_id,
        "operation": "TRANSFER",
        "asset": {"id": asset},
        "metadata": {"twin": {"v": 1, "kind": kind, "body": body}},
    }


def create(envelope: Any, tx_id: str = C) -> dict[str, Any]:
    return {
        "id": tx_id,
        "operation": "CREATE",
        "asset": {"data": {"twin": envelope}},
        "metadata": None,
    }


@pytest.mark.parametrize(
    ("tx", "said"),
    [
        (transfer("link", {"verb": "replaces", "to": B}), Said(A, "replaces", B, SOURCE)),
        (transfer("link", {"verb": "part", "from": B}), Said(B, "part", A, TARGET)),
        (create({"v": 1, "kind": "asset", "parent": A}), Said(A, "part", C, TARGET)),
        (create({"v": 1, "kind": "stream", "parent": A}), Said(A, "stream", C, TARGET)),
        (
            create(
                {
                    "v": 1,
                    "kind": "statement",
                    "about": A,
                    "says": "link",
                    "body": {"verb": "made_by", "to": B},
                }
            ),
            Said(A, "made_by", B, SOURCE),
        ),
    ],
)
def test_what_says_a_link(tx: dict[str, Any], said: Said) -> None:
    assert links.said(tx) == said
    ends = [asset for what, asset in links.found_by(tx) if what == links.LINKS]
    assert ends == [said.source, said.target]


@pytest.mark.parametrize(
    "tx",
    [
        transfer("link", None),
        transfer("link", []),
        transfer("link", {}),
        transfer("link", {"verb": "part"}),
        transfer("link", {"verb": "part", "to": "car"}),
        transfer("link", {"verb": "part", "to": 7}),
        transfer("link", {"verb": "part", "to": A}),
        transfer("link", {"verb": "part", "from": None}),
        transfer("link", {"verb": "part", "from": B.upper()}),
        transfer("link", {"verb": ["part"], "to": B}),
        transfer("link", {"verb": "", "to": B}),
        transfer("link", {"verb": "is part of", "to": B}),
        transfer("link", {"verb": "Part", "to": B}),
        transfer("link", {"verb": "7up", "to": B}),
        transfer("link", {"verb": "größer", "to": B}),
        transfer("link", {"verb": "a" * 65, "to": B}),
        transfer("event", {"verb": "part", "to": B}),
        create({"v": 1, "kind": "asset"}),
        create({"v": 1, "kind": "asset", "parent": "car"}),
        create({"v": 1, "kind": "asset", "parent": [A]}),
        create({"v": 1, "kind": "asset", "parent": C}),
        create({"v": 1, "kind": "statement", "about": A, "says": "event", "body": {}}),
        create({"v": 1, "kind": "statement", "about": A, "says": "link", "body": "part"}),
        create({"v": 1, "kind": "statement", "about": 7, "says": "link", "body": {"to": B}}),
        create("user data"),
        {"id": C, "operation": "CREATE", "asset": {"data": None}, "metadata": None},
    ],
)
def test_what_says_none(tx: dict[str, Any]) -> None:
    assert links.said(tx) is None
    assert links.found_by(tx) == []


def test_a_revocation_is_found_by_its_asset() -> None:
    tx = transfer("revoke", {"grant": B})
    assert links.found_by(tx) == [(links.REVOCATIONS, A)]
    tx["operation"] = "CREATE"
    tx["asset"] = {"data": None}
    assert links.found_by(tx) == []


@pytest.mark.parametrize(
    ("body", "removed"),
    [
        ({"grant": B}, Removed(B, None)),
        ({"grant": B, "verb": "part"}, Removed(B, "part")),
        ({"grant": B, "verb": 7}, None),
        ({"grant": None}, None),
        ({"all": True}, None),
        ("all", None),
    ],
)
def test_what_a_revocation_takes_back(body: Any, removed: Removed | None) -> None:
    assert links.removed(transfer("revoke", body)) == removed
    assert links.removed(transfer("grant", body)) is None


@pytest.mark.parametrize(
    ("removed", "ends"),
    [
        (Removed(C, None), True),
        (Removed(C, "part"), False),
        (Removed(B, None), True),
        (Removed(B, "part"), True),
        (Removed(B, "stream"), False),
        (Removed(A, None), False),
    ],
)
def test_whether_it_ends_a_link(removed: Removed, ends: bool) -> None:
    assert (removed in links.ending(C, "part", B)) is ends


def test_an_end_that_cannot_be_named() -> None:
    assert links.ending(C, "part", None) == [Removed(C, None)]


@pytest.mark.parametrize(
    ("verb", "step"),
    [
        ("part", ("whole", B, A)),
        ("stream", ("whole", B, A)),
        ("is_component_of", ("whole", A, B)),
        ("is_variant_of", ("is_variant_of", A, B)),
        ("made_by", ("made_by", A, B)),
    ],
)
def test_which_end_is_above(verb: str, step: tuple[str, str, str]) -> None:
    assert links.upwards(Said(A, verb, B, SOURCE)) == step


@pytest.mark.parametrize(
    ("goal", "comes"), [("d", True), ("e", True), ("a", True), ("x", False), ("f", False)]
)
def test_steps_that_come_round(goal: str, comes: bool) -> None:
    steps = {"a": "bc", "b": "d", "c": "de", "d": "b", "e": "", "f": "a"}

    def above(level: list[str]) -> list[str]:
        return [upper for one in level for upper in steps.get(one, "")]

    assert links.comes_round("a", goal, above) is comes


@pytest.mark.parametrize(
    ("steps", "circular"),
    [
        ("", ""),
        ("ab bc", ""),
        ("ab ba", "ab ba"),
        ("ab bc ca cd", "ab bc ca"),
        ("ab bc ab", ""),
        ("ab ba bc cd dc", "ab ba cd dc"),
        ("ab bc cd db", "bc cd db"),
        ("ab ac bd cd da", "ab ac bd cd da"),
        ("aa", "aa"),
        ("xa ab bc ca ay", "ab bc ca"),
    ],
)
def test_which_steps_are_in_a_circle(steps: str, circular: str) -> None:
    listed = steps.split()
    numbered = {number: ("part", one[0], one[1]) for number, one in enumerate(listed)}
    found = links.in_circles(numbered)
    assert [listed[number] for number in sorted(found)] == circular.split()
    other_kinds = {number: (str(number), one[0], one[1]) for number, one in enumerate(listed)}
    assert links.in_circles(other_kinds) == {n for n, one in enumerate(listed) if one == "aa"}


def test_a_long_circle_needs_no_stack() -> None:
    count = 20_000
    ring = {n: ("part", str(n), str((n + 1) % count)) for n in range(count)}
    assert links.in_circles(ring) == set(range(count))
    chain = {n: ("part", str(n), str(n + 1)) for n in range(count)}
    assert links.in_circles(chain) == set()
