"""Transactions that are nearly right, by a seeded generator."""

from __future__ import annotations

import copy
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple

from tests.rules.committed import (
    ALICE,
    BOB,
    CAROL,
    Tx,
    create,
    output,
    rehashed,
    resigned,
    transfer,
    unsigned_create,
)
from twincli.crypto import base58, conditions
from twincli.errors import TwinError
from twincli.model import owners, transaction
from twincli.model.transaction import Output, Spend

KEYS = (ALICE, BOB, CAROL)


def of(text: str, amount: int = 1) -> Output:
    """Return an output of an owner expression over alice, bob and carol."""
    names = dict(zip(("alice", "bob", "carol"), KEYS, strict=True))
    details = owners.to_details(owners.parse(text), lambda name: names[name].public_key)
    return Output(details, amount)


ODD = tuple(range(8))


def oddities(tx: Tx) -> None:
    """Make outputs that the server takes and ``strict`` refuses; the last two cannot be spent."""
    places = tx["outputs"]
    key = conditions.key_details(ALICE.public_key)
    places[0]["condition"]["uri"] = conditions.key_uri(BOB.public_key)
    places[1]["public_keys"] = [BOB.public_key, CAROL.public_key]
    places[2]["public_keys"] = None
    places[3]["amount"] = "00005"
    places[4]["condition"]["details"] = conditions.threshold_details(2, [key, key])
    places[5]["condition"]["details"] = conditions.threshold_details(1, [key])
    places[6]["condition"]["details"] = conditions.threshold_details(3, [key])
    places[7]["condition"]["details"] = conditions.threshold_details(1, [])


class Scene(NamedTuple):
    """What is committed, as ``server-2.2.2`` takes it, and transactions that are right after it."""

    before: list[Tx]
    right: list[Tx]


def scene() -> Scene:
    """Return a small history of two assets, and what may follow it."""
    data = {"car": {"vin": "WVW", "km": [1, 2.5, -3, True, None, {"é": "\u0001/\U0001f600"}]}}
    car = create(
        output(ALICE, amount=5),
        output(BOB, amount=3),
        of("2of:alice,bob,carol", 7),
        of("any:alice,(all:bob,carol)", 2),
        data=data,
        metadata={"language": "none", "n": 1},
    )
    spent = transfer((car, 0), outputs=[output(ALICE, amount=4), output(CAROL)])
    other = create(output(ALICE, amount=5), data={"other": 1})
    odd = resigned(unsigned_create(*[output(ALICE, amount=5)] * len(ODD)), oddities)
    right = [
        create(data=data, metadata={"m": [0.1, "x"]}),
        create(of("any:alice,(2of:alice,bob,carol)", 9), output(BOB, CAROL), data={"x": 1e-7}),
        transaction.sign(
            transaction.create([ALICE.public_key, BOB.public_key], [output(BOB)], None), KEYS
        ),
        transfer((car, 1), outputs=[output(BOB, amount=1), output(CAROL, amount=2)]),
        transfer((car, 2), outputs=[of("2of:alice,bob,carol", 7)], metadata={"km": 7}),
        transfer((car, 3), outputs=[output(ALICE, amount=2)]),
        transfer((spent, 0), (spent, 1), (car, 1), outputs=[output(CAROL, amount=8)]),
        transfer((other, 0), outputs=[output(ALICE, amount=5)], metadata={"language": "de"}),
        *(transfer((odd, index), outputs=[output(BOB, amount=5)]) for index in ODD[:-2]),
    ]
    return Scene([car, spent, other, odd], right)


# --- Values -----------------------------------------------------------------------------------

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, -1, 0.0, 1.0, -0.0, 1.5, 1e-7, 1e300, 99, 100, 101),
    *(2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**40),
    *(float("nan"), float("inf"), "", "0", "1", "01", "-1", "+1", " 1", "1\n", "1.0", "\u0661"),
    *("9" * 19, "9" * 20, "9" * 21, "9000000000000000000", "9000000000000000001", "0" * 20),
    *("2.0", "2.0\n", "1.0", "CREATE", "TRANSFER", "VOTE", "create", "ed25519-sha-256"),
    *("VALIDATOR_ELECTION", "CHAIN_MIGRATION_ELECTION", "threshold-sha-256", "preimage-sha-256"),
    *("\0", "\ud800", "é", "\U0001f600", "$a", "a.b", "none", "english", "klingon", "\u2028"),
    *("a" * 64, "A" * 64, "0" * 63, "0" * 65, "g" * 64, "0" * 64 + "\n", "11" * 16),
    *("1" * 43, "1" * 44, "1" * 32, "O" * 44, "l" * 43, "^" * 43, "z" * 44, "z" * 100),
    *("BurnBurnBurnBurnBurnBurnBurnBurnBurnBurnBurn", CAROL.public_key, CAROL.public_key + "\n"),
    *([], {}, [[]], [{}], {"": 1}, {"a": 1}, {"$a": 1}, {"a.b": 1}, {"a": {"\0": 1}}, [None]),
    *({"language": 1}, {"language": "klingon"}, [{"language": None}], {"language": []}),
    *({"data": None}, {"data": {}}, {"id": "a" * 64}, {"n": 2**63}, [[{"n": -(2**63) - 1}]]),
    "gAA", "oAKAAA", "oAKAA", "oAKAAB", "oQuAAIEBAKIEoAKAAA", "pAA",
    "ni:///sha-256;?fpt=ed25519-sha-256&cost=1",
    "ni:///sha-256;" + "A" * 86 + "?cost=0&cost=0&cost=0&",
    "ni:///sha-256;AAAA?fpt=preimage-sha-256&cost=1",
)  # fmt: skip
NAMES = (
    *("id", "inputs", "outputs", "operation", "metadata", "asset", "version", "data", "language"),
    *("owners_before", "fulfillment", "fulfills", "transaction_id", "output_index", "amount"),
    *("condition", "details", "uri", "public_keys", "type", "public_key", "threshold"),
    *("subconditions", "preimage", "", "$a", "a.b", "\0", "é", "x"),
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the container and the key of every member."""
    members = list(value.items() if isinstance(value, dict) else enumerate(value))
    for key, item in members:
        yield value, key
        if isinstance(item, (dict, list)):
            yield from places(item)


def other_text(rng: Random, text: str) -> str:
    """Return a text a little different."""
    at = rng.randrange(len(text) + 1)
    added = rng.choice(
        ["", "", "A", "0", "\n", "=", " ", "é", "_", "-", "+", "\0", "\0", "\0x", ".", "$"]
    )
    return rng.choice(
        [
            text[:at] + added + text[at + 1 :],
            text[:at] + added + text[at:],
            text + added,
            added + text,
            text[:at],
            text[at:],
            text.upper(),
            text.lower(),
            text + text,
            text[::-1],
        ]
    )


def other_value(rng: Random, value: Any, tx: Tx, others: list[Tx]) -> Any:
    """Return a value to stand in the place of ``value``."""
    choice = rng.randrange(10)
    if choice < 3:
        return copy.deepcopy(rng.choice(VALUES))
    if choice < 5:
        container, key = rng.choice(list(places(rng.choice([tx, *others]))))
        return copy.deepcopy(container[key])
    if isinstance(value, bool) or value is None:
        return rng.choice([0, 1, True, False, None, "null"])
    if isinstance(value, str):
        return other_text(rng, value)
    if isinstance(value, (int, float)):
        return rng.choice([value + 1, value - 1, -value, float(value), str(value), value * 2**40])
    if isinstance(value, list):
        copied = [*value, *copy.deepcopy(value)]
        rng.shuffle(copied)
        return copied[: rng.randrange(len(copied) + 1)]
    return [value] if choice < 8 else {**value, rng.choice(NAMES): rng.choice(VALUES)}


# --- Fulfillments -----------------------------------------------------------------------------


def items(data: bytes) -> list[tuple[int, bytes]] | None:
    """Return tags and contents of DER with short tags, or None if it is none."""
    found = []
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            return None
        tag, size = data[at], data[at + 1]
        at += 2
        if size > 127:
            count = size & 127
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + size > len(data):
            return None
        found.append((tag, data[at : at + size]))
        at += size
    return found


def written(rng: Random, tag: int, content: bytes, change: float) -> bytes:
    """Return one DER item; with a chance of ``change`` not in its one encoding."""
    size = len(content)
    head = bytes((tag,))
    if rng.random() < change and tag & 0x1F != 0x1F:
        head = rng.choice([head, head, bytes((tag | 0x1F, tag & 0x1F)), bytes((tag ^ 0x20,))])
    if size < 128 and rng.random() >= change:
        return head + bytes((size,)) + content
    count = max(1, (size.bit_length() + 7) // 8)
    if rng.random() < change:
        if tag & 0x20 and rng.random() < 0.2:
            return head + b"\x80" + content + b"\0\0"
        count += rng.choice([0, 1, 2, 3, 4, 8])
    return head + bytes((128 | count,)) + size.to_bytes(count, "big") + content


def other_der(rng: Random, data: bytes, change: float) -> bytes:
    """Return DER with items dropped, doubled, moved, altered or written in other ways."""
    found = items(data)
    if not found:
        return data
    if rng.random() < change:
        kind = rng.randrange(7)
        at = rng.randrange(len(found))
        tag, content = found[at]
        if kind == 0:
            found.pop(at)
        elif kind == 1:
            found.insert(rng.randrange(len(found) + 1), found[at])
        elif kind == 2:
            rng.shuffle(found)
        elif kind == 3:
            found[at] = ((tag & 0xE0) | rng.randrange(8), content)
        elif kind == 4:
            found[at] = (
                tag,
                rng.choice([b"", b"\0", b"\0" + content, content + b"\0", content[1:]]),
            )
        elif kind == 5 and content:
            flip = rng.randrange(len(content))
            found[at] = (tag, content[:flip] + bytes((rng.randrange(256),)) + content[flip + 1 :])
        elif kind == 6:
            found.append((rng.choice([0x04, 0x80, 0x81, 0x82, 0xA0, 0xA2]), b""))
    return b"".join(
        written(rng, tag, other_der(rng, content, change) if tag & 0x20 else content, change)
        for tag, content in found
    )


def other_fulfillment(rng: Random, text: str) -> str:
    """Return a fulfillment that is nearly ``text``."""
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    kind = rng.randrange(10)
    if kind == 0 and rng.random() < 0.5:
        at = rng.randrange(len(text) + 1)
        return (
            text[:at] + "\0" + rng.choice(["", "===", "+/=", "\n", "\0\0\0", "é", "A"]) + text[at:]
        )
    if kind == 0:
        data += rng.randbytes(rng.randrange(4))
    elif kind == 1:
        data = data[: rng.randrange(len(data) + 1)]
    elif kind == 2:
        at = rng.randrange(len(data))
        data = data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]
    elif kind == 3:
        parts = [conditions.parse(text, strict=False)]
        for _ in range(rng.choice([0, 0, 1, 2, 3])):  # more, and the server computes for hours
            parts = [conditions.ThresholdFulfillment(parts, [])]
        other = [conditions.key_condition(CAROL.public_key)] * rng.randrange(3)
        data = conditions.ThresholdFulfillment(parts * rng.randrange(3), other).encode()
    elif kind == 4:
        parsed = conditions.parse(text, strict=False)
        if isinstance(parsed, conditions.ThresholdFulfillment):
            shown = list(parsed.fulfillments)
            hidden: list[conditions.Condition] = list(parsed.conditions)
            if rng.random() < 0.5:
                hidden.append(shown.pop().condition)
            rng.shuffle(shown)
            data = conditions.ThresholdFulfillment(shown * rng.choice([1, 1, 2]), hidden).encode()
    elif kind == 5:
        parsed = conditions.parse(text, strict=False)
        size = rng.choice([0, 32, 255, 2**31, 2**32 - 1, 2**32, 2**64])
        data = conditions.PrefixFulfillment(rng.choice([b"", b"x"]), size, parsed).encode()
    elif kind == 6:
        data = conditions.PreimageFulfillment(rng.randbytes(rng.choice([0, 1, 200]))).encode()
    else:
        data = other_der(rng, data, rng.choice([0.02, 0.1, 0.3]))
    return urlsafe_b64encode(data).rstrip(b"=").decode()


# --- Conditions -------------------------------------------------------------------------------


def other_output(rng: Random, entry: Any) -> None:
    """Change an output's condition and keep it whole, as far as it can be told."""
    details = entry["condition"]["details"]
    for container, key in list(places(details)):
        if key == "threshold" and rng.random() < 0.5:
            container[key] = rng.choice([0, 1, 2, 3, 4, 100, 101])
        if key == "subconditions" and rng.random() < 0.3:
            container[key] = rng.choice([[], container[key][:1], container[key] * 2])
        if key == "public_key" and rng.random() < 0.3:
            raw = rng.choice([rng.randbytes(32), bytes(32), b"\x01" + bytes(31), b"\xff" * 32])
            container[key] = base58.encode_key(raw)
    if rng.random() < 0.2:
        nest = rng.choice([1, 2, 97, 98, 99, 100, 101])
        for _ in range(nest):
            details = conditions.threshold_details(1, [details])
    entry["condition"]["details"] = details
    entry["public_keys"] = list(dict.fromkeys(conditions.leaf_keys(details)))
    with suppress(TwinError):
        entry["condition"]["uri"] = conditions.from_details(details).uri


# --- Transactions -----------------------------------------------------------------------------


def signed_again(tx: Tx, known: dict[str, Tx]) -> Tx:
    """Return a changed transaction with signatures of whoever may spend what it spends."""
    unsigned = copy.deepcopy(tx)
    for entry in unsigned["inputs"]:
        fulfills = entry["fulfills"]
        if fulfills is None:
            details = owners.of_keys(list(entry["owners_before"]))
        else:
            spend = Spend.of(known[fulfills["transaction_id"]], fulfills["output_index"])
            details = spend.details
        entry["fulfillment"] = details
    return transaction.sign(unsigned, KEYS)


def mutate(rng: Random, tx: Tx, stage: Scene) -> Tx:
    """Return ``tx`` changed in one place or a few, sometimes hashed and signed anew."""
    tx = copy.deepcopy(tx)
    others = stage.before + stage.right
    kind = rng.randrange(12)
    if kind < 3:
        entry = rng.choice(tx["inputs"])
        entry["fulfillment"] = other_fulfillment(rng, entry["fulfillment"])
    elif kind < 5:
        other_output(rng, rng.choice(tx["outputs"]))
    elif kind < 6:
        entry = rng.choice(tx["inputs"])
        if entry["fulfills"]:
            spent = rng.choice(others)
            entry["fulfills"] = {
                "transaction_id": spent["id"],
                "output_index": rng.randrange(len(spent["outputs"]) + 1),
            }
            tx["asset"] = rng.choice([tx["asset"], {"id": spent["id"]}])
        else:
            entry["owners_before"] = [key.public_key for key in rng.sample(KEYS, rng.randrange(4))]
    else:
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            container, key = rng.choice(list(places(tx)))
            action = rng.randrange(8)
            if action == 0:
                del container[key]
            elif action == 1 and isinstance(container, dict):
                container[rng.choice(NAMES)] = copy.deepcopy(rng.choice(VALUES))
            elif action == 1:
                container.insert(rng.randrange(len(container) + 1), copy.deepcopy(container[key]))
            elif action == 2 and isinstance(container, dict):
                container[rng.choice(NAMES)] = container.pop(key)
            else:
                container[key] = other_value(rng, container[key], tx, others)
            if not tx:
                break
    return finished(rng, tx, {each["id"]: each for each in stage.before + stage.right})


def finished(rng: Random, tx: Tx, known: dict[str, Tx]) -> Tx:
    """Give most of what was changed an id that fits, and signatures that may."""
    steps: list[Callable[[], Tx]] = [lambda: tx, lambda: rehashed(tx), lambda: rehashed(tx)]
    steps += [lambda: signed_again(tx, known)] * 3
    for step in (rng.choice(steps), steps[1]):
        try:
            return step()
        except (TwinError, LookupError, TypeError, ValueError, AttributeError, RecursionError):
            continue
    return tx


def texts(seed: int, count: int, stage: Scene) -> Iterator[str]:
    """Yield bodies of POST requests."""
    rng = Random(seed)
    for _ in range(count):
        yield json.dumps(mutate(rng, rng.choice(stage.right), stage))
