"""``twin asset find`` and the columns of ``twin asset list``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Invoke

Make = Callable[..., Any]


@pytest.fixture
def fleet(invoke: Invoke) -> Invoke:
    assert invoke("keys", "new", "plant", "--no-passphrase").status == 0
    for number, facility in enumerate(("Plant-A", "Plant-B", "Plant-A"), 1):
        run = invoke(
            *("asset", "create", f"W{number}", "--template", "manufacturing-product-v2"),
            *("--productLine", "Widget Pro", "--batchNumber", f"2024-00{number}"),
            *("--manufactureDate", f"2024-0{number}-15", "--facility", facility),
        )
        assert run.status == 0, run.stderr
    pump = ("--template", "construction-equipment-v1", "--serialNumber", "P-1")
    assert invoke("asset", "create", "digger", *pump, "--engineHours", "90 min").status == 0
    return invoke


def names(invoke: Invoke, *words: str) -> list[str]:
    run = invoke("asset", "find", *words, "--json")
    assert run.status == 0, run.stderr
    return [item["name"] for item in json.loads(run.stdout)["assets"]]


def test_the_document(fleet: Invoke) -> None:
    run = fleet("asset", "find", "facility = Plant-B", "--json")
    document = json.loads(run.stdout)
    assert list(document) == ["schema", "assets", "warnings"]
    assert document["schema"] == "twin.found/1"
    (item,) = document["assets"]
    assert (item["name"], item["template"]) == ("W2", "manufacturing-product-v2")
    assert item["data"]["facility"] == "Plant-B"
    line = json.loads(fleet("asset", "find", "facility = Plant-B", "--jsonl").stdout)
    assert line["schema"] == "twin.asset-item/1"


def test_what_is_found(fleet: Invoke) -> None:
    assert names(fleet, "facility = Plant-A") == ["W1", "W3"]
    assert names(fleet, 'manufactureDate >= "2024-02-01" and productLine ~ "WIDGET"') == [
        "W2",
        "W3",
    ]
    assert names(fleet, "manufactureDate < 2024-02-01") == ["W1"]
    assert names(fleet, "facility = Plant-A", "--limit", "1") == ["W1"]
    assert names(fleet, "not exists(facility)") == ["digger"]


def test_units_are_those_of_each_template(fleet: Invoke) -> None:
    assert names(fleet, "engineHours = 1.5 h") == ["digger"]
    assert names(fleet, "engineHours > 89 min and engineHours < 91 min") == ["digger"]
    assert names(fleet, "not (engineHours = 90 min)") == ["W1", "W2", "W3"]
    for text, code in (("engineHours > 3 kg", "unit_mismatch"), ("height > 3 m", None)):
        run = fleet("asset", "find", text, "--json")
        assert (run.status, run.stdout) == (2, "")
        assert run.error["code"] == (code or "invalid_expression")


def test_a_wrong_expression_is_an_error_of_usage(fleet: Invoke) -> None:
    for text in ("facility =", "", "(", "a = 1 or", "a has", "nope(x)", "x" * 5000):
        run = fleet("asset", "find", "--json", "--", text)
        assert (run.status, run.stdout, run.error["code"]) == (2, "", "invalid_expression"), text
    assert fleet("asset", "find", "a = 1", "--limit", "0").status == 2


def test_nothing_found_is_said(fleet: Invoke) -> None:
    run = fleet("asset", "find", "facility = Nowhere", tty=True)
    assert (run.status, run.stdout) == (0, "")
    assert "no twin here fits: facility = Nowhere" in run.stderr


def test_a_path_that_no_twin_has_is_said(fleet: Invoke) -> None:
    run = fleet("asset", "find", "facilty = Plant-A or engineHours > 3")
    assert run.status == 0
    assert "no twin here has facilty; did you mean facility?" in run.stderr
    assert "no twin here has engineHours" not in run.stderr
    run = fleet("asset", "find", "specifications.mak = CAT or zzzzz = 1", tty=True)
    assert "no twin here has specifications.mak; did you mean specifications.make?" in run.stderr
    assert "no twin here has zzzzz\n" in run.stderr
    run = fleet("asset", "find", "enginehours > 3 min", "--json")
    assert (run.status, run.error["hint"]) == (2, "did you mean engineHours?")


def test_an_expression_without_quotes(fleet: Invoke) -> None:
    run = fleet("asset", "find", "facility", "=", "Plant-A", "--json")
    assert (run.status, run.error["hint"]) == (2, "twin asset find 'facility = Plant-A'")


def test_a_template_that_no_twin_follows_is_said(fleet: Invoke) -> None:
    run = fleet("asset", "list", "--template", "manufacturing-prodct-v2")
    assert run.status == 0
    assert "did you mean manufacturing-product-v2?" in run.stderr
    run = fleet("asset", "list", "--template", "zzzzz")
    assert run.stderr == "no twin here follows zzzzz\n"


def test_a_template_that_is_there_is_not_meant_to_be_another(fleet: Invoke) -> None:
    for template in ("vehicle-tracking-v1", "vehicle-tracking"):
        run = fleet("asset", "list", "--template", template)
        assert run.stderr == f"no twin here follows {template}\n"
    run = fleet("asset", "list", "--template", "", "--json")
    assert (run.status, run.error["message"]) == (2, "--template needs the id of a template")


def test_an_empty_list_says_where_the_others_are(fleet: Invoke) -> None:
    assert "yours" not in fleet("asset", "list", "--kind", "nothing").stderr
    for name in ("W1", "W2", "W3", "digger"):
        assert fleet("asset", "burn", name, "--yes").status == 0
        assert fleet("name", "remove", name, "--yes").status == 0
    run = fleet("asset", "list")
    assert (run.status, "twin asset list --all" in run.stderr) == (0, True)


def test_columns(fleet: Invoke) -> None:
    head, *rows = fleet(
        "asset",
        "list",
        "--template",
        "manufacturing-product",
        "--columns",
        "name,facility,x.y,owner",
    ).stdout.splitlines()
    assert head == "name\tfacility\tx.y\towner"
    assert rows == ["W1\tPlant-A\t\tplant", "W2\tPlant-B\t\tplant", "W3\tPlant-A\t\tplant"]
    found = fleet("asset", "find", "exists(engineHours)", "--columns", "name,engineHours").stdout
    assert found.splitlines()[1] == "digger\t1.5"
    for wrong in ("", "a,,b", "a..b", ".a"):
        assert fleet("asset", "list", "--columns", wrong).status == 2


def test_the_template_of_a_listing(fleet: Invoke) -> None:
    def listed(template: str) -> list[str]:
        document = json.loads(fleet("asset", "list", "--template", template, "--json").stdout)
        return [item["name"] for item in document["assets"]]

    assert listed("construction-equipment-v1") == listed("construction-equipment") == ["digger"]
    assert listed("construction") == []
    state = json.loads(fleet("asset", "list", "--state", "--json").stdout)["assets"][3]
    assert (state["state"], state["template"]) == (
        {"engineHours": 1.5},
        "construction-equipment-v1",
    )
