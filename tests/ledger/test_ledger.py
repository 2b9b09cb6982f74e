"""The ledger's promised seams, in memory and on disk."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.chains import ALICE, BOB, CAROL, Tx, chain, create, owned, spend
from twincli.crypto import base58, merkle
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import ConfigError, ConflictError, InvalidError, NotFoundError, UsageError
from twincli.ledger import Ledger, mark
from twincli.ledger.block import app_hash
from twincli.ledger.files import locate, read_key

UNKNOWN = "f" * 64


class Ticks:
    """A clock in milliseconds that shows what it is told."""

    def __init__(self, now: int = 1_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def ledger() -> Any:
    with Ledger.open(":memory:") as opened:
        yield opened


# --- Writing -----------------------------------------------------------------------------------


def test_submit_gives_heights_and_get_gives_the_transaction_back(ledger: Ledger) -> None:
    first, second = chain(2)
    assert ledger.submit(first) == 1
    assert ledger.submit(second) == 2
    assert ledger.get(first["id"]) == first
    assert ledger.get(second["id"]) == second


@pytest.mark.parametrize("tx_id", [UNKNOWN, UNKNOWN[:-1], "F" * 64, "g" * 64, "", " " * 64])
def test_what_is_no_id_here_is_found_nowhere(ledger: Ledger, tx_id: str) -> None:
    ledger.submit(create())
    assert ledger.get(tx_id) is None
    assert ledger.entry(tx_id) is None
    assert ledger.blocks_of(tx_id) == []
    assert ledger.transactions(tx_id) == []
    assert ledger.last(tx_id) is None
    assert ledger.count(tx_id) == 0
    assert ledger.unspent(tx_id) == []
    assert ledger.once(tx_id, "token") == []
    assert ledger.replay(tx_id) is None


def test_a_refused_transaction_leaves_nothing(ledger: Ledger) -> None:
    first, second = chain(2)
    ledger.submit_many([first, second])
    tip = ledger.tip()
    with pytest.raises(InvalidError) as caught:
        ledger.submit(spend((first, 0), metadata={"other": 1}))
    assert caught.value.code == "double_spend"
    assert second["id"] in caught.value.message
    with pytest.raises(InvalidError, match="already on the ledger") as caught:
        ledger.submit(first)
    assert caught.value.code == "duplicate_transaction"
    assert ledger.tip() == tip
    assert ledger.counts() == {"transactions": 2, "assets": 1}


def test_an_empty_ledger_counts_nothing(ledger: Ledger) -> None:
    assert ledger.counts() == {"transactions": 0, "assets": 0}


def test_submit_many_is_one_block_in_which_later_ones_spend_earlier_ones(ledger: Ledger) -> None:
    txs = chain(5)
    assert ledger.submit_many(txs) == 1
    block = ledger.block(1)
    assert block is not None
    assert block["transactions"] == txs
    assert [ledger.blocks_of(tx["id"]) for tx in txs] == [[1]] * 5


@pytest.mark.parametrize("bad", [0, 2, 4])
def test_submit_many_commits_all_or_none(ledger: Ledger, bad: int) -> None:
    txs = [create(number) for number in range(5)]
    broken = json.loads(json.dumps(txs))
    broken[bad]["asset"]["data"]["number"] = 77
    with pytest.raises(InvalidError, match=f"^transaction {bad + 1} of 5: ") as caught:
        ledger.submit_many(broken)
    assert caught.value.code == "invalid_hash"
    assert ledger.tip().height == 0
    assert all(ledger.get(tx["id"]) is None for tx in txs)
    # Nothing of the refused block is remembered as committed.
    assert ledger.submit_many(txs) == 1


def test_a_refused_block_is_not_remembered(ledger: Ledger) -> None:
    good = create(1)
    with pytest.raises(InvalidError, match="transaction 2 of 2"):
        ledger.submit_many([good, spend((create(2), 0))])
    assert ledger.entry(good["id"]) is None
    assert ledger.count(good["id"]) == 0
    assert ledger.submit(good) == 1


def test_submitting_nothing_makes_no_block(ledger: Ledger) -> None:
    assert ledger.submit_many([]) == 0
    assert ledger.submit_each([]) == []
    assert ledger.append_many(ALICE, UNKNOWN, []) == []
    assert ledger.tip().height == 0


def test_submit_each_commits_what_is_valid(ledger: Ledger) -> None:
    txs = chain(3)
    double = spend((txs[0], 0), metadata={"x": 1})
    verdicts = ledger.submit_each([txs[0], {"no": "transaction"}, txs[1], double, txs[2]])
    assert [v if isinstance(v, int) else v.code for v in verdicts] == [
        1,
        "invalid_hash",
        1,
        "double_spend",
        1,
    ]
    assert ledger.transactions(txs[0]["id"]) == txs


def test_submit_each_of_nothing_valid_makes_no_block(ledger: Ledger) -> None:
    orphan = chain(2)[1]
    verdicts = ledger.submit_each([orphan])
    assert isinstance(verdicts[0], InvalidError)
    assert verdicts[0].code == "input_does_not_exist"
    verdicts = ledger.submit_each([{}, {}])
    assert all(isinstance(verdict, InvalidError) for verdict in verdicts)
    assert ledger.tip().height == 0


def test_many_signatures_are_checked_on_several_threads(ledger: Ledger) -> None:
    txs = [create(number) for number in range(130)]
    forged = {**txs[100], "inputs": [{**txs[100]["inputs"][0]}]}
    forged["inputs"][0]["fulfillment"] = txs[99]["inputs"][0]["fulfillment"]
    from twincli.model.transaction import transaction_id

    forged["id"] = transaction_id(forged)
    verdicts = ledger.submit_each([*txs[:100], forged, *txs[101:]])
    codes = [v if isinstance(v, int) else v.code for v in verdicts]
    assert codes == [1] * 100 + ["invalid_signature"] + [1] * 29


def test_one_output_spent_twice_in_one_block(ledger: Ledger) -> None:
    first = create()
    rivals = [spend((first, 0), metadata={"n": n}) for n in (1, 2)]
    verdicts = ledger.submit_each([first, *rivals])
    assert verdicts[:2] == [1, 1]
    assert isinstance(verdicts[2], InvalidError)
    assert verdicts[2].code == "double_spend"
    assert rivals[0]["id"] in verdicts[2].message


# --- Blocks ------------------------------------------------------------------------------------


def _blocks() -> list[tuple[int, int, list[Tx]]]:
    txs = chain(6)
    other = create(9, outputs=[owned(ALICE, amount=3), owned(BOB, amount=4)])
    merged = spend((other, 0), (other, 1), signers=[ALICE, BOB], outputs=[owned(CAROL, amount=7)])
    return [
        (1, 500, txs[:3]),
        (2, 500, [txs[4], txs[3], txs[1], other]),
        (3, 501, []),
        (4, 9_000, [merged, txs[4], {"id": "x"}]),
    ]


def test_the_same_blocks_give_the_same_ledger_on_every_machine(tmp_path: Path) -> None:
    results = []
    for place in (":memory:", str(tmp_path / "a"), str(tmp_path / "b")):
        with Ledger.open(place, clock=Ticks(len(place))) as ledger:
            verdicts = [
                [v if isinstance(v, int) else (v.code, v.message) for v in ledger.apply_block(*b)]
                for b in _blocks()
            ]
            blocks = [ledger.block(height) for height in range(1, 5)]
            results.append((verdicts, blocks, ledger.tree_size()))
    with Ledger.open(":memory:", clock=Ticks(8)) as ledger:  # and all of them at once
        at_once = ledger.apply_blocks(1, [(time_ms, txs) for _, time_ms, txs in _blocks()])
        verdicts = [
            [v if isinstance(v, int) else (v.code, v.message) for v in each] for each in at_once
        ]
        blocks = [ledger.block(height) for height in range(1, 5)]
        results.append((verdicts, blocks, ledger.tree_size()))
        assert ledger.verify().problems == []
    assert results[0] == results[1] == results[2] == results[3]
    codes = [[v if isinstance(v, int) else v[0] for v in row] for row in results[0][0]]
    assert codes == [
        [1, 1, 1],
        ["input_does_not_exist", 2, "double_spend", 2],
        [],
        [4, 4, "invalid_hash"],
    ]


def test_apply_block_refuses_a_gap_and_a_step_back_in_time(ledger: Ledger) -> None:
    now = ledger.tip().time_ms
    ledger.apply_block(1, now + 10, [create()])
    for height in (1, 3):
        with pytest.raises(ConflictError) as caught:
            ledger.apply_block(height, now + 10, [])
        assert caught.value.code == "height_mismatch"
    with pytest.raises(ConflictError) as caught:
        ledger.apply_block(2, now + 9, [])
    assert caught.value.code == "time_decreased"
    with pytest.raises(ConflictError) as caught:
        ledger.apply_blocks(2, [(now + 10, []), (now + 11, []), (now + 10, [])])
    assert caught.value.code == "time_decreased"
    assert ledger.apply_block(2, now + 10, []) == []
    assert ledger.apply_blocks(3, []) == []
    assert ledger.tip().height == 2


def test_the_chained_hash_is_bigchaindbs(ledger: Ledger) -> None:
    """As bigchaindb 2.2.2 does it: hash of the previous hash's text and the hash of the ids."""

    def sha3(text: str) -> str:
        return hashlib.sha3_256(text.encode()).hexdigest()

    txs = chain(3)
    ledger.submit(txs[0])
    ledger.apply_block(2, ledger.tip().time_ms, [])
    ledger.submit_many(txs[1:])
    found = [(ledger.block(height) or {})["app_hash"] for height in range(4)]
    one = sha3(sha3(txs[0]["id"]))
    two = sha3(one + sha3(txs[1]["id"] + txs[2]["id"]))
    assert found == ["", one, one, two]
    assert app_hash(b"", []) == b""


def test_the_tree_holds_height_time_and_id_of_every_transaction() -> None:
    clock = Ticks(5_000)
    with Ledger.open(":memory:", clock=clock) as ledger:
        txs = chain(7)
        ledger.submit(txs[0])
        clock.now = 6_000
        ledger.submit_many(txs[1:])
        leaves = [
            merkle.leaf_hash(
                (1 if n == 0 else 2).to_bytes(8, "big")
                + (5_000 if n == 0 else 6_000).to_bytes(8, "big")
                + bytes.fromhex(tx["id"])
            )
            for n, tx in enumerate(txs)
        ]
        block = ledger.block(2)
        assert block is not None
        assert block["root"] == merkle.root_of(leaves).hex()
        assert ledger.tree_size() == 7


def test_time_never_goes_back() -> None:
    clock = Ticks(10_000)
    with Ledger.open(":memory:", clock=clock) as ledger:
        txs = chain(4)
        times = []
        for tx, now in zip(txs, (11_000, 9_000, 11_500, 0), strict=True):
            clock.now = now
            ledger.submit(tx)
            times.append(ledger.tip().time_ms)
        assert times == [11_000, 11_000, 11_500, 11_500]
        entries = list(ledger.entries(txs[0]["id"]))
        assert [entry.time_ms for entry in entries] == times
        assert [entry.height for entry in entries] == [1, 2, 3, 4]
        assert [entry.spent_by for entry in entries] == [
            {0: txs[1]["id"]},
            {0: txs[2]["id"]},
            {0: txs[3]["id"]},
            {},
        ]


def test_blocks_beyond_the_tip_are_none_and_block_0_is_empty(ledger: Ledger) -> None:
    assert ledger.block(1) is None
    assert ledger.block(-1) is None
    begin = ledger.block(0)
    assert begin is not None
    assert (begin["transactions"], begin["app_hash"]) == ([], "")
    assert begin["root"] == merkle.CompactRange().root().hex()
    assert begin["time_ms"] == ledger.created_ms


# --- Identity ----------------------------------------------------------------------------------


def test_a_new_ledger_has_an_id_and_a_key_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "home" / "ledger"
    with Ledger.open(path, clock=Ticks(42)) as ledger:
        assert len(ledger.id) == 64
        assert ledger.profile == "strict"
        assert ledger.created_ms == 42
        first = (ledger.id, ledger.public_key)
    key = json.loads((path / "ledger.key").read_text())
    assert KeyPair.from_seed(base58.decode(key["seed"])).public_key == first[1]
    assert (path / "ledger.key").stat().st_mode & 0o777 == 0o600
    assert path.stat().st_mode & 0o777 == 0o700
    assert base58.decode(key["seed"]) not in (path / "ledger.db").read_bytes()
    with Ledger.open(path) as again:
        assert (again.id, again.public_key) == first
    with Ledger.open(tmp_path / "other") as other:
        assert other.id != first[0]
        assert other.public_key != first[1]


def test_a_file_may_be_named_too(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "cars.db") as ledger:
        ledger.submit(create())
        ledger.search_assets("x")
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix in {".db", ".key"}) == [
        "cars.db",
        "cars.index.db",
        "cars.key",
    ]


def test_the_profile_is_fixed_when_the_ledger_is_made(tmp_path: Path) -> None:
    loose = create(outputs=[owned(ALICE, amount=1)])
    loose["outputs"][0]["amount"] = "01"
    from twincli.model import transaction

    loose = transaction.sign(
        {**loose, "inputs": [{**loose["inputs"][0], "fulfillment": _details(ALICE)}]}, [ALICE]
    )
    with Ledger.open(tmp_path / "strict") as ledger:
        with pytest.raises(InvalidError) as caught:
            ledger.submit(loose)
        assert caught.value.code == "amount_leading_zero"
    with Ledger.open(tmp_path / "server", profile="server-2.2.2") as ledger:
        assert ledger.submit(loose) == 1
        assert ledger.submit(spend((loose, 0))) == 2
    with Ledger.open(tmp_path / "server", profile="strict") as ledger:
        assert ledger.profile == "server-2.2.2"
        report = ledger.verify()
        assert report.problems == []
        assert [(tx_id, code) for tx_id, code, _ in report.deviations] == [
            (loose["id"], "amount_leading_zero")
        ]
    with pytest.raises(ConfigError) as config:
        Ledger.open(":memory:", profile="server-3")
    assert config.value.code == "unknown_profile"


def _details(key: KeyPair) -> dict[str, Any]:
    return {"type": "ed25519-sha-256", "public_key": key.public_key}


# --- Reading -----------------------------------------------------------------------------------


def test_transactions_of_an_asset_come_in_commit_order(ledger: Ledger) -> None:
    mine, other = chain(4), chain(3, number=1)
    ledger.submit_many([mine[0], other[0], other[1], mine[1]])
    ledger.submit_many([other[2], mine[2], mine[3]])
    asset = mine[0]["id"]
    assert ledger.transactions(asset) == mine
    assert ledger.transactions(asset, "create") == mine[:1]
    assert ledger.transactions(asset, "TRANSFER") == mine[1:]
    assert list(ledger.iter_transactions(asset)) == mine
    assert list(ledger.iter_transactions(asset, after=mine[1]["id"])) == mine[2:]
    assert list(ledger.iter_transactions(asset, after=mine[3]["id"])) == []
    with pytest.raises(NotFoundError):
        list(ledger.iter_transactions(asset, after=UNKNOWN))
    last = ledger.last(asset)
    assert last is not None
    assert last.tx == mine[3]
    assert ledger.count(asset) == 4
    assert list(ledger.asset_ids()) == [mine[0]["id"], other[0]["id"]]
    assert [json.loads(body) for body in ledger.bodies(asset)] == mine


def test_outputs_name_all_their_keys(ledger: Ledger) -> None:
    first = create(outputs=[owned(ALICE, amount=5), owned(ALICE, BOB, amount=2)])
    second = spend((first, 0), outputs=[owned(BOB, amount=4), owned(ALICE, amount=1)])
    ledger.submit_many([first, second])

    def refs(key: KeyPair, spent: bool | None = None) -> list[tuple[str, int]]:
        found = ledger.outputs(key.public_key, spent)
        assert all(set(item) == {"transaction_id", "output_index"} for item in found)
        return [(item["transaction_id"], item["output_index"]) for item in found]

    one, two = first["id"], second["id"]
    assert refs(ALICE) == [(one, 0), (one, 1), (two, 1)]
    assert refs(ALICE, spent=True) == [(one, 0)]
    assert refs(ALICE, spent=False) == [(one, 1), (two, 1)]
    assert refs(BOB) == [(one, 1), (two, 0)]
    assert refs(CAROL) == []
    assert [(s.transaction_id, s.output_index) for s in ledger.unspent(one)] == [
        (one, 1),
        (two, 0),
        (two, 1),
    ]
    assert ledger.unspent(one)[1].output == second["outputs"][0]


def test_outputs_are_read_in_pages_where_they_stand_close_and_where_they_do_not() -> None:
    """Alice's long chain, and Bob's few outputs far apart in it."""
    with Ledger.open(":memory:") as ledger:
        first = create()
        ledger.submit(first)
        his = []
        mine = [first["id"]]
        for number in range(3):
            his.append(create(100 + number, signer=BOB))
            ledger.submit(his[-1])
            mine += ledger.append_many(ALICE, first["id"], ({"n": n} for n in range(1500)))
        ledger.submit(spend((his[1], 0), signers=[BOB], outputs=[owned(CAROL)]))

        def ids(key: KeyPair, spent: bool | None = None) -> list[str]:
            return [item["transaction_id"] for item in ledger.outputs(key.public_key, spent)]

        assert ids(ALICE) == mine
        assert ids(ALICE, spent=True) == mine[:-1]
        assert ids(ALICE, spent=False) == mine[-1:]
        assert ids(BOB) == [tx["id"] for tx in his]
        assert ids(BOB, spent=True) == [his[1]["id"]]
        assert ids(BOB, spent=False) == [his[0]["id"], his[2]["id"]]


def test_ids_are_found_by_their_beginning(ledger: Ledger) -> None:
    txs = chain(40)
    ledger.submit_many(txs)
    ids = sorted(tx["id"] for tx in txs)
    assert ledger.find_prefix(ids[7]) == [ids[7]]
    assert ledger.find_prefix(ids[7][:9]) == [ids[7]]
    assert ledger.find_prefix("", limit=3) == ids[:3]
    first_digit = ids[0][0]
    assert ledger.find_prefix(first_digit, 99) == [i for i in ids if i[0] == first_digit]


def test_assets_are_found_by_what_their_envelope_states(ledger: Ledger) -> None:
    parent = create(1)
    envelope = {"v": 1, "kind": "asset", "parent": parent["id"], "entity": BOB.public_key}
    child = create(data={"twin": envelope})
    orm = create(data={"schema": "", "id": "id:global:myModel:123"})
    foreign = create(data={"twin": {"kind": "asset"}})
    ledger.submit_many([parent, child, orm, foreign])
    assert ledger.assets_with("parent", parent["id"]) == [child["id"]]
    assert ledger.assets_with("entity", BOB.public_key) == [child["id"]]
    assert ledger.assets_with("kind", "asset") == [child["id"]]
    assert ledger.assets_with("model", "myModel") == [orm["id"]]
    assert ledger.assets_with("model", "other") == []
    assert ledger.assets_with("kind", "\udcff") == []


def test_records_are_found_by_their_kind(ledger: Ledger) -> None:
    first, other = create(0), create(1)
    ledger.submit_many([first, other])
    made: dict[str, list[str]] = {}
    for asset in (first, other):
        last = asset
        for number in range(150):
            kind = ("append", "file", "link", "strange", "file")[number % 5]
            envelope = {"v": 1, "kind": kind, "body": {"n": number}}
            last = spend((last, 0), metadata={"n": number, "twin": envelope})
            ledger.submit(last)
            made.setdefault(kind + asset["id"], []).append(last["id"])
    assert len(made["file" + first["id"]]) == 60

    def found(asset: Tx, *kinds: str) -> list[str]:
        return [entry.tx["id"] for entry in ledger.records(asset["id"], kinds)]

    for kind in ("append", "file", "link", "strange", "grant"):
        for asset in (first, other):
            assert found(asset, kind) == made.get(kind + asset["id"], [])
    everything = [*ledger.entries(first["id"])]
    for kinds in (("file", "link"), ("link", "file"), ("file", "strange")):
        wanted = {tx_id for kind in kinds for tx_id in made[kind + first["id"]]}
        right = [entry for entry in everything if entry.tx["id"] in wanted]
        assert [*ledger.records(first["id"], kinds)] == right
    assert found(create(3), "file") == found(first) == []


def test_a_record_in_the_index_that_is_none_is_not_believed(tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger") as ledger:
        first, other = create(0), create(1)
        filed = spend((first, 0), metadata={"twin": {"v": 1, "kind": "file", "body": {}}})
        ledger.submit_many([first, other, filed])
        assert len([*ledger.records(first["id"], ["file"])]) == 1
        change = ledger.plain_index.connection.execute
        change("UPDATE stated SET name = 'records of 2' WHERE name = 'records of 1'")
        change("UPDATE tally SET name = 'records of 2' WHERE name = 'records of 1'")
        assert [*ledger.records(other["id"], ["file"])] == []
        assert [code for _, code, _ in ledger.verify_index() or []] == ["damaged_index"] * 2
        change("DELETE FROM stated WHERE name = 'records of 2'")
        assert [*ledger.records(other["id"], ["file"])] == []  # made again
        assert [entry.tx for entry in ledger.records(first["id"], ["file"])] == [filed]


def test_once_tokens_are_found_with_their_signers(ledger: Ledger) -> None:
    first = create(outputs=[owned(ALICE, BOB)])
    txs = [first]
    for token in ("a", "a", None, "b"):
        twin: dict[str, Any] = {"v": 1, "kind": "append"}
        if token is not None:
            twin["once"] = token
        txs.append(
            spend(
                (txs[-1], 0),
                signers=[ALICE, BOB],
                outputs=[owned(ALICE, BOB)],
                metadata={"twin": twin, "n": len(txs)},
            )
        )
    ledger.submit_many(txs)
    both = frozenset({ALICE.public_key, BOB.public_key})
    # The first holds: a retry is answered with what was there before.
    assert ledger.once(first["id"], "a") == [(both, txs[1]["id"])]
    assert ledger.once(first["id"], "b") == [(both, txs[4]["id"])]
    assert ledger.once(first["id"], "c") == []


def test_an_output_without_public_keys_is_found_by_its_condition(tmp_path: Path) -> None:
    from twincli.model import transaction

    odd = create(outputs=[owned(BOB)])
    odd["outputs"][0]["public_keys"] = None
    odd["inputs"][0]["fulfillment"] = _details(ALICE)
    odd = transaction.sign(odd, [ALICE])
    with Ledger.open(tmp_path, profile="server-2.2.2") as ledger:
        ledger.submit_many([odd, create(3, outputs=[owned(BOB)])])
        assert {"transaction_id": odd["id"], "output_index": 0} in ledger.outputs(BOB.public_key)
        assert len(ledger.outputs(BOB.public_key, spent=False)) == 2
        assert ledger.outputs(ALICE.public_key) == []
        assert ledger.verify_index() == []


# --- Search ------------------------------------------------------------------------------------


@pytest.fixture
def library(ledger: Ledger) -> tuple[Ledger, list[Tx]]:
    txs = [
        create(data={"name": "Red Car", "power": {"engine": "2.5", "hp": ["220 hp", "Ölwanne"]}}),
        create(data={"name": "blue car", "note": "a red herring"}),
        create(data={"car": "bicycle", "maker": "Straße-Ärger"}),
        create(data={"n": 1}, metadata={"state": "parked near Café Zoë"}),
    ]
    ledger.submit_many(txs)
    return ledger, txs


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("red", [0, 1]),
        ("RED", [0, 1]),
        ("bicycle red", [0, 1, 2]),
        ('"red car"', [0]),
        ('"red herring" "blue car"', [1]),
        ('"red car" "blue car"', []),
        ("car -blue", [0]),
        ('car -"red herring"', [0]),
        ("olwanne", [0]),
        ("arger", [2]),
        ("2.5", [0]),
        # Keys are not searched, words are not stemmed, a phrase does not run over two values.
        ("name", []),
        ("cars", []),
        ('"car 2"', []),
        ('"220 hp Ölwanne"', []),
        ("-car", []),
        # What a user types is never syntax.
        ("car AND herring", [0, 1]),
        ("NEAR(red car)", [0, 1]),
        ("body:red", []),
        ("red*", [0, 1]),
        ('red"', [0, 1]),
        ("red ^car + - *", [0, 1]),
        ("' OR 1=1 --", []),
        ("\x00red", [0, 1]),
        ("red\ud800 bicycle", [0, 1, 2]),
    ],
)
def test_search_of_assets(library: tuple[Ledger, list[Tx]], text: str, found: list[int]) -> None:
    ledger, txs = library
    hits = ledger.search_assets(text)
    assert [hit["id"] for hit in hits] == [txs[number]["id"] for number in found]
    assert hits == [{"data": txs[n]["asset"]["data"], "id": txs[n]["id"]} for n in found]


def test_search_limits_and_finds_ids_and_metadata(library: tuple[Ledger, list[Tx]]) -> None:
    ledger, txs = library
    assert [hit["id"] for hit in ledger.search_assets("car", limit=1)] == [txs[0]["id"]]
    assert [hit["id"] for hit in ledger.search_assets(txs[3]["id"])] == [txs[3]["id"]]
    assert ledger.search_metadata("cafe") == [
        {"metadata": {"state": "parked near Café Zoë"}, "id": txs[3]["id"]}
    ]
    assert ledger.search_metadata("red") == []
    moved = spend((txs[3], 0), metadata={"state": "parked at the cafe"})
    ledger.submit(moved)
    assert [h["id"] for h in ledger.search_metadata("CAFÉ")] == [txs[3]["id"], moved["id"]]


@pytest.mark.parametrize("text", ["", "   ", "-", '""', "- *", "\ud800"])
def test_searching_for_nothing_is_an_error(ledger: Ledger, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        ledger.search_assets(text)
    assert caught.value.code == "empty_search"


def test_one_object_may_be_handed_to_another_thread(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with Ledger.open(tmp_path / "x") as ledger, ThreadPoolExecutor(1) as pool:
        assert pool.submit(ledger.submit, create()).result() == 1
    assert os.path.exists(tmp_path / "x" / "ledger.db")


def test_what_stands_between_values_is_not_found() -> None:
    with Ledger.open(":memory:") as ledger:
        ledger.submit(create(data={"make": "red", "kind": "car"}))
        assert len(ledger.search_assets("red")) == 1
        assert ledger.search_assets('"red car"') == []
        assert ledger.search_assets("twinbreak") == []
        with pytest.raises(UsageError):
            ledger.search_assets("\u00a0")


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("Straße", "strasse"),
        ("STRASSE", "straße"),
        ("GROẞE", "grosse"),
        ("ΌΔΟΣ", "ΟΔΟΣ"),
        ("οδός", "ΟΔΟΣ"),
        ("İzmir", "izmir"),
        ("ﬁlter", "filter"),
        ("\uff21\uff23\uff2d\uff25\u3000\uff14\uff17", "acme"),
        ("m²", "m2"),
        ("Caf\u0065\u0301", "caf\u00e9"),
        ("Zoe\u0308", "ZOË"),
        ("Nguyễn", "nguyen"),
        ("Hydrau\u00adlik", "hydraulik"),
        ("ö\u200dl", "öl"),
        ("٤٧١١", "4711"),
        ("東京都庁の車", "京都"),
        ("東京都庁の車", "車"),
        ("東京都庁の車", "東京都庁"),
        ("自転車タイヤ", "タイ"),
        ("ﾎﾟﾝﾌﾟ", "ポンプ"),
        ("ポンプ", "ﾎﾟﾝﾌﾟ"),
        ("ポンプ", "\u30db\u309a\u30f3"),
        ("液压泵4711号", "压泵"),
        ("液压泵4711号", "4711"),
        ("泵站 abc", "abc"),
        ("\U00020bb7野家", "\U00020bb7"),
        ("자전거를", "자전거"),
        ("자전거를", "\u110c\u1161\u110c\u1165\u11ab\u1100\u1165"),
        ("เครื่องสูบน้ำ", "สูบ"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_one_form_for_what_is_stored_and_what_is_asked(
    ledger: Ledger, written: str, asked: str
) -> None:
    ledger.submit(create(data={"name": written}, metadata={"note": written}))
    ledger.submit(create(2, data={"name": "other"}))
    assert [hit["data"] for hit in ledger.search_assets(asked)] == [{"name": written}]
    assert [hit["metadata"] for hit in ledger.search_metadata(asked)] == [{"note": written}]
    assert ledger.search_assets(f"other -{asked}") != []
    assert ledger.search_assets(f'"{asked}" -{asked}') == []


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("東京都", "都京"),  # the order counts
        ("東京都", "東都"),
        ("が", "か"),  # two letters, not one with an accent
        ("हिन्दी", "हन्द"),  # vowels are no accents
        ("東京 都", "xyz"),
        ("car", "ca"),
    ],
)
def test_what_is_something_else_is_not_found(ledger: Ledger, written: str, asked: str) -> None:
    ledger.submit(create(data={"name": written}))
    assert ledger.search_assets(asked) == []


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ("4711", ["asset", "metadata"]),
        ("-4711 pump", ["asset"]),
        ("22.5", ["asset"]),
        ("22", ["asset"]),
        ("17", ["metadata"]),
        ("9007199254740993", ["asset"]),
        ('"4711 22"', []),  # two values
        ("1", []),  # a boolean is not a number
    ],
)
def test_numbers_are_found_here_and_texts_as_with_bigchaindb(
    ledger: Ledger, asked: str, places: list[str]
) -> None:
    facts = {"serial": 4711, "x": [22.5, {"big": 9007199254740993}], "on": True}
    ledger.submit(create(data=facts, metadata={"n": [4711, -17]}))
    ledger.submit(create(2, data={"name": "pump"}))
    assert [place for place, _ in ledger.search(asked)] == places
    assert [hit for hit in ledger.search_assets(asked) if "name" not in hit["data"]] == []
    assert ledger.search_metadata(asked) == []


def test_folding_costs_no_square() -> None:
    """Normalising a whole text with many marks in the wrong order does."""
    from twincli.model import words

    assert words.fold("a" + "\u0315\u0300" * 500_000) == "a"
    assert words.fold("a" + "\u3099\u094d" * 500_000).split() == ["a", "\u3099\u094d" * 500_000]


def test_every_read_of_one_transaction_computes_its_id_again(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        made = create(1)
        ledger.submit(made)
        ledger.append_many(ALICE, made["id"], [{"km": 3}])
        last = ledger.last(made["id"])
        assert last is not None
        altered = "UPDATE tx SET body = replace(body, '\"km\":3', '\"km\":4')"
        ledger.store.connection.execute(altered)
        for read in (
            lambda: ledger.get(last.tx["id"]),
            lambda: ledger.entry(last.tx["id"]),
            lambda: ledger.last(made["id"]),
            lambda: ledger.unspent(made["id"]),
            lambda: ledger.replay(made["id"]),
        ):
            with pytest.raises(ConfigError) as caught:
                read()
            assert caught.value.code == "damaged_ledger"
        assert ledger.get(made["id"]) == made
        assert "invalid_hash" in [code for _, code, _ in ledger.verify().problems]


def test_a_key_of_its_own_for_a_copy(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.submit(create())
        tip, first = ledger.tip(), ledger.public_key
        for number in (1, 2):
            ledger.renew_key()
            assert len(ledger.former_keys) == number
        now = ledger.public_key
        assert ledger.tip() == tip
    with Ledger.open(tmp_path, create=False) as ledger:
        assert ledger.public_key == now
        assert ledger.former_keys[0] == first
        assert len({*ledger.former_keys, now}) == 3
        assert read_key(locate(ledger.path).key).public_key == now
        assert ledger.verify().problems == []
    with Ledger.open(":memory:") as ledger:
        ledger.renew_key()
        assert len(ledger.former_keys) == 1


def test_what_is_spent_is_read_without_the_rest(tmp_path: Path) -> None:
    """Whatever else a transaction holds, its outputs are those at its end."""
    lie = {"outputs": [{"amount": "9"}], "text": '"outputs":[{"amount":"9"}]', "version": "9"}
    first = create(
        data={"id": "0" * 64, **lie},
        metadata=lie,
        outputs=[owned(ALICE, amount=2), owned(ALICE, BOB, amount=3)],
    )
    second = spend((first, 0), metadata={"zone": lie, **lie})
    with Ledger.open(tmp_path) as ledger:
        ledger.submit_many([first, second])
        made = {tx["id"]: ledger.locate(tx["id"]) for tx in (first, second)}
    with Ledger.open(tmp_path) as ledger:
        for tx in (first, second):
            located = ledger.locate(tx["id"])
            assert located == made[tx["id"]]
            assert located is not None
            assert located.known.asset_id == first["id"]
            assert [output.amount for output in located.known.outputs] == [
                int(output["amount"]) for output in tx["outputs"]
            ]
        ledger.submit(spend((second, 0), metadata={"n": 1}))


@pytest.mark.parametrize(
    "body", ["", '{"outputs":', '"outputs":[1]', '"outputs":[{"amount":"x"}]', '"outputs":7', b"x"]
)
def test_damaged_outputs_are_not_spent(tmp_path: Path, body: object) -> None:
    first = create()
    with Ledger.open(tmp_path) as ledger:
        ledger.submit(first)
    with Ledger.open(tmp_path) as ledger:
        ledger.store.connection.execute("UPDATE tx SET body = ?", (body,))
        with pytest.raises(ConfigError) as caught:
            ledger.submit(spend((first, 0)))
        assert caught.value.code == "damaged_ledger"


def test_blocks_by_their_ids(ledger: Ledger) -> None:
    txs = [create(number) for number in range(7)]
    for size in (1, 2, 1, 3):
        ledger.submit_many([txs.pop(0) for _ in range(size)])
    held = [ledger.block(height) for height in range(1, 5)]
    ids = [[tx["id"] for tx in block["transactions"]] for block in held if block]
    assert [len(block) for block in ids] == [1, 2, 1, 3]
    for height, block in enumerate(ids, 1):
        assert [tx_id for tx_id, _ in ledger.block_ids(height)] == block
        assert [tx_id for tx_id, _ in ledger.block_ids(height, 1, 1)] == block[1:2]
    assert ledger.block_ids(5) == []
    assert [(found.height, found.size) for found in ledger.commits(1, 2)] == [(2, 2), (3, 1)]
    assert [found.height for found in ledger.commits(0)] == [1, 2, 3, 4]
    assert [found.height for found in ledger.commits(0, size=3)] == [1, 2]
    assert [[tx_id for tx_id, _ in found.ids] for found in ledger.commits(0)] == ids


def test_a_block_of_others_is_noted_as_ones_own(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.apply_block(1, ledger.tip().time_ms, [create()])
        noted = mark.read(locate(str(tmp_path)).mark)
        assert noted is not None
        assert (noted.height, noted.seq) == (1, 1)
        assert noted.tx_id == create()["id"]
