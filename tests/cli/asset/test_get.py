"""``--get`` of a command that writes, lost output, and numbers out of bounds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Invoke


@pytest.fixture
def garage(invoke: Invoke) -> Invoke:
    assert invoke("keys", "new", "alice", "--no-passphrase").status == 0
    assert invoke("asset", "create", "car", "--wheels", "4").status == 0
    return invoke


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("asset append car --km 1", "nope"),
        ("asset append car --km 1", "id.x"),
        ("asset append car --km 1", "owners.alice"),
        ("asset append car --km 1", "created"),
        ("asset append car --km 1 --prepare out.tx", "nope"),
        ("asset append car --km 1", "file"),
        ("asset create boat", "asset_id"),
        ("did new bob", "public_key"),
        ("asset transfer car --to alice", "x.y"),
        ("asset burn car --yes", "nope"),
        ("config set key alice", "nope"),
    ],
)
def test_a_path_that_cannot_exist_is_refused_before_anything_is_done(
    words: str, path: str, garage: Invoke
) -> None:
    before = garage("ledger", "info", "--get", "transactions").stdout
    run = garage(*words.split(), "--get", path)
    assert (run.status, run.stdout) == (2, "")
    assert f"--get {path}" in run.stderr
    assert garage("ledger", "info", "--get", "transactions").stdout == before


@pytest.mark.parametrize("path", ["state.nope", "owners.7", "written.x"])
def test_a_path_that_happens_to_be_absent_says_what_was_recorded(path: str, garage: Invoke) -> None:
    run = garage("asset", "append", "car", "--km", "1", "--get", path)
    assert (run.status, run.stdout) == (4, "")
    tx_id = garage("asset", "show", "car", "--get", "transaction_id").stdout.strip()
    assert f"recorded as {tx_id}, but --get {path}" in run.stderr
    dry = garage("asset", "append", "car", "--km", "1", "--get", path, "--dry-run")
    assert "recorded" not in dry.stderr


def test_what_cannot_be_printed_was_recorded_all_the_same(garage: Invoke, home: Path) -> None:
    command = [sys.executable, "-m", "twincli", "asset", "append", "car", "--km", "1", "--json"]
    with open("/dev/full", "wb") as full:
        run = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={"TWIN_HOME": str(home)},
            check=False,
        )
    tx_id = garage("asset", "show", "car", "--get", "transaction_id").stdout.strip()
    assert run.returncode == 1
    assert f"recorded as {tx_id}, but the output cannot be written" in run.stderr


@pytest.mark.parametrize("number", ["9223372036854775808", "-9223372036854775809", "9" * 5000])
@pytest.mark.parametrize("words", ["history car --limit", "search car --limit"])
def test_numbers_are_bounded(words: str, number: str, garage: Invoke) -> None:
    run = garage(*words.split(), number)
    assert (run.status, run.stdout) == (2, "")
