"""``twin`` with keys that live elsewhere: a chip (SoftHSM), the program of ``docs/``."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import twincli.crypto
import twincli.keystore.providers
from tests.conftest import Invoke
from tests.keystore import softhsm
from tests.keystore.softhsm import Chip
from twincli.crypto import base58, conditions, ed25519
from twincli.keystore.providers import external

Terminal = Callable[[str], Callable[[], str]]

DOCS = Path(__file__).parents[3] / "docs"
SIGNS = DOCS / "sign_command.py"


@pytest.fixture
def chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chip]:
    directory = tmp_path / "chip"
    directory.mkdir()
    with softhsm.opened(directory, monkeypatch) as made:
        yield made


@pytest.fixture
def gps(chip: Chip, invoke: Invoke) -> tuple[str, str]:
    """Make the key gps in a chip, return the options that give its PIN."""
    given = ("--passphrase-file", f"gps={chip.pin_file}")
    run = invoke("keys", "new", "gps", *chip.options, "--generate", *given, "--json")
    assert (run.status, run.stderr) == (0, "")
    return given


def test_a_device_with_its_key_in_a_chip(gps: tuple[str, str], invoke: Invoke, chip: Chip) -> None:
    key = invoke("keys", "show", "gps", "--json").json
    assert (key["provider"], key["passphrase"]) == ("pkcs11", True)
    assert key["settings"]["module"] == chip.module
    made = invoke("did", "new", "gps", "--key", "gps", *gps, "--json").json
    assert made["owners"] == [key["public_key"]]
    assert (made["entity"], made["entity_standing"]) == (key["public_key"], "proved")
    # A loop, as cron has it: each its own login, none asks anything.
    for number in range(5):
        run = invoke("asset", "append", "gps", "--km", str(number), *gps, "--json")
        assert (run.status, run.json["state"]) == (0, {"km": number})
    lines = "".join(json.dumps({"km": number}) + "\n" for number in range(5, 25))
    run = invoke("asset", "append", "gps", "--jsonl", "-", *gps, "--json", stdin=lines)
    assert (run.status, run.json["count"]) == (0, 20)
    history = invoke("history", "gps", "--json").json["transactions"]
    assert len(history) == 26
    assert invoke("doctor", "--full").status == 0


def test_what_the_chip_signed_holds_elsewhere(gps: tuple[str, str], invoke: Invoke) -> None:
    """The official verifier accepts a transaction that a chip and a file signed together."""
    from cryptoconditions import Fulfillment

    invoke("keys", "new", "alice", "--no-passphrase")
    run = invoke(
        "asset", "create", "car", "--owner", "all:gps,alice", "--key", "gps", *gps, "--json"
    )
    assert run.status == 0
    run = invoke("asset", "append", "car", "--km", "1", *gps, "--json")
    assert run.status == 0
    assert len(run.json["signed_by"]) == 2
    shown = invoke("tx", "show", run.json["transaction_id"], "--json").json
    before = invoke("tx", "show", shown["asset_id"], "--json").json
    (entry,) = shown["transaction"]["inputs"]
    fulfillment = Fulfillment.from_uri(entry["fulfillment"])
    assert fulfillment.condition_uri == before["transaction"]["outputs"][0]["condition"]["uri"]
    # That it fits the message is what `validate` asks libsodium; here it is asked of the driver.
    from twincli.model import transaction

    digest = transaction.input_digest(transaction.message(shown["transaction"]), entry["fulfills"])
    assert fulfillment.validate(message=digest)
    keys = conditions.parse(entry["fulfillment"]).keys()
    assert sorted(keys) == sorted(run.json["signed_by"])


@pytest.mark.usefixtures("gps")
def test_two_keys_of_one_chip_sign_together(chip: Chip, invoke: Invoke) -> None:
    invoke("keys", "new", "clock", *chip.options, "--generate", "--passphrase-file", chip.pin_file)
    both = ("--passphrase-file", chip.pin_file)
    run = invoke("asset", "create", "car", "--owner", "all:gps,clock", "--key", "gps", *both)
    assert run.status == 0
    run = invoke("asset", "append", "car", "--km", "1", *both, "--json")
    assert (run.status, len(run.json["signed_by"])) == (0, 2)


def test_a_wrong_pin_and_none(
    gps: tuple[str, str], invoke: Invoke, tmp_path: Path, home: Path
) -> None:
    invoke("asset", "create", "car", "--key", "gps", *gps)
    wrong = tmp_path / "wrong"
    wrong.write_text("9999\n")
    run = invoke("asset", "append", "car", "--a", "1", "--passphrase-file", str(wrong), "--json")
    assert (run.status, run.error["code"]) == (6, "bad_passphrase")
    assert "9999" not in run.stderr
    run = invoke("asset", "append", "car", "--a", "1", "--json")
    assert (run.status, run.error["code"]) == (6, "locked")
    assert "--passphrase-file" in run.error["hint"]
    assert len(invoke("history", "car", "--json").json["transactions"]) == 1
    for path in home.rglob("*"):
        if path.is_file():
            assert softhsm.PIN.encode() not in path.read_bytes()


def test_the_pin_may_be_typed(chip: Chip, invoke: Invoke, terminal: Terminal) -> None:
    shown = terminal(f"{softhsm.PIN}\n")
    assert invoke("keys", "new", "gps", *chip.options, "--generate").status == 0
    assert "Passphrase of key gps" in shown()
    assert softhsm.PIN not in shown()


def test_a_chip_that_is_in_a_drawer(
    gps: tuple[str, str], invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checks() -> dict[str, bool | None]:
        return {check["name"]: check["ok"] for check in invoke("doctor", "--json").json["checks"]}

    assert checks()["key gps"] is True
    path = Path(os.environ["TWIN_HOME"], "keys", "gps.json")
    path.write_text(path.read_text().replace('"car"', '"boat"'))
    assert checks()["key gps"] is None
    run = invoke("asset", "create", "car", "--key", "gps", *gps, "--json")
    assert (run.status, run.error["code"]) == (4, "no_token")
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    monkeypatch.delitem(sys.modules, "twincli.keystore.providers.pkcs11")
    monkeypatch.delattr(twincli.keystore.providers, "pkcs11")
    assert checks()["key gps"] is None


def test_without_the_extra(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    monkeypatch.delitem(sys.modules, "twincli.keystore.providers.pkcs11", raising=False)
    monkeypatch.delattr(twincli.keystore.providers, "pkcs11", raising=False)
    run = invoke("keys", "new", "gps", "--provider", "pkcs11", "--module", "/m.so", "--json")
    assert (run.status, run.error["code"]) == (9, "missing_extra")
    assert run.error["hint"] == 'pip install "twincli[pkcs11]"'


def test_a_fault_in_the_extra_is_not_called_its_absence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "twincli.crypto.base58", None)
    monkeypatch.delattr(twincli.crypto, "base58")
    monkeypatch.delitem(sys.modules, "twincli.keystore.providers.pkcs11", raising=False)
    monkeypatch.delattr(twincli.keystore.providers, "pkcs11", raising=False)
    with pytest.raises(ImportError, match="base58"):
        external.pkcs11()


# --- the program of docs/ -----------------------------------------------------------------------


def test_the_program_of_the_documentation(invoke: Invoke, tmp_path: Path, home: Path) -> None:
    seed = tmp_path / "seed"
    line = shlex.join([sys.executable, str(SIGNS), str(seed)])
    run = invoke("keys", "new", "gps", "--provider", "command", "--command", line, "--json")
    assert run.status == 0
    assert run.json["settings"] == {
        "command": [sys.executable, str(SIGNS), str(seed)],
        "timeout": 60.0,
    }
    assert seed.stat().st_mode & 0o777 == 0o600
    public = base58.decode_key(run.json["public_key"])
    pair = ed25519.KeyPair.from_seed(seed.read_bytes())
    assert pair.public_bytes == public
    assert invoke("did", "new", "gps", "--key", "gps").status == 0
    run = invoke("asset", "append", "gps", "--lat", "52.5", "--json")
    assert (run.status, run.json["state"]) == (0, {"lat": 52.5})
    assert run.json["signed_by"] == [pair.public_key]
    secret = pair.private_key
    for path in home.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes()
            assert pair.seed not in path.read_bytes()
    assert invoke("doctor", "--json").json["ok"]
    # Another key behind the same program.
    seed.unlink()
    run = invoke("asset", "append", "gps", "--lat", "52.6", "--json")
    assert (run.status, run.error["code"]) == (6, "declined")
    assert "the key here is" in run.error["message"]
    assert len(invoke("history", "gps", "--json").json["transactions"]) == 2


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ({"version": 2, "op": "public_key"}, "version 1"),
        ({"version": 1, "op": "dance"}, "no operation"),
    ],
)
def test_the_program_says_what_it_does_not_understand(
    request_: dict[str, object], answer: str, tmp_path: Path
) -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, str(SIGNS), str(tmp_path / "seed")],
        input=json.dumps(request_) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer in json.loads(done.stdout)["error"]


def test_the_protocols_page_names_what_there_is() -> None:
    from twincli.keystore.providers import command

    page = (DOCS / "sign-command.md").read_text()
    source = Path(command.__file__).read_text()
    for code in ("no_program", "program_failed", "bad_answer", "declined", "timeout"):
        assert f"`{code}`" in page
        assert f'code="{code}"' in source
    assert f"{command._LONGEST:,} bytes" in page
    assert f"{command.TIMEOUT:.0f} seconds" in page


# --- the command line ---------------------------------------------------------------------------


def test_list_shows_where_keys_are(invoke: Invoke, tmp_path: Path) -> None:
    line = shlex.join([sys.executable, str(SIGNS), str(tmp_path / "seed")])
    invoke("keys", "new", "gps", "--provider", "command", "--command", line)
    invoke("keys", "new", "alice", "--no-passphrase")
    rows = [row.split("\t") for row in invoke("keys", "list").stdout.splitlines()]
    place = rows[0].index("provider")
    assert [(row[0], row[place]) for row in rows[1:]] == [("alice", "file"), ("gps", "command")]
    listed = invoke("keys", "list", "--json").json["keys"]
    assert ["settings" in key for key in listed] == [False, True]


def test_the_timeout_is_kept(invoke: Invoke, tmp_path: Path) -> None:
    line = shlex.join([sys.executable, str(SIGNS), str(tmp_path / "seed")])
    new = ("keys", "new", "gps", "--provider", "command", "--command", line)
    run = invoke(*new, "--timeout", "90", "--json")
    assert run.json["settings"]["timeout"] == 90.0
    # TWIN_TIMEOUT is about nodes.
    planned = invoke("keys", "new", "b", *new[3:], "--dry-run", "--json")
    assert planned.json["settings"]["timeout"] == 60.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--provider pkcs11", "needs --module"),
        ("--provider command", "needs --command"),
        ("--provider command --command ''", "needs --command"),
        ("--provider pkcs11 --module m --mnemonic", "--mnemonic is for --provider file"),
        ("--provider pkcs11 --module m --words 12", "--words is for --provider file"),
        ("--provider pkcs11 --module m --path m/1h", "--path is for --provider file"),
        ("--provider pkcs11 --module m --mnemonic-out f", "--mnemonic-out is for"),
        ("--provider command --command ls --no-passphrase", "--no-passphrase is for"),
        ("--provider command --command ls --module m", "--module is for --provider pkcs11"),
        ("--provider pkcs11 --module m --command ls", "--command is for --provider command"),
        ("--module m", "--module is for --provider pkcs11, not file"),
        ("--generate", "--generate is for --provider pkcs11"),
        ("--token t", "--token is for"),
        ("--label t", "--label is for"),
        ("--id 01", "--id is for"),
        ("--command ls", "--command is for"),
        ("--provider tpm", "tpm"),
        ("--provider pkcs11 --module m --id 0g", "hex"),
        ('--provider command --command "\'open"', "split"),
    ],
)
def test_what_does_not_fit(words: str, said: str, invoke: Invoke, home: Path) -> None:
    run = invoke("keys", "new", "gps", *shlex.split(words), "--json")
    assert (run.status, run.error["code"], run.stdout) == (2, "usage", "")
    assert said in run.error["message"]
    assert not home.exists()
