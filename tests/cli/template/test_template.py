"""``twin template``, and twins that are made from templates and held to them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Invoke
from tests.model.test_template import GUARDED, VEHICLE

MINE: dict[str, Any] = {**VEHICLE, "id": "vehicle-tracking-v9"}
VIN = "1HGCM82633A004352"

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Any], str]:
    def write(document: Any) -> str:
        path = tmp_path / "template.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return str(path)

    return write


@pytest.fixture
def made(invoke: Invoke) -> Make:
    """Return what runs a command that succeeds, and gives its document."""
    assert invoke("keys", "new", "alice", "--no-passphrase").status == 0

    def run(*words: str) -> dict[str, Any]:
        done = invoke(*words, "--json")
        assert done.status == 0, done.stderr
        document: dict[str, Any] = done.json
        return document

    return run


# --- Looking -------------------------------------------------------------------------------------


def test_built_in_templates_need_no_home(invoke: Invoke, home: Path) -> None:
    run = invoke("template", "list", "--category", "manufacturing", "--json")
    assert run.status == 0
    ids = [item["id"] for item in run.json["templates"]]
    assert ids == ["manufacturing-product-v2", "product-lifecycle-v1"]
    shown = invoke("template", "show", "vehicle-tracking-v1", "--json").json
    assert shown["template"]["identifiers"]["primary"] == "vin"
    assert "km" in shown["units"]["miles"]
    assert shown["cid"].startswith("bafkrei")
    assert not home.exists()


def test_a_template_is_drawn_with_what_may_be_written(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    text = invoke("template", "show", "construction-equipment-v1", tty=True).stdout
    assert "\n  make " in text
    assert "idle" in text
    assert "schedules: inspection yearly, service every-250-hours" in text
    assert max(map(len, text.splitlines())) <= 80


def test_on_a_terminal_a_template_is_drawn(invoke: Invoke) -> None:
    text = invoke("template", "show", "manufacturing-product-v2", tty=True).stdout
    for part in ("manufacturing-product-v2", "identified by assetId", "defectRate", "events:"):
        assert part in text
    assert "quality_testing -> shipping" in text


def test_a_template_that_is_not_there(invoke: Invoke, made: Make) -> None:
    run = invoke("template", "show", "vehicle-trackin-v1")
    assert run.status == 4
    assert "did you mean vehicle-tracking-v1?" in run.stderr
    assert made("template", "list")["templates"]


@pytest.mark.parametrize(
    ("change", "line", "path"),
    [
        ({"trackingFields": [{"name": "x", "type": "numbr"}]}, 1, "trackingFields[0].type"),
        ({"id": "x"}, 1, "id"),
        (
            {"trackingFields": [{"name": "x", "type": "number", "unit": "xyz"}]},
            1,
            "trackingFields[0].unit",
        ),
    ],
)
def test_check_says_where(
    invoke: Invoke, file: Callable[[Any], str], change: Any, line: int | None, path: str
) -> None:
    run = invoke("template", "check", file({**VEHICLE, **change}), "--json")
    assert run.status == 3
    assert run.json["valid"] is False
    assert run.json["faults"][0]["line"] == line
    assert run.json["faults"][0]["path"] == path
    assert run.json["faults"][0]["right"]


def test_check_takes_the_seeds_template_and_yaml(
    invoke: Invoke, file: Callable[[Any], str]
) -> None:
    assert invoke("template", "check", file(VEHICLE), "--json").json["valid"] is True
    text = invoke("template", "new", "pump-v1").stdout
    run = invoke("template", "check", "-", "--json", stdin=text)
    assert (run.status, run.json["id"]) == (0, "pump-v1")
    broken = text.replace("type: datetime", "type: date_time")
    number = next(n for n, words in enumerate(broken.splitlines(), 1) if "date_time" in words)
    run = invoke("template", "check", "-", "--json", stdin=broken)
    assert run.json["faults"][0]["line"] == number
    assert run.json["faults"][0]["right"] == "did you mean datetime?"


def test_new_asks_or_takes_what_is_given(invoke: Invoke, terminal: Any, tmp_path: Path) -> None:
    terminal("lift-v2\nOur lifts\n\n\n")
    out = tmp_path / "lift.yaml"
    assert invoke("template", "new", "-o", str(out)).status == 0
    assert 'id: lift-v2\nname: "Our lifts"\nassetType: "lift"' in out.read_text()
    run = invoke("template", "new", "lift-v3", "-o", str(out))
    assert run.status == 5
    assert invoke("template", "new", "Bad Id").status == 7


def test_diff_compares_by_name(invoke: Invoke, file: Callable[[Any], str]) -> None:
    changed = json.loads(json.dumps(VEHICLE))
    changed["trackingFields"].reverse()
    changed["trackingFields"][1]["unit"] = "km"
    del changed["trackingFields"][0]
    run = invoke("template", "diff", file(VEHICLE), "vehicle-tracking-v1", "--json")
    assert run.status == 0
    changes = {(item["change"], item["path"]) for item in run.json["changes"]}
    assert ("added", "facts") in changes
    assert ("added", "trackingFields.mileage.min") in changes
    assert not any("source" in path for _, path in changes)


def test_export_is_what_was_registered(
    invoke: Invoke, made: Make, file: Callable[[Any], str], tmp_path: Path
) -> None:
    made("template", "register", file(MINE))
    out = tmp_path / "out.json"
    assert invoke("template", "export", "vehicle-tracking-v9", "-o", str(out)).status == 0
    assert json.loads(out.read_text()) == MINE
    assert json.loads(invoke("template", "export", "vehicle-tracking-v9").stdout) == MINE


# --- Registering ---------------------------------------------------------------------------------


def test_a_registered_template_is_an_asset_with_a_cid(
    made: Make, file: Callable[[Any], str]
) -> None:
    document = made("template", "register", file(MINE))
    assert document["kind"] == "template"
    assert document["template"] == "vehicle-tracking-v9"
    shown = made("template", "show", "vehicle-tracking-v9")
    assert shown["cid"] == document["template_cid"]
    assert shown["asset_id"] == document["id"]
    assert made("template", "show", document["id"])["cid"] == shown["cid"]
    assert "vehicle-tracking-v9" in [item["id"] for item in made("template", "list")["templates"]]


def test_a_template_never_changes(invoke: Invoke, made: Make, file: Callable[[Any], str]) -> None:
    made("template", "register", file(MINE))
    run = invoke("template", "register", file(MINE))
    assert run.status == 5
    assert "use it as it is" in run.stderr
    run = invoke("template", "register", file({**MINE, "name": "Another"}))
    assert run.status == 5
    assert "vehicle-tracking-v10" in run.stderr
    assert invoke("template", "register", file(VEHICLE)).status == 5  # built in
    again = made("template", "register", file(MINE), "--if-missing")
    assert again["created"] is False
    assert invoke("template", "register", file({**MINE, "id": "x"})).status == 7


def test_a_strangers_template_is_named(
    invoke: Invoke, made: Make, file: Callable[[Any], str]
) -> None:
    made("template", "register", file(MINE))
    words = ("--template", MINE["id"], "--vin")
    assert made("asset", "create", "mine", *words, VIN)["warnings"] == []
    stranger = made("keys", "list")["keys"][0]["public_key"]
    assert invoke("keys", "remove", "alice", "--yes").status == 0
    made("keys", "new", "bob", "--no-passphrase")
    (warning,) = made("asset", "create", "theirs", *words, VIN)["warnings"]
    assert stranger in warning
    assert "twin template show" in warning
    made("name", "set", "carol", stranger)
    assert made("asset", "create", "known", *words, "2HGCM82633A004352")["warnings"] == []


def test_of_two_strangers_templates_none_is_chosen(
    invoke: Invoke, made: Make, file: Callable[[Any], str]
) -> None:
    first = made("template", "register", file(MINE))
    assert invoke("keys", "new", "bob", "--no-passphrase").status == 0
    invoke("name", "remove", "vehicle-tracking-v9")
    # A key that is not here any more is a stranger's.
    assert invoke("keys", "remove", "alice", "--yes").status == 0
    second = made("template", "register", file({**MINE, "name": "Another"}))
    assert made("template", "show", "vehicle-tracking-v9")["cid"] == second["template_cid"]
    invoke("keys", "new", "carol", "--no-passphrase")
    assert invoke("keys", "remove", "bob", "--yes").status == 0
    run = invoke("template", "show", "vehicle-tracking-v9")
    assert run.status == 5
    assert first["id"] in run.stderr
    assert second["id"] in run.stderr


# --- Twins ---------------------------------------------------------------------------------------


@pytest.fixture
def car(made: Make, file: Callable[[Any], str]) -> dict[str, Any]:
    made("template", "register", file(MINE))
    words = ("--vin", VIN, "--str", "licensePlate=B-AB123", "--mileage", "12000")
    return made("asset", "create", "car", "--template", "vehicle-tracking-v9", *words)


def test_what_is_given_goes_where_it_belongs(car: dict[str, Any]) -> None:
    assert car["data"] == {"vin": VIN, "licensePlate": "B-AB123"}
    assert car["state"] == {"mileage": 12000}
    assert car["template"] == "vehicle-tracking-v9"
    assert car["template_cid"].startswith("bafkrei")


def test_one_twin_for_each_physical_thing(invoke: Invoke, car: dict[str, Any]) -> None:
    words = ("asset", "create", "car2", "--template", "vehicle-tracking-v9")
    for vin in (VIN, VIN.lower(), f" {VIN} "):
        run = invoke(*words, "--str", f"vin={vin}")
        assert run.status == 5, vin
        assert car["id"] in run.stderr
    # The name is free again, and another family, identifier or owner is another thing.
    assert invoke(*words, "--vin", "X1").status == 0
    assert invoke("keys", "new", "bob", "--no-passphrase").status == 0
    bobs = ("asset", "create", "bobs", "--template", "vehicle-tracking-v9", "--owner", "bob")
    assert invoke(*bobs, "--vin", VIN).status == 0
    newer = ("asset", "create", "newer", "--template", "vehicle-tracking-v1", "--vin", VIN)
    assert invoke(*newer).status == 5  # the same family


def test_two_processes_make_one_twin(home: Path, car: dict[str, Any]) -> None:
    assert car
    command = [sys.executable, "-m", "twincli", "asset", "create"]
    words = ["--template", "vehicle-tracking-v9", "--vin", "WDB9630031L123456"]
    running = [
        subprocess.Popen(
            [*command, f"lorry{number}", *words],
            env={**os.environ, "TWIN_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in range(4)
    ]
    assert sorted(process.wait() for process in running) == [0, 5, 5, 5]


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("--licensePlate", "B-XY1"), "missing_identifier", "vin"),
        (("--vin", "true"), "invalid_value", "text or a whole number"),
        (("--vin", "1", "--mileage", "much"), "invalid_value", "mileage"),
        (("--vin", "1", "--state", '{"milage": 1}'), "unknown_field", "milage"),
        (("--vin", "1", "--mileage", "3", "--state", '{"mileage": 1}'), "invalid_value", "twice"),
        (("--vin", "1", "--mileage", "5 kg"), "unit_mismatch", "kg"),
    ],
)
def test_what_does_not_fit_is_refused_at_creation(
    invoke: Invoke, car: dict[str, Any], words: tuple[str, ...], code: str, part: str
) -> None:
    assert car
    run = invoke("asset", "create", "x", "--template", "vehicle-tracking-v9", *words, "--json")
    assert run.status == 7
    error = json.loads(run.stderr)["error"]
    assert error["code"] == code
    assert part in error["message"]
    assert invoke("asset", "show", "x").status == 4


def test_required_facts(invoke: Invoke, made: Make, file: Callable[[Any], str]) -> None:
    made("template", "register", file({**GUARDED, "id": "guarded-v1"}))
    words = ("asset", "create", "x", "--template", "guarded-v1", "--vin", "1")
    run = invoke(*words)
    assert run.status == 7
    assert "color" in run.stderr
    assert invoke(*words, "--str", "color=red", "--size.x", "5", "--extra", "1").status == 0


def test_what_does_not_fit_is_refused_at_an_append(invoke: Invoke, car: dict[str, Any]) -> None:
    assert car
    for words in (("--mileage", "much"), ("--paint", "red"), ("--location.lat", "91")):
        run = invoke("asset", "append", "car", *words)
        assert run.status == 7, words
    assert (
        "the template has no field 'milage'"
        in invoke("asset", "append", "car", "--milage", "5").stderr
    )
    lines = '{"mileage": 12001}\n{"milage": 12002}\n'
    assert invoke("asset", "append", "car", "--jsonl", "-", stdin=lines).status == 7
    assert invoke("asset", "transfer", "car", "--to", "alice", "--paint", "red").status == 7
    assert len(invoke("history", "car", "--json").json["transactions"]) == 1


def test_units_are_converted_and_what_was_written_is_kept(
    invoke: Invoke, made: Make, car: dict[str, Any]
) -> None:
    assert car
    document = made("asset", "append", "car", "--mileage", "20000 km")
    assert document["state"]["mileage"] == float(Fraction(20000) / Fraction("1.609344"))
    tx = made("tx", "show", document["transaction_id"])
    envelope = tx["transaction"]["metadata"]["twin"]
    assert envelope["given"] == [{"path": "mileage", "value": "20000", "unit": "km"}]
    run = invoke("asset", "append", "car", "--mileage", "1 km", "--bare")
    assert run.status == 7
    assert invoke("asset", "append", "car", "--mileage", "12100", "--bare").status == 0


def test_a_retry_with_a_unit_is_the_same(made: Make, car: dict[str, Any]) -> None:
    assert car
    words = ("asset", "append", "car", "--mileage", "20000 km", "--once", "trip")
    assert made(*words)["transaction_id"] == made(*words)["transaction_id"]


def test_ranges_and_quality(invoke: Invoke, made: Make, file: Callable[[Any], str]) -> None:
    fields = [
        {
            "name": "t",
            "type": "number",
            "unit": "C",
            "min": -273.15,
            "quality": {"min": -40, "max": 100},
        }
    ]
    made("template", "register", file({**VEHICLE, "id": "probe-v1", "trackingFields": fields}))
    made("asset", "create", "probe", "--template", "probe-v1", "--vin", "1", "--t", "20")
    run = invoke("asset", "append", "probe", "--t", "-300")
    assert run.status == 7
    assert "t is not at least -273.15 C" in run.stderr
    hot = made("asset", "append", "probe", "--t", "100")
    tx = made("tx", "show", hot["transaction_id"])
    assert tx["transaction"]["metadata"]["twin"]["suspect"] == ["t"]
    doubt = "t is outside the good range and marked as suspect"
    assert hot["warnings"] == [doubt]
    run = invoke("asset", "append", "probe", "--vin", "2", "--json")
    assert (run.status, run.error["code"]) == (7, "unknown_field")
    assert run.error["message"] == "vin is a fact, and facts never change"
    words = ("asset", "create", "odd", "--template", "probe-v1", "--vin", "2", "--t", "-300")
    assert invoke(*words).status == 7
    assert made(*words, "--on-invalid", "suspect")["state"] == {"t": -300}
    strict = ("asset", "create", "hot", "--template", "probe-v1", "--vin", "3", "--t", "120")
    assert invoke(*strict, "--on-invalid", "reject").status == 7
    strange = made(*strict)
    assert (strange["state"], strange["warnings"]) == ({"t": 120}, [doubt])


def test_the_name_is_the_identifier_where_the_template_says_so(invoke: Invoke, made: Make) -> None:
    words = ("asset", "create", "W-1", "--template", "manufacturing-product-v2")
    document = made(*words, "--batchNumber", "2024-001", "--manufactureDate", "2024-01-15")
    assert document["data"]["manufactureDate"] == "2024-01-15"
    invoke("name", "remove", "W-1")
    assert invoke(*words).status == 5


def test_options_that_contradict_a_template(invoke: Invoke, made: Make) -> None:
    assert made("keys", "list")
    words = ("asset", "create", "x", "--template", "vehicle-tracking-v1", "--vin", "1")
    assert invoke(*words, "--bare").status == 2
    run = invoke("asset", "create", "x", "--template", "vehicle-tracking-v7", "--vin", "1")
    assert run.status == 4


def test_a_twin_whose_template_is_not_here_can_be_read_and_not_written(
    invoke: Invoke, made: Make, car: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli.client.embedded import EmbeddedClient

    assert car
    monkeypatch.setattr(EmbeddedClient, "assets_with", lambda *_: [])
    assert made("asset", "show", "car")["state"] == {"mileage": 12000}
    run = invoke("asset", "append", "car", "--mileage", "5", "--json")
    assert run.status == 4
    assert json.loads(run.stderr)["error"]["code"] == "missing_template"


def test_a_template_that_was_altered_on_its_way_is_not_taken(
    invoke: Invoke, car: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli.crypto import cid
    from twincli.services import catalogue

    assert car
    real = catalogue._model

    def altered(data: bytes, source: str, asset_id: str | None = None) -> Any:
        return real(data, source, asset_id)._replace(cid=cid.of(b"x").text)

    monkeypatch.setattr(catalogue, "_model", altered)
    assert invoke("asset", "append", "car", "--mileage", "5").status == 4
