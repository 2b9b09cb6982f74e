"""What every test may use: an empty home, a clean environment, the command in-process."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest


class Run(NamedTuple):
    """What one run of ``twin`` left: its exit status and both streams."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The document on stdout."""
        return json.loads(self.stdout)

    @property
    def error(self) -> dict[str, Any]:
        """The error object on stderr."""
        document = json.loads(self.stderr)
        assert set(document) == {"error"}
        assert set(document["error"]) == {"code", "message", "hint", "retryable"}
        error: dict[str, Any] = document["error"]
        return error


class Invoke(Protocol):
    """Runs ``twin`` in this process."""

    def __call__(self, *args: str, stdin: str | bytes = "", tty: bool = False) -> Run:
        """Run one command line; ``tty`` makes stdout and stderr look like a terminal."""
        ...


class _Stream(io.TextIOWrapper):
    """A text stream over memory that says whether it is a terminal."""

    def __init__(self, data: bytes = b"", *, tty: bool = False, encoding: str = "utf-8") -> None:
        self.memory = io.BytesIO(data)
        self._tty = tty
        super().__init__(self.memory, encoding=encoding, write_through=True, newline="")

    def isatty(self) -> bool:
        return self._tty

    def text(self) -> str:
        self.flush()
        return self.memory.getvalue().decode()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the user's variables, home and terminal out of every test."""
    for name in list(os.environ):
        if name.startswith(("TWIN_", "_TWIN", "_TYPER", "XDG_")):
            monkeypatch.delenv(name)
    certificates = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", *certificates):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    from twincli.cli.asking import terminal

    monkeypatch.setattr(terminal, "TERMINAL", str(tmp_path / "no-terminal"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path TWIN_HOME names; the directory is not there yet."""
    path = tmp_path / "home"
    monkeypatch.setenv("TWIN_HOME", str(path))
    return path


@pytest.fixture
def invoke(home: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:  # noqa: ARG001 - for TWIN_HOME
    """Return what runs ``twin`` in this process with both streams apart."""
    from twincli.cli.main import main

    def run(*args: str, stdin: str | bytes = "", tty: bool = False) -> Run:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        streams = (_Stream(data), _Stream(tty=tty), _Stream(tty=tty))
        with monkeypatch.context() as patch:
            for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
                patch.setattr(sys, name, stream)
            status = main(args)
        assert type(status) is int
        return Run(status, streams[1].text(), streams[2].text())

    return run


class Clock:
    """A clock that moves only when told to; seconds since 1970."""

    def __init__(self, now: float = 1_900_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    """Return a clock for what takes one as an argument."""
    return Clock()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Callable[[], str]]]:
    """Return what puts answers on a pseudo-terminal that stands for ``/dev/tty``.

    The fixture's value takes the keys to be typed and returns a function that gives all that was
    shown, including what the terminal echoed.
    """
    import pty

    from twincli.cli.asking import terminal

    ours, theirs = pty.openpty()
    monkeypatch.setattr(terminal, "TERMINAL", os.ttyname(theirs))

    def type_keys(keys: str) -> Callable[[], str]:
        real_write = os.write
        waiting = io.StringIO(keys).readlines()

        def write(descriptor: int, data: bytes) -> int:
            count = real_write(descriptor, data)
            # Typed when the question is there: what stands in the buffer earlier is flushed.
            if bytes(data).endswith(b" ") and waiting:
                real_write(ours, waiting.pop(0).encode())
            return count

        monkeypatch.setattr(os, "write", write)
        return shown

    def shown() -> str:
        os.set_blocking(ours, False)
        data = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except BlockingIOError:
                break
            data += piece
        return data.decode()

    yield type_keys
    os.close(theirs)
    os.close(ours)


@pytest.fixture(scope="session")
def real_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a node of ours, a process of its own."""
    home = tmp_path_factory.mktemp("node")
    with subprocess.Popen(
        [sys.executable, "-m", "twincli", "node", "start", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        env={"TWIN_HOME": str(home), "PATH": "/usr/bin:/bin"},
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()
