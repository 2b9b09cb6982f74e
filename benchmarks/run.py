"""Timings, each as a ratio to a floor measured in the same run, so that a busy machine cancels out.

    uv run python -m benchmarks.run             all but the million, about five minutes
    uv run python -m benchmarks.run --quick     small counts, to see that it works
    uv run python -m benchmarks.run --million   only the ledger of a million transactions
    uv run python -m benchmarks.run --write     keep the figures in RESULTS.md and docs/reference

Whole commands are timed from outside, in turn with ``python -c pass``, with bytecode compiled: a
shell may set PYTHONDONTWRITEBYTECODE, which would compile every module at every start.
"""

from __future__ import annotations

import compileall
import json
import os
import pty
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import nacl

import twincli
from benchmarks import node, syncs
from benchmarks.floors import KEY, OWNER, pure_signing, pure_verifying, seconds
from benchmarks.report import ROOT, Figure, arguments, report
from twincli.cli.showing.partial import to_text
from twincli.crypto import ed25519
from twincli.ledger import Ledger
from twincli.model import owners, transaction
from twincli.rules import partial

if TYPE_CHECKING:
    from collections.abc import Iterable

# --- Whole commands ------------------------------------------------------------------------------


def environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(home), "TWIN_HOME": str(home / "twin"), "TERM": "xterm-256color"}


def wall(command: list[str], env: dict[str, str], *, terminal: bool = False) -> float:
    """Return the seconds that a command takes, its output read and thrown away."""
    if not terminal:
        start = time.perf_counter()
        subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        return time.perf_counter() - start
    outside, inside = pty.openpty()
    start = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdin=inside, stdout=inside, stderr=inside)
    os.close(inside)
    try:
        while os.read(outside, 65536):
            pass
    except OSError:  # the other side is closed
        pass
    process.wait()
    os.close(outside)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.perf_counter() - start


def in_turn(
    command: list[str], env: dict[str, str], runs: int, *, terminal: bool = False
) -> tuple[float, float]:
    """Return the medians of a command and of bare Python, run in turn after one warm-up."""
    bare = [sys.executable, "-c", "pass"]
    wall(command, env, terminal=terminal)
    wall(bare, env)
    pairs = [(wall(command, env, terminal=terminal), wall(bare, env)) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def commands(home: Path, runs: int) -> list[Figure]:
    twin = shutil.which("twin", path=str(Path(sys.executable).parent)) or "twin"
    env = environment(home)
    for words in (
        ["keys", "new", "alice", "--no-passphrase"],
        ["asset", "create", "car", "--wheels", "4"],
    ):
        wall([twin, *words], env)
    completing = {
        **env,
        "_TWIN_COMPLETE": "complete_bash",
        "COMP_WORDS": "twin as",
        "COMP_CWORD": "1",
    }
    cases = [
        ("`twin --version`", [twin, "--version"], env, 2.0, False),
        (
            "cold `asset append`, durable",
            [twin, "asset", "append", "car", "--km", "1"],
            env,
            4.2,
            False,
        ),
        ("`asset show`", [twin, "asset", "show", "car"], env, 5.8, False),
        ("`--help`, plain", [twin, "--help"], env, 1.5, False),
        ("`--help`, rich", [twin, "--help"], env, 18.0, True),
        ("completion of a word", [twin], completing, 6.0, False),
    ]
    figures = []
    for what, command, its_env, budget, terminal in cases:
        ours, floor = in_turn(command, its_env, runs, terminal=terminal)
        detail = f"{ours * 1000:.0f} ms, bare Python {floor * 1000:.1f} ms"
        figures.append(Figure(what, ours / floor, budget, "x bare Python", detail))
    return figures


def agent_figure(home: Path, runs: int) -> Figure:
    """Time appends signed by the agent in turn with those of a key without passphrase."""
    twin = shutil.which("twin", path=str(Path(sys.executable).parent)) or "twin"
    plain, held = environment(home / "plain"), environment(home / "held")
    append = [twin, "asset", "append", "car", "--km", "1"]
    wall([twin, "keys", "new", "alice", "--no-passphrase"], plain)
    unlocking = {**held, "TWIN_PASSPHRASE": "correct horse battery"}
    wall([twin, "keys", "new", "alice"], unlocking)
    for env in (plain, unlocking):
        wall([twin, "asset", "create", "car", "--wheels", "4"], env)
    wall([twin, "agent", "start"], unlocking)
    try:
        wall(append, plain)
        wall(append, held)
        pairs = [(wall(append, held), wall(append, plain)) for _ in range(runs)]
    finally:
        wall([twin, "agent", "stop"], held)
    ours, floor = (statistics.fmean(times) for times in zip(*pairs, strict=True))
    return Figure(
        f"{runs} cold `asset append`s through the agent",
        ours / floor,
        1.25,
        "x a key without passphrase",
        f"{ours * 1000:.1f} ms each, without passphrase {floor * 1000:.1f} ms",
    )


def combine_figure(home: Path, runs: int) -> Figure:
    """Time `tx combine` of a hundred signers' files, without what one signer's takes to start."""
    twin = shutil.which("twin", path=str(Path(sys.executable).parent)) or "twin"
    env = environment(home / "combine")
    keys = [ed25519.KeyPair.from_seed(bytes((number,)) * 32) for number in range(100)]
    files = []
    for signers in (keys[:1], keys):
        details = owners.of_keys([key.public_key for key in signers])
        made = transaction.create([KEY.public_key], [transaction.Output(details)], {"fund": 1})
        created = transaction.sign(made, [KEY])
        spend, output = transaction.Spend.of(created), transaction.Output(details)
        tx = transaction.transfer([spend], [output], created["id"], {"paid": 1})
        prepared = partial.prepare(tx, [created], None)
        names = []
        for number, key in enumerate(signers):
            signed = partial.document(partial.sign(prepared, [key]))
            path = home / f"{len(signers)}-{number}.json"
            path.write_text(to_text(signed))
            names.append(str(path))
        files.append(names)
    one, many = ([twin, "tx", "combine", *names] for names in files)
    wall(many, env)
    pairs = [(wall(many, env), wall(one, env)) for _ in range(runs)]
    ours, start = (statistics.median(times) * 1000 for times in zip(*pairs, strict=True))
    return Figure(
        "`tx combine` of 100 signers, besides the start",
        ours - start,
        100,
        "ms",
        f"{ours:.0f} ms in all, of one signer {start:.0f} ms",
    )


# --- Inside one process --------------------------------------------------------------------------


def metadatas(count: int) -> Iterable[dict[str, object]]:
    for number in range(count):
        yield {
            "mileage": 1200 + number,
            "twin": {"v": 1, "kind": "append", "at": "2026-11-21T06:51:22Z"},
        }


def create(ledger: Ledger, number: int = 0) -> str:
    made = transaction.sign(
        transaction.create([KEY.public_key], [transaction.Output(OWNER)], {"number": number}), [KEY]
    )
    ledger.submit(made)
    return str(made["id"])


def ledger_figures(home: Path, count: int) -> list[Figure]:
    figures = []
    with Ledger.open(home / "bulk") as ledger:
        asset = create(ledger)
        items = list(metadatas(count))
        floor = pure_signing(count)
        took = seconds(lambda: ledger.append_many(KEY, asset, items))
        figures.append(
            Figure(
                f"{count:,} signed appends",
                took / floor,
                3.3,
                "x pure signing",
                f"{took:.2f} s, {count / took:,.0f} a second",
            )
        )
        verifying = pure_verifying(count)
        took = seconds(lambda: sound(ledger, asset))
        figures.append(
            Figure(
                f"verify a {count:,}-transaction history, 2 cores",
                took / verifying,
                0.9,
                "x pure verifying on one core",
                f"{took:.2f} s, {count / took:,.0f} a second",
            )
        )
        foreign = ledger.transactions(asset)
    for cores, budget in ((1, 2.2), (2, 2.2)):
        with Ledger.open(home / f"foreign{cores}") as ledger, on_cores(cores):
            verifying = pure_verifying(count)
            took = seconds(lambda: store(ledger, foreign))
        figures.append(
            Figure(
                f"validate and store {count:,} foreign transactions, cores: {cores}",
                took / verifying,
                budget,
                "x pure verifying on one core",
                f"{took:.2f} s, {count / took:,.0f} a second",
            )
        )
    return figures


class on_cores:  # noqa: N801 - reads as a sentence
    def __init__(self, count: int) -> None:
        self.before = os.sched_getaffinity(0)
        self.wanted = set(sorted(self.before)[:count])

    def __enter__(self) -> None:
        os.sched_setaffinity(0, self.wanted)

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(0, self.before)


def sound(ledger: Ledger, asset: str | None = None) -> int:
    report = ledger.verify(asset)
    if report.problems:
        raise SystemExit(f"the ledger does not verify: {report.problems[:3]}")
    return report.transactions


def store(ledger: Ledger, txs: list[dict[str, object]]) -> None:
    for at in range(0, len(txs), 1000):
        verdicts = ledger.submit_each(txs[at : at + 1000])
        if not all(isinstance(verdict, int) for verdict in verdicts):
            raise SystemExit("a transaction was refused")


def history_figure(home: Path, count: int) -> Figure:
    """Time the whole process that lists a long history as JSON Lines."""
    twin = shutil.which("twin", path=str(Path(sys.executable).parent)) or "twin"
    env = environment(home)
    lines = "".join(json.dumps({"mileage": number}) + "\n" for number in range(count))
    subprocess.run(
        [twin, "asset", "append", "car", "--jsonl", "-"],
        env=env,
        input=lines.encode(),
        capture_output=True,
        check=True,
    )
    took = statistics.median(wall([twin, "history", "car", "--jsonl"], env) for _ in range(3))
    return Figure(
        f"`twin history --jsonl` of {count:,} transactions", took, 2.0, "s", "the whole process"
    )


def million(home: Path, count: int) -> list[Figure]:
    """Build a large ledger, then read, append to and verify it, each in a fresh process."""
    path = home / "million"
    with Ledger.open(path) as ledger:
        for number in range(10):
            ledger.append_many(KEY, create(ledger, number), metadatas(count // 10 - 1))
    code = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from benchmarks.run import KEY, metadatas, sound
from twincli.ledger import Ledger
with Ledger.open(sys.argv[2], create=False) as ledger:
    asset = next(iter(ledger.asset_ids()))
    if sys.argv[3] == "read":
        sum(1 for _ in ledger.iter_transactions(asset))
        ledger.replay(asset)
        ledger.outputs(KEY.public_key, spent=False)
    elif sys.argv[3] == "append":
        ledger.append_many(KEY, asset, metadatas(10_000))
    else:
        sound(ledger)
mine = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
below = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps((mine + below) / 1024))
"""
    figures = []
    for what in ("read", "append", "verify"):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, str(ROOT), str(path), what],
            capture_output=True,
            check=True,
            text=True,
        )
        took = time.perf_counter() - start
        figures.append(
            Figure(
                f"{what} a ledger of {count:,} transactions",
                float(done.stdout),
                300,
                "MB",
                f"{took:.1f} s",
            )
        )
    return figures


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--million", action="store_true", help="only the large ledger")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for place in (Path(twincli.__file__).parent, Path(nacl.__file__).parents[1]):
        compileall.compile_dir(place, quiet=2)
    home = Path(tempfile.mkdtemp(prefix="twin-benchmark-"))
    try:
        if options.million:
            figures = million(home, 10_000 if options.quick else 1_000_000)
        else:
            count = 2_000 if options.quick else 100_000
            figures = commands(home, 3 if options.quick else 21)
            figures += syncs.figures(home, environment(home))
            figures.append(agent_figure(home, 5 if options.quick else 100))
            figures.append(combine_figure(home, 3 if options.quick else 21))
            figures += ledger_figures(home, count)
            figures.append(history_figure(home, count))
            figures += node.figures(quick=options.quick)
    finally:
        shutil.rmtree(home)
    report(figures, write=options.write, into_docs=None if options.million else "benchmarks")
    print("peak of this process:", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "MB")


if __name__ == "__main__":
    main()
