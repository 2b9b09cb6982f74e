"""``verify``, ``bundle export`` and ``ledger prove`` over a node, an honest one and others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.fakenode import FakeNode, serving
from tests.conftest import Invoke
from tests.ledger.chains import ALICE, BOB, create
from tests.node.running import Running, running
from tests.services.proof.facts import Facts, checkpoint, facts
from twincli.client.content import NodeContent
from twincli.client.logs import LogPlace
from twincli.client.network import NetworkClient
from twincli.content.store import Blobs
from twincli.errors import LockedError, UnreachableError
from twincli.ledger import Ledger
from twincli.ledger.reading import Entry
from twincli.node.node import Options
from twincli.rules.validity import SERVER

COUNT = 300
"""Transactions of the ledger: more than a tile has."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    place = tmp_path_factory.mktemp("served")
    made = facts(place, count=40)
    with Ledger.open(place / "ledger") as ledger:
        ledger.submit_many([create(n, signer=BOB) for n in range(COUNT - 40)])
    return made


@pytest.fixture(scope="module")
def served(found: Facts) -> Iterator[Running]:
    options = Options(content=Blobs(str(found.place / "content")))
    with running(found.place / "ledger", options) as node:
        yield node


@pytest.fixture
def ask(invoke: Invoke, home: Path, served: Running) -> Callable[..., Any]:
    """Return what runs a command of an empty home over the node."""
    home.mkdir(exist_ok=True)

    def run(*words: str) -> Any:
        return invoke(*words, "--node", served.url, "--json")

    return run


def test_what_a_node_shows_is_judged_like_a_bundle(ask: Any, found: Facts) -> None:
    run = ask("verify", found.car)
    assert run.status == 0, run.stderr
    said = run.json
    assert (said["status"], said["kind"], said["size"]) == ("consistent", "network", COUNT)
    parts = said["parts"]
    assert {name for name, part in parts.items() if part["status"] != "ok"} == {"audit_trail"}
    assert parts["attachment_hashes"]["checked"] == 2
    assert ask("verify", found.car, "--issuer", ALICE.public_key).json["status"] == "verified"
    wrong = ask("verify", found.car, "--issuer", BOB.public_key)
    assert (wrong.status, wrong.json["status"]) == (3, "failed")


def test_a_name_of_this_home_is_an_anchor(
    ask: Any, invoke: Invoke, served: Running, found: Facts
) -> None:
    assert invoke("name", "set", "car", found.car, "--node", served.url).status == 0
    said = ask("verify", "car").json
    assert (said["status"], said["source"]) == ("verified", "car")
    (anchor,) = said["anchors"]
    assert (anchor["anchor"], anchor["pinned"], anchor["matched"]) == ("asset", True, True)


def test_what_another_process_brings_meanwhile_is_not_looked_at(
    ask: Any, found: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = NetworkClient.entries
    count = ask("verify", found.car).json["parts"]["data_integrity"]["checked"]

    def earlier(client: NetworkClient, asset_id: str, after: str | None = None) -> Iterator[Entry]:
        listed = list(everything(client, asset_id, after))
        return iter(listed[:-1] if asset_id == found.car else listed)

    monkeypatch.setattr(NetworkClient, "entries", earlier)
    run = ask("verify", found.car)
    assert (run.status, run.json["status"]) == (0, "consistent"), run.stderr
    assert run.json["parts"]["data_integrity"]["checked"] == count - 1


def test_the_bundle_is_the_one_that_the_node_would_write(
    ask: Any, invoke: Invoke, found: Facts, tmp_path: Path
) -> None:
    there, here = tmp_path / "there.twin", tmp_path / "here.twin"
    dry = ask("bundle", "export", found.car, "-o", str(there), "--dry-run").json
    made = ask("bundle", "export", found.car, "-o", str(there)).json
    assert made == dry
    assert made["left_out"] == []
    node = f"file:{found.place / 'ledger'}"
    own = invoke("bundle", "export", found.car, "-o", str(here), "--node", node, "--json").json
    assert own["left_out"] == []  # the first run fetched the content
    assert there.read_bytes() == here.read_bytes()


def test_a_passport_has_the_checkpoint_of_the_node(ask: Any, served: Running, found: Facts) -> None:
    root = served.node.ledger.tip().root.hex()
    said = ask("bundle", "passport", found.car).json
    assert said["checkpoint"] == {"size": COUNT, "root": root}
    assert said["code"].endswith(f"?size={COUNT}&root={root}")


def test_a_passport_does_without_a_log_that_is_down(
    ask: Any, found: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_place: LogPlace) -> None:
        raise UnreachableError("http://a.example failed", code="node_error")

    monkeypatch.setattr(LogPlace, "stated", down)
    said = ask("bundle", "passport", found.car).json
    assert (said["checkpoint"], len(said["warnings"])) == (None, 1)
    assert "without a checkpoint: http://a.example failed" in said["warnings"][0]


def test_proofs_suffice_without_the_node(
    ask: Any, invoke: Invoke, served: Running, found: Facts, tmp_path: Path
) -> None:
    proof, kept = tmp_path / "p.tlog-proof", tmp_path / "kept"
    key = served.node.ledger.public_key
    assert ask("ledger", "checkpoint", "-o", str(kept)).json["size"] == COUNT
    assert ask("ledger", "prove", found.car, "-o", str(proof)).status == 0
    said = invoke("verify", str(proof), found.car, "--ledger-key", key, "--json").json
    assert said["status"] == "verified"
    again = ask("ledger", "prove", found.car, "--checkpoint", str(kept)).json
    assert again["proof"] == proof.read_text()
    grown = tmp_path / "grown"
    assert ask("ledger", "prove", "--from", str(kept), "-o", str(grown)).status == 0
    said = invoke("verify", str(grown), "--checkpoint", str(kept), "--json").json
    assert said["status"] == "verified"
    assert ask("verify", found.car, "--checkpoint", str(kept)).json["status"] == "verified"
    missing = ask("ledger", "prove", "0" * 64)
    assert (missing.status, missing.error["code"]) == (4, "not_found")


def test_a_node_that_was_rolled_back_or_forked_is_found_out(
    ask: Any, served: Running, found: Facts, tmp_path: Path
) -> None:
    from twincli.crypto import notes, tlog
    from twincli.ledger.files import locate, read_key

    key = read_key(locate(str(found.place / "ledger")).key)
    origin = tlog.origin_of(served.node.ledger.id)
    for size, code in ((COUNT + 1, "rolled_back"), (COUNT - 1, "forked_log"), (0, "forked_log")):
        made = tlog.Checkpoint(origin, size, bytes(32))
        note = notes.Note(made.text, (notes.sign(made.text, origin, key),))
        kept = tmp_path / f"kept{size}"
        kept.write_bytes(note.to_bytes())
        run = ask("verify", found.car, "--checkpoint", str(kept))
        assert (run.status, run.json["problem"]["code"]) == (3, "anchor_mismatch"), size
        for words in (("--from", str(kept)), (found.car, "--checkpoint", str(kept))):
            run = ask("ledger", "prove", *words)
            assert (run.status, run.error["code"]) == (3, code), (size, words)


@pytest.mark.parametrize(
    ("what", "at"),
    [("checkpoint", 0), ("checkpoint", 120), ("tile/0/", -1), ("tile/entries/", 9)],
)
def test_an_altered_log_proves_nothing(
    ask: Any, found: Facts, monkeypatch: pytest.MonkeyPatch, what: str, at: int, tmp_path: Path
) -> None:
    true = LogPlace._get

    def altered(place: LogPlace, name: str) -> bytes:
        data = bytearray(true(place, name))
        if name.startswith(what):
            data[at] ^= 1
        return bytes(data)

    monkeypatch.setattr(LogPlace, "_get", altered)
    run = ask("verify", found.car)
    assert (run.status, run.json["status"]) == (3, "failed")
    run = ask("bundle", "export", found.car, "-o", str(tmp_path / "car.twin"))
    assert (run.status, run.stdout) == (3, "")
    assert not (tmp_path / "car.twin").exists()


def test_a_log_without_a_transaction_does_not_hide_it(
    ask: Any, found: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli.client.logs import Log

    monkeypatch.setattr(Log, "find", lambda *_: {})
    said = ask("verify", found.car).json
    assert said["problem"]["code"] == "not_in_log"
    assert said["parts"]["ledger_proof"]["status"] == "failed"
    run = ask("ledger", "prove", found.car)
    assert (run.status, run.error["code"]) == (3, "wrong_log")


def test_content_is_asked_for_and_compared(
    ask: Any, found: Facts, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not (home / "content").exists()
    monkeypatch.setattr(NodeContent, "keeps_content", lambda _: False)
    run = ask("verify", found.car)
    assert (run.status, run.json["problem"]["code"]) == (11, "missing_content")
    made = ask("bundle", "export", found.car, "-o", str(tmp_path / "car.twin")).json
    assert [item["what"] for item in made["left_out"]] == ["missing", "missing"]
    assert not (home / "content").exists()


def test_what_is_later_than_the_checkpoint_is_told(
    ask: Any, found: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = checkpoint(found.place / "ledger", 5)
    monkeypatch.setattr(LogPlace, "checkpoint", lambda _: old)
    said = ask("verify", found.car).json
    assert (said["status"], said["size"]) == ("consistent", 5)
    notes = said["parts"]["ledger_proof"]["notes"]
    assert {note["code"] for note in notes} == {"after_checkpoint"}
    strict = ask("verify", found.car, "--strict")
    assert (strict.status, strict.json["parts"]["ledger_proof"]["status"]) == (3, "failed")


def test_content_that_is_denied_is_told(
    ask: Any, found: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(node: NodeContent, cid: str) -> Any:
        raise LockedError(f"{node.url} denies access: {cid[:5]}", code="no_grant")

    monkeypatch.setattr(NodeContent, "open", denied)
    run = ask("verify", found.car)
    part = run.json["parts"]["attachment_hashes"]
    assert (run.status, part["status"]) == (11, "undetermined")
    assert [note["code"] for note in part["notes"]] == ["no_grant", "no_grant"]


def test_words_that_do_not_fit(ask: Any, found: Facts) -> None:
    for words, status, code in (
        (("verify",), 2, "not_supported"),
        (("ledger", "verify", found.car, "--index"), 2, "not_supported"),
        (("verify", "0" * 64), 4, "not_found"),
        (("verify", "nothing"), 4, "not_found"),
        (("verify", found.car, found.car), 2, "usage"),
    ):
        run = ask(*words)
        assert (run.status, run.error["code"]) == (status, code), words


# --- A network without a log --------------------------------------------------------------------


@pytest.fixture
def official(found: Facts) -> Iterator[FakeNode]:
    """Return a plain server with the twin."""
    with (
        Ledger.open(found.place / "ledger", create=False) as ours,
        Ledger.open(":memory:", profile=SERVER) as theirs,
    ):
        theirs.submit_many([row.tx for row in ours.store.rows()])
        with serving(theirs) as node:
            yield node


def test_what_a_plain_server_shows_is_verified_as_far_as_it_can_be(
    invoke: Invoke, home: Path, official: FakeNode, found: Facts, tmp_path: Path
) -> None:
    home.mkdir(exist_ok=True)
    where = ("--node", official.url, "--json")
    run = invoke("verify", found.car, "--issuer", ALICE.public_key, *where)
    said = run.json
    assert (run.status, said["status"], said["size"], said["root"]) == (
        11,
        "undetermined",
        None,
        None,
    )
    parts = said["parts"]
    assert parts["data_integrity"]["status"] == "ok"
    assert parts["data_integrity"]["checked"] > 20
    assert [item["code"] for item in parts["ledger_proof"]["problems"]] == ["no_log"]
    assert said["anchors"][0]["matched"]
    key = invoke("verify", found.car, "--ledger-key", ALICE.public_key, *where).json
    assert [(one["anchor"], one["matched"]) for one in key["anchors"]] == [("ledger_key", None)]
    for words in (
        ("bundle", "export", found.car, "-o", str(tmp_path / "car.twin")),
        ("ledger", "prove", found.car),
        ("ledger", "checkpoint"),
    ):
        run = invoke(*words, *where)
        assert (run.status, run.error["code"]) == (2, "not_supported"), words


def test_a_plain_server_that_lies_is_found_out(
    invoke: Invoke, home: Path, official: FakeNode, found: Facts
) -> None:
    home.mkdir(exist_ok=True)

    def altered(answer: Any) -> Any:
        status, txs = answer
        for tx in txs if isinstance(txs, list) else [txs]:
            if tx["operation"] == "TRANSFER":
                tx["metadata"] = {"km": 0}
        return status, txs

    official.answers["/api/v1/transactions"] = altered
    run = invoke("verify", found.car, "--node", official.url, "--json")
    assert (run.status, run.json["status"]) == (3, "failed")
