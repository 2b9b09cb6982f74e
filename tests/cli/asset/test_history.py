"""``twin history``: the document, ranges, the table, the graph and Graphviz."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.stories import garage, quietly
from tests.conftest import Invoke
from twincli.cli.commands.asset import history
from twincli.model.telling import Naming
from twincli.services import documents

ITEM = list(documents.HistoryItem.__annotations__)


def test_the_document(invoke: Invoke) -> None:
    made = garage(invoke)
    document = quietly(invoke)("history", "car")
    assert list(document) == ["schema", "asset_id", "transactions"]
    assert document["schema"] == "twin.history/1"
    assert document["asset_id"] == made["car"]["id"]
    items = document["transactions"]
    assert [list(item) for item in items] == [ITEM] * 4
    assert [item["operation"] for item in items] == ["CREATE", "TRANSFER", "TRANSFER", "TRANSFER"]
    assert [item["kind"] for item in items] == ["asset", "append", "append", "append"]
    alice = made["car"]["owners"]
    assert all(item["signers"] == alice for item in items)
    for item, later in zip(items, [*items[1:], None], strict=True):
        spender = later["id"] if later else None
        assert item["outputs"] == [
            {"owners": alice, "owner": "alice", "amount": "1", "spent_by": spender}
        ]
    create, first, wrong, right = items
    assert create["changes"] == {}
    assert first["changes"] == {"mileage": {"after": 1200}, "place": {"after": "Berlin"}}
    assert first["metadata"]["mileage"] == 1200
    assert first["metadata"]["twin"]["kind"] == "append"
    assert wrong["changes"] == {"mileage": {"before": 1200, "after": 9999}}
    assert wrong["corrected"] is True
    assert right["changes"]["mileage"] == {"before": 1200, "after": 1250}
    assert (first["corrected"], right["corrected"]) == (False, False)


def test_json_lines_and_limits(invoke: Invoke) -> None:
    garage(invoke)
    run = invoke("history", "car", "--jsonl", "--limit", "2")
    items = [json.loads(line) for line in run.stdout.splitlines()]
    assert [list(item) for item in items] == [["schema", *ITEM]] * 2
    assert items[0]["schema"] == "twin.history-item/1"
    backwards = quietly(invoke)("history", "car", "--reverse")["transactions"]
    forwards = quietly(invoke)("history", "car")["transactions"]
    assert backwards == forwards[::-1]
    newest = quietly(invoke)("history", "car", "--reverse", "--limit", "1")["transactions"]
    assert newest == forwards[-1:]
    assert invoke("history", "car", "--limit", "0").status == 2


def test_since_takes_its_moment_in_and_until_leaves_it_out(invoke: Invoke) -> None:
    garage(invoke)
    twin = quietly(invoke)
    items = twin("history", "car")["transactions"]
    moment = items[2]["at"]
    late = [item for item in items if (item["at"] or item["committed_at"]) >= moment]
    early = [item for item in items if (item["at"] or item["committed_at"]) < moment]
    assert twin("history", "car", "--since", moment)["transactions"] == late
    assert twin("history", "car", "--until", moment)["transactions"] == early
    assert twin("history", "car", "--until", moment, "--reverse")["transactions"] == early[::-1]
    assert twin("history", "car", "--since", moment, "--reverse")["transactions"] == late[::-1]
    assert twin("history", "car", "--until", "2020-01-01")["transactions"] == []
    run = invoke("history", "car", "--since", "2021-01-01", "--until", "2020-01-01", "--json")
    assert (run.status, run.error["code"]) == (2, "empty_range")
    run = invoke("history", "car", "--since", "soon", "--json")
    assert (run.status, run.error["code"]) == (2, "bad_time")


def test_the_rows_of_a_pipe(invoke: Invoke) -> None:
    made = garage(invoke)
    head, *rows = [line.split("\t") for line in invoke("history", "car").stdout.splitlines()]
    assert head == ["time", "id", "kind", "signed by", "changed", "recorded"]
    assert [row[1] for row in rows] == [
        made[name]["transaction_id"] for name in ("car", "first", "wrong", "right")
    ]
    assert [row[2:4] for row in rows] == [["create", "alice"]] + [["append", "alice"]] * 3
    assert [row[4] for row in rows] == [
        "owned by alice",
        'mileage 1200; place "Berlin"',
        "mileage 1200 -> 9999 (corrected later)",
        rows[3][4],
    ]
    assert rows[3][4].startswith("mileage 1200 -> 1250")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_table_fits_and_drops_nothing(
    columns: int, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = garage(invoke)
    monkeypatch.setenv("COLUMNS", str(columns))
    for more in ((), ("--wide",)):
        text = invoke("history", "car", "--color", "never", *more, tty=True).stdout
        assert max(map(len, text.splitlines())) <= columns
        tx_id = made["first"]["transaction_id"]
        assert (tx_id if more and columns != 80 else tx_id[:10]) in "".join(text.split())
        assert more or tx_id[:11] not in text
        assert "mileage 1200" in " ".join(text.split())
        assert "alice" in text


def test_what_others_wrote_cannot_move_the_cursor(invoke: Invoke) -> None:
    garage(invoke)
    quietly(invoke)("asset", "append", "car", "--str", "note=a\x1b[2Jb\nc")
    for words in ([], ["--format", "graph"], ["--format", "dot"]):
        for tty in (False, True):
            run = invoke("history", "car", "--color", "never", *words, tty=tty)
            assert "\x1b" not in run.stdout
            assert "b\nc" not in run.stdout


def test_a_graph_of_a_chain(invoke: Invoke) -> None:
    made = garage(invoke)
    lines = invoke("history", "car", "--format", "graph").stdout.splitlines()
    assert lines[0] == f"*  {made['car']['id']}"
    assert lines[1].startswith("|  ")
    assert lines[1].endswith("create by alice")
    assert lines[2] == "|  owned by alice"
    assert lines[3] == f"*  {made['first']['transaction_id']}"
    assert lines[5] == '|  mileage 1200; place "Berlin"'
    turned = invoke("history", "car", "--format", "graph", "--reverse").stdout.splitlines()
    assert turned[0] == f"*  {made['right']['transaction_id']}"


def test_a_graph_with_a_split_and_a_merge() -> None:
    items = dag([[], [(0, 0)], [(1, 0)], [(1, 1), (2, 0)]], outputs=[1, 2, 1, 1])
    drawn = history.graph(items, Naming(str, str))
    assert [line.partition("  ")[0] for line in drawn.splitlines() if "*" in line] == [
        "*",
        "*",
        "* |",
        "*-'",
    ]
    assert "|-.  " in drawn
    turned = history.graph(items[::-1], Naming(str, str), reverse=True)
    assert [line.partition("  ")[0] for line in turned.splitlines() if "*" in line] == [
        "*",
        "* |",
        "*-'",
        "*",
    ]


def test_what_is_burned_leaves_no_lane(invoke: Invoke) -> None:
    garage(invoke)
    quietly(invoke)("asset", "burn", "car", "--yes")
    lines = invoke("history", "car", "--format", "graph").stdout.splitlines()
    assert lines[-1].startswith("   ")
    assert "to burned" in lines[-1]
    rows = invoke("history", "car").stdout.splitlines()
    assert rows[-1].split("\t")[2] == "burn"


def test_graphviz(invoke: Invoke) -> None:
    garage(invoke)
    quietly(invoke)(
        "asset", "append", "clips", "--str", 'say="hi" \\ there', "--output", bobs(invoke)
    )
    text = invoke("history", "clips", "--format", "dot").stdout
    items = quietly(invoke)("history", "clips")["transactions"]
    assert text.startswith("digraph history {\n")
    assert text.endswith("}\n")
    edges = [line for line in text.splitlines() if " -> " in line and "[label=" in line]
    spent = [entry for item in items for entry in item["outputs"] if entry["spent_by"]]
    assert len([line for line in edges if line.startswith('  "')]) >= len(spent)
    for item in items:
        assert f'"{item["id"]}" [label="' in text
    assert '\\"' in text


def bobs(invoke: Invoke) -> str:
    """Return the one unspent output that bob holds, as ``TX:N``."""
    found = quietly(invoke)("asset", "outputs", "clips", "--owner", "bob", "--unspent")["outputs"]
    return f"{found[0]['transaction_id']}:{found[0]['output_index']}"


def test_json_wins_over_the_format(invoke: Invoke) -> None:
    garage(invoke)
    twin = quietly(invoke)
    assert twin("history", "car", "--format", "dot") == twin("history", "car")
    run = invoke("history", "car", "--format", "svg", "--json")
    assert (run.status, run.error["code"]) == (2, "usage")


def dag(
    inputs: list[list[tuple[int, int]]], outputs: list[int], *, burned: bool = False
) -> list[Any]:
    """Return history items: for each the outputs it spends, as (number of the item, index)."""
    ids = [f"{number:064x}" for number in range(len(inputs))]
    spenders = {ref: ids[number] for number, refs in enumerate(inputs) for ref in refs}
    return [
        {
            "id": ids[number],
            "operation": "CREATE" if number == 0 else "TRANSFER",
            "at": None,
            "committed_at": "2024-01-20T09:00:00Z",
            "late": False,
            "metadata": None,
            "signers": ["alice"],
            "outputs": [
                {
                    "owners": ["alice"],
                    "owner": "alice",
                    "amount": "1",
                    "spent_by": spenders.get((number, index)),
                }
                for index in range(outputs[number])
            ],
            "kind": "asset" if number == 0 else "append",
            "changes": {},
            "corrected": burned,
        }
        for number in range(len(inputs))
    ]


@st.composite
def dags(draw: st.DrawFn) -> list[Any]:
    """Draw the history of a divisible asset: every transaction spends what is there."""
    unspent: list[tuple[int, int]] = []
    inputs: list[list[tuple[int, int]]] = []
    outputs: list[int] = []
    for number in range(draw(st.integers(1, 8))):
        taken: list[tuple[int, int]] = []
        if number:
            taken = draw(st.lists(st.sampled_from(unspent), min_size=1, unique=True))
            unspent = [ref for ref in unspent if ref not in taken]
        inputs.append(taken)
        outputs.append(draw(st.integers(1, 4)))
        unspent += [(number, index) for index in range(outputs[-1])]
    return dag(inputs, outputs)


@given(dags(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_lane_begins_at_a_node_and_ends_at_one(items: list[Any], reverse: bool) -> None:
    """Follow the drawing: bars stand only where a lane is, and each node takes up its inputs."""
    shown = items[::-1] if reverse else items
    rows = history.graph(shown, Naming(str, str), reverse=reverse).splitlines()
    nodes = [row for row in rows if "*" in row.partition("  0")[0]]
    assert [row.split()[-1] for row in nodes] == [item["id"] for item in shown]
    for row in nodes:
        tx_id = row.split()[-1]
        if reverse:
            item = next(item for item in items if item["id"] == tx_id)
            lanes = sum(entry["spent_by"] is not None for entry in item["outputs"])
        else:
            lanes = sum(entry["spent_by"] == tx_id for other in items for entry in other["outputs"])
        assert row.partition("  0")[0].count("'") == max(lanes - 1, 0)


def test_what_happened_earlier_than_it_was_recorded(invoke: Invoke) -> None:
    twin = quietly(invoke)
    garage(invoke)
    twin("asset", "append", "car", "--seen", "here", "--at", "2020-02-02T12:00:00Z")
    items = twin("history", "car")["transactions"]
    assert [item["late"] for item in items] == [False] * 4 + [True]

    def seen(*words: str) -> list[str]:
        found = twin("history", "car", *words)["transactions"]
        return [item["id"] for item in found]

    late = items[-1]["id"]
    everything = [item["id"] for item in items]
    assert seen("--until", "2021-01-01") == [late]
    assert seen("--until", "2021-01-01", "--reverse") == [late]
    assert seen("--since", "2021-01-01") == everything[:-1]
    assert seen("--since", "2021-01-01", "--reverse") == everything[-2::-1]
    assert seen("--since", "2021-01-01", "--by", "recorded") == everything
    assert seen("--until", "2021-01-01", "--by", "recorded") == []
    assert seen("--reverse") == everything[::-1]
    assert invoke("history", "car", "--by", "size").status == 2
    header, *rows = [line.split("\t") for line in invoke("history", "car").stdout.splitlines()]
    assert (header[0], header[-1]) == ("time", "recorded")
    assert rows[-1][0] == "2020-02-02T12:00:00.000Z"
    assert rows[-1][-1] == f"{items[-1]['committed_at']} late"
    assert [row[-1] for row in rows[:-1]] == [""] * 4
    graph = invoke("history", "car", "--format", "graph").stdout
    assert f"2020-02-02T12:00:00.000Z (recorded {items[-1]['committed_at']} late)" in graph
    assert "late" in invoke("history", "car", tty=True).stdout


def test_what_others_recorded_is_pointed_at(invoke: Invoke) -> None:
    twin = quietly(invoke)
    for name in ("alice", "lab"):
        twin("keys", "new", name, "--no-passphrase")
    twin("asset", "create", "car", "--owner", "alice")
    assert "of others" not in invoke("history", "car").stderr
    twin("event", "add", "car", "crash", "--key", "lab")
    run = invoke("history", "car")
    assert "1 record of others about car: twin event list car" in run.stderr
    assert len(run.stdout.splitlines()) == 2
    assert invoke("history", "car", "--quiet").stderr == ""
