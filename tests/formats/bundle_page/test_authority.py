"""Python and the page judge whose word counts alike, whatever the history of a twin."""

from __future__ import annotations

import json
from collections.abc import Collection
from random import Random
from typing import Any

import pytest

from tests.formats.bundle_page.conftest import Ask
from twincli.crypto.ed25519 import KeyPair
from twincli.model import did, record, times, transaction
from twincli.model.owners import of_keys, parse, to_details
from twincli.rules.authority import LAST, Authority, Place, Topic

PAIRS = {name: KeyPair.from_seed(bytes([number]) * 32) for number, name in enumerate("abcd")}
KEYS = [pair.public_key for pair in PAIRS.values()]
DIDS = [did.key_did(key) for key in KEYS]
OWNERS = ("a", "b", "c", "all:a,b", "any:a,b", "2of:a,b,c", "any:b,c")
NAMES = ("fuel", "way", "gps")
KINDS = ("event", "maintenance", "append", "reading", "link")
ROLES = ("writer", "writer", "writer", "viewer")
BEGAN_MS = 1_700_000_000_000


class _History:
    """A twin's life, as it might have been: everything in it is valid, little of it is usual."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.steps: list[dict[str, Any]] = []
        self.own: list[str] = []
        self.height = 1
        self.unspent: list[tuple[transaction.Spend, int, list[str]]] = []
        owners, amount = self.owners(), random.choice((1, 4))
        data = {"twin": record.envelope("asset", entity=random.choice([None, *KEYS]))}
        signer = random.choice([*owners[0], random.choice("abcd")])
        create = transaction.create(
            [PAIRS[signer].public_key], [transaction.Output(owners[1], amount)], data
        )
        self.twin = self.write(transaction.sign(create, [PAIRS[signer]]))
        self.hold(self.steps[0]["tx"], [(owners, amount)])
        self.children: dict[str, list[str]] = {}

    def owners(self) -> tuple[list[str], dict[str, Any]]:
        """Return keys that suffice to spend, and the condition."""
        text = self.random.choice(OWNERS)
        names = [name for name in text.split(":")[-1].split(",") if name in PAIRS]
        enough = {"any": 1, "2of": 2}.get(text.partition(":")[0], len(names))
        details = to_details(parse(text), lambda name: PAIRS[name].public_key)
        return self.random.sample(names, enough), details

    def write(self, tx: dict[str, Any], *, is_part: bool = False) -> str:
        self.height += self.random.choice((0, 1, 1))
        place = {"height": self.height, "timeMs": self.time(self.height)}
        self.steps.append({"tx": tx, "isPart": is_part, "number": len(self.steps), **place})
        return str(tx["id"])

    def time(self, height: int) -> int:
        return BEGAN_MS + 1000 * height

    def hold(self, tx: dict[str, Any], made: list[tuple[tuple[list[str], Any], int]]) -> None:
        for index, ((enough, _), amount) in enumerate(made):
            self.unspent.append((transaction.Spend.of(tx, index), amount, enough))

    def go_on(self) -> None:
        random = self.random
        if random.random() < 0.25:
            signer = random.choice("abcd")
            envelope = record.envelope(random.choice(("asset", "stream", "odd")), parent=self.twin)
            output = transaction.Output(of_keys([PAIRS[signer].public_key]))
            facts = {"twin": envelope, "number": len(self.steps)}
            create = transaction.create([PAIRS[signer].public_key], [output], facts)
            child = self.write(transaction.sign(create, [PAIRS[signer]]), is_part=True)
            self.children[child] = random.sample(KEYS, random.choice((1, 1, 2)))
            return
        spent = random.sample(self.unspent, random.randint(1, min(2, len(self.unspent))))
        total = sum(amount for _, amount, _ in spent)
        self.unspent = [one for one in self.unspent if one not in spent]
        same = random.random() < 0.6 and len(spent) == 1
        parts = [total] if total == 1 or random.random() < 0.6 else [1, total - 1]
        made: list[tuple[tuple[list[str], Any], int]] = [
            ((spent[0][2], spent[0][0].details) if same else self.owners(), part) for part in parts
        ]
        said = self.envelope()
        metadata = None if said is None else {"twin": said}
        tx = transaction.transfer(
            [spend for spend, _, _ in spent],
            [transaction.Output(details, amount) for (_, details), amount in made],
            self.twin,
            metadata,
        )
        signers = {name for _, _, enough in spent for name in enough}
        signed = transaction.sign(tx, [PAIRS[name] for name in sorted(signers)])
        self.own.append(self.write(signed))
        self.hold(signed, made)

    def envelope(self) -> dict[str, Any] | None:
        random = self.random
        kind = random.choice(
            ("grant",) * 9 + ("link",) * 4 + ("revoke",) * 4 + ("transfer", "append", "odd", None)
        )
        if kind is None:
            return None
        made = record.envelope(kind, body=self.body(kind))
        if random.random() < 0.03:
            made["v"] = 2
        if random.random() < 0.4:
            made["keeps"] = random.choice((self.named(), [*self.named(), 5], "all"))
        return made

    def named(self) -> list[str]:
        known = [*self.own, *self.children, *self.children]
        return self.random.sample(known, min(len(known), self.random.randint(0, 3)))

    def body(self, kind: str) -> Any:
        random = self.random
        if random.random() < 0.05:
            return random.choice((None, [], "x", {}))
        at = random.choice((*[self.time(self.height + random.randint(-3, 5))] * 5, None))
        moment = "soon" if at is None else times.to_text(at)
        one = random.choice([*self.named(), "f" * 64])
        child = random.choice([*self.children, one])
        body: dict[str, Any] = {}
        if kind == "grant":
            to = random.choice((*DIDS, f"did:bdb:{one}", "bob"))
            body = {"to": [random.choice(DIDS), to], "role": random.choice(ROLES)}
            for name, values in (("kinds", KINDS), ("fields", NAMES), ("streams", NAMES)):
                if random.random() < 0.3:
                    body[name] = random.choice((random.sample(values, 2), [5], None, []))
            if random.random() < 0.4:
                body["until"] = moment
        elif kind == "link":
            body = {"verb": random.choice(("part", "stream", "feeds")), "to": child}
        elif kind == "transfer":
            body = {"entity": random.choice((*KEYS, "", 5))}
        elif kind == "revoke":
            body = random.choice(
                (
                    {"all": random.choice((True, False))},
                    {"grant": one},
                    {"grant": one},
                    {"grant": child, "verb": random.choice(("part", "stream", 5))},
                    {"from": [random.choice((*DIDS, *DIDS, f"did:bdb:{one}", "bob"))]},
                )
            )
            if random.random() < 0.3:
                body = {**body, "since": moment}
        return body

    def question(self) -> dict[str, Any]:
        """Return something that somebody may say about the twin somewhere."""
        random = self.random
        height = random.randint(0, self.height + 2)
        number = random.choice((None, None, random.randrange(len(self.steps) + 1)))
        return {
            "keys": random.sample(KEYS, random.choice((1, 1, 1, 2, 3))),
            "height": height,
            "number": number,
            "timeMs": random.choice((self.time(height), self.time(height), None)),
            "claimedMs": random.choice((None, self.time(random.randint(0, self.height)))),
            "kind": random.choice(KINDS),
            "fields": random.sample(NAMES, random.randint(0, 2)),
            "stream": random.choice((None, *NAMES)),
        }


def _agree(ask: Ask, seed: int) -> set[str]:
    """Return the standings that both found in a history."""
    random = Random(seed)
    history = _History(random)
    for _ in range(random.randint(3, 14)):
        history.go_on()
    asked = [history.question() for _ in range(100)]
    authority = Authority()
    for step in history.steps:
        place = Place(step["height"], step["number"], step["timeMs"])
        (authority.add_child if step["isPart"] else authority.add)(step["tx"], place)

    def controls(child: str, able: Collection[str]) -> bool:
        return set(history.children.get(child, ["nobody"])) <= set(able)

    mine: list[tuple[str, bool]] = []
    for one in asked:
        place = Place(
            one["height"], LAST if one["number"] is None else one["number"], one["timeMs"]
        )
        topic = Topic(one["kind"], frozenset(one["fields"]), one["stream"])
        verdict = authority.judge(
            one["keys"], place, topic, one["claimedMs"], authority.children, controls
        )
        mine.append((verdict.standing, verdict.via is None))
    steps = [{**step, "tx": json.dumps(step["tx"])} for step in history.steps]
    theirs = ask("authority", steps=steps, asked=asked, children=history.children)
    for one, ours, found in zip(asked, mine, theirs, strict=True):
        assert tuple(found) == ours, (seed, one)
    return {standing for standing, _ in mine}


def _many(ask: Ask, seeds: range) -> None:
    found: set[str] = set()
    for seed in seeds:
        found |= _agree(ask, seed)
    assert found == {
        "authorised",
        "claimed_by_entity",
        "unauthorised",
        "revoked",
        "undetermined",
    }


def test_thirty_histories(ask: Ask) -> None:
    _many(ask, range(60, 90))


@pytest.mark.ci
def test_eight_hundred_histories(ask: Ask) -> None:
    _many(ask, range(1000, 1800))
