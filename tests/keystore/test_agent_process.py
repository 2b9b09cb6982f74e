"""The agent as a process: how it starts and ends, and what an attacker gets out of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.keystore.agents import (
    ALICE,
    BOB,
    add,
    connected,
    everything,
    is_alive,
    listening,
    wait_for,
)
from twincli.errors import ConfigError, UnreachableError
from twincli.keystore import agent, agent_server
from twincli.keystore.store import KeyStore

NOBODY = 65534
MESSAGE = b"what is signed"

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def pid_of(directory: Path) -> int:
    found = agent.status(str(directory))
    assert found is not None
    return int(found["pid"])


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that other users can reach, and whose agent ends with the test."""
    home = Path(tempfile.mkdtemp(prefix="twin-agent-"))
    home.chmod(0o755)
    path = home / "keys"
    path.mkdir(0o700)
    yield path
    with contextlib.suppress(UnreachableError, ConfigError):
        found = agent.status(str(path))
        if found is not None and found["pid"] != os.getpid():
            agent.ask(str(path), "stop")
            wait_for(lambda: not is_alive(found["pid"]))
    shutil.rmtree(home)


@pytest.fixture
def running(directory: Path) -> int:
    """An agent that holds Alice's key; its process."""
    agent_server.launch(str(directory))
    add(directory, ALICE)
    return pid_of(directory)


# --- Starting and ending --------------------------------------------------------------------------


def test_it_starts_once(directory: Path, running: int) -> None:
    assert running != os.getpid()
    agent_server.launch(str(directory))
    assert pid_of(directory) == running
    for name in (agent.SOCKET, agent.LOCK):
        assert stat.S_IMODE((directory / name).lstat().st_mode) == 0o600
    assert agent.AgentSigner(str(directory), ALICE.public_key, lambda: BOB).sign(
        MESSAGE
    ) == ALICE.sign(MESSAGE)


def test_of_many_that_start_at_once_one_is_left(directory: Path) -> None:
    code = (
        "import sys; from twincli.keystore import agent, agent_server as s; s.launch(sys.argv[1]);"
        "print(agent.status(sys.argv[1])['pid'])"
    )
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(directory)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    said = [process.communicate(timeout=60)[0].strip() for process in starting]
    assert {process.returncode for process in starting} == {0}
    assert said == [str(pid_of(directory))] * 6


def test_after_a_kill_nothing_is_served_and_a_new_one_takes_the_place(
    directory: Path, running: int
) -> None:
    os.kill(running, signal.SIGKILL)
    wait_for(lambda: not is_alive(running))
    assert os.path.lexists(agent.path(str(directory)))
    assert KeyStore(str(directory)).held() == frozenset()
    assert agent.status(str(directory)) is None
    agent_server.launch(str(directory))
    assert pid_of(directory) != running
    assert KeyStore(str(directory)).held() == frozenset()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(directory: Path, running: int, number: signal.Signals) -> None:
    os.kill(running, signal.SIGHUP)  # the terminal that it was started from is closed
    assert pid_of(directory) == running
    os.kill(running, number)
    wait_for(lambda: not is_alive(running))
    assert not os.path.lexists(agent.path(str(directory)))


def test_stop_and_start_again(directory: Path, running: int) -> None:
    agent.ask(str(directory), "stop")
    agent_server.launch(str(directory))  # the lock may still be held for a moment
    assert pid_of(directory) != running
    wait_for(lambda: not is_alive(running))


def test_it_ends_by_itself_when_the_time_is_over(directory: Path, running: int) -> None:
    add(directory, ALICE, ttl=1)
    wait_for(lambda: not is_alive(running))
    assert not os.path.lexists(agent.path(str(directory)))


def test_a_path_longer_than_a_socket_address(directory: Path) -> None:
    deep = directory / ("d" * 100) / "keys"
    deep.mkdir(0o700, parents=True)
    agent_server.launch(str(deep))
    try:
        add(deep, ALICE)
        assert KeyStore(str(deep)).held() == {ALICE.public_key}
    finally:
        pid = pid_of(deep)
        agent.ask(str(deep), "stop")
        wait_for(lambda: not is_alive(pid))
    assert not os.path.lexists(agent.path(str(deep)))


def test_a_directory_that_others_may_write_in_is_refused(directory: Path) -> None:
    directory.chmod(0o777)
    with pytest.raises(ConfigError) as caught:
        agent_server.launch(str(directory))
    assert caught.value.code == "insecure_permissions"


@pytest.mark.parametrize("name", [agent.SOCKET, agent.LOCK])
def test_a_place_that_cannot_be_used(directory: Path, name: str) -> None:
    (directory / name).mkdir()
    with pytest.raises(ConfigError) as caught:
        agent_server.launch(str(directory))
    assert caught.value.code == "cannot_write"
    assert "no agent can listen" in caught.value.message


def test_a_lock_that_is_a_link_is_not_followed(directory: Path, tmp_path: Path) -> None:
    (directory / agent.LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="no agent can listen"):
        agent_server.launch(str(directory))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("program", "part"), [("echo x >&2; echo no memory >&2; exit 1", "no memory"), (":", "for ")]
)
def test_a_process_that_does_not_start(
    directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, part: str
) -> None:
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\n{program}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(UnreachableError, match="did not start") as caught:
        agent_server.launch(str(directory))
    assert caught.value.code == "agent_failed"
    assert part in caught.value.message


def test_a_lock_that_is_never_let_go(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_server, "_START_SECONDS", 0.1)
    with (directory / agent.LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UnreachableError, match="did not start"):
            agent_server.launch(str(directory))


# --- Attacks --------------------------------------------------------------------------------------


@linux_only
def test_nothing_of_the_shell_is_in_its_process(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWIN_PASSPHRASE", "correct horse battery")
    monkeypatch.setenv("TOKEN_OF_SOMETHING", "another secret")
    agent_server.launch(str(directory))
    add(directory, ALICE)
    process = Path(f"/proc/{pid_of(directory)}")
    shown = process.joinpath("cmdline").read_bytes()
    assert b"agent_server" in shown
    if os.geteuid() == 0:
        variables = process.joinpath("environ").read_bytes()
        assert [item.partition(b"=")[0] for item in variables.split(b"\0") if item] == [
            b"PYTHONPATH"
        ]
        shown += variables
    for secret in (b"horse", b"secret", ALICE.private_key.encode(), ALICE.seed, b"61616161"):
        assert secret not in shown


@linux_only
def test_its_streams_and_directory_hold_nothing_back(running: int) -> None:
    if os.geteuid() != 0:
        pytest.skip("a process that is not dumpable shows this to root only")
    process = Path(f"/proc/{running}")
    assert {os.readlink(process / "fd" / str(number)) for number in range(3)} == {"/dev/null"}
    assert os.readlink(process / "cwd") == "/"
    fields = process.joinpath("stat").read_text().rpartition(")")[2].split()
    parent, session, terminal = int(fields[1]), int(fields[3]), int(fields[4])
    assert parent != os.getpid()
    assert session not in {os.getsid(0), running}
    assert terminal == 0


def occurrences(pid: int, what: bytes) -> int:
    """Count where bytes stand in the whole memory of a process."""
    count = 0
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            span, permissions, *_ = line.split()
            begin, end = (int(number, 16) for number in span.split("-"))
            if "r" in permissions and begin < 1 << 63:
                mem.seek(begin)
                with contextlib.suppress(OSError):  # [vvar] cannot be read
                    count += mem.read(end - begin).count(what)
    return count


@linux_only
@root_only
def test_a_seed_stands_in_its_memory_once_and_after_locking_nowhere(
    directory: Path, running: int
) -> None:
    seed = os.urandom(32)
    key = type(ALICE).from_seed(seed)
    add(directory, key)
    signer = agent.AgentSigner(str(directory), key.public_key, lambda: BOB)
    for number in range(20):
        message = b"message %d" % number
        assert signer.sign(message) == key.sign(message)
    assert occurrences(running, seed) == 1  # in the vault, from which it signs
    for form in (key.private_key.encode(), seed.hex().encode(), seed[::-1]):
        assert occurrences(running, form) == 0
    agent.ask(str(directory), "lock")
    assert occurrences(running, seed) == 0
    assert occurrences(running, seed[:16]) == 0
    assert occurrences(running, b"twincli.keystore.agent_server") > 0  # it was looked at


@linux_only
def test_a_crash_leaves_no_core_file(directory: Path, running: int) -> None:
    found = agent.status(str(directory))
    assert found is not None
    assert found["hardening"]["core_dumps_off"] is True
    assert found["hardening"]["not_dumpable"] is True
    limits = Path(f"/proc/{running}/limits").read_text()
    (line,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"]
    before = {place: set(os.listdir(place)) for place in ("/", str(directory), os.getcwd())}
    os.kill(running, signal.SIGABRT)
    wait_for(lambda: not is_alive(running))
    for place, names in before.items():
        new = set(os.listdir(place)) - names
        assert [name for name in new if "core" in name] == []


VICTIM = """
import ctypes, os, resource, sys
from twincli.keystore import agent_server
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as after exec: a change of uid alone forbids it, too
if sys.argv[1] == "hardened":
    agent_server.harden()
print("ready", flush=True)
sys.stdin.read()
"""
READER = """
import os, sys
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for name in ("environ", "mem"):
    try:
        open(f"/proc/{sys.argv[1]}/{name}", "rb").close()
        print(name, end=" ")
    except PermissionError:
        pass
"""


@linux_only
@pytest.mark.parametrize("how", ["hardened", "plain"])
def test_its_memory_is_closed_to_other_processes_of_its_user(how: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "ready\n"
        read = subprocess.run(
            [sys.executable, "-c", READER, str(victim.pid)],
            capture_output=True,
            text=True,
            check=True,
        )
        victim.communicate("")
    if how == "hardened":
        assert read.stdout == ""
    else:
        assert "environ" in read.stdout  # so the test can tell


INTRUDER = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
    connection.settimeout(10)
    connection.connect(sys.argv[1])
    sys.stdout.write("connected ")
    try:
        connection.sendall(bytes.fromhex(sys.argv[2]))
        sys.stdout.write(repr(connection.recv(65536)))
    except (BrokenPipeError, ConnectionResetError):
        sys.stdout.write("b''")
"""


@linux_only
@root_only
@pytest.mark.parametrize("op", ["status", "sign", "lock", "stop", "add"])
def test_another_user_is_never_served(directory: Path, running: int, op: str) -> None:
    """Not even when the socket and its directory are open to all."""
    payload = {"sign": MESSAGE, "add": BOB.seed}.get(op, b"")
    request = agent.frame(
        {"v": 1, "op": op, "public_key": ALICE.public_key, "ttl": 60}, len(payload)
    )
    directory.chmod(0o755)
    (directory / agent.SOCKET).chmod(0o777)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            INTRUDER,
            agent.path(str(directory)),
            (request + payload).hex(),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "connected b''"
    assert pid_of(directory) == running
    assert KeyStore(str(directory)).held() == {ALICE.public_key}


OTHERS_AGENT = """
import os, socket, sys
from twincli.keystore import agent, agent_server
directory = sys.argv[1]
os.setgroups([]); os.setgid(65534); os.setuid(65534)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(agent.path(directory))
listener.listen(8)
os.chmod(agent.path(directory), 0o777)
server = agent_server.Server(listener, agent.path(directory), hardening={})
print("ready", flush=True)
server.run()
"""


@linux_only
@root_only
def test_an_agent_of_another_user_is_not_used_and_serves_not_even_root(directory: Path) -> None:
    os.chown(directory, NOBODY, NOBODY)
    with subprocess.Popen(
        [sys.executable, "-c", OTHERS_AGENT, str(directory)], stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "ready\n"
            assert KeyStore(str(directory)).held() == frozenset()
            with pytest.raises(ConfigError, match="belongs to another user \\(uid 65534\\)") as no:
                agent.status(str(directory))
            assert no.value.code == "foreign_agent"
            with pytest.raises(ConfigError, match="another user"):
                agent.ask(str(directory), "add", ALICE.seed, ttl=60)  # it gets no seed
            with connected(directory) as connection:
                with contextlib.suppress(BrokenPipeError):
                    connection.sendall(agent.frame({"v": 1, "op": "status"}, 0))
                assert everything(connection) == b""
        finally:
            other.kill()


def test_the_uid_is_the_systems_word(directory: Path) -> None:
    with listening(directory), connected(directory) as connection:
        assert agent.peer(connection) == os.geteuid()


def test_a_pipe_to_the_starter_ends_with_the_starter(tmp_path: Path) -> None:
    """``$(twin agent start)`` waits until nobody holds its pipe: the agent must not."""
    directory = tmp_path / "keys"
    code = f"from twincli.keystore import agent_server as a; a.launch({str(directory)!r}); print(1)"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            timeout=30,
            check=True,
        )
        assert done.stdout == b"1\n"
        assert agent.status(str(directory)) is not None
    finally:
        agent.ask(str(directory), "stop")
