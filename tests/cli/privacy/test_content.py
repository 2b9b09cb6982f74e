"""``twin content shred`` and encrypted files and streams as one types them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Invoke
from twincli.services import documents


@pytest.fixture
def car(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    for name in ("alice", "bob"):
        assert invoke("keys", "new", name).status == 0
    assert invoke("asset", "create", "car", "--owner", "alice").status == 0
    return invoke


def test_a_file_comes_encrypted_and_goes_for_good(car: Invoke, tmp_path: Path) -> None:
    (tmp_path / "plan.txt").write_text("the plan")
    made = car("file", "attach", "car", str(tmp_path / "plan.txt"), "--encrypt", "--json").json
    assert made["files"][0]["encrypted"] is True
    assert car("file", "list", "car", "--json").json["files"][0]["wrap_here"] is True
    out = tmp_path / "out.txt"
    assert car("file", "get", "car", "plan.txt", "-o", str(out), "--json").json["size"] == 8
    assert out.read_text() == "the plan"
    cid = made["files"][0]["cid"]
    stored = tmp_path / "stored"
    assert car("file", "get", cid, "-o", str(stored)).status == 0
    assert stored.read_bytes().startswith(b"age-encryption.org/v1")
    failed = car(
        "file", "get", "car", "plan.txt", "--key", "bob", "-o", str(tmp_path / "x"), "--json"
    )
    assert (failed.status, failed.error["code"]) == (6, "no_grant")
    assert not (tmp_path / "x").exists()
    (tmp_path / "open.txt").write_text("open")
    assert car("file", "attach", "car", str(tmp_path / "open.txt")).status == 0
    failed = car("content", "shred", "car", "--file", "open.txt", "--json")
    assert (failed.status, failed.error["code"]) == (2, "not_encrypted")
    assert "twin file attach car FILE --encrypt" in failed.error["hint"]
    drawn = car("grant", "add", "car", "--to", "bob", "--role", "viewer", "--dry-run", tty=True)
    assert "viewer" in drawn.stdout
    assert "wraps" not in drawn.stdout
    for args, code in (
        ((), "usage"),
        (("--stream", "a", "--file", "b"), "usage"),
        (("--file", "plan.txt"), "unconfirmed"),
    ):
        failed = car("content", "shred", "car", *args, "--json")
        assert failed.status == 2, code
    dry = car("content", "shred", "car", "--file", cid, "--dry-run", "--json").json
    done = car("content", "shred", "car", "--file", "plan.txt", "--yes", "--json").json
    assert set(done) == set(documents.Shredded.__annotations__)
    assert done == dry
    assert len(done["erased"]) == 1
    failed = car("file", "get", "car", "plan.txt", "-o", str(tmp_path / "x"), "--json")
    assert (failed.status, failed.error["code"]) == (6, "missing_wrap")
    shown = [
        (item["name"], item["encrypted"], item["here"], item["wrap_here"])
        for item in car("file", "list", "car", "--json").json["files"]
    ]
    assert shown == [("plan.txt", True, True, False), ("open.txt", False, True, None)]
    assert "yes, wrap missing" in car("file", "list", "car").stdout
    last = car("audit", "log", "car", "--json").json["entries"][-1]
    assert (last["what"], last["reason"], last["cid"]) == ("shredded", "the file plan.txt", cid)
    bundle = car("bundle", "export", "car", "-o", str(tmp_path / "car.twin"), "--json").json
    assert bundle["warnings"] == [
        "a wrap is not here: what only it opens stays closed to readers of the bundle"
    ]
    last = car("audit", "log", "car", "--json").json["entries"][-1]
    assert (last["what"], last["reason"]) == ("exported", "all streams; all files")
    assert car("verify", "car").status == 0


TEMPLATE = """
id: oven-v1
name: Oven
assetType: oven
identifiers: {primary: serial}
trackingFields:
  - {name: heat, type: number, unit: degC, realTime: true, min: 0, max: 900, quality: {max: 600}}
"""


def test_a_template_judges_before_anything_is_encrypted(car: Invoke, tmp_path: Path) -> None:
    (tmp_path / "oven.yaml").write_text(TEMPLATE)
    assert car("template", "register", str(tmp_path / "oven.yaml")).status == 0
    made = car("asset", "create", "oven", "--template", "oven-v1", "--serial", "1", "--json")
    assert made.status == 0, made
    assert car("stream", "create", "oven", "heat", "--encrypt").status == 0
    for value in ("901", "hot"):
        failed = car("stream", "push", "oven", "heat", "--heat", value, "--json")
        assert failed.status == 7, value
    done = car("stream", "push", "oven", "heat", "--heat", "20", "--json").json
    assert len(done["chunks"]) == 1
    doubted = car("stream", "push", "oven", "heat", "--heat", "700", "--json").json
    assert doubted["count"] == 1
    asked = car("query", "oven", "--stream", "heat", "--json").json
    assert [row["heat"] for row in asked["rows"]] == [20.0]
    every = car("query", "oven", "--stream", "heat", "--suspect", "--json").json
    assert [row["heat"] for row in every["rows"]] == [20.0, 700.0]


def test_a_dry_run_opens_nothing(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pw").write_text("pw")
    (tmp_path / "pw").chmod(0o600)
    word = ("--passphrase-file", str(tmp_path / "pw"))
    assert invoke("keys", "new", "alice", *word).status == 0
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    assert invoke("keys", "new", "bob").status == 0
    monkeypatch.delenv("TWIN_NO_PASSPHRASE")
    assert invoke("asset", "create", "car", "--owner", "alice", *word).status == 0
    assert invoke("stream", "create", "car", "r", "--encrypt", "--dry-run").status == 0
    assert invoke("stream", "create", "car", "r", "--encrypt", *word).status == 0
    assert invoke("stream", "push", "car", "r", "--v", "1", *word).status == 0
    dry = ("--dry-run", "--json")
    assert invoke("grant", "add", "car", "--to", "bob", "--role", "viewer", *dry).status == 0
    assert invoke("stream", "push", "car", "r", "--v", "2", *dry).status == 0
    failed = invoke("query", "car", "--stream", "r", "--json")
    assert (failed.status, failed.error["code"]) == (6, "locked")
    assert len(invoke("query", "car", "--stream", "r", "--json", *word).json["rows"]) == 1


def test_a_stream_says_that_it_is_encrypted(car: Invoke) -> None:
    made = car("stream", "create", "car", "recipe", "--encrypt", "--json").json
    assert made["created"]
    again = car("stream", "create", "car", "recipe", "--encrypt", "--if-missing", "--json").json
    assert not again["created"]
    assert car("stream", "create", "car", "plain").status == 0
    head, *rows = (line.split("\t") for line in car("stream", "list", "car").stdout.splitlines())
    at = head.index("encrypted")
    assert {row[0]: row[at] for row in rows} == {"recipe": "yes", "plain": ""}
    failed = car("stream", "create", "car", "plain", "--encrypt", "--if-missing", "--json")
    assert (failed.status, failed.error["code"]) == (5, "exists")
    failed = car("stream", "create", "car", "new", "--continues", "recipe", "--json")
    assert (failed.status, failed.error["code"]) == (2, "usage")
    failed = car("stream", "push", "car", "recipe", "--v", "1", "--prepare", "p.json", "--json")
    assert (failed.status, failed.error["code"]) == (2, "not_supported")
    first = car("stream", "push", "car", "recipe", "--v", "1", "--once", "a", "--json").json
    second = car("stream", "push", "car", "recipe", "--v", "1", "--once", "a", "--json").json
    assert first["transaction_id"] == second["transaction_id"]
    assert second["existing"] == 1
    failed = car("stream", "push", "car", "recipe", "--v", "2", "--once", "a", "--json")
    assert (failed.status, failed.error["code"]) == (5, "once_mismatch")
