"""What the worst inputs of strangers cost, as ratios to an honest one of the same size.

    uv run python -m benchmarks.costs           about a minute
    uv run python -m benchmarks.costs --quick   small inputs, to see that it works
    uv run python -m benchmarks.costs --write   also into RESULTS.md

An input is a text; its cost is the processor time to parse it, check it and verify its signatures
under ``strict``, whether it passes or not. Each is compared with an honest input of the same kind:
data with data, owners with owners, inputs with inputs, a partly signed file with another.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.report import Figure, arguments, report
from twincli.crypto import base58, canonical, conditions, ed25519
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import TwinError
from twincli.model import transaction
from twincli.rules import partial, structure, validity

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = KeyPair(bytes(range(32)))
OWNER = conditions.key_details(KEY.public_key)
BUDGET = 20
FULL, QUICK = 1_000_000, 50_000


class Shape(NamedTuple):
    """A way to be dear.

    Attributes:
        name: Says which.
        kind: Of the honest input that it is compared with.
        make: Returns the text, of about so many bytes.
    """

    name: str
    kind: str
    make: Callable[[int], str]


# --- Judging -------------------------------------------------------------------------------------


class Empty:
    """A ledger on which every output that is asked for is there, unspent, and KEY's."""

    def __init__(self, asset: str) -> None:
        output = structure.CheckedOutput(
            1, conditions.key_condition(KEY.public_key), (KEY.public_key,)
        )
        self._known = validity.Known(asset, [output] * 100)

    def known(self, tx_id: str) -> validity.Known | None:
        return self._known if tx_id.startswith("0" * 60) else None

    def spender(self, tx_id: str, output_index: int) -> str | None:
        del tx_id, output_index
        return None


def judge(text: str) -> None:
    """Do with a text what a writer does, short of the database."""
    value = canonical.decode(text)
    if partial.is_partial(value):
        partial.read(value)
    else:
        checked = structure.check(value)
        validity.judge(checked, Empty(checked.asset_id), structure.STRICT)


def forget() -> None:
    """Empty the caches: every key is new to a node once."""
    for cache in (
        *(base58.decode_key, base58.encode_key, conditions.key_condition),
        *(structure.is_owner, ed25519.is_point),
    ):
        cache.cache_clear()


def cost(text: str) -> float:
    """Return the least processor seconds of three runs."""
    best = float("inf")
    for _ in range(3):
        forget()
        start = time.process_time()
        with contextlib.suppress(TwinError):
            judge(text)
        best = min(best, time.process_time() - start)
    return best


# --- Transactions --------------------------------------------------------------------------------


def keys(count: int) -> list[str]:
    """Return public keys that were never seen."""
    return [KeyPair(os.urandom(32)).public_key for _ in range(count)]


def written(tx: dict[str, Any]) -> str:
    """Return a transaction as text, with the id that belongs to it where it can have one."""
    try:
        tx = {**tx, "id": transaction.transaction_id(tx)}
    except TwinError:
        tx = {**tx, "id": "0" * 64}
    return json.dumps(tx, separators=(",", ":"))


def created(data: Any, **changes: Any) -> str:
    """Return a signed CREATE of data, whatever they are."""
    tx = transaction.create([KEY.public_key], [transaction.Output(OWNER)], None)
    tx["asset"]["data"] = data
    try:
        tx = transaction.sign(tx, [KEY])
    except TwinError:
        tx["inputs"][0]["fulfillment"] = "pGSA"
    return written({**tx, **changes})


def fulfilled(fulfillment: bytes) -> str:
    """Return a CREATE with a fulfillment in DER, signed by whatever it says."""
    tx = transaction.create([KEY.public_key], [transaction.Output(OWNER)], {"a": 1})
    tx["inputs"][0]["fulfillment"] = urlsafe_b64encode(fulfillment).rstrip(b"=").decode()
    return written(tx)


def owned(details: dict[str, Any], public_keys: list[str]) -> str:
    """Return a CREATE with one output of other details."""
    tx = transaction.create([KEY.public_key], [transaction.Output(OWNER)], {"a": 1})
    tx["outputs"][0]["condition"]["details"] = details
    tx["outputs"][0]["public_keys"] = public_keys
    return written(transaction.sign(tx, [KEY]))


def many_outputs(size: int) -> str:
    outputs = [transaction.Output(conditions.key_details(key)) for key in keys(size // 330)]
    return written(transaction.sign(transaction.create([KEY.public_key], outputs, {"a": 1}), [KEY]))


def many_inputs(size: int) -> str:
    count = size // 450
    spends = [
        transaction.Spend(f"{number:064x}", 0, OWNER, (KEY.public_key,)) for number in range(count)
    ]
    tx = transaction.transfer(spends, [transaction.Output(OWNER, count)], "0" * 64, {"a": 1})
    return written(transaction.sign(tx, [KEY]))


def tlv(tag: int, content: bytes) -> bytes:
    """Return an item in DER."""
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 128 | len(length))) + length + content


def nested(inner: Any, depth: int, around: Callable[[Any], Any]) -> Any:
    for _ in range(depth):
        inner = around(inner)
    return inner


def threshold(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return conditions.threshold_details(1, parts)


def new_owners(size: int) -> str:
    found = keys(size // 140)
    return owned(threshold([conditions.key_details(key) for key in found]), found)


def deep_details(parts: list[dict[str, Any]]) -> Any:
    return nested(threshold(parts), 98, lambda inner: threshold([inner]))


# --- Partly signed files -------------------------------------------------------------------------


def handed_round(details: dict[str, Any], public_keys: list[str], signatures: Any = ()) -> str:
    """Return a partly signed CREATE whose issuers are named by details."""
    tx = transaction.create([KEY.public_key], [transaction.Output(OWNER)], {"a": 1})
    tx["inputs"][0] |= {"owners_before": public_keys, "fulfillment": details}
    digest = canonical.sha3_hex(transaction.message(tx))
    document = {
        "schema": partial.SCHEMA,
        "body_digest": digest,
        "ledger": None,
        "transaction": tx,
        "signatures": list(signatures),
        "transactions": [],
    }
    return json.dumps(document, separators=(",", ":"))


def issuers(size: int, *, depth: int = 0) -> str:
    """Return a file that many keys have to sign: 100 a group, groups nested as given."""
    found = keys(size // 125)
    groups = [
        conditions.threshold_details(len(part), [conditions.key_details(key) for key in part])
        for part in (found[at : at + 100] for at in range(0, len(found), 100))
    ]
    while len(groups) > 1:
        groups = [
            conditions.threshold_details(len(part), part)
            for part in (groups[at : at + 100] for at in range(0, len(groups), 100))
        ]
    around = nested(groups[0], depth, lambda inner: conditions.threshold_details(1, [inner]))
    return handed_round(around, found)


def signed_again(size: int) -> str:
    tx = transaction.create([KEY.public_key], [transaction.Output(OWNER)], {"a": 1})
    digest = transaction.input_digest(transaction.message(tx), None)
    entry = {
        "input": 0,
        "public_key": KEY.public_key,
        "signature": base58.encode(KEY.sign(digest)),
    }
    return handed_round(OWNER, [KEY.public_key], [entry] * (size // 170))


# --- Shapes --------------------------------------------------------------------------------------


def plain_data(size: int) -> str:
    item = {"at": "2024-01-20T09:00:00Z", "load": 17, "unit": "kW", "rate": 0.25, "ok": True}
    return created({"readings": [item] * (size // 75)})


def long_key(last: Any, **more: Any) -> Callable[[int], str]:
    return lambda size: created({"k" * (size // 2): [1] * (size // 4) + [last], **more})


def prefixed(size: int) -> bytes:
    """Return many signatures behind one long prefix, which each of them has to hash."""
    part = conditions.KeyFulfillment(KEY.public_bytes, bytes(64))
    parts = conditions.ThresholdFulfillment([part] * (size // 280), [])
    return conditions.PrefixFulfillment(bytes(size // 4), 0, parts).encode()


def rsa(size: int) -> bytes:
    part = conditions.RsaFulfillment(b"\xff" * 2048, b"\xfe" * 2048)
    return conditions.ThresholdFulfillment([part] * (size // 5500), []).encode()


def hidden(size: int) -> bytes:
    part = conditions.Condition(4, bytes(32), 131072)
    shown = conditions.KeyFulfillment(KEY.public_bytes, bytes(64))
    return conditions.ThresholdFulfillment([shown], [part] * (size // 56)).encode()


HONEST: dict[str, Callable[[int], str]] = {
    "data": plain_data,
    "owners": many_outputs,
    "inputs": many_inputs,
    "file": issuers,
}

SHAPES = [
    Shape("a long key over numbers, one too large", "data", long_key(2**70)),
    Shape("a long key over numbers and a language", "data", long_key(1, language="en")),
    Shape("a long key over numbers and a forbidden key", "data", long_key(1, **{"$": 1})),
    Shape("a long key over numbers and half a surrogate pair", "data", long_key("\ud800")),
    Shape(
        "a long key over texts and one escape",
        "data",
        lambda size: created({"k": "\\" * (size // 4) + "\x01"}),
    ),
    Shape("control characters", "data", lambda size: created({"k": "\x1f" * (size // 6)})),
    Shape(
        "many keys",
        "data",
        lambda size: created({f"{number:x}": 0 for number in range(size // 9)}),
    ),
    Shape(
        "many keys, and one that is forbidden",
        "data",
        lambda size: created({f"{number:x}": 0 for number in range(size // 9)} | {"a.b": 0}),
    ),
    Shape(
        "many languages",
        "data",
        lambda size: created({"k": [*[{"language": "en"}] * (size // 18), 2**70]}),
    ),
    Shape(
        "nesting, as deep as allowed",
        "data",
        lambda size: created({"k": [nested(0, 480, lambda x: [x])] * (size // 962)}),
    ),
    Shape(
        "nesting of long keys",
        "data",
        lambda size: created(
            nested([0] * (size // 4) + [2**70], 480, lambda x: {"k" * (size // 1000): x})
        ),
    ),
    Shape(
        "nesting, deeper than allowed",
        "data",
        lambda size: created({"k": [nested(0, 502, lambda x: [x])] * (size // 1006)}),
    ),
    Shape("long numbers", "data", lambda size: created({"k": [10**4000] * (size // 4001)})),
    Shape("fractions", "data", lambda size: created({"k": [0.1234567890123456] * (size // 19)})),
    Shape("a long version", "data", lambda size: created({}, version="2.0\0" + "x" * size)),
    Shape("a long operation", "data", lambda size: created({}, operation="x" * size)),
    Shape("a field that is not one", "data", lambda size: created({}, **{"x" * size: 1})),
    Shape(
        "an id of runs of hex",
        "data",
        lambda size: created(
            {}, operation="TRANSFER", asset={"id": ("a" * 63 + "g") * (size // 64)}
        ),
    ),
    Shape(
        "a key of runs of letters",
        "data",
        lambda size: owned(conditions.key_details(("a" * 42 + "-") * (size // 43)), []),
    ),
    Shape(
        "a condition's URI of digits",
        "data",
        lambda size: created(
            {},
            outputs=[
                {
                    "amount": "1",
                    "public_keys": [KEY.public_key],
                    "condition": {
                        "details": OWNER,
                        "uri": "ni:///sha-256;?fpt=ed25519-sha-256&cost=" + "1" * size + "x",
                    },
                }
            ],
        ),
    ),
    Shape(
        "one owner many times",
        "owners",
        lambda size: owned(threshold([OWNER] * (size // 90)), [KEY.public_key]),
    ),
    Shape(
        "new owners in one threshold",
        "owners",
        new_owners,
    ),
    Shape(
        "owners 98 levels deep",
        "owners",
        lambda size: owned(deep_details([OWNER] * (size // 90)), [KEY.public_key]),
    ),
    Shape(
        "owners 98 levels deep, the last wrong",
        "owners",
        lambda size: owned(deep_details([OWNER] * (size // 90) + [{}]), [KEY.public_key]),
    ),
    Shape("names of new keys", "owners", lambda size: owned(OWNER, keys(size // 47))),
    Shape("a long preimage", "inputs", lambda size: fulfilled(tlv(0xA0, tlv(0x80, bytes(size))))),
    Shape(
        "a preimage in pieces",
        "inputs",
        lambda size: fulfilled(tlv(0xA0, tlv(0xA0, b"\x04\x00" * (size * 3 // 8)))),
    ),
    Shape("many signatures behind a prefix", "inputs", lambda size: fulfilled(prefixed(size))),
    Shape(
        "prefixes of prefixes",
        "inputs",
        lambda size: fulfilled(
            nested(
                conditions.KeyFulfillment(KEY.public_bytes, bytes(64)),
                90,
                lambda part: conditions.PrefixFulfillment(bytes(size // 130), 0, part),
            ).encode()
        ),
    ),
    Shape("RSA signatures", "inputs", lambda size: fulfilled(rsa(size))),
    Shape("many unfulfilled conditions", "inputs", lambda size: fulfilled(hidden(size))),
    Shape(
        "fulfillments 90 levels deep",
        "inputs",
        lambda size: fulfilled(
            nested(
                conditions.ThresholdFulfillment(
                    [], [conditions.Condition(4, bytes(32), 1)] * (size // 60)
                ),
                90,
                lambda part: conditions.ThresholdFulfillment([part], []),
            ).encode()
        ),
    ),
    Shape("issuers 80 levels deep", "file", lambda size: issuers(size, depth=80)),
    Shape("one signature many times", "file", signed_again),
]


def figures(*, quick: bool) -> list[Figure]:
    size = QUICK if quick else FULL
    honest = {}
    for kind, make in HONEST.items():
        text = make(size)
        honest[kind] = cost(text) / len(text)
    found = []
    for shape in SHAPES:
        text = shape.make(size)
        seconds = cost(text)
        ratio = seconds / len(text) / honest[shape.kind]
        detail = f"{len(text):,} bytes, {seconds * 1000:.1f} ms"
        found.append(Figure(shape.name, ratio, BUDGET, f"x honest {shape.kind}", detail))
    return found


def main() -> None:
    options = arguments(__doc__).parse_args()
    report(figures(quick=options.quick), write=options.write)


if __name__ == "__main__":
    main()
