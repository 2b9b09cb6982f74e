"""Keys behind a program: the protocol, and all that a program can do wrong."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.services.rooms import key_room
from twincli.crypto.ed25519 import KeyPair
from twincli.errors import (
    ConfigError,
    ConflictError,
    InvalidError,
    LockedError,
    TwinError,
    UnreachableError,
    UsageError,
)
from twincli.keystore.providers import command
from twincli.keystore.store import KeyStore
from twincli.services.keys import providers
from twincli.services.keys.keys import NewKey

PAIR = KeyPair.from_seed(b"s" * 32)

HEAD = f"""
import base64, json, os, sys, time
from twincli.crypto.ed25519 import KeyPair
PAIR = KeyPair.from_seed(b"s" * 32)
KEY = {PAIR.public_key!r}
def sign(request): return PAIR.sign(bytes.fromhex(request["message"])).hex()
def say(**answer): print(json.dumps(answer))
"""

# Answers as it should; the cases below take a part of it away.
GOOD = """
request = json.loads(sys.stdin.readline())
if request["op"] == "public_key": say(public_key=KEY)
else: say(signature=sign(request))
"""


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(str(tmp_path / "keys"))


class Programs:
    """Writes programs, and says how they are called."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "sign it.py"

    def write(self, code: str) -> str:
        head = HEAD.replace(
            "import base64", f"import sys; sys.path[:0] = {sys.path!r}\nimport base64"
        )
        self.path.write_text(head + code)
        return shlex.join([sys.executable, str(self.path)])


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def new(
    store: KeyStore,
    line: str,
    name: str = "gps",
    *,
    if_missing: bool = False,
    dry_run: bool = False,
    **asked: Any,
) -> Any:
    wanted = NewKey(name, None, if_missing)
    room = key_room(store, dry_run=dry_run)
    return providers.new_command(room, wanted, command=line, **asked)


def test_a_program_that_signs(store: KeyStore, programs: Programs) -> None:
    log = programs.directory / "log"
    line = programs.write(
        f"line = sys.stdin.readline(); open({str(log)!r}, 'a').write(line)\n"
        "assert sys.stdin.read() == ''\n" + GOOD.replace("sys.stdin.readline()", "line")
    )
    made = new(store, line)
    assert made["public_key"] == PAIR.public_key
    assert (made["rule"], made["provider"], made["passphrase"]) == ("external", "command", False)
    assert made["settings"] == {
        "command": [sys.executable, str(programs.path)],
        "timeout": command.TIMEOUT,
    }
    signer = store.signer("gps", None)
    for message in (b"m" * 32, b"", os.urandom(300_000)):
        assert signer.sign(message) == PAIR.sign(message)
    store.close()
    requests = [json.loads(line) for line in log.read_text().splitlines()]
    assert requests[0] == {"version": 1, "op": "public_key"}
    assert requests[2] == {
        "version": 1,
        "op": "sign",
        "public_key": PAIR.public_key,
        "message": (b"m" * 32).hex(),
    }
    # Whoever signs the proof signs nothing that could be used elsewhere.
    proof = bytes.fromhex(requests[1]["message"])
    assert proof.startswith(b"twincli: a key that shall be used shows that it signs\n")
    assert len(proof) == 86


WAIT = "time.sleep(60)"

# What a program does instead of GOOD when asked for its key, and what comes of it.
FIRST = [
    ("", ConfigError, "bad_answer", "not one JSON object"),
    ("print('hello')", ConfigError, "bad_answer", "not one JSON object"),
    ("print('[1]')", ConfigError, "bad_answer", "not one JSON object"),
    ("print('{'); print('}')", ConfigError, "bad_answer", "not one JSON object"),
    ("say(public_key=KEY); say(public_key=KEY)", ConfigError, "bad_answer", "on one line"),
    ("sys.stdout.buffer.write(b'\\xff\\n')", ConfigError, "bad_answer", "not one JSON object"),
    ("print('[' * 60000)", ConfigError, "bad_answer", "not one JSON object"),
    ("say(signature='00' * 64)", ConfigError, "bad_answer", "public key"),
    ("say(public_key=7)", ConfigError, "bad_answer", "public key"),
    ("say(public_key='0OIl')", ConfigError, "bad_answer", "public key"),
    ("say(public_key=KEY + '1')", ConfigError, "bad_answer", "public key"),
    ("say(public_key='1' * 32)", ConfigError, "bad_answer", "public key"),
    ("say(public_key=KEY, more='x' * 70000)", ConfigError, "bad_answer", "longer than 65536"),
    ("while True: sys.stdout.write('x' * 65536)", ConfigError, "bad_answer", "longer than 65536"),
    ("say(public_key=KEY); sys.exit(3)", ConfigError, "program_failed", "status 3"),
    ("sys.exit('no chip')", ConfigError, "program_failed", "status 1"),
    ("os.kill(os.getpid(), 9)", ConfigError, "program_failed", "signal 9"),
    ("say(error='no chip there')", LockedError, "declined", "no chip there"),
    ("say(error='no chip there'); sys.exit(1)", LockedError, "declined", "no chip there"),
    ("say(error='x' * 10000)", LockedError, "declined", "x" * 200 + "$"),
    (WAIT, UnreachableError, "timeout", "no answer within 0.7 s"),
    (f"sys.stdout.close(); os.close(1); {WAIT}", UnreachableError, "timeout", "no answer"),
    (f"say(public_key=KEY); sys.stdout.flush(); {WAIT}", UnreachableError, "timeout", "no answer"),
]


@pytest.mark.parametrize(("code", "kind", "error", "said"), FIRST)
def test_a_program_that_gives_no_key(
    store: KeyStore, programs: Programs, code: str, kind: type[TwinError], error: str, said: str
) -> None:
    line = programs.write(code)
    timeout = 0.7 if kind is UnreachableError else 20.0
    with pytest.raises(kind, match=said) as caught:
        new(store, line, timeout=timeout)
    assert caught.value.code == error
    assert len(caught.value.message) < 500
    assert not Path(store.directory).exists()


# What it does instead of signing.
SECOND = [
    ("say(signature=PAIR.sign(b'other').hex())", InvalidError, "wrong_signature"),
    ("say(signature=KeyPair.from_seed(b't' * 32).sign(M).hex())", InvalidError, "wrong_signature"),
    ("say(signature='00' * 64)", InvalidError, "wrong_signature"),
    ("say(signature=sign(request)[:-2])", ConfigError, "bad_answer"),
    ("say(signature=sign(request) + '00')", ConfigError, "bad_answer"),
    ("say(signature='zz' * 64)", ConfigError, "bad_answer"),
    ("say(signature=7)", ConfigError, "bad_answer"),
    ("say(public_key=KEY)", ConfigError, "bad_answer"),
    ("say(error='the user said no')", LockedError, "declined"),
]
SIGNING = GOOD.replace(
    "else: say(signature=sign(request))", "else:\n M = bytes.fromhex(request['message'])\n {}"
)


@pytest.mark.parametrize(("code", "kind", "error"), SECOND)
def test_a_program_that_does_not_sign(
    store: KeyStore, programs: Programs, code: str, kind: type[TwinError], error: str
) -> None:
    line = programs.write(SIGNING.replace("{}", code))
    with pytest.raises(kind) as caught:
        new(store, line)
    assert caught.value.code == error
    assert not Path(store.directory).exists()
    # The same of one that was good when the key was made.
    new(store, programs.write(GOOD))
    programs.write(SIGNING.replace("{}", code))
    with pytest.raises(kind) as caught:
        store.signer("gps", None).sign(b"m" * 32)
    assert caught.value.code == error


def test_a_program_that_does_not_read(store: KeyStore, programs: Programs) -> None:
    new(store, programs.write(GOOD))
    message = os.urandom(500_000)  # more than a pipe holds
    programs.write(f"os.close(0); say(signature={PAIR.sign(message).hex()!r})")
    assert store.signer("gps", None).sign(message) == PAIR.sign(message)


def test_a_child_that_holds_the_pipe(store: KeyStore, programs: Programs) -> None:
    line = programs.write("import subprocess; subprocess.Popen(['sleep', '3'])\n" + WAIT)
    began = time.monotonic()
    with pytest.raises(UnreachableError):
        new(store, line, timeout=0.7)
    assert time.monotonic() - began < 2.9


def test_interrupted_no_program_stays_behind(programs: Programs, tmp_path: Path) -> None:
    started = tmp_path / "started"
    line = programs.write(
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        f"open({str(started)!r} + '~', 'w').write(str(os.getpid()))\n"
        f"os.rename({str(started)!r} + '~', {str(started)!r}); {WAIT}"
    )
    words = ["-m", "twincli", "keys", "new", "a", "--provider", "command", "--command", line]
    twin = subprocess.Popen(
        [sys.executable, *words],
        env={**os.environ, "TWIN_HOME": str(tmp_path / "home")},
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell starts what runs in the background with the signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    for _ in range(600):
        if started.exists():
            break
        time.sleep(0.05)
    child = int(started.read_text())
    twin.send_signal(signal.SIGINT)
    _, said = twin.communicate(timeout=30)
    assert twin.returncode == 130
    assert b"Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_what_a_program_gets(
    store: KeyStore, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from twincli import config

    out = programs.directory / "environment"
    line = programs.write(f"json.dump(dict(os.environ), open({str(out)!r}, 'w'))\n{GOOD}")
    monkeypatch.setenv("TWIN_PASSPHRASE", "hush")
    monkeypatch.setenv("TWIN_PASSPHRASE_FILE", "/hush")
    monkeypatch.setenv("TWIN_HOME", "/home/of/twin")
    new(store, line)
    assert set(json.loads(out.read_text())) - {"LC_CTYPE"} == {"PATH"}
    of_command = KeyStore(store.directory, environment=config.for_programs)
    new(of_command, line, "two")
    got = json.loads(out.read_text())
    assert got["TWIN_HOME"] == "/home/of/twin"
    assert "hush" not in out.read_text()
    assert got["PATH"] == os.environ["PATH"]


def test_its_stderr_is_the_users(
    store: KeyStore, programs: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    new(store, programs.write("print('touch the chip', file=sys.stderr)\n" + GOOD))
    assert capfd.readouterr() == ("", "touch the chip\n" * 2)


def test_no_shell_and_the_programs_full_path(
    store: KeyStore, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched = programs.directory / "touched"
    programs.write(GOOD)
    own = programs.directory / "signs"
    own.write_text(f"#!{sys.executable}\n" + programs.path.read_text())
    own.chmod(0o700)
    monkeypatch.setenv("PATH", str(programs.directory))
    made = new(store, f"signs '; touch {touched}' $HOME")
    assert made["settings"]["command"] == [str(own), f"; touch {touched}", "$HOME"]
    assert not touched.exists()
    monkeypatch.setenv("PATH", "/nowhere")
    assert store.signer("gps", None).sign(b"m") == PAIR.sign(b"m")


@pytest.mark.parametrize("line", ["/no/such/program", "no-such-program", "/etc/passwd", "/tmp"])
def test_no_program(store: KeyStore, line: str) -> None:
    for dry_run in (True, False):
        with pytest.raises(ConfigError) as caught:
            new(store, line, dry_run=dry_run)
        assert caught.value.code == "no_program"
    assert not Path(store.directory).exists()


@pytest.mark.parametrize("line", ["", "  ", "'open", "a \\"])
def test_no_words(store: KeyStore, line: str) -> None:
    with pytest.raises(UsageError):
        new(store, line)


def test_a_program_that_went(store: KeyStore, programs: Programs) -> None:
    made = new(store, programs.write(GOOD))
    for words in (["/no/such/program"], ["nul\0"], [str(programs.path)]):
        settings = {**made["settings"], "command": words}
        store.create_external(store.get("gps")._replace(name="odd", settings=settings))
        with pytest.raises(ConfigError) as caught:
            store.signer("odd", None).sign(b"m")
        assert caught.value.code == ("bad_settings" if "\0" in words[0] else "no_program")
        store.close()
        store.remove("odd", shred=True)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"command": "sign"},
        {"command": []},
        {"command": ["sign", 7]},
        {"command": ["sign"], "timeout": "60"},
        {"command": ["sign"], "timeout": 0},
        {"command": ["sign"], "timeout": 1e300},
        {"command": ["sign"], "timeout": True},
    ],
)
def test_settings_that_were_altered(
    store: KeyStore, programs: Programs, settings: dict[str, Any]
) -> None:
    new(store, programs.write(GOOD))
    store.create_external(store.get("gps")._replace(name="odd", settings=settings))
    with pytest.raises(ConfigError) as caught:
        store.signer("odd", None)
    assert caught.value.code == "bad_settings"


def test_a_public_key_that_was_altered(store: KeyStore, programs: Programs) -> None:
    new(store, programs.write(GOOD))
    other = KeyPair.from_seed(b"t" * 32).public_key
    path = Path(store.directory, "gps.json")
    path.write_text(path.read_text().replace(PAIR.public_key, other))
    with pytest.raises(InvalidError) as caught:
        store.signer("gps", None).sign(b"m")
    assert caught.value.code == "wrong_signature"


@pytest.mark.parametrize(
    "change",
    [
        {"settings": None},
        {"settings": ["sign"]},
        {"seed": PAIR.private_key},
        {"sealed": {}},
        {"mnemonic": None},
        {"provider": "file"},
        {"provider": "file", "seed": PAIR.private_key, "mnemonic": None},
        {"provider": "tpm"},
    ],
)
def test_contradictory_files(store: KeyStore, programs: Programs, change: dict[str, Any]) -> None:
    new(store, programs.write(GOOD))
    path = Path(store.directory, "gps.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ConfigError) as caught:
        store.signer("gps", None)
    assert caught.value.code == "damaged_key"
    assert PAIR.private_key not in caught.value.message


def test_if_missing_and_dry_run(store: KeyStore, programs: Programs) -> None:
    log = programs.directory / "log"
    line = programs.write(f"open({str(log)!r}, 'a').write('x')\n{GOOD}")
    planned = new(store, line, dry_run=True)
    assert (planned["public_key"], planned["provider"]) == (None, "command")
    assert not log.exists()
    made = new(store, line, if_missing=True, timeout=20.0)
    assert log.read_text() == "xx"
    assert made["settings"]["timeout"] == 20.0
    assert new(store, line, if_missing=True, timeout=20.0) == {**made, "created": False}
    assert log.read_text() == "xx"
    for other in (line + " more", "/bin/ls"):
        with pytest.raises(ConflictError) as caught:
            new(store, other, if_missing=True, timeout=20.0)
        assert caught.value.code == "exists"
    with pytest.raises(ConflictError):
        new(store, line)


def test_a_secret_behind_a_program_cannot_be_unlocked(store: KeyStore, programs: Programs) -> None:
    new(store, programs.write(GOOD))
    with pytest.raises(LockedError, match="behind a program") as caught:
        store.unlock("gps", None)
    assert caught.value.code == "no_secret_here"


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), 1e300, -1.0])
def test_a_time_that_nobody_can_wait_for_is_refused(
    store: KeyStore, programs: Programs, timeout: float
) -> None:
    with pytest.raises(ConfigError) as caught:
        new(store, programs.write(GOOD), timeout=timeout)
    assert caught.value.code == "bad_settings"


def test_a_child_that_holds_the_pipe_does_not_delay_the_answer(
    store: KeyStore, programs: Programs
) -> None:
    began = time.monotonic()
    new(store, programs.write(GOOD + "sys.stdout.flush()\nif os.fork() == 0: time.sleep(5)\n"))
    assert time.monotonic() - began < 4
