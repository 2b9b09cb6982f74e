"""A node as a transparency log and as a witness, and what asks witnesses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.chains import ALICE, create
from tests.node.running import Running, running
from twincli.client.tls import DEFAULT_TLS
from twincli.crypto import merkle, notes, tiles, tlog
from twincli.errors import NotVerifiedError, TwinError, UnreachableError
from twincli.ledger import Ledger
from twincli.node import log
from twincli.node.node import Options
from twincli.proof import checkpoints, proofs
from twincli.services.proof import witnesses

SIZE = 300


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("served") / "ledger"
    with Ledger.open(place) as ledger:
        ledger.submit_many([create(n) for n in range(SIZE)])
    with running(place) as node:
        yield node


def test_a_client_checks_a_transaction_with_tiles_alone(served: Running) -> None:
    answer = served.get(f"{log.PREFIX}/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    note = notes.parse(answer.body)
    found = tlog.parse_checkpoint(note.text)
    key = checkpoints.key_of(served.node.ledger.id, served.node.ledger.public_key)
    assert [entry.key for entry in notes.verify(note, [key])] == [key]

    def read(level: int, number: int, width: int) -> bytes:
        tile = served.get(f"{log.PREFIX}/{tiles.path_of(level, number, width)}")
        assert (tile.status, tile.headers["content-type"]) == (200, "application/octet-stream")
        assert "immutable" in tile.headers["cache-control"]
        return tile.body

    tree = tiles.TiledTree(found.size, read)
    assert tree.root() == found.root
    entries = served.get(f"{log.PREFIX}/{tiles.path_of('entries', 1, SIZE - 256)}").body
    leaves = [entries[at + 2 : at + 50] for at in range(0, len(entries), 50)]
    for index in (256, SIZE - 1):
        hashed = merkle.leaf_hash(leaves[index - 256])
        path = tree.inclusion_path(index)
        assert merkle.verify_inclusion(hashed, index, found.size, path, found.root)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("tile/0/000", 200),
        ("tile/0/001.p/44", 200),
        ("tile/0/001.p/1", 200),
        ("tile/1/000.p/1", 200),
        ("tile/entries/000", 200),
        ("tile/0/001.p/45", 404),
        ("tile/0/001", 404),
        ("tile/1/000", 404),
        ("tile/2/000.p/1", 404),
        ("tile/63/x999/x999/x999/x999/x999/x999/999", 404),
        ("tile/0/000.p/256", 404),
        ("tile/0/000.p/0", 404),
        ("tile/0/000.p/300", 404),
        ("tile/0/x000/000", 404),
        ("tile/0/0", 404),
        ("tile/00/000", 404),
        ("tile/64/000", 404),
        ("tile/entries/0\u0660" + "0", 404),
        ("tile/-1/000", 404),
        ("tile/", 404),
        ("tile", 404),
        ("tile/0/000/", 200),
        ("proof/" + "0" * 64, 404),
        ("proof/nothing", 404),
        ("add-checkpoint", 405),
    ],
)
def test_which_tiles_there_are(served: Running, path: str, status: int) -> None:
    assert served.get(f"{log.PREFIX}/{path}").status == status


def test_a_proof_from_a_node_suffices(served: Running) -> None:
    tx_id = create(7)["id"]
    proof = tlog.parse_proof(served.get(f"{log.PREFIX}/proof/{tx_id}").body)
    key = checkpoints.key_of(served.node.ledger.id, served.node.ledger.public_key)
    proven = proofs.check(proof, bytes.fromhex(tx_id), [key])
    assert (proven.leaf, len(proven.signatures)) == (7, 1)


def test_a_node_that_is_no_witness(served: Running) -> None:
    assert "witness" not in served.get("/").json["twin"]
    assert served.ask("POST", f"{log.PREFIX}/add-checkpoint", b"old 0\n").status == 404


# --- Witnesses ------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "own") as ledger:
        ledger.submit_many([create(n) for n in range(3)])
        yield ledger


@pytest.fixture
def witness(tmp_path: Path, ledger: Ledger) -> Iterator[Running]:
    key = checkpoints.key_of(ledger.id, ledger.public_key)
    with running(tmp_path / "witness", Options(logs={key.name: (key,)})) as node:
        yield node


def asked(*urls: str, keys: tuple[notes.VerifierKey, ...] = ()) -> witnesses.Asked:
    return witnesses.Asked(urls, keys, 10.0, DEFAULT_TLS)


def key_of(node: Running) -> notes.VerifierKey:
    return notes.parse_key(node.get("/").json["twin"]["witness"])


def test_a_node_witnesses_another(ledger: Ledger, witness: Running) -> None:
    key = key_of(witness)
    for count in (3, 3, 4, 5):
        while ledger.tip().last_seq < count:
            ledger.submit(create(ledger.tip().last_seq))
        document = witnesses.collect(ledger, asked(witness.url))
        (item,) = document["witnesses"]
        assert (item["status"], item["key"]) == ("cosigned", key.text)
        note = notes.parse(document["note"].encode())
        (verified,) = notes.verify(note, [key])
        assert verified.seconds is not None
        assert abs(verified.seconds - time.time()) < 60
        assert checkpoints.newest(ledger) == note
        assert tlog.parse_checkpoint(note.text).size == count


def test_a_rolled_back_and_a_forked_ledger_are_refused(
    tmp_path: Path, ledger: Ledger, witness: Running
) -> None:
    earlier = (tmp_path / "own" / "ledger.db").with_name("copy.db")
    ledger.checkpoint()
    earlier.write_bytes((tmp_path / "own" / "ledger.db").read_bytes())
    (tmp_path / "own" / "copy.key").write_bytes((tmp_path / "own" / "ledger.key").read_bytes())
    ledger.submit_many([create(n) for n in range(3, 6)])
    witnesses.collect(ledger, asked(witness.url))
    with Ledger.open(earlier) as copy:
        assert copy.id == ledger.id
        for count, code in ((0, "rolled_back"), (3, "not_cosigned"), (9, "not_cosigned")):
            copy.submit_many([create(n) for n in range(100 * count, 101 * count)])
            with pytest.raises(NotVerifiedError) as caught:
                witnesses.collect(copy, asked(witness.url))
            assert caught.value.code == code


def test_a_witness_that_does_not_know_the_log(tmp_path: Path, witness: Running) -> None:
    with Ledger.open(tmp_path / "stranger") as stranger:
        with pytest.raises(NotVerifiedError, match="not a witness of this ledger") as caught:
            witnesses.collect(stranger, asked(witness.url))
        assert caught.value.code == "not_cosigned"


def test_keys_that_are_given_count_alone(ledger: Ledger, witness: Running, served: Running) -> None:
    key = key_of(witness)
    prefix = f"{witness.url}{log.PREFIX}"
    assert witnesses.collect(ledger, asked(prefix, keys=(key,)))["witnesses"][0]["key"] == key.text
    other = key._replace(public_key=ALICE_BYTES)
    for url, keys in ((witness.url, (other,)), (prefix, (other,)), (prefix, ())):
        with pytest.raises(NotVerifiedError) as caught:
            witnesses.collect(ledger, asked(url, keys=keys))
        assert caught.value.code == "unknown_witness"
    with pytest.raises(NotVerifiedError) as caught:
        witnesses.collect(ledger, asked(served.url))
    assert caught.value.code == "unknown_witness"


ALICE_BYTES = ALICE.public_bytes


def test_some_of_several(ledger: Ledger, witness: Running) -> None:
    gone = "http://127.0.0.1:1"
    document = witnesses.collect(ledger, asked(gone, witness.url, gone))
    assert [item["status"] for item in document["witnesses"]] == ["refused", "cosigned"]
    assert document["witnesses"][0]["code"] == "node_error"
    assert len(document["signatures"]) == 2
    with pytest.raises(UnreachableError):
        witnesses.collect(ledger, asked(gone))
    dry = witnesses.collect(ledger, asked(gone), dry_run=True)
    assert [item["status"] for item in dry["witnesses"]] == ["not_asked"]


def test_bodies_that_are_not_requests(witness: Running) -> None:
    path = f"{log.PREFIX}/add-checkpoint"
    for body in (b"", b"old 0", b"\0" * 100, b"old 0\n\nx\n0\nAAAA\n\n\xe2\x80\x94 x AAAAAA==\n"):
        answer = witness.ask("POST", path, body)
        assert 400 <= answer.status < 500
    large = witness.ask("POST", path, b"x" * (tlog.MAX_PROOF + 1))
    assert large.status == 413


def test_what_a_strange_witness_answers(
    ledger: Ledger, witness: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = witness.node.witness
    assert own is not None
    from twincli.proof.witness import Answer

    line = notes.cosign("other\n", own.key.name, ALICE, 1).line
    for answer, code in (
        (Answer(409, "99999\n"), "rolled_back"),
        (Answer(409, "many\n"), "not_cosigned"),
        (Answer(409, "9" * 30), "not_cosigned"),
        (Answer(409, "1\n"), "not_cosigned"),
        (Answer(200, "nothing\n"), "node_error"),
        (Answer(200, line * 100), "unknown_witness"),
        (Answer(200, "x" * (1 << 20)), "node_error"),
        (Answer(500, "x"), "not_cosigned"),
    ):
        monkeypatch.setattr(own, "add_checkpoint", lambda *_, answer=answer: answer)
        with pytest.raises(TwinError) as caught:
            witnesses.collect(ledger, asked(witness.url))
        assert caught.value.code == code
        assert len(caught.value.message) < 300
