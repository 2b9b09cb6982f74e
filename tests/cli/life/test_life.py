"""``twin event``, ``twin state``, ``twin stage`` as people type them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import Twin, pump, quietly
from tests.conftest import Invoke
from twincli.cli.commands.file import content
from twincli.crypto import cid
from twincli.errors import UsageError

REPORT = b"%PDF a report\n"


@pytest.fixture
def twin(invoke: Invoke, tmp_path: Path) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    run("keys", "new", "dora", "--no-passphrase")
    pump(invoke, tmp_path)
    return run


@pytest.fixture
def report(tmp_path: Path) -> str:
    path = tmp_path / "report.pdf"
    path.write_bytes(REPORT)
    return str(path)


def test_an_event_with_data_and_files(twin: Twin, invoke: Invoke, report: str) -> None:
    words = ("--result", "passed", "--set", "bar=5.5", "--at", "2024-01-20T09:00:00Z")
    made = twin("event", "add", "pump", "tested", *words, "--attach", f"{report}:test-report")
    assert made["kind"] == "event"
    assert made["body"]["data"] == {"result": "passed", "bar": 5.5}
    (file,) = made["body"]["attachments"]
    assert (file["cid"], file["type"]) == (cid.of(REPORT).text, "test-report")
    (item,) = twin("event", "list", "pump")["events"]
    assert (item["at"], item["late"]) == ("2024-01-20T09:00:00.000Z", True)
    rows = invoke("event", "list", "pump").stdout.splitlines()
    assert rows[0].split("\t")[:5] == ["happened", "type", "data", "files", "signed by"]
    cells = rows[1].split("\t")
    assert cells[3] == "report.pdf (test-report)"
    assert cells[5].endswith(" late")
    assert invoke("event", "list", "pump", tty=True).status == 0


def test_the_files_of_events_are_files_of_the_twin(twin: Twin, report: str, tmp_path: Path) -> None:
    twin("event", "add", "pump", "tested", "--attach", f"{report}:test-report")
    twin("state", "move", "pump", "installed", "--attach", report)
    listed = twin("file", "list", "pump")["files"]
    assert [(each["name"], each["type"]) for each in listed] == [
        ("report.pdf", "test-report"),
        ("report.pdf", None),
    ]
    out = tmp_path / "again.pdf"
    twin("file", "get", "pump", "report.pdf", "-o", str(out))
    assert out.read_bytes() == REPORT
    checked = twin("file", "check", "pump")
    assert [each["status"] for each in checked["files"]] == ["ok"]


def test_an_event_that_is_refused_stores_no_file(
    twin: Twin, invoke: Invoke, report: str, home: Path
) -> None:
    for words in (
        ("event", "add", "pump", "flew"),
        ("state", "move", "pump", "running"),
        ("stage", "add", "pump", "made"),
    ):
        assert invoke(*words, "--attach", report).status == 7
    assert not [path for path in (home / "content").rglob("*") if path.is_file()]
    assert twin("event", "list", "pump")["events"] == []


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("event", "add", "pump", "flew"), 7, "unknown_event"),
        (("event", "add", "pump"), 2, "usage"),
        (("event", "add", "nothing", "tested"), 4, "not_found"),
        (("event", "add", "pump", "tested", "--bare"), 2, "usage"),
        (("event", "add", "pump", "tested", "--at", "2124-01-01"), 7, "time_ahead"),
        (("event", "add", "pump", "tested", "--attach", "no.pdf:x"), 4, "no_file"),
        (("event", "add", "pump", "tested", "--attach", "-:x"), 2, "usage"),
        (("event", "add", "pump", "tested", "--attach", ":x"), 2, "usage"),
        (("event", "add", "pump", "tested", "--data", "5"), 7, "not_an_object"),
        (("event", "add", "pump", "tested", "more"), 2, "usage"),
        (("event", "list", "nothing"), 4, "not_found"),
        (("event", "list", "pump", "--limit", "0"), 2, "usage"),
        (("event", "list", "pump", "--by", "luck"), 2, "usage"),
        (("event", "list", "pump", "--since", "soon"), 2, "bad_time"),
        (("state", "move", "pump", "installed", "--from", "running"), 5, "wrong_state"),
        (("state", "move", "pump", "installed", "--from", ""), 7, "invalid_record"),
        (("state", "move", "pump", "running"), 7, "no_such_move"),
        (("state", "move", "pump", "installed", "--key", "dora"), 6, "no_key"),
        (("state", "move", "pump", "installed", "--meets", ""), 7, "invalid_record"),
        (("state", "show", "nothing"), 4, "not_found"),
        (("stage", "add", "pump", "made"), 7, "not_forward"),
        (("stage", "add", "pump", "used", "--date", "soon"), 2, "bad_time"),
        (("stage", "add", "pump", "used", "--date", "2124-01-01"), 7, "time_ahead"),
        (("stage", "add", "pump", "used", "--key", "dora"), 6, "no_key"),
        (("stage", "list", "nothing"), 4, "not_found"),
    ],
)
@pytest.mark.usefixtures("twin")
def test_what_is_refused(invoke: Invoke, words: tuple[str, ...], status: int, code: str) -> None:
    run = invoke(*words, "--json")
    assert (run.status, run.error["code"]) == (status, code)
    assert run.stdout == ""


def test_a_stranger_is_asked_before_an_event_that_will_not_count(
    twin: Twin, invoke: Invoke
) -> None:
    made = twin("event", "add", "pump", "tested", "--key", "dora")
    assert (made["form"], made["standing"]) == ("statement", "unauthorised")
    assert "dora may not write event records about pump" in made["warnings"][0]
    text = invoke("event", "list", "pump").stdout
    assert "dora (unauthorised)" in text


@pytest.mark.usefixtures("twin")
def test_a_state_in_words(invoke: Invoke) -> None:
    rows = dict(line.split("\t") for line in invoke("state", "show", "pump").stdout.splitlines())
    assert rows == {
        "twin": "pump",
        "state": "stored",
        "since": "it was created",
        "signed by": "",
        "can go to": "installed",
        "transaction": "",
    }
    run = invoke("state", "move", "pump", "installed", "--reason", "on site")
    assert "recorded the move of pump to the state installed" in run.stderr
    text = invoke("state", "show", "pump").stdout
    assert "running; needs tested (events has tested: does not hold)" in text
    assert invoke("state", "show", "pump", tty=True).status == 0


@pytest.mark.usefixtures("twin")
def test_stages_in_words(invoke: Invoke) -> None:
    run = invoke("stage", "list", "pump")
    assert [line.split("\t")[:3] for line in run.stdout.splitlines()[1:]] == [
        ["2024-01-10", "made", "Berlin"],
        [run.stdout.splitlines()[2].split("\t")[0], "sold", ""],
    ]
    assert "now in sold" in run.stderr
    assert "passed: made" in run.stderr
    assert "ahead: used" in run.stderr


def test_one_that_is_prepared(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "move.json"
    run = invoke("state", "move", "pump", "installed", "--prepare", str(file))
    assert run.status == 0, run.stderr
    assert twin("state", "show", "pump")["state"] == "stored"
    made = json.loads(file.read_text())
    assert "installed" in json.dumps(made)
    twin("tx", "sign", str(file), "--key", "alice", "--yes")
    twin("tx", "submit", str(file), "--yes")
    assert twin("state", "show", "pump")["state"] == "installed"


@pytest.mark.parametrize(
    ("word", "name", "kind"),
    [
        ("a.pdf:report", "a.pdf", "report"),
        ("a.pdf", "a.pdf", None),
        ("x/a:b.pdf:report", "a:b.pdf", "report"),
        ("in:box/a.pdf", "a.pdf", None),
        ("a.car:box", "a", "box"),
    ],
)
def test_a_file_and_its_type(word: str, name: str, kind: str | None) -> None:
    (found,) = content.attachments([word])
    assert (found.brought.name, found.type) == (name, kind)


@pytest.mark.parametrize("word", ["a.pdf:", ":report", "-", "-:report"])
def test_what_is_no_file_and_type(word: str) -> None:
    with pytest.raises(UsageError):
        content.attachments([word])


def test_a_newcomer_on_a_narrow_terminal(twin: Twin, invoke: Invoke, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    twin("event", "add", "pump", "tested", "--note", "x" * 200)
    for words in (("event", "list"), ("stage", "list"), ("state", "show")):
        run = invoke(*words, "pump", tty=True)
        assert run.status == 0
        lines = re.sub(r"\x1b\[[0-9;]*m", "", run.stdout).splitlines()
        assert max(map(len, lines)) <= 40


def test_records_are_asked_like_streams(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    for number in range(3):
        twin("event", "add", "pump", "opened", "--n", str(number), "--at", f"2024-0{number + 1}-01")
    twin("state", "move", "pump", "installed", "--reason", "on site")
    found = twin("query", "pump", "--stream", "events", "--fields", "timestamp,data.n")
    assert found["rows"][0] == {"timestamp": "2024-01-01T00:00:00.000Z", "data": {"n": 0}}
    (moved,) = twin("query", "pump", "--stream", "states")["rows"]
    assert (moved["from"], moved["to"], moved["reason"]) == ("stored", "installed", "on site")
    run = invoke("query", "pump", "--stream", "events", "--limit", "2", "--json")
    assert (run.status, run.json["truncated"]) == (10, True)
    run = invoke("query", "pump", "--stream", "stages", "--format", "csv")
    assert run.stdout.splitlines()[0].startswith("timestamp,stage,location,date,skipped,data")
    assert run.stdout.splitlines()[1].split(",")[1:3] == ["made", "Berlin"]
    out = tmp_path / "events.parquet"
    twin("query", "pump", "--stream", "events", "--fields", "timestamp,type", "-o", str(out))
    assert out.read_bytes()[:4] == b"PAR1"
    run = invoke("query", "pump", "--stream", "events", "--stream", "gauge", "--json")
    assert (run.status, run.error["code"]) == (2, "usage")
    sql = ("--sql", "select * from events")
    for words in (("--stream", "certifications"), ("--stream", "events", *sql)):
        run = invoke("query", "pump", *words, "--json")
        assert (run.status, run.error["code"]) == (2, "not_supported")


def test_a_history_in_words(twin: Twin, invoke: Invoke) -> None:
    twin("event", "add", "pump", "tested", "--bar", "5")
    twin("state", "move", "pump", "installed", "--reason", "on site")
    for words in ((), ("--format", "graph")):
        text = invoke("history", "pump", *words).stdout
        for said in ("tested; bar 5", "stored -> installed; on site", "made in Berlin"):
            assert said in text
        assert "to alice" not in text


def test_where_a_thing_is_in_its_life(twin: Twin, invoke: Invoke) -> None:
    assert twin("asset", "show", "pump")["life"] == {
        "state": "stored",
        "stage": "sold",
        "last_event": None,
    }
    twin("state", "move", "pump", "installed")
    made = twin("event", "add", "pump", "tested")
    twin("event", "add", "pump", "tested", "--key", "dora")
    twin("event", "add", "pump", "opened", "--at", "2024-01-20")
    assert twin("asset", "show", "pump")["life"]["last_event"] == {
        "type": "tested",
        "happened": made["at"],
        "transaction_id": made["transaction_id"],
    }
    text = invoke("asset", "show", "pump", tty=True).stdout
    for said in ("in the state", "installed", "in the stage", "sold", "last event", "tested, 20"):
        assert said in text
    twin("asset", "create", "box", "--x", "1")
    assert "life" not in twin("asset", "show", "box")
    past = twin("asset", "show", "pump", "--as-of", "2124-01-01")
    assert "life" not in past
