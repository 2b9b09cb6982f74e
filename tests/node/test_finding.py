"""Finding at a node: what it answers, in pages, within bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ledger.chains import create, spend
from tests.node.running import Answer, Running
from twincli.model import expression
from twincli.node import finding
from twincli.node.node import Node


def pinned(number: int, **pin: str) -> dict[str, Any]:
    return create(data={"number": number, "twin": {"v": 1, "kind": "asset", **pin}})


def ask(node: Running, **question: Any) -> Answer:
    return node.ask("POST", "/twin/v1/find", json.dumps(question).encode())


@pytest.fixture
def made(node: Running) -> list[str]:
    txs = [pinned(number) for number in range(5)]
    txs += [pinned(5, template="pump-v1", template_cid="bafy1")]
    txs += [pinned(6, template="pump-v2", template_cid="bafy2")]
    for tx in [*txs, spend((txs[0], 0), metadata={"number": 9})]:
        assert node.post(tx).status == 202
    return [tx["id"] for tx in txs]


def test_what_is_found(node: Running, made: list[str]) -> None:
    assert ask(node, expression="number > 3").json == {
        "assets": [made[0], made[4], made[5], made[6]],
        "after": None,
    }
    assert ask(node, expression="number > 3", template_cid="bafy2").json["assets"] == [made[6]]
    assert ask(node, expression="number > 3", template_cid="").json["assets"] == [made[0], made[4]]
    assert ask(node, expression="number > 3", after=made[4]).json["assets"] == made[5:]
    assert ask(node, expression="number > 3", after="ef" * 32).json == {"assets": [], "after": None}
    assert node.get("/twin/v1/templates").json == [
        ["pump-v1", "bafy1", made[5]],
        ["pump-v2", "bafy2", made[6]],
    ]


@pytest.mark.parametrize(("name", "value"), [("PAGE", 1), ("PAGE", 2), ("SECONDS", -1.0)])
def test_pages(
    name: str, value: float, node: Running, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(node, expression="number > 3")  # the index is made
    monkeypatch.setattr(finding, name, value)
    # SQL has no such number, so each asset is looked at.
    for text in ("number > 3", "number > 3 or number = 18446744073709551616"):
        found: list[str] = []
        after, pages = None, 0
        while pages == 0 or after is not None:
            answer = ask(node, expression=text, after=after).json
            assert len(answer["assets"]) <= (1 if name == "SECONDS" else value)
            found += answer["assets"]
            after = answer["after"]
            pages += 1
        assert found == [made[0], made[4], made[5], made[6]]
        assert pages > 2


def test_an_index_that_is_still_being_made(
    node: Running, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli.ledger import find

    monkeypatch.setattr(find, "TAKEN", 3)
    monkeypatch.setattr(finding, "SECONDS", -1.0)
    for path, method in (("find", "POST"), ("templates", "GET")):
        answer = node.ask(method, f"/twin/v1/{path}", b'{"expression": "number = 9"}')
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        assert "3 of 7 assets" in answer.json["message"] or "6 of 7" in answer.json["message"]
    monkeypatch.setattr(finding, "SECONDS", 10.0)
    assert ask(node, expression="number = 9").json["assets"] == [made[0]]


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ({}, "expression must be a text"),
        ({"expression": 7}, "expression must be a text"),
        ({"expression": "number ="}, "at character 9"),
        ({"expression": "number = 5 m"}, "units"),
        ({"expression": f"a = {'x' * expression.MAX_LENGTH}"}, "at most 4096"),
        ({"expression": f"a in ({', '.join('x' * 101)})"}, "more than 100 values"),
        ({"expression": "not " * 40 + "a = 1"}, "deeper"),
        ({"expression": "a = 1", "template_cid": 7}, "template_cid"),
        ({"expression": "a = 1", "template_cid": "x" * 1000}, "template_cid"),
        ({"expression": "a = 1", "after": "x"}, "after"),
        ({"expression": "a = 1", "after": 7}, "after"),
        ([], "expression must be a text"),
    ],
)
def test_what_is_refused(question: Any, part: str, node: Running) -> None:
    answer = node.ask("POST", "/twin/v1/find", json.dumps(question).encode())
    assert answer.status == 400
    assert part in answer.json["message"]


@pytest.mark.parametrize("body", [b"", b"x", b"[" * 100_000, b"\xff"])
def test_what_is_not_json(body: bytes, node: Running) -> None:
    assert node.ask("POST", "/twin/v1/find", body).status == 400


def test_texts_that_have_no_utf8(node: Running) -> None:
    assert ask(node, expression="a = '\ud800'").json == {"assets": [], "after": None}


def test_too_many_templates(
    node: Running, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made
    monkeypatch.setattr(finding, "MOST_TEMPLATES", 1)
    answer = node.get("/twin/v1/templates")
    assert answer.status == 400
    assert "more than 1 templates" in answer.json["message"]


def test_too_many_questions(node: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MAX_WAITING", 0)
    assert ask(node, expression="a = 1").status == 503


def test_finding_is_measured(node: Running) -> None:
    assert isinstance(node.node, Node)
    ask(node, expression="a = 1")
    assert 'route="/twin/v1/find"' in node.get("/metrics").body.decode()
