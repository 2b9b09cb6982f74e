"""Nothing of an encrypted stream is in the clear: under the home, or in the temporary directory."""

from __future__ import annotations

import gzip
import os
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import Invoke

SECRET = "XYZZY-PLUGH"
SERIES = "quenchtemperature"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files in memory are Linux's")


def traces(*places: Path) -> list[str]:
    """Return the files that hold something of the readings, also compressed."""
    found = []
    for place in places:
        for path in place.rglob("*"):
            try:
                data = path.read_bytes() if path.is_file() else b""
            except OSError:  # gone since
                continue
            if data[:2] == b"\x1f\x8b":
                data += gzip.decompress(data)
            if any(text.encode() in data for text in (SECRET, SERIES)) or data[:4] == b"PAR1":
                found.append(str(path))
    return found


class Watch(threading.Thread):
    """Looks into a directory all the time; notes files of readings that come and go."""

    def __init__(self, *places: Path) -> None:
        super().__init__(daemon=True)
        self._places, self._ended = places, threading.Event()
        self.seen: set[str] = set()

    def run(self) -> None:
        while not self._ended.is_set():
            self.seen.update(traces(*self._places))
            time.sleep(0.001)

    def stop(self) -> set[str]:
        self._ended.set()
        self.join()
        return self.seen


def test_no_command_leaves_or_passes_a_trace(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TWIN_NO_PASSPHRASE", "1")
    home, passing, out = Path(os.environ["TWIN_HOME"]), tmp_path / "passing", tmp_path / "out"
    passing.mkdir()
    out.mkdir()
    monkeypatch.setenv("TMPDIR", str(passing))
    monkeypatch.setattr("tempfile.tempdir", str(passing))
    for name in ("alice", "bob"):
        assert invoke("keys", "new", name).status == 0
    assert invoke("asset", "create", "car", "--owner", "alice").status == 0
    lines = "\n".join(
        f'{{"timestamp": "2024-01-01T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}Z",'
        f' "{SERIES}": {at}, "note": "{SECRET}"}}'
        for at in range(0, 86400, 600)
    )
    (tmp_path / "lines.jsonl").write_text(lines)
    watch = Watch(home, passing)
    watch.start()
    query = ("query", "car", "--stream", "recipe")
    for args in (
        ("stream", "create", "car", "recipe", "--encrypt"),
        ("stream", "push", "car", "recipe", "--str", f"note={SECRET}", f"--{SERIES}", "5"),
        ("stream", "import", "car", "recipe", str(tmp_path / "lines.jsonl")),
        ("grant", "add", "car", "--to", "bob", "--role", "viewer"),
        (*query, "--json"),
        (*query, "--key", "bob", "--every", "1h", "--agg", "average,median", "--fields", SERIES),
        (*query, "--sql", f"SELECT note, avg({SERIES}) FROM recipe GROUP BY note"),
        (*query, "-o", str(out / "rows.parquet")),
        ("plot", "car", "--stream", "recipe", "--fields", SERIES, "-o", str(out / "plot.svg")),
        ("stream", "export", "car", "--format", "csv", "-o", str(out / "csv")),
        ("stream", "export", "car", "--format", "parquet", "-o", str(out / "parquet")),
        ("stream", "show", "car", "recipe"),
        ("stream", "list", "car"),
        ("asset", "show", "car"),
        ("history", "car"),
        ("search", SECRET),
        ("grant", "revoke", "car", "--from", "bob"),
        ("stream", "push", "car", "recipe", "--str", f"note={SECRET}"),
    ):
        done = invoke(*args)
        assert done.status == 0, (args, done)
        assert traces(home, passing) == [], args
    lines = '{"timestamp": "2024-02-01T00:00:0%dZ", "note": "XYZZY-PLUGH"}\n'
    for at, verb in enumerate(("push", "follow", "import")):
        words = ("--format", "jsonl") if verb == "import" else ()
        done = invoke("stream", verb, "car", "recipe", "-", *words, stdin=lines % at)
        assert done.status == 0, (verb, done)
        assert traces(home, passing) == [], verb
    assert watch.stop() == set()
    assert traces(out)
    failed = invoke(*query, "--key", "bob", "--json")
    assert (failed.status, failed.error["code"]) == (6, "no_grant")
    assert SECRET not in str(failed)
    assert SERIES not in str(failed)
