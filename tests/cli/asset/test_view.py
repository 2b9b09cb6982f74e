"""``twin asset show --view``: the card of a twin's template."""

from __future__ import annotations

import json

import pytest

from tests.cli.stories import quietly
from tests.conftest import Invoke

MINE = {
    "id": "pump-v1",
    "name": "Pump",
    "assetType": "pump",
    "identifiers": {"primary": "serial"},
    "trackingFields": [
        {"name": "pressure", "type": "number", "unit": "bar", "quality": {"max": 10}},
        {"name": "flow", "type": "number", "unit": "m3", "realTime": True, "source": "meter"},
    ],
}


@pytest.fixture
def twin(invoke: Invoke, tmp_path_factory: pytest.TempPathFactory) -> Invoke:
    run = quietly(invoke)
    run("keys", "new", "alice", "--no-passphrase")
    file = tmp_path_factory.mktemp("templates") / "pump.json"
    file.write_text(json.dumps(MINE))
    run("template", "register", str(file))
    run("asset", "create", "van", "--template", "vehicle-tracking-v1", "--vin", "X1")
    run("asset", "append", "van", "--mileage", "12000")
    run(
        "asset", "create", "pump", "--template", "pump-v1", "--serial", "S1", "--note.a", "b\x1b[2J"
    )
    return invoke


def test_the_card_in_json(twin: Invoke) -> None:
    shown = twin("asset", "show", "van", "--view", "--json").json
    view = shown["view"]
    assert (view["title"], view["template"]) == ("X1", "vehicle-tracking-v1")
    items = {item["path"]: item for item in view["card"]}
    assert (items["mileage"]["value"], items["mileage"]["unit"]) == (12000, "miles")
    assert items["make"]["value"] is None
    assert view["map"]["path"] == "location"
    plain = twin("asset", "show", "van", "--json").json
    assert "view" not in plain
    assert plain == {name: value for name, value in shown.items() if name != "view"}


def test_what_is_doubted_is_marked(twin: Invoke) -> None:
    assert twin("asset", "append", "pump", "--pressure", "12").status == 0
    rows = twin("asset", "show", "pump", "--view").stdout.splitlines()
    assert "pressure\t12 bar (suspect)" in rows
    assert twin("asset", "append", "pump", "--pressure", "2").status == 0
    rows = twin("asset", "show", "pump", "--view").stdout.splitlines()
    assert rows[:4] == ["title\tpump", "template\tpump-v1", "serial\tS1", "pressure\t2 bar"]


def test_streams_are_listed_with_the_state(twin: Invoke) -> None:
    [flow] = twin("asset", "show", "pump", "--json").json["real_time"]
    assert flow == {
        "name": "flow",
        "type": "number",
        "unit": "m3",
        "source": "meter",
        "value": None,
    }
    assert "none yet, from meter" in twin("asset", "show", "pump", tty=True).stdout
    assert twin("asset", "append", "pump", "--flow", "3").status == 0
    [flow] = twin("asset", "show", "pump", "--json").json["real_time"]
    assert flow["value"] == 3


@pytest.mark.parametrize("columns", [80, 40, 20])
def test_it_is_drawn_within_the_terminal(
    twin: Invoke, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for words in (("van",), ("pump",), ("van", "pump")):
        run = twin("asset", "show", *words, "--view", "--color", "never", tty=True)
        assert run.status == 0
        assert max(map(len, run.stdout.splitlines())) <= columns
        assert "\x1b" not in run.stdout


def test_several_in_a_pipe_are_rows(twin: Invoke) -> None:
    rows = twin("asset", "show", "van", "pump", "--view").stdout.splitlines()
    assert rows[0].split("\t") == ["name", "id", "title", "template", "card"]
    assert len(rows) == 3


def test_without_a_template_there_is_no_card(twin: Invoke) -> None:
    assert twin("asset", "create", "stone", "--weight", "1").status == 0
    run = twin("asset", "show", "stone", "--view", "--json")
    assert run.status == 4
    assert run.error["code"] == "no_template"


def test_numbers_are_rounded_for_people_only(twin: Invoke) -> None:
    for given, shown in (
        ("20000 km", "12427.424 miles"),
        ("5 miles", "5 miles"),
        ("3 m", "0.001864 miles"),
        ("1e15 miles", "1000000000000000 miles"),
    ):
        assert twin("asset", "append", "van", "--mileage", given).status == 0
        rows = dict(
            line.split("\t") for line in twin("asset", "show", "van", "--view").stdout.splitlines()
        )
        assert rows["Mileage"].replace(".0 ", " ").replace("e+15", "0" * 15) == shown, given
    whole = twin("asset", "append", "van", "--mileage", "20000 km", "--json").json
    assert whole["state"]["mileage"] == 12427.42384474668
