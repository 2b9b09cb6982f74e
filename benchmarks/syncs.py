"""How often a command waits for the disk, counted by strace; a sync takes a laptop 0.5 to 2 ms."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import Figure

APPEND_MAY_SYNC = 2
CREATE_MAY_SYNC = 6


def figures(home: Path, env: dict[str, str]) -> list[Figure]:
    """Count the syncs of a first and a second `asset create` and of an `asset append`.

    Without strace, or where tracing is forbidden, there is nothing to report.
    """
    if shutil.which("strace") is None:
        print("syncs are not counted: strace is not installed", file=sys.stderr)
        return []
    twin = shutil.which("twin", path=str(Path(sys.executable).parent)) or "twin"
    env = {**env, "TWIN_HOME": str(home / "syncs")}
    new = [twin, "keys", "new", "alice", "--no-passphrase"]
    subprocess.run(new, env=env, capture_output=True, check=True)
    cases = (
        ("the first `asset create`", ["asset", "create", "car", "--wheels", "4"], CREATE_MAY_SYNC),
        ("`asset create`", ["asset", "create", "bike", "--wheels", "2"], CREATE_MAY_SYNC),
        ("`asset append`", ["asset", "append", "car", "--km", "1"], APPEND_MAY_SYNC),
    )
    found = []
    for what, words, budget in cases:
        count = _syncs([twin, *words], env)
        if count is None:
            print("syncs are not counted: strace may not trace here", file=sys.stderr)
            return []
        found.append(Figure(f"syncs of {what}", count, budget, "syncs", "counted by strace"))
    return found


def _syncs(command: list[str], env: dict[str, str]) -> int | None:
    """Return how many syncs a command makes, all its processes included."""
    handle, trace = tempfile.mkstemp(prefix="twin-syncs-")
    os.close(handle)
    calls = "trace=fsync,fdatasync,sync_file_range,msync,syncfs,sync"
    try:
        done = subprocess.run(
            ["strace", "-f", "-qq", "-e", calls, "-e", "signal=none", "-o", trace, *command],
            env=env,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            return None
        lines = Path(trace).read_text().splitlines()
    finally:
        Path(trace).unlink()
    # A call that another process interrupts has a second line, which says "resumed".
    return sum("sync" in line and "resumed>" not in line for line in lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="twin-syncs-") as directory:
        names = ("PATH", "LANG")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        for figure in figures(Path(directory), {**kept, "HOME": directory}):
            print(f"{figure.what}: {figure.text}, budget {figure.allowed}")
