"""What is noted, and who reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services import rooms
from twincli.errors import ConfigError, LockedError, UsageError
from twincli.services import documents, resolve
from twincli.services.asset import create
from twincli.services.audit import listing, log, trail
from twincli.services.grant import grants
from twincli.services.workspace import Audit, Workspace


@pytest.fixture
def home(tmp_path: Path) -> Iterator[rooms.Rooms]:
    with rooms.opened(tmp_path) as opened:
        opened.workspace = opened.workspace._replace(audit=Audit(str(tmp_path / "audit")))
        yield opened


def noted(workspace: Workspace, *args: Any, **more: Any) -> list[dict[str, Any]]:
    return [dict(entry) for entry in listing.list_entries(workspace, *args, **more)["entries"]]


def test_reads_are_noted_only_on_request_and_dry_runs_never(home: rooms.Rooms) -> None:
    quiet, told = home.workspace, home.workspace.audit
    assert told is not None
    trail.note(quiet, trail.READ, by="query")
    trail.note(quiet._replace(dry_run=True), trail.EXPORTED, by="export")
    trail.note(quiet._replace(audit=None), trail.EXPORTED, by="export")
    assert not os.path.exists(told.directory)
    trail.note(quiet._replace(audit=told._replace(reads=True)), trail.READ, by="query")
    trail.note(quiet, trail.DECRYPTED, reason="x" * 9000, by="\ud800")
    first, second = noted(quiet)
    assert set(first) == set(documents.AuditEntry.__annotations__)
    assert (first["what"], first["by"]) == ("read", "query")
    assert (len(second["reason"]), second["by"]) == (500, "?")


def test_the_log_is_a_range_of_one_twin_or_of_all(home: rooms.Rooms) -> None:
    workspace = home.workspace
    home.key("alice")
    for name in ("car", "van"):
        create.create(home.using("alice"), name, create.Definition({}))
    for number in range(4):
        home.now_ms += 1000
        twin = resolve.asset_id_of(workspace, "car" if number % 2 else "van")
        trail.note(workspace, trail.SERVED, twin=twin, cid=str(number))

    def cids(*args: Any, **more: Any) -> list[str]:
        return [entry["cid"] for entry in noted(workspace, *args, **more)]

    assert cids() == ["0", "1", "2", "3"]
    assert cids("car") == ["1", "3"]
    assert cids("car", reverse=True) == ["3", "1"]
    assert cids(limit=3) == ["0", "1", "2"]
    assert cids(limit=3, reverse=True) == ["3", "2", "1"]
    assert cids(since="2s", until="1s") == ["1"]  # from the moment on, and before the other
    assert noted(workspace, "car")[0]["twin_name"] == "car"
    for wrong in ({"limit": 0}, {"since": "1s", "until": "2s"}, {"since": "soon"}):
        with pytest.raises(UsageError):
            noted(workspace, **wrong)


def test_grants_are_noted_also_where_that_fails_on_the_way(home: rooms.Rooms) -> None:
    for name in ("alice", "bob"):
        home.key(name)
    create.create(home.using("alice"), "car", create.Definition({}))
    told = home.workspace.audit
    assert told is not None
    made = grants.add(home.workspace, "car", ["bob"], scope=["event"])
    grants.revoke(home.workspace, "car", ["bob"], reason="lost")
    grants.add(home.workspace, "car", ["bob"])
    grants.revoke(home.workspace, "car", everything=True)
    assert isinstance(made, dict)
    assert [
        (row["what"], row["party_name"], row["reason"], row["twin_name"])
        for row in noted(home.workspace)
    ] == [
        ("granted", "bob", "writer of event", "car"),
        ("revoked", "bob", "lost", "car"),
        ("granted", "bob", "writer of everything", "car"),
        ("revoked", None, None, "car"),
    ]
    assert noted(home.workspace)[0]["transaction_id"] == made["transaction_id"]
    os.rename(told.directory, told.directory + ".old")
    Path(told.directory).write_text("not a directory")
    with pytest.raises(ConfigError):
        trail.note(home.workspace, trail.DECRYPTED)
    made = grants.add(home.workspace, "car", ["bob"])  # is on the ledger all the same
    assert isinstance(made, dict)
    assert "the audit log was not written" in made["warnings"][-1]


def test_a_key_that_is_neither_holder_nor_auditor_is_refused(home: rooms.Rooms) -> None:
    for name in ("alice", "bob"):
        home.key(name)
    create.create(home.using("alice"), "car", create.Definition({}))
    grants.add(home.workspace, "car", ["bob"])
    assert noted(home.using("alice"), "car")
    with pytest.raises(LockedError) as refused:
        noted(home.using("bob"), "car")
    assert refused.value.code == "no_grant"
    with pytest.raises(UsageError):
        noted(home.using("bob"))


def test_a_broken_chain_is_said(home: rooms.Rooms) -> None:
    told = home.workspace.audit
    assert told is not None
    trail.note(home.workspace, trail.EXPORTED)
    assert listing.list_entries(home.workspace)["status"] == "ok"
    Path(told.directory, log.LOG).write_bytes(b"")
    document = listing.list_entries(home.workspace)
    assert set(document) == set(documents.AuditLog.__annotations__)
    assert (document["status"], document["checked"]) == ("broken", 0)
    assert document["problems"][0]["code"] == "cut"
