"""Checkpoints, proofs and requests to witnesses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twincli.crypto import merkle, notes, tlog
from twincli.crypto.ed25519 import KeyPair
from twincli.crypto.notes import Note
from twincli.crypto.tlog import Checkpoint, Proof, Submission
from twincli.errors import InvalidError

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/tlog.json").read_text())
KEY = KeyPair.from_seed(bytes(32))
LEAVES = [merkle.ledger_leaf(n, 1_700_000_000_000 + n, bytes([n]) * 32) for n in range(7)]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]


def signed(size: int, *extensions: str) -> Note:
    text = Checkpoint("log", size, merkle.root_of(HASHES[:size]), extensions).text
    return Note(text, (notes.sign(text, "log", KEY),))


def proof(index: int) -> Proof:
    path = tuple(merkle.inclusion_path(HASHES, index))
    return Proof(index, path, signed(7), tlog.extra_of(index, 1_700_000_000_000 + index))


@pytest.mark.parametrize("case", VECTORS["aics_tlog"]["checkpoints"])
def test_checkpoints_are_those_of_aics_tlog(case: dict[str, Any]) -> None:
    text = case["note"].partition("\n\n")[0] + "\n"
    found = tlog.parse_checkpoint(text)
    root = bytes.fromhex(case["root"])
    assert found.text == text
    assert found == ("log.example/twins", case["size"], root, tuple(case["extensions"]))
    records = [merkle.leaf_hash(b"record %d" % n) for n in range(case["size"])]
    assert merkle.root_of(records) == root


def test_the_example_of_a_request_to_a_witness() -> None:
    data = VECTORS["submission"].encode()
    found = tlog.parse_submission(data)
    assert (found.old_size, len(found.path)) == (20852014, 4)
    assert found.checkpoint.size == 20852163
    assert found.to_bytes() == data


ROOT = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "log\n0\n",
        f"\n0\n{ROOT}\n",
        f"log\n\n0\n{ROOT}\n",
        f"log\n0\n{ROOT}\n\nmore\n",
        f"log\n-1\n{ROOT}\n",
        f"log\n+1\n{ROOT}\n",
        f"log\n01\n{ROOT}\n",
        f"log\n00\n{ROOT}\n",
        f"log\n1_0\n{ROOT}\n",
        f"log\n \n{ROOT}\n",
        f"log\n٣\n{ROOT}\n",
        f"log\n²\n{ROOT}\n",
        f"log\n{1 << 63}\n{ROOT}\n",
        f"log\n{'9' * 5000}\n{ROOT}\n",
        "log\n0\n\n",
        "log\n0\nAAAA\n",
        f"log\n0\n{ROOT[:-1]}\n",
        f"log\n0\n{ROOT} \n",
    ],
)
def test_malformed_checkpoints(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        tlog.parse_checkpoint(text)
    assert caught.value.code == "invalid_checkpoint"


def test_the_largest_size_and_lines_that_logs_add() -> None:
    most = (1 << 63) - 1
    assert tlog.parse_checkpoint(f"log\n{most}\n{ROOT}\nmore\n").size == most
    assert tlog.parse_checkpoint(signed(3, "a b", "c").text).extensions == ("a b", "c")
    assert tlog.origin_of("ab") == "twincli/ab"


def test_a_proof_and_a_transaction_suffice() -> None:
    for index, leaf in enumerate(LEAVES):
        made = proof(index)
        read = tlog.parse_proof(made.to_bytes())
        assert read == made
        height, time_ms = tlog.place_of(read.extra)
        assert merkle.ledger_leaf(height, time_ms, bytes([index]) * 32) == leaf
        assert read.leads_to(leaf)
        assert not read.leads_to(leaf[:-1] + b"\xff")
        assert not read._replace(leaf=(index + 1) % 7).leads_to(leaf)


def test_extra_data_are_bound_to_the_tree() -> None:
    height, time_ms = tlog.place_of(proof(3).extra)
    for other in ((height + 1, time_ms), (height, time_ms - 1)):
        assert not proof(3).leads_to(merkle.ledger_leaf(*other, bytes([3]) * 32))
    with pytest.raises(InvalidError, match="height and time"):
        tlog.place_of(bytes(15))


def test_a_proof_without_extra_data_and_one_of_a_single_leaf() -> None:
    text = Checkpoint("log", 1, HASHES[0]).text
    alone = Proof(0, (), Note(text, (notes.sign(text, "log", KEY),)))
    assert tlog.parse_proof(alone.to_bytes()) == alone
    assert alone.leads_to(LEAVES[0])


def test_what_is_in_the_extra_data_of_others_is_kept() -> None:
    other = proof(2)._replace(extra=b"any")
    assert tlog.parse_proof(other.to_bytes()).extra == b"any"


GOOD = proof(2).to_bytes().decode()
HASH = notes.base64_of(HASHES[0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.partition("\n\n")[0],
        "\n\n" + GOOD.partition("\n\n")[2],
        GOOD.replace("@v1", "@v2"),
        GOOD.replace("@v1", "@v1é"),
        GOOD.replace("extra ", "extra  "),
        GOOD.replace("extra AAAA", "extra AAA"),
        GOOD.replace("extra ", f"extra {'A' * (2 * tlog.MAX_EXTRA + 4)}"),
        GOOD.replace("index 2", "index 02"),
        GOOD.replace("index 2", "index -2"),
        GOOD.replace("index 2", "2"),
        GOOD.replace("index 2\n", ""),
        GOOD.replace("index 2\n", f"index 2\n{HASH}\n" + f"{HASH}\n" * tlog.MAX_PATH),
        GOOD.replace("index 2\n", "index 2\nAAAA\n"),
        GOOD.replace("index 2\n", "index 2\n \n"),
        "c2sp.org/tlog-proof@v1\n\n" + GOOD.partition("\n\n")[2],
        "c2sp.org/tlog-proof@v1\nextra AAAA\n\n" + GOOD.partition("\n\n")[2],
        "x" * (tlog.MAX_PROOF + 1),
    ],
)
def test_malformed_proofs(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        tlog.parse_proof(text.encode())
    assert caught.value.code == "invalid_proof"


def test_a_proof_with_a_damaged_checkpoint() -> None:
    with pytest.raises(InvalidError) as caught:
        tlog.parse_proof(GOOD.replace("\nlog\n7\n", "\nlog\nseven\n").encode())
    assert caught.value.code == "invalid_checkpoint"
    with pytest.raises(InvalidError) as caught:
        tlog.parse_proof(GOOD.replace("— log", "log").encode())
    assert caught.value.code == "invalid_note"


@pytest.mark.parametrize("old", range(8))
def test_what_a_witness_is_sent(old: int) -> None:
    made = Submission(old, tuple(merkle.consistency_path(HASHES, old)), signed(7))
    assert tlog.parse_submission(made.to_bytes()) == made
    assert made.is_consistent(merkle.root_of(HASHES[:old]))
    assert not made.is_consistent(merkle.root_of(HASHES[: (old + 1) % 8]))


@pytest.mark.parametrize(
    "head", ["", "old", "old ", "old x", "old 01", "7", "new 3", "old 3\n\u00e9", "old 3\nAAAA"]
)
def test_malformed_requests(head: str) -> None:
    with pytest.raises(InvalidError) as caught:
        tlog.parse_submission(f"{head}\n\n".encode() + signed(7).to_bytes())
    assert caught.value.code == "invalid_submission"


@settings(max_examples=100)
@given(st.binary(max_size=200), st.integers(0, len(GOOD)), st.integers(0, 40))
def test_any_bytes_are_a_proof_or_an_error_of_ours(data: bytes, at: int, gone: int) -> None:
    for made in (data, GOOD.encode()[:at] + data + GOOD.encode()[at + gone :]):
        try:
            found = tlog.parse_proof(made)
        except InvalidError:
            continue
        assert found.to_bytes() == made
