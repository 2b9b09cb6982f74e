"""``twin batch``: what is recorded, what is refused, and what is said about it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import Twin, quietly
from tests.conftest import Invoke, Run
from twincli.services.batch import run as run_of_batch


@pytest.fixture
def twin(invoke: Invoke) -> Twin:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    run("asset", "create", "car", "--wheels", "4")
    run("asset", "create", "bike")
    return run


def written(path: Path, *lines: Any) -> str:
    """Write JSON Lines, return the file's name."""
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(text + "\n" for text in texts))
    return str(path)


def said(run: Run, *members: str) -> list[tuple[Any, ...]]:
    """Return members of the lines of a report."""
    return [tuple(line[name] for name in members) for line in run.json["lines"]]


def append(asset: str, **data: Any) -> dict[str, Any]:
    return {"do": "append", "asset": asset, "data": data}


def test_lines_are_recorded_and_once_is_once(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    file = written(
        tmp_path / "x.jsonl",
        append("car", km=1),
        "",
        {"do": "create", "asset": "gps", "data": {"serial": "007"}, "parent": "car"},
        append("car", km=2),
        {"do": "reading", "asset": "car", "stream": "speed", "data": {"value": 50, "unit": "km/h"}},
        {"do": "event", "asset": "bike", "type": "found", "data": {"where": "yard"}},
        {"do": "link", "asset": "gps", "verb": "is_component_of", "to": "bike"},
    )
    run = invoke("batch", "apply", file, "--once", "b", "--json")
    assert run.status == 0, run.stderr
    done = run.json
    assert (done["applied"], done["existing"], done["valid"], done["count"]) == (6, 0, True, 6)
    assert [line["line"] for line in done["lines"]] == [1, 3, 4, 5, 6, 7]
    assert {line["status"] for line in done["lines"]} == {"applied"}
    assert done["signed_by"] == [twin("keys", "show", "alice")["public_key"]]
    assert twin("asset", "show", "car")["state"] == {"km": 2}
    assert twin("asset", "show", "gps")["data"] == {"serial": "007"}
    again = invoke("batch", "apply", file, "--once", "b", "--json")
    assert (again.json["applied"], again.json["existing"]) == (0, 6)
    assert said(again, "transaction_id") == said(run, "transaction_id")
    other = written(tmp_path / "y.jsonl", append("car", km=9))
    mismatch = invoke("batch", "apply", other, "--once", "b")
    assert mismatch.status == 7
    assert "was used for something else" in mismatch.stderr


def test_a_check_says_the_same_and_writes_nothing(
    twin: Twin, invoke: Invoke, tmp_path: Path, home: Path
) -> None:
    lines = [
        append("car", km=1),
        append("nothing", km=1),
        {"do": "create", "asset": "gps"},
        append("gps", on=True),
        {"do": "file", "asset": "car", "file": str(tmp_path / "x.jsonl")},
        {"do": "reading", "asset": "car", "stream": "s", "data": {"value": 1}},
    ]
    file = written(tmp_path / "x.jsonl", *lines)

    def state() -> dict[str, str]:
        return {
            str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(home.rglob("*"))
            if path.is_file() and not path.name.startswith("index.db")
        }

    twin("asset", "list")
    before = state()
    for words in (("check", file), ("apply", file, "--dry-run")):
        run = invoke("batch", *words, "--json")
        assert run.status == 10
        assert said(run, "line", "status") == [
            (1, "valid"),
            (2, "refused"),
            (3, "valid"),
            (4, "valid"),
            (5, "valid"),
            (6, "valid"),
        ]
        assert (run.json["valid"], run.json["valid_lines"], run.json["applied"]) == (False, 5, 0)
        assert run.json["transaction_id"] is None
        after = state()
        assert {name: after[name] for name in before if "-shm" not in name} == {
            name: before[name] for name in before if "-shm" not in name
        }
    assert invoke("asset", "show", "gps").status == 4
    assert invoke("batch", "apply", file, "--json").status == 10
    assert twin("asset", "show", "gps")["state"] == {"on": True}


def test_each_twin_is_recorded_whole_or_not_at_all(
    twin: Twin, invoke: Invoke, tmp_path: Path
) -> None:
    file = written(
        tmp_path / "x.jsonl",
        append("car", a=1),
        append("bike", a=1),
        append("car", **{"$wrong": 1}),
        append("bike", b=2),
        "{broken",
        {"do": "create", "asset": "new", "data": {"x": 1}},
        {"do": "append", "asset": "new", "data": {}},
        {"do": "create", "asset": "part", "parent": "new"},
    )
    run = invoke("batch", "apply", file, "--json")
    assert run.status == 10
    assert said(run, "line", "status") == [
        (1, "skipped"),
        (2, "applied"),
        (3, "refused"),
        (4, "applied"),
        (5, "refused"),
        (6, "skipped"),
        (7, "refused"),
        (8, "refused"),
    ]
    reasons = {line["line"]: line["reason"] for line in run.json["lines"]}
    assert "another line of the same twin" in reasons[1]
    assert "is not JSON" in reasons[5]
    assert "nothing to append" in reasons[7]
    assert twin("asset", "show", "car")["state"] == {}
    assert twin("asset", "show", "bike")["state"] == {"a": 1, "b": 2}
    assert invoke("asset", "show", "new").status == 4
    assert twin("asset", "create", "new")["created"]  # its name is free


def test_twins_that_name_each_other_are_made_in_the_right_order(
    twin: Twin, invoke: Invoke, tmp_path: Path
) -> None:
    file = written(
        tmp_path / "x.jsonl",
        {"do": "create", "asset": "wheel", "parent": "frame"},
        {"do": "link", "asset": "car", "verb": "part", "to": "wheel"},
        {"do": "create", "asset": "frame"},
        append("frame", color="red"),
        {"do": "create", "asset": "lost", "parent": "nowhere"},
    )
    run = invoke("batch", "apply", file, "--once", "b", "--json")
    assert said(run, "status") == [("applied",)] * 4 + [("refused",)]
    parent = twin("asset", "show", "wheel")["parent"]
    assert parent == twin("asset", "show", "frame")["id"]


def test_what_fails_takes_along_what_was_made_for_it_and_that_comes_again(
    twin: Twin, invoke: Invoke, tmp_path: Path
) -> None:
    file = written(
        tmp_path / "x.jsonl",
        {"do": "create", "asset": "wheel", "parent": "frame"},
        {"do": "append", "asset": "wheel", "data": {"$": 1}},
        {"do": "create", "asset": "frame"},
    )
    run = invoke("batch", "apply", file, "--json")
    assert said(run, "status") == [("skipped",), ("refused",), ("applied",)]
    assert twin("asset", "show", "frame")["name"] == "frame"
    assert invoke("asset", "show", "wheel").status == 4


@pytest.mark.usefixtures("twin")
def test_the_form_of_updates_by_twin(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "seed.json"
    file.write_text(
        json.dumps(
            [
                {
                    "vaultId": "car",
                    "updates": [
                        {"stream": "location", "data": {"lat": 40.7, "lng": -74.0}},
                        {"data": {"driver": "alice"}},
                        {"stream": "location", "data": {"$": 1}},
                    ],
                },
                {"asset": "bike", "updates": [{"stream": "s", "data": {"value": 1}}]},
                {"vaultId": "bike", "updates": "none"},
                {"vaultId": "bike", "updates": [7]},
                {"do": "append", "asset": "bike", "data": {"a": 1}},
                [],
            ]
        )
    )
    run = invoke("batch", "apply", str(file), "--json")
    assert run.status == 10
    assert said(run, "line", "where", "status") == [
        (1, "[0].updates[0]", "skipped"),
        (2, "[0].updates[1]", "skipped"),
        (3, "[0].updates[2]", "refused"),
        (4, "[1].updates[0]", "applied"),
        (5, "[2]", "refused"),
        (6, "[3].updates[0]", "refused"),
        (7, "[4]", "applied"),
        (8, "[5]", "refused"),
    ]


ERP = "id;name;weight;seen\n007;Élan;1.234,5;31.01.2024\n008;Bolt;2,5;01.02.2024\n"
MAP = """\
csv: {delimiter: ";", encoding: latin-1, decimal: ",", thousands: ".", dates: "%d.%m.%Y"}
do: create
name: "part-{id}"
key: id
fields: {id: productId, weight: {to: spec.weight, type: number}, seen: {type: date}}
"""


def test_an_erp_export(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    table, plan = tmp_path / "erp.csv", tmp_path / "map.yaml"
    table.write_bytes(ERP.encode("latin-1"))
    plan.write_text(MAP)
    run = invoke("batch", "apply", str(table), "--map", str(plan), "--once", "erp", "--json")
    assert run.status == 0, run.stderr
    assert twin("asset", "show", "part-007")["data"] == {
        "productId": "007",
        "name": "Élan",
        "spec": {"weight": 1234.5},
        "seen": "2024-01-31",
    }
    # The rows are known by their key, wherever they stand.
    head, first, second = ERP.splitlines()
    table.write_text(f"{head}\n{second}\n009;Nut;;\n{first}\n{second}\n010;X;7;8\n", "latin-1")
    run = invoke("batch", "apply", str(table), "--map", str(plan), "--once", "erp", "--json")
    assert run.status == 10
    assert said(run, "line", "asset", "status") == [
        (2, "part-008", "skipped"),
        (3, "part-009", "applied"),
        (4, "part-007", "existing"),
        (5, "part-008", "refused"),
        (6, "part-010", "refused"),
    ]
    reasons = [line["reason"] for line in run.json["lines"] if line["reason"]]
    assert "the key '008' stands in line 2 already" in reasons[1]
    assert "seen: '8' is not a date; dates of this map are written %d.%m.%Y" in reasons[2]


def test_a_map_writes_inner_members_and_keeps_the_others(
    twin: Twin, invoke: Invoke, tmp_path: Path
) -> None:
    twin("asset", "append", "car", "--spec", '{"doors": 4, "weight": 1}')
    table, plan = tmp_path / "x.csv", tmp_path / "map.yaml"
    table.write_text("car,kg,when\ncar,1250,2024-01-31T08:00:00Z\n")
    plan.write_text(
        "name: '{car}'\ntime: when\nunmapped: drop\n"
        "fields: {kg: {to: spec.weight, type: integer}}\n"
    )
    run = invoke("batch", "apply", str(table), "--map", str(plan), "--json")
    assert run.status == 0, run.stderr
    found = twin("asset", "show", "car")
    assert found["state"] == {"spec": {"doors": 4, "weight": 1250}}
    assert found["at"] == "2024-01-31T08:00:00.000Z"


def test_documents_of_others_by_a_map(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    plan = tmp_path / "map.yaml"
    plan.write_text(
        "do: event\nname: '{machine.id}'\nset: {type: '{kind}'}\nunmapped: drop\n"
        "fields: {machine.temp: {to: temp, type: number}}\n"
    )
    file = written(
        tmp_path / "x.jsonl",
        {"machine": {"id": "car", "temp": 21.5}, "kind": "stopped"},
        {"machine": {"id": "car", "temp": "hot"}, "kind": "stopped"},
        [1],
        {"machine": {"id": "bike", "temp": 21.5}, "kind": "stopped"},
    )
    run = invoke("batch", "apply", file, "--map", str(plan), "--json")
    assert said(run, "line", "status") == [
        *((1, "skipped"), (2, "refused"), (3, "refused"), (4, "applied")),
    ]
    assert twin("event", "list", "car")["events"] == []
    listed = twin("event", "list", "bike")
    assert [item["type"] for item in listed["events"]] == ["stopped"]


@pytest.mark.usefixtures("twin")
@pytest.mark.parametrize(
    ("name", "content", "status", "code", "words"),
    [
        ("x.jsonl", b"", 7, "invalid_batch", "has no lines"),
        ("x.jsonl", b"\n \n", 7, "invalid_batch", "has no lines"),
        ("x.jsonl", b"\xff\n", 7, "invalid_batch", "line 1: the line is not utf-8"),
        ("x.jsonl", b"[]\n", 7, "invalid_batch", "line 1: a list is not an object"),
        ("x.jsonl", b'{"do": "burn"}\n', 7, "invalid_batch", "'burn' is not a verb of a batch"),
        ("x.jsonl", b'{"do": "apend"}\n', 7, "invalid_batch", "did you mean append?"),
        ("x.jsonl", b'{"do": 7}\n', 7, "invalid_batch", "do: 7 is not a verb"),
        ("x.jsonl", b'{"asset": "car"}\n', 7, "invalid_batch", "it has no do"),
        ("x.jsonl", b'{"do": "append", "data": {"a": 1}}\n', 7, "invalid_batch", "it has no asset"),
        ("x.jsonl", b'{"do": "append", "asset": "car"}\n', 7, "invalid_batch", "it has no data"),
        ("x.jsonl", b'{"do": "append", "asset": 7, "data": {}}\n', 7, "invalid_batch", "asset: 7"),
        (
            "x.jsonl",
            b'{"do": "append", "asset": "car", "data": {"a": 1}, "dta": 1}\n',
            7,
            "invalid_batch",
            "append has no member 'dta'; did you mean data?",
        ),
        (
            "x.jsonl",
            b'{"do": "link", "asset": "car", "data": {"a": 1}}\n',
            7,
            "invalid_batch",
            "link has no member 'data'; known are do, asset,",
        ),
        (
            "x.jsonl",
            b'{"do": "append", "asset": "car", "data": {"a": 1}, "a": 1}\n',
            7,
            "invalid_batch",
            "append has no member 'a'; known are do, asset,",
        ),
        (
            "x.jsonl",
            b'{"do": "append", "asset": "car", "data": {"a": 1}, "at": "yesterday"}\n',
            7,
            "invalid_batch",
            "'yesterday' is not a time",
        ),
        (
            "x.jsonl",
            b'{"do": "append", "asset": "car", "data": {"twin": 1}}\n',
            7,
            "invalid_batch",
            "reserved",
        ),
        (
            "x.jsonl",
            b'{"do": "append", "asset": "car", "data": {"a": 1}, "key": "bob"}\n',
            7,
            "invalid_batch",
            "bob",
        ),
        (
            "x.jsonl",
            b'{"do": "create", "asset": "x", "amount": "7"}\n',
            7,
            "invalid_batch",
            "amount: '7' is not a whole number",
        ),
        (
            "x.jsonl",
            b'{"do": "grant", "asset": "car", "to": []}\n',
            7,
            "invalid_batch",
            "to: it has 0 items",
        ),
        ("x.json", b"7", 7, "invalid_table", "7, not a list of lines"),
        ("x.json", b"[", 7, "invalid_json", "is not JSON"),
        ("x.csv", b"a,b\n", 2, "usage", "needs a map"),
        ("x.xlsx", b"", 2, "usage", "needs a map"),
        ("x.dat", b"", 2, "usage", "does not say its format"),
    ],
)
def test_files_of_which_nothing_can_be_recorded(
    invoke: Invoke,
    tmp_path: Path,
    name: str,
    content: bytes,
    status: int,
    code: str,
    words: str,
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    for verb in ("check", "apply"):
        run = invoke("batch", verb, str(file), "--json")
        if verb == "check" and code == "invalid_batch" and words != "has no lines":
            # It was asked what is wrong with each line, so that is the answer.
            assert run.status == 10
            assert any(
                words in f"line {line['line']}: {line['reason']}" for line in run.json["lines"]
            )
            continue
        assert (run.status, run.stdout) == (status, "")
        assert run.error["code"] == code
        said = f"{run.error['message']}; {run.error['hint']}"
        assert words in said


def test_options(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    file = written(tmp_path / "x.jsonl", append("car", a=1))
    assert invoke("batch", "apply", str(tmp_path / "none.jsonl")).status == 4
    assert invoke("batch", "apply", file, "--format", "xml").status == 2
    assert invoke("batch", "apply", file, "--once", "").status == 2
    assert invoke("batch", "apply", "-", "--map", "-").status == 2
    assert invoke("batch", "apply", file, "--map", str(tmp_path / "none.yaml")).status == 4
    run = invoke("batch", "apply", "-", "--json", stdin=json.dumps(append("car", b=2)) + "\n")
    assert run.status == 0
    assert twin("asset", "show", "car")["state"] == {"b": 2}
    quiet = invoke("batch", "apply", file, "--quiet")
    assert (quiet.status, quiet.stdout) == (0, "")
    shown = invoke("batch", "apply", file, tty=True)
    assert "recorded 1 line" in shown.stderr
    rows = invoke("batch", "apply", file, "--jsonl")
    assert json.loads(rows.stdout)["schema"] == "twin.batch-line/1"


def test_keys_of_lines(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    twin("keys", "new", "bob", "--no-passphrase")
    twin("asset", "create", "both", "--owner", "any:alice,bob")
    file = written(
        tmp_path / "x.jsonl",
        {**append("both", a=1), "key": "bob"},
        append("both", b=2),
        {**append("car", b=2), "key": "bob"},
    )
    run = invoke("batch", "apply", file, "--json")
    assert said(run, "status") == [("applied",), ("applied",), ("refused",)]
    history = twin("history", "both")
    bob = twin("keys", "show", "bob")["public_key"]
    assert history["transactions"][1]["signers"] == [bob]


def test_templates_hold_in_a_batch(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    template = tmp_path / "pump.yaml"
    template.write_text(
        "id: pump-v1\nname: Pump\nassetType: pump\nidentifiers: {primary: serial}\n"
        "trackingFields:\n  - {name: hours, type: number, unit: h}\n"
    )
    twin("template", "register", str(template))
    file = written(
        tmp_path / "x.jsonl",
        {"do": "create", "asset": "p1", "template": "pump-v1", "data": {"serial": "1"}},
        {"do": "create", "asset": "p2", "template": "pump-v1", "data": {"serial": "2"}},
        append("p1", hours="90 min"),
        append("p2", hour=1),
    )
    run = invoke("batch", "apply", file, "--json")
    assert said(run, "status") == [("applied",), ("skipped",), ("applied",), ("refused",)]
    assert twin("asset", "show", "p1")["state"] == {"hours": 1.5}
    more = written(tmp_path / "y.jsonl", append("p1", hours="30 min"), append("p1", hours=2))
    assert invoke("batch", "apply", more, "--json").json["applied"] == 2
    history = twin("history", "p1")["transactions"]
    assert history[-2]["metadata"]["twin"]["given"]


def test_a_locked_key_is_checked_as_far_as_can_be(invoke: Invoke, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("long enough a secret\n")
    assert invoke("keys", "new", "alice", "--passphrase-file", str(secret)).status == 0
    assert invoke("asset", "create", "car", "--passphrase-file", str(secret)).status == 0
    file = written(tmp_path / "x.jsonl", append("car", a=1), append("car", b=1))
    run = invoke("batch", "check", file, "--json")
    assert run.status == 0, run.stderr
    assert said(run, "status") == [("valid",), ("unchecked",)]
    run = invoke("batch", "apply", file, "--json")
    assert run.status == 6
    assert "nothing is recorded" in run.error["message"]
    run = invoke("batch", "apply", file, "--json", "--passphrase-file", str(secret))
    assert run.json["applied"] == 2


LIFE = """
id: press-v1
name: Press
assetType: press
identifiers: {primary: serial}
eventTypes: [stopped, started]
states: {initial: off, transitions: [{from: "off", to: "on"}, {from: "on", to: "off"}]}
stages: [built, shipped]
schedules: {oil: yearly}
"""


def test_every_verb(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    """Each does what its command does, in the order of the file, and is known again."""
    (tmp_path / "press.yaml").write_text(LIFE)
    (tmp_path / "manual.pdf").write_bytes(b"a manual")
    twin("template", "register", str(tmp_path / "press.yaml"))
    twin("keys", "new", "bob", "--no-passphrase")
    at = {"at": "2024-06-03T07:40:00Z"}
    press: list[dict[str, Any]] = [
        {"do": "create", "template": "press-v1", "data": {"serial": "7"}},
        {"do": "event", "type": "started", "data": {"by": "hand"}, **at},
        {"do": "state", "to": "on", "from": "off", "reason": "shift"},
        {"do": "state", "to": "off"},
        {"do": "stage", "stage": "built", "location": "Ulm", "date": "2024-06-01"},
        {"do": "stage", "stage": "shipped"},
        {
            "do": "maintenance",
            "type": "service",
            "work": "new oil",
            "parts": ["oil:2:45.99"],
            "currency": "EUR",
            "done": "oil",
            "data": {"technician": "Kim"},
        },
        {"do": "cert", "standard": "ISO-14001", "number": "C-1", "valid_until": "2031-01-20"},
        {"do": "file", "file": str(tmp_path / "manual.pdf"), "type": "manual"},
        {"do": "link", "verb": "is_component_of", "to": "car"},
        {"do": "grant", "to": "bob", "scope": ["event"]},
        {"do": "reading", "stream": "oil", "data": {"value": 80.5, "unit": "C"}},
    ]
    file = written(tmp_path / "x.jsonl", *({**line, "asset": "press"} for line in press))
    check = invoke("batch", "check", file, "--json")
    assert check.status == 0, check.stdout
    run = invoke("batch", "apply", file, "--once", "b", "--json")
    assert run.json["applied"] == len(press), run.stdout
    again = invoke("batch", "apply", file, "--once", "b", "--json")
    assert again.json["existing"] == len(press), again.stdout
    assert said(again, "transaction_id") == said(run, "transaction_id")
    assert twin("state", "show", "press")["state"] == "off"
    assert twin("event", "list", "press")["events"][0]["data"] == {"by": "hand"}
    assert [item["stage"] for item in twin("stage", "list", "press")["stages"]][-1] == "shipped"
    kept = twin("maintenance", "list", "press")["maintenance"][0]
    assert (kept["technician"], kept["total"], kept["done"]) == ("Kim", "91.98", ["oil"])
    assert twin("cert", "list", "press")["certificates"][0]["number"] == "C-1"
    assert twin("file", "list", "press")["files"][0]["type"] == "manual"
    assert twin("grant", "list", "press")["grants"][0]["to_name"] == "bob"
    wrong = written(
        tmp_path / "y.jsonl",
        {"do": "state", "asset": "press", "to": "broken"},
        {"do": "event", "asset": "car", "type": "", "data": {}},
        {"do": "stage", "asset": "bike", "stage": "built"},
    )
    assert invoke("batch", "apply", wrong, "--json").status == 7


def test_what_one_line_cannot_read_or_find_is_its_own_fault(
    twin: Twin, invoke: Invoke, tmp_path: Path
) -> None:
    file = written(
        tmp_path / "x.jsonl",
        append("car", a=1),
        {"do": "file", "asset": "bike", "file": str(tmp_path)},
        {"do": "create", "asset": "part", "parent": "nowhere"},
        {"do": "create", "asset": "other"},
        {"do": "link", "asset": "other", "verb": "part", "to": "nowhere"},
    )
    check = invoke("batch", "check", file, "--json")
    assert said(check, "status", "transaction_id")[0] == ("valid", None)
    run = invoke("batch", "apply", file, "--json")
    assert said(run, "status", "code") == [
        ("applied", None),
        ("refused", "cannot_read"),
        ("refused", "not_found"),
        ("skipped", None),
        ("refused", "not_found"),
    ]
    assert twin("asset", "show", "car")["state"] == {"a": 1}


def test_a_twin_with_very_many_lines_is_recorded_in_parts(
    twin: Twin, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_of_batch, "MAX_PART", 2)
    file = written(
        tmp_path / "x.jsonl",
        *(append("car", n=n) for n in range(3)),
        append("bike", n=1),
        append("car", n=3),
        {"do": "append", "asset": "car", "data": {}},
        *(append("car", n=n) for n in range(4, 7)),
    )
    run = invoke("batch", "apply", file, "--once", "b", "--json")
    assert [status for (status,) in said(run, "status")] == [
        *("applied", "applied", "applied", "applied", "applied"),
        *("refused", "skipped", "skipped", "skipped"),
    ]
    assert twin("asset", "show", "car")["state"] == {"n": 3}
    assert twin("asset", "show", "bike")["state"] == {"n": 1}


def test_frozen_twins_and_events_of_templates(twin: Twin, invoke: Invoke, tmp_path: Path) -> None:
    twin("asset", "freeze", "bike")
    file = written(
        tmp_path / "x.jsonl",
        append("bike", a=1),
        {"do": "event", "asset": "car", "type": "seen"},
        {"do": "event", "asset": "car", "type": "seen", "data": {"by": 7}},
    )
    run = invoke("batch", "apply", file, "--json")
    assert said(run, "status", "code") == [
        ("refused", "frozen"),
        ("applied", None),
        ("applied", None),
    ]
    assert [item["data"] for item in twin("event", "list", "car")["events"]] == [None, {"by": 7}]
