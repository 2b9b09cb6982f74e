"""Whose word counts: what is judged without reading a whole history is judged alike."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.services.rooms import opened
from twincli.crypto.ed25519 import KeyPair
from twincli.model import owners, transaction
from twincli.rules.authority import Topic
from twincli.services import standing
from twincli.services.standing import Speakers

KEYS = [KeyPair.from_seed(name.encode().ljust(32, b".")) for name in ("alice", "bob", "carol")]
TOPICS = (Topic("reading", stream="s"), Topic("event"), standing.BELONGING)


def held(key: KeyPair) -> dict[str, Any]:
    return owners.of_keys([key.public_key])


def create(key: KeyPair, to: KeyPair, data: dict[str, Any], seed: str) -> dict[str, Any]:
    made = transaction.create(
        [key.public_key], [transaction.Output(held(to), 1)], {"twin": {"v": 1, **data}, "n": seed}
    )
    return transaction.sign(made, [key])


class Twin:
    """An asset that is handed from one to another."""

    def __init__(self, key: KeyPair, to: KeyPair) -> None:
        self.tip = create(key, to, {"kind": "of another version"}, "twin")
        self.asset_id = self.tip["id"]
        self.key = to

    def next(self, to: KeyPair) -> dict[str, Any]:
        tx = transaction.transfer(
            [transaction.Spend(self.tip["id"], 0, held(self.key), (self.key.public_key,))],
            [transaction.Output(held(to), 1)],
            self.asset_id,
            None,
        )
        self.tip, self.key = transaction.sign(tx, [self.key]), to
        return self.tip


def test_the_quick_way_says_what_the_whole_history_says(tmp_path: Path) -> None:
    chance = random.Random(12)
    seen = set()
    for number in range(25):
        with opened(tmp_path / str(number)) as rooms:
            twin = Twin(chance.choice(KEYS), chance.choice(KEYS))
            client = rooms.workspace.client
            client.submit(twin.tip)
            parts: list[str] = []
            for step in range(chance.randint(1, 12)):
                rooms.now_ms += chance.choice((0, 0, 1000))  # several blocks of one time
                block = []
                for _ in range(chance.randint(1, 3)):
                    if chance.random() < 0.5:
                        block.append(twin.next(chance.choice(KEYS)))
                    else:
                        data = {"kind": "stream", "name": "s", "parent": twin.asset_id}
                        signer = chance.choice(KEYS)
                        block.append(create(signer, signer, data, f"{step} {len(parts)}"))
                        parts.append(block[-1]["id"])
                client.submit_many(block)
            for part in parts:
                entry = client.required(part)
                for topic in TOPICS:
                    slow = Speakers(client)
                    slow.authority(twin.asset_id)
                    wanted = slow.of(twin.asset_id, entry, topic)
                    assert Speakers(client).of(twin.asset_id, entry, topic) == wanted
                    seen.add(wanted.standing)
                assert standing.at_birth(client, twin.asset_id, entry) == wanted.standing
    assert seen == {"authorised", "unauthorised", "undetermined"}


def test_a_long_history_is_not_read_for_what_owners_say(tmp_path: Path, monkeypatch: Any) -> None:
    with opened(tmp_path) as rooms:
        twin, client = Twin(KEYS[0], KEYS[0]), rooms.workspace.client
        data = {"kind": "stream", "name": "s", "parent": twin.asset_id}
        parts = [create(KEYS[0], KEYS[0], data, str(number)) for number in range(3)]
        client.submit_many([twin.tip, parts[0], *(twin.next(KEYS[0]) for _ in range(80))])
        rooms.now_ms += 1000
        client.submit_many([parts[1], *(twin.next(KEYS[0]) for _ in range(80)), parts[2]])

        def read(_asset_id: str) -> Any:
            raise AssertionError("the whole history was read")

        speakers = Speakers(client)
        monkeypatch.setattr(client, "entries", read)
        for part in parts[1:]:
            verdict = speakers.of(twin.asset_id, client.required(part["id"]), TOPICS[0])
            assert verdict.why == "owner"
