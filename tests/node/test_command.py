"""``twin node start`` as a process: readiness, signals, kill -9, what it refuses to do."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import Invoke
from tests.ledger.chains import create
from twincli.ledger import Ledger


@contextmanager
def started(
    home: Path, *options: str, start_new_session: bool = False
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run a node on a free port until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "twincli", "node", "start", "--port", "0", "--json", *options],
        env={"PATH": os.environ["PATH"], "TWIN_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=start_new_session,
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate(timeout=20)


def children(pid: int) -> list[int]:
    """Return the ids of the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def post(url: str, tx: dict[str, Any]) -> int:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
    try:
        connection.request("POST", "/api/v1/transactions?mode=commit", json.dumps(tx).encode())
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_listens_and_stops_in_peace(home: Path, number: signal.Signals) -> None:
    with started(home) as (process, document):
        assert list(document) == ["schema", "url", "ws_url", "ledger", "pid", "read_only"]
        assert document["schema"] == "twin.node/1"
        assert document["pid"] == process.pid
        assert post(document["url"], create()) == 202
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
        assert (process.returncode, stdout) == (0, "")
        assert stderr.splitlines() == [
            f"twin: node: listening at {document['url']}",
            f"twin: node: in a browser: {document['url']}/explorer; stop with Ctrl-C",
        ]
    with Ledger.open(home / "ledger", create=False) as ledger:
        assert ledger.id == document["ledger"]
        assert ledger.tip().height == 1


def test_a_log_on_stderr_and_in_a_file(home: Path, tmp_path: Path) -> None:
    for target in ("-", str(tmp_path / "log")):
        with started(home, "--log", target) as (process, document):
            assert post(document["url"], {}) == 400
            process.terminate()
            _, stderr = process.communicate(timeout=20)
        text = stderr if target == "-" else Path(target).read_text()
        entry = json.loads(text.splitlines()[-1])
        assert (entry["path"], entry["status"]) == ("/api/v1/transactions", 400)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_log_that_cannot_be_written_is_told_once(home: Path) -> None:
    with started(home, "--log", "/dev/full") as (process, document):
        for number in range(3):
            assert post(document["url"], create(number)) == 202
        process.terminate()
        _, stderr = process.communicate(timeout=20)
        assert process.returncode == 0
    assert "Traceback" not in stderr
    assert stderr.count("the log cannot be written: no space left on device") == 1


def killed_under_load(home: Path, seconds: float, number: int) -> int:
    """Kill a node while eight clients post; return how many 202 it had given."""
    accepted: list[str] = []

    def client(at: int, url: str) -> None:
        place = urlsplit(url)
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
        serial = 0
        try:
            while True:
                serial += 1
                tx = create(data={"run": number, "client": at, "serial": serial})
                body = json.dumps(tx).encode()
                connection.request("POST", "/api/v1/transactions?mode=commit", body)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 202:
                    accepted.append(tx["id"])
        except (OSError, http.client.HTTPException):
            return
        finally:
            connection.close()

    with started(home) as (process, document):
        threads = [threading.Thread(target=client, args=(at, document["url"])) for at in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        until = time.monotonic() + 20
        while not accepted and time.monotonic() < until:
            time.sleep(0.01)
        process.kill()
        for thread in threads:
            thread.join(30)
    with Ledger.open(home / "ledger", create=False) as ledger:
        assert [tx_id for tx_id in accepted if ledger.get(tx_id) is None] == []
    return len(accepted)


def test_what_was_answered_202_survives_kill_9(home: Path) -> None:
    assert killed_under_load(home, 0.7, 0) > 0
    with Ledger.open(home / "ledger", create=False) as ledger:
        assert ledger.verify().problems == []


@pytest.mark.nightly
def test_what_was_answered_202_survives_many_kills(home: Path) -> None:
    total = sum(killed_under_load(home, 0.1 + number % 20 / 20, number) for number in range(200))
    assert total > 1000
    with Ledger.open(home / "ledger", create=False) as ledger:
        assert ledger.verify().problems == []


def resident(pid: int) -> int:
    """Return a process's memory in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.nightly
def test_memory_stays_flat(home: Path) -> None:
    """Half a million posts: resident memory after a fifth of them and a search, and at the end."""
    import asyncio

    from benchmarks import node as bench

    with started(home) as (process, document):
        sizes = []
        for part in range(5):
            posts = [bench.signed(part * 100_000 + number) for number in range(100_000)]
            asyncio.run(bench.load(document["url"], posts, 32, 202))
            urllib.request.urlopen(f"{document['url']}/api/v1/assets?search=000000001").read()
            sizes.append(sum(map(resident, [process.pid, *children(process.pid)])))
    assert sizes[-1] <= 1.2 * sizes[0], sizes


@pytest.mark.parametrize(
    ("options", "code", "status"),
    [
        ("--host 0.0.0.0", "unguarded", 2),
        ("--host no.such.host.invalid", "usage", 2),
        ("--tls-key F", "usage", 2),
        ("--tls-client-ca F --host 0.0.0.0", "usage", 2),
        ("--token-file F --host 0.0.0.0", "bad_tokens", 9),
        ("--tls-cert F", "bad_tls", 9),
        ("--max-body 10", "usage", 2),
        ("--max-file 10", "usage", 2),
        ("--max-content 10", "usage", 2),
        ("--max-streams 0", "usage", 2),
        ("--allow-origin app.example", "usage", 2),
        ("--allow-origin https://app.example/page", "usage", 2),
        ("--allow-origin https://me@app.example", "usage", 2),
        ("--allow-origin https://app.example:99999", "usage", 2),
        ("--allow-origin https://", "usage", 2),
        ("--allow-origin javascript://x", "usage", 2),
        ("--advertise node.example", "usage", 2),
        ("--advertise ws://node.example", "usage", 2),
        ("--advertise https://node.example/?a=b", "usage", 2),
        ("--rate -1", "usage", 2),
        ("--rate nan", "usage", 2),
        ("--read-only", "no_ledger", 4),
        ("--node http://127.0.0.1:1", "not_supported", 2),
        ("--log /no/such/directory/log", "cannot_write", 9),
    ],
)
@pytest.mark.parametrize("dry", [False, True])
def test_what_it_does_not_do(
    options: str, code: str, status: int, dry: bool, invoke: Invoke, home: Path
) -> None:
    if dry and "--log" in options:
        return
    words = ["node", "start", "--port", "0", *options.split(), *(["--dry-run"] if dry else [])]
    run = invoke(*words, "--json")
    assert (run.status, run.error["code"]) == (status, code)
    assert not home.exists() or code == "bad_tls" or not dry


@pytest.mark.parametrize("guard", ["--open", "--token-file"])
def test_a_dry_run_says_where_it_would_listen(
    guard: str, invoke: Invoke, home: Path, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("0123456789abcdef0123456789abcdef\n")
    tokens.chmod(0o600)
    words = [guard] if guard == "--open" else [guard, str(tokens)]
    run = invoke("node", "start", "--dry-run", "--host", "0.0.0.0", "--port", "0", *words)
    assert run.status == 0
    assert run.stderr.startswith("would listen at http://0.0.0.0:")
    assert not home.exists()
    run = invoke("node", "start", "--dry-run", "--port", "0", "--ws-port", "0", "--json")
    assert run.json["ws_url"].partition("//")[2] != run.json["url"].partition("//")[2]
    assert run.json["ledger"] is None


def test_without_the_extra_it_says_what_to_install(home: Path) -> None:
    program = (
        "import sys; sys.modules['httptools'] = None; from twincli.cli.main import main;"
        "sys.exit(main(['node', 'start', '--json']))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"], "TWIN_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    error = json.loads(run.stderr)["error"]
    assert (run.returncode, error["code"]) == (9, "missing_extra")
    assert error["hint"] == 'pip install "twincli[node]"'


def ask(url: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=20)
    try:
        connection.putrequest("GET", path, skip_host="host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("options", "host", "status"),
    [
        ("", "evil.example", 403),
        ("", "localhost.evil.example", 403),
        ("", "127.0.0.1.evil.example:80", 403),
        ("", "10.1.2.3", 403),
        ("", "localhost:1234", 200),
        ("", "node.localhost", 200),
        ("", "LOCALHOST.", 200),
        ("", "127.9.9.9:9984", 200),
        ("", "[::1]:9984", 200),
        ("", "", 403),
        ("--allow-origin https://app.example", "app.example", 200),
        ("--advertise https://node.example/twin", "node.example", 200),
        ("--allow-origin https://app.example", "evil.example", 403),
        ("--open", "evil.example", 200),
        ("--open --allow-origin https://app.example", "evil.example", 403),
        ("--open --host 0.0.0.0 --allow-origin https://app.example", "10.1.2.3", 200),
    ],
)
def test_a_page_that_rebinds_its_name_is_refused(
    options: str, host: str, status: int, home: Path
) -> None:
    with started(home, *options.split()) as (_, document):
        url = document["url"].replace("0.0.0.0", "127.0.0.1")
        assert ask(url, "/api/v1", host=host)[0] == status
        assert ask(url, "/")[0] == 200


def test_an_open_node_serves_every_page(home: Path) -> None:
    with started(home, "--open") as (_, document):
        status, headers, _ = ask(document["url"], "/api/v1", origin="https://evil.example")
        assert (status, headers["access-control-allow-origin"]) == (200, "*")


def test_a_refused_stream_leaves_no_sentence_on_stderr(home: Path) -> None:
    stream = "/api/v1/streams/valid_blocks"
    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with started(home) as (process, document):
        for path, changed, status in [
            (stream, {"origin": "https://evil.example"}, 403),
            ("/nowhere", {}, 404),
            (f"{stream}?from_height=x", {}, 400),
            (stream, {"sec-websocket-version": "7"}, 400),
            (stream, {"sec-websocket-key": "short"}, 400),
            (stream, {"connection": "close"}, None),
            (stream, {"upgrade": "h2c"}, None),
        ]:
            found = ask(document["url"], path, **(upgrade | changed))[0]
            assert status in {None, found}, (changed, found)
        process.terminate()
        _, stderr = process.communicate(timeout=20)
    assert [line for line in stderr.splitlines() if not line.startswith("twin: node: ")] == []
    assert len(stderr.splitlines()) == 2
