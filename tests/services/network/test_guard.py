"""A node serves what is encrypted to those who may read it, and who say who they are."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.node.running import Answer, Running, running
from tests.services import rooms
from twincli.client.content import NodeContent
from twincli.client.embedded import EmbeddedClient
from twincli.content.store import Blobs
from twincli.crypto import cid as cids
from twincli.crypto.age import FIRST_LINE
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import LockedError
from twincli.ledger import Ledger
from twincli.model import did, signed_request, times
from twincli.node.node import Options
from twincli.services import signers
from twincli.services.asset import create
from twincli.services.audit import listing
from twincli.services.grant import grants
from twincli.services.network import guard
from twincli.services.record.say import say
from twincli.services.workspace import Audit

SECRET, WRAP, OPEN, LOOSE = (FIRST_LINE + word for word in (b"secret", b"wrap", b"open", b"loose"))
PUBLIC = b"for everybody"
UNTIL = rooms.NOW_MS + 60_000


def pair(name: str) -> KeyPair:
    return KeyPair.from_seed(name.encode().ljust(32, b"."))


def named(data: bytes) -> str:
    return cids.of(data).text


class Served:
    """A twin on a node, with an encrypted file that bob may read, and others."""

    def __init__(self, directory: Path, home: rooms.Rooms, node: Running) -> None:
        self.home, self.node = home, node
        ledger = Ledger.open(str(node.path), clock=lambda: home.now_ms)
        audit = Audit(str(directory / "audit"))
        self.workspace = home.workspace._replace(client=EmbeddedClient(ledger), audit=audit)
        for who in ("alice", "bob", "eve"):
            home.key(who)
        alice = self.workspace._replace(keys=("alice",))
        create.create(alice, "car", create.Definition({}))
        wraps = [{"to": did.key_did(pair("bob").public_key), "cid": named(WRAP)}]
        encryption = {"epoch": 0, "recipient": "age1x", "wraps": wraps}
        self.file(SECRET, encryption=encryption)
        self.file(OPEN)
        to = [did.key_did(pair("bob").public_key)]
        body = {"to": to, "role": "viewer", "kinds": ["file"], "until": times.to_text(UNTIL)}
        say(self.workspace, "car", "grant", body, is_owners=True)

    def file(self, data: bytes, twin: str = "car", **more: Any) -> None:
        body = {"cid": named(data), "name": "x", "size": len(data), **more}
        say(self.workspace, twin, "file", body)

    def ask(
        self, data: bytes, who: str | None = "bob", method: str = "GET", **changes: Any
    ) -> Answer:
        target = f"/twin/v1/content/{named(data)}"
        headers = {}
        if who is not None:
            now = time.time_ns() // 1_000_000 + changes.get("late", 0)
            nonce = changes.get("nonce") or os.urandom(16)
            signed = changes.get("signed", target)
            headers["Authorization"] = signed_request.header(pair(who), "GET", signed, now, nonce)
        return self.node.ask(method, target, headers=headers)

    def noted(self) -> list[tuple[Any, ...]]:
        entries = listing.list_entries(self.workspace, "car")["entries"]
        return [(row["what"], row["party_name"], row["cid"], row["reason"]) for row in entries]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    blobs = Blobs(str(tmp_path / "content"))
    for data in (SECRET, WRAP, OPEN, LOOSE, PUBLIC):
        blobs.put(io.BytesIO(data))
    with rooms.opened(tmp_path) as home:
        judge = guard.Guard(Audit(str(tmp_path / "audit")), lambda: home.now_ms)
        options = Options(content=blobs, guard=judge, read_only=True)
        with running(tmp_path / "ledger", options) as node:
            found = Served(tmp_path, home, node)
            yield found
            found.workspace.client.close()


def test_who_may_read_gets_it_until_the_grant_ends(served: Served) -> None:
    for who, data in (("bob", SECRET), ("bob", WRAP), ("alice", SECRET)):
        answer = served.ask(data, who)
        assert (answer.status, answer.body) == (200, data)
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.headers["vary"] == "authorization"
    assert served.ask(SECRET, "eve").status == 403
    served.home.now_ms = UNTIL - 1
    assert served.ask(SECRET).status == 200
    served.home.now_ms = UNTIL
    refused = served.ask(WRAP)
    assert refused.status == 403
    assert "expired" in refused.json["message"]
    assert served.noted() == [
        ("served", "bob", named(SECRET), None),
        ("served", "bob", named(WRAP), None),
        ("served", "alice", named(SECRET), None),
        ("refused", "eve", named(SECRET), "there is no grant"),
        ("served", "bob", named(SECRET), None),
        ("refused", "bob", named(WRAP), f"the grant expired at {times.to_text(UNTIL)}"),
    ]


def test_revocation_ends_it_and_other_kinds_are_out_of_scope(served: Served) -> None:
    assert served.ask(SECRET).status == 200
    grants.revoke(served.workspace, "car", ["bob"])
    assert "revoked" in served.ask(SECRET).json["message"]
    body = {"to": [did.key_did(pair("eve").public_key)], "role": "auditor", "streams": ["gps"]}
    say(served.workspace, "car", "grant", body, is_owners=True)
    assert "scope" in served.ask(SECRET, "eve").json["message"]


def test_what_is_public_stays_public(served: Served) -> None:
    for data in (PUBLIC, OPEN):
        answer = served.ask(data, None)
        assert (answer.status, answer.body) == (200, data)
    assert "immutable" in served.ask(PUBLIC, None).headers["cache-control"]
    assert served.ask(SECRET, None, "HEAD").status == 200  # the ledger states its size, too
    assert served.noted() == []


def test_what_the_ledger_does_not_know_is_kept(served: Served) -> None:
    assert served.ask(LOOSE, None).status == 401
    assert "does not say" in served.ask(LOOSE, "alice").json["message"]


def test_a_stranger_opens_and_closes_nothing_by_naming_it(served: Served) -> None:
    create.create(served.workspace._replace(keys=("eve",)), "mine", create.Definition({}))
    served.file(SECRET, "mine")
    served.file(OPEN, "mine", encryption={"epoch": 0, "recipient": "age1x", "wraps": []})
    served.file(PUBLIC, "mine", encryption={"epoch": 0, "recipient": "age1x", "wraps": []})
    assert served.ask(SECRET, "eve").status == 403
    assert served.ask(SECRET, None).status == 401
    assert served.ask(OPEN, None).status == 200
    assert served.ask(PUBLIC, None).status == 200


def test_a_request_counts_once_for_what_it_asks_and_for_a_short_time(served: Served) -> None:
    nonce = bytes(16)
    assert served.ask(SECRET, nonce=nonce).status == 200
    replayed = served.ask(SECRET, nonce=nonce)
    assert (replayed.status, replayed.json["message"]) == (401, "this request was made before")
    assert replayed.headers["www-authenticate"] == "Twin"
    assert served.noted() == [("served", "bob", named(SECRET), None)]  # the replay was not
    for _ in range(2):  # neither what is public nor a refusal uses a request up
        assert served.ask(OPEN, "eve", nonce=nonce).status == 200
        assert served.ask(SECRET, "eve", nonce=nonce).status == 403
    for late in (-signed_request.MOST_MS - 5000, signed_request.MOST_MS + 5000):
        answer = served.ask(SECRET, late=late)
        assert (answer.status, "clock" in answer.json["message"]) == (401, True)
    answer = served.ask(SECRET, signed=f"/twin/v1/content/{named(WRAP)}")
    assert (answer.status, "not that of this" in answer.json["message"]) == (401, True)
    target = f"/twin/v1/content/{named(SECRET)}"
    for text in ("Twin x", "Twin", "Bearer abc"):
        assert served.node.ask("GET", target, headers={"Authorization": text}).status == 401


def test_strangers_do_not_fill_the_log(served: Served) -> None:
    for _ in range(5):
        served.ask(SECRET, "eve")
    assert len(served.noted()) == 5
    judge = guard.Guard(served.workspace.audit, lambda: served.home.now_ms)
    ledger = served.workspace.client.ledger  # type: ignore[attr-defined]
    for _ in range(guard.MOST_REFUSALS + 9):
        assert judge(ledger, named(SECRET), pair("eve").public_key).why_not is not None
    assert len(served.noted()) == 5 + guard.MOST_REFUSALS
    served.home.now_ms += 60_000
    judge(ledger, named(SECRET), pair("eve").public_key)
    assert len(served.noted()) == 5 + guard.MOST_REFUSALS + 1


def test_the_client_says_who_asks_only_when_it_is_wanted(served: Served) -> None:
    asked: list[str] = []

    def by(*names: str) -> NodeContent:
        def asking() -> Iterator[Any]:
            asked.extend(names)
            return signers.to_ask(served.workspace._replace(keys=names))

        token = {"Authorization": "Bearer 0123456789abcdef"}
        return NodeContent(served.node.url, token, signers=asking)

    assert by("bob").open(named(PUBLIC)).read() == PUBLIC
    assert asked == []
    assert by("bob").open(named(SECRET)).read() == SECRET
    assert by("eve", "bob").open(named(SECRET)).read() == SECRET
    assert by().open(named(SECRET)).read() == SECRET  # one of the keys at hand
    with pytest.raises(LockedError, match="no grant") as refused:
        by("eve").open(named(SECRET))
    assert refused.value.code == "no_grant"
    with pytest.raises(LockedError, match="must be signed"):
        NodeContent(served.node.url).open(named(SECRET))
    assert by("eve").size(named(SECRET)) == len(SECRET)
