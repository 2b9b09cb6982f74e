"""``twin audit log``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Invoke


def test_the_log_is_listed_and_checked(
    invoke: Invoke, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    assert invoke("audit", "log").status == 4
    for name in ("alice", "bob"):
        invoke("keys", "new", name)
    invoke("asset", "create", "car", "--owner", "alice")
    empty = invoke("audit", "log")
    assert empty.status == 0
    assert "0 entries in the log" in empty.stderr
    invoke("grant", "add", "car", "--to", "bob", "--role", "writer")
    listed = invoke("audit", "log", "car", "--json").json
    assert [(row["what"], row["by"]) for row in listed["entries"]] == [("granted", "grant add")]
    lines = invoke("audit", "log", "--jsonl").stdout.splitlines()
    assert len(lines) == 1
    assert '"schema":"twin.audit-entry/1"' in lines[0]
    assert invoke("audit", "log", "car", "--key", "bob").status == 6
    path = home / "audit" / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(b"granted", b"refused"))
    broken = invoke("audit", "log")
    assert broken.status == 3
    assert "line 1 was changed" in broken.stderr
    assert invoke("audit", "log", "--json").json["problems"][0]["line"] == 1
    path.unlink()
    gone = invoke("audit", "log")
    assert gone.status == 3
    assert "0 entries in the log; the chain is broken" in gone.stderr
    assert "entry 1 is missing at the end" in gone.stderr


def test_the_setting_has_a_dot(invoke: Invoke, home: Path) -> None:
    home.mkdir()
    assert invoke("config", "set", "audit.reads", "on").status == 0
    assert invoke("config", "get", "audit.reads", "--get", "value").stdout.strip() == "on"
    assert invoke("config", "set", "audit.reads", "yes").status == 2
    assert invoke("config", "unset", "audit.reads").status == 0
    assert not (home / "audit").exists()


def test_exports_are_noted_and_reads_on_request(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    invoke("keys", "new", "alice")
    invoke("asset", "create", "car", "--owner", "alice")
    invoke("stream", "push", "car", "speed", "--value", "3")

    def noted() -> list[tuple[str, str]]:
        listed = invoke("audit", "log", "--json").json["entries"]
        assert {row["twin_name"] for row in listed} <= {"car", None}
        return [(row["what"], row["by"]) for row in listed]

    exports = (
        ("asset", "export", "car", "--format", "wot"),
        ("stream", "export", "car", "--format", "csv", "-o", str(tmp_path / "out")),
        ("query", "car", "--stream", "speed", "-o", str(tmp_path / "x.csv")),
        ("bundle", "export", "car", "-o", str(tmp_path / "x.twin")),
    )
    reads = (
        ("asset", "show", "car"),
        ("history", "car"),
        ("query", "car", "--stream", "speed"),
        ("search", "car"),
    )
    for words in (*exports, *reads):
        assert invoke(*words).status == 0
    wanted = [
        ("exported", by) for by in ("asset export", "stream export", "query", "bundle export")
    ]
    assert noted() == wanted
    invoke("config", "set", "audit.reads", "on")
    for words in reads:
        assert invoke(*words).status == 0
    wanted += [("read", each) for each in ("asset show", "history", "query", "search")]
    assert noted() == wanted
