"""Records in words."""

from __future__ import annotations

from typing import Any

import pytest

from twincli.model.telling import in_words

CID = "bafkreib4umnkq5vpx5nc2pep2sfpikbfh774q6jcyefcikb5fqmq44iaii"


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("event", {"type": "sold"}, "sold"),
        (
            "event",
            {
                "type": "sold",
                "data": {"price": 5, "to": "dora", "tags": ["a"]},
                "attachments": [{"cid": CID, "name": "bill.pdf", "size": 1}],
            },
            'sold; price 5, to dora, tags ["a"]; with bill.pdf',
        ),
        (
            "event",
            {"type": "sold", "data": dict.fromkeys("abcdefgh", 1)},
            "sold; a 1, b 1, c 1, d 1, e 1, f 1, ...",
        ),
        ("state", {"from": "a", "to": "b"}, "a -> b"),
        (
            "state",
            {"from": "a", "to": "b", "reason": "done", "triggered_by": "dora"},
            "a -> b; done; triggered by dora",
        ),
        ("stage", {"stage": "harvest"}, "harvest"),
        (
            "stage",
            {"stage": "harvest", "location": "Bonn", "skipped": ["x", "y"]},
            "harvest in Bonn; skipped x, y",
        ),
        ("maintenance", {"type": "service"}, "service"),
        (
            "maintenance",
            {
                "type": "service",
                "technician": "t1",
                "work": ["oil", "filter"],
                "total": "63.97",
                "currency": "USD",
                "next": "2024-04-15",
            },
            "service by t1; oil, filter; 63.97 USD; next 2024-04-15",
        ),
        ("maintenance", {"currency": "USD"}, "malformed"),
        ("stage", {"location": "Bonn"}, "malformed"),
        ("state", {"from": "a"}, "malformed"),
        ("event", None, "malformed"),
        ("event", {"data": {"a": 1}}, "a 1"),
        ("grant", {"to": ["x"]}, ""),
    ],
)
def test_in_words(kind: str, body: Any, words: str) -> None:
    assert in_words(kind, body) == words


def test_a_line_is_short_whatever_strangers_write() -> None:
    long = "x" * 5000
    body = {
        "type": "s",
        "data": {f"{long}{n}": long for n in range(1000)},
        "attachments": [{"cid": CID, "name": long[:4000], "size": 1}] * 100,
    }
    assert len(in_words("event", body)) < 3000
