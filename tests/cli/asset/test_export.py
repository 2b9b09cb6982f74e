"""``twin asset export``: a twin for other systems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import quietly
from tests.conftest import Invoke

FORMATS = ("wot", "aas", "epcis", "dtdl", "jsonld")


@pytest.fixture
def twin(invoke: Invoke) -> Invoke:
    run = quietly(invoke)
    for name in ("farm", "shop", "stranger"):
        run("keys", "new", name, "--no-passphrase")
    run("asset", "create", "beans", "--template", "supply-chain-v2", "--owner", "farm")
    run("stage", "add", "beans", "harvest", "--location", "Guatemala", "--date", "2024-01-10")
    run("asset", "create", "sack", "--owner", "farm", "--parent", "beans")
    run("asset", "create", "fake", "--key", "stranger", "--owner", "stranger", "--parent", "beans")
    run("stream", "push", "beans", "humidity", "--value", "11.5")
    run("asset", "transfer", "beans", "--to", "shop")
    run("asset", "append", "beans", "--custodian", "arrived")
    return invoke


def test_events(twin: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "beans.json"
    run = twin("asset", "export", "beans", "--format", "epcis", "-o", str(path))
    assert (run.status, run.stdout) == (0, "")
    assert f"wrote {path}" in run.stderr
    found = json.loads(path.read_text())["epcisBody"]["eventList"]
    # It was harvested before anybody wrote it down.
    assert [event["eventTime"][:10] == "2024-01-10" for event in found] == [
        *(True, False, False, False)
    ]
    assert [event["bizStep"] for event in found] == [
        "urn:x-twincli:stage:harvest",
        "commissioning",
        "assembling",
        "accepting",
    ]
    # A stranger's part is not one.
    assert len([event for event in found if event["type"] == "AggregationEvent"]) == 1
    again = twin("asset", "export", "beans", "--format", "epcis", "-o", str(path), "--json")
    assert (again.status, again.error["code"]) == (5, "exists")


@pytest.mark.parametrize("form", FORMATS)
def test_every_format(twin: Invoke, form: str) -> None:
    run = twin("asset", "export", "beans", "--format", form)
    assert run.status == 0
    document = twin("asset", "export", "beans", "--format", form, "--json").json
    assert json.loads(run.stdout) == document["document"]
    assert document["format"] == form
    assert all(loss["why"] in run.stderr for loss in document["losses"])


def test_readings_and_owners(twin: Invoke) -> None:
    thing = twin("asset", "export", "beans", "--format", "wot", "--json").json["document"]
    properties: dict[str, Any] = thing["properties"]
    assert properties["humidity"]["twin:value"] == 11.5
    assert properties["humidity"]["observable"]
    assert properties["custodian"]["twin:value"] == "arrived"
    shown = twin("asset", "show", "beans", "--json").json
    assert thing["id"] == shown["did"]
    # A part does not change hands with the whole.
    assert "links" not in thing


def test_all_that_is_left_out_is_said(twin: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_text("x")
    for words in (
        ("event", "add", "beans", "packed", "--bags", "7"),
        ("maintenance", "add", "beans", "--type", "cleaning", "--technician", "t1"),
        ("cert", "issue", "beans", "--key", "stranger", "--type", "organic", "--number", "1"),
        ("file", "attach", "beans", str(path)),
        ("link", "add", "beans", "replaces", "sack"),
    ):
        assert twin(*words).status == 0
    for form in FORMATS:
        found = twin("asset", "export", "beans", "--format", form, "--json").json["losses"]
        losses = {loss["path"]: loss["why"] for loss in found}
        assert losses["event records"] == "without data"
        assert losses["maintenance records"] == "without technician"
        assert losses["certificates"] == "1 record is left out"
        assert losses["files"] == "1 record is left out"
        assert losses["links"] == "1 of other kinds than part is left out"
        assert losses["streams"] == "of each only the latest values are written"


def test_a_burned_one(twin: Invoke) -> None:
    assert twin("asset", "burn", "sack", "--yes").status == 0
    found = twin("asset", "export", "sack", "--format", "epcis", "--get", "document").json
    last = found["epcisBody"]["eventList"][-1]
    assert (last["action"], last["bizStep"]) == ("DELETE", "decommissioning")


def test_refusals(twin: Invoke, tmp_path: Path) -> None:
    for words, status in (
        (("beans",), 2),
        (("beans", "--format", "xml"), 2),
        (("nothing", "--format", "wot"), 4),
    ):
        assert twin("asset", "export", *words, "--json").status == status
    run = twin("asset", "export", "beans", "--json")
    assert run.error["message"] == "missing option '--format': one of wot, aas, epcis, dtdl, jsonld"
    path = tmp_path / "not.json"
    run = twin("asset", "export", "beans", "--format", "wot", "-o", str(path), "--dry-run")
    assert run.status == 0
    assert not path.exists()
