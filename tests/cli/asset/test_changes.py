"""``twin asset diff``, ``blame`` and ``migrate``: what is printed, and how wide it is."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.cli.stories import quietly
from tests.conftest import Invoke

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def car(invoke: Invoke) -> dict[str, Any]:
    twin = quietly(invoke)
    twin("keys", "new", "alice", "--no-passphrase")
    made: dict[str, Any] = twin("asset", "create", "car", "--vin", "X1", "--tyre.front", "2")
    twin("asset", "append", "car", "--mileage", "1200", "--oil.level", "0.8", "--oil.kind", "5W30")
    twin("asset", "append", "car", "--mileage", "1210", "--at", "2024-01-20T09:00:00Z")
    twin("asset", "append", "car", "--oil.level", "0.7")
    return made


def test_blame_names_the_transaction_of_each_leaf(invoke: Invoke, car: dict[str, Any]) -> None:
    ids = [item["id"] for item in invoke("history", "car", "--json").json["transactions"]]
    document = invoke("asset", "blame", "car", "--json").json
    assert document["asset_id"] == car["id"] == ids[0]
    assert [(item["of"], item["path"], item["transaction_id"]) for item in document["fields"]] == [
        ("facts", "tyre.front", ids[0]),
        ("facts", "vin", ids[0]),
        ("state", "oil.kind", ids[1]),
        ("state", "mileage", ids[2]),
        ("state", "oil.level", ids[3]),
    ]
    [late] = [item for item in document["fields"] if item["late"]]
    assert (late["path"], late["at"]) == ("mileage", "2024-01-20T09:00:00.000Z")
    newest = invoke("asset", "blame", "car", "--limit", "1", "--reverse", "--get", "fields.0.path")
    assert newest.stdout == "oil.level\n"
    old = invoke("asset", "blame", "car", "--until", "2025-01-01", "--get", "fields").stdout
    assert old.count('"path"') == 1
    assert invoke("asset", "blame", "car", "--as-of", "2024-01-01").status == 4


def test_a_corrected_value_is_blamed_on_what_stands(invoke: Invoke, car: dict[str, Any]) -> None:
    assert car
    twin = quietly(invoke)
    wrong = twin("asset", "append", "car", "--mileage", "9999")["transaction_id"]
    right = twin("asset", "append", "car", "--oil.level", "0.6", "--corrects", wrong)
    fields = {item["path"]: item for item in twin("asset", "blame", "car")["fields"]}
    assert (fields["mileage"]["value"], fields["mileage"]["late"]) == (1210, True)
    assert fields["oil.level"]["transaction_id"] == right["transaction_id"]


def test_diff_says_before_and_after(invoke: Invoke, car: dict[str, Any]) -> None:
    assert car
    twin = quietly(invoke)
    document = twin("asset", "diff", "car", "--until", "2025-01-01")
    [change] = document["changes"]
    assert (change["path"], change["after"], "before" in change) == ("mileage", 1210, False)
    late = twin("asset", "diff", "car", "--since", "2025-01-01")["changes"]
    assert [
        (item["path"], item.get("before"), item["count"]) for item in late if item["of"] == "state"
    ] == [
        ("oil.kind", None, 1),
        ("oil.level", None, 2),
    ]
    rows = invoke("asset", "diff", "car").stdout.splitlines()
    assert rows[0].split("\t")[:4] == ["of", "path", "output", "before"]
    assert len(rows) == 6
    assert invoke("asset", "diff", "car", "--since", "1s", "--until", "2s").status == 2


def test_diff_shows_another_template(invoke: Invoke, car: dict[str, Any]) -> None:
    assert car
    run = invoke("asset", "migrate", "car", "--template", "vehicle-tracking-v1")
    assert run.status == 0
    assert "moved car to vehicle-tracking-v1" in run.stderr
    assert "warning: vehicle-tracking-v1 has no field oil" in run.stderr
    changes = invoke("asset", "diff", "car", "--json").json["changes"]
    [moved] = [item for item in changes if item["of"] == "template"]
    assert moved["after"] == "vehicle-tracking-v1"
    assert invoke("asset", "migrate", "car", "--template", "vehicle-tracking-v1").status == 5
    assert invoke("asset", "migrate", "car", "--template", "no-such-v1").status == 4
    assert invoke("asset", "migrate", "car").status == 2
    assert invoke("asset", "append", "car", "--oil.level", "0.5").status == 7


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize("words", ["history car", "asset blame car", "asset diff car"])
def test_times_stay_whole(
    invoke: Invoke, car: dict[str, Any], words: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert car
    monkeypatch.setenv("COLUMNS", str(columns))
    run = invoke(*words.split(), "--color", "never", tty=True)
    lines = run.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert "2024-01-20T09:00:00.000Z" in run.stdout
    assert "late" in run.stdout
    digits = [line for line in lines if re.search(r"\d\d:\d\d|\d{4}-\d\d", line)]
    assert all(TIME.search(line) for line in digits)
    if columns == 80:
        assert lines[0].split()[0] in {"time", "path"}  # a table, not a value a line
