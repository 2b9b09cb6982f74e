"""A batch ends by a signal: at once while it waits, between two twins while it writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.cli.stories import quietly
from tests.conftest import Invoke
from twincli.cli import stopping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAID = "interrupted: nothing is recorded"


@contextmanager
def batch(
    number: signal.Signals, *words: str, before: str = "pass"
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``twin batch``, which says on stderr when it takes signals."""
    code = f"""if True:
        import sys
        from contextlib import contextmanager
        from twincli.cli import main, stopping
        between = stopping.between
        @contextmanager
        def told():
            with between() as whole:
                print("ready", file=sys.stderr, flush=True)
                yield whole
        stopping.between = told
        {before}
        sys.exit(main.main(["batch", *sys.argv[1:]]))
    """
    with subprocess.Popen(
        [sys.executable, "-c", code, *words, "--format", "jsonl"],
        env={**os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Behind a shell's & the signal would stay ignored, as it should.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    # Not `communicate`, which would close stdin, by which it would end.
    assert process.wait(20) == 130
    return process.stderr.read().decode()


@pytest.fixture
def with_a_twin(invoke: Invoke) -> None:
    twin = quietly(invoke)
    twin("keys", "new", "alice", "--no-passphrase")
    twin("asset", "create", "car")


@pytest.mark.usefixtures("with_a_twin")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("verb", ["apply", "check"])
def test_a_signal_ends_it_while_it_waits_for_a_pipe(number: signal.Signals, verb: str) -> None:
    with batch(number, verb, "-") as process:
        time.sleep(0.2)
        process.send_signal(number)
        assert SAID in ended(process)


@pytest.mark.usefixtures("with_a_twin")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_while_it_waits_for_a_writer(
    number: signal.Signals, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "lines")
    with batch(number, "apply", str(tmp_path / "lines")) as process:
        time.sleep(0.2)
        process.send_signal(number)
        assert SAID in ended(process)


@pytest.mark.usefixtures("with_a_twin")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_over_blank_lines(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "blank").write_bytes(b"\n" * (50 << 20))
    with batch(number, "check", str(tmp_path / "blank")) as process:
        time.sleep(0.5)
        process.send_signal(number)
        assert SAID in ended(process)


@pytest.mark.usefixtures("with_a_twin")
def test_a_line_without_an_end_is_refused(invoke: Invoke) -> None:
    done = invoke("batch", "check", "/dev/zero", "--format", "jsonl")
    assert done.status not in {0, 130}
    assert "line 1 is longer than" in done.stderr


@pytest.mark.usefixtures("with_a_twin")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_ends_it_while_it_records(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text('{"do": "append", "asset": "car", "data": {"n": 1}}\n')
    slow = (
        "import time; from twincli.services.batch.run import Run; "
        "Run._unit = lambda *_: (print('at work', file=sys.stderr, flush=True), time.sleep(60))"
    )
    with batch(number, "apply", str(tmp_path / "lines"), before=slow) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"at work\n"
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)  # a first one waits for the twin to be whole
        process.send_signal(number)
        assert SAID in ended(process)


def test_what_ends_with_an_error_says_the_error() -> None:
    # A shell starts what it runs in the background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(ValueError, match="more"), stopping.between() as whole, whole:
            signal.raise_signal(signal.SIGINT)
            assert whole.is_due()
            raise ValueError("more")
    finally:
        signal.signal(signal.SIGINT, before)
