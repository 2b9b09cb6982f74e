"""``twin bundle passport``: what a twin shows to whom, and a code that leads to it."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Invoke
from twincli.services.bundle import passport as service

SECRET = "do not puncture"
FACTS = (
    *("--serialNumber", "2027/0042", "--str", "gtin=9506000134352", "--chemistry", "LFP"),
    *("--safetyMeasures", SECRET, "--testReports", '["bafy-report"]', "--cycles", "12"),
    *("--set", 'manufacturer={"name":"<b>Acme</b>"}', "--set", 'voltage={"nominal":3.2}'),
)


@pytest.fixture
def battery(invoke: Invoke) -> str:
    assert invoke("keys", "new", "acme", "--no-passphrase").status == 0
    create = ("asset", "create", "bat", "--owner", "acme", "--template", "battery-passport-v1")
    assert invoke(*create, *FACTS).status == 0
    return str(invoke("asset", "show", "bat", "--get", "id").stdout.strip())


def values(document: Any) -> dict[str, Any]:
    return {field["path"]: field["value"] for field in document["fields"]}


def test_a_passport_shows_what_is_public(invoke: Invoke, battery: str) -> None:
    document = invoke("bundle", "passport", "bat", "--json").json
    found = values(document)
    assert found["chemistry"] == "LFP"
    assert found["manufacturer.name"] == "<b>Acme</b>"
    assert found["voltage.nominal"] == 3.2
    withheld = {field["path"] for field in document["fields"] if field["withheld"]}
    assert withheld == {"safetyMeasures", "testReports", "cycles"}
    assert {found[path] for path in withheld} == {None}
    info = invoke("ledger", "info", "--json").json
    assert document["checkpoint"] == {"size": info["tree_size"], "root": info["root"]}
    assert document["code"] == (
        f"https://id.gs1.org/01/09506000134352/21/2027%2F0042?twin=did:bdb:{info['id'][:16]}:"
        f"{battery}&size=1&root={info['root']}"
    )
    some = invoke("bundle", "passport", "bat", "--access", "legitimate_interest", "--json").json
    assert values(some)["safetyMeasures"] == SECRET
    assert values(some)["testReports"] is None
    every = invoke("bundle", "passport", "bat", "--access", "authorities", "--json").json
    assert values(every)["testReports"] == ["bafy-report"]
    assert not any(field["withheld"] for field in every["fields"])


def test_a_part_of_a_list_may_be_for_some_only() -> None:
    from twincli.model.template import read

    inner = {"name": "name", "type": "text"}
    hidden = {"name": "price", "type": "text", "access": "authorities"}
    form = read(
        {
            "id": "thing-v1",
            "name": "Thing",
            "assetType": "thing",
            "identifiers": {"primary": "assetId"},
            "facts": [
                {
                    "name": "all",
                    "type": "list",
                    "items": {"type": "object", "fields": [inner, hidden]},
                },
                {
                    "name": "one",
                    "type": "object",
                    "additionalFields": True,
                    "fields": [inner, hidden],
                },
            ],
        }
    )
    one = {"name": "a", "price": "5", "more": {"x": 1}}
    shown: Any = {"data": {"all": [one], "one": one, "free": True}, "state": {}}
    lines = {line.path: line.access for line in service._lines(form, shown)}
    assert lines == {
        "all": "authorities",
        "one.name": "public",
        "one.price": "authorities",
        "one.more.x": "public",
        "free": "public",
    }


def test_the_code_is_drawn(invoke: Invoke, battery: str, tmp_path: Path) -> None:
    svg, png, page = (tmp_path / f"bat.{kind}" for kind in ("svg", "png", "html"))
    for file in (svg, png, page):
        run = invoke("bundle", "passport", "bat", "-o", str(file))
        assert (run.status, run.stdout) == (0, "")
    assert svg.read_text().startswith("<svg")
    assert png.read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    assert "&lt;b&gt;Acme" in text
    assert "<b>Acme" not in text
    assert SECRET not in text
    assert "<script" not in text
    assert '<svg viewBox="0 0 ' in text  # scaled whole: a code that is cut cannot be scanned
    assert battery in text
    drawn = invoke("bundle", "passport", "bat", tty=True).stdout
    assert "█▄▄▄▄▄" in drawn or "▄▄▄▄▄ █" in drawn
    assert "withheld" in drawn
    assert SECRET not in drawn
    document = invoke("bundle", "passport", "bat", "--json").json
    rows = service.lines(document)
    assert len({len(row) for row in rows}) == 1
    assert len(rows) * 2 - len(rows[0]) in {0, 1}


def test_a_narrow_terminal_gets_no_torn_code(
    invoke: Invoke, battery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    drawn = invoke("bundle", "passport", "bat", tty=True).stdout
    assert "█" not in drawn
    assert "columns" in drawn
    assert battery in drawn.replace("\n", "").replace(" ", "")


def test_without_a_gtin_the_code_is_the_did(invoke: Invoke) -> None:
    assert invoke("keys", "new", "alice", "--no-passphrase").status == 0
    assert invoke("asset", "create", "car", "--owner", "alice", "--serial", "ä").status == 0
    document = invoke("bundle", "passport", "car", "--json").json
    assert document["code"].startswith(f"{document['did']}?size=1&root=")
    assert document["template"] is None
    assert values(document) == {"serial": "ä"}
    for gtin, serial, word in (
        ("9506000134353", "5", "check digit"),
        ("9506000134352", "ä", "GS1"),
    ):
        facts = ("--str", f"gtin={gtin}", "--str", f"serialNumber={serial}")
        name = f"x{gtin}"
        assert invoke("asset", "create", name, "--owner", "alice", *facts).status == 0
        run = invoke("bundle", "passport", name)
        assert word in run.stderr
        assert "/21/" not in run.stdout
    used = invoke("bundle", "passport", "x9506000134352", "--resolver", "https://id.example.com/d/")
    assert "https://id.example.com/d/01/09506000134352?twin=did:bdb:" in used.stdout


@pytest.mark.usefixtures("battery")
def test_bad_input_is_refused(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passport = ("bundle", "passport", "bat")
    assert invoke(*passport, "-o", "bat.pdf").status == 2
    assert invoke(*passport, "--resolver", "id.gs1.org").status == 2
    assert invoke(*passport, "--access", "all").status == 2
    assert invoke("bundle", "passport", "boat").status == 4
    taken = tmp_path / "bat.svg"
    taken.write_text("mine")
    assert invoke(*passport, "-o", str(taken)).status == 5
    assert taken.read_text() == "mine"
    dry = tmp_path / "dry.svg"
    assert invoke(*passport, "-o", str(dry), "--dry-run").status == 0
    assert not dry.exists()
    real = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name == "segno":
            raise ImportError
        return real(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    run = invoke(*passport, "-o", str(tmp_path / "no.svg"), "--json")
    assert (run.status, json.loads(run.stderr)["error"]["code"]) == (9, "missing_extra")
