"""``twin verify`` as people type it: four answers, a clear first line, exits, no home for files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import xml.etree.ElementTree as ET
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Invoke


@pytest.fixture
def car(invoke: Invoke, tmp_path: Path) -> str:
    (tmp_path / "a.txt").write_text("hello")
    for command in (
        "keys new alice --no-passphrase",
        "asset create car --template vehicle-tracking-v1 --vin W1 --mileage 10",
        "asset append car --mileage 20",
        f"file attach car {tmp_path / 'a.txt'}",
        "stream push car gps --speed 3",
    ):
        run = invoke(*command.split())
        assert run.status == 0, run.stderr
    return str(invoke("asset", "show", "car", "--get", "id").stdout.strip())


@pytest.fixture
def handed(car: str, home: Path, tmp_path: Path) -> Path:
    """The ledger alone, in another place, with no home."""
    assert car
    place = tmp_path / "handed"
    place.mkdir()
    for name in os.listdir(home / "ledger"):
        if name.startswith("ledger.db"):
            shutil.copy(home / "ledger" / name, place)
    with closing(sqlite3.connect(place / "ledger.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.move(home, tmp_path / "away")
    return place / "ledger.db"


def test_a_twin_of_the_home_is_verified_by_what_the_home_knows(invoke: Invoke, car: str) -> None:
    run = invoke("verify", "car", tty=True)
    assert run.status == 0
    assert "verified" in run.stdout.splitlines()[0]
    document = invoke("verify", "car", "--json").json
    assert document["status"] == "verified"
    assert document["asset_id"] == car
    assert {one["anchor"] for one in document["anchors"]} == {"asset", "ledger_key"}
    assert all(one["pinned"] and one["matched"] for one in document["anchors"])
    parts = document["parts"]
    assert [parts[name]["status"] for name in parts] == ["ok"] * 5 + ["not_checked"]
    assert parts["attachment_hashes"]["checked"] == 1
    assert invoke("verify", "car").stdout.startswith("status\tverified\n")
    assert invoke("verify", "--get", "status").stdout == "verified\n"
    assert invoke("ledger", "verify", "--index", "--get", "status").stdout == "verified\n"
    assert invoke("verify", "nobody").status == 4
    assert invoke("verify", "car", "bike").status == 2


def test_a_narrow_terminal(invoke: Invoke, car: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert car
    monkeypatch.setenv("COLUMNS", "40")
    run = invoke("verify", "car", "--color", "never", tty=True)
    lines = run.stdout.splitlines()
    assert lines[0].startswith("verified")
    assert max(map(len, lines)) <= 40
    assert "data integrity: ok" in lines


def test_a_home_without_a_ledger_has_nothing_to_verify(invoke: Invoke) -> None:
    assert invoke("keys", "new", "alice", "--no-passphrase").status == 0
    for command in ("verify", "ledger verify", "ledger verify --index", "audit run --all"):
        run = invoke(*command.split(), "--json")
        assert (run.status, run.error["code"]) == (4, "no_ledger"), command


def test_what_is_drawn_says_nothing_twice_and_how_to_anchor(
    invoke: Invoke, car: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert car
    bundle = str(tmp_path / "car.twin")
    assert invoke("bundle", "export", "car", "-o", bundle).status == 0
    assert "--issuer DID" in invoke("verify", bundle, tty=True).stdout.splitlines()[1]
    assert "--issuer DID" not in invoke("verify", "car", tty=True).stdout
    other = tmp_path / "other"
    other.write_text("neither")
    first = invoke("verify", str(other)).stdout.splitlines()[1]
    assert first.count(str(other)) == 1
    monkeypatch.setenv("COLUMNS", "40")
    text = invoke("verify", str(other), "--color", "never", tty=True).stdout
    assert text.startswith("failed: nothing in it can be verified\n")
    assert "data integrity" not in text
    lines = invoke("verify", bundle, "--color", "never", tty=True).stdout.splitlines()
    parts = [line.rstrip() for line in lines[lines.index("data integrity: ok") :]]
    assert parts[1] == "  5 transactions"
    below = parts[parts.index("audit trail: not checked") + 1 :]
    assert " ".join(" ".join(below).split()) == "no audit log here: it belongs to a home"
    assert all(line.startswith("  ") for line in below)


def test_each_part_says_of_what_how_many_or_why_none(
    invoke: Invoke, car: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")

    def drawn(path: Path, *args: str) -> dict[str, list[str]]:
        text = invoke("verify", str(path), *args, "--color", "never", tty=True).stdout
        return {line[:17].strip(): line[17:].split(maxsplit=1) for line in text.splitlines()}

    ledger = home / "ledger" / "ledger.db"
    assert drawn(ledger)["ledger proof"][1].rstrip().endswith("blocks and checkpoints")
    assert "a ledger's file has none" in " ".join(drawn(ledger)["attachment hashes"])
    bundle, proof, kept = tmp_path / "car.twin", tmp_path / "p", tmp_path / "kept"
    assert invoke("bundle", "export", "car", "-o", str(bundle)).status == 0
    data = bytearray(bundle.read_bytes())
    at = data.index(b'"path":["') + 12
    data[at] = ord("1") if data[at] == ord("0") else ord("0")
    bundle.write_bytes(data)
    parts = drawn(bundle)
    assert parts["data integrity"][0] == "ok"
    assert parts["ledger proof"][0] == "failed"
    assert "something above failed" in " ".join(parts["authority"])
    assert invoke("ledger", "prove", car, "-o", str(proof)).status == 0
    parts = drawn(proof, car)
    assert parts["ledger proof"][1].rstrip() == "1 proof or checkpoint"
    assert "not in a proof" in " ".join(parts["references"])
    assert invoke("ledger", "checkpoint", "-o", str(kept)).status == 0
    for path in (str(kept), "-"):
        run = invoke("verify", path, "--json")
        assert (run.status, run.error["code"]) == (2, "usage")


@pytest.mark.usefixtures("car")
def test_content_that_is_gone_is_missing_and_content_that_changed_is_altered(
    invoke: Invoke, home: Path
) -> None:
    (file,) = [path for path in (home / "content").rglob("*") if path.is_file()]
    file.chmod(0o600)
    file.write_text("other")
    run = invoke("verify", "car", "--json")
    assert run.status == 3
    assert run.json["problem"]["code"] == "altered"
    assert run.json["problem"]["where"] == file.name
    file.unlink()
    run = invoke("verify", "car", "--json")
    assert run.status == 11
    assert run.json["status"] == "undetermined"
    assert run.json["problem"]["code"] == "missing_content"


def test_a_file_needs_no_home_and_gets_no_neighbours(
    invoke: Invoke, car: str, handed: Path, home: Path
) -> None:
    before = sorted(os.listdir(handed.parent))
    assert invoke("verify", str(handed), "--get", "status").stdout == "consistent\n"
    run = invoke("verify", str(handed), car, "--asset", car, "--json")
    assert run.status == 0
    assert run.json["status"] == "verified"
    assert run.json["parts"]["attachment_hashes"]["status"] == "not_checked"
    assert invoke("verify", str(handed), "0" * 64).status == 4
    assert invoke("verify", str(handed.parent), "--get", "status").stdout == "consistent\n"
    assert invoke("--node", f"file:{handed}", "verify", car, "--get", "status").status == 0
    assert sorted(os.listdir(handed.parent)) == before
    assert not home.exists()
    # Neither of these is on the ledger.
    assert invoke("verify", str(handed), "--asset", "0" * 64).status == 3
    assert invoke("verify", str(handed), "--root", "0" * 64).status == 3
    assert invoke("verify", str(handed), "--not-before", "2100-01-01").status == 11
    assert invoke("verify", str(handed), "--not-before", "2020-01-01").status == 0


def test_an_altered_file_is_failed_and_the_first_line_says_so(invoke: Invoke, handed: Path) -> None:
    with closing(sqlite3.connect(handed)) as connection, connection:
        connection.execute("UPDATE tx SET body = replace(body, '\"mileage\":20', '\"mileage\":2')")
    with closing(sqlite3.connect(handed)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    run = invoke("verify", str(handed), tty=True)
    assert run.status == 3
    first, *rest = run.stdout.splitlines()
    assert "failed" in first
    assert "invalid_hash" in "".join(rest)
    handed.write_bytes(b"hello")
    run = invoke("verify", str(handed), "--json")
    assert run.status == 3
    assert run.json["problem"]["code"] == "unknown_evidence"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("verify", 4),
        ("verify car", 4),
        ("verify none.twin", 4),
        ("verify ./none", 4),
        ("verify x.db --root zz", 2),
        ("verify x.db --issuer alice", 2),
        ("verify x.db --asset car", 2),
        ("verify x.db --ledger-key car", 2),
        ("verify x.db --checkpoint none", 4),
        ("verify x.db --not-before soon", 2),
        ("ledger verify x.db --index", 2),
        ("ledger verify --incremental", 2),
    ],
)
def test_wrong_words(invoke: Invoke, words: str, status: int, home: Path) -> None:
    run = invoke(*words.split(), "--json")
    assert run.status == status, run
    assert run.error["message"]
    assert not home.exists()


def test_an_audit_judges_all_twins_and_writes_a_report(
    invoke: Invoke, car: str, home: Path, tmp_path: Path
) -> None:
    assert invoke("asset", "create", "bike", "--n", "1").status == 0
    report = tmp_path / "audit.xml"
    assert invoke("audit", "run", "bike", "--junit", str(report), "--dry-run").status == 0
    assert not report.exists()
    run = invoke("audit", "run", "--all", "--junit", str(report), "--json")
    assert run.status == 0, run
    assert run.json["status"] == "ok"
    assert run.json["counts"] == {"failed": 0, "undetermined": 0, "ok": 2}
    found = ET.fromstring(report.read_bytes())
    suites = {suite.get("name"): suite for suite in found}
    assert {"car", "bike"} < suites.keys()
    assert suites["car"].get("tests") == "3"
    assert not found.findall(".//failure")
    # Content that is gone could not be told; what was altered is a failure of its twin alone.
    (file,) = [path for path in (home / "content").rglob("*") if path.is_file()]
    file.chmod(0o600)
    file.write_text("other")
    run = invoke("audit", "run", "--all", "--junit", str(report), "--json")
    assert run.status == 3
    assert {item["name"]: item["status"] for item in run.json["twins"]}["bike"] == "ok"
    found = ET.fromstring(report.read_bytes())
    (failure,) = found.findall(".//failure")
    assert file.name in str(failure.get("message"))
    run = invoke("audit", "run", "bike")
    assert run.status == 0
    assert run.stderr.splitlines()[0].startswith("ledger: ok, 6 transactions checked; audit log: ")
    file.unlink()
    assert invoke("audit", "run", "car").status == 11
    with closing(sqlite3.connect(home / "ledger" / "ledger.db")) as connection, connection:
        connection.execute("UPDATE tx SET body = replace(body, '\"mileage\":20', '\"mileage\":2')")
    assert invoke("audit", "run", "bike").stderr.startswith("ledger: failed, ")
    run = invoke("audit", "run", car, "bike", "--json")
    assert run.status == 3
    assert run.json["parts"]["data_integrity"]["status"] == "failed"
    assert {item["status"] for item in run.json["twins"]} == {"undetermined"}


def test_an_audit_needs_twins(invoke: Invoke, car: str) -> None:
    assert car
    assert invoke("audit", "run").status == 2
    assert invoke("audit", "run", "car", "--all").status == 2
    assert invoke("audit", "run", "nobody").status == 4


def test_a_report_goes_through_links_and_not_into_pipes(
    invoke: Invoke, car: str, tmp_path: Path
) -> None:
    assert car
    link, pipe = tmp_path / "link.xml", tmp_path / "pipe"
    link.symlink_to(tmp_path / "report.xml")
    assert invoke("audit", "run", "--all", "--junit", str(link)).status == 0
    assert link.is_symlink()
    assert (tmp_path / "report.xml").read_bytes().startswith(b"<?xml")
    os.mkfifo(pipe)
    run = invoke("audit", "run", "--all", "--junit", str(pipe))
    assert (run.status, run.stderr) == (
        9,
        f"twin: error: cannot write {pipe}: not a regular file\n",
    )
    assert pipe.is_fifo()
    run = invoke("verify", str(pipe))
    assert (run.status, run.stderr) == (
        9,
        f"twin: error: cannot read {pipe}: not a regular file\n",
    )


@pytest.mark.parametrize("words", [("--from", ""), ("car", "--checkpoint", "")])
def test_an_empty_name_of_a_file(words: tuple[str, ...], invoke: Invoke, car: str) -> None:
    assert car
    run = invoke("ledger", "prove", *words)
    assert (run.status, run.stderr) == (4, "twin: error: there is no file \n")


def test_the_audit_log_is_part_of_the_answer(invoke: Invoke, car: str, home: Path) -> None:
    assert car
    assert invoke("keys", "new", "bob", "--no-passphrase").status == 0
    assert invoke("grant", "add", "car", "--to", "bob", "--role", "writer").status == 0
    found = invoke("verify", "car", "--json").json["parts"]["audit_trail"]
    assert found["status"] == "ok"
    (log,) = [path for path in (home / "audit").iterdir() if path.stat().st_size > 100]
    log.write_bytes(log.read_bytes().replace(b"granted", b"revoked"))
    run = invoke("verify", "car", "--json")
    assert run.status == 3
    assert run.json["problem"]["where"].startswith("audit log")


def test_a_checkpoint_a_proof_and_going_on_from_there(
    invoke: Invoke, car: str, home: Path, tmp_path: Path
) -> None:
    kept, proof = str(tmp_path / "kept"), str(tmp_path / "car.tlog-proof")
    assert invoke("ledger", "checkpoint", "-o", kept).status == 0
    assert invoke("ledger", "prove", "car", "-o", proof).status == 0
    key = invoke("ledger", "info", "--get", "public_key").stdout.strip()
    assert invoke("asset", "append", "car", "--mileage", "30").status == 0
    run = invoke("ledger", "verify", "--checkpoint", kept, "--incremental", "--json")
    assert run.status == 0
    assert run.json["status"] == "verified"
    assert run.json["parts"]["data_integrity"]["checked"] == run.json["size"]
    home.rename(tmp_path / "away")
    run = invoke("verify", proof, car, "--ledger-key", key, "--json")
    assert run.status == 0
    assert (run.json["status"], run.json["kind"]) == ("verified", "proof")
    assert invoke("verify", proof, car, "--get", "status").stdout == "consistent\n"
    assert invoke("verify", proof, "0" * 64).status == 3
    assert invoke("verify", proof).status == 2
    assert invoke("verify", proof, "car").status == 2
    assert invoke("verify", proof, "none.json").status == 4
