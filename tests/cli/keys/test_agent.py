"""``twin agent``: started once, every command signs without a passphrase until it is over."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stories import quietly
from tests.conftest import Invoke
from tests.keystore.agents import faking, is_alive, listening, wait_for
from twincli.crypto import sealing
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import UnreachableError
from twincli.keystore import agent
from twincli.keystore.keyfile import KeyInfo
from twincli.keystore.store import KeyStore

FIELDS = [
    "schema",
    "running",
    "pid",
    "socket",
    "started_at",
    "keys",
    "hardening",
    "warnings",
]


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "DEFAULT_COST", sealing.Cost(1, 8192))


@pytest.fixture(autouse=True)
def _ended(home: Path) -> Iterator[None]:
    """Have no agent outlive its test."""
    yield
    with contextlib.suppress(UnreachableError):
        found = agent.status(str(home / "keys"))
        if found is not None:
            agent.ask(str(home / "keys"), "stop")
            wait_for(lambda: not is_alive(found["pid"]))


@pytest.fixture
def secret(tmp_path: Path) -> Callable[[str], tuple[str, str]]:
    """Return what makes the options of a passphrase."""

    def options(text: str) -> tuple[str, str]:
        path = tmp_path / f"{text}.passphrase"
        path.write_text(text)
        return "--passphrase-file", str(path)

    return options


Secret = Callable[[str], tuple[str, str]]


@pytest.fixture
def keys(invoke: Invoke, secret: Secret) -> None:
    """Alice and Bob with one passphrase, Carol with another, Dave with none; Alice's car."""
    twin = quietly(invoke)
    twin("keys", "new", "alice", *secret("shared"))
    twin("keys", "new", "bob", *secret("shared"))
    twin("keys", "new", "carol", *secret("carols"))
    twin("keys", "new", "dave", "--no-passphrase")
    twin("asset", "create", "car", "--owner", "alice", *secret("shared"))


def names(document: dict[str, Any]) -> list[str]:
    return sorted(key["name"] for key in document["keys"])


def test_without_a_home(invoke: Invoke) -> None:
    for verb in ("start", "status", "lock", "stop"):
        run = invoke("agent", verb, "--json")
        assert (run.status, run.error["code"]) == (4, "no_home")


def test_before_it_is_started(invoke: Invoke, home: Path) -> None:
    home.mkdir()
    for verb in ("status", "lock", "stop"):
        run = invoke("agent", verb, "--json")
        assert (run.status, run.stderr) == (0, "")
        assert list(run.json) == FIELDS
        assert run.json == {
            "schema": "twin.agent/1",
            "running": False,
            "pid": None,
            "socket": str(home / "keys" / "agent.sock"),
            "started_at": None,
            "keys": [],
            "hardening": None,
            "warnings": [],
        }
    assert invoke("agent", "status", "--get", "running").stdout == "false\n"


@pytest.mark.usefixtures("keys")
def test_the_whole_life(invoke: Invoke, secret: Secret) -> None:
    twin = quietly(invoke)
    assert invoke("asset", "append", "car", "--km", "1").status == 6
    started = twin("agent", "start", "--ttl", "30m", *secret("shared"))
    assert list(started) == FIELDS
    assert started["running"] is True
    assert names(started) == ["alice", "bob"]
    assert list(started["hardening"]) == ["core_dumps_off", "not_dumpable", "memory_locked"]
    assert "not unlocked: the passphrase of the key carol is wrong" in started["warnings"]
    assert started["keys"][0]["expires_at"] > started["started_at"]
    for kilometres in ("1", "2"):
        run = invoke("asset", "append", "car", "--km", kilometres, "--json")
        assert (run.status, run.stderr) == (0, "")
    status = twin("agent", "status")
    assert {**status, "warnings": started["warnings"]} == started
    rows = dict(line.split("\t") for line in invoke("agent", "status").stdout.splitlines())
    assert rows["running"] == "yes"
    assert rows["pid"] == str(started["pid"])
    assert rows["keys"].startswith("alice until 20")
    assert twin("status")["agent"] == {"running": True, "keys": ["alice", "bob"], "problem": None}

    assert names(twin("agent", "lock", "--dry-run")) == ["alice", "bob"]
    locked = twin("agent", "lock")
    assert (locked["running"], locked["keys"], locked["pid"]) == (True, [], started["pid"])
    run = invoke("asset", "append", "car", "--km", "3", "--json")
    assert (run.status, run.error["code"]) == (6, "locked")
    assert twin("asset", "append", "car", "--km", "3", *secret("shared"))["state"] == {"km": 3}

    again = twin("agent", "start", "--key", "carol", *secret("carols"))
    assert (again["pid"], names(again)) == (started["pid"], ["carol"])
    assert names(twin("agent", "start", "--key", "alice", *secret("shared"))) == ["alice", "carol"]

    assert twin("agent", "stop", "--dry-run")["running"] is True
    assert twin("agent", "stop")["running"] is False
    assert twin("agent", "stop")["running"] is False
    wait_for(lambda: not is_alive(started["pid"]))
    assert invoke("asset", "append", "car", "--km", "4").status == 6


@pytest.mark.usefixtures("keys")
def test_the_limit_is_renewed(invoke: Invoke, secret: Secret) -> None:
    twin = quietly(invoke)
    first = twin("agent", "start", "--ttl", "10m", "--key", "alice", *secret("shared"))
    second = twin("agent", "start", "--ttl", "2h", "--key", "alice", *secret("shared"))
    assert second["pid"] == first["pid"]
    assert second["keys"][0]["expires_at"] > first["keys"][0]["expires_at"]


@pytest.mark.usefixtures("keys")
def test_a_key_without_passphrase_may_be_named(invoke: Invoke) -> None:
    assert names(quietly(invoke)("agent", "start", "--key", "dave")) == ["dave"]


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("--key", "nobody"), 4, "not_found"),
        (("--ttl", "soon"), 2, "bad_time"),
        (("--ttl", "0"), 2, "bad_time"),
        (("--ttl", "-5"), 2, "bad_time"),
        (("--ttl", "366d"), 2, "usage"),
        ((), 6, "locked"),
        (("--key", "alice"), 6, "locked"),
    ],
)
def test_nothing_is_started(invoke: Invoke, words: tuple[str, ...], status: int, code: str) -> None:
    run = invoke("agent", "start", *words, "--json")
    assert (run.status, run.error["code"]) == (status, code)
    assert quietly(invoke)("agent", "status")["running"] is False


@pytest.mark.usefixtures("keys")
def test_a_wrong_passphrase_starts_nothing(invoke: Invoke, secret: Secret) -> None:
    for words in ((), ("--key", "alice", "--key", "carol")):
        run = invoke("agent", "start", *words, *secret("wrong"), "--json")
        assert (run.status, run.error["code"]) == (6, "bad_passphrase")
        assert "wrong" not in run.stderr.replace("is wrong", "").replace("wrong.passphrase", "")
    # One of two named keys opens: all or none.
    assert invoke("agent", "start", "--key", "alice", "--key", "carol", *secret("shared")).status
    assert quietly(invoke)("agent", "status")["running"] is False


@pytest.mark.usefixtures("keys")
def test_a_dry_run_unlocks_and_starts_nothing(invoke: Invoke) -> None:
    assert quietly(invoke)("agent", "start", "--dry-run")["running"] is False
    assert invoke("agent", "start", "--dry-run", "--key", "nobody").status == 4


def test_where_no_key_has_a_passphrase(invoke: Invoke) -> None:
    quietly(invoke)("keys", "new", "dave", "--no-passphrase")
    run = invoke("agent", "start", "--json")
    assert (run.status, run.error["code"]) == (4, "not_found")


@pytest.mark.usefixtures("keys")
def test_a_key_that_lives_elsewhere(invoke: Invoke, home: Path, secret: Secret) -> None:
    gps = KeyPair.from_seed(b"g" * 32)
    KeyStore(str(home / "keys")).create_external(
        KeyInfo(
            "gps",
            gps.public_key,
            "2024-01-20T09:00:00Z",
            passphrase=True,
            rule="external",
            path=None,
            has_mnemonic=False,
            provider="pkcs11",
            settings={},
        )
    )
    run = invoke("agent", "start", "--key", "gps", *secret("shared"), "--json")
    assert (run.status, run.error["code"]) == (2, "not_supported")
    assert "pkcs11" in run.error["message"]
    assert names(quietly(invoke)("agent", "start", *secret("shared"))) == ["alice", "bob"]


@pytest.mark.usefixtures("keys")
def test_the_passphrase_is_asked_for_before_it_starts(
    invoke: Invoke, terminal: Callable[[str], Callable[[], str]]
) -> None:
    shown = terminal("shared\n")
    run = invoke("agent", "start", "--key", "alice", "--json")
    assert (run.status, names(run.json)) == (0, ["alice"])
    assert shown().split() == ["Passphrase", "of", "key", "alice:"]


@pytest.mark.usefixtures("keys")
def test_after_a_kill_the_passphrase_counts_again(invoke: Invoke, secret: Secret) -> None:
    twin = quietly(invoke)
    pid = twin("agent", "start", *secret("shared"))["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(pid))
    assert twin("agent", "status")["running"] is False
    assert invoke("asset", "append", "car", "--km", "1").status == 6
    twin("asset", "append", "car", "--km", "1", *secret("shared"))
    assert twin("agent", "start", *secret("shared"))["pid"] != pid
    twin("asset", "append", "car", "--km", "2")


@pytest.mark.usefixtures("keys")
def test_who_signs(invoke: Invoke, secret: Secret) -> None:
    """The agent's keys go before one without passphrase, and that before the others."""
    twin = quietly(invoke)
    of = {key["name"]: key["public_key"] for key in twin("keys", "list")["keys"]}
    for asset, owner in (("any", "any:carol,dave,alice"), ("two", "2of:carol,dave,alice,bob")):
        twin("asset", "create", asset, "--owner", owner, "--key", "dave")

    def signed_by(asset: str, *words: str) -> list[str]:
        made = twin("asset", "append", asset, "--x", "1", *words)
        return [name for name, key in of.items() if key in made["signed_by"]]

    assert signed_by("any") == ["dave"]
    twin("agent", "start", "--key", "alice", *secret("shared"))
    assert signed_by("any") == ["alice"]
    assert signed_by("two") == ["alice", "dave"]
    assert signed_by("any", "--key", "dave") == ["dave"]
    twin("agent", "start", "--key", "bob", *secret("shared"))
    assert signed_by("two") == ["alice", "bob"]
    twin("agent", "stop")
    assert signed_by("any") == ["dave"]
    assert invoke("asset", "append", "two", "--x", "1").status == 6


def test_an_agent_that_hangs_does_not_hold_up_a_key_without_passphrase(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("alice", "bob"):
        assert invoke("keys", "new", name, "--no-passphrase").status == 0
    assert invoke("asset", "create", "car", "--owner", "alice").status == 0
    asked = []

    def hanging(directory: str) -> None:
        asked.append(directory)
        raise UnreachableError("it gives no answer", code="agent_failed")

    monkeypatch.setattr(agent, "status", hanging)
    for words in ((), ("--key", "alice")):
        assert invoke("asset", "append", "car", "--km", "1", *words).status == 0
    assert asked == []
    given = ("--passphrase-file", str(tmp_path / "p"))
    (tmp_path / "p").write_text("open\n")
    assert invoke("keys", "new", "sealed", *given).status == 0
    assert invoke("asset", "create", "box", "--owner", "all:alice,sealed", *given).status == 0
    asked.clear()
    assert invoke("asset", "append", "box", "--km", "2", *given).status == 0
    assert len(asked) == 1  # it is waited for once, though asked for the choice and the signature


@pytest.mark.usefixtures("keys")
def test_a_bulk_of_lines_is_signed_by_the_agent(invoke: Invoke, secret: Secret) -> None:
    twin = quietly(invoke)
    twin("agent", "start", *secret("shared"))
    lines = "".join(f'{{"km": {number}}}\n' for number in range(200))
    assert twin("asset", "append", "car", "--jsonl", "-", stdin=lines)["count"] == 200
    assert twin("doctor", "--full")["ok"] is True


@pytest.mark.usefixtures("keys")
def test_what_is_done_to_a_key_that_it_holds(invoke: Invoke, secret: Secret) -> None:
    twin = quietly(invoke)
    twin("agent", "start", *secret("shared"))
    twin("keys", "rename", "alice", "alicia")
    twin("asset", "append", "car", "--km", "1")
    assert names(twin("agent", "status")) == ["alicia", "bob"]
    twin("keys", "remove", "bob", "--shred", "--yes")
    assert names(twin("agent", "status")) == ["alicia"]
    twin("keys", "remove", "alicia", "--yes")
    (left,) = twin("agent", "status")["keys"]
    assert left["name"] is None
    assert left["public_key"] in invoke("agent", "status").stdout
    assert invoke("asset", "append", "car", "--km", "2").status == 6


@pytest.mark.usefixtures("keys")
def test_an_agent_of_no_use(
    invoke: Invoke, home: Path, secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "_TIMEOUT", 0.1)
    with listening(home / "keys"):
        run = invoke("agent", "status", "--json")
        assert (run.status, run.error["code"]) == (8, "agent_failed")
        stands = quietly(invoke)("status")["agent"]
        assert (stands["running"], stands["keys"]) == (False, [])
        assert "does not answer" in stands["problem"]
        assert "does not answer" in invoke("status").stderr
        quietly(invoke)("asset", "append", "car", "--km", "1", *secret("shared"))


@pytest.mark.usefixtures("keys")
def test_a_wrong_signature_reaches_no_ledger(invoke: Invoke, home: Path, secret: Secret) -> None:
    of = {key["name"]: key["public_key"] for key in quietly(invoke)("keys", "list")["keys"]}
    holds = agent.frame(
        {
            "v": 1,
            "pid": 1,
            "started_ms": 1,
            "hardening": {},
            "keys": [{"public_key": of["alice"], "expires_ms": 1}],
        },
        0,
    )
    signs = agent.frame({"v": 1}, 64) + KeyPair.from_seed(b"e" * 32).sign(b"evil")
    with faking(home / "keys", holds, holds, signs):
        run = invoke("asset", "append", "car", "--km", "1", *secret("shared"), "--json")
    assert (run.status, run.error["code"]) == (9, "bad_agent")
    assert len(quietly(invoke)("history", "car")["transactions"]) == 1


def test_what_does_not_hold_is_a_warning(
    invoke: Invoke, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "keys").mkdir(parents=True)
    answer = {
        "pid": 1,
        "started_ms": 1000,
        "hardening": {"core_dumps_off": True, "memory_locked": False},
        "keys": [],
    }
    with monkeypatch.context() as patch:
        patch.setattr(agent, "status", lambda _: answer)
        run = invoke("agent", "status")
    assert run.status == 0
    assert "less protected than it could be: memory_locked is off" in run.stderr
