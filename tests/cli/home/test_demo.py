"""``twin demo``: the story holds, and every command it shows does what it says."""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Invoke
from twincli.crypto import derivation, mnemonic
from twincli.ledger import Ledger


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put temporary homes where the test can look for them."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_it_reads_well_and_leaves_nothing(
    invoke: Invoke, home: Path, temporary: Path, tmp_path: Path
) -> None:
    run = invoke("demo")
    assert (run.status, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert len(lines) < 110
    # A terminal breaks what is longer; 12 long words of a phrase and a hint are.
    assert all(len(line) <= 80 for line in lines if line.startswith("$ "))
    assert "twin: error: the key car cannot sign for car: its owner is alice" in run.stdout
    assert lines[lines.index("$ twin doctor --full --get ok") + 1] == "true"
    assert list(temporary.iterdir()) == []
    assert not home.exists()
    assert not (tmp_path / "user").exists()


def _session(text: str) -> list[tuple[str, str]]:
    """Return the commands that the text shows, each with what it shows of their output."""
    text = text.replace("\\\n", "")
    found = re.findall(r"^\$ (.+)\n((?:(?!\$ |#|\n).*\n)*)", text, re.MULTILINE)
    return [(command, _without_changes(printed)) for command, printed in found]


def _without_changes(text: str) -> str:
    """Return a text without what differs from one run to the next, and how it is broken."""
    text = re.sub(r"[\u2502 \n]+", " ", text)
    for pattern in (
        r"\d\d:\d\d:\d\d\.\d+Z",
        r"\d{4}-\d\d-\d\dT?",
        r"\b(z6Mk)?[1-9A-HJ-NP-Za-km-z]{43,44}\b",
    ):
        text = re.sub(pattern, "", text)
    return re.sub(r"(\b[0-9a-f]{10,64}\b ?)+", "", text).strip()


@pytest.mark.parametrize("tty", [False, True])
def test_it_shows_what_the_commands_print(tty: bool, invoke: Invoke) -> None:
    session = _session(re.sub("\x1b\\[[0-9;]*m", "", invoke("demo", tty=tty).stdout))
    assert len(session) == 14
    for command, shown in session:
        words = shlex.split(command)[1:]
        run = invoke(*words, "--color", "never", tty=True)
        assert run.status == (6 if "car" in words[-1:] else 0)
        if "mnemonic" not in words:
            # Both go to one terminal, notes first where there are some.
            assert _without_changes(run.stderr + run.stdout) == shown


def _steps(invoke: Invoke, *words: str) -> list[dict[str, Any]]:
    run = invoke("demo", "--json", *words)
    assert (run.status, run.stderr) == (0, "")
    document = run.json
    assert list(document) == ["schema", "home", "ledger", "steps", "verified"]
    assert document["schema"] == "twin.demo/1"
    assert document["verified"] == {"transactions": 6, "problems": []}
    assert all(set(step) == {"title", "command", "result"} for step in document["steps"])
    steps: list[dict[str, Any]] = document["steps"]
    return steps


def test_the_phrases_it_shows_give_the_keys(invoke: Invoke) -> None:
    keys = [step["result"] for step in _steps(invoke) if "mnemonic" in step["result"]]
    assert [key["name"] for key in keys] == ["alice", "car", "gps"]
    for key in keys:
        pair = derivation.tutorial(mnemonic.to_seed(key["mnemonic"]))
        assert pair.public_key == key["public_key"]


# What differs from one run to the next.
_CHANGING = {
    "id", "did", "ledger", "owners", "condition", "transaction_id", "at", "committed_at",
    "public_key", "entity", "parent", "signed_by", "created", "mnemonic", "dids", "outputs",
    "signers", "metadata", "asset_id",
}  # fmt: skip


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in value.items() if key not in _CHANGING}
    if isinstance(value, list):
        return [_lasting(item) for item in value]
    return value


def test_the_commands_it_shows_do_what_it_says(invoke: Invoke) -> None:
    for step in _steps(invoke):
        words = shlex.split(step["command"])
        assert words[0] == "twin"
        run = invoke(*words[1:], "--json")
        if "error" in step["result"]:
            assert run.status == 6
            assert run.error == step["result"]["error"]
        elif words[1] == "doctor":
            assert run.status == 0, run
        else:
            assert (run.status, run.stderr) == (0, "")
            assert _lasting(run.json) == _lasting(step["result"])


def test_kept_it_can_be_gone_on_with(invoke: Invoke, temporary: Path, home: Path) -> None:
    run = invoke("demo", "--keep")
    assert run.status == 0
    assert f"export TWIN_HOME={home}" in run.stdout
    assert "mnemonic" not in run.stdout, "these keys stay"
    assert list(temporary.iterdir()) == []
    assert invoke("asset", "append", "gps", "--mileage", "1400").status == 0
    with Ledger.open(home / "ledger", create=False) as ledger:
        assert ledger.counts() == {"transactions": 7, "assets": 3}


def test_without_a_home_of_ones_own_a_new_one_is_kept(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    monkeypatch.delenv("TWIN_HOME")
    run = invoke("demo", "--keep", "--json")
    (made,) = temporary.iterdir()
    assert run.json["home"] == str(made)
    assert made.stat().st_mode & 0o777 == 0o700
    assert all("mnemonic" not in step["result"] for step in run.json["steps"])


@pytest.mark.parametrize("used_by", ["key", "ledger"])
def test_it_keeps_out_of_a_home_in_use(invoke: Invoke, home: Path, used_by: str) -> None:
    if used_by == "key":
        invoke("keys", "new", "mine", "--no-passphrase")
    else:
        Ledger.open(home / "ledger").close()
    before = sorted(str(path) for path in home.rglob("*"))
    run = invoke("demo", "--keep", "--json")
    assert (run.status, run.stdout) == (5, "")
    assert run.error["code"] == "exists"
    assert sorted(str(path) for path in home.rglob("*")) == before


def test_a_dry_run_keeps_nothing(invoke: Invoke, home: Path, temporary: Path) -> None:
    assert invoke("demo", "--keep", "--dry-run").status == 0
    assert not home.exists()
    assert list(temporary.iterdir()) == []


def test_a_failure_leaves_nothing_either(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    from twincli.errors import ConfigError
    from twincli.services.keys import keys

    def fail(*_arguments: object, **_options: object) -> None:
        raise ConfigError("the disk is full", code="disk_full")

    monkeypatch.setattr(keys, "new", fail)
    assert invoke("demo").status == 9
    assert list(temporary.iterdir()) == []
