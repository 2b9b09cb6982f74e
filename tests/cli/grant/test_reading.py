"""Every command that reads holds to the scope of a grant, and to its end, to the millisecond."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.conftest import Invoke, Run
from tests.node.running import running
from twincli.content.store import Blobs
from twincli.model import times
from twincli.node.node import Options
from twincli.services.network.guard import Guard
from twincli.services.workspace import Audit

SECRET, OTHER = "XYZZY-PLUGH", "FROTZ-REZROV"

# What reads the stream {s} of car, or all there is; @ is a new file or directory.
PATHS: dict[str, tuple[str, ...]] = {
    "query": ("query", "car", "--stream", "{s}"),
    "query, a field": ("query", "car", "--stream", "{s}", "--fields", "secret"),
    "query, an average": (
        "query",
        "car",
        "--stream",
        "{s}",
        "--agg",
        "max",
        "--every",
        "1d",
        "--fields",
        "level",
    ),
    "sql": ("query", "car", "--sql", "SELECT * FROM {s}"),
    "file": ("query", "car", "--stream", "{s}", "-o", "@.csv"),
    "plot": ("plot", "car", "--stream", "{s}", "--fields", "level"),
    "picture": ("plot", "car", "--stream", "{s}", "--fields", "level", "-o", "@.svg"),
    "export": ("stream", "export", "car", "--format", "csv", "-o", "@"),
    "delta": ("stream", "export", "car", "--format", "delta", "-o", "@"),
    "stream show": ("stream", "show", "car", "{s}", "--json"),
    "streams": ("stream", "list", "car", "--json"),
    "show": ("asset", "show", "car", "--json"),
    "thing": ("asset", "export", "car", "--format", "wot"),
    "linked data": ("asset", "export", "car", "--format", "jsonld"),
    "history": ("history", "car", "--json"),
    "search": ("search", "XYZZY", "--json"),
    "attachment": ("file", "get", "car", "plan.txt", "-o", "@"),
    "bundle": ("bundle", "export", "car", "-o", "@.twin"),
}
SHOWS = {"query", "query, a field", "query, an average", "sql", "plot"}
SAVES = {"file", "picture", "export"}


class Told:
    """A clock for the whole process."""

    def __init__(self) -> None:
        self.now_ms = time.time_ns() // 1_000_000

    def __call__(self) -> int:
        return self.now_ms * 1_000_000


class Reader:
    """Runs commands as somebody, and finds all that they gave away."""

    def __init__(self, invoke: Invoke, directory: Path) -> None:
        self.invoke, self.directory, self.count = invoke, directory, 0

    def do(self, *words: str) -> str:
        made = self.invoke(*words)
        assert made.status == 0, made.stderr
        return made.stdout

    def read(self, path: str, stream: str, key: str) -> tuple[int, str]:
        """Return the exit status of a command, and what it printed or wrote."""
        self.count += 1
        place = self.directory / str(self.count)
        place.mkdir()
        words = [word.format(s=stream).replace("@", str(place / "x")) for word in PATHS[path]]
        made = self.invoke(*words, "--key", key)
        written = [file.read_bytes() for file in place.rglob("*") if file.is_file()]
        return made.status, made.stdout + b"".join(written).decode("latin-1")


@pytest.fixture
def reader(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    pytest.importorskip("pyrage")
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    (tmp_path / "out").mkdir()
    made = Reader(invoke, tmp_path / "out")
    for key in ("alice", "bob", "eve"):
        made.do("keys", "new", key)
    made.do("asset", "create", "car", "--owner", "alice")
    for stream, secret in (("recipe", SECRET), ("other", OTHER)):
        made.do("stream", "create", "car", stream, "--encrypt")
        made.do("stream", "push", "car", stream, "--str", f"secret={secret}", "--level", "7.25")
    return made


@pytest.mark.ci
def test_every_way_to_read_holds_to_a_grant(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = reader.directory.parent / "plan.txt"
    plan.write_text("PLAN-NINE")
    reader.do("file", "attach", "car", str(plan), "--encrypt")
    clock = Told()
    until = clock.now_ms + 3_600_000
    grant = ("grant", "add", "car", "--to", "bob", "--role", "viewer")
    reader.do(*grant, "--scope", "recipe", "--expires", times.to_text(until))
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", clock)
        clock.now_ms = until - 1
        for path in SHOWS | SAVES:
            status, text = reader.read(path, "recipe", "bob")
            assert (path, status) == (path, 0)
            assert SECRET in text or "7.25" in text or path in {"plot", "picture"}, path
            assert OTHER not in text
        for who, stream, now_ms in (
            ("bob", "other", until - 1),
            ("eve", "recipe", until - 1),
            ("bob", "recipe", until),
        ):
            clock.now_ms = now_ms
            for path in PATHS:
                status, text = reader.read(path, stream, who)
                assert "PLAN-NINE" not in text
                assert path != "attachment" or status == 6
                is_partly_open = path == "export" and stream == "other"
                if path in SHOWS | SAVES and not is_partly_open:
                    assert (path, status) == (path, 6)
                assert (OTHER if stream == "other" else SECRET) not in text, path
                assert "7.25" not in text or is_partly_open, path


def test_a_grant_may_deny_downloads(reader: Reader) -> None:
    reader.do("grant", "add", "car", "--to", "bob", "--role", "viewer", "--deny", "download")
    for path in ("query", "sql"):
        assert SECRET in reader.read(path, "recipe", "bob")[1]
    for path in sorted(SAVES):
        status, text = reader.read(path, "recipe", "bob")
        assert (path, status) == (path, 6)
        assert SECRET not in text
    log = reader.invoke("audit", "log", "car", "--json").json["entries"]
    told = {(entry["what"], entry["party_name"], entry["stream"]) for entry in log}
    assert {("decrypted", "bob", "recipe"), ("refused", "bob", "recipe")} <= told


def test_a_private_scope_is_held_to_and_not_shown(reader: Reader) -> None:
    grant = ("grant", "add", "car", "--to", "bob", "--role", "viewer", "--scope", "recipe")
    made = reader.do(*grant, "--private", "--json")
    assert "recipe" not in str(json.loads(made)["body"])
    assert json.loads(made)["warnings"] == []
    (warning,) = json.loads(reader.do(*grant, "--private", "--json"))["warnings"]
    assert "had a private grant already" in warning
    assert json.loads(reader.do(*grant, "--json"))["warnings"] == []  # that one is not private
    for path in ("query", "sql", "export"):
        assert SECRET in reader.read(path, "recipe", "bob")[1]
    for path in ("query", "file"):
        assert reader.read(path, "other", "bob")[0] == 6
    assert "private scope" in reader.do("grant", "list", "car")
    assert "read private scope" in reader.do("grant", "show", "car", "--effective")
    assert "private scope" in reader.do("history", "car")
    failed = reader.invoke("grant", "add", "car", "--to", "bob", "--private", "--json")
    assert (failed.status, failed.error["code"]) == (2, "usage")


def test_readers_are_listed_with_what_they_may_read(reader: Reader) -> None:
    grant = ("grant", "add", "car", "--to", "bob", "--role", "viewer", "--scope", "recipe,file")
    reader.do(*grant, "--deny", "download,share")
    reader.do("grant", "add", "car", "--to", "eve", "--role", "auditor")
    row, audits = reader.invoke("grant", "list", "car", "--json").json["grants"]
    assert (row["role"], row["scope"]["streams"], row["deny"]) == (
        "viewer",
        ["recipe"],
        ["download", "share"],
    )
    assert (audits["role"], audits["state"]) == ("auditor", "active")
    shown = reader.invoke("grant", "show", "car", "--effective", "--json").json["speakers"]
    found = [(row["name"], row["role"], row["why"]) for row in shown if row["why"] != "link"]
    assert found == [
        ("alice", None, "owner"),
        ("bob", "viewer", "grant"),
        ("eve", "auditor", "grant"),
    ]
    table = reader.do("grant", "show", "car", "--effective")
    assert "read file,stream:recipe, no download, no share" in table
    reader.do("grant", "revoke", "car", "--all")
    shown = reader.invoke("grant", "show", "car", "bob", "--effective", "--json").json["speakers"]
    assert [(row["standing"], row["scope"]) for row in shown] == [("revoked", None)]
    assert reader.read("query", "recipe", "bob")[0] == 6


def test_a_batch_lets_readers_in(reader: Reader, tmp_path: Path) -> None:
    line = {"do": "grant", "asset": "car", "to": "bob", "role": "viewer"}
    (tmp_path / "batch.jsonl").write_text(json.dumps(line) + "\n")
    reader.do("batch", "apply", str(tmp_path / "batch.jsonl"))
    assert SECRET in reader.read("query", "recipe", "bob")[1]


def test_an_auditor_reads_the_audit_log_within_scope(reader: Reader) -> None:
    auditor = ("grant", "add", "car", "--to", "eve", "--role", "auditor", "--scope", "recipe")
    reader.do(*auditor)
    for key, stream in (("alice", "recipe"), ("alice", "other"), ("eve", "other")):
        reader.read("query", stream, key)
    log = reader.invoke("audit", "log", "car", "--key", "eve", "--json").json
    told = {(entry["what"], entry["party_name"], entry["stream"]) for entry in log["entries"]}
    assert ("decrypted", "alice", "recipe") in told
    assert ("refused", "eve", "other") in told  # what concerns himself
    assert ("decrypted", "alice", "other") not in told
    reader.do("grant", "revoke", "car", "--from", "eve")
    refused = reader.invoke("audit", "log", "car", "--key", "eve")
    assert refused.status == 6


def test_a_reader_elsewhere_is_served_by_a_node_until_the_grant_is_revoked(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyrage")
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    judge = Guard(Audit(str(tmp_path / "audit")))
    options = Options(content=Blobs(str(tmp_path / "content")), guard=judge)
    with running(tmp_path / "ledger", options) as node:

        def at(home: str, *words: str) -> Run:
            return invoke(*words, "--home", str(tmp_path / home), "--node", node.url)

        def key(name: str) -> str:
            new = ("keys", "new", name, "--home", str(tmp_path / name), "--get", "public_key")
            return invoke(*new).stdout.strip()

        bob = key("bob")
        key("alice")
        made = at("alice", "asset", "create", "car", "--owner", "alice", "--get", "id")
        car = made.stdout.strip()
        at("alice", "stream", "create", "car", "recipe", "--encrypt")
        at("alice", "stream", "push", "car", "recipe", "--str", f"secret={SECRET}")
        grant = ("grant", "add", "car", "--to", bob, "--role", "viewer", "--yes")
        assert at("alice", *grant).status == 0
        assert SECRET in at("bob", "query", car, "--stream", "recipe").stdout
        cid = at("bob", "query", car, "--stream", "recipe", "--json").json["chunks"][0]
        assert at("alice", "grant", "revoke", "car", "--from", bob).status == 0
        assert at("bob", "query", car, "--stream", "recipe").status == 6
        again = at("bob", "file", "get", cid, "-o", str(tmp_path / "x"), "--key", "bob")
        # What was fetched before is his; the node gives nothing more.
        assert again.status == 0
        key("eve")
        refused = at("eve", "file", "get", cid, "-o", str(tmp_path / "y"))
        assert refused.status == 6
        assert "no grant" in refused.stderr


def test_a_recipient_reads_with_its_identity_file(reader: Reader, tmp_path: Path) -> None:
    from twincli.crypto import age

    made = age.generate()
    file = tmp_path / "key.txt"
    file.write_text(f"# created: 2024-01-20\n# public key: {made.recipient}\n{made.secret}\n")
    grant = ("grant", "add", "car", "--to", "bob", "--role", "viewer")
    reader.do(*grant, "--recipient", made.recipient)
    assert reader.read("query", "recipe", "bob")[0] == 6
    for words in (
        ("query", "car", "--stream", "recipe"),
        ("plot", "car", "--stream", "recipe", "--fields", "level"),
        ("stream", "export", "car", "--format", "csv", "-o", str(tmp_path / "csv")),
    ):
        reader.do(*words, "--key", "bob", "--identity", str(file))
    (tmp_path / "bad.txt").write_text(made.secret[:-1])
    query = ("query", "car", "--stream", "recipe", "--key", "bob", "--json", "--identity")
    failed = reader.invoke(*query, str(tmp_path / "bad.txt"))
    assert (failed.status, failed.error["code"]) == (7, "invalid_identity")
    assert made.secret[:-1] not in failed.stderr + failed.stdout
    failed = reader.invoke(*query, str(tmp_path / "none.txt"))
    assert (failed.status, failed.error["code"]) == (4, "no_file")
