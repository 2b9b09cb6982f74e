"""``append_many`` builds text directly; here strangers judge what it made."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ledger.chains import ALICE, BOB, chain, create, owned, spend
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConflictError, InvalidError, LockedError, NotFoundError
from twincli.ledger import Ledger
from twincli.model import transaction
from twincli.model.transaction import Output, Spend

_key = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$.\0"), max_size=8)
_keys = _key.filter(lambda key: key not in {"language", "twin"})
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(_keys, children, max_size=3),
    max_leaves=6,
)
_metadata = st.none() | st.dictionaries(_keys, _values, min_size=1, max_size=4)


@given(
    st.lists(_metadata, min_size=1, max_size=6),
    st.integers(1, 9_000_000_000_000_000_000),
    st.integers(1, 4),
)
def test_what_it_makes_is_accepted_as_a_strangers_and_equals_the_plain_way(
    metadatas: list[dict[str, Any] | None], amount: int, commit_every: int
) -> None:
    first = create(outputs=[owned(ALICE, amount=amount)])
    with Ledger.open(":memory:") as ours, Ledger.open(":memory:") as theirs:
        ours.submit(first)
        ids = ours.append_many(ALICE, first["id"], metadatas, commit_every=commit_every)
        made = ours.transactions(first["id"])
        assert [tx["id"] for tx in made[1:]] == ids
        assert [tx["metadata"] for tx in made[1:]] == metadatas
        assert theirs.submit_each(made) == [1] * len(made)
        # The text that is stored is the same byte for byte.
        assert list(theirs.bodies(first["id"])) == list(ours.bodies(first["id"]))
        plain = first
        for metadata, tx in zip(metadatas, made[1:], strict=True):
            unsigned = transaction.transfer(
                [Spend.of(plain)],
                [Output(first["outputs"][0]["condition"]["details"], amount)],
                first["id"],
                metadata,
            )
            plain = transaction.sign(unsigned, [ALICE])
            assert plain == tx
        assert ours.verify().problems == []
        heights = {entry.height for entry in ours.entries(first["id"])}
        assert len(heights) == 1 + -(-len(metadatas) // commit_every)


def test_it_goes_on_from_a_transfer_and_from_output_1() -> None:
    first = create(outputs=[owned(ALICE, amount=2), owned(BOB, amount=3)])
    merged = spend((first, 0), (first, 1), signers=[ALICE, BOB], outputs=[owned(BOB, amount=5)])
    with Ledger.open(":memory:") as ledger, Ledger.open(":memory:") as theirs:
        ledger.submit(first)
        with pytest.raises(ConflictError) as caught:
            ledger.append_many(ALICE, first["id"], [{"n": 1}])
        assert caught.value.code == "several_outputs"
        ledger.submit(merged)
        ledger.append_many(BOB, first["id"], [{"n": 1}, None])
        ledger.append_many(BOB, first["id"], [{"n": 2}])
        txs = ledger.transactions(first["id"])
        assert len(txs) == 5
        assert theirs.submit_each(txs) == [1] * 5
        assert [s.transaction_id for s in ledger.unspent(first["id"])] == [txs[-1]["id"]]


def test_only_the_one_owner_may_append() -> None:
    first = create()
    shared = create(outputs=[owned(ALICE, BOB)])
    with Ledger.open(":memory:") as ledger:
        ledger.submit_many([first, shared])
        for key, asset in ((BOB, first), (ALICE, shared)):
            with pytest.raises(LockedError) as caught:
                ledger.append_many(key, asset["id"], [{"n": 1}])
            assert caught.value.code == "missing_signature"
        with pytest.raises(NotFoundError):
            ledger.append_many(ALICE, "f" * 64, [{"n": 1}])
        assert ledger.tip().height == 1


class Chip:
    """A signer whose signatures nobody has reason to trust."""

    def __init__(self, key: KeyPair, wrong_from: int = 99) -> None:
        self.public_key = key.public_key
        self.key = key
        self.wrong_from = wrong_from
        self.count = 0

    def sign(self, message: bytes) -> bytes:
        self.count += 1
        if self.count >= self.wrong_from:
            return bytes(64)
        return self.key.sign(message)


def test_a_foreign_signer_is_checked() -> None:
    first = create()
    with Ledger.open(":memory:") as ledger:
        ledger.submit(first)
        ledger.append_many(Chip(ALICE), first["id"], [{"n": 1}, {"n": 2}])
        with pytest.raises(InvalidError, match=r"^append 2: ") as caught:
            ledger.append_many(Chip(ALICE, wrong_from=2), first["id"], [{"n": 3}, {"n": 4}])
        assert caught.value.code == "invalid_signature"
        assert ledger.count(first["id"]) == 3
        assert ledger.verify().problems == []


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"$bad": 1}, "validation_error"),
        ({"a": {"b.c": 1}}, "validation_error"),
        ({"language": "klingon"}, "validation_error"),
        ({"n": 2**63}, "overflow_error"),
        ({"x": float("nan")}, "unencodable"),
        ({"x": "\ud800"}, "unencodable"),
        ({"\ud800": 1}, "unencodable"),
        ({1: "x"}, "unencodable"),
        ({}, "schema_validation_error"),
        ([], "schema_validation_error"),
        ("text", "schema_validation_error"),
    ],
)
def test_every_other_rule_runs_and_whole_commits_before_a_fault_stay(
    metadata: Any, code: str
) -> None:
    first = create()
    with Ledger.open(":memory:") as ledger:
        ledger.submit(first)
        with pytest.raises(InvalidError, match=r"^append 5: ") as caught:
            ledger.append_many(
                ALICE, first["id"], [*({"n": n} for n in range(4)), metadata], commit_every=2
            )
        assert caught.value.code == code
        assert ledger.count(first["id"]) == 5
        # What was rolled back is forgotten, what was committed is the tip.
        ledger.append_many(ALICE, first["id"], [{"n": 9}])
        assert ledger.verify().problems == []
        state = ledger.replay(first["id"])
        assert state is not None
        assert state.common == {"n": 9}


def test_once_tokens_are_kept() -> None:
    first = create()
    envelope = {"v": 1, "kind": "append", "once": "token"}
    with Ledger.open(":memory:") as ledger:
        ledger.submit(first)
        ids = ledger.append_many(ALICE, first["id"], [{"n": 1, "twin": envelope}])
        assert ledger.once(first["id"], "token") == [(frozenset({ALICE.public_key}), ids[0])]


def test_many_appends_are_read_in_pages() -> None:
    txs = chain(1)
    with Ledger.open(":memory:") as ledger:
        ledger.submit(txs[0])
        ids = ledger.append_many(ALICE, txs[0]["id"], ({"n": n} for n in range(2500)))
        found = [tx["id"] for tx in ledger.iter_transactions(txs[0]["id"])]
        assert found == [txs[0]["id"], *ids]
        after = list(ledger.iter_transactions(txs[0]["id"], after=ids[1499]))
        assert [tx["id"] for tx in after] == ids[1500:]
