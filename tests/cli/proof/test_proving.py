"""``twin ledger checkpoint|prove|witness``."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import garage, quietly
from tests.conftest import Invoke
from tests.node.running import Running, running
from twincli.crypto import notes, tlog
from twincli.node.node import Options
from twincli.proof import proofs


@pytest.fixture
def story(invoke: Invoke) -> dict[str, Any]:
    return garage(invoke)


def test_a_checkpoint_on_stdout_and_in_a_file(
    invoke: Invoke, story: dict[str, Any], tmp_path: Path
) -> None:
    twin = quietly(invoke)
    document = twin("ledger", "checkpoint")
    assert list(document) == [
        "schema",
        "ledger",
        "origin",
        "size",
        "root",
        "key",
        "signatures",
        "note",
    ]
    assert (document["ledger"], document["size"]) == (story["car"]["ledger"], 7)
    assert invoke("ledger", "checkpoint").stdout == document["note"]
    assert invoke("ledger", "checkpoint", "-o", "-").stdout == document["note"]
    file = tmp_path / "one"
    dry = invoke("ledger", "checkpoint", "-o", str(file), "--dry-run")
    assert (dry.status, dry.stdout, file.exists()) == (0, "", False)
    run = invoke("ledger", "checkpoint", "-o", str(file))
    assert (run.status, run.stdout, run.stderr) == (0, "", f"wrote {file}\n")
    assert file.read_text() == document["note"]
    run = invoke("ledger", "checkpoint", "-o", str(file), "--json")
    assert (run.status, run.error["code"]) == (5, "exists")


def test_a_proof_of_a_transaction(invoke: Invoke, story: dict[str, Any], tmp_path: Path) -> None:
    twin = quietly(invoke)
    tx_id = story["first"]["transaction_id"]
    key = notes.parse_key(twin("ledger", "checkpoint")["key"])
    for ref in (tx_id, tx_id[:12]):
        proof = tlog.parse_proof(invoke("ledger", "prove", ref).stdout.encode())
        proven = proofs.check(proof, bytes.fromhex(tx_id), [key])
        assert (proven.leaf, len(proven.signatures)) == (1, 1)
    document = twin("ledger", "prove", "car", "-o", str(tmp_path / "car.tlog-proof"))
    assert document["transaction_id"] == document["asset_id"] == story["car"]["transaction_id"]
    assert document["file"] == str(tmp_path / "car.tlog-proof")
    assert (tmp_path / "car.tlog-proof").read_text() == document["proof"]


@pytest.mark.usefixtures("story")
def test_growth_since_a_checkpoint(invoke: Invoke, tmp_path: Path) -> None:
    twin = quietly(invoke)
    file = tmp_path / "one.checkpoint"
    twin("ledger", "checkpoint", "-o", str(file))
    twin("asset", "append", "car", "--mileage", "1300")
    document = twin("ledger", "prove", "--from", str(file))
    assert (document["from_size"], document["size"]) == (7, 8)
    shown = tlog.parse_submission(invoke("ledger", "prove", "--from", str(file)).stdout.encode())
    assert shown.is_consistent(bytes.fromhex(document["from_root"]))
    against = twin("ledger", "prove", "car", "--checkpoint", str(file))
    assert against["size"] == 7
    later = twin("asset", "append", "car", "--mileage", "1400")["transaction_id"]
    run = invoke("ledger", "prove", later, "--checkpoint", str(file), "--json")
    assert (run.status, run.error["code"]) == (4, "not_found")


@pytest.mark.usefixtures("story")
def test_words_that_do_not_fit(invoke: Invoke, tmp_path: Path) -> None:
    bad, missing = tmp_path / "bad", str(tmp_path / "missing")
    bad.write_text("nothing\n")
    for words, status, code in (
        (("prove",), 2, "usage"),
        (("prove", "car", "--from", str(bad)), 2, "usage"),
        (("prove", "--from", str(bad), "--checkpoint", str(bad)), 2, "usage"),
        (("prove", "--from", str(bad)), 7, "invalid_note"),
        (("prove", "--from", missing), 4, "no_file"),
        (("prove", "nobody"), 4, "not_found"),
        (("prove", "f" * 64), 4, "not_found"),
        (("witness", "http://127.0.0.1:1", "--witness-key", "no"), 7, "invalid_verifier_key"),
        (("witness", "ftp://here"), 2, "bad_url"),
        (("witness", "http://127.0.0.1:1"), 8, "node_error"),
        (("checkpoint", "--node", "http://127.0.0.1:1"), 8, "unreachable"),
    ):
        run = invoke("ledger", *words, "--json")
        assert (run.status, run.error["code"]) == (status, code), words


@pytest.mark.usefixtures("story")
def test_an_altered_ledger_is_not_proved(invoke: Invoke, home: Path, tmp_path: Path) -> None:
    twin = quietly(invoke)
    before = (home / "ledger" / "ledger.db", home / "ledger" / "ledger.db-wal")
    copies = [path.read_bytes() for path in before]
    twin("asset", "append", "car", "--mileage", "1300")
    file = tmp_path / "one.checkpoint"
    twin("ledger", "checkpoint", "-o", str(file))
    for path, data in zip(before, copies, strict=True):
        path.write_bytes(data)
    for name in ("ledger.mark", "index.db", "index.db-wal", "index.db-shm", "ledger.db-shm"):
        (home / "ledger" / name).unlink(missing_ok=True)
    run = invoke("ledger", "prove", "--from", str(file), "--json")
    assert (run.status, run.error["code"]) == (3, "rolled_back")


def test_there_is_none_before_the_first_asset(invoke: Invoke, home: Path) -> None:
    for verb in (("checkpoint",), ("prove", "car"), ("witness", "http://127.0.0.1:1")):
        assert invoke("ledger", *verb, "--json").error["code"] == "no_home"
    quietly(invoke)("keys", "new", "alice", "--no-passphrase")
    for verb in (("checkpoint",), ("prove", "car"), ("witness", "http://127.0.0.1:1")):
        assert invoke("ledger", *verb, "--json").error["code"] == "no_ledger"
    assert not (home / "ledger").exists()


@pytest.fixture
def witness(invoke: Invoke, tmp_path: Path) -> Iterator[Running]:
    garage(invoke)
    key = notes.parse_key(quietly(invoke)("ledger", "checkpoint")["key"])
    with running(tmp_path / "witness", Options(logs={key.name: (key,)})) as node:
        yield node


def test_witnesses(invoke: Invoke, witness: Running, tmp_path: Path) -> None:
    twin = quietly(invoke)
    dry = invoke("ledger", "witness", witness.url, "--dry-run")
    assert (dry.status, dry.stderr) == (0, f"{witness.url}: would be asked to cosign\n")
    run = invoke("ledger", "witness", witness.url)
    assert run.status == 0
    name = f"twincli/{witness.node.ledger.id}"
    assert run.stderr == f"{witness.url}: cosigned as {name}\n"
    assert run.stdout.count("\u2014 ") == 2
    assert twin("ledger", "checkpoint")["note"] == run.stdout
    assert twin("ledger", "prove", "car")["proof"].endswith(run.stdout)
    bundle = tmp_path / "car.twin"
    twin("bundle", "export", "car", "-o", str(bundle))
    with zipfile.ZipFile(bundle) as entries:
        assert entries.read("checkpoint").decode() == run.stdout
    assert twin("verify", str(bundle))["status"] == "consistent"
    run = invoke("ledger", "witness", witness.url, "http://127.0.0.1:1", "--json")
    assert run.status == 10
    assert [item["status"] for item in run.json["witnesses"]] == ["cosigned", "refused"]
    file = tmp_path / "cosigned"
    run = invoke("ledger", "witness", witness.url, "-o", str(file))
    assert (run.stdout, run.status) == ("", 0)
    assert file.read_text().count("\u2014 ") == 2


def test_a_proof_is_checked_without_a_home(
    invoke: Invoke, story: dict[str, Any], home: Path, tmp_path: Path
) -> None:
    twin = quietly(invoke)
    tx_id, proof = story["car"]["transaction_id"], str(tmp_path / "car.tlog-proof")
    kept, grew, file = (str(tmp_path / name) for name in ("kept", "grew", "car.json"))
    twin("ledger", "checkpoint", "-o", kept)
    twin("asset", "append", "car", "--mileage", "1300")
    twin("ledger", "prove", "car", "-o", proof)
    twin("ledger", "prove", "--from", kept, "-o", grew)
    Path(file).write_text(invoke("tx", "show", tx_id, "--json").stdout)
    key = twin("ledger", "info")["public_key"]
    home.rename(tmp_path / "away")
    for words, status, answer in (
        ((proof, file, "--ledger-key", key), 0, "verified"),
        ((proof, tx_id), 0, "consistent"),
        ((proof, "f" * 64), 3, "failed"),
        ((grew, "--checkpoint", kept), 0, "verified"),
        ((grew,), 11, "undetermined"),
    ):
        run = invoke("verify", *words, "--json")
        assert (run.status, run.json["status"]) == (status, answer), words
    for words in ((proof,), (grew, tx_id), (grew, "--checkpoint", file)):
        assert invoke("verify", *words).status == 2
    assert invoke("verify", proof, str(tmp_path / "missing.json")).status == 4
    assert not home.exists()
