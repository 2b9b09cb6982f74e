"""A write of many lines that is stopped says how far it came, whatever the signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.cli.stories import quietly
from tests.conftest import Invoke
from twincli.cli import stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_append_says_how_far_it_came(invoke: Invoke, number: signal.Signals) -> None:
    twin = quietly(invoke)
    twin("keys", "new", "alice", "--no-passphrase")
    twin("asset", "create", "car")
    with subprocess.Popen(
        [sys.executable, "-m", "twincli", "asset", "append", "car", "--jsonl", "-"],
        env={**os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Under nohup, or behind a shell's &, the signal would stay ignored, as it should.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        # More than a pipe holds: when it is written, some was read.
        process.stdin.write(b'{"n": 1}\n' * 10_001 + b'{"text": "%s"}\n' % (b"x" * 1_000_000))
        process.stdin.flush()
        process.send_signal(number)
        assert process.stdout.read() == b""
        said = process.stderr.read().decode()
    assert process.returncode == 130
    assert "interrupted: " in said
    assert "on the ledger" in said
    done = 10_000 if "10000 lines" in said or "10,000 lines" in said else 0
    assert done or "nothing is on the ledger" in said, said
    assert twin("ledger", "info")["transactions"] == 1 + done


def test_signals_are_left_as_they_were() -> None:
    def noted(*_: object) -> None:
        """Stand for a handler of somebody else."""

    before = signal.signal(signal.SIGTERM, noted)
    try:
        with stopping.told():
            assert signal.getsignal(signal.SIGTERM) is noted
    finally:
        signal.signal(signal.SIGTERM, before)
    with pytest.raises(KeyboardInterrupt), stopping.told():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
    other = threading.Thread(target=lambda: stopping.told().__enter__())
    other.start()
    other.join()
    assert signal.getsignal(signal.SIGTERM) == before
