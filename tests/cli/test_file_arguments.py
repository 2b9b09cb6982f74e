"""Files that commands are given: one reader, and one answer to each thing that can be wrong."""

from __future__ import annotations

import codecs
import json
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import Invoke
from twincli.cli.main import main

READING = (
    "tx show {}",
    "tx sign {}",
    "tx combine {} {}",
    "tx submit {}",
    "tx validate {}",
    "name import {}",
    "keys sign alice {}",
    "keys verify {} {}",
    "keys import bob {} --no-passphrase",
    "keys recover bob {} --no-passphrase",
    "backup restore {}",
    "asset create car --data @{}",
    "asset create car --state @{}",
)
WRITING = (
    "keys sign alice file -o {}",
    "keys export alice -o {}",
    "keys export alice --secret -o {}",
    "keys new bob --mnemonic --no-passphrase --mnemonic-out {}",
    "name export -o {}",
    "backup create -o {}",
    "asset create car --prepare {}",
)


@pytest.fixture
def here(
    home: Path,  # noqa: ARG001 - where the key is
    invoke: Invoke,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Work in an empty directory, with the key ``alice``."""
    directory = tmp_path / "work"
    directory.mkdir()
    monkeypatch.chdir(directory)
    (directory / "file").write_text("signed")
    assert invoke("keys", "new", "alice", "--no-passphrase").status == 0
    return directory


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("words", READING)
def test_what_cannot_be_read(invoke: Invoke, words: str) -> None:
    directory = invoke(*words.format("./", "./").split(), "--json")
    assert (directory.status, directory.error["code"]) == (9, "cannot_read")
    missing = invoke(*words.format("./none", "./none").split(), "--json")
    assert (missing.status, missing.error["code"]) == (4, "no_file")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("words", WRITING)
def test_what_cannot_be_written(invoke: Invoke, words: str) -> None:
    nowhere = invoke(*words.format("none/out").split(), "--json")
    assert (nowhere.status, nowhere.error["code"]) == (9, "cannot_write")
    taken = invoke(*words.format("file").split(), "--json")
    assert (taken.status, taken.error["code"]) == (5, "exists")
    assert taken.error["message"].endswith("file exists and is not overwritten")
    assert Path("file").read_text() == "signed"
    assert os.listdir() == ["file"]


def test_a_byte_order_mark_is_passed_over(invoke: Invoke, here: Path) -> None:
    """As RFC 8259 allows; editors on Windows write one."""
    (here / "d.json").write_text('{"a": 1}', encoding="utf-8-sig")
    made = invoke("asset", "create", "car", "--data", "@d.json", "--json")
    assert made.json["data"]["a"] == 1
    marked = codecs.BOM_UTF8 + b'{"b": 2}'
    assert invoke("asset", "append", "car", "--data", "-", stdin=marked).status == 0
    assert invoke("asset", "append", "car", "--jsonl", "-", stdin=marked).status == 0
    names = codecs.BOM_UTF8 + invoke("name", "export").stdout.encode()
    assert invoke("name", "import", "-", "--json", stdin=names).json["unchanged"] == 1
    tx = invoke("tx", "show", made.json["id"], "--json").json["transaction"]
    (here / "tx.json").write_text(json.dumps(tx), encoding="utf-8-sig")
    assert invoke("tx", "show", "tx.json", "--json").json["id"] == made.json["id"]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("words", ["tx show -", "keys import bob -", "name import -"])
def test_a_closed_stdin_is_empty(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], words: str
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main([*words.split(), "--json"]) == 7
    assert "error" in json.loads(capfd.readouterr().err)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file whose reading fails")
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "words", ["tx show {}", "keys sign alice {}", "keys import bob {}", "name import {}"]
)
def test_a_file_that_fails_while_it_is_read(invoke: Invoke, words: str) -> None:
    run = invoke(*words.format("/proc/self/mem").split(), "--json")
    assert (run.status, run.error["code"]) == (9, "cannot_read")


def test_settings_from_an_editor_that_writes_a_byte_order_mark(
    invoke: Invoke, home: Path, here: Path
) -> None:
    (home / "config.json").write_text('{"color": "never"}', encoding="utf-8-sig")
    assert invoke("config", "get", "color", "--json").json["value"] == "never"
    assert invoke("backup", "create", "-o", str(here / "backup")).status == 0
    copy = str(here / "copy")
    assert invoke("backup", "restore", str(here / "backup"), "--home", copy).status == 0
    assert invoke("config", "get", "color", "--home", copy, "--json").json["value"] == "never"
    assert invoke("config", "set", "key", "alice").status == 0
    assert (home / "config.json").read_bytes().startswith(b"{")
