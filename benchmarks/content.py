"""What it costs to store and attach files, as ratios to copying them.

uv run python -m benchmarks.content           about a minute
uv run python -m benchmarks.content --quick   small files, to see that it works
uv run python -m benchmarks.content --write   also into RESULTS.md
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Figure, arguments, report
from twincli.content.store import PIECE_BYTES, Blobs

COPIES = 1.3
RATE = 3_000
ROUNDS = 3


def copied(source: Path, target: Path) -> float:
    """Return the seconds to copy a file durably."""
    start = time.perf_counter()
    with source.open("rb") as old, target.open("wb") as new:
        while piece := old.read(PIECE_BYTES):
            new.write(piece)
        new.flush()
        os.fsync(new.fileno())
    taken = time.perf_counter() - start
    target.unlink()
    return taken


def stored(source: Path, directory: Path) -> float:
    """Return the seconds to store it."""
    start = time.perf_counter()
    with Blobs(str(directory)).batch() as batch, source.open("rb") as stream:
        batch.put(stream)
    taken = time.perf_counter() - start
    shutil.rmtree(directory)
    return taken


def large(home: Path, megabytes: int) -> Figure:
    source = home / "large"
    with source.open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(1 << 20))
    pairs = []
    for _ in range(ROUNDS):
        floor = copied(source, home / "copy")
        pairs.append((stored(source, home / "content"), floor))
    ours, floor = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    source.unlink()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    detail = f"{megabytes} MiB: {ours:.2f} s, copy and fsync {floor:.2f} s; peak {peak} MB"
    return Figure("a large file stored", ours / floor, COPIES, "x copy and fsync", detail)


def many(home: Path, count: int) -> Figure:
    files = home / "files"
    files.mkdir()
    for number in range(count):
        (files / str(number)).write_bytes(os.urandom(2_000))
    environment = {**os.environ, "TWIN_HOME": str(home / "home"), "TWIN_NO_PASSPHRASE": "1"}

    def twin(*words: str) -> float:
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "twincli", *words],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - start

    twin("keys", "new", "alice", "--quiet")
    best = 0.0
    for number in range(ROUNDS):
        twin("asset", "create", f"car-{number}", "--quiet")
        shutil.rmtree(home / "home" / "content", ignore_errors=True)
        paths = [str(path) for path in files.iterdir()]
        best = max(best, count / twin("file", "attach", f"car-{number}", *paths, "--quiet"))
    detail = f"{count:,} files of 2,000 bytes in one command, cold"
    return Figure("small files attached", best, RATE, "a second", detail, at_least=True)


def main() -> None:
    options = arguments(__doc__).parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    home = Path(tempfile.mkdtemp(prefix="twin-benchmark-"))
    try:
        figures = [
            large(home, 16 if options.quick else 1_024),
            many(home, 200 if options.quick else 10_000),
        ]
    finally:
        shutil.rmtree(home)
    report(figures, write=options.write)


if __name__ == "__main__":
    main()
