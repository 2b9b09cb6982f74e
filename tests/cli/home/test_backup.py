"""``twin backup``: the whole home in one file, and back, through the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.stories import garage, quietly
from tests.conftest import Invoke

Process = subprocess.Popen[bytes]


def test_a_home_goes_into_a_file_and_comes_back(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    twin = quietly(invoke)
    twin("config", "set", "key", "alice")
    (home.parent / "plan.pdf").write_bytes(bytes(range(256)) * 5000)
    twin("file", "attach", "car", str(home.parent / "plan.pdf"))
    before = [twin(*words.split()) for words in ("asset show car", "history car", "name list")]
    file = home.parent / "home.tar"
    made = invoke("backup", "create", "-o", str(file))
    assert made.status == 0
    assert "keys 2, names 2, transactions 8" in made.stderr
    assert "warning: the backup holds the secret of alice, bob" in made.stderr
    assert dict(row.split("\t") for row in made.stdout.splitlines())["transactions"] == "8"
    again = invoke("backup", "create", "-o", str(file), "--json")
    assert (again.status, again.error["code"]) == (5, "exists")
    here = invoke("backup", "restore", str(file), "--json")
    assert (here.status, here.error["code"]) == (5, "exists")
    assert "--home" in str(here.error["hint"])
    checked = twin("backup", "restore", str(file), "--dry-run")
    assert checked["restored"] is False

    os.rename(home, home.parent / "away")
    back = invoke("backup", "restore", str(file), "--quiet", "--json")
    assert (back.status, back.stderr) == (0, "")
    after = [twin(*words.split()) for words in ("asset show car", "history car", "name list")]
    assert after == before
    assert [item["status"] for item in twin("file", "check")["files"]] == ["ok"]
    assert twin("doctor", "--full")["ok"]
    assert len(twin("ledger", "info")["former_keys"]) == 1
    assert twin("asset", "append", "car", "--mileage", "1300")["state"]["mileage"] == 1300
    assert invoke("search", "red", "--get", "hits.0.name").stdout == "car\n"


def started(home: Path, *words: str, stdin: int | None = None, stdout: int) -> Process:
    return subprocess.Popen(
        [sys.executable, "-m", "twincli", *words],
        env={**os.environ, "TWIN_HOME": str(home)},
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def test_through_a_pipe(invoke: Invoke, home: Path, tmp_path: Path) -> None:
    garage(invoke)
    made = started(home, "backup", "create", "-o", "-", stdout=subprocess.PIPE)
    assert made.stdout is not None
    back = started(
        tmp_path / "new",
        *("backup", "restore", "-"),
        stdin=made.stdout.fileno(),
        stdout=subprocess.DEVNULL,
    )
    made.stdout.close()
    said = [process.communicate()[1] for process in (made, back)]
    assert (made.returncode, back.returncode) == (0, 0), said
    assert b"the secret of" in said[0]
    assert (tmp_path / "new" / "ledger" / "ledger.key").exists()
    assert not list(home.glob(".new-*"))


def test_stdout_gets_the_backup_and_nothing_else(
    invoke: Invoke, home: Path, tmp_path: Path
) -> None:
    quietly(invoke)("keys", "new", "alice", "--no-passphrase")
    made = invoke("backup", "create", "-o", "-")
    assert made.stdout.startswith("manifest.json\0")
    assert len(made.stdout) % 512 == 0
    back = invoke("backup", "restore", "-", "--home", str(tmp_path / "new"), stdin=made.stdout)
    assert back.status == 0, back.stderr
    name = "keys/alice.json"
    assert (tmp_path / "new" / name).read_bytes() == (home / name).read_bytes()


def test_a_reader_that_goes_away_has_no_backup(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    reading, writing = os.pipe()
    os.close(reading)
    made = started(home, "backup", "create", "-o", "-", stdout=writing)
    os.close(writing)
    said = made.communicate()[1]
    assert (made.returncode, said.count(b"\n")) == (1, 1)
    assert b"closed the pipe before" in said
    assert not list(home.glob(".new-*"))


def test_a_full_disk_behind_stdout(invoke: Invoke, home: Path) -> None:
    garage(invoke)
    with open("/dev/full", "wb") as full:
        made = started(home, "backup", "create", "-o", "-", stdout=full.fileno())
    said = made.communicate()[1]
    assert (made.returncode, said.count(b"\n")) == (1, 1)
    assert b"no space left" in said


@pytest.mark.parametrize("more", [["--json"], ["--jsonl"], ["--get", "size"]])
def test_stdout_takes_the_backup_or_the_document(invoke: Invoke, more: list[str]) -> None:
    garage(invoke)
    made = invoke("backup", "create", "-o", "-", *more)
    assert (made.status, made.stdout) == (2, "")


def test_usage_and_what_is_not_there(invoke: Invoke, home: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "x.tar")
    assert invoke("backup", "create").status == 4
    missing = invoke("backup", "create", "-o", out, "--json")
    assert (missing.status, missing.error["code"]) == (4, "no_home")
    assert not os.path.exists(out)
    absent = invoke("backup", "restore", out, "--json")
    assert (absent.status, absent.error["code"]) == (4, "no_file")
    (tmp_path / "letter").write_text("Dear diary\n" * 100)
    foreign = invoke("backup", "restore", str(tmp_path / "letter"), "--json")
    assert (foreign.status, foreign.error["code"]) == (7, "not_a_backup")
    assert not home.exists()
    garage(invoke)
    planned = invoke("backup", "create", "-o", out, "--dry-run")
    assert planned.status == 0
    assert "would write" in planned.stderr
    assert not os.path.exists(out)


def test_a_backup_has_a_default_name(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    garage(invoke)
    monkeypatch.chdir(tmp_path)
    made = invoke("backup", "create", "--json")
    assert made.status == 0
    assert re.fullmatch(r"twin-backup-\d{8}T\d{6}Z\.tar", made.json["file"])
    assert (tmp_path / made.json["file"]).is_file()


def test_the_default_home_with_its_settings_elsewhere(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TWIN_HOME")
    twin = quietly(invoke)
    twin("keys", "new", "alice", "--no-passphrase")
    twin("config", "set", "key", "alice")
    places = twin("config", "path")
    assert os.path.dirname(places["settings"]) != places["home"]
    out = str(tmp_path / "x.tar")
    twin("backup", "create", "-o", out)
    monkeypatch.setenv("HOME", str(tmp_path / "newcomer"))
    done = twin("backup", "restore", out)
    assert done["home"] != places["home"]
    assert twin("config", "get", "key")["value"] == "alice"
    assert not os.path.exists(os.path.join(done["home"], "config.json"))
    monkeypatch.setenv("TWIN_HOME", str(tmp_path / "one"))
    twin("backup", "restore", out)
    assert twin("config", "get", "key")["source"] == str(tmp_path / "one" / "config.json")
