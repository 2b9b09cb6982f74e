"""The agent's protocol: what it answers, what it refuses, and what its clients believe."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Clock
from tests.keystore.agents import (
    ALICE,
    BOB,
    WALL_MS,
    add,
    connected,
    everything,
    faking,
    listening,
    request,
    said,
    serving,
    wait_for,
)
from tests.plugins.tools import require_tool
from twincli.crypto import base58, ed25519
from twincli.crypto.ed25519 import KeyPair, Signer
from twincli.crypto.sealing import Cost
from twincli.errors import (
    ConfigError,
    ConflictError,
    InvalidError,
    LockedError,
    UnreachableError,
)
from twincli.keystore import agent, agent_server
from twincli.keystore.agent_server import Server
from twincli.keystore.store import KeyStore

MESSAGE = b"what is signed"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.mkdir(0o700)
    return path


@pytest.fixture
def server(directory: Path, clock: Clock) -> Iterator[Server]:
    with serving(directory, clock) as running:
        yield running


def never() -> Signer:
    raise AssertionError("the agent was not asked, or did not sign")


def signer(directory: Path, key: KeyPair = ALICE) -> agent.AgentSigner:
    return agent.AgentSigner(str(directory), key.public_key, never)


def code(answer: Any) -> str:
    assert set(answer) == {"v", "error"}
    assert set(answer["error"]) == {"code", "message"}
    found: str = answer["error"]["code"]
    return found


# --- What it does ---------------------------------------------------------------------------------


def test_without_an_agent_there_is_nothing_to_ask(directory: Path) -> None:
    assert agent.status(str(directory)) is None
    assert KeyStore(str(directory)).held() == frozenset()
    agent.forget(str(directory), ALICE.public_key)


@pytest.mark.usefixtures("server")
def test_it_signs_for_what_it_holds(directory: Path) -> None:
    assert add(directory, ALICE, ttl=90) == {
        "v": 1,
        "public_key": ALICE.public_key,
        "expires_ms": WALL_MS + 90_000,
    }
    add(directory, BOB)
    assert KeyStore(str(directory)).held() == {ALICE.public_key, BOB.public_key}
    for key in (ALICE, BOB):
        for message in (b"", MESSAGE, bytes(agent.MAX_MESSAGE)):
            assert signer(directory, key).sign(message) == key.sign(message)
    assert ALICE.public_key in repr(signer(directory))


@pytest.mark.usefixtures("server")
def test_status(directory: Path) -> None:
    add(directory, ALICE)
    found = agent.status(str(directory))
    assert found is not None
    assert isinstance(found["hardening"].pop("memory_locked"), bool)
    assert found == {
        "v": 1,
        "pid": os.getpid(),
        "started_ms": WALL_MS,
        "hardening": {"core_dumps_off": True, "not_dumpable": False},
        "keys": [{"public_key": ALICE.public_key, "expires_ms": WALL_MS + 60_000}],
    }


def test_a_key_added_again_gets_the_new_limit(
    directory: Path, clock: Clock, server: Server
) -> None:
    add(directory, ALICE, ttl=10)
    add(directory, ALICE, ttl=1000)
    clock.advance(500)
    assert KeyStore(str(directory)).held() == {ALICE.public_key}
    add(directory, ALICE, ttl=10)
    assert len(server._vault._free) == agent_server.CELLS - 1
    clock.advance(11)
    assert KeyStore(str(directory)).held() == frozenset()


def test_a_key_is_gone_when_its_time_is_over(directory: Path, clock: Clock, server: Server) -> None:
    add(directory, ALICE, ttl=10)
    add(directory, BOB, ttl=1000)
    clock.advance(10)
    assert KeyStore(str(directory)).held() == {BOB.public_key}
    with pytest.raises(AssertionError, match="did not sign"):
        signer(directory).sign(MESSAGE)
    assert ALICE.seed not in bytes(server._vault._memory)
    assert BOB.seed in bytes(server._vault._memory)


def test_it_ends_when_its_last_time_is_over(directory: Path, clock: Clock) -> None:
    with serving(directory, clock):
        add(directory, ALICE, ttl=100)
        agent.ask(str(directory), "lock")
        clock.advance(99)
        assert agent.status(str(directory)) is not None
        clock.advance(1)
        with contextlib.suppress(UnreachableError):
            agent.status(str(directory))  # wakes it
    assert not os.path.lexists(agent.path(str(directory)))


def test_it_ends_when_no_key_ever_comes(directory: Path, clock: Clock) -> None:
    with serving(directory, clock):
        clock.advance(agent_server.FIRST_TTL)
        with contextlib.suppress(UnreachableError):
            agent.status(str(directory))
    assert agent.status(str(directory)) is None


def test_forgetting_and_locking(directory: Path, server: Server) -> None:
    for key in (ALICE, BOB):
        add(directory, key)
    agent.forget(str(directory), ALICE.public_key)
    agent.forget(str(directory), ALICE.public_key)
    assert KeyStore(str(directory)).held() == {BOB.public_key}
    answer = agent.ask(str(directory), "lock")
    assert answer is not None
    assert answer.document["forgotten"] == 1
    assert KeyStore(str(directory)).held() == frozenset()
    assert set(bytes(server._vault._memory)) == {0}
    add(directory, ALICE)
    assert KeyStore(str(directory)).held() == {ALICE.public_key}


def test_stopping_wipes_and_takes_the_socket_away(directory: Path, clock: Clock) -> None:
    with serving(directory, clock) as server:
        add(directory, ALICE)
        answer = agent.ask(str(directory), "stop")
        assert answer is not None
        assert answer.document["forgotten"] == 1
        assert not os.path.lexists(agent.path(str(directory)))
    assert set(bytes(server._vault._memory)) == {0}


# --- What it refuses ------------------------------------------------------------------------------


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(request("export", public_key=ALICE.public_key), "unknown_op", id="export"),
        pytest.param(request("get"), "unknown_op", id="get"),
        pytest.param(request("sign", public_key=BOB.public_key), "unknown_key", id="not held"),
        pytest.param(request("sign", b"m"), "bad_request", id="no key"),
        pytest.param(request("sign", b"m", public_key=7), "bad_request", id="key is a number"),
        pytest.param(request("status", b"x"), "bad_request", id="payload"),
        pytest.param(request("add", b"short", ttl=60), "bad_request", id="short seed"),
        pytest.param(request("add", ttl=60), "bad_request", id="no seed"),
        pytest.param(request("add", bytes(32)), "bad_request", id="no ttl"),
        pytest.param(request("add", bytes(32), ttl=0), "bad_request", id="ttl 0"),
        pytest.param(request("add", bytes(32), ttl=True), "bad_request", id="ttl true"),
        pytest.param(request("add", bytes(32), ttl=1e9), "bad_request", id="ttl float"),
        pytest.param(request("add", bytes(32), ttl=10**12), "bad_request", id="ttl large"),
        pytest.param(request(None), "bad_request", id="no op"),
        pytest.param(agent.frame({"op": "status"}, 0), "bad_request", id="no version"),
        pytest.param(agent.frame({"v": True, "op": "status"}, 0), "bad_request", id="v true"),
        pytest.param(agent.frame({"v": 2, "op": "status"}, 0), "newer_version", id="newer"),
        pytest.param(b"\0\0\0\2\0\0\0\0[]", "bad_request", id="array"),
        pytest.param(b"\0\0\0\2\0\0\0\0{]", "bad_request", id="no JSON"),
        pytest.param(b"\0\0\0\2\0\0\0\0\xff\xff", "bad_request", id="no UTF-8"),
        pytest.param(b"\0\0\x0f\0\0\0\0\0" + b"[" * 3840, "bad_request", id="deep"),
        pytest.param(b"\0\0\0\0\0\0\0\0", "bad_request", id="nothing"),
        pytest.param(b"\0\0\x10\x01\0\0\0\0", "bad_request", id="large document"),
        pytest.param(b"\0\0\0\2\0\x10\0\x01", "bad_request", id="large payload"),
        pytest.param(b"\xff" * 8, "bad_request", id="largest"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "bad_request", id="HTTP"),
    ],
)
def test_what_is_refused(directory: Path, data: bytes, expected: str) -> None:
    add(directory, ALICE)
    assert code(said(directory, data)) == expected
    assert signer(directory).sign(MESSAGE) == ALICE.sign(MESSAGE)


@pytest.mark.usefixtures("server")
def test_no_answer_ever_holds_a_secret(directory: Path) -> None:
    add(directory, ALICE)
    asked = ("add", "sign", "status", "forget", "lock", "export", "get", "list", "unlock", "dump")
    for op in asked:
        for payload in (b"", bytes(32)):
            with connected(directory) as connection:
                connection.sendall(request(op, payload, public_key=ALICE.public_key, ttl=5))
                answer = everything(connection)
            assert answer
            for secret in (ALICE.seed, ALICE.private_key.encode(), ALICE.seed.hex().encode()):
                assert secret not in answer


def test_it_holds_so_many_keys_and_no_more(directory: Path, server: Server) -> None:
    for number in range(agent_server.MAX_KEYS):
        add(directory, KeyPair.from_seed(number.to_bytes(32, "big")))
    assert len(KeyStore(str(directory)).held()) == agent_server.MAX_KEYS  # the answer is long, too
    with pytest.raises(ConflictError, match="it holds 256 keys") as caught:
        add(directory, ALICE)
    assert caught.value.code == "agent_full"
    # The seed that was not taken is wiped, and a key that is held still gets a new limit.
    assert len(server._vault._free) == 1
    add(directory, KeyPair.from_seed((7).to_bytes(32, "big")), ttl=1000)
    assert len(KeyStore(str(directory)).held()) == agent_server.MAX_KEYS
    agent.ask(str(directory), "lock")
    assert len(server._vault._free) == agent_server.CELLS


def test_a_client_that_leaves_in_the_middle_of_a_seed_leaves_nothing(
    directory: Path, server: Server
) -> None:
    whole = request("add", ALICE.seed, ttl=60)
    for length in (1, 8, 20, len(whole) - 32, len(whole) - 1):
        with connected(directory) as connection:
            connection.sendall(whole[:length])
    assert KeyStore(str(directory)).held() == frozenset()  # so all of them have been accepted
    wait_for(lambda: not server._clients)
    assert len(server._vault._free) == agent_server.CELLS
    assert set(bytes(server._vault._memory)) == {0}


@pytest.mark.usefixtures("server")
def test_a_request_may_come_in_pieces(directory: Path) -> None:
    with connected(directory) as connection:
        for byte in request("add", ALICE.seed, ttl=60):
            connection.sendall(bytes([byte]))
        assert b"expires_ms" in everything(connection)
    assert signer(directory).sign(MESSAGE) == ALICE.sign(MESSAGE)


def test_slow_clients_hold_nobody_up_and_are_dropped(
    directory: Path, clock: Clock, server: Server
) -> None:
    add(directory, ALICE)
    slow = [connected(directory) for _ in range(60)]
    for number, connection in enumerate(slow):
        connection.sendall(request("sign", b"m" * 100, public_key="x")[: number * 2])
    assert signer(directory).sign(MESSAGE) == ALICE.sign(MESSAGE)
    clock.advance(agent_server.PATIENCE)
    assert KeyStore(str(directory)).held() == {ALICE.public_key}
    for connection in slow:
        assert everything(connection) == b""
        connection.close()
    wait_for(lambda: not server._clients)


def test_more_clients_than_are_served_wait_for_their_turn(
    directory: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent_server, "MAX_CLIENTS", 4)
    with serving(directory, clock):
        add(directory, ALICE)
        idle = [connected(directory) for _ in range(4)]
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(signer(directory).sign, MESSAGE)
            with pytest.raises(TimeoutError):
                asked.result(0.3)  # four are served, and say nothing
            idle.pop().close()
            assert asked.result(10) == ALICE.sign(MESSAGE)
        for connection in idle:
            connection.close()


@pytest.mark.usefixtures("server")
def test_fifty_clients_at_once(directory: Path) -> None:
    add(directory, ALICE)
    start = threading.Barrier(50)

    def ask(number: int) -> bool:
        start.wait()
        return all(
            signer(directory).sign(b"%d" % (number * n)) == ALICE.sign(b"%d" % (number * n))
            for n in range(20)
        )

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(ask, range(50)))


# --- What a client believes -----------------------------------------------------------------------


def answered(payload: bytes = b"", **document: object) -> bytes:
    return agent.frame({"v": 1, **document}, len(payload)) + payload


WRONG = [
    pytest.param(answered(BOB.sign(MESSAGE)), id="another key's"),
    pytest.param(answered(ALICE.sign(b"something else")), id="of another message"),
    pytest.param(answered(bytes(64)), id="zeros"),
    pytest.param(answered(ALICE.sign(MESSAGE)[:63]), id="short"),
    pytest.param(answered(), id="none"),
]


@pytest.mark.parametrize("answer", WRONG)
def test_a_wrong_signature_is_never_used(directory: Path, answer: bytes) -> None:
    with faking(directory, answer), pytest.raises(ConfigError) as caught:
        signer(directory).sign(MESSAGE)
    assert caught.value.code == "bad_agent"


GARBAGE = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"\0\0", id="half a head"),
    pytest.param(b"\xff" * 8, id="a huge answer"),
    pytest.param(b"\0\0\0\2\0\1\0\0{}", id="a huge payload"),
    pytest.param(b"\0\0\0\x10\0\0\0\0{}", id="half an answer"),
    pytest.param(b"\0\0\0\2\0\0\0\0{]", id="no JSON"),
    pytest.param(b"\0\0\0\2\0\0\0\0[]", id="an array"),
    pytest.param(agent.frame({"v": 2}, 0), id="another version"),
    pytest.param(answered(error="no"), id="an odd error"),
    pytest.param(answered(error={"code": "x", "message": "it is full"}), id="an error"),
]


@pytest.mark.parametrize("answer", GARBAGE)
def test_an_agent_that_is_none_is_gone_round(directory: Path, answer: bytes) -> None:
    asked = []

    def otherwise() -> Signer:
        asked.append(1)
        return ALICE

    with faking(directory, answer, answer):
        key = agent.AgentSigner(str(directory), ALICE.public_key, otherwise)
        assert key.sign(MESSAGE) == ALICE.sign(MESSAGE)
        with pytest.raises(UnreachableError) as caught:
            agent.status(str(directory))
    assert caught.value.code == "agent_failed"
    assert asked == [1]


@pytest.mark.parametrize(
    "change",
    [
        {"pid": "1"},
        {"started_ms": None},
        {"hardening": []},
        {"keys": {}},
        {"keys": ["x"]},
        {"keys": [{"public_key": 1, "expires_ms": 1}]},
        {"keys": [{"public_key": "x", "expires_ms": "1"}]},
    ],
)
def test_a_status_that_is_none(directory: Path, change: dict[str, Any]) -> None:
    good: dict[str, Any] = {"pid": 1, "started_ms": 1, "hardening": {}, "keys": []}
    with faking(directory, answered(**good), answered(**{**good, **change})):
        assert agent.status(str(directory)) is not None
        with pytest.raises(UnreachableError):
            agent.status(str(directory))


def test_an_agent_that_hangs(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "_TIMEOUT", 0.1)
    with listening(directory):
        assert KeyStore(str(directory)).held() == frozenset()
        with pytest.raises(UnreachableError, match="does not answer"):
            agent.status(str(directory))


def test_a_queue_that_is_full_is_waited_for(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(directory) as listener:
        listener.listen(0)
        waiting = connected(directory)
        real = time.sleep
        emptied: list[socket.socket] = []

        def sleep(seconds: float) -> None:
            real(seconds)
            if not emptied:
                emptied.append(listener.accept()[0])

        monkeypatch.setattr(time, "sleep", sleep)
        monkeypatch.setattr(agent, "_TIMEOUT", 0.2)
        with pytest.raises(UnreachableError, match="does not answer"):
            agent.status(str(directory))
        assert emptied
        emptied[0].close()
        monkeypatch.setattr(agent, "_TRIES", 1)
        with pytest.raises(UnreachableError, match="unavailable"):
            # The one before still waits in the queue.
            agent.status(str(directory))
        waiting.close()


@pytest.mark.parametrize("what", ["stale", "file", "dangling"])
def test_what_does_not_listen_is_no_agent(directory: Path, what: str) -> None:
    place = directory / agent.SOCKET
    if what == "stale":
        listening(directory).close()
    elif what == "file":
        place.write_text("not a socket")
    else:
        place.symlink_to(directory / "nowhere")
    assert agent.status(str(directory)) is None
    assert KeyStore(str(directory)).held() == frozenset()


def test_a_socket_that_may_not_be_used_is_no_agent(directory: Path) -> None:
    program = "import sys; from twincli.keystore import agent; print(agent.status(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(directory)]
    if os.geteuid() == 0:  # root may use every socket, unless it gives that up
        limits = ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
        command = [require_tool("setpriv"), *limits, *command]
    with listening(directory):
        (directory / agent.SOCKET).chmod(0)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("None\n", "")


# --- The keystore ---------------------------------------------------------------------------------


@pytest.fixture
def store(directory: Path) -> KeyStore:
    made = KeyStore(str(directory), cost=Cost(1, 8192))
    for name, key in (("alice", ALICE), ("bob", BOB)):
        made.create(name, key, secret_source=lambda _: b"open", created="2024-01-20T09:00:00Z")
    return made


def asks(name: str) -> bytes:
    raise LockedError(f"asked for {name}")


@pytest.mark.usefixtures("server")
def test_a_held_key_asks_for_nothing(directory: Path, store: KeyStore) -> None:
    with pytest.raises(LockedError, match="asked for alice"):
        store.signer("alice", asks)
    add(directory, ALICE)
    key = store.signer("alice", asks)
    assert key.public_key == ALICE.public_key
    assert ed25519.verify(ALICE.public_bytes, MESSAGE, key.sign(MESSAGE))
    with pytest.raises(LockedError, match="asked for bob"):
        store.signer("bob", asks)
    with pytest.raises(LockedError, match="asked for alice"):
        store.unlock("alice", asks)  # the secret itself is never the agent's to give


@pytest.mark.usefixtures("server")
def test_a_key_forgotten_meanwhile_is_asked_for(directory: Path, store: KeyStore) -> None:
    add(directory, ALICE)
    locked, opened = store.signer("alice", asks), store.signer("alice", lambda _: b"open")
    agent.ask(str(directory), "lock")
    with pytest.raises(LockedError, match="asked for alice"):
        locked.sign(MESSAGE)
    assert opened.sign(MESSAGE) == ALICE.sign(MESSAGE)


@pytest.mark.usefixtures("server")
def test_a_message_too_long_for_the_agent_is_signed_here(directory: Path, store: KeyStore) -> None:
    add(directory, ALICE)
    long = bytes(agent.MAX_MESSAGE + 1)
    assert store.signer("alice", lambda _: b"open").sign(long) == ALICE.sign(long)


@pytest.mark.usefixtures("server")
def test_what_happens_to_the_file_of_a_held_key(directory: Path, store: KeyStore) -> None:
    add(directory, ALICE)
    store.rename("alice", "alicia")
    assert store.signer("alicia", asks).sign(MESSAGE) == ALICE.sign(MESSAGE)
    # Another key under its name: the agent signs for keys, not for names.
    store.remove("alicia")
    store.rename("bob", "alicia")
    with pytest.raises(LockedError, match="asked for alicia"):
        store.signer("alicia", asks)
    assert KeyStore(str(directory)).held() == {ALICE.public_key}


@pytest.mark.usefixtures("server")
def test_a_public_key_put_into_another_key_file_gives_no_signature_of_that_name(
    directory: Path, store: KeyStore
) -> None:
    add(directory, BOB)
    path = directory / "alice.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "public_key": base58.encode(bytes(range(32)))}))
    with pytest.raises(InvalidError) as caught:
        store.signer("alice", lambda _: b"open")
    assert caught.value.code == "damaged_key"


@pytest.mark.usefixtures("server")
def test_a_shredded_key_is_forgotten(directory: Path, store: KeyStore) -> None:
    add(directory, ALICE)
    add(directory, BOB)
    store.remove("bob")
    assert KeyStore(str(directory)).held() == {ALICE.public_key, BOB.public_key}
    store.remove("alice", shred=True)
    assert KeyStore(str(directory)).held() == {BOB.public_key}


def test_a_key_is_shredded_whatever_the_agent_does(
    directory: Path, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "_TIMEOUT", 0.1)
    with listening(directory):
        store.remove("alice", shred=True)
    assert [info.name for info in store.list()] == ["bob"]
